//! The request budget: `CrossTrade` grants 3 requests a second with a burst of 20 to one user, over all programs.
//! All our processes draw from one bucket, kept in a small file under a lock.

use crate::system::{FileLock, Paths, clock, file};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// What a request is for: the client's reads leave a rest of the bucket to orders and cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A request of the client.
    Client,
    /// A read for a card, a lifecycle request, or an approved order.
    Own,
    /// A read for a new order of the client that nobody has been asked about yet: a flood of them gets half at most.
    Entry,
    /// A read that keeps the card of a new order up to date while the person looks at it.
    Shown,
    /// A request whose turn was drawn before ([`Budget::turn`]).
    Drawn,
}

/// Requests that the client's reads leave in the bucket.
const KEPT: f64 = 5.0;
/// Requests that reads for new orders, and for their cards, leave: an exit's reads and an approved order go first.
const KEPT_FROM_ENTRIES: f64 = 2.0;
/// What reads for new orders may take of all requests, over time.
const SHARE: f64 = 0.5;
/// What they may take at once, as a part of the burst: two looks at an order in the account's state.
const SHARE_AT_ONCE: f64 = 0.75;
/// How often (ms) one read of the clients may go below that rest, so that cards and new orders do not starve them.
const CLIENT_EVERY_MS: u64 = 700;
/// What it leaves even then: an exit's reads and an approved order go first.
const KEPT_AT_LEAST: f64 = 1.0;
/// How long one turn at the file may take before the request goes on without it.
const TURN: Duration = Duration::from_millis(500);

/// The shared bucket.
#[derive(Debug, Clone)]
pub struct Budget {
    file: PathBuf,
    lock: PathBuf,
    per_second: f64,
    burst: f64,
}

#[derive(Serialize, Deserialize)]
struct Bucket {
    tokens: f64,
    /// What reads for new orders have left of their share; a file without it gives them all of it.
    #[serde(default = "whole")]
    entries: f64,
    at: u64,
    /// When the last read of a client went.
    #[serde(default)]
    client: u64,
}

/// More than any share: cut to the share where it is used.
fn whole() -> f64 {
    f64::from(u16::MAX)
}

impl Budget {
    /// The bucket of this installation. `per_second` of 0 means no budget (another server than `CrossTrade`'s).
    pub fn new(paths: &Paths, per_second: f64, burst: f64) -> Self {
        Self {
            file: paths.budget(),
            lock: paths.lock("budget.lock"),
            per_second,
            burst,
        }
    }

    /// Waits for a request's turn. A budget that cannot be kept (a full disk) is no reason to refuse a read: the
    /// service's own limit still stands.
    pub async fn turn(&self, purpose: Use) {
        if self.per_second <= 0.0 || purpose == Use::Drawn {
            return;
        }
        loop {
            match self.draw(purpose).await {
                Ok(None) | Err(_) => return,
                Ok(Some(wait)) => tokio::time::sleep(wait).await,
            }
        }
    }

