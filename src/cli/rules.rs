//! `presence`.

use super::{Context, Exit, args};
use crate::approve::terminal::read_pin;
use crate::gate::Tier;
use crate::oauth::{GrantInfo, GrantKind, SealedExtras, TokenError, check_pin, offer_pin};
use crate::relay::lists::Lists;
use crate::relay::load_policy_at;
use crate::relay::settings::Settings;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::io::{BufRead, IsTerminal};

pub(super) async fn presence(context: &Context, what: &args::Presence) -> Exit {
    let mut settings = match Settings::load(&context.world.paths) {
        Ok(settings) => settings,
        Err(why) => {
            context.out.error(&why, "correct the file");
            return Exit::Config;
        }
    };
    let args::Presence::Set { tier, pin_stdin } = what else {
        context.out.data(
            &format!("To approve a trade call it takes: {}", word(settings.tier)),
            &json!({ "tier": settings.tier }),
        );
        return Exit::Fine;
    };
    let grants = context.grants();
    let asked = Asked::new(*pin_stdin);
    let to_pin = tier == "pin";
    let have = match grants.overview().await {
        Ok(have) => have,
        Err(error) => return token_error(context, &error),
    };
    let trade = have.iter().find(|grant| grant.kind == GrantKind::Trade);
    if to_pin && let Err(exit) = can_be_sealed(context, trade) {
        return exit;
    }
    // Loosening, or another PIN, needs the PIN that is there.
    let old = if trade.is_some_and(|grant| grant.sealed) {
        match asked.pin("Your present PIN").await {
            Ok(pin) => Some(pin),
            Err(why) => return fail(context, &why, Exit::Usage),
        }
    } else {
        None
    };
    // The new one is looked at before anything is opened: a weak one leaves all as it is.
    let new = if to_pin {
        match new_pin(
            context,
            &asked,
            "A new PIN (at least 12 characters, or five words)",
        )
        .await
        {
            Ok(pin) => Some(pin),
            Err(exit) => return exit,
        }
    } else {
        None
    };
    // From one PIN to another in one step: the sign-in never lies open in between.
    let changed = match (&old, &new) {
        (Some(old), Some(new)) => grants
            .reseal(old, new, extras(context))
            .await
            .map(Some)
            .map_err(|error| (error.to_string(), Exit::Denied)),
        (Some(old), None) => grants
            .unseal_remove(old)
            .await
            .map(|()| None)
            .map_err(|error| (error.to_string(), Exit::Denied)),
        (None, Some(new)) => grants
            .seal(new, extras(context))
            .await
            .map(Some)
            .map_err(|error| (error.to_string(), Exit::Failure)),
        (None, None) => Ok(None),
    };
    let not_renewed = match changed {
        Ok(report) => report.and_then(|report| report.not_renewed),
        Err((why, exit)) => return fail(context, &why, exit),
    };
    if let Some(why) = not_renewed {
        context.out.say(&format!("The sign-in could not be renewed first ({why}): a copy of it that was made before, in a backup for example, may still be good."));
    }
    settings.tier = if to_pin { Tier::Pin } else { Tier::Click };
    if let Err(error) = settings.save(&context.world.paths) {
        context.out.error(
            &format!("the settings could not be written: {error}"),
            "the PIN was changed all the same; run this again",
        );
        return Exit::Partly;
    }
    let text = match settings.tier {
        Tier::Click => {
            "To approve it now takes a click on the prompt. A program that runs as you and controls the mouse or a shell could do that too."
        }
        _ => {
            "To approve it now takes your PIN for each order. Nobody can look the PIN up: if you forget it, sign out and in again."
        }
    };
    context.out.data(text, &json!({ "tier": settings.tier }));
    Exit::Fine
}

