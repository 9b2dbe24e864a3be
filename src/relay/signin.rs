//! Sign-in as the relay and the verbs need it: the grants are proved before they are kept.

use super::{
    Relay,
    lists::{Lists, PinReport},
    words,
};
use crate::clients::Commands;
use crate::gate::catalogue;
use crate::oauth::{
    GrantKind, Grants, LoginError, LoginRequest, NewGrant, PendingLogin, SealedExtras, TokenError,
};
use crate::system::{World, browser, machine};
use crate::upstream::{Failure, TradeLane};
use secrecy::SecretString;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long another process's sign-in is waited for: a little longer than one may last.
const OTHERS_LIMIT: Duration = Duration::from_secs(620);

/// The background sign-in of this process.
#[derive(Debug, Default)]
pub(super) enum Background {
    /// None was needed so far, or the last one went well.
    #[default]
    Idle,
    /// The person is asked in the browser.
    Asking(Asked),
    /// The last one did not end in a grant. None is begun again by itself: a model that repeats its call must not
    /// open window after window in front of the person.
    Ended(String),
}

/// How the person was asked to sign in.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// By this process, at this address.
    Here {
        /// The address.
        url: String,
        /// Whether a browser was opened on it.
        opened: bool,
    },
    /// By another process of this installation.
    Elsewhere,
}

/// Sees to it that the person is asked to sign in for reading, once, and returns what to tell the client.
pub(super) async fn in_background(relay: &Arc<Relay>) -> String {
    // Held while a sign-in begins: of two calls at once, one begins it and the other tells the same address.
    let mut state = relay.signing_in.lock().await;
    match &*state {
        Background::Asking(asked) => return words::sign_in(asked),
        Background::Ended(why) if still_none(relay).await => {
            return words::sign_in_ended(why, Commands::of(&relay.world));
        }
        Background::Ended(_) | Background::Idle => {}
    }
    let request = LoginRequest {
        kind: GrantKind::Read,
        challenge: None,
        single_grant: false,
        host_name: machine::host_name(),
    };
    let asked = match relay.grants.begin_background_login(request).await {
        Ok(pending) => begun(relay, pending).await,
        Err(LoginError::Elsewhere) => follow(relay),
        Err(LoginError::AlreadySignedIn) => {
            *state = Background::Idle;
            let relay = Arc::clone(relay);
            relay.tasks.clone().spawn(async move { relay.refresh().await });
            return words::signed_in();
        }
        Err(error) => {
            tracing::warn!(%error, "sign-in could not begin");
            let commands = Commands::of(&relay.world);
            if matches!(error, LoginError::Withdrawn) {
                return words::read_failed("withdrawn", &words::withdrawn("by CrossTrade", commands));
            }
            return words::sign_in_ended(&without_next(&error), commands);
        }
    };
    *state = Background::Asking(asked.clone());
    words::sign_in(&asked)
}

/// Without a verb as its next step: which step is right hangs on what this person has.
fn without_next(error: &LoginError) -> String {
    match error {
        LoginError::Denied | LoginError::TimedOut(_) | LoginError::Again | LoginError::Withdrawn => {
            error.of_any_server()
        }
        other => other.to_string(),
    }
}

/// Why the last sign-in of this process came to nothing, if it did.
pub(super) fn why_it_ended(relay: &Relay) -> Option<String> {
    // Not waited for: while it is held, one begins.
    match &*relay.signing_in.try_lock().ok()? {
        Background::Ended(why) => Some(why.clone()),
        Background::Idle | Background::Asking(_) => None,
    }
}

/// Whether there is still no grant: the person may have signed in with the verb.
async fn still_none(relay: &Relay) -> bool {
    relay.grants.bearer(GrantKind::Read).await.is_err()
}

/// Opens the browser, once, and waits for it in the background.
async fn begun(relay: &Arc<Relay>, pending: PendingLogin) -> Asked {
    let url = pending.url.clone();
    let opened = browser::open(&url, &relay.world.env).await;
    if let Err(error) = &opened {
        tracing::info!(%error, "no browser could be opened");
    }
    let task = Arc::clone(relay);
    relay.tasks.spawn(async move {
        let outcome = match pending.wait(task.ending.clone()).await {
            Ok(grant) => keep_read(&task.world, &task.endpoint_lane(), grant).await,
            Err(error) => Err(without_next(&error)),
        };
        task.signed_in(outcome).await;
    });
    Asked::Here {
        url,
        opened: opened.is_ok(),
    }
}

