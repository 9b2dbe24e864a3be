//! A client that does not read, or leaves: stdin is read all the same, and the end comes in time.

use super::{Bench, peak_mib, quote};
use crate::support::program::Client;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn a_client_that_does_not_read_is_bounded_and_can_still_cancel() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    bench
        .fault(&json!({ "kind": "slow", "tool": "ListAccounts", "seconds": 60 }))
        .await;
    let slow = client.send_call("ListAccounts", &json!({})).await;
    bench
        .until("the slow call runs", async || {
            bench.count("tools/call").await == 1
        })
        .await;
    // 152 MB of results, none of which is read.
    let filler = "x".repeat(1_900_000);
    let mut calls = Vec::new();
    for _ in 0..80 {
        bench
            .sim
            .post(
                "answer",
                &json!({ "tool": "GetQuote", "result": { "content": [], "filler": filler } }),
            )
            .await;
        calls.push(client.send_call("GetQuote", &quote()).await);
    }
    // Over the bound what is asked does not leave any more, and stdin is read all the same.
    let until = Instant::now() + super::PATIENCE;
    let mut refused = 0;
    while refused < 3 {
        let before = bench.count("prompts/list").await;
        calls.push(client.send("prompts/list", &json!({})).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
        refused += u32::from(bench.count("prompts/list").await == before);
        assert!(Instant::now() < until, "never refused");
    }
    client.line(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": slow } }).to_string()).await;
    bench
        .until("the cancel is passed on", async || {
            bench
                .bodies()
                .await
                .iter()
                .any(|body| body.contains("notifications/cancelled"))
        })
        .await;
    // Small answers of our own pile up to a bound of their own.
    for _ in 0..20_000 {
        client.send("ping", &json!({})).await;
    }
    assert!(peak_mib(client.id()) < 300, "{} MiB", peak_mib(client.id()));
    let (mut whole, mut not_sent) = (0, 0);
    for id in calls {
        let answer = client.answer(id).await;
        let length = answer["result"]["filler"].as_str().map(str::len);
        let refusal = answer["error"]["message"].as_str().unwrap_or_default();
        whole += u32::from(length == Some(filler.len()));
        not_sent += u32::from(refusal.starts_with("NOT SENT"));
    }
    assert!(whole >= 34 && not_sent >= 3, "{whole} whole, {not_sent} refused");
    assert_eq!(
        client.call("GetQuote", &quote()).await["content"],
        json!([]),
        "the last answer that waits there"
    );
    assert!(
        !client
            .aside()
            .iter()
            .any(|line| line.contains(&format!("\"id\":{slow},"))),
        "the cancelled one has no answer"
    );
}

/// A client with calls in flight: one that stalls before its head, one whose stream is open.
async fn busy(bench: &Bench) -> Client {
    let mut client = bench.listening("2025-06-18").await;
    bench
        .fault(&json!({ "kind": "stall", "tool": "ListAccounts", "seconds": 600 }))
        .await;
    bench
        .fault(&json!({ "kind": "slow", "tool": "GetQuote", "seconds": 600 }))
        .await;
    bench
        .fault(&json!({ "kind": "stall", "method": "notifications/vendor", "seconds": 600 }))
        .await;
    client.send_call("ListAccounts", &json!({})).await;
    client.send_call("GetQuote", &quote()).await;
    client
        .line(r#"{"jsonrpc":"2.0","method":"notifications/vendor"}"#)
        .await;
    bench
        .until("all are under way", async || {
            bench.count("tools/call").await == 2 && bench.count("notifications/vendor").await == 1
        })
        .await;
    client
}

#[tokio::test]
async fn the_end_of_stdin_ends_it_within_two_seconds() {
    let bench = Bench::new().await;
    let client = busy(&bench).await;
    let began = Instant::now();
    let rest = client.close().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(rest, [""; 0]);
    assert_eq!(bench.status("sessions").await, 0);
}

#[tokio::test]
async fn signals_end_it_within_two_seconds() {
    let bench = Bench::new().await;
    for signal in ["-TERM", "-INT"] {
        bench.sim.post("reset", &Value::Null).await;
        let client = busy(&bench).await;
        let began = Instant::now();
        let killed = std::process::Command::new("/bin/kill")
            .args([signal, &client.id().to_string()])
            .status();
        assert!(killed.is_ok_and(|status| status.success()));
        client.ended().await;
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{signal}: {:?}",
            began.elapsed()
        );
        assert_eq!(bench.status("sessions").await, 0, "{signal}");
    }
}

#[tokio::test]
async fn a_service_that_stalls_does_not_keep_it() {
    let bench = Bench::new().await;
    let client = bench.listening("2025-06-18").await;
    bench
        .fault(&json!({ "kind": "stall", "method": "DELETE", "seconds": 600, "times": 0 }))
        .await;
    let began = Instant::now();
    client.close().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_client_that_closes_its_reading_end_is_gone() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    client.stop_reading();
    client.send("ping", &json!({})).await;
    client.ended().await;
    assert_eq!(bench.status("sessions").await, 0);
}
