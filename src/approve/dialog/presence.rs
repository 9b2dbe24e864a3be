//! Whether anybody can see a dialog, from what Windows says about session and screen: each case has its own sentence.
//!
//! Refuses to know: how Windows is asked. Pure. What Windows does not tell counts as fine, as it does on every system:
//! a dialog that nobody sees runs out, and approves nothing.

/// What the shell says about the person's attention (`SHQueryUserNotificationState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::approve) enum Attention {
    /// The screen saver runs, the machine is locked, or another user is at it.
    Absent,
    /// A program covers the screen, or presentation settings are on.
    FullScreen,
    /// A game or the like owns the screen.
    Exclusive,
    /// Do not disturb.
    Quiet,
    /// Nothing in the way, or not told.
    Free,
}

/// What Windows says; `None` where it does not.
#[derive(Debug, Clone, Copy)]
pub(in crate::approve) struct Seen {
    /// The number of our session; 0 is that of the services.
    pub(in crate::approve) session: Option<u32>,
    /// Our window station is one with a screen.
    pub(in crate::approve) has_screen: Option<bool>,
    /// A screen is attached to the session: the console, or a remote desktop.
    pub(in crate::approve) attached: Option<bool>,
    /// The session is locked.
    pub(in crate::approve) locked: Option<bool>,
    /// What the shell says.
    pub(in crate::approve) attention: Attention,
}

impl Seen {
    /// Why nobody could see a dialog now.
    pub(in crate::approve) fn nobody(&self) -> Option<&'static str> {
        if self.session == Some(0) {
            return Some("this runs as a Windows service (session 0), which has no screen");
        }
        if self.has_screen == Some(false) {
            return Some("this was started without a desktop, as over SSH or by a scheduled task");
        }
        if self.attached == Some(false) {
            return Some("the remote desktop session is disconnected");
        }
        if self.locked == Some(true) {
            return Some("the screen is locked");
        }
        (self.attention == Attention::Absent)
            .then_some("the screen saver is on, or another user is at this machine")
    }

    /// What may keep a dialog from being noticed, though it is shown.
    pub(in crate::approve) fn hindrance(&self) -> Option<&'static str> {
        match self.attention {
            Attention::FullScreen => Some("a program fills the screen; the dialog lies on top of it"),
            Attention::Exclusive => Some("a game owns the screen and may cover the dialog"),
            Attention::Quiet => Some("do not disturb is on; the dialog is shown all the same"),
            Attention::Absent | Attention::Free => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Seen = Seen {
        session: Some(1),
        has_screen: Some(true),
        attached: Some(true),
        locked: Some(false),
        attention: Attention::Free,
    };

    #[test]
    fn each_way_of_being_away_has_its_own_sentence() {
        let cases = [
            Seen {
                session: Some(0),
                ..FINE
            },
            Seen {
                has_screen: Some(false),
                ..FINE
            },
            Seen {
                attached: Some(false),
                locked: Some(true),
                ..FINE
            },
            Seen {
                locked: Some(true),
                attention: Attention::Absent,
                ..FINE
            },
            Seen {
                attention: Attention::Absent,
                ..FINE
            },
        ];
        let mut told: Vec<&str> = cases.iter().filter_map(Seen::nobody).collect();
        assert_eq!(told.len(), cases.len());
        assert!(told[2].contains("disconnected") && told[3].contains("locked"));
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), cases.len());
    }

    #[test]
    fn what_is_not_told_and_what_only_disturbs_does_not_keep_a_card_away() {
        let untold = Seen {
            session: None,
            has_screen: None,
            attached: None,
            locked: None,
            ..FINE
        };
        for attention in [
            Attention::Free,
            Attention::Quiet,
            Attention::FullScreen,
            Attention::Exclusive,
        ] {
            assert_eq!(Seen { attention, ..untold }.nobody(), None);
            assert_eq!(
                Seen { attention, ..FINE }.hindrance().is_some(),
                attention != Attention::Free
            );
        }
    }
}
