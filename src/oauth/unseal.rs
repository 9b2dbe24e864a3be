//! Opening the seal of the trade grant in the vault.
//!
//! Owns: wrong tries and their delay. Refuses to know: the digests that lie under the seal with the tokens, and when a
//! PIN is asked for.
//!
//! The count of wrong tries lies in the vault, so it holds against whoever types into our prompts, through restarts and
//! over all processes. It does not hold against a program that may write this user's files: copying an older vault back
//! sets the count back with it, and nothing on this machine could tell. Against that stand the cost of each try, the
//! strength that a new PIN must have, and that the caller is told of wrong tries with the next right PIN
//! ([`Unsealed::wrong_tries_before`]) as far as the vault still knows of them.

use super::contents::{State, StoredGrant, Tries};
use super::error::{TokenError, UnsealError};
use super::grants::{GrantKind, Grants};
use super::pin;
use super::seal::{Cost, Payload, SealKey, Sealed, SealedExtras};
use super::unsealed::{Held, LOCK_LIMIT, Unsealed, no_seal, place, trade_grant};
use crate::system::wall_ms;
use secrecy::SecretString;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The delays after the third wrong PIN and on, in seconds.
const DELAYS_S: [u64; 5] = [5, 15, 60, 300, 900];

/// A box that the PIN has opened.
pub(super) struct OpenedSeal {
    pub(super) grant: StoredGrant,
    pub(super) sealed: Sealed,
    pub(super) key: SealKey,
    pub(super) payload: Payload,
    pub(super) wrong_tries_before: u32,
}

impl Grants {
    /// Opens the trade grant with the PIN; takes about a second. Renews the access token where it has run out, seals
    /// the new ones and saves them before it returns.
    ///
    /// # Errors
    /// As [`UnsealError`] says. Wrong tries are counted before the PIN is looked at, and slowed down.
    pub async fn unseal(&self, pin: &SecretString) -> Result<Unsealed, UnsealError> {
        let (grants, pin) = (self.clone(), pin.clone());
        let cut = |_| Err(TokenError::Busy("opening the seal was cut off".to_owned()).into());
        self.inner
            .tasks
            .spawn(async move { grants.unseal_in_turn(&pin).await })
            .await
            .unwrap_or_else(cut)
    }

    /// What lies beside the sealed tokens, without renewing them: for a sign-in that takes their place.
    ///
    /// # Errors
    /// As [`Self::unseal`].
    pub async fn sealed_extras(&self, pin: &SecretString) -> Result<SealedExtras, UnsealError> {
        let _lock = self.refresh_lock(GrantKind::Trade, LOCK_LIMIT).await?;
        let opened = self.open_seal(pin).await?;
        self.update(|contents| contents.tries = Tries::default()).await?;
        Ok(opened.payload.extras)
    }

    async fn unseal_in_turn(&self, pin: &SecretString) -> Result<Unsealed, UnsealError> {
        let _lock = self.refresh_lock(GrantKind::Trade, LOCK_LIMIT).await?;
        let opened = self.open_seal(pin).await?;
        self.update(|contents| contents.tries = Tries::default()).await?;
        let unsealed = Unsealed {
            grants: self.clone(),
            key: Arc::new(opened.key),
            held: Mutex::new(Held {
                grant: opened.grant,
                payload: opened.payload,
            }),
            wrong_tries_before: opened.wrong_tries_before,
        };
        let held = unsealed.held();
        if !held.payload.tokens.usable(wall_ms()) {
            unsealed.renew_under_lock(held, None).await?;
        }
        Ok(unsealed)
    }

    /// Under the refresh lock: opens the box as the vault has it. The count of wrong tries is left to the caller, whose
    /// next change of the vault sets it back.
    pub(super) async fn open_seal(&self, pin: &SecretString) -> Result<OpenedSeal, UnsealError> {
        self.save_unsaved_seal().await?;
        let (grant, sealed, tries) = self.take_a_try().await?;
        let key = self.key_for(pin, &sealed).await?;
        match key.open(&sealed, &place(&grant)) {
            Some(payload) => Ok(OpenedSeal {
                grant,
                sealed,
                key,
                payload,
                wrong_tries_before: tries.wrong.saturating_sub(1),
            }),
            None => Err(UnsealError::WrongPin {
                tries: tries.wrong,
                wait: delay(tries.wrong),
            }),
        }
    }

