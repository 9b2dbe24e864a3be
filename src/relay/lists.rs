//! What upstream listed: the tools that both grants see, kept on disk so that the next start can answer at once, and
//! the pinned definitions of every tool that is not known to be read-only.
//!
//! Definitions are kept as the texts that came: what the client is given is what upstream wrote.

use crate::gate::catalogue;
use crate::system::{FileLock, Paths, file};
use crate::wire::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

/// The largest list that is kept.
const MAX_FILE: u64 = 32 * 1024 * 1024;
/// How long a turn at the cache file is waited for.
const TURN: Duration = Duration::from_millis(200);

/// What pinning did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PinReport {
    /// How many definitions were not pinned before.
    pub new: usize,
    /// The tools whose definitions are others than those pinned before.
    pub changed: Vec<String>,
}

/// A definition that is not the pinned one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// The tool.
    pub name: String,
    /// The pinned definition as a person reads it; `None` for a tool that was not there.
    pub before: Option<String>,
    /// The listed one.
    pub now: String,
    /// The digest of the listed one.
    pub digest: String,
}

/// What is known of a tool's definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// Pinned, and what upstream lists now agrees: the text of its input schema.
    Holds(String),
    /// Upstream lists another definition than the pinned one.
    Changed,
    /// Upstream lists it, and it was not there when the definitions were pinned.
    New,
    /// Upstream does not list it to the grants that we have.
    Unlisted,
}

/// The lists of one endpoint.
#[derive(Debug)]
pub struct Lists {
    endpoint: String,
    cache: PathBuf,
    pins: PathBuf,
    lock: PathBuf,
    data: Mutex<Data>,
}

#[derive(Debug, Default)]
struct Data {
    kept: Kept,
    pinned: BTreeMap<String, Pinned>,
    /// The files as they were when they were read or written last: cache and pins.
    seen: [Option<Stamp>; 2],
}

/// When a file was written, and its length.
type Stamp = (SystemTime, u64);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// The endpoint's URL, for the person who looks into the file.
    endpoint: String,
    read: Option<Vec<Listed>>,
    trade: Option<Vec<Listed>>,
    /// Tools that upstream lists and that may not be offered, and why (2026-07-28, tools).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    left_out: BTreeMap<String, String>,
}

/// One definition as upstream wrote it. Its name is read once, its digest where it is first needed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Box<RawValue>", into = "Box<RawValue>")]
struct Listed {
    name: String,
    text: Box<RawValue>,
    digest: OnceLock<String>,
}

impl From<Box<RawValue>> for Listed {
    fn from(text: Box<RawValue>) -> Self {
        Self {
            name: name_of(text.get()).unwrap_or_default(),
            text,
            digest: OnceLock::new(),
        }
    }
}

impl From<Listed> for Box<RawValue> {
    fn from(listed: Listed) -> Self {
        listed.text
    }
}

