//! Accounts, their positions and their profit and loss, in cents.

use std::collections::BTreeMap;

use super::instrument::Contract;
use super::quote::Quotes;

/// A position in one contract: signed quantity, and what it cost in ticks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Position {
    pub(crate) contract: Contract,
    /// Positive is long.
    pub(crate) quantity: i32,
    /// Sum of price in ticks times signed quantity.
    pub(crate) cost: i64,
    pub(crate) opened_ms: u64,
}

impl Position {
    /// Mean entry price.
    pub(crate) fn average(&self) -> f64 {
        if self.quantity == 0 {
            return 0.0;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "ticks times contracts stay far below 2^52"
        )]
        let cost = self.cost as f64;
        self.contract.price_of(cost / f64::from(self.quantity))
    }

    /// Open profit in cents at this price.
    pub(crate) fn open_cents(&self, last: i32) -> i64 {
        let worth = i64::from(last).saturating_mul(i64::from(self.quantity));
        worth
            .saturating_sub(self.cost)
            .saturating_mul(self.contract.root.tick_cents)
    }
}

/// A round trip, for the journal.
#[derive(Debug, Clone)]
pub(crate) struct Trade {
    pub(crate) id: u64,
    pub(crate) account: String,
    pub(crate) contract: Contract,
    pub(crate) long: bool,
    pub(crate) quantity: i32,
    pub(crate) entry: f64,
    pub(crate) exit_ticks: i32,
    pub(crate) entry_ms: u64,
    pub(crate) exit_ms: u64,
    pub(crate) profit_cents: i64,
    pub(crate) fees_cents: i64,
}

/// Highest and lowest of the day, in cents.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Marks {
    pub(crate) high: i64,
    pub(crate) low: i64,
    pub(crate) profit_high: i64,
    pub(crate) open_high: i64,
}

/// One account.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) name: &'static str,
    pub(crate) user: &'static str,
    pub(crate) provider: &'static str,
    pub(crate) connection: &'static str,
    pub(crate) start_cents: i64,
    pub(crate) cash_cents: i64,
    /// Realised today, after fees.
    pub(crate) realized_cents: i64,
    pub(crate) fees_cents: i64,
    /// 0 where there is none.
    pub(crate) daily_loss_limit_cents: i64,
    pub(crate) trailing_drawdown_cents: i64,
    pub(crate) max_order: i32,
    pub(crate) max_position: i32,
    pub(crate) positions: BTreeMap<String, Position>,
    pub(crate) marks: Marks,
}

/// Commission of one contract and side.
const FEE_CENTS: i64 = 209;

impl Account {
    /// Open profit over all positions.
    pub(crate) fn open_cents(&self, quotes: &Quotes) -> i64 {
        let one = |p: &Position| quotes.of(p.contract).map_or(0, |q| p.open_cents(q.last));
        self.positions.values().map(one).sum()
    }

    pub(crate) fn net_cents(&self, quotes: &Quotes) -> i64 {
        self.cash_cents.saturating_add(self.open_cents(quotes))
    }

    /// Signed quantity held in a contract.
    pub(crate) fn held(&self, contract: Contract) -> i32 {
        self.positions.get(&contract.name()).map_or(0, |p| p.quantity)
    }

    /// Whether the loss of the day has reached its limit.
    pub(crate) fn locked_out(&self, quotes: &Quotes) -> bool {
        let day = self.realized_cents.saturating_add(self.open_cents(quotes));
        self.daily_loss_limit_cents > 0 && day <= -self.daily_loss_limit_cents
    }

    /// Books a fill of `quantity` (signed) at `ticks`; returns the round trips that it closed.
    pub(crate) fn fill(&mut self, contract: Contract, quantity: i32, ticks: i32, now: u64) -> Option<Trade> {
        let name = contract.name();
        let fresh = Position {
            contract,
            quantity: 0,
            cost: 0,
            opened_ms: now,
        };
        let before = self.positions.get(&name).copied().unwrap_or(fresh);
        let fees = FEE_CENTS.saturating_mul(i64::from(quantity.abs()));
        self.cash_cents -= fees;
        self.realized_cents -= fees;
        self.fees_cents += fees;
        let reducing = before.quantity.signum() == -quantity.signum() && before.quantity != 0;
        let closed = if reducing {
            quantity.abs().min(before.quantity.abs())
        } else {
            0
        };
        let trade = (closed > 0).then(|| self.close(&before, closed, ticks, fees, now));
        let mut after = before;
        let closed_signed = closed * before.quantity.signum();
        after.cost -= share(before.cost, closed_signed, before.quantity);
        after.quantity -= closed_signed;
        let opened = quantity + closed_signed;
        if opened != 0 {
            if after.quantity == 0 {
                after = fresh;
            }
            after.quantity += opened;
            after.cost += i64::from(ticks) * i64::from(opened);
        }
        if after.quantity == 0 {
            self.positions.remove(&name);
        } else {
            self.positions.insert(name, after);
        }
        trade
    }

