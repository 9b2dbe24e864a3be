//! The registered keys, as they lie under the seal with the tokens: an edited file cannot add one.

use super::assertion::{Assertion, is_synced};
use super::spki::Algorithm;
use super::{RP_ID, decoded};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most keys of one installation.
pub const MAX_KEYS: usize = 16;
/// Where the keys lie among what is sealed.
const KEYS: &str = "keys";
/// Where the tier lies among what is sealed: settings that say less were edited.
pub const TIER: &str = "tier";
/// The longest credential id (`WebAuthn` section 4).
const MAX_ID: usize = 1023;
/// The longest name that a person may give a key.
const MAX_NAME: usize = 40;

/// One registered key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The credential's id, base64url.
    pub id: String,
    /// What it signs with.
    pub alg: Algorithm,
    /// Its public half, base64url.
    pub spki: String,
    /// The site it is for.
    pub rp_id: String,
    /// As of its last signature; 0 for keys that do not count.
    pub counter: u32,
    /// Backup eligible: it may be copied by the account that it is kept in.
    pub synced: bool,
    /// What the person calls it.
    pub name: String,
    /// When it was registered (wall clock, milliseconds).
    pub added_ms: u64,
}

impl Key {
    /// The part of the id that people are shown and may type: its first 8 letters.
    pub fn short_id(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }
}

/// What a browser brings back of a new key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Created {
    /// The credential's id.
    pub id: String,
    /// Its public half.
    pub spki: String,
    /// The COSE algorithm number.
    pub alg: i32,
    /// What the authenticator says of itself: for the flag about synchronisation alone.
    pub authenticator_data: String,
}

impl Created {
    /// The key that this claims to be. It counts once it has signed.
    ///
    /// # Errors
    /// A sentence: what is wrong with it.
    pub fn key(&self, name: &str, now_ms: u64) -> Result<Key, String> {
        let unreadable = || "the browser's answer about the new passkey cannot be read".to_owned();
        let id = decoded(&self.id).ok_or_else(unreadable)?;
        if id.is_empty() || id.len() > MAX_ID {
            return Err(unreadable());
        }
        let alg = Algorithm::try_from(self.alg)?;
        let spki = decoded(&self.spki).ok_or_else(unreadable)?;
        if alg.raw_key(&spki).is_none() {
            return Err(unreadable());
        }
        let data = decoded(&self.authenticator_data).ok_or_else(unreadable)?;
        Ok(Key {
            id: self.id.clone(),
            alg,
            spki: self.spki.clone(),
            rp_id: RP_ID.to_owned(),
            counter: 0,
            synced: is_synced(&data).ok_or_else(unreadable)?,
            name: plain_name(name),
            added_ms: now_ms,
        })
    }
}

/// A name as it is kept: printable ASCII, bounded.
fn plain_name(name: &str) -> String {
    let plain: String = name
        .trim()
        .chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(MAX_NAME)
        .collect();
    if plain.is_empty() {
        "passkey".to_owned()
    } else {
        plain
    }
}

/// All registered keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRing(Vec<Key>);

impl KeyRing {
    /// The keys among what was sealed; none where there are none.
    ///
    /// # Errors
    /// Where they cannot be read: then nothing may be approved, and nothing is taken for "no key".
    pub fn read(extras: &BTreeMap<String, String>) -> Result<Self, String> {
        let Some(text) = extras.get(KEYS) else {
            return Ok(Self::default());
        };
        serde_json::from_str(text)
            .map(Self)
            .map_err(|error| format!("the registered passkeys cannot be read: {error}"))
    }

    /// Puts the keys among what is sealed; everything else there stays.
    pub fn write(&self, extras: &mut BTreeMap<String, String>) {
        if self.0.is_empty() {
            extras.remove(KEYS);
        } else {
            extras.insert(
                KEYS.to_owned(),
                serde_json::to_string(&self.0).unwrap_or_default(),
            );
        }
    }

    /// The keys, oldest first.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their ids, for the browser.
    pub fn ids(&self) -> Vec<String> {
        self.0.iter().map(|key| key.id.clone()).collect()
    }

    /// The key that an assertion says it is by.
    pub fn signer(&self, assertion: &Assertion) -> Option<&Key> {
        self.0.iter().find(|key| key.id == assertion.id)
    }

    /// Adds a key.
    ///
    /// # Errors
    /// A sentence: it is there already, or there are too many.
    pub fn add(&mut self, key: Key) -> Result<(), String> {
        if self.0.iter().any(|known| known.id == key.id) {
            return Err("this passkey is registered already".to_owned());
        }
        if self.0.len() >= MAX_KEYS {
            return Err(format!("there are {MAX_KEYS} passkeys already: remove one first"));
        }
        self.0.push(key);
        Ok(())
    }

    /// Finds one key by the beginning of its id (at least 4 letters), or by its whole name.
    ///
    /// # Errors
    /// A sentence: none, or more than one.
    pub fn find(&self, asked: &str) -> Result<&Key, String> {
        let fits = |key: &&Key| key.name == asked || (asked.len() >= 4 && key.id.starts_with(asked));
        let mut found = self.0.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err("more than one passkey fits: give more of its id".to_owned()),
            (None, _) => Err("no registered passkey has that id".to_owned()),
        }
    }

    /// Takes a key away.
    pub fn remove(&mut self, id: &str) {
        self.0.retain(|key| key.id != id);
    }

    /// Remembers how far a key has counted. A counter never goes back.
    pub fn counted(&mut self, id: &str, counter: u32) {
        for key in self.0.iter_mut().filter(|key| key.id == id) {
            key.counter = key.counter.max(counter);
        }
    }
}