/// Another process is asking: its sign-in is ours as well.
fn follow(relay: &Arc<Relay>) -> Asked {
    let task = Arc::clone(relay);
    relay.tasks.spawn(async move {
        let outcome = tokio::select! {
            () = task.ending.cancelled() => return,
            outcome = task.grants.after_other_login(GrantKind::Read, OTHERS_LIMIT) => outcome,
        };
        let why = |error| match error {
            TokenError::NotSignedIn => {
                "the sign-in in the browser window of another Countersign did not succeed".to_owned()
            }
            error => error.to_string(),
        };
        task.signed_in(outcome.map(|_| ()).map_err(why)).await;
    });
    Asked::Elsewhere
}

impl Relay {
    /// A background sign-in is over.
    async fn signed_in(self: &Arc<Self>, outcome: Result<(), String>) {
        let state = match &outcome {
            Ok(()) => Background::Idle,
            Err(why) => {
                tracing::warn!(why, "sign-in did not succeed");
                Background::Ended(why.clone())
            }
        };
        *self.signing_in.lock().await = state;
        if outcome.is_ok() {
            self.refresh().await;
        }
    }

    /// A lane that takes its token from the caller, to prove a new grant with.
    fn endpoint_lane(&self) -> TradeLane {
        let settings = self.settings().unwrap_or_default();
        TradeLane::new(
            self.http.clone(),
            self.endpoint.clone(),
            settings.budget(&self.world.paths),
            self.eras.clone(),
        )
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
        Some(other) => Err(format!(
            "the service gave \"{other}\" where \"mcp:read\" was asked for"
        )),
        None => match lane.list_tools(grant.bearer()).await {
            Ok(tools)
                if tools
                    .iter()
                    .any(|tool| catalogue::is_known_trade_tool(&name_of(tool))) =>
            {
                Err("the service named no scope, and this grant sees trading tools".to_owned())
            }
            Ok(_) => Ok(()),
            Err(failure) => Err(format!(
                "the service named no scope, and its tools could not be listed: {failure}"
            )),
        },
    };
    if let Err(why) = fits {
        let said = grant.revoke().await;
        return Err(format!(
            "this sign-in was not kept: {why}; {said}. Sign in again and choose read access on the consent page"
        ));
    }
    let listed = lane.list_tools(grant.bearer()).await;
    grant.keep().await.map_err(|error| error.to_string())?;
    let lists = Lists::load(&world.paths, lane.endpoint().url());
    if let Ok(tools) = listed {
        lists.absorb_read(&tools);
        lists.absorb_left_out(&lane.left_out(), &tools);
    }
    lane.close().await;
    Ok(())
}

/// The PIN that a trade grant is to be kept under.
#[derive(Clone, Copy)]
pub struct Under<'a> {
    /// The PIN.
    pub pin: &'a SecretString,
    /// What is authenticated together with the tokens, as it is when this is called.
    pub extras: &'a (dyn Fn() -> SealedExtras + Sync),
}

impl std::fmt::Debug for Under<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Under(…)")
    }
}

/// Keeps a trade grant if it is of the same `CrossTrade` user as the read grant; revokes it otherwise.
/// Returns what pinning did.
///
/// # Errors
/// A plain sentence: why it was not kept.
pub async fn keep_trade(
    world: &World,
    grants: &Grants,
    lane: &TradeLane,
    grant: NewGrant,
    single: bool,
    under: Option<Under<'_>>,
) -> Result<PinReport, String> {
    if let Some(scope) = grant.scope()
        && !scope.split(' ').any(|word| word == "mcp:trade")
    {
        let scope = scope.to_owned();
        let said = grant.revoke().await;
        return Err(format!(
            "the service gave \"{scope}\" and no trading access; {said}. Sign in again and choose trade access on the consent page"
        ));
    }
    if !single && let Err(why) = same_user(grants, lane, &grant).await {
        let said = grant.revoke().await;
        return Err(format!("{why}. The new sign-in was not kept: {said}"));
    }
    let tools = lane
        .list_tools(grant.bearer())
        .await
        .map_err(|failure| format!("its tools could not be listed: {failure}"));
    let tools = match tools {
        Ok(tools) => tools,
        Err(why) => {
            let said = grant.revoke().await;
            return Err(format!("{why}. The new sign-in was not kept: {said}"));
        }
    };
    let sealed = if let Some(under) = under {
        Some((
            grant
                .keep_sealed(under.pin, (under.extras)())
                .await
                .map_err(|error| error.to_string())?,
            under,
        ))
    } else {
        grant.keep().await.map_err(|error| error.to_string())?;
        None
    };
    let lists = Lists::load(&world.paths, lane.endpoint().url());
    lists.absorb_trade(&tools);
    lists.absorb_left_out(&lane.left_out(), &tools);
    if single {
        lists.absorb_read(&tools);
    }
    lane.close().await;
    let report = lists
        .pin_listed()
        .map_err(|error| format!("the definitions could not be pinned: {error}"))?;
    if let Some((unsealed, under)) = sealed {
        // Not before: pins that were put in force for a grant that was not kept would be told to nobody.
        let noted = unsealed.set_extras((under.extras)()).await;
        noted.map_err(|error| format!("the trade sign-in is kept, but the pinned definitions could not be put under your PIN with it: {error}"))?;
    }
    Ok(report)
}

