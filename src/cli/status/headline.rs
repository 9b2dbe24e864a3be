//! The first and the last line of `status`: is it safe, and what comes next.

use super::Standing;
use crate::gate::Tier;
use crate::system::clock;

/// How AI trading stands, for people and as a word for programs.
pub(super) struct Headline {
    /// `unknown`, `stopped`, `refused`, `reading_only`, `not_signed_in`, `withdrawn` or `held`.
    pub(super) word: &'static str,
    pub(super) text: String,
}

/// What to do next: what for, and the command where one does it.
pub(super) struct Next {
    pub(super) text: String,
    pub(super) command: Option<String>,
}

impl Standing {
    /// Says first whether anything can be traded at all.
    pub(super) fn headline(&self) -> Headline {
        let (word, text) = match (self.halted, &self.trouble, self.trade()) {
            (true, _, _) => (
                "stopped",
                "STOPPED by you: every trade call is refused".to_owned(),
            ),
            (_, Some(_), _) => (
                "unknown",
                "OFF: the sign-in on this computer cannot be read, so nothing can be sent".to_owned(),
            ),
            _ if self.settings.is_err() => ("refused", "REFUSED: the settings file is wrong".to_owned()),
            _ if self.policy.is_err() => ("refused", "REFUSED: the policy file is wrong".to_owned()),
            (_, _, None) if self.read().is_none() => {
                ("not_signed_in", "OFF: nobody is signed in here".to_owned())
            }
            (_, _, None) => (
                "reading_only",
                "OFF: reading only, no order can be placed from here".to_owned(),
            ),
            (_, _, Some(grant)) if grant.withdrawn.is_some() => (
                "withdrawn",
                "OFF: CrossTrade has ended the sign-in for trading".to_owned(),
            ),
            _ => ("held", format!("HELD: {}", self.factor())),
        };
        Headline {
            word,
            text: format!("AI trading   {text}"),
        }
    }

    /// What it takes now.
    fn factor(&self) -> String {
        let tier = self
            .settings
            .as_ref()
            .map_or(Tier::Click, |settings| settings.tier);
        let armed = self
            .running
            .iter()
            .filter_map(|one| Some((one.armed_until?, one.armed_all)));
        if let Some((until, all)) = armed.max() {
            let what = if all { "every order" } else { "exits" };
            let rest = if all { "" } else { "; the others need your PIN" };
            return format!(
                "ARMED, until {} a click is enough for {what}{rest}",
                clock::local_time(until)
            );
        }
        let factor = match tier {
            // The sign-in lies under a PIN, whatever the settings file says by now.
            Tier::Click if self.trade().is_some_and(|grant| grant.sealed) => "each order needs your PIN",
            Tier::Click => "each order needs your click",
            Tier::Pin => "each order needs your PIN",
            Tier::Passkey => "each order needs your passkey",
        };
        let unasked = tier == Tier::Click
            && self
                .policy
                .as_ref()
                .is_ok_and(crate::gate::Policy::allows_unasked);
        if unasked {
            format!("{factor}, but for play money that your own rules let through")
        } else {
            factor.to_owned()
        }
    }

    /// The most urgent thing that only the person can do.
    pub(super) fn next(&self) -> Next {
        let of = |text: &str, command: &str| Next {
            text: text.to_owned(),
            command: (!command.is_empty()).then(|| command.to_owned()),
        };
        if let Some((ticket, _)) = self.doubts.first() {
            return of(
                "look at orders and positions in NinjaTrader; once you know what became of it",
                &format!("countersign acknowledge {}", ticket.id),
            );
        }
        if let Some(id) = self.unreadable.first() {
            return of(
                "look at orders and positions in NinjaTrader, for the file of an order cannot be read; then",
                &format!("countersign acknowledge {id}"),
            );
        }
        if self.open.iter().any(|waiting| waiting.owned) {
            return of("decide on your screen, or in this terminal", "countersign watch");
        }
        if self.trouble.is_some() {
            return of("see what is wrong", "countersign doctor");
        }
        if self.settings.is_err() {
            return of("correct that file, or move it away; then", "countersign status");
        }
        if self.policy.is_err() {
            return of("correct that file; then", "countersign policy check");
        }
        match self.read() {
            None => return of("sign in, and set up what is missing", "countersign setup"),
            Some(grant) if grant.withdrawn.is_some() => return of("sign in again", "countersign login"),
            Some(_) => {}
        }
        if !self.changes.is_empty() {
            return of("look at what changed, and approve it", "countersign policy apply");
        }
        if self.halted {
            return of("when the AI may trade again", "countersign resume");
        }
        if self.today.exhausted {
            return of("see why new orders are refused", "countersign policy check");
        }
        if self.trade().is_some_and(|grant| grant.withdrawn.is_some()) {
            return of(
                "if you did not mean that, ask yourself who did; then",
                "countersign login --trade",
            );
        }
        if self.paused.is_some() {
            return of("wait, or end the pause", "countersign resume");
        }
        if self.around.iter().any(|around| !around.twin) {
            return of(
                "remove the entry that goes around Countersign; see where",
                "countersign clients",
            );
        }
        if !self.lost.is_empty() {
            return of(
                "put our entry back, and start that AI client again",
                "countersign install --repair",
            );
        }
        if self.running.is_empty() && self.set_up.is_empty() {
            return of(
                "let your AI client know of Countersign",
                "countersign install --all",
            );
        }
        if self.running.is_empty() {
            return of("open your AI client", "");
        }
        if self.trade().is_none() {
            return of("only if the AI is to propose orders", "countersign login --trade");
        }
        of("nothing; you are asked when there is an order", "")
    }
}
