//! Doing what a plan says: safely beside a client that may write the same file at any moment.
//!
//! Owns: the order of steps. Receipt, backup, a new file beside the old one, a last look, the rename. Whatever kills us in
//! between, the client's file is whole: the old one or the new one.

use super::plan::{Deed, Edit, Plan, Trouble};
use super::receipt::Receipt;
use super::{Places, place};
use crate::system::{FileLock, clock, file};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many backups of ours stay beside a file.
const BACKUPS: usize = 5;
/// What stands in the names of files that we lay beside a client's.
const MARK: &str = "countersign";

/// What was done.
#[derive(Debug, Default)]
pub struct Applied {
    /// Files that were written or deleted.
    pub files: Vec<PathBuf>,
    /// Backups that lie beside them now.
    pub backups: Vec<PathBuf>,
    /// What did not go as it should, though the client's files are right.
    pub notes: Vec<String>,
}

/// Does what the plan says.
///
/// # Errors
/// Where a file was changed since the plan was made, or the system refuses. That file is as it was; files that come before
/// it in the plan are done.
pub fn apply(plan: &Plan, places: &Places) -> Result<Applied, Trouble> {
    let _lock = FileLock::take_blocking(&places.lock, Duration::from_secs(10))
        .map_err(|error| Trouble::io(&places.lock, &error))?;
    let mut applied = Applied::default();
    for edit in &plan.edits {
        one(edit, plan.removing, places, &mut applied)?;
    }
    Ok(applied)
}

fn one(edit: &Edit, removing: bool, places: &Places, applied: &mut Applied) -> Result<(), Trouble> {
    match edit.deed {
        Deed::Nothing => return Ok(()),
        Deed::Forget => return forget(edit, places),
        _ => {}
    }
    unchanged(edit)?;
    let folder = edit
        .real
        .parent()
        .ok_or_else(|| Trouble::broken(&edit.file, "it has no folder"))?;
    let failed = |error: io::Error| Trouble::io(&edit.file, &error);
    let old_receipt = Receipt::of(places, &edit.file);
    file::make_folder(folder).map_err(failed)?;
    sweep(folder, &edit.real);
    // The bytes of before are in the backup of the first write; taking them back needs no other.
    let backup = match (&edit.before, edit.deed) {
        (Some(bytes), Deed::Add | Deed::Change | Deed::Remove) => {
            Some(back_up(&edit.real, bytes).map_err(failed)?)
        }
        _ => None,
    };
    let mut receipt = edit.receipt.clone();
    if let Some(receipt) = &mut receipt {
        receipt.leaving = removing;
        receipt
            .backups
            .extend(backup.iter().map(|path| path.to_string_lossy().into_owned()));
    }
    let done = receipt
        .as_ref()
        .map_or(Ok(()), |receipt| receipt.save(places).map_err(failed))
        .and_then(|()| swap(edit, folder));
    if let Err(trouble) = done {
        // As it was: without the backup and with the receipt of before.
        if let Some(backup) = &backup {
            let _ = fs::remove_file(backup);
        }
        let _ = match &old_receipt {
            Some(old) => old.save(places),
            None => Receipt::discard(places, &edit.file),
        };
        tidy_folders(edit.receipt.as_ref());
        return Err(trouble);
    }
    if let Err(error) = file::sync_folder(folder) {
        applied.notes.push(format!(
            "{}: written, but after a power failure the old content could be back ({error})",
            edit.file.display()
        ));
    }
    applied.files.push(edit.file.clone());
    if removing {
        finish_removing(edit, receipt.as_ref(), backup.as_deref(), places, applied);
    } else {
        applied.backups.extend(backup);
        prune(&edit.real, receipt, places);
    }
    Ok(())
}

/// The client's file is what it was before us; now our own traces go.
fn finish_removing(
    edit: &Edit,
    receipt: Option<&Receipt>,
    backup: Option<&Path>,
    places: &Places,
    applied: &mut Applied,
) {
    if let Err(error) = Receipt::discard(places, &edit.file) {
        applied
            .notes
            .push(format!("our own receipt could not be deleted: {error}"));
    }
    if edit.deed == Deed::Remove {
        applied.backups.extend(backup.map(Path::to_owned));
        return;
    }
    for path in receipt.into_iter().flat_map(|receipt| &receipt.backups) {
        let _ = fs::remove_file(path);
    }
    tidy_folders(receipt);
}

