//! One `[[rule]]` of the policy: allow, ask or deny.
//!
//! Owns: which calls a rule speaks about. Refuses to know: limits, facts.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::fmt::Write as _;

use serde::Deserialize;

use super::account::matches;
use crate::gate::catalogue::Class;
use crate::gate::value;

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
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// One `[[rule]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(super) class: Option<Class>,
    pub(super) tool: Option<String>,
    pub(super) account: Option<String>,
    pub(super) action: Do,
    pub(super) number: usize,
    pub(super) at: u32,
}

impl Rule {
    /// What it does.
    pub const fn action(&self) -> Do {
        self.action
    }

    /// Its line in the file, 1-based.
    pub const fn at(&self) -> u32 {
        self.at
    }

    /// The deciding line, as `policy explain` and the journal print it.
    pub fn line(&self) -> String {
        let mut line = format!("rule {} (line {}):", self.number, self.at);
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
    pub(super) fn speaks(&self, class: Class, tool: &str, account: Option<&str>) -> bool {
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

    /// Whether it speaks about everything that the other one speaks about.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let class = self.class.is_none() || self.class == other.class;
        let tool = self.tool.is_none() || self.tool == other.tool;
        let account = match (&self.account, &other.account) {
            (None, _) => true,
            (Some(own), Some(other)) => {
                own == other || own == "*" || (!other.contains('*') && matches(own, other))
            }
            (Some(_), None) => false,
        };
        class && tool && account
    }
}
