//! The journal: an append-only, hash-chained record of every ticket and decision.
//!
//! Owns: the file, its chain, and the rule that a line is on the disk before its effect. Refuses to know: what a
//! ticket means. May call: `passkey`, `system`, `wire`'s JSON reader.
//!
//! Each line is one JSON object `{"n":…,"at":…,"prev":…,"kind":…,…,"hash":…}`. `hash` is the SHA-256, in hex, of the
//! line's own text up to the `,"hash"` member; `prev` is the hash of the line before, and 64 zeros on the first. A
//! changed, removed or inserted line breaks the chain at that place. Whoever can write the file can write it whole
//! anew: the journal shows accidents and clumsy edits, and proves nothing against a program under the same user.
//!
//! A line that a power failure tore stays where it is, and the next line is one of kind `torn` that gives its length and
//! SHA-256: nothing is taken away silently, and a journal with such a scar holds. Where that write is torn as well, the
//! next one vouches for both.

mod proofs;
mod read;
mod tail;
#[cfg(test)]
mod tests;

pub use proofs::{Approved, DigestOf, Proofs};
pub use read::{Entry, Fault, Piece, Verdict, entries, pieces, verify};

use crate::system::{FileLock, Paths, aside, clock, file};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tail::{Tail, Torn};

/// The `prev` of the first line.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// How long a process waits for its turn to append. A writer needs milliseconds; one that does not come back within
/// this time means a stuck disk, and then nothing may be sent.
const TURN: Duration = Duration::from_secs(5);

/// The longest line: orders are small, written code is kept by its digest alone.
const MAX_LINE: usize = 256 * 1024;

/// The kind of the line that vouches for a torn one.
const TORN: &str = "torn";

/// Appends to one journal file.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
    lock: PathBuf,
    /// The lines of this process are written in the order in which they came.
    queue: Arc<tokio::sync::Mutex<()>>,
}

impl Journal {
    /// The journal of this installation. Nothing is opened yet.
    pub fn of(paths: &Paths) -> Self {
        Self {
            path: paths.journal(),
            lock: paths.lock("journal.lock"),
            queue: Arc::default(),
        }
    }

    /// Appends one line and returns when it is on the disk. `fields` come after the chain's own members.
    ///
    /// # Errors
    /// Where the line could not be written and synced: the effect that it announces must then not happen.
    pub fn append(&self, kind: &str, fields: Map<String, Value>) -> io::Result<()> {
        let turn = FileLock::take_blocking(&self.lock, TURN)?;
        self.append_under(&turn, kind, fields)
    }

    fn append_under(&self, _turn: &FileLock, kind: &str, fields: Map<String, Value>) -> io::Result<()> {
        let mut out = file::open_append(&self.path)?;
        let tail = Tail::read(&mut out)?;
        let mut line = String::new();
        if tail.open {
            line.push('\n');
        }
        let (mut count, mut prev) = (tail.count, tail.hash);
        for torn in tail.torn {
            let (mark, hash) = compose(count, &prev, TORN, vouch(torn));
            line.push_str(&mark);
            (count, prev) = (count.saturating_add(1), hash);
        }
        line.push_str(&compose(count, &prev, kind, fields).0);
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
        let written = tokio::spawn(async move {
            // Waited for here: the disk's one thread waits for nobody's lock.
            let turn = journal.turn().await?;
            aside(move || journal.append_under(&turn.file, kind, fields)).await
        });
        written.await.map_err(io::Error::other)?
    }

    /// The turn to append, within the same time for what this process and what other ones write.
    async fn turn(&self) -> io::Result<Turn> {
        let begun = clock::mono_ms();
        let own = Arc::clone(&self.queue).lock_owned();
        let own = tokio::time::timeout(TURN, own).await.map_err(|_| {
            let what = format!("{} is held: this process waits to write", self.lock.display());
            io::Error::new(io::ErrorKind::TimedOut, what)
        })?;
        let left = TURN.saturating_sub(Duration::from_millis(clock::mono_ms().saturating_sub(begun)));
        Ok(Turn {
            file: FileLock::take(&self.lock, left).await?,
            _own: own,
        })
    }
}

/// The right to append. The lock goes before the place in this process's line.
struct Turn {
    file: FileLock,
    _own: tokio::sync::OwnedMutexGuard<()>,
}

/// How far back an answer is looked for: it was written moments before its process died.
const RECENT: u64 = 512 * 1024;

impl Journal {
    /// What the service's answer to this ticket was, in the words of its line, where one of the last lines says it.
    pub fn last_answer(&self, ticket: &str) -> Option<String> {
        let mut file = File::open(&self.path).ok()?;
        let size = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(RECENT))).ok()?;
        let recent: Vec<Entry> = entries(BufReader::new(file)).collect::<io::Result<_>>().ok()?;
        let answers = ["accepted", "otherwise", "rejected"];
        recent.into_iter().rev().find_map(|entry| {
            let text = |key: &str| entry.object.get(key).and_then(Value::as_str);
            let answered = text("ticket") == Some(ticket) && answers.contains(&entry.kind.as_str());
            answered.then(|| format!("{} ({})", entry.kind, text("said").unwrap_or_default()))
        })
    }
}

fn vouch(torn: Torn) -> Map<String, Value> {
    Map::from_iter([
        ("bytes".to_owned(), torn.bytes.into()),
        ("sha256".to_owned(), torn.sha256.into()),
    ])
}

/// The line and its hash.
fn compose(n: u64, prev: &str, kind: &str, fields: Map<String, Value>) -> (String, String) {
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
    (text, hash)
}

/// Opens the journal at this path for reading; `None` where there is none yet.
///
/// # Errors
/// As the file system says.
pub fn open(path: &Path) -> io::Result<Option<BufReader<File>>> {
    match File::open(path) {
        Ok(file) => Ok(Some(BufReader::with_capacity(64 * 1024, file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
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
