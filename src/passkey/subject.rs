//! What one touch is about, and the challenge that carries it into the signature.

use super::{decoded, encoded, sha256};
use serde::{Deserialize, Serialize};

/// Keeps this digest apart from every other SHA-256 in the program.
const TAG: &[u8] = b"countersign passkey 1";

/// 32 random bytes, used once. Without them the same order twice would take the same signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(String);

impl Nonce {
    /// From bytes of the system's generator.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(encoded(bytes))
    }

    fn bytes(&self) -> Option<[u8; 32]> {
        decoded(&self.0)?.try_into().ok()
    }
}

/// What is signed for. Its text is the exact bytes whose digest goes into the challenge; fields that a deed has no use
/// for are empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// `order`, or the verb that asks.
    pub deed: String,
    /// The ticket's id.
    pub ticket: String,
    /// The exact address of the service.
    pub endpoint: String,
    /// The tool's name.
    pub tool: String,
    /// The digest of the call's name and arguments.
    pub digest: String,
    /// The digest of the card as it was shown ([`card_digest`]).
    pub card: String,
}

impl Subject {
    /// The deed of an order.
    pub const ORDER: &'static str = "order";
    /// The first signature of a new key.
    pub const PROVE: &'static str = "prove a new key";
    /// The signature of a registered key that lets another one in.
    pub const ALLOW: &'static str = "allow a new key";

    /// What a verb asks a touch for: no order can be approved with it.
    pub fn verb(deed: &str, endpoint: &str) -> Self {
        Self {
            deed: deed.to_owned(),
            ticket: String::new(),
            endpoint: endpoint.to_owned(),
            tool: String::new(),
            digest: String::new(),
            card: String::new(),
        }
    }

    /// The exact text that is digested: pairs of name and value in a fixed order, as JSON, so that no two subjects read the
    /// same.
    pub fn text(&self) -> String {
        serde_json::json!([
            ["deed", self.deed],
            ["ticket", self.ticket],
            ["endpoint", self.endpoint],
            ["tool", self.tool],
            ["digest", self.digest],
            ["card", self.card],
        ])
        .to_string()
    }
}

/// Lower-case hex SHA-256 of the text of a card.
pub fn card_digest(text: &str) -> String {
    sha256(text.as_bytes())
        .as_ref()
        .iter()
        .fold(String::with_capacity(64), |mut out, byte| {
            use std::fmt::Write as _;
            let _ = write!(out, "{byte:02x}");
            out
        })
}

/// SHA-256(tag, 0, nonce, SHA-256(subject)). `None` where the nonce is not 32 bytes.
pub fn challenge(nonce: &Nonce, subject: &Subject) -> Option<[u8; 32]> {
    let mut all = TAG.to_vec();
    all.push(0);
    all.extend_from_slice(&nonce.bytes()?);
    all.extend_from_slice(sha256(subject.text().as_bytes()).as_ref());
    sha256(&all).as_ref().try_into().ok()
}
