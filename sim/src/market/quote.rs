//! Moving quotes: a walk that depends on the seed and the number of steps only.

use std::collections::BTreeMap;

use super::instrument::Contract;

/// One quote in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) bid: i32,
    pub(crate) ask: i32,
    pub(crate) last: i32,
    pub(crate) high: i32,
    pub(crate) low: i32,
    pub(crate) open: i32,
    pub(crate) volume: u64,
    pub(crate) at_ms: u64,
}

impl Quote {
    fn start(last: i32, now: u64) -> Self {
        Self {
            bid: last,
            ask: last + 1,
            last,
            high: last,
            low: last,
            open: last,
            volume: 10_000,
            at_ms: now,
        }
    }

    fn go(&mut self, last: i32, spread: i32, now: u64) {
        self.last = last;
        self.bid = last;
        self.ask = last.saturating_add(spread.max(0));
        self.high = self.high.max(last);
        self.low = self.low.min(last);
        self.at_ms = now;
    }
}

/// The quotes of all contracts.
#[derive(Debug)]
pub(crate) struct Quotes {
    map: BTreeMap<String, Quote>,
    pub(crate) frozen: bool,
    random: u64,
    stepped_ms: u64,
}

/// Time between two steps of the walk.
const STEP_MS: u64 = 250;
/// After a long pause the walk does not make up for all of it.
const MAX_STEPS: u64 = 240;

impl Quotes {
    pub(crate) fn new(seed: u64, frozen: bool, now: u64) -> Self {
        let map = Contract::all()
            .map(|c| {
                let carry = if c.month == 0 { 0 } else { c.root.start / 100 };
                (c.name(), Quote::start(c.root.start + carry, now))
            })
            .collect();
        Self {
            map,
            frozen,
            random: seed | 1,
            stepped_ms: now,
        }
    }

    pub(crate) fn of(&self, contract: Contract) -> Option<Quote> {
        self.map.get(&contract.name()).copied()
    }

    /// Sets a quote by hand, as from the control interface.
    pub(crate) fn set(&mut self, contract: Contract, last: i32, spread: i32, now: u64) {
        if let Some(quote) = self.map.get_mut(&contract.name()) {
            quote.go(last, spread, now);
        }
    }

    /// The number of steps that are due. The caller makes them one by one, so that resting orders see each price.
    pub(crate) fn due(&mut self, now: u64) -> u64 {
        let steps = now.saturating_sub(self.stepped_ms) / STEP_MS;
        self.stepped_ms = self.stepped_ms.saturating_add(steps.saturating_mul(STEP_MS));
        if self.frozen { 0 } else { steps.min(MAX_STEPS) }
    }

    /// One step of every contract: a tick up, a tick down, or none.
    pub(crate) fn step(&mut self, now: u64) {
        for quote in self.map.values_mut() {
            let drawn = xorshift(&mut self.random);
            let by = match drawn % 4 {
                0 => -1,
                1 => 1,
                _ => 0,
            };
            let last = quote.last.saturating_add(by).max(1);
            quote.go(last, 1, now);
            quote.volume = quote.volume.saturating_add(drawn % 9);
        }
    }
}

/// Marsaglia's xorshift64.
pub(crate) fn xorshift(state: &mut u64) -> u64 {
    let mut x = (*state).max(1);
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    x >> 11
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_walks_the_same_way() {
        let es = Contract::parse("ES").unwrap();
        let walk = |seed| {
            let mut quotes = Quotes::new(seed, false, 0);
            (0..200)
                .map(|_| {
                    quotes.step(0);
                    quotes.of(es).unwrap().last
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(walk(7), walk(7));
        assert_ne!(walk(7), walk(8));
    }

    #[test]
    fn frozen_quotes_have_no_steps_due() {
        let mut quotes = Quotes::new(7, true, 0);
        assert_eq!(quotes.due(10_000), 0);
        quotes.frozen = false;
        assert_eq!(quotes.due(10_000), 0);
        assert_eq!(quotes.due(11_000), 4);
    }
}