    async fn draw(&self, purpose: Use) -> std::io::Result<Option<Duration>> {
        let _turn = FileLock::take(&self.lock, TURN).await?;
        let now = clock::wall_ms();
        let kept: Option<Bucket> =
            file::read_text(&self.file, 1024)?.and_then(|text| serde_json::from_str(&text).ok());
        let mut bucket = kept.unwrap_or(Bucket {
            tokens: self.burst,
            entries: whole(),
            at: now,
            client: 0,
        });
        #[expect(clippy::cast_precision_loss, reason = "a span of milliseconds is small")]
        let passed = now.saturating_sub(bucket.at) as f64 / 1000.0;
        // A clock that was set back must not lock the bucket for the time it was set back by.
        bucket.tokens = passed.mul_add(self.per_second, bucket.tokens).min(self.burst);
        let (rate, most) = (self.per_second * SHARE, self.burst * SHARE_AT_ONCE);
        bucket.entries = passed.mul_add(rate, bucket.entries).min(most);
        bucket.at = now;
        let floor = match purpose {
            Use::Client => KEPT,
            Use::Entry | Use::Shown => KEPT_FROM_ENTRIES,
            Use::Own | Use::Drawn => 0.0,
        };
        let mut wait = (1.0 + floor - bucket.tokens) / self.per_second;
        match purpose {
            Use::Entry => wait = wait.max((1.0 - bucket.entries) / rate),
            Use::Client => {
                // After a clock that was set back nothing went in the future.
                bucket.client = bucket.client.min(now);
                let due = CLIENT_EVERY_MS.saturating_sub(now.saturating_sub(bucket.client));
                let due = Duration::from_millis(due).as_secs_f64();
                wait = wait.min(due.max((1.0 + KEPT_AT_LEAST - bucket.tokens) / self.per_second));
            }
            Use::Own | Use::Shown | Use::Drawn => {}
        }
        if wait <= 0.0 {
            bucket.tokens -= 1.0;
            match purpose {
                Use::Entry => bucket.entries -= 1.0,
                Use::Client => bucket.client = now,
                Use::Own | Use::Shown | Use::Drawn => {}
            }
        }
        // No sync: after a crash a full bucket is a fair guess.
        std::fs::write(&self.file, serde_json::to_string(&bucket)?)?;
        Ok((wait > 0.0).then(|| Duration::from_secs_f64(wait.clamp(0.01, 10.0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_leaves_five_for_orders() {
        let folder = tempfile::tempdir().unwrap();
        let budget = Budget::new(&Paths::under(folder.path()), 3.0, 20.0);
        for _ in 0..15 {
            assert_eq!(budget.draw(Use::Client).await.unwrap(), None);
        }
        assert!(budget.draw(Use::Client).await.unwrap().is_some());
        for _ in 0..5 {
            assert_eq!(budget.draw(Use::Own).await.unwrap(), None);
        }
        assert!(budget.draw(Use::Own).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn reads_for_new_orders_take_no_more_than_their_share() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let budget = Budget::new(&paths, 3.0, 20.0);
        for _ in 0..15 {
            assert_eq!(budget.draw(Use::Entry).await.unwrap(), None);
        }
        assert!(budget.draw(Use::Entry).await.unwrap().is_some());
        for _ in 0..5 {
            assert_eq!(budget.draw(Use::Own).await.unwrap(), None);
        }
        // Ten seconds later: thirty have come, of which fifteen are theirs; the client gets its ten and leaves five.
        let then = clock::wall_ms() - 10_000;
        let kept = format!(r#"{{"tokens":0.0,"entries":0.0,"at":{then}}}"#);
        std::fs::write(paths.budget(), &kept).unwrap();
        for _ in 0..15 {
            assert_eq!(budget.draw(Use::Client).await.unwrap(), None);
        }
        assert!(budget.draw(Use::Client).await.unwrap().is_some());
        for _ in 0..3 {
            assert_eq!(budget.draw(Use::Entry).await.unwrap(), None);
        }
        assert!(budget.draw(Use::Entry).await.unwrap().is_some());
        assert_eq!(budget.draw(Use::Own).await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_gets_a_turn_now_and_then_whatever_else_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let budget = Budget::new(&paths, 3.0, 20.0);
        // The file and its folder.
        assert_eq!(budget.draw(Use::Own).await.unwrap(), None);
        let keep = |tokens: f64| {
            let kept = format!(r#"{{"tokens":{tokens:?},"at":{},"client":0}}"#, clock::wall_ms());
            std::fs::write(paths.budget(), kept).unwrap();
        };
        keep(2.5);
        assert_eq!(budget.draw(Use::Client).await.unwrap(), None);
        let wait = budget.draw(Use::Client).await.unwrap().unwrap();
        assert!(wait <= Duration::from_millis(CLIENT_EVERY_MS), "{wait:?}");
        // The last one is left to an order.
        keep(1.0);
        assert!(budget.draw(Use::Client).await.unwrap().is_some());
        assert_eq!(budget.draw(Use::Own).await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_of_an_earlier_version_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let budget = Budget::new(&paths, 3.0, 20.0);
        assert_eq!(budget.draw(Use::Own).await.unwrap(), None);
        std::fs::write(paths.budget(), r#"{"tokens":0.0,"at":99999999999999}"#).unwrap();
        assert!(budget.draw(Use::Own).await.unwrap().is_some());
    }
}
