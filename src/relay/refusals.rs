//! Refused calls: in the journal one by one as long as they are few, counted where a client floods; and which entries were
//! just stopped by a brake, so that their like needs no look.
//!
//! Owns: how many lines refusals may take, and how long a brake is remembered. A refusal has no effect that a line must precede, and a journal of a million
//! lines would hide the few that matter.

use super::{Relay, lock, outcomes};
use crate::gate::Call;
use crate::gate::value::Side;
use crate::system::clock::mono_ms;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Refusals that are written one by one within [`SPAN`]; more are counted. A person who reads the journal learns no more
/// from the twenty-first.
const WRITTEN: u32 = 20;
/// The span of a count.
const SPAN: Duration = Duration::from_secs(60);

/// How long (ms) a brake that stopped an entry stops its like without a look at the account. Only market and limit orders
/// of `PlaceOrder` are ever stopped so; what closes a position by its own tool, and every stop, is always looked at.
const REMEMBERED_MS: u64 = 20_000;
/// How long (ms) a state that could not be read counts as unread for the like of that order.
const UNREAD_MS: u64 = 3000;
/// More kinds of entries than this are not told apart: then all are looked at again.
const MOST: usize = 64;

/// What is counted at present.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Counted>, Mutex<HashMap<Like, (u64, Stopped)>>);

/// What stopped an entry after a look at it.
#[derive(Debug, Clone)]
pub(super) enum Stopped {
    /// A brake, at this time (wall ms).
    Braked(u64),
    /// The account's state could not be read: the code and the reason.
    Unread(&'static str, String),
}

/// Entries that are alike: where one opens, so do the others, as long as nothing happens there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Like {
    account: Option<String>,
    root: Option<String>,
    side: Option<Side>,
}

impl Like {
    pub(super) fn of(call: &Call) -> Self {
        Self {
            account: call.account().map(str::to_owned),
            root: call.instrument_root().map(str::to_owned),
            side: call.fields().side,
        }
    }

    #[cfg(test)]
    pub(super) fn named(account: &str) -> Self {
        Self {
            account: Some(account.to_owned()),
            root: None,
            side: None,
        }
    }
}

#[derive(Debug, Default)]
struct Counted {
    /// When the span began (monotonic ms); `None` before the first.
    since: Option<u64>,
    written: u32,
    more: BTreeMap<&'static str, u64>,
}

enum Take {
    Write,
    Count,
    /// The first that is only counted: somebody must write the count in the end.
    CountFirst,
}

impl Refusals {
    /// An entry was looked at and stopped at this time (monotonic ms).
    pub(super) fn stop(&self, like: Like, mono: u64, why: Stopped) {
        let mut stopped = lock(&self.1);
        if stopped.len() >= MOST {
            stopped.clear();
        }
        stopped.insert(like, (mono, why));
    }

    /// What last stopped the like of it, where that is not long ago.
    pub(super) fn stopped(&self, like: &Like, mono: u64) -> Option<Stopped> {
        let (then, why) = lock(&self.1).get(like).cloned()?;
        let remembered = match why {
            Stopped::Braked(_) => REMEMBERED_MS,
            Stopped::Unread(..) => UNREAD_MS,
        };
        (mono.saturating_sub(then) <= remembered).then_some(why)
    }

    fn take(&self, code: &'static str, now: u64) -> Take {
        let mut counted = lock(&self.0);
        let span = u64::try_from(SPAN.as_millis()).unwrap_or(u64::MAX);
        // A count that is not written yet goes on.
        if counted.more.is_empty()
            && counted
                .since
                .is_none_or(|since| now.saturating_sub(since) >= span)
        {
            (counted.since, counted.written) = (Some(now), 0);
        }
        if counted.written < WRITTEN {
            counted.written += 1;
            return Take::Write;
        }
        let first = counted.more.is_empty();
        *counted.more.entry(code).or_default() += 1;
        if first { Take::CountFirst } else { Take::Count }
    }

    fn counted(&self) -> Map<String, Value> {
        let more = std::mem::take(&mut lock(&self.0).more);
        more.into_iter()
            .map(|(code, count)| (code.to_owned(), count.into()))
            .collect()
    }
}

/// Writes a refusal down.
pub(super) async fn note(relay: &Arc<Relay>, tool: &str, digest: &str, code: &'static str, reason: &str) {
    match relay.refusals.take(code, mono_ms()) {
        Take::Write => {
            let fields = [
                ("tool", tool.into()),
                ("digest", digest.into()),
                ("code", code.into()),
                ("reason", reason.into()),
            ];
            outcomes::note(relay, "refused", &fields).await;
        }
        Take::CountFirst => {
            let (relay, tracker) = (Arc::clone(relay), relay.tasks.clone());
            tracker.spawn(async move {
                tokio::select! {
                    () = relay.ending.cancelled() => {}
                    () = tokio::time::sleep(SPAN) => {}
                }
                let more = relay.refusals.counted();
                outcomes::note(&relay, "refused", &[("more", more.into())]).await;
            });
        }
        Take::Count => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_begins_anew_after_its_span() {
        let refusals = Refusals::default();
        let mut lines = 0;
        for n in 0..500 {
            match refusals.take(if n % 2 == 0 { "paused" } else { "too_many_open" }, n) {
                Take::Write => lines += 1,
                Take::CountFirst => assert_eq!(n, u64::from(WRITTEN)),
                Take::Count => {}
            }
        }
        assert_eq!(lines, WRITTEN);
        let counted = refusals.counted();
        assert_eq!(counted["paused"], 240);
        assert_eq!(counted["too_many_open"], 240);
        assert!(matches!(refusals.take("paused", 59_000), Take::CountFirst));
        refusals.counted();
        assert!(matches!(refusals.take("paused", 60_000), Take::Write));
    }
}
