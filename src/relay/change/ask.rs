//! Asking about a change, and putting it in force: one card over all processes, with the tier's own factor.
//!
//! Owns: when it is asked, what a decision does, in which order it is written. Refuses to know: what changed.

use super::super::ask::Prompt;
use super::super::hold::is_watched;
use super::super::policy_file::Approved;
use super::super::verbs::Factor;
use super::super::{Relay, under_seal};
use super::question::{self, Question, Standing};
use super::{Change, Kind, New, found};
use crate::approve::{Answer, Notice};
use crate::gate::Tier;
use crate::journal::hash;
use crate::oauth::Unsealed;
use crate::system::FileLock;
use crate::system::clock::{local_time, mono_ms, wall_ms};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the card stands once it is shown: there is more to read than on an order.
const OPEN: Duration = Duration::from_secs(180);
/// How often it is looked whether something else has settled it.
const LOOK: Duration = Duration::from_millis(200);

/// How long a process that is done asking may take to leave.
const AFTER_MS: u64 = 2000;

/// What came of a trade call's wish to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raised {
    /// The card is on its way to the screen.
    Asked,
    /// It is there already.
    Waiting,
    /// It came to nothing a moment ago; asked again from this time of the day on.
    Paused(Standing, String),
    /// Nobody can be asked here, and why.
    Nobody(String),
    /// Nothing waits any more.
    Settled,
}

/// Why a change is not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotApplied {
    /// The person said no.
    Denied,
    /// Nobody answered in time, or it was settled elsewhere.
    Unanswered,
    /// It could not be asked, or not be put in force.
    Failed(String),
}

/// Where a verb asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    /// On the desktop.
    Desk,
    /// In this terminal.
    Terminal,
}

impl Relay {
    /// Whether a trade grant of this installation lies under a PIN. Not to know is "yes": then more is compared.
    pub(crate) async fn is_sealed_anywhere(&self) -> bool {
        !matches!(self.grants.sealed_at().await, Ok(None))
    }

    fn found(&self, kind: Kind, sealed: bool) -> Result<Option<Change>, String> {
        found(kind, &self.world.paths, &self.lists, sealed)
    }

    fn question(&self, kind: Kind) -> Option<Question> {
        Question::load(kind, &self.world.paths, &self.lists)
    }
}

/// Asks the person, unless that is being done, or came to nothing a moment ago. Returns at once.
///
/// # Errors
/// The policy cannot be used, or what is asked cannot be written down.
pub(crate) async fn raise(relay: &Arc<Relay>, kind: Kind) -> Result<Raised, String> {
    let sealed = relay.is_sealed_anywhere().await;
    let Some(change) = relay.found(kind, sealed)? else {
        return Ok(Raised::Settled);
    };
    let Some(owner) = to_be_owner(relay, &change).await? else {
        return Ok(Raised::Waiting);
    };
    let before = relay.question(kind);
    if let Some(before) = before.as_ref().filter(|before| !before.may_ask(&change.what)) {
        // An open one without an owner is of a process that died.
        if before.standing != Standing::Open {
            return Ok(Raised::Paused(before.standing, local_time(before.until)));
        }
    }
    let factor = relay.factor().await?;
    if let Err(why) = relay.desk.channel(factor.tier, true).await
        && !is_watched(relay)
    {
        return Ok(Raised::Nobody(why));
    }
    let vain = before
        .filter(|before| before.what == change.what)
        .map_or(0, |before| before.vain);
    open(relay, &change, vain).map_err(|error| format!("it cannot be written down: {error}"))?;
    let (relay, tracker) = (Arc::clone(relay), relay.tasks.clone());
    tracker.spawn(async move { Box::pin(live(&relay, change, owner, sealed, factor)).await });
    Ok(Raised::Asked)
}

