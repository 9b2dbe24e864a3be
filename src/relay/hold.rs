//! Held calls: from the client's call to the ticket, and from the ticket's end to the answer. What happens on the
//! person's side in between is in `ask.rs` and `send.rs`.

use super::change::{self, Kind};
use super::facts::Round;
use super::judging::{
    count_ask, counters, effective_tier, judge_again, judge_now, make_card, note_look, stopped_unseen,
    update_counters,
};
use super::line::Place;
use super::outcomes::{headline, journal, mark_read, outcome_of, wait};
use super::policy_file::{self, Approved, Rules};
use super::reads::Ask;
use super::refusals::Like;
use super::tickets::Owned;
use super::unwritten::{Late, Locks};
use super::{Relay, ask, lists, lock, passkeys, refusals, words};
use crate::clients::Commands;
use crate::gate::catalogue::Form;
use crate::gate::policy::Do;
use crate::gate::ticket::{self, Origin, State, Ticket};
use crate::gate::value::OrderKind;
use crate::gate::{Call, Card, Class, Facts, Judgement, Tier, Verdict, limits};
use crate::oauth::Unsealed;
use crate::relay::settings::{Armed as ArmedFor, Settings};
use crate::system::FileLock;
use crate::system::clock::{mono_ms, wall_ms};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

    /// Until when it lasts (wall clock, ms), and whether it covers every trade call.
    pub(super) fn until(&self) -> Option<(u64, bool)> {
        let left = |armed: &ArmedTime| armed.until_mono.checked_sub(mono_ms());
        let armed = lock(&self.0);
        let armed = armed.as_ref()?;
        let until = wall_ms().saturating_add(left(armed)?);
        // To the second: what is said must not change with each look.
        Some((until / 1000 * 1000, armed.covers == ArmedFor::All))
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
    /// When their reads began.
    pub(super) began: Option<ask::Began>,
    pub(super) judgement: Judgement,
    pub(super) card: Card,
    pub(super) tier: Tier,
}

impl Held {
    /// A later card, with the name of the client that asked: the process that shows it may be another one's (`watch`).
    pub(super) fn of_its_client(&self, card: Card) -> Card {
        Card {
            client: self.card.client.clone(),
            ..card
        }
    }
}

/// Holds a trade call and returns the text of the client's result: the outcome if the person is quick, else that it
/// is waiting.
pub(super) async fn trade_call(relay: &Arc<Relay>, call: Call, ask: &Ask) -> String {
    let began = mono_ms();
    let (tool, digest) = (call.tool().to_owned(), call.digest().to_owned());
    let (ticket, what) = match hold(relay, call, ask.asker.name()).await {
        Ok(held) => held,
        Err(NotHeld::Answered(answer)) => return answer,
        Err(NotHeld::Refused(code, reason)) => {
            refusals::note(relay, &tool, &digest, code, &reason).await;
            return words::refused(code, &reason);
        }
    };
    let patience = relay.hold_seconds(ask.asker.name());
    let until = began + patience * 1000;
    let (progress, cancel) = (ask.progress.as_ref(), Some(&ask.cancel));
    wait(relay, &ticket, until, &what, progress, cancel).await
}

