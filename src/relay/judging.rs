//! Judging a call with what all processes of this installation know: policy, counters, tickets, settings.

use super::Relay;
use super::settings::Settings;
use crate::gate::policy::Policy;
use crate::gate::ticket::{State, Ticket};
use crate::gate::{Call, Card, Class, Counters, Facts, Judgement, Tier, Verdict, card, judge, limits};
use crate::system::clock::wall_ms;
use crate::system::file::Stamp;
use crate::system::{FileLock, Paths, aside, file};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The largest counters file: the most orders that it keeps, each copied to the most accounts.
const MAX_COUNTERS: u64 = 4 * 1024 * 1024;

impl Relay {
    /// The state that a judgement of this call would be made on; nothing is asked, and nobody is signed in for it.
    pub(crate) async fn facts_for(&self, call: &Call, policy: &Policy) -> Facts {
        self.facts.gather(&self.read, call, policy, false).await
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
}

impl Around {
    fn of(relay: &Relay, but: Option<&str>) -> Self {
        let mut around = Self {
            open_entries: 0,
            unknown: Vec::new(),
        };
        let survey = relay.tickets.survey();
        for ticket in survey
            .tickets
            .iter()
            .filter(|ticket| Some(ticket.id.as_str()) != but)
        {
            match ticket.state {
                State::Held if limits::group(ticket.class, ticket.opening) == limits::Group::Entry => {
                    around.open_entries += 1;
                }
                // A backtest or an alert whose answer was lost leaves no doubt about a position.
                State::Unknown | State::Sending
                    if limits::group(ticket.class, ticket.opening) != limits::Group::Aside
                        && is_in_doubt(relay, ticket) =>
                {
                    around.unknown.push((
                        ticket.account.clone().unwrap_or_default(),
                        ticket.root.clone().unwrap_or_default(),
                    ));
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
        }
    }
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
pub(super) fn entry_brake(relay: &Relay, since: u64) -> Option<(&'static str, String)> {
    let tickets = relay.tickets.all();
    if tickets.iter().any(|ticket| ticket.sent_wall >= Some(since)) {
        return None;
    }
    let waits = |ticket: &&Arc<Ticket>| {
        ticket.state == State::Held && limits::group(ticket.class, ticket.opening) == limits::Group::Entry
    };
    let open = tickets.iter().filter(waits).count();
    counters(relay).brake(Class::Order, true, open, wall_ms())
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

/// The counters of all processes; what cannot be read counts as exhausted.
pub(super) fn counters(relay: &Relay) -> Counters {
    relay.counted.read(&relay.world.paths)
}

/// The counters as they were read last: they may be long, and are asked for with every refusal.
#[derive(Debug, Default)]
pub(super) struct Counted(Mutex<Option<(Stamp, Counters)>>);

impl Counted {
    /// The counters as they are now, read where the file is not the one that was read.
    fn read(&self, paths: &Paths) -> Counters {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Before reading: a file that is replaced in between is read once more the next time.
        let before = known.as_ref().map(|(stamp, _)| stamp);
        let stamp = Stamp::of(&paths.counters(), before).ok().flatten();
        if let Some((stamp, (before, counters))) = stamp.as_ref().zip(known.as_ref())
            && stamp.is_still(before)
        {
            return counters.clone();
        }
        let counters = counters_at(paths);
        // That a file cannot be read may pass, and is asked each time.
        let stamp = stamp.filter(|_| !counters.is_exhausted());
        *known = stamp.map(|stamp| (stamp, counters.clone()));
        counters
    }
}

/// The same for verbs that run without a relay.
pub(crate) fn counters_at(paths: &Paths) -> Counters {
    match file::read_text(&paths.counters(), MAX_COUNTERS) {
        Ok(text) => Counters::parse(text.as_deref()),
        Err(_) => Counters::exhausted(),
    }
}

/// Changes the counters under their lock, off the loop, and returns them as they were and as they are.
pub(super) async fn update_counters(
    relay: &Relay,
    change: impl FnOnce(&mut Counters) + Send + 'static,
) -> Option<(Counters, Counters)> {
    let paths = relay.world.paths.clone();
    let changed = async {
        // Waited for here: what this process holds the lock for may want the disk first.
        let turn = FileLock::take(&paths.lock("counters.lock"), Duration::from_secs(2)).await?;
        let paths = paths.clone();
        aside(move || changed_under(&turn, &paths, change)).await
    };
    changed
        .await
        .inspect_err(|error| tracing::warn!(%error, "the counters could not be kept"))
        .ok()
}

/// The same at once, for verbs that run without a relay.
pub(crate) fn change_counters(
    paths: &Paths,
    change: impl FnOnce(&mut Counters),
) -> std::io::Result<(Counters, Counters)> {
    let turn = FileLock::take_blocking(&paths.lock("counters.lock"), Duration::from_secs(2))?;
    changed_under(&turn, paths, change)
}

fn changed_under(
    _turn: &FileLock,
    paths: &Paths,
    change: impl FnOnce(&mut Counters),
) -> std::io::Result<(Counters, Counters)> {
    let before = counters_at(paths);
    let mut after = before.clone();
    change(&mut after);
    file::write_atomic(&paths.counters(), after.text().as_bytes())?;
    Ok((before, after))
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
        assert_eq!(counted.read(&paths), Counters::parse(None));
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
                assert_eq!(counted.read(&paths), counters);
                assert_eq!(counted.read(&paths), counters);
            }
        }
        rewrite(&paths, "nonsense");
        age(&paths);
        assert!(counted.read(&paths).is_exhausted() && counted.read(&paths).is_exhausted());
        std::fs::remove_file(paths.counters()).unwrap();
        assert_eq!(counted.read(&paths), Counters::parse(None));
    }
}
