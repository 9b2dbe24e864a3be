//! What is kept of the time before a call was sent, and what is read after it.

use super::*;
use crate::gate::before::Before;

/// What is kept of the time before: each order once, the one that was read by itself too, and which of them a cancel of
/// several aims at.
#[test]
fn what_was_there_before_is_every_order_once() {
    let ids = |listed: &[String]| {
        let call = held(
            "Change",
            r#"{"account":"Sim101","orderId":"S9","stopPrice":6000}"#,
        );
        let mut facts = facts(listed, &[], &[]);
        let one = order("S9/Sim101/MES 12-26/Sell/Stop/2/Working", "");
        let read = StateRead::new("GetOrder", Some(("orderId", "S9")));
        facts.absorb(&read, Ok(&result(&one)), NOW);
        let known = Before::of(&call, &facts).orders.unwrap();
        known.into_iter().map(|known| known.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&[bought("O1", "")]), ["O1", "S9"]);
    let listed = order("S9/Sim101/MES 12-26/Sell/Stop/2/Working", "");
    assert_eq!(ids(&[bought("O1", ""), listed]), ["O1", "S9"]);
    let place = Before::of(&held("PlaceOrder", LIMIT), &facts(&[bought("O1", "")], &[], &[]));
    assert!(place.orders.unwrap().iter().all(|known| !known.aimed));
    let cancel = held("CancelOrders", r#"{"account":"Sim101","instrument":"MES 12-26"}"#);
    let all = [
        bought("O1", ""),
        order("O2/Sim101/MES 12-26/Buy/Limit/2/Filled", ""),
        order("O3/Sim101/NQ 12-26/Buy/Limit/2/Working", ""),
        order("O4/PA-1/MES 12-26/Buy/Limit/2/Working", ""),
    ];
    let before = Before::of(&cancel, &facts(&all, &[], &[]));
    let aimed = before.orders.unwrap().into_iter().filter(|known| known.aimed);
    assert_eq!(aimed.map(|known| known.id).collect::<Vec<_>>(), ["O1"]);
}

/// A look reads what lies in the call's reach, and an order by its id only where the call names one that is there.
#[test]
fn a_look_reads_orders_fills_and_positions_in_reach() {
    let looks = |tool: &str, arguments: &str| {
        let looks = held(tool, arguments).looks();
        let looks = looks
            .iter()
            .map(|read| format!("{} {}", read.tool, read.arguments));
        looks.collect::<Vec<_>>().join("; ")
    };
    let own = r#"ListOrders {"account":"Sim101"}; ListExecutions {"account":"Sim101"}; ListPositions {"account":"Sim101"}"#;
    assert_eq!(looks("PlaceOrder", LIMIT), own);
    let chosen = LIMIT.replace("\"quantity\"", "\"order_id\":\"mine-1\",\"quantity\"");
    assert_eq!(looks("PlaceOrder", &chosen), own);
    let change = r#"{"account":"Sim101","orderId":"S9","stopPrice":6000}"#;
    assert_eq!(
        looks("Change", change),
        format!(r#"{own}; GetOrder {{"orderId":"S9"}}"#)
    );
    assert_eq!(
        looks("CancelAllOrders", "{}"),
        "GetAllOrders {}; ListExecutions {}; GetAllPositions {}"
    );
}

/// A cancel of several is done when each of them is cancelled; one that filled instead was not.
#[test]
fn a_cancel_of_several_is_measured_by_each_of_them() {
    let call = held("CancelOrders", r#"{"account":"Sim101","order_ids":["o1","O3"]}"#);
    let rows = |statuses: [&str; 3]| {
        let row =
            |(id, status): (&str, &str)| order(&format!("{id}/Sim101/MES 12-26/Buy/Limit/2/{status}"), "");
        ["O1", "O2", "O3"]
            .into_iter()
            .zip(statuses)
            .map(row)
            .collect::<Vec<_>>()
    };
    let before = facts(&rows(["Working"; 3]), &[], &[]);
    let aimed = Before::of(&call, &before).orders.unwrap();
    let aimed = aimed
        .into_iter()
        .filter(|known| known.aimed)
        .map(|known| known.id);
    assert_eq!(aimed.collect::<Vec<_>>(), ["O1", "O3"]);
    let look = |statuses: [&str; 3]| word(&seen(&call, Some(&before), &facts(&rows(statuses), &[], &[])));
    assert_eq!(
        look(["Cancelled", "Working", "Cancelled"]),
        "done - settled: all 2 orders in its reach are cancelled"
    );
    assert_eq!(
        look(["Cancelled", "Working", "Filled"]),
        "maybe: none of the 2 orders in its reach is working any more"
    );
    let left = look(["Cancelled", "Cancelled", "Working"]);
    assert!(left.starts_with("maybe: still working: O3"), "{left}");
}
