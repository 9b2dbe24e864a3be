//! Orders that place or change something: what they make of the position, and whether they only reduce it.
//!
//! Owns: the proofs of protect and exit by an order. Refuses to know: policy, limits.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::leave::strip;
use super::signed;
use super::{Effect, closing_side, is_stop, not_working, total, unreadable, working};
use crate::gate::call::Call;
use crate::gate::catalogue::{Class, Form};
use crate::gate::facts::{Facts, Order, Position};
use crate::gate::instrument::Contract;
use crate::gate::value::{Decimal, OrderKind, Side};

/// A single order. `gone` is the order that it replaces.
pub(super) fn place(effect: &mut Effect<'_>, call: &Call, facts: &Facts, gone: Option<&str>) {
    let fields = call.fields();
    let (Some(side), Some(kind), Some(quantity)) = (fields.side, fields.kind, fields.quantity) else {
        return;
    };
    let change = side.signed(quantity);
    effect.after = effect.before.map(|before| before.saturating_add(change));
    if fields
        .order_id
        .as_deref()
        .is_some_and(|id| call.form() == Form::PlaceOrder && facts.order(id).is_some())
    {
        effect.warn("AN ORDER WITH THIS ID IS THERE ALREADY");
    }
    let held = effect.before.unwrap_or(0);
    let reduces = held != 0 && closing_side(held) == side && i64::from(quantity) <= held.saturating_abs();
    let others = working(facts, call.account(), call.instrument());
    if reduces && effect.exact() && fields.template.is_none() {
        let gone = gone.and_then(|id| facts.order(id));
        let rivals: Option<Vec<&Order>> = others.map(|others| {
            let stays = |order: &&Order| order.side == side && gone.is_none_or(|gone| gone.id != order.id);
            others.into_iter().filter(stays).collect()
        });
        // An order that takes the place of one of its kind and as large leaves the pairs as they stood.
        let swaps = gone.is_some_and(|gone| {
            gone.side == side && is_stop(gone) == kind.is_stop() && gone.quantity >= quantity
        });
        let competes = |order: &Order| match kind {
            OrderKind::Market => order.kind == Some(OrderKind::Market),
            OrderKind::Limit if swaps => !is_stop(order),
            OrderKind::Limit => true,
            OrderKind::Stop | OrderKind::StopLimit => is_stop(order) || order.kind.is_none(),
        };
        if fits(rivals.as_deref(), competes, quantity, held) {
            effect.opening = false;
            left_working(effect, kind, facts, call, held);
            if kind.is_stop() {
                effect.class = Class::Protect;
                if !swaps && !fits(rivals.as_deref(), |_| true, quantity, held) {
                    effect.warn(BOTH);
                }
            } else {
                effect.class = Class::Exit;
            }
        } else {
            effect.warn("WITH THE WORKING ORDERS THIS CAN OPEN A POSITION");
        }
    }
    if effect.opening && fields.template.is_none() {
        effect.warn("NO STOP ATTACHED");
    }
}

/// Said where two orders on the closing side are larger than the position together, as a stop and its target are. We
/// cannot see whether one takes the other away (OCO), so it may be that nothing does.
const BOTH: &str = "IF THIS AND A WORKING ORDER BOTH FILL THE OTHER SIDE OPENS";

/// Whether an order of this quantity and the working ones that compete with it close no more than what is held.
///
/// Which orders compete decides what passes the brakes as an exit, so this weighs two harms. A market order fills at
/// once: only others of its kind race it, and what stays working after it is a warning; the way out is never braked. A
/// stop is not held up by a target: without it the loss has no bound, while both filling is bounded and warned of. A
/// limit order gains nothing by passing the brakes, it rests, and beside a stop it opens the other side when both
/// fill: it stays an order like any other unless there is room for all that works.
fn fits(rivals: Option<&[&Order]>, competes: impl Fn(&Order) -> bool, quantity: u32, held: i64) -> bool {
    rivals.is_some_and(|rivals| {
        let racing = rivals.iter().copied().filter(|order| competes(order));
        total(racing).saturating_add(i64::from(quantity)) <= held.saturating_abs()
    })
}

/// After an exit at the market the stops and targets of the position may still work, and open the other side.
fn left_working(effect: &mut Effect<'_>, kind: OrderKind, facts: &Facts, call: &Call, held: i64) {
    let left = working(facts, call.account(), call.instrument()).unwrap_or_default();
    let left = total(left.into_iter().filter(|order| order.side == closing_side(held)));
    let rest = effect.after.unwrap_or(0).saturating_abs();
    if kind == OrderKind::Market && left > rest {
        effect.warn("ORDERS LEFT WORKING CAN OPEN THE OTHER SIDE");
    }
}

