//! Files of the state folder, which other programs of the user can write to.

use crate::calls::NOW;
use countersign::gate::ticket::{Approval, State, Ticket};
use countersign::gate::value::sha256;
use countersign::gate::{Class, Counters, Policy, Tier};
use countersign::journal;
use serde_json::Value;

/// A policy: understood whole, or refused with a place in the text.
pub fn policy(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    match Policy::parse(text) {
        Ok(policy) => {
            assert_eq!(policy.digest().len(), 64);
            assert_eq!(
                Policy::parse(text).map(|again| again.digest().to_owned()),
                Ok(policy.digest().to_owned())
            );
            for account in ["sim101", "pa-1", ""] {
                assert_eq!(policy.tier_for(Some(account), Tier::Passkey), Tier::Passkey);
                let _ = (policy.blocked(Some(account)), policy.class_of(account));
            }
        }
        Err(error) => {
            assert!(!error.reason.is_empty());
            let lines = text.split('\n').count();
            assert!(
                error.line >= 1 && error.line <= lines,
                "line {} of {lines}",
                error.line
            );
            let line = text.split('\n').nth(error.line - 1).unwrap_or_default();
            assert!(
                error.column >= 1 && error.column <= line.chars().count() + 1,
                "column {} of {line:?}",
                error.column
            );
        }
    }
}

/// The counters: what cannot be read brakes every entry, for ever.
pub fn counters(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let mut counters = Counters::parse(Some(text));
    let brake = |counters: &Counters, now| counters.brake(Class::Order, true, 0, now);
    if serde_json::from_str::<Value>(text).is_err() {
        assert!(counters.is_exhausted());
    }
    for now in [0, NOW, u64::MAX] {
        assert!(!counters.is_exhausted() || brake(&counters, now).is_some());
        assert_eq!(
            counters.brake(Class::Exit, false, 99, now),
            None,
            "an exit is braked"
        );
        let _ = counters.paused_until(now);
    }
    assert_eq!(Counters::parse(Some(&counters.text())).text(), counters.text());
    counters.note_ask_for(Class::Order, true, NOW);
    counters.note_denied(NOW);
    counters.note_unanswered(NOW);
    assert_eq!(Counters::parse(Some(&counters.text())).text(), counters.text());
}

/// A ticket's file: whatever it says, it clears nothing but the very call that it names.
pub fn ticket(data: &[u8]) {
    let Ok(mut ticket) = serde_json::from_slice::<Ticket>(data) else {
        return;
    };
    let text = serde_json::to_string(&ticket).unwrap_or_default();
    assert_eq!(serde_json::from_str::<Ticket>(&text).ok().as_ref(), Some(&ticket));
    let _ = (
        ticket.deadline(),
        ticket.is_overdue(0),
        ticket.is_overdue(u64::MAX),
    );
    let Ok(call) = ticket.call() else { return };
    assert!(ticket.is_about(&call));
    let (held, market) = (ticket.state == State::Held, ticket.market);
    let approval = Approval {
        via: "page".to_owned(),
        tier: Tier::Passkey,
    };
    let _ = ticket.show(NOW);
    match ticket.approve(approval, &call, NOW) {
        Ok(cleared) => {
            assert!(held && market == call.is_market());
            assert_eq!(
                (cleared.digest(), cleared.ticket()),
                (call.digest(), ticket.id.as_str())
            );
            assert_eq!(ticket.state, State::Sending);
        }
        Err(illegal) => assert_eq!(illegal.from, ticket.state),
    }
    let open = ticket.state.is_open();
    assert_eq!(ticket.recover(NOW).is_some(), open);
    assert!(ticket.state.is_final());
}

/// The journal: where nothing is found wrong, every byte of every line is what its hash and the next line stand for.
pub fn journal(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let verdict = journal::verify(text.as_bytes());
    assert!(verdict.is_ok(), "memory can be read to its end");
    let Ok(verdict) = verdict else { return };
    let entries: Vec<journal::Entry> = journal::entries(text.as_bytes()).filter_map(Result::ok).collect();
    assert!(verdict.lines <= entries.len());
    assert!(
        verdict
            .faults
            .iter()
            .all(|fault| fault.line >= 1 && fault.line <= text.lines().count())
    );
    // A torn line is vouched for by length and digest, which this second reader does not know.
    if !verdict.faults.is_empty() || verdict.torn > 0 {
        return;
    }
    let mut prev = journal::GENESIS.to_owned();
    let mut built = String::new();
    for (n, entry) in entries.iter().enumerate() {
        let line = text.lines().nth(n).unwrap_or_default();
        let body = line.split(",\"hash\":\"").next().unwrap_or_default();
        let own = sha256(&[body.as_bytes()]);
        assert_eq!(
            entry.object.get("n").and_then(Value::as_u64),
            u64::try_from(n).ok()
        );
        assert_eq!(
            entry.object.get("prev").and_then(Value::as_str),
            Some(prev.as_str())
        );
        assert_eq!(
            entry.object.get("hash").and_then(Value::as_str),
            Some(own.as_str())
        );
        built.push_str(&[body, ",\"hash\":\"", &own, "\"}\n"].concat());
        prev = own;
    }
    assert_eq!(verdict.head, prev);
    assert_eq!(
        built.trim_end_matches('\n'),
        text.trim_end_matches('\n'),
        "more than the hashes stand for"
    );
}
