//! The thread on which this process waits for the disk, so that its loop goes on meanwhile.
//!
//! Owns: the one thread and the order of its work. Refuses to know: what is written. One thread, not one of a pool: what
//! is written one after the other reaches the disk in that order, and a test can stop it at each step. Work that waits
//! for another process's lock does not belong here: everything behind it would wait too.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{OnceLock, mpsc};
use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// Begun by the first who needs it; `None` where no thread can be had.
static DISK: OnceLock<Option<mpsc::Sender<Work>>> = OnceLock::new();

fn begin() -> Option<mpsc::Sender<Work>> {
    let (send, work) = mpsc::channel::<Work>();
    let thread = std::thread::Builder::new().name("disk".to_owned());
    let loop_ = move || {
        for work in work {
            // Whoever waits for it learns that it failed; the others' work goes on.
            let _ = catch_unwind(AssertUnwindSafe(work));
        }
    };
    thread.spawn(loop_).ok().map(|_| send)
}

/// Does blocking work (a write, a sync to the disk) off the loop. Once asked for it is done to its end, also where nobody
/// waits for it any more.
///
/// # Errors
/// The work's own, or that it failed in an unforeseen way.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let Some(disk) = DISK.get_or_init(begin) else {
        return work();
    };
    let (done, told) = oneshot::channel();
    let work = Box::new(move || {
        let _ = done.send(work());
    });
    disk.send(work)
        .map_err(|_| io::Error::other("the disk thread is gone"))?;
    told.await
        .map_err(|_| io::Error::other("writing failed in an unforeseen way"))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn work_is_done_in_order_and_one_failure_ends_nothing() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let say = |n: u32| {
            let seen = Arc::clone(&seen);
            aside(move || {
                assert!(n != 2, "two goes wrong");
                seen.lock().unwrap().push(n);
                Ok(n)
            })
        };
        let (one, two, three) = tokio::join!(say(1), say(2), say(3));
        assert_eq!((one.unwrap(), three.unwrap()), (1, 3));
        assert!(two.is_err());
        assert_eq!(*seen.lock().unwrap(), [1, 3]);
    }
}
