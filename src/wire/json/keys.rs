//! Watches the keys of every object of a value: no key twice, no two that differ in letter case only.

use std::borrow::Cow;
use std::collections::HashMap;

use super::scan::Watch;
use super::text::{Text, decode};
use super::{FEW_KEYS, JsonError, shown};

/// The keys of the open objects.
#[derive(Default)]
pub(super) struct Keys<'a> {
    /// Folded and plain keys of all open objects that have few, outermost first.
    few: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    levels: Vec<Level<'a>>,
}

/// One open object.
struct Level<'a> {
    /// Where its keys begin in `few`.
    start: usize,
    /// All its keys by folded key, once it has more than a few.
    many: HashMap<Cow<'a, str>, Cow<'a, str>>,
}

impl<'a> Watch<'a> for Keys<'a> {
    fn open_object(&mut self) {
        self.levels.push(Level {
            start: self.few.len(),
            many: HashMap::new(),
        });
    }

    fn key(&mut self, key: &Text<'a>) -> Result<(), JsonError> {
        let key = decode(key)?;
        let folded = fold(&key);
        let Some(level) = self.levels.last_mut() else {
            return Ok(());
        };
        if !level.many.is_empty() {
            return match level.many.insert(folded, key.clone()) {
                None => Ok(()),
                Some(earlier) => Err(twins(&earlier, &key)),
            };
        }
        let mine = self.few.get(level.start..).unwrap_or_default();
        if let Some((_, earlier)) = mine.iter().find(|(other, _)| *other == folded) {
            return Err(twins(earlier, &key));
        }
        let many = mine.len() >= FEW_KEYS;
        self.few.push((folded, key));
        if many {
            level.many.extend(self.few.drain(level.start..));
        }
        Ok(())
    }

    fn string(&mut self, text: &Text<'a>) -> Result<(), JsonError> {
        text.lone.map_or(Ok(()), |at| Err(JsonError::LoneSurrogate(at)))
    }

    fn close_object(&mut self) {
        if let Some(level) = self.levels.pop() {
            self.few.truncate(level.start);
        }
    }
}

fn twins(earlier: &str, later: &str) -> JsonError {
    if earlier == later {
        JsonError::DuplicateKey(shown(later))
    } else {
        JsonError::CaseTwins(shown(earlier), shown(later))
    }
}

/// Whether two keys differ in letter case only, or not at all. Nearly all keys are ASCII: then nothing is copied.
pub(super) fn alike(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    fold(&Cow::Borrowed(one)) == fold(&Cow::Borrowed(other))
}

/// The key without its letter case. Down, up and down again, character by character, so that also those pairs meet
/// that one step keeps apart: `ẞ`/`ß`/`ss`, `ς`/`σ`, the Kelvin sign and `k`.
pub(super) fn fold<'a>(key: &Cow<'a, str>) -> Cow<'a, str> {
    if key
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
    {
        return key.clone();
    }
    if key.is_ascii() {
        return Cow::Owned(key.to_ascii_lowercase());
    }
    let lower = key.chars().flat_map(char::to_lowercase);
    Cow::Owned(
        lower
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .collect(),
    )
}
