//! The gate is the same in both eras: what trades is held, and nothing slips past it.

use super::*;
use crate::support::desktop::Button;
use crate::support::program::{status, text};
use crate::trade::{Desk, buy, ticket};

/// Sends an order as a modern client does; its id, once its card can be read.
async fn hold(desk: &Desk, client: &mut Client, params: &Value) -> u64 {
    let id = client.send("tools/call", params).await;
    desk.card().await;
    id
}

/// The order goes out once, when the person has approved it; the card names the client of that very request.
#[tokio::test]
async fn approved() {
    let desk = Desk::new().await;
    let mut client = desk.home.serve(&desk.sim).await;
    client.request("server/discover", &modern(json!({}))).await;
    let mut order = by(
        "Era \u{7}<b>Client</b>",
        &json!({}),
        json!({ "name": "PlaceOrder", "arguments": buy() }),
    );
    order["_meta"]["progressToken"] = "p1".into();
    let id = hold(&desk, &mut client, &order).await;
    let shown = desk.screen.text();
    assert!(
        shown.contains("Era <b>Client</b>") || shown.contains("Era &lt;b&gt;Client&lt;/b&gt;"),
        "the client's name on the card: {shown}"
    );
    assert_eq!(desk.tickets()[0]["client"], "Era <b>Client</b>");
    desk.desktop.screenshot("eras-approve");
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(result["resultType"], "complete", "{result}");
    let progress = |line: &String| line.contains(r#""progressToken":"p1""#).then_some(());
    assert!(
        client.find(progress, Duration::from_millis(1)).await.is_some(),
        "{:?}",
        client.aside()
    );
    client.close().await;
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
}

/// Denied: nothing was executed, and the answer says so first.
#[tokio::test]
async fn denied() {
    let desk = Desk::new().await;
    let mut client = desk.home.serve(&desk.sim).await;
    let id = hold(&desk, &mut client, &call("PlaceOrder", &buy())).await;
    desk.desktop.click(Button::Left);
    let result = client.result(id).await;
    assert_eq!(
        (status(&result), &result["isError"]),
        ("denied", &json!(true)),
        "{result}"
    );
    assert_eq!(result["resultType"], "complete");
    assert!(text(&result).starts_with("NOT SENT"), "{}", text(&result));
    client.close().await;
    desk.check(&[], &["held", "denied"]).await;
    assert_eq!(desk.sent("PlaceOrder").await, 0);
}

/// C-01, C-04: the cancel of a held call withdraws it; nothing is sent, and nothing is answered.
#[tokio::test]
async fn cancelled() {
    let desk = Desk::new().await;
    let mut client = desk.home.serve(&desk.sim).await;
    let id = hold(&desk, &mut client, &call("PlaceOrder", &buy())).await;
    client
        .line(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        ))
        .await;
    desk.journaled("withdrawn").await;
    let said = until_now(&mut client).await;
    assert!(
        said.iter().all(|line| !line.contains(&format!(r#""id":{id},"#))),
        "{said:?}"
    );
    client.close().await;
    desk.check(&[], &["held", "withdrawn"]).await;
}

/// The person takes longer than the client waits: the answer says so, and the waiting tool has the outcome, by the next
/// client of that pipe too. The trade tool is never needed again.
#[tokio::test]
async fn the_person_takes_their_time() {
    let desk = Desk::new().await;
    desk.home
        .settings("requests_per_second = 0.0\nhold_seconds = 5\n");
    let mut client = desk.home.serve(&desk.sim).await;
    let id = hold(&desk, &mut client, &call("PlaceOrder", &buy())).await;
    let waiting = client.result(id).await;
    assert_eq!(status(&waiting), "not_sent_waiting_for_person", "{waiting}");
    assert_eq!(waiting["resultType"], "complete");
    assert!(text(&waiting).starts_with("NOT SENT"), "{}", text(&waiting));
    // The cancel of what was answered withdraws nothing.
    client
        .line(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        ))
        .await;
    desk.desktop.click(Button::Middle);
    desk.journaled("accepted").await;
    let waits = json!({ "name": "countersign_await_approval", "arguments": { "ticket": ticket(&waiting) } });
    let waits = client.send("tools/call", &by("Next", &json!({}), waits)).await;
    let outcome = client.result(waits).await;
    assert_eq!(status(&outcome), "accepted", "{}", text(&outcome));
    client.close().await;
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
}

/// `_meta` is no part of what was approved: the same order said by another client, in the other era, with other `_meta` is
/// the same ticket, and is not placed twice.
#[tokio::test]
async fn the_same_order_in_both_eras_is_one_ticket() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let first = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let mut again = by(
        "Another",
        &json!({ "sampling": {} }),
        json!({ "name": "PlaceOrder", "arguments": buy() }),
    );
    again["_meta"]["vendor/x"] = json!({ "approved": true });
    let told = client.request("tools/call", &again).await;
    assert_eq!(status(&told["result"]), "already_waiting", "{told}");
    let id = desk.tickets()[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(ticket(&told["result"]), id);
    // And the waiting tool tells the outcome in either era.
    let waits = call("countersign_await_approval", &json!({ "ticket": id }));
    let waits = client.send("tools/call", &waits).await;
    desk.desktop.click(Button::Middle);
    let result = client.result(first).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert!(
        result.get("resultType").is_none(),
        "the older era has no such word: {result}"
    );
    let outcome = client.result(waits).await;
    assert_eq!(
        (status(&outcome), &outcome["resultType"]),
        ("accepted", &json!("complete")),
        "{outcome}"
    );
    client.close().await;
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
}

/// Nothing that the newer era brings gets an order past the person: a task, a further round, a batch, a notification, an
/// unknown method, a spelling that another reader would read otherwise.
#[tokio::test]
async fn nothing_slips_past() {
    let desk = Desk::with(&["--era", "both"]).await;
    let mut client = desk.home.serve(&desk.sim).await;
    client.request("server/discover", &modern(json!({}))).await;
    let tasks = json!({ "extensions": { "io.modelcontextprotocol/tasks": {} }, "elicitation": {} });
    for more in [
        json!({ "task": { "ttl": 60000 } }),
        json!({ "inputResponses": { "q0": { "action": "accept" } } }),
        json!({ "requestState": "abc" }),
        json!({ "inputResponses": {}, "requestState": "abc" }),
        json!({ "approved": true }),
    ] {
        let mut params = by("Sly", &tasks, json!({ "name": "PlaceOrder", "arguments": buy() }));
        for (key, value) in more.as_object().expect("an object") {
            params[key] = value.clone();
        }
        let refused = client.request("tools/call", &params).await;
        let result = &refused["result"];
        assert_eq!(
            (status(result), &result["resultType"]),
            ("refused", &json!("complete")),
            "{more}: {refused}"
        );
        assert!(text(result).starts_with("NOT SENT"), "{refused}");
    }
    let order = by("Sly", &tasks, json!({ "name": "PlaceOrder", "arguments": buy() }));
    // A batch, in which no member of this revision may stand.
    let batch = json!([{ "jsonrpc": "2.0", "id": "b1", "method": "tools/call", "params": order }]);
    client.line(&batch.to_string()).await;
    let fits = |line: &String| line.contains(r#""id":"b1""#).then(|| line.clone());
    let answer = client.find(fits, PATIENCE).await.expect("an answer");
    assert!(answer.contains("-32600"), "{answer}");
    // A notification, of either era.
    for params in [order.clone(), json!({ "name": "PlaceOrder", "arguments": buy() })] {
        client
            .line(&json!({ "jsonrpc": "2.0", "method": "tools/call", "params": params }).to_string())
            .await;
    }
    // The methods of tasks, and one that nobody knows.
    for method in [
        "tasks/update",
        "tasks/get",
        "vendor/place",
        "tools/call ",
        "Tools/Call",
    ] {
        let mut params = order.clone();
        params["taskId"] = "1".into();
        let answer = client.request(method, &params).await;
        assert!(answer.get("error").is_some(), "{method}: {answer}");
    }
    // Twice the same word, and a twin of it.
    let meta = order["_meta"].to_string();
    for params in [
        format!(
            r#"{{"name":"GetQuote","name":"PlaceOrder","arguments":{},"_meta":{meta}}}"#,
            buy()
        ),
        format!(
            r#"{{"name":"GetQuote","Name":"PlaceOrder","arguments":{},"_meta":{meta}}}"#,
            buy()
        ),
        format!(
            r#"{{"name":"PlaceOrder","arguments":{},"_meta":{meta},"_meta":{meta}}}"#,
            buy()
        ),
    ] {
        client
            .line(&format!(
                r#"{{"jsonrpc":"2.0","id":"twice","method":"tools/call","params":{params}}}"#
            ))
            .await;
        let answer = client.raw_answer(r#""twice""#).await;
        assert!(answer.contains("NOT SENT"), "{answer}");
    }
    until_now(&mut client).await;
    client.close().await;
    assert_eq!(desk.sim.executed().await, [""; 0]);
    assert_eq!(desk.sent("PlaceOrder").await, 0);
    assert!(!desk.screen.asked(), "nobody was asked");
    assert_eq!(desk.tickets().len(), 0);
    // Nor did any of it reach the service with the read grant as a call of that tool.
    let calls = desk.sim.calls().await;
    let reached = calls.iter().filter(|call| call["tool"] == "PlaceOrder");
    let reached: Vec<&Value> = reached.filter(|call| call["method"] == "tools/call").collect();
    assert!(reached.is_empty(), "{reached:?}");
}
