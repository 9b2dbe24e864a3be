//! The sign-in at a server that asks for one: the person is asked in the browser, and the request that needed it waits.

use super::signing::{NotSignedIn, Turn, again, told};
use crate::oauth::{Bearer, GrantKind, Grants, LoginError, LoginRequest, TokenError};
use crate::system::{Env, browser, machine, mono_ms};
use crate::upstream::{Challenged, Failure, Keys};
use crate::wire::headers::challenges;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a request waits for the person in the browser: less than the 60 s after which many clients give it up.
const WAIT: Duration = Duration::from_secs(50);
/// How long another process's sign-in is waited for: a little longer than one may last.
const OTHERS: Duration = Duration::from_secs(620);
/// How often one request may lead to the consent page: a server that always wants more scope is stopped here.
const ROUNDS: u32 = 2;
/// How often it is looked at whether a server that gives no access has moved to another authorization server.
const MOVED_MS: u64 = 60_000;

/// The plain profile's keys.
pub(super) struct PlainKeys {
    grants: Grants,
    env: Env,
    headers: HeaderMap,
    ending: CancellationToken,
    /// Whether a challenge has come, so that there may be a token: most servers on this computer never ask.
    may_have: AtomicBool,
    /// Until when (monotonic ms) it is not looked at whether the server has moved.
    looked: AtomicU64,
    /// One sign-in at a time.
    turn: tokio::sync::Mutex<Turn>,
}

