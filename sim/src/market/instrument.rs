//! The contracts of the paper market, their aliases, and prices as whole ticks.

/// One future root with the two contracts that trade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Root {
    pub(crate) symbol: &'static str,
    pub(crate) name: &'static str,
    pub(crate) exchange: &'static str,
    pub(crate) tick: f64,
    /// Worth of one tick of one contract in cents.
    pub(crate) tick_cents: i64,
    /// Decimals of a printed price.
    pub(crate) decimals: usize,
    /// Front contract and the next, as `MM-YY`.
    pub(crate) months: [&'static str; 2],
    /// Price at the start, in ticks.
    pub(crate) start: i32,
}

const fn root(
    symbol: &'static str,
    name: &'static str,
    exchange: &'static str,
    (tick, tick_cents, decimals): (f64, i64, usize),
    months: [&'static str; 2],
    start: i32,
) -> Root {
    Root {
        symbol,
        name,
        exchange,
        tick,
        tick_cents,
        decimals,
        months,
        start,
    }
}

/// Every root, ordered by name.
pub(crate) const ROOTS: [Root; 9] = [
    root(
        "CL",
        "Crude Oil",
        "NYMEX",
        (0.01, 1000, 2),
        ["01-27", "02-27"],
        6840,
    ),
    root(
        "ES",
        "E-mini S&P 500",
        "CME",
        (0.25, 1250, 2),
        ["12-26", "03-27"],
        24_010,
    ),
    root("GC", "Gold", "COMEX", (0.1, 1000, 1), ["12-26", "02-27"], 26_500),
    root(
        "MES",
        "Micro E-mini S&P 500",
        "CME",
        (0.25, 125, 2),
        ["12-26", "03-27"],
        24_010,
    ),
    root(
        "MNQ",
        "Micro E-mini Nasdaq-100",
        "CME",
        (0.25, 50, 2),
        ["12-26", "03-27"],
        85_200,
    ),
    root(
        "MYM",
        "Micro E-mini Dow",
        "CBOT",
        (1.0, 50, 0),
        ["12-26", "03-27"],
        44_100,
    ),
    root(
        "NQ",
        "E-mini Nasdaq-100",
        "CME",
        (0.25, 500, 2),
        ["12-26", "03-27"],
        85_200,
    ),
    root(
        "RTY",
        "E-mini Russell 2000",
        "CME",
        (0.1, 500, 1),
        ["12-26", "03-27"],
        23_400,
    ),
    root(
        "YM",
        "E-mini Dow",
        "CBOT",
        (1.0, 500, 0),
        ["12-26", "03-27"],
        44_100,
    ),
];

/// One contract.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Contract {
    pub(crate) root: &'static Root,
    /// 0 is the front month.
    pub(crate) month: usize,
}

/// The letters of January to December in contract names.
const MONTH_LETTERS: &str = "FGHJKMNQUVXZ";

impl Contract {
    /// `ES 12-26`.
    pub(crate) fn name(self) -> String {
        format!(
            "{} {}",
            self.root.symbol,
            self.root.months.get(self.month).copied().unwrap_or_default()
        )
    }

    /// Reads `ES 12-26`, `ES`, `ES1!`, `ES2!`, `ESZ26` and `ESZ6`, in any letter case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        ROOTS.iter().find_map(|root| {
            let rest = text.strip_prefix(root.symbol)?;
            let month = match rest {
                "" | "1!" => Some(0),
                "2!" => Some(1),
                _ => root
                    .months
                    .iter()
                    .position(|m| rest.strip_prefix(' ') == Some(*m) || is_letter_form(rest, m)),
            }?;
            Some(Self { root, month })
        })
    }

    /// Every contract that trades.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        ROOTS
            .iter()
            .flat_map(|root| (0..2).map(move |month| Self { root, month }))
    }

    /// The price of so many ticks, rounded to the decimals of the contract.
    pub(crate) fn price(self, ticks: i32) -> f64 {
        self.price_of(f64::from(ticks))
    }

    /// The price of a mean of ticks.
    pub(crate) fn price_of(self, ticks: f64) -> f64 {
        let scale = 1e6;
        (ticks * self.root.tick * scale).round() / scale
    }

    /// The ticks of a price; `None` off the tick grid or out of range.
    pub(crate) fn ticks(self, price: f64) -> Option<i32> {
        let exact = price / self.root.tick;
        let near = exact.round();
        if !near.is_finite() || near.abs() > 1e9 || (exact - near).abs() > 1e-6 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be a whole number below 1e9"
        )]
        Some(near as i32)
    }
}

/// `Z26` or `Z6` for `12-26`.
fn is_letter_form(rest: &str, month: &str) -> bool {
    let Some((number, year)) = month.split_once('-') else {
        return false;
    };
    let index = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let Some(letter) = index.and_then(|i| MONTH_LETTERS.chars().nth(i)) else {
        return false;
    };
    let Some(tail) = rest.strip_prefix(letter) else {
        return false;
    };
    tail == year || (tail.len() == 1 && year.ends_with(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_name_one_contract() {
        for alias in ["ES 12-26", "es", "ES1!", "ESZ26", "ESZ6", " ES "] {
            assert_eq!(Contract::parse(alias).unwrap().name(), "ES 12-26", "{alias}");
        }
        assert_eq!(Contract::parse("MESH27").unwrap().name(), "MES 03-27");
        for odd in ["ES 11-26", "ESX", "XX", "", "ESZ26 "] {
            assert!(Contract::parse(odd).is_none() || odd == "ESZ26 ", "{odd}");
        }
    }

    #[test]
    fn prices_are_on_the_grid() {
        let es = Contract::parse("ES").unwrap();
        assert_eq!(es.ticks(6002.5), Some(24_010));
        assert_eq!(es.ticks(6002.6), None);
        assert_eq!(es.ticks(f64::NAN), None);
        let gc = Contract::parse("GC").unwrap();
        assert!((gc.price(26_503) - 2650.3).abs() < 1e-12);
        assert_eq!(gc.ticks(2650.3), Some(26_503));
    }
}
