//! Under a PIN: the record of what was approved, and the settings, are what was sealed, or nothing is sent.

use super::*;

/// The policy and the record that says it was approved, edited together by a shell: no change is seen, and the seal
/// knows better.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_record_voids_and_the_whole_policy_is_shown_before_it_holds_again() {
    let place = Place::sealed(Some(PLAIN)).await;
    let mut client = place.client().await;
    // `file` writes both.
    place.home.file("config/policy.toml", LOOSE);
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "voided", "{}", text(&result));
    assert!(text(&result).contains("record was edited"), "{}", text(&result));
    assert!(
        text(&result).contains("countersign policy apply"),
        "{}",
        text(&result)
    );
    place.nothing_sent().await;
    // The next call shows everything, as nothing can be compared with what was approved.
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(code(&result), "policy_changed", "{result}");
    place.page(&mut browser).await;
    browser.screenshot("held-policy-doubted");
    let page = browser.text();
    for words in [
        "ANOTHER PROGRAM EDITED THE RECORD",
        "+ version = 1",
        "+ orders_per_day = 1000",
        "+ tier = pin",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    type_pin(&mut browser, PIN);
    place.in_force("policy_approved").await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}

/// A record that was edited so that the card shows a harmless difference: the PIN of that card approves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_compares_with_an_edited_record_approves_nothing() {
    let place = Place::sealed(Some(PLAIN)).await;
    let mut client = place.client().await;
    place.home.file("config/policy.toml", LOOSE);
    place
        .home
        .meddle("config/policy.toml", &format!("{LOOSE}# a harmless line\n"));
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(code(&result), "policy_changed", "{result}");
    let mut browser = Browser::start();
    place.page(&mut browser).await;
    assert!(!browser.text().contains("+ orders_per_day"), "{}", browser.text());
    type_pin(&mut browser, PIN);
    until("the doubt", async || {
        let text = std::fs::read_to_string(place.home.folder().join("state/approved.json")).ok()?;
        text.contains(r#""doubted":true"#).then_some(())
    })
    .await;
    assert!(
        !place.kinds().contains(&"policy_approved".to_owned()),
        "{:?}",
        place.kinds()
    );
    place.nothing_sent().await;
    let terminal = in_terminal(&place, &["policy", "apply"]);
    terminal.wait_for("+ orders_per_day = 1000");
}

/// The record alone was edited: the file is what was sealed, so it takes the record's place, and the next call goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_record_is_mended_from_a_policy_that_the_seal_proves() {
    let place = Place::sealed(None).await;
    place.home.file("config/policy.toml", LOOSE);
    std::fs::remove_file(place.home.folder().join("config/policy.toml")).expect("deleted");
    let mut client = place.client().await;
    let close = json!({ "account": "Sim101", "instrument": "MES 12-26" });
    let position = json!({ "account": "Sim101", "instrument": "MES 12-26", "quantity": 2 });
    place.sim.post("position", &position).await;
    let mut browser = Browser::start();
    let id = client.send_call("ClosePosition", &close).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "voided", "{}", text(&result));
    assert!(text(&result).contains("put right"), "{}", text(&result));
    let id = client.send_call("ClosePosition", &close).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(place.sim.executed().await, ["ClosePosition"]);
}

/// The settings are edited while the card of an order asks for the PIN: that order is void, and exits still go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_edited_under_a_card_stop_no_exit() {
    let place = Place::sealed(Some(PLAIN)).await;
    let mut client = place.client().await;
    let close = json!({ "account": "Sim101", "instrument": "MES 12-26" });
    let position = json!({ "account": "Sim101", "instrument": "MES 12-26", "quantity": 2 });
    place.sim.post("position", &position).await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    let path = place.home.folder().join("config/settings.toml");
    let settings = std::fs::read_to_string(&path).expect("settings");
    let wide = settings.replace("armed = \"exits\"", "armed = \"all\"");
    assert_ne!(wide, settings);
    place.home.meddle("config/settings.toml", &wide);
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "voided", "{}", text(&result));
    place.nothing_sent().await;
    let id = client.send_call("ClosePosition", &close).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(place.sim.executed().await, ["ClosePosition"]);
}

