//! A card as plain lines: for the notification and the terminal. Whatever comes in, only printable ASCII goes out.
//!
//! Refuses to know: who shows the lines. Pure.

use crate::gate::card::{Card, CardLine, Mark};

/// The longest line; longer ones are cut, which takes the Approve button off a notification.
const LINE_MAX: usize = 100;
/// The most lines of a popup: what still fits a 720-pixel screen with the buttons below.
const LINES_MAX: usize = 22;

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
    let summary = fit(ascii(&format!(
        "{}  {}  {}",
        card.badge, card.account, card.headline
    )));
    let mut lines: Vec<String> = Vec::new();
    lines.extend(card.warnings.iter().map(|w| fit(format!("!! {}", ascii(w)))));
    lines.extend(card.lines.iter().map(|line| fit(card_line(line))));
    if let Some(free) = &card.free_text {
        lines.push(fit(format!(
            "{}: {} bytes, read it on the page",
            ascii(&free.title),
            free.bytes
        )));
    }
    lines.push(fit(format!(
        "Asked by {}, order {}, code {}",
        ascii(&card.client),
        ascii(&card.ticket),
        ascii(&card.digest_short)
    )));
    lines.push(fit(closing(card, until)));
    lines.push(fit(ascii(hint.unwrap_or("You did not ask for this? Deny."))));
    if lines.len() > LINES_MAX {
        whole = false;
        lines.truncate(LINES_MAX.saturating_sub(1));
        lines.push("... more than fits here".to_owned());
    }
    Popup {
        summary,
        body: lines.join("\n"),
        whole,
    }
}

fn closing(card: &Card, until: &str) -> String {
    match &card.phrase {
        Some(phrase) => format!("Open until {until}. Your phrase: {}", ascii(phrase)),
        None => format!("Open until {until}"),
    }
}

/// One fact, with its mark in front, so that colour is never needed to see it.
pub fn card_line(line: &CardLine) -> String {
    let mark = match line.mark {
        Mark::Plain => "",
        Mark::Warn => "! ",
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
            out.push_str(&format!("\\u{{{:X}}}", u32::from(c)));
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

fn cut(line: &str) -> (String, bool) {
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
