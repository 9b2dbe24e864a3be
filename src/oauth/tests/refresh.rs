//! Renewal.

use super::fake::Fixed;
use super::*;
use crate::oauth::contents::State;
use std::time::Duration;

/// Makes the stored access token run out, as time would.
pub(super) async fn expire(grants: &Grants, kind: GrantKind) {
    let endpoint = grants.inner.endpoint.url().to_owned();
    grants
        .update(move |contents| {
            let grant = contents.grant_mut(&endpoint, kind).unwrap();
            let State::Open { tokens, .. } = &mut grant.state else {
                panic!("open")
            };
            tokens.expires_at_ms = Some(1);
        })
        .await
        .unwrap();
    grants.forget(&GrantKind::ALL);
}

#[tokio::test]
async fn an_expired_token_is_renewed_and_the_rotation_kept() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    for _ in 0..3 {
        expire(&grants, GrantKind::Read).await;
        grants.bearer(GrantKind::Read).await.unwrap();
    }
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (3, 0));
    let old = grants.bearer(GrantKind::Read).await.unwrap();
    let again = desk.grants().bearer(GrantKind::Read).await.unwrap();
    assert!(old.same_as(&again), "it was saved");
}

#[tokio::test]
async fn five_processes_make_one_refresh() {
    let desk = Desk::new().await;
    let first = desk.signed_in(GrantKind::Read).await;
    expire(&first, GrantKind::Read).await;
    desk.fake.set(|state| state.delay = Duration::from_millis(200));
    let all: Vec<Grants> = (0..5).map(|_| desk.grants()).collect();
    let calls = all
        .iter()
        .flat_map(|grants| (0..4).map(|_| grants.bearer(GrantKind::Read)));
    let bearers = futures_util::future::join_all(calls).await;
    let tokens: std::collections::BTreeSet<String> = bearers
        .into_iter()
        .map(|bearer| token_of(&bearer.unwrap()))
        .collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (1, 0));
}

#[tokio::test]
async fn five_processes_refused_together_make_one_refresh() {
    let desk = Desk::new().await;
    let _ = desk.signed_in(GrantKind::Read).await;
    let all: Vec<Grants> = (0..5).map(|_| desk.grants()).collect();
    let old = all[0].bearer(GrantKind::Read).await.unwrap();
    desk.fake.set(|state| state.delay = Duration::from_millis(200));
    let calls = all
        .iter()
        .flat_map(|grants| (0..4).map(|_| grants.renew(GrantKind::Read, &old)));
    for bearer in futures_util::future::join_all(calls).await {
        assert!(!bearer.unwrap().same_as(&old));
    }
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (1, 0));
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_with_it() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    expire(&grants, GrantKind::Read).await;
    desk.fake.set(|state| state.delay = Duration::from_millis(300));
    let impatient = tokio::time::timeout(Duration::from_millis(100), grants.bearer(GrantKind::Read)).await;
    assert!(impatient.is_err());
    grants.settle(Duration::from_secs(10)).await;
    desk.grants().bearer(GrantKind::Read).await.unwrap();
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (1, 0));
}

#[tokio::test]
async fn fresh_tokens_refused_twice_stop_the_loop() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    let first = grants.bearer(GrantKind::Read).await.unwrap();
    let second = grants.renew(GrantKind::Read, &first).await.unwrap();
    let refused = grants.renew(GrantKind::Read, &second).await.unwrap_err();
    assert!(matches!(refused, TokenError::Refused(_)), "{refused}");
    let other = desk.grants().renew(GrantKind::Read, &second).await.unwrap_err();
    assert!(
        matches!(other, TokenError::Refused(_)),
        "in every process: {other}"
    );
    assert_eq!(desk.fake.get(|state| state.refreshed), 1);
}

#[tokio::test]
async fn the_old_refresh_token_stays_where_none_comes() {
    let desk = Desk::new().await;
    desk.fake.set(|state| state.rotate = false);
    let grants = desk.signed_in(GrantKind::Read).await;
    for _ in 0..3 {
        expire(&grants, GrantKind::Read).await;
        grants.bearer(GrantKind::Read).await.unwrap();
    }
    assert_eq!(desk.fake.get(|state| state.refreshed), 3);
}

