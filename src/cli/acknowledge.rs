//! `acknowledge`: the person has looked at an order whose outcome was unknown. Until then opening orders on that live
//! account and instrument are refused, and on others they carry a warning.

use super::{Context, Exit, out, waiting};
use crate::gate::ticket::{State, Ticket};
use crate::journal::Journal;
use crate::relay::tickets::{Notes, Tickets};
use serde_json::{Map, Value, json};

/// `acknowledge [TICKET]`: without a ticket, lists what is unknown.
pub(super) fn acknowledge(context: &Context, ticket: Option<&str>) -> Exit {
    let tickets = Tickets::of(&context.world.paths);
    let open = |ticket: &Ticket| ticket.state == State::Unknown && !tickets.notes(&ticket.id).acknowledged;
    let unknown: Vec<Ticket> = tickets.all().into_iter().filter(open).collect();
    let Some(id) = ticket.map(str::to_ascii_uppercase) else {
        return list(context, &tickets, &unknown);
    };
    if !unknown.iter().any(|ticket| ticket.id == id) && !unreadable(&tickets).contains(&id) {
        context.out.error(
            &format!("{id} has no unknown outcome that waits for you"),
            "`countersign acknowledge` lists those that do",
        );
        return Exit::Failure;
    }
    let fields = Map::from_iter([("ticket".to_owned(), Value::from(id.clone()))]);
    if let Err(error) = Journal::of(&context.world.paths).append("acknowledged", fields) {
        context.out.error(
            &format!("the journal cannot be written: {error}"),
            "nothing was changed",
        );
        return Exit::Failure;
    }
    tickets.save_notes(
        &id,
        &Notes {
            acknowledged: true,
            ..tickets.notes(&id)
        },
    );
    context.out.data(
        &format!("{id} is acknowledged. New orders there may be proposed again; each is still held for your approval."),
        &json!({ "ticket": id, "acknowledged": true }),
    );
    Exit::Fine
}

/// Tickets whose files cannot be read, and that the person has not looked at: what was in them may have been sent.
fn unreadable(tickets: &Tickets) -> Vec<String> {
    let ids = tickets.unreadable().into_iter();
    ids.filter(|id| !tickets.notes(id).acknowledged).collect()
}

fn list(context: &Context, tickets: &Tickets, unknown: &[Ticket]) -> Exit {
    let line = |ticket: &Ticket| {
        let found = tickets
            .notes(&ticket.id)
            .found
            .map(|found| format!("\n      {found}"))
            .unwrap_or_default();
        format!("{}{found}", waiting::line(ticket))
    };
    let broken = unreadable(tickets);
    let torn = |id: &String| format!("{}  its file cannot be read", out::safe(id));
    let lines: Vec<String> = unknown.iter().map(line).chain(broken.iter().map(torn)).collect();
    let text = if lines.is_empty() {
        "No outcome is unknown.".to_owned()
    } else {
        format!(
            "These were sent once, and may or may not have been executed. Look at orders and positions in NinjaTrader, then: countersign acknowledge TICKET\n{}",
            lines.join("\n")
        )
    };
    context.out.data(
        &text,
        &json!({ "unknown": unknown.iter().map(waiting::object).collect::<Vec<Value>>(), "unreadable": broken }),
    );
    Exit::Fine
}