/// The record deleted, and a setting widened beside it: the card shows every setting, as none is on record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_record_hides_no_setting() {
    let place = Place::sealed(Some(PLAIN)).await;
    std::fs::remove_file(place.home.folder().join("state/approved.json")).expect("deleted");
    let path = place.home.folder().join("config/settings.toml");
    let settings = std::fs::read_to_string(&path).expect("settings");
    let wide = settings.replace("armed = \"exits\"", "armed = \"all\"");
    place.home.meddle("config/settings.toml", &wide);
    let mut client = place.client().await;
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(code(&result), "policy_changed", "{result}");
    let mut browser = Browser::start();
    place.page(&mut browser).await;
    let page = browser.text();
    for words in ["+ orders_per_day = 20", "+ armed = all"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // The policy is the sealed one: with the PIN all of it holds again.
    type_pin(&mut browser, PIN);
    place.in_force("policy_approved").await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}

/// A shell lowers the tier: the seal still says what it takes, and the edit is held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tier_that_was_lowered_in_the_settings_lowers_nothing() {
    let place = Place::sealed(None).await;
    let path = place.home.folder().join("config/settings.toml");
    let settings = std::fs::read_to_string(&path).expect("settings");
    assert!(settings.contains("tier = \"pin\""), "{settings}");
    place
        .home
        .meddle("config/settings.toml", &settings.replace("\"pin\"", "\"click\""));
    let mut client = place.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    // The page comes, and it wants the PIN.
    place.order_page(&mut browser).await;
    browser.click("#approve");
    browser.until("Type your PIN first");
    place.desktop.settle();
    place.desktop.click(Button::Middle);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    place.nothing_sent().await;
    browser.click("#deny");
    assert_eq!(status(&client.result(id).await), "denied");
}

/// What an armed time covers is a setting: widened by a shell, it is held as a change of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_was_widened_is_a_change_and_takes_the_pin() {
    let place = Place::sealed(None).await;
    let path = place.home.folder().join("config/settings.toml");
    let settings = std::fs::read_to_string(&path).expect("settings");
    place.home.meddle(
        "config/settings.toml",
        &settings.replace("armed = \"exits\"", "armed = \"all\""),
    );
    let mut client = place.client().await;
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(code(&result), "policy_changed", "{result}");
    let mut browser = Browser::start();
    place.page(&mut browser).await;
    let page = browser.text();
    for words in [
        "YOUR SETTINGS CHANGED",
        "- armed = exits",
        "+ armed = all",
        "Use the new settings",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // Another PIN does not approve it by the way.
    let words = ["presence", "set", "pin", "--pin-stdin", "--url", &place.sim.url];
    let (code, _, err) = place
        .home
        .run_with(&words, &format!("{PIN}\n{PIN}\n{PIN}\n"))
        .await;
    assert_eq!(code, 7, "{err}");
    assert!(err.contains("policy apply"), "{err}");
    type_pin(&mut browser, PIN);
    place.in_force("policy_approved").await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
}

/// Another PIN keeps what was sealed, and approves no policy that waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_pin_approves_no_policy() {
    let place = Place::sealed(Some(PLAIN)).await;
    place.home.meddle("config/policy.toml", LOOSE);
    let other = "walnut river seven candle stone";
    place.set_pin(&format!("{PIN}\n{other}\n")).await;
    let mut client = place.client().await;
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(code(&result), "policy_changed", "{result}");
    place.nothing_sent().await;
}

/// The PIN of `arm` frees nothing by a setting that was widened behind the seal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_widened_setting_arms_nothing() {
    let place = Place::sealed(None).await;
    let path = place.home.folder().join("config/settings.toml");
    let settings = std::fs::read_to_string(&path).expect("settings");
    let wide = settings.replace("armed = \"exits\"", "armed = \"all\"");
    assert_ne!(wide, settings);
    place.home.meddle("config/settings.toml", &wide);
    let mut client = place.client().await;
    client.call("ListAccounts", &json!({})).await;
    let (code_, out, err) = place.run(&["arm", "5"]).await;
    assert_eq!(code_, 0, "{out}{err}");
    let file = place.link();
    let link = until("the page", async || std::fs::read_to_string(&file).ok()).await;
    std::fs::remove_file(&file).expect("taken");
    let mut browser = Browser::start();
    browser.open(&link);
    browser.until("Unlock");
    tokio::time::sleep(Duration::from_secs(1)).await;
    type_pin(&mut browser, PIN);
    let line = place.journaled("not_armed").await;
    assert!(
        line["reason"]
            .as_str()
            .is_some_and(|why| why.contains("policy apply")),
        "{line}"
    );
    assert!(
        !place.kinds().contains(&"armed".to_owned()),
        "{:?}",
        place.kinds()
    );
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(code(&result), "policy_changed", "{result}");
    place.nothing_sent().await;
}
