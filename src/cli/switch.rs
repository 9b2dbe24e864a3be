//! `halt`, `resume` and `arm`.

use super::{Context, Exit};
use crate::relay::Relay;
use crate::system::{clock, file};
use serde_json::json;

pub(super) fn halt(context: &Context) -> Exit {
    // Without a journal line the halt still stands: stopping must never fail for want of a disk.
    let relay = match Relay::detached(context.world.clone(), context.endpoint.clone()) {
        Ok(relay) => relay,
        Err(why) => {
            context.out.error(&why, "");
            return Exit::Failure;
        }
    };
    relay.halt("countersign halt");
    if !context.world.paths.halt().exists() {
        context.out.error("the halt could not be written", "close the AI clients to be sure, and check the disk");
        return Exit::Failure;
    }
    context.out.data(
        "AI trading is stopped on this computer: waiting calls are void and new ones are refused.\nYour positions and working orders are untouched; manage them in NinjaTrader. Allow it again with: countersign resume",
        &json!({ "halted": true }),
    );
    Exit::Fine
}

pub(super) async fn resume(context: &Context) -> Exit {
    let path = context.world.paths.halt();
    if !path.exists() {
        context.out.data("AI trading is not stopped.", &json!({ "halted": false }));
        return Exit::Fine;
    }
    let relay = match Relay::detached(context.world.clone(), context.endpoint.clone()) {
        Ok(relay) => relay,
        Err(why) => {
            context.out.error(&why, "");
            return Exit::Failure;
        }
    };
    if let Err(why) = relay.confirm_resume(context.out.can_ask()).await {
        context.out.error(&why, "AI trading stays stopped");
        return Exit::Denied;
    }
    match std::fs::remove_file(&path) {
        Ok(()) => {
            relay.note("resumed");
            context.out.data("AI trading is allowed again; every trade call is still held for your approval.", &json!({ "halted": false }));
            Exit::Fine
        }
        Err(error) => {
            context.out.error(&format!("{}: {error}", path.display()), "AI trading stays stopped");
            Exit::Failure
        }
    }
}

pub(super) fn arm(context: &Context, minutes: u64) -> Exit {
    let request = json!({ "at": clock::wall_ms(), "minutes": minutes }).to_string();
    let path = context.world.paths.state().join("arm");
    if let Err(error) = file::write_atomic(&path, request.as_bytes()) {
        context.out.error(&format!("{}: {error}", path.display()), "");
        return Exit::Failure;
    }
    context.out.data(
        &format!("Each running Countersign now opens its own PIN page; enter the PIN there to approve with a click for {minutes} minutes."),
        &json!({ "asked": true, "minutes": minutes }),
    );
    Exit::Fine
}
