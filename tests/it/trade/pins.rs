//! Pinned definitions: what the person trusted at sign-in is what may trade.

use super::*;

async fn listed(client: &mut Client, tool: &str) -> Option<Value> {
    let answer = client.request("tools/list", &json!({})).await;
    let tools = answer["result"]["tools"].as_array().expect("tools").clone();
    tools.into_iter().find(|definition| definition["name"] == tool)
}

#[tokio::test]
async fn a_changed_definition_is_refused_and_the_client_keeps_the_pinned_one() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let before = listed(&mut client, "PlaceOrder").await.expect("PlaceOrder");
    desk.sim.fault("schema_change", "").await;
    // The trade grant's list is seen when the lane is warmed: whatever comes first, nothing is sent.
    let id = client.send_call("PlaceOrder", &buy()).await;
    let result = client.result(id).await;
    assert!(matches!(status(&result), "refused" | "voided"), "{result}");
    assert!(
        text(&result).contains("description") || text(&result).contains("describes"),
        "{}",
        text(&result)
    );
    let again = client.call("PlaceOrder", &buy()).await;
    assert_eq!(
        again["structuredContent"]["code"], "definition_changed",
        "{again}"
    );
    assert_eq!(
        listed(&mut client, "PlaceOrder").await.expect("PlaceOrder"),
        before
    );
    let mut second = desk.client().await;
    assert_eq!(
        second.call("PlaceOrder", &buy()).await["structuredContent"]["code"],
        "definition_changed"
    );
    assert_eq!(
        listed(&mut second, "PlaceOrder").await.expect("PlaceOrder"),
        before
    );
    assert_eq!(desk.sim.executed().await, [""; 0]);
    assert_eq!(desk.sent("PlaceOrder").await, 0);
}

/// An approval that comes while the definition changes sends nothing.
#[tokio::test]
async fn it_changes_while_the_card_is_up() {
    let desk = Desk::new().await;
    let (mut one, mut two) = (desk.client().await, desk.client().await);
    let id = desk.hold(&mut one, "PlaceOrder", &buy()).await;
    desk.sim.fault("schema_change", "").await;
    // Another held call warms its own lane, sees the new list, and leaves it for all.
    let other = two.send_call("PlaceOrder", &bid(5000.0)).await;
    desk.desktop.click(Button::Left);
    let (one, two) = (one.result(id).await, two.result(other).await);
    // The one click denies whichever card stood there by then; the other call is ended by the change.
    let ended = [status(&one), status(&two)];
    assert!(
        ended
            .iter()
            .all(|end| ["denied", "refused", "voided"].contains(end)),
        "{one} {two}"
    );
    assert_ne!(ended, ["denied"; 2], "{one} {two}");
    assert_eq!(desk.sent("PlaceOrder").await, 0);
}

#[tokio::test]
async fn a_new_tool_is_refused_until_it_is_pinned() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let known = client.request("tools/list", &json!({})).await["result"]["tools"]
        .as_array()
        .expect("tools")
        .len();
    desk.sim.fault("new_tool", "").await;
    let calls = desk.sim.calls().await;
    let result = client.call("PlaceEverything", &json!({})).await;
    assert_eq!(status(&result), "refused", "{result}");
    assert!(text(&result).starts_with("NOT SENT"), "{}", text(&result));
    let now = client.request("tools/list", &json!({})).await["result"]["tools"]
        .as_array()
        .expect("tools")
        .len();
    assert!(now <= known, "a tool that nobody pinned is not offered");
    let after = desk.sim.calls().await;
    let sent = after
        .iter()
        .skip(calls.len())
        .any(|call| call["tool"] == "PlaceEverything");
    assert!(!sent);
    assert_eq!(desk.sim.executed().await, [""; 0]);
}
