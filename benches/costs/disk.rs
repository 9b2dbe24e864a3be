//! What is on the disk before an order leaves: the journal's line and the ticket's file, both synced. The same in
//! memory (`/dev/shm`, where syncing costs nothing) shows what of it is ours and what is the disk's.

use countersign::gate::call::{Route, route};
use countersign::gate::judge::{Situation, judge};
use countersign::gate::ticket::{Origin, Ticket};
use countersign::gate::{Counters, Facts, Policy, Tier};
use countersign::journal::{Journal, verify};
use countersign::relay::tickets::Tickets;
use countersign::system::Paths;
use divan::Bencher;
use serde_json::{Map, Value};
use std::path::Path;

/// Where: on the disk of the build's folder, or in memory.
const PLACES: [&str; 2] = ["disk", "memory"];

fn folder(place: &str) -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if place == "memory" && memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR"))
    }
}

fn line() -> Map<String, Value> {
    let text = |text: &str| Value::from(text);
    Map::from_iter([
        ("ticket".to_owned(), text("7QX3")),
        ("tool".to_owned(), text("PlaceOrder")),
        ("digest".to_owned(), text(&"a".repeat(64))),
        ("via".to_owned(), text("notification")),
        ("tier".to_owned(), text("click")),
    ])
}

#[divan::bench(args = PLACES, sample_count = 200)]
fn append_to_the_journal(bencher: Bencher<'_, '_>, place: &str) {
    let Ok(folder) = folder(place) else { return };
    let journal = Journal::of(&Paths::under(folder.path()));
    // A journal that is no new one: its tail is what an append reads.
    for _ in 0..200 {
        assert!(journal.append("held", line()).is_ok());
    }
    bencher.bench_local(|| journal.append("approved", line()).is_ok());
}

#[divan::bench(args = PLACES, sample_count = 200)]
fn save_a_ticket(bencher: Bencher<'_, '_>, place: &str) {
    let arguments =
        r#"{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market","quantity":1}"#;
    let (Ok(folder), Ok(Route::Held(call))) = (
        folder(place),
        route("\"PlaceOrder\"", Some(arguments), None, &|_| false),
    ) else {
        return;
    };
    let (policy, counters) = (Policy::default(), Counters::parse(None));
    let situation = Situation {
        now_wall: 1_795_366_800_000,
        installation_tier: Tier::Click,
        counters: &counters,
        open_entry_tickets: 0,
        unknown_outcomes: &[],
        unacknowledged: false,
        on_their_way: &[],
        lately: &[],
    };
    let judgement = judge(&call, &Facts::default(), &policy, &situation);
    let origin = Origin {
        endpoint: "https://service.invalid/mcp".to_owned(),
        client: "a client".to_owned(),
        schema_digest: None,
        policy_digest: policy.digest().to_owned(),
    };
    let tickets = Tickets::of(&Paths::under(folder.path()));
    let ticket = Ticket::hold("7QX3".to_owned(), &call, &judgement, origin, 1_795_366_800_000);
    assert!(tickets.save(&ticket).is_ok());
    bencher.bench_local(|| tickets.save(&ticket).is_ok());
}

#[divan::bench(sample_count = 20)]
fn verify_a_journal_of_10_000_lines(bencher: Bencher<'_, '_>) {
    let Ok(folder) = folder("memory") else { return };
    let paths = Paths::under(folder.path());
    let journal = Journal::of(&paths);
    for _ in 0..10_000 {
        assert!(journal.append("held", line()).is_ok());
    }
    let text = std::fs::read(paths.journal()).unwrap_or_default();
    bencher.bench_local(|| assert!(verify(&text[..]).is_ok_and(|verdict| verdict.faults.is_empty())));
}
