//! The read lane: everything but cleared trade calls, with the read grant.

use super::Failure;
use super::answer::{self, Read};
use super::budget::{Budget, Use};
use super::http::{self, LAST_EVENT, SESSION, newest_common};
use crate::oauth::{Bearer, Endpoint, GrantKind, Grants};
use crate::wire::envelope::{self, Id, Message};
use reqwest::header::HeaderValue;
use reqwest::{Response, StatusCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The longest wait that a `Retry-After` may ask of a read.
const PATIENCE: u64 = 10;
/// How often a cut stream is taken up again before its request is given up.
const RESUMES: u32 = 5;
/// Pauses between attempts to open the standing stream, doubled up to the second.
const STREAM_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Pages of a list that are followed; a server that pages without end is stopped here.
const PAGES: usize = 100;

/// What the client said of itself, for our own handshake upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The revision to offer.
    pub version: String,
    /// The client's capabilities, as JSON text.
    pub capabilities: String,
    /// The client's name and version, as JSON text.
    pub client_info: String,
}

impl Default for Hello {
    fn default() -> Self {
        let client_info = format!(
            r#"{{"name":"countersign","version":"{}"}}"#,
            env!("CARGO_PKG_VERSION")
        );
        Self {
            version: "2025-11-25".into(),
            capabilities: "{}".into(),
            client_info,
        }
    }
}

/// What comes from the service without being an answer: a notification or a request to the client.
pub type SideEvent = dyn Fn(&Message<'_>) + Send + Sync;

/// A session with the service (legacy eras).
#[derive(Debug, Clone)]
struct Session {
    id: Option<HeaderValue>,
    version: String,
    number: u64,
}

/// The read lane. Cheap to clone; all clones are one lane.
#[derive(Clone)]
pub struct ReadLane(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    endpoint: Endpoint,
    grants: Grants,
    kind: GrantKind,
    budget: Budget,
    hello: Mutex<Hello>,
    session: Mutex<Option<Session>>,
    /// Held during a handshake: one at a time, whoever needs it (single flight).
    opening: tokio::sync::Mutex<()>,
    side: Box<SideEvent>,
    log_level: Mutex<Option<String>>,
    count: AtomicU64,
    prefix: String,
    closed: CancellationToken,
}

impl std::fmt::Debug for ReadLane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadLane")
            .field("endpoint", &self.0.endpoint.url())
            .finish_non_exhaustive()
    }
}

impl ReadLane {
    /// A lane to this endpoint. Nothing is opened until the first request. `side` gets what the service sends
    /// unasked.
    pub fn new(
        http: reqwest::Client,
        endpoint: Endpoint,
        grants: Grants,
        kind: GrantKind,
        budget: Budget,
        side: Box<SideEvent>,
    ) -> Self {
        let prefix = format!("cs-{:08x}-", crate::system::clock::wall_ms() & 0xffff_ffff);
        Self(Arc::new(Inner {
            http,
            endpoint,
            grants,
            kind,
            budget,
            hello: Mutex::default(),
            session: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            side,
            log_level: Mutex::default(),
            count: AtomicU64::new(1),
            prefix,
            closed: CancellationToken::new(),
        }))
    }

    /// Takes over what the client said of itself. A session that was opened with other capabilities is dropped: the
    /// next request opens one that fits.
    pub fn greet(&self, hello: Hello) {
        let mut kept = lock(&self.0.hello);
        if *kept != hello {
            *kept = hello;
            *lock(&self.0.session) = None;
        }
    }

    /// The log level that the client asked for, to be asked again of each new session.
    pub fn log_level(&self, params: &str) {
        *lock(&self.0.log_level) = Some(params.to_owned());
    }

