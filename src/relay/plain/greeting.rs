//! What the server says of itself: kept from the last time, so that no start waits for the network; asked for where
//! there is none; made up where the server cannot be asked in time.
//!
//! Also which era it is of (2025-11-25 and before: with a handshake; 2026-07-28: without). A client is answered in the era
//! in which it speaks wherever the server speaks that too: what is not translated cannot be translated wrongly. So a server
//! that is known from a client of one era is asked for the other as well, once in each process that has a client of it. And one
//! that no longer speaks what it spoke is forgotten as such.

use super::lock;
use crate::system::{Paths, file, mono_ms};
use crate::upstream::{Answer, Era, Failure, MODERN, ReadLane, TASKS};
use crate::wire::json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a first start waits for the server's handshake: clients give up after some seconds, and a server that asks
/// for a sign-in is not there before a person has acted.
const FIRST: Duration = Duration::from_millis(1500);
/// How long a first `server/discover` waits: the probes of clients give up after 3 s, and then say `initialize`.
const PROBE: Duration = Duration::from_millis(2500);
/// How long (ms) after a doubt that was wrong the next odd answer sets off no question.
const DOUBT_MS: u64 = 30_000;
/// The largest answer that is kept.
const MAX: u64 = 1024 * 1024;

/// What the server says of itself.
#[derive(Debug)]
pub(super) struct Greeting {
    file: PathBuf,
    kept: Mutex<Kept>,
    made_up: AtomicBool,
    /// One asks at a time. Holds the eras that the server was asked for in this process and has answered, yes or no.
    asking: tokio::sync::Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    legacy: bool,
    modern: bool,
    /// When an odd answer was last reason enough to ask anew (monotonic ms).
    doubted: Option<u64>,
}

impl Asked {
    fn may_doubt(&mut self) -> bool {
        let now = mono_ms();
        let may = self
            .doubted
            .is_none_or(|last| now.saturating_sub(last) >= DOUBT_MS);
        if may {
            self.doubted = Some(now);
        }
        may
    }

