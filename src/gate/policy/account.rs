//! One account entry of the policy: a pattern, and the limits that hold for the accounts that it means.
//!
//! Owns: the limits as values with their line in the file, and which names a pattern means. Refuses to know: facts and
//! counters.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::collections::BTreeMap;

use serde::Deserialize;

use super::window::Window;
use crate::gate::Tier;
use crate::gate::catalogue::Class;
use crate::gate::value::{Decimal, OrderKind};

/// The pattern of the entry that means every account that no other entry means.
pub(super) const EVERY_OTHER: &str = "*";

/// What an account is, by the person's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountClass {
    /// Play money; believed only if the provider says so too.
    Sim,
    /// A prop firm's evaluation.
    Eval,
    /// A prop firm's funded account.
    Funded,
    /// Real money.
    Live,
}

impl AccountClass {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Eval => "eval",
            Self::Funded => "funded",
            Self::Live => "live",
        }
    }
}

/// One limit with its line in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit<T> {
    /// The limit.
    pub value: T,
    /// Its line in the file, 1-based.
    pub line: u32,
}

/// The limits that an entry and `[limits]` both may set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pace {
    /// Orders that may open risk, per 60 seconds.
    pub orders_per_minute: Option<Limit<u32>>,
    /// The same per trading day.
    pub orders_per_day: Option<Limit<u32>>,
    /// Contracts of such orders per trading day.
    pub daily_quantity: Option<Limit<u32>>,
    /// Seconds in which the same order is not sent twice.
    pub duplicate_seconds: Option<Limit<u32>>,
    /// Ticks that the market may move between card and approval.
    pub max_drift_ticks: Option<Limit<u32>>,
    /// The same in points.
    pub max_drift: Option<Limit<Decimal>>,
}

/// One account pattern and what holds for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the key of the same name in the file")]
pub struct AccountRule {
    pub pattern: String,
    pub line: u32,
    pub class: Option<Limit<AccountClass>>,
    pub blocked: Option<Limit<bool>>,
    pub tier: Option<Limit<Tier>>,
    pub classes: Option<Limit<Vec<Class>>>,
    pub order_types: Option<Limit<Vec<OrderKind>>>,
    pub max_quantity: BTreeMap<String, Limit<u32>>,
    pub max_position: BTreeMap<String, Limit<u32>>,
    pub max_contracts: Option<Limit<u32>>,
    pub micro_ratio: Option<Limit<u32>>,
    pub collar_ticks: Option<Limit<u32>>,
    pub collar_percent: Option<Limit<Decimal>>,
    pub daily_loss_floor: Option<Limit<Decimal>>,
    pub trailing_floor: Option<Limit<Decimal>>,
    pub windows: Vec<Window>,
    pub copies_to: Option<Limit<Vec<String>>>,
    pub pace: Pace,
}

/// How many micro contracts count as one mini where the entry does not say.
const MICRO_RATIO: u32 = 10;

impl AccountRule {
    /// Whether its pattern fits this name; `*` alone fits every name.
    pub(super) fn fits(&self, account: &str) -> bool {
        matches(&self.pattern, account)
    }

    /// Its limit for this root: the root's own, else that of `"*"`.
    pub fn of_root<'a>(table: &'a BTreeMap<String, Limit<u32>>, root: &str) -> Option<&'a Limit<u32>> {
        table.get(root).or_else(|| table.get(EVERY_OTHER))
    }

    /// Micro contracts that count as one mini.
    pub fn ratio(&self) -> u32 {
        self.micro_ratio.as_ref().map_or(MICRO_RATIO, |ratio| ratio.value)
    }

    /// Whether it limits how large an order or a position may be.
    pub fn bounds_size(&self) -> bool {
        !self.max_quantity.is_empty() || !self.max_position.is_empty() || self.max_contracts.is_some()
    }

    /// The names of all limits that it sets, for comparing entries.
    pub(super) fn keys(&self) -> Vec<&'static str> {
        let pace = &self.pace;
        let set = [
            ("blocked", self.blocked.is_some()),
            ("tier", self.tier.is_some()),
            ("classes", self.classes.is_some()),
            ("order_types", self.order_types.is_some()),
            ("max_quantity", !self.max_quantity.is_empty()),
            ("max_position", !self.max_position.is_empty()),
            ("max_contracts", self.max_contracts.is_some()),
            ("collar_ticks", self.collar_ticks.is_some()),
            ("collar_percent", self.collar_percent.is_some()),
            ("daily_loss_floor", self.daily_loss_floor.is_some()),
            ("trailing_floor", self.trailing_floor.is_some()),
            ("window", !self.windows.is_empty()),
            ("orders_per_minute", pace.orders_per_minute.is_some()),
            ("orders_per_day", pace.orders_per_day.is_some()),
            ("daily_quantity", pace.daily_quantity.is_some()),
            ("duplicate_seconds", pace.duplicate_seconds.is_some()),
            ("max_drift_ticks", pace.max_drift_ticks.is_some()),
            ("max_drift", pace.max_drift.is_some()),
        ];
        set.iter().filter(|(_, set)| *set).map(|(key, _)| *key).collect()
    }
}

/// A pattern with at most one `*` against an account name, without letter case.
pub(super) fn matches(pattern: &str, account: &str) -> bool {
    let (pattern, account) = (pattern.as_bytes(), account.as_bytes());
    match pattern.iter().position(|byte| *byte == b'*') {
        None => pattern.eq_ignore_ascii_case(account),
        Some(at) => {
            let (head, tail) = (pattern.get(..at), pattern.get(at.saturating_add(1)..));
            let (head, tail) = (head.unwrap_or_default(), tail.unwrap_or_default());
            let Some(rest) = account.len().checked_sub(tail.len()) else {
                return false;
            };
            rest >= head.len()
                && account
                    .get(..head.len())
                    .is_some_and(|own| own.eq_ignore_ascii_case(head))
                && account
                    .get(rest..)
                    .is_some_and(|own| own.eq_ignore_ascii_case(tail))
        }
    }
}
