//! A bracket as three calls: entry, stop and target, all at once. Once the entry is in, the stop goes first; without it the
//! notice shouts.

use super::*;

fn order(side: &str, rest: &Value) -> Value {
    let mut order =
        json!({ "account": "Sim101", "instrument": "MES 12-26", "side": side, "quantity": 1, "tif": "Gtc" });
    for (key, value) in rest.as_object().into_iter().flatten() {
        order[key] = value.clone();
    }
    order
}

struct Bracket {
    stop: u64,
    target: u64,
}

/// How the one card that is left counts.
fn target_class(desk: &Desk) -> String {
    let tickets = desk.tickets();
    let held = tickets.iter().find(|ticket| ticket["state"] == "held");
    held.expect("the target")["card"]["class"]
        .as_str()
        .expect("a class")
        .to_owned()
}

/// All three are held, the entry is approved and executed, and the card that stands then is the stop's.
async fn entered(desk: &Desk, client: &mut Client) -> Bracket {
    let entry = desk
        .hold(client, "PlaceOrder", &order("Buy", &json!({ "type": "Market" })))
        .await;
    desk.screen.until("NO STOP ATTACHED").await;
    let target = order("Sell", &json!({ "type": "Limit", "limit_price": 9000.0 }));
    let target = client.send_call("PlaceOrder", &target).await;
    let stop = order("Sell", &json!({ "type": "Stop", "stop_price": 5000.0 }));
    let stop = client.send_call("PlaceOrder", &stop).await;
    until("three tickets", async || {
        (desk.tickets().len() == 3).then_some(())
    })
    .await;
    desk.desktop.click(Button::Middle);
    assert_eq!(status(&client.result(entry).await), "accepted");
    card_of(desk, "protect").await;
    desk.desktop.screenshot("brakes-bracket-stop");
    Bracket { stop, target }
}

#[tokio::test]
async fn the_stop_goes_ahead_of_the_target() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let bracket = entered(&desk, &mut client).await;
    decide(&desk, "protect", Button::Middle).await;
    let told = client.result(bracket.stop).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    until("the target's card", async || {
        let targets = desk.tickets();
        targets
            .iter()
            .any(|ticket| ticket["state"] == "held" && ticket["shown_wall"].is_u64())
            .then_some(())
    })
    .await;
    decide(&desk, target_class(&desk).as_str(), Button::Middle).await;
    let told = client.result(bracket.target).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"; 3]);
    assert!(!desk.screen.text().contains("POSITION UNPROTECTED"));
}

#[tokio::test]
async fn a_stop_that_is_denied_after_the_entry_shouts() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let bracket = entered(&desk, &mut client).await;
    decide(&desk, "protect", Button::Left).await;
    assert_eq!(status(&client.result(bracket.stop).await), "denied");
    desk.screen.until("POSITION UNPROTECTED").await;
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"]);
}

/// The same where its card never came up: the client leaves with the stop still in line.
#[tokio::test]
async fn a_stop_that_never_came_up_shouts() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let entry = desk
        .hold(
            &mut client,
            "PlaceOrder",
            &order("Buy", &json!({ "type": "Market" })),
        )
        .await;
    let stop = order("Sell", &json!({ "type": "Stop", "stop_price": 5000.0 }));
    let stop = client.send_call("PlaceOrder", &stop).await;
    until("two tickets", async || (desk.tickets().len() == 2).then_some(())).await;
    desk.desktop.click(Button::Middle);
    assert_eq!(status(&client.result(entry).await), "accepted");
    let waiting = desk.tickets();
    let waiting = waiting.iter().find(|ticket| ticket["state"] == "held");
    let id = waiting.expect("the stop")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(desk.home.run(&["deny", &id]).await.0, 0);
    assert_eq!(status(&client.result(stop).await), "denied");
    desk.screen.until("POSITION UNPROTECTED").await;
}

/// An entry that is denied leaves no position: a stop that is denied after it leaves nothing unprotected.
#[tokio::test]
async fn without_the_entry_nobody_shouts() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let entry = desk
        .hold(
            &mut client,
            "PlaceOrder",
            &order("Buy", &json!({ "type": "Market" })),
        )
        .await;
    let stop = order("Sell", &json!({ "type": "Stop", "stop_price": 5000.0 }));
    let stop = client.send_call("PlaceOrder", &stop).await;
    desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(entry).await), "denied");
    desk.card().await;
    desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(stop).await), "denied");
    client.close().await;
    assert!(!desk.screen.text().contains("POSITION UNPROTECTED"));
    assert_eq!(desk.sim.executed().await, [""; 0]);
}
