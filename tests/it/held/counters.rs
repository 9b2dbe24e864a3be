//! Counters that another program deleted.

use super::*;

/// Under a PIN, once something was sent, deleted counters are no first start: the limit of the day is not begun anew by
/// a shell, and nothing that counts later makes it so. The person begins it anew with the PIN.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_pin_deleted_counters_are_used_up_until_the_person_begins_anew() {
    let place = Place::sealed(None).await;
    let file = place.home.folder().join("state/counters.json");
    let mut client = place.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    let mut other = buy();
    other["quantity"] = 2.into();
    for process in ["the one that sent it", "another one"] {
        std::fs::remove_file(&file).expect("deleted by a shell");
        let result = client.call("PlaceOrder", &other).await;
        assert_eq!(code(&result), "counters_unreadable", "{process}: {result}");
        client = place.client().await;
        // A denial is counted, and its counting makes no good file either.
        let result = client.call("PlaceOrder", &other).await;
        assert_eq!(code(&result), "counters_unreadable", "{process}: {result}");
        std::fs::write(&file, "{}").expect("for the next round");
    }
    std::fs::remove_file(&file).expect("deleted by a shell");
    let (status_, _, told) = place.run(&["policy", "check"]).await;
    assert_eq!(status_, 0, "{told}");
    assert!(
        told.contains("is gone") && told.contains("countersign policy reset-counters"),
        "{told}"
    );
    // An exit needs no count, and leaves the counters as they are: used up.
    let close = json!({ "account": "Sim101", "instrument": "MES 12-26" });
    let position = json!({ "account": "Sim101", "instrument": "MES 12-26", "quantity": 2 });
    place.sim.post("position", &position).await;
    let id = client.send_call("ClosePosition", &close).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    let result = client.call("PlaceOrder", &other).await;
    assert_eq!(code(&result), "counters_unreadable", "{result}");
    // What the person does.
    let terminal = in_terminal(&place, &["policy", "reset-counters"]);
    terminal.wait_for("BEGIN ALL COUNTS ANEW");
    terminal.wait_for("Type approve");
    terminal.say("approve");
    terminal.wait_for("PIN (not shown)");
    terminal.say(PIN);
    terminal.wait_for("All counts begin anew");
    assert!(place.kinds().contains(&"counters_reset".to_owned()));
    let _ = std::fs::remove_file(place.link());
    let id = client.send_call("PlaceOrder", &other).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
}

/// In tier click a program that can delete the file can click as well: it reads as a first start, as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_tier_click_deleted_counters_are_a_first_start() {
    let place = Place::with_policy(None).await;
    let mut client = place.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.click(Button::Middle).await;
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    std::fs::remove_file(place.home.folder().join("state/counters.json")).expect("deleted");
    let mut other = buy();
    other["quantity"] = 2.into();
    let id = client.send_call("PlaceOrder", &other).await;
    place.click(Button::Middle).await;
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
}
