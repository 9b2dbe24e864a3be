//! What `setup` remembers of itself: answers that leave no trace elsewhere.
//!
//! Owns: `setup.json` in the state folder. Refuses to know: whatever can be seen in the vault, the settings, the policy
//! or a client's file; that is looked at each time.

use crate::system::{Paths, file};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// The largest memo (bytes).
const MAX: u64 = 64 * 1024;

/// The memo. One that cannot be read counts as none: then some things are asked once more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memo {
    /// The tier that was chosen.
    pub(super) tier: Option<String>,
    /// The phrase was asked for.
    pub(super) phrase: bool,
    /// Clients that the person did not want.
    pub(super) declined: bool,
    /// The practice order was denied once, and approved once.
    pub(super) practised: bool,
    /// Digest of the policy that setup wrote: unchanged, it may be taken back.
    pub(super) policy: Option<String>,
}

impl Memo {
    /// Reads it.
    pub(super) fn load(paths: &Paths) -> Self {
        file::read_bounded(&place(paths), MAX)
            .ok()
            .flatten()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// Writes it.
    ///
    /// # Errors
    /// As the file system says.
    pub(super) fn save(&self, paths: &Paths) -> io::Result<()> {
        file::make_folder(paths.state())?;
        file::write_atomic(&place(paths), &serde_json::to_vec(self)?)
    }

    /// Takes it away; setup begins anew.
    ///
    /// # Errors
    /// As the file system says.
    pub(super) fn forget(paths: &Paths) -> io::Result<()> {
        match std::fs::remove_file(place(paths)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn place(paths: &Paths) -> PathBuf {
    paths.state().join("setup.json")
}
