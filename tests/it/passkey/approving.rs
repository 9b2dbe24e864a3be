//! The way it should go: registered, approved, executed once.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registered_and_approved_each_order_goes_once_by_its_own_touch() {
    let mut keyed = Keyed::new().await;
    let mut client = keyed.desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    keyed.open().await;
    keyed.browser.screenshot("passkey-pin");
    keyed.unlock();
    assert_eq!(
        keyed.desk.sim.executed().await,
        [""; 0],
        "the PIN alone approves nothing"
    );
    for (name, width, dark) in [
        ("light", 1000, false),
        ("dark", 1000, true),
        ("narrow", 360, false),
    ] {
        keyed.browser.size(width, 900);
        keyed.browser.dark(dark);
        keyed.browser.screenshot(&format!("passkey-touch-{name}"));
    }
    keyed.touch().await;
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    assert_eq!(keyed.desk.sim.executed().await, ["PlaceOrder"]);
    // The same process has the grant at hand: the next order, the very same one, takes a touch and no PIN.
    let id = client.send_call("PlaceOrder", &buy()).await;
    keyed.open().await;
    assert!(
        !keyed.browser.text().contains("Your PIN"),
        "{}",
        keyed.browser.text()
    );
    keyed.touch().await;
    assert_eq!(status(&client.result(id).await), "accepted");
    assert_eq!(keyed.desk.sim.executed().await, ["PlaceOrder"; 2]);
    let journal = keyed.desk.home.journal();
    let told = journal
        .iter()
        .map(|line| line["kind"].as_str().unwrap_or_default());
    // On a slow machine a fact changes between the card and the touch: that one does not count, and another is asked for.
    let told: Vec<&str> = told.filter(|kind| *kind != "passkey_refused").collect();
    assert_eq!(
        told,
        [
            "passkey_registered",
            "held",
            "approved",
            "accepted",
            "held",
            "approved",
            "accepted",
        ]
    );
    let (code, stdout, stderr) = keyed.desk.home.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
}

/// A stop ends what the PIN opened, in every process; allowing trading again takes the PIN and a touch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_takes_the_pin_again_and_resuming_takes_pin_and_touch() {
    let mut keyed = Keyed::new().await;
    let mut client = keyed.desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    keyed.open().await;
    keyed.unlock();
    keyed.browser.click("#halt");
    assert_eq!(status(&client.result(id).await), "denied");
    let url = keyed.desk.sim.url.clone();
    let (home, link) = (&keyed.desk.home, keyed.link_file());
    let browser = &mut keyed.browser;
    let words = ["resume", "--url", url.as_str()];
    let pressing = async {
        browser.open(&take(&link).await);
        browser.until("ALLOW AI TRADING AGAIN");
        read_it().await;
        browser.click("#pin");
        browser.type_text(PIN);
        browser.click("#approve");
        browser.until("with your passkey");
        browser.click("#approve");
    };
    let (code, stdout, stderr) = tokio::join!(home.run(&words), pressing).0;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let id = client.send_call("PlaceOrder", &buy()).await;
    keyed.open().await;
    assert!(
        keyed.browser.text().contains("Your PIN"),
        "{}",
        keyed.browser.text()
    );
    keyed.unlock();
    keyed.touch().await;
    assert_eq!(status(&client.result(id).await), "accepted");
    assert_eq!(keyed.desk.sim.executed().await, ["PlaceOrder"]);
}

/// The browser waits for a finger; the person denies instead, and nothing waits for the key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denying_never_waits_for_the_key() {
    let mut keyed = Keyed::new().await;
    let mut client = keyed.desk.client().await;
    let id = client.send_call("PlaceOrder", &bid(5000.0)).await;
    keyed.open().await;
    keyed.unlock();
    let still = json!({ "authenticatorId": keyed.authenticator, "enabled": false });
    keyed
        .browser
        .call("WebAuthn.setAutomaticPresenceSimulation", &still);
    keyed.browser.click("#approve");
    keyed.browser.until("Now touch your passkey");
    keyed.browser.click("#deny");
    assert_eq!(status(&client.result(id).await), "denied");
    keyed.browser.until("Denied. Nothing was sent.");
    assert!(!keyed.browser.text().contains("could not use a passkey"));
    assert_eq!(keyed.desk.sent("PlaceOrder").await, 0);
}

