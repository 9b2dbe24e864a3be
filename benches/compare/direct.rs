//! The limit: HTTP without anybody between, by the HTTP library that the program itself uses.
//!
//! Owns: one client's requests. Refuses to know: what is measured.

use super::Outcome;
use super::server::authority;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::path::Path;

pub(crate) struct Direct {
    http: reqwest::Client,
    url: String,
    headers: HeaderMap,
}

impl Direct {
    /// Opens a session at the server, with this token where it asks for one.
    pub(crate) async fn start(url: &str, folder: &Path, token: Option<&str>) -> Outcome<Self> {
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
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse()?);
        }
        headers.insert(
            HeaderName::from_static("mcp-protocol-version"),
            HeaderValue::from_static("2025-06-18"),
        );
        let mut direct = Self {
            http: builder.build()?,
            url: url.to_owned(),
            headers,
        };
        let answer = direct.send(super::hello(0)).await?;
        let session = HeaderName::from_static("mcp-session-id");
        if let Some(id) = answer.headers().get(&session).cloned() {
            direct.headers.insert(session, id);
        }
        answer.bytes().await?;
        Ok(direct)
    }

    /// One request; the length of its answer.
    pub(crate) async fn post(&self, line: String) -> Outcome<usize> {
        Ok(self.send(line).await?.bytes().await?.len())
    }

    async fn send(&self, line: String) -> Outcome<reqwest::Response> {
        let request = self.http.post(&self.url).headers(self.headers.clone()).body(line);
        Ok(request.send().await?.error_for_status()?)
    }
}
