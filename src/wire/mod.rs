//! Bytes: line framing, the JSON-RPC envelope, the strict JSON reader, server-sent events, and the HTTP headers
//! that the protocol reads and writes.
//!
//! Owns: the shape of messages, without loss. Refuses to know: what a message is for, who may send it, and any I/O.
//! May call: nothing but `std`, serde and `serde_json`.

pub mod envelope;
pub mod frame;
pub mod headers;
pub mod json;
pub mod sse;
