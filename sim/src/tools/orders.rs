//! Orders and executions.

use serde_json::{Value, json};

use super::args::Args;
use super::{Caller, show};
use crate::market::bulk::{Bracket, Reach};
use crate::market::engine::Amend;
use crate::market::instrument::Contract;
use crate::market::order::{Ask, Kind, Order, Tif};
use crate::market::{Market, Refusal};
use crate::options;
use crate::service::State;

type Outcome = Result<Value, Refusal>;

/// Runs a tool of this file; `None` where it is another's.
pub(crate) fn run(state: &mut State, caller: &Caller, name: &str, args: &Args) -> Option<Outcome> {
    Some(match name {
        "ListOrders" | "GetAllOrders" => list(state, caller, args),
        "GetOrder" => get(&state.market, caller, args).map(show::order),
        "GetOrderStatus" => get(&state.market, caller, args).map(
            |o| json!({"order_id": o.id, "status": o.status.word(), "filled": o.filled, "detail": o.detail}),
        ),
        "ListExecutions" => executions(&state.market, caller, args, None),
        "GetExecution" => execution(&state.market, caller, args),
        "GetExecutionsByOrderId" => {
            let id = args.needed("order_id").map(ToOwned::to_owned);
            id.and_then(|id| executions(&state.market, caller, args, Some(&id)))
        }
        "PlaceOrder" => place(&mut state.market, caller, args),
        "FlatPlace" => ask(&state.market, caller, args)
            .and_then(|a| state.market.flat_place(a, false, caller.now))
            .map(|o| placed(&o)),
        "ReversePosition" => ask(&state.market, caller, args)
            .and_then(|a| state.market.flat_place(a, true, caller.now))
            .map(|o| placed(&o)),
        "Change" => change(&mut state.market, caller, args),
        "CancelReplace" => replace(&mut state.market, caller, args),
        "Cancel" | "CancelOrder" => cancel(&mut state.market, caller, args),
        "CancelOrders" => cancel_several(&mut state.market, caller, args),
        "CancelAllOrders" => cancel_all(&mut state.market, caller, args),
        "CancelAndBracket" => bracket(&mut state.market, caller, args),
        _ => return None,
    })
}

/// A new order as it is answered: its id and status, and an echo.
fn placed(order: &Order) -> Value {
    let mut shown = show::order(order);
    if let Some(members) = shown.as_object_mut() {
        members.insert("success".into(), json!(true));
    }
    shown
}

/// The exact names of the account that is named, or of all of the user's.
pub(crate) fn accounts(market: &Market, caller: &Caller, args: &Args) -> Result<Vec<String>, Refusal> {
    match args.text("account") {
        Some(name) => Ok(vec![market.account(&caller.user, name)?.name.to_owned()]),
        None => Ok(market
            .accounts_of(&caller.user)
            .map(|a| a.name.to_owned())
            .collect()),
    }
}

/// As [`accounts`], but for the bulk tools, whose documented reach is contradictory.
pub(crate) fn bulk_accounts(market: &Market, caller: &Caller, args: &Args) -> Result<Vec<String>, Refusal> {
    let named = accounts(market, caller, args)?;
    match caller.reach {
        options::Reach::Account => Ok(named),
        options::Reach::All => Ok(market
            .accounts_of(&caller.user)
            .map(|a| a.name.to_owned())
            .collect()),
    }
}

fn list(state: &State, caller: &Caller, args: &Args) -> Outcome {
    let names = accounts(&state.market, caller, args)?;
    let youngest = caller.now.saturating_sub(state.switches.orders_lag_ms);
    let lagging = state.switches.orders_lag_ms > 0;
    let rows: Vec<Value> = state
        .market
        .orders
        .values()
        .filter(|o| names.contains(&o.ask.account) && (!lagging || o.created_ms <= youngest))
        .map(show::order)
        .collect();
    Ok(json!({"orders": rows}))
}

