//! The policy's limits on a call that may open risk, one after the other.
//!
//! Owns: which limits are looked at, for which account, in which order. Refuses to know: refusing (the judgement takes the
//! first that refuses) and rules. Proven ways out are never looked at here.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::looked::{Came, Looked, Room};
use super::reach::{Reach, Reached};
use super::{Effect, Entry, Situation, money, price, size};
use crate::gate::call::Call;
use crate::gate::catalogue::{Class, Form};
use crate::gate::exposure::{Adding, adding};
use crate::gate::facts::Facts;
use crate::gate::limits::{Count, Group, group};
use crate::gate::policy::{AccountRule, Limit, Open, Pace, Policy, local_text};
use crate::gate::value::{self, Decimal, OrderKind};

/// Everything that a limit may be measured by.
pub(super) struct Measure<'a> {
    pub(super) call: &'a Call,
    pub(super) facts: &'a Facts,
    pub(super) effect: &'a Effect<'a>,
    pub(super) policy: &'a Policy,
    pub(super) situation: &'a Situation<'a>,
    pub(super) adding: Adding,
    pub(super) entry: Option<&'a Entry>,
    /// When the trading day began; `None` where no calendar has this time.
    day: Option<u64>,
}

/// Whose limit it is.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    /// `None` for all accounts together, and for one that is not known by name.
    pub(super) account: Option<&'a str>,
    pub(super) live: bool,
}

impl Whose<'_> {
    pub(super) fn looked(self, key: &'static str, line: u32, came: Came, detail: String) -> Looked {
        Looked {
            key,
            account: self.account.map(str::to_owned),
            line,
            came,
            detail,
            room: None,
            live: self.live,
        }
    }
}

/// Looks at every limit that holds for this call.
pub(super) fn look<'a>(
    call: &'a Call,
    facts: &'a Facts,
    effect: &'a Effect<'a>,
    policy: &'a Policy,
    situation: &'a Situation<'a>,
    reach: &Reach,
    entry: Option<&'a Entry>,
) -> Vec<Looked> {
    let mut looked = Vec::new();
    if !reach.bound || group(effect.class, effect.opening) == Group::Free {
        return looked;
    }
    let measure = Measure {
        call,
        facts,
        effect,
        policy,
        situation,
        adding: adding(call, effect),
        entry,
        day: policy.day_start(situation.now_wall),
    };
    for reached in reach.all() {
        for rule in policy.meaning(reached.name()) {
            measure.entry_of(rule, reached, &mut looked);
        }
    }
    if entry.is_some() {
        let whose = Whose {
            account: None,
            live: reach.live,
        };
        measure.pace(&policy.limits().pace, whose, &mut looked);
    }
    looked
}