    /// Counts a try before it is made: killing the process must not give tries away for nothing.
    async fn take_a_try(&self) -> Result<(StoredGrant, Sealed, Tries), UnsealError> {
        let (endpoint, now_ms) = (self.inner.endpoint.url().to_owned(), wall_ms());
        self.update(move |contents| {
            let grant = trade_grant(contents, &endpoint)
                .ok_or(TokenError::NotSignedIn)?
                .clone();
            let sealed = match &grant.state {
                State::Sealed(sealed) => sealed.clone(),
                State::Open { .. } => return Err(UnsealError::NotSealed),
                State::Withdrawn(reason) => return Err(TokenError::Withdrawn(reason.clone()).into()),
            };
            let wait = waiting(&contents.tries, now_ms);
            if !wait.is_zero() {
                return Err(UnsealError::Wait(wait));
            }
            contents.tries = Tries {
                wrong: contents.tries.wrong.saturating_add(1),
                last_ms: now_ms,
            };
            Ok((grant, sealed, contents.tries.clone()))
        })
        .await?
    }

    /// Opens the trade grant and leaves it open: back to tier click.
    ///
    /// # Errors
    /// As [`Self::unseal`].
    pub async fn unseal_remove(&self, pin: &SecretString) -> Result<(), UnsealError> {
        let unsealed = self.unseal(pin).await?;
        let _lock = self.refresh_lock(GrantKind::Trade, LOCK_LIMIT).await?;
        let held = unsealed.reread().await?;
        let endpoint = self.inner.endpoint.url().to_owned();
        self.update(move |contents| {
            if let Some(grant) = contents.grant_mut(&endpoint, GrantKind::Trade) {
                grant.state = State::Open {
                    tokens: held.payload.tokens,
                    spending_since_ms: None,
                };
            }
        })
        .await?;
        self.forget(&[GrantKind::Read, GrantKind::Trade]);
        Ok(())
    }

    pub(super) async fn new_key(&self, pin: &SecretString) -> Result<SealKey, TokenError> {
        let (pin, cost) = (pin::normal(pin), self.inner.cost);
        self.blocking(move |inner| {
            let pepper = inner.vault.pepper()?;
            let cost = cost.map_or_else(Cost::measured, Ok);
            Ok(cost.and_then(|cost| SealKey::new(&pin, &pepper, cost)))
        })
        .await?
        .map_err(no_seal)
    }

    async fn key_for(&self, pin: &SecretString, sealed: &Sealed) -> Result<SealKey, TokenError> {
        let (pin, sealed) = (pin::normal(pin), sealed.clone());
        self.blocking(move |inner| {
            let pepper = inner.vault.pepper()?;
            Ok(SealKey::for_box(&pin, &pepper, &sealed))
        })
        .await?
        .map_err(no_seal)
    }
}

/// How long after the n-th wrong PIN in a row no other is taken.
fn delay(wrong: u32) -> Duration {
    let Some(index) = wrong.checked_sub(3) else {
        return Duration::ZERO;
    };
    let index = usize::try_from(index)
        .unwrap_or(usize::MAX)
        .min(DELAYS_S.len() - 1);
    Duration::from_secs(DELAYS_S.get(index).copied().unwrap_or(900))
}

/// What is left of the delay. A clock that was set back does not shorten it.
fn waiting(tries: &Tries, now_ms: u64) -> Duration {
    let passed = Duration::from_millis(now_ms.saturating_sub(tries.last_ms));
    delay(tries.wrong).saturating_sub(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_tries_slow_down() {
        let seconds: Vec<u64> = (0..10).map(|wrong| delay(wrong).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 5, 15, 60, 300, 900, 900, 900]);
        let tries = Tries {
            wrong: 4,
            last_ms: 100_000,
        };
        assert_eq!(waiting(&tries, 101_000), Duration::from_secs(14));
        assert_eq!(waiting(&tries, 115_000), Duration::ZERO);
        assert_eq!(waiting(&tries, 0), Duration::from_secs(15), "clock set back");
    }
}
