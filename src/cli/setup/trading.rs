//! Whether orders may be sent from here, and the sign-in for it.

use super::{Came, Setup, Stop, reading};
use crate::cli::{Exit, apply, keys};
use crate::gate::Tier;

/// The question.
pub(super) async fn wanted(setup: &mut Setup<'_>) -> Result<Came, Stop> {
    if setup.trade_grant().await.is_some() {
        setup.trade = true;
        return Ok(Came::Already(if setup.flags.no_trade {
            "trading is allowed from here; `countersign logout --trade` ends that".to_owned()
        } else {
            String::new()
        }));
    }
    setup.trade = match setup.flags.wants_trade() {
        Some(wanted) => wanted,
        None if !setup.talk.asks() => false,
        None => {
            setup.head("Trading, if you want it");
            setup.talk.text(
                "So far nothing can be traded from here. If you say yes, your AI may propose orders, and each one is held until \
                 you approve it. You can do that on another day as well: run `countersign setup` again.",
            );
            setup.talk.gap();
            setup
                .talk
                .yes("Do you want to trade through your AI from this computer?", false)
                .await?
        }
    };
    Ok(if setup.trade {
        Came::Done(String::new())
    } else {
        Came::Skipped("reading only: nothing can be traded from here".to_owned())
    })
}

/// The sign-in, once rules and approval are settled.
pub(super) async fn run(setup: &mut Setup<'_>) -> Result<Came, Stop> {
    if !setup.trade {
        return Ok(Came::Skipped(String::new()));
    }
    if setup.trade_grant().await.is_some() {
        changed(setup).await;
        return Ok(Came::Already("signed in for trading".to_owned()));
    }
    setup.head("Sign in to CrossTrade, for trading");
    setup.talk.text(
        "A second sign-in, on the same page: this time allow TRADE access. It is kept apart from the first and used for orders \
         that you approved, and for nothing else.",
    );
    setup.talk.gap();
    match reading::sign_in(setup, true).await {
        Ok(()) => {}
        Err(Stop::Failed(_)) => {
            setup.trade = false;
            return Ok(Came::Left(
                "no sign-in for trading yet: countersign setup, or countersign login --trade".to_owned(),
            ));
        }
        Err(left) => return Err(left),
    }
    if setup.memo.tier.as_deref() == Some("passkey") && setup.settings.tier != Tier::Passkey {
        passkey(setup).await;
    }
    changed(setup).await;
    Ok(Came::Done(
        "signed in for trading; each order is held for you".to_owned(),
    ))
}

/// The first passkey is registered once there is something to keep it under.
async fn passkey(setup: &mut Setup<'_>) {
    if !setup.talk.asks() {
        setup
            .talk
            .text("The PIN is set. A passkey needs you in a terminal: countersign presence set passkey");
        return;
    }
    setup.talk.gap();
    setup
        .talk
        .text("Now your passkey. The PIN is asked for once more.");
    match keys::set_passkey(&setup.context, setup.settings.clone(), false, "passkey").await {
        Exit::Fine => setup.settings.tier = Tier::Passkey,
        _ => setup.talk.text(
            "No passkey yet: each order takes your PIN for now. `countersign presence set passkey` tries again.",
        ),
    }
}

/// Rules or settings from before that nobody approved would be asked about with the first order: better now.
async fn changed(setup: &Setup<'_>) {
    let waiting = apply::waiting(&setup.context).await;
    if waiting.is_empty() {
        return;
    }
    setup.talk.gap();
    setup
        .talk
        .text("These changed since you approved them, so orders are refused until you have looked at them:");
    for change in &waiting {
        setup
            .talk
            .text(&format!("  {}", apply::line(&setup.context, change)));
    }
    if setup.talk.asks() {
        let _ = apply::apply(&setup.context).await;
    } else {
        setup
            .talk
            .text("Look at them and approve them: countersign policy apply");
    }
}
