//! What a call does where names, kinds and quotes are not all known: in doubt it opens, and nothing passes for protection.

use super::{FLAT, LONG, NOW, World, held, judged, sim_policy};
use crate::gate::catalogue::Class;
use crate::gate::effect::effect;
use crate::gate::facts::{ReadFailure, StateRead};
use crate::gate::judge::Judgement;

fn with(world: &World, tool: &str, arguments: &str) -> Judgement {
    let call = held(tool, arguments);
    judged(&call, &world.facts(&call), &sim_policy(""))
}

fn warned(judgement: &Judgement, text: &str) -> bool {
    judgement.warnings.iter().any(|warning| warning.contains(text))
}

/// A kind that we do not know may be anything: it is no stop that protects.
#[test]
fn an_order_of_an_unknown_kind_is_no_stop() {
    let world = World {
        orders: r#"{"orders":[
            {"order_id":"S1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","quantity":2,"stop_price":6005,"status":"Working"},
            {"order_id":"X1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Trailing","quantity":2,"stop_price":6005,"status":"Working"}]}"#,
        ..LONG
    };
    let cancel = with(&world, "Cancel", r#"{"account":"Sim101","orderId":"S1"}"#);
    assert!(warned(&cancel, "LAST STOP GOES"), "{:?}", cancel.warnings);
    let other = with(&world, "Cancel", r#"{"account":"Sim101","orderId":"X1"}"#);
    assert!(!warned(&other, "STOP GOES"), "{:?}", other.warnings);
}

/// An order whose name cannot be read may be one of this contract: beside it a resting exit is not proven.
#[test]
fn an_order_whose_name_cannot_be_read_may_be_a_rival() {
    let beside = |name: &str| {
        let orders = format!(
            r#"{{"orders":[{{"order_id":"X1","account":"Sim101","instrument":"{name}","side":"Sell","type":"Limit","quantity":2,"limit_price":6030,"status":"Working"}}]}}"#
        );
        let world = World {
            orders: Box::leak(orders.into_boxed_str()),
            ..LONG
        };
        let sell = r#"{"account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Limit","limit_price":6020,"quantity":2}"#;
        with(&world, "PlaceOrder", sell).opening
    };
    assert!(!beside("NQ 12-26"), "another contract");
    assert!(beside("MES 12-26"));
    assert!(beside("MESZ6"), "nobody knows which");
}

/// A quote that does not say what it is for is that of what was asked; one for something else is none.
#[test]
fn a_quote_without_a_name_is_that_of_what_was_asked() {
    let market = |instrument: &str| {
        let quote = format!(r#"{{{instrument}"last":6012.25,"timestamp":1795366798000}}"#);
        let world = World {
            quote: Box::leak(quote.into_boxed_str()),
            ..LONG
        };
        let buy = r#"{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Limit","limit_price":6000,"quantity":1}"#;
        let call = held("PlaceOrder", buy);
        let policy = sim_policy("[account.\"Sim*\"]\ncollar_ticks = 400");
        let judged = judged(&call, &world.facts(&call), &policy);
        judged
            .warnings
            .iter()
            .any(|warning| warning.contains("NOT CHECKED"))
    };
    assert!(!market(r#""instrument":"MES 12-26","#));
    assert!(!market(""));
    assert!(market(r#""instrument":"NQ 12-26","#));
}

/// What trades nothing opens nothing, so it waits for no limit on entries.
#[test]
fn what_trades_nothing_opens_nothing() {
    let opening = |tool: &str, arguments: &str| {
        let call = held(tool, arguments);
        effect(&call, &LONG.facts(&call)).opening
    };
    for (tool, arguments) in [
        ("CloseStrategy", r#"{"account":"Sim101","strategyId":"77"}"#),
        ("Cancel", r#"{"account":"Sim101","orderId":"E1"}"#),
        ("CancelAllOrders", "{}"),
        ("DeleteCompiledSnippet", "{}"),
        ("CreateAlert", "{}"),
        ("OpenChart", "{}"),
        (
            "CompileNinjaScript",
            r#"{"class_name":"A","source":"x","in_memory":true}"#,
        ),
        ("RunBacktest", "{}"),
        ("CancelMcpJob", r#"{"job_id":"j1"}"#),
        ("McpSelfTest", r#"{"deep":true}"#),
    ] {
        assert!(!opening(tool, arguments), "{tool}");
    }
    assert!(opening("SomethingNew", "{}"));
}

/// Orders that could not be read may be rivals: beside them nothing that rests is proven to only reduce.
#[test]
fn beside_unread_orders_nothing_is_proven() {
    for (kind, read) in [
        (r#""type":"Market""#, false),
        (r#""type":"Limit","limit_price":6020"#, false),
        (r#""type":"Stop","stop_price":6000"#, false),
        (r#""type":"Market""#, true),
    ] {
        let sell =
            format!(r#"{{"account":"Sim101","instrument":"MES 12-26","side":"Sell","quantity":2,{kind}}}"#);
        let call = held("PlaceOrder", &sell);
        let mut facts = LONG.facts(&call);
        if !read {
            let orders = StateRead::new("ListOrders", Some(("account", "Sim101")));
            facts.absorb(&orders, Err(ReadFailure::TimedOut), NOW);
        }
        assert_eq!(effect(&call, &facts).opening, !read, "{kind}");
    }
}

/// What replaces an order whose contract cannot be read may be for another one, and that is said.
#[test]
fn a_replacement_of_an_unread_contract_is_told() {
    let told = |name: &str| {
        let orders = format!(
            r#"{{"orders":[{{"order_id":"S1","account":"Sim101","instrument":"{name}","side":"Sell","type":"Stop","quantity":2,"stop_price":6005,"status":"Working"}}]}}"#
        );
        let world = World {
            orders: Box::leak(orders.into_boxed_str()),
            ..LONG
        };
        let replace = r#"{"account":"Sim101","orderId":"S1","instrument":"MES 12-26","action":"SELL","orderType":"STOPMARKET","quantity":2,"stopPrice":6006}"#;
        warned(
            &with(&world, "CancelReplace", replace),
            "THE NEW ORDER IS FOR ANOTHER INSTRUMENT",
        )
    };
    assert!(!told("MES 12-26"));
    assert!(told("NQ 12-26"));
    assert!(told("MESZ6"));
}

/// The account's position in MES, its class and what stays, after a call.
fn leaves(position: i64, tool: &str, rest: &str) -> (Class, bool, Option<i64>) {
    let side = if position > 0 { "Long" } else { "Short" };
    let row = format!(
        r#"{{"account":"Sim101","instrument":"MES 12-26","marketPosition":"{side}","quantity":{}}}"#,
        position.abs()
    );
    let rows = if position == 0 { String::new() } else { row };
    let world = World {
        positions: Box::leak(format!(r#"{{"positions":[{rows}]}}"#).into_boxed_str()),
        orders: r#"{"orders":[]}"#,
        ..LONG
    };
    let call = held(
        tool,
        &format!(r#"{{"account":"Sim101","instrument":"MES 12-26"{rest}}}"#),
    );
    let facts = world.facts(&call);
    let effect = effect(&call, &facts);
    (effect.class, effect.opening, effect.after)
}

#[test]
fn one_contract_is_a_position_like_any_other() {
    let sell = r#","side":"Sell","type":"Market","quantity":1"#;
    assert_eq!(leaves(1, "PlaceOrder", sell), (Class::Exit, false, Some(0)));
    assert_eq!(leaves(0, "PlaceOrder", sell), (Class::Order, true, Some(-1)));
    let buy = sell.replace("Sell", "Buy");
    assert_eq!(leaves(-1, "PlaceOrder", &buy), (Class::Exit, false, Some(0)));
    assert_eq!(leaves(1, "ClosePosition", ""), (Class::Exit, false, Some(0)));
    assert_eq!(leaves(1, "Reverse", ""), (Class::Order, true, Some(-1)));
}

/// A part is closed as it was asked, and never more than there is.
#[test]
fn a_close_takes_the_part_that_was_asked() {
    let close = |position: i64, rest: &str| leaves(position, "ClosePosition", rest).2;
    assert_eq!(close(3, r#","quantity":1"#), Some(2));
    assert_eq!(close(3, r#","quantity":3"#), Some(0));
    assert_eq!(close(3, r#","quantity":7"#), Some(0));
    assert_eq!(close(-3, r#","quantity":1"#), Some(-2));
    assert_eq!(close(3, r#","percent":0.5"#), Some(1));
    assert_eq!(close(3, ""), Some(0));
}

/// Only where nothing is held is there nothing to reverse.
#[test]
fn a_reversal_of_nothing_is_told() {
    let told = |world: &World, tool: &str, rest: &str| {
        let arguments = format!(r#"{{"account":"Sim101","instrument":"MES 12-26"{rest}}}"#);
        warned(&with(world, tool, &arguments), "NO POSITION TO REVERSE")
    };
    let one = World {
        positions: r#"{"positions":[{"account":"Sim101","instrument":"MES 12-26","marketPosition":"Long","quantity":1}]}"#,
        ..LONG
    };
    let sell = r#","action":"SELL","orderType":"MARKET","quantity":1"#;
    for (tool, rest) in [("Reverse", ""), ("ReversePosition", sell)] {
        assert!(told(&FLAT, tool, rest), "{tool}");
        assert!(!told(&one, tool, rest), "{tool}");
        assert!(!told(&LONG, tool, rest), "{tool}");
    }
}

/// What is to be replaced was not found: the new order may come on top of what a first run left.
#[test]
fn a_replacement_of_nothing_may_open() {
    let replace = |id: &str| {
        let order = format!(
            r#"{{"account":"Sim101","orderId":"{id}","instrument":"MES 12-26","action":"SELL","orderType":"MARKET","quantity":2}}"#
        );
        let call = held("CancelReplace", &order);
        let facts = LONG.facts(&call);
        let effect = effect(&call, &facts);
        (effect.class, effect.opening)
    };
    assert_eq!(replace("nope"), (Class::Order, true));
    assert_eq!(replace("T1"), (Class::Order, false));
}

/// A call for all accounts is about the order that it names, wherever that lies.
#[test]
fn a_change_for_all_accounts_is_about_its_order() {
    let told = |account: &str| {
        let change = format!(r#"{{"account":"{account}","orderId":"S1","stopPrice":6007}}"#);
        let cancel = format!(r#"{{"account":"{account}","orderId":"S1"}}"#);
        let another = "THE ORDER BELONGS TO ANOTHER ACCOUNT";
        (
            warned(&with(&LONG, "Change", &change), another),
            warned(&with(&LONG, "Cancel", &cancel), another),
        )
    };
    assert_eq!(told("Sim101"), (false, false));
    assert_eq!(told("all"), (false, false));
    assert_eq!(told("PA-1"), (true, true));
}