impl Listed {
    fn digest(&self) -> &str {
        self.digest.get_or_init(|| digest(self.text.get()))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pinned {
    digest: String,
    definition: Box<RawValue>,
}

impl Lists {
    /// Reads what is kept for this endpoint. A file that cannot be read counts as none: upstream is asked anew.
    pub fn load(paths: &Paths, endpoint: &str) -> Self {
        let key = key_of(endpoint);
        let (cache, pins) = (
            paths.cache().join(format!("{key}.json")),
            paths.state().join(format!("pins-{key}.json")),
        );
        let endpoint = endpoint.to_owned();
        let lists = Self {
            endpoint,
            cache,
            pins,
            lock: paths.lock("lists.lock"),
            data: Mutex::default(),
        };
        lists.read_files(&mut lists.data());
        lists
    }

    /// Takes over what other processes have listed and pinned since the last look; true where the client's list changes
    /// by it. Costs two looks at the file system where nothing was written.
    pub fn sync(&self) -> bool {
        self.sync_into(&mut self.data())
    }

    fn sync_into(&self, data: &mut Data) -> bool {
        if data.seen == self.stamps() {
            return false;
        }
        let before = shown(data);
        self.read_files(data);
        shown(data) != before
    }

    fn stamps(&self) -> [Option<Stamp>; 2] {
        [&self.cache, &self.pins].map(|path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        })
    }

    fn read_files(&self, data: &mut Data) {
        // Looked at before reading: what is written in between is read again at the next look.
        data.seen = self.stamps();
        let text = |path: &PathBuf| file::read_text(path, MAX_FILE).ok().flatten();
        // A cache that was cleared meanwhile takes nothing from us: the last good list stands.
        if let Some(kept) = text(&self.cache).and_then(|text| serde_json::from_str(&text).ok()) {
            data.kept = kept;
        }
        self.endpoint.clone_into(&mut data.kept.endpoint);
        data.pinned = text(&self.pins)
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything was ever listed.
    pub fn is_empty(&self) -> bool {
        self.data().kept.read.is_none()
    }

    /// Whether a trade grant's list was ever seen.
    pub fn has_trade(&self) -> bool {
        self.data().kept.trade.is_some()
    }

    /// The result of `tools/list` for the client: read tools as listed, all others as pinned, then our own.
    pub fn tools(&self, ours: &[String]) -> String {
        let data = self.data();
        let mut texts: Vec<&str> = Vec::new();
        let reads = data
            .kept
            .read
            .iter()
            .flatten()
            .filter(|listed| catalogue::is_known_read_tool(&listed.name));
        texts.extend(reads.map(|listed| listed.text.get()));
        texts.extend(data.pinned.values().map(|pinned| pinned.definition.get()));
        texts.extend(ours.iter().map(String::as_str));
        format!(r#"{{"tools":[{}]}}"#, texts.join(","))
    }

    /// What is known of a tool.
    pub fn pin(&self, tool: &str) -> Pin {
        pin_in(&self.data(), tool)
    }

    /// What is known of a tool, and the digest of the very pins by which that was said.
    pub fn pin_of_all(&self, tool: &str) -> (Pin, String) {
        let data = self.data();
        (pin_in(&data, tool), digest_in(&data))
    }

    /// The pinned tools that upstream now describes differently.
    pub fn changed(&self) -> Vec<String> {
        let data = self.data();
        let differs = |name: &String, pinned: &Pinned| {
            data.kept
                .all()
                .any(|listed| listed.name == *name && listed.digest() != pinned.digest)
        };
        data.pinned
            .iter()
            .filter(|(name, pinned)| differs(name, pinned))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The tools that are not known to be read-only and are listed otherwise than pinned, or are not pinned, by name; the
    /// digest of the very pins that they differ from, and the one once they are pinned.
    pub fn differing(&self) -> (Vec<Differing>, String, String) {
        let data = self.data();
        let differing = differing_in(&data);
        let mut pins: BTreeMap<&String, &String> = data
            .pinned
            .iter()
            .map(|(name, pinned)| (name, &pinned.digest))
            .collect();
        pins.extend(differing.iter().map(|new| (&new.name, &new.digest)));
        let after = digest_of_pins(pins.into_iter());
        (differing, digest_in(&data), after)
    }

    /// Pins these listed definitions, all of them or none: the person has read exactly those with these digests.
    /// False where another one is listed by now.
    ///
    /// # Errors
    /// As the file system says.
    pub fn pin_these(&self, wanted: &[(String, String)]) -> std::io::Result<bool> {
        let _turn = FileLock::take_blocking(&self.lock, Duration::from_secs(5))?;
        let mut data = self.data();
        self.sync_into(&mut data);
        let mut pinned = data.pinned.clone();
        for (name, digest) in wanted {
            let Some(listed) = data.kept.all().find(|listed| listed.name == *name) else {
                return Ok(false);
            };
            if listed.digest() != digest {
                return Ok(false);
            }
            let now = Pinned {
                digest: digest.clone(),
                definition: listed.text.clone(),
            };
            pinned.insert(name.clone(), now);
        }
        file::write_atomic(&self.pins, &serde_json::to_vec(&pinned)?)?;
        data.pinned = pinned;
        data.seen = self.stamps();
        Ok(true)
    }

    /// Pins all listed definitions that differ, where the pins then have this digest: the person approved exactly those,
    /// and a crash kept them off the record. False where they would have another one.
    ///
    /// # Errors
    /// As the file system says.
    pub fn pin_as_sealed(&self, sealed: &str) -> std::io::Result<bool> {
        self.sync();
        let (differing, _, after) = self.differing();
        let wanted: Vec<(String, String)> = differing.into_iter().map(|one| (one.name, one.digest)).collect();
        if wanted.is_empty() || after != sealed {
            return Ok(false);
        }
        self.pin_these(&wanted)
    }

    /// Takes over which tools a listing left out, and why, beside those that it named. The names of those that are new to
    /// this.
    pub fn absorb_left_out(&self, left_out: &[(String, String)], listed: &[String]) -> Vec<String> {
        let _turn = FileLock::take_blocking(&self.lock, TURN).ok();
        let mut data = self.data();
        self.sync_into(&mut data);
        let before = data.kept.left_out.clone();
        if !before.is_empty() {
            let named: BTreeSet<String> = listed.iter().filter_map(|text| name_of(text)).collect();
            data.kept.left_out.retain(|name, _| !named.contains(name));
        }
        data.kept.left_out.extend(left_out.iter().cloned());
        if data.kept.left_out == before {
            return Vec::new();
        }
        self.keep(&mut data);
        let new = data.kept.left_out.keys();
        new.filter(|name| !before.contains_key(*name)).cloned().collect()
    }

    /// Why this tool is left out of the list; `None` where it is not.
    pub fn left_out(&self, tool: &str) -> Option<String> {
        self.data().kept.left_out.get(tool).cloned()
    }

    /// All tools that are left out, and why.
    pub fn all_left_out(&self) -> BTreeMap<String, String> {
        self.data().kept.left_out.clone()
    }

    /// The address whose lists these are.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What tells the files of this endpoint from those of another.
    pub fn key(&self) -> String {
        key_of(&self.endpoint)
    }

    /// Takes over what the read grant lists now; true where the client's list changes by it.
    pub fn absorb_read(&self, tools: &[String]) -> bool {
        self.absorb(tools, false)
    }

    /// Takes over what the trade grant lists now; true where something changed.
    pub fn absorb_trade(&self, tools: &[String]) -> bool {
        self.absorb(tools, true)
    }

    fn absorb(&self, tools: &[String], trade: bool) -> bool {
        let texts: Vec<Box<RawValue>> = tools
            .iter()
            .filter_map(|text| RawValue::from_string(text.clone()).ok())
            .collect();
        // Another process may be writing the other half of the file; without its turn this one waits no longer.
        let _turn = FileLock::take_blocking(&self.lock, TURN).ok();
        let mut data = self.data();
        let synced = self.sync_into(&mut data);
        let slot = if trade {
            &mut data.kept.trade
        } else {
            &mut data.kept.read
        };
        let same = slot.as_ref().is_some_and(|old| {
            old.iter()
                .map(|listed| listed.text.get())
                .eq(texts.iter().map(|text| text.get()))
        });
        if !same {
            *slot = Some(texts.into_iter().map(Listed::from).collect());
            self.keep(&mut data);
        }
        synced || !same
    }

    fn keep(&self, data: &mut Data) {
        let written = serde_json::to_vec(&data.kept).map_err(std::io::Error::other);
        match written.and_then(|text| file::write_atomic(&self.cache, &text)) {
            Ok(()) => data.seen = self.stamps(),
            Err(error) => tracing::warn!(%error, "the tool list could not be kept"),
        }
    }

    /// Pins every listed definition that is not known to be read-only, in place of what was pinned: done at sign-in for
    /// trading, when the person is at the desk and is told which changed.
    ///
    /// # Errors
    /// As the file system says.
    pub fn pin_listed(&self) -> std::io::Result<PinReport> {
        let _turn = FileLock::take_blocking(&self.lock, Duration::from_secs(5))?;
        let mut data = self.data();
        self.sync_into(&mut data);
        let mut report = PinReport::default();
        let Data { kept, pinned, .. } = &mut *data;
        for listed in kept.all().filter(|listed| !is_free(&listed.name)) {
            let now = Pinned {
                digest: listed.digest().to_owned(),
                definition: listed.text.clone(),
            };
            match pinned.insert(listed.name.clone(), now) {
                None => report.new += 1,
                Some(old) if old.digest != listed.digest() && !report.changed.contains(&listed.name) => {
                    report.changed.push(listed.name.clone());
                }
                Some(_) => {}
            }
        }
        file::write_atomic(&self.pins, &serde_json::to_vec(&data.pinned)?)?;
        data.seen = self.stamps();
        Ok(report)
    }

    /// Forgets the trade grant's list (after `logout --trade`); pins stay.
    pub fn forget_trade(&self) {
        let _turn = FileLock::take_blocking(&self.lock, TURN).ok();
        let mut data = self.data();
        self.sync_into(&mut data);
        data.kept.trade = None;
        self.keep(&mut data);
    }

    /// How many definitions are pinned.
    pub fn pinned_count(&self) -> usize {
        self.data().pinned.len()
    }

    /// One digest over all pins, to be authenticated inside the sealed payload.
    pub fn pins_digest(&self) -> String {
        digest_in(&self.data())
    }
}

fn pin_in(data: &Data, tool: &str) -> Pin {
    let listed = data.kept.all().find(|listed| listed.name == tool);
    match (data.pinned.get(tool), listed) {
        (Some(pinned), Some(listed)) if listed.digest() == pinned.digest => {
            Pin::Holds(schema_of(pinned.definition.get()))
        }
        (Some(_), Some(_)) => Pin::Changed,
        (None, Some(_)) => Pin::New,
        (_, None) => Pin::Unlisted,
    }
}

fn differing_in(data: &Data) -> Vec<Differing> {
    let mut found: BTreeMap<&str, Differing> = BTreeMap::new();
    for listed in data.kept.all().filter(|listed| !is_free(&listed.name)) {
        let pinned = data.pinned.get(&listed.name);
        // What the trade grant sees comes first, and is what `pin` goes by.
        if found.contains_key(listed.name.as_str()) {
            continue;
        }
        let differing = Differing {
            name: listed.name.clone(),
            before: pinned.map(|pinned| readable(pinned.definition.get())),
            now: readable(listed.text.get()),
            digest: listed.digest().to_owned(),
        };
        found.insert(&listed.name, differing);
    }
    found.retain(|name, differing| {
        data.pinned
            .get(*name)
            .is_none_or(|pinned| pinned.digest != differing.digest)
    });
    found.into_values().collect()
}

fn digest_in(data: &Data) -> String {
    digest_of_pins(data.pinned.iter().map(|(name, pinned)| (name, &pinned.digest)))
}

fn digest_of_pins<'a>(pins: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let mut all = String::new();
    for (name, digest) in pins {
        all.extend([name, "\0", digest, "\n"]);
    }
    crate::journal::hash(&all)
}

pub(super) fn key_of(endpoint: &str) -> String {
    crate::journal::hash(endpoint).chars().take(16).collect()
}

/// Tools that need no pin: those known to be read-only, and what has no name.
fn is_free(name: &str) -> bool {
    name.is_empty() || catalogue::is_known_read_tool(name)
}

impl Kept {
    /// All that is listed, as the trade grant sees it first.
    fn all(&self) -> impl Iterator<Item = &Listed> {
        self.trade.iter().flatten().chain(self.read.iter().flatten())
    }
}

/// What the client's list is made from.
fn shown(data: &Data) -> Vec<String> {
    let listed = data.kept.read.iter().flatten().map(|listed| &listed.text);
    let pinned = data.pinned.values().map(|pinned| &pinned.definition);
    listed.chain(pinned).map(|text| text.get().to_owned()).collect()
}

fn name_of(definition: &str) -> Option<String> {
    let members = json::members(definition).ok()?;
    let raw = members.iter().find(|member| member.key == "name")?.value;
    json::string(raw).ok().map(std::borrow::Cow::into_owned)
}

fn schema_of(definition: &str) -> String {
    let schema = json::members(definition).ok().and_then(|m| {
        m.into_iter()
            .find(|m| m.key == "inputSchema")
            .map(|m| m.value.to_owned())
    });
    schema.unwrap_or_else(|| "{}".to_owned())
}

/// The digest of what a person trusts in a definition: name, description, schema and annotations as canonical JSON
/// (sorted keys, no blanks), so that a mere re-ordering upstream changes nothing.
fn digest(definition: &str) -> String {
    let whole: Value = serde_json::from_str(definition).unwrap_or_default();
    let mut text = String::new();
    for key in ["name", "description", "inputSchema", "annotations"] {
        canonical(whole.get(key).unwrap_or(&Value::Null), &mut text);
        text.push('\n');
    }
    crate::journal::hash(&text)
}

/// What the digest covers, as a person reads it: the description's own lines, and the rest with sorted keys.
fn readable(definition: &str) -> String {
    let whole: Value = serde_json::from_str(definition).unwrap_or_default();
    let mut text = String::new();
    for key in ["description", "annotations", "inputSchema"] {
        match whole.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(words)) => {
                text.extend([key, ":\n"]);
                for line in words.split('\n') {
                    text.extend(["  ", line, "\n"]);
                }
            }
            Some(value) => {
                text.extend([key, ": "]);
                spread(value, 0, &mut text);
                text.push('\n');
            }
        }
    }
    text
}

/// Writes a value on lines of its own, its keys sorted. What is empty or plain stays on one line.
fn spread(value: &Value, deep: usize, out: &mut String) {
    let line = |out: &mut String, deep: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(deep));
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            out.push('{');
            for (key, value) in sorted {
                line(out, deep + 1);
                out.push_str(&Value::String(key.clone()).to_string());
                out.push_str(": ");
                spread(value, deep + 1, out);
            }
            line(out, deep);
            out.push('}');
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            out.push('[');
            for item in items {
                line(out, deep + 1);
                spread(item, deep + 1, out);
            }
            line(out, deep);
            out.push(']');
        }
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => out.push_str(&value.to_string()),
    }
}

