//! The policy as text for the person.
//!
//! Owns: its words. Refuses to know: judgement.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use super::account::{AccountRule, EVERY_OTHER, Limit, Pace};
use super::{Limits, Policy};
use crate::gate::Tier;
use crate::gate::value::{self, OrderKind};

/// The tier's word in policy files.
pub const fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Click => "click",
        Tier::Pin => "pin",
        Tier::Passkey => "passkey",
    }
}

/// The word of an order type in policy files.
pub(in crate::gate) const fn kind_word(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::Market => "market",
        OrderKind::Limit => "limit",
        OrderKind::Stop => "stop",
        OrderKind::StopLimit => "stoplimit",
    }
}

impl Policy {
    /// The policy as text for the person.
    pub fn show(&self) -> String {
        let mut out = String::from("reads pass; every other call asks, except:\n");
        for rule in &self.accounts {
            entry(&mut out, rule);
        }
        limits(&mut out, &self.limits);
        for rule in &self.rules {
            let _ = writeln!(out, "{}", rule.line());
        }
        if self.accounts.is_empty() && self.rules.is_empty() {
            out.push_str("(no accounts or rules are set)\n");
        }
        out
    }
}

fn entry(out: &mut String, rule: &AccountRule) {
    let name = if rule.pattern == EVERY_OTHER {
        "every other account".to_owned()
    } else {
        format!("account {}", value::short(&rule.pattern, 64))
    };
    let _ = write!(out, "{name}:");
    if let Some(class) = &rule.class {
        let _ = write!(out, " {}", class.value.word());
    }
    if rule.blocked.as_ref().is_some_and(|blocked| blocked.value) {
        out.push_str(" BLOCKED");
    }
    if let Some(tier) = &rule.tier {
        let _ = write!(out, " tier={}", tier_word(tier.value));
    }
    out.push('\n');
    let mut say = |key: &str, text: String| {
        let _ = writeln!(out, "  {key}: {text}");
    };
    if let Some(classes) = &rule.classes {
        let words: Vec<&str> = classes.value.iter().map(|class| class.word()).collect();
        say("classes", format!("{} (ways out always)", words.join(", ")));
    }
    if let Some(types) = &rule.order_types {
        let words: Vec<&str> = types.value.iter().map(|kind| kind_word(*kind)).collect();
        say("order types", words.join(", "));
    }
    for (key, table) in [
        ("max quantity of one order", &rule.max_quantity),
        ("max position", &rule.max_position),
    ] {
        if !table.is_empty() {
            say(key, roots(table));
        }
    }
    if let Some(most) = &rule.max_contracts {
        let ratio = rule.ratio();
        let text = format!(
            "{} over the whole account ({ratio} micros count as 1)",
            most.value
        );
        say("max contracts", text);
    }
    let ticks = number(rule.collar_ticks.as_ref(), " ticks");
    let percent = number(rule.collar_percent.as_ref(), " %");
    if let Some(text) = both(ticks, percent) {
        say("price collar", format!("{text} from the market"));
    }
    for window in &rule.windows {
        say("trading window", window.to_string());
    }
    if let Some(floor) = &rule.daily_loss_floor {
        say("daily loss floor", format!("-{}", floor.value.money()));
    }
    if let Some(floor) = &rule.trailing_floor {
        say(
            "trailing floor",
            format!("{} below the high", floor.value.money()),
        );
    }
    if let Some(copies) = &rule.copies_to {
        say("copied to", copies.value.join(", "));
    }
    pace(out, "  ", &rule.pace);
}

fn limits(out: &mut String, limits: &Limits) {
    if limits.pace != Pace::default() {
        out.push_str("all accounts together:\n");
    }
    pace(out, "  ", &limits.pace);
    if let Some(boundary) = &limits.day_boundary {
        let _ = writeln!(out, "a trading day begins at {boundary}");
    }
    for (what, own) in [
        ("a quote proves a price for", &limits.quote_seconds),
        (
            "a card of a market order stands for",
            &limits.market_ticket_seconds,
        ),
        ("every other card stands for", &limits.ticket_seconds),
    ] {
        if let Some(own) = own {
            let _ = writeln!(out, "{what} {} s", own.value);
        }
    }
}

fn pace(out: &mut String, indent: &str, pace: &Pace) {
    for (what, own) in [
        ("orders per minute", &pace.orders_per_minute),
        ("orders per day", &pace.orders_per_day),
        ("contracts per day", &pace.daily_quantity),
        (
            "seconds between two orders that are the same",
            &pace.duplicate_seconds,
        ),
    ] {
        if let Some(own) = own {
            let _ = writeln!(out, "{indent}{what}: {}", own.value);
        }
    }
    let ticks = number(pace.max_drift_ticks.as_ref(), " ticks");
    let points = number(pace.max_drift.as_ref(), " points");
    if let Some(text) = both(ticks, points) {
        let _ = writeln!(out, "{indent}asked again when the market moved more than: {text}");
    }
}

fn number<T: Display>(own: Option<&Limit<T>>, unit: &str) -> Option<String> {
    own.map(|own| format!("{}{unit}", own.value))
}

fn both(one: Option<String>, other: Option<String>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => Some(format!("{one} or {other}")),
        (one, other) => one.or(other),
    }
}

fn roots(table: &BTreeMap<String, Limit<u32>>) -> String {
    let named = table.iter().filter(|(root, _)| *root != EVERY_OTHER);
    let mut parts: Vec<String> = named
        .map(|(root, most)| format!("{root} {}", most.value))
        .collect();
    if let Some(most) = table.get(EVERY_OTHER) {
        parts.push(match most.value {
            0 => "nothing else".to_owned(),
            most => format!("any other {most}"),
        });
    }
    parts.join(", ")
}
