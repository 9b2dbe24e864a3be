//! Readers of the few members of `params` that a relay must know: the parts of a `tools/call`, progress tokens, and
//! the id that a cancellation names.

use std::borrow::Cow;

use super::super::json::{self, JsonError};
use super::Id;

/// The words of `tools/call` params in any revision: a key that differs from one of them in letter case only is
/// refused even where the word itself is missing, as a lenient parser would read it.
const TOOL_CALL: [&str; 6] = [
    "name",
    "arguments",
    "_meta",
    "task",
    "inputResponses",
    "requestState",
];

/// The parts of `params` of a `tools/call` as untouched text: name literal, arguments, `_meta`, and whether other
/// members (`task`, `inputResponses`, `requestState`, …) are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// The tool's name after unescaping.
    pub name: Cow<'a, str>,
    /// The name as it was written, quotes included.
    pub name_raw: &'a str,
    /// The arguments as they were written: an object, or `null`; `None` where the member is missing.
    pub arguments: Option<&'a str>,
    /// `_meta` as it was written.
    pub meta: Option<&'a str>,
    /// The keys of all other members.
    pub others: Vec<String>,
}

/// Reads the `params` of a `tools/call`. Refused are params that are no object, a name that is missing or no string,
/// arguments that are neither object nor null, and repeated or case-variant keys at the top level.
pub fn tool_call(params: &str) -> Result<ToolCall<'_>, JsonError> {
    let ([name, arguments, meta, rest @ ..], mut others) = json::known(params, TOOL_CALL)?;
    json::twins(&others)?;
    let words = TOOL_CALL
        .iter()
        .skip(3)
        .zip(rest)
        .filter(|(_, value)| value.is_some());
    others.splice(0..0, words.map(|(word, _)| Cow::Borrowed(*word)));
    let name_raw = name.ok_or(JsonError::Shape("`params.name` is missing"))?;
    if !name_raw.starts_with('"') {
        return Err(JsonError::Shape("`params.name` is not a string"));
    }
    if arguments.is_some_and(|text| !text.starts_with('{') && text != "null") {
        return Err(JsonError::Shape("`params.arguments` is not an object"));
    }
    Ok(ToolCall {
        name: json::string(name_raw)?,
        name_raw,
        arguments,
        meta,
        others: others.into_iter().map(Cow::into_owned).collect(),
    })
}

/// The `progressToken` of a `_meta` object: a string or an integer, like an id.
pub fn progress_token(meta: &str) -> Option<Id> {
    id_member(meta, "progressToken")
}

/// The id that the `params` of `notifications/cancelled` name.
pub fn cancelled_id(params: &str) -> Option<Id> {
    id_member(params, "requestId")
}

/// The token that the `params` of `notifications/progress` carry.
pub fn progress_of(params: &str) -> Option<Id> {
    id_member(params, "progressToken")
}

fn id_member(object: &str, key: &str) -> Option<Id> {
    json::member(object, key).ok().flatten().and_then(Id::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_call_is_read_as_slices() {
        let call = tool_call(
            r#"{"task":{}, "n\u0061me" : "Place\u004frder", "arguments" : { "b":1e2, "a":1 }, "_meta":{"x":1},"vendor":0}"#,
        )
        .unwrap();
        assert_eq!(call.name, "PlaceOrder");
        assert_eq!(call.name_raw, r#""Place\u004frder""#);
        assert_eq!(call.arguments, Some(r#"{ "b":1e2, "a":1 }"#));
        assert_eq!(call.meta, Some(r#"{"x":1}"#));
        assert_eq!(call.others, ["task", "vendor"]);
        let bare = tool_call(r#"{"name":""}"#).unwrap();
        assert_eq!((bare.arguments, bare.meta, bare.others.len()), (None, None, 0));
        assert_eq!(
            tool_call(r#"{"name":"x","arguments":null}"#).unwrap().arguments,
            Some("null")
        );
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for params in [
            "[]",
            r#""x""#,
            "{}",
            r#"{"name":1}"#,
            r#"{"name":null}"#,
            r#"{"name":"\ud800"}"#,
            r#"{"name":"x","arguments":[1]}"#,
            r#"{"name":"x","arguments":"{}"}"#,
            r#"{"name":"x","arguments":0}"#,
            r#"{"name":"x","name":"y"}"#,
            r#"{"name":"x","n\u0061me":"y"}"#,
            r#"{"name":"x","Name":"y"}"#,
            r#"{"name":"x","Arguments":{}}"#,
            r#"{"name":"x","argument\u017f":{}}"#,
            r#"{"name":"x","TASK":{}}"#,
            r#"{"name":"x","vendor":1,"Vendor":2}"#,
            r#"{"name":"x","vendor":1,"vendor":1}"#,
            r#"{"name":"x"} {}"#,
            r#"{"name":"x""#,
        ] {
            assert!(tool_call(params).is_err(), "{params}");
        }
        let many: Vec<String> = (0..=json::MAX_MEMBERS).map(|n| format!(",\"k{n}\":0")).collect();
        let many = many.concat();
        assert_eq!(
            tool_call(&format!("{{\"name\":\"x\"{many}}}")),
            Err(JsonError::TooManyMembers)
        );
    }

    #[test]
    fn tokens_and_ids_inside_params() {
        assert_eq!(progress_token(r#"{"progressToken":"a"}"#), Id::from_raw("\"a\""));
        assert_eq!(progress_token(r#"{"progressToken":1.5}"#), None);
        assert_eq!(progress_token("{}"), None);
        assert_eq!(progress_token(r#"{"progressToken":1,"progressToken":2}"#), None);
        assert_eq!(
            cancelled_id(r#"{"reason":"x","requestId":17}"#),
            Id::from_raw("17")
        );
        assert_eq!(
            progress_of(r#"{"progress":1,"progressToken":17}"#),
            Id::from_raw("17")
        );
        assert_eq!(progress_of("null"), None);
    }
}
