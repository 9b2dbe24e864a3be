//! The official TypeScript SDK 2.x in its newer mode, through the running program.

use super::*;
use crate::support::desktop::Button;
use crate::support::program::{status, text};
use crate::support::tools;
use crate::trade::{Desk, buy};
use std::path::Path;
use std::process::Stdio;

/// One conversation: discovers, lists, reads, proposes an order that the person approves with the mouse.
async fn converse(desk: &Desk, mode: &str) -> Value {
    let program = Path::new(env!("CARGO_BIN_EXE_countersign"));
    let client = tools::typescript_modern_client(program);
    let mut command = desk.home.shell(&client.get_program().to_string_lossy());
    command.args(client.get_args());
    for (name, value) in client.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.args(["serve", "--url", &desk.sim.url]);
    let read = json!({ "name": "ListAccounts", "arguments": {} });
    let trade = json!({ "name": "PlaceOrder", "arguments": buy() });
    command
        .env("CLIENT_READ", read.to_string())
        .env("CLIENT_TRADE", trade.to_string())
        .env("CLIENT_MODE", mode);
    let mut command = tokio::process::Command::from(command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let talk = tokio::spawn(command.spawn().expect("the client starts").wait_with_output());
    desk.card().await;
    desk.desktop.click(Button::Middle);
    let output = talk.await.expect("no panic").expect("its output");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{err}");
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}\n{err}"))
}

async fn a_conversation(mode: &str) {
    let desk = Desk::new().await;
    let seen = converse(&desk, mode).await;
    assert_eq!(
        (&seen["version"], &seen["era"]),
        (&json!("2026-07-28"), &json!("modern")),
        "{seen}"
    );
    assert_eq!(seen["complaints"], json!([]), "{seen}");
    assert_eq!(seen["server"]["name"], "countersign", "{seen}");
    assert_eq!(seen["capabilities"]["tools"]["listChanged"], true, "{seen}");
    assert_ne!(seen["read"]["isError"], true, "{seen}");
    assert_eq!(status(&seen["final"]), "accepted", "{}", text(&seen["final"]));
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    assert_eq!(desk.tickets()[0]["client"], "countersign-test-ts2");
}

#[tokio::test]
async fn the_sdk_with_the_revision_pinned() {
    a_conversation("pin").await;
}

#[tokio::test]
async fn the_sdk_that_asks_first_stays_in_the_newer_era() {
    a_conversation("auto").await;
}
