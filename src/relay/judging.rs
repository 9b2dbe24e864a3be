//! Judging a call with what all processes of this installation know: policy, counters, tickets, settings.

use super::Relay;
use super::settings::Settings;
use crate::gate::policy::Policy;
use crate::gate::ticket::State;
use crate::gate::{Call, Card, Class, Counters, Facts, Judgement, Tier, Verdict, card, judge, limits};
use crate::system::clock::wall_ms;
use crate::system::{FileLock, file};
use std::time::Duration;

/// The largest policy file.
const MAX_POLICY: u64 = 256 * 1024;

/// The largest counters file: the most orders that it keeps, each copied to the most accounts.
const MAX_COUNTERS: u64 = 4 * 1024 * 1024;

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
        for ticket in relay
            .tickets
            .all()
            .into_iter()
            .filter(|ticket| Some(ticket.id.as_str()) != but)
        {
            match ticket.state {
                State::Held if limits::group(ticket.class, ticket.opening) == limits::Group::Entry => {
                    around.open_entries += 1;
                }
                // A backtest or an alert whose answer was lost leaves no doubt about a position.
                State::Unknown
                    if limits::group(ticket.class, ticket.opening) != limits::Group::Aside
                        && !relay.tickets.notes(&ticket.id).acknowledged =>
                {
                    around.unknown.push((
                        ticket.account.unwrap_or_default(),
                        ticket.root.unwrap_or_default(),
                    ));
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
    match file::read_text(&relay.world.paths.counters(), MAX_COUNTERS) {
        Ok(text) => Counters::parse(text.as_deref()),
        Err(_) => Counters::exhausted(),
    }
}

/// Changes the counters under their lock.
pub(super) fn update_counters(relay: &Relay, change: impl FnOnce(&mut Counters)) {
    let paths = &relay.world.paths;
    let Ok(_turn) = FileLock::take_blocking(&paths.lock("counters.lock"), Duration::from_secs(2)) else {
        return;
    };
    let mut kept = counters(relay);
    change(&mut kept);
    if let Err(error) = file::write_atomic(&paths.counters(), kept.text().as_bytes()) {
        tracing::warn!(%error, "the counters could not be kept");
    }
}

/// Counts a question that is put to the person; proven exits are free.
pub(super) fn count_ask(relay: &Relay, judgement: &Judgement) {
    if judgement.verdict == Verdict::Ask && !matches!(judgement.class, Class::Exit | Class::Protect) {
        update_counters(relay, |counters| {
            counters.note_ask_for(judgement.class, judgement.opening, wall_ms());
        });
    }
}
