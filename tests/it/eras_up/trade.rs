//! A held order on a service that speaks 2026-07-28.

use super::*;
use crate::support::desktop::{Button, Desktop};
use crate::support::program::{status, text};
use crate::trade::{Desk, buy};

/// What stands in headers is what stands in the call, and the call is what was shown.
#[tokio::test]
async fn an_approved_order_is_executed_once() {
    let desk = Desk::with(&["--era", "modern", "--mirrored"]).await;
    desk.sim.post("reset", &Value::Null).await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    client.close().await;
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
    let calls = desk.sim.calls().await;
    let order = calls
        .iter()
        .find(|call| call["tool"] == "PlaceOrder")
        .expect("the order");
    assert_eq!(order["protocol_version"], MODERN, "{order}");
    assert_eq!(order["mirrored"]["mcp-name"], "PlaceOrder", "{order}");
    assert_eq!(order["mirrored"]["mcp-param-account"], "Sim101", "{order}");
    assert_eq!(order["mirrored"]["mcp-param-instrument"], "MES 12-26", "{order}");
    assert_eq!(order["mirrored"]["mcp-param-quantity"], "1", "{order}");
    for call in calls.iter().filter(|call| call["grant"] == "mcp:trade") {
        let method = call["method"].as_str().unwrap_or_default();
        assert!(
            matches!(method, "server/discover" | "tools/list") || call["tool"] == "PlaceOrder",
            "its own lifecycle alone: {call}"
        );
        assert_eq!(call["http"], "POST", "{call}");
    }
    // Nothing can be asked of it in the middle of a call.
    let raw = desk.sim.get("raw?n=400").await;
    let sent: Vec<Value> = raw
        .as_array()
        .expect("bodies")
        .iter()
        .filter_map(|body| serde_json::from_str(body["text"].as_str()?).ok())
        .filter(|body: &Value| body["params"]["name"] == "PlaceOrder")
        .collect();
    assert_eq!(sent.len(), 1);
    let meta = &sent[0]["params"]["_meta"];
    assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], json!({}));
    assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], MODERN);
    assert_eq!(sent[0]["params"]["arguments"], buy());
}

#[tokio::test]
async fn a_denied_order_is_not_sent() {
    let desk = Desk::with(&["--era", "modern"]).await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.desktop.click(Button::Left);
    let result = client.result(id).await;
    assert_eq!(status(&result), "denied", "{}", text(&result));
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 0);
    desk.check(&[], &["held", "denied"]).await;
}

/// The tool is refused before anybody is asked, and not as one that does not exist.
#[tokio::test]
async fn an_order_whose_definition_cannot_be_followed_is_refused() {
    let desktop = Desktop::start();
    let home = Home::on(desktop.folder(), desktop.env()).with("COUNTERSIGN_STORE", "file");
    let sim = Sim::start(&["--era", "modern"]);
    sim.post("mirror", &json!({ "unsound": "PlaceOrder" })).await;
    home.login(&sim, false).await;
    let (code, said, err) = home.try_login(&sim, &["--trade"]).await;
    assert_eq!(code, 0, "{said}{err}");
    assert!(
        said.contains("NOT OFFERED") && said.contains("PlaceOrder"),
        "{said}"
    );
    let mut client = home.serve(&sim).await.hello().await;
    let tools = client.request("tools/list", &json!({})).await.to_string();
    assert!(!tools.contains("\"PlaceOrder\"") && tools.contains("\"CancelOrder\""));
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(result["isError"], true, "{result}");
    assert!(text(&result).starts_with("NOT SENT"), "{}", text(&result));
    assert!(
        text(&result).contains("the protocol forbids"),
        "{}",
        text(&result)
    );
    desktop.no_popup();
    client.close().await;
    assert_eq!(sim.executed().await, [""; 0]);
}

/// A question or a task instead of a result: what happened is open, and no further round is made.
async fn left_open(answer: Value) {
    let desk = Desk::with(&["--era", "modern"]).await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.sim
        .post_text("answer", &format!(r#"{{"tool":"PlaceOrder","result":{answer}}}"#))
        .await;
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "unknown", "{}", text(&result));
    assert!(text(&result).starts_with("OUTCOME UNKNOWN"), "{}", text(&result));
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1, "no further round");
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"]);
}

#[tokio::test]
async fn a_question_as_the_answer_to_an_order_leaves_it_open() {
    let question = json!({ "method": "roots/list" });
    left_open(
        json!({ "resultType": "input_required", "inputRequests": { "a": question }, "requestState": "s" }),
    )
    .await;
}

#[tokio::test]
async fn a_task_as_the_answer_to_an_order_leaves_it_open() {
    left_open(json!({ "resultType": "task", "taskId": "t-1", "status": "working" })).await;
}
