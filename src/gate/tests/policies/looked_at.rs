//! Which limits are looked at for which call: neither more than it can overstep, nor fewer.

use super::*;
use crate::gate::judge::{Came, Looked};

/// What this limit found about a call; `None` where it was not looked at.
fn looked(world: &World, tool: &str, arguments: &str, keys: &str, key: &str) -> Option<Looked> {
    let judged = with(world, tool, arguments, &live(keys));
    judged.looked.into_iter().find(|one| one.key == key)
}

fn came(world: &World, tool: &str, arguments: &str, keys: &str, key: &str) -> &'static str {
    match looked(world, tool, arguments, keys, key).map(|one| one.came) {
        None => "not looked at",
        Some(Came::Passed) => "passed",
        Some(Came::Refused(code) | Came::Unread(code)) => code,
    }
}

const LATE: &str = "window = { zone = \"UTC\", from = \"00:00\", to = \"24:00\", no_new_after = \"00:00\" }";

/// Whatever is held already, an order late in the day is a new one; only protection for what is held is not.
#[test]
fn late_in_the_day_an_order_beside_a_position_is_new() {
    let late = |world: &World, tool: &str, arguments: &str| came(world, tool, arguments, LATE, "window");
    assert_eq!(late(&BARE, "PlaceOrder", &order("Buy", MARKET, 1)), "nothing_new");
    assert_eq!(late(&FLAT, "PlaceOrder", &order("Buy", MARKET, 1)), "nothing_new");
    let target =
        r#"{"account":"Sim101","instrument":"MES 12-26","action":"Buy","quantity":2,"takeProfit":6025}"#;
    assert_eq!(late(&LONG, "CancelAndBracket", target), "passed");
    assert_eq!(late(&FLAT, "CancelAndBracket", target), "nothing_new");
    // Around what cannot be read it may be a new one.
    assert_eq!(late(&ODD, "CancelAndBracket", target), "nothing_new");
}

/// The collar is about prices and about orders at the market; a resize has neither.
#[test]
fn the_collar_is_looked_at_where_there_is_a_price() {
    let collar = |world: &World, tool: &str, arguments: &str| {
        came(world, tool, arguments, "collar_ticks = 40", "collar_ticks")
    };
    let blind = World {
        quote: r#"{"instrument":"MES 12-26"}"#,
        ..LONG
    };
    let one = r#"{"account":"Sim101","instrument":"MES 12-26"}"#;
    assert_eq!(collar(&LONG, "Reverse", one), "passed");
    assert_eq!(collar(&blind, "Reverse", one), "quote_unread");
    assert_eq!(
        collar(&blind, "PlaceOrder", &order("Buy", MARKET, 1)),
        "quote_unread"
    );
    assert_eq!(
        collar(&LONG, "PlaceOrder", &order("Buy", &limit("6100"), 1)),
        "collar"
    );
    let resize = r#"{"account":"Sim101","order_id":"E1","quantity":4}"#;
    assert_eq!(collar(&LONG, "Change", resize), "not looked at");
    assert_eq!(collar(&blind, "Change", resize), "not looked at");
}

/// How far the market may move until the approval counts for orders that may open risk.
#[test]
fn the_market_is_kept_for_orders_that_open() {
    let policy = live("max_drift_ticks = 8");
    let market = |tool: &str, arguments: &str| with(&LONG, tool, arguments, &policy).market.is_some();
    assert!(market("PlaceOrder", &order("Buy", MARKET, 1)));
    assert!(!market("ClosePosition", CLOSE));
    let start = r#"{"account":"Sim101","instrument":"MES 12-26","strategyClass":"A"}"#;
    assert!(!market("StartStrategy", start));
}

/// A blocked account stops what acts on accounts, and nothing else.
#[test]
fn a_blocked_account_stops_what_acts_on_it() {
    let policy = parse("version = 1\n[account.\"*\"]\nblocked = true");
    let code = |tool: &str, arguments: &str| code(&FLAT, tool, arguments, &policy);
    assert_eq!(code("PlaceOrder", &order("Buy", MARKET, 1)), "account_blocked");
    assert_eq!(code("CancelAllOrders", "{}"), "account_blocked");
    assert_eq!(code("Connect", r#"{"name":"Live"}"#), "account_blocked");
    assert_eq!(code("SomethingNew", "{}"), "account_blocked");
    let file = r#"{"path":"Strategies/A.cs","source":"class A {}"}"#;
    for (tool, arguments) in [
        ("WriteNinjaScriptFile", file),
        ("OpenChart", "{}"),
        ("CreateAlert", "{}"),
        ("RunBacktest", "{}"),
    ] {
        assert_eq!(code(tool, arguments), "ask", "{tool}");
    }
}

/// The size of an order is what the call says; of a change that names none it is what the order has, and a strategy
/// that names none trades one contract.
#[test]
fn the_size_that_is_measured_is_that_of_the_order() {
    let size = |tool: &str, arguments: &str| {
        looked(
            &LONG,
            tool,
            arguments,
            "max_quantity = { \"*\" = 9 }",
            "max_quantity",
        )
        .map(|one| one.detail)
        .unwrap_or_default()
    };
    let price = r#"{"account":"Sim101","order_id":"E1","limit_price":21010}"#;
    assert_eq!(size("Change", price), "1 NQ, at most 9");
    let more = r#"{"account":"Sim101","order_id":"E1","quantity":4}"#;
    assert_eq!(size("Change", more), "4 NQ, at most 9");
    let start = r#"{"account":"Sim101","instrument":"MES 12-26","strategyClass":"A"}"#;
    assert_eq!(size("StartStrategy", start), "1 MES, at most 9");
    let reverse = r#"{"account":"Sim101","instrument":"MES 12-26"}"#;
    assert_eq!(size("Reverse", reverse), "2 MES, at most 9");
    assert_eq!(size("PlaceOrder", &order("Buy", MARKET, 3)), "3 MES, at most 9");
}

const ODD: World = World {
    positions: r#"{"positions":[{"account":"Sim101","instrument":"MES 12-26","marketPosition":"Long","quantity":2},
        {"account":"Sim101","instrument":"MESZ6","marketPosition":"Long","quantity":1}]}"#,
    orders: r#"{"orders":[]}"#,
    ..LONG
};

