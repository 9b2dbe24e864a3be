//! The examples of the standard, its corners, and any split.

use proptest::prelude::*;

use super::*;

fn events(mut parser: Parser, chunks: &[&[u8]]) -> (Vec<Event>, Result<(), SseError>, String) {
    let mut found = Vec::new();
    for chunk in chunks {
        if let Err(error) = parser.push(chunk, |event| found.push(event)) {
            assert_eq!(
                parser.push(b"data: x\n\n", |_| panic!("read on")),
                Err(error.clone())
            );
            return (found, Err(error), parser.last_id);
        }
    }
    (found, Ok(()), parser.last_id)
}

/// Each expected event as `kind|data|id|retry`, the last two empty where they are missing.
#[track_caller]
fn check(stream: &[u8], expected: &[&str]) {
    let whole = events(Parser::new(), &[stream]);
    assert_eq!(whole.1, Ok(()));
    let shown: Vec<String> = whole
        .0
        .iter()
        .map(|event| {
            let retry = event.retry.map(|retry| retry.to_string()).unwrap_or_default();
            let id = event.id.as_ref().map(|id| format!("<{id}>")).unwrap_or_default();
            format!("{}|{}|{id}|{retry}", event.kind, event.data)
        })
        .collect();
    assert_eq!(shown, expected);
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(events(Parser::new(), &single), whole);
}

#[test]
fn lines_end_in_any_of_three_ways() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = [
            "event: add",
            "data: 73857293",
            "",
            "event:remove",
            "data:2153",
            "id: 7",
            "",
            "",
        ]
        .join(end);
        check(stream.as_bytes(), &["add|73857293||", "remove|2153|<7>|"]);
    }
    check(b"data: a\rdata: b\ndata: c\r\n\r\n", &["message|a\nb\nc||"]);
    check(b"data: a\n\r", &["message|a||"]);
    check(b"data: a\r\n\ndata: b\n\r\n", &["message|a||", "message|b||"]);
    check(b"data: a\r\r\ndata: b\r\r", &["message|a||", "message|b||"]);
}

#[test]
fn one_blank_after_the_colon_is_no_part_of_the_value() {
    check(
        b"data:x\n\ndata: x\n\ndata:  x \n\ndata:\tx\n\n",
        &["message|x||", "message|x||", "message| x ||", "message|\tx||"],
    );
    check(b"data: a:b: c\n\n", &["message|a:b: c||"]);
    check(b"data: +2\ndata\ndata: 10\n\n", &["message|+2\n\n10||"]);
}

#[test]
fn comments_and_unknown_fields_are_passed_over() {
    check(
        b": hello\n:\n\n:ping\n\ndata: x\n: in between\nfoo: bar\nDATA: no\n data: no\nda\xffta: no\n\n",
        &["message|x||"],
    );
}

#[test]
fn empty_data_is_delivered_with_an_id_or_retry_only() {
    check(b"data:\n\ndata\n\nevent: x\n\n\n\n", &[]);
    check(b"id: 1\ndata:\n\n", &["message||<1>|"]);
    check(b"id: 1\n\n", &["message||<1>|"]);
    check(b"retry: 3000\n\n", &["message|||3000"]);
    check(b"id\n\nid:\n\n", &["message||<>|", "message||<>|"]);
    check(b"data\ndata\n\n", &["message|\n||"]);
    check(b"event: a\n\ndata: b\n\n", &["message|b||"]);
    check(b"event: a\nevent:\ndata: b\n\n", &["message|b||"]);
}

#[test]
fn ids_and_retry_times_keep_their_rules() {
    check(b"id: a\0b\ndata: x\n\n", &["message|x||"]);
    check(b"id: a\nid: b\0\ndata: x\n\n", &["message|x|<a>|"]);
    for wrong in ["-1", "1.5", "1e3", "", " 1", "1 ", "\u{664}", "+1"] {
        check(
            format!("retry: {wrong}\ndata: x\n\n").as_bytes(),
            &["message|x||"],
        );
    }
    check(b"retry: 0010\nretry: x\ndata: x\n\n", &["message|x||10"]);
    check(
        b"retry: 99999999999999999999999\n\n",
        &["message|||18446744073709551615"],
    );
}

