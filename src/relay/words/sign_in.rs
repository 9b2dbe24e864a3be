//! The sentences about signing in: what is not done for want of it, and the one step that this person can take.
//!
//! Owns: those sentences. Refuses to know: how it is found out whether anybody is signed in, or what a terminal knows.

use super::result;
use crate::clients::Commands;
use crate::relay::signin::Asked;
use serde_json::json;

/// How a sign-in stands, as far as it changes what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::relay) enum SignIn<'a> {
    /// There is none.
    None,
    /// The service has ended it; its word for that.
    Ended(&'a str),
    /// It can be used.
    Good,
}

/// How the person comes to the setup. It looks at what is there and does what is missing, so it is right for whoever began
/// with it, and for whoever did not.
fn set_up(commands: Commands) -> &'static str {
    match commands {
        Commands::Known if cfg!(windows) => {
            "run `countersign setup` (in the Start menu: Countersign, Set up; or in a terminal on this computer)"
        }
        Commands::Known => "run `countersign setup` in a terminal on this computer",
        Commands::Unknown => {
            "install Countersign on this computer with its own installer, which goes on into the setup: the extension inside the \
             AI client cannot do this"
        }
    }
}

/// A read that cannot be made for want of a sign-in; the person is being asked.
pub(in crate::relay) fn sign_in(asked: &Asked) -> String {
    let (how, url) = match asked {
        Asked::Here { url, opened: true } => (
            format!(
                "A browser window was opened on this computer for the person to sign in; if they do not see it, they can open \
                 this address there: {url}"
            ),
            Some(url),
        ),
        Asked::Here { url, opened: false } => (
            format!("No browser could be opened: ask the person to open this address in a browser on this computer: {url}"),
            Some(url),
        ),
        Asked::Elsewhere => (
            "The person is already being asked in a browser window on this computer, which another Countersign opened.".to_owned(),
            None,
        ),
    };
    let text = format!(
        "NOT DONE. Countersign is not signed in to CrossTrade yet. {how}\nTry again after they have signed in."
    );
    result(
        &text,
        json!({ "status": "sign_in_needed", "sent": "no", "url": url }),
        true,
    )
}

/// A read that cannot be made, and no browser is opened by itself: the person has said no, or nobody answered.
pub fn sign_in_ended(why: &str, commands: Commands) -> String {
    let next = match commands {
        Commands::Known => format!(
            "No browser is opened again by itself. Ask the person to {}, then try again.",
            set_up(commands)
        ),
        // A new start asks anew, and takes nothing that the person does not have.
        Commands::Unknown => "No browser is opened again by itself while this AI client runs. Ask the person to quit it completely \
                              and start it again: the next call then opens the sign-in page once more."
            .to_owned(),
    };
    let text = format!("NOT DONE. Countersign is not signed in to CrossTrade: {why}. {next}");
    result(
        &text,
        json!({ "status": "sign_in_needed", "sent": "no", "reason": why }),
        true,
    )
}

/// Why a read cannot be made: the service has ended the sign-in that was there.
pub fn withdrawn(why: &str, commands: Commands) -> String {
    format!(
        "Access was withdrawn ({why}), and no browser is opened by itself after that. Ask the person whether they did it. To sign in \
         again they {}",
        set_up(commands)
    )
}

/// `countersign_sign_in` where that is done already.
pub fn signed_in() -> String {
    let text = "Countersign is signed in to CrossTrade. List the tools again and go on.";
    result(text, json!({ "status": "signed_in", "sent": "no" }), false)
}

/// A trade call without a trade sign-in.
pub fn trade_sign_in(commands: Commands) -> String {
    let text = format!(
        "NOT SENT. Trading is not enabled on this computer: Countersign is signed in for reading only. If the person wants to trade \
         from here, ask them to {}.",
        set_up(commands)
    );
    result(
        &text,
        json!({ "status": "trade_sign_in_needed", "sent": "no" }),
        true,
    )
}

/// How the sign-ins stand, for `countersign_status`. `ended`: the person was asked, and why that came to nothing.
pub(in crate::relay) fn signed(
    read: SignIn<'_>,
    trade: SignIn<'_>,
    ended: Option<&str>,
    halted: bool,
    commands: Commands,
) -> String {
    let set_up = set_up(commands);
    match (read, trade, halted) {
        (SignIn::Ended(why), ..) => format!("Not signed in. {}.", withdrawn(why, commands)),
        (SignIn::None, ..) => match (ended, commands) {
            (None, _) => "Not signed in. The next call that reads asks the person in their browser.".to_owned(),
            (Some(why), Commands::Known) => format!("Not signed in: {why}. Ask the person to {set_up}."),
            (Some(why), Commands::Unknown) => format!(
                "Not signed in: {why}. Ask the person to quit this AI client completely and start it again: the next call then \
                 asks them once more."
            ),
        },
        (SignIn::Good, _, true) => "Signed in. AI trading is STOPPED on this computer; reads work. The person can allow it again with \
                                    `countersign resume`."
            .to_owned(),
        (SignIn::Good, SignIn::None, false) => format!(
            "Signed in for reading. Trading is not enabled. If the person wants to trade from here, they {set_up}."
        ),
        (SignIn::Good, SignIn::Ended(why), false) => format!(
            "Signed in for reading. The access for trading was withdrawn ({why}): ask the person whether they did that. To trade \
             from here again they {set_up}."
        ),
        (SignIn::Good, SignIn::Good, false) => {
            "Signed in for reading and trading; every trade call is held for the person's approval.".to_owned()
        }
    }
}
