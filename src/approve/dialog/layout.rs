//! The words of a dialog: the deed large, the facts below it, the time that is left at the bottom.
//!
//! Refuses to know: who draws them. Pure; only printable ASCII and line feeds come out.

use crate::approve::text;
use crate::gate::card::{Card, Mark};

/// "Stop AI trading", on every card.
pub(in crate::approve) const STOP: &str = "Stop AI trading";
/// Opens the page again, on a dialog beside one.
pub(in crate::approve) const PAGE: &str = "Open the page";

/// What a dialog shows of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::approve) struct Face {
    /// Badge and deed.
    pub(in crate::approve) headline: String,
    /// The facts, one a line.
    pub(in crate::approve) facts: String,
    /// Nothing was left out. A card that does not fit is not approved on the dialog.
    pub(in crate::approve) whole: bool,
    /// Real money, or something to look at twice.
    pub(in crate::approve) alarming: bool,
}

/// The face of a card. A dialog that does not decide stands beside the page.
pub(in crate::approve) fn face(card: &Card, decides: bool) -> Face {
    let mut whole = true;
    let mut lines: Vec<String> = Vec::new();
    let mut put = |line: &str| {
        let (line, fits) = text::cut(line);
        whole &= fits;
        lines.push(line);
    };
    if let Some(account) = text::account(card) {
        put(&account);
    }
    for warning in &card.warnings {
        put(&format!("!! {}", text::ascii(warning)));
    }
    put("");
    for line in &card.lines {
        put(&text::card_line(line));
    }
    if let Some(free) = &card.free_text {
        let (title, bytes) = (text::ascii(&free.title), free.bytes);
        put(&format!("{title}: {bytes} bytes, read it on the page"));
    }
    put("");
    put(&format!(
        "Asked by {}, order {}, code {}",
        text::ascii(&card.client),
        text::ascii(&card.ticket),
        text::ascii(&card.digest_short)
    ));
    if let Some(phrase) = &card.phrase {
        put(&format!("Your phrase: {}", text::ascii(phrase)));
    }
    put(if decides {
        "You did not ask for this? Deny."
    } else {
        "Approve it on the page in your browser. You did not ask for this? Deny."
    });
    let fitting = text::rows_that_fit(&lines);
    if fitting < lines.len() {
        whole = false;
        lines.truncate(fitting);
        lines.push("... more than fits here".to_owned());
    }
    let marked = card.lines.iter().any(|line| line.mark == Mark::Warn);
    Face {
        headline: text::title(card),
        facts: lines.join("\n"),
        whole,
        alarming: card.badge != "SIM" || marked || !card.warnings.is_empty(),
    }
}

/// The last line of a dialog: how long it stays, in milliseconds, and what the end of that time means.
pub(in crate::approve) fn footer(left_ms: u64) -> String {
    format!("Closes by itself in {}; then nothing is sent.", span(left_ms))
}

/// A span as people read it; begun seconds count, so that it says 0 only at the end.
pub(in crate::approve) fn span(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds:02} s"),
    }
}

#[cfg(test)]
pub(in crate::approve) mod tests {
    use super::*;
    use crate::gate::card::CardLine;
    use crate::gate::catalogue::Class;
    use proptest::prelude::*;

    pub(in crate::approve) fn card() -> Card {
        let line = |label: &str, value: &str, mark| CardLine {
            label: label.to_owned(),
            value: value.to_owned(),
            mark,
        };
        Card {
            ticket: "7QK4".to_owned(),
            badge: "LIVE".to_owned(),
            account: "PA-1".to_owned(),
            side: "SELL".to_owned(),
            headline: "SELL 2 MES 12-26".to_owned(),
            approve: "Approve SELL 2 MES".to_owned(),
            deny: "Deny".to_owned(),
            lines: vec![
                line("type", "market", Mark::Plain),
                line("stop", "none", Mark::Warn),
                line("position", "+1 -> -1", Mark::Changed),
            ],
            warnings: vec!["REVERSES THE POSITION".to_owned()],
            free_text: None,
            client: "claude-desktop".to_owned(),
            phrase: Some("blue heron".to_owned()),
            class: Class::Order,
            digest_short: "7f3a19c2".to_owned(),
        }
    }

    #[test]
    fn a_card_reads_from_the_deed_down_to_the_time() {
        let face = face(&card(), true);
        assert!(face.whole && face.alarming);
        insta::assert_snapshot!(format!("{}\n--\n{}\n--\n{}", face.headline, face.facts, footer(87_200)), @r"
        LIVE  SELL 2 MES 12-26
        --
        Account: PA-1 (LIVE)
        !! REVERSES THE POSITION

        type: market
        ! stop: none
        * CHANGED position: +1 -> -1

        Asked by claude-desktop, order 7QK4, code 7f3a19c2
        Your phrase: blue heron
        You did not ask for this? Deny.
        --
        Closes by itself in 1 min 28 s; then nothing is sent.
        ");
    }

    #[test]
    fn what_does_not_fit_is_never_whole() {
        let mut long = card();
        long.warnings = vec!["x".repeat(200)];
        assert!(!face(&long, true).whole);
        let mut many = card();
        many.lines = vec![many.lines[0].clone(); 40];
        let face = face(&many, true);
        assert!(!face.whole);
        assert!(face.facts.ends_with("... more than fits here"));
    }

    #[test]
    fn only_a_plain_sim_card_looks_calm() {
        let mut calm = card();
        calm.badge = "SIM".to_owned();
        assert!(face(&calm, true).alarming);
        calm.warnings.clear();
        calm.lines[1].mark = Mark::Plain;
        assert!(!face(&calm, true).alarming);
        calm.badge = "LIVE?".to_owned();
        assert!(face(&calm, true).alarming);
    }

    #[test]
    fn a_dialog_beside_the_page_points_to_it() {
        let beside = face(&card(), false);
        assert!(
            beside
                .facts
                .ends_with("Approve it on the page in your browser. You did not ask for this? Deny.")
        );
        assert_eq!(span(0), "0 s");
        assert_eq!(span(1), "1 s");
        assert_eq!(span(60_000), "1 min 00 s");
    }

    proptest! {
        #[test]
        fn only_printable_ascii_comes_out(text in any::<String>()) {
            let mut card = card();
            card.client.clone_from(&text);
            card.phrase = Some(text.clone());
            card.headline.clone_from(&text);
            card.lines[0].value.clone_from(&text);
            let face = face(&card, true);
            let fine = |c: char| c == ' ' || c.is_ascii_graphic();
            prop_assert!(face.headline.chars().all(fine));
            prop_assert!(face.facts.lines().all(|line| line.chars().all(fine)));
        }
    }
}
