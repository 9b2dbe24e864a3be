//! What was sent: the orders that limits per minute, per day and for twins look back on.
//!
//! Owns: the record and how it is counted. Refuses to know: policy, files, the clock. A clock that is set back never frees
//! a limit: what seems to lie in the future counts as just now.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use serde::{Deserialize, Serialize};

use crate::gate::Millis;
use crate::gate::judge::Entry;

const HOUR: Millis = 60 * 60_000;
/// What is older can count for no limit: the longest day, with room for a clock that was wrong for a week.
const KEPT_FOR: Millis = 9 * 24 * HOUR;
/// The most orders that are kept, above the largest limit per day that a policy can set.
const KEPT: usize = 2_000;
/// A clock that runs ahead by more than this was wrong, and that is said.
const AHEAD: Millis = HOUR;
/// How long a ticket's own order is told apart from others by its id. Ids are short and come again; a ticket lives for
/// minutes.
const OWN: Millis = HOUR;

/// One order that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SentOrder {
    /// When, by the wall clock.
    at: Millis,
    /// Its ticket; empty in a record of the first form.
    ticket: String,
    /// The accounts that it reached or was copied to, in lower case; none means that it may have been any.
    accounts: Vec<String>,
    /// Contracts; `None` where nobody could say.
    quantity: Option<u32>,
    /// What makes two orders the same; empty where nothing does.
    twin: String,
}

/// How many and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Orders.
    pub orders: u32,
    /// Their contracts, where all are known.
    pub contracts: Option<u64>,
    /// Whether any of them was sent while the clock was ahead of now.
    pub ahead: bool,
}

/// The record, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct SentOrders(Vec<SentOrder>);

impl SentOrders {
    /// Takes in times of a record of the first form: of unknown account and size.
    pub(super) fn from_times(times: &[Millis]) -> Self {
        let one = |at: &Millis| SentOrder {
            at: *at,
            ticket: String::new(),
            accounts: Vec::new(),
            quantity: None,
            twin: String::new(),
        };
        Self(times.iter().map(one).collect())
    }

    /// Writes down an order. The same ticket counts once, also when it is tried a second time.
    pub(super) fn note(&mut self, ticket: &str, entry: &Entry, now_wall: Millis) {
        self.forget(ticket, now_wall);
        self.0
            .retain(|order| now_wall.saturating_sub(order.at) < KEPT_FOR);
        self.0.push(SentOrder {
            at: now_wall,
            ticket: ticket.to_owned(),
            accounts: entry.accounts.clone(),
            quantity: entry.quantity,
            twin: entry.twin.clone(),
        });
        let over = self.0.len().saturating_sub(KEPT);
        self.0.drain(..over);
    }

    /// Leaves out what this ticket wrote down: it must not stand in its own way, and what provably did not run was no
    /// order.
    pub(super) fn forget(&mut self, ticket: &str, now_wall: Millis) {
        self.0
            .retain(|order| order.ticket != ticket || now_wall.abs_diff(order.at) > OWN);
    }

    /// What was sent since then for this account, or for all.
    pub(super) fn since(&self, since: Millis, account: Option<&str>, now_wall: Millis) -> Count {
        let mut count = Count {
            contracts: Some(0),
            ..Count::default()
        };
        for order in self
            .0
            .iter()
            .filter(|order| order.at >= since && order.may_be(account))
        {
            count.orders = count.orders.saturating_add(1);
            count.contracts = count
                .contracts
                .zip(order.quantity)
                .map(|(sum, own)| sum.saturating_add(u64::from(own)));
            count.ahead |= order.at.saturating_sub(now_wall) > AHEAD;
        }
        count
    }

    /// How long ago the same order was sent for this account last, in milliseconds.
    pub(super) fn last_twin(&self, twin: &str, account: Option<&str>, now_wall: Millis) -> Option<Millis> {
        let same = |order: &&SentOrder| !twin.is_empty() && order.twin == twin && order.may_be(account);
        let ages = self
            .0
            .iter()
            .filter(same)
            .map(|order| now_wall.saturating_sub(order.at));
        ages.min()
    }
}

impl SentOrder {
    fn may_be(&self, account: Option<&str>) -> bool {
        account
            .is_none_or(|account| self.accounts.is_empty() || self.accounts.iter().any(|own| own == account))
    }
}
