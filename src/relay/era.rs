//! The two eras of the protocol as a client speaks them: with a handshake (2025-11-25 and before), or with everything
//! said anew in the `_meta` of each request (2026-07-28). One pipe may carry both.
//!
//! Owns: who asks and in which era, and the shape that an answer has in it. Refuses to know: what is asked, lanes, the
//! gate: a held call is the same call in either era. No I/O.

use super::words;
use crate::upstream::{
    Answer, Hello, META_CAPABILITIES, META_INFO, META_VERSION, MODERN, PROTOCOL_VERSIONS, TASKS,
    without_tasks,
};
use crate::wire::envelope::{self, Id};
use crate::wire::json::{self, Member};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;

/// What begins the protocol's own keys in `_meta`.
pub(super) const OWN_META: &str = "io.modelcontextprotocol/";
/// The `_meta` key under which a server names itself.
const META_SERVER: &str = "io.modelcontextprotocol/serverInfo";
/// The `_meta` key that says of which `subscriptions/listen` a message is: the JSON-RPC id of that request.
pub(super) const META_SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
/// The `_meta` key with the level of log messages that a request wants on its stream.
const META_LOG: &str = "io.modelcontextprotocol/logLevel";

/// A revision that is not spoken here (2026-07-28, versioning).
const UNSUPPORTED_VERSION: i32 = -32_022;
/// Members of a result that only the newer era has.
pub(super) const NEWER: [&str; 3] = ["resultType", "ttlMs", "cacheScope"];
/// Methods whose results say how long they may be kept (2026-07-28, caching).
const CACHEABLE: [&str; 5] = [
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
];
/// Methods that the newer era does not have: sessions are gone, and with them what was set in them.
const GONE: [&str; 6] = [
    "ping",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
    "tasks/list",
    "tasks/result",
];
/// Levels of log messages, the most talkative first (RFC 5424).
const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];

/// Who asks.
#[derive(Debug, Clone)]
pub(super) enum Asker {
    /// A client that shook hands, by its name.
    Legacy(String),
    /// One that says all of itself in each request.
    Modern(Arc<Said>),
}

/// What one request says of its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The name as cards show it; may be empty.
    pub(super) name: String,
    /// Name and version as JSON text, where it says them.
    pub(super) info: Option<String>,
    /// Its capabilities as JSON text.
    pub(super) capabilities: String,
    /// The keys of its capabilities: only these may be asked of it.
    pub(super) abilities: HashSet<String>,
    /// The least important level of log messages that it wants; none where it wants none.
    pub(super) log: Option<usize>,
}

/// Why the `_meta` of a request is not enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    /// What is missing or of the wrong kind.
    Meta(&'static str),
    /// A revision that we do not speak.
    Version(String),
}

impl Wrong {
    /// The error to answer with.
    pub(super) fn line(&self, id: &Id) -> String {
        match self {
            Self::Meta(key) => envelope::error(
                Some(id),
                words::invalid_params(),
                &format!("NOT SENT. `_meta` must have {key}: each request of {MODERN} says it anew"),
                Some(&words::data(words::WasSent::No, None)),
            ),
            Self::Version(asked) => {
                let data = json!({
                    "supported": [MODERN], "requested": asked, "countersign": { "sent": "no" }
                });
                let why = "NOT SENT. This revision of the protocol is not spoken here";
                envelope::error(Some(id), UNSUPPORTED_VERSION, why, Some(&data.to_string()))
            }
        }
    }
}

/// The revisions that a client may speak to us, the newest first. In the older ones it says `initialize`.
fn supported() -> Vec<&'static str> {
    [MODERN].into_iter().chain(PROTOCOL_VERSIONS).collect()
}

