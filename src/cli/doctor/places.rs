//! The folders: whether they can be used, by us alone, and have room.

use super::{Check, Context, Seen, fail, ok, skipped, warn};
use crate::system::{FileLock, file, log};
use std::path::Path;

/// With less free space (bytes) an order may not be written down, and then it is not sent.
#[cfg(unix)]
const LEAST_SPACE: u64 = 20 * 1024 * 1024;
/// With less free space (bytes) it is time to make room.
#[cfg(unix)]
const GOOD_SPACE: u64 = 200 * 1024 * 1024;

pub(super) fn checks(context: &Context) -> Vec<Check> {
    vec![
        Check::new("state-folder", writable(context)),
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

#[cfg(not(unix))]
fn private(_context: &Context) -> Seen {
    skipped("the permissions of your user folder hold; they are not looked at here")
}

#[cfg(unix)]
fn space(folder: &Path) -> Seen {
    // The folder may not be there yet: then the one above it counts.
    let there = folder.ancestors().find(|folder| folder.exists());
    let found = there.and_then(|folder| rustix::fs::statvfs(folder).ok());
    let Some(found) = found else {
        return skipped("the system does not say how much room is left");
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
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

#[cfg(not(unix))]
fn space(_folder: &Path) -> Seen {
    skipped("not looked at on this system")
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
    ok(format!("{} files, {} KB in {shown}", files.len(), total / 1000))
}
