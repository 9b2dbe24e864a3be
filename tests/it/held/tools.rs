//! Definitions that changed or are new: one combined card for all of them, approved on the page or in a terminal alone.

use super::*;

async fn changed(place: &Place) -> Client {
    place.sim.fault("schema_change", "").await;
    place.sim.fault("new_tool", "").await;
    // Seen by a process that starts now: it lists with both grants.
    let mut client = place.client().await;
    let seen = until("the new definitions", async || {
        let result = client.call("PlaceOrder", &buy()).await;
        (code(&result) == "definition_changed").then_some(result)
    });
    let result = seen.await;
    assert!(
        text(&result).starts_with("NOT SENT") && text(&result).contains("PlaceOrder"),
        "{}",
        text(&result)
    );
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_and_new_tools_stand_on_one_card() {
    let place = Place::with_policy(None).await;
    let mut client = changed(&place).await;
    let mut browser = Browser::start();
    place.page(&mut browser).await;
    browser.screenshot("held-tools");
    let page = browser.text();
    for words in [
        "TOOL DESCRIPTIONS:",
        "CHANGED PlaceOrder",
        "Trust the new descriptions",
        "digest ",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(page.lines().any(|line| line.starts_with("+ ")), "{page}");
    let again = client.call("PlaceOrder", &buy()).await;
    assert_eq!(code(&again), "definition_changed", "{again}");
    assert_eq!(place.pages(), 1);
    place.nothing_sent().await;
    browser.click("#approve");
    let line = place.in_force("tools_approved").await;
    assert_eq!(line["via"], "page");
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.click(Button::Middle).await;
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denied_they_stay_off_and_what_did_not_change_works() {
    let place = Place::with_policy(None).await;
    let mut client = changed(&place).await;
    let mut browser = Browser::start();
    place.page(&mut browser).await;
    browser.click("#deny");
    place.journaled("tools_denied").await;
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(code(&result), "definition_changed", "{result}");
    assert!(text(&result).contains("said no"), "{}", text(&result));
    assert_eq!(place.pages(), 1);
    place.nothing_sent().await;
    // The same in a terminal, by the person's own wish.
    let terminal = in_terminal(&place, &["policy", "apply"]);
    terminal.wait_for("CHANGED PlaceOrder");
    for _ in 0..40 {
        if terminal.screen().contains("Type approve") {
            break;
        }
        terminal.say("");
    }
    terminal.say("approve");
    terminal.wait_for("The tool descriptions are in force as they are now.");
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.click(Button::Left).await;
    assert_eq!(status(&client.result(id).await), "denied");
}

/// Under a PIN the pins lie under the seal: approving puts them there with the same PIN, and the next order goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_pin_a_change_behind_the_seal_voids_and_the_card_repairs_it() {
    let place = Place::sealed(None).await;
    let mut client = place.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    place.sim.fault("schema_change", "").await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "voided", "{}", text(&result));
    place.nothing_sent().await;
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(code(&result), "definition_changed", "{result}");
    place.page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let line = place.in_force("tools_approved").await;
    assert_eq!(line["tier"], "pin");
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}

/// Pins that a shell edited to agree with a changed definition are not those that were sealed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pins_that_were_edited_are_not_the_sealed_ones() {
    let place = Place::sealed(None).await;
    let folder = std::fs::read_dir(place.home.folder().join("state")).expect("the state");
    let pins = folder
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("pins-"))
        })
        .expect("pins");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&pins).expect("read")).expect("JSON");
    kept.as_object_mut()
        .expect("an object")
        .remove("Flatten")
        .expect("pinned");
    std::fs::write(&pins, kept.to_string()).expect("written");
    let mut client = place.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "voided", "{}", text(&result));
    assert!(
        // The seal proves those that the service still lists: the record is put right by it.
        text(&result).contains("they are now. Nothing was sent"),
        "{}",
        text(&result)
    );
    place.nothing_sent().await;
}
