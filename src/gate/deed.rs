//! The deed in words: headline and button of each tool's card.
//!
//! Owns: one sentence of capital verbs per tool. Refuses to know: policy, layout.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::call::Call;
use super::catalogue::{Class, Form};
use super::effect::{Effect, signed};
use super::facts::Order;
use super::instrument::Instrument;
use super::value::{self, Decimal, OrderKind, Side};

/// The deed of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deed {
    /// The side of what is placed.
    pub(super) side: Option<Side>,
    /// The headline.
    pub(super) headline: String,
    /// What follows `Approve` on the button.
    pub(super) label: String,
}

pub(super) fn deed(call: &Call, effect: &Effect<'_>) -> Deed {
    let fields = call.fields();
    let contract = effect
        .contract
        .as_ref()
        .or(call.instrument())
        .map_or_else(String::new, Instrument::canonical);
    let root = call.instrument_root().unwrap_or_default().to_owned();
    let order = |what: &str| {
        let side = fields.side.map_or("?", Side::word);
        let quantity = fields
            .quantity
            .map_or_else(|| "?".to_owned(), |quantity| quantity.to_string());
        format!("{side} {quantity} {what}")
    };
    let place = order(&contract);
    let short = order(&root);
    let mut side = None;
    let (headline, label) = match call.form() {
        Form::PlaceOrder => {
            side = fields.side;
            (place, short)
        }
        Form::FlatPlace => {
            side = fields.side;
            (format!("FLATTEN, THEN {place}"), format!("FLATTEN + {short}"))
        }
        Form::ReversePosition => {
            side = fields.side;
            (format!("REVERSE INTO {place}"), format!("REVERSE INTO {short}"))
        }
        Form::CancelReplace => {
            side = fields.side;
            (format!("REPLACE BY {place}"), format!("REPLACE BY {short}"))
        }
        Form::Reverse => {
            let from = effect.before.map_or_else(|| "?".to_owned(), signed);
            let to = effect.after.map_or_else(|| "?".to_owned(), signed);
            (
                format!("REVERSE {contract} {from} -> {to}"),
                format!("REVERSE {root}"),
            )
        }
        Form::Change => named(effect.named, fields.order_id.as_deref(), "CHANGE"),
        Form::CancelOne => named(effect.named, fields.order_id.as_deref(), "CANCEL"),
        Form::CancelAndBracket => {
            side = fields.side.map(Side::other);
            let quantity = fields.quantity.unwrap_or_default();
            let exit = side.map_or("?", Side::word);
            (
                format!("CANCEL ALL, THEN {exit} BRACKET {quantity} {contract}"),
                format!("{exit} BRACKET {quantity} {root}"),
            )
        }
        Form::CancelOrders | Form::CancelAllOrders => cancel_many(call, effect),
        Form::ClosePosition => close(call, effect, &contract),
        Form::Flatten | Form::FlattenEverything => flatten(call, effect),
        Form::DeployStrategy => strategy("DEPLOY", call, &contract),
        Form::StartStrategy => strategy("START", call, &contract),
        Form::EnableStrategy => strategy("ENABLE", call, &contract),
        Form::DisableStrategy => strategy("DISABLE", call, &contract),
        Form::StopStrategy => strategy("STOP", call, &contract),
        Form::CloseStrategy => strategy("CLOSE", call, &contract),
        form @ (Form::WriteFile | Form::Compile | Form::DeleteSnippet) => code(form, call),
        Form::Backtest => {
            let name = fields.class.as_deref().unwrap_or("a strategy");
            (format!("RUN BACKTEST of {name}"), "RUN BACKTEST".to_owned())
        }
        Form::CancelJob => same(format!("CANCEL JOB {}", fields.job_id.as_deref().unwrap_or("?"))),
        Form::Connect => same(format!("CONNECT {}", fields.connection.as_deref().unwrap_or("?"))),
        Form::Disconnect => same(format!(
            "DISCONNECT {}",
            fields.connection.as_deref().unwrap_or("?")
        )),
        Form::Replay => same("SWITCH TO MARKET REPLAY".to_owned()),
        Form::Alert => same("SEND A MESSAGE".to_owned()),
        Form::Workspace => same(workspace(call.tool()).to_owned()),
        Form::SyncJournal => same("WRITE LOCAL TRADES INTO THE JOURNAL".to_owned()),
        Form::DeepTest => same("RUN THE DEEP SELF-TEST".to_owned()),
        Form::Read | Form::Unknown => same(format!("RUN {}", value::short(call.tool(), 40))),
    };
    Deed {
        side,
        headline,
        label,
    }
}

fn same(text: String) -> (String, String) {
    (text.clone(), text)
}

/// `STOP 2 MES 12-26` of an order that exists.
pub(super) fn describe(order: &Order) -> String {
    let kind = order.kind.map_or("?", OrderKind::word);
    format!("{} {kind} {} {}", order.side.word(), order.quantity, order.name)
}

fn named(order: Option<&Order>, id: Option<&str>, verb: &str) -> (String, String) {
    match order {
        Some(order) => {
            let root = order
                .instrument
                .as_ref()
                .map_or(order.name.as_str(), |own| own.root.as_str());
            let kind = order.kind.map_or("", OrderKind::word);
            let label = format!("{verb} {} {kind} {} {root}", order.side.word(), order.quantity);
            (format!("{verb} {}", describe(order)), label)
        }
        None => same(format!("{verb} ORDER {}", value::short(id.unwrap_or("?"), 24))),
    }
}

