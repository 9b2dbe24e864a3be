//! A protective or closing order that ends unapproved leaves a notice that stays, whichever way it ended.

use super::*;

async fn alarms(desk: &Desk, count: usize) {
    until("the alarm", async || {
        (desk.screen.text().matches("POSITION UNPROTECTED").count() >= count).then_some(())
    })
    .await;
    assert_eq!(
        desk.screen.text().matches("POSITION UNPROTECTED").count(),
        count,
        "each is told once"
    );
}

#[tokio::test]
async fn each_way_a_stop_can_end() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    long(&desk, "Sim101", 2).await;
    let order = |n: u32| {
        let mut order = stop("Sim101");
        order["stop_price"] = (4000.0 + f64::from(n)).into();
        order
    };
    let held = || {
        let tickets = desk.tickets();
        let held = tickets.iter().find(|ticket| ticket["state"] == "held");
        held.expect("a held ticket")["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    // Denied on the card, and by the verb.
    let id = desk.hold(&mut client, "PlaceOrder", &order(1)).await;
    desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    alarms(&desk, 1).await;
    let id = desk.hold(&mut client, "PlaceOrder", &order(2)).await;
    assert_eq!(desk.home.run(&["deny", &held()]).await.0, 0);
    assert_eq!(status(&client.result(id).await), "denied");
    alarms(&desk, 2).await;
    // Taken back by the client.
    let id = desk.hold(&mut client, "PlaceOrder", &order(3)).await;
    client
        .call("countersign_withdraw", &json!({ "ticket": held() }))
        .await;
    assert_eq!(status(&client.result(id).await), "withdrawn");
    alarms(&desk, 3).await;
    // Voided by a changed policy.
    let id = desk.hold(&mut client, "PlaceOrder", &order(4)).await;
    desk.home.file(
        "config/policy.toml",
        "version = 1\n[limits]\norders_per_day = 9\n",
    );
    assert_eq!(status(&client.result(id).await), "voided");
    alarms(&desk, 4).await;
    // Sent, and rejected by the service.
    let answer = json!({ "tool": "PlaceOrder", "result": {
        "content": [{ "type": "text", "text": "Rejected: max contracts" }], "isError": true
    } });
    desk.sim.post("answer", &answer).await;
    let id = desk.hold(&mut client, "PlaceOrder", &order(5)).await;
    desk.desktop.click(Button::Middle);
    assert_eq!(status(&client.result(id).await), "rejected");
    alarms(&desk, 5).await;
    // Halted.
    let id = desk.hold(&mut client, "PlaceOrder", &order(6)).await;
    assert_eq!(desk.home.run(&["halt"]).await.0, 0);
    assert_eq!(status(&client.result(id).await), "voided");
    alarms(&desk, 6).await;
    assert_eq!(desk.sent("PlaceOrder").await, 1, "the one that was approved");
}

/// Nobody decides in time.
#[tokio::test]
async fn an_exit_that_expires() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    long(&desk, "Sim101", 2).await;
    let mut sell = buy();
    sell["side"] = "Sell".into();
    let id = desk.hold(&mut client, "PlaceOrder", &sell).await;
    assert_eq!(status(&client.result(id).await), "expired");
    alarms(&desk, 1).await;
}

/// Approved, and provably not run: told once as not sent, and once as what it leaves behind.
#[tokio::test]
async fn an_exit_that_was_approved_and_not_sent() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    long(&desk, "Sim101", 2).await;
    let id = desk.hold(&mut client, "ClosePosition", &close("Sim101")).await;
    let fault = json!({ "kind": "401_once", "tool": "ClosePosition", "scope": "mcp:trade", "times": 0 });
    desk.sim.post("fault", &fault).await;
    desk.desktop.click(Button::Middle);
    desk.screen.until("APPROVE ONCE MORE TO SEND IT").await;
    desk.card().await;
    desk.desktop.click(Button::Middle);
    assert_eq!(status(&client.result(id).await), "voided");
    desk.screen.until("and it was NOT sent").await;
    client.close().await;
    alarms(&desk, 1).await;
    assert_eq!(desk.sim.executed().await, [""; 0]);
}
