//! Tables of what is JSON and what is not.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

#[track_caller]
fn legal(text: &str) {
    assert_eq!(whole(text), Ok(()), "{text}");
    assert!(members(&format!("{{\"a\":{text}}}")).is_ok(), "{text}");
}

#[track_caller]
fn illegal(text: &str) {
    assert!(whole(text).is_err(), "{text:?}");
    assert!(check_strict(text).is_err(), "{text:?}");
    assert!(members(&format!("{{\"a\":{text}}}")).is_err(), "{text:?}");
    assert!(
        items(&format!("[{text}]")).is_err() || text.trim().is_empty() || text == "1,2",
        "{text:?}"
    );
}

#[test]
fn the_grammar_is_rfc_8259() {
    for text in [
        "0",
        "-0",
        "1",
        "-1",
        "10",
        "1.5",
        "187.2300",
        "1e400",
        "1E+2",
        "1e-2",
        "0e0",
        "-0.0e-0",
        "true",
        "false",
        "null",
        "\"\"",
        "\"\\u00e9\\/\\\"\\\\\\b\\f\\n\\r\\t\"",
        "\"\\ud800\"",
        "\"\\udc00x\"",
        "\"\\ud800\\u0041\"",
        "\"\u{7f}é\u{1F600}\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[[],{}]",
        " [ 1 , 2 ] ",
        "\t\r\n{\"a\" : [ { } ] }",
        "{\"\":{\"\":1},\"b\":2}",
        "123456789012345678901234567890",
        "[{\"a\":[1,{\"b\":[]}]},[]]",
    ] {
        legal(text);
    }
    for text in [
        "",
        " ",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x1",
        "-01",
        "1.e1",
        "NaN",
        "Infinity",
        "tru",
        "True",
        "nul",
        "\"",
        "\"a",
        "'a'",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\t\"",
        "\"\n\"",
        "\"\u{0}\"",
        "\"\u{1f}\"",
        "\"\\",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "[1}",
        "{\"a\":1]",
        "[{]}",
        "1 2",
        "// x\n1",
        "/* */1",
        "\u{a0}1",
        "\u{feff}1",
        "1\u{b}",
        "\u{c}1",
        "undefined",
        "1_000",
        "\"\\ud800\\uZZZZ\"",
        "{\"a\":}",
        "{:1}",
        "[\"a\":1]",
    ] {
        illegal(text);
    }
}

