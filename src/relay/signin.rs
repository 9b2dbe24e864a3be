//! Sign-in as the relay and the verbs need it: the grants are proved before they are kept.

use super::{Relay, lists::Lists, lock};
use crate::gate::catalogue;
use crate::oauth::{GrantKind, Grants, LoginError, LoginRequest, NewGrant};
use crate::system::{World, browser, process};
use crate::upstream::{Failure, TradeLane};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Starts a sign-in for reading in the background, or joins the one under way. Returns the address to open.
pub(super) async fn in_background(relay: &Arc<Relay>) -> Option<String> {
    if let Some(url) = lock(&relay.signing_in).clone() {
        return Some(url);
    }
    let request = LoginRequest { kind: GrantKind::Read, challenge: None, single_grant: false, host_name: process::host_name() };
    let pending = match relay.grants.begin_background_login(request).await {
        Ok(pending) => pending,
        Err(error) => {
            tracing::warn!(%error, "sign-in could not begin");
            return None;
        }
    };
    let url = pending.url.clone();
    *lock(&relay.signing_in) = Some(url.clone());
    if let Err(error) = browser::open(&url, &relay.world.env).await {
        tracing::info!(%error, "no browser could be opened");
    }
    let (task, tracker) = (Arc::clone(relay), relay.tasks.clone());
    tracker.spawn(async move {
        let outcome = match pending.wait(task.ending.clone()).await {
            Ok(grant) => keep_read(&task.world, &task.endpoint_lane(), grant).await,
            Err(error) => Err(error.to_string()),
        };
        *lock(&task.signing_in) = None;
        match outcome {
            Ok(()) => task.refresh().await,
            Err(error) => tracing::warn!(error, "sign-in did not succeed"),
        }
    });
    Some(url)
}

impl Relay {
    /// A lane that takes its token from the caller, to prove a new grant with.
    fn endpoint_lane(&self) -> TradeLane {
        let settings = self.settings.clone().unwrap_or_default();
        TradeLane::new(self.http.clone(), self.endpoint.clone(), settings.budget(&self.world.paths))
    }
}

/// Keeps a read grant if it provably cannot trade; revokes it otherwise.
///
/// # Errors
/// A plain sentence: why it was not kept.
pub async fn keep_read(world: &World, lane: &TradeLane, grant: NewGrant) -> Result<(), String> {
    let scope = grant.scope().map(str::to_owned);
    let fits = match scope.as_deref() {
        Some("mcp:read") => Ok(()),
        Some(other) => Err(format!("the service gave \"{other}\" where \"mcp:read\" was asked for")),
        None => match lane.list_tools(grant.bearer()).await {
            Ok(tools) if tools.iter().any(|tool| catalogue::is_known_trade_tool(&name_of(tool))) => {
                Err("the service named no scope, and this grant sees trading tools".to_owned())
            }
            Ok(_) => Ok(()),
            Err(failure) => Err(format!("the service named no scope, and its tools could not be listed: {failure}")),
        },
    };
    if let Err(why) = fits {
        let said = grant.revoke().await;
        return Err(format!("this grant was not kept: {why}. It was revoked ({said}). On the consent page choose read access"));
    }
    let listed = lane.list_tools(grant.bearer()).await;
    grant.keep().await.map_err(|error| error.to_string())?;
    let lists = Lists::load(&world.paths, lane.endpoint().url());
    if let Ok(tools) = listed {
        lists.absorb_read(&tools);
    }
    lane.close().await;
    Ok(())
}

