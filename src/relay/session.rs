//! What is in flight: which requests of the client still wait for their one answer. No I/O.

use crate::wire::envelope::Id;
use std::collections::{HashMap, HashSet};
use tokio_util::sync::CancellationToken;

/// Requests of the client that may wait at once. The busiest clients have a few dozen.
pub const MAX_IN_FLIGHT: usize = 1024;

/// One request that waits for its answer.
#[derive(Debug)]
struct Waiting {
    cancel: CancellationToken,
    progress: Option<Id>,
    /// The upstream request that it became, if it was relayed (so a cancel can follow it).
    relayed: bool,
}

/// Why a request is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The same id is still waiting for its answer.
    DuplicateId,
    /// [`MAX_IN_FLIGHT`] are waiting.
    TooMany,
}

/// The table of open requests.
#[derive(Debug, Default)]
pub struct InFlight {
    waiting: HashMap<Id, Waiting>,
    tokens: HashSet<Id>,
}

impl InFlight {
    /// Takes a request in. The token fires when it is cancelled or the program ends.
    ///
    /// # Errors
    /// [`Refused`]; the request must then be answered with an error at once.
    pub fn begin(&mut self, id: &Id, progress: Option<Id>, relayed: bool, parent: &CancellationToken) -> Result<CancellationToken, Refused> {
        if self.waiting.contains_key(id) {
            return Err(Refused::DuplicateId);
        }
        if self.waiting.len() >= MAX_IN_FLIGHT {
            return Err(Refused::TooMany);
        }
        let cancel = parent.child_token();
        if let Some(token) = &progress {
            self.tokens.insert(token.clone());
        }
        self.waiting.insert(id.clone(), Waiting { cancel: cancel.clone(), progress, relayed });
        Ok(cancel)
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
        self.tokens.contains(token)
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
        if let Some(token) = &waiting.progress {
            self.tokens.remove(token);
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
        let token = table.begin(&id, Some(Id::ours("p")), true, &root).unwrap();
        assert_eq!(table.begin(&id, None, true, &root).err(), Some(Refused::DuplicateId));
        assert!(table.knows_progress(&Id::ours("p")));
        assert_eq!(table.cancel(&id), Some(true));
        assert!(token.is_cancelled());
        assert!(!table.end(&id), "a cancelled request gets no answer");
        assert!(!table.knows_progress(&Id::ours("p")));
        assert_eq!(table.cancel(&id), None);
    }
}