#[test]
fn depth_is_bounded_and_counted_from_the_outermost() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(whole(&nested(MAX_DEPTH)), Ok(()));
    assert_eq!(whole(&nested(MAX_DEPTH + 1)), Err(JsonError::Depth));
    assert!(items(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(items(&nested(MAX_DEPTH + 1)), Err(JsonError::Depth));
    let within = |depth| format!("{{\"a\":{}}}", nested(depth));
    assert!(members(&within(MAX_DEPTH - 1)).is_ok());
    assert_eq!(members(&within(MAX_DEPTH)), Err(JsonError::Depth));
    assert_eq!(whole(&"[".repeat(10_000_000)), Err(JsonError::Depth));
    let objects = "{\"a\":".repeat(MAX_DEPTH) + "1" + &"}".repeat(MAX_DEPTH);
    assert_eq!(check_strict(&objects), Ok(()));
}

#[test]
fn members_are_slices_of_the_text() {
    let text =
        " { \"a\\u0062\" : 187.2300 , \"\" : [ 1, 2 ] ,\"z\":{\"k\":1,\"k\":2}, \"s\": \"\\ud800 x\"} ";
    let found = members(text).unwrap();
    let pairs: Vec<(&str, &str)> = found.iter().map(|member| (&*member.key, member.value)).collect();
    assert_eq!(
        pairs,
        [
            ("ab", "187.2300"),
            ("", "[ 1, 2 ]"),
            ("z", "{\"k\":1,\"k\":2}"),
            ("s", "\"\\ud800 x\"")
        ]
    );
    assert!(matches!(found[1].key, Cow::Borrowed(_)));
    assert_eq!(members("{}"), Ok(vec![]));
    assert_eq!(members("[1]"), Err(JsonError::NotAnObject));
    assert_eq!(members("[1"), Err(JsonError::Syntax(2)));
    assert_eq!(members("{} {}"), Err(JsonError::Trailing(3)));
    assert_eq!(members("{\"\\ud800\":1}"), Err(JsonError::LoneSurrogate(2)));
    assert_eq!(items("[ 1 ,\"a\", [ ] ]"), Ok(vec!["1", "\"a\"", "[ ]"]));
    assert_eq!(items("{}"), Err(JsonError::NotAnArray));
    assert_eq!(member("{\"a\":1,\"b\":2,\"b\":3}", "a"), Ok(Some("1")));
    assert_eq!(member("{\"a\":1}", "b"), Ok(None));
    assert_eq!(
        member("{\"b\":2,\"\\u0062\":3}", "b"),
        Err(JsonError::DuplicateKey("b".into()))
    );
}

#[test]
fn a_repeated_key_is_found_also_among_many_and_through_escapes() {
    let repeated = |key: &str| Err(JsonError::DuplicateKey(key.into()));
    assert_eq!(
        members("{\"a\":1,\"b\":2,\"\\u0061\":3}").map(|_| ()),
        repeated("a")
    );
    for count in [1, 15, 16, 17, 18, 1000] {
        let body: Vec<String> = (0..count).map(|n| format!("\"k{n}\":{n}")).collect();
        let plain = format!("{{{}}}", body.join(","));
        assert_eq!(members(&plain).unwrap().len(), count);
        assert_eq!(check_strict(&plain), Ok(()));
        for key in ["k0".to_owned(), format!("k{}", count - 1)] {
            let twice = format!("{{{},\"{key}\":0}}", body.join(","));
            assert_eq!(members(&twice).map(|_| ()), repeated(&key), "{count}");
            assert_eq!(check_strict(&twice), repeated(&key), "{count}");
            let upper = key.to_uppercase();
            let twins = format!("{{{},\"{upper}\":0}}", body.join(","));
            assert!(members(&twins).is_ok());
            assert_eq!(
                check_strict(&twins),
                Err(JsonError::CaseTwins(key, upper)),
                "{count}"
            );
        }
    }
}

#[test]
fn an_error_does_not_repeat_a_huge_key() {
    let key = "é".repeat(100_000);
    let twice = format!("{{\"{key}\":1,\"{key}\":2}}");
    for error in [
        members(&twice).unwrap_err(),
        check_strict(&twice).unwrap_err(),
        member(&twice, &key).unwrap_err(),
    ] {
        assert!(error.to_string().chars().count() < 150);
    }
}

#[test]
fn strict_reading_looks_at_every_depth() {
    for text in [
        "{\"a\":{\"x\":1,\"y\":{\"q\":1}},\"b\":{\"x\":1,\"y\":2},\"x\":[{\"a\":1},{\"a\":2}]}",
        "[{\"side\":\"buy\"},{\"Side\":\"buy\"}]",
        "\"plain\"",
        "{\"ss\":1,\"s\":2}",
        "{\"a_b\":1,\"ab\":2}",
    ] {
        assert_eq!(check_strict(text), Ok(()), "{text}");
    }
    for text in [
        "{\"a\":[[{\"x\":1,\"x\":2}]]}",
        "[[[{\"x\":1,\"\\u0078\":2}]]]",
        "{\"a\":{\"Qty\":1,\"qty\":2}}",
        "{\"a\":{\"q\":{},\"w\":[{}],\"Q\":2}}",
        "{\"Ä\":1,\"ä\":2}",
        "{\"ß\":1,\"SS\":2}",
        "{\"ẞ\":1,\"ß\":2}",
        "{\"ΑΣ\":1,\"ας\":2}",
        "{\"\u{212a}\":1,\"k\":2}",
        "{\"ſ\":1,\"s\":2}",
        "{\"\\u004b\":1,\"k\":2}",
        "{\"\\ud800\":1}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":1} x",
    ] {
        assert!(check_strict(text).is_err(), "{text}");
    }
}

