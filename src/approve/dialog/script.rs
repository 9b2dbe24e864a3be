//! A dialog through `AppleScript`: the script, what is handed to it, and what it answers.
//!
//! Refuses to know: processes. Pure. The script is fixed; every word of a card is an argument.

use super::layout::{self, Face};
use crate::approve::text;
use crate::gate::card::Card;

/// Arguments: title, text, seconds, the kind of sign, then the buttons, of which the first is default and cancel button.
/// Answers with `button N`, `gave up`, or `error N` where the system showed no dialog. Just before the dialog it says
/// [`SHOWN`] on the other output: a start of the interpreter that takes long is no time in which anybody read.
pub(in crate::approve) const SCRIPT: &str = r#"on run argv
    set theTitle to item 1 of argv
    set theText to item 2 of argv
    set theSeconds to (item 3 of argv) as integer
    set theButtons to items 5 thru -1 of argv
    set theFirst to item 1 of theButtons
    beep
    log "shown"
    try
        if item 4 of argv is "caution" then
            set theAnswer to display dialog theText with title theTitle buttons theButtons default button theFirst cancel button theFirst giving up after theSeconds with icon caution
        else
            set theAnswer to display dialog theText with title theTitle buttons theButtons default button theFirst cancel button theFirst giving up after theSeconds with icon note
        end if
    on error theWords number theNumber
        if theNumber is -128 then return "button 1"
        return "error " & theNumber
    end try
    if gave up of theAnswer then return "gave up"
    repeat with theIndex from 1 to count of theButtons
        if item theIndex of theButtons is button returned of theAnswer then return "button " & theIndex
    end repeat
    return "none"
end run"#;

/// What the script says on stderr when the dialog comes up.
pub(in crate::approve) const SHOWN: &str = "shown";

/// What a dialog answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::approve) enum Said {
    Approved,
    Denied,
    Halted,
    /// The person wants the page again, or took what a notice offered.
    OpenPage,
    /// The time was over.
    GaveUp,
    /// The system could not show it: nobody was asked.
    NoScreen(String),
    /// It ended without an answer: somebody else ended it.
    Foreign(String),
}

/// What a dialog is started with, and what its buttons mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::approve) struct Dialog {
    /// The script's arguments. The first never begins with a dash.
    pub(in crate::approve) arguments: Vec<String>,
    meanings: Vec<Said>,
}

/// The dialog of a card that stays this long, in milliseconds.
pub(in crate::approve) fn card(card: &Card, face: &Face, decides: bool, left_ms: u64) -> Dialog {
    let mut buttons = vec![
        (text::ascii(&card.deny), Said::Denied),
        (layout::STOP.to_owned(), Said::Halted),
    ];
    if !decides {
        buttons.push((layout::PAGE.to_owned(), Said::OpenPage));
    } else if face.whole {
        buttons.push((text::ascii(&card.approve), Said::Approved));
    }
    let words = format!(
        "{}\n\n{}\n\n{}",
        face.headline,
        face.facts,
        layout::footer(left_ms)
    );
    dialog(
        "Countersign",
        &words,
        left_ms.div_ceil(1000),
        face.alarming,
        buttons,
    )
}

/// The dialog of a notice that stays this many seconds, with what it offers.
pub(in crate::approve) fn plain(title: &str, lines: &str, offer: Option<&str>, seconds: u64) -> Dialog {
    let mut buttons = vec![("Close".to_owned(), Said::Denied)];
    buttons.extend(offer.map(|label| (text::ascii(label), Said::OpenPage)));
    dialog(
        "Countersign",
        &format!("{title}\n\n{lines}"),
        seconds,
        true,
        buttons,
    )
}

fn dialog(title: &str, words: &str, seconds: u64, alarming: bool, buttons: Vec<(String, Said)>) -> Dialog {
    let sign = if alarming { "caution" } else { "note" };
    // At 0 it would stay for ever.
    let mut arguments = vec![
        title.to_owned(),
        words.to_owned(),
        seconds.max(1).to_string(),
        sign.to_owned(),
    ];
    let (labels, meanings): (Vec<String>, Vec<Said>) = buttons.into_iter().unzip();
    arguments.extend(labels);
    Dialog { arguments, meanings }
}

