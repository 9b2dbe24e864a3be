//! A lost answer: what the looks at orders, fills and positions find, and how it is told.

use super::*;

/// Approves this order with that fault: nobody knows what became of it.
async fn unknown(desk: &Desk, client: &mut Client, order: &Value, fault: &str) -> String {
    let id = desk.hold(client, "PlaceOrder", order).await;
    let fault = json!({ "kind": fault, "tool": "PlaceOrder", "scope": "mcp:trade" });
    desk.sim.post("fault", &fault).await;
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "unknown", "{}", text(&told));
    ticket(&told)
}

async fn awaited(client: &mut Client, ticket: &str) -> String {
    let told = client
        .call("countersign_await_approval", &json!({ "ticket": ticket }))
        .await;
    text(&told).to_owned()
}

/// Waits until the client is told this of the ticket.
async fn told(client: &mut Client, ticket: &str, part: &str) {
    let end = Instant::now() + Duration::from_secs(45);
    loop {
        let said = awaited(client, ticket).await;
        if said.contains(part) {
            return;
        }
        assert!(Instant::now() < end, "waited for {part}; the last word: {said}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn looks(desk: &Desk) -> usize {
    let calls = desk.sim.calls().await;
    calls
        .iter()
        .filter(|call| call["tool"] == "ListExecutions")
        .count()
}

fn looked(desk: &Desk) -> Vec<Value> {
    let journal = desk.home.journal();
    journal
        .into_iter()
        .filter(|entry| entry["kind"] == "looked")
        .collect()
}

/// A resting order shows up in the list only after 20 s: until then it is "not found", never "not executed".
#[tokio::test]
async fn an_order_that_shows_up_late() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.sim
        .post("fault", &json!({ "kind": "lag_orders", "seconds": 20 }))
        .await;
    let ticket = unknown(&desk, &mut client, &bid(5000.0), "cut_after").await;
    told(&mut client, &ticket, "NOT FOUND in orders").await;
    let said = awaited(&mut client, &ticket).await;
    assert!(said.contains("does not prove that it did not run"), "{said}");
    assert!(said.contains("looks again"), "{said}");
    told(&mut client, &ticket, "FOUND: the new order").await;
    let looked = looked(&desk);
    assert_eq!(looked.len(), 1, "{looked:?}");
    assert_eq!(looked[0]["finished"], true);
    desk.screen.until("FOUND: the new order").await;
    // Told everywhere until the person says that they looked.
    for words in [
        &["pending"][..],
        &["acknowledge"],
        &["status", "--url", &desk.sim.url],
    ] {
        let (_, stdout, stderr) = desk.home.run(words).await;
        assert!(
            stdout.contains("FOUND: the new order"),
            "{words:?} {stdout}{stderr}"
        );
    }
    let standing = client.call("countersign_status", &json!({})).await;
    assert_eq!(
        standing["structuredContent"]["unknownOutcomes"],
        json!([ticket]),
        "{standing}"
    );
    assert_eq!(desk.home.run(&["acknowledge", &ticket]).await.0, 0);
    let (_, stdout, _) = desk.home.run(&["pending"]).await;
    assert!(!stdout.contains("UNKNOWN"), "{stdout}");
    let standing = client.call("countersign_status", &json!({})).await;
    assert_eq!(standing["structuredContent"]["unknownOutcomes"], json!([]));
    assert_eq!(desk.sent("PlaceOrder").await, 1);
}

/// The list never shows it: its fill and the moved position do.
#[tokio::test]
async fn a_filled_order_that_no_list_shows() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.sim
        .post("fault", &json!({ "kind": "lag_orders", "seconds": 600 }))
        .await;
    let ticket = unknown(&desk, &mut client, &buy(), "408_after").await;
    told(&mut client, &ticket, "and the position moved by as much").await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
}

/// An older order of the same side, size and price rests there: it is no proof of the one that was lost.
#[tokio::test]
async fn an_older_order_that_looks_the_same() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &bid(5000.0)).await;
    desk.desktop.click(Button::Middle);
    assert_eq!(status(&client.result(id).await), "accepted");
    let ticket = unknown(&desk, &mut client, &bid(5000.0), "cut_before").await;
    told(&mut client, &ticket, "NOT FOUND in orders").await;
    client.close().await;
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"]);
    assert!(!desk.screen.text().contains("FOUND: the"), "never told as found");
}

/// `NinjaTrader` goes away with the answer and comes back: nobody could look, then it is found.
#[tokio::test]
async fn ninjatrader_is_gone_while_it_is_looked_for() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let ticket = unknown(&desk, &mut client, &bid(5000.0), "408_after").await;
    desk.sim.post("fault", &json!({ "kind": "addon_down" })).await;
    told(
        &mut client,
        &ticket,
        "COULD NOT LOOK: NinjaTrader or its add-on is not connected",
    )
    .await;
    desk.sim.post("fault", &json!({ "kind": "addon_up" })).await;
    told(&mut client, &ticket, "FOUND: the new order").await;
}

/// The process that looks is killed: one of two others takes the looks up, with what was there before, and one alone.
#[tokio::test]
async fn a_look_that_was_cut_short_is_taken_up() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let ticket = unknown(&desk, &mut client, &bid(5000.0), "408_after").await;
    client.kill().await;
    assert_eq!(looks(&desk).await, 0, "killed before the first look");
    let (mut two, three) = (desk.client().await, desk.client().await);
    told(&mut two, &ticket, "FOUND: the new order").await;
    desk.journaled("looked").await;
    three.close().await;
    two.close().await;
    assert_eq!(looks(&desk).await, 1, "two processes never both look");
    desk.check(&["PlaceOrder"], &["held", "approved", "unknown", "looked"])
        .await;
}

/// The client leaves before the first look: that is written down as it is, and the next process corrects it.
#[tokio::test]
async fn a_look_that_an_exit_cut_short_is_corrected_later() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let ticket = unknown(&desk, &mut client, &bid(5000.0), "408_after").await;
    client.close().await;
    let first = looked(&desk);
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(first[0]["finished"], false, "{first:?}");
    let mut next = desk.client().await;
    told(&mut next, &ticket, "FOUND: the new order").await;
    until("the correction", async || {
        (looked(&desk).len() == 2).then_some(())
    })
    .await;
    let both = looked(&desk);
    assert_eq!(both[1]["finished"], true, "{both:?}");
    assert!(both[1]["order"].is_string(), "{both:?}");
    desk.screen.until("FOUND: the new order").await;
}
