//! Asking the person, with the real thing: a real notification daemon, a real mouse, a real browser.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and measures real time"
)]

use crate::support::browser::Browser;
use crate::support::desktop::{Button, Desktop};
use countersign::approve::{Answer, Ask, Channel, Desk, Notice};
use countersign::gate::Tier;
use countersign::gate::card::{Card, CardLine, FreeText, Mark};
use countersign::gate::catalogue::Class;
use countersign::system::World;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

mod door;
mod keys;
mod late;
mod looks;
mod notification;
mod page;
mod refresh;
mod resume;
mod servers;
mod terminal;
mod touch;

fn line(label: &str, value: &str, mark: Mark) -> CardLine {
    CardLine {
        label: label.to_owned(),
        value: value.to_owned(),
        mark,
    }
}

/// A card as the gate makes them.
fn card() -> Card {
    Card {
        ticket: "7QK4".to_owned(),
        badge: "LIVE".to_owned(),
        account: "PA-123456".to_owned(),
        side: "SELL".to_owned(),
        headline: "SELL 2 MES 12-26".to_owned(),
        approve: "Approve SELL 2 MES".to_owned(),
        deny: "Deny".to_owned(),
        lines: vec![
            line("tool", "PlaceOrder", Mark::Plain),
            line("contract", "MES 12-26", Mark::Plain),
            line("order", "LIMIT 6014.25  DAY", Mark::Plain),
            line("template", "none", Mark::Warn),
            line("position", "+1 -> -1 (REVERSES)", Mark::Warn),
            line("market", "last 6012.25  bid 6012  ask 6012.25", Mark::Plain),
            line("quote age", "2 s", Mark::Plain),
            line("distance", "8 ticks above the market", Mark::Plain),
            line("risk", "not bounded by a stop", Mark::Warn),
            line("day P/L", "-420.00 of -600.00", Mark::Plain),
            line("room", "180.00 until the daily loss limit", Mark::Plain),
            line("below high", "120.00", Mark::Plain),
            line("contracts", "3 of 5 left after it", Mark::Plain),
            line(
                "copies",
                "a trade copier may repeat it in other accounts",
                Mark::Plain,
            ),
        ],
        warnings: vec![
            "NO STOP ATTACHED".to_owned(),
            "THE POLICY SAYS SIM, THE PROVIDER DOES NOT".to_owned(),
        ],
        free_text: None,
        client: "Claude Desktop".to_owned(),
        phrase: Some("blue heron".to_owned()),
        class: Class::Order,
        digest_short: "7f3a19c2".to_owned(),
    }
}

fn code_card() -> Card {
    Card {
        headline: "WRITE CODE MyStrategy.cs".to_owned(),
        approve: "Approve WRITE CODE".to_owned(),
        class: Class::Code,
        free_text: Some(FreeText {
            title: "Code".to_owned(),
            text: "public class A {\n  // <script>alert(1)</script> & \\u{202E}\n}\n".to_owned(),
            sha256: "ab".repeat(32),
            bytes: 58,
        }),
        ..card()
    }
}

/// One ask that runs beside the test.
struct Asking {
    answer: JoinHandle<Answer>,
    updates: watch::Sender<Card>,
    shown: oneshot::Receiver<()>,
    stop: CancellationToken,
}

impl Asking {
    fn start(world: &World, ask: Ask) -> Self {
        let desk = Desk::new(world);
        let (updates, cards) = watch::channel(ask.card.clone());
        let (tell, shown) = oneshot::channel();
        let stop = CancellationToken::new();
        let token = stop.clone();
        let answer = tokio::spawn(async move { desk.ask(ask, cards, token, tell).await });
        Self {
            answer,
            updates,
            shown,
            stop,
        }
    }

    fn click(world: &World) -> Self {
        Self::start(world, ask(card(), 20))
    }

    async fn shown(&mut self) {
        tokio::time::timeout(Duration::from_secs(15), &mut self.shown)
            .await
            .expect("shown in time")
            .expect("shown");
    }

    async fn answer(self) -> Answer {
        tokio::time::timeout(Duration::from_secs(30), self.answer)
            .await
            .expect("an answer in time")
            .expect("no panic")
    }
}

fn ask(card: Card, seconds: u64) -> Ask {
    Ask {
        card,
        tier: Tier::Click,
        open_for: Duration::from_secs(seconds),
        verify: None,
        touch: None,
    }
}
