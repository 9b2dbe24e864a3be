//! Held calls from the client's call to the service: what was executed is what the simulator says.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and measures real time"
)]

use crate::support::desktop::{Button, Desktop};
use crate::support::program::{Client, Home, status, text};
use crate::support::sim::Sim;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

mod exits;
mod ids;
mod never;
mod once;
mod page;
mod patience;
mod pin;
mod pins;
pub(crate) mod terminal;

use terminal::Terminal;

/// How long anything that we wait for may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A desktop with a person, an installation signed in for trading, and a simulator.
pub(crate) struct Desk {
    pub(crate) desktop: Desktop,
    pub(crate) home: Home,
    pub(crate) sim: Sim,
    pub(crate) screen: Screen,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With more words for the simulator.
    pub(crate) async fn with(words: &[&str]) -> Self {
        Self::on(Desktop::start(), words).await
    }

    pub(crate) async fn on(desktop: Desktop, words: &[&str]) -> Self {
        let screen = Screen::watch(&desktop);
        let home = Home::on(desktop.folder(), desktop.env()).with("COUNTERSIGN_STORE", "file");
        let sim = Sim::start(words);
        home.login(&sim, false).await;
        home.login(&sim, true).await;
        Self {
            desktop,
            home,
            sim,
            screen,
        }
    }

    pub(crate) async fn client(&self) -> Client {
        self.home.serve(&self.sim).await.hello().await
    }

    /// Calls a tool, and returns once its card can be read and decided on.
    pub(crate) async fn hold(&self, client: &mut Client, tool: &str, arguments: &Value) -> u64 {
        let id = client.send_call(tool, arguments).await;
        self.card().await;
        id
    }

    /// Waits until a card can be read and decided on.
    pub(crate) async fn card(&self) {
        let shown = |ticket: &Value| ticket["state"] == "held" && ticket["shown_wall"].is_u64();
        until("a ticket on the screen", async || {
            self.tickets().iter().any(shown).then_some(())
        })
        .await;
        self.desktop.settle();
    }

    /// The ticket files.
    pub(crate) fn tickets(&self) -> Vec<Value> {
        tickets(&self.home)
    }

    /// Waits for a journal line of this kind.
    pub(crate) async fn journaled(&self, kind: &str) -> Value {
        journaled(&self.home, kind).await
    }

    /// How often this tool was asked for with the trade grant, executed or not.
    pub(crate) async fn sent(&self, tool: &str) -> usize {
        let calls = self.sim.calls().await;
        calls
            .iter()
            .filter(|call| call["tool"] == tool && call["grant"] == "mcp:trade")
            .count()
    }

    /// What the simulator executed, what the journal says of tickets in this order, and that the journal holds.
    pub(crate) async fn check(&self, executed: &[&str], kinds: &[&str]) {
        check(&self.home, &self.sim, executed, kinds).await;
    }
}

pub(crate) async fn check(home: &Home, sim: &Sim, executed: &[&str], kinds: &[&str]) {
    assert_eq!(sim.executed().await, executed);
    let told: Vec<String> = home
        .journal()
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(told, kinds, "{:#?}", home.journal());
    let (code, stdout, stderr) = home.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
}

pub(crate) fn tickets(home: &Home) -> Vec<Value> {
    let folder = std::fs::read_dir(home.folder().join("state/tickets"));
    let paths = folder.into_iter().flatten().flatten().map(|entry| entry.path());
    let whole = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
    whole
        .filter_map(|path| serde_json::from_slice(&std::fs::read(path).ok()?).ok())
        .collect()
}

pub(crate) async fn journaled(home: &Home, kind: &str) -> Value {
    let find = async || {
        home.journal()
            .into_iter()
            .rev()
            .find(|entry| entry["kind"] == kind)
    };
    until(kind, find).await
}

/// Asks again until there is an answer.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Everything that was ever shown on a desktop, as the session bus carried it.
pub(crate) struct Screen {
    monitor: Child,
    file: std::path::PathBuf,
}

impl Screen {
    pub(crate) fn watch(desktop: &Desktop) -> Self {
        let file = desktop.folder().join("shown");
        let out = std::fs::File::create(&file).expect("a file");
        let rule = "type='method_call',interface='org.freedesktop.Notifications',member='Notify'";
        let mut command = Command::new("dbus-monitor");
        command.args(["--session", rule]).env_clear().envs(desktop.env());
        let monitor = command
            .stdin(Stdio::null())
            .stdout(out)
            .spawn()
            .expect("dbus-monitor: apt-get install dbus");
        Self { monitor, file }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.file).unwrap_or_default()).into_owned()
    }

    /// Waits until this was shown.
    pub(crate) async fn until(&self, what: &str) {
        until(what, async || self.text().contains(what).then_some(())).await;
    }

    /// Whether anybody was ever asked.
    pub(crate) fn asked(&self) -> bool {
        self.text().contains("Approve")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

/// One contract at the market, for play money.
pub(crate) fn buy() -> Value {
    json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": 1, "tif": "Day" })
}

/// One contract far below the market: it rests.
pub(crate) fn bid(price: f64) -> Value {
    json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Limit", "limit_price": price, "quantity": 1, "tif": "Day" })
}

pub(crate) fn ticket(result: &Value) -> String {
    result["structuredContent"]["ticket"]
        .as_str()
        .expect("a ticket")
        .to_owned()
}
