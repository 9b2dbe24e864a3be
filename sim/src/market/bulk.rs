//! What touches several orders or positions at once: flatten, cancel all, close, reverse, bracket.

use super::instrument::Contract;
use super::order::{Ask, Kind, Order, Side, Tif};
use super::{Market, Refusal};

/// Which positions or orders are meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    /// Exact account names.
    pub(crate) accounts: Vec<String>,
    pub(crate) contract: Option<Contract>,
    /// Only long (true) or short (false) positions.
    pub(crate) long: Option<bool>,
}

/// A position that was closed.
#[derive(Debug, Clone)]
pub(crate) struct Closed {
    pub(crate) account: String,
    pub(crate) contract: Contract,
    pub(crate) quantity: i32,
    pub(crate) order_id: String,
}

/// The prices of a bracket in ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bracket {
    pub(crate) protects: Side,
    pub(crate) quantity: Option<i32>,
    pub(crate) target: Option<i32>,
    pub(crate) stop: Option<i32>,
}

impl Market {
    /// Cancels every open order in reach; their ids.
    pub(crate) fn cancel_in(&mut self, reach: &Reach, now: u64) -> Vec<String> {
        let meant = |o: &Order| {
            o.status.is_open()
                && reach.accounts.contains(&o.ask.account)
                && reach.contract.is_none_or(|c| c == o.ask.contract)
        };
        let hit: Vec<(String, String)> = self
            .orders
            .values()
            .filter(|o| meant(o))
            .map(|o| (o.id.clone(), o.ask.account.clone()))
            .collect();
        hit.into_iter()
            .filter(|(id, account)| self.cancel(id, account, now))
            .map(|(id, _)| id)
            .collect()
    }

    /// Closes every position in reach at the market, and cancels the orders there. Nothing there is an error.
    pub(crate) fn flatten(&mut self, reach: &Reach, now: u64) -> Result<(Vec<Closed>, Vec<String>), Refusal> {
        let targets: Vec<(String, Contract, i32)> = self
            .accounts
            .iter()
            .filter(|a| reach.accounts.iter().any(|n| n == a.name))
            .flat_map(|a| {
                a.positions
                    .values()
                    .map(move |p| (a.name.to_owned(), p.contract, p.quantity))
            })
            .filter(|(_, c, q)| {
                reach.contract.is_none_or(|r| r == *c) && reach.long.is_none_or(|l| l == (*q > 0))
            })
            .collect();
        let cancelled = if reach.long.is_some() {
            let narrow = |contract| Reach {
                contract: Some(contract),
                ..reach.clone()
            };
            targets
                .iter()
                .flat_map(|(_, c, _)| self.cancel_in(&narrow(*c), now))
                .collect()
        } else {
            self.cancel_in(reach, now)
        };
        if targets.is_empty() && cancelled.is_empty() {
            return Err(Refusal::new(
                "nothing_to_flatten",
                "no position and no working order",
            ));
        }
        let mut closed = Vec::new();
        for (account, contract, quantity) in targets {
            closed.push(self.close_at_market(&account, contract, quantity, now)?);
        }
        Ok((closed, cancelled))
    }

    /// Sells what is long, buys what is short: `quantity` is the signed part to close.
    pub(crate) fn close_at_market(
        &mut self,
        account: &str,
        contract: Contract,
        quantity: i32,
        now: u64,
    ) -> Result<Closed, Refusal> {
        let order = self.place(
            market_order(account, contract, Side::of(quantity).opposite(), quantity.abs()),
            now,
        )?;
        Ok(Closed {
            account: account.to_owned(),
            contract,
            quantity,
            order_id: order.id,
        })
    }

