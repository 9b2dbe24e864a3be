//! The plain profile: any other MCP server, in both eras, behind the running program.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bridge;
mod everything;
mod moves;
mod one_pipe;
mod rounds;
mod start;
mod twice;
mod two_addresses;

use crate::support::program::{Client, Home};
use crate::support::sim::Sim;
use crate::support::verb::Opened;
use serde_json::{Value, json};
use std::time::Duration;

/// The simulator as some MCP server that asks for a sign-in, and a person who consents in the browser.
struct Bench {
    home: Home,
    sim: Sim,
}

impl Bench {
    fn new(words: &[&str]) -> Self {
        let home = Home::new();
        let opened = Opened::in_folder(&home.folder().join("person"));
        let script = opened.script.display().to_string();
        let sim = Sim::start(words);
        let http = sim.http().clone();
        // The browser: opens what it is given, one after the other.
        tokio::spawn(async move {
            let mut seen = 0;
            loop {
                for address in opened.all().into_iter().skip(seen) {
                    seen += 1;
                    let _ = http.get(address).send().await;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self {
            home: home.with("BROWSER", &script),
            sim,
        }
    }

    fn client(&self) -> Client {
        plain(&self.home, &self.sim.url, &["--scope", "mcp:read"])
    }
}

/// Starts the plain relay to this address.
fn plain(home: &Home, url: &str, words: &[&str]) -> Client {
    Home::start(home.command(&[&["serve", "--profile", "plain", "--url", url], words].concat()))
}

/// The parameters of a request of 2026-07-28.
fn modern(params: Value) -> Value {
    able(&json!({}), params)
}

/// The same by a client that can do this.
fn able(capabilities: &Value, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "Test Client", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    params
}

fn names(answer: &Value) -> Vec<String> {
    let tools = answer["result"]["tools"].as_array();
    let tools = tools.unwrap_or_else(|| panic!("no tools: {answer}"));
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap_or_default().to_owned())
        .collect()
}