fn get<'a>(market: &'a Market, caller: &Caller, args: &Args) -> Result<&'a Order, Refusal> {
    market.order(&caller.user, args.needed("order_id")?)
}

fn executions(market: &Market, caller: &Caller, args: &Args, order: Option<&str>) -> Outcome {
    let names = accounts(market, caller, args)?;
    if let Some(id) = order {
        market.order(&caller.user, id)?;
    }
    let rows: Vec<Value> = market
        .executions
        .iter()
        .filter(|e| names.contains(&e.account) && order.is_none_or(|id| id == e.order_id))
        .map(show::execution)
        .collect();
    Ok(json!({"executions": rows}))
}

fn execution(market: &Market, caller: &Caller, args: &Args) -> Outcome {
    let id = args.needed("execution_id")?;
    let found = market.executions.iter().find(|e| e.id == id);
    found
        .filter(|e| market.account(&caller.user, &e.account).is_ok())
        .map(show::execution)
        .ok_or_else(|| Refusal::new("execution_not_found", format!("no execution {id:?}")))
}

/// Reads the arguments of a new order.
fn ask(market: &Market, caller: &Caller, args: &Args) -> Result<Ask, Refusal> {
    let account = market
        .account(&caller.user, args.needed("account")?)?
        .name
        .to_owned();
    let contract = args.contract()?;
    let needed = |text: &str| Refusal::new("invalid_request", text.to_owned());
    let quantity = args
        .count("quantity")?
        .ok_or_else(|| needed("quantity is needed"))?;
    Ok(Ask {
        account,
        contract,
        side: args.side("side")?,
        kind: kind(args, contract)?,
        quantity,
        tif: tif(args),
        oco: args.text("oco_id").map(ToOwned::to_owned),
        id: None,
        template: args
            .text("strategy")
            .filter(|s| !s.is_empty())
            .map(ToOwned::to_owned),
        owner: None,
    })
}

fn kind(args: &Args, contract: Contract) -> Result<Kind, Refusal> {
    let limit = args.ticks("limit_price", contract)?;
    let stop = args.ticks("stop_price", contract)?;
    let wrong = |text: &str| Err(Refusal::new("invalid_request", text.to_owned()));
    match (args.needed("type")?.to_ascii_lowercase().as_str(), limit, stop) {
        ("market", None, None) => Ok(Kind::Market),
        ("market", ..) => wrong("a market order has no price"),
        ("limit", Some(limit), None) => Ok(Kind::Limit { limit }),
        ("limit", ..) => wrong("a limit order needs a limit price and no stop price"),
        ("stop" | "stopmarket", None, Some(stop)) => Ok(Kind::Stop { stop }),
        ("stop" | "stopmarket", ..) => wrong("a stop order needs a stop price and no limit price"),
        (_, Some(limit), Some(stop)) => Ok(Kind::StopLimit { stop, limit }),
        _ => wrong("a stop-limit order needs both prices"),
    }
}

fn tif(args: &Args) -> Tif {
    match args.text("tif").unwrap_or("Day").to_ascii_lowercase().as_str() {
        "gtc" => Tif::Gtc,
        "ioc" => Tif::Ioc,
        "fok" => Tif::Fok,
        _ => Tif::Day,
    }
}

fn place(market: &mut Market, caller: &Caller, args: &Args) -> Outcome {
    let mut ask = ask(market, caller, args)?;
    ask.id = args
        .text("order_id")
        .filter(|t| !t.is_empty())
        .map(ToOwned::to_owned);
    let account = market.account(&caller.user, &ask.account)?;
    guard(account.held(ask.contract), args)?;
    if let Some(most) = args.count("max_positions")?
        && account.positions.len() >= usize::try_from(most).unwrap_or(usize::MAX)
    {
        return Err(Refusal::new(
            "max_positions",
            format!("{} positions are open", account.positions.len()),
        ));
    }
    market.place(ask, caller.now).map(|o| placed(&o))
}

