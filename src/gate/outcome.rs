//! What the service's answer to a sent call says.
//!
//! Owns: the reading of answers and of refusals. Refuses to know: lists (`seen` looks at them), tickets. An answer is
//! believed only where it can mean one thing: whatever is odd may have run.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use serde_json::{Map, Value};

use super::Call;
use super::catalogue::{Class, Form};
use super::instrument::Instrument;
use super::value::{self, Decimal, Side};
use crate::wire::json;

pub use super::seen::{Around, Seen, is_missing, seen, trace, would_show};

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Taken; the service's own words.
    Accepted(String),
    /// It ended, but not as asked: in part, or with nothing to do. A sentence, then the service's own words.
    Otherwise(String),
    /// Not taken, and nothing ran.
    Rejected(String),
    /// It may have run.
    Unclear(String),
}

/// Words that speak of a lost or late add-on: the order may have reached `NinjaTrader` before (408 has the same doubt;
/// troubleshooting pages list these as tool results as well).
const UNCLEAR: [&str; 5] = [
    "addon_disconnected",
    "timeout",
    "timed_out",
    "timed out",
    "server_error",
];

/// Documented errors that the service finds before it does anything, whatever the tool. `account_disconnected` is none
/// of them: a connection can be lost with the order on its way.
const BEFORE_ANYTHING: [&str; 7] = [
    "account_not_found",
    "instrument_mismatch",
    "insufficient_scope",
    "subscription_required",
    "mcp requires an elite subscription",
    "rate limit exceeded",
    "rate_limit_exceeded",
];

/// Reads the text of the `CallToolResult` that answered this call. Failure may be told by `isError`, by
/// `success: false`, by `error` inside, by an order's status or by plain words.
pub fn read(call: &Call, result: &str) -> Said {
    match Answer::of(result) {
        Ok(answer) => answer.said(call),
        Err(why) => Said::Unclear(why),
    }
}

/// Whether a JSON-RPC error proves that nothing ran: the request was not understood, or its parameters were refused.
/// An SDK gives the same -32602 when it finds the *output* of a tool that ran invalid: only words about the input count.
pub fn refused_proves_nothing_ran(code: i64, message: &str) -> bool {
    let told = message.to_ascii_lowercase();
    let speaks = |words: &[&str]| words.iter().any(|word| told.contains(word));
    match code {
        -32_700 | -32_600 | -32_601 => true,
        -32_602 => {
            speaks(&["input", "param", "argument"])
                && !speaks(&[
                    "output",
                    "structured content",
                    "structuredcontent",
                    "result",
                    "response",
                ])
        }
        _ => false,
    }
}

/// The ids of the orders that this answer names: they are that call's, and no other's.
pub fn order_ids(result: &str) -> Vec<String> {
    let Ok(answer) = Answer::of(result) else {
        return Vec::new();
    };
    let id = |object: &Map<String, Value>| {
        ["order_id", "orderId"]
            .iter()
            .find_map(|key| object.get(*key)?.as_str())
            .map(|id| value::short(id, value::MAX_NAME))
    };
    let nested = answer.member(&["order"]).and_then(Value::as_object);
    let many = answer.list(&["orders"]).iter().filter_map(Value::as_object);
    std::iter::once(&answer.inner)
        .chain(nested)
        .chain(many)
        .filter_map(id)
        .collect()
}

/// Whether an object has a key twice, or its `structuredContent` has: two readers could disagree on what it says.
fn says_twice(object: &str) -> bool {
    let Ok(members) = json::members(object) else {
        return true;
    };
    members.iter().any(|member| {
        member.key == "structuredContent"
            && member.value.starts_with('{')
            && json::members(member.value).is_err()
    })
}

/// An answer that is a result.
struct Answer {
    /// The first text.
    text: String,
    /// The object that it carries; empty where there is none.
    inner: Map<String, Value>,
    /// Carries neither an object nor words.
    odd: bool,
    is_error: bool,
}

