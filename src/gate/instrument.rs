//! Instruments: the spellings that the service accepts, and what we know of a contract.
//!
//! Owns: normalisation, tick sizes and point values of common contracts. Refuses to know: orders and positions.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::fmt;

use super::value::{Decimal, Refusal};

/// Which contract of a root is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contract {
    /// The service picks the front month (`ES`, `ES1!`).
    Front,
    /// A named month: `month` 1 to 12, `year` the last two digits.
    Month {
        /// 1 to 12.
        month: u8,
        /// The last two digits of the year.
        year: u8,
    },
}

/// An instrument as it was asked for and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instrument {
    /// The text of the call.
    pub asked: String,
    /// The root in upper case, such as `MES`.
    pub root: String,
    /// Which contract.
    pub contract: Contract,
}

const MONTHS: &str = "FGHJKMNQUVXZ";

impl Instrument {
    /// Reads `ES 12-26`, `ES`, `ES1!` or `ESZ26`, in any letter case. `None` for every other form.
    pub fn read(asked: &str) -> Option<Self> {
        let upper = asked.to_ascii_uppercase();
        let (root, contract) = split(&upper)?;
        if is_unread_month(root) {
            return None;
        }
        let plain = (1..=8).contains(&root.len())
            && root.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && root.bytes().any(|byte| byte.is_ascii_alphabetic());
        plain.then(|| Self {
            asked: asked.to_owned(),
            root: root.to_owned(),
            contract,
        })
    }

    /// The canonical text: `MES 12-26`, or the root alone where the service picks the month.
    pub fn canonical(&self) -> String {
        match self.contract {
            Contract::Front => self.root.clone(),
            Contract::Month { month, year } => format!("{} {month:02}-{year:02}", self.root),
        }
    }

    /// Whether both could mean the same contract: same root, and no two different months.
    pub fn may_be(&self, other: &Self) -> bool {
        self.root == other.root
            && (self.contract == other.contract
                || self.contract == Contract::Front
                || other.contract == Contract::Front)
    }

    /// Whether it is a micro contract: a tenth or so of the one that the market is named after.
    pub fn is_micro(&self) -> bool {
        MICROS.contains(&self.root.as_str())
    }

    /// What we know of the contract.
    pub fn spec(&self) -> Option<&'static ContractSpec> {
        CONTRACTS.iter().find(|spec| spec.root == self.root)
    }
}

impl fmt::Display for Instrument {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.canonical())
    }
}

/// The instrument of an argument, or why it is none.
pub fn instrument(key: &str, raw: &str) -> Result<Instrument, Refusal> {
    let text = super::value::ascii(key, raw, 24)?;
    Instrument::read(&text).ok_or_else(|| {
        if is_unread_month(&text.to_ascii_uppercase()) {
            return Refusal::new(
                "bad_instrument",
                format!("the argument `{key}` names a month in a form that can be misread; write it as \"ES 12-26\" or \"ESZ26\""),
            );
        }
        Refusal::new(
            "bad_instrument",
            format!("the argument `{key}` must be an instrument such as \"ES 12-26\", \"ES\", \"ES1!\" or \"ESZ26\""),
        )
    })
}

fn split(upper: &str) -> Option<(&str, Contract)> {
    if let Some((root, date)) = upper.split_once(' ') {
        let (month, year) = date.split_once('-')?;
        if month.len() != 2
            || year.len() != 2
            || !date.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
        {
            return None;
        }
        let month: u8 = month.parse().ok()?;
        let year: u8 = year.parse().ok()?;
        return (1..=12)
            .contains(&month)
            .then_some((root, Contract::Month { month, year }));
    }
    if let Some(root) = upper.strip_suffix("1!") {
        return Some((root, Contract::Front));
    }
    Some(coded(upper).unwrap_or((upper, Contract::Front)))
}