    /// Closes a part of one position: at most `quantity`, or `percent` of it rounded up, or all. Orders stay.
    pub(crate) fn close_part(
        &mut self,
        account: &str,
        contract: Contract,
        quantity: Option<i32>,
        percent: Option<f64>,
        now: u64,
    ) -> Result<Closed, Refusal> {
        let held = self
            .accounts
            .iter()
            .find(|a| a.name == account)
            .map_or(0, |a| a.held(contract));
        if held == 0 {
            return Err(Refusal::new(
                "nothing_to_flatten",
                format!("no position in {}", contract.name()),
            ));
        }
        let size = held.abs();
        let part = match (quantity, percent) {
            (Some(q), _) => q.min(size),
            (None, Some(p)) => (1..=size)
                .find(|n| f64::from(*n) + 1e-9 >= f64::from(size) * p)
                .unwrap_or(size),
            (None, None) => size,
        };
        let whole = part == size;
        let closed = self.close_at_market(account, contract, part * held.signum(), now)?;
        if whole {
            self.cancel_in(&one(account, contract), now);
        }
        Ok(closed)
    }

    /// Closes a position and opens the same size the other way.
    pub(crate) fn reverse(&mut self, account: &str, contract: Contract, now: u64) -> Result<Order, Refusal> {
        let held = self
            .accounts
            .iter()
            .find(|a| a.name == account)
            .map_or(0, |a| a.held(contract));
        if held == 0 {
            return Err(Refusal::new(
                "position_not_found",
                format!("{} is flat in {}", account, contract.name()),
            ));
        }
        self.cancel_in(&one(account, contract), now);
        self.close_at_market(account, contract, held, now)?;
        self.place(
            market_order(account, contract, Side::of(held).opposite(), held.abs()),
            now,
        )
    }

    /// Cancels the orders of a contract, closes the position if there is one, and places `ask` in any case.
    pub(crate) fn flat_place(&mut self, ask: Ask, must_hold: bool, now: u64) -> Result<Order, Refusal> {
        let held = self
            .accounts
            .iter()
            .find(|a| a.name == ask.account)
            .map_or(0, |a| a.held(ask.contract));
        if must_hold && held == 0 {
            return Err(Refusal::new(
                "position_not_found",
                format!("{} is flat", ask.account),
            ));
        }
        self.cancel_in(&one(&ask.account, ask.contract), now);
        if held != 0 {
            self.close_at_market(&ask.account, ask.contract, held, now)?;
        }
        self.place(ask, now)
    }

    /// Cancels the orders of a contract, then sets a target and a stop as an OCO pair. `protects` names the side of
    /// the position, so that the orders stand on the other side. With a position the size is clamped to it; when
    /// flat the pair is placed as it is, and can open a position.
    pub(crate) fn bracket(
        &mut self,
        account: &str,
        contract: Contract,
        bracket: Bracket,
        now: u64,
    ) -> Result<(Vec<String>, Vec<Order>), Refusal> {
        let held = self
            .accounts
            .iter()
            .find(|a| a.name == account)
            .map_or(0, |a| a.held(contract));
        let quantity = match (bracket.quantity, held.abs()) {
            (None, 0) => return Err(Refusal::new("invalid_request", "a quantity is needed when flat")),
            (Some(q), 0) => q,
            (Some(q), size) => q.min(size),
            (None, size) => size,
        };
        let cancelled = self.cancel_in(&one(account, contract), now);
        let oco = format!("bracket-{}", self.next_order);
        let kinds = [
            bracket.target.map(|limit| Kind::Limit { limit }),
            bracket.stop.map(|stop| Kind::Stop { stop }),
        ];
        let mut placed: Vec<Order> = Vec::new();
        for kind in kinds.into_iter().flatten() {
            if placed.iter().any(|o| !o.status.is_open()) {
                break;
            }
            let ask = Ask {
                kind,
                tif: Tif::Gtc,
                oco: Some(oco.clone()),
                ..market_order(account, contract, bracket.protects.opposite(), quantity)
            };
            placed.push(self.place(ask, now)?);
        }
        Ok((cancelled, placed))
    }
}

/// One contract in one account.
fn one(account: &str, contract: Contract) -> Reach {
    Reach {
        accounts: vec![account.to_owned()],
        contract: Some(contract),
        long: None,
    }
}

