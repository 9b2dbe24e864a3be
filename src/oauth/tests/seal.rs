//! The seal.

use super::super::{ResealError, SealError, SealReport, SealedExtras, UnsealError, Which};
use super::fake::Fixed;
use super::*;
use secrecy::SecretString;

const PIN: &str = "otter lamp seven brick canoe";
const OTHER: &str = "velvet harbour onion quiet drum";

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
        1,
        "when it was sealed; the access token was still good"
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
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (2, 0));
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
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (2, 0));
}

#[tokio::test]
async fn an_expired_token_is_renewed_on_opening() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Trade).await;
    refresh::expire(&grants, GrantKind::Trade).await;
    desk.fake.fix("/oauth/token", Fixed::json(503, ""));
    let report = grants.seal(&pin(PIN), extras()).await.unwrap();
    assert_eq!(report.not_renewed.as_deref(), Some("it answers 503"));
    desk.fake.set(|state| state.fixed.clear());
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
async fn one_digest_changes_under_the_seal_and_what_another_process_put_there_stays() {
    let (desk, grants) = sealed().await;
    let (one, other) = (
        grants.unseal(&pin(PIN)).await.unwrap(),
        desk.grants().unseal(&pin(PIN)).await.unwrap(),
    );
    let put = |key: &'static str| {
        move |extras: &mut SealedExtras| {
            extras.insert(key.to_owned(), "1".to_owned());
        }
    };
    one.change_extras(put("keys")).await.unwrap();
    other.change_extras(put("resumed")).await.unwrap();
    let mut all = extras();
    all.extend(["keys", "resumed"].map(|key| (key.to_owned(), "1".to_owned())));
    assert_eq!(other.extras(), all);
    assert_eq!(desk.grants().unseal(&pin(PIN)).await.unwrap().extras(), all);
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
    assert_eq!(desk.fake.get(|state| state.refreshed), 1, "when it was sealed");
    drop(full);
    unsealed.renew(&unsealed.bearer()).await.unwrap();
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (2, 0));
}

#[tokio::test]
async fn an_odd_answer_ends_no_sealed_grant() {
    let (desk, grants) = sealed().await;
    for odd in refresh::odd_answers() {
        let unsealed = grants.unseal(&pin(PIN)).await.unwrap();
        desk.fake.fix("/oauth/token", odd.clone());
        let told = unsealed.renew(&unsealed.bearer()).await.unwrap_err();
        assert!(matches!(told, TokenError::Network(_)), "{odd:?}: {told}");
    }
    desk.fake.set(|state| state.fixed.clear());
    let unsealed = desk.grants().unseal(&pin(PIN)).await.unwrap();
    unsealed.renew(&unsealed.bearer()).await.unwrap();
    assert_eq!(desk.fake.get(|state| state.reused), 0);
}

#[tokio::test]
async fn renewed_tokens_that_could_not_be_sealed_away_are_saved_first_next_time() {
    for again in ["renew", "unseal"] {
        let (desk, grants) = sealed().await;
        let unsealed = grants.unseal(&pin(PIN)).await.unwrap();
        let old = unsealed.bearer();
        let before = desk.fake.get(|state| state.refreshed);
        let told = with_a_vault_that_breaks(&desk, unsealed.renew(&old)).await;
        assert!(matches!(told, Err(TokenError::Store(_))), "{told:?}");
        let new = if again == "renew" {
            unsealed.renew(&old).await.unwrap()
        } else {
            drop(unsealed);
            grants.unseal(&pin(PIN)).await.unwrap().bearer()
        };
        assert!(!new.same_as(&old));
        assert!(desk.fake.get(|state| state.access.contains(&token_of(&new))));
        assert_eq!(
            desk.fake.get(|state| (state.refreshed, state.reused)),
            (before + 1, 0),
            "{again}"
        );
        let other = desk.grants().unseal(&pin(PIN)).await.unwrap();
        assert!(other.bearer().same_as(&new), "{again}: it was saved");
    }
}

#[tokio::test]
async fn sealing_renews_once_so_that_older_copies_are_of_no_use() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Trade).await;
    let before = grants.bearer(GrantKind::Trade).await.unwrap();
    let report = grants.seal(&pin(PIN), extras()).await.unwrap();
    assert_eq!(report, SealReport::default());
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (1, 0));
    let unsealed = grants.unseal(&pin(PIN)).await.unwrap();
    assert!(!unsealed.bearer().same_as(&before));
    assert_eq!(desk.fake.get(|state| state.refreshed), 1);
}

#[tokio::test]
async fn unsealed_tokens_go_only_where_they_went_when_they_were_sealed() {
    for field in ["token", "revocation", "none", "resource"] {
        let (desk, grants) = sealed().await;
        let (endpoint, elsewhere) = (desk.fake.mcp_url(), format!("{}/elsewhere", desk.fake.base()));
        grants
            .update(move |contents| {
                let grant = contents.grant_mut(&endpoint, GrantKind::Trade).unwrap();
                match field {
                    "token" => grant.token_endpoint = elsewhere,
                    "revocation" => grant.revocation_endpoint = Some(elsewhere),
                    "none" => grant.revocation_endpoint = None,
                    _ => grant.resource = elsewhere,
                }
            })
            .await
            .unwrap();
        let told = grants.unseal(&pin(PIN)).await.unwrap_err();
        assert!(matches!(told, UnsealError::WrongPin { .. }), "{field}: {told}");
        assert_eq!(desk.fake.count("/elsewhere"), 0);
    }
}