/// Whether a root ends like a month that [`coded`] does not read: `ESZ6`, `ESZ2026`. As a root it would be another
/// instrument than `ES` for every rule and every position, while the service may well trade the contract.
fn is_unread_month(root: &str) -> bool {
    let bare = root.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let digits = root.len().saturating_sub(bare.len());
    let mut before = bare.chars().rev();
    let month = before.next().is_some_and(|letter| MONTHS.contains(letter));
    // Three digits are no year: `UK100` is a name. `J7` has nothing before its letter.
    matches!(digits, 1 | 2 | 4) && month && before.next().is_some()
}

/// `ESZ26`: a root of at least one letter or digit, a month letter, two digits of a year of our time.
fn coded(upper: &str) -> Option<(&str, Contract)> {
    let at = upper.len().checked_sub(3)?;
    let (root, code) = upper.split_at_checked(at)?;
    let letter = code.chars().next()?;
    let month = MONTHS.find(letter)?;
    let year = code.get(1..)?;
    if root.is_empty() || !year.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let year: u8 = year.parse().ok()?;
    let month = u8::try_from(month.checked_add(1)?).ok()?;
    (20..60)
        .contains(&year)
        .then_some((root, Contract::Month { month, year }))
}

/// What the exchange publishes about a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContractSpec {
    /// The root, upper case.
    pub root: &'static str,
    /// The smallest price step.
    pub tick: Decimal,
    /// What one point of one contract is worth in US dollars.
    pub point: Decimal,
}

const fn spec(root: &'static str, tick: i128, point_cents: i64) -> ContractSpec {
    ContractSpec {
        root,
        tick: Decimal::scaled(tick),
        point: Decimal::scaled((point_cents as i128).saturating_mul(1_000_000)),
    }
}

/// Ticks in hundred-millionths, points in cents: CME, CBOT, NYMEX and COMEX contract specifications.
static CONTRACTS: [ContractSpec; 36] = [
    spec("ES", 25_000_000, 5_000),
    spec("MES", 25_000_000, 500),
    spec("NQ", 25_000_000, 2_000),
    spec("MNQ", 25_000_000, 200),
    spec("YM", 100_000_000, 500),
    spec("MYM", 100_000_000, 50),
    spec("RTY", 10_000_000, 5_000),
    spec("M2K", 10_000_000, 500),
    spec("EMD", 10_000_000, 10_000),
    spec("NKD", 500_000_000, 500),
    spec("CL", 1_000_000, 100_000),
    spec("MCL", 1_000_000, 10_000),
    spec("QM", 2_500_000, 50_000),
    spec("NG", 100_000, 1_000_000),
    spec("HO", 10_000, 4_200_000),
    spec("RB", 10_000, 4_200_000),
    spec("GC", 10_000_000, 10_000),
    spec("MGC", 10_000_000, 1_000),
    spec("SI", 500_000, 500_000),
    spec("SIL", 500_000, 100_000),
    spec("HG", 50_000, 2_500_000),
    spec("MHG", 50_000, 250_000),
    spec("PL", 10_000_000, 5_000),
    spec("6E", 5_000, 12_500_000),
    spec("M6E", 10_000, 1_250_000),
    spec("6B", 10_000, 6_250_000),
    spec("6A", 5_000, 10_000_000),
    spec("6C", 5_000, 10_000_000),
    spec("6J", 50, 1_250_000_000),
    spec("ZB", 3_125_000, 100_000),
    spec("ZN", 1_562_500, 100_000),
    spec("ZF", 781_250, 100_000),
    spec("ZC", 25_000_000, 5_000),
    spec("ZS", 25_000_000, 5_000),
    spec("MBT", 500_000_000, 10),
    spec("BTC", 500_000_000, 500),
];

/// The micro contracts of CME, CBOT, NYMEX and COMEX. A root that is missing here counts as a whole contract.
static MICROS: [&str; 17] = [
    "MES", "MNQ", "MYM", "M2K", "MCL", "MNG", "MGC", "SIL", "MHG", "M6E", "M6B", "M6A", "MCD", "MSF", "MJY",
    "MBT", "MET",
];
