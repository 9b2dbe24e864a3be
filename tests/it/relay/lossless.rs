//! What we do not own passes byte for byte: a corpus of odd but legal messages, in both directions.

use super::{Bench, quote};
use countersign::wire::envelope::{self, Kind, Message};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const CORPUS: &str = include_str!("../../corpus/legal-messages.jsonl");

fn message(line: &str) -> Message<'_> {
    envelope::read_one(line).unwrap_or_else(|malformed| panic!("{malformed:?}: {line}"))
}

/// Why a message of the client is not passed on, where that is the rule.
fn stays_with_us(message: &Message<'_>) -> Option<&'static str> {
    match &*message.method {
        "ping" => Some("answered here, so that liveness depends on nothing"),
        "initialize" => Some("our own handshake goes upstream"),
        "server/discover" => Some("answered here at once"),
        "tools/list" => Some("answered from the kept lists"),
        "notifications/initialized" => Some("belongs to the handshake"),
        "notifications/cancelled" => {
            Some("no request of that id is open, so there is nothing to cancel upstream")
        }
        _ => None,
    }
}

/// Why a message of the service is not passed on, where that is the rule.
fn stays_with_the_lane(message: &Message<'_>) -> Option<&'static str> {
    match (&message.kind, &*message.method) {
        (Kind::Request(_), "ping") => Some("answered here"),
        (Kind::Response(_), _) => Some("answers nothing that was asked on this stream"),
        (_, "notifications/progress") => Some("no open request has that token"),
        _ => None,
    }
}

#[tokio::test]
async fn what_the_client_writes_arrives_byte_for_byte() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-11-25").await;
    let mut expected = Vec::new();
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    for line in CORPUS.lines() {
        let message = message(line);
        if stays_with_us(&message).is_none() {
            expected.push(line);
        }
        if let Kind::Request(id) = &message.kind {
            *asked.entry(id.raw().to_owned()).or_default() += 1;
        }
        client.line(line).await;
    }
    assert!(expected.len() >= 60, "{} messages pass", expected.len());
    let missing = async || {
        let bodies = bench.bodies().await;
        expected
            .iter()
            .filter(|line| !bodies.iter().any(|body| body == *line))
            .copied()
            .collect::<Vec<_>>()
    };
    let arrived = tokio::time::timeout(super::PATIENCE, async {
        while !missing().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(
        arrived.await.is_ok(),
        "did not arrive as written: {:#?}",
        missing().await
    );
    for (id, times) in asked {
        for _ in 0..times {
            client.raw_answer(&id).await;
        }
    }
    let more: Vec<String> = client
        .until_now()
        .await
        .into_iter()
        .filter(|line| line.contains("\"id\""))
        .collect();
    assert_eq!(more, [""; 0], "answered twice");
}

/// Each line of the corpus as the result of a call, once in a JSON body and once in an event stream.
async fn results(answers: &str) {
    let bench = Bench::with(&["--answers", answers]).await;
    let mut client = bench.client("2025-06-18").await;
    for line in CORPUS.lines().map(str::trim) {
        bench
            .sim
            .post_text("answer", &format!(r#"{{"tool":"GetQuote","result":{line}}}"#))
            .await;
        let id = client.send_call("GetQuote", &quote()).await;
        let got = client.raw_answer(&id.to_string()).await;
        assert_eq!(got, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{line}}}"#));
    }
}

#[tokio::test]
async fn results_in_json_bodies_arrive_byte_for_byte() {
    results("json").await;
}

#[tokio::test]
async fn results_in_event_streams_arrive_byte_for_byte() {
    results("sse").await;
}

#[tokio::test]
async fn what_the_service_says_unasked_arrives_byte_for_byte() {
    let bench = Bench::new().await;
    let mut client = bench.listening("2025-11-25").await;
    let passing: Vec<&str> = CORPUS
        .lines()
        .filter(|line| stays_with_the_lane(&message(line)).is_none())
        .collect();
    assert!(passing.len() >= 40, "{} messages pass", passing.len());
    for line in CORPUS.lines() {
        bench.sim.post_text("notify", line).await;
    }
    for line in passing {
        let found = client
            .find(|got| (got == line).then_some(()), super::PATIENCE)
            .await;
        assert!(found.is_some(), "did not arrive as written: {line}");
    }
    assert_eq!(client.until_now().await, [""; 0], "more than that");
    // The pings among them are answered, each under its own id.
    let pings = CORPUS.lines().map(message).filter(|m| m.method == "ping");
    let answers: Vec<String> = pings
        .filter_map(|m| match m.kind {
            Kind::Request(id) => Some(envelope::response(&id, "{}")),
            Kind::Notification | Kind::Response(_) => None,
        })
        .collect();
    bench
        .until("the answers to pings", async || {
            let bodies = bench.bodies().await;
            answers.iter().all(|answer| bodies.contains(answer))
        })
        .await;
}

#[tokio::test]
async fn a_message_over_several_lines_becomes_one() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    let result = "{\n  \"content\": [ ],\r\n  \"n\": 1.10\n}";
    bench
        .sim
        .post_text("answer", &format!(r#"{{"tool":"GetQuote","result":{result}}}"#))
        .await;
    let id = client.send_call("GetQuote", &quote()).await;
    let got = client.raw_answer(&id.to_string()).await;
    assert_eq!(
        got,
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[],"n":1.10}}}}"#)
    );
    assert_eq!(
        client
            .call("GetQuote", &json!({ "instrument": "ES 12-26" }))
            .await["isError"],
        false
    );
}
