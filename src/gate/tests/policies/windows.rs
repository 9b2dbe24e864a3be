//! Trading windows and the trading day, over the days on which clocks change.

use super::*;

/// A moment by its UTC text.
fn utc(text: &str) -> u64 {
    let moment: jiff::Timestamp = text.parse().unwrap();
    u64::try_from(moment.as_millisecond()).unwrap()
}

fn said(window: &str, moment: &str) -> &'static str {
    let policy = sim(&format!("window = {window}"));
    let call = held("PlaceOrder", &order("Buy", MARKET, 1));
    at(
        &call,
        &FLAT.facts(&call),
        &policy,
        &Counters::parse(None),
        utc(moment),
    )
    .code
}

const OPEN: &str = "ask";
const CLOSED: &str = "window_closed";
const LATE: &str = "nothing_new";

#[test]
fn windows_follow_the_clock_on_the_wall() {
    let new_york = r#"{ zone = "America/New_York", days = "Mon-Fri", from = "09:35", to = "15:45" }"#;
    let late = r#"{ zone = "America/New_York", from = "09:35", to = "15:45", no_new_after = "15:30" }"#;
    let globex = r#"{ zone = "America/Chicago", days = "Sun-Thu", from = "17:00", to = "16:00", no_new_after = "15:00" }"#;
    let night = r#"{ zone = "America/New_York", days = "Sat", from = "22:00", to = "04:00" }"#;
    let gap = r#"{ zone = "America/New_York", from = "02:15", to = "02:45" }"#;
    let fold = r#"{ zone = "America/New_York", from = "01:15", to = "01:45" }"#;
    let phoenix = r#"{ zone = "America/Phoenix", from = "06:30", to = "13:00" }"#;
    let whole = r#"{ zone = "UTC", days = "Sun", from = "00:00", to = "24:00" }"#;
    let chicago = r#"{ zone = "America/Chicago", from = "08:30", to = "15:00" }"#;
    for (window, moment, expected) in [
        // Winter: New York is five hours behind. Both ends, to the minute.
        (new_york, "2026-11-23T14:34:59Z", CLOSED),
        (new_york, "2026-11-23T14:35:00Z", OPEN),
        (new_york, "2026-11-23T20:44:59Z", OPEN),
        (new_york, "2026-11-23T20:45:00Z", CLOSED),
        // Summer: four.
        (new_york, "2026-07-06T13:34:59Z", CLOSED),
        (new_york, "2026-07-06T13:35:00Z", OPEN),
        // A Saturday; and a Friday that is a Saturday elsewhere.
        (new_york, "2026-11-21T15:00:00Z", CLOSED),
        (late, "2026-11-23T20:29:00Z", OPEN),
        (late, "2026-11-23T20:30:00Z", LATE),
        (late, "2026-11-23T20:45:00Z", CLOSED),
        // The day before and the day after the clocks go forward (8 March 2026) and back (1 November 2026).
        (chicago, "2026-03-06T14:30:00Z", OPEN),
        (chicago, "2026-03-06T14:29:00Z", CLOSED),
        (chicago, "2026-03-09T13:30:00Z", OPEN),
        (chicago, "2026-03-09T13:29:00Z", CLOSED),
        (chicago, "2026-10-30T13:30:00Z", OPEN),
        (chicago, "2026-11-02T13:30:00Z", CLOSED),
        (chicago, "2026-11-02T14:30:00Z", OPEN),
        // A quarter past two does not come on that Sunday: 02:00 becomes 03:00.
        (gap, "2026-03-08T06:59:00Z", CLOSED),
        (gap, "2026-03-08T07:00:00Z", CLOSED),
        (gap, "2026-03-08T07:30:00Z", CLOSED),
        (gap, "2026-03-09T06:30:00Z", OPEN),
        // A quarter past one comes twice.
        (fold, "2026-11-01T05:30:00Z", OPEN),
        (fold, "2026-11-01T06:00:00Z", CLOSED),
        (fold, "2026-11-01T06:30:00Z", OPEN),
        // A zone that never changes its clocks.
        (phoenix, "2026-07-06T13:30:00Z", OPEN),
        (phoenix, "2026-07-06T13:29:00Z", CLOSED),
        (phoenix, "2026-11-23T13:30:00Z", OPEN),
        (phoenix, "2026-11-23T13:29:00Z", CLOSED),
        // Over midnight: Sunday evening to Monday afternoon, an hour's rest, and so on to Friday.
        (globex, "2026-11-22T22:59:00Z", CLOSED),
        (globex, "2026-11-22T23:00:00Z", OPEN),
        (globex, "2026-11-23T12:00:00Z", OPEN),
        (globex, "2026-11-23T21:00:00Z", LATE),
        (globex, "2026-11-23T22:00:00Z", CLOSED),
        (globex, "2026-11-23T23:00:00Z", OPEN),
        (globex, "2026-11-27T20:59:00Z", OPEN),
        (globex, "2026-11-27T23:30:00Z", CLOSED),
        (globex, "2026-11-28T12:00:00Z", CLOSED),
        // Over midnight and the change at once: Saturday 22:00 to Sunday 04:00 is five hours, and seven in autumn.
        (night, "2026-03-08T03:00:00Z", OPEN),
        (night, "2026-03-08T07:59:00Z", OPEN),
        (night, "2026-03-08T08:00:00Z", CLOSED),
        (night, "2026-11-01T08:59:00Z", OPEN),
        (night, "2026-11-01T09:00:00Z", CLOSED),
        (night, "2026-03-09T03:00:00Z", CLOSED),
        (whole, "2026-11-22T00:00:00Z", OPEN),
        (whole, "2026-11-22T23:59:59Z", OPEN),
        (whole, "2026-11-23T00:00:00Z", CLOSED),
    ] {
        assert_eq!(said(window, moment), expected, "{window} {moment}");
    }
}

