//! What `policy explain` prints.

use super::*;
use crate::gate::explain::explain;
use crate::gate::judge;

const RULES: &str = r#"version = 1
[account."Sim101"]
class = "live"
max_quantity = { MES = 5, "*" = 0 }
max_position = { MES = 3 }
max_contracts = 2
collar_ticks = 100
daily_loss_floor = 500
trailing_floor = 400
window = { zone = "America/Chicago", days = "Sun", from = "08:00", to = "15:00" }
[limits]
orders_per_day = 40
duplicate_seconds = 20
max_drift_ticks = 20
[[rule]]
class = "order"
do = "ask"
[[rule]]
class = "code"
do = "deny"
"#;

fn said(world: &World, tool: &str, arguments: &str) -> String {
    let call = held(tool, arguments);
    let judgement = at(
        &call,
        &world.facts(&call),
        &parse(RULES),
        &Counters::parse(None),
        NOW,
    );
    explain(&call, &judgement, true)
}

#[test]
fn the_deciding_line_and_every_limit_are_named() {
    let buy = order("Buy", &limit("6000"), 1);
    let nothing_read = {
        let call = held("PlaceOrder", &buy);
        let counters = Counters::parse(None);
        let judgement = judge::explain(
            &call,
            &Facts::default(),
            &parse(RULES),
            &situation(&counters, NOW),
        );
        explain(&call, &judgement, false)
    };
    let code = r#"{"path":"Strategies/X.cs","source":"class X {}","overwrite":true}"#;
    let all = [
        said(&FLAT, "PlaceOrder", &buy),
        said(&LONG, "PlaceOrder", &order("Buy", MARKET, 2)),
        said(&LONG, "ClosePosition", CLOSE),
        said(&FLAT, "WriteNinjaScriptFile", code),
        nothing_read,
    ];
    insta::assert_snapshot!("explained", all.join("----\n"));
}

#[test]
fn a_verdict_has_its_word() {
    let words = [Verdict::Allow, Verdict::Ask, Verdict::Deny].map(Verdict::word);
    assert_eq!(words, ["allow", "ask", "deny"]);
}
