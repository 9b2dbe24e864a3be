//! The service behind a server that hurts: what is handed on, and what comes back, with the two addresses exchanged, as the
//! service names its own in what it says.

use super::first::Wire;
use super::script::{Answer, Request};
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;

/// Where requests go on to.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    http: reqwest::Client,
    /// The service's own origin.
    there: String,
    /// The origin by which the program knows it.
    here: String,
    scheme: &'static str,
    host: Option<&'static str>,
}

impl Upstream {
    /// The service at this address (of its MCP endpoint). The program speaks `scheme` to us, and calls us by `host`.
    pub(crate) fn of(url: &str, scheme: &'static str, host: Option<&'static str>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        Self {
            http: builder.build().expect("a client"),
            there: url.split('/').take(3).collect::<Vec<_>>().join("/"),
            here: String::new(),
            scheme,
            host,
        }
    }

    pub(super) fn known_as(mut self, address: SocketAddr) -> Self {
        let host = self.host.map_or_else(|| address.ip().to_string(), str::to_owned);
        self.here = format!("{}://{host}:{}", self.scheme, address.port());
        self
    }

    async fn ask(&self, request: &Request) -> reqwest::Result<reqwest::Response> {
        let method = request.method.parse().expect("a method");
        let path = exchanged(&request.path, &self.here, &self.there);
        let mut asked = self.http.request(method, format!("{}{path}", self.there));
        for (name, value) in &request.headers {
            if !matches!(name.as_str(), "host" | "content-length" | "connection") {
                asked = asked.header(name, exchanged(value, &self.here, &self.there));
            }
        }
        let body = exchanged(&String::from_utf8_lossy(&request.body), &self.here, &self.there);
        asked.body(body).send().await
    }

    fn head(&self, response: &reqwest::Response) -> Vec<(String, String)> {
        let one = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (
                name.as_str().to_owned(),
                exchanged(&value, &self.there, &self.here),
            )
        };
        let headers = response.headers().iter().map(one);
        headers
            .filter(|(name, _)| {
                !matches!(
                    name.as_str(),
                    "content-length" | "transfer-encoding" | "connection"
                )
            })
            .collect()
    }

    /// Runs a request to its end, and returns what the service answered.
    pub(crate) async fn run(&self, request: &Request) -> reqwest::Result<Answer> {
        let response = self.ask(request).await?;
        let (status, headers) = (response.status().as_u16(), self.head(&response));
        let body = response.bytes().await?;
        let body = exchanged(&String::from_utf8_lossy(&body), &self.there, &self.here);
        Ok(Answer {
            status,
            headers,
            body: body.into_bytes(),
        })
    }

    /// Hands a request on, and its answer back while it comes: streams have no end.
    pub(super) async fn pass(&self, request: &Request, wire: &mut impl Wire) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        if request.method != "GET"
            || !request
                .header("accept")
                .is_some_and(|kind| kind.contains("event-stream"))
        {
            let answer = self.run(request).await.map_err(|error| failed(&error))?;
            return wire
                .write_all(&answer.bytes())
                .await
                .map_err(|error| failed(&error));
        }
        let mut response = self.ask(request).await.map_err(|error| failed(&error))?;
        let mut head = format!(
            "HTTP/1.1 {} X\r\ntransfer-encoding: chunked\r\n",
            response.status().as_u16()
        );
        for (name, value) in self.head(&response) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        wire.write_all(head.as_bytes())
            .await
            .map_err(|error| failed(&error))?;
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            let chunk = [format!("{:x}\r\n", chunk.len()).as_bytes(), &chunk, b"\r\n"].concat();
            wire.write_all(&chunk).await.map_err(|error| failed(&error))?;
            wire.flush().await.map_err(|error| failed(&error))?;
        }
        wire.write_all(b"0\r\n\r\n").await.map_err(|error| failed(&error))
    }
}

/// The same text with one origin for the other, also where it stands in a query.
fn exchanged(text: &str, from: &str, to: &str) -> String {
    let encoded = |origin: &str| origin.replace(':', "%3A").replace('/', "%2F");
    text.replace(from, to).replace(&encoded(from), &encoded(to))
}
