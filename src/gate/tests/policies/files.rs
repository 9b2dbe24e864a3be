//! The file: what is read, what is an error and where, what is pointed at.

use std::fmt::Write as _;

use super::*;
use crate::gate::policy::STARTER;

#[test]
fn the_starter_is_a_policy_without_fault() {
    let policy = parse(STARTER);
    let notes: Vec<String> = policy.notes().into_iter().map(|note| note.text).collect();
    assert_eq!(
        notes,
        [
            "sim101 has an entry of its own, so what \"*\" says does not hold for it: order_types, max_position, max_contracts, collar_percent, daily_loss_floor, trailing_floor, window, daily_quantity"
        ]
    );
    insta::assert_snapshot!("starter", STARTER);
    insta::assert_snapshot!("starter_shown", policy.show());
    // What it offers as a comment is good as well.
    let all = STARTER
        .replace("# tier =", "tier =")
        .replace("# classes =", "classes =");
    let all = all
        .replace("# [", "[")
        .replace("# blocked", "blocked")
        .replace("# copies_to", "copies_to");
    let all = all
        .replace("# class =", "class =")
        .replace("# account =", "account =")
        .replace("# do =", "do =");
    let all = all.replace("[account.\"PA-LEAD\"]\n# class", "[account.\"PA-LEAD\"]\nclass");
    parse(&all);
    assert!(
        STARTER.lines().all(|line| line.len() <= 125),
        "a line is too long to read"
    );
}

#[test]
fn errors_have_their_place() {
    let account = |line: &str| format!("version = 1\n[account.\"A\"]\n{line}");
    let limits = |line: &str| format!("version = 1\n[limits]\n{line}");
    let window = |rest: &str| {
        account(&format!(
            "window = {{ zone = \"UTC\", from = \"09:00\", to = \"10:00\"{rest} }}"
        ))
    };
    let mut out = String::new();
    for text in [
        account("max_contracts = 1.5"),
        account("max_contracts = 100001"),
        account("micro_ratio = 0"),
        account("collar_ticks = 0"),
        account("collar_percent = 0"),
        account("collar_percent = 100.5"),
        account("collar_percent = nan"),
        account("daily_loss_floor = -5"),
        account("daily_loss_floor = \"500\""),
        account("trailing_floor = 0.123456789"),
        account("classes = [\"order\", \"code\"]"),
        account("classes = [\"orders\"]"),
        account("order_types = [\"iceberg\"]"),
        account("max_position = { \"ES 12-26\" = 1 }"),
        account("max_position = { MES = 1, mes = 2 }"),
        account("orders_per_day = 1001"),
        account("duplicate_seconds = 0"),
        account("copies_to = [\"PA-*\"]"),
        account("copies_to = [\"a\"]"),
        account("copies_to = [\"b\", \"B\"]"),
        account("window = { zone = \"New York\", from = \"09:00\", to = \"10:00\" }"),
        account("window = { zone = \"UTC\", from = \"9:00\", to = \"10:00\" }"),
        account("window = { zone = \"UTC\", from = \"09:00\", to = \"09:00\" }"),
        account("window = { zone = \"UTC\", from = \"24:00\", to = \"09:00\" }"),
        account("window = { zone = \"UTC\", from = \"09:00\" }"),
        account("window = \"09:00-10:00\""),
        account("window = [{ zone = \"UTC\", from = \"09:00\", to = \"25:00\" }]"),
        window(", days = \"Monday\""),
        window(", no_new_after = \"10:30\""),
        window(", nothing_new_after = \"09:30\""),
        limits("day_boundary = \"17:00\""),
        limits("day_boundary = \"24:00 UTC\""),
        limits("quote_seconds = 0"),
        limits("market_ticket_seconds = 121"),
        limits("ticket_seconds = 9"),
        limits("max_drift = -1"),
        limits("max_contracts = 5"),
        "version = 1\n# \u{e9}\u{e9}\n\"\u{e9}\" = 1".to_owned(),
    ] {
        let error = Policy::parse(&text).unwrap_err();
        let shown = text.lines().nth(error.line - 1).unwrap_or_default();
        writeln!(out, "{shown}\n  {error}").unwrap();
    }
    insta::assert_snapshot!("errors", out);
}

#[test]
fn bounds_are_kept_on_both_sides() {
    for (key, least, most) in [
        ("max_contracts", 0_u32, 100_000_u32),
        ("micro_ratio", 1, 100),
        ("collar_ticks", 1, 100_000),
        ("orders_per_minute", 0, 1_000),
        ("orders_per_day", 0, 1_000),
        ("daily_quantity", 0, 100_000),
        ("duplicate_seconds", 1, 3_600),
        ("max_drift_ticks", 0, 10_000),
    ] {
        for good in [least, most] {
            sim(&format!("{key} = {good}"));
        }
        for bad in [i64::from(least) - 1, i64::from(most) + 1] {
            let text = format!("version = 1\n[account.\"A\"]\n{key} = {bad}");
            assert_eq!(Policy::parse(&text).unwrap_err().line, 3, "{text}");
        }
    }
}

#[test]
fn what_may_not_be_meant_is_pointed_at() {
    let text = r#"version = 1
[account."Sim101"]
class = "sim"
tier = "pin"
max_quantity = { MES = 2 }
[account."PA-1"]
blocked = true
max_contracts = 2
copies_to = ["PA-2"]
[account."*"]
max_contracts = 1
blocked = true
[[rule]]
class = "order"
do = "deny"
[[rule]]
class = "order"
account = "Sim101"
do = "allow"
[[rule]]
class = "cancel"
account = "Sim101"
do = "allow"
[[rule]]
class = "cancel"
account = "PA-1"
do = "allow"
[[rule]]
tool = "PlaceOrdr"
do = "deny"
[[rule]]
class = "exit"
do = "ask"
[[rule]]
class = "exit"
account = "Sim101"
do = "ask"
"#;
    let notes = parse(text).notes();
    let said: Vec<String> = notes
        .iter()
        .map(|note| format!("{}: {}", note.line, note.text))
        .collect();
    insta::assert_snapshot!("notes", said.join("\n"));
}

/// A card stands as long as the policy says, within bounds.
#[test]
fn tickets_have_the_time_that_the_policy_gives() {
    let usual = Policy::default();
    assert_eq!(
        (usual.ticket_time(true), usual.ticket_time(false)),
        (30_000, 120_000)
    );
    let own = parse("version = 1\n[limits]\nmarket_ticket_seconds = 5\nticket_seconds = 600");
    assert_eq!((own.ticket_time(true), own.ticket_time(false)), (5_000, 600_000));
    assert_eq!(
        with(&FLAT, "PlaceOrder", &order("Buy", MARKET, 1), &own).open_for,
        5_000
    );
    assert_eq!(with(&LONG, "ClosePosition", CLOSE, &own).open_for, 600_000);
}
