//! `doctor`: each check says what it saw and, where something is wrong, the one thing to do.
//!
//! Owns: the order of the checks, how they are printed, how the verb ends. What is looked at lies in one file for each
//! kind of thing. Nothing here changes anything: what must be written to see whether it can be is taken away again.

pub(super) mod clients;
mod desktop;
mod keys;
mod network;
mod places;
mod program;
mod record;
mod rules;

use super::{Context, Exit};
use crate::relay::settings::Settings;
use crate::system::clock::Moment;
use crate::system::probe;
use serde_json::{Value, json};

/// How far (ms) the clocks may move against each other in a few seconds: as for an order that waits.
const CLOCKS_MS: u64 = 2000;

/// How a check ended. Where something is wrong, with what to do about it.
enum Seen {
    Ok(String),
    Warn(String, String),
    Fail(String, String),
    /// It could not be looked at, and why.
    Skipped(String),
}

struct Check {
    id: &'static str,
    seen: Seen,
}

impl Check {
    fn new(id: &'static str, seen: Seen) -> Self {
        Self { id, seen }
    }

    fn is_failed(&self) -> bool {
        matches!(self.seen, Seen::Fail(..))
    }
}

fn ok(what: impl Into<String>) -> Seen {
    Seen::Ok(what.into())
}

fn warn(what: impl Into<String>, todo: impl Into<String>) -> Seen {
    Seen::Warn(what.into(), todo.into())
}

fn fail(what: impl Into<String>, todo: impl Into<String>) -> Seen {
    Seen::Fail(what.into(), todo.into())
}

fn skipped(why: impl Into<String>) -> Seen {
    Seen::Skipped(why.into())
}

/// `doctor`. Ends with 0 where nothing fails (warnings do not count), else with 1.
pub(super) async fn doctor(context: &Context) -> Exit {
    let checks = all(context).await;
    let lines: Vec<String> = checks.iter().map(line).collect();
    context.out.data(
        &format!("{}\n\n{}", lines.join("\n"), summary(&checks)),
        &object(&checks),
    );
    if checks.iter().any(Check::is_failed) {
        Exit::Failure
    } else {
        Exit::Fine
    }
}

/// The same data for `diagnostics`.
pub(super) async fn data(context: &Context) -> Value {
    object(&all(context).await)
}

async fn all(context: &Context) -> Vec<Check> {
    let before = Moment::now();
    let settings = Settings::load(&context.world.paths);
    let mut checks = program::checks(context);
    checks.extend(places::checks(context));
    checks.extend(rules::checks(context, &settings).await);
    checks.extend(keys::checks(context).await);
    checks.extend(network::checks(context).await);
    checks.extend(desktop::checks(context, &settings).await);
    checks.extend(clients::checks(context));
    checks.extend(record::checks(context));
    checks.push(Check::new("sleep", clocks(probe::clock_moved(before))));
    checks
}

/// Whether the time of day and the time awake went alike while this looked: a machine whose clocks do not loses its
/// waiting orders.
fn clocks(moved: u64) -> Seen {
    if moved < CLOCKS_MS {
        return ok("the time of day and the time awake went alike while this looked");
    }
    warn(
        format!(
            "the time of day moved {moved} ms against the time awake while this looked (the machine slept, or the clock was set): orders that wait at such a moment are void, not sent"
        ),
        "run countersign doctor again; if it says so again, let the network set this computer's clock",
    )
}

fn summary(checks: &[Check]) -> String {
    let (failed, warned) = (count(checks, "fail"), count(checks, "warn"));
    let of = checks.len();
    match (failed, warned) {
        (0, 0) => "Everything is in order.".to_owned(),
        (0, 1) => "Everything works; 1 warning is worth a look.".to_owned(),
        (0, warned) => format!("Everything works; {warned} warnings are worth a look."),
        (1, _) => format!("1 of {of} checks failed: begin with the first one."),
        (failed, _) => format!("{failed} of {of} checks failed: begin with the first one."),
    }
}

fn count(checks: &[Check], state: &str) -> usize {
    checks.iter().filter(|check| parts(check).0 == state).count()
}

fn parts(check: &Check) -> (&'static str, &str, Option<&str>) {
    match &check.seen {
        Seen::Ok(what) => ("ok", what, None),
        Seen::Warn(what, todo) => ("warn", what, Some(todo)),
        Seen::Fail(what, todo) => ("fail", what, Some(todo)),
        Seen::Skipped(why) => ("skipped", why, None),
    }
}

fn line(check: &Check) -> String {
    let (state, what, todo) = parts(check);
    let mark = match state {
        "ok" => "ok  ",
        "warn" => "warn",
        "fail" => "FAIL",
        _ => "-   ",
    };
    let what = super::out::safe(what);
    let first = format!("{mark}  {:<13} {what}", check.id);
    match todo {
        Some(todo) => format!("{first}\n      -> {}", super::out::safe(todo)),
        None => first,
    }
}

fn object(checks: &[Check]) -> Value {
    let each = checks.iter().map(|check| {
        let (state, what, todo) = parts(check);
        json!({ "id": check.id, "state": state, "what": what, "todo": todo })
    });
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "checks": each.collect::<Vec<Value>>(),
        "ok": count(checks, "ok"),
        "warned": count(checks, "warn"),
        "failed": count(checks, "fail"),
        "skipped": count(checks, "skipped"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_part_are_told() {
        assert!(matches!(clocks(3), Seen::Ok(_)));
        assert!(matches!(clocks(CLOCKS_MS), Seen::Warn(..)));
    }
}
