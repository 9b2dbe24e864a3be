//! What was approved arrives exactly once, and never twice.

use super::*;

/// Counts what became of one approved order: told so to the client, executed so, sent so often.
async fn approve_with(desk: &Desk, fault: Value) -> (Client, Value) {
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    if !fault.is_null() {
        desk.sim.post("fault", &fault).await;
    }
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    (client, result)
}

#[tokio::test]
async fn approved() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.desktop.screenshot("trade-approve");
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    desk.screen.until("Sent and accepted").await;
    client.close().await;
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
    let lanes = desk.sim.calls().await;
    let order = lanes
        .iter()
        .find(|call| call["tool"] == "PlaceOrder")
        .expect("the order");
    assert!(
        order["client_name"].as_str().expect("a name").contains("trade"),
        "{order}"
    );
    for call in lanes
        .iter()
        .filter(|call| call["grant"] == "mcp:trade" && call["tool"].is_string())
    {
        assert!(
            call["tool"] == "PlaceOrder" || call["tool"] == "ListAccounts",
            "{call}"
        );
    }
}

/// Faults after which nobody knows: the order ran, and the answer is lost. It is looked for, and found.
async fn unknown_and_found(fault: Value) {
    let desk = Desk::new().await;
    let (mut client, result) = approve_with(&desk, fault).await;
    assert_eq!(status(&result), "unknown", "{}", text(&result));
    assert!(text(&result).starts_with("OUTCOME UNKNOWN"), "{}", text(&result));
    assert!(
        text(&result).contains("Do NOT send it again"),
        "{}",
        text(&result)
    );
    desk.screen.until("OUTCOME UNKNOWN").await;
    let looked = desk.journaled("looked").await;
    assert!(
        looked["found"].as_str().expect("a finding").starts_with("FOUND"),
        "{looked}"
    );
    desk.screen.until("Looked for").await;
    let again = client
        .call(
            "countersign_await_approval",
            &json!({ "ticket": ticket(&result) }),
        )
        .await;
    assert!(text(&again).contains("FOUND"), "{}", text(&again));
    client.close().await;
    desk.check(&["PlaceOrder"], &["held", "approved", "unknown", "looked"])
        .await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
}

fn order_fault(kind: &str, more: &Value) -> Value {
    let mut fault = json!({ "kind": kind, "tool": "PlaceOrder", "scope": "mcp:trade" });
    for (key, value) in more.as_object().into_iter().flatten() {
        fault[key] = value.clone();
    }
    fault
}

#[tokio::test]
async fn the_connection_is_cut_after_the_request() {
    unknown_and_found(order_fault("cut_after", &json!({}))).await;
}

#[tokio::test]
async fn a_408_after_execution() {
    unknown_and_found(order_fault("408_after", &json!({}))).await;
}

#[tokio::test]
async fn a_500_after_execution() {
    unknown_and_found(order_fault("500", &json!({ "execute": true }))).await;
}

#[tokio::test]
async fn half_an_answer() {
    unknown_and_found(order_fault("half_json", &json!({ "execute": true }))).await;
}

#[tokio::test]
async fn an_answer_to_another_request() {
    unknown_and_found(order_fault("wrong_id", &json!({}))).await;
}

#[tokio::test]
async fn a_stream_that_breaks_in_the_middle() {
    unknown_and_found(order_fault("sse_cut_midevent", &json!({}))).await;
}

#[tokio::test]
async fn two_answers_on_one_stream() {
    let desk = Desk::new().await;
    let (_client, result) = approve_with(&desk, order_fault("duplicate_answer", &json!({}))).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let desk = Desk::new().await;
    let elsewhere = Sim::start(&[]);
    let (_client, result) = approve_with(
        &desk,
        order_fault("redirect", &json!({ "location": elsewhere.url })),
    )
    .await;
    assert_ne!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(desk.sim.executed().await, [""; 0]);
    assert_eq!(elsewhere.executed().await, [""; 0]);
    assert_eq!(
        elsewhere.calls().await.len(),
        0,
        "no token goes to another address"
    );
}

/// The connection is cut before the service took the request: whether it did cannot be known from here.
#[tokio::test]
async fn the_connection_is_cut_before() {
    let desk = Desk::new().await;
    let (client, result) = approve_with(&desk, order_fault("cut_before", &json!({}))).await;
    assert_eq!(status(&result), "unknown", "{}", text(&result));
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1, "in doubt nothing is sent again");
    desk.check(&[], &["held", "approved", "unknown", "looked"]).await;
}

