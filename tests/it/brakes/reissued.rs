//! A model that sends the order again in other words while its outcome is unknown.

use super::*;

async fn lost(desk: &Desk, client: &mut Client, account: &str) -> String {
    let mut order = bid(5000.0);
    order["account"] = account.into();
    let id = desk.hold(client, "PlaceOrder", &order).await;
    let fault = json!({ "kind": "cut_before", "tool": "PlaceOrder", "scope": "mcp:trade" });
    desk.sim.post("fault", &fault).await;
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "unknown", "{}", text(&told));
    ticket(&told)
}

fn again(account: &str, instrument: &str, rest: &Value) -> Value {
    let mut order = json!({ "account": account, "instrument": instrument });
    for (key, value) in rest.as_object().into_iter().flatten() {
        order[key] = value.clone();
    }
    order
}

/// On a live account it is refused, whatever price, size, spelling, contract or tool; elsewhere it is not.
#[tokio::test]
async fn on_a_live_account_it_is_refused() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let ticket = lost(&desk, &mut client, LIVE).await;
    let snake = json!({ "side": "Buy", "type": "Limit", "limit_price": 5000.25, "quantity": 2 });
    let camel = json!({ "action": "BUY", "orderType": "LIMIT", "limitPrice": 5000.25, "quantity": 1 });
    let market = json!({ "side": "Buy", "type": "Market", "quantity": 1 });
    let cases = [
        ("PlaceOrder", again(LIVE, "MES 12-26", &snake)),
        ("PlaceOrder", again("pa-123456", "MES 12-26", &snake)),
        ("PlaceOrder", again(LIVE, "MES", &snake)),
        ("PlaceOrder", again(LIVE, "MESZ26", &market)),
        ("PlaceOrder", again(LIVE, "mes1!", &market)),
        ("ReversePosition", again(LIVE, "MES 12-26", &market)),
        ("FlatPlace", again(LIVE, "MES 12-26", &market)),
        ("PlaceOrder", again("Pa-123456", "MESZ26", &camel)),
    ];
    for (tool, arguments) in &cases {
        let refused = client.call(tool, arguments).await;
        // The other vocabulary is not this service's: it is refused for that, or for the doubt.
        let known = ["unknown_outcome", "unknown_argument"];
        assert!(known.contains(&code(&refused)), "{arguments}: {refused}");
    }
    let all: Vec<Value> = desk.tickets();
    assert_eq!(all.len(), 1, "nobody was asked again");
    // Another instrument is no reissue.
    let other = again(LIVE, "NQ 12-26", &market);
    let id = client.send_call("PlaceOrder", &other).await;
    decide(&desk, "order", Button::Left).await;
    assert_eq!(status(&client.result(id).await), "denied");
    // Once the person has looked it may be proposed again.
    assert_eq!(desk.home.run(&["acknowledge", &ticket]).await.0, 0);
    let id = client.send_call("PlaceOrder", &cases[0].1).await;
    decide(&desk, "order", Button::Left).await;
    assert_eq!(status(&client.result(id).await), "denied");
    assert_eq!(desk.sim.executed().await, [""; 0]);
}

/// The other vocabulary at a service that speaks it.
#[tokio::test]
async fn in_the_other_vocabulary_it_is_refused() {
    let desk = Desk::with(&["--vocabulary", "camel"]).await;
    let mut client = desk.client().await;
    let order = |account: &str, instrument: &str, price: f64| {
        json!({
            "account": account, "instrument": instrument, "action": "BUY", "orderType": "LIMIT", "limitPrice": price, "quantity": 1,
            "timeInForce": "DAY"
        })
    };
    let id = desk
        .hold(&mut client, "PlaceOrder", &order(LIVE, "MES 12-26", 5000.0))
        .await;
    let fault = json!({ "kind": "cut_after", "tool": "PlaceOrder", "scope": "mcp:trade" });
    desk.sim.post("fault", &fault).await;
    desk.desktop.click(Button::Middle);
    assert_eq!(status(&client.result(id).await), "unknown");
    for instrument in ["MES 12-26", "MES", "MESZ26", "MES1!"] {
        let refused = client
            .call("PlaceOrder", &order("pa-123456", instrument, 4999.0))
            .await;
        assert_eq!(code(&refused), "unknown_outcome", "{instrument}: {refused}");
    }
    desk.journaled("looked").await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
}

/// On play money it is asked with a warning on the card.
#[tokio::test]
async fn on_a_simulation_it_is_warned() {
    let desk = Desk::new().await;
    desk.home.file(
        "config/policy.toml",
        "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\n",
    );
    let mut client = desk.client().await;
    lost(&desk, &mut client, "Sim101").await;
    let mut order = bid(5000.25);
    order["account"] = "sim101".into();
    order["instrument"] = "MES".into();
    let id = desk.hold(&mut client, "PlaceOrder", &order).await;
    desk.screen
        .until("THE OUTCOME OF AN EARLIER ORDER IS NOT KNOWN")
        .await;
    desk.desktop.screenshot("brakes-reissued");
    decide(&desk, "order", Button::Left).await;
    assert_eq!(status(&client.result(id).await), "denied");
}

/// While the answer is still on its way nobody knows either.
#[tokio::test]
async fn while_the_answer_does_not_come_it_is_refused() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let mut order = bid(5000.0);
    order["account"] = LIVE.into();
    let fault = json!({ "kind": "stall", "tool": "PlaceOrder", "scope": "mcp:trade", "seconds": 14, "when": "after" });
    let id = desk.hold(&mut client, "PlaceOrder", &order).await;
    desk.sim.post("fault", &fault).await;
    desk.desktop.click(Button::Middle);
    until("the order on its way", async || {
        (desk.sent("PlaceOrder").await == 1).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    order["limit_price"] = 5001.0.into();
    let refused = client.call("PlaceOrder", &order).await;
    assert_eq!(code(&refused), "unknown_outcome", "{refused}");
    assert_eq!(status(&client.result(id).await), "accepted");
    let id = client.send_call("PlaceOrder", &order).await;
    decide(&desk, "order", Button::Left).await;
    assert_eq!(status(&client.result(id).await), "denied");
}
