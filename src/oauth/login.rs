//! Beginning a sign-in: from a 401 to the address that the browser opens.
//!
//! Owns: the order of the steps, who may sign in (one process at a time per grant), which registration is used.
//! Refuses to know: browsers (the caller opens the address), what comes back (that is `pending`).

use super::attempt::Attempt;
use super::callback::Doorway;
use super::contents::{Bound, Contents};
use super::discovery::{self, For, Found, Hint};
use super::error::{LoginError, TokenError};
use super::fetch;
use super::grants::{GrantKind, Grants};
use super::pending::PendingLogin;
use super::registration::{self, Origin, Registration};
use super::secret::{Bearer, NoRandom, random_text};
use crate::system::{FileLock, wall_ms};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How servers say that they do not know a client or its redirect address (any more).
const STALE_WORDS: [&str; 6] = [
    "invalid_client",
    "unauthorized_client",
    "unknown client",
    "client not found",
    "not registered",
    "redirect_uri",
];

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
        let found = discovery::discover(
            &inner.http,
            &inner.endpoint,
            &hint,
            known.as_deref(),
            legacy,
            For::Person,
        )
        .await?;
        let (registration, doorway) = self.client(&request, &hint, &found).await?;
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
        hint: &Hint,
        found: &Found,
    ) -> Result<(Registration, Option<Doorway>), LoginError> {
        let now_ms = wall_ms();
        if let Some(given) = self.given(found, request.kind).await? {
            let doorway = Doorway::bind(&given.ports()).await;
            return Ok((given, doorway));
        }
        let contents = self.contents().await.map_err(stored)?;
        let mut all = contents.registrations.into_iter();
        if let Some(known) = all.find(|known| known.serves(&found.server.issuer, request.kind, now_ms)) {
            let doorway = Doorway::bind(&known.ports()).await;
            // Where more scope is asked for, the token and so the registration were just found to be good.
            if hint.insufficient_scope || !self.is_stale(request, hint, found, &known).await? {
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

    /// The client that the person brought along, where they did, and if it belongs to this issuer.
    pub(super) async fn given(
        &self,
        found: &Found,
        kind: GrantKind,
    ) -> Result<Option<Registration>, LoginError> {
        let choice = &self.inner.choice;
        let Some(given) = registration::given(choice, &found.server, kind, wall_ms()) else {
            return Ok(None);
        };
        // A metadata document's address is nobody's secret, and good everywhere.
        if choice.client_id.is_some() {
            let bound = Bound {
                endpoint: self.inner.endpoint.url().to_owned(),
                client_id: given.client_id.clone(),
                issuer: given.issuer.clone(),
            };
            let may = self.update(move |contents| contents.bind(bound)).await;
            if !may.map_err(stored)? {
                return Err(LoginError::OtherIssuer);
            }
        }
        Ok(Some(given))
    }

    /// Looks at the authorization page as a browser would, with a throw-away state and challenge: a server that does
    /// not know a client any more shows an error page there and never sends the browser back to us.
    async fn is_stale(
        &self,
        request: &LoginRequest,
        hint: &Hint,
        found: &Found,
        known: &Registration,
    ) -> Result<bool, LoginError> {
        let scope = self.wanted_scope(request.kind, hint, found, None);
        let port = known.ports().first().copied();
        let probe = self.attempt(request, found.clone(), known.clone(), port, scope)?;
        let Ok(answer) = fetch::peek(&self.inner.http, &self.inner.endpoint, &probe.url()).await else {
            return Ok(false);
        };
        Ok(match answer.status {
            // The request is sound, so what is wrong with it is the client or its redirect address.
            400 => true,
            // Could as well be a gatekeeper that wants a browser, or a login: only where the page says what it means.
            401 | 403 | 404 => answer.mentions(&STALE_WORDS),
            _ => false,
        })
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

    pub(super) async fn discard(&self, known: &Registration) -> Result<(), LoginError> {
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

fn stored(error: TokenError) -> LoginError {
    match error {
        TokenError::Store(reason) => LoginError::Store(reason),
        other => LoginError::Store(other.to_string()),
    }
}
