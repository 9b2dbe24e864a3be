//! `acknowledge`: the person has looked at an order whose outcome was unknown. Until then opening orders on that live
//! account and instrument are refused, and on others they carry a warning.

use super::{Context, Exit, out, switch, waiting};
use crate::journal::Journal;
use crate::relay::Relay;
use crate::relay::tickets::Tickets;
use serde_json::{Map, Value, json};

/// `acknowledge [TICKET]`: without a ticket, lists what is unknown.
pub(super) async fn acknowledge(context: &Context, ticket: Option<&str>) -> Exit {
    let tickets = Tickets::of(&context.world.paths);
    let unknown = waiting::doubts(&tickets);
    let Some(id) = ticket.map(str::to_ascii_uppercase) else {
        return list(context, &tickets, &unknown);
    };
    let found = unknown
        .iter()
        .find(|(ticket, _)| ticket.id == id)
        .map(|(ticket, _)| ticket);
    if found.is_none() && !unreadable(&tickets).contains(&id) {
        context.out.error(
            &format!("{id} has no unknown outcome that waits for you"),
            "`countersign acknowledge` lists those that do",
        );
        return Exit::Failure;
    }
    let what = found.map_or_else(
        || "its file cannot be read".to_owned(),
        |ticket| waiting::headline(ticket),
    );
    // It opens a live account again. Without a PIN it is the person's word; with one, one line of a shell must not do.
    if !matches!(context.grants().sealed_at().await, Ok(None))
        && let Err(exit) = confirmed(context, &id, &what).await
    {
        return exit;
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

async fn confirmed(context: &Context, ticket: &str, what: &str) -> Result<(), Exit> {
    let relay = match Relay::detached(context.world.clone(), context.endpoint.clone()) {
        Ok(relay) => relay,
        Err(why) => {
            context.out.error(&why, "nothing was changed");
            return Err(Exit::Failure);
        }
    };
    let asked = relay
        .confirm_acknowledge(ticket, what, context.out.can_ask())
        .await;
    asked.map_err(|why| {
        let verb = format!("countersign acknowledge {ticket}");
        switch::not_confirmed(context, why, "nothing was changed", &verb)
    })
}

/// Tickets whose files cannot be read, and that the person has not looked at: what was in them may have been sent.
fn unreadable(tickets: &Tickets) -> Vec<String> {
    let ids = tickets.survey().unreadable.into_iter();
    ids.filter(|id| !tickets.notes(id).acknowledged).collect()
}

fn list(context: &Context, tickets: &Tickets, unknown: &[waiting::Doubt]) -> Exit {
    let broken = unreadable(tickets);
    let torn = |id: &String| format!("{}  its file cannot be read", out::safe(id));
    let lines: Vec<String> = unknown
        .iter()
        .map(waiting::doubt_line)
        .chain(broken.iter().map(torn))
        .collect();
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
        &json!({ "unknown": unknown.iter().map(waiting::doubt_object).collect::<Vec<Value>>(), "unreadable": broken }),
    );
    Exit::Fine
}
