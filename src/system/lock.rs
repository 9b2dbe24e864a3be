//! Kernel file locks: released by the kernel when the process dies, whatever killed it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// An exclusive lock, held until dropped. Lock files stay where they are: removing one would let two processes
/// hold "the same" lock on two files.
#[derive(Debug)]
pub struct FileLock(#[expect(dead_code, reason = "held for its lock")] File);

impl FileLock {
    /// Takes the lock if nobody has it.
    ///
    /// # Errors
    /// Where the file cannot be made or locked for another reason than being held.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            super::file::make_folder(folder)?;
        }
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let file = super::file::patiently(|| options.open(path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock, waiting at most `limit` without blocking the thread.
    ///
    /// # Errors
    /// As [`Self::try_take`], and `TimedOut` when the limit has passed.
    pub async fn take(path: &Path, limit: Duration) -> io::Result<Self> {
        let until = super::mono_ms().saturating_add(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        let mut pause = 1;
        loop {
            if let Some(lock) = Self::try_take(path)? {
                return Ok(lock);
            }
            if super::mono_ms() >= until {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("{} is held by another process", path.display()),
                ));
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(25);
        }
    }

    /// Takes the lock, blocking the thread for at most `limit`.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn take_blocking(path: &Path, limit: Duration) -> io::Result<Self> {
        let until = super::mono_ms().saturating_add(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        loop {
            if let Some(lock) = Self::try_take(path)? {
                return Ok(lock);
            }
            if super::mono_ms() >= until {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("{} is held by another process", path.display()),
                ));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
