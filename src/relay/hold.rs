//! Held calls: from the client's call to the ticket, and from the ticket's end to the answer. What happens on the
//! person's side in between is in `ask.rs` and `send.rs`.

use super::judging::{count_ask, counters, effective_tier, judge_again, judge_now, load_policy, make_card};
use super::outcomes::{headline, journal, mark_read, note, outcome_of, wait};
use super::tickets::Owned;
use super::{Relay, ask, lists, lock, words};
use crate::gate::catalogue::Form;
use crate::gate::policy::{Do, Policy};
use crate::gate::ticket::{self, Origin, State, Ticket};
use crate::gate::{Call, Card, Class, Facts, Judgement, Tier, Verdict};
use crate::oauth::Unsealed;
use crate::relay::settings::{Armed as ArmedFor, Settings};
use crate::system::FileLock;
use crate::system::clock::{mono_ms, wall_ms};
use crate::wire::envelope::Id;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// No card is shown to the person while the client has not been reading for this long: it would not learn of it.
pub(super) const UNREAD_MS: u64 = 5000;
/// How long an outcome that the client has not read answers an identical call.
const UNREAD_OUTCOME_MS: u64 = 10 * 60 * 1000;

/// The trade grant while the PIN's armed time lasts.
#[derive(Debug, Default)]
pub(crate) struct Armed(Mutex<Option<ArmedTime>>);

#[derive(Debug)]
struct ArmedTime {
    unsealed: Arc<Unsealed>,
    until_mono: u64,
    /// What the PIN was given for; what the settings say later changes nothing.
    covers: ArmedFor,
}

impl Armed {
    /// Keeps an unsealed grant for this long, for what the person was told that the PIN covers.
    pub(super) fn arm(&self, unsealed: Arc<Unsealed>, time: Duration, covers: ArmedFor) {
        let until_mono = mono_ms().saturating_add(u64::try_from(time.as_millis()).unwrap_or(0));
        *lock(&self.0) = Some(ArmedTime {
            unsealed,
            until_mono,
            covers,
        });
    }

    /// Whether the armed time lasts and covers a call of this class.
    pub(super) fn covers(&self, class: Class) -> bool {
        let covers = self
            .grant()
            .and_then(|_| lock(&self.0).as_ref().map(|armed| armed.covers));
        covers == Some(ArmedFor::All)
            || (covers == Some(ArmedFor::Exits) && matches!(class, Class::Exit | Class::Protect))
    }

    /// Ends the armed time; the grant is wiped.
    pub(super) fn disarm(&self) {
        *lock(&self.0) = None;
    }

    /// The unsealed grant while the time lasts.
    pub(super) fn grant(&self) -> Option<Arc<Unsealed>> {
        let mut armed = lock(&self.0);
        if armed.as_ref().is_some_and(|armed| armed.until_mono <= mono_ms()) {
            *armed = None;
        }
        armed.as_ref().map(|armed| Arc::clone(&armed.unsealed))
    }
}

/// One held call, judged and ready to be shown.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: String,
    /// The owner's lock; none where a terminal decides on another process's ticket.
    #[expect(dead_code, reason = "held for its lock")]
    pub(super) owned: Option<Owned>,
    pub(super) call: Call,
    /// The policy that it was judged by.
    pub(super) policy_digest: String,
    /// `None` for an exit whose card goes up before its facts are read.
    pub(super) facts: Option<Facts>,
    pub(super) judgement: Judgement,
    pub(super) card: Card,
    pub(super) tier: Tier,
}

/// Holds a trade call and returns the text of the client's result: the outcome if the person is quick, else that it
/// is waiting.
pub(super) async fn trade_call(
    relay: &Arc<Relay>,
    call: Call,
    progress: Option<Id>,
    cancel: &CancellationToken,
) -> String {
    let began = mono_ms();
    let (ticket, what) = match hold(relay, call).await {
        Ok(held) => held,
        Err(answer) => return answer,
    };
    let patience = relay.hold_seconds();
    let until = began + patience * 1000;
    wait(relay, &ticket, until, &what, progress.as_ref(), Some(cancel)).await
}

