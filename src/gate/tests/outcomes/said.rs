//! Small words of an answer, each with what it says and what it does not.

use super::*;
use crate::gate::outcome::order_ids;

/// The orders that an answer names belong to its call, so that no other call takes them for its own.
#[test]
fn an_answer_names_the_orders_that_it_made() {
    for (inner, expected) in [
        (r#"{"order_id":"A1","status":"Filled"}"#, vec!["A1"]),
        (r#"{"orderId":"A2"}"#, vec!["A2"]),
        (r#"{"order":{"order_id":"A3"}}"#, vec!["A3"]),
        (
            r#"{"order_id":"A4","orders":[{"orderId":"A5"},{"order_id":"A6"},{"id":"A7"}]}"#,
            vec!["A4", "A5", "A6"],
        ),
        (r#"{"order_id":7,"success":true}"#, vec![]),
        ("Order 12 was placed", vec![]),
    ] {
        assert_eq!(order_ids(&text(inner, false)), expected, "{inner}");
    }
    assert!(order_ids("no answer").is_empty());
}

#[test]
fn a_no_is_no_failure() {
    for (inner, expected) in [
        (r#"{"order_id":"A1","success":true,"error":false}"#, "accepted"),
        (r#"{"order_id":"A1","success":true,"error":null}"#, "accepted"),
        (r#"{"order_id":"A1","success":true,"error":"odd"}"#, "unclear"),
        (r#"{"order_id":"A1","success":true,"error":true}"#, "unclear"),
        (r#"{"order_id":"A1","success":true,"failed":false}"#, "accepted"),
        (r#"{"order_id":"A1","success":true,"failed":true}"#, "unclear"),
        (r#"{"order_id":"A1","success":true,"failed":[]}"#, "accepted"),
        (r#"{"order_id":"A1","success":true,"failed":["B"]}"#, "unclear"),
    ] {
        assert_eq!(word(&order(), &text(inner, false)), expected, "{inner}");
    }
}

/// A cancel that names what it cancelled has done something; an empty list of it says that it has not.
#[test]
fn an_empty_list_of_deeds_is_none() {
    let cancel = held("CancelOrder", r#"{"account":"Sim101","order_id":"S1"}"#);
    for (inner, expected) in [
        (r#"{"success":true,"cancelled":true}"#, "accepted"),
        (r#"{"success":true,"cancelled":["S1"]}"#, "accepted"),
        (r#"{"success":true,"cancelled":[]}"#, "unclear"),
        (r#"{"success":true,"canceled":[]}"#, "unclear"),
    ] {
        assert_eq!(word(&cancel, &text(inner, false)), expected, "{inner}");
    }
}

/// A position that is left is a failure only where the call was to close it.
#[test]
fn what_is_left_is_measured_by_what_was_asked() {
    let flatten = |side: &str, left: &str| {
        let call = held(
            "Flatten",
            &format!(r#"{{"account":"Sim101","marketPosition":"{side}"}}"#),
        );
        let inner = format!(
            r#"{{"success":true,"remaining_positions":[{{"account":"Sim101","instrument":"MES 12-26","marketPosition":"{left}"}}]}}"#
        );
        word(&call, &text(&inner, false))
    };
    for (side, left, expected) in [
        ("long", "Long", "otherwise"),
        ("long", "Short", "accepted"),
        ("short", "Short", "otherwise"),
        ("short", "Sell", "otherwise"),
        ("short", "Long", "accepted"),
        // Nobody knows which.
        ("short", "?", "otherwise"),
    ] {
        assert_eq!(flatten(side, left), expected, "{side} {left}");
    }
}
