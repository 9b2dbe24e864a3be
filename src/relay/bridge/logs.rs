//! The log messages that clients without a handshake ask for with a request (2026-07-28), at a service of the older era: there a
//! session has one level, and messages may come beside the answer.
//!
//! Owns: the level of each session, set when the first request asks for it, and whether a message that belongs to no request is
//! wanted by one. Refuses to know: what is in a message.

use crate::relay::era::{self, Said};
use crate::relay::link::Link;
use crate::relay::lock;
use crate::system::clock::mono_ms;
use crate::upstream::{Failure, ReadLane, Use};
use std::sync::Mutex;

/// How long (ms) after its answer a request's log messages may come: services send them on their standing stream, beside it.
const AFTER: u64 = 1000;

/// The levels of all sessions of a connection.
#[derive(Debug, Default)]
pub(in crate::relay) struct Logs(Mutex<Vec<OfLane>>);

/// One lane: what is set in its session is told to the next one.
#[derive(Debug)]
struct OfLane {
    lane: ReadLane,
    /// The most talkative level that was set there. It is not raised again: what a request did not ask for is left out here.
    set: Option<usize>,
    /// What the requests that run ask for.
    wanted: Vec<usize>,
    /// What the last request that was answered asked for, and when that was (monotonic ms).
    last: Option<(usize, u64)>,
}

/// A request that asks for log messages of this level.
pub(super) struct Wanting<'l> {
    logs: &'l Logs,
    lane: ReadLane,
    level: usize,
}

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.logs.at(&self.lane, |of| {
            if let Some(at) = of.wanted.iter().position(|level| *level == self.level) {
                of.wanted.swap_remove(at);
            }
            of.last = Some((self.level, mono_ms()));
        });
    }
}

impl Logs {
    fn at<T>(&self, lane: &ReadLane, does: impl FnOnce(&mut OfLane) -> T) -> T {
        let mut all = lock(&self.0);
        if let Some(of) = all.iter_mut().find(|of| of.lane.is(lane)) {
            return does(of);
        }
        let mut new = OfLane {
            lane: lane.clone(),
            set: None,
            wanted: Vec::new(),
            last: None,
        };
        let done = does(&mut new);
        all.push(new);
        done
    }

    /// Whether somebody without a handshake wants a message of this level that came in a session of this lane and belongs to
    /// no request.
    pub(in crate::relay) fn wants(&self, lane: &ReadLane, level: &str) -> bool {
        self.at(lane, |of| {
            let late = of.last.filter(|(_, at)| mono_ms().saturating_sub(*at) <= AFTER);
            let mut least = of.wanted.iter().copied().chain(late.map(|(level, _)| level));
            least.any(|least| era::is_wanted(level, Some(least)))
        })
    }

    /// While this is held, and shortly after, what the request asks for is passed on.
    fn wanting(&self, lane: &ReadLane, level: usize) -> Wanting<'_> {
        self.at(lane, |of| of.wanted.push(level));
        Wanting {
            logs: self,
            lane: lane.clone(),
            level,
        }
    }

    /// What notes that the session is told to say more than so far, where it must be.
    fn setting(&self, lane: &ReadLane, level: usize) -> Option<Setting<'_>> {
        let before = self.at(lane, |of| {
            let more = of.set.is_none_or(|set| level < set);
            more.then(|| of.set.replace(level))
        })?;
        Some(Setting {
            logs: self,
            lane: lane.clone(),
            level,
            before,
            told: false,
        })
    }
}

/// A level that the session is being told.
struct Setting<'l> {
    logs: &'l Logs,
    lane: ReadLane,
    level: usize,
    before: Option<usize>,
    told: bool,
}

impl Drop for Setting<'_> {
    fn drop(&mut self) {
        // It failed, or its request was taken back: the next one that asks for it sets it.
        if !self.told {
            self.logs.at(&self.lane, |of| {
                if of.set == Some(self.level) {
                    of.set = self.before;
                }
            });
        }
    }
}

impl Link {
    /// Sees to it that a request at a service of the older era gets the log messages that it asks for, as long as this is held.
    pub(super) async fn wants_logs(&self, lane: &ReadLane, said: &Said) -> Option<Wanting<'_>> {
        let level = said.log?;
        let wanting = self.logs.wanting(lane, level);
        // In the session of a client that shook hands the level is that client's.
        let is_others = lane.is(&self.read) && !lock(&self.client).version.is_empty();
        let setting = if is_others {
            None
        } else {
            self.logs.setting(lane, level)
        };
        if let Some(mut setting) = setting {
            let params = format!(r#"{{"level":"{}"}}"#, era::level(level));
            match lane.own_for("logging/setLevel", &params, Use::Client).await {
                Ok(_) => {
                    lane.remember("logging/setLevel", &params);
                    setting.told = true;
                }
                Err(failure) => {
                    tracing::info!(%failure, "the level of log messages could not be set");
                    // It has no levels: it would say the same again.
                    setting.told = matches!(failure, Failure::Refused(_));
                }
            }
        }
        Some(wanting)
    }
}
