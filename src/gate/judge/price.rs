//! Limits on prices: the collar around the market, and how far the market may move between card and approval.
//!
//! Owns: both. Refuses to know: sizes and money. An order at the market has no price to measure; what it needs is a fresh
//! quote, so that somebody saw where the market is.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::brakes::{Measure, Whose};
use super::looked::{Came, Looked};
use crate::gate::Millis;
use crate::gate::call::Call;
use crate::gate::catalogue::{Class, Form};
use crate::gate::effect::{Effect, quote_of};
use crate::gate::facts::Facts;
use crate::gate::instrument::Instrument;
use crate::gate::policy::{AccountRule, Pace, Policy};
use crate::gate::value::{Decimal, OrderKind, Price};

/// The instrument whose price counts.
pub(super) fn instrument<'a>(call: &'a Call, effect: &'a Effect<'_>) -> Option<&'a Instrument> {
    effect
        .named
        .filter(|_| call.form() == Form::Change)
        .and_then(|order| order.instrument.as_ref())
        .or(effect.contract.as_ref())
        .or(call.instrument())
}

/// The market's price, where its quote is fresh; else what is wrong with it.
pub(super) fn fresh(
    facts: &Facts,
    instrument: &Instrument,
    policy: &Policy,
    now_wall: Millis,
) -> Result<Decimal, String> {
    let quote = quote_of(facts, instrument).ok_or("the market's price could not be read")?;
    let price = quote.price().ok_or("the market's price could not be read")?;
    let seen = quote.time.or(facts.quote.at());
    let age = seen.map(|seen| now_wall.saturating_sub(seen));
    match age {
        Some(age) if age <= policy.quote_time() => Ok(price),
        Some(age) => Err(format!("the market's price is {} s old", age / 1000)),
        None => Err("the age of the market's price is not known".to_owned()),
    }
}

fn read(measure: &Measure<'_>) -> Result<(Instrument, Decimal), String> {
    let instrument = instrument(measure.call, measure.effect).ok_or("what it trades could not be read")?;
    let price = fresh(
        measure.facts,
        instrument,
        measure.policy,
        measure.situation.now_wall,
    )?;
    Ok((instrument.clone(), price))
}

/// The prices that a call asks for, with what they are.
fn prices(call: &Call) -> Vec<(&'static str, &Price)> {
    let fields = call.fields();
    [
        ("limit", fields.limit.as_ref()),
        ("stop", fields.stop.as_ref()),
        ("target", fields.target.as_ref()),
        ("stop loss", fields.stop_loss.as_ref()),
    ]
    .into_iter()
    .filter_map(|(word, price)| Some((word, price?)))
    .collect()
}

