//! The turn to show a card: one at a time over all processes, exits first.
//!
//! Two lock files. `card` is the turn itself. `card.first` is held by an exit that waits: entries then neither take the
//! turn nor keep it. Both are kernel locks, so a dead process holds neither.

use crate::system::{FileLock, Paths, mono_ms};
use std::io;
use std::time::Duration;

/// How long anybody waits for the screen (DESIGN §5, "Ticket").
pub(super) const WAIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(15);
/// An entry that waits holds `card.first` for a moment when it looks whether an exit does; this often in a row is an exit.
const SURE: u32 = 3;

/// The turn; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "held for its lock")] FileLock);

/// Takes the turn, waiting at most [`WAIT`].
///
/// # Errors
/// A sentence: another card kept the screen, or the state folder cannot be written.
pub(super) async fn take(paths: &Paths, urgent: bool) -> Result<Turn, String> {
    let taken = if urgent {
        take_first(paths).await
    } else {
        take_behind(paths).await
    };
    taken.map(Turn).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => "another card kept the screen for a minute".to_owned(),
        _ => format!("the lock that keeps cards apart cannot be taken: {error}"),
    })
}

async fn take_first(paths: &Paths) -> io::Result<FileLock> {
    let _first = FileLock::take(&paths.lock("card.first"), WAIT).await?;
    FileLock::take(&paths.lock("card"), WAIT).await
}

async fn take_behind(paths: &Paths) -> io::Result<FileLock> {
    let until = mono_ms().saturating_add(60_000);
    loop {
        if FileLock::try_take(&paths.lock("card.first"))?.is_some()
            && let Some(lock) = FileLock::try_take(&paths.lock("card"))?
        {
            return Ok(lock);
        }
        if mono_ms() >= until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until an exit wants the turn that we hold.
pub(super) async fn wanted_by_exit(paths: &Paths) {
    let mut held = 0;
    loop {
        match FileLock::try_take(&paths.lock("card.first")) {
            Ok(None) => held += 1,
            Ok(Some(_)) | Err(_) => held = 0,
        }
        if held >= SURE {
            return;
        }
        let pause = if held == 0 {
            Duration::from_millis(60)
        } else {
            POLL
        };
        tokio::time::sleep(pause).await;
    }
}