#[tokio::test]
async fn sealing_says_where_older_copies_may_still_be_good() {
    let desk = Desk::new().await;
    desk.fake.set(|state| state.rotate = false);
    let grants = desk.signed_in(GrantKind::Trade).await;
    let report = grants.seal(&pin(PIN), extras()).await.unwrap();
    assert!(report.not_renewed.unwrap().contains("does not replace"));
    let desk = Desk::new().await;
    desk.fake.set(|state| state.issue_refresh = false);
    let grants = desk.signed_in(GrantKind::Trade).await;
    let report = grants.seal(&pin(PIN), extras()).await.unwrap();
    assert!(report.not_renewed.unwrap().contains("no means"));
    assert!(grants.unseal(&pin(PIN)).await.is_ok());
}

#[tokio::test]
async fn a_grant_that_the_service_has_ended_is_not_sealed() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Trade).await;
    desk.fake
        .fix("/oauth/token", Fixed::json(400, r#"{"error":"invalid_grant"}"#));
    let told = grants.seal(&pin(PIN), extras()).await.unwrap_err();
    assert!(
        matches!(told, SealError::Token(TokenError::Withdrawn(_))),
        "{told}"
    );
    let told = desk.grants().bearer(GrantKind::Trade).await.unwrap_err();
    assert!(matches!(told, TokenError::Withdrawn(_)), "{told}");
}

/// Breaks the vault while the token endpoint is thinking, then mends it; returns what the work said.
async fn with_a_vault_that_breaks<T>(desk: &Desk, work: impl Future<Output = T>) -> T {
    desk.fake
        .set(|state| state.delay = std::time::Duration::from_millis(300));
    let asked = desk.fake.get(|state| state.asked);
    let (real, aside) = (desk.vault(), desk.vault().with_extension("aside"));
    let watching = desk.fake.clone();
    let breaking = async {
        while watching.get(|state| state.asked) == asked {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        std::fs::rename(&real, &aside).unwrap();
        std::fs::create_dir(&real).unwrap();
    };
    let (done, ()) = tokio::join!(work, breaking);
    std::fs::remove_dir(&real).unwrap();
    std::fs::rename(&aside, &real).unwrap();
    desk.fake.set(|state| state.delay = std::time::Duration::ZERO);
    done
}

#[tokio::test]
async fn a_seal_that_cannot_be_saved_leaves_the_grant_open_and_good() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Trade).await;
    let (under, what) = (pin(PIN), extras());
    let told = with_a_vault_that_breaks(&desk, grants.seal(&under, what)).await;
    assert!(
        matches!(told, Err(SealError::Token(TokenError::Store(_)))),
        "{told:?}"
    );
    assert!(!grants.is_sealed().await.unwrap());
    grants.seal(&pin(PIN), extras()).await.unwrap();
    assert_eq!(desk.fake.get(|state| (state.refreshed, state.reused)), (2, 0));
    assert!(desk.grants().unseal(&pin(PIN)).await.is_ok());
}

/// Looks at the vault as fast as it can while the work goes on: whether the trade grant ever lay open in it.
async fn was_ever_open(desk: &Desk, work: impl Future<Output = ()>) -> bool {
    let watching = desk.grants();
    let over = CancellationToken::new();
    let watch = async {
        let (mut open, mut looks) = (false, 0);
        while !over.is_cancelled() {
            let contents = watching.contents().await.unwrap();
            open |= contents.grants.iter().any(|grant| {
                grant.kind == GrantKind::Trade
                    && matches!(grant.state, crate::oauth::contents::State::Open { .. })
            });
            looks += 1;
            tokio::task::yield_now().await;
        }
        assert!(looks > 3, "it was looked at {looks} times");
        open
    };
    let work = async {
        work.await;
        over.cancel();
    };
    tokio::join!(watch, work).0
}

#[tokio::test]
async fn from_one_pin_to_another_it_never_lies_open() {
    let (desk, grants) = sealed().await;
    let old = grants.unseal(&pin(PIN)).await.unwrap();
    let newer = SealedExtras::from([("policy".to_owned(), "def".to_owned())]);
    let work = async {
        let report = grants
            .reseal(&pin(PIN), &pin(OTHER), newer.clone())
            .await
            .unwrap();
        assert_eq!(report, SealReport::default());
    };
    assert!(!was_ever_open(&desk, work).await);
    let told = grants.unseal(&pin(PIN)).await.unwrap_err();
    assert!(matches!(told, UnsealError::WrongPin { tries: 1, .. }), "{told}");
    let unsealed = desk.grants().unseal(&pin(OTHER)).await.unwrap();
    assert_eq!(unsealed.extras(), newer);
    assert!(!unsealed.bearer().same_as(&old.bearer()));
    assert!(!old.is_current().await, "what the old PIN had opened is over");
    assert_eq!(
        desk.fake.get(|state| (state.refreshed, state.reused)),
        (2, 0),
        "for each seal"
    );
    let by_way_of_open = async {
        grants.unseal_remove(&pin(OTHER)).await.unwrap();
        grants.seal(&pin(PIN), extras()).await.unwrap();
    };
    assert!(
        was_ever_open(&desk, by_way_of_open).await,
        "the watch sees what it watches for"
    );
}

