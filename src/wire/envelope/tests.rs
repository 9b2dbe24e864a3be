//! What is a message and what is none, by tables; the corpus of odd but legal messages.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::*;

/// Each line is a whole message that a client or a server may send.
const CORPUS: &str = include_str!("../../../tests/corpus/legal-messages.jsonl");

#[track_caller]
fn message(text: &str) -> Message<'_> {
    match read(text.as_bytes()) {
        Ok(Line::One(message)) => message,
        other => panic!("{text}: {other:?}"),
    }
}

#[track_caller]
fn malformed(text: &str, code: i32, id: Option<&str>) {
    let wrong = read(text.as_bytes()).expect_err(text);
    assert_eq!(
        (wrong.code, wrong.id.as_ref().map(Id::raw)),
        (code, id),
        "{text}: {}",
        wrong.reason
    );
}

#[test]
fn every_legal_message_of_the_corpus_reads_and_keeps_its_bytes() {
    let mut count = 0;
    for line in CORPUS.lines() {
        let read = message(line);
        assert_eq!(read.text, line);
        let serde: HashMap<String, &RawValue> = serde_json::from_str(line).unwrap();
        let (has_id, has_method) = (serde.contains_key("id"), serde.contains_key("method"));
        match read.kind {
            Kind::Request(id) => {
                assert!(has_id && has_method, "{line}");
                assert!(line.contains(id.raw()), "{line}");
            }
            Kind::Notification => assert!(!has_id && has_method, "{line}"),
            Kind::Response(id) => {
                assert!(has_id && !has_method, "{line}");
                assert!(line.contains(id.raw()), "{line}");
                assert!(read.result.is_some() != read.error.is_some(), "{line}");
            }
        }
        for (name, part) in [
            ("params", read.params),
            ("result", read.result),
            ("error", read.error),
        ] {
            assert_eq!(part, serde.get(name).map(|value| value.get()), "{line}");
        }
        assert!(!json::minify(line).contains('\n'));
        count += 1;
    }
    assert!(count >= 80, "{count}");
}

