//! What a limit says that it found, and which of several bounds it took.

use super::*;
use crate::gate::before::Before;
use crate::gate::facts::ReadFailure;
use crate::gate::judge::{Came, Looked};
use crate::gate::ticket::{Origin, Ticket};
use crate::gate::value::Decimal;
use std::sync::Arc;

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

/// No list shows what a call on its way does: a way out beside one may close more than there is.
#[test]
fn a_way_out_beside_a_call_on_its_way_says_so_and_is_never_allowed_unasked() {
    let policy = sim("[[rule]]\nclass = \"exit\"\naccount = \"Sim101\"\ndo = \"allow\"");
    let judged = |arguments: &str, account: &str, root: &str| {
        let call = held("PlaceOrder", arguments);
        let there = [(account.to_owned(), root.to_owned())];
        let counters = Counters::parse(None);
        let situation = Situation {
            on_their_way: &there,
            ..situation(&counters, NOW)
        };
        let judged = judge(&call, &LONG.facts(&call), &policy, &situation);
        let told = judged
            .warnings
            .iter()
            .any(|warning| warning.contains("HAS NO ANSWER YET"));
        (told, judged.verdict)
    };
    let (sell, buy) = (order("Sell", MARKET, 1), order("Buy", MARKET, 1));
    assert_eq!(judged(&sell, "sim101", "MES"), (true, Verdict::Ask));
    assert_eq!(judged(&sell, "", ""), (true, Verdict::Ask));
    assert_eq!(judged(&sell, "sim101", "NQ"), (false, Verdict::Allow));
    assert_eq!(
        judged(&buy, "sim101", "MES"),
        (false, Verdict::Ask),
        "an entry stands in line"
    );
}

