//! The seal of the trade grant: encryption under the PIN (DESIGN §6).
//!
//! Owns: key derivation, the sealed box. Refuses to know: the vault, wrong tries, the network.
//! Key = HKDF-SHA256(salt: pepper, input: Argon2id(PIN, salt), info: label). The pepper is derived from the vault's key,
//! which lies in the keychain: who has the files alone cannot even guess PINs.

use super::key::Key;
use super::secret::random;
use super::token::Tokens;
use crate::system::mono_ms;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Digests that are authenticated with the tokens: policy, pins, keys, halt.
pub type SealedExtras = BTreeMap<String, String>;

/// What the derivation aims at on this machine, in milliseconds.
const AIM_MS: u64 = 1000;
/// 64 MiB: beyond what makes guessing on graphics cards cheap (RFC 9106 section 4, second choice).
const MEMORY_KIB: u32 = 64 * 1024;
/// RFC 9106 asks for at least three passes at 64 MiB.
const MIN_PASSES: u32 = 3;
/// Bounds for what a stored seal may ask of us: 1 GiB, 200 passes.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 200;

/// The seal cannot be made.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the PIN cannot be worked into a key on this machine (is there too little memory?)")]
pub(super) struct NoSeal;

/// What deriving the key costs; stored with the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cost {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
}

impl Cost {
    /// As many passes as take about a second here.
    pub(super) fn measured() -> Result<Self, NoSeal> {
        let probe = Self {
            memory_kib: MEMORY_KIB,
            passes: 1,
        };
        let begin = mono_ms();
        stretch(&SecretString::from("measuring"), &[0; 16], probe)?;
        let one_pass = mono_ms().saturating_sub(begin).max(1);
        let passes = u32::try_from(AIM_MS / one_pass).unwrap_or(MIN_PASSES);
        Ok(Self {
            memory_kib: MEMORY_KIB,
            passes: passes.clamp(MIN_PASSES, 60),
        })
    }
}

/// The sealed box as it lies in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sealed {
    cost: Cost,
    salt: String,
    nonce: String,
    ciphertext: String,
}

/// What is under the seal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Payload {
    pub(super) tokens: Tokens,
    pub(super) extras: SealedExtras,
}

/// The derived key, with what it was derived by: good for opening and for sealing again.
pub(super) struct SealKey {
    key: Key,
    salt: [u8; 16],
    cost: Cost,
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealKey")
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}

impl SealKey {
    /// A key for a new seal. Takes about a second.
    pub(super) fn new(pin: &SecretString, pepper: &Key, cost: Cost) -> Result<Self, NoSeal> {
        Self::derive(pin, pepper, cost, random().map_err(|_| NoSeal)?)
    }

    /// The key for this box, if the PIN is the right one. Takes about a second.
    pub(super) fn for_box(pin: &SecretString, pepper: &Key, sealed: &Sealed) -> Result<Self, NoSeal> {
        let salt = STANDARD_NO_PAD.decode(&sealed.salt).map_err(|_| NoSeal)?;
        let salt: [u8; 16] = salt.try_into().map_err(|_| NoSeal)?;
        Self::derive(pin, pepper, sealed.cost, salt)
    }

