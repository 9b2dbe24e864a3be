//! `acknowledge`: the person has looked at an order whose outcome was unknown. Until then opening orders on that live
//! account and instrument are refused, and on others they carry a warning.

use super::{Context, Exit, waiting};
use crate::journal::Journal;
use crate::relay::tickets::Tickets;
use serde_json::{Map, Value, json};

/// `acknowledge [TICKET]`: without a ticket, lists what is unknown.
pub(super) fn acknowledge(context: &Context, ticket: Option<&str>) -> Exit {
    let tickets = Tickets::of(&context.world.paths);
    let unknown = waiting::doubts(&tickets);
    let Some(id) = ticket.map(str::to_ascii_uppercase) else {
        return list(context, &unknown);
    };
    if !unknown.iter().any(|(ticket, _)| ticket.id == id) {
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
    tickets.change_notes(&id, |notes| notes.acknowledged = true);
    context.out.data(
        &format!("{id} is acknowledged. New orders there may be proposed again; each is still held for your approval."),
        &json!({ "ticket": id, "acknowledged": true }),
    );
    Exit::Fine
}

fn list(context: &Context, unknown: &[waiting::Doubt]) -> Exit {
    let lines: Vec<String> = unknown.iter().map(waiting::doubt_line).collect();
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
        &json!({ "unknown": unknown.iter().map(waiting::doubt_object).collect::<Vec<Value>>() }),
    );
    Exit::Fine
}
