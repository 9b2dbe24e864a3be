//! Ends of tickets that the disk did not take: kept in memory, told from there, and written as soon as the disk takes them.
//!
//! Refuses to know: what an end means. While one is kept, its locks are held: no other process takes the ticket for one
//! whose sender has died. If this one dies as well, the next says "unknown", which is all that the files prove.

use super::outcomes::fields;
use super::tickets::Owned;
use super::{Relay, lock};
use crate::gate::ticket::{State, Ticket};
use crate::system::FileLock;
use serde_json::{Map, Value};
use std::io;
use std::sync::Mutex;

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Unwritten(Mutex<Vec<Late>>);

/// One end, with what is still missing of it on the disk.
#[derive(Debug)]
pub(super) struct Late {
    ticket: Ticket,
    line: Option<(&'static str, Map<String, Value>)>,
    unsaved: bool,
    locks: Locks,
}

/// The locks of a ticket that hold others off.
#[derive(Debug)]
#[expect(dead_code, reason = "held for their locks")]
pub(super) enum Locks {
    /// The sender's, where it has one.
    Sender(Option<FileLock>),
    /// All of an adopted ticket.
    Adopted(Owned),
}

impl Late {
    /// The end of this ticket, of which nothing is written yet; `kind` and `more` are its journal line.
    pub(super) fn new(ticket: Ticket, kind: &'static str, more: (&str, &str), locks: Locks) -> Self {
        let line = fields(&ticket, &[(more.0, more.1.into())]);
        Self {
            ticket,
            line: Some((kind, line)),
            unsaved: true,
            locks,
        }
    }

    /// The ticket once more.
    pub(super) fn copy(&self) -> io::Result<Ticket> {
        Ok(serde_json::from_value(serde_json::to_value(&self.ticket)?)?)
    }
}

impl Relay {
    /// Writes an end: the journal's line first, then the ticket, whose turn the caller has. What cannot be written is kept,
    /// and tried again; `None` then. Else its locks, to be kept as long as the caller needs them.
    pub(super) async fn write_or_keep(&self, mut late: Late) -> Option<Locks> {
        if self.write_now(&mut late).await {
            return Some(late.locks);
        }
        lock(&self.unwritten.0).push(late);
        None
    }

    /// Tries once more what could not be written.
    pub(super) async fn write_late(&self) {
        let kept = std::mem::take(&mut *lock(&self.unwritten.0));
        for late in kept {
            // Without its turn as well, where it was sent: whoever decides now finds locks that it cannot have.
            let turn = self.tickets.turn(&late.ticket.id).await.ok();
            match self.is_due(&late, turn.is_some()) {
                Some(true) => {
                    let _ = self.write_or_keep(late).await;
                }
                Some(false) => tracing::warn!(ticket = %late.ticket.id, "it had another end by then"),
                None => lock(&self.unwritten.0).push(late),
            }
        }
    }

    /// Whether this end is still the ticket's: what was never sent may have been decided on by another process, where no
    /// lock of its own could be had. `None` where that cannot be told now.
    fn is_due(&self, late: &Late, has_turn: bool) -> Option<bool> {
        if late.ticket.sent_wall.is_some() || !late.unsaved {
            return Some(true);
        }
        if !has_turn {
            return None;
        }
        let file = self.tickets.load(&late.ticket.id).ok()?;
        Some(file.is_some_and(|file| file.state == State::Held))
    }

    /// Whether all of it is written now.
    async fn write_now(&self, late: &mut Late) -> bool {
        if let Some((kind, line)) = &late.line {
            match self.journal.append_aside(kind, line.clone()).await {
                Ok(()) => late.line = None,
                Err(error) => {
                    tracing::error!(%error, "the end of a ticket could not be written into the journal");
                }
            }
        }
        if late.unsaved {
            match self.tickets.keep(&late.ticket).await {
                Ok(()) => late.unsaved = false,
                Err(error) => {
                    tracing::error!(%error, "the end of a ticket could not be written into its file");
                }
            }
        }
        late.line.is_none() && !late.unsaved
    }

    /// A ticket as this process knows it: an end that could not be written counts, else the file.
    ///
    /// # Errors
    /// As [`super::Tickets::load`].
    pub(super) fn ticket(&self, id: &str) -> io::Result<Option<Ticket>> {
        let kept = lock(&self.unwritten.0);
        if let Some(late) = kept.iter().find(|late| late.ticket.id == id && late.unsaved) {
            return late.copy().map(Some);
        }
        drop(kept);
        self.tickets.load(id)
    }
}
