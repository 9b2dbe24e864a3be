//! Exits come first: no brake stands in their way, their cards go up at once, and one that does not go out is told.

use super::*;

async fn long(desk: &Desk, quantity: i32) {
    let position = json!({ "account": "Sim101", "instrument": "MES 12-26", "quantity": quantity });
    desk.sim.post("position", &position).await;
}

fn close() -> Value {
    json!({ "account": "Sim101", "instrument": "MES 12-26" })
}

/// Three denials: entries pause.
async fn pause(desk: &Desk, client: &mut Client) {
    for price in [5000.0, 5001.0, 5002.0] {
        let id = desk.hold(client, "PlaceOrder", &bid(price)).await;
        desk.desktop.click(Button::Left);
        assert_eq!(status(&client.result(id).await), "denied");
        // After the third the notice of the pause stays.
        if price < 5002.0 {
            desk.desktop.no_popup();
        }
    }
    desk.screen.until("New orders are paused").await;
    let paused = client.call("PlaceOrder", &bid(5003.0)).await;
    assert_eq!(paused["structuredContent"]["code"], "paused", "{paused}");
}

#[tokio::test]
async fn an_exit_asks_while_entries_pause() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    pause(&desk, &mut client).await;
    long(&desk, 2).await;
    let id = desk.hold(&mut client, "ClosePosition", &close()).await;
    desk.desktop.screenshot("trade-exit");
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    long(&desk, 2).await;
    let id = desk
        .hold(&mut client, "Flatten", &json!({ "account": "Sim101" }))
        .await;
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    assert_eq!(desk.sim.executed().await, ["ClosePosition", "Flatten"]);
}

/// An order that only reduces is an exit too, whatever its tool.
#[tokio::test]
async fn a_reducing_order_asks_while_entries_pause() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    pause(&desk, &mut client).await;
    long(&desk, 2).await;
    let mut sell = buy();
    sell["side"] = "Sell".into();
    let id = desk.hold(&mut client, "PlaceOrder", &sell).await;
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    sell["quantity"] = 5.into();
    let more = client.call("PlaceOrder", &sell).await;
    assert_eq!(
        more["structuredContent"]["code"], "paused",
        "what can open the other side is an entry: {more}"
    );
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"]);
}

/// The service says that it did not run a way out, and no list can be read: the card that comes back does not say "not sent".
#[tokio::test]
async fn a_refused_exit_that_cannot_be_looked_up_says_so() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    long(&desk, 2).await;
    let id = desk.hold(&mut client, "ClosePosition", &close()).await;
    for (kind, tool, scope) in [
        ("401_once", "ClosePosition", "mcp:trade"),
        ("500", "ListOrders", "mcp:read"),
        ("500", "ListPositions", "mcp:read"),
    ] {
        let times = u32::from(kind == "401_once");
        let fault = json!({ "kind": kind, "tool": tool, "scope": scope, "times": times });
        desk.sim.post("fault", &fault).await;
    }
    desk.desktop.click(Button::Middle);
    desk.journaled("not_run").await;
    desk.screen.until("CHECK NINJATRADER FIRST").await;
    desk.card().await;
    desk.desktop.screenshot("trade-exit-unread");
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    assert_eq!(desk.sent("ClosePosition").await, 2);
}

#[tokio::test]
async fn an_exit_that_is_not_approved_leaves_a_notice() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    long(&desk, 2).await;
    let id = desk.hold(&mut client, "ClosePosition", &close()).await;
    desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    desk.screen.until("POSITION UNPROTECTED").await;
    desk.check(&[], &["held", "denied"]).await;
}

/// The same where the client leaves.
#[tokio::test]
async fn an_exit_whose_client_left_leaves_a_notice() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    long(&desk, 2).await;
    desk.hold(&mut client, "ClosePosition", &close()).await;
    client.close().await;
    desk.screen.until("POSITION UNPROTECTED").await;
    desk.check(&[], &["held", "voided"]).await;
}

/// The same where the process that held it was killed: the next one tells.
#[tokio::test]
async fn an_exit_whose_process_died_leaves_a_notice() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    long(&desk, 2).await;
    desk.hold(&mut client, "ClosePosition", &close()).await;
    client.kill().await;
    let second = desk.client().await;
    desk.journaled("voided").await;
    desk.screen.until("POSITION UNPROTECTED").await;
    second.close().await;
    desk.check(&[], &["held", "voided"]).await;
}

/// What was approved elsewhere did go out: no alarm.
#[tokio::test]
async fn an_exit_approved_in_a_terminal_leaves_no_notice() {
    let desk = Desk::new().await;
    let terminal = Terminal::watch(&desk.home, &desk.sim);
    let mut client = desk.client().await;
    long(&desk, 2).await;
    let id = desk.hold(&mut client, "ClosePosition", &close()).await;
    terminal.until("Type approve");
    terminal.put("approve");
    terminal.enter();
    assert_eq!(status(&client.result(id).await), "accepted");
    client.close().await;
    assert!(!desk.screen.text().contains("POSITION UNPROTECTED"));
    desk.check(&["ClosePosition"], &["held", "approved", "accepted"])
        .await;
}

/// The reads hang: the card is there all the same, with question marks; they come, and it can be approved. A card that waited
/// for them would have them on it from the first; on a machine so busy that even this one is late, another try is made.
#[tokio::test]
async fn its_card_does_not_wait_for_the_facts() {
    for _ in 0..3 {
        if card_before_its_facts().await {
            return;
        }
    }
    panic!("its card waits for its facts");
}

