//! The sign-ins and where they lie.

use super::{Check, Context, Seen, fail, ok, skipped, warn};
use crate::oauth::{GrantInfo, GrantKind, StoreKind, TokenError, keychain_round_trip, store_choice};
use std::time::Duration;

/// How long the keychain may take for the whole round: written, read back, taken away.
const KEYCHAIN: Duration = Duration::from_secs(6);

pub(super) async fn checks(context: &Context) -> Vec<Check> {
    let grants = match context.grants().overview().await {
        Ok(grants) => Ok(grants),
        Err(TokenError::NotSignedIn) => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    };
    let keychain = keychain(context, grants.as_deref().ok()).await;
    let mut checks = vec![
        Check::new("keychain", keychain),
        Check::new("vault", vault(&grants)),
    ];
    match &grants {
        Ok(grants) => {
            let trade = grants.iter().find(|grant| grant.kind == GrantKind::Trade);
            let read = grants
                .iter()
                .find(|grant| grant.kind == GrantKind::Read)
                .or(trade.filter(|grant| grant.single));
            checks.push(Check::new("reading", reading(read)));
            checks.push(Check::new("trading", trading(trade)));
        }
        Err(_) => {
            for id in ["reading", "trading"] {
                checks.push(Check::new(id, skipped("the vault cannot be read")));
            }
        }
    }
    checks
}

/// A keychain that takes a secret, gives it back, and lets it go.
async fn keychain(context: &Context, grants: Option<&[GrantInfo]>) -> Seen {
    let in_use = grants.and_then(|grants| grants.first()).map(|grant| grant.store);
    let chosen = match store_choice(&context.world) {
        Ok(chosen) => chosen,
        Err(why) => return fail(why, "correct COUNTERSIGN_STORE, or take it away"),
    };
    if in_use.or(chosen) == Some(StoreKind::File) {
        return skipped("not used: you chose the file store");
    }
    let came = tokio::task::spawn_blocking(|| keychain_round_trip(KEYCHAIN)).await;
    match came.unwrap_or_else(|_| Err("it failed in an unforeseen way".to_owned())) {
        Ok(ms) => ok(format!("it keeps a secret and gives it back ({ms} ms)")),
        Err(why) => fail(
            why,
            "start or unlock your keychain; where there is none: COUNTERSIGN_STORE=file countersign setup",
        ),
    }
}

fn vault(grants: &Result<Vec<GrantInfo>, String>) -> Seen {
    match grants.as_ref().map(|grants| grants.first()) {
        Ok(None) => ok("empty"),
        Ok(Some(grant)) if grant.store == StoreKind::File => warn(
            format!("its key lies {}", super::super::status::store(grant)),
            "where there is a keychain: countersign logout, take COUNTERSIGN_STORE away, countersign login",
        ),
        Ok(Some(grant)) => ok(format!("its key lies {}", super::super::status::store(grant))),
        Err(why) => fail(why.clone(), remedy(why)),
    }
}

/// What helps against what the vault says. Its sentences name what is wrong, and this the way out.
fn remedy(why: &str) -> &'static str {
    if why.contains("another machine") {
        "sign in here anew: countersign logout, then countersign login"
    } else if why.contains("chmod 600") {
        "others could have read it: chmod 600 on that file, countersign logout, then countersign login"
    } else if why.contains("COUNTERSIGN_STORE") && !why.contains("keychain cannot be used") {
        "give COUNTERSIGN_STORE the value that you signed in with, here and in your AI client's settings"
    } else if why.contains("countersign logout") {
        "countersign logout sets it aside; then countersign login"
    } else {
        "start your keychain, or choose the file store: COUNTERSIGN_STORE=file"
    }
}

fn ended(why: &str, todo: &str) -> Seen {
    fail(format!("CrossTrade has ended it: {why}"), todo)
}

fn reading(read: Option<&GrantInfo>) -> Seen {
    match read {
        Some(GrantInfo {
            withdrawn: Some(why), ..
        }) => ended(why, "run `countersign login`"),
        Some(GrantInfo { single: true, .. }) => warn(
            "one sign-in serves reading and trading: a misjudged call would not be refused by CrossTrade",
            "where CrossTrade allows both: countersign logout, countersign login, countersign login --trade",
        ),
        Some(_) => ok("signed in; this sign-in cannot trade"),
        None => fail(
            "not signed in",
            "run `countersign setup` (or `countersign login`, for the sign-in alone)",
        ),
    }
}

fn trading(trade: Option<&GrantInfo>) -> Seen {
    match trade {
        Some(GrantInfo {
            withdrawn: Some(why), ..
        }) => ended(why, "run `countersign login --trade`"),
        Some(grant) if grant.sealed => ok("signed in, sealed under your PIN"),
        Some(_) => ok("signed in"),
        None => skipped("not enabled; `countersign login --trade` enables it"),
    }
}
