//! What answers and later looks prove, and what they do not.

use super::looks::seen;
use super::{NOW, held, result};
use crate::gate::Call;
use crate::gate::facts::{Facts, StateRead};
use crate::gate::outcome::{Said, Seen, read, refused_proves_nothing_ran};

mod said;

const ORDER: &str = r#"{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Limit","quantity":2,"limit_price":6000}"#;
const PLACE: &str = r#"{"account":"Sim101","instrument":"MES 12-26"}"#;

fn order() -> Call {
    held("PlaceOrder", ORDER)
}

fn text(inner: &str, error: bool) -> String {
    let inner = serde_json::to_string(inner).unwrap();
    format!(r#"{{"content":[{{"type":"text","text":{inner}}}],"isError":{error}}}"#)
}

fn word(call: &Call, answer: &str) -> &'static str {
    match read(call, answer) {
        Said::Accepted(_) => "accepted",
        Said::Otherwise(_) => "otherwise",
        Said::Rejected(_) => "rejected",
        Said::Unclear(_) => "unclear",
    }
}

/// Two readers could disagree on what such an answer says.
#[test]
fn an_answer_that_says_one_thing_twice_says_nothing() {
    let (yes, no) = (
        r#""content":[{"type":"text","text":"{\"order_id\":\"1\",\"status\":\"Working\"}"}]"#,
        r#""content":[{"type":"text","text":"{\"success\":false,\"error\":\"account_not_found\"}"}]"#,
    );
    assert_eq!(word(&order(), &format!("{{{yes}}}")), "accepted");
    assert_eq!(word(&order(), &format!("{{{no}}}")), "rejected");
    for twice in [
        format!("{{{yes},{no}}}"),
        format!("{{{no},{yes}}}"),
        text(
            r#"{"order_id":"1","status":"Working","status":"Rejected"}"#,
            false,
        ),
        r#"{"content":[],"structuredContent":{"success":true,"success":false,"error":"account_not_found"}}"#
            .to_owned(),
    ] {
        assert_eq!(word(&order(), &twice), "unclear", "{twice}");
    }
}

