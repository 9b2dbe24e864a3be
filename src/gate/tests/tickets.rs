//! The ticket's states: at most one `Cleared`, never late, ends are ends.

use proptest::prelude::*;

use super::{FLAT, NOW, held, judged, sim_policy};
use crate::gate::Call;
use crate::gate::Tier;
use crate::gate::ticket::{Approval, Cleared, Origin, Outcome, State, Ticket, ticket_id};

mod long_texts;

fn call(market: bool) -> Call {
    let kind = if market {
        r#""Market""#
    } else {
        r#""Limit","limit_price":6000.25"#
    };
    let arguments = format!(
        "{{\"account\":\"Sim101\",\n \"instrument\":\"MES\",\"side\":\"Buy\",\"quantity\":1,\"type\":{kind}}}"
    );
    held("PlaceOrder", &arguments)
}

fn ticket(market: bool) -> Ticket {
    let call = call(market);
    let judgement = judged(&call, &FLAT.facts(&call), &sim_policy(""));
    let origin = Origin {
        endpoint: "https://service.invalid/mcp".to_owned(),
        client: "Test".to_owned(),
        schema_digest: None,
        policy_digest: "p".to_owned(),
    };
    Ticket::hold(ticket_id([1, 2, 3]), &call, &judgement, origin, NOW)
}

fn click() -> Approval {
    Approval {
        via: "notification".to_owned(),
        tier: Tier::Click,
    }
}

