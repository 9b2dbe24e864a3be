//! The JSON-RPC 2.0 envelope, read without touching what is inside: the parts are slices of the original text.
//!
//! Refuses to know: what a method means, which ids are in flight, and whether a batch is allowed now.

mod id;
mod params;
mod recover;

use std::borrow::Cow;

use super::json::{self, JsonError};

pub use id::Id;
pub use params::{ToolCall, cancelled_id, progress_of, progress_token, tool_call};
pub use recover::{Recovered, recover, recover_id};

/// The code for what is no JSON (JSON-RPC 2.0 section 5.1).
pub const PARSE_ERROR: i32 = -32700;
/// The code for what is JSON and no message (JSON-RPC 2.0 section 5.1).
pub const INVALID_REQUEST: i32 = -32600;
/// How many messages a batch may hold. A bound on what one line makes us keep; no known client batches more than a
/// few.
pub const MAX_BATCH: usize = 1024;

/// What kind of message a line holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Has a method and an id.
    Request(Id),
    /// Has a method and no id.
    Notification,
    /// Has an id and a result or an error.
    Response(Id),
}

/// A message whose parts are slices of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// Request, notification or response, with the id.
    pub kind: Kind,
    /// The method after unescaping; empty for a response.
    pub method: Cow<'a, str>,
    /// The text of `params`, if there.
    pub params: Option<&'a str>,
    /// The text of `result`, if there.
    pub result: Option<&'a str>,
    /// The text of `error`, if there.
    pub error: Option<&'a str>,
    /// The whole text.
    pub text: &'a str,
}

/// Why a line is no message, with the id to answer under where one could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The JSON-RPC error code: [`PARSE_ERROR`] for what is no JSON, [`INVALID_REQUEST`] for what is no message.
    pub code: i32,
    /// What is wrong, for a person.
    pub reason: String,
    /// The id, if it is legal and readable.
    pub id: Option<Id>,
    /// It has a `result` or an `error`: a broken answer to that id, which must never be answered itself.
    pub response: bool,
}

/// A line of the transport: one message, or the array of messages that 2025-03-26 allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<'a> {
    /// One message.
    One(Message<'a>),
    /// A batch (only where 2025-03-26 was negotiated): each member is read on its own.
    Batch(Vec<Result<Message<'a>, Malformed>>),
}

/// Reads one line. Repeated keys in the envelope (`id`, `method`, `params`, …, also when escaped) are refused: two
/// readers could disagree on what the message is. An empty batch is no message, nor is one of more than
/// [`MAX_BATCH`].
pub fn read(text: &[u8]) -> Result<Line<'_>, Malformed> {
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => {
            let wrong = Wrong::from(JsonError::Utf8(error.valid_up_to()));
            return Err(wrong.into_malformed(text));
        }
    };
    if text.trim_start().starts_with('[') {
        batch(text).map_err(|wrong| wrong.into_malformed(text.as_bytes()))
    } else {
        read_one(text).map(Line::One)
    }
}

fn batch(text: &str) -> Result<Line<'_>, Wrong> {
    let mut found = Vec::new();
    json::each_item(text, |item| {
        if found.len() >= MAX_BATCH {
            return Err(Wrong::message("a batch of too many messages"));
        }
        found.push(read_one(item));
        Ok(())
    })?;
    if found.is_empty() {
        return Err(Wrong::message("an empty batch"));
    }
    Ok(Line::Batch(found))
}

/// Reads one text that must be a single message: an HTTP body or the data of an event where no batch may be.
pub fn read_one(text: &str) -> Result<Message<'_>, Malformed> {
    one(text).map_err(|wrong| wrong.into_malformed(text.as_bytes()))
}

