//! Of which era the service is: with a handshake and sessions (2025-11-25 and before), or each request for itself
//! (2026-07-28).
//!
//! What was found out is kept per endpoint, so that it costs one request once, and not one at each start. It decides only
//! which question comes first: a service that has moved says so by itself, and is believed (2026-07-28, versioning).

use super::answer::Answer;
use super::offers::Offers;
use super::read_lane::ReadLane;
use super::{Failure, MODERN};
use crate::system::{Paths, file};
use crate::wire::json;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// How long the question may take. A service that keeps silent is asked for its handshake instead.
pub(super) const PROBE: Duration = Duration::from_secs(5);
/// How long (ms) after a doubt that was wrong the next odd answer sets off no question.
const DOUBT_MS: u64 = 30_000;
/// Endpoints that are remembered, and the largest file of them (bytes).
const MAX_KEPT: (usize, u64) = (64, 64 * 1024);
/// The service does not speak this revision, and names those that it does (2026-07-28, versioning).
pub const UNSUPPORTED_VERSION: i64 = -32022;
/// The service wants other headers than it got (2026-07-28, Streamable HTTP): it did not run the request.
pub(super) const HEADER_MISMATCH: i64 = -32020;
/// A modern error: the request needs something of the client that it did not declare.
const MISSING_CAPABILITY: i64 = -32021;

/// The era of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// With a handshake and sessions.
    Legacy,
    /// Each request for itself.
    Modern,
}

impl Era {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Modern,
            Self::Modern => Self::Legacy,
        }
    }
}

/// What is known of an endpoint's era. All clones are one.
#[derive(Debug, Clone)]
pub struct Eras(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    endpoint: String,
    now: watch::Sender<Option<Era>>,
    /// One asks at a time.
    asking: tokio::sync::Mutex<()>,
    /// When it was doubted last (monotonic ms).
    doubted: AtomicU64,
    offers: Offers,
}

impl Eras {
    /// What is kept of this endpoint. A file that cannot be read counts as none.
    pub fn of(paths: &Paths, endpoint: &str) -> Self {
        let file = paths.cache().join("eras.json");
        let kept = read(&file).remove(endpoint);
        Self(Arc::new(Inner {
            file,
            endpoint: endpoint.to_owned(),
            now: watch::Sender::new(kept),
            asking: tokio::sync::Mutex::default(),
            doubted: AtomicU64::new(0),
            offers: Offers::of(paths, endpoint),
        }))
    }

    /// What is known, without asking.
    pub fn known(&self) -> Option<Era> {
        *self.0.now.borrow()
    }

    /// Tells of each change.
    pub fn watch(&self) -> watch::Receiver<Option<Era>> {
        self.0.now.subscribe()
    }

    /// Takes over what the service has shown itself to be.
    pub(super) fn learn(&self, era: Era) {
        let new = self.0.now.send_if_modified(|now| {
            let new = *now != Some(era);
            *now = Some(era);
            new
        });
        if !new {
            return;
        }
        tracing::info!(?era, "the service's era is known");
        let mut all = read(&self.0.file);
        if all.len() >= MAX_KEPT.0 {
            all.clear();
        }
        all.insert(self.0.endpoint.clone(), era);
        // Another process may write at the same moment: what is lost is asked for again.
        let written = serde_json::to_vec(&all).map_err(std::io::Error::other);
        if let Err(error) = written.and_then(|text| file::write_atomic(&self.0.file, &text)) {
            tracing::info!(%error, "the service's era could not be kept");
        }
    }

    /// What the service offers beyond the core.
    pub(super) fn offers(&self) -> &Offers {
        &self.0.offers
    }

    /// Whether an odd answer is reason enough to ask anew.
    fn may_doubt(&self) -> bool {
        let now = crate::system::mono_ms().max(1);
        let last = self.0.doubted.load(Ordering::Relaxed);
        let may = last == 0 || now.saturating_sub(last) >= DOUBT_MS;
        if may {
            self.0.doubted.store(now, Ordering::Relaxed);
        }
        may
    }
}

fn read(file: &std::path::Path) -> BTreeMap<String, Era> {
    let text = file::read_text(file, MAX_KEPT.1).ok().flatten();
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// What an answer to `server/discover` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is of this era.
    Of(Era),
    /// Nothing: the handshake decides.
    Open,
}

