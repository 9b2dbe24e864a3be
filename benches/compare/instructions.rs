//! How many instructions a call costs the program (callgrind): a number that a busy machine does not move.
//!
//! Owns: the runs under valgrind, and the file that a later run is compared with.
//! Refuses to know: which program it is, and where the instructions go (`callgrind_annotate` tells that).
//!
//! A run of few calls is taken off a run of many, so that the start is not counted. What is counted is the program alone,
//! without the kernel.

use super::Outcome;
use super::bridge::{Bridge, Peer, Place};
use super::measure::{big, echo};
use super::server::{Server, Transport};
use serde_json::{Map, Value, json};
use std::path::Path;

/// What is counted: a name, over what, as one event or as JSON, how many bytes a result has (an echo where none), and how many
/// calls the longer run has more than the shorter one.
const RUNS: [(&str, Transport, bool, Option<usize>, u64); 6] = [
    ("an echo, HTTP/1.1, JSON", Transport::Http1, false, None, 400),
    ("an echo, HTTP/1.1, SSE", Transport::Http1, true, None, 400),
    (
        "an echo, HTTP/1.1 over TLS 1.3, JSON",
        Transport::Tls,
        false,
        None,
        400,
    ),
    (
        "an echo, HTTP/2 over TLS 1.3, JSON",
        Transport::H2,
        false,
        None,
        400,
    ),
    (
        "a result of 1 MB, HTTP/1.1, JSON",
        Transport::Http1,
        false,
        Some(1 << 20),
        20,
    ),
    (
        "a result of 1 MB, HTTP/1.1, SSE",
        Transport::Http1,
        true,
        Some(1 << 20),
        20,
    ),
];

/// More than this, and a change shows.
const ALLOWED: f64 = 0.05;

/// Counts, prints, and compares with `kept`; writes it anew where `keep`. Whether nothing grew by more than 5 %.
pub(crate) fn all(peer: &Peer, kept: &Path, keep: bool) -> Outcome<bool> {
    let before: Value = std::fs::read_to_string(kept)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let mut now = Map::new();
    let mut fine = true;
    println!("| | instructions a call | before | |\n|---|---|---|---|");
    for (name, transport, events, bytes, more) in RUNS {
        let few = count(peer, transport, events, bytes, 20)?;
        let many = count(peer, transport, events, bytes, 20 + more)?;
        let each = many.saturating_sub(few) / more;
        if name == RUNS[0].0 {
            fine &= line("the start, and 20 calls", few, &before);
            now.insert("the start, and 20 calls".to_owned(), json!(few));
        }
        fine &= line(name, each, &before);
        now.insert(name.to_owned(), json!(each));
    }
    if keep {
        std::fs::write(kept, serde_json::to_string_pretty(&now)? + "\n")?;
    }
    Ok(fine)
}

/// Prints a line of the table; whether it stayed within what is allowed.
fn line(name: &str, now: u64, before: &Value) -> bool {
    let Some(before) = before.get(name).and_then(Value::as_u64).filter(|n| *n > 0) else {
        println!("| {name} | {now} | – | |");
        return true;
    };
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 instructions")]
    let change = now as f64 / before as f64 - 1.0;
    let word = if change > ALLOWED { " **more**" } else { "" };
    println!("| {name} | {now} | {before} | {:+.1} %{word} |", change * 100.0);
    change <= ALLOWED
}

fn count(peer: &Peer, transport: Transport, events: bool, bytes: Option<usize>, calls: u64) -> Outcome<u64> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(transport, events, folder.path())?;
    let counted = folder.path().join("callgrind.out");
    let watched = peer.under(&[
        "valgrind",
        "--quiet",
        "--tool=callgrind",
        &format!("--callgrind-out-file={}", counted.display()),
    ]);
    let place = Place {
        url: &server.url,
        folder: folder.path(),
        lab: "",
    };
    let mut bridge = Bridge::start(&watched, &place)?;
    for id in 1..=calls {
        bridge.send(&bytes.map_or_else(|| echo(id), |bytes| big(id, bytes)))?;
        bridge.answer()?;
    }
    bridge.end().ok_or("it did not end by itself")?;
    let text = std::fs::read_to_string(&counted)?;
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("callgrind counted nothing")?.trim().parse()?)
}
