//! A call that reaches several accounts, and one that is judged twice: the graver word counts, in whichever order it comes.

use super::*;
use crate::gate::judge::Market;
use crate::gate::value::Decimal;

const LIST: &str =
    r#"{"accounts":[{"name":"Sim101","provider":"Simulator"},{"name":"Sim102","provider":"Simulator"}]}"#;

/// The judgement of an order of Sim101 that is copied to Sim102, with a rule about each.
fn copied(own: &str, copy: &str) -> Judgement {
    let policy = parse(&format!(
        "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\ncopies_to = [\"Sim102\"]\n[account.\"Sim102\"]\nclass = \"sim\"\n\
         [[rule]]\nclass = \"order\"\naccount = \"Sim101\"\ndo = \"{own}\"\n\
         [[rule]]\nclass = \"order\"\naccount = \"Sim102\"\ndo = \"{copy}\"\n"
    ));
    let call = held("PlaceOrder", &order("Buy", MARKET, 1));
    let facts = but(&FLAT, &call, "ListAccounts", None, LIST);
    at(&call, &facts, &policy, &Counters::parse(None), NOW)
}

#[test]
fn of_the_rules_of_several_accounts_the_stricter_decides() {
    for (own, copy, verdict, rule) in [
        ("allow", "allow", Verdict::Allow, "account=sim101"),
        ("allow", "ask", Verdict::Ask, "account=sim102"),
        ("ask", "allow", Verdict::Ask, "account=sim101"),
        ("ask", "ask", Verdict::Ask, "account=sim101"),
        ("allow", "deny", Verdict::Deny, "account=sim102"),
        ("deny", "allow", Verdict::Deny, "account=sim101"),
    ] {
        let judged = copied(own, copy);
        assert_eq!(judged.verdict, verdict, "{own} {copy}: {judged:?}");
        assert!(judged.rule.contains(rule), "{own} {copy}: {}", judged.rule);
    }
}

#[test]
fn a_later_judgement_that_is_graver_is_worse_and_a_milder_one_is_not() {
    let play = with(&FLAT, "PlaceOrder", &order("Buy", MARKET, 1), &sim(""));
    let refused = Judgement {
        verdict: Verdict::Deny,
        reason: "Nothing was sent: too late.".to_owned(),
        ..play.clone()
    };
    assert_eq!(
        refused.worse_than(&play).as_deref(),
        Some("it is now refused: Nothing was sent: too late.")
    );
    assert_eq!(play.worse_than(&refused), None);
    let stronger = Judgement {
        tier: Tier::Pin,
        ..play.clone()
    };
    assert_eq!(
        stronger.worse_than(&play).as_deref(),
        Some("it now needs a stronger approval")
    );
    assert_eq!(play.worse_than(&stronger), None);
}

/// Copies of copies count, and copies that go in a circle end.
#[test]
fn copies_that_go_in_a_circle_are_each_named_once() {
    let policy = parse(
        "version = 1\n[account.\"A\"]\ncopies_to = [\"B\"]\n[account.\"B\"]\ncopies_to = [\"C\", \"A\"]\n[account.\"C\"]\ncopies_to = [\"B\"]",
    );
    assert_eq!(policy.copies_of("a"), ["b", "c"]);
    assert_eq!(policy.copies_of("c"), ["b", "a"]);
    assert!(policy.copies_of("d").is_empty());
}

#[test]
fn of_two_rules_that_say_the_same_the_first_is_named() {
    let rule = "[[rule]]\nclass = \"order\"\ndo = \"ask\"\n";
    let policy = sim(&rule.repeat(2));
    let judged = with(&FLAT, "PlaceOrder", &order("Buy", MARKET, 1), &policy);
    assert!(judged.rule.starts_with("rule 1 "), "{}", judged.rule);
}

#[test]
fn a_policy_says_whether_anything_passes_unasked() {
    let rule = |action: &str| format!("[[rule]]\nclass = \"order\"\ndo = \"{action}\"\n");
    for (rules, expected) in [
        (String::new(), false),
        (rule("ask"), false),
        (rule("deny"), false),
        (rule("allow"), true),
        (format!("{}{}", rule("ask"), rule("allow")), true),
    ] {
        assert_eq!(sim(&rules).allows_unasked(), expected, "{rules}");
    }
}

/// What was approved once is known again by the digest of its text, so that one must be that of every byte.
#[test]
fn the_digest_of_a_policy_is_that_of_its_text() {
    let sha = |text: &str| crate::gate::value::sha256(&[text.as_bytes()]);
    assert_eq!(Policy::default().digest(), sha(""));
    for text in ["version = 1", "version = 1\n", "version = 1 # a"] {
        assert_eq!(parse(text).digest(), sha(text));
    }
}

/// Of two bounds on how far the market may move the tighter holds, and no price is no price that stood still.
#[test]
fn the_market_may_move_by_the_tighter_bound() {
    let play = with(&FLAT, "PlaceOrder", &order("Buy", MARKET, 1), &sim(""));
    let at = |price: Option<&str>, most: &str| Judgement {
        market: Some(Market {
            price: price.and_then(Decimal::parse),
            most: Decimal::parse(most).unwrap(),
        }),
        ..play.clone()
    };
    for (then, now, worse) in [
        (at(Some("6000"), "5"), at(Some("6003"), "5"), false),
        (at(Some("6000"), "3"), at(Some("6003"), "5"), false),
        (at(Some("6000"), "2"), at(Some("6003"), "5"), true),
        (at(Some("6000"), "5"), at(Some("6003"), "2"), true),
        (at(Some("6000"), "5"), at(Some("5994.75"), "5"), true),
        (at(Some("6000"), "5"), at(None, "5"), true),
        (at(None, "5"), at(Some("6003"), "5"), false),
    ] {
        assert_eq!(
            now.worse_than(&then).is_some(),
            worse,
            "{:?} {:?}",
            then.market,
            now.market
        );
    }
}

/// A new size for an order that was not read is refused where any account in reach bounds sizes.
#[test]
fn a_copy_that_bounds_sizes_needs_the_order_read() {
    let resize = |own: &str, copy: &str| {
        let policy = parse(&format!(
            "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\ncopies_to = [\"Sim102\"]\n{own}\n[account.\"Sim102\"]\nclass = \"sim\"\n{copy}"
        ));
        let call = held("Change", r#"{"account":"Sim101","order_id":"nope","quantity":9}"#);
        let facts = but(&FLAT, &call, "ListAccounts", None, LIST);
        at(&call, &facts, &policy, &Counters::parse(None), NOW).code
    };
    let bound = "max_contracts = 5";
    assert_eq!(resize("", ""), "ask");
    assert_eq!(resize(bound, ""), "size_unread");
    assert_eq!(resize("", bound), "size_unread");
    assert_eq!(resize(bound, bound), "size_unread");
}

/// An order counts for every account that it reached.
#[test]
fn a_copied_order_counts_for_each_of_its_accounts() {
    let mut counters = Counters::parse(None);
    counters.note_sent("T0", &copied("ask", "ask"), NOW);
    for (account, orders) in [
        (Some("sim101"), 1),
        (Some("sim102"), 1),
        (Some("pa-1"), 0),
        (None, 1),
    ] {
        assert_eq!(counters.last_minute(account, NOW).orders, orders, "{account:?}");
    }
}