/// Everything up to the ticket: its id and headline. The error is the client's answer.
async fn hold(relay: &Arc<Relay>, call: Call) -> Result<(String, String), String> {
    let paths = &relay.world.paths;
    // The same call twice at once, from this client or another: one of them is looked at, the other is told.
    // A few letters of the digest: lock files stay, and there must not be one for each order ever made.
    let twin_lock = paths.lock(&format!("twin-{}", call.digest().get(..2).unwrap_or_default()));
    let _twin = FileLock::take(&twin_lock, Duration::from_secs(4))
        .await
        .map_err(|_| {
            words::refused(
                "twin",
                "The same call is being looked at this moment; this call placed nothing.",
            )
        })?;
    if let Some(answer) = twin_of(relay, &call) {
        return Err(answer);
    }
    let refuse = |code: &str, reason: &str| {
        note(
            relay,
            "refused",
            &[
                ("tool", call.tool().into()),
                ("digest", call.digest().into()),
                ("code", code.into()),
                ("reason", reason.into()),
            ],
        );
        words::refused(code, reason)
    };
    let settings = &relay
        .settings()
        .map_err(|why| refuse("settings", &format!("The settings cannot be read: {why}.")))?;
    if relay.is_halted() {
        return Err(refuse(
            "halted",
            "AI trading is stopped on this computer. To get out of a position, flatten in NinjaTrader. The person can allow it again with `countersign resume`.",
        ));
    }
    let policy = load_policy(relay).map_err(|why| {
        refuse(
            "policy",
            &format!("The policy cannot be used: {why}. To get out of a position, flatten in NinjaTrader."),
        )
    })?;
    if relay.out.unread_ms() > UNREAD_MS {
        return Err(refuse("not_reading", "The AI client is not reading its answers."));
    }
    pinned(relay, &call).map_err(|(code, reason)| {
        if code == "sign_in" {
            words::trade_sign_in()
        } else {
            refuse(code, &reason)
        }
    })?;
    let (facts, judgement) = if let Some(judgement) = at_once(relay, &call, &policy, settings) {
        (None, judgement)
    } else {
        let facts = relay.facts.gather(&relay.read, &call, &policy, false).await;
        if facts.not_connected() {
            return Err(refuse(
                "not_connected",
                "NinjaTrader or its CrossTrade add-on is not connected; nobody was asked.",
            ));
        }
        let judgement = judge_now(relay, &call, &facts, &policy, settings, &counters(relay));
        (Some(facts), judgement)
    };
    if judgement.verdict == Verdict::Deny {
        return Err(refuse(judgement.code, &judgement.reason));
    }
    let tier = effective_tier(relay, &judgement);
    // A policy may ask for the PIN where none is set: then nothing could ever be approved, and it is better said now.
    if tier > Tier::Click && !relay.grants.is_sealed().await.unwrap_or(true) {
        return Err(refuse(
            "no_pin",
            "The policy wants your PIN for this account, and no PIN is set: run `countersign presence set pin`.",
        ));
    }
    let owned = relay
        .tickets
        .claim_new(ticket::ticket_id)
        .map_err(|error| refuse("ticket", &format!("The ticket cannot be kept: {error}.")))?;
    let card = make_card(
        relay,
        &owned.id,
        &call,
        facts.as_ref().unwrap_or(&Facts::default()),
        &judgement,
        &policy,
        settings,
    );
    let origin = Origin {
        endpoint: relay.endpoint.url().to_owned(),
        client: relay.client_name(),
        schema_digest: None,
        policy_digest: policy.digest().to_owned(),
    };
    let mut made = Ticket::hold(owned.id.clone(), &call, &judgement, origin, wall_ms());
    made.tier = tier;
    made.card = Some(card.clone());
    let journaled = journal(
        relay,
        "held",
        &made,
        &[
            ("name", raw(&made.name_raw)),
            ("arguments", arguments_of(&made)),
            ("card", card.text().into()),
            ("rule", judgement.rule.clone().into()),
        ],
    );
    journaled
        .and_then(|()| relay.tickets.save(&made))
        .map_err(|error| {
            refuse(
                "disk",
                &format!(
                    "The journal or the ticket cannot be written ({error}); without them nothing is sent."
                ),
            )
        })?;
    if facts.is_some() {
        count_ask(relay, &judgement);
    }
    let (id, what) = (owned.id.clone(), card.headline.clone());
    let policy_digest = policy.digest().to_owned();
    let held = Held {
        id: id.clone(),
        owned: Some(owned),
        call,
        policy_digest,
        facts,
        judgement,
        card,
        tier,
    };
    let (relay, tracker) = (Arc::clone(relay), relay.tasks.clone());
    tracker.spawn(async move { Box::pin(ask::live(&relay, held, ask::Prompt::Desk)).await });
    Ok((id, what))
}

