//! The room that is left: the smallest first, what is unread as `?`.
//!
//! Owns: that line. Refuses to know: how a limit is measured; it takes what the judgement looked at, and the account's own
//! limits as the service tells them.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::Lines;
use super::money::trades;
use crate::gate::call::Call;
use crate::gate::card::Mark;
use crate::gate::effect::Effect;
use crate::gate::facts::Facts;
use crate::gate::judge::{self, Came, Judgement, Room};
use crate::gate::value::{self, Decimal};

/// One limit on the line.
struct Part {
    room: Option<Room>,
    text: String,
}

pub(super) fn room(
    lines: &mut Lines,
    call: &Call,
    facts: &Facts,
    effect: &Effect<'_>,
    judgement: &Judgement,
) {
    let Some(name) = call.account().filter(|_| trades(call) && effect.opening) else {
        return;
    };
    let mut parts = of_account(name, facts, effect);
    parts.extend(of_policy(name, facts, judgement));
    if parts.is_empty() {
        lines.plain("room", "no limit is set there");
        return;
    }
    // The smallest share first; what was not read cannot be placed, and stands first as well: it may be the smallest.
    parts.sort_by_key(|part| part.room.map(share));
    let least = parts.iter().filter_map(|part| part.room).map(share).min();
    let unread = parts.iter().any(|part| part.room.is_none());
    let gone = least.is_some_and(|least| least.is_negative() || least.is_zero());
    let mark = if unread || gone { Mark::Warn } else { Mark::Plain };
    let mut text = String::new();
    for part in parts {
        let longer = if text.is_empty() {
            part.text
        } else {
            format!("{text}; {}", part.text)
        };
        // A line has its bound: what has the most room is left out first.
        if longer.len() > crate::gate::card::MAX_VALUE {
            break;
        }
        text = longer;
    }
    lines.put("room", text, mark);
}

/// What share of a limit is left, in ten-thousandths.
fn share(room: Room) -> Decimal {
    let scaled = room.left.times(10_000);
    match scaled.steps(room.of) {
        Some((share, _)) => Decimal::whole(share),
        None => Decimal::default(),
    }
}

/// The account's own limits, as the service tells them.
fn of_account(name: &str, facts: &Facts, effect: &Effect<'_>) -> Vec<Part> {
    let Some(account) = facts.account(name) else {
        return vec![unread("daily loss"), unread("contracts")];
    };
    let mut parts = Vec::new();
    if let Some(of) = account.daily_loss_limit {
        let left = judge::day_result(facts, name).map(|result| of.plus(result));
        parts.push(money("daily loss", left, of));
    }
    if let Some(of) = account.max_position_size {
        let left = effect
            .after
            .map(|after| of.minus(Decimal::whole(after.saturating_abs())));
        parts.push(match left {
            Some(left) => Part {
                room: Some(Room { left, of }),
                text: format!("{left} of {of} contracts"),
            },
            None => unread("contracts"),
        });
    }
    parts
}

/// The limits of the policy that the judgement looked at.
fn of_policy(name: &str, facts: &Facts, judgement: &Judgement) -> Vec<Part> {
    let mut parts = Vec::new();
    for one in &judgement.looked {
        let what = match one.key {
            "daily_loss_floor" => "your daily loss floor",
            "trailing_floor" => "your trailing floor",
            "max_position" => "your max position",
            "max_contracts" => "your max contracts",
            _ => continue,
        };
        let elsewhere = one.account.as_deref().filter(|account| *account != name);
        let what = match elsewhere {
            Some(account) => format!("{what} in {}", value::short(&facts.spelled(account), 20)),
            None => what.to_owned(),
        };
        let money_key = matches!(one.key, "daily_loss_floor" | "trailing_floor");
        parts.push(match (one.came, one.room) {
            (Came::Unread(_), _) | (_, None) => unread(&what),
            (_, Some(room)) if money_key => money(&what, Some(room.left), room.of),
            (_, Some(room)) if one.key == "max_position" => Part {
                room: Some(room),
                text: format!("{} of {} {what}", room.left, room.of),
            },
            (_, Some(room)) => Part {
                room: Some(room),
                text: format!("{what} {} %", percent(room)),
            },
        });
    }
    parts
}

fn percent(room: Room) -> String {
    room.left
        .times(100)
        .steps(room.of)
        .map_or_else(|| "0".to_owned(), |(share, _)| share.to_string())
}

fn money(what: &str, left: Option<Decimal>, of: Decimal) -> Part {
    let Some(left) = left else { return unread(what) };
    Part {
        room: Some(Room { left, of }),
        text: format!("{} of {} {what}", left.money(), of.money()),
    }
}

fn unread(what: &str) -> Part {
    Part {
        room: None,
        text: format!("? {what}"),
    }
}