    fn derive(pin: &SecretString, pepper: &Key, cost: Cost, salt: [u8; 16]) -> Result<Self, NoSeal> {
        let stretched = stretch(pin, &salt, cost)?;
        let mut key: Key = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, &pepper[..])
            .extract(&stretched[..])
            .expand(&[b"countersign seal 2"], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key[..]))
            .map_err(|_| NoSeal)?;
        Ok(Self { key, salt, cost })
    }

    /// Seals. `place` names where the box belongs and where what is in it is sent; it is authenticated with it.
    pub(super) fn seal(&self, payload: &Payload, place: &str) -> Result<Sealed, NoSeal> {
        let nonce: [u8; 12] = random().map_err(|_| NoSeal)?;
        let mut plain = Zeroizing::new(serde_json::to_vec(payload).map_err(|_| NoSeal)?);
        let tag = self
            .aead()?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.bound_to(place)),
                &mut plain,
            )
            .map_err(|_| NoSeal)?;
        let whole = [&plain[..], tag.as_ref()].concat();
        Ok(Sealed {
            cost: self.cost,
            salt: STANDARD_NO_PAD.encode(self.salt),
            nonce: STANDARD_NO_PAD.encode(nonce),
            ciphertext: STANDARD_NO_PAD.encode(whole),
        })
    }

    /// Opens; `None` for another PIN, another place, or a changed box.
    pub(super) fn open(&self, sealed: &Sealed, place: &str) -> Option<Payload> {
        let nonce: [u8; 12] = STANDARD_NO_PAD.decode(&sealed.nonce).ok()?.try_into().ok()?;
        let mut whole = Zeroizing::new(STANDARD_NO_PAD.decode(&sealed.ciphertext).ok()?);
        let plain = self
            .aead()
            .ok()?
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.bound_to(place)),
                &mut whole,
            )
            .ok()?;
        serde_json::from_slice(plain).ok()
    }

    fn bound_to(&self, place: &str) -> String {
        format!(
            "countersign seal 2\n{}\n{}\n{place}",
            self.cost.memory_kib, self.cost.passes
        )
    }

    fn aead(&self) -> Result<LessSafeKey, NoSeal> {
        UnboundKey::new(&CHACHA20_POLY1305, &self.key[..])
            .map(LessSafeKey::new)
            .map_err(|_| NoSeal)
    }
}

fn stretch(pin: &SecretString, salt: &[u8; 16], cost: Cost) -> Result<Key, NoSeal> {
    if cost.memory_kib > MAX_MEMORY_KIB || cost.passes > MAX_PASSES {
        return Err(NoSeal);
    }
    let params = Params::new(cost.memory_kib, cost.passes, 1, Some(32)).map_err(|_| NoSeal)?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut out: Key = Zeroizing::new([0; 32]);
    argon
        .hash_password_into(pin.expose_secret().as_bytes(), salt, &mut out[..])
        .map_err(|_| NoSeal)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_measured_within_bounds() {
        let cost = Cost::measured().unwrap();
        assert_eq!(cost.memory_kib, MEMORY_KIB);
        assert!((MIN_PASSES..=60).contains(&cost.passes), "{cost:?}");
    }

    #[test]
    fn a_stored_cost_without_bounds_is_refused() {
        let pin = SecretString::from("x");
        for cost in [
            Cost {
                memory_kib: u32::MAX,
                passes: 1,
            },
            Cost {
                memory_kib: 64,
                passes: u32::MAX,
            },
            Cost {
                memory_kib: 0,
                passes: 0,
            },
        ] {
            assert!(stretch(&pin, &[0; 16], cost).is_err(), "{cost:?}");
        }
    }

    #[test]
    fn a_box_opens_in_its_place_with_its_pin_and_pepper_only() {
        let cost = Cost {
            memory_kib: 256,
            passes: 1,
        };
        let (pin, pepper) = (SecretString::from("right"), Zeroizing::new([1; 32]));
        let payload: Payload =
            serde_json::from_str(r#"{"tokens":{"access":"a","obtained_at_ms":1},"extras":{}}"#).unwrap();
        let sealed = SealKey::new(&pin, &pepper, cost)
            .unwrap()
            .seal(&payload, "place")
            .unwrap();
        let opens = |pin: &str, pepper: u8, place: &str, sealed: &Sealed| {
            let key = SealKey::for_box(&SecretString::from(pin), &Zeroizing::new([pepper; 32]), sealed);
            key.is_ok_and(|key| key.open(sealed, place).is_some())
        };
        assert!(opens("right", 1, "place", &sealed));
        assert!(!opens("wrong", 1, "place", &sealed));
        assert!(!opens("right", 2, "place", &sealed));
        assert!(!opens("right", 1, "another place", &sealed));
        let weaker = Sealed {
            cost: Cost {
                memory_kib: 128,
                passes: 1,
            },
            ..sealed
        };
        assert!(!opens("right", 1, "place", &weaker));
    }
}
