//! The state reads that a policy needs for a call, beside those that the call's card wants by itself.
//!
//! Owns: which those are. Refuses to know: how they are read.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::Policy;
use super::account::AccountRule;
use crate::gate::call::Call;
use crate::gate::catalogue::Form;
use crate::gate::facts::{Facts, StateRead};

/// The most accounts whose day is read beside the call's own: two reads each, of a budget of 3 requests a second.
const MOST_DAYS: usize = 4;

impl Policy {
    /// The state reads for a call, most important first. Where its orders are copied, positions and orders of all
    /// accounts are read at once, and the days of the copied accounts whose losses are limited. What is beyond the
    /// request budget stays unread.
    pub fn reads(&self, call: &Call) -> Vec<StateRead> {
        let reads = call.reads();
        let copies = call
            .account()
            .map(|account| self.copies_of(account))
            .unwrap_or_default();
        if copies.is_empty() {
            return reads;
        }
        let mut all: Vec<StateRead> = reads
            .into_iter()
            .map(|read| match read.tool {
                "ListPositions" => StateRead::new("GetAllPositions", None),
                "ListOrders" => StateRead::new("GetAllOrders", None),
                _ => read,
            })
            .collect();
        all.push(StateRead::new("ListAccounts", None));
        let limited = |account: &&String| {
            let mut rules = self.meaning(Some(account));
            rules.any(|rule| rule.daily_loss_floor.is_some() || rule.trailing_floor.is_some())
        };
        for account in copies.iter().filter(limited).take(MOST_DAYS) {
            let named = Some(("account", account.as_str()));
            all.push(StateRead::new("GetAccountSummary", named));
            all.push(StateRead::new("GetWatermarks", named));
        }
        all
    }

    /// What can be asked for only after those: the market of an order that the call names by its id alone.
    pub fn further_reads(&self, call: &Call, facts: &Facts) -> Vec<StateRead> {
        let priced = |rule: &AccountRule| {
            rule.collar_ticks.is_some()
                || rule.collar_percent.is_some()
                || rule.pace.max_drift.is_some()
                || rule.pace.max_drift_ticks.is_some()
        };
        let pace = &self.limits().pace;
        let wanted = self.meaning(call.account()).any(priced)
            || pace.max_drift.is_some()
            || pace.max_drift_ticks.is_some();
        let order = call
            .fields()
            .order_id
            .as_deref()
            .filter(|_| call.form() == Form::Change && wanted);
        let instrument = order
            .and_then(|id| facts.order(id))
            .and_then(|order| order.instrument.as_ref());
        instrument
            .map(|instrument| StateRead::new("GetQuote", Some(("instrument", &instrument.canonical()))))
            .into_iter()
            .collect()
    }
}
