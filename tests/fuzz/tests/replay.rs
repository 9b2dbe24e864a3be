//! The kept corpora, and a bounded run of a seeded mutator over them, on any stable compiler: what libFuzzer found once
//! stays found, and every test run looks a little further. It sees not what code was reached, so it is no fuzzer.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use countersign_fuzz_checks::{TARGETS, Target};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Mutated inputs per target. All targets together take a few seconds in a debug build.
const ROUNDS: usize = 3_000;
/// Inputs grow no further than this (bytes).
const LONGEST: usize = 8 * 1024;
/// All corpora together (bytes): they are part of every clone.
const MOST: usize = 1_000_000;

/// Pieces that mean something to one of the readers.
const PIECES: [&str; 40] = [
    "\"",
    "\\",
    "\\u0061",
    "\\ud83d\\ude00",
    "\\udc00",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    "\n---\n",
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1e400",
    "0.00000001",
    "9223372036854775808",
    "18446744073709551615",
    "\u{feff}",
    "\u{202e}",
    "é",
    "\u{17f}",
    "\u{212a}",
    "\0",
    "data: ",
    "id: ",
    "\"account\":\"all\"",
    "\"quantity\":1",
    "=\"",
    ",\"hash\":\"",
    "\"isError\":true",
    "408",
    " ",
];

/// A small generator of our own (xorshift64*): the run is the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap_or(0) % below.max(1)
    }
}

/// The kept inputs of a target, with their files.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).expect("a file")))
        .collect();
    found.sort();
    found
}

/// Changes an input in one to four places.
fn mutate(dice: &mut Dice, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut input = corpus[dice.roll(corpus.len())].1.clone();
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(input.len() + 1);
        let to = at + dice.roll((input.len() - at).min(64) + 1);
        match dice.roll(7) {
            0 if at < input.len() => input[at] ^= 1 << dice.roll(8),
            1 => drop(input.drain(at..to)),
            2 => {
                let again = input[at..to].to_vec();
                drop(input.splice(at..at, again));
            }
            3 => {
                let other = &corpus[dice.roll(corpus.len())].1;
                let from = dice.roll(other.len() + 1);
                drop(input.splice(at..to, other[from..].iter().copied().take(256)));
            }
            _ => {
                let piece = PIECES[dice.roll(PIECES.len())];
                let over = dice.roll(2).min(to - at);
                drop(input.splice(at..at + over, piece.bytes()));
            }
        }
        input.truncate(LONGEST);
    }
    input
}

fn check((name, target): Target, what: &str, input: &[u8]) {
    let kept = catch_unwind(AssertUnwindSafe(|| target(input)));
    assert!(
        kept.is_ok(),
        "{name} fails for {what}: b\"{}\"",
        input.escape_ascii()
    );
}

#[test]
fn every_kept_input_keeps_every_promise() {
    for target in TARGETS {
        let kept = corpus(target.0);
        assert!(kept.len() >= 3, "{}: {}", target.0, kept.len());
        for (file, input) in &kept {
            check(target, file, input);
        }
    }
}

#[test]
fn mutated_inputs_keep_every_promise() {
    for (number, target) in TARGETS.into_iter().enumerate() {
        let kept = corpus(target.0);
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (u64::try_from(number).unwrap_or(0) << 32));
        for _ in 0..ROUNDS {
            check(target, "a mutated input", &mutate(&mut dice, &kept));
        }
    }
}

#[test]
fn the_corpora_stay_small() {
    let all = TARGETS.iter().flat_map(|(name, _)| corpus(name));
    let size: usize = all.map(|(_, input)| input.len()).sum();
    assert!(size < MOST, "{size} bytes");
}
