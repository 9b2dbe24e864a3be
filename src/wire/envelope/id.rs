//! Request ids and progress tokens: strings or integers, kept as they were written.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use super::super::json;

/// A request id as it was written: a string or an integer (MCP, base protocol, messages). Two ids are equal when
/// their kind and their value are: `7` and `"7"` differ, `"a"` and `"\u0061"` do not, nor do `0` and `-0`.
#[derive(Debug, Clone)]
pub struct Id {
    raw: Box<str>,
    /// What makes two ids equal: a letter for the kind, then the value.
    key: Box<str>,
}

impl Id {
    /// Reads an id from its JSON text; `None` for null, fractions, and anything that is no string or integer.
    pub fn from_raw(raw: &str) -> Option<Self> {
        let key = if raw.starts_with('"') {
            string_key(raw)?
        } else {
            integer_key(raw)?
        };
        Some(Self {
            raw: raw.into(),
            key: key.into(),
        })
    }

    /// The id as text of our own making: a JSON string.
    pub fn ours(text: &str) -> Self {
        let raw = serde_json::Value::from(text).to_string();
        Self {
            raw: raw.into(),
            key: format!("s{text}").into(),
        }
    }

    /// The JSON text to write back, byte for byte as it came.
    pub fn raw(&self) -> &str {
        &self.raw
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Id {}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

/// A string with half a surrogate pair has no text, but is a legal id: it equals only what is written the same way.
fn string_key(raw: &str) -> Option<String> {
    match json::string(raw) {
        Ok(text) => Some(format!("s{text}")),
        Err(json::JsonError::LoneSurrogate(_)) => Some(format!("w{raw}")),
        Err(_) => None,
    }
}

/// Integers of any length, compared as text: JSON has one spelling for each, but for minus zero.
fn integer_key(raw: &str) -> Option<String> {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    let plain = digits == "0" || !digits.starts_with('0');
    if digits.is_empty() || !plain || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let canonical = if digits == "0" {
        Cow::Borrowed("0")
    } else {
        Cow::Borrowed(raw)
    };
    Some(format!("i{canonical}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_text_and_compare_by_kind_and_value() {
        let id = |raw: &str| Id::from_raw(raw).unwrap();
        for raw in [
            "0",
            "-0",
            "-17",
            "7",
            "\"7\"",
            "\"\"",
            "36893488147419103232",
            "\"\\u0061\\/\"",
            "\"\\ud800\"",
        ] {
            assert_eq!(id(raw).raw(), raw);
        }
        assert_ne!(id("7"), id("\"7\""));
        assert_eq!(id("\"a\""), id("\"\\u0061\""));
        assert_eq!(id("-0"), id("0"));
        assert_ne!(id("-1"), id("1"));
        assert_ne!(id("9007199254740992"), id("9007199254740993"));
        assert_eq!(Id::ours("a\"b"), id("\"a\\\"b\""));
        assert_eq!(Id::ours("a\"b").raw(), "\"a\\\"b\"");
        assert_ne!(id("\"\\ud800\""), id("\"\\ud801\""));
    }

    #[test]
    fn what_is_no_string_or_integer_is_no_id() {
        for raw in [
            "null", "1.0", "1e2", "1.5", "true", "[]", "{}", "", "-", "01", "+1", " 1", "\"a", "\"a\"b",
            "\"\\x\"", "--1",
        ] {
            assert!(Id::from_raw(raw).is_none(), "{raw}");
        }
    }
}
