//! The client's patience: what it is told while the person has not decided, and afterwards, again and again.

use super::*;

/// With the shortest hold that the settings allow.
async fn short() -> Desk {
    let desk = Desk::new().await;
    desk.home
        .settings("requests_per_second = 0.0\nhold_seconds = 5\n");
    desk
}

#[tokio::test]
async fn the_order_goes_at_the_moment_of_approval_and_its_outcome_can_be_read_again() {
    let desk = short().await;
    let mut client = desk.client().await;
    let began = Instant::now();
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let waiting = client.result(id).await;
    assert!(
        (4..8).contains(&began.elapsed().as_secs()),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(status(&waiting), "not_sent_waiting_for_person", "{waiting}");
    assert!(text(&waiting).starts_with("NOT SENT"), "{}", text(&waiting));
    assert_eq!(waiting["structuredContent"]["next"], "countersign_await_approval");
    assert_ne!(waiting["isError"], true, "{waiting}");
    desk.check(&[], &["held"]).await;
    let ask = json!({ "ticket": ticket(&waiting) });
    let still = client.send_call("countersign_await_approval", &ask).await;
    desk.desktop.click(Button::Middle);
    until("the execution, whoever waits", async || {
        (!desk.sim.executed().await.is_empty()).then_some(())
    })
    .await;
    let told = client.result(still).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    let mut second = desk.client().await;
    for client in [&mut client, &mut second] {
        for _ in 0..2 {
            let again = client.call("countersign_await_approval", &ask).await;
            assert_eq!(again, told, "the same outcome, whoever asks");
        }
    }
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

/// The client has been told that it waits; then it is approved although nobody listens any more.
#[tokio::test]
async fn nobody_needs_to_wait_for_it() {
    let desk = short().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let waiting = client.result(id).await;
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    client.line(&cancel.to_string()).await;
    desk.desktop.click(Button::Middle);
    desk.journaled("accepted").await;
    let told = client
        .call(
            "countersign_await_approval",
            &json!({ "ticket": ticket(&waiting).to_lowercase() }),
        )
        .await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

#[tokio::test]
async fn waiting_again_and_then_denied() {
    let desk = short().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &bid(5000.0)).await;
    let waiting = client.result(id).await;
    let ask = json!({ "ticket": ticket(&waiting) });
    let again = client.call("countersign_await_approval", &ask).await;
    assert_eq!(status(&again), "not_sent_waiting_for_person", "{again}");
    // Cancelling the wait stops the wait, and nothing else.
    let wait = client.send_call("countersign_await_approval", &ask).await;
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": wait } });
    client.line(&cancel.to_string()).await;
    desk.desktop.click(Button::Left);
    let told = client.call("countersign_await_approval", &ask).await;
    assert_eq!(status(&told), "denied", "{}", text(&told));
    desk.check(&[], &["held", "denied"]).await;
}

#[tokio::test]
async fn withdrawn_by_the_client() {
    let desk = short().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let waiting = client.result(id).await;
    let ask = json!({ "ticket": ticket(&waiting) });
    let withdrawn = client.call("countersign_withdraw", &ask).await;
    assert_eq!(status(&withdrawn), "withdrawn", "{}", text(&withdrawn));
    desk.desktop.no_popup();
    let again = client.call("countersign_withdraw", &ask).await;
    assert_eq!(status(&again), "withdrawn", "{}", text(&again));
    desk.check(&[], &["held", "withdrawn"]).await;
}

/// What was sent cannot be taken back, and the client is told what became of it.
#[tokio::test]
async fn too_late_to_withdraw() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    let withdrawn = client
        .call("countersign_withdraw", &json!({ "ticket": ticket(&told) }))
        .await;
    assert_eq!(status(&withdrawn), "accepted", "{}", text(&withdrawn));
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

#[tokio::test]
async fn status_lists_what_happened_today() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let open = client.call("countersign_status", &json!({})).await;
    let listed = &open["structuredContent"]["tickets"][0];
    assert_eq!(
        (&listed["state"], &listed["tool"]),
        (&json!("held"), &json!("PlaceOrder")),
        "{open}"
    );
    assert_eq!(open["structuredContent"]["tradingEnabled"], true, "{open}");
    desk.desktop.click(Button::Left);
    client.result(id).await;
    let ended = client.call("countersign_status", &json!({})).await;
    assert_eq!(
        ended["structuredContent"]["tickets"][0]["state"], "denied",
        "{ended}"
    );
    let nothing = client
        .call("countersign_await_approval", &json!({ "ticket": "../x" }))
        .await;
    assert_eq!(status(&nothing), "no_such_ticket", "{nothing}");
}

fn progress_of(line: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value["method"] == "notifications/progress").then_some(value)
}

