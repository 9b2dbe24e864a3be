//! The lines about prices and money: market, distance, risk, the day's result, the room that is left.
//!
//! Owns: those numbers. Refuses to know: policy, drawing. A quote of another contract counts as unread.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::Lines;
use crate::gate::Millis;
use crate::gate::call::Call;
use crate::gate::catalogue::{Class, Form};
use crate::gate::effect::{Effect, money_at_risk, quote_of};
use crate::gate::facts::{Facts, Quote};
use crate::gate::instrument::Instrument;
use crate::gate::judge::day_result;
use crate::gate::value::Decimal;

pub(super) fn trades(call: &Call) -> bool {
    call.class() == Class::Order || (call.class() == Class::Strategy && call.instrument().is_some())
}

pub(super) fn market(lines: &mut Lines, call: &Call, facts: &Facts, effect: &Effect<'_>, now: Millis) {
    let Some(asked) = call.instrument().filter(|_| trades(call)) else {
        return;
    };
    let Some(quote) = quote_of(facts, asked) else {
        lines.warn("market", "?");
        return;
    };
    let text = |price: Option<Decimal>| price.map_or_else(|| "?".to_owned(), |price| price.to_string());
    lines.fact(
        "market",
        quote.price().map(|_| {
            format!(
                "last {}  bid {}  ask {}",
                text(quote.last),
                text(quote.bid),
                text(quote.ask)
            )
        }),
    );
    let seen = quote.time.or(facts.quote.at());
    let age = seen.map(|seen| now.saturating_sub(seen) / 1000);
    match age {
        Some(age) if age >= 15 => lines.warn("quote age", format!("{age} s")),
        age => lines.fact("quote age", age.map(|age| format!("{age} s"))),
    }
    let fields = call.fields();
    let priced = fields.stop.as_ref().or(fields.limit.as_ref());
    if let (Some(price), Some(last)) = (priced, quote.price()) {
        let instrument = effect.contract.as_ref().unwrap_or(asked);
        let gap = price.value.minus(last);
        let way = if gap.is_negative() { "below" } else { "above" };
        let text =
            ticks(Some(instrument), gap.magnitude()).unwrap_or_else(|| format!("{} points", gap.magnitude()));
        lines.plain(
            "distance",
            format!("{} {way} the market", text.trim_start_matches('+')),
        );
        let step = instrument.spec().and_then(|spec| price.value.steps(spec.tick));
        if step.is_some_and(|(_, exact)| !exact) {
            lines.warn("price", "not a multiple of the tick");
        }
    }
}

/// `+8 ticks`, or points where the tick is not known.
pub(super) fn ticks(instrument: Option<&Instrument>, gap: Decimal) -> Option<String> {
    match instrument.and_then(Instrument::spec) {
        Some(spec) => {
            let (count, _) = gap.steps(spec.tick)?;
            let end = if count == 1 || count == -1 { "" } else { "s" };
            Some(format!("{count:+} tick{end}"))
        }
        None => Some(format!("{gap} points")),
    }
}

/// What is lost if the stop fills.
pub(super) fn risk(lines: &mut Lines, call: &Call, facts: &Facts, effect: &Effect<'_>) {
    let fields = call.fields();
    let average = effect.position.and_then(|position| position.average);
    let enters = matches!(
        call.form(),
        Form::PlaceOrder | Form::FlatPlace | Form::ReversePosition | Form::CancelReplace | Form::Reverse
    );
    if enters && effect.opening {
        match &fields.template {
            Some(_) => lines.plain("risk", "as the template sets it (?)"),
            None => lines.warn("risk", "not bounded by a stop"),
        }
        return;
    }
    let stop = if call.form() == Form::CancelAndBracket {
        &fields.stop_loss
    } else {
        &fields.stop
    };
    let quantity = fields
        .quantity
        .or(effect.named.map(|order| order.quantity))
        .map(i64::from);
    let (Some(stop), Some(quantity)) = (stop, quantity) else {
        return;
    };
    let instrument = effect.contract.as_ref().or(call.instrument());
    let last = instrument
        .and_then(|own| quote_of(facts, own))
        .and_then(Quote::price);
    let money = instrument
        .zip(average.or(last))
        .and_then(|(instrument, from)| money_at_risk(instrument, from, stop.value, quantity));
    let from = if average.is_some() {
        "from the average price"
    } else {
        "from the market"
    };
    lines.fact(
        "risk",
        money.map(|money| format!("{} at the stop, {from}", money.money())),
    );
}

/// What closing makes final.
pub(super) fn realises(lines: &mut Lines, call: &Call, effect: &Effect<'_>) {
    if !matches!(
        call.form(),
        Form::Flatten | Form::FlattenEverything | Form::ClosePosition
    ) || effect.after.is_some_and(|after| after != 0)
    {
        return;
    }
    let Some(closes) = effect.closes.as_ref().filter(|closes| !closes.is_empty()) else {
        return;
    };
    let sum = closes.iter().try_fold(Decimal::default(), |sum, position| {
        Some(sum.plus(position.unrealised?))
    });
    match sum {
        Some(sum) if sum.is_negative() => lines.warn("realises", format!("{}, a loss", sum.money())),
        sum => lines.fact("realises", sum.map(Decimal::money)),
    }
}

/// The day's result.
pub(super) fn day(lines: &mut Lines, call: &Call, facts: &Facts, effect: &Effect<'_>) {
    let Some(name) = call.account().filter(|_| trades(call)) else {
        return;
    };
    let (summary, marks) = facts.day(name);
    // Realised alone is shown where there is no more; limits do not take it for the whole.
    let total = day_result(facts, name).or(summary.and_then(|day| day.realised));
    let limit = facts.account(name).and_then(|account| account.daily_loss_limit);
    lines.fact(
        "day P/L",
        total.map(|total| match limit {
            Some(limit) => format!("{} of -{}", total.money(), limit.money()),
            None => total.money(),
        }),
    );
    if !effect.opening {
        return;
    }
    if let Some(below) = marks.and_then(|day| day.below_high) {
        lines.plain("below high", below.money());
    }
    let account = facts.account(name);
    let quantity = call.fields().quantity;
    if let (Some(most), Some(quantity)) = (account.and_then(|account| account.max_order_size), quantity)
        && Decimal::whole(i64::from(quantity)) > most
    {
        lines.warn("order size", format!("{quantity} is above the account's {most}"));
    }
}