/// Reads the answer to `server/discover` (the whole message).
pub(super) fn verdict(answer: &str) -> Verdict {
    if let Some(result) = member(answer, "result") {
        return Verdict::Of(if names_ours(result, "supportedVersions") {
            Era::Modern
        } else {
            Era::Legacy
        });
    }
    match error_code(answer) {
        Some(UNSUPPORTED_VERSION) if supports_ours(answer) => Verdict::Of(Era::Modern),
        Some(HEADER_MISMATCH | MISSING_CAPABILITY) => Verdict::Of(Era::Modern),
        Some(_) => Verdict::Of(Era::Legacy),
        None => Verdict::Open,
    }
}

/// The same where no answer came. An error is passed on: it would meet the handshake as well.
pub(super) fn verdict_of(failure: Failure) -> Result<Verdict, Failure> {
    match failure {
        Failure::Status(400..=499)
        | Failure::SessionLost
        | Failure::SessionDoubted(_)
        | Failure::Refused(_) => Ok(Verdict::Of(Era::Legacy)),
        Failure::Status(_)
        | Failure::Broken(_)
        | Failure::BadAnswer(_)
        | Failure::Forbidden(_)
        | Failure::NotConnected
        | Failure::Revision(_) => Ok(Verdict::Open),
        // 401 and the like say nothing of the era (Streamable HTTP, backward compatibility).
        Failure::Token(_)
        | Failure::SignIn(_)
        | Failure::Unauthorized
        | Failure::Plan
        | Failure::Scope(_)
        | Failure::RateLimited(_)
        | Failure::Throttled(_)
        | Failure::Connect(_) => Err(failure),
    }
}

impl ReadLane {
    /// The era in which to speak to the service: known, or asked for once whoever needs it.
    ///
    /// # Errors
    /// Where the service cannot be asked.
    pub async fn era(&self) -> Result<Era, Failure> {
        let Some(eras) = &self.0.eras else {
            return Ok(Era::Legacy);
        };
        if let Some(era) = eras.known() {
            return Ok(era);
        }
        let _one = eras.0.asking.lock().await;
        if let Some(era) = eras.known() {
            return Ok(era);
        }
        match self.probe().await? {
            Verdict::Of(era) => {
                eras.learn(era);
                Ok(era)
            }
            Verdict::Open => {
                self.open().await?;
                eras.learn(Era::Legacy);
                Ok(Era::Legacy)
            }
        }
    }

    /// What is known of the service's era.
    pub fn known_era(&self) -> Option<Era> {
        self.0.eras.as_ref().and_then(Eras::known)
    }

    /// Tells of each change of the service's era; `None` where this lane is told the era by its owner.
    pub fn watch_era(&self) -> Option<watch::Receiver<Option<Era>>> {
        self.0.eras.as_ref().map(Eras::watch)
    }

    async fn probe(&self) -> Result<Verdict, Failure> {
        match tokio::time::timeout(PROBE, self.ask_discover()).await {
            Ok(Ok(answer)) => {
                if let Some(eras) = &self.0.eras {
                    eras.note_discovery(&answer.text);
                }
                Ok(verdict(&answer.text))
            }
            Ok(Err(failure)) => verdict_of(failure),
            Err(_) => Ok(Verdict::Open),
        }
    }

    /// Whether this outcome of a request that was made as to a service of the era `was` shows that the service is of the
    /// other one by now. Then the same request may be made once more, in the other era: it was refused unrun, or it only
    /// reads.
    pub async fn has_moved(&self, was: Era, outcome: &Result<Answer, Failure>) -> bool {
        let Some(eras) = &self.0.eras else { return false };
        // Somebody else has found out meanwhile.
        if eras.known().is_some_and(|now| now != was) {
            return self.is_doubtful(was, outcome);
        }
        match shown(outcome) {
            Some(now) if now == was => false,
            Some(now) => {
                self.moved_to(eras, now);
                true
            }
            None if self.is_doubtful(was, outcome) => {
                // Of several that are refused at once one asks; the others wait for what it learns.
                let _one = eras.0.asking.lock().await;
                if eras.known().is_some_and(|now| now != was) {
                    return true;
                }
                if !eras.may_doubt() {
                    return false;
                }
                match self.probe().await {
                    Ok(Verdict::Of(now)) if now != was => {
                        self.moved_to(eras, now);
                        true
                    }
                    Ok(_) | Err(_) => false,
                }
            }
            None => false,
        }
    }

    /// Leaves the era that it was in.
    fn moved_to(&self, eras: &Eras, now: Era) {
        if now == Era::Modern {
            self.leave_session();
        }
        eras.learn(now);
        // This doubt was right: the next one may come as soon.
        eras.0.doubted.store(0, Ordering::Relaxed);
    }