/// The card comes back, and is approved once more.
async fn approve_once_more(desk: &Desk) {
    desk.journaled("not_run").await;
    desk.screen.until("APPROVE ONCE MORE TO SEND IT").await;
    desk.card().await;
    desk.desktop.screenshot("trade-once-more");
    desk.desktop.click(Button::Middle);
}

/// The token is refused. That nothing ran is the service's word: the token is renewed, and the person is asked again.
#[tokio::test]
async fn a_401_in_between() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.sim.post("fault", &order_fault("401_once", &json!({}))).await;
    desk.desktop.click(Button::Middle);
    desk.journaled("not_run").await;
    assert_eq!(desk.sent("PlaceOrder").await, 1, "no approval is used twice");
    approve_once_more(&desk).await;
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(desk.sent("PlaceOrder").await, 2);
    desk.check(
        &["PlaceOrder"],
        &["held", "approved", "not_run", "approved", "accepted"],
    )
    .await;
}

/// Twice refused is refused.
#[tokio::test]
async fn a_401_that_stays() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let fault = order_fault("401_once", &json!({ "times": 0 }));
    desk.sim.post("fault", &fault).await;
    desk.desktop.click(Button::Middle);
    approve_once_more(&desk).await;
    let result = client.result(id).await;
    assert_eq!(status(&result), "voided", "{}", text(&result));
    assert!(desk.sent("PlaceOrder").await <= 2);
    assert_eq!(desk.sim.executed().await, [""; 0]);
    desk.screen.until("NOT SENT").await;
}

#[tokio::test]
async fn the_session_is_lost_in_between() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.sim.fault("session_lost", "").await;
    desk.desktop.click(Button::Middle);
    approve_once_more(&desk).await;
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    desk.check(
        &["PlaceOrder"],
        &["held", "approved", "not_run", "approved", "accepted"],
    )
    .await;
}

/// A service that runs a resting order and says that it did not: the order that was not there before is seen at once, and
/// no second one is sent.
#[tokio::test]
async fn a_refusal_of_what_was_run() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &bid(5000.0)).await;
    let fault = order_fault("401_once", &json!({ "execute": true }));
    desk.sim.post("fault", &fault).await;
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "unknown", "{}", text(&result));
    assert!(text(&result).starts_with("OUTCOME UNKNOWN"), "{}", text(&result));
    desk.screen.until("OUTCOME UNKNOWN").await;
    let looked = desk.journaled("looked").await;
    assert!(
        looked["found"].as_str().expect("a finding").starts_with("FOUND"),
        "{looked}"
    );
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    desk.check(&["PlaceOrder"], &["held", "approved", "unknown", "looked"])
        .await;
}

/// The same where the list shows it only while the card is up again: the second approval sends nothing.
#[tokio::test]
async fn a_refusal_of_what_was_run_and_shows_late() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &bid(5000.0)).await;
    let lag = json!({ "kind": "lag_orders", "seconds": 4 });
    desk.sim.post("fault", &lag).await;
    let fault = order_fault("401_once", &json!({ "execute": true }));
    desk.sim.post("fault", &fault).await;
    desk.desktop.click(Button::Middle);
    desk.journaled("not_run").await;
    desk.screen.until("APPROVE ONCE MORE TO SEND IT").await;
    let orders = json!({ "name": "ListOrders", "arguments": { "account": "Sim101" } });
    until("the order in the list", async || {
        let listed = client.request("tools/call", &orders).await;
        listed.to_string().contains("5000").then_some(())
    })
    .await;
    desk.card().await;
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "unknown", "{}", text(&result));
    desk.screen.until("it was NOT sent again").await;
    desk.journaled("looked").await;
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    let kinds = ["held", "approved", "not_run", "unknown", "looked"];
    desk.check(&["PlaceOrder"], &kinds).await;
}

/// The documented answer of the rate limiter proves that nothing ran; the person is asked again.
#[tokio::test]
async fn the_rate_limit_at_sending() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.sim.post("fault", &order_fault("429", &json!({}))).await;
    desk.desktop.click(Button::Middle);
    desk.journaled("not_run").await;
    assert_eq!(desk.sim.executed().await, [""; 0]);
    desk.card().await;
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    desk.check(
        &["PlaceOrder"],
        &["held", "approved", "not_run", "approved", "accepted"],
    )
    .await;
}

