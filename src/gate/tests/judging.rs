//! The judgement: what proves an exit, what brakes an entry, what never allows.

use proptest::prelude::*;

use super::{FLAT, LONG, NOW, World, held, judged, judged_with, result, sim_policy, unread};
use crate::gate::Tier;
use crate::gate::catalogue::{self, Class};
use crate::gate::facts::{Facts, ReadFailure, StateRead};
use crate::gate::judge::{Judgement, Situation, Verdict, judge, judge_again};
use crate::gate::limits::{Counters, LOOKS_PER_MINUTE, MOST_LOOKS};
use crate::gate::policy::Policy;

const BUY: &str =
    r#"{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market","quantity":1}"#;
const CLOSE: &str = r#"{"account":"Sim101","instrument":"MES 12-26"}"#;
const ALLOW_ALL: &str = r#"
[[rule]]
class = "order"
do = "allow"
[[rule]]
class = "exit"
do = "allow"
[[rule]]
class = "protect"
do = "allow"
[[rule]]
class = "cancel"
account = "Sim101"
do = "allow"
"#;

fn with(world: &World, tool: &str, arguments: &str, policy: &Policy) -> Judgement {
    let call = held(tool, arguments);
    judged(&call, &world.facts(&call), policy)
}

fn class(world: &World, tool: &str, arguments: &str) -> (Class, bool) {
    let judgement = with(world, tool, arguments, &Policy::default());
    (judgement.class, judgement.opening)
}

