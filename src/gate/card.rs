//! The card: what the person sees about a held call. Built from facts only: fixed lines, plain ASCII, bounded.
//!
//! Owns: badge, order and bounds of the lines, the plain text form. Refuses to know: how a card is drawn. Text that an
//! agent wrote is never on it, except as [`FreeText`], which is approved only where it is shown whole.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::Millis;
use super::call::Call;
use super::catalogue::Class;
use super::deed;
use super::effect::effect;
use super::facts::{Account, Facts};
use super::judge::Judgement;
use super::lines;
use super::policy::{AccountClass, Policy};
use super::value;
use crate::wire::json;

/// The most lines of one card. The bounds of lists, ids and parameters keep every card below it (a test adds up the
/// worst one): a line is never left out in silence.
pub const MAX_LINES: usize = 48;
/// Lines that tell an age: they always move.
const MOVING: [&str; 2] = ["quote age", "sent before"];
/// The longest value of one line.
pub const MAX_VALUE: usize = 100;
/// The most warnings of one card.
pub const MAX_WARNINGS: usize = 8;

/// How a line stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Like the others.
    Plain,
    /// Needs a look.
    Warn,
    /// Differs from what was shown before.
    Changed,
}

/// One line of the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardLine {
    /// What it is about.
    pub label: String,
    /// The fact; `?` where unread.
    pub value: String,
    /// How it stands out.
    pub mark: Mark,
}

/// Text that an agent wrote, shown whole and escaped on the page or in a terminal, nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreeText {
    /// What it is.
    pub title: String,
    /// Printable ASCII and line feeds; every other character as `\u{..}`.
    pub text: String,
    /// Lower-case hex SHA-256 of the source, or of the raw arguments where there is no single source.
    pub sha256: String,
    /// The size of what was digested.
    pub bytes: usize,
}

/// What the person is shown about a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The ticket's id.
    pub ticket: String,
    /// `SIM`, `EVAL`, `FUNDED`, `LIVE`, or `LIVE?` where the provider is unread.
    pub badge: String,
    /// The account, `ALL ACCOUNTS`, or `-` for calls that have none.
    pub account: String,
    /// `BUY`, `SELL` or empty.
    pub side: String,
    /// The deed: `SELL 2 MES 12-26`.
    pub headline: String,
    /// The label of the approve button.
    pub approve: String,
    /// The label of the deny button.
    pub deny: String,
    /// The facts.
    pub lines: Vec<CardLine>,
    /// In capital letters, the weightiest first.
    pub warnings: Vec<String>,
    /// Text of the agent, for `code`, `alert`, `unknown` and what no document describes.
    pub free_text: Option<FreeText>,
    /// The client's name, escaped and cut.
    pub client: String,
    /// The person's phrase.
    pub phrase: Option<String>,
    /// The judged class.
    pub class: Class,
    /// The first 8 hex digits of the call's digest.
    pub digest_short: String,
}

/// What a card needs beside call, facts and judgement.
#[derive(Debug, Clone, Copy)]
pub struct CardContext<'a> {
    /// The ticket's id.
    pub ticket: &'a str,
    /// The client's name, as it said.
    pub client: &'a str,
    /// The person's phrase, so that a look-alike is noticed.
    pub phrase: Option<&'a str>,
    /// The wall clock, for the age of the quote.
    pub now_wall: Millis,
}

/// Builds the card of a call.
pub fn card(
    call: &Call,
    facts: &Facts,
    judgement: &Judgement,
    policy: &Policy,
    context: &CardContext<'_>,
) -> Card {
    let effect = effect(call, facts);
    let deed = deed::deed(call, &effect);
    let copies = call
        .account()
        .map(|account| policy.copies_of(account))
        .unwrap_or_default();
    let seen = lines::Seen {
        judgement,
        copies: &copies,
        now: context.now_wall,
    };
    let mut lines = lines::lines(call, facts, &effect, &seen);
    let too_many = lines.len() > MAX_LINES;
    lines.truncate(MAX_LINES);
    let mut warnings = judgement.warnings.clone();
    if warnings.len() > MAX_WARNINGS || too_many {
        warnings.truncate(MAX_WARNINGS.saturating_sub(1));
        warnings.insert(0, "THIS CARD CANNOT SHOW EVERYTHING".to_owned());
    }
    Card {
        ticket: value::short(context.ticket, 8),
        badge: badge(call, facts, policy, &copies).to_owned(),
        account: account_name(call, facts),
        side: deed.side.map_or("", value::Side::word).to_owned(),
        headline: value::short(&deed.headline, 100),
        approve: value::short(&format!("Approve {}", deed.label), 48),
        deny: "Deny".to_owned(),
        lines,
        warnings,
        free_text: free_text(call),
        client: value::short(context.client, 40),
        phrase: context.phrase.map(|phrase| value::short(phrase, 60)),
        class: judgement.class,
        digest_short: call.digest().chars().take(8).collect(),
    }
}

