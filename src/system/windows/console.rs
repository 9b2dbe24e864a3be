//! The keyboard of a Windows console: one character at a time, without echo, put back as it was at the end.
//!
//! Owns: the console's settings while we have it, and how UTF-16 becomes bytes. Refuses to know: what the keys mean.
//! The console's code page plays no part: keys come as UTF-16, and std writes to a console in UTF-16 as well.

use super::raw;
use std::io::{IsTerminal, Stdin, stdin, stdout};
use windows_sys::Win32::System::Console::{
    ENABLE_ECHO_INPUT, ENABLE_EXTENDED_FLAGS, ENABLE_LINE_INPUT, ENABLE_MOUSE_INPUT, ENABLE_PROCESSED_INPUT,
    ENABLE_QUICK_EDIT_MODE, ENABLE_VIRTUAL_TERMINAL_INPUT, ENABLE_WINDOW_INPUT,
};

/// How long a reader waits for a key, in milliseconds, so that it ends soon after we do.
const WAIT_MS: u32 = 100;

/// The keyboard, while we have it.
#[derive(Debug)]
pub struct Keyboard {
    before: u32,
}

impl Keyboard {
    /// Takes the keyboard; what was typed before is thrown away.
    ///
    /// # Errors
    /// A sentence: stdin or stdout is no console.
    pub fn open() -> Result<Self, String> {
        let before = raw::console_mode(&stdin()).filter(|_| stdout().is_terminal());
        let before = before.ok_or(
            "this needs a console window that you opened (Windows Terminal or the command prompt; not Git Bash): stdin or stdout is none",
        )?;
        let ours = ENABLE_ECHO_INPUT
            | ENABLE_LINE_INPUT
            | ENABLE_PROCESSED_INPUT
            | ENABLE_MOUSE_INPUT
            | ENABLE_WINDOW_INPUT
            | ENABLE_VIRTUAL_TERMINAL_INPUT
            // A click into the window would hold our output until a key is pressed, and the time would run.
            | ENABLE_QUICK_EDIT_MODE;
        raw::set_console_mode(&stdin(), before & !ours | ENABLE_EXTENDED_FLAGS)
            .map_err(|error| format!("the console cannot be set: {error}"))?;
        raw::flush_keys(&stdin());
        Ok(Self { before })
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        raw::flush_keys(&stdin());
        let _ = raw::set_console_mode(&stdin(), self.before);
    }
}

/// What is typed, as UTF-8.
#[derive(Debug)]
pub struct Typed {
    keyboard: Stdin,
    /// The first half of a character of two units.
    half: Option<u16>,
}

impl Typed {
    /// Reads the keyboard that was taken.
    pub fn new() -> Self {
        Self {
            keyboard: stdin(),
            half: None,
        }
    }

    /// The bytes of what was typed within a tenth of a second; none where nothing was.
    ///
    /// # Errors
    /// The console is gone.
    pub fn read(&mut self) -> std::io::Result<Vec<u8>> {
        let Some((unit, times)) = raw::read_key(&self.keyboard, WAIT_MS)? else {
            return Ok(Vec::new());
        };
        let units: Vec<u16> = self.half.take().into_iter().chain([unit]).collect();
        if let ([first], true) = (units.as_slice(), (0xD800..0xDC00).contains(&unit)) {
            self.half = Some(*first);
            return Ok(Vec::new());
        }
        Ok(String::from_utf16_lossy(&units)
            .repeat(usize::from(times))
            .into_bytes())
    }
}

impl Default for Typed {
    fn default() -> Self {
        Self::new()
    }
}
