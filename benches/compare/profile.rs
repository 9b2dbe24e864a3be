//! What one relayed call asks of the system and of the heap.
//!
//! Owns: the runs. Refuses to know: who counts (`parts/profile`).

use super::Outcome;
use super::bridge::{Bridge, Peer, Place};
use super::counters::{Counter, each};
use super::measure::{big, echo};
use super::server::{Server, Transport};
use super::trader::{self, quote};
use std::collections::BTreeMap;
use std::path::Path;

/// Calls of the shorter run, and how many more the longer one has.
const FEW: u32 = 20;
const MORE: u32 = 200;
/// The large result.
const LARGE: usize = 1 << 20;

/// Prints the tables.
pub(crate) fn all(peer: &Peer, program: &Path) -> Outcome<()> {
    let local = |call: fn(u64) -> String| {
        move |counter, calls| {
            let folder = tempfile::tempdir()?;
            let server = Server::start(Transport::Http1, false, folder.path())?;
            count(peer, counter, &server.url, folder.path(), call, calls)
        }
    };
    table("an echo, HTTP/1.1, JSON", local(echo))?;
    table("a result of 1 MB, HTTP/1.1, JSON", local(|id| big(id, LARGE)))?;
    table("GetQuote in CrossTrade's profile", |counter, calls| {
        let folder = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let (sim, home, _) = runtime.block_on(trader::signed_in(folder.path(), false))?;
        let peer = trader::peer(program, &sim.url, &home.folder, folder.path());
        count(&peer, counter, &sim.url, folder.path(), quote, calls)
    })
}

/// Two runs for each who counts; what the longer one has more, for each call.
fn table(what: &str, run: impl Fn(Counter, u32) -> Outcome<BTreeMap<String, u64>>) -> Outcome<()> {
    println!("\n{what}; each of {MORE} calls\n\n| | a call |\n|---|---|");
    for counter in Counter::ALL {
        for line in each(&run(counter, FEW)?, &run(counter, FEW + MORE)?, MORE) {
            println!("{line}");
        }
    }
    Ok(())
}

fn count(
    peer: &Peer,
    counter: Counter,
    url: &str,
    folder: &Path,
    call: fn(u64) -> String,
    calls: u32,
) -> Outcome<BTreeMap<String, u64>> {
    let counted = folder.join("counted");
    let words = counter.words(&counted);
    let watched = peer.under(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let mut bridge = Bridge::start(&watched, &Place { url, folder, lab: "" })?;
    for id in 1..=u64::from(calls) {
        bridge.send(&call(id))?;
        bridge.answer()?;
    }
    bridge.end().ok_or("it did not end by itself")?;
    counter.read(&counted)
}
