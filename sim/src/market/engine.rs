//! Placing, matching, changing and cancelling orders.

use super::instrument::Contract;
use super::order::{Ask, Execution, Kind, Order, Side, Status, Tif};
use super::quote::Quote;
use super::{MAX_ORDERS, Market, Refusal};

/// New values for an open order; `None` keeps the old one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Amend {
    pub(crate) quantity: Option<i32>,
    pub(crate) limit: Option<i32>,
    pub(crate) stop: Option<i32>,
}

/// Distance of an ATM template's target and stop in ticks.
const TEMPLATE_TARGET: i32 = 20;
const TEMPLATE_STOP: i32 = 10;

impl Market {
    /// Places an order and matches it at once. A rejected order is kept, as the platform does, and is an error too.
    pub(crate) fn place(&mut self, ask: Ask, now: u64) -> Result<Order, Refusal> {
        if self.orders.len() >= MAX_ORDERS {
            return Err(Refusal::new(
                "server_error",
                "the simulator holds too many orders; reset it",
            ));
        }
        if let Some(id) = &ask.id
            && self.orders.values().any(|o| &o.id == id)
        {
            return Err(Refusal::new(
                "invalid_request",
                format!("order id {id:?} is in use"),
            ));
        }
        let rejected = self.rejection(&ask);
        let serial = self.next_order;
        self.next_order += 1;
        let status = match (&rejected, ask.kind) {
            (Some(_), _) => Status::Rejected,
            (None, Kind::Stop { .. } | Kind::StopLimit { .. }) => Status::Accepted,
            (None, Kind::Market | Kind::Limit { .. }) => Status::Working,
        };
        let id = ask.id.clone().unwrap_or_else(|| format!("ord-{serial:06}"));
        let detail = rejected.as_ref().map(|r| r.detail.clone());
        let order = Order {
            id,
            ask,
            status,
            filled: 0,
            fill_ticks: None,
            detail,
            created_ms: now,
            changed_ms: now,
        };
        self.orders.insert(serial, order);
        if let Some(refusal) = rejected {
            return Err(refusal);
        }
        self.match_one(serial, now);
        self.end_immediate(serial, now);
        self.mark();
        let placed = self.orders.get(&serial).cloned();
        placed.ok_or_else(|| Refusal::new("server_error", "the order is gone"))
    }

    /// Why the broker would not take it.
    fn rejection(&self, ask: &Ask) -> Option<Refusal> {
        let account = self.accounts.iter().find(|a| a.name == ask.account)?;
        if !self.connections.get(account.connection).copied().unwrap_or(false) {
            return Some(Refusal::new(
                "account_disconnected",
                format!("{} is not connected", account.connection),
            ));
        }
        let held = account.held(ask.contract);
        let after = held.saturating_add(ask.quantity.saturating_mul(ask.side.sign()));
        let grows = after.abs() > held.abs();
        if ask.quantity > account.max_order || (grows && after.abs() > account.max_position) {
            let text = format!(
                "max {} an order, {} in all",
                account.max_order, account.max_position
            );
            return Some(Refusal::new("Rejected: max contracts", text));
        }
        if grows && account.locked_out(&self.quotes) {
            return Some(Refusal::new(
                "Rejected: daily loss lockout",
                "the loss limit of the day is reached",
            ));
        }
        None
    }

    /// Immediate orders do not rest.
    fn end_immediate(&mut self, serial: u64, now: u64) {
        if let Some(order) = self.orders.get_mut(&serial)
            && order.status.is_open()
            && matches!(order.ask.tif, Tif::Ioc | Tif::Fok)
        {
            order.status = Status::Cancelled;
            order.changed_ms = now;
        }
    }

    /// Looks at every open order once.
    pub(crate) fn match_all(&mut self, now: u64) {
        let open: Vec<u64> = self
            .orders
            .iter()
            .filter(|(_, o)| o.status.is_open())
            .map(|(s, _)| *s)
            .collect();
        for serial in open {
            self.match_one(serial, now);
        }
    }

