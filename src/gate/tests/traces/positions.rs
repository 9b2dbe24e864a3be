//! Fills and positions as traces: whose they are is asked of the order and of the position in the call's own reach.

use super::*;

/// Fills are a trace only where no list shows their order; whether one is listed is asked of that order alone.
#[test]
fn fills_of_an_order_that_is_listed_are_told_by_the_order() {
    let call = held("PlaceOrder", MARKET);
    let long = [position("Sim101", "MES 12-26", 2)];
    let other = [order(
        "Z1/Sim101/NQ 12-26/Sell/Limit/1/Working",
        r#","limit_price":1"#,
    )];
    let look = |orders: &[String]| {
        let after = facts(orders, &[fill("O9", "")], &long);
        word(&seen(&call, Some(&nothing()), &after))
    };
    assert!(look(&other).starts_with("done O9"), "{}", look(&other));
    let listed = [order("O9/Sim101/MES 12-26/Buy/Stop/2/Filled", "")];
    assert!(
        look(&listed).starts_with("maybe: the position"),
        "{}",
        look(&listed)
    );
}

/// What is open in other contracts and accounts is neither counted nor told as this call's.
#[test]
fn a_position_elsewhere_is_no_trace() {
    let call = held("PlaceOrder", MARKET);
    let around = |mes: i64| {
        [
            position("Sim101", "NQ 12-26", 5),
            position("PA-1", "MES 12-26", 7),
            position("Sim101", "MES 12-26", mes),
        ]
    };
    let before = facts(&[], &[], &around(1));
    let look = |fills: &[String], positions: &[String]| {
        word(&seen(&call, Some(&before), &facts(&[], fills, positions)))
    };
    assert_eq!(
        look(&[fill("O9", "")], &around(3)),
        "done O9 settled: BUY 2 of 2 MES 12-26 filled under the order O9, which the list does not show, and the position moved by as much"
    );
    assert_eq!(
        look(&[], &around(3)),
        "maybe: the position of sim101 in MES 12-26 went from +1 to +3; that may be this call's doing"
    );
    assert_eq!(look(&[], &around(1)), "not found");
    // Other contracts, other accounts: opened, grown and gone.
    let mut elsewhere = around(1).to_vec();
    elsewhere[0] = position("Sim101", "NQ 12-26", 9);
    elsewhere[1] = position("PA-1", "MES 12-26", 9);
    elsewhere.push(position("Sim101", "ES 12-26", 1));
    assert_eq!(look(&[], &elsewhere), "not found");
    assert_eq!(look(&[], &[position("Sim101", "MES 12-26", 1)]), "not found");
}

/// A flatten is unfinished only by what it was to close.
#[test]
fn a_flatten_is_measured_by_its_own_reach() {
    let mes = position("Sim101", "MES 12-26", 1);
    let nq = position("Sim101", "NQ 12-26", -1);
    let before = facts(&[], &[], &[mes.clone(), nq.clone()]);
    let look = |rest: &str, line: &str, left: &[String]| {
        let call = held("Flatten", &format!(r#"{{"account":"Sim101"{rest}}}"#));
        word(&seen(&call, Some(&before), &facts(&[order(line, "")], &[], left)))
    };
    let sold = "C1/Sim101/MES 12-26/Sell/Market/2/Filled";
    let bought = "C2/Sim101/NQ 12-26/Buy/Market/1/Filled";
    let elsewhere = position("PA-1", "MES 12-26", 4);
    let all = look("", sold, &[elsewhere]);
    assert!(all.starts_with("done C1"), "{all}");
    let long = r#","marketPosition":"long""#;
    let short = r#","marketPosition":"short""#;
    for (rest, line, left, open) in [
        (long, sold, &nq, ""),
        (long, sold, &mes, "still open: +1 in MES 12-26"),
        (short, bought, &mes, ""),
        (short, bought, &nq, "still open: -1 in NQ 12-26"),
        ("", sold, &nq, "still open: -1 in NQ 12-26"),
    ] {
        let look = look(rest, line, std::slice::from_ref(left));
        if open.is_empty() {
            assert!(look.starts_with("done C"), "{rest} {look}");
        } else {
            assert!(look.contains(open), "{rest} {look}");
        }
    }
}
