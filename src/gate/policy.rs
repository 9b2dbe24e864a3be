//! The person's rules: `policy.toml`, typed, unknown keys are errors.
//!
//! Owns: reading the file's text, and which rule speaks about an account, a class, a tool. Refuses to know: files (who
//! may write them, whether a change was approved) and state. Deny overrides ask, ask overrides allow.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use toml::Spanned;

use super::Tier;
use super::call::MAX_TOOL_NAME;
use super::catalogue::{self, Class};
use super::value;

/// The largest policy text that is read.
pub const MAX_POLICY: usize = 256 * 1024;

/// What an account is, by the person's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountClass {
    /// Play money; believed only if the provider says so too.
    Sim,
    /// A prop firm's evaluation.
    Eval,
    /// A prop firm's funded account.
    Funded,
    /// Real money.
    Live,
}

impl AccountClass {
    const fn word(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Eval => "eval",
            Self::Funded => "funded",
            Self::Live => "live",
        }
    }
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Do {
    /// Sent without asking: sim accounts in tier click only.
    Allow,
    /// The person decides.
    Ask,
    /// Refused without asking.
    Deny,
}

impl Do {
    const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

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

/// One account pattern and what holds for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRule {
    pattern: String,
    class: Option<AccountClass>,
    blocked: bool,
    tier: Option<Tier>,
    max_quantity: BTreeMap<String, u32>,
}

/// One `[[rule]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    class: Option<Class>,
    tool: Option<String>,
    account: Option<String>,
    action: Do,
    number: usize,
}

impl Rule {
    /// What it does.
    pub const fn action(&self) -> Do {
        self.action
    }

    /// The deciding line, as `policy explain` and the journal print it.
    pub fn line(&self) -> String {
        let mut line = format!("rule {}:", self.number);
        if let Some(class) = self.class {
            let _ = write!(line, " class={class}");
        }
        if let Some(tool) = &self.tool {
            let _ = write!(line, " tool={}", value::short(tool, 40));
        }
        if let Some(account) = &self.account {
            let _ = write!(line, " account={}", value::short(account, 40));
        }
        let _ = write!(line, " do={}", self.action.word());
        line
    }

    /// Whether it speaks about this call on this account; `None` is an account that is not known by name.
    fn speaks(&self, class: Class, tool: &str, account: Option<&str>) -> bool {
        if self.class.is_some_and(|own| own != class) || self.tool.as_deref().is_some_and(|own| own != tool) {
            return false;
        }
        match (&self.account, account) {
            (None, _) => true,
            (Some(pattern), Some(account)) => matches(pattern, account),
            // An unnamed account may be any: it may be one that a deny means, and is never surely one that an allow means.
            (Some(pattern), None) => self.action != Do::Allow || pattern == "*",
        }
    }
}

/// A policy: what the file says, and the digest of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    accounts: Vec<AccountRule>,
    rules: Vec<Rule>,
    /// Orders sent per minute, at most.
    pub orders_per_minute: Option<u32>,
    /// Orders sent per day (24 hours), at most.
    pub orders_per_day: Option<u32>,
    digest: String,
}

