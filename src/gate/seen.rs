//! What a later look at orders and positions shows of a call whose outcome is not known.
//!
//! Owns: which order or position may be a call's trace, and how sure that is. Refuses to know: when to look, whom to
//! tell. A list proves an execution only where it shows what was not there before.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::catalogue::Form;
use super::deed::describe;
use super::effect::signed;
use super::facts::{Order, Position};
use super::instrument::Instrument;
use super::value::{Decimal, Side};
use super::{Call, Facts};

/// What a look shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// What the call asked for is there and was not before: it was executed, or is working.
    Done(String),
    /// An order that fits came up after the call was sent, and was rejected or cancelled: nothing of it is in force.
    Dead(String),
    /// Something is there that may come from this call or from another.
    Maybe(String),
    /// Lists were read and hold nothing that fits.
    NotFound,
    /// The lists could not be read.
    CouldNotLook(String),
}

impl Seen {
    /// How much it tells: a later look takes back only what tells no more.
    pub const fn weight(&self) -> u8 {
        match self {
            Self::CouldNotLook(_) => 0,
            Self::NotFound => 1,
            Self::Maybe(_) => 2,
            Self::Dead(_) => 3,
            Self::Done(_) => 4,
        }
    }
}

/// Looks for traces of a sent call. `before` is what was read before it was sent: without it nothing is told as this
/// call's.
pub fn seen(call: &Call, before: Option<&Facts>, after: &Facts) -> Seen {
    let (Some(orders), Some(positions)) = (after.orders.known(), after.positions.known()) else {
        return Seen::CouldNotLook("orders and positions could not be read".to_owned());
    };
    if matches!(call.form(), Form::Change | Form::CancelOne) {
        return named_order(call, before, after);
    }
    if matches!(call.form(), Form::CancelOrders | Form::CancelAllOrders) {
        return cancelled(call, before, after);
    }
    new_order(call, before, orders).unwrap_or_else(|| moved(call, before, positions))
}

/// An order as the lists show it: `O7 BUY MARKET 2 MES 12-26, Filled`. A filled one has nothing left, so the size is
/// that of the order.
fn told(order: &Order) -> String {
    let whole = Order {
        quantity: order.size,
        ..order.clone()
    };
    let status = if order.status.is_empty() {
        "?"
    } else {
        &order.status
    };
    format!("{} {}, {status}", order.id, describe(&whole))
}

fn is_dead(order: &Order) -> bool {
    let status = order.status.to_ascii_lowercase();
    matches!(status.as_str(), "rejected" | "cancelled" | "canceled" | "expired")
}

/// A new order that fits all that the call names. `None`: no list shows one.
fn new_order(call: &Call, before: Option<&Facts>, orders: &[Order]) -> Option<Seen> {
    let mut fitting = orders.iter().filter(|order| fits(call, order));
    let Some(known) = before.and_then(|facts| facts.orders.known()) else {
        return fitting.next_back().map(|order| {
            Seen::Maybe(format!(
                "the order {}, that may be this one; what was there before was not read",
                told(order)
            ))
        });
    };
    let fresh: Vec<&Order> = fitting
        .filter(|order| !known.iter().any(|old| old.id == order.id))
        .collect();
    let alive = fresh.iter().find(|order| !is_dead(order) || order.filled() > 0);
    if let Some(order) = alive {
        let part = if is_dead(order) {
            format!(" after {} filled", order.filled())
        } else {
            String::new()
        };
        return Some(Seen::Done(format!("the new order {}{part}", told(order))));
    }
    fresh
        .first()
        .map(|order| Seen::Dead(format!("the new order {}", told(order))))
}

/// Side, kind and quantity as far as the call names them, on its account and instrument.
fn fits(call: &Call, order: &Order) -> bool {
    let fields = call.fields();
    let place = call.account().is_none_or(|account| account == order.account)
        && call
            .instrument()
            .is_none_or(|wanted| order.instrument.as_ref().is_some_and(|own| own.may_be(wanted)));
    if !place {
        return false;
    }
    // A bracket names the side that it protects; its orders are on the other.
    let bracket = call.form() == Form::CancelAndBracket;
    let side = if bracket {
        fields.side.map(Side::other)
    } else {
        fields.side
    };
    let orders = fields.kind.is_some() || bracket;
    side.is_none_or(|side| side == order.side)
        && fields
            .kind
            .is_none_or(|kind| order.kind.is_none_or(|own| own == kind))
        && (!orders || fields.quantity.is_none_or(|quantity| quantity == order.size))
}

