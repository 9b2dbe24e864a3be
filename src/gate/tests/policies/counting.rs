//! Counted limits: per minute, per trading day, in contracts; with clocks that are wrong.

use super::*;

const HOUR: u64 = 60 * 60_000;
const MINUTE: u64 = 60_000;

fn buy(quantity: u32) -> Call {
    held("PlaceOrder", &order("Buy", MARKET, quantity))
}

/// Counters after these orders of Sim101.
fn sent(orders: &[(u32, u64)]) -> Counters {
    let mut counters = Counters::parse(None);
    for (n, (quantity, when)) in orders.iter().enumerate() {
        let call = buy(*quantity);
        let judgement = at(&call, &FLAT.facts(&call), &sim(""), &Counters::parse(None), *when);
        counters.note_sent(&format!("T{n}"), &judgement, *when);
    }
    // As another process reads them.
    Counters::parse(Some(&counters.text()))
}

fn code_at(policy: &Policy, counters: &Counters, quantity: u32, now: u64) -> &'static str {
    let call = buy(quantity);
    at(&call, &FLAT.facts(&call), policy, counters, now).code
}

#[test]
fn counts_are_per_minute_and_per_trading_day() {
    // NOW is a Sunday at 17:00 UTC: the trading day began on Saturday at 23:00 UTC, 18 hours before.
    let start = Policy::default().day_start(NOW).unwrap();
    assert_eq!(NOW - start, 18 * HOUR);
    for (key, orders, expected) in [
        ("orders_per_minute = 2", vec![(1, NOW - 1000)], "ask"),
        (
            "orders_per_minute = 2",
            vec![(1, NOW - 1000), (1, NOW - 59_999)],
            "orders_per_minute",
        ),
        (
            "orders_per_minute = 2",
            vec![(1, NOW - 1000), (1, NOW - 60_000)],
            "ask",
        ),
        (
            "orders_per_day = 2",
            vec![(1, start), (1, NOW - 1000)],
            "orders_per_day",
        ),
        ("orders_per_day = 2", vec![(1, start - 1), (1, NOW - 1000)], "ask"),
        ("daily_quantity = 10", vec![(6, start), (2, NOW - 1000)], "ask"),
        (
            "daily_quantity = 10",
            vec![(6, start), (3, NOW - 1000)],
            "daily_quantity",
        ),
        (
            "daily_quantity = 10",
            vec![(6, start - 1), (3, NOW - 1000)],
            "ask",
        ),
    ] {
        let counters = sent(&orders);
        assert_eq!(
            code_at(&live(key), &counters, 2, NOW),
            expected,
            "{key} {orders:?}"
        );
        let together = parse(&format!("version = 1\n[limits]\n{key}"));
        assert_eq!(
            code_at(&together, &counters, 2, NOW),
            expected,
            "[limits] {key} {orders:?}"
        );
        // Another account's own limit does not count them; what holds for all together does.
        let other = parse(&format!("version = 1\n[account.\"PA-1\"]\n{key}"));
        let call = held("PlaceOrder", &order("Buy", MARKET, 2).replace("Sim101", "PA-1"));
        assert_eq!(
            at(&call, &FLAT.facts(&call), &other, &counters, NOW).code,
            "ask",
            "{key}"
        );
        assert_eq!(
            at(&call, &FLAT.facts(&call), &together, &counters, NOW).code,
            expected,
            "{key}"
        );
    }
}

#[test]
fn ways_out_are_not_counted() {
    let mut counters = Counters::parse(None);
    for (tool, arguments) in [
        ("ClosePosition", CLOSE),
        ("Flatten", r#"{"account":"Sim101"}"#),
        ("Cancel", r#"{"account":"Sim101","orderId":"E1"}"#),
    ] {
        let judgement = with(&LONG, tool, arguments, &sim(""));
        counters.note_sent(tool, &judgement, NOW);
    }
    assert_eq!(code_at(&live("orders_per_day = 1"), &counters, 1, NOW), "ask");
}

#[test]
fn a_clock_set_back_frees_nothing_and_one_ahead_is_told() {
    let orders = sent(&[(1, NOW), (1, NOW)]);
    for policy in [
        live("orders_per_day = 2"),
        live("orders_per_minute = 2"),
        live("daily_quantity = 2"),
    ] {
        for back in [1, MINUTE, HOUR, 24 * HOUR, 400 * 24 * HOUR] {
            let refused = {
                let call = buy(1);
                at(&call, &FLAT.facts(&call), &policy, &orders, NOW - back)
            };
            assert_eq!(refused.verdict, Verdict::Deny, "{back}");
            let told = refused.reason.contains("clock was ahead");
            assert_eq!(told, back > HOUR, "{back}: {}", refused.reason);
        }
    }
    // Forward, an order, and back again: the orders of the true day are still there.
    let mut counters = orders;
    let call = buy(1);
    let later = NOW + 5 * 24 * HOUR;
    let judgement = at(&call, &FLAT.facts(&call), &sim(""), &counters, later);
    counters.note_sent("T9", &judgement, later);
    assert_eq!(
        code_at(&live("orders_per_day = 3"), &counters, 1, NOW),
        "orders_per_day"
    );
}

/// The order of a ticket that is judged again, or was given back, is not in its own way.
#[test]
fn a_ticket_does_not_count_against_itself() {
    let mut counters = sent(&[(1, NOW)]);
    let policy = live("orders_per_minute = 1\nduplicate_seconds = 60");
    assert_eq!(code_at(&policy, &counters, 1, NOW), "duplicate");
    counters.forget("T0", NOW + 1000);
    assert_eq!(code_at(&policy, &counters, 1, NOW), "ask");
    let again = sent(&[(1, NOW)]);
    let mut much_later = again.clone();
    much_later.forget("T0", NOW + 2 * HOUR);
    assert_eq!(much_later, again, "another ticket with the same short id");
}

#[test]
fn the_first_form_of_the_counters_reads_safely() {
    let old = format!(
        r#"{{"version":1,"asks":[],"neutral_asks":[],"aside_asks":[],"denials":[],"unanswered":1,"sent":[{},{}],"pause_until":null}}"#,
        NOW - 1000,
        NOW - 2000
    );
    let counters = Counters::parse(Some(&old));
    assert!(!counters.is_exhausted());
    for (key, expected) in [
        ("orders_per_minute = 3", "ask"),
        ("orders_per_minute = 2", "orders_per_minute"),
        ("orders_per_day = 2", "orders_per_day"),
        // Nobody knows how large they were.
        ("daily_quantity = 1000", "daily_quantity"),
    ] {
        assert_eq!(code_at(&live(key), &counters, 1, NOW), expected, "{key}");
    }
    // Written once, it is of the second form and says the same.
    assert_eq!(Counters::parse(Some(&counters.text())), counters);
    // Of an order of today whose size is not known nothing follows tomorrow.
    assert_eq!(
        code_at(&live("daily_quantity = 5"), &counters, 1, NOW + 24 * HOUR),
        "ask"
    );
}

#[test]
fn the_record_stays_small_and_whole() {
    let mut counters = Counters::parse(None);
    let call = buy(1);
    let judgement = at(&call, &FLAT.facts(&call), &sim(""), &counters, NOW);
    for n in 0..2_100_u64 {
        counters.note_sent(&format!("{n}"), &judgement, NOW + n);
    }
    let text = counters.text();
    assert!(text.len() < 1024 * 1024, "{}", text.len());
    assert_eq!(
        code_at(
            &live("orders_per_day = 1000"),
            &Counters::parse(Some(&text)),
            1,
            NOW + 3000
        ),
        "orders_per_day"
    );
}
