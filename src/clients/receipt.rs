//! What we wrote where, so that it can be taken back to the byte, and so that a client that loses it is noticed.
//!
//! Owns: one small file per client file, in our own state folder. It holds the stretch that we changed and hashes, not the
//! client's file.

use super::Places;
use super::edit::Splice;
use crate::system::file;
use ring::digest;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// How many of our writes are remembered: the newest counts, an older one where a crash or a restored backup brought its
/// content back.
const KEEP: usize = 4;

/// One client file that we wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub(super) version: u32,
    pub(super) client: String,
    pub(super) file: String,
    /// When it was last written (UTC).
    pub(super) at: String,
    /// Whether there was no file before us.
    pub(super) created: bool,
    /// Whether the key that holds the servers came from us.
    pub(super) made_key: bool,
    /// Folders that were not there before us, the outermost first.
    pub(super) folders: Vec<String>,
    /// Backups that we laid beside the file.
    pub(super) backups: Vec<String>,
    /// An uninstall has begun: an entry that is gone is not lost.
    pub(super) leaving: bool,
    /// What we wrote, the newest last.
    pub(super) written: Vec<Written>,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    /// SHA-256 of the file without us; `None` where there was none.
    pub(super) before: Option<String>,
    /// SHA-256 of the file that we wrote.
    pub(super) after: String,
    pub(super) splice: Splice,
}

/// What a file was before us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// It was not there.
    NoFile,
    /// It said this.
    Text(String),
}

impl Before {
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::NoFile => None,
            Self::Text(text) => Some(text),
        }
    }
}

impl Receipt {
    /// What was there before us, if the file is exactly as we left it.
    pub(super) fn undo(&self, now: &str) -> Option<Before> {
        let hash = sha256(now.as_bytes());
        let written = self.written.iter().rev().find(|written| written.after == hash)?;
        let Some(before) = &written.before else {
            return Some(Before::NoFile);
        };
        let text = written.splice.back(now)?;
        (sha256(text.as_bytes()) == *before).then_some(Before::Text(text))
    }

    pub(super) fn remember(&mut self, written: Written) {
        self.written.retain(|old| *old != written);
        self.written.push(written);
        let old = self.written.len().saturating_sub(KEEP);
        self.written.drain(..old);
    }

    /// Reads the receipt of a file; a broken one is none.
    pub(super) fn of(places: &Places, file: &Path) -> Option<Self> {
        Self::read(&Self::path(places, file))
    }

    fn read(path: &Path) -> Option<Self> {
        let bytes = file::read_bounded(path, 64 << 20).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    /// The receipts of a client.
    pub(super) fn all_of(places: &Places, client: &str) -> Vec<Self> {
        let mut all: Vec<Self> = std::fs::read_dir(&places.receipts)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|end| end == "json"))
            .filter_map(|entry| Self::read(&entry.path()))
            .filter(|receipt| receipt.client == client)
            .collect();
        all.sort_by(|a, b| a.file.cmp(&b.file));
        all
    }

    pub(super) fn save(&self, places: &Places) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        file::write_atomic(&Self::path(places, Path::new(&self.file)), &bytes)
    }

    pub(super) fn discard(places: &Places, file: &Path) -> io::Result<()> {
        match std::fs::remove_file(Self::path(places, file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn path(places: &Places, file: &Path) -> PathBuf {
        let hash = sha256(file.to_string_lossy().as_bytes());
        places
            .receipts
            .join(format!("{}.json", hash.get(..16).unwrap_or_default()))
    }
}

/// In hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in digest::digest(&digest::SHA256, bytes).as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
