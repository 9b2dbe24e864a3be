//! What is in flight: which requests of the client still wait for their one answer. No I/O.

use crate::wire::envelope::Id;
use std::collections::HashMap;
use tokio_util::sync::CancellationToken;

/// Requests of the client that may wait at once. The busiest clients have a few dozen.
pub const MAX_IN_FLIGHT: usize = 1024;
/// Bytes of open requests: two of the largest lines, and room beside them.
pub const MAX_BYTES: usize = 160 * 1024 * 1024;

/// One request that waits for its answer.
#[derive(Debug)]
struct Waiting {
    cancel: CancellationToken,
    progress: Option<Id>,
    /// It went upstream under its own id, so that a cancel must follow it there.
    relayed: bool,
    bytes: usize,
}

/// Why a request is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The same id is still waiting for its answer.
    DuplicateId,
    /// [`MAX_IN_FLIGHT`] are waiting, or [`MAX_BYTES`] of them.
    TooMany,
}

/// The table of open requests.
#[derive(Debug, Default)]
pub struct InFlight {
    waiting: HashMap<Id, Waiting>,
    /// How many open requests have each progress token; one each, if the client is sound.
    tokens: HashMap<Id, usize>,
    bytes: usize,
}

impl InFlight {
    /// Takes a request of this many bytes in. The token fires when it is cancelled or the program ends.
    ///
    /// # Errors
    /// [`Refused`]; the request must then be answered with an error at once.
    pub fn begin(
        &mut self,
        id: &Id,
        progress: Option<Id>,
        bytes: usize,
        parent: &CancellationToken,
    ) -> Result<CancellationToken, Refused> {
        if self.waiting.contains_key(id) {
            return Err(Refused::DuplicateId);
        }
        if self.waiting.len() >= MAX_IN_FLIGHT || self.bytes.saturating_add(bytes) > MAX_BYTES {
            return Err(Refused::TooMany);
        }
        let cancel = parent.child_token();
        if let Some(token) = &progress {
            *self.tokens.entry(token.clone()).or_default() += 1;
        }
        self.bytes += bytes;
        self.waiting.insert(
            id.clone(),
            Waiting {
                cancel: cancel.clone(),
                progress,
                relayed: false,
                bytes,
            },
        );
        Ok(cancel)
    }

    /// Notes that a request goes upstream under its own id.
    pub fn relayed(&mut self, id: &Id) {
        if let Some(waiting) = self.waiting.get_mut(id) {
            waiting.relayed = true;
        }
    }

    /// Whether one waits that went upstream under its own id.
    pub fn has_relayed(&self) -> bool {
        self.waiting.values().any(|waiting| waiting.relayed)
    }

    /// Ends a request; true exactly once for each that was begun and not cancelled: then its answer is written.
    pub fn end(&mut self, id: &Id) -> bool {
        self.remove(id).is_some()
    }

    /// The client has cancelled: no answer will be written. Returns whether it was relayed upstream, `None` where
    /// nothing of that id waits.
    pub fn cancel(&mut self, id: &Id) -> Option<bool> {
        let waiting = self.remove(id)?;
        waiting.cancel.cancel();
        Some(waiting.relayed)
    }

    /// Whether progress under this token may still be written: Claude Code closes the pipe on a token that it no
    /// longer knows.
    pub fn knows_progress(&self, token: &Id) -> bool {
        self.tokens.contains_key(token)
    }

    /// Whether a request of this id waits.
    pub fn is_open(&self, id: &Id) -> bool {
        self.waiting.contains_key(id)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn remove(&mut self, id: &Id) -> Option<Waiting> {
        let waiting = self.waiting.remove(id)?;
        self.bytes -= waiting.bytes;
        if let Some(token) = &waiting.progress
            && let Some(count) = self.tokens.get_mut(token)
        {
            *count -= 1;
            if *count == 0 {
                self.tokens.remove(token);
            }
        }
        Some(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_ends_once() {
        let mut table = InFlight::default();
        let (id, root) = (Id::ours("a"), CancellationToken::new());
        let token = table.begin(&id, Some(Id::ours("p")), 1, &root).unwrap();
        assert!(!table.has_relayed());
        table.relayed(&id);
        assert!(table.has_relayed());
        assert_eq!(table.begin(&id, None, 1, &root).err(), Some(Refused::DuplicateId));
        assert!(table.knows_progress(&Id::ours("p")));
        assert_eq!(table.cancel(&id), Some(true));
        assert!(token.is_cancelled() && !table.has_relayed());
        assert!(!table.end(&id), "a cancelled request gets no answer");
        assert!(!table.knows_progress(&Id::ours("p")));
        assert_eq!(table.cancel(&id), None);
    }
    #[test]
    fn a_token_of_two_requests_is_known_until_both_have_ended() {
        let mut table = InFlight::default();
        let root = CancellationToken::new();
        for id in ["a", "b"] {
            table.begin(&Id::ours(id), Some(Id::ours("p")), 1, &root).unwrap();
        }
        assert!(table.end(&Id::ours("a")) && table.knows_progress(&Id::ours("p")));
        assert!(table.end(&Id::ours("b")) && !table.knows_progress(&Id::ours("p")));
    }

    #[test]
    fn open_requests_are_bounded_by_bytes() {
        let mut table = InFlight::default();
        let root = CancellationToken::new();
        table.begin(&Id::ours("a"), None, MAX_BYTES, &root).unwrap();
        assert_eq!(
            table.begin(&Id::ours("b"), None, 1, &root).err(),
            Some(Refused::TooMany)
        );
        assert!(table.end(&Id::ours("a")));
        assert!(table.begin(&Id::ours("b"), None, 1, &root).is_ok());
    }
}
