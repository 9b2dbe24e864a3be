//! A sign-in that waits: for the browser on the loopback address, or for a pasted address.
//!
//! Owns: the waiting and its end, the exchange of the code. Refuses to know: how the sign-in was begun, what a grant is
//! good for.

use super::attempt::{Attempt, PasteCheck, Verdict};
use super::callback::{Arrival, Doorway};
use super::contents::{State, StoredGrant};
use super::error::LoginError;
use super::grants::{GrantKind, Grants};
use super::new_grant::NewGrant;
use super::page::Page;
use super::secret::Bearer;
use super::token::{Issued, NoToken};
use crate::system::{FileLock, wall_ms};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long the person has for the consent page.
const LOGIN_LIMIT: Duration = Duration::from_secs(600);

/// A sign-in that waits for the person.
pub struct PendingLogin {
    /// The address to open in the browser. It holds no token, but `state` is for the person's browser only: not to
    /// be logged.
    pub url: String,
    pub(super) grants: Grants,
    pub(super) attempt: Arc<Attempt>,
    pub(super) doorway: Option<Doorway>,
    pub(super) lock: FileLock,
}

impl std::fmt::Debug for PendingLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingLogin")
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

impl PendingLogin {
    /// Whether the browser can come back by itself; else only a pasted address ends this sign-in.
    pub fn is_awaited(&self) -> bool {
        self.doorway.is_some()
    }

    /// The address to which the browser is sent at the end.
    pub fn redirect_url(&self) -> &str {
        &self.attempt.redirect
    }

    #[cfg(test)]
    pub(super) fn attempt_state(&self) -> String {
        self.attempt.state.expose_secret().to_owned()
    }

    /// What tells a right paste from a wrong one, for the prompt.
    pub fn paste_check(&self) -> PasteCheck {
        PasteCheck(self.attempt.clone())
    }

    /// Waits for the browser to come back, at most ten minutes.
    ///
    /// # Errors
    /// As [`LoginError`] says.
    pub async fn wait(self, stop: CancellationToken) -> Result<NewGrant, LoginError> {
        let (_kept_open, nothing) = mpsc::channel(1);
        self.wait_or_paste(stop, nothing).await
    }

    /// Ends the sign-in with the address that the person copied from the browser.
    ///
    /// # Errors
    /// [`LoginError::BadPaste`] for anything but the address of this sign-in; else as [`LoginError`] says.
    pub async fn paste(self, redirect_url: &str) -> Result<NewGrant, LoginError> {
        let query = self.attempt.pasted_query(redirect_url)?;
        match self.attempt.judge(query) {
            Verdict::NotOurs(reason) => Err(LoginError::BadPaste(reason.to_owned())),
            Verdict::Final(code) => self.finish(code?).await,
        }
    }

    /// Waits for the browser or for a pasted address, whichever comes first. Wrong pastes are passed over (see
    /// [`PasteCheck`]); a closed channel means that none will come.
    ///
    /// # Errors
    /// As [`LoginError`] says.
    pub async fn wait_or_paste(
        mut self,
        stop: CancellationToken,
        mut pastes: mpsc::Receiver<String>,
    ) -> Result<NewGrant, LoginError> {
        let mut doorway = self.doorway.take();
        let arrived = {
            let limit = tokio::time::sleep(LOGIN_LIMIT);
            tokio::pin!(limit);
            let browser = first_arrival(doorway.as_mut(), &self.attempt);
            tokio::pin!(browser);
            loop {
                tokio::select! {
                    arrival = &mut browser => break (arrival.code, Some(arrival.page)),
                    Some(paste) = pastes.recv() => {
                        let query = self.attempt.pasted_query(&paste);
                        if let Ok(Verdict::Final(code)) = query.map(|query| self.attempt.judge(query)) {
                            break (code, None);
                        }
                    }
                    () = stop.cancelled() => return Err(LoginError::Stopped),
                    () = &mut limit => return Err(LoginError::TimedOut(LOGIN_LIMIT)),
                }
            }
        };
        let (code, page) = arrived;
        let attempt = self.attempt.clone();
        let result = match code {
            Ok(code) => self.finish(code).await,
            Err(error) => self.failed(error).await,
        };
        if let Some(page) = page {
            let _ = page.send(match &result {
                Ok(_) => Page::granted(attempt.kind, attempt.single, &attempt.registration.client_name),
                Err(error) => Page::ended(error, attempt.kind),
            });
        }
        if let Some(doorway) = doorway {
            doorway.close().await;
        }
        result
    }

