//! Held calls from the client's call to the service: what was executed is what the simulator says.

use crate::support::desktop::{Button, Desktop};
use crate::support::program::{Client, Home, status, text};
use crate::support::sim::Sim;
use serde_json::{Value, json};
use std::time::Duration;

/// A desktop with a person, an installation signed in for trading, and a simulator.
struct Desk {
    desktop: Desktop,
    home: Home,
    sim: Sim,
}

impl Desk {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(words: &[&str]) -> Self {
        let desktop = Desktop::start();
        let home = Home::on(desktop.folder(), desktop.env()).with("COUNTERSIGN_STORE", "file");
        let sim = Sim::start(words);
        home.login(&sim, false).await;
        home.login(&sim, true).await;
        Self { desktop, home, sim }
    }

    async fn client(&self) -> Client {
        self.home.serve(&self.sim).await.hello().await
    }
}

fn buy() -> Value {
    json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": 1, "tif": "Day" })
}

#[tokio::test]
async fn an_approved_order_is_executed_once() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    desk.desktop.settle();
    desk.desktop.screenshot("trade-approve");
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.close().await;
    let kinds: Vec<String> = desk.home.journal().iter().map(|entry| entry["kind"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(kinds, ["held", "approved", "accepted"]);
}

#[tokio::test]
async fn a_denied_order_never_arrives() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    desk.desktop.settle();
    desk.desktop.click(Button::Left);
    let result = client.result(id).await;
    assert_eq!(status(&result), "denied", "{}", text(&result));
    assert_eq!(desk.sim.executed().await, [""; 0]);
}
