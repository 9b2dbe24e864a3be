//! The answer to `initialize`, where the server behind is any: kept from the last time, so that no start waits for the
//! network; asked for where there is none; made up where the server cannot be asked in time.

use super::lock;
use crate::system::{Paths, file};
use crate::upstream::ReadLane;
use crate::wire::json;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a first start waits for the server: clients give up after some seconds, and a server that asks for a
/// sign-in is not there before a person has acted.
const FIRST: Duration = Duration::from_millis(1500);
/// The largest answer that is kept.
const MAX: u64 = 1024 * 1024;

/// What the server says of itself.
#[derive(Debug)]
pub(super) struct Greeting {
    file: PathBuf,
    kept: Mutex<Option<String>>,
    made_up: AtomicBool,
}

impl Greeting {
    /// What is kept of this server.
    pub(super) fn of(paths: &Paths, endpoint: &str) -> Self {
        let key = crate::relay::lists::key_of(endpoint);
        let file = paths.cache().join(format!("{key}-hello.json"));
        let kept = file::read_text(&file, MAX).ok().flatten();
        Self {
            kept: Mutex::new(kept.filter(|text| json::members(text).is_ok())),
            file,
            made_up: AtomicBool::new(false),
        }
    }

    /// Whether the client was told what fits any server: then a list that this server does not have is an empty one.
    pub(super) fn is_made_up(&self) -> bool {
        self.made_up.load(Ordering::Relaxed)
    }

    /// The result of `initialize` for a client of this revision.
    pub(super) async fn result(&self, version: &str, lane: &ReadLane) -> String {
        let kept = lock(&self.kept).clone();
        if let Some(kept) = kept {
            return with_version(&kept, version);
        }
        match tokio::time::timeout(FIRST, lane.greeting()).await {
            Ok(Ok(said)) => {
                self.keep(&said);
                with_version(&said, version)
            }
            _ => {
                self.made_up.store(true, Ordering::Relaxed);
                for_any(version)
            }
        }
    }

    /// Keeps what the server said, for the next start.
    pub(super) fn keep(&self, said: &str) {
        let mut kept = lock(&self.kept);
        if kept.as_deref() == Some(said) {
            return;
        }
        if let Err(error) = file::write_atomic(&self.file, said.as_bytes()) {
            tracing::info!(%error, "what the server said of itself could not be kept");
        }
        *kept = Some(said.to_owned());
    }
}

/// The server's own words, with the revision that this client and we speak to each other.
fn with_version(said: &str, version: &str) -> String {
    let members = json::members(said).unwrap_or_default();
    let texts: Vec<String> = members
        .iter()
        .map(|member| match &*member.key {
            "protocolVersion" => format!(r#""protocolVersion":"{version}""#),
            key => format!("{}:{}", serde_json::Value::from(key), json::minify(member.value)),
        })
        .collect();
    format!("{{{}}}", texts.join(","))
}

fn for_any(version: &str) -> String {
    serde_json::json!({
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
