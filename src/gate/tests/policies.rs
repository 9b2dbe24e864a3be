//! The policy, key by key: what it lets pass, what it refuses, what it cannot know.

use proptest::prelude::*;

use super::{FLAT, LONG, NOW, World, held, result, unread};
use crate::gate::Tier;
use crate::gate::call::Call;
use crate::gate::catalogue::Class;
use crate::gate::facts::{Facts, StateRead};
use crate::gate::judge::{Judgement, Situation, Verdict, judge, judge_again};
use crate::gate::limits::Counters;
use crate::gate::policy::Policy;

mod counters;
mod counting;
mod details;
mod explained;
mod file_bounds;
mod files;
mod looked_at;
mod mutants;
mod notes;
mod several;
mod shown;
mod windows;
mod worst;

/// An order of Sim101 for MES 12-26.
fn order(side: &str, kind: &str, quantity: u32) -> String {
    format!(r#"{{"account":"Sim101","instrument":"MES 12-26","side":"{side}","quantity":{quantity},{kind}}}"#)
}

const MARKET: &str = r#""type":"Market""#;
const STOP: &str = r#""type":"Stop","stop_price":6004"#;
const CLOSE: &str = r#"{"account":"Sim101","instrument":"MES 12-26"}"#;

fn limit(price: &str) -> String {
    format!(r#""type":"Limit","limit_price":{price}"#)
}

/// A policy in which Sim101 is play money with these limits.
fn sim(keys: &str) -> Policy {
    parse(&format!(
        "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\n{keys}"
    ))
}

/// A policy in which Sim101 is a live account with these limits.
fn live(keys: &str) -> Policy {
    parse(&format!(
        "version = 1\n[account.\"Sim101\"]\nclass = \"live\"\n{keys}"
    ))
}

fn parse(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn at(call: &Call, facts: &Facts, policy: &Policy, counters: &Counters, now: u64) -> Judgement {
    judge(call, facts, policy, &situation(counters, now))
}

fn situation(counters: &Counters, now: u64) -> Situation<'_> {
    Situation {
        now_wall: now,
        installation_tier: Tier::Click,
        counters,
        open_entry_tickets: 0,
        unknown_outcomes: &[],
        unacknowledged: false,
        on_their_way: &[],
        lately: &[],
    }
}

fn with(world: &World, tool: &str, arguments: &str, policy: &Policy) -> Judgement {
    let call = held(tool, arguments);
    at(&call, &world.facts(&call), policy, &Counters::parse(None), NOW)
}

fn code(world: &World, tool: &str, arguments: &str, policy: &Policy) -> &'static str {
    with(world, tool, arguments, policy).code
}

/// Facts in which one read was answered otherwise.
fn but(
    world: &World,
    call: &Call,
    tool: &'static str,
    argument: Option<(&str, &str)>,
    payload: &str,
) -> Facts {
    let mut facts = world.facts(call);
    facts.absorb(&StateRead::new(tool, argument), Ok(&result(payload)), NOW);
    facts
}

const BARE: World = World {
    orders: r#"{"orders":[]}"#,
    ..LONG
};

/// Each new brake at its tightest, with the code that it refuses an entry with. None stops a way out.
const BRAKES: [(&str, &str); 14] = [
    ("classes = [\"cancel\"]", "class_not_allowed"),
    (
        "window = { zone = \"UTC\", from = \"00:00\", to = \"00:01\" }",
        "window_closed",
    ),
    (
        "window = { zone = \"UTC\", from = \"00:00\", to = \"24:00\", no_new_after = \"00:00\" }",
        "nothing_new",
    ),
    ("order_types = []", "order_type"),
    ("max_quantity = { \"*\" = 0 }", "too_large"),
    ("max_position = { MES = 0 }", "max_position"),
    ("max_contracts = 0", "max_contracts"),
    ("collar_ticks = 1", "collar"),
    ("collar_percent = 0.001", "collar"),
    ("daily_loss_floor = 0", "daily_loss"),
    ("trailing_floor = 0", "trailing_loss"),
    ("orders_per_minute = 0", "orders_per_minute"),
    ("orders_per_day = 0", "orders_per_day"),
    ("daily_quantity = 0", "daily_quantity"),
];

#[test]
fn every_brake_stops_an_entry_and_no_way_out() {
    let entry = order("Buy", &limit("6000"), 1);
    for (key, expected) in BRAKES {
        for policy in [sim(key), live(key)] {
            assert_eq!(code(&FLAT, "PlaceOrder", &entry, &policy), expected, "{key}");
            let ways_out = [
                (&LONG, "ClosePosition", CLOSE.to_owned()),
                (&LONG, "Flatten", r#"{"account":"Sim101"}"#.to_owned()),
                (&BARE, "PlaceOrder", order("Sell", MARKET, 2)),
                (&BARE, "PlaceOrder", order("Sell", STOP, 2)),
                (
                    &LONG,
                    "Change",
                    r#"{"account":"Sim101","orderId":"S1","stopPrice":6007}"#.to_owned(),
                ),
                (
                    &LONG,
                    "CancelAndBracket",
                    r#"{"account":"Sim101","instrument":"MES 12-26","action":"Buy","quantity":2,"takeProfit":6030,"stopLoss":6006}"#
                        .to_owned(),
                ),
            ];
            for (world, tool, arguments) in ways_out {
                let judgement = with(world, tool, &arguments, &policy);
                assert!(
                    matches!(judgement.class, Class::Exit | Class::Protect),
                    "{tool} {arguments}"
                );
                assert_eq!(
                    judgement.verdict,
                    Verdict::Ask,
                    "{key}: {tool} {arguments}: {}",
                    judgement.reason
                );
                assert!(
                    judgement.looked.is_empty() && judgement.entry.is_none(),
                    "{key}: {tool}"
                );
            }
        }
    }
}

/// A close that nothing proves, because nothing was read, is still only a way out.
#[test]
fn no_brake_stops_a_close_whose_facts_are_unread() {
    let call = held("ClosePosition", CLOSE);
    for (key, _) in BRAKES {
        let judgement = at(&call, &unread(&call), &live(key), &Counters::parse(None), NOW);
        assert_eq!(judgement.verdict, Verdict::Ask, "{key}: {}", judgement.reason);
    }
}

/// The twin of an order that was sent, and the duplicates of ways out.
#[test]
fn the_very_same_order_waits_for_its_time() {
    let entry = held("PlaceOrder", &order("Buy", &limit("6000"), 1));
    let facts = FLAT.facts(&entry);
    let policy = sim("duplicate_seconds = 30");
    let mut counters = Counters::parse(None);
    let first = at(&entry, &facts, &policy, &counters, NOW);
    assert_eq!(first.verdict, Verdict::Ask);
    counters.note_sent("7QK4", &first, NOW);
    let again = at(&entry, &facts, &policy, &counters, NOW + 12_000);
    assert_eq!(again.code, "duplicate");
    assert!(again.reason.contains("ask again in 18 s"), "{}", again.reason);
    assert_eq!(
        at(&entry, &facts, &policy, &counters, NOW + 30_000).verdict,
        Verdict::Ask
    );
    // Written in the other vocabulary and another spelling it is the same order.
    let other = held(
        "PlaceOrder",
        r#"{"account":"SIM101","instrument":"MESZ26","action":"Buy","orderType":"Limit","limitPrice":6000.00,"quantity":1}"#,
    );
    assert_eq!(at(&other, &facts, &policy, &counters, NOW + 1).code, "duplicate");
    for (side, kind, quantity) in [
        ("Buy", limit("6000.25"), 1),
        ("Buy", limit("6000"), 2),
        ("Sell", limit("6000"), 1),
        ("Buy", MARKET.to_owned(), 1),
    ] {
        let differs = held("PlaceOrder", &order(side, &kind, quantity));
        assert_eq!(
            at(&differs, &facts, &policy, &counters, NOW + 1).verdict,
            Verdict::Ask
        );
    }
    // Without the key it is told on the card, for a while.
    let told = at(&entry, &facts, &sim(""), &counters, NOW + 120_000);
    assert_eq!((told.verdict, told.sent_before), (Verdict::Ask, Some(120_000)));
    assert!(
        told.warnings
            .iter()
            .any(|warning| warning.contains("VERY SAME ORDER"))
    );
    assert_eq!(
        at(&entry, &facts, &sim(""), &counters, NOW + 700_000).sent_before,
        None
    );
    // A way out may be asked for as often as it takes.
    let close = held("ClosePosition", CLOSE);
    let facts = LONG.facts(&close);
    let closing = at(&close, &facts, &policy, &counters, NOW);
    counters.note_sent("7QK5", &closing, NOW);
    assert_eq!(
        at(&close, &facts, &policy, &counters, NOW + 1).verdict,
        Verdict::Ask
    );
}

/// Where a limit's fact is unread a live account refuses, and play money asks with a warning and never passes alone.
#[test]
fn unread_facts_refuse_on_live_and_warn_on_sim() {
    let entry = held("PlaceOrder", &order("Buy", &limit("6012"), 1));
    let allow = "\n[[rule]]\nclass = \"order\"\ndo = \"allow\"";
    let account = Some(("account", "Sim101"));
    for (key, tool, argument, payload, expected, warning) in [
        (
            "max_position = { MES = 5 }",
            "ListOrders",
            account,
            "{}",
            "position_unread",
            "NOT CHECKED: MAX POSITION",
        ),
        (
            "max_contracts = 5",
            "ListPositions",
            account,
            "{}",
            "position_unread",
            "NOT CHECKED: MAX CONTRACTS",
        ),
        (
            "collar_ticks = 40",
            "GetQuote",
            None,
            "{}",
            "quote_unread",
            "NOT CHECKED: COLLAR TICKS",
        ),
        (
            "collar_percent = 1",
            "GetQuote",
            None,
            r#"{"instrument":"MES 12-26","last":6012,"timestamp":1795366700000}"#,
            "quote_unread",
            "NOT CHECKED: COLLAR PERCENT",
        ),
        (
            "max_drift = 2.5",
            "GetQuote",
            None,
            "{}",
            "quote_unread",
            "NOT CHECKED: MAX DRIFT",
        ),
        (
            "trailing_floor = 5000",
            "GetWatermarks",
            account,
            "{}",
            "day_unread",
            "NOT CHECKED: TRAILING FLOOR",
        ),
        (
            "daily_loss_floor = 5000",
            "GetAccountSummary",
            account,
            "{}",
            "day_unread",
            "NOT CHECKED: DAILY LOSS FLOOR",
        ),
    ] {
        let facts = but(&FLAT, &entry, tool, argument, payload);
        let read = FLAT.facts(&entry);
        let none = Counters::parse(None);
        assert_eq!(
            at(&entry, &read, &live(key), &none, NOW).verdict,
            Verdict::Ask,
            "{key}"
        );
        assert_eq!(at(&entry, &facts, &live(key), &none, NOW).code, expected, "{key}");
        let asked = at(&entry, &facts, &sim(&format!("{key}{allow}")), &none, NOW);
        assert_eq!(asked.verdict, Verdict::Ask, "{key}: {}", asked.reason);
        assert!(
            asked.warnings.contains(&warning.to_owned()),
            "{key}: {:?}",
            asked.warnings
        );
        let allowed = at(&entry, &read, &sim(&format!("{key}{allow}")), &none, NOW);
        assert_eq!(allowed.verdict, Verdict::Allow, "{key}: {}", allowed.rule);
    }
}

#[test]
fn sizes_have_their_bounds() {
    let e1 = r#"{"account":"Sim101","orderId":"E1","quantity":3}"#;
    let reverse =
        r#"{"account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Market","quantity":3}"#;
    let buy = |quantity| order("Buy", MARKET, quantity);
    for (key, world, tool, arguments, expected) in [
        // Long two: one more makes three.
        ("max_position = { MES = 3 }", &LONG, "PlaceOrder", buy(1), "ask"),
        (
            "max_position = { MES = 2 }",
            &LONG,
            "PlaceOrder",
            buy(1),
            "max_position",
        ),
        ("max_position = { NQ = 0 }", &LONG, "PlaceOrder", buy(1), "ask"),
        (
            "max_position = { \"*\" = 2 }",
            &LONG,
            "PlaceOrder",
            buy(1),
            "max_position",
        ),
        (
            "max_position = { \"*\" = 2, MES = 3 }",
            &LONG,
            "PlaceOrder",
            buy(1),
            "ask",
        ),
        // A stop and its target close no more than what is there: turning it by the stop side counts them.
        (
            "max_position = { MES = 2 }",
            &LONG,
            "Reverse",
            CLOSE.to_owned(),
            "ask",
        ),
        // The working entry of NQ counts: 2 micros, one mini.
        ("max_contracts = 1", &LONG, "PlaceOrder", buy(1), "max_contracts"),
        ("max_contracts = 2", &LONG, "PlaceOrder", buy(1), "ask"),
        ("max_contracts = 2", &LONG, "PlaceOrder", buy(8), "ask"),
        ("max_contracts = 2", &LONG, "PlaceOrder", buy(9), "max_contracts"),
        (
            "max_contracts = 2\nmicro_ratio = 5",
            &LONG,
            "PlaceOrder",
            buy(3),
            "ask",
        ),
        (
            "max_contracts = 2\nmicro_ratio = 5",
            &LONG,
            "PlaceOrder",
            buy(4),
            "max_contracts",
        ),
        // A working order that becomes larger.
        ("max_position = { NQ = 3 }", &LONG, "Change", e1.to_owned(), "ask"),
        (
            "max_position = { NQ = 2 }",
            &LONG,
            "Change",
            e1.to_owned(),
            "max_position",
        ),
        // Closed first, or not closed in time.
        (
            "max_position = { MES = 3 }",
            &BARE,
            "ReversePosition",
            reverse.to_owned(),
            "ask",
        ),
        (
            "max_position = { MES = 2 }",
            &BARE,
            "ReversePosition",
            reverse.to_owned(),
            "max_position",
        ),
        ("max_position = { MES = 1 }", &BARE, "FlatPlace", buy(1), "ask"),
        (
            "max_position = { MES = 1 }",
            &LONG,
            "FlatPlace",
            buy(2),
            "max_position",
        ),
        // What the account holds counts for its own account alone.
        ("max_quantity = { MES = 2 }", &FLAT, "PlaceOrder", buy(2), "ask"),
        (
            "max_quantity = { MES = 2 }",
            &FLAT,
            "PlaceOrder",
            buy(3),
            "too_large",
        ),
        ("max_quantity = { NQ = 2 }", &FLAT, "PlaceOrder", buy(3), "ask"),
        (
            "max_quantity = { NQ = 2, \"*\" = 0 }",
            &FLAT,
            "PlaceOrder",
            buy(1),
            "too_large",
        ),
        (
            "order_types = [\"limit\", \"stop\"]",
            &FLAT,
            "PlaceOrder",
            buy(1),
            "order_type",
        ),
        ("order_types = [\"market\"]", &FLAT, "PlaceOrder", buy(1), "ask"),
        (
            "order_types = [\"limit\"]",
            &LONG,
            "Reverse",
            CLOSE.to_owned(),
            "order_type",
        ),
        ("classes = [\"order\"]", &FLAT, "PlaceOrder", buy(1), "ask"),
        (
            "classes = [\"order\"]",
            &LONG,
            "Cancel",
            r#"{"account":"Sim101","orderId":"E1"}"#.to_owned(),
            "class_not_allowed",
        ),
        (
            "classes = [\"order\"]",
            &FLAT,
            "StartStrategy",
            r#"{"account":"Sim101","strategy_class":"x","instrument":"MES 12-26"}"#.to_owned(),
            "class_not_allowed",
        ),
    ] {
        let judgement = with(world, tool, &arguments, &live(key));
        assert_eq!(
            judgement.code, expected,
            "{key} {tool} {arguments}: {}",
            judgement.reason
        );
    }
}

#[test]
fn prices_stay_near_the_market() {
    // The market is at 6012.25; 40 ticks are 10 points, one percent is 60.1225.
    for (key, kind, expected) in [
        ("collar_ticks = 40", limit("6002.25"), "ask"),
        ("collar_ticks = 40", limit("6002"), "collar"),
        ("collar_ticks = 40", limit("6022.25"), "ask"),
        ("collar_ticks = 40", limit("6022.5"), "collar"),
        ("collar_percent = 1", limit("5952.25"), "ask"),
        ("collar_percent = 1.0", limit("5952"), "collar"),
        ("collar_percent = 0.5\ncollar_ticks = 40", limit("6000"), "collar"),
        (
            "collar_ticks = 40",
            r#""type":"StopLimit","stop_price":6014,"limit_price":6100"#.to_owned(),
            "collar",
        ),
        // No price of its own; where the market is was seen.
        ("collar_ticks = 1", MARKET.to_owned(), "ask"),
    ] {
        let judgement = with(&FLAT, "PlaceOrder", &order("Buy", &kind, 1), &live(key));
        assert_eq!(judgement.code, expected, "{key} {kind}: {}", judgement.reason);
    }
    // A contract whose tick nobody knows has no collar in ticks, but one in percent.
    let odd = World {
        quote: r#"{"instrument":"XYZ 12-26","last":100,"timestamp":1795366798000}"#,
        ..FLAT
    };
    let xyz = order("Buy", &limit("100"), 1).replace("MES", "XYZ");
    assert_eq!(
        code(&odd, "PlaceOrder", &xyz, &live("collar_ticks = 1")),
        "tick_unknown"
    );
    assert_eq!(code(&odd, "PlaceOrder", &xyz, &live("collar_percent = 1")), "ask");
}

#[test]
fn losses_have_their_floors() {
    // The day is at -420, and 120 below its high.
    let entry = order("Buy", MARKET, 1);
    for (key, expected) in [
        ("daily_loss_floor = 420.01", "ask"),
        ("daily_loss_floor = 420", "daily_loss"),
        ("trailing_floor = 120.5", "ask"),
        ("trailing_floor = 120", "trailing_loss"),
    ] {
        assert_eq!(code(&FLAT, "PlaceOrder", &entry, &live(key)), expected, "{key}");
    }
    // What was realised is the day only while nothing is open.
    let call = held("PlaceOrder", &entry);
    let realised = r#"{"realized_pnl":-100}"#;
    let account = Some(("account", "Sim101"));
    let policy = live("daily_loss_floor = 500");
    let none = Counters::parse(None);
    let flat = but(&FLAT, &call, "GetAccountSummary", account, realised);
    assert_eq!(at(&call, &flat, &policy, &none, NOW).code, "ask");
    let open = but(&LONG, &call, "GetAccountSummary", account, realised);
    assert_eq!(at(&call, &open, &policy, &none, NOW).code, "day_unread");
}

/// "*" means every account that no other entry means; of several that mean one each holds.
#[test]
fn entries_that_mean_an_account_all_hold() {
    let entry = order("Buy", MARKET, 2);
    for (text, expected) in [
        ("[account.\"*\"]\nblocked = true", "account_blocked"),
        (
            "[account.\"*\"]\nblocked = true\n[account.\"Sim101\"]\nclass = \"sim\"",
            "ask",
        ),
        (
            "[account.\"Sim*\"]\nmax_quantity = { MES = 1 }\n[account.\"Sim101\"]\nmax_quantity = { MES = 5 }",
            "too_large",
        ),
        (
            "[account.\"Sim*\"]\nmax_quantity = { MES = 5 }\n[account.\"Sim101\"]\nmax_quantity = { MES = 1 }",
            "too_large",
        ),
        ("[account.\"PA-*\"]\nmax_quantity = { MES = 1 }", "ask"),
    ] {
        assert_eq!(
            code(
                &FLAT,
                "PlaceOrder",
                &entry,
                &parse(&format!("version = 1\n{text}"))
            ),
            expected,
            "{text}"
        );
    }
    let refused = with(&FLAT, "PlaceOrder", &entry, &live("max_quantity = { MES = 1 }"));
    assert_eq!(refused.rule, "line 4: max_quantity (sim101)");
    assert!(
        refused.reason.starts_with("Nothing was sent: 2 MES is above"),
        "{}",
        refused.reason
    );
    assert!(
        refused.reason.contains("the policy's line 4"),
        "{}",
        refused.reason
    );
}

/// The reads of a call whose orders are copied.
fn copied(policy: &Policy, call: &Call, positions: &str, follower_day: &str) -> Facts {
    let mut facts = Facts::default();
    for read in policy.reads(call) {
        let answer = match read.tool {
            "GetAccount" => r#"{"name":"Sim101","provider":"Simulator"}"#.to_owned(),
            "ListAccounts" => r#"{"accounts":[{"name":"Sim101","provider":"Simulator"},{"name":"Sim102","provider":"Simulator"},{"name":"PA-1","provider":"Rithmic"}]}"#.to_owned(),
            "GetAllPositions" => positions.to_owned(),
            "GetAllOrders" => r#"{"orders":[]}"#.to_owned(),
            "GetQuote" => FLAT.quote.to_owned(),
            "GetAccountSummary" if read.arguments.contains("Sim101") => r#"{"total_pnl":0}"#.to_owned(),
            "GetAccountSummary" => follower_day.to_owned(),
            _ => "{}".to_owned(),
        };
        facts.absorb(&read, Ok(&result(&answer)), NOW - 500);
    }
    facts
}

#[test]
fn a_copied_account_is_judged_by_its_own_rules() {
    let call = held("PlaceOrder", &order("Buy", MARKET, 1));
    let none = Counters::parse(None);
    let follower = |keys: &str| {
        parse(&format!(
            "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\ncopies_to = [\"Sim102\"]\n[account.\"Sim102\"]\nclass = \"sim\"\n{keys}\n[[rule]]\nclass = \"order\"\naccount = \"Sim*\"\ndo = \"allow\"\n"
        ))
    };
    let holds = r#"{"positions":[{"account":"Sim102","instrument":"MES 12-26","marketPosition":"Long","quantity":3}]}"#;
    for (keys, day, expected) in [
        ("", "{\"total_pnl\":0}", "allow"),
        ("blocked = true", "{}", "account_blocked"),
        ("tier = \"pin\"", "{}", "ask"),
        ("max_quantity = { MES = 0 }", "{}", "too_large"),
        ("max_position = { MES = 4 }", "{}", "allow"),
        ("max_position = { MES = 3 }", "{}", "max_position"),
        ("daily_loss_floor = 100", "{\"total_pnl\":-99}", "allow"),
        ("daily_loss_floor = 100", "{\"total_pnl\":-100}", "daily_loss"),
        ("daily_loss_floor = 100", "{}", "ask"),
        ("orders_per_day = 0", "{}", "orders_per_day"),
    ] {
        let policy = follower(keys);
        let facts = copied(&policy, &call, holds, day);
        let judgement = at(&call, &facts, &policy, &none, NOW);
        assert_eq!(
            judgement.code, expected,
            "{keys} {day}: {} {}",
            judgement.reason, judgement.rule
        );
    }
    let policy = follower("tier = \"pin\"");
    assert_eq!(
        at(&call, &copied(&policy, &call, holds, "{}"), &policy, &none, NOW).tier,
        Tier::Pin
    );
    // A copy of a copy, and one that is not play money.
    let chain = parse(
        "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\ncopies_to = [\"Sim102\"]\n[account.\"Sim102\"]\nclass = \"sim\"\ncopies_to = [\"PA-1\"]\n[account.\"PA-1\"]\nmax_position = { MES = 0 }",
    );
    assert_eq!(chain.copies_of("sim101"), ["sim102", "pa-1"]);
    let facts = copied(&chain, &call, holds, "{}");
    let judgement = at(&call, &facts, &chain, &none, NOW);
    assert!(judgement.live);
    assert_eq!(judgement.rule, "line 9: max_position (pa-1)");
    // What blocks a follower does not keep anyone from getting out of the leader.
    let policy = follower("blocked = true");
    let close = held("ClosePosition", CLOSE);
    let own = r#"{"positions":[{"account":"Sim101","instrument":"MES 12-26","marketPosition":"Long","quantity":2}]}"#;
    let judgement = at(&close, &copied(&policy, &close, own, "{}"), &policy, &none, NOW);
    assert_eq!(
        (judgement.class, judgement.verdict),
        (Class::Exit, Verdict::Ask),
        "{}",
        judgement.reason
    );
}

/// What the market did between card and approval.
#[test]
fn a_market_that_moved_too_far_is_worse() {
    let call = held("PlaceOrder", &order("Buy", MARKET, 1));
    let none = Counters::parse(None);
    let judged = |price: &str, policy: &Policy| {
        let quote = format!(r#"{{"instrument":"MES 12-26","last":{price},"timestamp":1795366798000}}"#);
        let facts = but(&FLAT, &call, "GetQuote", None, &quote);
        judge_again(&call, &facts, policy, &situation(&none, NOW))
    };
    for (keys, price, worse) in [
        ("max_drift_ticks = 8", "6014.25", false),
        ("max_drift_ticks = 8", "6014.5", true),
        ("max_drift_ticks = 8", "6010", true),
        ("max_drift = 1.5", "6013.75", false),
        ("max_drift = 1.5", "6014", true),
        ("max_drift = 1.5\nmax_drift_ticks = 2", "6013", true),
        ("", "5000", false),
    ] {
        for policy in [
            sim(keys),
            parse(&format!(
                "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\n[limits]\n{keys}"
            )),
        ] {
            let shown = judged("6012.25", &policy);
            let now = judged(price, &policy);
            let why = now.worse_than(&shown);
            assert_eq!(why.is_some(), worse, "{keys} {price}: {why:?}");
        }
    }
    let policy = sim("max_drift_ticks = 8");
    let shown = judged("6012.25", &policy);
    let unread = judge_again(
        &call,
        &but(&FLAT, &call, "GetQuote", None, "{}"),
        &policy,
        &situation(&none, NOW),
    );
    assert!(unread.worse_than(&shown).is_some());
}

#[test]
fn a_changed_order_has_its_market_read_after_it() {
    let call = held(
        "Change",
        r#"{"account":"Sim101","orderId":"E1","limitPrice":20000}"#,
    );
    let mut facts = LONG.facts(&call);
    assert!(sim("").further_reads(&call, &facts).is_empty());
    let policy = live("collar_percent = 1");
    assert_eq!(
        at(&call, &facts, &policy, &Counters::parse(None), NOW).code,
        "quote_unread"
    );
    let more = policy.further_reads(&call, &facts);
    assert_eq!(more.len(), 1);
    assert!(more[0].arguments.contains("NQ 12-26"), "{more:?}");
    let quote = result(r#"{"instrument":"NQ 12-26","last":21010,"timestamp":1795366798000}"#);
    facts.absorb(&more[0], Ok(&quote), NOW);
    assert_eq!(
        at(&call, &facts, &policy, &Counters::parse(None), NOW).code,
        "collar"
    );
}

fn keys() -> impl Strategy<Value = (&'static str, u32)> {
    let key = prop_oneof![
        Just("max_contracts"),
        Just("collar_ticks"),
        Just("daily_loss_floor"),
        Just("trailing_floor"),
        Just("orders_per_minute"),
        Just("orders_per_day"),
        Just("daily_quantity"),
        Just("duplicate_seconds"),
        Just("max_drift_ticks"),
        Just("max_quantity.MES"),
        Just("max_quantity.\"*\""),
        Just("max_position.MES"),
    ];
    (key, 1_u32..600)
}

fn text_of(keys: &[(&'static str, u32)]) -> String {
    keys.iter().fold(String::new(), |text, (key, number)| {
        format!("{text}{key} = {number}\n")
    })
}

proptest! {
    /// One more limit, or a tighter number, never lets more pass.
    #[test]
    fn a_limit_never_allows_more(
        some in prop::collection::btree_map(keys().prop_map(|(key, _)| key), 1_u32..600, 0..6),
        more in keys(),
        by in 1_u32..600,
        price in 5_900_u32..6_100,
        quantity in 1_u32..40,
        long: bool,
    ) {
        let some: Vec<(&'static str, u32)> = some.into_iter().collect();
        let allow = "[[rule]]\nclass = \"order\"\ndo = \"allow\"\n";
        let call = held("PlaceOrder", &order("Buy", &limit(&price.to_string()), quantity));
        let facts = if long { LONG.facts(&call) } else { FLAT.facts(&call) };
        let counters = Counters::parse(None);
        let verdict = |keys: &[(&'static str, u32)]| at(&call, &facts, &sim(&format!("{}{allow}", text_of(keys))), &counters, NOW).verdict;
        let before = verdict(&some);
        let mut added = some.clone();
        if !added.iter().any(|(key, _)| *key == more.0) && more.0 != "max_quantity.MES" {
            added.push(more);
            prop_assert!(verdict(&added) >= before, "{some:?} + {more:?}");
        }
        // `duplicate_seconds` is tighter when it is larger.
        let tighter: Vec<(&'static str, u32)> = some
            .iter()
            .map(|(key, number)| if *key == "duplicate_seconds" { (*key, number + by) } else { (*key, number.saturating_sub(by).max(1)) })
            .collect();
        prop_assert!(verdict(&tighter) >= before, "{some:?} -> {tighter:?}");
    }
}