/// What a request says of its client in its `_meta`; `None` where it says nothing there, as in the older era.
///
/// # Errors
/// What is wrong with it. Nothing is filled in from what an earlier request said.
pub(super) fn said(meta: Option<&str>) -> Result<Option<Said>, Wrong> {
    let Some(meta) = meta.filter(|meta| meta.starts_with('{')) else {
        return Ok(None);
    };
    let members = match json::members(meta) {
        Ok(members) => members,
        // A repeated key: two readers could disagree on what it says of the client.
        Err(_) if meta.contains(OWN_META) => return Err(Wrong::Meta("each key once")),
        Err(_) => return Ok(None),
    };
    let find = |key: &str| {
        members
            .iter()
            .find(|member| member.key == key)
            .map(|member| member.value)
    };
    let (version, info, capabilities) = (find(META_VERSION), find(META_INFO), find(META_CAPABILITIES));
    if version.or(info).or(capabilities).is_none() {
        return Ok(None);
    }
    let version = version.filter(|raw| raw.starts_with('"'));
    let Some(Ok(version)) = version.map(json::string) else {
        return Err(Wrong::Meta(META_VERSION));
    };
    if version != MODERN {
        let asked = version.chars().filter(|c| !c.is_control()).take(40);
        return Err(Wrong::Version(asked.collect()));
    }
    let is_object = |raw: &&str| raw.starts_with('{');
    let Some(capabilities) = capabilities.filter(is_object) else {
        return Err(Wrong::Meta(META_CAPABILITIES));
    };
    if info.is_some_and(|info| !is_object(&info)) {
        return Err(Wrong::Meta(META_INFO));
    }
    let keys = json::members(capabilities).map_err(|_| Wrong::Meta(META_CAPABILITIES))?;
    let level = find(META_LOG).and_then(|raw| json::string(raw).ok());
    Ok(Some(Said {
        name: info.map(plain_name).unwrap_or_default(),
        info: info.map(|info| json::minify(info).into_owned()),
        abilities: keys.into_iter().map(|member| member.key.into_owned()).collect(),
        capabilities: json::minify(capabilities).into_owned(),
        log: level.and_then(|level| LEVELS.iter().position(|one| *one == level)),
    }))
}

/// What is wrong with a request that says nothing of its client where only the newer era is spoken.
pub(super) fn says_nothing() -> Wrong {
    Wrong::Meta(META_VERSION)
}

/// Whether a method exists in the older era alone.
pub(super) fn is_gone(method: &str) -> bool {
    GONE.contains(&method)
}

/// The name of a level of log messages.
pub(super) fn level(at: usize) -> &'static str {
    LEVELS.get(at).copied().unwrap_or_default()
}

/// Whether a log message of this level is wanted where `least` is.
pub(super) fn is_wanted(level: &str, least: Option<usize>) -> bool {
    let at = LEVELS.iter().position(|one| *one == level);
    matches!((at, least), (Some(at), Some(least)) if at >= least)
}

impl Said {
    /// What a handshake with a service of the older era says for this client.
    pub(super) fn hello(&self) -> Hello {
        let mut hello = Hello {
            capabilities: self.for_handshake(),
            ..Hello::default()
        };
        if let Some(info) = &self.info {
            info.clone_into(&mut hello.client_info);
        }
        hello
    }

    /// The capabilities as a handshake says them, for a service of the older era.
    fn for_handshake(&self) -> String {
        let members = json::members(&self.capabilities).unwrap_or_default();
        let parts: Vec<String> = members
            .iter()
            .filter_map(|member| match &*member.key {
                "extensions" => without_tasks(member.value).map(|kept| format!(r#""extensions":{kept}"#)),
                _ => Some(shown(member)),
            })
            .collect();
        format!("{{{}}}", parts.join(","))
    }
}

impl Asker {
    /// The client's name for cards and the journal.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Legacy(name) => name,
            Self::Modern(said) => &said.name,
        }
    }

    /// What the request itself says of its client.
    pub(super) fn said(&self) -> Option<&Arc<Said>> {
        match self {
            Self::Legacy(_) => None,
            Self::Modern(said) => Some(said),
        }
    }

    /// The answer with a result of our own, in the asker's era.
    pub(super) fn response(&self, id: &Id, method: &str, result: &str) -> String {
        match self {
            Self::Legacy(_) => envelope::response(id, result),
            Self::Modern(_) => envelope::response(id, &complete(method, result)),
        }
    }
}

/// A result of our own in the newer era: an object without a `_meta`.
fn complete(method: &str, result: &str) -> String {
    let hints = hints(method);
    let server = json!({ META_SERVER: server_info() });
    in_front(
        &format!(r#""resultType":"complete",{hints}"_meta":{server}"#),
        result,
    )
}

/// Puts members in front of those of an object, whose text stays as it is; what is no object stays alone.
fn in_front(members: &str, object: &str) -> String {
    let Some(inner) = object.trim_start().strip_prefix('{') else {
        return object.to_owned();
    };
    let comma = if inner.trim_start().starts_with('}') {
        ""
    } else {
        ","
    };
    format!("{{{members}{comma}{inner}")
}

/// For how long it may be kept: not at all, as a sign-in or an approval may change it at any moment.
fn hints(method: &str) -> &'static str {
    if CACHEABLE.contains(&method) {
        r#""ttlMs":0,"cacheScope":"private","#
    } else {
        ""
    }
}