#[tokio::test]
async fn progress_is_told_until_the_answer_and_not_after() {
    let desk = short().await;
    let mut client = desk.client().await;
    let params = json!({ "name": "PlaceOrder", "arguments": buy(), "_meta": { "progressToken": "p-1" } });
    let id = client.send("tools/call", &params).await;
    desk.card().await;
    let first = client
        .find(|line| progress_of(line), PATIENCE)
        .await
        .expect("progress");
    assert_eq!(first["params"]["progressToken"], "p-1", "{first}");
    let mut last = first["params"]["progress"].as_u64().expect("a number");
    let waiting = client.result(id).await;
    assert_eq!(status(&waiting), "not_sent_waiting_for_person");
    for line in client.aside() {
        if let Some(more) = progress_of(line) {
            let now = more["params"]["progress"].as_u64().expect("a number");
            assert!(now > last, "progress goes up");
            last = now;
        }
    }
    let again = json!({ "name": "countersign_await_approval", "arguments": { "ticket": ticket(&waiting) }, "_meta": { "progressToken": "p-2" } });
    let id = client.send("tools/call", &again).await;
    let of_second = |line: &String| progress_of(line).filter(|told| told["params"]["progressToken"] == "p-2");
    client
        .find(of_second, PATIENCE)
        .await
        .expect("progress for the second wait");
    client.result(id).await;
    let before = client
        .aside()
        .iter()
        .filter(|line| progress_of(line).is_some())
        .count();
    desk.desktop.click(Button::Left);
    desk.journaled("denied").await;
    let rest = client.close().await;
    let after = rest.iter().filter(|line| progress_of(line).is_some()).count();
    assert_eq!(after, before, "none after the answer: {rest:?}");
}

#[tokio::test]
async fn no_progress_and_no_answer_after_a_cancel() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let params = json!({ "name": "PlaceOrder", "arguments": buy(), "_meta": { "progressToken": 7 } });
    let id = client.send("tools/call", &params).await;
    client
        .find(|line| progress_of(line), PATIENCE)
        .await
        .expect("progress");
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    client.line(&cancel.to_string()).await;
    desk.journaled("withdrawn").await;
    // What came before the cancel has been read; a ping shows that the rest has too.
    client.request("ping", &json!({})).await;
    let rest = client.close().await;
    assert!(
        !rest.iter().any(|line| line.contains(&format!("\"id\":{id},"))),
        "{rest:?}"
    );
    desk.check(&[], &["held", "withdrawn"]).await;
}

/// Three denials pause entries for every process of the installation, and the next one still knows.
#[tokio::test]
async fn denials_pause_entries_in_all_processes() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    for price in [5000.0, 5001.0, 5002.0] {
        let id = desk.hold(&mut client, "PlaceOrder", &bid(price)).await;
        desk.desktop.click(Button::Left);
        assert_eq!(status(&client.result(id).await), "denied");
        // After the third, the notice with which the pause can be ended stands there.
        if price < 5002.0 {
            desk.desktop.no_popup();
        }
    }
    client.close().await;
    let mut next = desk.client().await;
    let paused = next.call("PlaceOrder", &bid(5003.0)).await;
    assert_eq!(paused["structuredContent"]["code"], "paused", "{paused}");
    assert!(
        text(&paused).contains("do not ask again until they write"),
        "{}",
        text(&paused)
    );
    assert_eq!(desk.sim.executed().await, [""; 0]);
    // Counters that cannot be read count as exhausted.
    desk.home.file("state/counters.json", "{");
    let broken = next.call("PlaceOrder", &bid(5004.0)).await;
    assert_eq!(
        broken["structuredContent"]["code"], "counters_unreadable",
        "{broken}"
    );
    assert_eq!(desk.sim.executed().await, [""; 0]);
}

/// Six questions a minute may be asked, and each of them may be answered with yes.
#[tokio::test]
async fn the_sixth_question_can_still_be_approved() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    for n in 0..6 {
        let id = desk
            .hold(&mut client, "PlaceOrder", &bid(5000.0 + f64::from(n)))
            .await;
        desk.desktop.click(Button::Middle);
        let told = client.result(id).await;
        assert_eq!(status(&told), "accepted", "{n}: {}", text(&told));
    }
    let seventh = client.call("PlaceOrder", &bid(5010.0)).await;
    assert_eq!(seventh["structuredContent"]["code"], "too_many_asks", "{seventh}");
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"; 6]);
}

/// With the service's own request budget, and ours as shipped: the card's reads do not use it up.
#[tokio::test]
async fn a_card_that_stands_long_stays_within_the_request_budget() {
    let mut desk = Desk::new().await;
    desk.sim = Sim::start_with(&["--auto-consent"]);
    desk.home.settings("");
    desk.home.login(&desk.sim, false).await;
    desk.home.login(&desk.sim, true).await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    tokio::time::sleep(Duration::from_secs(18)).await;
    let quote = client
        .call("GetQuote", &json!({ "instrument": "MES 12-26" }))
        .await;
    assert!(
        text(&quote).contains("bid"),
        "the client's reads still get through: {quote}"
    );
    desk.desktop.settle();
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}
