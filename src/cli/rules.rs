//! `presence`.

use super::{Context, Exit, args, keys};
use crate::approve::terminal::{read_pin, read_word};
use crate::gate::Tier;
use crate::oauth::{GrantInfo, GrantKind, SealedExtras, TokenError, check_pin, offer_pin};
use crate::passkey::TIER;
use crate::relay::lists::Lists;
use crate::relay::policy_file::{self, Approved};
use crate::relay::settings::Settings;
use crate::relay::under_seal;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::io::{BufRead, IsTerminal};

/// Settings that were edited since the person approved them.
pub(super) const NOT_APPROVED: &str = "the settings (tier, armed or phrase) are not those that you approved";
pub(super) const APPROVE_FIRST: &str =
    "undo that, or look at them and approve them: countersign policy apply; then this again";

pub(super) async fn presence(context: &Context, what: &args::Presence) -> Exit {
    let mut settings = match Settings::load(&context.world.paths) {
        Ok(settings) => settings,
        Err(why) => {
            context.out.error(&why, "correct the file");
            return Exit::Config;
        }
    };
    let (tier, pin_stdin) = match what {
        args::Presence::Set {
            tier,
            pin_stdin,
            name,
        } if tier == "passkey" => {
            return keys::set_passkey(context, settings, *pin_stdin, name).await;
        }
        args::Presence::Set { tier, pin_stdin, .. } => (tier, pin_stdin),
        args::Presence::Keys { pin_stdin } => return keys::list(context, *pin_stdin).await,
        args::Presence::AddKey { name, pin_stdin } => return keys::add(context, *pin_stdin, name).await,
        args::Presence::RemoveKey { id, pin_stdin } => {
            return keys::remove(context, &settings, *pin_stdin, id).await;
        }
        args::Presence::Show => {
            context.out.data(
                &format!("To approve a trade call it takes: {}", word(settings.tier)),
                &json!({ "tier": settings.tier }),
            );
            return Exit::Fine;
        }
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
    if old.is_some() && !Approved::has_settings(&context.world.paths, &settings) {
        context.out.error(NOT_APPROVED, APPROVE_FIRST);
        return Exit::Refused;
    }
    let mut after = settings.clone();
    after.tier = if to_pin { Tier::Pin } else { Tier::Click };
    if old.is_none()
        && to_pin
        && let Err(why) = policy_file::adopt_first(&context.world.paths, &after, "presence set")
    {
        return fail(context, &why, Exit::Config);
    }
    // What lies under the seal says whether a touch is wanted too, not the settings.
    let mut kept = None;
    if let Some(old) = &old {
        match keys::may_loosen(context, old).await {
            Ok(found) => kept = Some(found),
            Err(exit) => return exit,
        }
    }
    // From one PIN to another in one step: the sign-in never lies open in between.
    // Another PIN approves nothing else: what lies under the old one goes under the new one, but for the settings, which
    // this verb changes.
    let mut resealed = under_seal::of_settings(&after);
    resealed.insert(TIER.to_owned(), "pin".to_owned());
    // Under a first PIN the settings go as they are: nothing protected them before.
    let mut first = extras(context, &after);
    first.extend(resealed.clone());
    let changed = match (&old, &new) {
        (Some(old), Some(new)) => grants
            .reseal(old, new, resealed)
            .await
            .map(Some)
            .map_err(|error| (error.to_string(), Exit::Denied)),
        (Some(old), None) => grants
            .unseal_remove(old)
            .await
            .map(|()| None)
            .map_err(|error| (error.to_string(), Exit::Denied)),
        (None, Some(new)) => grants
            .seal(new, first)
            .await
            .map(Some)
            .map_err(|error| (error.to_string(), Exit::Failure)),
        (None, None) => Ok(None),
    };
    let not_renewed = match changed {
        Ok(report) => report.and_then(|report| report.not_renewed),
        Err((why, exit)) => return fail(context, &why, exit),
    };
    told_renewed(context, not_renewed.as_deref());
    if let (false, Some(kept)) = (to_pin, &kept) {
        keys::gone(context, kept, "the sign-in lies under no PIN any more");
    }
    settings = after;
    let recorded = Approved::record_settings(&context.world.paths, &settings);
    if let Err(error) = settings.save(&context.world.paths).and(recorded) {
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

/// Says what a seal without a renewal before it leaves open.
pub(super) fn told_renewed(context: &Context, not_renewed: Option<&str>) {
    if let Some(why) = not_renewed {
        context.out.say(&format!("The sign-in could not be renewed first ({why}): a copy of it that was made before, in a backup for example, may still be good."));
    }
}

/// Whether there is something to put under a PIN.
pub(super) fn can_be_sealed(context: &Context, trade: Option<&GrantInfo>) -> Result<(), Exit> {
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
pub(super) async fn new_pin(context: &Context, asked: &Asked, prompt: &str) -> Result<SecretString, Exit> {
    let usage = |why: &str| fail(context, why, Exit::Usage);
    if !asked.from_stdin
        && context.out.can_ask()
        && let Ok(offered) = offer_pin()
    {
        context.out.say(&format!(
            "Five random words make a good PIN. If you like these, write them down before you type them:\n\n  {}\n",
            offered.expose_secret()
        ));
    }
    // Who types a weak one, or mistypes the second, types again: the sign-in that waits for it is not lost by that.
    let mut left = asked.tries();
    loop {
        let pin = asked.pin(prompt).await.map_err(|why| usage(&why))?;
        let why = match check_pin(&pin) {
            Err(why) => format!("this PIN is not strong enough: {why}"),
            Ok(()) if asked.from_stdin => return Ok(pin),
            Ok(()) => {
                let again = asked.pin("The same again").await.map_err(|why| usage(&why))?;
                if again.expose_secret() == pin.expose_secret() {
                    return Ok(pin);
                }
                "the two are not the same".to_owned()
            }
        };
        left = left.saturating_sub(1);
        if left == 0 {
            return Err(usage(&why));
        }
        context.out.say(&format!(
            "Not taken: {why}. Nothing was changed; type another one (it does not show)."
        ));
    }
}

/// What is authenticated together with the sealed grant. A policy that waits for its approval is not in it: the one
/// before is.
pub(super) fn extras(context: &Context, settings: &Settings) -> SealedExtras {
    let lists = Lists::load(&context.world.paths, context.endpoint.url());
    let mut extras = under_seal::to_seal(&context.world.paths, &lists, settings);
    // A new sign-in in tier passkey stays in it: until a key is registered, nothing is approved.
    if settings.tier == Tier::Passkey {
        extras.insert(TIER.to_owned(), "passkey".to_owned());
    }
    extras
}

/// Where PINs come from: the terminal, or lines of stdin for scripts.
pub(super) struct Asked {
    from_stdin: bool,
}

impl Asked {
    pub(super) fn new(from_stdin: bool) -> Self {
        Self { from_stdin }
    }

    /// How often a word may be mistyped: a script does not mistype.
    pub(super) fn tries(&self) -> u32 {
        if self.from_stdin { 1 } else { 3 }
    }

    /// What is no secret: it shows while it is typed. Empty where the person left.
    pub(super) async fn line(&self, prompt: &str) -> Result<String, String> {
        if !self.from_stdin {
            return Ok(read_word(prompt).await?.unwrap_or_default());
        }
        // Elsewhere: the page still has something to tell meanwhile.
        let read = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        let line = read.await.map_err(|error| error.to_string())?;
        line.map_err(|error| error.to_string())
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
