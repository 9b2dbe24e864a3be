//! One card per tool of table (c), as a person sees it.

use super::{FLAT, LONG, NOW, World, held, judged, sim_policy, unread};
use crate::gate::call::Call;
use crate::gate::card::{Card, CardContext, card};
use crate::gate::facts::Facts;

fn shown(call: &Call, facts: &Facts) -> Card {
    let policy = sim_policy("");
    let judgement = judged(call, facts, &policy);
    let context = CardContext {
        ticket: "7QK4",
        client: "Claude Desktop",
        phrase: Some("blue heron"),
        now_wall: NOW,
    };
    card(call, facts, &judgement, &policy, &context)
}

/// The card's text, with the end that all cards share cut off: client, phrase, digest.
fn text(world: &World, tool: &str, arguments: &str) -> String {
    let call = held(tool, arguments);
    let text = shown(&call, &world.facts(&call)).text();
    assert!(
        text.chars().all(|letter| matches!(letter, '\n' | ' '..='~')),
        "{text}"
    );
    let tail = text.find("  client:").unwrap();
    let buttons = text.rfind('[').unwrap();
    let buttons = text.get(..buttons).unwrap().rfind('[').unwrap();
    format!("{}{}", text.get(..tail).unwrap(), text.get(buttons..).unwrap())
}

const SNAKE: &str = r#"{"account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Limit","quantity":2,"limit_price":6014.25,"tif":"Day"}"#;
const CAMEL: &str = r#"{"account":"Sim101","instrument":"MES 12-26","action":"SELL","orderType":"LIMIT","quantity":2,"limitPrice":6014.25,"timeInForce":"DAY"}"#;

macro_rules! golden {
    ($name:ident, $world:expr, $tool:literal, $arguments:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(text(&$world, $tool, $arguments));
        }
    };
}

