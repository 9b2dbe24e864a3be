//! The question about a change, as a file that all processes read: whether it is open, who said no, and from when it may
//! be asked again.
//!
//! Owns: the file, its owner lock, its turn, the back-off. Refuses to know: what changed.

use super::{Kind, Lists};
use crate::journal::Journal;
use crate::system::{FileLock, Paths, clock::wall_ms, file};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How long after a denial or silence the next trade call asks again: this, doubled with each time in a row.
const PAUSE_MS: u64 = 60_000;
const LONGEST_PAUSE_MS: u64 = 15 * 60_000;

/// How the question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    /// It waits on the screen.
    Open,
    /// The person said no.
    Denied,
    /// Nobody decided in time.
    Unanswered,
    /// The process that asked is gone, or it changed once more.
    Dropped,
}

/// The question about one kind of change. A file that was edited can make us ask sooner or later, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// What it is about.
    pub(crate) what: String,
    pub(crate) standing: Standing,
    /// Wall clock: when it was asked last.
    pub(crate) asked: u64,
    /// Wall clock: not asked again before, unless something else changes.
    pub(crate) until: u64,
    /// How often in a row it came to nothing.
    pub(crate) vain: u32,
}

impl Question {
    pub(crate) fn load(kind: Kind, paths: &Paths, lists: &Lists) -> Option<Self> {
        let text = file::read_text(&place(kind, paths, lists), 4096).ok().flatten()?;
        serde_json::from_str(&text).ok()
    }

    pub(super) fn save(&self, kind: Kind, paths: &Paths, lists: &Lists) -> io::Result<()> {
        file::write_atomic(&place(kind, paths, lists), &serde_json::to_vec(self)?)
    }

    /// The same question, ended so: from when it may be asked again follows.
    pub(super) fn ended(self, standing: Standing) -> Self {
        let now = wall_ms();
        if standing == Standing::Dropped || standing == Standing::Open {
            return Self {
                standing,
                until: now,
                ..self
            };
        }
        let vain = self.vain.saturating_add(1);
        let pause = PAUSE_MS
            .saturating_mul(1 << vain.saturating_sub(1).min(8))
            .min(LONGEST_PAUSE_MS);
        Self {
            standing,
            until: now.saturating_add(pause),
            vain,
            ..self
        }
    }

    /// Whether this is about another change, or its pause is over. A clock that was set back does not make it longer
    /// than it can be.
    pub(super) fn may_ask(&self, what: &str) -> bool {
        let now = wall_ms();
        self.what != what || now >= self.until || self.until > now.saturating_add(LONGEST_PAUSE_MS)
    }
}

fn place(kind: Kind, paths: &Paths, lists: &Lists) -> PathBuf {
    paths.state().join(format!("{}.json", name(kind, lists)))
}

fn name(kind: Kind, lists: &Lists) -> String {
    match kind {
        Kind::Policy => "change-policy".to_owned(),
        Kind::Tools => format!("change-tools-{}", lists.key()),
    }
}

/// Forgets the question: it is settled.
pub(super) fn forget(kind: Kind, paths: &Paths, lists: &Lists) {
    let _ = std::fs::remove_file(place(kind, paths, lists));
}

/// Held while a card is up: one over all processes. `None` where another one has it.
pub(super) fn owner(kind: Kind, paths: &Paths, lists: &Lists) -> io::Result<Option<FileLock>> {
    FileLock::try_take(&paths.lock(&name(kind, lists)))
}

/// The turn to decide.
pub(super) async fn turn(kind: Kind, paths: &Paths, lists: &Lists) -> io::Result<FileLock> {
    let name = format!("{}.turn", name(kind, lists));
    FileLock::take(&paths.lock(&name), Duration::from_secs(5)).await
}

/// Ends the open question, under its turn; the journal first.
pub(super) async fn end(
    kind: Kind,
    paths: &Paths,
    lists: &Lists,
    what: &str,
    standing: Standing,
    why: &str,
) -> io::Result<bool> {
    let _turn = turn(kind, paths, lists).await?;
    let Some(open) = Question::load(kind, paths, lists)
        .filter(|question| question.standing == Standing::Open && question.what == what)
    else {
        return Ok(false);
    };
    let word = match standing {
        Standing::Denied => Some("denied"),
        Standing::Unanswered => Some("unanswered"),
        Standing::Open | Standing::Dropped => None,
    };
    if let Some(word) = word {
        let fields = [("what", what), ("reason", why)];
        let fields = Map::from_iter(fields.map(|(key, value)| (key.to_owned(), Value::from(value))));
        Journal::of(paths).append(&format!("{}_{word}", kind.word()), fields)?;
    }
    open.ended(standing).save(kind, paths, lists)?;
    Ok(true)
}

/// `countersign deny POLICY`: the open question is answered with no.
///
/// # Errors
/// As the file system says.
pub(crate) async fn deny(kind: Kind, paths: &Paths, lists: &Lists) -> io::Result<bool> {
    let Some(question) = Question::load(kind, paths, lists) else {
        return Ok(false);
    };
    let why = "the person denied it (countersign deny)";
    end(kind, paths, lists, &question.what, Standing::Denied, why).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_no_makes_the_pause_longer_up_to_a_bound() {
        let mut question = Question {
            what: "a".to_owned(),
            standing: Standing::Open,
            asked: wall_ms(),
            until: 0,
            vain: 0,
        };
        let mut pauses = Vec::new();
        for _ in 0..7 {
            question = question.ended(Standing::Denied);
            pauses.push((question.until.saturating_sub(wall_ms()) + 500) / 1000);
            assert!(!question.may_ask("a") && question.may_ask("b"));
        }
        assert_eq!(pauses, [60, 120, 240, 480, 900, 900, 900]);
        question.until = wall_ms() + LONGEST_PAUSE_MS * 2;
        assert!(question.may_ask("a"), "no such pause is ours");
        assert!(question.ended(Standing::Dropped).may_ask("a"));
    }
}
