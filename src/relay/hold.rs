//! Held calls: from the client's call to the ticket, and from the ticket's end to the answer. What happens on the
//! person's side in between is in `send.rs`.

use super::tickets::{Notes, Owned};
use super::{Relay, lists, lock, send, words};
use crate::gate::catalogue::Form;
use crate::gate::policy::{Do, Policy};
use crate::gate::ticket::{self, Origin, State, Ticket};
use crate::gate::{Call, Card, Class, Counters, Facts, Judgement, Tier, Verdict, card, judge, limits, outcome};
use crate::oauth::{GrantKind, Unsealed};
use crate::relay::settings::{Armed as ArmedFor, Settings};
use crate::system::clock::{local_time, mono_ms, wall_ms};
use crate::system::{FileLock, file};
use crate::wire::envelope::Id;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a waiting call looks at its ticket. The file is small; the person is slower.
const LOOK: Duration = Duration::from_millis(150);
/// How often progress is told to a client that asked for it.
const PROGRESS: Duration = Duration::from_secs(5);
/// No card is shown to the person while the client has not been reading for this long: it would not learn of it.
pub(super) const UNREAD_MS: u64 = 5000;
/// How long an outcome that the client has not read answers an identical call.
const UNREAD_OUTCOME_MS: u64 = 10 * 60 * 1000;
/// The largest policy file.
const MAX_POLICY: u64 = 256 * 1024;

/// The trade grant while the PIN's armed time lasts.
#[derive(Debug, Default)]
pub struct Armed(Mutex<Option<ArmedTime>>);

#[derive(Debug)]
struct ArmedTime {
    unsealed: Arc<Unsealed>,
    until_mono: u64,
}

impl Armed {
    /// Keeps an unsealed grant for this long.
    pub fn arm(&self, unsealed: Arc<Unsealed>, time: Duration) {
        let until_mono = mono_ms().saturating_add(u64::try_from(time.as_millis()).unwrap_or(0));
        *lock(&self.0) = Some(ArmedTime { unsealed, until_mono });
    }

    /// Ends the armed time; the grant is wiped.
    pub fn disarm(&self) {
        *lock(&self.0) = None;
    }

    /// The unsealed grant while the time lasts.
    pub fn grant(&self) -> Option<Arc<Unsealed>> {
        let mut armed = lock(&self.0);
        if armed.as_ref().is_some_and(|armed| armed.until_mono <= mono_ms()) {
            *armed = None;
        }
        armed.as_ref().map(|armed| Arc::clone(&armed.unsealed))
    }

    /// Milliseconds that are left.
    pub fn left_ms(&self) -> u64 {
        lock(&self.0).as_ref().map_or(0, |armed| armed.until_mono.saturating_sub(mono_ms()))
    }
}

/// One held call, judged and ready to be shown.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: String,
    /// The owner's lock; none where a terminal decides on another process's ticket.
    pub(super) owned: Option<Owned>,
    pub(super) call: Call,
    /// `None` for an exit whose card goes up before its facts are read.
    pub(super) facts: Option<Facts>,
    pub(super) judgement: Judgement,
    pub(super) card: Card,
    pub(super) tier: Tier,
}

/// Holds a trade call and returns the text of the client's result: the outcome if the person is quick, else that it
/// is waiting.
pub(super) async fn trade_call(relay: &Arc<Relay>, call: Call, id: &Id, progress: Option<Id>, cancel: &CancellationToken) -> String {
    let began = mono_ms();
    let (ticket, what) = match hold(relay, call).await {
        Ok(held) => held,
        Err(answer) => return answer,
    };
    let patience = relay.hold_seconds();
    let until = began + patience * 1000;
    wait(relay, &ticket, until, &what, progress.as_ref().map(|token| (token, id)), Some(cancel)).await
}

