//! `NinjaTrader` and `CrossTrade` beside the market: what the tools on strategies, scripts, jobs, charts and alerts
//! work on, and the two logs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Caller;
use super::jobs::Job;
use crate::look::at;
use crate::market::Refusal;
use crate::market::instrument::Contract;
use crate::service::State;

/// A running or paused strategy.
#[derive(Debug, Clone)]
pub(crate) struct Strategy {
    /// Both the `strategyId` and the `deployment_id`.
    pub(crate) id: String,
    pub(crate) class: String,
    pub(crate) account: String,
    pub(crate) contract: Contract,
    pub(crate) quantity: i32,
    pub(crate) mode: String,
    pub(crate) parameters: Value,
    pub(crate) enabled: bool,
    /// It has been stopped or closed and does not come back.
    pub(crate) ended: bool,
    pub(crate) started_ms: u64,
}

/// A source file of a user.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) written_ms: u64,
}

/// One line of the add-on's log.
#[derive(Debug, Clone)]
pub(crate) struct LogLine {
    pub(crate) at_ms: u64,
    pub(crate) level: &'static str,
    pub(crate) user: String,
    pub(crate) account: Option<String>,
    pub(crate) message: String,
}

/// One drawing on a chart.
#[derive(Debug, Clone)]
pub(crate) struct Drawing {
    pub(crate) id: String,
    pub(crate) contract: Contract,
    pub(crate) kind: String,
    pub(crate) price: Option<f64>,
}

/// All of it, for each user.
#[derive(Debug, Default)]
pub(crate) struct Platform {
    pub(crate) strategies: Vec<(String, Strategy)>,
    /// By user and path.
    pub(crate) scripts: BTreeMap<(String, String), Script>,
    /// By user and class name.
    pub(crate) snippets: BTreeMap<(String, String), u64>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) log: Vec<LogLine>,
    pub(crate) workspaces: BTreeMap<(String, String), Vec<String>>,
    /// Titles of the open charts of each user.
    pub(crate) charts: BTreeMap<String, Vec<String>>,
    pub(crate) drawings: Vec<(String, Drawing)>,
    pub(crate) alerts: Vec<(String, Value)>,
    /// When this platform began.
    pub(crate) started_ms: u64,
    serial: u64,
}

/// Entries kept of each list that grows with calls.
pub(crate) const MAX_ENTRIES: usize = 5000;

const SAMPLE: &str =
    "public class EmaCross : Strategy\n{\n    protected override void OnBarUpdate() { }\n}\n";

impl Platform {
    pub(crate) fn new(now: u64) -> Self {
        let mut platform = Self {
            started_ms: now,
            ..Self::default()
        };
        for user in crate::oauth::USERS {
            let script = Script {
                kind: "strategy".into(),
                source: SAMPLE.into(),
                written_ms: now,
            };
            platform
                .scripts
                .insert((user.into(), "Strategies/EmaCross.cs".into()), script);
            platform
                .workspaces
                .insert((user.into(), "Default".into()), vec!["ES 12-26 5 Minute".into()]);
            platform
                .charts
                .insert(user.into(), vec!["ES 12-26 5 Minute".into()]);
        }
        platform
    }

    /// A new id with this prefix.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}-{:05}", self.serial)
    }

    /// Refuses one more entry in a list that has reached its bound.
    pub(crate) fn room(length: usize) -> Result<(), Refusal> {
        if length < MAX_ENTRIES {
            return Ok(());
        }
        Err(Refusal::new("server_error", "the simulator is full; reset it"))
    }
}

/// Writes the add-on's log after a tool ran.
pub(crate) fn after(state: &mut State, caller: &Caller, name: &str, result: &Result<Value, Refusal>) {
    let (level, message) = match result {
        Ok(_) => ("info", format!("{name} done")),
        Err(refusal) => (
            "warning",
            format!("{name}: {} ({})", refusal.code, refusal.detail),
        ),
    };
    let account = result
        .as_ref()
        .ok()
        .and_then(|v| at(v, &["account"]).as_str())
        .map(ToOwned::to_owned);
    let log = &mut state.platform.log;
    if log.len() >= MAX_ENTRIES {
        log.drain(..MAX_ENTRIES / 2);
    }
    log.push(LogLine {
        at_ms: caller.now,
        level,
        user: caller.user.clone(),
        account,
        message,
    });
}

/// How a strategy looks in results.
pub(crate) fn show(strategy: &Strategy, position: i32) -> Value {
    json!({
        "strategy_id": strategy.id,
        "deployment_id": strategy.id,
        "strategy": strategy.class,
        "account": strategy.account,
        "instrument": strategy.contract.name(),
        "quantity": strategy.quantity,
        "host_mode": strategy.mode,
        "parameters": strategy.parameters,
        "is_enabled": strategy.enabled,
        "is_trading": strategy.enabled && !strategy.ended,
        "state": state_word(strategy),
        "position": position,
        "started_at": crate::clock::rfc3339(strategy.started_ms),
    })
}

/// The state in the platform's words.
pub(crate) fn state_word(strategy: &Strategy) -> &'static str {
    match (strategy.ended, strategy.enabled) {
        (true, _) => "Terminated",
        (false, true) => "Realtime",
        (false, false) => "Disabled",
    }
}
