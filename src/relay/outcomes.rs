//! What the client is told of a ticket, and what is written down of it.

use super::judging::counters;
use super::reads::Ask;
use super::tickets::Notes;
use super::words::SignIn;
use super::{Relay, lock, signin, words};
use crate::clients::Commands;
use crate::gate::outcome::Said;
use crate::gate::ticket::{State, Ticket};
use crate::gate::{Call, outcome};
use crate::oauth::{GrantInfo, GrantKind};
use crate::system::clock::{local_time, mono_ms, wall_ms};
use crate::wire::envelope::Id;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a waiting call looks at its ticket. The file is small; the person is slower.
const LOOK: Duration = Duration::from_millis(150);
/// How often progress is told to a client that asked for it.
const PROGRESS: Duration = Duration::from_secs(5);

/// Waits for a ticket's end until `until` (monotonic ms), and returns the client's result.
pub(super) async fn wait(
    relay: &Arc<Relay>,
    ticket: &str,
    until: u64,
    what: &str,
    progress: Option<&Id>,
    cancel: Option<&CancellationToken>,
) -> String {
    let never = CancellationToken::new();
    let cancel = cancel.unwrap_or(&never);
    let (mut told, mut next_progress) = (0u64, mono_ms() + 500);
    loop {
        let now = relay.ticket(ticket);
        match now {
            Ok(Some(ticket)) if ticket.state.is_final() => {
                mark_read(relay, &ticket.id);
                return outcome_of(&ticket, &relay.tickets.notes(&ticket.id))
                    .unwrap_or_else(|| words::no_ticket(&ticket.id));
            }
            Ok(Some(ticket)) if mono_ms() >= until => {
                return match ticket.state {
                    State::Sending => words::sending(&ticket.id, what),
                    _ => words::waiting(&ticket.id, what, ticket.deadline().map(local_time).as_deref()),
                };
            }
            Ok(Some(_)) => {}
            // It was there a moment ago: somebody took its file away, and nothing says that it was not sent.
            Ok(None) => return words::unreadable(ticket, "its file is gone"),
            Err(error) => return words::unreadable(ticket, &error.to_string()),
        }
        // None after a cancel: some clients close the pipe on a token that they no longer know.
        if let Some(token) = progress
            && mono_ms() >= next_progress
            && lock(&relay.in_flight).knows_progress(token)
        {
            told += 1;
            next_progress = mono_ms() + u64::try_from(PROGRESS.as_millis()).unwrap_or(5000);
            relay.say(&format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{},"progress":{told},"message":"waiting for the person's approval, ticket {ticket}"}}}}"#,
                token.raw()
            ));
        }
        tokio::select! {
            () = cancel.cancelled() => {
                if !relay.ending.is_cancelled() {
                    let _ = end_held(relay, ticket, State::Withdrawn, "the AI client cancelled the call").await;
                }
                return words::no_ticket(ticket);
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// `countersign_await_approval`.
pub(super) async fn await_ticket(relay: &Arc<Relay>, ticket: &str, ask: &Ask) -> String {
    let found = match relay.ticket(ticket) {
        Ok(Some(found)) => found,
        Ok(None) => return words::no_ticket(ticket),
        Err(error) => return words::unreadable(ticket, &error.to_string()),
    };
    let patience = relay.hold_seconds(ask.asker.name());
    let what = headline(&found);
    let until = mono_ms() + patience * 1000;
    tokio::select! {
        // Only the creating call's cancel withdraws a ticket; this one just stops listening.
        () = ask.cancel.cancelled() => words::no_ticket(ticket),
        answer = wait(relay, ticket, until, &what, ask.progress.as_ref(), None) => answer,
    }
}

/// `countersign_withdraw`.
pub(super) async fn withdraw(relay: &Arc<Relay>, ticket: &str) -> String {
    let ended = end_held(relay, ticket, State::Withdrawn, "the AI client took it back").await;
    match relay.tickets.load(ticket) {
        Ok(Some(ticket)) => match ticket.state {
            State::Held => words::not_withdrawn(
                &ticket.id,
                &headline(&ticket),
                &ended.map_or_else(|error| error.to_string(), |()| String::new()),
            ),
            State::Sending => words::sending(&ticket.id, &headline(&ticket)),
            _ => outcome_of(&ticket, &relay.tickets.notes(&ticket.id))
                .unwrap_or_else(|| words::no_ticket(&ticket.id)),
        },
        Ok(None) => words::no_ticket(ticket),
        Err(error) => words::unreadable(ticket, &error.to_string()),
    }
}

/// Ends a held ticket in this state, if it is still held: first the journal, then the file.
pub(crate) async fn end_held(relay: &Relay, id: &str, state: State, reason: &str) -> std::io::Result<()> {
    end_held_in(&relay.tickets, &relay.journal, id, state, reason).await
}

/// As [`end_held`], for verbs that run without a relay.
pub(crate) async fn end_held_in(
    tickets: &super::Tickets,
    journal: &crate::journal::Journal,
    id: &str,
    state: State,
    reason: &str,
) -> std::io::Result<()> {
    let _turn = tickets.turn(id).await?;
    let Some(mut ticket) = tickets.load(id)? else {
        return Err(std::io::Error::other("no such ticket"));
    };
    ticket
        .end(state, reason, wall_ms())
        .map_err(|illegal| std::io::Error::other(illegal.to_string()))?;
    journal
        .append_aside(state.word(), fields(&ticket, &[("reason", reason.into())]))
        .await?;
    tickets.keep(&ticket).await
}

/// The client's result for a ticket that has ended.
pub(crate) fn outcome_of(ticket: &Ticket, notes: &Notes) -> Option<String> {
    let what = headline(ticket);
    let reason = ticket.reason.as_deref().unwrap_or("no reason was kept");
    let upstream = ticket.outcome.as_deref().unwrap_or("null");
    let by_rule = ticket.via.as_deref() == Some("policy");
    Some(match ticket.state {
        State::Held | State::Sending => return None,
        State::Accepted => match read_again(ticket, upstream) {
            Some(Said::Otherwise(said)) => words::otherwise(&ticket.id, upstream, &said, &what, by_rule),
            _ => words::answered(&ticket.id, true, upstream, &what, by_rule),
        },
        State::Rejected if ticket.sent_wall.is_none() => words::ended(&ticket.id, "not sent", reason, &what),
        State::Rejected => words::answered(&ticket.id, false, upstream, &what, by_rule),
        State::Unknown => words::unknown(&ticket.id, reason, notes.found.as_deref(), &what),
        State::Denied | State::Expired | State::Withdrawn | State::Voided | State::Tampered => {
            words::ended(&ticket.id, ticket.state.word(), reason, &what)
        }
    })
}

/// What the service's answer said, read from the ticket: a deed done in part is kept as an answered one.
fn read_again(ticket: &Ticket, upstream: &str) -> Option<Said> {
    let call = Call::from_stored(&ticket.name_raw, &ticket.arguments_raw).ok()?;
    Some(outcome::read(&call, upstream))
}

pub(super) fn mark_read(relay: &Relay, id: &str) {
    if !relay.tickets.notes(id).read {
        relay.tickets.change_notes(id, |notes| notes.read = true);
    }
}

/// `countersign_status`.
pub(super) async fn status(relay: &Arc<Relay>) -> String {
    let halted = relay.is_halted();
    let grants = relay.grants.overview().await.unwrap_or_default();
    let (read, trade) = (
        stands(&grants, GrantKind::Read),
        stands(&grants, GrantKind::Trade),
    );
    let day_ago = wall_ms().saturating_sub(24 * 3600 * 1000);
    let today: Vec<Value> = relay
        .tickets
        .all()
        .iter()
        .filter(|ticket| ticket.created_wall >= day_ago)
        .take(50)
        .map(|ticket| {
            let notes = relay.tickets.notes(&ticket.id);
            let unknown = ticket.state == State::Unknown;
            json!({
                "ticket": ticket.id, "state": ticket.state.word(), "tool": tool_name(ticket),
                "what": headline(ticket), "reason": ticket.reason, "found": notes.found,
                "order": notes.order, "looking": unknown.then_some(!notes.looked),
                "acknowledged": unknown.then_some(notes.acknowledged),
            })
        })
        .collect();
    let ended = signin::why_it_ended(relay);
    let text = words::signed(read, trade, ended.as_deref(), halted, Commands::of(&relay.world));
    let paused = counters(relay).await.paused_until(wall_ms()).map(local_time);
    let doubts: Vec<String> = today
        .iter()
        .filter(|ticket| ticket["state"] == "unknown" && ticket["acknowledged"] == false)
        .filter_map(|ticket| ticket["ticket"].as_str().map(str::to_owned))
        .collect();
    let folder = relay.world.paths.state().display().to_string();
    let text = words::standing(&text, today.len(), paused.as_deref(), &doubts);
    // A client whose package shows it private copies of files would name another folder than `doctor` does.
    let text = format!("{text} The state of Countersign lies in {folder}.");
    words::result(
        &text,
        json!({
            "signedIn": read == SignIn::Good, "tradingEnabled": trade == SignIn::Good, "halted": halted, "entriesPausedUntil": paused,
            "unknownOutcomes": doubts, "tickets": today, "stateFolder": folder,
        }),
        false,
    )
}

/// How the sign-in for this lane stands; one for both serves each.
fn stands(grants: &[GrantInfo], kind: GrantKind) -> SignIn<'_> {
    let serves = |grant: &&GrantInfo| grant.kind == kind || (grant.single && kind == GrantKind::Read);
    match grants.iter().find(serves) {
        None => SignIn::None,
        Some(grant) => grant.withdrawn.as_deref().map_or(SignIn::Good, SignIn::Ended),
    }
}

/// The name of a ticket's tool.
pub(crate) fn tool_name(ticket: &Ticket) -> String {
    crate::wire::json::string(&ticket.name_raw)
        .map(std::borrow::Cow::into_owned)
        .unwrap_or_default()
}

/// What a ticket is about, from facts only.
pub(crate) fn headline(ticket: &Ticket) -> String {
    ticket
        .card
        .as_ref()
        .map_or_else(|| tool_name(ticket), |card| card.headline.clone())
}

/// The journal fields of a ticket.
pub(crate) fn fields(ticket: &Ticket, more: &[(&str, Value)]) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("ticket".into(), ticket.id.clone().into());
    fields.insert("tool".into(), tool_name(ticket).into());
    fields.insert("endpoint".into(), ticket.endpoint.clone().into());
    fields.insert("digest".into(), ticket.digest.clone().into());
    fields.insert("client".into(), ticket.client.clone().into());
    for (key, value) in more {
        fields.insert((*key).into(), value.clone());
    }
    fields
}

/// A line about a ticket; returns when it is on the disk.
pub(super) async fn journal(
    relay: &Relay,
    kind: &'static str,
    ticket: &Ticket,
    more: &[(&str, Value)],
) -> std::io::Result<()> {
    relay.journal.append_aside(kind, fields(ticket, more)).await
}

/// A journal line that no effect depends on.
pub(super) async fn note(relay: &Relay, kind: &'static str, more: &[(&str, Value)]) {
    if let Err(error) = relay.journal.append_aside(kind, loose(more)).await {
        tracing::error!(%error, "the journal cannot be written");
    }
}

/// The same at once, for what must be done before anything else goes on (a halt).
pub(super) fn note_now(relay: &Relay, kind: &'static str, more: &[(&str, Value)]) {
    if let Err(error) = relay.journal.append(kind, loose(more)) {
        tracing::error!(%error, "the journal cannot be written");
    }
}

fn loose(more: &[(&str, Value)]) -> Map<String, Value> {
    more.iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect()
}
