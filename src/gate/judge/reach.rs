//! The accounts that a call may touch.
//!
//! Owns: which those are, copies included, and whether each is proven to be play money. Refuses to know: what follows.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::Effect;
use crate::gate::Tier;
use crate::gate::call::Call;
use crate::gate::catalogue::Class;
use crate::gate::facts::{Account, Facts};
use crate::gate::limits::{Group, group};
use crate::gate::policy::{AccountClass, Policy};

/// One account in reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    /// In lower case; `None` stands for accounts that are not known by name.
    pub(super) name: Option<String>,
    /// Whether it is not proven to be play money by policy and provider.
    pub(super) live: bool,
    /// Whether the call does not name it, and its orders are copied there.
    copied: bool,
}

impl Reached {
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// The accounts that a call may touch.
pub(super) struct Reach {
    accounts: Vec<Reached>,
    /// Whether any of them is not proven to be play money.
    pub(super) live: bool,
    pub(super) warnings: Vec<String>,
    /// Whether the call acts on accounts at all.
    pub(super) bound: bool,
    /// Whether it is a proven way out: then what holds for copies does not stop it.
    free: bool,
}

impl Reach {
    pub(super) fn of(call: &Call, facts: &Facts, policy: &Policy, effect: &Effect<'_>) -> Self {
        let mut names = named(call, facts);
        let own = names.len();
        for leader in names.clone().iter().flatten() {
            for copy in policy.copies_of(leader) {
                if !names.iter().flatten().any(|name| *name == copy) {
                    names.push(Some(copy));
                }
            }
        }
        let bound = acts_on_accounts(call.class());
        let mut warnings = Vec::new();
        let mut accounts = Vec::new();
        for (at, name) in names.into_iter().enumerate() {
            let by_policy = name.as_deref().and_then(|name| policy.class_of(name)) == Some(AccountClass::Sim);
            let account = name.as_deref().and_then(|name| facts.account(name));
            let by_provider = account.and_then(Account::is_simulator);
            if by_policy && by_provider == Some(false) {
                warnings.push("THE POLICY SAYS SIM, THE PROVIDER DOES NOT".to_owned());
            }
            accounts.push(Reached {
                name,
                live: !(by_policy && by_provider == Some(true)),
                copied: at >= own,
            });
        }
        warnings.dedup();
        Self {
            live: accounts.iter().any(|account| account.live),
            accounts,
            warnings,
            bound,
            free: group(effect.class, effect.opening) == Group::Free,
        }
    }

    /// All accounts, copies included.
    pub(super) fn all(&self) -> impl Iterator<Item = &Reached> {
        self.accounts.iter()
    }

    /// Those whose rules may stop the call.
    pub(super) fn deciding(&self) -> impl Iterator<Item = Option<&str>> {
        self.accounts
            .iter()
            .filter(|account| !(self.free && account.copied))
            .map(Reached::name)
    }

    /// The names that are known.
    pub(super) fn names(&self) -> Vec<String> {
        self.accounts
            .iter()
            .filter_map(|account| account.name.clone())
            .collect()
    }

    pub(super) fn tier(&self, policy: &Policy, installation: Tier) -> Tier {
        self.accounts.iter().fold(installation, |tier, account| {
            policy.tier_for(account.name(), tier)
        })
    }
}

/// The accounts of the call itself.
fn named(call: &Call, facts: &Facts) -> Vec<Option<String>> {
    let mut accounts: Vec<Option<String>> = match (call.account(), facts.accounts.known()) {
        (Some(account), _) => vec![Some(account.to_owned())],
        (None, Some(all)) if !all.is_empty() => all
            .iter()
            .map(|account| Some(account.name.to_ascii_lowercase()))
            .collect(),
        (None, Some(_) | None) => vec![None],
    };
    // Whatever else the call may touch: the account that it names without being bound by it, and those of the
    // orders that it names.
    let ids = call
        .fields()
        .order_ids
        .iter()
        .chain(call.fields().order_id.iter());
    let owners = ids
        .filter(|_| call.names_an_order() || !call.fields().order_ids.is_empty())
        .filter_map(|id| facts.order(id))
        .map(|order| order.account.clone());
    let named = call.named_account().map(str::to_ascii_lowercase);
    for more in owners.chain(named) {
        if !accounts
            .iter()
            .any(|known| known.as_deref() == Some(more.as_str()))
        {
            accounts.push(Some(more));
        }
    }
    accounts
}

pub(super) const fn acts_on_accounts(class: Class) -> bool {
    match class {
        Class::Order
        | Class::Protect
        | Class::Exit
        | Class::Cancel
        | Class::Strategy
        | Class::Connection
        | Class::Unknown => true,
        Class::Read | Class::Code | Class::Job | Class::Alert | Class::Workspace => false,
    }
}
