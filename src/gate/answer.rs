//! Reads the service's answers: the tool result around them, and both documented spellings inside.
//!
//! Owns: the keys of each answer. Refuses to know: what a fact is for. Whatever does not fit is an error, so that it
//! becomes an unread fact.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::fmt;

use serde_json::{Map, Value};

use super::Millis;
use super::facts::{Account, Connection, Day, Fill, MAX_ANSWER, Order, Position, Quote, Running};
use super::instrument::Instrument;
use super::value::{self, Decimal, OrderKind, Side};

/// The most entries of one list that are looked at.
const MAX_ENTRIES: usize = 2_000;

/// What came out of one answer.
pub(super) type Answered = Result<Value, String>;

/// Why there is no payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    NotConnected,
    Failed(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => out.write_str("NinjaTrader is not connected"),
            Self::Failed(why) => out.write_str(why),
        }
    }
}

/// The payload of a `CallToolResult`: structured content, or the JSON in its first text.
pub(super) fn payload(text: &str) -> Result<Value, Failure> {
    let odd = || Failure::Failed("the answer is in no known form".to_owned());
    if text.len() > MAX_ANSWER {
        return Err(Failure::Failed("the answer is too large".to_owned()));
    }
    let result: Value = serde_json::from_str(text).map_err(|_| odd())?;
    let said = result
        .get("content")
        .and_then(Value::as_array)
        .and_then(|content| {
            content
                .iter()
                .find_map(|block| block.get("text").and_then(Value::as_str))
        });
    let inner = match result.get("structuredContent") {
        Some(structured) if structured.is_object() || structured.is_array() => Some(structured.clone()),
        Some(_) | None => said.and_then(|said| serde_json::from_str(said).ok()),
    };
    if result.get("isError") == Some(&Value::Bool(true)) {
        return Err(failure(inner.as_ref(), said));
    }
    let inner = inner.ok_or_else(odd)?;
    let failed = inner.get("success") == Some(&Value::Bool(false))
        || inner
            .get("error")
            .is_some_and(|error| !error.is_null() && error != &Value::Bool(false));
    if failed {
        return Err(failure(Some(&inner), said));
    }
    Ok(inner)
}

fn failure(inner: Option<&Value>, said: Option<&str>) -> Failure {
    let code = inner
        .and_then(|inner| inner.get("error"))
        .map(|error| match error.as_str() {
            Some(text) => text.to_owned(),
            None => error.to_string(),
        });
    let text = code
        .as_deref()
        .or(said)
        .unwrap_or("the service reported an error");
    if text.contains("addon_disconnected") || text.contains("addon disconnected") {
        return Failure::NotConnected;
    }
    Failure::Failed(value::short(text, 120))
}

pub(super) fn account(payload: &Value) -> Result<Account, String> {
    let object = one(payload, &["account", "data", "result"])?;
    let name = word(object, &["name", "account", "displayName"]).ok_or("the account has no name")?;
    let limit = |keys: &[&str]| {
        number(object, keys)
            .filter(|limit| !limit.is_zero())
            .map(Decimal::magnitude)
    };
    Ok(Account {
        name: value::short(name, value::MAX_ACCOUNT),
        provider: word(object, &["provider"]).map(|text| value::short(text, 40)),
        connection: word(object, &["connectionStatus", "connection_status"])
            .map(|text| value::short(text, 24)),
        daily_loss_limit: limit(&["dailyLossLimit", "daily_loss_limit"]),
        max_order_size: limit(&["maxOrderSize", "max_order_size"]),
        max_position_size: limit(&["maxPositionSize", "max_position_size"]),
    })
}

pub(super) fn accounts(payload: &Value) -> Result<Vec<Account>, String> {
    list(payload, &["accounts", "data", "items", "result"])?
        .iter()
        .map(|entry| match entry.as_str() {
            Some(name) => Ok(Account {
                name: value::short(name, value::MAX_ACCOUNT),
                ..Account::default()
            }),
            None => account(entry),
        })
        .collect()
}

pub(super) fn positions(payload: &Value, asked: Option<&str>) -> Result<Vec<Position>, String> {
    let entries = list(payload, &["positions", "data", "items", "result"])?;
    let all: Result<Vec<Position>, String> = entries.iter().map(|entry| position(entry, asked)).collect();
    Ok(all?
        .into_iter()
        .filter(|position| position.quantity != 0)
        .collect())
}