#[tokio::test]
async fn withdrawn_is_remembered_and_opens_no_browser() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    expire(&grants, GrantKind::Read).await;
    desk.fake
        .fix("/oauth/token", Fixed::json(400, r#"{"error":"invalid_grant"}"#));
    let told = grants.bearer(GrantKind::Read).await.unwrap_err();
    assert!(matches!(told, TokenError::Withdrawn(_)), "{told}");
    let again = desk.grants().bearer(GrantKind::Read).await.unwrap_err();
    assert!(
        matches!(again, TokenError::Withdrawn(_)),
        "after a restart too: {again}"
    );
    assert_eq!(
        desk.fake.count("/oauth/token"),
        2,
        "the sign-in, one refresh, and no more"
    );
    let background = desk
        .grants()
        .begin_background_login(request(GrantKind::Read))
        .await;
    assert_eq!(background.unwrap_err(), LoginError::Withdrawn);
    desk.fake.set(|state| state.fixed.clear());
    sign_in(&grants, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    assert!(desk.grants().bearer(GrantKind::Read).await.is_ok());
    assert_eq!(desk.fake.count("/oauth/register"), 1, "the registration was kept");
}

#[tokio::test]
async fn a_refusal_does_not_drop_a_newer_sign_in() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    expire(&grants, GrantKind::Read).await;
    desk.fake.set(|state| state.delay = Duration::from_millis(300));
    desk.fake
        .fix("/oauth/token", Fixed::json(400, r#"{"error":"invalid_grant"}"#));
    let renewing = desk.grants();
    let signing = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let endpoint = desk.fake.mcp_url();
        let newer = grants.update(move |contents| {
            let grant = contents.grant_mut(&endpoint, GrantKind::Read).unwrap();
            let State::Open { tokens, .. } = &mut grant.state else {
                panic!("open")
            };
            tokens.access = super::super::secret::Token::read("newer".to_owned()).unwrap();
            tokens.expires_at_ms = None;
        });
        newer.await.unwrap();
    };
    let (found, ()) = tokio::join!(renewing.bearer(GrantKind::Read), signing);
    assert_eq!(token_of(&found.unwrap()), "newer");
}

#[tokio::test]
async fn a_broken_service_costs_nothing() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    expire(&grants, GrantKind::Read).await;
    for answer in [
        Fixed {
            status: 500,
            ..Fixed::default()
        },
        Fixed::json(429, ""),
        Fixed::json(400, r#"{"error":"temporarily_unavailable"}"#),
    ] {
        desk.fake.fix("/oauth/token", answer);
        let told = desk.grants().bearer(GrantKind::Read).await.unwrap_err();
        assert!(matches!(told, TokenError::Network(_)), "{told}");
    }
    let asked = desk.fake.count("/oauth/token");
    for told in futures_util::future::join_all((0..20).map(|_| grants.bearer(GrantKind::Read))).await {
        assert!(matches!(told, Err(TokenError::Network(_))));
    }
    assert_eq!(
        desk.fake.count("/oauth/token"),
        asked + 1,
        "all that waited share the one failure"
    );
    desk.fake.set(|state| state.fixed.clear());
    desk.grants().bearer(GrantKind::Read).await.unwrap();
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (1, 0));
}

#[tokio::test]
async fn a_token_near_its_end_still_serves_where_it_cannot_be_renewed() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    let endpoint = desk.fake.mcp_url();
    let soon = crate::system::wall_ms() + 5_000;
    grants
        .update(move |contents| {
            let grant = contents.grant_mut(&endpoint, GrantKind::Read).unwrap();
            let State::Open { tokens, .. } = &mut grant.state else {
                panic!("open")
            };
            tokens.obtained_at_ms = 0;
            tokens.expires_at_ms = Some(soon);
        })
        .await
        .unwrap();
    grants.forget(&GrantKind::ALL);
    desk.fake.fix(
        "/oauth/token",
        Fixed {
            status: 503,
            ..Fixed::default()
        },
    );
    grants.bearer(GrantKind::Read).await.unwrap();
    assert_eq!(desk.fake.count("/oauth/token"), 2);
    let lock = crate::system::FileLock::try_take(&grants.inner.refresh_lock(GrantKind::Read))
        .unwrap()
        .unwrap();
    desk.grants().bearer(GrantKind::Read).await.unwrap();
    assert_eq!(desk.fake.count("/oauth/token"), 2, "another process is at it");
    drop(lock);
}

#[tokio::test]
async fn no_refresh_token_ends_in_a_sign_in() {
    let desk = Desk::new().await;
    desk.fake.set(|state| state.issue_refresh = false);
    let grants = desk.signed_in(GrantKind::Read).await;
    expire(&grants, GrantKind::Read).await;
    assert_eq!(
        grants.bearer(GrantKind::Read).await.unwrap_err(),
        TokenError::NotSignedIn
    );
    let grants = desk.signed_in(GrantKind::Read).await;
    let bearer = grants.bearer(GrantKind::Read).await.unwrap();
    let told = grants.renew(GrantKind::Read, &bearer).await.unwrap_err();
    assert!(matches!(told, TokenError::Withdrawn(_)), "{told}");
}

#[tokio::test]
async fn a_vault_that_cannot_be_written_costs_no_refresh_token() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    expire(&grants, GrantKind::Read).await;
    let before = std::fs::read(desk.vault()).unwrap();
    let full = desk.fill_disk();
    let told = grants.bearer(GrantKind::Read).await.unwrap_err();
    assert!(
        matches!(&told, TokenError::Store(text) if text.contains("the old one stands")),
        "{told}"
    );
    assert_eq!(std::fs::read(desk.vault()).unwrap(), before);
    assert_eq!(desk.fake.count("/oauth/token"), 1, "nothing was spent");
    drop(full);
    grants.bearer(GrantKind::Read).await.unwrap();
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (1, 0));
}