impl Default for Policy {
    /// Reads pass, everything else asks.
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            rules: Vec::new(),
            orders_per_minute: None,
            orders_per_day: None,
            digest: value::sha256(&[]),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    version: Spanned<u32>,
    #[serde(default)]
    account: BTreeMap<Spanned<String>, Spanned<RawAccount>>,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    rule: Vec<Spanned<RawRule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccount {
    class: Option<AccountClass>,
    #[serde(default)]
    blocked: bool,
    tier: Option<Tier>,
    #[serde(default)]
    max_quantity: BTreeMap<Spanned<String>, Spanned<u32>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    orders_per_minute: Option<u32>,
    orders_per_day: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    class: Option<Class>,
    tool: Option<Spanned<String>>,
    account: Option<Spanned<String>>,
    #[serde(rename = "do")]
    action: Do,
}

impl Policy {
    /// Reads the text of a policy file.
    ///
    /// # Errors
    /// For anything that is not exactly understood, with line and column.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY {
            return Err(PolicyError {
                line: 0,
                column: 0,
                reason: format!("the file is larger than {MAX_POLICY} bytes"),
            });
        }
        let raw: RawPolicy = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            place(text, at, error.message())
        })?;
        if *raw.version.get_ref() != 1 {
            return Err(place(
                text,
                raw.version.span().start,
                "this program reads version 1",
            ));
        }
        let mut accounts: Vec<AccountRule> = Vec::new();
        for (pattern, account) in raw.account {
            let rule = account_rule(text, &pattern, account)?;
            if accounts.iter().any(|other| other.pattern == rule.pattern) {
                let reason = "this account stands twice (letter case does not count)";
                return Err(place(text, pattern.span().start, reason));
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
            rules.push(checked_rule(text, number, rule)?);
        }
        Ok(Self {
            accounts,
            rules,
            orders_per_minute: raw.limits.orders_per_minute,
            orders_per_day: raw.limits.orders_per_day,
            digest: value::sha256(&[text.as_bytes()]),
        })
    }

    /// Lower-case hex SHA-256 of the file's text; of the empty text for the default.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The tier for an account: the installation's, or a higher one that a pattern asks for. An account that is not
    /// known by name gets the highest tier of all patterns.
    pub fn tier_for(&self, account: Option<&str>, installation: Tier) -> Tier {
        self.meaning(account)
            .filter_map(|rule| rule.tier)
            .fold(installation, Tier::max)
    }

    /// Whether any pattern that may mean this account blocks it.
    pub fn blocked(&self, account: Option<&str>) -> bool {
        self.meaning(account).any(|rule| rule.blocked)
    }

    /// What the person says that this account is, by the most exact pattern.
    pub fn class_of(&self, account: &str) -> Option<AccountClass> {
        self.meaning(Some(account)).find_map(|rule| rule.class)
    }

    /// The largest quantity of one order of this root on this account; for an unnamed account the smallest of all.
    pub fn max_quantity(&self, account: Option<&str>, root: &str) -> Option<u32> {
        let of = |rule: &AccountRule| {
            rule.max_quantity
                .get(root)
                .or_else(|| rule.max_quantity.get("*"))
                .copied()
        };
        match account {
            Some(_) => self.meaning(account).find_map(of),
            None => self.meaning(account).filter_map(of).min(),
        }
    }

    /// Whether any maximum quantity, of whatever root, holds for this account.
    pub fn bounds_quantity(&self, account: Option<&str>) -> bool {
        self.meaning(account).any(|rule| !rule.max_quantity.is_empty())
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

    /// The policy as text for the person.
    pub fn show(&self) -> String {
        let mut out = String::from("reads pass; every other call asks, except:\n");
        for rule in &self.accounts {
            let _ = write!(out, "account {}:", value::short(&rule.pattern, 64));
            if let Some(class) = rule.class {
                let _ = write!(out, " {}", class.word());
            }
            if rule.blocked {
                out.push_str(" BLOCKED");
            }
            if let Some(tier) = rule.tier {
                let _ = write!(out, " tier={}", tier_word(tier));
            }
            for (root, most) in &rule.max_quantity {
                let _ = write!(out, " max {root}={most}");
            }
            out.push('\n');
        }
        if let Some(most) = self.orders_per_minute {
            let _ = writeln!(out, "orders per minute: {most}");
        }
        if let Some(most) = self.orders_per_day {
            let _ = writeln!(out, "orders per day: {most}");
        }
        for rule in &self.rules {
            let _ = writeln!(out, "{}", rule.line());
        }
        if self.accounts.is_empty() && self.rules.is_empty() {
            out.push_str("(no accounts or rules are set)\n");
        }
        out
    }

    /// The patterns that mean an account, most exact first; for an unnamed account all of them.
    fn meaning(&self, account: Option<&str>) -> impl Iterator<Item = &AccountRule> {
        self.accounts
            .iter()
            .filter(move |rule| account.is_none_or(|account| matches(&rule.pattern, account)))
    }
}

