//! Faults on demand: what is to go wrong, for which request, how often.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;

use crate::tools::catalogue::{Scope, Tool};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Close the connection; nothing is run.
    CutBefore,
    /// Run the request, then close the connection without an answer.
    CutAfter,
    /// Wait `seconds`, before (the default) or `"when":"after"` running it.
    Stall,
    /// Inside the tool: work for `seconds` with progress each 100 ms, and stop on a cancellation.
    Slow,
    /// Run it, then answer 408.
    #[serde(rename = "408_after")]
    TimeoutAfter,
    /// Answer 408 `addon_disconnected`; nothing is run.
    #[serde(rename = "408")]
    Timeout,
    /// 500 `server_error`.
    #[serde(rename = "500")]
    ServerError,
    /// 503.
    #[serde(rename = "503")]
    Unavailable,
    /// 429 with the documented body; `retry_after` seconds where given.
    #[serde(rename = "429")]
    RateLimited,
    /// 401 `invalid_token`, once by default.
    #[serde(rename = "401_once")]
    Unauthorized,
    /// 400 with `-32020`, as for headers that do not say what the body says (2026-07-28).
    #[serde(rename = "-32020")]
    HeaderMismatch,
    /// 400 with `-32022`: only the revisions up to 2025-11-25 are spoken.
    #[serde(rename = "-32022")]
    UnsupportedVersion,
    /// 403 with the plan gate's body.
    #[serde(rename = "403_subscription")]
    Subscription,
    /// 403 `insufficient_scope`.
    InsufficientScope,
    /// 200 with an HTML page.
    Html,
    /// 200 with JSON that ends in the middle.
    HalfJson,
    /// Run it and answer under another id.
    WrongId,
    /// 200 with JSON that never ends.
    EndlessBody,
    /// 200 with nothing.
    EmptyBody,
    /// 202 although it was a request.
    #[serde(rename = "202_for_request")]
    AcceptedForRequest,
    /// Run it, send half an SSE event, close. The answer can be had by resuming.
    SseCutMidevent,
    /// Run it and answer twice on one stream.
    DuplicateAnswer,
    /// 307 to `location`.
    Redirect,
    /// Run it and send the head of the answer one byte at a time over `seconds`.
    SlowHeaders,
    /// 400 that speaks of the session, as some servers answer for one that is gone.
    #[serde(rename = "400_session")]
    BadSession,
    /// Forget all sessions.
    SessionLost,
    /// One more field in `PlaceOrder`, and `list_changed`.
    SchemaChange,
    /// One more tool, and `list_changed`.
    NewTool,
    /// The add-on goes away.
    AddonDown,
    /// The add-on is back.
    AddonUp,
    /// `ListOrders` shows orders only after `seconds`.
    LagOrders,
    /// Close the next `times` TCP connections unread.
    Refuse,
    /// Close every open GET stream.
    CloseStreams,
}

/// Where the waiting of a stall lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    /// Nothing has run yet.
    #[default]
    Before,
    /// It has run.
    After,
}

/// One fault as it is ordered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// Only calls of this tool.
    #[serde(default)]
    pub(crate) tool: Option<String>,
    /// Only this JSON-RPC method, or `GET` or `DELETE`.
    #[serde(default)]
    pub(crate) method: Option<String>,
    /// Only requests to paths that begin so; the MCP endpoint where not given.
    #[serde(default)]
    pub(crate) path: Option<String>,
    /// Only requests with a token of this scope.
    #[serde(default)]
    pub(crate) scope: Option<String>,
    /// How often; 0 is until the next reset. Once where not given.
    #[serde(default = "once")]
    pub(crate) times: u32,
    #[serde(default)]
    pub(crate) seconds: Option<f64>,
    #[serde(default)]
    pub(crate) when: When,
    #[serde(default)]
    pub(crate) retry_after: Option<u64>,
    #[serde(default)]
    pub(crate) location: Option<String>,
    /// Run the request first, for kinds that otherwise run nothing.
    #[serde(default)]
    pub(crate) execute: bool,
}

const fn once() -> u32 {
    1
}

impl Fault {
    /// How long, with a bound of ten minutes.
    pub(crate) fn pause(&self) -> std::time::Duration {
        std::time::Duration::from_secs_f64(self.seconds.unwrap_or(1.0).clamp(0.0, 600.0))
    }
}

/// What a request is, as far as faults look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) path: String,
    /// GET, POST, DELETE.
    pub(crate) http: String,
    /// The JSON-RPC method; empty for anything else.
    pub(crate) method: String,
    pub(crate) tool: Option<String>,
    pub(crate) scope: Option<String>,
}

