//! The arguments of a call at their bounds: lists, names, months, and which may stand together.

use super::{FLAT, NOW, held, judged, sim_policy, try_route};
use crate::gate::call::Route;
use crate::gate::card::{Card, CardContext, card};
use crate::gate::catalogue;
use crate::gate::instrument::Instrument;

fn code(tool: &str, arguments: &str) -> String {
    match try_route(tool, arguments) {
        Ok(Route::Held(_)) => "held".to_owned(),
        Ok(Route::Read) => "read".to_owned(),
        Err(refusal) => refusal.code.to_owned(),
    }
}

fn reason(tool: &str, arguments: &str) -> String {
    try_route(tool, arguments).unwrap_err().reason
}

fn shown(tool: &str, arguments: &str) -> Card {
    let call = held(tool, arguments);
    let (facts, policy) = (FLAT.facts(&call), sim_policy(""));
    let judgement = judged(&call, &facts, &policy);
    let context = CardContext {
        ticket: "7QK4",
        client: "c",
        phrase: None,
        now_wall: NOW,
    };
    card(&call, &facts, &judgement, &policy, &context)
}

#[test]
fn a_tool_is_a_read_or_it_trades() {
    assert!(catalogue::is_known_read_tool("GetQuote"));
    assert!(!catalogue::is_known_trade_tool("GetQuote"));
    assert!(catalogue::is_known_trade_tool("PlaceOrder"));
    assert!(!catalogue::is_known_read_tool("PlaceOrder"));
    // What no document names is neither, so that nothing is concluded from it.
    assert!(!catalogue::is_known_trade_tool("PlaceOrderV2"));
    assert!(!catalogue::is_known_read_tool("PlaceOrderV2"));
}

#[test]
fn a_list_names_one_to_ten_orders() {
    let cancel = |count: usize| {
        let ids: Vec<String> = (0..count).map(|n| format!("\"O{n}\"")).collect();
        code(
            "CancelOrders",
            &format!(r#"{{"account":"Sim101","order_ids":[{}]}}"#, ids.join(",")),
        )
    };
    for (count, expected) in [
        (0, "bad_list"),
        (1, "held"),
        (9, "held"),
        (10, "held"),
        (11, "bad_list"),
        (12, "bad_list"),
    ] {
        assert_eq!(cancel(count), expected, "{count}");
    }
}

/// A list and an instrument could be read as "these" or as "all of it".
#[test]
fn a_list_of_orders_stands_without_an_instrument() {
    let cancel = |rest: &str| code("CancelOrders", &format!(r#"{{"account":"Sim101"{rest}}}"#));
    assert_eq!(
        cancel(r#","order_ids":["A"],"instrument":"MES""#),
        "bad_combination"
    );
    assert_eq!(cancel(r#","order_ids":["A"]"#), "held");
    assert_eq!(cancel(r#","instrument":"MES""#), "held");
}

#[test]
fn a_missing_argument_is_named_in_both_spellings() {
    let without = r#"{"account":"Sim101","instrument":"MES","type":"Market","quantity":1}"#;
    assert_eq!(
        reason("PlaceOrder", without),
        "the argument `side` or `action` is missing, so the call cannot be shown in full"
    );
}

#[test]
fn the_name_of_a_parameter_is_plain_and_short() {
    let deploy = |name: &str| {
        let arguments = format!(
            r#"{{"strategy":"A","account":"Sim101","instrument":"MES","parameters":{{"{name}":1}}}}"#
        );
        code("DeployStrategy", &arguments)
    };
    for good in ["Fast", "Fast_9", "_", "9", &"x".repeat(40)] {
        assert_eq!(deploy(good), "held", "{good}");
    }
    for odd in ["", "a b", "a.b", "Fast-9", &"x".repeat(41)] {
        assert_eq!(deploy(odd), "unknown_argument", "{odd}");
    }
}

/// Each argument of a file is shown under its own name.
#[test]
fn a_file_is_shown_by_its_name_and_its_kind() {
    let card = shown(
        "WriteNinjaScriptFile",
        r#"{"kind":"AddOn","name":"Tool.cs","source":"class A {}"}"#,
    );
    assert_eq!(card.headline, "WRITE FILE Tool.cs");
    let folders: Vec<&str> = card
        .lines
        .iter()
        .filter(|line| line.label == "folder")
        .map(|line| line.value.as_str())
        .collect();
    assert_eq!(folders, ["AddOn: the code runs at once, without any deploy"]);
    for folder in ["AddOns", "addon"] {
        let card = shown(
            "WriteNinjaScriptFile",
            &format!(r#"{{"path":"{folder}/A.cs","source":"class A {{}}"}}"#),
        );
        assert!(card.text().contains("AddOns: the code runs at once"), "{folder}");
    }
    let strategy = shown(
        "WriteNinjaScriptFile",
        r#"{"path":"Strategies/A.cs","kind":"Strategy","source":"class A {}"}"#,
    );
    assert!(!strategy.text().contains("runs at once"));
}

#[test]
fn a_month_has_two_digits_and_so_has_its_year() {
    for odd in [
        "ES 12-6",
        "ES 1-26",
        "ES 12-126",
        "ES 12-2026",
        "ES 13-26",
        "ES 00-26",
        "ES +1-26",
    ] {
        let reverse = format!(r#"{{"account":"Sim101","instrument":"{odd}"}}"#);
        assert_eq!(code("Reverse", &reverse), "bad_instrument", "{odd}");
        assert_eq!(Instrument::read(odd), None, "{odd}");
    }
    assert_eq!(Instrument::read("es 01-26").unwrap().canonical(), "ES 01-26");
    // A root has at most eight letters and digits.
    assert!(Instrument::read("ABCDEFGH").is_some());
    assert_eq!(Instrument::read("ABCDEFGHI"), None);
    // A month's code alone has no root before it, so it is a name like any other.
    assert_eq!(Instrument::read("Z26").unwrap().canonical(), "Z26");
}

#[test]
fn a_wanted_position_is_flat_long_or_short() {
    let place = |wanted: &str| {
        code(
            "PlaceOrder",
            &format!(
                r#"{{"account":"Sim101","instrument":"MES","side":"Buy","type":"Market","quantity":1,"require_market_position":"{wanted}"}}"#
            ),
        )
    };
    assert_eq!(place("flat"), "held");
    assert_eq!(place("flat, Long"), "held");
    for odd in ["sideways", "flat,sideways", "flat,", ","] {
        assert_eq!(place(odd), "bad_word", "{odd}");
    }
}

/// No name and no value of an unknown tool can begin a line of its own on the card.
#[test]
fn what_nobody_knows_stays_on_its_line() {
    let card = shown("SomethingNew", "{\"a\\nb\":{\n\"c\":1},\"d\":\"e\\nf\"}");
    let free = card.free_text.unwrap();
    assert_eq!(free.text, "a\\u{A}b:\n  | {\\u{A}\"c\":1}\nd:\n  | e\n  | f\n");
}
