//! Strict reading: what is refused, and that what passes is what was written.

use proptest::prelude::*;

use super::{NOW, held, try_route};
use crate::gate::call::{Call, Route, route};
use crate::gate::card::{CardContext, card};
use crate::gate::catalogue::{self, Class};
use crate::gate::facts::{Facts, StateRead};
use crate::gate::instrument::{Contract, Instrument};
use crate::gate::limits::Counters;
use crate::gate::policy::Policy;
use crate::gate::value::Decimal;

fn refused(tool: &str, arguments: &str) -> &'static str {
    match try_route(tool, arguments) {
        Err(refusal) => {
            assert!(
                refusal.reason.chars().all(|letter| matches!(letter, ' '..='~')),
                "{refusal:?}"
            );
            refusal.code
        }
        Ok(other) => panic!("{tool} {arguments} passed as {other:?}"),
    }
}

/// A `PlaceOrder` with these members in place of quantity.
fn order(rest: &str) -> String {
    format!(r#"{{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market",{rest}}}"#)
}

#[test]
fn json_that_can_be_read_in_two_ways_is_refused() {
    assert_eq!(
        refused("PlaceOrder", &order(r#""quantity":1,"quantity":50"#)),
        "duplicate_key"
    );
    assert_eq!(
        refused("PlaceOrder", &order(r#""quantity":1,"\u0071uantity":50"#)),
        "duplicate_key"
    );
    assert_eq!(
        refused("PlaceOrder", &order(r#""quantity":1,"Quantity":50"#)),
        "case_twin_keys"
    );
    assert_eq!(
        refused("PlaceOrder", &format!("{} {{}}", order(r#""quantity":1"#))),
        "trailing_data"
    );
    assert_eq!(refused("PlaceOrder", "[]"), "not_an_object");
    assert_eq!(refused("PlaceOrder", "null"), "not_an_object");
    assert_eq!(refused("Anything", r#"{"a":{"b":1,"b":2}}"#), "duplicate_key");
    assert_eq!(refused("Anything", r#"{"a":[{"b":1,"B":2}]}"#), "case_twin_keys");
    assert_eq!(
        refused("DeployStrategy", r#"{"strategy":"A","parameters":{"x":1,"x":2}}"#),
        "duplicate_key"
    );
    assert_eq!(refused("PlaceOrder", "{"), "not_json");
    assert_eq!(refused("Anything", &"[".repeat(500)), "too_deep");
}

#[test]
fn numbers_have_one_grammar() {
    for bad in [
        "1e2",
        "\"5\"",
        "5.0",
        "-0",
        "0",
        "+5",
        "05",
        "-1",
        "9007199254740993",
        "10001",
        "1.5",
        "true",
        "null",
        "[1]",
    ] {
        let code = refused("PlaceOrder", &order(&format!(r#""quantity":{bad}"#)));
        assert!(matches!(code, "bad_number" | "not_json"), "{bad}: {code}");
    }
    for bad in ["\"6000\"", "1e3", "1234567890123", "1.123456789", "-0", "null"] {
        let arguments = format!(
            r#"{{"account":"Sim101","instrument":"MES","side":"Buy","type":"Limit","quantity":1,"limit_price":{bad}}}"#
        );
        assert_eq!(refused("PlaceOrder", &arguments), "bad_number", "{bad}");
    }
    let call = held("PlaceOrder", &order(r#""quantity":10000"#));
    assert_eq!(call.fields().quantity, Some(10_000));
}

#[test]
fn prices_keep_their_digits() {
    let call = held(
        "PlaceOrder",
        r#"{"account":"a","instrument":"CL","side":"Sell","type":"StopLimit","quantity":1,"stop_price":-37.630,"limit_price":0.10}"#,
    );
    assert_eq!(call.fields().stop.as_ref().unwrap().text, "-37.630");
    assert_eq!(call.fields().limit.as_ref().unwrap().text, "0.10");
    assert_eq!(
        call.fields().limit.as_ref().unwrap().value,
        Decimal::parse("0.1").unwrap()
    );
}

#[test]
fn letters_outside_ascii_are_named() {
    for (account, point) in [
        ("Sim\\u202e101", "202E"),
        ("S\u{456}m101", "0456"),
        ("Sim\u{200b}101", "200B"),
    ] {
        let arguments = format!(
            r#"{{"account":"{account}","instrument":"MES","side":"Buy","type":"Market","quantity":1}}"#
        );
        let refusal = try_route("PlaceOrder", &arguments).unwrap_err();
        assert_eq!(refusal.code, "non_ascii");
        assert!(
            refusal.reason.contains(&format!("\\u{{{point}}}")),
            "{}",
            refusal.reason
        );
    }
    assert_eq!(
        refused("PlaceOrder", &order(r#""quantity":1,"strategy":"2x8\n""#)),
        "non_ascii"
    );
    assert_eq!(
        refused("PlaceOrder", &order(r#""quantity":1,"tif":"D\u0430y""#)),
        "non_ascii"
    );
    assert_eq!(
        refused(
            "PlaceOrder",
            r#"{"account":"Sim101 ","instrument":"MES","side":"Buy","type":"Market","quantity":1}"#
        ),
        "bad_text"
    );
    assert_eq!(
        refused(
            "PlaceOrder",
            r#"{"account":"A,B","instrument":"MES","side":"Buy","type":"Market","quantity":1}"#
        ),
        "bad_text"
    );
}

#[test]
fn unknown_arguments_are_refused_by_descriptor_and_by_schema() {
    assert_eq!(
        refused("PlaceOrder", &order(r#""quantity":1,"reduceOnly":true"#)),
        "unknown_argument"
    );
    let schema = r#"{"type":"object","properties":{"account":{},"instrument":{},"side":{},"type":{}}}"#;
    let answer = route(
        "\"PlaceOrder\"",
        Some(&order(r#""quantity":1"#)),
        Some(schema),
        &|_| false,
    );
    assert_eq!(answer.unwrap_err().code, "unknown_argument");
    let broken = route(
        "\"PlaceOrder\"",
        Some(&order(r#""quantity":1"#)),
        Some("{"),
        &|_| false,
    );
    assert_eq!(broken.unwrap_err().code, "schema_unreadable");
    let schema = schema.replace("\"type\":{}", "\"type\":{},\"quantity\":{}");
    assert!(
        route(
            "\"PlaceOrder\"",
            Some(&order(r#""quantity":1"#)),
            Some(&schema),
            &|_| false
        )
        .is_ok()
    );
    // Without a documented argument list the schema alone decides.
    assert!(
        route(
            "\"OpenChart\"",
            Some(r#"{"x":1}"#),
            Some(r#"{"properties":{"x":{}}}"#),
            &|_| false
        )
        .is_ok()
    );
    assert!(
        route(
            "\"OpenChart\"",
            Some(r#"{"y":1}"#),
            Some(r#"{"properties":{"x":{}}}"#),
            &|_| false
        )
        .is_err()
    );
}

#[test]
fn vocabularies_do_not_mix() {
    let base = r#""account":"a","instrument":"MES","quantity":1"#;
    for mixed in [
        r#""side":"Buy","action":"BUY","type":"Market""#,
        r#""side":"Buy","type":"Market","orderType":"MARKET""#,
        r#""side":"Buy","orderType":"MARKET""#,
        r#""action":"BUY","orderType":"MARKET","tif":"Day""#,
        r#""side":"Buy","type":"Limit","limitPrice":1"#,
        r#""side":"Buy","type":"Limit","limit_price":1,"limitPrice":1"#,
        r#""side":"Buy","type":"Market","ocoId":"a","oco_id":"a""#,
    ] {
        assert_eq!(
            refused("PlaceOrder", &format!("{{{base},{mixed}}}")),
            "mixed_vocabularies",
            "{mixed}"
        );
    }
    assert_eq!(
        refused("Cancel", r#"{"account":"a","order_id":"1","orderId":"1"}"#),
        "mixed_vocabularies"
    );
}

#[test]
fn prices_fit_the_type() {
    let base = r#""account":"a","instrument":"MES","quantity":1,"side":"Buy""#;
    for (rest, code) in [
        (r#""type":"Limit""#, "missing_price"),
        (r#""type":"Stop""#, "missing_price"),
        (r#""type":"StopLimit","stop_price":1"#, "missing_price"),
        (r#""type":"Market","limit_price":1"#, "extra_price"),
        (r#""type":"Limit","limit_price":1,"stop_price":1"#, "extra_price"),
        (r#""type":"Iceberg""#, "bad_word"),
    ] {
        assert_eq!(
            refused("PlaceOrder", &format!("{{{base},{rest}}}")),
            code,
            "{rest}"
        );
    }
    assert_eq!(
        refused(
            "PlaceOrder",
            r#"{"account":"a","instrument":"MES","quantity":1,"type":"Market"}"#
        ),
        "missing_argument"
    );
    assert_eq!(
        refused("Change", r#"{"account":"a","orderId":"1"}"#),
        "bad_combination"
    );
    assert_eq!(
        refused(
            "ClosePosition",
            r#"{"account":"a","instrument":"ES","quantity":1,"percent":0.5}"#
        ),
        "bad_combination"
    );
    assert_eq!(
        refused(
            "ClosePosition",
            r#"{"account":"a","instrument":"ES","percent":1.5}"#
        ),
        "bad_number"
    );
}

#[test]
fn oversize_is_refused() {
    let big = "x".repeat(64 * 1024);
    assert_eq!(refused("Anything", &format!(r#"{{"a":"{big}"}}"#)), "too_large");
    assert!(
        try_route(
            "WriteNinjaScriptFile",
            &format!(r#"{{"path":"a.cs","source":"{big}"}}"#)
        )
        .is_ok()
    );
    let huge = "x".repeat(1024 * 1024);
    assert_eq!(
        refused(
            "WriteNinjaScriptFile",
            &format!(r#"{{"path":"a.cs","source":"{huge}"}}"#)
        ),
        "too_large"
    );
    assert_eq!(refused(&"N".repeat(200), "{}"), "bad_name");
}

#[test]
fn spellings_of_an_instrument() {
    for (asked, root, month) in [
        ("ES 12-26", "ES", Some((12, 26))),
        ("es 03-27", "ES", Some((3, 27))),
        ("ESZ26", "ES", Some((12, 26))),
        ("mesh27", "MES", Some((3, 27))),
        ("ES", "ES", None),
        ("ES1!", "ES", None),
        ("6E", "6E", None),
        ("M2K", "M2K", None),
        ("6EZ26", "6E", Some((12, 26))),
    ] {
        let read = Instrument::read(asked).unwrap();
        assert_eq!(read.root, root, "{asked}");
        let expected = month.map_or(Contract::Front, |(month, year)| Contract::Month { month, year });
        assert_eq!(read.contract, expected, "{asked}");
    }
    for bad in [
        "",
        "ES 13-26",
        "ES 1-26",
        "ES  12-26",
        "ES2!",
        "ES ##-##",
        "CME:ES",
        "12",
        "ES 12-2026",
        "ES\t12-26",
        "VERYLONGROOT",
    ] {
        assert_eq!(Instrument::read(bad), None, "{bad}");
    }
}

#[test]
fn only_exact_names_of_reads_pass() {
    assert_eq!(
        try_route("ListOrders", r#"{"anything":[1,1.0e5]}"#).unwrap(),
        Route::Read
    );
    for name in [
        "listorders",
        "ListOrders ",
        "ListOrders\u{200b}",
        "List_Orders",
        "PlaceOrderV2",
    ] {
        assert_eq!(held(name, "{}").class(), Class::Unknown, "{name}");
    }
    assert_eq!(held("placeorder", "{}").class(), Class::Unknown);
    let escaped = route(
        "\"Place\\u004frder\"",
        Some(&order(r#""quantity":1"#)),
        None,
        &|_| false,
    );
    assert_eq!(escaped.unwrap_err().code, "escaped_name");
    let demoted = route("\"ListOrders\"", Some("{}"), None, &|name| name == "ListOrders").unwrap();
    let Route::Held(call) = demoted else {
        panic!("a demoted read passed")
    };
    assert_eq!(call.class(), Class::Unknown);
}

#[test]
fn arguments_raise_a_read() {
    assert_eq!(
        try_route("GetJournalTrades", r#"{"sync_first":false}"#).unwrap(),
        Route::Read
    );
    assert_eq!(try_route("McpSelfTest", "{}").unwrap(), Route::Read);
    for (tool, arguments) in [
        ("GetJournalTrades", r#"{"sync_first":true}"#),
        ("GetJournalTrades", r#"{"syncFirst":true}"#),
        ("GetJournalTrades", r#"{"sync_first":"false"}"#),
        ("GetJournalTrades", r#"{"sync\u005ffirst":1}"#),
        ("McpSelfTest", r#"{"deep":true}"#),
    ] {
        assert_eq!(held(tool, arguments).class(), Class::Job, "{arguments}");
    }
    assert_eq!(
        refused("GetJournalTrades", r#"{"sync_first":false,"sync_first":true}"#),
        "duplicate_key"
    );
}

#[test]
fn only_an_explicit_in_memory_compile_is_no_code() {
    let class = |flag: &str| held("CompileNinjaScript", &format!(r#"{{"source":"x"{flag}}}"#)).class();
    assert_eq!(class(""), Class::Code);
    assert_eq!(class(r#","in_memory":false"#), Class::Code);
    assert_eq!(class(r#","in_memory":true"#), Class::Job);
    assert_eq!(class(r#","in_memory":true,"inMemory":false"#), Class::Code);
    assert_eq!(
        refused("CompileNinjaScript", r#"{"source":"x","in_memory":"true"}"#),
        "wrong_type"
    );
}

#[test]
fn every_trade_tool_is_held_and_no_read_is() {
    assert_eq!(catalogue::known().len(), 81);
    assert_eq!(
        catalogue::known()
            .iter()
            .filter(|spec| spec.class != Class::Read)
            .count(),
        36
    );
    for spec in catalogue::known() {
        let way = route(&format!("\"{}\"", spec.name), None, None, &|_| false);
        assert_eq!(
            matches!(way, Ok(Route::Read)),
            spec.class == Class::Read,
            "{}",
            spec.name
        );
    }
}

#[test]
fn no_value_of_an_argument_makes_a_trade_tool_a_read() {
    for spec in catalogue::known().iter().filter(|spec| spec.class != Class::Read) {
        for arguments in ["{}", r#"{"deep":false}"#, r#"{"sync_first":false}"#, "[]"] {
            assert_ne!(try_route(spec.name, arguments), Ok(Route::Read), "{}", spec.name);
        }
    }
}

#[test]
fn wide_accounts_are_no_account() {
    for account in ["all", "ALL", "*", "", "everything"] {
        let call = held("FlattenEverything", &format!(r#"{{"account":"{account}"}}"#));
        assert_eq!(call.account(), None, "{account}");
    }
    let one = r#"{"account":"PA-ALL-1"}"#;
    assert_eq!(held("Flatten", one).account(), Some("pa-all-1"));
    // The documents disagree whether an account bounds this one.
    assert_eq!(held("FlattenEverything", one).account(), None);
    assert_eq!(held("FlattenEverything", one).named_account(), Some("PA-ALL-1"));
}

#[test]
fn the_digest_is_over_the_very_bytes() {
    let first = held("Cancel", r#"{"account":"a","order_id":"1"}"#);
    let blank = held("Cancel", r#"{"account":"a", "order_id":"1"}"#);
    let alias = held("CancelOrder", r#"{"account":"a","order_id":"1"}"#);
    assert_ne!(first.digest(), blank.digest());
    assert_ne!(first.digest(), alias.digest());
    let again = Call::from_stored(first.name_raw(), first.arguments_raw()).unwrap();
    assert_eq!(again, first);
    assert_eq!(first.digest().len(), 64);
}

#[test]
fn decimals_are_exact() {
    for text in ["0", "-1.5", "6012.25", "0.00000001", "999999999999.99999999"] {
        assert_eq!(Decimal::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Decimal::lenient("1e3").unwrap().to_string(), "1000");
    assert_eq!(
        Decimal::lenient("6010.333333333333").unwrap().to_string(),
        "6010.33333333"
    );
    assert_eq!(Decimal::lenient("NaN"), None);
    assert_eq!(Decimal::lenient("1e300"), None);
    assert_eq!(Decimal::parse("-420").unwrap().money(), "-420.00");
    assert_eq!(Decimal::parse("0.3").unwrap().share_of(2), Some(1));
    assert_eq!(Decimal::parse("0.5").unwrap().share_of(4), Some(2));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::collection::vec(
            prop_oneof![
                Just("{"),
                Just("}"),
                Just("\""),
                Just(":"),
                Just(","),
                Just("["),
                Just("]"),
                Just("account"),
                Just("1"),
                Just("\\u202e"),
                Just("quantity"),
                Just("Sim101"),
                Just("MES 12-26"),
                Just("null"),
                Just("order_id"),
            ],
            0..30
        )
        .prop_map(|parts| parts.concat()),
    ]
}

/// JSON objects with documented keys and odd values.
fn arguments() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("account"),
        Just("instrument"),
        Just("side"),
        Just("type"),
        Just("quantity"),
        Just("limit_price"),
        Just("stop_price"),
        Just("order_id"),
        Just("order_ids"),
        Just("percent"),
        Just("parameters"),
        Just("strategy"),
        Just("source"),
        Just("name"),
        Just("deployment_id"),
        Just("body"),
    ];
    let value = prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just("\"Sim101\"".to_owned()),
        Just("\"MES 12-26\"".to_owned()),
        Just("\"Buy\"".to_owned()),
        Just("\"Market\"".to_owned()),
        Just("\"S1\"".to_owned()),
        Just("[\"S1\"]".to_owned()),
        Just("{\"a\":1}".to_owned()),
        any::<u32>().prop_map(|number| number.to_string()),
        Just("0.5".to_owned()),
    ];
    prop::collection::btree_map(key, value, 0..8).prop_map(|members| {
        let members: Vec<String> = members
            .iter()
            .map(|(key, value)| format!("\"{key}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn nothing_read_ever_panics(name in text(), arguments in text(), schema in text()) {
        let _ = route(&name, Some(&arguments), Some(&schema), &|_| false);
        let _ = Policy::parse(&arguments);
        let _ = Counters::parse(Some(&arguments));
        let _ = Instrument::read(&arguments);
        let mut facts = Facts::default();
        for tool in ["GetAccount", "ListAccounts", "ListPositions", "ListOrders", "GetOrder", "GetQuote", "GetAccountSummary", "GetWatermarks", "GetConnections", "ListDeployedStrategies"] {
            facts.absorb(&StateRead::new(tool, None), Ok(&arguments), NOW);
            facts.absorb(&StateRead::new(tool, None), Ok(&super::result(&arguments)), NOW);
        }
    }

    /// Whatever is held has a card of plain ASCII, and its stored bytes read back as the same call.
    #[test]
    fn whatever_is_held_can_be_shown(which in 0_usize..36, arguments in arguments(), client in any::<String>()) {
        let tool = catalogue::known().iter().filter(|spec| spec.class != Class::Read).nth(which).unwrap();
        let Ok(Route::Held(call)) = try_route(tool.name, &arguments) else { return Ok(()) };
        prop_assert_eq!(&Call::from_stored(call.name_raw(), call.arguments_raw()).unwrap(), &call);
        let facts = super::LONG.facts(&call);
        let policy = Policy::default();
        let judgement = super::judged(&call, &facts, &policy);
        let context = CardContext { ticket: "7QK4", client: &client, phrase: None, now_wall: NOW };
        let card = card(&call, &facts, &judgement, &policy, &context);
        prop_assert!(card.text().chars().all(|letter| matches!(letter, '\n' | ' '..='~')));
        prop_assert!(card.approve.len() <= 48 && card.headline.len() <= 100);
        if let Some(free) = card.free_text {
            prop_assert!(free.text.chars().all(|letter| matches!(letter, '\n' | ' '..='~')));
        }
        prop_assert_ne!(judgement.verdict, crate::gate::judge::Verdict::Allow);
    }
}
