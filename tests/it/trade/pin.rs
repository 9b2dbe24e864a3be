//! Tier pin: the trade grant lies sealed under the PIN, and each order needs it, on the page in a real browser or in a
//! terminal.

use super::*;
use crate::support::browser::Browser;

pub(super) const PIN: &str = "otter lamp canyon seven drift";

/// The desk in tier pin, whose browser writes down the address that it is given.
pub(super) async fn sealed() -> Desk {
    sealed_with("").await
}

/// With more settings, as the person had set them before the PIN: what is changed afterwards has to be approved.
pub(super) async fn sealed_with(more: &str) -> Desk {
    let mut desk = Desk::new().await;
    let place = desk.home.folder().join("config/settings.toml");
    let settings = std::fs::read_to_string(place).unwrap_or_default();
    desk.home.settings(&format!("{more}{settings}"));
    let script = desk.desktop.folder().join("browser.sh");
    let link = link_file(&desk);
    let text = format!(
        "#!/bin/sh\nprintf %s \"$1\" > '{0}.new' && mv '{0}.new' '{0}'\n",
        link.display()
    );
    std::fs::write(&script, text).expect("a script");
    desk.home = desk.home.with("BROWSER", &format!("sh {}", script.display()));
    let (code, stdout, stderr) = desk
        .home
        .run_with(
            &["presence", "set", "pin", "--pin-stdin", "--url", &desk.sim.url],
            &format!("{PIN}\n{PIN}\n"),
        )
        .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    desk
}

fn link_file(desk: &Desk) -> std::path::PathBuf {
    desk.desktop.folder().join("link")
}

/// Opens the page that the program has just asked the browser for.
pub(super) async fn open(desk: &Desk, browser: &mut Browser) {
    let file = link_file(desk);
    let link = until("the page", async || std::fs::read_to_string(&file).ok()).await;
    std::fs::remove_file(&file).expect("taken");
    browser.open(&link);
    browser.until("Deny");
    let shown = |ticket: &Value| ticket["state"] == "held" && ticket["shown_wall"].is_u64();
    until("a ticket on the page", async || {
        desk.tickets().iter().any(shown).then_some(())
    })
    .await;
    // Time for a person to read.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

pub(super) fn type_pin(browser: &mut Browser, pin: &str) {
    browser.click("#pin");
    browser.type_text(pin);
    browser.click("#approve");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pin_approves_one_order_and_the_next_asks_again() {
    let desk = sealed().await;
    let vault: String = std::fs::read_dir(desk.home.folder().join("state"))
        .expect("the state")
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .collect();
    assert!(!vault.contains(PIN), "the PIN is written down");
    let mut client = desk.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    open(&desk, &mut browser).await;
    assert!(browser.text().contains("BUY 1 MES"), "{}", browser.text());
    browser.screenshot("trade-pin");
    type_pin(&mut browser, PIN);
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"]);
    // The unsealed grant is gone: the next order has a page and a PIN of its own.
    let id = client.send_call("PlaceOrder", &bid(5000.0)).await;
    open(&desk, &mut browser).await;
    browser.click("#approve");
    browser.until("Type your PIN first");
    browser.click("#deny");
    assert_eq!(status(&client.result(id).await), "denied");
    desk.check(
        &["PlaceOrder"],
        &["held", "approved", "accepted", "held", "denied"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_pin_sends_nothing() {
    let desk = sealed().await;
    let mut client = desk.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &bid(5000.0)).await;
    open(&desk, &mut browser).await;
    type_pin(&mut browser, "otter lamp canyon seven drifts");
    desk.journaled("wrong_pin").await;
    browser.until("wrong");
    browser.click("#deny");
    assert_eq!(status(&client.result(id).await), "denied");
    assert_eq!(desk.sent("PlaceOrder").await, 0);
    desk.check(&[], &["held", "wrong_pin", "denied"]).await;
}

/// A click on the notification beside the page can deny, and never approve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_click_alone_does_not_approve() {
    let desk = sealed().await;
    let mut client = desk.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    open(&desk, &mut browser).await;
    desk.desktop.settle();
    desk.desktop.screenshot("trade-pin-beside");
    desk.desktop.click(Button::Middle);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(desk.sim.executed().await, [""; 0]);
    desk.desktop.settle();
    desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    desk.check(&[], &["held", "denied"]).await;
}

/// The same person at the page and in the terminal, with the PIN in both, at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approved_on_the_page_and_in_a_terminal_at_once() {
    let desk = sealed().await;
    let terminal = Terminal::watch(&desk.home, &desk.sim);
    let mut client = desk.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    open(&desk, &mut browser).await;
    terminal.until("Type approve");
    terminal.put("approve");
    terminal.enter();
    terminal.until("PIN (not shown)");
    terminal.put(PIN);
    browser.click("#pin");
    browser.type_text(PIN);
    std::thread::scope(|scope| {
        scope.spawn(|| terminal.enter());
        scope.spawn(|| browser.click("#approve"));
    });
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    assert!(!terminal.screen().contains(PIN));
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

/// Somebody loosens the policy while the PIN's owner is away: the PIN then opens nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_was_changed_behind_the_pin_sends_nothing() {
    let desk = sealed().await;
    desk.home.file(
        "config/policy.toml",
        "version = 1\n[limits]\norders_per_day = 1000\n",
    );
    let mut client = desk.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    open(&desk, &mut browser).await;
    type_pin(&mut browser, PIN);
    let told = client.result(id).await;
    assert_eq!(status(&told), "voided", "{}", text(&told));
    assert!(
        text(&told).contains("countersign policy apply"),
        "{}",
        text(&told)
    );
    desk.check(&[], &["held", "policy_doubted", "voided"]).await;
}

/// The definition changed while the grant lay sealed: seen before anything is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_that_changed_behind_the_seal_sends_nothing() {
    let desk = sealed().await;
    let mut client = desk.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    open(&desk, &mut browser).await;
    desk.sim.fault("schema_change", "").await;
    type_pin(&mut browser, PIN);
    let told = client.result(id).await;
    assert_eq!(status(&told), "voided", "{}", text(&told));
    assert_eq!(desk.sent("PlaceOrder").await, 0);
    desk.check(&[], &["held", "voided"]).await;
}

/// An access token that ran out while it lay sealed is renewed under the PIN, and the order goes once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_sealed_token_is_renewed() {
    let desk = sealed().await;
    desk.sim.post("expire", &json!({ "scope": "mcp:trade" })).await;
    let mut client = desk.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    open(&desk, &mut browser).await;
    type_pin(&mut browser, PIN);
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"]);
}
