//! How much a policy file may hold, to the last one, and which of its words speak for which call.

use super::*;
use crate::gate::policy::AccountClass;

fn good(text: &str) -> bool {
    Policy::parse(text).is_ok()
}

/// The reason why this text is no policy.
fn reason(text: &str) -> String {
    Policy::parse(text).map_or_else(|error| error.reason, |_| "good".to_owned())
}

#[test]
fn a_file_has_at_most_a_quarter_of_a_mebibyte() {
    let of = |bytes: usize| {
        let head = "version = 1\n#";
        format!("{head}{}", "x".repeat(bytes - head.len()))
    };
    assert!(good(&of(262_143)));
    assert!(good(&of(262_144)));
    for bytes in [262_145, 262_146] {
        let error = Policy::parse(&of(bytes)).unwrap_err();
        assert_eq!(error.reason, "the file is larger than 262144 bytes");
        assert_eq!((error.line, error.column), (0, 0), "no place in it is wrong");
    }
}

#[test]
fn entries_rules_and_windows_have_their_most() {
    let rules = |count: usize| {
        format!(
            "version = 1\n{}",
            "[[rule]]\nclass = \"order\"\ndo = \"ask\"\n".repeat(count)
        )
    };
    let entries = |count: usize| {
        let all = (0..count).map(|n| format!("[account.\"A{n}\"]\nclass = \"sim\"\n"));
        format!("version = 1\n{}", all.collect::<Vec<_>>().concat())
    };
    let windows = |count: usize| {
        let one = "{ zone = \"UTC\", from = \"09:00\", to = \"10:00\" },";
        format!("version = 1\n[account.\"A\"]\nwindow = [{}]", one.repeat(count))
    };
    let copies = |count: usize| {
        let all = (0..count).map(|n| format!("\"B{n}\","));
        let all = all.collect::<Vec<_>>().concat();
        format!("version = 1\n[account.\"A\"]\ncopies_to = [{all}]")
    };
    for (most, text, expected) in [
        (
            200,
            &rules as &dyn Fn(usize) -> String,
            "there are more than 200 rules",
        ),
        (100, &entries, "there are more than 100 account entries"),
        (14, &windows, "an entry has at most 14 windows"),
        (16, &copies, "at most 16 accounts can be named here"),
    ] {
        assert!(good(&text(most - 1)), "{expected}");
        assert!(good(&text(most)), "{expected}");
        assert_eq!(reason(&text(most + 1)), expected);
        assert_eq!(reason(&text(most + 2)), expected);
    }
}

#[test]
fn a_pattern_has_at_most_sixty_four_characters() {
    let of = |length: usize| format!("version = 1\n[account.\"{}\"]", "a".repeat(length));
    assert!(good(&of(63)));
    assert!(good(&of(64)));
    for length in [65, 66] {
        assert_eq!(
            reason(&of(length)),
            "an account pattern is 1 to 64 plain ASCII characters"
        );
    }
}

#[test]
fn a_rule_about_reads_says_nothing_that_they_do_not_do() {
    let rule =
        |what: &str, action: &str| reason(&format!("version = 1\n[[rule]]\n{what}\ndo = \"{action}\""));
    let unknown = "unknown tools are allowed only by exact name (tool = \"...\")";
    for (what, action, expected) in [
        ("class = \"read\"", "allow", "reads pass already"),
        ("class = \"read\"", "ask", "good"),
        ("class = \"unknown\"", "allow", unknown),
        ("class = \"unknown\"", "ask", "good"),
        ("class = \"unknown\"", "deny", "good"),
        ("class = \"unknown\"\ntool = \"NewTool\"", "allow", "good"),
        (
            "tool = \"GetQuote\"",
            "deny",
            "reads are not judged; they cannot be denied here",
        ),
        ("tool = \"GetQuote\"", "ask", "good"),
        ("tool = \"PlaceOrder\"", "deny", "good"),
    ] {
        assert_eq!(rule(what, action), expected, "{what} {action}");
    }
}

/// Where the accounts could not be read the call may reach any, so a word about one of them counts, unless it allows.
#[test]
fn a_rule_about_one_account_speaks_where_none_is_known() {
    let call = held("CancelAllOrders", "{}");
    let word = |account: &str, action: &str| {
        let policy = parse(&format!(
            "version = 1\n[[rule]]\nclass = \"cancel\"\naccount = \"{account}\"\ndo = \"{action}\""
        ));
        at(&call, &unread(&call), &policy, &Counters::parse(None), NOW)
    };
    for account in ["PA-1", "PA-*", "*"] {
        let denied = word(account, "deny");
        assert_eq!(denied.code, "policy_denied", "{account}");
        let asked = word(account, "ask");
        assert_eq!(asked.verdict, Verdict::Ask);
        assert!(asked.rule.starts_with("rule 1 "), "{account}: {}", asked.rule);
    }
    assert_eq!(word("PA-1", "allow").verdict, Verdict::Ask);
}

