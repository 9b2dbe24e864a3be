//! The sign-in for reading.

use super::{Came, Setup, Stop, is_good, overview};
use crate::cli::{Exit, account, args};
use crate::oauth::GrantKind;

pub(super) async fn run(setup: &mut Setup<'_>) -> Result<Came, Stop> {
    let have = overview(&setup.context).await.unwrap_or_default();
    if have.iter().any(|grant| is_good(grant, GrantKind::Read)) {
        return Ok(Came::Already("signed in for reading".to_owned()));
    }
    setup.head("Sign in to CrossTrade, for reading");
    let how = if setup.flags.no_browser {
        "Open the address below in a browser, on this computer or on another."
    } else {
        "Your browser opens CrossTrade's own page."
    };
    setup.talk.text(&format!(
        "{how} Sign in there and allow READ access: with it your AI can look at accounts, positions and prices, and cannot \
         trade. Countersign never sees your CrossTrade password."
    ));
    setup.talk.gap();
    sign_in(setup, false).await?;
    Ok(Came::Done("signed in for reading".to_owned()))
}

/// One sign-in; where a person sits here, as often as they want.
pub(super) async fn sign_in(setup: &Setup<'_>, trade: bool) -> Result<(), Stop> {
    let what = args::Login {
        trade,
        no_browser: setup.flags.no_browser,
        single_grant: false,
    };
    loop {
        let exit = account::login_under(&setup.context, &what, setup.pin.clone()).await;
        match exit {
            Exit::Fine => return Ok(()),
            Exit::Interrupted => return Err(Stop::Left),
            exit if !setup.talk.asks() => return Err(Stop::Failed(exit)),
            exit => {
                setup.talk.gap();
                if !setup
                    .talk
                    .yes("That did not work; nothing was kept. Try it again?", true)
                    .await?
                {
                    return Err(Stop::Failed(exit));
                }
            }
        }
    }
}
