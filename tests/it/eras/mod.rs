//! Clients of 2026-07-28 in `CrossTrade`'s profile, alone and beside clients with a handshake on the same pipe. The numbers
//! in the comments are those of the protocol's requirements as the project keeps them (N, F, C, U: negotiation, framing,
//! cancellation, features).

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and measures real time"
)]

mod extensions;
mod gate;
mod listen;
mod local;
mod logs;
mod parked;
mod pipe;
mod same;
mod sdk;

use crate::support::program::{Client, Home};
use crate::support::sim::Sim;
use serde_json::{Value, json};
use std::time::Duration;

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The parameters of a request of 2026-07-28 by a client of this name that can do this.
fn by(name: &str, capabilities: &Value, mut params: Value) -> Value {
    let mut meta = params["_meta"].take();
    if meta.is_null() {
        meta = json!({});
    }
    meta["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    meta["io.modelcontextprotocol/clientInfo"] = json!({ "name": name, "version": "1" });
    meta["io.modelcontextprotocol/clientCapabilities"] = capabilities.clone();
    params["_meta"] = meta;
    params
}

/// The same by a client that can do nothing more.
fn modern(params: Value) -> Value {
    by("Modern Client", &json!({}), params)
}

/// A call of a tool.
fn call(tool: &str, arguments: &Value) -> Value {
    modern(json!({ "name": tool, "arguments": arguments }))
}

/// An installation that is signed in for reading, and its service.
struct Bench {
    home: Home,
    sim: Sim,
}

impl Bench {
    async fn new() -> Self {
        let (home, sim) = (Home::new(), Sim::start(&[]));
        home.login(&sim, false).await;
        sim.post("reset", &Value::Null).await;
        Self { home, sim }
    }

    async fn client(&self) -> Client {
        self.home.serve(&self.sim).await
    }

    async fn count(&self, method: &str) -> u64 {
        self.sim.get("requests").await[method].as_u64().unwrap_or(0)
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

    /// Waits until something listens on the session's standing stream.
    async fn standing(&self) {
        self.until("the standing stream", async || {
            self.sim.get("status").await["open_get_streams"] == 1
        })
        .await;
    }
}

/// The arguments of a harmless read.
fn quote() -> Value {
    json!({ "instrument": "MES 12-26" })
}

/// Everything that is written until the answer to a harmless modern request that is sent now.
async fn until_now(client: &mut Client) -> Vec<String> {
    let before = client.aside().len();
    client.request("tools/list", &modern(json!({}))).await;
    client.aside().get(before..).unwrap_or_default().to_vec()
}
