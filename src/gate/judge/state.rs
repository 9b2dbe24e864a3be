//! What stops a call whatever its size: the platform's state, a blocked account, a deny rule, doubt about an earlier order.
//!
//! Owns: those refusals and their words. Refuses to know: the policy's numbers.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::reach::Reach;
use super::{Effect, Situation};
use crate::gate::call::Call;
use crate::gate::catalogue::{Class, Form};
use crate::gate::facts::Facts;
use crate::gate::outcome::is_missing;
use crate::gate::policy::{Do, Policy};
use crate::gate::value;

/// A refusal on its way into the judgement.
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) reason: String,
    pub(super) rule: String,
}

pub(super) fn refused(code: &'static str, reason: impl Into<String>, rule: impl Into<String>) -> Refused {
    Refused {
        code,
        reason: reason.into(),
        rule: rule.into(),
    }
}

pub(super) fn not_connected(facts: &Facts) -> Option<Refused> {
    facts.not_connected().then(|| {
        refused(
            "not_connected",
            "NinjaTrader is not connected (start it with the CrossTrade add-on, then ask again)",
            "state: the add-on must answer",
        )
    })
}

pub(super) fn blocked(call: &Call, reach: &Reach, policy: &Policy, effect: &Effect<'_>) -> Option<Refused> {
    if !reach.bound {
        return None;
    }
    let (account, rule) = reach
        .deciding()
        .find_map(|account| Some((account, policy.blocked(account)?)))?;
    let line = rule.blocked.as_ref().map_or(rule.line, |blocked| blocked.line);
    let name = account.map_or_else(
        || "an account that may be meant".to_owned(),
        |name| value::short(name, 64),
    );
    let wide = matches!(call.form(), Form::Flatten | Form::FlattenEverything) && call.account().is_none();
    let exit = match (is_exit(effect.class), wide) {
        (true, true) => {
            "; to close others, use `Flatten` with the account; to close it, use NinjaTrader itself"
        }
        (true, false) => "; to close it, use NinjaTrader itself",
        (false, _) => "",
    };
    Some(refused(
        "account_blocked",
        format!("the policy blocks {name}{exit}"),
        format!("line {line}: blocked ({name})"),
    ))
}

pub(super) const fn is_exit(class: Class) -> bool {
    matches!(class, Class::Exit | Class::Protect)
}

pub(super) fn denied_by_rule(
    call: &Call,
    effect: &Effect<'_>,
    reach: &Reach,
    policy: &Policy,
) -> Option<Refused> {
    let rule = reach
        .deciding()
        .filter_map(|account| policy.deciding(effect.class, call.tool(), account))
        .find(|rule| rule.action() == Do::Deny)?;
    let exit = if is_exit(effect.class) {
        "; to close it, use NinjaTrader itself"
    } else {
        ""
    };
    Some(refused(
        "policy_denied",
        format!("the policy denies it ({}){exit}", rule.line()),
        rule.line(),
    ))
}

/// A new size for an order that was not read: nobody can say of what, nor how much it adds. Where a maximum could apply
/// it would be passed by; where the money may be real nobody should be asked to sign it blind.
pub(super) fn change_unread(
    call: &Call,
    effect: &Effect<'_>,
    reach: &Reach,
    policy: &Policy,
) -> Option<Refused> {
    let quantity = call.fields().quantity.filter(|_| call.form() == Form::Change)?;
    let bounded = reach.deciding().any(|account| policy.bounds_size(account));
    let unread = match effect.named {
        None => bounded || reach.live,
        Some(order) => bounded && order.instrument.is_none(),
    };
    unread.then(|| {
        refused(
            "size_unread",
            format!("the order whose size would become {quantity} could not be read"),
            "state: an order must be read before its size is changed",
        )
    })
}

/// On a live account an opening order needs a read position.
pub(super) fn unread_position(
    call: &Call,
    facts: &Facts,
    effect: &Effect<'_>,
    reach: &Reach,
) -> Option<Refused> {
    let orders = effect.class == Class::Order && call.class() == Class::Order;
    let missing = facts.positions.known().is_none();
    (orders && effect.opening && reach.live && missing).then(|| {
        refused(
            "position_unread",
            "the position of this account could not be read, and an order that may open risk needs it",
            "state: the position must be read on a live account",
        )
    })
}

pub(super) fn matches_unknown(call: &Call, situation: &Situation<'_>) -> bool {
    may_be_at(call, situation.unknown_outcomes)
}

/// Whether the lists leave out an order that was taken a moment ago where this call may act: the position on the card is
/// not the one that there is.
pub(super) fn lists_lag(call: &Call, facts: &Facts, situation: &Situation<'_>) -> bool {
    let mut lately = situation.lately.iter();
    lately.any(|ticket| {
        let place = (
            ticket.account.clone().unwrap_or_default(),
            ticket.root.clone().unwrap_or_default(),
        );
        may_be_at(call, &[place]) && is_missing(ticket, facts)
    })
}

/// Whether the call may act where one of these does: accounts in lower case, with roots.
pub(super) fn may_be_at(call: &Call, others: &[(String, String)]) -> bool {
    others.iter().any(|(account, root)| {
        // One without an account or a root may be anywhere.
        let may_be = |own: Option<&str>, there: &str| {
            there.is_empty() || own.is_none_or(|own| own.eq_ignore_ascii_case(there))
        };
        may_be(call.account(), account) && may_be(call.instrument_root(), root)
    })
}

pub(super) fn unknown_outcome(
    effect: &Effect<'_>,
    reach: &Reach,
    situation: &Situation<'_>,
    unresolved: bool,
) -> Option<Refused> {
    (unresolved && situation.unacknowledged && effect.opening && reach.live).then(|| {
        refused(
            "unknown_outcome",
            "an earlier order there has an unknown outcome; the person must look at it first and then run `countersign acknowledge`",
            "state: an unknown outcome waits for the person",
        )
    })
}

/// What limits asking, and counters that cannot be read.
pub(super) fn limits(effect: &Effect<'_>, situation: &Situation<'_>, asking: bool) -> Option<Refused> {
    let counters = situation.counters;
    let brake = if asking {
        counters.brake(
            effect.class,
            effect.opening,
            situation.open_entry_tickets,
            situation.now_wall,
        )
    } else {
        counters.unreadable(effect.class, effect.opening)
    };
    let (code, reason) = brake?;
    Some(refused(code, reason, format!("limit: {code}")))
}
