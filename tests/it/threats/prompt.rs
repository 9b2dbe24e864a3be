//! What others do to the prompt while a call is held.

use super::*;

/// Stands in every text that the agent writes here, and nowhere else.
const MARKER: &str = "MARKER7";

fn hostile() -> String {
    format!(
        "{MARKER}{}<b>BUY 1</b>&amp;\u{1b}[2J\u{1b}]0;x\u{7}\u{202e}{MARKER}",
        "\n".repeat(40)
    )
}

/// The agent's own words: as a client's name, as an argument that no tool has, and where a tool does take text.
#[tokio::test]
async fn g06_text_of_the_agent_stands_on_no_prompt_and_raw_in_no_terminal_or_log() {
    let desk = Desk::new().await;
    let home = Home::on(desk.desktop.folder(), desk.desktop.env())
        .with("COUNTERSIGN_STORE", "file")
        .with("COUNTERSIGN_LOG", "trace")
        .with("BROWSER", "true");
    // The shortest hold: the client is told early that nobody can be asked about what takes a page.
    home.settings("requests_per_second = 0.0\nhold_seconds = 5\n");
    let mut client = home.serve(&desk.sim).await;
    let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": hostile(), "version": hostile() } });
    client.request("initialize", &hello).await;
    client
        .line(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        .await;
    for key in ["reason", "comment", "note"] {
        let mut arguments = buy();
        arguments[key] = json!(hostile());
        is_refusal(
            key,
            &client
                .request(
                    "tools/call",
                    &json!({ "name": "PlaceOrder", "arguments": arguments }),
                )
                .await,
        );
    }
    assert!(!desk.screen.asked());
    let order = client.send_call("PlaceOrder", &buy()).await;
    desk.card().await;
    desk.desktop.screenshot("threat-hostile-client-name");
    desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(order).await), "denied");
    // A tool that takes text: shown whole and escaped on the page or in a terminal, never on the popup.
    let alert = json!({ "subtype": "info", "title": hostile(), "body": hostile(), "channels": "desktop" });
    let alert = client
        .request(
            "tools/call",
            &json!({ "name": "EmitMcpAlert", "arguments": alert }),
        )
        .await;
    assert!(
        text(&alert["result"]).starts_with("NOT SENT"),
        "no page, no approval: {alert}"
    );
    let verbs = [
        &["pending"][..],
        &["status"],
        &["journal", "show"],
        &["pending", "--json"],
    ];
    let mut printed = String::new();
    for words in verbs {
        let (_, out, err) = home.run(words).await;
        printed.push_str(&out);
        printed.push_str(&err);
    }
    client.close().await;
    let shown = desk.screen.text();
    assert!(shown.contains("Approve BUY 1 MES"), "the card was shown");
    assert!(
        !shown.contains("<b>") && !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
        "{shown}"
    );
    assert!(
        !shown.contains(&format!("{MARKER}\n")),
        "a line break of the agent's: {shown}"
    );
    for (place, bytes) in [("printed", printed.into_bytes()), ("log", logs(&home))] {
        let said = String::from_utf8_lossy(&bytes);
        assert!(
            !said.contains('\u{1b}') && !said.contains('\u{202e}'),
            "{place}: {said}"
        );
        assert!(!said.contains(&format!("{MARKER}\n\n")), "{place}: {said}");
    }
    let journal = std::fs::read(home.folder().join("state/journal.jsonl")).expect("the journal");
    assert!(
        journal
            .iter()
            .all(|byte| *byte == b'\n' || (*byte >= 0x20 && *byte != 0x7f)),
        "one line is one line"
    );
    assert_eq!(desk.sim.executed().await, [""; 0]);
}

fn logs(home: &Home) -> Vec<u8> {
    let files = std::fs::read_dir(home.folder().join("logs"))
        .expect("logs")
        .flatten();
    let all: Vec<u8> = files
        .flat_map(|file| std::fs::read(file.path()).unwrap_or_default())
        .collect();
    assert!(!all.is_empty(), "there is a log to look into");
    all
}

/// The service says that its tools changed, and one of them has: whatever is held for it is void, before any click.
#[tokio::test]
async fn g08_a_definition_that_changes_while_it_is_held_voids_it() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    until("the standing stream", async || {
        (desk.sim.get("status").await["open_get_streams"] == 1).then_some(())
    })
    .await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let place = desk.desktop.aim(Button::Middle);
    desk.sim.fault("schema_change", "").await;
    let told = client.result(id).await;
    assert_eq!(status(&told), "voided", "{}", text(&told));
    desk.desktop.no_popup();
    desk.desktop.press(&place);
    let later = client.call("PlaceOrder", &bid(5000.0)).await;
    assert_eq!(
        later["structuredContent"]["code"], "definition_changed",
        "{later}"
    );
    desk.check(&[], &["held", "voided", "tools_changed", "refused"])
        .await;
    assert_eq!(desk.sent("PlaceOrder").await, 0);
}

