//! What mutation testing found untested in tickets, calls, facts and the reading of answers: small edges, each of which
//! somebody relies on.

use super::{FLAT, NOW, held, judged, result, sim_policy, try_route};
use crate::gate::call::{Call, MAX_ARGUMENTS, MAX_CODE_ARGUMENTS, MAX_TOOL_NAME, Route};
use crate::gate::facts::{Fact, Facts, MAX_ANSWER, ReadFailure, StateRead};
use crate::gate::outcome::{Around, Said, Seen, read, seen};
use crate::gate::ticket::{Approval, Origin, State, Ticket};
use crate::gate::{Before, Class, Tier};

const BUY: &str =
    r#"{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market","quantity":1}"#;

fn ticket() -> (Call, Ticket) {
    let call = held("PlaceOrder", BUY);
    let judgement = judged(&call, &FLAT.facts(&call), &sim_policy(""));
    let origin = Origin {
        endpoint: "https://service.invalid/mcp".to_owned(),
        client: "Test".to_owned(),
        schema_digest: None,
        policy_digest: "p".to_owned(),
    };
    let ticket = Ticket::hold("7QX3".to_owned(), &call, &judgement, origin, NOW);
    (call, ticket)
}

const STATES: [State; 10] = [
    State::Held,
    State::Sending,
    State::Accepted,
    State::Rejected,
    State::Unknown,
    State::Denied,
    State::Expired,
    State::Withdrawn,
    State::Voided,
    State::Tampered,
];

#[test]
fn a_held_ticket_ends_in_five_ways_and_once() {
    for end in STATES {
        let (call, mut ticket) = ticket();
        ticket.show(NOW).unwrap();
        let ends = matches!(
            end,
            State::Denied | State::Expired | State::Withdrawn | State::Voided | State::Tampered
        );
        assert_eq!(ticket.end(end, "why", NOW + 5).is_ok(), ends, "{end:?}");
        assert_eq!(ticket.state, if ends { end } else { State::Held });
        assert_eq!(ticket.ended_wall, ends.then_some(NOW + 5));
        assert_eq!(ticket.reason.as_deref(), ends.then_some("why"));
        if ends {
            assert!(ticket.end(State::Denied, "again", NOW + 6).is_err());
            let click = Approval {
                via: "page".to_owned(),
                tier: Tier::Click,
            };
            assert!(ticket.approve(click, &call, NOW + 6).is_err());
        }
        assert_eq!(end.is_open(), matches!(end, State::Held | State::Sending));
        assert_eq!(end.is_final(), !end.is_open());
        // The journal's word is the file's word.
        assert_eq!(
            serde_json::to_string(&end).unwrap(),
            format!("\"{}\"", end.word())
        );
    }
}

#[test]
fn a_cleared_call_names_its_ticket_and_its_address() {
    let (call, mut ticket) = ticket();
    ticket.show(NOW + 60_000).unwrap();
    let click = Approval {
        via: "page".to_owned(),
        tier: Tier::Click,
    };
    let cleared = ticket.approve(click, &call, NOW + 60_000).unwrap();
    assert_eq!(
        (cleared.ticket(), cleared.endpoint()),
        ("7QX3", "https://service.invalid/mcp")
    );
}

