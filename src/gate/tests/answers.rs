//! What the service's answers become as facts: lists, sizes, directions and times, each at its edge.

use super::{NOW, result};
use crate::gate::Millis;
use crate::gate::facts::{Facts, ReadFailure, StateRead};

fn absorbed(tool: &'static str, payload: &str) -> Facts {
    let mut facts = Facts::default();
    facts.absorb(&StateRead::new(tool, None), Ok(&result(payload)), NOW);
    facts
}

fn order(id: &str, rest: &str) -> String {
    format!(
        r#"{{"order_id":"{id}","account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Limit","quantity":2,"limit_price":6000,"status":"Working"{rest}}}"#
    )
}

#[test]
fn an_error_that_is_none_does_not_spoil_an_answer() {
    let read = |rest: &str| {
        absorbed("GetAllPositions", &format!(r#"{{"positions":[]{rest}}}"#))
            .positions
            .known()
            .is_some()
    };
    for none in ["", r#","error":null"#, r#","error":false"#, r#","success":true"#] {
        assert!(read(none), "{none}");
    }
    for some in [
        r#","error":"busy""#,
        r#","error":true"#,
        r#","error":{}"#,
        r#","success":false"#,
    ] {
        assert!(!read(some), "{some}");
    }
}

/// A list of bare names says which accounts there are, and nothing that would make one play money.
#[test]
fn a_list_of_names_names_accounts() {
    let facts = absorbed("ListAccounts", r#"{"accounts":["Sim101","PA-1"]}"#);
    let names: Vec<&str> = facts
        .accounts
        .known()
        .unwrap()
        .iter()
        .map(|account| account.name.as_str())
        .collect();
    assert_eq!(names, ["Sim101", "PA-1"]);
    assert_eq!(facts.account("sim101").unwrap().is_simulator(), None);
}

#[test]
fn a_position_has_a_direction_or_is_none() {
    let of = |rest: &str| {
        let position = format!(r#"{{"positions":[{{"account":"Sim101","instrument":"MES 12-26",{rest}}}]}}"#);
        absorbed("GetAllPositions", &position)
            .positions
            .known()
            .map(|all| all.iter().map(|position| position.quantity).collect::<Vec<_>>())
    };
    let read = |rest: &str| of(rest).unwrap_or_else(|| vec![999]);
    assert_eq!(read(r#""quantity":2,"marketPosition":"Long""#), [2]);
    assert_eq!(read(r#""quantity":-2,"marketPosition":"Long""#), [2]);
    assert_eq!(read(r#""quantity":2,"side":"SELL""#), [-2]);
    for flat in ["Flat", "None"] {
        assert_eq!(
            of(&format!(r#""quantity":0,"marketPosition":"{flat}""#)),
            Some(vec![]),
            "{flat}"
        );
    }
    // The sign alone says short; without one it may be either.
    assert_eq!(read(r#""quantity":-3"#), [-3]);
    assert_eq!(of(r#""quantity":0"#), Some(vec![]));
    for odd in [
        r#""quantity":1"#,
        r#""quantity":3"#,
        r#""quantity":3,"side":"sideways""#,
        r#""quantity":1.5,"side":"long""#,
    ] {
        assert_eq!(of(odd), None, "{odd}");
    }
}

#[test]
fn a_list_of_two_thousand_is_read_and_a_longer_one_is_not() {
    let read = |count: usize| {
        let all: Vec<String> = (0..count).map(|n| order(&format!("O{n}"), "")).collect();
        let facts = absorbed("GetAllOrders", &format!(r#"{{"orders":[{}]}}"#, all.join(",")));
        facts.orders.known().map(Vec::len)
    };
    assert_eq!(read(1_999), Some(1_999));
    assert_eq!(read(2_000), Some(2_000));
    assert_eq!(read(2_001), None);
    assert_eq!(read(2_002), None);
}

/// The time of an order as it was read.
fn created(time: &str) -> Option<Millis> {
    let one = order("O1", &format!(r#","created_at":{time}"#));
    let facts = absorbed("GetAllOrders", &format!(r#"{{"orders":[{one}]}}"#));
    facts.orders.known().expect("orders")[0].created
}

#[test]
fn a_time_is_in_seconds_milliseconds_or_a_text() {
    for (time, expected) in [
        ("1795366800", Some(NOW)),
        ("1795366800000", Some(NOW)),
        // Where the one form ends and the other begins.
        ("99999999999", Some(99_999_999_999_000)),
        ("100000000000", Some(100_000_000_000)),
        ("100000000001", Some(100_000_000_001)),
        (r#""2026-11-22T17:00:00Z""#, Some(NOW)),
        (r#""2026-11-22T17:00:00.120Z""#, Some(NOW + 120)),
        // Without its zone a time is none, nor is what only looks like one.
        (r#""2026-11-22T17:00:00""#, None),
        (r#""yesterday""#, None),
        (r#""2026-11-22Z""#, None),
        ("-5", None),
        ("null", None),
    ] {
        assert_eq!(created(time), expected, "{time}");
    }
}

/// Against another calendar, over leap days and the ends of months and of what is read at all.
#[test]
fn a_date_is_that_of_the_calendar() {
    for date in [
        "1970-01-01",
        "1970-03-01",
        "1999-12-31",
        "2000-02-29",
        "2000-03-01",
        "2024-02-28",
        "2024-02-29",
        "2024-03-01",
        "2025-02-28",
        "2025-12-01",
        "2026-01-31",
        "2026-10-31",
        "2100-02-28",
        "2100-03-01",
        "2400-02-29",
        "9999-12-30",
    ] {
        let text = format!("{date}T13:14:15Z");
        let moment: jiff::Timestamp = text.parse().unwrap();
        let expected = u64::try_from(moment.as_millisecond()).unwrap();
        assert_eq!(created(&format!("\"{text}\"")), Some(expected), "{date}");
    }
    for none in [
        "1969-12-31",
        "2026-00-10",
        "2026-13-10",
        "2026-10-00",
        "2026-10-32",
    ] {
        assert_eq!(created(&format!("\"{none}T13:14:15Z\"")), None, "{none}");
    }
}

/// The read of the call's own account knows more than the list, so the list adds to it and never takes away.
#[test]
fn the_list_of_accounts_adds_to_the_own_one() {
    let own = r#"{"name":"Sim101","provider":"Simulator","dailyLossLimit":600}"#;
    let mut facts = absorbed("GetAccount", own);
    let list = StateRead::new("ListAccounts", None);
    let busy = || Err(ReadFailure::TimedOut);
    facts.absorb(&list, busy(), NOW);
    assert!(facts.account("sim101").unwrap().daily_loss_limit.is_some());
    let names = result(r#"{"accounts":["SIM101","PA-1"]}"#);
    facts.absorb(&list, Ok(&names), NOW);
    let known = facts.accounts.known().unwrap();
    assert_eq!(known.len(), 2, "{known:?}");
    assert_eq!(known[0].name, "Sim101");
    assert_eq!(known[0].is_simulator(), Some(true));
    assert!(known[0].daily_loss_limit.is_some());
    facts.absorb(&list, Ok(&names), NOW);
    assert_eq!(facts.accounts.known().unwrap().len(), 2, "read again");
    // A list alone is as good as its last read.
    let mut facts = absorbed("ListAccounts", r#"{"accounts":["Sim101"]}"#);
    facts.absorb(&list, busy(), NOW);
    assert_eq!(facts.accounts.known(), None);
}

#[test]
fn a_state_may_be_a_word_or_a_yes() {
    for (state, connection, strategy) in [
        (r#","status":"Connected""#, "Connected", "Connected"),
        (r#","status":true"#, "Connected", "trading"),
        (r#","status":false"#, "Disconnected", "not trading"),
        (r#","status":7"#, "?", "?"),
        ("", "?", "?"),
    ] {
        let feed = format!(r#"{{"connections":[{{"name":"Feed"{state}}}]}}"#);
        let facts = absorbed("GetConnections", &feed);
        assert_eq!(
            facts.connections.known().unwrap()[0].status,
            connection,
            "{state}"
        );
        let runs = format!(r#"{{"strategies":[{{"id":"d-1"{state}}}]}}"#);
        let facts = absorbed("ListDeployedStrategies", &runs);
        assert_eq!(facts.strategies.known().unwrap()[0].state, strategy, "{state}");
    }
}
