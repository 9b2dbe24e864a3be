//! What the reads say about the account, as facts: known with their time, or unread with the reason.
//!
//! Owns: which answer shapes are understood (both documented vocabularies, structured or text). Refuses to know: what
//! follows from a fact. An answer that is not understood is unread, never guessed: an empty list proves a flat account,
//! an odd object proves nothing.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::collections::BTreeMap;

use serde_json::Value;

use super::Millis;
use super::answer::{self, Answered, Failure};
use super::instrument::Instrument;
use super::value::{self, Decimal, OrderKind, Side};

/// The most bytes of one read's answer that are looked at: far above a full order list.
pub const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// A read that judge and card want: the tool, and its arguments as JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StateRead {
    /// The exact tool name; always a known read.
    pub tool: &'static str,
    /// The arguments as JSON text.
    pub arguments: String,
}

impl StateRead {
    /// A read with at most one text argument.
    pub fn new(tool: &'static str, argument: Option<(&str, &str)>) -> Self {
        let arguments = argument.map_or_else(
            || "{}".to_owned(),
            |(key, text)| {
                let mut object = serde_json::Map::new();
                object.insert(key.to_owned(), Value::String(text.to_owned()));
                Value::Object(object).to_string()
            },
        );
        Self { tool, arguments }
    }

    fn account(&self) -> Option<String> {
        let value: Value = serde_json::from_str(&self.arguments).ok()?;
        value.get("account").and_then(Value::as_str).map(str::to_owned)
    }
}

/// Why a read brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFailure {
    /// HTTP 408: `NinjaTrader` or its add-on is not connected.
    NotConnected,
    /// Any other failure, for the person.
    Failed(String),
    /// No answer in time.
    TimedOut,
}

/// One fact: never asked, known since `at` (wall clock), or unread with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fact<T> {
    /// Nobody asked.
    #[default]
    Unasked,
    /// Read at this wall time.
    Known {
        /// What was read.
        value: T,
        /// When, wall clock.
        at: Millis,
    },
    /// Asked, but not read.
    Unread {
        /// Why, in short plain ASCII.
        why: String,
    },
}

impl<T> Fact<T> {
    /// The value, where known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Unasked | Self::Unread { .. } => None,
        }
    }

    /// When it was read.
    pub const fn at(&self) -> Option<Millis> {
        match self {
            Self::Known { at, .. } => Some(*at),
            Self::Unasked | Self::Unread { .. } => None,
        }
    }

    fn from(parsed: Result<T, String>, at: Millis) -> Self {
        match parsed {
            Ok(value) => Self::Known { value, at },
            Err(why) => Self::Unread { why },
        }
    }
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// As the service spells it.
    pub name: String,
    /// `Simulator`, or a broker; `None` where the answer does not say.
    pub provider: Option<String>,
    /// The connection's state, where said.
    pub connection: Option<String>,
    /// The daily loss limit set for it, above zero.
    pub daily_loss_limit: Option<Decimal>,
    /// The largest order it takes, above zero.
    pub max_order_size: Option<Decimal>,
    /// The largest position it may hold, above zero.
    pub max_position_size: Option<Decimal>,
}

impl Account {
    /// Whether the provider is the platform's simulator; `None` where unread.
    pub fn is_simulator(&self) -> Option<bool> {
        self.provider.as_ref().map(|provider| provider == "Simulator")
    }
}

/// One open position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The account, lower case.
    pub account: String,
    /// The instrument; `None` where its name is none that we know.
    pub instrument: Option<Instrument>,
    /// The instrument's name, safe to show.
    pub name: String,
    /// Contracts: above zero long, below zero short.
    pub quantity: i64,
    /// The average entry price.
    pub average: Option<Decimal>,
    /// Unrealised profit or loss.
    pub unrealised: Option<Decimal>,
}

/// One order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id, safe to show.
    pub id: String,
    /// The account, lower case.
    pub account: String,
    /// The instrument; `None` where its name is none that we know.
    pub instrument: Option<Instrument>,
    /// The instrument's name, safe to show.
    pub name: String,
    /// Its side.
    pub side: Side,
    /// Its type; `None` for types that the documents do not name.
    pub kind: Option<OrderKind>,
    /// Contracts not yet filled.
    pub quantity: u32,
    /// Contracts as ordered.
    pub size: u32,
    /// Its limit price.
    pub limit: Option<Decimal>,
    /// Its stop price.
    pub stop: Option<Decimal>,
    /// Its status, safe to show.
    pub status: String,
    /// Whether it may still fill.
    pub working: bool,
    /// When it was made by the service's clock, wall clock, where it says.
    pub created: Option<Millis>,
}

