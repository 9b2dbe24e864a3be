//! The fact lines of a card, in their fixed order.
//!
//! Owns: which fact stands on which line. Refuses to know: policy, drawing. Unread facts are `?`.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

mod money;
mod room;

use money::{day, market, realises, risk, ticks};
use room::room;

use super::Millis;
use super::call::Call;
use super::card::{CardLine, MAX_VALUE, Mark};
use super::catalogue::{Class, Form};
use super::deed::{self, describe};
use super::effect::{Effect, signed};
use super::facts::{Facts, Order, Position};
use super::instrument::Contract;
use super::judge::Judgement;
use super::value::{self, Decimal, OrderKind, Side};

/// The most orders or positions that are listed one by one.
const LISTED: usize = 10;
/// The same for what merely surrounds the call.
const NEARBY: usize = 4;

struct Lines(Vec<CardLine>);

impl Lines {
    fn put(&mut self, label: &str, text: impl AsRef<str>, mark: Mark) {
        self.0.push(CardLine {
            label: value::short(label, 40),
            value: value::short(text.as_ref(), MAX_VALUE),
            mark,
        });
    }

    fn plain(&mut self, label: &str, text: impl AsRef<str>) {
        self.put(label, text, Mark::Plain);
    }

    fn warn(&mut self, label: &str, text: impl AsRef<str>) {
        self.put(label, text, Mark::Warn);
    }

    /// A fact, or `?` as something to look at.
    fn fact(&mut self, label: &str, text: Option<String>) {
        match text {
            Some(text) => self.plain(label, text),
            None => self.warn(label, "?"),
        }
    }
}

/// What the lines need beside call, facts and effect.
pub(super) struct Seen<'a> {
    pub(super) judgement: &'a Judgement,
    /// The accounts that the call's orders are copied to, by the person's own word.
    pub(super) copies: &'a [String],
    pub(super) now: Millis,
}

pub(super) fn lines(call: &Call, facts: &Facts, effect: &Effect<'_>, seen: &Seen<'_>) -> Vec<CardLine> {
    let now = seen.now;
    let mut lines = Lines(Vec::new());
    lines.plain("tool", value::short(call.tool(), 64));
    contract(&mut lines, call, effect);
    order(&mut lines, call);
    old_and_new(&mut lines, call, effect);
    bracket(&mut lines, call);
    asked_to_close(&mut lines, call, effect);
    protection(&mut lines, call, effect);
    position(&mut lines, call, effect);
    lists(&mut lines, call, facts, effect);
    market(&mut lines, call, facts, effect, now);
    realises(&mut lines, call, effect);
    risk(&mut lines, call, facts, effect);
    day(&mut lines, call, facts, effect);
    room(&mut lines, call, facts, effect, seen.judgement);
    sent_before(&mut lines, seen.judgement);
    strategies(&mut lines, call, facts);
    for (key, text) in &call.fields().plain {
        lines.plain(key, text);
    }
    connections(&mut lines, call, facts);
    copies(&mut lines, call, facts, seen.copies);
    lines.0
}

/// What the trade copier makes of it: what the person says that it does, for no read tells.
fn copies(lines: &mut Lines, call: &Call, facts: &Facts, copies: &[String]) {
    if call.class() != Class::Order {
        return;
    }
    if copies.is_empty() {
        lines.plain("copies", "a trade copier may repeat it in other accounts");
        return;
    }
    let names: Vec<String> = copies.iter().map(|copy| facts.spelled(copy)).collect();
    lines.warn(
        "copies",
        format!("also in {} ({})", copies.len(), names.join(", ")),
    );
}

/// The very same order, sent not long ago.
fn sent_before(lines: &mut Lines, judgement: &Judgement) {
    let Some(age) = judgement.sent_before else { return };
    let seconds = age / 1000;
    let ago = match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes => format!("{minutes} min"),
    };
    lines.warn("sent before", format!("the very same order, {ago} ago"));
}

fn contract(lines: &mut Lines, call: &Call, effect: &Effect<'_>) {
    let Some(asked) = call.instrument() else { return };
    match &effect.contract {
        Some(found) if found.canonical() == asked.asked => lines.plain("contract", found.canonical()),
        Some(found) => lines.plain("contract", format!("{found} (asked as \"{}\")", asked.asked)),
        None if asked.contract == Contract::Front => {
            lines.warn(
                "contract",
                format!("{asked}, front month picked by the service (?)"),
            );
        }
        None => lines.plain("contract", asked.canonical()),
    }
}