    fn close(&mut self, before: &Position, closed: i32, ticks: i32, fees: i64, now: u64) -> Trade {
        let signed = closed * before.quantity.signum();
        let cost = share(before.cost, signed, before.quantity);
        let profit = (i64::from(ticks) * i64::from(signed) - cost) * before.contract.root.tick_cents;
        self.cash_cents += profit;
        self.realized_cents += profit;
        Trade {
            id: 0,
            account: self.name.to_owned(),
            contract: before.contract,
            long: before.quantity > 0,
            quantity: closed,
            entry: before.average(),
            exit_ticks: ticks,
            entry_ms: before.opened_ms,
            exit_ms: now,
            profit_cents: profit,
            fees_cents: fees,
        }
    }

    /// Moves the marks of the day.
    pub(crate) fn mark(&mut self, quotes: &Quotes) {
        let open = self.open_cents(quotes);
        let net = self.cash_cents.saturating_add(open);
        let marks = &mut self.marks;
        marks.high = marks.high.max(net);
        marks.low = marks.low.min(net);
        marks.profit_high = marks.profit_high.max(self.realized_cents.saturating_add(open));
        marks.open_high = marks.open_high.max(open);
    }
}

/// The part of `cost` that belongs to `part` of `whole` contracts.
fn share(cost: i64, part: i32, whole: i32) -> i64 {
    if whole == 0 {
        0
    } else {
        cost * i64::from(part) / i64::from(whole)
    }
}

/// The accounts of both users.
pub(crate) fn all() -> Vec<Account> {
    let paper = |name, user| Account {
        name,
        user,
        max_order: 100,
        max_position: 200,
        ..blank(10_000_000)
    };
    let funded = |name, user, provider| Account {
        name,
        user,
        provider,
        connection: provider,
        daily_loss_limit_cents: 100_000,
        trailing_drawdown_cents: 250_000,
        max_order: 10,
        max_position: 10,
        ..blank(5_000_000)
    };
    vec![
        paper("Sim101", "trader-a"),
        funded("PA-123456", "trader-a", "Rithmic"),
        paper("Sim201", "trader-b"),
        funded("PA-777001", "trader-b", "Tradovate"),
    ]
}

fn blank(start_cents: i64) -> Account {
    Account {
        name: "",
        user: "",
        provider: "Simulator",
        connection: "Simulated Data Feed",
        start_cents,
        cash_cents: start_cents,
        realized_cents: 0,
        fees_cents: 0,
        daily_loss_limit_cents: 0,
        trailing_drawdown_cents: 0,
        max_order: 0,
        max_position: 0,
        positions: BTreeMap::new(),
        marks: Marks {
            high: start_cents,
            low: start_cents,
            ..Marks::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        all().remove(0)
    }

    #[test]
    fn adding_averages_and_reducing_realises() {
        let es = Contract::parse("ES").unwrap();
        let mut account = account();
        account.fill(es, 2, 24_000, 0);
        account.fill(es, 2, 24_008, 0);
        let position = account.positions["ES 12-26"];
        assert!((position.average() - 6001.0).abs() < 1e-9);
        let trade = account.fill(es, -1, 24_012, 5).unwrap();
        assert_eq!((trade.quantity, trade.profit_cents), (1, 8 * 1250));
        assert_eq!(account.held(es), 3);
        assert_eq!(account.realized_cents, 8 * 1250 - 5 * FEE_CENTS);
    }

    #[test]
    fn crossing_zero_opens_the_other_way_at_the_new_price() {
        let es = Contract::parse("ES").unwrap();
        let mut account = account();
        account.fill(es, 1, 24_000, 0);
        let trade = account.fill(es, -3, 24_004, 9).unwrap();
        assert_eq!(trade.profit_cents, 4 * 1250);
        let position = account.positions["ES 12-26"];
        assert_eq!((position.quantity, position.opened_ms), (-2, 9));
        assert!((position.average() - 6001.0).abs() < 1e-9);
        account.fill(es, 2, 24_000, 10);
        assert!(account.positions.is_empty());
    }
}
