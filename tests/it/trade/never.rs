//! What must never arrive: each of these calls is executed zero times.

use super::*;

const OBJECT: &str = "/org/freedesktop/Notifications";

/// Another program of the same user says that a button of the first popup was pressed.
fn forge(desktop: &Desktop, key: &str) {
    let signal = "org.freedesktop.Notifications.ActionInvoked";
    desktop.gdbus(&[
        "emit",
        "--session",
        "--object-path",
        OBJECT,
        "--signal",
        signal,
        "uint32 1",
        key,
    ]);
}

/// Another program of the same user writes something harmless over the first popup.
fn rewrite(desktop: &Desktop) {
    let to = [
        "call",
        "--session",
        "-d",
        "org.freedesktop.Notifications",
        "-o",
        OBJECT,
        "-m",
        "org.freedesktop.Notifications.Notify",
    ];
    let what = [
        "Countersign",
        "uint32 1",
        "",
        "SIM Sim101 BUY 1 MES",
        "harmless",
        "['approve', 'Approve']",
        "{'urgency': <byte 2>}",
        "int32 0",
    ];
    desktop.gdbus(&[&to[..], &what].concat());
}

#[tokio::test]
async fn denied() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.desktop.screenshot("trade-deny");
    desk.desktop.click(Button::Left);
    let result = client.result(id).await;
    assert_eq!(status(&result), "denied", "{}", text(&result));
    assert!(text(&result).starts_with("NOT SENT"), "{}", text(&result));
    desk.desktop.no_popup();
    client.close().await;
    desk.check(&[], &["held", "denied"]).await;
}

#[tokio::test]
async fn denied_by_a_verb() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let ticket = desk.tickets()[0]["id"].as_str().expect("an id").to_owned();
    let (code, _, stderr) = desk.home.run(&["deny", &ticket]).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(status(&client.result(id).await), "denied");
    desk.desktop.no_popup();
    desk.check(&[], &["held", "denied"]).await;
}

/// Nobody decides. A market order's card stands for as long as the policy says: 30 s where it says nothing, here 8 s.
#[tokio::test]
async fn expired() {
    let desk = Desk::new().await;
    desk.home.file(
        "config/policy.toml",
        "version = 1\n[limits]\nmarket_ticket_seconds = 8\n",
    );
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let result = client.result(id).await;
    assert_eq!(status(&result), "expired", "{}", text(&result));
    desk.desktop.no_popup();
    let ended = &desk.tickets()[0];
    let stood = ended["ended_wall"].as_u64().expect("ended") - ended["shown_wall"].as_u64().expect("shown");
    assert!((7_500..10_000).contains(&stood), "it stood {stood} ms");
    desk.check(&[], &["held", "expired"]).await;
}

#[tokio::test]
async fn cancelled_by_the_client() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    client
        .line(
            &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })
                .to_string(),
        )
        .await;
    desk.journaled("withdrawn").await;
    desk.desktop.no_popup();
    let rest = client.close().await;
    assert!(
        !rest.iter().any(|line| line.contains(&format!("\"id\":{id},"))),
        "a cancelled call gets no answer: {rest:?}"
    );
    desk.check(&[], &["held", "withdrawn"]).await;
}

#[tokio::test]
async fn refused_by_policy() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let policies = [
        ("[account.\"Sim*\"]\nblocked = true\n", "account_blocked"),
        (
            "[account.\"Sim101\"]\nclass = \"sim\"\nmax_quantity = { MES = 0 }\n",
            "too_large",
        ),
        ("[[rule]]\nclass = \"order\"\ndo = \"deny\"\n", "policy_denied"),
        ("[[rule]]\ntool = \"PlaceOrder\"\ndo = \"perhaps\"\n", "policy"),
        ("[limits]\norders_per_minute = 0\n", "orders_per_minute"),
    ];
    for (policy, code) in policies {
        desk.home
            .file("config/policy.toml", &format!("version = 1\n{policy}"));
        let result = client.call("PlaceOrder", &buy()).await;
        assert_eq!(result["structuredContent"]["code"], code, "{result}");
        assert!(text(&result).starts_with("NOT SENT"), "{}", text(&result));
    }
    assert!(!desk.screen.asked(), "nobody is asked for what is refused");
    desk.check(&[], &["refused"; 5]).await;
}