#[test]
fn approved_in_time_sends_the_very_bytes() {
    let mut ticket = ticket(true);
    ticket.show(NOW + 10).unwrap();
    assert_eq!(ticket.deadline(), Some(NOW + 30_010));
    let cleared = ticket.approve(click(), &call(true), NOW + 30_010).unwrap();
    assert_eq!(ticket.state, State::Sending);
    assert_eq!(cleared.digest(), ticket.digest);
    assert_eq!(cleared.tool(), "PlaceOrder");
    let expected = format!(r#"{{"name":"PlaceOrder","arguments":{}}}"#, ticket.arguments_raw);
    assert_eq!(cleared.params(), expected);
    ticket
        .outcome(Outcome::Accepted("{}".to_owned()), NOW + 31_000)
        .unwrap();
    assert_eq!(ticket.state, State::Accepted);
    assert!(ticket.approve(click(), &call(true), NOW + 31_000).is_err());
}

#[test]
fn late_unseen_weak_or_doubled_approvals_are_refused() {
    let mut late = ticket(true);
    late.show(NOW).unwrap();
    assert!(late.approve(click(), &call(true), NOW + 30_001).is_err());
    let mut limit = ticket(false);
    limit.show(NOW).unwrap();
    assert!(limit.approve(click(), &call(false), NOW + 120_001).is_err());
    assert!(limit.approve(click(), &call(false), NOW + 120_000).is_ok());
    assert!(limit.approve(click(), &call(false), NOW + 1).is_err());
    let mut unseen = ticket(true);
    assert!(unseen.approve(click(), &call(true), NOW + 1).is_err());
    let mut weak = ticket(true);
    weak.tier = Tier::Pin;
    weak.show(NOW).unwrap();
    assert!(weak.approve(click(), &call(true), NOW + 1).is_err());
    let policy = Approval {
        via: "policy".to_owned(),
        tier: Tier::Pin,
    };
    assert!(
        weak.approve(policy, &call(true), NOW + 1).is_err(),
        "policy approves in tier click only"
    );
    let mut back = ticket(true);
    back.show(NOW).unwrap();
    assert!(
        back.approve(click(), &call(true), NOW - 1).is_err(),
        "the clock was set back"
    );
}

#[test]
fn a_ticket_waits_for_the_screen_only_so_long() {
    let mut ticket = ticket(true);
    assert!(!ticket.is_overdue(NOW + 60_000));
    assert!(ticket.is_overdue(NOW + 60_001));
    assert!(ticket.show(NOW + 60_001).is_err());
}

#[test]
fn changed_bytes_are_never_cleared() {
    let mut ticket = ticket(true);
    ticket.arguments_raw = ticket.arguments_raw.replace("\"quantity\":1", "\"quantity\":9");
    ticket.show(NOW).unwrap();
    assert!(ticket.call().is_err());
    assert!(ticket.approve(click(), &call(true), NOW + 1).is_err());
    assert_eq!(ticket.state, State::Held);
}

#[test]
fn a_file_rewritten_with_a_fitting_digest_clears_nothing() {
    let forged = held(
        "PlaceOrder",
        &call(true)
            .arguments_raw()
            .replace("\"quantity\":1", "\"quantity\":9"),
    );
    let mut ticket = ticket(true);
    ticket.arguments_raw = forged.arguments_raw().to_owned();
    ticket.digest = forged.digest().to_owned();
    ticket.show(NOW).unwrap();
    assert!(ticket.call().is_ok(), "the file agrees with itself");
    assert!(ticket.approve(click(), &call(true), NOW + 1).is_err());
    assert_eq!(ticket.state, State::Held);
}

#[test]
fn what_did_not_run_is_tried_once_more_and_no_oftener() {
    let mut ticket = ticket(false);
    ticket.show(NOW).unwrap();
    for round in 0..2 {
        let cleared = ticket.approve(click(), &call(false), NOW + 1).unwrap();
        ticket.not_run(cleared.not_run()).unwrap();
        assert_eq!(ticket.state, State::Held, "round {round}");
    }
    assert!(ticket.approve(click(), &call(false), NOW + 1).is_err());
}

/// That it did not run is the service's word where it had left: only then a trace makes the outcome unknown, with the time
/// of that sending.
#[test]
fn what_left_and_was_refused_can_be_doubted() {
    let mut ticket = ticket(false);
    assert!(ticket.doubt("x", NOW).is_err(), "nothing left");
    ticket.show(NOW).unwrap();
    let unsent = ticket.approve(click(), &call(false), NOW + 1).unwrap();
    ticket.not_run(unsent.not_run()).unwrap();
    assert!(ticket.doubt("x", NOW + 2).is_err(), "not a byte left");
    let refused = ticket.approve(click(), &call(false), NOW + 3).unwrap();
    ticket.refused(refused.not_run()).unwrap();
    assert_eq!((ticket.state, ticket.sent_wall), (State::Held, None));
    ticket.doubt("seen", NOW + 9).unwrap();
    assert_eq!((ticket.state, ticket.sent_wall), (State::Unknown, Some(NOW + 3)));
    assert!(ticket.doubt("x", NOW + 10).is_err(), "an end is an end");
    let kept = serde_json::to_string(&ticket).unwrap();
    assert_eq!(serde_json::from_str::<Ticket>(&kept).unwrap(), ticket);
}

#[test]
fn a_call_given_back_belongs_to_its_own_ticket() {
    let (mut one, mut other) = (ticket(true), ticket(true));
    other.id = "ZZZZ".to_owned();
    one.show(NOW).unwrap();
    other.show(NOW).unwrap();
    let from_one = one.approve(click(), &call(true), NOW).unwrap();
    let _from_other = other.approve(click(), &call(true), NOW).unwrap();
    assert!(other.not_run(from_one.not_run()).is_err());
    assert_eq!(other.state, State::Sending);
}

#[test]
fn the_dead_leave_voided_or_unknown() {
    let mut held = ticket(true);
    assert_eq!(held.recover(NOW), Some(State::Voided));
    let mut sending = ticket(true);
    sending.show(NOW).unwrap();
    let _cleared = sending.approve(click(), &call(true), NOW).unwrap();
    assert_eq!(sending.recover(NOW), Some(State::Unknown));
    assert_eq!(sending.recover(NOW), None);
}

#[test]
fn a_ticket_survives_its_file() {
    let mut one = ticket(true);
    one.show(NOW).unwrap();
    let text = serde_json::to_string(&one).unwrap();
    let again: Ticket = serde_json::from_str(&text).unwrap();
    assert_eq!(again, one);
    assert!(text.contains(r#""state":"held""#));
}

#[test]
fn ids_have_no_look_alikes() {
    assert_eq!(ticket_id([0, 0, 0]), "2222");
    assert_eq!(ticket_id([255, 255, 255]), "ZZZZ");
    for random in [[1, 2, 3], [200, 100, 50], [15, 240, 170]] {
        let id = ticket_id(random);
        assert_eq!(id.len(), 4);
        assert!(!id.contains(['0', '1', 'I', 'O']), "{id}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Show,
    Approve(&'static str),
    End(State),
    Outcome(u8),
    Recover,
    GiveBack,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let states = prop_oneof![
        Just(State::Held),
        Just(State::Sending),
        Just(State::Accepted),
        Just(State::Rejected),
        Just(State::Unknown),
        Just(State::Denied),
        Just(State::Expired),
        Just(State::Withdrawn),
        Just(State::Voided),
        Just(State::Tampered),
    ];
    prop_oneof![
        Just(Step::Show),
        prop_oneof![Just("page"), Just("watch"), Just("policy")].prop_map(Step::Approve),
        states.prop_map(Step::End),
        (0_u8..3).prop_map(Step::Outcome),
        Just(Step::Recover),
        Just(Step::GiveBack),
        (0_u64..50_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn any_sequence_clears_at_most_once_and_never_late(steps in prop::collection::vec(step(), 1..60), market: bool) {
        let mut ticket = ticket(market);
        let mut now = NOW;
        let mut cleared: Vec<Cleared> = Vec::new();
        for step in steps {
            let before = ticket.state;
            match step {
                Step::Show => drop(ticket.show(now)),
                Step::Approve(via) => {
                    let approval = Approval { via: via.to_owned(), tier: Tier::Click };
                    if let Ok(one) = ticket.approve(approval, &call(market), now) {
                        prop_assert!(ticket.deadline().is_none_or(|end| now <= end));
                        prop_assert!(now <= NOW + 60_000 || ticket.shown_wall.is_some());
                        cleared.push(one);
                    }
                }
                Step::End(state) => drop(ticket.end(state, "x", now)),
                Step::Outcome(which) => {
                    let outcome = match which {
                        0 => Outcome::Accepted("{}".to_owned()),
                        1 => Outcome::Rejected("{}".to_owned()),
                        _ => Outcome::Unknown("cut".to_owned()),
                    };
                    drop(ticket.outcome(outcome, now));
                }
                Step::Recover => drop(ticket.recover(now)),
                Step::GiveBack => {
                    if let Some(one) = cleared.pop() {
                        let state = ticket.state;
                        // A call given back to a ticket that has ended is spent all the same.
                        prop_assert_eq!(ticket.not_run(one.not_run()).is_ok(), state == State::Sending);
                    }
                }
                Step::Wait(ms) => now += ms,
            }
            prop_assert!(cleared.len() <= 1);
            if before.is_final() {
                prop_assert_eq!(ticket.state, before);
            }
            if ticket.state == State::Held {
                prop_assert!(cleared.is_empty());
            }
        }
    }
}
