//! The threat table, row by row, and the twenty attacks on the gate, against the running program and the simulator.
//!
//! `docs/threats.md` names the test of each row. Tests named `g07_…` are attack 7 of that page's second table, `e10_…` row 10
//! of its first. What other modules prove already stands there and not here.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and measures real time"
)]

use crate::support::desktop::{Button, Desktop};
use crate::support::program::{Client, Home, status, text};
use crate::support::sim::Sim;
use crate::trade::{Desk, Screen, bid, buy, ticket, until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

mod flood;
mod memory;
mod page;
mod prompt;
mod reading;
mod rounds;
mod shell;
mod table;

/// A desk whose rules were there before the person signed in.
async fn ruled(policy: &str) -> Desk {
    let desktop = Desktop::start();
    let screen = Screen::watch(&desktop);
    let home = Home::on(desktop.folder(), desktop.env()).with("COUNTERSIGN_STORE", "file");
    home.file("config/policy.toml", policy);
    let sim = Sim::start(&[]);
    home.login(&sim, false).await;
    home.login(&sim, true).await;
    Desk {
        desktop,
        home,
        sim,
        screen,
    }
}

/// The arguments of an order, with this at their end: texts that no JSON value could hold.
fn order(rest: &str) -> String {
    format!(
        r#"{{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market","tif":"Day",{rest}}}"#
    )
}

/// Sends a call's `params` as they are written; its answer.
async fn raw(client: &mut Client, id: u64, params: &str) -> Value {
    let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#);
    client.line(&line).await;
    client.answer(id).await
}

/// The answer says first that nothing was sent, and is no success.
fn is_refusal(what: &str, answer: &Value) {
    let said = answer.to_string();
    assert!(
        text(&answer["result"]).starts_with("NOT SENT")
            || answer["error"]["data"]["countersign"]["sent"] == "no",
        "{what}: {said}"
    );
    assert_ne!(answer["result"]["isError"], false, "{what}: {said}");
}

/// Each of these is refused, nobody is asked, and not one of them reaches the service on either lane.
async fn all_refused(desk: &Desk, client: &mut Client, params: &[String]) {
    for (id, params) in (10_000..).zip(params) {
        is_refusal(params, &raw(client, id, params).await);
    }
    assert!(!desk.screen.asked(), "nobody is asked for what is refused");
    nothing_arrived(desk).await;
}

/// Nothing but reads and lifecycle was ever sent, on either lane.
async fn nothing_arrived(desk: &Desk) {
    assert_eq!(desk.sim.executed().await, [""; 0]);
    for call in desk.sim.calls().await {
        let tool = call["tool"].as_str().unwrap_or("ListAccounts");
        assert!(tool.starts_with("List") || tool.starts_with("Get"), "{call}");
    }
}

fn call_of(name: &str, arguments: &str) -> String {
    format!(r#"{{"name":{},"arguments":{arguments}}}"#, json!(name))
}
