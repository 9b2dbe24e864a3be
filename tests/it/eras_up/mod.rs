//! The service may speak either era and change it any day: reads go on, and a held order is sent once or not at all.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod clients;
mod faults;
mod moves;
mod reads;
mod trade;
mod verbs;

use crate::support::program::{Client, Home};
use crate::support::sim::Sim;
use serde_json::{Value, json};
use std::time::Duration;

const MODERN: &str = "2026-07-28";
/// How long anything that is polled for may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// An installation that is signed in for reading, and its service.
struct Bench {
    home: Home,
    sim: Sim,
}

impl Bench {
    /// Nothing is known of the service yet but its sign-in.
    async fn with(words: &[&str]) -> Self {
        let (home, sim) = (Home::new(), Sim::start(words));
        home.login(&sim, false).await;
        sim.post("reset", &Value::Null).await;
        Self { home, sim }
    }

    async fn modern() -> Self {
        Self::with(&["--era", "modern"]).await
    }

    /// A client of the older era that can do everything, once the program has listed the tools.
    async fn client(&self) -> Client {
        self.client_that(&json!({ "elicitation": {}, "sampling": {}, "roots": {} }))
            .await
    }

    async fn client_that(&self, can: &Value) -> Client {
        let before = self.count("tools/list").await;
        let mut client = self.home.serve(&self.sim).await;
        client.hello_as("2025-11-25", can).await;
        self.until("the list", async || self.count("tools/list").await > before)
            .await;
        client
    }

    /// How many requests of this method the service has seen.
    async fn count(&self, method: &str) -> u64 {
        count(&self.sim, method).await
    }

    async fn status(&self, what: &str) -> u64 {
        self.sim.get("status").await[what].as_u64().expect("a number")
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

async fn count(sim: &Sim, method: &str) -> u64 {
    sim.get("requests").await[method].as_u64().unwrap_or(0)
}

/// How many handshakes the service was offered by somebody signed in. The sign-in itself asks for its challenge with one.
async fn handshakes(sim: &Sim) -> usize {
    let offered = |call: &&Value| call["method"] == "initialize" && call["grant"].is_string();
    sim.calls().await.iter().filter(offered).count()
}

/// From now on the service speaks these revisions.
async fn moves_to(sim: &Sim, era: &str) {
    sim.post("era", &json!({ "era": era })).await;
}

/// The arguments of a harmless read.
fn quote() -> Value {
    json!({ "instrument": "MES 12-26" })
}
