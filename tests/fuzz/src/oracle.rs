//! Second readers, built on `serde_json` alone, that the program's own readers are held against.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;

/// A JSON value that keeps its keys in order and refuses a repeated one at any depth.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Null, a truth value, a number or a text.
    Leaf(Value),
    /// An array.
    List(Vec<Self>),
    /// An object.
    Object(Vec<(String, Self)>),
}

/// Why `serde_json` has no tree for a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTree {
    /// An object has a key twice.
    Repeated,
    /// A limit of its own: a number beyond `f64`, or more than 127 levels.
    Limit,
    /// Not JSON.
    Broken,
}

const REPEATED: &str = "a repeated key";

/// The tree of a text.
///
/// # Errors
/// With the reason.
pub fn tree(text: &str) -> Result<Tree, NoTree> {
    serde_json::from_str(text).map_err(|error| {
        let told = error.to_string();
        if told.contains(REPEATED) {
            NoTree::Repeated
        } else if told.contains("out of range") || told.contains("recursion limit") {
            NoTree::Limit
        } else {
            NoTree::Broken
        }
    })
}

/// Whether a text is JSON by `serde_json`, without any limit of its own.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

impl Tree {
    /// Whether two keys of one object, at any depth, are the same without their letter case.
    pub fn has_twins(&self) -> bool {
        match self {
            Self::Leaf(_) => false,
            Self::List(items) => items.iter().any(Self::has_twins),
            Self::Object(members) => {
                let mut keys: Vec<String> = members.iter().map(|(key, _)| key.to_lowercase()).collect();
                keys.sort_unstable();
                keys.windows(2).any(|pair| pair.first() == pair.last())
                    || members.iter().any(|(_, value)| value.has_twins())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Tree;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let (mut members, mut keys) = (Vec::<(String, Tree)>::new(), std::collections::HashSet::new());
        while let Some((key, value)) = map.next_entry::<String, Tree>()? {
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom(REPEATED));
            }
            members.push((key, value));
        }
        Ok(Tree::Object(members))
    }
}
