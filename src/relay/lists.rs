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
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The largest list that is kept.
const MAX_FILE: u64 = 32 * 1024 * 1024;

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
    cache: PathBuf,
    pins: PathBuf,
    lock: PathBuf,
    data: Mutex<Data>,
    /// The two files as they were when they were last read or written here.
    seen: Mutex<[Stamp; 2]>,
}

/// What tells one state of a file from another without reading it; `None` where there is no file.
type Stamp = Option<(SystemTime, u64)>;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Data {
    /// The endpoint's URL, for the person who looks into the file.
    endpoint: String,
    read: Option<Vec<Box<RawValue>>>,
    trade: Option<Vec<Box<RawValue>>>,
    #[serde(skip)]
    pinned: BTreeMap<String, Pinned>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pinned {
    digest: String,
    definition: Box<RawValue>,
}

impl Lists {
    /// Reads what is kept for this endpoint. A file that cannot be read counts as none: upstream is asked anew.
    pub fn load(paths: &Paths, endpoint: &str) -> Self {
        let key: String = crate::journal::hash(endpoint).chars().take(16).collect();
        let (cache, pins) = (paths.cache().join(format!("{key}.json")), paths.state().join(format!("pins-{key}.json")));
        let lists = Self { cache, pins, lock: paths.lock("lists.lock"), data: Mutex::default(), seen: Mutex::default() };
        lists.read(&mut lists.data());
        endpoint.clone_into(&mut lists.data().endpoint);
        lists
    }

    /// Takes over what another process has written; true where the client's list may have changed by it.
    pub fn reload(&self) -> bool {
        if *self.seen() == self.stamps() {
            return false;
        }
        let mut data = self.data();
        let before = listing(&data);
        self.read(&mut data);
        listing(&data) != before
    }

    fn read(&self, data: &mut Data) {
        // Stamps first: what is written between them and the reading is read once more, not missed.
        *self.seen() = self.stamps();
        let parse = |path: &PathBuf| file::read_text(path, MAX_FILE).ok().flatten();
        let kept: Data = parse(&self.cache).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let pinned = parse(&self.pins).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        *data = Data { endpoint: std::mem::take(&mut data.endpoint), pinned, ..kept };
    }

    fn stamps(&self) -> [Stamp; 2] {
        [&self.cache, &self.pins].map(|path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        })
    }

    fn seen(&self) -> MutexGuard<'_, [Stamp; 2]> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn to change the files, over all processes. Where it does not come the change is made all the same: a
    /// list that is too old is noticed and read anew.
    fn turn(&self) -> Option<FileLock> {
        FileLock::take_blocking(&self.lock, Duration::from_secs(2)).ok()
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything was ever listed.
    pub fn is_empty(&self) -> bool {
        self.data().read.is_none()
    }

    /// Whether a trade grant's list was ever seen.
    pub fn has_trade(&self) -> bool {
        self.data().trade.is_some()
    }

    /// The result of `tools/list` for the client: read tools as listed, all others as pinned, then our own.
    pub fn tools(&self, ours: &[String]) -> String {
        let data = self.data();
        let mut texts: Vec<&str> = Vec::new();
        for raw in data.read.iter().flatten() {
            let name = name_of(raw.get()).unwrap_or_default();
            if catalogue::is_known_read_tool(&name) {
                texts.push(raw.get());
            }
        }
        texts.extend(data.pinned.values().map(|pinned| pinned.definition.get()));
        texts.extend(ours.iter().map(String::as_str));
        format!(r#"{{"tools":[{}]}}"#, texts.join(","))
    }

    /// What is known of a tool.
    pub fn pin(&self, tool: &str) -> Pin {
        let data = self.data();
        let listed = data.trade.iter().flatten().chain(data.read.iter().flatten()).find(|raw| name_of(raw.get()).as_deref() == Some(tool));
        match (data.pinned.get(tool), listed) {
            (Some(pinned), Some(raw)) if digest(raw.get()) == pinned.digest => Pin::Holds(schema_of(pinned.definition.get())),
            (Some(_), Some(_)) => Pin::Changed,
            (None, Some(_)) => Pin::New,
            (_, None) => Pin::Unlisted,
        }
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
        let raws: Vec<Box<RawValue>> = tools.iter().filter_map(|text| RawValue::from_string(text.clone()).ok()).collect();
        let _turn = self.turn();
        // Another process may have written the other grant's list meanwhile: it must not be lost.
        self.reload();
        let mut data = self.data();
        let slot = if trade { &mut data.trade } else { &mut data.read };
        let same = slot.as_ref().is_some_and(|old| old.iter().map(|r| r.get()).eq(raws.iter().map(|r| r.get())));
        if same {
            return false;
        }
        *slot = Some(raws);
        self.write(&data);
        true
    }

    fn write(&self, data: &Data) {
        let written = serde_json::to_vec(data).map_err(std::io::Error::other);
        if let Err(error) = written.and_then(|text| file::write_atomic(&self.cache, &text)) {
            tracing::warn!(%error, "the tool list could not be kept");
        }
        *self.seen() = self.stamps();
    }

    /// Pins every definition that is not known to be read-only and is not pinned yet: done at sign-in, when the
    /// person is at the desk. Definitions that are pinned already stay, changed or not.
    ///
    /// # Errors
    /// As the file system says.
    pub fn pin_new(&self) -> std::io::Result<usize> {
        let _turn = FileLock::take_blocking(&self.lock, Duration::from_secs(5))?;
        self.reload();
        let mut data = self.data();
        let listed: Vec<Box<RawValue>> = data.trade.iter().flatten().chain(data.read.iter().flatten()).cloned().collect();
        let before = data.pinned.len();
        for raw in listed {
            let Some(name) = name_of(raw.get()).filter(|name| !catalogue::is_known_read_tool(name)) else { continue };
            data.pinned.entry(name).or_insert_with(|| Pinned { digest: digest(raw.get()), definition: raw });
        }
        file::write_atomic(&self.pins, &serde_json::to_vec(&data.pinned)?)?;
        *self.seen() = self.stamps();
        Ok(data.pinned.len() - before)
    }

    /// Forgets the trade grant's list (after `logout --trade`); pins stay.
    pub fn forget_trade(&self) {
        let _turn = self.turn();
        self.reload();
        let mut data = self.data();
        if data.trade.take().is_some() {
            self.write(&data);
        }
    }

    /// How many definitions are pinned.
    pub fn pinned_count(&self) -> usize {
        self.data().pinned.len()
    }

    /// One digest over all pins, to be authenticated inside the sealed payload.
    pub fn pins_digest(&self) -> String {
        let data = self.data();
        let all: String = data.pinned.iter().map(|(name, pinned)| format!("{name}\0{}\n", pinned.digest)).collect();
        crate::journal::hash(&all)
    }
}

/// All that the client's list is made from.
fn listing(data: &Data) -> Vec<String> {
    let texts = data.read.iter().chain(&data.trade).flatten().map(|raw| raw.get().to_owned());
    texts.chain(data.pinned.values().map(|pinned| pinned.definition.get().to_owned())).collect()
}

fn name_of(definition: &str) -> Option<String> {
    let members = json::members(definition).ok()?;
    let raw = members.iter().find(|member| member.key == "name")?.value;
    json::string(raw).ok().map(std::borrow::Cow::into_owned)
}

fn schema_of(definition: &str) -> String {
    let schema = json::members(definition).ok().and_then(|m| m.into_iter().find(|m| m.key == "inputSchema").map(|m| m.value.to_owned()));
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
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = r#"{"name":"PlaceOrder","description":"d","inputSchema":{"type":"object","properties":{"a":{}}}}"#;

    #[test]
    fn what_one_process_writes_another_takes_over_and_does_not_undo() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let (running, verb) = (Lists::load(&paths, "https://example.test/mcp"), Lists::load(&paths, "https://example.test/mcp"));
        let quote = |text: &str| vec![format!(r#"{{"name":"GetQuote","description":"{text}"}}"#)];
        assert!(running.absorb_read(&quote("one")));
        assert!(verb.absorb_trade(&[PLACE.to_owned()]));
        verb.pin_new().unwrap();
        assert!(running.absorb_read(&quote("two")), "the read list changed");
        assert!(!running.reload(), "and all is taken over");
        assert!(matches!(running.pin("PlaceOrder"), Pin::Holds(_)));
        let third = Lists::load(&paths, "https://example.test/mcp");
        assert!(third.has_trade() && third.tools(&[]).contains("two"));
        assert!(verb.reload() && verb.tools(&[]).contains("two"));
    }

    #[test]
    fn a_changed_definition_is_seen_and_a_reordered_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let lists = Lists::load(&paths, "https://example.test/mcp");
        assert_eq!(lists.pin("PlaceOrder"), Pin::Unlisted);
        assert!(lists.absorb_trade(&[PLACE.to_owned()]));
        assert_eq!(lists.pin("PlaceOrder"), Pin::New);
        assert_eq!(lists.pin_new().unwrap(), 1);
        assert!(matches!(lists.pin("PlaceOrder"), Pin::Holds(schema) if schema.contains("properties")));
        let again = Lists::load(&paths, "https://example.test/mcp");
        again.absorb_trade(&[r#"{"inputSchema":{"properties":{"a":{}},"type":"object"},"name":"PlaceOrder","description":"d"}"#.to_owned()]);
        assert!(matches!(again.pin("PlaceOrder"), Pin::Holds(_)));
        again.absorb_trade(&[PLACE.replace("\"d\"", "\"e\"")]);
        assert_eq!(again.pin("PlaceOrder"), Pin::Changed);
        assert!(again.tools(&[]).contains("\"description\":\"d\""), "the client is given the pinned text");
    }
}
