//! The trade lane: cleared trade calls, and the lifecycle that they need. Nothing else can be sent on it.
//!
//! Before a call it agrees with the service on how to speak: by a handshake, or in the newer era by asking what the service
//! speaks. It declares no client capabilities, opens no standing stream, resumes nothing, and retries nothing. What it
//! cannot prove to have failed before running is reported as unknown.

use super::Failure;
use super::answer::{self, Large, Read};
use super::budget::{Budget, Use};
use super::era::{self, Era, Eras, HEADER_MISMATCH, UNSUPPORTED_VERSION, Verdict, error_code, supports_ours};
use super::http::{self, SESSION};
use super::modern::{Mirrors, headers_of, with_own_meta};
use super::read_lane::result_of;
use super::read_session::Hello;
use crate::gate::outcome::refused_proves_nothing_ran;
use crate::gate::{Cleared, NotRun};
use crate::oauth::{Bearer, Endpoint};
use crate::wire::envelope::{self, Id, Line};
use crate::wire::mirror;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long the answer to a sent order is waited for. `ReversePosition` alone takes 5 s by its documentation.
const OUTCOME: Duration = Duration::from_secs(60);
/// How often a handshake waits for the rate limiter, and how long (seconds) at most: an approved order has 10 s.
const RATE_TRIES: usize = 3;
const RATE_PATIENCE: u64 = 2;
/// How long a call waits for the handshake that another one began; then it makes one of its own. Where that one hangs, a way
/// out must not hang with it.
const SHARED: Duration = Duration::from_secs(2);
/// Pages of the tool list that are followed.
const PAGES: usize = 100;

/// What the service said to a sent call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// A result (its text). Whether it speaks of success is for the gate to read.
    Result(String),
    /// A JSON-RPC error that says the call was not taken (its text).
    Refused(String),
    /// Nothing that proves either way; why.
    Unknown(String),
}

/// A call that provably did not run, given back.
#[derive(Debug)]
pub struct GivenBack {
    /// The call.
    pub not_run: NotRun,
    /// The proof.
    pub why: NotSent,
    /// Whether the call had left: then the service's answer is all that says that it did not run.
    pub left: bool,
}

impl GivenBack {
    /// One of which no byte left.
    fn unsent(cleared: Cleared, why: NotSent) -> Self {
        Self {
            not_run: cleared.not_run(),
            why,
            left: false,
        }
    }
}

/// Why a call provably did not run.
#[derive(Debug)]
pub enum NotSent {
    /// Connecting failed: no byte of the call left.
    Connect(String),
    /// 401: the token was not taken.
    Unauthorized,
    /// 404 on a session: it was gone.
    SessionLost,
    /// 403 `insufficient_scope`; the scope asked for.
    Scope(String),
    /// 403 about the plan.
    Plan,
    /// The documented answer of the rate limiter; seconds where said.
    RateLimited(Option<u64>),
    /// 400 with `-32020`: other headers are wanted. The tool's definition may be another one by now.
    Headers,
    /// 400 with `-32022`: the service does not speak this revision any more.
    Revision,
    /// The handshake before the call failed.
    Handshake(String),
    /// Sending could not start in time, or something forbade it at the last moment; why.
    Stopped(String),
}

impl std::fmt::Display for NotSent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connect(why) => write!(f, "the service cannot be reached: {why}"),
            Self::Unauthorized => f.write_str("the service did not take the trade sign-in"),
            Self::SessionLost => f.write_str("the service had forgotten the session"),
            Self::Scope(scope) => write!(
                f,
                "the trade sign-in lacks {scope}: run `countersign login --trade`"
            ),
            Self::Plan => f.write_str("CrossTrade's MCP needs the Elite plan"),
            Self::RateLimited(Some(seconds)) => {
                write!(f, "the service asks to slow down: again in {seconds} s")
            }
            Self::RateLimited(None) => f.write_str("the service asks to slow down"),
            Self::Headers => {
                f.write_str("the service did not take the call as its description of the tool says")
            }
            Self::Revision => f.write_str("the service changed to another revision of the protocol"),
            Self::Stopped(why) => f.write_str(why),
            Self::Handshake(why) => write!(f, "the trade connection could not be opened: {why}"),
        }
    }
}

