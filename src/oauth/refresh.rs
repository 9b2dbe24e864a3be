//! Giving out tokens and renewing them: one refresher per grant over all processes.
//!
//! Owns: the order in-process single flight → file lock → read the vault again → trial write → refresh → save and
//! sync → use. Refuses to know: who signs in, what a token is used for.
//!
//! A renewal runs on a task of its own: a caller that goes away does not take a rotated token with it.

use super::contents::{State, StoredGrant};
use super::error::TokenError;
use super::grants::{GrantKind, Grants, Unsaved};
use super::new_grant::in_words;
use super::secret::{Bearer, Token};
use super::token::{Desk, NoToken, Tokens};
use crate::system::{FileLock, mono_ms, wall_ms};
use std::sync::PoisonError;
use std::time::Duration;

/// How long to wait for another process's renewal: its request may take 30 s.
const LOCK_LIMIT: Duration = Duration::from_secs(45);
/// How long after a failed renewal no other is tried by this process.
const PAUSE_MS: u64 = 1000;
/// A token that is refused this soon after it was got is fresh: renewing will hardly help.
const FRESH_MS: u64 = 60_000;

impl Grants {
    /// A token for this lane: from memory, else from the vault; renewed where it runs out within 30 s.
    ///
    /// # Errors
    /// As [`TokenError`] says; never opens a browser.
    pub async fn bearer(&self, kind: GrantKind) -> Result<Bearer, TokenError> {
        self.obtain(kind, None).await
    }

    /// A token for this lane after a 401 that refused another one.
    ///
    /// # Errors
    /// [`TokenError::Refused`] where fresh tokens were refused twice; else as [`Self::bearer`].
    pub async fn renew(&self, kind: GrantKind, refused: &Bearer) -> Result<Bearer, TokenError> {
        self.obtain(kind, Some(refused.clone())).await
    }

    async fn obtain(&self, kind: GrantKind, refused: Option<Bearer>) -> Result<Bearer, TokenError> {
        if let Some(bearer) = self.remembered(kind, refused.as_ref()) {
            return Ok(bearer);
        }
        let grants = self.clone();
        let renewal = async move { grants.obtain_in_turn(kind, refused.as_ref()).await };
        let cut = |_| Err(TokenError::Busy("the renewal of access was cut off".to_owned()));
        self.inner.tasks.spawn(renewal).await.unwrap_or_else(cut)
    }

    async fn obtain_in_turn(&self, kind: GrantKind, refused: Option<&Bearer>) -> Result<Bearer, TokenError> {
        let _turn = self.inner.flight(kind).lock().await;
        if let Some(bearer) = self.remembered(kind, refused) {
            return Ok(bearer);
        }
        let (grant, tokens) = self.open_grant(kind).await?;
        if serves(&tokens, refused) {
            return Ok(self.remember(kind, &tokens));
        }
        // A token that is merely near its end still serves when another process is renewing it right now.
        let can_wait = refused.is_some() || !tokens.alive(wall_ms());
        let limit = if can_wait { LOCK_LIMIT } else { Duration::ZERO };
        let _lock = match self.refresh_lock(grant.kind, limit).await {
            Err(TokenError::Busy(_)) if !can_wait => return Ok(self.remember(kind, &tokens)),
            lock => lock?,
        };
        self.save_unsaved(grant.kind).await?;
        let (grant, tokens) = self.open_grant(kind).await?;
        if serves(&tokens, refused) {
            return Ok(self.remember(kind, &tokens));
        }
        self.not_paused(grant.kind)?;
        let renewed = self.renew_tokens(&grant, &tokens, refused).await?;
        Ok(self.remember(kind, &renewed))
    }

