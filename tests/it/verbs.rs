//! What people type: what each verb prints, and how it ends.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use crate::support::desktop::{Button, Desktop};
use crate::support::program::{Client, Home, status, text};
use crate::support::sim::Sim;
use serde_json::{Value, json};
use std::time::Duration;

mod arm;
mod call;
mod diagnostics;
mod doctor;
mod doctor_desk;
mod doctor_network;
mod journal;
mod looks;
mod rules;
mod shell;
mod standing;
mod terminal;
mod waiting;

/// A strong PIN.
const PIN: &str = "otter lamp seven brick canoe";
/// Another one.
const OTHER: &str = "walnut river eight stone kite";

/// Exit code, stdout, stderr.
type Ended = (i32, String, String);

/// An installation and its service. Where there is a desktop, a person can click on it.
struct Place {
    desktop: Option<Desktop>,
    home: Home,
    sim: Sim,
}

impl Place {
    /// Without a desktop.
    fn bare() -> Self {
        Self {
            desktop: None,
            home: Home::new(),
            sim: Sim::start(&[]),
        }
    }

    /// With a desktop, signed in for trading.
    async fn with_desktop() -> Self {
        let desktop = Desktop::start();
        let home = Home::on(desktop.folder(), desktop.env()).with("COUNTERSIGN_STORE", "file");
        let place = Self {
            desktop: Some(desktop),
            home,
            sim: Sim::start(&[]),
        };
        place.sign_in().await;
        place
    }

    async fn sign_in(&self) {
        self.home.login(&self.sim, false).await;
        self.home.login(&self.sim, true).await;
    }

    async fn run(&self, words: &[&str]) -> Ended {
        self.run_with(words, "").await
    }

    async fn run_with(&self, words: &[&str], input: &str) -> Ended {
        self.home
            .run_with(&[words, &["--url", &self.sim.url]].concat(), input)
            .await
    }

    /// A verb's `--json`.
    async fn json(&self, words: &[&str]) -> Value {
        let (_, out, err) = self.run(&[words, &["--json"]].concat()).await;
        let value: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{words:?}: {out:?} {err}"));
        assert_eq!(value["schemaVersion"], 1, "{value}");
        value
    }

    fn desktop(&self) -> &Desktop {
        self.desktop.as_ref().expect("a desktop")
    }

    async fn client(&self) -> Client {
        self.home.serve(&self.sim).await.hello().await
    }

    /// Clicks once the popup can be read.
    fn click(&self, button: Button) {
        tokio::task::block_in_place(|| {
            self.desktop().settle();
            self.desktop().click(button);
        });
    }

    /// Tier pin, with [`PIN`].
    async fn seal(&self) {
        let (code, _, err) = self
            .run_with(&["presence", "set", "pin", "--pin-stdin"], &format!("{PIN}\n"))
            .await;
        assert_eq!(code, 0, "{err}");
    }
}

fn buy(quantity: u32) -> Value {
    json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": quantity, "tif": "Day" })
}

/// Asks again, at most 20 s, until there is an answer.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited for {what}")
}
