//! The reach of calls that name no account, no contract or no size, and of what the lists do not name clearly.

use super::*;

const ONE: &str = r#"{"account":"Sim101","instrument":"MES 12-26"}"#;

fn look(call: &Call, before: &Facts, after: &Facts) -> String {
    word(&seen(call, Some(before), after))
}

/// An order whose name cannot be read is nobody's trace; a position or a working order of such a name may be in reach.
#[test]
fn a_name_that_cannot_be_read_proves_nothing_and_hides_nothing() {
    let place = held("PlaceOrder", MARKET);
    let odd = [order("X1/Sim101/MESZ6/Buy/Market/2/Filled", "")];
    assert_eq!(found(&place, &odd), "not found");
    let flatten = held("Flatten", ONE);
    let open = [position("Sim101", "MES 12-26", 2), position("Sim101", "MESZ6", 1)];
    let sold = [order("C1/Sim101/MES 12-26/Sell/Market/2/Filled", "")];
    let left = look(&flatten, &facts(&[], &[], &open), &facts(&sold, &[], &open[1..]));
    assert!(left.contains("still open: +1 in MESZ6"), "{left}");
    let gone = look(&flatten, &facts(&[], &[], &open[1..]), &nothing());
    assert_eq!(
        gone,
        "maybe: the position of sim101 in MESZ6 went from +1 to flat; that may be this call's doing"
    );
    let cancel = held("CancelOrders", ONE);
    let works = [order("X1/Sim101/MESZ6/Buy/Limit/2/Working", "")];
    let left = look(&cancel, &facts(&works, &[], &[]), &facts(&works, &[], &[]));
    assert!(left.starts_with("maybe: still working: X1"), "{left}");
}

/// Without an account every account is in reach.
#[test]
fn what_names_no_account_reaches_all() {
    let call = held("FlattenEverything", "{}");
    let open = [
        position("Sim101", "MES 12-26", 2),
        position("PA-1", "MES 12-26", 1),
    ];
    let before = facts(&[], &[], &open);
    let sold = [order("C1/PA-1/MES 12-26/Sell/Market/1/Filled", "")];
    assert!(look(&call, &before, &facts(&sold, &[], &[])).starts_with("done C1"));
    let left = look(&call, &before, &facts(&sold, &[], &open[..1]));
    assert!(left.contains("still open: +2 in MES 12-26"), "{left}");
    assert_eq!(
        look(&call, &facts(&[], &[], &open[1..]), &nothing()),
        "maybe: the position of pa-1 in MES 12-26 went from +1 to flat; that may be this call's doing"
    );
    let grown = look(&call, &nothing(), &facts(&[], &[], &open[1..]));
    assert!(
        grown.contains("of pa-1 in MES 12-26 went from flat to +1"),
        "{grown}"
    );
}

/// A call without side or size fits an order of any; what an order does not tell is no proof against it.
#[test]
fn what_is_not_named_fits() {
    let reverse = held("Reverse", ONE);
    let sold = [order("R1/Sim101/MES 12-26/Sell/Market/4/Filled", "")];
    assert!(found(&reverse, &sold).starts_with("done R1"));
    let close = held("ClosePosition", ONE);
    let long = facts(&[], &[], &[position("Sim101", "MES 12-26", 2)]);
    let closed = [order("C1/Sim101/MES 12-26/Sell/Whatever/2/Filled", "")];
    assert!(look(&close, &long, &facts(&closed, &[], &[])).starts_with("done C1"));
    // No list of positions from before says that it was against one.
    let mut unread = facts(&[], &[], &[]);
    let positions = StateRead::new("ListPositions", Some(("account", "Sim101")));
    unread.absorb(&positions, Err(ReadFailure::TimedOut), NOW);
    assert!(look(&close, &unread, &facts(&closed, &[], &[])).starts_with("done C1"));
    let limit = held("PlaceOrder", LIMIT);
    let priceless = [order("O1/Sim101/MES 12-26/Buy/Limit/2/Working", "")];
    assert!(found(&limit, &priceless).starts_with("done O1"));
}

/// Fills of a close that names no size are whole where the position moved by them; and orders that could not be read
/// do not hide them.
#[test]
fn fills_count_without_a_size_and_without_the_orders() {
    let close = held("ClosePosition", ONE);
    let long = facts(&[], &[], &[position("Sim101", "MES 12-26", 2)]);
    let fills = [fill("O9", "").replace("Buy", "Sell")];
    assert_eq!(
        look(&close, &long, &facts(&[], &fills, &[])),
        "done O9 settled: SELL 2 MES 12-26 filled under the order O9, which the list does not show, and the position moved by as much"
    );
    let mut blind = facts(&[], &fills, &[]);
    let orders = StateRead::new("ListOrders", Some(("account", "Sim101")));
    blind.absorb(&orders, Err(ReadFailure::TimedOut), NOW);
    assert!(look(&close, &long, &blind).starts_with("done O9"));
}

/// An order that a cancel aimed at and that no list shows any more is not proven to be cancelled.
#[test]
fn an_order_that_is_gone_from_the_list_is_not_proven_cancelled() {
    let call = held("CancelOrders", r#"{"account":"Sim101"}"#);
    let before = facts(&[bought("O1", ""), bought("O2", "")], &[], &[]);
    let cancelled = [bought("O1", "").replace("Working", "Cancelled")];
    assert_eq!(
        look(&call, &before, &facts(&cancelled, &[], &[])),
        "maybe: none of the 2 orders in its reach is working any more"
    );
}
