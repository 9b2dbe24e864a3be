//! Folders that come and go with the installation.
//!
//! Owns: which folders are missing, deleting ours, and the check that they are ours. Refuses to know: what lies in them.

use crate::system::{Env, Paths};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// This folder and those around it that are not there, outermost first.
pub(super) fn missing(folder: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = folder
        .ancestors()
        .take_while(|one| !one.as_os_str().is_empty() && !one.exists())
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    missing
}

/// The folders from the outermost to the innermost; none where the one does not lie in the other.
pub(super) fn chain(outermost: &Path, innermost: &Path) -> Vec<PathBuf> {
    if !innermost.starts_with(outermost) {
        return Vec::new();
    }
    let within = innermost.ancestors().take_while(|one| one.starts_with(outermost));
    let mut chain: Vec<PathBuf> = within.map(Path::to_owned).collect();
    chain.reverse();
    chain
}

/// The folders of this installation, each once.
pub(super) fn ours(paths: &Paths) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = Vec::new();
    for folder in [paths.config(), paths.state(), paths.logs()] {
        // The logs lie in the state folder on some systems.
        if !all.iter().any(|one| folder.starts_with(one)) {
            all.push(folder.to_owned());
        }
    }
    all
}

/// Why these folders must not be deleted as a whole: with `COUNTERSIGN_HOME` set to somebody's own folder, `config` or
/// `logs` in it may be theirs.
pub(super) fn not_ours(env: &Env) -> Option<String> {
    let chosen = Path::new(env.text("COUNTERSIGN_HOME")?);
    let home = env
        .text("HOME")
        .or_else(|| env.text("USERPROFILE"))
        .map(Path::new);
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let around = home.is_some_and(|home| real(home).starts_with(real(chosen)));
    let foreign = ["config", "state", "logs"]
        .iter()
        .any(|part| holds_more(&chosen.join(part)));
    (around || chosen.parent().is_none() || foreign).then(|| {
        format!(
            "COUNTERSIGN_HOME is {}, which holds more than Countersign",
            chosen.display()
        )
    })
}

/// What we write at the top of our folders; everything that begins so is ours.
const OURS: [&str; 24] = [
    "policy",
    "settings",
    "vault",
    "journal",
    "tickets",
    "halt",
    "counters",
    "budget",
    "cache",
    "locks",
    "logs",
    "pins",
    "approved",
    "running",
    "installed",
    "setup",
    "clients",
    "countersign",
    "arm",
    "card",
    "passkeys",
    "elsewhere",
    "change",
    ".",
];

/// Whether a folder holds something that we never write there.
fn holds_more(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| !OURS.iter().any(|ours| name.starts_with(ours)))
}

/// Deletes a folder with everything in it; one that is not there counts as deleted. Links are deleted, not followed.
pub(super) fn delete(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(format!("{}: {error}", folder.display())),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Deletes those of these folders that are empty, innermost first.
pub(super) fn delete_empty(made: &[PathBuf]) {
    let mut all: Vec<&PathBuf> = made.iter().collect();
    all.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
    for folder in all {
        // One that is used by now stays: the system refuses.
        let _ = fs::remove_dir(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_goes_again_and_what_is_used_stays() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("a/b/c");
        let made = missing(&deep);
        assert_eq!(made, ["a", "a/b", "a/b/c"].map(|name| home.path().join(name)));
        assert_eq!(chain(&home.path().join("a"), &deep), made);
        assert_eq!(chain(&home.path().join("x"), &deep), Vec::<PathBuf>::new());
        fs::create_dir_all(&deep).unwrap();
        fs::write(home.path().join("a/mine"), "").unwrap();
        delete_empty(&made);
        assert!(home.path().join("a/mine").exists() && !home.path().join("a/b").exists());
    }

    #[test]
    fn a_home_that_holds_more_is_never_deleted() {
        let home = tempfile::tempdir().unwrap();
        let of = |chosen: &Path| {
            let (chosen, home) = (chosen.display().to_string(), home.path().display().to_string());
            not_ours(&Env::of([
                ("COUNTERSIGN_HOME", chosen.as_str()),
                ("HOME", home.as_str()),
            ]))
        };
        assert!(of(home.path()).is_some() && of(Path::new("/")).is_some());
        assert!(of(home.path().parent().unwrap()).is_some());
        assert!(of(&home.path().join("countersign")).is_none());
    }
}