/// What another program does to the popup's server, and how the ticket then ends.
async fn meddled(meddle: impl AsyncFnOnce(&mut Desk), ends: &[&str]) {
    let mut desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    meddle(&mut desk).await;
    let told = client.result(id).await;
    assert!(ends.contains(&status(&told)), "{}", text(&told));
    assert!(text(&told).starts_with("NOT SENT"), "{}", text(&told));
    let ended = status(&told).to_owned();
    desk.check(&[], &["held", &ended]).await;
    assert_eq!(desk.sent("PlaceOrder").await, 0);
}

#[tokio::test]
async fn g12_a_popup_that_another_program_closed_is_no_approval() {
    meddled(
        async |desk| {
            let to = [
                "call",
                "--session",
                "-d",
                "org.freedesktop.Notifications",
                "-o",
                "/org/freedesktop/Notifications",
                "-m",
            ];
            let what = ["org.freedesktop.Notifications.CloseNotification", "uint32 1"];
            desk.desktop.gdbus(&[&to[..], &what].concat());
        },
        &["tampered"],
    )
    .await;
}

#[tokio::test]
async fn g12_a_notification_server_that_is_killed_is_no_approval() {
    meddled(async |desk| desk.desktop.kill_notifications(), &["tampered"]).await;
}

/// The new server knows nothing of our popup; whoever puts one there with an Approve button is not heard.
#[tokio::test]
async fn g12_a_notification_server_that_is_replaced_is_no_approval() {
    meddled(
        async |desk| {
            desk.desktop.kill_notifications();
            desk.desktop.start_notifications();
            let to = [
                "call",
                "--session",
                "-d",
                "org.freedesktop.Notifications",
                "-o",
                "/org/freedesktop/Notifications",
                "-m",
            ];
            let what = [
                "org.freedesktop.Notifications.Notify",
                "Countersign",
                "uint32 0",
                "",
                "Approve BUY 1 MES",
                "look-alike",
                "['deny', 'Deny', 'approve', 'Approve', 'stop', 'Stop']",
                "{'urgency': <byte 2>}",
                "int32 0",
            ];
            desk.desktop.gdbus(&[&to[..], &what].concat());
            desk.desktop.settle();
            desk.desktop.click(Button::Middle);
        },
        &["tampered"],
    )
    .await;
}

/// A server that hangs shows nothing more and reports nothing: the card's own time ends it (30 s for a market order).
#[tokio::test]
async fn g12_a_notification_server_that_hangs_is_no_approval() {
    meddled(
        async |desk| desk.desktop.freeze_notifications(),
        &["expired", "tampered", "voided"],
    )
    .await;
}

/// A click in the first moment was not meant for this card. One that comes later is, once, and sends what was shown.
#[tokio::test]
async fn g13_a_click_in_the_first_moment_sends_nothing_and_a_later_one_sends_once() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let mut executed = 0;
    for price in [5000.0, 5001.0, 5002.0, 5003.0, 5004.0] {
        let id = client.send_call("PlaceOrder", &bid(price)).await;
        let shown = |ticket: &Value| {
            (ticket["state"] == "held")
                .then(|| ticket["shown_wall"].as_u64())
                .flatten()
        };
        let since = until("the card", async || desk.tickets().iter().find_map(shown)).await;
        desk.desktop.click(Button::Middle);
        let after = wall_ms().saturating_sub(since);
        if after > 650 {
            // The machine was too slow for an early click: this one counts, or not, and says nothing.
            desk.desktop.settle();
            if !desk.desktop.popups().is_empty()
                && desk.tickets().iter().any(|ticket| shown(ticket).is_some())
            {
                desk.desktop.click(Button::Middle);
            }
            executed += usize::from(status(&client.result(id).await) == "accepted");
            desk.desktop.no_popup();
            continue;
        }
        desk.desktop.settle();
        assert_eq!(
            desk.sim.executed().await.len(),
            executed,
            "the early click, after {after} ms, decided"
        );
        desk.desktop.click(Button::Middle);
        let told = client.result(id).await;
        assert_eq!(status(&told), "accepted", "{}", text(&told));
        assert_eq!(desk.sim.executed().await.len(), executed + 1);
        let sent = desk.sim.get("raw?n=400").await.to_string();
        let held = desk
            .tickets()
            .into_iter()
            .find(|held| held["id"] == ticket(&told).as_str())
            .expect("its ticket");
        let arguments = held["arguments_raw"].as_str().expect("the bytes");
        assert!(
            sent.contains(json!(arguments).to_string().trim_matches('"')),
            "{arguments} is not in {sent}"
        );
        return;
    }
    panic!("no click came within the first moment in five tries");
}

fn wall_ms() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    u64::try_from(now.as_millis()).expect("in range")
}
