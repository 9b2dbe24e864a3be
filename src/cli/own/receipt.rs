//! The receipt: what the installation changed on this account, so that its removal gives back what was there.
//!
//! Owns: the shape of the receipt and its file. Refuses to know: how a change is made or taken back.

use crate::system::{Paths, file};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The largest receipt that is read; real ones have under 4 KiB.
const MAX: u64 = 256 * 1024;
/// The version of its shape.
const SCHEMA: u32 = 1;

/// What was changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Receipt {
    pub(super) schema: u32,
    /// The version that was installed last.
    pub(super) version: String,
    /// The program that the installer put in place.
    pub(super) program: PathBuf,
    /// What was added to start-up files of shells (Unix).
    #[serde(default)]
    pub(super) edits: Vec<Edit>,
    /// The folder that was added to the account's `Path` (Windows).
    #[serde(default)]
    pub(super) search: Option<String>,
    /// Whether our name was registered under `AppUserModelId` (Windows).
    #[serde(default)]
    pub(super) identity: bool,
    /// Folders that were not there before, outermost first.
    #[serde(default)]
    pub(super) made: Vec<PathBuf>,
}

/// A text that was added at the end of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    pub(super) file: PathBuf,
    /// Exactly what was added.
    pub(super) added: String,
    /// Whether the file was not there before.
    pub(super) created: bool,
}

impl Receipt {
    /// A new one for this program.
    pub(super) fn of(program: &Path) -> Self {
        Self {
            schema: SCHEMA,
            program: program.to_owned(),
            ..Self::default()
        }
    }

    /// Where it lies.
    pub(super) fn path(paths: &Paths) -> PathBuf {
        paths.installed()
    }

    /// The receipt of this account, if an installer left one.
    ///
    /// # Errors
    /// Where it cannot be read or understood: guessing would take away what is not ours.
    pub(super) fn load(paths: &Paths) -> Result<Option<Self>, String> {
        let path = Self::path(paths);
        let wrong = |why: &str| format!("{}: {why}", path.display());
        let Some(bytes) = file::read_ours(&path, MAX).map_err(|error| wrong(&error.to_string()))? else {
            return Ok(None);
        };
        let receipt: Self = serde_json::from_slice(&bytes).map_err(|_| wrong("it is damaged"))?;
        if receipt.schema != SCHEMA {
            return Err(wrong("it was written by another version of Countersign"));
        }
        Ok(Some(receipt))
    }

    /// Writes it down.
    ///
    /// # Errors
    /// As the file system says.
    pub(super) fn save(&self, paths: &Paths) -> Result<(), String> {
        let path = Self::path(paths);
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        file::write_atomic(&path, &bytes).map_err(|error| format!("{}: {error}", path.display()))
    }
}
