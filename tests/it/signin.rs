//! Signing in, staying signed in, and signing out, against the running simulator.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use crate::support::program::Home;
use crate::support::sim::Sim;
use crate::support::tools;
use crate::support::verb::Opened;
use serde_json::Value;
use std::path::PathBuf;

mod background;
mod browser;
mod keychain;
mod login;
mod tokens;

/// An installation whose `$BROWSER` writes down what it is asked to open.
fn counted() -> (Home, Opened) {
    let home = Home::new();
    let opened = Opened::in_folder(&home.folder().join("person"));
    let script = opened.script.display().to_string();
    (home.with("BROWSER", &script), opened)
}

/// A person at a real Chromium, as `tests/browser/README.md` has them.
fn with_chromium(home: Home, name: &str) -> (Home, PathBuf) {
    let log = home.folder().join(format!("{name}.browser.log"));
    let home = home
        .with("BROWSER", &tools::browser().display().to_string())
        .with("COUNTERSIGN_TEST_BROWSER_LOG", &log.display().to_string())
        .with("COUNTERSIGN_TEST_HESITATION_MS", "200")
        .with("COUNTERSIGN_TEST_ARTEFACTS", &crate::support::desktop::artefacts().display().to_string())
        .with("COUNTERSIGN_TEST_SHOT", &format!("signin-{name}"));
    (home, log)
}

/// What the person's browser wrote down: the events, oldest first.
fn seen(log: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits until the browser has left; its last event.
async fn left(log: &PathBuf) -> Value {
    for _ in 0..600 {
        let last = seen(log).pop().unwrap_or(Value::Null);
        if matches!(last["event"].as_str(), Some("done" | "failed")) {
            return last;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the browser is still there: {:?}", seen(log));
}

/// The simulator's grants as (scope, user, revoked).
async fn grants(sim: &Sim) -> Vec<(String, String, bool)> {
    let tokens = sim.get("tokens").await;
    let text = |grant: &Value, key: &str| grant[key].as_str().unwrap_or_default().to_owned();
    let all = tokens["grants"].as_array().expect("an array").clone();
    all.iter().map(|grant| (text(grant, "scope"), text(grant, "user"), grant["revoked"] == true)).collect()
}

fn grant(scope: &str, user: &str, revoked: bool) -> (String, String, bool) {
    (scope.to_owned(), user.to_owned(), revoked)
}

/// How often a request was made.
async fn count(sim: &Sim, request: &str) -> u64 {
    sim.get("requests").await[request].as_u64().unwrap_or(0)
}
