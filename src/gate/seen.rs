//! What a later look at orders, fills and positions shows of a call whose outcome is not known.
//!
//! Owns: which order, fill or position may be a call's trace, and how sure that is. Refuses to know: when to look, whom
//! to tell. A list proves an execution only where it shows what was not there before, what no other call can have made,
//! and what is not older than the call itself.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::before::{Before, Held};
use super::catalogue::Form;
use super::deed::describe;
use super::effect::signed;
use super::facts::{Fact, Fill, Order, Position};
use super::outcome::order_ids;
use super::ticket::Ticket;
use super::value::{Decimal, OrderKind, Price, Side};
use super::{Call, Facts, Millis};

/// How far the service's clock may be behind ours before its times make an order look older than the call.
const SLACK: Millis = 2_000;

/// What a look shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// What the call asked for is there and was not before: it was executed, or is working.
    Done {
        /// What is there.
        what: String,
        /// Whether its status is one that lasts; one that is being submitted may still be rejected.
        settled: bool,
        /// The order's id, where there is one order: no other call made that one.
        order: Option<String>,
    },
    /// An order that fits came up after the call was sent, and was rejected or cancelled: nothing of it is in force.
    Dead {
        /// What is there.
        what: String,
        /// The order's id.
        order: String,
    },
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
            // The same order may be told as submitted first and as rejected later, or the other way round.
            Self::Dead { .. } | Self::Done { .. } => 3,
        }
    }

    /// Whether no later look can tell more.
    pub const fn is_settled(&self) -> bool {
        match self {
            Self::Done { settled, .. } => *settled,
            Self::Dead { .. } => true,
            Self::Maybe(_) | Self::NotFound | Self::CouldNotLook(_) => false,
        }
    }

    /// The order that it found to be this call's.
    pub fn order(&self) -> Option<&str> {
        match self {
            Self::Done { order, .. } => order.as_deref(),
            Self::Dead { order, .. } => Some(order),
            Self::Maybe(_) | Self::NotFound | Self::CouldNotLook(_) => None,
        }
    }

    fn done(what: String) -> Self {
        Self::Done {
            what,
            settled: true,
            order: None,
        }
    }
}

/// What is known beside the lists themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// What was there before the call was sent: without it nothing is told as this call's.
    pub before: Option<&'a Before>,
    /// When sending began, wall clock.
    pub sent: Option<Millis>,
    /// Ids of orders that other calls made.
    pub claimed: &'a [String],
    /// Other calls whose outcome is not known either.
    pub rivals: &'a [Call],
}

/// Looks for traces of a sent call.
pub fn seen(call: &Call, around: Around<'_>, after: &Facts) -> Seen {
    if after.orders.known().is_none() && after.positions.known().is_none() {
        return Seen::CouldNotLook(why_unread(after));
    }
    if matches!(call.form(), Form::Change | Form::CancelOne) {
        return named_order(call, around, after);
    }
    if matches!(call.form(), Form::CancelOrders | Form::CancelAllOrders) {
        return cancelled(call, around, after);
    }
    let placed = new_order(call, around, after).or_else(|| filled(call, around, after));
    if let Some(open) = still_open(call, after).filter(|_| placed.is_some()) {
        return Seen::Maybe(format!("{open}, which the call should have closed"));
    }
    match (placed, moved(call, around, after)) {
        (Some(placed), _) => placed,
        (None, Some(moved)) => Seen::Maybe(moved),
        (None, None) if after.orders.known().is_none() || after.positions.known().is_none() => {
            Seen::CouldNotLook(why_unread(after))
        }
        (None, None) => Seen::NotFound,
    }
}

/// What shows that a call may have run although the service said that it did not: an order or a position that was not
/// there before. `None` where nothing does, where it was not read what was there before, and for changes and cancels: what
/// was to be changed or cancelled is as before then, and doing it twice is doing it once.
pub fn trace(call: &Call, around: Around<'_>, after: &Facts) -> Option<String> {
    around.before?.orders.as_ref()?;
    if is_same_twice(call) {
        return None;
    }
    match seen(call, around, after) {
        Seen::Done { what, .. } | Seen::Dead { what, .. } | Seen::Maybe(what) => Some(what),
        Seen::NotFound | Seen::CouldNotLook(_) => None,
    }
}

