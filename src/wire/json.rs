//! The strict, lossless JSON reader: it finds the members of an object as slices of the original text, and tells
//! what an ordinary parser hides (repeated keys, twins by case or escape, trailing data, depth).
//!
//! Every function here is one pass over the text, never recurses, and does not interpret numbers. Refuses to know:
//! what any key means.

mod keys;
mod scan;
mod text;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::run;
use keys::Keys;
use scan::{Scanner, Unwatched};
use text::decode;

/// How deep arrays and objects may nest before a message is refused. Real messages stay below 30; the bound keeps
/// the work and the stack of every later reader small.
pub const MAX_DEPTH: usize = 128;

/// How many members beside the known ones an envelope or the `params` of a call may have. Real ones have a handful.
pub const MAX_MEMBERS: usize = 256;

/// The values of the words that a reader asked for, in its order, and the keys of all other members.
pub(super) type Known<'a, const N: usize> = ([Option<&'a str>; N], Vec<Cow<'a, str>>);

/// Up to this many keys are compared one by one: cheaper than hashing, and most objects are smaller.
const FEW_KEYS: usize = 16;

/// One member of an object: the decoded key and the untouched text of the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key after unescaping (RFC 8259 section 7).
    pub key: Cow<'a, str>,
    /// The value exactly as written, without surrounding blanks.
    pub value: &'a str,
}

/// Why a text is not the JSON that we accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON by RFC 8259, at this byte.
    #[error("not JSON at byte {0}")]
    Syntax(usize),
    /// Not UTF-8, at this byte.
    #[error("not UTF-8 at byte {0}")]
    Utf8(usize),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// Something other than an object where an object is needed.
    #[error("not a JSON object")]
    NotAnObject,
    /// Something other than an array where an array is needed.
    #[error("not a JSON array")]
    NotAnArray,
    /// The same key twice in one object.
    #[error("the key {0:?} stands twice in one object")]
    DuplicateKey(String),
    /// Two keys of one object that differ in letter case only.
    #[error("the keys {0:?} and {1:?} differ in letter case only")]
    CaseTwins(String, String),
    /// More text after the value.
    #[error("more text after the value, at byte {0}")]
    Trailing(usize),
    /// Half of a surrogate pair, at this byte: legal JSON text (RFC 8259 section 8.2), but no text to anyone.
    #[error("half a surrogate pair at byte {0}")]
    LoneSurrogate(usize),
    /// More than [`MAX_MEMBERS`] unknown members.
    #[error("more than {MAX_MEMBERS} unknown members")]
    TooManyMembers,
    /// JSON, but a member is missing or of the wrong kind.
    #[error("{0}")]
    Shape(&'static str),
}

/// Reads `text` as one object and returns its members in order. Nested values are checked for syntax and depth only.
/// A repeated key at the top level is an error; deeper ones are not looked at (see [`check_strict`]).
pub fn members(text: &str) -> Result<Vec<Member<'_>>, JsonError> {
    let mut found: Vec<Member<'_>> = Vec::new();
    let mut index: HashSet<Cow<'_, str>> = HashSet::new();
    each_member(text, |key, value| {
        let repeated = if found.len() < FEW_KEYS {
            found.iter().any(|member| member.key == key)
        } else {
            if index.is_empty() {
                index.extend(found.iter().map(|member| member.key.clone()));
            }
            !index.insert(key.clone())
        };
        if repeated {
            return Err(JsonError::DuplicateKey(shown(&key)));
        }
        found.push(Member { key, value });
        Ok(())
    })?;
    Ok(found)
}

/// As [`members`], but a repeated key is no error: every member is there, in order. For text that is only passed on, of
/// which nothing may be lost; nobody may conclude anything from a key that stands there twice.
pub fn every_member(text: &str) -> Result<Vec<Member<'_>>, JsonError> {
    let mut found = Vec::new();
    each_member(text, |key, value| {
        found.push(Member { key, value });
        Ok::<(), JsonError>(())
    })?;
    Ok(found)
}

