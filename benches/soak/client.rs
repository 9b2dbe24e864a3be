//! An AI client that asks much at a time.
//!
//! Owns: its pipe, and who waits for which answer. Refuses to know: what is decided about its orders.

use super::Outcome;
use super::programs::{Home, Sim};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin};
use tokio::sync::oneshot;

/// Orders a fault of the simulator.
pub(crate) async fn fault(sim: &Sim, fault: &Value) -> Outcome<()> {
    let url = format!("{}/fault", sim.control);
    let answer = sim.http.post(url).body(fault.to_string()).send().await?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(answer.text().await?.into())
}

/// How many orders the simulator has run.
pub(crate) async fn executed(sim: &Sim) -> Outcome<u64> {
    let answer = sim.http.get(format!("{}/executed", sim.control)).send().await?;
    let executed: Vec<Value> = serde_json::from_str(&answer.text().await?)?;
    Ok(u64::try_from(executed.len())?)
}

/// What `journal verify` says; an error where it finds one.
pub(crate) async fn verified(home: &Home) -> Outcome<String> {
    let done = home
        .command(&["journal", "verify"])?
        .stdin(Stdio::null())
        .output()
        .await?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    if done.status.success() {
        Ok(said)
    } else {
        Err(said.into())
    }
}

/// Says that the person has looked at an order whose outcome was unknown.
pub(crate) async fn acknowledge(home: &Home, ticket: &str) -> Outcome<()> {
    let done = home
        .command(&["acknowledge", ticket])?
        .stdin(Stdio::null())
        .output()
        .await?;
    if done.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&done.stderr).into())
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

pub(crate) struct Client {
    child: Child,
    stdin: tokio::sync::Mutex<ChildStdin>,
    waiting: Waiting,
    next: AtomicU64,
    reads: AtomicU64,
    failed: AtomicU64,
}

/// What the system says of the program at a moment.
pub(crate) struct Look {
    pub(crate) pss_mb: f64,
    pub(crate) handles: usize,
    pub(crate) threads: usize,
}

impl Client {
    pub(crate) async fn start(home: &Home, sim: &Sim) -> Outcome<Self> {
        let mut child = home
            .command(&["serve", "--url", &sim.url])?
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let out = child.stdout.take().ok_or("no pipe")?;
        let waiting = Waiting::default();
        let answered = Arc::clone(&waiting);
        tokio::spawn(async move {
            let mut lines = BufReader::new(out).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(message) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                let id = message.get("id").and_then(Value::as_u64);
                let mut waiting = answered.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(waits) = id.and_then(|id| waiting.remove(&id)) {
                    let _ = waits.send(message);
                }
            }
            // Whoever still waits learns it by the dropped end.
            answered.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        let client = Self {
            stdin: tokio::sync::Mutex::new(child.stdin.take().ok_or("no pipe")?),
            child,
            waiting,
            next: AtomicU64::new(1),
            reads: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        };
        let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "soak", "version": "1" } });
        client.ask("initialize", hello).await?;
        client
            .line(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await?;
        Ok(client)
    }

    async fn line(&self, message: &Value) -> Outcome<()> {
        let mut stdin = self.stdin.lock().await;
        stdin.write_all(format!("{message}\n").as_bytes()).await?;
        Ok(stdin.flush().await?)
    }

    /// A request; its answer comes within two minutes, or something was lost.
    async fn ask(&self, method: &str, params: Value) -> Outcome<Value> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (send, receive) = oneshot::channel();
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, send);
        self.line(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await?;
        let answer = tokio::time::timeout(Duration::from_secs(120), receive).await;
        let answer = answer.map_err(|_| format!("{method} got no answer in two minutes"))?;
        Ok(answer.map_err(|_| "the program ended")?)
    }

    /// An order that rests at a price of its own.
    pub(crate) async fn order(&self, number: u64) -> Outcome<Value> {
        let order = json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Limit",
            "limit_price": 5000 + number, "quantity": 1, "tif": "Day" });
        self.ask("tools/call", json!({ "name": "PlaceOrder", "arguments": order }))
            .await
    }

    /// Reads for so long, some at a time. Every one must be answered; with an error is an answer as well.
    pub(crate) async fn reads(&self, time: Duration) {
        let until = Instant::now() + time.saturating_sub(Duration::from_secs(1));
        let reader = || async {
            while Instant::now() < until {
                let quote = json!({ "name": "GetQuote", "arguments": { "instrument": "MES 12-26" } });
                let failed = match self.ask("tools/call", quote).await {
                    Ok(answer) => {
                        answer.get("error").is_some()
                            || answer.pointer("/result/isError") == Some(&Value::Bool(true))
                    }
                    Err(_) => true,
                };
                self.reads.fetch_add(1, Ordering::Relaxed);
                self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::join!(reader(), reader(), reader(), reader());
    }

    /// Memory, handles and threads now.
    pub(crate) fn look(&self) -> Look {
        let id = self.child.id().unwrap_or_default();
        let pss = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
        let kb = pss
            .lines()
            .find_map(|line| line.strip_prefix("Pss:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<u32>().ok());
        let count = |what: &str| std::fs::read_dir(format!("/proc/{id}/{what}")).map_or(0, Iterator::count);
        Look {
            pss_mb: f64::from(kb.unwrap_or_default()) / 1024.0,
            handles: count("fd"),
            threads: count("task"),
        }
    }

    /// Leaves as clients do; how many reads were answered, and how many of them with an error.
    pub(crate) async fn end(mut self) -> Outcome<(u64, u64)> {
        drop(self.stdin);
        let ended = tokio::time::timeout(Duration::from_secs(12), self.child.wait()).await;
        ended.map_err(|_| "the program did not end")??;
        Ok((self.reads.into_inner(), self.failed.into_inner()))
    }
}
