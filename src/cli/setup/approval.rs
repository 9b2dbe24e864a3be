//! What it takes to approve, and the person's phrase.
//!
//! Owns: the honest table, the recommendation, the question. The PIN itself is set by the sign-in for trading, or by
//! `presence set` where that sign-in is there already.

use super::{Came, Setup, Stop};
use crate::approve::Desk;
use crate::cli::{Exit, args, rules};
use crate::gate::Tier;
use crate::relay::policy_file::Approved;

/// What each way is, what it stops, and what it does not.
const TABLE: [(&str, [&str; 3]); 3] = [
    (
        "click",
        [
            "You press Approve on the question.",
            "Stops an AI that misunderstood you or was misled.",
            "Does NOT stop a program that can use your mouse, or a terminal as you: coding agents and \"computer use\" can.",
        ],
    ),
    (
        "pin",
        [
            "You type your PIN for each order.",
            "Stops that too, and whoever copies your files.",
            "Does NOT stop a program that replaces Countersign, logs your keys or shows you a false page.",
        ],
    ),
    (
        "passkey",
        [
            "Your PIN once in each AI client, then a touch of your key (or Windows Hello, Touch ID) for each order.",
            "Also stops orders while you are away from the key.",
            "Does NOT stop a browser that is made to show another order.",
        ],
    ),
];

/// How orders are approved.
pub(super) async fn tier(setup: &mut Setup<'_>) -> Result<Came, Stop> {
    if !setup.trade {
        return Ok(Came::Skipped(String::new()));
    }
    let grant = setup.trade_grant().await;
    let sealed = grant.as_ref().is_some_and(|grant| grant.sealed);
    if sealed || setup.settings.tier != Tier::Click {
        return Ok(Came::Already(format!(
            "by {}",
            rules::word(setup.settings.tier.max(Tier::Pin))
        )));
    }
    if grant.is_some() && setup.memo.tier.is_some() && setup.flags.tier.is_none() {
        return Ok(Came::Already(format!("by {}", rules::word(Tier::Click))));
    }
    let chosen = match &setup.flags.tier {
        Some(tier) => tier.clone(),
        None if !setup.talk.asks() => "click".to_owned(),
        None => choose(setup).await?,
    };
    setup.memo.tier = Some(chosen.clone());
    setup.keep_memo();
    if chosen != "click" {
        if grant.is_some() {
            under_pin(setup, &chosen).await?;
        } else {
            // Nothing lies under a PIN yet; the sign-in for trading asks for one and goes under it at once.
            setup.save_settings(|settings| settings.tier = Tier::Pin)?;
        }
    }
    nobody_to_ask(setup).await;
    Ok(Came::Done(format!("by {}", rules::word(setup.settings.tier))))
}

async fn choose(setup: &mut Setup<'_>) -> Result<String, Stop> {
    setup.head("How you approve an order");
    let real = setup.has_real().await;
    for (way, said) in TABLE {
        let names = [way, "", ""];
        for (name, line) in names.iter().zip(said) {
            setup.talk.text(&format!("  {name:<9} {line}"));
        }
    }
    setup.talk.gap();
    let advice = if real {
        "You have accounts that are not play money: take the PIN. A click is not recommended for them."
    } else {
        "All accounts here are play money, so a click will do. Before you add real money, change to the PIN: countersign \
         presence set pin"
    };
    setup.talk.text(advice);
    setup.talk.gap();
    let default = if real { "pin" } else { "click" };
    let chosen = setup
        .talk
        .one_of("click, pin or passkey?", &["click", "pin", "passkey"], default)
        .await?;
    if chosen == "click" && real {
        setup.talk.text(
            "A click means: any program that can press your mouse button can approve an order with real money behind it.",
        );
        if !setup.talk.yes("A click all the same?", false).await? {
            return Ok("pin".to_owned());
        }
    }
    Ok(chosen)
}

/// The sign-in for trading is there and lies open: the verb puts it under a PIN.
async fn under_pin(setup: &mut Setup<'_>, chosen: &str) -> Result<(), Stop> {
    // A PIN of a script is read by the verb itself; a passkey takes a person.
    let tier = if setup.talk.asks() { chosen } else { "pin" };
    let what = args::Presence::Set {
        tier: tier.to_owned(),
        pin_stdin: setup.flags.pin_stdin,
        name: "passkey".to_owned(),
    };
    loop {
        match rules::presence(&setup.context, &what).await {
            Exit::Fine => break,
            exit if !setup.talk.asks() => return Err(Stop::Failed(exit)),
            exit => {
                if !setup.talk.yes("That did not work. Try it again?", true).await? {
                    return Err(Stop::Failed(exit));
                }
            }
        }
    }
    setup.settings.tier = if tier == "passkey" {
        Tier::Passkey
    } else {
        Tier::Pin
    };
    Ok(())
}

/// Where nothing can be shown, every order would be refused: that is told now, not with the first order.
async fn nobody_to_ask(setup: &Setup<'_>) {
    let desk = Desk::new(&setup.context.world);
    if let Err(why) = desk.channel(setup.settings.tier, false).await {
        // What helps is said here, in this terminal's words.
        let why = why.split(". Run `countersign watch`").next().unwrap_or_default();
        setup.talk.gap();
        setup.talk.text(&format!(
            "Note: no question can be shown here now: {why}. An order that nobody can be asked about is refused, never sent. \
             Over SSH, keep `countersign watch` open in a terminal: it asks you there."
        ));
    }
}

/// The phrase on every question.
pub(super) async fn phrase(setup: &mut Setup<'_>) -> Result<Came, Stop> {
    if !setup.trade {
        return Ok(Came::Skipped(String::new()));
    }
    if setup.settings.phrase.is_some() {
        return Ok(Came::Already("your phrase stands on every question".to_owned()));
    }
    let given = setup.flags.phrase.clone();
    if given.is_none() && (!setup.talk.asks() || setup.memo.phrase) {
        return Ok(Came::Skipped("no phrase".to_owned()));
    }
    if setup.trade_grant().await.is_some_and(|grant| grant.sealed) {
        let how = "under a PIN a phrase is a change that you approve: add phrase = \"…\" to settings.toml, then countersign policy apply";
        return Ok(Came::Skipped(how.to_owned()));
    }
    let phrase = if let Some(phrase) = given {
        phrase
    } else {
        setup.talk.gap();
        setup.talk.text(
                "A phrase of your own, such as \"blue heron\", can stand on every question: one without it is not ours. \
                 It is no password; programs on this computer can read it.",
            );
        let typed = setup.talk.read("Your phrase (Enter: none)", "", |typed| {
            check(typed).map(|()| typed.to_owned())
        });
        typed.await?
    };
    if let Err(why) = check(&phrase) {
        setup
            .context
            .out
            .error(&why, "give another --phrase; nothing was changed");
        return Err(Stop::Failed(Exit::Usage));
    }
    setup.memo.phrase = true;
    setup.keep_memo();
    if phrase.is_empty() {
        return Ok(Came::Skipped("no phrase".to_owned()));
    }
    setup.save_settings(|settings| settings.phrase = Some(phrase))?;
    // Where a record stands already, the settings of an open sign-in go on it, as `presence set` does.
    if let Err(error) = Approved::record_settings(&setup.context.world.paths, &setup.settings) {
        setup.talk.text(&format!("note: {error}"));
    }
    Ok(Came::Done("your phrase stands on every question".to_owned()))
}

fn check(phrase: &str) -> Result<(), String> {
    if phrase.len() <= 60 && phrase.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        Ok(())
    } else {
        Err("a phrase is plain letters, at most 60".to_owned())
    }
}