impl Measure<'_> {
    fn entry_of(&self, rule: &AccountRule, reached: &Reached, looked: &mut Vec<Looked>) {
        let whose = Whose {
            account: reached.name(),
            live: reached.live,
        };
        looked.extend(self.classes(rule, whose));
        if self.entry.is_none() {
            return;
        }
        looked.extend(self.windows(rule, whose));
        looked.extend(self.order_types(rule, whose));
        size::look(self, rule, whose, looked);
        price::collar(self, rule, whose, looked);
        money::floors(self, rule, whose, looked);
        self.pace(&rule.pace, whose, looked);
    }

    fn classes(&self, rule: &AccountRule, whose: Whose<'_>) -> Option<Looked> {
        let classes = rule.classes.as_ref()?;
        let class = self.effect.class;
        // What only closes, without the proof that it does, is no choice of the policy either.
        if class == Class::Order && !self.effect.opening {
            return None;
        }
        let good = classes.value.contains(&class);
        let came = if good {
            Came::Passed
        } else {
            Came::Refused("class_not_allowed")
        };
        let detail = if good {
            format!("class {class}")
        } else {
            format!("this account is not used for calls of class {class}")
        };
        Some(whose.looked("classes", classes.line, came, detail))
    }

    fn windows(&self, rule: &AccountRule, whose: Whose<'_>) -> Option<Looked> {
        let first = rule.windows.first()?;
        let now = self.situation.now_wall;
        let (open, window) = rule
            .windows
            .iter()
            .map(|window| (window.open(now), window))
            .max_by_key(|(open, window)| (*open, std::cmp::Reverse(window.line())))
            .unwrap_or((Open::No, first));
        let clock = local_text(window.zone(), now);
        let (came, detail) = match open {
            Open::Yes => (Came::Passed, format!("{clock} is in {window}")),
            Open::NothingNew if !self.is_new() => {
                (Came::Passed, format!("{clock}, and it opens nothing new"))
            }
            Open::NothingNew => (
                Came::Refused("nothing_new"),
                format!("it is {clock} there, and nothing new is opened so late ({window})"),
            ),
            Open::No => (
                Came::Refused("window_closed"),
                format!("it is {clock} there, and the trading window is closed ({window})"),
            ),
        };
        Some(whose.looked("window", window.line(), came, detail))
    }

    /// Whether it brings a new order or a larger one, not another price or protection for what is there.
    fn is_new(&self) -> bool {
        let held = self.effect.before.is_some_and(|before| before != 0);
        let form = self.call.form();
        if form == Form::Change {
            self.adding != Adding::Nothing
        } else {
            form != Form::CancelAndBracket || !held
        }
    }

    fn order_types(&self, rule: &AccountRule, whose: Whose<'_>) -> Option<Looked> {
        let types = rule.order_types.as_ref()?;
        let form = self.call.form();
        let kind = if form == Form::Reverse {
            OrderKind::Market
        } else if form == Form::Change {
            self.effect.named.and_then(|order| order.kind)?
        } else {
            self.call.fields().kind?
        };
        let word = kind.word();
        let good = types.value.contains(&kind);
        let came = if good {
            Came::Passed
        } else {
            Came::Refused("order_type")
        };
        let detail = if good {
            format!("type {word}")
        } else {
            format!("orders of type {word} are not used on this account")
        };
        Some(whose.looked("order_types", types.line, came, detail))
    }

    /// The limits on how many, how much and how soon again.
    fn pace(&self, pace: &Pace, whose: Whose<'_>, looked: &mut Vec<Looked>) {
        let Some(entry) = self.entry else { return };
        let (counters, now) = (self.situation.counters, self.situation.now_wall);
        looked.extend(price::drift(self, pace, whose));
        if let Some(limit) = &pace.duplicate_seconds {
            looked.push(self.duplicate(limit, entry, whose));
        }
        // Counters that cannot be read refuse by themselves.
        if counters.is_exhausted() {
            return;
        }
        if let Some(limit) = &pace.orders_per_minute {
            let count = counters.last_minute(whose.account, now);
            looked.push(orders(limit, "orders_per_minute", "minute", count, whose));
        }
        let today = self.day.map(|start| counters.since(start, whose.account, now));
        if let Some(limit) = &pace.orders_per_day {
            looked.push(match today {
                Some(count) => orders(limit, "orders_per_day", "day", count, whose),
                None => no_day("orders_per_day", limit, whose),
            });
        }
        if let Some(limit) = &pace.daily_quantity {
            looked.push(match today {
                Some(count) => contracts(limit, count, entry.quantity, whose),
                None => no_day("daily_quantity", limit, whose),
            });
        }
    }

    fn duplicate(&self, limit: &Limit<u32>, entry: &Entry, whose: Whose<'_>) -> Looked {
        let span = u64::from(limit.value).saturating_mul(1000);
        let last = self
            .situation
            .counters
            .last_twin(&entry.twin, whose.account, self.situation.now_wall);
        let (came, detail) = match last.filter(|age| *age < span) {
            None => (Came::Passed, format!("not sent in the last {} s", limit.value)),
            Some(age) => {
                let left = span.saturating_sub(age).div_ceil(1000);
                let ago = age / 1000;
                (
                    Came::Refused("duplicate"),
                    format!(
                        "the very same order was sent {ago} s ago; if it is meant twice, ask again in {left} s"
                    ),
                )
            }
        };
        whose.looked("duplicate_seconds", limit.line, came, detail)
    }
}

const AHEAD: &str = "; some of them were counted while this computer's clock was ahead: if the clock is right now, \
                     the person can begin the counts anew, and `countersign policy check` says how";

fn orders(limit: &Limit<u32>, key: &'static str, word: &str, count: Count, whose: Whose<'_>) -> Looked {
    let (used, most) = (count.orders, limit.value);
    let (came, detail) = if used < most {
        (Came::Passed, format!("{used} of {most} used"))
    } else {
        let ahead = if count.ahead { AHEAD } else { "" };
        (
            Came::Refused(key),
            format!("the policy allows {most} orders per {word}, and they are used up{ahead}"),
        )
    };
    let mut looked = whose.looked(key, limit.line, came, detail);
    let left = i64::from(most).saturating_sub(i64::from(used));
    looked.room = Some(room(left.saturating_sub(1), i64::from(most)));
    looked
}

fn contracts(limit: &Limit<u32>, count: Count, quantity: Option<u32>, whose: Whose<'_>) -> Looked {
    let key = "daily_quantity";
    let most = u64::from(limit.value);
    let Some(quantity) = quantity.map(u64::from) else {
        let detail = "the size could not be read, and the contracts of a day are limited".to_owned();
        return whose.looked(key, limit.line, Came::Unread("size_unread"), detail);
    };
    let Some(used) = count.contracts else {
        let detail = format!(
            "an order of unknown size was sent today, so the {} per day count as used up",
            value::count(most, "contract")
        );
        return whose.looked(key, limit.line, Came::Refused(key), detail);
    };
    let after = used.saturating_add(quantity);
    let (came, detail) = if after <= most {
        (
            Came::Passed,
            format!("{after} of {most} contracts today, with it"),
        )
    } else {
        let ahead = if count.ahead { AHEAD } else { "" };
        (
            Came::Refused(key),
            format!(
                "the policy allows {} per day; {used} used, and this asks for {quantity}{ahead}",
                value::count(most, "contract")
            ),
        )
    };
    whose.looked(key, limit.line, came, detail)
}

fn no_day(key: &'static str, limit: &Limit<u32>, whose: Whose<'_>) -> Looked {
    let detail = "this computer's clock shows a time that no calendar has; set it right".to_owned();
    whose.looked(key, limit.line, Came::Refused(key), detail)
}

pub(super) const fn room(left: i64, of: i64) -> Room {
    Room {
        left: Decimal::whole(left),
        of: Decimal::whole(of),
    }
}
