//! Collar, window, size, loss, copies, counts over a restart, and a market that moves under a card.

use super::*;

/// Each of these refuses, and nothing arrives; the same call passes where the limit is out of its way.
#[tokio::test]
async fn what_a_limit_refuses_never_arrives() {
    let place = Place::new().await;
    place
        .sim
        .post(
            "quote",
            &json!({ "instrument": "MES 12-26", "last": 6000.0, "freeze": true }),
        )
        .await;
    let mut client = place.client().await;
    let closed = "window = { zone = \"America/New_York\", from = \"00:00\", to = \"00:01\" }\n\
                  # open for one minute a day";
    for (keys, call, expected) in [
        ("collar_ticks = 40", bid(5989.75, 1), "collar"),
        ("collar_percent = 0.1", bid(5993.75, 1), "collar"),
        ("max_position = { MES = 2 }", market(3), "max_position"),
        ("max_contracts = 1", market(11), "max_contracts"),
        ("max_quantity = { MES = 5, \"*\" = 0 }", market(6), "too_large"),
        ("order_types = [\"limit\"]", market(1), "order_type"),
        ("classes = [\"cancel\"]", market(1), "class_not_allowed"),
        ("daily_quantity = 1", market(2), "daily_quantity"),
        ("trailing_floor = 0", market(1), "trailing_loss"),
        ("daily_loss_floor = 0", market(1), "daily_loss"),
        (closed, market(1), "window_closed"),
    ] {
        place.limit(keys);
        let result = client.call("PlaceOrder", &call).await;
        // One minute a day that window is open: then this one proves nothing.
        if expected == "window_closed" && status(&result) == "accepted" {
            return;
        }
        assert_eq!(code(&result), expected, "{keys}: {}", text(&result));
        assert!(text(&result).starts_with("NOT SENT"), "{}", text(&result));
        assert!(text(&result).contains("line 4"), "{}", text(&result));
    }
    assert_eq!(place.sim.executed().await, [""; 0]);
    place.limit("collar_ticks = 41\nmax_position = { MES = 2 }\nmax_contracts = 1\nmax_quantity = { MES = 5, \"*\" = 0 }");
    let result = client.call("PlaceOrder", &bid(5989.75, 1)).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}

/// The loss of the day as the service tells it stops what opens, and lets out what closes.
#[tokio::test]
async fn a_days_loss_stops_entries_and_no_exit() {
    let place = Place::new().await;
    let at = |last: f64| json!({ "instrument": "MES 12-26", "last": last, "freeze": true });
    place.sim.post("quote", &at(6000.0)).await;
    let mut client = place.client().await;
    place.limit("daily_loss_floor = 300");
    let bought = client.call("PlaceOrder", &market(1)).await;
    assert_eq!(status(&bought), "accepted", "{}", text(&bought));
    // One MES is 5 dollars a point.
    place.sim.post("quote", &at(5930.0)).await;
    let refused = until("the loss", async || {
        let result = client.call("PlaceOrder", &market(1)).await;
        (code(&result) == "daily_loss").then_some(result)
    });
    let refused = refused.await;
    assert!(text(&refused).contains("opens nothing new"), "{}", text(&refused));
    let before = place.sim.executed().await.len();
    let close = json!({ "account": "Sim101", "instrument": "MES 12-26" });
    let closed = client.call("ClosePosition", &close).await;
    assert_eq!(status(&closed), "accepted", "{}", text(&closed));
    assert_eq!(place.sim.executed().await.len(), before + 1);
}

/// Two processes share what a day has left, and a restart does not give it back.
#[tokio::test]
async fn the_days_contracts_are_shared_and_survive_a_restart() {
    let place = Place::new().await;
    place.limit("daily_quantity = 3\nmax_position = { MES = 100 }");
    let (mut one, mut two) = (place.client().await, place.client().await);
    let first = one.call("PlaceOrder", &bid(5000.0, 2)).await;
    assert_eq!(status(&first), "accepted", "{}", text(&first));
    let over = two.call("PlaceOrder", &bid(5001.0, 2)).await;
    assert_eq!(code(&over), "daily_quantity", "{}", text(&over));
    let last = two.call("PlaceOrder", &bid(5002.0, 1)).await;
    assert_eq!(status(&last), "accepted", "{}", text(&last));
    one.close().await;
    two.kill().await;
    let mut next = place.client().await;
    let spent = next.call("PlaceOrder", &bid(5003.0, 1)).await;
    assert_eq!(code(&spent), "daily_quantity", "{}", text(&spent));
    assert_eq!(place.sim.executed().await, ["PlaceOrder", "PlaceOrder"]);
    // Ways out are not counted.
    place
        .sim
        .post(
            "position",
            &json!({ "account": "Sim101", "instrument": "MES 12-26", "quantity": 2 }),
        )
        .await;
    let close = json!({ "account": "Sim101", "instrument": "MES 12-26" });
    let closed = next.call("ClosePosition", &close).await;
    assert_eq!(status(&closed), "accepted", "{}", text(&closed));
}

