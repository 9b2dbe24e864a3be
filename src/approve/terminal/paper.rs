//! What is printed on the terminal. Everything goes through [`text::ascii`] before it gets here or is our own.

use super::super::text;
use crate::gate::card::{Card, CardLine, FreeText, Mark};
use crate::system::terminal::{WIDTH, folded, stdout_width};
use std::io::Write;

/// Columns of a fact's label; a longer one pushes its value to the right.
const LABEL: usize = 12;
/// Rows of free text before the person is asked to go on.
const ROWS: usize = 18;

/// What stands before a row of free text, and the mark of a row that goes on in the next one.
const ROW: usize = "  | ".len() + "\\".len();

/// The terminal's output, and how wide it is written: a card in a wide terminal is as wide as in one of 80 columns.
pub(super) struct Paper<W: Write = std::io::Stdout> {
    out: W,
    width: usize,
}

impl Paper {
    pub(super) fn stdout() -> Self {
        Self {
            out: std::io::stdout(),
            width: stdout_width().min(WIDTH),
        }
    }
}

impl<W: Write> Paper<W> {
    /// Text without an end of line. A terminal that is gone is noticed by its keyboard.
    pub(super) fn put(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }

    pub(super) fn line(&mut self, text: &str) {
        for line in text.split('\n') {
            self.put(&folded(line, self.width));
            self.put("\n");
        }
    }

    /// A question, whose answer is typed behind it.
    pub(super) fn question(&mut self, text: &str) {
        self.put(&folded(&format!("{text}:"), self.width));
        self.put(" ");
    }

    /// The whole card but its free text: deed and account, warnings, facts in columns, whose question it is.
    pub(super) fn card(&mut self, card: &Card, until: &str) {
        let rule = if card.badge == "SIM" { "- " } else { "==" };
        // Indented like all the rest.
        let rule = rule.repeat(self.width.saturating_sub(2) / 2);
        self.line("");
        self.line(&format!("  {}", rule.trim_end()));
        self.line(&format!("  {}", text::title(card)));
        if let Some(account) = text::account(card) {
            self.line(&format!("  {account}"));
        }
        self.line(&format!("  {}", rule.trim_end()));
        for warning in &card.warnings {
            self.line(&format!("  !! {}", text::ascii(warning)));
        }
        for line in &card.lines {
            self.fact(line);
        }
        self.line("");
        let who = text::asked_by(card);
        self.line(&format!("  {}", text::ascii(&who)));
        if let Some(phrase) = &card.phrase {
            self.line(&format!("  Your phrase: {}", text::ascii(phrase)));
        }
        self.line(&format!(
            "  Nothing was sent yet. Open until {until}, then denied."
        ));
        self.line("  You did not ask for this? Deny.");
    }

