//! The readers of `wire`: whatever bytes come, and however they are cut, they mean one thing.

use crate::oracle::{self, NoTree, Tree};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::wire::envelope::{self, Id, Kind, Line, Malformed, Message};
use countersign::wire::frame::{Frame, Framer};
use countersign::wire::headers;
use countersign::wire::json::{self, JsonError};
use countersign::wire::sse::{self, Event, Parser, SseError};
use serde_json::Value;

/// Cuts `bytes` at places that `seed` chooses.
fn cut(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let (mut rest, mut state, mut chunks) = (bytes, u32::from(seed), Vec::new());
    while !rest.is_empty() {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let size = 1 + usize::try_from((state >> 16) % 7).unwrap_or(0);
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

/// The frame reader. The first byte is the bound (255: the program's own), the second chooses the cuts.
pub fn frame(data: &[u8]) {
    let [bound, seed, stream @ ..] = data else { return };
    let read = |chunks: &[&[u8]]| {
        let mut framer = match bound {
            255 => Framer::new(),
            bound => Framer::with_bound(usize::from(*bound)),
        };
        let mut found = Vec::new();
        for chunk in chunks {
            framer.push(chunk, |frame| found.push(frame));
        }
        found.extend(framer.finish());
        assert_eq!(framer.finish(), None, "nothing follows the end");
        found
    };
    let whole = read(&[stream]);
    assert_eq!(read(&cut(stream, *seed)), whole, "another cut, other frames");
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(read(&single), whole, "byte by byte, other frames");
    for frame in &whole {
        match frame {
            Frame::Line(line) => {
                assert!(!line.contains(&b'\n'), "a line holds a line end");
                assert!(
                    *bound == 255 || line.len() <= usize::from(*bound),
                    "a line is over the bound"
                );
                assert!(
                    line.iter().any(|byte| !matches!(byte, b' ' | b'\t' | b'\r')),
                    "a blank line"
                );
            }
            Frame::TooLong(kept) => {
                assert!(
                    *bound != 255 && kept.len() > usize::from(*bound),
                    "not too long at all"
                );
                let _ = envelope::recover(kept);
            }
        }
    }
}

/// The strict reader against `serde_json`: what we accept means the same there, and no repeated key passes.
pub fn json(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let (whole, strict, tree) = (json::whole(text), json::check_strict(text), oracle::tree(text));
    let by_serde = oracle::is_json(text);
    match whole {
        Ok(()) => assert!(by_serde, "we accept what is no JSON"),
        Err(JsonError::Depth) => {}
        Err(_) => assert!(!by_serde, "we refuse what is JSON"),
    }
    if strict.is_ok() {
        assert_eq!(whole, Ok(()));
        match &tree {
            Ok(tree) => assert!(!tree.has_twins(), "twins by letter case pass"),
            Err(why) => assert_eq!(*why, NoTree::Limit),
        }
    }
    // The other way: strict refuses nothing but repeated keys, twins, half surrogate pairs and depth.
    if let (Err(why), Ok(tree)) = (&strict, &tree) {
        match why {
            JsonError::CaseTwins(..) => {}
            JsonError::Depth => assert!(text.len() > json::MAX_DEPTH),
            other => assert!(tree.has_twins(), "{other} where there is nothing to refuse"),
        }
    }
    if tree == Err(NoTree::Repeated) {
        assert!(strict.is_err(), "a repeated key passes");
    }
    parts_agree(text, tree.as_ref().ok());
    let line = json::minify(text);
    assert!(!line.contains(['\n', '\r']), "more than one line");
    if whole.is_ok() {
        assert_eq!(json::whole(&line), Ok(()), "minified JSON is none any more");
        assert_eq!(oracle::tree(&line), tree, "minified JSON means something else");
        assert_eq!(json::minify(&line), line);
    }
    let mine = json::string(text);
    let theirs = serde_json::from_str::<String>(text);
    match (&mine, &theirs) {
        (Ok(mine), Ok(theirs)) => assert_eq!(mine, theirs),
        (Ok(_), Err(error)) => assert!(theirs.is_ok(), "we read a text that is none: {error}"),
        // `serde_json` passes blanks around the literal.
        (Err(_), Ok(_)) => assert_ne!(text.trim(), text),
        (Err(_), Err(_)) => {}
    }
}

/// The members and items that we find are those of the tree, and their texts mean the same.
fn parts_agree(text: &str, tree: Option<&Tree>) {
    if let Ok(members) = json::members(text) {
        assert_eq!(json::whole(text), Ok(()));
        for member in &members {
            assert_eq!(json::whole(member.value), Ok(()));
            assert_eq!(json::member(text, &member.key), Ok(Some(member.value)));
        }
        if let Some(tree) = tree {
            let mine: Option<Vec<(String, Tree)>> = members
                .iter()
                .map(|member| Some((member.key.to_string(), oracle::tree(member.value).ok()?)))
                .collect();
            assert_eq!(mine.map(Tree::Object).as_ref(), Some(tree));
        }
    } else {
        assert!(
            !matches!(tree, Some(Tree::Object(_))) || text.len() > json::MAX_DEPTH || text.contains("\\u")
        );
    }
    if let (Ok(items), Some(tree)) = (json::items(text), tree) {
        let mine: Option<Vec<Tree>> = items.iter().map(|item| oracle::tree(item).ok()).collect();
        assert_eq!(mine.map(Tree::List).as_ref(), Some(tree));
    }
}

/// The envelope: its parts are slices of the line, and mean what `serde_json` reads there.
pub fn envelope(data: &[u8]) {
    match envelope::read(data) {
        Ok(Line::One(read)) => {
            assert_eq!(read.text.as_bytes(), data);
            message(&read);
        }
        Ok(Line::Batch(members)) => {
            assert!(!members.is_empty() && members.len() <= envelope::MAX_BATCH);
            for member in &members {
                match member {
                    Ok(read) => message(read),
                    Err(wrong) => malformed(wrong),
                }
            }
        }
        Err(wrong) => malformed(&wrong),
    }
    if let Ok(text) = std::str::from_utf8(data) {
        if let Some(error) = envelope::error_without_id(text) {
            assert!(oracle::is_json(error) && envelope::read(data).is_err());
        }
        let call = envelope::tool_call(text);
        if let Ok(call) = &call {
            assert!(call.name_raw.starts_with('"'));
            assert_eq!(json::member(text, "name"), Ok(Some(call.name_raw)));
            assert_eq!(json::member(text, "arguments"), Ok(call.arguments));
        }
        let _ = envelope::progress_token(text);
        let _ = envelope::cancelled_id(text);
        if let Some(id) = Id::from_raw(text) {
            assert_eq!(id.raw(), text);
            assert!(oracle::is_json(text));
        }
    }
}

fn malformed(wrong: &Malformed) {
    assert!(matches!(
        wrong.code,
        envelope::PARSE_ERROR | envelope::INVALID_REQUEST
    ));
    let answer = envelope::error(wrong.id.as_ref(), wrong.code, &wrong.reason, None);
    assert!(oracle::is_json(&answer) && !answer.contains('\n'));
}

fn message(read: &Message<'_>) {
    let is_slice =
        |part: Option<&str>| part.is_none_or(|part| read.text.contains(part) && oracle::is_json(part));
    assert!(is_slice(read.params) && is_slice(read.result) && is_slice(read.error));
    if let Ok(tree) = oracle::tree(read.text) {
        let Tree::Object(members) = tree else {
            return assert!(read.text.is_empty(), "a message that is no object");
        };
        let of = |key: &str| {
            members
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value)
        };
        assert_eq!(of("jsonrpc"), Some(&Tree::Leaf("2.0".into())));
        for (key, part) in [
            ("params", read.params),
            ("result", read.result),
            ("error", read.error),
        ] {
            assert_eq!(of(key).is_some(), part.is_some(), "{key}");
            assert_eq!(part.map(oracle::tree), of(key).cloned().map(Ok), "{key}");
        }
        let method = of("method").map_or(Tree::Leaf("".into()), Clone::clone);
        assert_eq!(method, Tree::Leaf((*read.method).into()));
        let id = match &read.kind {
            Kind::Request(id) | Kind::Response(id) => Some(id),
            Kind::Notification => None,
        };
        assert_eq!(of("id").is_some(), id.is_some());
        if let (Some(id), Some(Tree::Leaf(value))) = (id, of("id")) {
            assert_eq!(serde_json::from_str::<Value>(id.raw()).ok().as_ref(), Some(value));
        }
    }
    if let Kind::Request(id) = &read.kind {
        let built = envelope::request(id, &read.method, read.params);
        let Ok(Line::One(again)) = envelope::read(built.as_bytes()) else {
            return assert!(built.is_empty(), "what we build does not read back");
        };
        assert_eq!(
            (&again.kind, &again.method, again.params),
            (&read.kind, &read.method, read.params)
        );
    }
}

/// The reader of server-sent events. The first byte is the bound (255: the program's own), the second chooses the cuts.
pub fn sse(data: &[u8]) {
    let [bound, seed, stream @ ..] = data else { return };
    let read = |chunks: &[&[u8]]| -> (Vec<Event>, Result<(), SseError>, String) {
        let mut parser = match bound {
            255 => Parser::new(),
            bound => Parser::with_bound(usize::from(*bound)),
        };
        let mut found = Vec::new();
        let ended = chunks
            .iter()
            .try_for_each(|chunk| parser.push(chunk, |event| found.push(event)));
        (found, ended, parser.last_id().to_owned())
    };
    let whole = read(&[stream]);
    assert_eq!(read(&cut(stream, *seed)), whole, "another cut, other events");
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(read(&single), whole, "byte by byte, other events");
    assert!(*bound != 255 || stream.len() > sse::MAX_EVENT || whole.1.is_ok());
    for event in &whole.0 {
        assert!(!event.kind.is_empty() && !event.data.contains('\r'));
        assert!(
            event
                .id
                .as_ref()
                .is_none_or(|id| !id.contains(['\0', '\n', '\r']))
        );
    }
}

/// `WWW-Authenticate`.
pub fn challenge(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let found = headers::challenges(text);
    assert!(found.len() <= 32 && (text.len() <= 16 * 1024 || found.is_empty()));
    for challenge in &found {
        assert!(headers::is_token(&challenge.scheme), "{challenge:?}");
        assert_eq!(challenge.scheme, challenge.scheme.to_ascii_lowercase());
        assert!(challenge.params.len() <= 32);
        for (name, value) in &challenge.params {
            assert_eq!(*name, name.to_ascii_lowercase());
            assert!(challenge.param(name).is_some());
            // Unquoting only ever takes away.
            assert!(value.len() <= text.len());
        }
        // What was read can be written so that it reads the same.
        let plain = |text: &str| text.chars().all(|letter| matches!(letter, ' '..='~'));
        if challenge
            .params
            .iter()
            .all(|(name, value)| headers::is_token(name) && plain(value))
        {
            let params: Vec<String> = challenge
                .params
                .iter()
                .map(|(name, value)| {
                    format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
                })
                .collect();
            let written = format!("{} {}", challenge.scheme, params.join(", "));
            if written.len() <= 16 * 1024 {
                assert_eq!(
                    headers::challenges(&written),
                    std::slice::from_ref(challenge),
                    "{written}"
                );
            }
        }
    }
}

/// `Retry-After`, media types and MCP's header values.
pub fn headers(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let now = 1_795_366_800_000;
    if let Some(wait) = headers::retry_after(text, now) {
        let seconds = text.trim().parse::<u64>();
        if let Ok(seconds) = seconds {
            assert_eq!(wait.as_secs(), seconds);
        }
        // The same date later is never a longer wait.
        let later = headers::retry_after(text, now + 60_000);
        assert!(later.is_some_and(|later| later <= wait));
    }
    let value = headers::mcp_value(text);
    assert!(!value.is_empty() && value.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    assert_eq!(value.trim(), value);
    let encoded = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    match encoded {
        Some(encoded) => assert_eq!(STANDARD.decode(encoded).ok().as_deref(), Some(text.as_bytes())),
        None => assert_eq!(value, text),
    }
    let media = headers::media_type(text);
    assert!(headers::content_type_is(text, &media));
    if headers::is_token(text) {
        assert!(text.is_ascii() && !text.contains([' ', ':', '\n']));
    }
}
