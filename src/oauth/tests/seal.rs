//! The seal.

use super::super::{SealError, SealedExtras, UnsealError, Which};
use super::fake::Fixed;
use super::*;
use secrecy::SecretString;

const PIN: &str = "otter lamp seven brick canoe";

fn pin(text: &str) -> SecretString {
    SecretString::from(text)
}

fn extras() -> SealedExtras {
    SealedExtras::from([("policy".to_owned(), "abc".to_owned())])
}

async fn sealed() -> (Desk, Grants) {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Trade).await;
    grants.seal(&pin(PIN), extras()).await.unwrap();
    (desk, grants)
}

#[tokio::test]
async fn only_the_pin_opens_it() {
    let (desk, grants) = sealed().await;
    assert!(grants.is_sealed().await.unwrap());
    assert_eq!(
        grants.bearer(GrantKind::Trade).await.unwrap_err(),
        TokenError::Sealed
    );
    assert_eq!(
        desk.grants().bearer(GrantKind::Trade).await.unwrap_err(),
        TokenError::Sealed
    );
    let unsealed = desk.grants().unseal(&pin(&format!("  {PIN} "))).await.unwrap();
    assert_eq!(unsealed.extras(), extras());
    let token = token_of(&unsealed.bearer());
    assert!(desk.fake.get(|state| state.access.contains(&token)));
    assert_eq!(
        desk.fake.get(|state| state.refreshed),
        0,
        "the access token was still good"
    );
    assert_eq!(
        grants.seal(&pin(PIN), extras()).await.unwrap_err(),
        SealError::AlreadySealed
    );
    assert!(matches!(
        grants.seal(&pin("1234"), extras()).await,
        Err(SealError::WeakPin(_))
    ));
}

#[tokio::test]
async fn a_sealed_grant_is_found_from_every_address() {
    let desk = Desk::new().await;
    let own = desk.signed_in(GrantKind::Trade).await;
    let other = desk.grants_at("http://127.0.0.1:9/mcp");
    assert_eq!(own.sealed_at().await.unwrap(), None, "signed in, not sealed");
    own.seal(&pin(PIN), extras()).await.unwrap();
    assert_eq!(own.sealed_at().await.unwrap(), Some(desk.fake.mcp_url()));
    assert_eq!(other.sealed_at().await.unwrap(), Some(desk.fake.mcp_url()));
    assert!(!other.is_sealed().await.unwrap());
}

#[tokio::test]
async fn an_other_process_that_had_the_token_loses_it() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Trade).await;
    let other = desk.grants();
    assert!(other.bearer(GrantKind::Trade).await.is_ok());
    grants.seal(&pin(PIN), extras()).await.unwrap();
    assert_eq!(
        other.bearer(GrantKind::Trade).await.unwrap_err(),
        TokenError::Sealed
    );
}

#[tokio::test]
async fn wrong_pins_are_counted_slowed_and_survive_restarts() {
    let (desk, _) = sealed().await;
    for tries in 1..=3 {
        let wrong = desk
            .grants()
            .unseal(&pin("not the right five words"))
            .await
            .unwrap_err();
        assert!(
            matches!(wrong, UnsealError::WrongPin { tries: told, .. } if told == tries),
            "{wrong}"
        );
    }
    let early = desk.grants().unseal(&pin(PIN)).await.unwrap_err();
    assert!(
        matches!(early, UnsealError::Wait(_)),
        "even the right one: {early}"
    );
    desk.grants()
        .update(|contents| contents.tries.last_ms -= 6_000)
        .await
        .unwrap();
    desk.grants().unseal(&pin(PIN)).await.unwrap();
    assert_eq!(desk.grants().contents().await.unwrap().tries.wrong, 0);
}

#[tokio::test]
async fn a_renewed_token_is_sealed_again_before_use() {
    let (desk, grants) = sealed().await;
    let unsealed = grants.unseal(&pin(PIN)).await.unwrap();
    let old = unsealed.bearer();
    let new = unsealed.renew(&old).await.unwrap();
    assert!(!new.same_as(&old));
    let other = desk.grants().unseal(&pin(PIN)).await.unwrap();
    assert!(
        other.bearer().same_as(&new),
        "another process finds the renewed one"
    );
    assert_eq!(other.extras(), extras());
    let third = other.renew(&old).await.unwrap();
    assert!(third.same_as(&new), "already renewed: not spent again");
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (1, 0));
    let refused = unsealed.renew(&new).await.unwrap_err();
    assert!(matches!(refused, TokenError::Refused(_)), "{refused}");
}

