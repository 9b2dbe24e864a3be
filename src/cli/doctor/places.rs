//! The folders: whether they can be used, by us alone, and have room.

use super::{Check, Context, Seen, fail, ok, skipped, warn};
use crate::system::probe::Landing;
use crate::system::{FileLock, file, log, probe};
use std::path::Path;

/// With less free space (bytes) an order may not be written down, and then it is not sent.
const LEAST_SPACE: u64 = 20 * 1024 * 1024;
/// With less free space (bytes) it is time to make room.
const GOOD_SPACE: u64 = 200 * 1024 * 1024;

pub(super) fn checks(context: &Context) -> Vec<Check> {
    vec![
        Check::new("state-folder", writable(context)),
        Check::new(
            "landing",
            landing(probe::landing(context.world.paths.state()), probe::package()),
        ),
        Check::new("private", private(context)),
        Check::new("space", space(context.world.paths.state())),
        Check::new("locks", locks(context)),
        Check::new("logs", logs(context)),
    ]
}

fn writable(context: &Context) -> Seen {
    let state = context.world.paths.state();
    let probe = state.join(".probe");
    match file::write_atomic(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe)) {
        Ok(()) => ok(state.display().to_string()),
        Err(error) => fail(
            format!(
                "{} cannot be written: {error}; no order can be sent",
                state.display()
            ),
            "make room on the disk, or set COUNTERSIGN_HOME to a folder of yours",
        ),
    }
}

/// Whether a terminal and the AI client see the same files: a client that is a Windows package may have copies of its own.
fn landing(found: std::io::Result<Landing>, package: Option<String>) -> Seen {
    let Ok(found) = found else {
        return skipped("no file can be written there: see state-folder");
    };
    let real = found.real.display();
    match (found.package, package) {
        (Some(name), _) => warn(
            format!(
                "this runs inside {name}, and its files come to lie in {real}: rules and sign-ins that you make in another program are not seen here, and those made here not there"
            ),
            "set COUNTERSIGN_HOME to one folder outside of AppData, in that client's entry and for your terminals",
        ),
        (None, Some(name)) => ok(format!(
            "this runs inside {name}, and its files come to lie where other programs see them: {real}"
        )),
        (None, None) => ok(format!("files come to lie in {real}")),
    }
}

#[cfg(unix)]
fn private(context: &Context) -> Seen {
    use std::os::unix::fs::MetadataExt;
    let paths = &context.world.paths;
    let own = rustix::process::geteuid().as_raw();
    let mut open = Vec::new();
    for folder in [paths.state(), paths.logs(), paths.config()] {
        let Ok(found) = std::fs::metadata(folder) else {
            continue;
        };
        let shown = folder.display();
        if found.uid() != own {
            return fail(
                format!("{shown} belongs to another user"),
                format!("run as that user, or take it: sudo chown -R \"$USER\" \"{shown}\""),
            );
        }
        if found.mode() & 0o022 != 0 {
            return fail(
                format!("others may write into {shown}: they could change your rules and tickets"),
                format!("chmod go-w \"{shown}\""),
            );
        }
        if found.mode() & 0o077 != 0 && folder != paths.config() {
            open.push(format!("\"{shown}\""));
        }
    }
    if open.is_empty() {
        return ok("only you can look into the folders");
    }
    warn(
        format!("other users of this computer can list {}", open.join(" and ")),
        format!("chmod go-rwx {}", open.join(" ")),
    )
}

