//! One dialog's life as a few questions: may this press close it, and what was its end?
//!
//! Refuses to know: windows, threads, clocks (the time is handed in). Pure.

use super::layout::{self, Face};
use crate::approve::{DWELL_MS, text};
use crate::gate::card::Card;

/// Esc and the close box.
const CANCEL: i32 = 2;
/// Our buttons. None of them is a number that a dialog gives to a button of its own.
const DENY: i32 = 101;
const APPROVE: i32 = 102;
const STOP: i32 = 103;
const PAGE: i32 = 104;

/// A button: its number and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::approve) struct Button {
    /// The number that comes back when it is pressed.
    pub(in crate::approve) id: i32,
    /// What stands on it.
    pub(in crate::approve) label: String,
}

/// The buttons of a card, Deny first: the left one, and the one that has the focus.
pub(in crate::approve) fn buttons(card: &Card, face: &Face, decides: bool) -> Vec<Button> {
    let button = |id, label: &str| Button {
        id,
        label: text::ascii(label),
    };
    let mut buttons = vec![button(DENY, &card.deny)];
    if !decides {
        buttons.push(button(PAGE, layout::PAGE));
    } else if face.whole {
        buttons.push(button(APPROVE, &card.approve));
    }
    buttons.push(button(STOP, layout::STOP));
    buttons
}

/// The buttons of a notice: the first closes it, the second, where there is one, is told as [`Event::OpenPage`].
pub(in crate::approve) fn plain(offer: Option<&str>) -> Vec<Button> {
    let button = |id, label: &str| Button {
        id,
        label: text::ascii(label),
    };
    let close = std::iter::once(button(DENY, "Close"));
    close.chain(offer.map(|label| button(PAGE, label))).collect()
}

/// What happened to a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::approve) enum Event {
    /// It is on the screen.
    Shown,
    /// The person approved.
    Approved,
    /// The person denied.
    Denied,
    /// The person stopped all trading by AI clients.
    Halted,
    /// The person wants the page again, or took what a notice offered; the dialog stays.
    OpenPage,
    /// The person closed it.
    Dismissed,
    /// We closed it.
    Closed,
    /// Another program touched it.
    Foreign(String),
    /// It could not be shown.
    Failed(String),
}

/// What a press does to the dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::approve) enum Press {
    /// Nothing: it came too soon.
    Ignored,
    /// The dialog stays, and this is told.
    Told(Event),
    /// The dialog closes; [`Presses::end`] says how it ended.
    Closes,
}

/// What was pressed on a dialog so far.
#[derive(Debug)]
pub(in crate::approve) struct Presses {
    buttons: Vec<Button>,
    /// When what stands there now came onto the screen; `None` before that.
    shown_at: Option<u64>,
    closing: bool,
    end: Option<Event>,
}

impl Presses {
    /// For a dialog with these buttons, which is not on the screen yet.
    pub(in crate::approve) fn new(buttons: Vec<Button>) -> Self {
        Self {
            buttons,
            shown_at: None,
            closing: false,
            end: None,
        }
    }

    /// What stands there now came onto the screen at this time (ms); what there is to tell of it, the first time.
    pub(in crate::approve) fn shown(&mut self, now: u64) -> Option<Event> {
        self.shown_at.replace(now).is_none().then_some(Event::Shown)
    }

    /// From now on a press is ours: we close the dialog.
    pub(in crate::approve) fn close(&mut self) {
        self.closing = true;
    }

    /// A button was pressed at this time (ms), while the buttons in the window said this.
    pub(in crate::approve) fn pressed(&mut self, id: i32, now: u64, captions: &[String]) -> Press {
        let end = match id {
            _ if self.closing => Event::Closed,
            CANCEL => Event::Dismissed,
            DENY => Event::Denied,
            STOP => Event::Halted,
            PAGE if self.has(PAGE) => return Press::Told(Event::OpenPage),
            APPROVE if self.has(APPROVE) => {
                if self.shown_at.is_none_or(|at| now.saturating_sub(at) < DWELL_MS) {
                    return Press::Ignored;
                }
                match self.relabelled(captions) {
                    Some(words) => Event::Foreign(format!(
                        "another program wrote \"{words}\" on a button of the dialog"
                    )),
                    None => Event::Approved,
                }
            }
            _ => Event::Foreign("a button was pressed that the dialog does not have".to_owned()),
        };
        self.end = Some(end);
        Press::Closes
    }

    /// Whether these are the words of the first button.
    pub(in crate::approve) fn is_first(&self, caption: &str) -> bool {
        self.buttons.first().is_some_and(|button| button.label == caption)
    }

    /// How it ended, once the dialog is gone.
    pub(in crate::approve) fn end(&mut self, gone: Result<(), String>) -> Event {
        match (gone, self.end.take()) {
            (_, Some(end)) => end,
            (Err(why), None) => Event::Failed(why),
            (Ok(()), None) if self.closing => Event::Closed,
            (Ok(()), None) => Event::Foreign("the dialog was closed without a button".to_owned()),
        }
    }

    fn has(&self, id: i32) -> bool {
        self.buttons.iter().any(|button| button.id == id)
    }

