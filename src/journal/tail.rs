//! The end of the file, as far as the next line needs it. Reads backwards and stops soon: appending costs the same
//! however long the journal has grown.

use super::{GENESIS, MAX_LINE, hex, read};
use ring::digest::{Context, SHA256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

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
    /// What a crash left of a line: it has no newline and is not whole.
    pub(super) torn: Option<Torn>,
}

/// A torn line: its length and SHA-256, by which the next line vouches for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Torn {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Tail {
    /// Finds the last whole line. A last line without its end was torn by a crash: it stays where it is, and the chain
    /// goes on from the line before it. One that lacks nothing but the newline is whole.
    pub(super) fn read(file: &mut File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        if size == 0 {
            return Ok(Self::first(None));
        }
        let start = last_start(file, size)?;
        if start == size {
            return Ok(Self::after(last_whole(file, size)?, None));
        }
        let bytes = size - start;
        if bytes <= MAX_LINE as u64
            && let Some((n, hash)) = read::whole_chain_of(&read_between(file, start, size)?)
        {
            return Ok(Self {
                open: true,
                ..Self::after((n, hash), None)
            });
        }
        let torn = Some(Torn {
            bytes,
            sha256: digest_from(file, start)?,
        });
        if start == 0 {
            return Ok(Self::first(torn));
        }
        Ok(Self::after(last_whole(file, start)?, torn))
    }

    fn first(torn: Option<Torn>) -> Self {
        Self {
            count: 0,
            hash: GENESIS.to_owned(),
            open: torn.is_some(),
            torn,
        }
    }

    fn after((n, hash): (u64, String), torn: Option<Torn>) -> Self {
        Self {
            count: n.saturating_add(1),
            hash,
            open: torn.is_some(),
            torn,
        }
    }
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

/// The number and hash of the last line of ours that ends before `end`.
fn last_whole(file: &mut File, end: u64) -> io::Result<(u64, String)> {
    for window in WINDOWS {
        let from = end.saturating_sub(window as u64);
        let text = read_between(file, from, end)?;
        let found = text
            .rsplit(|byte| *byte == b'\n')
            .skip(1)
            .find_map(read::chain_of);
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "the end of the journal is not a journal: move the file away",
    ))
}

fn read_between(file: &mut File, from: u64, end: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.take(end - from).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn digest_from(file: &mut File, from: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(from))?;
    let (mut all, mut part) = (Context::new(&SHA256), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut part)? {
            0 => return Ok(hex(all.finish().as_ref())),
            n => all.update(part.get(..n).unwrap_or_default()),
        }
    }
}
