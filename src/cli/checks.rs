//! `doctor`: each check says what it saw and, where it failed, what to do.

use super::{Context, Exit};
use crate::gate::Tier;
use crate::oauth::{GrantInfo, GrantKind, StoreKind, TokenError};
use crate::relay::lists::Lists;
use crate::relay::load_policy_at;
use crate::relay::settings::Settings;
use crate::system::{FileLock, clock, file};
use crate::upstream::{Failure, GrantKeys, ReadLane};
use serde_json::{Value, json};
use std::time::Duration;

/// How a check ended.
enum Seen {
    Good(String),
    Bad(String, &'static str),
    Note(String),
}

struct Check {
    name: &'static str,
    seen: Seen,
}

pub(super) async fn doctor(context: &Context) -> Exit {
    let settings = Settings::load(&context.world.paths);
    let tier = settings.as_ref().map_or(Tier::Click, |settings| settings.tier);
    let mut checks = vec![
        folder(context),
        locks(context),
        settings_check(&settings),
        policy(context),
        journal(context),
        halt(context),
    ];
    checks.extend(sign_ins(context).await);
    checks.push(definitions(context));
    checks.push(service(context).await);
    checks.push(prompt(context, tier).await);
    let bad = checks
        .iter()
        .filter(|check| matches!(check.seen, Seen::Bad(..)))
        .count();
    let lines: Vec<String> = checks.iter().map(line).collect();
    let objects: Vec<Value> = checks.iter().map(object).collect();
    let last = if bad == 0 {
        "Everything is in order.".to_owned()
    } else {
        format!("{bad} of {} checks failed.", checks.len())
    };
    context.out.data(
        &format!("{}\n{last}", lines.join("\n")),
        &json!({ "checks": objects, "failed": bad }),
    );
    if bad == 0 { Exit::Fine } else { Exit::Failure }
}

fn line(check: &Check) -> String {
    match &check.seen {
        Seen::Good(what) => format!("ok    {:<12} {what}", check.name),
        Seen::Note(what) => format!("note  {:<12} {what}", check.name),
        Seen::Bad(what, todo) => format!("FAIL  {:<12} {what}\n      -> {todo}", check.name),
    }
}

fn object(check: &Check) -> Value {
    let (state, what, todo) = match &check.seen {
        Seen::Good(what) => ("ok", what, None),
        Seen::Note(what) => ("note", what, None),
        Seen::Bad(what, todo) => ("fail", what, Some(*todo)),
    };
    json!({ "name": check.name, "state": state, "what": what, "todo": todo })
}

fn folder(context: &Context) -> Check {
    let state = context.world.paths.state();
    let probe = state.join(".probe");
    let seen = match file::write_atomic(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe)) {
        Ok(()) => Seen::Good(state.display().to_string()),
        Err(error) => Seen::Bad(
            format!("{}: {error}", state.display()),
            "free some space, or set COUNTERSIGN_HOME to a folder that you can write",
        ),
    };
    Check {
        name: "state folder",
        seen,
    }
}

fn locks(context: &Context) -> Check {
    let path = context.world.paths.lock("doctor.lock");
    let seen = match (FileLock::try_take(&path), FileLock::try_take(&path)) {
        (Ok(Some(_)), Ok(None)) => Seen::Good("file locks work here".to_owned()),
        (Err(error), _) | (_, Err(error)) => Seen::Bad(
            error.to_string(),
            "move the state to a local disk with COUNTERSIGN_HOME",
        ),
        _ => Seen::Bad(
            "two locks on one file".to_owned(),
            "this file system does not lock: move the state to a local disk with COUNTERSIGN_HOME",
        ),
    };
    Check { name: "locks", seen }
}

fn settings_check(settings: &Result<Settings, String>) -> Check {
    let seen = match settings {
        Ok(settings) => Seen::Good(format!("approval by {}", super::rules::word(settings.tier))),
        Err(why) => Seen::Bad(
            why.clone(),
            "correct the file; until then every trade call is refused",
        ),
    };
    Check {
        name: "settings",
        seen,
    }
}

fn policy(context: &Context) -> Check {
    let path = context.world.paths.policy();
    let seen = match load_policy_at(&path) {
        Ok(_) if path.exists() => Seen::Good(path.display().to_string()),
        Ok(_) => Seen::Good("built in: reads pass, everything else asks you".to_owned()),
        Err(why) => Seen::Bad(why, "correct the file; until then every trade call is refused"),
    };
    Check { name: "policy", seen }
}

fn journal(context: &Context) -> Check {
    let verdict = match crate::journal::open(&context.world.paths.journal()) {
        Ok(Some(file)) => crate::journal::verify(file),
        Ok(None) => crate::journal::verify(std::io::empty()),
        Err(error) => Err(error),
    };
    let seen = match verdict {
        Ok(verdict) if verdict.faults.is_empty() => {
            Seen::Good(format!("{} lines, the chain holds", verdict.lines))
        }
        Ok(verdict) => {
            let line = verdict.faults.first().map_or(0, |fault| fault.line);
            Seen::Bad(
                format!("damaged in {} places, first at line {line}", verdict.faults.len()),
                "see `countersign journal verify`; keep the file, and move it away to start a new one",
            )
        }
        Err(error) => Seen::Bad(error.to_string(), "move the journal file away and keep it"),
    };
    Check {
        name: "journal",
        seen,
    }
}

