//! Batches exist in 2025-03-26; each member is judged on its own.

use super::{Bench, everything};
use crate::support::desktop::{Button, Desktop};
use crate::support::program::{Client, Home, status};
use crate::support::sim::Sim;
use serde_json::{Value, json};

fn read(id: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "GetQuote", "arguments": { "instrument": "MES 12-26" } } })
}

/// The array that answers a batch, in the order of ids.
async fn array(client: &mut Client) -> Vec<Value> {
    let found = client
        .find(
            |line| line.starts_with('[').then(|| line.clone()),
            super::PATIENCE,
        )
        .await;
    let line = found.expect("an array");
    let Ok(Value::Array(mut answers)) = serde_json::from_str(&line) else {
        panic!("{line}")
    };
    answers.sort_by_key(|answer| answer["id"].to_string());
    answers
}

#[tokio::test]
async fn a_batch_is_answered_as_one_array() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-03-26").await;
    let batch = json!([
        read(&json!(101)),
        { "jsonrpc": "2.0", "method": "notifications/vendor", "params": {} },
        { "jsonrpc": "2.0", "id": 102, "method": "ping" },
        { "jsonrpc": "2.0", "id": 103, "method": "initialize", "params": {} },
        { "jsonrpc": "2.0", "id": 104, "method": 7 },
        { "jsonrpc": "2.0", "id": 105, "method": "tools/list" },
    ]);
    client.line(&batch.to_string()).await;
    let answers = array(&mut client).await;
    let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [101, 102, 103, 104, 105]);
    assert_eq!(answers[0]["result"]["isError"], false);
    assert_eq!(answers[1]["result"], json!({}));
    assert_eq!(
        answers[2]["error"]["code"], -32600,
        "initialize may not stand in a batch"
    );
    assert_eq!(answers[3]["error"]["code"], -32600);
    assert!(
        answers[4]["result"]["tools"]
            .as_array()
            .is_some_and(|tools| tools.len() > 1)
    );
    assert_eq!(client.until_now().await, [""; 0], "only the array");
    assert!(
        !bench.bodies().await.iter().any(|body| body.starts_with('[')),
        "never batched upstream"
    );
}

#[tokio::test]
async fn a_cancelled_member_is_left_out() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-03-26").await;
    bench
        .fault(&json!({ "kind": "slow", "tool": "GetQuote", "seconds": 60 }))
        .await;
    client
        .line(&json!([read(&json!(1001)), { "jsonrpc": "2.0", "id": 1002, "method": "ping" }]).to_string())
        .await;
    bench
        .until("the call arrives", async || bench.count("tools/call").await > 0)
        .await;
    client
        .line(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1001}}"#)
        .await;
    assert_eq!(array(&mut client).await.len(), 1);
    // A batch of notifications alone has no answer at all.
    client
        .line(r#"[{"jsonrpc":"2.0","method":"notifications/vendor"}]"#)
        .await;
    assert_eq!(client.until_now().await, [""; 0]);
}

#[tokio::test]
async fn an_open_id_keeps_its_own_answer() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-03-26").await;
    bench
        .fault(&json!({ "kind": "slow", "tool": "GetQuote", "seconds": 1 }))
        .await;
    client.line(&read(&json!("one")).to_string()).await;
    client
        .line(&json!([read(&json!("one")), { "jsonrpc": "2.0", "id": "two", "method": "ping" }]).to_string())
        .await;
    let answers = array(&mut client).await;
    assert_eq!(
        (answers[0]["error"]["code"].as_i64(), &answers[1]["id"]),
        (Some(-32600), &json!("two"))
    );
    let own = client.raw_answer("\"one\"").await;
    assert!(own.contains("\"result\""), "{own}");
}

#[tokio::test]
async fn other_revisions_refuse_batches() {
    let bench = Bench::new().await;
    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let mut client = bench.client(version).await;
        let asked = bench.count("tools/call").await;
        client
            .line(&json!([read(&json!(201)), { "jsonrpc": "2.0", "id": 202, "method": "ping" }]).to_string())
            .await;
        for id in [201, 202] {
            assert_eq!(client.answer(id).await["error"]["code"], -32600, "{version}");
        }
        // An error without an id is legal from 2025-11-25 on only.
        client
            .line(r#"[{"jsonrpc":"2.0","method":"notifications/vendor"}]"#)
            .await;
        let rest = client.until_now().await;
        assert_eq!(
            rest.len(),
            usize::from(version == "2025-11-25"),
            "{version}: {rest:?}"
        );
        assert_eq!(
            bench.count("tools/call").await,
            asked,
            "{version}: nothing of it was sent"
        );
        client.close().await;
    }
}

#[tokio::test]
async fn a_trade_call_in_a_batch_is_held_like_any_other() {
    let desktop = Desktop::start();
    let home = Home::on(desktop.folder(), desktop.env()).with("COUNTERSIGN_STORE", "file");
    let sim = Sim::start(&[]);
    home.login(&sim, false).await;
    home.login(&sim, true).await;
    let mut client = home.serve(&sim).await;
    client.hello_as("2025-03-26", &everything()).await;
    let order = json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": 1, "tif": "Day" });
    let call = json!({ "jsonrpc": "2.0", "id": 301, "method": "tools/call", "params": { "name": "PlaceOrder", "arguments": order } });
    client.line(&json!([read(&json!(302)), call]).to_string()).await;
    desktop.settle();
    desktop.click(Button::Left);
    let answers = array(&mut client).await;
    assert_eq!(answers.len(), 2);
    assert_eq!(status(&answers[0]["result"]), "denied", "{}", answers[0]);
    assert_eq!(answers[1]["result"]["isError"], false);
    assert_eq!(sim.executed().await, [""; 0]);
}
