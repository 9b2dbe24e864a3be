//! What mutation testing found untested in the judgement: small edges, each of which somebody relies on.

use super::*;

/// After `no_new_after` what only changes or protects what is there still asks; what brings more does not.
#[test]
fn late_in_the_day_only_what_is_new_is_refused() {
    let policy =
        sim("window = { zone = \"UTC\", from = \"00:00\", to = \"24:00\", no_new_after = \"00:00\" }");
    let bracket = r#"{"account":"Sim101","instrument":"MES 12-26","action":"Buy","quantity":2,"takeProfit":6025,"stopLoss":6006.5}"#;
    assert_ne!(code(&LONG, "CancelAndBracket", bracket, &policy), "nothing_new");
    assert_eq!(code(&FLAT, "CancelAndBracket", bracket, &policy), "nothing_new");
    let price = r#"{"account":"Sim101","order_id":"E1","limit_price":21010}"#;
    assert_ne!(code(&LONG, "Change", price, &policy), "nothing_new");
    let more = r#"{"account":"Sim101","order_id":"E1","quantity":4,"limit_price":21010}"#;
    assert_eq!(code(&LONG, "Change", more, &policy), "nothing_new");
}

#[test]
fn the_twin_is_told_with_its_age() {
    let entry = held("PlaceOrder", &order("Buy", &limit("6000"), 1));
    let (facts, policy) = (FLAT.facts(&entry), sim("duplicate_seconds = 30"));
    let mut counters = Counters::parse(None);
    let first = at(&entry, &facts, &policy, &counters, NOW);
    counters.note_sent("7QK4", &first, NOW);
    let again = at(&entry, &facts, &policy, &counters, NOW + 12_000);
    assert!(again.reason.contains("was sent 12 s ago"), "{}", again.reason);
}

#[test]
fn a_maximum_of_none_says_that_it_is_not_traded() {
    let policy = sim("max_quantity = { MES = 0, \"*\" = 5 }");
    let refused = with(&FLAT, "PlaceOrder", &order("Buy", MARKET, 1), &policy);
    assert_eq!(refused.code, "too_large");
    assert!(
        refused.reason.contains("MES is not traded on this account"),
        "{}",
        refused.reason
    );
}

/// An account that was proven to be play money and is not any more; and one that never was.
#[test]
fn an_account_that_is_no_simulation_any_more_is_asked_about_again() {
    let play = with(&FLAT, "PlaceOrder", &order("Buy", MARKET, 1), &sim(""));
    let real = Judgement {
        live: true,
        ..play.clone()
    };
    assert!(!play.live);
    let worse = real.worse_than(&play);
    assert!(worse.is_some_and(|why| why.contains("not proven to be a simulation")));
    assert_eq!(real.worse_than(&real), None);
    assert_eq!(play.worse_than(&real), None);
}

/// A call for all accounts is judged by each of them; an empty list names none, and proves nothing.
#[test]
fn an_empty_list_of_accounts_is_no_simulation() {
    let call = held("FlattenEverything", "{}");
    let listed = |accounts: &str| {
        let facts = but(
            &FLAT,
            &call,
            "ListAccounts",
            None,
            &format!(r#"{{"accounts":[{accounts}]}}"#),
        );
        at(&call, &facts, &sim(""), &Counters::parse(None), NOW).live
    };
    assert!(!listed(r#"{"name":"Sim101","provider":"Simulator"}"#));
    assert!(listed(""));
}

/// What replaces an order is measured by its own market, not by that of the order which it replaces.
#[test]
fn a_replacement_is_measured_at_its_own_market() {
    let policy = sim("collar_ticks = 40");
    let replaced = |price: &str| {
        let order = format!(
            r#"{{"order_id":"E1","account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Limit","quantity":1,"limit_price":{price}}}"#
        );
        code(&LONG, "CancelReplace", &order, &policy)
    };
    assert_eq!(replaced("6010.25"), "ask");
    assert_eq!(replaced("6100.25"), "collar");
}

/// Of two rules that speak about one call the stricter decides, wherever it stands.
#[test]
fn the_stricter_rule_decides() {
    let rule = |action: &str| format!("[[rule]]\nclass = \"order\"\ndo = \"{action}\"\n");
    for rules in [
        ["deny", "ask"],
        ["ask", "deny"],
        ["deny", "allow"],
        ["allow", "deny"],
    ] {
        let policy = sim(&rules.map(rule).concat());
        let judged = with(&FLAT, "PlaceOrder", &order("Buy", MARKET, 1), &policy);
        assert_eq!(judged.verdict, Verdict::Deny, "{rules:?}");
    }
    let policy = sim(&["allow", "ask"].map(rule).concat());
    let judged = with(&FLAT, "PlaceOrder", &order("Buy", MARKET, 1), &policy);
    assert_eq!(judged.verdict, Verdict::Ask);
}
