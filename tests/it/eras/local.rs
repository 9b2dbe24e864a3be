//! What is answered from local state, and what each request must say.

use super::*;
use std::net::TcpListener;
use std::time::Instant;

/// N-02, N-03, N-13: discovery and the list come at once, whatever the network does, with what the revision wants in them.
#[tokio::test]
async fn discovery_waits_for_nothing() {
    let stalled = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/mcp", stalled.local_addr().expect("its address"));
    let home = Home::new();
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        let mut client = home.serve_url(&url);
        let found = client.request("server/discover", &modern(json!({}))).await;
        best = best.min(began.elapsed());
        let found = &found["result"];
        assert_eq!(found["resultType"], "complete", "{found}");
        assert_eq!(found["supportedVersions"][0], "2026-07-28", "{found}");
        assert_eq!(found["capabilities"]["tools"]["listChanged"], true, "{found}");
        assert_eq!(
            (&found["ttlMs"], &found["cacheScope"]),
            (&json!(0), &json!("private"))
        );
        let info = &found["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(info["name"], "countersign", "{found}");
        assert!(
            found.get("serverInfo").is_none(),
            "it has no place at the top: {found}"
        );
        assert!(found["instructions"].as_str().expect("text").contains("HELD"));
        let listed = client.request("tools/list", &modern(json!({}))).await;
        let listed = &listed["result"];
        assert_eq!(listed["tools"][0]["name"], "countersign_sign_in", "{listed}");
        assert_eq!(listed["resultType"], "complete", "{listed}");
        assert_eq!(
            (&listed["ttlMs"], &listed["cacheScope"]),
            (&json!(0), &json!("private"))
        );
        client.close().await;
    }
    // 50 ms on an idle machine; this one may be busy.
    assert!(best < Duration::from_secs(1), "{best:?}");
    assert!(
        !home.folder().join("state/vault.json").exists(),
        "nothing was opened"
    );
}

/// N-06: what is missing or wrong is refused, request by request; nothing is filled in from an earlier one.
#[tokio::test]
async fn each_request_says_all_of_itself() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client.request("server/discover", &modern(json!({}))).await;
    let version = "io.modelcontextprotocol/protocolVersion";
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    let info = "io.modelcontextprotocol/clientInfo";
    let read = call("GetQuote", &quote());
    for (what, key, value) in [
        ("no version", version, Value::Null),
        ("a number", version, json!(20_260_728)),
        ("no capabilities", capabilities, Value::Null),
        ("a list", capabilities, json!([])),
        ("a text", info, json!("me")),
    ] {
        let mut params = read.clone();
        if value.is_null() {
            params["_meta"].as_object_mut().expect("an object").remove(key);
        } else {
            params["_meta"][key] = value;
        }
        let refused = client.request("tools/call", &params).await;
        assert_eq!(refused["error"]["code"], -32602, "{what}: {refused}");
        assert_eq!(refused["error"]["data"]["countersign"]["sent"], "no", "{what}");
    }
    for method in ["server/discover", "tools/list", "resources/list", "prompts/list"] {
        let bare = client.request(method, &json!({})).await;
        assert_eq!(bare["error"]["code"], -32602, "{method}: {bare}");
    }
    let mut other = read.clone();
    other["_meta"][version] = "2031-01-01".into();
    let refused = client.request("tools/call", &other).await;
    assert_eq!(refused["error"]["code"], -32022, "{refused}");
    assert_eq!(refused["error"]["data"]["supported"], json!(["2026-07-28"]));
    assert_eq!(refused["error"]["data"]["requested"], "2031-01-01");
    assert_eq!(bench.count("tools/call").await, 0, "nothing was passed on");
    // A client need not name itself.
    let mut nameless = read;
    nameless["_meta"].as_object_mut().expect("an object").remove(info);
    let read = client.request("tools/call", &nameless).await;
    assert_eq!(read["result"]["isError"], false, "{read}");
}

/// N-11 and the changes of the revision: what is gone is not there.
#[tokio::test]
async fn what_the_revision_took_away_is_not_answered() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    for method in [
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "tasks/result",
    ] {
        let params = modern(json!({ "uri": "crosstrade://accounts", "level": "debug", "taskId": "1" }));
        let gone = client.request(method, &params).await;
        assert_eq!(gone["error"]["code"], -32601, "{method}: {gone}");
        assert_eq!(bench.count(method).await, 0, "{method} was passed on");
    }
}

