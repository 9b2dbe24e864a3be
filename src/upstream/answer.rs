//! Reading the answer to one request out of a JSON body or an event stream.

use super::Failure;
use super::http::challenge;
use crate::system::clock;
use crate::wire::envelope::{self, Id, Kind, Line, Message};
use crate::wire::{headers, json, sse};
use reqwest::{Response, StatusCode};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The largest JSON body that is kept: 128 MiB. Results of 100 MB are legal; a body without end is not.
const MAX_BODY: usize = 128 * 1024 * 1024;
/// From here on an answer is a large one.
const LARGE: usize = 1024 * 1024;
/// Large answers that may be in memory at once; with [`MAX_BODY`] this bounds what a server can make us hold. The
/// others wait in the network.
const LARGE_AT_ONCE: usize = 4;
/// Room behind a body for the line's end, so that putting it there moves nothing.
const LINE_END: usize = 1;
/// The largest error body that is looked at.
const MAX_ERROR_BODY: usize = 64 * 1024;
/// A stream on which not even a keep-alive came for this long is taken for dead; servers send one every 15 to 30 s.
const IDLE: Duration = Duration::from_secs(300);

/// How long an answer that has begun may take for the next [`AT_LEAST`] bytes. A server that sends a byte now and then
/// would otherwise keep its request open for ever.
const PACE: Duration = Duration::from_secs(60);
/// Less than a telephone line brings in three seconds.
const AT_LEAST: usize = 16 * 1024;
const STOPPED: &str = "the answer stopped coming";

/// An answer, on one line.
#[derive(Debug)]
pub struct Answer {
    /// The whole message.
    pub text: String,
    /// Whether it names the request itself, and no other answer to that request stood beside it. An order's outcome is
    /// read from no other one.
    pub(super) sole: bool,
    /// Held by a large one until it is on its way to the client.
    _large: Option<OwnedSemaphorePermit>,
}

impl Answer {
    /// One that takes no place of a large one.
    pub fn small(text: String) -> Self {
        Self {
            text,
            sole: true,
            _large: None,
        }
    }

    /// One that came on a stream of its own, with the place that it took.
    pub(super) fn placed(text: String, place: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            text,
            sole: true,
            _large: place,
        }
    }
}

/// The places for large answers.
#[derive(Debug, Clone)]
pub(super) struct Large(Arc<Semaphore>);

impl Default for Large {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_AT_ONCE)))
    }
}

impl Large {
    /// Waits for a place once `size` bytes are too many to go without; whether it had to.
    pub(super) async fn place(&self, size: usize, held: &mut Option<OwnedSemaphorePermit>) -> bool {
        let wanted = size > LARGE && held.is_none();
        if wanted {
            // Never closed, so there is always a permit in the end.
            *held = Arc::clone(&self.0).acquire_owned().await.ok();
        }
        wanted
    }
}

/// Whether an answer that has begun comes on: in each [`PACE`] as much as [`AT_LEAST`], or its end.
#[derive(Debug)]
pub(super) struct Pace {
    until: Instant,
    came: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            until: Instant::now() + PACE,
            came: 0,
        }
    }
}

impl Pace {
    fn begin(&mut self) {
        *self = Self::default();
    }

    /// This much came.
    pub(super) fn came(&mut self, bytes: usize) {
        self.came = self.came.saturating_add(bytes);
        if self.came >= AT_LEAST {
            self.begin();
        }
    }

    /// When it is taken to have stopped, if nothing more comes.
    pub(super) fn until(&self) -> Instant {
        self.until
    }
}

/// What came of reading a stream.
#[derive(Debug)]
pub(super) enum Read {
    /// The answer.
    Answer(Answer),
    /// The stream ended first; it may be resumed after this event (legacy eras).
    Ended {
        last_event: Option<String>,
        retry: Option<u64>,
        why: String,
    },
}

