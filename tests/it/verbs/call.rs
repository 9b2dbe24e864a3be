//! `call`: the exit codes of DESIGN section 8.

use super::*;

async fn call(place: &Place, tool: &str, arguments: &Value) -> Ended {
    place.run(&["call", tool, &arguments.to_string()]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_and_decisions_end_with_their_codes() {
    let place = Place::with_desktop().await;
    let read = call(&place, "ListAccounts", &json!({})).await;
    assert!(read.0 == 0 && read.1.contains("Sim101"), "{read:?}");
    let order = buy(1);
    let (ended, ()) = tokio::join!(call(&place, "PlaceOrder", &order), async {
        place.click(Button::Middle);
    });
    assert!(ended.0 == 0 && ended.1.starts_with("SENT once"), "{ended:?}");
    tokio::task::block_in_place(|| {
        place
            .desktop()
            .run("xdotool", "xdotool", &["mousemove", "5", "795"])
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let order = buy(2);
    let (ended, ()) = tokio::join!(call(&place, "PlaceOrder", &order), async { deny(&place).await });
    assert!(ended.0 == 5 && ended.1.contains("was denied"), "{ended:?}");
    let (code, _, err) = place.run(&["call", "PlaceOrder", "{\"account\""]).await;
    assert!(code == 2 && err.contains("nothing was sent"), "{err}");
    let refused = call(
        &place,
        "PlaceOrder",
        &json!({ "account": "Sim101", "nonsense": 1 }),
    )
    .await;
    assert_eq!(refused.0, 7, "{refused:?}");
    place.home.file("config/policy.toml", "wrong");
    let broken = call(&place, "PlaceOrder", &buy(3)).await;
    assert!(broken.0 == 8 && broken.1.contains("NOT SENT"), "{broken:?}");
    place.home.file("config/policy.toml", "version = 1\n");
    let failed = call(&place, "GetAccount", &json!({ "account": "Nobody" })).await;
    assert_eq!(failed.0, 1, "{failed:?}");
    place.run(&["halt"]).await;
    assert_eq!(call(&place, "PlaceOrder", &buy(4)).await.0, 7);
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}

/// Denies whatever waits, by its id.
async fn deny(place: &Place) {
    let ticket = until("a waiting ticket", async || {
        let told = place.json(&["pending"]).await;
        told["pending"][0]["ticket"].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(place.run(&["deny", &ticket]).await.0, 0);
}

#[tokio::test]
async fn without_sign_in_or_service_nothing_is_sent() {
    let place = Place::bare();
    let (code, _, err) = call(&place, "ListAccounts", &json!({})).await;
    assert!(code == 3 && err.contains("countersign login"), "{err}");
    place.home.login(&place.sim, false).await;
    let only_reading = call(&place, "PlaceOrder", &buy(1)).await;
    assert!(
        only_reading.0 == 3 && only_reading.1.contains("`countersign setup`"),
        "{only_reading:?}"
    );
    let (home, url) = (place.home, place.sim.url.clone());
    drop(place.sim);
    let down = home.run(&["call", "ListAccounts", "--url", &url]).await;
    assert_eq!(down.0, 4, "{down:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_nobody_decides_on_expires_with_6() {
    let place = Place::with_desktop().await;
    place.home.file(
        "config/policy.toml",
        "version = 1\n[limits]\nmarket_ticket_seconds = 6\n",
    );
    let expired = call(&place, "PlaceOrder", &buy(1)).await;
    assert_eq!(expired.0, 6, "{expired:?}");
    assert!(
        expired.1.contains("NOT SENT") && expired.1.contains("nobody decided in time"),
        "{expired:?}"
    );
    assert_eq!(place.sim.executed().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_outcome_ends_with_9() {
    let place = Place::with_desktop().await;
    place.sim.fault("cut_after", "PlaceOrder").await;
    let order = buy(1);
    let (ended, ()) = tokio::join!(call(&place, "PlaceOrder", &order), async {
        place.click(Button::Middle);
    });
    assert!(
        ended.0 == 9 && ended.1.starts_with("OUTCOME UNKNOWN"),
        "{ended:?}"
    );
    assert!(
        place.run(&["status"]).await.1.contains("OUTCOME UNKNOWN"),
        "it stays in sight"
    );
}