fn forget(edit: &Edit, places: &Places) -> Result<(), Trouble> {
    Receipt::discard(places, &edit.file).map_err(|error| Trouble::io(&edit.file, &error))?;
    if edit.before.is_none() {
        tidy_folders(edit.receipt.as_ref());
    }
    Ok(())
}

/// Folders that we made go again, if nothing is in them.
fn tidy_folders(receipt: Option<&Receipt>) {
    for folder in receipt
        .into_iter()
        .flat_map(|receipt| receipt.folders.iter().rev())
    {
        // Fails, as it should, where something is in it.
        let _ = fs::remove_dir(folder);
    }
}

/// The file is as it was when the plan was made.
fn unchanged(edit: &Edit) -> Result<(), Trouble> {
    let now = place::read(&edit.real).map_err(|error| Trouble::io(&edit.file, &error))?;
    if now == edit.before {
        Ok(())
    } else {
        Err(Trouble::Changed(edit.file.clone()))
    }
}

fn swap(edit: &Edit, folder: &Path) -> Result<(), Trouble> {
    let failed = |error: io::Error| Trouble::io(&edit.file, &error);
    let Some(after) = &edit.after else {
        unchanged(edit)?;
        return fs::remove_file(&edit.real).map_err(failed);
    };
    let temp = beside(&edit.real, "new").map_err(failed)?;
    let written = write_like(&temp, after, &edit.real)
        .map_err(failed)
        // The last look, as late as can be.
        .and_then(|()| unchanged(edit))
        .and_then(|()| fs::rename(&temp, &edit.real).map_err(failed));
    if written.is_err() {
        let _ = fs::remove_file(&temp);
    }
    debug_assert_eq!(
        temp.parent(),
        Some(folder),
        "a rename works within one file system"
    );
    written
}

/// A new file with the rights and the owner of the one that it will replace; of this user alone where there is none.
fn write_like(path: &Path, content: &[u8], model: &Path) -> io::Result<()> {
    let model = match fs::metadata(model) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut new = options.open(path)?;
    new.write_all(content)?;
    if let Some(model) = model {
        give(&new, &model)?;
        new.set_permissions(model.permissions())?;
    }
    new.sync_all()
}

#[cfg(unix)]
fn give(new: &File, model: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let mine = new.metadata()?;
    if (mine.uid(), mine.gid()) == (model.uid(), model.gid()) {
        return Ok(());
    }
    std::os::unix::fs::fchown(new, Some(model.uid()), Some(model.gid()))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "on Unix it can fail")]
fn give(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// A backup beside the file, with its rights.
fn back_up(real: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let stamp: String = clock::rfc3339(clock::wall_ms())
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let path = beside(real, &format!("{stamp}.bak"))?;
    write_like(&path, content, real)?;
    Ok(path)
}

/// `NAME.countersign-END`.
fn beside(real: &Path, end: &str) -> io::Result<PathBuf> {
    let name = real
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| io::Error::other("its name is not UTF-8"))?;
    Ok(real.with_file_name(format!("{name}.{MARK}-{end}")))
}

/// Takes away what a run of ours left that was killed. The lock is held, so nobody is using it.
fn sweep(folder: &Path, real: &Path) {
    if let Ok(temp) = beside(real, "new")
        && temp.parent() == Some(folder)
    {
        let _ = fs::remove_file(temp);
    }
}

/// The newest backups stay.
fn prune(real: &Path, receipt: Option<Receipt>, places: &Places) {
    let (Some(folder), Ok(start)) = (real.parent(), beside(real, "")) else {
        return;
    };
    let start = start
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut backups: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.strip_prefix(&start)
                .is_some_and(|end| end.strip_suffix(".bak").is_some())
        })
        .map(|entry| entry.path())
        .collect();
    backups.sort();
    let old = backups.len().saturating_sub(BACKUPS);
    let gone: Vec<PathBuf> = backups.drain(..old).collect();
    for path in &gone {
        let _ = fs::remove_file(path);
    }
    if let Some(mut receipt) = receipt.filter(|_| !gone.is_empty()) {
        receipt
            .backups
            .retain(|path| !gone.iter().any(|gone| gone.to_string_lossy() == *path));
        let _ = receipt.save(places);
    }
}
