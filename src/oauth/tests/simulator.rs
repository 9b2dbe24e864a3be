//! The whole life of both grants against the simulator. Needs `cargo build -p crosstrade-sim`.

use super::super::{RevokeAnswer, SealedExtras, Which};
use super::*;
use secrecy::SecretString;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

struct Simulator {
    _child: Child,
    mcp_url: String,
    control_url: String,
}

impl Simulator {
    async fn start(more: &[&str]) -> Self {
        let here = std::env::current_exe().unwrap();
        let program = here.ancestors().nth(2).unwrap().join("crosstrade-sim");
        let mut child = Command::new(program)
            .args(["serve", "--auto-consent", "--frozen"])
            .args(more)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the simulator lies beside the program: run `cargo build -p crosstrade-sim`, as tests/run.sh does");
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).await.unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self {
            _child: child,
            mcp_url: text("mcp_url"),
            control_url: text("control_url"),
        }
    }

    async fn control(&self, what: &str, body: &'static str) {
        let url = format!("{}/{what}", self.control_url.trim_end_matches('/'));
        let answer = http().post(url).body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{what}");
    }

    /// The status that an `initialize` with this token gets.
    async fn try_token(&self, bearer: &super::super::Bearer) -> u16 {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
        http()
            .post(&self.mcp_url)
            .header("authorization", bearer.authorization_header())
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }
}

#[tokio::test]
async fn the_whole_life_of_both_grants() {
    let desk = Desk::new().await;
    let sim = Simulator::start(&[]).await;
    let grants = desk.grants_at(&sim.mcp_url);
    for (kind, scope) in [(GrantKind::Read, "mcp:read"), (GrantKind::Trade, "mcp:trade")] {
        let new = sign_in(&grants, kind).await.unwrap();
        assert_eq!(new.scope(), Some(scope));
        assert_eq!(sim.try_token(new.bearer()).await, 200);
        new.keep().await.unwrap();
    }
    let read = grants.bearer(GrantKind::Read).await.unwrap();
    assert_eq!(sim.try_token(&read).await, 200, "the trade grant did not end it");
    let renewed = grants.renew(GrantKind::Read, &read).await.unwrap();
    assert_eq!(sim.try_token(&renewed).await, 200);
    let pin = SecretString::from("otter lamp seven brick canoe");
    grants.seal(&pin, SealedExtras::new()).await.unwrap();
    let unsealed = grants.unseal(&pin).await.unwrap();
    let trade = unsealed.renew(&unsealed.bearer()).await.unwrap();
    assert_eq!(sim.try_token(&trade).await, 200);
    grants.unseal_remove(&pin).await.unwrap();
    sign_in(&grants, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    let read = grants.bearer(GrantKind::Read).await.unwrap();
    let report = grants.logout(Which::All).await;
    assert_eq!(report.tokens.len(), 4);
    assert!(
        report
            .tokens
            .iter()
            .all(|line| line.answer == RevokeAnswer::Revoked),
        "{report:?}"
    );
    for gone in [&read, &trade] {
        assert_eq!(sim.try_token(gone).await, 401);
    }
}

#[tokio::test]
async fn five_processes_with_an_expired_token() {
    let desk = Desk::new().await;
    let sim = Simulator::start(&["--access-seconds", "1"]).await;
    let first = desk.grants_at(&sim.mcp_url);
    sign_in(&first, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let all: Vec<Grants> = (0..5).map(|_| desk.grants_at(&sim.mcp_url)).collect();
    for round in 0..3 {
        let bearers =
            futures_util::future::join_all(all.iter().map(|grants| grants.bearer(GrantKind::Read))).await;
        for bearer in bearers {
            assert_eq!(sim.try_token(&bearer.unwrap()).await, 200, "round {round}");
        }
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
}

#[tokio::test]
async fn a_service_that_knows_one_grant_only() {
    let desk = Desk::new().await;
    let sim = Simulator::start(&["--exclusive-grants", "--omit-scope"]).await;
    let grants = desk.grants_at(&sim.mcp_url);
    sign_in(&grants, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    let read = grants.bearer(GrantKind::Read).await.unwrap();
    let new = sign_in(&grants, GrantKind::Trade).await.unwrap();
    assert_eq!(new.scope(), None);
    assert_eq!(sim.try_token(&read).await, 401, "withdrawn by the other grant");
    let told = grants.renew(GrantKind::Read, &read).await.unwrap_err();
    assert!(matches!(told, TokenError::Withdrawn(_)), "{told}");
    assert_eq!(new.revoke().await, "it was revoked");
    let single = LoginRequest {
        single_grant: true,
        ..request(GrantKind::Trade)
    };
    let new = finish(grants.begin_login(single).await.unwrap()).await.0.unwrap();
    new.keep().await.unwrap();
    let read = grants.bearer(GrantKind::Read).await.unwrap();
    assert_eq!(sim.try_token(&read).await, 200);
}

#[tokio::test]
async fn the_registration_limit_of_the_service() {
    let desk = Desk::new().await;
    let sim = Simulator::start(&["--registration-limit", "1"]).await;
    let grants = desk.grants_at(&sim.mcp_url);
    sign_in(&grants, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    let refused = grants.begin_login(request(GrantKind::Trade)).await.unwrap_err();
    assert!(
        matches!(refused, LoginError::TooManyRegistrations(_)),
        "{refused}"
    );
    sign_in(&grants, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
}

#[tokio::test]
async fn what_a_person_does_at_the_service() {
    let desk = Desk::new().await;
    let sim = Simulator::start(&[]).await;
    let grants = desk.grants_at(&sim.mcp_url);
    sim.control("consent", r#"{"deny":true}"#).await;
    let denied = sign_in(&grants, GrantKind::Read).await;
    assert_eq!(denied.unwrap_err(), LoginError::Denied);
    sim.control("consent", r#"{"scope":"mcp:trade"}"#).await;
    let wrong = sign_in(&grants, GrantKind::Read).await.unwrap_err();
    assert!(
        matches!(&wrong, LoginError::WrongScope(text) if text.contains("it was revoked")),
        "{wrong}"
    );
    sim.control("consent", "{}").await;
    sign_in(&grants, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    sim.control("revoke", r#"{"clients":true}"#).await;
    let old = grants.bearer(GrantKind::Read).await.unwrap();
    assert_eq!(sim.try_token(&old).await, 401);
    let told = grants.renew(GrantKind::Read, &old).await.unwrap_err();
    assert!(matches!(told, TokenError::Withdrawn(_)), "{told}");
    sign_in(&grants, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    let new = grants.bearer(GrantKind::Read).await.unwrap();
    assert_eq!(sim.try_token(&new).await, 200, "with a new registration");
}
