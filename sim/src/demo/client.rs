//! The AI client: speaks MCP over the program's pipes.

use super::Failed;
use super::program::Home;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// How long one answer may take: longer than any question stays open.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running `countersign serve` and our end of its pipes.
pub(super) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    next: u64,
}

impl Client {
    pub(super) async fn start(home: &Home) -> Result<Self, Failed> {
        let mut command = home.command(&["serve"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .map_err(|error| format!("countersign serve: {error}"))?;
        let stdout = child.stdout.take().ok_or("no pipe")?;
        let mut client = Self {
            stdin: child.stdin.take(),
            lines: BufReader::new(stdout).lines(),
            child,
            next: 0,
        };
        let info = json!({ "name": "Demo AI client", "version": "1.0" });
        let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
        client.request("initialize", &hello).await?;
        client
            .write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await?;
        Ok(client)
    }

    async fn write(&mut self, message: &Value) -> Result<(), Failed> {
        let stdin = self.stdin.as_mut().ok_or("closed")?;
        stdin
            .write_all(format!("{message}\n").as_bytes())
            .await
            .map_err(|error| error.to_string())
    }

    /// Sends a request without waiting; its id.
    pub(super) async fn send(&mut self, method: &str, params: &Value) -> Result<u64, Failed> {
        self.next += 1;
        let id = self.next;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await?;
        Ok(id)
    }

    /// A request and its result.
    pub(super) async fn request(&mut self, method: &str, params: &Value) -> Result<Value, Failed> {
        let id = self.send(method, params).await?;
        self.result(id).await
    }

    /// A tool call and its result.
    pub(super) async fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value, Failed> {
        self.request("tools/call", &json!({ "name": tool, "arguments": arguments }))
            .await
    }

    /// The result of a request.
    pub(super) async fn result(&mut self, id: u64) -> Result<Value, Failed> {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
            let line = line
                .map_err(|_| "countersign does not answer")?
                .map_err(|error| error.to_string())?;
            let message: Value =
                serde_json::from_str(&line.ok_or("countersign left")?).map_err(|error| error.to_string())?;
            if message["id"] == json!(id) && message.get("method").is_none() {
                return match message.get("result") {
                    Some(result) => Ok(result.clone()),
                    None => Err(message["error"]["message"]
                        .as_str()
                        .unwrap_or("an error")
                        .to_owned()),
                };
            }
        }
    }

    /// The result of a held call once the person has decided: waits the way the answer says.
    pub(super) async fn settled(&mut self, id: u64) -> Result<Value, Failed> {
        let mut result = self.result(id).await?;
        while let (Some(next), Some(ticket)) = (
            result["structuredContent"]["next"].as_str(),
            result["structuredContent"]["ticket"].as_str(),
        ) {
            let (next, arguments) = (next.to_owned(), json!({ "ticket": ticket }));
            result = self.call(&next, &arguments).await?;
        }
        Ok(result)
    }

    /// Leaves as a client does: closes the pipe and waits.
    pub(super) async fn close(mut self) {
        drop(self.stdin.take());
        let _ = tokio::time::timeout(Duration::from_secs(12), self.child.wait()).await;
    }
}