impl Answer {
    fn of(result: &str) -> Result<Self, String> {
        let Ok(whole) = serde_json::from_str::<Value>(result) else {
            return Err("an answer that cannot be read".to_owned());
        };
        // A task or a question instead of a result leaves open what happened (DESIGN fact 2).
        let kind = whole
            .get("resultType")
            .map_or("complete", |kind| kind.as_str().unwrap_or("no text"));
        if kind != "complete" || whole.get("content").is_none() {
            let kind: String = kind.chars().filter(char::is_ascii_graphic).take(40).collect();
            return Err(format!("an answer of the kind \"{kind}\" instead of a result"));
        }
        if says_twice(result) {
            return Err("an answer that says one thing twice".to_owned());
        }
        let text = whole
            .get("content")
            .and_then(|content| content.get(0)?.get("text")?.as_str())
            .unwrap_or_default();
        let spoken = serde_json::from_str::<Value>(text).ok();
        if spoken.as_ref().is_some_and(Value::is_object) && says_twice(text) {
            return Err("an answer that says one thing twice".to_owned());
        }
        let inner = match (whole.get("structuredContent"), &spoken) {
            (Some(Value::Object(inner)), _) | (_, Some(Value::Object(inner))) => inner.clone(),
            (_, _) => Map::new(),
        };
        // Plain words are an answer; a bare number, a list or nothing at all is none.
        let odd = inner.is_empty() && (text.trim().is_empty() || spoken.is_some());
        Ok(Self {
            text: text.to_owned(),
            inner,
            odd,
            is_error: whole.get("isError").and_then(Value::as_bool).unwrap_or(false),
        })
    }

    fn said(&self, call: &Call) -> Said {
        if let Some(partly) = self.in_part(call) {
            return partly;
        }
        if self.failed() {
            return self.failure(call);
        }
        if self.odd {
            return Said::Unclear(format!("an answer that says nothing: {}", self.words()));
        }
        if self.inner.is_empty() {
            return self.plain_words(call);
        }
        self.by_status(call)
    }

    /// The service's own words.
    fn words(&self) -> String {
        if self.text.is_empty() {
            Value::Object(self.inner.clone()).to_string()
        } else {
            self.text.clone()
        }
    }

    fn member(&self, keys: &[&str]) -> Option<&Value> {
        keys.iter()
            .find_map(|key| self.inner.get(*key))
            .filter(|value| !value.is_null())
    }

    fn list(&self, keys: &[&str]) -> &[Value] {
        self.member(keys)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// The error word; empty where there is none.
    fn error(&self) -> String {
        match self.inner.get("error") {
            None | Some(Value::Null | Value::Bool(false)) => String::new(),
            Some(Value::String(word)) => word.trim().to_owned(),
            Some(Value::Object(error)) => error
                .get("code")
                .or_else(|| error.get("message"))
                .and_then(Value::as_str)
                .map_or_else(|| "error".to_owned(), str::to_owned),
            Some(other) => other.to_string(),
        }
    }

    /// `success` that is anything but a plain `true` is a failure too: then the answer is none that we know.
    fn failed(&self) -> bool {
        let denied = self
            .member(&["success"])
            .is_some_and(|success| success != &Value::Bool(true));
        self.is_error || denied || !self.error().is_empty()
    }

    /// What failed beside what was done: orders that were not cancelled, positions that are still open.
    fn in_part(&self, call: &Call) -> Option<Said> {
        if let Some(failed) = self.member(&["failed"]).filter(|_| trades(call.class())) {
            let names = match failed {
                Value::Array(failed) if failed.is_empty() => None,
                Value::Array(failed) => Some(named(failed)),
                Value::Bool(false) => None,
                Value::Number(number) if number.as_u64() == Some(0) => None,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                    Some(value::short(&failed.to_string(), 80))
                }
            };
            if let Some(names) = names {
                let done = self
                    .list(&["cancelled", "canceled", "orderIds", "order_ids"])
                    .len();
                let told = format!("{done} done, NOT done: {names}. {}", self.words());
                return Some(if done > 0 {
                    Said::Otherwise(told)
                } else {
                    Said::Unclear(told)
                });
            }
        }
        if !matches!(call.form(), Form::Flatten | Form::FlattenEverything) {
            return None;
        }
        let keys = ["remaining_positions", "remainingPositions"];
        let open: Vec<Value> = self
            .list(&keys)
            .iter()
            .filter(|entry| concerns(call, entry))
            .cloned()
            .collect();
        (!open.is_empty()).then(|| Said::Otherwise(format!("STILL OPEN: {}. {}", named(&open), self.words())))
    }

