//! Passkeys: what a touch signs, and whether it did (`WebAuthn` Level 3, section 7.2).
//!
//! Owns: the challenge, the check of an assertion, the registered keys as they lie under the seal. Refuses to know: pages,
//! tickets, files, the vault, the clock. Pure: the page's process checks with it before an order leaves, and
//! `journal verify` checks the same assertion again, offline, years later.
//! May call: std, serde, base64, ring. Nothing else.
//!
//! There is no attestation and no CBOR here. A new key proves itself by an assertion over a challenge of ours, through
//! the same check as every approval; what an unsigned attestation would say of the authenticator is a claim anyway.

mod assertion;
mod keys;
mod spki;
mod subject;
#[cfg(test)]
mod tests;

pub use assertion::{Assertion, Proof, Refusal};
pub use keys::{Created, Key, KeyRing, MAX_KEYS, TIER};
pub use spki::Algorithm;
pub use subject::{Nonce, Subject, card_digest, challenge};

/// The RP ID of every key. It has no port: only the origin tells our page from another local server.
pub const RP_ID: &str = "localhost";

/// Whether this is the origin of a page of ours: `http://localhost:PORT` and nothing else.
pub fn is_page_origin(origin: &str) -> bool {
    let port = origin.strip_prefix("http://localhost:").unwrap_or_default();
    // A port has one spelling: no sign, no leading zero.
    port.parse::<u16>()
        .is_ok_and(|number| number != 0 && number.to_string() == port)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn sha256(bytes: &[u8]) -> ring::digest::Digest {
    ring::digest::digest(&ring::digest::SHA256, bytes)
}
