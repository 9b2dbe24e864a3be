//! `subscriptions/listen` (U-25): each client is told what it asked for, under its own id, and nothing else.

use super::*;
use crate::trade::Desk;
use std::time::Instant;

const TAG: &str = "io.modelcontextprotocol/subscriptionId";

async fn listen(client: &mut Client, id: &str, wish: &Value) -> Value {
    let params = modern(json!({ "notifications": wish }));
    client
        .line(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"subscriptions/listen","params":{params}}}"#
        ))
        .await;
    told(client, "notifications/subscriptions/acknowledged", id).await
}

/// The next notification of this method that is tagged with this id.
async fn told(client: &mut Client, method: &str, id: &str) -> Value {
    let id: Value = serde_json::from_str(id).expect("an id");
    let fits = |line: &String| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        (value["method"] == method && value["params"]["_meta"][TAG] == id).then_some(value)
    };
    let found = client.find(fits, PATIENCE).await;
    found.unwrap_or_else(|| panic!("{method} for {id}: {:?}", client.aside()))
}

async fn cancel(client: &mut Client, id: &str) {
    client
        .line(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        ))
        .await;
}

#[tokio::test]
async fn what_changes_is_told_to_those_who_asked() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    let acknowledged = listen(
        &mut client,
        "71",
        &json!({ "toolsListChanged": true, "odd": true }),
    )
    .await;
    assert_eq!(
        acknowledged["params"]["notifications"],
        json!({ "toolsListChanged": true })
    );
    let acknowledged = listen(
        &mut client,
        r#""71""#,
        &json!({ "promptsListChanged": true, "resourcesListChanged": true }),
    )
    .await;
    assert_eq!(acknowledged["params"]["_meta"][TAG], "71");
    bench.standing().await;
    // The trading tools appear with the sign-in for them.
    bench.home.login(&bench.sim, true).await;
    told(&mut client, "notifications/tools/list_changed", "71").await;
    for what in ["prompts", "resources"] {
        let line = format!(r#"{{"jsonrpc":"2.0","method":"notifications/{what}/list_changed"}}"#);
        bench.sim.post_text("notify", &line).await;
        told(
            &mut client,
            &format!("notifications/{what}/list_changed"),
            r#""71""#,
        )
        .await;
    }
    // Untagged nothing is said: nobody here shook hands. Nor what nobody asked for.
    for line in [
        r#"{"jsonrpc":"2.0","method":"notifications/vendor/news"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":"s1","method":"vendor/question"}"#,
        r#"{"jsonrpc":"2.0","id":"s2","method":"roots/list"}"#,
    ] {
        bench.sim.post_text("notify", line).await;
    }
    cancel(&mut client, "71").await;
    bench
        .sim
        .post_text(
            "notify",
            r#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#,
        )
        .await;
    told(&mut client, "notifications/prompts/list_changed", r#""71""#).await;
    until_now(&mut client).await;
    // A sign-in may change the list in two steps.
    let steps = format!(r#""_meta":{{"{TAG}":71}}"#);
    let others = client
        .aside()
        .iter()
        .filter(|line| !(line.contains("tools/list_changed") && line.contains(&steps)));
    assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
    // The end is told to those who still listen (U-25), and to no other.
    let last = client.close().await;
    let ends: Vec<Value> = last
        .iter()
        .filter(|line| !line.contains("tools/list_changed"))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(ends.len(), 1, "{last:?}");
    assert_eq!(
        (&ends[0]["id"], &ends[0]["result"]["resultType"]),
        (&json!("71"), &json!("complete")),
        "{last:?}"
    );
    assert_eq!(ends[0]["result"]["_meta"][TAG], "71");
}

#[tokio::test]
async fn resources_are_followed_as_long_as_somebody_does() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client.hello_as("2025-06-18", &json!({})).await;
    bench.standing().await;
    let uri = "crosstrade://accounts";
    let wish = json!({ "resourceSubscriptions": [uri, "crosstrade://no/such"] });
    for id in ["71", "72"] {
        let acknowledged = listen(&mut client, id, &wish).await;
        assert_eq!(
            acknowledged["params"]["notifications"],
            json!({ "resourceSubscriptions": [uri] }),
            "what the service refused is not promised"
        );
    }
    let update = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"{uri}"}}}}"#
    );
    bench.sim.post_text("notify", &update).await;
    for id in ["71", "72"] {
        assert_eq!(
            told(&mut client, "notifications/resources/updated", id).await["params"]["uri"],
            uri
        );
    }
    let untagged = client
        .aside()
        .iter()
        .filter(|line| line.contains("resources/updated"))
        .count();
    assert_eq!(untagged, 0, "the client with the handshake follows nothing");
    assert_eq!(
        client
            .request("resources/subscribe", &json!({ "uri": uri }))
            .await["result"],
        json!({})
    );
    bench.sim.post_text("notify", &update).await;
    for id in ["71", "72"] {
        told(&mut client, "notifications/resources/updated", id).await;
    }
    let plain = |line: &String| (line.contains("resources/updated") && !line.contains(TAG)).then_some(());
    assert!(client.find(plain, PATIENCE).await.is_some());
    // As long as one follows it, the service is not told otherwise.
    cancel(&mut client, "71").await;
    assert_eq!(
        client
            .request("resources/unsubscribe", &json!({ "uri": uri }))
            .await["result"],
        json!({})
    );
    bench.sim.post_text("notify", &update).await;
    told(&mut client, "notifications/resources/updated", "72").await;
    assert_eq!(bench.count("resources/unsubscribe").await, 0);
    cancel(&mut client, "72").await;
    bench
        .until("the service is told", async || {
            bench.count("resources/unsubscribe").await == 1
        })
        .await;
}