/// Why there is no ticket.
enum NotHeld {
    /// The client's answer: nothing was decided.
    Answered(String),
    /// It is refused: the code and the reason.
    Refused(&'static str, String),
}

/// Everything up to the ticket: its id and headline.
async fn hold(relay: &Arc<Relay>, call: Call, client: &str) -> Result<(String, String), NotHeld> {
    let paths = &relay.world.paths;
    let came = mono_ms();
    // What is read for it may have been read for another order while it stood in line.
    let began = Some(ask::Began::now(relay));
    let plain = is_plain_entry(&call);
    let like = plain.then(|| Like::of(&call));
    let _place = match &like {
        Some(like) => Some(stand_in_line(relay, &call, like).await?),
        None => None,
    };
    // The same call twice at once, from this client or another: one of them is looked at, the other is told.
    // A few letters of the digest: lock files stay, and there must not be one for each order ever made. No exit waits for
    // an entry whose letters are the same.
    let letters = call.digest().get(..2).unwrap_or_default();
    let closes = matches!(
        call.form(),
        Form::ClosePosition | Form::Flatten | Form::FlattenEverything
    );
    let kind = match (plain, closes) {
        (true, _) => "entry-",
        (_, true) => "close-",
        (false, false) => "",
    };
    let twin_lock = paths.lock(&format!("twin-{kind}{letters}"));
    let _twin = FileLock::take(&twin_lock, Duration::from_secs(4))
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut => NotHeld::Answered(words::refused(
                "twin",
                "Too many calls are being looked at this moment; this call placed nothing. Ask again.",
            )),
            _ => NotHeld::Answered(words::refused(
                "disk",
                &format!("The state folder cannot be written ({error}); without it nothing is sent."),
            )),
        })?;
    if let Some(answer) = twin_of(relay, &call) {
        return Err(NotHeld::Answered(answer));
    }
    let refuse = |code: &'static str, reason: &str| NotHeld::Refused(code, reason.to_owned());
    let mut settings = relay.settings().map_err(|why| {
        refuse(
            "settings",
            &format!("The settings cannot be used: {why}. To get out of a position, flatten in NinjaTrader."),
        )
    })?;
    let sealed = relay.grants.is_sealed().await.unwrap_or(false);
    if sealed {
        // The seal says what it takes, not a file that any program of this user can write.
        settings.tier = settings.tier.max(Tier::Pin);
    }
    let settings = &settings;
    let halted_on_record = relay.is_halted_on_record().await.map_err(|error| {
        refuse(
            "disk",
            &format!("The journal cannot be read ({error}); without it nothing is sent."),
        )
    })?;
    if relay.is_halted() || halted_on_record {
        return Err(refuse(
            "halted",
            "AI trading is stopped on this computer. To get out of a position, flatten in NinjaTrader. The person can allow it again with `countersign resume`.",
        ));
    }
    let rules = Rules::of(relay).map_err(|why| {
        refuse(
            "policy",
            &format!("The policy cannot be used: {why}. To get out of a position, flatten in NinjaTrader."),
        )
    })?;
    if relay.out.unread_ms() > UNREAD_MS {
        return Err(refuse("not_reading", "The AI client is not reading its answers."));
    }
    relay.sync_lists();
    match pinned(relay, &call) {
        Ok(()) => {}
        Err(("sign_in", _)) => {
            let commands = Commands::of(&relay.world);
            return Err(NotHeld::Answered(words::trade_sign_in(commands)));
        }
        Err((code @ ("definition_changed" | "definition_new"), _)) => {
            return Err(refuse(code, &raise(relay, Kind::Tools, call.tool()).await));
        }
        Err((code, reason)) => return Err(refuse(code, &reason)),
    }
    // What stood before it in the line may have been stopped.
    if let Some(like) = &like
        && let Some((code, reason)) = stopped_unseen(relay, like, call.is_market()).await
    {
        return Err(refuse(code, &reason));
    }
    let (facts, mut judgement) = if let Some(judgement) = at_once(relay, &call, &rules, settings).await {
        (None, judgement)
    } else {
        let round = if plain { Round::InLine(came) } else { Round::First };
        let facts = relay
            .facts
            .gather(&relay.read, &call, rules.approved(), round)
            .await;
        if facts.not_connected() {
            return Err(refuse(
                "not_connected",
                "NinjaTrader or its CrossTrade add-on is not connected; nobody was asked.",
            ));
        }
        let counters = counters(relay).await;
        let judgement = rules.judge(|policy| judge_now(relay, &call, &facts, policy, settings, &counters));
        (Some(facts), judgement)
    };
    let leaves = matches!(judgement.class, Class::Exit | Class::Protect);
    if judgement.code == policy_file::CHANGED
        || (sealed && !leaves && !Approved::has_settings(&relay.world.paths, settings))
    {
        let why = raise(relay, Kind::Policy, call.tool()).await;
        return Err(refuse(policy_file::CHANGED, &why));
    }
    // How many entries wait is looked at and changed by one call at a time, over all processes. Exits wait for nobody.
    let limited = limits::group(judgement.class, judgement.opening) != limits::Group::Free;
    let _entering = match &facts {
        Some(facts) if limited && judgement.verdict != Verdict::Deny => {
            let lock = FileLock::take(&paths.lock("entries.lock"), Duration::from_secs(4)).await;
            let kept = counters(relay).await;
            judgement = rules.judge(|policy| judge_now(relay, &call, facts, policy, settings, &kept));
            let busy = "Another process keeps the list of waiting orders; ask again in a moment.";
            Some(lock.map_err(|_| refuse("busy", busy))?)
        }
        Some(_) | None => None,
    };
    if let Some(like) = like {
        note_look(relay, like, &judgement).await;
    }
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
    if tier == Tier::Passkey && passkeys::noted(paths, relay.endpoint.url()).is_empty() {
        return Err(refuse(
            "no_passkey",
            "This takes a passkey, and none is registered: the person can run `countersign presence add-key` in a terminal.",
        ));
    }
    let owned = relay
        .tickets
        .claim_new(ticket::ticket_id)
        .map_err(|error| refuse("ticket", &format!("The ticket cannot be kept: {error}.")))?;
    let client = super::link::card_name(client);
    let card = make_card(
        relay,
        &owned.id,
        &call,
        facts.as_ref().unwrap_or(&Facts::default()),
        &judgement,
        rules.approved(),
        settings,
    );
    // By the request's own words: another client may have said its name on this pipe since.
    let card = Card {
        client: client.clone(),
        ..card
    };
    let origin = Origin {
        endpoint: relay.endpoint.url().to_owned(),
        client,
        schema_digest: None,
        policy_digest: rules.digest().to_owned(),
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
    )
    .await;
    let kept = match journaled {
        Ok(()) => relay.tickets.keep(&made).await,
        Err(error) => Err(error),
    };
    kept.map_err(|error| {
        refuse(
            "disk",
            &format!("The journal or the ticket cannot be written ({error}); without them nothing is sent."),
        )
    })?;
    if facts.is_some() {
        count_ask(relay, &judgement).await;
    }
    let (id, what) = (owned.id.clone(), card.headline.clone());
    let policy_digest = rules.digest().to_owned();
    let held = Held {
        id: id.clone(),
        owned: Some(owned),
        call,
        policy_digest,
        facts,
        began,
        judgement,
        card,
        tier,
    };
    let (relay, tracker) = (Arc::clone(relay), relay.tasks.clone());
    tracker.spawn(async move { Box::pin(ask::live(&relay, held, ask::Prompt::Desk)).await });
    Ok((id, what))
}

