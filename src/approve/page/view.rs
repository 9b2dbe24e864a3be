//! What the page shows, as the JSON that its script reads. Every text is made plain ASCII here, whoever wrote it.

use super::super::text::{ascii, moves};
use super::ceremony::TouchView;
use crate::gate::card::{Card, CardLine, FreeText, Mark};
use serde::Serialize;

/// The facts that are looked at first; the page sets them larger.
const FIRST: [&str; 7] = ["order", "position", "stop", "target", "distance", "risk", "room"];

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
    tool: String,
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
    /// `plain`, `warn` or `changed`.
    mark: &'static str,
    /// What stood there when this page first showed it.
    was: Option<String>,
    /// One of [`FIRST`].
    first: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Free {
    title: String,
    text: String,
    sha256: String,
    bytes: usize,
    /// Every line begins with a sign of a diff.
    diff: bool,
}

impl View {
    /// A card, with or without a field for the PIN; `shown` is the card that this page showed first.
    pub(super) fn card(card: &Card, shown: &Card, pin: bool, core: u64) -> Self {
        let told = |line: &&CardLine| !is_said_already(line, card);
        let mut lines: Vec<_> = card
            .lines
            .iter()
            .filter(told)
            .map(|line| Line::of(line, shown))
            .collect();
        lines.sort_by_key(|line| place(&line.label));
        let tool = card.lines.iter().find(|line| line.label == "tool");
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
            sub: "Held. Nothing was sent yet.".to_owned(),
            warnings: card.warnings.iter().map(|w| ascii(w)).collect(),
            lines,
            free: card.free_text.as_ref().map(Free::of),
            client: ascii(&card.client),
            tool: tool.map_or_else(String::new, |line| ascii(&line.value)),
            pin,
            touch: None,
            pin_hint: if card.badge.is_empty() && card.account.is_empty() && pin {
                "It proves that it is you. No order is sent by it."
            } else {
                ""
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
            tool: String::new(),
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
            pin_hint: "",
            sub: format!("{}{}", ascii(about), known.unwrap_or_default()),
            approve: "Use my passkey".to_owned(),
            ..Self::pin(title, phrase)
        }
    }
}

impl Line {
    fn of(line: &CardLine, shown: &Card) -> Self {
        let mark = match line.mark {
            Mark::Plain => "plain",
            Mark::Warn => "warn",
            Mark::Changed if moves(line) => "plain",
            Mark::Changed => "changed",
        };
        Self {
            label: ascii(&line.label),
            value: ascii(&line.value),
            mark,
            was: (mark == "changed").then(|| was(line, shown)).flatten(),
            first: FIRST.contains(&line.label.as_str()),
        }
    }
}

/// The order of the lines below the first ones: prices on top, what is short beside each other, the copies last.
fn place(label: &str) -> u8 {
    match label {
        "market" | "quote age" => 0,
        "template" | "below high" => 2,
        "copies" => 3,
        _ => 1,
    }
}

/// What the page showed first under this label, where there was exactly one such line, it differs, and the line does not
/// say so itself.
fn was(line: &CardLine, shown: &Card) -> Option<String> {
    if line.value.starts_with("gone (was ") {
        return None;
    }
    let mut same = shown.lines.iter().filter(|old| old.label == line.label);
    let old = same.next()?;
    (same.next().is_none() && old.value != line.value).then(|| ascii(&old.value))
}

/// The tool stands beside the client, and a contract that the headline ends with needs no line of its own.
fn is_said_already(line: &CardLine, card: &Card) -> bool {
    if line.mark != Mark::Plain {
        return false;
    }
    match line.label.as_str() {
        "tool" => true,
        "contract" => card.headline.split_once(' ').is_some_and(|(_, rest)| {
            rest.strip_suffix(&line.value)
                .is_some_and(|before| before.ends_with(' '))
        }),
        _ => false,
    }
}