/// The service is gone at the moment of sending: no byte left, nothing is sent.
#[tokio::test]
async fn nobody_listens_at_sending() {
    let mut desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let reads = desk.sim.calls().await.len();
    // Right after a look at the account, so that the approval is judged on facts that are there.
    until("a look at the account", async || {
        (desk.sim.calls().await.len() >= reads + 3).then_some(())
    })
    .await;
    desk.sim.stop();
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "voided", "{}", text(&result));
    assert!(text(&result).starts_with("NOT SENT"), "{}", text(&result));
    desk.screen.until("NOT SENT").await;
    assert!(
        !desk
            .home
            .journal()
            .iter()
            .any(|entry| entry["kind"] == "accepted" || entry["kind"] == "unknown")
    );
}

#[tokio::test]
async fn a_double_click() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.desktop.click(Button::Middle);
    desk.desktop.run(
        "xdotool",
        "xdotool",
        &["click", "--repeat", "4", "--delay", "30", "1"],
    );
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

#[tokio::test]
async fn a_second_process_started_in_between() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.sim
        .post(
            "fault",
            &order_fault("stall", &json!({ "seconds": 4, "when": "after" })),
        )
        .await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let mut second = desk.client().await;
    desk.desktop.click(Button::Middle);
    until("the order on its way", async || {
        (desk.sent("PlaceOrder").await == 1).then_some(())
    })
    .await;
    let third = desk.client().await;
    // Nobody can decide on it any more: it does not wait for the person.
    let twin = second.call("PlaceOrder", &buy()).await;
    assert_eq!(status(&twin), "sending", "{}", text(&twin));
    assert!(
        text(&twin).starts_with("This call placed nothing.") && text(&twin).contains("is being sent now"),
        "{}",
        text(&twin)
    );
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    second.close().await;
    third.close().await;
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

#[tokio::test]
async fn the_same_call_while_one_is_open() {
    let desk = Desk::new().await;
    let (mut one, mut two) = (desk.client().await, desk.client().await);
    let id = desk.hold(&mut one, "PlaceOrder", &buy()).await;
    for client in [&mut one, &mut two] {
        let twin = client.call("PlaceOrder", &buy()).await;
        assert_eq!(status(&twin), "already_waiting", "{twin}");
        assert!(
            text(&twin).contains("this call placed nothing"),
            "{}",
            text(&twin)
        );
    }
    desk.desktop.click(Button::Middle);
    assert_eq!(status(&one.result(id).await), "accepted");
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

#[tokio::test]
async fn the_same_call_many_times_at_once() {
    let desk = Desk::new().await;
    let (mut one, mut two) = (desk.client().await, desk.client().await);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push((1, one.send_call("PlaceOrder", &buy()).await));
        ids.push((2, two.send_call("PlaceOrder", &buy()).await));
    }
    desk.card().await;
    desk.desktop.click(Button::Middle);
    let mut told = Vec::new();
    for (client, id) in ids {
        let result = if client == 1 {
            one.result(id).await
        } else {
            two.result(id).await
        };
        told.push(status(&result).to_owned());
    }
    assert_eq!(
        told.iter().filter(|status| *status == "accepted").count(),
        1,
        "{told:?}"
    );
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

/// The client went away before it could read the outcome: the same call again gets that outcome, and places nothing.
#[tokio::test]
async fn the_same_call_after_an_unread_outcome() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.sim
        .post(
            "fault",
            &order_fault("stall", &json!({ "seconds": 1.5, "when": "after" })),
        )
        .await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.desktop.click(Button::Middle);
    until("the order on its way", async || {
        (desk.sent("PlaceOrder").await == 1).then_some(())
    })
    .await;
    client
        .line(
            &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })
                .to_string(),
        )
        .await;
    // In the ticket's file, which is written after the journal's line: before that it is still on its way.
    until("the outcome", async || {
        desk.tickets()
            .iter()
            .any(|ticket| ticket["state"] == "accepted")
            .then_some(())
    })
    .await;
    let again = client.call("PlaceOrder", &buy()).await;
    assert_eq!(again["structuredContent"]["repeated"], true, "{again}");
    assert!(
        text(&again).starts_with("This call placed nothing"),
        "{}",
        text(&again)
    );
    let mut next = desk.client().await;
    desk.hold(&mut next, "PlaceOrder", &buy()).await;
    desk.desktop.click(Button::Left);
    desk.journaled("denied").await;
    desk.check(
        &["PlaceOrder"],
        &["held", "approved", "accepted", "held", "denied"],
    )
    .await;
}

