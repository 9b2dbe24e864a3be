//! Requests of the revision 2026-07-28: no handshake and no session; each says for itself in which revision it speaks,
//! and repeats in headers what a gateway needs to know.

use super::Failure;
use super::answer::{self, Answer, Read};
use super::budget::Use;
use super::era::{Era, HEADER_MISMATCH, UNSUPPORTED_VERSION, error_code, member as member_of, supports_ours};
use super::read_lane::{PATIENCE, ReadLane, Repeat};
use super::read_session::Hello;
use crate::wire::envelope::{self, Id, Kind, Message};
use crate::wire::headers::mcp_value;
use crate::wire::{json, mirror};
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The revision without a handshake that we speak.
pub const MODERN: &str = "2026-07-28";
/// The members of `_meta` in which a request says what a handshake used to say.
pub const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// Who asks.
pub const META_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// What the one who asks can do.
pub const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// How long (ms) a list counts as fresh at least, whatever the service says: each look is a request of its budget.
const LIST_HOLDS: u64 = 10_000;
/// Tools whose schemas are remembered. A server that lists without end is not remembered without end.
const MAX_TOOLS: usize = 10_000;

/// Which arguments of which tools go into headers, as the last list said; or why a tool cannot be called.
#[derive(Debug, Default)]
pub(super) struct Mirrors {
    tools: Mutex<HashMap<String, Result<Vec<mirror::Mirrored>, mirror::BadAnnotation>>>,
    /// Until when (monotonic ms) the service says that its list holds; 0 where it does not say.
    fresh_until: AtomicU64,
}

impl Mirrors {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Result<Vec<mirror::Mirrored>, mirror::BadAnnotation>>> {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what a list says of its tools, and returns those that may be offered: the others' annotations are
    /// unsound (2026-07-28, tools).
    pub(super) fn note<'t>(&self, tools: &[&'t str]) -> Vec<&'t str> {
        let mut all = self.all();
        let mut sound = Vec::with_capacity(tools.len());
        for tool in tools {
            let name = json::member(tool, "name").ok().flatten();
            let name = name.and_then(|raw| json::string(raw).ok()).unwrap_or_default();
            let schema = json::member(tool, "inputSchema").ok().flatten().unwrap_or("{}");
            let found = mirror::annotations(schema);
            match &found {
                Ok(_) => sound.push(*tool),
                Err(why) => tracing::warn!(%why, tool = %shown(&name), "a tool is left out of the list"),
            }
            if all.len() < MAX_TOOLS {
                all.insert(name.into_owned(), found);
            }
        }
        sound
    }

    /// How long the list holds by its last page; never less than [`LIST_HOLDS`].
    fn note_age(&self, page: &str) {
        let said = member_of(page, "ttlMs").and_then(|raw| raw.parse::<u64>().ok());
        let until = said.map_or(0, |ms| {
            crate::system::mono_ms().saturating_add(ms.max(LIST_HOLDS))
        });
        self.fresh_until.store(until, Ordering::Relaxed);
    }

    /// The tools that are left out of the list, and why.
    pub(super) fn left_out(&self) -> Vec<(String, String)> {
        let all = self.all();
        let out = all
            .iter()
            .filter_map(|(name, found)| Some((name.clone(), found.as_ref().err()?.to_string())));
        out.collect()
    }
}

/// A name as it may stand in a log.
fn shown(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(80).collect()
}

/// `params` with what each request of ours says for itself: who asks, in which revision, and that we can be asked nothing.
pub(super) fn with_own_meta(params: &str) -> String {
    let said = format!(
        r#""_meta":{{"{META_VERSION}":"{MODERN}","{META_INFO}":{},"{META_CAPABILITIES}":{{}}}}"#,
        Hello::default().client_info
    );
    let members = params.trim().strip_prefix('{').unwrap_or("}").trim_start();
    let comma = if members.starts_with('}') { "" } else { "," };
    format!("{{{said}{comma}{members}")
}

/// The headers that repeat what a request says (2026-07-28, Streamable HTTP, request headers).
pub(super) fn headers_of(method: &str, params: &str, mirrored: &[mirror::Mirrored]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(6);
    let mut put = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    };
    let meta = member_of(params, "_meta").unwrap_or("{}");
    if let Some(version) = text_of(meta, META_VERSION) {
        put("mcp-protocol-version", &version);
    }
    put("mcp-method", &mcp_value(method));
    if let Some(name) = name_in(method, params) {
        put("mcp-name", &mcp_value(&name));
    }
    if method == "tools/call"
        && let Some(arguments) = member_of(params, "arguments")
    {
        for (header, value) in mirror::headers(mirrored, arguments) {
            put(&header, &value);
        }
    }
    headers
}

fn text_of(object: &str, key: &str) -> Option<String> {
    json::string(member_of(object, key)?)
        .ok()
        .map(std::borrow::Cow::into_owned)
}

