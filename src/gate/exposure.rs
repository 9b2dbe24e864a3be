//! How many contracts an account can come to hold: its positions, its working orders, and what a call would add.
//!
//! Owns: that sum, at its worst. Refuses to know: policy. Where positions or orders are unread there is no sum.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::call::Call;
use super::catalogue::{Class, Form};
use super::effect::Effect;
use super::facts::Facts;
use super::instrument::Instrument;
use super::value::Side;

/// What a call would put into the market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Adds {
    /// What it trades; a root alone where the service picks the month.
    instrument: Instrument,
    buys: i64,
    sells: i64,
    /// The order that goes when it comes.
    gone: Option<String>,
    /// Whether the working orders of the contract go first.
    clears: bool,
    /// Whether the position is closed first.
    closes: bool,
    /// Whether it is closed first unless that takes too long.
    may_close: bool,
}

/// What is known about what a call adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Adding {
    /// It adds no contracts.
    Nothing,
    /// It adds these.
    These(Adds),
    /// It may add some, and nobody can say how many or where.
    Unread,
}

/// What a call adds at most.
pub(super) fn adding(call: &Call, effect: &Effect<'_>) -> Adding {
    if !effect.opening {
        return Adding::Nothing;
    }
    let form = call.form();
    let fields = call.fields();
    if form == Form::Change {
        return changed(call, effect);
    }
    // A position that is turned is as large as before.
    if form == Form::Reverse {
        return if effect.before.is_some() {
            Adding::Nothing
        } else {
            Adding::Unread
        };
    }
    let trades = match call.class() {
        Class::Order | Class::Strategy | Class::Unknown => true,
        Class::Read
        | Class::Protect
        | Class::Exit
        | Class::Cancel
        | Class::Code
        | Class::Job
        | Class::Alert
        | Class::Workspace
        | Class::Connection => false,
    };
    if !trades {
        return Adding::Nothing;
    }
    let strategy = call.class() == Class::Strategy;
    let quantity = fields.quantity.or(strategy.then_some(1)).map(i64::from);
    let (Some(instrument), Some(quantity)) = (effect.contract.as_ref().or(call.instrument()), quantity)
    else {
        return Adding::Unread;
    };
    let bracket = form == Form::CancelAndBracket;
    let (buys, sells) = match fields.side {
        // A strategy may go either way, and so may a bracket around no position.
        _ if strategy || (bracket && effect.before.is_none_or(|before| before == 0)) => (quantity, quantity),
        Some(side) if bracket => split(side.other(), quantity),
        Some(side) => split(side, quantity),
        None => (quantity, quantity),
    };
    Adding::These(Adds {
        instrument: instrument.clone(),
        buys,
        sells,
        gone: (form == Form::CancelReplace)
            .then(|| fields.order_id.clone())
            .flatten(),
        clears: matches!(form, Form::FlatPlace | Form::CancelAndBracket),
        closes: form == Form::FlatPlace,
        may_close: form == Form::ReversePosition,
    })
}

/// A working order that becomes larger. One that only moves adds nothing.
fn changed(call: &Call, effect: &Effect<'_>) -> Adding {
    let Some(quantity) = call.fields().quantity else {
        return Adding::Nothing;
    };
    let Some(order) = effect.named else {
        return Adding::Unread;
    };
    if quantity <= order.quantity {
        return Adding::Nothing;
    }
    let Some(instrument) = &order.instrument else {
        return Adding::Unread;
    };
    let (buys, sells) = split(order.side, i64::from(quantity));
    Adding::These(Adds {
        instrument: instrument.clone(),
        buys,
        sells,
        gone: Some(order.id.clone()),
        clears: false,
        closes: false,
        may_close: false,
    })
}

const fn split(side: Side, quantity: i64) -> (i64, i64) {
    match side {
        Side::Buy => (quantity, 0),
        Side::Sell => (0, quantity),
    }
}

/// One contract of an account.
struct Line<'a> {
    /// `None` where the name could not be read: it may be any.
    instrument: Option<&'a Instrument>,
    name: &'a str,
    position: i64,
    buys: i64,
    sells: i64,
}