/// The client closes its end while the order is on its way: the answer is awaited and written down.
#[tokio::test]
async fn the_client_leaves_while_it_is_sent() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.sim
        .post(
            "fault",
            &order_fault("stall", &json!({ "seconds": 3, "when": "after" })),
        )
        .await;
    desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.desktop.click(Button::Middle);
    until("the order on its way", async || {
        (desk.sent("PlaceOrder").await == 1).then_some(())
    })
    .await;
    client.close().await;
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

#[tokio::test]
async fn killed_while_it_is_sent() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.sim
        .post(
            "fault",
            &order_fault("stall", &json!({ "seconds": 30, "when": "after" })),
        )
        .await;
    desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.desktop.click(Button::Middle);
    until("the execution", async || {
        (desk.sim.executed().await.len() == 1).then_some(())
    })
    .await;
    client.kill().await;
    let mut second = desk.client().await;
    desk.journaled("unknown").await;
    desk.screen.until("OUTCOME UNKNOWN").await;
    let looked = desk.journaled("looked").await;
    assert!(
        looked["found"]
            .as_str()
            .expect("a finding")
            .starts_with("FOUND: the new order"),
        "what was there before was written down with the ticket: {looked}"
    );
    let id = looked["ticket"].as_str().expect("a ticket").to_owned();
    let told = second
        .call("countersign_await_approval", &json!({ "ticket": id }))
        .await;
    assert_eq!(status(&told), "unknown", "{}", text(&told));
    second.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    desk.check(&["PlaceOrder"], &["held", "approved", "unknown", "looked"])
        .await;
}

