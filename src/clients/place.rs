//! The file behind a path: where links lead, whether it may be touched, what is in it.
//!
//! Owns: the refusals. A client's file is somebody else's; in doubt it is left alone.

use super::Places;
use super::plan::Trouble;
use crate::system::file;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// No client's file is longer; Claude Code's can be some megabytes.
const BOUND: u64 = 32 << 20;

/// A file as it was met.
#[derive(Debug, Clone)]
pub(super) struct Met {
    /// The path as the client names it.
    pub(super) named: PathBuf,
    /// Where it really lies: links are resolved, and stay links.
    pub(super) real: PathBuf,
    /// What is in it; `None` where there is no file.
    pub(super) bytes: Option<Vec<u8>>,
}

impl Met {
    /// The content as text, empty where there is no file.
    pub(super) fn text(&self) -> Result<&str, Trouble> {
        let bytes = self.bytes.as_deref().unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| Trouble::broken(&self.named, "it is not UTF-8 text"))
    }
}

/// Looks at a file. Where `told`, the person has named the path, and it may lie anywhere.
pub(super) fn meet(path: &Path, places: &Places, told: bool) -> Result<Met, Trouble> {
    let named = std::path::absolute(path).map_err(|error| Trouble::io(path, &error))?;
    let real = resolve(&named)?;
    if !told && !places.roots().iter().any(|root| is_within(&real, root)) {
        return Err(Trouble::LeadsAway {
            file: named,
            target: real,
        });
    }
    let bytes = read(&real).map_err(|error| Trouble::io(&named, &error))?;
    Ok(Met { named, real, bytes })
}

/// Reads it as it is now.
pub(super) fn read(real: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(real) {
        Ok(found) if !found.is_file() => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"))
        }
        Ok(_) => file::read_bounded(real, BOUND),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Refuses what should not be written: a file that is read-only was made so by somebody, and one of another user's is his.
pub(super) fn writable(met: &Met) -> Result<(), Trouble> {
    let Ok(found) = fs::metadata(&met.real) else {
        return Ok(());
    };
    if found.permissions().readonly() {
        return Err(Trouble::ReadOnly(met.named.clone()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let me = rustix::process::geteuid();
        if !me.is_root() && found.uid() != me.as_raw() {
            return Err(Trouble::NotYours(met.named.clone()));
        }
    }
    Ok(())
}

/// Follows links, also those of folders above a file that is not there yet.
fn resolve(path: &Path) -> Result<PathBuf, Trouble> {
    match fs::symlink_metadata(path) {
        Ok(_) => path.canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Trouble::broken(path, "it is a link that leads nowhere"),
            _ => Trouble::io(path, &error),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path
                .file_name()
                .ok_or_else(|| Trouble::broken(path, "it has no name"))?;
            let folder = path
                .parent()
                .ok_or_else(|| Trouble::broken(path, "it has no folder"))?;
            if folder.parent().is_none() {
                return Ok(path.to_owned());
            }
            Ok(resolve(folder)?.join(name))
        }
        Err(error) => Err(Trouble::io(path, &error)),
    }
}

fn is_within(path: &Path, root: &Path) -> bool {
    path.starts_with(root) || root.canonicalize().is_ok_and(|root| path.starts_with(root))
}

/// The folders above a file that are not there yet, the outermost first.
pub(super) fn missing_folders(real: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = real
        .ancestors()
        .skip(1)
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    missing
}
