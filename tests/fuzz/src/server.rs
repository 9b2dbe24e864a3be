//! What a server may answer: never more is believed than was said.

use crate::calls::{NOW, literal, read};
use crate::{oracle, parts};
use countersign::gate::outcome::{self, Said, refused_proves_nothing_ran};
use countersign::gate::{Facts, StateRead};
use countersign::upstream;
use countersign::wire::envelope::{Id, Kind, Line};
use serde_json::Value;

/// The body of an answer, or the data of an event: what is taken out of it answers our request, on one line.
pub fn answer(data: &[u8]) {
    let id = Id::ours("cs-1");
    if let Some(text) = upstream::answer_to(data, &id, &|_| {}) {
        assert!(!text.contains(['\n', '\r']), "more than one line: {text}");
        let read = countersign::wire::envelope::read(text.as_bytes());
        assert!(
            matches!(&read, Ok(Line::One(message)) if message.kind == Kind::Response(id.clone())),
            "{text} answers nothing: {read:?}"
        );
    }
    assert!(!upstream::one_line(&String::from_utf8_lossy(data)).contains(['\n', '\r']));
}

const READS: [(&str, Option<(&str, &str)>); 10] = [
    ("GetAccount", Some(("account", "Sim101"))),
    ("ListAccounts", None),
    ("ListPositions", Some(("account", "Sim101"))),
    ("GetAllPositions", None),
    ("ListOrders", Some(("account", "Sim101"))),
    ("GetAllOrders", None),
    ("GetOrder", Some(("orderId", "S1"))),
    ("GetQuote", Some(("instrument", "MES 12-26"))),
    ("GetAccountSummary", Some(("account", "Sim101"))),
    ("GetWatermarks", Some(("account", "Sim101"))),
];

/// The tool, then the text of its result: all that becomes known can be shown, and belongs to the account asked for.
pub fn facts(data: &[u8]) {
    let [tool, answer] = parts(data);
    let more = ["GetConnections", "ListDeployedStrategies"].map(|tool| (tool, None));
    let Some((tool, argument)) = READS.into_iter().chain(more).find(|(name, _)| *name == tool) else {
        return;
    };
    let mut facts = Facts::default();
    facts.absorb(&StateRead::new(tool, argument), Ok(&answer), NOW);
    let plain = |text: &str| text.chars().all(|letter| matches!(letter, ' '..='~'));
    for position in facts.positions.known().into_iter().flatten() {
        assert!(plain(&position.name));
        assert_eq!(position.account, position.account.to_ascii_lowercase());
    }
    for order in facts
        .orders
        .known()
        .into_iter()
        .flatten()
        .chain(facts.order.known())
    {
        assert!(plain(&order.id) && plain(&order.name) && plain(&order.status));
        assert!(
            order.quantity <= order.size,
            "more is left than was ordered: {order:?}"
        );
    }
    for running in facts.strategies.known().into_iter().flatten() {
        assert!(plain(&running.id) && plain(&running.class) && plain(&running.state));
    }
    for connection in facts.connections.known().into_iter().flatten() {
        assert!(plain(&connection.name) && plain(&connection.status));
    }
    let known = facts.accounts.known().is_some()
        || facts.positions.known().is_some()
        || facts.orders.known().is_some()
        || facts.order.known().is_some()
        || facts.quote.known().is_some()
        || facts.summary.known().is_some()
        || facts.watermarks.known().is_some();
    if known {
        assert!(
            oracle::is_json(&answer),
            "something is known from what is no JSON"
        );
        assert!(!facts.not_connected());
        let result = serde_json::from_str::<Value>(&answer).unwrap_or_default();
        assert_ne!(
            result.get("isError"),
            Some(&Value::Bool(true)),
            "known from an error"
        );
    }
}

/// Name, arguments, the text of the result; then what a JSON-RPC error said.
pub fn outcome(data: &[u8]) {
    let [name, arguments, result, error] = parts(data);
    let _ = refused_proves_nothing_ran(-32_602, &error);
    assert!(!refused_proves_nothing_ran(-32_603, &error) && !refused_proves_nothing_ran(-32_000, &error));
    let Some(call) = read(&literal(&name), &arguments, None) else {
        return;
    };
    let said = outcome::read(&call, &result);
    let Ok(whole) = serde_json::from_str::<Value>(&result) else {
        return assert!(matches!(said, Said::Unclear(_)), "{said:?} from what is no JSON");
    };
    if whole.get("content").is_none() {
        assert!(
            matches!(said, Said::Unclear(_)),
            "{said:?} from what is no result"
        );
    }
    let inner = whole.get("structuredContent");
    let failed = whole.get("isError") == Some(&Value::Bool(true))
        || inner.and_then(|inner| inner.get("success")) == Some(&Value::Bool(false));
    assert!(
        !failed || !matches!(said, Said::Accepted(_)),
        "a failure was taken for a success"
    );
}