fn position(entry: &Value, asked: Option<&str>) -> Result<Position, String> {
    let object = entry.as_object().ok_or("a position is in no known form")?;
    let account = word(object, &["account", "accountName", "account_name"]).or(asked);
    let name = word(object, &["instrument", "symbol"]).ok_or("a position names no instrument")?;
    let count = number(object, &["quantity", "qty"]).ok_or("a position has no quantity")?;
    let (count, exact) = count
        .steps(Decimal::whole(1))
        .ok_or("a position has an odd quantity")?;
    let direction = word(
        object,
        &["marketPosition", "market_position", "side", "direction"],
    )
    .map(str::to_ascii_lowercase);
    let quantity = match direction.as_deref() {
        _ if !exact => return Err("a position has an odd quantity".to_owned()),
        Some("long" | "buy") => count.saturating_abs(),
        Some("short" | "sell") => count.saturating_abs().saturating_neg(),
        Some("flat" | "none") => 0,
        None if count <= 0 => count,
        Some(_) | None => return Err("a position has no direction".to_owned()),
    };
    Ok(Position {
        account: account.ok_or("a position names no account")?.to_ascii_lowercase(),
        instrument: Instrument::read(name),
        name: value::short(name, 24),
        quantity,
        average: number(
            object,
            &[
                "averagePrice",
                "average_price",
                "avgPrice",
                "avg_price",
                "entry_price",
            ],
        ),
        unrealised: number(
            object,
            &[
                "unrealizedProfitLoss",
                "unrealized_profit_loss",
                "unrealizedPnl",
                "unrealized_pnl",
                "unrealized",
            ],
        ),
    })
}

pub(super) fn orders(payload: &Value, asked: Option<&str>) -> Result<Vec<Order>, String> {
    list(payload, &["orders", "data", "items", "result"])?
        .iter()
        .map(|entry| parse_order(entry.as_object().ok_or("an order is in no known form")?, asked))
        .collect()
}

pub(super) fn order(payload: &Value) -> Result<Order, String> {
    parse_order(one(payload, &["order", "data", "result"])?, None)
}

const FINISHED: [&str; 7] = [
    "filled",
    "cancelled",
    "canceled",
    "rejected",
    "expired",
    "completed",
    "done",
];

fn parse_order(object: &Map<String, Value>, asked: Option<&str>) -> Result<Order, String> {
    let id = match any(object, &["order_id", "orderId", "id"]) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) | None => return Err("an order has no id".to_owned()),
    };
    let name = word(object, &["instrument", "symbol"]).ok_or("an order names no instrument")?;
    let side = word(object, &["side", "action", "orderAction", "order_action"])
        .and_then(Side::read)
        .ok_or("an order has no side")?;
    let status =
        word(object, &["status", "state", "orderState", "order_state"]).ok_or("an order has no status")?;
    let working = !FINISHED.contains(&status.to_ascii_lowercase().as_str());
    let filled = number(object, &["filled", "filledQuantity", "filled_quantity"]).unwrap_or_default();
    let whole = number(object, &["quantity", "qty"]).ok_or("an order has no quantity")?;
    let contracts = |number: Decimal| {
        let (count, exact) = number.steps(Decimal::whole(1))?;
        u32::try_from(count).ok().filter(|_| exact)
    };
    if filled.is_negative() {
        return Err("an order has an odd quantity".to_owned());
    }
    let quantity = contracts(whole.minus(filled)).ok_or("an order has an odd quantity")?;
    let size = contracts(whole).ok_or("an order has an odd quantity")?;
    let price = |keys: &[&str]| number(object, keys).filter(|price| !price.is_zero());
    Ok(Order {
        id: value::short(&id, value::MAX_NAME),
        account: word(object, &["account", "accountName", "account_name"])
            .or(asked)
            .ok_or("an order names no account")?
            .to_ascii_lowercase(),
        instrument: Instrument::read(name),
        name: value::short(name, 24),
        side,
        kind: word(object, &["type", "orderType", "order_type"]).and_then(OrderKind::read),
        quantity,
        size,
        limit: price(&["limit_price", "limitPrice"]),
        stop: price(&["stop_price", "stopPrice"]),
        status: value::short(status, 20),
        working,
        created: any(
            object,
            &[
                "created_at",
                "createdAt",
                "created",
                "submitted_at",
                "submittedAt",
            ],
        )
        .and_then(time),
    })
}

pub(super) fn fills(payload: &Value, asked: Option<&str>) -> Result<Vec<Fill>, String> {
    list(payload, &["executions", "fills", "data", "items", "result"])?
        .iter()
        .map(|entry| parse_fill(entry.as_object().ok_or("a fill is in no known form")?, asked))
        .collect()
}