pub(super) fn replace<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
    let gone = call.fields().order_id.clone();
    place(effect, call, facts, gone.as_deref());
    // A second run finds no old order and may still place the new one: it never counts as a proven exit.
    effect.class = Class::Order;
    effect.named = gone.as_deref().and_then(|id| facts.order(id));
    let Some(old) = effect.named else {
        effect.cancels = None;
        effect.warn("THE ORDER TO REPLACE WAS NOT FOUND");
        effect.opening = true;
        return;
    };
    effect.cancels = Some(vec![old]);
    not_working(effect, old);
    if let Some(new) = call.fields().stop.as_ref() {
        away_warning(effect, away(old, new.value));
    }
    if !old
        .instrument
        .as_ref()
        .zip(call.instrument())
        .is_some_and(|(own, new)| own.may_be(new))
    {
        effect.warn("THE NEW ORDER IS FOR ANOTHER INSTRUMENT");
    }
    if Some(old.side) != call.fields().side {
        effect.warn("THE NEW ORDER IS ON THE OTHER SIDE");
    }
    let still_stop = call.fields().kind.is_some_and(OrderKind::is_stop) && !effect.opening;
    if !still_stop {
        strip(effect, facts, call.account());
    }
}

pub(super) fn close_and_place<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
    let fields = call.fields();
    let change = fields
        .side
        .zip(fields.quantity)
        .map(|(side, quantity)| side.signed(quantity));
    effect.after = change;
    effect.closes = effect.before.map(|_| effect.position.into_iter().collect());
    if call.form() == Form::FlatPlace {
        effect.cancels = working(facts, call.account(), call.instrument());
        effect.warn("CLOSES THE POSITION AND CANCELS ITS ORDERS FIRST");
    } else {
        let worst = effect
            .before
            .zip(change)
            .map(|(before, change)| before.saturating_add(change));
        effect.warn("PLACES THE ORDER AFTER 5 S EVEN IF THE CLOSE IS NOT DONE");
        match worst {
            Some(worst) if Some(worst) != change => {
                effect.warn(format!(
                    "IF THE CLOSE IS SLOW THE POSITION MAY END AT {}",
                    signed(worst)
                ));
            }
            Some(_) | None => {}
        }
        if effect.before == Some(0) {
            effect.warn("NO POSITION TO REVERSE");
        }
    }
    if fields.template.is_none() {
        effect.warn("NO STOP ATTACHED");
    }
}

pub(super) fn reverse(effect: &mut Effect<'_>, call: &Call, facts: &Facts) {
    effect.after = effect.before.map(i64::saturating_neg);
    effect.closes = effect.before.map(|_| effect.position.into_iter().collect());
    if effect.before == Some(0) {
        effect.warn("NO POSITION TO REVERSE");
    }
    effect.warn("A REPEAT TURNS IT BACK");
    effect.warn("NO STOP ATTACHED");
    if working(facts, call.account(), call.instrument()).is_some_and(|orders| !orders.is_empty()) {
        effect.warn("WORKING ORDERS MAY STAY AND ADD TO THE NEW POSITION");
    }
}

pub(super) fn change<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
    effect.named = call.fields().order_id.as_deref().and_then(|id| facts.order(id));
    let Some(order) = effect.named else {
        effect.warn("THE ORDER WAS NOT FOUND");
        return;
    };
    not_working(effect, order);
    if call.account().is_some_and(|account| account != order.account) {
        effect.warn("THE ORDER BELONGS TO ANOTHER ACCOUNT");
        return;
    }
    // The call names no instrument: the order does.
    effect.contract = order
        .instrument
        .clone()
        .filter(|own| own.contract != Contract::Front);
    let held = position_of(facts, order);
    effect.position = held;
    effect.before = facts
        .positions
        .known()
        .filter(|positions| !unreadable(positions, &order.account))
        .map(|_| held.map_or(0, |position| position.quantity));
    let quantity = call.fields().quantity.unwrap_or(order.quantity);
    let raised = quantity > order.quantity;
    let new_stop = call.fields().stop.as_ref();
    let moved = new_stop.map_or(Away::No, |new| away(order, new.value));
    if raised {
        effect.warn("THE SIZE IS RAISED");
    }
    away_warning(effect, moved);
    let before = effect.before.unwrap_or(0);
    let closes = before != 0 && closing_side(before) == order.side;
    let others = working(facts, Some(&order.account), order.instrument.as_ref());
    let rivals: Option<Vec<&Order>> = others.map(|others| {
        let others = others.into_iter();
        others
            .filter(|other| other.side == order.side && other.id != order.id)
            .collect()
    });
    // What is not raised adds nothing to the pairs that stand already, and a target that is moved may stay an exit.
    let alike = |other: &Order| {
        other.kind.is_none() || is_stop(other) == is_stop(order) || (raised && !is_stop(order))
    };
    let fits_in = fits(rivals.as_deref(), alike, quantity, before);
    if raised && closes && fits_in && !fits(rivals.as_deref(), |_| true, quantity, before) {
        effect.warn(BOTH);
    }
    // A type that no document names may do anything when it is changed.
    let proven = closes && fits_in && effect.exact() && order.working && order.kind.is_some();
    effect.opening = !proven || moved != Away::No;
    if proven && moved == Away::No {
        effect.class = if is_stop(order) {
            Class::Protect
        } else {
            Class::Exit
        };
    } else if closes && !fits_in {
        effect.warn("WITH THE WORKING ORDERS THIS CAN OPEN A POSITION");
    }
    let shrinks = closes
        && is_stop(order)
        && quantity < order.quantity
        && i64::from(quantity) < before.saturating_abs();
    if shrinks {
        effect.class = Class::Order;
        effect.warn("THE STOP COVERS LESS OF THE POSITION");
    }
}

