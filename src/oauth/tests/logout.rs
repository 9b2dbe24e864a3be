//! Signing out.

use super::super::{RevokeAnswer, Which};
use super::fake::Fixed;
use super::*;

#[tokio::test]
async fn both_tokens_are_revoked_the_refresh_token_first() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    sign_in(&grants, GrantKind::Trade)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    let report = grants.logout(Which::TradeOnly).await;
    let lines: Vec<_> = report
        .tokens
        .iter()
        .map(|line| (line.kind, line.token, line.answer.clone()))
        .collect();
    assert_eq!(
        lines,
        [
            (GrantKind::Trade, "refresh", RevokeAnswer::Revoked),
            (GrantKind::Trade, "access", RevokeAnswer::Revoked),
        ]
    );
    assert_eq!(
        (report.offline, report.not_wiped, report.advice),
        (false, None, None)
    );
    assert_eq!(
        grants.bearer(GrantKind::Trade).await.unwrap_err(),
        TokenError::NotSignedIn
    );
    assert!(grants.bearer(GrantKind::Read).await.is_ok(), "reading goes on");
    let report = grants.logout(Which::All).await;
    assert_eq!(report.tokens.len(), 2);
    assert_eq!(
        desk.grants().bearer(GrantKind::Read).await.unwrap_err(),
        TokenError::NotSignedIn
    );
    assert!(desk.fake.get(|state| state.access.is_empty()));
    sign_in(&grants, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    assert_eq!(
        desk.fake.count("/oauth/register"),
        2,
        "registrations outlive a logout"
    );
}

#[tokio::test]
async fn whatever_the_service_says_the_copies_go() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    desk.fake.fix(
        "/oauth/revoke",
        Fixed {
            status: 503,
            ..Fixed::default()
        },
    );
    let report = grants.logout(Which::All).await;
    assert!(
        report
            .tokens
            .iter()
            .all(|line| line.answer == RevokeAnswer::Refused(503))
    );
    assert!(!report.offline);
    assert!(report.advice.is_some());
    assert_eq!(
        desk.grants().bearer(GrantKind::Read).await.unwrap_err(),
        TokenError::NotSignedIn
    );
}

#[tokio::test]
async fn a_service_without_revocation() {
    let desk = Desk::new().await;
    desk.fake.set(|state| {
        state
            .metadata
            .insert("revocation_endpoint".to_owned(), serde_json::Value::Null);
    });
    let grants = desk.signed_in(GrantKind::Read).await;
    let report = grants.logout(Which::All).await;
    assert!(
        report
            .tokens
            .iter()
            .all(|line| line.answer == RevokeAnswer::NotOffered)
    );
    assert!(report.advice.is_some());
}

#[tokio::test]
async fn offline_the_copies_go_and_the_person_is_told() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    let endpoint = desk.fake.mcp_url();
    let dead = format!("http://127.0.0.1:{}/revoke", free_ports()[0]);
    grants
        .update(move |contents| {
            contents
                .grant_mut(&endpoint, GrantKind::Read)
                .unwrap()
                .revocation_endpoint = Some(dead);
        })
        .await
        .unwrap();
    let report = grants.logout(Which::All).await;
    assert!(report.offline);
    assert!(report.advice.unwrap().contains("127.0.0.1"));
    assert_eq!(
        desk.grants().bearer(GrantKind::Read).await.unwrap_err(),
        TokenError::NotSignedIn
    );
}

#[tokio::test]
async fn a_vault_that_cannot_be_opened_is_set_aside() {
    let desk = Desk::new().await;
    let _ = desk.signed_in(GrantKind::Read).await;
    desk.keychain.entries.lock().unwrap().clear();
    let grants = desk.grants();
    let told = grants.bearer(GrantKind::Read).await.unwrap_err();
    assert!(told.to_string().contains("countersign logout"), "{told}");
    let report = grants.logout(Which::All).await;
    assert!(report.set_aside.unwrap().exists());
    assert!(report.advice.is_some());
    sign_in(&grants, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    assert!(grants.bearer(GrantKind::Read).await.is_ok());
}

/// What is left of the vault after signing out while it cannot be opened.
async fn sign_out_of_a_closed_vault(desk: &Desk, which: Which) -> (super::super::LogoutReport, bool) {
    let before = std::fs::read(desk.vault()).unwrap();
    let report = desk.grants().logout(which).await;
    let untouched = std::fs::read(desk.vault()).is_ok_and(|now| now == before);
    (report, untouched)
}

#[tokio::test]
async fn a_vault_that_opens_again_later_is_left_alone() {
    let mut desk = Desk::new().await;
    let _ = desk.signed_in(GrantKind::Read).await;
    for why in ["it is locked or refuses access", "no answer within 10 s"] {
        *desk.keychain.failure.lock().unwrap() = Some(why.to_owned());
        let (report, untouched) = sign_out_of_a_closed_vault(&desk, Which::All).await;
        assert!(untouched && report.set_aside.is_none(), "{why}");
        assert!(report.not_wiped.unwrap().contains(why));
        assert!(report.advice.is_some(), "nothing was revoked");
    }
    *desk.keychain.failure.lock().unwrap() = None;
    for store in ["file", "cloud"] {
        desk.env = Env::of([("COUNTERSIGN_STORE", store)]);
        let (report, untouched) = sign_out_of_a_closed_vault(&desk, Which::All).await;
        assert!(untouched && report.set_aside.is_none(), "{store}");
        assert!(report.not_wiped.unwrap().contains("COUNTERSIGN_STORE"));
    }
    desk.env = Env::default();
    assert!(desk.grants().bearer(GrantKind::Read).await.is_ok());
}

#[tokio::test]
async fn signing_out_of_trading_never_takes_the_whole_vault() {
    let desk = Desk::new().await;
    let _ = desk.signed_in(GrantKind::Read).await;
    let kept = std::mem::take(&mut *desk.keychain.entries.lock().unwrap());
    let (report, untouched) = sign_out_of_a_closed_vault(&desk, Which::TradeOnly).await;
    assert!(untouched && report.set_aside.is_none());
    assert!(report.not_wiped.is_some());
    *desk.keychain.entries.lock().unwrap() = kept;
    assert!(desk.grants().bearer(GrantKind::Read).await.is_ok());
}

#[tokio::test]
async fn a_vault_that_never_opens_again_is_set_aside() {
    for damage in ["flipped", "cut", "other key", "other machine"] {
        let desk = Desk::new().await;
        let _ = desk.signed_in(GrantKind::Read).await;
        let mut bytes = std::fs::read(desk.vault()).unwrap();
        match damage {
            "flipped" => *bytes.last_mut().unwrap() ^= 1,
            "cut" => bytes.truncate(20),
            "other key" => {
                let other = base64_of(&[7; 32]);
                for entry in desk.keychain.entries.lock().unwrap().values_mut() {
                    entry.clone_from(&other);
                }
            }
            _ => bytes[32] ^= 1,
        }
        std::fs::write(desk.vault(), &bytes).unwrap();
        let report = desk.grants().logout(Which::All).await;
        let aside = report.set_aside.expect(damage);
        assert_eq!(std::fs::read(aside).unwrap(), bytes, "{damage}");
        assert!(report.advice.is_some());
    }
}

fn base64_of(bytes: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD_NO_PAD
        .encode(bytes)
        .into_bytes()
}