#[cfg(windows)]
fn private(context: &Context) -> Seen {
    const TODO: &str = "in its Properties, under Security, leave only yourself, SYSTEM and Administrators";
    let paths = &context.world.paths;
    let mut open = Vec::new();
    for folder in [paths.state(), paths.logs(), paths.config()] {
        if !folder.exists() {
            continue;
        }
        let shown = folder.display();
        match file::others_in(folder) {
            Err(error) => {
                return skipped(format!(
                    "Windows does not tell the permissions of {shown}: {error}"
                ));
            }
            Ok((_, true)) => {
                return fail(
                    format!("others may write into {shown}: they could change your rules and tickets"),
                    TODO,
                );
            }
            Ok((true, false)) if folder != paths.config() => open.push(shown.to_string()),
            Ok(_) => {}
        }
    }
    if open.is_empty() {
        return ok("only you, SYSTEM and Administrators can look into the folders");
    }
    warn(
        format!("other users of this computer can list {}", open.join(" and ")),
        TODO,
    )
}

fn space(folder: &Path) -> Seen {
    let Some(free) = probe::free_space(folder) else {
        return skipped("the system does not say how much room is left");
    };
    let shown = format!("{} MB are free", free / (1024 * 1024));
    if free < LEAST_SPACE {
        fail(
            format!(
                "{shown} where {} lies: an order that cannot be written down is not sent",
                folder.display()
            ),
            "make room on that disk",
        )
    } else if free < GOOD_SPACE {
        warn(
            format!("{shown} where {} lies", folder.display()),
            "make room on that disk",
        )
    } else {
        ok(shown)
    }
}

fn locks(context: &Context) -> Seen {
    let path = context.world.paths.lock("doctor.lock");
    match (FileLock::try_take(&path), FileLock::try_take(&path)) {
        (Ok(Some(_)), Ok(None)) => ok("file locks work here"),
        (Err(error), _) | (_, Err(error)) => fail(
            format!("no file can be locked in the state folder: {error}; no order can be sent"),
            "move the state to a local disk with COUNTERSIGN_HOME",
        ),
        _ => fail(
            "two locks on one file: this file system does not lock, so an order could be sent twice",
            "move the state to a local disk with COUNTERSIGN_HOME",
        ),
    }
}

fn logs(context: &Context) -> Seen {
    let folder = context.world.paths.logs();
    let files = log::files_of(folder);
    let total: u64 = files.iter().map(|(_, size)| *size).sum();
    let shown = folder.display();
    if let Err(error) = file::make_folder(folder)
        .and_then(|()| file::write_atomic(&folder.join(".probe"), b"probe"))
        .and_then(|()| std::fs::remove_file(folder.join(".probe")))
    {
        return warn(
            format!(
                "{shown} cannot be written: {error}; there is no log to look at when something goes wrong"
            ),
            format!("make \"{shown}\" a folder that you can write"),
        );
    }
    if total > log::TOTAL_BYTES.saturating_add(log::FILE_BYTES) {
        return warn(
            format!("{} MB of logs in {shown}", total / 1_000_000),
            format!("remove old files from \"{shown}\""),
        );
    }
    let many = match files.len() {
        1 => "1 file".to_owned(),
        many => format!("{many} files"),
    };
    ok(format!("{many}, {} KB in {shown}", total / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::{Check, parts};

    fn seen(seen: Seen) -> (&'static str, String) {
        let check = Check::new("x", seen);
        let (state, what, _) = parts(&check);
        (state, what.to_owned())
    }

    #[test]
    fn a_private_view_of_files_is_told() {
        let at = |package: Option<&str>| {
            Ok(Landing {
                asked: "/asked".into(),
                real: "/real".into(),
                package: package.map(str::to_owned),
            })
        };
        let (state, what) = seen(landing(at(Some("Claude_x")), Some("Claude_1.2_x".to_owned())));
        assert_eq!(state, "warn");
        assert!(
            what.contains("inside Claude_x") && what.contains("/real"),
            "{what}"
        );
        let (state, what) = seen(landing(at(None), Some("Claude_1.2_x".to_owned())));
        assert!(
            state == "ok" && what.contains("other programs see them: /real"),
            "{what}"
        );
        assert_eq!(seen(landing(at(None), None)).0, "ok");
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(seen(landing(Err(full), None)).0, "skipped");
    }
}
