//! What the service's answer to a sent call says, and what a later look at orders and positions shows.

#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::facts::Position;
use super::instrument::Instrument;
use super::{Call, Facts};
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
    let Ok(whole) = serde_json::from_str::<Value>(result) else {
        return Said::Unclear("an answer that cannot be read".to_owned());
    };
    // A task or a question instead of a result leaves open what happened (DESIGN fact 2).
    let kind = whole
        .get("resultType")
        .and_then(Value::as_str)
        .unwrap_or("complete");
    if kind != "complete" || whole.get("content").is_none() {
        return Said::Unclear(format!(
            "an answer of the kind \"{}\" instead of a result",
            kind.chars()
                .filter(char::is_ascii_graphic)
                .take(40)
                .collect::<String>()
        ));
    }
    let text = whole
        .get("content")
        .and_then(|c| c.get(0))
        .and_then(|c| c.get("text"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let inner = whole
        .get("structuredContent")
        .cloned()
        .or_else(|| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let error = inner.get("error").filter(|error| !error.is_null());
    let word = error
        .map(|error| error.as_str().map_or_else(|| error.to_string(), str::to_owned))
        .unwrap_or_default();
    let failed = whole.get("isError").and_then(Value::as_bool).unwrap_or(false)
        || inner.get("success").and_then(Value::as_bool) == Some(false)
        || error.is_some();
    let said = if text.is_empty() {
        inner.to_string()
    } else {
        text.to_owned()
    };
    if !failed {
        return Said::Accepted(said);
    }
    let told = format!("{word} {said}").to_ascii_lowercase();
    if UNCLEAR.iter().any(|unclear| told.contains(unclear)) {
        Said::Unclear(said)
    } else {
        Said::Rejected(said)
    }
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

/// Looks for traces of a sent call: an order or a position that was not there before it was sent. Without facts from
/// before, what is there now is told without a claim that it is this call's.
pub fn seen(call: &Call, before: Option<&Facts>, after: &Facts) -> Seen {
    let (Some(orders), Some(positions)) = (after.orders.known(), after.positions.known()) else {
        return Seen::CouldNotLook("orders and positions could not be read".to_owned());
    };
    let root = call.instrument_root();
    let fits =
        |name: &Option<Instrument>| root.is_none() || name.as_ref().map(|name| name.root.as_str()) == root;
    let known: Vec<&str> = before
        .and_then(|facts| facts.orders.known())
        .into_iter()
        .flatten()
        .map(|order| order.id.as_str())
        .collect();
    let fresh = orders
        .iter()
        .find(|order| fits(&order.instrument) && !known.contains(&order.id.as_str()));
    let Some(earlier) = before.and_then(|facts| facts.positions.known()) else {
        return fresh.map_or(Seen::NotFound, |order| {
            Seen::Found(format!(
                "an order on {} that may be this one: {} {}",
                order.name, order.id, order.status
            ))
        });
    };
    if let Some(order) = fresh {
        return Seen::Found(format!(
            "a new order on {}: {} {}",
            order.name, order.id, order.status
        ));
    }
    let held = |list: &[Position]| -> Vec<(String, String, i64)> {
        let fitting = list.iter().filter(|position| fits(&position.instrument));
        fitting
            .map(|position| (position.account.clone(), position.name.clone(), position.quantity))
            .collect()
    };
    let (was, is) = (held(earlier), held(positions));
    let moved = is
        .iter()
        .find(|position| !was.contains(position))
        .or_else(|| was.iter().find(|position| !is.contains(position)));
    match moved {
        Some((account, name, _)) => Seen::Found(format!(
            "the position of {account} in {name} changed after it was sent"
        )),
        None => Seen::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_caution() {
        let text = |inner: &str, error: bool| {
            format!(
                r#"{{"content":[{{"type":"text","text":{}}}],"isError":{error}}}"#,
                serde_json::to_string(inner).unwrap()
            )
        };
        assert!(matches!(
            read(&text(r#"{"order_id":"1","status":"Filled"}"#, false)),
            Said::Accepted(_)
        ));
        assert!(matches!(
            read(&text(r#"{"success":false,"error":"account_not_found"}"#, false)),
            Said::Rejected(_)
        ));
        assert!(matches!(
            read(&text("Rejected: max contracts", true)),
            Said::Rejected(_)
        ));
        assert!(matches!(
            read(&text(r#"{"success":false,"error":"addon_disconnected"}"#, false)),
            Said::Unclear(_)
        ));
        assert!(matches!(
            read(r#"{"resultType":"task","task":{}}"#),
            Said::Unclear(_)
        ));
        assert!(matches!(read("<html>"), Said::Unclear(_)));
    }
}
