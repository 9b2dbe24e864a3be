//! Money and room on the card: what is shown, in which order, and what needs a look.

use super::{FLAT, LONG, NOW, World, held, judged, sim_policy};
use crate::gate::card::{CardContext, Mark, card};

/// The lines of a label, those that need a look with a `!` before them.
fn lines(world: &World, keys: &str, tool: &str, arguments: &str, label: &str) -> Vec<String> {
    let call = held(tool, arguments);
    let policy = sim_policy(&format!("[account.\"Sim*\"]\n{keys}"));
    let facts = world.facts(&call);
    let judgement = judged(&call, &facts, &policy);
    let context = CardContext {
        ticket: "7QK4",
        client: "c",
        phrase: None,
        now_wall: NOW,
    };
    let card = card(&call, &facts, &judgement, &policy, &context);
    let own = card.lines.iter().filter(|line| line.label == label);
    own.map(|line| {
        let mark = if line.mark == Mark::Warn { "!" } else { "" };
        format!("{mark}{}", line.value)
    })
    .collect()
}

fn buy(quantity: u32) -> String {
    format!(
        r#"{{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market","quantity":{quantity}}}"#
    )
}

#[test]
fn a_quote_of_fifteen_seconds_needs_a_look() {
    let age = |seconds: u64| {
        let at = NOW - seconds * 1000;
        let quote = format!(r#"{{"instrument":"MES 12-26","last":6012.25,"timestamp":{at}}}"#);
        let world = World {
            quote: Box::leak(quote.into_boxed_str()),
            ..FLAT
        };
        lines(&world, "", "PlaceOrder", &buy(1), "quote age")
    };
    assert_eq!(age(14), ["14 s"]);
    assert_eq!(age(15), ["!15 s"]);
    assert_eq!(age(16), ["!16 s"]);
}

#[test]
fn a_loss_that_becomes_final_needs_a_look() {
    let realises = |profit: &str| {
        let positions = format!(
            r#"{{"positions":[{{"account":"Sim101","instrument":"MES 12-26","marketPosition":"Long","quantity":2,"unrealizedProfitLoss":{profit}}}]}}"#
        );
        let world = World {
            positions: Box::leak(positions.into_boxed_str()),
            ..LONG
        };
        let close = r#"{"account":"Sim101","instrument":"MES 12-26"}"#;
        lines(&world, "", "ClosePosition", close, "realises")
    };
    assert_eq!(realises("17.5"), ["17.50"]);
    assert_eq!(realises("0"), ["0.00"]);
    assert_eq!(realises("-17.5"), ["!-17.50, a loss"]);
    assert_eq!(realises("\"?\""), ["!?"]);
}

#[test]
fn an_order_above_the_accounts_largest_needs_a_look() {
    let size = |quantity: u32| lines(&FLAT, "", "PlaceOrder", &buy(quantity), "order size");
    assert!(size(4).is_empty());
    assert!(size(5).is_empty());
    assert_eq!(size(6), ["!6 is above the account's 5"]);
    assert_eq!(size(7), ["!7 is above the account's 5"]);
}

fn room(keys: &str, quantity: u32) -> String {
    lines(&FLAT, keys, "PlaceOrder", &buy(quantity), "room").concat()
}

const OWN: &str = "180.00 of 600.00 daily loss; 4 of 5 contracts";

#[test]
fn every_limit_shows_its_room_in_its_own_unit() {
    for (keys, expected) in [
        ("max_position = { MES = 50 }", "49 of 50 your max position"),
        ("max_contracts = 50", "your max contracts 99 %"),
        (
            "daily_loss_floor = 5000",
            "4580.00 of 5000.00 your daily loss floor",
        ),
        ("trailing_floor = 5000", "4880.00 of 5000.00 your trailing floor"),
    ] {
        assert_eq!(room(keys, 1), format!("{OWN}; {expected}"));
    }
}

#[test]
fn room_that_is_used_up_needs_a_look() {
    let position = |most: u32, quantity: u32| room(&format!("max_position = {{ MES = {most} }}"), quantity);
    assert_eq!(
        position(3, 2),
        "180.00 of 600.00 daily loss; 1 of 3 your max position; 3 of 5 contracts"
    );
    assert_eq!(
        position(2, 2),
        "!0 of 2 your max position; 180.00 of 600.00 daily loss; 3 of 5 contracts"
    );
    assert_eq!(
        position(1, 2),
        "!-1 of 1 your max position; 180.00 of 600.00 daily loss; 3 of 5 contracts"
    );
}

/// A line has a hundred characters: what has the most room is left out, and nothing is cut.
#[test]
fn what_has_the_most_room_is_left_out_first() {
    let both = |most: u32| {
        room(
            &format!("max_position = {{ MES = {most} }}\nmax_contracts = 500"),
            1,
        )
    };
    let whole = format!("{OWN}; 499 of 500 your max position; your max contracts 99 %");
    assert_eq!(whole.len(), 100);
    assert_eq!(both(500), whole);
    assert_eq!(both(1000), format!("{OWN}; 999 of 1000 your max position"));
    assert_eq!(both(2000), format!("{OWN}; 1999 of 2000 your max position"));
}

/// Of a contract whose tick is not known nobody says that a price lies beside it.
#[test]
fn a_price_beside_the_tick_needs_a_look_where_the_tick_is_known() {
    let price = |name: &str, price: &str| {
        let quote = format!(r#"{{"instrument":"{name}","last":6012.25,"timestamp":{NOW}}}"#);
        let world = World {
            quote: Box::leak(quote.into_boxed_str()),
            ..FLAT
        };
        let buy = format!(
            r#"{{"account":"Sim101","instrument":"{name}","side":"Buy","type":"Limit","limit_price":{price},"quantity":1}}"#
        );
        lines(&world, "", "PlaceOrder", &buy, "price")
    };
    assert_eq!(price("MES 12-26", "6000.1"), ["!not a multiple of the tick"]);
    assert!(price("MES 12-26", "6000.25").is_empty());
    assert!(price("ABCD 12-26", "6000.1").is_empty());
}