/// `requireMarketPosition`: a comma-separated list of flat, long and short.
fn guard(held: i32, args: &Args) -> Result<(), Refusal> {
    let Some(wanted) = args.text("require_market_position") else {
        return Ok(());
    };
    let real = match held.signum() {
        0 => "flat",
        1 => "long",
        _ => "short",
    };
    if wanted.split(',').any(|w| w.trim().eq_ignore_ascii_case(real)) {
        return Ok(());
    }
    Err(Refusal::new(
        "market_position_mismatch",
        format!("the position is {real}, not {wanted}"),
    ))
}

fn change(market: &mut Market, caller: &Caller, args: &Args) -> Outcome {
    let account = market.account(&caller.user, args.needed("account")?)?.name;
    let order = get(market, caller, args)?;
    let (id, contract) = (order.id.clone(), order.ask.contract);
    let amend = Amend {
        quantity: args.count("quantity")?,
        limit: args.ticks("limit_price", contract)?,
        stop: args.ticks("stop_price", contract)?,
    };
    market.amend(&id, account, amend, caller.now).map(|o| placed(&o))
}

fn replace(market: &mut Market, caller: &Caller, args: &Args) -> Outcome {
    let ask = ask(market, caller, args)?;
    let old = get(market, caller, args)?;
    let (id, account) = (old.id.clone(), old.ask.account.clone());
    if !market.cancel(&id, &account, caller.now) {
        return Err(Refusal::new("order_not_found", format!("no open order {id:?}")));
    }
    let order = market.place(ask, caller.now)?;
    let mut shown = placed(&order);
    if let Some(members) = shown.as_object_mut() {
        members.insert("replaced_order_id".into(), json!(id));
    }
    Ok(shown)
}

fn cancel(market: &mut Market, caller: &Caller, args: &Args) -> Outcome {
    let account = market.account(&caller.user, args.needed("account")?)?.name;
    let id = args.needed("order_id")?;
    if market.cancel(id, account, caller.now) {
        Ok(json!({"success": true, "cancelled": [id], "failed": []}))
    } else {
        Err(Refusal::new(
            "order_not_found",
            format!("no open order {id:?} in {account}"),
        ))
    }
}

fn cancel_several(market: &mut Market, caller: &Caller, args: &Args) -> Outcome {
    let account = market.account(&caller.user, args.needed("account")?)?.name;
    if let Some(ids) = args.texts("order_ids") {
        let (done, failed): (Vec<&str>, Vec<&str>) = ids
            .into_iter()
            .partition(|id| market.cancel(id, account, caller.now));
        return Ok(json!({"success": failed.is_empty(), "cancelled": done, "failed": failed}));
    }
    // Without an instrument this is the whole account, as documented.
    let contract = args.contract_if_given()?;
    let reach = Reach {
        accounts: vec![account.to_owned()],
        contract,
        long: None,
    };
    let ids = market.cancel_in(&reach, caller.now);
    Ok(json!({"success": true, "order_ids": ids}))
}

fn cancel_all(market: &mut Market, caller: &Caller, args: &Args) -> Outcome {
    let reach = Reach {
        accounts: bulk_accounts(market, caller, args)?,
        ..Reach::default()
    };
    let ids = market.cancel_in(&reach, caller.now);
    Ok(json!({"success": true, "accounts": reach.accounts, "cancelled": ids, "failed": []}))
}

fn bracket(market: &mut Market, caller: &Caller, args: &Args) -> Outcome {
    let account = market.account(&caller.user, args.needed("account")?)?.name;
    let contract = args.contract()?;
    let bracket = Bracket {
        protects: args.side("action")?,
        quantity: args.count("quantity")?,
        target: args.ticks("take_profit", contract)?,
        stop: args.ticks("stop_loss", contract)?,
    };
    let (cancelled, orders) = market.bracket(account, contract, bracket, caller.now)?;
    let orders: Vec<Value> = orders.iter().map(show::order).collect();
    Ok(json!({"success": true, "cancelled": cancelled, "orders": orders}))
}