/// One fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// The order that it belongs to, safe to show, where said.
    pub order_id: Option<String>,
    /// The account, lower case.
    pub account: String,
    /// The instrument; `None` where its name is none that we know.
    pub instrument: Option<Instrument>,
    /// The instrument's name, safe to show.
    pub name: String,
    /// Its side.
    pub side: Side,
    /// Contracts.
    pub quantity: u32,
    /// When, by the service's clock, wall clock, where it says.
    pub time: Option<Millis>,
}

impl Order {
    /// Contracts filled so far.
    pub const fn filled(&self) -> u32 {
        self.size.saturating_sub(self.quantity)
    }
}

/// The market.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quote {
    /// The contract that the service resolved, where it says.
    pub instrument: Option<Instrument>,
    /// The last trade.
    pub last: Option<Decimal>,
    /// The best bid.
    pub bid: Option<Decimal>,
    /// The best ask.
    pub ask: Option<Decimal>,
    /// When the service saw it, wall clock, where it says.
    pub time: Option<Millis>,
}

impl Quote {
    /// The price to measure from: the last trade, else the middle is not guessed.
    pub fn price(&self) -> Option<Decimal> {
        self.last.or(self.bid).or(self.ask)
    }
}

/// The day so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Day {
    /// Realised profit or loss.
    pub realised: Option<Decimal>,
    /// Unrealised profit or loss.
    pub unrealised: Option<Decimal>,
    /// Both together.
    pub total: Option<Decimal>,
    /// How far the balance is below the day's high.
    pub below_high: Option<Decimal>,
}

/// A connection of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its name, safe to show.
    pub name: String,
    /// Its state, safe to show.
    pub status: String,
}

/// A strategy that is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its id, safe to show.
    pub id: String,
    /// Its class, safe to show.
    pub class: String,
    /// Its account, lower case, where said.
    pub account: Option<String>,
    /// Its instrument, safe to show, where said.
    pub instrument: Option<String>,
    /// Its state, safe to show.
    pub state: String,
}

/// Everything that was read for one call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The account of the call, or all accounts where it names none.
    pub accounts: Fact<Vec<Account>>,
    /// The open positions in reach.
    pub positions: Fact<Vec<Position>>,
    /// The orders in reach, finished ones included.
    pub orders: Fact<Vec<Order>>,
    /// The one order that the call names.
    pub order: Fact<Order>,
    /// The fills in reach; read after an unknown outcome only.
    pub fills: Fact<Vec<Fill>>,
    /// The market of the call's instrument.
    pub quote: Fact<Quote>,
    /// The day by the account summary.
    pub summary: Fact<Day>,
    /// The day by the watermarks.
    pub watermarks: Fact<Day>,
    /// The platform's connections.
    pub connections: Fact<Vec<Connection>>,
    /// The deployed strategies.
    pub strategies: Fact<Vec<Running>>,
    /// The days of accounts that the call does not name and its orders are copied to, in lower case.
    others: BTreeMap<String, OneDay>,
    /// The account that `summary` and `watermarks` are about.
    day_of: Option<String>,
    /// Whether `accounts` holds the call's own account alone.
    single: bool,
    down: bool,
}

/// The day of one account, from both reads.
#[derive(Debug, Clone, Default, PartialEq)]
struct OneDay {
    summary: Fact<Day>,
    watermarks: Fact<Day>,
}

