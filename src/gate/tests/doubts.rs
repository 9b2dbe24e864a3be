//! What is hidden, unread or ambiguous never passes for harmless.

use super::{FLAT, LONG, NOW, World, held, judged, result, sim_policy, try_route, unread};
use crate::gate::Tier;
use crate::gate::card::{Card, CardContext, Mark, card};
use crate::gate::catalogue::Class;
use crate::gate::facts::{Facts, ReadFailure, StateRead};
use crate::gate::judge::{Judgement, Verdict};
use crate::gate::policy::Policy;

fn with(world: &World, tool: &str, arguments: &str, policy: &Policy) -> Judgement {
    let call = held(tool, arguments);
    judged(&call, &world.facts(&call), policy)
}

fn shown(tool: &str, arguments: &str, facts: impl Fn(&crate::gate::Call) -> Facts) -> Card {
    let call = held(tool, arguments);
    let (facts, policy) = (facts(&call), sim_policy(""));
    let judgement = judged(&call, &facts, &policy);
    let context = CardContext {
        ticket: "7QK4",
        client: "c",
        phrase: None,
        now_wall: NOW,
    };
    card(&call, &facts, &judgement, &policy, &context)
}

fn line(card: &Card, label: &str) -> String {
    let found: Vec<&str> = card
        .lines
        .iter()
        .filter(|line| line.label == label)
        .map(|line| line.value.as_str())
        .collect();
    found.join(" | ")
}

fn warned(judgement: &Judgement, text: &str) -> bool {
    judgement.warnings.iter().any(|warning| warning.contains(text))
}

const UNSEEN: &str = r#"{"account":"Sim101","order_id":"nope","quantity":9,"limit_price":1,"stop_price":2,"strategy_id":"st-1"}"#;

#[test]
fn a_change_shows_what_it_asks_for_though_its_order_is_unread() {
    for facts in [unread, |call: &crate::gate::Call| LONG.facts(call)] {
        let card = shown("Change", UNSEEN, facts);
        assert_eq!(line(&card, "quantity"), "? -> 9");
        assert_eq!(line(&card, "limit"), "? -> 1");
        assert_eq!(line(&card, "stop"), "? -> 2");
        assert_eq!(line(&card, "strategy"), "st-1");
        let marked = card.lines.iter().filter(|line| line.mark == Mark::Warn);
        assert!(marked.count() >= 3);
    }
}

#[test]
fn a_new_size_for_an_unread_order_is_refused_where_it_matters() {
    let resize = r#"{"account":"Sim101","order_id":"nope","quantity":9}"#;
    let bounded =
        Policy::parse("version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\nmax_quantity = { NQ = 1 }")
            .unwrap();
    // Not proven play money: always.
    assert_eq!(
        with(&LONG, "Change", resize, &Policy::default()).code,
        "size_unread"
    );
    assert_eq!(with(&LONG, "Change", resize, &bounded).code, "size_unread");
    assert_eq!(with(&LONG, "Change", resize, &sim_policy("")).code, "ask");
    let call = held("Change", resize);
    assert_eq!(judged(&call, &unread(&call), &sim_policy("")).code, "size_unread");
    // Without a new size the person may look at it, and an order that was read is bounded as ever.
    let price = r#"{"account":"Sim101","order_id":"nope","limit_price":9}"#;
    assert_eq!(
        with(&LONG, "Change", price, &Policy::default()).verdict,
        Verdict::Ask
    );
    let known = r#"{"account":"Sim101","order_id":"E1","quantity":2}"#;
    assert_eq!(with(&LONG, "Change", known, &bounded).code, "too_large");
    // Its instrument cannot be read, so no maximum can be looked up.
    let odd = World {
        orders: r#"{"orders":[{"order_id":"E1","account":"Sim101","instrument":"?? odd","side":"Buy","type":"Limit","quantity":1,"limit_price":1,"status":"Working"}]}"#,
        ..LONG
    };
    assert_eq!(with(&odd, "Change", known, &bounded).code, "size_unread");
}

