//! Reads, lists and what the service says unasked, where it speaks 2026-07-28.

use super::*;
use crate::support::program::{status, text};
use crate::support::sim::{client_answered, questions};

/// Whichever the service speaks, the client sees the same, and the service hears only what it knows.
#[tokio::test]
async fn reads_go_to_a_service_of_either_era() {
    for era in ["legacy", "modern", "both"] {
        let bench = Bench::with(&["--era", era]).await;
        let mut client = bench.client().await;
        let result = client.call("GetQuote", &quote()).await;
        assert_eq!(result["isError"], false, "{era}: {result}");
        let listed = client.request("resources/list", &json!({})).await;
        let listed = &listed["result"];
        assert!(listed["resources"][0]["uri"].is_string(), "{era}: {listed}");
        for key in ["resultType", "ttlMs", "cacheScope"] {
            assert!(listed[key].is_null() && result[key].is_null(), "{era}: {key}");
        }
        let answer = client.request("vendor/unknown", &json!({})).await;
        assert_eq!(answer["error"]["code"], -32601, "{era}: {answer}");
        client.close().await;
        for call in bench.sim.calls().await {
            let version = call["protocol_version"].as_str();
            if era == "legacy" {
                assert_ne!(version, Some(MODERN), "{call}");
                continue;
            }
            assert_eq!(version, Some(MODERN), "{era}: {call}");
            assert_eq!(call["session"], Value::Null, "{era}: {call}");
            assert_eq!(
                call["http"], "POST",
                "{era}: neither stream nor end of a session: {call}"
            );
        }
    }
}

/// The question costs one request, once: what was found out outlives the program.
#[tokio::test]
async fn the_era_is_asked_for_once() {
    for era in ["legacy", "modern"] {
        let (home, sim) = (Home::new(), Sim::start(&["--era", era]));
        home.login(&sim, false).await;
        assert_eq!(count(&sim, "server/discover").await, 1, "{era}");
        let bench = Bench { home, sim };
        for _ in 0..2 {
            let mut client = bench.client().await;
            assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
            client.close().await;
        }
        let asked = bench.count("server/discover").await;
        assert_eq!(asked, 1, "{era}: not at each start");
        if era == "modern" {
            assert_eq!(handshakes(&bench.sim).await, 0);
        }
    }
}

/// A handshake is answered at once, whatever the service says to the question of its era.
#[tokio::test]
async fn a_service_that_keeps_silent_does_not_keep_the_client_waiting() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    home.login(&sim, false).await;
    home.meddle("state/cache/eras.json", "{}");
    sim.post("reset", &Value::Null).await;
    sim.post(
        "fault",
        &json!({ "kind": "stall", "method": "server/discover", "seconds": 30 }),
    )
    .await;
    let bench = Bench { home, sim };
    let mut client = bench.home.serve(&bench.sim).await;
    let began = tokio::time::Instant::now();
    client.hello_as("2025-11-25", &json!({})).await;
    client.request("tools/list", &json!({})).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    // Silence proves nothing: the handshake decides, within a bound.
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    assert_eq!(bench.count("initialize").await, 1);
}

/// The stream that a session has is a subscription here.
#[tokio::test]
async fn a_changed_list_is_told_by_a_modern_service() {
    let bench = Bench::modern().await;
    let mut client = bench.client().await;
    bench
        .until("the stream", async || bench.status("listeners").await == 1)
        .await;
    let before = bench.count("tools/list").await;
    let told = bench.sim.post("mirror", &json!({ "on": true })).await;
    assert_eq!(told["told"], 1, "{told}");
    bench
        .until("another look", async || bench.count("tools/list").await > before)
        .await;
    crate::trade::until("the new list", async || {
        let tools = client.request("tools/list", &json!({})).await;
        tools.to_string().contains("x-mcp-header").then_some(())
    })
    .await;
    // And what the definition wants in headers is there: the service checks it.
    let result = client.call("GetQuote", &quote()).await;
    assert_eq!(result["isError"], false, "{result}");
    let calls = bench.sim.calls().await;
    let read = calls
        .iter()
        .find(|call| call["tool"] == "GetQuote")
        .expect("the read");
    assert_eq!(read["mirrored"]["mcp-param-instrument"], "MES 12-26", "{read}");
    assert_eq!(read["mirrored"]["mcp-name"], "GetQuote", "{read}");
}

/// `-32020`: the service has not run it. Its tools are listed anew and the read goes once more.
#[tokio::test]
async fn other_headers_are_found_by_listing_anew() {
    let bench = Bench::modern().await;
    let mut client = bench.client().await;
    let before = bench.count("tools/list").await;
    bench.sim.fault("-32020", "GetQuote").await;
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    assert!(bench.count("tools/list").await > before);
    // The program that has never listed finds the headers in the same way.
    client.close().await;
    let (code, out, err) = bench
        .home
        .run(&["call", "GetQuote", &quote().to_string(), "--url", &bench.sim.url])
        .await;
    assert_eq!(code, 0, "{out}{err}");
}

/// A read whose definition names a header that can be none may not be offered; the client is told why.
#[tokio::test]
async fn a_read_whose_definition_cannot_be_followed_is_left_out_and_told() {
    let bench = Bench::modern().await;
    bench.sim.post("mirror", &json!({ "unsound": "GetQuote" })).await;
    let mut client = bench.client().await;
    let tools = client.request("tools/list", &json!({})).await.to_string();
    assert!(!tools.contains("\"GetQuote\"") && tools.contains("\"ListAccounts\""));
    let result = client.call("GetQuote", &quote()).await;
    assert!(text(&result).starts_with("NOT DONE"), "{result}");
    assert!(text(&result).contains("the protocol forbids"), "{result}");
    assert_eq!(status(&result), "failed");
    assert_eq!(bench.count("tools/call").await, 0, "it did not leave");
    assert_eq!(client.call("ListAccounts", &json!({})).await["isError"], false);
}

/// A question of the service inside an answer becomes a request to a client that knows only those.
#[tokio::test]
async fn questions_of_a_modern_service_reach_the_client() {
    let bench = Bench::modern().await;
    let mut client = bench.client().await;
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
        assert!(result["resultType"].is_null(), "{result}");
        assert_eq!(client_answered(&result)["session"], answer, "{kind}");
    }
    assert_eq!(bench.sim.executed().await, [""; 0]);
}

#[tokio::test]
async fn a_client_that_cannot_answer_gets_the_services_own_refusal() {
    let bench = Bench::modern().await;
    let mut client = bench.client_that(&json!({})).await;
    bench
        .sim
        .post("elicit", &json!({ "kind": "elicitation", "tool": "GetQuote" }))
        .await;
    let id = client.send_call("GetQuote", &quote()).await;
    let answer = client.answer(id).await;
    assert_eq!(answer["error"]["code"], -32021, "{answer}");
}

/// The end of its stream is the cancel; a notification would mean nothing to the service.
#[tokio::test]
async fn a_cancel_closes_the_stream() {
    let bench = Bench::modern().await;
    let mut client = bench.client().await;
    bench
        .sim
        .post(
            "fault",
            &json!({ "kind": "slow", "tool": "GetQuote", "seconds": 30 }),
        )
        .await;
    let params = json!({ "name": "GetQuote", "arguments": quote(), "_meta": { "progressToken": "p" } });
    let id = client.send("tools/call", &params).await;
    client.said("notifications/progress").await;
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    client.line(&cancel.to_string()).await;
    assert_eq!(client.call("ListAccounts", &json!({})).await["isError"], false);
    assert_eq!(bench.count("notifications/cancelled").await, 0);
    client.close().await;
}
