//! One limit that was looked at, and what came of it.
//!
//! Owns: the record that a refusal, a warning, the card's room and `policy explain` are all made from. Refuses to know:
//! how a limit is measured.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use crate::gate::value::Decimal;

/// What came of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It lets the call pass.
    Passed,
    /// It refuses it, with this word for machines.
    Refused(&'static str),
    /// The fact that it needs was not read; on a live account that refuses, with this word.
    Unread(&'static str),
}

/// How much is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What is left after the call; below zero where it is overstepped.
    pub left: Decimal,
    /// The whole limit.
    pub of: Decimal,
}

/// One limit that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Its key in the file.
    pub key: &'static str,
    /// The account in lower case; `None` where it holds for all together, or for an account that is not known by name.
    pub account: Option<String>,
    /// Its line in the file.
    pub line: u32,
    /// What came of it.
    pub came: Came,
    /// The numbers, in words.
    pub detail: String,
    /// How much is left, where that can be said.
    pub room: Option<Room>,
    /// Whether it holds for an account that is not proven to be play money.
    pub live: bool,
}

impl Looked {
    /// The limit with its place, for journals and `explain`.
    pub fn rule(&self) -> String {
        match &self.account {
            Some(account) => format!("line {}: {} ({account})", self.line, self.key),
            None => format!("line {}: {}", self.line, self.key),
        }
    }

    /// The warning of a limit that could not be looked at.
    pub(super) fn warning(&self) -> String {
        format!("NOT CHECKED: {}", self.key.to_ascii_uppercase().replace('_', " "))
    }
}
