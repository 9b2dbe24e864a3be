//! MCP over Streamable HTTP: the legacy revisions with sessions, and the stateless one.
//!
//! Owns: framing, sessions, streams, methods. Refuses to know: how tokens come about, what a tool does.

pub(crate) mod call;
pub(crate) mod endpoint;
pub(crate) mod envelope;
pub(crate) mod features;
pub(crate) mod method;
pub(crate) mod modern;
pub(crate) mod outlet;
pub(crate) mod session;

/// Legacy revisions, newest first.
pub(crate) const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The stateless revision.
pub(crate) const MODERN: &str = "2026-07-28";