/// N-12, N-13, section 2.4: reads pass to a service with sessions and come back in the words of the newer era.
#[tokio::test]
async fn reads_pass_and_are_answered_in_the_newer_words() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    let mut params = call("GetQuote", &quote());
    params["_meta"]["vendor/trace"] = json!(1);
    params["_meta"]["traceparent"] = "00-1-2-00".into();
    let read = client.request("tools/call", &params).await;
    assert_eq!(read["result"]["resultType"], "complete", "{read}");
    assert_eq!(read["result"]["isError"], false, "{read}");
    assert!(
        read["result"].get("ttlMs").is_none(),
        "a call is not kept: {read}"
    );
    for (method, params) in [
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("prompts/list", json!({})),
        ("resources/read", json!({ "uri": "crosstrade://accounts" })),
    ] {
        let listed = client.request(method, &modern(params)).await;
        let result = &listed["result"];
        assert_eq!(result["resultType"], "complete", "{method}: {listed}");
        assert_eq!(
            (&result["ttlMs"], &result["cacheScope"]),
            (&json!(0), &json!("private")),
            "{method}: {listed}"
        );
    }
    // Codes of the older era are not used in the newer.
    let gone = modern(json!({ "uri": "crosstrade://nothing" }));
    let gone = client.request("resources/read", &gone).await;
    assert_eq!(gone["error"]["code"], -32602, "{gone}");
    // The service has seen a handshake of ours, what vendors said, and nothing of the newer era.
    let raw = bench.sim.get("raw?n=400").await;
    let bodies: Vec<&str> = raw
        .as_array()
        .expect("an array")
        .iter()
        .filter_map(|entry| entry["text"].as_str())
        .collect();
    assert!(
        bodies
            .iter()
            .any(|body| body.contains(r#""method":"initialize""#))
    );
    let asked = bodies
        .iter()
        .find(|body| body.contains("GetQuote"))
        .expect("the read");
    assert!(
        asked.contains("vendor/trace") && asked.contains("traceparent"),
        "{asked}"
    );
    for body in &bodies {
        assert!(!body.contains("io.modelcontextprotocol/"), "{body}");
    }
    assert_eq!(bench.count("initialize").await, 1, "one session for all of it");
}

/// Section 2.4: what a client can do is told to the service as a handshake tells it, tasks of the newer era left out.
#[tokio::test]
async fn capabilities_and_extensions_reach_the_handshake() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    let capabilities = json!({
        "elicitation": { "form": {}, "url": {} },
        "extensions": { "io.modelcontextprotocol/tasks": {}, "io.modelcontextprotocol/ui": { "mimeTypes": ["text/html"] } },
    });
    let params = by(
        "Apps",
        &capabilities,
        json!({ "name": "GetQuote", "arguments": quote() }),
    );
    let read = client.request("tools/call", &params).await;
    assert_eq!(read["result"]["isError"], false, "{read}");
    let sessions = bench.sim.get("status").await["session_list"].clone();
    assert_eq!(sessions.as_array().expect("a list").len(), 1, "{sessions}");
    assert_eq!(
        sessions[0]["capabilities"],
        json!({
            "elicitation": { "form": {}, "url": {} },
            "extensions": { "io.modelcontextprotocol/ui": { "mimeTypes": ["text/html"] } },
        })
    );
}

/// Before the first sign-in the lists are empty rather than broken, in the newer words too, and nobody is asked to sign in
/// but by a call.
#[tokio::test]
async fn before_the_sign_in() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let mut client = home.with("BROWSER", "/bin/true").serve(&sim).await;
    let listed = client.request("resources/list", &modern(json!({}))).await;
    assert_eq!(listed["result"]["resources"], json!([]), "{listed}");
    assert_eq!(listed["result"]["resultType"], "complete");
    assert_eq!(listed["result"]["ttlMs"], 0);
    let read = client.request("tools/call", &call("GetQuote", &quote())).await;
    let result = &read["result"];
    assert_eq!(result["resultType"], "complete", "{read}");
    assert_eq!(result["structuredContent"]["status"], "sign_in_needed", "{read}");
    let done = client
        .request("tools/call", &call("countersign_sign_in", &json!({})))
        .await;
    assert_eq!(done["result"]["resultType"], "complete", "{done}");
}

/// F-07: a line that nobody can read is answered without an id, where everybody here knows such an answer.
#[tokio::test]
async fn garbage_is_answered_where_the_revision_allows_it() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client.line("{nonsense").await;
    client.request("server/discover", &modern(json!({}))).await;
    assert!(
        client.aside().is_empty(),
        "nobody is known yet: {:?}",
        client.aside()
    );
    client.line("{nonsense").await;
    let broken = |line: &String| line.contains("-32700").then(|| line.clone());
    let broken = client.find(broken, PATIENCE).await.expect("an answer");
    assert!(!broken.contains(r#""id""#), "{broken}");
    // A client with an older handshake on the same pipe does not know it.
    client.hello_as("2025-06-18", &json!({})).await;
    client.line("{nonsense").await;
    let said = until_now(&mut client).await;
    assert!(said.iter().all(|line| !line.contains("-32700")), "{said:?}");
}