/// The very same order, by another process: it has to wait, whatever the ids say.
#[tokio::test]
async fn the_very_same_order_is_sent_once() {
    let place = Place::new().await;
    place.limit("duplicate_seconds = 3600");
    let (mut one, mut two) = (place.client().await, place.client().await);
    let first = one.call("PlaceOrder", &bid(5000.0, 1)).await;
    assert_eq!(status(&first), "accepted", "{}", text(&first));
    let twin = json!({ "account": "sim101", "instrument": "MESZ26", "side": "Buy", "type": "Limit", "limit_price": 5000.0, "quantity": 1, "tif": "Day" });
    let again = two.call("PlaceOrder", &bid(5000.00, 1)).await;
    let said = [code(&again), status(&again)].join(" ");
    assert!(
        said.contains("duplicate") || text(&again).contains("earlier"),
        "{}",
        text(&again)
    );
    let other_words = two.call("PlaceOrder", &twin).await;
    assert_eq!(code(&other_words), "duplicate", "{}", text(&other_words));
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}

/// What the person says that the copier does counts: the follower's own limits, on its own facts.
#[tokio::test]
async fn a_copied_accounts_limits_hold_for_its_leader() {
    let place = Place::new().await;
    let mut client = place.client().await;
    let follower = |keys: &str| {
        place.write(&format!(
            "[account.\"Sim101\"]\nclass = \"sim\"\ncopies_to = [\"PA-123456\"]\n[account.\"PA-123456\"]\nclass = \"funded\"\n{keys}\n"
        ));
    };
    place
        .sim
        .post(
            "position",
            &json!({ "account": "PA-123456", "instrument": "MES 12-26", "quantity": 4 }),
        )
        .await;
    follower("max_position = { MES = 4 }");
    let result = client.call("PlaceOrder", &market(1)).await;
    assert_eq!(code(&result), "max_position", "{}", text(&result));
    assert!(text(&result).contains("pa-123456"), "{}", text(&result));
    follower("blocked = true");
    assert_eq!(
        code(&client.call("PlaceOrder", &market(1)).await),
        "account_blocked"
    );
    assert_eq!(place.sim.executed().await, [""; 0]);
    // The leader's own way out is free of it: only the person is missing here.
    place
        .sim
        .post(
            "position",
            &json!({ "account": "Sim101", "instrument": "MES 12-26", "quantity": 1 }),
        )
        .await;
    let close = json!({ "account": "Sim101", "instrument": "MES 12-26" });
    let result = client.call("ClosePosition", &close).await;
    assert_ne!(code(&result), "account_blocked", "{}", text(&result));
    assert_eq!(place.sim.executed().await, [""; 0]);
}

/// The market runs away under the card: the click sends nothing, and the person is asked again.
#[tokio::test]
async fn a_market_that_ran_away_is_asked_again() {
    let desktop = Desktop::start();
    let home = Home::on(desktop.folder(), desktop.env()).with("COUNTERSIGN_STORE", "file");
    let sim = Sim::start(&[]);
    home.login(&sim, false).await;
    home.login(&sim, true).await;
    home.file(
        "config/policy.toml",
        "version = 1\n[limits]\nmax_drift_ticks = 8\nquote_seconds = 300\n",
    );
    let at = |last: f64| json!({ "instrument": "MES 12-26", "last": last, "freeze": true });
    sim.post("quote", &at(6000.0)).await;
    let mut client = home.serve(&sim).await.hello().await;
    let id = client.send_call("PlaceOrder", &market(1)).await;
    until("a card", async || {
        held(&home)
            .filter(|ticket| ticket["shown_wall"].is_u64())
            .map(|_| ())
    })
    .await;
    desktop.settle();
    sim.post("quote", &at(6002.25)).await;
    // The facts of the card are read anew about every two seconds; one read may have been on its way.
    let before = quotes(&sim).await;
    until("the new price", async || {
        (quotes(&sim).await >= before + 2).then_some(())
    })
    .await;
    desktop.click(Button::Middle);
    until("asked again", async || {
        let again = held(&home).is_some_and(|ticket| warned(&ticket) && ticket["shown_wall"].is_u64());
        (again && !desktop.popups().is_empty()).then_some(())
    })
    .await;
    assert_eq!(sim.executed().await, [""; 0]);
    desktop.settle();
    desktop.screenshot("policy-drift");
    desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(sim.executed().await, ["PlaceOrder"]);
}

/// How often the market's price was read.
async fn quotes(sim: &Sim) -> usize {
    let calls = sim.calls().await;
    calls.iter().filter(|call| call["tool"] == "GetQuote").count()
}

