//! The person's rules: `policy.toml`, typed, unknown keys are errors.
//!
//! Owns: which entry, limit and rule speak about an account, a class, a tool. Refuses to know: files (who may write them,
//! whether a change was approved), facts, counters, the clock. Deny overrides ask, ask overrides allow; of several entries
//! that mean one account each holds, so that the tightest counts.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

mod account;
mod file;
mod raw;
mod reads;
mod rule;
mod show;
mod starter;
mod warn;
mod window;
mod zone;

pub use account::{AccountClass, AccountRule, Limit, Pace};
pub use file::PolicyError;
pub use rule::{Do, Rule};
pub use show::tier_word;
pub use starter::STARTER;
pub(super) use window::local_text;
pub use window::{DayBoundary, Open, Window};

use account::EVERY_OTHER;

use super::catalogue::{self, Class};
use super::{Millis, Tier, value};

/// The largest policy text that is read.
pub const MAX_POLICY: usize = 256 * 1024;

/// The age of a quote, in seconds, above which it proves no price, where the file does not say.
pub const QUOTE_SECONDS: u32 = 15;

/// What `[limits]` sets for all accounts together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is the key of the same name in the file")]
pub struct Limits {
    pub pace: Pace,
    pub day_boundary: Option<DayBoundary>,
    pub quote_seconds: Option<Limit<u32>>,
    pub market_ticket_seconds: Option<Limit<u32>>,
    pub ticket_seconds: Option<Limit<u32>>,
}

/// A policy: what the file says, and the digest of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    accounts: Vec<AccountRule>,
    rules: Vec<Rule>,
    limits: Limits,
    digest: String,
}

impl Default for Policy {
    /// Reads pass, everything else asks.
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            rules: Vec::new(),
            limits: Limits {
                day_boundary: DayBoundary::usual(),
                ..Limits::default()
            },
            digest: value::sha256(&[]),
        }
    }
}

impl Policy {
    /// Reads the text of a policy file.
    ///
    /// # Errors
    /// For anything that is not exactly understood, with line and column.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        file::parse(text)
    }

    /// Lower-case hex SHA-256 of the file's text; of the empty text for the default.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What holds for all accounts together.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The tier for an account: the installation's, or a higher one that an entry asks for. An account that is not
    /// known by name gets the highest tier of all entries.
    pub fn tier_for(&self, account: Option<&str>, installation: Tier) -> Tier {
        self.meaning(account)
            .filter_map(|rule| rule.tier.as_ref())
            .fold(installation, |tier, own| tier.max(own.value))
    }

    /// The entry that blocks this account, if any that may mean it does.
    pub fn blocked(&self, account: Option<&str>) -> Option<&AccountRule> {
        self.meaning(account)
            .find(|rule| rule.blocked.as_ref().is_some_and(|blocked| blocked.value))
    }

    /// What the person says that this account is, by the most exact entry.
    pub fn class_of(&self, account: &str) -> Option<AccountClass> {
        self.meaning(Some(account))
            .find_map(|rule| rule.class.as_ref())
            .map(|class| class.value)
    }

    /// Whether a limit on the size of orders or positions holds for this account.
    pub fn bounds_size(&self, account: Option<&str>) -> bool {
        self.meaning(account).any(AccountRule::bounds_size)
    }

    /// The accounts, in lower case, that the trade copier copies this one's orders to, by the person's own word. Copies
    /// of copies count too.
    pub fn copies_of(&self, account: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut next = vec![account.to_owned()];
        while let Some(leader) = next.pop() {
            let copies = self
                .meaning(Some(&leader))
                .filter_map(|rule| rule.copies_to.as_ref());
            for copy in copies.flat_map(|copies| &copies.value) {
                if copy != account && !found.contains(copy) {
                    found.push(copy.clone());
                    next.push(copy.clone());
                }
            }
        }
        found
    }

    /// When the trading day began that this moment lies in; `None` where no calendar has it.
    pub fn day_start(&self, now_wall: Millis) -> Option<Millis> {
        self.limits.day_boundary.as_ref()?.start(now_wall)
    }

    /// How long a card of an order at the market, and every other card, may stand once it is shown.
    pub fn ticket_time(&self, market: bool) -> Millis {
        let (own, usual) = if market {
            (&self.limits.market_ticket_seconds, super::ticket::MARKET_DEADLINE)
        } else {
            (&self.limits.ticket_seconds, super::ticket::DEADLINE)
        };
        own.as_ref()
            .map_or(usual, |own| Millis::from(own.value).saturating_mul(1000))
    }

    /// The age from which a quote proves no price any more.
    pub fn quote_time(&self) -> Millis {
        let own = self
            .limits
            .quote_seconds
            .as_ref()
            .map_or(QUOTE_SECONDS, |own| own.value);
        Millis::from(own).saturating_mul(1000)
    }

    /// The tool names of rules that no document knows, in their order: a slip of the pen, or a tool newer than this
    /// program. Such a rule is good, but may never speak.
    pub fn unknown_tools(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for tool in self.rules.iter().filter_map(|rule| rule.tool.as_deref()) {
            if catalogue::find(tool).is_none() && !names.contains(&tool) {
                names.push(tool);
            }
        }
        names
    }

    /// Whether any rule lets a trade call through without asking the person.
    pub fn allows_unasked(&self) -> bool {
        self.rules.iter().any(|rule| rule.action == Do::Allow)
    }

    /// The rule that decides: a deny if there is one, else an ask, else an allow.
    pub fn deciding(&self, class: Class, tool: &str, account: Option<&str>) -> Option<&Rule> {
        let mut best: Option<&Rule> = None;
        for rule in &self.rules {
            if rule.speaks(class, tool, account) && best.is_none_or(|best| rule.action > best.action) {
                best = Some(rule);
            }
        }
        best
    }

    /// The entries that mean an account, most exact first. `"*"` means every account that no other entry means. For an
    /// unnamed account all of them: it may be any.
    pub fn meaning<'a>(&'a self, account: Option<&str>) -> impl Iterator<Item = &'a AccountRule> {
        let named = account.is_some_and(|account| {
            self.accounts
                .iter()
                .any(|rule| rule.pattern != EVERY_OTHER && rule.fits(account))
        });
        self.accounts.iter().filter(move |rule| match account {
            None => true,
            Some(_) if rule.pattern == EVERY_OTHER => !named,
            Some(account) => rule.fits(account),
        })
    }
}
