//! JSON, and JSON with comments.

use super::Wrong;
use crate::clients::entry::{self, Entry, NAME};
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use serde_json::Value;

/// Comments and trailing commas, which several clients take; nothing else that is not JSON.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub(super) fn document(text: &str) -> Result<Value, Wrong> {
    let root = parse(text)?;
    Ok(root.to_serde_value().unwrap_or(Value::Null))
}

pub(super) fn set(text: &str, key: &str, entry: &Entry) -> Result<String, Wrong> {
    if text.trim().is_empty() {
        return Ok(format!("{}\n", snippet(key, entry)));
    }
    let root = parse(text)?;
    let before = root.to_serde_value().unwrap_or(Value::Null);
    let top = root
        .object_value_or_create()
        .ok_or("its outermost value is no object")?;
    single(&top, key)?;
    let servers = top
        .object_value_or_create(key)
        .ok_or_else(|| format!("\"{key}\" in it is no object"))?;
    single(&servers, NAME)?;
    match servers.object_value(NAME) {
        Some(ours) => {
            for (name, value) in entry {
                single(&ours, name)?;
                match ours.get(name) {
                    Some(there) if there.to_serde_value() == Some(value.to_json()) => {}
                    Some(there) => there.set_value(value.to_cst()),
                    None => {
                        ours.append(name, value.to_cst());
                    }
                }
            }
        }
        None => match servers.get(NAME) {
            Some(there) => there.set_value(entry::to_cst(entry)),
            None => {
                servers.append(NAME, entry::to_cst(entry));
            }
        },
    }
    let after = root.to_string();
    let mut expected = if before.is_null() {
        Value::Object(serde_json::Map::new())
    } else {
        before
    };
    put(&mut expected, key, entry).ok_or("its list of servers is no object")?;
    same(&after, &expected)?;
    Ok(after)
}

pub(super) fn unset(text: &str, key: &str, key_too: bool) -> Result<String, Wrong> {
    let root = parse(text)?;
    let mut expected = root.to_serde_value().unwrap_or(Value::Null);
    let Some(top) = root.object_value() else {
        return Ok(text.to_owned());
    };
    single(&top, key)?;
    let Some(servers) = top.object_value(key) else {
        return Ok(text.to_owned());
    };
    single(&servers, NAME)?;
    let Some(ours) = servers.get(NAME) else {
        return Ok(text.to_owned());
    };
    ours.remove();
    let last = servers.properties().is_empty() && key_too;
    if last && let Some(holder) = top.get(key) {
        holder.remove();
    }
    if let Some(top) = expected.as_object_mut() {
        if let Some(servers) = top.get_mut(key).and_then(Value::as_object_mut) {
            servers.remove(NAME);
        }
        if last {
            top.remove(key);
        }
    }
    let after = root.to_string();
    same(&after, &expected)?;
    Ok(after)
}

/// The whole file with nothing but our entry.
pub(in crate::clients) fn snippet(key: &str, entry: &Entry) -> String {
    let Ok(root) = parse("{}") else {
        return String::new();
    };
    if let Some(top) = root.object_value() {
        let servers = CstInputValue::Object(vec![(NAME.to_owned(), entry::to_cst(entry))]);
        top.append(key, servers);
    }
    root.to_string()
}

fn parse(text: &str) -> Result<CstRootNode, Wrong> {
    CstRootNode::parse(text, &OPTIONS).map_err(|error| {
        // The parser's own text may quote the file; its place says enough.
        format!(
            "it is not valid JSON (line {}, column {})",
            error.line_display(),
            error.column_display()
        )
    })
}

/// Readers disagree on which of two equal keys counts.
fn single(object: &CstObject, key: &str) -> Result<(), Wrong> {
    let count = object
        .properties()
        .iter()
        .filter(|member| member.decoded_name().as_deref() == Some(key))
        .count();
    if count > 1 {
        Err(format!("\"{key}\" stands in it {count} times"))
    } else {
        Ok(())
    }
}

fn put(document: &mut Value, key: &str, entry: &Entry) -> Option<()> {
    let top = document.as_object_mut()?;
    let servers = top
        .entry(key)
        .or_insert_with(|| Value::Object(serde_json::Map::new()));
    let ours = servers
        .as_object_mut()?
        .entry(NAME)
        .or_insert_with(|| Value::Object(serde_json::Map::new()));
    if !ours.is_object() {
        *ours = Value::Object(serde_json::Map::new());
    }
    let ours = ours.as_object_mut()?;
    for (name, value) in entry {
        ours.insert((*name).to_owned(), value.to_json());
    }
    Some(())
}

fn same(text: &str, expected: &Value) -> Result<(), Wrong> {
    if document(text)? == *expected {
        Ok(())
    } else {
        Err("it could not be changed without changing something else in it".to_owned())
    }
}
