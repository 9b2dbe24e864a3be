//! `halt`, `resume` and `arm`.

use super::{Context, Exit};
use crate::gate::{Counters, Tier};
use crate::journal::Journal;
use crate::relay::past::Past;
use crate::relay::settings::Settings;
use crate::relay::{NotResumed, Relay, change_counters, counters_at, request_arming, under_seal};
use crate::system::{Paths, wall_ms};
use serde_json::{Map, Value, json};
use std::io;

pub(super) fn halt(context: &Context) -> Exit {
    // Without a journal line the halt still stands: stopping must never fail for want of a disk.
    let relay = match Relay::detached(context.world.clone(), context.endpoint.clone()) {
        Ok(relay) => relay,
        Err(why) => {
            context.out.error(
                &why,
                "AI trading is NOT stopped: close the AI clients, and see countersign doctor",
            );
            return Exit::Failure;
        }
    };
    if let Err(why) = relay.halt("countersign halt") {
        context
            .out
            .error(&why, "close the AI clients to be sure, and check the disk");
        return Exit::Failure;
    }
    context.out.data(
        "AI trading is stopped on this computer: waiting calls are void and new ones are refused.\nYour positions and working orders are untouched; manage them in NinjaTrader. Allow it again with: countersign resume",
        &json!({ "halted": true }),
    );
    Exit::Fine
}

pub(super) async fn resume(context: &Context) -> Exit {
    let paths = &context.world.paths;
    let path = paths.halt();
    // Under a PIN the file and the journal say less than the seal: who asks is told by the PIN.
    let sealed = !matches!(context.grants().sealed_at().await, Ok(None));
    let past = Past::of(paths);
    let seen = past.look_now().unwrap_or_default();
    let maybe = sealed && seen.stop.is_some();
    // A pause takes no PIN to end, and a stop of long ago is no reason to ask for one.
    let stopped = under_seal::is_stopped(paths, &seen);
    let paused = counters_at(paths, sealed, &past)
        .paused_until(wall_ms())
        .is_some();
    if !stopped && (paused || !maybe) {
        return end_pause(context, paused, sealed);
    }
    let relay = match Relay::detached(context.world.clone(), context.endpoint.clone()) {
        Ok(relay) => relay,
        Err(why) => {
            context.out.error(
                &why,
                "AI trading stays stopped; see what is wrong: countersign doctor",
            );
            return Exit::Failure;
        }
    };
    if let Err(why) = relay.confirm_resume(context.out.can_ask()).await {
        return not_confirmed(context, why, "AI trading stays stopped", "countersign resume");
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            context.out.error(
                &format!("{}: {error}", path.display()),
                "AI trading stays stopped",
            );
            Exit::Failure
        }
        Ok(()) | Err(_) => {
            if paused && let Err(error) = lift_pause(paths, sealed) {
                context.out.error(
                    &error.to_string(),
                    "AI trading is allowed again, but new orders stay paused",
                );
                return Exit::Partly;
            }
            context.out.data(
                "AI trading is allowed again; every trade call is still held for your approval.",
                &json!({ "halted": false }),
            );
            Exit::Fine
        }
    }
}

/// Why what a verb asked is not so; `so` is how things stay.
pub(super) fn not_confirmed(context: &Context, why: NotResumed, so: &str, verb: &str) -> Exit {
    let (why, hint, exit) = match why {
        NotResumed::Denied(why) => (why, so.to_owned(), Exit::Denied),
        NotResumed::Unanswered => ("nobody answered".to_owned(), so.to_owned(), Exit::Expired),
        NotResumed::CannotAsk(why) => {
            let hint = format!("{so}; run `{verb}` in a terminal on this computer");
            (why, hint, Exit::Failure)
        }
    };
    context.out.error(&why, &hint);
    exit
}

/// A pause of new orders is ended as freely as by the click on its notice: each order is still held.
fn end_pause(context: &Context, paused: bool, sealed: bool) -> Exit {
    if !paused {
        context
            .out
            .data("AI trading is not stopped.", &json!({ "halted": false }));
        return Exit::Fine;
    }
    if let Err(error) = lift_pause(&context.world.paths, sealed) {
        context.out.error(&error.to_string(), "new orders stay paused");
        return Exit::Failure;
    }
    context.out.data(
        "The pause of new orders is over; every trade call is still held for your approval.",
        &json!({ "halted": false, "pauseEnded": true }),
    );
    Exit::Fine
}

fn lift_pause(paths: &Paths, sealed: bool) -> io::Result<()> {
    let fields = Map::from_iter([("via".to_owned(), Value::from("countersign resume"))]);
    Journal::of(paths)
        .append("pause_ended", fields)
        .and_then(|()| change_counters(paths, sealed, &Past::of(paths), Counters::end_pause))
        .map(|_| ())
}

/// `arm [MINUTES]`.
pub(super) async fn arm(context: &Context, minutes: u64) -> Exit {
    if Settings::load(&context.world.paths).is_ok_and(|settings| settings.tier == Tier::Passkey) {
        let hint = "the PIN is asked for once in each AI client, and then each order takes a touch";
        context.out.error(
            "there is nothing to arm: with passkeys a click never approves",
            hint,
        );
        return Exit::Failure;
    }
    match context.grants().is_sealed().await {
        Ok(true) => {}
        Ok(false) => {
            let hint = "a click approves already; `countersign presence set pin` asks for a PIN instead";
            context.out.error(
                "there is nothing to arm: no trade sign-in is sealed under a PIN",
                hint,
            );
            return Exit::Failure;
        }
        Err(error) => {
            context.out.error(&error.to_string(), "nothing was changed");
            return Exit::Failure;
        }
    }
    let seen = Past::of(&context.world.paths).look_now().unwrap_or_default();
    if under_seal::is_stopped(&context.world.paths, &seen) {
        context
            .out
            .error("AI trading is stopped", "`countersign resume` allows it again");
        return Exit::Refused;
    }
    if let Err(error) = request_arming(&context.world.paths, minutes) {
        context.out.error(
            &error.to_string(),
            "the state folder cannot be written; nothing was changed",
        );
        return Exit::Failure;
    }
    context.out.data(
        &format!(
            "Each running Countersign opens its PIN page within a few seconds; type the PIN there to approve with a click for {minutes} min.\n\
             No page? Then no AI client is running, or no browser can be opened: each order then asks for the PIN as before."
        ),
        &json!({ "asked": true, "minutes": minutes }),
    );
    Exit::Fine
}