/// Whether these facts would show a trace of it: where they cannot, that there is none says nothing.
pub fn would_show(call: &Call, before: Option<&Before>, after: &Facts) -> bool {
    is_same_twice(call)
        || before.is_some_and(|before| before.orders.is_some())
            && after.orders.known().is_some()
            && after.positions.known().is_some()
}

/// Whether doing it twice is doing it once.
fn is_same_twice(call: &Call) -> bool {
    matches!(
        call.form(),
        Form::Change | Form::CancelOne | Form::CancelOrders | Form::CancelAllOrders
    )
}

/// Whether the lists do not show an order yet that the service has just taken: none of its ids is there, and no position
/// moved since before it. They lag; what is measured by them leaves that order out.
pub fn is_missing(ticket: &Ticket, facts: &Facts) -> bool {
    let (Some(before), Some(outcome), Some(_)) = (&ticket.before, &ticket.outcome, facts.orders.known())
    else {
        return false;
    };
    let Ok(call) = ticket.call() else { return false };
    let ids = order_ids(outcome);
    let around = Around {
        before: Some(before),
        ..Around::default()
    };
    matches!(call.form(), Form::PlaceOrder | Form::ClosePosition)
        && before.positions.is_some()
        && facts.positions.known().is_some()
        && !ids.is_empty()
        && !ids.iter().any(|id| facts.order(id).is_some())
        && moved(&call, around, facts).is_none()
}

fn why_unread(after: &Facts) -> String {
    if after.not_connected() {
        return "NinjaTrader or its add-on is not connected".to_owned();
    }
    let unread =
        |what: &str, why: Option<&str>| why.map(|why| format!("the {what} could not be read ({why})"));
    let why = |orders: bool| {
        if orders {
            unread("orders", reason(&after.orders))
        } else {
            unread("positions", reason(&after.positions))
        }
    };
    match (why(true), why(false)) {
        (Some(orders), _) => orders,
        (None, Some(positions)) => positions,
        (None, None) => "orders and positions could not be read".to_owned(),
    }
}

fn reason<T>(fact: &Fact<T>) -> Option<&str> {
    match fact {
        Fact::Unread { why } => Some(why),
        Fact::Unasked | Fact::Known { .. } => None,
    }
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
    let part = if order.filled() > 0 && order.quantity > 0 && !is_dead(order) {
        format!(", {} of {} filled", order.filled(), order.size)
    } else {
        String::new()
    };
    format!("{} {}, {status}{part}", order.id, describe(&whole))
}

fn is_dead(order: &Order) -> bool {
    let status = order.status.to_ascii_lowercase();
    matches!(status.as_str(), "rejected" | "cancelled" | "canceled" | "expired")
}

/// A status that lasts. What is being submitted, changed or cancelled may still become anything.
fn is_settled(order: &Order) -> bool {
    let status = order.status.to_ascii_lowercase();
    order.filled() > 0
        || matches!(
            status.as_str(),
            "filled" | "working" | "accepted" | "partfilled" | "partiallyfilled"
        )
}

/// A new order that fits all that the call names. `None`: no list shows one.
fn new_order(call: &Call, around: Around<'_>, after: &Facts) -> Option<Seen> {
    let orders = after.orders.known()?;
    let free: Vec<&Order> = orders
        .iter()
        .filter(|order| fits(call, around.before, order) && !is_claimed(around, &order.id))
        .collect();
    let Some(before) = around.before.filter(|before| before.orders.is_some()) else {
        return free.last().map(|order| {
            Seen::Maybe(format!(
                "the order {}, that may be this one; what was there before was not read",
                told(order)
            ))
        });
    };
    let mut fresh: Vec<&Order> = free
        .into_iter()
        .filter(|order| before.order(&order.id).is_none())
        .collect();
    // An id that the caller chose is on no other order.
    let own_id = call
        .fields()
        .order_id
        .as_deref()
        .filter(|_| !call.names_an_order());
    if let Some(own) = own_id.and_then(|id| fresh.iter().position(|order| order.id == id)) {
        fresh = vec![fresh.swap_remove(own)];
    }
    let older = |order: &Order| {
        let sent = around.sent.map(|sent| sent.saturating_sub(SLACK));
        order
            .created
            .zip(sent)
            .is_some_and(|(created, sent)| created < sent)
    };
    let (old, fresh): (Vec<&Order>, Vec<&Order>) = fresh.into_iter().partition(|order| older(order));
    let (exact, other_price): (Vec<&Order>, Vec<&Order>) =
        fresh.into_iter().partition(|order| is_priced(call, order));
    if let Some(first) = exact.first() {
        return Some(one_of(call, around, &exact, first));
    }
    if let Some(order) = other_price.first() {
        return Some(Seen::Maybe(format!(
            "the new order {}, that fits but for its price",
            told(order)
        )));
    }
    old.first().map(|order| {
        Seen::Maybe(format!(
            "the order {}, that was not in the list before, but says that it is older than this call",
            told(order)
        ))
    })
}

