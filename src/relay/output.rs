//! stdout: one writer, whole lines, bounded by bytes. Nothing else in the program writes there.

use crate::system::clock::mono_ms;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes that may wait for a client that does not read. Above it new requests are refused and results wait upstream;
/// 64 MiB holds a burst of large results and is still a size that a desktop can spare.
pub(crate) const BOUND: usize = 64 * 1024 * 1024;
/// Room above [`BOUND`] for small answers of our own: refusals, pings. A client that lets even these pile up gets no
/// more of them.
const OWN: usize = 16 * 1024 * 1024;
/// What a waiting line costs beside its bytes.
const PER_LINE: usize = 64;

/// The writer's end that the relay holds. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Output(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    drained: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<String>,
    bytes: usize,
    /// Since when a write has been under way without an end.
    stuck_since: Option<u64>,
    closed: bool,
    broken: bool,
}

impl Output {
    /// Starts the writer thread over `sink`.
    pub(crate) fn start(sink: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            drained: Notify::new(),
        });
        let for_thread = Arc::clone(&shared);
        let spawned = std::thread::Builder::new()
            .name("stdout".into())
            .spawn(move || write_all(&for_thread, sink));
        let output = Self(shared);
        if spawned.is_err() {
            output.queue().broken = true;
        }
        output
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues one line. Small answers of our own go through whatever is waiting, up to a second bound.
    pub(crate) fn line(&self, line: String) {
        let mut queue = self.queue();
        if queue.broken || queue.closed {
            return;
        }
        // A large result has waited for its turn below the first bound, so it is never what is dropped here.
        if queue.bytes >= BOUND + OWN {
            tracing::warn!("a line was dropped: the client does not read");
            return;
        }
        queue.bytes += line.len() + PER_LINE;
        queue.lines.push_back(line);
        self.0.filled.notify_one();
    }

    /// Waits until fewer than [`BOUND`] bytes are waiting. Results from upstream do so before they are queued.
    pub(crate) async fn room(&self) {
        loop {
            let drained = self.0.drained.notified();
            if !self.is_full() {
                return;
            }
            drained.await;
        }
    }

    /// Whether so much is waiting that new work is refused.
    pub(crate) fn is_full(&self) -> bool {
        let queue = self.queue();
        queue.bytes >= BOUND && !queue.broken
    }

    /// Whether the client is gone: its end of the pipe is closed.
    pub(crate) fn is_broken(&self) -> bool {
        self.queue().broken
    }

    /// For how long (ms) the client has not been reading although something waits; 0 while it does.
    pub(crate) fn unread_ms(&self) -> u64 {
        self.queue()
            .stuck_since
            .map_or(0, |since| mono_ms().saturating_sub(since))
    }

    /// Takes no more lines, and waits at most `limit_ms` until what was queued is written.
    pub(crate) async fn finish(&self, limit_ms: u64) {
        self.queue().closed = true;
        self.0.filled.notify_one();
        let until = mono_ms() + limit_ms;
        while mono_ms() < until {
            {
                let queue = self.queue();
                if queue.broken || (queue.lines.is_empty() && queue.stuck_since.is_none()) {
                    return;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
}

fn write_all(shared: &Shared, mut sink: impl Write) {
    let lock = || shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let mut line = {
            let mut queue = lock();
            loop {
                if let Some(line) = queue.lines.pop_front() {
                    queue.stuck_since = Some(mono_ms());
                    break line;
                }
                if queue.closed {
                    return;
                }
                queue = shared.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        };
        let bytes = line.len() + PER_LINE;
        line.push('\n');
        let written = sink.write_all(line.as_bytes()).and_then(|()| sink.flush());
        let mut queue = lock();
        queue.stuck_since = None;
        queue.bytes = queue.bytes.saturating_sub(bytes);
        if written.is_err() {
            queue.broken = true;
            queue.lines.clear();
            queue.bytes = 0;
        }
        let broken = queue.broken;
        drop(queue);
        shared.drained.notify_waiters();
        if broken {
            return;
        }
    }
}