fn order(side: &str, kind: &str, quantity: u32) -> String {
    format!(r#"{{"account":"Sim101","instrument":"MES 12-26","side":"{side}","quantity":{quantity},{kind}}}"#)
}

const STOP: &str = r#""type":"Stop","stop_price":6004"#;
const TARGET: &str = r#""type":"Limit","limit_price":6030"#;
const MARKET: &str = r#""type":"Market""#;

#[test]
fn the_default_asks_for_every_trade_tool() {
    for spec in catalogue::known()
        .iter()
        .filter(|spec| spec.class == Class::Workspace || spec.class == Class::Cancel)
    {
        let arguments = if spec.form == catalogue::Form::CancelOne {
            r#"{"account":"Sim101","orderId":"S1"}"#
        } else {
            "{}"
        };
        let judgement = with(&LONG, spec.name, arguments, &Policy::default());
        assert_eq!(judgement.verdict, Verdict::Ask, "{}", spec.name);
    }
    assert_eq!(
        with(&FLAT, "PlaceOrder", BUY, &Policy::default()).verdict,
        Verdict::Ask
    );
    assert_eq!(
        with(&FLAT, "Whatever", "{}", &Policy::default()).class,
        Class::Unknown
    );
}

#[test]
fn exits_and_protections_are_proven_or_they_are_orders() {
    let bare = World {
        orders: r#"{"orders":[]}"#,
        ..LONG
    };
    assert_eq!(
        class(&bare, "PlaceOrder", &order("Sell", STOP, 2)),
        (Class::Protect, false)
    );
    assert_eq!(
        class(&bare, "PlaceOrder", &order("Sell", STOP, 1)),
        (Class::Protect, false)
    );
    assert_eq!(
        class(&bare, "PlaceOrder", &order("Sell", STOP, 3)),
        (Class::Order, true)
    );
    assert_eq!(
        class(&bare, "PlaceOrder", &order("Buy", STOP, 1)),
        (Class::Order, true)
    );
    assert_eq!(
        class(&FLAT, "PlaceOrder", &order("Sell", STOP, 1)),
        (Class::Order, true)
    );
    assert_eq!(
        class(&bare, "PlaceOrder", &order("Sell", MARKET, 2)),
        (Class::Exit, false)
    );
    assert_eq!(
        class(&bare, "PlaceOrder", &order("Sell", TARGET, 2)),
        (Class::Exit, false)
    );
    // A second stop or target beside the working ones could open the other side.
    assert_eq!(
        class(&LONG, "PlaceOrder", &order("Sell", STOP, 1)),
        (Class::Order, true)
    );
    assert_eq!(
        class(&LONG, "PlaceOrder", &order("Sell", TARGET, 1)),
        (Class::Order, true)
    );
    // A template adds orders of its own.
    let template = format!(r#"{STOP},"strategy":"x""#);
    assert_eq!(
        class(&bare, "PlaceOrder", &order("Sell", &template, 2)).0,
        Class::Order
    );
    assert_eq!(class(&LONG, "ClosePosition", CLOSE), (Class::Exit, false));
    assert_eq!(class(&LONG, "FlattenEverything", "{}"), (Class::Exit, false));
    assert_eq!(class(&LONG, "Reverse", CLOSE), (Class::Order, true));
}

#[test]
fn unread_state_proves_nothing() {
    for (tool, arguments, opening) in [
        ("PlaceOrder", order("Sell", STOP, 1), true),
        ("ClosePosition", CLOSE.to_owned(), false),
        ("FlattenEverything", "{}".to_owned(), false),
        (
            "Change",
            r#"{"account":"Sim101","orderId":"S1","stopPrice":6007}"#.to_owned(),
            true,
        ),
    ] {
        let call = held(tool, &arguments);
        let judgement = judged(&call, &unread(&call), &sim_policy(ALLOW_ALL));
        assert_eq!(judgement.class, Class::Order, "{tool}");
        assert_eq!(judgement.opening, opening, "{tool}");
        assert_ne!(judgement.verdict, Verdict::Allow, "{tool}");
        assert!(judgement.live, "{tool}");
    }
}

#[test]
fn a_position_of_another_account_or_month_proves_nothing() {
    let other = World {
        orders: r#"{"orders":[]}"#,
        positions: r#"[{"account":"PA-1","instrument":"MES 12-26","market_position":"Long","quantity":2},
                       {"account":"Sim101","instrument":"MES 03-27","market_position":"Long","quantity":2}]"#,
        ..FLAT
    };
    assert_eq!(
        class(&other, "PlaceOrder", &order("Sell", STOP, 1)),
        (Class::Order, true)
    );
}

#[test]
fn changes_are_judged_by_what_they_do() {
    let change = |rest: &str| {
        class(
            &LONG,
            "Change",
            &format!(r#"{{"account":"Sim101","orderId":"S1",{rest}}}"#),
        )
    };
    assert_eq!(change(r#""stopPrice":6007"#), (Class::Protect, false));
    assert_eq!(change(r#""stopPrice":6001"#), (Class::Order, true));
    assert_eq!(change(r#""quantity":3"#), (Class::Order, true));
    assert_eq!(change(r#""quantity":1"#).0, Class::Order);
    assert_eq!(
        class(
            &LONG,
            "Change",
            r#"{"account":"Sim101","orderId":"E1","limitPrice":1}"#
        ),
        (Class::Order, true)
    );
    assert_eq!(
        class(
            &LONG,
            "Change",
            r#"{"account":"Sim101","orderId":"??1","limitPrice":1}"#.replace("??", "x").as_str()
        ),
        (Class::Order, true)
    );
}

#[test]
fn brackets_protect_open_or_strip() {
    let bracket = |world: &World, side: &str, rest: &str| {
        class(
            world,
            "CancelAndBracket",
            &format!(r#"{{"account":"Sim101","instrument":"MES 12-26","action":"{side}",{rest}}}"#),
        )
    };
    assert_eq!(
        bracket(&LONG, "Buy", r#""quantity":2,"takeProfit":6030,"stopLoss":6006"#),
        (Class::Protect, false)
    );
    assert_eq!(
        bracket(&LONG, "Buy", r#""quantity":2,"takeProfit":6030,"stopLoss":6000"#),
        (Class::Order, true)
    );
    assert_eq!(
        bracket(&LONG, "Sell", r#""quantity":2,"takeProfit":6030,"stopLoss":6006"#),
        (Class::Order, true)
    );
    assert_eq!(
        bracket(&LONG, "Buy", r#""quantity":2,"takeProfit":6030"#),
        (Class::Order, true)
    );
    assert_eq!(
        bracket(&FLAT, "Buy", r#""quantity":2,"takeProfit":6030,"stopLoss":6006"#),
        (Class::Order, true)
    );
}

#[test]
fn cancels_warn_by_what_they_strip() {
    let warned = |tool: &str, arguments: &str| {
        with(&LONG, tool, arguments, &Policy::default())
            .warnings
            .iter()
            .any(|warning| warning.starts_with("LAST STOP GOES"))
    };
    assert!(warned("Cancel", r#"{"account":"Sim101","orderId":"S1"}"#));
    assert!(!warned("Cancel", r#"{"account":"Sim101","orderId":"T1"}"#));
    assert!(warned(
        "CancelOrders",
        r#"{"account":"Sim101","order_ids":["E1","S1"]}"#
    ));
    assert!(!warned(
        "CancelOrders",
        r#"{"account":"Sim101","instrument":"NQ 12-26"}"#
    ));
    assert!(warned("CancelAllOrders", "{}"));
}

#[test]
fn what_stays_working_after_an_exit_is_said() {
    let warned = |tool: &str, arguments: &str| {
        with(&LONG, tool, arguments, &Policy::default())
            .warnings
            .iter()
            .any(|warning| warning.starts_with("ORDERS LEFT WORKING"))
    };
    assert!(warned("PlaceOrder", &order("Sell", MARKET, 2)));
    assert!(warned("ClosePosition", CLOSE));
    assert!(!warned("FlattenEverything", r#"{"account":"Sim101"}"#));
}

#[test]
fn an_order_of_another_account_is_named() {
    let judgement = with(
        &LONG,
        "Cancel",
        r#"{"account":"PA-1","orderId":"S1"}"#,
        &Policy::default(),
    );
    assert!(
        judgement
            .warnings
            .iter()
            .any(|warning| warning.contains("ANOTHER ACCOUNT")),
        "{judgement:?}"
    );
}

#[test]
fn allow_needs_play_money_by_policy_and_provider_in_tier_click() {
    let policy = sim_policy(ALLOW_ALL);
    assert_eq!(with(&FLAT, "PlaceOrder", BUY, &policy).verdict, Verdict::Allow);
    let rithmic = World {
        provider: "Rithmic",
        ..FLAT
    };
    assert_eq!(with(&rithmic, "PlaceOrder", BUY, &policy).verdict, Verdict::Ask);
    let unnamed = Policy::parse(&format!("version = 1\n{ALLOW_ALL}")).unwrap();
    assert_eq!(with(&FLAT, "PlaceOrder", BUY, &unnamed).verdict, Verdict::Ask);
    let pin = Policy::parse(&format!(
        "version = 1\n[account.\"Sim101\"]\nclass=\"sim\"\ntier=\"pin\"\n{ALLOW_ALL}"
    ))
    .unwrap();
    let judgement = with(&FLAT, "PlaceOrder", BUY, &pin);
    assert_eq!((judgement.verdict, judgement.tier), (Verdict::Ask, Tier::Pin));
    // Every account in reach must be play money: PA-1 is not.
    assert_eq!(
        with(&LONG, "FlattenEverything", "{}", &policy).verdict,
        Verdict::Ask
    );
    // Orders unread.
    let call = held("PlaceOrder", BUY);
    let mut facts = FLAT.facts(&call);
    facts.absorb(
        &StateRead::new("ListOrders", Some(("account", "Sim101"))),
        Err(ReadFailure::TimedOut),
        NOW,
    );
    assert_eq!(judged(&call, &facts, &policy).verdict, Verdict::Ask);
}

#[test]
fn the_tier_of_an_unnamed_account_is_the_highest() {
    let policy = Policy::parse(
        "version = 1\n[account.\"PA-*\"]\ntier = \"passkey\"\n[account.\"Sim101\"]\nclass = \"sim\"",
    )
    .unwrap();
    assert_eq!(
        with(&LONG, "FlattenEverything", "{}", &policy).tier,
        Tier::Passkey
    );
    assert_eq!(with(&LONG, "ClosePosition", CLOSE, &policy).tier, Tier::Click);
    assert_eq!(policy.tier_for(Some("pa-7"), Tier::Click), Tier::Passkey);
    assert_eq!(
        policy.tier_for(Some("sim101"), Tier::Pin),
        Tier::Pin,
        "a pattern may only raise"
    );
}

#[test]
fn unknown_tools_are_allowed_only_by_exact_name() {
    let text = "version = 1\n[[rule]]\nclass = \"unknown\"\ndo = \"allow\"";
    assert_eq!(Policy::parse(text).unwrap_err().line, 2);
    let all_sim = World {
        provider: "Simulator",
        ..FLAT
    };
    let policy = Policy::parse(
        "version = 1\n[account.\"*\"]\nclass = \"sim\"\n[[rule]]\ntool = \"NewTool\"\ndo = \"allow\"",
    )
    .unwrap();
    // PA-1's provider is Rithmic: asked all the same.
    assert_eq!(with(&all_sim, "NewTool", "{}", &policy).verdict, Verdict::Ask);
    let call = held("NewTool", "{}");
    let mut facts = Facts::default();
    let accounts = result(r#"{"accounts":[{"name":"Sim101","provider":"Simulator"}]}"#);
    facts.absorb(&StateRead::new("ListAccounts", None), Ok(&accounts), NOW);
    assert_eq!(judged(&call, &facts, &policy).verdict, Verdict::Allow);
    assert_eq!(
        judged(&held("newtool", "{}"), &facts, &policy).verdict,
        Verdict::Ask
    );
}

#[test]
fn refusals_say_first_that_nothing_was_sent() {
    let blocked = Policy::parse("version = 1\n[account.\"sim*\"]\nblocked = true").unwrap();
    let judgement = with(&FLAT, "PlaceOrder", BUY, &blocked);
    assert_eq!(
        (judgement.verdict, judgement.code),
        (Verdict::Deny, "account_blocked")
    );
    assert!(
        judgement.reason.starts_with("Nothing was sent: "),
        "{}",
        judgement.reason
    );
    let exit = with(&LONG, "ClosePosition", CLOSE, &blocked);
    assert!(exit.reason.contains("NinjaTrader itself"), "{}", exit.reason);
    assert_eq!(
        with(&LONG, "FlattenEverything", "{}", &blocked).code,
        "account_blocked"
    );
}

#[test]
fn sizes_are_bound_in_every_spelling() {
    let policy =
        Policy::parse("version = 1\n[account.\"Sim101\"]\nmax_quantity = { MES = 2, \"*\" = 0 }").unwrap();
    for instrument in ["MES 12-26", "mes", "MES1!", "MESZ26"] {
        for (quantity, code) in [(2, "ask"), (3, "too_large")] {
            let arguments = format!(
                r#"{{"account":"SIM101","instrument":"{instrument}","side":"Buy","type":"Market","quantity":{quantity}}}"#
            );
            assert_eq!(
                with(&FLAT, "PlaceOrder", &arguments, &policy).code,
                code,
                "{instrument} {quantity}"
            );
        }
    }
    assert_eq!(
        with(&FLAT, "PlaceOrder", &BUY.replace("MES", "ES"), &policy).code,
        "too_large"
    );
    assert_eq!(
        with(&LONG, "ClosePosition", CLOSE, &policy).code,
        "ask",
        "an exit is free of it"
    );
    let small = Policy::parse("version = 1\n[account.\"Sim101\"]\nmax_quantity = { MES = 1 }").unwrap();
    assert_eq!(with(&LONG, "Reverse", CLOSE, &small).code, "too_large");
    assert_eq!(
        with(
            &LONG,
            "Change",
            r#"{"account":"Sim101","orderId":"S1","quantity":9}"#,
            &small
        )
        .code,
        "too_large"
    );
}

#[test]
fn the_addon_down_refuses_before_anyone_is_asked() {
    let call = held("PlaceOrder", BUY);
    let mut facts = Facts::default();
    for read in call.reads() {
        facts.absorb(&read, Err(ReadFailure::NotConnected), NOW);
    }
    assert!(facts.not_connected());
    assert_eq!(judged(&call, &facts, &Policy::default()).code, "not_connected");
    let mut told = Facts::default();
    let answer = r#"{"isError":true,"content":[{"type":"text","text":"{\"success\":false,\"error\":\"addon_disconnected\"}"}]}"#;
    told.absorb(&StateRead::new("ListPositions", None), Ok(answer), NOW);
    assert!(told.not_connected());
    // One slow read beside others that came through is no proof.
    let mut mixed = FLAT.facts(&call);
    mixed.absorb(
        &StateRead::new("GetQuote", None),
        Err(ReadFailure::NotConnected),
        NOW,
    );
    assert!(!mixed.not_connected());
}

#[test]
fn opening_orders_need_a_read_position_on_live_accounts() {
    let call = held("PlaceOrder", BUY);
    assert_eq!(
        judged(&call, &unread(&call), &Policy::default()).code,
        "position_unread"
    );
    let close = held("ClosePosition", CLOSE);
    assert_eq!(
        judged(&close, &unread(&close), &Policy::default()).verdict,
        Verdict::Ask
    );
    // A proven sim account may still be asked about.
    let mut facts = FLAT.facts(&call);
    facts.absorb(
        &StateRead::new("ListPositions", None),
        Err(ReadFailure::TimedOut),
        NOW,
    );
    assert_eq!(judged(&call, &facts, &sim_policy("")).verdict, Verdict::Ask);
}

#[test]
fn an_unknown_outcome_stops_openings_on_live_and_warns_on_sim() {
    let unknown = [("sim101".to_owned(), "MES".to_owned())];
    let counters = Counters::parse(None);
    let on = |world: &World, tool: &str, arguments: &str, policy: &Policy| {
        let call = held(tool, arguments);
        judged_with(&call, &world.facts(&call), policy, &counters, 0, &unknown)
    };
    assert_eq!(
        on(&FLAT, "PlaceOrder", BUY, &Policy::default()).code,
        "unknown_outcome"
    );
    let sim = on(&FLAT, "PlaceOrder", BUY, &sim_policy(""));
    assert_eq!(sim.verdict, Verdict::Ask);
    assert!(sim.warnings.iter().any(|warning| warning.contains("OUTCOME")));
    assert_eq!(
        on(&LONG, "ClosePosition", CLOSE, &Policy::default()).verdict,
        Verdict::Ask
    );
    assert_eq!(
        on(&FLAT, "PlaceOrder", &BUY.replace("MES", "CL"), &Policy::default()).verdict,
        Verdict::Ask
    );
}

/// Everything that brakes an entry, none of which may brake a proven exit or protection.
#[test]
fn exits_come_first_past_every_brake() {
    let mut asked = Counters::parse(None);
    let mut denied = Counters::parse(None);
    let mut unanswered = Counters::parse(None);
    let mut sent = Counters::parse(None);
    for _ in 0..6 {
        asked.note_ask(NOW - 1000);
    }
    for _ in 0..3 {
        denied.note_denied(NOW - 1000);
    }
    for _ in 0..2 {
        unanswered.note_unanswered(NOW - 1000);
    }
    note_sent(&mut sent, "A", NOW - 1000);
    let minute = "[limits]\norders_per_minute = 1\n";
    let day = "[limits]\norders_per_day = 1\n";
    let fresh = Counters::parse(None);
    for (code, counters, open, limits) in [
        ("too_many_asks", &asked, 0, ""),
        ("paused", &denied, 0, ""),
        ("paused", &unanswered, 0, ""),
        ("too_many_open", &fresh, 3, ""),
        ("counters_unreadable", &Counters::exhausted(), 0, ""),
        ("orders_per_minute", &sent, 0, minute),
        ("orders_per_day", &sent, 0, day),
    ] {
        let policy = sim_policy(limits);
        let on = |world: &World, tool: &str, arguments: &str| {
            let call = held(tool, arguments);
            judged_with(&call, &world.facts(&call), &policy, counters, open, &[])
        };
        assert_eq!(on(&FLAT, "PlaceOrder", BUY).code, code);
        assert_eq!(on(&LONG, "ClosePosition", CLOSE).verdict, Verdict::Ask, "{code}");
        assert_eq!(
            on(&LONG, "FlattenEverything", r#"{"account":"Sim101"}"#).verdict,
            Verdict::Ask,
            "{code}"
        );
        let bare = World {
            orders: r#"{"orders":[]}"#,
            ..LONG
        };
        assert_eq!(
            on(&bare, "PlaceOrder", &order("Sell", STOP, 2)).verdict,
            Verdict::Ask,
            "{code}"
        );
        assert_eq!(
            on(&LONG, "Cancel", r#"{"account":"Sim101","orderId":"E1"}"#).verdict,
            Verdict::Ask,
            "{code}"
        );
    }
}

/// One contract was bought.
fn note_sent(counters: &mut Counters, ticket: &str, at: u64) {
    let judgement = with(&FLAT, "PlaceOrder", BUY, &Policy::default());
    counters.note_sent(ticket, &judgement, at);
}

/// Three open entries, and these counters.
fn busy(counters: &Counters) -> Situation<'_> {
    Situation {
        now_wall: NOW,
        installation_tier: Tier::Click,
        counters,
        open_entry_tickets: 3,
        unknown_outcomes: &[],
        unacknowledged: false,
        on_their_way: &[],
        lately: &[],
    }
}

/// The ask and the ticket of a call count by the time it is approved, and must not refuse it; what is sent still counts.
#[test]
fn an_approval_is_not_refused_for_having_been_asked() {
    let call = held("PlaceOrder", BUY);
    let facts = FLAT.facts(&call);
    let mut counters = Counters::parse(None);
    for _ in 0..6 {
        counters.note_ask(NOW);
        counters.note_unanswered(NOW);
    }
    assert_eq!(
        judge(&call, &facts, &Policy::default(), &busy(&counters)).verdict,
        Verdict::Deny
    );
    assert_eq!(
        judge_again(&call, &facts, &Policy::default(), &busy(&counters)).verdict,
        Verdict::Ask
    );
    note_sent(&mut counters, "A", NOW);
    let policy = sim_policy("[limits]\norders_per_minute = 1");
    assert_eq!(
        judge_again(&call, &facts, &policy, &busy(&counters)).code,
        "orders_per_minute"
    );
    let exhausted = Counters::exhausted();
    assert_eq!(
        judge_again(&call, &facts, &policy, &busy(&exhausted)).code,
        "counters_unreadable"
    );
}

#[test]
fn an_unknown_outcome_without_an_account_may_be_anywhere() {
    let call = held("PlaceOrder", BUY);
    let unknown = [(String::new(), String::new())];
    let judgement = judged_with(
        &call,
        &FLAT.facts(&call),
        &Policy::default(),
        &Counters::parse(None),
        0,
        &unknown,
    );
    assert_eq!(judgement.code, "unknown_outcome");
}

#[test]
fn counters_survive_and_corrupt_ones_are_exhausted() {
    let mut counters = Counters::parse(None);
    counters.note_ask(NOW);
    counters.note_denied(NOW);
    assert_eq!(Counters::parse(Some(&counters.text())), counters);
    for text in [
        "",
        "{}",
        "null",
        "{\"version\":2}",
        "{\"version\":3}",
        "\u{0}",
        counters.text().trim_start_matches('{'),
    ] {
        assert!(Counters::parse(Some(text)).is_exhausted(), "{text}");
    }
    assert!(Counters::parse(Some(&Counters::exhausted().text())).is_exhausted());
}

#[test]
fn a_pause_ends_by_itself_or_by_a_click() {
    let mut counters = Counters::parse(None);
    counters.note_unanswered(NOW);
    assert_eq!(counters.paused_until(NOW), None);
    counters.note_unanswered(NOW);
    assert_eq!(counters.paused_until(NOW), Some(NOW + 300_000));
    assert_eq!(counters.paused_until(NOW + 300_000), None);
    // A clock that is set back frees nothing, and does not pause for a day either.
    let yesterday = NOW - 86_400_000;
    assert_eq!(counters.paused_until(NOW - 1), Some(NOW + 299_999));
    assert_eq!(counters.paused_until(yesterday), Some(yesterday + 300_000));
    assert!(!counters.settle(NOW));
    assert!(counters.settle(yesterday) && !counters.settle(yesterday));
    assert_eq!(
        counters.paused_until(yesterday + 299_999),
        Some(yesterday + 300_000)
    );
    assert_eq!(counters.paused_until(yesterday + 300_000), None);
    counters.end_pause();
    assert_eq!(counters.paused_until(NOW), None);
}

#[test]
fn a_clock_set_back_holds_a_limit_for_one_more_minute_and_not_for_hours() {
    let ahead = NOW + 5 * 3_600_000;
    for (class, opening) in [
        (Class::Order, true),
        (Class::Cancel, false),
        (Class::Alert, false),
    ] {
        let mut counters = Counters::parse(None);
        for _ in 0..6 {
            counters.note_ask_for(class, opening, ahead);
        }
        let stops = |counters: &Counters, at| {
            counters.brake(class, opening, 0, at).map(|(code, _)| code) == Some("too_many_asks")
        };
        assert!(
            stops(&counters, NOW) && stops(&counters, NOW + 60_000),
            "{class:?}"
        );
        assert!(counters.settle(NOW) && !counters.settle(NOW), "{class:?}");
        assert!(
            stops(&counters, NOW) && stops(&counters, NOW + 59_999),
            "{class:?}"
        );
        assert!(!stops(&counters, NOW + 60_000), "{class:?}");
    }
    // Two denials ahead and one two minutes after the clock went back are no three within a minute.
    let denied = |settled: bool| {
        let mut counters = Counters::parse(None);
        counters.note_denied(ahead);
        counters.note_denied(ahead);
        assert!(!settled || counters.settle(NOW));
        counters.note_denied(NOW + 120_000);
        counters.paused_until(NOW + 120_000).is_some()
    };
    assert!(denied(false) && !denied(true));
    // What lies behind keeps its time.
    let mut counters = Counters::parse(None);
    counters.note_ask(NOW - 1);
    let before = counters.clone();
    assert!(!counters.settle(NOW));
    assert_eq!(counters, before);
}

#[test]
fn limits_of_jobs_and_alerts_are_their_own() {
    let mut counters = Counters::parse(None);
    for _ in 0..6 {
        counters.note_ask_for(Class::Alert, false, NOW - 1);
    }
    assert!(counters.brake(Class::Alert, false, 0, NOW).is_some());
    assert!(counters.brake(Class::Order, true, 0, NOW).is_none());
    assert!(counters.brake(Class::Alert, false, 0, NOW + 60_000).is_none());
}

#[test]
fn looks_at_new_orders_are_few_a_minute() {
    let mut counters = Counters::parse(None);
    for n in 0..LOOKS_PER_MINUTE {
        assert!(counters.look_brake(LOOKS_PER_MINUTE, NOW).is_none(), "{n}");
        counters.note_look(NOW);
    }
    // Kept over a restart, and over a clock that is set back.
    let counters = Counters::parse(Some(&counters.text()));
    for now in [NOW, NOW + 59_999, NOW - 3_600_000] {
        let (code, _) = counters.look_brake(LOOKS_PER_MINUTE, now).expect("a brake");
        assert_eq!(code, "too_many_orders");
        assert!(counters.look_brake(MOST_LOOKS, now).is_none());
        // What was looked at may be asked about.
        assert!(counters.brake(Class::Order, true, 0, now).is_none());
    }
    assert!(counters.look_brake(LOOKS_PER_MINUTE, NOW + 60_000).is_none());
    // The file of an earlier version has none.
    let whole = Counters::parse(None).text();
    let earlier = whole.replacen("\"looks\":[],", "", 1);
    assert_ne!(earlier, whole);
    assert!(!Counters::parse(Some(&earlier)).is_exhausted());
}

#[test]
fn what_got_worse_is_named() {
    let policy = sim_policy("");
    let first = with(&FLAT, "PlaceOrder", BUY, &policy);
    assert_eq!(first.worse_than(&first), None);
    let moved = with(&LONG, "PlaceOrder", BUY, &policy);
    assert!(
        moved.worse_than(&first).unwrap().contains("MES 12-26 +3"),
        "{moved:?}"
    );
    let exit = with(&LONG, "ClosePosition", CLOSE, &policy);
    let reduced = order("Sell", MARKET, 2);
    let bare = World {
        orders: r#"{"orders":[]}"#,
        ..LONG
    };
    let before = with(&bare, "PlaceOrder", &reduced, &policy);
    let gone = with(&FLAT, "PlaceOrder", &reduced, &policy);
    assert!(gone.worse_than(&before).unwrap().contains("open"));
    assert_eq!(exit.worse_than(&exit), None);
    let live = with(
        &World {
            provider: "Rithmic",
            ..FLAT
        },
        "PlaceOrder",
        BUY,
        &policy,
    );
    assert!(live.worse_than(&first).is_some());
}

#[test]
fn a_month_that_is_read_later_is_no_change_and_another_month_is() {
    const ANY: &str =
        r#"{"account":"Sim101","instrument":"MES","side":"Buy","type":"Market","quantity":1,"tif":"Day"}"#;
    let policy = sim_policy("");
    let quoted = |quote| World { quote, ..FLAT };
    let unread = quoted(r#"{"success":false,"error":"no_quote"}"#);
    let march = quoted(
        r#"{"instrument":"MES 03-27","last":6012.25,"bid":6012.0,"ask":6012.25,"timestamp":1795366798000}"#,
    );
    let judged = |world: &World| with(world, "PlaceOrder", ANY, &policy);
    let (early, late) = (judged(&unread), judged(&FLAT));
    assert_eq!(early.after.as_deref(), Some("MES +1"));
    assert_eq!(late.after.as_deref(), Some("MES 12-26 +1"));
    assert_eq!(late.worse_than(&early), None);
    // Strict as ever: another month, a month that is not read any more, and a position that differs.
    let changed = |now: &Judgement, then: &Judgement| {
        let why = now.worse_than(then).unwrap_or_default();
        assert!(why.contains("the resulting position is now"), "{why}: {now:?}");
    };
    changed(&judged(&march), &late);
    changed(&early, &late);
    let long = World {
        orders: FLAT.orders,
        ..LONG
    };
    changed(&judged(&long), &early);
    // Held in another month than the one that turns out to be meant.
    let elsewhere = judged(&World {
        positions: LONG.positions,
        ..unread
    });
    assert_eq!(elsewhere.after.as_deref(), Some("MES +3"));
    changed(
        &judged(&World {
            positions: LONG.positions,
            ..march
        }),
        &elsewhere,
    );
    // A call that names its month is never loose about it.
    assert_eq!(with(&FLAT, "PlaceOrder", BUY, &policy).after_any_month, None);
}

#[test]
fn policy_errors_have_their_place() {
    for (text, line, column) in [
        ("version = 2", 1, 11),
        ("version = 1\nunknown = 3", 2, 1),
        ("version = 1\n[account.\"A\"]\nclas = \"sim\"", 3, 1),
        ("version = 1\n[account.\"A\"]\nclass = \"simulated\"", 3, 9),
        ("version = 1\n[account.\"A\"]\n[account.\"a\"]", 3, 10),
        (
            "version = 1\n[account.\"A\"]\nmax_quantity = { \"ES 12-26\" = 1 }",
            3,
            18,
        ),
        ("version = 1\n[[rule]]\ndo = \"allow\"", 2, 1),
        ("version = 1\n[limits]\norders_per_minute = -1", 3, 21),
    ] {
        let error = Policy::parse(text).unwrap_err();
        assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
    }
    assert!(Policy::parse("").is_err());
    let text = "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\n[account.\"*\"]\nclass = \"live\"\ntier = \"pin\"\nmax_quantity = { MES = 5, ES = 1, \"*\" = 0 }\n[limits]\norders_per_minute = 4\norders_per_day = 40\n[[rule]]\nclass = \"exit\"\naccount = \"Sim101\"\ndo = \"allow\"\n[[rule]]\nclass = \"code\"\ndo = \"deny\"\n";
    insta::assert_snapshot!(Policy::parse(text).unwrap().show());
}

#[test]
fn answers_in_both_spellings_and_shapes_are_read_alike() {
    let snake = r#"{"positions":[{"account":"A","instrument":"ES 12-26","market_position":"Short","quantity":2,"average_price":1.5}]}"#;
    let camel = r#"[{"account":"A","instrument":"ES 12-26","marketPosition":"Short","quantity":2,"averagePrice":1.5}]"#;
    let read = |text: String| {
        let mut facts = Facts::default();
        facts.absorb(&StateRead::new("ListPositions", None), Ok(&text), NOW);
        facts
    };
    let in_text = |payload: &str| {
        format!(
            r#"{{"content":[{{"type":"text","text":{}}}]}}"#,
            serde_json::to_string(payload).unwrap()
        )
    };
    let expected = read(result(snake));
    assert_eq!(expected.positions.known().unwrap()[0].quantity, -2);
    for text in [result(camel), in_text(snake), in_text(camel)] {
        assert_eq!(read(text), expected);
    }
    for odd in [
        "",
        "nonsense",
        "{}",
        r#"{"content":[]}"#,
        r#"{"structuredContent":{}}"#,
        r#"{"structuredContent":{"success":true}}"#,
        r#"{"structuredContent":{"success":false,"positions":[]}}"#,
        r#"{"isError":true,"structuredContent":{"positions":[]}}"#,
        r#"{"structuredContent":{"error":"account_not_found","positions":[]}}"#,
        r#"{"structuredContent":{"positions":[{"account":"A","instrument":"ES","quantity":2}]}}"#,
        r#"{"structuredContent":{"positions":[{"instrument":"ES","quantity":0}]}}"#,
        r#"{"structuredContent":{"positions":[{"account":"A","instrument":"ES","marketPosition":"Long","quantity":1.5}]}}"#,
    ] {
        assert_eq!(read(odd.to_owned()).positions.known(), None, "{odd}");
    }
}

fn rule() -> impl Strategy<Value = String> {
    let target = prop_oneof![
        prop_oneof![
            Just("order"),
            Just("exit"),
            Just("protect"),
            Just("cancel"),
            Just("strategy")
        ]
        .prop_map(|class| format!("class = \"{class}\"\n")),
        prop_oneof![
            Just("PlaceOrder"),
            Just("ClosePosition"),
            Just("FlattenEverything")
        ]
        .prop_map(|tool| format!("tool = \"{tool}\"\n")),
    ];
    let account = prop_oneof![
        Just(""),
        Just("account = \"Sim101\"\n"),
        Just("account = \"PA-*\"\n"),
        Just("account = \"*\"\n")
    ];
    let action = prop_oneof![Just("allow"), Just("ask"), Just("deny")];
    (target, account, action)
        .prop_map(|(target, account, action)| format!("[[rule]]\n{target}{account}do = \"{action}\"\n"))
}

proptest! {
    #[test]
    fn adding_a_deny_rule_never_allows_more(rules in prop::collection::vec(rule(), 0..6), more in rule(), at in 0_usize..7, which in 0_usize..4) {
        let deny = more.replace("allow", "deny").replace("ask", "deny");
        let (tool, arguments) = [
            ("PlaceOrder", BUY),
            ("ClosePosition", CLOSE),
            ("FlattenEverything", "{}"),
            ("Cancel", r#"{"account":"Sim101","orderId":"S1"}"#),
        ][which];
        let before = with(&LONG, tool, arguments, &sim_policy(&rules.concat()));
        let mut stricter = rules.clone();
        stricter.insert(at.min(rules.len()), deny);
        let after = with(&LONG, tool, arguments, &sim_policy(&stricter.concat()));
        prop_assert!(after.verdict >= before.verdict, "{:?} -> {:?}", before, after);
    }

    #[test]
    fn no_facts_make_a_live_account_allowed(positions in prop_oneof![Just(LONG.positions), Just(FLAT.positions), Just("{}")], provider in prop_oneof![Just("Rithmic"), Just("simulator"), Just("Simulator "), Just("")], which in 0_usize..3) {
        let world = World { provider, positions, ..LONG };
        let (tool, arguments) = [("PlaceOrder", BUY), ("ClosePosition", CLOSE), ("FlattenEverything", "{}")][which];
        let judgement = with(&world, tool, arguments, &sim_policy(ALLOW_ALL));
        prop_assert_ne!(judgement.verdict, Verdict::Allow);
        prop_assert!(judgement.live);
    }

    #[test]
    fn a_reducing_class_never_passes_zero(held_quantity in -5_i64..=5, quantity in 1_u32..=6, sell: bool, kind in prop_oneof![Just(MARKET), Just(STOP), Just(TARGET)]) {
        let direction = if held_quantity < 0 { "Short" } else { "Long" };
        let positions = format!(r#"[{{"account":"Sim101","instrument":"MES 12-26","marketPosition":"{direction}","quantity":{}}}]"#, held_quantity.abs());
        let call = held("PlaceOrder", &order(if sell { "Sell" } else { "Buy" }, kind, quantity));
        let mut facts = FLAT.facts(&call);
        facts.absorb(&StateRead::new("ListPositions", None), Ok(&result(&positions)), NOW);
        let judgement = judged(&call, &facts, &Policy::default());
        let change = if sell { -i64::from(quantity) } else { i64::from(quantity) };
        let after = held_quantity + change;
        let reduces = after.abs() < held_quantity.abs() && after * held_quantity >= 0;
        prop_assert_eq!(matches!(judgement.class, Class::Exit | Class::Protect), reduces);
        prop_assert_eq!(judgement.opening, !reduces);
    }
}
