//! Tier passkey in this process: the trade grant at hand once the PIN was given, and the check of each touch against the
//! keys that lie under the seal.
//!
//! A touch is checked where the order is held, against the keys as the vault has them at that moment; its counter is
//! saved under the same seal before anything counts as approved. The PIN of one process opens nothing in another.

mod enrol;
mod noted;
mod order;
mod verb;

pub(crate) use enrol::{Made, enrol, forgotten, keep, removed, take_away};
pub(crate) use noted::{note, noted};
pub(super) use order::{OrderTouch, Signed};
pub(super) use verb::ask_verb;
pub(crate) use verb::{confirm, has_to_touch};

use super::lock;
use crate::oauth::Unsealed;
use crate::passkey::{Key, KeyRing, Proof};
use std::sync::{Arc, Mutex};

/// No key, although the PIN was right.
pub(super) const NO_KEY: &str =
    "no passkey is registered: run `countersign presence add-key` in a terminal. Nothing was approved";

/// The trade grant, open in this process since the PIN was given: until the screen is locked, the machine sleeps, its
/// clock is set, AI trading is stopped, the seal is changed, or the end. Every order still takes a touch.
#[derive(Debug, Default)]
pub(crate) struct AtHand(Mutex<Option<Arc<Unsealed>>>);

impl AtHand {
    pub(super) fn keep(&self, unsealed: Arc<Unsealed>) {
        *lock(&self.0) = Some(unsealed);
    }

    pub(super) fn grant(&self) -> Option<Arc<Unsealed>> {
        lock(&self.0).clone()
    }

    /// Whether there was one.
    pub(super) fn drop_it(&self) -> bool {
        lock(&self.0).take().is_some()
    }
}

/// The registered keys as they lie under this seal now.
///
/// # Errors
/// A sentence: the seal is another one by now, or the keys cannot be read.
pub(crate) async fn ring_of(unsealed: &Unsealed) -> Result<KeyRing, String> {
    if !unsealed.is_current().await {
        return Err(
            "the trade sign-in or its PIN was changed meanwhile: the PIN is asked for again".to_owned(),
        );
    }
    KeyRing::read(&unsealed.extras())
}

/// Checks a signature against the registered keys, and saves how far its key has counted. The key that signed.
///
/// # Errors
/// A sentence: nothing may come of it then.
pub(crate) async fn accept(unsealed: &Unsealed, proof: &Proof) -> Result<Key, String> {
    let check = |ring: &KeyRing| {
        let key = ring
            .signer(&proof.assertion)
            .ok_or_else(|| "it is by a key that is not registered".to_owned())?;
        let counter = proof.check(key).map_err(|refusal| refusal.to_string())?;
        Ok::<_, String>((key.clone(), counter))
    };
    let (key, counter) = check(&ring_of(unsealed).await?)?;
    if counter == key.counter {
        return Ok(key);
    }
    // Another process may have counted the same key meanwhile: judged again on what is there when it is written.
    let mut judged = Err("the passkey's counter could not be kept".to_owned());
    let saved = unsealed.change_extras(|extras| {
        judged = KeyRing::read(extras).and_then(|mut ring| {
            let (key, counter) = check(&ring)?;
            ring.counted(&key.id, counter);
            ring.write(extras);
            Ok(key)
        });
    });
    saved
        .await
        .map_err(|error| format!("the passkey's counter could not be kept: {error}"))?;
    judged
}
