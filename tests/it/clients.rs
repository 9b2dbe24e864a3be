//! Clients that we did not write: the official SDKs and the MCP inspector, through the running binary.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use crate::support::desktop::{Button, Desktop};
use crate::support::program::{Home, text};
use crate::support::sim::Sim;
use crate::support::tools;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// A desktop with a person, and an installation that may trade.
struct Desk {
    desktop: Desktop,
    home: Home,
    sim: Sim,
}

impl Desk {
    async fn new() -> Self {
        let desktop = Desktop::start();
        let home = Home::on(desktop.folder(), desktop.env()).with("COUNTERSIGN_STORE", "file");
        let sim = Sim::start(&[]);
        home.login(&sim, false).await;
        home.login(&sim, true).await;
        Self { desktop, home, sim }
    }

    /// The client in this installation's environment; it starts the program itself.
    fn command(&self, client: std::process::Command) -> Command {
        let mut command = within(&self.home, client);
        command.args(["serve", "--url", &self.sim.url]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// One conversation: lists, reads, proposes an order that the person approves with the mouse.
    async fn converse(&self, client: std::process::Command) -> Value {
        let mut command = self.command(client);
        let read = json!({ "name": "ListAccounts", "arguments": {} });
        let order = json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": 1, "tif": "Day" });
        let trade = json!({ "name": "PlaceOrder", "arguments": order });
        command.env("CLIENT_READ", read.to_string()).env("CLIENT_TRADE", trade.to_string());
        let child = command.spawn().expect("the client starts");
        let talk = tokio::spawn(child.wait_with_output());
        tokio::task::block_in_place(|| {
            self.desktop.settle();
            self.desktop.click(Button::Middle);
        });
        let output = talk.await.expect("no panic").expect("its output");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{err}");
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}\n{err}"))
    }

    /// What both SDKs must have seen.
    async fn check(&self, seen: &Value) {
        assert_eq!(seen["complaints"], json!([]), "{seen}");
        assert_eq!(seen["server"]["name"], "countersign");
        let names: Vec<&str> = seen["tools"].as_array().expect("tools").iter().filter_map(|tool| tool["name"].as_str()).collect();
        for name in ["ListAccounts", "PlaceOrder", "countersign_await_approval"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(text(&seen["read"]).contains("Sim101"), "{}", seen["read"]);
        assert_eq!(seen["final"]["structuredContent"]["status"], "accepted", "{}", seen["final"]);
        assert_eq!(self.sim.executed().await, ["PlaceOrder"]);
    }
}

/// A client with nothing but an installation's environment and its own variables.
fn within(home: &Home, client: std::process::Command) -> Command {
    let own: Vec<_> = client.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    let mut command = Command::from(client);
    command.env_clear();
    let program = home.command(&[]);
    let theirs = program.as_std().get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)));
    command.envs(theirs.chain(own).filter_map(|(name, value)| Some((name, value?))));
    command
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_countersign"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_typescript_sdk_reads_and_trades_once() {
    let desk = Desk::new().await;
    let seen = desk.converse(tools::typescript_client(program())).await;
    desk.check(&seen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_sdk_reads_and_trades_once() {
    let desk = Desk::new().await;
    let seen = desk.converse(tools::python_client(program())).await;
    desk.check(&seen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_hold_is_short_waits_for_the_ticket() {
    let desk = Desk::new().await;
    desk.home.settings("requests_per_second = 0.0\nhold_seconds = 5\n");
    let mut command = desk.command(tools::typescript_client(program()));
    let order = json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Limit", "limit_price": 5000.0, "quantity": 1, "tif": "Day" });
    command.env("CLIENT_TRADE", json!({ "name": "PlaceOrder", "arguments": order }).to_string());
    let talk = tokio::spawn(command.spawn().expect("the client starts").wait_with_output());
    // Past the hold: the client has its "waiting" answer and calls the waiting tool.
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    tokio::task::block_in_place(|| {
        desk.desktop.settle();
        desk.desktop.click(Button::Middle);
    });
    let output = talk.await.expect("no panic").expect("its output");
    let seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(seen["trade"]["structuredContent"]["status"], "not_sent_waiting_for_person", "{seen}");
    assert!(text(&seen["trade"]).starts_with("NOT SENT"), "{seen}");
    assert_eq!(seen["final"]["structuredContent"]["status"], "accepted", "{seen}");
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"]);
}

#[tokio::test]
async fn the_inspector_lists_and_reads() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    home.login(&sim, false).await;
    for (method, expected) in [(&["list"][..], "ListAccounts"), (&["call", "ListAccounts", "{}"], "Sim101")] {
        let mut command = within(&home, tools::inspector(method, program()));
        let output = command.args(["serve", "--url", &sim.url]).stdin(Stdio::null()).output().await.expect("the inspector");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(expected), "{said}");
    }
}