    fn of(&mut self, era: Era) -> &mut bool {
        match era {
            Era::Legacy => &mut self.legacy,
            Era::Modern => &mut self.modern,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// The result of `initialize`.
    #[serde(skip_serializing_if = "Option::is_none")]
    legacy: Option<String>,
    /// The result of `server/discover`.
    #[serde(skip_serializing_if = "Option::is_none")]
    modern: Option<String>,
}

impl Greeting {
    /// What is kept of this server.
    pub(super) fn of(paths: &Paths, endpoint: &str) -> Self {
        let key = crate::relay::lists::key_of(endpoint);
        let file = paths.cache().join(format!("{key}-hello.json"));
        let text = file::read_text(&file, MAX).ok().flatten();
        let kept: Option<Kept> = text.and_then(|text| serde_json::from_str(&text).ok());
        Self {
            kept: Mutex::new(kept.unwrap_or_default()),
            file,
            made_up: AtomicBool::new(false),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// Whether the client was told what fits any server: then a list that this server does not have is an empty one.
    pub(super) fn is_made_up(&self) -> bool {
        self.made_up.load(Ordering::Relaxed)
    }

    fn kept(&self) -> Kept {
        lock(&self.kept).clone()
    }

    /// The result of `initialize` for a client of this revision.
    pub(super) async fn to_initialize(&self, version: &str, lane: &ReadLane) -> String {
        if self.kept() == Kept::default() {
            let _ = tokio::time::timeout(FIRST, self.era(lane, Era::Legacy)).await;
        }
        let kept = self.kept();
        if let Some(said) = &kept.legacy {
            return with_version(said, version);
        }
        if let Some(said) = &kept.modern {
            return from_discovery(said, version);
        }
        self.made_up.store(true, Ordering::Relaxed);
        for_any(version)
    }

    /// The result of `server/discover` for the client of this name. `None` where the client is better served with a
    /// handshake: the server has one, and this client is known to go on with it.
    pub(super) async fn to_discover(&self, lane: &ReadLane, client: &str) -> Option<String> {
        if self.kept().modern.is_none() {
            let _ = tokio::time::timeout(PROBE, self.era(lane, Era::Modern)).await;
        }
        let kept = self.kept();
        match (kept.modern, kept.legacy) {
            (Some(said), _) => Some(said),
            // It would lose what cannot be translated: questions that belong to no call of its own.
            _ if goes_on(client) => None,
            (None, Some(said)) => Some(from_handshake(&said)),
            (None, None) => {
                self.made_up.store(true, Ordering::Relaxed);
                Some(from_handshake(&for_any("")))
            }
        }
    }

    /// In which era to speak to the server for a client of this one.
    ///
    /// # Errors
    /// Where the server cannot be asked.
    pub(super) async fn era(&self, lane: &ReadLane, client: Era) -> Result<Era, Failure> {
        if self.known(client) == Some(client) {
            return Ok(client);
        }
        let mut asked = self.asking.lock().await;
        let known = self.known(client);
        if let Some(era) = known
            && (era == client || *asked.of(client))
        {
            return Ok(era);
        }
        let other = match client {
            Era::Legacy => Era::Modern,
            Era::Modern => Era::Legacy,
        };
        match (self.ask(lane, client).await, known) {
            (Ok(()), _) => {
                *asked.of(client) = true;
                Ok(client)
            }
            (Err(first), Some(era)) => {
                *asked.of(client) = says_no(&first);
                Ok(era)
            }
            // It answers, but not to this: the other era's question decides. What the first one said is told if not.
            (Err(first), None) if says_no(&first) => match self.ask(lane, other).await {
                Ok(()) => {
                    *asked.of(client) = true;
                    Ok(other)
                }
                Err(_) => Err(first),
            },
            (Err(failure), None) => Err(failure),
        }
    }

    /// Whether this outcome of a request that was made as to a server of the era `was` shows that the server speaks the other
    /// one alone by now. Then what is kept of the first is forgotten, and [`Self::known`] says the other.
    pub(super) async fn has_moved(
        &self,
        lane: &ReadLane,
        was: Era,
        outcome: &Result<Answer, Failure>,
    ) -> bool {
        if !lane.is_doubtful(was, outcome) {
            return false;
        }
        let mut asked = self.asking.lock().await;
        // Somebody else has found out meanwhile.
        if self.known(was) != Some(was) {
            return true;
        }
        if !asked.may_doubt() {
            return false;
        }
        let now = match was {
            // Its handshake was refused just now, or the request with the words of the other era.
            Era::Legacy => Era::Modern,
            Era::Modern if self.ask(lane, was).await.is_err_and(|failure| says_no(&failure)) => Era::Legacy,
            Era::Modern => return false,
        };
        if self.ask(lane, now).await.is_err() {
            return false;
        }
        tracing::info!(?was, ?now, "the server has moved to the other era");
        if now == Era::Modern {
            lane.leave_session();
        }
        *asked.of(was) = true;
        // This doubt was right: the next one may come as soon.
        asked.doubted = None;
        let mut kept = self.kept();
        match was {
            Era::Legacy => kept.legacy = None,
            Era::Modern => kept.modern = None,
        }
        self.keep(kept);
        true
    }

    /// The era that is known, the client's own first.
    pub(super) fn known(&self, client: Era) -> Option<Era> {
        let kept = lock(&self.kept);
        match (kept.legacy.is_some(), kept.modern.is_some()) {
            (true, true) => Some(client),
            (true, false) => Some(Era::Legacy),
            (false, true) => Some(Era::Modern),
            (false, false) => None,
        }
    }

    async fn ask(&self, lane: &ReadLane, era: Era) -> Result<(), Failure> {
        let mut kept = self.kept();
        match era {
            Era::Legacy => kept.legacy = Some(lane.greeting().await?),
            Era::Modern => {
                let said = lane.discover().await?;
                if !speaks_modern(&said) {
                    return Err(Failure::Refused("no revision in common".to_owned()));
                }
                kept.modern = Some(said);
            }
        }
        self.keep(kept);
        Ok(())
    }

    fn keep(&self, now: Kept) {
        let written = serde_json::to_vec(&now).map_err(std::io::Error::other);
        if let Err(error) = written.and_then(|text| file::write_atomic(&self.file, &text)) {
            tracing::info!(%error, "what the server said of itself could not be kept");
        }
        *lock(&self.kept) = now;
    }
}

/// Whether a failure is the answer of a server that does not know what it was asked, and not one of the network.
fn says_no(failure: &Failure) -> bool {
    match failure {
        Failure::Refused(_)
        | Failure::Revision(_)
        | Failure::BadAnswer(_)
        | Failure::Throttled(_)
        | Failure::SessionLost
        | Failure::SessionDoubted(_) => true,
        Failure::Status(status) => (400..500).contains(status),
        Failure::Token(_)
        | Failure::SignIn(_)
        | Failure::Unauthorized
        | Failure::Plan
        | Failure::Scope(_)
        | Failure::Forbidden(_)
        | Failure::NotConnected
        | Failure::RateLimited(_)
        | Failure::Connect(_)
        | Failure::Broken(_) => false,
    }
}

fn speaks_modern(said: &str) -> bool {
    let said: Value = serde_json::from_str(said).unwrap_or_default();
    let versions = said.get("supportedVersions").and_then(Value::as_array);
    versions.is_some_and(|versions| versions.iter().any(|version| version == MODERN))
}

/// The server's own words, with the revision that this client and we speak to each other.
fn with_version(said: &str, version: &str) -> String {
    let members = json::every_member(said).unwrap_or_default();
    let texts: Vec<String> = members
        .iter()
        .map(|member| match &*member.key {
            "protocolVersion" => format!(r#""protocolVersion":"{version}""#),
            key => format!("{}:{}", Value::from(key), json::minify(member.value)),
        })
        .collect();
    format!("{{{}}}", texts.join(","))
}

/// What a modern server says of itself, as a handshake of this revision says it.
fn from_discovery(said: &str, version: &str) -> String {
    let said: Value = serde_json::from_str(said).unwrap_or_default();
    let mut capabilities = said.get("capabilities").cloned().unwrap_or_else(|| json!({}));
    take_tasks_out(&mut capabilities);
    let info = said
        .pointer("/_meta/io.modelcontextprotocol~1serverInfo")
        .cloned();
    let mut result = json!({
        "protocolVersion": version,
        "capabilities": capabilities,
        "serverInfo": info.unwrap_or_else(|| json!({ "name": "server", "version": "0" })),
    });
    if let (Some(instructions), Some(members)) = (said.get("instructions"), result.as_object_mut()) {
        members.insert("instructions".to_owned(), instructions.clone());
    }
    result.to_string()
}

/// The clients that go on with `initialize` where `server/discover` is refused, by the beginning of the names that they give
/// themselves: seen (docs/clients-seen.md). Of all others it is not known, and one that only speaks 2026-07-28 gives up.
const GO_ON: [&str; 1] = ["claude-code"];

fn goes_on(client: &str) -> bool {
    GO_ON.iter().any(|name| client.starts_with(name))
}

/// What an older server says of itself, as `server/discover` says it.
fn from_handshake(said: &str) -> String {
    let said: Value = serde_json::from_str(said).unwrap_or_default();
    let mut capabilities = said.get("capabilities").cloned().unwrap_or_else(|| json!({}));
    take_tasks_out(&mut capabilities);
    let mut result = json!({
        "resultType": "complete",
        "supportedVersions": [MODERN],
        "capabilities": capabilities,
        "ttlMs": 0,
        "cacheScope": "private",
    });
    if let Some(members) = result.as_object_mut() {
        if let Some(instructions) = said.get("instructions") {
            members.insert("instructions".to_owned(), instructions.clone());
        }
        if let Some(info) = said.get("serverInfo") {
            let meta = json!({ "io.modelcontextprotocol/serverInfo": info });
            members.insert("_meta".to_owned(), meta);
        }
    }
    result.to_string()
}

/// Tasks of the older era are another thing than the extension of the newer (2026-07-28, changes): neither is promised to a
/// client of the other. What else there is of extensions is the same in both, and passes.
fn take_tasks_out(capabilities: &mut Value) {
    let Some(members) = capabilities.as_object_mut() else {
        return;
    };
    members.remove("tasks");
    let extensions = members.get_mut("extensions").and_then(Value::as_object_mut);
    if let Some(extensions) = extensions {
        extensions.remove(TASKS);
        if extensions.is_empty() {
            members.remove("extensions");
        }
    }
}

fn for_any(version: &str) -> String {
    json!({
        "protocolVersion": version,
        "capabilities": {
            "tools": { "listChanged": true },
            "resources": { "listChanged": true, "subscribe": true },
            "prompts": { "listChanged": true },
            "logging": {},
            "completions": {}
        },
        "serverInfo": { "name": "countersign", "version": env!("CARGO_PKG_VERSION") },
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_server_is_told_in_the_newer_words() {
        let said = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"tasks":{}},"serverInfo":{"name":"a","version":"1"},"instructions":"Read."}"#;
        let found: Value = serde_json::from_str(&from_handshake(said)).unwrap();
        assert_eq!(
            found,
            json!({
                "resultType": "complete",
                "supportedVersions": ["2026-07-28"],
                "capabilities": { "tools": { "listChanged": true } },
                "instructions": "Read.",
                "ttlMs": 0,
                "cacheScope": "private",
                "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "a", "version": "1" } },
            })
        );
    }

    #[test]
    fn extensions_pass_but_for_tasks() {
        let said = |extensions: &str| {
            format!(
                r#"{{"supportedVersions":["2026-07-28"],"capabilities":{{"tools":{{}},"extensions":{extensions}}}}}"#
            )
        };
        let both = said(r#"{"io.modelcontextprotocol/tasks":{},"io.modelcontextprotocol/ui":{}}"#);
        let alone = said(r#"{"io.modelcontextprotocol/tasks":{}}"#);
        for translate in [|said: &str| from_discovery(said, "2025-11-25"), from_handshake] {
            let found: Value = serde_json::from_str(&translate(&both)).unwrap();
            let ui = json!({ "tools": {}, "extensions": { "io.modelcontextprotocol/ui": {} } });
            assert_eq!(found["capabilities"], ui);
            let found: Value = serde_json::from_str(&translate(&alone)).unwrap();
            assert_eq!(found["capabilities"], json!({ "tools": {} }));
        }
    }

    #[test]
    fn who_goes_on_is_known_by_its_name() {
        assert!(goes_on("claude-code") && goes_on("claude-code/2.1"));
        assert!(!goes_on("") && !goes_on("some client") && !goes_on("Claude"));
    }
}
