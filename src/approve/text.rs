//! A card as plain lines: for the notification and the terminal. Whatever comes in, only printable ASCII goes out.
//!
//! Refuses to know: who shows the lines. Pure.

use crate::gate::card::{Card, CardLine, Mark};
use std::fmt::Write as _;

/// The longest line; longer ones are cut, which takes the Approve button off a notification.
const LINE_MAX: usize = 130;
/// The most rows of a popup, wrapped ones counted: what still fits a 768-pixel screen with the buttons below.
const ROWS_MAX: usize = 36;
/// Where popups wrap, about.
const ROW: usize = 62;

/// A summary up to here is shown whole by every server that was looked at.
const SUMMARY_SURE: usize = 36;

/// The text of a popup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Popup {
    /// The bold first line.
    pub summary: String,
    /// The lines below, joined by newlines.
    pub body: String,
    /// Nothing was cut. A card that does not fit is not approved on the popup.
    pub whole: bool,
}

/// The popup of a card; `until` is the local time at which it closes by itself.
pub fn popup(card: &Card, until: &str, hint: Option<&str>) -> Popup {
    let mut whole = true;
    let mut fit = |text: String| {
        let (line, fits) = cut(&text);
        whole &= fits;
        line
    };
    // Servers cut a long summary without a word, so the deed is said again where they wrap.
    let summary = fit(title(card));
    let mut lines: Vec<String> = Vec::new();
    if summary.len() > SUMMARY_SURE {
        lines.push(fit(ascii(&card.headline)));
    }
    lines.extend(account(card).map(&mut fit));
    lines.extend(card.warnings.iter().map(|w| fit(format!("!! {}", ascii(w)))));
    lines.extend(card.lines.iter().map(|line| fit(card_line(line))));
    if let Some(free) = &card.free_text {
        lines.push(fit(format!(
            "{}: {} bytes, read it on the page",
            ascii(&free.title),
            free.bytes
        )));
    }
    lines.push(fit(ascii(&asked_by(card))));
    lines.push(fit(closing(card, until)));
    lines.push(fit(ascii(hint.unwrap_or("You did not ask for this? Deny."))));
    let fitting = rows_that_fit(&lines);
    if fitting < lines.len() {
        whole = false;
        lines.truncate(fitting);
        lines.push("... more than fits here".to_owned());
    }
    Popup {
        summary,
        body: lines.join("\n"),
        whole,
    }
}

/// Badge and deed.
pub fn title(card: &Card) -> String {
    ascii(format!("{}  {}", card.badge, card.headline).trim())
}

/// The account, where the card has one.
pub fn account(card: &Card) -> Option<String> {
    let named = !matches!(card.account.as_str(), "" | "-");
    named.then(|| ascii(&format!("Account: {} ({})", card.account, card.badge)))
}

/// How many of the lines fit.
pub(super) fn rows_that_fit(lines: &[String]) -> usize {
    let mut rows = 0_usize;
    lines
        .iter()
        .take_while(|line| {
            rows = rows.saturating_add(line.len().div_ceil(ROW).max(1));
            rows <= ROWS_MAX
        })
        .count()
}

/// Whether two versions of a card say the same but for the age of the quote, which always moves.
pub fn same_but_age(one: &Card, other: &Card) -> bool {
    let facts = |card: &Card| -> Vec<CardLine> {
        card.lines
            .iter()
            .filter(|line| line.label != "quote age")
            .cloned()
            .collect()
    };
    same_deed(one, other) && facts(one) == facts(other)
}

/// Whether two versions of a card say the same but for what only moved with the market or grew older.
pub fn same_news(one: &Card, other: &Card) -> bool {
    let news = |card: &Card| -> Vec<CardLine> {
        let mut lines = card.lines.clone();
        for line in lines
            .iter_mut()
            .filter(|line| moves(line) || line.label == "sent before")
        {
            (line.value, line.mark) = (String::new(), Mark::Plain);
        }
        lines
    };
    same_deed(one, other) && news(one) == news(other)
}

/// Whether two versions of a card would do the same, as far as the person was told. Facts that move by themselves do
/// not count: the gate judges them again.
pub fn same_deed(one: &Card, other: &Card) -> bool {
    (
        &one.badge,
        &one.account,
        &one.headline,
        &one.approve,
        &one.warnings,
        &one.free_text,
    ) == (
        &other.badge,
        &other.account,
        &other.headline,
        &other.approve,
        &other.warnings,
        &other.free_text,
    )
}

/// Whether two versions of a card also say the same of every fact that does not move with the market.
pub fn same_facts(one: &Card, other: &Card) -> bool {
    let facts = |card: &Card| -> Vec<(String, String)> {
        let lasting = card.lines.iter().filter(|line| !moves(line));
        lasting
            .map(|line| (line.label.clone(), line.value.clone()))
            .collect()
    };
    same_deed(one, other) && facts(one) == facts(other)
}

fn closing(card: &Card, until: &str) -> String {
    match &card.phrase {
        Some(phrase) => format!("Open until {until}. Your phrase: {}", ascii(phrase)),
        None => format!("Open until {until}"),
    }
}

/// Whether this fact only moved with the market, and says nothing about what is done: that is no news. A room that is
/// used up, and a fact that is gone or cannot be read any more, are.
pub fn moves(line: &CardLine) -> bool {
    if line.value.starts_with("gone (was ") {
        return false;
    }
    match line.label.as_str() {
        "market" | "quote age" | "distance" | "day P/L" | "below high" | "realises" => line.value != "?",
        "room" => !line.value.starts_with(['?', '-', '0']),
        _ => false,
    }
}