/// What was agreed with the service before anything is sent.
#[derive(Debug, Clone)]
struct Session {
    way: Way,
    /// The token that it was opened with: another token means another session.
    bearer: Bearer,
}

/// How each message goes.
#[derive(Debug, Clone)]
enum Way {
    /// In a session (2025-11-25 and before).
    Legacy {
        id: Option<HeaderValue>,
        version: String,
    },
    /// For itself (2026-07-28); the service has said that it speaks so.
    Modern,
}

impl Session {
    /// Whether it is of the service's era, as far as that is known: the reads for a card may have found it to have moved.
    fn fits(&self, now: Option<Era>) -> bool {
        let mine = match self.way {
            Way::Legacy { .. } => Era::Legacy,
            Way::Modern => Era::Modern,
        };
        now.is_none_or(|now| now == mine)
    }

    fn has_id(&self) -> bool {
        matches!(self.way, Way::Legacy { id: Some(_), .. })
    }
}

/// The trade lane.
#[derive(Debug)]
pub struct TradeLane {
    http: reqwest::Client,
    endpoint: Endpoint,
    budget: Budget,
    eras: Eras,
    mirrors: Mirrors,
    large: Large,
    session: Mutex<Option<Session>>,
    opening: tokio::sync::Mutex<()>,
    count: AtomicU64,
}

impl TradeLane {
    /// A lane to this endpoint. Nothing is opened.
    pub fn new(http: reqwest::Client, endpoint: Endpoint, budget: Budget, eras: Eras) -> Self {
        Self {
            http,
            endpoint,
            budget,
            eras,
            mirrors: Mirrors::default(),
            large: Large::default(),
            session: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            count: AtomicU64::new(1),
        }
    }

    /// Where it leads.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Opens connection and session, so that an approved call finds both there.
    ///
    /// # Errors
    /// Whatever keeps it from opening; nothing is lost by it.
    pub async fn warm(&self, bearer: &Bearer) -> Result<(), Failure> {
        self.session(bearer).await.map(drop)
    }

    /// The service's tools that its last listing left out, and why.
    pub fn left_out(&self) -> Vec<(String, String)> {
        if self.eras.known() == Some(Era::Legacy) {
            return Vec::new();
        }
        self.mirrors.left_out()
    }

