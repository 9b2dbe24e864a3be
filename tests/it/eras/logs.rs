//! Log messages (U-24, section 2.4): a client of 2026-07-28 asks for them with a request, a service of the older era has one level
//! for a session.

use super::*;

fn asking(level: &str) -> Value {
    let mut params = call("GetQuote", &quote());
    params["_meta"]["io.modelcontextprotocol/logLevel"] = level.into();
    params
}

fn message(level: &str, what: &str) -> String {
    json!({
        "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": level, "data": what },
    })
    .to_string()
}

async fn levels(bench: &Bench) -> Vec<Value> {
    let sessions = bench.sim.get("status").await["session_list"].clone();
    let sessions = sessions.as_array().expect("a list").iter();
    sessions.map(|session| session["log_level"].clone()).collect()
}

#[tokio::test]
async fn a_level_is_set_when_a_request_asks_for_it() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client.request("tools/call", &call("GetQuote", &quote())).await;
    assert_eq!(bench.count("logging/setLevel").await, 0, "nobody asked");
    bench.standing().await;
    let wish = modern(json!({ "notifications": { "promptsListChanged": true } }));
    let listen = json!({ "jsonrpc": "2.0", "id": 71, "method": "subscriptions/listen", "params": wish });
    client.line(&listen.to_string()).await;
    client.said("notifications/subscriptions/acknowledged").await;
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#;
    for line in [&*message("error", "unasked"), changed] {
        bench.sim.post_text("notify", line).await;
    }
    // What came before it on the same stream has been looked at by now.
    client.said("notifications/prompts/list_changed").await;
    for (level, times) in [("warning", 1), ("warning", 1), ("error", 1), ("info", 2)] {
        let read = client.request("tools/call", &asking(level)).await;
        assert_eq!(read["result"]["isError"], false, "{read}");
        assert_eq!(bench.count("logging/setLevel").await, times, "{level}");
    }
    assert_eq!(levels(&bench).await, ["info"]);
    // While a request runs, and only what it asked for.
    bench
        .sim
        .post(
            "fault",
            &json!({ "kind": "stall", "tool": "GetQuote", "seconds": 3 }),
        )
        .await;
    let before = bench.count("tools/call").await;
    let id = client.send("tools/call", &asking("warning")).await;
    bench
        .until("the read", async || bench.count("tools/call").await > before)
        .await;
    // What the requests before asked for is over by now.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for (level, what) in [("info", "less"), ("error", "asked for")] {
        bench.sim.post_text("notify", &message(level, what)).await;
    }
    let told = |line: &String| line.contains("asked for").then_some(());
    assert!(client.find(told, PATIENCE).await.is_some(), "it is told");
    client.answer(id).await;
    let aside = client.aside().concat();
    assert!(!aside.contains("unasked") && !aside.contains("less"), "{aside}");
    client.close().await;
}

/// A fault that passes is not the last word: the next request that asks for it sets it.
#[tokio::test]
async fn a_level_that_could_not_be_set_is_set_the_next_time() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client.request("tools/call", &call("GetQuote", &quote())).await;
    let fault = json!({ "kind": "503", "method": "logging/setLevel", "times": 1 });
    bench.sim.post("fault", &fault).await;
    for expected in [Value::Null, "info".into()] {
        let read = client.request("tools/call", &asking("info")).await;
        assert_eq!(read["result"]["isError"], false, "{read}");
        assert_eq!(levels(&bench).await, [expected]);
    }
    client.close().await;
}

/// In a session of a client that shook hands the level is that client's: the other's is set in its own.
#[tokio::test]
async fn a_level_is_not_taken_from_another_client() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client.hello_as("2025-11-25", &json!({ "roots": {} })).await;
    let set = client
        .request("logging/setLevel", &json!({ "level": "error" }))
        .await;
    assert_eq!(set["result"], json!({}), "{set}");
    let read = client.request("tools/call", &asking("debug")).await;
    assert_eq!(read["result"]["isError"], false, "{read}");
    let levels = levels(&bench).await;
    assert_eq!(levels.len(), 2, "{levels:?}");
    assert!(
        levels.contains(&json!("error")) && levels.contains(&json!("debug")),
        "{levels:?}"
    );
    client.close().await;
}