fn parse_fill(object: &Map<String, Value>, asked: Option<&str>) -> Result<Fill, String> {
    let order_id = match any(object, &["order_id", "orderId"]) {
        Some(Value::String(text)) => Some(value::short(text, value::MAX_NAME)),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) | None => None,
    };
    let name = word(object, &["instrument", "symbol"]).ok_or("a fill names no instrument")?;
    let quantity = number(object, &["quantity", "qty"])
        .and_then(|number| number.steps(Decimal::whole(1)))
        .filter(|(_, exact)| *exact)
        .and_then(|(count, _)| u32::try_from(count).ok())
        .ok_or("a fill has an odd quantity")?;
    Ok(Fill {
        order_id,
        account: word(object, &["account", "accountName", "account_name"])
            .or(asked)
            .ok_or("a fill names no account")?
            .to_ascii_lowercase(),
        instrument: Instrument::read(name),
        name: value::short(name, 24),
        side: word(object, &["side", "action", "orderAction", "order_action"])
            .and_then(Side::read)
            .ok_or("a fill has no side")?,
        quantity,
        time: any(object, &["time", "timestamp", "ts", "executed_at", "executedAt"]).and_then(time),
    })
}

pub(super) fn quote(payload: &Value) -> Result<Quote, String> {
    let object = one(payload, &["quote", "data", "result"])?;
    let price = |keys: &[&str]| number(object, keys).filter(|price| !price.is_zero());
    let quote = Quote {
        instrument: word(object, &["instrument", "symbol", "contract"]).and_then(Instrument::read),
        last: price(&["last", "lastPrice", "last_price", "price"]),
        bid: price(&["bid", "bidPrice", "bid_price"]),
        ask: price(&["ask", "askPrice", "ask_price"]),
        time: any(object, &["timestamp", "time", "ts", "asOf", "as_of"]).and_then(time),
    };
    if quote.price().is_none() {
        return Err("the quote has no price".to_owned());
    }
    Ok(quote)
}

/// The day of an account summary or of the watermarks; the REST form of the latter nests its parts.
pub(super) fn day(payload: &Value) -> Result<Day, String> {
    let object = one(payload, &["summary", "account", "data", "result"])?;
    let mut flat: Map<String, Value> = object.clone();
    for part in ["item", "items", "stats", "watermarks", "summary"] {
        if let Some(inner) = object.get(part).and_then(Value::as_object) {
            flat.extend(inner.clone());
        }
    }
    let realised = number(
        &flat,
        &[
            "realizedProfitLoss",
            "realized_profit_loss",
            "realizedPnl",
            "realized_pnl",
            "realized",
            "pnl",
        ],
    );
    let unrealised = number(
        &flat,
        &[
            "unrealizedProfitLoss",
            "unrealized_profit_loss",
            "unrealizedPnl",
            "unrealized_pnl",
            "unrealized",
        ],
    );
    let total = number(
        &flat,
        &[
            "totalPnl",
            "total_pnl",
            "dailyPnl",
            "daily_pnl",
            "day_pnl",
            "dayPnl",
            "day_profit_loss",
            "dayProfitLoss",
            "total",
        ],
    )
    .or_else(|| {
        let (realised, unrealised) = (realised?, unrealised?);
        Some(realised.plus(unrealised))
    });
    let high = number(&flat, &["netliqhigh", "high_watermark", "highWatermark"]);
    let now = number(
        &flat,
        &[
            "netliq",
            "current_balance",
            "currentBalance",
            "netLiquidation",
            "net_liquidation",
        ],
    );
    let below_high = high
        .zip(now)
        .map(|(high, now)| high.minus(now).max(Decimal::default()));
    let day = Day {
        realised,
        unrealised,
        total,
        below_high,
    };
    if day == Day::default() {
        return Err("the answer holds no profit or loss".to_owned());
    }
    Ok(day)
}

pub(super) fn connections(payload: &Value) -> Result<Vec<Connection>, String> {
    list(payload, &["connections", "data", "items", "result"])?
        .iter()
        .map(|entry| {
            let object = entry.as_object().ok_or("a connection is in no known form")?;
            let name = word(object, &["name", "connection"]).ok_or("a connection has no name")?;
            let status = match any(
                object,
                &[
                    "status",
                    "connectionStatus",
                    "connection_status",
                    "state",
                    "connected",
                ],
            ) {
                Some(Value::Bool(true)) => "Connected".to_owned(),
                Some(Value::Bool(false)) => "Disconnected".to_owned(),
                Some(Value::String(text)) => value::short(text, 24),
                Some(_) | None => "?".to_owned(),
            };
            Ok(Connection {
                name: value::short(name, 40),
                status,
            })
        })
        .collect()
}