#[tokio::test]
async fn tokens_that_could_not_be_saved_are_saved_first_next_time() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    expire(&grants, GrantKind::Read).await;
    desk.fake.set(|state| state.delay = Duration::from_millis(300));
    let (real, aside) = (desk.vault(), desk.vault().with_extension("aside"));
    let breaking = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        std::fs::rename(&real, &aside).unwrap();
        std::fs::create_dir(&real).unwrap();
    };
    let (told, ()) = tokio::join!(grants.bearer(GrantKind::Read), breaking);
    assert!(
        matches!(told, Err(TokenError::Store(_))),
        "not used before it is saved: {told:?}"
    );
    std::fs::remove_dir(&real).unwrap();
    std::fs::rename(&aside, &real).unwrap();
    let bearer = grants.bearer(GrantKind::Read).await.unwrap();
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (1, 0));
    assert!(
        desk.grants()
            .bearer(GrantKind::Read)
            .await
            .unwrap()
            .same_as(&bearer)
    );
}

/// Answers of the token endpoint that say nothing about a grant.
pub(super) fn odd_answers() -> Vec<Fixed> {
    let html = "<html>error: invalid_grant</html>";
    vec![
        Fixed::page(200, "text/html", html),
        Fixed::page(204, "text/html", ""),
        Fixed::page(302, "application/json", r#"{"error":"invalid_grant"}"#),
        Fixed::page(400, "text/html", html),
        Fixed::page(400, "text/plain", r#"{"error":"invalid_grant"}"#),
        Fixed::page(401, "text/html", html),
        Fixed::page(403, "text/html", html),
        Fixed::page(404, "text/html", html),
        Fixed::page(503, "application/json", r#"{"error":"invalid_grant"}"#),
        Fixed::json(200, "[]"),
        Fixed::json(200, "{}"),
        Fixed::json(200, r#"{"access_token":"a b","token_type":"Bearer"}"#),
        Fixed::json(200, r#"{"access_token":"a","token_type":"mac"}"#),
        Fixed::json(200, r#"{"access_token":"a","token_type":"Bearer","#),
        Fixed::json(400, r#"{"error":"invalid_request"}"#),
        Fixed::json(400, r#"{"error":["invalid_grant"]}"#),
        Fixed::json(400, r#"{"error":"invalid_grant "}"#),
        Fixed::json(400, r#"{"error":"invalid_request","error":"invalid_grant"}"#),
        Fixed::json(403, r#"{"error":"access_denied"}"#),
        Fixed::json(404, r#"{"error":"not_found"}"#),
    ]
}

#[tokio::test]
async fn an_odd_answer_ends_nothing() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    expire(&grants, GrantKind::Read).await;
    for odd in odd_answers() {
        desk.fake.fix("/oauth/token", odd.clone());
        let told = desk.grants().bearer(GrantKind::Read).await.unwrap_err();
        assert!(matches!(told, TokenError::Network(_)), "{odd:?}: {told}");
    }
    desk.fake.set(|state| state.fixed.clear());
    desk.grants().bearer(GrantKind::Read).await.unwrap();
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (1, 0));
}

#[tokio::test]
async fn only_a_plain_word_of_the_service_ends_a_grant() {
    for (status, code) in [
        (400, "invalid_grant"),
        (401, "invalid_client"),
        (400, "unauthorized_client"),
        (403, "subscription_required"),
    ] {
        let desk = Desk::new().await;
        let grants = desk.signed_in(GrantKind::Read).await;
        expire(&grants, GrantKind::Read).await;
        let body = format!(r#"{{"error":"{code}"}}"#);
        desk.fake.fix("/oauth/token", Fixed::json(status, &body));
        let told = grants.bearer(GrantKind::Read).await.unwrap_err();
        assert!(matches!(told, TokenError::Withdrawn(_)), "{code}: {told}");
    }
}

#[tokio::test]
async fn a_read_grant_that_comes_back_wider_is_given_back() {
    for wider in ["mcp:read mcp:trade", "mcp:trade", "mcp:read offline_access"] {
        let desk = Desk::new().await;
        let grants = desk.signed_in(GrantKind::Read).await;
        expire(&grants, GrantKind::Read).await;
        desk.fake.set(|state| state.scope = Some(wider.to_owned()));
        let told = grants.bearer(GrantKind::Read).await.unwrap_err();
        assert!(
            matches!(&told, TokenError::Withdrawn(why) if why.contains("mcp:read") && why.contains("it was revoked")),
            "{wider:?}: {told}"
        );
        let again = desk.grants().bearer(GrantKind::Read).await.unwrap_err();
        assert_eq!(again, told, "after a restart too");
        assert_eq!(desk.fake.count("/oauth/token"), 2);
        assert_eq!(
            desk.fake.get(|state| state.revoked.len()),
            2,
            "refresh and access token"
        );
    }
}
