//! Editing that leaves everything else as it is: comments, order, line ends, a byte order mark.
//!
//! Owns: text in, text out. Refuses to know: files. What it returns has been read again: it says the same as before, but for
//! our entry.

pub(super) mod json;
pub(super) mod toml;

use super::Way;
use super::entry::Entry;
use serde_json::{Map, Value};

/// The mark that Windows programs put before UTF-8.
const BOM: char = '\u{feff}';

/// What goes wrong with a text: a plain phrase that follows "the file was left as it is: ".
pub(super) type Wrong = String;

/// The servers that a text names, by name.
pub(super) fn servers(way: Way, text: &str) -> Result<Map<String, Value>, Wrong> {
    let whole = document(way, text)?;
    let servers = match way {
        Way::Json(key) | Way::Toml(key) => whole.get(key).cloned(),
        Way::ByHand(_) => None,
    };
    match servers {
        None => Ok(Map::new()),
        Some(Value::Object(servers)) => Ok(servers),
        Some(_) => Err("its list of servers is no list of servers".to_owned()),
    }
}

/// The whole text as values.
pub(super) fn document(way: Way, text: &str) -> Result<Value, Wrong> {
    let body = text.strip_prefix(BOM).unwrap_or(text);
    match way {
        Way::Json(_) => json::document(body),
        Way::Toml(_) => toml::document(body),
        Way::ByHand(_) => Ok(Value::Null),
    }
}

/// The text with our entry. Keys that the person added to it stay.
pub(super) fn set(way: Way, text: &str, entry: &Entry) -> Result<String, Wrong> {
    around_bom(text, |body| {
        let new = match way {
            Way::Json(key) => json::set(body, key, entry)?,
            Way::Toml(key) => toml::set(body, key, entry)?,
            Way::ByHand(_) => return Err("its file is not edited by us".to_owned()),
        };
        Ok(like_the_rest(body, &new))
    })
}

/// The text without our entry, and without the key that held it where that is empty and `key_too`.
pub(super) fn unset(way: Way, text: &str, key_too: bool) -> Result<String, Wrong> {
    around_bom(text, |body| match way {
        Way::Json(key) => json::unset(body, key, key_too),
        Way::Toml(key) => toml::unset(body, key, key_too),
        Way::ByHand(_) => Err("its file is not edited by us".to_owned()),
    })
}

/// Whether a text says nothing at all (what we would leave of a file that we made).
pub(super) fn is_bare(way: Way, text: &str) -> bool {
    document(way, text).is_ok_and(|whole| whole.is_null() || whole.as_object().is_some_and(Map::is_empty))
}

/// Whether a text is JSON with comments or trailing commas, which strict readers refuse.
pub(super) fn is_lenient(way: Way, text: &str) -> bool {
    let body = text.strip_prefix(BOM).unwrap_or(text);
    matches!(way, Way::Json(_))
        && !body.trim().is_empty()
        && serde_json::from_str::<serde::de::IgnoredAny>(body).is_err()
}

fn around_bom(text: &str, edit: impl FnOnce(&str) -> Result<String, Wrong>) -> Result<String, Wrong> {
    match text.strip_prefix(BOM) {
        Some(body) => edit(body).map(|new| format!("{BOM}{new}")),
        None => edit(text),
    }
}

/// New lines end as the file's lines end.
fn like_the_rest(before: &str, after: &str) -> String {
    let crlf = before.matches("\r\n").count();
    if crlf == 0 || crlf * 2 < before.matches('\n').count() {
        return after.to_owned();
    }
    let splice = Splice::between(before, after);
    let plain = splice.inserted.replace("\r\n", "\n").replace('\n', "\r\n");
    Splice {
        inserted: plain,
        ..splice
    }
    .forth(before)
    .unwrap_or_else(|| after.to_owned())
}

/// The one stretch in which two texts differ.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Splice {
    /// Where it begins, in bytes.
    pub(super) offset: usize,
    pub(super) removed: String,
    pub(super) inserted: String,
}

impl Splice {
    pub(super) fn between(before: &str, after: &str) -> Self {
        let pairs = before.char_indices().zip(after.chars());
        let offset = pairs
            .take_while(|((_, a), b)| a == b)
            .map(|((at, a), _)| at + a.len_utf8())
            .last()
            .unwrap_or(0);
        let (old, new) = (before.get(offset..), after.get(offset..));
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let pairs = old.chars().rev().zip(new.chars().rev());
        let same: usize = pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        let cut = |text: &str| text.get(..text.len() - same).unwrap_or_default().to_owned();
        Self {
            offset,
            removed: cut(old),
            inserted: cut(new),
        }
    }

    /// The later text, of the earlier one.
    pub(super) fn forth(&self, before: &str) -> Option<String> {
        Self::swap(before, self.offset, &self.removed, &self.inserted)
    }

    /// The earlier text, of the later one.
    pub(super) fn back(&self, after: &str) -> Option<String> {
        Self::swap(after, self.offset, &self.inserted, &self.removed)
    }

    fn swap(text: &str, offset: usize, old: &str, new: &str) -> Option<String> {
        let (start, rest) = (text.get(..offset)?, text.get(offset..)?);
        let rest = rest.strip_prefix(old)?;
        Some(format!("{start}{new}{rest}"))
    }
}

#[cfg(test)]
mod tests;
