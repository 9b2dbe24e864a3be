//! Faults on the order itself, on a service of the newer era: executed at most once, and nothing claimed that is not known.

use super::*;
use crate::support::desktop::Button;
use crate::support::program::{status, text};
use crate::trade::{Desk, bid, buy};

/// Approves one order under a fault, and returns what became of it.
async fn approve_under(era: &str, fault: Value) -> (Desk, Client, Value) {
    let (desk, mut client, id) = approved_under(era, &buy(), fault).await;
    let result = client.result(id).await;
    (desk, client, result)
}

/// Approves this order under a fault; the call's id.
async fn approved_under(era: &str, order: &Value, fault: Value) -> (Desk, Client, u64) {
    let desk = Desk::with(&["--era", era]).await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", order).await;
    let mut whole = json!({ "tool": "PlaceOrder", "scope": "mcp:trade" });
    for (key, value) in fault.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
    desk.sim.post("fault", &whole).await;
    desk.desktop.click(Button::Middle);
    (desk, client, id)
}

/// The card comes back, and is approved once more; what became of it.
async fn once_more(desk: &Desk, client: &mut Client, id: u64) -> Value {
    desk.journaled("not_run").await;
    assert_eq!(desk.sent("PlaceOrder").await, 1, "no approval is used twice");
    desk.screen.until("APPROVE ONCE MORE TO SEND IT").await;
    desk.card().await;
    desk.desktop.click(Button::Middle);
    client.result(id).await
}

/// Nobody knows; it is looked for, and never sent again.
async fn unknown(fault: Value, executed: &[&str]) {
    let (desk, client, result) = approve_under("modern", fault).await;
    assert_eq!(status(&result), "unknown", "{}", text(&result));
    assert!(text(&result).starts_with("OUTCOME UNKNOWN"), "{}", text(&result));
    assert!(
        text(&result).contains("Do NOT send it again"),
        "{}",
        text(&result)
    );
    if !executed.is_empty() {
        let looked = desk.journaled("looked").await;
        let found = looked["found"].as_str().expect("a finding");
        assert!(found.starts_with("FOUND"), "{looked}");
    }
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    desk.check(executed, &["held", "approved", "unknown", "looked"])
        .await;
}

#[tokio::test]
async fn cut_before_it_was_taken() {
    unknown(json!({ "kind": "cut_before" }), &[]).await;
}

#[tokio::test]
async fn cut_before_the_head_of_the_answer() {
    unknown(json!({ "kind": "cut_after" }), &["PlaceOrder"]).await;
}

/// Without event ids there is nothing to take up again, and nothing is asked for.
#[tokio::test]
async fn cut_in_the_middle_of_the_stream() {
    unknown(json!({ "kind": "sse_cut_midevent" }), &["PlaceOrder"]).await;
}

#[tokio::test]
async fn a_500_after_it_ran() {
    unknown(json!({ "kind": "500", "execute": true }), &["PlaceOrder"]).await;
}

#[tokio::test]
async fn a_408_after_it_ran() {
    unknown(json!({ "kind": "408_after" }), &["PlaceOrder"]).await;
}

/// The older era does not know these codes: a server may mean anything by them, and may have run the order.
#[tokio::test]
async fn codes_of_the_newer_era_prove_nothing_in_the_older_one() {
    for kind in ["-32020", "-32022"] {
        let fault = json!({ "kind": kind, "execute": true });
        let (desk, client, result) = approve_under("legacy", fault).await;
        assert_eq!(status(&result), "unknown", "{kind}: {}", text(&result));
        client.close().await;
        assert_eq!(desk.sent("PlaceOrder").await, 1, "{kind}");
        assert_eq!(desk.sim.executed().await, ["PlaceOrder"], "{kind}");
    }
}

/// A server that breaks its own protocol and runs what it says that it refused: the lists show a position, or a resting
/// order, that was not there before.
#[tokio::test]
async fn a_refusal_that_was_none_is_seen_before_a_second_sending() {
    for order in [buy(), bid(5000.0)] {
        let fault = json!({ "kind": "-32020", "execute": true });
        let (desk, mut client, id) = approved_under("modern", &order, fault).await;
        let result = client.result(id).await;
        assert_eq!(status(&result), "unknown", "{}", text(&result));
        client.close().await;
        assert_eq!(desk.sent("PlaceOrder").await, 1);
        assert_eq!(desk.sim.executed().await, ["PlaceOrder"]);
    }
}

/// The headers were refused, so it was not run: the person is asked again.
#[tokio::test]
async fn other_headers_once() {
    let (desk, mut client, id) = approved_under("modern", &buy(), json!({ "kind": "-32020" })).await;
    let result = once_more(&desk, &mut client, id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 2);
    let kinds = ["held", "approved", "not_run", "approved", "accepted"];
    desk.check(&["PlaceOrder"], &kinds).await;
}

#[tokio::test]
async fn other_headers_for_ever() {
    let fault = json!({ "kind": "-32020", "times": 0 });
    let (desk, mut client, id) = approved_under("modern", &buy(), fault).await;
    let result = once_more(&desk, &mut client, id).await;
    assert_eq!(status(&result), "voided", "{}", text(&result));
    assert!(text(&result).starts_with("NOT SENT"), "{}", text(&result));
    client.close().await;
    assert!(desk.sent("PlaceOrder").await <= 2);
    assert_eq!(desk.sim.executed().await, [""; 0]);
}

/// The headers were refused since the tool is described otherwise by now: that ends it before anything is sent again.
#[tokio::test]
async fn other_headers_of_another_definition() {
    let desk = Desk::with(&["--era", "modern"]).await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.sim
        .post("mirror", &json!({ "on": true, "quietly": true }))
        .await;
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "voided", "{}", text(&result));
    assert!(
        text(&result).contains("changed its description"),
        "{}",
        text(&result)
    );
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    assert_eq!(desk.sim.executed().await, [""; 0]);
}

/// The service gives the newer revision up with this very call: not run, and after another approval sent as the older one
/// is spoken.
#[tokio::test]
async fn the_revision_is_not_spoken_any_more() {
    let (desk, mut client, id) = approved_under("both", &buy(), json!({ "kind": "-32022" })).await;
    let result = once_more(&desk, &mut client, id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    client.close().await;
    let calls = desk.sim.calls().await;
    let versions: Vec<&str> = calls
        .iter()
        .filter(|call| call["tool"] == "PlaceOrder")
        .map(|call| call["protocol_version"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(versions, [MODERN, "2025-11-25"]);
    let kinds = ["held", "approved", "not_run", "approved", "accepted"];
    desk.check(&["PlaceOrder"], &kinds).await;
}
