//! What was written down: the journal and the tickets.

use super::{Check, Context, Seen, fail, ok, skipped, warn};
use crate::cli::waiting;
use crate::gate::value::count;
use crate::journal;
use crate::relay::tickets::Tickets;

/// A longer journal (bytes) is not checked whole here: that has a verb of its own.
const QUICK: u64 = 32 * 1024 * 1024;

pub(super) fn checks(context: &Context) -> Vec<Check> {
    let tickets = Tickets::of(&context.world.paths);
    vec![
        Check::new("journal", chain(context)),
        Check::new("tickets", readable(&tickets)),
        Check::new("left-over", left_over(&tickets)),
        Check::new("unknown", unknown(&tickets)),
    ]
}

fn chain(context: &Context) -> Seen {
    let path = context.world.paths.journal();
    let size = std::fs::metadata(&path).map_or(0, |found| found.len());
    if size > QUICK {
        return skipped(format!(
            "{} MB are too many for a quick look: countersign journal verify",
            size / (1024 * 1024)
        ));
    }
    let verdict = match journal::open(&path) {
        Ok(Some(file)) => journal::verify(file),
        Ok(None) => journal::verify(std::io::empty()),
        Err(error) => Err(error),
    };
    match verdict {
        Ok(verdict) if verdict.faults.is_empty() => {
            ok(format!("{}, the chain holds", count(verdict.lines, "line")))
        }
        Ok(verdict) => {
            let line = verdict.faults.first().map_or(0, |fault| fault.line);
            fail(
                format!(
                    "damaged in {}, first at line {line}",
                    count(verdict.faults.len(), "place")
                ),
                "see `countersign journal verify`; keep the file, and move it away to start a new one",
            )
        }
        Err(error) => fail(
            format!("{}: {error}; no order can be sent", path.display()),
            "move the journal file away and keep it",
        ),
    }
}

fn readable(tickets: &Tickets) -> Seen {
    let survey = tickets.survey();
    let bad: Vec<String> = survey
        .unreadable
        .iter()
        .filter(|id| !tickets.notes(id).acknowledged)
        .cloned()
        .collect();
    match bad.first() {
        None => ok(format!("{} of the last week", survey.tickets.len())),
        Some(first) => fail(
            format!(
                "the files of these orders cannot be read, and what was in them may have been sent: {}",
                bad.join(", ")
            ),
            format!("look at orders and positions in NinjaTrader, then: countersign acknowledge {first}"),
        ),
    }
}

/// Tickets whose process died: nothing is sent for them, and the next AI client clears them away.
fn left_over(tickets: &Tickets) -> Seen {
    let all = tickets.all();
    let dead: Vec<&str> = all
        .iter()
        .filter(|ticket| ticket.state.is_open() && !tickets.is_owned(&ticket.id).unwrap_or(true))
        .map(|ticket| ticket.id.as_str())
        .collect();
    if dead.is_empty() {
        return ok("no order waits for a program that is gone");
    }
    warn(
        format!(
            "the AI client that asked about {} is gone; what was not sent is void",
            dead.join(", ")
        ),
        "start your AI client once: it clears them away and looks for what was sent",
    )
}

fn unknown(tickets: &Tickets) -> Seen {
    let doubts = waiting::doubts(tickets);
    match doubts.first() {
        None => ok("no order's outcome is unknown"),
        Some((ticket, _)) => warn(
            format!(
                "{} of your orders may or may not have been executed, first {}: {}",
                doubts.len(),
                ticket.id,
                waiting::headline(ticket)
            ),
            format!(
                "look at orders and positions in NinjaTrader, then: countersign acknowledge {}",
                ticket.id
            ),
        ),
    }
}
