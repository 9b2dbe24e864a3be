//! Reading the journal back: entries, and whether the chain holds. Line by line: a journal grows for years.

use super::{GENESIS, MAX_LINE, TORN, hash, hex};
use crate::wire::json;
use ring::digest::{Context, SHA256};
use serde_json::Value;
use std::io::{self, BufRead};

/// One line.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The line's number in the file, from 1.
    pub line: usize,
    /// What happened.
    pub kind: String,
    /// When, RFC 3339 in UTC, as the clock stood: the order of events is the order of the lines.
    pub at: String,
    /// The whole object.
    pub object: Value,
}

/// Where the chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line's number in the file, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// What a check of the whole file found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Lines that are whole.
    pub lines: usize,
    /// Lines that a crash tore and the line after them vouches for: no effect ever followed them.
    pub torn: usize,
    /// Where the chain does not hold.
    pub faults: Vec<Fault>,
    /// The hash of the last whole line: note it elsewhere to notice a journal that was written anew.
    pub head: String,
}

/// One line as it lies there, whatever it holds.
#[derive(Debug)]
pub struct Piece {
    /// Its number in the file, from 1.
    pub number: usize,
    /// At most 256 KiB of its bytes, without the newline.
    pub text: Vec<u8>,
    /// Its length in bytes, without the newline.
    pub length: u64,
    digest: Option<String>,
}

impl Piece {
    pub(super) fn digest(&self) -> String {
        self.digest.clone().unwrap_or_else(|| digest_of(&self.text))
    }

    fn object(&self) -> Option<Value> {
        let whole = self.digest.is_none();
        whole.then(|| serde_json::from_slice(&self.text).ok()).flatten()
    }
}

fn digest_of(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&SHA256, bytes).as_ref())
}

/// The lines of a journal, one by one, in bounded memory.
pub fn pieces(mut source: impl BufRead) -> impl Iterator<Item = io::Result<Piece>> {
    let mut number = 0;
    std::iter::from_fn(move || {
        number += 1;
        next_piece(&mut source, number).transpose()
    })
}

fn next_piece(source: &mut impl BufRead, number: usize) -> io::Result<Option<Piece>> {
    let mut piece = Piece {
        number,
        text: Vec::new(),
        length: 0,
        digest: None,
    };
    let mut long: Option<Context> = None;
    let mut any = false;
    loop {
        let ready = source.fill_buf()?;
        if ready.is_empty() {
            break;
        }
        any = true;
        let end = ready.iter().position(|byte| *byte == b'\n');
        let part = ready.get(..end.unwrap_or(ready.len())).unwrap_or_default();
        let used = part.len() + usize::from(end.is_some());
        piece.length = piece.length.saturating_add(part.len() as u64);
        if let Some(long) = &mut long {
            long.update(part);
        } else {
            piece.text.extend_from_slice(part);
            if piece.text.len() > MAX_LINE {
                let mut all = Context::new(&SHA256);
                all.update(&piece.text);
                piece.text.truncate(MAX_LINE);
                long = Some(all);
            }
        }
        source.consume(used);
        if end.is_some() {
            break;
        }
    }
    piece.digest = long.map(|all| hex(all.finish().as_ref()));
    Ok(any.then_some(piece))
}

/// The number and hash of a line, where it is one of ours.
pub(super) fn chain_of(line: &[u8]) -> Option<(u64, String)> {
    let object: Value = serde_json::from_slice(line).ok()?;
    Some((
        object.get("n")?.as_u64()?,
        object.get("hash")?.as_str()?.to_owned(),
    ))
}

/// The same, where the line's content has its hash as well: then nothing is missing but perhaps its newline.
pub(super) fn whole_chain_of(line: &[u8]) -> Option<(u64, String)> {
    chain_of(line).filter(|(_, own)| is_own_hash(line, own))
}

/// Whether the line has the hash of its content: all of it up to the hash, which must be the last member. A line with a
/// member twice has none: two readers could disagree on what it says.
fn is_own_hash(line: &[u8], own: &str) -> bool {
    let Ok(line) = std::str::from_utf8(line) else {
        return false;
    };
    let body = line
        .strip_suffix("\"}")
        .and_then(|line| line.strip_suffix(own))
        .and_then(|line| line.strip_suffix(",\"hash\":\""));
    body.is_some_and(|body| json::members(line).is_ok() && hash(body) == own)
}

/// All lines that can be read, oldest first.
pub fn entries(source: impl BufRead) -> impl Iterator<Item = io::Result<Entry>> {
    pieces(source).filter_map(|piece| match piece {
        Ok(piece) => entry(&piece).map(Ok),
        Err(error) => Some(Err(error)),
    })
}

fn entry(piece: &Piece) -> Option<Entry> {
    let object = piece.object()?;
    let text = |key: &str| {
        object
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Some(Entry {
        line: piece.number,
        kind: text("kind"),
        at: text("at"),
        object: object.clone(),
    })
}

/// Checks every line: its own hash, and that it follows the one before.
///
/// # Errors
/// Where the source cannot be read to its end.
pub fn verify(source: impl BufRead) -> io::Result<Verdict> {
    let mut check = Check {
        verdict: Verdict {
            lines: 0,
            torn: 0,
            faults: Vec::new(),
            head: GENESIS.to_owned(),
        },
        next: 0,
        torn: Vec::new(),
    };
    for piece in pieces(source) {
        check.piece(&piece?);
    }
    check.settle_torn();
    check.verdict.faults.sort_by_key(|fault| fault.line);
    Ok(check.verdict)
}

struct Check {
    verdict: Verdict,
    next: u64,
    /// Lines that are none, until the marks behind them say whether a crash tore them: number, length and digest.
    torn: Vec<(usize, u64, String)>,
}

impl Check {
    fn piece(&mut self, piece: &Piece) {
        let object = piece.object().unwrap_or_default();
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let number = object.get("n").and_then(Value::as_u64);
        let (Some(n), Some(own), Some(prev)) = (number, text("hash"), text("prev")) else {
            self.torn.push((piece.number, piece.length, piece.digest()));
            return;
        };
        if text("kind") == Some(TORN) {
            self.vouched(&object);
        } else {
            self.settle_torn();
        }
        if !is_own_hash(&piece.text, own) {
            self.fault(
                piece.number,
                "its content does not match its hash: it was changed",
            );
        }
        if prev != self.verdict.head {
            self.fault(
                piece.number,
                "it does not follow the line before it: something was removed, inserted or moved",
            );
        } else if n != self.next {
            self.fault(piece.number, "its number does not follow");
        }
        self.verdict.lines += 1;
        own.clone_into(&mut self.verdict.head);
        self.next = n.saturating_add(1);
    }

    /// A torn line is in order where a mark, before any other line, vouches for exactly these bytes.
    fn vouched(&mut self, mark: &Value) {
        let (bytes, sha256) = (mark.get("bytes"), mark.get("sha256"));
        let of = |(_, length, digest): &(usize, u64, String)| {
            bytes.and_then(Value::as_u64) == Some(*length)
                && sha256.and_then(Value::as_str) == Some(digest.as_str())
        };
        if let Some(at) = self.torn.iter().position(of) {
            self.torn.remove(at);
            self.verdict.torn += 1;
        }
    }

    fn settle_torn(&mut self) {
        for (line, _, _) in std::mem::take(&mut self.torn) {
            self.fault(
                line,
                "not a whole line (torn by a crash, or not written by countersign)",
            );
        }
    }

    fn fault(&mut self, line: usize, what: &str) {
        self.verdict.faults.push(Fault {
            line,
            what: what.to_owned(),
        });
    }
}
