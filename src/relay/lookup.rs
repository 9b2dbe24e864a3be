//! After an unknown outcome: looks at orders and positions, and tells what was found. Nothing is ever sent again.

use super::tickets::Owned;
use super::{Relay, outcomes};
use crate::approve::Notice;
use crate::gate::outcome::{Seen, seen};
use crate::gate::ticket::Ticket;
use crate::gate::{Call, Facts};
use std::sync::Arc;
use std::time::Duration;

/// When we look, in seconds after the doubt arose: lists lag, and `NinjaTrader` may have to come back first.
const LOOKS: [u64; 5] = [2, 5, 15, 30, 60];

/// Looks for what became of a recovered ticket, in the background.
pub(super) fn start(relay: &Arc<Relay>, owned: Owned, ticket: Ticket) {
    let (relay, tracker) = (Arc::clone(relay), relay.tasks.clone());
    tracker.spawn(async move {
        let _owned = owned;
        let lines = vec![
            format!("Ticket {} was being sent when Countersign stopped.", ticket.id),
            "It may or may not have been executed. Check orders and positions in NinjaTrader.".to_owned(),
        ];
        let title = format!("OUTCOME UNKNOWN: {}", outcomes::headline(&ticket));
        relay
            .desk
            .notice(Notice {
                title,
                lines,
                lasting: true,
            })
            .await;
        // Another service's ticket: what it holds cannot be read through this lane.
        if ticket.endpoint == relay.endpoint.url() {
            run(&relay, &ticket, None).await;
        }
    });
}

/// Tells of a protective or closing order that did not go out. The notice stays.
pub(super) async fn unprotected(relay: &Relay, id: &str, what: &str) {
    let lines = vec![
        format!("{what} (ticket {id}) was NOT sent."),
        "Manage the position in NinjaTrader.".to_owned(),
    ];
    relay
        .desk
        .notice(Notice {
            title: "POSITION UNPROTECTED".to_owned(),
            lines,
            lasting: true,
        })
        .await;
}

/// Looks at the set times; ends early when the order was found.
pub(super) async fn run(relay: &Arc<Relay>, ticket: &Ticket, before: Option<&Facts>) {
    let Ok(call) = Call::from_stored(&ticket.name_raw, &ticket.arguments_raw) else {
        return;
    };
    let mut passed = 0;
    let mut last = Seen::CouldNotLook("not looked yet".to_owned());
    for at in LOOKS {
        tokio::select! {
            () = relay.ending.cancelled() => break,
            () = tokio::time::sleep(Duration::from_secs(at - passed)) => {}
        }
        passed = at;
        let facts = relay
            .facts
            .gather(&relay.read, &call, &crate::gate::Policy::default(), true)
            .await;
        let now = seen(&call, before, &facts);
        // A later look that fails, or sees less, does not take back what an earlier one saw.
        if now.weight() >= last.weight() {
            last = now;
        }
        write(relay, &ticket.id, &last);
        // Without the lists from before no later look can tell more than that one may be it.
        if matches!(last, Seen::Done(_)) || (before.is_none() && matches!(last, Seen::Maybe(_))) {
            break;
        }
    }
    let found = sentence(&last);
    outcomes::note(
        relay,
        "looked",
        &[
            ("ticket", ticket.id.clone().into()),
            ("found", found.clone().into()),
        ],
    );
    let title = format!("Looked for {}", outcomes::headline(ticket));
    relay
        .desk
        .notice(Notice {
            title,
            lines: vec![format!("Ticket {}", ticket.id), found],
            lasting: true,
        })
        .await;
}

/// What a look says, for the client and the person.
fn sentence(seen: &Seen) -> String {
    match seen {
        Seen::Done(what) => format!("FOUND after looking: {what}. It was executed or is working"),
        Seen::Dead(what) => format!("FOUND after looking: {what}. It is not in force"),
        Seen::Maybe(what) => format!("SEEN after looking, and no proof: {what}"),
        Seen::NotFound => {
            "NOT FOUND in orders and positions so far; lists can lag, so this is no proof".to_owned()
        }
        Seen::CouldNotLook(why) => format!("Countersign COULD NOT LOOK: {why}"),
    }
}

fn write(relay: &Relay, id: &str, seen: &Seen) {
    let mut notes = relay.tickets.notes(id);
    notes.found = Some(sentence(seen));
    notes.read = false;
    relay.tickets.save_notes(id, &notes);
}