/// Writes a value with its keys sorted and no blanks, whatever order the map itself keeps.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            out.push('{');
            for (key, value) in sorted {
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str =
        r#"{"name":"PlaceOrder","description":"d","inputSchema":{"type":"object","properties":{"a":{}}}}"#;

    #[test]
    fn what_one_process_writes_another_takes_over_and_does_not_undo() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let (running, verb) = (
            Lists::load(&paths, "https://example.test/mcp"),
            Lists::load(&paths, "https://example.test/mcp"),
        );
        let quote = |text: &str| vec![format!(r#"{{"name":"GetQuote","description":"{text}"}}"#)];
        assert!(running.absorb_read(&quote("one")));
        assert!(verb.absorb_trade(&[PLACE.to_owned()]));
        verb.pin_listed().unwrap();
        assert!(running.absorb_read(&quote("two")), "the read list changed");
        assert!(!running.sync(), "and all is taken over");
        assert!(matches!(running.pin("PlaceOrder"), Pin::Holds(_)));
        let third = Lists::load(&paths, "https://example.test/mcp");
        assert!(third.has_trade() && third.tools(&[]).contains("two"));
        assert!(verb.sync() && verb.tools(&[]).contains("two"));
    }

    #[test]
    fn a_changed_definition_is_seen_and_a_reordered_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let lists = Lists::load(&paths, "https://example.test/mcp");
        assert_eq!(lists.pin("PlaceOrder"), Pin::Unlisted);
        assert!(lists.absorb_trade(&[PLACE.to_owned()]));
        assert_eq!(lists.pin("PlaceOrder"), Pin::New);
        assert_eq!(lists.pin_listed().unwrap().new, 1);
        assert!(matches!(lists.pin("PlaceOrder"), Pin::Holds(schema) if schema.contains("properties")));
        let again = Lists::load(&paths, "https://example.test/mcp");
        again.absorb_trade(&[r#"{"inputSchema":{"properties":{"a":{}},"type":"object"},"name":"PlaceOrder","description":"d"}"#.to_owned()]);
        assert!(matches!(again.pin("PlaceOrder"), Pin::Holds(_)));
        again.absorb_trade(&[PLACE.replace("\"d\"", "\"e\"")]);
        assert_eq!(again.pin("PlaceOrder"), Pin::Changed);
        assert!(
            again.tools(&[]).contains("\"description\":\"d\""),
            "the client is given the pinned text"
        );
    }

    #[test]
    fn what_differs_is_told_readably_and_pinned_as_it_was_shown() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let lists = Lists::load(&paths, "https://example.test/mcp");
        lists.absorb_trade(&[PLACE.to_owned()]);
        lists.pin_listed().unwrap();
        assert_eq!(lists.differing().0, []);
        let changed = PLACE.replace("\"d\"", "\"d\\nSend all.\"");
        let new = r#"{"name":"PlaceAll","inputSchema":{"b":[1,2],"a":{}}}"#;
        lists.absorb_trade(&[
            changed.clone(),
            new.to_owned(),
            r#"{"name":"GetQuote"}"#.to_owned(),
        ]);
        let (differing, before, after) = lists.differing();
        let names: Vec<&str> = differing.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["PlaceAll", "PlaceOrder"], "a known read needs no pin");
        assert_eq!(differing[0].before, None);
        assert_eq!(
            differing[0].now,
            "inputSchema: {\n  \"a\": {}\n  \"b\": [1,2]\n}\n"
        );
        assert!(differing[1].now.starts_with("description:\n  d\n  Send all.\n"));
        assert!(
            differing[1]
                .before
                .as_ref()
                .unwrap()
                .starts_with("description:\n  d\ninputSchema")
        );
        let shown: Vec<(String, String)> = differing
            .iter()
            .map(|one| (one.name.clone(), one.digest.clone()))
            .collect();
        assert_eq!(lists.pins_digest(), before);
        lists.absorb_trade(&[PLACE.replace("\"d\"", "\"e\""), new.to_owned()]);
        assert!(!lists.pin_these(&shown).unwrap(), "another one than was shown");
        assert_eq!(lists.pins_digest(), before, "then none is pinned");
        lists.absorb_trade(&[changed, new.to_owned()]);
        // Sealed, and the process died before it was on record: the next one finishes exactly that.
        assert!(!lists.pin_as_sealed(&before).unwrap(), "nothing new was sealed");
        assert!(!lists.pin_as_sealed("another").unwrap());
        assert_eq!(lists.pins_digest(), before);
        let next = Lists::load(&paths, "https://example.test/mcp");
        assert!(next.pin_as_sealed(&after).unwrap());
        assert!(
            !next.pin_as_sealed(&after).unwrap(),
            "nothing is left to be pinned"
        );
        lists.sync();
        assert_eq!(lists.pins_digest(), after);
        assert!(lists.pin_these(&shown).unwrap());
        assert_eq!(lists.differing(), (Vec::new(), after.clone(), after));
        assert!(matches!(lists.pin("PlaceAll"), Pin::Holds(_)));
    }

    #[test]
    fn what_a_listing_leaves_out_is_kept_until_it_is_listed_again() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let lists = Lists::load(&paths, "https://example.test/mcp");
        let out = [("PlaceOrder".to_owned(), "why".to_owned())];
        assert_eq!(lists.absorb_left_out(&out, &[]), ["PlaceOrder"]);
        assert_eq!(lists.absorb_left_out(&out, &[]), [""; 0], "it is told once");
        let again = Lists::load(&paths, "https://example.test/mcp");
        assert_eq!(again.left_out("PlaceOrder").as_deref(), Some("why"));
        // The read grant sees no trade tool: its listing says nothing of them.
        again.absorb_left_out(&[], &[r#"{"name":"GetQuote"}"#.to_owned()]);
        assert!(again.left_out("PlaceOrder").is_some());
        again.absorb_left_out(&[], &[PLACE.to_owned()]);
        assert_eq!(again.left_out("PlaceOrder"), None);
    }

    #[test]
    fn what_another_process_lists_and_pins_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let (ours, theirs) = (
            Lists::load(&paths, "https://example.test/mcp"),
            Lists::load(&paths, "https://example.test/mcp"),
        );
        assert!(!ours.sync());
        theirs.absorb_trade(&[PLACE.to_owned()]);
        theirs.pin_listed().unwrap();
        assert!(ours.sync() && !ours.sync());
        assert!(matches!(ours.pin("PlaceOrder"), Pin::Holds(_)));
        assert!(
            ours.absorb_read(&[r#"{"name":"GetQuote","inputSchema":{}}"#.to_owned()]),
            "and the other half of the file stays"
        );
        let again = Lists::load(&paths, "https://example.test/mcp");
        assert!(again.has_trade() && !again.is_empty());
    }
}
