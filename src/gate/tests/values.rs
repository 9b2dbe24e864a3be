//! Single values at their bounds: which texts, whole numbers, decimals and shares pass.

use super::{held, try_route};
use crate::gate::value::{self, Decimal, MAX_NAME};

fn quoted(length: usize) -> String {
    format!("\"{}\"", "x".repeat(length))
}

#[test]
fn a_text_has_one_character_at_least_and_no_more_than_its_bound() {
    for (length, good) in [
        (0, false),
        (1, true),
        (MAX_NAME - 1, true),
        (MAX_NAME, true),
        (MAX_NAME + 1, false),
        (MAX_NAME + 2, false),
    ] {
        assert_eq!(value::name("k", &quoted(length)).is_ok(), good, "{length}");
    }
    for odd in ["\" a\"", "\"a \"", "\" \""] {
        assert!(value::name("k", odd).is_err(), "{odd}");
    }
}

/// The strict reader of JSON refuses most of these before; here they are refused without it.
#[test]
fn a_whole_number_is_plain_and_at_most_a_million() {
    for good in ["0", "1", "10", "999999", "1000000"] {
        assert_eq!(
            value::whole("k", good).ok().map(|n| n.to_string()).as_deref(),
            Some(good)
        );
    }
    for odd in [
        "",
        "00",
        "05",
        "+5",
        "-1",
        "1.0",
        "1e3",
        "1000001",
        "4000000000",
        "x",
    ] {
        assert!(value::whole("k", odd).is_err(), "{odd}");
    }
}

#[test]
fn a_decimal_has_no_needless_zero_and_a_sign_only_below_nothing() {
    for (text, expected) in [
        ("0", "0"),
        ("0.5", "0.5"),
        ("-0.5", "-0.5"),
        ("10", "10"),
        ("999999999999.99999999", "999999999999.99999999"),
    ] {
        let read = Decimal::parse(text).map(|number| number.to_string());
        assert_eq!(read.as_deref(), Some(expected), "{text}");
    }
    for odd in [
        "", "-", "00", "05", "05.5", "-05", "-0", "-0.0", "+1", ".5", "5.", "1.2.3", "1,5", " 1",
    ] {
        assert_eq!(Decimal::parse(odd), None, "{odd}");
    }
}

#[test]
fn money_has_its_sign_and_two_digits() {
    for (text, expected) in [
        ("0", "0.00"),
        ("0.001", "0.00"),
        ("-0.001", "0.00"),
        ("-0.01", "-0.01"),
        ("0.01", "0.01"),
        ("-420", "-420.00"),
        ("1234.567", "1234.56"),
    ] {
        assert_eq!(Decimal::parse(text).unwrap().money(), expected, "{text}");
    }
}

#[test]
fn a_share_is_above_nothing_and_at_most_everything() {
    for (share, good) in [
        ("0", false),
        ("0.0", false),
        ("0.00000001", true),
        ("0.5", true),
        ("1", true),
        ("1.0", true),
        ("1.00000001", false),
        ("-0.5", false),
    ] {
        let close = format!(r#"{{"account":"Sim101","instrument":"MES 12-26","percent":{share}}}"#);
        assert_eq!(try_route("ClosePosition", &close).is_ok(), good, "{share}");
    }
    let call = held(
        "ClosePosition",
        r#"{"account":"Sim101","instrument":"MES 12-26","percent":0.3}"#,
    );
    assert_eq!(call.fields().percent.and_then(|part| part.share_of(2)), Some(1));
}

/// A line feed starts a line only where lines are wanted, and only a backslash that could pose as our escape is one.
#[test]
fn foreign_text_stays_on_its_line() {
    assert_eq!(value::escape("a\nb", true), "a\nb");
    assert_eq!(value::escape("a\nb", false), "a\\u{A}b");
    assert_eq!(value::short("a\nb", 40), "a\\u{A}b");
    assert_eq!(value::escape("C:\\dir\\x", false), "C:\\dir\\x");
    assert_eq!(value::escape("\\u{41}", false), "\\u{5C}u{41}");
    assert_eq!(value::escape("end\\", false), "end\\");
}

#[test]
fn a_path_does_not_climb_out() {
    for good in ["\"a.cs\"", "\"Strategies/a.cs\"", "\"a..b/c.cs\"", "\"...\""] {
        assert!(value::path("k", good).is_ok(), "{good}");
    }
    for odd in [
        "\"..\"",
        "\"../a.cs\"",
        "\"a/../b.cs\"",
        "\"a\\\\..\\\\b.cs\"",
        "\"a/..\"",
    ] {
        assert!(value::path("k", odd).is_err(), "{odd}");
    }
}

#[test]
fn a_quantity_is_plain_digits() {
    for (raw, expected) in [("1", Some(1)), ("10000", Some(10_000)), ("10", Some(10))] {
        assert_eq!(value::quantity("k", raw).ok(), expected);
    }
    for odd in [
        "", "+5", "0", "05", "10001", "000001", "1e1", "5.0", "-1", "\"5\"",
    ] {
        assert!(value::quantity("k", odd).is_err(), "{odd}");
    }
}

/// A share is rounded up, however little is left over.
#[test]
fn a_share_is_rounded_up() {
    let share = |part: &str, of: i64| Decimal::parse(part).unwrap().share_of(of);
    assert_eq!(share("0.5", 2), Some(1));
    assert_eq!(share("0.5", 3), Some(2));
    assert_eq!(share("0.00000001", 1), Some(1));
    assert_eq!(share("0.00000001", 100_000_000), Some(1));
    assert_eq!(share("0.00000001", 100_000_001), Some(2));
    assert_eq!(share("1", 7), Some(7));
}
