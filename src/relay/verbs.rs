//! What verbs do through a relay that has no client: one call, allowing trading again, arming.

use super::output::Output;
use super::{Relay, outcomes, words};
use crate::approve::{Answer, Ask, Verify, WrongPin};
use crate::gate::{Card, Class, Tier};
use crate::oauth::{Endpoint, Grants, UnsealError, Unsealed};
use crate::system::World;
use crate::wire::envelope::{self, Id, Line};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// How long the question of `resume` and of the PIN page stays open.
const QUESTION: Duration = Duration::from_secs(120);

/// Why AI trading stays stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotResumed {
    /// The person said no, or somebody interfered.
    Denied(String),
    /// Nobody answered in time.
    Unanswered,
    /// The question could not be put.
    CannotAsk(String),
}

/// The tier wants a PIN, and there is none: signed out, or sealing went wrong.
const NOTHING_SEALED: &str = "this takes your PIN, and no trade sign-in lies under one here: `countersign login --trade` (or, where you are signed in, `countersign presence set pin`) sets one; then run `countersign resume` again";

/// Where a PIN's unsealed grant is kept.
pub(super) type Slot = Arc<Mutex<Option<Arc<Unsealed>>>>;

/// The PIN check: unsealing is the check. What it yields goes into the slot of the caller; a wrong try into the journal.
pub(super) fn verify_into(relay: &Relay, slot: &Slot) -> Verify {
    verify_with(&relay.grants, relay, slot)
}

/// The same with the grants of another address.
fn verify_with(grants: &Grants, relay: &Relay, slot: &Slot) -> Verify {
    let (grants, journal, slot) = (grants.clone(), relay.journal.clone(), Arc::clone(slot));
    Arc::new(move |pin: SecretString| {
        let (grants, journal, slot) = (grants.clone(), journal.clone(), Arc::clone(&slot));
        Box::pin(async move {
            match grants.unseal(&pin).await {
                Ok(unsealed) => {
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(unsealed));
                    Ok(())
                }
                Err(error) => {
                    if matches!(error, UnsealError::WrongPin { .. })
                        && let Err(error) = journal.append("wrong_pin", serde_json::Map::new())
                    {
                        tracing::error!(%error, "the journal cannot be written");
                    }
                    Err(WrongPin {
                        message: wrong(&error),
                        wait_ms: wait_of(&error),
                    })
                }
            }
        })
    })
}

/// What the person is told; how long the next try has to wait is told beside it.
fn wrong(error: &UnsealError) -> String {
    match error {
        UnsealError::WrongPin { tries: 1, .. } => "That is the wrong PIN. Nothing was approved.".to_owned(),
        UnsealError::WrongPin { tries, .. } => {
            format!("That is the wrong PIN ({tries} wrong tries since it last opened). Nothing was approved.")
        }
        UnsealError::Wait(_) => "Too soon after a wrong PIN: this one was not looked at.".to_owned(),
        UnsealError::NotSealed | UnsealError::Token(_) => error.to_string(),
    }
}