/// Everything up to the ticket: its id and headline. The error is the client's answer.
async fn hold(relay: &Arc<Relay>, call: Call) -> Result<(String, String), String> {
    let paths = &relay.world.paths;
    // The same call twice at once, from this client or another: one of them is looked at, the other is told.
    let twin_lock = paths.lock(&format!("twin-{}", call.digest().get(..16).unwrap_or_default()));
    let _twin = FileLock::take(&twin_lock, Duration::from_secs(4))
        .await
        .map_err(|_| words::refused("twin", "The same call is being looked at this moment; this call placed nothing."))?;
    if let Some(answer) = twin_of(relay, &call) {
        return Err(answer);
    }
    let refuse = |code: &str, reason: &str| {
        note(relay, "refused", &[("tool", call.tool().into()), ("digest", call.digest().into()), ("code", code.into()), ("reason", reason.into())]);
        words::refused(code, reason)
    };
    let settings = &relay.settings().map_err(|why| refuse("settings", &format!("The settings cannot be read: {why}.")))?;
    if paths.halt().exists() {
        return Err(refuse("halted", "AI trading is stopped on this computer. To get out of a position, flatten in NinjaTrader. The person can allow it again with `countersign resume`."));
    }
    let policy = load_policy(relay).map_err(|why| {
        refuse("policy", &format!("The policy cannot be used: {why}. To get out of a position, flatten in NinjaTrader."))
    })?;
    if relay.out.unread_ms() > UNREAD_MS {
        return Err(refuse("not_reading", "The AI client is not reading its answers."));
    }
    pinned(relay, &call).map_err(|(code, reason)| if code == "sign_in" { words::trade_sign_in() } else { refuse(code, &reason) })?;
    let (facts, judgement) = match at_once(relay, &call, &policy, settings) {
        Some(judgement) => (None, judgement),
        None => {
            let facts = relay.facts.gather(&relay.read, &call, false).await;
            if facts.not_connected() {
                return Err(refuse("not_connected", "NinjaTrader or its CrossTrade add-on is not connected; nobody was asked."));
            }
            let judgement = judge_now(relay, &call, &facts, &policy, settings, &counters(relay));
            (Some(facts), judgement)
        }
    };
    if judgement.verdict == Verdict::Deny {
        return Err(refuse(judgement.code, &judgement.reason));
    }
    let tier = effective_tier(relay, settings, &judgement);
    let owned = relay.tickets.claim_new(ticket::ticket_id).map_err(|error| refuse("ticket", &format!("The ticket cannot be kept: {error}.")))?;
    let card = make_card(relay, &owned.id, &call, facts.as_ref().unwrap_or(&Facts::default()), &judgement, &policy, settings);
    let origin = Origin {
        endpoint: relay.endpoint.url().to_owned(),
        client: relay.client_name(),
        schema_digest: None,
        policy_digest: policy.digest().to_owned(),
    };
    let mut made = Ticket::hold(owned.id.clone(), &call, &judgement, origin, wall_ms());
    made.tier = tier;
    made.card = Some(card.clone());
    let journaled = journal(relay, "held", &made, &[("name", raw(&made.name_raw)), ("arguments", arguments_of(&made)), ("card", card.text().into()), ("rule", judgement.rule.clone().into())]);
    journaled.and_then(|()| relay.tickets.save(&made)).map_err(|error| {
        refuse("disk", &format!("The journal or the ticket cannot be written ({error}); without them nothing is sent."))
    })?;
    if facts.is_some() {
        count_ask(relay, &judgement);
    }
    let (id, what) = (owned.id.clone(), card.headline.clone());
    let held = Held { id: id.clone(), owned: Some(owned), call, facts, judgement, card, tier };
    let (relay, tracker) = (Arc::clone(relay), relay.tasks.clone());
    tracker.spawn(async move { send::live(&relay, held, send::Prompt::Desk).await });
    Ok((id, what))
}