/// Keeps a trade grant if it is of the same `CrossTrade` user as the read grant; revokes it otherwise.
/// Returns how many definitions were pinned.
///
/// # Errors
/// A plain sentence: why it was not kept.
pub async fn keep_trade(world: &World, grants: &Grants, lane: &TradeLane, grant: NewGrant, single: bool) -> Result<usize, String> {
    if let Some(scope) = grant.scope()
        && !scope.split(' ').any(|word| word == "mcp:trade")
    {
        let scope = scope.to_owned();
        let said = grant.revoke().await;
        return Err(format!("the service gave \"{scope}\" and no trading access; it was revoked ({said}). On the consent page choose trade access"));
    }
    if !single && let Err(why) = same_user(grants, lane, &grant).await {
        let said = grant.revoke().await;
        return Err(format!("{why}. The new grant was revoked ({said})"));
    }
    let tools = lane.list_tools(grant.bearer()).await.map_err(|failure| format!("its tools could not be listed: {failure}"));
    let tools = match tools {
        Ok(tools) => tools,
        Err(why) => {
            let said = grant.revoke().await;
            return Err(format!("{why}. The new grant was revoked ({said})"));
        }
    };
    grant.keep().await.map_err(|error| error.to_string())?;
    let lists = Lists::load(&world.paths, lane.endpoint().url());
    lists.absorb_trade(&tools);
    if single {
        lists.absorb_read(&tools);
    }
    lane.close().await;
    lists.pin_new().map_err(|error| format!("the definitions could not be pinned: {error}"))
}

/// Asks `ListAccounts` with both grants: another `CrossTrade` user in the browser would trade other accounts than
/// those that the person sees.
async fn same_user(grants: &Grants, lane: &TradeLane, grant: &NewGrant) -> Result<(), String> {
    let read = grants.bearer(GrantKind::Read).await.map_err(|error| format!("sign in for reading first: {error}"))?;
    let ask = async |bearer| -> Result<BTreeSet<String>, Failure> { Ok(account_names(&lane.list_accounts(bearer).await?)) };
    let trades = ask(grant.bearer()).await.map_err(|failure| format!("the accounts of the new grant could not be listed: {failure}"))?;
    let reads = match ask(&read).await {
        Ok(reads) => reads,
        Err(Failure::Unauthorized) => {
            return Err("the service withdrew the read grant when it gave the trade grant. Use `countersign login --single-grant`".to_owned());
        }
        Err(failure) => return Err(format!("the accounts of the read grant could not be listed: {failure}")),
    };
    if reads.is_empty() || trades != reads {
        return Err(format!(
            "the two sign-ins are of different CrossTrade users (reading sees {}, trading sees {}). Sign out of CrossTrade in the browser and sign in with the same user",
            shown(&reads),
            shown(&trades)
        ));
    }
    Ok(())
}

fn shown(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).take(8).collect();
    if names.is_empty() { "no account".to_owned() } else { names.join(", ") }
}

/// The account names in an answer of `ListAccounts`, wherever its shape keeps them.
fn account_names(result: &str) -> BTreeSet<String> {
    let result: Value = serde_json::from_str(result).unwrap_or_default();
    let inner = result.get("structuredContent").cloned().or_else(|| {
        let text = result.get("content")?.get(0)?.get("text")?.as_str()?;
        serde_json::from_str(text).ok()
    });
    let inner = inner.unwrap_or_default();
    let list = inner.get("accounts").or(Some(&inner)).and_then(Value::as_array).cloned().unwrap_or_default();
    let name = |item: &Value| item.as_str().or_else(|| item.get("name")?.as_str()).map(str::to_owned);
    list.iter().filter_map(name).collect()
}

fn name_of(definition: &str) -> String {
    let value: Value = serde_json::from_str(definition).unwrap_or_default();
    value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Signs in from a verb: opens the browser unless told not to, takes the pasted address where one comes.
///
/// # Errors
/// What kept it from succeeding.
pub async fn run(
    grants: &Grants,
    world: &World,
    request: LoginRequest,
    open_browser: bool,
    pasted: tokio::sync::mpsc::Receiver<String>,
    say: impl Fn(&str, bool),
    stop: CancellationToken,
) -> Result<NewGrant, LoginError> {
    let pending = grants.begin_login(request).await?;
    let opened = open_browser && browser::open(&pending.url, &world.env).await.is_ok();
    say(&pending.url, opened);
    pending.wait_or_paste(stop, pasted).await
}
