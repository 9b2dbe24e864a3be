//! Orders: what is asked, and what became of it.

use super::instrument::Contract;

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Buy,
    Sell,
}

impl Side {
    pub(crate) const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    pub(crate) const fn sign(self) -> i32 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Buy => "Buy",
            Self::Sell => "Sell",
        }
    }

    /// The side that a signed quantity was opened with.
    pub(crate) const fn of(quantity: i32) -> Self {
        if quantity < 0 { Self::Sell } else { Self::Buy }
    }
}

/// The kind of order with its prices in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Market,
    Limit { limit: i32 },
    Stop { stop: i32 },
    StopLimit { stop: i32, limit: i32 },
}

impl Kind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Market => "Market",
            Self::Limit { .. } => "Limit",
            Self::Stop { .. } => "Stop",
            Self::StopLimit { .. } => "StopLimit",
        }
    }

    pub(crate) const fn limit(self) -> Option<i32> {
        match self {
            Self::Limit { limit } | Self::StopLimit { limit, .. } => Some(limit),
            Self::Market | Self::Stop { .. } => None,
        }
    }

    pub(crate) const fn stop(self) -> Option<i32> {
        match self {
            Self::Stop { stop } | Self::StopLimit { stop, .. } => Some(stop),
            Self::Market | Self::Limit { .. } => None,
        }
    }
}

/// How long an order lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tif {
    Day,
    Gtc,
    /// Fill now or cancel the rest.
    Ioc,
    /// Fill now and whole, or cancel.
    Fok,
}

impl Tif {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Day => "Day",
            Self::Gtc => "Gtc",
            Self::Ioc => "Ioc",
            Self::Fok => "Fok",
        }
    }
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// A limit rests in the book.
    Working,
    /// A stop waits for its price.
    Accepted,
    Filled,
    Cancelled,
    Rejected,
}

impl Status {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Working => "Working",
            Self::Accepted => "Accepted",
            Self::Filled => "Filled",
            Self::Cancelled => "Cancelled",
            Self::Rejected => "Rejected",
        }
    }

    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Working | Self::Accepted)
    }
}

/// What is asked of the market.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) account: String,
    pub(crate) contract: Contract,
    pub(crate) side: Side,
    pub(crate) kind: Kind,
    pub(crate) quantity: i32,
    pub(crate) tif: Tif,
    pub(crate) oco: Option<String>,
    /// Chosen by the caller; else the market numbers it.
    pub(crate) id: Option<String>,
    /// An ATM template: it sets a target and a stop when the order fills.
    pub(crate) template: Option<String>,
    /// The running strategy that sent it.
    pub(crate) owner: Option<String>,
}

/// One order.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) ask: Ask,
    pub(crate) status: Status,
    pub(crate) filled: i32,
    pub(crate) fill_ticks: Option<i32>,
    pub(crate) detail: Option<String>,
    pub(crate) created_ms: u64,
    pub(crate) changed_ms: u64,
}

/// One fill.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    pub(crate) id: String,
    pub(crate) order_id: String,
    pub(crate) account: String,
    pub(crate) contract: Contract,
    pub(crate) side: Side,
    pub(crate) quantity: i32,
    pub(crate) ticks: i32,
    pub(crate) at_ms: u64,
}
