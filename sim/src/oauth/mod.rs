//! The authorization server and the metadata of the protected resource: RFC 9728, 8414, 7591, 6749 with PKCE,
//! 8707, 9207 and 7009, at the paths that `CrossTrade` documents.
//!
//! Owns: registrations, consents, grants and tokens. Refuses to know: what a token is used for.

pub(crate) mod authorize;
pub(crate) mod clients_page;
pub(crate) mod error;
pub(crate) mod grants;
pub(crate) mod metadata;
pub(crate) mod page;
pub(crate) mod register;
pub(crate) mod token;

/// Reading only.
pub(crate) const READ: &str = "mcp:read";
/// Reading and trading.
pub(crate) const TRADE: &str = "mcp:trade";

/// The `CrossTrade` users that exist.
pub(crate) const USERS: [&str; 2] = ["trader-a", "trader-b"];