#[test]
fn an_id_in_another_letter_case_is_the_same_order() {
    let judgement = with(
        &LONG,
        "Cancel",
        r#"{"account":"Sim101","orderId":"s1"}"#,
        &Policy::default(),
    );
    assert!(warned(&judgement, "LAST STOP GOES"), "{judgement:?}");
    let twins = World {
        orders: r#"{"orders":[
            {"order_id":"AB","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","quantity":1,"stop_price":6005,"status":"Working"},
            {"order_id":"Ab","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Limit","quantity":1,"limit_price":6025,"status":"Working"}]}"#,
        ..LONG
    };
    let judgement = with(
        &twins,
        "Cancel",
        r#"{"account":"Sim101","orderId":"ab"}"#,
        &Policy::default(),
    );
    assert!(warned(&judgement, "NOT FOUND"), "{judgement:?}");
}

#[test]
fn an_id_that_the_caller_chose_is_on_the_card() {
    let order = |id: &str| {
        format!(
            r#"{{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market","quantity":1,"order_id":"{id}"}}"#
        )
    };
    let card = shown("PlaceOrder", &order("mine-1"), |call| LONG.facts(call));
    assert_eq!(line(&card, "order id"), "mine-1 (chosen by the client)");
    assert!(!card.warnings.iter().any(|warning| warning.contains("THIS ID")));
    let twice = with(&LONG, "PlaceOrder", &order("e1"), &Policy::default());
    assert!(
        warned(&twice, "AN ORDER WITH THIS ID IS THERE ALREADY"),
        "{twice:?}"
    );
}

