//! The counters themselves: their groups, their pause, how long a time is kept, and how they are read again.

use super::*;
use crate::gate::limits::{Group, group};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

fn buy() -> Call {
    held("PlaceOrder", &order("Buy", MARKET, 1))
}

/// Whether this ticket's order stands in the record.
fn keeps(counters: &Counters, ticket: &str) -> bool {
    counters.text().contains(&format!("\"{ticket}\""))
}

fn note(counters: &mut Counters, ticket: &str, when: u64) {
    let call = buy();
    let judgement = at(&call, &FLAT.facts(&call), &sim(""), &Counters::parse(None), when);
    counters.note_sent(ticket, &judgement, when);
}

#[test]
fn every_call_has_its_group() {
    for (class, opening, expected) in [
        (Class::Order, true, Group::Entry),
        (Class::Order, false, Group::Neutral),
        (Class::Strategy, false, Group::Entry),
        (Class::Unknown, true, Group::Entry),
        (Class::Cancel, true, Group::Neutral),
        (Class::Job, true, Group::Aside),
        (Class::Exit, true, Group::Free),
        (Class::Protect, true, Group::Free),
    ] {
        assert_eq!(group(class, opening), expected, "{class} {opening}");
    }
}

#[test]
fn a_pause_ends_when_the_person_ends_it() {
    let mut counters = Counters::parse(None);
    counters.note_unanswered(NOW);
    counters.note_unanswered(NOW);
    let brake = |counters: &Counters| counters.brake(Class::Order, true, 0, NOW).map(|(code, _)| code);
    assert_eq!(brake(&counters), Some("paused"));
    counters.end_pause();
    assert_eq!(brake(&counters), None);
    // Nothing of before is left: one more card without an answer begins no pause.
    counters.note_unanswered(NOW);
    assert_eq!(brake(&counters), None);
}

#[test]
fn counters_of_another_form_count_as_exhausted() {
    let text = Counters::parse(None).text();
    assert!(!Counters::parse(Some(&text)).is_exhausted());
    let later = text.replace("\"version\":2", "\"version\":3");
    assert_ne!(later, text);
    assert!(Counters::parse(Some(&later)).is_exhausted());
}

#[test]
fn a_time_is_kept_for_its_minute_and_never_more_than_two_hundred() {
    let kept = |counters: &Counters| counters.text().matches(&NOW.to_string()).count();
    let mut counters = Counters::parse(None);
    for _ in 0..199 {
        counters.note_ask(NOW);
    }
    assert_eq!(kept(&counters), 199);
    counters.note_ask(NOW);
    assert_eq!(kept(&counters), 200);
    for _ in 0..3 {
        counters.note_ask(NOW);
    }
    assert_eq!(kept(&counters), 200);
    let mut earlier = counters.clone();
    earlier.note_ask(NOW + MINUTE - 1);
    assert_eq!(kept(&earlier), 199, "the oldest made room");
    counters.note_ask(NOW + MINUTE);
    assert_eq!(kept(&counters), 0);
}

#[test]
fn an_order_is_kept_for_nine_days() {
    for (later, expected) in [(9 * DAY - 1, true), (9 * DAY, false), (9 * DAY + 1, false)] {
        let mut counters = Counters::parse(None);
        note(&mut counters, "T0", NOW);
        note(&mut counters, "T1", NOW + later);
        assert_eq!(keeps(&counters, "T0"), expected, "{later}");
        assert!(keeps(&counters, "T1"));
    }
}

/// Ids are short and come again: after an hour the same id is another ticket.
#[test]
fn a_ticket_is_known_by_its_id_for_an_hour() {
    for (later, gone) in [(HOUR - 1, true), (HOUR, true), (HOUR + 1, false)] {
        let mut counters = Counters::parse(None);
        note(&mut counters, "T0", NOW);
        counters.forget("T0", NOW + later);
        assert_eq!(keeps(&counters, "T0"), !gone, "{later}");
    }
}

/// A twin is told on the card for ten minutes.
#[test]
fn a_twin_is_told_while_it_is_not_long_ago() {
    let mut counters = Counters::parse(None);
    note(&mut counters, "T0", NOW);
    let call = buy();
    let told = |later: u64| at(&call, &FLAT.facts(&call), &sim(""), &counters, NOW + later).sent_before;
    assert_eq!(told(10 * MINUTE - 1), Some(10 * MINUTE - 1));
    assert_eq!(told(10 * MINUTE), None);
}

/// Only cards without an answer in a row begin a pause: whoever denies or approves one is there.
#[test]
fn a_person_who_answers_is_there() {
    let paused = |counters: &Counters| counters.paused_until(NOW).is_some();
    let mut denied = Counters::parse(None);
    denied.note_unanswered(NOW);
    denied.note_denied(NOW);
    denied.note_unanswered(NOW);
    assert!(!paused(&denied));
    denied.note_unanswered(NOW);
    assert!(paused(&denied));
    let mut approved = Counters::parse(None);
    approved.note_unanswered(NOW);
    note(&mut approved, "T0", NOW);
    approved.note_unanswered(NOW);
    assert!(!paused(&approved));
}

/// A tool that nobody knows counts as one contract of the day.
#[test]
fn an_unknown_tool_counts_as_one_contract() {
    let unknown = |most: u32| {
        code(
            &FLAT,
            "SomethingNew",
            "{}",
            &live(&format!("daily_quantity = {most}")),
        )
    };
    assert_eq!(unknown(1), "ask");
    assert_eq!(unknown(0), "daily_quantity");
}

/// Of several twins the latest counts.
#[test]
fn the_latest_twin_counts() {
    let mut counters = Counters::parse(None);
    note(&mut counters, "T0", NOW - 50_000);
    note(&mut counters, "T1", NOW - 5_000);
    let call = buy();
    let judge = |seconds: u32| {
        let policy = sim(&format!("duplicate_seconds = {seconds}"));
        at(&call, &FLAT.facts(&call), &policy, &counters, NOW)
    };
    let refused = judge(30);
    assert_eq!(refused.code, "duplicate");
    assert!(refused.reason.contains("was sent 5 s ago"), "{}", refused.reason);
    assert_eq!(judge(5).code, "ask");
    assert_eq!(judge(5).sent_before, Some(5_000));
}

/// What makes room is the oldest.
#[test]
fn the_oldest_time_makes_room() {
    let mut counters = Counters::parse(None);
    counters.note_ask(NOW - 7);
    for _ in 0..200 {
        counters.note_ask(NOW);
    }
    assert!(!counters.text().contains(&(NOW - 7).to_string()));
    assert_eq!(counters.text().matches(&NOW.to_string()).count(), 200);
}
