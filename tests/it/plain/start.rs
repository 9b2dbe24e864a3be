//! What starts, what does not, and what the first lines say.

use super::{Bench, modern, names, plain};
use crate::support::program::Home;
use serde_json::json;

#[tokio::test]
async fn crosstrade_is_never_served_without_its_gate() {
    let home = Home::new();
    for words in [
        &["serve", "--profile", "plain"][..],
        &[
            "serve",
            "--profile",
            "plain",
            "--url",
            "https://app.crosstrade.io/v1/api/mcp",
        ],
        &[
            "serve",
            "--profile",
            "plain",
            "--url",
            "https://APP.crosstrade.io./other",
        ],
    ] {
        let (code, stdout, stderr) = home.run(words).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{words:?}: {stderr}");
        assert!(stderr.contains("holds no order"), "{stderr}");
    }
}

#[tokio::test]
async fn options_of_the_plain_profile_start_nothing_else() {
    let home = Home::new();
    let (code, _, stderr) = home.run(&["serve", "--header", "x: y"]).await;
    assert_eq!(code, 2, "{stderr}");
    let url = "http://127.0.0.1:9/mcp";
    let bad = [
        "serve",
        "--profile",
        "plain",
        "--url",
        url,
        "--header",
        "x: se\u{1}cret",
    ];
    let (code, _, stderr) = home.run(&bad).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(!stderr.contains("cret"), "the value may be a key: {stderr}");
}

/// The handshake does not wait for a server that is away, and a request to it ends in one clear answer.
#[tokio::test]
async fn a_server_that_is_away() {
    let home = Home::new();
    let mut client = plain(&home, "http://127.0.0.1:9/mcp", &[]);
    let hello = client.hello_as("2025-11-25", &json!({})).await;
    assert_eq!(hello["result"]["protocolVersion"], "2025-11-25", "{hello}");
    // Nobody knows of which era it is. A client that is known to go on with a handshake is sent there; another may speak
    // nothing but 2026-07-28.
    let discovered = client.request("server/discover", &modern(json!({}))).await;
    assert_eq!(
        discovered["result"]["supportedVersions"],
        json!(["2026-07-28"]),
        "{discovered}"
    );
    let mut known = modern(json!({}));
    known["_meta"]["io.modelcontextprotocol/clientInfo"]["name"] = "claude-code".into();
    let discovered = client.request("server/discover", &known).await;
    assert_eq!(discovered["error"]["code"], -32601, "{discovered}");
    let listed = client.request("tools/list", &json!({})).await;
    let error = &listed["error"];
    assert_eq!(error["data"]["countersign"]["sent"], "no", "{listed}");
    assert!(
        error["message"].as_str().expect("words").starts_with("NOT SENT"),
        "{listed}"
    );
}

/// One sign-in in the browser, whatever asks first, and none at the next start.
#[tokio::test]
async fn it_signs_in_where_the_server_asks_for_it() {
    let bench = Bench::new(&["--era", "legacy"]);
    let mut client = bench.client();
    client.hello_as("2025-11-25", &json!({})).await;
    let first = client.send("tools/list", &json!({})).await;
    let second = client.send("tools/list", &json!({})).await;
    assert!(names(&client.answer(first).await).contains(&"ListAccounts".to_owned()));
    assert!(names(&client.answer(second).await).contains(&"ListAccounts".to_owned()));
    client.close().await;
    let tokens = bench.sim.get("tokens").await;
    assert_eq!(tokens["grants"].as_array().map(Vec::len), Some(1), "{tokens}");
    let mut again = bench.client();
    let hello = again.hello_as("2025-11-25", &json!({})).await;
    assert_ne!(hello["result"]["serverInfo"]["name"], "countersign", "{hello}");
    assert!(!names(&again.request("tools/list", &json!({})).await).is_empty());
    let tokens = bench.sim.get("tokens").await;
    assert_eq!(tokens["grants"].as_array().map(Vec::len), Some(1), "{tokens}");
}

/// A call that may have run is not made twice; the client is told that it is not known.
#[tokio::test]
async fn a_call_is_never_sent_twice() {
    for kind in [
        "500",
        "503",
        "408",
        "408_after",
        "cut_before",
        "cut_after",
        "html",
        "half_json",
        "wrong_id",
        "empty_body",
        "202_for_request",
        "sse_cut_midevent",
        "redirect",
        "400_session",
    ] {
        let bench = Bench::new(&["--era", "legacy"]);
        let mut client = bench.client();
        client.hello_as("2025-11-25", &json!({})).await;
        client.request("tools/list", &json!({})).await;
        bench.sim.post("reset", &serde_json::Value::Null).await;
        bench.sim.fault(kind, "GetQuote").await;
        let id = client
            .send_call("GetQuote", &json!({ "instrument": "MES 12-26" }))
            .await;
        let answer = client.answer(id).await;
        // A cut stream with event ids is taken up where it ended; that is no second sending.
        let resumed = kind == "sse_cut_midevent" && answer.get("result").is_some();
        assert!(
            resumed || answer["error"]["data"]["countersign"]["sent"] == "unknown",
            "{kind}: {answer}"
        );
        let calls = bench.sim.calls().await;
        let sent = calls.iter().filter(|call| call["tool"] == "GetQuote").count();
        assert!(sent <= 1, "{kind}: {calls:?}");
        let id = client
            .send_call("GetQuote", &json!({ "instrument": "MES 12-26" }))
            .await;
        assert!(
            client.answer(id).await.get("result").is_some(),
            "{kind}: the next one works"
        );
    }
}