#[test]
fn strings_are_decoded() {
    assert_eq!(string("\"abc\""), Ok(Cow::Borrowed("abc")));
    assert!(matches!(string("\"abc\""), Ok(Cow::Borrowed(_))));
    assert_eq!(
        string(r#""\u00e9\/\"\\\b\f\n\r\t\ud83d\ude00\u0000é""#).unwrap(),
        "é/\"\\\u{8}\u{c}\n\r\t😀\0é"
    );
    for wrong in [
        "",
        "abc",
        "\"a",
        "\"a\" ",
        " \"a\"",
        "\"a\"b",
        "1",
        "\"\\ud800\"",
        "\"\\ude00\\ud83d\"",
        "\"\\ud83d\\u0041\"",
    ] {
        assert!(string(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn minified_text_is_one_line_and_untouched_otherwise() {
    let already = r#"{"a":[1.50,"x y\n"],"b":"\" ]","c":"\\"}"#;
    assert!(matches!(minify(already), Cow::Borrowed(text) if text == already));
    let pretty = "{\r\n\t\"a b\" : [ 1.50 , \"x  y\\n\" ] ,\n \"b\\\\\" : \"\\\" ] \" }\n";
    assert_eq!(minify(pretty), r#"{"a b":[1.50,"x  y\n"],"b\\":"\" ] "}"#);
    assert_eq!(minify(" 1 "), "1");
    assert_eq!(minify(""), "");
    assert!(!minify("{\"a\nb\r\": \"\\\n\"").contains(['\n', '\r']));
}

#[test]
fn a_huge_flat_text_takes_linear_time() {
    // Quadratic work on these would take minutes, not seconds.
    let keys: Vec<String> = (0..200_000).map(|n| format!("\"key{n}\":{n}")).collect();
    let object = format!("{{{}}}", keys.join(","));
    assert_eq!(members(&object).unwrap().len(), 200_000);
    assert_eq!(check_strict(&object), Ok(()));
    let array = format!("[{}1]", "{\"a\":1},".repeat(200_000));
    assert_eq!(items(&array).unwrap().len(), 200_001);
    assert_eq!(check_strict(&array), Ok(()));
    let spread = array.replace(',', " ,\n");
    assert_eq!(minify(&spread), array);
}

/// Any JSON value; keys come from few letters, so that twins by case occur.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let key = prop_oneof![3 => "[abAB]{0,2}", 1 => any::<String>()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..6)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Whether two keys of one object differ in letter case only, by a plain reading of serde's value.
fn has_twins(value: &Value) -> bool {
    let fold = |key: &String| keys::fold(&Cow::Borrowed(key)).into_owned();
    match value {
        Value::Object(members) => {
            let folded: HashSet<String> = members.keys().map(fold).collect();
            folded.len() < members.len() || members.values().any(has_twins)
        }
        Value::Array(items) => items.iter().any(has_twins),
        _ => false,
    }
}

proptest! {
    #[test]
    fn what_serde_writes_reads_as_serde_reads_it(value in value(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        // serde rounds the last digit of some numbers, so it is asked for the whole as well as for the parts.
        let value: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(whole(&text), Ok(()));
        prop_assert_eq!(check_strict(&text).is_err(), has_twins(&value));
        match &value {
            Value::Object(expected) => {
                let found: Map<String, Value> = members(&text)
                    .unwrap()
                    .into_iter()
                    .map(|member| (member.key.into_owned(), serde_json::from_str(member.value).unwrap()))
                    .collect();
                prop_assert_eq!(&found, expected);
            }
            Value::Array(expected) => {
                let found: Vec<Value> =
                    items(&text).unwrap().into_iter().map(|item| serde_json::from_str(item).unwrap()).collect();
                prop_assert_eq!(&found, expected);
            }
            Value::String(expected) => prop_assert_eq!(&*string(&text).unwrap(), expected),
            _ => {}
        }
    }

    #[test]
    fn minified_text_means_the_same_and_is_minimal(value in value()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let small = minify(&pretty);
        prop_assert_eq!(&*small, serde_json::to_string(&value).unwrap());
        prop_assert!(matches!(minify(&small), Cow::Borrowed(text) if text == &*small));
    }

    #[test]
    fn text_of_any_kind_is_judged_as_serde_judges_it(
        text in prop_oneof![
            any::<String>(),
            "[\\[\\]{},:\" 0-9a-]{0,24}",
            "[-+0-9.eE]{0,8}",
            "\"(\\\\[\"/bfnrtux\\\\]|[0-9a-fA-F]{4}|[ -~]){0,6}\"",
        ],
    ) {
        let serde = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(whole(&text).is_ok(), serde, "{}", text);
        let strict = check_strict(&text).is_ok();
        prop_assert!(!strict || serde, "{}", text);
        let small = minify(&text);
        prop_assert!(!small.contains(['\n', '\r']));
        prop_assert_eq!(minify(&small), &*small);
        let _ = (members(&text), items(&text), string(&text), member(&text, "a"));
    }

    #[test]
    fn bytes_of_any_kind_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = (check_strict(&text), members(&text), string(&text), minify(&text));
        let _ = super::super::envelope::read(&bytes);
        let _ = super::super::envelope::recover(&bytes);
    }
}
