//! The card at its edges: how many warnings it shows, what it marks, how it says that something is too long.

use super::{FLAT, LONG, NOW, World, held, judged, sim_policy, unread};
use crate::gate::Call;
use crate::gate::card::{Card, CardContext, CardLine, MAX_LINES, MAX_WARNINGS, Mark, card};

fn with_warnings(call: &Call, world: &World, warnings: Option<usize>) -> Card {
    let (facts, policy) = (world.facts(call), sim_policy(""));
    let mut judgement = judged(call, &facts, &policy);
    if let Some(count) = warnings {
        judgement.warnings = (0..count).map(|n| format!("WARNING {n}")).collect();
    }
    let context = CardContext {
        ticket: "7QK4",
        client: "c",
        phrase: None,
        now_wall: NOW,
    };
    card(call, &facts, &judgement, &policy, &context)
}

fn shown(world: &World, tool: &str, arguments: &str) -> Card {
    with_warnings(&held(tool, arguments), world, None)
}

/// The lines of a label, those that need a look with a `!` before them.
fn lines(card: &Card, label: &str) -> Vec<String> {
    let own = card.lines.iter().filter(|line| line.label == label);
    own.map(|line| {
        let mark = if line.mark == Mark::Warn { "!" } else { "" };
        format!("{mark}{}", line.value)
    })
    .collect()
}

const BUY: &str =
    r#"{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market","quantity":1}"#;

#[test]
fn eight_warnings_stand_there_and_more_are_said() {
    let call = held("PlaceOrder", BUY);
    let warnings = |count: usize| with_warnings(&call, &FLAT, Some(count)).warnings;
    assert_eq!(MAX_WARNINGS, 8);
    assert_eq!(
        warnings(8).first().map(String::as_str),
        Some("WARNING 0"),
        "all of them"
    );
    assert_eq!(warnings(8).len(), 8);
    for count in [9, 10] {
        let shown = warnings(count);
        assert_eq!(shown[0], "THIS CARD CANNOT SHOW EVERYTHING");
        assert_eq!((shown[1].as_str(), shown.len()), ("WARNING 0", 8));
    }
}

fn plain(label: &str, value: &str) -> CardLine {
    CardLine {
        label: label.to_owned(),
        value: value.to_owned(),
        mark: Mark::Plain,
    }
}

#[test]
fn a_line_that_is_gone_is_named_while_there_is_room() {
    let base = shown(&FLAT, "PlaceOrder", BUY);
    let of = |lines: Vec<CardLine>| Card {
        lines,
        ..base.clone()
    };
    let old = of(vec![plain("stop", "6000"), plain("market", "1")]);
    let mut new = of(vec![plain("market", "1")]);
    new.mark_changes(&old);
    let gone = CardLine {
        mark: Mark::Changed,
        ..plain("stop", "gone (was 6000)")
    };
    assert_eq!(new.lines, [plain("market", "1"), gone]);
    // The last line that a card has room for, and none after it.
    for (count, expected) in [
        (MAX_LINES - 2, MAX_LINES - 1),
        (MAX_LINES - 1, MAX_LINES),
        (MAX_LINES, MAX_LINES),
    ] {
        let mut full = of((0..count).map(|n| plain(&format!("line {n}"), "x")).collect());
        full.mark_changes(&of(vec![plain("stop", "6000")]));
        assert_eq!(full.lines.len(), expected);
    }
}

const ORDERS: World = World {
    orders: r#"{"orders":[
        {"order_id":"S1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","quantity":2,"stop_price":6005.25,"status":"Working"},
        {"order_id":"B1","account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Stop","quantity":2,"stop_price":6030,"status":"Working"},
        {"order_id":"L1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Limit","quantity":2,"limit_price":6040,"status":"Working"}]}"#,
    ..LONG
};