/// The judgement of a call that closes positions, without its facts: its card goes up at once, and the facts fill it in
/// (DESIGN section 5, exits come first). `None` where the facts have to be read before anything can be said.
fn at_once(relay: &Relay, call: &Call, policy: &Policy, settings: &Settings) -> Option<Judgement> {
    let closes = matches!(
        call.form(),
        Form::ClosePosition | Form::Flatten | Form::FlattenEverything
    );
    let allowed = |action: Do| action == Do::Allow;
    if !closes
        || policy
            .deciding(Class::Exit, call.tool(), call.account())
            .is_some_and(|rule| allowed(rule.action()))
    {
        return None;
    }
    let mut judgement = judge_now(relay, call, &Facts::default(), policy, settings, &counters(relay));
    if judgement.verdict != Verdict::Ask {
        return None;
    }
    // For its place on the screen alone: an approval counts only once the reads prove the exit.
    judgement.class = Class::Exit;
    Some(judgement)
}

/// Held by a `countersign watch` while it runs: then a call that no desktop can show waits for that terminal.
pub(crate) const WATCHING: &str = "watching";

/// Whether a person watches in a terminal. A lock that cannot be tried counts as nobody.
pub(super) fn is_watched(relay: &Relay) -> bool {
    matches!(FileLock::try_take(&relay.world.paths.lock(WATCHING)), Ok(None))
}

/// Decides on another process's ticket in this terminal (`watch`): the same judgement, the same single sending, under
/// the ticket's own locks.
///
/// # Errors
/// Why it cannot be decided on here.
pub(crate) async fn decide_here(relay: &Arc<Relay>, ticket: &Ticket) -> Result<(), String> {
    let call = ticket.call().map_err(|refusal| refusal.reason)?;
    let settings = &relay.settings()?;
    let policy = load_policy(relay)?;
    let facts = relay.facts.gather(&relay.read, &call, &policy, true).await;
    let judgement = judge_again(
        relay,
        &ticket.id,
        &call,
        &facts,
        &policy,
        settings,
        &counters(relay),
    );
    if judgement.verdict == Verdict::Deny {
        return Err(judgement.reason);
    }
    let mut card = make_card(relay, &ticket.id, &call, &facts, &judgement, &policy, settings);
    card.client.clone_from(&ticket.client);
    // Another process is armed, not this one: here the installation's own tier holds.
    let tier = judgement.tier;
    let policy_digest = policy.digest().to_owned();
    let held = Held {
        id: ticket.id.clone(),
        owned: None,
        call,
        policy_digest,
        facts: Some(facts),
        judgement,
        card,
        tier,
    };
    Box::pin(ask::live(relay, held, ask::Prompt::Terminal)).await;
    Ok(())
}

