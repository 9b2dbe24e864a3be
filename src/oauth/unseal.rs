//! Sealing and unsealing the trade grant in the vault.
//!
//! Owns: wrong tries and their delay, the renewal of sealed tokens (sealed again and synced before use). Refuses to
//! know: the digests that lie under the seal with the tokens, and when a PIN is asked for.

use super::error::{SealError, TokenError, UnsealError};
use super::grants::{GrantKind, Grants};
use super::logout::TokenReport;
use super::pin;
use super::refresh::ended_by;
use super::seal::{Cost, NoSeal, Payload, SealKey, Sealed};
use super::secret::Bearer;
use super::token::{NoToken, Tokens};
use super::vault::{Contents, State, StoredGrant, Tries};
use crate::system::wall_ms;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Digests that are authenticated with the tokens: policy, pins, keys, halt.
pub type SealedExtras = BTreeMap<String, String>;

/// How long to wait for another process that is using the trade grant's refresh token.
const LOCK_LIMIT: Duration = Duration::from_secs(45);
/// The delays after the third wrong PIN and on, in seconds.
const DELAYS_S: [u64; 5] = [5, 15, 60, 300, 900];
/// As for open grants: a token refused this soon after it was got is fresh.
const FRESH_MS: u64 = 60_000;

/// The trade grant, open in the memory of this process. Wiped when it is dropped.
pub struct Unsealed {
    grants: Grants,
    key: Arc<SealKey>,
    held: Mutex<Held>,
}

/// What is open.
#[derive(Clone)]
struct Held {
    grant: StoredGrant,
    payload: Payload,
}

impl std::fmt::Debug for Unsealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unsealed(…)")
    }
}

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
        self.forget();
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
        self.forget();
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

impl Unsealed {
    /// The access token of the trade lane.
    pub fn bearer(&self) -> Bearer {
        Bearer::of(&self.held().payload.tokens.access)
    }

    /// The digests that lay under the seal.
    pub fn extras(&self) -> SealedExtras {
        self.held().payload.extras
    }

    /// The scope of the grant, where the service said.
    pub fn scope(&self) -> Option<String> {
        self.held().grant.scope
    }

    /// Whether the seal is still the one that was opened: another PIN, or signing out, ends what was unsealed.
    pub async fn is_current(&self) -> bool {
        self.reread().await.is_ok()
    }

    /// Another token after a 401 that refused this one: renewed, sealed again with the same key and synced before it
    /// is returned.
    ///
    /// # Errors
    /// [`TokenError::Sealed`] where the seal was changed meanwhile (another PIN); else as [`Grants::renew`].
    pub async fn renew(&self, refused: &Bearer) -> Result<Bearer, TokenError> {
        let this = self.share();
        let refused = refused.clone();
        let renewal = async move {
            let _lock = this.grants.refresh_lock(GrantKind::Trade, LOCK_LIMIT).await?;
            let held = this.reread().await?;
            if !held.payload.tokens.usable(wall_ms()) || refused.is(&held.payload.tokens.access) {
                this.renew_under_lock(held, Some(&refused)).await?;
            }
            Ok::<_, TokenError>(this.held())
        };
        let cut = |_| Err(TokenError::Busy("the renewal of access was cut off".to_owned()));
        let held = self.grants.inner.tasks.spawn(renewal).await.unwrap_or_else(cut)?;
        self.hold(held);
        Ok(self.bearer())
    }

    /// Puts other digests under the seal, for what the person has just approved.
    ///
    /// # Errors
    /// As [`Self::renew`]; the old digests then stand.
    pub async fn set_extras(&self, extras: SealedExtras) -> Result<(), TokenError> {
        let _lock = self.grants.refresh_lock(GrantKind::Trade, LOCK_LIMIT).await?;
        let mut held = self.reread().await?;
        held.payload.extras = extras;
        self.save(held).await
    }

    /// Revokes the tokens at the service (for signing out); the vault is left to [`Grants::logout`].
    pub async fn revoke(self) -> Vec<TokenReport> {
        let held = self.held();
        self.grants.revoke_both(&held.grant, &held.payload.tokens).await
    }

    fn share(&self) -> Self {
        Self {
            grants: self.grants.clone(),
            key: self.key.clone(),
            held: Mutex::new(self.held()),
        }
    }

