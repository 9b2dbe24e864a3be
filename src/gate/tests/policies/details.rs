//! What a limit says that it found, and which of several bounds it took.

use super::*;
use crate::gate::facts::ReadFailure;
use crate::gate::judge::{Came, Looked};
use crate::gate::value::Decimal;

/// What this limit found about a call; `None` where it was not looked at.
fn looked(world: &World, tool: &str, arguments: &str, keys: &str, key: &str) -> Option<Looked> {
    let judged = with(world, tool, arguments, &live(keys));
    judged.looked.into_iter().find(|one| one.key == key)
}

#[test]
fn a_class_that_is_not_used_is_named() {
    let classes = |keys: &str| {
        looked(&FLAT, "PlaceOrder", &order("Buy", MARKET, 1), keys, "classes")
            .map(|one| (one.came, one.detail))
    };
    assert_eq!(classes(""), None);
    assert_eq!(
        classes("classes = [\"order\"]"),
        Some((Came::Passed, "class order".to_owned()))
    );
    let refused = "this account is not used for calls of class order".to_owned();
    assert_eq!(
        classes("classes = [\"cancel\"]"),
        Some((Came::Refused("class_not_allowed"), refused))
    );
}

#[test]
fn a_type_that_is_not_used_is_named() {
    let types = |keys: &str| {
        looked(&FLAT, "PlaceOrder", &order("Buy", MARKET, 1), keys, "order_types")
            .map(|one| (one.came, one.detail))
    };
    assert_eq!(
        types("order_types = [\"market\"]"),
        Some((Came::Passed, "type MARKET".to_owned()))
    );
    let refused = "orders of type MARKET are not used on this account".to_owned();
    assert_eq!(
        types("order_types = [\"limit\"]"),
        Some((Came::Refused("order_type"), refused))
    );
}

/// The tightest of what is set for the account and for all together bounds how far the market may move.
#[test]
fn the_tightest_drift_is_kept() {
    let most = |own: &str, all: &str| {
        let policy = live(&format!("{own}\n[limits]\n{all}"));
        let judged = with(&FLAT, "PlaceOrder", &order("Buy", MARKET, 1), &policy);
        judged.market.map(|market| market.most)
    };
    let two = Decimal::parse("2");
    assert_eq!(most("max_drift = 2", ""), two);
    assert_eq!(most("max_drift = 2", "max_drift = 10"), two);
    assert_eq!(most("max_drift = 10", "max_drift = 2"), two);
    assert_eq!(most("max_drift_ticks = 8", "max_drift = 10"), two);
    assert_eq!(most("max_drift_ticks = 8\nmax_drift = 10", ""), two);
    assert_eq!(most("", ""), None);
}

/// What is realised is the whole of a day only where nothing is known to be open.
#[test]
fn a_realised_result_is_the_day_only_where_nothing_is_open() {
    let day = |positions: Option<&str>| {
        let call = held("PlaceOrder", &order("Buy", MARKET, 1));
        let mut facts = FLAT.facts(&call);
        let own = Some(("account", "Sim101"));
        let summary = result(r#"{"realized_pnl":-100}"#);
        facts.absorb(&StateRead::new("GetAccountSummary", own), Ok(&summary), NOW);
        let read = StateRead::new("ListPositions", own);
        match positions {
            Some(rows) => facts.absorb(&read, Ok(&result(&format!(r#"{{"positions":[{rows}]}}"#))), NOW),
            None => facts.absorb(&read, Err(ReadFailure::TimedOut), NOW),
        }
        let policy = live("daily_loss_floor = 500");
        let judged = at(&call, &facts, &policy, &Counters::parse(None), NOW);
        let one = judged
            .looked
            .into_iter()
            .find(|one| one.key == "daily_loss_floor");
        one.map(|one| one.came)
    };
    assert_eq!(day(Some("")), Some(Came::Passed));
    let open = r#"{"instrument":"MES 12-26","marketPosition":"Long","quantity":1}"#;
    assert_eq!(day(Some(open)), Some(Came::Unread("day_unread")));
    assert_eq!(day(None), Some(Came::Unread("day_unread")));
}

/// An account that is in reach by itself and as a copy is looked at once.
#[test]
fn an_account_in_reach_twice_is_looked_at_once() {
    let policy = parse(
        "version = 1\n[account.\"Sim101\"]\ncopies_to = [\"PA-1\"]\n[account.\"PA-1\"]\norders_per_day = 5",
    );
    let judged = with(&FLAT, "SomethingNew", "{}", &policy);
    let own = judged.looked.iter().filter(|one| one.key == "orders_per_day");
    assert_eq!(own.count(), 1);
}
