//! `pending`, `watch` and `deny`.

use super::{Context, Exit, apply, out};
use crate::gate::Counters;
use crate::gate::ticket::{State, Ticket};
use crate::journal::Journal;
use crate::relay::change::{self, Kind, NotApplied};
use crate::relay::lists::Lists;
use crate::relay::past::Past;
use crate::relay::tickets::{Notes, Tickets};
use crate::relay::{Relay, WATCHING, change_counters, decide_here, end_held_in};
use crate::system::{FileLock, clock};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often `watch` looks for new tickets.
const LOOK: Duration = Duration::from_millis(300);

pub(super) async fn pending(context: &Context) -> Exit {
    let changes = apply::waiting(context).await;
    let open: Vec<Arc<Ticket>> = Tickets::of(&context.world.paths)
        .all()
        .into_iter()
        .filter(|ticket| ticket.state.is_open())
        .collect();
    let changed = changes.iter().map(apply::object);
    let objects: Vec<Value> = changed.chain(open.iter().map(|ticket| object(ticket))).collect();
    let doubts = doubts(&Tickets::of(&context.world.paths));
    let mut text = if objects.is_empty() {
        "Nothing is waiting.".to_owned()
    } else {
        let changed = changes.iter().map(|change| apply::line(context, change));
        changed
            .chain(open.iter().map(|ticket| line(ticket)))
            .collect::<Vec<_>>()
            .join("\n")
    };
    if !doubts.is_empty() {
        text.push_str("\nOUTCOME UNKNOWN; look in NinjaTrader, then: countersign acknowledge TICKET\n");
        text.push_str(&doubts.iter().map(doubt_line).collect::<Vec<_>>().join("\n"));
    }
    let unknown: Vec<Value> = doubts.iter().map(doubt_object).collect();
    context
        .out
        .data(&text, &json!({ "pending": objects, "unknown": unknown }));
    Exit::Fine
}

/// A ticket whose outcome is unknown, with its notes.
pub(super) type Doubt = (Arc<Ticket>, Notes);

/// The tickets whose outcome is unknown and not acknowledged.
pub(super) fn doubts(tickets: &Tickets) -> Vec<Doubt> {
    let unknown = tickets
        .all()
        .into_iter()
        .filter(|ticket| ticket.state == State::Unknown);
    unknown
        .map(|ticket| {
            let notes = tickets.notes(&ticket.id);
            (ticket, notes)
        })
        .filter(|(_, notes)| !notes.acknowledged)
        .collect()
}

/// The same on two lines: the call, and what was found of it.
pub(super) fn doubt_line((ticket, notes): &Doubt) -> String {
    let found = notes.found.as_deref().unwrap_or("Nobody has looked for it yet");
    format!("{}\n      {}", line(ticket), out::safe(found))
}

/// The same as an object for programs.
pub(super) fn doubt_object((ticket, notes): &Doubt) -> Value {
    let mut object = object(ticket);
    if let Some(members) = object.as_object_mut() {
        members.insert("found".into(), notes.found.clone().into());
        members.insert("order".into(), notes.order.clone().into());
        members.insert("looking".into(), (!notes.looked).into());
        members.insert("acknowledged".into(), notes.acknowledged.into());
    }
    object
}

/// A ticket as an object for programs.
pub(super) fn object(ticket: &Ticket) -> Value {
    json!({
        "ticket": ticket.id, "state": ticket.state.word(), "tool": crate::relay::tool_name(ticket), "what": headline(ticket),
        "client": ticket.client, "digest": ticket.digest, "heldAt": clock::rfc3339(ticket.created_wall),
        "closesAt": ticket.deadline().map(clock::rfc3339), "reason": ticket.reason,
    })
}

/// A ticket on one line.
pub(super) fn line(ticket: &Ticket) -> String {
    let until = ticket
        .deadline()
        .map(|at| format!(", closes {}", clock::local_time(at)))
        .unwrap_or_default();
    format!(
        "{}  {:<8} {}  (from {}{until})",
        ticket.id,
        ticket.state.word(),
        out::safe(&headline(ticket)),
        out::safe(&ticket.client)
    )
}

pub(super) fn headline(ticket: &Ticket) -> String {
    ticket.card.as_ref().map_or_else(
        || crate::relay::tool_name(ticket),
        |card| format!("{} {} {}", card.badge, card.account, card.headline),
    )
}

pub(super) async fn deny(context: &Context, ticket: &str) -> Exit {
    let id = ticket.to_ascii_uppercase();
    if let Some(kind) = Kind::of(&id) {
        return deny_change(context, kind).await;
    }
    let (tickets, journal) = (
        Tickets::of(&context.world.paths),
        Journal::of(&context.world.paths),
    );
    match end_held_in(
        &tickets,
        &journal,
        &id,
        State::Denied,
        "the person denied it (countersign deny)",
    )
    .await
    {
        Ok(()) => {
            count_denied(context, &tickets, &id).await;
            context.out.data(
                &format!("{id} is denied; nothing was sent."),
                &json!({ "ticket": id, "state": "denied" }),
            );
            Exit::Fine
        }
        Err(error) => {
            let why = match tickets.load(&id) {
                Ok(Some(ticket)) if ticket.state.is_final() => {
                    format!("{} has ended already: {}", ticket.id, how_it_ended(&ticket))
                }
                Ok(Some(ticket)) if ticket.state == State::Sending => format!(
                    "{} was approved and is on its way: it can no longer be denied. Check orders in NinjaTrader",
                    ticket.id
                ),
                Ok(None) => format!("there is no ticket {}", out::safe(&id)),
                Ok(Some(_)) | Err(_) => format!("{}: {error}", out::safe(&id)),
            };
            context.out.error(&why, "`countersign pending` lists what waits");
            Exit::Failure
        }
    }
}