/// With the service's own request budget: what a stream asks to follow is asked as the client's own reads are, and the reads
/// for an exit go before it. More than the places there are is not granted.
#[tokio::test]
async fn an_exit_does_not_wait_behind_what_is_followed() {
    let mut desk = Desk::new().await;
    desk.sim = Sim::start_with(&["--auto-consent"]);
    desk.home.settings("");
    desk.home.login(&desk.sim, false).await;
    desk.home.login(&desk.sim, true).await;
    let mut client = desk.client().await;
    let position = json!({ "account": "Sim101", "instrument": "MES 12-26", "quantity": 2 });
    desk.sim.post("position", &position).await;
    client.call("ListAccounts", &json!({})).await;
    // The bucket is full again.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let uris: Vec<String> = (0..256).map(|n| format!("crosstrade://no/such/{n}")).collect();
    let params = modern(json!({ "notifications": { "resourceSubscriptions": uris } }));
    client
        .line(&format!(
            r#"{{"jsonrpc":"2.0","id":71,"method":"subscriptions/listen","params":{params}}}"#
        ))
        .await;
    // All of the burst that it may have is gone.
    let asked = async || desk.sim.get("requests").await["resources/subscribe"].as_u64();
    crate::trade::until("it asks", async || (asked().await? >= 12).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let began = Instant::now();
    client
        .send_call(
            "ClosePosition",
            &json!({ "account": "Sim101", "instrument": "MES 12-26" }),
        )
        .await;
    let held = async || {
        desk.tickets()
            .iter()
            .any(|ticket| ticket["state"] == "held" && ticket["shown_wall"].is_u64())
            .then_some(())
    };
    crate::trade::until("the exit is held", held).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "on the screen after {took:?}");
    let acknowledged = told(&mut client, "notifications/subscriptions/acknowledged", "71").await;
    assert_eq!(acknowledged["params"]["notifications"], json!({}));
    assert!(asked().await <= Some(64));
}

#[tokio::test]
async fn a_wish_that_says_nothing_is_refused() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    for params in [json!({}), json!({ "notifications": [] })] {
        let refused = client.request("subscriptions/listen", &modern(params)).await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }
}