fn count(found: Option<usize>) -> String {
    found.map_or_else(|| "?".to_owned(), |count| count.to_string())
}

fn where_to(call: &Call) -> &'static str {
    if call.account().is_none() {
        " IN ALL ACCOUNTS"
    } else {
        ""
    }
}

fn plural(word: &str, found: Option<usize>) -> String {
    let end = if found == Some(1) { "" } else { "S" };
    format!("{} {word}{end}", count(found))
}

fn cancel_many(call: &Call, effect: &Effect<'_>) -> (String, String) {
    let ids = call.fields().order_ids.len();
    let found = effect
        .cancels
        .as_ref()
        .map(Vec::len)
        .filter(|_| ids == 0)
        .or((ids > 0).then_some(ids));
    let on = call
        .instrument()
        .map_or_else(String::new, |instrument| format!(" ON {instrument}"));
    let text = plural("ORDER", found);
    (
        format!("CANCEL {text}{on}{}", where_to(call)),
        format!("CANCEL {text}{}", where_to(call)),
    )
}

fn close(call: &Call, effect: &Effect<'_>, contract: &str) -> (String, String) {
    let root = call.instrument_root().unwrap_or_default();
    let held = effect.before.map_or_else(|| "?".to_owned(), signed);
    let part = match effect.before.zip(effect.after) {
        Some((_, 0)) => None,
        Some((before, after)) => Some(before.saturating_sub(after).saturating_abs().to_string()),
        // Before the reads the arguments alone say whether anything stays.
        None => part(call),
    };
    match part {
        Some(part) => (
            format!("CLOSE {part} OF {contract} {held}"),
            format!("CLOSE {part} {root}"),
        ),
        None => (format!("CLOSE {contract} {held}"), format!("CLOSE {root}")),
    }
}

/// The part that `ClosePosition` is asked to close, `1` or `20 %`; `None` for everything.
pub(super) fn part(call: &Call) -> Option<String> {
    let fields = call.fields();
    let whole = Decimal::whole(1);
    match (fields.quantity, fields.percent) {
        (Some(quantity), _) => Some(quantity.to_string()),
        (None, Some(percent)) if percent < whole => Some(format!("{} %", percent.times(100))),
        (None, _) => None,
    }
}

fn flatten(call: &Call, effect: &Effect<'_>) -> (String, String) {
    let text = plural("POSITION", effect.closes.as_ref().map(Vec::len));
    let kind = match call.fields().market_position {
        Some(Side::Buy) => " LONG",
        Some(Side::Sell) => " SHORT",
        None => "",
    };
    let on = call
        .instrument()
        .map_or_else(String::new, |instrument| format!(" ON {instrument}"));
    (
        format!("FLATTEN{kind} {text}{on}{}", where_to(call)),
        // With an instrument the button names it: it must not read like the end of every position.
        match call.instrument_root() {
            Some(root) => format!("FLATTEN{kind} {root}{}", where_to(call)),
            // The count would push the reach off the button.
            None if !kind.is_empty() => format!("FLATTEN{kind} POSITIONS{}", where_to(call)),
            None => format!("FLATTEN {text}{}", where_to(call)),
        },
    )
}

fn strategy(verb: &str, call: &Call, contract: &str) -> (String, String) {
    let fields = call.fields();
    let class = fields.class.as_deref().unwrap_or("?");
    let id = fields
        .strategy_id
        .as_deref()
        .or(fields.deployment_id.as_deref())
        .unwrap_or("?");
    let on = if contract.is_empty() {
        String::new()
    } else {
        format!(" ON {contract}")
    };
    let name = if call.class() == Class::Strategy && fields.class.is_some() {
        class
    } else {
        id
    };
    (
        format!("{verb} STRATEGY {name}{on}"),
        format!("{verb} STRATEGY {}", value::short(name, 24)),
    )
}

fn code(form: Form, call: &Call) -> (String, String) {
    let fields = call.fields();
    if form == Form::DeleteSnippet {
        return same("DELETE COMPILED SNIPPET".to_owned());
    }
    if form == Form::WriteFile {
        let file = fields
            .path
            .as_deref()
            .or_else(|| fields.plain("name"))
            .unwrap_or("?");
        return (
            format!("WRITE FILE {}", value::short(file, 60)),
            "WRITE FILE".to_owned(),
        );
    }
    let class = fields.class.as_deref().unwrap_or("?");
    if call.class() == Class::Job {
        return (
            format!("COMPILE {class} IN MEMORY"),
            "COMPILE IN MEMORY".to_owned(),
        );
    }
    (
        format!("COMPILE AND WRITE {class}"),
        "COMPILE AND WRITE".to_owned(),
    )
}

fn workspace(tool: &str) -> &'static str {
    match tool {
        "OpenChart" => "OPEN A CHART",
        "SaveWorkspace" => "SAVE THE WORKSPACE",
        "LoadWorkspace" => "LOAD A WORKSPACE",
        "AddDrawing" => "ADD A DRAWING",
        "RemoveDrawing" => "REMOVE A DRAWING",
        _ => "CHANGE THE WORKSPACE",
    }
}
