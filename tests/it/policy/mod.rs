//! The policy's limits against the running service: where they refuse, the simulator executed nothing.

#![expect(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and measures real time"
)]

use crate::support::desktop::{Button, Desktop};
use crate::support::program::{Client, Home, status, text};
use crate::support::sim::Sim;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

mod limits;
mod verbs;

/// An installation signed in for trading, and a simulator. Nobody can be asked: what is not refused is allowed.
struct Place {
    home: Home,
    sim: Sim,
}

const ALLOW: &str = "\n[[rule]]\nclass = \"order\"\naccount = \"Sim101\"\ndo = \"allow\"\n[[rule]]\nclass = \"exit\"\naccount = \"Sim101\"\ndo = \"allow\"\n";

impl Place {
    async fn new() -> Self {
        let (home, sim) = (Home::new(), Sim::start(&[]));
        home.login(&sim, false).await;
        home.login(&sim, true).await;
        Self { home, sim }
    }

    async fn client(&self) -> Client {
        self.home.serve(&self.sim).await.hello().await
    }

    /// Sim101 is play money that trades without asking, within these limits.
    fn limit(&self, keys: &str) {
        self.write(&format!("[account.\"Sim101\"]\nclass = \"sim\"\n{keys}{ALLOW}"));
    }

    fn write(&self, rest: &str) {
        self.home
            .file("config/policy.toml", &format!("version = 1\n{rest}"));
    }
}

fn order(kind: &Value, quantity: u32) -> Value {
    let mut order = json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "quantity": quantity, "tif": "Day" });
    if let (Some(order), Some(kind)) = (order.as_object_mut(), kind.as_object()) {
        order.extend(kind.clone());
    }
    order
}

fn market(quantity: u32) -> Value {
    order(&json!({ "type": "Market" }), quantity)
}

fn bid(price: f64, quantity: u32) -> Value {
    order(&json!({ "type": "Limit", "limit_price": price }), quantity)
}

fn code(result: &Value) -> &str {
    result["structuredContent"]["code"].as_str().unwrap_or_default()
}

/// Asks again until there is an answer.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