async fn deny_change(context: &Context, kind: Kind) -> Exit {
    let paths = &context.world.paths;
    let lists = Lists::load(paths, context.endpoint.url());
    let (why, hint) = match change::deny(kind, paths, &lists).await {
        Ok(true) => {
            context.out.data(
                &format!("{}: the change is denied; what you approved before stays in force, and trade calls that it concerns are refused.", kind.id()),
                &json!({ "ticket": kind.id(), "state": "denied" }),
            );
            return Exit::Fine;
        }
        Ok(false) => (
            format!("nothing is asked about {} now", kind.id()),
            "`countersign pending` lists what waits",
        ),
        Err(error) => (
            error.to_string(),
            "deny it on the screen, or with `countersign halt`",
        ),
    };
    context.out.error(&why, hint);
    Exit::Failure
}

/// A denial counts the same wherever it was said: three in a minute pause new orders.
async fn count_denied(context: &Context, tickets: &Tickets, id: &str) {
    let entry = tickets.load(id).ok().flatten().is_some_and(|ticket| {
        crate::gate::limits::group(ticket.class, ticket.opening) == crate::gate::limits::Group::Entry
    });
    let paths = &context.world.paths;
    let sealed = !matches!(context.grants().sealed_at().await, Ok(None));
    let note = |kept: &mut Counters| kept.note_denied(clock::wall_ms());
    if entry && let Err(error) = change_counters(paths, sealed, &Past::of(paths), note) {
        tracing::warn!(%error, "a denial could not be counted");
    }
}

/// How a ticket ended, in words.
fn how_it_ended(ticket: &Ticket) -> String {
    let word = match ticket.state {
        State::Accepted => "sent, and accepted by the service",
        State::Rejected if ticket.sent_wall.is_some() => "sent, and REJECTED by the service",
        State::Unknown => "sent, outcome UNKNOWN; check orders and positions in NinjaTrader",
        State::Denied => "denied, nothing was sent",
        State::Expired => "not decided in time, nothing was sent",
        State::Withdrawn => "taken back, nothing was sent",
        State::Voided | State::Tampered | State::Rejected => "void, nothing was sent",
        State::Held => {
            return format!(
                "still waiting, nothing was sent. Decide on it with `countersign watch`, or refuse it: countersign deny {}",
                ticket.id
            );
        }
        State::Sending => "on its way",
    };
    ticket
        .reason
        .as_deref()
        .map_or_else(|| word.to_owned(), |why| format!("{word} ({})", out::safe(why)))
}

fn how_it_went(came: &Result<(), NotApplied>) -> String {
    match came {
        Ok(()) => "approved, in force from now on".to_owned(),
        Err(NotApplied::Denied) => "denied; what you approved before stays in force".to_owned(),
        Err(NotApplied::Unanswered) => "not decided here".to_owned(),
        Err(NotApplied::Failed(why)) => format!("NOT in force: {}", out::safe(why)),
    }
}

pub(super) async fn watch(context: &Context) -> Exit {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        context.out.error(
            "watch asks you in a terminal, and this is none",
            "open a terminal and run it there",
        );
        return Exit::Usage;
    }
    context.out.say("Watching for trade calls that wait for you. Ctrl-C leaves a question undecided; while none is asked, it ends the watch.");
    watch_until(context, CancellationToken::new()).await
}

/// The watch itself: until the person leaves it, or whoever runs it has seen enough.
pub(super) async fn watch_until(context: &Context, stop: CancellationToken) -> Exit {
    let relay = match Relay::detached(context.world.clone(), context.endpoint.clone()) {
        Ok(relay) => relay,
        Err(why) => {
            context
                .out
                .error(&why, "nothing was decided; see what is wrong: countersign doctor");
            return Exit::Failure;
        }
    };
    let ending = crate::system::process::ending();
    let watching = async {
        let mut seen = std::collections::HashSet::new();
        // Where two terminals watch, the second takes over when the first ends.
        let mut watching = None;
        let mut changes = [String::new(), String::new()];
        loop {
            if watching.is_none() {
                watching = FileLock::try_take(&context.world.paths.lock(WATCHING))
                    .ok()
                    .flatten();
            }
            for (kind, seen) in Kind::ALL.into_iter().zip(&mut changes) {
                if let Some((what, came)) = Box::pin(change::watch_here(&relay, kind, seen)).await {
                    *seen = what;
                    context.out.say(&format!("{}: {}", kind.id(), how_it_went(&came)));
                }
            }
            let held = relay.tickets().all().into_iter().rev().find(|ticket| {
                ticket.state == State::Held
                    && ticket.endpoint == context.endpoint.url()
                    && !seen.contains(&ticket.id)
            });
            match held {
                Some(ticket) => {
                    let id = ticket.id.clone();
                    seen.insert(id.clone());
                    // A task of the relay's own: Ctrl-C ends the question, never the wait for an order that is on its way.
                    let deciding = Arc::clone(&relay);
                    let decided = relay
                        .spawn(async move { Box::pin(decide_here(&deciding, &ticket)).await })
                        .await;
                    if let Ok(Err(why)) = decided {
                        context.out.say(&format!("{id}: {}", out::safe(&why)));
                    }
                    if let Ok(Some(after)) = relay.tickets().load(&id) {
                        context
                            .out
                            .say(&format!("{}: {}", after.id, how_it_ended(&after)));
                    }
                }
                None => tokio::time::sleep(LOOK).await,
            }
        }
    };
    let ended = async {
        match ending {
            Ok(signal) => drop(signal.await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = watching => {}
        () = ended => {}
        () = stop.cancelled() => {}
    }
    relay.leave().await;
    Exit::Fine
}
