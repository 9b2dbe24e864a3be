//! `self uninstall`: the program goes, and with `--purge` everything that it ever kept.
//!
//! Owns: what must not be deleted yet, the order of the steps. A receipt tells what an installer put here; without one
//! the program belongs to a package manager, and only the data can go.

use super::receipt::Receipt;
use super::{Context, Exit, folders, terminals};
use crate::approve::terminal::read_word;
use crate::cli::{clients as entries, waiting};
use crate::clients::{self, Standing, Wish};
use crate::gate::value::count;
use crate::oauth::{LogoutReport, Which};
use crate::relay::tickets::Tickets;
use serde_json::json;
use std::io::ErrorKind;

/// What the person asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) purge: bool,
    pub(super) yes: bool,
    pub(super) keep_program: bool,
}

/// What came of it.
#[derive(Debug, Default)]
struct Done {
    lines: Vec<String>,
    trouble: Vec<String>,
}

pub(super) async fn uninstall(context: &Context, asked: &Asked) -> Exit {
    let paths = &context.world.paths;
    let receipt = match Receipt::load(paths) {
        Ok(receipt) => receipt,
        Err(why) => return super::failed(context, &why, "nothing was removed"),
    };
    if receipt.is_none() && !asked.purge {
        return super::failed(
            context,
            "nothing was removed: no installer of ours put this program here",
            "remove it the way it came (apt, dnf, brew, npm, scoop, winget); `self uninstall --purge` deletes only its data",
        );
    }
    if asked.purge
        && let Some(why) = why_not_yet(context)
    {
        return super::failed(context, &format!("nothing was removed: {why}"), "");
    }
    if !asked.yes {
        match confirmed(context, asked).await {
            Ok(true) => {}
            Ok(false) => {
                context.out.error("nothing was removed", "");
                return Exit::Denied;
            }
            Err(exit) => return exit,
        }
    }
    let mut done = Done::default();
    // First: what was written into the clients' files is known from the receipts that a purge deletes.
    leave_clients(context, &mut done);
    if asked.purge {
        sign_out(context, &mut done).await;
    }
    if let Some(mut receipt) = receipt {
        take_off(context, asked, &mut receipt, &mut done);
    } else {
        done.lines.push(
            "The program stays: remove it the way it came (apt, dnf, brew, npm, scoop, winget).".to_owned(),
        );
        wipe(context, asked, &mut done);
    }
    told(context, asked, &done)
}

/// What would be lost for good.
fn why_not_yet(context: &Context) -> Option<String> {
    if let Some(why) = folders::not_ours(&context.world.env) {
        return Some(why);
    }
    let tickets = Tickets::of(&context.world.paths);
    let open = tickets
        .all()
        .iter()
        .filter(|ticket| ticket.state.is_open())
        .count();
    if open > 0 {
        return Some(
            "orders wait for you or are being sent: decide on them first (`countersign pending`)".to_owned(),
        );
    }
    let unknown = waiting::doubts(&tickets).len();
    (unknown > 0).then(|| {
        format!("the outcome of {} is unknown: look in NinjaTrader, then `countersign acknowledge`; the only record of it would be deleted", count(unknown, "order"))
    })
}

async fn confirmed(context: &Context, asked: &Asked) -> Result<bool, Exit> {
    if !context.out.can_ask() {
        if !asked.purge {
            return Ok(true);
        }
        context.out.error(
            "nothing was removed: --purge deletes the only record of your orders, and nobody can be asked here",
            "add --yes if you mean it",
        );
        return Err(Exit::Usage);
    }
    context.out.say(if asked.purge {
        "This signs you out and deletes your rules, settings, logs and the journal of all orders.\n\
         The journal cannot be had back: `countersign journal export` writes it down first.\n\
         Your positions and working orders are not touched; manage them in NinjaTrader."
    } else {
        "This takes the program off this account. Your sign-in, rules and journal stay for the next time.\n\
         Your positions and working orders are not touched; AI clients that start Countersign will say that it is gone."
    });
    let word = read_word("Type yes to go on").await;
    let word = word.map_err(|why| super::failed(context, &why, "nothing was removed"))?;
    Ok(word.is_some_and(|word| word.trim().eq_ignore_ascii_case("yes")))
}