/// A plain market order.
pub(crate) fn market_order(account: &str, contract: Contract, side: Side, quantity: i32) -> Ask {
    Ask {
        account: account.to_owned(),
        contract,
        side,
        kind: Kind::Market,
        quantity,
        tif: Tif::Day,
        oco: None,
        id: None,
        template: None,
        owner: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIM: &str = "Sim101";

    fn market() -> (Market, Contract) {
        (Market::new(7, true, 0), Contract::parse("ES").unwrap())
    }

    fn held(market: &Market, contract: Contract) -> i32 {
        market.accounts[0].held(contract)
    }

    fn open(market: &Market) -> usize {
        market.orders.values().filter(|o| o.status.is_open()).count()
    }

    #[test]
    fn a_bracket_protects_and_is_clamped() {
        let (mut market, es) = market();
        market.place(market_order(SIM, es, Side::Buy, 2), 0).unwrap();
        let bracket = Bracket {
            protects: Side::Buy,
            quantity: Some(5),
            target: Some(24_050),
            stop: Some(24_000),
        };
        let (_, orders) = market.bracket(SIM, es, bracket, 0).unwrap();
        assert!(
            orders
                .iter()
                .all(|o| o.ask.side == Side::Sell && o.ask.quantity == 2)
        );
        market.quotes.set(es, 24_060, 1, 1);
        market.match_all(1);
        assert_eq!((held(&market, es), open(&market)), (0, 0));
    }

    #[test]
    fn a_bracket_on_a_flat_account_opens_a_position() {
        let (mut market, es) = market();
        let bracket = Bracket {
            protects: Side::Buy,
            quantity: Some(3),
            target: Some(24_050),
            stop: Some(24_000),
        };
        market.bracket(SIM, es, bracket, 0).unwrap();
        market.quotes.set(es, 23_990, 1, 1);
        market.match_all(1);
        assert_eq!((held(&market, es), open(&market)), (-3, 0));
    }

    #[test]
    fn a_partial_close_rounds_up_and_leaves_the_stop() {
        let (mut market, es) = market();
        market.place(market_order(SIM, es, Side::Sell, 5), 0).unwrap();
        let stop = Ask {
            kind: Kind::Stop { stop: 24_100 },
            ..market_order(SIM, es, Side::Buy, 5)
        };
        market.place(stop, 0).unwrap();
        let closed = market.close_part(SIM, es, None, Some(0.5), 0).unwrap();
        assert_eq!((closed.quantity, held(&market, es), open(&market)), (-3, -2, 1));
        market.close_part(SIM, es, Some(99), None, 0).unwrap();
        assert_eq!((held(&market, es), open(&market)), (0, 0));
        assert_eq!(
            market.close_part(SIM, es, None, None, 0).unwrap_err().code,
            "nothing_to_flatten"
        );
    }

    #[test]
    fn reverse_flips_and_refuses_when_flat() {
        let (mut market, es) = market();
        assert!(market.reverse(SIM, es, 0).is_err());
        market.place(market_order(SIM, es, Side::Buy, 2), 0).unwrap();
        market.reverse(SIM, es, 0).unwrap();
        assert_eq!(held(&market, es), -2);
    }

    #[test]
    fn flatten_reaches_what_it_names() {
        let (mut market, es) = market();
        let nq = Contract::parse("NQ").unwrap();
        market.place(market_order(SIM, es, Side::Buy, 1), 0).unwrap();
        market.place(market_order(SIM, nq, Side::Sell, 1), 0).unwrap();
        market
            .place(market_order("PA-123456", es, Side::Buy, 1), 0)
            .unwrap();
        let reach = Reach {
            accounts: vec![SIM.into()],
            contract: None,
            long: Some(true),
        };
        assert_eq!(market.flatten(&reach, 0).unwrap().0.len(), 1);
        assert_eq!((held(&market, es), held(&market, nq)), (0, -1));
        let all = Reach {
            accounts: vec![SIM.into(), "PA-123456".into()],
            ..Reach::default()
        };
        assert_eq!(market.flatten(&all, 0).unwrap().0.len(), 2);
        assert_eq!(market.flatten(&all, 0).unwrap_err().code, "nothing_to_flatten");
    }
}