impl Dialog {
    /// What this output of the script means. Only its exact words mean anything.
    pub(in crate::approve) fn said(&self, output: &str) -> Said {
        let output = output.trim_end_matches('\n');
        if output == "gave up" {
            return Said::GaveUp;
        }
        if let Some(number) = output.strip_prefix("error ") {
            let number = number
                .parse::<i32>()
                .map_or_else(|_| "?".to_owned(), |number| number.to_string());
            return Said::NoScreen(format!("macOS could not show the question (error {number})"));
        }
        let pressed = output
            .strip_prefix("button ")
            .and_then(|number| number.parse::<usize>().ok())
            .and_then(|number| self.meanings.get(number.checked_sub(1)?));
        match pressed {
            Some(said) => said.clone(),
            None => Said::Foreign("the dialog went without an answer".to_owned()),
        }
    }

    /// What it means that the script ended with this output, where it said before whether the dialog came up.
    pub(in crate::approve) fn ended(&self, output: &str, shown: bool) -> Said {
        if output.is_empty() && !shown {
            return Said::NoScreen("macOS showed no question: there may be no desktop".to_owned());
        }
        self.said(output)
    }
}

/// From when on (monotonic ms) the person could have read a dialog that was started then, and came up then where that was
/// told; `drawing` is what the system takes to draw it.
pub(in crate::approve) fn readable_from(started: u64, shown: Option<u64>, drawing: u64) -> u64 {
    shown.unwrap_or(started).max(started).saturating_add(drawing)
}

/// Why there is no desktop, from what `launchctl managername` says; `None` where there is one, or it says nothing.
pub(in crate::approve) fn no_desktop(manager: &str) -> Option<&'static str> {
    match manager.trim() {
        "Aqua" | "" => None,
        "LoginWindow" => Some("nobody is logged in on this Mac"),
        _ => Some("this was started without a desktop, as over SSH or by a background service"),
    }
}

/// Why this user sees nothing of their screen, from the registry's list of the users at the machine (`IOConsoleUsers`).
pub(in crate::approve) fn away(registry: &str, user: u32) -> Option<&'static str> {
    let list = registry
        .lines()
        .find_map(|line| line.split_once("\"IOConsoleUsers\" = ").map(|(_, list)| list))?;
    let is = |entry: &str, key: &str, value: &str| entry.contains(&format!("\"{key}\"={value}"));
    let entry = list.split('{').skip(1).find(|entry| {
        ["kCGSSessionUserIDKey", "CGSSessionUserIDKey"].iter().any(|key| {
            [",", "}"]
                .iter()
                .any(|end| is(entry, key, &format!("{user}{end}")))
        })
    })?;
    if is(entry, "CGSSessionScreenIsLocked", "Yes") {
        return Some("the screen is locked");
    }
    is(entry, "kCGSSessionOnConsoleKey", "No").then_some("another user is at this Mac")
}

#[cfg(test)]
mod tests {
    use super::super::layout::{face, tests::card as a_card};
    use super::*;

    fn dialog(decides: bool) -> Dialog {
        let it = a_card();
        card(&it, &face(&it, decides), decides, 29_500)
    }

    #[test]
    fn the_words_of_a_card_are_arguments_and_deny_comes_first() {
        let dialog = dialog(true);
        assert_eq!(dialog.arguments[0], "Countersign");
        assert!(dialog.arguments[1].starts_with("LIVE  SELL 2 MES 12-26\n\nAccount: PA-1 (LIVE)"));
        assert_eq!(
            dialog.arguments[2..],
            ["30", "caution", "Deny", "Stop AI trading", "Approve SELL 2 MES"].map(str::to_owned)
        );
        assert!(!SCRIPT.contains("SELL"));
        let mut sly = a_card();
        sly.headline = "x\" & (do shell script \"id\") & \"".to_owned();
        let sly = card(&sly, &face(&sly, true), true, 1);
        assert!(
            sly.arguments[1].contains("do shell script"),
            "an argument like any other"
        );
        assert_eq!(sly.arguments[2], "1");
    }

