//! The end of the file, as far as the next line needs it. Reads backwards and stops soon: appending costs the same
//! however long the journal has grown.

use super::read::{self, Piece};
use super::{GENESIS, MAX_LINE, TORN};
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// How far back the last whole line is looked for: a few usual ones first, then what two of the longest ones need.
const WINDOWS: [usize; 2] = [64 * 1024, MAX_LINE * 2];

/// What the next line follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The number of the next line.
    pub(super) count: u64,
    /// The hash of the last whole line.
    pub(super) hash: String,
    /// The file does not end with a newline.
    pub(super) open: bool,
    /// What crashes left of lines, as far as no mark vouches for it yet: several where the write that was to vouch for
    /// one was cut as well.
    pub(super) torn: Vec<Torn>,
}

/// A torn line: its length and SHA-256, by which a line after it vouches for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Torn {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Tail {
    /// Finds the last whole line. What a crash tore behind it stays where it is, and the chain goes on from that line.
    /// A last line that lacks nothing but the newline is whole.
    pub(super) fn read(file: &mut File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let mut tail = Self {
            count: 0,
            hash: GENESIS.to_owned(),
            open: false,
            torn: Vec::new(),
        };
        if size == 0 {
            return Ok(tail);
        }
        let start = last_start(file, size)?;
        tail.open = start < size;
        let from = match last_entry(file, start)? {
            Some((end, (n, hash))) => {
                (tail.count, tail.hash) = (n.saturating_add(1), hash);
                end
            }
            None => 0,
        };
        file.seek(SeekFrom::Start(from))?;
        let mut at = from;
        for piece in read::pieces(BufReader::new((&*file).take(size - from))) {
            let piece = piece?;
            let last = at == start;
            at = at.saturating_add(piece.length).saturating_add(1);
            tail.take(&piece, last, from == 0)?;
        }
        Ok(tail)
    }

    /// Takes a piece behind the last entry; `last` is the one without a newline.
    fn take(&mut self, piece: &Piece, last: bool, first: bool) -> io::Result<()> {
        let short = piece.length <= MAX_LINE as u64;
        let chain = if last {
            read::whole_chain_of(&piece.text)
        } else {
            read::chain_of(&piece.text)
        };
        if let Some((n, hash)) = chain.filter(|_| short) {
            (self.count, self.hash) = (n.saturating_add(1), hash);
            match mark_of(&piece.text) {
                // Two can be alike: each has a mark of its own.
                Some(mark) => {
                    if let Some(at) = self.torn.iter().position(|torn| *torn == mark) {
                        self.torn.remove(at);
                    }
                }
                None => self.torn.clear(),
            }
        } else if last || is_torn(piece) {
            self.torn.push(Torn {
                bytes: piece.length,
                sha256: piece.digest(),
            });
        } else if first {
            return Err(no_journal());
        }
        Ok(())
    }
}

/// What a line vouches for, where it is a mark.
fn mark_of(line: &[u8]) -> Option<Torn> {
    let object: Value = serde_json::from_slice(line).ok()?;
    (object.get("kind")?.as_str()? == TORN).then_some(())?;
    Some(Torn {
        bytes: object.get("bytes")?.as_u64()?,
        sha256: object.get("sha256")?.as_str()?.to_owned(),
    })
}

/// Whether an ended line looks like the front of one of ours, or like what a file system leaves in its place. Anything
/// else that stands there was written by somebody else, and nothing vouches for it.
fn is_torn(piece: &Piece) -> bool {
    // The chain's own members are written in one order or the other, by how maps are built.
    const FRONTS: [&[u8]; 2] = [b"{\"n\":", b"{\"at\":"];
    let text = piece.text.as_slice();
    let whole = serde_json::from_slice::<Value>(text).is_ok();
    let ours = FRONTS
        .iter()
        .any(|front| text.starts_with(front) || front.starts_with(text));
    !text.is_empty() && !whole && (ours || text.first() == Some(&0))
}

fn no_journal() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the end of the journal is not a journal: move the file away",
    )
}

/// Where the last, unended line begins; `size` where the file ends with a newline.
fn last_start(file: &mut File, size: u64) -> io::Result<u64> {
    let mut end = size;
    while end > 0 {
        let from = end.saturating_sub(64 * 1024);
        if let Some(at) = read_between(file, from, end)?
            .iter()
            .rposition(|byte| *byte == b'\n')
        {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

/// Where the last line of ours that is no mark ends, before `end`, and its number and hash; `None` where the file begins
/// with what is none.
fn last_entry(file: &mut File, end: u64) -> io::Result<Option<(u64, (u64, String))>> {
    for window in WINDOWS {
        let from = end.saturating_sub(window as u64);
        let text = read_between(file, from, end)?;
        let mut line_end = end;
        for line in text.rsplit(|byte| *byte == b'\n').skip(1) {
            if let Some(found) = read::chain_of(line).filter(|_| mark_of(line).is_none()) {
                return Ok(Some((line_end, found)));
            }
            line_end = line_end.saturating_sub(line.len() as u64 + 1);
        }
        if from == 0 {
            return Ok(None);
        }
    }
    Err(no_journal())
}

fn read_between(file: &mut File, from: u64, end: u64) -> io::Result<Vec<u8>> {
    // One byte more than is read: else the end is looked for once again.
    let room = end.saturating_sub(from).saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or_default());
    file.seek(SeekFrom::Start(from))?;
    file.take(end - from).read_to_end(&mut bytes)?;
    Ok(bytes)
}
