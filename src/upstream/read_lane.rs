//! The read lane: everything but cleared trade calls, with the read grant.
//!
//! Here: requests and their answers. Sessions and the standing stream are in `read_session`.

use super::Failure;
use super::answer::{self, Answer, Large, Read};
use super::budget::{Budget, Use};
use super::era::{Era, Eras, UNSUPPORTED_VERSION, error_code, supports_ours};
use super::http::{self, LAST_EVENT};
use super::keys::{Challenged, Keys};
use super::modern::Mirrors;
use super::read_session::{InUse, Sessions};
use super::sse_legacy::TwoAddresses;
use crate::oauth::{Bearer, Endpoint};
use crate::wire::envelope::{self, Id, Message};
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use url::Url;

/// The longest wait that a `Retry-After` may ask of a read.
pub(super) const PATIENCE: u64 = 10;
/// A read that took longer than this before it failed is not tried again: nobody waits for twice a time limit.
const AGAIN: Duration = Duration::from_secs(20);
/// How often a cut stream is taken up again before its request is given up.
const RESUMES: u32 = 5;
/// What is with the service at once: each may cost a connection, and a process has only so many files. The others wait.
/// Requests of the client.
const ASKING: usize = 256;
/// Notifications, and beside them replies and cancels, which must not wait behind notifications.
const TELLING: usize = 32;
/// Pages of a list that are followed; a server that pages without end is stopped here.
const PAGES: usize = 100;

/// What comes from the service without being an answer: a notification or a request to the client.
/// With the id of the request on whose stream it came, where it came on one.
pub type SideEvent = dyn Fn(&Message<'_>, Option<&Id>) + Send + Sync;

/// What is told to the service without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// A notification.
    Notice,
    /// An answer to a request of the service, or a cancel: something waits for it.
    Reply,
}

/// Whether a request may be sent once more when it may have been run already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It only reads: running it twice harms nobody.
    Harmless,
    /// It may change something: it is sent once more only where the first sending proves not to have run.
    Never,
}

