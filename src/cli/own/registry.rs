//! What Windows keeps for this account in its registry: the account's `Path`, and our name and picture under
//! `AppUserModelId`. No notification of ours is shown under that name today: what asks is a dialog, and so are notices. It
//! stands there so that Windows has a name for us, were one ever shown, and is taken out again like all else. Both under
//! `HKEY_CURRENT_USER` alone, and only from the verb `self`: inside a packaged AI client such a write would land in that
//! client's private copy.
//!
//! Owns: those two places. Refuses to know: receipts. Programs that run learn of a new `Path` from the installer, which
//! sends the broadcast.

use super::search;
use windows_registry::{CURRENT_USER, Type};

const ENVIRONMENT: &str = "Environment";
const IDENTITIES: &str = r"Software\Classes\AppUserModelId";
/// The identity under which Windows would show a notification of ours.
const IDENTITY: &str = "Countersign";
/// `HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND)`: there is no such value.
const NOT_FOUND: i32 = 0x8007_0002_u32.cast_signed();

/// Adds the folder to the account's `Path`; `false` where it is there already.
pub(super) fn add_to_path(folder: &str) -> Result<bool, String> {
    change_path(|path| search::with(path, folder))
}

/// Takes the folder out of the account's `Path`; `false` where it is not there.
pub(super) fn remove_from_path(folder: &str) -> Result<bool, String> {
    change_path(|path| search::without(path, folder))
}

/// Whether the account's `Path` has the folder.
pub(super) fn is_on_path(folder: &str) -> bool {
    let text = CURRENT_USER
        .open(ENVIRONMENT)
        .and_then(|key| key.get_string("Path"))
        .unwrap_or_default();
    search::with(&text, folder).is_none()
}

fn change_path(change: impl FnOnce(&str) -> Option<String>) -> Result<bool, String> {
    let key = CURRENT_USER.create(ENVIRONMENT).map_err(wrong_path)?;
    let kind = match key.get_type("Path") {
        Ok(kind) => Some(kind),
        Err(error) if error.code().0 == NOT_FOUND => None,
        // A text that cannot be read must not be replaced by ours alone.
        Err(error) => return Err(wrong_path(error)),
    };
    let text = match kind {
        None => String::new(),
        Some(Type::String | Type::ExpandString) => key.get_string("Path").map_err(wrong_path)?,
        Some(_) => return Err("the account's Path is no text; nothing was changed".to_owned()),
    };
    let Some(text) = change(&text) else {
        return Ok(false);
    };
    match kind {
        _ if text.is_empty() => key.remove_value("Path"),
        // What stands there may name other variables (%USERPROFILE%): its kind stays.
        Some(Type::String) => key.set_string("Path", &text),
        _ => key.set_expand_string("Path", &text),
    }
    .map_err(wrong_path)?;
    Ok(true)
}

fn wrong_path(error: impl std::fmt::Display) -> String {
    format!("the account's Path: {error}")
}

/// Registers our name under `AppUserModelId`.
pub(super) fn register_identity() -> Result<(), String> {
    let key = CURRENT_USER
        .create(format!(r"{IDENTITIES}\{IDENTITY}"))
        .and_then(|key| key.set_string("DisplayName", "Countersign"));
    key.map_err(|error| format!("our name under AppUserModelId: {error}"))
}

/// Takes that name away.
pub(super) fn forget_identity() -> Result<(), String> {
    let key = CURRENT_USER.create(IDENTITIES);
    let removed = key.and_then(|key| match key.open(IDENTITY) {
        Ok(_) => key.remove_tree(IDENTITY),
        Err(_) => Ok(()),
    });
    removed.map_err(|error| format!("our name under AppUserModelId: {error}"))
}
