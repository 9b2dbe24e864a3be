//! Clients of the newer era on a service of either: what both speak goes through as it is.

use super::*;

/// The parameters of a request of 2026-07-28.
fn said(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": { "name": "Modern Client", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
        "vendor/mark": 1,
    });
    params
}

#[tokio::test]
async fn a_modern_client_reads_from_a_service_of_either_era() {
    for era in ["legacy", "modern"] {
        let bench = Bench::with(&["--era", era]).await;
        let mut client = bench.home.serve(&bench.sim).await;
        let params = said(json!({ "name": "GetQuote", "arguments": quote() }));
        let id = client.send("tools/call", &params).await;
        let answer = client.answer(id).await;
        assert_eq!(answer["result"]["isError"], false, "{era}: {answer}");
        assert_eq!(answer["result"]["resultType"], "complete", "{era}: {answer}");
        let listed = client.request("resources/list", &said(json!({}))).await;
        assert!(listed["result"]["ttlMs"].is_u64(), "{era}: {listed}");
        client.close().await;
        let calls = bench.sim.calls().await;
        let read = calls
            .iter()
            .find(|call| call["tool"] == "GetQuote")
            .expect("the read");
        let version = read["protocol_version"].as_str().expect("a version");
        assert_eq!(version == MODERN, era == "modern", "{read}");
    }
}

/// A question goes to the client as the service wrote it, and the next round back.
#[tokio::test]
async fn a_round_of_a_modern_service_reaches_a_modern_client_as_it_is() {
    let bench = Bench::modern().await;
    let mut client = bench.home.serve(&bench.sim).await;
    bench
        .sim
        .post("elicit", &json!({ "kind": "elicitation", "tool": "GetQuote" }))
        .await;
    let mut params = said(json!({ "name": "GetQuote", "arguments": quote() }));
    let id = client.send("tools/call", &params).await;
    let answer = client.answer(id).await;
    assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
    let question = &answer["result"]["inputRequests"]["session"];
    assert_eq!(question["method"], "elicitation/create", "{answer}");
    params["requestState"] = answer["result"]["requestState"].clone();
    params["inputResponses"] = json!({ "session": { "action": "accept", "content": { "session": "RTH" } } });
    let id = client.send("tools/call", &params).await;
    let answer = client.answer(id).await;
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    let told = answer["result"]["content"][1]["text"]
        .as_str()
        .expect("what was said");
    assert!(told.contains("RTH"), "{told}");
}
