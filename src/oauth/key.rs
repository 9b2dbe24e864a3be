//! Where the vault's key lies: the keychain of the operating system, or a file where the person chose that.
//!
//! Owns: reaching the keychain with a time limit, the key file and its permissions. Refuses to know: the vault.
//! Keychain calls block, and can wait for a dialog: each runs on a thread of its own, which is left behind when the
//! limit passes (it holds nothing that anyone waits for).

use crate::system::{World, file};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The key of the vault.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// The name under which keychains show the entry.
const SERVICE: &str = "countersign";

/// How the person chooses the file.
pub(super) const FILE_HINT: &str = "where there is no keychain, set COUNTERSIGN_STORE=file to keep the key in a file that only this user can read";

/// Where the vault's key lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// The keychain of the operating system.
    Keychain,
    /// A file beside the vault: whoever can read this user's files can open the vault.
    File,
}

impl StoreKind {
    /// `keychain` or `file`, as `COUNTERSIGN_STORE` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keychain => "keychain",
            Self::File => "file",
        }
    }
}

/// What the person chose with `COUNTERSIGN_STORE`; `None` where they said nothing.
///
/// # Errors
/// For any other word: guessing could put the key where it was not wanted.
pub(super) fn chosen(world: &World) -> Result<Option<StoreKind>, String> {
    match world.env.text("COUNTERSIGN_STORE") {
        None => Ok(None),
        Some("keychain") => Ok(Some(StoreKind::Keychain)),
        Some("file") => Ok(Some(StoreKind::File)),
        Some(_) => Err("COUNTERSIGN_STORE must be `keychain` or `file`".to_owned()),
    }
}

/// The seam at which tests put a keychain of their own.
pub(super) trait Keychain: Send + Sync {
    /// The text under this name, if any.
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String>;
    /// Deletes what lies under this name; what is not there counts as deleted.
    fn remove(&self, name: &str) -> Result<(), String>;
    /// Keeps a text under this name.
    fn save(&self, name: &str, secret: &[u8]) -> Result<(), String>;
}

/// The keychain of the operating system.
#[derive(Debug)]
pub(super) struct SystemKeychain;

impl Keychain for SystemKeychain {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        load_entry(name)
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        match entry(name)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(describe(&error)),
        }
    }

    fn save(&self, name: &str, secret: &[u8]) -> Result<(), String> {
        save_entry(name, secret)
    }
}

/// The text under this name in the keychain, if any.
pub(super) fn load_entry(name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    match entry(name)?.get_secret() {
        Ok(secret) => Ok(Some(Zeroizing::new(secret))),
        Err(keyring::Error::NoEntry) => Ok(None),
        Err(error) => Err(describe(&error)),
    }
}

/// Keeps a text under this name in the keychain.
pub(super) fn save_entry(name: &str, secret: &[u8]) -> Result<(), String> {
    entry(name)?.set_secret(secret).map_err(|error| describe(&error))
}

/// Takes an entry out of the keychain; one that is not there is fine.
pub(super) fn remove_entry(name: &str) -> Result<(), String> {
    match entry(name)?.delete_credential() {
        Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
        Err(error) => Err(describe(&error)),
    }
}

fn entry(name: &str) -> Result<keyring::Entry, String> {
    if keyring::Entry::store_status().is_err() {
        return Err("there is none that can be reached".to_owned());
    }
    keyring::Entry::new(SERVICE, name).map_err(|error| describe(&error))
}

/// In our own words: some error values carry the secret itself.
fn describe(error: &keyring::Error) -> String {
    match error {
        keyring::Error::NoStorageAccess(_) => "it is locked or refuses access",
        keyring::Error::PlatformFailure(_) => "it failed",
        keyring::Error::NoDefaultStore => "there is none that can be reached",
        keyring::Error::Ambiguous(_) => "it holds two entries of this name",
        keyring::Error::BadEncoding(_) | keyring::Error::BadDataFormat(..) => "its entry is damaged",
        _ => "it does not do what is needed",
    }
    .to_owned()
}