/// The one held ticket.
fn held(home: &Home) -> Option<Value> {
    let folder = std::fs::read_dir(home.folder().join("state/tickets")).ok()?;
    let paths = folder.flatten().map(|entry| entry.path());
    let mut all = paths
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .filter_map(|path| serde_json::from_slice::<Value>(&std::fs::read(path).ok()?).ok());
    all.find(|ticket| ticket["state"] == "held")
}

fn warned(ticket: &Value) -> bool {
    ticket["card"]["warnings"].to_string().contains("max_drift")
}

/// Two orders that each fit, at once, from two processes: what the first one did is read before the second is sent.
#[tokio::test]
async fn two_orders_at_once_do_not_share_one_flat_position() {
    let place = Place::new().await;
    place.limit("max_position = { MES = 2 }");
    let (mut one, mut two) = (place.client().await, place.client().await);
    // Past the first start of either lane.
    one.call("ListAccounts", &json!({})).await;
    two.call("ListAccounts", &json!({})).await;
    let first = one.send_call("PlaceOrder", &market(2)).await;
    let second = two.send_call("PlaceOrder", &market(1)).await;
    let told = [one.result(first).await, two.result(second).await];
    let sent = told.iter().filter(|told| status(told) == "accepted").count();
    assert_eq!(sent, 1, "{} / {}", text(&told[0]), text(&told[1]));
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}

/// The first one has no answer for longer than the second one waits: no list shows what it does, so the second one is not sent
/// beside it. Here is nobody who could be asked again.
#[tokio::test]
async fn no_entry_goes_beside_one_that_has_no_answer() {
    let place = Place::new().await;
    place.limit("max_position = { MES = 2 }");
    let (mut one, mut two) = (place.client().await, place.client().await);
    one.call("ListAccounts", &json!({})).await;
    two.call("ListAccounts", &json!({})).await;
    let slow =
        json!({ "kind": "stall", "tool": "PlaceOrder", "scope": "mcp:trade", "seconds": 9, "times": 1 });
    place.sim.post("fault", &slow).await;
    let first = one.send_call("PlaceOrder", &market(2)).await;
    on_its_way(&place).await;
    let told = two.call("PlaceOrder", &market(1)).await;
    assert_eq!(status(&told), "voided", "{}", text(&told));
    assert!(text(&told).starts_with("NOT SENT"), "{}", text(&told));
    let told = one.result(first).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}

/// Two ways out of one position at once: together they would open the other side. The second one is not sent by itself.
#[tokio::test]
async fn two_ways_out_at_once_do_not_reverse_the_position() {
    let place = Place::new().await;
    place.limit("");
    let (mut one, mut two) = (place.client().await, place.client().await);
    assert_eq!(status(&one.call("PlaceOrder", &market(2)).await), "accepted");
    two.call("ListAccounts", &json!({})).await;
    let slow =
        json!({ "kind": "stall", "tool": "PlaceOrder", "scope": "mcp:trade", "seconds": 3, "times": 1 });
    place.sim.post("fault", &slow).await;
    let mut sell = market(2);
    sell["side"] = "Sell".into();
    let first = one.send_call("PlaceOrder", &sell).await;
    on_its_way(&place).await;
    sell["tif"] = "Gtc".into();
    let told = two.call("PlaceOrder", &sell).await;
    assert_eq!(status(&told), "voided", "{}", text(&told));
    let told = one.result(first).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    assert_eq!(place.sim.executed().await, ["PlaceOrder", "PlaceOrder"]);
}

async fn on_its_way(place: &Place) {
    let tickets = || crate::trade::tickets(&place.home);
    until("the first one on its way", async || {
        tickets()
            .iter()
            .any(|ticket| ticket["state"] == "sending")
            .then_some(())
    })
    .await;
}

/// The lists lag behind what was just taken: what they leave out counts as unread, so that no limit is passed by it.
#[tokio::test]
async fn orders_that_no_list_shows_yet_do_not_pass_a_limit() {
    let place = Place::new().await;
    place.limit("max_position = { MES = 2 }");
    let mut client = place.client().await;
    client.call("ListAccounts", &json!({})).await;
    let lag = json!({ "kind": "lag_orders", "seconds": 60 });
    place.sim.post("fault", &lag).await;
    let told = client.call("PlaceOrder", &bid(5000.0, 2)).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    // Play money: it is asked, and here is nobody.
    let told = client.call("PlaceOrder", &bid(5001.0, 2)).await;
    assert_eq!(status(&told), "voided", "{}", text(&told));
    let held = place
        .home
        .journal()
        .into_iter()
        .rfind(|entry| entry["kind"] == "held");
    let card = held.expect("held")["card"].to_string();
    assert!(card.contains("MAX POSITION"), "{card}");
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}
