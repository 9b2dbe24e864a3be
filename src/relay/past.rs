//! What the journal says of the past: the last stop, and when a call was last sent. A journal grows for years, so a
//! process reads it whole once and from then on only what was appended.
//!
//! Owns: how far it was read, and when it must be read anew. Refuses to know: what a stop or a count means for a call.

use super::lock;
use crate::journal::pieces;
use crate::system::{Paths, aside, file};
use serde_json::Value;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// A trading day, with the hour by which a clock change lengthens it (ms).
const DAY_MS: u64 = 25 * 3600 * 1000;
/// The bytes before the place up to which it was read, that must still be there: a line ends with its own hash, which
/// stands for all lines before it.
const MARK: u64 = 128;

/// A stop in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(super) hash: String,
    /// RFC 3339.
    pub(crate) at: String,
    /// No `resumed` line follows.
    pub(super) stands: bool,
}

/// What was found in the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The last stop. A line that a program wrote there itself counts as well: then it is stopped.
    pub(crate) stop: Option<Stop>,
    /// When the last call went out after an approval (wall clock, ms).
    sent: Option<u64>,
}

impl Seen {
    /// Whether a call was sent in what may be the present trading day. A time to come counts: a clock that was set back
    /// frees nothing.
    pub(crate) fn has_sent_lately(&self, now_wall: u64) -> bool {
        self.sent
            .is_some_and(|sent| now_wall.saturating_sub(sent) < DAY_MS)
    }

    /// Takes in one line.
    fn line(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        // The quotes inside of any text are escaped: these words unescaped are a member of the line.
        for (at, key) in text.match_indices(r#""kind":""#) {
            let rest = text.get(at.saturating_add(key.len())..).unwrap_or_default();
            match rest.split('"').next().unwrap_or_default() {
                "halted" => {
                    let object = object(&text);
                    self.stop = Some(Stop {
                        hash: word(&object, "hash"),
                        at: word(&object, "at"),
                        stands: true,
                    });
                    return;
                }
                "resumed" => {
                    if let Some(stop) = &mut self.stop {
                        stop.stands = false;
                    }
                }
                "approved" => {
                    let at = word(&object(&text), "at").parse::<jiff::Timestamp>().ok();
                    let at = at.and_then(|at| u64::try_from(at.as_millisecond()).ok());
                    // A torn line that does not say when counts for nothing: no effect ever followed it.
                    self.sent = self.sent.max(at);
                }
                _ => {}
            }
        }
    }
}

fn object(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}

fn word(object: &Value, key: &str) -> String {
    let text = object.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The journal as this process has read it. Clones share what was read.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    journal: PathBuf,
    so_far: Arc<Mutex<SoFar>>,
}

#[derive(Debug, Default)]
struct SoFar {
    /// The file as it was at the last look; `None` before the first one and where there was none.
    file: Option<Stamp>,
    /// Up to here its lines are whole, and in `whole`.
    offset: u64,
    /// The bytes before the offset.
    mark: Vec<u8>,
    whole: Seen,
    /// With the last line that has no end yet.
    all: Seen,
}

/// What tells a file that did not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    id: Identity,
    bytes: u64,
    written: Option<SystemTime>,
}

/// What tells one file from another that took its place.
type Identity = (u64, u64, i64, i64);

impl Stamp {
    pub(super) fn of(found: &Metadata) -> Self {
        #[cfg(unix)]
        let id = {
            use std::os::unix::fs::MetadataExt;
            // The time of the last change of any kind: no program can set that.
            (found.dev(), found.ino(), found.ctime(), found.ctime_nsec())
        };
        #[cfg(not(unix))]
        let id = (0, 0, 0, 0);
        Self {
            id,
            bytes: found.len(),
            written: found.modified().ok(),
        }
    }

    fn is_same_file(&self, other: &Self) -> bool {
        (self.id.0, self.id.1) == (other.id.0, other.id.1)
    }
}

impl Past {
    /// The journal of this installation. Nothing is read yet.
    pub(crate) fn of(paths: &Paths) -> Self {
        Self {
            journal: paths.journal(),
            so_far: Arc::default(),
        }
    }

    /// What the journal says now. One look at the file system where nothing was written since the last time; what is to
    /// be read is read off the loop.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(crate) async fn look(&self) -> io::Result<Seen> {
        if let Some(seen) = self.at_hand()? {
            return Ok(seen);
        }
        let past = self.clone();
        aside(move || past.look_now()).await
    }

    /// The same on this thread, however long it takes.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub(crate) fn look_now(&self) -> io::Result<Seen> {
        lock(&self.so_far).catch_up(&self.journal)
    }

    /// What was read, where that is all there is.
    fn at_hand(&self) -> io::Result<Option<Seen>> {
        let Ok(so_far) = self.so_far.try_lock() else {
            return Ok(None);
        };
        let Some(stamp) = &so_far.file else {
            return Ok(None);
        };
        let same = *stamp == Stamp::of(&std::fs::metadata(&self.journal)?);
        Ok(same.then(|| so_far.all.clone()))
    }
}

impl SoFar {
    fn catch_up(&mut self, path: &Path) -> io::Result<Seen> {
        let Some(mut source) = file::open_plain(path)? else {
            *self = Self::default();
            return Ok(Seen::default());
        };
        let stamp = Stamp::of(&source.metadata()?);
        if self.file.as_ref() == Some(&stamp) {
            return Ok(self.all.clone());
        }
        if !self.goes_on(&stamp, &mut source)? {
            *self = Self::default();
        }
        // Where reading fails on the way, the next look begins at a place that is known.
        self.file = None;
        source.seek(SeekFrom::Start(self.offset))?;
        let rest = source.by_ref().take(stamp.bytes.saturating_sub(self.offset));
        let (mut whole, mut offset, mut open) = (self.whole.clone(), self.offset, None);
        for piece in pieces(BufReader::with_capacity(256 * 1024, rest)) {
            let piece = piece?;
            let end = offset.saturating_add(piece.length).saturating_add(1);
            // The last line, without its end: looked at, and read again when there is more of it.
            if end > stamp.bytes {
                open = Some(piece.text);
                break;
            }
            whole.line(&piece.text);
            offset = end;
        }
        self.mark = mark_at(&mut source, offset)?;
        self.all = whole.clone();
        if let Some(open) = open {
            self.all.line(&open);
        }
        (self.whole, self.offset, self.file) = (whole, offset, Some(stamp));
        Ok(self.all.clone())
    }

    /// Whether this is the file that was read before, with more behind it.
    fn goes_on(&self, stamp: &Stamp, source: &mut File) -> io::Result<bool> {
        let same = self.file.as_ref().is_some_and(|before| {
            before.is_same_file(stamp) && before.bytes <= stamp.bytes && self.offset <= stamp.bytes
        });
        Ok(same && mark_at(source, self.offset)? == self.mark)
    }
}

fn mark_at(source: &mut File, offset: u64) -> io::Result<Vec<u8>> {
    let from = offset.saturating_sub(MARK);
    source.seek(SeekFrom::Start(from))?;
    let mut mark = Vec::new();
    source
        .by_ref()
        .take(offset.saturating_sub(from))
        .read_to_end(&mut mark)?;
    Ok(mark)
}

#[cfg(test)]
mod tests;
