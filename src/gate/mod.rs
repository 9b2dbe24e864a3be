//! The judgement of trade calls, free of I/O: what a call means, what class it has, whether policy lets it be asked,
//! what the person is shown, and the one value that lets it leave: [`Cleared`].
//!
//! Owns: catalogue, strict reading, facts, policy, limits, cards, ticket states, `Cleared`.
//! Refuses to know: clocks, files, networks, tasks. Time comes in as [`Millis`], files as text.
//! May call: `wire` (the strict reader), std, serde, ring's digest. Nothing else.

mod answer;
mod before;
pub mod call;
pub mod card;
pub mod catalogue;
mod deed;
pub mod effect;
pub mod explain;
mod exposure;
pub mod facts;
pub mod fields;
pub mod instrument;
pub mod judge;
pub mod limits;
mod lines;
pub mod outcome;
pub mod policy;
mod seen;
pub mod ticket;
pub mod value;

pub use before::Before;
pub use call::{Call, Refusal};
pub use card::Card;
pub use catalogue::Class;
pub use facts::{Facts, StateRead};
pub use judge::{Judgement, Verdict};
pub use limits::Counters;
pub use policy::Policy;
pub use ticket::{Cleared, NotRun, Ticket};

/// Milliseconds since the Unix epoch (wall clock) or since an arbitrary start (monotonic): the parameter's name says which.
pub type Millis = u64;

/// What it takes to approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The button of the prompt.
    Click,
    /// The PIN, on the local page or in a terminal.
    Pin,
    /// The PIN once per process, then a passkey per order.
    Passkey,
}

#[cfg(test)]
mod tests;
