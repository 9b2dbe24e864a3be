//! The journal: an append-only, hash-chained record of every ticket and decision.
//!
//! Owns: the file, its chain, and the rule that a line is on the disk before its effect. Refuses to know: what a
//! ticket means. May call: `system`.
//!
//! Each line is one JSON object `{"n":…,"at":…,"prev":…,"kind":…,…,"hash":…}`. `hash` is the SHA-256, in hex, of the
//! line's own text up to the `,"hash"` member; `prev` is the hash of the line before, and 64 zeros on the first. A
//! changed, removed or inserted line breaks the chain at that place. Whoever can write the file can write it whole
//! anew: the journal shows accidents and clumsy edits, and proves nothing against a program under the same user.

mod read;

pub use read::{Entry, Fault, Verdict, entries, verify};

use crate::system::{FileLock, Paths, aside, clock, file};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

/// The `prev` of the first line.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// How long a process waits for its turn to append. A writer needs milliseconds; one that does not come back within
/// this time means a stuck disk, and then nothing may be sent.
const TURN: Duration = Duration::from_secs(5);

/// The longest line: orders are small, written code is kept by its digest alone.
const MAX_LINE: usize = 256 * 1024;

/// Appends to one journal file.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
    lock: PathBuf,
}

impl Journal {
    /// The journal of this installation. Nothing is opened yet.
    pub fn of(paths: &Paths) -> Self {
        Self {
            path: paths.journal(),
            lock: paths.lock("journal.lock"),
        }
    }

    /// Appends one line and returns when it is on the disk. `fields` come after the chain's own members.
    ///
    /// # Errors
    /// Where the line could not be written and synced: the effect that it announces must then not happen.
    pub fn append(&self, kind: &str, fields: Map<String, Value>) -> io::Result<()> {
        let _turn = FileLock::take_blocking(&self.lock, TURN)?;
        let mut out = file::open_append(&self.path)?;
        let tail = Tail::read(&mut out)?;
        let mut line = String::new();
        if tail.torn {
            line.push('\n');
        }
        line.push_str(&compose(tail.count, &tail.hash, kind, fields));
        if line.len() > MAX_LINE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "journal line too long",
            ));
        }
        let before = out.metadata()?.len();
        if let Err(error) = out.write_all(line.as_bytes()).and_then(|()| out.sync_data()) {
            // A full disk leaves a part of the line: take it away, so that the next reader sees a whole file.
            let _ = out.set_len(before);
            return Err(error);
        }
        if before == 0
            && let Some(folder) = self.path.parent()
        {
            file::sync_folder(folder)?;
        }
        Ok(())
    }

    /// As [`Self::append`], off the loop: the wait for another process and for the disk holds up nobody else. Once begun,
    /// the line is written even if the caller goes away.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn append_aside(&self, kind: &'static str, fields: Map<String, Value>) -> io::Result<()> {
        let journal = self.clone();
        aside(move || journal.append(kind, fields)).await
    }
}

fn compose(n: u64, prev: &str, kind: &str, fields: Map<String, Value>) -> String {
    let mut object = Map::new();
    object.insert("n".into(), n.into());
    object.insert("at".into(), clock::rfc3339(clock::wall_ms()).into());
    object.insert("prev".into(), prev.into());
    object.insert("kind".into(), kind.into());
    let mut text = Value::Object(object).to_string();
    text.pop();
    for (key, value) in fields {
        text.push(',');
        text.push_str(&Value::String(key).to_string());
        text.push(':');
        text.push_str(&value.to_string());
    }
    let hash = hash(&text);
    text.push_str(",\"hash\":\"");
    text.push_str(&hash);
    text.push_str("\"}\n");
    text
}

/// SHA-256 in lower-case hex.
pub(crate) fn hash(text: &str) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

/// The end of the file, as far as the next line needs it.
struct Tail {
    count: u64,
    hash: String,
    torn: bool,
}

impl Tail {
    /// Finds the last whole line. A last line without its end was torn by a crash: it stays where it is and the
    /// chain goes on from the line before it.
    fn read(file: &mut File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let window = u64::try_from(MAX_LINE * 2).unwrap_or(u64::MAX).min(size);
        file.seek(SeekFrom::Start(size - window))?;
        let mut tail = Vec::new();
        file.take(window).read_to_end(&mut tail)?;
        let text = String::from_utf8_lossy(&tail);
        let torn = !text.is_empty() && !text.ends_with('\n');
        let whole = text.rsplit('\n').skip(1).find_map(read::chain_of);
        if let Some((n, hash)) = whole {
            return Ok(Self {
                count: n + 1,
                hash,
                torn,
            });
        }
        if size == 0 || (torn && !text.contains('\n')) {
            return Ok(Self {
                count: 0,
                hash: GENESIS.to_owned(),
                torn,
            });
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the end of the journal is not a journal: move the file away",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::of(&Paths::under(folder.path()));
        (folder, journal)
    }

    fn say(journal: &Journal, ticket: &str) {
        journal
            .append("held", Map::from_iter([("ticket".to_owned(), ticket.into())]))
            .unwrap();
    }

    #[test]
    fn a_chain_verifies_and_every_change_breaks_it() {
        let (_keep, journal) = journal();
        for ticket in ["A", "B\nC", "D"] {
            say(&journal, ticket);
        }
        let text = std::fs::read_to_string(&journal.path).unwrap();
        assert_eq!(verify(&text).lines, 3);
        assert!(verify(&text).faults.is_empty(), "{:?}", verify(&text));
        let lines: Vec<&str> = text.lines().collect();
        for (what, broken) in [
            ("edited", text.replace("\"D\"", "\"E\"")),
            ("removed", format!("{}\n{}\n", lines[0], lines[2])),
            ("swapped", format!("{}\n{}\n{}\n", lines[0], lines[2], lines[1])),
            (
                "inserted",
                format!("{}\n{}\n{}\n{}\n", lines[0], lines[0], lines[1], lines[2]),
            ),
        ] {
            assert!(!verify(&broken).faults.is_empty(), "{what}");
        }
    }

    #[test]
    fn a_torn_line_stays_visible_and_the_chain_goes_on() {
        let (_keep, journal) = journal();
        say(&journal, "A");
        let mut raw = std::fs::read(&journal.path).unwrap();
        raw.extend_from_slice(b"{\"n\":1,\"at\":\"20");
        std::fs::write(&journal.path, raw).unwrap();
        say(&journal, "B");
        let verdict = verify(&std::fs::read_to_string(&journal.path).unwrap());
        assert_eq!(verdict.faults.len(), 1, "{verdict:?}");
        assert_eq!(verdict.faults[0].line, 2);
        assert_eq!(verdict.lines, 2);
    }

    #[test]
    fn many_writers_make_one_chain() {
        let (_keep, journal) = journal();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let journal = journal.clone();
                scope.spawn(move || (0..10).for_each(|i| say(&journal, &format!("{writer}-{i}"))));
            }
        });
        let verdict = verify(&std::fs::read_to_string(&journal.path).unwrap());
        assert_eq!((verdict.lines, verdict.faults.len()), (40, 0));
    }
}
