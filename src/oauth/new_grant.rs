//! A grant that was just issued: looked at by the caller, then kept or given back.
//!
//! Owns: what a new grant replaces. Refuses to know: how it was got.

use super::contents::{Contents, State, StoredGrant, Tries};
use super::error::{SealError, TokenError};
use super::grants::{GrantKind, Grants};
use super::logout::TokenReport;
use super::pin::check_pin;
use super::seal::{Payload, SealKey, SealedExtras};
use super::secret::Bearer;
use super::unsealed::{Held, Unsealed, no_seal, place};
use crate::system::FileLock;
use secrecy::SecretString;
use std::sync::{Arc, Mutex};

/// A grant that was issued and is not kept yet. To be kept or revoked.
#[derive(Debug)]
#[must_use = "a grant that is neither kept nor revoked stays open at the service"]
pub struct NewGrant {
    pub(super) grants: Grants,
    pub(super) stored: StoredGrant,
    pub(super) bearer: Bearer,
    #[expect(dead_code, reason = "held until the grant is kept or given back")]
    pub(super) lock: FileLock,
}

impl NewGrant {
    /// The access token, to look at what the grant can do before it is kept.
    pub fn bearer(&self) -> &Bearer {
        &self.bearer
    }

    /// The scope that the service granted; `None` where it did not say (RFC 6749 section 5.1: as asked for).
    pub fn scope(&self) -> Option<&str> {
        self.stored.scope.as_deref()
    }

    /// Puts the grant into the vault, in the place of an older one of its kind; on the disk when it returns.
    ///
    /// # Errors
    /// [`TokenError::Store`]; the grant is then given back to the service, and an older one still stands.
    pub async fn keep(self) -> Result<(), TokenError> {
        let stored = self.stored.clone();
        if let Err(error) = self.put(stored).await {
            let _ = self.revoke().await;
            return Err(error);
        }
        if let State::Open { tokens, .. } = &self.stored.state {
            self.grants.remember(self.stored.kind, tokens);
        }
        Ok(())
    }

    /// Puts the trade grant into the vault under a PIN, in the place of an older one: it never lies open on the disk.
    /// Takes about a second. No renewal comes first: nobody can have copied what was never saved. Returned open, for
    /// digests of what is decided only once the grant is kept ([`Unsealed::set_extras`]).
    ///
    /// # Errors
    /// As [`SealError`] says ([`SealError::NoGrant`] for a grant that also serves reading, or only that); the grant is
    /// then given back to the service, and an older one still stands.
    pub async fn keep_sealed(self, pin: &SecretString, extras: SealedExtras) -> Result<Unsealed, SealError> {
        let kept = match self.sealed(pin, extras).await {
            Ok((held, key)) => {
                let put = self.put(held.grant.clone()).await;
                put.map(|()| (held, key)).map_err(SealError::from)
            }
            Err(error) => Err(error),
        };
        match kept {
            Ok((held, key)) => Ok(Unsealed {
                grants: self.grants,
                key: Arc::new(key),
                held: Mutex::new(held),
                wrong_tries_before: 0,
            }),
            Err(error) => {
                let _ = self.revoke().await;
                Err(error)
            }
        }
    }

    async fn sealed(&self, pin: &SecretString, extras: SealedExtras) -> Result<(Held, SealKey), SealError> {
        check_pin(pin).map_err(SealError::WeakPin)?;
        let State::Open { tokens, .. } = &self.stored.state else {
            return Err(SealError::NoGrant);
        };
        if self.stored.kind != GrantKind::Trade || self.stored.single {
            return Err(SealError::NoGrant);
        }
        let key = self.grants.new_key(pin).await?;
        let payload = Payload {
            tokens: tokens.clone(),
            extras,
        };
        let sealed = key.seal(&payload, &place(&self.stored)).map_err(no_seal)?;
        let grant = StoredGrant {
            state: State::Sealed(sealed),
            ..self.stored.clone()
        };
        Ok((Held { grant, payload }, key))
    }

    /// Puts it into the vault, then gives back what it replaced.
    async fn put(&self, new: StoredGrant) -> Result<(), TokenError> {
        let replaced = self.grants.update(move |contents| replace(contents, new)).await?;
        let also_read = if self.stored.single {
            GrantKind::Read
        } else {
            self.stored.kind
        };
        self.grants.forget(&[self.stored.kind, also_read]);
        for old in replaced {
            let _ = self.grants.revoke_tokens(&old).await;
        }
        Ok(())
    }

    /// Gives the grant back to the service; returns what it answered, in words.
    pub async fn revoke(self) -> String {
        in_words(&self.grants.revoke_tokens(&self.stored).await).to_owned()
    }
}

/// What became of tokens that were given back, as the end of a sentence.
pub(super) fn in_words(reports: &[TokenReport]) -> &'static str {
    if reports.iter().all(|report| report.answer.is_revoked()) {
        "it was revoked"
    } else {
        "it could not be revoked: revoke it on the service's page of AI clients"
    }
}

/// Puts a grant in the place of older ones; returns those whose tokens are to be given back: of another issuer or
/// another client. (Tokens of the same client are not revoked: a server may take the new grant with them.)
fn replace(contents: &mut Contents, new: StoredGrant) -> Vec<StoredGrant> {
    let mut gone = Vec::new();
    let mut kept = Vec::new();
    for mut old in std::mem::take(&mut contents.grants) {
        let here = old.endpoint == new.endpoint;
        let other_issuer = old.registration.issuer != new.registration.issuer;
        let in_its_place = old.kind == new.kind || (new.single && old.kind == GrantKind::Read);
        if here && (in_its_place || other_issuer) {
            gone.push(old);
            continue;
        }
        if here && new.kind == GrantKind::Read {
            old.single = false;
        }
        kept.push(old);
    }
    let client = new.registration.client_id.clone();
    if matches!(new.state, State::Sealed(_)) {
        contents.tries = Tries::default();
    }
    kept.push(new);
    contents.grants = kept;
    gone.retain(|old| old.registration.client_id != client);
    gone
}
