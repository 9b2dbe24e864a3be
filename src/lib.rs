//! Countersign: the parts of the program, as a library so that tests, benches and fuzzers reach them.
//! This library makes no promise of a stable API; the product is the `countersign` program.
//!
//! Arrows point one way: `cli → relay → {gate, approve, upstream, oauth, journal} → wire`, with `system` below all.
//! `gate` and `wire` are pure: they never read a clock, a file, the environment or the network.
//! `ARCHITECTURE.md` has the map and the invariants.

pub mod approve;
pub mod cli;
pub mod clients;
pub mod gate;
pub mod journal;
pub mod oauth;
pub mod passkey;
pub mod relay;
pub mod system;
pub mod upstream;
pub mod wire;