/// Whether there is something to put under a PIN.
fn can_be_sealed(context: &Context, trade: Option<&GrantInfo>) -> Result<(), Exit> {
    let (why, hint, exit) = match trade {
        None => (
            "the PIN protects the trade sign-in, and there is none yet",
            "countersign login --trade, then this again",
            Exit::NotSignedIn,
        ),
        Some(grant) if grant.withdrawn.is_some() => (
            "CrossTrade has ended the trade sign-in",
            "countersign login --trade, then this again",
            Exit::NotSignedIn,
        ),
        Some(grant) if grant.single => (
            "one sign-in serves reading and trading here, and it cannot lie under a PIN: reading would need the PIN as well",
            "countersign logout, then countersign login and countersign login --trade, where CrossTrade allows both",
            Exit::Usage,
        ),
        Some(_) => return Ok(()),
    };
    context.out.error(why, hint);
    Err(exit)
}

/// The PIN that a new trade grant is to be kept under: asked for before the person goes through the browser.
pub(super) async fn pin_to_keep_under(context: &Context) -> Result<SecretString, Exit> {
    new_pin(context, &Asked::new(false), "Your PIN for this sign-in").await
}

/// A PIN that is good enough, asked for twice in a terminal.
async fn new_pin(context: &Context, asked: &Asked, prompt: &str) -> Result<SecretString, Exit> {
    let usage = |why: &str| fail(context, why, Exit::Usage);
    if !asked.from_stdin
        && context.out.can_ask()
        && let Ok(offered) = offer_pin()
    {
        context.out.say(&format!(
            "Five random words make a good PIN. If you like these, write them down before you type them: {}",
            offered.expose_secret()
        ));
    }
    let pin = asked.pin(prompt).await.map_err(|why| usage(&why))?;
    check_pin(&pin).map_err(|why| usage(&format!("this PIN is not strong enough: {why}")))?;
    if !asked.from_stdin {
        let again = asked.pin("The same again").await.map_err(|why| usage(&why))?;
        if again.expose_secret() != pin.expose_secret() {
            return Err(usage("the two are not the same"));
        }
    }
    Ok(pin)
}

/// What is authenticated together with the sealed grant.
pub(super) fn extras(context: &Context) -> SealedExtras {
    let policy = load_policy_at(&context.world.paths.policy())
        .map(|policy| policy.digest().to_owned())
        .unwrap_or_default();
    let pins = Lists::load(&context.world.paths, context.endpoint.url()).pins_digest();
    SealedExtras::from([("policy".to_owned(), policy), ("pins".to_owned(), pins)])
}

/// Where PINs come from: the terminal, or lines of stdin for scripts.
pub(super) struct Asked {
    from_stdin: bool,
}

impl Asked {
    pub(super) fn new(from_stdin: bool) -> Self {
        Self { from_stdin }
    }

    pub(super) async fn pin(&self, prompt: &str) -> Result<SecretString, String> {
        if self.from_stdin {
            let mut line = String::new();
            let read = std::io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|error| error.to_string())?;
            let pin = line.trim_end_matches(['\r', '\n']).to_owned();
            return if read == 0 || pin.is_empty() {
                Err("no PIN came on stdin".to_owned())
            } else {
                Ok(pin.into())
            };
        }
        if !std::io::stdin().is_terminal() {
            return Err("a PIN is asked for in a terminal only; scripts give it with --pin-stdin".to_owned());
        }
        read_pin(prompt)
            .await?
            .ok_or_else(|| "no PIN was given".to_owned())
    }
}

pub(super) fn word(tier: Tier) -> &'static str {
    match tier {
        Tier::Click => "a click on the prompt (tier click)",
        Tier::Pin => "your PIN for each order (tier pin)",
        Tier::Passkey => "a passkey touch for each order (tier passkey)",
    }
}

fn token_error(context: &Context, error: &TokenError) -> Exit {
    let exit = if matches!(error, TokenError::NotSignedIn) {
        Exit::NotSignedIn
    } else {
        Exit::Failure
    };
    fail(context, &error.to_string(), exit)
}

fn fail(context: &Context, why: &str, exit: Exit) -> Exit {
    context.out.error(why, "nothing was changed");
    exit
}
