//! What the page shows, as the JSON that its script reads. Every text is made plain ASCII here, whoever wrote it.

use super::super::text::ascii;
use super::ceremony::TouchView;
use crate::gate::card::{Card, Mark};
use serde::Serialize;

/// One state of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct View {
    kind: &'static str,
    /// Counts the changes that an approval must have seen: not a price that moved, but everything that says what is done.
    pub(super) core: u64,
    badge: String,
    account: String,
    side: String,
    headline: String,
    sub: String,
    warnings: Vec<String>,
    lines: Vec<Line>,
    free: Option<Free>,
    client: String,
    pub(super) pin: bool,
    pub(super) pin_hint: &'static str,
    /// A passkey is asked for.
    pub(super) touch: Option<TouchView>,
    deny: String,
    pub(super) approve: String,
    phrase: Option<String>,
    ticket: String,
    digest: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    label: String,
    value: String,
    mark: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Free {
    title: String,
    text: String,
    sha256: String,
    bytes: usize,
}

impl View {
    /// A card, with or without a field for the PIN.
    pub(super) fn card(card: &Card, pin: bool, core: u64) -> Self {
        let line = |line: &crate::gate::card::CardLine| Line {
            label: ascii(&line.label),
            value: ascii(&line.value),
            mark: match line.mark {
                Mark::Plain => "plain",
                Mark::Warn => "warn",
                Mark::Changed => "changed",
            },
        };
        Self {
            kind: "card",
            core,
            badge: ascii(&card.badge),
            account: if card.account == "-" {
                String::new()
            } else {
                ascii(&card.account)
            },
            side: ascii(&card.side),
            headline: ascii(&card.headline),
            sub: "Held until you answer. Nothing was sent yet.".to_owned(),
            warnings: card.warnings.iter().map(|w| ascii(w)).collect(),
            lines: card.lines.iter().map(line).collect(),
            free: card.free_text.as_ref().map(|free| Free {
                title: ascii(&free.title),
                text: free.text.split('\n').map(ascii).collect::<Vec<_>>().join("\n"),
                sha256: ascii(&free.sha256),
                bytes: free.bytes,
            }),
            client: ascii(&card.client),
            pin,
            touch: None,
            pin_hint: if card.badge.is_empty() && card.account.is_empty() {
                "It proves that it is you. No order is sent by it."
            } else {
                "It opens the trading key for this one order."
            },
            deny: ascii(&card.deny),
            approve: ascii(&card.approve),
            phrase: card.phrase.as_deref().map(ascii),
            ticket: ascii(&card.ticket),
            digest: ascii(&card.digest_short),
        }
    }

    /// A page that asks for nothing but the PIN.
    pub(super) fn pin(title: &str, phrase: Option<&str>) -> Self {
        Self {
            kind: "pin",
            core: 0,
            badge: String::new(),
            account: "Countersign".to_owned(),
            side: String::new(),
            headline: ascii(title),
            sub: "Asked by Countersign on this computer. You did not start this? Cancel.".to_owned(),
            warnings: Vec::new(),
            lines: Vec::new(),
            free: None,
            client: String::new(),
            pin: true,
            touch: None,
            pin_hint: "It is asked for on pages like this one and in your terminal, nowhere else.",
            deny: "Cancel".to_owned(),
            approve: "Unlock".to_owned(),
            phrase: phrase.map(ascii),
            ticket: String::new(),
            digest: String::new(),
        }
    }

    /// A page that asks for a passkey and nothing else.
    pub(super) fn touch(title: &str, about: &str, phrase: Option<&str>) -> Self {
        let known = phrase.map(|phrase| format!(" Your phrase: {}", ascii(phrase)));
        Self {
            pin: false,
            sub: format!("{}{}", ascii(about), known.unwrap_or_default()),
            approve: "Use my passkey".to_owned(),
            ..Self::pin(title, phrase)
        }
    }
}
