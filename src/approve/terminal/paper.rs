//! What is printed on the terminal. Everything goes through [`text::ascii`] before it gets here or is our own.

use super::super::text;
use crate::gate::card::{Card, FreeText};
use std::io::Write;

/// Width that long lines of free text are folded to.
const WIDTH: usize = 78;
/// Rows of free text before the person is asked to go on.
const ROWS: usize = 18;

/// The terminal's output.
pub(super) struct Paper<W: Write = std::io::Stdout>(W);

impl Paper {
    pub(super) fn stdout() -> Self {
        Self(std::io::stdout())
    }
}

impl<W: Write> Paper<W> {
    /// Text without an end of line. A terminal that is gone is noticed by its keyboard.
    pub(super) fn put(&mut self, text: &str) {
        let _ = self.0.write_all(text.as_bytes());
        let _ = self.0.flush();
    }

    pub(super) fn line(&mut self, text: &str) {
        self.put(text);
        self.put("\n");
    }

    /// The whole card but its free text.
    pub(super) fn card(&mut self, card: &Card, until: &str) {
        self.line("");
        self.line(&format!("  {}", text::title(card)));
        if let Some(account) = text::account(card) {
            self.line(&format!("  {account}"));
        }
        for warning in &card.warnings {
            self.line(&format!("  !! {}", text::ascii(warning)));
        }
        for line in &card.lines {
            self.line(&format!("  {}", text::card_line(line)));
        }
        let who = format!(
            "Asked by {}, order {}, code {}",
            card.client, card.ticket, card.digest_short
        );
        self.line(&format!("  {}", text::ascii(&who)));
        if let Some(phrase) = &card.phrase {
            self.line(&format!("  Your phrase: {}", text::ascii(phrase)));
        }
        self.line(&format!("  Open until {until}. You did not ask for this? Deny."));
    }

    pub(super) fn free_head(&mut self, free: &FreeText) {
        self.line("");
        self.line(&format!(
            "  {}, {} bytes, SHA-256 {}",
            text::ascii(&free.title),
            free.bytes,
            text::ascii(&free.sha256)
        ));
    }

    pub(super) fn rows(&mut self, rows: &[String]) {
        for row in rows {
            self.line(&format!("  | {row}"));
        }
    }
}

/// Free text in pages: every byte of it, escaped, folded, so that nothing runs out of sight.
pub(super) fn pages(free: &FreeText) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for line in free.text.lines() {
        let mut line = text::ascii(line);
        while line.len() > WIDTH {
            // Pure ASCII: any place is a boundary.
            let rest = line.split_off(WIDTH);
            rows.push(format!("{line}\\"));
            line = rest;
        }
        rows.push(line);
    }
    rows.chunks(ROWS).map(<[String]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_text_is_folded_and_whole() {
        let text = format!("{}\nshort\n\u{1b}[2J", "x".repeat(200));
        let free = FreeText {
            title: "Code".to_owned(),
            text,
            sha256: "00".to_owned(),
            bytes: 211,
        };
        let rows = pages(&free).concat();
        assert_eq!(
            rows.iter().map(|row| row.matches('x').count()).sum::<usize>(),
            200
        );
        assert!(rows.contains(&"short".to_owned()) && rows.contains(&"\\u{1B}[2J".to_owned()));
        assert!(rows.iter().all(|row| row.len() <= WIDTH + 1));
    }
}