/// How long (ms) the next PIN has to wait.
fn wait_of(error: &UnsealError) -> u64 {
    let wait = match error {
        UnsealError::WrongPin { wait, .. } | UnsealError::Wait(wait) => *wait,
        UnsealError::NotSealed | UnsealError::Token(_) => Duration::ZERO,
    };
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

impl Relay {
    /// A journal line of a verb.
    pub(crate) fn note(&self, kind: &str) {
        outcomes::note(self, kind, &[]);
    }

    /// Asks the person, with the tier's own factor, whether AI trading may go on.
    ///
    /// # Errors
    /// Why it may not.
    pub(crate) async fn confirm_resume(&self, in_terminal: bool) -> Result<(), NotResumed> {
        let settings = self.settings().map_err(NotResumed::CannotAsk)?;
        let verify = self
            .resume_check(settings.tier)
            .await
            .map_err(NotResumed::CannotAsk)?;
        let tier = if verify.is_some() {
            settings.tier.max(Tier::Pin)
        } else {
            settings.tier
        };
        let card = resume_card(settings.phrase.clone());
        let (_keep, updates) = watch::channel(card.clone());
        let ask = Ask {
            card,
            tier,
            open_for: QUESTION,
            verify,
        };
        let (shown, _seen) = oneshot::channel();
        let stop = CancellationToken::new();
        let answer = if in_terminal {
            crate::approve::terminal::ask(ask, updates, stop, shown).await
        } else {
            self.desk.ask(ask, updates, stop, shown).await
        };
        match answer {
            Answer::Approved { .. } => Ok(()),
            Answer::Denied { .. } | Answer::Halted { .. } => {
                Err(NotResumed::Denied("you said no".to_owned()))
            }
            Answer::Tampered(what) => Err(NotResumed::Denied(format!(
                "another program interfered with the question: {what}"
            ))),
            Answer::Expired | Answer::Stopped => Err(NotResumed::Unanswered),
            Answer::Nobody(why) => {
                let why = why
                    .split(". Run `countersign watch`")
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                Err(NotResumed::CannotAsk(format!(
                    "you cannot be asked on this screen: {why}"
                )))
            }
        }
    }

    /// The PIN check of `resume`: wherever any trade grant of this installation lies under the PIN, also at another
    /// address than the one that this call names. What it unseals is dropped with the question.
    async fn resume_check(&self, tier: Tier) -> Result<Option<Verify>, String> {
        // Not to know is not "a click will do".
        match self.grants.sealed_at().await.map_err(|error| error.to_string())? {
            Some(url) if url == self.endpoint.url() => Ok(Some(verify_into(self, &Slot::default()))),
            Some(url) => {
                let other = Grants::open(&self.world, Endpoint::parse(&url)?, self.http.clone());
                Ok(Some(verify_with(&other, self, &Slot::default())))
            }
            None if tier == Tier::Click => Ok(None),
            None => Err(NOTHING_SEALED.to_owned()),
        }
    }
}

fn resume_card(phrase: Option<String>) -> Card {
    Card {
        ticket: "----".to_owned(),
        badge: String::new(),
        account: String::new(),
        side: String::new(),
        headline: "ALLOW AI TRADING AGAIN".to_owned(),
        approve: "Allow AI trading".to_owned(),
        deny: "Keep it stopped".to_owned(),
        lines: Vec::new(),
        warnings: vec!["Every trade call will again be held for your approval.".to_owned()],
        free_text: None,
        client: "countersign resume".to_owned(),
        phrase,
        class: Class::Unknown,
        digest_short: String::new(),
    }
}

/// A writer that hands whole lines on.
struct Lines(mpsc::UnboundedSender<String>, Vec<u8>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.1.extend_from_slice(bytes);
        while let Some(end) = self.1.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.1.drain(..=end).collect();
            let _ = self.0.send(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Makes one tool call through a relay of its own, the way an AI client would, and returns the text of its result.
/// A held call is waited for to its end.
///
/// # Errors
/// Why there is no result.
pub(crate) async fn one_call(
    world: World,
    endpoint: Endpoint,
    tool: &str,
    arguments: &str,
) -> Result<String, String> {
    let (send, mut lines) = mpsc::unbounded_channel();
    let http = crate::upstream::client(&endpoint)?;
    let relay = Relay::new(world, endpoint, http, Output::start(Lines(send, Vec::new())));
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "countersign call", "version": env!("CARGO_PKG_VERSION") } });
    relay.line(envelope::request(&Id::ours("hello"), "initialize", Some(&hello.to_string())).as_bytes());
    let name = serde_json::to_string(tool).map_err(|error| error.to_string())?;
    let mut params = format!(r#"{{"name":{name},"arguments":{arguments}}}"#);
    let outcome = 'call: loop {
        relay.line(envelope::request(&Id::ours("call"), "tools/call", Some(&params)).as_bytes());
        let result = loop {
            let Some(line) = lines.recv().await else {
                break 'call Err("the relay ended".to_owned());
            };
            let Ok(Line::One(message)) = envelope::read(line.as_bytes()) else {
                continue;
            };
            match (&message.kind, message.result, message.error) {
                (envelope::Kind::Response(id), Some(result), _) if *id == Id::ours("call") => {
                    break result.to_owned();
                }
                (envelope::Kind::Response(id), _, Some(error)) if *id == Id::ours("call") => {
                    break 'call Err(error.to_owned());
                }
                _ => {}
            }
        };
        let value: Value = serde_json::from_str(&result).unwrap_or_default();
        let inner = value.get("structuredContent");
        let next = inner.and_then(|inner| inner.get("next")).and_then(Value::as_str);
        let ticket = inner
            .and_then(|inner| inner.get("ticket"))
            .and_then(Value::as_str);
        match (next, ticket) {
            (Some(words::AWAIT), Some(ticket)) => {
                params = json!({ "name": words::AWAIT, "arguments": { "ticket": ticket } }).to_string();
            }
            _ => break Ok(result),
        }
    };
    relay.leave().await;
    outcome
}
