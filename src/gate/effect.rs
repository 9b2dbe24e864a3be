//! What a call would do to positions and orders, as far as the reads prove it.
//!
//! Owns: resulting positions, what is cancelled and closed, which stops are stripped, whether risk can open. Refuses to
//! know: policy and limits. What is unread stays unknown and counts as opening.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

mod entry;
mod leave;
mod other;

use entry::{bracket, change, close_and_place, place, replace, reverse};
use leave::{cancel_many, cancel_one, close, flatten};
use other::{compile, connection, starts_trading, stops_managing, workspace};

use super::call::Call;
use super::catalogue::{Class, Form};
use super::facts::{Facts, Order, Position, Quote};
use super::instrument::{Contract, Instrument};
use super::value::{Decimal, OrderKind, Side};

/// The effect of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect<'a> {
    /// The class with what the reads prove.
    pub class: Class,
    /// Whether risk may open or grow.
    pub opening: bool,
    /// The contract that is meant, where it is certain.
    pub contract: Option<Instrument>,
    /// The position in that contract before, where read.
    pub before: Option<i64>,
    /// The position after.
    pub after: Option<i64>,
    /// The open position in that contract.
    pub position: Option<&'a Position>,
    /// The order that the call names.
    pub named: Option<&'a Order>,
    /// The working orders that go; `None` where they could not be read.
    pub cancels: Option<Vec<&'a Order>>,
    /// The positions that close; `None` where they could not be read.
    pub closes: Option<Vec<&'a Position>>,
    /// Warnings in capital letters, in the order of their weight. No moving market values in them: a new warning
    /// between card and click asks again.
    pub warnings: Vec<String>,
    /// The resulting position as canonical text.
    pub after_text: Option<String>,
    /// The same where the call leaves the month to the service, with the root alone: what stands in `after_text` until
    /// the month is read.
    pub after_any_month: Option<String>,
}

/// Computes the effect.
pub fn effect<'a>(call: &Call, facts: &'a Facts) -> Effect<'a> {
    let mut effect = Effect::new(call, facts);
    match call.form() {
        Form::PlaceOrder => place(&mut effect, call, facts, None),
        Form::CancelReplace => replace(&mut effect, call, facts),
        Form::FlatPlace | Form::ReversePosition => close_and_place(&mut effect, call, facts),
        Form::Reverse => reverse(&mut effect, call, facts),
        Form::Change => change(&mut effect, call, facts),
        Form::CancelAndBracket => bracket(&mut effect, call, facts),
        Form::CancelOne => cancel_one(&mut effect, call, facts),
        Form::CancelOrders | Form::CancelAllOrders => cancel_many(&mut effect, call, facts),
        Form::ClosePosition => close(&mut effect, call, facts),
        Form::Flatten | Form::FlattenEverything => flatten(&mut effect, call, facts),
        Form::DeployStrategy | Form::StartStrategy | Form::EnableStrategy => {
            starts_trading(&mut effect, call, facts);
        }
        Form::StopStrategy | Form::DisableStrategy => stops_managing(&mut effect, call, facts),
        Form::CloseStrategy => {
            effect.opening = false;
            effect.warn("CLOSES THE STRATEGY'S POSITION AND CANCELS ITS ORDERS");
        }
        Form::WriteFile => effect.warn("THE CODE WILL RUN INSIDE NINJATRADER"),
        Form::Compile => compile(&mut effect),
        Form::DeleteSnippet => effect.opening = false,
        Form::Connect | Form::Disconnect | Form::Replay => connection(&mut effect, call, facts),
        Form::Alert => {
            effect.opening = false;
            effect.warn("SENDS THIS TEXT OUTWARD");
        }
        Form::Workspace => workspace(&mut effect, call),
        Form::Backtest | Form::CancelJob | Form::SyncJournal | Form::DeepTest | Form::Read => {
            effect.opening = false;
        }
        Form::Unknown => effect.warn("THIS TOOL IS NOT KNOWN TO COUNTERSIGN"),
    }
    effect.finish(call)
}

