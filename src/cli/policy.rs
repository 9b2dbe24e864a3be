//! `policy`: a starter, a check, what is in force, and what would come of a call.

use super::switch::not_confirmed;
use super::{Context, Exit, args};
use crate::gate::call::Route;
use crate::gate::explain::explain;
use crate::gate::judge::{self, Judgement, Situation};
use crate::gate::policy::STARTER;
use crate::gate::{Call, Counters, Facts, Policy, call};
use crate::relay::past::Past;
use crate::relay::settings::Settings;
use crate::relay::{Relay, counters_at, load_policy_at};
use crate::system::clock::wall_ms;
use crate::system::file;
use crate::wire::json;
use serde_json::{Value, json as object};
use std::path::Path;

/// The largest call that is explained: the largest one that could be held.
const MAX_CALL: u64 = 2 * 1024 * 1024;

pub(super) async fn policy(context: &Context, what: &args::Policy) -> Exit {
    let path = context.world.paths.policy();
    if matches!(what, args::Policy::Init) {
        return init(context, &path);
    }
    // Whatever is wrong with the policy.
    if matches!(what, args::Policy::ResetCounters) {
        return reset_counters(context).await;
    }
    let policy = match load_policy_at(&path) {
        Ok(policy) => policy,
        Err(why) => {
            context
                .out
                .error(&why, "while it is wrong, every trade call is refused");
            return Exit::Config;
        }
    };
    let from = if path.exists() {
        path.display().to_string()
    } else {
        "the built-in rules (there is no policy.toml)".to_owned()
    };
    match what {
        args::Policy::Explain { call } => return explained(context, &policy, call, &from).await,
        args::Policy::Check => check(context, &policy, &from, &path).await,
        args::Policy::Show | args::Policy::Init | args::Policy::Apply | args::Policy::ResetCounters => {
            let text = format!("# {from}\n{}", policy.show());
            context.out.exact(&text, &shown(&policy, &path));
        }
    }
    Exit::Fine
}

fn shown(policy: &Policy, path: &Path) -> Value {
    object!({ "file": path.display().to_string(), "exists": path.exists(), "digest": policy.digest(), "policy": policy.show(), "unknownTools": policy.unknown_tools() })
}

/// Writes the starter where there is nothing.
fn init(context: &Context, path: &Path) -> Exit {
    // A link that leads nowhere is there too.
    if path.symlink_metadata().is_ok() {
        let why = format!("{} is there already; nothing was changed", path.display());
        context.out.error(
            &why,
            "read it with `countersign policy show`, or move it away first",
        );
        return Exit::Failure;
    }
    let written = match path.parent() {
        Some(folder) => {
            std::fs::create_dir_all(folder).and_then(|()| file::write_atomic(path, STARTER.as_bytes()))
        }
        None => file::write_atomic(path, STARTER.as_bytes()),
    };
    if let Err(error) = written {
        context
            .out
            .error(&format!("{}: {error}", path.display()), "nothing was changed");
        return Exit::Failure;
    }
    let text = format!(
        "Written: {}\nRead it, change what does not fit you, then run: countersign policy check",
        path.display()
    );
    context
        .out
        .data(&text, &object!({ "file": path.display().to_string() }));
    Exit::Fine
}

async fn check(context: &Context, policy: &Policy, from: &str, path: &Path) {
    let notes = policy.notes();
    for note in &notes {
        let text = super::out::safe(&note.text);
        context.out.say(&format!("note: line {}: {text}", note.line));
    }
    if let Some(note) = counters_note(context).await {
        context.out.say(&format!("note: {note}"));
    }
    let mut all = shown(policy, path);
    let notes: Vec<Value> = notes
        .iter()
        .map(|note| object!({ "line": note.line, "text": note.text }))
        .collect();
    if let Some(all) = all.as_object_mut() {
        all.insert("notes".to_owned(), notes.into());
    }
    context.out.data(&format!("The policy is fine: {from}"), &all);
}

/// What to do about counters that stand in the way for want of a good file.
async fn counters_note(context: &Context) -> Option<String> {
    let path = context.world.paths.counters();
    let name = path.display();
    let counters = counters(context).await;
    if counters.is_exhausted() {
        return Some(format!(
            "{name} cannot be read, or it is gone although a call was sent within a day: every limit counts as used up, and no entry passes. If you know why, run `countersign policy reset-counters`: it asks you, and all counts begin anew"
        ));
    }
    counters.since(0, None, wall_ms()).ahead.then(|| {
        format!(
            "{name} has orders that were counted while this computer's clock was ahead. They count until that time comes. If the clock is right now, run `countersign policy reset-counters`: it asks you, and all counts begin anew"
        )
    })
}

