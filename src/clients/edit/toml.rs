//! TOML.

use super::{Splice, Wrong};
use crate::clients::entry::{Entry, NAME};
use serde_json::Value;
use toml_edit::{DocumentMut, InlineTable, Item, Table};

pub(super) fn document(text: &str) -> Result<Value, Wrong> {
    let table = read(text)?;
    serde_json::to_value(table).map_err(|_| "it is not valid TOML".to_owned())
}

pub(super) fn set(text: &str, key: &str, entry: &Entry) -> Result<String, Wrong> {
    let mut expected = read(text)?;
    put(&mut expected, key, entry).ok_or("its list of servers is no table")?;
    let after = with_plain_lines(text, |text| with_entry(text, key, entry))?;
    same(&after, &expected)?;
    Ok(after)
}

/// The editor of TOML drops carriage returns everywhere. So it is given a text without any, and only the stretch that it
/// changed goes into the real one.
fn with_plain_lines(text: &str, edit: impl FnOnce(&str) -> Result<String, Wrong>) -> Result<String, Wrong> {
    let plain = text.replace("\r\n", "\n");
    let edited = edit(&plain)?;
    if plain == text {
        return Ok(edited);
    }
    let splice = Splice::between(&plain, &edited);
    let (start, end) = (splice.offset, splice.offset + splice.removed.len());
    let head = text.get(..real_offset(text, start)).unwrap_or_default();
    let tail = text.get(real_offset(text, end)..).unwrap_or_default();
    Ok(format!("{head}{}{tail}", splice.inserted.replace('\n', "\r\n")))
}

/// Where a place in the text without carriage returns lies in the text with them.
fn real_offset(text: &str, plain: usize) -> usize {
    let mut left = plain;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        let end_of_line = byte == b'\r' && bytes.peek().is_some_and(|(_, next)| *next == b'\n');
        if left == 0 {
            return at;
        }
        if !end_of_line {
            left -= 1;
        }
    }
    text.len()
}

fn with_entry(text: &str, key: &str, entry: &Entry) -> Result<String, Wrong> {
    let mut document = parse(text)?;
    let servers = document.entry(key).or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let inline = servers.is_inline_table();
    let servers = servers
        .as_table_like_mut()
        .ok_or_else(|| format!("\"{key}\" in it is no table"))?;
    match servers.get_mut(NAME).and_then(Item::as_table_like_mut) {
        Some(ours) => {
            for (name, value) in entry {
                let value = value.to_toml();
                let there = ours.get(name).and_then(Item::as_value);
                if there.is_none_or(|there| bare(there) != bare(&value)) {
                    ours.insert(name, Item::Value(value));
                }
            }
        }
        None if inline => {
            let table: InlineTable = entry
                .iter()
                .map(|(name, value)| (*name, value.to_toml()))
                .collect();
            servers.insert(NAME, Item::Value(table.into()));
        }
        None => {
            let mut table = Table::new();
            for (name, value) in entry {
                table.insert(name, Item::Value(value.to_toml()));
            }
            servers.insert(NAME, Item::Table(table));
        }
    }
    Ok(document.to_string())
}

pub(super) fn unset(text: &str, key: &str, key_too: bool) -> Result<String, Wrong> {
    let mut expected = read(text)?;
    let after = with_plain_lines(text, |text| without_entry(text, key, key_too))?;
    let servers = expected.get_mut(key).and_then(toml::Value::as_table_mut);
    let last = servers.is_some_and(|servers| servers.remove(NAME).is_some() && servers.is_empty());
    // A table that was only ever implied goes with the last that is in it.
    let mut without = expected.clone();
    if last {
        without.remove(key);
    }
    same(&after, &expected).or_else(|_| same(&after, &without))?;
    Ok(after)
}

fn without_entry(text: &str, key: &str, key_too: bool) -> Result<String, Wrong> {
    let mut document = parse(text)?;
    let Some(servers) = document.get_mut(key).and_then(Item::as_table_like_mut) else {
        return Ok(text.to_owned());
    };
    if servers.remove(NAME).is_none() {
        return Ok(text.to_owned());
    }
    if servers.is_empty() && key_too {
        document.remove(key);
    }
    Ok(document.to_string())
}

/// The lines of our entry alone.
pub(in crate::clients) fn snippet(key: &str, entry: &Entry) -> String {
    let mut document = DocumentMut::new();
    let mut servers = Table::new();
    servers.set_implicit(true);
    let mut ours = Table::new();
    for (name, value) in entry {
        ours.insert(name, Item::Value(value.to_toml()));
    }
    servers.insert(NAME, Item::Table(ours));
    document.insert(key, Item::Table(servers));
    document.to_string().trim().to_owned()
}

fn parse(text: &str) -> Result<DocumentMut, Wrong> {
    text.parse::<DocumentMut>()
        .map_err(|error| not_toml(text, error.span()))
}

fn read(text: &str) -> Result<toml::Table, Wrong> {
    toml::from_str(text).map_err(|error| not_toml(text, error.span()))
}

/// Where the fault is; the parser's own text would quote the file.
fn not_toml(text: &str, span: Option<std::ops::Range<usize>>) -> Wrong {
    let start = span.and_then(|span| text.get(..span.start));
    start.map_or_else(
        || "it is not valid TOML".to_owned(),
        |start| format!("it is not valid TOML (line {})", start.matches('\n').count() + 1),
    )
}

fn put(document: &mut toml::Table, key: &str, entry: &Entry) -> Option<()> {
    let empty = || toml::Value::Table(toml::Table::new());
    let servers = document.entry(key).or_insert_with(empty).as_table_mut()?;
    let ours = servers.entry(NAME).or_insert_with(empty);
    if !ours.is_table() {
        *ours = empty();
    }
    let ours = ours.as_table_mut()?;
    for (name, value) in entry {
        ours.insert((*name).to_owned(), toml::Value::try_from(value.to_json()).ok()?);
    }
    Some(())
}

/// A value without the blanks around it.
fn bare(value: &toml_edit::Value) -> String {
    let mut value = value.clone();
    value.decor_mut().clear();
    value.to_string()
}

/// By their spelling: `nan` is not equal to itself.
fn same(text: &str, expected: &toml::Table) -> Result<(), Wrong> {
    if format!("{:?}", read(text)?) == format!("{expected:?}") {
        Ok(())
    } else {
        Err("it could not be changed without changing something else in it".to_owned())
    }
}