#[test]
fn parts_are_slices_of_the_text() {
    let text =
        r#" {"vendor":1, "params" : { "a" : 1.0 } ,"id": "\u0037" ,"method":"tools\/call","jsonrpc":"2.0"} "#;
    let read = message(text);
    assert_eq!(read.kind, Kind::Request(Id::from_raw("\"7\"").unwrap()));
    assert_eq!(
        (&*read.method, read.params, read.text),
        ("tools/call", Some(r#"{ "a" : 1.0 }"#), text)
    );
    let read = message(r#"{"jsonrpc":"2.0","id":1,"result":null}"#);
    assert_eq!((&*read.method, read.result, read.error), ("", Some("null"), None));
}

#[test]
fn what_is_no_json_is_told_with_the_id_if_that_stands_there() {
    for (text, id) in [
        ("", None),
        ("hello", None),
        ("{", None),
        ("[", None),
        ("[1,", None),
        ("\u{0}", None),
        ("<html></html>", None),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping""#, Some("1")),
        (r#"{"jsonrpc":"2.0","method":"ping","id":1,}"#, Some("1")),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":NaN}}"#,
            Some("1"),
        ),
        (
            r#"{"method":"x","params":{"a":NaN},"jsonrpc":"2.0","id":1}"#,
            Some("1"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}"#,
            Some("1"),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"a	b"}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","id":01,"method":"ping"}"#, None),
    ] {
        malformed(text, PARSE_ERROR, id);
    }
    let wrong = read(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc3\x28\"}").unwrap_err();
    assert_eq!((wrong.code, wrong.id.unwrap().raw()), (PARSE_ERROR, "1"));
}

#[test]
fn what_is_json_and_no_message_is_told_with_its_id() {
    for (text, id) in [
        ("1", None),
        ("null", None),
        ("\"x\"", None),
        ("{}", None),
        ("[]", None),
        (" [ ] ", None),
        (r#"{"id":1,"method":"ping"}"#, Some("1")),
        (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, Some("1")),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, Some("1")),
        (r#"{"jsonrpc":null,"id":"a","method":"ping"}"#, Some("\"a\"")),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, None),
        (r#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#, None),
        (r#"{"jsonrpc":"2.0","id":1e2,"method":"ping"}"#, None),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, None),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, None),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, None),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, None),
        (r#"{"jsonrpc":"2.0","id":1}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","id":1,"method":1}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","id":1,"method":null}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":1}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":"a"}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","method":"y"}"#, Some("1")),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"x","m\u0065thod":"y"}"#,
            Some("1"),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","Method":"y"}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","PARAMS":{}}"#, Some("1")),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"x","param\u017f":{}}"#,
            Some("1"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{},"params":{}}"#,
            Some("1"),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}"#, None),
        (r#"{"jsonrpc":"2.0","id":1,"\u0069d":2,"method":"x"}"#, None),
        (r#"{"jsonrpc":"2.0","id":1,"ID":2,"method":"x"}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","Id":2,"method":"x"}"#, None),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","v":1,"v":2}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","\ud800":1}"#, Some("1")),
        (
            r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"x"}"#,
            Some("1"),
        ),
    ] {
        malformed(text, INVALID_REQUEST, id);
        assert!(!read(text.as_bytes()).unwrap_err().response, "{text}");
    }
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{}"#,
        "[".repeat(100_000)
    );
    malformed(&deep, INVALID_REQUEST, Some("1"));
    let vendor = (0..300)
        .map(|n| format!(",\"k{n}\":0"))
        .collect::<Vec<_>>()
        .concat();
    malformed(
        &format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x"{vendor}}}"#),
        INVALID_REQUEST,
        Some("1"),
    );
}

#[test]
fn a_broken_response_is_told_from_a_broken_request() {
    for (text, id) in [
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","result":{}}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","error":{}}"#, Some("1")),
        (
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#,
            None,
        ),
        (r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"x"}}"#, None),
        (r#"{"jsonrpc":"2.0","id":1,"error":"boom"}"#, Some("1")),
        (r#"{"jsonrpc":"2.0","id":1.5,"result":{}}"#, None),
        (r#"{"id":1,"result":{}}"#, Some("1")),
    ] {
        malformed(text, INVALID_REQUEST, id);
        assert!(read(text.as_bytes()).unwrap_err().response, "{text}");
    }
    assert!(
        read(br#"{"jsonrpc":"2.0","id":1,"result":{"a":"#)
            .unwrap_err()
            .response
    );
}

#[test]
fn an_error_without_id_can_still_be_read() {
    let error = r#"{"code":1,"message":"x"}"#;
    for text in [
        format!(r#"{{"jsonrpc":"2.0","id":null,"error":{error}}}"#),
        format!(r#"{{"jsonrpc":"2.0","error":{error}}}"#),
        format!(r#"{{"error":{error}}}"#),
    ] {
        assert_eq!(error_without_id(&text), Some(error));
    }
    for text in [
        r#"{"id":1,"error":{}}"#,
        r#"{"error":"x"}"#,
        "[]",
        r#"{"error":{},"result":{}}"#,
        "{}",
    ] {
        assert_eq!(error_without_id(text), None, "{text}");
    }
}

#[test]
fn each_member_of_a_batch_is_read_on_its_own() {
    let text = br#" [ {"jsonrpc":"2.0","id":1,"method":"ping"} , {"id":2,"method":"x"}, 3, [], {"jsonrpc":"2.0","method":"n"} ] "#;
    let Ok(Line::Batch(members)) = read(text) else {
        panic!("no batch")
    };
    assert_eq!(members.len(), 5);
    assert_eq!(
        members[0].as_ref().unwrap().text,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#
    );
    assert_eq!(members[1].as_ref().unwrap_err().id.as_ref().unwrap().raw(), "2");
    assert_eq!(members[2].as_ref().unwrap_err().code, INVALID_REQUEST);
    assert_eq!(members[3].as_ref().unwrap_err().code, INVALID_REQUEST);
    assert_eq!(members[4].as_ref().unwrap().kind, Kind::Notification);
    let many = format!("[{}1]", "1,".repeat(MAX_BATCH));
    malformed(&many, INVALID_REQUEST, None);
}

#[test]
fn what_we_build_reads_back() {
    let id = Id::ours("a\"\n");
    for text in [
        request(&id, "x/y", Some("{}")),
        request(&id, "x/y", None),
        notification("n", Some("[1]")),
        notification("n", None),
        response(&id, "{}"),
        error(Some(&id), -32603, "say \"no\"\n", Some("{\"a\":1}")),
    ] {
        assert_eq!(message(&text).text, text);
        assert!(!text.contains('\n'));
    }
    assert_eq!(
        error_without_id(&error(None, -32700, "x", None)),
        Some(r#"{"code":-32700,"message":"x"}"#)
    );
}
