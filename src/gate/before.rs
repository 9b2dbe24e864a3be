//! What was there before a call was sent, as far as a later look needs it to tell its trace from what is older.
//!
//! Owns: which facts are kept beside a ticket that is being sent. Refuses to know: files, and what a look concludes. It is
//! written with the ticket, so that the next process can look as well as the one that sent.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use serde::{Deserialize, Serialize};

use super::{Call, Facts, seen};

/// More orders than this are not kept: then nothing that a look finds is told as this call's.
const MAX_ORDERS: usize = 2_000;
/// More positions than this are not kept.
const MAX_POSITIONS: usize = 500;

/// Orders and positions in the call's reach before it was sent; `None` where they were not read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// All orders, finished ones included.
    pub orders: Option<Vec<Known>>,
    /// All open positions.
    pub positions: Option<Vec<Held>>,
}

/// An order that was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// It was working, and the call aims at it (a cancel of several).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aimed: bool,
    /// It was already as the call wants it (a change, a cancel).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_asked: bool,
}

/// A position that was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The account, lower case.
    pub account: String,
    /// The instrument's name as the service spells it.
    pub name: String,
    /// Contracts: above zero long, below zero short.
    pub quantity: i64,
}

impl Before {
    /// What these facts say of the time before this call is sent.
    pub fn of(call: &Call, facts: &Facts) -> Self {
        let orders = facts.orders.known().map(|orders| {
            let named = facts
                .order
                .known()
                .filter(|one| !orders.iter().any(|order| order.id == one.id));
            orders
                .iter()
                .chain(named)
                .map(|order| Known {
                    id: order.id.clone(),
                    aimed: order.working && seen::aims_at(call, order),
                    as_asked: seen::is_as_asked(call, order),
                })
                .collect::<Vec<_>>()
        });
        let positions = facts.positions.known().map(|positions| {
            positions
                .iter()
                .map(|position| Held {
                    account: position.account.clone(),
                    name: position.name.clone(),
                    quantity: position.quantity,
                })
                .collect::<Vec<_>>()
        });
        Self {
            orders: orders.filter(|orders| orders.len() <= MAX_ORDERS),
            positions: positions.filter(|positions| positions.len() <= MAX_POSITIONS),
        }
    }

    pub(super) fn order(&self, id: &str) -> Option<&Known> {
        self.orders.as_ref()?.iter().find(|known| known.id == id)
    }
}
