//! `login` where no browser is needed to see what happens: pasted addresses, limits, two at once, text browsers.

use super::*;
use crate::support::verb::Verb;

/// Where the consent page would send the browser: the callback's address, which is not visited.
async fn consent(url: &str) -> String {
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = http.get(url).send().await.expect("the consent page");
    answer.headers()["location"].to_str().expect("a location").to_owned()
}

#[tokio::test]
async fn a_pasted_address_signs_in_and_a_wrong_one_does_not() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    let mut verb = Verb::start(&home, &["login", "--no-browser", "--url", &sim.url]);
    let url = verb.address().await;
    assert!(url.contains("code_challenge_method=S256") && url.contains("scope=mcp%3Aread"), "{url}");
    let back = consent(&url).await;
    verb.type_line("https://example.test/").await;
    verb.until("Not taken: this is not the address the browser ended at").await;
    let mut other = back.clone();
    other.push('x');
    verb.type_line(&other.replace("state=", "state=x")).await;
    verb.type_line(&back).await;
    let (code, _, err) = verb.end().await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(err.matches("Not taken").count(), 2, "{err}");
    assert_eq!(grants(&sim).await, [grant("mcp:read", "trader-a", false)]);
}

#[tokio::test]
async fn the_limit_of_registrations_is_told_with_its_time() {
    let sim = Sim::start(&["--registration-limit", "1"]);
    let home = Home::new();
    home.login(&sim, false).await;
    let (code, _, err) = home.try_login(&sim, &["--trade"]).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("too many registrations in the last hour: try again in 60 min"), "{err}");
    // A registration is used again: signing in anew does not need another.
    home.login(&sim, false).await;
    assert_eq!(sim.get("tokens").await["registrations"], 1);
}

#[tokio::test]
async fn of_two_logins_at_once_one_asks_the_person() {
    let sim = Sim::start(&[]);
    let (home, opened) = counted();
    let first = Verb::start(&home, &["login", "--url", &sim.url]);
    let url = first.address().await;
    let (code, _, err) = home.run(&["login", "--url", &sim.url]).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("another Countersign process is signing in"), "{err}");
    assert_eq!(opened.all(), std::slice::from_ref(&url));
    sim.http().get(url).send().await.expect("the person's browser");
    assert_eq!(first.end().await.0, 0);
    assert_eq!(sim.get("tokens").await["code_exchanges"], 1);
}

#[tokio::test]
async fn a_login_that_is_interrupted_leaves_nothing_behind() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    let verb = Verb::start(&home, &["login", "--url", &sim.url]);
    let late = verb.address().await;
    let interrupt = tokio::process::Command::new("kill").args(["-INT", &verb.id().to_string()]).status().await;
    assert!(interrupt.expect("kill").success());
    let (code, _, err) = verb.end().await;
    assert_eq!(code, 130, "{err}");
    assert!(err.contains("the sign-in was stopped: nothing was granted"), "{err}");
    // The browser that comes too late finds nobody; nothing can be signed in by it.
    assert!(sim.http().get(late).send().await.is_err());
    assert_eq!(sim.get("tokens").await["code_exchanges"], 0);
    home.login(&sim, false).await;
    assert_eq!(sim.get("tokens").await["registrations"], 1);
}

#[tokio::test]
async fn a_text_browser_is_not_started() {
    let sim = Sim::start(&[]);
    let home = Home::new().with("BROWSER", "w3m");
    let verb = Verb::start(&home, &["login", "--url", &sim.url]);
    let url = verb.address().await;
    let said = verb.until("w3m").await;
    assert!(said.contains("No browser was opened: $BROWSER (w3m) is a text browser"), "{said}");
    sim.http().get(url).send().await.expect("the person's browser");
    assert_eq!(verb.end().await.0, 0);
}

#[tokio::test]
async fn trading_wants_reading_first_and_says_so_before_the_browser() {
    let sim = Sim::start(&[]);
    let (home, opened) = counted();
    let (code, _, err) = home.run(&["login", "--trade", "--url", &sim.url]).await;
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("sign in for reading first"), "{err}");
    assert!(opened.all().is_empty());
    assert_eq!(sim.get("tokens").await["registrations"], 0);
}

#[tokio::test]
async fn an_address_that_nobody_answers_is_unreachable() {
    let (code, _, err) = Home::new().run(&["login", "--url", "http://127.0.0.1:9/mcp"]).await;
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("nothing was granted"), "{err}");
}

#[tokio::test]
async fn a_service_that_names_no_scope_is_proved_by_its_tools() {
    let sim = Sim::start(&["--omit-scope"]);
    let home = Home::new();
    home.login(&sim, false).await;
    home.login(&sim, true).await;
    let (code, _, err) = home.run(&["call", "ListAccounts", "--url", &sim.url]).await;
    assert_eq!(code, 0, "{err}");
}

#[tokio::test]
async fn without_scope_a_read_grant_that_sees_trading_is_revoked() {
    let sim = Sim::start(&["--omit-scope"]);
    sim.post("consent", &serde_json::json!({ "scope": "mcp:trade" })).await;
    let home = Home::new();
    let (code, _, err) = home.try_login(&sim, &[]).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("sees trading tools"), "{err}");
    assert_eq!(grants(&sim).await, [grant("mcp:trade", "trader-a", true)]);
}
