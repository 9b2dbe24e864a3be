//! Putting the trade grant under a PIN, and under another PIN.
//!
//! Owns: the renewal that comes before sealing, the one change of the vault by which the grant goes under a PIN or
//! from one PIN to another, sealed tokens that could not be saved. Refuses to know: who types the PIN, the digests that
//! lie under the seal with the tokens.
//!
//! Between two PINs the tokens never lie open in the vault. A copy of the vault that was made before still holds the
//! old refresh token: hence the renewal, after which a service that replaces refresh tokens takes the old one from
//! nobody. Where that is not to be had, the seal is made all the same and [`SealReport`] says so.

use super::contents::{State, StoredGrant, Tries};
use super::error::{ResealError, SealError, TokenError, UnsealError};
use super::grants::{GrantKind, Grants, Unsaved};
use super::pin;
use super::refresh::{ended_by, holds};
use super::seal::{Payload, Sealed, SealedExtras};
use super::token::{Issued, Tokens};
use super::unsealed::{LOCK_LIMIT, no_seal, place, trade_grant};
use crate::system::wall_ms;
use secrecy::SecretString;
use std::sync::PoisonError;
use std::time::Duration;

/// How often saving is tried where it costs the grant to give up, and how long between: a disk that is full for a
/// moment is waited for.
const SAVES: u32 = 5;
const BETWEEN_SAVES: Duration = Duration::from_millis(250);

/// What sealing did beside sealing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SealReport {
    /// Why copies of the tokens that were made before (a backup of the vault) may still be good; `None` where the
    /// service has replaced the refresh token.
    pub not_renewed: Option<String>,
    /// How many wrong PINs were tried since the last right one; 0 for a first seal.
    pub wrong_tries_before: u32,
}

/// A renewed box that is to take the place of another. It is sealed here too.
pub(super) struct UnsavedSeal {
    was: Sealed,
    now: Sealed,
}

/// Tokens as they go under the seal.
struct Freshened {
    issued: Issued,
    not_renewed: Option<String>,
}

impl Grants {
    /// Seals the trade grant under a PIN; takes about a second and a request.
    ///
    /// # Errors
    /// As [`SealError`] says; the grant is then open as before, unless the service has ended it.
    pub async fn seal(&self, pin: &SecretString, extras: SealedExtras) -> Result<SealReport, SealError> {
        pin::check_pin(pin).map_err(SealError::WeakPin)?;
        let (grants, pin) = (self.clone(), pin.clone());
        let cut = |_| Err(TokenError::Busy("sealing was cut off".to_owned()).into());
        let sealing = async move { grants.seal_in_turn(&pin, extras).await };
        self.inner.tasks.spawn(sealing).await.unwrap_or_else(cut)
    }

    async fn seal_in_turn(&self, pin: &SecretString, extras: SealedExtras) -> Result<SealReport, SealError> {
        let _lock = self.refresh_lock(GrantKind::Trade, LOCK_LIMIT).await?;
        self.save_unsaved(GrantKind::Trade).await?;
        let contents = self.contents().await?;
        let grant = trade_grant(&contents, self.inner.endpoint.url()).ok_or(SealError::NoGrant)?;
        let old = match &grant.state {
            State::Open { tokens, .. } => tokens.clone(),
            State::Sealed(_) => return Err(SealError::AlreadySealed),
            State::Withdrawn(reason) => return Err(TokenError::Withdrawn(reason.clone()).into()),
        };
        // All that takes long or can fail comes before the refresh token is spent.
        let key = self.new_key(pin).await?;
        if let Some(refresh) = &old.refresh {
            self.mark_spending(GrantKind::Trade, refresh, wall_ms()).await?;
        }
        let fresh = match self.freshened(grant, &old).await {
            Ok(fresh) => fresh,
            Err(reason) => {
                self.withdraw(GrantKind::Trade, &old.access, reason).await?;
                return Err(changed().into());
            }
        };
        let Issued { tokens, scope } = fresh.issued;
        let payload = Payload { tokens, extras };
        let sealed = key.seal(&payload, &place(grant)).map_err(no_seal)?;
        if let Err(error) = self.put_under_seal(&old, sealed, scope).await {
            self.remember_unsaved(&old, payload.tokens);
            return Err(error.into());
        }
        self.forget(&[GrantKind::Read, GrantKind::Trade]);
        Ok(SealReport {
            not_renewed: fresh.not_renewed,
            wrong_tries_before: 0,
        })
    }

