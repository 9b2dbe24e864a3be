//! Servers of 2024-11-05 with two addresses (HTTP+SSE): one is read with GET and brings all that the server says, the other
//! takes what it is told, and answers with 202.
//!
//! Owns: finding the second address, which answer belongs to which request, and the end of the stream. Refuses to know: how a
//! session is kept and renewed; to `read_session` this is one more kind of session.

use super::Failure;
use super::answer::{self, Answer, Large, Pace, one_line};
use super::budget::Use;
use super::read_lane::ReadLane;
use crate::oauth::Bearer;
use crate::system::clock::mono_ms;
use crate::wire::envelope::{self, Id, Kind, Line, Message};
use crate::wire::sse;
use bytes::Bytes;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How long the server may take to name its second address: the first event of the stream, sent at once by those there are.
const NAMED: Duration = Duration::from_secs(10);
/// A stream on which nothing came for this long (ms) while a request waits is taken for dead.
const SILENCE_MS: u64 = 300_000;
/// How often a waiting request looks for that.
const LOOK: Duration = Duration::from_secs(5);
/// From here on an event is a large one (bytes): it takes one of the places for large answers.
const LARGE: usize = 1024 * 1024;

/// The stream, and where to speak. All clones are one.
#[derive(Debug, Clone)]
pub(super) struct TwoAddresses(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    to: Url,
    waiting: Mutex<HashMap<Id, oneshot::Sender<Answer>>>,
    /// When the last byte came (monotonic ms).
    heard: AtomicU64,
    /// Fires when the stream is at its end, or no longer wanted.
    over: CancellationToken,
}

/// What came first on a stream, and the rest of it.
struct Opened {
    to: Url,
    response: Response,
    parser: sse::Parser,
    /// Events that came in the same read as the address.
    early: Vec<sse::Event>,
}

impl TwoAddresses {
    /// Opens the stream with GET and waits for the second address.
    ///
    /// # Errors
    /// Where there is no stream, its first event names no address, or one of another origin: what a server says there goes
    /// where we send tokens and calls.
    pub(super) async fn open(lane: &ReadLane, over: CancellationToken) -> Result<(Self, Listening), Failure> {
        let named = async {
            let response = get(lane).await?;
            address(lane, response).await
        };
        let opened = match tokio::time::timeout(NAMED, named).await {
            Ok(opened) => opened?,
            Err(_) => {
                return Err(Failure::BadAnswer(
                    "its stream names no second address".to_owned(),
                ));
            }
        };
        let this = Self(Arc::new(Inner {
            to: opened.to.clone(),
            waiting: Mutex::default(),
            heard: AtomicU64::new(mono_ms()),
            over,
        }));
        Ok((this.clone(), Listening { of: this, opened }))
    }

    /// Fires when the stream is at its end.
    pub(super) fn over(&self) -> &CancellationToken {
        &self.0.over
    }

    /// Where the server wants to be spoken to.
    pub(super) fn to(&self) -> &Url {
        &self.0.to
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Id, oneshot::Sender<Answer>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request and waits for its answer on the stream. Dropping the future forgets it.
    ///
    /// # Errors
    /// [`Failure::SessionLost`] where the server refuses the message for want of the session, so that it did not run;
    /// [`Failure::Broken`] where the stream ends first.
    pub(super) async fn request(
        &self,
        lane: &ReadLane,
        text: &Bytes,
        id: &Id,
        headers: &HeaderMap,
        purpose: Use,
    ) -> Result<Answer, Failure> {
        // Nothing was sent yet: another session takes it.
        if self.0.over.is_cancelled() {
            return Err(Failure::SessionLost);
        }
        let (send, receive) = oneshot::channel();
        self.waiting().insert(id.clone(), send);
        let _forget = Forget { of: self, id };
        let response = lane.authorized_at(self.to(), text, headers, purpose).await?;
        if !response.status().is_success() {
            return answer::refusal(response, Some(id), true).await.map(Answer::small);
        }
        drop(response);
        let sent = mono_ms();
        let mut receive = std::pin::pin!(receive);
        loop {
            tokio::select! {
                // An answer that came just before the end of the stream is one.
                biased;
                answer = &mut receive => {
                    return answer.map_err(|_| Failure::Broken("the stream ended without the answer".to_owned()));
                }
                () = self.0.over.cancelled() => {
                    return Err(Failure::Broken("the stream ended without the answer".to_owned()));
                }
                () = tokio::time::sleep(LOOK) => {
                    let last = self.0.heard.load(Ordering::Relaxed).max(sent);
                    if mono_ms().saturating_sub(last) > SILENCE_MS {
                        self.0.over.cancel();
                        return Err(Failure::Broken("the stream went silent".to_owned()));
                    }
                }
            }
        }
    }

    /// One event of the stream.
    async fn take(&self, event: sse::Event, large: &Large, side: &(dyn Fn(&Message<'_>) + Send + Sync)) {
        if event.kind != "message" || event.data.is_empty() {
            return;
        }
        let mut place = None;
        if event.data.len() > LARGE {
            large.place(event.data.len(), &mut place).await;
        }
        let mut take = |message: &Message<'_>| {
            let Kind::Response(id) = &message.kind else {
                return side(message);
            };
            let Some(waiting) = self.waiting().remove(id) else {
                tracing::warn!("an answer to no request of ours was dropped");
                return;
            };
            let _ = waiting.send(Answer::placed(one_line(message.text).into_owned(), place.take()));
        };
        match envelope::read(event.data.as_bytes()) {
            Ok(Line::One(message)) => take(&message),
            Ok(Line::Batch(messages)) => messages
                .iter()
                .filter_map(|message| message.as_ref().ok())
                .for_each(take),
            Err(_) => tracing::warn!("an event of the server is no message"),
        }
    }
}

struct Forget<'a> {
    of: &'a TwoAddresses,
    id: &'a Id,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.of.waiting().remove(self.id);
    }
}

