//! What `policy check` points at and what it leaves alone: a note that is wrong is as bad as one that is missing.

use super::*;

/// The rules, by number, that the check says never speak.
fn sleeping(rules: &[&str]) -> Vec<usize> {
    let rule = |words: &&str| {
        let keys: Vec<String> = words
            .split(' ')
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap();
                format!("{key} = \"{value}\"")
            })
            .collect();
        format!("[[rule]]\n{}\n", keys.join("\n"))
    };
    let text: String = rules.iter().map(rule).collect();
    let policy = parse(&format!("version = 1\n{text}"));
    let line_of = |number: usize| {
        let lines: Vec<usize> = (1..)
            .zip(text.lines())
            .filter(|(_, line)| *line == "[[rule]]")
            .map(|(at, _)| at + 1)
            .collect();
        lines[number - 1]
    };
    (1..=rules.len())
        .filter(|number| {
            let notes = policy.notes();
            let mut own = notes
                .iter()
                .filter(|note| usize::try_from(note.line).unwrap() == line_of(*number));
            own.any(|note| note.text.contains("never speaks"))
        })
        .collect()
}

#[test]
fn of_two_rules_about_the_same_the_weaker_or_later_sleeps() {
    for (first, second, expected) in [
        ("ask", "ask", vec![2]),
        ("deny", "deny", vec![2]),
        ("deny", "ask", vec![2]),
        ("ask", "deny", vec![1]),
    ] {
        let (first, second) = (
            format!("class=order do={first}"),
            format!("class=order do={second}"),
        );
        assert_eq!(sleeping(&[&first, &second]), expected, "{first} {second}");
    }
    assert_eq!(sleeping(&["class=order do=ask"]), Vec::<usize>::new());
}

#[test]
fn a_rule_sleeps_only_where_the_other_says_as_much() {
    for (strong, weak, sleeps) in [
        ("class=order", "class=order", true),
        ("class=order", "class=cancel", false),
        ("class=order", "class=order tool=PlaceOrder", true),
        ("class=order tool=PlaceOrder", "class=order", false),
        ("class=order tool=PlaceOrder", "class=order tool=PlaceOrder", true),
        ("class=order tool=PlaceOrder", "class=order tool=Change", false),
        ("class=order", "class=order account=PA-1", true),
        ("class=order account=PA-1", "class=order", false),
        ("class=order account=*", "class=order account=PA-1", true),
        ("class=order account=*", "class=order account=PA-*", true),
        ("class=order account=PA-*", "class=order account=PA-*", true),
        ("class=order account=PA-*", "class=order account=PA-1", true),
        ("class=order account=PA-*", "class=order account=Sim101", false),
        // Of two patterns nobody works out whether one lies in the other: then nothing is said.
        ("class=order account=PA-*", "class=order account=PA-1*", false),
        ("class=order account=PA-1", "class=order account=PA-*", false),
        ("class=order account=PA-1", "class=order account=PA-2", false),
    ] {
        let (strong, weak) = (format!("{strong} do=deny"), format!("{weak} do=ask"));
        let expected = if sleeps { vec![2] } else { vec![] };
        assert_eq!(sleeping(&[&strong, &weak]), expected, "{strong} / {weak}");
    }
}

#[test]
fn a_blocked_account_with_nothing_else_is_no_slip() {
    let notes = |keys: &str| parse(&format!("version = 1\n[account.\"A\"]\n{keys}")).notes();
    assert_eq!(notes("blocked = true"), []);
    assert_eq!(notes("blocked = true\nclass = \"live\""), []);
    assert_eq!(notes("blocked = true\nmax_contracts = 1").len(), 1);
}

#[test]
fn an_empty_policy_says_that_it_is() {
    let said = |rest: &str| {
        parse(&format!("version = 1\n{rest}"))
            .show()
            .contains("(no accounts or rules are set)")
    };
    assert!(said(""));
    assert!(said("[limits]\norders_per_day = 5"));
    assert!(!said("[account.\"A\"]\nclass = \"live\""));
    assert!(!said("[[rule]]\nclass = \"code\"\ndo = \"deny\""));
}

/// An account that asks for a click is one on which an order may pass unasked; one that asks for more is not.
#[test]
fn an_allow_sleeps_where_more_than_a_click_is_asked_for() {
    let notes = |tier: &str| {
        let rule = "[[rule]]\nclass = \"order\"\naccount = \"A\"\ndo = \"allow\"";
        parse(&format!(
            "version = 1\n[account.\"A\"]\nclass = \"sim\"\n{tier}\n{rule}"
        ))
        .notes()
    };
    assert_eq!(notes(""), []);
    assert_eq!(notes("tier = \"click\""), []);
    for tier in ["pin", "passkey"] {
        let said = notes(&format!("tier = \"{tier}\""));
        assert_eq!(said.len(), 1, "{tier}");
        assert!(
            said[0].text.ends_with(&format!("asks for tier {tier}")),
            "{said:?}"
        );
    }
}

/// A note about a table stands at its first line.
#[test]
fn a_table_that_bounds_only_what_it_names_is_pointed_at() {
    let policy = parse("version = 1\n[account.\"A\".max_quantity]\nMES = 1\nES = 2\nNQ = 3\n");
    let notes: Vec<u32> = policy.notes().into_iter().map(|note| note.line).collect();
    assert_eq!(notes, [3]);
}