#[test]
fn one_of_several_windows_is_enough() {
    let two = r#"[
  { zone = "UTC", from = "08:00", to = "10:00", no_new_after = "09:00" },
  { zone = "UTC", from = "09:30", to = "11:00" },
]"#;
    for (time, expected) in [
        ("07:59", CLOSED),
        ("08:30", OPEN),
        ("09:15", LATE),
        ("09:30", OPEN),
        ("10:30", OPEN),
        ("11:00", CLOSED),
    ] {
        assert_eq!(said(two, &format!("2026-11-23T{time}:00Z")), expected, "{time}");
    }
}

/// Late in the window what is there may still be moved; nothing is added.
#[test]
fn late_in_the_window_nothing_is_added() {
    let policy =
        sim("window = { zone = \"UTC\", from = \"00:00\", to = \"24:00\", no_new_after = \"00:00\" }");
    for (arguments, expected) in [
        (r#"{"account":"Sim101","orderId":"E1","limitPrice":20000}"#, "ask"),
        (r#"{"account":"Sim101","orderId":"E1","quantity":2}"#, LATE),
        (r#"{"account":"Sim101","orderId":"S1","stopPrice":6001}"#, "ask"),
    ] {
        assert_eq!(code(&LONG, "Change", arguments, &policy), expected, "{arguments}");
    }
    let stop = r#"{"account":"Sim101","strategy":"x"}"#;
    let call = held("StopStrategy", &stop.replace("strategy", "deployment_id"));
    let judgement = at(&call, &LONG.facts(&call), &policy, &Counters::parse(None), NOW);
    assert_eq!(
        judgement.verdict,
        Verdict::Ask,
        "what stops trading is not braked"
    );
}

#[test]
fn a_time_that_no_calendar_has_finds_every_window_closed() {
    let call = held("PlaceOrder", &order("Buy", MARKET, 1));
    let policy = sim("window = { zone = \"UTC\", from = \"00:00\", to = \"24:00\" }\norders_per_day = 5");
    let judgement = at(
        &call,
        &FLAT.facts(&call),
        &policy,
        &Counters::parse(None),
        u64::MAX,
    );
    assert_eq!(judgement.code, CLOSED);
    assert_eq!(policy.day_start(u64::MAX), None);
}

#[test]
fn a_trading_day_begins_at_its_boundary() {
    let day = |boundary: &str| parse(&format!("version = 1\n[limits]\nday_boundary = \"{boundary}\""));
    let usual = Policy::default();
    for (policy, now, expected) in [
        (&usual, "2026-11-23T22:59:59Z", "2026-11-22T23:00:00Z"),
        (&usual, "2026-11-23T23:00:00Z", "2026-11-23T23:00:00Z"),
        // The Sundays of the change: a day of 23 hours, and one of 25.
        (&usual, "2026-03-08T21:59:00Z", "2026-03-07T23:00:00Z"),
        (&usual, "2026-03-08T22:00:00Z", "2026-03-08T22:00:00Z"),
        (&usual, "2026-11-01T22:59:00Z", "2026-10-31T22:00:00Z"),
        (&usual, "2026-11-01T23:00:00Z", "2026-11-01T23:00:00Z"),
        (
            &day("00:00 Asia/Tokyo"),
            "2026-11-23T14:59:00Z",
            "2026-11-22T15:00:00Z",
        ),
        // A boundary that is left out comes with the next minute that there is, and never in the future.
        (
            &day("02:30 America/New_York"),
            "2026-03-08T07:00:00Z",
            "2026-03-07T07:30:00Z",
        ),
        (
            &day("02:30 America/New_York"),
            "2026-03-08T07:30:00Z",
            "2026-03-08T07:30:00Z",
        ),
        // Of one that comes twice the first counts: the second frees nothing.
        (
            &day("01:30 America/New_York"),
            "2026-11-01T05:30:00Z",
            "2026-11-01T05:30:00Z",
        ),
        (
            &day("01:30 America/New_York"),
            "2026-11-01T06:45:00Z",
            "2026-11-01T05:30:00Z",
        ),
    ] {
        assert_eq!(policy.day_start(utc(now)), Some(utc(expected)), "{now}");
    }
}

/// The last minute of a window is inside, the one at which it closes is not; and an hour has sixty.
#[test]
fn the_times_of_a_window_are_of_a_clock_and_inside() {
    let good = |rest: &str| {
        let window = format!("window = {{ zone = \"UTC\", {rest} }}");
        Policy::parse(&format!("version = 1\n[account.\"A\"]\n{window}")).is_ok()
    };
    let late = |from: &str, to: &str, last: &str| {
        good(&format!(
            "from = \"{from}\", to = \"{to}\", no_new_after = \"{last}\""
        ))
    };
    assert!(late("09:00", "10:00", "09:00"));
    assert!(late("09:00", "10:00", "09:59"));
    assert!(!late("09:00", "10:00", "10:00"));
    assert!(!late("09:00", "10:00", "08:59"));
    assert!(late("22:00", "04:00", "03:59"));
    assert!(!late("22:00", "04:00", "04:00"));
    assert!(!late("00:00", "24:00", "24:00"));
    for (time, expected) in [
        ("09:59", true),
        ("23:59", true),
        ("09:60", false),
        ("09:61", false),
        ("23:60", false),
        ("24:01", false),
        ("9:00", false),
        ("+9:00", false),
        ("09:+5", false),
        ("09:0", false),
    ] {
        let window = format!("from = \"{time}\", to = \"08:00\"");
        assert_eq!(good(&window), expected, "{time}");
    }
}

#[test]
fn a_window_is_shown_with_its_days() {
    let shown = |days: &str| {
        let window = format!("window = {{ zone = \"UTC\", {days}from = \"09:05\", to = \"24:00\" }}");
        sim(&window).show()
    };
    assert!(shown("").contains("every day 09:05-24:00, UTC"));
    assert!(shown("days = \"Fri-Mon\", ").contains("Mon,Fri,Sat,Sun 09:05-24:00, UTC"));
    assert!(shown("days = \"Wed\", ").contains("Wed 09:05-24:00, UTC"));
}