/// Takes our entry out of each AI client in which it stands: a client that starts a program that is gone only shows an
/// error.
fn leave_clients(context: &Context, done: &mut Done) {
    let places = match entries::places(context) {
        Ok(places) => places,
        Err(why) => {
            done.trouble.push(format!("AI clients were not looked at: {why}"));
            return;
        }
    };
    for found in clients::detected(&places) {
        let stands = found.files.iter().any(|file| {
            matches!(
                file.standing,
                Standing::Ours | Standing::Off | Standing::Lost | Standing::Differs(_)
            )
        });
        if !stands {
            continue;
        }
        let client = found.client;
        let removed = clients::remove(client, &places, &Wish::default())
            .and_then(|plan| clients::apply(&plan, &places));
        match removed {
            Ok(applied) if applied.files.is_empty() => {}
            Ok(_) => done
                .lines
                .push(format!("Taken out of {}. Next: {}.", client.name, client.restart)),
            Err(trouble) => done.trouble.push(format!(
                "the entry in {} is still there: {trouble}; {}",
                client.name,
                trouble.next()
            )),
        }
    }
}

async fn sign_out(context: &Context, done: &mut Done) {
    let grants = context.grants();
    let LogoutReport {
        tokens,
        not_wiped,
        advice,
        ..
    } = grants.logout(Which::All).await;
    let all = tokens.iter().all(|token| token.answer.is_revoked());
    if all && !tokens.is_empty() {
        done.lines
            .push("Signed out: the keys were revoked at the service.".to_owned());
    }
    done.trouble.extend(not_wiped);
    done.trouble.extend(advice);
    match grants.forget_key().await {
        Ok(_) => {}
        Err(error) => done.trouble.push(format!(
            "{error}; an entry named countersign may be left in your keychain (it opens nothing any more)"
        )),
    }
}

fn take_off(context: &Context, asked: &Asked, receipt: &mut Receipt, done: &mut Done) {
    let told = terminals::remove(context, "", receipt);
    if let terminals::Told::Trouble(why) = told {
        done.trouble.extend(why);
    }
    #[cfg(windows)]
    if receipt.identity {
        match super::registry::forget_identity() {
            Ok(()) => receipt.identity = false,
            Err(why) => done.trouble.push(why),
        }
    }
    let program = receipt.program.clone();
    if asked.keep_program || cfg!(windows) {
        if !asked.keep_program {
            done.lines.push(format!(
                "Delete {} yourself: a program cannot delete itself on Windows.",
                program.display()
            ));
        }
    } else {
        match std::fs::remove_file(&program) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                done.trouble.push(format!("{}: {error}", program.display()));
            }
            Ok(()) | Err(_) => done.lines.push(format!("{} is gone.", program.display())),
        }
    }
    let _ = std::fs::remove_file(Receipt::path(&context.world.paths));
    wipe(context, asked, done);
    folders::delete_empty(&receipt.made);
}

fn wipe(context: &Context, asked: &Asked, done: &mut Done) {
    if !asked.purge {
        let state = context.world.paths.state().display();
        done.lines
            .push(format!("Your sign-in, rules and journal stay ({state})."));
        return;
    }
    let before = done.trouble.len();
    for folder in folders::ours(&context.world.paths) {
        done.trouble.extend(folders::delete(&folder).err());
    }
    if done.trouble.len() == before {
        done.lines
            .push("Rules, settings, logs and the journal are deleted.".to_owned());
    }
}

fn told(context: &Context, asked: &Asked, done: &Done) -> Exit {
    let mut lines = done.lines.clone();
    lines.extend(done.trouble.iter().map(|why| format!("NOT DONE: {why}")));
    lines.push(
        "An extension that you opened in Claude Desktop is removed there, under Extensions. No order was sent or changed."
            .to_owned(),
    );
    context.out.data(
        &super::shown(&lines.join("\n")),
        &json!({ "removed": true, "purged": asked.purge, "trouble": done.trouble }),
    );
    if done.trouble.is_empty() {
        Exit::Fine
    } else {
        Exit::Partly
    }
}