/// The value of one member of the object `text`, as written. Errors as [`members`], but the other keys are not
/// compared: a repeated `key` is an error, a repeated other key is not.
pub fn member<'a>(text: &'a str, key: &str) -> Result<Option<&'a str>, JsonError> {
    let mut value = None;
    each_member(text, |found, text| {
        if found == key && value.replace(text).is_some() {
            return Err(JsonError::DuplicateKey(shown(key)));
        }
        Ok(())
    })?;
    Ok(value)
}

/// Calls `found` with each member of the object `text` in order; its error ends the walk.
pub(super) fn each_member<'a, E: From<JsonError>>(
    text: &'a str,
    mut found: impl FnMut(Cow<'a, str>, &'a str) -> Result<(), E>,
) -> Result<(), E> {
    let mut scanner = Scanner::new(text);
    if scanner.skip_blanks() != Some(b'{') {
        return Err(whole(text).err().unwrap_or(JsonError::NotAnObject).into());
    }
    if scanner.open(b'{', b'}')? {
        loop {
            let key = decode(&scanner.key()?)?;
            let value = scanner.value(1, &mut Unwatched)?;
            found(key, value)?;
            if !scanner.more(b'}')? {
                break;
            }
        }
    }
    Ok(scanner.end()?)
}

/// Reads `text` as one array and returns its items as untouched text.
pub fn items(text: &str) -> Result<Vec<&str>, JsonError> {
    let mut found = Vec::new();
    each_item(text, |item| {
        found.push(item);
        Ok::<(), JsonError>(())
    })?;
    Ok(found)
}

/// Calls `found` with each item of the array `text` in order; its error ends the walk.
pub(super) fn each_item<'a, E: From<JsonError>>(
    text: &'a str,
    mut found: impl FnMut(&'a str) -> Result<(), E>,
) -> Result<(), E> {
    let mut scanner = Scanner::new(text);
    if scanner.skip_blanks() != Some(b'[') {
        return Err(whole(text).err().unwrap_or(JsonError::NotAnArray).into());
    }
    if scanner.open(b'[', b']')? {
        loop {
            found(scanner.value(1, &mut Unwatched)?)?;
            if !scanner.more(b']')? {
                break;
            }
        }
    }
    Ok(scanner.end()?)
}

/// Calls `found` with each member of what may be a broken or cut object, up to the first place that does not read:
/// there the value is `None`. A value counts only if its end was seen, as `12` may be the beginning of `123`.
pub(super) fn survey<'a>(text: &'a str, mut found: impl FnMut(Cow<'a, str>, Option<&'a str>)) {
    let mut scanner = Scanner::new(text);
    scanner.skip_blanks();
    let Ok(mut more) = scanner.open(b'{', b'}') else {
        return;
    };
    while more {
        let Ok(Ok(key)) = scanner.key().map(|key| decode(&key)) else {
            return;
        };
        let value = scanner.value(1, &mut Unwatched).ok();
        let after = scanner.more(b'}').ok();
        found(key, value.filter(|_| after.is_some()));
        more = after == Some(true);
    }
}

/// The members of the object `text` that `words` names, in that order, and the keys of all others. Refused are, as
/// two readers could disagree on them: any repeated key, any key that differs from a word in letter case only, and
/// more than [`MAX_MEMBERS`] members.
pub(super) fn known<'a, const N: usize>(text: &'a str, words: [&str; N]) -> Result<Known<'a, N>, JsonError> {
    let mut values = [None; N];
    let mut others: Vec<Cow<'a, str>> = Vec::new();
    each_member(text, |key, value| {
        let slot = words
            .iter()
            .zip(&mut values)
            .find(|(word, _)| keys::alike(word, &key));
        match slot {
            Some((word, _)) if key != *word => {
                return Err(JsonError::CaseTwins((*word).to_owned(), shown(&key)));
            }
            Some((_, slot)) if slot.is_some() => return Err(JsonError::DuplicateKey(shown(&key))),
            Some((_, slot)) => *slot = Some(value),
            None if others.contains(&key) => return Err(JsonError::DuplicateKey(shown(&key))),
            None if others.len() >= MAX_MEMBERS => return Err(JsonError::TooManyMembers),
            None => others.push(key),
        }
        Ok(())
    })?;
    Ok((values, others))
}

