//! Limits on money: the day's loss, and the distance to the balance's high.
//!
//! Owns: both floors. Refuses to know: sizes and prices. The day is the service's own: it says when its results begin anew.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::brakes::{Measure, Whose};
use super::looked::{Came, Looked, Room};
use crate::gate::facts::{Day, Facts};
use crate::gate::policy::AccountRule;
use crate::gate::value::Decimal;

/// The day's result with open positions; realised alone counts only where nothing is open.
pub(in crate::gate) fn day_result(facts: &Facts, account: &str) -> Option<Decimal> {
    let (summary, marks) = facts.day(account);
    let total = |day: Option<&Day>| day.and_then(|day| day.total);
    let flat = facts
        .positions
        .known()
        .is_some_and(|all| !all.iter().any(|position| position.account == account));
    total(summary)
        .or(total(marks))
        .or(summary.and_then(|day| day.realised).filter(|_| flat))
}

/// How far the balance is below its high.
fn below_high(facts: &Facts, account: &str) -> Option<Decimal> {
    let (summary, marks) = facts.day(account);
    let below = |day: Option<&Day>| day.and_then(|day| day.below_high);
    below(marks).or(below(summary))
}

pub(super) fn floors(measure: &Measure<'_>, rule: &AccountRule, whose: Whose<'_>, looked: &mut Vec<Looked>) {
    if let Some(limit) = &rule.daily_loss_floor {
        let result = whose
            .account
            .and_then(|account| day_result(measure.facts, account));
        let lost = result.map(|result| Decimal::default().minus(result));
        let words = Words {
            key: "daily_loss_floor",
            code: "daily_loss",
            unread: "the day's profit or loss of this account could not be read",
            said: "the day's loss",
        };
        looked.push(floor(&words, limit.line, limit.value, lost, whose));
    }
    if let Some(limit) = &rule.trailing_floor {
        let below = whose
            .account
            .and_then(|account| below_high(measure.facts, account));
        let words = Words {
            key: "trailing_floor",
            code: "trailing_loss",
            unread: "how far this account is below its high could not be read",
            said: "the distance below the high",
        };
        looked.push(floor(&words, limit.line, limit.value, below, whose));
    }
}

struct Words {
    key: &'static str,
    code: &'static str,
    unread: &'static str,
    said: &'static str,
}

fn floor(words: &Words, line: u32, most: Decimal, lost: Option<Decimal>, whose: Whose<'_>) -> Looked {
    let Some(lost) = lost else {
        return whose.looked(
            words.key,
            line,
            Came::Unread("day_unread"),
            words.unread.to_owned(),
        );
    };
    let said = words.said;
    // A profit is no distance.
    let shown = lost.max(Decimal::default()).money();
    let (came, detail) = if lost >= most {
        (
            Came::Refused(words.code),
            format!(
                "{said} is {shown}, and at {} the policy opens nothing new",
                most.money()
            ),
        )
    } else {
        (
            Came::Passed,
            format!("{said} is {shown}, at most {}", most.money()),
        )
    };
    let mut looked = whose.looked(words.key, line, came, detail);
    looked.room = Some(Room {
        left: most.minus(lost),
        of: most,
    });
    looked
}