/// The judgement of a call that closes positions, without its facts: its card goes up at once, and the facts fill it in
/// (DESIGN section 5, exits come first). `None` where the facts have to be read before anything can be said.
fn at_once(relay: &Relay, call: &Call, policy: &Policy, settings: &Settings) -> Option<Judgement> {
    let closes = matches!(call.form(), Form::ClosePosition | Form::Flatten | Form::FlattenEverything);
    let allowed = |action: Do| action == Do::Allow;
    if !closes || policy.deciding(Class::Exit, call.tool(), call.account()).is_some_and(|rule| allowed(rule.action())) {
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

/// Counts a question that is put to the person; proven exits are free.
pub(super) fn count_ask(relay: &Relay, judgement: &Judgement) {
    if judgement.verdict == Verdict::Ask && !matches!(judgement.class, Class::Exit | Class::Protect) {
        update_counters(relay, |counters| counters.note_ask_for(judgement.class, judgement.opening, wall_ms()));
    }
}

/// Decides on another process's ticket in this terminal (`watch`): the same judgement, the same single sending, under
/// the ticket's own locks.
///
/// # Errors
/// Why it cannot be decided on here.
pub(crate) async fn decide_here(relay: &Arc<Relay>, ticket: &Ticket) -> Result<(), String> {
    let call = Call::from_stored(&ticket.name_raw, &ticket.arguments_raw).map_err(|refusal| refusal.reason)?;
    let settings = &relay.settings()?;
    let policy = load_policy(relay)?;
    let facts = relay.facts.gather(&relay.read, &call, true).await;
    let judgement = judge_again(relay, &ticket.id, &call, &facts, &policy, settings, &counters(relay));
    if judgement.verdict == Verdict::Deny {
        return Err(judgement.reason);
    }
    let mut card = make_card(relay, &ticket.id, &call, &facts, &judgement, &policy, settings);
    card.client.clone_from(&ticket.client);
    // Another process is armed, not this one: here the installation's own tier holds.
    let tier = judgement.tier;
    let held = Held { id: ticket.id.clone(), owned: None, call, facts: Some(facts), judgement, card, tier };
    send::live(relay, held, send::Prompt::Terminal).await;
    Ok(())
}

/// An open ticket for the very same call, or one whose outcome nobody has read yet.
fn twin_of(relay: &Relay, call: &Call) -> Option<String> {
    let now = wall_ms();
    let same = |ticket: &Ticket| ticket.digest == call.digest() && ticket.endpoint == relay.endpoint.url();
    let twin = relay.tickets.all().into_iter().find(|ticket| {
        let recent = ticket.ended_wall.is_some_and(|ended| ended + UNREAD_OUTCOME_MS > now);
        same(ticket) && (ticket.state.is_open() || (recent && ticket.sent_wall.is_some() && !relay.tickets.notes(&ticket.id).read))
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
        lists::Pin::Changed => Err(("definition_changed", format!("The service now describes {tool} differently from when the person signed in. Trading with it stays off until they have looked: `countersign login --trade`."))),
        lists::Pin::New => Err(("definition_new", format!("{tool} was not there when the person signed in. It stays off until they have looked: `countersign login --trade`."))),
        lists::Pin::Unlisted if relay.lists.has_trade() => Err(("unknown_tool", format!("The service does not list a tool named {tool}."))),
        lists::Pin::Unlisted => Err(("sign_in", String::new())),
    }
}

/// Reads the policy; no file is the default policy.
pub(crate) fn load_policy(relay: &Relay) -> Result<Policy, String> {
    load_policy_at(&relay.world.paths.policy())
}

/// Reads the policy at this path: refused where it is a link, or others may write to it.
pub(crate) fn load_policy_at(path: &std::path::Path) -> Result<Policy, String> {
    let name = path.display().to_string();
    if let Ok(meta) = std::fs::symlink_metadata(path) {
        if meta.file_type().is_symlink() {
            return Err(format!("{name} is a symbolic link"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            if meta.mode() & 0o022 != 0 {
                return Err(format!("{name} can be written by others: run `chmod go-w` on it"));
            }
        }
    }
    match file::read_text(path, MAX_POLICY) {
        Ok(Some(text)) => Policy::parse(&text).map_err(|error| format!("{name}: {error}")),
        Ok(None) => Ok(Policy::default()),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// Judges on these facts before anyone is asked, with what is open and what is unknown over all processes.
pub(super) fn judge_now(relay: &Relay, call: &Call, facts: &Facts, policy: &Policy, settings: &Settings, counters: &Counters) -> Judgement {
    let around = Around::of(relay, None);
    judge::judge(call, facts, policy, &around.situation(settings, counters))
}

/// The same while this ticket is asked and at its approval: it does not stand in its own way.
pub(super) fn judge_again(
    relay: &Relay,
    ticket: &str,
    call: &Call,
    facts: &Facts,
    policy: &Policy,
    settings: &Settings,
    counters: &Counters,
) -> Judgement {
    let around = Around::of(relay, Some(ticket));
    judge::judge_again(call, facts, policy, &around.situation(settings, counters))
}

/// What the tickets of all processes say to a judgement.
struct Around {
    open_entries: usize,
    unknown: Vec<(String, String)>,
}

impl Around {
    fn of(relay: &Relay, but: Option<&str>) -> Self {
        let mut around = Self { open_entries: 0, unknown: Vec::new() };
        for ticket in relay.tickets.all().into_iter().filter(|ticket| Some(ticket.id.as_str()) != but) {
            match ticket.state {
                State::Held if limits::group(ticket.class, ticket.opening) == limits::Group::Entry => around.open_entries += 1,
                State::Unknown if !relay.tickets.notes(&ticket.id).acknowledged => {
                    around.unknown.push((ticket.account.unwrap_or_default(), ticket.root.unwrap_or_default()));
                }
                _ => {}
            }
        }
        around
    }

    fn situation<'a>(&'a self, settings: &Settings, counters: &'a Counters) -> judge::Situation<'a> {
        judge::Situation {
            now_wall: wall_ms(),
            installation_tier: settings.tier,
            counters,
            open_entry_tickets: self.open_entries,
            unknown_outcomes: &self.unknown,
            unacknowledged: !self.unknown.is_empty(),
        }
    }
}

/// What it takes now: inside the armed time a click does, for what the armed time covers.
pub(super) fn effective_tier(relay: &Relay, settings: &Settings, judgement: &Judgement) -> Tier {
    let covered = settings.armed == ArmedFor::All || matches!(judgement.class, Class::Exit | Class::Protect);
    if judgement.tier == Tier::Pin && covered && relay.unsealed.grant().is_some() { Tier::Click } else { judgement.tier }
}

pub(super) fn make_card(relay: &Relay, ticket: &str, call: &Call, facts: &Facts, judgement: &Judgement, policy: &Policy, settings: &Settings) -> Card {
    let client = relay.client_name();
    let context = card::CardContext { ticket, client: &client, phrase: settings.phrase.as_deref(), now_wall: wall_ms() };
    card::card(call, facts, judgement, policy, &context)
}

/// What the service's answer said, read from the ticket: a deed done in part is kept as an answered one.
fn read_again(ticket: &Ticket, upstream: &str) -> Option<outcome::Said> {
    let call = Call::from_stored(&ticket.name_raw, &ticket.arguments_raw).ok()?;
    Some(outcome::read(&call, upstream))
}

/// The name of a ticket's tool.
pub(crate) fn tool_name(ticket: &Ticket) -> String {
    crate::wire::json::string(&ticket.name_raw).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// What a ticket is about, from facts only.
pub(crate) fn headline(ticket: &Ticket) -> String {
    ticket.card.as_ref().map_or_else(|| tool_name(ticket), |card| card.headline.clone())
}

/// The counters of all processes; what cannot be read counts as exhausted.
pub(super) fn counters(relay: &Relay) -> Counters {
    match file::read_text(&relay.world.paths.counters(), 1024 * 1024) {
        Ok(text) => Counters::parse(text.as_deref()),
        Err(_) => Counters::exhausted(),
    }
}

/// Changes the counters under their lock.
pub(super) fn update_counters(relay: &Relay, change: impl FnOnce(&mut Counters)) {
    let paths = &relay.world.paths;
    let Ok(_turn) = FileLock::take_blocking(&paths.lock("counters.lock"), Duration::from_secs(2)) else { return };
    let mut kept = counters(relay);
    change(&mut kept);
    if let Err(error) = file::write_atomic(&paths.counters(), kept.text().as_bytes()) {
        tracing::warn!(%error, "the counters could not be kept");
    }
}

/// Waits for a ticket's end until `until` (monotonic ms), and returns the client's result.
async fn wait(relay: &Arc<Relay>, ticket: &str, until: u64, what: &str, progress: Option<(&Id, &Id)>, cancel: Option<&CancellationToken>) -> String {
    let never = CancellationToken::new();
    let cancel = cancel.unwrap_or(&never);
    let (mut told, mut next_progress) = (0u64, mono_ms() + 500);
    loop {
        let now = relay.tickets.load(ticket);
        match now {
            Ok(Some(ticket)) if ticket.state.is_final() => {
                mark_read(relay, &ticket.id);
                return outcome_of(&ticket, &relay.tickets.notes(&ticket.id)).unwrap_or_else(|| words::no_ticket(&ticket.id));
            }
            Ok(Some(ticket)) if mono_ms() >= until => {
                return match ticket.state {
                    State::Sending => words::sending(&ticket.id, what),
                    _ => words::waiting(&ticket.id, what, ticket.deadline().map(local_time).as_deref()),
                };
            }
            Ok(Some(_)) => {}
            Ok(None) => return words::no_ticket(ticket),
            Err(error) => return words::refused("ticket", &format!("The ticket cannot be read: {error}.")),
        }
        // None after a cancel: some clients close the pipe on a token that they no longer know.
        if let Some((token, _)) = progress
            && mono_ms() >= next_progress
            && lock(&relay.in_flight).knows_progress(token)
        {
            told += 1;
            next_progress = mono_ms() + u64::try_from(PROGRESS.as_millis()).unwrap_or(5000);
            relay.say(&format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{},"progress":{told},"message":"waiting for the person's approval, ticket {ticket}"}}}}"#,
                token.raw()
            ));
        }
        tokio::select! {
            () = cancel.cancelled() => {
                if !relay.ending.is_cancelled() {
                    let _ = end_held(relay, ticket, State::Withdrawn, "the AI client cancelled the call").await;
                }
                return words::no_ticket(ticket);
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// `countersign_await_approval`.
pub(super) async fn await_ticket(relay: &Arc<Relay>, ticket: &str, cancel: &CancellationToken) -> String {
    let Ok(Some(found)) = relay.tickets.load(ticket) else { return words::no_ticket(ticket) };
    let patience = relay.hold_seconds();
    let what = headline(&found);
    let until = mono_ms() + patience * 1000;
    tokio::select! {
        // Only the creating call's cancel withdraws a ticket; this one just stops listening.
        () = cancel.cancelled() => words::no_ticket(ticket),
        answer = wait(relay, ticket, until, &what, None, None) => answer,
    }
}

/// `countersign_withdraw`.
pub(super) async fn withdraw(relay: &Arc<Relay>, ticket: &str) -> String {
    match end_held(relay, ticket, State::Withdrawn, "the AI client took it back").await {
        Ok(()) | Err(_) => match relay.tickets.load(ticket) {
            Ok(Some(ticket)) => {
                outcome_of(&ticket, &relay.tickets.notes(&ticket.id)).unwrap_or_else(|| words::sending(&ticket.id, &headline(&ticket)))
            }
            _ => words::no_ticket(ticket),
        },
    }
}

/// Ends a held ticket in this state, if it is still held: first the journal, then the file.
pub(crate) async fn end_held(relay: &Relay, id: &str, state: State, reason: &str) -> std::io::Result<()> {
    end_held_in(&relay.tickets, &relay.journal, id, state, reason).await
}

/// As [`end_held`], for verbs that run without a relay.
pub(crate) async fn end_held_in(
    tickets: &super::Tickets,
    journal: &crate::journal::Journal,
    id: &str,
    state: State,
    reason: &str,
) -> std::io::Result<()> {
    let _turn = tickets.turn(id).await?;
    let Some(mut ticket) = tickets.load(id)? else { return Err(std::io::Error::other("no such ticket")) };
    ticket.end(state, reason, wall_ms()).map_err(|illegal| std::io::Error::other(illegal.to_string()))?;
    journal.append(state.word(), fields(&ticket, &[("reason", reason.into())]))?;
    tickets.save(&ticket)
}

/// The client's result for a ticket that has ended.
pub(crate) fn outcome_of(ticket: &Ticket, notes: &Notes) -> Option<String> {
    let what = headline(ticket);
    let reason = ticket.reason.as_deref().unwrap_or("no reason was kept");
    let upstream = ticket.outcome.as_deref().unwrap_or("null");
    Some(match ticket.state {
        State::Held | State::Sending => return None,
        State::Accepted => match read_again(ticket, upstream) {
            Some(outcome::Said::Otherwise(said)) => words::otherwise(&ticket.id, upstream, &said, &what),
            _ => words::answered(&ticket.id, true, upstream, &what),
        },
        State::Rejected if ticket.sent_wall.is_none() => words::ended(&ticket.id, "not sent", reason, &what),
        State::Rejected => words::answered(&ticket.id, false, upstream, &what),
        State::Unknown => words::unknown(&ticket.id, reason, notes.found.as_deref(), &what),
        State::Denied | State::Expired | State::Withdrawn | State::Voided | State::Tampered => {
            words::ended(&ticket.id, ticket.state.word(), reason, &what)
        }
    })
}

fn mark_read(relay: &Relay, id: &str) {
    let notes = relay.tickets.notes(id);
    if !notes.read {
        relay.tickets.save_notes(id, &Notes { read: true, ..notes });
    }
}

/// `countersign_status`.
pub(super) async fn status(relay: &Arc<Relay>) -> String {
    let halted = relay.world.paths.halt().exists();
    let grants = relay.grants.overview().await.unwrap_or_default();
    let has = |kind: GrantKind| grants.iter().any(|grant| grant.kind == kind);
    let (read, trade) = (has(GrantKind::Read), has(GrantKind::Trade));
    let day_ago = wall_ms().saturating_sub(24 * 3600 * 1000);
    let today: Vec<Value> = relay
        .tickets
        .all()
        .iter()
        .filter(|ticket| ticket.created_wall >= day_ago)
        .take(50)
        .map(|ticket| {
            json!({
                "ticket": ticket.id, "state": ticket.state.word(), "tool": tool_name(ticket),
                "what": headline(ticket), "reason": ticket.reason, "found": relay.tickets.notes(&ticket.id).found,
            })
        })
        .collect();
    let text = match (read, trade, halted) {
        (false, _, _) => "Not signed in: ask the person to run `countersign login`.".to_owned(),
        (true, _, true) => "Signed in. AI trading is STOPPED on this computer; reads work. The person can allow it again with `countersign resume`.".to_owned(),
        (true, false, false) => "Signed in for reading. Trading is not enabled: the person can run `countersign login --trade`.".to_owned(),
        (true, true, false) => "Signed in for reading and trading; every trade call is held for the person's approval.".to_owned(),
    };
    let text = format!("{text} Tickets of the last 24 hours: {}.", today.len());
    words::result(&text, json!({ "signedIn": read, "tradingEnabled": trade, "halted": halted, "tickets": today }), false)
}

/// The journal fields of a ticket.
pub(crate) fn fields(ticket: &Ticket, more: &[(&str, Value)]) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("ticket".into(), ticket.id.clone().into());
    fields.insert("tool".into(), tool_name(ticket).into());
    fields.insert("digest".into(), ticket.digest.clone().into());
    fields.insert("client".into(), ticket.client.clone().into());
    for (key, value) in more {
        fields.insert((*key).into(), value.clone());
    }
    fields
}

pub(super) fn journal(relay: &Relay, kind: &str, ticket: &Ticket, more: &[(&str, Value)]) -> std::io::Result<()> {
    relay.journal.append(kind, fields(ticket, more))
}

/// A journal line that no effect depends on.
pub(super) fn note(relay: &Relay, kind: &str, more: &[(&str, Value)]) {
    let fields = more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    if let Err(error) = relay.journal.append(kind, fields) {
        tracing::error!(%error, "the journal cannot be written");
    }
}

fn raw(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// The arguments for the journal: whole for orders, digest and length for long ones (written code).
fn arguments_of(ticket: &Ticket) -> Value {
    if ticket.arguments_raw.len() <= 16 * 1024 { raw(&ticket.arguments_raw) } else { json!({ "bytes": ticket.arguments_raw.len() }) }
}

impl Relay {
    /// Recovers the tickets of dead owners: what was not sent is voided, what was being sent is unknown.
    pub(super) fn recover(self: &Arc<Self>) {
        let relay = Arc::clone(self);
        self.tasks.spawn(async move {
            for ticket in relay.tickets.all().into_iter().filter(|ticket| ticket.state.is_open()) {
                if let Err(error) = relay.recover_one(&ticket.id).await {
                    tracing::warn!(%error, ticket = %ticket.id, "a ticket could not be recovered");
                }
            }
        });
    }

    async fn recover_one(self: &Arc<Self>, id: &str) -> std::io::Result<()> {
        let Some(owned) = self.tickets.adopt(id)? else { return Ok(()) };
        let _turn = self.tickets.turn(id).await?;
        let Some(mut ticket) = self.tickets.load(id)? else { return Ok(()) };
        let Some(state) = ticket.recover(wall_ms()) else { return Ok(()) };
        journal(self, state.word(), &ticket, &[("reason", ticket.reason.clone().unwrap_or_default().into())])?;
        self.tickets.save(&ticket)?;
        if state == State::Unknown {
            super::lookup::start(self, owned, ticket);
        } else if matches!(ticket.class, Class::Exit | Class::Protect) {
            super::lookup::unprotected(self, id, &headline(&ticket)).await;
        }
        Ok(())
    }
}
