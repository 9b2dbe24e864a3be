//! Signing in: from a 401 to a grant in the vault.
//!
//! Owns: the order of the steps, who may sign in (one process at a time per grant), what is accepted. Refuses to
//! know: browsers (the caller opens the address), tools, accounts.

use super::attempt::{Attempt, PasteCheck, Verdict};
use super::callback::{Arrival, Doorway};
use super::discovery::{self, Found, Hint};
use super::error::{LoginError, TokenError};
use super::fetch;
use super::grants::{GrantKind, Grants};
use super::page::Page;
use super::registration::{self, Origin, Registration};
use super::secret::{Bearer, NoRandom, random_text};
use super::token::{Issued, NoToken};
use super::vault::{Contents, State, StoredGrant};
use crate::system::{FileLock, wall_ms};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long the person has for the consent page.
const LOGIN_LIMIT: Duration = Duration::from_secs(600);

/// What is to be signed in for.
#[derive(Debug, Clone)]
pub struct LoginRequest {
    /// Which grant.
    pub kind: GrantKind,
    /// The `WWW-Authenticate` of a 401 that was met already; `None`: the endpoint is asked without a token first.
    pub challenge: Option<String>,
    /// The trade grant shall serve both lanes.
    pub single_grant: bool,
    /// The name of this machine, for the name of the registration.
    pub host_name: String,
}

/// A sign-in that waits for the person.
pub struct PendingLogin {
    /// The address to open in the browser. It holds no token, but `state` is for the person's browser only: not to
    /// be logged.
    pub url: String,
    grants: Grants,
    attempt: Arc<Attempt>,
    doorway: Option<Doorway>,
    lock: FileLock,
}

impl std::fmt::Debug for PendingLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingLogin")
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// A grant that was issued and is not kept yet. To be kept or revoked.
#[derive(Debug)]
#[must_use = "a grant that is neither kept nor revoked stays open at the service"]
pub struct NewGrant {
    grants: Grants,
    stored: StoredGrant,
    bearer: Bearer,
    _lock: FileLock,
}

impl Grants {
    /// Begins a sign-in that the person asked for.
    ///
    /// # Errors
    /// [`LoginError::Elsewhere`] where another process is signing in; else as [`LoginError`] says.
    pub async fn begin_login(&self, request: LoginRequest) -> Result<PendingLogin, LoginError> {
        let lock = self.own_login(request.kind)?;
        self.begin(request, lock).await
    }

    /// Begins a sign-in that a call made necessary: only if, now that we own it, there is still no grant.
    ///
    /// # Errors
    /// [`LoginError::AlreadySignedIn`] and [`LoginError::Withdrawn`] where the browser must not be opened; else as
    /// [`Self::begin_login`].
    pub async fn begin_background_login(&self, request: LoginRequest) -> Result<PendingLogin, LoginError> {
        let lock = self.own_login(request.kind)?;
        match self.bearer(request.kind).await {
            Err(TokenError::NotSignedIn) => self.begin(request, lock).await,
            Ok(_) | Err(TokenError::Sealed) => Err(LoginError::AlreadySignedIn),
            Err(TokenError::Withdrawn(_)) => Err(LoginError::Withdrawn),
            Err(TokenError::Network(reason) | TokenError::Busy(reason)) => Err(LoginError::Network(reason)),
            Err(TokenError::Store(reason) | TokenError::Refused(reason)) => Err(LoginError::Store(reason)),
        }
    }

