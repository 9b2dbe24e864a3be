//! Reading the journal back: entries, and whether the chain holds.

use super::{GENESIS, hash};
use crate::wire::json;
use serde_json::Value;

/// One line.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The line's number in the file, from 1.
    pub line: usize,
    /// What happened.
    pub kind: String,
    /// When, RFC 3339 in UTC.
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
    /// Where the chain does not hold.
    pub faults: Vec<Fault>,
    /// The hash of the last whole line: note it elsewhere to notice a journal that was written anew.
    pub head: String,
}

/// The number and hash of a line, where it is one of ours.
pub(super) fn chain_of(line: &str) -> Option<(u64, String)> {
    let object: Value = serde_json::from_str(line).ok()?;
    Some((
        object.get("n")?.as_u64()?,
        object.get("hash")?.as_str()?.to_owned(),
    ))
}

/// All lines that can be read, oldest first.
pub fn entries(text: &str) -> Vec<Entry> {
    let parse = |(index, line): (usize, &str)| {
        let object: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| {
            object
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Some(Entry {
            line: index + 1,
            kind: text("kind"),
            at: text("at"),
            object: object.clone(),
        })
    };
    text.lines().enumerate().filter_map(parse).collect()
}

/// Checks every line: its own hash, and that it follows the one before.
pub fn verify(text: &str) -> Verdict {
    let mut verdict = Verdict {
        lines: 0,
        faults: Vec::new(),
        head: GENESIS.to_owned(),
    };
    let mut next = 0;
    // Not `lines`, which would pass over a carriage return: no byte is without its hash.
    for (index, line) in text.split_terminator('\n').enumerate() {
        let mut fault = |what: &str| {
            verdict.faults.push(Fault {
                line: index + 1,
                what: what.to_owned(),
            });
        };
        let (Some((n, own)), Some(prev)) = (chain_of(line), prev_of(line)) else {
            fault("not a whole line (torn by a crash, or not written by countersign)");
            continue;
        };
        if body_of(line, &own).is_none_or(|body| hash(body) != own) {
            fault("its content does not match its hash: it was changed");
        }
        if prev != verdict.head {
            fault("it does not follow the line before it: something was removed, inserted or moved");
        } else if n != next {
            fault("its number does not follow");
        }
        verdict.lines += 1;
        verdict.head = own;
        next = n + 1;
    }
    verdict
}

/// What the hash of a line stands for: all of it up to the hash, which must be the last member. A line with a member
/// twice has none: two readers could disagree on what it says.
fn body_of<'a>(line: &'a str, own: &str) -> Option<&'a str> {
    json::members(line).ok()?;
    line.strip_suffix("\"}")?
        .strip_suffix(own)?
        .strip_suffix(",\"hash\":\"")
}

fn prev_of(line: &str) -> Option<String> {
    let object: Value = serde_json::from_str(line).ok()?;
    Some(object.get("prev")?.as_str()?.to_owned())
}
