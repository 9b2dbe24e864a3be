//! What the service offers beyond the core of the protocol: its extensions (2026-07-28, versioning, extension negotiation).
//!
//! Kept per endpoint beside its era, so that a client is told of them at once, whatever the network does. Refuses to know what
//! an extension does: whatever is offered here, what trades is held.

use super::era::{Era, Eras, Verdict, member, verdict};
use crate::system::{Paths, clock, file};
use crate::wire::json::{self, Member};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The extension that has one wire form in each era: it is offered only where nothing stands between the eras.
pub const TASKS: &str = "io.modelcontextprotocol/tasks";

/// Bytes of all extensions together, and of one name. What is beyond is not offered.
const MAX: (usize, usize) = (16 * 1024, 128);
/// Endpoints that are remembered, and the largest file of them (bytes).
const MAX_KEPT: (usize, u64) = (16, 512 * 1024);
/// How long (ms) what was offered counts, before a service of the newer era is asked again.
const HOLDS: u64 = 24 * 3600 * 1000;

/// What the service offered last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Offer {
    /// The era in which it said so.
    era: Era,
    /// A JSON object: the settings of each extension by its name, as the service wrote them.
    extensions: String,
    /// When that was (wall clock, ms).
    at: u64,
}

/// What one endpoint offers.
#[derive(Debug)]
pub(super) struct Offers {
    file: PathBuf,
    endpoint: String,
    kept: Mutex<Option<Offer>>,
}

