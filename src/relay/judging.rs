//! Judging a call with what all processes of this installation know: policy, counters, tickets, settings.

use super::Relay;
use super::facts::Round;
use super::past::{Past, Seen};
use super::refusals::{Like, Stopped};
use super::settings::Settings;
use crate::gate::policy::Policy;
use crate::gate::ticket::{State, Ticket};
use crate::gate::{Call, Card, Class, Counters, Facts, Judgement, Tier, Verdict, card, judge, limits};
use crate::system::clock::{mono_ms, wall_ms};
use crate::system::file::Stamp;
use crate::system::{FileLock, Paths, aside, file};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The largest counters file: the most orders that it keeps, each copied to the most accounts.
const MAX_COUNTERS: u64 = 4 * 1024 * 1024;

impl Relay {
    /// The state that a judgement of this call would be made on; nothing is asked, and nobody is signed in for it.
    pub(crate) async fn facts_for(&self, call: &Call, policy: &Policy) -> Facts {
        self.facts.gather(&self.read, call, policy, Round::First).await
    }
}

/// Judges on these facts before anyone is asked, with what is open and what is unknown over all processes.
pub(super) fn judge_now(
    relay: &Relay,
    call: &Call,
    facts: &Facts,
    policy: &Policy,
    settings: &Settings,
    counters: &Counters,
) -> Judgement {
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
    let mut others = counters.clone();
    others.forget(ticket, wall_ms());
    judge::judge_again(call, facts, policy, &around.situation(settings, &others))
}

/// What the tickets of all processes say to a judgement.
struct Around {
    open_entries: usize,
    unknown: Vec<(String, String)>,
    sending: Vec<(String, String)>,
    lately: Vec<Arc<Ticket>>,
}

