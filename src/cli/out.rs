//! What verbs print: data on stdout, talk on stderr. `stdout` belongs to the protocol in `serve`, which prints nothing
//! through here.

use serde_json::{Value, json};
use std::io::{IsTerminal, Write};

/// The version of the `--json` output's shape.
const SCHEMA: u32 = 1;

/// The printer of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Out {
    json: bool,
}

#[expect(clippy::unused_self, reason = "one printer for all that is printed")]
impl Out {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints the verb's data: the text for people, or the object for programs.
    pub(crate) fn data(self, text: &str, object: &Value) {
        if self.json {
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
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Says what went wrong and what to do about it.
    pub(crate) fn error(self, why: &str, hint: &str) {
        if self.json {
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
