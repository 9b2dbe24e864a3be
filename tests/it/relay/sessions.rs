//! Sessions with the service: lost, replaced, ended; several handshakes on one pipe.

use super::{Bench, everything, quote};
use serde_json::{Value, json};
use std::time::Duration;

/// What the service knows of its sessions.
async fn sessions(bench: &Bench) -> Vec<Value> {
    bench.sim.get("status").await["session_list"]
        .as_array()
        .expect("a list")
        .clone()
}

/// What a new session is told again is told beside its requests: a read for a way out waits for none of it.
#[tokio::test]
async fn what_is_told_again_holds_up_no_read() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    let level = json!({ "level": "warning" });
    client.request("logging/setLevel", &level).await;
    let months = ["MES 12-26", "ES 12-26", "NQ 12-26"];
    for month in months {
        let uri = json!({ "uri": format!("crosstrade://quote/{month}") });
        let told = client.request("resources/subscribe", &uri).await;
        assert_eq!(told["result"], json!({}), "{told}");
    }
    for method in ["logging/setLevel", "resources/subscribe"] {
        let slow = json!({ "kind": "stall", "method": method, "seconds": 2, "times": 0 });
        bench.fault(&slow).await;
    }
    bench.fault(&json!({ "kind": "session_lost" })).await;
    let began = tokio::time::Instant::now();
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    let took = began.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
    bench
        .until("all of it is told again", async || {
            bench.count("resources/subscribe").await == 6
        })
        .await;
    let list = sessions(&bench).await;
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0]["log_level"], "warning");
}

#[tokio::test]
async fn a_lost_session_is_opened_once_for_twenty_calls() {
    let bench = Bench::new().await;
    let mut client = bench.listening("2025-06-18").await;
    assert_eq!(
        client
            .request("logging/setLevel", &json!({ "level": "warning" }))
            .await["result"],
        json!({})
    );
    let resources = client.request("resources/list", &json!({})).await;
    let uri = &resources["result"]["resources"][0]["uri"];
    assert_eq!(
        client
            .request("resources/subscribe", &json!({ "uri": uri }))
            .await["result"],
        json!({}),
        "{resources}"
    );
    assert_eq!(bench.count("initialize").await, 1);
    bench.fault(&json!({ "kind": "session_lost" })).await;
    assert_eq!(bench.status("sessions").await, 0);
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(client.send_call("GetQuote", &quote()).await);
    }
    for id in ids {
        assert_eq!(client.result(id).await["isError"], false);
    }
    assert_eq!(
        bench.count("initialize").await,
        2,
        "one handshake for all of them"
    );
    bench
        .until("the new session is told again", async || {
            bench.count("resources/subscribe").await == 2
        })
        .await;
    let list = sessions(&bench).await;
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["log_level"], "warning", "told again");
    assert_eq!(list[0]["capabilities"], everything(), "the client's own");
    bench
        .until("its standing stream", async || {
            bench.status("open_get_streams").await == 1
        })
        .await;
    assert_eq!(client.until_now().await, [""; 0], "the client notices nothing");
}

#[tokio::test]
async fn the_end_deletes_the_session() {
    let bench = Bench::new().await;
    let client = bench.listening("2025-06-18").await;
    assert_eq!(bench.status("sessions").await, 1);
    client.close().await;
    assert_eq!(
        (bench.count("DELETE").await, bench.status("sessions").await),
        (1, 0)
    );
}

#[tokio::test]
async fn a_service_without_sessions_and_streams_works() {
    let bench = Bench::with(&["--no-sessions"]).await;
    let mut client = bench.client("2025-06-18").await;
    bench
        .until("the stream is asked for", async || bench.count("GET").await == 1)
        .await;
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    assert_eq!(
        client.request("prompts/list", &json!({})).await["result"]["prompts"]
            .as_array()
            .map(Vec::is_empty),
        Some(false)
    );
    assert_eq!(bench.count("GET").await, 1, "405 is an answer for good");
    client.close().await;
    assert_eq!(bench.count("DELETE").await, 0, "there is nothing to delete");
}