/// The same person approves on the notification and in a terminal, both at once.
#[tokio::test]
async fn approved_on_the_desktop_and_in_a_terminal_at_once() {
    let desk = Desk::new().await;
    let terminal = Terminal::watch(&desk.home, &desk.sim);
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    terminal.until("Type approve");
    terminal.put("approve");
    // Aimed at first: the terminal may win, and take the popup away.
    let place = desk.desktop.aim(Button::Middle);
    std::thread::scope(|scope| {
        scope.spawn(|| terminal.enter());
        scope.spawn(|| desk.desktop.press(&place));
    });
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

/// No desktop, but a terminal with `countersign watch`: the call waits for it, and the order goes from there.
#[tokio::test]
async fn approved_in_a_terminal_alone() {
    let mut desk = Desk::on(Desktop::without_notifications(), &[]).await;
    desk.home = desk.home.with("BROWSER", "lynx");
    let terminal = Terminal::watch(&desk.home, &desk.sim);
    terminal.until("Watching");
    let mut client = desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    terminal.until("Type approve");
    terminal.put("approve");
    terminal.enter();
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    let denied = client.send_call("PlaceOrder", &bid(5000.0)).await;
    terminal.until_count("Type approve", 2);
    terminal.put("deny");
    terminal.enter();
    assert_eq!(status(&client.result(denied).await), "denied");
    desk.check(
        &["PlaceOrder"],
        &["held", "approved", "accepted", "held", "denied"],
    )
    .await;
}

/// Leaving the terminal leaves the call where it is.
#[tokio::test]
async fn a_terminal_that_is_left_decides_nothing() {
    let desk = Desk::new().await;
    let terminal = Terminal::watch(&desk.home, &desk.sim);
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    terminal.until("Type approve");
    terminal.leave();
    desk.desktop.settle();
    desk.desktop.click(Button::Middle);
    assert_eq!(status(&client.result(id).await), "accepted");
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

/// Several calls wait at once: each is decided for itself, and an open ticket does not stand in its own way.
#[tokio::test]
async fn three_wait_and_each_is_approved() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let mut ids = Vec::new();
    for price in [5000.0, 5001.0, 5002.0] {
        ids.push(client.send_call("PlaceOrder", &bid(price)).await);
    }
    until("three tickets", async || {
        (desk.tickets().len() == 3).then_some(())
    })
    .await;
    let fourth = client.call("PlaceOrder", &bid(5003.0)).await;
    assert_eq!(fourth["structuredContent"]["code"], "too_many_open", "{fourth}");
    for n in 1..=3 {
        desk.card().await;
        desk.desktop.click(Button::Middle);
        until("an execution", async || {
            (desk.sim.executed().await.len() == n).then_some(())
        })
        .await;
    }
    for id in ids {
        assert_eq!(status(&client.result(id).await), "accepted");
    }
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"; 3]);
}

/// The bytes that the client wrote are the bytes that are judged, shown and sent.
#[tokio::test]
async fn what_was_shown_is_what_is_sent() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let arguments = r#"{ "quantity":1,"tif" : "Day", "side":"B\u0075y",  "type":"Market","instrument":"MES 12-26", "account":"Sim101" }"#;
    client.line(&format!(r#"{{"jsonrpc":"2.0","id":"odd id","method":"tools/call","params":{{"arguments":{arguments},"name":"PlaceOrder"}}}}"#)).await;
    desk.card().await;
    desk.desktop.click(Button::Middle);
    let answer = client
        .find(|line| line.contains("\"odd id\"").then(|| line.clone()), PATIENCE)
        .await
        .expect("an answer");
    assert!(answer.contains("\"accepted\""), "{answer}");
    let raw = desk.sim.get("raw?n=1000").await;
    let sent = raw
        .as_array()
        .expect("bodies")
        .iter()
        .any(|body| body["text"].as_str().is_some_and(|text| text.contains(arguments)));
    assert!(sent, "the arguments went out as they came in");
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

/// The policy may let play money through: no card, but the same single sending, and the same journal.
#[tokio::test]
async fn allowed_by_the_policy() {
    let desk = Desk::new().await;
    desk.home.file("config/policy.toml", "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\n[[rule]]\nclass = \"order\"\naccount = \"Sim101\"\ndo = \"allow\"\n");
    let mut client = desk.client().await;
    let told = client.call("PlaceOrder", &buy()).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    assert!(!desk.screen.asked());
    // The live account asks all the same.
    let mut live = bid(5000.0);
    live["account"] = "PA-123456".into();
    let id = desk.hold(&mut client, "PlaceOrder", &live).await;
    desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    desk.check(
        &["PlaceOrder"],
        &["held", "approved", "accepted", "held", "denied"],
    )
    .await;
}

/// Each journal line is on the disk before its effect can be seen.
#[tokio::test]
async fn the_journal_goes_first() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.sim
        .post("fault", &order_fault("stall", &json!({ "seconds": 1.5 })))
        .await;
    let kinds = || -> Vec<String> {
        desk.home
            .journal()
            .iter()
            .map(|entry| entry["kind"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let id = client.send_call("PlaceOrder", &buy()).await;
    desk.screen.until("Approve BUY").await;
    assert_eq!(kinds(), ["held"], "held before it is shown");
    desk.card().await;
    desk.desktop.click(Button::Middle);
    until("the order on its way", async || {
        (desk.sent("PlaceOrder").await == 1).then_some(())
    })
    .await;
    assert_eq!(
        desk.sim.executed().await,
        [""; 0],
        "the service is not done with it"
    );
    assert_eq!(kinds(), ["held", "approved"], "approved before it is sent");
    let told = client.result(id).await;
    assert_eq!(
        kinds(),
        ["held", "approved", "accepted"],
        "accepted before it is told"
    );
    assert_eq!(status(&told), "accepted");
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

/// On a live account an unknown outcome stands in the way of the next entry until the person has looked.
#[tokio::test]
async fn an_unknown_outcome_on_a_live_account_must_be_acknowledged() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let mut order = buy();
    order["account"] = "PA-123456".into();
    let id = desk.hold(&mut client, "PlaceOrder", &order).await;
    desk.desktop.screenshot("trade-live");
    desk.sim
        .post("fault", &order_fault("cut_after", &json!({})))
        .await;
    desk.desktop.click(Button::Middle);
    let unknown = client.result(id).await;
    assert_eq!(status(&unknown), "unknown");
    let mut more = bid(5000.0);
    more["account"] = "PA-123456".into();
    let refused = client.call("PlaceOrder", &more).await;
    assert_eq!(
        refused["structuredContent"]["code"], "unknown_outcome",
        "{refused}"
    );
    // Getting out is always free.
    let exit = json!({ "account": "PA-123456", "instrument": "MES 12-26" });
    let id = desk.hold(&mut client, "ClosePosition", &exit).await;
    desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    let (code, _, stderr) = desk.home.run(&["acknowledge", &ticket(&unknown)]).await;
    assert_eq!(code, 0, "{stderr}");
    let id = desk.hold(&mut client, "PlaceOrder", &more).await;
    desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"]);
}

/// The service takes longer than anybody waits: after a minute the outcome is unknown, and it is looked for. This test
/// has the patience.
#[tokio::test]
async fn no_answer_within_a_minute() {
    let desk = Desk::new().await;
    desk.home
        .settings("requests_per_second = 0.0\nhold_seconds = 60\n");
    let (mut client, sending) = approve_with(
        &desk,
        order_fault("stall", &json!({ "seconds": 90, "when": "after" })),
    )
    .await;
    assert_eq!(status(&sending), "sending", "{}", text(&sending));
    assert_eq!(sending["structuredContent"]["sent"], "unknown");
    let told = client
        .call(
            "countersign_await_approval",
            &json!({ "ticket": ticket(&sending) }),
        )
        .await;
    assert_eq!(status(&told), "unknown", "{}", text(&told));
    let looked = desk.journaled("looked").await;
    assert!(
        looked["found"].as_str().expect("a finding").starts_with("FOUND"),
        "{looked}"
    );
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    desk.check(&["PlaceOrder"], &["held", "approved", "unknown", "looked"])
        .await;
}

/// What the service's own words mean: refusals are refusals, doubt is doubt.
#[tokio::test]
async fn what_the_service_says_is_told() {
    let desk = Desk::new().await;
    let text_result = |inner: Value, is_error: bool| json!({ "content": [{ "type": "text", "text": inner.to_string() }], "isError": is_error });
    let cases = [
        (
            text_result(json!({ "success": false, "error": "account_not_found" }), false),
            "rejected",
        ),
        (
            text_result(json!({ "success": false, "error": "addon_disconnected" }), true),
            "unknown",
        ),
        (
            json!({ "resultType": "task", "task": { "taskId": "t", "status": "working" } }),
            "unknown",
        ),
        (json!({ "content": [] }), "unknown"),
    ];
    let mut client = desk.client().await;
    for (n, (result, expected)) in (0..).zip(&cases) {
        desk.sim
            .post("answer", &json!({ "tool": "PlaceOrder", "result": result }))
            .await;
        let id = desk
            .hold(&mut client, "PlaceOrder", &bid(5000.0 + f64::from(n)))
            .await;
        desk.desktop.click(Button::Middle);
        let told = client.result(id).await;
        assert_eq!(status(&told), *expected, "{result}: {}", text(&told));
        if *expected == "unknown" {
            assert_eq!(desk.home.run(&["acknowledge", &ticket(&told)]).await.0, 0);
        }
    }
    desk.screen.until("REJECTED by the service").await;
    assert_eq!(desk.sent("PlaceOrder").await, cases.len());
}

/// The other documented spelling of the arguments, and answers as event streams.
#[tokio::test]
async fn the_other_vocabulary() {
    let desk = Desk::with(&["--vocabulary", "camel", "--answers", "sse"]).await;
    let mut client = desk.client().await;
    let order = json!({
        "account": "Sim101", "instrument": "MES 12-26", "action": "BUY", "orderType": "MARKET", "quantity": 1, "timeInForce": "DAY"
    });
    let id = desk.hold(&mut client, "PlaceOrder", &order).await;
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

/// The same order twice in one batch is one order.
#[tokio::test]
async fn twice_in_one_batch() {
    let desk = Desk::new().await;
    let mut client = desk.home.serve(&desk.sim).await;
    client.hello_as("2025-03-26", &json!({})).await;
    let call = |id: &str| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "PlaceOrder", "arguments": buy() } });
    client.line(&json!([call("a"), call("b")]).to_string()).await;
    desk.card().await;
    desk.desktop.click(Button::Middle);
    let batch = client
        .find(|line| line.starts_with('[').then(|| line.clone()), PATIENCE)
        .await
        .expect("a batch");
    let answers: Vec<Value> = serde_json::from_str(&batch).expect("JSON");
    let mut told: Vec<&str> = answers.iter().map(|answer| status(&answer["result"])).collect();
    told.sort_unstable();
    assert_eq!(told, ["accepted", "already_waiting"]);
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}
