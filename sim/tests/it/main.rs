//! The simulator in this process, driven over real sockets as a client would.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test helper that panics fails its test"
)]

mod faults;
mod oauth;
mod protocol;
mod support;
mod trading;
