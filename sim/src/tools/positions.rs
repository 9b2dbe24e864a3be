//! Positions: reading, closing, flattening, reversing.

use serde_json::{Value, json};

use super::args::Args;
use super::orders::{accounts, bulk_accounts};
use super::{Caller, show};
use crate::market::bulk::{Closed, Reach};
use crate::market::{Market, Refusal};
use crate::service::State;

type Outcome = Result<Value, Refusal>;

/// Runs a tool of this file; `None` where it is another's.
pub(crate) fn run(state: &mut State, caller: &Caller, name: &str, args: &Args) -> Option<Outcome> {
    let market = &mut state.market;
    Some(match name {
        "ListPositions" | "GetAllPositions" => {
            accounts(market, caller, args).map(|names| json!({"positions": held(market, &names)}))
        }
        "GetPosition" => one(market, caller, args),
        "ClosePosition" => close(market, caller, args),
        "Flatten" => flatten(market, caller, args, false),
        "FlattenEverything" => flatten(market, caller, args, true),
        "Reverse" => reverse(market, caller, args),
        _ => return None,
    })
}

fn held(market: &Market, names: &[String]) -> Vec<Value> {
    let mine = market
        .accounts
        .iter()
        .filter(|a| names.iter().any(|n| n == a.name));
    mine.flat_map(|a| a.positions.values().map(|p| show::position(market, a, p)))
        .collect()
}

fn one(market: &Market, caller: &Caller, args: &Args) -> Outcome {
    let account = market.account(&caller.user, args.needed("account")?)?;
    let contract = args.contract()?;
    let flat = || json!({"account": account.name, "instrument": contract.name(), "market_position": "Flat", "quantity": 0});
    let position = account.positions.get(&contract.name());
    Ok(position.map_or_else(flat, |p| show::position(market, account, p)))
}

fn closed(closed: &Closed) -> Value {
    json!({
        "account": closed.account,
        "instrument": closed.contract.name(),
        "market_position": if closed.quantity > 0 { "Long" } else { "Short" },
        "quantity": closed.quantity.abs(),
        "order_id": closed.order_id,
    })
}

fn close(market: &mut Market, caller: &Caller, args: &Args) -> Outcome {
    let account = market.account(&caller.user, args.needed("account")?)?.name;
    let contract = args.contract()?;
    let percent = args.number("percent");
    if percent.is_some_and(|p| !(p > 0.0 && p <= 1.0)) {
        return Err(Refusal::new(
            "invalid_request",
            "percent must be above 0 and at most 1",
        ));
    }
    let done = market.close_part(account, contract, args.count("quantity")?, percent, caller.now)?;
    Ok(json!({"success": true, "closed_positions": [closed(&done)]}))
}

fn flatten(market: &mut Market, caller: &Caller, args: &Args, everything: bool) -> Outcome {
    let accounts = if everything {
        bulk_accounts(market, caller, args)?
    } else {
        accounts(market, caller, args)?
    };
    let long = args.text("market_position").map(|side| side == "long");
    let reach = Reach {
        accounts,
        contract: args.contract_if_given()?,
        long,
    };
    let (done, cancelled) = market.flatten(&reach, caller.now)?;
    let done: Vec<Value> = done.iter().map(closed).collect();
    Ok(json!({
        "success": true,
        "closed_positions": done,
        "cancelled_orders": cancelled,
        "remaining_positions": held(market, &reach.accounts),
    }))
}

fn reverse(market: &mut Market, caller: &Caller, args: &Args) -> Outcome {
    let account = market.account(&caller.user, args.needed("account")?)?.name;
    let contract = args.contract()?;
    let order = market.reverse(account, contract, caller.now)?;
    Ok(json!({"success": true, "order_id": order.id, "order": show::order(&order)}))
}