impl PlainKeys {
    pub(super) fn new(grants: Grants, env: Env, headers: HeaderMap, ending: CancellationToken) -> Self {
        Self {
            grants,
            env,
            headers,
            ending,
            may_have: AtomicBool::new(true),
            looked: AtomicU64::new(0),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// The token that is known. `challenge` is that of a 401 that was just met.
    async fn known(&self, challenge: Option<&str>) -> Result<Option<Bearer>, Failure> {
        if self.grants.is_without_person() {
            return Ok(self.grants.credentials_token());
        }
        if !self.may_have.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match self.grants.bearer(GrantKind::Plain).await {
            Ok(bearer) => Ok(Some(bearer)),
            Err(TokenError::NotSignedIn) => {
                self.may_have.store(false, Ordering::Relaxed);
                Ok(None)
            }
            Err(error) => {
                if self.has_moved(&error, challenge).await {
                    return Ok(None);
                }
                Err(told(error))
            }
        }
    }

    /// Whether there is no token because the server asks another authorization server now, so that the person may be
    /// asked to sign in there.
    async fn has_moved(&self, error: &TokenError, challenge: Option<&str>) -> bool {
        if !matches!(error, TokenError::Network(_) | TokenError::Withdrawn(_)) {
            return false;
        }
        let now = mono_ms();
        if challenge.is_none() && now < self.looked.load(Ordering::Relaxed) {
            return false;
        }
        self.looked.store(now.saturating_add(MOVED_MS), Ordering::Relaxed);
        self.grants.leave_if_moved(GrantKind::Plain, challenge).await
    }

    async fn answer(&self, challenged: Challenged) -> Result<Option<Bearer>, Failure> {
        let more_scope = challenged.status == StatusCode::FORBIDDEN;
        if more_scope && !wants_more_scope(&challenged.challenge) {
            return Ok(None);
        }
        // A token that the person gave in a header is theirs to change.
        if self.headers.contains_key(AUTHORIZATION) {
            return if more_scope {
                Ok(None)
            } else {
                Err(Failure::SignIn(
                    "the server refuses the Authorization header that was given with --header (HTTP 401)"
                        .to_owned(),
                ))
            };
        }
        if challenged.round >= ROUNDS {
            return if more_scope { Ok(None) } else { Err(in_vain()) };
        }
        let mut turn = self.turn.lock().await;
        self.may_have.store(true, Ordering::Relaxed);
        let challenge = Some(challenged.challenge.as_str());
        // Another request, or another process, may have signed in while this one waited for its turn.
        match (&challenged.refused, self.known(challenge).await) {
            (Some(refused), Ok(Some(now))) if refused.same_as(&now) => {}
            (_, Ok(Some(now))) => return Ok(Some(now)),
            (_, Ok(None)) => {}
            (_, Err(failure)) => return Err(failure),
        }
        if self.grants.is_without_person() {
            return self.by_credentials(&mut turn, &challenged, more_scope).await;
        }
        if !more_scope && let Some(refused) = challenged.refused.as_ref().filter(|_| challenged.round == 0) {
            match self.grants.renew(GrantKind::Plain, refused).await {
                Ok(bearer) => return Ok(Some(bearer)),
                // It ran out and cannot be renewed. What the server ended is the person's to begin again (see below).
                Err(TokenError::NotSignedIn) => {}
                Err(error) => {
                    if !self.has_moved(&error, challenge).await {
                        return Err(told(error));
                    }
                }
            }
        }
        if let Some(why) = turn.ended() {
            return Err(Failure::SignIn(why));
        }
        if more_scope {
            if !turn.may_ask_for(&scope_of(&challenged.challenge)) {
                return Ok(None);
            }
        } else if challenged.refused.is_some() && turn.refuses_what_it_gave(mono_ms()) {
            turn.end(&in_vain());
            return Err(in_vain());
        }
        let mut signed_in = self.sign_in(challenged.challenge.clone()).await;
        turn.note(&signed_in, mono_ms());
        // The old registration is discarded by now: once more, with a new one.
        if matches!(signed_in, Err(NotSignedIn::Unknown(_))) && turn.ended().is_none() {
            signed_in = self.sign_in(challenged.challenge).await;
            turn.note(&signed_in, mono_ms());
        }
        match signed_in {
            Ok(bearer) => Ok(Some(bearer)),
            Err(NotSignedIn::Ended(why) | NotSignedIn::Unknown(why)) => Err(Failure::SignIn(again(&why))),
            Err(NotSignedIn::Passing(failure)) => Err(failure),
        }
    }

    /// Access without a person: another token is got the same way, but not at every call of a server that refuses them.
    async fn by_credentials(
        &self,
        turn: &mut Turn,
        challenged: &Challenged,
        more_scope: bool,
    ) -> Result<Option<Bearer>, Failure> {
        if more_scope && !turn.may_ask_for(&scope_of(&challenged.challenge)) {
            return Ok(None);
        }
        if !more_scope && challenged.refused.is_some() && turn.was_just_given(mono_ms()) {
            return Err(Failure::SignIn(
                "the server refuses the access that it has itself just given to this client id (HTTP 401)"
                    .to_owned(),
            ));
        }
        let got = self.grants.by_credentials(&challenged.challenge).await;
        let got = got.map_err(|error| NotSignedIn::before_the_browser(&error));
        turn.note(&got, mono_ms());
        match got {
            Ok(bearer) => Ok(Some(bearer)),
            Err(NotSignedIn::Passing(failure)) => Err(failure),
            Err(NotSignedIn::Ended(why) | NotSignedIn::Unknown(why)) => Err(Failure::SignIn(again(&why))),
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
                return other.await.map_err(|error| NotSignedIn::Passing(told(error)));
            }
            Err(error) => return Err(NotSignedIn::before_the_browser(&error)),
        };
        let url = pending.url.clone();
        if let Err(error) = browser::open(&url, &self.env).await {
            tracing::warn!(%error, "no browser could be opened for the sign-in");
        }
        let ending = self.ending.clone();
        // It goes on where the request gives up waiting: the person may be in the middle of it.
        let finished = tokio::spawn(async move {
            let grant = pending.wait(ending).await?;
            let bearer = grant.bearer().clone();
            let kept = grant.keep().await;
            kept.map_err(|error| LoginError::Store(error.to_string()))?;
            Ok::<_, LoginError>(bearer)
        });
        match tokio::time::timeout(WAIT, finished).await {
            Ok(Ok(Ok(bearer))) => Ok(bearer),
            Ok(Ok(Err(error))) => Err(NotSignedIn::after_the_browser(&error)),
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
        self.known(None).boxed()
    }

    fn after(&self, challenged: Challenged) -> BoxFuture<'_, Result<Option<Bearer>, Failure>> {
        self.answer(challenged).boxed()
    }

    fn headers(&self) -> Option<&HeaderMap> {
        Some(&self.headers)
    }
}

fn in_vain() -> Failure {
    Failure::SignIn(again(
        "the server refuses the access that it has itself just given (HTTP 401)",
    ))
}

/// RFC 6750 section 3.1.
fn wants_more_scope(challenge: &str) -> bool {
    challenges(challenge)
        .iter()
        .any(|one| one.scheme == "bearer" && one.param("error") == Some("insufficient_scope"))
}

/// The scope that a challenge asks for, as a set in one order.
fn scope_of(challenge: &str) -> String {
    let all = challenges(challenge);
    let scope = all
        .iter()
        .filter(|one| one.scheme == "bearer")
        .find_map(|one| one.param("scope"));
    let mut words: Vec<&str> = scope.unwrap_or_default().split_ascii_whitespace().collect();
    words.sort_unstable();
    words.join(" ")
}