#[test]
fn the_last_id_is_that_of_the_last_complete_event() {
    let last = |stream: &[u8]| events(Parser::resumed("old"), &[stream]).2;
    assert_eq!(last(b""), "old");
    assert_eq!(last(b"data: x\n\n"), "old");
    assert_eq!(last(b"id: 1\ndata: x\n\ndata: y\n\n"), "1");
    assert_eq!(last(b"id: 1\n\nid: 2\ndata: cut"), "1");
    assert_eq!(last(b"id: 1\n\nid\n\n"), "");
    assert_eq!(Parser::resumed("é").last_id(), "é");
}

#[test]
fn an_event_without_its_blank_line_is_none() {
    check(b"data: a\n\ndata: b\n", &["message|a||"]);
    check(b"data: a", &[]);
}

#[test]
fn text_may_be_split_anywhere_and_a_mark_may_lead() {
    check("\u{feff}data: é😀日\n\n".as_bytes(), &["message|é😀日||"]);
    check("\u{feff}\n\u{feff}data: x\n\n".as_bytes(), &[]);
    check(
        "\u{feff}\u{feff}data: x\n\ndata: y\n\n".as_bytes(),
        &["message|y||"],
    );
    check(b"data: a\xffb\xc3\n\n", &["message|a\u{fffd}b\u{fffd}||"]);
    check(b"\xef\xbb\ndata: x\n\n", &["message|x||"]);
}

#[test]
fn an_event_over_the_bound_ends_the_stream() {
    let ends = |stream: &[u8]| {
        let whole = events(Parser::with_bound(20), &[stream]);
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(events(Parser::with_bound(20), &single), whole);
        (whole.0.len(), whole.1.is_err())
    };
    assert_eq!(ends(b"data: 34567890123456\n\ndata: x\n\n"), (2, false));
    assert_eq!(ends(b"data: x\n\ndata: 345678901234567\n\n"), (1, true));
    assert_eq!(ends(b"data: x\n\ndata: 3456789012345678901234567"), (1, true));
    assert_eq!(ends(b"data: 7890\ndata: 7890\n\n"), (1, false));
    assert_eq!(ends(b"data: 7890\ndata: 78901\n\n"), (0, true));
    assert_eq!(ends(&b"x:\n".repeat(11)), (0, true));
    assert_eq!(ends(&b": 34567890\n".repeat(1000)), (0, false));
    assert_eq!(ends("\u{feff}data: 34567890123456\n\n".as_bytes()), (1, false));
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(
        parts in proptest::collection::vec(prop_oneof![
            3 => Just(&b"\n"[..]), 3 => Just(&b"\r"[..]), 2 => Just(&b"\r\n"[..]), 3 => Just(&b"data:"[..]), 1 => Just(&b"data"[..]),
            2 => Just(&b" "[..]), 2 => Just(&b"x"[..]), 1 => Just("é😀".as_bytes()), 1 => Just(&b"\xff\xc3"[..]),
            2 => Just(&b"id: 1"[..]), 1 => Just(&b"id"[..]), 1 => Just(&b"\0"[..]), 1 => Just(&b"event: e"[..]),
            1 => Just(&b"retry: 5"[..]), 1 => Just(&b":c"[..]), 1 => Just(BYTE_ORDER_MARK),
        ], 0..60),
        cuts in proptest::collection::vec(0usize..200, 0..12),
        bound in prop_oneof![Just(MAX_EVENT), 0usize..40],
    ) {
        let stream = parts.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        let whole = events(Parser::with_bound(bound), &[&stream]);
        prop_assert_eq!(events(Parser::with_bound(bound), &chunks), whole);
    }
}

#[test]
fn an_event_that_has_begun_is_told_from_a_comment() {
    let mut parser = Parser::new();
    for (bytes, inside) in [
        (&b""[..], false),
        (b": sign of life", false),
        (b"\n", false),
        (b"da", true),
        (b"ta: x\n", true),
        (b": in between\n", true),
        (b"\n", false),
        (b":\n\n", false),
        (b"id: 7", true),
        (b"\n\n", false),
    ] {
        parser.push(bytes, |_| ()).unwrap();
        assert_eq!(parser.is_inside(), inside, "{:?}", String::from_utf8_lossy(bytes));
    }
}
