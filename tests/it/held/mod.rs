//! What changed is held until the person has looked at it: the policy, the settings, the definitions of tools, a stop.
//! Whatever a shell does to the files meanwhile, the simulator is asked what was executed.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and measures real time"
)]

use crate::support::browser::Browser;
use crate::support::desktop::{Button, Desktop};
use crate::support::program::{Client, Home, status, text};
use crate::support::sim::Sim;
use crate::support::terminal::Terminal;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

mod broken;
mod counters;
mod policy;
mod record;
mod stops;
mod tools;

const PIN: &str = "otter lamp canyon seven drift";
const PATIENCE: Duration = Duration::from_secs(30);

/// A policy that changes nothing for the order that the tests place.
const PLAIN: &str = "version = 1\n\n[limits]\norders_per_day = 20\n";
/// The same, loosened.
const LOOSE: &str = "version = 1\n\n[limits]\norders_per_day = 1000\n";

/// A desktop whose browser writes down the address that it is given, and an installation signed in for trading.
struct Place {
    desktop: Desktop,
    home: Home,
    sim: Sim,
}

impl Place {
    /// Signed in with this policy in place: the first sign-in takes it as the person's.
    async fn with_policy(policy: Option<&str>) -> Self {
        let desktop = Desktop::start();
        let folder = desktop.folder().to_owned();
        let script = folder.join("browser.sh");
        let link = folder.join("link");
        let text = format!(
            "#!/bin/sh\nprintf %s \"$1\" > '{0}.new' && mv '{0}.new' '{0}'\necho x >> '{0}.count'\n",
            link.display()
        );
        std::fs::write(&script, text).expect("a script");
        let home = Home::on(&folder, desktop.env())
            .with("COUNTERSIGN_STORE", "file")
            .with("BROWSER", &format!("sh {}", script.display()));
        if let Some(policy) = policy {
            home.meddle("config/policy.toml", policy);
        }
        let sim = Sim::start(&[]);
        home.login(&sim, false).await;
        home.login(&sim, true).await;
        Self { desktop, home, sim }
    }

    /// The same in tier pin.
    async fn sealed(policy: Option<&str>) -> Self {
        let place = Self::with_policy(policy).await;
        place.set_pin(&format!("{PIN}\n{PIN}\n")).await;
        place
    }

    async fn set_pin(&self, typed: &str) {
        let words = ["presence", "set", "pin", "--pin-stdin", "--url", &self.sim.url];
        let (code, stdout, stderr) = self.home.run_with(&words, typed).await;
        assert_eq!(code, 0, "{stdout}{stderr}");
    }

    async fn client(&self) -> Client {
        self.home.serve(&self.sim).await.hello().await
    }

    async fn run(&self, words: &[&str]) -> (i32, String, String) {
        let all = [words, &["--url", &self.sim.url]].concat();
        self.home.run(&all).await
    }

    fn link(&self) -> PathBuf {
        self.desktop.folder().join("link")
    }

    /// How many pages the browser was asked to open so far.
    fn pages(&self) -> usize {
        let count = self.desktop.folder().join("link.count");
        std::fs::read_to_string(count).unwrap_or_default().lines().count()
    }

    /// Opens the page that the program asks the browser for, and takes the time to read it.
    async fn page(&self, browser: &mut Browser) {
        let file = self.link();
        let link = until("the page", async || std::fs::read_to_string(&file).ok()).await;
        std::fs::remove_file(&file).expect("taken");
        browser.open(&link);
        browser.until("SHA-256");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    /// The page of an order, once it can be decided on.
    async fn order_page(&self, browser: &mut Browser) {
        let file = self.link();
        let link = until("the page", async || std::fs::read_to_string(&file).ok()).await;
        std::fs::remove_file(&file).expect("taken");
        browser.open(&link);
        browser.until("Deny");
        until("a card", async || self.shown().then_some(())).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    async fn journaled(&self, kind: &str) -> Value {
        until(kind, async || {
            let entries = self.home.journal();
            entries.into_iter().rev().find(|entry| entry["kind"] == kind)
        })
        .await
    }

    /// Waits until an approved change is in force: its line in the journal comes first.
    async fn in_force(&self, kind: &str) -> Value {
        let line = self.journaled(kind).await;
        let gone = || {
            let folder = std::fs::read_dir(self.home.folder().join("state")).expect("the state");
            let mut names = folder.flatten().map(|entry| entry.file_name());
            !names.any(|name| name.to_string_lossy().starts_with("change-"))
        };
        until("the end of the question", async || gone().then_some(())).await;
        line
    }

    fn kinds(&self) -> Vec<String> {
        let entries = self.home.journal();
        let kinds = entries
            .iter()
            .map(|entry| entry["kind"].as_str().unwrap_or_default().to_owned());
        kinds.collect()
    }

    /// No order was executed, and none was asked for with the trade grant.
    async fn nothing_sent(&self) {
        assert_eq!(self.sim.executed().await, [""; 0]);
        let calls = self.sim.calls().await;
        let orders = calls.iter().filter(|call| call["tool"] == "PlaceOrder");
        assert_eq!(orders.count(), 0);
    }

    /// Approves the order that is held in tier click, with the button of its notification.
    async fn click(&self, button: Button) {
        until("a card", async || self.shown().then_some(())).await;
        self.desktop.settle();
        self.desktop.click(button);
    }

    fn shown(&self) -> bool {
        let folder = std::fs::read_dir(self.home.folder().join("state/tickets"));
        let paths = folder.into_iter().flatten().flatten().map(|entry| entry.path());
        let tickets =
            paths.filter_map(|path| serde_json::from_slice::<Value>(&std::fs::read(path).ok()?).ok());
        tickets
            .into_iter()
            .any(|ticket| ticket["state"] == "held" && ticket["shown_wall"].is_u64())
    }
}

/// Asks again until there is an answer.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn type_pin(browser: &mut Browser, pin: &str) {
    browser.click("#pin");
    browser.type_text(pin);
    browser.click("#approve");
}

fn code(result: &Value) -> &str {
    result["structuredContent"]["code"].as_str().unwrap_or_default()
}

/// One contract at the market, for play money.
fn buy() -> Value {
    json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": 1, "tif": "Day" })
}

/// A verb in a terminal of the person.
fn in_terminal(place: &Place, words: &[&str]) -> Terminal {
    let all = [words, &["--url", place.sim.url.as_str()]].concat();
    Terminal::start(&place.home, 120, &all)
}