    /// Sends one cleared call, once. Session and budget are had before `start_by` (monotonic ms) or nothing is sent;
    /// `still` is asked at the very last moment before the first byte. `schema` is the tool's pinned input schema: it says
    /// which arguments stand in headers as well (2026-07-28). An error gives the call back with the proof that it did not
    /// run.
    ///
    /// # Errors
    /// [`GivenBack`] where the service, the network or we ourselves prove that nothing ran.
    pub async fn send(
        &self,
        cleared: Cleared,
        bearer: &Bearer,
        schema: &str,
        start_by: u64,
        still: &(dyn Fn() -> Result<(), String> + Send + Sync),
    ) -> Result<Sent, GivenBack> {
        if cleared.endpoint() != self.endpoint.url() {
            let why = "it was held for another address".to_owned();
            return Err(GivenBack::unsent(cleared, NotSent::Stopped(why)));
        }
        let ready = async {
            let session = self.session(bearer).await?;
            self.budget.turn(Use::Own).await;
            Ok::<_, Failure>(session)
        };
        let left = Duration::from_millis(start_by.saturating_sub(crate::system::mono_ms()));
        let session = match tokio::time::timeout(left, ready).await {
            Ok(Ok(session)) => session,
            Ok(Err(failure)) => return Err(GivenBack::unsent(cleared, before(failure))),
            Err(_) => {
                let why = "sending could not start within 10 s of the approval".to_owned();
                return Err(GivenBack::unsent(cleared, NotSent::Stopped(why)));
            }
        };
        let (params, headers) = match written(&session.way, &cleared, schema) {
            Ok(written) => written,
            Err(why) => return Err(GivenBack::unsent(cleared, NotSent::Stopped(why))),
        };
        let (id, text) = self.compose("tools/call", &params);
        if let Err(why) = still() {
            return Err(GivenBack::unsent(cleared, NotSent::Stopped(why)));
        }
        // One minute for head and body together: what is told after it must not have taken longer.
        let until = tokio::time::Instant::now() + OUTCOME;
        let response = match tokio::time::timeout_at(until, self.post(&text, bearer, headers)).await {
            Err(_) => return Ok(Sent::Unknown("no answer within 60 s".to_owned())),
            Ok(Err(Failure::Connect(why))) => return Err(GivenBack::unsent(cleared, NotSent::Connect(why))),
            Ok(Err(failure)) => return Ok(Sent::Unknown(failure.to_string())),
            Ok(Ok(response)) => response,
        };
        if response.status().is_success() {
            return Ok(
                match tokio::time::timeout_at(until, answer::read(response, &id, &self.large, &|_| {})).await
                {
                    Ok(Ok(Read::Answer(answer))) if answer.sole => told(&answer.text),
                    // An error without an id may be about anything, and of two answers in one batch neither counts.
                    Ok(Ok(Read::Answer(_))) => {
                        Sent::Unknown("an answer that may be to something else".to_owned())
                    }
                    Ok(Ok(Read::Ended { why, .. })) => Sent::Unknown(why),
                    Ok(Err(failure)) => Sent::Unknown(failure.to_string()),
                    Err(_) => Sent::Unknown("no answer within 60 s".to_owned()),
                },
            );
        }
        self.refused(cleared, response, &id, &session).await
    }

    async fn refused(
        &self,
        cleared: Cleared,
        response: Response,
        id: &Id,
        session: &Session,
    ) -> Result<Sent, GivenBack> {
        let status = response.status();
        let in_newer = matches!(session.way, Way::Modern);
        let refusal = tokio::time::timeout(
            Duration::from_secs(10),
            answer::refusal(response, Some(id), session.has_id()),
        )
        .await;
        let why = match refusal {
            Ok(Ok(text)) => match (status, error_code(&text)) {
                // Found before anything is run (2026-07-28, Streamable HTTP, server validation; versioning). In the older
                // era these codes are free: a server may mean anything by them. There only the one proves it that names
                // the newer era as what is spoken, as the older one has no such answer.
                (StatusCode::BAD_REQUEST, Some(HEADER_MISMATCH)) if in_newer => NotSent::Headers,
                (StatusCode::BAD_REQUEST, Some(UNSUPPORTED_VERSION)) if in_newer != supports_ours(&text) => {
                    self.eras.learn(if in_newer { Era::Legacy } else { Era::Modern });
                    NotSent::Revision
                }
                _ if status.is_server_error() => {
                    return Ok(Sent::Unknown(format!("HTTP {}", status.as_u16())));
                }
                _ => return Ok(told(&text)),
            },
            Ok(Err(Failure::Unauthorized)) => NotSent::Unauthorized,
            // Only a 404 proves it. A 400 that merely mentions a session is no proof.
            Ok(Err(Failure::SessionLost)) if status == StatusCode::NOT_FOUND => NotSent::SessionLost,
            Ok(Err(Failure::Scope(scope))) => NotSent::Scope(scope),
            Ok(Err(Failure::Plan)) => NotSent::Plan,
            Ok(Err(Failure::RateLimited(wait))) => NotSent::RateLimited(wait),
            Ok(Err(failure)) => return Ok(Sent::Unknown(failure.to_string())),
            Err(_) => return Ok(Sent::Unknown(format!("HTTP {}", status.as_u16()))),
        };
        *self.kept() = None;
        Err(GivenBack {
            not_run: cleared.not_run(),
            why,
            left: true,
        })
    }