    fn failure(&self, call: &Call) -> Said {
        let said = self.words();
        let error = self.error();
        let told = format!("{error} {said}").to_ascii_lowercase();
        let word = if error.is_empty() {
            said.trim()
        } else {
            error.as_str()
        }
        .to_ascii_lowercase();
        let is = |code: &str| starts_with_word(&word, code);
        if UNCLEAR.iter().any(|unclear| told.contains(unclear)) || self.shows_a_deed() {
            return Said::Unclear(said);
        }
        if is("nothing_to_flatten") && matches!(call.form(), Form::Flatten | Form::FlattenEverything) {
            return Said::Otherwise(format!(
                "Nothing was open to flatten; working orders may have been cancelled. {said}"
            ));
        }
        let proven = BEFORE_ANYTHING.into_iter().any(is)
            || BEFORE_THIS
                .iter()
                .any(|(form, code)| *form == call.form() && is(code))
            || word.starts_with("rejected:");
        // What cannot trade leaves no order behind: there a failure is what the service says it is.
        if !trades(call.class()) || (single_step(call.form()) && proven) {
            Said::Rejected(said)
        } else {
            Said::Unclear(said)
        }
    }

    /// A failure that shows a living order, a fill or something closed contradicts itself.
    fn shows_a_deed(&self) -> bool {
        let lives = self
            .statuses()
            .iter()
            .any(|status| !matches!(fate(status), Fate::Rejected | Fate::Gone));
        let done = ["cancelled", "canceled", "closed_positions", "closedPositions"];
        lives || self.filled().is_some_and(|filled| !filled.is_zero()) || !self.list(&done).is_empty()
    }

    fn plain_words(&self, call: &Call) -> Said {
        let told = self.text.to_ascii_lowercase();
        if told.trim_start().starts_with("rejected:") {
            return self.failure(call);
        }
        let doubtful = ["reject", "fail", "error", "denied", "not ", "unable", "could"];
        if doubtful.iter().any(|word| told.contains(word)) {
            Said::Unclear(self.words())
        } else {
            Said::Accepted(self.words())
        }
    }

    /// A success whose order is told as rejected or cancelled is none.
    fn by_status(&self, call: &Call) -> Said {
        let said = self.words();
        let keys: &[&str] = if call.form() == Form::CancelOne {
            &["cancelled", "canceled"]
        } else if call.form() == Form::ClosePosition {
            &["closed_positions", "closedPositions"]
        } else {
            &[]
        };
        let nothing = self
            .member(keys)
            .is_some_and(|list| list.as_array().is_some_and(Vec::is_empty));
        if nothing {
            return Said::Unclear(format!("the answer names nothing that was done: {said}"));
        }
        if !places(call.form()) {
            return Said::Accepted(said);
        }
        let fates: Vec<Fate> = self.statuses().iter().map(|status| fate(status)).collect();
        let alone = matches!(call.form(), Form::PlaceOrder | Form::ClosePosition);
        let filled = self.filled();
        if fates.contains(&Fate::Odd) {
            return Said::Unclear(said);
        }
        if fates.contains(&Fate::Rejected) {
            let untouched = alone && filled.is_none_or(Decimal::is_zero);
            return if untouched {
                Said::Rejected(said)
            } else {
                Said::Unclear(format!("an order of it was rejected: {said}"))
            };
        }
        if fates.contains(&Fate::Gone) {
            return match filled {
                Some(filled) if alone && filled.is_zero() => Said::Rejected(said),
                Some(filled) if alone => {
                    Said::Otherwise(format!("The order ended after {filled} filled. {said}"))
                }
                Some(_) | None => Said::Unclear(format!("an order of it was cancelled: {said}")),
            };
        }
        Said::Accepted(said)
    }

    /// The statuses of the new orders that the answer shows.
    fn statuses(&self) -> Vec<String> {
        let keys = [
            "status",
            "state",
            "orderState",
            "order_state",
            "orderStatus",
            "order_status",
        ];
        let one = |object: &Map<String, Value>| {
            keys.iter()
                .find_map(|key| object.get(*key)?.as_str())
                .map(str::to_ascii_lowercase)
        };
        let nested = self.member(&["order"]).and_then(Value::as_object);
        let many = self.list(&["orders"]).iter().filter_map(Value::as_object);
        std::iter::once(&self.inner)
            .chain(nested)
            .chain(many)
            .filter_map(one)
            .collect()
    }

    /// How much the order filled, where the answer says so.
    fn filled(&self) -> Option<Decimal> {
        let nested = self.member(&["order"]).and_then(Value::as_object);
        std::iter::once(&self.inner)
            .chain(nested)
            .find_map(|object| {
                ["filled", "filledQuantity", "filled_quantity"]
                    .iter()
                    .find_map(|key| object.get(*key))
            })
            .and_then(|number| Decimal::lenient(&number.to_string()))
    }
}

/// What became of an order by its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Alive,
    Rejected,
    Gone,
    Odd,
}