/// The right to ask; `None` where another one asks about this. Who asked about something else is on the way out.
async fn to_be_owner(relay: &Relay, change: &Change) -> Result<Option<FileLock>, String> {
    let until = mono_ms().saturating_add(AFTER_MS);
    loop {
        let owner = question::owner(change.kind, &relay.world.paths, &relay.lists);
        if let Some(owner) = owner.map_err(|error| error.to_string())? {
            return Ok(Some(owner));
        }
        let asked = relay
            .question(change.kind)
            .is_some_and(|question| question.standing == Standing::Open && question.what == change.what);
        if asked || mono_ms() >= until {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Writes down that it is asked: first the journal.
fn open(relay: &Relay, change: &Change, vain: u32) -> std::io::Result<()> {
    let fields = [
        ("what", change.what.as_str()),
        ("digest", change.digest()),
        ("headline", change.headline.as_str()),
    ];
    append(relay, change.kind, "changed", &fields)?;
    let question = Question {
        what: change.what.clone(),
        standing: Standing::Open,
        asked: wall_ms(),
        until: 0,
        vain,
    };
    question.save(change.kind, &relay.world.paths, &relay.lists)
}

fn append(relay: &Relay, kind: Kind, what: &str, fields: &[(&str, &str)]) -> std::io::Result<()> {
    let fields: Map<String, Value> = fields
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).into()))
        .collect();
    relay.journal.append(&format!("{}_{what}", kind.word()), fields)
}

/// The card on the desktop, to its end. The owner's lock is held all the while.
async fn live(relay: &Arc<Relay>, change: Change, owner: FileLock, sealed: bool, factor: Factor) {
    let answer = put(relay, &change, Prompt::Desk, sealed, &factor).await;
    let nobody = matches!(answer, Answer::Nobody(_));
    let came = if nobody && is_watched(relay) {
        // Nothing can be shown here, but a person watches in a terminal.
        let stop = relay.ending.child_token();
        let waited = tokio::time::timeout(OPEN, settled(relay, &change, sealed, stop)).await;
        let answer = if waited.is_ok() {
            Answer::Stopped
        } else {
            Answer::Expired
        };
        settle(relay, &change, answer, &factor).await
    } else {
        settle(relay, &change, answer, &factor).await
    };
    drop(owner);
    if let Err(NotApplied::Failed(why)) = came {
        let notice = Notice {
            title: format!("NOT CHANGED: {}", change.headline),
            lines: vec![crate::approve::text::ascii(&why)],
            lasting: true,
        };
        relay.desk.notice(notice).await;
    }
}

/// Shows the card until it is answered, or something else settles it.
async fn put(relay: &Arc<Relay>, change: &Change, prompt: Prompt, sealed: bool, factor: &Factor) -> Answer {
    let stop = relay.ending.child_token();
    let phrase = relay.settings().ok().and_then(|settings| settings.phrase);
    let mut asking = std::pin::pin!(relay.ask_by(change.card(phrase), prompt, OPEN, factor, stop.clone()));
    tokio::select! {
        biased;
        answer = &mut asking => answer,
        () = settled(relay, change, sealed, stop.clone()) => {
            stop.cancel();
            asking.await
        }
    }
}

/// Returns when another process, a verb or another change has settled it.
async fn settled(relay: &Relay, change: &Change, sealed: bool, stop: CancellationToken) {
    let first = relay.question(change.kind);
    let same = |question: &Question| question.what == change.what && question.standing == Standing::Open;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = relay.question(change.kind);
        if now != first && !now.as_ref().is_some_and(same) {
            return;
        }
        let there = relay.found(change.kind, sealed);
        if !matches!(there, Ok(Some(there)) if there.what == change.what) {
            return;
        }
    }
}

/// What an answer does.
async fn settle(
    relay: &Arc<Relay>,
    change: &Change,
    answer: Answer,
    factor: &Factor,
) -> Result<(), NotApplied> {
    match answer {
        Answer::Approved { via } => {
            let done = approve(relay, change, via, factor).await;
            if done.is_err() {
                end(relay, change, Standing::Dropped, "").await;
            }
            done.map_err(NotApplied::Failed)
        }
        Answer::Denied { via } => {
            end(
                relay,
                change,
                Standing::Denied,
                &format!("the person denied it ({via})"),
            )
            .await;
            Err(NotApplied::Denied)
        }
        Answer::Halted { via } => {
            let halted = relay.halt(via);
            end(relay, change, Standing::Denied, "the person stopped AI trading").await;
            halted.map_err(NotApplied::Failed)?;
            Err(NotApplied::Denied)
        }
        Answer::Tampered(what) => {
            end(relay, change, Standing::Denied, &what).await;
            Err(NotApplied::Failed(format!(
                "another program interfered with the question: {what}"
            )))
        }
        Answer::Expired => {
            end(relay, change, Standing::Unanswered, "nobody decided in time").await;
            Err(NotApplied::Unanswered)
        }
        Answer::Nobody(why) => {
            end(relay, change, Standing::Dropped, "").await;
            Err(NotApplied::Failed(why))
        }
        Answer::Stopped => {
            end(relay, change, Standing::Dropped, "").await;
            Err(NotApplied::Unanswered)
        }
    }
}

