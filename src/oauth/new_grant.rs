//! A grant that was just issued: looked at by the caller, then kept or given back.
//!
//! Owns: what a new grant replaces. Refuses to know: how it was got.

use super::contents::{Contents, State, StoredGrant};
use super::error::TokenError;
use super::grants::{GrantKind, Grants};
use super::logout::TokenReport;
use super::secret::Bearer;
use crate::system::FileLock;

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
        let Self { grants, stored, .. } = &self;
        let new = stored.clone();
        let kept = grants.update(move |contents| replace(contents, new)).await;
        let replaced = match kept {
            Ok(replaced) => replaced,
            Err(error) => {
                let _ = self.revoke().await;
                return Err(error);
            }
        };
        let also_read = if stored.single {
            GrantKind::Read
        } else {
            stored.kind
        };
        grants.forget(&[stored.kind, also_read]);
        if let State::Open { tokens, .. } = &stored.state {
            grants.remember(stored.kind, tokens);
        }
        for old in replaced {
            let _ = grants.revoke_tokens(&old).await;
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
    kept.push(new);
    contents.grants = kept;
    gone.retain(|old| old.registration.client_id != client);
    gone
}
