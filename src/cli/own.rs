//! `self install`, `self path` and `self uninstall`: what the installers leave to the program, because it can be tested
//! here for every system.
//!
//! Owns: the order of the steps, their words. Refuses to know: downloads, archives, packages. Never run by an AI client:
//! inside a packaged one, what is written here would land in that client's private copy.

mod folders;
#[cfg(not(windows))]
mod profile;
mod receipt;
#[cfg(windows)]
mod registry;
mod removal;
#[cfg(any(windows, test))]
mod search;
mod terminals;

use super::args::Own;
use super::{Context, Exit, out};
use receipt::Receipt;
use serde_json::json;
use std::path::{Path, PathBuf};

pub(super) async fn own(context: &Context, what: &Own) -> Exit {
    match what {
        Own::Install { no_modify_path, made } => install(context, *no_modify_path, made.as_deref()),
        Own::Path { what } => path(context, what),
        Own::Uninstall {
            purge,
            yes,
            keep_program,
        } => {
            let asked = removal::Asked {
                purge: *purge,
                yes: *yes,
                keep_program: *keep_program,
            };
            removal::uninstall(context, &asked).await
        }
    }
}

/// This program's file, where it really lies.
fn program() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    if cfg!(windows) {
        // `canonicalize` would give the form with `\\?\`, which no Path understands.
        return Ok(program);
    }
    std::fs::canonicalize(&program).map_err(|error| format!("{}: {error}", program.display()))
}

/// The folder of a program, as text: start-up files and the registry hold nothing else.
fn folder_of(program: &Path) -> Result<String, String> {
    let folder = program.parent().and_then(Path::to_str);
    folder
        .map(str::to_owned)
        .ok_or_else(|| format!("the folder of {} is no UTF-8", program.display()))
}

/// Names of folders are other people's words: line by line, nothing in them is obeyed by a terminal.
fn shown(text: &str) -> String {
    text.lines().map(out::safe).collect::<Vec<_>>().join("\n")
}

fn failed(context: &Context, why: &str, hint: &str) -> Exit {
    context.out.error(&out::safe(why), hint);
    Exit::Failure
}

fn install(context: &Context, no_modify_path: bool, made: Option<&Path>) -> Exit {
    match entered(context, no_modify_path, made) {
        Ok((receipt, told)) => {
            let object = json!({
                "program": receipt.program.display().to_string(),
                "version": receipt.version,
                "edited": receipt.edits.iter().map(|edit| edit.file.display().to_string()).collect::<Vec<_>>(),
                "path": told.state(),
            });
            context.out.data(&shown(&told.words(&receipt.program)), &object);
            if told.is_complete() {
                Exit::Fine
            } else {
                Exit::Partly
            }
        }
        Err(why) => failed(
            context,
            &why,
            "the program is in place; only PATH and the receipt are not",
        ),
    }
}

/// Notes and changes what there is to; the receipt is written before each change that it tells of could be lost.
fn entered(
    context: &Context,
    no_modify_path: bool,
    made: Option<&Path>,
) -> Result<(Receipt, terminals::Told), String> {
    let paths = &context.world.paths;
    let program = program()?;
    let mut receipt = match Receipt::load(paths)? {
        Some(before) => Receipt {
            program: program.clone(),
            ..before
        },
        None => Receipt {
            made: folders::ours(paths)
                .iter()
                .flat_map(|folder| folders::missing(folder))
                .collect(),
            ..Receipt::of(&program)
        },
    };
    env!("CARGO_PKG_VERSION").clone_into(&mut receipt.version);
    if let (Some(outermost), Some(innermost)) = (made, program.parent()) {
        let outermost = std::fs::canonicalize(outermost).unwrap_or_else(|_| outermost.to_owned());
        receipt.made.extend(folders::chain(&outermost, innermost));
    }
    receipt.made.sort();
    receipt.made.dedup();
    receipt.save(paths)?;
    #[cfg(windows)]
    if !receipt.identity {
        registry::register_identity()?;
        receipt.identity = true;
        receipt.save(paths)?;
    }
    let told = if no_modify_path {
        terminals::look(context, &folder_of(&program)?)
    } else {
        let told = terminals::add(context, &folder_of(&program)?, &mut receipt);
        receipt.save(paths)?;
        told
    };
    Ok((receipt, told))
}

fn path(context: &Context, what: &str) -> Exit {
    let found = program().and_then(|program| folder_of(&program).map(|folder| (program, folder)));
    let (program, folder) = match found {
        Ok(found) => found,
        Err(why) => return failed(context, &why, ""),
    };
    let receipt =
        Receipt::load(&context.world.paths).map(|found| found.unwrap_or_else(|| Receipt::of(&program)));
    let mut receipt = match receipt {
        Ok(receipt) => receipt,
        Err(why) => return failed(context, &why, "nothing was changed"),
    };
    let told = match what {
        "add" => terminals::add(context, &folder, &mut receipt),
        "remove" => terminals::remove(context, &folder, &mut receipt),
        _ => terminals::look(context, &folder),
    };
    if what != "show"
        && let Err(why) = receipt.save(&context.world.paths)
    {
        return failed(context, &why, "PATH was changed, but there is no record of it");
    }
    context.out.data(
        &shown(&told.words(&program)),
        &json!({ "folder": folder, "path": told.state() }),
    );
    if told.is_complete() {
        Exit::Fine
    } else {
        Exit::Partly
    }
}
