//! A service that answers with what is no answer: one clear answer to the client in bounded time, and the next call
//! works.

use super::{Bench, peak_mib, quote};
use crate::support::program::text;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;
use tokio::time::Instant;

/// A call under this fault ends in an error that speaks of `what`, within `seconds`; the next call works.
async fn check(fault: &Value, what: &str, seconds: u64) {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    bench.fault(fault).await;
    let began = Instant::now();
    let result = client.call("GetQuote", &quote()).await;
    assert!(
        began.elapsed() < Duration::from_secs(seconds),
        "{fault}: {:?}",
        began.elapsed()
    );
    assert_eq!(result["isError"], true, "{fault}: {result}");
    assert!(
        text(&result).starts_with("NOT DONE") && text(&result).contains(what),
        "{fault}: {}",
        text(&result)
    );
    assert_eq!(
        client.call("GetQuote", &quote()).await["isError"],
        false,
        "{fault}: the next one"
    );
    assert_eq!(client.until_now().await, [""; 0], "{fault}: one answer");
    assert!(
        peak_mib(client.id()) < 300,
        "{fault}: {} MiB",
        peak_mib(client.id())
    );
}

/// A call under this fault is answered after all.
async fn recovers(fault: &Value) {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    bench.fault(fault).await;
    for _ in 0..2 {
        assert_eq!(
            client.call("GetQuote", &quote()).await["isError"],
            false,
            "{fault}"
        );
    }
    assert_eq!(client.until_now().await, [""; 0], "{fault}: one answer");
}

#[tokio::test]
async fn html() {
    check(&json!({ "kind": "html", "tool": "GetQuote" }), "text/html", 5).await;
}

#[tokio::test]
async fn half_of_a_json_body() {
    check(
        &json!({ "kind": "half_json", "tool": "GetQuote" }),
        "no JSON-RPC message",
        5,
    )
    .await;
}

#[tokio::test]
async fn an_empty_body() {
    check(
        &json!({ "kind": "empty_body", "tool": "GetQuote" }),
        "no answer",
        5,
    )
    .await;
}

#[tokio::test]
async fn accepted_without_an_answer() {
    check(
        &json!({ "kind": "202_for_request", "tool": "GetQuote" }),
        "without an answer",
        5,
    )
    .await;
}

#[tokio::test]
async fn a_body_without_end() {
    check(
        &json!({ "kind": "endless_body", "tool": "GetQuote" }),
        "longer than",
        30,
    )
    .await;
}

#[tokio::test]
async fn an_answer_to_another_id() {
    check(
        &json!({ "kind": "wrong_id", "tool": "GetQuote", "times": 2 }),
        "without the answer",
        5,
    )
    .await;
}

#[tokio::test]
async fn an_answer_to_another_id_in_a_json_body() {
    let bench = Bench::with(&["--answers", "json"]).await;
    let mut client = bench.client("2025-06-18").await;
    bench
        .fault(&json!({ "kind": "wrong_id", "tool": "GetQuote" }))
        .await;
    let result = client.call("GetQuote", &quote()).await;
    assert!(text(&result).contains("another request"), "{}", text(&result));
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    assert_eq!(client.until_now().await, [""; 0], "the wrong answer goes nowhere");
}

#[tokio::test]
async fn bursts_of_server_errors() {
    for kind in ["500", "503"] {
        recovers(&json!({ "kind": kind, "tool": "GetQuote" })).await;
        check(&json!({ "kind": kind, "tool": "GetQuote", "times": 2 }), kind, 5).await;
    }
}

#[tokio::test]
async fn ninjatrader_is_away() {
    recovers(&json!({ "kind": "408", "tool": "GetQuote" })).await;
    check(
        &json!({ "kind": "408", "tool": "GetQuote", "times": 2 }),
        "not connected",
        5,
    )
    .await;
}

