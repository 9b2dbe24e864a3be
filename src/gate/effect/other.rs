//! Calls that place no order themselves: strategies, code, connections, workspaces.
//!
//! Owns: the warnings that belong to them. Refuses to know: policy, limits.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::Effect;
use crate::gate::call::Call;
use crate::gate::catalogue::{Class, Form};
use crate::gate::facts::Facts;

pub(super) fn starts_trading(effect: &mut Effect<'_>, call: &Call, facts: &Facts) {
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

pub(super) fn stops_managing(effect: &mut Effect<'_>, call: &Call, facts: &Facts) {
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

pub(super) fn compile(effect: &mut Effect<'_>) {
    if effect.class == Class::Code {
        effect.warn("WRITES THE CODE INTO NINJATRADER'S FOLDER");
    } else {
        effect.opening = false;
    }
}

pub(super) fn connection(effect: &mut Effect<'_>, call: &Call, facts: &Facts) {
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

pub(super) fn workspace(effect: &mut Effect<'_>, call: &Call) {
    effect.opening = false;
    if call.tool() == "LoadWorkspace" {
        effect.warn("MAY CLOSE CHARTS THAT RUN STRATEGIES");
    }
}
