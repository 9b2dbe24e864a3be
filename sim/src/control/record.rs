//! What the simulator saw and did, for tests to ask.

use std::collections::{BTreeMap, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

const MAX_ENTRIES: usize = 20_000;
const MAX_RAW: usize = 400;
const MAX_RAW_BYTES: usize = 8 << 20;

/// One execution of a tool that changes something.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Execution {
    pub(crate) tool: String,
    /// The bytes as they came.
    pub(crate) arguments: Box<RawValue>,
    /// The scope of the token.
    pub(crate) grant: String,
    pub(crate) client_name: String,
    pub(crate) user: String,
    pub(crate) at: String,
    /// `ok`, or the error code that the tool answered with.
    pub(crate) outcome: String,
}

/// One request to the MCP endpoint.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Call {
    /// GET, POST or DELETE.
    pub(crate) http: String,
    /// The JSON-RPC method; empty where there is none.
    pub(crate) method: String,
    pub(crate) tool: Option<String>,
    /// The scope of the token; `None` where it is not valid.
    pub(crate) grant: Option<String>,
    pub(crate) client_name: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) protocol_version: Option<String>,
    /// Headers that repeat what the body says: `mcp-name`, `mcp-param-*`.
    pub(crate) mirrored: BTreeMap<String, String>,
    pub(crate) at: String,
    /// The same in microseconds since 1970.
    pub(crate) at_us: u64,
}

/// One body, as it came.
#[derive(Debug, Clone)]
struct Raw {
    path: String,
    body: bytes::Bytes,
}

/// All of it, bounded.
#[derive(Debug, Default)]
pub(crate) struct Record {
    executed: Vec<Execution>,
    calls: VecDeque<Call>,
    requests: BTreeMap<String, u64>,
    raw: VecDeque<Raw>,
    pub(crate) connections: u64,
}

impl Record {
    pub(crate) fn execution(&mut self, entry: Execution) {
        if self.executed.len() < MAX_ENTRIES {
            self.executed.push(entry);
        }
    }

    pub(crate) fn call(&mut self, entry: Call) {
        let name = if entry.method.is_empty() {
            entry.http.clone()
        } else {
            entry.method.clone()
        };
        self.count(name);
        if self.calls.len() >= MAX_ENTRIES {
            self.calls.pop_front();
        }
        self.calls.push_back(entry);
    }

    pub(crate) fn count(&mut self, name: String) {
        if self.requests.len() < MAX_ENTRIES || self.requests.contains_key(&name) {
            *self.requests.entry(name).or_default() += 1;
        }
    }

    pub(crate) fn raw(&mut self, path: &str, body: bytes::Bytes) {
        if body.is_empty() || body.len() > MAX_RAW_BYTES {
            return;
        }
        if self.raw.len() >= MAX_RAW {
            self.raw.pop_front();
        }
        self.raw.push_back(Raw {
            path: path.to_owned(),
            body,
        });
    }

    pub(crate) fn executed(&self) -> &[Execution] {
        &self.executed
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.iter().cloned().collect()
    }

    pub(crate) fn requests(&self) -> &BTreeMap<String, u64> {
        &self.requests
    }

    /// The last `count` bodies, oldest first: base64 always, text where it is UTF-8.
    pub(crate) fn last_raw(&self, count: usize) -> Value {
        let skip = self.raw.len().saturating_sub(count);
        self.raw
            .iter()
            .skip(skip)
            .map(|raw| {
                json!({
                    "path": raw.path,
                    "base64": STANDARD.encode(&raw.body),
                    "text": std::str::from_utf8(&raw.body).ok(),
                })
            })
            .collect()
    }
}