    fn match_one(&mut self, serial: u64, now: u64) {
        let Some(order) = self.orders.get_mut(&serial).filter(|o| o.status.is_open()) else {
            return;
        };
        let Some(quote) = self.quotes.of(order.ask.contract) else {
            return;
        };
        let up = self
            .accounts
            .iter()
            .find(|a| a.name == order.ask.account)
            .and_then(|a| self.connections.get(a.connection).copied());
        if up != Some(true) {
            return;
        }
        if let Kind::StopLimit { stop, limit } = order.ask.kind
            && triggered(order.ask.side, stop, quote)
        {
            order.ask.kind = Kind::Limit { limit };
            order.status = Status::Working;
        }
        if let Some(ticks) = fill_price(&order.ask, quote) {
            self.fill(serial, ticks, now);
        }
    }

    fn fill(&mut self, serial: u64, ticks: i32, now: u64) {
        let Some(order) = self.orders.get_mut(&serial) else {
            return;
        };
        order.status = Status::Filled;
        order.filled = order.ask.quantity;
        order.fill_ticks = Some(ticks);
        order.changed_ms = now;
        let order = order.clone();
        let number = self.executions.len() + 1;
        self.executions.push(Execution {
            id: format!("exec-{number:06}"),
            order_id: order.id.clone(),
            account: order.ask.account.clone(),
            contract: order.ask.contract,
            side: order.ask.side,
            quantity: order.ask.quantity,
            ticks,
            at_ms: now,
        });
        let signed = order.ask.quantity * order.ask.side.sign();
        let account = self.account_mut(&order.ask.account);
        let trade = account.and_then(|a| a.fill(order.ask.contract, signed, ticks, now));
        if let Some(mut trade) = trade {
            trade.id = u64::try_from(self.trades.len())
                .unwrap_or(u64::MAX)
                .saturating_add(1);
            self.trades.push(trade);
        }
        self.cancel_siblings(&order, now);
        if order.ask.template.is_some() {
            self.attach_template(&order, ticks, now);
        }
    }

    /// One cancels the other.
    fn cancel_siblings(&mut self, filled: &Order, now: u64) {
        let Some(oco) = &filled.ask.oco else { return };
        let sibling = |o: &&mut Order| {
            o.status.is_open() && o.ask.oco.as_ref() == Some(oco) && o.ask.account == filled.ask.account
        };
        for order in self.orders.values_mut().filter(sibling) {
            order.status = Status::Cancelled;
            order.changed_ms = now;
        }
    }

    fn attach_template(&mut self, entry: &Order, ticks: i32, now: u64) {
        let sign = entry.ask.side.sign();
        let target = Kind::Limit {
            limit: ticks + TEMPLATE_TARGET * sign,
        };
        let stop = Kind::Stop {
            stop: ticks - TEMPLATE_STOP * sign,
        };
        for kind in [target, stop] {
            let ask = Ask {
                side: entry.ask.side.opposite(),
                kind,
                tif: Tif::Gtc,
                oco: Some(format!("atm-{}", entry.id)),
                id: None,
                template: None,
                owner: entry.ask.template.clone(),
                ..entry.ask.clone()
            };
            // A refused exit order stays in the list as rejected, which is what the platform shows.
            let _ = self.place(ask, now);
        }
    }

    /// Cancels an open order; false when it is closed already.
    pub(crate) fn cancel(&mut self, id: &str, account: &str, now: u64) -> bool {
        let mut open = self.orders.values_mut().filter(|o| o.status.is_open());
        let Some(order) = open.find(|o| o.id == id && o.ask.account == account) else {
            return false;
        };
        order.status = Status::Cancelled;
        order.changed_ms = now;
        true
    }

