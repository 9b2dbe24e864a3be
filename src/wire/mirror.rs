//! Arguments that a tool wants repeated in HTTP headers: `x-mcp-header` in its input schema, `Mcp-Param-*` on the wire
//! (2026-07-28, Streamable HTTP, custom headers).
//!
//! Refuses to know: any HTTP library, which tool is called and whether it may be.

use super::headers::{is_token, mcp_value};
use super::json;
use serde_json::Value;
use std::collections::BTreeSet;

/// The name of the annotation.
const ANNOTATION: &str = "x-mcp-header";
/// How deep annotations are looked for. Schemas nest far less.
const DEPTH: usize = 64;

/// One argument that is repeated in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrored {
    /// The whole name of the header.
    pub header: String,
    /// Where the argument lies: the names of the properties, from the outside in.
    pub path: Vec<String>,
}

/// What is wrong with a tool's annotations: such a tool is not offered to clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAnnotation {
    /// Not a text that can be part of a header's name.
    #[error("{0} is no part of a header name")]
    Name(String),
    /// Two arguments want the same header.
    #[error("two arguments want the header Mcp-Param-{0}")]
    Twice(String),
    /// Only strings, integers and booleans can be repeated.
    #[error("the argument for Mcp-Param-{0} is neither string, integer nor boolean")]
    Kind(String),
    /// The annotation stands where no single argument can be meant.
    #[error("an annotation stands under {0}, where it means no single argument")]
    Place(String),
}

/// The annotations of an input schema.
///
/// # Errors
/// [`BadAnnotation`]; the tool must then be left out of the list (2026-07-28, tools).
pub fn annotations(schema: &str) -> Result<Vec<Mirrored>, BadAnnotation> {
    // Most schemas have none, and are not taken apart.
    if !schema.contains(ANNOTATION) {
        return Ok(Vec::new());
    }
    let Ok(schema) = serde_json::from_str::<Value>(schema) else {
        return Ok(Vec::new());
    };
    let mut found = Found::default();
    found.object(&schema, &mut Vec::new())?;
    Ok(found.all)
}

#[derive(Default)]
struct Found {
    all: Vec<Mirrored>,
    names: BTreeSet<String>,
}

impl Found {
    /// An object schema: its properties may be annotated, what else lies in it may not.
    fn object(&mut self, schema: &Value, path: &mut Vec<String>) -> Result<(), BadAnnotation> {
        let Some(members) = schema.as_object() else {
            return Ok(());
        };
        for (key, value) in members {
            if key == "properties" && path.len() < DEPTH {
                for (name, property) in value.as_object().into_iter().flatten() {
                    path.push(name.clone());
                    self.property(property, path)?;
                    path.pop();
                }
            } else if key != ANNOTATION && carries(value, 0) {
                return Err(BadAnnotation::Place(key.clone()));
            }
        }
        Ok(())
    }

    fn property(&mut self, property: &Value, path: &mut Vec<String>) -> Result<(), BadAnnotation> {
        if let Some(annotation) = property.get(ANNOTATION) {
            let name = annotation.as_str().unwrap_or_default();
            if !is_token(name) {
                return Err(BadAnnotation::Name(shown(annotation)));
            }
            if !matches!(
                property.get("type").and_then(Value::as_str),
                Some("string" | "integer" | "boolean")
            ) {
                return Err(BadAnnotation::Kind(name.to_owned()));
            }
            if !self.names.insert(name.to_ascii_lowercase()) {
                return Err(BadAnnotation::Twice(name.to_owned()));
            }
            self.all.push(Mirrored {
                header: format!("Mcp-Param-{name}"),
                path: path.clone(),
            });
        }
        self.object(property, path)
    }
}

/// Whether an annotation stands anywhere in here.
fn carries(value: &Value, depth: usize) -> bool {
    if depth > DEPTH {
        return true;
    }
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(key, value)| key == ANNOTATION || carries(value, depth + 1)),
        Value::Array(items) => items.iter().any(|item| carries(item, depth + 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

/// The headers of a call with these arguments (JSON text); an argument that is absent or `null` gets none.
pub fn headers(mirrored: &[Mirrored], arguments: &str) -> Vec<(String, String)> {
    mirrored
        .iter()
        .filter_map(|one| Some((one.header.clone(), value_at(&one.path, arguments)?)))
        .collect()
}

fn value_at(path: &[String], arguments: &str) -> Option<String> {
    let mut raw = arguments;
    for name in path {
        raw = json::member(raw, name).ok()??;
    }
    match raw.as_bytes().first()? {
        b'"' => json::string(raw).ok().map(|text| mcp_value(&text)),
        b'-' | b'0'..=b'9' => Some(integer(raw)),
        b't' | b'f' => Some(raw.to_owned()),
        _ => None,
    }
}

/// An integer in plain decimal, however it was written; another number as it stands (the server refuses it by itself).
fn integer(raw: &str) -> String {
    if raw.parse::<i128>().is_ok() {
        return raw.to_owned();
    }
    let whole = raw
        .split_once('.')
        .filter(|(_, rest)| rest.bytes().all(|digit| digit == b'0'));
    whole.map_or_else(|| raw.to_owned(), |(whole, _)| whole.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(schema: &Value) -> Result<Vec<Mirrored>, BadAnnotation> {
        annotations(&schema.to_string())
    }

    #[test]
    fn annotated_properties_are_found_at_their_path() {
        let schema = serde_json::json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "where": {"type": "object", "properties": {"shard": {"type": "integer", "x-mcp-header": "Shard"}}},
            "plain": {"type": "string"}
        }});
        let found = of(&schema).unwrap();
        assert_eq!(found.len(), 2);
        let call = r#"{"region":" é","where":{"shard":7},"plain":"x"}"#;
        assert_eq!(
            headers(&found, call),
            [
                ("Mcp-Param-Region".to_owned(), "=?base64?IMOp?=".to_owned()),
                ("Mcp-Param-Shard".to_owned(), "7".to_owned())
            ]
        );
        assert_eq!(headers(&found, r#"{"region":null}"#), []);
        assert_eq!(headers(&found, r#"{"where":{"shard":42.0}}"#)[0].1, "42");
    }

    #[test]
    fn unsound_annotations_are_told() {
        let one = |property: Value| of(&serde_json::json!({"properties": {"a": property}}));
        for bad in [
            serde_json::json!({"type": "string", "x-mcp-header": ""}),
            serde_json::json!({"type": "string", "x-mcp-header": "a b"}),
            serde_json::json!({"type": "string", "x-mcp-header": 5}),
            serde_json::json!({"type": "number", "x-mcp-header": "A"}),
            serde_json::json!({"type": "object", "x-mcp-header": "A"}),
            serde_json::json!({"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}),
            serde_json::json!({"anyOf": [{"type": "string", "x-mcp-header": "A"}]}),
        ] {
            assert!(one(bad.clone()).is_err(), "{bad}");
        }
        let twice = serde_json::json!({"properties": {
            "a": {"type": "string", "x-mcp-header": "Region"},
            "b": {"type": "string", "x-mcp-header": "REGION"}
        }});
        assert_eq!(of(&twice), Err(BadAnnotation::Twice("REGION".to_owned())));
        let defined = serde_json::json!({"$defs": {"a": {"type": "string", "x-mcp-header": "A"}}});
        assert!(of(&defined).is_err());
    }
}
