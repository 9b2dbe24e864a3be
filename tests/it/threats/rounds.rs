//! A client that cancels or leaves around the moment of approval, many times over: at most one execution each, and the
//! journal tells the truth about it. The moments come from a seed.

use super::page::{Tab, link, noting_browser};
use super::*;
use std::collections::BTreeMap;

/// Pseudo-random numbers that a seed repeats (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// A number from the runner's environment, for an evening of other moments.
fn asked(name: &str, usual: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// How many rounds each of the installations plays.
fn rounds(few: u64) -> u64 {
    asked("COUNTERSIGN_TEST_ROUNDS", few)
}

/// The seed of the n-th installation.
fn seed(n: u64) -> u64 {
    asked("COUNTERSIGN_TEST_SEED", 0xc0de) + n
}

/// One installation without a desktop, its service, and what was asked for.
struct Table {
    home: Home,
    sim: Sim,
    folder: tempfile::TempDir,
}

impl Table {
    async fn new(policy: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (browser, _) = noting_browser(folder.path());
        let home = Home::new().with("BROWSER", &browser);
        home.file("config/policy.toml", policy);
        let sim = Sim::start(&["--frozen"]);
        home.login(&sim, false).await;
        home.login(&sim, true).await;
        Self { home, sim, folder }
    }

    async fn client(&self) -> Client {
        self.home.serve(&self.sim).await.hello().await
    }

    /// Questions are counted by the minute, and unanswered ones pause: here each round is a day of its own.
    fn forget_counters(&self) {
        let fresh = countersign::gate::Counters::parse(None).text();
        self.home.file("state/counters.json", &fresh);
    }

    async fn ended(&self, price: f64) -> Value {
        until("the end of a round", async || {
            let all = crate::trade::tickets(&self.home);
            all.into_iter().find(|ticket| {
                let state = ticket["state"].as_str().unwrap_or_default();
                asks_for(ticket, price) && !matches!(state, "held" | "sending")
            })
        })
        .await
    }

    /// Every order was executed at most once, and exactly where its ticket and the journal say that it was.
    async fn agrees(&self, rounds: &BTreeMap<u64, f64>, seed: u64) -> usize {
        let executed = self.sim.get("executed").await;
        let mut sent = 0;
        for price in rounds.values() {
            let times = executed
                .as_array()
                .expect("an array")
                .iter()
                .filter(|entry| entry["arguments"]["limit_price"].as_f64() == Some(*price))
                .count();
            let ticket = self.ended(*price).await;
            let (id, state) = (
                ticket["id"].clone(),
                ticket["state"].as_str().expect("a state").to_owned(),
            );
            let kinds: Vec<String> = self
                .home
                .journal()
                .into_iter()
                .filter(|entry| entry["ticket"] == id)
                .map(|entry| entry["kind"].as_str().unwrap_or_default().to_owned())
                .filter(|kind| kind != "looked")
                .collect();
            let told = format!("seed {seed}, price {price}: executed {times} times, {state}, {kinds:?}");
            match state.as_str() {
                "accepted" => assert_eq!(times, 1, "{told}"),
                "unknown" => assert!(times <= 1, "{told}"),
                _ => assert_eq!(times, 0, "{told}"),
            }
            assert_eq!(kinds.last(), Some(&state), "{told}");
            // What went was approved; what was approved and did not go was given back.
            let has = |kind: &str| kinds.iter().any(|other| other == kind);
            assert!(times == 0 || has("approved"), "{told}");
            assert!(
                times > 0 || !has("approved") || has("not_run") || state == "unknown",
                "{told}"
            );
            sent += times;
        }
        let (code, stdout, stderr) = self.home.run(&["journal", "verify"]).await;
        assert_eq!(code, 0, "{stdout}{stderr}");
        sent
    }
}

fn asks_for(ticket: &Value, price: f64) -> bool {
    let arguments: Value =
        serde_json::from_str(ticket["arguments_raw"].as_str().unwrap_or_default()).unwrap_or_default();
    arguments["limit_price"].as_f64() == Some(price)
}

fn cancel(id: u64) -> String {
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })
        .to_string()
}

