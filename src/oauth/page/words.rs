//! The sentences of the sign-in pages. What did not happen comes first, then the one next step. Text between back-quotes
//! is a command.

use super::super::error::LoginError;
use super::super::grants::GrantKind;

/// What a page says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) say: String,
    /// What the grant is good for.
    pub(super) may: &'static [&'static str],
    /// And what it is not.
    pub(super) may_not: &'static [&'static str],
    /// Empty where nothing is to be done here.
    pub(super) next: String,
    pub(super) close: &'static str,
}

/// Access was granted. Countersign still compares what was given with what was asked for, so the last word is not here.
pub(super) fn granted(kind: GrantKind, single: bool) -> Words {
    let (say, may, may_not): (&str, &'static [&'static str], &'static [&'static str]) = match kind {
        GrantKind::Read => (
            "CrossTrade let Countersign read for you.",
            &["Your AI may see accounts, positions, orders and market data."],
            &["It cannot trade: CrossTrade refuses every order with this sign-in."],
        ),
        GrantKind::Trade if single => (
            "CrossTrade gave Countersign one sign-in for reading and trading.",
            &[
                "Your AI may see accounts, positions, orders and market data.",
                "Your AI may propose orders.",
            ],
            &["No order leaves this computer until you have approved exactly that order."],
        ),
        GrantKind::Trade => (
            "CrossTrade let Countersign place orders that you approve.",
            &["Your AI may propose orders."],
            &["No order leaves this computer until you have approved exactly that order."],
        ),
        GrantKind::Plain => ("The service let Countersign in.", &[], &[]),
    };
    let next = match kind {
        GrantKind::Plain => "Your AI client goes on by itself.",
        GrantKind::Read | GrantKind::Trade => {
            "Countersign checks it now. Where you started the sign-in it says when all is done; `countersign status` says it again at any time."
        }
    };
    Words {
        title: "Access granted",
        say: say.to_owned(),
        may,
        may_not,
        next: next.to_owned(),
        close: "You may close this tab.",
    }
}

