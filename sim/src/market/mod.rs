//! The paper market: quotes that move, orders that rest and fill, accounts that gain and lose.
//!
//! Owns: prices, orders, executions, positions. Refuses to know: HTTP, tools, spelling of arguments. The time is a
//! parameter.

pub(crate) mod account;
pub(crate) mod bulk;
pub(crate) mod engine;
pub(crate) mod instrument;
pub(crate) mod order;
pub(crate) mod quote;

use std::collections::BTreeMap;

use account::{Account, Trade};
use order::{Execution, Order};
use quote::Quotes;

/// Why the market did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// A documented code, such as `order_not_found`.
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Market {
    pub(crate) quotes: Quotes,
    pub(crate) accounts: Vec<Account>,
    pub(crate) orders: BTreeMap<u64, Order>,
    pub(crate) executions: Vec<Execution>,
    pub(crate) trades: Vec<Trade>,
    /// Whether each connection is up.
    pub(crate) connections: BTreeMap<&'static str, bool>,
    next_order: u64,
}

/// More orders than this are refused: the simulator must not grow without bound.
const MAX_ORDERS: usize = 50_000;

impl Market {
    pub(crate) fn new(seed: u64, frozen: bool, now: u64) -> Self {
        let accounts = account::all();
        let connections = accounts.iter().map(|a| (a.connection, true)).collect();
        Self {
            quotes: Quotes::new(seed, frozen, now),
            accounts,
            orders: BTreeMap::new(),
            executions: Vec::new(),
            trades: Vec::new(),
            connections,
            next_order: 1,
        }
    }

    /// Brings the market to `now`: every step that is due, with the fills it causes.
    pub(crate) fn advance(&mut self, now: u64) {
        for _ in 0..self.quotes.due(now) {
            self.quotes.step(now);
            self.match_all(now);
        }
        self.mark();
    }

    /// The user's account of this name, in any letter case.
    pub(crate) fn account(&self, user: &str, name: &str) -> Result<&Account, Refusal> {
        self.accounts
            .iter()
            .find(|a| a.user == user && a.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| Refusal::new("account_not_found", format!("no account named {name:?}")))
    }

    pub(crate) fn accounts_of<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a Account> {
        self.accounts.iter().filter(move |a| a.user == user)
    }

    /// An open or closed order of the user.
    pub(crate) fn order(&self, user: &str, id: &str) -> Result<&Order, Refusal> {
        let mine = |o: &&Order| {
            self.accounts
                .iter()
                .any(|a| a.user == user && a.name == o.ask.account)
        };
        self.orders
            .values()
            .filter(mine)
            .find(|o| o.id == id)
            .ok_or_else(|| Refusal::new("order_not_found", format!("no order {id:?}")))
    }

    fn mark(&mut self) {
        for account in &mut self.accounts {
            account.mark(&self.quotes);
        }
    }

    fn account_mut(&mut self, name: &str) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|a| a.name == name)
    }
}
