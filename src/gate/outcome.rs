//! What the service's answer to a sent call says, and what a later look at orders and positions shows.

#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects))]

use super::{Call, Facts, Millis};
use serde_json::Value;

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Taken; the service's own words.
    Accepted(String),
    /// Not taken, and nothing ran.
    Rejected(String),
    /// It may have run.
    Unclear(String),
}

/// Error words that speak of a lost or late add-on: the order may have reached `NinjaTrader` before (408 has the same
/// doubt; troubleshooting pages list these as tool results as well).
const UNCLEAR: [&str; 4] = ["addon_disconnected", "timeout", "timed_out", "server_error"];

/// Reads the text of a `CallToolResult`. Failure may be told by `isError`, by `success: false` or by `error` inside.
pub fn read(result: &str) -> Said {
    let Ok(whole) = serde_json::from_str::<Value>(result) else { return Said::Unclear("an answer that cannot be read".to_owned()) };
    // A task or a question instead of a result leaves open what happened (DESIGN fact 2).
    let kind = whole.get("resultType").and_then(Value::as_str).unwrap_or("complete");
    if kind != "complete" || whole.get("content").is_none() {
        return Said::Unclear(format!("an answer of the kind \"{}\" instead of a result", kind.chars().filter(char::is_ascii_graphic).take(40).collect::<String>()));
    }
    let text = whole.get("content").and_then(|c| c.get(0)).and_then(|c| c.get("text")).and_then(Value::as_str).unwrap_or_default();
    let inner = whole.get("structuredContent").cloned().or_else(|| serde_json::from_str(text).ok()).unwrap_or_default();
    let error = inner.get("error").filter(|error| !error.is_null());
    let word = error.map(|error| error.as_str().map_or_else(|| error.to_string(), str::to_owned)).unwrap_or_default();
    let failed = whole.get("isError").and_then(Value::as_bool).unwrap_or(false)
        || inner.get("success").and_then(Value::as_bool) == Some(false)
        || error.is_some();
    let said = if text.is_empty() { inner.to_string() } else { text.to_owned() };
    if !failed {
        return Said::Accepted(said);
    }
    let told = format!("{word} {said}").to_ascii_lowercase();
    if UNCLEAR.iter().any(|unclear| told.contains(unclear)) { Said::Unclear(said) } else { Said::Rejected(said) }
}

/// What a look shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// An order or a position that fits.
    Found(String),
    /// Lists were read and hold nothing that fits.
    NotFound,
    /// The lists could not be read.
    CouldNotLook(String),
}

/// Looks for traces of a sent call in facts that were read after it.
pub fn seen(call: &Call, facts: &Facts, sent_wall: Millis) -> Seen {
    facts.trace_of(call, sent_wall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_caution() {
        let text = |inner: &str, error: bool| format!(r#"{{"content":[{{"type":"text","text":{}}}],"isError":{error}}}"#, serde_json::to_string(inner).unwrap());
        assert!(matches!(read(&text(r#"{"order_id":"1","status":"Filled"}"#, false)), Said::Accepted(_)));
        assert!(matches!(read(&text(r#"{"success":false,"error":"account_not_found"}"#, false)), Said::Rejected(_)));
        assert!(matches!(read(&text("Rejected: max contracts", true)), Said::Rejected(_)));
        assert!(matches!(read(&text(r#"{"success":false,"error":"addon_disconnected"}"#, false)), Said::Unclear(_)));
        assert!(matches!(read(r#"{"resultType":"task","task":{}}"#), Said::Unclear(_)));
        assert!(matches!(read("<html>"), Said::Unclear(_)));
    }
}