impl<'a> Effect<'a> {
    fn new(call: &Call, facts: &'a Facts) -> Self {
        let contract = call
            .instrument()
            .and_then(|instrument| resolve(instrument, facts));
        let (position, before) = holding(call, facts, contract.as_ref());
        Self {
            class: call.class(),
            opening: true,
            contract,
            before,
            after: None,
            position,
            named: None,
            cancels: Some(Vec::new()),
            closes: Some(Vec::new()),
            warnings: Vec::new(),
            after_text: None,
            after_any_month: None,
        }
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// Whether the position of exactly this contract was read.
    fn exact(&self) -> bool {
        self.contract.is_some() && self.before.is_some()
    }

    fn finish(mut self, call: &Call) -> Self {
        if let (Some(before), Some(after)) = (self.before, self.after)
            && before.signum().saturating_mul(after.signum()) < 0
        {
            self.warnings.insert(0, "REVERSES THE POSITION".to_owned());
        }
        if self.after_text.is_none()
            && let Some(asked) = call.instrument()
        {
            let text = |of: &Instrument| Some(format!("{of} {}", signed(self.after?)));
            let any_month = text(asked).filter(|_| asked.contract == Contract::Front);
            self.after_text = text(self.contract.as_ref().unwrap_or(asked));
            self.after_any_month = any_month;
        }
        self
    }
}

/// A position as text: `+2`, `-1`, `flat`.
pub fn signed(quantity: i64) -> String {
    if quantity == 0 {
        "flat".to_owned()
    } else {
        format!("{quantity:+}")
    }
}

/// The quote, unless it says that it is for something else.
pub(super) fn quote_of<'a>(facts: &'a Facts, instrument: &Instrument) -> Option<&'a Quote> {
    facts
        .quote
        .known()
        .filter(|quote| quote.instrument.as_ref().is_none_or(|own| own.may_be(instrument)))
}

/// The contract of an instrument: itself where a month is named, else what the quote says.
fn resolve(instrument: &Instrument, facts: &Facts) -> Option<Instrument> {
    match instrument.contract {
        Contract::Month { .. } => Some(instrument.clone()),
        Contract::Front => quote_of(facts, instrument)
            .and_then(|quote| quote.instrument.clone())
            .filter(|found| found.contract != Contract::Front),
    }
}

/// The position that the call is about. Without a certain contract a single position of the root is shown but
/// proves nothing (`Effect::exact` is false then).
fn holding<'a>(
    call: &Call,
    facts: &'a Facts,
    contract: Option<&Instrument>,
) -> (Option<&'a Position>, Option<i64>) {
    let (Some(positions), Some(account), Some(asked)) =
        (facts.positions.known(), call.account(), call.instrument())
    else {
        return (None, None);
    };
    if unreadable(positions, account) {
        return (None, None);
    }
    let instrument = contract.unwrap_or(asked);
    let mut found = positions.iter().filter(|position| {
        position.account == account
            && position
                .instrument
                .as_ref()
                .is_some_and(|held| held.may_be(instrument))
    });
    match (found.next(), found.next()) {
        (None, _) => (None, Some(0)),
        (Some(one), None) => (Some(one), Some(one.quantity)),
        (Some(_), Some(_)) => (None, None),
    }
}

/// Whether the account holds a position whose name we cannot read: it may be in any contract, so none there is flat.
fn unreadable(positions: &[Position], account: &str) -> bool {
    positions
        .iter()
        .any(|position| position.account == account && position.instrument.is_none())
}

fn is_for(order: &Order, account: Option<&str>, instrument: Option<&Instrument>) -> bool {
    account.is_none_or(|account| order.account == account)
        && instrument.is_none_or(|wanted| order.instrument.as_ref().is_none_or(|own| own.may_be(wanted)))
}

/// All working orders of the account (or all) on the instrument (or all); `None` where orders are unread.
fn working<'a>(
    facts: &'a Facts,
    account: Option<&str>,
    instrument: Option<&Instrument>,
) -> Option<Vec<&'a Order>> {
    let orders = facts.orders.known()?;
    Some(
        orders
            .iter()
            .filter(|order| order.working && is_for(order, account, instrument))
            .collect(),
    )
}

fn is_stop(order: &Order) -> bool {
    order.kind.is_some_and(OrderKind::is_stop)
}

fn total<'a>(orders: impl Iterator<Item = &'a Order>) -> i64 {
    orders.fold(0, |sum, order| sum.saturating_add(i64::from(order.quantity)))
}

/// The side that closes a position.
const fn closing_side(quantity: i64) -> Side {
    if quantity > 0 { Side::Sell } else { Side::Buy }
}

fn not_working(effect: &mut Effect<'_>, order: &Order) {
    if !order.working {
        effect.warn("THE ORDER IS NOT WORKING ANY MORE");
    }
}

/// What is lost if the stop fills: the distance to it, times the contracts, times the point value.
pub fn money_at_risk(
    instrument: &Instrument,
    from: Decimal,
    stop: Decimal,
    quantity: i64,
) -> Option<Decimal> {
    let point = instrument.spec()?.point;
    let distance = from.minus(stop).magnitude();
    Some(distance.product(point)?.times(quantity.saturating_abs()))
}
