//! Everything of OAuth: finding the authorization server, registering, signing in, keeping tokens fresh, revoking,
//! and the vault they lie in.
//!
//! Owns: discovery (RFC 9728, RFC 8414, OIDC), registration (RFC 7591), the code flow with PKCE (RFC 7636, 8252, 8707,
//! 9207), refresh over all processes, revocation (RFC 7009), the encrypted vault, the seal of the trade grant.
//! Refuses to know: MCP messages, tools, orders, what a call is for, when a browser is to be opened.
//! May call: `wire` (header and JSON parsing) and `system`.
//!
//! Rules that the code keeps everywhere: no discovery before a 401; identifiers (`resource`, `issuer`, endpoint) are
//! strings that are compared and sent as they came; a rotated token is on the disk before it is used; a secret has a
//! type that cannot be printed, and no text of a server reaches an error or a log line.

mod assertion;
mod attempt;
mod callback;
mod contents;
mod credentials;
mod discovery;
mod endpoint;
mod error;
mod fetch;
mod grants;
mod header;
mod key;
mod login;
mod logout;
mod moved;
mod new_grant;
mod page;
mod pending;
mod pin;
mod probe;
mod purge;
mod refresh;
mod registration;
mod seal;
mod sealing;
mod secret;
mod token;
mod unseal;
mod unsealed;
mod vault;

#[cfg(test)]
mod tests;

pub use assertion::MAX_KEY_FILE;
pub use attempt::PasteCheck;
pub use endpoint::Endpoint;
pub use error::{LoginError, ResealError, SealError, TokenError, UnsealError};
pub use grants::{ClientChoice, GrantInfo, GrantKind, Grants};
pub use key::StoreKind;
pub use login::LoginRequest;
pub use logout::{LogoutReport, RevokeAnswer, TokenReport, Which};
pub use new_grant::NewGrant;
pub use pending::PendingLogin;
pub use pin::{check_pin, offer_pin};
pub use probe::{keychain_round_trip, store_choice};
pub use seal::SealedExtras;
pub use sealing::SealReport;
pub use secret::Bearer;
pub use unsealed::Unsealed;