/// An open ticket for the very same call, or one whose outcome nobody has read yet.
fn twin_of(relay: &Relay, call: &Call) -> Option<String> {
    let now = wall_ms();
    let same = |ticket: &Ticket| ticket.digest == call.digest() && ticket.endpoint == relay.endpoint.url();
    let twin = relay.tickets.all().into_iter().find(|ticket| {
        let recent = ticket
            .ended_wall
            .is_some_and(|ended| ended + UNREAD_OUTCOME_MS > now);
        same(ticket)
            && (ticket.state.is_open()
                || (recent && ticket.sent_wall.is_some() && !relay.tickets.notes(&ticket.id).read))
    })?;
    if twin.state.is_open() {
        return Some(words::already_waiting(&twin.id, &headline(&twin)));
    }
    mark_read(relay, &twin.id);
    let outcome = outcome_of(&twin, &relay.tickets.notes(&twin.id)).unwrap_or_default();
    Some(words::earlier(&twin.id, &outcome))
}

/// The definition must be the pinned one (DESIGN, definitions are pinned).
fn pinned(relay: &Relay, call: &Call) -> Result<(), (&'static str, String)> {
    let tool = call.tool();
    match relay.lists.pin(tool) {
        lists::Pin::Holds(_) => Ok(()),
        lists::Pin::Changed => Err((
            "definition_changed",
            format!(
                "The service now describes {tool} differently from when the person signed in for trading. What it does may have changed too, so it stays off; the other tools work. `countersign doctor` names what has changed; when the person has looked, `countersign login --trade` puts the new description on record."
            ),
        )),
        lists::Pin::New => Err((
            "definition_new",
            format!(
                "{tool} was not there when the person signed in for trading. It stays off until they sign in for trading again: `countersign login --trade`."
            ),
        )),
        lists::Pin::Unlisted if relay.lists.has_trade() => Err((
            "unknown_tool",
            format!("The service does not list a tool named {tool}."),
        )),
        lists::Pin::Unlisted => Err(("sign_in", String::new())),
    }
}

fn raw(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// The arguments for the journal: whole for orders, digest and length for long ones (written code).
fn arguments_of(ticket: &Ticket) -> Value {
    if ticket.arguments_raw.len() <= 16 * 1024 {
        raw(&ticket.arguments_raw)
    } else {
        json!({ "bytes": ticket.arguments_raw.len() })
    }
}

impl Relay {
    /// Recovers the tickets of dead owners: what was not sent is voided, what was being sent is unknown.
    pub(super) fn recover(self: &Arc<Self>) {
        let relay = Arc::clone(self);
        self.tasks.spawn(async move {
            if !relay.swept.swap(true, std::sync::atomic::Ordering::Relaxed) {
                relay.tickets.sweep(wall_ms());
            }
            for ticket in relay
                .tickets
                .all()
                .into_iter()
                .filter(|ticket| ticket.state.is_open())
            {
                if let Err(error) = relay.recover_one(&ticket.id).await {
                    tracing::warn!(%error, ticket = %ticket.id, "a ticket could not be recovered");
                }
            }
        });
    }

    async fn recover_one(self: &Arc<Self>, id: &str) -> std::io::Result<()> {
        // Most owners live: that is seen without taking anybody's turn.
        if self.tickets.is_owned(id)? {
            return Ok(());
        }
        // The turn first: between looking for a sender and taking over, nobody may become one.
        let _turn = self.tickets.turn(id).await?;
        let Some(owned) = self.tickets.adopt(id)? else {
            return Ok(());
        };
        let Some(mut ticket) = self.tickets.load(id)? else {
            return Ok(());
        };
        let Some(state) = ticket.recover(wall_ms()) else {
            return Ok(());
        };
        journal(
            self,
            state.word(),
            &ticket,
            &[("reason", ticket.reason.clone().unwrap_or_default().into())],
        )?;
        self.tickets.save(&ticket)?;
        if state == State::Unknown {
            super::lookup::start(self, owned, ticket);
        } else if matches!(ticket.class, Class::Exit | Class::Protect) {
            super::lookup::unprotected(self, id, &headline(&ticket)).await;
        }
        Ok(())
    }
}