fn order(lines: &mut Lines, call: &Call) {
    let fields = call.fields();
    let Some(kind) = fields.kind else { return };
    let mut text = kind.word().to_owned();
    if let Some(stop) = &fields.stop {
        text = format!("{text} {}", stop.text);
    }
    if let Some(limit) = &fields.limit {
        let word = if fields.stop.is_some() { " limit" } else { "" };
        text = format!("{text}{word} {}", limit.text);
    }
    let tif = fields.tif.unwrap_or("TIF ?");
    let mark = if kind == OrderKind::Market {
        Mark::Warn
    } else {
        Mark::Plain
    };
    lines.put("order", format!("{text}  {tif}"), mark);
    if let Some(id) = fields
        .order_id
        .as_deref()
        .filter(|_| call.form() == Form::PlaceOrder)
    {
        lines.plain("order id", format!("{id} (chosen by the client)"));
    }
}

/// What a call that closes was asked to close, from its arguments alone: it stands on the card before any read, and
/// beside what the reads show.
fn asked_to_close(lines: &mut Lines, call: &Call, effect: &Effect<'_>) {
    let fields = call.fields();
    if call.form() == Form::ClosePosition {
        let held = effect.before.filter(|held| *held != 0).zip(effect.after);
        let of = held.map_or_else(String::new, |(held, after)| {
            let part = held.saturating_sub(after).saturating_abs();
            format!(" ({part} of {})", held.saturating_abs())
        });
        let part = deed::part(call).unwrap_or_else(|| "everything".to_owned());
        let unit = match fields.quantity {
            Some(1) => " contract",
            Some(_) => " contracts",
            None => "",
        };
        lines.plain("closes", format!("{part}{unit}{of}"));
    }
    if matches!(call.form(), Form::Flatten | Form::FlattenEverything) {
        let which = match fields.market_position {
            Some(Side::Buy) => "every long position",
            Some(Side::Sell) => "every short position",
            None => "every position",
        };
        let on = call
            .instrument()
            .map_or_else(String::new, |own| format!(" on {own}"));
        let place = call.account_text().unwrap_or("ALL ACCOUNTS");
        lines.plain("asked", format!("close {which}{on} in {place}"));
    }
}

/// `Change` and `CancelReplace`: what stands now beside what is asked.
fn old_and_new(lines: &mut Lines, call: &Call, effect: &Effect<'_>) {
    let fields = call.fields();
    if !matches!(call.form(), Form::Change | Form::CancelReplace | Form::CancelOne) {
        return;
    }
    lines.plain("order id", fields.order_id.as_deref().unwrap_or("?"));
    match effect.named {
        Some(old) => lines.plain("old order", with_prices(old)),
        None => lines.warn("old order", "?"),
    }
    if call.form() == Form::Change {
        changes(lines, call, effect.named);
    }
}

/// Everything that a `Change` asks for, whether or not the order that it changes was read.
fn changes(lines: &mut Lines, call: &Call, old: Option<&Order>) {
    let fields = call.fields();
    if let Some(new) = fields.quantity {
        let raised = old.is_none_or(|old| new > old.quantity);
        let was = old.map_or_else(|| "?".to_owned(), |old| old.quantity.to_string());
        let mark = if raised { Mark::Warn } else { Mark::Plain };
        lines.put("quantity", format!("{was} -> {new}"), mark);
    }
    if let Some(new) = &fields.limit {
        let was = old_price(old, |order| order.limit, OrderKind::has_limit);
        let mark = if was == "?" { Mark::Warn } else { Mark::Plain };
        lines.put("limit", format!("{was} -> {}", new.text), mark);
    }
    if let Some(new) = &fields.stop {
        let before = old.and_then(|old| Some((old, old.stop?)));
        let away = before.is_some_and(|(old, stop)| match old.side {
            Side::Sell => new.value < stop,
            Side::Buy => new.value > stop,
        });
        let moved = before
            .and_then(|(old, stop)| ticks(old.instrument.as_ref(), new.value.minus(stop)))
            .map_or_else(String::new, |ticks| format!(" ({ticks})"));
        let was = old_price(old, |order| order.stop, OrderKind::is_stop);
        let mark = if away || was == "?" {
            Mark::Warn
        } else {
            Mark::Plain
        };
        lines.put("stop", format!("{was} -> {}{moved}", new.text), mark);
    }
    if let Some(strategy) = &fields.strategy_id {
        lines.plain("strategy", strategy);
    }
}