/// The tier's word in policy files.
pub const fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Click => "click",
        Tier::Pin => "pin",
        Tier::Passkey => "passkey",
    }
}

fn account_rule(
    text: &str,
    pattern: &Spanned<String>,
    account: Spanned<RawAccount>,
) -> Result<AccountRule, PolicyError> {
    let folded = account_pattern(text, pattern)?;
    let account = account.into_inner();
    let mut max_quantity = BTreeMap::new();
    for (root, most) in account.max_quantity {
        let name = root.get_ref().to_ascii_uppercase();
        if name != "*" && !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(place(
                text,
                root.span().start,
                "name the root alone, such as MES, or \"*\"",
            ));
        }
        if max_quantity.insert(name, *most.get_ref()).is_some() {
            return Err(place(text, root.span().start, "this root stands twice"));
        }
    }
    Ok(AccountRule {
        pattern: folded,
        class: account.class,
        blocked: account.blocked,
        tier: account.tier,
        max_quantity,
    })
}

/// An account pattern in lower case. What could never match as it is meant is an error: a deny that sleeps is worse than
/// none.
fn account_pattern(text: &str, pattern: &Spanned<String>) -> Result<String, PolicyError> {
    let wrong = |reason: &str| Err(place(text, pattern.span().start, reason));
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
fn tool_name(text: &str, tool: &Spanned<String>) -> Result<String, PolicyError> {
    let name = tool.get_ref();
    let good = (1..=MAX_TOOL_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    if good && !name.contains('*') {
        return Ok(name.clone());
    }
    let reason = "a tool is named exactly: 1 to 128 plain ASCII characters without blanks, and no `*`";
    Err(place(text, tool.span().start, reason))
}

fn checked_rule(text: &str, number: usize, rule: Spanned<RawRule>) -> Result<Rule, PolicyError> {
    let at = rule.span().start;
    let rule = rule.into_inner();
    let tool = rule.tool.map(|tool| tool_name(text, &tool)).transpose()?;
    let account = rule
        .account
        .map(|pattern| account_pattern(text, &pattern))
        .transpose()?;
    if rule.class.is_none() && tool.is_none() && rule.action == Do::Allow {
        return Err(place(text, at, "an allow rule names a class or a tool"));
    }
    if rule.class == Some(Class::Read) && rule.action == Do::Allow {
        return Err(place(text, at, "reads pass already"));
    }
    if rule.class == Some(Class::Unknown) && rule.action == Do::Allow && tool.is_none() {
        return Err(place(
            text,
            at,
            "unknown tools are allowed only by exact name (tool = \"...\")",
        ));
    }
    if tool.as_deref().is_some_and(catalogue::is_known_read_tool) && rule.action == Do::Deny {
        return Err(place(
            text,
            at,
            "reads are not judged; they cannot be denied here",
        ));
    }
    Ok(Rule {
        class: rule.class,
        tool,
        account,
        action: rule.action,
        number,
    })
}

/// A pattern with at most one `*` against a lower-case account name.
fn matches(pattern: &str, account: &str) -> bool {
    let account = account.to_ascii_lowercase();
    match pattern.split_once('*') {
        None => pattern == account,
        Some((head, tail)) => {
            account.len() >= head.len().saturating_add(tail.len())
                && account.starts_with(head)
                && account.ends_with(tail)
        }
    }
}

fn place(text: &str, at: usize, reason: &str) -> PolicyError {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count().saturating_add(1);
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or("")
        .chars()
        .count()
        .saturating_add(1);
    PolicyError {
        line,
        column,
        reason: value::short(reason, 200),
    }
}