/// Reads until the answer to `id` is there; every other message goes to `side`.
pub(super) async fn read(
    response: Response,
    id: &Id,
    large: &Large,
    side: &(dyn Fn(&Message<'_>) + Send + Sync),
) -> Result<Read, Failure> {
    let kind = response
        .headers()
        .get(reqwest::header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .map(headers::media_type);
    // Nothing is asked for compressed, so that no small answer becomes a large one here.
    if let Some(coding) = response.headers().get(reqwest::header::CONTENT_ENCODING)
        && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Failure::BadAnswer(
            "it is compressed, which nobody asked for".to_owned(),
        ));
    }
    match kind.as_deref() {
        Some("text/event-stream") => stream(response, Some(id), None, large, side).await,
        Some("application/json") => json_body(response, id, large, side).await,
        other => {
            let status = response.status();
            Err(Failure::BadAnswer(match (status, other) {
                (StatusCode::ACCEPTED | StatusCode::NO_CONTENT, _) => {
                    "it accepted the request without an answer".to_owned()
                }
                (_, Some(kind)) => format!(
                    "its type is {}",
                    kind.chars()
                        .filter(char::is_ascii_graphic)
                        .take(60)
                        .collect::<String>()
                ),
                (_, None) => "it has no content type".to_owned(),
            }))
        }
    }
}

async fn json_body(
    response: Response,
    id: &Id,
    large: &Large,
    side: &(dyn Fn(&Message<'_>) + Send + Sync),
) -> Result<Read, Failure> {
    let mut place = None;
    let body = match body(response, MAX_BODY, large, &mut place).await? {
        Ok(body) => body,
        Err(why) => {
            return Ok(Read::Ended {
                last_event: None,
                retry: None,
                why,
            });
        }
    };
    match found_in(body, id, side) {
        Ok((text, sole)) => Ok(Read::Answer(Answer {
            text,
            sole,
            _large: place,
        })),
        Err(body) => Err(Failure::BadAnswer(no_answer(&body).to_owned())),
    }
}

/// As [`found`], of a text that is given away: the usual large one, which is the answer and nothing else, becomes the line
/// without being copied. What holds no answer is given back.
fn found_in(
    text: Vec<u8>,
    id: &Id,
    side: &(dyn Fn(&Message<'_>) + Send + Sync),
) -> Result<(String, bool), Vec<u8>> {
    let is_line = is_one_line(&text)
        && matches!(envelope::read(&text), Ok(Line::One(message)) if matches!(&message.kind, Kind::Response(of) if of == id));
    if is_line {
        let text = String::from_utf8(text).map_err(std::string::FromUtf8Error::into_bytes)?;
        return Ok((text, true));
    }
    found(&text, id, side).ok_or(text)
}

/// What a body is that is no answer to the request.
fn no_answer(body: &[u8]) -> &'static str {
    let is_object = || std::str::from_utf8(body).is_ok_and(|text| json::members(text).is_ok());
    if body.trim_ascii().is_empty() {
        "its body is empty"
    } else if matches!(envelope::read(body), Ok(Line::One(message)) if matches!(message.kind, Kind::Response(_)))
    {
        "it answers another request"
    } else if is_object() {
        "its body is JSON, but no answer"
    } else {
        "its body is no JSON-RPC message"
    }
}

/// Reads a body up to a bound. The inner error is a body that was cut.
async fn body(
    mut response: Response,
    bound: usize,
    large: &Large,
    place: &mut Option<OwnedSemaphorePermit>,
) -> Result<Result<Vec<u8>, String>, Failure> {
    // What it says of its length is believed up to the size of a small one; beyond that when it has its place.
    let said = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(bound);
    let mut body = Vec::with_capacity(said.min(LARGE).saturating_add(LINE_END));
    let mut pace = Pace::default();
    loop {
        if large.place(body.len(), place).await {
            pace.begin();
            let rest = said.min(bound).saturating_sub(body.len());
            // Where there is no room for it all at once, it grows as it comes.
            let _ = body.try_reserve_exact(rest.saturating_add(LINE_END));
        }
        match tokio::time::timeout_at(pace.until(), response.chunk()).await {
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() <= bound => {
                pace.came(chunk.len());
                body.extend_from_slice(&chunk);
            }
            Ok(Ok(Some(_))) => return Err(Failure::BadAnswer(format!("it is longer than {bound} bytes"))),
            Ok(Ok(None)) => return Ok(Ok(body)),
            Ok(Err(_)) => return Ok(Err("the answer was cut".to_owned())),
            Err(_) => return Ok(Err(STOPPED.to_owned())),
        }
    }
}

/// Finds the answer to `id` in a text that holds one message or several: a JSON body, or the data of an event. It stands
/// on one line; every request and notification beside it goes to `side`.
pub fn answer_to(text: &[u8], id: &Id, side: &(dyn Fn(&Message<'_>) + Send + Sync)) -> Option<String> {
    found(text, id, side).map(|(answer, _)| answer)
}

/// The same, with whether it is the only one and says itself that it is.
fn found(text: &[u8], id: &Id, side: &(dyn Fn(&Message<'_>) + Send + Sync)) -> Option<(String, bool)> {
    let mut answer = None;
    let mut take = |message: &Message<'_>| match &message.kind {
        Kind::Response(of) if of == id => {
            // The first answer counts: a server that answers twice is not believed the second time.
            answer = match answer.take() {
                None => Some((one_line(message.text).into_owned(), true)),
                Some((first, _)) => Some((first, false)),
            };
        }
        Kind::Response(_) => tracing::warn!("an answer to no request of ours was dropped"),
        Kind::Request(_) | Kind::Notification => side(message),
    };
    match envelope::read(text) {
        Ok(Line::One(message)) => take(&message),
        Ok(Line::Batch(messages)) => messages.iter().filter_map(|m| m.as_ref().ok()).for_each(take),
        // JSON-RPC allows an error without an id; it can only mean this request (MCP, HTTP error bodies).
        Err(_) => answer = error_member(text).map(|error| (envelope_error(id, error), false)),
    }
    answer
}

/// A message as it may stand on a line: untouched, unless it goes over several lines.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if is_one_line(text.as_bytes()) {
        Cow::Borrowed(text)
    } else {
        json::minify(text)
    }
}

fn is_one_line(text: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', text).is_none()
}

fn envelope_error(id: &Id, error: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{},"error":{}}}"#,
        id.raw(),
        json::minify(error)
    )
}

/// The `error` member of a JSON-RPC error whose id is missing or null.
fn error_member(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    // A gateway's own `{"error":…}` without the protocol's mark is no answer of the server.
    json::member(text, "jsonrpc").ok()??;
    envelope::error_without_id(text)
}

/// Reads an event stream. With `id` it ends at that answer; without (a GET stream) it ends when the stream does.
pub(super) async fn stream(
    mut response: Response,
    id: Option<&Id>,
    resumed_after: Option<String>,
    large: &Large,
    side: &(dyn Fn(&Message<'_>) + Send + Sync),
) -> Result<Read, Failure> {
    let mut parser = sse::Parser::new();
    let (mut last_event, mut retry, mut answer) = (resumed_after, None, None);
    // What came since the last whole event, and the place that it takes when that is much.
    let (mut pending, mut place) = (0, None);
    // Between events a stream may be still for long; an event that has begun comes on.
    let mut pace: Option<Pace> = None;
    let why = loop {
        if large.place(pending, &mut place).await
            && let Some(pace) = &mut pace
        {
            pace.begin();
        }
        let silent = Instant::now() + IDLE;
        let until = pace.as_ref().map_or(silent, Pace::until);
        let chunk = match tokio::time::timeout_at(until, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => break "the stream ended without the answer".to_owned(),
            Ok(Err(error)) => break Failure::of(&error).to_string(),
            Err(_) if pace.is_some() => break STOPPED.to_owned(),
            Err(_) => break "the stream went silent".to_owned(),
        };
        pending += chunk.len();
        let mut whole = false;
        let mut take = |event: sse::Event| {
            whole = true;
            if let Some(of) = event.id.filter(|of| !of.is_empty()) {
                last_event = Some(of);
            }
            retry = event.retry.or(retry);
            if event.kind == "message" && !event.data.is_empty() && answer.is_none() {
                answer = match id {
                    Some(id) => found_in(event.data.into_bytes(), id, side).ok(),
                    None => loose(event.data.as_bytes(), side),
                };
            }
        };
        parser
            .push(&chunk, &mut take)
            .map_err(|error| Failure::BadAnswer(error.to_string()))?;
        if let Some((text, sole)) = answer {
            return Ok(Read::Answer(Answer {
                text,
                sole,
                _large: place,
            }));
        }
        if whole {
            (pending, place, pace) = (0, None, None);
        }
        if parser.is_inside() {
            pace.get_or_insert_default().came(chunk.len());
        } else {
            pace = None;
        }
    };
    Ok(Read::Ended {
        last_event,
        retry,
        why,
    })
}

/// A message on a stream that answers nothing.
fn loose(text: &[u8], side: &(dyn Fn(&Message<'_>) + Send + Sync)) -> Option<(String, bool)> {
    match envelope::read(text) {
        Ok(Line::One(message)) if !matches!(message.kind, Kind::Response(_)) => side(&message),
        Ok(Line::Batch(messages)) => messages
            .iter()
            .filter_map(|message| message.as_ref().ok())
            .filter(|message| !matches!(message.kind, Kind::Response(_)))
            .for_each(side),
        Ok(Line::One(_)) | Err(_) => tracing::warn!("a message on the server's stream was dropped"),
    }
    None
}

/// What an HTTP status other than 2xx says. A JSON-RPC error in the body that belongs to this request is an answer.
pub(super) async fn refusal(
    response: Response,
    id: Option<&Id>,
    had_session: bool,
) -> Result<String, Failure> {
    let status = response.status();
    let told = challenge(response.headers());
    let wait = response
        .headers()
        .get(reqwest::header::RETRY_AFTER)
        .and_then(|v| v.to_str().ok())
        .and_then(|text| retry_after(text, clock::wall_ms() / 1000));
    let body = body(response, MAX_ERROR_BODY, &Large::default(), &mut None)
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    match status.as_u16() {
        401 => return Err(Failure::Unauthorized),
        403 => return Err(forbidden(&told, &text)),
        404 if had_session => return Err(Failure::SessionLost),
        400 if had_session && text.to_ascii_lowercase().contains("session") => {
            return Err(Failure::SessionDoubted(id.and_then(|id| own_answer(&body, id))));
        }
        408 => return Err(Failure::NotConnected),
        // The service's own words (its API reference, rate limiting).
        429 if text.contains("Rate limit exceeded") => return Err(Failure::RateLimited(wait)),
        429 => return Err(Failure::Throttled(wait)),
        _ => {}
    }
    match id.and_then(|id| answer_to(&body, id, &|_| {})) {
        Some(answer) => Ok(answer),
        None => Err(Failure::Status(status.as_u16())),
    }
}

/// The answer that says itself that it is one to `id`: an error without an id is none.
fn own_answer(body: &[u8], id: &Id) -> Option<String> {
    envelope::read(body).ok()?;
    answer_to(body, id, &|_| {})
}

/// The seconds that a `Retry-After` asks to wait: a number, or a date (RFC 9110 section 10.2.3).
fn retry_after(text: &str, now: u64) -> Option<u64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_second();
    Some(u64::try_from(date).ok()?.saturating_sub(now))
}

fn forbidden(challenge: &str, text: &str) -> Failure {
    let bearer = headers::challenges(challenge)
        .into_iter()
        .find(|challenge| challenge.scheme == "bearer");
    if bearer.as_ref().and_then(|b| b.param("error")) == Some("insufficient_scope")
        || text.contains("insufficient_scope")
    {
        let scope = bearer
            .as_ref()
            .and_then(|b| b.param("scope"))
            .unwrap_or("mcp:trade");
        return Failure::Scope(scope.chars().filter(char::is_ascii_graphic).take(80).collect());
    }
    // The documented words alone: others speak of the subscription to a market's data.
    let told = text.to_ascii_lowercase();
    if told.contains("elite subscription") || told.contains("subscription_required") {
        return Failure::Plan;
    }
    Failure::Forbidden("HTTP 403".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_has_begun_comes_on() {
        let begun = Instant::now();
        let mut pace = Pace::default();
        tokio::time::advance(PACE / 2).await;
        pace.came(AT_LEAST - 1);
        assert_eq!(pace.until(), begun + PACE, "too little to count");
        pace.came(1);
        assert_eq!(pace.until(), begun + PACE / 2 + PACE);
        pace.came(AT_LEAST - 1);
        tokio::time::advance(PACE / 2).await;
        assert_eq!(pace.until(), begun + PACE / 2 + PACE);
    }

    /// The limit itself is five minutes of a clock that does not wait here.
    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_silent_between_events_is_given_up() {
        use futures_util::stream::{self, StreamExt};
        let (begun, almost) = (Instant::now(), IDLE.mul_f32(0.9));
        // A comment counts as a sign of life; what comes after it never does.
        let late = stream::once(async move {
            tokio::time::sleep(almost).await;
            Ok::<_, std::io::Error>(": still here\n\n")
        });
        let chunks = stream::iter([Ok("data: {}\n\n")])
            .chain(late)
            .chain(stream::pending());
        let response = hyper::Response::new(reqwest::Body::wrap_stream(chunks)).into();
        let read = stream(response, Some(&Id::ours("a")), None, &Large::default(), &|_| {}).await;
        let Ok(Read::Ended { why, .. }) = read else {
            panic!("{read:?}");
        };
        assert_eq!(why, "the stream went silent");
        assert_eq!(begun.elapsed(), almost + IDLE);
    }

    #[test]
    fn a_server_says_when_by_a_number_or_a_date() {
        let now = 1_445_412_480;
        for (text, seconds) in [
            ("30", Some(30)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2015 07:28:09 GMT", Some(9)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(text, now), seconds, "{text}");
        }
    }

    #[test]
    fn an_answer_of_our_own_bears_our_id() {
        let id = Id::ours("cs-1");
        let own = r#"{"jsonrpc":"2.0","id":"cs-1","error":{"code":-1,"message":"x"}}"#;
        assert_eq!(own_answer(own.as_bytes(), &id).as_deref(), Some(own));
        for other in ["null", r#""cs-2""#, "1"] {
            let other = own.replace(r#""cs-1""#, other);
            assert_eq!(own_answer(other.as_bytes(), &id), None, "{other}");
        }
        assert_eq!(own_answer(b"no session", &id), None);
    }

    #[test]
    fn an_error_without_an_id_is_handed_on_only_if_it_is_one() {
        let id = Id::ours("cs-1");
        let taken = |body: &str| answer_to(body.as_bytes(), &id, &|_| {});
        assert_eq!(
            taken("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-1,\n\"message\":\"x\"}}").as_deref(),
            Some(r#"{"jsonrpc":"2.0","id":"cs-1","error":{"code":-1,"message":"x"}}"#)
        );
        for none in [
            r#"{"jsonrpc":"2.0","error":5}"#,
            r#"{"jsonrpc":"2.0","error":"boom"}"#,
            r#"{"jsonrpc":"2.0","id":"other","error":{}}"#,
            r#"{"jsonrpc":"2.0","error":{},"result":{}}"#,
            r#"{"error":{"code":-1}}"#,
        ] {
            assert_eq!(taken(none), None, "{none}");
        }
    }
}
