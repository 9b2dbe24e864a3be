//! Market data, computed from the quotes as they stand.

use serde_json::{Value, json};

use super::Caller;
use super::args::Args;
use crate::clock;
use crate::market::instrument::Contract;
use crate::market::quote::{Quote, xorshift};
use crate::market::{Market, Refusal};
use crate::service::State;

type Outcome = Result<Value, Refusal>;

/// Runs a tool of this file; `None` where it is another's.
pub(crate) fn run(state: &State, caller: &Caller, name: &str, args: &Args) -> Option<Outcome> {
    let view: fn(Contract, Quote, &Caller, &Args) -> Outcome = match name {
        "GetQuote" => |contract, quote, _, _| Ok(quote_of(contract, quote)),
        "MarketInfo" => |contract, _, _, _| Ok(info(contract)),
        "GetBars" => bars,
        "GetVolumeProfile" => |contract, quote, _, _| Ok(profile(contract, quote)),
        "GetOrderFlow" => |contract, quote, _, _| Ok(flow(contract, quote)),
        "GetIndicatorValue" => indicator,
        _ => return None,
    };
    let found = args
        .contract()
        .and_then(|c| quote(&state.market, c).map(|q| (c, q)));
    Some(found.and_then(|(contract, quote)| view(contract, quote, caller, args)))
}

fn quote(market: &Market, contract: Contract) -> Result<Quote, Refusal> {
    let missing = || {
        Refusal::new(
            "instrument_not_found",
            format!("no quote for {}", contract.name()),
        )
    };
    market.quotes.of(contract).ok_or_else(missing)
}

fn quote_of(contract: Contract, quote: Quote) -> Value {
    json!({
        "instrument": contract.name(),
        "bid": contract.price(quote.bid),
        "ask": contract.price(quote.ask),
        "last": contract.price(quote.last),
        "high": contract.price(quote.high),
        "low": contract.price(quote.low),
        "open": contract.price(quote.open),
        "volume": quote.volume,
        "time": clock::rfc3339(quote.at_ms),
    })
}

fn info(contract: Contract) -> Value {
    let root = contract.root;
    json!({
        "instrument": contract.name(),
        "root": root.symbol,
        "description": root.name,
        "exchange": root.exchange,
        "instrument_type": "Future",
        "tick_size": root.tick,
        "tick_value": super::show::money(root.tick_cents),
        "point_value": super::show::money(root.tick_cents) / root.tick,
        "currency": "USD",
        "front_month": contract.month == 0,
        "trading_hours": "CME US Index Futures ETH",
    })
}

/// The past of the walk, drawn backwards from the quote; the same for the same contract and time.
fn history(contract: Contract, quote: Quote, count: u64) -> Vec<(i32, i32, i32, i32)> {
    let mut random = contract
        .name()
        .bytes()
        .fold(11_u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
    let mut close = quote.last;
    let mut bars = Vec::new();
    for _ in 0..count {
        let by = |random: &mut u64| i32::try_from(xorshift(random) % 9).unwrap_or(0);
        let open = close - 4 + by(&mut random);
        let high = open.max(close) + by(&mut random);
        let low = open.min(close) - by(&mut random);
        bars.push((open, high, low, close));
        close = open;
    }
    bars.reverse();
    bars
}

fn bars(contract: Contract, quote: Quote, caller: &Caller, args: &Args) -> Outcome {
    let minutes = u64::try_from(args.count("period")?.unwrap_or(5)).unwrap_or(5);
    let count = u64::try_from(args.count("count")?.unwrap_or(100).min(1000)).unwrap_or(100);
    let width = minutes.saturating_mul(60_000);
    let rows: Vec<Value> = (0..count)
        .zip(history(contract, quote, count))
        .map(|(at, (open, high, low, close))| {
            let time = caller.now.saturating_sub((count - 1 - at).saturating_mul(width));
            json!({
                "time": clock::rfc3339(time),
                "open": contract.price(open),
                "high": contract.price(high),
                "low": contract.price(low),
                "close": contract.price(close),
            })
        })
        .collect();
    let kind = args.text("period_type").unwrap_or("Minute");
    Ok(json!({"instrument": contract.name(), "period_type": kind, "period": minutes, "bars": rows}))
}

fn profile(contract: Contract, quote: Quote) -> Value {
    let span = i64::from(quote.high) - i64::from(quote.low) + 1;
    let each = quote.volume / u64::try_from(span).unwrap_or(1).max(1);
    let levels: Vec<Value> = (quote.low..=quote.high)
        .take(200)
        .map(|ticks| json!({"price": contract.price(ticks), "volume": each}))
        .collect();
    json!({"instrument": contract.name(), "point_of_control": contract.price(quote.last), "levels": levels})
}

fn flow(contract: Contract, quote: Quote) -> Value {
    let up = quote.last >= quote.open;
    let (more, less) = (quote.volume / 2 + quote.volume % 2, quote.volume / 2);
    let (at_ask, at_bid) = if up { (more, less) } else { (less, more) };
    json!({"instrument": contract.name(), "volume_at_ask": at_ask, "volume_at_bid": at_bid, "volume": quote.volume})
}

fn indicator(contract: Contract, quote: Quote, _: &Caller, args: &Args) -> Outcome {
    let period = args.count("period")?.unwrap_or(14).min(1000);
    let name = args.text("indicator").unwrap_or("SMA");
    if !name.eq_ignore_ascii_case("SMA") {
        return Err(Refusal::new(
            "indicator_not_found",
            format!("no indicator {name:?}; SMA is there"),
        ));
    }
    let bars = history(contract, quote, u64::try_from(period).unwrap_or(14));
    let sum: f64 = bars.iter().map(|(_, _, _, close)| f64::from(*close)).sum();
    let value = contract.price_of(sum / f64::from(period));
    Ok(json!({"instrument": contract.name(), "indicator": "SMA", "period": period, "value": value}))
}