/// The first two of `keys` that differ in letter case only, or not at all.
pub(super) fn twins(keys: &[Cow<'_, str>]) -> Result<(), JsonError> {
    let mut seen: HashMap<Cow<'_, str>, &Cow<'_, str>> = HashMap::new();
    for key in keys {
        if let Some(earlier) = seen.insert(keys::fold(key), key) {
            return Err(JsonError::CaseTwins(shown(earlier), shown(key)));
        }
    }
    Ok(())
}

/// Checks one whole value by RFC 8259: syntax, depth, and nothing trailing.
pub fn whole(text: &str) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(text);
    scanner.value(0, &mut Unwatched)?;
    scanner.end()
}

/// Checks one whole value: syntax, depth, nothing trailing, no half surrogate pairs, and at every depth no repeated
/// key (after unescaping) and no two keys that differ in letter case only. This is the reading of trade calls: what
/// we show, judge and send must mean the same to every parser.
pub fn check_strict(text: &str) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(text);
    scanner.value(0, &mut Keys::default())?;
    scanner.end()
}

/// Decodes one JSON string literal, quotes included. A lone surrogate is an error.
pub fn string(literal: &str) -> Result<Cow<'_, str>, JsonError> {
    let mut scanner = Scanner::new(literal);
    let text = scanner.string()?;
    if scanner.at() != literal.len() {
        return Err(JsonError::Trailing(scanner.at()));
    }
    decode(&text)
}

/// Copies JSON text without the blanks between tokens. Strings, numbers and key order stay as they are: the text
/// becomes one line whatever it was (line framing, MCP stdio transport). What is no JSON becomes one line as well,
/// but need not mean anything.
pub fn minify(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut copy: Option<String> = None;
    let (mut kept, mut at, mut in_string) = (0, 0, false);
    loop {
        at = if in_string {
            run::string_end(bytes, at)
        } else {
            run::token_end(bytes, at)
        };
        match bytes.get(at) {
            None => break,
            Some(b'"') => in_string = !in_string,
            // An escaped quote does not end the string, nor does an escaped backslash escape what follows.
            Some(b'\\') if matches!(bytes.get(at + 1), Some(b'"' | b'\\')) => at += 1,
            // A raw line end is illegal in a string too (RFC 8259 section 7), and must never reach a line protocol.
            Some(b'\n' | b'\r') => {
                copy_run(&mut copy, text, kept, at);
                kept = at + 1;
            }
            Some(b' ' | b'\t') if !in_string => {
                copy_run(&mut copy, text, kept, at);
                kept = at + 1;
            }
            Some(_) => {}
        }
        at += 1;
    }
    match copy {
        None => Cow::Borrowed(text),
        Some(mut copy) => {
            copy.push_str(text.get(kept..).unwrap_or_default());
            Cow::Owned(copy)
        }
    }
}

/// Moves the bytes from `from` to `to` into the copy, which is begun here if it is not yet.
fn copy_run(copy: &mut Option<String>, text: &str, from: usize, to: usize) {
    copy.get_or_insert_with(|| String::with_capacity(text.len()))
        .push_str(text.get(from..to).unwrap_or_default());
}

/// A key as an error shows it: a peer chose its length, and the error may go back to that peer.
fn shown(key: &str) -> String {
    const LONGEST: usize = 80;
    match key.char_indices().nth(LONGEST) {
        None => key.to_owned(),
        Some((end, _)) => format!("{}…", key.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
