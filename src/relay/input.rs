//! stdin: read by a thread of its own, whatever else happens.

use crate::wire::frame::{Frame, Framer};
use std::io::Read;
use tokio::sync::mpsc;

/// Frames that wait for the loop. The loop never waits for anything but them, so they do not pile up.
const WAITING: usize = 16;
const CHUNK: usize = 64 * 1024;

/// Starts the reader thread over `source`; the channel closes at the end of the stream.
pub(crate) fn start(mut source: impl Read + Send + 'static) -> mpsc::Receiver<Frame> {
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