    /// Changes an open order in place.
    pub(crate) fn amend(
        &mut self,
        id: &str,
        account: &str,
        amend: Amend,
        now: u64,
    ) -> Result<Order, Refusal> {
        let max = self
            .accounts
            .iter()
            .find(|a| a.name == account)
            .map_or(0, |a| a.max_order);
        let found = self
            .orders
            .iter_mut()
            .find(|(_, o)| o.id == id && o.ask.account == account);
        let Some((serial, order)) = found.filter(|(_, o)| o.status.is_open()) else {
            return Err(Refusal::new(
                "order_not_found",
                format!("no open order {id:?} in {account}"),
            ));
        };
        if amend.quantity.is_some_and(|q| q > max) {
            return Err(Refusal::new(
                "Rejected: max contracts",
                format!("max {max} an order"),
            ));
        }
        order.ask.kind = amended(order.ask.kind, amend)?;
        order.ask.quantity = amend.quantity.unwrap_or(order.ask.quantity);
        order.changed_ms = now;
        let serial = *serial;
        self.match_one(serial, now);
        self.mark();
        let changed = self.orders.get(&serial).cloned();
        changed.ok_or_else(|| Refusal::new("server_error", "the order is gone"))
    }

    /// Puts a position in place behind everybody's back, at the last price.
    pub(crate) fn set_position(
        &mut self,
        account: &str,
        contract: Contract,
        quantity: i32,
        now: u64,
    ) -> bool {
        let Some(quote) = self.quotes.of(contract) else {
            return false;
        };
        let Some(account) = self.account_mut(account) else {
            return false;
        };
        account.positions.remove(&contract.name());
        if quantity != 0 {
            let cost = i64::from(quote.last) * i64::from(quantity);
            let position = super::account::Position {
                contract,
                quantity,
                cost,
                opened_ms: now,
            };
            account.positions.insert(contract.name(), position);
        }
        self.mark();
        true
    }
}

fn amended(kind: Kind, amend: Amend) -> Result<Kind, Refusal> {
    let wrong = |what: &str| {
        Err(Refusal::new(
            "invalid_request",
            format!("a {} order has no {what} price", kind.word()),
        ))
    };
    match kind {
        Kind::Market => Err(Refusal::new(
            "invalid_request",
            "a market order cannot be changed",
        )),
        Kind::Limit { .. } if amend.stop.is_some() => wrong("stop"),
        Kind::Stop { .. } if amend.limit.is_some() => wrong("limit"),
        Kind::Limit { limit } => Ok(Kind::Limit {
            limit: amend.limit.unwrap_or(limit),
        }),
        Kind::Stop { stop } => Ok(Kind::Stop {
            stop: amend.stop.unwrap_or(stop),
        }),
        Kind::StopLimit { stop, limit } => Ok(Kind::StopLimit {
            stop: amend.stop.unwrap_or(stop),
            limit: amend.limit.unwrap_or(limit),
        }),
    }
}

fn triggered(side: Side, stop: i32, quote: Quote) -> bool {
    match side {
        Side::Buy => quote.last >= stop,
        Side::Sell => quote.last <= stop,
    }
}

