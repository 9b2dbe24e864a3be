//! Sign-in that a call makes necessary, while the client waits for nothing.

use super::*;
use crate::support::program::{Client, text};
use serde_json::json;
use std::time::{Duration, Instant};

async fn has_changed(client: &mut Client) {
    let changed = |line: &String| line.contains("notifications/tools/list_changed").then_some(());
    client
        .find(changed, Duration::from_secs(15))
        .await
        .expect("list_changed");
}

async fn tools(client: &mut Client) -> Vec<String> {
    let listed = client.request("tools/list", &json!({})).await;
    let name = |tool: &Value| tool["name"].as_str().unwrap_or_default().to_owned();
    listed["result"]["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .map(name)
        .collect()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "measures how long the client waits")]
async fn the_first_call_answers_at_once_and_one_browser_opens() {
    let sim = Sim::start(&[]);
    let (home, opened) = counted();
    let mut client = home.serve(&sim).await.hello().await;
    assert_eq!(tools(&mut client).await, ["countersign_sign_in"]);
    assert!(opened.all().is_empty(), "a handshake opens no browser");
    let began = Instant::now();
    let first = client.send_call("ListAccounts", &json!({})).await;
    let second = client
        .send_call("GetQuote", &json!({ "instrument": "MES 12-26" }))
        .await;
    let third = client.send_call("countersign_sign_in", &json!({})).await;
    for id in [first, second, third] {
        let answer = client.result(id).await;
        assert_eq!(
            answer["structuredContent"]["status"], "sign_in_needed",
            "{answer}"
        );
        assert!(
            text(&answer).contains(&opened.nth(0).await),
            "the address is in the answer: {answer}"
        );
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    sim.http()
        .get(opened.nth(0).await)
        .send()
        .await
        .expect("the person's browser");
    has_changed(&mut client).await;
    assert!(tools(&mut client).await.contains(&"ListAccounts".to_owned()));
    let accounts = client.call("ListAccounts", &json!({})).await;
    assert!(text(&accounts).contains("Sim101"), "{accounts}");
    assert_eq!(opened.all().len(), 1, "{:?}", opened.all());
    client.close().await;
}

#[tokio::test]
async fn a_person_who_said_no_is_not_asked_again_by_a_repeated_call() {
    let sim = Sim::start(&[]);
    sim.post("consent", &json!({ "deny": true })).await;
    let (home, opened) = counted();
    let mut client = home.serve(&sim).await.hello().await;
    client.call("ListAccounts", &json!({})).await;
    sim.http()
        .get(opened.nth(0).await)
        .send()
        .await
        .expect("the person's browser");
    for _ in 0..40 {
        let again = client.call("ListAccounts", &json!({})).await;
        assert_eq!(opened.all().len(), 1);
        if text(&again).contains("access was denied on the consent page") {
            assert!(text(&again).contains("`countersign setup`"), "{again}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the refusal was never told");
}

#[tokio::test]
async fn withdrawn_access_never_opens_a_browser() {
    let sim = Sim::start(&[]);
    let (home, opened) = counted();
    home.login(&sim, false).await;
    let mut client = home.serve(&sim).await.hello().await;
    assert!(text(&client.call("ListAccounts", &json!({})).await).contains("Sim101"));
    sim.post("revoke", &json!({})).await;
    for _ in 0..3 {
        let answer = client.call("ListAccounts", &json!({})).await;
        assert!(
            text(&answer).contains("withdrawn") && text(&answer).contains("`countersign setup`"),
            "{answer}"
        );
        assert_eq!(answer["isError"], true);
    }
    assert!(opened.all().is_empty(), "{:?}", opened.all());
    let (code, out, _) = home.run(&["status", "--url", &sim.url]).await;
    assert_eq!(code, 3);
    assert!(out.contains("reading   ENDED"), "{out}");
    // The verb is the way back, and the running program notices.
    home.login(&sim, false).await;
    let again = client.call("ListAccounts", &json!({})).await;
    assert!(text(&again).contains("Sim101"), "{again}");
    client.close().await;
}

#[tokio::test]
async fn five_clients_without_a_sign_in_open_one_browser() {
    let sim = Sim::start(&[]);
    let (home, opened) = counted();
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(home.serve(&sim).await.hello().await);
    }
    let mut ids = Vec::new();
    for client in &mut clients {
        ids.push(client.send_call("ListAccounts", &json!({})).await);
    }
    for (client, id) in clients.iter_mut().zip(ids) {
        let answer = client.result(id).await;
        assert_eq!(
            answer["structuredContent"]["status"], "sign_in_needed",
            "{answer}"
        );
    }
    sim.http()
        .get(opened.nth(0).await)
        .send()
        .await
        .expect("the person's browser");
    for client in &mut clients {
        has_changed(client).await;
        let accounts = client.call("ListAccounts", &json!({})).await;
        assert!(text(&accounts).contains("Sim101"), "{accounts}");
    }
    assert_eq!(opened.all().len(), 1);
    assert_eq!(sim.get("tokens").await["code_exchanges"], 1);
    for client in clients {
        client.close().await;
    }
}

#[tokio::test]
async fn a_login_in_a_terminal_reaches_the_running_program() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    let mut client = home.serve(&sim).await.hello().await;
    assert_eq!(tools(&mut client).await, ["countersign_sign_in"]);
    home.login(&sim, false).await;
    has_changed(&mut client).await;
    assert!(tools(&mut client).await.contains(&"ListAccounts".to_owned()));
    home.login(&sim, true).await;
    has_changed(&mut client).await;
    assert!(tools(&mut client).await.contains(&"PlaceOrder".to_owned()));
    client.close().await;
}

#[tokio::test]
async fn without_a_browser_the_answer_says_so_and_the_address_works() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    let mut client = home.serve(&sim).await.hello().await;
    let answer = client.call("ListAccounts", &json!({})).await;
    assert!(
        text(&answer).contains("No browser could be opened: ask the person to open this address"),
        "{answer}"
    );
    let url = answer["structuredContent"]["url"].as_str().expect("an address");
    sim.http().get(url).send().await.expect("the person's browser");
    has_changed(&mut client).await;
    client.close().await;
}
