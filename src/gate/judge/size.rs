//! Limits on size: one order, the position it may lead to, all contracts of the account.
//!
//! Owns: those three. Refuses to know: prices and money.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::brakes::{Measure, Whose, room};
use super::looked::{Came, Looked};
use crate::gate::call::Call;
use crate::gate::catalogue::{Class, Form};
use crate::gate::effect::Effect;
use crate::gate::exposure::{Adding, Adds, Exposure};
use crate::gate::outcome::is_missing;
use crate::gate::policy::{AccountRule, Limit};
use crate::gate::value::Decimal;

pub(super) fn look(measure: &Measure<'_>, rule: &AccountRule, whose: Whose<'_>, looked: &mut Vec<Looked>) {
    looked.extend(quantity(measure, rule, whose));
    looked.extend(position(measure, rule, whose));
    looked.extend(contracts(measure, rule, whose));
}

/// The root that a call is about.
pub(super) fn root<'a>(call: &'a Call, effect: &'a Effect<'_>) -> Option<&'a str> {
    effect
        .named
        .and_then(|order| order.instrument.as_ref())
        .or(call.instrument())
        .map(|instrument| instrument.root.as_str())
}

/// The contracts that a call orders; `None` where nobody can say.
pub(super) fn ordered(call: &Call, effect: &Effect<'_>) -> Option<u32> {
    let asked = call.fields().quantity;
    let form = call.form();
    if form == Form::Reverse {
        let size = effect.before.map(i64::unsigned_abs);
        size.map(|size| u32::try_from(size).unwrap_or(u32::MAX))
    } else if form == Form::Change {
        asked.or(effect.named.map(|order| order.quantity))
    } else if effect.class == Class::Strategy {
        Some(asked.unwrap_or(1))
    } else {
        asked
    }
}

/// The most contracts of one order.
fn quantity(measure: &Measure<'_>, rule: &AccountRule, whose: Whose<'_>) -> Option<Looked> {
    let key = "max_quantity";
    let (call, effect) = (measure.call, measure.effect);
    let Some(root) = root(call, effect) else {
        return unnamed(key, rule.max_quantity.values().next(), measure, whose);
    };
    let limit = AccountRule::of_root(&rule.max_quantity, root)?;
    let most = limit.value;
    let (came, detail) = match ordered(call, effect) {
        Some(quantity) if quantity <= most => (Came::Passed, format!("{quantity} {root}, at most {most}")),
        Some(_) if most == 0 => (
            Came::Refused("too_large"),
            format!("{root} is not traded on this account by the policy"),
        ),
        Some(quantity) => (
            Came::Refused("too_large"),
            format!("{quantity} {root} is above the policy's maximum of {most}"),
        ),
        None => (
            // No account makes it right to sign a size that nobody can say.
            Came::Refused("size_unread"),
            format!("the size could not be read, and the policy's maximum for {root} is {most}"),
        ),
    };
    Some(whose.looked(key, limit.line, came, detail))
}

/// A call that trades what it does not name.
fn unnamed(
    key: &'static str,
    limit: Option<&Limit<u32>>,
    measure: &Measure<'_>,
    whose: Whose<'_>,
) -> Option<Looked> {
    let limit = limit.filter(|_| measure.adding == Adding::Unread)?;
    // A tool that nobody knows is shown whole and approved where it can be read; the person is told what was not looked
    // at. So is a strategy, which trades by itself in any case.
    let detail = "what it trades, and how much, cannot be read from the call".to_owned();
    let mut looked = whose.looked(key, limit.line, Came::Unread("size_unread"), detail);
    looked.live &= measure.call.class() == Class::Order;
    Some(looked)
}

/// What there would be, beside what there is.
fn exposures<'a>(
    measure: &'a Measure<'_>,
    account: &str,
    adds: &'a Adds,
) -> Option<(Exposure<'a>, Exposure<'a>)> {
    let now = Exposure::now(measure.facts, account)?;
    Some((now, Exposure::after(measure.facts, account, adds)?))
}

