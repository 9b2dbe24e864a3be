//! Tokens that run out, are renewed by five processes at once, are revoked, and are wiped.

use super::*;
use crate::support::program::{Client, text};
use serde_json::json;

const TOKEN: &str = "POST /v1/oauth/mcp/token";

async fn works(client: &mut Client) {
    let accounts = client.call("ListAccounts", &json!({})).await;
    assert!(text(&accounts).contains("Sim101"), "{accounts}");
}

async fn tokens(sim: &Sim, what: &str) -> u64 {
    sim.get("tokens").await[what].as_u64().expect("a count")
}

#[tokio::test]
async fn an_expired_token_is_renewed_and_the_old_refresh_token_never_used_again() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    home.login(&sim, false).await;
    let mut client = home.serve(&sim).await.hello().await;
    works(&mut client).await;
    sim.post("expire", &json!({})).await;
    works(&mut client).await;
    assert_eq!(tokens(&sim, "refreshes").await, 1);
    // A token that is refused fresh again and again is not renewed without end: it is said.
    sim.post("expire", &json!({})).await;
    let told = client.call("ListAccounts", &json!({})).await;
    assert!(text(&told).contains("refuses even fresh access tokens"), "{told}");
    assert_eq!(tokens(&sim, "refreshes").await, 1);
    client.close().await;
    assert_eq!(tokens(&sim, "reuse_detections").await, 0);
}

#[tokio::test]
async fn what_was_renewed_is_there_after_a_restart() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    home.login(&sim, false).await;
    sim.post("expire", &json!({})).await;
    for _ in 0..3 {
        let mut client = home.serve(&sim).await.hello().await;
        works(&mut client).await;
        client.close().await;
    }
    assert_eq!(
        (
            tokens(&sim, "refreshes").await,
            tokens(&sim, "reuse_detections").await
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn tokens_of_one_second_are_renewed_in_time_and_without_end() {
    let sim = Sim::start(&["--access-seconds", "1"]);
    let home = Home::new();
    home.login(&sim, false).await;
    let mut client = home.serve(&sim).await.hello().await;
    for _ in 0..12 {
        works(&mut client).await;
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    assert_eq!(tokens(&sim, "reuse_detections").await, 0);
    assert!(tokens(&sim, "refreshes").await >= 2);
    client.close().await;
}

#[tokio::test]
async fn a_service_that_does_not_rotate_is_served_too() {
    let sim = Sim::start(&["--no-rotation", "--access-seconds", "1"]);
    let home = Home::new();
    home.login(&sim, false).await;
    let mut client = home.serve(&sim).await.hello().await;
    for _ in 0..6 {
        works(&mut client).await;
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    }
    assert!(tokens(&sim, "refreshes").await >= 2);
    assert_eq!(tokens(&sim, "reuse_detections").await, 0);
    client.close().await;
}

#[tokio::test]
async fn five_copies_with_an_expired_token_refresh_once() {
    let sim = Sim::start(&[]);
    let (home, opened) = counted();
    home.login(&sim, false).await;
    sim.post("expire", &json!({})).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(home.serve(&sim).await);
    }
    let mut ids = Vec::new();
    for client in &mut clients {
        // All at once: nobody waits for another's handshake.
        let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "five", "version": "1" } });
        client.send("initialize", &hello).await;
        client
            .line(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        ids.push(client.send_call("ListAccounts", &json!({})).await);
    }
    for (client, id) in clients.iter_mut().zip(ids) {
        let accounts = client.result(id).await;
        assert!(text(&accounts).contains("Sim101"), "{accounts}");
    }
    assert_eq!(tokens(&sim, "refreshes").await, 1);
    assert_eq!(tokens(&sim, "reuse_detections").await, 0);
    assert!(opened.all().is_empty(), "{:?}", opened.all());
    for client in clients {
        client.close().await;
    }
}

