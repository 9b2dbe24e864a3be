//! The keyboard of a Unix terminal.

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcsetattr,
};
use std::io::{stdin, stdout};

/// The keyboard, while we have it.
#[derive(Debug)]
pub(in super::super) struct Keyboard {
    before: Termios,
}

impl Keyboard {
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
        Ok(Self { before })
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.before);
    }
}

/// What is typed.
#[derive(Debug)]
pub(super) struct Typed(());

impl Typed {
    /// Reads the keyboard that was taken.
    pub(super) fn new() -> Self {
        Self(())
    }

    /// The byte that was typed within a tenth of a second; none where nothing was.
    ///
    /// # Errors
    /// The terminal is gone.
    #[expect(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "the same shape on every system"
    )]
    pub(super) fn read(&mut self) -> rustix::io::Result<Vec<u8>> {
        let mut buffer = [0u8; 1];
        match rustix::io::read(stdin(), &mut buffer) {
            // Nothing pressed; a terminal that is gone says EIO instead.
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(Vec::new()),
            Ok(_) => Ok(buffer.to_vec()),
            Err(error) => Err(error),
        }
    }
}
