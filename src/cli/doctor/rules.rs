//! What decides on orders: settings, policy, counters, tool descriptions, a stop.

use super::{Check, Context, Seen, fail, ok, skipped, warn};
use crate::relay::change::Kind;
use crate::relay::lists::Lists;
use crate::relay::past::Past;
use crate::relay::settings::Settings;
use crate::relay::{counters_at, load_policy_at, under_seal};
use crate::system::clock;

pub(super) async fn checks(context: &Context, settings: &Result<Settings, String>) -> Vec<Check> {
    vec![
        Check::new("settings", settings_seen(settings)),
        Check::new("policy", policy(context)),
        Check::new("changes", changes(context).await),
        Check::new("counters", counters(context).await),
        Check::new("tools", definitions(context)),
        Check::new("halt", halt(context)),
    ]
}

fn settings_seen(settings: &Result<Settings, String>) -> Seen {
    match settings {
        Ok(settings) => ok(format!(
            "approval by {}",
            super::super::rules::word(settings.tier)
        )),
        Err(why) => fail(
            why.clone(),
            "correct the file; until then every trade call is refused",
        ),
    }
}

fn policy(context: &Context) -> Seen {
    let path = context.world.paths.policy();
    match load_policy_at(&path) {
        Ok(_) if path.exists() => ok(path.display().to_string()),
        Ok(_) => ok("built in: reads pass, everything else asks you"),
        Err(why) => fail(
            why,
            "correct the file, then run `countersign policy check`; until then every trade call is refused",
        ),
    }
}

/// What waits for the person's approval: until then orders go by what they approved before, or are refused.
async fn changes(context: &Context) -> Seen {
    let waiting = super::super::apply::waiting(context).await;
    let rules: Vec<String> = waiting
        .iter()
        .filter(|change| change.kind == Kind::Policy)
        .map(|change| change.headline.clone())
        .collect();
    if rules.is_empty() {
        ok("your rules are those that you approved")
    } else {
        warn(
            format!(
                "{}; new orders are refused until you have approved it",
                rules.join("; ")
            ),
            "countersign policy apply",
        )
    }
}

async fn counters(context: &Context) -> Seen {
    let paths = &context.world.paths;
    let sealed = !matches!(context.grants().sealed_at().await, Ok(None));
    let counters = counters_at(paths, sealed, &Past::of(paths));
    if counters.is_exhausted() {
        return fail(
            format!(
                "{} cannot be read, or it is gone although a call was sent within a day: new orders are refused, exits are not",
                paths.counters().display()
            ),
            "if you know why: countersign policy reset-counters",
        );
    }
    if counters.since(0, None, clock::wall_ms()).ahead {
        return warn(
            "orders were counted while this computer's clock was ahead: they count until that time comes",
            "if the clock is right now: countersign policy reset-counters",
        );
    }
    ok("the counts of today's orders can be read")
}

/// Tools that are off because the service describes them differently from when they were put on record.
fn definitions(context: &Context) -> Seen {
    let lists = Lists::load(&context.world.paths, context.endpoint.url());
    if lists.is_empty() {
        return skipped("no tools are known before the first sign-in");
    }
    let changed = lists.changed();
    if changed.is_empty() {
        return ok(format!(
            "{} tool descriptions on record, none changed",
            lists.pinned_count()
        ));
    }
    fail(
        format!(
            "CrossTrade now describes these differently, so they are off: {}",
            changed.join(", ")
        ),
        "look at what changed and approve it: countersign policy apply",
    )
}

fn halt(context: &Context) -> Seen {
    let paths = &context.world.paths;
    let seen = Past::of(paths).look_now().unwrap_or_default();
    if under_seal::is_stopped(paths, &seen) {
        warn(
            "AI trading is stopped by you: every trade call is refused",
            "when the AI may trade again: countersign resume",
        )
    } else {
        ok("AI trading is not stopped")
    }
}