/// What we call ourselves to clients.
pub(super) fn server_info() -> Value {
    json!({ "name": "countersign", "title": "CrossTrade through Countersign", "version": env!("CARGO_PKG_VERSION") })
}

/// What we offer, to clients of both eras, as JSON text: every list may change, as what the service really has arrives later.
/// `extensions` are those of the service.
pub(super) fn capabilities(extensions: Option<&str>) -> String {
    let own = json!({
        "tools": { "listChanged": true },
        "resources": { "listChanged": true, "subscribe": true },
        "prompts": { "listChanged": true },
        "logging": {},
        "completions": {}
    });
    match extensions {
        Some(extensions) => in_front(&format!(r#""extensions":{extensions}"#), &own.to_string()),
        None => own.to_string(),
    }
}

/// The result of `server/discover`, with these capabilities as JSON text.
pub(super) fn discovery(capabilities: &str, instructions: &str) -> String {
    let rest = json!({
        "resultType": "complete",
        "supportedVersions": supported(),
        "instructions": instructions,
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": { META_SERVER: server_info() },
    });
    in_front(&format!(r#""capabilities":{capabilities}"#), &rest.to_string())
}

/// The result of `initialize` in this revision, with these capabilities as JSON text.
pub(super) fn handshake(version: &str, capabilities: &str, instructions: &str) -> String {
    debug_assert!(PROTOCOL_VERSIONS.contains(&version));
    let rest = json!({
        "protocolVersion": version,
        "serverInfo": server_info(),
        "instructions": instructions,
    });
    in_front(&format!(r#""capabilities":{capabilities}"#), &rest.to_string())
}

/// Whether capabilities of a client name the extension of tasks.
pub(super) fn knows_tasks(capabilities: &str) -> bool {
    member(capabilities, "extensions").is_some_and(|extensions| member(extensions, TASKS).is_some())
}

/// An answer of a service of the older era, as the newer one knows it, under the client's id.
pub(super) fn newer(id: &Id, method: &str, mut answer: Answer) -> Answer {
    answer.text = if let Some(error) = member(&answer.text, "error") {
        format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{}}}"#,
            id.raw(),
            newer_error(&json::minify(error))
        )
    } else {
        match member(&answer.text, "result") {
            Some(result) => envelope::response(id, &newer_result(method, result)),
            None => envelope::error(
                Some(id),
                words::OUR_ERROR,
                "the service's answer cannot be read",
                Some(&words::data(words::WasSent::Unknown, None)),
            ),
        }
    };
    answer
}

/// Whatever it holds stays in it: an empty success would be read as "nothing there".
fn newer_result(method: &str, result: &str) -> String {
    let first = format!(r#"{}"resultType":"complete""#, hints(method));
    let Ok(members) = json::every_member(result) else {
        return in_front(&first, result);
    };
    let kept = members
        .iter()
        .filter(|member| !NEWER.contains(&&*member.key))
        .map(shown);
    let parts: Vec<String> = std::iter::once(first).chain(kept).collect();
    format!("{{{}}}", parts.join(","))
}

/// A code that the newer era no longer has, in its words: a resource that is not there (2026-07-28, resources).
fn newer_error(error: &str) -> String {
    if member(error, "code") != Some("-32002") {
        return error.to_owned();
    }
    let Ok(members) = json::every_member(error) else {
        return error.to_owned();
    };
    let parts: Vec<String> = members
        .iter()
        .map(|member| match &*member.key {
            "code" => r#""code":-32602"#.to_owned(),
            _ => shown(member),
        })
        .collect();
    format!("{{{}}}", parts.join(","))
}

/// Parameters without what the protocol says of itself in `_meta`. What cannot be split stays as it is.
pub(super) fn without_protocol(params: &str) -> String {
    let Ok(members) = json::every_member(params) else {
        return params.to_owned();
    };
    let parts: Vec<String> = members
        .iter()
        .map(|member| match &*member.key {
            "_meta" => format!(r#""_meta":{}"#, own_meta_out(member.value)),
            _ => shown(member),
        })
        .filter(|text| text != r#""_meta":{}"#)
        .collect();
    format!("{{{}}}", parts.join(","))
}

/// A `_meta` without the protocol's own keys; vendors' and tracing keys stay. What is no object holds nothing.
pub(super) fn own_meta_out(meta: &str) -> String {
    let members = match json::every_member(meta) {
        Ok(members) => members,
        Err(_) if meta.starts_with('{') => return meta.to_owned(),
        Err(_) => Vec::new(),
    };
    let parts: Vec<String> = members
        .iter()
        .filter(|member| !member.key.starts_with(OWN_META))
        .map(shown)
        .collect();
    format!("{{{}}}", parts.join(","))
}

/// The text of a member of an object; `None` where there is none.
pub(super) fn member<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    json::member(text, key).ok().flatten()
}

/// A member as it stands in an object.
pub(super) fn shown(member: &Member<'_>) -> String {
    format!("{}:{}", Value::from(&*member.key), member.value)
}

/// The client's name from its `clientInfo`, plain ASCII: it stands on cards.
pub(super) fn plain_name(info: &str) -> String {
    let members = json::members(info).unwrap_or_default();
    let raw = members
        .iter()
        .find(|member| member.key == "name")
        .map(|member| member.value)
        .unwrap_or_default();
    let name = json::string(raw).unwrap_or_default();
    name.chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(40)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(rest: &str) -> String {
        format!(r#"{{"{META_VERSION}":"{MODERN}"{rest}}}"#)
    }

    #[test]
    fn a_request_says_all_of_itself_or_is_of_the_older_era() {
        for none in [
            None,
            Some("{}"),
            Some("null"),
            Some(r#"{"progressToken":1,"a/b":{}}"#),
        ] {
            assert_eq!(said(none), Ok(None), "{none:?}");
        }
        let whole = meta(&format!(
            r#","{META_CAPABILITIES}":{{ "elicitation" : {{}} }},"{META_INFO}":{{"name":"A\u0007 <b>é"}},"{META_LOG}":"warning""#
        ));
        let said_all = said(Some(&whole)).unwrap().unwrap();
        assert_eq!(said_all.name, "A <b>");
        assert_eq!(said_all.capabilities, r#"{"elicitation":{}}"#);
        assert!(said_all.abilities.contains("elicitation"));
        assert!(is_wanted("error", said_all.log) && !is_wanted("info", said_all.log));
        assert!(!is_wanted("error", None) && !is_wanted("loud", Some(0)));
    }

    #[test]
    fn what_is_missing_is_not_filled_in() {
        let wrong = |meta: &str| said(Some(meta)).unwrap_err();
        assert_eq!(wrong(&meta("")), Wrong::Meta(META_CAPABILITIES));
        let list = format!(r#","{META_CAPABILITIES}":[]"#);
        assert_eq!(wrong(&meta(&list)), Wrong::Meta(META_CAPABILITIES));
        let info = format!(r#","{META_CAPABILITIES}":{{}},"{META_INFO}":"x""#);
        assert_eq!(wrong(&meta(&info)), Wrong::Meta(META_INFO));
        let bare = format!(r#"{{"{META_CAPABILITIES}":{{}}}}"#);
        assert_eq!(wrong(&bare), Wrong::Meta(META_VERSION));
        let number = format!(r#"{{"{META_VERSION}":20260728}}"#);
        assert_eq!(wrong(&number), Wrong::Meta(META_VERSION));
        let twice = meta(&format!(r#","{META_VERSION}":"{MODERN}""#));
        assert_eq!(wrong(&twice), Wrong::Meta("each key once"));
        let other = format!(r#"{{"{META_VERSION}":"2031-01-01"}}"#);
        assert_eq!(wrong(&other), Wrong::Version("2031-01-01".to_owned()));
        let line = wrong(&other).line(&Id::ours("a"));
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["error"]["code"], -32022);
        assert_eq!(line["error"]["data"]["supported"][0], MODERN);
        assert_eq!(line["error"]["data"]["requested"], "2031-01-01");
    }

    #[test]
    fn results_get_what_the_newer_era_wants_and_keep_the_rest() {
        let id = Id::ours("a");
        let modern = Asker::Modern(Arc::new(
            said(Some(&meta(&format!(r#","{META_CAPABILITIES}":{{}}"#))))
                .unwrap()
                .unwrap(),
        ));
        for (method, result) in [
            ("tools/list", r#"{"tools":[]}"#),
            ("x", "{}"),
            ("tools/call", r#"{"content":[]}"#),
        ] {
            let line: Value = serde_json::from_str(&modern.response(&id, method, result)).unwrap();
            assert_eq!(line["result"]["resultType"], "complete", "{line}");
            assert_eq!(line["result"]["_meta"][META_SERVER]["name"], "countersign");
            assert_eq!(line["result"]["ttlMs"] == 0, method == "tools/list");
        }
        assert_eq!(
            Asker::Legacy(String::new()).response(&id, "tools/list", "{}"),
            envelope::response(&id, "{}")
        );
        let old = r#"{"jsonrpc":"2.0","id":9,"result":{"x":1.50,"resultType":"odd","content":[]}}"#;
        assert_eq!(
            newer(&id, "tools/call", Answer::small(old.to_owned())).text,
            r#"{"jsonrpc":"2.0","id":"a","result":{"resultType":"complete","x":1.50,"content":[]}}"#
        );
        for (method, old, new) in [
            // A repeated key: every member stays, so that nothing becomes an empty success.
            (
                "tools/call",
                r#"{"content":["LONG 5 MES"],"a":1,"a":2,"resultType":"odd"}"#,
                r#"{"resultType":"complete","content":["LONG 5 MES"],"a":1,"a":2}"#,
            ),
            // A key that is no text: only what stands in front is put there.
            (
                "tools/list",
                r#"{"\ud800":1,"tools":[]}"#,
                r#"{"ttlMs":0,"cacheScope":"private","resultType":"complete","\ud800":1,"tools":[]}"#,
            ),
            ("tools/call", "{}", r#"{"resultType":"complete"}"#),
            ("tools/call", "[1.50]", "[1.50]"),
        ] {
            assert_eq!(newer_result(method, old), new, "{old}");
        }
        let twice = r#"{"jsonrpc":"2.0","id":9,"error":{"code":-32002,"message":"a","message":"b"}}"#;
        assert_eq!(
            newer(&id, "resources/read", Answer::small(twice.to_owned())).text,
            r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32602,"message":"a","message":"b"}}"#
        );
        let gone = r#"{"jsonrpc":"2.0","id":9,"error":{"code":-32002,"message":"no such resource","data":{"uri":"a"}}}"#;
        assert_eq!(
            newer(&id, "resources/read", Answer::small(gone.to_owned())).text,
            r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32602,"message":"no such resource","data":{"uri":"a"}}}"#
        );
    }

    #[test]
    fn what_is_passed_on_is_never_emptied() {
        assert_eq!(
            without_protocol(r#"{"x":1,"x":2,"_meta":{"a/b":1,"a/b":2,"io.modelcontextprotocol/x":1}}"#),
            r#"{"x":1,"x":2,"_meta":{"a/b":1,"a/b":2}}"#
        );
        for kept in [r#"{"\ud800":1}"#, "[1]"] {
            assert_eq!(without_protocol(kept), kept);
        }
        assert_eq!(without_protocol(r#"{"x":1,"_meta":null}"#), r#"{"x":1}"#);
    }

    #[test]
    fn a_handshake_is_told_all_but_the_tasks_of_the_newer_era() {
        let said = |capabilities: &str| {
            let text = meta(&format!(r#","{META_CAPABILITIES}":{capabilities}"#));
            said(Some(&text)).unwrap().unwrap().for_handshake()
        };
        assert_eq!(
            said(r#"{"roots":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#),
            r#"{"roots":{}}"#
        );
        assert_eq!(
            said(
                r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"io.modelcontextprotocol/ui":{"a":1}}}"#
            ),
            r#"{"extensions":{"io.modelcontextprotocol/ui":{"a":1}}}"#
        );
        assert_eq!(said("{}"), "{}");
    }

    #[test]
    fn extensions_of_the_service_stand_beside_what_we_offer() {
        let ui = r#"{"io.modelcontextprotocol/ui":{"a":1.50}}"#;
        let with = capabilities(Some(ui));
        assert!(with.contains(&format!(r#""extensions":{ui}"#)), "{with}");
        for said in [discovery(&with, "Read."), handshake("2025-11-25", &with, "Read.")] {
            let said: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(said["capabilities"]["tools"]["listChanged"], true, "{said}");
            assert_eq!(
                said["capabilities"]["extensions"]["io.modelcontextprotocol/ui"]["a"],
                1.5
            );
            assert_eq!(said["instructions"], "Read.");
        }
        assert!(!capabilities(None).contains("extensions"));
    }
}