    /// The lock over all processes under which a refresh token may be spent.
    pub(super) async fn refresh_lock(
        &self,
        kind: GrantKind,
        limit: Duration,
    ) -> Result<FileLock, TokenError> {
        FileLock::take(&self.inner.refresh_lock(kind), limit)
            .await
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::TimedOut => {
                    TokenError::Busy("another process is renewing the access".to_owned())
                }
                _ => TokenError::Store(format!("the state folder cannot be used: {error}")),
            })
    }

    /// The grant and its tokens as the vault has them now.
    async fn open_grant(&self, kind: GrantKind) -> Result<(StoredGrant, Tokens), TokenError> {
        let contents = self.contents().await?;
        let grant = contents
            .grant(self.inner.endpoint.url(), kind)
            .ok_or(TokenError::NotSignedIn)?;
        match &grant.state {
            State::Open { tokens, .. } => Ok((grant.clone(), tokens.clone())),
            State::Sealed(_) => Err(TokenError::Sealed),
            State::Withdrawn(reason) => Err(TokenError::Withdrawn(reason.clone())),
        }
    }

    /// Under the refresh lock: spends the refresh token, saves what comes, and only then returns it.
    async fn renew_tokens(
        &self,
        grant: &StoredGrant,
        tokens: &Tokens,
        refused: Option<&Bearer>,
    ) -> Result<Tokens, TokenError> {
        let now_ms = wall_ms();
        let refused_alive = refused.is_some_and(|refused| refused.is(&tokens.access)) && tokens.alive(now_ms);
        let refused_fresh = refused_alive && now_ms.saturating_sub(tokens.obtained_at_ms) < FRESH_MS;
        if refused_fresh && tokens.refused_fresh > 0 {
            return Err(self.refused());
        }
        let Some(refresh) = &tokens.refresh else {
            if !refused_alive {
                return Err(TokenError::NotSignedIn);
            }
            let reason = "the service refused the token and gave no means to renew it";
            return self.withdraw(grant.kind, &tokens.access, reason).await;
        };
        self.mark_spending(grant.kind, refresh, now_ms).await?;
        match self.desk(grant).refresh(refresh).await {
            Ok(issued) if grant.kind == GrantKind::Read && wider(issued.scope.as_deref()) => {
                self.give_back(grant, &tokens.access, &issued.tokens).await
            }
            Ok(issued) => {
                let mut renewed = issued.tokens;
                renewed.refused_fresh = if refused_fresh {
                    tokens.refused_fresh.saturating_add(1)
                } else {
                    0
                };
                tracing::info!(kind = grant.kind.as_str(), "access was renewed");
                self.save_renewed(grant.kind, refresh, renewed, issued.scope)
                    .await
            }
            Err(refusal) => match ended_by(refusal) {
                Ok(reason) => self.withdraw(grant.kind, &tokens.access, reason).await,
                Err(_) if refused.is_none() && tokens.alive(wall_ms()) => Ok(tokens.clone()),
                Err(reason) => Err(self.pause(grant.kind, reason)),
            },
        }
    }

    /// A read grant whose renewal came back with another scope: its token could trade (DESIGN §2, fact 1). Given back
    /// before the vault forgets the old one, so that no token is left that nobody knows of.
    async fn give_back(
        &self,
        grant: &StoredGrant,
        old: &Token,
        renewed: &Tokens,
    ) -> Result<Tokens, TokenError> {
        let reports = self.revoke_both(grant, renewed).await;
        let reason = format!(
            "the service renewed the read grant with another scope than mcp:read; {}",
            in_words(&reports)
        );
        self.withdraw(grant.kind, old, &reason).await
    }

    /// Whoever waited in turn for a renewal that failed gets the same answer, instead of waiting once more each.
    fn pause(&self, kind: GrantKind, reason: String) -> TokenError {
        let until = mono_ms().saturating_add(PAUSE_MS);
        let mut pauses = self.inner.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.insert(kind, (until, reason.clone()));
        TokenError::Network(reason)
    }

    fn not_paused(&self, kind: GrantKind) -> Result<(), TokenError> {
        let pauses = self.inner.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        match pauses.get(&kind) {
            Some((until, reason)) if mono_ms() < *until => Err(TokenError::Network(reason.clone())),
            _ => Ok(()),
        }
    }

    pub(super) fn desk<'a>(&'a self, grant: &'a StoredGrant) -> Desk<'a> {
        let inner = &self.inner;
        Desk::of(
            &inner.http,
            &inner.endpoint,
            &grant.token_endpoint,
            &grant.registration,
            &grant.resource,
        )
    }

    pub(super) fn refused(&self) -> TokenError {
        TokenError::Refused(format!(
            "{} refuses even fresh access tokens: check the address, then run `countersign logout` and \
             `countersign login`",
            self.inner.endpoint.host()
        ))
    }

    /// A trial write before the refresh token is spent: a full disk or a read-only folder is found while nothing is
    /// lost yet.
    async fn mark_spending(&self, kind: GrantKind, refresh: &Token, now_ms: u64) -> Result<(), TokenError> {
        let (endpoint, refresh) = (self.inner.endpoint.url().to_owned(), refresh.clone());
        self.update(move |contents| {
            let state = contents.grant_mut(&endpoint, kind).map(|grant| &mut grant.state);
            if let Some(State::Open {
                tokens,
                spending_since_ms,
            }) = state
                && holds(tokens, &refresh)
            {
                *spending_since_ms = Some(now_ms);
            }
        })
        .await
    }

    /// Saves renewed tokens in the place of those that were spent. Where that fails they are kept in memory, unused,
    /// and saved first of all next time: their refresh token is the only good one now.
    async fn save_renewed(
        &self,
        kind: GrantKind,
        spent: &Token,
        tokens: Tokens,
        scope: Option<String>,
    ) -> Result<Tokens, TokenError> {
        let unsaved = Unsaved {
            spent: spent.clone(),
            tokens: tokens.clone(),
        };
        self.inner
            .unsaved
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(kind, unsaved);
        self.save_unsaved(kind).await?;
        if scope.is_some() {
            let endpoint = self.inner.endpoint.url().to_owned();
            let saved = self.update(move |contents| {
                if let Some(grant) = contents.grant_mut(&endpoint, kind) {
                    grant.scope = scope;
                }
            });
            // The scope is told to the person only; the tokens are safe already.
            let _ = saved.await;
        }
        Ok(tokens)
    }

    /// Saves tokens that an earlier renewal could not save.
    async fn save_unsaved(&self, kind: GrantKind) -> Result<(), TokenError> {
        let (spent, tokens) = {
            let unsaved = self.inner.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(unsaved) = unsaved.get(&kind) else {
                return Ok(());
            };
            (unsaved.spent.clone(), unsaved.tokens.clone())
        };
        let endpoint = self.inner.endpoint.url().to_owned();
        self.update(move |contents| {
            let state = contents.grant_mut(&endpoint, kind).map(|grant| &mut grant.state);
            if let Some(State::Open {
                tokens: old,
                spending_since_ms,
            }) = state
                && holds(old, &spent)
            {
                *old = tokens;
                *spending_since_ms = None;
            }
        })
        .await?;
        self.inner
            .unsaved
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&kind);
        Ok(())
    }

    /// The service has ended the grant: the tokens go, if they are still the ones that were refused; a sign-in that
    /// was finished in the meantime stays.
    async fn withdraw(&self, kind: GrantKind, access: &Token, reason: &str) -> Result<Tokens, TokenError> {
        let (endpoint, access, told) = (
            self.inner.endpoint.url().to_owned(),
            access.clone(),
            reason.to_owned(),
        );
        let newer = self
            .update(move |contents| {
                let grant = contents.grant_mut(&endpoint, kind)?;
                let State::Open { tokens, .. } = &grant.state else {
                    return None;
                };
                if !tokens.access.same_as(&access) {
                    return Some(tokens.clone());
                }
                grant.state = State::Withdrawn(told);
                None
            })
            .await?;
        tracing::warn!(kind = kind.as_str(), reason, "access was withdrawn");
        newer.ok_or_else(|| TokenError::Withdrawn(reason.to_owned()))
    }
}

