//! Every brake, and that exits and protective stops get through it; doubt after a lost answer; brackets; floods.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and measures real time"
)]

use crate::support::desktop::Button;
use crate::support::program::{Client, status, text};
use crate::trade::{Desk, bid, buy, ticket, until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

mod brackets;
mod doubt;
mod each;
mod flood;
mod reissued;
mod unprotected;

const LIVE: &str = "PA-123456";

async fn long(desk: &Desk, account: &str, quantity: i32) {
    let position = json!({ "account": account, "instrument": "MES 12-26", "quantity": quantity });
    desk.sim.post("position", &position).await;
}

fn close(account: &str) -> Value {
    json!({ "account": account, "instrument": "MES 12-26" })
}

/// A stop far below the market, for two contracts.
fn stop(account: &str) -> Value {
    json!({
        "account": account, "instrument": "MES 12-26", "side": "Sell", "type": "Stop", "stop_price": 5000.0, "quantity": 2,
        "tif": "Gtc"
    })
}

fn code(result: &Value) -> &str {
    result["structuredContent"]["code"].as_str().unwrap_or_default()
}

/// Waits until the card of a held ticket of this class is on the screen and can be decided on.
async fn card_of(desk: &Desk, class: &str) {
    until(class, async || {
        let on_screen = |ticket: &Value| is_on_screen(ticket, class);
        desk.tickets().iter().any(on_screen).then_some(())
    })
    .await;
    desk.desktop.settle();
}

fn is_on_screen(ticket: &Value, class: &str) -> bool {
    ticket["state"] == "held" && ticket["card"]["class"] == class && ticket["shown_wall"].is_u64()
}

/// Presses a button of the card of this class. A notice that comes or goes at this very moment moves the card away from
/// under the mouse; then it is pressed again, as a person would, and only while that card still stands.
async fn decide(desk: &Desk, class: &str, button: Button) {
    card_of(desk, class).await;
    until("a press that hits", async || {
        let held = || desk.tickets().iter().any(|ticket| is_on_screen(ticket, class));
        if held() {
            desk.desktop.click(button);
        }
        let end = Instant::now() + Duration::from_secs(3);
        while held() && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        (!held()).then_some(())
    })
    .await;
}

/// Whatever brake is on: a protective stop and an exit are asked about, approved by one click each, and executed once each.
async fn exits_get_through(desk: &Desk, client: &mut Client, account: &str) {
    let before = desk.sim.executed().await;
    long(desk, account, 2).await;
    for (tool, arguments, class) in [
        ("PlaceOrder", stop(account), "protect"),
        ("ClosePosition", close(account), "exit"),
    ] {
        let id = client.send_call(tool, &arguments).await;
        decide(desk, class, Button::Middle).await;
        let told = client.result(id).await;
        assert_eq!(status(&told), "accepted", "{tool}: {}", text(&told));
    }
    let executed = [
        &before[..],
        &["PlaceOrder".to_owned(), "ClosePosition".to_owned()],
    ]
    .concat();
    assert_eq!(desk.sim.executed().await, executed);
    assert!(!desk.screen.text().contains("POSITION UNPROTECTED"));
}

/// Asks for an entry and takes it back before anyone decides: it was asked all the same.
async fn ask_and_withdraw(desk: &Desk, client: &mut Client, price: f64) {
    let known = desk.tickets().len();
    let id = client.send_call("PlaceOrder", &bid(price)).await;
    let ticket = until("its ticket", async || {
        let tickets = desk.tickets();
        let held = tickets.iter().find(|ticket| ticket["state"] == "held");
        held.filter(|_| tickets.len() > known)
            .and_then(|ticket| ticket["id"].as_str().map(str::to_owned))
    })
    .await;
    client
        .call("countersign_withdraw", &json!({ "ticket": ticket }))
        .await;
    assert_eq!(status(&client.result(id).await), "withdrawn");
}