/// New orders that fit exactly: one is this call's, unless others may have made it or there are too many.
fn one_of(call: &Call, around: Around<'_>, exact: &[&Order], first: &Order) -> Seen {
    let rivals = around
        .rivals
        .iter()
        .filter(|rival| fits(rival, None, first) && is_priced(rival, first))
        .count();
    let many = call.form() != Form::CancelAndBracket && !is_close(call);
    if exact.len() <= rivals || (many && exact.len() > 1) {
        let all: Vec<String> = exact.iter().map(|order| told(order)).collect();
        let calls = rivals.saturating_add(1);
        return Seen::Maybe(format!(
            "{} new order(s) that fit {calls} call(s) without a known outcome: {}",
            exact.len(),
            all.join("; ")
        ));
    }
    match exact.iter().find(|order| !is_dead(order) || order.filled() > 0) {
        Some(order) => {
            let part = if is_dead(order) {
                format!(" after {} filled", order.filled())
            } else {
                String::new()
            };
            Seen::Done {
                what: format!("the new order {}{part}", told(order)),
                settled: is_settled(order),
                order: Some(order.id.clone()),
            }
        }
        None => Seen::Dead {
            what: format!("the new order {}", told(first)),
            order: first.id.clone(),
        },
    }
}

fn is_claimed(around: Around<'_>, id: &str) -> bool {
    around.claimed.iter().any(|claimed| claimed == id)
}

fn is_close(call: &Call) -> bool {
    matches!(
        call.form(),
        Form::ClosePosition | Form::Flatten | Form::FlattenEverything
    )
}

/// Whether the order lies where the call acts.
fn is_in_reach(call: &Call, order: &Order) -> bool {
    call.account().is_none_or(|account| account == order.account)
        && call
            .instrument()
            .is_none_or(|wanted| order.instrument.as_ref().is_some_and(|own| own.may_be(wanted)))
}