/// A price of the old order: `none` only where its type has none.
fn old_price(
    old: Option<&Order>,
    price: impl Fn(&Order) -> Option<Decimal>,
    has_it: impl Fn(OrderKind) -> bool,
) -> String {
    let Some(old) = old else { return "?".to_owned() };
    match (price(old), old.kind) {
        (Some(price), _) => price.to_string(),
        (None, Some(kind)) if !has_it(kind) => "none".to_owned(),
        (None, _) => "?".to_owned(),
    }
}

fn with_prices(order: &Order) -> String {
    let mut text = describe(order);
    if let Some(stop) = order.stop {
        text = format!("{text} stop {stop}");
    }
    if let Some(limit) = order.limit {
        text = format!("{text} limit {limit}");
    }
    format!("{text} ({})", order.status)
}

fn bracket(lines: &mut Lines, call: &Call) {
    let fields = call.fields();
    if call.form() != Form::CancelAndBracket {
        return;
    }
    let protected = match fields.side {
        Some(Side::Buy) => "long",
        Some(Side::Sell) => "short",
        None => "?",
    };
    let exit = fields.side.map_or("?", |side| side.other().word());
    lines.plain("protects", format!("a {protected} position; both orders {exit}"));
    let text =
        |price: Option<&value::Price>| price.map_or_else(|| "none".to_owned(), |price| price.text.clone());
    lines.plain("target", text(fields.target.as_ref()));
    let mark = if fields.stop_loss.is_none() {
        Mark::Warn
    } else {
        Mark::Plain
    };
    lines.put("stop", text(fields.stop_loss.as_ref()), mark);
}

fn protection(lines: &mut Lines, call: &Call, effect: &Effect<'_>) {
    match &call.fields().template {
        Some(template) => lines.plain(
            "template",
            format!("ATM {template} (adds its own stop and target)"),
        ),
        None if call.fields().kind.is_some() && effect.opening => lines.warn("template", "none"),
        None => {}
    }
}

fn position(lines: &mut Lines, call: &Call, effect: &Effect<'_>) {
    if call.instrument().is_none() && effect.named.is_none() {
        return;
    }
    if !matches!(call.class(), Class::Order | Class::Strategy) {
        return;
    }
    let before = effect.before.map_or_else(|| "?".to_owned(), signed);
    let average = effect
        .position
        .and_then(|position| position.average)
        .map_or_else(String::new, |average| format!(" from {average}"));
    let mark = if effect.before.is_none() {
        Mark::Warn
    } else {
        Mark::Plain
    };
    let resting = call.fields().kind.is_some_and(|kind| kind != OrderKind::Market);
    let when = if resting { " if filled" } else { "" };
    match effect.after {
        Some(after) if call.form() == Form::CancelAndBracket => {
            lines.put("position", format!("{}{average}", signed(after)), mark);
        }
        Some(after) => lines.put(
            "position",
            format!(
                "{before}{average} -> {}{when}{}",
                signed(after),
                turn(effect.before, after)
            ),
            mark,
        ),
        None if call.class() == Class::Strategy => lines.put("position", format!("{before}{average}"), mark),
        None if call.form() == Form::CancelAndBracket || call.form() == Form::Change => {
            lines.put("position", format!("{before}{average}"), mark);
        }
        None => lines.put("position", format!("{before}{average} -> ?"), mark),
    }
}

/// What becomes of the position, in one word.
fn turn(before: Option<i64>, after: i64) -> &'static str {
    match before {
        None => "",
        Some(before) if before == after => " (STAYS)",
        Some(0) => " (OPENS)",
        Some(_) if after == 0 => " (CLOSES)",
        Some(before) if before.signum() != after.signum() => " (REVERSES)",
        Some(before) if after.saturating_abs() > before.saturating_abs() => " (ADDS)",
        Some(_) => " (REDUCES)",
    }
}

fn lists(lines: &mut Lines, call: &Call, facts: &Facts, effect: &Effect<'_>) {
    let closes = matches!(call.form(), Form::Flatten | Form::FlattenEverything);
    let cancels = closes
        || matches!(
            call.form(),
            Form::FlatPlace | Form::CancelAndBracket | Form::CancelOrders | Form::CancelAllOrders
        );
    let many = call.account().is_none();
    if let Some(name) = call.named_account().filter(|_| many) {
        let name = value::short(name, 40);
        lines.warn(
            "reach",
            format!("names {name}; the service's documents also say ALL ACCOUNTS"),
        );
    }
    if closes {
        listed(
            lines,
            "closes",
            LISTED,
            effect.closes.as_deref(),
            |position: &&Position| {
                let result = position.unrealised.map_or_else(|| "?".to_owned(), Decimal::money);
                let account = if many {
                    format!("{}: ", facts.spelled(&position.account))
                } else {
                    String::new()
                };
                format!(
                    "{account}{} {}  P/L {result}",
                    position.name,
                    signed(position.quantity)
                )
            },
        );
    }
    if cancels {
        listed(
            lines,
            "cancels",
            LISTED,
            effect.cancels.as_deref(),
            |order: &&Order| {
                let account = if many {
                    format!("{}: ", facts.spelled(&order.account))
                } else {
                    String::new()
                };
                format!("{account}{}", with_prices(order))
            },
        );
    }
}

