//! Our entry: what a client is told to start, in the shape that its file wants.
//!
//! Owns: the few kinds of values that entries are made of, and how they read in JSON, TOML and YAML. Holds no secret: a
//! path, fixed words and numbers.

use super::Places;
use jsonc_parser::cst::CstInputValue;
use serde_json::json;

/// The name under which we stand in every client.
pub const NAME: &str = "countersign";

/// A value of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Yes,
    List(Vec<String>),
    Map(Vec<(&'static str, String)>),
}

/// The keys of an entry, in the order in which they are written.
pub(super) type Entry = Vec<(&'static str, Value)>;

/// What every entry has: the program, its words, and the installation where it is not the usual one.
pub(super) fn start(places: &Places) -> Entry {
    let mut entry = vec![
        ("command", Value::Text(places.program.clone())),
        ("args", Value::List(places.arguments.clone())),
    ];
    if let Some(home) = &places.countersign_home {
        entry.push(("env", Value::Map(vec![("COUNTERSIGN_HOME", home.clone())])));
    }
    entry
}

/// The same with `type: stdio` before it.
pub(super) fn typed(places: &Places) -> Entry {
    let mut entry = start(places);
    entry.insert(0, ("type", Value::Text("stdio".to_owned())));
    entry
}

impl Value {
    pub(super) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number) => json!(number),
            Self::Yes => json!(true),
            Self::List(list) => json!(list),
            Self::Map(map) => map
                .iter()
                .map(|(key, value)| ((*key).to_owned(), json!(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    pub(super) fn to_cst(&self) -> CstInputValue {
        match self {
            Self::Text(text) => CstInputValue::String(text.clone()),
            Self::Number(number) => CstInputValue::Number(number.to_string()),
            Self::Yes => CstInputValue::Bool(true),
            Self::List(list) => list.clone().into(),
            Self::Map(map) => CstInputValue::Object(
                map.iter()
                    .map(|(key, value)| ((*key).to_owned(), CstInputValue::String(value.clone())))
                    .collect(),
            ),
        }
    }

    pub(super) fn to_toml(&self) -> toml_edit::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => i64::try_from(*number).unwrap_or(i64::MAX).into(),
            Self::Yes => true.into(),
            Self::List(list) => list
                .iter()
                .map(String::as_str)
                .collect::<toml_edit::Array>()
                .into(),
            Self::Map(map) => map
                .iter()
                .map(|(key, value)| (*key, value.as_str()))
                .collect::<toml_edit::InlineTable>()
                .into(),
        }
    }
}

/// The entry as an object for comparing, deep links and `--json`.
pub(super) fn to_json(entry: &Entry) -> serde_json::Value {
    entry
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.to_json()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

pub(super) fn to_cst(entry: &Entry) -> CstInputValue {
    let members = entry
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.to_cst()));
    CstInputValue::Object(members.collect())
}

/// A line of JSON whose keys keep their order (objects of serde sort theirs).
pub(super) fn json_line(entry: &Entry) -> String {
    let members = entry.iter().map(|(key, value)| match value {
        Value::Map(map) => {
            let inner: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}:{}", json!(key), json!(value)))
                .collect();
            format!("{}:{{{}}}", json!(key), inner.join(","))
        }
        other => format!("{}:{}", json!(key), other.to_json()),
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}