/// The collar: limit and stop prices lie near the market.
pub(super) fn collar(measure: &Measure<'_>, rule: &AccountRule, whose: Whose<'_>, looked: &mut Vec<Looked>) {
    let prices = prices(measure.call);
    let market =
        measure.call.form() == Form::Reverse || measure.call.fields().kind == Some(OrderKind::Market);
    // A resize, a strategy: nothing with a price.
    if (prices.is_empty() && !market) || measure.call.class() != Class::Order {
        return;
    }
    let read = read(measure);
    let widest = |reach: Option<Decimal>, last: Decimal| {
        let gaps = prices
            .iter()
            .map(|(word, price)| (*word, price.value.minus(last).magnitude()));
        let far = gaps.max_by_key(|(_, gap)| *gap);
        (far, reach)
    };
    let mut put = |key: &'static str,
                   line: u32,
                   of: &str,
                   reach: &dyn Fn(&Instrument, Decimal) -> Option<Decimal>| {
        let (came, detail) = match &read {
            Err(why) => (
                Came::Unread("quote_unread"),
                format!("{why}, and the policy keeps prices within {of} of it"),
            ),
            Ok((_, last)) if prices.is_empty() => (
                Came::Passed,
                format!("at the market, and its price is fresh: {last}"),
            ),
            Ok((instrument, last)) => match widest(reach(instrument, *last), *last) {
                (_, None) => (
                    Came::Unread("tick_unknown"),
                    format!("the tick size of {} is not known", instrument.root),
                ),
                (Some((word, gap)), Some(most)) if gap > most => (
                    Came::Refused("collar"),
                    format!(
                        "the {word} price is {gap} points from the market ({last}); the policy's most is {of}, {most} points"
                    ),
                ),
                (Some((_, gap)), Some(most)) => {
                    (Came::Passed, format!("{gap} points from {last}, at most {most}"))
                }
                (None, Some(_)) => (Came::Passed, "no price".to_owned()),
            },
        };
        looked.push(whose.looked(key, line, came, detail));
    };
    if let Some(limit) = &rule.collar_ticks {
        put(
            "collar_ticks",
            limit.line,
            &format!("{} ticks", limit.value),
            &|instrument, _| Some(instrument.spec()?.tick.times(i64::from(limit.value))),
        );
    }
    if let Some(limit) = &rule.collar_percent {
        put(
            "collar_percent",
            limit.line,
            &format!("{} %", limit.value),
            &|_, last| {
                let hundredth = Decimal::scaled(1_000_000);
                last.magnitude().product(limit.value)?.product(hundredth)
            },
        );
    }
}

/// How far the market may move, in points: the tightest of what is set.
fn drift_points(pace: &Pace, instrument: &Instrument) -> Option<Decimal> {
    let ticks = pace.max_drift_ticks.as_ref().map(|limit| {
        let tick = instrument.spec().map(|spec| spec.tick);
        tick.map(|tick| tick.times(i64::from(limit.value)))
    });
    let points = pace.max_drift.as_ref().map(|limit| limit.value);
    match (ticks, points) {
        // Of a tick size that nobody knows no movement is small enough.
        (Some(ticks), Some(points)) => Some(ticks.unwrap_or_default().min(points)),
        (Some(ticks), None) => Some(ticks.unwrap_or_default()),
        (None, points) => points,
    }
}

/// The drift can be measured only where the market's price was read.
pub(super) fn drift(measure: &Measure<'_>, pace: &Pace, whose: Whose<'_>) -> Option<Looked> {
    let line = match (&pace.max_drift_ticks, &pace.max_drift) {
        (Some(ticks), _) => ("max_drift_ticks", ticks.line),
        (None, Some(points)) => ("max_drift", points.line),
        (None, None) => return None,
    };
    if measure.call.class() != Class::Order {
        return None;
    }
    let (came, detail) = match read(measure) {
        Ok((instrument, last)) => {
            let most = drift_points(pace, &instrument).unwrap_or_default();
            (
                Came::Passed,
                format!("asked again if the market leaves {last} by more than {most} points"),
            )
        }
        Err(why) => (
            Came::Unread("quote_unread"),
            format!("{why}, and the policy limits how far it may move until the approval"),
        ),
    };
    Some(whose.looked(line.0, line.1, came, detail))
}

/// The market as a judgement keeps it: where it was, and how far it may move.
pub(super) fn market(
    call: &Call,
    facts: &Facts,
    effect: &Effect<'_>,
    policy: &Policy,
    accounts: &[Option<&str>],
    now_wall: Millis,
) -> Option<super::Market> {
    if !effect.opening || call.class() != Class::Order {
        return None;
    }
    let instrument = instrument(call, effect)?;
    let own = accounts
        .iter()
        .flat_map(|account| policy.meaning(*account))
        .map(|rule| &rule.pace);
    let paces = own.chain(std::iter::once(&policy.limits().pace));
    let most = paces.filter_map(|pace| drift_points(pace, instrument)).min()?;
    Some(super::Market {
        price: fresh(facts, instrument, policy, now_wall).ok(),
        most,
    })
}
