//! The program itself: where it lies, which others there are, which of it runs.

use super::{Check, Context, Seen, ok, skipped, warn};
use crate::relay::running;
use crate::system::{Env, probe};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Folders that are cleared away by others, and what they are.
const PASSING: [(&str, &str); 5] = [
    ("_npx", "a cache that npx clears"),
    ("npm-cache", "npm's cache"),
    (".npm", "npm's cache"),
    (
        "AppTranslocation",
        "a place where macOS puts programs for one run",
    ),
    ("Downloads", "the downloads folder"),
];

pub(super) fn checks(context: &Context) -> Vec<Check> {
    // As the client starts it: a link to it is as good as the program.
    let own = std::env::current_exe();
    let own = own.as_deref().ok();
    vec![
        Check::new("version", version()),
        Check::new("program", place(own, &context.world.env)),
        Check::new("mark", mark(own.and_then(probe::has_mark_of_internet))),
        Check::new("path", others(own, &context.world.env)),
        Check::new("running", running_ones(context)),
    ]
}

fn version() -> Seen {
    ok(format!(
        "countersign {} for {} on {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    ))
}

/// Whether an AI client that is told this path will find the program there tomorrow.
fn place(own: Option<&Path>, env: &Env) -> Seen {
    let Some(own) = own else {
        return skipped("the system does not say where this program lies");
    };
    let shown = own.display().to_string();
    if shown.ends_with(" (deleted)") || !own.exists() {
        return warn(
            format!("{shown}: its file was replaced while it runs"),
            "quit your AI clients and start them again, so that they run the new one",
        );
    }
    let temporary = [
        env.text("TMPDIR"),
        env.text("TEMP"),
        env.text("TMP"),
        Some("/tmp"),
        Some("/var/tmp"),
    ];
    let in_temporary = temporary
        .into_iter()
        .flatten()
        .any(|folder| own.starts_with(folder));
    let passing = PASSING
        .iter()
        .find(|(name, _)| own.components().any(|part| part.as_os_str() == OsStr::new(name)));
    let why = match passing {
        Some((_, why)) => *why,
        None if in_temporary => "a folder for temporary files",
        None => return ok(shown),
    };
    warn(
        format!("{shown} lies in {why}: one day an AI client does not find it any more"),
        "move it to a folder that stays, and from there run: countersign install --repair",
    )
}

/// Whether the system may stop the program at its next start, because it came from the Internet and is not signed.
fn mark(found: Option<bool>) -> Seen {
    match found {
        Some(false) => ok("the system has no mark on the program that it came from the Internet"),
        Some(true) => warn(
            "the system has marked the program as one from the Internet: it may stop it when an AI client starts it",
            if cfg!(windows) {
                "in the program's Properties, tick Unblock: only if its checksum is the one that was published"
            } else {
                "compare its checksum with the published one, then: xattr -d com.apple.quarantine \"$(command -v countersign)\""
            },
        ),
        None if cfg!(target_os = "linux") => skipped("this system puts no such marks on programs"),
        None => skipped("the system does not say whether it has marked the program"),
    }
}

/// Other programs of this name that a terminal might start instead.
fn others(own: Option<&Path>, env: &Env) -> Seen {
    let Some(path) = env.text("PATH") else {
        return skipped("PATH is not set");
    };
    let name = if cfg!(windows) {
        "countersign.exe"
    } else {
        "countersign"
    };
    let mut found: Vec<PathBuf> = Vec::new();
    for file in std::env::split_paths(path).map(|folder| folder.join(name)) {
        if let Ok(real) = file.canonicalize()
            && real.is_file()
            && !found.contains(&real)
        {
            found.push(real);
        }
    }
    let own = own.and_then(|own| own.canonicalize().ok());
    let Some(first) = found.first() else {
        return ok("no terminal finds it by its name alone; AI clients start it by its full path");
    };
    let listed: Vec<String> = found.iter().map(|file| file.display().to_string()).collect();
    if found.len() > 1 {
        return warn(
            format!(
                "{} programs are named countersign: {}",
                found.len(),
                listed.join(", ")
            ),
            "remove the ones that you do not use; a terminal starts the first",
        );
    }
    if Some(first) == own.as_ref() {
        return ok(format!("a terminal starts {}", first.display()));
    }
    warn(
        format!("a terminal starts another one than this: {}", first.display()),
        "remove the one that you do not use",
    )
}

/// AI clients that still run another version than this.
fn running_ones(context: &Context) -> Seen {
    let all = running::all(&context.world.paths);
    let named = |client: &str| {
        if client.is_empty() {
            "an AI client".to_owned()
        } else {
            client.to_owned()
        }
    };
    let old: Vec<String> = all
        .iter()
        .filter(|one| one.version != env!("CARGO_PKG_VERSION"))
        .map(|one| format!("{} runs version {}", named(&one.client), one.version))
        .collect();
    if !old.is_empty() {
        return warn(
            format!(
                "this is version {}, but {}",
                env!("CARGO_PKG_VERSION"),
                old.join(", ")
            ),
            "quit that AI client whole (also from the tray or the menu bar), and start it again",
        );
    }
    if all.is_empty() {
        return ok("no AI client runs Countersign now");
    }
    let names: Vec<String> = all.iter().map(|one| named(&one.client)).collect();
    ok(format!("for {}", names.join(", ")))
}