/// The place of a new order at the head of the line, where nothing stops it before it is looked at.
async fn stand_in_line<'a>(relay: &'a Relay, call: &Call, like: &Like) -> Result<Place<'a>, NotHeld> {
    if let Some(answer) = twin_of(relay, call) {
        return Err(NotHeld::Answered(answer));
    }
    if let Some((code, reason)) = stopped_unseen(relay, like, call.is_market()).await {
        return Err(NotHeld::Refused(code, reason));
    }
    let full = || NotHeld::Refused("too_many_at_once", words::TOO_MANY_AT_ONCE.to_owned());
    relay.line.enter(like).await.ok_or_else(full)
}

/// A new order that rests at a limit or goes at the market: what a flood is made of. Stops may protect, and the tools that
/// close are no entries: those never wait in line.
fn is_plain_entry(call: &Call) -> bool {
    call.form() == Form::PlaceOrder
        && matches!(call.fields().kind, Some(OrderKind::Market | OrderKind::Limit))
}

/// The judgement of a call that closes positions, without its facts: its card goes up at once, and the facts fill it in
/// (DESIGN section 5, exits come first). `None` where the facts have to be read before anything can be said.
async fn at_once(relay: &Relay, call: &Call, rules: &Rules, settings: &Settings) -> Option<Judgement> {
    let closes = matches!(
        call.form(),
        Form::ClosePosition | Form::Flatten | Form::FlattenEverything
    );
    let allowed = |action: Do| action == Do::Allow;
    if !closes
        || rules
            .approved()
            .deciding(Class::Exit, call.tool(), call.account())
            .is_some_and(|rule| allowed(rule.action()))
    {
        return None;
    }
    let (unread, counters) = (Facts::default(), counters(relay).await);
    let mut judgement =
        rules.judge_unproved(|policy| judge_now(relay, call, &unread, policy, settings, &counters));
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
    let mut settings = relay.settings()?;
    if relay.grants.is_sealed().await.unwrap_or(false) {
        settings.tier = settings.tier.max(Tier::Pin);
    }
    let settings = &settings;
    let rules = Rules::of(relay)?;
    let began = Some(ask::Began::now(relay));
    let facts = relay
        .facts
        .gather(&relay.read, &call, rules.approved(), Round::Again)
        .await;
    let counters = counters(relay).await;
    let judgement =
        rules.judge(|policy| judge_again(relay, &ticket.id, &call, &facts, policy, settings, &counters));
    if judgement.verdict == Verdict::Deny {
        return Err(judgement.reason);
    }
    let mut card = make_card(
        relay,
        &ticket.id,
        &call,
        &facts,
        &judgement,
        rules.approved(),
        settings,
    );
    card.client.clone_from(&ticket.client);
    // Another process is armed, not this one: here the installation's own tier holds.
    let tier = judgement.tier;
    let policy_digest = rules.digest().to_owned();
    let held = Held {
        id: ticket.id.clone(),
        owned: None,
        call,
        policy_digest,
        facts: Some(facts),
        began,
        judgement,
        card,
        tier,
    };
    Box::pin(ask::live(relay, held, ask::Prompt::Terminal)).await;
    Ok(())
}