#[test]
fn answers_to_an_order_are_read_with_caution() {
    for (inner, error, expected) in [
        (r#"{"order_id":"1","status":"Filled"}"#, false, "accepted"),
        (r#"{"orderId":"1","success":true}"#, false, "accepted"),
        ("Order 12 was placed", false, "accepted"),
        (
            r#"{"success":false,"error":"account_not_found"}"#,
            false,
            "rejected",
        ),
        (r#"{"error":"Rate limit exceeded"}"#, true, "rejected"),
        (r#"{"error":"insufficient_scope"}"#, true, "rejected"),
        ("Rejected: max contracts", true, "rejected"),
        ("Rejected: max contracts", false, "rejected"),
        (
            r#"{"success":false,"error":"Rejected: daily loss lockout"}"#,
            true,
            "rejected",
        ),
        (
            r#"{"success":true,"order_id":"1","status":"Rejected"}"#,
            false,
            "rejected",
        ),
        (
            r#"{"success":true,"order":{"status":"rejected"}}"#,
            false,
            "rejected",
        ),
        (
            r#"{"order_id":"1","status":"Cancelled","filled":0}"#,
            false,
            "rejected",
        ),
        (
            r#"{"order_id":"1","status":"Cancelled","filled":1}"#,
            false,
            "otherwise",
        ),
        (r#"{"order_id":"1","status":"CancelPending"}"#, false, "unclear"),
        (r#"{"order_id":"1","status":"Cancelled"}"#, false, "unclear"),
        (
            r#"{"order_id":"1","status":"Rejected","filled":1}"#,
            false,
            "unclear",
        ),
        // A new order that is not found may be the one that was just placed.
        (r#"{"success":false,"error":"order_not_found"}"#, true, "unclear"),
        (
            r#"{"success":false,"error":"account_disconnected"}"#,
            true,
            "unclear",
        ),
        (r#"{"success":false,"error":"internal"}"#, true, "unclear"),
        (
            r#"{"success":false,"error":"addon_disconnected"}"#,
            false,
            "unclear",
        ),
        (
            r#"{"success":false,"error":"account_not_found","detail":"timeout"}"#,
            true,
            "unclear",
        ),
        (
            r#"{"success":false,"error":"account_not_found","order_id":"1","status":"Working"}"#,
            true,
            "unclear",
        ),
        (
            r#"{"success":false,"error":"account_not_found_or_late"}"#,
            true,
            "unclear",
        ),
        ("something broke", true, "unclear"),
        ("Error: no such thing", false, "unclear"),
        (r#"{"success":"no"}"#, false, "unclear"),
        ("{}", false, "unclear"),
        ("", false, "unclear"),
        ("7", false, "unclear"),
    ] {
        assert_eq!(word(&order(), &text(inner, error)), expected, "{inner} {error}");
    }
    assert_eq!(word(&order(), r#"{"resultType":"task","task":{}}"#), "unclear");
    assert_eq!(word(&order(), "<html>"), "unclear");
    assert_eq!(word(&order(), "{}"), "unclear");
}

#[test]
fn a_failed_tool_of_several_steps_may_have_done_the_first() {
    let refusal = text(r#"{"success":false,"error":"Rejected: max contracts"}"#, true);
    for (tool, arguments) in [
        ("FlatPlace", ORDER.to_owned()),
        ("ReversePosition", ORDER.to_owned()),
        ("CancelReplace", ORDER.replace('{', r#"{"order_id":"S1","#)),
        ("Reverse", PLACE.to_owned()),
        ("Flatten", PLACE.to_owned()),
        ("FlattenEverything", "{}".to_owned()),
        ("CancelAllOrders", "{}".to_owned()),
        ("CancelOrders", r#"{"order_ids":["A","B"]}"#.to_owned()),
        (
            "CancelAndBracket",
            r#"{"account":"a","instrument":"ES","action":"Buy","quantity":1,"stopLoss":1}"#.to_owned(),
        ),
        ("SomethingNew", "{}".to_owned()),
    ] {
        let call = held(tool, &arguments);
        assert_eq!(word(&call, &refusal), "unclear", "{tool}");
        assert_eq!(word(&call, &text("Rejected: x", false)), "unclear", "{tool}");
        let inner = r#"{"success":true,"order":{"order_id":"1","status":"Rejected"}}"#;
        if tool.contains("Place") || tool.contains("Reverse") || tool.contains("Replace") {
            assert_eq!(word(&call, &text(inner, false)), "unclear", "{tool}");
        }
    }
    let benign = text(r#"{"success":false,"error":"nothing_to_flatten"}"#, true);
    assert_eq!(word(&held("FlattenEverything", "{}"), &benign), "otherwise");
    assert_eq!(word(&held("ClosePosition", PLACE), &benign), "rejected");
}

#[test]
fn cancels_and_flattens_in_part_are_told_as_such() {
    let one = held("Cancel", r#"{"account":"Sim101","orderId":"S1"}"#);
    let several = held("CancelOrders", r#"{"account":"Sim101","order_ids":["S1","T1"]}"#);
    let missing = text(r#"{"success":false,"error":"order_not_found"}"#, true);
    assert_eq!(word(&one, &missing), "rejected");
    assert_eq!(word(&several, &missing), "unclear");
    let done = text(r#"{"success":true,"cancelled":["S1"],"failed":[]}"#, false);
    assert_eq!(word(&one, &done), "accepted");
    let failed = text(r#"{"success":true,"cancelled":[],"failed":["S1"]}"#, false);
    assert_eq!(word(&one, &failed), "unclear");
    assert_eq!(
        word(
            &one,
            &text(r#"{"success":true,"cancelled":[],"failed":[]}"#, false)
        ),
        "unclear"
    );
    for success in ["true", "false"] {
        let part = format!(
            r#"{{"success":{success},"cancelled":["S1"],"failed":[{{"order_id":"T1","error":"x"}}]}}"#
        );
        let Said::Otherwise(told) = read(&several, &text(&part, false)) else {
            panic!("{part}")
        };
        assert!(told.starts_with("1 done, NOT done: T1."), "{told}");
    }
    let rest = r#"{"success":true,"closed_positions":[],"remaining_positions":[{"account":"Sim101","instrument":"NQ 12-26","market_position":"Long","quantity":1}]}"#;
    let Said::Otherwise(told) = read(&held("FlattenEverything", "{}"), &text(rest, false)) else {
        panic!("{rest}")
    };
    assert!(told.starts_with("STILL OPEN: NQ 12-26."), "{told}");
    // It was asked to close another instrument, another side, another account.
    for arguments in [
        PLACE,
        r#"{"account":"Sim101","marketPosition":"short"}"#,
        r#"{"account":"PA-1"}"#,
    ] {
        assert_eq!(
            word(&held("Flatten", arguments), &text(rest, false)),
            "accepted",
            "{arguments}"
        );
    }
    assert_eq!(
        word(&held("Flatten", r#"{"account":"sim101"}"#), &text(rest, false)),
        "otherwise"
    );
}

#[test]
fn a_failed_compile_is_a_failed_compile() {
    let call = held(
        "CompileNinjaScript",
        r#"{"class_name":"A","source":"x","in_memory":true}"#,
    );
    let answer = text(r#"{"success":false,"errors":[{"line":1,"message":"x"}]}"#, false);
    assert_eq!(word(&call, &answer), "rejected");
}

#[test]
fn only_errors_about_the_request_prove_that_nothing_ran() {
    for (code, message, proves) in [
        (-32_700, "Parse error", true),
        (-32_600, "Invalid Request", true),
        (-32_601, "Method not found", true),
        (-32_602, "Invalid params", true),
        (
            -32_602,
            "Input validation error: Invalid arguments for tool PlaceOrder",
            true,
        ),
        (
            -32_602,
            "Output validation error: tool has an output schema",
            false,
        ),
        (
            -32_602,
            "Invalid structured content for tool PlaceOrder: data must match the params",
            false,
        ),
        (-32_602, "something else", false),
        (-32_603, "Invalid params", false),
        (-32_000, "Invalid params", false),
    ] {
        assert_eq!(
            refused_proves_nothing_ran(code, message),
            proves,
            "{code} {message}"
        );
    }
}

fn facts(orders: &str, positions: &str) -> Facts {
    let mut facts = Facts::default();
    let orders = result(&format!(r#"{{"orders":[{orders}]}}"#));
    let positions = result(&format!(r#"{{"positions":[{positions}]}}"#));
    facts.absorb(&StateRead::new("ListOrders", None), Ok(&orders), NOW);
    facts.absorb(&StateRead::new("ListPositions", None), Ok(&positions), NOW);
    facts
}

fn row(id: &str, rest: &str) -> String {
    format!(r#"{{"order_id":"{id}","account":"Sim101","instrument":"MES 12-26",{rest}}}"#)
}

const MINE: &str = r#""side":"Buy","type":"Limit","quantity":2,"limit_price":6000"#;

#[test]
fn only_an_order_that_fits_and_was_not_there_is_this_calls() {
    let before = facts("", "");
    let look = |orders: &str| seen(&order(), Some(&before), &facts(orders, ""));
    let working = row("O1", &format!(r#"{MINE},"status":"Working""#));
    assert!(
        matches!(look(&working), Seen::Done { what, .. } if what.contains("O1 BUY LIMIT 2 MES 12-26, Working"))
    );
    let filled = row("O1", &format!(r#"{MINE},"filled":2,"status":"Filled""#));
    assert!(
        matches!(look(&filled), Seen::Done { what, .. } if what.contains("BUY LIMIT 2 MES 12-26, Filled"))
    );
    for other in [
        MINE.replace("Buy", "Sell"),
        MINE.replace("Limit", "Market"),
        MINE.replace(":2", ":1"),
    ] {
        let other = row("O1", &format!(r#"{other},"status":"Working""#));
        assert_eq!(look(&other), Seen::NotFound, "{other}");
    }
    let elsewhere = working.replace("Sim101", "PA-1");
    assert_eq!(look(&elsewhere), Seen::NotFound);
    for status in ["Rejected", "Cancelled"] {
        let dead = row("O1", &format!(r#"{MINE},"status":"{status}""#));
        assert!(matches!(look(&dead), Seen::Dead { what, .. } if what.ends_with(status)));
    }
    let part = row("O1", &format!(r#"{MINE},"filled":1,"status":"Cancelled""#));
    assert!(matches!(look(&part), Seen::Done { what, .. } if what.ends_with("Cancelled after 1 filled")));
    // It was there before.
    assert_eq!(
        seen(&order(), Some(&facts(&working, "")), &facts(&working, "")),
        Seen::NotFound
    );
    // Nothing is known of before: no claim.
    for before in [None, Some(&Facts::default())] {
        let look = seen(&order(), before, &facts(&working, ""));
        assert!(matches!(look, Seen::Maybe(_)), "{look:?}");
    }
    assert!(matches!(
        seen(&order(), None, &Facts::default()),
        Seen::CouldNotLook(_)
    ));
}

#[test]
fn a_moved_position_is_no_proof() {
    let long = r#"{"account":"Sim101","instrument":"MES 12-26","marketPosition":"Long","quantity":2}"#;
    let close = held("ClosePosition", PLACE);
    let look = seen(&close, Some(&facts("", long)), &facts("", ""));
    assert!(
        matches!(&look, Seen::Maybe(what) if what.contains("from +2 to flat")),
        "{look:?}"
    );
    assert_eq!(
        seen(&close, Some(&facts("", long)), &facts("", long)),
        Seen::NotFound
    );
    assert_eq!(seen(&close, None, &facts("", long)), Seen::NotFound);
}

#[test]
fn what_became_of_a_named_order_is_told() {
    let stop = |price: &str, status: &str| {
        row(
            "S1",
            &format!(r#""side":"Sell","type":"Stop","quantity":2,"stop_price":{price},"status":"{status}""#),
        )
    };
    let (old, new, gone) = (
        stop("6005", "Working"),
        stop("6007", "Working"),
        stop("6005", "Cancelled"),
    );
    let change = held(
        "Change",
        r#"{"account":"Sim101","orderId":"s1","stopPrice":6007}"#,
    );
    let cancel = held("Cancel", r#"{"account":"Sim101","orderId":"S1"}"#);
    let look = |call: &Call, before: Option<&str>, after: &str| {
        let before = before.map(|orders| facts(orders, ""));
        match seen(call, before.as_ref(), &facts(after, "")) {
            Seen::Done { .. } => "done",
            Seen::Maybe(_) => "maybe",
            Seen::NotFound => "not found",
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(look(&change, Some(&old), &new), "done");
    assert_eq!(look(&change, Some(&old), &old), "maybe");
    assert_eq!(look(&change, None, &new), "maybe");
    assert_eq!(look(&change, Some(&new), &new), "maybe");
    assert_eq!(look(&change, Some(&old), ""), "not found");
    assert_eq!(look(&cancel, Some(&old), &gone), "done");
    assert_eq!(look(&cancel, Some(&old), &old), "maybe");
    let all = held("CancelAllOrders", "{}");
    assert_eq!(look(&all, Some(&old), &gone), "done");
    assert_eq!(look(&all, Some(&old), &old), "maybe");
    assert_eq!(look(&all, None, &gone), "not found");
}
