//! `status`: one screen that is true, offline and at once.

use super::*;
use std::time::Instant;

/// The first line.
fn headline(out: &str) -> &str {
    out.lines().next().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_installation_is_told_on_one_screen() {
    let place = Place::with_desktop().await;
    let (code, out, _) = place.run(&["status"]).await;
    assert_eq!(code, 0, "{out}");
    assert_eq!(
        headline(&out),
        "AI trading   HELD: each order needs your click",
        "{out}"
    );
    for part in [
        "reading   signed in as \"Countersign read",
        "trading   signed in as \"Countersign trade",
        "just now, mcp:read",
        "orders    every trade call is held until you approve it",
        "today     0 new orders sent",
        "clients   no AI client runs Countersign now",
        "waiting   nothing",
        "Next: ",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(out.lines().count() <= 24, "one screen: {out}");
    let told = place.json(&["status"]).await;
    assert_eq!(
        (&told["halted"], &told["tier"], &told["trouble"], &told["trading"]),
        (&json!(false), &json!("click"), &Value::Null, &json!("held"))
    );
    assert_eq!(told["grants"].as_array().map(Vec::len), Some(2));
    assert_eq!(told["grants"][0]["scope"], "mcp:read");
    assert!(told["grants"][0]["grantedAt"].is_string(), "{told}");
    assert_eq!(told["policy"]["state"], "builtin");
    // Stopping needs neither a keychain nor the service, and comes first from then on.
    let (code, _, err) = place
        .home
        .with("COUNTERSIGN_STORE", "keychain")
        .run(&["halt", "--url", "http://127.0.0.1:9/mcp"])
        .await;
    assert_eq!(code, 0, "{err}");
}

#[tokio::test]
async fn the_headline_says_why_nothing_can_be_traded() {
    let place = Place::bare();
    let (code, out, _) = place.run(&["status"]).await;
    assert_eq!(
        (code, headline(&out)),
        (3, "AI trading   OFF: nobody is signed in here"),
        "{out}"
    );
    assert!(
        out.ends_with("Next: sign in, and set up what is missing: countersign setup\n"),
        "{out}"
    );
    place.home.login(&place.sim, false).await;
    let (code, out, _) = place.run(&["status"]).await;
    assert_eq!(code, 0, "{out}");
    assert_eq!(
        headline(&out),
        "AI trading   OFF: reading only, no order can be placed from here"
    );
    place.home.login(&place.sim, true).await;
    place.seal().await;
    let (code, out, _) = place.run(&["status"]).await;
    assert_eq!(
        (code, headline(&out)),
        (0, "AI trading   HELD: each order needs your PIN"),
        "{out}"
    );

    place.run(&["halt"]).await;
    let (code, out, _) = place.run(&["status"]).await;
    assert_eq!(
        (code, headline(&out)),
        (7, "AI trading   STOPPED by you: every trade call is refused"),
        "{out}"
    );
    assert!(out.contains("countersign resume"), "{out}");
    assert!(
        !out.contains("every trade call is held"),
        "only one of both is true: {out}"
    );

    place.home.meddle("config/policy.toml", "versio = 1\n");
    let (code, out, _) = place.run(&["status"]).await;
    assert_eq!(code, 8, "{out}");
    assert!(headline(&out).contains("STOPPED"), "{out}");
    let halt = place.home.folder().join("state/halt");
    std::fs::remove_file(halt).unwrap();
    let journal = place.home.folder().join("state/journal.jsonl");
    std::fs::remove_file(journal).unwrap();
    let (code, out, _) = place.run(&["status"]).await;
    assert_eq!(
        (code, headline(&out)),
        (8, "AI trading   REFUSED: the policy file is wrong"),
        "{out}"
    );
    assert!(out.contains("countersign policy check"), "{out}");
}

/// What the person's own rules let through unasked is said in the first line.
#[tokio::test]
async fn a_rule_that_asks_nobody_is_said_at_once() {
    let place = Place::bare();
    place.sign_in().await;
    place.home.file(
        "config/policy.toml",
        "version = 1\n[limits]\norders_per_day = 7\norders_per_minute = 2\n[account.\"Sim101\"]\nclass = \"sim\"\n[[rule]]\naccount = \"Sim101\"\nclass = \"order\"\ndo = \"allow\"\n",
    );
    let (_, out, _) = place.run(&["status"]).await;
    assert!(
        headline(&out).contains("but for play money that your own rules let through"),
        "{out}"
    );
    assert!(
        out.contains("today     0 of 7 new orders sent; 0 of 2 in the last minute"),
        "{out}"
    );
    let mut client = place.client().await;
    let sent = client.call("PlaceOrder", &buy(2)).await;
    assert_eq!(status(&sent), "accepted", "{sent}");
    let (_, out, _) = place.run(&["status"]).await;
    assert!(
        out.contains("today     1 of 7 new orders sent, 2 contracts; 1 of 2 in the last minute"),
        "{out}"
    );
    let told = place.json(&["status"]).await;
    assert_eq!(
        (
            &told["today"]["orders"],
            &told["today"]["ordersLimit"],
            &told["today"]["contracts"]
        ),
        (&json!(1), &json!(7), &json!(2))
    );
    client.close().await;
}

/// What runs is told while it runs, and no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_orders_and_running_clients_are_told() {
    let place = Place::with_desktop().await;
    let mut client = place.client().await;
    until("the running client", async || {
        let told = place.json(&["status"]).await;
        (told["running"][0]["client"] == "Test Client").then_some(())
    })
    .await;
    let id = client.send_call("PlaceOrder", &buy(2)).await;
    until("its card", async || {
        let (_, out, _) = place.run(&["status"]).await;
        (out.contains("waiting   1 trade call\n") && out.contains(" s left, from Test Client)")).then_some(())
    })
    .await;
    let (_, out, _) = place.run(&["status"]).await;
    assert!(
        out.contains("BUY 2 MES") && out.contains("countersign watch"),
        "{out}"
    );
    assert!(out.contains("clients   Test Client ("), "{out}");
    place.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    let pid = client.id();
    client.close().await;
    let told = place.json(&["status"]).await;
    assert_eq!(told["running"], json!([]), "it has left");
    // One that was killed is gone as well, and the next one clears away what it left.
    let client = place.client().await;
    until("the next client", async || {
        (!place.json(&["status"]).await["running"][0].is_null()).then_some(())
    })
    .await;
    let second = client.id();
    assert_ne!(pid, second);
    client.kill().await;
    assert_eq!(place.json(&["status"]).await["running"], json!([]));
    let left = place.home.folder().join(format!("state/running/{second}.json"));
    assert!(left.exists(), "a dead process takes nothing back");
    let client = place.client().await;
    until("the third client", async || {
        (!place.json(&["status"]).await["running"][0].is_null()).then_some(())
    })
    .await;
    client.close().await;
    assert!(!left.exists());
}

/// From this computer alone: no name is looked up, nothing is sent, no PIN is asked for, and nobody waits.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "measures how long the person waits")]
async fn it_needs_no_network_no_pin_and_no_time() {
    let place = Place::bare();
    place.sign_in().await;
    place.seal().await;
    let before = place.sim.get("requests").await;
    let url = place.sim.url.clone();
    let mut quickest = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        let (code, out, err) = place.home.run(&["status", "--url", &url]).await;
        quickest = quickest.min(began.elapsed());
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
    }
    assert_eq!(place.sim.get("requests").await, before, "the service was asked");
    assert!(quickest < Duration::from_secs(2), "{quickest:?}");
}
