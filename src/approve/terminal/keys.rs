//! The keyboard of a terminal: one byte at a time, without echo, put back as it was at the end.

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcsetattr,
};
use std::io::{stdin, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

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
    /// Ctrl-C, Ctrl-D, or the end of the terminal.
    Leave,
}

/// The keyboard, while we have it.
#[derive(Debug)]
pub(super) struct Keys {
    pressed: mpsc::Receiver<Key>,
    over: Arc<AtomicBool>,
    before: Termios,
}

impl Keys {
    /// Takes the keyboard; what was typed before is thrown away.
    ///
    /// # Errors
    /// A sentence: stdin or stdout is no terminal.
    pub(super) fn open() -> Result<Self, String> {
        if !isatty(stdin()) || !isatty(stdout()) {
            return Err("this needs a terminal that you opened: stdin or stdout is none".to_owned());
        }
        let before = tcgetattr(stdin()).map_err(|error| format!("the terminal cannot be read: {error}"))?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
        quiet.input_modes -= InputModes::IXON;
        // A read returns after a tenth of a second at the latest, so that the reader ends when we do.
        quiet.special_codes[SpecialCodeIndex::VMIN] = 0;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 1;
        tcsetattr(stdin(), OptionalActions::Flush, &quiet)
            .map_err(|error| format!("the terminal cannot be set: {error}"))?;
        let (send, pressed) = mpsc::channel(64);
        let over = Arc::new(AtomicBool::new(false));
        let told = over.clone();
        *ASKING.lock().unwrap_or_else(PoisonError::into_inner) = Some(send);
        tokio::task::spawn_blocking(move || read(&told));
        Ok(Self {
            pressed,
            over,
            before,
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
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.before);
    }
}

/// Hands a key to whoever asks now; whether anybody does.
fn hand_on(key: Key) -> bool {
    let asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner).clone();
    asking.is_some_and(|send| send.blocking_send(key).is_ok())
}

fn read(over: &AtomicBool) {
    let _alone = READING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut buffer = [0u8; 1];
    while !over.load(Ordering::Acquire) {
        match rustix::io::read(stdin(), &mut buffer) {
            // Nothing pressed; a terminal that is gone says EIO instead.
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => {
                let [byte] = buffer;
                if !hand_on(key(byte)) {
                    return;
                }
            }
            Err(_) => {
                hand_on(Key::Leave);
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
        byte => Key::Byte(byte),
    }
}
