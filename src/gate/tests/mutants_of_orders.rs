//! What mutation testing found untested in the effects of orders: which of them are proven to only reduce a position.

use super::{NOW, held, result};
use crate::gate::Class;
use crate::gate::effect::effect;
use crate::gate::facts::{Facts, StateRead};

/// The account's position in MES 12-26, and its orders there: `id side kind quantity price`.
fn facts(position: i64, orders: &[&str]) -> Facts {
    let mut facts = Facts::default();
    let mut absorb = |tool, payload: &str| {
        facts.absorb(&StateRead::new(tool, None), Ok(&result(payload)), NOW);
    };
    let side = if position > 0 { "Long" } else { "Short" };
    let held = match position.unsigned_abs() {
        0 => String::new(),
        size => format!(
            r#"{{"account":"Sim101","instrument":"MES 12-26","marketPosition":"{side}","quantity":{size}}}"#
        ),
    };
    absorb("GetAllPositions", &format!(r#"{{"positions":[{held}]}}"#));
    let order = |line: &&str| {
        let [id, side, kind, quantity, price] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let key = if kind == "Limit" {
            "limit_price"
        } else {
            "stop_price"
        };
        format!(
            r#"{{"order_id":"{id}","account":"Sim101","instrument":"MES 12-26","side":"{side}","type":"{kind}","quantity":{quantity},"{key}":{price},"status":"Working"}}"#
        )
    };
    let orders: Vec<String> = orders.iter().map(order).collect();
    absorb("GetAllOrders", &format!(r#"{{"orders":[{}]}}"#, orders.join(",")));
    facts
}

/// The class, whether it may open, and the warnings.
fn of(tool: &str, arguments: &str, facts: &Facts) -> (Class, bool, String) {
    let arguments = arguments.replace("..", r#""account":"Sim101","instrument":"MES 12-26""#);
    let call = held(tool, &arguments);
    let effect = effect(&call, facts);
    (effect.class, effect.opening, effect.warnings.join("; "))
}

const STOP: &str = "S1 Sell Stop 2 6005.25";
const TARGET: &str = "T1 Sell Limit 2 6020";
const BOTH: &str = "IF THIS AND A WORKING ORDER BOTH FILL";
const LEFT: &str = "ORDERS LEFT WORKING";
const LESS: &str = "THE STOP COVERS LESS";
const CAN_OPEN: &str = "WITH THE WORKING ORDERS THIS CAN OPEN";

#[test]
fn only_an_order_of_its_side_and_kind_makes_room_for_a_target() {
    let target = r#"{..,"order_id":"ID","side":"Sell","type":"Limit","limit_price":6025,"quantity":2}"#;
    let opening =
        |gone: &str, orders: &[&str]| of("CancelReplace", &target.replace("ID", gone), &facts(2, orders)).1;
    assert!(!opening("T1", &[STOP, TARGET]));
    assert!(opening("B1", &[STOP, "B1 Buy Limit 2 5990"]), "the other side");
    assert!(opening("S1", &[STOP, "S2 Sell Stop 2 6000"]), "another kind");
    assert!(
        opening("T1", &[STOP, "T1 Sell Limit 1 6020"]),
        "larger than the old one"
    );
    // The stop that is replaced by a target leaves the position bare.
    let (_, opening, warnings) = of("CancelReplace", &target.replace("ID", "S1"), &facts(2, &[STOP]));
    assert!(!opening && warnings.contains("LAST STOP GOES"), "{warnings}");
}

#[test]
fn an_exit_with_nothing_left_working_has_no_warning() {
    let exit = r#"{..,"side":"Sell","type":"Market","quantity":2}"#;
    let (class, _, warnings) = of("PlaceOrder", exit, &facts(2, &[]));
    assert_eq!((class, warnings.as_str()), (Class::Exit, ""));
    let (class, _, warnings) = of("PlaceOrder", exit, &facts(2, &["S1 Sell Stop 1 6005"]));
    assert!(class == Class::Exit && warnings.contains(LEFT), "{warnings}");
}

#[test]
fn a_contract_that_is_not_certain_proves_nothing() {
    // The front month without a quote: which contract is meant is not known.
    let stop = r#"{"account":"Sim101","instrument":"MES","side":"Sell","type":"Stop","stop_price":6004,"quantity":1}"#;
    let (class, opening, _) = of("PlaceOrder", stop, &facts(2, &[]));
    assert_eq!((class, opening), (Class::Order, true));
}

#[test]
fn a_reversal_warns_of_a_slow_close_only_where_there_is_one() {
    let order = r#"{..,"side":"Sell","type":"Market","quantity":1}"#;
    let slow = |position| {
        of("ReversePosition", order, &facts(position, &[]))
            .2
            .contains("IF THE CLOSE IS SLOW")
    };
    assert!(slow(2) && !slow(0));
}

#[test]
fn a_bracket_while_flat_says_what_may_be_held() {
    let bracket = r#"{..,"action":"Buy","quantity":1,"stopLoss":6000,"takeProfit":6030}"#;
    let arguments = bracket.replace("..", r#""account":"Sim101","instrument":"MES 12-26""#);
    let (call, flat) = (held("CancelAndBracket", &arguments), facts(0, &[]));
    let after = effect(&call, &flat).after_text;
    assert_eq!(after.as_deref(), Some("flat, or a position when one side fills"));
    let cut = |quantity: &str, position| {
        let arguments = bracket.replace("\"quantity\":1", &format!("\"quantity\":{quantity}"));
        of("CancelAndBracket", &arguments, &facts(position, &[]))
            .2
            .contains("CUTS THE SIZE")
    };
    assert!(cut("3", 2) && !cut("2", 2) && !cut("1", 2));
}

fn change(rest: &str, facts: &Facts) -> (Class, bool, String) {
    of("Change", &format!(r#"{{"account":"Sim101",{rest}}}"#), facts)
}

#[test]
fn a_changed_stop_is_weighed_with_the_other_stops() {
    let closer = r#""orderId":"S1","stopPrice":6007"#;
    assert_eq!(change(closer, &facts(2, &[STOP, TARGET])).0, Class::Protect);
    for rival in ["S2 Sell Stop 2 6000", "X2 Sell Odd 2 6000"] {
        let (class, opening, warnings) = change(closer, &facts(2, &[STOP, rival]));
        assert_eq!((class, opening), (Class::Order, true), "{rival}");
        assert!(warnings.contains(CAN_OPEN), "{rival}: {warnings}");
    }
    // What works on the other side takes no part.
    assert_eq!(
        change(closer, &facts(2, &[STOP, "B1 Buy Stop 2 6030"])).0,
        Class::Protect
    );
}

#[test]
fn a_raised_order_is_weighed_with_what_it_adds_to() {
    let raised = r#""orderId":"T1","quantity":2"#;
    let (class, opening, _) = change(raised, &facts(2, &[STOP, "T1 Sell Limit 1 6020"]));
    assert_eq!(
        (class, opening),
        (Class::Order, true),
        "a target grows beside a stop"
    );
    assert!(!change(raised, &facts(2, &["T1 Sell Limit 1 6020"])).1);
    let raised = r#""orderId":"S1","quantity":2"#;
    let (class, _, warnings) = change(raised, &facts(2, &["S1 Sell Stop 1 6005", TARGET]));
    assert!(class == Class::Protect && warnings.contains(BOTH), "{warnings}");
    let (class, _, warnings) = change(raised, &facts(2, &["S1 Sell Stop 1 6005"]));
    assert!(class == Class::Protect && !warnings.contains(BOTH), "{warnings}");
}

#[test]
fn a_stop_that_covers_less_is_no_protection() {
    let moved = r#""orderId":"S1","stopPrice":6007"#;
    let (class, _, warnings) = change(moved, &facts(2, &["S1 Sell Stop 1 6005"]));
    assert!(
        class == Class::Protect && !warnings.contains(LESS),
        "as large as it was: {warnings}"
    );
    let cut = r#""orderId":"S1","quantity":2"#;
    let large = "S1 Sell Stop 3 6005";
    assert!(
        !change(cut, &facts(2, &[large])).2.contains(LESS),
        "it covers all"
    );
    let (class, _, warnings) = change(cut, &facts(3, &[large]));
    assert!(class == Class::Order && warnings.contains(LESS), "{warnings}");
}

#[test]
fn the_stop_of_a_short_position_moves_away_upward() {
    let short = facts(-2, &["S1 Buy Stop 2 6020"]);
    let away = |price: &str| {
        let (class, _, warnings) = change(&format!(r#""orderId":"S1","stopPrice":{price}"#), &short);
        assert_eq!(class == Class::Order, warnings.contains("MOVED AWAY"), "{price}");
        warnings.contains("MOVED AWAY")
    };
    assert!(away("6020.25") && !away("6020") && !away("6019.75"));
    let long = facts(2, &[STOP]);
    let (class, _, warnings) = change(r#""orderId":"S1","stopPrice":6005.25"#, &long);
    assert!(
        class == Class::Protect && !warnings.contains("MOVED AWAY"),
        "{warnings}"
    );
}

#[test]
fn an_order_that_has_ended_is_named_so() {
    let mut ended = facts(2, &[]);
    let orders = r#"{"orders":[{"order_id":"S1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","quantity":2,"stop_price":6005.25,"status":"Filled"}]}"#;
    ended.absorb(&StateRead::new("GetAllOrders", None), Ok(&result(orders)), NOW);
    let (class, _, warnings) = change(r#""orderId":"S1","stopPrice":6007"#, &ended);
    assert!(
        class == Class::Order && warnings.contains("NOT WORKING ANY MORE"),
        "{warnings}"
    );
}

#[test]
fn orders_that_are_not_found_are_counted() {
    let both = r#"{"account":"Sim101","orderIds":["S1","NONE"]}"#;
    assert!(
        of("CancelOrders", both, &facts(2, &[STOP]))
            .2
            .contains("1 OF THE ORDERS WERE NOT FOUND")
    );
    let one = r#"{"account":"Sim101","orderIds":["S1"]}"#;
    assert!(
        !of("CancelOrders", one, &facts(2, &[STOP]))
            .2
            .contains("NOT FOUND")
    );
}

/// Positions and orders as they are written.
fn wide(positions: &str, orders: &str) -> Facts {
    let mut facts = Facts::default();
    for (tool, key, list) in [
        ("GetAllPositions", "positions", positions),
        ("GetAllOrders", "orders", orders),
    ] {
        let payload = format!(r#"{{"{key}":[{list}]}}"#);
        facts.absorb(&StateRead::new(tool, None), Ok(&result(&payload)), NOW);
    }
    facts
}

#[test]
fn a_stop_that_goes_is_weighed_against_those_that_stay() {
    let cancel = r#"{"account":"Sim101","orderIds":["S1"]}"#;
    let warned = |stays: &[&str]| of("CancelOrders", cancel, &facts(2, &[&[STOP], stays].concat())).2;
    assert!(warned(&[]).contains("LAST STOP GOES: MES 12-26 +2 IS LEFT UNPROTECTED"));
    assert!(warned(&["S2 Sell Stop 1 6000"]).contains("A STOP GOES: MES 12-26 +2 IS ONLY PARTLY PROTECTED"));
    for enough in ["S2 Sell Stop 2 6000", "S2 Sell Stop 3 6000"] {
        assert!(!warned(&[enough]).contains("STOP GOES"), "{enough}");
    }
}

#[test]
fn a_stop_of_a_contract_that_we_cannot_read_goes_by_its_name() {
    let odd = |name: &str| {
        let position = r#"{"account":"Sim101","instrument":"ODD NAME","marketPosition":"Long","quantity":2}"#;
        let stop = format!(
            r#"{{"order_id":"S1","account":"Sim101","instrument":"{name}","side":"Sell","type":"Stop","quantity":2,"stop_price":5,"status":"Working"}}"#
        );
        let cancel = r#"{"account":"Sim101","orderIds":["S1"]}"#;
        of("CancelOrders", cancel, &wide(position, &stop)).2
    };
    assert!(odd("ODD NAME").contains("LAST STOP GOES: ODD NAME +2"));
    assert!(!odd("OTHER NAME").contains("STOP GOES"));
}

#[test]
fn a_close_with_nothing_left_working_has_no_warning() {
    let close = |orders: &[&str]| of("ClosePosition", "{..}", &facts(2, orders)).2;
    assert_eq!(close(&[]), "");
    assert!(close(&[STOP]).contains(LEFT));
}

#[test]
fn a_flatten_closes_what_it_names_and_no_more() {
    let position = |account: &str, instrument: &str, side: &str| {
        format!(
            r#"{{"account":"{account}","instrument":"{instrument}","marketPosition":"{side}","quantity":2}}"#
        )
    };
    let all = [
        position("Sim101", "MES 12-26", "Long"),
        position("Sim101", "NQ 12-26", "Long"),
        position("PA-1", "MES 12-26", "Long"),
    ];
    let facts = wide(&all.join(","), "");
    let after = |arguments: &str| {
        let call = held("Flatten", arguments);
        let effect = effect(&call, &facts);
        (effect.after, effect.after_text.unwrap_or_default())
    };
    let one = r#"{"account":"Sim101","instrument":"MES 12-26"}"#;
    assert_eq!(after(one), (Some(0), "flat: sim101 MES 12-26".to_owned()));
    assert_eq!(
        after(r#"{"account":"Sim101"}"#),
        (None, "flat: sim101 MES 12-26, sim101 NQ 12-26".to_owned())
    );
    let side = |side: &str| after(&one.replace('}', &format!(r#","marketPosition":"{side}"}}"#)));
    assert_eq!(side("Long"), (None, "flat: sim101 MES 12-26".to_owned()));
    assert_eq!(side("Short"), (None, "nothing is open".to_owned()));
}

#[test]
fn a_connection_that_goes_leaves_only_open_positions_unmanaged() {
    let warned = |facts: &Facts| of("Disconnect", r#"{"connection":"Feed"}"#, facts).2;
    assert!(warned(&facts(2, &[])).contains("OPEN POSITIONS MAY BE LEFT UNMANAGED"));
    assert!(!warned(&facts(0, &[])).contains("UNMANAGED"));
    assert!(warned(&Facts::default()).contains("THE POSITIONS ARE UNREAD"));
}