fn one(text: &str) -> Result<Message<'_>, Wrong> {
    let ([version, id, method, params, result, error], _) =
        json::known(text, ["jsonrpc", "id", "method", "params", "result", "error"])?;
    if version.map(json::string) != Some(Ok(Cow::Borrowed("2.0"))) {
        return Err(Wrong::message("`jsonrpc` is not \"2.0\""));
    }
    let kind = match (method, result.or(error)) {
        (Some(_), Some(_)) => return Err(Wrong::message("both a method and a result or error")),
        (None, None) => return Err(Wrong::message("no method, result or error")),
        (Some(_), None) => id.map_or(Ok(Kind::Notification), |id| legal(id).map(Kind::Request))?,
        (None, Some(_)) if result.is_some() && error.is_some() => {
            return Err(Wrong::message("both a result and an error"));
        }
        (None, Some(_)) => Kind::Response(legal(id.unwrap_or_default())?),
    };
    if params.is_some_and(|params| !params.starts_with(['{', '[']) && params != "null") {
        return Err(Wrong::message("`params` is neither an object nor an array"));
    }
    if error.is_some_and(|error| !error.starts_with('{')) {
        return Err(Wrong::message("`error` is not an object"));
    }
    let method = method.map_or(Ok(Cow::Borrowed("")), json::string);
    let method = method.map_err(|_| Wrong::message("`method` is not a string"))?;
    Ok(Message {
        kind,
        method,
        params,
        result,
        error,
        text,
    })
}

fn legal(id: &str) -> Result<Id, Wrong> {
    Id::from_raw(id).ok_or(Wrong::message("`id` is neither a string nor an integer"))
}

/// The `error` of a message that has no id or a null one: how a server refuses what it could not read, and how it
/// may refuse a whole HTTP request. `None` for anything else.
pub fn error_without_id(text: &str) -> Option<&str> {
    let ([id, method, result, error], _) = json::known(text, ["id", "method", "result", "error"]).ok()?;
    let without_id = id.is_none_or(|id| id == "null");
    error.filter(|error| without_id && method.is_none() && result.is_none() && error.starts_with('{'))
}

/// What is wrong, before it is known under which id to say so.
struct Wrong {
    code: i32,
    reason: Cow<'static, str>,
}

impl Wrong {
    fn message(reason: &'static str) -> Self {
        Self {
            code: INVALID_REQUEST,
            reason: Cow::Borrowed(reason),
        }
    }

    fn into_malformed(self, text: &[u8]) -> Malformed {
        let Recovered { id, response } = recover(text);
        Malformed {
            code: self.code,
            reason: self.reason.into_owned(),
            id,
            response,
        }
    }
}

impl From<JsonError> for Wrong {
    fn from(error: JsonError) -> Self {
        let code = match error {
            JsonError::Syntax(_) | JsonError::Utf8(_) | JsonError::Trailing(_) => PARSE_ERROR,
            _ => INVALID_REQUEST,
        };
        Self {
            code,
            reason: Cow::Owned(error.to_string()),
        }
    }
}

/// Builds a request with an id of our own; `params` is JSON text.
pub fn request(id: &Id, method: &str, params: Option<&str>) -> String {
    let method = quoted(method);
    let params = params
        .map(|params| format!(r#","params":{params}"#))
        .unwrap_or_default();
    format!(
        r#"{{"jsonrpc":"2.0","id":{},"method":{method}{params}}}"#,
        id.raw()
    )
}

/// Builds a notification; `params` is JSON text.
pub fn notification(method: &str, params: Option<&str>) -> String {
    let method = quoted(method);
    let params = params
        .map(|params| format!(r#","params":{params}"#))
        .unwrap_or_default();
    format!(r#"{{"jsonrpc":"2.0","method":{method}{params}}}"#)
}

/// Builds a response with a result: `{"jsonrpc":"2.0","id":…,"result":…}`.
pub fn response(id: &Id, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.raw())
}

/// Builds a response with an error; `data` is JSON text.
pub fn error(id: Option<&Id>, code: i32, message: &str, data: Option<&str>) -> String {
    let message = quoted(message);
    let id = id.map(|id| format!(r#""id":{},"#, id.raw())).unwrap_or_default();
    let data = data.map(|data| format!(r#","data":{data}"#)).unwrap_or_default();
    format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":{code},"message":{message}{data}}}}}"#)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
