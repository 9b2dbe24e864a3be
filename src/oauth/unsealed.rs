//! The trade grant while it is open in this process.
//!
//! Owns: the renewal of sealed tokens: sealed again with the same key and synced before use. Refuses to know: PINs.

use super::contents::{Contents, State, StoredGrant};
use super::error::TokenError;
use super::grants::{GrantKind, Grants};
use super::logout::TokenReport;
use super::refresh::ended_by;
use super::seal::{NoSeal, Payload, SealKey, SealedExtras};
use super::secret::Bearer;
use super::token::Tokens;
use crate::system::wall_ms;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long to wait for another process that is using the trade grant's refresh token.
pub(super) const LOCK_LIMIT: Duration = Duration::from_secs(45);
/// As for open grants: a token refused this soon after it was got is fresh.
const FRESH_MS: u64 = 60_000;

/// The trade grant, open in the memory of this process. Wiped when it is dropped.
pub struct Unsealed {
    pub(super) grants: Grants,
    pub(super) key: Arc<SealKey>,
    pub(super) held: Mutex<Held>,
}

/// What is open.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) grant: StoredGrant,
    pub(super) payload: Payload,
}

impl std::fmt::Debug for Unsealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unsealed(…)")
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

    pub(super) fn held(&self) -> Held {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, held: Held) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// What the vault has now, opened with our key: another process may have renewed and sealed again.
    pub(super) async fn reread(&self) -> Result<Held, TokenError> {
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
    pub(super) async fn renew_under_lock(
        &self,
        mut held: Held,
        refused: Option<&Bearer>,
    ) -> Result<(), TokenError> {
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
            Err(refusal) => match ended_by(refusal) {
                Ok(reason) => Err(self.withdraw(reason).await),
                Err(_) if refused.is_none() && old.alive(wall_ms()) => Ok(()),
                Err(reason) => Err(TokenError::Network(reason)),
            },
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

pub(super) fn trade_grant<'c>(contents: &'c Contents, endpoint: &str) -> Option<&'c StoredGrant> {
    contents
        .grants
        .iter()
        .find(|grant| grant.endpoint == endpoint && grant.kind == GrantKind::Trade)
}

/// Where a seal belongs: it does not open for another endpoint, issuer or client.
pub(super) fn place(grant: &StoredGrant) -> String {
    format!(
        "{}\n{}\n{}",
        grant.endpoint, grant.registration.issuer, grant.registration.client_id
    )
}

pub(super) fn no_seal(error: NoSeal) -> TokenError {
    TokenError::Store(error.to_string())
}