impl Free {
    fn of(free: &FreeText) -> Self {
        let lines = || free.text.lines();
        let is_diff = lines().all(|line| line.is_empty() || line.starts_with(['+', '-', ' ', '@']))
            && lines().any(|line| line.starts_with(['+', '-']));
        Self {
            title: ascii(&free.title),
            text: free.text.split('\n').map(ascii).collect::<Vec<_>>().join("\n"),
            sha256: ascii(&free.sha256),
            bytes: free.bytes,
            diff: is_diff,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::catalogue::Class;

    fn line(label: &str, value: &str, mark: Mark) -> CardLine {
        CardLine {
            label: label.to_owned(),
            value: value.to_owned(),
            mark,
        }
    }

    fn card(lines: Vec<CardLine>) -> Card {
        Card {
            ticket: "7QK4".to_owned(),
            badge: "LIVE".to_owned(),
            account: "PA-1".to_owned(),
            side: "SELL".to_owned(),
            headline: "SELL 2 MES 12-26".to_owned(),
            approve: "Approve SELL 2 MES".to_owned(),
            deny: "Deny".to_owned(),
            lines,
            warnings: Vec::new(),
            free_text: None,
            client: "a client".to_owned(),
            phrase: None,
            class: Class::Order,
            digest_short: "7f3a19c2".to_owned(),
        }
    }

    fn labels(view: &View) -> Vec<&str> {
        view.lines.iter().map(|line| line.label.as_str()).collect()
    }

    #[test]
    fn only_what_stands_elsewhere_has_no_line() {
        let lines = |contract: &str, mark| {
            card(vec![
                line("tool", "PlaceOrder", Mark::Plain),
                line("contract", contract, mark),
                line("order", "MARKET  DAY", Mark::Warn),
            ])
        };
        let of = |card: Card| View::card(&card, &card, false, 1);
        let view = of(lines("MES 12-26", Mark::Plain));
        assert_eq!((labels(&view), view.tool.as_str()), (vec!["order"], "PlaceOrder"));
        for (contract, mark) in [
            ("MES 12-26", Mark::Changed),
            ("MES 12-26 (asked as \"MES\")", Mark::Plain),
            ("ES 12-26", Mark::Plain),
            ("", Mark::Plain),
        ] {
            assert_eq!(
                labels(&of(lines(contract, mark))),
                ["contract", "order"],
                "{contract}"
            );
        }
    }

    #[test]
    fn a_changed_fact_says_what_it_was_and_a_moving_one_is_no_news() {
        let before = card(vec![
            line("position", "+1 -> -1", Mark::Plain),
            line("market", "last 6012", Mark::Plain),
            line("cancels", "one", Mark::Plain),
            line("cancels", "two", Mark::Plain),
        ]);
        let mut now = card(vec![
            line("position", "+3 -> +1", Mark::Plain),
            line("market", "last 6013", Mark::Plain),
            line("cancels", "three", Mark::Plain),
        ]);
        now.mark_changes(&before);
        let view = View::card(&now, &before, false, 1);
        let told: Vec<_> = view
            .lines
            .iter()
            .map(|line| (line.mark, line.was.as_deref()))
            .collect();
        assert_eq!(
            told,
            [("plain", None), ("changed", Some("+1 -> -1")), ("changed", None)]
        );
    }

    #[test]
    fn only_a_diff_is_drawn_as_one() {
        for (text, diff) in [
            (
                "@@ limits\n-orders_per_day = 5\n+orders_per_day = 50\n\n unchanged\n",
                true,
            ),
            ("path:\n  | +not a diff\n", false),
            (" nothing\n changed\n", false),
            ("", false),
        ] {
            let free = FreeText {
                title: String::new(),
                text: text.to_owned(),
                sha256: String::new(),
                bytes: text.len(),
            };
            assert_eq!(Free::of(&free).diff, diff, "{text}");
        }
    }
}
