//! A client of 2026-07-28 at a service of 2026-07-28: passed on as it is, and held all the same.

use super::*;
use crate::support::desktop::Button;
use crate::support::program::{status, text};
use crate::trade::{Desk, buy};

/// Section 2.5: no handshake on either side; what the service says of its answers' life is not touched.
#[tokio::test]
async fn reads_pass_as_they_are() {
    let (home, sim) = (Home::new(), Sim::start(&["--era", "modern"]));
    home.login(&sim, false).await;
    sim.post("reset", &Value::Null).await;
    let bench = Bench { home, sim };
    let mut client = bench.client().await;
    let found = client.request("server/discover", &modern(json!({}))).await;
    assert_eq!(found["result"]["supportedVersions"][0], "2026-07-28", "{found}");
    let read = client
        .request(
            "tools/call",
            &by(
                "Same",
                &json!({}),
                json!({ "name": "GetQuote", "arguments": quote() }),
            ),
        )
        .await;
    assert_eq!(
        (&read["result"]["isError"], &read["result"]["resultType"]),
        (&json!(false), &json!("complete")),
        "{read}"
    );
    let listed = client.request("resources/list", &modern(json!({}))).await;
    assert_eq!(
        listed["result"]["ttlMs"], 5000,
        "the service's own hint: {listed}"
    );
    assert_eq!(bench.count("initialize").await, 0);
    let raw = bench.sim.get("raw?n=400").await;
    let bodies: Vec<&str> = raw
        .as_array()
        .expect("an array")
        .iter()
        .filter_map(|entry| entry["text"].as_str())
        .collect();
    let asked = bodies
        .iter()
        .find(|body| body.contains("GetQuote"))
        .expect("the read");
    assert!(
        asked.contains(r#""name":"Same""#),
        "the client's own words: {asked}"
    );
    // What changes there is told here, under the client's own id.
    let params = modern(json!({ "notifications": { "toolsListChanged": true } }));
    client
        .line(&format!(
            r#"{{"jsonrpc":"2.0","id":"L","method":"subscriptions/listen","params":{params}}}"#
        ))
        .await;
    bench
        .until("our own stream", async || {
            bench.count("subscriptions/listen").await >= 1
        })
        .await;
    client.request("tools/list", &modern(json!({}))).await;
    let before = bench.count("tools/list").await;
    bench.sim.fault("new_tool", "").await;
    bench
        .until("the list is looked at anew", async || {
            bench.count("tools/list").await > before
        })
        .await;
    // It is a tool that trades, so the reading list stays; the trading tools appear with the sign-in for them.
    bench.home.login(&bench.sim, true).await;
    let told = |line: &String| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        (value["method"] == "notifications/tools/list_changed").then_some(value)
    };
    let told = client.find(told, PATIENCE).await.expect("told");
    assert_eq!(
        told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "L",
        "{told}"
    );
}

/// The same hold, the same ticket, one order.
#[tokio::test]
async fn an_order_is_held_and_sent_once() {
    let desk = Desk::with(&["--era", "modern"]).await;
    let mut client = desk.home.serve(&desk.sim).await;
    let order = call("PlaceOrder", &buy());
    let id = client.send("tools/call", &order).await;
    desk.card().await;
    assert_eq!(desk.sent("PlaceOrder").await, 0);
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(
        (status(&result), &result["resultType"]),
        ("accepted", &json!("complete")),
        "{}",
        text(&result)
    );
    client.close().await;
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
}