#[tokio::test]
async fn refused_by_strict_reading() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let order = |rest: &str| {
        format!(
            r#"{{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market","tif":"Day",{rest}}}"#
        )
    };
    let calls = [
        order(r#""quantity":1,"quantity":2"#),
        order(r#""quantity":1,"quantit\u0079":2"#),
        order(r#""quantity":1,"orderType":"Market""#),
        order(r#""quantity":1,"surprise":true"#),
        order(r#""quantity":1e2"#),
        order(r#""quantity":1.0"#),
        order(r#""quantity":"1""#),
        order(r#""quantity":-1"#),
        order(r#""quantity":1,"_meta":{}"#),
        order(r#""quantity":1"#).replace("Sim101", "Sim\u{202e}101"),
        order(r#""quantity":1"#).replace("Sim101", "Sim101 "),
        order(r#""quantity":1"#).replace("\"Buy\"", "\"buy or sell\""),
        "[]".to_owned(),
        "null".to_owned(),
    ];
    for (n, arguments) in calls.iter().enumerate() {
        let id = 1000 + n as u64;
        client.line(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"PlaceOrder","arguments":{arguments}}}}}"#)).await;
        let answer = client.answer(id).await;
        let said = answer.to_string();
        assert!(
            said.contains("NOT SENT") || said.contains("\"sent\":\"no\""),
            "{arguments}: {said}"
        );
        assert_ne!(answer["result"]["isError"], false, "{arguments}: {said}");
    }
    // A name that is written in another way than the service lists it is another name.
    let escaped = format!(
        r#"{{"jsonrpc":"2.0","id":2000,"method":"tools/call","params":{{"name":"Place\u004frder","arguments":{}}}}}"#,
        order(r#""quantity":1"#)
    );
    client.line(&escaped).await;
    let answer = client.answer(2000).await;
    assert!(text(&answer["result"]).starts_with("NOT SENT"), "{answer}");
    // As a task it would live on outside its ticket.
    let task = json!({ "name": "PlaceOrder", "arguments": buy(), "task": { "ttl": 60000 } });
    let answer = client.request("tools/call", &task).await;
    assert!(text(&answer["result"]).starts_with("NOT SENT"), "{answer}");
    assert!(!desk.screen.asked(), "nobody is asked for what is refused");
    assert_eq!(desk.sim.executed().await, [""; 0]);
    assert_eq!(desk.sent("PlaceOrder").await, 0);
}

#[tokio::test]
async fn halted_before() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    assert_eq!(desk.home.run(&["halt"]).await.0, 0);
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(result["structuredContent"]["code"], "halted", "{result}");
    assert!(!desk.screen.asked());
    desk.check(&[], &["halted", "refused"]).await;
}

#[tokio::test]
async fn halted_while_the_card_is_up() {
    let desk = Desk::new().await;
    let (mut one, mut two) = (desk.client().await, desk.client().await);
    let first = desk.hold(&mut one, "PlaceOrder", &buy()).await;
    let second = two.send_call("PlaceOrder", &bid(5000.0)).await;
    until("a second ticket", async || {
        (desk.tickets().len() == 2).then_some(())
    })
    .await;
    assert_eq!(desk.home.run(&["halt"]).await.0, 0);
    for (client, id) in [(&mut one, first), (&mut two, second)] {
        assert_eq!(status(&client.result(id).await), "voided");
    }
    desk.desktop.no_popup();
    assert_eq!(desk.sim.executed().await, [""; 0]);
}

#[tokio::test]
async fn stopped_by_the_button() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.desktop.click(Button::Right);
    let result = client.result(id).await;
    assert_eq!(status(&result), "denied", "{}", text(&result));
    let again = client.call("PlaceOrder", &buy()).await;
    assert_eq!(again["structuredContent"]["code"], "halted", "{again}");
    desk.check(&[], &["held", "halted", "denied", "refused"]).await;
}

#[tokio::test]
async fn the_client_leaves_while_it_is_held() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let began = Instant::now();
    client.close().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    desk.desktop.no_popup();
    desk.check(&[], &["held", "voided"]).await;
}

#[tokio::test]
async fn terminated_while_it_is_held() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let sent = Command::new("kill").arg(client.id().to_string()).status();
    assert!(sent.expect("kill").success());
    desk.journaled("voided").await;
    desk.desktop.no_popup();
    client.close().await;
    desk.check(&[], &["held", "voided"]).await;
}

#[tokio::test]
async fn killed_while_it_is_held() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.hold(&mut client, "PlaceOrder", &buy()).await;
    client.kill().await;
    // The popup of the dead may still stand there: clicking it does nothing.
    if !desk.desktop.popups().is_empty() {
        desk.desktop.click(Button::Middle);
    }
    let second = desk.client().await;
    let voided = desk.journaled("voided").await;
    assert!(
        voided["reason"].as_str().expect("a reason").contains("gone"),
        "{voided}"
    );
    second.close().await;
    desk.check(&[], &["held", "voided"]).await;
}

/// As much as fills the pipe, asked for by a client that does not read any more.
async fn stop_reading(client: &mut Client) {
    for _ in 0..8 {
        client.send("tools/list", &json!({})).await;
    }
    tokio::time::sleep(Duration::from_millis(5500)).await;
}

#[tokio::test]
async fn the_client_does_not_read() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    stop_reading(&mut client).await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    let refused = desk.journaled("refused").await;
    assert_eq!(refused["code"], "not_reading", "{refused}");
    assert!(!desk.screen.asked());
    assert_eq!(
        client.result(id).await["structuredContent"]["code"],
        "not_reading",
        "once it reads, it learns of it"
    );
    desk.check(&[], &["refused"]).await;
}

#[tokio::test]
async fn the_client_stops_reading_while_the_card_is_up() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    stop_reading(&mut client).await;
    desk.journaled("voided").await;
    desk.desktop.no_popup();
    assert_eq!(status(&client.result(id).await), "voided");
    desk.check(&[], &["held", "voided"]).await;
}

#[tokio::test]
async fn the_add_on_is_down() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.sim.fault("addon_down", "").await;
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(result["structuredContent"]["code"], "not_connected", "{result}");
    assert!(text(&result).contains("nobody was asked"), "{}", text(&result));
    assert!(!desk.screen.asked());
    desk.check(&[], &["refused"]).await;
}

#[tokio::test]
async fn there_is_no_notification_server() {
    let mut desk = Desk::on(Desktop::without_notifications(), &[]).await;
    // Nor a browser for the page: one for terminals is none.
    desk.home = desk.home.with("BROWSER", "lynx");
    let mut client = desk.client().await;
    let began = Instant::now();
    let result = client.call("PlaceOrder", &buy()).await;
    assert!(text(&result).starts_with("NOT SENT"), "{}", text(&result));
    assert!(text(&result).contains("nobody was asked"), "{}", text(&result));
    assert!(text(&result).contains("countersign watch"), "{}", text(&result));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    desk.check(&[], &["held", "voided"]).await;
}

#[tokio::test]
async fn a_click_is_forged() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    forge(&desk.desktop, "approve");
    let result = client.result(id).await;
    assert_eq!(status(&result), "tampered", "{}", text(&result));
    desk.screen.until("interfered").await;
    desk.check(&[], &["held", "tampered"]).await;
}

