//! What would come of a call, in words: the deciding line, and every limit that was looked at.
//!
//! Owns: that text. Refuses to know: how the judgement was made.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::fmt::Write as _;

use super::call::Call;
use super::judge::{Came, Judgement, Looked, Verdict};
use super::limits::{Group, group};
use super::policy::tier_word;
use super::value;

impl Came {
    /// The word of `policy explain`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Refused(_) => "NO",
            Self::Unread(_) => "?",
        }
    }
}

impl Verdict {
    /// The word of `policy explain`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// The judgement as text for the person. `read` says whether the account's state was read for it.
pub fn explain(call: &Call, judgement: &Judgement, read: bool) -> String {
    let mut out = String::new();
    let tool = value::short(call.tool(), 64);
    let _ = writeln!(out, "{tool}, class {}", judgement.class);
    let says = match judgement.verdict {
        Verdict::Allow => "sent without asking you".to_owned(),
        Verdict::Ask => format!("you are asked (tier {})", tier_word(judgement.tier)),
        Verdict::Deny => "refused, and nobody is asked".to_owned(),
    };
    let _ = writeln!(out, "verdict:  {says}");
    let _ = writeln!(out, "decided:  {}", judgement.rule);
    if !judgement.reason.is_empty() {
        let _ = writeln!(out, "reason:   {}", judgement.reason);
    }
    if group(judgement.class, judgement.opening) == Group::Free {
        out.push_str("It is proven to be a way out: no limit is looked at.\n");
    } else if judgement.looked.is_empty() {
        out.push_str("No limit speaks about it.\n");
    } else {
        out.push_str("limits:\n");
    }
    for one in &judgement.looked {
        line(&mut out, one);
    }
    if judgement.verdict != Verdict::Deny && judgement.looked.iter().any(unread_refuses) {
        out.push_str(
            "Where a `?` stays unread, the order is refused: that account is not proven to be play money.\n",
        );
    }
    if !read {
        out.push_str("The account's state was not read (`?`), so no way out could be proven, and limits that need it stay open.\n");
    }
    out
}

fn unread_refuses(one: &Looked) -> bool {
    one.live && matches!(one.came, Came::Unread(_))
}

fn line(out: &mut String, one: &Looked) {
    let account = one.account.as_deref().unwrap_or("all accounts");
    let account = value::short(account, 30);
    let place = format!("line {}", one.line);
    let _ = writeln!(
        out,
        "  {:<2}  {place:<9} {:<18} {account:<14} {}",
        one.came.word(),
        one.key,
        one.detail
    );
}