/// Whether a new stop price is further from the market than the old one, so that more can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Away {
    No,
    Yes,
    /// The old price was not read.
    Unread,
}

fn away(order: &Order, new: Decimal) -> Away {
    let stop = is_stop(order) || order.kind.is_none();
    match (order.stop, order.side) {
        (_, _) if !stop => Away::No,
        (None, _) => Away::Unread,
        (Some(old), Side::Sell) if new < old => Away::Yes,
        (Some(old), Side::Buy) if new > old => Away::Yes,
        (Some(_), _) => Away::No,
    }
}

fn away_warning(effect: &mut Effect<'_>, away: Away) {
    match away {
        Away::No => {}
        Away::Yes => effect.warn("THE STOP IS MOVED AWAY"),
        Away::Unread => effect.warn("THE OLD STOP IS UNREAD: IT MAY BE MOVED AWAY"),
    }
}

fn position_of<'a>(facts: &'a Facts, order: &Order) -> Option<&'a Position> {
    let own = order.instrument.as_ref()?;
    facts.positions.known()?.iter().find(|position| {
        position.account == order.account && position.instrument.as_ref().is_some_and(|held| held.may_be(own))
    })
}

/// The bracket's stop against the stops of the position that it cancels.
fn moved_by_bracket(effect: &Effect<'_>, before: i64, new: Decimal) -> Away {
    let Some(cancels) = &effect.cancels else {
        return Away::Unread;
    };
    let stops = cancels.iter().filter(|order| order.side == closing_side(before));
    let moves: Vec<Away> = stops.map(|order| away(order, new)).collect();
    [Away::Yes, Away::Unread]
        .into_iter()
        .find(|away| moves.contains(away))
        .unwrap_or(Away::No)
}

pub(super) fn bracket<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
    let fields = call.fields();
    effect.cancels = working(facts, call.account(), call.instrument());
    let (Some(protected), Some(quantity)) = (fields.side, fields.quantity) else {
        return;
    };
    let Some(before) = effect.before else {
        effect.warn("THE POSITION IS UNREAD: THIS CAN OPEN A POSITION");
        return;
    };
    if before == 0 {
        effect.warn("FLAT: THIS CAN OPEN A POSITION");
        effect.after_text = Some("flat, or a position when one side fills".to_owned());
        return;
    }
    effect.after = Some(before);
    if closing_side(before) == protected {
        effect.warn("THE BRACKET IS ON THE WRONG SIDE: IT CAN ADD TO THE POSITION");
        return;
    }
    if i64::from(quantity) > before.saturating_abs() {
        effect.warn(format!(
            "THE SERVICE CUTS THE SIZE TO {}",
            before.saturating_abs()
        ));
    }
    let Some(new) = &fields.stop_loss else {
        effect.warn("NO STOP IN THE BRACKET");
        strip(effect, facts, call.account());
        return;
    };
    let moved = moved_by_bracket(effect, before, new.value);
    away_warning(effect, moved);
    let away = moved != Away::No;
    let covers = i64::from(quantity) >= before.saturating_abs();
    if !covers {
        effect.warn("THE STOP COVERS LESS THAN THE POSITION");
    }
    effect.opening = !effect.exact() || away;
    if effect.exact()
        && effect.cancels.is_some()
        && !away
        && i64::from(quantity) <= before.saturating_abs()
        && covers
    {
        effect.class = Class::Protect;
    }
}
