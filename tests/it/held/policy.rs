//! A policy that was edited, made or deleted by a shell: refused, asked once, and in force only after an approval.

use super::*;

/// Refused because the policy changed, with the person asked.
async fn refused(client: &mut Client) -> Value {
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(code(&result), "policy_changed", "{result}");
    assert!(text(&result).starts_with("NOT SENT"), "{}", text(&result));
    result
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_policy_is_refused_until_its_lines_are_approved_on_the_page() {
    let place = Place::with_policy(Some(PLAIN)).await;
    let mut client = place.client().await;
    place.home.meddle("config/policy.toml", LOOSE);
    let (_, told, _) = place.run(&["status"]).await;
    assert!(told.contains("YOUR POLICY FILE CHANGED"), "{told}");
    let result = refused(&mut client).await;
    assert!(text(&result).contains("have been asked"), "{}", text(&result));
    let mut browser = Browser::start();
    place.page(&mut browser).await;
    browser.screenshot("held-policy-light");
    let page = browser.text();
    for words in [
        "YOUR POLICY FILE CHANGED",
        "- orders_per_day = 20",
        "+ orders_per_day = 1000",
        "Use the new policy",
        "Keep refusing",
        "MAY ALLOW MORE",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // While it waits, it is asked once, however often the model calls.
    let again = refused(&mut client).await;
    assert!(text(&again).contains("have been asked"), "{}", text(&again));
    let (_, waiting, _) = place.run(&["pending"]).await;
    assert!(
        waiting.contains("POLICY") && waiting.contains("asked on your screen"),
        "{waiting}"
    );
    place.nothing_sent().await;
    // The notification beside the page has no button that approves.
    browser.click("#approve");
    let line = place.in_force("policy_approved").await;
    assert_eq!(
        (line["via"].as_str(), line["tier"].as_str()),
        (Some("page"), Some("click"))
    );
    assert_eq!(place.pages(), 1);
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.click(Button::Middle).await;
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
    let changed = place
        .kinds()
        .iter()
        .filter(|kind| *kind == "policy_changed")
        .count();
    assert_eq!(changed, 1);
    let (code, out, err) = place.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{out}{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denied_change_stays_refused_and_is_not_asked_again_at_once() {
    let place = Place::with_policy(Some(PLAIN)).await;
    let mut client = place.client().await;
    place.home.meddle("config/policy.toml", LOOSE);
    refused(&mut client).await;
    let mut browser = Browser::start();
    place.page(&mut browser).await;
    browser.click("#deny");
    place.journaled("policy_denied").await;
    for _ in 0..3 {
        let result = refused(&mut client).await;
        assert!(text(&result).contains("said no"), "{}", text(&result));
        assert!(
            text(&result).contains("countersign policy apply"),
            "{}",
            text(&result)
        );
    }
    assert_eq!(place.pages(), 1, "one card");
    let (_, told, _) = place.run(&["status"]).await;
    assert!(told.contains("you said no"), "{told}");
    place.nothing_sent().await;
    // Undone: nothing waits any more.
    place.home.meddle("config/policy.toml", PLAIN);
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.click(Button::Left).await;
    assert_eq!(status(&client.result(id).await), "denied");
    assert_eq!(place.sim.executed().await, [""; 0]);
}

/// Two clients, two processes, and many calls: one card.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_put_up_one_card_and_a_verb_denies_it() {
    let place = Place::with_policy(Some(PLAIN)).await;
    let (mut one, mut two) = (place.client().await, place.client().await);
    place.home.meddle("config/policy.toml", LOOSE);
    let order = buy();
    let (first, second) = tokio::join!(one.call("PlaceOrder", &order), two.call("PlaceOrder", &order));
    assert_eq!(
        (code(&first), code(&second)),
        ("policy_changed", "policy_changed"),
        "{first}{second}"
    );
    let mut browser = Browser::start();
    place.page(&mut browser).await;
    refused(&mut two).await;
    refused(&mut one).await;
    assert_eq!(place.pages(), 1);
    let (code, out, err) = place.run(&["deny", "policy"]).await;
    assert_eq!(code, 0, "{out}{err}");
    place.journaled("policy_denied").await;
    // The page of the process that asked is over.
    let over = until("the end of the page", async || {
        browser
            .eval("document.getElementById('approve').disabled")
            .as_bool()
            .filter(|over| *over)
    });
    over.await;
    let result = refused(&mut two).await;
    assert!(text(&result).contains("said no"), "{}", text(&result));
    assert_eq!(place.pages(), 1);
    place.nothing_sent().await;
}

/// The way out must not wait for anybody to read a diff; a blocked account is blocked by either of the two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exit_passes_while_a_change_waits_by_the_stricter_of_both() {
    let place = Place::with_policy(Some(PLAIN)).await;
    let mut client = place.client().await;
    let position = json!({ "account": "Sim101", "instrument": "MES 12-26", "quantity": 2 });
    place.sim.post("position", &position).await;
    place.home.meddle("config/policy.toml", LOOSE);
    let close = json!({ "account": "Sim101", "instrument": "MES 12-26" });
    let id = client.send_call("ClosePosition", &close).await;
    place.click(Button::Middle).await;
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(place.pages(), 0, "an exit asks about itself alone");
    // The new one blocks the account.
    place.sim.post("position", &position).await;
    let block = format!("{PLAIN}\n[account.\"Sim101\"]\nblocked = true\n");
    place.home.meddle("config/policy.toml", &block);
    let result = client.call("ClosePosition", &close).await;
    assert_eq!(code(&result), "account_blocked", "{result}");
    assert!(text(&result).contains("NinjaTrader"), "{}", text(&result));
    // An order that opens is not taken for an exit because it is small.
    refused(&mut client).await;
    assert_eq!(place.sim.executed().await, ["ClosePosition"]);
}

/// The old one blocks the account, and the new one, not approved yet, does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exit_that_the_approved_policy_blocks_is_not_freed_by_an_edit() {
    let block = format!("{PLAIN}\n[account.\"Sim101\"]\nblocked = true\n");
    let place = Place::with_policy(Some(&block)).await;
    let mut client = place.client().await;
    let position = json!({ "account": "Sim101", "instrument": "MES 12-26", "quantity": 2 });
    place.sim.post("position", &position).await;
    place.home.meddle("config/policy.toml", PLAIN);
    let close = json!({ "account": "Sim101", "instrument": "MES 12-26" });
    let result = client.call("ClosePosition", &close).await;
    assert_eq!(code(&result), "account_blocked", "{result}");
    assert_eq!(place.sim.executed().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_policy_and_a_new_one_are_changes() {
    let place = Place::with_policy(Some(PLAIN)).await;
    let mut client = place.client().await;
    std::fs::remove_file(place.home.folder().join("config/policy.toml")).expect("deleted");
    refused(&mut client).await;
    let mut browser = Browser::start();
    place.page(&mut browser).await;
    browser.screenshot("held-policy-deleted");
    let page = browser.text();
    for words in [
        "YOUR POLICY FILE WAS DELETED",
        "- orders_per_day = 20",
        "Use the built-in rules",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    browser.click("#approve");
    place.in_force("policy_approved").await;
    // Where nothing was on record but the built-in rules, a file is new.
    place.home.meddle("config/policy.toml", LOOSE);
    refused(&mut client).await;
    place.page(&mut browser).await;
    assert!(
        browser.text().contains("+ orders_per_day = 1000"),
        "{}",
        browser.text()
    );
    // It changes once more while the person reads: what they saw is not approved.
    let looser = LOOSE.replace("1000", "999");
    place.home.meddle("config/policy.toml", &looser);
    browser.click("#approve");
    let over = until("the end of the page", async || {
        browser
            .eval("document.getElementById('approve').disabled")
            .as_bool()
            .filter(|over| *over)
    });
    over.await;
    refused(&mut client).await;
    let approved = place
        .kinds()
        .iter()
        .filter(|kind| *kind == "policy_approved")
        .count();
    assert_eq!(approved, 1, "{:?}", place.kinds());
    place.nothing_sent().await;
}

/// Tier pin: the page asks for the PIN, which puts the new digest under the seal in the same act.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_pin_the_change_takes_the_pin_and_the_next_order_goes() {
    let place = Place::sealed(Some(PLAIN)).await;
    let mut client = place.client().await;
    place.home.meddle("config/policy.toml", LOOSE);
    refused(&mut client).await;
    let mut browser = Browser::start();
    place.page(&mut browser).await;
    browser.click("#approve");
    browser.until("Type your PIN first");
    type_pin(&mut browser, "otter lamp canyon seven drifts");
    place.journaled("wrong_pin").await;
    refused(&mut client).await;
    browser.screenshot("held-policy-pin");
    type_pin(&mut browser, PIN);
    let line = place.in_force("policy_approved").await;
    assert_eq!(
        (line["via"].as_str(), line["tier"].as_str()),
        (Some("page"), Some("pin"))
    );
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}

/// Tier pin, in a terminal, without waiting for a trade call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policy_apply_in_a_terminal_shows_the_lines_and_takes_the_pin() {
    let place = Place::sealed(Some(PLAIN)).await;
    place.home.meddle("config/policy.toml", LOOSE);
    let terminal = in_terminal(&place, &["policy", "apply"]);
    terminal.wait_for("+ orders_per_day = 1000");
    assert!(terminal.screen().contains("- orders_per_day = 20"));
    terminal.wait_for("Type approve");
    terminal.say("approve");
    terminal.wait_for("PIN (not shown)");
    terminal.say(PIN);
    terminal.wait_for("The policy is in force as it is now.");
    terminal.wait_for("[exit 0]");
    let line = place.in_force("policy_approved").await;
    assert_eq!(
        (line["via"].as_str(), line["tier"].as_str()),
        (Some("terminal"), Some("pin"))
    );
    let (_, told, _) = place.run(&["pending"]).await;
    assert!(told.contains("Nothing is waiting"), "{told}");
    // And what lies under the seal agrees: a call is held and not refused.
    let again = in_terminal(&place, &["policy", "apply"]);
    again.wait_for("Nothing waits");
}

/// `watch` shows the change by itself, and what is decided there ends the page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watch_decides_on_it_too() {
    let place = Place::with_policy(Some(PLAIN)).await;
    let mut client = place.client().await;
    place.home.meddle("config/policy.toml", LOOSE);
    refused(&mut client).await;
    let mut browser = Browser::start();
    place.page(&mut browser).await;
    let terminal = in_terminal(&place, &["watch"]);
    terminal.wait_for("Type approve");
    terminal.say("approve");
    let line = place.in_force("policy_approved").await;
    assert_eq!(line["via"], "terminal");
    let over = until("the end of the page", async || {
        browser
            .eval("document.getElementById('approve').disabled")
            .as_bool()
            .filter(|over| *over)
    });
    over.await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.click(Button::Left).await;
    assert_eq!(status(&client.result(id).await), "denied");
    assert_eq!(place.sim.executed().await, [""; 0]);
}