/// Nothing was granted.
pub(super) fn ended(error: &LoginError, kind: GrantKind) -> Words {
    let verb = match kind {
        GrantKind::Read => "countersign login",
        GrantKind::Trade => "countersign login --trade",
        GrantKind::Plain => return ended_at_any_server(error),
    };
    let again = format!("To try again, run `{verb}`.");
    let later = format!("Wait a few minutes, then run `{verb}` again.");
    let (say, next) = match error {
        LoginError::Denied => (
            "Access was denied on the page before this one. Nothing was granted.".to_owned(),
            format!("If you did not mean that, run `{verb}` and press Allow."),
        ),
        LoginError::WrongPlan => (
            "This CrossTrade plan does not include MCP. Nothing was granted.".to_owned(),
            format!("MCP needs the Elite plan. Once you have it, run `{verb}`."),
        ),
        LoginError::InvalidScope(_) => (
            "CrossTrade does not offer this kind of access to your account. Nothing was granted.".to_owned(),
            format!("Ask CrossTrade whether MCP is turned on for your account, then run `{verb}`."),
        ),
        LoginError::NotEnabled(_) | LoginError::NotNeeded => (
            "The address that was asked is not CrossTrade's MCP service. Nothing was granted.".to_owned(),
            "See what answers there: `countersign doctor`.".to_owned(),
        ),
        LoginError::AlreadySignedIn => (
            "You are signed in already. Nothing changed.".to_owned(),
            "To see how things stand, run `countersign status`.".to_owned(),
        ),
        LoginError::Withdrawn => (
            "CrossTrade has ended the access that was there before. Nothing was granted.".to_owned(),
            format!("If it was not you who ended it, ask why first. Then run `{verb}`."),
        ),
        LoginError::Elsewhere => (
            "Another sign-in is under way. Nothing was granted here.".to_owned(),
            "Finish it in the other tab that was opened.".to_owned(),
        ),
        LoginError::Again => (
            "CrossTrade no longer knew this computer. Nothing was granted, and the old record is thrown away.".to_owned(),
            format!("Run `{verb}` again: it introduces itself anew."),
        ),
        LoginError::TooManyRegistrations(wait) => (
            "This computer introduced itself to CrossTrade too often within an hour. Nothing was granted.".to_owned(),
            format!("Wait {} min, then run `{verb}`.", wait.as_secs().div_ceil(60)),
        ),
        LoginError::WrongIssuer => (
            "The answer came from another sign-in service than the one that was asked. Nothing of it was accepted.".to_owned(),
            format!("Close the other tabs with sign-in pages, then run `{verb}`. If it happens again, do not go on: somebody may stand in between."),
        ),
        LoginError::OtherIssuer => (
            "The service names another sign-in service than before. Nothing was sent there.".to_owned(),
            "See what answers there: `countersign doctor`.".to_owned(),
        ),
        LoginError::WrongScope(_) if kind == GrantKind::Trade => (
            "CrossTrade gave something else than trading, so it was not accepted.".to_owned(),
            format!("Run `{verb}` again, and choose trading on CrossTrade's page."),
        ),
        LoginError::WrongScope(_) => (
            "CrossTrade gave more or other than reading, so it was not accepted.".to_owned(),
            format!("Run `{verb}` again, and choose reading on CrossTrade's page."),
        ),
        LoginError::Registration(_) | LoginError::Discovery(_) | LoginError::Service(_) => (
            "CrossTrade did not complete the sign-in. Nothing was granted.".to_owned(),
            later,
        ),
        LoginError::NoPkce => (
            "The sign-in service lacks a protection (PKCE) without which a sign-in can be stolen. It was refused, and nothing was granted.".to_owned(),
            "Do not sign in there. See what answers: `countersign doctor`.".to_owned(),
        ),
        LoginError::Network(_) => (
            "CrossTrade could not be reached to complete the sign-in. Nothing is kept on this computer.".to_owned(),
            later,
        ),
        LoginError::Store(_) => (
            "The sign-in could not be kept on this computer. You are not signed in.".to_owned(),
            "See what is wrong with the keychain: `countersign doctor`.".to_owned(),
        ),
        LoginError::Stopped => (
            "The sign-in was stopped where it was started. Nothing was granted.".to_owned(),
            again,
        ),
        LoginError::TimedOut(_) => (
            "The sign-in took too long and was given up. Nothing was granted.".to_owned(),
            again,
        ),
        LoginError::BadPaste(_) => (
            "What was pasted is not the address of the page that the browser ended on. Nothing was granted.".to_owned(),
            again,
        ),
    };
    Words {
        title: "Not signed in",
        say,
        may: &[],
        may_not: &[],
        next,
        close: "You may close this tab.",
    }
}

/// The same for a server that is not `CrossTrade`'s: its sign-in begins where the AI client needs it.
fn ended_at_any_server(error: &LoginError) -> Words {
    Words {
        title: "Not signed in",
        say: format!("The sign-in did not succeed: {}.", error.of_any_server()),
        may: &[],
        may_not: &[],
        next: "To be asked again, restart this server in your AI client.".to_owned(),
        close: "You may close this tab.",
    }
}

/// Nobody waits for this answer any more.
pub(super) fn over(reason: &'static str) -> Words {
    Words {
        title: "Not signed in",
        say: format!("{reason}. Nothing was granted."),
        may: &[],
        may_not: &[],
        next: "Start it again where you started it before: `countersign login`, or your AI client."
            .to_owned(),
        close: "You may close this tab.",
    }
}

/// The address is for something else.
pub(super) fn refused(reason: &'static str) -> Words {
    Words {
        title: "This page is not in use",
        say: format!("{reason}."),
        may: &[],
        may_not: &[],
        next: "If you are signing in right now, go back to the tab with CrossTrade's page: that sign-in still waits for you."
            .to_owned(),
        close: "You may close this tab; nothing was changed by it.",
    }
}
