//! What a look after an unknown outcome proves of the call that was sent, and what it does not.

use super::{NOW, held, result};
use crate::gate::before::Before;
use crate::gate::facts::{Facts, ReadFailure, StateRead};
use crate::gate::outcome::{Around, Seen};
use crate::gate::{Call, outcome};

/// A look with these facts from before, and nothing else known.
pub(super) fn seen(call: &Call, before: Option<&Facts>, after: &Facts) -> Seen {
    let before = before.map(|facts| Before::of(call, facts));
    let around = Around {
        before: before.as_ref(),
        sent: Some(NOW),
        ..Around::default()
    };
    outcome::seen(call, around, after)
}

const ORDER: &str = r#"{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Limit","quantity":2,"limit_price":6000}"#;
const MARKET: &str =
    r#"{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market","quantity":2}"#;

fn row(id: &str, rest: &str) -> String {
    format!(
        r#"{{"order_id":"{id}","account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Limit","quantity":2,{rest}}}"#
    )
}

fn working(id: &str, price: &str) -> String {
    row(id, &format!(r#""limit_price":{price},"status":"Working""#))
}

fn fill(order: &str, rest: &str) -> String {
    format!(
        r#"{{"execution_id":"x","order_id":"{order}","account":"Sim101","instrument":"MES 12-26","side":"Buy","price":6000,{rest}}}"#
    )
}

fn long(quantity: u32) -> String {
    format!(
        r#"{{"account":"Sim101","instrument":"MES 12-26","marketPosition":"Long","quantity":{quantity}}}"#
    )
}

/// Lists as one look reads them; `None` could not be read.
fn facts(orders: Option<&str>, fills: Option<&str>, positions: Option<&str>) -> Facts {
    let mut facts = Facts::default();
    for (tool, key, rows) in [
        ("ListOrders", "orders", orders),
        ("ListExecutions", "executions", fills),
        ("ListPositions", "positions", positions),
    ] {
        let read = StateRead::new(tool, Some(("account", "Sim101")));
        match rows {
            Some(rows) => facts.absorb(&read, Ok(&result(&format!(r#"{{"{key}":[{rows}]}}"#))), NOW),
            None => facts.absorb(&read, Err(ReadFailure::TimedOut), NOW),
        }
    }
    facts
}

fn lists(orders: &str) -> Facts {
    facts(Some(orders), Some(""), Some(""))
}

fn maybe(seen: &Seen, part: &str) -> bool {
    matches!(seen, Seen::Maybe(what) if what.contains(part))
}

fn done(seen: &Seen, id: &str) -> bool {
    seen.order() == Some(id) && matches!(seen, Seen::Done { .. })
}

/// What the service says that it did not run, and something shows that it may have: an order or a position that was not
/// there before. What a change or a cancel aims at says nothing: not run, it is as before.
#[test]
fn a_trace_is_what_was_not_there_before() {
    let trace = |tool: &str, arguments: &str, before: &Facts, after: &Facts| {
        let call = held(tool, arguments);
        let before = Before::of(&call, before);
        let around = Around {
            before: Some(&before),
            sent: Some(NOW),
            ..Around::default()
        };
        outcome::trace(&call, around, after).is_some()
    };
    let (none, one) = (lists(""), lists(&working("O1", "6000")));
    let rejected = lists(&row("O1", r#""limit_price":6000,"status":"Rejected""#));
    let moved = facts(Some(""), Some(""), Some(&long(2)));
    assert!(trace("PlaceOrder", ORDER, &none, &one));
    assert!(trace("PlaceOrder", ORDER, &none, &rejected));
    assert!(trace("PlaceOrder", MARKET, &none, &moved));
    assert!(!trace("PlaceOrder", ORDER, &none, &none));
    assert!(!trace("PlaceOrder", ORDER, &one, &one));
    // What was not read before, and what cannot be read now, shows nothing.
    let unread = facts(None, None, None);
    assert!(!trace("PlaceOrder", ORDER, &unread, &one));
    assert!(!trace("PlaceOrder", ORDER, &none, &unread));
    for (tool, arguments) in [
        ("CancelOrder", r#"{"account":"Sim101","order_id":"O1"}"#),
        ("CancelAllOrders", r#"{"account":"Sim101"}"#),
        (
            "Change",
            r#"{"account":"Sim101","order_id":"O1","limit_price":5999}"#,
        ),
    ] {
        assert!(!trace(tool, arguments, &one, &one), "{tool}");
        assert!(!trace(tool, arguments, &one, &none), "{tool}");
    }
}

/// An older resting order of the same side, size and price proves nothing, whether it was in the list before or came
/// late into it.
#[test]
fn an_older_order_that_looks_the_same_is_no_proof() {
    let call = held("PlaceOrder", ORDER);
    let old = working("O1", "6000");
    assert_eq!(seen(&call, Some(&lists(&old)), &lists(&old)), Seen::NotFound);
    let late = row(
        "O1",
        &format!(
            r#""limit_price":6000,"status":"Working","created_at":{}"#,
            NOW - 60_000
        ),
    );
    let look = seen(&call, Some(&lists("")), &lists(&late));
    assert!(maybe(&look, "older than this call"), "{look:?}");
    // Beside it the real one is found.
    let own = row(
        "O2",
        &format!(
            r#""limit_price":6000,"status":"Working","created_at":{}"#,
            NOW + 50
        ),
    );
    let look = seen(&call, Some(&lists("")), &lists(&format!("{late},{own}")));
    assert!(done(&look, "O2"), "{look:?}");
    // What another call is known to have made is not this one's.
    let claimed = vec!["O1".to_owned()];
    let before = Before::of(&call, &lists(""));
    let around = Around {
        before: Some(&before),
        sent: Some(NOW),
        claimed: &claimed,
        rivals: &[],
    };
    let listed = working("O1", "6000");
    assert_eq!(outcome::seen(&call, around, &lists(&listed)), Seen::NotFound);
}

/// The model reissued it: two calls without an outcome, and one order. Whose it is nobody knows.
#[test]
fn one_order_is_not_told_as_that_of_two_calls() {
    let call = held("PlaceOrder", ORDER);
    let other_price = held("PlaceOrder", &ORDER.replace("6000", "6001"));
    let before = Before::of(&call, &lists(""));
    let look = |rival: &Call, orders: &str| {
        let rivals = vec![rival.clone()];
        let around = Around {
            before: Some(&before),
            sent: Some(NOW),
            claimed: &[],
            rivals: &rivals,
        };
        outcome::seen(&call, around, &lists(orders))
    };
    let one = working("O1", "6000");
    let shared = look(&call, &one);
    assert!(maybe(&shared, "2 call(s)"), "{shared:?}");
    assert!(done(&look(&other_price, &one), "O1"));
    // Two orders that fit one call: one too many for a clear word.
    let two = format!("{one},{}", working("O2", "6000"));
    let twice = seen(&call, Some(&lists("")), &lists(&two));
    assert!(maybe(&twice, "2 new order(s)"), "{twice:?}");
}

#[test]
fn another_price_is_neither_proof_nor_nothing() {
    let call = held("PlaceOrder", ORDER);
    let look = seen(&call, Some(&lists("")), &lists(&working("O1", "6000.25")));
    assert!(maybe(&look, "but for its price"), "{look:?}");
    let both = format!("{},{}", working("O1", "6000.25"), working("O2", "6000"));
    assert!(done(&seen(&call, Some(&lists("")), &lists(&both)), "O2"));
}

#[test]
fn partial_fills_are_told_and_a_status_that_passes_is_looked_at_again() {
    let call = held("PlaceOrder", ORDER);
    let look = |rest: &str| {
        seen(
            &call,
            Some(&lists("")),
            &lists(&row("O1", &format!(r#""limit_price":6000,{rest}"#))),
        )
    };
    let part = look(r#""filled":1,"status":"PartFilled""#);
    assert!(
        matches!(&part, Seen::Done { what, settled: true, .. } if what.contains("1 of 2 filled")),
        "{part:?}"
    );
    for passing in ["Submitted", "Initialized", "PendingSubmit", "ChangePending"] {
        let look = look(&format!(r#""status":"{passing}""#));
        assert!(!look.is_settled() && done(&look, "O1"), "{look:?}");
        // A later look that sees it rejected says so.
        assert!(
            Seen::Dead {
                what: String::new(),
                order: String::new()
            }
            .weight()
                >= look.weight()
        );
    }
}

/// Filled and gone from the list: the fills tell, and only with the position do they prove.
#[test]
fn a_filled_order_that_no_list_shows_is_found_by_its_fills() {
    let call = held("PlaceOrder", MARKET);
    let before = facts(Some(""), None, Some(""));
    let look = |fills: &str, positions: Option<&str>| {
        seen(&call, Some(&before), &facts(Some(""), Some(fills), positions))
    };
    let whole = fill("O9", r#""quantity":2"#);
    let found = look(&whole, Some(&long(2)));
    assert!(done(&found, "O9") && found.is_settled(), "{found:?}");
    let half = fill("O9", r#""quantity":1"#);
    let found = look(&half, Some(&long(1)));
    assert!(
        matches!(&found, Seen::Done { what, settled: false, .. } if what.contains("BUY 1 of 2 ")),
        "{found:?}"
    );
    // The position says otherwise, or cannot be read.
    assert!(maybe(&look(&whole, Some(&long(3))), "O9"));
    assert!(maybe(&look(&whole, None), "O9"));
    // Fills of another side, of an order that is listed, that was there, or from before it was sent.
    let sold = whole.replace("Buy", "Sell");
    assert_eq!(look(&sold, Some("")), Seen::NotFound);
    let older = fill("O9", &format!(r#""quantity":2,"time":{}"#, NOW - 60_000));
    assert_eq!(look(&older, Some("")), Seen::NotFound);
    let known = facts(Some(&working("O9", "1")), None, Some(""));
    assert_eq!(
        seen(&call, Some(&known), &facts(Some(""), Some(&whole), Some(""))),
        Seen::NotFound
    );
}

/// The order never shows, and the position moved: told as what it is.
#[test]
fn an_order_that_never_shows_leaves_the_position() {
    let call = held("PlaceOrder", MARKET);
    let look = seen(&call, Some(&lists("")), &facts(Some(""), None, Some(&long(2))));
    assert!(maybe(&look, "from flat to +2"), "{look:?}");
    // It was there and is gone: a position that went away moved too.
    let before = facts(Some(""), None, Some(&long(2)));
    let look = seen(
        &held(
            "ClosePosition",
            r#"{"account":"Sim101","instrument":"MES 12-26"}"#,
        ),
        Some(&before),
        &lists(""),
    );
    assert!(maybe(&look, "from +2 to flat"), "{look:?}");
}

/// What could not be read is said, and is no "not found"; what could be read is used.
#[test]
fn an_unread_list_is_no_empty_list() {
    let call = held("PlaceOrder", ORDER);
    let before = lists("");
    let could_not = |look: &Seen, part: &str| matches!(look, Seen::CouldNotLook(why) if why.contains(part));
    let look = |after: &Facts| seen(&call, Some(&before), after);
    assert!(could_not(&look(&facts(Some(""), Some(""), None)), "positions"));
    assert!(could_not(&look(&facts(None, Some(""), Some(""))), "orders"));
    assert!(done(
        &look(&facts(Some(&working("O1", "6000")), None, None)),
        "O1"
    ));
    let mut down = Facts::default();
    for read in call.looks() {
        down.absorb(&read, Err(ReadFailure::NotConnected), NOW);
    }
    assert!(could_not(
        &look(&down),
        "NinjaTrader or its add-on is not connected"
    ));
}

/// A flatten is done when nothing in its reach is open; a stop order that somebody else placed is no trace of it.
#[test]
fn a_close_is_told_by_what_closes() {
    let call = held("Flatten", r#"{"account":"Sim101"}"#);
    let before = facts(Some(""), None, Some(&long(2)));
    let sold = |id: &str, kind: &str| {
        format!(
            r#"{{"order_id":"{id}","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"{kind}","quantity":2,"stop_price":5990,"status":"Filled"}}"#
        )
    };
    let closed = seen(&call, Some(&before), &lists(&sold("C1", "Market")));
    assert!(done(&closed, "C1"), "{closed:?}");
    let stop = seen(
        &call,
        Some(&before),
        &facts(Some(&sold("C1", "Stop")), Some(""), Some(&long(2))),
    );
    assert_eq!(stop, Seen::NotFound);
    let part = seen(
        &call,
        Some(&before),
        &facts(Some(&sold("C1", "Market")), Some(""), Some(&long(1))),
    );
    assert!(maybe(&part, "still open: +1 in MES 12-26"), "{part:?}");
}

/// What is written beside a ticket reads back as it was, and a ticket without it too.
#[test]
fn what_was_there_before_is_kept_as_text() {
    let call = held("CancelOrders", r#"{"account":"Sim101","instrument":"MES 12-26"}"#);
    let before = Before::of(&call, &facts(Some(&working("O1", "6000")), None, Some(&long(2))));
    let text = serde_json::to_string(&before).unwrap();
    assert_eq!(serde_json::from_str::<Before>(&text).unwrap(), before);
    assert!(text.contains("\"aimed\":true"), "{text}");
    let many: Vec<String> = (0..2_001).map(|n| working(&format!("O{n}"), "1")).collect();
    assert_eq!(Before::of(&call, &lists(&many.join(","))).orders, None);
}
