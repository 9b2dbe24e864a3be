//! The trade grant while it is open in this process.
//!
//! Owns: the renewal of sealed tokens: sealed again with the same key and synced before use. Refuses to know: PINs.

use super::contents::{Contents, State, StoredGrant};
use super::error::TokenError;
use super::grants::{GrantKind, Grants};
use super::logout::TokenReport;
use super::refresh::ended_by;
use super::seal::{NoSeal, Payload, SealKey, Sealed, SealedExtras};
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
    pub(super) wrong_tries_before: u32,
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

    /// How many wrong PINs were tried before the right one, since the last right one before: to be told to the person
    /// and journaled. An older vault that was copied back brings its own count with it: then this says too little.
    pub fn wrong_tries_before(&self) -> u32 {
        self.wrong_tries_before
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
            this.grants.save_unsaved_seal().await?;
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
        self.change_extras(|kept| *kept = extras).await
    }

    /// Changes some of what lies under the seal, under the lock and on what the vault has now: what another process
    /// put there meanwhile stays. Saved and synced before this returns.
    ///
    /// # Errors
    /// As [`Self::renew`]; what lay there before then stands.
    pub async fn change_extras(&self, change: impl FnOnce(&mut SealedExtras)) -> Result<(), TokenError> {
        let _lock = self.grants.refresh_lock(GrantKind::Trade, LOCK_LIMIT).await?;
        self.grants.save_unsaved_seal().await?;
        let mut held = self.reread().await?;
        change(&mut held.payload.extras);
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
            wrong_tries_before: self.wrong_tries_before,
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
                let (was, now) = self.boxes(&held)?;
                self.grants.save_renewed_seal(was, now.clone()).await?;
                self.hold_sealed(held, now);
                Ok(())
            }
            Err(refusal) => match ended_by(refusal) {
                Ok(reason) => {
                    let (was, _) = self.boxes(&held)?;
                    Err(self.grants.withdraw_sealed(was, reason).await)
                }
                Err(_) if refused.is_none() && old.alive(wall_ms()) => Ok(()),
                Err(reason) => Err(TokenError::Network(reason)),
            },
        }
    }

    async fn save(&self, held: Held) -> Result<(), TokenError> {
        let (was, now) = self.boxes(&held)?;
        self.grants.swap_seal(was, now.clone(), false).await?;
        self.hold_sealed(held, now);
        Ok(())
    }

    /// The box that the vault had when we last looked, and the one that is to take its place.
    fn boxes(&self, held: &Held) -> Result<(Sealed, Sealed), TokenError> {
        let now = self.key.seal(&held.payload, &place(&held.grant));
        match self.held().grant.state {
            State::Sealed(was) => Ok((was, now.map_err(no_seal)?)),
            State::Open { .. } | State::Withdrawn(_) => Err(TokenError::Sealed),
        }
    }

    fn hold_sealed(&self, held: Held, sealed: Sealed) {
        let grant = StoredGrant {
            state: State::Sealed(sealed),
            ..held.grant
        };
        self.hold(Held {
            grant,
            payload: held.payload,
        });
    }
}

pub(super) fn trade_grant<'c>(contents: &'c Contents, endpoint: &str) -> Option<&'c StoredGrant> {
    contents
        .grants
        .iter()
        .find(|grant| grant.endpoint == endpoint && grant.kind == GrantKind::Trade)
}

/// Where a seal belongs: it does not open for another endpoint, issuer or client, nor where what was under it would be
/// sent to another address than when it was sealed. As JSON, so that no two places read the same.
pub(super) fn place(grant: &StoredGrant) -> String {
    serde_json::json!([
        grant.endpoint,
        grant.resource,
        grant.registration.issuer,
        grant.registration.client_id,
        grant.token_endpoint,
        grant.revocation_endpoint,
    ])
    .to_string()
}

pub(super) fn no_seal(error: NoSeal) -> TokenError {
    TokenError::Store(error.to_string())
}
