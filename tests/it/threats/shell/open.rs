//! What does get through, one test each: the right-hand column of the README's table of tiers.

use super::*;

/// Tier click, honestly: a program with a shell takes the trade token out of the vault and trades with it, past us.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_tier_click_a_stolen_token_trades_without_being_asked() {
    let place = Place::new().await;
    let stolen = place.agent("steal.py", &[]).await;
    assert!(tried(&stolen, "take the trade grant").ends_with("open"));
    assert_eq!(
        place.desk.sim.executed().await,
        ["PlaceOrder"],
        "this is what a PIN is for"
    );
}

/// Tier click, honestly: a program that controls the mouse presses the button.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_tier_click_a_scripted_mouse_approves() {
    let place = Place::new().await;
    let mut client = place.desk.client().await;
    let id = place.desk.hold(&mut client, "PlaceOrder", &buy()).await;
    place.agent("press.sh", &[]).await;
    assert_eq!(status(&client.result(id).await), "accepted");
    assert_eq!(
        place.desk.sim.executed().await,
        ["PlaceOrder"],
        "this is what a PIN is for"
    );
}

/// Tier click, honestly: a terminal that the agent opened is a terminal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_tier_click_a_terminal_of_the_agents_own_approves() {
    let place = Place::new().await;
    let mut client = place.desk.client().await;
    let id = place.desk.hold(&mut client, "PlaceOrder", &buy()).await;
    place.agent("watch.sh", &[]).await;
    assert_eq!(status(&client.result(id).await), "accepted");
    assert_eq!(
        place.desk.sim.executed().await,
        ["PlaceOrder"],
        "this is what a PIN is for"
    );
}

/// The armed time, honestly: while it lasts the popup has an Approve button, and a program that controls the mouse presses
/// it. A terminal of the agent's own, other rules and a stolen vault still come to nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_armed_time_only_a_scripted_mouse_approves() {
    let mut place = Place::new().await;
    // As the person set it, before the PIN: what is changed afterwards has to be approved first.
    let settings = "requests_per_second = 0.0\narmed = \"all\"\n";
    place.desk.home.settings(settings);
    place.seal(Sealed::Pin).await;
    let mut client = place.desk.client().await;
    client.call("ListAccounts", &json!({})).await;
    assert_eq!(
        place
            .desk
            .home
            .run(&["arm", "5", "--url", &place.desk.sim.url])
            .await
            .0,
        0
    );
    let mut browser = Browser::start();
    browser.open(&link(&place.link).await);
    browser.until("PIN");
    tokio::time::sleep(Duration::from_secs(1)).await;
    browser.click("#pin");
    browser.type_text(PIN);
    browser.click("#approve");
    place.desk.journaled("armed").await;
    place.desk.screen.until("Armed for").await;
    let notice = || {
        place.desk.desktop.click_text();
        place.desk.desktop.no_popup();
    };
    tokio::task::block_in_place(notice);

    let stolen = place.agent("steal.py", &[]).await;
    assert!(tried(&stolen, "take the trade grant").ends_with("sealed"));
    let id = place.waits(&mut client, 4000.0).await;
    place.desk.card().await;
    place.agent("watch.sh", &[]).await;
    place.nothing("a terminal of its own").await;
    let policy = "version = 1\n[limits]\norders_per_day = 1000\n";
    place.desk.home.meddle("config/policy.toml", policy);
    assert_eq!(status(&client.result(id).await), "voided", "the rules changed");
    let id = place.waits(&mut client, 4001.0).await;
    assert_eq!(
        status(&client.result(id).await),
        "refused",
        "other rules than the PIN was given for"
    );
    place.nothing("other rules").await;
    std::fs::remove_file(place.desk.home.folder().join("config/policy.toml")).expect("removed");

    tokio::task::block_in_place(|| {
        let desktop = &place.desk.desktop;
        desktop.until("an empty screen", || {
            if desktop.popups().is_empty() {
                return Some(());
            }
            desktop.click_text();
            None
        });
    });
    let id = place.waits(&mut client, 4002.0).await;
    place.desk.card().await;
    place.agent("press.sh", &[]).await;
    assert_eq!(status(&client.result(id).await), "accepted");
    assert_eq!(
        place.desk.sim.executed().await,
        ["PlaceOrder"],
        "this is what not arming is for"
    );
}