#[test]
fn an_account_does_not_bound_the_two_widest_tools() {
    let sims = "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\n";
    let allow = format!(
        "{sims}[[rule]]\nclass = \"exit\"\ndo = \"allow\"\n[[rule]]\nclass = \"cancel\"\ndo = \"allow\"\n"
    );
    let blocked = format!("{sims}[account.\"PA-*\"]\nblocked = true\n");
    let strict = format!("{sims}[account.\"PA-*\"]\ntier = \"passkey\"\n");
    let parse = |text: &str| Policy::parse(text).unwrap();
    for tool in ["FlattenEverything", "CancelAllOrders"] {
        let named = r#"{"account":"Sim101"}"#;
        let call = held(tool, named);
        let reads: Vec<&str> = call.reads().iter().map(|read| read.tool).collect();
        assert!(
            reads.contains(&"GetAllPositions") && reads.contains(&"GetAllOrders"),
            "{reads:?}"
        );
        assert!(reads.contains(&"ListAccounts"), "{reads:?}");
        assert_eq!(
            with(&LONG, tool, named, &parse(&blocked)).code,
            "account_blocked",
            "{tool}"
        );
        assert_eq!(
            with(&LONG, tool, named, &parse(&strict)).tier,
            Tier::Passkey,
            "{tool}"
        );
        let judgement = with(&LONG, tool, named, &parse(&allow));
        assert!(
            warned(&judgement, "MAY REACH ALL ACCOUNTS, NOT ONLY SIM101"),
            "{judgement:?}"
        );
        assert!(judgement.live, "{tool}");
        // Even where every account that was read is play money.
        let mut facts = LONG.facts(&call);
        let accounts = result(r#"{"accounts":[{"name":"Sim101","provider":"Simulator"}]}"#);
        facts.absorb(&StateRead::new("ListAccounts", None), Ok(&accounts), NOW);
        assert_eq!(
            judged(&call, &facts, &parse(&allow)).verdict,
            Verdict::Ask,
            "{tool}"
        );
        // An account that it names counts although the list does not have it.
        let other = held(tool, r#"{"account":"PA-9"}"#);
        assert_eq!(
            judged(&other, &facts, &parse(&blocked)).code,
            "account_blocked",
            "{tool}"
        );
        let card = shown(tool, named, |call| LONG.facts(call));
        assert_eq!(
            (card.account.as_str(), card.badge.as_str()),
            ("ALL ACCOUNTS", "FUNDED"),
            "{tool}"
        );
    }
    // A flatten of one account stays one.
    let one = with(&LONG, "Flatten", r#"{"account":"Sim101"}"#, &parse(&blocked));
    assert_eq!(one.verdict, Verdict::Ask);
}

#[test]
fn an_order_of_another_account_puts_that_account_in_reach() {
    let policy = Policy::parse(
        "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\n[account.\"PA-1\"]\nblocked = true\n[[rule]]\nclass = \"cancel\"\ndo = \"allow\"",
    )
    .unwrap();
    let stranger = World {
        orders: r#"{"orders":[{"order_id":"P1","account":"PA-1","instrument":"MES 12-26","side":"Buy","type":"Limit","quantity":1,"limit_price":1,"status":"Working"}]}"#,
        ..FLAT
    };
    for (tool, arguments) in [
        ("Cancel", r#"{"account":"Sim101","orderId":"P1"}"#),
        ("CancelOrders", r#"{"account":"Sim101","order_ids":["P1"]}"#),
        ("Change", r#"{"account":"Sim101","orderId":"P1","limitPrice":2}"#),
    ] {
        assert_eq!(
            with(&stranger, tool, arguments, &policy).code,
            "account_blocked",
            "{tool}"
        );
    }
    // One that was not found may be anybody's.
    let lost = with(
        &stranger,
        "Cancel",
        r#"{"account":"Sim101","orderId":"X"}"#,
        &policy,
    );
    assert_eq!(lost.verdict, Verdict::Ask, "{lost:?}");
}

#[test]
fn a_stop_whose_old_price_is_unread_is_no_proven_protection() {
    let priceless = World {
        orders: r#"{"orders":[{"order_id":"S1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","quantity":2,"status":"Working"}]}"#,
        ..LONG
    };
    let odd = World {
        orders: r#"{"orders":[{"order_id":"S1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Trailing","quantity":2,"stop_price":6000,"status":"Working"}]}"#,
        ..LONG
    };
    let change = r#"{"account":"Sim101","orderId":"S1","stopPrice":6007}"#;
    let bracket = r#"{"account":"Sim101","instrument":"MES 12-26","action":"Buy","quantity":2,"takeProfit":6030,"stopLoss":6006}"#;
    for (tool, arguments) in [("Change", change), ("CancelAndBracket", bracket)] {
        let judgement = with(&priceless, tool, arguments, &Policy::default());
        assert_eq!(
            (judgement.class, judgement.opening),
            (Class::Order, true),
            "{tool}"
        );
        assert!(warned(&judgement, "THE OLD STOP IS UNREAD"), "{judgement:?}");
    }
    let judgement = with(&odd, "Change", change, &Policy::default());
    assert_eq!((judgement.class, judgement.opening), (Class::Order, true));
    let card = shown("Change", change, |call| priceless.facts(call));
    assert_eq!(line(&card, "stop"), "? -> 6007");
    // With the orders unread as a whole there may be any stop.
    let call = held("CancelAndBracket", bracket);
    let mut facts = LONG.facts(&call);
    let orders = StateRead::new("ListOrders", Some(("account", "Sim101")));
    facts.absorb(&orders, Err(ReadFailure::TimedOut), NOW);
    let judgement = judged(&call, &facts, &Policy::default());
    assert_eq!((judgement.class, judgement.opening), (Class::Order, true));
    // An entry stop of the other side is no protection that could move away.
    let entry = World {
        orders: r#"{"orders":[{"order_id":"B1","account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Stop","quantity":1,"stop_price":6030,"status":"Working"}]}"#,
        ..LONG
    };
    assert_eq!(
        with(&entry, "CancelAndBracket", bracket, &Policy::default()).class,
        Class::Protect
    );
    let replace = r#"{"account":"Sim101","orderId":"S1","instrument":"MES 12-26","action":"SELL","orderType":"STOPMARKET","quantity":2,"stopPrice":5990}"#;
    assert!(warned(
        &with(&LONG, "CancelReplace", replace, &Policy::default()),
        "MOVED AWAY"
    ));
}

#[test]
fn a_card_before_its_facts_says_how_much_is_closed() {
    let before = |_: &crate::gate::Call| Facts::default();
    let close = |rest: &str| {
        let arguments = format!(r#"{{"account":"Sim101","instrument":"MES 12-26"{rest}}}"#);
        shown("ClosePosition", &arguments, before)
    };
    for (rest, closes, headline, button) in [
        (
            r#","quantity":1"#,
            "1 contract",
            "CLOSE 1 OF MES 12-26 ?",
            "Approve CLOSE 1 MES",
        ),
        (
            r#","quantity":3"#,
            "3 contracts",
            "CLOSE 3 OF MES 12-26 ?",
            "Approve CLOSE 3 MES",
        ),
        (
            r#","percent":0.2"#,
            "20 %",
            "CLOSE 20 % OF MES 12-26 ?",
            "Approve CLOSE 20 % MES",
        ),
        (
            r#","percent":1"#,
            "everything",
            "CLOSE MES 12-26 ?",
            "Approve CLOSE MES",
        ),
        ("", "everything", "CLOSE MES 12-26 ?", "Approve CLOSE MES"),
    ] {
        let card = close(rest);
        assert_eq!(line(&card, "closes"), closes);
        assert_eq!(
            (card.headline.as_str(), card.approve.as_str()),
            (headline, button)
        );
    }
    let card = shown(
        "ClosePosition",
        r#"{"account":"Sim101","instrument":"MES 12-26","percent":0.5}"#,
        |call| LONG.facts(call),
    );
    assert_eq!(line(&card, "closes"), "50 % (1 of 2)");
    let card = shown(
        "Flatten",
        r#"{"account":"Sim101","instrument":"MES","marketPosition":"long"}"#,
        before,
    );
    assert_eq!(line(&card, "asked"), "close every long position on MES in Sim101");
    assert_eq!(card.approve, "Approve FLATTEN LONG MES");
    let card = shown("FlattenEverything", r#"{"account":"Sim101"}"#, before);
    assert_eq!(line(&card, "asked"), "close every position in ALL ACCOUNTS");
    let longest = shown(
        "Flatten",
        r#"{"instrument":"ABCDEFGI","marketPosition":"short"}"#,
        before,
    );
    assert!(longest.approve.ends_with("ALL ACCOUNTS"), "{}", longest.approve);
}

#[test]
fn a_resting_exit_beside_what_works_is_weighed() {
    let order = |kind: &str, quantity: u32| {
        format!(
            r#"{{"account":"Sim101","instrument":"MES 12-26","side":"Sell","quantity":{quantity},{kind}}}"#
        )
    };
    let working = |rest: &str| {
        World {
        orders: Box::leak(
            format!(r#"{{"orders":[{{"order_id":"W1","account":"Sim101","instrument":"MES 12-26","side":"Sell","status":"Working",{rest}}}]}}"#)
                .into_boxed_str(),
        ),
        ..LONG
    }
    };
    let (stop, target) = (
        r#""type":"Stop","stop_price":6004"#,
        r#""type":"Limit","limit_price":6030"#,
    );
    let beside = |world: &World, kind: &str, quantity: u32| {
        let judgement = with(world, "PlaceOrder", &order(kind, quantity), &Policy::default());
        let told = warned(&judgement, "CAN OPEN A POSITION") || warned(&judgement, "THE OTHER SIDE OPENS");
        (judgement.class, judgement.opening, told)
    };
    let with_stop = |quantity: u32| working(&format!("\"quantity\":{quantity},{stop}"));
    let with_target = |quantity: u32| working(&format!("\"quantity\":{quantity},{target}"));
    // A target beside a stop as large: both can fill.
    assert_eq!(beside(&with_stop(2), target, 2), (Class::Order, true, true));
    assert_eq!(beside(&with_stop(1), target, 1), (Class::Exit, false, false));
    // A stop beside a target protects all the same.
    assert_eq!(beside(&with_target(2), stop, 2), (Class::Protect, false, true));
    assert_eq!(beside(&with_target(1), stop, 1), (Class::Protect, false, false));
    assert_eq!(beside(&with_stop(2), stop, 1), (Class::Order, true, true));
    // A type that we do not know may be a stop.
    let odd = working(r#""quantity":2,"type":"Trailing""#);
    assert_eq!(beside(&odd, stop, 2), (Class::Order, true, true));
    // A target that is moved, or replaced by one as large, adds nothing to the pair that stands.
    let moved = with(
        &LONG,
        "Change",
        r#"{"account":"Sim101","orderId":"T1","limitPrice":6022}"#,
        &Policy::default(),
    );
    assert_eq!((moved.class, moved.opening), (Class::Exit, false));
    let swap = |quantity: u32| {
        let arguments = order(target, quantity).replace('{', r#"{"order_id":"T1","#);
        with(&LONG, "CancelReplace", &arguments, &Policy::default()).opening
    };
    assert!(!swap(2));
    assert!(swap(3));
}

#[test]
fn a_month_that_can_be_misread_is_refused_with_its_reason() {
    for instrument in [
        "ESZ6",
        "esz6",
        "ESZ2026",
        "MESH7",
        "ESZ19",
        "ESZ61!",
        "ESZ6 12-26",
    ] {
        let arguments = format!(r#"{{"account":"Sim101","instrument":"{instrument}"}}"#);
        let refusal = try_route("Reverse", &arguments).unwrap_err();
        assert_eq!(refusal.code, "bad_instrument", "{instrument}");
    }
    let refusal = try_route("Reverse", r#"{"account":"Sim101","instrument":"ESZ6"}"#).unwrap_err();
    assert!(refusal.reason.contains("misread"), "{}", refusal.reason);
    for instrument in [
        "ES",
        "M2K",
        "6E",
        "ZN",
        "ESZ26",
        "M6E 12-26",
        "UK100",
        "J7",
        "6E1!",
    ] {
        let arguments = format!(r#"{{"account":"Sim101","instrument":"{instrument}"}}"#);
        assert!(try_route("Reverse", &arguments).is_ok(), "{instrument}");
    }
}

#[test]
fn an_unreadable_position_is_never_flat() {
    let odd = |account: &str| {
        World {
        positions: Box::leak(
            format!(r#"{{"positions":[{{"account":"{account}","instrument":"MESZ6","marketPosition":"Long","quantity":3}}]}}"#)
                .into_boxed_str(),
        ),
        orders: r#"{"orders":[{"order_id":"S1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","quantity":2,"stop_price":6000,"status":"Working"}]}"#,
        ..FLAT
    }
    };
    let buy = r#"{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market","quantity":1}"#;
    assert_eq!(
        with(&odd("Sim101"), "PlaceOrder", buy, &Policy::default()).after,
        None
    );
    let elsewhere = with(&odd("PA-1"), "PlaceOrder", buy, &Policy::default());
    assert_eq!(elsewhere.after.as_deref(), Some("MES 12-26 +1"));
    let close = r#"{"account":"Sim101","instrument":"MES 12-26"}"#;
    assert_eq!(
        with(&odd("Sim101"), "ClosePosition", close, &Policy::default()).class,
        Class::Order
    );
    let change = r#"{"account":"Sim101","orderId":"S1","stopPrice":6001}"#;
    let card = shown("Change", change, |call| odd("Sim101").facts(call));
    assert_eq!(line(&card, "position"), "?");
    let card = shown("Flatten", close, |call| odd("Sim101").facts(call));
    assert!(line(&card, "closes").contains("MESZ6 +3"), "{}", card.text());
}

#[test]
fn a_rule_that_could_never_speak_is_an_error_with_its_place() {
    for (rule, column) in [
        ("account = \"PA-*-*\"\ndo = \"deny\"", 11),
        ("account = \"PA-?\"\ndo = \"deny\"", 11),
        ("account = \"A,B\"\ndo = \"deny\"", 11),
        ("account = \" Sim101\"\ndo = \"deny\"", 11),
        ("account = \"\"\ndo = \"deny\"", 11),
        ("account = \"all\"\ndo = \"deny\"", 11),
        ("account = \"S\u{ef}m\"\ndo = \"deny\"", 11),
        ("tool = \"Place*\"\ndo = \"deny\"", 8),
        ("tool = \"\"\ndo = \"deny\"", 8),
        ("tool = \"Place Order\"\ndo = \"deny\"", 8),
    ] {
        let error = Policy::parse(&format!("version = 1\n[[rule]]\n{rule}")).unwrap_err();
        assert_eq!((error.line, error.column), (3, column), "{rule}: {error}");
    }
    for name in ["all", " a", "a?"] {
        let error = Policy::parse(&format!("version = 1\n[account.\"{name}\"]")).unwrap_err();
        assert_eq!((error.line, error.column), (2, 10), "{name}: {error}");
    }
    let good = "version = 1\n[[rule]]\naccount = \"PA-*\"\ntool = \"PlaceOrderV2\"\ndo = \"deny\"\n[[rule]]\ntool = \"PlaceOrder\"\ndo = \"deny\"\n[[rule]]\ntool = \"placeorder\"\ndo = \"ask\"\n[[rule]]\ntool = \"placeorder\"\ndo = \"deny\"";
    assert_eq!(
        Policy::parse(good).unwrap().unknown_tools(),
        ["PlaceOrderV2", "placeorder"]
    );
}
