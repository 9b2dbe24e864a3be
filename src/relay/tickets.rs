//! Tickets as files: shared by all processes, owned by one, decided once.
//!
//! `ID.json` is the ticket (replaced whole). `ID.owner` is locked by the process that shows the card, for as long as
//! it lives: whoever can take it has found a dead owner. `ID.sender` is locked by the process that sends its call.
//! `ID.turn` is locked for the moment of a decision: whoever
//! holds it re-reads the ticket, and only a `held` one may be decided. So a page, a terminal and a second process
//! can race, and one of them wins.

use crate::gate::Ticket;
use crate::gate::ticket::State;
use crate::system::{FileLock, Paths, aside, file};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

mod known;
#[cfg(test)]
mod tests;

use known::Known;

/// The longest ticket file: written code travels in the arguments.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// How long a decision waits for another one that is being written.
const TURN: Duration = Duration::from_secs(3);
/// How long notes wait for another process that is writing them.
const NOTING: Duration = Duration::from_millis(200);
/// Ended tickets are kept this long, so that outcomes can be read again.
const KEPT_MS: u64 = 7 * 24 * 3600 * 1000;

/// The folder of tickets.
#[derive(Debug, Clone)]
pub struct Tickets {
    folder: PathBuf,
    /// What was read before, for all clones.
    known: Arc<Mutex<Known>>,
}

/// What lies in the folder at one moment.
#[derive(Debug, Default)]
pub struct Survey {
    /// The tickets that can be read, newest first.
    pub tickets: Vec<Arc<Ticket>>,
    /// The ids of tickets whose files are there and cannot be read: what was in them may have been sent.
    pub unreadable: Vec<String>,
}

/// What is kept beside a ticket after its end.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// The client has read the outcome.
    pub read: bool,
    /// The person has looked at an unknown outcome.
    pub acknowledged: bool,
    /// What looking after an unknown outcome found.
    pub found: Option<String>,
    /// The order that a look found to be this call's.
    pub order: Option<String>,
    /// What was found as the person was last told it.
    pub told: Option<String>,
    /// Nobody needs to look any more.
    pub looked: bool,
}

/// A ticket that this process owns: the lock tells the others that its owner lives.
#[derive(Debug)]
pub struct Owned {
    /// The ticket's id.
    pub id: String,
    _lock: FileLock,
    /// An adopted ticket is nobody's to send either.
    _sender: Option<FileLock>,
}

impl Tickets {
    /// The folder of this installation; nothing is opened.
    pub fn of(paths: &Paths) -> Self {
        Self {
            folder: paths.tickets(),
            known: Arc::default(),
        }
    }

    fn path(&self, id: &str, end: &str) -> PathBuf {
        self.folder.join(format!("{id}.{end}"))
    }

    /// Takes a free id and its owner lock. The ticket itself is written by [`Self::save`].
    ///
    /// # Errors
    /// As the file system says.
    pub fn claim_new(&self, make_id: impl Fn([u8; 3]) -> String) -> io::Result<Owned> {
        for _ in 0..64 {
            let id = make_id(random()?);
            if self.path(&id, "json").exists() {
                continue;
            }
            if let Some(lock) = FileLock::try_take(&self.path(&id, "owner"))? {
                return Ok(Owned {
                    id,
                    _lock: lock,
                    _sender: None,
                });
            }
        }
        Err(io::Error::other("no free ticket id"))
    }

    /// Writes the ticket, synced.
    ///
    /// # Errors
    /// As the file system says; the old ticket then still stands.
    pub fn save(&self, ticket: &Ticket) -> io::Result<()> {
        let text = serde_json::to_vec(ticket)?;
        file::write_atomic(&self.path(&ticket.id, "json"), &text)
    }