fn halt(context: &Context) -> Check {
    let halted = context.world.paths.halt().exists();
    let seen = if halted {
        Seen::Note("AI trading is stopped by you; `countersign resume` allows it again".to_owned())
    } else {
        Seen::Good("AI trading is not stopped".to_owned())
    };
    Check { name: "halt", seen }
}

async fn sign_ins(context: &Context) -> Vec<Check> {
    let grants = match context.grants().overview().await {
        Ok(grants) => grants,
        Err(TokenError::NotSignedIn) => Vec::new(),
        Err(error) => {
            return vec![Check {
                name: "vault",
                seen: Seen::Bad(
                    error.to_string(),
                    "start your keychain, or choose the file store: COUNTERSIGN_STORE=file",
                ),
            }];
        }
    };
    let store = match grants.first() {
        None => Seen::Good("empty".to_owned()),
        Some(grant) if grant.store == StoreKind::File => {
            Seen::Note(format!("its key lies {}", super::status::store(grant)))
        }
        Some(grant) => Seen::Good(format!("its key lies {}", super::status::store(grant))),
    };
    let trade = grants.iter().find(|grant| grant.kind == GrantKind::Trade);
    let read = grants
        .iter()
        .find(|grant| grant.kind == GrantKind::Read)
        .or(trade.filter(|grant| grant.single));
    let ended = |why: &String, todo| Seen::Bad(format!("CrossTrade has ended it: {why}"), todo);
    vec![
        Check { name: "vault", seen: store },
        Check {
            name: "reading",
            seen: match read {
                Some(GrantInfo { withdrawn: Some(why), .. }) => ended(why, "run `countersign login`"),
                Some(GrantInfo { single: true, .. }) => Seen::Note("one sign-in serves reading and trading: a misjudged call would not be refused by CrossTrade".to_owned()),
                Some(_) => Seen::Good("signed in; this sign-in cannot trade".to_owned()),
                None => Seen::Bad("not signed in".to_owned(), "run `countersign login`"),
            },
        },
        Check {
            name: "trading",
            seen: match trade {
                Some(GrantInfo { withdrawn: Some(why), .. }) => ended(why, "run `countersign login --trade`"),
                Some(grant) if grant.sealed => Seen::Good("signed in, sealed under your PIN".to_owned()),
                Some(_) => Seen::Good("signed in".to_owned()),
                None => Seen::Note("not enabled; `countersign login --trade` enables it".to_owned()),
            },
        },
    ]
}

/// Tools that are off because the service describes them differently from when they were put on record.
fn definitions(context: &Context) -> Check {
    let lists = Lists::load(&context.world.paths, context.endpoint.url());
    let changed: Vec<String> = lists
        .changed()
        .iter()
        .map(|name| super::out::safe(name))
        .collect();
    let seen = if changed.is_empty() {
        Seen::Good(format!(
            "{} tool descriptions on record, none changed",
            lists.pinned_count()
        ))
    } else {
        let what = format!(
            "CrossTrade now describes these differently, so they are off: {}",
            changed.join(", ")
        );
        Seen::Bad(
            what,
            "ask CrossTrade what has changed before you trade with them; `countersign login --trade` puts the new descriptions on record",
        )
    };
    Check { name: "tools", seen }
}

async fn service(context: &Context) -> Check {
    let budget = Settings::load(&context.world.paths)
        .unwrap_or_default()
        .budget(&context.world.paths);
    let lane = ReadLane::new(
        context.http.clone(),
        context.endpoint.clone(),
        Box::new(GrantKeys {
            grants: context.grants(),
            kind: GrantKind::Read,
        }),
        budget,
        Box::new(|_| {}),
    );
    let began = clock::mono_ms();
    let asked = tokio::time::timeout(
        Duration::from_secs(15),
        lane.own("tools/call", r#"{"name":"GetConnections","arguments":{}}"#),
    )
    .await;
    lane.close().await;
    let took = clock::mono_ms().saturating_sub(began);
    let seen = match asked {
        Ok(Ok(_)) => Seen::Good(format!("the service and NinjaTrader answered in {took} ms")),
        Ok(Err(Failure::Token(TokenError::NotSignedIn | TokenError::Withdrawn(_)))) => {
            Seen::Note("not asked: nobody is signed in".to_owned())
        }
        Ok(Err(failure)) => Seen::Bad(
            failure.to_string(),
            "check the network, the sign-in, and that NinjaTrader runs with the CrossTrade add-on",
        ),
        Err(_) => Seen::Bad(
            "no answer within 15 s".to_owned(),
            "check the network and NinjaTrader",
        ),
    };
    Check {
        name: "service",
        seen,
    }
}

async fn prompt(context: &Context, tier: Tier) -> Check {
    let desk = crate::approve::Desk::new(&context.world);
    let seen = match desk.channel(tier, false).await {
        Ok(channel) => Seen::Good(channel.to_string()),
        Err(why) => Seen::Bad(
            why,
            "without a prompt, trade calls are refused; `countersign watch` in a terminal can decide on them",
        ),
    };
    Check { name: "prompt", seen }
}
