//! What a program asks of the system and of the heap, as strace and Valgrind's DHAT count it.
//!
//! Owns: how those two are started and read. Refuses to know: what the program does meanwhile.
//!
//! A run of few is taken off a run of many, so that the start is not counted.

use super::Outcome;
use std::collections::BTreeMap;
use std::path::Path;

/// Who counts.
#[derive(Clone, Copy)]
pub(crate) enum Counter {
    /// System calls by name (strace).
    System,
    /// Blocks and bytes of the heap (valgrind --tool=dhat).
    Heap,
}

impl Counter {
    pub(crate) const ALL: [Self; 2] = [Self::System, Self::Heap];

    /// The words that stand before the program's own; what was counted is in `file` when it has ended.
    pub(crate) fn words(self, file: &Path) -> Vec<String> {
        let file = file.display();
        let words = match self {
            Self::System => format!("strace -f -qq -c -o {file}"),
            Self::Heap => format!("valgrind --tool=dhat --dhat-out-file=/dev/null --log-file={file}"),
        };
        words.split(' ').map(str::to_owned).collect()
    }

    /// What was counted, by name.
    pub(crate) fn read(self, file: &Path) -> Outcome<BTreeMap<String, u64>> {
        let text = std::fs::read_to_string(file)?;
        let found: BTreeMap<String, u64> = match self {
            Self::System => text.lines().filter_map(call).collect(),
            Self::Heap => text.lines().flat_map(blocks).collect(),
        };
        if found.is_empty() {
            return Err("nothing was counted: are strace and valgrind there?".into());
        }
        Ok(found)
    }
}

/// A line of strace's table: share, seconds, microseconds a call, calls, errors (or nothing), name.
fn call(line: &str) -> Option<(String, u64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let name = fields.last().filter(|name| **name != "total")?;
    let calls = fields.get(3)?.parse().ok()?;
    Some(((*name).to_owned(), calls))
}

/// `==1== Total:     1,234 bytes in 56 blocks`
fn blocks(line: &str) -> Vec<(String, u64)> {
    let number = |text: &str| text.replace(',', "").parse::<u64>().ok();
    let words: Vec<&str> = line.split_whitespace().collect();
    let of = |name: &str, at: usize| Some((name.to_owned(), number(words.get(at)?)?));
    let found = match words.get(1) {
        Some(&"Total:") => vec![of("bytes of the heap", 2), of("blocks of the heap", 5)],
        _ => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// What `more` of them cost, each, as lines of a table; what is rarer than one in ten is left out.
pub(crate) fn each(few: &BTreeMap<String, u64>, many: &BTreeMap<String, u64>, more: u32) -> Vec<String> {
    let of = |name: &String| few.get(name).copied().unwrap_or_default();
    let mut rows: Vec<(f64, &String)> = many
        .iter()
        .map(|(name, count)| {
            let count = u32::try_from(count.saturating_sub(of(name))).unwrap_or(u32::MAX);
            (f64::from(count) / f64::from(more), name)
        })
        .filter(|(count, _)| *count >= 0.1)
        .collect();
    rows.sort_by(|one, other| other.0.total_cmp(&one.0));
    let all: f64 = rows.iter().map(|(count, _)| count).sum();
    let mut lines: Vec<String> = rows
        .iter()
        .map(|(count, name)| format!("| {name} | {count:.1} |"))
        .collect();
    if !many.contains_key("blocks of the heap") {
        lines.push(format!("| system calls in all | {all:.1} |"));
    }
    lines
}