    /// Takes the trade grant from one PIN to another in one change of the vault; it is never open in between. Takes
    /// about two seconds and a request. What lay under the old PIN with the tokens stays, but for these `extras`.
    ///
    /// # Errors
    /// As [`ResealError`] says; the old PIN then still holds, unless the service has ended the grant. Wrong tries are
    /// counted as those of [`Self::unseal`].
    pub async fn reseal(
        &self,
        old: &SecretString,
        new: &SecretString,
        extras: SealedExtras,
    ) -> Result<SealReport, ResealError> {
        pin::check_pin(new).map_err(ResealError::WeakPin)?;
        let (grants, old, new) = (self.clone(), old.clone(), new.clone());
        let cut = |_| Err(UnsealError::from(TokenError::Busy("sealing was cut off".to_owned())).into());
        let sealing = async move { grants.reseal_in_turn(&old, &new, extras).await };
        let done = self
            .inner
            .tasks
            .spawn(async move { sealing.await.map_err(ResealError::from) });
        done.await.unwrap_or_else(cut)
    }

    async fn reseal_in_turn(
        &self,
        old: &SecretString,
        new: &SecretString,
        extras: SealedExtras,
    ) -> Result<SealReport, UnsealError> {
        let _lock = self.refresh_lock(GrantKind::Trade, LOCK_LIMIT).await?;
        let opened = self.open_seal(old).await?;
        let new_key = self.new_key(new).await?;
        let fresh = match self.freshened(&opened.grant, &opened.payload.tokens).await {
            Ok(fresh) => fresh,
            Err(reason) => return Err(self.withdraw_sealed(opened.sealed, reason).await.into()),
        };
        let tokens = fresh.issued.tokens;
        let under = |key: &super::seal::SealKey, extras| {
            let payload = Payload {
                tokens: tokens.clone(),
                extras,
            };
            key.seal(&payload, &place(&opened.grant)).map_err(no_seal)
        };
        let mut kept = opened.payload.extras.clone();
        kept.extend(extras);
        let now = under(&new_key, kept)?;
        if let Err(error) = self.swap_patiently(&opened.sealed, &now).await {
            // The person is told that the old PIN holds: so it does for the tokens that could not be saved.
            if fresh.not_renewed.is_none() {
                let now = under(&opened.key, opened.payload.extras.clone())?;
                self.remember_unsaved_seal(opened.sealed, now);
            }
            return Err(error.into());
        }
        self.forget(&[GrantKind::Read, GrantKind::Trade]);
        Ok(SealReport {
            not_renewed: fresh.not_renewed,
            wrong_tries_before: opened.wrong_tries_before,
        })
    }