async fn pause(micros: u64) {
    tokio::time::sleep(Duration::from_micros(micros)).await;
}

/// The person presses Approve on the page; some ms before or after, the client cancels or closes its end.
async fn pressed(seed: u64, rounds: u64) -> usize {
    let table = Table::new("version = 1\n").await;
    let file = table.folder.path().join("link");
    let mut dice = Dice(seed);
    let mut asked = BTreeMap::new();
    let mut client = Some(table.client().await);
    for round in 0..rounds {
        table.forget_counters();
        let mut at = match client.take() {
            Some(client) => client,
            None => table.client().await,
        };
        let price = 4000.0 + 0.25 * f64::from(u32::try_from(round).expect("few"));
        asked.insert(round, price);
        let id = at.send_call("PlaceOrder", &bid(price)).await;
        let tab = Tab::open(&link(&file).await);
        let core = tab.look();
        pause(750_000).await;
        // From 10 ms before the click to 10 ms after it, or within the time that sending takes; now and then only once the
        // service has it, however slow the machine is.
        let shift = match dice.below(8) {
            0 => None,
            1 | 2 => Some(dice.below(120_000)),
            _ => Some(dice.below(20_000)),
        };
        let leaves = dice.below(3) == 0;
        let click = tokio::task::spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(10));
            tab.approve(&core)
        });
        match shift {
            Some(shift) => pause(shift).await,
            None => drop(table.ended(price).await),
        }
        if leaves {
            at.close().await;
        } else {
            at.line(&cancel(id)).await;
            client = Some(at);
        }
        click.await.expect("a click");
        table.ended(price).await;
        let _ = std::fs::remove_file(&file);
    }
    table.agrees(&asked, seed).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g15_a_client_that_cancels_or_leaves_around_the_click_gets_at_most_one_execution() {
    let runs = (0..4u64).map(|n| pressed(seed(n), rounds(12)));
    let sent: usize = futures_util::future::join_all(runs).await.into_iter().sum();
    // Both ends were met: some went, some did not.
    assert!(
        sent > 0 && sent < usize::try_from(4 * rounds(12)).expect("few"),
        "{sent} went"
    );
}

/// Nobody is asked (the rules allow it), so that many more moments can be met: the client cancels or leaves somewhere
/// between its call and the outcome.
async fn allowed(seed: u64, rounds: u64) -> usize {
    let policy = "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\n[[rule]]\nclass = \"order\"\naccount = \"Sim101\"\ndo = \"allow\"\n";
    let table = Table::new(policy).await;
    let mut dice = Dice(seed);
    let mut asked = BTreeMap::new();
    let mut client = Some(table.client().await);
    for round in 0..rounds {
        table.forget_counters();
        let mut at = match client.take() {
            Some(client) => client,
            None => table.client().await,
        };
        let price = 4000.0 + 0.25 * f64::from(u32::try_from(round).expect("few"));
        let id = at.send_call("PlaceOrder", &bid(price)).await;
        match dice.below(10) {
            0 => drop(table.ended(price).await),
            _ => pause(dice.below(90_000)).await,
        }
        if dice.below(8) == 0 {
            at.close().await;
        } else {
            at.line(&cancel(id)).await;
            at.until_now().await;
            client = Some(at);
        }
        // Taken back before it was a ticket: then there is nothing to tell.
        if crate::trade::tickets(&table.home)
            .iter()
            .any(|ticket| asks_for(ticket, price))
        {
            table.ended(price).await;
            asked.insert(round, price);
        }
    }
    drop(client);
    let executed = table.sim.executed().await.len();
    let sent = table.agrees(&asked, seed).await;
    assert_eq!(sent, executed, "seed {seed}: an execution without a ticket");
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g15_a_client_that_cancels_or_leaves_while_it_is_sent_gets_at_most_one_execution() {
    let runs = (0..2u64).map(|n| allowed(seed(n), rounds(100)));
    let sent: usize = futures_util::future::join_all(runs).await.into_iter().sum();
    assert!(
        sent > 0 && sent < usize::try_from(2 * rounds(100)).expect("few"),
        "{sent} went"
    );
}
