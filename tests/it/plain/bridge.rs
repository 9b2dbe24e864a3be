//! Clients of one era on servers of either.

use super::{Bench, modern, names};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_modern_client_on_a_modern_server() {
    let bench = Bench::new(&["--era", "modern"]);
    let mut client = bench.client();
    let found = client.request("server/discover", &modern(json!({}))).await;
    assert_eq!(
        found["result"]["supportedVersions"],
        json!(["2026-07-28"]),
        "{found}"
    );
    let listed = client.request("tools/list", &modern(json!({}))).await;
    assert_eq!(listed["result"]["resultType"], "complete", "{listed}");
    assert!(names(&listed).contains(&"ListAccounts".to_owned()));
    let call = json!({ "name": "ListAccounts", "arguments": {} });
    let called = client.request("tools/call", &modern(call)).await;
    assert_eq!(called["result"]["resultType"], "complete", "{called}");
    // A revision that nobody speaks is told so here, without the network.
    let mut other = modern(json!({}));
    other["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2031-01-01".into();
    let refused = client.request("tools/list", &other).await;
    assert_eq!(refused["error"]["code"], -32022, "{refused}");
    assert_eq!(refused["error"]["data"]["supported"], json!(["2026-07-28"]));
}

#[tokio::test]
async fn a_modern_client_that_does_not_ask_first() {
    let bench = Bench::new(&["--era", "both"]);
    let mut client = bench.client();
    let listed = client.request("tools/list", &modern(json!({}))).await;
    assert_eq!(listed["result"]["resultType"], "complete", "{listed}");
}

/// A handshake, results without what 2025-11-25 does not know, and what changes told as it was told then.
#[tokio::test]
async fn an_older_client_on_a_modern_server() {
    let bench = Bench::new(&["--era", "modern"]);
    let mut client = bench.client();
    let hello = client
        .hello_as("2025-06-18", &json!({ "roots": { "listChanged": true } }))
        .await;
    assert_eq!(hello["result"]["protocolVersion"], "2025-06-18", "{hello}");
    let listed = client.request("tools/list", &json!({})).await;
    assert!(names(&listed).contains(&"ListAccounts".to_owned()));
    for newer in ["resultType", "ttlMs", "cacheScope"] {
        assert!(listed["result"].get(newer).is_none(), "{newer}: {listed}");
    }
    let called = client.call("ListAccounts", &json!({})).await;
    assert!(
        called.get("resultType").is_none() && called["content"].is_array(),
        "{called}"
    );
    assert_eq!(
        client
            .request("logging/setLevel", &json!({ "level": "info" }))
            .await["result"],
        json!({})
    );
    // What two readers could read differently is not translated, and not sent.
    for (id, odd) in [
        (901, r#"{"name":"ListAccounts","arguments":{},"more":1,"more":2}"#),
        (
            902,
            r#"{"name":"ListAccounts","arguments":{},"_meta":{"a/b":1,"a/b":2}}"#,
        ),
    ] {
        let count = async || bench.sim.get("requests").await["tools/call"].clone();
        let before = count().await;
        client
            .line(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{odd}}}"#
            ))
            .await;
        let refused = client.answer(id).await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
        assert_eq!(refused["error"]["data"]["countersign"]["sent"], "no", "{refused}");
        assert_eq!(count().await, before);
    }
    // The stream of changes is opened behind the client's back.
    let before = bench.sim.get("requests").await;
    assert!(
        before["subscriptions/listen"].as_u64().unwrap_or_default() >= 1,
        "{before}"
    );
    bench.sim.fault("new_tool", "").await;
    let changed = |line: &String| {
        line.contains("notifications/tools/list_changed")
            .then(|| line.clone())
    };
    let told = client.find(changed, Duration::from_secs(15)).await.expect("told");
    assert!(!told.contains("subscriptionId"), "{told}");
    assert!(!client.aside().iter().any(|line| line.contains("acknowledged")));
}