/// A stop that moves away from the market needs a look; one that comes nearer or stays does not.
#[test]
fn a_stop_that_moves_away_is_marked() {
    for (id, price, expected) in [
        ("S1", "6005", "!6005.25 -> 6005 (-1 tick)"),
        ("S1", "6005.25", "6005.25 -> 6005.25 (+0 ticks)"),
        ("S1", "6005.5", "6005.25 -> 6005.5 (+1 tick)"),
        ("B1", "6030.25", "!6030 -> 6030.25 (+1 tick)"),
        ("B1", "6030", "6030 -> 6030 (+0 ticks)"),
        ("B1", "6029.75", "6030 -> 6029.75 (-1 tick)"),
    ] {
        let change = format!(r#"{{"account":"Sim101","orderId":"{id}","stopPrice":{price}}}"#);
        assert_eq!(
            lines(&shown(&ORDERS, "Change", &change), "stop"),
            [expected],
            "{id}"
        );
    }
}

/// A price that the type of the order does not have is none; one that it should have and was not read is not.
#[test]
fn a_price_that_an_order_cannot_have_is_none() {
    let change = |id: &str, rest: &str| {
        shown(
            &ORDERS,
            "Change",
            &format!(r#"{{"account":"Sim101","orderId":"{id}",{rest}}}"#),
        )
    };
    assert_eq!(
        lines(&change("S1", "\"limitPrice\":6007"), "limit"),
        ["none -> 6007"]
    );
    assert_eq!(
        lines(&change("L1", "\"stopPrice\":6007"), "stop"),
        ["none -> 6007"]
    );
    assert_eq!(
        lines(&change("L1", "\"limitPrice\":6050"), "limit"),
        ["6040 -> 6050"]
    );
}

#[test]
fn what_becomes_of_the_position_has_a_word() {
    let place = |world: &World, side: &str, quantity: u32| {
        let order = format!(
            r#"{{"account":"Sim101","instrument":"MES 12-26","side":"{side}","type":"Market","quantity":{quantity}}}"#
        );
        lines(&shown(world, "PlaceOrder", &order), "position").concat()
    };
    assert_eq!(place(&FLAT, "Buy", 1), "flat -> +1 (OPENS)");
    assert_eq!(place(&LONG, "Buy", 1), "+2 from 6010.5 -> +3 (ADDS)");
    assert_eq!(place(&LONG, "Sell", 1), "+2 from 6010.5 -> +1 (REDUCES)");
    assert_eq!(place(&LONG, "Sell", 2), "+2 from 6010.5 -> flat (CLOSES)");
    assert_eq!(place(&LONG, "Sell", 4), "+2 from 6010.5 -> -2 (REVERSES)");
    let reverse = shown(
        &FLAT,
        "Reverse",
        r#"{"account":"Sim101","instrument":"MES 12-26"}"#,
    );
    assert_eq!(lines(&reverse, "position"), ["flat -> flat (STAYS)"]);
}

#[test]
fn a_list_that_is_too_long_says_by_how_many() {
    let listed = |count: usize| {
        let all: Vec<String> = (0..count)
            .map(|n| {
                format!(
                    r#"{{"account":"Sim101","instrument":"M{n} 12-26","marketPosition":"Long","quantity":1}}"#
                )
            })
            .collect();
        let positions = format!(r#"{{"positions":[{}]}}"#, all.join(","));
        let world = World {
            positions: Box::leak(positions.into_boxed_str()),
            ..FLAT
        };
        lines(&shown(&world, "FlattenEverything", "{}"), "closes")
    };
    assert_eq!(listed(0), ["nothing"]);
    assert_eq!(listed(10).len(), 10);
    assert!(!listed(10).iter().any(|line| line.contains("more")));
    assert_eq!(listed(11).last().map(String::as_str), Some("!and 1 more"));
    assert_eq!(listed(12).len(), 11);
    assert_eq!(listed(12).last().map(String::as_str), Some("!and 2 more"));
}

/// How many orders go is not known before they are read: that is no none.
#[test]
fn a_cancel_of_orders_that_are_unread_says_so() {
    let headline = |arguments: &str, read: bool| {
        let call = held("CancelOrders", arguments);
        let facts = if read { LONG.facts(&call) } else { unread(&call) };
        let policy = sim_policy("");
        let judgement = judged(&call, &facts, &policy);
        let context = CardContext {
            ticket: "7QK4",
            client: "c",
            phrase: None,
            now_wall: NOW,
        };
        card(&call, &facts, &judgement, &policy, &context).headline
    };
    let all = r#"{"account":"Sim101"}"#;
    assert_eq!(headline(all, false), "CANCEL ? ORDERS");
    assert_eq!(headline(all, true), "CANCEL 3 ORDERS");
    let named = r#"{"account":"Sim101","order_ids":["S1"]}"#;
    assert_eq!(headline(named, false), "CANCEL 1 ORDER");
    assert_eq!(headline(named, true), "CANCEL 1 ORDER");
}

/// A new size for an order that was not read may be a larger one.
#[test]
fn a_size_whose_order_is_unread_needs_a_look() {
    let size = |id: &str, quantity: u32| {
        let change = format!(r#"{{"account":"Sim101","orderId":"{id}","quantity":{quantity}}}"#);
        lines(&shown(&ORDERS, "Change", &change), "quantity")
    };
    assert_eq!(size("nope", 1), ["!? -> 1"]);
    assert_eq!(size("L1", 1), ["2 -> 1"]);
    assert_eq!(size("L1", 2), ["2 -> 2"]);
    assert_eq!(size("L1", 3), ["!2 -> 3"]);
}

#[test]
fn a_close_says_how_much_of_how_much() {
    let closes = |quantity: u32| {
        let positions = format!(
            r#"{{"positions":[{{"account":"Sim101","instrument":"MES 12-26","marketPosition":"Long","quantity":{quantity}}}]}}"#
        );
        let world = World {
            positions: Box::leak(positions.into_boxed_str()),
            ..FLAT
        };
        let close = r#"{"account":"Sim101","instrument":"MES 12-26"}"#;
        let card = shown(&world, "ClosePosition", close);
        let told = card
            .warnings
            .iter()
            .any(|warning| warning == "NO POSITION TO CLOSE");
        (lines(&card, "closes").concat(), told)
    };
    assert_eq!(closes(0), ("everything".to_owned(), true));
    assert_eq!(closes(1), ("everything (1 of 1)".to_owned(), false));
    assert_eq!(closes(2), ("everything (2 of 2)".to_owned(), false));
}