impl Around {
    fn of(relay: &Relay, but: Option<&str>) -> Self {
        let mut around = Self {
            open_entries: 0,
            unknown: Vec::new(),
            sending: Vec::new(),
            lately: Vec::new(),
        };
        let survey = relay.tickets.survey();
        for ticket in survey
            .tickets
            .iter()
            .filter(|ticket| Some(ticket.id.as_str()) != but)
        {
            let place = || {
                (
                    ticket.account.clone().unwrap_or_default(),
                    ticket.root.clone().unwrap_or_default(),
                )
            };
            if ticket.state == State::Sending && may_move_a_position(ticket.class) {
                around.sending.push(place());
            }
            if ticket.state == State::Accepted && ticket.ended_wall.is_some_and(is_lately) {
                around.lately.push(Arc::clone(ticket));
            }
            match ticket.state {
                State::Held if limits::group(ticket.class, ticket.opening) == limits::Group::Entry => {
                    around.open_entries += 1;
                }
                // A backtest or an alert whose answer was lost leaves no doubt about a position.
                State::Unknown | State::Sending
                    if limits::group(ticket.class, ticket.opening) != limits::Group::Aside
                        && is_in_doubt(relay, ticket) =>
                {
                    around.unknown.push(place());
                }
                _ => {}
            }
        }
        // What was in a ticket that cannot be read may have been sent, anywhere.
        for id in &survey.unreadable {
            if !relay.tickets.notes(id).acknowledged {
                around.unknown.push((String::new(), String::new()));
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
            on_their_way: &self.sending,
            lately: &self.lately,
        }
    }
}

/// For how long (ms) a list that does not show an order that was taken counts as one that lags.
const LAG_MS: u64 = 10_000;

/// A time to come counts: a clock that was set back frees nothing.
fn is_lately(ended: u64) -> bool {
    wall_ms().saturating_sub(ended) < LAG_MS
}

/// Whether a call of this class may trade by itself; a cancel takes orders away and trades nothing.
const fn may_move_a_position(class: Class) -> bool {
    matches!(
        class,
        Class::Order | Class::Exit | Class::Protect | Class::Strategy | Class::Unknown
    )
}

/// How long an answer may be on its way before its order counts as one whose outcome is not known.
const ANSWER_MS: u64 = 5000;

/// Whether nobody knows what became of it, and the person has not said that they looked.
fn is_in_doubt(relay: &Relay, ticket: &Ticket) -> bool {
    match ticket.state {
        State::Sending => ticket
            .sent_wall
            .is_none_or(|sent| wall_ms().saturating_sub(sent) > ANSWER_MS),
        _ => !relay.tickets.notes(&ticket.id).acknowledged,
    }
}

/// The brake that stops an entry now, without any facts; `None` where none does, or where something was sent since, which
/// may have made an entry an exit.
pub(super) async fn entry_brake(relay: &Relay, since: u64) -> Option<(&'static str, String)> {
    let tickets = relay.tickets.all();
    if tickets.iter().any(|ticket| ticket.sent_wall >= Some(since)) {
        return None;
    }
    let waits = |ticket: &&Arc<Ticket>| {
        ticket.state == State::Held && limits::group(ticket.class, ticket.opening) == limits::Group::Entry
    };
    let open = tickets.iter().filter(waits).count();
    let (counters, now) = (counters(relay).await, wall_ms());
    counters
        .brake(Class::Order, true, open, now)
        .or_else(|| counters.look_brake(limits::LOOKS_PER_MINUTE, now))
}

/// What stops a new order without a look at the account's state; a flood costs the service nothing then. One of a kind
/// that was not looked at lately may close a position, and is stopped only where very many were looked at; one at the
/// market may be the way out of a position that was filled since, and is looked at as long as few were.
pub(super) async fn stopped_unseen(
    relay: &Relay,
    like: &Like,
    market: bool,
) -> Option<(&'static str, String)> {
    let not_sent = |(code, reason)| (code, format!("Nothing was sent: {reason}."));
    let most = if market {
        limits::LOOKS_PER_MINUTE
    } else {
        limits::MOST_LOOKS
    };
    match relay.refusals.stopped(like, mono_ms()).filter(|_| !market) {
        Some(Stopped::Unread(code, reason)) => Some((code, reason)),
        Some(Stopped::Braked(since)) => entry_brake(relay, since).await.map(not_sent),
        None => counters(relay).await.look_brake(most, wall_ms()).map(not_sent),
    }
}

/// Counts a look at a new order, and remembers for its like what stopped it.
pub(super) async fn note_look(relay: &Relay, like: Like, judgement: &Judgement) {
    if judgement.verdict == Verdict::Allow {
        return;
    }
    update_counters(relay, |counters| counters.note_look(wall_ms())).await;
    if judgement.verdict != Verdict::Deny {
        return;
    }
    // Whatever else was wrong with it (a read that did not come in the flood): a brake stops its like as well.
    let now = wall_ms();
    if entry_brake(relay, now).await.is_some() {
        relay.refusals.stop(like, mono_ms(), Stopped::Braked(now));
    } else if judgement.code.ends_with("_unread") {
        let unread = Stopped::Unread(judgement.code, judgement.reason.clone());
        relay.refusals.stop(like, mono_ms(), unread);
    }
}

/// What it takes now: inside the armed time a click does, for what the armed time covers.
pub(super) fn effective_tier(relay: &Relay, judgement: &Judgement) -> Tier {
    if judgement.tier == Tier::Pin && relay.unsealed.covers(judgement.class) {
        Tier::Click
    } else {
        judgement.tier
    }
}

pub(super) fn make_card(
    relay: &Relay,
    ticket: &str,
    call: &Call,
    facts: &Facts,
    judgement: &Judgement,
    policy: &Policy,
    settings: &Settings,
) -> Card {
    let client = relay.client_name();
    let context = card::CardContext {
        ticket,
        client: &client,
        phrase: settings.phrase.as_deref(),
        now_wall: wall_ms(),
    };
    card::card(call, facts, judgement, policy, &context)
}

/// The counters of all processes; what cannot be read counts as exhausted. So do counters that are gone, where a trade
/// grant lies under a PIN and something was sent lately: whoever deleted them did not ask the person.
pub(super) async fn counters(relay: &Relay) -> Counters {
    if let Some(kept) = relay.counted.read(&relay.world.paths) {
        return kept;
    }
    let sealed = relay.is_sealed_anywhere().await;
    missing(sealed && was_sent_lately(relay.past.look().await))
}

/// The counters as they were read last: they may be long, and are asked for with every refusal.
#[derive(Debug, Default)]
pub(super) struct Counted(Mutex<Option<(Stamp, Counters)>>);

impl Counted {
    /// The counters as they are now, read where the file is not the one that was read; `None` where there is none.
    fn read(&self, paths: &Paths) -> Option<Counters> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Before reading: a file that is replaced in between is read once more the next time.
        let before = known.as_ref().map(|(stamp, _)| stamp);
        let stamp = Stamp::of(&paths.counters(), before).ok().flatten();
        if let Some((stamp, (before, counters))) = stamp.as_ref().zip(known.as_ref())
            && stamp.is_still(before)
        {
            return Some(counters.clone());
        }
        let counters = kept_at(paths);
        // That a file cannot be read may pass, and is asked each time.
        let readable = counters.clone().filter(|counters| !counters.is_exhausted());
        *known = stamp.zip(readable);
        counters
    }
}