    /// Forgets a registration that the server refused, so that the next sign-in registers anew.
    async fn failed(self, error: LoginError) -> Result<NewGrant, LoginError> {
        if error == LoginError::Again {
            self.grants.discard(&self.attempt.registration).await?;
        }
        Err(error)
    }

    /// On a task of its own: a caller that goes away must not leave tokens behind that nobody can revoke.
    async fn finish(self, code: SecretString) -> Result<NewGrant, LoginError> {
        let tasks = self.grants.inner.tasks.clone();
        let cut = |_| Err(LoginError::Network("the sign-in was cut off".to_owned()));
        tasks.spawn(self.exchange(code)).await.unwrap_or_else(cut)
    }

    async fn exchange(self, code: SecretString) -> Result<NewGrant, LoginError> {
        let attempt = &self.attempt;
        let stored = StoredGrant {
            endpoint: attempt.endpoint.clone(),
            kind: attempt.kind,
            single: attempt.single,
            resource: attempt.resource.clone(),
            registration: attempt.registration.clone(),
            token_endpoint: attempt.token_endpoint.clone(),
            revocation_endpoint: attempt.revocation_endpoint.clone(),
            scope: None,
            granted_at_ms: Some(wall_ms()),
            state: State::Withdrawn(String::new()),
        };
        let desk = self.grants.desk(&stored);
        let issued = desk
            .exchange(
                code.expose_secret(),
                &attempt.redirect,
                attempt.verifier.expose_secret(),
            )
            .await;
        let issued = match issued {
            Ok(issued) => issued,
            Err(refusal) => return self.failed(no_grant(refusal)).await,
        };
        let Issued { tokens, scope } = issued;
        let bearer = Bearer::of(&tokens.access);
        let verdict = judge_scope(attempt.kind, scope.as_deref());
        let stored = StoredGrant {
            scope,
            state: State::Open {
                tokens,
                spending_since_ms: None,
            },
            ..stored
        };
        let grant = NewGrant {
            grants: self.grants,
            stored,
            bearer,
            lock: self.lock,
        };
        match verdict {
            Ok(()) => Ok(grant),
            Err(reason) => {
                let answer = grant.revoke().await;
                Err(LoginError::WrongScope(format!("{reason}; {answer}")))
            }
        }
    }
}

async fn first_arrival(doorway: Option<&mut Doorway>, attempt: &Arc<Attempt>) -> Arrival {
    match doorway {
        Some(doorway) => doorway.first(attempt).await,
        None => std::future::pending().await,
    }
}

/// Read: exactly `mcp:read`, so that its token cannot trade (DESIGN §2 fact 1). Trade: with `mcp:trade`.
fn judge_scope(kind: GrantKind, scope: Option<&str>) -> Result<(), String> {
    let Some(scope) = scope else { return Ok(()) };
    let scopes: Vec<&str> = scope.split_ascii_whitespace().collect();
    match kind {
        GrantKind::Read if scopes != ["mcp:read"] => Err(
            "the service granted more or other than reading (mcp:read), so the read grant was not accepted; choose \
             reading on the consent page"
                .to_owned(),
        ),
        GrantKind::Trade if !scopes.contains(&"mcp:trade") => Err(
            "the service did not grant trading (mcp:trade), so the trade grant was not accepted; choose trading on \
             the consent page"
                .to_owned(),
        ),
        GrantKind::Read | GrantKind::Trade | GrantKind::Plain => Ok(()),
    }
}

fn no_grant(refusal: NoToken) -> LoginError {
    match refusal {
        NoToken::InvalidClient => LoginError::Again,
        NoToken::InvalidGrant => LoginError::Service("the code was not accepted: try again".to_owned()),
        NoToken::WrongPlan => LoginError::WrongPlan,
        NoToken::Refused(code) if code == "invalid_scope" => LoginError::InvalidScope(String::new()),
        NoToken::Refused(code) => LoginError::Service(code),
        NoToken::Network(reason) => LoginError::Network(reason),
    }
}