/// The price at which an order fills now, if it does. A limit never fills worse than its price.
fn fill_price(ask: &Ask, quote: Quote) -> Option<i32> {
    let at_market = match ask.side {
        Side::Buy => quote.ask,
        Side::Sell => quote.bid,
    };
    match ask.kind {
        Kind::Market => Some(at_market),
        Kind::Limit { limit } => match ask.side {
            Side::Buy => (quote.ask <= limit).then_some(quote.ask),
            Side::Sell => (quote.bid >= limit).then_some(quote.bid),
        },
        Kind::Stop { stop } => triggered(ask.side, stop, quote).then_some(at_market),
        Kind::StopLimit { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market() -> Market {
        Market::new(7, true, 0)
    }

    fn ask(side: Side, kind: Kind, quantity: i32) -> Ask {
        Ask {
            account: "Sim101".into(),
            contract: Contract::parse("ES").unwrap(),
            side,
            kind,
            quantity,
            tif: Tif::Day,
            oco: None,
            id: None,
            template: None,
            owner: None,
        }
    }

    fn held(market: &Market) -> i32 {
        market.accounts[0].held(Contract::parse("ES").unwrap())
    }

    fn go(market: &mut Market, last: i32) {
        market.quotes.set(Contract::parse("ES").unwrap(), last, 1, 1);
        market.match_all(1);
    }

    #[test]
    fn a_market_order_crosses_the_spread() {
        let mut market = market();
        let buy = market.place(ask(Side::Buy, Kind::Market, 2), 0).unwrap();
        assert_eq!((buy.status, buy.fill_ticks), (Status::Filled, Some(24_011)));
        let sell = market.place(ask(Side::Sell, Kind::Market, 2), 0).unwrap();
        assert_eq!(sell.fill_ticks, Some(24_010));
        assert_eq!((held(&market), market.trades.len()), (0, 1));
    }

    #[test]
    fn a_limit_rests_until_the_quote_crosses() {
        let mut market = market();
        let order = market
            .place(ask(Side::Buy, Kind::Limit { limit: 24_000 }, 1), 0)
            .unwrap();
        assert_eq!(order.status, Status::Working);
        go(&mut market, 24_000);
        assert_eq!(held(&market), 0);
        go(&mut market, 23_999);
        assert_eq!(held(&market), 1);
    }

    #[test]
    fn a_stop_limit_becomes_a_limit_and_may_be_jumped_over() {
        let mut market = market();
        market
            .place(
                ask(
                    Side::Buy,
                    Kind::StopLimit {
                        stop: 24_020,
                        limit: 24_022,
                    },
                    1,
                ),
                0,
            )
            .unwrap();
        go(&mut market, 24_030);
        assert_eq!(held(&market), 0);
        go(&mut market, 24_015);
        assert_eq!(held(&market), 1);
    }

    #[test]
    fn one_of_an_oco_pair_cancels_the_other() {
        let mut market = market();
        market.place(ask(Side::Buy, Kind::Market, 1), 0).unwrap();
        for kind in [Kind::Limit { limit: 24_030 }, Kind::Stop { stop: 24_000 }] {
            let exit = Ask {
                oco: Some("x".into()),
                ..ask(Side::Sell, kind, 1)
            };
            market.place(exit, 0).unwrap();
        }
        go(&mut market, 23_990);
        assert_eq!(held(&market), 0);
        go(&mut market, 24_040);
        assert_eq!(held(&market), 0);
        assert_eq!(market.orders.values().filter(|o| o.status.is_open()).count(), 0);
    }

    #[test]
    fn immediate_orders_do_not_rest() {
        let mut market = market();
        let order = Ask {
            tif: Tif::Ioc,
            ..ask(Side::Buy, Kind::Limit { limit: 1 }, 1)
        };
        assert_eq!(market.place(order, 0).unwrap().status, Status::Cancelled);
    }

    #[test]
    fn limits_of_the_account_reject() {
        let mut market = market();
        let funded = |quantity, side| Ask {
            account: "PA-123456".into(),
            ..ask(side, Kind::Market, quantity)
        };
        assert_eq!(
            market.place(funded(11, Side::Buy), 0).unwrap_err().code,
            "Rejected: max contracts"
        );
        market.place(funded(5, Side::Buy), 0).unwrap();
        go(&mut market, 23_900);
        assert_eq!(
            market.place(funded(1, Side::Buy), 0).unwrap_err().code,
            "Rejected: daily loss lockout"
        );
        assert!(
            market.place(funded(5, Side::Sell), 0).is_ok(),
            "an exit is never locked out"
        );
    }

    #[test]
    fn a_template_brackets_its_entry() {
        let mut market = market();
        let entry = Ask {
            template: Some("Scalp".into()),
            ..ask(Side::Buy, Kind::Market, 1)
        };
        market.place(entry, 0).unwrap();
        assert_eq!(market.orders.values().filter(|o| o.status.is_open()).count(), 2);
        go(&mut market, 24_050);
        assert_eq!(
            (
                held(&market),
                market.orders.values().filter(|o| o.status.is_open()).count()
            ),
            (0, 0)
        );
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let mut market = market();
        let id = market
            .place(
                ask(
                    Side::Buy,
                    Kind::StopLimit {
                        stop: 24_100,
                        limit: 24_102,
                    },
                    1,
                ),
                0,
            )
            .unwrap()
            .id;
        let amend = Amend {
            stop: Some(24_050),
            ..Amend::default()
        };
        let changed = market.amend(&id, "Sim101", amend, 1).unwrap();
        assert_eq!(
            changed.ask.kind,
            Kind::StopLimit {
                stop: 24_050,
                limit: 24_102
            }
        );
        assert!(market.amend("none", "Sim101", amend, 1).is_err());
    }
}