impl Offers {
    /// What is kept of this endpoint. A file that cannot be read counts as none.
    pub(super) fn of(paths: &Paths, endpoint: &str) -> Self {
        let file = paths.cache().join("offers.json");
        Self {
            kept: Mutex::new(read(&file).remove(endpoint)),
            endpoint: endpoint.to_owned(),
            file,
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Offer>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the service says of itself: the result of `initialize` or of `server/discover`.
    fn note(&self, era: Era, said: &str, now: u64) {
        let offer = Offer {
            era,
            extensions: extensions_of(said),
            at: now,
        };
        {
            let mut kept = self.kept();
            let is_same = |old: &Offer| (old.era, &old.extensions) == (era, &offer.extensions);
            if kept.as_ref().is_some_and(|old| is_same(old) && !is_old(old, now)) {
                return;
            }
            *kept = Some(offer.clone());
        }
        let mut all = read(&self.file);
        if all.len() >= MAX_KEPT.0 {
            all.clear();
        }
        all.insert(self.endpoint.clone(), offer);
        // Another process may write at the same moment: what is lost is asked for again.
        let written = serde_json::to_vec(&all).map_err(std::io::Error::other);
        if let Err(error) = written.and_then(|text| file::write_atomic(&self.file, &text)) {
            tracing::info!(%error, "what the service offers could not be kept");
        }
    }
}

fn is_old(offer: &Offer, now: u64) -> bool {
    // A time that is to come: the clock was set back.
    now < offer.at || now - offer.at > HOLDS
}

fn read(file: &Path) -> BTreeMap<String, Offer> {
    let text = file::read_text(file, MAX_KEPT.1).ok().flatten();
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

impl Eras {
    /// Takes over what the service said of itself in this era: the result of `initialize` or of `server/discover`.
    pub fn note_offer(&self, era: Era, said: &str) {
        self.offers().note(era, said, clock::wall_ms());
    }

    /// The same of the whole answer to `server/discover`, where it is one of the newer era.
    pub(super) fn note_discovery(&self, answer: &str) {
        if let (Verdict::Of(Era::Modern), Some(said)) = (verdict(answer), member(answer, "result")) {
            self.note_offer(Era::Modern, said);
        }
    }

    /// Whether the service should be asked again what it offers.
    pub fn is_offer_old(&self) -> bool {
        let now = clock::wall_ms();
        let fresh = |offer: &Offer| Some(offer.era) == self.known() && !is_old(offer, now);
        !self.offers().kept().as_ref().is_some_and(fresh)
    }

    /// The extensions of the service that a client of this era can use, as the text of a JSON object; `None` where there are
    /// none.
    pub fn offered_to(&self, client: Era) -> Option<String> {
        let offer = self.offers().kept().clone()?;
        if offer.era == client && self.known() == Some(client) {
            Some(offer.extensions).filter(|extensions| extensions != "{}")
        } else {
            without_tasks(&offer.extensions)
        }
    }
}

/// Extensions without that of tasks, which has other words in each era; `None` where none is left.
pub fn without_tasks(extensions: &str) -> Option<String> {
    let members = json::members(extensions).unwrap_or_default();
    let kept: Vec<String> = members
        .iter()
        .filter(|member| member.key != TASKS)
        .map(shown)
        .collect();
    (!kept.is_empty()).then(|| format!("{{{}}}", kept.join(",")))
}

fn shown(member: &Member<'_>) -> String {
    format!("{}:{}", Value::from(&*member.key), json::minify(member.value))
}

/// The extensions in what a service says of itself, on one line; what is none by its name or its settings is left out.
fn extensions_of(said: &str) -> String {
    let given = member(said, "capabilities").and_then(|all| member(all, "extensions"));
    let members = given
        .and_then(|text| json::members(text).ok())
        .unwrap_or_default();
    let is_one = |member: &&Member<'_>| {
        let name = &*member.key;
        let is_name = name.len() <= MAX.1 && name.contains('/') && name.bytes().all(|b| b.is_ascii_graphic());
        is_name && member.value.starts_with('{') && json::check_strict(member.value).is_ok()
    };
    let mut room = MAX.0;
    let kept: Vec<String> = members
        .iter()
        .filter(is_one)
        .map(shown)
        .take_while(|text| {
            let fits = text.len() < room;
            room = room.saturating_sub(text.len() + 1);
            fits
        })
        .collect();
    format!("{{{}}}", kept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UI: &str = r#""io.modelcontextprotocol/ui":{"a":1.50}"#;

    fn said(extensions: &str) -> String {
        format!(r#"{{"capabilities":{{"tools":{{}},"extensions":{extensions}}}}}"#)
    }

    #[test]
    fn only_extensions_are_offered() {
        let taken = |extensions: &str| extensions_of(&said(extensions));
        assert_eq!(taken(&format!("{{{UI}}}")), format!("{{{UI}}}"));
        for odd in [
            "[]",
            "{}",
            r#"{"noprefix":{}}"#,
            r#"{"a/b":true}"#,
            r#"{"a/b":{"x":1,"x":2}}"#,
            r#"{"a/b":{},"a/b":{}}"#,
            r#"{"a/\u0007":{}}"#,
        ] {
            assert_eq!(taken(odd), "{}", "{odd}");
        }
        assert_eq!(extensions_of("no JSON"), "{}");
        let large = format!(r#"{{"a/b":{{"x":"{}"}},{UI}}}"#, "y".repeat(MAX.0));
        assert_eq!(taken(&large), "{}", "too large to keep");
    }

    #[test]
    fn tasks_are_offered_where_nothing_is_translated() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let eras = Eras::of(&paths, "https://a.example/mcp");
        assert_eq!(eras.offered_to(Era::Modern), None);
        assert!(eras.is_offer_old());
        eras.learn(Era::Modern);
        let all = format!(r#"{{"{TASKS}":{{}},{UI}}}"#);
        eras.note_offer(Era::Modern, &said(&all));
        assert!(!eras.is_offer_old());
        assert_eq!(eras.offered_to(Era::Modern).as_deref(), Some(&*all));
        assert_eq!(eras.offered_to(Era::Legacy), Some(format!("{{{UI}}}")));
        // The next process, and one for another endpoint.
        let next = Eras::of(&paths, "https://a.example/mcp");
        assert_eq!(next.offered_to(Era::Modern).as_deref(), Some(&*all));
        assert_eq!(
            Eras::of(&paths, "https://b.example/mcp").offered_to(Era::Modern),
            None
        );
        // It has moved: what it offered in its other era is not all of it there.
        next.learn(Era::Legacy);
        assert!(next.is_offer_old());
        assert_eq!(next.offered_to(Era::Modern), Some(format!("{{{UI}}}")));
        next.note_offer(Era::Legacy, r#"{"capabilities":{}}"#);
        assert_eq!(next.offered_to(Era::Legacy), None);
    }

    #[test]
    fn an_offer_counts_for_a_day() {
        let offer = Offer {
            era: Era::Modern,
            extensions: "{}".to_owned(),
            at: HOLDS,
        };
        assert!(!is_old(&offer, HOLDS) && !is_old(&offer, 2 * HOLDS));
        assert!(is_old(&offer, 2 * HOLDS + 1) && is_old(&offer, HOLDS - 1));
    }
}
