//! Whether the keychain of this system works: a secret of no value is put there, read back and taken away.
//!
//! Owns: that round trip and its time limit. Refuses to know: the vault and its key, whose entry it never touches.

use super::key::{self, StoreKind};
use crate::system::{World, mono_ms};
use std::time::Duration;

/// The name of the entry, beside which the vault's own has a name of 32 digits.
const NAME: &str = "doctor-probe";

/// Which store `COUNTERSIGN_STORE` asks for; `None` where it asks for none.
///
/// # Errors
/// A sentence, for any other word.
pub fn store_choice(world: &World) -> Result<Option<StoreKind>, String> {
    key::chosen(world)
}

/// Puts a secret into the keychain, reads it back and takes it away; the milliseconds that it took. Blocks for at most
/// `limit`.
///
/// # Errors
/// A sentence on what does not work, and how to do without a keychain.
pub fn keychain_round_trip(limit: Duration) -> Result<u64, String> {
    let began = mono_ms();
    key::with_limit(limit, move || {
        let secret = began.to_string();
        key::save_entry(NAME, secret.as_bytes())?;
        let back = key::load_entry(NAME);
        key::remove_entry(NAME)?;
        match back? {
            Some(back) if *back == *secret.as_bytes() => Ok(()),
            Some(_) | None => Err("it does not give back what it was given".to_owned()),
        }
    })?;
    Ok(mono_ms().saturating_sub(began))
}