#[test]
fn the_bounds_of_a_call_are_what_they_say() {
    let code = |route: Result<Route, crate::gate::Refusal>| match route {
        Ok(_) => "held",
        Err(refusal) => refusal.code,
    };
    let padded = |tool: &str, bytes: usize| {
        let frame = r#"{"path":"a.cs","source":""}"#;
        let source = "x".repeat(bytes - frame.len());
        code(try_route(
            tool,
            &format!(r#"{{"path":"a.cs","source":"{source}"}}"#),
        ))
    };
    assert_eq!(padded("WriteNinjaScriptFile", MAX_CODE_ARGUMENTS), "held");
    assert_eq!(
        padded("WriteNinjaScriptFile", MAX_CODE_ARGUMENTS + 1),
        "too_large"
    );
    assert_eq!((MAX_CODE_ARGUMENTS, MAX_ARGUMENTS), (1_048_576, 65_536));
    for (tool, at_the_bound) in [("Whatever", "held"), ("PlaceOrder", "unknown_argument")] {
        assert_eq!(padded(tool, MAX_ARGUMENTS), at_the_bound);
        assert_eq!(padded(tool, MAX_ARGUMENTS + 1), "too_large", "{tool}");
    }
    assert_eq!(code(try_route(&"x".repeat(MAX_TOOL_NAME), "{}")), "held");
    assert_eq!(code(try_route(&"x".repeat(MAX_TOOL_NAME + 1), "{}")), "bad_name");
}

#[test]
fn a_raised_read_is_read_again_as_it_was() {
    let call = held("GetJournalTrades", r#"{"sync_first":true}"#);
    let again = Call::from_stored(call.name_raw(), call.arguments_raw()).unwrap();
    assert_eq!(again, call);
}

#[test]
fn a_call_reads_what_its_judgement_needs_and_no_more() {
    let tools = |tool: &str, arguments: &str| {
        let reads = held(tool, arguments).reads();
        reads.iter().map(|read| read.tool).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        tools("WriteNinjaScriptFile", r#"{"path":"a.cs","source":"x"}"#),
        "ListAccounts GetConnections"
    );
    let numbered = BUY.replace("\"quantity\"", "\"order_id\":\"N1\",\"quantity\"");
    assert!(!tools("PlaceOrder", &numbered).contains("GetOrder"));
    assert!(!held("PlaceOrder", &numbered).names_an_order());
    assert!(
        tools(
            "Change",
            r#"{"account":"Sim101","orderId":"S1","stopPrice":6007}"#
        )
        .contains("GetOrder")
    );
    assert!(!held("CancelAllOrders", "{}").names_an_order());
}

fn absorbed(tool: &'static str, argument: Option<(&str, &str)>, payload: &str) -> Facts {
    let mut facts = Facts::default();
    facts.absorb(&StateRead::new(tool, argument), Ok(&result(payload)), NOW);
    facts
}

#[test]
fn a_read_order_and_its_time_are_known() {
    let order = r#"{"order_id":"S9","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","quantity":2,"stop_price":6005.25,"status":"Accepted"}"#;
    let facts = absorbed("GetOrder", Some(("order_id", "S9")), order);
    assert_eq!(facts.order("S9").map(|order| order.quantity), Some(2));
    assert_eq!(facts.order.at(), Some(NOW));
    assert_eq!(facts.orders.at(), None);
}

#[test]
fn an_order_that_filled_less_than_nothing_is_unread() {
    let orders = |filled: &str| {
        let order = format!(
            r#"{{"orders":[{{"order_id":"S9","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","quantity":2,"filled":{filled},"stop_price":6005.25,"status":"Accepted"}}]}}"#
        );
        absorbed("GetAllOrders", None, &order).orders
    };
    assert_eq!(orders("1").known().map(|orders| orders[0].quantity), Some(1));
    for odd in ["-1", "3", "0.5"] {
        assert!(orders(odd).known().is_none(), "{odd}");
    }
}

#[test]
fn what_was_asked_for_one_account_belongs_to_it() {
    let positions = r#"{"positions":[{"instrument":"MES 12-26","marketPosition":"Long","quantity":2}]}"#;
    let facts = absorbed("ListPositions", Some(("account", "Sim101")), positions);
    let known = facts.positions.known().expect("positions");
    assert_eq!(known[0].account, "sim101");
}

#[test]
fn an_answer_of_four_mebibytes_is_read_and_a_longer_one_is_not() {
    let of = |bytes: usize| {
        let frame = result(r#"{"positions":[],"pad":""}"#);
        let pad = "x".repeat(bytes - frame.len());
        absorbed(
            "GetAllPositions",
            None,
            &format!(r#"{{"positions":[],"pad":"{pad}"}}"#),
        )
    };
    assert_eq!(MAX_ANSWER, 4_194_304);
    assert!(of(MAX_ANSWER).positions.known().is_some());
    assert!(of(MAX_ANSWER + 1).positions.known().is_none());
}

/// One read that came through shows that the platform is there, whichever it is.
#[test]
fn any_read_that_came_through_disproves_a_lost_platform() {
    let down = || {
        let mut facts = Facts::default();
        let read = StateRead::new("GetWatermarks", Some(("account", "Sim101")));
        facts.absorb(&read, Err(ReadFailure::NotConnected), NOW);
        facts
    };
    assert!(down().not_connected());
    for (tool, payload) in [
        ("GetAccount", r#"{"name":"Sim101","provider":"Simulator"}"#),
        ("GetAllPositions", r#"{"positions":[]}"#),
        ("GetAllOrders", r#"{"orders":[]}"#),
        ("GetQuote", FLAT.quote),
        ("GetConnections", r#"{"connections":[]}"#),
    ] {
        let mut facts = down();
        facts.absorb(&StateRead::new(tool, None), Ok(&result(payload)), NOW);
        assert!(!facts.not_connected(), "{tool}");
    }
}

const ONE: &str = r#"{"account":"Sim101","instrument":"MES 12-26"}"#;

fn word(tool: &str, arguments: &str, answer: &str) -> &'static str {
    match read(&held(tool, arguments), answer) {
        Said::Accepted(_) => "accepted",
        Said::Otherwise(_) => "otherwise",
        Said::Rejected(_) => "rejected",
        Said::Unclear(_) => "unclear",
    }
}

#[test]
fn a_result_must_be_complete_and_have_content() {
    let done = r#"{"success":true,"order_id":"1","status":"Filled"}"#;
    assert_eq!(word("PlaceOrder", BUY, &result(done)), "accepted");
    let task = result(done).replacen('{', r#"{"resultType":"task","#, 1);
    assert_eq!(word("PlaceOrder", BUY, &task), "unclear");
    let bare = format!(r#"{{"structuredContent":{done}}}"#);
    assert_eq!(word("PlaceOrder", BUY, &bare), "unclear");
}

#[test]
fn a_number_of_failures_is_weighed() {
    let none = r#"{"success":true,"cancelled":["A"],"failed":0}"#;
    assert_eq!(word("CancelAllOrders", "{}", &result(none)), "accepted");
    let some = none.replace("\"failed\":0", "\"failed\":2");
    assert_eq!(word("CancelAllOrders", "{}", &result(&some)), "otherwise");
    let nothing = r#"{"success":true,"failed":2}"#;
    assert_eq!(word("CancelAllOrders", "{}", &result(nothing)), "unclear");
}

#[test]
fn a_failure_that_shows_a_deed_contradicts_itself() {
    let failed = |rest: &str| {
        let inner = format!(r#"{{"success":false,"error":"account_not_found"{rest}}}"#);
        word("PlaceOrder", BUY, &result(&inner))
    };
    assert_eq!(failed(""), "rejected");
    assert_eq!(failed(r#","filled":0"#), "rejected");
    assert_eq!(failed(r#","cancelled":[]"#), "rejected");
    assert_eq!(failed(r#","filled":1"#), "unclear");
    assert_eq!(failed(r#","filled":0,"cancelled":["A"]"#), "unclear");
    assert_eq!(failed(r#","status":"Working""#), "unclear");
}

#[test]
fn a_cancelled_order_of_several_steps_leaves_the_rest_open() {
    let cancelled = result(r#"{"success":true,"status":"Cancelled","filled":1}"#);
    assert_eq!(word("PlaceOrder", BUY, &cancelled), "otherwise");
    assert_eq!(word("FlatPlace", BUY, &cancelled), "unclear");
    // Of a cancel that is the very success.
    let one = r#"{"account":"Sim101","orderId":"S1"}"#;
    assert_eq!(word("CancelOrder", one, &cancelled), "accepted");
}

#[test]
fn ten_names_stand_there_and_no_more() {
    let told = |count: usize| {
        let open: Vec<String> = (0..count)
            .map(|n| format!(r#"{{"account":"Sim101","instrument":"MES 12-26","id":"P{n}"}}"#))
            .collect();
        let answer = result(&format!(
            r#"{{"success":true,"remaining_positions":[{}]}}"#,
            open.join(",")
        ));
        match read(&held("Flatten", ONE), &answer) {
            Said::Otherwise(told) => told,
            other => panic!("{other:?}"),
        }
    };
    let list = |count: usize| {
        let told = told(count);
        told.split(". ").next().unwrap_or_default().to_owned()
    };
    assert!(list(10).ends_with("P9"), "{}", list(10));
    assert!(list(11).ends_with("P9 and more"), "{}", list(11));
    assert!(list(9).ends_with("P8"), "{}", list(9));
}

#[test]
fn only_a_plain_word_keeps_a_compile_from_writing() {
    let class = |more: &str| {
        held(
            "CompileNinjaScript",
            &format!(r#"{{"class_name":"A","source":"x"{more}}}"#),
        )
        .class()
    };
    assert_eq!(class(r#","in_memory":true"#), Class::Job);
    assert_eq!(class(r#","inMemory":true"#), Class::Job);
    for writes in [r#","in_memory":false"#, ""] {
        assert_eq!(class(writes), Class::Code, "{writes}");
    }
}

#[test]
fn a_sent_change_is_recognised_by_what_it_asked_for() {
    let orders = |price: &str, size: u32, status: &str| {
        let order = format!(
            r#"{{"order_id":"S1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","quantity":{size},"stop_price":{price},"status":"{status}"}}"#
        );
        let mut facts = absorbed("GetAllOrders", None, &format!(r#"{{"orders":[{order}]}}"#));
        let read = StateRead::new("GetAllPositions", None);
        facts.absorb(&read, Ok(&result(r#"{"positions":[]}"#)), NOW);
        facts
    };
    let change = held(
        "Change",
        r#"{"account":"Sim101","orderId":"S1","stopPrice":6007,"quantity":2}"#,
    );
    let word = |before: Option<&Facts>, after: &Facts| {
        let before = before.map(|before| Before::of(&change, before));
        let around = Around {
            before: before.as_ref(),
            ..Around::default()
        };
        match seen(&change, around, after) {
            Seen::Done { .. } => "done",
            Seen::Dead { .. } => "dead",
            Seen::Maybe(_) => "maybe",
            Seen::NotFound => "not found",
            Seen::CouldNotLook(_) => "could not look",
        }
    };
    let (old, new) = (orders("6005", 2, "Accepted"), orders("6007", 2, "Accepted"));
    assert_eq!(word(Some(&old), &new), "done");
    assert_eq!(word(None, &new), "maybe");
    assert_eq!(word(Some(&new), &new), "maybe", "it was so before");
    for other in [
        orders("6006", 2, "Accepted"),
        orders("6007", 1, "Accepted"),
        orders("6007", 2, "Cancelled"),
    ] {
        assert_eq!(word(Some(&old), &other), "maybe");
    }
    assert_eq!(word(Some(&old), &Facts::default()), "could not look");
}

#[test]
fn an_unread_fact_says_why_and_a_failure_is_never_a_fact() {
    let read = || StateRead::new("GetAllPositions", None);
    let mut facts = Facts::default();
    facts.absorb(&read(), Err(ReadFailure::TimedOut), NOW);
    let why = "no answer in time".to_owned();
    assert_eq!(facts.positions, Fact::Unread { why });
    for failed in [
        r#"{"success":false,"positions":[]}"#,
        r#"{"error":"busy","positions":[]}"#,
    ] {
        assert!(
            absorbed("GetAllPositions", None, failed)
                .positions
                .known()
                .is_none(),
            "{failed}"
        );
    }
    // Where no structured content is, the text counts.
    let text = r#"{"content":[{"type":"text","text":"{\"positions\":[]}"}],"structuredContent":null}"#;
    facts.absorb(&read(), Ok(text), NOW);
    assert!(facts.positions.known().is_some_and(Vec::is_empty));
}
