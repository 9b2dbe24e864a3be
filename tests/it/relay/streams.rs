//! Event streams: cut and resumed, progress, cancellation, and what the service asks of the client.

use super::{Bench, quote};
use crate::support::sim::{client_answered, questions};
use serde_json::{Value, json};

#[tokio::test]
async fn a_cut_stream_is_resumed_after_its_last_event() {
    let bench = Bench::new().await;
    // From 2025-11-25 on a stream begins with an event that has an id and no data.
    let mut client = bench.listening("2025-11-25").await;
    let streams = bench.count("GET").await;
    bench
        .fault(&json!({ "kind": "sse_cut_midevent", "tool": "GetQuote" }))
        .await;
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    assert_eq!(bench.count("tools/call").await, 1, "it was not asked twice");
    assert_eq!(bench.count("GET").await, streams + 1, "the rest was fetched");
}

#[tokio::test]
async fn a_cut_stream_without_an_event_id_is_asked_once_more() {
    let bench = Bench::with(&["--no-sessions"]).await;
    let mut client = bench.client("2025-06-18").await;
    for kind in ["sse_cut_midevent", "cut_before", "cut_after"] {
        let asked = bench.count("tools/call").await;
        bench.fault(&json!({ "kind": kind, "tool": "GetQuote" })).await;
        assert_eq!(
            client.call("GetQuote", &quote()).await["isError"],
            false,
            "{kind}"
        );
        assert_eq!(bench.count("tools/call").await, asked + 2, "{kind}");
        bench
            .fault(&json!({ "kind": kind, "tool": "GetQuote", "times": 2 }))
            .await;
        assert_eq!(
            client.call("GetQuote", &quote()).await["isError"],
            true,
            "{kind} twice is told"
        );
    }
}

#[tokio::test]
async fn a_closed_standing_stream_is_opened_again() {
    let bench = Bench::new().await;
    let mut client = bench.listening("2025-06-18").await;
    bench.fault(&json!({ "kind": "close_streams" })).await;
    bench
        .until("it is open again", async || {
            bench.status("open_get_streams").await == 1
        })
        .await;
    bench
        .sim
        .post_text(
            "notify",
            r#"{"jsonrpc":"2.0","method":"notifications/vendor/again"}"#,
        )
        .await;
    let again = |line: &String| line.contains("vendor/again").then_some(());
    assert!(client.find(again, super::PATIENCE).await.is_some());
}

#[tokio::test]
async fn the_service_may_ask_the_client() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    for (kind, method, answer) in questions() {
        bench
            .sim
            .post("elicit", &json!({ "kind": kind, "tool": "GetQuote" }))
            .await;
        let id = client.send_call("GetQuote", &quote()).await;
        let question = client.said(method).await;
        client
            .line(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": answer }).to_string())
            .await;
        let result = client.result(id).await;
        assert_eq!(client_answered(&result), answer, "{kind}");
    }
}

#[tokio::test]
async fn a_client_that_cannot_is_not_asked() {
    let bench = Bench::new().await;
    let mut client = bench.home.serve(&bench.sim).await;
    client.hello_as("2025-06-18", &json!({ "roots": {} })).await;
    for kind in ["elicitation", "sampling"] {
        bench
            .sim
            .post("elicit", &json!({ "kind": kind, "tool": "GetQuote" }))
            .await;
        let result = client.call("GetQuote", &quote()).await;
        assert_eq!(client_answered(&result)["code"], -32601, "{result}");
    }
    assert!(
        !client.aside().iter().any(|line| line.contains("create")),
        "it was asked"
    );
}

#[tokio::test]
async fn a_flood_of_changes_is_one_or_two_looks() {
    let bench = Bench::new().await;
    let mut client = bench.listening("2025-06-18").await;
    let asked = bench.count("tools/list").await;
    bench
        .fault(&json!({ "kind": "stall", "method": "tools/list", "seconds": 4 }))
        .await;
    for _ in 0..200 {
        bench
            .sim
            .post_text(
                "notify",
                r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
            )
            .await;
    }
    bench
        .sim
        .post_text(
            "notify",
            r#"{"jsonrpc":"2.0","method":"notifications/vendor/marker"}"#,
        )
        .await;
    let marker = |line: &String| line.contains("vendor/marker").then_some(());
    assert!(client.find(marker, super::PATIENCE).await.is_some());
    bench
        .until("the last look", async || {
            bench.count("tools/list").await > asked + 1
        })
        .await;
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    assert!(bench.count("tools/list").await <= asked + 3);
}

