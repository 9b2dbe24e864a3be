//! What a ticket keeps of long texts once it has ended, what its id is made of, and how long it stands by itself.

use super::*;
use crate::gate::card::{CardContext, FreeText, card};

/// Long texts go only from a ticket of which nothing was sent and nothing will be.
#[test]
fn only_a_ticket_that_ended_unsent_lets_go_of_long_texts() {
    let long = |bytes: usize| {
        let mut ticket = ticket(true);
        ticket.arguments_raw = "x".repeat(bytes);
        let call = call(true);
        let judgement = judged(&call, &FLAT.facts(&call), &sim_policy(""));
        let context = CardContext {
            ticket: "7QK4",
            client: "c",
            phrase: None,
            now_wall: NOW,
        };
        let mut card = card(&call, &FLAT.facts(&call), &judgement, &sim_policy(""), &context);
        card.free_text = Some(FreeText {
            title: "source code".to_owned(),
            text: "y".repeat(bytes),
            sha256: "d".to_owned(),
            bytes,
        });
        ticket.card = Some(card);
        ticket
    };
    let kept = |ticket: &Ticket| {
        let free = ticket.card.as_ref().and_then(|card| card.free_text.as_ref());
        (ticket.arguments_raw.len(), free.map_or(0, |free| free.text.len()))
    };
    for (bytes, left) in [(16_384, 16_384), (16_385, 0), (20_000, 0)] {
        let mut ended = long(bytes);
        ended.end(State::Denied, "no", NOW).unwrap();
        assert_eq!(kept(&ended), (left, left), "{bytes}");
        // What is open may still be shown and sent, and of what was sent everything is on record.
        let mut open = long(bytes);
        open.lighten();
        assert_eq!(kept(&open), (bytes, bytes));
        let mut sent = long(bytes);
        sent.state = State::Rejected;
        sent.sent_wall = Some(NOW);
        sent.lighten();
        assert_eq!(kept(&sent), (bytes, bytes));
        let mut sending = long(bytes);
        sending.state = State::Sending;
        sending.sent_wall = Some(NOW);
        sending.lighten();
        assert_eq!(kept(&sending), (bytes, bytes));
    }
}

/// Every one of the twenty bits of an id tells tickets apart.
#[test]
fn every_bit_of_an_id_counts() {
    let mut ids: Vec<String> = (0..20)
        .map(|bit| {
            let [_, high, middle, low] = (1_u32 << bit).to_be_bytes();
            ticket_id([high, middle, low])
        })
        .collect();
    ids.push(ticket_id([0, 0, 0]));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 21, "{ids:?}");
    assert!(ids.iter().all(|id| id.len() == 4));
}

/// A ticket of a file that does not say how long it stands has the usual time of its kind.
#[test]
fn a_ticket_without_a_time_of_its_own_has_the_usual_one() {
    for (market, usual) in [(true, 30_000), (false, 120_000)] {
        let mut ticket = ticket(market);
        ticket.open_for = None;
        ticket.show(NOW).unwrap();
        assert_eq!(ticket.deadline(), Some(NOW + usual), "{market}");
    }
}
