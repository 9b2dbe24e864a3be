//! What crashes, damaged files, clocks, full disks and races do: an order is executed at most once, and what is told of it
//! afterwards agrees with what the service knows.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and measures real time"
)]

use crate::support::program::{Home, status, text};
use crate::support::sim::Sim;
use crate::trade::{tickets, until};
use serde_json::{Value, json};
use std::path::Path;

mod clock;
mod edges;
mod files;
mod full;
mod leaving;
mod races;
mod tracer;

/// A simulator and an installation that is signed in for trading, to take copies of.
pub(crate) struct Yard {
    pub(crate) sim: Sim,
    base: Home,
}

impl Yard {
    pub(crate) async fn new() -> Self {
        let (sim, base) = (Sim::start(&[]), Home::new());
        base.login(&sim, false).await;
        base.login(&sim, true).await;
        play_money(&base);
        // What a first conversation writes down of the service is there, so that an order's own files are the only ones.
        let mut first = base.serve(&sim).await.hello().await;
        first
            .call("GetQuote", &json!({ "instrument": "MES 12-26" }))
            .await;
        first.close().await;
        Self { sim, base }
    }

    /// An installation as it was after a first read.
    pub(crate) fn home(&self) -> Home {
        let home = Home::new();
        copy(self.base.folder(), home.folder());
        home
    }

    /// How often an order at this price was executed.
    pub(crate) async fn executed(&self, price: f64) -> usize {
        self.count("executed", price).await
    }

    /// How often one was asked for with the trade grant, executed or not.
    pub(crate) async fn received(&self, price: f64) -> usize {
        let raw = self.sim.get("raw?n=100000").await;
        let wanted = format!("\"limit_price\":{price:?},");
        let bodies = raw.as_array().expect("bodies").iter();
        bodies
            .filter(|body| body["text"].as_str().is_some_and(|text| text.contains(&wanted)))
            .count()
    }

    async fn count(&self, what: &str, price: f64) -> usize {
        let list = self.sim.get(what).await;
        let entries = list.as_array().expect("an array").iter();
        entries
            .filter(|entry| {
                entry["tool"] == "PlaceOrder" && entry["arguments"]["limit_price"] == json!(price)
            })
            .count()
    }
}

/// Orders for play money pass without a card: the machine behind an approval is the same, and no hand is needed for it.
pub(crate) fn play_money(home: &Home) {
    let rule = "[[rule]]\nclass = \"order\"\naccount = \"Sim101\"\ndo = \"allow\"\n";
    home.file(
        "config/policy.toml",
        &format!("version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\n{rule}"),
    );
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("a copy");
        }
    }
}

/// The kinds of the journal's lines.
pub(crate) fn kinds(home: &Home) -> Vec<String> {
    let kind = |entry: &Value| entry["kind"].as_str().unwrap_or_default().to_owned();
    home.journal().iter().map(kind).collect()
}

/// Whether `journal verify` finds the journal in order.
pub(crate) async fn verified(home: &Home) {
    let (code, stdout, stderr) = home.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
}

/// Whether programs may be traced here, which `strace` needs to kill or trouble them at one system call. Where they may not
/// (a container without that right), it is said loudly that nothing was tried. That `strace` is missing is a failure.
pub(crate) fn may_trace(what: &str) -> bool {
    let tried = std::process::Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "true"])
        .output()
        .expect("`strace` is not installed: apt-get install strace");
    if tried.status.success() {
        return true;
    }
    let why = String::from_utf8_lossy(&tried.stderr);
    let why = why.lines().next().unwrap_or("strace fails");
    skipped(
        what,
        &format!("{why} (allow ptrace, as `docker run --cap-add SYS_PTRACE` does)"),
    );
    false
}

/// Says loudly that something could not be tried: in the test's output and in the folder of artefacts. It did not pass.
pub(crate) fn skipped(what: &str, why: &str) {
    use std::io::Write as _;
    let said = format!("SKIPPED, NOT PASSED: {what}: {why}");
    let _ = writeln!(std::io::stderr().lock(), "{said}");
    let folder = crate::support::desktop::artefacts();
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join(format!("skipped-{}", std::process::id())));
    let _ = file.and_then(|mut file| writeln!(file, "{said}"));
}
