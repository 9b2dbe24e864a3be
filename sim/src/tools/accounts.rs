//! Discovery, accounts and connections.

use serde_json::{Value, json};

use super::args::Args;
use super::show::{self, money};
use super::{Caller, jobs};
use crate::market::Refusal;
use crate::market::account::Account;
use crate::service::State;

/// Runs a tool of this file; `None` where it is another's.
pub(crate) fn run(
    state: &mut State,
    caller: &Caller,
    name: &str,
    args: &Args,
) -> Option<Result<Value, Refusal>> {
    Some(match name {
        "GetMcpCapabilities" => Ok(capabilities(state, caller)),
        "McpSelfTest" => Ok(self_test(state, caller, args)),
        "ListAccounts" => Ok(list(state, caller)),
        "GetAccount" => one(state, caller, args, |s, a| show::account(&s.market, a)),
        "GetAccountSummary" => summary(state, caller, args),
        "GetWatermarks" => one(state, caller, args, watermarks),
        "GetConnections" => Ok(connections(state, caller)),
        "Connect" => switch(state, caller, args, true),
        "Disconnect" => switch(state, caller, args, false),
        "EnsureReplayConnection" => Ok(replay(state)),
        _ => return None,
    })
}

fn capabilities(state: &State, caller: &Caller) -> Value {
    json!({
        "addon_connected": state.switches.addon,
        "addon_version": state.switches.addon.then_some("1.13.2"),
        "nt8_version": state.switches.addon.then_some("8.1.5.2"),
        "features": ["orders", "strategies", "ninjascript", "backtests", "journal", "alerts"],
        "scope": caller.scope,
        "active_jobs": jobs::active(state, caller.now),
        "job_ttl_minutes": jobs::LIFE_MS / 60_000,
        "backtest_engine": {"available": state.switches.addon, "engine": "StrategyAnalyzer", "nt8_version": "8.1.5.2"},
    })
}

fn self_test(state: &mut State, caller: &Caller, args: &Args) -> Value {
    let deep = args.flag("deep") == Some(true);
    let accounts = state.market.accounts_of(&caller.user).count();
    let job = deep.then(|| jobs::start(state, jobs::Work::Backtest, "SelfTest", 200, caller));
    json!({
        "transport": "ok",
        "categories": {
            "accounts": {"ok": accounts > 0, "count": accounts},
            "orders": {"ok": true, "count": state.market.orders.len()},
            "market_data": {"ok": !state.market.quotes.frozen},
            "backtest": {"ok": deep, "job_id": job},
        },
        "warnings": if state.market.quotes.frozen { vec!["quotes stand still"] } else { vec![] },
    })
}

fn list(state: &State, caller: &Caller) -> Value {
    let market = &state.market;
    let rows: Vec<Value> = market
        .accounts_of(&caller.user)
        .map(|a| show::account(market, a))
        .collect();
    json!({"accounts": rows})
}

fn one(
    state: &State,
    caller: &Caller,
    args: &Args,
    view: impl Fn(&State, &Account) -> Value,
) -> Result<Value, Refusal> {
    let account = state.market.account(&caller.user, args.needed("account")?)?;
    Ok(view(state, account))
}

fn summary(state: &State, caller: &Caller, args: &Args) -> Result<Value, Refusal> {
    let view = |account: &Account| summary_of(state, account);
    if let Some(name) = args.text("account") {
        return Ok(view(state.market.account(&caller.user, name)?));
    }
    let rows: Vec<Value> = state.market.accounts_of(&caller.user).map(view).collect();
    Ok(json!({"accounts": rows}))
}

fn summary_of(state: &State, account: &Account) -> Value {
    let market = &state.market;
    let open = account.open_cents(&market.quotes);
    let day = account.realized_cents.saturating_add(open);
    let orders = market
        .orders
        .values()
        .filter(|o| o.status.is_open() && o.ask.account == account.name)
        .count();
    let room = (account.daily_loss_limit_cents > 0)
        .then(|| money(account.daily_loss_limit_cents.saturating_add(day)));
    json!({
        "account": account.name,
        "provider": account.provider,
        "cash_value": money(account.cash_cents),
        "net_liquidation": money(account.net_cents(&market.quotes)),
        "realized_profit_loss": money(account.realized_cents),
        "unrealized_profit_loss": money(open),
        "day_profit_loss": money(day),
        "daily_loss_limit": (account.daily_loss_limit_cents > 0).then(|| money(account.daily_loss_limit_cents)),
        "daily_loss_room": room,
        "open_positions": account.positions.len(),
        "working_orders": orders,
    })
}

fn watermarks(state: &State, account: &Account) -> Value {
    let market = &state.market;
    let net = account.net_cents(&market.quotes);
    let open = account.open_cents(&market.quotes);
    json!({
        "account": account.name,
        "session": "current",
        "high_watermark": money(account.marks.high),
        "low_watermark": money(account.marks.low),
        "current_balance": money(net),
        "starting_balance": money(account.start_cents),
        "watermarks": {
            "pnlhigh": money(account.marks.profit_high),
            "netliqhigh": money(account.marks.high),
            "unrealhigh": money(account.marks.open_high),
        },
        "stats": {
            "pnl": money(account.realized_cents),
            "total": money(account.realized_cents.saturating_add(open)),
            "unrealized": money(open),
            "poscount": account.positions.len(),
            "netliq": money(net),
        },
    })
}

fn connections(state: &State, caller: &Caller) -> Value {
    let mine = |name: &str| {
        state
            .market
            .accounts_of(&caller.user)
            .any(|a| a.connection == name)
    };
    let shared = |name: &str| !state.market.accounts.iter().any(|a| a.connection == name);
    let rows: Vec<Value> = state
        .market
        .connections
        .iter()
        .filter(|(name, _)| mine(name) || shared(name))
        .map(|(name, up)| json!({"name": name, "status": if *up { "Connected" } else { "Disconnected" }}))
        .collect();
    json!({"connections": rows})
}

fn switch(state: &mut State, caller: &Caller, args: &Args, up: bool) -> Result<Value, Refusal> {
    let name = args.needed("name")?;
    let known = state
        .market
        .accounts_of(&caller.user)
        .find(|a| a.connection.eq_ignore_ascii_case(name));
    let Some(connection) = known.map(|a| a.connection) else {
        return Err(Refusal::new(
            "connection_not_found",
            format!("no connection {name:?}"),
        ));
    };
    state.market.connections.insert(connection, up);
    if up {
        state.market.match_all(caller.now);
    }
    Ok(json!({"success": true, "name": connection, "status": if up { "Connected" } else { "Disconnected" }}))
}

fn replay(state: &mut State) -> Value {
    let was = state.market.connections.insert("Playback", true);
    json!({"success": true, "name": "Playback", "status": "Connected", "was_connected": was == Some(true)})
}