    /// Words on a button that are not ours. Empty captions belong to parts that are not shown.
    fn relabelled(&self, captions: &[String]) -> Option<String> {
        let mut ours: Vec<&str> = self.buttons.iter().map(|b| b.label.as_str()).collect();
        for caption in captions.iter().filter(|caption| !caption.is_empty()) {
            match ours.iter().position(|label| label == caption) {
                Some(at) => drop(ours.swap_remove(at)),
                None => return Some(text::cut(&text::ascii(caption)).0),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::{face, tests::card};
    use super::*;
    use proptest::prelude::*;

    fn presses(decides: bool) -> Presses {
        let card = card();
        Presses::new(buttons(&card, &face(&card, decides), decides))
    }

    fn captions(decides: bool) -> Vec<String> {
        presses(decides)
            .buttons
            .into_iter()
            .map(|button| button.label)
            .collect()
    }

    fn ended(id: i32, decides: bool, at: u64, captions: &[String]) -> (Press, Event) {
        let mut presses = presses(decides);
        presses.shown(1000);
        (presses.pressed(id, at, captions), presses.end(Ok(())))
    }

    #[test]
    fn each_button_has_its_end() {
        assert_eq!(captions(true), ["Deny", "Approve SELL 2 MES", "Stop AI trading"]);
        assert_eq!(captions(false), ["Deny", "Open the page", "Stop AI trading"]);
        for (id, end) in [
            (DENY, Event::Denied),
            (CANCEL, Event::Dismissed),
            (STOP, Event::Halted),
            (APPROVE, Event::Approved),
        ] {
            assert_eq!(ended(id, true, 1700, &captions(true)), (Press::Closes, end));
        }
    }

    #[test]
    fn denying_is_free_and_approving_too_soon_is_nothing() {
        assert_eq!(ended(DENY, true, 1000, &[]).1, Event::Denied);
        assert_eq!(ended(STOP, true, 1000, &[]).1, Event::Halted);
        assert_eq!(ended(APPROVE, true, 1699, &captions(true)).0, Press::Ignored);
        assert!(presses(true).is_first("Deny") && !presses(true).is_first("Approve SELL 2 MES"));
        // Never shown, so never read.
        assert_eq!(presses(true).pressed(APPROVE, 9_000, &[]), Press::Ignored);
        // What changes under the pointer is read anew.
        let mut presses = presses(true);
        assert_eq!(presses.shown(1000), Some(Event::Shown));
        assert_eq!(presses.shown(5000), None);
        assert_eq!(presses.pressed(APPROVE, 5600, &captions(true)), Press::Ignored);
        assert_eq!(presses.pressed(APPROVE, 5700, &captions(true)), Press::Closes);
    }

    #[test]
    fn beside_the_page_nothing_approves() {
        assert!(matches!(
            ended(APPROVE, false, 9_000, &captions(false)).1,
            Event::Foreign(_)
        ));
        let mut presses = presses(false);
        presses.shown(0);
        assert_eq!(presses.pressed(PAGE, 10, &[]), Press::Told(Event::OpenPage));
        assert!(matches!(
            ended(PAGE, true, 9_000, &captions(true)).1,
            Event::Foreign(_)
        ));
    }

    #[test]
    fn foreign_words_on_a_button_void_the_approval() {
        let swapped = ["Approve SELL 2 MES", "Deny", "Stop AI trading", ""].map(str::to_owned);
        // The order of the captions is not told, only which there are.
        assert_eq!(ended(APPROVE, true, 9_000, &swapped).1, Event::Approved);
        for foreign in ["Deny", "Cancel", "Approve SELL 2 MES "] {
            let mut captions = captions(true);
            captions[1] = foreign.to_owned();
            assert!(
                matches!(ended(APPROVE, true, 9_000, &captions).1, Event::Foreign(_)),
                "{foreign}"
            );
        }
    }

    #[test]
    fn a_dialog_that_goes_without_a_button_was_touched() {
        assert!(matches!(presses(true).end(Ok(())), Event::Foreign(_)));
        assert_eq!(
            presses(true).end(Err("no".to_owned())),
            Event::Failed("no".to_owned())
        );
        let mut closing = presses(true);
        closing.close();
        assert_eq!(closing.end(Ok(())), Event::Closed);
    }

    #[test]
    fn a_notice_closes_or_takes_the_offer() {
        assert_eq!(plain(None).len(), 1);
        let mut offer = Presses::new(plain(Some("End the pause")));
        assert_eq!(offer.pressed(PAGE, 0, &[]), Press::Told(Event::OpenPage));
        assert_eq!(offer.pressed(DENY, 0, &[]), Press::Closes);
        assert_eq!(offer.end(Ok(())), Event::Denied);
    }

    proptest! {
        #[test]
        fn only_our_own_button_late_enough_approves(id in 0..200_i32, at in 0..4000_u64, closing: bool, decides: bool) {
            let mut presses = presses(decides);
            presses.shown(1000);
            if closing {
                presses.close();
            }
            presses.pressed(id, at, &captions(decides));
            let approved = presses.end(Ok(())) == Event::Approved;
            prop_assert_eq!(approved, id == APPROVE && decides && !closing && at >= 1700);
        }
    }
}
