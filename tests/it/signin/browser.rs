//! `login` with a real Chromium on the simulator's consent page, where nothing consents by itself.

use super::*;
use crate::support::program::text;
use serde_json::json;

const PERSON: &[&str] = &["--no-rate-limit"];

fn login(sim: &Sim, more: &[&'static str]) -> Vec<String> {
    let words = ["login", "--url", &sim.url];
    words.iter().chain(more).map(|word| (*word).to_owned()).collect()
}

async fn run(home: &Home, words: &[String]) -> (i32, String, String) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    home.run(&words).await
}

#[tokio::test]
async fn allow_for_reading_then_for_trading() {
    let sim = Sim::start_with(PERSON);
    let (home, log) = with_chromium(Home::new(), "allow");
    let (code, out, err) = run(&home, &login(&sim, &[])).await;
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("Signed in for reading; nothing can be traded"),
        "{out}"
    );
    let page = left(&log).await;
    assert_eq!(page["event"], "done", "{page}");
    assert!(
        page["text"].as_str().unwrap_or_default().contains("Countersign"),
        "{page}"
    );
    let (code, out, err) = run(&home, &login(&sim, &["--trade"])).await;
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("Every trade call is held until you approve it"),
        "{out}"
    );
    left(&log).await;
    let all = [
        grant("mcp:read", "trader-a", false),
        grant("mcp:trade", "trader-a", false),
    ];
    assert_eq!(grants(&sim).await, all);
    let names: Vec<Value> = sim.get("tokens").await["grants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| g["client_name"].clone())
        .collect();
    assert!(
        names[0].as_str().unwrap().starts_with("Countersign read"),
        "{names:?}"
    );
    assert!(
        names[1].as_str().unwrap().starts_with("Countersign trade"),
        "{names:?}"
    );
    assert!(
        seen(&log).iter().all(|event| event["event"] != "foreign"),
        "a page asked another host for something"
    );
}

#[tokio::test]
async fn deny_is_told_in_plain_words() {
    let sim = Sim::start_with(PERSON);
    let (home, log) = with_chromium(Home::new().with("COUNTERSIGN_TEST_CONSENT", "deny"), "deny");
    let (code, out, err) = run(&home, &login(&sim, &[])).await;
    assert_eq!((code, out.as_str()), (5, ""), "{err}");
    assert!(
        err.contains("access was denied on the consent page: nothing was granted"),
        "{err}"
    );
    let page = left(&log).await;
    assert!(
        page["text"].as_str().unwrap_or_default().contains("denied"),
        "{page}"
    );
    assert_eq!(grants(&sim).await, []);
    let (code, out, _) = home.run(&["status", "--url", &sim.url]).await;
    assert_eq!(code, 3, "{out}");
}

#[tokio::test]
async fn another_user_for_trading_is_refused_and_revoked() {
    let sim = Sim::start_with(PERSON);
    let (home, log) = with_chromium(Home::new(), "wrong-user");
    let (code, _, err) = run(&home, &login(&sim, &[])).await;
    assert_eq!(code, 0, "{err}");
    left(&log).await;
    let home = home.with("COUNTERSIGN_TEST_USER", "trader-b");
    let (code, out, err) = run(&home, &login(&sim, &["--trade"])).await;
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("different CrossTrade users"), "{err}");
    assert!(err.contains("it was revoked"), "{err}");
    let all = [
        grant("mcp:read", "trader-a", false),
        grant("mcp:trade", "trader-b", true),
    ];
    assert_eq!(grants(&sim).await, all);
    let (code, out, _) = home.run(&["status", "--url", &sim.url]).await;
    assert_eq!(code, 0);
    assert!(out.contains("trading   not enabled"), "{out}");
}

#[tokio::test]
async fn a_read_grant_that_could_trade_is_revoked() {
    let sim = Sim::start_with(PERSON);
    let (home, log) = with_chromium(
        Home::new().with("COUNTERSIGN_TEST_SCOPE", "mcp:trade"),
        "wrong-scope",
    );
    let (code, _, err) = run(&home, &login(&sim, &[])).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("choose reading on the consent page"), "{err}");
    left(&log).await;
    assert_eq!(grants(&sim).await, [grant("mcp:trade", "trader-a", true)]);
    let (code, out, _) = home.run(&["status", "--url", &sim.url]).await;
    assert_eq!(code, 3, "{out}");
}

#[tokio::test]
async fn one_grant_at_a_time_leads_to_single_grant() {
    let sim = Sim::start_with(&["--no-rate-limit", "--exclusive-grants"]);
    let (home, log) = with_chromium(Home::new(), "exclusive");
    assert_eq!(run(&home, &login(&sim, &[])).await.0, 0);
    left(&log).await;
    let (code, _, err) = run(&home, &login(&sim, &["--trade"])).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("countersign login --single-grant"), "{err}");
    left(&log).await;
    let (code, out, err) = run(&home, &login(&sim, &["--single-grant"])).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("would not be refused by CrossTrade"), "{out}");
    left(&log).await;
    let (code, out, _) = home.run(&["status", "--url", &sim.url]).await;
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("warning   one sign-in serves reading and trading"),
        "{out}"
    );
    let (code, out, err) = home.run(&["call", "ListAccounts", "--url", &sim.url]).await;
    assert_eq!(code, 0, "{out}{err}");
}

#[tokio::test]
async fn the_first_call_brings_the_person_to_the_consent_page() {
    let sim = Sim::start_with(PERSON);
    let (home, log) = with_chromium(Home::new(), "background");
    let mut client = home.serve(&sim).await.hello().await;
    let first = client.call("ListAccounts", &json!({})).await;
    assert_eq!(first["structuredContent"]["status"], "sign_in_needed", "{first}");
    let changed = |line: &String| line.contains("notifications/tools/list_changed").then_some(());
    client
        .find(changed, std::time::Duration::from_secs(60))
        .await
        .expect("the real list");
    let accounts = client.call("ListAccounts", &json!({})).await;
    assert!(text(&accounts).contains("Sim101"), "{accounts}");
    assert_eq!(
        seen(&log)
            .iter()
            .filter(|event| event["event"] == "opened")
            .count(),
        1
    );
    left(&log).await;
    client.close().await;
}
