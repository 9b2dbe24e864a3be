//! From the text of `policy.toml` to a [`Policy`]: every value checked, every error with its line and column.
//!
//! Owns: bounds, and the sentences about what is wrong. Refuses to know: judgement.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use toml::Spanned;

use super::account::{AccountRule, EVERY_OTHER, Limit, Pace};
use super::raw::{Amount, Kind, RawAccount, RawLimits, RawPolicy, RawRule, RawWindow, Table};
use super::rule::{Do, Rule};
use super::window::{self, DayBoundary, Window};
use super::zone::{DAY_MINUTES, Zone};
use super::{Limits, MAX_POLICY, Policy};
use crate::gate::call::MAX_TOOL_NAME;
use crate::gate::catalogue::{self, Class};
use crate::gate::value::{self, Decimal};

/// More entries or rules than a person keeps in view; the bound keeps judging quick.
const MAX_ENTRIES: usize = 100;
/// The same for rules.
const MAX_RULES: usize = 200;
/// Windows of one entry.
const MAX_WINDOWS: usize = 14;
/// Accounts that one is copied to.
const MAX_COPIES: usize = 16;

const COUNT: RangeInclusive<u32> = 0..=1_000;
const CONTRACTS: RangeInclusive<u32> = 0..=100_000;

/// Why a policy text is none, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy line {line}, column {column}: {reason}")]
pub struct PolicyError {
    /// 1-based; 0 where no place is known.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// What is wrong, for the person.
    pub reason: String,
}

/// Reads the text of a policy file.
pub(super) fn parse(text: &str) -> Result<Policy, PolicyError> {
    if text.len() > MAX_POLICY {
        return Err(PolicyError {
            line: 0,
            column: 0,
            reason: format!("the file is larger than {MAX_POLICY} bytes"),
        });
    }
    let file = File::new(text);
    let raw: RawPolicy = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        file.wrong(at, error.message())
    })?;
    if *raw.version.get_ref() != 1 {
        return Err(file.wrong(raw.version.span().start, "this program reads version 1"));
    }
    let mut accounts: Vec<AccountRule> = Vec::new();
    for (pattern, account) in raw.account {
        let at = pattern.span().start;
        let rule = file.account(&pattern, account.into_inner())?;
        if accounts.len() >= MAX_ENTRIES {
            return Err(file.wrong(at, &format!("there are more than {MAX_ENTRIES} account entries")));
        }
        if accounts.iter().any(|other| other.pattern == rule.pattern) {
            return Err(file.wrong(at, "this account stands twice (letter case does not count)"));
        }
        accounts.push(rule);
    }
    // The most exact pattern first: full names, then long globs.
    accounts.sort_by_key(|rule| {
        (
            rule.pattern.contains('*'),
            usize::MAX.saturating_sub(rule.pattern.len()),
        )
    });
    let mut rules = Vec::new();
    for (number, rule) in (1..).zip(raw.rule) {
        if number > MAX_RULES {
            return Err(file.wrong(
                rule.span().start,
                &format!("there are more than {MAX_RULES} rules"),
            ));
        }
        rules.push(file.rule(number, rule)?);
    }
    Ok(Policy {
        accounts,
        rules,
        limits: file.limits(raw.limits)?,
        digest: value::sha256(&[text.as_bytes()]),
    })
}

