//! After an unknown outcome: looks at orders, fills and positions, and tells what was found. Nothing is ever sent again.
//!
//! Owns: when to look, who looks (the process that holds the ticket's locks), what is written down. Refuses to know: what
//! a list proves (`gate::seen`). Looks that were cut short are taken up by the next process.

use super::tickets::Owned;
use super::unwritten::Locks;
use super::{Relay, outcomes, words};
use crate::approve::Notice;
use crate::gate::outcome::{self, Around, Seen, seen};
use crate::gate::ticket::{State, Ticket};
use crate::gate::{Call, Class, Facts};
use crate::system::clock::wall_ms;
use std::sync::Arc;
use std::time::Duration;

/// When we look, in seconds after the doubt arose: lists lag, and `NinjaTrader` may have to come back first.
const LOOKS: [u64; 5] = [2, 5, 15, 30, 60];
/// Looks that were cut short are taken up for this long (a day): later nobody waits for them.
const TAKEN_UP_MS: u64 = 24 * 3600 * 1000;
/// Calls that were sent this far apart do not stand for each other's orders.
const RIVAL_MS: u64 = 10 * 60 * 1000;

/// From when the times of the looks count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// The doubt has just arisen here.
    Now,
    /// It arose this long ago (ms), and whoever looked is gone.
    Before(u64),
}

impl Since {
    /// The pauses before the looks, in milliseconds.
    fn pauses(self) -> Vec<u64> {
        let all = LOOKS.map(|at| at * 1000);
        let times: Vec<u64> = match self {
            Self::Now => all.to_vec(),
            // Too late for a lagging list: one look that succeeds is enough.
            Self::Before(ago) if self.is_late() => {
                debug_assert!(ago >= 60_000);
                std::iter::once(0).chain(all).collect()
            }
            Self::Before(ago) => {
                let left = all.iter().filter(|at| **at > ago).map(|at| at - ago);
                std::iter::once(0).chain(left).collect()
            }
        };
        let mut passed = 0;
        times
            .into_iter()
            .map(|at| {
                let pause = at - passed;
                passed = at;
                pause
            })
            .collect()
    }

    fn is_late(self) -> bool {
        matches!(self, Self::Before(ago) if ago >= 60_000)
    }
}

/// Looks for what became of a ticket whose process died while it was sent, in the background.
pub(super) fn start(relay: &Arc<Relay>, locks: Option<Locks>, ticket: Ticket) {
    let (relay, tracker) = (Arc::clone(relay), relay.tasks.clone());
    tracker.spawn(async move {
        let _locks = locks;
        let lines = vec![
            format!("Ticket {} was being sent when Countersign stopped.", ticket.id),
            words::MAY_HAVE_RUN.to_owned(),
        ];
        let title = format!("OUTCOME UNKNOWN: {}", outcomes::headline(&ticket));
        notice(&relay, title, lines).await;
        // Another service's ticket: what it holds cannot be read through this lane.
        if ticket.endpoint == relay.endpoint.url() {
            let ago = wall_ms().saturating_sub(ticket.sent_wall.unwrap_or_default());
            run(&relay, &ticket, Since::Before(ago)).await;
        }
    });
}

/// Tells that a call which the service had refused unrun may have run all the same, and looks for it, in the background.
pub(super) fn doubted(relay: &Arc<Relay>, locks: Option<Locks>, ticket: Ticket) {
    let (relay, tracker) = (Arc::clone(relay), relay.tasks.clone());
    tracker.spawn(async move {
        let _locks = locks;
        let why = ticket.reason.clone().unwrap_or_default();
        let lines = vec![
            format!("Ticket {}: it was NOT sent again.", ticket.id),
            super::again::ascii(&why),
            words::MAY_HAVE_RUN.to_owned(),
        ];
        let title = format!("OUTCOME UNKNOWN: {}", outcomes::headline(&ticket));
        notice(&relay, title, lines).await;
        run(&relay, &ticket, Since::Now).await;
    });
}

/// Whether somebody still has to look for this ticket's traces.
pub(super) fn is_unfinished(relay: &Relay, ticket: &Ticket) -> bool {
    let ended = ticket.ended_wall.unwrap_or_default();
    ticket.state == State::Unknown
        && ticket.endpoint == relay.endpoint.url()
        && ended.saturating_add(TAKEN_UP_MS) > wall_ms()
        && !relay.tickets.notes(&ticket.id).looked
}

/// Goes on looking where another process left off, in the background.
pub(super) fn take_up(relay: &Arc<Relay>, owned: Owned, ticket: Ticket) {
    let (relay, tracker) = (Arc::clone(relay), relay.tasks.clone());
    tracker.spawn(async move {
        let _owned = owned;
        let ago = wall_ms().saturating_sub(ticket.ended_wall.unwrap_or_default());
        tracing::info!(ticket = %ticket.id, ago, "an unfinished look is taken up");
        run(&relay, &ticket, Since::Before(ago)).await;
    });
}

async fn notice(relay: &Relay, title: String, lines: Vec<String>) {
    relay
        .desk
        .notice(Notice {
            title,
            lines,
            lasting: true,
        })
        .await;
}

/// Tells of a protective or closing order that is not in force. The notice stays.
pub(super) async fn unprotected(relay: &Relay, id: &str, what: &str, became: &str) {
    let lines = vec![
        format!("{what} (ticket {id}) {became}."),
        "Manage the position in NinjaTrader.".to_owned(),
    ];
    notice(relay, "POSITION UNPROTECTED".to_owned(), lines).await;
}

