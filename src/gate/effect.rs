//! What a call would do to positions and orders, as far as the reads prove it.
//!
//! Owns: resulting positions, what is cancelled and closed, which stops are stripped, whether risk can open. Refuses to
//! know: policy and limits. What is unread stays unknown and counts as opening.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

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
        if self.after_text.is_none() && call.instrument().is_some() {
            let name = self
                .contract
                .as_ref()
                .or(call.instrument())
                .map(Instrument::canonical);
            self.after_text = self
                .after
                .zip(name)
                .map(|(after, name)| format!("{name} {}", signed(after)));
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

/// A single order. `gone` is the order that it replaces.
fn place(effect: &mut Effect<'_>, call: &Call, facts: &Facts, gone: Option<&str>) {
    let fields = call.fields();
    let (Some(side), Some(kind), Some(quantity)) = (fields.side, fields.kind, fields.quantity) else {
        return;
    };
    let change = side.signed(quantity);
    effect.after = effect.before.map(|before| before.saturating_add(change));
    let held = effect.before.unwrap_or(0);
    let reduces = held != 0 && closing_side(held) == side && i64::from(quantity) <= held.saturating_abs();
    let others = working(facts, call.account(), call.instrument());
    if reduces && effect.exact() && fields.template.is_none() {
        let fits = others.is_some_and(|others| {
            let same = others.iter().copied().filter(|order| {
                order.side == side && is_stop(order) == kind.is_stop() && Some(order.id.as_str()) != gone
            });
            total(same).saturating_add(i64::from(quantity)) <= held.saturating_abs()
        });
        if fits {
            effect.opening = false;
            effect.class = if kind.is_stop() {
                Class::Protect
            } else {
                Class::Exit
            };
        } else {
            effect.warn("WITH THE WORKING ORDERS THIS CAN OPEN A POSITION");
        }
    }
    if effect.opening && fields.template.is_none() {
        effect.warn("NO STOP ATTACHED");
    }
}

fn replace<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
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

fn close_and_place<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
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

fn reverse(effect: &mut Effect<'_>, call: &Call, facts: &Facts) {
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

fn change<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
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
        .map(|_| held.map_or(0, |position| position.quantity));
    let quantity = call.fields().quantity.unwrap_or(order.quantity);
    let raised = quantity > order.quantity;
    let away = moved_away(call, order);
    if raised {
        effect.warn("THE SIZE IS RAISED");
    }
    if away {
        effect.warn("THE STOP IS MOVED AWAY");
    }
    let before = effect.before.unwrap_or(0);
    let closes = before != 0 && closing_side(before) == order.side;
    let fits = working(facts, Some(&order.account), order.instrument.as_ref()).is_some_and(|orders| {
        let same = orders.iter().copied().filter(|other| {
            other.side == order.side && is_stop(other) == is_stop(order) && other.id != order.id
        });
        total(same).saturating_add(i64::from(quantity)) <= before.saturating_abs()
    });
    let proven = closes && fits && effect.exact() && order.working;
    effect.opening = !proven || away;
    if proven && !away && order.kind.is_some() {
        effect.class = if is_stop(order) {
            Class::Protect
        } else {
            Class::Exit
        };
    } else if closes && !fits {
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

/// Whether the new stop price is further from the market than the old one, so that more can be lost.
fn moved_away(call: &Call, order: &Order) -> bool {
    let (Some(new), Some(old)) = (call.fields().stop.as_ref(), order.stop) else {
        return false;
    };
    is_stop(order)
        && match order.side {
            Side::Sell => new.value < old,
            Side::Buy => new.value > old,
        }
}

fn position_of<'a>(facts: &'a Facts, order: &Order) -> Option<&'a Position> {
    let own = order.instrument.as_ref()?;
    facts.positions.known()?.iter().find(|position| {
        position.account == order.account && position.instrument.as_ref().is_some_and(|held| held.may_be(own))
    })
}

fn not_working(effect: &mut Effect<'_>, order: &Order) {
    if !order.working {
        effect.warn("THE ORDER IS NOT WORKING ANY MORE");
    }
}

fn bracket<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
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
    let away = effect
        .cancels
        .iter()
        .flatten()
        .filter(|order| is_stop(order))
        .any(|order| {
            order.stop.is_some_and(|old| match closing_side(before) {
                Side::Sell => new.value < old,
                Side::Buy => new.value > old,
            })
        });
    if away {
        effect.warn("THE STOP IS MOVED AWAY");
    }
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

fn cancel_one<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
    effect.opening = false;
    effect.named = call.fields().order_id.as_deref().and_then(|id| facts.order(id));
    let Some(order) = effect.named else {
        effect.cancels = None;
        effect.warn("THE ORDER WAS NOT FOUND: IT MAY BE A STOP");
        return;
    };
    effect.cancels = Some(vec![order]);
    not_working(effect, order);
    strip(effect, facts, Some(&order.account));
}

