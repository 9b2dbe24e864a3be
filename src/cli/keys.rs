//! `presence set passkey`, `presence keys`, `presence add-key`, `presence remove-key`: what a person does about passkeys.
//!
//! The PIN is asked for in the terminal; the page opens for the touches alone, for two minutes. What takes defences away
//! takes the factor that is there.

use super::rules::{self, Asked};
use super::{Context, Exit};
use crate::gate::Tier;
use crate::oauth::{GrantKind, UnsealError, Unsealed};
use crate::passkey::{KeyRing, TIER};
use crate::relay::Relay;
use crate::relay::passkeys::{self, Made};
use crate::relay::policy_file::{self, Approved};
use crate::relay::settings::Settings;
use crate::relay::under_seal;
use crate::system::clock::rfc3339;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::Arc;

/// What helps somebody whose keys are gone.
pub(super) const LOST: &str = "if all your passkeys are lost: `countersign logout --trade`, then `countersign login --trade`; that costs a new sign-in at CrossTrade and nothing else";

type Done<T> = Result<T, Exit>;

/// `presence set passkey`: the PIN where there is none, a first key where there is none, then the tier.
pub(super) async fn set_passkey(
    context: &Context,
    mut settings: Settings,
    pin_stdin: bool,
    name: &str,
) -> Exit {
    match try_set_passkey(context, &mut settings, pin_stdin, name).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn try_set_passkey(
    context: &Context,
    settings: &mut Settings,
    pin_stdin: bool,
    name: &str,
) -> Done<Exit> {
    let asked = Asked::new(pin_stdin);
    // Under a seal, settings that somebody edited are not put in force together with the tier.
    let sealed = context.grants().is_sealed().await;
    if sealed.unwrap_or(true) && !Approved::has_settings(&context.world.paths, settings) {
        context.out.error(rules::NOT_APPROVED, rules::APPROVE_FIRST);
        return Err(Exit::Refused);
    }
    let open = opened_or_sealed(context, &asked).await?;
    let relay = relay(context)?;
    let ring = ring(context, &open).await?;
    let ring = if ring.is_empty() {
        enrol(context, &asked, &relay, &open, name).await?
    } else {
        // That a key works is seen before orders depend on it.
        confirm(
            context,
            &relay,
            &open,
            "set passkey",
            "Your passkey, to approve every order with it",
        )
        .await?;
        ring
    };
    settings.tier = Tier::Passkey;
    let of_settings = under_seal::of_settings(settings);
    let tier = |extras: &mut crate::oauth::SealedExtras| {
        extras.insert(TIER.to_owned(), "passkey".to_owned());
        extras.extend(of_settings);
    };
    open.change_extras(tier)
        .await
        .map_err(|error| fail(context, &error.to_string(), Exit::Failure))?;
    let recorded = Approved::record_settings(&context.world.paths, settings);
    if let Err(error) = settings.save(&context.world.paths).and(recorded) {
        context.out.error(
            &format!("the settings could not be written: {error}"),
            "the passkey is registered all the same; run this again",
        );
        return Ok(Exit::Partly);
    }
    note(context, &ring);
    let mut lines = vec!["To approve an order it now takes your PIN once in each AI client, and a touch of your passkey for each order.".to_owned()];
    lines.extend(advice(&ring));
    context.out.data(
        &lines.join("\n"),
        &json!({ "tier": settings.tier, "keys": objects(&ring) }),
    );
    Ok(Exit::Fine)
}

/// `presence keys`.
pub(super) async fn list(context: &Context, pin_stdin: bool) -> Exit {
    let shown = async {
        let open = opened(context, &Asked::new(pin_stdin)).await?;
        ring(context, &open).await
    };
    let ring = match shown.await {
        Ok(ring) => ring,
        Err(exit) => return exit,
    };
    note(context, &ring);
    let mut lines: Vec<String> = ring
        .keys()
        .iter()
        .map(|key| {
            let day = rfc3339(key.added_ms);
            let kind = if key.synced { "synced" } else { "on one device" };
            format!(
                "{}  {:<20}  {kind:<13}  registered {}",
                key.short_id(),
                key.name,
                day.get(..10).unwrap_or(&day)
            )
        })
        .collect();
    if lines.is_empty() {
        lines.push("No passkey is registered. `countersign presence add-key` registers one.".to_owned());
    }
    lines.extend(advice(&ring));
    context
        .out
        .data(&lines.join("\n"), &json!({ "keys": objects(&ring) }));
    Exit::Fine
}

/// `presence add-key`.
pub(super) async fn add(context: &Context, pin_stdin: bool, name: &str) -> Exit {
    let added = async {
        let asked = Asked::new(pin_stdin);
        let open = opened(context, &asked).await?;
        let relay = relay(context)?;
        enrol(context, &asked, &relay, &open, name).await
    };
    let ring = match added.await {
        Ok(ring) => ring,
        Err(exit) => return exit,
    };
    note(context, &ring);
    let mut lines = vec![format!("Registered. {} can approve now.", count(&ring))];
    lines.extend(advice(&ring));
    context
        .out
        .data(&lines.join("\n"), &json!({ "keys": objects(&ring) }));
    Exit::Fine
}

/// `presence remove-key ID`.
pub(super) async fn remove(context: &Context, settings: &Settings, pin_stdin: bool, asked_id: &str) -> Exit {
    let removed = async {
        let open = opened(context, &Asked::new(pin_stdin)).await?;
        let ring = ring(context, &open).await?;
        let key = ring
            .find(asked_id)
            .map_err(|why| fail(context, &why, Exit::Usage))?
            .clone();
        let raised = passkeys::has_to_touch(&open.extras()).unwrap_or(true);
        if ring.keys().len() == 1 && (raised || settings.tier == Tier::Passkey) {
            context.out.error(
                "this is the only passkey, and orders are approved with it",
                "register another one first (`countersign presence add-key`), or change the tier (`countersign presence set pin`)",
            );
            return Err(Exit::Refused);
        }
        let relay = relay(context)?;
        if raised {
            let title = "Your passkey, to take one of your passkeys away";
            confirm(context, &relay, &open, "remove a key", title).await?;
        }
        match passkeys::take_away(&relay, &open, &key).await {
            Ok(note) => note
                .iter()
                .for_each(|note| context.out.say(&format!("note: {note}"))),
            Err(why) => return Err(fail(context, &why, Exit::Failure)),
        }
        Ok((key, self::ring(context, &open).await?))
    };
    let (key, ring) = match removed.await {
        Ok(done) => done,
        Err(exit) => return exit,
    };
    note(context, &ring);
    context.out.data(
        &format!(
            "Removed: {} ({}). {} can approve now.",
            key.name,
            key.short_id(),
            count(&ring)
        ),
        &json!({ "removed": key.id, "keys": objects(&ring) }),
    );
    Exit::Fine
}

/// What a change of the tier needs beside the PIN: a touch, where the seal says that orders take one. What lies under the
/// seal beside the tokens.
pub(super) async fn may_loosen(context: &Context, pin: &SecretString) -> Done<crate::oauth::SealedExtras> {
    let open = unseal(context, pin).await?;
    let extras = open.extras();
    match passkeys::has_to_touch(&extras) {
        Ok(false) => {}
        Ok(true) => {
            let relay = relay(context)?;
            let title = "Your passkey, to approve orders without it from now on";
            confirm(context, &relay, &open, "set another tier", title).await?;
        }
        Err(why) => return Err(fail(context, &why, Exit::Failure)),
    }
    Ok(open.extras())
}

/// Notes that the keys are gone with the seal that held them.
pub(super) fn gone(context: &Context, extras: &crate::oauth::SealedExtras, why: &str) {
    let ring = KeyRing::read(extras).unwrap_or_default();
    if let Ok(relay) = relay(context) {
        for key in ring.keys() {
            if let Err(unwritten) = passkeys::removed(&relay, key, why) {
                context.out.say(&format!("note: {unwritten}"));
            }
        }
    }
    note(context, &KeyRing::default());
}

/// A sign-in is new or gone: no passkey lies under it.
pub(super) fn forget(context: &Context) {
    // For the journal's own check: the next key is let in by no key before it.
    let endpoint = context.endpoint.url();
    if !passkeys::noted(&context.world.paths, endpoint).is_empty()
        && let Ok(relay) = relay(context)
    {
        passkeys::forgotten(&relay);
    }
    note(context, &KeyRing::default());
}

async fn confirm(
    context: &Context,
    relay: &Relay,
    open: &Arc<Unsealed>,
    deed: &str,
    title: &str,
) -> Done<()> {
    context
        .out
        .say("Your browser opens a page of Countersign: use your passkey there, within two minutes.");
    passkeys::confirm(relay, open, deed, title).await.map_err(|why| {
        context.out.error(
            &format!("your passkey is needed: {why}"),
            &format!("nothing was changed; {LOST}"),
        );
        Exit::Denied
    })
}

async fn enrol(
    context: &Context,
    asked: &Asked,
    relay: &Arc<Relay>,
    open: &Arc<Unsealed>,
    name: &str,
) -> Done<KeyRing> {
    context.out.say(
        "Your browser opens a page of Countersign: register the passkey there, within two minutes. A security key or the passkey of this computer (Windows Hello, Touch ID) is best.",
    );
    let none = |why: &str| {
        fail(
            context,
            &format!("no passkey was registered: {why}"),
            Exit::Denied,
        )
    };
    let made = passkeys::enrol(relay, open, name)
        .await
        .map_err(|why| none(&why))?;
    if !is_theirs(context, asked, &made).await.map_err(|why| none(&why))? {
        return Err(none(
            "those are not the letters that the page showed with it. If your page showed none, another program may have come first",
        ));
    }
    let enrolled = passkeys::keep(relay, open, made)
        .await
        .map_err(|why| none(&why))?;
    if enrolled.key.synced {
        context.out.say(&format!(
            "Note: this passkey ({}) is synced. It lives in the account of your browser, phone or password manager, and whoever gets into that account can approve orders with it, given your PIN. A security key stays on its own.",
            enrolled.key.name
        ));
    }
    Ok(enrolled.ring)
}

/// Whether the key was made by whoever sits here: only the tab that made it shows the letters.
async fn is_theirs(context: &Context, asked: &Asked, made: &Made) -> Result<bool, String> {
    context.out.say(
        "Not registered yet. The page that your browser has just shown now has six letters. If it said that its link was used before, or showed you no letters, just press Enter: then nothing is registered.",
    );
    for _ in 0..asked.tries() {
        let typed = asked.line("The six letters on that page").await?;
        if typed.trim().is_empty() || made.is_code(&typed) {
            return Ok(made.is_code(&typed));
        }
    }
    Ok(false)
}

/// Asks for the PIN, and opens the seal. Where there is none yet, a new PIN is set first.
async fn opened_or_sealed(context: &Context, asked: &Asked) -> Done<Arc<Unsealed>> {
    let grants = context.grants();
    let have = grants
        .overview()
        .await
        .map_err(|error| fail(context, &error.to_string(), Exit::Failure))?;
    let trade = have.iter().find(|grant| grant.kind == GrantKind::Trade);
    rules::can_be_sealed(context, trade)?;
    if trade.is_some_and(|grant| grant.sealed) {
        return opened(context, asked).await;
    }
    context
        .out
        .say("A PIN protects the trade sign-in and the list of your passkeys, so it comes first.");
    let pin = rules::new_pin(
        context,
        asked,
        "A new PIN (at least 12 characters, or five words)",
    )
    .await?;
    let paths = &context.world.paths;
    let settings = Settings::load(paths).map_err(|why| fail(context, &why, Exit::Config))?;
    let pinned = Settings {
        tier: settings.tier.max(Tier::Pin),
        ..settings
    };
    policy_file::adopt_first(paths, &pinned, "presence set")
        .map_err(|why| fail(context, &why, Exit::Config))?;
    let report = grants
        .seal(&pin, rules::extras(context, &pinned))
        .await
        .map_err(|error| fail(context, &error.to_string(), Exit::Failure))?;
    rules::told_renewed(context, report.not_renewed.as_deref());
    // From here on the PIN holds, whatever comes of the passkey.
    if settings.tier < Tier::Pin {
        let recorded = Approved::record_settings(paths, &pinned);
        if let Err(error) = pinned.save(paths).and(recorded) {
            context.out.error(
                &format!("the settings could not be written: {error}"),
                "the PIN was set all the same; run this again",
            );
            return Err(Exit::Partly);
        }
    }
    unseal(context, &pin).await
}

async fn opened(context: &Context, asked: &Asked) -> Done<Arc<Unsealed>> {
    if !context.grants().is_sealed().await.unwrap_or(false) {
        context.out.error(
            "passkeys lie under your PIN, and no trade sign-in lies under one here",
            "`countersign presence set passkey` sets a PIN and a passkey; before that, `countersign login --trade`",
        );
        return Err(Exit::NotSignedIn);
    }
    let pin = asked
        .pin("Your PIN")
        .await
        .map_err(|why| fail(context, &why, Exit::Usage))?;
    unseal(context, &pin).await
}

async fn unseal(context: &Context, pin: &SecretString) -> Done<Arc<Unsealed>> {
    let opened = context.grants().unseal(pin).await;
    opened.map(Arc::new).map_err(|error| {
        let exit = match error {
            UnsealError::WrongPin { .. } | UnsealError::Wait(_) => Exit::Denied,
            UnsealError::NotSealed | UnsealError::Token(_) => Exit::Failure,
        };
        fail(context, &error.to_string(), exit)
    })
}

async fn ring(context: &Context, open: &Unsealed) -> Done<KeyRing> {
    passkeys::ring_of(open)
        .await
        .map_err(|why| fail(context, &why, Exit::Failure))
}

fn relay(context: &Context) -> Done<Arc<Relay>> {
    Relay::detached(context.world.clone(), context.endpoint.clone())
        .map_err(|why| fail(context, &why, Exit::Failure))
}

fn note(context: &Context, ring: &KeyRing) {
    if let Err(error) = passkeys::note(&context.world.paths, context.endpoint.url(), ring) {
        context
            .out
            .say(&format!("note: the list of passkeys could not be noted ({error}): run `countersign presence keys` once more"));
    }
}

fn count(ring: &KeyRing) -> String {
    match ring.keys().len() {
        0 => "No passkey".to_owned(),
        1 => "One passkey".to_owned(),
        n => format!("{n} passkeys"),
    }
}

fn advice(ring: &KeyRing) -> Option<String> {
    (ring.keys().len() == 1).then(|| {
        "Register a second one and keep it elsewhere: `countersign presence add-key`. Without any passkey you would have to sign in for trading again.".to_owned()
    })
}

fn objects(ring: &KeyRing) -> Vec<Value> {
    ring.keys()
        .iter()
        .map(|key| json!({ "id": key.id, "name": key.name, "algorithm": key.alg, "synced": key.synced, "added": rfc3339(key.added_ms), "counter": key.counter }))
        .collect()
}

fn fail(context: &Context, why: &str, exit: Exit) -> Exit {
    context.out.error(why, "nothing was changed");
    exit
}
