//! How many contracts an order can come to at worst: what is counted, for which order, and what goes first.

use super::*;

/// What `max_position` says about this call: its number of contracts, or why there is none.
fn comes_to(position: &str, orders: &str, tool: &str, arguments: &str) -> String {
    let call = held(
        tool,
        &arguments.replace("..", r#""account":"Sim101","instrument":"MES 12-26""#),
    );
    let mut facts = FLAT.facts(&call);
    for (tool, key, rows) in [
        ("ListPositions", "positions", position),
        ("ListOrders", "orders", orders),
    ] {
        let read = StateRead::new(tool, Some(("account", "Sim101")));
        facts.absorb(&read, Ok(&result(&format!(r#"{{"{key}":[{rows}]}}"#))), NOW);
    }
    let policy = sim("max_position = { \"*\" = 1000 }");
    let judgement = at(&call, &facts, &policy, &Counters::parse(None), NOW);
    judgement
        .looked
        .iter()
        .find(|one| one.key == "max_position")
        .map_or_else(|| "not looked at".to_owned(), |one| one.detail.clone())
}

fn mes(side: &str, quantity: u32) -> String {
    named("MES 12-26", side, quantity)
}

fn named(name: &str, side: &str, quantity: u32) -> String {
    format!(r#"{{"instrument":"{name}","marketPosition":"{side}","quantity":{quantity}}}"#)
}

fn works(id: &str, side: &str, kind: &str, quantity: u32) -> String {
    working_in("MES 12-26", id, side, kind, quantity)
}

fn working_in(name: &str, id: &str, side: &str, kind: &str, quantity: u32) -> String {
    format!(
        r#"{{"order_id":"{id}","instrument":"{name}","side":"{side}","quantity":{quantity},"status":"Working",{kind}}}"#
    )
}

const LIMIT: &str = r#""type":"Limit","limit_price":6020"#;
const REST: &str = r#""type":"Stop","stop_price":6000"#;

fn bracket(quantity: u32) -> String {
    format!(r#"{{..,"action":"Buy","quantity":{quantity},"takeProfit":6025,"stopLoss":6006.5}}"#)
}

fn sells(quantity: u32) -> String {
    format!(r#"{{..,"side":"Sell","quantity":{quantity},{LIMIT}}}"#)
}

#[test]
fn an_order_counts_on_its_own_side() {
    // Beside the stop this may open the other side, yet by no more than one: three sold of two.
    let stop = works("S1", "Sell", REST, 2);
    let long = mes("Long", 2);
    assert_eq!(
        comes_to(&long, &stop, "PlaceOrder", &sells(1)),
        "at worst 2 MES, at most 1000"
    );
    assert_eq!(
        comes_to("", &works("B1", "Buy", LIMIT, 3), "PlaceOrder", &sells(1)),
        "at worst 3 MES, at most 1000"
    );
    let template = r#"{..,"side":"Buy","type":"Market","quantity":1,"strategy":"2x8"}"#;
    assert_eq!(
        comes_to(&mes("Short", 2), "", "PlaceOrder", template),
        "at worst 2 MES, at most 1000"
    );
    // What turns the position is measured against the position, which is not gone first.
    assert_eq!(
        comes_to(&long, "", "PlaceOrder", &sells(3)),
        "at worst 2 MES, at most 1000"
    );
    assert_eq!(
        comes_to(&long, "", "PlaceOrder", &sells(7)),
        "at worst 5 MES, at most 1000"
    );
}

#[test]
fn a_strategy_without_a_size_trades_one_contract_either_way() {
    let start = r#"{..,"strategyClass":"MyCross","mode":"headless","periodType":"Minute","period":5}"#;
    assert_eq!(
        comes_to("", "", "StartStrategy", start),
        "at worst 1 MES, at most 1000"
    );
    assert_eq!(
        comes_to(&mes("Short", 2), "", "StartStrategy", start),
        "at worst 3 MES, at most 1000"
    );
    assert_eq!(
        comes_to(&mes("Long", 2), "", "StartStrategy", start),
        "at worst 3 MES, at most 1000"
    );
}

#[test]
fn a_bracket_counts_on_the_side_that_closes() {
    // Without a stop in it nothing is proven, and yet its target only sells.
    let long = mes("Long", 2);
    let target = r#"{..,"action":"Buy","quantity":3,"takeProfit":6025}"#;
    assert_eq!(
        comes_to(&long, "", "CancelAndBracket", target),
        "at worst 2 MES, at most 1000"
    );
    assert_eq!(
        comes_to(&mes("Long", 1), "", "CancelAndBracket", target),
        "at worst 2 MES, at most 1000"
    );
    // On the wrong side it adds.
    let wrong = bracket(3).replace("Buy", "Sell");
    assert_eq!(
        comes_to(&long, "", "CancelAndBracket", &wrong),
        "at worst 5 MES, at most 1000"
    );
    // Around nothing either of its orders may fill; what works there goes first.
    assert_eq!(
        comes_to("", &works("B1", "Buy", LIMIT, 9), "CancelAndBracket", &bracket(3)),
        "at worst 3 MES, at most 1000"
    );
    // A name that cannot be read may be any contract: then nobody knows around what it lies, and the name counts too.
    let odd = format!("{long},{}", named("MESZ6", "Long", 1));
    assert_eq!(
        comes_to(&odd, "", "CancelAndBracket", &bracket(2)),
        "at worst 5 MES, at most 1000"
    );
}

#[test]
fn only_the_order_that_is_replaced_goes_first() {
    let five = works("B1", "Buy", LIMIT, 5);
    let three = r#"{..,"order_id":"B1","side":"Buy","quantity":3,"type":"Limit","limit_price":6000}"#;
    assert_eq!(
        comes_to("", &five, "CancelReplace", three),
        "at worst 3 MES, at most 1000"
    );
    // An order that merely carries the same id comes on top.
    assert_eq!(
        comes_to("", &five, "PlaceOrder", three),
        "at worst 8 MES, at most 1000"
    );
}

#[test]
fn names_that_cannot_be_read_count_each_for_itself() {
    let buy = r#"{..,"side":"Buy","type":"Market","quantity":1}"#;
    let two = format!("{},{}", named("MESZ6", "Long", 3), named("NQZ6", "Short", 3));
    assert_eq!(
        comes_to(&two, "", "PlaceOrder", buy),
        "at worst 7 MES, at most 1000"
    );
    // It may be another contract than the one that is bought: then it does not come off it.
    assert_eq!(
        comes_to(&named("MESZ6", "Short", 3), "", "PlaceOrder", buy),
        "at worst 4 MES, at most 1000"
    );
    // A position and an order of one such name stand together: two closed of three leaves no more than three.
    assert_eq!(
        comes_to(
            &named("MESZ6", "Long", 3),
            &working_in("MESZ6", "X1", "Sell", LIMIT, 2),
            "PlaceOrder",
            buy
        ),
        "at worst 4 MES, at most 1000"
    );
}

/// A larger order comes to what it becomes, beside everything else that is there.
#[test]
fn a_resize_takes_nothing_else_away() {
    let both = format!(
        "{},{}",
        works("B1", "Buy", LIMIT, 1),
        works("B2", "Buy", LIMIT, 3)
    );
    let four = r#"{"account":"Sim101","order_id":"B1","quantity":4}"#;
    assert_eq!(
        comes_to(&mes("Long", 2), &both, "Change", four),
        "at worst 9 MES, at most 1000"
    );
    assert_eq!(
        comes_to(&mes("Short", 2), &both, "Change", four),
        "at worst 5 MES, at most 1000"
    );
}

/// A name that cannot be read counts as a mini, which is ten micros.
#[test]
fn a_name_that_cannot_be_read_is_no_micro() {
    let two = |name: &str| {
        let positions = format!(
            r#"{{"positions":[{{"account":"Sim101","instrument":"{name}","marketPosition":"Long","quantity":2}}]}}"#
        );
        let world = World {
            positions: Box::leak(positions.into_boxed_str()),
            ..FLAT
        };
        let buy = with(
            &world,
            "PlaceOrder",
            &order("Buy", MARKET, 1),
            &sim("max_contracts = 50"),
        );
        let one = buy.looked.into_iter().find(|one| one.key == "max_contracts");
        one.map(|one| one.detail).unwrap_or_default()
    };
    assert_eq!(two("MNQ 12-26"), "at worst 0.3 contracts, at most 50");
    assert_eq!(two("NQ 12-26"), "at worst 2.1 contracts, at most 50");
    assert_eq!(two("MNQZ6"), "at worst 2.1 contracts, at most 50");
}
