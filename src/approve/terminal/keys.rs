//! The keyboard of a terminal: one byte at a time, without echo, put back as it was at the end.
//!
//! Owns: what a byte means, and the task that reads. Refuses to know: how a system's terminal is set and read (`unix`; on
//! Windows `system` has the console).

#[cfg(unix)]
mod unix;

#[cfg(windows)]
use crate::system::console as device;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
#[cfg(unix)]
use unix as device;

/// Who is asking now. A reader that was still in its read when its question ended hands on the key that it got, instead
/// of losing the first letter of the next answer.
static ASKING: Mutex<Option<mpsc::Sender<Key>>> = Mutex::new(None);

/// One reader at a time: two would bring the letters of one answer out of order.
static READING: Mutex<()> = Mutex::new(());

/// What was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// A byte of text.
    Byte(u8),
    Enter,
    Backspace,
    /// Ctrl-U.
    Clear,
    /// Ctrl-C, Ctrl-D, on Windows Ctrl-Z as well, or the end of the terminal.
    Leave,
}

/// The keyboard, while we have it.
#[derive(Debug)]
pub(super) struct Keys {
    pressed: mpsc::Receiver<Key>,
    over: Arc<AtomicBool>,
    #[expect(dead_code, reason = "held to put the terminal back")]
    keyboard: device::Keyboard,
}

impl Keys {
    /// Takes the keyboard; what was typed before is thrown away.
    ///
    /// # Errors
    /// A sentence: stdin or stdout is no terminal.
    pub(super) fn open() -> Result<Self, String> {
        let keyboard = device::Keyboard::open()?;
        let (send, pressed) = mpsc::channel(64);
        let over = Arc::new(AtomicBool::new(false));
        let told = over.clone();
        *ASKING.lock().unwrap_or_else(PoisonError::into_inner) = Some(send);
        tokio::task::spawn_blocking(move || read(&told));
        Ok(Self {
            pressed,
            over,
            keyboard,
        })
    }

    /// The next key.
    pub(super) async fn next(&mut self) -> Key {
        self.pressed.recv().await.unwrap_or(Key::Leave)
    }

    /// Throws away what was typed ahead.
    pub(super) fn flush(&mut self) {
        while self.pressed.try_recv().is_ok() {}
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

/// Hands a key to whoever asks now; whether anybody does.
fn hand_on(key: Key) -> bool {
    let asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner).clone();
    asking.is_some_and(|send| send.blocking_send(key).is_ok())
}

fn read(over: &AtomicBool) {
    let _alone = READING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut typed = device::Typed::new();
    while !over.load(Ordering::Acquire) {
        let Ok(bytes) = typed.read() else {
            hand_on(Key::Leave);
            return;
        };
        for byte in bytes {
            if !hand_on(key(byte)) {
                return;
            }
        }
    }
}

fn key(byte: u8) -> Key {
    match byte {
        b'\r' | b'\n' => Key::Enter,
        0x7f | 0x08 => Key::Backspace,
        0x15 => Key::Clear,
        0x03 | 0x04 => Key::Leave,
        0x1a if cfg!(windows) => Key::Leave,
        byte => Key::Byte(byte),
    }
}