pub(super) fn strategies(payload: &Value) -> Result<Vec<Running>, String> {
    list(payload, &["strategies", "deployments", "data", "items", "result"])?
        .iter()
        .map(|entry| {
            let object = entry.as_object().ok_or("a strategy is in no known form")?;
            let safe = |keys: &[&str]| word(object, keys).map(|text| value::short(text, 40));
            let id = match any(
                object,
                &["deployment_id", "deploymentId", "strategyId", "strategy_id", "id"],
            ) {
                Some(Value::String(text)) => value::short(text, 40),
                Some(Value::Number(number)) => number.to_string(),
                Some(_) | None => return Err("a strategy has no id".to_owned()),
            };
            let state = match any(
                object,
                &["state", "status", "is_trading", "isTrading", "isEnabled"],
            ) {
                Some(Value::Bool(true)) => "trading".to_owned(),
                Some(Value::Bool(false)) => "not trading".to_owned(),
                Some(Value::String(text)) => value::short(text, 20),
                Some(_) | None => "?".to_owned(),
            };
            Ok(Running {
                id,
                class: safe(&[
                    "strategy",
                    "strategyClass",
                    "strategy_class",
                    "class_name",
                    "className",
                    "name",
                ])
                .unwrap_or_else(|| "?".to_owned()),
                account: word(object, &["account"]).map(str::to_ascii_lowercase),
                instrument: safe(&["instrument"]),
                state,
            })
        })
        .collect()
}

/// The list of an answer: the answer itself, or the first of these members that is one.
fn list<'a>(payload: &'a Value, keys: &[&str]) -> Result<&'a Vec<Value>, String> {
    let found = payload.as_array().or_else(|| {
        keys.iter()
            .find_map(|key| payload.get(key).and_then(Value::as_array))
    });
    let found = found.ok_or("the answer holds no list")?;
    if found.len() > MAX_ENTRIES {
        return Err("the answer's list is too long".to_owned());
    }
    Ok(found)
}

/// The object of an answer: one of these members, or the answer itself.
fn one<'a>(payload: &'a Value, keys: &[&str]) -> Result<&'a Map<String, Value>, String> {
    keys.iter()
        .find_map(|key| payload.get(key).and_then(Value::as_object))
        .or_else(|| payload.as_object())
        .ok_or_else(|| "the answer is in no known form".to_owned())
}

fn any<'a>(object: &'a Map<String, Value>, keys: &[&str]) -> Option<&'a Value> {
    keys.iter()
        .find_map(|key| object.get(*key))
        .filter(|value| !value.is_null())
}

fn word<'a>(object: &'a Map<String, Value>, keys: &[&str]) -> Option<&'a str> {
    keys.iter()
        .find_map(|key| object.get(*key).and_then(Value::as_str))
        .filter(|text| !text.is_empty())
}

fn number(object: &Map<String, Value>, keys: &[&str]) -> Option<Decimal> {
    keys.iter().find_map(|key| match object.get(*key)? {
        Value::Number(number) => Decimal::lenient(&number.to_string()),
        Value::String(text) => Decimal::lenient(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    })
}

/// Epoch milliseconds or seconds, or `2026-11-22T15:41:07.120Z`.
fn time(value: &Value) -> Option<Millis> {
    if let Some(number) = value.as_u64() {
        return Some(if number < 100_000_000_000 {
            number.saturating_mul(1000)
        } else {
            number
        });
    }
    let text = value.as_str()?.strip_suffix('Z')?;
    let part = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<u64>().ok());
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let millis = text
        .get(20..23)
        .and_then(|digits| digits.parse::<u64>().ok())
        .unwrap_or(0);
    let seconds = days_since_epoch(year, month, day)?
        .checked_mul(24)?
        .checked_add(hour)?
        .checked_mul(60)?
        .checked_add(minute)?
        .checked_mul(60)?
        .checked_add(second)?;
    seconds.checked_mul(1000)?.checked_add(millis)
}

/// Days since 1970-01-01 of a Gregorian date (years counted from March, so that leap days come last).
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, shifted) = if month > 2 {
        (year, month.checked_sub(3)?)
    } else {
        (year.checked_sub(1)?, month.checked_add(9)?)
    };
    let leap = (year / 4).checked_sub(year / 100)?.checked_add(year / 400)?;
    let in_year = shifted.checked_mul(153)?.checked_add(2)? / 5;
    year.checked_mul(365)?
        .checked_add(leap)?
        .checked_add(in_year)?
        .checked_add(day)?
        .checked_sub(719_469)
}
