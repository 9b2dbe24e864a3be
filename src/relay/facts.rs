//! The state reads of a card, on the read lane: bounded, at once, and cached for a moment.

use crate::gate::facts::{ReadFailure, StateRead};
use crate::gate::{Call, Facts};
use crate::system::clock::{mono_ms, wall_ms};
use crate::upstream::{Failure, ReadLane};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What one round of reads may take.
pub const BOUND: Duration = Duration::from_millis(1500);
/// How long an answer may be used again.
const FRESH_MS: u64 = 2000;
/// While a card is up, what moves slowly is read anew only this often: with everything every two seconds one card would
/// use up the service's whole request budget (3 a second), and its own reads would be the first to fail.
const SLOW_MS: u64 = 8000;
/// What moves fast: what an order would do hangs on these.
const FAST: [&str; 6] = ["ListPositions", "GetAllPositions", "ListOrders", "GetAllOrders", "GetOrder", "GetQuote"];

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
    /// Reads what this call's card wants. `fresh` reads anew what is in the cache and may have changed.
    pub async fn gather(&self, lane: &ReadLane, call: &Call, fresh: bool) -> Facts {
        let reads = call.reads();
        let answers = futures_util::future::join_all(reads.iter().map(|read| self.one(lane, read, fresh))).await;
        let mut facts = Facts::default();
        for (read, kept) in reads.iter().zip(answers) {
            facts.absorb(read, kept.answer.as_deref().map_err(Clone::clone), kept.wall);
        }
        facts
    }

    async fn one(&self, lane: &ReadLane, read: &StateRead, fresh: bool) -> Kept {
        let key = (read.tool.to_owned(), read.arguments.clone());
        let now = mono_ms();
        let age = match (fresh, FAST.contains(&read.tool)) {
            (true, true) => None,
            (true, false) => Some(SLOW_MS),
            (false, _) => Some(FRESH_MS),
        };
        let kept = age.and_then(|age| self.map().get(&key).filter(|kept| now.saturating_sub(kept.mono) <= age).cloned());
        // A read that failed is tried again as soon as it may be.
        if let Some(kept) = kept.filter(|kept| !fresh || kept.answer.is_ok()) {
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
