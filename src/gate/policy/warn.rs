//! What is well written in a policy and still may not mean what the person thinks.
//!
//! Owns: those notes, each with its line. Refuses to know: what makes a policy wrong (that is an error of the file).
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::account::{AccountClass, AccountRule, EVERY_OTHER};
use super::rule::{Do, Rule};
use super::{Policy, show};
use crate::gate::Tier;
use crate::gate::catalogue;
use crate::gate::value;

/// A note about the policy, with its line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// 1-based.
    pub line: u32,
    /// For the person.
    pub text: String,
}

impl Policy {
    /// What `policy check` points at, in the order of the lines.
    pub fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        for rule in &self.accounts {
            self.entry_notes(rule, &mut notes);
        }
        for (at, rule) in self.rules.iter().enumerate() {
            let others = self.rules.iter().enumerate();
            let stronger = others.filter(|(other, _)| *other != at).find(|(other, own)| {
                own.covers(rule) && (own.action > rule.action || (own.action == rule.action && *other < at))
            });
            if let Some((_, other)) = stronger {
                let text = format!("this rule never speaks: {} says so first", other.line());
                notes.push(Note { line: rule.at, text });
            } else if let Some(text) = self.sleeping(rule) {
                notes.push(Note { line: rule.at, text });
            }
        }
        notes.sort();
        notes
    }

    fn entry_notes(&self, rule: &AccountRule, notes: &mut Vec<Note>) {
        let mut note = |line: u32, text: String| notes.push(Note { line, text });
        for (key, table) in [
            ("max_quantity", &rule.max_quantity),
            ("max_position", &rule.max_position),
        ] {
            let first = table.values().map(|most| most.line).min();
            if let Some(line) = first.filter(|_| !table.contains_key(EVERY_OTHER)) {
                note(
                    line,
                    format!("{key} bounds only what it names: add \"*\" = 0 to refuse everything else"),
                );
            }
        }
        let pattern = value::short(&rule.pattern, 40);
        if let Some(other) = self.accounts.iter().find(|other| other.pattern == EVERY_OTHER) {
            let own = rule.keys();
            let only = other
                .keys()
                .into_iter()
                .filter(|key| !own.contains(key))
                .collect::<Vec<_>>();
            // A blocked account has no order that a limit could be about.
            let blocked = rule.blocked.as_ref().is_some_and(|blocked| blocked.value);
            if rule.pattern != EVERY_OTHER && !only.is_empty() && !blocked {
                let only = only.join(", ");
                note(
                    rule.line,
                    format!(
                        "{pattern} has an entry of its own, so what \"*\" says does not hold for it: {only}"
                    ),
                );
            }
        }
        if rule.blocked.as_ref().is_some_and(|blocked| blocked.value) && rule.keys().len() > 1 {
            note(
                rule.line,
                format!("{pattern} is blocked: its other limits never speak"),
            );
        }
        if let Some(copies) = rule.copies_to.as_ref().filter(|copies| copies.value.is_empty()) {
            note(copies.line, "copies_to names no account".to_owned());
        }
        for copy in rule.copies_to.iter().flat_map(|copies| &copies.value) {
            let line = rule.copies_to.as_ref().map_or(rule.line, |copies| copies.line);
            if self.meaning(Some(copy)).next().is_none() {
                let copy = value::short(copy, 40);
                note(
                    line,
                    format!("no entry speaks about {copy}: nothing limits what is copied there"),
                );
            }
        }
    }

    /// Why a rule never does what it says.
    fn sleeping(&self, rule: &Rule) -> Option<String> {
        let tool = rule.tool.as_deref();
        let known = tool.and_then(catalogue::find);
        if let Some(tool) = tool.filter(|_| known.is_none()) {
            let tool = value::short(tool, 40);
            return Some(format!("no known tool is named {tool}: check the spelling"));
        }
        if rule.action != Do::Allow {
            return None;
        }
        let account = rule.account.as_deref().filter(|own| !own.contains('*'))?;
        let entries: Vec<&AccountRule> = self.meaning(Some(account)).collect();
        let sim = entries
            .iter()
            .find_map(|entry| entry.class.as_ref())
            .is_some_and(|class| class.value == AccountClass::Sim);
        if !sim {
            let account = value::short(account, 40);
            return Some(format!(
                "this rule never allows: only an account with class = \"sim\" is traded without asking, and {account} has none"
            ));
        }
        let tier = entries
            .iter()
            .filter_map(|entry| entry.tier.as_ref())
            .map(|tier| tier.value)
            .max();
        let tier = tier.filter(|tier| *tier > Tier::Click)?;
        let tier = show::tier_word(tier);
        Some(format!(
            "this rule never allows: the account asks for tier {tier}"
        ))
    }
}
