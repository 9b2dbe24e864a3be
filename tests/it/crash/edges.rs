//! kill -9 at every edge: the program is killed as it enters the N-th of one system call, for every N until the order comes
//! through. Between two such calls nothing can be seen from outside, so no edge is left out.

use super::tracer::{self, Death};
use super::*;
use crate::trade::bid;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

/// More calls of one kind than one order needs.
const MOST: usize = 120;
/// How often all edges are gone through for the sake of one that has to be met. Threads do not take turns alike in each run,
/// so the N-th call is now and then another one, and an edge can fall between two runs.
const PASSES: usize = 5;

/// What stood when the program died, seen from outside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    /// The journal's last line.
    journal: String,
    /// The ticket file's state.
    ticket: String,
    /// Whether the order reached the service.
    received: bool,
}

/// Which of the calls count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Anywhere,
    Journal,
}

/// The program, to be killed at the N-th of this call.
fn killed_at(home: &Home, url: &str, call: &'static str, place: Place, nth: usize) -> (Command, Death) {
    let mut command = home.shell(env!("CARGO_BIN_EXE_countersign"));
    command.args(["serve", "--url", url]);
    let file = (place == Place::Journal).then(|| home.folder().join("state/journal.jsonl"));
    (tracer::stopped(&command), Death { call, file, nth })
}

/// Speaks to it until it answers the order or dies; whether it was killed.
fn order_until_dead((mut command, death): (Command, Death), price: f64) -> bool {
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "Test Client", "version": "1" } } });
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "PlaceOrder", "arguments": bid(price) } });
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("a shell");
    let traced = tracer::trace(child.id(), death);
    let mut stdin = child.stdin.take().expect("a pipe");
    // It may be dead before it has read them.
    let _ = write!(stdin, "{hello}\n{ready}\n{call}\n").and_then(|()| stdin.flush());
    let out = BufReader::new(child.stdout.take().expect("a pipe"));
    for line in out.lines().map_while(Result::ok) {
        if line.starts_with(r#"{"jsonrpc":"2.0","id":2,"#) {
            assert!(line.contains("accepted"), "{line}");
            break;
        }
    }
    drop(stdin);
    traced.join().expect("it was traced to its end");
    let end = child.wait_with_output().expect("its end");
    end.status.signal() == Some(9)
}

/// What the dead one left.
async fn left(yard: &Yard, home: &Home, price: f64) -> Edge {
    let ticket = tickets(home).first().map(|ticket| ticket["state"].clone());
    Edge {
        journal: kinds(home).last().cloned().unwrap_or_default(),
        ticket: ticket.map_or_else(String::new, |state| state.as_str().unwrap_or_default().to_owned()),
        received: yard.received(price).await > 0,
    }
}

/// The next process: it recovers, says what agrees with the service, and treats the same call once more as it should.
async fn goes_on(yard: &Yard, home: &Home, price: f64, edge: &Edge) {
    let mut next = home.serve(&yard.sim).await.hello().await;
    let all_ended = async || {
        let open = |ticket: &Value| ticket["state"] == "held" || ticket["state"] == "sending";
        (!tickets(home).iter().any(open)).then_some(())
    };
    until("the recovery", all_ended).await;
    let executed = yard.executed(price).await;
    assert!(executed <= 1, "{edge:?}: executed {executed} times");
    let first = tickets(home).pop();
    let state = first
        .as_ref()
        .map_or("", |ticket| ticket["state"].as_str().expect("a state"));
    match state {
        // Nothing was ever said of it, and nothing left.
        "" | "voided" => assert_eq!(yard.received(price).await, 0, "{edge:?}: said to be not sent"),
        "unknown" => assert_eq!(edge.ticket, "sending", "{edge:?}"),
        "accepted" => assert_eq!(executed, 1, "{edge:?}"),
        other => panic!("{edge:?} became {other}"),
    }
    // The same call again: an outcome that nobody has read is told, and nothing is placed.
    let unread = first.as_ref().is_some_and(|ticket| !is_read(home, ticket));
    let again = next.call("PlaceOrder", &bid(price)).await;
    let now = yard.executed(price).await;
    if matches!(state, "unknown" | "accepted") && unread {
        assert_eq!(now, executed, "{edge:?}: placed again: {again}");
        assert_eq!(
            again["structuredContent"]["ticket"],
            first.as_ref().expect("one")["id"],
            "{again}"
        );
        let executed_so = if state == "unknown" { "unknown" } else { "accepted" };
        assert_eq!(status(&again), executed_so, "{edge:?}: {}", text(&again));
    } else {
        assert_eq!(status(&again), "accepted", "{edge:?}: {}", text(&again));
        assert_eq!(now, executed + 1, "{edge:?}");
    }
    if let Some(ticket) = &first {
        let told = next
            .call("countersign_await_approval", &json!({ "ticket": ticket["id"] }))
            .await;
        assert_eq!(status(&told), state, "{edge:?}: {}", text(&told));
        // Its answer was written into the journal, and not into the ticket any more: it is told as far as it is known.
        if (&*edge.journal, state) == ("accepted", "unknown") {
            assert!(
                text(&told).contains("the service's answer was: accepted"),
                "{}",
                text(&told)
            );
        }
        let agrees = match state {
            "voided" => text(&told).starts_with("NOT SENT"),
            "unknown" => text(&told).starts_with("OUTCOME UNKNOWN"),
            _ => text(&told).starts_with("SENT"),
        };
        assert!(agrees, "{edge:?}: {}", text(&told));
    }
    next.close().await;
    verified(home).await;
}