#[test]
fn a_rule_knows_its_line() {
    let policy =
        sim("[[rule]]\nclass = \"code\"\ndo = \"deny\"\n\n[[rule]]\nclass = \"order\"\ndo = \"ask\"\n");
    let rule = policy.deciding(Class::Order, "PlaceOrder", None).unwrap();
    assert!(rule.at() > 2);
    assert!(
        rule.line().contains(&format!("(line {})", rule.at())),
        "{} {}",
        rule.at(),
        rule.line()
    );
}

/// Each limit on sizes bounds them by itself.
#[test]
fn every_limit_on_sizes_bounds_them() {
    for (keys, expected) in [
        ("", false),
        ("collar_ticks = 5", false),
        ("max_quantity = { MES = 1 }", true),
        ("max_position = { MES = 1 }", true),
        ("max_contracts = 1", true),
    ] {
        assert_eq!(sim(keys).bounds_size(Some("sim101")), expected, "{keys}");
        // Where the account is not known by name it may be this one.
        let more = format!("{keys}\n[account.\"PA-1\"]\nclass = \"live\"");
        assert_eq!(sim(&more).bounds_size(None), expected, "{keys}");
    }
}

/// The market of an order that is changed by its id is read wherever any limit needs it.
#[test]
fn the_market_of_a_named_order_is_read_where_a_limit_needs_it() {
    let call = held(
        "Change",
        r#"{"account":"Sim101","order_id":"E1","limit_price":21010}"#,
    );
    let facts = LONG.facts(&call);
    for (keys, expected) in [
        ("", false),
        ("max_contracts = 1", false),
        ("collar_ticks = 5", true),
        ("collar_percent = 5", true),
        ("max_drift = 5", true),
        ("max_drift_ticks = 5", true),
        ("[limits]\nmax_drift = 5", true),
        ("[limits]\nmax_drift_ticks = 5", true),
        ("[limits]\norders_per_day = 5", false),
    ] {
        let more = sim(keys).further_reads(&call, &facts);
        let expected: &[StateRead] = if expected {
            &[StateRead::new("GetQuote", Some(("instrument", "NQ 12-26")))]
        } else {
            &[]
        };
        assert_eq!(more, expected, "{keys}");
    }
}

/// A star stands for any characters, none included; what is before and after it must both be there, once.
#[test]
fn a_pattern_means_what_begins_and_ends_like_it() {
    for (pattern, account, means) in [
        ("PA-*", "pa-1", true),
        ("PA-*", "pa-", true),
        ("PA-*", "xpa-1", false),
        ("*-LIVE", "apex-live", true),
        ("*-LIVE", "-live", true),
        ("*-LIVE", "apex-live2", false),
        ("*-LIVE", "live", false),
        ("PA-*-X", "pa-12-x", true),
        ("PA-*-X", "pa--x", true),
        ("PA-*-X", "pa-x", false),
        ("PA-*-X", "pa-12-y", false),
        ("A*A", "a", false),
        ("A*A", "aa", true),
        ("Sim101", "sim101", true),
        ("Sim101", "sim1012", false),
    ] {
        let policy = parse(&format!("version = 1\n[account.\"{pattern}\"]\nblocked = true"));
        assert_eq!(
            policy.blocked(Some(account)).is_some(),
            means,
            "{pattern} {account}"
        );
    }
}

/// Of two patterns that mean an account the longer one speaks first, wherever it stands.
#[test]
fn the_more_exact_pattern_speaks_first() {
    let wide = "[account.\"PA-*\"]\nclass = \"live\"\n";
    let near = "[account.\"PA-1*\"]\nclass = \"eval\"\n";
    let full = "[account.\"PA-12\"]\nclass = \"funded\"\n";
    for order in [[wide, near, full], [full, near, wide], [near, full, wide]] {
        let policy = parse(&format!("version = 1\n{}", order.concat()));
        assert_eq!(policy.class_of("pa-12"), Some(AccountClass::Funded));
        assert_eq!(policy.class_of("pa-13"), Some(AccountClass::Eval));
        assert_eq!(policy.class_of("pa-2"), Some(AccountClass::Live));
    }
}

#[test]
fn a_floor_is_at_most_a_billion() {
    for key in ["daily_loss_floor", "trailing_floor"] {
        sim(&format!("{key} = 1000000000"));
        let over = format!("version = 1\n[account.\"A\"]\n{key} = 1000000000.01");
        assert_eq!(reason(&over), "this is a number from 0 to 1000000000", "{key}");
    }
}