fn cancel_many<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
    effect.opening = false;
    let fields = call.fields();
    if call.account().is_none() {
        effect.warn("NO ACCOUNT NAMED: REACHES ALL ACCOUNTS");
    }
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

/// Warns for each position in reach whose stops go with the cancelled orders.
fn strip(effect: &mut Effect<'_>, facts: &Facts, account: Option<&str>) {
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
        let stops = working(facts, Some(&position.account), position.instrument.as_ref()).unwrap_or_default();
        let stops = stops
            .into_iter()
            .filter(|order| is_stop(order) && order.side == closing_side(position.quantity));
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

fn close<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
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

fn flatten<'a>(effect: &mut Effect<'a>, call: &Call, facts: &'a Facts) {
    effect.opening = false;
    let fields = call.fields();
    if call.account().is_none() {
        effect.warn("NO ACCOUNT NAMED: REACHES ALL ACCOUNTS");
    }
    effect.closes = facts.positions.known().map(|positions| {
        positions
            .iter()
            .filter(|position| {
                call.account().is_none_or(|account| position.account == account)
                    && fields.instrument.as_ref().is_none_or(|wanted| {
                        position
                            .instrument
                            .as_ref()
                            .is_some_and(|held| held.may_be(wanted))
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

fn starts_trading(effect: &mut Effect<'_>, call: &Call, facts: &Facts) {
    let class = call.fields().class.as_deref();
    let twice = facts.strategies.known().is_some_and(|all| {
        all.iter().any(|running| {
            let here = running
                .account
                .as_deref()
                .zip(call.account())
                .is_none_or(|(own, new)| own == new);
            here && class.is_some_and(|class| running.class.eq_ignore_ascii_case(class))
        })
    });
    if twice {
        effect.warn("THE SAME STRATEGY IS DEPLOYED THERE ALREADY");
    }
    effect.warn("IT WILL TRADE BY ITSELF: ITS ORDERS ARE NOT HELD");
    if call.form() != Form::EnableStrategy {
        effect.warn("A REPEAT STARTS A SECOND COPY");
    }
    if call.account().is_none() {
        effect.warn("NO ACCOUNT NAMED");
    }
}

fn stops_managing(effect: &mut Effect<'_>, call: &Call, facts: &Facts) {
    effect.opening = false;
    match facts.positions.known() {
        None => effect.warn("THE POSITIONS ARE UNREAD: ONE MAY BE LEFT UNMANAGED"),
        Some(positions) => {
            let open = positions
                .iter()
                .any(|position| call.account().is_none_or(|account| account == position.account));
            if open {
                effect.warn("OPEN POSITIONS STAY AND MAY LOSE THEIR STOPS");
            }
        }
    }
    effect.warn("ITS PENDING ORDERS MAY GO");
}

fn compile(effect: &mut Effect<'_>) {
    if effect.class == Class::Code {
        effect.warn("WRITES THE CODE INTO NINJATRADER'S FOLDER");
    } else {
        effect.opening = false;
    }
}

fn connection(effect: &mut Effect<'_>, call: &Call, facts: &Facts) {
    if call.form() == Form::Connect {
        return;
    }
    if call.form() == Form::Replay {
        effect.warn("THE LIVE DATA FEED MAY BE REPLACED BY A REPLAY");
    }
    match facts.positions.known() {
        None => effect.warn("THE POSITIONS ARE UNREAD: ONE MAY BE LEFT UNMANAGED"),
        Some(positions) if !positions.is_empty() => effect.warn("OPEN POSITIONS MAY BE LEFT UNMANAGED"),
        Some(_) => {}
    }
}

fn workspace(effect: &mut Effect<'_>, call: &Call) {
    effect.opening = false;
    if call.tool() == "LoadWorkspace" {
        effect.warn("MAY CLOSE CHARTS THAT RUN STRATEGIES");
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