fn is_read(home: &Home, ticket: &Value) -> bool {
    let id = ticket["id"].as_str().expect("an id");
    let notes = std::fs::read_to_string(home.folder().join(format!("state/tickets/{id}.notes")));
    notes.is_ok_and(|notes| notes.contains("\"read\":true"))
}

/// Kills at each of this call in turn, until three in a row come through: how many calls of a kind one order makes differs
/// a little from run to run; the edges that were met. `None` where nothing may be traced: then no edge was tried.
async fn each(call: &'static str, place: Place) -> Option<BTreeSet<Edge>> {
    if may_trace(&format!("kill -9 at each {call}")) {
        let yard = Yard::new().await;
        return Some(pass(&yard, call, place, 0).await);
    }
    None
}

/// One pass over all edges of this call. Each order has a price of its own.
async fn pass(yard: &Yard, call: &'static str, place: Place, number: usize) -> BTreeSet<Edge> {
    let (mut met, mut survivors) = (BTreeSet::new(), 0);
    for nth in 1..MOST {
        let order = u32::try_from(number * MOST + nth).expect("few");
        let price = 3000.0 + f64::from(order);
        let home = yard.home();
        let command = killed_at(&home, &yard.sim.url, call, place, nth);
        let killed = tokio::task::spawn_blocking(move || order_until_dead(command, price))
            .await
            .expect("no panic");
        let edge = left(yard, &home, price).await;
        goes_on(yard, &home, price, &edge).await;
        if killed {
            survivors = 0;
            met.insert(edge);
            continue;
        }
        assert_eq!((&*edge.journal, &*edge.ticket), ("accepted", "accepted"));
        survivors += 1;
        if survivors == 3 {
            return met;
        }
    }
    panic!("{call}: an order takes more than {MOST} of them");
}

/// The same until each of these was met.
async fn each_until_met(call: &'static str, place: Place, wanted: &[Edge]) {
    if !may_trace(&format!("kill -9 at each {call}")) {
        return;
    }
    let yard = Yard::new().await;
    let mut met = BTreeSet::new();
    for number in 0..PASSES {
        met.extend(pass(&yard, call, place, number).await);
        if wanted.iter().all(|edge| met.contains(edge)) {
            return;
        }
    }
    for edge in wanted {
        assert!(met.contains(edge), "never died at {edge:?}; met: {met:#?}");
    }
}

fn edge(journal: &str, ticket: &str, received: bool) -> Edge {
    Edge {
        journal: journal.to_owned(),
        ticket: ticket.to_owned(),
        received,
    }
}

/// As each journal line is about to reach the disk.
#[tokio::test]
async fn killed_at_each_fdatasync() {
    let wanted = [
        edge("held", "", false),
        edge("approved", "held", false),
        edge("accepted", "sending", true),
    ];
    each_until_met("fdatasync", Place::Anywhere, &wanted).await;
}

/// As each file and folder is about to reach the disk.
#[tokio::test]
async fn killed_at_each_fsync() {
    let wanted = [
        edge("held", "", false),
        edge("held", "held", false),
        edge("approved", "held", false),
        edge("approved", "sending", false),
        edge("accepted", "sending", true),
        edge("accepted", "accepted", true),
    ];
    each_until_met("fsync", Place::Anywhere, &wanted).await;
}

/// As each file is about to take its place.
#[tokio::test]
async fn killed_at_each_rename() {
    let wanted = [
        edge("held", "", false),
        edge("held", "held", false),
        edge("approved", "held", false),
        edge("accepted", "sending", true),
    ];
    each_until_met("rename", Place::Anywhere, &wanted).await;
}

