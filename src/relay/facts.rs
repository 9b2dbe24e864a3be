//! The state reads of a card, on the read lane: bounded, at once, and cached for a moment.

use crate::gate::facts::{ReadFailure, StateRead};
use crate::gate::{Call, Facts, Policy};
use crate::system::clock::{mono_ms, wall_ms};
use crate::upstream::{Failure, ReadLane};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What one round of reads may take.
pub const BOUND: Duration = Duration::from_millis(1500);
/// How long an answer about what moves slowly may be used again by the next card.
const FRESH_MS: u64 = 2000;
/// While a card is up, what moves slowly is read anew only this often: with everything every two seconds one card would
/// use up the service's whole request budget (3 a second), and its own reads would be the first to fail.
const SLOW_MS: u64 = 8000;
/// What moves fast: what an order would do hangs on these. They are never taken from the cache: right after a fill, old
/// positions would make a protective stop look like an entry.
const FAST: [&str; 7] = [
    "ListPositions",
    "GetAllPositions",
    "ListOrders",
    "GetAllOrders",
    "GetOrder",
    "GetQuote",
    "ListExecutions",
];

/// The answers of the last moments.
#[derive(Debug, Default)]
pub struct FactCache(Mutex<HashMap<(String, String), Kept>>);

#[derive(Debug, Clone)]
struct Kept {
    mono: u64,
    wall: u64,
    answer: Result<String, ReadFailure>,
}

impl FactCache {
    /// Reads what this call's card wants; `again` where the card is there already, and only its changes are wanted.
    ///
    /// The policy may want more than the call by itself: the accounts that its orders are copied to, and the market of
    /// an order that the call names by its id alone.
    pub async fn gather(&self, lane: &ReadLane, call: &Call, policy: &Policy, again: bool) -> Facts {
        let mut facts = Facts::default();
        self.read_into(&mut facts, lane, &policy.reads(call), again).await;
        let more = policy.further_reads(call, &facts);
        self.read_into(&mut facts, lane, &more, again).await;
        facts
    }

    /// Reads what tells whether this call was executed, all of it anew.
    pub async fn look(&self, lane: &ReadLane, call: &Call) -> Facts {
        let mut facts = Facts::default();
        self.read_into(&mut facts, lane, &call.looks(), true).await;
        facts
    }

    /// Nothing that was read until now counts any more: something was sent.
    pub fn forget(&self) {
        self.map().clear();
    }

    async fn read_into(&self, facts: &mut Facts, lane: &ReadLane, reads: &[StateRead], again: bool) {
        let answers =
            futures_util::future::join_all(reads.iter().map(|read| self.one(lane, read, again))).await;
        for (read, kept) in reads.iter().zip(answers) {
            facts.absorb(read, kept.answer.as_deref().map_err(Clone::clone), kept.wall);
        }
    }

    async fn one(&self, lane: &ReadLane, read: &StateRead, again: bool) -> Kept {
        let key = (read.tool.to_owned(), read.arguments.clone());
        let now = mono_ms();
        let age = if again { SLOW_MS } else { FRESH_MS };
        let kept = self
            .map()
            .get(&key)
            .filter(|kept| now.saturating_sub(kept.mono) <= age && kept.answer.is_ok())
            .cloned();
        if let Some(kept) = kept.filter(|_| !FAST.contains(&read.tool)) {
            return kept;
        }
        let params = format!(r#"{{"name":"{}","arguments":{}}}"#, read.tool, read.arguments);
        let (mono, wall) = (mono_ms(), wall_ms());
        let answer = match tokio::time::timeout(BOUND, lane.own("tools/call", &params)).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(Failure::NotConnected)) => Err(ReadFailure::NotConnected),
            Ok(Err(failure)) => Err(ReadFailure::Failed(failure.to_string())),
            Err(_) => Err(ReadFailure::TimedOut),
        };
        let kept = Kept { mono, wall, answer };
        let mut map = self.map();
        map.retain(|_, kept| now.saturating_sub(kept.mono) <= SLOW_MS);
        map.insert(key, kept.clone());
        kept
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