    #[test]
    fn only_the_exact_answer_approves() {
        let deciding = dialog(true);
        assert_eq!(deciding.said("button 1\n"), Said::Denied);
        assert_eq!(deciding.said("button 2\n"), Said::Halted);
        assert_eq!(deciding.said("button 3\n"), Said::Approved);
        assert_eq!(deciding.said("gave up\n"), Said::GaveUp);
        assert_eq!(dialog(false).said("button 3\n"), Said::OpenPage);
        for other in [
            "",
            "none",
            "button",
            "button 0",
            "button 4",
            "button 3 ",
            "button -1",
            "Approve SELL 2 MES",
        ] {
            assert!(matches!(deciding.said(other), Said::Foreign(_)), "{other}");
        }
    }

    #[test]
    fn a_dialog_that_could_not_be_shown_asked_nobody() {
        let dialog = dialog(true);
        for output in ["error -1713\n", "error -10810\n", "error x\n"] {
            assert!(
                matches!(dialog.ended(output, true), Said::NoScreen(why) if why.contains("could not show")),
                "{output}"
            );
        }
        // It ended before it came up: no window server. Once it was up, whoever ended it was somebody else.
        assert!(matches!(dialog.ended("", false), Said::NoScreen(_)));
        assert!(matches!(dialog.ended("", true), Said::Foreign(_)));
        assert_eq!(dialog.ended("button 3\n", false), Said::Approved);
        assert!(SCRIPT.contains(&format!("log \"{SHOWN}\"")) && SCRIPT.contains("-128"));
    }

    #[test]
    fn time_to_read_begins_when_the_dialog_comes_up() {
        assert_eq!(readable_from(1000, None, 300), 1300);
        assert_eq!(readable_from(1000, Some(4000), 300), 4300, "a slow start");
        assert_eq!(readable_from(1000, Some(900), 300), 1300);
    }

    #[test]
    fn a_card_that_does_not_fit_has_no_approve() {
        let mut long = a_card();
        long.warnings = vec!["x".repeat(200)];
        let dialog = card(&long, &face(&long, true), true, 1);
        assert!(matches!(dialog.said("button 3"), Said::Foreign(_)));
        assert_eq!(
            plain("t", "l", Some("End the pause"), 9).said("button 2"),
            Said::OpenPage
        );
    }

    #[test]
    fn who_is_away_is_told_apart() {
        assert_eq!(no_desktop("Aqua\n"), None);
        assert!(no_desktop("Background\n").is_some_and(|why| why.contains("SSH")));
        assert!(no_desktop("LoginWindow").is_some_and(|why| why.contains("logged in")));
        let registry = |locked: &str, console: &str| {
            format!(
                "+-o Root  <class IORegistryEntry>\n    {{\n      \"IOConsoleUsers\" = ({{\"kCGSSessionOnConsoleKey\"={console},\
                 {locked}\"kSCSecuritySessionID\"=100007,\"kCGSSessionUserIDKey\"=501}},{{\"kCGSSessionUserIDKey\"=502,\
                 \"CGSSessionScreenIsLocked\"=Yes}})\n    }}\n"
            )
        };
        assert_eq!(away(&registry("", "Yes"), 501), None);
        assert_eq!(
            away(&registry("\"CGSSessionScreenIsLocked\"=Yes,", "Yes"), 501),
            Some("the screen is locked")
        );
        assert_eq!(
            away(&registry("", "No"), 501),
            Some("another user is at this Mac")
        );
        // Somebody else's screen is none of ours, and 50 is not 501.
        assert_eq!(away(&registry("", "Yes"), 50), None);
        assert_eq!(away("", 501), None);
    }
}