    /// Sends a request of the client as it is, and returns the answer's text on one line.
    ///
    /// # Errors
    /// Whatever keeps the answer from coming. Passing faults are tried once more.
    pub async fn request(&self, text: &str, id: &Id) -> Result<String, Failure> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.request_once(text, id, Use::Client).await {
                Err(failure) if tries == 1 && failure.may_pass() => {
                    tracing::info!(%failure, "a read is tried once more");
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Err(Failure::RateLimited(wait) | Failure::Throttled(wait)) if tries == 1 && wait.unwrap_or(1) <= PATIENCE => {
                    tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1))).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// A request of our own; returns the text of `result`.
    ///
    /// # Errors
    /// As [`Self::request`], without a second try; a JSON-RPC error is [`Failure::Refused`].
    pub async fn own(&self, method: &str, params: &str) -> Result<String, Failure> {
        let (id, text) = self.compose(method, params);
        let answer = match self.request_once(&text, &id, Use::Own).await {
            Err(Failure::RateLimited(wait) | Failure::Throttled(wait)) if wait.unwrap_or(1) <= PATIENCE => {
                tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1))).await;
                self.request_once(&text, &id, Use::Own).await?
            }
            outcome => outcome?,
        };
        result_of(&answer)
    }

    /// All pages of a list; returns the texts of the items under `key`.
    ///
    /// # Errors
    /// As [`Self::own`].
    pub async fn list(&self, method: &str, key: &str) -> Result<Vec<String>, Failure> {
        http::list_all(
            PAGES,
            key,
            |params| async move { self.own(method, &params).await },
        )
        .await
    }

    /// Sends a notification or a response of the client as it is.
    ///
    /// # Errors
    /// Whatever keeps the service from taking it.
    pub async fn tell(&self, text: &str) -> Result<(), Failure> {
        let (response, _) = self.post(text, Use::Client).await?;
        if response.status().is_success() {
            Ok(())
        } else {
            answer::refusal(response, None, true).await.map(drop)
        }
    }

    /// Ends the session (DELETE, at most a second) and closes the streams.
    pub async fn close(&self) {
        self.0.closed.cancel();
        let Some(session) = lock(&self.0.session).take() else {
            return;
        };
        let Some(id) = &session.id else { return };
        let Ok(Ok(bearer)) =
            tokio::time::timeout(Duration::from_millis(300), self.0.grants.bearer(self.0.kind)).await
        else {
            return;
        };
        let headers = http::headers(&bearer, Some(id), Some(&session.version));
        let request = self.0.http.delete(self.0.endpoint.url()).headers(headers).send();
        let _ = tokio::time::timeout(Duration::from_secs(1), request).await;
    }

    /// Opens the session if there is none, so that the first request finds it open.
    ///
    /// # Errors
    /// As a request.
    pub async fn open(&self) -> Result<(), Failure> {
        self.session().await.map(drop)
    }

    fn compose(&self, method: &str, params: &str) -> (Id, String) {
        let id = Id::ours(&format!(
            "{}{}",
            self.0.prefix,
            self.0.count.fetch_add(1, Ordering::Relaxed)
        ));
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":"{method}","params":{params}}}"#,
            id.raw()
        );
        (id, text)
    }

    async fn request_once(&self, text: &str, id: &Id, purpose: Use) -> Result<String, Failure> {
        let (response, session) = self.post(text, purpose).await?;
        if !response.status().is_success() {
            return answer::refusal(response, Some(id), session.id.is_some()).await;
        }
        match answer::read(response, id, &*self.0.side).await? {
            Read::Answer(text) => Ok(text),
            Read::Ended {
                last_event,
                retry,
                why,
            } => self.resume(id, last_event, retry, why).await,
        }
    }

    /// Posts a message, with a fresh token after a 401 and a fresh session after its loss. In both cases the service
    /// has said that it did not run the message.
    async fn post(&self, text: &str, purpose: Use) -> Result<(Response, Session), Failure> {
        let mut session = self.session().await?;
        let mut bearer = self.bearer().await?;
        let (mut renewed, mut reopened) = (false, false);
        loop {
            let response = self.send(text, &bearer, Some(&session), purpose).await?;
            match response.status() {
                StatusCode::UNAUTHORIZED if !renewed => {
                    renewed = true;
                    bearer = self
                        .0
                        .grants
                        .renew(self.0.kind, &bearer)
                        .await
                        .map_err(Failure::Token)?;
                }
                StatusCode::NOT_FOUND if session.id.is_some() && !reopened => {
                    reopened = true;
                    session = self.reopen(session.number).await?;
                }
                _ => return Ok((response, session)),
            }
        }
    }

    async fn send(&self, text: &str, bearer: &Bearer, session: Option<&Session>, purpose: Use) -> Result<Response, Failure> {
        // The service counts every HTTP request, the lifecycle included.
        self.0.budget.turn(purpose).await;
        let client = &self.0.http;
        let headers = http::headers(
            bearer,
            session.and_then(|s| s.id.as_ref()),
            session.map(|s| s.version.as_str()),
        );
        let request = client
            .post(self.0.endpoint.url())
            .headers(headers)
            .body(text.to_owned())
            .send();
        match tokio::time::timeout(http::HEAD, request).await {
            Ok(sent) => sent.map_err(|error| Failure::of(&error)),
            Err(_) => Err(Failure::Broken("no answer in time".to_owned())),
        }
    }

    async fn bearer(&self) -> Result<Bearer, Failure> {
        self.0.grants.bearer(self.0.kind).await.map_err(Failure::Token)
    }

    async fn session(&self) -> Result<Session, Failure> {
        if let Some(session) = lock(&self.0.session).clone() {
            return Ok(session);
        }
        self.reopen(0).await
    }

    /// Makes a new session unless somebody has since the one with this number.
    async fn reopen(&self, lost: u64) -> Result<Session, Failure> {
        let _turn = self.0.opening.lock().await;
        if let Some(session) = lock(&self.0.session)
            .clone()
            .filter(|session| session.number > lost)
        {
            return Ok(session);
        }
        let session = self.handshake(lost + 1).await?;
        *lock(&self.0.session) = Some(session.clone());
        self.keep_stream(session.clone());
        Ok(session)
    }

    async fn handshake(&self, number: u64) -> Result<Session, Failure> {
        let hello = lock(&self.0.hello).clone();
        let params = format!(
            r#"{{"protocolVersion":"{}","capabilities":{},"clientInfo":{}}}"#,
            newest_common(&hello.version),
            hello.capabilities,
            hello.client_info
        );
        let (id, text) = self.compose("initialize", &params);
        let mut bearer = self.bearer().await?;
        let mut response = self.send(&text, &bearer, None, Use::Own).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            bearer = self
                .0
                .grants
                .renew(self.0.kind, &bearer)
                .await
                .map_err(Failure::Token)?;
            response = self.send(&text, &bearer, None, Use::Own).await?;
        }
        let session_id = response.headers().get(SESSION).cloned();
        let result = if response.status().is_success() {
            match answer::read(response, &id, &*self.0.side).await? {
                Read::Answer(text) => result_of(&text)?,
                Read::Ended { why, .. } => return Err(Failure::Broken(why)),
            }
        } else {
            result_of(&answer::refusal(response, Some(&id), false).await?)?
        };
        let version = http::text_member(&result, "protocolVersion")
            .ok_or_else(|| Failure::BadAnswer("its handshake names no protocol version".to_owned()))?;
        let session = Session {
            id: session_id,
            version,
            number,
        };
        // The service must have this before anything else arrives (2025-11-25, lifecycle).
        let ready = self
            .send(
                r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
                &bearer,
                Some(&session),
                Use::Own,
            )
            .await?;
        if !ready.status().is_success() {
            return Err(Failure::Status(ready.status().as_u16()));
        }
        self.reapply(&bearer, &session).await;
        Ok(session)
    }

    /// What the lost session had been told.
    async fn reapply(&self, bearer: &Bearer, session: &Session) {
        let level = lock(&self.0.log_level).clone();
        if let Some(params) = level {
            let (_, text) = self.compose("logging/setLevel", &params);
            let _ = self.send(&text, bearer, Some(session), Use::Own).await;
        }
    }

    /// Takes a cut stream up again after its last event (2025-11-25, resumability). Without an event id there is
    /// nothing to go on from.
    async fn resume(
        &self,
        id: &Id,
        last: Option<String>,
        retry: Option<u64>,
        why: String,
    ) -> Result<String, Failure> {
        let (mut last, mut retry, mut why) = (last, retry, why);
        for attempt in 0..RESUMES {
            let Some(event) = last.clone() else { break };
            let pause = retry.unwrap_or(500u64 << attempt).min(30_000);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let session = self.session().await?;
            let response = match self.get_stream(&session, Some(&event)).await {
                Ok(response) => response,
                Err(Failure::Connect(_) | Failure::Broken(_)) => continue,
                Err(failure) => return Err(failure),
            };
            if !response.status().is_success() {
                break;
            }
            match answer::stream(response, Some(id), Some(event), &*self.0.side).await? {
                Read::Answer(text) => return Ok(text),
                Read::Ended {
                    last_event,
                    retry: again,
                    why: because,
                } => {
                    (last, retry, why) = (last_event, again.or(retry), because);
                }
            }
        }
        Err(Failure::Broken(why))
    }

    async fn get_stream(&self, session: &Session, after: Option<&str>) -> Result<Response, Failure> {
        let bearer = self.bearer().await?;
        self.0.budget.turn(Use::Client).await;
        let client = &self.0.http;
        let mut headers = http::headers(&bearer, session.id.as_ref(), Some(&session.version));
        headers.insert(
            reqwest::header::ACCEPT,
            HeaderValue::from_static("text/event-stream"),
        );
        if let Some(value) = after.and_then(|after| HeaderValue::from_str(after).ok()) {
            headers.insert(LAST_EVENT, value);
        }
        let request = client.get(self.0.endpoint.url()).headers(headers).send();
        match tokio::time::timeout(http::HEAD, request).await {
            Ok(sent) => sent.map_err(|error| Failure::of(&error)),
            Err(_) => Err(Failure::Broken("no answer in time".to_owned())),
        }
    }

    /// Keeps the standing stream of this session open for what the service says unasked.
    fn keep_stream(&self, session: Session) {
        let lane = self.clone();
        crate::system::spawn(async move {
            let closed = lane.0.closed.clone();
            tokio::select! {
                () = closed.cancelled() => {}
                () = lane.follow_stream(session) => {}
            }
        });
    }

    async fn follow_stream(&self, session: Session) {
        let (mut pause, mut last) = (STREAM_PAUSE.0, None::<String>);
        let current = || {
            lock(&self.0.session)
                .as_ref()
                .is_some_and(|now| now.number == session.number)
        };
        while current() {
            match self.get_stream(&session, last.as_deref()).await {
                Ok(response) if response.status().is_success() => {
                    pause = STREAM_PAUSE.0;
                    if let Ok(Read::Ended {
                        last_event, retry, ..
                    }) = answer::stream(response, None, last.clone(), &*self.0.side).await
                    {
                        last = last_event;
                        pause = retry.map_or(pause, Duration::from_millis).min(STREAM_PAUSE.1);
                    }
                }
                // 405: not offered. Other refusals would be the same again; a lost session is found by a request.
                Ok(response) if response.status().is_client_error() => return,
                Ok(_) | Err(_) => pause = (pause * 2).min(STREAM_PAUSE.1),
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// The text of `result` in an answer; an error is [`Failure::Refused`] with its message.
pub(super) fn result_of(answer: &str) -> Result<String, Failure> {
    let unreadable = || Failure::BadAnswer("it is no JSON-RPC answer".to_owned());
    let Ok(envelope::Line::One(message)) = envelope::read(answer.as_bytes()) else {
        return Err(unreadable());
    };
    match (message.result, message.error) {
        (Some(result), _) => Ok(result.to_owned()),
        (None, Some(error)) => Err(Failure::Refused(
            http::text_member(error, "message").unwrap_or_else(|| "an error".to_owned()),
        )),
        (None, None) => Err(unreadable()),
    }
}

/// A poisoned lock only means that another task panicked between two assignments; the value is still whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