/// Side, kind and quantity as far as the call names them, on its account and instrument.
fn fits(call: &Call, before: Option<&Before>, order: &Order) -> bool {
    let fields = call.fields();
    if !is_in_reach(call, order) {
        return false;
    }
    if is_close(call) {
        // What closes is a market order against the position that was there.
        let held = before.and_then(|before| before.positions.as_ref());
        let against = held.is_none_or(|held| {
            held.iter()
                .filter(|held| held.account == order.account && held.name == order.name)
                .any(|held| (held.quantity > 0) == (order.side == Side::Sell))
        });
        return against && order.kind.is_none_or(|kind| kind == OrderKind::Market);
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

/// Whether the order stands at the call's prices. A service may round to the tick, so another price is no proof against
/// it either.
fn is_priced(call: &Call, order: &Order) -> bool {
    if call.form() == Form::CancelAndBracket {
        return true;
    }
    let same = |wanted: Option<&Price>, own: Option<Decimal>| {
        wanted.is_none_or(|wanted| own.is_none_or(|own| own == wanted.value))
    };
    same(call.fields().limit.as_ref(), order.limit) && same(call.fields().stop.as_ref(), order.stop)
}

/// Fills of an order that no list shows any more. They prove this call's only where the position moved by as much.
fn filled(call: &Call, around: Around<'_>, after: &Facts) -> Option<Seen> {
    let fills = after.fills.known()?;
    let before = around.before?;
    before.orders.as_ref()?;
    let sent = around.sent.map(|sent| sent.saturating_sub(SLACK));
    let listed = |id: &str| {
        after
            .orders
            .known()
            .is_some_and(|all| all.iter().any(|order| order.id == id))
    };
    let fresh: Vec<&Fill> = fills
        .iter()
        .filter(|fill| {
            let id = fill.order_id.as_deref().unwrap_or_default();
            let older = fill.time.zip(sent).is_some_and(|(time, sent)| time < sent);
            !older
                && !id.is_empty()
                && before.order(id).is_none()
                && !listed(id)
                && !is_claimed(around, id)
                && is_fill_of(call, before, fill)
        })
        .collect();
    let id = fresh.first()?.order_id.clone()?;
    let own: Vec<&&Fill> = fresh
        .iter()
        .filter(|fill| fill.order_id.as_deref() == Some(id.as_str()))
        .collect();
    let count: u32 = own.iter().fold(0, |sum, fill| sum.saturating_add(fill.quantity));
    let first = own.first()?;
    let of = call
        .fields()
        .quantity
        .map_or_else(String::new, |all| format!(" of {all}"));
    let what = format!(
        "{} {count}{of} {} filled under the order {id}, which the list does not show",
        first.side.word(),
        first.name
    );
    let change = change_of(before, after, &first.account, &first.name);
    let by = i64::from(count);
    let signed_by = if first.side == Side::Buy {
        Some(by)
    } else {
        by.checked_neg()
    };
    let alone = own.len() == fresh.len();
    let rivals = around.rivals.iter().any(|rival| is_fill_of(rival, before, first));
    let fits = call.fields().quantity.is_none_or(|all| count <= all);
    if change.is_some() && change == signed_by && alone && !rivals && fits {
        return Some(Seen::Done {
            what: format!("{what}, and the position moved by as much"),
            settled: call.fields().quantity.is_none_or(|all| count == all),
            order: Some(id),
        });
    }
    Some(Seen::Maybe(format!("{what}; that may be this call's doing")))
}

fn is_fill_of(call: &Call, before: &Before, fill: &Fill) -> bool {
    let as_order = Order {
        id: String::new(),
        account: fill.account.clone(),
        instrument: fill.instrument.clone(),
        name: fill.name.clone(),
        side: fill.side,
        kind: None,
        quantity: 0,
        size: call.fields().quantity.unwrap_or(fill.quantity),
        limit: None,
        stop: None,
        status: String::new(),
        working: false,
        created: None,
    };
    fits(call, Some(before), &as_order)
}

fn quantity_in(held: &[Held], account: &str, name: &str) -> i64 {
    held.iter()
        .find(|held| held.account == account && held.name == name)
        .map_or(0, |held| held.quantity)
}

fn change_of(before: &Before, after: &Facts, account: &str, name: &str) -> Option<i64> {
    let was = quantity_in(before.positions.as_ref()?, account, name);
    let is = after
        .positions
        .known()?
        .iter()
        .find(|position| position.account == account && position.name == name)
        .map_or(0, |position| position.quantity);
    is.checked_sub(was)
}

fn is_position_in_reach(call: &Call, position: &Position) -> bool {
    call.account().is_none_or(|account| account == position.account)
        && call
            .instrument()
            .is_none_or(|wanted| position.instrument.as_ref().is_none_or(|own| own.may_be(wanted)))
}

/// What a call that closes everything in its reach has left open.
fn still_open(call: &Call, after: &Facts) -> Option<String> {
    if !matches!(call.form(), Form::Flatten | Form::FlattenEverything) {
        return None;
    }
    let wanted = call.fields().market_position;
    let open: Vec<String> = after
        .positions
        .known()?
        .iter()
        .filter(|position| position.quantity != 0 && is_position_in_reach(call, position))
        .filter(|position| wanted.is_none_or(|side| (side == Side::Buy) == (position.quantity > 0)))
        .map(|position| format!("{} in {}", signed(position.quantity), position.name))
        .collect();
    (!open.is_empty()).then(|| format!("still open: {}", open.join("; ")))
}

/// Whether a position in reach changed: by this call, or by anything else.
fn moved(call: &Call, around: Around<'_>, after: &Facts) -> Option<String> {
    let before = around.before?.positions.as_ref()?;
    let now = after.positions.known()?;
    let of = |account: &str, name: &str| {
        now.iter()
            .find(|position| position.account == account && position.name == name)
            .map_or(0, |position| position.quantity)
    };
    let grown = now
        .iter()
        .filter(|position| is_position_in_reach(call, position))
        .map(|position| (position.account.as_str(), position.name.as_str()));
    let gone = before
        .iter()
        .filter(|held| {
            let own = super::instrument::Instrument::read(&held.name);
            call.account().is_none_or(|account| account == held.account)
                && call
                    .instrument()
                    .is_none_or(|wanted| own.as_ref().is_none_or(|own| own.may_be(wanted)))
        })
        .map(|held| (held.account.as_str(), held.name.as_str()));
    grown.chain(gone).find_map(|(account, name)| {
        let (was, is) = (quantity_in(before, account, name), of(account, name));
        (was != is).then(|| {
            format!(
                "the position of {account} in {name} went from {} to {}; that may be this call's doing",
                signed(was),
                signed(is)
            )
        })
    })
}

/// `Change` and `Cancel`: what became of the order that they name.
fn named_order(call: &Call, around: Around<'_>, after: &Facts) -> Seen {
    let id = call.fields().order_id.as_deref();
    let Some(now) = id.and_then(|id| after.order(id)) else {
        return match after.orders.known() {
            Some(_) => Seen::NotFound,
            None => Seen::CouldNotLook(why_unread(after)),
        };
    };
    let was = around.before.and_then(|before| before.order(&now.id));
    let text = format!("the order {}", told(now));
    if !is_as_asked(call, now) {
        return Seen::Maybe(format!("{text}; that is not what the call asked for"));
    }
    match was {
        Some(was) if !was.as_asked => Seen::done(format!("{text}, as the call asked for")),
        Some(_) => Seen::Maybe(format!("{text}; it was so before the call")),
        None => Seen::Maybe(format!("{text}; whether this call did that is not known")),
    }
}

/// Whether the order is as a change or a cancel wants it.
pub(super) fn is_as_asked(call: &Call, order: &Order) -> bool {
    if call.form() == Form::Change {
        changed_to(call, order)
    } else {
        is_cancelled(order)
    }
}

fn is_cancelled(order: &Order) -> bool {
    let status = order.status.to_ascii_lowercase();
    matches!(status.as_str(), "cancelled" | "canceled")
}

fn changed_to(call: &Call, order: &Order) -> bool {
    let fields = call.fields();
    let price = |new: Option<&Price>, now: Option<Decimal>| new.is_none_or(|new| now == Some(new.value));
    !is_dead(order)
        && fields.quantity.is_none_or(|quantity| quantity == order.size)
        && price(fields.limit.as_ref(), order.limit)
        && price(fields.stop.as_ref(), order.stop)
}

/// Whether a cancel of several orders aims at this one.
pub(super) fn aims_at(call: &Call, order: &Order) -> bool {
    if !matches!(call.form(), Form::CancelOrders | Form::CancelAllOrders) {
        return false;
    }
    let ids = &call.fields().order_ids;
    if !ids.is_empty() {
        return ids.iter().any(|id| id.eq_ignore_ascii_case(&order.id));
    }
    call.account().is_none_or(|account| account == order.account)
        && call
            .instrument()
            .is_none_or(|wanted| order.instrument.as_ref().is_none_or(|own| own.may_be(wanted)))
}

/// `CancelOrders` and `CancelAllOrders`: which of the orders that were working still are.
fn cancelled(call: &Call, around: Around<'_>, after: &Facts) -> Seen {
    let Some(orders) = after.orders.known() else {
        return Seen::CouldNotLook(why_unread(after));
    };
    let left: Vec<String> = orders
        .iter()
        .filter(|order| order.working && aims_at(call, order))
        .map(told)
        .collect();
    if !left.is_empty() {
        return Seen::Maybe(format!("still working: {}", left.join("; ")));
    }
    let was: Vec<&str> = around
        .before
        .and_then(|before| before.orders.as_ref())
        .into_iter()
        .flatten()
        .filter(|known| known.aimed)
        .map(|known| known.id.as_str())
        .collect();
    if was.is_empty() {
        return Seen::NotFound;
    }
    let gone = was.iter().all(|id| after.order(id).is_some_and(is_cancelled));
    let count = was.len();
    if gone {
        Seen::done(format!("all {count} orders in its reach are cancelled"))
    } else {
        Seen::Maybe(format!(
            "none of the {count} orders in its reach is working any more"
        ))
    }
}
