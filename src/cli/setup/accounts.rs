//! What the service says of the person's accounts.
//!
//! Owns: one bounded read of them, and whether any holds more than play money. Refuses to know: tokens, policy.

use crate::cli::Context;
use crate::gate::facts::{Facts, ReadFailure, StateRead};
use crate::oauth::GrantKind;
use crate::relay::settings::Settings;
use crate::upstream::{Eras, Failure, GrantKeys, ReadLane};
use std::time::Duration;

/// How long the service may take to answer one read.
const BOUND: Duration = Duration::from_secs(15);
/// The most accounts that are asked about one by one.
const MOST: usize = 12;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) name: String,
    /// `Simulator`, or a broker; `None` where the service does not say.
    pub(super) provider: Option<String>,
    pub(super) sim: bool,
}

/// A lane for reads of our own.
pub(super) fn lane(context: &Context) -> ReadLane {
    let settings = Settings::load(&context.world.paths).unwrap_or_default();
    let budget = settings.budget(&context.world.paths);
    let (http, endpoint) = (context.http.clone(), context.endpoint.clone());
    ReadLane::new(
        http,
        endpoint,
        Box::new(GrantKeys {
            grants: context.grants(),
            kind: GrantKind::Read,
        }),
        budget,
        Some(Eras::of(&context.world.paths, context.endpoint.url())),
        Box::new(|_, _| {}),
    )
}

/// One read of the account state: what it says is absorbed.
pub(super) async fn ask(lane: &ReadLane, facts: &mut Facts, read: &StateRead) -> Result<(), Failure> {
    let params = format!(r#"{{"name":"{}","arguments":{}}}"#, read.tool, read.arguments);
    let answer = tokio::time::timeout(BOUND, lane.own("tools/call", &params)).await;
    let now = crate::system::wall_ms();
    match answer {
        Ok(Ok(result)) => {
            facts.absorb(read, Ok(&result), now);
            Ok(())
        }
        Ok(Err(failure)) => Err(failure),
        Err(_) => {
            facts.absorb(read, Err(ReadFailure::TimedOut), now);
            Ok(())
        }
    }
}

/// The accounts, in the service's order.
///
/// # Errors
/// A sentence: why they cannot be read.
pub(super) async fn list(context: &Context) -> Result<Vec<Known>, String> {
    let lane = lane(context);
    let listed = read(&lane).await;
    lane.close().await;
    listed
}

async fn read(lane: &ReadLane) -> Result<Vec<Known>, String> {
    let mut facts = Facts::default();
    let all = StateRead::new("ListAccounts", None);
    ask(lane, &mut facts, &all)
        .await
        .map_err(|failure| failure.to_string())?;
    let Some(accounts) = facts.accounts.known() else {
        return Err(if facts.not_connected() {
            "NinjaTrader or its CrossTrade add-on is not connected".to_owned()
        } else {
            "the list of accounts could not be read".to_owned()
        });
    };
    let mut known = Vec::new();
    for account in accounts {
        let mut account = account.clone();
        if account.provider.is_none() && known.len() < MOST {
            let mut one = Facts::default();
            let read = StateRead::new("GetAccount", Some(("account", &account.name)));
            if ask(lane, &mut one, &read).await.is_ok()
                && let Some(found) = one.account(&account.name.to_ascii_lowercase())
            {
                account.provider.clone_from(&found.provider);
            }
        }
        known.push(Known {
            sim: account.is_simulator() == Some(true),
            name: account.name,
            provider: account.provider,
        });
    }
    Ok(known)
}