    /// One fact: its mark, its label, its value under the values of the others.
    pub(super) fn fact(&mut self, line: &CardLine) {
        let (mark, note) = match line.mark {
            Mark::Warn => ("!", ""),
            Mark::Changed if !text::moves(line) => ("*", "CHANGED "),
            Mark::Plain | Mark::Changed => (" ", ""),
        };
        let label = text::ascii(&line.label);
        let value = format!("{note}{}", text::ascii(&line.value));
        let room = self.width.saturating_sub(LABEL + 5);
        let mut rows = rows(&value, room).into_iter();
        self.line(&format!(
            "  {mark} {label:<LABEL$} {}",
            rows.next().unwrap_or_default()
        ));
        for row in rows {
            self.line(&format!("    {:LABEL$} {row}", ""));
        }
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

    /// Free text in pages: every byte of it, escaped, in rows that this terminal does not break, so that nothing runs out
    /// of sight.
    pub(super) fn pages(&self, free: &FreeText) -> Vec<Vec<String>> {
        pages(free, self.width.saturating_sub(ROW))
    }

    pub(super) fn rows(&mut self, rows: &[String]) {
        for row in rows {
            self.line(&format!("  | {row}"));
        }
    }
}

/// A value in rows of at most this many columns, broken at blanks where there are any. Pure ASCII: any place is a boundary.
fn rows(text: &str, width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut rest = text;
    while rest.len() > width {
        let (head, _) = rest.split_at(width.saturating_add(1).min(rest.len()));
        let end = head.rfind(' ').filter(|end| *end > 0).unwrap_or(width);
        let (row, more) = rest.split_at(end);
        rows.push(row.to_owned());
        rest = more.strip_prefix(' ').unwrap_or(more);
    }
    rows.push(rest.to_owned());
    rows
}

fn pages(free: &FreeText, width: usize) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for line in free.text.lines() {
        let mut line = text::ascii(line);
        while line.len() > width {
            // Pure ASCII: any place is a boundary.
            let rest = line.split_off(width);
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
    fn a_card_stands_in_columns() {
        let line = |label: &str, value: &str, mark| CardLine {
            label: label.to_owned(),
            value: value.to_owned(),
            mark,
        };
        let card = Card {
            ticket: "7QK4".to_owned(),
            badge: "LIVE".to_owned(),
            account: "PA-123456".to_owned(),
            side: "SELL".to_owned(),
            headline: "SELL 2 MES 12-26".to_owned(),
            approve: "Approve SELL 2 MES".to_owned(),
            deny: "Deny".to_owned(),
            lines: vec![
                line("order", "LIMIT 6014.25  DAY", Mark::Plain),
                line(
                    "position",
                    "+3 from 6010.5 -> +1 if filled (REDUCES)",
                    Mark::Changed,
                ),
                line("market", "last 6012.25  bid 6012  ask 6012.25", Mark::Changed),
                line("risk", "not bounded by a stop", Mark::Warn),
                line(
                    "reach",
                    "names Sim101; the service's documents also say ALL ACCOUNTS, so all are meant",
                    Mark::Warn,
                ),
                line("a label that is too long", "value", Mark::Plain),
            ],
            warnings: vec!["NO STOP ATTACHED".to_owned()],
            free_text: None,
            client: "a client".to_owned(),
            phrase: Some("blue heron".to_owned()),
            class: crate::gate::catalogue::Class::Order,
            digest_short: "7f3a19c2".to_owned(),
        };
        let mut paper = Paper {
            out: Vec::new(),
            width: WIDTH,
        };
        paper.card(&card, "15:41:07");
        let shown = String::from_utf8(paper.out).unwrap();
        assert!(shown.lines().all(|line| line.len() <= WIDTH), "{shown}");
        insta::assert_snapshot!(shown, @"

          ============================================================================
          LIVE  SELL 2 MES 12-26
          Account: PA-123456 (LIVE)
          ============================================================================
          !! NO STOP ATTACHED
            order        LIMIT 6014.25  DAY
          * position     CHANGED +3 from 6010.5 -> +1 if filled (REDUCES)
            market       last 6012.25  bid 6012  ask 6012.25
          ! risk         not bounded by a stop
          ! reach        names Sim101; the service's documents also say ALL ACCOUNTS,
                         so all are meant
            a label that is too long value

          Asked by a client, order 7QK4, code 7f3a19c2
          Your phrase: blue heron
          Nothing was sent yet. Open until 15:41:07, then denied.
          You did not ask for this? Deny.
        ");
    }

    #[test]
    fn a_long_value_is_folded_and_whole() {
        let long = "y".repeat(130);
        for text in [
            "",
            "short",
            &long,
            "aa bb cc",
            &format!("a {long} b"),
            &format!("{long} "),
        ] {
            for width in [1, 7, 61] {
                let rows = rows(text, width);
                assert!(rows.iter().all(|row| row.len() <= width), "{rows:?}");
                assert_eq!(rows.concat().replace(' ', ""), text.replace(' ', ""));
            }
        }
    }

    #[test]
    fn free_text_is_folded_and_whole() {
        let text = format!("{}\nshort\n\u{1b}[2J", "x".repeat(200));
        let free = FreeText {
            title: "Code".to_owned(),
            text,
            sha256: "00".to_owned(),
            bytes: 211,
        };
        let rows = pages(&free, 73).concat();
        assert_eq!(
            rows.iter().map(|row| row.matches('x').count()).sum::<usize>(),
            200
        );
        assert!(rows.contains(&"short".to_owned()) && rows.contains(&"\\u{1B}[2J".to_owned()));
        assert!(rows.iter().all(|row| row.len() <= 74));
    }
}