/// Why the key cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoKey {
    /// Its place cannot be used now.
    #[error("{0}")]
    Trouble(String),
    /// What lies in its place is no key.
    #[error("the vault's key is damaged")]
    Damaged,
}

/// The place of the key.
pub(super) struct KeyPlace {
    pub(super) keychain: std::sync::Arc<dyn Keychain>,
    pub(super) file: PathBuf,
}

impl KeyPlace {
    /// The key under this name, if there is one.
    pub(super) fn load(&self, kind: StoreKind, name: &str, limit: Duration) -> Result<Option<Key>, NoKey> {
        let text = match kind {
            StoreKind::Keychain => {
                let (keychain, name) = (self.keychain.clone(), name.to_owned());
                with_limit(limit, move || keychain.load(&name))
            }
            StoreKind::File => self.load_file(),
        };
        let text = text.map_err(NoKey::Trouble)?;
        text.map(|text| decode(&text)).transpose()
    }

    /// Keeps a new key, and reads it back: a key that is lost takes the vault with it.
    pub(super) fn save(&self, kind: StoreKind, name: &str, key: &Key, limit: Duration) -> Result<(), String> {
        let text = Zeroizing::new(STANDARD_NO_PAD.encode(&key[..]));
        match kind {
            StoreKind::Keychain => {
                let (keychain, name) = (self.keychain.clone(), name.to_owned());
                with_limit(limit, move || keychain.save(&name, text.as_bytes()))?;
            }
            StoreKind::File => file::write_atomic(&self.file, text.as_bytes())
                .map_err(|error| format!("{}: {error}", self.file.display()))?,
        }
        match self.load(kind, name, limit).map_err(|error| error.to_string())? {
            Some(back) if back == *key => Ok(()),
            _ => Err(format!("the {} did not keep the key", kind.as_str())),
        }
    }

    /// Deletes the key under this name.
    pub(super) fn remove(&self, kind: StoreKind, name: &str, limit: Duration) -> Result<(), String> {
        match kind {
            StoreKind::Keychain => {
                let (keychain, name) = (self.keychain.clone(), name.to_owned());
                with_limit(limit, move || keychain.remove(&name))
            }
            StoreKind::File => match std::fs::remove_file(&self.file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(format!("{}: {error}", self.file.display()))
                }
                Ok(()) | Err(_) => Ok(()),
            },
        }
    }

    fn load_file(&self) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        let shown = self.file.display();
        let text = file::read_bounded(&self.file, 1024).map_err(|error| format!("{shown}: {error}"))?;
        #[cfg(unix)]
        if text.is_some() {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&self.file).map_err(|error| format!("{shown}: {error}"))?;
            if mode.permissions().mode() & 0o077 != 0 {
                return Err(format!(
                    "{shown} can be read by others: run `chmod 600` on it, then sign in anew"
                ));
            }
        }
        Ok(text.map(Zeroizing::new))
    }
}

impl std::fmt::Debug for KeyPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyPlace")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

fn decode(text: &[u8]) -> Result<Key, NoKey> {
    let bytes = STANDARD_NO_PAD.decode(text.trim_ascii()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| NoKey::Damaged)?;
    let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| NoKey::Damaged)?;
    Ok(Zeroizing::new(key))
}

/// Runs what may wait for a dialog on a thread of its own, for at most this long.
pub(super) fn with_limit<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (tell, told) = mpsc::sync_channel(1);
    let told_of = |reason: &str| format!("the keychain cannot be used: {reason}; {FILE_HINT}");
    let thread = std::thread::Builder::new()
        .name("keychain".to_owned())
        .spawn(move || {
            let _ = tell.send(work());
        });
    thread.map_err(|error| told_of(&error.to_string()))?;
    match told.recv_timeout(limit) {
        Ok(result) => result.map_err(|reason| told_of(&reason)),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(told_of(&format!(
            "no answer within {} s (is a dialog waiting to unlock it?)",
            limit.as_secs()
        ))),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(told_of("it failed")),
    }
}
