//! Many at once: hundreds of calls, large answers beside small ones, a client that does not read. Nothing waits longer than it
//! must, nothing is lost, and memory is bounded.

use super::plain::{Bench, FINE, answered, is_asked, told};
use super::server::{Answer, Play, Request, Step};
use super::table::Row;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

const MIB: usize = 1024 * 1024;

/// Looks how much memory a process holds (PSS), while this lives.
struct Memory {
    peak: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Memory {
    fn watch(process: u32) -> Self {
        let (peak, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (to, until) = (Arc::clone(&peak), Arc::clone(&over));
        std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let text =
                    std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
                let pss = text.lines().find_map(|line| line.strip_prefix("Pss:"));
                let kib = pss.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok());
                to.fetch_max(kib.unwrap_or(0) / 1024, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self { peak, over }
    }

    fn peak_mib(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn call(tool: &str) -> Value {
    json!({ "name": tool, "arguments": {} })
}

fn tool(request: &Request) -> String {
    request.json()["params"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// An answer whose text has this many bytes.
fn large(request: &Request, bytes: usize) -> Answer {
    let text = answered(request, &json!({ "content": [{ "type": "text", "text": "x" }] })).to_string();
    let (before, after) = text.split_once("\"x\"").expect("the text");
    // Not as one value: writing that takes long in a build that is not optimised.
    let body = [
        before.as_bytes(),
        b"\"",
        &vec![b'x'; bytes],
        b"\"",
        after.as_bytes(),
    ]
    .concat();
    Answer::new(200, "application/json", body)
}

/// Calls these tools without waiting.
async fn send(bench: &mut Bench, name: &str, times: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    for _ in 0..times {
        ids.push(bench.client.send("tools/call", &call(name)).await);
    }
    ids
}

/// What each of these was answered, however the answers come; each gets one.
async fn answers(bench: &mut Bench, ids: &[u64], within: Duration) -> BTreeMap<u64, String> {
    let mut told_to = BTreeMap::new();
    while told_to.len() < ids.len() {
        let line = bench.client.find(|line| Some(line.clone()), within).await;
        let line = line.unwrap_or_else(|| panic!("{} of {} answers", told_to.len(), ids.len()));
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        let id = answer["id"].as_u64().expect("an answer");
        assert!(ids.contains(&id), "{id} was not asked");
        assert!(
            told_to.insert(id, told(&answer)).is_none(),
            "{id} was answered twice"
        );
    }
    told_to
}

async fn until(what: &str, reached: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(40);
    while !reached() {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// All of them are with the server before one is answered; then all are.
#[tokio::test]
async fn two_hundred_and_fifty_six_at_once() {
    let mut bench = Bench::new("many-256").await;
    let memory = Memory::watch(bench.client.id());
    let (open, opens) = watch::channel(false);
    bench.server.rule(move |request, _| {
        let waits = Step::Until(opens.clone());
        (tool(request) == "slow").then(|| Play::Steps(vec![waits, Step::Send(large(request, 10).bytes())]))
    });
    let ids = send(&mut bench, "slow", 256).await;
    until("all are with the server", || bench.server.count(is_asked) == 256).await;
    let began = Instant::now();
    open.send(true).expect("they wait");
    let all = answers(&mut bench, &ids, Duration::from_secs(20)).await;
    let took = began.elapsed();
    assert!(all.values().all(|answer| answer == FINE), "{all:?}");
    assert_eq!(bench.server.count(is_asked), 256);
    bench.server.heal();
    bench.table.add(Row {
        fault: "256 calls in flight, then all answered".to_owned(),
        saw: "256 answers, one each".to_owned(),
        took,
        seen: "256".to_owned(),
        next: format!("{} MiB", memory.peak_mib()),
    });
    bench.done().await;
}

/// What goes over the bound is refused at once, nothing of it is sent, and nothing that was taken is lost.
#[tokio::test]
async fn a_thousand_more_than_there_is_room_for() {
    let mut bench = Bench::new("many-over").await;
    let memory = Memory::watch(bench.client.id());
    let (open, opens) = watch::channel(false);
    bench.server.rule(move |request, _| {
        let waits = Step::Until(opens.clone());
        (tool(request) == "slow").then(|| Play::Steps(vec![waits, Step::Send(large(request, 10).bytes())]))
    });
    let taken = send(&mut bench, "slow", 1024).await;
    let began = Instant::now();
    let over = send(&mut bench, "slow", 1000).await;
    let refused = answers(&mut bench, &over, Duration::from_secs(20)).await;
    let took = began.elapsed();
    let one = refused.values().next().expect("a refusal").clone();
    assert!(refused.values().all(|answer| *answer == one), "{refused:?}");
    assert!(one.contains("sent `no`") && one.contains("NOT SENT"), "{one}");
    until("as many as may are with the server", || {
        bench.server.count(is_asked) == 256
    })
    .await;
    open.send(true).expect("they wait");
    let all = answers(&mut bench, &taken, Duration::from_secs(30)).await;
    assert!(all.values().all(|answer| answer == FINE), "{all:?}");
    assert_eq!(bench.server.count(is_asked), 1024);
    bench.server.heal();
    bench.table.add(Row {
        fault: "1,000 calls more than the 1,024 that may be open".to_owned(),
        saw: format!("1,024 answers; 1,000 times {one}"),
        took,
        seen: "1,024".to_owned(),
        next: format!("{} MiB", memory.peak_mib()),
    });
    bench.done().await;
}

/// Eight answers of 10 MB are half way here when small ones are asked for.
#[tokio::test]
async fn small_answers_beside_large_ones() {
    let mut bench = Bench::new("many-beside").await;
    let memory = Memory::watch(bench.client.id());
    let (open, opens) = watch::channel(false);
    bench.server.rule(move |request, _| {
        if tool(request) != "large" {
            return None;
        }
        let bytes = large(request, 10_000_000).bytes();
        let (one, two) = bytes.split_at(bytes.len() / 2);
        Some(Play::Steps(vec![
            Step::Send(one.into()),
            Step::Until(opens.clone()),
            Step::Send(two.into()),
        ]))
    });
    let large_ones = send(&mut bench, "large", 8).await;
    until("they are under way", || {
        bench.server.count(|request| tool(request) == "large") == 8
    })
    .await;
    let mut longest = Duration::ZERO;
    for _ in 0..25 {
        let began = Instant::now();
        let id = send(&mut bench, "small", 1).await;
        let answer = answers(&mut bench, &id, Duration::from_secs(10)).await;
        assert_eq!(answer[&id[0]], FINE);
        longest = longest.max(began.elapsed());
    }
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    open.send(true).expect("they wait");
    // And while they pour in.
    let small = send(&mut bench, "small", 100).await;
    let ids = [large_ones, small].concat();
    let all = answers(&mut bench, &ids, Duration::from_secs(40)).await;
    assert!(all.values().all(|answer| answer == FINE), "{all:?}");
    assert!(memory.peak_mib() < 200, "{} MiB", memory.peak_mib());
    bench.server.heal();
    bench.table.add(Row {
        fault: "small calls, while 8 answers of 10 MB are half way here".to_owned(),
        saw: "125 small and 8 large answers; the time is the slowest small one's".to_owned(),
        took: longest,
        seen: bench.server.count(is_asked).to_string(),
        next: format!("{} MiB", memory.peak_mib()),
    });
    bench.done().await;
}

/// One large result, and a small one after it.
async fn one_large(
    family: &'static str,
    fault: &str,
    hurt: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    bytes: usize,
) {
    let mut bench = Bench::new(family).await;
    let memory = Memory::watch(bench.client.id());
    bench
        .server
        .rule(move |request, _| (tool(request) == "large").then(|| Play::Answer(hurt(request))));
    let began = Instant::now();
    send(&mut bench, "large", 1).await;
    let line = bench
        .client
        .find(|line| Some(line.clone()), Duration::from_secs(300))
        .await;
    let took = began.elapsed();
    let line = line.expect("an answer");
    assert!(line.len() > bytes, "{line}");
    bench.server.heal();
    let (next, _) = bench.ask("tools/call").await;
    assert_eq!(next, FINE);
    assert!(memory.peak_mib() < 400, "{} MiB", memory.peak_mib());
    bench.table.add(Row {
        fault: fault.to_owned(),
        saw: "the whole result".to_owned(),
        took,
        seen: "1".to_owned(),
        next: format!("{} MiB", memory.peak_mib()),
    });
    bench.done().await;
}

#[tokio::test]
async fn a_result_of_100_mb() {
    let bytes = 100_000_000;
    one_large(
        "many-100mb",
        "a result of 100 MB",
        move |request| large(request, bytes),
        bytes,
    )
    .await;
}

#[tokio::test]
async fn an_event_of_40_mb() {
    let bytes = 40_000_000;
    let event = move |request: &Request| {
        let body = [b"data: ", &large(request, bytes).body[..], b"\n\n"].concat();
        Answer::new(200, "text/event-stream", body)
    };
    one_large("many-event", "a result of 40 MB in one event", event, bytes).await;
}

/// What would become a thousand times as much is not unpacked: nobody asked for it packed.
#[tokio::test]
async fn a_bomb() {
    let mut bench = Bench::new("many-bomb").await;
    let memory = Memory::watch(bench.client.id());
    let zeros = vec![b' '; 64 * MIB];
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..4 {
        std::io::Write::write_all(&mut encoder, &zeros).expect("in memory");
    }
    let bomb = Arc::new(encoder.finish().expect("in memory"));
    let size = bomb.len() / 1024;
    bench.server.rule(move |request, _| {
        let answer = Answer::new(200, "application/json", bomb.to_vec()).with("content-encoding", "gzip");
        (tool(request) == "bomb").then_some(Play::Answer(answer))
    });
    let began = Instant::now();
    let ids = send(&mut bench, "bomb", 1).await;
    let all = answers(&mut bench, &ids, Duration::from_secs(20)).await;
    let (saw, took) = (all[&ids[0]].clone(), began.elapsed());
    assert!(saw.contains("compressed"), "{saw}");
    assert!(memory.peak_mib() < 40, "{} MiB", memory.peak_mib());
    bench.server.heal();
    bench.table.add(Row {
        fault: format!("256 MiB, packed into {size} KiB (gzip)"),
        saw,
        took,
        seen: "1".to_owned(),
        next: format!("{} MiB", memory.peak_mib()),
    });
    bench.done().await;
}

/// A client that does not read: what waits for it is bounded, a cancel still works, and all comes when it reads again.
#[tokio::test]
async fn a_client_that_does_not_read() {
    let mut bench = Bench::new("many-unread").await;
    let memory = Memory::watch(bench.client.id());
    let (open, opens) = watch::channel(false);
    let (_never, nothing) = watch::channel(false);
    bench.server.rule(move |request, _| match tool(request).as_str() {
        "large" => {
            let waits = Step::Until(opens.clone());
            Some(Play::Steps(vec![
                waits,
                Step::Send(large(request, 4_000_000).bytes()),
            ]))
        }
        "never" => Some(Play::Steps(vec![Step::Until(nothing.clone())])),
        _ => None,
    });
    let never = send(&mut bench, "never", 1).await[0];
    let began = Instant::now();
    let ids = send(&mut bench, "large", 24).await;
    until("all are asked for", || bench.server.count(is_asked) == 25).await;
    open.send(true).expect("they wait");
    // It has what it will hold: memory grows no more.
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let now = memory.peak_mib();
        if now == before {
            break;
        }
        before = now;
    }
    assert!(before < 160, "{before} MiB");
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": never } });
    bench.client.line(&cancel.to_string()).await;
    until("the cancel arrived", || {
        bench
            .server
            .count(|request| request.what() == "notifications/cancelled")
            == 1
    })
    .await;
    let all = answers(&mut bench, &ids, Duration::from_secs(40)).await;
    assert!(all.values().all(|answer| answer == FINE), "{all:?}");
    bench.server.heal();
    let (next, _) = bench.ask("tools/call").await;
    assert_eq!(next, FINE);
    bench.table.add(Row {
        fault: "24 answers of 4 MB for a client that does not read for a while".to_owned(),
        saw: "24 answers, none lost; a cancel in between reached the server".to_owned(),
        took: began.elapsed(),
        seen: "25".to_owned(),
        next: format!("{} MiB", memory.peak_mib()),
    });
    bench.done().await;
}