async fn end(relay: &Relay, change: &Change, standing: Standing, why: &str) {
    let (paths, lists) = (&relay.world.paths, &relay.lists);
    if let Err(error) = question::end(change.kind, paths, lists, &change.what, standing, why).await {
        tracing::warn!(%error, "the end of a question could not be written down");
    }
}

/// Puts an approved change in force. In a sealed tier its digest goes under the seal by the very PIN that approved it,
/// and before that what is on record must be what was sealed: else the card compared with something that nobody
/// approved.
async fn approve(
    relay: &Arc<Relay>,
    change: &Change,
    via: &'static str,
    factor: &Factor,
) -> Result<(), String> {
    let (paths, lists) = (&relay.world.paths, &relay.lists);
    let _turn = question::turn(change.kind, paths, lists)
        .await
        .map_err(|error| error.to_string())?;
    let sealed = relay.is_sealed_anywhere().await;
    let now = relay.found(change.kind, sealed)?;
    if now.is_none_or(|now| now.what != change.what) {
        return Err(
            "it changed once more while you read: nothing was approved; ask again to see it as it is now"
                .to_owned(),
        );
    }
    let unsealed = factor.take();
    if unsealed.is_none() && (factor.tier > Tier::Click || sealed) {
        return Err("it was approved without the PIN that it takes".to_owned());
    }
    if let Some(unsealed) = unsealed.as_deref().filter(|_| !change.whole) {
        as_recorded(relay, change, unsealed, factor.own)?;
    }
    let tier = format!("{:?}", factor.tier).to_lowercase();
    let fields = [
        ("digest", change.digest()),
        ("what", &change.what),
        ("via", via),
        ("tier", &tier),
    ];
    append(relay, change.kind, "approved", &fields)
        .map_err(|error| format!("the journal cannot be written: {error}"))?;
    match &change.new {
        New::Policy { text, settings, .. } => {
            if let Some(unsealed) = &unsealed {
                let digests = [
                    (under_seal::POLICY, hash(text.as_deref().unwrap_or_default())),
                    (under_seal::SETTINGS, hash(settings)),
                ];
                put_under(unsealed, &digests).await?;
            }
            let approved = Approved::of_texts(text.clone(), settings.clone(), via);
            approved.save(paths).map_err(|error| error.to_string())?;
        }
        New::Tools { wanted, pins } => {
            // Sealed first: what a crash in between leaves is finished by the next call, for the seal knows it.
            let own = unsealed.as_ref().filter(|_| factor.own);
            let before = own.and_then(|unsealed| unsealed.extras().get(under_seal::PINS).cloned());
            if let Some(unsealed) = own {
                put_under(unsealed, &[(under_seal::PINS, pins.1.clone())]).await?;
            }
            let why = match lists.pin_these(wanted) {
                Ok(true) => None,
                Ok(false) => Some("the service changed them once more: nothing was put on record".to_owned()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(why) = why {
                if let (Some(unsealed), Some(before)) = (own, before) {
                    put_under(unsealed, &[(under_seal::PINS, before)]).await?;
                }
                return Err(why);
            }
            relay.list_changed();
        }
    }
    question::forget(change.kind, paths, lists);
    Ok(())
}

async fn put_under(unsealed: &Arc<Unsealed>, digests: &[(&str, String)]) -> Result<(), String> {
    let put = unsealed.change_extras(|extras| {
        extras.extend(
            digests
                .iter()
                .map(|(key, digest)| ((*key).to_owned(), digest.clone())),
        );
    });
    put.await
        .map_err(|error| format!("it could not be put under your PIN: {error}"))
}

/// Whether the record that the card compared with is the sealed one. What the record says by now does not count: the
/// person saw what it was then.
fn as_recorded(relay: &Relay, change: &Change, unsealed: &Unsealed, own: bool) -> Result<(), String> {
    let extras = unsealed.extras();
    let differs = |key: &str, now: &str| extras.get(key).is_some_and(|sealed| sealed != now);
    match &change.new {
        New::Policy { record, .. } => {
            // What the seal already says needs no comparison: the record was deleted, or is from before there was one.
            let known = !differs(under_seal::POLICY, change.digest());
            let settings = record.settings.as_deref();
            let other_settings = settings.is_some_and(|settings| differs(under_seal::SETTINGS, settings));
            if !known && differs(under_seal::POLICY, &record.policy) {
                Approved::doubt(&relay.world.paths);
                return Err("the approved policy record was edited by another program, so the changed lines that you saw may not have been all: nothing was approved. `countersign policy apply` shows the whole policy".to_owned());
            }
            if other_settings {
                Approved::doubt_settings(&relay.world.paths, extras.get(under_seal::SETTINGS));
                return Err("the settings on record were edited by another program, so the changed lines that you saw may not have been all: nothing was approved. `countersign policy apply` shows the settings whole".to_owned());
            }
        }
        // Those that the seal knows already were approved, and only not put on record.
        New::Tools { pins, .. }
            if own && differs(under_seal::PINS, &pins.0) && differs(under_seal::PINS, &pins.1) =>
        {
            return Err("the record of tool descriptions was edited by another program: nothing was approved. `countersign login --trade` puts the right ones on record, and after it you are shown your policy once".to_owned());
        }
        New::Tools { .. } => {}
    }
    Ok(())
}

/// Asks about all that waits, one after the other (`policy apply`): what is in force by it now.
///
/// # Errors
/// Why one is not; those before it are.
pub(crate) async fn apply(relay: &Arc<Relay>, place: Where) -> Result<Vec<Kind>, NotApplied> {
    let failed = |why: String| NotApplied::Failed(why);
    let sealed = relay.is_sealed_anywhere().await;
    let mut done = Vec::new();
    for kind in Kind::ALL {
        let Some(change) = relay.found(kind, sealed).map_err(failed)? else {
            continue;
        };
        let factor = relay.factor().await.map_err(failed)?;
        decide(relay, &change, place, sealed, &factor).await?;
        done.push(kind);
    }
    Ok(done)
}

async fn decide(
    relay: &Arc<Relay>,
    change: &Change,
    place: Where,
    sealed: bool,
    factor: &Factor,
) -> Result<(), NotApplied> {
    let (paths, lists) = (&relay.world.paths, &relay.lists);
    let owner =
        question::owner(change.kind, paths, lists).map_err(|error| NotApplied::Failed(error.to_string()))?;
    let prompt = match place {
        Where::Terminal => Prompt::Terminal,
        Where::Desk if owner.is_none() => {
            let why = "the card is on the screen already, put there by another process: decide on it there";
            return Err(NotApplied::Failed(why.to_owned()));
        }
        Where::Desk => Prompt::Desk,
    };
    // Where a card is up on the desktop, its question is the one that is decided here.
    if owner.is_some() {
        open(relay, change, 0).map_err(|error| NotApplied::Failed(error.to_string()))?;
    }
    let answer = put(relay, change, prompt, sealed, factor).await;
    let undecided = matches!(answer, Answer::Stopped | Answer::Nobody(_) | Answer::Expired);
    if owner.is_none() && undecided {
        return Err(NotApplied::Unanswered);
    }
    settle(relay, change, answer, factor).await
}

/// Decides in the terminal of `countersign watch`, if there is something new to decide: what it was about.
///
/// # Errors
/// Why it is not in force.
pub(crate) async fn watch_here(
    relay: &Arc<Relay>,
    kind: Kind,
    seen: &str,
) -> Option<(String, Result<(), NotApplied>)> {
    let sealed = relay.is_sealed_anywhere().await;
    let change = relay.found(kind, sealed).ok().flatten()?;
    if change.what == seen {
        return None;
    }
    let factor = match relay.factor().await {
        Ok(factor) => factor,
        Err(why) => return Some((change.what, Err(NotApplied::Failed(why)))),
    };
    let came = decide(relay, &change, Where::Terminal, sealed, &factor).await;
    Some((change.what, came))
}
