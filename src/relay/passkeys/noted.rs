//! A note of the registered keys beside the vault: what may be known without the PIN.
//!
//! Anybody who may write this user's files may write it, and nothing is decided by it but one refusal: where it says that
//! there is no key, nobody is asked for one.

use crate::passkey::KeyRing;
use crate::system::{Paths, file};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Endpoint to the names of its keys.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Noted(BTreeMap<String, Vec<String>>);

fn place(paths: &Paths) -> std::path::PathBuf {
    paths.state().join("passkeys.json")
}

fn read(paths: &Paths) -> Noted {
    let text = file::read_text(&place(paths), 64 * 1024).ok().flatten();
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// Notes which keys there are now.
///
/// # Errors
/// As the file system says.
pub(crate) fn note(paths: &Paths, endpoint: &str, ring: &KeyRing) -> std::io::Result<()> {
    if ring.is_empty() && !place(paths).exists() {
        return Ok(());
    }
    let mut all = read(paths);
    let names: Vec<String> = ring
        .keys()
        .iter()
        .map(|key| format!("{} ({})", key.name, key.short_id()))
        .collect();
    if names.is_empty() {
        all.0.remove(endpoint);
    } else {
        all.0.insert(endpoint.to_owned(), names);
    }
    file::write_atomic(&place(paths), &serde_json::to_vec(&all)?)
}

/// The names of the keys, as they were noted last.
pub(crate) fn noted(paths: &Paths, endpoint: &str) -> Vec<String> {
    read(paths).0.remove(endpoint).unwrap_or_default()
}
