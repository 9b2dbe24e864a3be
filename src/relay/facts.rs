//! The state reads of a card, on the read lane: bounded, at once, and cached for a moment.

use crate::gate::facts::{ReadFailure, StateRead};
use crate::gate::{Call, Facts, Policy};
use crate::system::clock::{mono_ms, wall_ms};
use crate::upstream::{Failure, ReadLane, Use};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What one round of reads may take.
pub const BOUND: Duration = Duration::from_millis(1500);
/// How long a read for a new order or its card waits for its turn in the request budget before that: where others use it up, the order
/// is asked about a little later rather than refused for what could not be read.
const TURN: Duration = Duration::from_secs(5);
/// How long an answer about what moves slowly may be used again by the next card.
const FRESH_MS: u64 = 2000;
/// While a card is up, what moves slowly is read anew only this often: with everything every two seconds one card would
/// use up the service's whole request budget (3 a second), and its own reads would be the first to fail.
const SLOW_MS: u64 = 8000;
/// What moves fast: what an order would do hangs on these. They are never older than the call: right after a fill, old
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

/// What a round of reads is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// The first look at a call. What moves fast is read anew.
    First,
    /// The first look at a new order that came at this time (monotonic ms) and may have waited in line: what was read for
    /// another one since then is as fresh as this one could have asked for. Takes the share of new orders.
    InLine(u64),
    /// The card is there already, and only its changes are wanted.
    Again,
    /// The same for a new order's card that nobody has decided on yet: others go first.
    Shown,
}

/// The answers of the last moments.
#[derive(Debug, Default)]
pub struct FactCache {
    kept: Mutex<HashMap<(String, String), Kept>>,
    /// When something was last sent (monotonic ms): a read that began before it, and came after it, counts no more.
    sent: AtomicU64,
}

#[derive(Debug, Clone)]
struct Kept {
    mono: u64,
    wall: u64,
    answer: Result<String, ReadFailure>,
}

impl FactCache {
    /// Reads what this call's card wants.
    ///
    /// The policy may want more than the call by itself: the accounts that its orders are copied to, and the market of
    /// an order that the call names by its id alone.
    pub async fn gather(&self, lane: &ReadLane, call: &Call, policy: &Policy, round: Round) -> Facts {
        let mut facts = Facts::default();
        self.read_into(&mut facts, lane, &policy.reads(call), round).await;
        let more = policy.further_reads(call, &facts);
        self.read_into(&mut facts, lane, &more, round).await;
        facts
    }

    /// Reads what tells whether this call was executed, all of it anew.
    pub async fn look(&self, lane: &ReadLane, call: &Call) -> Facts {
        let mut facts = Facts::default();
        self.read_into(&mut facts, lane, &call.looks(), Round::Again)
            .await;
        facts
    }

    /// Nothing that was read until now counts any more: something was sent.
    pub fn forget(&self) {
        self.sent.store(mono_ms(), Ordering::Relaxed);
        self.map().clear();
    }

    async fn read_into(&self, facts: &mut Facts, lane: &ReadLane, reads: &[StateRead], round: Round) {
        let answers =
            futures_util::future::join_all(reads.iter().map(|read| self.one(lane, read, round))).await;
        for (read, kept) in reads.iter().zip(answers) {
            facts.absorb(read, kept.answer.as_deref().map_err(Clone::clone), kept.wall);
        }
    }

    async fn one(&self, lane: &ReadLane, read: &StateRead, round: Round) -> Kept {
        let key = (read.tool.to_owned(), read.arguments.clone());
        let now = mono_ms();
        let age = match round {
            Round::Again | Round::Shown => SLOW_MS,
            Round::First | Round::InLine(_) => FRESH_MS,
        };
        let kept = self
            .map()
            .get(&key)
            .filter(|kept| now.saturating_sub(kept.mono) <= age && kept.answer.is_ok())
            .cloned();
        let sent = self.sent.load(Ordering::Relaxed);
        let fast = FAST.contains(&read.tool);
        let serves = |kept: &Kept| {
            !fast || matches!(round, Round::InLine(came) if kept.mono >= came && kept.mono > sent)
        };
        if let Some(kept) = kept.filter(serves) {
            return kept;
        }
        let waits = match round {
            Round::InLine(_) => Some(Use::Entry),
            Round::Shown => Some(Use::Shown),
            Round::First | Round::Again => None,
        };
        let mut purpose = Use::Own;
        if let Some(share) = waits {
            if tokio::time::timeout(TURN, lane.turn(share)).await.is_err() {
                return Kept {
                    mono: now,
                    wall: wall_ms(),
                    answer: Err(ReadFailure::TimedOut),
                };
            }
            purpose = Use::Drawn;
        }
        let params = format!(r#"{{"name":"{}","arguments":{}}}"#, read.tool, read.arguments);
        let (mono, wall) = (mono_ms(), wall_ms());
        let answer = match tokio::time::timeout(BOUND, lane.own_for("tools/call", &params, purpose)).await {
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
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