    fn held(&self) -> Held {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, held: Held) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// What the vault has now, opened with our key: another process may have renewed and sealed again.
    async fn reread(&self) -> Result<Held, TokenError> {
        let contents = self.grants.contents().await?;
        let grant =
            trade_grant(&contents, self.grants.inner.endpoint.url()).ok_or(TokenError::NotSignedIn)?;
        let sealed = match &grant.state {
            State::Sealed(sealed) => sealed,
            State::Withdrawn(reason) => return Err(TokenError::Withdrawn(reason.clone())),
            State::Open { .. } => {
                return Err(TokenError::Busy("the seal was taken off meanwhile".to_owned()));
            }
        };
        let payload = self.key.open(sealed, &place(grant)).ok_or(TokenError::Sealed)?;
        let held = Held {
            grant: grant.clone(),
            payload,
        };
        self.hold(held.clone());
        Ok(held)
    }

    /// Under the refresh lock: trial write, refresh, seal again, save and sync, and only then hold.
    async fn renew_under_lock(&self, mut held: Held, refused: Option<&Bearer>) -> Result<(), TokenError> {
        let old = held.payload.tokens.clone();
        let now_ms = wall_ms();
        let refused_fresh = refused.is_some_and(|refused| refused.is(&old.access))
            && old.alive(now_ms)
            && now_ms.saturating_sub(old.obtained_at_ms) < FRESH_MS;
        if refused_fresh && old.refused_fresh > 0 {
            return Err(self.grants.refused());
        }
        let Some(refresh) = &old.refresh else {
            return Err(TokenError::NotSignedIn);
        };
        self.save(held.clone()).await?;
        match self.grants.desk(&held.grant).refresh(refresh).await {
            Ok(issued) => {
                let refused_fresh = if refused_fresh {
                    old.refused_fresh.saturating_add(1)
                } else {
                    0
                };
                held.payload.tokens = Tokens {
                    refused_fresh,
                    ..issued.tokens
                };
                self.save_with_patience(held).await
            }
            Err(NoToken::Network(_)) if refused.is_none() && old.alive(wall_ms()) => Ok(()),
            Err(NoToken::Network(reason)) => Err(TokenError::Network(reason)),
            Err(refusal) => Err(self.withdraw(&ended_by(&refusal)).await),
        }
    }

    /// The old refresh token is spent: a disk that is full for a moment must not cost the grant.
    async fn save_with_patience(&self, held: Held) -> Result<(), TokenError> {
        for _ in 0..4 {
            if self.save(held.clone()).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        self.save(held).await
    }

    async fn save(&self, held: Held) -> Result<(), TokenError> {
        let sealed = self
            .key
            .seal(&held.payload, &place(&held.grant))
            .map_err(no_seal)?;
        let (endpoint, was) = (
            self.grants.inner.endpoint.url().to_owned(),
            self.held().grant.state,
        );
        let kept = sealed.clone();
        let saved = self.grants.update(move |contents| {
            let Some(grant) = contents.grant_mut(&endpoint, GrantKind::Trade) else {
                return false;
            };
            let ours = matches!((&grant.state, &was), (State::Sealed(now), State::Sealed(was)) if now == was);
            if ours {
                grant.state = State::Sealed(kept);
            }
            ours
        });
        if !saved.await? {
            return Err(TokenError::Busy(
                "the trade grant was changed by another process".to_owned(),
            ));
        }
        let grant = StoredGrant {
            state: State::Sealed(sealed),
            ..held.grant
        };
        self.hold(Held {
            grant,
            payload: held.payload,
        });
        Ok(())
    }

    async fn withdraw(&self, reason: &str) -> TokenError {
        let (endpoint, was, told) = (
            self.grants.inner.endpoint.url().to_owned(),
            self.held().grant.state,
            reason.to_owned(),
        );
        let saved = self.grants.update(move |contents| {
            if let Some(grant) = contents.grant_mut(&endpoint, GrantKind::Trade)
                && matches!((&grant.state, &was), (State::Sealed(now), State::Sealed(was)) if now == was)
            {
                grant.state = State::Withdrawn(told);
            }
        });
        match saved.await {
            Ok(()) => TokenError::Withdrawn(reason.to_owned()),
            Err(error) => error,
        }
    }
}

fn trade_grant<'c>(contents: &'c Contents, endpoint: &str) -> Option<&'c StoredGrant> {
    contents
        .grants
        .iter()
        .find(|grant| grant.endpoint == endpoint && grant.kind == GrantKind::Trade)
}

/// Where a seal belongs: it does not open for another endpoint, issuer or client.
fn place(grant: &StoredGrant) -> String {
    format!(
        "{}\n{}\n{}",
        grant.endpoint, grant.registration.issuer, grant.registration.client_id
    )
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

fn no_seal(error: NoSeal) -> TokenError {
    TokenError::Store(error.to_string())
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
