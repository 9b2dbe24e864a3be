//! `pending`, `deny`, `halt` and `resume` while a card is on the screen.

use super::*;
use crate::support::verb::Opened;

async fn held(place: &Place) -> String {
    until("a waiting ticket", async || {
        let told = place.json(&["pending"]).await;
        told["pending"][0]["ticket"].as_str().map(str::to_owned)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_call_is_listed_and_denied_by_its_id() {
    let place = Place::with_desktop().await;
    let mut client = place.client().await;
    let id = client.send_call("PlaceOrder", &buy(1)).await;
    let ticket = held(&place).await;
    let told = place.json(&["pending"]).await;
    assert_eq!((&told["pending"][0]["tool"], &told["pending"][0]["client"]), (&json!("PlaceOrder"), &json!("Test Client")), "{told}");
    let (_, out, _) = place.run(&["pending"]).await;
    assert!(out.contains(&ticket) && out.contains("SIM Sim101 BUY 1 MES 12-26") && out.contains("Test Client"), "{out}");
    assert!(place.run(&["status"]).await.1.contains(&ticket));
    let (code, out, err) = place.run(&["deny", &ticket.to_lowercase()]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("is denied; nothing was sent"), "{out}");
    let result = client.result(id).await;
    assert_eq!(status(&result), "denied", "{}", text(&result));
    tokio::task::block_in_place(|| place.desktop().no_popup());
    let (code, _, err) = place.run(&["deny", &ticket]).await;
    assert_eq!(code, 1);
    assert!(err.contains("has ended already: denied, nothing was sent"), "{err}");
    let (code, _, err) = place.run(&["deny", "ZZZZ"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("there is no ticket ZZZZ"), "{err}");
    assert_eq!(place.run(&["pending"]).await.1.trim(), "Nothing is waiting.");
    assert_eq!(place.sim.executed().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halt_voids_and_resume_needs_a_click() {
    let place = Place::with_desktop().await;
    let mut client = place.client().await;
    let id = client.send_call("PlaceOrder", &buy(1)).await;
    held(&place).await;
    let (code, out, _) = place.run(&["halt"]).await;
    assert_eq!(code, 0);
    assert!(out.contains("positions and working orders are untouched"), "{out}");
    assert_eq!(status(&client.result(id).await), "voided");
    assert_eq!(status(&client.call("PlaceOrder", &buy(1)).await), "refused");
    tokio::task::block_in_place(|| place.desktop().no_popup());
    // No is no.
    let (ended, ()) = tokio::join!(place.run(&["resume"]), async { place.click(Button::Left) });
    assert_eq!(ended.0, 5, "{ended:?}");
    assert!(ended.2.contains("you said no") && ended.2.contains("stays stopped"), "{ended:?}");
    assert_eq!(place.json(&["status"]).await["halted"], true);
    tokio::task::block_in_place(|| place.desktop().no_popup());
    let (ended, ()) = tokio::join!(place.run(&["resume"]), async { place.click(Button::Middle) });
    assert_eq!(ended.0, 0, "{ended:?}");
    assert!(ended.1.contains("AI trading is allowed again"), "{ended:?}");
    tokio::task::block_in_place(|| place.desktop().no_popup());
    let id = client.send_call("PlaceOrder", &buy(1)).await;
    place.click(Button::Middle);
    assert_eq!(status(&client.result(id).await), "accepted");
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_set_while_a_client_runs_holds_at_once() {
    let mut place = Place::with_desktop().await;
    let opened = Opened::in_folder(&place.desktop().folder().join("person"));
    place.home = place.home.with("BROWSER", &opened.script.display().to_string());
    let mut client = place.client().await;
    client.call("ListAccounts", &json!({})).await;
    place.seal().await;
    let id = client.send_call("PlaceOrder", &buy(1)).await;
    let page = opened.nth(0).await;
    assert!(page.starts_with("http://localhost:"), "the PIN is asked for on the page: {page}");
    // The notification beside the page can deny and show the page again; it cannot approve.
    place.click(Button::Middle);
    opened.nth(1).await;
    let ticket = held(&place).await;
    assert_eq!(place.run(&["deny", &ticket]).await.0, 0);
    let result = client.result(id).await;
    assert_eq!(status(&result), "denied", "{result}");
    assert_eq!(place.sim.executed().await, [""; 0]);
}
