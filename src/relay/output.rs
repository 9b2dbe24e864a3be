//! stdout: whole lines, one after the other, bounded by bytes. Nothing else in the program writes there.
//!
//! What the client's pipe takes at once is written by a task, whose turn comes after everything that was ready together: all
//! their lines go with one write, and wake the client once. What would have to wait, a thread writes, and while it does all
//! that follows queues up behind.

use crate::system::clock::mono_ms;
use crate::system::pipe::{Writer, wait_for_room};
use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes that may wait for a client that does not read. Above it new requests are refused and results wait upstream;
/// 64 MiB holds a burst of large results and is still a size that a desktop can spare.
pub(crate) const BOUND: usize = 64 * 1024 * 1024;
/// Room above [`BOUND`] for small answers of our own: refusals, pings. A client that lets even these pile up gets no
/// more of them.
const OWN: usize = 16 * 1024 * 1024;
/// Lines that wait go out with one write of the thread up to this size: what a pipe takes at once on most systems.
const AT_ONCE: usize = 64 * 1024;
/// Writes that the task makes before others have their turn again.
const WRITES: usize = 16;
/// From here on a line is a large one, whose memory is worth giving back.
const LARGE: usize = 1024 * 1024;
/// What a waiting line costs beside its bytes.
const PER_LINE: usize = 64;

/// The writer's end that the relay holds. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Output(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// For the thread.
    filled: Condvar,
    /// For the task, where there is a pipe.
    ready: Notify,
    drained: Notify,
    /// The pipe under the thread's sink, where there is one.
    pipe: Option<Writer>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Each with its line end.
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Since when a write has been under way without an end.
    stuck_since: Option<u64>,
    closed: bool,
    broken: bool,
    /// Something large went through since this was last asked.
    large: bool,
}

impl Queue {
    /// Whether nothing waits and the thread writes nothing.
    fn is_idle(&self) -> bool {
        self.lines.is_empty() && self.stuck_since.is_none()
    }

    /// The client is gone.
    fn breaks(&mut self) {
        self.broken = true;
        self.lines.clear();
        self.bytes = 0;
    }

    /// What is written next, and what it counted for: one line, and those that wait behind it while there are no more than so
    /// many bytes.
    fn next(&mut self, most: usize) -> Option<(Vec<u8>, usize)> {
        let mut text = self.lines.pop_front()?;
        let mut bytes = text.len() + PER_LINE;
        while let Some(line) = self.lines.front()
            && text.len() + line.len() <= most
        {
            bytes += line.len() + PER_LINE;
            text.extend_from_slice(line);
            self.lines.pop_front();
        }
        Some((text, bytes))
    }
}

impl Output {
    /// Our stdout. Wants a runtime.
    pub(crate) fn stdout() -> Self {
        let output = Self::over(std::io::stdout(), Writer::stdout());
        if output.0.pipe.is_some() {
            let shared = Arc::clone(&output.0);
            crate::system::spawn(async move {
                while !shared.write_ready() {
                    shared.ready.notified().await;
                }
            });
        }
        output
    }

    /// Starts the writer thread over `sink`.
    pub(crate) fn start(sink: impl Write + Send + 'static) -> Self {
        Self::over(sink, None)
    }

    fn over(sink: impl Write + Send + 'static, pipe: Option<Writer>) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            ready: Notify::new(),
            drained: Notify::new(),
            pipe,
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
        self.0.queue()
    }

    /// Queues one line. Small answers of our own go through whatever is waiting, up to a second bound.
    pub(crate) fn line(&self, line: String) {
        let mut queue = self.queue();
        if queue.broken || queue.closed {
            return;
        }
        let mut line = line.into_bytes();
        line.push(b'\n');
        queue.large |= line.len() >= LARGE;
        // A large result has waited for its turn below the first bound, so it is never what is dropped here.
        if queue.bytes >= BOUND + OWN {
            tracing::warn!("a line was dropped: the client does not read");
            return;
        }
        queue.bytes += line.len() + PER_LINE;
        queue.lines.push_back(line);
        // What the thread is at, it goes on with by itself.
        if queue.stuck_since.is_some() {
            return;
        }
        match &self.0.pipe {
            Some(_) => self.0.ready.notify_one(),
            None => self.0.filled.notify_one(),
        }
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

    /// Whether something large was written since this was last asked, and nothing waits now.
    pub(crate) fn has_passed_large(&self) -> bool {
        let mut queue = self.queue();
        let passed = queue.large && queue.is_idle();
        queue.large &= !passed;
        passed
    }

    /// Takes no more lines, and waits at most `limit_ms` until what was queued is written.
    pub(crate) async fn finish(&self, limit_ms: u64) {
        self.queue().closed = true;
        self.0.filled.notify_one();
        let until = mono_ms() + limit_ms;
        while mono_ms() < until {
            {
                let queue = self.queue();
                if queue.broken || queue.is_idle() {
                    return;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what the pipe takes at once, and leaves the rest to the thread. Whether there is nothing to write any more.
    fn write_ready(&self) -> bool {
        let Some(pipe) = &self.pipe else { return true };
        let mut queue = self.queue();
        let before = queue.bytes;
        for _ in 0..WRITES {
            if queue.stuck_since.is_some() {
                break;
            }
            let Some((mut text, bytes)) = queue.next(Writer::WHOLE) else {
                break;
            };
            queue.bytes = queue.bytes.saturating_sub(bytes);
            match pipe.write_some(&text) {
                Ok(written) if written == text.len() => {}
                Ok(written) => {
                    if text.len() > AT_ONCE {
                        pipe.widen();
                    }
                    // A part of it went: no other line may come between.
                    text.drain(..written);
                    queue.bytes += text.len() + PER_LINE;
                    queue.lines.push_front(text);
                    break;
                }
                Err(_) => queue.breaks(),
            }
        }
        if !queue.lines.is_empty() && queue.stuck_since.is_none() {
            self.filled.notify_one();
        }
        let has_ended = queue.broken || queue.closed;
        let has_room = before >= BOUND && queue.bytes < BOUND;
        drop(queue);
        if has_room {
            self.drained.notify_waiters();
        }
        has_ended
    }
}

fn write_all(shared: &Shared, mut sink: impl Write) {
    let lock = || shared.queue();
    loop {
        let (text, bytes) = {
            let mut queue = lock();
            loop {
                if let Some(next) = queue.next(AT_ONCE) {
                    queue.stuck_since = Some(mono_ms());
                    break next;
                }
                if queue.closed {
                    return;
                }
                queue = shared.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        };
        let written = write_whole(&mut sink, &text);
        let mut queue = lock();
        queue.stuck_since = None;
        queue.bytes = queue.bytes.saturating_sub(bytes);
        if written.is_err() {
            queue.breaks();
        }
        let broken = queue.broken;
        drop(queue);
        shared.drained.notify_waiters();
        if broken {
            return;
        }
    }
}

/// Writes and flushes all of it. A pipe that somebody else who has it made non-blocking is waited for, as any other.
fn write_whole(sink: &mut impl Write, text: &[u8]) -> std::io::Result<()> {
    let mut rest = text;
    loop {
        let step = match rest {
            [] => sink.flush().map(|()| None),
            _ => sink.write(rest).map(Some),
        };
        match step {
            Ok(None) => return Ok(()),
            Ok(Some(0)) => return Err(ErrorKind::WriteZero.into()),
            Ok(Some(written)) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait_for_room(),
            Err(error) => return Err(error),
        }
    }
}