impl Line<'_> {
    fn add(&mut self, buys: i64, sells: i64) {
        self.buys = self.buys.saturating_add(buys);
        self.sells = self.sells.saturating_add(sells);
    }

    /// The most contracts that this can come to, long or short. A stop and its target on the closing side come to no
    /// more than the position itself.
    fn worst(&self) -> i64 {
        let up = self.position.saturating_add(self.buys).saturating_abs();
        let down = self.position.saturating_sub(self.sells).saturating_abs();
        self.position.saturating_abs().max(up).max(down)
    }
}

/// The contracts of one account, at their worst.
pub(super) struct Exposure<'a>(Vec<Line<'a>>);

impl<'a> Exposure<'a> {
    /// What there is; `None` where positions or orders are unread.
    pub(super) fn now(facts: &'a Facts, account: &str) -> Option<Self> {
        Self::build(facts, account, None)
    }

    /// What there would be.
    pub(super) fn after(facts: &'a Facts, account: &str, adds: &'a Adds) -> Option<Self> {
        Self::build(facts, account, Some(adds))
    }

    fn build(facts: &'a Facts, account: &str, adds: Option<&'a Adds>) -> Option<Self> {
        let (positions, orders) = (facts.positions.known()?, facts.orders.known()?);
        let mut own = Self(Vec::new());
        for position in positions.iter().filter(|position| position.account == account) {
            own.at(position.instrument.as_ref(), &position.name, |line| {
                line.position = line.position.saturating_add(position.quantity);
            });
        }
        for order in orders
            .iter()
            .filter(|order| order.account == account && order.working)
        {
            if adds.is_some_and(|adds| adds.gone.as_deref() == Some(order.id.as_str())) {
                continue;
            }
            let (buys, sells) = split(order.side, i64::from(order.quantity));
            own.at(order.instrument.as_ref(), &order.name, |line| {
                line.add(buys, sells);
            });
        }
        if let Some(adds) = adds {
            own.at(Some(&adds.instrument), &adds.instrument.asked, |line| {
                if adds.clears {
                    (line.buys, line.sells) = (0, 0);
                }
                // Closed, or not closed in time: whichever leaves more.
                let grows = line.position.signum() == adds.buys.saturating_sub(adds.sells).signum();
                if adds.closes || (adds.may_close && !grows) {
                    line.position = 0;
                }
                line.add(adds.buys, adds.sells);
            });
        }
        Some(own)
    }

    /// Changes the line of a contract, which begins empty.
    fn at(&mut self, instrument: Option<&'a Instrument>, name: &'a str, change: impl FnOnce(&mut Line<'a>)) {
        let same = |line: &&mut Line<'_>| match (line.instrument, instrument) {
            (Some(own), Some(new)) => own.root == new.root && own.contract == new.contract,
            (None, None) => line.name == name,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if let Some(line) = self.0.iter_mut().find(same) {
            return change(line);
        }
        let mut line = Line {
            instrument,
            name,
            position: 0,
            buys: 0,
            sells: 0,
        };
        change(&mut line);
        self.0.push(line);
    }

    /// The contracts of one root. What could not be read by name may be of it, and counts.
    pub(super) fn of_root(&self, root: &str) -> i64 {
        let own = self
            .0
            .iter()
            .filter(|line| line.instrument.is_none_or(|own| own.root == root));
        own.fold(0, |sum, line| sum.saturating_add(line.worst()))
    }

    /// All contracts, counted in micros: a mini is `ratio` of them.
    pub(super) fn micros(&self, ratio: u32) -> i64 {
        self.0.iter().fold(0, |sum, line| {
            let micro = line.instrument.is_some_and(Instrument::is_micro);
            let each = if micro { 1 } else { i64::from(ratio) };
            sum.saturating_add(line.worst().saturating_mul(each))
        })
    }
}

impl Adds {
    /// The root that it trades.
    pub(super) fn root(&self) -> &str {
        &self.instrument.root
    }
}