#[tokio::test]
async fn asked_to_slow_down() {
    recovers(&json!({ "kind": "429", "tool": "GetQuote" })).await;
    recovers(&json!({ "kind": "429", "tool": "GetQuote", "retry_after": 1 })).await;
    check(
        &json!({ "kind": "429", "tool": "GetQuote", "retry_after": 3600 }),
        "again in 3600 s",
        5,
    )
    .await;
    check(
        &json!({ "kind": "429", "tool": "GetQuote", "times": 2 }),
        "slow down",
        5,
    )
    .await;
}

#[tokio::test]
async fn the_plan_ends() {
    check(
        &json!({ "kind": "403_subscription", "tool": "GetQuote" }),
        "Elite plan",
        5,
    )
    .await;
}

#[tokio::test]
async fn slow_headers_and_double_answers() {
    recovers(&json!({ "kind": "slow_headers", "tool": "GetQuote", "seconds": 1 })).await;
    recovers(&json!({ "kind": "duplicate_answer", "tool": "GetQuote" })).await;
    recovers(&json!({ "kind": "sse_cut_midevent", "tool": "GetQuote" })).await;
    recovers(&json!({ "kind": "401_once", "tool": "GetQuote" })).await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    other.set_nonblocking(true).expect("a listener");
    let location = format!("http://{}/elsewhere", other.local_addr().expect("its address"));
    check(
        &json!({ "kind": "redirect", "tool": "GetQuote", "location": location }),
        "307",
        5,
    )
    .await;
    // The handshake carries the token too.
    let bench = Bench::new().await;
    bench
        .fault(&json!({ "kind": "redirect", "method": "initialize", "location": location, "times": 0 }))
        .await;
    let mut client = bench.home.serve(&bench.sim).await.hello().await;
    assert!(text(&client.call("GetQuote", &quote()).await).contains("307"));
    assert!(other.accept().is_err(), "nobody came");
}

#[tokio::test]
async fn a_service_that_never_answers_can_be_given_up() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    bench
        .fault(&json!({ "kind": "stall", "tool": "GetQuote", "seconds": 600 }))
        .await;
    let id = client.send_call("GetQuote", &quote()).await;
    bench
        .until("it is under way", async || bench.count("tools/call").await == 1)
        .await;
    assert_eq!(
        client.call("ListAccounts", &json!({})).await["isError"],
        false,
        "others do not wait for it"
    );
    client
        .line(
            &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })
                .to_string(),
        )
        .await;
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    assert_eq!(client.until_now().await, [""; 0]);
}

#[tokio::test]
async fn many_bodies_without_end_at_once_are_bounded() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    bench
        .fault(&json!({ "kind": "endless_body", "tool": "GetQuote", "times": 12 }))
        .await;
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(client.send_call("GetQuote", &quote()).await);
    }
    assert_eq!(
        client.call("ListAccounts", &json!({})).await["isError"],
        false,
        "small answers pass"
    );
    for id in ids {
        let result = client.result(id).await;
        assert!(text(&result).contains("longer than"), "{}", text(&result));
    }
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    assert!(peak_mib(client.id()) < 700, "{} MiB", peak_mib(client.id()));
}

#[tokio::test]
async fn a_stalled_service_does_not_take_all_files() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    bench
        .fault(&json!({ "kind": "stall", "tool": "GetQuote", "seconds": 600, "times": 0 }))
        .await;
    bench
        .fault(&json!({ "kind": "stall", "method": "notifications/vendor", "seconds": 600, "times": 0 }))
        .await;
    let mut ids = Vec::new();
    for _ in 0..600 {
        ids.push(client.send_call("GetQuote", &quote()).await);
        for _ in 0..5 {
            client
                .line(r#"{"jsonrpc":"2.0","method":"notifications/vendor"}"#)
                .await;
        }
    }
    bench
        .until("as many as may are with the service", async || {
            bench.count("tools/call").await >= 256
        })
        .await;
    assert_eq!(client.until_now().await, [""; 0]);
    let files = std::fs::read_dir(format!("/proc/{}/fd", client.id()))
        .expect("its files")
        .count();
    assert!(files < 400, "{files} files");
    bench.sim.post("reset", &Value::Null).await;
    for id in ids {
        client.line(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }).to_string()).await;
    }
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    assert!(peak_mib(client.id()) < 150, "{} MiB", peak_mib(client.id()));
}