#[tokio::test]
async fn two_that_are_open_do_not_spend_a_token_twice() {
    let (desk, grants) = sealed().await;
    let (one, two) = (
        grants.unseal(&pin(PIN)).await.unwrap(),
        desk.grants().unseal(&pin(PIN)).await.unwrap(),
    );
    let old = one.bearer();
    desk.fake
        .set(|state| state.delay = std::time::Duration::from_millis(200));
    let (first, second) = tokio::join!(one.renew(&old), two.renew(&old));
    assert!(first.unwrap().same_as(&second.unwrap()));
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (1, 0));
}

#[tokio::test]
async fn an_expired_token_is_renewed_on_opening() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Trade).await;
    refresh::expire(&grants, GrantKind::Trade).await;
    grants.seal(&pin(PIN), extras()).await.unwrap();
    let unsealed = grants.unseal(&pin(PIN)).await.unwrap();
    assert_eq!(desk.fake.get(|state| state.refreshed), 1);
    let again = desk.grants().unseal(&pin(PIN)).await.unwrap();
    assert!(again.bearer().same_as(&unsealed.bearer()));
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (1, 0));
}

#[tokio::test]
async fn digests_can_be_replaced_under_the_seal() {
    let (desk, grants) = sealed().await;
    let unsealed = grants.unseal(&pin(PIN)).await.unwrap();
    let newer = SealedExtras::from([("policy".to_owned(), "def".to_owned())]);
    unsealed.set_extras(newer.clone()).await.unwrap();
    assert_eq!(unsealed.extras(), newer);
    assert_eq!(desk.grants().unseal(&pin(PIN)).await.unwrap().extras(), newer);
}

#[tokio::test]
async fn the_seal_comes_off_with_the_pin_only() {
    let (_desk, grants) = sealed().await;
    assert!(
        grants
            .unseal_remove(&pin("not the right five words"))
            .await
            .is_err()
    );
    assert!(grants.is_sealed().await.unwrap());
    grants.unseal_remove(&pin(PIN)).await.unwrap();
    assert!(grants.bearer(GrantKind::Trade).await.is_ok());
    assert_eq!(
        grants.unseal(&pin(PIN)).await.unwrap_err(),
        UnsealError::NotSealed
    );
}

#[tokio::test]
async fn withdrawn_under_the_seal() {
    let (desk, grants) = sealed().await;
    let unsealed = grants.unseal(&pin(PIN)).await.unwrap();
    desk.fake
        .fix("/oauth/token", Fixed::json(400, r#"{"error":"invalid_grant"}"#));
    let told = unsealed.renew(&unsealed.bearer()).await.unwrap_err();
    assert!(matches!(told, TokenError::Withdrawn(_)), "{told}");
    let told = desk.grants().unseal(&pin(PIN)).await.unwrap_err();
    assert!(
        matches!(told, UnsealError::Token(TokenError::Withdrawn(_))),
        "{told}"
    );
}

#[tokio::test]
async fn a_sealed_grant_is_wiped_and_the_person_told() {
    let (desk, grants) = sealed().await;
    let report = grants.logout(Which::All).await;
    assert_eq!(report.tokens[0].answer, super::super::RevokeAnswer::Sealed);
    assert!(report.advice.is_some());
    assert_eq!(
        desk.grants().bearer(GrantKind::Trade).await.unwrap_err(),
        TokenError::NotSignedIn
    );
}

#[tokio::test]
async fn without_a_trade_grant_there_is_nothing_to_seal() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    assert_eq!(
        grants.seal(&pin(PIN), extras()).await.unwrap_err(),
        SealError::NoGrant
    );
    let nothing = grants.unseal(&pin(PIN)).await.unwrap_err();
    assert_eq!(nothing, UnsealError::Token(TokenError::NotSignedIn));
}

#[tokio::test]
async fn a_vault_that_cannot_be_written_costs_no_sealed_token() {
    let (desk, grants) = sealed().await;
    let unsealed = grants.unseal(&pin(PIN)).await.unwrap();
    let full = desk.fill_disk();
    let told = unsealed.renew(&unsealed.bearer()).await.unwrap_err();
    assert!(matches!(told, TokenError::Store(_)), "{told}");
    let told = desk.grants().unseal(&pin(PIN)).await.unwrap_err();
    assert!(
        matches!(told, UnsealError::Token(TokenError::Store(_))),
        "no try that is not counted: {told}"
    );
    assert_eq!(desk.fake.get(|state| state.refreshed), 0);
    drop(full);
    unsealed.renew(&unsealed.bearer()).await.unwrap();
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (1, 0));
}