/// Sees to it that the person is asked about a change, and says how that stands.
async fn raise(relay: &Arc<Relay>, kind: Kind, tool: &str) -> String {
    match change::raise(relay, kind).await {
        Ok(raised) => words::change_waits(kind, tool, &raised),
        Err(why) => words::change_waits(kind, tool, &change::Raised::Nobody(why)),
    }
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
    if twin.state == State::Sending {
        return Some(words::already_on_its_way(&twin.id, &headline(&twin)));
    }
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
        lists::Pin::Changed => Err(("definition_changed", String::new())),
        lists::Pin::New => Err(("definition_new", String::new())),
        lists::Pin::Unlisted if let Some(why) = relay.lists.left_out(tool) => {
            Err(("definition_unsound", format!("{}.", words::left_out(tool, &why))))
        }
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
            // Read once at leisure, not at the first call.
            if let Err(error) = relay.past.look().await {
                tracing::warn!(%error, "the journal cannot be read");
            }
            relay.write_late().await;
            if counters(&relay).await.settle(wall_ms()) {
                update_counters(&relay, |counters| {
                    counters.settle(wall_ms());
                })
                .await;
            }
            for ticket in relay
                .tickets
                .all()
                .into_iter()
                .filter(|ticket| ticket.state.is_open() || super::lookup::is_unfinished(&relay, ticket))
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
        if super::lookup::is_unfinished(self, &ticket) {
            super::lookup::take_up(self, owned, ticket);
            return Ok(());
        }
        let Some(state) = ticket.recover(wall_ms()) else {
            return Ok(());
        };
        // It may have died between the journal's line and the ticket's file: then the answer is known by its words alone.
        if state == State::Unknown
            && let Some(answer) = self.journal.last_answer(id)
        {
            ticket.reason = Some(format!(
                "the program that sent it is gone; by the journal the service's answer was: {answer}"
            ));
        }
        let reason = ticket.reason.clone().unwrap_or_default();
        let late = Late::new(ticket, state.word(), ("reason", &reason), Locks::Adopted(owned));
        let ticket = late.copy()?;
        let locks = self.write_or_keep(late).await;
        if state == State::Unknown {
            super::lookup::start(self, locks, ticket);
        } else if matches!(ticket.class, Class::Exit | Class::Protect) {
            super::lookup::unprotected(self, id, &headline(&ticket), "was NOT sent").await;
        }
        Ok(())
    }
}
