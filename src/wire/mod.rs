//! Bytes: line framing, the JSON-RPC envelope, the strict JSON reader, server-sent events, and the HTTP headers
//! that the protocol reads and writes.
//!
//! Owns: the shape of messages, without loss. Refuses to know: what a message is for, who may send it, any clock and
//! any I/O. May call: nothing but `std`, serde, `serde_json` and base64.

pub mod envelope;
pub mod frame;
pub mod headers;
pub mod json;
pub mod mirror;
mod run;
pub mod sse;
