//! What a look counts as a trace of the call that was sent: only what lies in its reach, on its side, and is not older.

use super::looks::seen;
use super::{NOW, held, result};
use crate::gate::Call;
use crate::gate::facts::{Facts, ReadFailure, StateRead};
use crate::gate::outcome::Seen;

mod kept;
mod positions;
mod reach;

const MARKET: &str =
    r#"{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market","quantity":2}"#;
const LIMIT: &str = r#"{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Limit","quantity":2,"limit_price":6000}"#;
const FLATTEN: &str = r#"{"account":"Sim101"}"#;

/// `id account name side kind quantity status rest`, the rest being further members.
fn order(line: &str, rest: &str) -> String {
    let [id, account, name, side, kind, quantity, status] = line.split('/').collect::<Vec<_>>()[..] else {
        panic!("{line}")
    };
    format!(
        r#"{{"order_id":"{id}","account":"{account}","instrument":"{name}","side":"{side}","type":"{kind}","quantity":{quantity},"status":"{status}"{rest}}}"#
    )
}

/// A buy of two MES at 6000 that works.
fn bought(id: &str, rest: &str) -> String {
    order(
        &format!("{id}/Sim101/MES 12-26/Buy/Limit/2/Working"),
        &format!(r#","limit_price":6000{rest}"#),
    )
}

fn position(account: &str, name: &str, quantity: i64) -> String {
    format!(
        r#"{{"account":"{account}","instrument":"{name}","quantity":{quantity},"side":"{}"}}"#,
        { if quantity > 0 { "long" } else { "short" } }
    )
}

fn fill(order: &str, rest: &str) -> String {
    format!(
        r#"{{"order_id":"{order}","account":"Sim101","instrument":"MES 12-26","side":"Buy","price":6000,"quantity":2{rest}}}"#
    )
}

fn facts(orders: &[String], fills: &[String], positions: &[String]) -> Facts {
    let mut facts = Facts::default();
    for (tool, key, rows) in [
        ("ListOrders", "orders", orders),
        ("ListExecutions", "executions", fills),
        ("ListPositions", "positions", positions),
    ] {
        let read = StateRead::new(tool, Some(("account", "Sim101")));
        let rows = rows.join(",");
        facts.absorb(&read, Ok(&result(&format!(r#"{{"{key}":[{rows}]}}"#))), NOW);
    }
    facts
}

fn nothing() -> Facts {
    facts(&[], &[], &[])
}

fn word(seen: &Seen) -> String {
    match seen {
        Seen::Done { what, settled, order } => format!(
            "done {} {}: {what}",
            order.as_deref().unwrap_or("-"),
            if *settled { "settled" } else { "passing" }
        ),
        Seen::Dead { what, order } => format!("dead {order}: {what}"),
        Seen::Maybe(what) => format!("maybe: {what}"),
        Seen::NotFound => "not found".to_owned(),
        Seen::CouldNotLook(why) => format!("could not look: {why}"),
    }
}

/// A look after an order of which nothing was there before.
fn found(call: &Call, orders: &[String]) -> String {
    word(&seen(call, Some(&nothing()), &facts(orders, &[], &[])))
}

#[test]
fn what_tells_more_weighs_more() {
    let done = Seen::Done {
        what: String::new(),
        settled: true,
        order: None,
    };
    let dead = Seen::Dead {
        what: String::new(),
        order: String::new(),
    };
    let all = [
        Seen::CouldNotLook(String::new()),
        Seen::NotFound,
        Seen::Maybe(String::new()),
        done,
        dead,
    ];
    assert_eq!(all.each_ref().map(Seen::weight), [0, 1, 2, 3, 3]);
    assert_eq!(
        all.map(|seen| seen.is_settled()),
        [false, false, false, true, true]
    );
}

#[test]
fn what_could_not_be_read_is_said_with_its_reason() {
    let call = held("PlaceOrder", LIMIT);
    let unread = |tools: &[&'static str]| {
        let mut after = nothing();
        for tool in tools {
            let read = StateRead::new(tool, Some(("account", "Sim101")));
            after.absorb(&read, Err(ReadFailure::TimedOut), NOW);
        }
        word(&seen(&call, Some(&nothing()), &after))
    };
    let orders = "could not look: the orders could not be read (no answer in time)";
    assert_eq!(unread(&["ListOrders"]), orders);
    assert_eq!(
        unread(&["ListPositions"]),
        "could not look: the positions could not be read (no answer in time)"
    );
    assert_eq!(unread(&["ListOrders", "ListPositions"]), orders);
    assert_eq!(
        word(&seen(&call, Some(&nothing()), &Facts::default())),
        "could not look: orders and positions could not be read"
    );
}

#[test]
fn an_order_is_told_with_what_is_filled_of_it() {
    let call = held("PlaceOrder", LIMIT);
    let line = |status: &str, filled: &str| {
        found(
            &call,
            &[order(
                &format!("O1/Sim101/MES 12-26/Buy/Limit/2/{status}"),
                &format!(r#","limit_price":6000,"filled":{filled}"#),
            )],
        )
    };
    assert_eq!(
        line("Working", "0"),
        "done O1 settled: the new order O1 BUY LIMIT 2 MES 12-26, Working"
    );
    assert_eq!(
        line("Filled", "2"),
        "done O1 settled: the new order O1 BUY LIMIT 2 MES 12-26, Filled"
    );
    assert_eq!(
        line("PartFilled", "1"),
        "done O1 settled: the new order O1 BUY LIMIT 2 MES 12-26, PartFilled, 1 of 2 filled"
    );
    // Whatever its status says, of what is filled nothing is taken back.
    assert_eq!(
        line("ChangePending", "1"),
        "done O1 settled: the new order O1 BUY LIMIT 2 MES 12-26, ChangePending, 1 of 2 filled"
    );
    assert_eq!(
        line("ChangePending", "0"),
        "done O1 passing: the new order O1 BUY LIMIT 2 MES 12-26, ChangePending"
    );
    assert_eq!(
        line("Cancelled", "1"),
        "done O1 settled: the new order O1 BUY LIMIT 2 MES 12-26, Cancelled after 1 filled"
    );
    assert_eq!(
        line("Cancelled", "0"),
        "dead O1: the new order O1 BUY LIMIT 2 MES 12-26, Cancelled"
    );
}

/// An id that the caller chose finds its own order among others that look the same.
#[test]
fn an_order_with_the_chosen_id_is_the_one() {
    let call = held(
        "PlaceOrder",
        &LIMIT.replace("\"quantity\"", "\"order_id\":\"mine-1\",\"quantity\""),
    );
    let three = [bought("O1", ""), bought("mine-1", ""), bought("O3", "")];
    assert_eq!(
        found(&call, &three),
        "done mine-1 settled: the new order mine-1 BUY LIMIT 2 MES 12-26, Working"
    );
}

/// Two seconds are allowed between the clocks, to the millisecond.
#[test]
fn what_is_two_seconds_older_still_counts() {
    let call = held("PlaceOrder", LIMIT);
    let created = |at: u64| found(&call, &[bought("O1", &format!(r#","created_at":{at}"#))]);
    assert!(
        created(NOW - 2_000).starts_with("done O1"),
        "{}",
        created(NOW - 2_000)
    );
    assert!(
        created(NOW - 2_001).contains("older than this call"),
        "{}",
        created(NOW - 2_001)
    );
    let call = held("PlaceOrder", MARKET);
    let filled = |at: u64| {
        let fills = [fill("O9", &format!(r#","time":{at}"#))];
        let after = facts(&[], &fills, &[position("Sim101", "MES 12-26", 2)]);
        word(&seen(&call, Some(&nothing()), &after))
    };
    assert!(
        filled(NOW - 2_000).starts_with("done O9"),
        "{}",
        filled(NOW - 2_000)
    );
    assert!(
        filled(NOW - 2_001).starts_with("maybe: the position"),
        "{}",
        filled(NOW - 2_001)
    );
}

/// A bracket and a flatten place several orders; an order places one.
#[test]
fn tools_of_several_orders_may_have_made_several() {
    let bracket = held(
        "CancelAndBracket",
        r#"{"account":"Sim101","instrument":"MES 12-26","action":"Buy","quantity":2,"takeProfit":6025,"stopLoss":6006.5}"#,
    );
    let two = [
        order(
            "T9/Sim101/MES 12-26/Sell/Limit/2/Working",
            r#","limit_price":6025"#,
        ),
        order(
            "S9/Sim101/MES 12-26/Sell/Stop/2/Working",
            r#","stop_price":6006.5"#,
        ),
    ];
    assert!(
        found(&bracket, &two).starts_with("done T9"),
        "{}",
        found(&bracket, &two)
    );
    let flatten = held("Flatten", FLATTEN);
    let open = [
        position("Sim101", "MES 12-26", 2),
        position("Sim101", "NQ 12-26", -1),
    ];
    let closing = [
        order("C1/Sim101/MES 12-26/Sell/Market/2/Filled", ""),
        order("C2/Sim101/NQ 12-26/Buy/Market/1/Filled", ""),
    ];
    let closed = word(&seen(
        &flatten,
        Some(&facts(&[], &[], &open)),
        &facts(&closing, &[], &[]),
    ));
    assert!(closed.starts_with("done C1"), "{closed}");
}

/// A sell does not close a short position, whatever else the account held.
#[test]
fn only_an_order_against_the_position_closes_it() {
    let call = held("Flatten", FLATTEN);
    let before = [
        position("Sim101", "MES 12-26", 2),
        position("Sim101", "NQ 12-26", -1),
    ];
    // In the one the account is short, in the other it has nothing to close.
    for name in ["NQ 12-26", "ES 12-26"] {
        let sold = [order(&format!("X1/Sim101/{name}/Sell/Market/1/Filled"), "")];
        let look = word(&seen(
            &call,
            Some(&facts(&[], &[], &before)),
            &facts(&sold, &[], &before),
        ));
        assert_eq!(look, "not found", "{name}");
    }
}