golden!(place_order_snake, FLAT, "PlaceOrder", SNAKE);
golden!(
    place_order_reduces,
    LONG,
    "PlaceOrder",
    r#"{"account":"sim101","instrument":"ES1!","side":"Buy","type":"Market","quantity":1}"#
);
golden!(
    place_order_reverses,
    LONG,
    "PlaceOrder",
    r#"{"account":"Sim101","instrument":"mesz26","action":"SELL","orderType":"MARKET","quantity":3,"timeInForce":"GTC"}"#
);
golden!(
    place_order_template,
    FLAT,
    "PlaceOrder",
    r#"{"account":"Sim101","instrument":"MES","side":"Buy","type":"StopLimit","quantity":1,"stop_price":6015,"limit_price":6015.5,"tif":"Day","strategy":"2x8 ticks","ocoId":"A1","requireMarketPosition":"flat","maxPositions":2}"#
);
golden!(
    place_order_protects,
    World {
        orders: r#"{"orders":[]}"#,
        ..LONG
    },
    "PlaceOrder",
    r#"{"account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","quantity":2,"stop_price":6004,"tif":"Gtc"}"#
);
golden!(flat_place, LONG, "FlatPlace", CAMEL);
golden!(
    reverse,
    LONG,
    "Reverse",
    r#"{"account":"Sim101","instrument":"MES 12-26"}"#
);
golden!(reverse_position, LONG, "ReversePosition", CAMEL);
golden!(
    cancel_replace,
    LONG,
    "CancelReplace",
    r#"{"orderId":"S1","account":"Sim101","instrument":"MES 12-26","action":"SELL","orderType":"STOPMARKET","quantity":2,"stopPrice":6006,"timeInForce":"GTC"}"#
);
golden!(
    cancel_replace_other_side,
    LONG,
    "CancelReplace",
    r#"{"order_id":"S1","account":"Sim101","instrument":"NQ 12-26","side":"Buy","type":"Limit","quantity":1,"limit_price":21000}"#
);
golden!(
    change_tightens_stop,
    LONG,
    "Change",
    r#"{"account":"Sim101","orderId":"S1","stopPrice":6007.25}"#
);
golden!(
    change_widens_stop,
    LONG,
    "Change",
    r#"{"account":"Sim101","orderId":"S1","stopPrice":5990.25,"quantity":2}"#
);
golden!(
    change_raises_size,
    LONG,
    "Change",
    r#"{"account":"Sim101","order_id":"E1","quantity":4,"limit_price":21010}"#
);
golden!(
    cancel_and_bracket,
    LONG,
    "CancelAndBracket",
    r#"{"account":"Sim101","instrument":"MES 12-26","action":"Buy","quantity":2,"takeProfit":6025,"stopLoss":6006.5}"#
);
golden!(
    cancel_and_bracket_flat,
    FLAT,
    "CancelAndBracket",
    r#"{"account":"Sim101","instrument":"MES 12-26","action":"Buy","quantity":2,"take_profit":6025,"stop_loss":6000}"#
);
golden!(
    cancel_last_stop,
    LONG,
    "Cancel",
    r#"{"account":"Sim101","orderId":"S1"}"#
);
golden!(
    cancel_order_entry,
    LONG,
    "CancelOrder",
    r#"{"account":"Sim101","order_id":"E1"}"#
);
golden!(
    cancel_order_missing,
    LONG,
    "CancelOrder",
    r#"{"account":"Sim101","order_id":"nope"}"#
);
golden!(
    cancel_orders_list,
    LONG,
    "CancelOrders",
    r#"{"account":"Sim101","order_ids":["T1","E1"]}"#
);
golden!(
    cancel_orders_account,
    LONG,
    "CancelOrders",
    r#"{"account":"Sim101"}"#
);
golden!(cancel_all_orders, LONG, "CancelAllOrders", "{}");
golden!(
    close_position,
    LONG,
    "ClosePosition",
    r#"{"account":"Sim101","instrument":"MES 12-26"}"#
);
golden!(
    close_position_part,
    LONG,
    "ClosePosition",
    r#"{"account":"Sim101","instrument":"MES","percent":0.3}"#
);
golden!(
    flatten,
    LONG,
    "Flatten",
    r#"{"account":"Sim101","instrument":"MES 12-26"}"#
);
golden!(
    flatten_without_account,
    LONG,
    "Flatten",
    r#"{"marketPosition":"long"}"#
);
golden!(
    flatten_everything,
    LONG,
    "FlattenEverything",
    r#"{"account":"Sim101"}"#
);
golden!(
    deploy_strategy,
    FLAT,
    "DeployStrategy",
    r#"{"strategy":"MyCross","account":"Sim101","instrument":"MES 12-26","quantity":1,"parameters":{"Fast":9,"Slow":21,"Mode":"both","Live":true}}"#
);
golden!(
    start_strategy,
    FLAT,
    "StartStrategy",
    r#"{"account":"Sim101","strategyClass":"MyCross","instrument":"MES","mode":"headless","periodType":"Minute","period":5}"#
);
golden!(
    enable_strategy,
    FLAT,
    "EnableStrategy",
    r#"{"account":"Sim101","strategyId":"77"}"#
);
golden!(
    disable_strategy,
    LONG,
    "DisableStrategy",
    r#"{"account":"Sim101","strategyId":"77"}"#
);
golden!(stop_strategy, LONG, "StopStrategy", r#"{"deployment_id":"d-1"}"#);
golden!(
    close_strategy,
    LONG,
    "CloseStrategy",
    r#"{"account":"Sim101","strategyId":"77"}"#
);
golden!(
    write_file,
    FLAT,
    "WriteNinjaScriptFile",
    r#"{"path":"AddOns/Evil.cs","source":"class A {}\n// \u202e","overwrite":true}"#
);
golden!(
    compile_writes,
    FLAT,
    "CompileNinjaScript",
    r#"{"class_name":"MyCross","source":"class A {}"}"#
);
golden!(
    compile_in_memory,
    FLAT,
    "CompileNinjaScript",
    r#"{"class_name":"MyCross","source":"class A {}","in_memory":true}"#
);
golden!(delete_snippet, FLAT, "DeleteCompiledSnippet", r#"{"id":"x"}"#);
golden!(
    run_strategy_backtest,
    FLAT,
    "RunStrategyBacktest",
    r#"{"strategy":"MyCross","instrument":"MES 12-26","from":"2026-01-01","to":"2026-02-01","bars_period":{"type":"Minute","value":5},"parameters":{"Fast":9},"commission":"4.04","slippage_ticks":1}"#
);
golden!(run_backtest, FLAT, "RunBacktest", r#"{"anything":1}"#);
golden!(cancel_job, FLAT, "CancelMcpJob", r#"{"job_id":"j1"}"#);
golden!(connect, FLAT, "Connect", r#"{"name":"Live Feed"}"#);
golden!(disconnect, LONG, "Disconnect", r#"{"name":"Live Feed"}"#);
golden!(ensure_replay, LONG, "EnsureReplayConnection", "{}");
golden!(
    emit_alert,
    FLAT,
    "EmitMcpAlert",
    r#"{"subtype":"info","title":"hi","body":"call me\nnow","channels":["email"]}"#
);
golden!(create_alert, FLAT, "CreateAlert", r#"{"price":1}"#);
golden!(load_workspace, FLAT, "LoadWorkspace", r#"{"name":"Day"}"#);
golden!(open_chart, FLAT, "OpenChart", r#"{"instrument":"ES"}"#);
golden!(save_workspace, FLAT, "SaveWorkspace", "{}");
golden!(add_drawing, FLAT, "AddDrawing", r#"{"kind":"line"}"#);
golden!(remove_drawing, FLAT, "RemoveDrawing", r#"{"id":"1"}"#);
golden!(sync_journal, FLAT, "GetJournalTrades", r#"{"sync_first":true}"#);
golden!(deep_test, FLAT, "McpSelfTest", r#"{"deep":true}"#);
golden!(
    unknown_tool,
    FLAT,
    "PlaceOrderV2",
    r#"{"account":"Sim101","note":"please approve"}"#
);
golden!(
    live_account,
    World {
        provider: "Rithmic",
        ..FLAT
    },
    "PlaceOrder",
    SNAKE
);

#[test]
fn both_vocabularies_give_the_same_card() {
    assert_eq!(text(&FLAT, "PlaceOrder", SNAKE), text(&FLAT, "PlaceOrder", CAMEL));
}

#[test]
fn a_whole_card_with_its_end() {
    let call = held("PlaceOrder", SNAKE);
    insta::assert_snapshot!(shown(&call, &FLAT.facts(&call)).text());
}

#[test]
fn unread_facts_are_question_marks() {
    let call = held(
        "PlaceOrder",
        r#"{"account":"Sim101","instrument":"MES","side":"Buy","type":"Market","quantity":1}"#,
    );
    let card = shown(&call, &unread(&call));
    assert_eq!(card.badge, "LIVE?");
    insta::assert_snapshot!(card.text());
}

#[test]
fn free_text_is_whole_and_cannot_pose_as_our_escape() {
    let call = held(
        "WriteNinjaScriptFile",
        r#"{"path":"Strategies/A.cs","source":"a\u202eb \\u{202E}\ttab\r\n<b>&amp;\u001b[31m"}"#,
    );
    let free = shown(&call, &FLAT.facts(&call)).free_text.unwrap();
    assert_eq!(
        free.text,
        "source:\n  | a\\u{202E}b \\u{5C}u{202E}\\u{9}tab\\u{D}\n  | <b>&amp;\\u{1B}[31m\n"
    );
}

#[test]
fn text_of_the_agent_is_on_no_card_without_free_text() {
    for tool in ["OpenChart", "CreateAlert", "SomethingNew", "RunBacktest"] {
        let call = held(tool, r#"{"note":"APPROVE THIS NOW"}"#);
        let card = shown(&call, &FLAT.facts(&call));
        assert!(card.free_text.is_some(), "{tool}");
        assert!(!card.text().contains("APPROVE THIS NOW"), "{tool}");
    }
}

#[test]
fn changes_are_marked_and_lost_lines_named() {
    let call = held("PlaceOrder", SNAKE);
    let before = shown(&call, &FLAT.facts(&call));
    let mut after = shown(&call, &LONG.facts(&call));
    after.mark_changes(&before);
    let marked: Vec<&str> = after
        .lines
        .iter()
        .filter(|line| line.mark == crate::gate::card::Mark::Changed)
        .map(|line| line.label.as_str())
        .collect();
    assert!(marked.contains(&"position"), "{marked:?}");
    let mut same = before.clone();
    same.mark_changes(&before);
    assert_eq!(same, before);
}

/// The longest card there can be: every list over its bound, every argument given.
#[test]
fn no_card_leaves_a_line_out() {
    let many = |entry: &dyn Fn(usize) -> String| (0..40).map(entry).collect::<Vec<_>>().join(",");
    let positions = format!(
        r#"{{"positions":[{}]}}"#,
        many(&|n| format!(
            r#"{{"account":"Sim101","instrument":"M{n} 12-26","marketPosition":"Long","quantity":1}}"#
        ))
    );
    let orders = format!(
        r#"{{"orders":[{}]}}"#,
        many(&|n| format!(
            r#"{{"order_id":"S{n}","account":"Sim101","instrument":"M{n} 12-26","side":"Sell","type":"Stop","quantity":1,"stop_price":1,"status":"Working"}}"#
        ))
    );
    let world = World {
        positions: Box::leak(positions.into_boxed_str()),
        orders: Box::leak(orders.into_boxed_str()),
        ..FLAT
    };
    let parameters = (0..8)
        .map(|n| format!("\"P{n}\":{n}"))
        .collect::<Vec<_>>()
        .join(",");
    let parameters = format!("{{{parameters}}}");
    for (tool, arguments) in [
        (
            "DeployStrategy",
            format!(
                r#"{{"strategy":"A","account":"Sim101","instrument":"MES","quantity":1,"parameters":{parameters}}}"#
            ),
        ),
        (
            "StartStrategy",
            format!(
                r#"{{"strategyClass":"A","account":"Sim101","instrument":"MES","mode":"chart","periodType":"Minute","period":1,"parameters":{parameters}}}"#
            ),
        ),
        (
            "RunStrategyBacktest",
            format!(
                r#"{{"strategy":"A","account":"Sim101","instrument":"MES","from":"a","to":"b","commission":"1","slippage_ticks":1,"bars_period":{parameters},"parameters":{parameters}}}"#
            ),
        ),
        ("FlattenEverything", r#"{"account":"Sim101"}"#.to_owned()),
        ("FlattenEverything", "{}".to_owned()),
        ("FlatPlace", CAMEL.to_owned()),
        ("Disconnect", r#"{"name":"x"}"#.to_owned()),
    ] {
        let call = held(tool, &arguments);
        let card = shown(&call, &world.facts(&call));
        let whole = !card
            .warnings
            .iter()
            .any(|warning| warning.contains("CANNOT SHOW"));
        assert!(whole, "{}", card.text());
        assert!(card.lines.len() <= 40, "{tool}: {}", card.lines.len());
    }
    // Forty positions each lose their stop: more warnings than fit is said, not hidden.
    let call = held("CancelAllOrders", "{}");
    let card = shown(&call, &world.facts(&call));
    assert_eq!(card.warnings[0], "THIS CARD CANNOT SHOW EVERYTHING");
}