/// Looks at the set times; ends early when nothing more can be learnt. The caller holds the ticket's locks.
pub(super) async fn run(relay: &Arc<Relay>, ticket: &Ticket, since: Since) {
    let Ok(call) = ticket.call() else {
        return;
    };
    let mut last: Option<(Seen, u64)> = None;
    let pauses = since.pauses();
    let mut left = pauses.len();
    for pause in pauses {
        let look = async {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            look(relay, ticket, &call).await
        };
        let now = tokio::select! {
            () = relay.ending.cancelled() => break,
            now = look => now,
        };
        left -= 1;
        let seconds = wall_ms().saturating_sub(ticket.sent_wall.unwrap_or_default()) / 1000;
        // A later look that fails, or sees less, does not take back what an earlier one saw.
        if last
            .as_ref()
            .is_none_or(|(last, _)| now.weight() >= last.weight())
        {
            last = Some((now, seconds));
        }
        let Some((seen, seconds)) = &last else { break };
        let read = !matches!(seen, Seen::CouldNotLook(_));
        // Without the lists from before no later look can tell more than that one may be it.
        let blind = ticket.before.is_none() && matches!(seen, Seen::Maybe(_));
        if seen.is_settled() || blind || (since.is_late() && read) {
            left = 0;
        }
        keep(relay, &ticket.id, seen, *seconds, left > 0);
        if left == 0 {
            break;
        }
    }
    tell(relay, ticket, last, left == 0).await;
}

/// One look.
async fn look(relay: &Relay, ticket: &Ticket, call: &Call) -> Seen {
    let facts = relay.facts.look(&relay.read, call).await;
    around(relay, ticket, |around| seen(call, around, &facts))
}

/// What these facts show of a call that the service says it did not run, and that may come from it.
pub(super) fn trace(relay: &Relay, ticket: &Ticket, call: &Call, facts: &Facts) -> Option<String> {
    around(relay, ticket, |around| outcome::trace(call, around, facts))
}

/// With what is known of all other calls.
fn around<T>(relay: &Relay, ticket: &Ticket, look: impl FnOnce(Around<'_>) -> T) -> T {
    let sent_at = ticket.sent_wall.or(ticket.refused_wall);
    let (mut claimed, mut rivals) = (Vec::new(), Vec::new());
    for other in relay.tickets.all() {
        if other.id == ticket.id || other.endpoint != ticket.endpoint || other.sent_wall.is_none() {
            continue;
        }
        let found = relay.tickets.notes(&other.id).order;
        let doubtful = matches!(other.state, State::Unknown | State::Sending) && found.is_none();
        claimed.extend(found);
        claimed.extend(
            other
                .outcome
                .as_deref()
                .map(outcome::order_ids)
                .unwrap_or_default(),
        );
        let apart = other
            .sent_wall
            .unwrap_or_default()
            .abs_diff(sent_at.unwrap_or_default());
        if doubtful && apart <= RIVAL_MS {
            rivals.extend(other.call().ok());
        }
    }
    look(Around {
        before: ticket.before.as_ref(),
        sent: sent_at,
        claimed: &claimed,
        rivals: &rivals,
    })
}

/// Writes down what was seen so far: whoever asks for the outcome is told.
fn keep(relay: &Relay, id: &str, seen: &Seen, seconds: u64, again: bool) {
    let found = words::looked(seen, seconds, again);
    relay.tickets.change_notes(id, |notes| {
        notes.read &= notes.found.as_ref() == Some(&found);
        notes.found = Some(found);
        notes.order = seen.order().map(str::to_owned);
        notes.looked = !again;
    });
}

/// Tells the person, and the journal, what was found; once for each finding.
async fn tell(relay: &Relay, ticket: &Ticket, last: Option<(Seen, u64)>, finished: bool) {
    let notes = relay.tickets.notes(&ticket.id);
    let found = match &last {
        Some((seen, seconds)) => words::looked(seen, *seconds, !finished),
        None if finished => return,
        None => notes
            .found
            .clone()
            .unwrap_or_else(|| words::NOT_LOOKED.to_owned()),
    };
    // Whoever looked before has told of it already.
    if notes.told.is_some() && (last.is_none() || notes.told.as_ref() == Some(&found)) {
        return;
    }
    outcomes::note(
        relay,
        "looked",
        &[
            ("ticket", ticket.id.clone().into()),
            ("found", found.clone().into()),
            ("order", last.as_ref().and_then(|(seen, _)| seen.order()).into()),
            ("finished", finished.into()),
        ],
    )
    .await;
    relay.tickets.change_notes(&ticket.id, |notes| {
        notes.found = Some(found.clone());
        notes.told = Some(found.clone());
    });
    let title = format!("Looked for {}", outcomes::headline(ticket));
    let mut lines = vec![format!("Ticket {}", ticket.id), found];
    let protects = matches!(ticket.class, Class::Exit | Class::Protect);
    if protects && !matches!(last, Some((Seen::Done { .. }, _))) {
        lines.push("It was to close or protect a position: look in NinjaTrader now.".to_owned());
    }
    notice(relay, title, lines).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_looks_go_on_where_they_were_left() {
        assert_eq!(Since::Now.pauses(), [2000, 3000, 10_000, 15_000, 30_000]);
        assert_eq!(Since::Before(0).pauses(), [0, 2000, 3000, 10_000, 15_000, 30_000]);
        assert_eq!(Since::Before(16_000).pauses(), [0, 14_000, 30_000]);
        assert_eq!(Since::Before(59_999).pauses(), [0, 1]);
        // After a minute no list lags any more, but NinjaTrader may still have to come up.
        assert!(Since::Before(60_000).is_late() && !Since::Before(59_999).is_late());
        assert_eq!(
            Since::Before(3_600_000).pauses(),
            [0, 2000, 3000, 10_000, 15_000, 30_000]
        );
    }
}