    /// As [`Self::save`], off the loop.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub async fn keep(&self, ticket: &Ticket) -> io::Result<()> {
        let text = serde_json::to_vec(ticket)?;
        let path = self.path(&ticket.id, "json");
        aside(move || file::write_atomic(&path, &text)).await
    }

    /// Reads one ticket. Ids of the wrong form find nothing (they come from the client).
    ///
    /// # Errors
    /// As the file system says, and for a file that is no ticket.
    pub fn load(&self, id: &str) -> io::Result<Option<Ticket>> {
        if !is_id(id) {
            return Ok(None);
        }
        let Some(text) = file::read_bounded(&self.path(id, "json"), MAX_FILE)? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_slice(&text)?))
    }

    /// The ticket as it is now, for looking at it often: read again only where its file is another one. To change it,
    /// [`Self::load`] it under its turn.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn peek(&self, id: &str) -> io::Result<Option<Arc<Ticket>>> {
        if !is_id(id) {
            return Ok(None);
        }
        self.known().read(id, &self.path(id, "json"), || self.load(id))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The notes of a ticket; none yet where they cannot be read.
    pub fn notes(&self, id: &str) -> Notes {
        let text = file::read_bounded(&self.path(id, "notes"), 64 * 1024)
            .ok()
            .flatten();
        text.and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    /// Changes the notes of a ticket, and returns them. What reads them, what looks and what acknowledges may be three
    /// processes: none may undo the other's word. The lock is held for one write; where it cannot be had, the change is
    /// made all the same. They are told again if they are lost, so a failure is only logged.
    pub fn change_notes(&self, id: &str, change: impl FnOnce(&mut Notes)) -> Notes {
        let turn = FileLock::take_blocking(&self.path(id, "noting"), NOTING);
        let mut notes = self.notes(id);
        change(&mut notes);
        let text = serde_json::to_vec(&notes).unwrap_or_default();
        if let Err(error) = file::write_atomic(&self.path(id, "notes"), &text) {
            tracing::warn!(%error, "notes could not be kept");
        }
        drop(turn);
        notes
    }

    /// All tickets that can be read, newest first. See [`Self::survey`].
    pub fn all(&self) -> Vec<Arc<Ticket>> {
        self.survey().tickets
    }

    /// What lies in the folder now. Files that are as they were are not read again: this is asked at every judgement, of
    /// a week's tickets. To change a ticket, [`Self::load`] it under its turn.
    pub fn survey(&self) -> Survey {
        let ids = self.ids();
        let mut known = self.known();
        known.keep_only(&ids);
        let mut survey = Survey::default();
        for id in ids {
            match known.read(&id, &self.path(&id, "json"), || self.load(&id)) {
                Ok(Some(ticket)) => survey.tickets.push(ticket),
                Ok(None) => {}
                Err(_) => survey.unreadable.push(id),
            }
        }
        drop(known);
        survey
            .tickets
            .sort_by_key(|ticket| std::cmp::Reverse(ticket.created_wall));
        survey
    }

    fn ids(&self) -> Vec<String> {
        let Ok(folder) = std::fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names
            .filter_map(|name| {
                let id = name.strip_suffix(".json").filter(|id| is_id(id));
                id.map(str::to_owned)
            })
            .collect()
    }

    /// The turn to decide on a ticket. Re-read the ticket after taking it.
    ///
    /// # Errors
    /// Where the turn cannot be had in time.
    pub async fn turn(&self, id: &str) -> io::Result<FileLock> {
        FileLock::take(&self.path(id, "turn"), TURN).await
    }

    /// Whether the process that asks about this ticket lives.
    ///
    /// # Errors
    /// As the file system says.
    pub fn is_owned(&self, id: &str) -> io::Result<bool> {
        Ok(FileLock::try_take(&self.path(id, "owner"))?.is_none())
    }

    /// The right to send this ticket's call; `None` where somebody has it. Held until the outcome is written.
    ///
    /// # Errors
    /// As the file system says.
    pub fn sender(&self, id: &str) -> io::Result<Option<FileLock>> {
        FileLock::try_take(&self.path(id, "sender"))
    }

    /// Takes over a ticket whose owner is dead; `None` while it lives, or while somebody is sending its call.
    ///
    /// # Errors
    /// As the file system says.
    pub fn adopt(&self, id: &str) -> io::Result<Option<Owned>> {
        let Some(lock) = FileLock::try_take(&self.path(id, "owner"))? else {
            return Ok(None);
        };
        let sender = self.sender(id)?;
        Ok(sender.map(|sender| Owned {
            id: id.to_owned(),
            _lock: lock,
            _sender: Some(sender),
        }))
    }

    /// Removes ended tickets that are older than a week, with their lock files. A doubt that nobody has looked at stays,
    /// whatever the clock says.
    pub fn sweep(&self, now_wall: u64) {
        for ticket in self.all() {
            let ended = ticket.ended_wall.unwrap_or(now_wall);
            let in_doubt = ticket.state == State::Unknown && !self.notes(&ticket.id).acknowledged;
            if ticket.state.is_final() && !in_doubt && ended.saturating_add(KEPT_MS) < now_wall {
                // The ticket last: while it is there, nobody takes its id, and so nobody locks a file that goes away.
                for end in ["notes", "noting", "owner", "turn", "sender", "json"] {
                    let _ = std::fs::remove_file(self.path(&ticket.id, end));
                }
            }
        }
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 8 && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn random() -> io::Result<[u8; 3]> {
    use ring::rand::SecureRandom;
    let mut bytes = [0; 3];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("no random numbers"))?;
    Ok(bytes)
}
