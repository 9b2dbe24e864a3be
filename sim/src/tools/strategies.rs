//! Strategies that run: they hold a position and a stop of their own, and trade without any further call.

use serde_json::{Value, json};

use super::args::Args;
use super::platform::{Platform, Strategy, show, state_word};
use super::{Caller, scripts};
use crate::clock;
use crate::market::bulk::market_order;
use crate::market::instrument::Contract;
use crate::market::order::{Ask, Kind, Side, Tif};
use crate::market::{Market, Refusal};
use crate::service::State;

type Outcome = Result<Value, Refusal>;

/// How far below its entry a strategy puts its stop, in ticks.
const STOP_DISTANCE: i32 = 40;

/// Runs a tool of this file; `None` where it is another's.
pub(crate) fn run(state: &mut State, caller: &Caller, name: &str, args: &Args) -> Option<Outcome> {
    Some(match name {
        "ListAllStrategies" => {
            Ok(json!({"classes": scripts::classes(state, caller), "strategies": all(state, caller, None)}))
        }
        "ListStrategies" => list(state, caller, args),
        "ListDeployedStrategies" => Ok(json!({"deployments": all(state, caller, None)})),
        "GetStrategy" => {
            find(state, caller, args, "strategy_id").map(|s| show(&s, held(&state.market, &s.id)))
        }
        "GetStrategyState" => find(state, caller, args, "strategy_id").map(|s| brief(state, &s)),
        "GetDeployedStrategyState" => find(state, caller, args, "deployment_id").map(|s| brief(state, &s)),
        "DeployStrategy" => deploy(state, caller, args),
        "StartStrategy" => start_class(state, caller, args),
        "EnableStrategy" => switch(state, caller, args, true),
        "DisableStrategy" => switch(state, caller, args, false),
        "StopStrategy" => stop(state, caller, args),
        "CloseStrategy" => close(state, caller, args),
        _ => return None,
    })
}

fn all(state: &State, caller: &Caller, account: Option<&str>) -> Vec<Value> {
    let mine = state
        .platform
        .strategies
        .iter()
        .filter(|(user, _)| *user == caller.user);
    mine.map(|(_, s)| s)
        .filter(|s| account.is_none_or(|a| a == s.account))
        .map(|s| show(s, held(&state.market, &s.id)))
        .collect()
}

fn list(state: &State, caller: &Caller, args: &Args) -> Outcome {
    let account = args
        .text("account")
        .map(|a| state.market.account(&caller.user, a).map(|a| a.name))
        .transpose()?;
    Ok(json!({"strategies": all(state, caller, account)}))
}

fn find(state: &State, caller: &Caller, args: &Args, key: &str) -> Result<Strategy, Refusal> {
    let id = args.needed(key)?;
    let mut mine = state
        .platform
        .strategies
        .iter()
        .filter(|(user, _)| *user == caller.user);
    let found = mine.find(|(_, s)| s.id == id).map(|(_, s)| s.clone());
    let code = if key == "deployment_id" {
        "deployment_not_found"
    } else {
        "strategy_not_found"
    };
    found.ok_or_else(|| Refusal::new(code, format!("no strategy {id:?}")))
}

fn brief(state: &State, strategy: &Strategy) -> Value {
    json!({
        "deployment_id": strategy.id,
        "strategy_id": strategy.id,
        "state": state_word(strategy),
        "is_enabled": strategy.enabled,
        "is_trading": strategy.enabled && !strategy.ended,
        "position": held(&state.market, &strategy.id),
    })
}

/// What the strategy's own fills add up to.
fn held(market: &Market, id: &str) -> i32 {
    let own = market
        .orders
        .values()
        .filter(|o| o.ask.owner.as_deref() == Some(id));
    own.map(|o| o.filled * o.ask.side.sign()).sum()
}

fn deploy(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let class = args.needed("strategy")?.to_owned();
    let strategy = Strategy {
        id: state.platform.id("dep"),
        account: account(state, caller, args)?,
        contract: args.contract()?,
        quantity: args.count("quantity")?.unwrap_or(1),
        mode: "account".into(),
        parameters: args.object("parameters"),
        ..blank(class, caller.now)?
    };
    run_live(state, caller, strategy)
}

fn start_class(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let class = args.needed("strategy_class")?.to_owned();
    let strategy = Strategy {
        id: state.platform.id("strat"),
        account: account(state, caller, args)?,
        contract: args.contract()?,
        mode: args.text("mode").unwrap_or("account").to_owned(),
        parameters: args.object("parameters"),
        ..blank(class, caller.now)?
    };
    run_live(state, caller, strategy)
}

fn blank(class: String, now: u64) -> Result<Strategy, Refusal> {
    let contract = Contract::parse("ES").ok_or_else(|| Refusal::new("server_error", "no contracts"))?;
    Ok(Strategy {
        id: String::new(),
        class,
        account: String::new(),
        contract,
        quantity: 1,
        mode: String::new(),
        parameters: Value::Null,
        enabled: true,
        ended: false,
        started_ms: now,
    })
}

