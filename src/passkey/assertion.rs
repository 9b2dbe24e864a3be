//! The check of one assertion (`WebAuthn` Level 3, section 7.2), for our page and for a journal read years later.

use super::subject::{Nonce, Subject, challenge};
use super::{Key, RP_ID, decoded, is_page_origin, sha256};
use serde::{Deserialize, Serialize};

/// User present, user verified, backup eligible, backed up, attested data, extensions (section 6.1).
const UP: u8 = 0x01;
const UV: u8 = 0x04;
const BE: u8 = 0x08;
const BS: u8 = 0x10;
const AT: u8 = 0x40;
const ED: u8 = 0x80;
/// RP ID hash, flags, counter.
const FIXED: usize = 37;

/// What a browser brings back of a touch; binary parts as base64url without padding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Assertion {
    /// The credential's id.
    pub id: String,
    /// What the browser says it was asked.
    #[serde(rename = "clientDataJSON")]
    pub client_data: String,
    /// What the authenticator says of itself.
    pub authenticator_data: String,
    /// Over both.
    pub signature: String,
}

/// An assertion with everything that its challenge was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The page that asked.
    pub origin: String,
    /// Of the challenge.
    pub nonce: Nonce,
    /// Of the challenge.
    pub subject: Subject,
    /// The signature and what it covers.
    pub assertion: Assertion,
}

/// Why an assertion does not count. Each check has its own word, so that a record says which one failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not base64url, not JSON, or of the wrong length.
    #[error("it cannot be read")]
    Encoding,
    /// Another key than the one it is checked against.
    #[error("it is by a key that is not registered")]
    UnknownKey,
    /// Not the answer to a question for a signature.
    #[error("it is not a signature")]
    Type,
    /// Another order, another card, another moment.
    #[error("it signs something else than what was asked")]
    Challenge,
    /// Another page.
    #[error("another page asked for it")]
    Origin,
    /// A page within another one.
    #[error("it was asked for inside of another page")]
    CrossOrigin,
    /// Another site.
    #[error("it is for another site")]
    RpId,
    /// Nobody touched the key.
    #[error("nobody touched the key")]
    NoPresence,
    /// The key did not check who touched it.
    #[error("the key did not check who touched it (PIN, finger or face)")]
    NoVerification,
    /// The flags about synchronisation contradict each other or the registration.
    #[error("the key says something else about being synced than when it was registered")]
    Backup,
    /// Not by this key, or not over these bytes.
    #[error("its signature is not right")]
    Signature,
    /// The key was copied: its counter went back.
    #[error("the key's counter went back: there may be a copy of it")]
    Counter,
}

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross: Option<bool>,
    #[serde(default, rename = "topOrigin")]
    top: Option<serde_json::Value>,
}

impl Proof {
    /// Whether the key signed exactly this subject on exactly this page; its new counter.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(&self, key: &Key) -> Result<u32, Refusal> {
        let challenge = challenge(&self.nonce, &self.subject).ok_or(Refusal::Encoding)?;
        if !is_page_origin(&self.origin) {
            return Err(Refusal::Origin);
        }
        check(&self.assertion, key, &challenge, &self.origin, RP_ID)
    }
}

/// The check itself. `origin` and `rp_id` are compared byte for byte.
pub(super) fn check(
    assertion: &Assertion,
    key: &Key,
    challenge: &[u8; 32],
    origin: &str,
    rp_id: &str,
) -> Result<u32, Refusal> {
    if assertion.id != key.id {
        return Err(Refusal::UnknownKey);
    }
    let read = |text: &str| decoded(text).ok_or(Refusal::Encoding);
    let (client, data) = (
        read(&assertion.client_data)?,
        read(&assertion.authenticator_data)?,
    );
    let signature = read(&assertion.signature)?;
    check_client(&client, challenge, origin)?;
    if key.rp_id != rp_id {
        return Err(Refusal::RpId);
    }
    let (flags, counter) = check_data(&data, rp_id)?;
    if (flags & BE != 0) != key.synced {
        return Err(Refusal::Backup);
    }
    let signed = [&data[..], sha256(&client).as_ref()].concat();
    let spki = decoded(&key.spki).ok_or(Refusal::Encoding)?;
    if !key.alg.verifies(&spki, &signed, &signature) {
        return Err(Refusal::Signature);
    }
    // Synced keys often say 0 for ever: only a counter that counts can go back.
    if (counter != 0 || key.counter != 0) && counter <= key.counter {
        return Err(Refusal::Counter);
    }
    Ok(counter)
}

fn check_client(raw: &[u8], challenge: &[u8; 32], origin: &str) -> Result<(), Refusal> {
    let client: ClientData = serde_json::from_slice(raw).map_err(|_| Refusal::Encoding)?;
    if client.kind != "webauthn.get" {
        return Err(Refusal::Type);
    }
    if decoded(&client.challenge).as_deref() != Some(&challenge[..]) {
        return Err(Refusal::Challenge);
    }
    if client.origin != origin {
        return Err(Refusal::Origin);
    }
    if client.cross == Some(true) || client.top.is_some() {
        return Err(Refusal::CrossOrigin);
    }
    Ok(())
}

/// Flags and counter.
fn check_data(data: &[u8], rp_id: &str) -> Result<(u8, u32), Refusal> {
    let (fixed, rest) = data.split_at_checked(FIXED).ok_or(Refusal::Encoding)?;
    let (hash, more) = fixed.split_at_checked(32).ok_or(Refusal::Encoding)?;
    let (flags, counter) = more.split_first().ok_or(Refusal::Encoding)?;
    if hash != sha256(rp_id.as_bytes()).as_ref() {
        return Err(Refusal::RpId);
    }
    let has = |flag: u8| flags & flag != 0;
    if !has(UP) {
        return Err(Refusal::NoPresence);
    }
    if !has(UV) {
        return Err(Refusal::NoVerification);
    }
    if has(BS) && !has(BE) {
        return Err(Refusal::Backup);
    }
    // An assertion brings no new key, and nothing after the counter but announced extensions.
    if has(AT) || has(ED) == rest.is_empty() {
        return Err(Refusal::Encoding);
    }
    let counter = counter.try_into().map_err(|_| Refusal::Encoding)?;
    Ok((*flags, u32::from_be_bytes(counter)))
}

/// Whether the authenticator data of a new key says that it can be synced.
pub(super) fn is_synced(data: &[u8]) -> Option<bool> {
    data.get(32).map(|flags| flags & BE != 0)
}
