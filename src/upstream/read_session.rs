//! The sessions of the read lane (legacy eras): opened once whoever needs one, taken over by a new one when the
//! service forgets it or the client says hello anew, told again what the old one knew, and deleted at the end.
//!
//! Also the standing stream of a session, on which the service speaks unasked.

use super::Failure;
use super::answer::{self, Read};
use super::budget::Use;
use super::http::{self, SESSION, newest_common};
use super::read_lane::{PATIENCE, ReadLane, result_of};
use super::sse_legacy::{Listening, TwoAddresses};
use crate::wire::envelope::{Id, Kind, Message};
use crate::wire::json;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, join_all};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Pauses between attempts to open the standing stream, doubled up to the second.
const STREAM_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long a session that was replaced is kept for the requests that still run in it.
const RETIRED: Duration = Duration::from_secs(120);
/// Requests of the service that may wait for their answer at once.
const MAX_ASKED: usize = 1024;
/// Resource subscriptions that are remembered for the next session.
const MAX_SUBSCRIPTIONS: usize = 256;

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

/// One session. All clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Session(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    id: Option<HeaderValue>,
    version: String,
    /// The result of `initialize`.
    said: String,
    /// Requests that run in it.
    uses: TaskTracker,
    /// Fires when another session takes its place: its standing stream ends.
    over: CancellationToken,
    /// The stream and the other address, where the server has two.
    two: Option<TwoAddresses>,
}

impl Session {
    fn in_use(self) -> InUse {
        InUse {
            _held: self.0.uses.token(),
            session: self,
        }
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A session while something runs in it: it is not deleted before this is dropped.
#[derive(Debug)]
pub struct InUse {
    session: Session,
    _held: TaskTrackerToken,
}

impl InUse {
    /// The service's id of it; none where the service gave none.
    pub(super) fn id(&self) -> Option<&HeaderValue> {
        self.session.0.id.as_ref()
    }

    /// The stream and the other address, where the server has two (2024-11-05).
    pub(super) fn two_addresses(&self) -> Option<&TwoAddresses> {
        self.session.0.two.as_ref()
    }

    /// What each request in it carries.
    pub(super) fn headers(&self) -> HeaderMap {
        http::session(self.id(), Some(self.version()))
    }

    /// The negotiated revision.
    fn version(&self) -> &str {
        &self.session.0.version
    }
}

type Opening = Shared<BoxFuture<'static, Result<Session, Failure>>>;

/// The lane's sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    state: Mutex<State>,
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    hello: Hello,
    current: Option<Session>,
    /// The handshake under way: everybody who needs a session shares its outcome, also a failed one.
    opening: Option<Opening>,
    retired: Vec<Session>,
    told: Told,
    /// Where the client's requests run: a cancel belongs there, whatever session is the current one by then.
    running: HashMap<Id, Session>,
    /// Where the service's requests came from: their answers belong there.
    asked: HashMap<Id, Session>,
}

/// A request of the client, from its begin to its end.
#[derive(Debug)]
pub(super) struct Running {
    lane: ReadLane,
    id: Id,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.lane.state().running.remove(&self.id);
    }
}

/// What a session was told and the next one must be told again.
#[derive(Debug, Default, Clone)]
struct Told {
    /// The `params` of `logging/setLevel`.
    level: Option<String>,
    /// The `params` of `resources/subscribe` by resource.
    subscriptions: BTreeMap<String, String>,
}

impl ReadLane {
    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned lock only means that another task panicked between two assignments; the value is still whole.
        self.0
            .sessions
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the client said of itself. A session that was opened with other capabilities is left to the
    /// requests that run in it: the next request opens one that fits.
    pub fn greet(&self, hello: Hello) {
        let mut state = self.state();
        if state.hello == hello {
            return;
        }
        state.hello = hello;
        state.opening = None;
        if let Some(old) = state.current.take() {
            drop(state);
            self.retire(old);
        }
    }

    /// The client's name and capabilities as it said them last, as JSON texts.
    pub fn client_said(&self) -> (String, String) {
        let state = self.state();
        (state.hello.client_info.clone(), state.hello.capabilities.clone())
    }