/// The open stream, before anybody reads on.
pub(super) struct Listening {
    of: TwoAddresses,
    opened: Opened,
}

impl Listening {
    /// Reads the stream to its end, or until it is no longer wanted.
    pub(super) async fn read(self, large: Large, side: impl Fn(&Message<'_>) + Send + Sync) {
        let Self { of, opened } = self;
        let over = of.0.over.clone();
        let _end = over.clone().drop_guard();
        let Opened {
            mut response,
            mut parser,
            early,
            ..
        } = opened;
        let reading = async {
            for event in early {
                of.take(event, &large, &side).await;
            }
            // Between events the stream may be still for long; an event that has begun comes on.
            let mut pace = parser.is_inside().then(Pace::default);
            loop {
                let chunk = response.chunk();
                let chunk = match &pace {
                    Some(pace) => tokio::time::timeout_at(pace.until(), chunk).await,
                    None => Ok(chunk.await),
                };
                let chunk = match chunk {
                    Ok(Ok(Some(chunk))) => chunk,
                    Ok(Ok(None) | Err(_)) => return,
                    Err(_) => {
                        tracing::warn!("an event stopped coming; the stream is given up");
                        return;
                    }
                };
                of.0.heard.store(mono_ms(), Ordering::Relaxed);
                let mut events = Vec::new();
                if parser.push(&chunk, |event| events.push(event)).is_err() {
                    tracing::warn!("an event is longer than the bound; the stream is given up");
                    return;
                }
                if !events.is_empty() {
                    pace = None;
                }
                for event in events {
                    of.take(event, &large, &side).await;
                }
                if parser.is_inside() {
                    pace.get_or_insert_default().came(chunk.len());
                } else {
                    pace = None;
                }
            }
        };
        over.run_until_cancelled(reading).await;
    }
}

/// The stream, with a token where the server asks for one.
async fn get(lane: &ReadLane) -> Result<Response, Failure> {
    let made = |bearer: Option<&Bearer>| {
        let mut headers = lane.headers(bearer, &HeaderMap::new());
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.remove(reqwest::header::CONTENT_TYPE);
        lane.0.http.get(lane.0.endpoint.url()).headers(headers)
    };
    let response = lane.challenged(Use::Own, made).await?;
    match response.status() {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure::Unauthorized),
        _ => Ok(response),
    }
}

/// Reads the stream up to the event that names the second address; it is the first one (2024-11-05, HTTP with SSE).
async fn address(lane: &ReadLane, mut response: Response) -> Result<Opened, Failure> {
    let kind = response.headers().get(reqwest::header::CONTENT_TYPE);
    let kind = kind
        .and_then(|value| value.to_str().ok())
        .map(crate::wire::headers::media_type);
    if !response.status().is_success() || kind.as_deref() != Some("text/event-stream") {
        return Err(Failure::Status(response.status().as_u16()));
    }
    let none = || Failure::BadAnswer("its stream names no second address".to_owned());
    let mut parser = sse::Parser::new();
    let mut early = Vec::new();
    while early.is_empty() {
        let chunk = response
            .chunk()
            .await
            .map_err(|error| Failure::of(&error))?
            .ok_or_else(none)?;
        parser
            .push(&chunk, |event| early.push(event))
            .map_err(|_| none())?;
    }
    let first = early.remove(0);
    if first.kind != "endpoint" {
        return Err(none());
    }
    Ok(Opened {
        to: same_origin(lane.0.endpoint.url(), first.data.trim())?,
        response,
        parser,
        early,
    })
}

/// The second address, which may be relative; never of another origin.
fn same_origin(endpoint: &str, named: &str) -> Result<Url, Failure> {
    let wrong = |why: &str| Failure::BadAnswer(format!("its second address {why}"));
    let base = Url::parse(endpoint).map_err(|_| wrong("belongs to none"))?;
    let to = base.join(named).map_err(|_| wrong("is none"))?;
    let is_plain = to.username().is_empty() && to.password().is_none() && to.fragment().is_none();
    if to.origin() != base.origin() || !is_plain || to.as_str().len() > 2048 {
        return Err(wrong("is not on the server itself; nothing was sent there"));
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_address_is_on_the_server_itself() {
        let to =
            |named: &str| same_origin("https://a.example:8443/x/sse?k=1", named).map(|url| url.to_string());
        assert_eq!(
            to("/messages?sessionId=1").ok().as_deref(),
            Some("https://a.example:8443/messages?sessionId=1")
        );
        assert_eq!(to("m").ok().as_deref(), Some("https://a.example:8443/x/m"));
        assert_eq!(
            to("https://a.example:8443/m").ok().as_deref(),
            Some("https://a.example:8443/m")
        );
        for other in [
            "https://b.example:8443/m",
            "https://a.example/m",
            "http://a.example:8443/m",
            "//b.example/m",
            "https://a.example:8443@b.example/m",
            "https://u:p@a.example:8443/m",
            "file:///m",
            "https://[",
        ] {
            assert!(to(other).is_err(), "{other}");
        }
    }
}
