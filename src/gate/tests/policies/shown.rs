//! What the card says because of the policy: copies, rooms, and an order that was sent before.

use super::*;
use crate::gate::card::{CardContext, Mark, card};

#[test]
fn copies_rooms_and_twins_stand_on_the_card() {
    let policy = parse(
        "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\ncopies_to = [\"PA-1\"]\nmax_position = { MES = 4 }\ntrailing_floor = 125\n[account.\"PA-1\"]\nclass = \"funded\"\n",
    );
    let call = held("PlaceOrder", &order("Buy", MARKET, 1));
    let facts = copied(&policy, &call, r#"{"positions":[]}"#, "{}");
    let mut counters = Counters::parse(None);
    let first = at(&call, &facts, &policy, &counters, NOW);
    counters.note_sent("7QK4", &first, NOW - 130_000);
    let judgement = at(&call, &facts, &policy, &counters, NOW);
    let context = CardContext {
        ticket: "7QK5",
        client: "Claude Desktop",
        phrase: None,
        now_wall: NOW,
    };
    let card = card(&call, &facts, &judgement, &policy, &context);
    let line = |label: &str| {
        let found = card.lines.iter().find(|line| line.label == label);
        found.map_or_else(
            || panic!("no {label}: {card:?}"),
            |line| (line.value.as_str(), line.mark),
        )
    };
    assert_eq!(card.badge, "FUNDED", "the gravest of all that it reaches");
    assert_eq!(line("copies"), ("also in 1 (PA-1)", Mark::Warn));
    assert_eq!(
        line("sent before"),
        ("the very same order, 2 min ago", Mark::Warn)
    );
    // The trailing floor was not read here, and stands first; then what is left of the position.
    assert_eq!(
        line("room"),
        ("? your trailing floor; 3 of 4 your max position", Mark::Warn)
    );
    assert!(
        card.warnings
            .contains(&"THE VERY SAME ORDER WAS SENT LATELY".to_owned())
    );
}

#[test]
fn the_age_of_a_twin_is_in_seconds_and_then_in_minutes() {
    let call = held("PlaceOrder", &order("Buy", MARKET, 1));
    let (facts, policy) = (FLAT.facts(&call), sim(""));
    let age = |age: u64| {
        let first = at(&call, &facts, &policy, &Counters::parse(None), NOW);
        let judgement = Judgement {
            sent_before: Some(age),
            ..first
        };
        let context = CardContext {
            ticket: "7QK5",
            client: "Claude Desktop",
            phrase: None,
            now_wall: NOW,
        };
        let card = card(&call, &facts, &judgement, &policy, &context);
        let line = card.lines.into_iter().find(|line| line.label == "sent before");
        line.map(|line| line.value).unwrap_or_default()
    };
    assert_eq!(age(999), "the very same order, 0 s ago");
    assert_eq!(age(59_999), "the very same order, 59 s ago");
    assert_eq!(age(60_000), "the very same order, 1 min ago");
    assert_eq!(age(119_999), "the very same order, 1 min ago");
    assert_eq!(age(120_000), "the very same order, 2 min ago");
}
