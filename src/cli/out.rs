//! What verbs print: data on stdout, talk on stderr. `stdout` belongs to the protocol in `serve`, which prints nothing
//! through here.

use serde_json::{Value, json};
use std::io::{IsTerminal, Write};

/// The version of the `--json` output's shape.
const SCHEMA: u32 = 1;

/// The widest line of talk that is folded (columns).
pub(crate) const WIDTH: usize = 78;

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

    /// Prints the verb's data: the text for people, or the object for programs.
    pub(crate) fn data(self, text: &str, object: &Value) {
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

    /// The same for sentences: in a terminal they are folded, and continue under their own column. A program that reads
    /// them has each whole.
    pub(crate) fn lines(self, text: &str, object: &Value) {
        if self.talk || self.json || !std::io::stdout().is_terminal() {
            return self.data(text, object);
        }
        for line in text.split('\n') {
            self.raw(&folded(line));
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
        for line in text.split('\n') {
            let _ = writeln!(err, "{}", folded(line));
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

/// A line as it stands where it fits: a table keeps its columns. A longer one is broken between words.
fn folded(line: &str) -> String {
    if line.chars().count() > WIDTH {
        fold(line)
    } else {
        line.to_owned()
    }
}

/// The widest first column of a table (`AI trading   HELD`), with the gap behind it.
const COLUMN: usize = 14;

/// Breaks a line between words; what follows is indented as its beginning is, or stands under the second column where a
/// line has one. A word that is too long stays whole.
pub(crate) fn fold(line: &str) -> String {
    let spaces = line.len().saturating_sub(line.trim_start_matches(' ').len());
    // Two spaces between words make a column.
    let second = line.get(spaces..).and_then(|rest| {
        let gap = rest.find("  ")?;
        let after = rest.get(gap..)?;
        Some(spaces + gap + after.len().saturating_sub(after.trim_start_matches(' ').len()))
    });
    let hang = second.filter(|column| *column <= COLUMN).unwrap_or(spaces);
    let (head, rest) = line.split_at_checked(hang).unwrap_or(("", line));
    let indent = " ".repeat(head.chars().count());
    let mut folded = head.to_owned();
    let mut column = indent.len();
    let mut first = true;
    for word in rest.split_whitespace() {
        let length = word.chars().count();
        if !first && column.saturating_add(1).saturating_add(length) > WIDTH {
            folded.push('\n');
            folded.push_str(&indent);
            column = indent.len();
        } else if !first {
            folded.push(' ');
            column = column.saturating_add(1);
        }
        folded.push_str(word);
        column = column.saturating_add(length);
        first = false;
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fold_between_words_and_keep_their_indent() {
        let folded = fold(&format!("   {}", "word ".repeat(40)));
        assert!(folded.lines().count() > 2);
        for line in folded.lines() {
            assert!(line.len() <= WIDTH && line.starts_with("   word"), "{line:?}");
        }
        let long = "x".repeat(200);
        assert_eq!(fold(&format!("see {long}")), format!("see\n{long}"));
        assert_eq!(fold(""), "");
    }

    #[test]
    fn a_second_column_stays_one() {
        let status = format!("reading   {}", "word ".repeat(30));
        let shown = fold(&status);
        let mut lines = shown.lines();
        assert!(
            lines
                .next()
                .is_some_and(|first| first.starts_with("reading   word word"))
        );
        assert!(lines.clone().count() > 1);
        for line in lines {
            assert!(
                line.starts_with("          word") && line.len() <= WIDTH,
                "{line:?}"
            );
        }
        let late = format!("Checked: {}  end", "word ".repeat(20));
        assert!(fold(&late).lines().all(|line| !line.starts_with(' ')));
        assert_eq!(folded("a  table   keeps"), "a  table   keeps");
    }
}