/// Asks `ListAccounts` with both grants: another `CrossTrade` user in the browser would trade other accounts than
/// those that the person sees.
async fn same_user(grants: &Grants, lane: &TradeLane, grant: &NewGrant) -> Result<(), String> {
    let read = grants
        .bearer(GrantKind::Read)
        .await
        .map_err(|error| format!("sign in for reading first: {error}"))?;
    let ask = async |bearer| -> Result<BTreeSet<String>, Failure> {
        Ok(account_names(&lane.list_accounts(bearer).await?))
    };
    let trades = ask(grant.bearer())
        .await
        .map_err(|failure| format!("the accounts of the new grant could not be listed: {failure}"))?;
    let reads = match ask(&read).await {
        Ok(reads) => reads,
        Err(Failure::Unauthorized) => {
            return Err("CrossTrade withdrew the sign-in for reading when it gave the one for trading: it allows one at a time for this account. Run `countersign login --single-grant`, which uses one for both".to_owned());
        }
        Err(failure) => {
            return Err(format!(
                "the accounts of the read grant could not be listed: {failure}"
            ));
        }
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
    if names.is_empty() {
        "no account".to_owned()
    } else {
        names.join(", ")
    }
}

/// The account names in an answer of `ListAccounts`, wherever its shape keeps them.
fn account_names(result: &str) -> BTreeSet<String> {
    let result: Value = serde_json::from_str(result).unwrap_or_default();
    let inner = result.get("structuredContent").cloned().or_else(|| {
        let text = result.get("content")?.get(0)?.get("text")?.as_str()?;
        serde_json::from_str(text).ok()
    });
    let inner = inner.unwrap_or_default();
    let list = inner
        .get("accounts")
        .or(Some(&inner))
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let name = |item: &Value| {
        item.as_str()
            .or_else(|| item.get("name")?.as_str())
            .map(str::to_owned)
    };
    list.iter().filter_map(name).collect()
}

fn name_of(definition: &str) -> String {
    let value: Value = serde_json::from_str(definition).unwrap_or_default();
    value
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// What a verb's sign-in tells the person.
#[derive(Debug)]
pub enum Said<'a> {
    /// The address to open, and whether a browser was opened on it (why not).
    Open(&'a str, Result<(), String>),
    /// What was pasted is not what is waited for; it waits on.
    BadPaste(&'a LoginError),
    /// All ports for the way back are taken: only a pasted address ends this sign-in.
    PasteOnly,
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
    mut typed: mpsc::Receiver<String>,
    say: impl Fn(Said<'_>),
    stop: CancellationToken,
) -> Result<NewGrant, LoginError> {
    let pending = grants.begin_login(request).await?;
    let opened = if open_browser {
        browser::open(&pending.url, &world.env).await
    } else {
        Err(String::new())
    };
    say(Said::Open(&pending.url, opened));
    if !pending.is_awaited() {
        say(Said::PasteOnly);
    }
    let check = pending.paste_check();
    let (send, pasted) = mpsc::channel(1);
    let pass_on = async {
        while let Some(line) = typed.recv().await {
            match check.check(&line) {
                Ok(()) if send.send(line).await.is_ok() => {}
                Ok(()) => break,
                Err(error) => say(Said::BadPaste(&error)),
            }
        }
        std::future::pending::<NewGrant>().await
    };
    tokio::select! {
        grant = pending.wait_or_paste(stop, pasted) => grant,
        never = pass_on => Ok(never),
    }
}
