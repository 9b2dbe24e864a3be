//! Calls that take away: orders that are cancelled, positions that are closed, stops that go with them.
//!
//! Owns: what is hit and what is left unprotected. Refuses to know: policy, limits.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::{Effect, closing_side, is_stop, not_working, signed, total, working};
use crate::gate::call::Call;
use crate::gate::catalogue::{Class, Form};
use crate::gate::facts::{Facts, Order};

pub(super) fn cancel_one<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
    effect.opening = false;
    effect.named = call.fields().order_id.as_deref().and_then(|id| facts.order(id));
    let Some(order) = effect.named else {
        effect.cancels = None;
        effect.warn("THE ORDER WAS NOT FOUND: IT MAY BE A STOP");
        return;
    };
    effect.cancels = Some(vec![order]);
    not_working(effect, order);
    if call.account().is_some_and(|account| account != order.account) {
        effect.warn("THE ORDER BELONGS TO ANOTHER ACCOUNT");
    }
    strip(effect, facts, Some(&order.account));
}

pub(super) fn cancel_many<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
    effect.opening = false;
    let fields = call.fields();
    reach(effect, call);
    if fields.order_ids.is_empty() {
        if call.form() == Form::CancelOrders && fields.instrument.is_none() {
            effect.warn("NO INSTRUMENT NAMED: CANCELS THE WHOLE ACCOUNT");
        }
        effect.cancels = working(facts, call.account(), call.instrument());
    } else {
        let found: Vec<&Order> = fields.order_ids.iter().filter_map(|id| facts.order(id)).collect();
        let missing = fields.order_ids.len().saturating_sub(found.len());
        if missing > 0 {
            effect.warn(format!(
                "{missing} OF THE ORDERS WERE NOT FOUND: THEY MAY BE STOPS"
            ));
        }
        effect.cancels = facts.orders.known().map(|_| found);
    }
    if effect.cancels.is_none() {
        effect.warn("THE ORDERS ARE UNREAD: STOPS MAY GO");
    }
    strip(effect, facts, call.account());
}

fn reach(effect: &mut Effect<'_>, call: &Call) {
    match (call.account(), call.named_account()) {
        (Some(_), _) => {}
        (None, Some(name)) => {
            let name = name.to_ascii_uppercase();
            effect.warn(format!("MAY REACH ALL ACCOUNTS, NOT ONLY {name}"));
        }
        (None, None) => effect.warn("NO ACCOUNT NAMED: REACHES ALL ACCOUNTS"),
    }
}

/// Warns for each position in reach whose stops go with the cancelled orders.
pub(super) fn strip(effect: &mut Effect<'_>, facts: &Facts, account: Option<&str>) {
    let Some(positions) = facts.positions.known() else {
        effect.warn("THE POSITIONS ARE UNREAD: ONE MAY LOSE ITS STOP");
        return;
    };
    let gone: Vec<&str> = effect
        .cancels
        .iter()
        .flatten()
        .map(|order| order.id.as_str())
        .collect();
    let mut warnings = Vec::new();
    for position in positions {
        if account.is_some_and(|account| account != position.account) {
            continue;
        }
        // A stop counts for a position only where both surely name the same contract: a doubtful one is no comfort.
        let own = |order: &Order| match (&order.instrument, &position.instrument) {
            (Some(order), Some(held)) => order.may_be(held),
            (_, _) => order.name == position.name,
        };
        let stops = working(facts, Some(&position.account), None).unwrap_or_default();
        let stops = stops
            .into_iter()
            .filter(|order| is_stop(order) && order.side == closing_side(position.quantity) && own(order));
        let (going, staying): (Vec<&Order>, Vec<&Order>) =
            stops.partition(|order| gone.contains(&order.id.as_str()));
        if going.is_empty() {
            continue;
        }
        let name = &position.name;
        if staying.is_empty() {
            warnings.push(format!(
                "LAST STOP GOES: {name} {} IS LEFT UNPROTECTED",
                signed(position.quantity)
            ));
        } else if total(staying.into_iter()) < position.quantity.saturating_abs() {
            warnings.push(format!(
                "A STOP GOES: {name} {} IS ONLY PARTLY PROTECTED",
                signed(position.quantity)
            ));
        }
    }
    effect.warnings.extend(warnings);
}

pub(super) fn close<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
    effect.opening = false;
    let fields = call.fields();
    let Some(before) = effect.before else {
        effect.closes = None;
        effect.warn("THE POSITION IS UNREAD");
        return;
    };
    effect.class = Class::Exit;
    effect.closes = Some(effect.position.into_iter().collect());
    let size = before.saturating_abs();
    let part = match (fields.quantity, fields.percent) {
        (Some(quantity), _) => i64::from(quantity).min(size),
        (None, Some(percent)) => percent.share_of(size).unwrap_or(size).min(size),
        (None, None) => size,
    };
    let rest = size.saturating_sub(part).saturating_mul(before.signum());
    effect.after = Some(rest);
    if before == 0 {
        effect.warn("NO POSITION TO CLOSE");
        return;
    }
    if rest != 0 {
        effect.warn("A REPEAT CLOSES MORE");
    }
    let left = working(facts, call.account(), call.instrument()).unwrap_or_default();
    let left = left
        .into_iter()
        .filter(|order| order.side == closing_side(before));
    if total(left) > rest.saturating_abs() {
        effect.warn("ORDERS LEFT WORKING CAN OPEN THE OTHER SIDE");
    }
}

pub(super) fn flatten<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
    effect.opening = false;
    let fields = call.fields();
    reach(effect, call);
    effect.closes = facts.positions.known().map(|positions| {
        positions
            .iter()
            .filter(|position| {
                call.account().is_none_or(|account| position.account == account)
                    && fields.instrument.as_ref().is_none_or(|wanted| {
                        // One whose name we cannot read may be the one that is meant.
                        position
                            .instrument
                            .as_ref()
                            .is_none_or(|held| held.may_be(wanted))
                    })
                    && fields
                        .market_position
                        .is_none_or(|side| closing_side(position.quantity) == side.other())
            })
            .collect()
    });
    effect.cancels = working(facts, call.account(), call.instrument());
    let Some(closes) = effect.closes.clone() else {
        effect.warn("THE POSITIONS ARE UNREAD");
        return;
    };
    if effect.cancels.is_none() {
        effect.warn("THE ORDERS ARE UNREAD");
    } else {
        effect.class = Class::Exit;
    }
    let mut names: Vec<String> = closes
        .iter()
        .map(|position| format!("{} {}", position.account, position.name))
        .collect();
    names.sort();
    names.dedup();
    if fields.instrument.is_some() && fields.market_position.is_none() {
        effect.after = effect.before.map(|_| 0);
    }
    effect.after_text = Some(if names.is_empty() {
        "nothing is open".to_owned()
    } else {
        format!("flat: {}", names.join(", "))
    });
    if names.is_empty() {
        effect.warn("NO POSITION TO CLOSE");
    }
}