    /// The tools that the trade grant sees, as texts.
    ///
    /// # Errors
    /// As [`Self::warm`].
    pub async fn list_tools(&self, bearer: &Bearer) -> Result<Vec<String>, Failure> {
        let listed = http::list_all(PAGES, "tools", |params| async move {
            self.ask("tools/list", &params, bearer).await
        })
        .await?;
        if self
            .kept()
            .as_ref()
            .is_none_or(|session| !matches!(session.way, Way::Modern))
        {
            return Ok(listed);
        }
        let all: Vec<&str> = listed.iter().map(String::as_str).collect();
        Ok(self.mirrors.note(&all).into_iter().map(str::to_owned).collect())
    }

    /// The accounts that the trade grant sees: asked once at sign-in, to be sure whose grant it is.
    ///
    /// # Errors
    /// As [`Self::warm`].
    pub async fn list_accounts(&self, bearer: &Bearer) -> Result<String, Failure> {
        self.ask("tools/call", r#"{"name":"ListAccounts","arguments":{}}"#, bearer)
            .await
    }

    /// Ends the session, at most a second long.
    pub async fn close(&self) {
        let Some(session) = self.kept().take() else { return };
        let Way::Legacy {
            id: Some(id),
            version,
        } = &session.way
        else {
            return;
        };
        let headers = http::headers(Some(&session.bearer), Some(id), Some(version));
        let request = self.http.delete(self.endpoint.url()).headers(headers).send();
        let _ = tokio::time::timeout(Duration::from_secs(1), request).await;
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Session>> {
        self.session
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn compose(&self, method: &str, params: &str) -> (Id, String) {
        let id = Id::ours(&format!(
            "cs-trade-{}",
            self.count.fetch_add(1, Ordering::Relaxed)
        ));
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":"{method}","params":{params}}}"#,
            id.raw()
        );
        (id, text)
    }

    async fn post(&self, text: &str, bearer: &Bearer, more: HeaderMap) -> Result<Response, Failure> {
        let mut headers = http::headers(Some(bearer), None, None);
        headers.extend(more);
        self.http
            .post(self.endpoint.url())
            .headers(headers)
            .body(text.to_owned())
            .send()
            .await
            .map_err(|error| Failure::of(&error))
    }

    async fn ask(&self, method: &str, params: &str, bearer: &Bearer) -> Result<String, Failure> {
        let mut again = false;
        loop {
            let session = self.session(bearer).await?;
            let outcome = self.ask_in(&session, method, params, bearer).await;
            // Refused unrun, and the next session is one that fits.
            let Err(Failure::Revision(modern)) = outcome else {
                return outcome;
            };
            *self.kept() = None;
            self.eras.learn(if modern { Era::Modern } else { Era::Legacy });
            if again {
                return outcome;
            }
            again = true;
        }
    }

    async fn ask_in(
        &self,
        session: &Session,
        method: &str,
        params: &str,
        bearer: &Bearer,
    ) -> Result<String, Failure> {
        self.budget.turn(Use::Own).await;
        let (params, headers) = match &session.way {
            Way::Legacy { id, version } => (params.to_owned(), http::session(id.as_ref(), Some(version))),
            Way::Modern => {
                let params = with_own_meta(params);
                let headers = headers_of(method, &params, &[]);
                (params, headers)
            }
        };
        let (id, text) = self.compose(method, &params);
        let response = tokio::time::timeout(http::HEAD, self.post(&text, bearer, headers))
            .await
            .map_err(|_| Failure::Broken("no answer in time".to_owned()))??;
        self.whole(response, &id, session.has_id()).await
    }

    async fn whole(&self, response: Response, id: &Id, had_session: bool) -> Result<String, Failure> {
        if !response.status().is_success() {
            return result_of(&answer::refusal(response, Some(id), had_session).await?);
        }
        match answer::read(response, id, &self.large, &|_| {}).await? {
            Read::Answer(answer) => result_of(&answer.text),
            Read::Ended { why, .. } => Err(Failure::Broken(why)),
        }
    }

    async fn session(&self, bearer: &Bearer) -> Result<Session, Failure> {
        let _turn = tokio::time::timeout(SHARED, self.opening.lock()).await.ok();
        if let Some(session) = self
            .kept()
            .clone()
            .filter(|session| session.bearer.same_as(bearer) && session.fits(self.eras.known()))
        {
            return Ok(session);
        }
        let mut opened = self.open(bearer).await;
        // A connection that the service closed while it was idle is found out by using it, and a handshake may break on it
        // without harm: better it than the order.
        if matches!(opened, Err(Failure::Broken(_))) {
            opened = self.open(bearer).await;
        }
        for _ in 0..RATE_TRIES {
            let Err(Failure::RateLimited(wait) | Failure::Throttled(wait)) = opened else {
                break;
            };
            tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1).min(RATE_PATIENCE))).await;
            opened = self.open(bearer).await;
        }
        let session = opened?;
        *self.kept() = Some(session.clone());
        Ok(session)
    }

    /// Agrees with the service on how to speak, first as it spoke the last time. It may be done again and again: no call is
    /// in it.
    async fn open(&self, bearer: &Bearer) -> Result<Session, Failure> {
        let known = self.eras.known();
        let first = known.unwrap_or(Era::Modern);
        let opened = match self.open_as(first, bearer).await {
            Ok(session) => Ok((session, first)),
            Err(failure)
                if says_no(&failure) || (known.is_none() && era::verdict_of(failure.clone()).is_ok()) =>
            {
                let other = first.other();
                match self.open_as(other, bearer).await {
                    Ok(session) => Ok((session, other)),
                    // What was expected to work is the one to tell of.
                    Err(_) if known.is_some() => Err(failure),
                    Err(second) => Err(second),
                }
            }
            Err(failure) => Err(failure),
        };
        let (session, era) = opened?;
        self.eras.learn(era);
        Ok(session)
    }

    async fn open_as(&self, era: Era, bearer: &Bearer) -> Result<Session, Failure> {
        match era {
            Era::Legacy => self.handshake(bearer).await,
            Era::Modern => self.discover(bearer).await,
        }
    }

    /// The newer era has no handshake: the service says that it speaks so, and takes the token.
    async fn discover(&self, bearer: &Bearer) -> Result<Session, Failure> {
        let params = with_own_meta("{}");
        let headers = headers_of("server/discover", &params, &[]);
        let (id, text) = self.compose("server/discover", &params);
        let asked = tokio::time::timeout(era::PROBE, async {
            self.budget.turn(Use::Own).await;
            let response = self.post(&text, bearer, headers).await?;
            if !response.status().is_success() {
                return answer::refusal(response, Some(&id), false).await;
            }
            match answer::read(response, &id, &self.large, &|_| {}).await? {
                Read::Answer(answer) => Ok(answer.text),
                Read::Ended { why, .. } => Err(Failure::Broken(why)),
            }
        });
        let answer = asked
            .await
            .map_err(|_| Failure::Broken("no answer in time".to_owned()))??;
        self.eras.note_discovery(&answer);
        match era::verdict(&answer) {
            Verdict::Of(Era::Modern) => Ok(Session {
                way: Way::Modern,
                bearer: bearer.clone(),
            }),
            Verdict::Of(Era::Legacy) => Err(Failure::Revision(false)),
            Verdict::Open => Err(Failure::BadAnswer("it is no JSON-RPC answer".to_owned())),
        }
    }

    /// One handshake of the older era.
    async fn handshake(&self, bearer: &Bearer) -> Result<Session, Failure> {
        let Hello {
            version,
            capabilities,
            client_info,
        } = Hello::default();
        let params = format!(
            r#"{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{client_info}}}"#
        );
        let (id, text) = self.compose("initialize", &params);
        let opened = tokio::time::timeout(http::HEAD, async {
            self.budget.turn(Use::Own).await;
            let response = self.post(&text, bearer, HeaderMap::new()).await?;
            let session_id = response.headers().get(SESSION).cloned();
            let result = self.whole(response, &id, false).await?;
            let version = http::text_member(&result, "protocolVersion")
                .ok_or_else(|| Failure::BadAnswer("its handshake names no protocol version".to_owned()))?;
            let headers = http::session(session_id.as_ref(), Some(&version));
            let session = Session {
                way: Way::Legacy {
                    id: session_id,
                    version,
                },
                bearer: bearer.clone(),
            };
            let ready = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
            self.budget.turn(Use::Own).await;
            let ready = self.post(ready, bearer, headers).await?;
            match ready.status().as_u16() {
                200..=299 => Ok(session),
                429 => Err(Failure::RateLimited(None)),
                status => Err(Failure::Status(status)),
            }
        });
        opened
            .await
            .map_err(|_| Failure::Broken("no answer in time".to_owned()))?
    }
}

