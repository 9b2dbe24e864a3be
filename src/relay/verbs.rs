//! What verbs do through a relay that has no client: one call, allowing trading again, arming.

use super::ask::Prompt;
use super::judging::reset_counters;
use super::output::Output;
use super::{Relay, passkeys, under_seal, words};
use crate::approve::{Answer, Ask, Verify, WrongPin};
use crate::gate::card::{CardLine, MAX_VALUE, Mark};
use crate::gate::{Card, Class, Tier};
use crate::oauth::{Endpoint, Grants, UnsealError, Unsealed};
use crate::system::{World, aside};
use crate::wire::envelope::{self, Id, Line};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// How long the questions of `resume` and `acknowledge` stay open.
const QUESTION: Duration = Duration::from_secs(120);

/// Why what was asked is not so.
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
const NOTHING_SEALED: &str = "this takes your PIN, and no trade sign-in lies under one here: `countersign login --trade` (or, where you are signed in, `countersign presence set pin`) sets one; then run this again";

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
                        && let Err(error) = journal.append_aside("wrong_pin", serde_json::Map::new()).await
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
    /// Asks the person, with the tier's own factor, whether AI trading may go on; where it may, that is written down
    /// and put under the seal. The file that stops is left to the caller, as the last thing to go.
    ///
    /// # Errors
    /// Why it may not.
    pub(crate) async fn confirm_resume(&self, in_terminal: bool) -> Result<(), NotResumed> {
        let settings = self.settings().map_err(NotResumed::CannotAsk)?;
        let factor = self.confirm(resume_card(settings.phrase), in_terminal).await?;
        // The journal first: while it says "stopped", it is.
        self.journal
            .append("resumed", serde_json::Map::new())
            .map_err(|error| NotResumed::CannotAsk(format!("the journal cannot be written: {error}")))?;
        if let Some(unsealed) = factor.take() {
            let seen = self
                .past
                .look()
                .await
                .map_err(|error| NotResumed::CannotAsk(format!("the journal cannot be read: {error}")))?;
            let put = unsealed.change_extras(|extras| under_seal::allow_again(&seen, extras));
            put.await.map_err(|error| {
                NotResumed::CannotAsk(format!("it could not be put under your PIN: {error}"))
            })?;
        }
        Ok(())
    }

    /// Asks the person, with the tier's own factor, whether all counts may begin anew; where they may, they do.
    ///
    /// # Errors
    /// Why they do not.
    pub(crate) async fn confirm_reset_counters(&self, in_terminal: bool) -> Result<(), NotResumed> {
        let settings = self.settings().map_err(NotResumed::CannotAsk)?;
        self.confirm(reset_card(settings.phrase), in_terminal).await?;
        self.journal
            .append_aside("counters_reset", serde_json::Map::new())
            .await
            .map_err(|error| NotResumed::CannotAsk(format!("the journal cannot be written: {error}")))?;
        let paths = self.world.paths.clone();
        aside(move || reset_counters(&paths))
            .await
            .map_err(|error| NotResumed::CannotAsk(format!("the counters cannot be written: {error}")))
    }

    /// Asks the person, with the tier's own factor, whether an order of unknown outcome was looked at.
    ///
    /// # Errors
    /// Why it does not count as looked at.
    pub(crate) async fn confirm_acknowledge(
        &self,
        ticket: &str,
        what: &str,
        in_terminal: bool,
    ) -> Result<(), NotResumed> {
        let settings = self.settings().map_err(NotResumed::CannotAsk)?;
        let card = acknowledge_card(ticket, what, settings.phrase);
        self.confirm(card, in_terminal).await.map(|_| ())
    }

    /// Puts a question of a verb to the person.
    async fn confirm(&self, card: Card, in_terminal: bool) -> Result<Factor, NotResumed> {
        let factor = self.factor().await.map_err(NotResumed::CannotAsk)?;
        let prompt = if in_terminal {
            Prompt::Terminal
        } else {
            Prompt::Desk
        };
        let stop = CancellationToken::new();
        match self.ask_by(card, prompt, QUESTION, &factor, stop).await {
            Answer::Approved { .. } => Ok(factor),
            Answer::Denied { .. } => Err(NotResumed::Denied("you said no".to_owned())),
            // The screen says that it is stopped, whatever was asked.
            Answer::Halted { via } => {
                self.halt(via).map_err(NotResumed::CannotAsk)?;
                Err(NotResumed::Denied("you stopped AI trading".to_owned()))
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

    /// What it takes to approve what is no order: the tier's own factor, and the PIN wherever one is set, whatever the
    /// settings say by now.
    ///
    /// # Errors
    /// The tier wants a factor, and there is none; or nobody can tell.
    pub(super) async fn factor(&self) -> Result<Factor, String> {
        let tier = self.settings()?.tier;
        let slot = Slot::default();
        let (verify, own) = self.resume_check(tier, &slot).await?;
        let tier = if verify.is_some() {
            tier.max(Tier::Pin)
        } else {
            tier
        };
        Ok(Factor {
            tier,
            verify,
            slot,
            own,
        })
    }

    /// Asks with this factor. What a PIN unseals stays in it.
    pub(super) async fn ask_by(
        &self,
        card: Card,
        prompt: Prompt,
        open_for: Duration,
        factor: &Factor,
        stop: CancellationToken,
    ) -> Answer {
        let slot = Arc::clone(&factor.slot);
        // A touch is given on the page alone, also where the verb runs in a terminal.
        if let (Tier::Passkey, Some(verify)) = (factor.tier, factor.verify.clone()) {
            return passkeys::ask_verb(self, card, open_for, (verify, slot), stop).await;
        }
        let (_keep, updates) = watch::channel(card.clone());
        let ask = Ask {
            card,
            tier: factor.tier,
            open_for,
            verify: factor.verify.clone().map(|verify| not_raised(verify, slot)),
            touch: None,
        };
        let (shown, _seen) = oneshot::channel();
        match prompt {
            Prompt::Terminal => crate::approve::terminal::ask(ask, updates, stop, shown).await,
            Prompt::Desk => self.desk.ask(ask, updates, stop, shown).await,
        }
    }

    /// The PIN check of `resume`: wherever any trade grant of this installation lies under the PIN, also at another
    /// address than the one that this call names. What it unseals goes into the slot; with it, whether it is the grant
    /// of this address.
    async fn resume_check(&self, tier: Tier, slot: &Slot) -> Result<(Option<Verify>, bool), String> {
        // Not to know is not "a click will do".
        match self.grants.sealed_at().await.map_err(|error| error.to_string())? {
            Some(url) if url == self.endpoint.url() => Ok((Some(verify_into(self, slot)), true)),
            Some(url) => {
                let other = Grants::open(&self.world, Endpoint::parse(&url)?, self.http.clone());
                Ok((Some(verify_with(&other, self, slot)), false))
            }
            None if tier == Tier::Click => Ok((None, false)),
            None => Err(NOTHING_SEALED.to_owned()),
        }
    }
}

/// What it takes to approve what is no order, and what the PIN has unsealed by it.
pub(super) struct Factor {
    pub(super) tier: Tier,
    verify: Option<Verify>,
    slot: Slot,
    /// Whether it unseals the grant of this relay's own address.
    pub(super) own: bool,
}

impl Factor {
    /// What was unsealed, once.
    pub(super) fn take(&self) -> Option<Arc<Unsealed>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The PIN alone, where the seal says that a passkey is wanted too: the settings were edited.
fn not_raised(verify: Verify, slot: Slot) -> Verify {
    Arc::new(move |pin: SecretString| {
        let (verify, slot) = (verify.clone(), Arc::clone(&slot));
        Box::pin(async move {
            verify(pin).await?;
            let opened = slot.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let raised =
                opened.is_some_and(|opened| passkeys::has_to_touch(&opened.extras()).unwrap_or(true));
            if raised {
                return Err(WrongPin {
                    message: "The PIN is right, but this sign-in was put under your passkeys and the settings ask for less. Run `countersign presence set passkey` first.".to_owned(),
                    wait_ms: 0,
                });
            }
            Ok(())
        })
    })
}

fn acknowledge_card(ticket: &str, what: &str, phrase: Option<String>) -> Card {
    Card {
        ticket: ticket.to_owned(),
        headline: format!("I HAVE LOOKED AT {ticket}"),
        approve: "I have looked".to_owned(),
        deny: "Not yet".to_owned(),
        lines: vec![CardLine {
            label: "Outcome unknown".to_owned(),
            value: what.chars().take(MAX_VALUE).collect(),
            mark: Mark::Warn,
        }],
        warnings: vec![
            "LOOK AT ORDERS AND POSITIONS IN NINJATRADER FIRST: IT MAY HAVE BEEN EXECUTED".to_owned(),
            "AFTER THIS NEW ORDERS THERE MAY BE PROPOSED AGAIN".to_owned(),
        ],
        client: "countersign acknowledge".to_owned(),
        ..resume_card(phrase)
    }
}

fn reset_card(phrase: Option<String>) -> Card {
    Card {
        headline: "BEGIN ALL COUNTS ANEW".to_owned(),
        approve: "Begin anew".to_owned(),
        deny: "Keep them as they are".to_owned(),
        warnings: vec![
            "Limits by the minute and the day then count from zero, as if nothing had been sent today."
                .to_owned(),
        ],
        client: "countersign policy reset-counters".to_owned(),
        ..resume_card(phrase)
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
    one_call_as(world, endpoint, ("countersign call", tool), arguments).await
}

/// The same under another name than that of the verb: the card says who asks.
///
/// # Errors
/// As [`one_call`].
pub(crate) async fn one_call_as(
    world: World,
    endpoint: Endpoint,
    (client, tool): (&str, &str),
    arguments: &str,
) -> Result<String, String> {
    let (send, mut lines) = mpsc::unbounded_channel();
    let http = crate::upstream::client(&endpoint)?;
    let relay = Relay::new(world, endpoint, http, Output::start(Lines(send, Vec::new())));
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": client, "version": env!("CARGO_PKG_VERSION") } });
    super::link::take(
        &relay,
        envelope::request(&Id::ours("hello"), "initialize", Some(&hello.to_string())).as_bytes(),
    );
    let name = serde_json::to_string(tool).map_err(|error| error.to_string())?;
    let mut params = format!(r#"{{"name":{name},"arguments":{arguments}}}"#);
    // Ctrl-C ends the question, and never the wait for an order that is on its way.
    let ending = crate::system::process::ending();
    let mut ending = std::pin::pin!(async move {
        match ending {
            Ok(signal) => signal.await,
            Err(_) => std::future::pending().await,
        }
    });
    let outcome = 'call: loop {
        super::link::take(
            &relay,
            envelope::request(&Id::ours("call"), "tools/call", Some(&params)).as_bytes(),
        );
        let result = loop {
            let line = tokio::select! {
                line = lines.recv() => line,
                signal = &mut ending => {
                    break 'call Err(format!("ended by {signal}; `countersign journal show` says what became of the call"));
                }
            };
            let Some(line) = line else {
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
