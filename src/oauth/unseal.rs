//! Sealing and unsealing the trade grant in the vault.
//!
//! Owns: wrong tries and their delay. Refuses to know: the digests that lie under the seal with the tokens, and when a
//! PIN is asked for.

use super::contents::{State, StoredGrant, Tries};
use super::error::{SealError, TokenError, UnsealError};
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

impl Grants {
    /// Seals the trade grant under a PIN; takes about a second.
    ///
    /// # Errors
    /// As [`SealError`] says; the grant is then as before.
    pub async fn seal(&self, pin: &SecretString, sealed: SealedExtras) -> Result<(), SealError> {
        pin::check_pin(pin).map_err(SealError::WeakPin)?;
        let _lock = self.refresh_lock(GrantKind::Trade, LOCK_LIMIT).await?;
        let contents = self.contents().await?;
        let grant = trade_grant(&contents, self.inner.endpoint.url()).ok_or(SealError::NoGrant)?;
        let tokens = match &grant.state {
            State::Open { tokens, .. } => tokens.clone(),
            State::Sealed(_) => return Err(SealError::AlreadySealed),
            State::Withdrawn(reason) => return Err(TokenError::Withdrawn(reason.clone()).into()),
        };
        let key = self.new_key(pin).await?;
        let was = tokens.access.clone();
        let sealed = key
            .seal(
                &Payload {
                    tokens,
                    extras: sealed,
                },
                &place(grant),
            )
            .map_err(no_seal)?;
        let endpoint = self.inner.endpoint.url().to_owned();
        let done = self.update(move |contents| {
            let Some(grant) = contents.grant_mut(&endpoint, GrantKind::Trade) else {
                return false;
            };
            let same = matches!(&grant.state, State::Open { tokens, .. } if tokens.access.same_as(&was));
            if same {
                grant.state = State::Sealed(sealed);
                contents.tries = Tries::default();
            }
            same
        });
        if !done.await? {
            return Err(
                TokenError::Busy("the trade grant changed while it was being sealed".to_owned()).into(),
            );
        }
        self.forget(&[GrantKind::Read, GrantKind::Trade]);
        Ok(())
    }

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

    async fn unseal_in_turn(&self, pin: &SecretString) -> Result<Unsealed, UnsealError> {
        let _lock = self.refresh_lock(GrantKind::Trade, LOCK_LIMIT).await?;
        let (grant, sealed, tries) = self.take_a_try().await?;
        let key = self.key_for(pin, &sealed).await?;
        let Some(payload) = key.open(&sealed, &place(&grant)) else {
            return Err(UnsealError::WrongPin {
                tries: tries.wrong,
                wait: delay(tries.wrong),
            });
        };
        self.update(|contents| contents.tries = Tries::default()).await?;
        let unsealed = Unsealed {
            grants: self.clone(),
            key: Arc::new(key),
            held: Mutex::new(Held { grant, payload }),
        };
        let held = unsealed.held();
        if !held.payload.tokens.usable(wall_ms()) {
            unsealed.renew_under_lock(held, None).await?;
        }
        Ok(unsealed)
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

    async fn new_key(&self, pin: &SecretString) -> Result<SealKey, TokenError> {
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
