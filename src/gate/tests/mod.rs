//! What the gate promises, tried from outside its files.

mod answers;
mod arguments;
mod card_edges;
mod card_money;
mod cards;
mod doubts;
mod effects;
mod judging;
mod looks;
mod mutants;
mod mutants_of_orders;
mod outcomes;
mod policies;
mod reading;
mod strategies;
mod tickets;
mod traces;
mod values;

use super::call::{Call, Refusal, Route, route};
use super::facts::{Facts, ReadFailure};
use super::judge::{Judgement, Situation, judge};
use super::limits::Counters;
use super::policy::Policy;
use super::{Millis, Tier};

pub(super) const NOW: Millis = 1_795_366_800_000;

/// Reads a call as the relay would, without a pinned schema.
pub(super) fn held(tool: &str, arguments: &str) -> Call {
    match try_route(tool, arguments) {
        Ok(Route::Held(call)) => call,
        other => panic!("{tool} {arguments} was not held: {other:?}"),
    }
}

pub(super) fn try_route(tool: &str, arguments: &str) -> Result<Route, Refusal> {
    route(
        &serde_json::to_string(tool).unwrap(),
        Some(arguments),
        None,
        &|_| false,
    )
}

/// Wraps a payload as a tool result with structured content.
pub(super) fn result(payload: &str) -> String {
    format!(r#"{{"content":[{{"type":"text","text":"ok"}}],"structuredContent":{payload}}}"#)
}

/// A small world, as answers of the service in one of the vocabularies.
#[derive(Clone)]
pub(super) struct World {
    pub(super) provider: &'static str,
    pub(super) positions: &'static str,
    pub(super) orders: &'static str,
    pub(super) quote: &'static str,
}

pub(super) const FLAT: World = World {
    provider: "Simulator",
    positions: r#"{"positions":[]}"#,
    orders: r#"{"orders":[]}"#,
    quote: r#"{"instrument":"MES 12-26","last":6012.25,"bid":6012.0,"ask":6012.25,"timestamp":1795366798000}"#,
};

/// Long two contracts with a stop and a target working.
pub(super) const LONG: World = World {
    positions: r#"{"positions":[{"account":"Sim101","instrument":"MES 12-26","instrumentType":"Future",
        "marketPosition":"Long","quantity":2,"averagePrice":6010.5,"unrealizedProfitLoss":17.5}]}"#,
    orders: r#"{"orders":[
        {"order_id":"S1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","quantity":2,"stop_price":6005.25,"status":"Accepted"},
        {"order_id":"T1","account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Limit","quantity":2,"limit_price":6020,"status":"Working"},
        {"order_id":"E1","account":"Sim101","instrument":"NQ 12-26","side":"Buy","type":"Limit","quantity":1,"limit_price":21000.25,"status":"Working"},
        {"order_id":"F1","account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Market","quantity":2,"status":"Filled"}]}"#,
    ..FLAT
};

impl World {
    pub(super) fn facts(&self, call: &Call) -> Facts {
        let mut facts = Facts::default();
        let account = |name: &str, provider: &str| {
            format!(
                r#"{{"name":"{name}","provider":"{provider}","connectionStatus":"Connected","dailyLossLimit":600,"maxOrderSize":5,"maxPositionSize":5}}"#
            )
        };
        for read in call.reads() {
            let answer = match read.tool {
                "GetAccount" => account("Sim101", self.provider),
                "ListAccounts" => format!(
                    r#"{{"accounts":[{},{}]}}"#,
                    account("Sim101", self.provider),
                    account("PA-1", "Rithmic")
                ),
                "ListPositions" | "GetAllPositions" => self.positions.to_owned(),
                "ListOrders" | "GetAllOrders" => self.orders.to_owned(),
                "GetQuote" => self.quote.to_owned(),
                "GetAccountSummary" => r#"{"realized_pnl":-437.5,"unrealized_pnl":17.5}"#.to_owned(),
                "GetWatermarks" => {
                    r#"{"session":"x","high_watermark":50200,"low_watermark":49900,"current_balance":50080}"#
                        .to_owned()
                }
                "ListDeployedStrategies" => r#"{"strategies":[{"deployment_id":"d-1","strategy":"MyCross","account":"Sim101","instrument":"MES 12-26","is_trading":true}]}"#.to_owned(),
                "GetConnections" => {
                    r#"{"connections":[{"name":"Simulated Data Feed","status":"Connected"}]}"#.to_owned()
                }
                _ => r#"{"success":false,"error":"order_not_found"}"#.to_owned(),
            };
            facts.absorb(&read, Ok(&result(&answer)), NOW - 500);
        }
        facts
    }
}

pub(super) fn unread(call: &Call) -> Facts {
    let mut facts = Facts::default();
    for read in call.reads() {
        facts.absorb(&read, Err(ReadFailure::TimedOut), NOW);
    }
    facts
}

pub(super) fn judged(call: &Call, facts: &Facts, policy: &Policy) -> Judgement {
    judged_with(call, facts, policy, &Counters::parse(None), 0, &[])
}

pub(super) fn judged_with(
    call: &Call,
    facts: &Facts,
    policy: &Policy,
    counters: &Counters,
    open: usize,
    unknown: &[(String, String)],
) -> Judgement {
    let situation = Situation {
        now_wall: NOW,
        installation_tier: Tier::Click,
        counters,
        open_entry_tickets: open,
        unknown_outcomes: unknown,
        unacknowledged: true,
        on_their_way: &[],
        lately: &[],
    };
    judge(call, facts, policy, &situation)
}

pub(super) fn sim_policy(rules: &str) -> Policy {
    Policy::parse(&format!(
        "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\n[account.\"PA-1\"]\nclass = \"funded\"\n{rules}"
    ))
    .unwrap()
}
