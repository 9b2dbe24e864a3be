//! What a server that hurts is told to do: requests as they came, whole answers, and the steps of an answer that is none.

use rustls::ServerConfig;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// One request as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Which connection it came on, counted from 0.
    pub(crate) connection: usize,
    /// The how manieth request of its connection it is, counted from 0.
    pub(crate) nth: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The JSON-RPC method, else the HTTP method.
    pub(crate) fn what(&self) -> String {
        let rpc = self.json()["method"].as_str().map(str::to_owned);
        rpc.unwrap_or_else(|| self.method.clone())
    }
}

/// An answer that is whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut headers = Vec::new();
        if !kind.is_empty() {
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        Self {
            status,
            headers,
            body: body.into(),
        }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::new(200, "application/json", value.to_string())
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The message in it, whether it is the body or the last event of a stream.
    pub(crate) fn message(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        let event = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .next_back();
        serde_json::from_str(event.unwrap_or(&text)).unwrap_or(Value::Null)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} X\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !matches!(self.status, 100..=199 | 204 | 304) {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// One thing that happens on a connection.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// One byte, a pause, one byte, …
    Drip(Vec<u8>, Duration),
    /// The same bytes so many times.
    Repeat(Vec<u8>, usize),
    /// Nothing, until this says true.
    Until(watch::Receiver<bool>),
    /// The end of our side, in order (FIN).
    End,
    /// The end without any order (RST).
    Reset,
    /// Nothing more, until the other side goes.
    Silence,
}

/// What is done with one request.
#[derive(Clone)]
pub(crate) enum Play {
    Answer(Answer),
    /// Raw bytes (HTTP/1.1 only).
    Steps(Vec<Step>),
    /// HTTP/2: the stream is reset.
    ResetStream(h2::Reason),
    /// HTTP/2: the connection is taken down, with this reason.
    GoAway(h2::Reason),
    /// HTTP/2: the connection takes no more streams, and this one is answered.
    GoAwayGently(Answer),
    /// HTTP/2: nothing more is read or written on the connection, and it stays open.
    Freeze,
    /// Handed to the service behind this server; what comes back goes to the client as it is.
    Forward,
    /// Handed to the service behind this server, which runs it; then this is done with what came back.
    Ran(Arc<dyn Fn(Answer) -> Self + Send + Sync>),
}

impl Play {
    pub(crate) fn ran(then: impl Fn(Answer) -> Self + Send + Sync + 'static) -> Self {
        Self::Ran(Arc::new(then))
    }
}

/// How a connection begins.
#[derive(Clone)]
pub(crate) enum Begin {
    Plain,
    Tls(Arc<ServerConfig>),
    /// These bytes whatever comes, and the end.
    Bytes(Vec<u8>),
    /// The end at once (RST).
    Slam,
    /// Nothing at all.
    Silence,
}