/// What a read tool asks the client before it answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// `elicitation`, `sampling` or `roots`.
    pub(crate) kind: String,
    /// Only this tool.
    #[serde(default)]
    pub(crate) tool: Option<String>,
}

/// The faults that wait for their request.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<Fault>,
    /// Raw results for the next calls of a tool.
    answers: Vec<(String, Box<RawValue>)>,
    questions: Vec<Question>,
    /// Calls that were answered with a question and may come again with its answer: their tools by `requestState`.
    pub(crate) rounds: HashMap<String, String>,
    /// TCP connections still to be refused.
    pub(crate) refuse: u32,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    /// The next call of `tool` is answered with these bytes.
    pub(crate) fn answer(&mut self, tool: String, result: Box<RawValue>) {
        self.answers.push((tool, result));
    }

    pub(crate) fn take_answer(&mut self, tool: &str) -> Option<Box<RawValue>> {
        let at = self.answers.iter().position(|(name, _)| name == tool)?;
        Some(self.answers.remove(at).1)
    }

    pub(crate) fn ask(&mut self, question: Question) {
        self.questions.push(question);
    }

    fn question_at(&self, tool: &str) -> Option<usize> {
        self.questions
            .iter()
            .position(|q| q.tool.as_deref().is_none_or(|t| t == tool))
    }

    pub(crate) fn has_question(&self, tool: &str) -> bool {
        self.question_at(tool).is_some()
    }

    pub(crate) fn take_question(&mut self, tool: &str) -> Option<Question> {
        self.question_at(tool).map(|at| self.questions.remove(at))
    }

    /// The same, for a tool that may ask at all: only those that read do.
    pub(crate) fn take_question_of(&mut self, tool: &Tool) -> Option<Question> {
        (tool.scope == Scope::Read)
            .then(|| self.take_question(tool.name))
            .flatten()
    }

    /// The fault for this request, counted down. `slow` ones are taken by the tool itself.
    pub(crate) fn take(&mut self, seen: &Seen, slow: bool) -> Option<Fault> {
        let at = self
            .waiting
            .iter()
            .position(|f| (f.kind == Kind::Slow) == slow && hits(f, seen))?;
        let fault = self.waiting.get_mut(at)?;
        let taken = fault.clone();
        match fault.times {
            0 => {}
            1 => {
                self.waiting.remove(at);
            }
            _ => fault.times -= 1,
        }
        Some(taken)
    }
}

fn hits(fault: &Fault, seen: &Seen) -> bool {
    let path = fault.path.as_deref().unwrap_or(crate::ENDPOINT_PATH);
    let same =
        |wanted: &Option<String>, real: Option<&str>| wanted.as_deref().is_none_or(|w| real == Some(w));
    let method = if seen.method.is_empty() {
        &seen.http
    } else {
        &seen.method
    };
    // Without a filter the standalone stream and DELETE are left alone: they come at times no test chooses.
    let chosen = fault.method.is_some() || fault.path.is_some() || seen.http == "POST";
    seen.path.starts_with(path)
        && chosen
        && same(&fault.tool, seen.tool.as_deref())
        && same(&fault.method, Some(method))
        && same(&fault.scope, seen.scope.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        serde_json::from_str(text).unwrap()
    }

    fn call(tool: &str) -> Seen {
        Seen {
            path: crate::ENDPOINT_PATH.into(),
            http: "POST".into(),
            method: "tools/call".into(),
            tool: Some(tool.into()),
            scope: Some("mcp:read".into()),
        }
    }

    #[test]
    fn a_fault_waits_for_its_tool_and_is_spent() {
        let mut faults = Faults::default();
        faults.add(fault(r#"{"kind":"408_after","tool":"PlaceOrder","times":2}"#));
        assert!(faults.take(&call("GetQuote"), false).is_none());
        assert_eq!(
            (0..5)
                .filter(|_| faults.take(&call("PlaceOrder"), false).is_some())
                .count(),
            2
        );
    }

    #[test]
    fn zero_times_is_until_reset() {
        let mut faults = Faults::default();
        faults.add(fault(r#"{"kind":"503","times":0}"#));
        assert_eq!(
            (0..9)
                .filter(|_| faults.take(&call("X"), false).is_some())
                .count(),
            9
        );
    }

    #[test]
    fn an_unknown_kind_or_field_is_an_error() {
        assert!(serde_json::from_str::<Fault>(r#"{"kind":"nothing"}"#).is_err());
        assert!(serde_json::from_str::<Fault>(r#"{"kind":"500","toool":"X"}"#).is_err());
    }
}
