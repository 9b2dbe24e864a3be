//! What is told of a strategy that starts or stops: whether the same runs there already, and what it leaves.

use super::{FLAT, NOW, held, judged, result, sim_policy};
use crate::gate::card::{CardContext, card};
use crate::gate::effect::effect;
use crate::gate::facts::{ReadFailure, StateRead};

/// The warnings of a strategy call, with these strategies and positions.
fn warnings(tool: &str, arguments: &str, running: Option<&str>, positions: &str) -> String {
    let call = held(tool, arguments);
    let mut facts = FLAT.facts(&call);
    let read = StateRead::new("ListDeployedStrategies", None);
    match running {
        Some(rows) => facts.absorb(&read, Ok(&result(&format!(r#"{{"strategies":[{rows}]}}"#))), NOW),
        None => facts.absorb(&read, Err(ReadFailure::TimedOut), NOW),
    }
    let read = StateRead::new("GetAllPositions", None);
    facts.absorb(
        &read,
        Ok(&result(&format!(r#"{{"positions":[{positions}]}}"#))),
        NOW,
    );
    effect(&call, &facts).warnings.join("; ")
}

#[test]
fn a_strategy_that_runs_there_already_is_told() {
    let start = r#"{"account":"Sim101","instrument":"MES 12-26","strategyClass":"MyCross"}"#;
    let told = |rows: Option<&str>| {
        warnings("StartStrategy", start, rows, "").contains("THE SAME STRATEGY IS DEPLOYED THERE ALREADY")
    };
    let row = |class: &str, account: &str| format!(r#"{{"id":"1","strategy":"{class}"{account}}}"#);
    let (own, other) = (r#","account":"Sim101""#, r#","account":"PA-1""#);
    assert!(told(Some(&row("mycross", own))));
    assert!(told(Some(&format!(
        "{},{}",
        row("Another", own),
        row("MyCross", own)
    ))));
    assert!(!told(Some(&row("Another", own))));
    assert!(!told(Some(&row("MyCross", other))));
    assert!(told(Some(&row("MyCross", ""))), "nobody knows where");
    assert!(!told(Some("")));
    assert!(!told(None));
}

#[test]
fn what_a_strategy_leaves_open_is_told() {
    let position = |account: &str| {
        format!(r#"{{"account":"{account}","instrument":"MES 12-26","marketPosition":"Long","quantity":1}}"#)
    };
    let (own, other) = (position("Sim101"), position("PA-1"));
    let told = |arguments: &str, positions: &str| {
        warnings("DisableStrategy", arguments, Some(""), positions).contains("OPEN POSITIONS STAY")
    };
    let sim = r#"{"account":"Sim101","strategyId":"77"}"#;
    assert!(told(sim, &own));
    assert!(told(sim, &format!("{other},{own}")));
    assert!(!told(sim, &other));
    assert!(!told(sim, ""));
}

/// A strategy that does not say where it runs may run there.
#[test]
fn a_strategy_without_an_account_stands_on_the_card() {
    let call = held("DisableStrategy", r#"{"account":"Sim101","strategyId":"77"}"#);
    let mut facts = FLAT.facts(&call);
    let rows = r#"{"strategies":[{"id":"1","strategy":"A"},{"id":"2","strategy":"B","account":"PA-1"},{"id":"3","strategy":"C","account":"Sim101"}]}"#;
    facts.absorb(
        &StateRead::new("ListDeployedStrategies", None),
        Ok(&result(rows)),
        NOW,
    );
    let policy = sim_policy("");
    let context = CardContext {
        ticket: "7QK4",
        client: "c",
        phrase: None,
        now_wall: NOW,
    };
    let card = card(&call, &facts, &judged(&call, &facts, &policy), &policy, &context);
    let deployed = card.lines.iter().filter(|line| line.label == "deployed");
    let deployed: Vec<&str> = deployed.map(|line| line.value.as_str()).collect();
    assert_eq!(deployed, ["1 A on ? (?)", "3 C on ? (?)"]);
}