    /// Renews before sealing; where that cannot be had now, the tokens as they are, with the reason.
    ///
    /// # Errors
    /// Why the service has ended the grant.
    async fn freshened(&self, grant: &StoredGrant, old: &Tokens) -> Result<Freshened, &'static str> {
        let as_it_is = |why: String| {
            tracing::warn!(why, "the trade grant is sealed without being renewed first");
            Freshened {
                issued: Issued {
                    tokens: old.clone(),
                    scope: None,
                },
                not_renewed: Some(why),
            }
        };
        let Some(refresh) = &old.refresh else {
            return Ok(as_it_is("the service gave no means to renew it".to_owned()));
        };
        match self.desk(grant).refresh(refresh).await {
            Ok(issued) => Ok(Freshened {
                not_renewed: holds(&issued.tokens, refresh)
                    .then(|| "the service does not replace refresh tokens".to_owned()),
                issued,
            }),
            Err(refusal) => ended_by(refusal).map_or_else(|why| Ok(as_it_is(why)), Err),
        }
    }

    /// Sealed in the place of what lay open; nothing else is changed where that has changed.
    async fn put_under_seal(
        &self,
        old: &Tokens,
        sealed: Sealed,
        scope: Option<String>,
    ) -> Result<(), TokenError> {
        let done = patiently(|| {
            let (endpoint, was) = (self.inner.endpoint.url().to_owned(), old.access.clone());
            let (sealed, scope) = (sealed.clone(), scope.clone());
            self.update(move |contents| {
                let Some(grant) = contents.grant_mut(&endpoint, GrantKind::Trade) else {
                    return false;
                };
                let same = matches!(&grant.state, State::Open { tokens, .. } if tokens.access.same_as(&was));
                if same {
                    grant.state = State::Sealed(sealed.clone());
                    grant.scope = scope.or(grant.scope.take());
                    contents.tries = Tries::default();
                }
                // An earlier try may have got through without being confirmed.
                same || holds_box(grant_state(contents, &endpoint), &sealed)
            })
        });
        if done.await? { Ok(()) } else { Err(changed()) }
    }

    /// Puts a box in the place of another and forgets wrong tries, if the other is still there.
    async fn swap_patiently(&self, was: &Sealed, now: &Sealed) -> Result<(), TokenError> {
        patiently(|| self.swap_seal(was.clone(), now.clone(), true)).await
    }

    /// Puts a box in the place of another, if that is still there.
    ///
    /// # Errors
    /// [`TokenError::Busy`] where something else is there by now; [`TokenError::Store`].
    pub(super) async fn swap_seal(
        &self,
        was: Sealed,
        now: Sealed,
        forget_tries: bool,
    ) -> Result<(), TokenError> {
        let endpoint = self.inner.endpoint.url().to_owned();
        let done = self.update(move |contents| {
            let Some(grant) = contents.grant_mut(&endpoint, GrantKind::Trade) else {
                return false;
            };
            let ours = holds_box(Some(&grant.state), &was) || holds_box(Some(&grant.state), &now);
            if ours {
                grant.state = State::Sealed(now);
                if forget_tries {
                    contents.tries = Tries::default();
                }
            }
            ours
        });
        if done.await? { Ok(()) } else { Err(changed()) }
    }

    /// Saves a box whose tokens replace spent ones. Where that fails it is kept in memory, unused, and saved first of
    /// all next time: its refresh token is the only good one now.
    pub(super) async fn save_renewed_seal(&self, was: Sealed, now: Sealed) -> Result<(), TokenError> {
        let saved = patiently(|| self.swap_seal(was.clone(), now.clone(), false)).await;
        if matches!(saved, Err(TokenError::Store(_))) {
            self.remember_unsaved_seal(was, now);
        }
        saved
    }

    /// Under the refresh lock: saves the box that an earlier renewal could not save.
    pub(super) async fn save_unsaved_seal(&self) -> Result<(), TokenError> {
        let unsaved = {
            let unsaved = self
                .inner
                .unsaved_seal
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            unsaved
                .as_ref()
                .map(|unsaved| (unsaved.was.clone(), unsaved.now.clone()))
        };
        let Some((was, now)) = unsaved else { return Ok(()) };
        match self.swap_seal(was, now, false).await {
            // Another sign-in or another seal is there by now: what was not saved is of no use any more.
            Ok(()) | Err(TokenError::Busy(_)) => {}
            Err(error) => return Err(error),
        }
        *self
            .inner
            .unsaved_seal
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    fn remember_unsaved_seal(&self, was: Sealed, now: Sealed) {
        let mut unsaved = self
            .inner
            .unsaved_seal
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *unsaved = Some(UnsavedSeal { was, now });
    }

    /// The grant stays open where the seal could not be saved, with the tokens that the service knows now.
    fn remember_unsaved(&self, old: &Tokens, tokens: Tokens) {
        let Some(spent) = old.refresh.clone() else { return };
        let mut unsaved = self.inner.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
        unsaved.insert(GrantKind::Trade, Unsaved { spent, tokens });
    }

    /// The service has ended a sealed grant.
    pub(super) async fn withdraw_sealed(&self, was: Sealed, reason: &str) -> TokenError {
        let (endpoint, told) = (self.inner.endpoint.url().to_owned(), reason.to_owned());
        let saved = self.update(move |contents| {
            if let Some(grant) = contents.grant_mut(&endpoint, GrantKind::Trade)
                && holds_box(Some(&grant.state), &was)
            {
                grant.state = State::Withdrawn(told);
            }
        });
        tracing::warn!(kind = "trade", reason, "access was withdrawn");
        match saved.await {
            Ok(()) => TokenError::Withdrawn(reason.to_owned()),
            Err(error) => error,
        }
    }
}

/// Tries again where the vault cannot be used, a few times.
async fn patiently<T, F>(save: impl Fn() -> F) -> Result<T, TokenError>
where
    F: Future<Output = Result<T, TokenError>>,
{
    let mut left = SAVES;
    loop {
        left = left.saturating_sub(1);
        match save().await {
            Err(TokenError::Store(_)) if left > 0 => tokio::time::sleep(BETWEEN_SAVES).await,
            result => return result,
        }
    }
}

fn grant_state<'c>(contents: &'c super::contents::Contents, endpoint: &str) -> Option<&'c State> {
    trade_grant(contents, endpoint).map(|grant| &grant.state)
}

fn holds_box(state: Option<&State>, sealed: &Sealed) -> bool {
    matches!(state, Some(State::Sealed(there)) if there == sealed)
}

fn changed() -> TokenError {
    TokenError::Busy("the trade grant was changed by another process".to_owned())
}