fn account(state: &State, caller: &Caller, args: &Args) -> Result<String, Refusal> {
    Ok(state
        .market
        .account(&caller.user, args.needed("account")?)?
        .name
        .to_owned())
}

/// Registers it, and lets it trade: it buys once and protects that with a stop.
fn run_live(state: &mut State, caller: &Caller, strategy: Strategy) -> Outcome {
    scripts::must_exist(state, caller, &strategy.class)?;
    Platform::room(state.platform.strategies.len())?;
    enter(&mut state.market, &strategy, caller.now)?;
    let shown = json!({
        "success": true,
        "deployment_id": strategy.id,
        "strategy_id": strategy.id,
        "strategy": strategy.class,
        "account": strategy.account,
        "instrument": strategy.contract.name(),
        "is_trading": true,
        "started_at": clock::rfc3339(caller.now),
    });
    state.platform.strategies.push((caller.user.clone(), strategy));
    Ok(shown)
}

fn enter(market: &mut Market, strategy: &Strategy, now: u64) -> Result<(), Refusal> {
    let own = |side, kind| Ask {
        kind,
        owner: Some(strategy.id.clone()),
        ..market_order(&strategy.account, strategy.contract, side, strategy.quantity)
    };
    let entry = market.place(own(Side::Buy, Kind::Market), now)?;
    if let Some(ticks) = entry.fill_ticks {
        let stop = Ask {
            tif: Tif::Gtc,
            ..own(
                Side::Sell,
                Kind::Stop {
                    stop: ticks - STOP_DISTANCE,
                },
            )
        };
        market.place(stop, now)?;
    }
    Ok(())
}

/// Cancels the orders that the strategy has in the market.
fn cancel_own(market: &mut Market, id: &str, now: u64) -> Vec<String> {
    let own: Vec<(String, String)> = market
        .orders
        .values()
        .filter(|o| o.status.is_open() && o.ask.owner.as_deref() == Some(id))
        .map(|o| (o.id.clone(), o.ask.account.clone()))
        .collect();
    own.into_iter()
        .filter(|(order, account)| market.cancel(order, account, now))
        .map(|(order, _)| order)
        .collect()
}

fn change(state: &mut State, id: &str, act: impl Fn(&mut Strategy)) {
    if let Some((_, strategy)) = state.platform.strategies.iter_mut().find(|(_, s)| s.id == id) {
        act(strategy);
    }
}

/// The strategy that is named, in the account that is named.
fn in_account(state: &State, caller: &Caller, args: &Args) -> Result<Strategy, Refusal> {
    let account = account(state, caller, args)?;
    let strategy = find(state, caller, args, "strategy_id")?;
    if strategy.account == account {
        return Ok(strategy);
    }
    Err(Refusal::new(
        "strategy_not_found",
        format!("{} does not run in {account}", strategy.id),
    ))
}

fn switch(state: &mut State, caller: &Caller, args: &Args, on: bool) -> Outcome {
    let strategy = in_account(state, caller, args)?;
    if strategy.ended {
        return Err(Refusal::new(
            "strategy_terminated",
            format!("{} has ended", strategy.id),
        ));
    }
    let cancelled = if on {
        Vec::new()
    } else {
        cancel_own(&mut state.market, &strategy.id, caller.now)
    };
    change(state, &strategy.id, |s| s.enabled = on);
    Ok(json!({
        "success": true,
        "strategy_id": strategy.id,
        "was_enabled": strategy.enabled,
        "is_enabled": on,
        "state": if on { "Realtime" } else { "Disabled" },
        "host_mode": strategy.mode,
        "cancelled_orders": cancelled,
        "remaining_position": held(&state.market, &strategy.id),
    }))
}

fn stop(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let strategy = find(state, caller, args, "deployment_id")?;
    let cancelled = cancel_own(&mut state.market, &strategy.id, caller.now);
    change(state, &strategy.id, |s| (s.enabled, s.ended) = (false, true));
    Ok(json!({
        "success": true,
        "stopped": !strategy.ended,
        "deployment_id": strategy.id,
        "cancelled_orders": cancelled,
        "remaining_position": held(&state.market, &strategy.id),
    }))
}

fn close(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let strategy = in_account(state, caller, args)?;
    let cancelled = cancel_own(&mut state.market, &strategy.id, caller.now);
    let position = held(&state.market, &strategy.id);
    if position != 0 {
        let side = Side::of(position).opposite();
        let exit = market_order(&strategy.account, strategy.contract, side, position.abs());
        state.market.place(
            Ask {
                owner: Some(strategy.id.clone()),
                ..exit
            },
            caller.now,
        )?;
    }
    change(state, &strategy.id, |s| (s.enabled, s.ended) = (false, true));
    Ok(
        json!({"success": true, "strategy_id": strategy.id, "closed_position": position, "cancelled_orders": cancelled}),
    )
}