/// The params and the headers of a cleared call. In the newer era what stands in headers is read from the very bytes that
/// are sent, at the places that the pinned definition names.
fn written(way: &Way, cleared: &Cleared, schema: &str) -> Result<(String, HeaderMap), String> {
    let params = cleared.params();
    match way {
        Way::Legacy { id, version } => Ok((params, http::session(id.as_ref(), Some(version)))),
        Way::Modern => {
            let mirrored = mirror::annotations(schema).map_err(|why| {
                format!(
                    "the service's description of {} cannot be followed: {why}",
                    cleared.tool()
                )
            })?;
            let params = with_own_meta(&params);
            let headers = headers_of("tools/call", &params, &mirrored);
            Ok((params, headers))
        }
    }
}

/// Whether a service of the other era would have answered so to the opening question.
fn says_no(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Revision(_) | Failure::Refused(_) | Failure::SessionLost | Failure::Status(400..=499)
    )
}

/// A failure before the call was sent: whatever it was, the call did not run.
fn before(failure: Failure) -> NotSent {
    match failure {
        Failure::Connect(why) => NotSent::Connect(why),
        Failure::Unauthorized => NotSent::Unauthorized,
        Failure::SessionLost => NotSent::SessionLost,
        Failure::Scope(scope) => NotSent::Scope(scope),
        Failure::Plan => NotSent::Plan,
        Failure::RateLimited(wait) => NotSent::RateLimited(wait),
        other => NotSent::Handshake(other.to_string()),
    }
}

/// Reads an answer to a sent call. JSON-RPC errors that say "this request is not one" prove that it was not taken;
/// any other error may have come up while it ran.
fn told(text: &str) -> Sent {
    let Ok(Line::One(message)) = envelope::read(text.as_bytes()) else {
        return Sent::Unknown("an answer that cannot be read".to_owned());
    };
    if let Some(result) = message.result {
        return Sent::Result(result.to_owned());
    }
    let error = message.error.unwrap_or("{}");
    let code = crate::wire::json::members(error).ok().and_then(|members| {
        members
            .iter()
            .find(|member| member.key == "code")
            .and_then(|member| member.value.parse::<i64>().ok())
    });
    let what = http::text_member(error, "message").unwrap_or_else(|| "an error".to_owned());
    match code {
        Some(code) if refused_proves_nothing_ran(code, &what) => Sent::Refused(what),
        _ => Sent::Unknown(what),
    }
}