fn listed<T>(
    lines: &mut Lines,
    label: &str,
    most: usize,
    entries: Option<&[T]>,
    show: impl Fn(&T) -> String,
) {
    let Some(entries) = entries else {
        lines.warn(label, "?");
        return;
    };
    if entries.is_empty() {
        lines.plain(label, "nothing");
    }
    for entry in entries.iter().take(most) {
        lines.plain(label, show(entry));
    }
    let more = entries.len().saturating_sub(most);
    if more > 0 {
        lines.warn(label, format!("and {more} more"));
    }
}

/// What a strategy call meets: what runs, and what is open in reach.
fn surroundings(lines: &mut Lines, call: &Call, facts: &Facts) {
    let here = |account: &str| call.account().is_none_or(|own| own == account);
    let running = facts.strategies.known().map(|all| {
        all.iter()
            .filter(|running| running.account.as_deref().is_none_or(here))
            .collect::<Vec<_>>()
    });
    listed(lines, "deployed", NEARBY, running.as_deref(), |running| {
        let on = running.instrument.as_deref().unwrap_or("?");
        format!("{} {} on {on} ({})", running.id, running.class, running.state)
    });
    let open = facts.positions.known().map(|all| {
        all.iter()
            .filter(|position| here(&position.account))
            .collect::<Vec<_>>()
    });
    listed(lines, "open", NEARBY, open.as_deref(), |position| {
        format!(
            "{}: {} {}",
            facts.spelled(&position.account),
            position.name,
            signed(position.quantity)
        )
    });
    let working = facts.orders.known().map(|all| {
        all.iter()
            .filter(|order| order.working && here(&order.account))
            .collect::<Vec<_>>()
    });
    listed(lines, "working", NEARBY, working.as_deref(), |order| {
        with_prices(order)
    });
}

fn strategies(lines: &mut Lines, call: &Call, facts: &Facts) {
    let fields = call.fields();
    if call.class() == Class::Strategy {
        surroundings(lines, call, facts);
    }
    if call.class() == Class::Strategy || call.form() == Form::Backtest {
        if let Some(class) = &fields.class {
            lines.plain("strategy", class);
        }
        if let Some(quantity) = fields.quantity {
            lines.plain("quantity", quantity.to_string());
        }
    }
    if let Some(path) = &fields.path {
        lines.plain("file", path);
        let folded = path.to_ascii_lowercase();
        if folded.contains("addons") || folded.contains("addon") {
            lines.warn("folder", "AddOns: the code runs at once, without any deploy");
        }
    }
    if let Some(kind) = fields
        .plain("kind")
        .filter(|kind| kind.to_ascii_lowercase().contains("addon"))
    {
        lines.warn(
            "folder",
            format!("{kind}: the code runs at once, without any deploy"),
        );
    }
    if let Some(source) = &fields.source {
        let count = source.lines().count();
        lines.plain(
            "source",
            format!(
                "{}, {}",
                value::count(source.len(), "byte"),
                value::count(count, "line")
            ),
        );
    }
}

fn connections(lines: &mut Lines, call: &Call, facts: &Facts) {
    let broken = call
        .account()
        .and_then(|name| facts.account(name))
        .and_then(|account| account.connection.as_deref())
        .filter(|state| !state.eq_ignore_ascii_case("connected"));
    if let Some(state) = broken {
        lines.warn("connection", state);
    }
    if call.class() != Class::Connection {
        return;
    }
    listed(
        lines,
        "connections",
        NEARBY,
        facts.connections.known().map(Vec::as_slice),
        |connection| format!("{}: {}", connection.name, connection.status),
    );
    listed(
        lines,
        "open",
        NEARBY,
        facts.positions.known().map(Vec::as_slice),
        |position| {
            format!(
                "{}: {} {}",
                facts.spelled(&position.account),
                position.name,
                signed(position.quantity)
            )
        },
    );
}
