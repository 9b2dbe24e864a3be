//! `policy` and `presence`.

use super::{Context, Exit, args};
use crate::gate::Tier;
use crate::oauth::{Grants, SealedExtras, TokenError, check_pin};
use crate::relay::lists::Lists;
use crate::relay::settings::Settings;
use crate::approve::terminal::read_pin;
use crate::relay::load_policy_at;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::io::{BufRead, IsTerminal};

pub(super) fn policy(context: &Context, what: &args::Policy) -> Exit {
    let path = context.world.paths.policy();
    let policy = match load_policy_at(&path) {
        Ok(policy) => policy,
        Err(why) => {
            context.out.error(&why, "while it is wrong, every trade call is refused");
            return Exit::Config;
        }
    };
    let from = if path.exists() { path.display().to_string() } else { "the built-in rules (there is no policy.toml)".to_owned() };
    let text = match what {
        args::Policy::Check => format!("The policy is fine: {from}"),
        args::Policy::Show => format!("# {from}\n{}", policy.show()),
    };
    context.out.data(&text, &json!({ "file": path.display().to_string(), "exists": path.exists(), "digest": policy.digest(), "policy": policy.show() }));
    Exit::Fine
}

pub(super) async fn presence(context: &Context, what: &args::Presence) -> Exit {
    let mut settings = match Settings::load(&context.world.paths) {
        Ok(settings) => settings,
        Err(why) => {
            context.out.error(&why, "correct the file");
            return Exit::Config;
        }
    };
    let args::Presence::Set { tier, pin_stdin } = what else {
        context.out.data(&format!("To approve a trade call it takes: {}", word(settings.tier)), &json!({ "tier": settings.tier }));
        return Exit::Fine;
    };
    let grants = context.grants();
    let mut asked = Asked::new(*pin_stdin);
    let sealed = match grants.is_sealed().await {
        Ok(sealed) => sealed,
        Err(error) => return token_error(context, &error),
    };
    // Loosening, or another PIN, needs the PIN that is there.
    let old = if sealed {
        match asked.pin("Your present PIN").await {
            Ok(pin) => Some(pin),
            Err(why) => return fail(context, &why, Exit::Usage),
        }
    } else {
        None
    };
    if let Some(old) = &old
        && let Err(error) = grants.unseal_remove(old).await
    {
        return fail(context, &error.to_string(), Exit::Denied);
    }
    settings.tier = if tier == "pin" { Tier::Pin } else { Tier::Click };
    if settings.tier == Tier::Pin {
        let exit = seal_with(context, &grants, &mut asked, "A new PIN (at least 12 characters, or five words)").await;
        if exit != Exit::Fine {
            return exit;
        }
    }
    if let Err(error) = settings.save(&context.world.paths) {
        return fail(context, &error.to_string(), Exit::Failure);
    }
    let text = match settings.tier {
        Tier::Click => "To approve it now takes a click on the prompt. A program that runs as you and controls the mouse or a shell could do that too.",
        _ => "To approve it now takes your PIN for each order. Nobody can look the PIN up: if you forget it, sign out and in again.",
    };
    context.out.data(text, &json!({ "tier": settings.tier }));
    Exit::Fine
}

/// Seals the trade grant under a PIN that is asked for here.
pub(super) async fn seal(context: &Context, grants: &Grants, prompt: &str) -> Exit {
    seal_with(context, grants, &mut Asked::new(false), prompt).await
}

async fn seal_with(context: &Context, grants: &Grants, asked: &mut Asked, prompt: &str) -> Exit {
    let pin = match asked.pin(prompt).await {
        Ok(pin) => pin,
        Err(why) => return fail(context, &why, Exit::Usage),
    };
    if let Err(why) = check_pin(&pin) {
        return fail(context, &why.to_string(), Exit::Usage);
    }
    if !asked.from_stdin {
        match asked.pin("The same again").await {
            Ok(again) if again.expose_secret() == pin.expose_secret() => {}
            Ok(_) => return fail(context, "the two are not the same; nothing was changed", Exit::Usage),
            Err(why) => return fail(context, &why, Exit::Usage),
        }
    }
    match grants.seal(&pin, extras(context)).await {
        Ok(()) => Exit::Fine,
        Err(error) => fail(context, &error.to_string(), Exit::Failure),
    }
}

/// What is authenticated together with the sealed grant.
fn extras(context: &Context) -> SealedExtras {
    let policy = load_policy_at(&context.world.paths.policy()).map(|policy| policy.digest().to_owned()).unwrap_or_default();
    let pins = Lists::load(&context.world.paths, context.endpoint.url()).pins_digest();
    SealedExtras::from([("policy".to_owned(), policy), ("pins".to_owned(), pins)])
}

/// Where PINs come from: the terminal, or lines of stdin for scripts.
struct Asked {
    from_stdin: bool,
}

impl Asked {
    fn new(from_stdin: bool) -> Self {
        Self { from_stdin }
    }

    async fn pin(&mut self, prompt: &str) -> Result<SecretString, String> {
        if self.from_stdin {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
            let pin = line.trim_end_matches(['\r', '\n']).to_owned();
            return if read == 0 || pin.is_empty() { Err("no PIN came on stdin".to_owned()) } else { Ok(pin.into()) };
        }
        if !std::io::stdin().is_terminal() {
            return Err("a PIN is asked for in a terminal only; scripts give it with --pin-stdin".to_owned());
        }
        read_pin(prompt).await?.ok_or_else(|| "no PIN was given".to_owned())
    }
}

fn word(tier: Tier) -> &'static str {
    match tier {
        Tier::Click => "a click on the prompt (tier click)",
        Tier::Pin => "your PIN for each order (tier pin)",
        Tier::Passkey => "a passkey touch for each order (tier passkey)",
    }
}

fn token_error(context: &Context, error: &TokenError) -> Exit {
    let exit = if matches!(error, TokenError::NotSignedIn) { Exit::NotSignedIn } else { Exit::Failure };
    fail(context, &error.to_string(), exit)
}

fn fail(context: &Context, why: &str, exit: Exit) -> Exit {
    context.out.error(why, "nothing else was changed");
    exit
}