/// What a request is about, for `Mcp-Name`.
fn name_in(method: &str, params: &str) -> Option<String> {
    match method {
        "tools/call" | "prompts/get" => text_of(params, "name"),
        "resources/read" => text_of(params, "uri"),
        method if method.starts_with("tasks/") => text_of(params, "taskId"),
        _ => None,
    }
}

impl ReadLane {
    /// Sends a modern request of the client as it is, with its headers, and returns the answer on one line. Dropping the
    /// future closes the stream, which is the cancel of this revision.
    ///
    /// # Errors
    /// Whatever keeps the answer from coming.
    pub async fn request_modern(&self, text: String, id: &Id, repeat: Repeat) -> Result<Answer, Failure> {
        let _permit = self.0.asking.acquire().await.ok();
        self.modern(&Bytes::from(text), id, repeat, Use::Client).await
    }

    /// A request of our own, in this revision.
    pub(super) async fn own_modern(
        &self,
        method: &str,
        params: &str,
        purpose: Use,
    ) -> Result<Answer, Failure> {
        let (id, text) = self.compose(method, &with_own_meta(params));
        let text = Bytes::from(text);
        let answer = match self.modern_once(&text, &id, purpose).await {
            Ok(answer) if error_code(&answer.text) == Some(HEADER_MISMATCH) => {
                self.learn(&text).await;
                self.modern_once(&text, &id, Use::Own).await?
            }
            Err(Failure::RateLimited(wait) | Failure::Throttled(wait)) if wait.unwrap_or(1) <= PATIENCE => {
                tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1))).await;
                self.modern_once(&text, &id, purpose).await?
            }
            outcome => outcome?,
        };
        let result = member_of(&answer.text, "result");
        let kind = result.and_then(|result| text_of(result, "resultType"));
        if kind.as_deref().is_some_and(|kind| kind != "complete") {
            return Err(Failure::BadAnswer(
                "it asks for more instead of answering".to_owned(),
            ));
        }
        Ok(answer)
    }

    async fn modern(&self, text: &Bytes, id: &Id, repeat: Repeat, purpose: Use) -> Result<Answer, Failure> {
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self.modern_once(text, id, purpose).await;
            match outcome {
                Ok(answer) if tries == 1 && error_code(&answer.text) == Some(HEADER_MISMATCH) => {
                    tracing::info!("the service wants other headers; its tools are listed anew");
                    self.learn(text).await;
                }
                Err(failure) if tries == 1 && may_repeat(&failure, repeat) => {
                    tracing::info!(%failure, "a request is tried once more");
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Err(Failure::RateLimited(wait) | Failure::Throttled(wait))
                    if tries == 1 && repeat == Repeat::Harmless && wait.unwrap_or(1) <= PATIENCE =>
                {
                    tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1))).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn modern_once(&self, text: &Bytes, id: &Id, purpose: Use) -> Result<Answer, Failure> {
        let asked = std::str::from_utf8(text)
            .ok()
            .and_then(|text| envelope::read_one(text).ok());
        let Some(asked) = asked else {
            return Err(Failure::BadAnswer("it is no request".to_owned()));
        };
        let headers = self.modern_headers(&asked);
        let response = self.authorized(text, &headers, purpose).await?;
        if !response.status().is_success() {
            let refusal = answer::refusal(response, Some(id), false).await;
            return refusal.map(Answer::small);
        }
        // In this revision a server asks nothing by itself (Streamable HTTP, receiving messages).
        let side = |message: &Message<'_>| match message.kind {
            Kind::Notification => (self.0.side)(message, Some(id)),
            Kind::Request(_) | Kind::Response(_) => {
                tracing::warn!("a request of a modern server was dropped");
            }
        };
        match answer::read(response, id, &self.0.large, &side).await? {
            Read::Answer(answer) if asked.method == "tools/list" => Ok(self.note_tools(answer)),
            Read::Answer(answer) => Ok(answer),
            Read::Ended { why, .. } => Err(Failure::Broken(why)),
        }
    }

    /// Asks the service what it is (`server/discover`); the text of its result.
    ///
    /// # Errors
    /// As a request; [`Failure::Refused`] where it does not know the question.
    pub async fn discover(&self) -> Result<String, Failure> {
        let mut answer = self.ask_discover().await?;
        // It refuses this revision and names it as one that it speaks: it is asked once more (versioning, negotiation).
        if error_code(&answer.text) == Some(UNSUPPORTED_VERSION) && supports_ours(&answer.text) {
            answer = self.ask_discover().await?;
        }
        super::read_lane::result_of(&answer.text)
    }

    /// The whole answer to `server/discover`.
    pub(super) async fn ask_discover(&self) -> Result<Answer, Failure> {
        let (info, capabilities) = self.client_said();
        let params = format!(
            r#"{{"_meta":{{"{META_VERSION}":"{MODERN}","{META_INFO}":{info},"{META_CAPABILITIES}":{capabilities}}}}}"#
        );
        let (id, text) = self.compose("server/discover", &params);
        let text = Bytes::from(text);
        let asked = self.modern_once(&text, &id, Use::Own);
        match tokio::time::timeout(super::http::HEAD, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Broken("no answer in time".to_owned())),
        }
    }

    /// Whether the time is over for which the service said that its list of tools holds (2026-07-28, caching). It is a
    /// reason to look when somebody asks, not to look again and again.
    pub fn is_list_stale(&self) -> bool {
        let until = self.0.mirrors.fresh_until.load(Ordering::Relaxed);
        self.known_era() == Some(Era::Modern) && until != 0 && until < crate::system::mono_ms()
    }

    /// The service's tools that its last listing left out, and why.
    pub fn left_out(&self) -> Vec<(String, String)> {
        // A service of the older era knows no such headers.
        if self.known_era() == Some(Era::Legacy) {
            return Vec::new();
        }
        self.0.mirrors.left_out()
    }

    /// Opens a stream of what the service says unasked (`subscriptions/listen`) and stays until it ends. False where the
    /// service does not offer it.
    ///
    /// # Errors
    /// Whatever keeps it from being opened.
    pub async fn listen_modern(&self, text: String, id: &Id) -> Result<bool, Failure> {
        match self.modern_once(&Bytes::from(text), id, Use::Client).await {
            Ok(answer) => Ok(member_of(&answer.text, "error").is_none()),
            Err(Failure::Status(400..=499)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// The headers of a request, by what the last list said of its tool.
    fn modern_headers(&self, asked: &Message<'_>) -> HeaderMap {
        let params = asked.params.unwrap_or("{}");
        let all = self.0.mirrors.all();
        let mirrored = name_in(&asked.method, params).and_then(|name| all.get(&name)?.as_ref().ok());
        headers_of(&asked.method, params, mirrored.map_or(&[][..], Vec::as_slice))
    }

    /// Remembers which arguments the listed tools want in headers, and leaves those out of the list whose annotations
    /// are unsound (2026-07-28, tools): as the one who speaks HTTP we must, whatever the client would do.
    fn note_tools(&self, answer: Answer) -> Answer {
        let Some(tools) = tools_of(&answer.text) else {
            return answer;
        };
        self.0
            .mirrors
            .note_age(member_of(&answer.text, "result").unwrap_or("{}"));
        let sound = self.0.mirrors.note(&tools);
        if sound.len() == tools.len() {
            return answer;
        }
        let list = format!("[{}]", sound.join(","));
        let text = with_member(&answer.text, &["result", "tools"], &list);
        text.map_or(answer, Answer::small)
    }

    /// Lists the tools anew, for the headers of a call that was refused for want of them. In the words of that call:
    /// its `_meta` says who asks.
    async fn learn(&self, call: &Bytes) {
        let call = std::str::from_utf8(call)
            .ok()
            .and_then(|text| envelope::read_one(text).ok());
        let meta = call
            .as_ref()
            .and_then(|call| json::member(call.params?, "_meta").ok()?)
            .unwrap_or("{}");
        let mut cursor = String::new();
        for _ in 0..100 {
            let (id, text) = self.compose("tools/list", &format!(r#"{{{cursor}"_meta":{meta}}}"#));
            let Ok(answer) = self.modern_once(&Bytes::from(text), &id, Use::Own).await else {
                return;
            };
            let result = member_of(&answer.text, "result");
            match result.and_then(|result| json::member(result, "nextCursor").ok().flatten()) {
                Some(next) if next != "null" => cursor = format!(r#""cursor":{next},"#),
                _ => return,
            }
        }
    }
}

fn may_repeat(failure: &Failure, repeat: Repeat) -> bool {
    match failure {
        Failure::Connect(_) => true,
        other => repeat == Repeat::Harmless && other.may_pass(),
    }
}

fn tools_of(answer: &str) -> Option<Vec<&str>> {
    let tools = member_of(member_of(answer, "result")?, "tools")?;
    json::items(tools).ok()
}

/// The object `text` with another value at this path; everything else as it was.
fn with_member(text: &str, path: &[&str], value: &str) -> Option<String> {
    let (key, rest) = path.split_first()?;
    let members = json::members(text).ok()?;
    let parts: Option<Vec<String>> = members
        .iter()
        .map(|member| {
            let new = if member.key == *key {
                if rest.is_empty() {
                    value.to_owned()
                } else {
                    with_member(member.value, rest, value)?
                }
            } else {
                member.value.to_owned()
            };
            Some(format!("{}:{new}", serde_json::Value::from(&*member.key)))
        })
        .collect();
    Some(format!("{{{}}}", parts?.join(",")))
}
