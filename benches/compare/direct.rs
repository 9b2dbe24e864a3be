//! The limit: HTTP without anybody between, by the HTTP library that the program itself uses.
//!
//! Owns: one client's requests. Refuses to know: what is measured.

use super::Outcome;
use super::server::authority;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::path::Path;

pub(crate) struct Direct {
    http: reqwest::Client,
    url: String,
    headers: HeaderMap,
}

impl Direct {
    pub(crate) async fn start(url: &str, folder: &Path) -> Outcome<Self> {
        let mut builder = reqwest::Client::builder().no_proxy().tcp_nodelay(true);
        if let Ok(pem) = std::fs::read(authority(folder)) {
            builder = builder.tls_certs_only([reqwest::Certificate::from_pem(&pem)?]);
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        headers.insert(
            HeaderName::from_static("mcp-session-id"),
            HeaderValue::from_static("of-the-benchmark"),
        );
        headers.insert(
            HeaderName::from_static("mcp-protocol-version"),
            HeaderValue::from_static("2025-06-18"),
        );
        let direct = Self {
            http: builder.build()?,
            url: url.to_owned(),
            headers,
        };
        direct.post(super::hello(0)).await?;
        Ok(direct)
    }

    /// One request; the length of its answer.
    pub(crate) async fn post(&self, line: String) -> Outcome<usize> {
        let request = self.http.post(&self.url).headers(self.headers.clone()).body(line);
        let answer = request.send().await?.error_for_status()?;
        Ok(answer.bytes().await?.len())
    }
}