#[tokio::test]
async fn pings_are_answered_on_both_sides() {
    let bench = Bench::new().await;
    let mut client = bench.listening("2025-06-18").await;
    bench
        .sim
        .post_text("notify", r#"{"jsonrpc":"2.0","id":"p-\u0031","method":"ping"}"#)
        .await;
    bench
        .until("the answer", async || {
            bench
                .bodies()
                .await
                .iter()
                .any(|body| body == r#"{"jsonrpc":"2.0","id":"p-\u0031","result":{}}"#)
        })
        .await;
    assert_eq!(client.until_now().await, [""; 0], "the client is not asked");
    assert_eq!(bench.count("ping").await, 0, "and its own pings do not leave");
}

#[tokio::test]
async fn log_messages_arrive_as_asked() {
    let bench = Bench::new().await;
    let mut client = bench.listening("2025-06-18").await;
    assert_eq!(
        client
            .request("logging/setLevel", &json!({ "level": "error" }))
            .await["result"],
        json!({})
    );
    let wrong = client
        .request("logging/setLevel", &json!({ "level": "loud" }))
        .await;
    assert_eq!(wrong["error"]["code"], -32602);
    let line = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1.50}}"#;
    bench.sim.post_text("notify", line).await;
    assert!(
        client
            .find(|got| (got == line).then_some(()), super::PATIENCE)
            .await
            .is_some()
    );
}

#[tokio::test]
async fn progress_comes_in_order_and_never_after_the_answer() {
    let bench = Bench::new().await;
    let mut client = bench.listening("2025-06-18").await;
    bench
        .fault(&json!({ "kind": "slow", "tool": "GetQuote", "seconds": 1 }))
        .await;
    let params = json!({ "name": "GetQuote", "arguments": quote(), "_meta": { "progressToken": "t-1" } });
    let id = client.send("tools/call", &params).await;
    let mut seen = Vec::new();
    loop {
        let line = client.next_line().await.expect("a line");
        let message: Value = serde_json::from_str(&line).expect("JSON");
        if message["id"] == json!(id) {
            break;
        }
        assert_eq!(message["params"]["progressToken"], "t-1", "{line}");
        seen.push(message["params"]["progress"].as_u64().expect("a number"));
    }
    assert!(seen.len() >= 5 && seen.is_sorted(), "{seen:?}");
    for params in [
        json!({ "progressToken": "t-1", "progress": 99 }),
        json!({ "progressToken": "never", "progress": 1 }),
    ] {
        bench
            .sim
            .post(
                "notify",
                &json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }),
            )
            .await;
    }
    bench
        .sim
        .post_text(
            "notify",
            r#"{"jsonrpc":"2.0","method":"notifications/vendor/marker"}"#,
        )
        .await;
    assert!(
        client
            .next_line()
            .await
            .expect("a line")
            .contains("vendor/marker"),
        "late progress"
    );
}

#[tokio::test]
async fn a_cancel_reaches_the_service_and_ends_the_request() {
    let bench = Bench::new().await;
    let mut client = bench.listening("2025-06-18").await;
    bench
        .fault(&json!({ "kind": "slow", "tool": "GetQuote", "seconds": 60 }))
        .await;
    client.line(r#"{"jsonrpc":"2.0","id":"c-\u0061","method":"tools/call","params":{"name":"GetQuote","arguments":{"instrument":"MES 12-26"},"_meta":{"progressToken":7}}}"#).await;
    // It runs: there is progress.
    assert!(
        client
            .find(
                |line| line.contains("notifications/progress").then_some(()),
                super::PATIENCE
            )
            .await
            .is_some()
    );
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"c-\u0061","reason":"\u00e9"}}"#;
    client.line(cancel).await;
    bench
        .until("the cancel arrives", async || {
            bench.bodies().await.iter().any(|body| body == cancel)
        })
        .await;
    // A second cancel, and one of an id that nobody knows, go nowhere.
    client.line(cancel).await;
    client
        .line(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":12345}}"#)
        .await;
    client.until_now().await;
    bench
        .sim
        .post_text(
            "notify",
            r#"{"jsonrpc":"2.0","method":"notifications/vendor/marker"}"#,
        )
        .await;
    assert!(
        client
            .next_line()
            .await
            .expect("a line")
            .contains("vendor/marker"),
        "no answer to a cancelled request"
    );
    assert_eq!(
        bench
            .bodies()
            .await
            .iter()
            .filter(|body| body.contains("cancelled"))
            .count(),
        1
    );
    // The id is free again.
    client.line(r#"{"jsonrpc":"2.0","id":"c-\u0061","method":"tools/call","params":{"name":"GetQuote","arguments":{"instrument":"MES 12-26"}}}"#).await;
    assert!(client.raw_answer("\"c-\\u0061\"").await.contains("\"result\""));
}