#[tokio::test]
async fn the_popup_is_rewritten() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    rewrite(&desk.desktop);
    let result = client.result(id).await;
    assert_eq!(status(&result), "tampered", "{}", text(&result));
    desk.check(&[], &["held", "tampered"]).await;
}

/// Between card and click the account came to hold something else: nothing is sent, and the person is asked again with
/// what changed. Their second approval counts.
#[tokio::test]
async fn the_position_changed_between_card_and_click() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.sim
        .post(
            "position",
            &json!({ "account": "Sim101", "instrument": "MES 12-26", "quantity": -3 }),
        )
        .await;
    desk.screen.until("CHANGED position: -3 from").await;
    desk.desktop.settle();
    desk.desktop.click(Button::Middle);
    desk.screen.until("CHANGED SINCE YOU APPROVED").await;
    desk.check(&[], &["held"]).await;
    desk.desktop.settle();
    desk.desktop.screenshot("trade-changed");
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

/// The policy changes while the card is up: the call is void.
#[tokio::test]
async fn the_policy_changed_while_the_card_is_up() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    desk.home.file(
        "config/policy.toml",
        "version = 1\n[limits]\norders_per_day = 100\n",
    );
    let result = client.result(id).await;
    assert_eq!(status(&result), "voided", "{}", text(&result));
    desk.desktop.no_popup();
    desk.check(&[], &["held", "voided"]).await;
}

/// Before the trade sign-in nothing can be sent at all.
#[tokio::test]
async fn signed_in_for_reading_only() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    home.login(&sim, false).await;
    let mut client = home.serve(&sim).await.hello().await;
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(status(&result), "trade_sign_in_needed", "{result}");
    check(&home, &sim, &[], &[]).await;
}

/// Puts something in the journal's place that nobody can append to.
fn break_journal(desk: &Desk) {
    let journal = desk.home.folder().join("state/journal.jsonl");
    let _ = std::fs::rename(&journal, journal.with_extension("kept"));
    std::fs::create_dir(&journal).expect("a folder in its place");
}

#[tokio::test]
async fn the_journal_cannot_be_written() {
    let desk = Desk::new().await;
    break_journal(&desk);
    let mut client = desk.client().await;
    let told = client.call("PlaceOrder", &buy()).await;
    assert_eq!(told["structuredContent"]["code"], "disk", "{told}");
    assert!(!desk.screen.asked());
    assert_eq!(desk.sent("PlaceOrder").await, 0);
}

#[tokio::test]
async fn the_journal_cannot_be_written_any_more() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    break_journal(&desk);
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "voided", "{}", text(&told));
    assert_eq!(desk.sent("PlaceOrder").await, 0);
}

/// Somebody edits the ticket's file while its card is up: the bytes are not those that were held.
#[tokio::test]
async fn the_ticket_file_is_edited() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let ticket = desk.tickets()[0]["id"].as_str().expect("an id").to_owned();
    let path = desk.home.folder().join(format!("state/tickets/{ticket}.json"));
    let text_of = std::fs::read_to_string(&path).expect("the ticket");
    let edited = text_of.replace(r#"\"quantity\":1"#, r#"\"quantity\":9"#);
    assert_ne!(text_of, edited);
    // In one step: a file that is read half-written would be void, which is not what is tested here.
    let whole = path.with_extension("edited");
    std::fs::write(&whole, edited).expect("written");
    std::fs::rename(&whole, &path).expect("put in place");
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "tampered", "{}", text(&told));
    assert_eq!(desk.sent("PlaceOrder").await, 0);
    desk.screen.until("NOT SENT: BUY 1 MES").await;
    desk.check(&[], &["held", "tampered"]).await;
}