/// Whether these tokens can be given out now, after that refusal.
fn serves(tokens: &Tokens, refused: Option<&Bearer>) -> bool {
    tokens.usable(wall_ms()) && refused.is_none_or(|refused| !refused.is(&tokens.access))
}

fn holds(tokens: &Tokens, refresh: &Token) -> bool {
    tokens.refresh.as_ref().is_some_and(|ours| ours.same_as(refresh))
}

/// Whether a renewed read grant has any other scope than the one it may have. No word of it means: as before (RFC
/// 6749 section 6).
fn wider(scope: Option<&str>) -> bool {
    scope.is_some_and(|scope| !scope.split_ascii_whitespace().eq(["mcp:read"]))
}

/// In words, why a refused refresh ended the grant.
///
/// # Errors
/// Where it did not, with what to tell: the tokens stay.
pub(super) fn ended_by(refusal: NoToken) -> Result<&'static str, String> {
    match refusal {
        NoToken::InvalidGrant => Ok("the service no longer accepts this sign-in: it was revoked or ran out"),
        NoToken::InvalidClient => Ok("the service no longer knows this program's registration"),
        NoToken::WrongPlan => Ok("the CrossTrade plan does not include MCP any more"),
        NoToken::Refused(code) => Err(format!("it does not renew the access: {code}")),
        NoToken::Network(reason) => Err(reason),
    }
}
