//! The sign-in at a server that asks for one: the person is asked in the browser, and the request that needed it waits.

use crate::oauth::{Bearer, GrantKind, Grants, LoginError, LoginRequest, TokenError};
use crate::system::{Env, browser, machine};
use crate::upstream::{Challenged, Failure, Keys};
use crate::wire::headers::challenges;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a request waits for the person in the browser: less than the 60 s after which many clients give it up.
const WAIT: Duration = Duration::from_secs(50);
/// How long another process's sign-in is waited for: a little longer than one may last.
const OTHERS: Duration = Duration::from_secs(620);
/// How often one request may lead to the consent page: a server that always wants more scope is stopped here.
const ROUNDS: u32 = 2;

/// Why there is no token.
enum NotSignedIn {
    /// The person was asked, and it did not end in a grant.
    Ended(String),
    /// It may go better the next time, or is not over yet.
    Passing(Failure),
}

/// The plain profile's keys.
pub(super) struct PlainKeys {
    grants: Grants,
    env: Env,
    headers: HeaderMap,
    ending: CancellationToken,
    /// Whether a challenge has come, so that there may be a token: most servers on this computer never ask.
    may_have: AtomicBool,
    /// One sign-in at a time. A sign-in that did not end in a grant is not begun again by itself: a client that repeats
    /// its requests must not open window after window in front of the person.
    turn: tokio::sync::Mutex<Option<String>>,
}

impl PlainKeys {
    pub(super) fn new(grants: Grants, env: Env, headers: HeaderMap, ending: CancellationToken) -> Self {
        Self {
            grants,
            env,
            headers,
            ending,
            may_have: AtomicBool::new(true),
            turn: tokio::sync::Mutex::default(),
        }
    }

    async fn known(&self) -> Result<Option<Bearer>, Failure> {
        if !self.may_have.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match self.grants.bearer(GrantKind::Plain).await {
            Ok(bearer) => Ok(Some(bearer)),
            Err(TokenError::NotSignedIn) => {
                self.may_have.store(false, Ordering::Relaxed);
                Ok(None)
            }
            Err(error) => Err(Failure::Token(error)),
        }
    }

    async fn answer(&self, challenged: Challenged) -> Result<Option<Bearer>, Failure> {
        // A token that the person gave in a header is theirs to change.
        if self.headers.contains_key(AUTHORIZATION) || challenged.round >= ROUNDS {
            return Ok(None);
        }
        let more_scope = challenged.status == StatusCode::FORBIDDEN;
        if more_scope && !wants_more_scope(&challenged.challenge) {
            return Ok(None);
        }
        let mut turn = self.turn.lock().await;
        self.may_have.store(true, Ordering::Relaxed);
        // Another request, or another process, may have signed in while this one waited for its turn.
        match (&challenged.refused, self.known().await) {
            (Some(refused), Ok(Some(now))) if refused.same_as(&now) => {}
            (_, Ok(Some(now))) => return Ok(Some(now)),
            (_, Ok(None)) => {}
            (_, Err(failure)) => return Err(failure),
        }
        if !more_scope && let Some(refused) = challenged.refused.as_ref().filter(|_| challenged.round == 0) {
            match self.grants.renew(GrantKind::Plain, refused).await {
                Ok(bearer) => return Ok(Some(bearer)),
                // It ran out and cannot be renewed. What the server ended is the person's to begin again (see below).
                Err(TokenError::NotSignedIn) => {}
                Err(error) => return Err(Failure::Token(error)),
            }
        }
        if let Some(why) = &*turn {
            return Err(Failure::SignIn(format!(
                "{why}. Restart this server in your AI client to be asked again"
            )));
        }
        match self.sign_in(challenged.challenge).await {
            Ok(bearer) => Ok(Some(bearer)),
            Err(NotSignedIn::Ended(why)) => {
                *turn = Some(why.clone());
                Err(Failure::SignIn(why))
            }
            Err(NotSignedIn::Passing(failure)) => Err(failure),
        }
    }

    /// Asks the person in the browser and waits for them.
    async fn sign_in(&self, challenge: String) -> Result<Bearer, NotSignedIn> {
        let request = LoginRequest {
            kind: GrantKind::Plain,
            challenge: Some(challenge),
            single_grant: false,
            host_name: machine::host_name(),
        };
        let pending = match self.grants.begin_login(request).await {
            Ok(pending) => pending,
            Err(LoginError::Elsewhere) => {
                let other = self.grants.after_other_login(GrantKind::Plain, OTHERS.min(WAIT));
                return other
                    .await
                    .map_err(|error| NotSignedIn::Passing(Failure::Token(error)));
            }
            Err(error) => return Err(NotSignedIn::Passing(Failure::SignIn(error.to_string()))),
        };
        let url = pending.url.clone();
        if let Err(error) = browser::open(&url, &self.env).await {
            tracing::warn!(%error, "no browser could be opened for the sign-in");
        }
        let ending = self.ending.clone();
        // It goes on where the request gives up waiting: the person may be in the middle of it.
        let finished = tokio::spawn(async move {
            let grant = pending.wait(ending).await.map_err(|error| error.to_string())?;
            let bearer = grant.bearer().clone();
            grant.keep().await.map_err(|error| error.to_string())?;
            Ok::<_, String>(bearer)
        });
        match tokio::time::timeout(WAIT, finished).await {
            Ok(Ok(Ok(bearer))) => Ok(bearer),
            Ok(Ok(Err(why))) => Err(NotSignedIn::Ended(why)),
            Ok(Err(_)) => Err(NotSignedIn::Passing(Failure::SignIn(
                "the sign-in was cut off".to_owned(),
            ))),
            Err(_) => Err(NotSignedIn::Passing(Failure::SignIn(format!(
                "sign in in the browser first, then ask again: {url}"
            )))),
        }
    }
}

impl Keys for PlainKeys {
    fn bearer(&self) -> BoxFuture<'_, Result<Option<Bearer>, Failure>> {
        self.known().boxed()
    }

    fn after(&self, challenged: Challenged) -> BoxFuture<'_, Result<Option<Bearer>, Failure>> {
        self.answer(challenged).boxed()
    }

    fn headers(&self) -> Option<&HeaderMap> {
        Some(&self.headers)
    }
}

/// RFC 6750 section 3.1.
fn wants_more_scope(challenge: &str) -> bool {
    challenges(challenge)
        .iter()
        .any(|one| one.scheme == "bearer" && one.param("error") == Some("insufficient_scope"))
}
