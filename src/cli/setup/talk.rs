//! The talk with the person: folded to their terminal, and questions whose default is the safe answer.
//!
//! Owns: headings, folding, yes and no, words and numbers. Refuses to know: what is asked about.

use super::Stop;
use crate::approve::terminal::read_word;
use crate::cli::out::{self, Out};
use crate::system::terminal::{fold, folded, stderr_width};
use std::io::Write as _;

/// The talk of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Talk {
    out: Out,
    /// Whether anything can be asked.
    asks: bool,
}

impl Talk {
    pub(super) fn new(out: Out, asks: bool) -> Self {
        Self { out, asks }
    }

    /// Whether a person can be asked here.
    pub(super) fn asks(self) -> bool {
        self.asks
    }

    /// The heading of a step.
    pub(super) fn head(self, step: usize, title: &str) {
        let title = format!("-- {step}. {title} ");
        let width = stderr_width();
        self.out.say(&format!("\n{title:-<width$}\n"));
    }

    /// A paragraph, folded.
    pub(super) fn text(self, text: &str) {
        let width = stderr_width();
        for line in text.lines() {
            self.out.say(&fold(&out::safe(line), width));
        }
    }

    /// A line as it is: a table, an address.
    pub(super) fn line(self, text: &str) {
        self.out.say(text);
    }

    /// An empty line.
    pub(super) fn gap(self) {
        self.out.say("");
    }

    /// A word of the person; the default for a bare Enter.
    ///
    /// # Errors
    /// [`Stop::Left`] where the person left with Ctrl-C or Ctrl-D.
    pub(super) async fn word(self, question: &str, default: &str) -> Result<String, Stop> {
        let asked = if default.is_empty() {
            question.to_owned()
        } else {
            format!("{question} [{default}]")
        };
        let typed = match read_word(&asked).await {
            Ok(typed) => typed.ok_or(Stop::Left)?,
            // A system whose terminal gives no single keys yet: a whole line does as well, for what is no secret.
            Err(_) => whole_line(&asked).await.ok_or(Stop::Left)?,
        };
        let typed = typed.trim();
        Ok(if typed.is_empty() { default } else { typed }.to_owned())
    }

    /// Yes or no.
    ///
    /// # Errors
    /// As [`Self::word`].
    pub(super) async fn yes(self, question: &str, default: bool) -> Result<bool, Stop> {
        let word = if default { "yes" } else { "no" };
        loop {
            let typed = self.word(question, word).await?;
            match typed.to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.line("Please type yes or no."),
            }
        }
    }

    /// One of these words.
    ///
    /// # Errors
    /// As [`Self::word`].
    pub(super) async fn one_of(self, question: &str, words: &[&str], default: &str) -> Result<String, Stop> {
        loop {
            let typed = self.word(question, default).await?.to_ascii_lowercase();
            if words.contains(&typed.as_str()) {
                return Ok(typed);
            }
            self.text(&format!("Please type one of: {}.", words.join(", ")));
        }
    }

    /// Asks until the answer can be read.
    ///
    /// # Errors
    /// As [`Self::word`].
    pub(super) async fn read<T>(
        self,
        question: &str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Stop> {
        loop {
            match read(&self.word(question, default).await?) {
                Ok(answer) => return Ok(answer),
                Err(why) => self.text(&format!("Not understood: {why}.")),
            }
        }
    }
}

async fn whole_line(question: &str) -> Option<String> {
    let question = folded(&format!("{question}:"), stderr_width());
    let read = tokio::task::spawn_blocking(move || {
        let mut err = std::io::stderr().lock();
        let _ = err
            .write_all(format!("{question} ").as_bytes())
            .and_then(|()| err.flush());
        drop(err);
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            Ok(1..) => Some(line),
            _ => None,
        }
    });
    read.await.ok().flatten()
}