/// The text with where its lines begin.
struct File<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> File<'a> {
    fn new(text: &'a str) -> Self {
        let begins = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = begins.map(|(at, _)| at.saturating_add(1)).collect();
        Self { text, lines }
    }

    /// The 1-based line of a place.
    fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= at).saturating_add(1)
    }

    fn wrong(&self, at: usize, reason: &str) -> PolicyError {
        let line = self.line(at);
        let begin = line
            .checked_sub(2)
            .and_then(|before| self.lines.get(before))
            .copied();
        let before = self.text.get(begin.unwrap_or(0)..at).unwrap_or_default();
        PolicyError {
            line,
            column: before.chars().count().saturating_add(1),
            reason: value::short(reason, 200),
        }
    }

    fn limit<T>(&self, at: usize, value: T) -> Limit<T> {
        let line = u32::try_from(self.line(at)).unwrap_or(u32::MAX);
        Limit { value, line }
    }

    /// A value as it is, with its line.
    fn kept<T>(&self, own: Option<Spanned<T>>) -> Option<Limit<T>> {
        own.map(|own| self.limit(own.span().start, own.into_inner()))
    }

    fn bounded<T: PartialOrd + Display>(
        &self,
        at: usize,
        own: T,
        bounds: &RangeInclusive<T>,
    ) -> Result<Limit<T>, PolicyError> {
        if bounds.contains(&own) {
            return Ok(self.limit(at, own));
        }
        let (least, most) = (bounds.start(), bounds.end());
        Err(self.wrong(at, &format!("this is a number from {least} to {most}")))
    }

    fn number(
        &self,
        own: Option<Spanned<u32>>,
        bounds: &RangeInclusive<u32>,
    ) -> Result<Option<Limit<u32>>, PolicyError> {
        own.map(|own| self.bounded(own.span().start, own.into_inner(), bounds))
            .transpose()
    }

    fn amount(
        &self,
        own: Option<Spanned<Amount>>,
        least: &str,
        most: i64,
    ) -> Result<Option<Limit<Decimal>>, PolicyError> {
        let bounds = Decimal::parse(least).unwrap_or_default()..=Decimal::whole(most);
        own.map(|own| self.bounded(own.span().start, own.into_inner().0, &bounds))
            .transpose()
    }

    fn limits(&self, raw: RawLimits) -> Result<Limits, PolicyError> {
        let pace = self.pace(RawPace {
            orders_per_minute: raw.orders_per_minute,
            orders_per_day: raw.orders_per_day,
            daily_quantity: raw.daily_quantity,
            duplicate_seconds: raw.duplicate_seconds,
            max_drift_ticks: raw.max_drift_ticks,
            max_drift: raw.max_drift,
        })?;
        Ok(Limits {
            pace,
            day_boundary: match raw.day_boundary {
                Some(own) => Some(self.boundary(&own)?),
                None => DayBoundary::usual(),
            },
            quote_seconds: self.number(raw.quote_seconds, &(1..=300))?,
            market_ticket_seconds: self.number(raw.market_ticket_seconds, &(5..=120))?,
            ticket_seconds: self.number(raw.ticket_seconds, &(10..=600))?,
        })
    }

    fn pace(&self, raw: RawPace) -> Result<Pace, PolicyError> {
        Ok(Pace {
            orders_per_minute: self.number(raw.orders_per_minute, &COUNT)?,
            orders_per_day: self.number(raw.orders_per_day, &COUNT)?,
            daily_quantity: self.number(raw.daily_quantity, &CONTRACTS)?,
            duplicate_seconds: self.number(raw.duplicate_seconds, &(1..=3_600))?,
            max_drift_ticks: self.number(raw.max_drift_ticks, &(0..=10_000))?,
            max_drift: self.amount(raw.max_drift, "0", 1_000_000)?,
        })
    }

    fn boundary(&self, own: &Spanned<String>) -> Result<DayBoundary, PolicyError> {
        let at = own.span().start;
        let (time, zone) = own.get_ref().split_once(' ').unwrap_or((own.get_ref(), ""));
        let minute = window::minute_of(time).filter(|minute| *minute < DAY_MINUTES);
        let Some((minute, zone)) = minute.zip(Zone::named(zone)) else {
            return Err(self.wrong(
                at,
                "write a time and a time zone, such as \"17:00 America/Chicago\"",
            ));
        };
        Ok(DayBoundary {
            minute,
            zone,
            line: self.limit(at, ()).line,
        })
    }

    fn account(&self, pattern: &Spanned<String>, raw: RawAccount) -> Result<AccountRule, PolicyError> {
        let folded = self.pattern(pattern)?;
        let pace = self.pace(RawPace {
            orders_per_minute: raw.orders_per_minute,
            orders_per_day: raw.orders_per_day,
            daily_quantity: raw.daily_quantity,
            duplicate_seconds: raw.duplicate_seconds,
            max_drift_ticks: raw.max_drift_ticks,
            max_drift: raw.max_drift,
        })?;
        if raw.window.0.len() > MAX_WINDOWS {
            let reason = format!("an entry has at most {MAX_WINDOWS} windows");
            return Err(self.wrong(pattern.span().start, &reason));
        }
        let windows: Result<Vec<Window>, PolicyError> =
            raw.window.0.iter().map(|window| self.window(window)).collect();
        let order_types = raw.order_types.map(|own| {
            let at = own.span().start;
            self.limit(at, own.into_inner().iter().map(Kind::kind).collect())
        });
        Ok(AccountRule {
            line: self.limit(pattern.span().start, ()).line,
            class: self.kept(raw.class),
            blocked: self.kept(raw.blocked),
            tier: self.kept(raw.tier),
            classes: self.classes(raw.classes)?,
            order_types,
            max_quantity: self.table(raw.max_quantity)?,
            max_position: self.table(raw.max_position)?,
            max_contracts: self.number(raw.max_contracts, &CONTRACTS)?,
            micro_ratio: self.number(raw.micro_ratio, &(1..=100))?,
            collar_ticks: self.number(raw.collar_ticks, &(1..=100_000))?,
            collar_percent: self.amount(raw.collar_percent, "0.001", 100)?,
            daily_loss_floor: self.amount(raw.daily_loss_floor, "0", 1_000_000_000)?,
            trailing_floor: self.amount(raw.trailing_floor, "0", 1_000_000_000)?,
            windows: windows?,
            copies_to: self.copies(&folded, raw.copies_to)?,
            pace,
            pattern: folded,
        })
    }

    /// Classes that an account may be used for. Ways out are no choice: they always may.
    fn classes(
        &self,
        own: Option<Spanned<Vec<Spanned<Class>>>>,
    ) -> Result<Option<Limit<Vec<Class>>>, PolicyError> {
        let Some(own) = own else { return Ok(None) };
        let at = own.span().start;
        let mut classes = Vec::new();
        for class in own.into_inner() {
            let reason = match class.get_ref() {
                Class::Order
                | Class::Protect
                | Class::Exit
                | Class::Cancel
                | Class::Strategy
                | Class::Connection
                | Class::Unknown => {
                    classes.push(*class.get_ref());
                    continue;
                }
                Class::Read => "reads pass in any case",
                Class::Code | Class::Job | Class::Alert | Class::Workspace => {
                    "calls of this class act on no account; write a [[rule]] for them"
                }
            };
            return Err(self.wrong(class.span().start, reason));
        }
        Ok(Some(self.limit(at, classes)))
    }

    fn table(&self, raw: Table) -> Result<BTreeMap<String, Limit<u32>>, PolicyError> {
        let mut table = BTreeMap::new();
        for (root, most) in raw {
            let at = root.span().start;
            let name = root.get_ref().to_ascii_uppercase();
            let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if name != EVERY_OTHER && !plain {
                return Err(self.wrong(at, "name the root alone, such as MES, or \"*\""));
            }
            let most = self.bounded(most.span().start, *most.get_ref(), &CONTRACTS)?;
            if table.insert(name, most).is_some() {
                return Err(self.wrong(at, "this root stands twice"));
            }
        }
        Ok(table)
    }

    fn copies(
        &self,
        pattern: &str,
        own: Option<Spanned<Vec<Spanned<String>>>>,
    ) -> Result<Option<Limit<Vec<String>>>, PolicyError> {
        let Some(own) = own else { return Ok(None) };
        let at = own.span().start;
        let mut copies = Vec::new();
        for copy in own.into_inner() {
            let name = self.pattern(&copy)?;
            let wrong = |reason: &str| Err(self.wrong(copy.span().start, reason));
            if name.contains('*') {
                return wrong("name each copied account in full");
            }
            if name == pattern {
                return wrong("an account is not copied to itself");
            }
            if copies.contains(&name) {
                return wrong("this account stands twice (letter case does not count)");
            }
            if copies.len() >= MAX_COPIES {
                return wrong(&format!("at most {MAX_COPIES} accounts can be named here"));
            }
            copies.push(name);
        }
        Ok(Some(self.limit(at, copies)))
    }

    fn window(&self, own: &Spanned<RawWindow>) -> Result<Window, PolicyError> {
        let raw = own.get_ref();
        let minute = |own: &Spanned<String>| {
            window::minute_of(own.get_ref())
                .ok_or_else(|| self.wrong(own.span().start, "write a time of day such as \"09:35\""))
        };
        let zone = Zone::named(raw.zone.get_ref()).ok_or_else(|| {
            let reason =
                "no time zone has this name; write one such as \"America/New_York\" or \"Europe/Berlin\"";
            self.wrong(raw.zone.span().start, reason)
        })?;
        let days = match &raw.days {
            None => [true; 7],
            Some(days) => window::days_of(days.get_ref()).ok_or_else(|| {
                self.wrong(days.span().start, "write days such as \"Mon-Fri\" or \"Mon,Wed\"")
            })?,
        };
        let (from, to) = (minute(&raw.from)?, minute(&raw.to)?);
        if from >= DAY_MINUTES {
            return Err(self.wrong(raw.from.span().start, "a window opens before \"24:00\""));
        }
        if from == to {
            let reason = "a window that opens and closes at the same time is none; for a whole day write \"00:00\" to \"24:00\"";
            return Err(self.wrong(raw.to.span().start, reason));
        }
        let no_new_after = raw.no_new_after.as_ref().map(minute).transpose()?;
        let window = Window {
            days,
            from,
            to,
            no_new_after,
            zone,
            line: self.limit(own.span().start, ()).line,
        };
        match (&raw.no_new_after, no_new_after) {
            (Some(own), Some(minute)) if minute >= DAY_MINUTES || !window.holds(minute) => {
                Err(self.wrong(own.span().start, "this time lies outside the window"))
            }
            (_, _) => Ok(window),
        }
    }

    /// An account pattern in lower case. What could never match as it is meant is an error: a deny that sleeps is worse
    /// than none.
    fn pattern(&self, pattern: &Spanned<String>) -> Result<String, PolicyError> {
        let wrong = |reason: &str| Err(self.wrong(pattern.span().start, reason));
        let folded = pattern.get_ref().to_ascii_lowercase();
        if folded.is_empty()
            || folded.len() > value::MAX_ACCOUNT
            || !folded.chars().all(|letter| matches!(letter, ' '..='~'))
        {
            return wrong("an account pattern is 1 to 64 plain ASCII characters");
        }
        if folded.matches('*').count() > 1 {
            return wrong("an account pattern has at most one `*`");
        }
        if folded.trim() != folded {
            return wrong("an account pattern has no blanks at its ends");
        }
        if folded.contains(['?', '[', ']', '{', '}', '|', '^', '$', '\\', ',', ';']) {
            return wrong(
                "in an account pattern only `*` stands for other characters; write one entry for each pattern",
            );
        }
        if value::means_every_account(&folded) {
            return wrong("for every account write \"*\"");
        }
        Ok(folded)
    }

    /// The name of a tool in a rule: exact, so that a `*` in it would never match.
    fn tool(&self, tool: &Spanned<String>) -> Result<String, PolicyError> {
        let name = tool.get_ref();
        let good =
            (1..=MAX_TOOL_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        if good && !name.contains('*') {
            return Ok(name.clone());
        }
        let reason = "a tool is named exactly: 1 to 128 plain ASCII characters without blanks, and no `*`";
        Err(self.wrong(tool.span().start, reason))
    }

    fn rule(&self, number: usize, rule: Spanned<RawRule>) -> Result<Rule, PolicyError> {
        let at = rule.span().start;
        let rule = rule.into_inner();
        let tool = rule.tool.map(|tool| self.tool(&tool)).transpose()?;
        let account = rule.account.map(|pattern| self.pattern(&pattern)).transpose()?;
        let wrong = |reason: &str| Err(self.wrong(at, reason));
        if rule.class.is_none() && tool.is_none() && rule.action == Do::Allow {
            return wrong("an allow rule names a class or a tool");
        }
        if rule.class == Some(Class::Read) && rule.action == Do::Allow {
            return wrong("reads pass already");
        }
        if rule.class == Some(Class::Unknown) && rule.action == Do::Allow && tool.is_none() {
            return wrong("unknown tools are allowed only by exact name (tool = \"...\")");
        }
        if tool.as_deref().is_some_and(catalogue::is_known_read_tool) && rule.action == Do::Deny {
            return wrong("reads are not judged; they cannot be denied here");
        }
        Ok(Rule {
            class: rule.class,
            tool,
            account,
            action: rule.action,
            number,
            at: self.limit(at, ()).line,
        })
    }
}

/// The keys that an entry and `[limits]` share, as they were read.
struct RawPace {
    orders_per_minute: Option<Spanned<u32>>,
    orders_per_day: Option<Spanned<u32>>,
    daily_quantity: Option<Spanned<u32>>,
    duplicate_seconds: Option<Spanned<u32>>,
    max_drift_ticks: Option<Spanned<u32>>,
    max_drift: Option<Spanned<Amount>>,
}