/// What a call trades may not be readable. An order is then refused where the money may be real; a tool that nobody
/// knows is shown, with what was not checked.
#[test]
fn a_size_that_nobody_can_say_is_not_passed_over() {
    for (keys, key, warning) in [
        (
            "max_position = { \"*\" = 5 }",
            "max_position",
            "NOT CHECKED: MAX POSITION",
        ),
        ("max_contracts = 5", "max_contracts", "NOT CHECKED: MAX CONTRACTS"),
        (
            "max_quantity = { \"*\" = 5 }",
            "max_quantity",
            "NOT CHECKED: MAX QUANTITY",
        ),
    ] {
        let unknown = with(&FLAT, "SomethingNew", "{}", &live(keys));
        assert_eq!(unknown.code, "ask", "{key}");
        assert!(
            unknown.warnings.iter().any(|own| own == warning),
            "{:?}",
            unknown.warnings
        );
        let one = unknown.looked.iter().find(|one| one.key == key).unwrap();
        assert_eq!(
            (one.came, one.live),
            (Came::Unread("size_unread"), false),
            "{key}"
        );
        // A position beside a name that cannot be read: nobody knows what would be turned.
        let reverse = r#"{"account":"Sim101","instrument":"MES 12-26"}"#;
        assert_eq!(
            code(&ODD, "Reverse", reverse, &live(keys)),
            "size_unread",
            "{key}"
        );
        let play = if key == "max_quantity" {
            "size_unread"
        } else {
            "ask"
        };
        assert_eq!(code(&ODD, "Reverse", reverse, &sim(keys)), play, "{key}");
    }
}

/// An order that does not add to what already is too much may go; one that closes first and comes again may not.
#[test]
fn what_is_too_much_already_may_not_grow() {
    let stopped = World {
        orders: r#"{"orders":[{"order_id":"S1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","quantity":2,"stop_price":6005.25,"status":"Working"}]}"#,
        ..LONG
    };
    let sells = World {
        orders: r#"{"orders":[{"order_id":"L1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Limit","quantity":5,"limit_price":6100,"status":"Working"}]}"#,
        ..FLAT
    };
    for (keys, key) in [
        ("max_position = { MES = 1 }", "max_position"),
        ("max_contracts = 1\nmicro_ratio = 1", "max_contracts"),
    ] {
        // What works already is the worst, and the order does not add to it.
        let buy = order("Buy", MARKET, 1);
        assert_eq!(came(&sells, "PlaceOrder", &buy, keys, key), "passed", "{key}");
        let sell = order("Sell", &limit("6030"), 1);
        assert_eq!(came(&stopped, "PlaceOrder", &sell, keys, key), "passed", "{key}");
        let buy = order("Buy", MARKET, 1);
        assert_eq!(came(&stopped, "PlaceOrder", &buy, keys, key), key);
        let anew = order("Buy", MARKET, 2);
        assert_eq!(came(&stopped, "FlatPlace", &anew, keys, key), key);
    }
}

/// The refusal of a way out says the one that is left.
#[test]
fn a_blocked_way_out_says_which_is_left() {
    let policy = sim("blocked = true");
    let reason = |tool: &str, arguments: &str| with(&LONG, tool, arguments, &policy).reason;
    let itself = "Nothing was sent: the policy blocks sim101; to close it, use NinjaTrader itself.";
    assert_eq!(reason("ClosePosition", CLOSE), itself);
    assert_eq!(reason("Flatten", r#"{"account":"Sim101"}"#), itself);
    let others = "Nothing was sent: the policy blocks sim101; to close others, use `Flatten` with the account; to close it, use NinjaTrader itself.";
    assert_eq!(reason("FlattenEverything", "{}"), others);
    assert_eq!(
        reason("PlaceOrder", &order("Buy", MARKET, 1)),
        "Nothing was sent: the policy blocks sim101."
    );
}