/// One fact, with its mark in front, so that colour is never needed to see it.
pub fn card_line(line: &CardLine) -> String {
    let mark = match line.mark {
        Mark::Plain => "",
        Mark::Warn => "! ",
        Mark::Changed if moves(line) => "",
        Mark::Changed => "* CHANGED ",
    };
    if line.label.is_empty() {
        format!("{mark}{}", ascii(&line.value))
    } else {
        format!("{mark}{}: {}", ascii(&line.label), ascii(&line.value))
    }
}

/// Printable ASCII on one line: everything else is written as its code, so that nothing is hidden or turned around.
pub fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == ' ' || c.is_ascii_graphic() {
            out.push(c);
        } else {
            // Writing into a String cannot fail.
            let _ = write!(out, "\\u{{{:X}}}", u32::from(c));
        }
    }
    out
}

/// For servers that read the body as markup.
pub fn escape_markup(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The line, cut where it is too long; whether it was short enough.
pub(super) fn cut(line: &str) -> (String, bool) {
    if line.len() <= LINE_MAX {
        return (line.to_owned(), true);
    }
    (
        line.chars()
            .take(LINE_MAX.saturating_sub(3))
            .chain("...".chars())
            .collect(),
        false,
    )
}

/// Who asks, and for which order. A question of a verb is about none: then there is no code either.
pub(super) fn asked_by(card: &Card) -> String {
    if card.digest_short.is_empty() {
        return format!("Asked by {}", card.client);
    }
    format!(
        "Asked by {}, order {}, code {}",
        card.client, card.ticket, card.digest_short
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::catalogue::Class;
    use proptest::prelude::*;

    #[test]
    fn a_question_of_a_verb_names_no_order() {
        let order = card("PA-1");
        assert_eq!(asked_by(&order), "Asked by PA-1, order 7QK4, code 7f3a19c2");
        let verb = Card {
            ticket: "----".to_owned(),
            digest_short: String::new(),
            ..order
        };
        assert_eq!(asked_by(&verb), "Asked by PA-1");
    }

    fn card(text: &str) -> Card {
        Card {
            ticket: "7QK4".to_owned(),
            badge: "LIVE".to_owned(),
            account: text.to_owned(),
            side: "SELL".to_owned(),
            headline: "SELL 2 MES 12-26".to_owned(),
            approve: "Approve SELL 2 MES".to_owned(),
            deny: "Deny".to_owned(),
            lines: vec![CardLine {
                label: "Type".to_owned(),
                value: text.to_owned(),
                mark: Mark::Changed,
            }],
            warnings: vec![text.to_owned()],
            free_text: None,
            client: text.to_owned(),
            phrase: Some(text.to_owned()),
            class: Class::Order,
            digest_short: "7f3a19c2".to_owned(),
        }
    }

    #[test]
    fn a_plain_card_fits() {
        let popup = popup(&card("PA-1"), "15:41:07", None);
        assert!(popup.whole);
        insta::assert_snapshot!(format!("{}\n{}", popup.summary, popup.body), @r"
        LIVE  SELL 2 MES 12-26
        Account: PA-1 (LIVE)
        !! PA-1
        * CHANGED Type: PA-1
        Asked by PA-1, order 7QK4, code 7f3a19c2
        Open until 15:41:07. Your phrase: PA-1
        You did not ask for this? Deny.
        ");
    }

    #[test]
    fn what_does_not_fit_is_never_whole() {
        assert!(!popup(&card(&"x".repeat(200)), "15:41:07", None).whole);
        let mut many = card("PA-1");
        many.lines = vec![many.lines[0].clone(); 40];
        assert!(!popup(&many, "15:41:07", None).whole);
    }

    #[test]
    fn what_moves_by_itself_is_no_news() {
        let with = |label: &str, value: &str, mark: Mark| {
            let mut card = card("PA-1");
            card.lines.push(CardLine {
                label: label.to_owned(),
                value: value.to_owned(),
                mark,
            });
            card
        };
        for (label, before, after, same) in [
            ("market", "last 6012.25", "last 6019.5", true),
            ("market", "last 6012.25", "?", false),
            ("quote age", "2 s", "16 s", true),
            (
                "sent before",
                "the very same order, 2 s ago",
                "the very same order, 4 s ago",
                true,
            ),
            ("room", "180.00 left", "20.00 left", true),
            ("room", "180.00 left", "-20.00", false),
            ("position", "+1 -> +2", "+2 -> +3", false),
        ] {
            let (one, other) = (
                with(label, before, Mark::Plain),
                with(label, after, Mark::Changed),
            );
            assert_eq!(same_news(&one, &other), same, "{label} {after}");
        }
        let mut warned = card("PA-1");
        warned.warnings.push("REVERSES THE POSITION".to_owned());
        assert!(!same_news(&card("PA-1"), &warned));
    }

    proptest! {
        #[test]
        fn only_printable_ascii_comes_out(text in any::<String>()) {
            let popup = popup(&card(&text), "15:41:07", None);
            let fine = |c: char| c == ' ' || c.is_ascii_graphic();
            prop_assert!(popup.summary.chars().all(fine));
            prop_assert!(popup.body.lines().count() <= ROWS_MAX + 1);
            prop_assert!(popup.body.lines().all(|line| line.len() <= LINE_MAX && line.chars().all(fine)));
        }

        #[test]
        fn escaped_text_holds_no_markup(text in any::<String>()) {
            let escaped = escape_markup(&text);
            prop_assert!(!escaped.contains(['<', '>']));
        }
    }
}