/// Whether a position in reach changed: by this call, or by anything else.
fn moved(call: &Call, before: Option<&Facts>, positions: &[Position]) -> Seen {
    let Some(earlier) = before.and_then(|facts| facts.positions.known()) else {
        return Seen::NotFound;
    };
    let fits = |position: &&Position| {
        let own: Option<&Instrument> = position.instrument.as_ref();
        call.account().is_none_or(|account| account == position.account)
            && call
                .instrument()
                .is_none_or(|wanted| own.is_none_or(|own| own.may_be(wanted)))
    };
    let of = |list: &[Position], like: &Position| {
        list.iter()
            .find(|position| position.account == like.account && position.name == like.name)
            .map_or(0, |position| position.quantity)
    };
    let all = earlier.iter().chain(positions).filter(fits);
    let mut changes = all.filter_map(|position| {
        let (was, is) = (of(earlier, position), of(positions, position));
        (was != is).then(|| {
            format!(
                "the position of {} in {} went from {} to {}; that may be this call's doing",
                position.account,
                position.name,
                signed(was),
                signed(is)
            )
        })
    });
    changes.next().map_or(Seen::NotFound, Seen::Maybe)
}

/// `Change` and `Cancel`: what became of the order that they name.
fn named_order(call: &Call, before: Option<&Facts>, after: &Facts) -> Seen {
    let Some(id) = call.fields().order_id.as_deref() else {
        return Seen::NotFound;
    };
    let Some(now) = after.order(id) else {
        return Seen::NotFound;
    };
    let was = before.and_then(|facts| facts.order(id));
    let text = format!("the order {}", told(now));
    let wanted = |order: &Order| {
        if call.form() == Form::Change {
            changed_to(call, order)
        } else {
            is_cancelled(order)
        }
    };
    if !wanted(now) {
        return Seen::Maybe(format!("{text}; that is not what the call asked for"));
    }
    match was {
        Some(was) if !wanted(was) => Seen::Done(format!("{text}, as the call asked for")),
        Some(_) => Seen::Maybe(format!("{text}; it was so before the call")),
        None => Seen::Maybe(format!("{text}; whether this call did that is not known")),
    }
}

fn is_cancelled(order: &Order) -> bool {
    let status = order.status.to_ascii_lowercase();
    matches!(status.as_str(), "cancelled" | "canceled")
}

fn changed_to(call: &Call, order: &Order) -> bool {
    let fields = call.fields();
    let price = |new: Option<&super::value::Price>, now: Option<Decimal>| {
        new.is_none_or(|new| now == Some(new.value))
    };
    !is_dead(order)
        && fields.quantity.is_none_or(|quantity| quantity == order.size)
        && price(fields.limit.as_ref(), order.limit)
        && price(fields.stop.as_ref(), order.stop)
}

/// `CancelOrders` and `CancelAllOrders`: which of the orders that were working still are.
fn cancelled(call: &Call, before: Option<&Facts>, after: &Facts) -> Seen {
    let ids = &call.fields().order_ids;
    let aimed = |order: &&Order| {
        if !ids.is_empty() {
            return ids.iter().any(|id| id.eq_ignore_ascii_case(&order.id));
        }
        call.account().is_none_or(|account| account == order.account)
            && call
                .instrument()
                .is_none_or(|wanted| order.instrument.as_ref().is_none_or(|own| own.may_be(wanted)))
    };
    let all = |facts: &Facts| -> Vec<Order> {
        facts
            .orders
            .known()
            .into_iter()
            .flatten()
            .filter(aimed)
            .cloned()
            .collect()
    };
    let left: Vec<String> = all(after)
        .iter()
        .filter(|order| order.working)
        .map(told)
        .collect();
    if !left.is_empty() {
        return Seen::Maybe(format!("still working: {}", left.join("; ")));
    }
    let was: Vec<Order> = before.map(all).unwrap_or_default();
    let was: Vec<&Order> = was.iter().filter(|order| order.working).collect();
    let gone = was
        .iter()
        .all(|old| after.order(&old.id).is_some_and(is_cancelled));
    if was.is_empty() {
        return Seen::NotFound;
    }
    let count = was.len();
    if gone {
        Seen::Done(format!("all {count} orders in its reach are cancelled"))
    } else {
        Seen::Maybe(format!(
            "none of the {count} orders in its reach is working any more"
        ))
    }
}
