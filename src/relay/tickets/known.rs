//! What is known of ticket files that were read before.
//!
//! Owns: when a file counts as the one that was read. Refuses to know: where the files lie, what a ticket means.

use crate::gate::Ticket;
use crate::system::file::Stamp;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Tickets by their ids, as they were read.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<String, One>);

#[derive(Debug)]
struct One {
    stamp: Stamp,
    /// `None` for a file that is no ticket.
    ticket: Option<Arc<Ticket>>,
}

impl Known {
    /// Forgets all others.
    pub(super) fn keep_only(&mut self, ids: &[String]) {
        let ids: HashSet<&str> = ids.iter().map(String::as_str).collect();
        self.0.retain(|id, _| ids.contains(id.as_str()));
    }

    /// The ticket in this file: as known, where the file is the one that was read; else as `read` finds it. Of ended
    /// tickets that were never sent no long text is kept.
    pub(super) fn read(
        &mut self,
        id: &str,
        path: &Path,
        read: impl FnOnce() -> io::Result<Option<Ticket>>,
    ) -> io::Result<Option<Arc<Ticket>>> {
        // Before reading: a file that is replaced in between is read once more the next time.
        let stamp = Stamp::of(path, self.0.get(id).map(|one| &one.stamp))?;
        let Some(stamp) = stamp else {
            self.0.remove(id);
            return Ok(None);
        };
        if let Some(one) = self.0.get(id).filter(|one| stamp.is_still(&one.stamp)) {
            return match &one.ticket {
                Some(ticket) => Ok(Some(Arc::clone(ticket))),
                None => Err(io::ErrorKind::InvalidData.into()),
            };
        }
        let read = read().map(|found| {
            found.map(|mut ticket| {
                ticket.lighten();
                Arc::new(ticket)
            })
        });
        match &read {
            Ok(Some(ticket)) => {
                let ticket = Some(Arc::clone(ticket));
                self.0.insert(id.to_owned(), One { stamp, ticket });
            }
            // What is in the file stays wrong; that it cannot be opened may pass.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                self.0.insert(id.to_owned(), One { stamp, ticket: None });
            }
            Ok(None) | Err(_) => {
                self.0.remove(id);
            }
        }
        read
    }
}