async fn counters(context: &Context) -> Counters {
    let sealed = !matches!(context.grants().sealed_at().await, Ok(None));
    let paths = &context.world.paths;
    counters_at(paths, sealed, &Past::of(paths))
}

/// `policy reset-counters`: what stands in the way for want of a good file is begun anew, where the person says so with
/// the tier's own factor.
async fn reset_counters(context: &Context) -> Exit {
    let relay = match Relay::detached(context.world.clone(), context.endpoint.clone()) {
        Ok(relay) => relay,
        Err(why) => {
            context.out.error(&why, "nothing was changed");
            return Exit::Failure;
        }
    };
    let came = relay.confirm_reset_counters(context.out.can_ask()).await;
    relay.leave().await;
    if let Err(why) = came {
        let verb = "countersign policy reset-counters";
        return not_confirmed(context, why, "the counters stay as they are", verb);
    }
    let text = "All counts begin anew: orders of today, questions of this minute, a pause.";
    context.out.data(text, &object!({ "countersReset": true }));
    Exit::Fine
}

/// The call of a file: `{"name": …, "arguments": {…}}`, or the whole `tools/call` request around it.
fn read_call(path: &Path) -> Result<Call, String> {
    let name = path.display();
    let text = file::read_text(path, MAX_CALL)
        .map_err(|error| format!("{name}: {error}"))?
        .ok_or_else(|| format!("{name}: there is no such file"))?;
    let whole = text.trim();
    json::check_strict(whole).map_err(|error| format!("{name}: {error}"))?;
    let member = |of, key| json::member(of, key).map_err(|error| format!("{name}: {error}"));
    let call = match member(whole, "params")? {
        Some(params) => params,
        None => whole,
    };
    let tool = member(call, "name")?
        .ok_or_else(|| format!("{name}: a call has a \"name\", and \"arguments\" where it needs them"))?;
    let arguments = member(call, "arguments")?;
    match call::route(tool, arguments, None, &|_| false) {
        Ok(Route::Held(call)) => Ok(call),
        Ok(Route::Read) => Err(format!("{name}: this is a read; reads pass and are not judged")),
        Err(refusal) => Err(format!("{name}: this call is refused before any rule: {refusal}")),
    }
}

async fn explained(context: &Context, policy: &Policy, path: &Path, from: &str) -> Exit {
    let call = match read_call(path) {
        Ok(call) => call,
        Err(why) => {
            context.out.error(
                &why,
                "such as {\"name\": \"Flatten\", \"arguments\": {\"account\": \"Sim101\"}}",
            );
            return Exit::Usage;
        }
    };
    let settings = match Settings::load(&context.world.paths) {
        Ok(settings) => settings,
        Err(why) => {
            context.out.error(&why, "correct the file");
            return Exit::Config;
        }
    };
    let facts = facts(context, policy, &call).await;
    let counters = counters(context).await;
    let situation = Situation {
        now_wall: wall_ms(),
        installation_tier: settings.tier,
        counters: &counters,
        open_entry_tickets: 0,
        unknown_outcomes: &[],
        unacknowledged: false,
        on_their_way: &[],
        lately: &[],
    };
    let read = facts.is_some();
    let facts = facts.unwrap_or_default();
    let judgement = if read {
        judge::judge(&call, &facts, policy, &situation)
    } else {
        judge::explain(&call, &facts, policy, &situation)
    };
    let text = format!("# {from}\n{}", explain(&call, &judgement, read));
    context.out.data(text.trim_end(), &as_object(&judgement, read));
    Exit::Fine
}

/// The account's state, where this computer is signed in for reading and the service answers.
async fn facts(context: &Context, policy: &Policy, call: &Call) -> Option<Facts> {
    let relay = Relay::detached(context.world.clone(), context.endpoint.clone()).ok()?;
    let facts = relay.facts_for(call, policy).await;
    relay.leave().await;
    facts.accounts.known().is_some().then_some(facts)
}

fn as_object(judgement: &Judgement, read: bool) -> Value {
    let limits: Vec<Value> = judgement
        .looked
        .iter()
        .map(|one| {
            object!({ "key": one.key, "account": one.account, "line": one.line, "came": one.came.word(), "detail": one.detail })
        })
        .collect();
    object!({
        "verdict": judgement.verdict.word(),
        "class": judgement.class.word(),
        "tier": judgement.tier,
        "code": judgement.code,
        "rule": judgement.rule,
        "reason": judgement.reason,
        "warnings": judgement.warnings,
        "factsRead": read,
        "limits": limits,
    })
}