/// The read lane. Cheap to clone; all clones are one lane.
#[derive(Clone)]
pub struct ReadLane(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) http: reqwest::Client,
    pub(super) endpoint: Endpoint,
    pub(super) keys: Box<dyn Keys>,
    pub(super) budget: Budget,
    pub(super) sessions: Sessions,
    pub(super) side: Box<SideEvent>,
    pub(super) large: Large,
    pub(super) mirrors: Mirrors,
    /// `None` where the owner of the lane decides in which era each request goes.
    pub(super) eras: Option<Eras>,
    pub(super) asking: Semaphore,
    telling: [Semaphore; 2],
    /// Servers of 2024-11-05 with two addresses are spoken to as well.
    pub(super) two_addresses: AtomicBool,
    count: AtomicU64,
    prefix: String,
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
    /// unasked. With `eras` the lane's own requests find out of which era the service is.
    pub fn new(
        http: reqwest::Client,
        endpoint: Endpoint,
        keys: Box<dyn Keys>,
        budget: Budget,
        eras: Option<Eras>,
        side: Box<SideEvent>,
    ) -> Self {
        let prefix = format!("cs-{:08x}-", crate::system::clock::wall_ms() & 0xffff_ffff);
        Self(Arc::new(Inner {
            http,
            endpoint,
            keys,
            budget,
            sessions: Sessions::default(),
            side,
            large: Large::default(),
            mirrors: Mirrors::default(),
            eras,
            asking: Semaphore::new(ASKING),
            telling: [TELLING; 2].map(Semaphore::new),
            two_addresses: AtomicBool::new(false),
            count: AtomicU64::new(1),
            prefix,
        }))
    }

    /// Whether both are one lane.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Speaks to servers of 2024-11-05 with two addresses as well.
    #[must_use]
    pub fn with_two_addresses(self) -> Self {
        self.0.two_addresses.store(true, Ordering::Relaxed);
        self
    }

    /// Sends a request of the client as it is, and returns the answer on one line.
    ///
    /// # Errors
    /// Whatever keeps the answer from coming. Passing faults are tried once more.
    pub async fn request(&self, text: String, id: &Id, repeat: Repeat) -> Result<Answer, Failure> {
        let text = Bytes::from(text);
        // Never closed, so there is always a permit in the end.
        let _permit = self.0.asking.acquire().await.ok();
        let mut tries = 0;
        let began = tokio::time::Instant::now();
        loop {
            tries += 1;
            match self.request_once(&text, id, Use::Client).await {
                Err(failure)
                    if tries == 1
                        && failure.may_pass()
                        && began.elapsed() < AGAIN
                        && (repeat == Repeat::Harmless || matches!(failure, Failure::Connect(_))) =>
                {
                    tracing::info!(%failure, "a read is tried once more");
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                // One new session for each request, and no more: the service may mean something else by its refusal.
                Err(Failure::SessionLost) if tries == 1 => tracing::info!("a session was lost"),
                // Only a 404 proves that the request did not run.
                Err(Failure::SessionDoubted(_)) if tries == 1 && repeat == Repeat::Harmless => {
                    tracing::info!("a session may be lost");
                }
                Err(Failure::SessionDoubted(Some(answer))) => return Ok(Answer::small(answer)),
                Err(Failure::RateLimited(wait) | Failure::Throttled(wait))
                    if tries == 1 && repeat == Repeat::Harmless && wait.unwrap_or(1) <= PATIENCE =>
                {
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
        self.own_for(method, params, Use::Own).await
    }

    /// Waits for a turn in the budget; [`Self::own_for`] then makes the request as [`Use::Drawn`].
    pub async fn turn(&self, purpose: Use) {
        self.0.budget.turn(purpose).await;
    }

    /// As [`Self::own`], in another part of the budget.
    ///
    /// # Errors
    /// As [`Self::own`].
    pub async fn own_for(&self, method: &str, params: &str, purpose: Use) -> Result<String, Failure> {
        let (mut purpose, mut again) = (purpose, false);
        loop {
            let era = self.era().await?;
            let outcome = match era {
                Era::Legacy => self.own_legacy(method, params, purpose).await,
                Era::Modern => self.own_modern(method, params, purpose).await,
            };
            if again || !self.has_moved(era, &outcome).await {
                return result_of(&outcome?.text);
            }
            // A turn that was drawn before is spent.
            (purpose, again) = (Use::Own, true);
        }
    }

    async fn own_legacy(&self, method: &str, params: &str, purpose: Use) -> Result<Answer, Failure> {
        let (id, text) = self.compose(method, params);
        let text = Bytes::from(text);
        match self.request_once(&text, &id, purpose).await {
            Err(Failure::RateLimited(wait) | Failure::Throttled(wait)) if wait.unwrap_or(1) <= PATIENCE => {
                tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1))).await;
                self.request_once(&text, &id, purpose).await
            }
            outcome => outcome,
        }
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

    /// Sends a notification or a response of the client as it is, in the session that it belongs to where there is one.
    ///
    /// # Errors
    /// Whatever keeps the service from taking it.
    pub async fn tell(&self, text: String, word: Word, session: Option<InUse>) -> Result<(), Failure> {
        let [notices, replies] = &self.0.telling;
        let way = match word {
            Word::Notice => notices,
            Word::Reply => replies,
        };
        let _permit = way.acquire().await.ok();
        let session = match session {
            Some(session) => session,
            None => self.session().await?,
        };
        let (response, _) = self.post(&Bytes::from(text), None, session, Use::Client).await?;
        if response.status().is_success() {
            Ok(())
        } else {
            answer::refusal(response, None, true).await.map(drop)
        }
    }

    pub(super) fn compose(&self, method: &str, params: &str) -> (Id, String) {
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

    async fn request_once(&self, text: &Bytes, id: &Id, purpose: Use) -> Result<Answer, Failure> {
        let _running = self.running(id);
        let session = self.session().await?;
        if let Some(two) = session.two_addresses() {
            self.runs_in(id, &session);
            let answer = two.request(self, text, id, &session.headers(), purpose).await;
            if matches!(answer, Err(Failure::SessionLost | Failure::SessionDoubted(_))) {
                self.session_is_lost(&session);
            }
            return answer;
        }
        let (response, session) = self.post(text, Some(id), session, purpose).await?;
        if !response.status().is_success() {
            let had_session = session.id().is_some();
            let refusal = answer::refusal(response, Some(id), had_session).await;
            if matches!(refusal, Err(Failure::SessionLost | Failure::SessionDoubted(_))) {
                self.session_is_lost(&session);
            }
            return refusal.map(Answer::small);
        }
        match answer::read(response, id, &self.0.large, &self.side(&session, Some(id))).await? {
            Read::Answer(answer) => Ok(answer),
            Read::Ended {
                last_event,
                retry,
                why,
            } => self.resume(&session, id, last_event, retry, why).await,
        }
    }

    /// Posts a message, with a fresh token after a challenge and a fresh session after its loss. In both cases the
    /// service has said that it did not run the message. The session stays in use until the caller drops it.
    async fn post(
        &self,
        text: &Bytes,
        id: Option<&Id>,
        mut session: InUse,
        purpose: Use,
    ) -> Result<(Response, InUse), Failure> {
        let mut reopened = false;
        loop {
            if let Some(id) = id {
                self.runs_in(id, &session);
            }
            let response = self.in_session(text, &session, purpose).await?;
            if response.status() == StatusCode::NOT_FOUND && session.id().is_some() && !reopened {
                reopened = true;
                self.session_is_lost(&session);
                session = self.session().await?;
                continue;
            }
            return Ok((response, session));
        }
    }

    /// One POST in a session, to the address that the session has.
    pub(super) async fn in_session(
        &self,
        text: &Bytes,
        session: &InUse,
        purpose: Use,
    ) -> Result<Response, Failure> {
        let to = session.two_addresses().map(TwoAddresses::to);
        let to = to.unwrap_or_else(|| self.0.endpoint.parsed());
        self.authorized_at(to, text, &session.headers(), purpose).await
    }

    /// One POST to the endpoint with the lane's token; once more with another where the service challenges it and there is one.
    pub(super) async fn authorized(
        &self,
        text: &Bytes,
        extra: &HeaderMap,
        purpose: Use,
    ) -> Result<Response, Failure> {
        self.authorized_at(self.0.endpoint.parsed(), text, extra, purpose)
            .await
    }

    /// The same to an address of the endpoint's origin.
    pub(super) async fn authorized_at(
        &self,
        to: &Url,
        text: &Bytes,
        extra: &HeaderMap,
        purpose: Use,
    ) -> Result<Response, Failure> {
        let made = |bearer: Option<&Bearer>| {
            let post = self.0.http.post(to.clone()).headers(self.headers(bearer, extra));
            post.body(text.clone())
        };
        self.challenged(purpose, made).await
    }

    /// Sends what `made` makes with the lane's token; once more with another where the service challenges it and there is one.
    /// The head of each answer comes within [`http::HEAD`] or not at all.
    pub(super) async fn challenged(
        &self,
        purpose: Use,
        made: impl Fn(Option<&Bearer>) -> reqwest::RequestBuilder,
    ) -> Result<Response, Failure> {
        let mut bearer = self.0.keys.bearer().await?;
        for round in 0.. {
            // The service counts every HTTP request, the lifecycle included.
            self.0.budget.turn(purpose).await;
            let response = head(made(bearer.as_ref())).await?;
            let status = response.status();
            if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                return Ok(response);
            }
            let challenged = Challenged {
                status,
                challenge: http::challenge(response.headers()),
                refused: bearer,
                round,
            };
            match self.0.keys.after(challenged).await? {
                Some(other) => bearer = Some(other),
                None => return Ok(response),
            }
        }
        Err(Failure::Unauthorized)
    }

    pub(super) fn headers(&self, bearer: Option<&Bearer>, extra: &HeaderMap) -> HeaderMap {
        let mut headers = http::headers(bearer, None, None);
        for (name, value) in self.0.keys.headers().into_iter().flatten().chain(extra) {
            headers.insert(name, value.clone());
        }
        headers
    }

    /// Takes a cut stream up again after its last event (2025-11-25, resumability). Without an event id there is
    /// nothing to go on from.
    async fn resume(
        &self,
        session: &InUse,
        id: &Id,
        last: Option<String>,
        retry: Option<u64>,
        why: String,
    ) -> Result<Answer, Failure> {
        let (mut last, mut retry, mut why) = (last, retry, why);
        for attempt in 0..RESUMES {
            let Some(event) = last.clone() else { break };
            let pause = retry.unwrap_or(500u64 << attempt).min(30_000);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let response = match self.get_stream(session, Some(&event)).await {
                Ok(response) => response,
                Err(Failure::Connect(_) | Failure::Broken(_)) => continue,
                // Of the look, and not of the request, which is with the service since long.
                Err(failure) => return Err(Failure::Broken(format!("{why}; then {failure}"))),
            };
            if !response.status().is_success() {
                break;
            }
            let side = self.side(session, Some(id));
            match answer::stream(response, Some(id), Some(event), &self.0.large, &side).await? {
                Read::Answer(answer) => return Ok(answer),
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

    /// Opens a stream with GET: the standing one, or the rest of one that was cut.
    pub(super) async fn get_stream(&self, session: &InUse, after: Option<&str>) -> Result<Response, Failure> {
        let bearer = self.0.keys.bearer().await?;
        // Paid for in advance: the DELETE that ends the session cannot wait for a turn.
        self.0.budget.turn(Use::Client).await;
        let mut headers = self.headers(bearer.as_ref(), &session.headers());
        headers.insert(
            reqwest::header::ACCEPT,
            HeaderValue::from_static("text/event-stream"),
        );
        if let Some(value) = after.and_then(|after| HeaderValue::from_str(after).ok()) {
            headers.insert(LAST_EVENT, value);
        }
        self.0.budget.turn(Use::Client).await;
        head(self.0.http.get(self.0.endpoint.url()).headers(headers)).await
    }

    /// Ends a session at the service, at most a second long. Servers may refuse it (405).
    pub(super) async fn delete(&self, id: &HeaderValue, version: &str) {
        let Ok(Ok(bearer)) = tokio::time::timeout(Duration::from_millis(300), self.0.keys.bearer()).await
        else {
            return;
        };
        let headers = self.headers(bearer.as_ref(), &http::session(Some(id), Some(version)));
        let request = self.0.http.delete(self.0.endpoint.url()).headers(headers).send();
        let _ = tokio::time::timeout(Duration::from_secs(1), request).await;
    }
}

/// Sends a request and waits for the head of its answer.
pub(super) async fn head(request: reqwest::RequestBuilder) -> Result<Response, Failure> {
    match tokio::time::timeout(http::HEAD, request.send()).await {
        Ok(sent) => sent.map_err(|error| Failure::of(&error)),
        Err(_) => Err(Failure::Broken("no answer in time".to_owned())),
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
        (None, Some(_)) if error_code(answer) == Some(UNSUPPORTED_VERSION) => {
            Err(Failure::Revision(supports_ours(answer)))
        }
        (None, Some(error)) => Err(Failure::Refused(
            http::text_member(error, "message").unwrap_or_else(|| "an error".to_owned()),
        )),
        (None, None) => Err(unreadable()),
    }
}
