//! What passes between a client and the service without being held: bytes, sessions, faults on either side.
//!
//! The service is the simulator; the client is the test, on the program's pipes.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod batch;
mod client_garbage;
mod client_silence;
#[cfg(unix)]
mod floods;
mod handshake;
mod lanes;
mod lossless;
#[cfg(unix)]
mod pipes;
mod sessions;
mod streams;
mod upstream_faults;

use crate::support::program::{Client, Home};
use crate::support::sim::Sim;
use serde_json::{Value, json};
use std::time::Duration;

/// How long anything that is polled for may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// An installation that is signed in for reading, and its service.
struct Bench {
    home: Home,
    sim: Sim,
}

impl Bench {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(words: &[&str]) -> Self {
        let (home, sim) = (Home::new(), Sim::start(words));
        home.login(&sim, false).await;
        // What the sign-in itself asked is not counted.
        sim.post("reset", &Value::Null).await;
        Self { home, sim }
    }

    /// A client of this revision that can do everything, once the program has opened its session and listed the tools.
    async fn client(&self, version: &str) -> Client {
        let before = self.count("tools/list").await;
        let mut client = self.home.serve(&self.sim).await;
        client.hello_as(version, &everything()).await;
        self.until("the list", async || self.count("tools/list").await > before)
            .await;
        client
    }

    /// A client whose standing stream is open too.
    async fn listening(&self, version: &str) -> Client {
        let client = self.client(version).await;
        self.until("the standing stream", async || {
            self.status("open_get_streams").await == 1
        })
        .await;
        client
    }

    /// How many requests of this method, or `GET` and `DELETE`, the service has seen.
    async fn count(&self, method: &str) -> u64 {
        self.sim.get("requests").await[method].as_u64().unwrap_or(0)
    }

    async fn status(&self, what: &str) -> u64 {
        self.sim.get("status").await[what].as_u64().expect("a number")
    }

    /// Bodies as they came to the service.
    async fn bodies(&self) -> Vec<String> {
        let raw = self.sim.get("raw?n=400").await;
        let text = |entry: &Value| entry["text"].as_str().unwrap_or_default().to_owned();
        raw.as_array().expect("an array").iter().map(text).collect()
    }

    async fn fault(&self, fault: &Value) {
        self.sim.post("fault", fault).await;
    }

    async fn until(&self, what: &str, reached: impl AsyncFn() -> bool) {
        let done = tokio::time::timeout(PATIENCE, async {
            while !reached().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let in_time = done.await.is_ok();
        assert!(in_time, "{what}: not in time; {}", self.sim.get("requests").await);
    }
}

/// The capabilities of a client that can do everything a service may ask of it.
fn everything() -> Value {
    json!({ "elicitation": {}, "sampling": {}, "roots": { "listChanged": true } })
}

/// The arguments of a harmless read.
fn quote() -> Value {
    json!({ "instrument": "MES 12-26" })
}

/// The most memory that a process has ever held, in MiB.
fn peak_mib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .expect("its peak");
    line.split_ascii_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok())
        .expect("a number")
        / 1024
}