/// As each journal line is about to be written.
#[tokio::test]
async fn killed_at_each_journal_line() {
    let wanted = [
        edge("", "", false),
        edge("held", "held", false),
        edge("approved", "sending", true),
    ];
    each_until_met("write", Place::Journal, &wanted).await;
}

/// As anything is about to be written, to files and pipes: how many that are differs from run to run, so this one meets
/// what it meets.
#[tokio::test]
async fn killed_at_each_write() {
    if let Some(met) = each("write", Place::Anywhere).await {
        assert!(met.iter().any(|edge| !edge.received), "{met:#?}");
    }
}

/// As anything is about to be sent: the order among them.
#[tokio::test]
async fn killed_at_each_send() {
    if let Some(met) = each("writev", Place::Anywhere).await {
        assert!(met.iter().any(|edge| !edge.received), "{met:#?}");
    }
}

/// As anything is about to be received: with the order on its way, too.
#[tokio::test]
async fn killed_at_each_receive() {
    if let Some(met) = each("recvfrom", Place::Anywhere).await {
        assert!(met.iter().any(|edge| !edge.received), "{met:#?}");
    }
}

/// The order has left and is neither executed nor answered; it is executed when the sender is long dead.
#[tokio::test]
async fn killed_before_it_is_executed() {
    let (yard, price) = (Yard::new().await, 4000.0);
    let home = yard.home();
    let stall =
        json!({ "kind": "stall", "tool": "PlaceOrder", "scope": "mcp:trade", "seconds": 8, "times": 1 });
    yard.sim.post("fault", &stall).await;
    let mut client = home.serve(&yard.sim).await.hello().await;
    client.send_call("PlaceOrder", &bid(price)).await;
    until("the order on its way", async || {
        (yard.received(price).await == 1).then_some(())
    })
    .await;
    assert_eq!(yard.executed(price).await, 0);
    client.kill().await;
    let edge = left(&yard, &home, price).await;
    assert_eq!(edge, self::edge("approved", "sending", true));
    goes_on(&yard, &home, price, &edge).await;
    assert_eq!(yard.received(price).await, 1, "in doubt nothing is sent again");
}

/// The recovery itself is killed at each of its steps: the next one goes on from there, once.
async fn recovery_killed_at_each(call: &'static str, dies_at: (&'static str, usize), state: &str) {
    if !may_trace(&format!("kill -9 of a recovery at each {call}")) {
        return;
    }
    let yard = Yard::new().await;
    for nth in 1..MOST {
        let price = 4000.0 + f64::from(u32::try_from(nth).expect("few"));
        let home = yard.home();
        let command = killed_at(&home, &yard.sim.url, dies_at.0, Place::Anywhere, dies_at.1);
        let dead = tokio::task::spawn_blocking(move || order_until_dead(command, price));
        assert!(dead.await.expect("no panic"));
        let edge = left(&yard, &home, price).await;
        assert_eq!(edge.ticket, state);
        let (command, death) = killed_at(&home, &yard.sim.url, call, Place::Anywhere, nth);
        let second = Home::start({
            let mut command = tokio::process::Command::from(command);
            command.kill_on_drop(true);
            command
        });
        let traced = tracer::trace(second.id(), death);
        let all_ended = || tickets(&home).iter().all(|ticket| ticket["ended_wall"].is_u64());
        until("its end, or the recovery's", async || {
            (traced.is_finished() || all_ended()).then_some(())
        })
        .await;
        // It may die at a later step as well.
        let survived = !traced.is_finished();
        if survived {
            second.close().await;
        }
        goes_on(&yard, &home, price, &edge).await;
        let ends = ["voided", "unknown"];
        let told = kinds(&home)
            .iter()
            .filter(|kind| ends.contains(&kind.as_str()))
            .count();
        assert!((1..=2).contains(&told), "{:?}", kinds(&home));
        if survived {
            assert_eq!(told, 1, "{:?}", kinds(&home));
            return;
        }
    }
    panic!("a recovery takes more than {MOST} of {call}");
}

#[tokio::test]
async fn the_recovery_of_a_held_one_is_killed() {
    recovery_killed_at_each("rename", ("fdatasync", 2), "held").await;
    recovery_killed_at_each("fdatasync", ("fdatasync", 2), "held").await;
}

#[tokio::test]
async fn the_recovery_of_a_sent_one_is_killed() {
    recovery_killed_at_each("rename", ("fdatasync", 3), "sending").await;
    recovery_killed_at_each("fdatasync", ("fdatasync", 3), "sending").await;
}
