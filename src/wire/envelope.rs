//! The JSON-RPC 2.0 envelope, read without touching what is inside: the parts are slices of the original text.

use super::json::JsonError;

/// A request id as it was written: a string or an integer (MCP, base protocol, messages). Two ids are equal when
/// their kind and their value are: `7` and `"7"` differ, `"a"` and `"\u0061"` do not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Id {
    raw: Box<str>,
    key: Box<str>,
}

impl Id {
    /// Reads an id from its JSON text; `None` for null, fractions, and anything that is no string or integer.
    pub fn from_raw(raw: &str) -> Option<Self> {
        let _ = raw;
        None
    }

    /// The id as text of our own making: a JSON string.
    pub fn ours(text: &str) -> Self {
        Self {
            raw: text.into(),
            key: text.into(),
        }
    }

    /// The JSON text to write back, byte for byte as it came.
    pub fn raw(&self) -> &str {
        &self.raw
    }
}

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
    pub method: std::borrow::Cow<'a, str>,
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
    /// The JSON-RPC error code: `-32700` for what is no JSON, `-32600` for what is no message.
    pub code: i32,
    /// What is wrong, for a person.
    pub reason: String,
    /// The id, if it is legal and readable.
    pub id: Option<Id>,
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
/// readers could disagree on what the message is.
pub fn read(text: &[u8]) -> Result<Line<'_>, Malformed> {
    let _ = text;
    Err(Malformed {
        code: -32700,
        reason: JsonError::NotAnObject.to_string(),
        id: None,
    })
}

/// The parts of `params` of a `tools/call` as untouched text: name literal, arguments, `_meta`, and whether other
/// members (`task`, `inputResponses`, `requestState`, …) are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// The tool's name after unescaping.
    pub name: std::borrow::Cow<'a, str>,
    /// The name as it was written, quotes included.
    pub name_raw: &'a str,
    /// The arguments as they were written; `None` where the member is missing.
    pub arguments: Option<&'a str>,
    /// `_meta` as it was written.
    pub meta: Option<&'a str>,
    /// The keys of all other members.
    pub others: Vec<String>,
}

/// Reads the `params` of a `tools/call`. Repeated or case-variant keys are refused.
pub fn tool_call(params: &str) -> Result<ToolCall<'_>, JsonError> {
    let _ = params;
    Err(JsonError::NotAnObject)
}

/// Builds a response with a result: `{"jsonrpc":"2.0","id":…,"result":…}`.
pub fn response(id: &Id, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.raw())
}

/// Builds a response with an error; `data` is JSON text.
pub fn error(id: Option<&Id>, code: i32, message: &str, data: Option<&str>) -> String {
    let message = serde_json::to_string(message).unwrap_or_default();
    let id = id.map(|id| format!(r#""id":{},"#, id.raw())).unwrap_or_default();
    let data = data.map(|data| format!(r#","data":{data}"#)).unwrap_or_default();
    format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":{code},"message":{message}{data}}}}}"#)
}
