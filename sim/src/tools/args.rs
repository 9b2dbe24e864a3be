//! The arguments of one call, checked against the live schema and renamed to one spelling.

use serde_json::{Map, Value};

use super::catalogue::{Argument, Tool};
use crate::clock;
use crate::market::Refusal;
use crate::market::instrument::Contract;
use crate::market::order::Side;
use crate::options::Vocabulary;

/// Checked arguments under their `snake_case` names.
#[derive(Debug, Default)]
pub(crate) struct Args {
    map: Map<String, Value>,
}

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::new("invalid_request", text)
}

impl Args {
    /// Reads the arguments of `tool`. `extra` is the additional one of a changed schema.
    pub(crate) fn read(
        tool: &Tool,
        vocabulary: Vocabulary,
        extra: Option<&str>,
        raw: &Value,
    ) -> Result<Self, Refusal> {
        let empty = Map::new();
        let given = match raw {
            Value::Null => &empty,
            Value::Object(given) => given,
            _ => return Err(invalid("arguments must be an object")),
        };
        let known = tool.arguments(vocabulary);
        let mut map = Map::new();
        for (name, value) in given {
            if extra == Some(name.as_str()) {
                continue;
            }
            let Some(argument) = known.iter().find(|a| a.name == name) else {
                return Err(invalid(format!("{} has no argument {name:?}", tool.name)));
            };
            check(argument, value)?;
            map.insert(argument.canonical(), value.clone());
        }
        match known
            .iter()
            .find(|a| a.required && !map.contains_key(&a.canonical()))
        {
            Some(missing) => Err(invalid(format!("{} needs {:?}", tool.name, missing.name))),
            None => Ok(Self { map }),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.map.get(name)?.as_str()
    }

    pub(crate) fn needed(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name)
            .filter(|t| !t.is_empty())
            .ok_or_else(|| invalid(format!("{name} is needed")))
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.map.get(name)?.as_f64()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.map.get(name)?.as_bool()
    }

    pub(crate) fn object(&self, name: &str) -> Value {
        self.map
            .get(name)
            .cloned()
            .unwrap_or_else(|| Value::Object(Map::new()))
    }

    pub(crate) fn texts(&self, name: &str) -> Option<Vec<&str>> {
        Some(
            self.map
                .get(name)?
                .as_array()?
                .iter()
                .filter_map(Value::as_str)
                .collect(),
        )
    }

    /// A whole number from 1 to a million.
    pub(crate) fn count(&self, name: &str) -> Result<Option<i32>, Refusal> {
        let Some(value) = self.map.get(name) else {
            return Ok(None);
        };
        match value
            .as_f64()
            .and_then(whole)
            .filter(|n| (1..=1_000_000).contains(n))
        {
            Some(n) => Ok(Some(n)),
            None => Err(invalid(format!("{name} must be a whole number from 1"))),
        }
    }

    /// A bound for lists: default `standard`, at most `most`.
    pub(crate) fn limit(&self, standard: usize, most: usize) -> usize {
        let given = self
            .number("limit")
            .and_then(whole)
            .and_then(|n| usize::try_from(n).ok());
        given.unwrap_or(standard).min(most)
    }

    pub(crate) fn contract(&self) -> Result<Contract, Refusal> {
        contract(self.needed("instrument")?)
    }

    pub(crate) fn contract_if_given(&self) -> Result<Option<Contract>, Refusal> {
        self.text("instrument").map(contract).transpose()
    }

    /// A price on the tick grid of the contract.
    pub(crate) fn ticks(&self, name: &str, contract: Contract) -> Result<Option<i32>, Refusal> {
        let Some(price) = self.number(name) else {
            return Ok(None);
        };
        let on_grid = || {
            invalid(format!(
                "{name} {price} is not a multiple of the tick {}",
                contract.root.tick
            ))
        };
        contract.ticks(price).map(Some).ok_or_else(on_grid)
    }

    pub(crate) fn side(&self, name: &str) -> Result<Side, Refusal> {
        match self.needed(name)?.to_ascii_lowercase().as_str() {
            "buy" => Ok(Side::Buy),
            "sell" => Ok(Side::Sell),
            other => Err(invalid(format!("{other:?} is neither Buy nor Sell"))),
        }
    }

    /// A time, as RFC 3339 or a date.
    pub(crate) fn time(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        clock::parse_ms(text)
            .map(Some)
            .ok_or_else(|| invalid(format!("{name} {text:?} is not ISO 8601")))
    }
}

fn contract(text: &str) -> Result<Contract, Refusal> {
    Contract::parse(text)
        .ok_or_else(|| Refusal::new("instrument_not_found", format!("no instrument {text:?}")))
}

/// A whole number that fits.
pub(crate) fn whole(value: f64) -> Option<i32> {
    if value.fract() != 0.0 || value.abs() > 1e9 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be a whole number below 1e9"
    )]
    Some(value as i32)
}

fn check(argument: &Argument, value: &Value) -> Result<(), Refusal> {
    let fits = match argument.kind {
        "int" => value.as_f64().and_then(whole).is_some_and(|n| n >= 0),
        "num" => value.is_number(),
        "bool" => value.is_boolean(),
        "obj" => value.is_object(),
        "strs" => value
            .as_array()
            .is_some_and(|items| items.iter().all(Value::is_string)),
        _ => value.is_string(),
    };
    if !fits {
        return Err(invalid(format!("{:?} has the wrong type", argument.name)));
    }
    let Some(allowed) = argument.allowed() else {
        return Ok(());
    };
    let one = |v: &Value| v.as_str().is_some_and(|t| allowed.contains(&t));
    let listed = value
        .as_array()
        .map_or_else(|| one(value), |items| items.iter().all(one));
    if listed {
        Ok(())
    } else {
        Err(invalid(format!(
            "{:?} must be one of {}",
            argument.name,
            allowed.join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::catalogue::find;

    fn read(vocabulary: Vocabulary, arguments: &Value) -> Result<Args, Refusal> {
        Args::read(find("PlaceOrder").unwrap(), vocabulary, None, arguments)
    }

    #[test]
    fn both_spellings_arrive_under_one_name() {
        let snake = json!({"account":"Sim101","instrument":"ES","side":"Buy","type":"Limit","quantity":1,"limit_price":6000.25});
        let camel = json!({"account":"Sim101","instrument":"ES","action":"BUY","orderType":"LIMIT","quantity":1,"limitPrice":6000.25});
        for (vocabulary, arguments) in [(Vocabulary::Snake, snake), (Vocabulary::Camel, camel)] {
            let args = read(vocabulary, &arguments).unwrap();
            assert_eq!(args.side("side").unwrap(), Side::Buy);
            assert_eq!(args.number("limit_price"), Some(6000.25));
        }
    }

    #[test]
    fn what_the_schema_does_not_have_is_refused() {
        let base = json!({"account":"Sim101","instrument":"ES","side":"Buy","type":"Market","quantity":1});
        for (name, value) in [
            ("limitPrice", json!(1)),
            ("quantity", json!("1")),
            ("quantity", json!(1.5)),
            ("quantity", json!(-1)),
            ("side", json!("BUY")),
            ("account", json!(null)),
        ] {
            let mut arguments = base.clone();
            arguments[name] = value;
            assert!(read(Vocabulary::Snake, &arguments).is_err(), "{name}");
        }
        assert!(read(Vocabulary::Snake, &json!({})).is_err());
        assert!(read(Vocabulary::Snake, &base).is_ok());
    }
}
