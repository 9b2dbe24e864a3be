//! What the tools do. Each answers from the state as it is; nothing here is canned.
//!
//! Owns: the meaning of tool names and arguments, and the shapes of results. Refuses to know: HTTP, sessions, tokens.

pub(crate) mod accounts;
pub(crate) mod args;
pub(crate) mod catalogue;
pub(crate) mod charts;
pub(crate) mod jobs;
pub(crate) mod journal;
pub(crate) mod orders;
pub(crate) mod platform;
pub(crate) mod positions;
pub(crate) mod quotes;
pub(crate) mod scripts;
pub(crate) mod show;
pub(crate) mod strategies;

use serde_json::{Map, Value};

use crate::market::Refusal;
use crate::options::{Reach, Vocabulary};
use crate::service::State;
use args::Args;

/// For whom and how a tool runs.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user: String,
    pub(crate) scope: String,
    pub(crate) now: u64,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) reach: Reach,
}

/// Runs one tool. Results have `snake_case` keys here; see [`respell`].
pub(crate) fn run(state: &mut State, caller: &Caller, name: &str, args: &Args) -> Result<Value, Refusal> {
    state.market.advance(caller.now);
    let found = accounts::run(state, caller, name, args)
        .or_else(|| orders::run(state, caller, name, args))
        .or_else(|| positions::run(state, caller, name, args))
        .or_else(|| quotes::run(state, caller, name, args))
        .or_else(|| journal::run(state, caller, name, args))
        .or_else(|| scripts::run(state, caller, name, args))
        .or_else(|| jobs::run(state, caller, name, args))
        .or_else(|| strategies::run(state, caller, name, args))
        .or_else(|| charts::run(state, caller, name, args));
    let result = found.unwrap_or_else(|| Err(Refusal::new("unknown_tool", format!("no tool {name:?}"))));
    platform::after(state, caller, name, &result);
    result
}

/// Gives the keys of a result the spelling of the vocabulary. What the user wrote is left as it is.
pub(crate) fn respell(value: Value, vocabulary: Vocabulary) -> Value {
    if vocabulary == Vocabulary::Snake {
        return value;
    }
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().map(respell_member).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(|v| respell(v, vocabulary)).collect(),
        other => other,
    }
}

fn respell_member((key, value): (String, Value)) -> (String, Value) {
    let kept = matches!(key.as_str(), "parameters" | "payload");
    let value = if kept {
        value
    } else {
        respell(value, Vocabulary::Camel)
    };
    (catalogue::camel(&key), value)
}
