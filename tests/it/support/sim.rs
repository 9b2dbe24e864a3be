//! The simulator as a process of its own, and what it tells of what it executed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use super::tools;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A running simulator; it ends with this value.
pub(crate) struct Sim {
    child: Child,
    /// The MCP endpoint.
    pub(crate) url: String,
    control: String,
    http: reqwest::Client,
}

impl Sim {
    /// Starts it without a rate limit and with consent given by itself.
    pub(crate) fn start(more: &[&str]) -> Self {
        Self::start_with(&[&["--auto-consent", "--no-rate-limit"], more].concat())
    }

    /// Starts it with these words alone.
    pub(crate) fn start_with(words: &[&str]) -> Self {
        let mut command = Command::new(tools::simulator());
        command
            .arg("serve")
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("the simulator starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("its first line");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line:?}"));
        let text = |key: &str| {
            ready[key]
                .as_str()
                .expect("a url")
                .trim_end_matches('/')
                .to_owned()
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self {
            child,
            url: text("mcp_url"),
            control: text("control_url"),
            http,
        }
    }

    /// The same service at another address, which this client trusts.
    pub(crate) fn behind(mut self, url: String, http: reqwest::Client) -> Self {
        (self.url, self.http) = (url, http);
        self
    }

    /// `GET` on the control interface.
    pub(crate) async fn get(&self, what: &str) -> Value {
        let answer = self
            .http
            .get(format!("{}/{what}", self.control))
            .send()
            .await
            .expect("the control interface");
        let text = answer.text().await.expect("an answer");
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{what}: {text}"))
    }

    /// `POST` on the control interface.
    pub(crate) async fn post(&self, what: &str, body: &Value) -> Value {
        self.post_text(what, &body.to_string()).await
    }

    /// `POST` of a text that no JSON value could hold as it is.
    pub(crate) async fn post_text(&self, what: &str, body: &str) -> Value {
        let request = self
            .http
            .post(format!("{}/{what}", self.control))
            .header("content-type", "application/json");
        let answer = request
            .body(body.to_owned())
            .send()
            .await
            .expect("the control interface");
        let status = answer.status();
        let text = answer.text().await.expect("an answer");
        assert!(status.is_success(), "{what} {body}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Sets a fault for the next request that it fits.
    pub(crate) async fn fault(&self, kind: &str, tool: &str) {
        self.post("fault", &json!({ "kind": kind, "tool": tool, "times": 1 }))
            .await;
    }

    /// What was executed: tool names in order.
    pub(crate) async fn executed(&self) -> Vec<String> {
        let list = self.get("executed").await;
        let name = |entry: &Value| entry["tool"].as_str().unwrap_or_default().to_owned();
        list.as_array().expect("an array").iter().map(name).collect()
    }

    /// Every MCP request with the grant that it carried.
    pub(crate) async fn calls(&self) -> Vec<Value> {
        self.get("calls").await.as_array().expect("an array").clone()
    }

    /// Ends it: nobody listens at its address any more.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// A client that follows redirects, for consent pages.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What it can be told to ask in the middle of a call (`elicit`): the kind, the method of the request, and a client's answer.
pub(crate) fn questions() -> [(&'static str, &'static str, Value); 3] {
    [
        (
            "elicitation",
            "elicitation/create",
            json!({ "action": "accept", "content": { "session": "RTH" } }),
        ),
        (
            "sampling",
            "sampling/createMessage",
            json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": "calm" } }),
        ),
        (
            "roots",
            "roots/list",
            json!({ "roots": [{ "uri": "file:///tmp" }] }),
        ),
    ]
}

/// What the simulator heard from the client that it asked, by the result of the call in whose middle it did.
pub(crate) fn client_answered(result: &Value) -> Value {
    let said = result["content"][1]["text"].as_str().expect("what was said");
    let said: Value = serde_json::from_str(said).expect("JSON");
    said["client_answered"].clone()
}
