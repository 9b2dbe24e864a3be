//! An AI client with one order at a time, and what simulator and journal tell of it afterwards.
//!
//! Owns: its pipe, and the two lists of moments. Refuses to know: what is measured.

use super::Outcome;
use super::programs::{Home, Sim};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

impl Sim {
    /// When each order with the trade grant had been read whole, in microseconds since 1970.
    pub(crate) async fn arrivals(&self) -> Outcome<Vec<i64>> {
        let answer = self.http.get(format!("{}/calls", self.control)).send().await?;
        let calls: Vec<Value> = serde_json::from_str(&answer.text().await?)?;
        let is = |call: &Value, key: &str, what: &str| call.get(key).and_then(Value::as_str) == Some(what);
        let orders = calls
            .iter()
            .filter(|call| is(call, "tool", "PlaceOrder") && is(call, "grant", "mcp:trade"));
        Ok(orders.filter_map(|call| call.get("at_us")?.as_i64()).collect())
    }
}

impl Home {
    /// When each approval was written, by the journal's own lines, in microseconds since 1970 (whole milliseconds).
    pub(crate) fn approvals(&self) -> Outcome<Vec<i64>> {
        let text = std::fs::read_to_string(self.folder.join("state/journal.jsonl"))?;
        let mut times = Vec::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line)?;
            if line.get("kind").and_then(Value::as_str) == Some("approved") {
                let at = line.get("at").and_then(Value::as_str).ok_or("no time")?;
                let at: jiff::Timestamp = at.parse()?;
                times.push(at.as_microsecond());
            }
        }
        Ok(times)
    }
}

/// The same program, started by these words.
fn beneath(words: &[String], program: Command) -> Command {
    let Some((first, rest)) = words.split_first() else {
        return program;
    };
    let inner = program.as_std();
    let mut outer = Command::new(first);
    outer
        .args(rest)
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear()
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::piped())
        .kill_on_drop(true);
    outer
}

/// An AI client on the program's pipes.
pub(crate) struct Client {
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    next: u64,
    child: Child,
}

impl Client {
    pub(crate) async fn start(home: &Home, sim: &Sim, under: &[String]) -> Outcome<Self> {
        let program = home.command(&["serve", "--url", &sim.url])?;
        let mut child = beneath(under, program)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut client = Self {
            stdin: child.stdin.take().ok_or("no pipe")?,
            lines: BufReader::new(child.stdout.take().ok_or("no pipe")?).lines(),
            next: 0,
            child,
        };
        let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "bench", "version": "1" } });
        let id = client.send("initialize", &hello).await?;
        client.answer(id).await?;
        client
            .line(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await?;
        Ok(client)
    }

    async fn line(&mut self, message: &Value) -> Outcome<()> {
        self.stdin.write_all(format!("{message}\n").as_bytes()).await?;
        Ok(self.stdin.flush().await?)
    }

    async fn send(&mut self, method: &str, params: &Value) -> Outcome<u64> {
        self.next += 1;
        let id = self.next;
        self.line(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await?;
        Ok(id)
    }

    async fn answer(&mut self, id: u64) -> Outcome<Value> {
        while let Some(line) = self.lines.next_line().await? {
            let message: Value = serde_json::from_str(&line)?;
            if message.get("id") == Some(&json!(id)) && message.get("method").is_none() {
                return Ok(message);
            }
        }
        Err("the program ended".into())
    }

    /// Leaves, and waits until the program has ended.
    pub(crate) async fn end(self) -> Outcome<()> {
        let Self { stdin, mut child, .. } = self;
        drop(stdin);
        child.wait().await?;
        Ok(())
    }

    /// Sends an order that rests at this price; the call's id.
    pub(crate) async fn order(&mut self, price: usize) -> Outcome<u64> {
        let order = json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Limit",
            "limit_price": price, "quantity": 1, "tif": "Day" });
        self.send("tools/call", &json!({ "name": "PlaceOrder", "arguments": order }))
            .await
    }

    /// Waits for its answer, which says that the service accepted it.
    pub(crate) async fn accepted(&mut self, id: u64) -> Outcome<()> {
        let answer = self.answer(id).await?;
        let status = answer.pointer("/result/structuredContent/status");
        if status.and_then(Value::as_str) == Some("accepted") {
            return Ok(());
        }
        Err(format!("{answer}").into())
    }
}