/// The same for verbs that run without a relay; `sealed` where a trade grant lies under a PIN.
pub(crate) fn counters_at(paths: &Paths, sealed: bool, past: &Past) -> Counters {
    kept_at(paths).unwrap_or_else(|| missing(sealed && was_sent_lately(past.look_now())))
}

/// `None` where there is no file.
fn kept_at(paths: &Paths) -> Option<Counters> {
    match file::read_text(&paths.counters(), MAX_COUNTERS) {
        Ok(text) => text.map(|text| Counters::parse(Some(&text))),
        Err(_) => Some(Counters::exhausted()),
    }
}

/// Before each sending the counters are written: where one is on record, they were there.
fn missing(deleted: bool) -> Counters {
    if deleted {
        Counters::exhausted()
    } else {
        Counters::parse(None)
    }
}

/// A journal that cannot be read says nothing that would free a limit.
fn was_sent_lately(seen: std::io::Result<Seen>) -> bool {
    seen.map_or(true, |seen| seen.has_sent_lately(wall_ms()))
}

/// Changes the counters under their lock, off the loop, and returns them as they were and as they are.
pub(super) async fn update_counters(
    relay: &Relay,
    change: impl FnOnce(&mut Counters) + Send + 'static,
) -> Option<(Counters, Counters)> {
    let (paths, past) = (relay.world.paths.clone(), relay.past.clone());
    let sealed = relay.is_sealed_anywhere().await;
    let changed = async {
        // Waited for here: what this process holds the lock for may want the disk first.
        let turn = FileLock::take(&paths.lock("counters.lock"), Duration::from_secs(2)).await?;
        let paths = paths.clone();
        aside(move || changed_under(&turn, &paths, (sealed, &past), change)).await
    };
    changed
        .await
        .inspect_err(|error| tracing::warn!(%error, "the counters could not be kept"))
        .ok()
}

/// The same at once, for verbs that run without a relay.
pub(crate) fn change_counters(
    paths: &Paths,
    sealed: bool,
    past: &Past,
    change: impl FnOnce(&mut Counters),
) -> std::io::Result<(Counters, Counters)> {
    let turn = FileLock::take_blocking(&paths.lock("counters.lock"), Duration::from_secs(2))?;
    changed_under(&turn, paths, (sealed, past), change)
}

fn changed_under(
    _turn: &FileLock,
    paths: &Paths,
    (sealed, past): (bool, &Past),
    change: impl FnOnce(&mut Counters),
) -> std::io::Result<(Counters, Counters)> {
    let before = counters_at(paths, sealed, past);
    let mut after = before.clone();
    change(&mut after);
    file::write_atomic(&paths.counters(), after.text().as_bytes())?;
    Ok((before, after))
}

/// Begins all counts anew: the person was asked.
pub(super) fn reset_counters(paths: &Paths) -> std::io::Result<()> {
    let _turn = FileLock::take_blocking(&paths.lock("counters.lock"), Duration::from_secs(2))?;
    file::write_atomic(&paths.counters(), Counters::parse(None).text().as_bytes())
}

/// Counts a question that is put to the person; proven exits are free.
pub(super) async fn count_ask(relay: &Relay, judgement: &Judgement) {
    let (class, opening) = (judgement.class, judgement.opening);
    if judgement.verdict == Verdict::Ask && !matches!(class, Class::Exit | Class::Protect) {
        update_counters(relay, move |counters| {
            counters.note_ask_for(class, opening, wall_ms());
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(paths: &Paths, text: &str) {
        file::write_atomic(&paths.counters(), text.as_bytes()).unwrap();
    }

    fn age(paths: &Paths) {
        let file = std::fs::File::options()
            .write(true)
            .open(paths.counters())
            .unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn counters_are_never_older_than_their_file() {
        let home = tempfile::tempdir().unwrap();
        let (paths, counted) = (Paths::under(home.path()), Counted::default());
        let now = wall_ms();
        assert_eq!(counted.read(&paths), None);
        for old in [false, true] {
            for unanswered in [0, 1, 2] {
                let mut counters = Counters::parse(None);
                for _ in 0..unanswered {
                    counters.note_unanswered(now);
                }
                rewrite(&paths, &counters.text());
                if old {
                    age(&paths);
                }
                assert_eq!(counted.read(&paths).as_ref(), Some(&counters));
                assert_eq!(counted.read(&paths).as_ref(), Some(&counters));
            }
        }
        rewrite(&paths, "nonsense");
        age(&paths);
        let exhausted = || {
            counted
                .read(&paths)
                .is_some_and(|counters| counters.is_exhausted())
        };
        assert!(exhausted() && exhausted());
        std::fs::remove_file(paths.counters()).unwrap();
        assert_eq!(counted.read(&paths), None);
    }
}