#[tokio::test]
async fn another_pin_needs_the_present_one_and_a_good_new_one() {
    let (desk, grants) = sealed().await;
    let told = grants
        .reseal(&pin(PIN), &pin("1234"), extras())
        .await
        .unwrap_err();
    assert!(matches!(told, ResealError::WeakPin(_)), "{told}");
    for tries in 1..=2 {
        let told = grants
            .reseal(&pin("not the right five words"), &pin(OTHER), extras())
            .await
            .unwrap_err();
        assert!(
            matches!(told, ResealError::Unseal(UnsealError::WrongPin { tries: told, .. }) if told == tries),
            "{told}"
        );
    }
    assert_eq!(desk.fake.get(|state| state.refreshed), 1, "nothing was spent");
    let report = grants.reseal(&pin(PIN), &pin(OTHER), extras()).await.unwrap();
    assert_eq!(report.wrong_tries_before, 2);
    assert_eq!(desk.grants().contents().await.unwrap().tries.wrong, 0);
}

#[tokio::test]
async fn where_another_pin_cannot_be_saved_the_old_one_holds() {
    let (desk, grants) = sealed().await;
    let (old, new) = (pin(PIN), pin(OTHER));
    let told = with_a_vault_that_breaks(&desk, grants.reseal(&old, &new, extras())).await;
    assert!(
        matches!(
            told,
            Err(ResealError::Unseal(UnsealError::Token(TokenError::Store(_))))
        ),
        "{told:?}"
    );
    let unsealed = grants.unseal(&pin(PIN)).await.unwrap();
    assert!(
        desk.fake
            .get(|state| state.access.contains(&token_of(&unsealed.bearer())))
    );
    unsealed.renew(&unsealed.bearer()).await.unwrap();
    assert_eq!(desk.fake.get(|state| state.reused), 0);
    assert!(matches!(
        desk.grants().unseal(&pin(OTHER)).await,
        Err(UnsealError::WrongPin { .. })
    ));
}

#[tokio::test]
async fn a_new_grant_goes_under_the_pin_without_ever_lying_open() {
    let desk = Desk::new().await;
    let mut grants = desk.grants();
    // Costly enough for many looks at the vault.
    Arc::get_mut(&mut grants.inner).unwrap().cost = Some(Cost {
        memory_kib: 16 * 1024,
        passes: 4,
    });
    let new = sign_in(&grants, GrantKind::Trade).await.unwrap();
    let token = token_of(new.bearer());
    let before = SealedExtras::new();
    let work = async {
        let unsealed = new.keep_sealed(&pin(PIN), before).await.unwrap();
        unsealed.set_extras(extras()).await.unwrap();
    };
    assert!(!was_ever_open(&desk, work).await);
    assert_eq!(
        grants.bearer(GrantKind::Trade).await.unwrap_err(),
        TokenError::Sealed
    );
    let unsealed = desk.grants().unseal(&pin(PIN)).await.unwrap();
    assert_eq!(
        (token_of(&unsealed.bearer()), unsealed.extras()),
        (token, extras())
    );
    assert_eq!(desk.fake.get(|state| state.refreshed), 0);
}

#[tokio::test]
async fn a_new_grant_that_cannot_be_sealed_is_given_back() {
    let (desk, grants) = sealed().await;
    for case in ["weak", "full", "read"] {
        let kind = if case == "read" {
            GrantKind::Read
        } else {
            GrantKind::Trade
        };
        let new = sign_in(&grants, kind).await.unwrap();
        let token = token_of(new.bearer());
        let full = (case == "full").then(|| desk.fill_disk());
        let under = if case == "weak" { "1234" } else { OTHER };
        let told = new.keep_sealed(&pin(under), extras()).await.unwrap_err();
        drop(full);
        assert!(
            match case {
                "weak" => matches!(told, SealError::WeakPin(_)),
                "full" => matches!(told, SealError::Token(TokenError::Store(_))),
                _ => told == SealError::NoGrant,
            },
            "{case}: {told}"
        );
        assert!(desk.fake.get(|state| state.revoked.contains(&token)), "{case}");
    }
    grants.unseal(&pin(PIN)).await.unwrap();
}

#[tokio::test]
async fn the_next_right_pin_tells_of_the_wrong_ones_before() {
    let (desk, grants) = sealed().await;
    for _ in 0..2 {
        grants.unseal(&pin("not the right five words")).await.unwrap_err();
    }
    let unsealed = desk.grants().unseal(&pin(PIN)).await.unwrap();
    assert_eq!(unsealed.wrong_tries_before(), 2);
    assert_eq!(grants.unseal(&pin(PIN)).await.unwrap().wrong_tries_before(), 0);
}