impl Card {
    /// The card as fixed lines of plain ASCII, for notifications, terminals and tests.
    pub fn text(&self) -> String {
        let mut out = format!(
            "Approve {}{}?   {}   acct {}\n{}\n",
            if names_orders(self.class) { "order " } else { "" },
            self.ticket,
            self.badge,
            self.account,
            self.headline
        );
        for warning in &self.warnings {
            let _ = writeln!(out, "! {warning}");
        }
        for line in &self.lines {
            let mark = match line.mark {
                Mark::Plain => " ",
                Mark::Warn => "!",
                Mark::Changed => "*",
            };
            let _ = writeln!(out, "{mark} {:<12} {}", format!("{}:", line.label), line.value);
        }
        if let Some(free) = &self.free_text {
            let _ = writeln!(
                out,
                "  {:<12} {} bytes, sha256 {}",
                "text:", free.bytes, free.sha256
            );
        }
        let _ = writeln!(out, "  {:<12} {}", "client:", self.client);
        if let Some(phrase) = &self.phrase {
            let _ = writeln!(out, "  {:<12} {phrase}", "your phrase:");
        }
        let _ = writeln!(out, "  {:<12} {}", "digest:", self.digest_short);
        let _ = writeln!(out, "[{}] [{}]", self.deny, self.approve);
        out
    }

    /// Marks the lines that differ from an earlier card of the same call, and says which are gone. What only grows older
    /// is not marked.
    pub fn mark_changes(&mut self, earlier: &Self) {
        for line in &mut self.lines {
            let same = earlier
                .lines
                .iter()
                .any(|old| old.label == line.label && old.value == line.value);
            if !same && !MOVING.contains(&line.label.as_str()) {
                line.mark = Mark::Changed;
            }
        }
        for old in &earlier.lines {
            let stays = self.lines.iter().any(|line| line.label == old.label);
            if !stays && self.lines.len() < MAX_LINES {
                self.lines.push(CardLine {
                    label: old.label.clone(),
                    value: format!("gone (was {})", value::short(&old.value, 80)),
                    mark: Mark::Changed,
                });
            }
        }
    }
}

fn account_name(call: &Call, facts: &Facts) -> String {
    match call.account_text() {
        Some(asked) => facts.account(asked).map_or_else(
            || value::short(asked, value::MAX_ACCOUNT),
            |account| account.name.clone(),
        ),
        None if names_accounts(call.class()) => "ALL ACCOUNTS".to_owned(),
        None if call.class() == Class::Unknown => "ANY ACCOUNT".to_owned(),
        None => "-".to_owned(),
    }
}

const fn names_orders(class: Class) -> bool {
    matches!(class, Class::Order | Class::Protect | Class::Exit | Class::Cancel)
}

const fn names_accounts(class: Class) -> bool {
    match class {
        Class::Order | Class::Protect | Class::Exit | Class::Cancel | Class::Strategy | Class::Connection => {
            true
        }
        Class::Read | Class::Code | Class::Job | Class::Alert | Class::Workspace | Class::Unknown => false,
    }
}

/// The badge: play money only where the provider says so and the person's policy does not say otherwise; for several
/// accounts the gravest.
fn badge(call: &Call, facts: &Facts, policy: &Policy, copies: &[String]) -> &'static str {
    let of = |name: &str, account: Option<&Account>| match (
        account.and_then(Account::is_simulator),
        policy.class_of(name),
    ) {
        (None, _) => Badge::Unread,
        (Some(_), Some(AccountClass::Eval)) => Badge::Eval,
        (Some(_), Some(AccountClass::Funded)) => Badge::Funded,
        (Some(true), Some(AccountClass::Sim) | None) => Badge::Sim,
        (Some(true), Some(AccountClass::Live)) | (Some(false), _) => Badge::Live,
    };
    let worst = match call.account() {
        Some(name) => {
            let copied = copies.iter().map(|copy| of(copy, facts.account(copy)));
            copied.fold(of(name, facts.account(name)), Badge::max)
        }
        None => facts
            .accounts
            .known()
            .and_then(|all| {
                all.iter()
                    .map(|account| of(&account.name.to_ascii_lowercase(), Some(account)))
                    .max()
            })
            .unwrap_or(Badge::Unread),
    };
    match worst {
        Badge::Sim => "SIM",
        Badge::Eval => "EVAL",
        Badge::Funded => "FUNDED",
        Badge::Live => "LIVE",
        Badge::Unread => "LIVE?",
    }
}

/// In the order of gravity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Badge {
    Sim,
    Eval,
    Funded,
    Live,
    Unread,
}

/// The agent's own text of a call, whole.
fn free_text(call: &Call) -> Option<FreeText> {
    let fields = call.fields();
    let wanted = match call.class() {
        Class::Code | Class::Alert | Class::Unknown => true,
        Class::Read
        | Class::Order
        | Class::Protect
        | Class::Exit
        | Class::Cancel
        | Class::Strategy
        | Class::Job
        | Class::Workspace
        | Class::Connection => !fields.free.is_empty(),
    };
    if !wanted {
        return None;
    }
    let (digested, title) = match &fields.source {
        Some(source) => (source.as_str(), "source code"),
        None => (call.arguments_raw(), "arguments"),
    };
    let mut text = String::new();
    for (key, raw) in &fields.free {
        let shown = json::string(raw).map_or_else(
            |_| value::escape(raw, false),
            |decoded| value::escape(&decoded, true),
        );
        let _ = writeln!(text, "{}:", value::escape(key, false));
        for line in shown.split('\n') {
            let _ = writeln!(text, "  | {line}");
        }
    }
    if text.is_empty() {
        text.push_str("(no arguments)\n");
    }
    Some(FreeText {
        title: format!("{} of {}", title, value::short(call.tool(), 64)),
        text,
        sha256: value::sha256(&[digested.as_bytes()]),
        bytes: digested.len(),
    })
}
