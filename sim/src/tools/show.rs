//! How things of the market look in results.

use serde_json::{Value, json};

use crate::clock;
use crate::market::Market;
use crate::market::account::{Account, Position};
use crate::market::order::{Execution, Order};

/// Cents as currency units.
pub(crate) fn money(cents: i64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "paper money stays far below 2^52 cents"
    )]
    let cents = cents as f64;
    cents / 100.0
}

/// One order.
pub(crate) fn order(order: &Order) -> Value {
    let ask = &order.ask;
    let price = |ticks: Option<i32>| ticks.map(|t| ask.contract.price(t));
    json!({
        "order_id": order.id,
        "account": ask.account,
        "instrument": ask.contract.name(),
        "side": ask.side.word(),
        "type": ask.kind.word(),
        "quantity": ask.quantity,
        "filled": order.filled,
        "limit_price": price(ask.kind.limit()),
        "stop_price": price(ask.kind.stop()),
        "average_fill_price": price(order.fill_ticks),
        "tif": ask.tif.word(),
        "oco_id": ask.oco,
        "strategy": ask.template.as_ref().or(ask.owner.as_ref()),
        "status": order.status.word(),
        "detail": order.detail,
        "created_at": clock::rfc3339(order.created_ms),
        "updated_at": clock::rfc3339(order.changed_ms),
    })
}

/// One fill.
pub(crate) fn execution(execution: &Execution) -> Value {
    json!({
        "execution_id": execution.id,
        "order_id": execution.order_id,
        "account": execution.account,
        "instrument": execution.contract.name(),
        "side": execution.side.word(),
        "quantity": execution.quantity,
        "price": execution.contract.price(execution.ticks),
        "time": clock::rfc3339(execution.at_ms),
    })
}

/// One position.
pub(crate) fn position(market: &Market, account: &Account, position: &Position) -> Value {
    let last = market.quotes.of(position.contract).map_or(0, |q| q.last);
    json!({
        "account": account.name,
        "instrument": position.contract.name(),
        "instrument_type": "Future",
        "market_position": if position.quantity > 0 { "Long" } else { "Short" },
        "quantity": position.quantity.abs(),
        "average_price": position.average(),
        "market_price": position.contract.price(last),
        "unrealized_profit_loss": money(position.open_cents(last)),
    })
}

/// One account in full.
pub(crate) fn account(market: &Market, account: &Account) -> Value {
    let up = market
        .connections
        .get(account.connection)
        .copied()
        .unwrap_or(false);
    let limit = |cents: i64| (cents > 0).then(|| money(cents));
    json!({
        "name": account.name,
        "display_name": account.name,
        "provider": account.provider,
        "connection": account.connection,
        "status": "Enabled",
        "connection_status": if up { "Connected" } else { "Disconnected" },
        "daily_loss_limit": limit(account.daily_loss_limit_cents),
        "max_order_size": account.max_order,
        "max_position_size": account.max_position,
        "item": {
            "cash_value": money(account.cash_cents),
            "net_liquidation": money(account.net_cents(&market.quotes)),
            "realized_profit_loss": money(account.realized_cents),
            "unrealized_profit_loss": money(account.open_cents(&market.quotes)),
            "commission": money(account.fees_cents),
            "trailing_max_drawdown": limit(account.trailing_drawdown_cents),
        },
    })
}
