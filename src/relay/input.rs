//! stdin: line by line. Where it is a pipe it is read when something is there; anything else has a thread that waits.

use crate::system::pipe::{Reader, wait_for_input};
use crate::wire::frame::{Frame, Framer};
use std::collections::VecDeque;
use std::io::Read;
use tokio::sync::mpsc;

/// Frames that wait for the loop. The loop never waits for anything but them, so they do not pile up.
const WAITING: usize = 16;
const CHUNK: usize = 64 * 1024;
/// Lines, or reads, that are taken one after the other before everything else has a turn.
const TURNS: usize = 16;

/// The client's lines.
pub(crate) enum Input {
    /// Read by the loop itself.
    Pipe(Box<Pipe>),
    /// Read by a thread.
    Thread(mpsc::Receiver<Frame>),
}

/// A pipe, and what was read of it and not yet taken.
pub(crate) struct Pipe {
    reader: Reader,
    framer: Framer,
    found: VecDeque<Frame>,
    chunk: Vec<u8>,
    ended: bool,
    turns: usize,
}

impl Input {
    /// Our stdin.
    pub(crate) fn stdin() -> Self {
        match Reader::stdin() {
            Some(reader) => Self::Pipe(Box::new(Pipe {
                reader,
                framer: Framer::new(),
                found: VecDeque::new(),
                chunk: vec![0; CHUNK],
                ended: false,
                turns: 0,
            })),
            None => Self::Thread(start(std::io::stdin())),
        }
    }

    /// The next line; `None` at the end of the stream. Nothing is lost where this is dropped.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        match self {
            Self::Pipe(pipe) => pipe.next().await,
            Self::Thread(frames) => frames.recv().await,
        }
    }
}

impl Pipe {
    async fn next(&mut self) -> Option<Frame> {
        loop {
            // A client that never stops writing is always ready: whatever else there is has its turn, and has done with what
            // the last lines began before there are more of it.
            self.turns += 1;
            if self.turns >= TURNS {
                self.turns = 0;
                tokio::task::yield_now().await;
            }
            if let Some(frame) = self.found.pop_front() {
                return Some(frame);
            }
            if self.ended {
                return None;
            }
            match self.reader.read(&mut self.chunk).await {
                Ok(0) | Err(_) => {
                    self.ended = true;
                    self.found.extend(self.framer.finish());
                }
                Ok(length) => {
                    let bytes = self.chunk.get(..length).unwrap_or_default();
                    self.framer.push(bytes, |frame| self.found.push_back(frame));
                }
            }
        }
    }
}

/// Starts the reader thread over `source`; the channel closes at the end of the stream.
fn start(mut source: impl Read + Send + 'static) -> mpsc::Receiver<Frame> {
    let (send, receive) = mpsc::channel(WAITING);
    let read = move || {
        let mut framer = Framer::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => {
                    let mut gone = false;
                    framer.push(chunk.get(..length).unwrap_or_default(), |frame| {
                        gone |= send.blocking_send(frame).is_err();
                    });
                    if gone {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => wait_for_input(),
                Err(_) => break,
            }
        }
        if let Some(last) = framer.finish() {
            let _ = send.blocking_send(last);
        }
    };
    // Without the thread the channel closes at once, which reads as the end of the stream.
    let _ = std::thread::Builder::new().name("stdin".into()).spawn(read);
    receive
}
