//! What verbs print: data on stdout, talk on stderr. `stdout` belongs to the protocol in `serve`, which prints nothing
//! through here.

use crate::system::terminal::{folded, stderr_width, stdout_width};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};

/// The version of the `--json` output's shape.
const SCHEMA: u32 = 1;

/// The printer of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Out {
    json: bool,
    /// What verbs print as data is talk: another verb runs them.
    talk: bool,
}

#[expect(clippy::unused_self, reason = "one printer for all that is printed")]
impl Out {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, talk: false }
    }

    /// The same for verbs that another verb runs: their data is talk, and stdout is left to that verb.
    pub(crate) fn as_talk(self) -> Self {
        Self { talk: true, ..self }
    }

    /// Whether another verb runs this one.
    pub(crate) fn is_talk(self) -> bool {
        self.talk
    }

    /// Prints the verb's data: the text for people, or the object for programs. In a terminal the text is folded, and goes
    /// on under its own column; a program that reads it has each line whole.
    pub(crate) fn data(self, text: &str, object: &Value) {
        if self.talk || self.json || !std::io::stdout().is_terminal() {
            return self.exact(text, object);
        }
        let width = stdout_width();
        for line in text.split('\n') {
            self.raw(&folded(line, width));
        }
    }

    /// The same for a text that is to be copied as it is: a file, an answer of the service.
    pub(crate) fn exact(self, text: &str, object: &Value) {
        if self.talk {
            self.say(text);
        } else if self.json {
            let mut whole = json!({ "schemaVersion": SCHEMA });
            if let (Some(whole), Some(object)) = (whole.as_object_mut(), object.as_object()) {
                whole.extend(object.clone());
            }
            self.raw(&whole.to_string());
        } else {
            self.raw(text);
        }
    }

    /// Prints a line on stdout as it is.
    pub(crate) fn raw(self, text: &str) {
        // A reader that has gone (`| head`) is no failure of ours.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// Says something to the person.
    pub(crate) fn say(self, text: &str) {
        let mut err = std::io::stderr().lock();
        if !self.talk && !err.is_terminal() {
            let _ = writeln!(err, "{text}");
            return;
        }
        let width = stderr_width();
        for line in text.split('\n') {
            let _ = writeln!(err, "{}", folded(line, width));
        }
    }

    /// Puts a text on the clipboard of the person's own computer, also over SSH, where the terminal takes that (OSC 52).
    pub(crate) fn copy(self, text: &str) {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "\x1b]52;c;{text}\x07").and_then(|()| err.flush());
    }

    /// Says what went wrong and what to do about it.
    pub(crate) fn error(self, why: &str, hint: &str) {
        if self.json && !self.talk {
            self.raw(&json!({ "schemaVersion": SCHEMA, "error": why, "hint": hint }).to_string());
        }
        self.say(&format!("error: {why}"));
        if !hint.is_empty() {
            self.say(&format!("hint: {hint}"));
        }
    }

    /// Whether programs read what is printed.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Whether a person can be asked something here.
    pub(crate) fn can_ask(self) -> bool {
        !self.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }
}

/// What the system says of a fault, without its number: `Connection refused`.
pub(crate) fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// Text from elsewhere, made safe for a terminal: control characters are shown, not obeyed.
pub(crate) fn safe(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}
