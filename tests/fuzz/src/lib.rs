//! What must hold for whatever a peer, a file or a server brings. Each function takes any bytes and fails by panicking
//! where a promise of the program does not hold for them.
//!
//! Owns: the promises and the second readers that they are held against. Refuses to know: where the bytes come from;
//! `fuzz/` brings them from libFuzzer, `tests/replay.rs` from the kept corpora and from a seeded mutator.

pub mod calls;
pub mod files;
pub mod oracle;
pub mod server;
pub mod wires;

/// A target: its name, which is its corpus's folder too, and its check.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 16] = [
    ("frame", wires::frame),
    ("json", wires::json),
    ("envelope", wires::envelope),
    ("sse", wires::sse),
    ("challenge", wires::challenge),
    ("headers", wires::headers),
    ("answer", server::answer),
    ("facts", server::facts),
    ("outcome", server::outcome),
    ("schema", calls::schema),
    ("call", calls::call),
    ("judge", calls::judge),
    ("policy", files::policy),
    ("counters", files::counters),
    ("ticket", files::ticket),
    ("journal", files::journal),
];

/// What parts an input of several texts.
const PART: &str = "\n---\n";

/// The input as so many texts; missing ones are empty. What is no UTF-8 is replaced.
pub(crate) fn parts<const N: usize>(data: &[u8]) -> [String; N] {
    let text = String::from_utf8_lossy(data);
    let mut found = text.splitn(N, PART).map(str::to_owned);
    std::array::from_fn(|_| found.next().unwrap_or_default())
}