/// A terminal shows the order and can deny it. It cannot ask for a passkey, so it approves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_shows_and_denies_and_does_not_approve() {
    let mut keyed = Keyed::new().await;
    let terminal = crate::trade::terminal::Terminal::watch(&keyed.desk.home, &keyed.desk.sim);
    let mut client = keyed.desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    keyed.open().await;
    terminal.until("Type approve");
    terminal.put("approve");
    terminal.enter();
    terminal.until("this takes your passkey, on the page");
    assert_eq!(keyed.desk.sim.executed().await, [""; 0]);
    terminal.put("deny");
    terminal.enter();
    assert_eq!(status(&client.result(id).await), "denied");
    assert_eq!(keyed.desk.sent("PlaceOrder").await, 0);
}

/// The record proves which key approved which bytes, without the vault: whoever writes it anew, hashes and all, has to
/// change what was signed, and the ticket is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewritten_journal_names_the_ticket_that_no_key_signed() {
    let mut keyed = Keyed::new().await;
    let mut client = keyed.desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    keyed.open().await;
    keyed.unlock();
    keyed.touch().await;
    assert_eq!(status(&client.result(id).await), "accepted");
    client.close().await;
    let home = &keyed.desk.home;
    let (code, stdout, _) = home.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{stdout}");
    assert!(
        stdout.contains("PlaceOrder was approved with the passkey passkey"),
        "{stdout}"
    );
    let place = home.folder().join("state/journal.jsonl");
    let whole = std::fs::read_to_string(&place).expect("the journal");
    // Kept: the unit tests check a recorded one.
    let kept = crate::support::desktop::artefacts().join("passkey-journal.jsonl");
    std::fs::write(kept, &whole).expect("written");
    let ticket = keyed.desk.tickets()[0]["id"].as_str().expect("an id").to_owned();
    let approved = |line: &&str| line.contains("\"kind\":\"approved\"");
    let signed = whole.lines().find(approved).expect("an approval").to_owned();
    let from = signed.find(",\"passkey\":").expect("a proof");
    // What follows it depends on how maps are kept in this build.
    let after = |member: &str| signed.find(member).filter(|at| *at > from);
    let to = after(",\"shown\":").or_else(|| after(",\"hash\":"));
    let to = to.expect("what follows it");
    let without = format!(
        "{}{}",
        signed.get(..from).expect("text"),
        signed.get(to..).expect("text")
    );
    let cases = [
        ("not have the digest", "\\\"quantity\\\":1", "\\\"quantity\\\":9"),
        (
            "another order, or another card",
            "Approve order",
            "Approve  order",
        ),
        ("no signature is on record", signed.as_str(), without.as_str()),
        ("did not prove itself", "\"signature\":\"ME", "\"signature\":\"MF"),
        (
            "not registered then",
            "\"kind\":\"passkey_registered\"",
            "\"kind\":\"passkey_forgotten\"",
        ),
    ];
    for (said, what, by) in cases {
        let edited = whole.replace(what, by);
        assert_ne!(edited, whole, "{what}");
        std::fs::write(&place, chained(&edited)).expect("written");
        let (code, stdout, _) = home.run(&["journal", "verify"]).await;
        assert_eq!(code, 1, "{said}: {stdout}");
        assert!(stdout.contains(said), "{said}: {stdout}");
        let named = stdout.contains(&format!("ticket {ticket}"));
        assert!(named || said == "did not prove itself", "{said}: {stdout}");
    }
    std::fs::write(&place, chained(&whole)).expect("written");
    let (code, stdout, _) = home.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "the test's own chain is right: {stdout}");
}

/// The journal with its chain made anew over what the lines say now.
fn chained(text: &str) -> String {
    let mut prev = "0".repeat(64);
    let mut out = String::new();
    for line in text.lines() {
        let (body, _) = line.rsplit_once(",\"hash\":\"").expect("a hash");
        let at = body.find("\"prev\":\"").expect("a prev") + 8;
        let body = format!(
            "{}{prev}{}",
            body.get(..at).expect("text"),
            body.get(at + 64..).expect("text")
        );
        prev = countersign::passkey::card_digest(&body);
        out.extend([body.as_str(), ",\"hash\":\"", &prev, "\"}\n"]);
    }
    out
}
