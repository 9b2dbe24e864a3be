//! `arm`: the PIN once on the running program's own page, then a click for a while.

use super::*;
use crate::support::tools;
use crate::trade::Screen;
use std::path::PathBuf;

/// Tier pin on a desktop whose browser types the PIN; the log of what the browser saw.
async fn armed_place(settings: &str) -> (Place, PathBuf) {
    let mut place = Place::with_desktop().await;
    // Before the PIN: what the settings say then is what is sealed.
    let text = std::fs::read_to_string(place.home.folder().join("config/settings.toml")).unwrap();
    let rest: Vec<&str> = text.lines().filter(|line| !line.starts_with("armed")).collect();
    place.home.settings(&format!("{settings}{}\n", rest.join("\n")));
    place.seal().await;
    let log = place.desktop().folder().join("pages");
    place.home = place
        .home
        .with("BROWSER", &tools::browser().display().to_string())
        .with("COUNTERSIGN_TEST_PIN", PIN)
        .with("COUNTERSIGN_TEST_HESITATION_MS", "900")
        .with("COUNTERSIGN_TEST_BROWSER_LOG", &log.display().to_string());
    (place, log)
}

fn pages(log: &PathBuf) -> usize {
    std::fs::read_to_string(log)
        .unwrap_or_default()
        .matches(r#""event":"opened""#)
        .count()
}

async fn journaled(place: &Place, kind: &str) -> Value {
    until(kind, async || {
        place
            .home
            .journal()
            .into_iter()
            .find(|entry| entry["kind"] == kind)
    })
    .await
}

/// Closes the notices that are still on the screen, so that a click meets the card.
fn clear(place: &Place) {
    let desktop = place.desktop();
    tokio::task::block_in_place(|| {
        desktop.until("an empty screen", || {
            if desktop.popups().is_empty() {
                return Some(());
            }
            desktop.click_text();
            None
        });
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_pin_then_a_click_for_every_order_until_halt() {
    let (place, log) = armed_place("armed = \"all\"\n").await;
    let mut client = place.client().await;
    client.call("ListAccounts", &json!({})).await;
    let (code, out, err) = place.run(&["arm", "5"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("opens its PIN page within a few seconds"), "{out}");
    let armed = journaled(&place, "armed").await;
    assert_eq!(
        (&armed["minutes"], &armed["covers"]),
        (&json!(5), &json!("every order")),
        "{armed}"
    );
    assert_eq!(pages(&log), 1);
    for quantity in [1, 2] {
        clear(&place);
        let id = client.send_call("PlaceOrder", &buy(quantity)).await;
        card(&place).await;
        place.desktop().click(Button::Middle);
        let result = client.result(id).await;
        assert_eq!(status(&result), "accepted", "{result}");
    }
    assert_eq!(pages(&log), 1, "no PIN page for the orders");
    assert_eq!(place.sim.executed().await, ["PlaceOrder", "PlaceOrder"]);
    place.run(&["halt"]).await;
    let ended = journaled(&place, "disarmed").await;
    assert_eq!(ended["reason"], "AI trading was stopped");
    // Resuming takes the PIN, not a click.
    let (code, out, err) = place.run(&["resume"]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(pages(&log), 2);
    // And the armed time does not come back.
    let id = client.send_call("PlaceOrder", &buy(3)).await;
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{result}");
    assert_eq!(pages(&log), 3, "the PIN was asked for again");
}

/// The armed time spares the PIN, and nothing else: a definition that changed is seen before anything is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_armed_order_whose_definition_changed_is_not_sent() {
    let (place, _log) = armed_place("armed = \"all\"\n").await;
    let mut client = place.client().await;
    client.call("ListAccounts", &json!({})).await;
    let (code, _out, err) = place.run(&["arm", "5"]).await;
    assert_eq!(code, 0, "{err}");
    journaled(&place, "armed").await;
    clear(&place);
    let id = client.send_call("PlaceOrder", &buy(1)).await;
    card(&place).await;
    place.sim.fault("schema_change", "").await;
    // Seen on the warmed lane, before anybody can click.
    let result = client.result(id).await;
    assert_eq!(status(&result), "voided", "{result}");
    assert_eq!(place.sim.executed().await, [""; 0]);
}

/// Waits until a card of an order can be clicked.
async fn card(place: &Place) {
    until("a card on the screen", async || {
        let told = place.json(&["pending"]).await;
        told["pending"][0]["closesAt"].is_string().then_some(())
    })
    .await;
    tokio::task::block_in_place(|| place.desktop().settle());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_default_only_exits_need_but_a_click() {
    let (place, log) = armed_place("").await;
    let screen = Screen::watch(place.desktop());
    let mut client = place.client().await;
    client.call("ListAccounts", &json!({})).await;
    assert_eq!(place.run(&["arm"]).await.0, 0);
    let armed = journaled(&place, "armed").await;
    assert_eq!(armed["covers"], "exits and protective stops");
    // An entry still asks for the PIN, on the page.
    let id = client.send_call("PlaceOrder", &buy(1)).await;
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{result}");
    assert_eq!(pages(&log), 2);
    clear(&place);
    // The exit is a click.
    let id = client
        .send_call(
            "ClosePosition",
            &json!({ "account": "Sim101", "instrument": "MES 12-26" }),
        )
        .await;
    // Its card does not wait for its facts; they are worth reading first.
    screen.until("position: +1").await;
    card(&place).await;
    place.desktop().click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{result}");
    assert_eq!(pages(&log), 2);
    client.close().await;
    // The armed time ended with its process: the next one starts unarmed, and does not obey the old request.
    let mut client = place.client().await;
    client.call("ListAccounts", &json!({})).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(pages(&log), 2);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_pin_ends_the_armed_time() {
    let (place, _log) = armed_place("armed = \"all\"\n").await;
    let mut client = place.client().await;
    client.call("ListAccounts", &json!({})).await;
    place.run(&["arm"]).await;
    journaled(&place, "armed").await;
    let (code, _, err) = place
        .run_with(
            &["presence", "set", "pin", "--pin-stdin"],
            &format!("{PIN}\n{OTHER}\n"),
        )
        .await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        journaled(&place, "disarmed").await["reason"],
        "the PIN was changed, or trading was signed out"
    );
    client.close().await;
}

#[tokio::test]
async fn there_is_nothing_to_arm_in_tier_click_or_while_stopped() {
    let place = Place::bare();
    place.sign_in().await;
    let (code, _, err) = place.run(&["arm"]).await;
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("nothing to arm") && err.contains("presence set pin"),
        "{err}"
    );
    place.seal().await;
    place.run(&["halt"]).await;
    let (code, _, err) = place.run(&["arm"]).await;
    assert_eq!(code, 7, "{err}");
}
