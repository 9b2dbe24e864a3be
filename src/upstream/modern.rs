//! Requests of the revision 2026-07-28: no handshake and no session; each says for itself in which revision it speaks,
//! and repeats in headers what a gateway needs to know.

use super::Failure;
use super::answer::{self, Answer, Read};
use super::budget::Use;
use super::read_lane::{ReadLane, Repeat};
use crate::wire::envelope::{self, Id, Kind, Message};
use crate::wire::headers::mcp_value;
use crate::wire::{json, mirror};
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The revision without a handshake that we speak.
pub const MODERN: &str = "2026-07-28";
/// The members of `_meta` in which a request says what a handshake used to say.
pub const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// Who asks.
pub const META_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// What the one who asks can do.
pub const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// The service wants other headers than it got (2026-07-28, Streamable HTTP): it did not run the request.
const HEADER_MISMATCH: &str = "-32020";
/// The service does not speak this revision, and names those that it does (2026-07-28, versioning).
const UNSUPPORTED_VERSION: &str = "-32022";
/// Tools whose schemas are remembered. A server that lists without end is not remembered without end.
const MAX_TOOLS: usize = 10_000;

/// Which arguments of which tools go into headers, as the last list said.
#[derive(Debug, Default)]
pub(super) struct Mirrors(Mutex<HashMap<String, Vec<mirror::Mirrored>>>);

impl ReadLane {
    /// Sends a modern request of the client as it is, with its headers, and returns the answer on one line. Dropping the
    /// future closes the stream, which is the cancel of this revision.
    ///
    /// # Errors
    /// Whatever keeps the answer from coming.
    pub async fn request_modern(&self, text: String, id: &Id, repeat: Repeat) -> Result<Answer, Failure> {
        let text = Bytes::from(text);
        let _permit = self.0.asking.acquire().await.ok();
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self.modern_once(&text, id).await;
            match outcome {
                Ok(answer) if tries == 1 && is_error(&answer.text, HEADER_MISMATCH) => {
                    tracing::info!("the service wants other headers; its tools are listed anew");
                    self.learn(&text).await;
                }
                Err(failure) if tries == 1 && may_repeat(&failure, repeat) => {
                    tracing::info!(%failure, "a request is tried once more");
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn modern_once(&self, text: &Bytes, id: &Id) -> Result<Answer, Failure> {
        let asked = std::str::from_utf8(text)
            .ok()
            .and_then(|text| envelope::read_one(text).ok());
        let Some(asked) = asked else {
            return Err(Failure::BadAnswer("it is no request".to_owned()));
        };
        let headers = self.modern_headers(&asked);
        let response = self.authorized(text, &headers, Use::Client).await?;
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
        let (info, capabilities) = self.client_said();
        let params = format!(
            r#"{{"_meta":{{"{META_VERSION}":"{MODERN}","{META_INFO}":{info},"{META_CAPABILITIES}":{capabilities}}}}}"#
        );
        let ask = async || {
            let (id, text) = self.compose("server/discover", &params);
            let text = Bytes::from(text);
            let asked = self.modern_once(&text, &id);
            match tokio::time::timeout(super::http::HEAD, asked).await {
                Ok(answer) => answer,
                Err(_) => Err(Failure::Broken("no answer in time".to_owned())),
            }
        };
        let mut answer = ask().await?;
        // It refuses this revision and names it as one that it speaks: it is asked once more (versioning, negotiation).
        if is_error(&answer.text, UNSUPPORTED_VERSION) && supports_ours(&answer.text) {
            answer = ask().await?;
        }
        super::read_lane::result_of(&answer.text)
    }

    /// Opens a stream of what the service says unasked (`subscriptions/listen`) and stays until it ends. False where the
    /// service does not offer it.
    ///
    /// # Errors
    /// Whatever keeps it from being opened.
    pub async fn listen_modern(&self, text: String, id: &Id) -> Result<bool, Failure> {
        match self.modern_once(&Bytes::from(text), id).await {
            Ok(answer) => Ok(member_of(&answer.text, "error").is_none()),
            Err(Failure::Status(400..=499)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// The headers that repeat what the body says (2026-07-28, Streamable HTTP, request headers).
    fn modern_headers(&self, asked: &Message<'_>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(6);
        let mut put = |name: &str, value: &str| {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        };
        let params = asked.params.unwrap_or("{}");
        let text = |object: &str, key: &str| {
            let raw = json::member(object, key).ok().flatten()?;
            json::string(raw).ok().map(std::borrow::Cow::into_owned)
        };
        let meta = json::member(params, "_meta").ok().flatten().unwrap_or("{}");
        if let Some(version) = text(meta, META_VERSION) {
            put("mcp-protocol-version", &version);
        }
        put("mcp-method", &mcp_value(&asked.method));
        let name = match &*asked.method {
            "tools/call" | "prompts/get" => text(params, "name"),
            "resources/read" => text(params, "uri"),
            method if method.starts_with("tasks/") => text(params, "taskId"),
            _ => None,
        };
        if let Some(name) = &name {
            put("mcp-name", &mcp_value(name));
        }
        if asked.method == "tools/call"
            && let Some(name) = &name
            && let Some(arguments) = json::member(params, "arguments").ok().flatten()
        {
            let mirrors = self.0.mirrors.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (header, value) in
                mirror::headers(mirrors.get(name).map_or(&[][..], Vec::as_slice), arguments)
            {
                put(&header, &value);
            }
        }
        headers
    }

    /// Remembers which arguments the listed tools want in headers, and leaves those out of the list whose annotations
    /// are unsound (2026-07-28, tools): as the one who speaks HTTP we must, whatever the client would do.
    fn note_tools(&self, answer: Answer) -> Answer {
        let Some(tools) = tools_of(&answer.text) else {
            return answer;
        };
        let mut mirrors = self.0.mirrors.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sound = Vec::with_capacity(tools.len());
        for tool in &tools {
            let name = json::member(tool, "name").ok().flatten();
            let name = name.and_then(|raw| json::string(raw).ok()).unwrap_or_default();
            let schema = json::member(tool, "inputSchema").ok().flatten().unwrap_or("{}");
            match mirror::annotations(schema) {
                Ok(found) => {
                    if mirrors.len() < MAX_TOOLS {
                        mirrors.insert(name.into_owned(), found);
                    }
                    sound.push(*tool);
                }
                Err(why) => tracing::warn!(%why, "a tool is left out of the list"),
            }
        }
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
            let Ok(answer) = self.modern_once(&Bytes::from(text), &id).await else {
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

fn member_of<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    json::member(text, key).ok().flatten()
}

fn is_error(answer: &str, code: &str) -> bool {
    answer.contains(code)
        && member_of(answer, "error").and_then(|error| member_of(error, "code")) == Some(code)
}

fn supports_ours(answer: &str) -> bool {
    let supported = member_of(answer, "error")
        .and_then(|error| member_of(error, "data"))
        .and_then(|data| member_of(data, "supported"));
    let supported = supported
        .and_then(|list| json::items(list).ok())
        .unwrap_or_default();
    supported
        .iter()
        .any(|version| json::string(version).is_ok_and(|version| version == MODERN))
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