    /// Waits until no other process is signing in for this grant, at most `limit`, then looks into the vault again.
    ///
    /// # Errors
    /// [`TokenError::Busy`] when the limit has passed; else as [`Self::bearer`].
    pub async fn after_other_login(&self, kind: GrantKind, limit: Duration) -> Result<Bearer, TokenError> {
        let lock = FileLock::take(&self.inner.login_lock(kind), limit).await;
        match lock {
            Ok(lock) => drop(lock),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                return Err(TokenError::Busy(
                    "another Countersign process is signing in".to_owned(),
                ));
            }
            Err(error) => {
                return Err(TokenError::Store(format!(
                    "the state folder cannot be used: {error}"
                )));
            }
        }
        self.bearer(kind).await
    }

    fn own_login(&self, kind: GrantKind) -> Result<FileLock, LoginError> {
        match FileLock::try_take(&self.inner.login_lock(kind)) {
            Ok(Some(lock)) => Ok(lock),
            Ok(None) => Err(LoginError::Elsewhere),
            Err(error) => Err(LoginError::Store(format!(
                "the state folder cannot be used: {error}"
            ))),
        }
    }

    async fn begin(&self, request: LoginRequest, lock: FileLock) -> Result<PendingLogin, LoginError> {
        let inner = &self.inner;
        let challenge = match &request.challenge {
            Some(challenge) => challenge.clone(),
            None => discovery::provoke(&inner.http, &inner.endpoint).await?,
        };
        let hint = Hint::read(&challenge);
        let contents = self.contents().await.map_err(stored)?;
        let known = known_issuer(&contents, inner.endpoint.url(), request.kind);
        let legacy = request.kind == GrantKind::Plain;
        let found =
            discovery::discover(&inner.http, &inner.endpoint, &hint, known.as_deref(), legacy).await?;
        let (registration, doorway) = self.client(&request, &found).await?;
        let had = contents
            .grant(inner.endpoint.url(), request.kind)
            .and_then(|grant| grant.scope.clone());
        let scope = self.wanted_scope(request.kind, &hint, &found, had.as_deref());
        let attempt = self.attempt(
            &request,
            found,
            registration,
            doorway.as_ref().map(Doorway::port),
            scope,
        )?;
        Ok(PendingLogin {
            url: attempt.url(),
            grants: self.clone(),
            attempt: Arc::new(attempt),
            doorway,
            lock,
        })
    }

    /// Who we are to this server, with the door that belongs to it: the socket is bound before a registration names
    /// its port. A stored registration that the server no longer knows is discarded and renewed once.
    async fn client(
        &self,
        request: &LoginRequest,
        found: &Found,
    ) -> Result<(Registration, Option<Doorway>), LoginError> {
        let now_ms = wall_ms();
        if let Some(given) = registration::given(&self.inner.choice, &found.server, request.kind, now_ms) {
            let doorway = Doorway::bind(&given.ports()).await;
            return Ok((given, doorway));
        }
        let contents = self.contents().await.map_err(stored)?;
        let mut all = contents.registrations.into_iter();
        if let Some(known) = all.find(|known| known.serves(&found.server.issuer, request.kind, now_ms)) {
            let doorway = Doorway::bind(&known.ports()).await;
            if !self.is_stale(request, found, &known).await? {
                return Ok((known, doorway));
            }
            tracing::warn!(
                kind = request.kind.as_str(),
                "the service no longer knows the registration"
            );
            self.discard(&known).await?;
            drop(doorway);
        }
        let doorway = Doorway::bind(&self.inner.ports).await;
        let registration = self.register(request, found).await?;
        Ok((registration, doorway))
    }

    /// Looks at the authorization page as a browser would, with a throw-away state and challenge: a server that does
    /// not know a client any more shows an error page there and never sends the browser back to us.
    async fn is_stale(
        &self,
        request: &LoginRequest,
        found: &Found,
        known: &Registration,
    ) -> Result<bool, LoginError> {
        let scope = self.wanted_scope(request.kind, &Hint::default(), found, None);
        let port = known.ports().first().copied();
        let probe = self.attempt(request, found.clone(), known.clone(), port, scope)?;
        let Ok(answer) = fetch::peek(&self.inner.http, &self.inner.endpoint, &probe.url()).await else {
            return Ok(false);
        };
        let words = [
            "invalid_client",
            "unauthorized_client",
            "unknown client",
            "not registered",
            "client_id",
            "redirect_uri",
            "invalid_redirect",
        ];
        Ok(matches!(answer.status, 400 | 401 | 403) && answer.mentions(&words))
    }

    /// Registers anew; counted and saved before the request is made, as the limit counts tries.
    async fn register(&self, request: &LoginRequest, found: &Found) -> Result<Registration, LoginError> {
        let now_ms = wall_ms();
        let issuer = found.server.issuer.clone();
        let wait = self
            .update(move |contents| count(contents, issuer, now_ms))
            .await
            .map_err(stored)?;
        if let Some(wait) = wait {
            return Err(LoginError::TooManyRegistrations(wait));
        }
        let inner = &self.inner;
        let name = registration::client_name(request.kind, &request.host_name);
        let new = registration::register(
            &inner.http,
            &inner.endpoint,
            &found.server,
            request.kind,
            &name,
            &inner.ports,
            now_ms,
        )
        .await?;
        let kept = new.clone();
        self.update(move |contents| {
            contents
                .registrations
                .retain(|old| old.issuer != kept.issuer || old.kind != kept.kind);
            contents.registrations.push(kept);
        })
        .await
        .map_err(stored)?;
        Ok(new)
    }

    async fn discard(&self, known: &Registration) -> Result<(), LoginError> {
        if known.origin == Origin::Given {
            return Ok(());
        }
        let (issuer, client_id) = (known.issuer.clone(), known.client_id.clone());
        self.update(move |contents| {
            contents
                .registrations
                .retain(|old| old.issuer != issuer || old.client_id != client_id);
        })
        .await
        .map_err(stored)
    }

    fn attempt(
        &self,
        request: &LoginRequest,
        found: Found,
        registration: Registration,
        port: Option<u16>,
        scope: Option<String>,
    ) -> Result<Attempt, LoginError> {
        let none = || LoginError::Registration("it took no redirect address that we can use".to_owned());
        let redirect = match port {
            Some(port) => registration.redirect_on(port),
            None => registration.redirect_uris.first().map(String::as_str),
        };
        let redirect = redirect.ok_or_else(none)?.to_owned();
        let no_random = |error: NoRandom| LoginError::Store(error.to_string());
        Ok(Attempt {
            endpoint: self.inner.endpoint.url().to_owned(),
            kind: request.kind,
            single: request.single_grant && request.kind == GrantKind::Trade,
            resource: found.resource,
            issuer: found.server.issuer,
            iss_required: found.server.iss_required,
            authorization_endpoint: found.server.authorization_endpoint,
            token_endpoint: found.server.token_endpoint,
            revocation_endpoint: found.server.revocation_endpoint,
            registration,
            redirect,
            scope,
            state: random_text().map_err(no_random)?,
            verifier: random_text().map_err(no_random)?,
            used: AtomicBool::new(false),
        })
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
        let result = match code {
            Ok(code) => self.finish(code).await,
            Err(error) => self.failed(error).await,
        };
        if let Some(page) = page {
            let _ = page.send(match &result {
                Ok(_) => Page::granted(),
                Err(error) => Page::ended(&error.to_string()),
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
            _lock: self.lock,
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
        grants.forget();
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
        let reports = self.grants.revoke_tokens(&self.stored).await;
        if reports.iter().any(|report| !report.answer.is_revoked()) {
            "it could not be revoked: revoke it on the service's page of AI clients".to_owned()
        } else {
            "it was revoked".to_owned()
        }
    }
}

async fn first_arrival(doorway: Option<&mut Doorway>, attempt: &Arc<Attempt>) -> Arrival {
    match doorway {
        Some(doorway) => doorway.first(attempt).await,
        None => std::future::pending().await,
    }
}

/// The issuer of the registration that was used for this endpoint, to be preferred where several are named.
fn known_issuer(contents: &Contents, endpoint: &str, kind: GrantKind) -> Option<String> {
    let grant = contents
        .grants
        .iter()
        .find(|grant| grant.endpoint == endpoint && grant.kind == kind);
    grant.map(|grant| grant.registration.issuer.clone())
}

/// Counts a registration that is about to be tried; or says how long it has to wait.
fn count(contents: &mut Contents, issuer: String, now_ms: u64) -> Option<Duration> {
    contents
        .registered
        .retain(|(_, at)| registration::still_counts(*at, now_ms));
    let here = contents.registered.iter().filter(|(whose, _)| *whose == issuer);
    let times: Vec<u64> = here.map(|(_, at)| *at).collect();
    let wait = registration::wait_for_turn(&times, now_ms);
    if wait.is_none() {
        contents.registered.push((issuer, now_ms));
    }
    wait
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

fn stored(error: TokenError) -> LoginError {
    match error {
        TokenError::Store(reason) => LoginError::Store(reason),
        other => LoginError::Store(other.to_string()),
    }
}
