//! `setup --undo`: takes back what setup did, and nothing else.
//!
//! The journal stays whatever is answered: it is the record of what was asked and decided.

use super::clients;
use super::memo::Memo;
use super::overview;
use super::talk::Talk;
use super::{Flags, Stop};
use crate::cli::{Context, Exit, account};
use crate::journal::hash;
use crate::system::file;
use serde_json::{Value, json};

/// What came of it.
#[derive(Default)]
struct Undone {
    lines: Vec<String>,
    partly: bool,
    signed_out: bool,
    policy: bool,
    clients: Vec<Value>,
}

pub(super) async fn undo(context: &Context, inner: &Context, flags: &Flags, talk: Talk) -> Exit {
    let mut undone = Undone::default();
    let ended = run(inner, flags, talk, &mut undone).await;
    if ended.is_err() {
        undone
            .lines
            .push("Stopped by you; the rest stays as it is.".to_owned());
    }
    if undone.lines.is_empty() {
        undone.lines.push("There was nothing to take back.".to_owned());
    }
    let journal = context.world.paths.journal();
    undone
        .lines
        .push(format!("The journal stays: {}", journal.display()));
    context.out.data(
        &undone.lines.join("\n"),
        &json!({ "clients": undone.clients, "signedOut": undone.signed_out, "policyRemoved": undone.policy }),
    );
    match ended {
        Err(Stop::Failed(exit)) => exit,
        Err(Stop::Left) => Exit::Interrupted,
        Ok(()) if undone.partly => Exit::Partly,
        Ok(()) => Exit::Fine,
    }
}

async fn run(inner: &Context, flags: &Flags, talk: Talk, undone: &mut Undone) -> Result<(), Stop> {
    let paths = &inner.world.paths;
    let mut memo = Memo::load(paths);
    let (lines, partly, gone) = clients::remove(inner, talk, flags.yes).await?;
    undone.lines.extend(lines);
    undone.partly |= partly;
    undone.clients = gone;
    if !overview(inner).await.unwrap_or_default().is_empty() {
        talk.text("Signing out ends both sign-ins at CrossTrade and wipes them here. Orders and positions stay as they are.");
        if flags.yes || talk.yes("Sign out?", false).await? {
            if account::logout(inner, false, flags.pin_stdin).await == Exit::Fine {
                undone.lines.push("Signed out.".to_owned());
            } else {
                undone.partly = true;
                undone
                    .lines
                    .push("Signing out did not go all the way: see above.".to_owned());
            }
            undone.signed_out = true;
        }
    }
    let policy = paths.policy();
    let text = file::read_text(&policy, 64 * 1024).ok().flatten();
    let ours = text
        .map(|text| hash(&text))
        .is_some_and(|now| memo.policy == Some(now));
    if ours {
        talk.text(&format!(
            "The rules in {} are as setup wrote them.",
            policy.display()
        ));
        if flags.yes || talk.yes("Take them away?", false).await? {
            match std::fs::remove_file(&policy) {
                Ok(()) => {
                    undone.policy = true;
                    memo.policy = None;
                    undone.lines.push(format!("Removed: {}", policy.display()));
                }
                Err(error) => {
                    undone.partly = true;
                    undone
                        .lines
                        .push(format!("NOT removed: {}: {error}", policy.display()));
                }
            }
        }
    } else if policy.exists() {
        undone.lines.push(format!(
            "Your rules stay: {} was not written by setup, or was changed since.",
            policy.display()
        ));
    }
    let settings = paths.settings();
    if settings.exists() {
        undone.lines.push(format!(
            "What it takes to approve stays as it is, and your phrase: {}",
            settings.display()
        ));
    }
    let kept = Memo {
        policy: memo.policy,
        ..Memo::default()
    };
    let forgotten = if kept == Memo::default() {
        Memo::forget(paths)
    } else {
        kept.save(paths)
    };
    if let Err(error) = forgotten {
        talk.text(&format!("note: {error}"));
    }
    Ok(())
}