/// What was taken a moment ago and is in no list: the position on the card is not the one that there is, and a limit on it
/// cannot be looked at.
#[test]
fn an_order_that_no_list_shows_yet_is_told_and_counts_as_unread() {
    let policy = sim("max_position = { MES = 9 }");
    let sent = held("PlaceOrder", &order("Buy", MARKET, 1));
    let taken = |id: &str| {
        let origin = Origin {
            endpoint: String::new(),
            client: String::new(),
            schema_digest: None,
            policy_digest: String::new(),
        };
        let counters = Counters::parse(None);
        let judgement = judge(&sent, &FLAT.facts(&sent), &policy, &situation(&counters, NOW));
        let mut ticket = Ticket::hold("7QK4".to_owned(), &sent, &judgement, origin, NOW);
        ticket.before = Some(Before::of(&sent, &FLAT.facts(&sent)));
        let inner = format!(r#"{{\"order_id\":\"{id}\"}}"#);
        ticket.outcome = Some(format!(r#"{{"content":[{{"type":"text","text":"{inner}"}}]}}"#));
        [Arc::new(ticket)]
    };
    let told = |world: &World, arguments: &str, lately: &[Arc<Ticket>]| {
        let call = held("PlaceOrder", arguments);
        let counters = Counters::parse(None);
        let situation = Situation {
            lately,
            ..situation(&counters, NOW)
        };
        let judged = judge(&call, &world.facts(&call), &policy, &situation);
        let warned = |text: &str| judged.warnings.iter().any(|warning| warning == text);
        let lags = warned("THE LISTS DO NOT SHOW AN ORDER OF A MOMENT AGO YET");
        (lags, warned("NOT CHECKED: MAX POSITION"))
    };
    let (buy, nq) = (
        order("Buy", MARKET, 1),
        order("Buy", MARKET, 1).replace("MES", "NQ"),
    );
    assert_eq!(told(&FLAT, &buy, &taken("new")), (true, true));
    assert_eq!(told(&FLAT, &buy, &[]), (false, false));
    assert!(!told(&FLAT, &nq, &taken("new")).0, "elsewhere");
    assert_eq!(
        told(&LONG, &buy, &taken("new")),
        (false, false),
        "the position moved"
    );
}

/// A call without an account or a contract may be where an outcome is not known.
#[test]
fn an_unknown_outcome_may_be_anywhere_that_a_call_reaches() {
    let told = |tool: &str, arguments: &str, account: &str, root: &str| {
        let call = held(tool, arguments);
        let unknown = [(account.to_owned(), root.to_owned())];
        let counters = Counters::parse(None);
        let situation = Situation {
            unknown_outcomes: &unknown,
            ..situation(&counters, NOW)
        };
        judge(&call, &FLAT.facts(&call), &sim(""), &situation)
            .warnings
            .iter()
            .any(|warning| warning == "THE OUTCOME OF AN EARLIER ORDER IS NOT KNOWN")
    };
    let buy = order("Buy", MARKET, 1);
    assert!(told("PlaceOrder", &buy, "sim101", "MES"));
    assert!(told("PlaceOrder", &buy, "", "MES"));
    assert!(told("PlaceOrder", &buy, "sim101", ""));
    assert!(!told("PlaceOrder", &buy, "pa-1", "MES"));
    assert!(!told("PlaceOrder", &buy, "sim101", "NQ"));
    assert!(told("SomethingNew", "{}", "sim101", "MES"));
    assert!(told(
        "DeployStrategy",
        r#"{"strategy":"A","account":"Sim101"}"#,
        "sim101",
        "MES"
    ));
}

/// The day of a copied account is read where a floor needs it, and a market where any entry that means the account does.
#[test]
fn what_a_limit_needs_is_read() {
    let days = |keys: &str| {
        let policy = parse(&format!(
            "version = 1\n[account.\"Sim101\"]\ncopies_to = [\"PA-1\"]\n[account.\"PA-1\"]\n{keys}"
        ));
        let reads = policy.reads(&held("PlaceOrder", &order("Buy", MARKET, 1)));
        let own = reads.iter().filter(|read| read.arguments.contains("pa-1"));
        own.map(|read| read.tool).collect::<Vec<_>>()
    };
    let both = ["GetAccountSummary", "GetWatermarks"];
    assert_eq!(days("daily_loss_floor = 500"), both);
    assert_eq!(days("trailing_floor = 500"), both);
    assert_eq!(days("daily_loss_floor = 500\ntrailing_floor = 500"), both);
    assert_eq!(days("max_contracts = 5"), Vec::<&str>::new());
    // Two entries mean the copy, and one of them sets the floor.
    let two = "max_contracts = 5\n[account.\"PA-*\"]\ndaily_loss_floor = 500";
    assert_eq!(days(two), both);
    let change = held(
        "Change",
        r#"{"account":"Sim101","order_id":"E1","limit_price":21010}"#,
    );
    let facts = LONG.facts(&change);
    let two = sim("max_contracts = 5\n[account.\"Sim*\"]\ncollar_ticks = 5");
    assert_eq!(two.further_reads(&change, &facts).len(), 1);
}

/// What is left of a count is told with the order counted in.
#[test]
fn the_room_of_a_count_is_what_is_left_with_the_order() {
    let call = held("PlaceOrder", &order("Buy", MARKET, 1));
    let facts = FLAT.facts(&call);
    let policy = live("orders_per_minute = 5");
    let mut counters = Counters::parse(None);
    for (ticket, left) in [("T0", 4), ("T1", 3), ("T2", 2)] {
        let judged = at(&call, &facts, &policy, &counters, NOW);
        let one = judged
            .looked
            .iter()
            .find(|one| one.key == "orders_per_minute")
            .unwrap();
        let room = one.room.unwrap();
        assert_eq!((room.left, room.of), (Decimal::whole(left), Decimal::whole(5)));
        counters.note_sent(ticket, &judged, NOW);
    }
}

#[test]
fn the_age_of_a_quote_is_in_seconds() {
    let policy = parse("version = 1\n[limits]\nquote_seconds = 7");
    assert_eq!(policy.quote_time(), 7_000);
}