fn fate(status: &str) -> Fate {
    match status {
        "rejected" => Fate::Rejected,
        "cancelled" | "canceled" | "expired" => Fate::Gone,
        odd if ["reject", "cancel", "fail", "error", "unknown", "lost"]
            .iter()
            .any(|word| odd.contains(word)) =>
        {
            Fate::Odd
        }
        _ => Fate::Alive,
    }
}

/// `order_not_found`, also with a colon or a blank and more behind it.
fn starts_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word)
        .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_'))
}

/// What this tool finds before it does anything. `order_not_found` proves nothing about a new order: the service may
/// have lost sight of the very order that it placed.
const BEFORE_THIS: [(Form, &str); 6] = [
    (Form::Change, "order_not_found"),
    (Form::CancelOne, "order_not_found"),
    (Form::ClosePosition, "nothing_to_flatten"),
    (Form::StopStrategy, "deployment_not_found"),
    (Form::DeployStrategy, "compile_required"),
    (Form::StartStrategy, "compile_required"),
];

/// Whether a call of this class may leave orders or positions behind.
const fn trades(class: Class) -> bool {
    match class {
        Class::Order
        | Class::Protect
        | Class::Exit
        | Class::Cancel
        | Class::Strategy
        | Class::Connection
        | Class::Unknown => true,
        Class::Read | Class::Code | Class::Job | Class::Alert | Class::Workspace => false,
    }
}

/// Whether the tool does one thing only, so that a failure of it leaves nothing half done.
const fn single_step(form: Form) -> bool {
    match form {
        Form::PlaceOrder
        | Form::Change
        | Form::CancelOne
        | Form::ClosePosition
        | Form::DeployStrategy
        | Form::StartStrategy
        | Form::EnableStrategy
        | Form::DisableStrategy
        | Form::StopStrategy
        | Form::WriteFile
        | Form::Compile
        | Form::DeleteSnippet
        | Form::Backtest
        | Form::CancelJob
        | Form::Connect
        | Form::Disconnect
        | Form::Alert
        | Form::Workspace
        | Form::SyncJournal
        | Form::DeepTest
        | Form::Read => true,
        Form::FlatPlace
        | Form::Reverse
        | Form::ReversePosition
        | Form::CancelReplace
        | Form::CancelAndBracket
        | Form::CancelOrders
        | Form::CancelAllOrders
        | Form::Flatten
        | Form::FlattenEverything
        | Form::CloseStrategy
        | Form::Replay
        | Form::Unknown => false,
    }
}

/// Whether the answer's status is that of an order which the call places or changes.
const fn places(form: Form) -> bool {
    matches!(
        form,
        Form::PlaceOrder
            | Form::FlatPlace
            | Form::Reverse
            | Form::ReversePosition
            | Form::CancelReplace
            | Form::Change
            | Form::CancelAndBracket
            | Form::ClosePosition
    )
}

/// Whether a remaining position is one that the call should have closed; an unreadable one is.
fn concerns(call: &Call, entry: &Value) -> bool {
    let word = |keys: &[&str]| keys.iter().find_map(|key| entry.get(*key)?.as_str());
    let account = word(&["account", "accountName", "account_name"]);
    let instrument = word(&["instrument", "symbol"]).and_then(Instrument::read);
    let direction = word(&["marketPosition", "market_position", "side"]).map(str::to_ascii_lowercase);
    let long = match direction.as_deref() {
        Some("long" | "buy") => Some(Side::Buy),
        Some("short" | "sell") => Some(Side::Sell),
        Some(_) | None => None,
    };
    call.account()
        .zip(account)
        .is_none_or(|(own, there)| own.eq_ignore_ascii_case(there))
        && call
            .instrument()
            .zip(instrument.as_ref())
            .is_none_or(|(own, there)| own.may_be(there))
        && call
            .fields()
            .market_position
            .zip(long)
            .is_none_or(|(own, there)| own == there)
}

/// The first entries of a list by their ids or names.
fn named(entries: &[Value]) -> String {
    let name = |entry: &Value| {
        let inside = ["order_id", "orderId", "id", "instrument", "symbol"]
            .iter()
            .find_map(|key| entry.get(*key)?.as_str());
        let text = entry
            .as_str()
            .or(inside)
            .map_or_else(|| entry.to_string(), str::to_owned);
        value::short(&text, 40)
    };
    let mut text = entries.iter().take(10).map(name).collect::<Vec<_>>().join(", ");
    if entries.len() > 10 {
        text.push_str(" and more");
    }
    text
}
