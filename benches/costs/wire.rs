//! Framing, the envelope, the strict reader, server-sent events.

use countersign::wire::{envelope, frame::Framer, headers, json, sse};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};

/// An order as a client sends it.
const ORDER: &str = r#"{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"PlaceOrder","arguments":{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Limit","limit_price":6012.25,"quantity":2,"tif":"Day"},"_meta":{"progressToken":17}}}"#;

/// A large read's answer: 1 MiB of bars.
fn bars() -> String {
    let bar = r#"{"time":"2026-11-20T15:30:00Z","open":6012.25,"high":6013.5,"low":6011.75,"close":6013,"volume":1520}"#;
    let bars = vec![bar; 1024 * 1024 / bar.len()].join(",");
    format!(r#"{{"jsonrpc":"2.0","id":18,"result":{{"structuredContent":{{"bars":[{bars}]}}}}}}"#)
}

#[divan::bench]
fn frame_an_order(bencher: Bencher<'_, '_>) {
    let line = format!("{ORDER}\n");
    bencher.counter(BytesCount::of_str(&line)).bench_local(|| {
        let mut found = 0;
        Framer::new().push(black_box(line.as_bytes()), |_| found += 1);
        found
    });
}

#[divan::bench]
fn frame_1_mib(bencher: Bencher<'_, '_>) {
    let line = format!("{}\n", bars());
    bencher.counter(BytesCount::of_str(&line)).bench_local(|| {
        let (mut framer, mut found) = (Framer::new(), 0);
        for chunk in black_box(line.as_bytes()).chunks(64 * 1024) {
            framer.push(chunk, |_| found += 1);
        }
        found
    });
}

#[divan::bench]
fn envelope_of_an_order() -> bool {
    envelope::read(black_box(ORDER.as_bytes())).is_ok()
}

#[divan::bench]
fn envelope_of_1_mib(bencher: Bencher<'_, '_>) {
    let line = bars();
    bencher
        .counter(BytesCount::of_str(&line))
        .bench_local(|| envelope::read(black_box(line.as_bytes())).is_ok());
}

#[divan::bench]
fn strict_order() -> bool {
    json::check_strict(black_box(ORDER)).is_ok()
}

#[divan::bench]
fn strict_1_mib(bencher: Bencher<'_, '_>) {
    let line = bars();
    bencher
        .counter(BytesCount::of_str(&line))
        .bench_local(|| json::check_strict(black_box(&line)).is_ok());
}

#[divan::bench]
fn events_of_1_mib(bencher: Bencher<'_, '_>) {
    let stream = format!(": ping\n\nid: 1\nevent: message\ndata: {}\n\n", bars());
    bencher.counter(BytesCount::of_str(&stream)).bench_local(|| {
        let (mut parser, mut found) = (sse::Parser::new(), 0);
        for chunk in black_box(stream.as_bytes()).chunks(16 * 1024) {
            // Far below the bound: it does not end early.
            let _ = parser.push(chunk, |_| found += 1);
        }
        found
    });
}

#[divan::bench]
fn challenge() -> usize {
    let value = r#"Bearer error="insufficient_scope", scope="mcp:trade", resource_metadata="https://app.crosstrade.io/.well-known/oauth-protected-resource""#;
    headers::challenges(black_box(value)).len()
}