impl Facts {
    /// Takes in one read's answer: the text of the `result` of its `tools/call`, or why there is none.
    pub fn absorb(&mut self, read: &StateRead, answer: Result<&str, ReadFailure>, at_wall: Millis) {
        let account = read.account();
        let parsed = match answer {
            Err(ReadFailure::NotConnected) => Err(Failure::NotConnected),
            Err(ReadFailure::Failed(why)) => Err(Failure::Failed(value::short(&why, 120))),
            Err(ReadFailure::TimedOut) => Err(Failure::Failed("no answer in time".to_owned())),
            Ok(text) => answer::payload(text),
        };
        if parsed == Err(Failure::NotConnected) {
            self.down = true;
        }
        let parsed: Answered = parsed.map_err(|failure| failure.to_string());
        let account = account.as_deref();
        match read.tool {
            "GetAccount" => {
                let one = parsed.and_then(|value| answer::account(&value).map(|account| vec![account]));
                self.accounts = Fact::from(one, at_wall);
                self.single = true;
            }
            "ListAccounts" => {
                let all = parsed.and_then(|value| answer::accounts(&value));
                self.take_accounts(all, at_wall);
            }
            "ListPositions" | "GetAllPositions" => {
                self.positions = Fact::from(
                    parsed.and_then(|value| answer::positions(&value, account)),
                    at_wall,
                );
            }
            "ListOrders" | "GetAllOrders" => {
                self.orders = Fact::from(parsed.and_then(|value| answer::orders(&value, account)), at_wall);
            }
            "ListExecutions" => {
                self.fills = Fact::from(parsed.and_then(|value| answer::fills(&value, account)), at_wall);
            }
            "GetOrder" => self.order = Fact::from(parsed.and_then(|value| answer::order(&value)), at_wall),
            "GetQuote" => self.quote = Fact::from(parsed.and_then(|value| answer::quote(&value)), at_wall),
            "GetAccountSummary" => {
                let day = Fact::from(parsed.and_then(|value| answer::day(&value)), at_wall);
                match self.other(account) {
                    Some(other) => other.summary = day,
                    None => self.summary = day,
                }
            }
            "GetWatermarks" => {
                let day = Fact::from(parsed.and_then(|value| answer::day(&value)), at_wall);
                match self.other(account) {
                    Some(other) => other.watermarks = day,
                    None => self.watermarks = day,
                }
            }
            "ListDeployedStrategies" => {
                self.strategies = Fact::from(parsed.and_then(|value| answer::strategies(&value)), at_wall);
            }
            "GetConnections" => {
                self.connections = Fact::from(parsed.and_then(|value| answer::connections(&value)), at_wall);
            }
            _ => {}
        }
    }

    /// The list of all accounts beside the read of the call's own, which knows more and stays.
    fn take_accounts(&mut self, all: Result<Vec<Account>, String>, at: Millis) {
        match (&mut self.accounts, all) {
            (Fact::Known { value, .. }, Ok(all)) if self.single => {
                let own = std::mem::take(value);
                let is_own =
                    |account: &Account| own.iter().any(|own| own.name.eq_ignore_ascii_case(&account.name));
                let others: Vec<Account> = all.into_iter().filter(|account| !is_own(account)).collect();
                *value = own.into_iter().chain(others).collect();
            }
            (Fact::Known { .. }, Err(_)) if self.single => {}
            (_, all) => self.accounts = Fact::from(all, at),
        }
    }

    /// Where the day of an account belongs that is not the call's own; the first one that is read is its own.
    fn other(&mut self, account: Option<&str>) -> Option<&mut OneDay> {
        let folded = account?.to_ascii_lowercase();
        let own = self.day_of.get_or_insert_with(|| folded.clone());
        if *own == folded {
            return None;
        }
        Some(self.others.entry(folded).or_default())
    }

    /// The day of this account (lower case): by its summary and by its watermarks.
    pub fn day(&self, folded: &str) -> (Option<&Day>, Option<&Day>) {
        if self.day_of.as_deref() == Some(folded) {
            return (self.summary.known(), self.watermarks.known());
        }
        let other = self.others.get(folded);
        (
            other.and_then(|day| day.summary.known()),
            other.and_then(|day| day.watermarks.known()),
        )
    }

    /// Whether the platform is not connected: a read said so, and none that needs the platform came through.
    pub fn not_connected(&self) -> bool {
        let reached = self.accounts.known().is_some()
            || self.positions.known().is_some()
            || self.orders.known().is_some()
            || self.quote.known().is_some()
            || self.connections.known().is_some();
        self.down && !reached
    }

    /// The account of this lower-case name.
    pub fn account(&self, folded: &str) -> Option<&Account> {
        self.accounts
            .known()?
            .iter()
            .find(|account| account.name.eq_ignore_ascii_case(folded))
    }

    /// How the service spells an account of this lower-case name; the name itself where it was not read.
    pub fn spelled(&self, folded: &str) -> String {
        self.account(folded).map_or_else(
            || value::short(folded, 30),
            |account| value::short(&account.name, 30),
        )
    }

    /// The order of this id, from the list or from its own read; a finished one too. No document says whether letter
    /// case tells ids apart, so one that differs in case alone is the order that is meant, unless several do.
    pub fn order(&self, id: &str) -> Option<&Order> {
        let all = || {
            self.orders
                .known()
                .into_iter()
                .flatten()
                .chain(self.order.known())
        };
        all().find(|order| order.id == id).or_else(|| {
            let mut alike = all().filter(|order| order.id.eq_ignore_ascii_case(id));
            let one = alike.next()?;
            alike.all(|other| other.id == one.id).then_some(one)
        })
    }
}