#[tokio::test]
async fn handshakes_may_be_repeated_and_interleaved() {
    let bench = Bench::new().await;
    let mut client = bench.listening("2025-06-18").await;
    // The same hello again changes nothing.
    client.hello_as("2025-06-18", &everything()).await;
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    assert_eq!(
        (bench.count("initialize").await, bench.status("sessions").await),
        (1, 1)
    );
    // Another conversation says hello while a call of the first one runs: both are served.
    bench
        .fault(&json!({ "kind": "slow", "tool": "GetQuote", "seconds": 1.5 }))
        .await;
    let running = client.send_call("GetQuote", &quote()).await;
    bench
        .until("the call runs", async || bench.count("tools/call").await == 2)
        .await;
    client.hello_as("2025-11-25", &json!({ "roots": {} })).await;
    assert_eq!(client.call("ListAccounts", &json!({})).await["isError"], false);
    assert_eq!(client.result(running).await["isError"], false);
    bench
        .until("the first session is deleted", async || {
            bench.status("sessions").await == 1
        })
        .await;
    let list = sessions(&bench).await;
    assert_eq!(
        (&list[0]["version"], &list[0]["capabilities"]),
        (&json!("2025-11-25"), &json!({ "roots": {} }))
    );
    bench
        .until("one stream is left", async || {
            bench.status("open_get_streams").await == 1
        })
        .await;
    bench
        .sim
        .post_text(
            "notify",
            r#"{"jsonrpc":"2.0","method":"notifications/vendor/once"}"#,
        )
        .await;
    let once = |line: &String| line.contains("vendor/once").then_some(());
    assert!(client.find(once, super::PATIENCE).await.is_some());
    assert!(
        !client
            .until_now()
            .await
            .iter()
            .any(|line| line.contains("vendor/once")),
        "told twice"
    );
}

#[tokio::test]
async fn a_handshake_that_stalls_fails_for_all_who_wait_at_once() {
    let bench = Bench::new().await;
    bench
        .fault(&json!({ "kind": "500", "method": "initialize", "times": 0 }))
        .await;
    let mut client = bench.home.serve(&bench.sim).await;
    client.hello_as("2025-06-18", &everything()).await;
    bench
        .until("the handshake is tried", async || {
            bench.count("initialize").await > 0
        })
        .await;
    bench.sim.post("reset", &Value::Null).await;
    bench
        .fault(&json!({ "kind": "stall", "method": "initialize", "seconds": 1.0, "times": 0 }))
        .await;
    bench
        .fault(&json!({ "kind": "500", "method": "tools/call", "times": 0 }))
        .await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(client.send_call("GetQuote", &quote()).await);
    }
    let began = tokio::time::Instant::now();
    for id in ids {
        assert_eq!(client.result(id).await["isError"], true);
    }
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "one after the other: {:?}",
        began.elapsed()
    );
    assert_eq!(bench.count("initialize").await, 1);
}

#[tokio::test]
async fn a_session_that_is_lost_by_a_400_is_opened_again_once() {
    let bench = Bench::new().await;
    let mut client = bench.listening("2025-06-18").await;
    bench
        .fault(&json!({ "kind": "400_session", "tool": "GetQuote" }))
        .await;
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    assert_eq!(bench.count("initialize").await, 2);
    // The service means something else by it: one new session, and then the client is told.
    bench
        .fault(&json!({ "kind": "400_session", "tool": "GetQuote", "times": 0 }))
        .await;
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], true);
    assert_eq!(bench.count("tools/call").await, 4);
}

#[tokio::test]
async fn answers_and_cancels_go_to_the_session_that_they_belong_to() {
    let bench = Bench::new().await;
    let mut client = bench.listening("2025-06-18").await;
    bench
        .sim
        .post("elicit", &json!({ "kind": "elicitation", "tool": "GetQuote" }))
        .await;
    let asking = client.send_call("GetQuote", &quote()).await;
    let question = |line: &String| {
        let message: Value = serde_json::from_str(line).expect("JSON");
        (message["method"] == "elicitation/create").then(|| message["id"].clone())
    };
    let question = client
        .find(question, super::PATIENCE)
        .await
        .expect("the question");
    bench
        .fault(&json!({ "kind": "slow", "tool": "ListAccounts", "seconds": 600 }))
        .await;
    let slow = client.send_call("ListAccounts", &json!({})).await;
    bench
        .until("both run", async || bench.count("tools/call").await == 2)
        .await;
    let first = bench.sim.calls().await.last().expect("a call")["session"].clone();
    // Another conversation takes over the current session.
    client.hello_as("2025-11-25", &json!({ "roots": {} })).await;
    assert_eq!(client.call("ListOrders", &json!({})).await["isError"], false);
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": slow } });
    client.line(&cancel.to_string()).await;
    client
        .line(&json!({ "jsonrpc": "2.0", "id": question, "result": { "action": "decline" } }).to_string())
        .await;
    let result = client.result(asking).await;
    assert!(
        result["content"][1]["text"]
            .as_str()
            .is_some_and(|text| text.contains("decline")),
        "{result}"
    );
    bench
        .until("the cancel", async || {
            bench.count("notifications/cancelled").await == 1
        })
        .await;
    let calls = bench.sim.calls().await;
    for method in ["notifications/cancelled", "(response)"] {
        let call = calls.iter().find(|call| call["method"] == method).expect(method);
        assert_eq!(call["session"], first, "{method}");
    }
}
