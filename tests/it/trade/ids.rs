//! An id that a client takes back may be another request's a moment later: conversations that share a pipe number theirs alike.

use super::*;

/// Cancels the request of this id, and makes this one under the same id, in one write: nothing else has a turn between them.
async fn instead(client: &mut Client, id: u64, call: Value) {
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    let next = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call });
    client.line(&format!("{cancel}\n{next}")).await;
}

async fn early(client: &mut Client, id: u64) -> Option<Value> {
    let answers = |line: &String| {
        let message: Value = serde_json::from_str(line).expect("JSON");
        (message["id"] == id && message["method"].is_null()).then_some(message)
    };
    client.find(answers, Duration::from_secs(2)).await
}

#[tokio::test]
async fn an_order_is_not_answered_with_the_end_of_another() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let other = json!({ "name": "PlaceOrder", "arguments": bid(5990.25) });
    instead(&mut client, id, other).await;
    let told = early(&mut client, id).await;
    assert_eq!(told, None, "the second waits for the person");
    desk.journaled("withdrawn").await;
    client.close().await;
}

#[tokio::test]
async fn a_wait_that_is_taken_back_answers_nothing_else() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let ticket = desk.tickets().first().map(|ticket| ticket["id"].clone());
    let waits = json!({ "ticket": ticket.expect("it is held") });
    let id = client.send_call("countersign_await_approval", &waits).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let again = json!({ "name": "countersign_await_approval", "arguments": waits });
    instead(&mut client, id, again).await;
    let told = early(&mut client, id).await;
    assert_eq!(told, None, "the second waits as well");
    client.close().await;
}