    /// The session in which this request of the client runs.
    pub fn session_of(&self, request: &Id) -> Option<InUse> {
        let session = self.state().running.get(request).cloned();
        session.map(Session::in_use)
    }

    /// The session from which this request of the service came, once.
    pub fn asked_in(&self, request: &Id) -> Option<InUse> {
        let session = self.state().asked.remove(request);
        session.map(Session::in_use)
    }

    pub(super) fn running(&self, id: &Id) -> Running {
        Running {
            lane: self.clone(),
            id: id.clone(),
        }
    }

    pub(super) fn runs_in(&self, id: &Id, session: &InUse) {
        self.state().running.insert(id.clone(), session.session.clone());
    }

    /// What takes the messages of this session that are no answers.
    pub(super) fn side(
        &self,
        session: &InUse,
        request: Option<&Id>,
    ) -> impl Fn(&Message<'_>) + Send + Sync + use<> {
        let (lane, session, request) = (self.clone(), session.session.clone(), request.cloned());
        move |message: &Message<'_>| {
            if let Kind::Request(id) = &message.kind {
                let mut state = lane.state();
                // A service that asks without end and is not answered is forgotten: its answers go to the current one.
                if state.asked.len() >= MAX_ASKED {
                    state.asked.clear();
                }
                state.asked.insert(id.clone(), session.clone());
            }
            (lane.0.side)(message, request.as_ref());
        }
    }

    /// Notes what a request of the client set in the session, for the sessions that follow.
    pub fn remember(&self, method: &str, params: &str) {
        let uri = || {
            json::member(params, "uri")
                .ok()
                .flatten()
                .unwrap_or_default()
                .to_owned()
        };
        let mut state = self.state();
        match method {
            "logging/setLevel" => state.told.level = Some(params.to_owned()),
            "resources/subscribe" if state.told.subscriptions.len() < MAX_SUBSCRIPTIONS => {
                state.told.subscriptions.insert(uri(), params.to_owned());
            }
            "resources/unsubscribe" => drop(state.told.subscriptions.remove(&uri())),
            _ => {}
        }
    }

    /// Opens the session if there is none, so that the first request finds it open.
    ///
    /// # Errors
    /// As a request.
    pub async fn open(&self) -> Result<(), Failure> {
        self.session().await.map(drop)
    }

    /// What the service says of itself in its handshake: the result of `initialize`.
    ///
    /// # Errors
    /// As a request.
    pub async fn greeting(&self) -> Result<String, Failure> {
        self.session().await.map(|held| held.session.0.said.clone())
    }

    /// Ends all sessions (DELETE, at most a second) and closes the streams.
    pub async fn close(&self) {
        self.0.sessions.closed.cancel();
        let sessions: Vec<Session> = {
            let mut state = self.state();
            let current = state.current.take();
            std::mem::take(&mut state.retired)
                .into_iter()
                .chain(current)
                .collect()
        };
        join_all(sessions.iter().map(|session| self.end(session))).await;
    }

    async fn end(&self, session: &Session) {
        session.0.over.cancel();
        if let Some(two) = &session.0.two {
            two.over().cancel();
        }
        if let Some(id) = &session.0.id {
            self.delete(id, &session.0.version).await;
        }
    }

    /// Deletes a session that was replaced, once nothing runs in it any more.
    fn retire(&self, session: Session) {
        session.0.over.cancel();
        session.0.uses.close();
        self.state().retired.push(session.clone());
        let lane = self.clone();
        crate::system::spawn(async move {
            tokio::select! {
                () = lane.0.sessions.closed.cancelled() => return,
                _ = tokio::time::timeout(RETIRED, session.0.uses.wait()) => {}
            }
            lane.state().retired.retain(|other| !other.is(&session));
            lane.end(&session).await;
        });
    }

    /// Whether a session is open.
    pub(super) fn has_session(&self) -> bool {
        self.state().current.is_some()
    }

    /// The service has no sessions any more: the open one is over, with its stream.
    pub fn leave_session(&self) {
        if let Some(session) = self.state().current.take() {
            session.0.over.cancel();
        }
    }

    /// The service has forgotten this session; the next request opens another. Whether it was the current one.
    pub(super) fn session_is_lost(&self, lost: &InUse) -> bool {
        lost.session.0.over.cancel();
        if let Some(two) = lost.two_addresses() {
            two.over().cancel();
        }
        let mut state = self.state();
        let was_current = state
            .current
            .as_ref()
            .is_some_and(|current| current.is(&lost.session));
        if was_current {
            state.current = None;
        }
        was_current
    }

    /// The open session, or a new one. One handshake at a time, whoever needs it; it goes on when its first caller
    /// is cancelled.
    pub(super) async fn session(&self) -> Result<InUse, Failure> {
        let opening = {
            let mut state = self.state();
            if let Some(session) = &state.current {
                return Ok(session.clone().in_use());
            }
            let under_way = state.opening.clone();
            under_way.unwrap_or_else(|| {
                let opening = self.start_opening(state.hello.clone());
                state.opening.insert(opening).clone()
            })
        };
        opening.await.map(Session::in_use)
    }

    fn start_opening(&self, hello: Hello) -> Opening {
        let (send, receive) = oneshot::channel();
        let lane = self.clone();
        crate::system::spawn(async move {
            let opened = match tokio::time::timeout(http::HEAD, lane.handshake(&hello)).await {
                Ok(opened) => opened,
                Err(_) => Err(Failure::Broken("no answer in time".to_owned())),
            };
            lane.opened(&hello, opened.as_ref().ok());
            let _ = send.send(opened);
        });
        let lost = |_| Err(Failure::Broken("the handshake was cut off".to_owned()));
        receive.map(move |got| got.unwrap_or_else(lost)).boxed().shared()
    }

    /// Takes over the outcome of a handshake.
    fn opened(&self, hello: &Hello, session: Option<&Session>) {
        let mut state = self.state();
        let fits = state.hello == *hello;
        if fits {
            state.opening = None;
            state.current = session.cloned();
        }
        drop(state);
        match session {
            Some(session) if fits => {
                self.keep_told(session.clone());
                self.keep_stream(session.clone());
            }
            // The client has said another hello meanwhile.
            Some(session) => self.retire(session.clone()),
            None => {}
        }
    }

    async fn handshake(&self, hello: &Hello) -> Result<Session, Failure> {
        let params = format!(
            r#"{{"protocolVersion":"{}","capabilities":{},"clientInfo":{}}}"#,
            newest_common(&hello.version),
            hello.capabilities,
            hello.client_info
        );
        let (id, text) = self.compose("initialize", &params);
        let text = Bytes::from(text);
        let response = self.authorized(&text, &HeaderMap::new(), Use::Own).await?;
        let status = response.status();
        let session_id = response.headers().get(SESSION).cloned();
        let result = if response.status().is_success() {
            let side = |message: &Message<'_>| (self.0.side)(message, None);
            match answer::read(response, &id, &self.0.large, &side).await? {
                Read::Answer(answer) => result_of(&answer.text)?,
                Read::Ended { why, .. } => return Err(Failure::Broken(why)),
            }
        } else {
            let refused = answer::refusal(response, Some(&id), false).await;
            if self.0.two_addresses.load(Ordering::Relaxed) && may_have_two(status, &refused) {
                match self.handshake_by_two(&id, &text).await {
                    Ok(session) => return Ok(session),
                    Err(failure) => tracing::info!(%failure, "the server has no second address either"),
                }
            }
            result_of(&refused?)?
        };
        let session = Session(Arc::new(Opened {
            id: session_id,
            version: version_of(&result)?,
            said: result,
            uses: TaskTracker::new(),
            over: CancellationToken::new(),
            two: None,
        }));
        self.begun(session).await
    }

    /// The handshake with a server of 2024-11-05, over its two addresses.
    async fn handshake_by_two(&self, id: &Id, text: &Bytes) -> Result<Session, Failure> {
        let (two, listening) = TwoAddresses::open(self, CancellationToken::new()).await?;
        // The stream ends with a handshake that fails.
        let guard = two.over().clone().drop_guard();
        let whose = Arc::new(OnceLock::<Session>::new());
        self.listen_to(listening, Arc::clone(&whose));
        let answer = two.request(self, text, id, &HeaderMap::new(), Use::Own).await?;
        let result = result_of(&answer.text)?;
        let session = Session(Arc::new(Opened {
            id: None,
            version: version_of(&result)?,
            said: result,
            uses: TaskTracker::new(),
            over: CancellationToken::new(),
            two: Some(two),
        }));
        let _ = whose.set(session.clone());
        let session = self.begun(session).await?;
        guard.disarm();
        tracing::info!("the server is one of 2024-11-05 with two addresses");
        Ok(session)
    }

    /// Reads the stream of a server with two addresses in the background.
    fn listen_to(&self, listening: Listening, whose: Arc<OnceLock<Session>>) {
        let (lane, large) = (self.clone(), self.0.large.clone());
        crate::system::spawn(async move {
            let for_side = lane.clone();
            let side = move |message: &Message<'_>| match whose.get() {
                Some(session) => for_side.side(&session.clone().in_use(), None)(message),
                None => (for_side.0.side)(message, None),
            };
            tokio::select! {
                () = lane.0.sessions.closed.cancelled() => {}
                () = listening.read(large, side) => {}
            }
        });
    }

    /// Tells the service that the session has begun.
    async fn begun(&self, session: Session) -> Result<Session, Failure> {
        let in_use = session.clone().in_use();
        // The service must have this before anything else arrives (2025-11-25, lifecycle).
        let ready = Bytes::from_static(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        let ready = self.in_session(&ready, &in_use, Use::Own).await?;
        let status = ready.status();
        if !status.is_success() {
            // What it says decides whether it is asked again: the limiter's answer means later, not never.
            let refused = answer::refusal(ready, None, true).await;
            return Err(refused.err().unwrap_or(Failure::Status(status.as_u16())));
        }
        Ok(session)
    }

    /// Tells a new session what the ones before it had been told: beside its requests, in the client's part of the budget.
    /// What an order or a way out has to read waits for none of it.
    fn keep_told(&self, session: Session) {
        let told = self.state().told.clone();
        if told.level.is_none() && told.subscriptions.is_empty() {
            return;
        }
        let lane = self.clone();
        crate::system::spawn(async move {
            let over = session.0.over.clone();
            tokio::select! {
                () = lane.0.sessions.closed.cancelled() => {}
                () = over.cancelled() => {}
                () = lane.tell_again(&session, told) => {}
            }
        });
    }

    async fn tell_again(&self, session: &Session, told: Told) {
        // A session that was lost by now is not told the rest: the next one is told all of it.
        let _ = async {
            let level = || self.state().told.level.clone();
            if let Some(params) = level() {
                self.tell_one(session, "logging/setLevel", &params).await?;
                // Set anew meanwhile: the last word counts, whichever came first there.
                if let Some(newer) = level().filter(|newer| *newer != params) {
                    self.tell_one(session, "logging/setLevel", &newer).await?;
                }
            }
            let follows = |uri: &String| self.state().told.subscriptions.contains_key(uri);
            for (uri, params) in told.subscriptions {
                if !follows(&uri) {
                    continue;
                }
                self.tell_one(session, "resources/subscribe", &params).await?;
                // Let go of meanwhile.
                if !follows(&uri) {
                    self.tell_one(session, "resources/unsubscribe", &params).await?;
                }
            }
            Ok::<_, Failure>(())
        }
        .await;
    }

    /// Says one thing in this session, twice where the limiter asks for time.
    ///
    /// # Errors
    /// Where the session is gone. Another refusal is only logged.
    async fn tell_one(&self, session: &Session, method: &'static str, params: &str) -> Result<(), Failure> {
        for _ in 0..2 {
            let (id, text) = self.compose(method, params);
            let told = self.told_in(session, &Bytes::from(text), &id).await;
            let Err(failure) = told else { break };
            tracing::info!(%failure, method, "the new session could not be told again");
            match failure {
                Failure::RateLimited(wait) | Failure::Throttled(wait) if wait.unwrap_or(1) <= PATIENCE => {
                    tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1))).await;
                }
                Failure::SessionLost => {
                    self.session_is_lost(&session.clone().in_use());
                    return Err(failure);
                }
                _ => break,
            }
        }
        Ok(())
    }

    async fn told_in(&self, session: &Session, text: &Bytes, id: &Id) -> Result<String, Failure> {
        let in_use = session.clone().in_use();
        if let Some(two) = in_use.two_addresses() {
            let answer = two
                .request(self, text, id, &in_use.headers(), Use::Client)
                .await?;
            return result_of(&answer.text);
        }
        let response = self.in_session(text, &in_use, Use::Client).await?;
        if !response.status().is_success() {
            return result_of(&answer::refusal(response, Some(id), in_use.id().is_some()).await?);
        }
        match answer::read(response, id, &self.0.large, &self.side(&in_use, None)).await? {
            Read::Answer(answer) => result_of(&answer.text),
            Read::Ended { why, .. } => Err(Failure::Broken(why)),
        }
    }

    /// Keeps the standing stream of this session open for what the service says unasked.
    fn keep_stream(&self, session: Session) {
        let lane = self.clone();
        crate::system::spawn(async move {
            let over = session.0.over.clone();
            // The only stream of a server with two addresses carries the answers of all that runs in it.
            let is_only = session.0.two.is_some();
            tokio::select! {
                () = lane.0.sessions.closed.cancelled() => {}
                () = over.cancelled(), if !is_only => {}
                () = lane.follow_stream(session) => {}
            }
        });
    }

    /// Opens the next session when the only stream of a server with two addresses ends: it says nothing unasked without.
    async fn follow_two(&self, session: &Session, two: &TwoAddresses) {
        two.over().cancelled().await;
        // Replaced, or found out by a request, which opens the next one itself.
        if !self.session_is_lost(&session.clone().in_use()) {
            return;
        }
        let mut pause = STREAM_PAUSE.0;
        loop {
            tokio::time::sleep(pause).await;
            // What keeps a new session's stream is that session's own task.
            match self.session().await {
                Ok(_) => return,
                Err(failure) => tracing::info!(%failure, "the server's stream could not be opened again"),
            }
            pause = (pause * 2).min(STREAM_PAUSE.1);
        }
    }

    async fn follow_stream(&self, session: Session) {
        if let Some(two) = &session.0.two {
            return self.follow_two(&session, two).await;
        }
        let (mut pause, mut last) = (STREAM_PAUSE.0, None::<String>);
        let side = self.side(&session.clone().in_use(), None);
        loop {
            let opened = self.get_stream(&session.clone().in_use(), last.as_deref()).await;
            match opened {
                Ok(response) if response.status().is_success() => {
                    pause = STREAM_PAUSE.0;
                    let read = answer::stream(response, None, last.clone(), &self.0.large, &side).await;
                    if let Ok(Read::Ended {
                        last_event, retry, ..
                    }) = read
                    {
                        last = last_event;
                        pause = retry.map_or(pause, Duration::from_millis).min(STREAM_PAUSE.1);
                    }
                }
                // What came after an event that is no longer known is lost; what comes now need not be.
                Ok(response) if response.status() == StatusCode::BAD_REQUEST && last.is_some() => last = None,
                // 405: not offered. Other refusals would be the same again; a lost session is found by a request.
                Ok(response) if response.status().is_client_error() => return,
                Ok(_) | Err(_) => pause = (pause * 2).min(STREAM_PAUSE.1),
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// Whether a refused handshake may be that of a server with two addresses (2025-11-25, backwards compatibility): one of the
/// newer era says so in its error.
fn may_have_two(status: StatusCode, refused: &Result<String, Failure>) -> bool {
    let is_newer = |text: &String| {
        let error = json::member(text, "error").ok().flatten().unwrap_or("{}");
        let code = json::member(error, "code").ok().flatten();
        code.is_some_and(|code| matches!(code, "-32020" | "-32021" | "-32022"))
    };
    matches!(status.as_u16(), 400 | 404 | 405) && !refused.as_ref().is_ok_and(is_newer)
}

fn version_of(result: &str) -> Result<String, Failure> {
    http::text_member(result, "protocolVersion")
        .ok_or_else(|| Failure::BadAnswer("its handshake names no protocol version".to_owned()))
}
