//! What the demo prints.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The widest line.
const WIDTH: usize = 100;

/// stdout, with bold titles where it is a terminal.
pub(super) struct Paper {
    bold: bool,
    steps: AtomicUsize,
}

impl Paper {
    pub(super) fn new() -> Self {
        let bold = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            bold,
            steps: AtomicUsize::new(0),
        }
    }

    pub(super) fn title(&self, text: &str) {
        self.line(&self.strong(text));
    }

    pub(super) fn step(&self, text: &str) {
        let number = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        self.blank();
        self.line(&format!("{number}. {}", self.strong(text)));
    }

    pub(super) fn fact(&self, name: &str, text: &str) {
        self.line(&format!("   {name:<14} {text}"));
    }

    /// Words of the program, wrapped.
    pub(super) fn told(&self, name: &str, text: &str) {
        let mut rows = wrap(text, WIDTH - 18).into_iter();
        self.fact(name, &rows.next().unwrap_or_default());
        rows.for_each(|row| self.fact("", &row));
    }

    pub(super) fn card(&self, text: &str) {
        let width = text
            .lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0)
            .clamp(40, WIDTH - 8);
        let rule = "-".repeat(width + 2);
        self.line(&format!("   +{rule}+"));
        text.lines()
            .for_each(|line| self.line(&format!("   | {line:<width$} |")));
        self.line(&format!("   +{rule}+"));
    }

    pub(super) fn plain(&self, text: &str) {
        self.line(text);
    }

    pub(super) fn blank(&self) {
        self.line("");
    }

    fn strong(&self, text: &str) -> String {
        if self.bold {
            format!("\u{1b}[1m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn line(&self, text: &str) {
        // Whoever closed the pipe has seen enough.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
        let _ = std::io::stdout().lock().flush();
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in text.split_whitespace() {
        let word: String = word.chars().take(width).collect();
        let row = rows.last_mut().map_or(0, |row| row.chars().count());
        if row > 0 && row + 1 + word.chars().count() > width {
            rows.push(word);
        } else if let Some(last) = rows.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(&word);
        }
    }
    rows
}