#[tokio::test]
async fn logout_revokes_the_refresh_token_first_and_wipes() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    home.login(&sim, false).await;
    home.login(&sim, true).await;
    let (code, out, err) = home.run(&["logout", "--url", &sim.url]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        out.contains("read   refresh  revoked") && out.contains("trade  access   revoked"),
        "{out}"
    );
    assert!(out.contains("Wiped on this computer."), "{out}");
    let all = [
        grant("mcp:read", "trader-a", true),
        grant("mcp:trade", "trader-a", true),
    ];
    assert_eq!(grants(&sim).await, all);
    let hints: Vec<String> = sim
        .get("raw?n=400")
        .await
        .as_array()
        .unwrap()
        .iter()
        .filter(|raw| raw["path"] == "/v1/oauth/mcp/revoke")
        .map(|raw| {
            if raw["text"]
                .as_str()
                .unwrap()
                .contains("token_type_hint=refresh_token")
            {
                "refresh"
            } else {
                "access"
            }
            .to_owned()
        })
        .collect();
    assert_eq!(hints, ["refresh", "access", "refresh", "access"]);
    let (code, out, _) = home.run(&["status", "--url", &sim.url]).await;
    assert_eq!(code, 3, "{out}");
    let (code, out, _) = home.run(&["logout", "--url", &sim.url]).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("There was nothing to revoke."), "{out}");
}

#[tokio::test]
async fn logout_of_trading_keeps_reading_also_in_a_running_program() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    home.login(&sim, false).await;
    home.login(&sim, true).await;
    let mut client = home.serve(&sim).await.hello().await;
    works(&mut client).await;
    let (code, out, err) = home.run(&["logout", "--trade", "--url", &sim.url]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(
        grants(&sim).await,
        [
            grant("mcp:read", "trader-a", false),
            grant("mcp:trade", "trader-a", true)
        ]
    );
    works(&mut client).await;
    let (code, out, _) = home.run(&["status", "--url", &sim.url]).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("trading   not enabled"), "{out}");
    assert_eq!(sim.executed().await, [""; 0]);
    client.close().await;
}

#[tokio::test]
async fn logout_without_the_service_wipes_and_names_the_page() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    home.login(&sim, false).await;
    let url = sim.url.clone();
    drop(sim);
    let (code, out, err) = home.run(&["logout", "--url", &url]).await;
    assert_eq!(code, 9, "{out}{err}");
    assert!(
        out.contains("NOT revoked") && out.contains("Wiped on this computer."),
        "{out}"
    );
    assert!(
        out.contains(
            "revoke the clients whose names begin with \"Countersign\" on the service's page of AI clients"
        ),
        "{out}"
    );
    assert_eq!(home.run(&["status", "--url", &url]).await.0, 3);
}

#[tokio::test]
async fn tokens_are_for_one_address_only() {
    let (sim, other) = (Sim::start(&[]), Sim::start(&[]));
    let home = Home::new();
    home.login(&sim, false).await;
    let (code, _, err) = home.run(&["call", "ListAccounts", "--url", &other.url]).await;
    assert_eq!(code, 3, "{err}");
    let (code, out, _) = home.run(&["status", "--url", &other.url]).await;
    assert_eq!(code, 3, "{out}");
    // Another spelling of the same address is another address.
    let spelled = sim.url.replace("127.0.0.1", "localhost");
    assert_eq!(home.run(&["call", "ListAccounts", "--url", &spelled]).await.0, 3);
    assert!(other.calls().await.iter().all(|call| call["grant"].is_null()));
    assert_eq!(count(&other, TOKEN).await, 0);
    let slash = format!("{}/", sim.url);
    assert_eq!(home.run(&["call", "ListAccounts", "--url", &slash]).await.0, 3);
}

#[tokio::test]
async fn a_registration_that_the_service_forgot_is_renewed_once() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    home.login(&sim, false).await;
    sim.post("revoke", &json!({ "clients": true })).await;
    let (code, _, err) = home.try_login(&sim, &[]).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(tokens(&sim, "registrations").await, 2);
    let mut client = home.serve(&sim).await.hello().await;
    works(&mut client).await;
    client.close().await;
}
