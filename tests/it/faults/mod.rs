//! Bad networks: what the client is told, how long it takes, how often the server saw the request, and whether the next
//! call works. The program runs as it is shipped; what hurts it is a server of bytes.
//!
//! Each family of faults is a table. What it measured is written down, and `docs/networks.md` is made of that.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::format_push_string,
    reason = "a test fails by panicking, and measures real time"
)]

mod certs;
mod first;
pub(crate) mod forward;
mod many;
mod orders;
mod plain;
mod proxy;
mod reach;
mod script;
mod second;
pub(crate) mod server;
mod table;
