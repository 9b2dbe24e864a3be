//! The order ticket of the running program: what it says of an order of real money, and when the program ends under it.
//! Its pictures are the ones in `docs/`.

use super::pin::{open, sealed, sealed_with, type_pin};
use super::*;
use crate::support::browser::Browser;

/// Two contracts short, above the market, in the account of real money that holds one long.
fn sell() -> Value {
    json!({ "account": "PA-123456", "instrument": "MES 12-26", "side": "Sell", "type": "Limit", "limit_price": 6014.25,
            "quantity": 2, "tif": "Day" })
}

async fn holds(desk: &Desk, quantity: i64) {
    let body = json!({ "account": "PA-123456", "instrument": "MES 12-26", "quantity": quantity });
    desk.sim.post("position", &body).await;
}

/// Waits for something on the page, as long as anything may take.
async fn told(browser: &mut Browser, what: &str) {
    until(what, async || browser.text().contains(what).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_of_real_money_is_told_whole() {
    let desk = sealed_with("phrase = \"blue heron\"\n").await;
    let still = json!({ "instrument": "MES 12-26", "last": 6012.25, "spread_ticks": 1, "freeze": true });
    desk.sim.post("quote", &still).await;
    holds(&desk, 1).await;
    let mut client = desk.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &sell()).await;
    open(&desk, &mut browser).await;
    let seen = browser.text();
    for fact in [
        "LIVE",
        "PA-123456",
        "real money",
        "SELL 2 MES 12-26",
        "REVERSES THE POSITION",
        "NO STOP ATTACHED",
        "LIMIT 6014.25 DAY",
        "-> -1 if filled (REVERSES)",
        "8 ticks above the market",
        "last 6012.25",
        "s old)",
        "not bounded by a stop",
        "daily loss",
        "a trade copier may repeat it",
        "PlaceOrder",
        "You did not ask for this? Deny.",
        "Your phrase is blue heron",
        "Nothing was sent yet.",
    ] {
        assert!(seen.contains(fact), "{fact:?} is missing: {seen}");
    }
    for (name, width, height, dark) in [
        ("live", 1000, 860, false),
        ("dark", 1000, 860, true),
        ("360", 360, 800, false),
        ("360-dark", 360, 800, true),
    ] {
        browser.size(width, height);
        browser.dark(dark);
        browser.screenshot(&format!("docs-page-{name}"));
    }
    browser.size(1000, 860);
    browser.dark(false);
    type_pin(&mut browser, "a wrong one, by far");
    told(&mut browser, "That is the wrong PIN. Nothing was approved.").await;
    browser.screenshot("docs-page-wrong-pin");
    // The account comes to hold something else while the card is up.
    holds(&desk, 3).await;
    told(&mut browser, "Changed since you were asked: position").await;
    told(&mut browser, "(REDUCES)").await;
    told(&mut browser, "was +1 from").await;
    browser.size(1000, 940);
    browser.screenshot("docs-page-changed");
    browser.click("#deny");
    told(&mut browser, "Denied. Nothing was sent.").await;
    browser.screenshot("docs-page-denied");
    assert_eq!(status(&client.result(id).await), "denied");
    desk.check(&[], &["held", "wrong_pin", "denied"]).await;
}

/// The program dies under its page: the page says so, and offers nothing any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_whose_program_is_gone_says_so() {
    let desk = sealed().await;
    let mut client = desk.client().await;
    let mut browser = Browser::start();
    client.send_call("PlaceOrder", &sell()).await;
    open(&desk, &mut browser).await;
    client.kill().await;
    told(&mut browser, "nothing more can be decided here").await;
    assert!(browser.text().contains("Countersign is no longer there."));
    for id in ["deny", "approve", "halt", "pin"] {
        let seen = browser.eval(&format!("document.getElementById('{id}').checkVisibility()"));
        assert_eq!(seen, false, "{id}");
    }
    browser.screenshot("docs-page-gone");
    assert_eq!(desk.sim.executed().await, [""; 0]);
}

/// Nobody answers: the page says that nothing was sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_nobody_answers_says_that_nothing_was_sent() {
    let desk = sealed().await;
    let mut client = desk.client().await;
    let mut browser = Browser::start();
    let id = client
        .send_call(
            "PlaceOrder",
            &json!({ "account": "PA-123456", "instrument": "MES 12-26", "side": "Sell", "type": "Market", "quantity": 2, "tif": "Day" }),
        )
        .await;
    open(&desk, &mut browser).await;
    let told = tokio::time::timeout(Duration::from_secs(60), client.result(id)).await;
    assert_eq!(status(&told.expect("in time")), "expired");
    browser.until("Time ran out here. `countersign journal show` says what became of it.");
    browser.size(1000, 760);
    browser.screenshot("docs-page-expired");
    desk.check(&[], &["held", "expired"]).await;
}