/// Whether the first card of an exit stood there without the facts that came later.
async fn card_before_its_facts() -> bool {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    long(&desk, 2).await;
    // A first call opens the connection to the notification server and the read lane's session.
    let warm = desk.hold(&mut client, "PlaceOrder", &bid(5000.0)).await;
    desk.desktop.click(Button::Left);
    client.result(warm).await;
    desk.desktop.no_popup();
    // Just below the time after which a read is given up and its fact unread.
    for tool in ["ListPositions", "ListOrders", "GetAccount"] {
        desk.sim
            .post(
                "fault",
                &json!({ "kind": "stall", "tool": tool, "seconds": 1.4, "times": 1 }),
            )
            .await;
    }
    // The first call's card told the position too.
    let told = |desk: &Desk| desk.screen.text().matches("position: +2").count();
    let earlier = told(&desk);
    let id = client.send_call("ClosePosition", &close()).await;
    desk.screen.until("Approve CLOSE").await;
    let all = desk.screen.text();
    let mut cards = all.split("member=Notify");
    let first = cards
        .find(|card| card.contains("Approve CLOSE"))
        .expect("its card");
    let bare = !first.contains("position: +2");
    until("its facts", async || (told(&desk) > earlier).then_some(())).await;
    desk.desktop.settle();
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(desk.sim.executed().await, ["ClosePosition"]);
    bare
}

/// Its facts never come: the card says so, and the person may get out all the same.
#[tokio::test]
async fn an_exit_without_facts_says_so() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    long(&desk, 2).await;
    desk.sim
        .post(
            "fault",
            &json!({ "kind": "500", "tool": "ListPositions", "times": 0 }),
        )
        .await;
    let id = desk.hold(&mut client, "ClosePosition", &close()).await;
    desk.screen.until("THE POSITION IS UNREAD").await;
    desk.desktop.settle();
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    desk.check(&["ClosePosition"], &["held", "approved", "accepted"])
        .await;
}

/// An exit does not wait behind an entry's card, and the entry's card comes back.
#[tokio::test]
async fn an_exit_goes_ahead_of_a_waiting_entry() {
    let desk = Desk::new().await;
    let (mut one, mut two) = (desk.client().await, desk.client().await);
    long(&desk, 2).await;
    let entry = desk.hold(&mut one, "PlaceOrder", &bid(5000.0)).await;
    let exit = two.send_call("ClosePosition", &close()).await;
    desk.screen.until("Approve CLOSE").await;
    desk.desktop.settle();
    desk.desktop.click(Button::Middle);
    let told = two.result(exit).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    // The entry's card comes back.
    desk.desktop.settle();
    until("the entry's card", async || {
        (desk.screen.text().matches("Approve BUY").count() >= 2).then_some(())
    })
    .await;
    desk.desktop.settle();
    desk.desktop.click(Button::Left);
    assert_eq!(status(&one.result(entry).await), "denied");
    assert_eq!(desk.sim.executed().await, ["ClosePosition"]);
}

/// The handshake that was begun for an entry's card hangs: a way out makes one of its own.
#[tokio::test]
async fn an_exit_does_not_hang_with_the_handshake_of_an_entry() {
    let desk = Desk::new().await;
    // What the sign-in asked is not counted.
    desk.sim.post("reset", &Value::Null).await;
    let mut client = desk.client().await;
    long(&desk, 2).await;
    let hangs =
        json!({ "kind": "stall", "method": "initialize", "scope": "mcp:trade", "seconds": 30, "times": 1 });
    desk.sim.post("fault", &hangs).await;
    desk.hold(&mut client, "PlaceOrder", &bid(5000.0)).await;
    let begun = async || {
        let calls = desk.sim.calls().await;
        let mut handshakes = calls.iter().filter(|call| call["method"] == "initialize");
        handshakes.any(|call| call["grant"] == "mcp:trade").then_some(())
    };
    until("the handshake for the entry's card", begun).await;
    let exit = client.send_call("ClosePosition", &close()).await;
    desk.screen.until("Approve CLOSE").await;
    desk.desktop.settle();
    desk.desktop.click(Button::Middle);
    let told = client.result(exit).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    assert_eq!(desk.sim.executed().await, ["ClosePosition"]);
}

/// Only halt, a blocked account and a broken policy stop an exit, and each names the way out.
#[tokio::test]
async fn what_does_stop_an_exit_names_the_way_out() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    long(&desk, 2).await;
    for policy in [
        "version = 1\n[account.\"Sim101\"]\nblocked = true\n",
        "version = 1\n[broken\n",
    ] {
        desk.home.file("config/policy.toml", policy);
        let result = client.call("ClosePosition", &close()).await;
        assert_eq!(status(&result), "refused", "{result}");
        assert!(text(&result).contains("NinjaTrader"), "{}", text(&result));
    }
    desk.home.file(
        "config/policy.toml",
        "version = 1\n[limits]\norders_per_day = 0\n",
    );
    assert_eq!(desk.home.run(&["halt"]).await.0, 0);
    let result = client.call("ClosePosition", &close()).await;
    assert!(
        text(&result).contains("flatten in NinjaTrader"),
        "{}",
        text(&result)
    );
    assert!(!desk.screen.asked());
    assert_eq!(desk.sim.executed().await, [""; 0]);
}

/// Somebody holds the counting of orders: a way out is not counted, and goes.
#[tokio::test]
async fn an_exit_waits_for_nobodys_counting() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    long(&desk, 2).await;
    let id = desk.hold(&mut client, "ClosePosition", &close()).await;
    let counting = desk.home.folder().join("state/locks/counters.lock");
    let counting = std::fs::File::create(counting).expect("its lock");
    counting.lock().expect("held by nobody");
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    assert_eq!(desk.sim.executed().await, ["ClosePosition"]);
}