    /// Whether a service of the other era could have answered so.
    pub fn is_doubtful(&self, was: Era, outcome: &Result<Answer, Failure>) -> bool {
        match outcome {
            Ok(answer) => match refusal_code(&answer.text) {
                // In the older era the code is free, but for a service that names the newer one with it.
                Some(UNSUPPORTED_VERSION) => was == Era::Modern || supports_ours(&answer.text),
                // The range that 2026-07-28 leaves to the servers of before.
                Some(-32019..=-32000 | -32600) => was == Era::Modern,
                _ => false,
            },
            Err(Failure::Revision(_)) => true,
            Err(Failure::Status(400 | 404 | 405)) => was == Era::Modern || !self.has_session(),
            Err(Failure::Refused(_)) => was == Era::Legacy && !self.has_session(),
            Err(_) => false,
        }
    }
}

/// The era that an outcome itself names.
fn shown(outcome: &Result<Answer, Failure>) -> Option<Era> {
    let modern = match outcome {
        Ok(answer) if refusal_code(&answer.text) == Some(UNSUPPORTED_VERSION) => supports_ours(&answer.text),
        Err(Failure::Revision(modern)) => *modern,
        _ => return None,
    };
    Some(if modern { Era::Modern } else { Era::Legacy })
}

pub(super) fn member<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    json::member(text, key).ok().flatten()
}

/// The code of the error that an answer carries.
pub(super) fn error_code(answer: &str) -> Option<i64> {
    member(member(answer, "error")?, "code")?.parse().ok()
}

/// The same for what came of a read: a refusal is short, and a result of megabytes is not read through once more for it.
pub fn refusal_code(answer: &str) -> Option<i64> {
    const LONGEST: usize = 64 * 1024;
    if answer.len() > LONGEST {
        return None;
    }
    error_code(answer)
}

/// Whether an error about the revision names ours as one that the service speaks.
pub(super) fn supports_ours(answer: &str) -> bool {
    member(answer, "error")
        .and_then(|error| member(error, "data"))
        .is_some_and(|data| names_ours(data, "supported"))
}

fn names_ours(object: &str, key: &str) -> bool {
    let named = member(object, key).and_then(|list| json::items(list).ok());
    named
        .unwrap_or_default()
        .iter()
        .any(|version| json::string(version).is_ok_and(|version| version == MODERN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_to_the_question_are_read_as_the_revision_says() {
        let error = |code: i64, data: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"x"{data}}}}}"#)
        };
        let ours = r#","data":{"supported":["2026-07-28","2025-11-25"]}"#;
        let theirs = r#","data":{"supported":["2025-11-25"]}"#;
        for (answer, era) in [
            (
                r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}}"#
                    .to_owned(),
                Some(Era::Modern),
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2025-11-25"]}}"#.to_owned(),
                Some(Era::Legacy),
            ),
            (error(-32022, ours), Some(Era::Modern)),
            (error(-32022, theirs), Some(Era::Legacy)),
            (error(-32020, ""), Some(Era::Modern)),
            (error(-32021, ""), Some(Era::Modern)),
            (error(-32601, ""), Some(Era::Legacy)),
            (error(-32000, ""), Some(Era::Legacy)),
            ("no JSON".to_owned(), None),
        ] {
            let wanted = era.map_or(Verdict::Open, Verdict::Of);
            assert_eq!(verdict(&answer), wanted, "{answer}");
        }
    }

    #[test]
    fn what_is_no_answer_says_nothing_of_the_era() {
        assert_eq!(
            verdict_of(Failure::Status(404)).ok(),
            Some(Verdict::Of(Era::Legacy))
        );
        for open in [
            Failure::Status(503),
            Failure::Broken(String::new()),
            Failure::BadAnswer(String::new()),
        ] {
            assert_eq!(verdict_of(open).ok(), Some(Verdict::Open));
        }
        for passed_on in [Failure::Unauthorized, Failure::Connect(String::new())] {
            assert!(verdict_of(passed_on).is_err());
        }
    }

    #[test]
    fn what_was_found_out_is_kept_for_its_endpoint_alone() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let eras = Eras::of(&paths, "https://a.example/mcp");
        assert_eq!(eras.known(), None);
        eras.learn(Era::Modern);
        assert_eq!(
            Eras::of(&paths, "https://a.example/mcp").known(),
            Some(Era::Modern)
        );
        assert_eq!(Eras::of(&paths, "https://b.example/mcp").known(), None);
        eras.learn(Era::Legacy);
        assert_eq!(
            Eras::of(&paths, "https://a.example/mcp").known(),
            Some(Era::Legacy)
        );
        std::fs::write(paths.cache().join("eras.json"), "{").unwrap();
        assert_eq!(Eras::of(&paths, "https://a.example/mcp").known(), None);
    }
}