/// The most contracts of one root, working orders counted.
fn position(measure: &Measure<'_>, rule: &AccountRule, whose: Whose<'_>) -> Option<Looked> {
    let key = "max_position";
    let adds = match &measure.adding {
        Adding::Nothing => return None,
        Adding::Unread => return unnamed(key, rule.max_position.values().next(), measure, whose),
        Adding::These(adds) => adds,
    };
    let root = adds.root();
    let limit = AccountRule::of_root(&rule.max_position, root)?;
    if let Some(lags) = lags(measure, key, limit.line, whose) {
        return Some(lags);
    }
    let read = whose
        .account
        .and_then(|account| exposures(measure, account, adds));
    let Some((now, after)) = read else {
        return Some(unread(key, limit.line, whose));
    };
    let (now, after) = (now.of_root(root), after.of_root(root));
    let most = i64::from(limit.value);
    let grows = after > now || measure.call.form() != Form::PlaceOrder;
    let (came, detail) = if after > most && grows {
        (
            Came::Refused(key),
            format!(
                "with its positions and working orders this could come to {after} {root}; the policy's most is {most}"
            ),
        )
    } else {
        (Came::Passed, format!("at worst {after} {root}, at most {most}"))
    };
    let mut looked = whose.looked(key, limit.line, came, detail);
    looked.room = Some(room(most.saturating_sub(after), most));
    Some(looked)
}

/// The most contracts of the whole account, in minis.
fn contracts(measure: &Measure<'_>, rule: &AccountRule, whose: Whose<'_>) -> Option<Looked> {
    let key = "max_contracts";
    let limit = rule.max_contracts.as_ref()?;
    let adds = match &measure.adding {
        Adding::Nothing => return None,
        Adding::Unread => return unnamed(key, Some(limit), measure, whose),
        Adding::These(adds) => adds,
    };
    if let Some(lags) = lags(measure, key, limit.line, whose) {
        return Some(lags);
    }
    let read = whose
        .account
        .and_then(|account| exposures(measure, account, adds));
    let Some((now, after)) = read else {
        return Some(unread(key, limit.line, whose));
    };
    let ratio = i64::from(rule.ratio());
    let (now, after) = (now.micros(rule.ratio()), after.micros(rule.ratio()));
    let most = i64::from(limit.value).saturating_mul(ratio);
    let grows = after > now || measure.call.form() != Form::PlaceOrder;
    let shown = minis(after, ratio);
    let (came, detail) = if after > most && grows {
        (
            Came::Refused(key),
            format!(
                "the account could come to {shown} contracts with it ({ratio} micros count as 1); the policy's most is {}",
                limit.value
            ),
        )
    } else {
        (
            Came::Passed,
            format!("at worst {shown} contracts, at most {}", limit.value),
        )
    };
    let mut looked = whose.looked(key, limit.line, came, detail);
    looked.room = Some(room(most.saturating_sub(after), most));
    Some(looked)
}

/// Where the lists do not show an order yet that was taken a moment ago, and that may lie on this account: what they show is
/// less than there is.
fn lags(measure: &Measure<'_>, key: &'static str, line: u32, whose: Whose<'_>) -> Option<Looked> {
    let missing = measure.situation.lately.iter().find(|ticket| {
        let elsewhere = ticket
            .account
            .as_deref()
            .zip(whose.account)
            .is_some_and(|(there, here)| !there.eq_ignore_ascii_case(here));
        !elsewhere && is_missing(ticket, measure.facts)
    })?;
    let detail = format!(
        "the order of ticket {} was taken a moment ago and is not in the lists yet; ask again in a moment",
        missing.id
    );
    Some(whose.looked(key, line, Came::Unread("position_unread"), detail))
}

fn unread(key: &'static str, line: u32, whose: Whose<'_>) -> Looked {
    let detail = "the positions and working orders of this account could not be read".to_owned();
    whose.looked(key, line, Came::Unread("position_unread"), detail)
}

/// A count of micros in minis: `1.3`.
fn minis(micros: i64, ratio: i64) -> String {
    let ratio = Decimal::whole(ratio);
    let (whole, _) = Decimal::whole(micros).steps(ratio).unwrap_or_default();
    let rest = Decimal::whole(micros).minus(ratio.times(whole));
    let hundredths = rest.times(100).steps(ratio).map_or(0, |(count, _)| count);
    let parts = whole.saturating_mul(100).saturating_add(hundredths);
    Decimal::scaled(i128::from(parts).saturating_mul(1_000_000)).to_string()
}
