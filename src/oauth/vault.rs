//! The vault: one encrypted file with all registrations and grants.
//!
//! Owns: every read and every change of the file, and its key in memory. Refuses to know: what lies in it.
//!
//! The file is `header ‖ ciphertext ‖ tag`. The whole header is the associated data of `ChaCha20-Poly1305`, so that
//! none of it can be changed. The key is HKDF-SHA256 of the stored key over installation and machine, so that a vault
//! that was copied together with its key file is not simply used elsewhere. A change is: lock, read, change, write
//! beside, sync, rename, sync the folder.

use super::contents::Contents;
use super::header::{BadHeader, HEADER, Header, derive, entry_name};
use super::key::{Key, KeyPlace, NoKey, StoreKind};
use super::secret::random;
use crate::system::{FileLock, file, wall_ms};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// The largest vault that is read: 4 MiB; real ones are a few KiB.
const MAX_VAULT: u64 = 4 * 1024 * 1024;
/// Why what decrypts well may still not be understood.
const NEWER: &str = "it was written by a newer version of Countersign";
/// How long a change waits for another process's change (some of them wait for the keychain).
const LOCK_LIMIT: Duration = Duration::from_secs(20);

/// The vault could not be used; the words are for the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum VaultError {
    /// It may be usable later, or with another setting: a locked keychain, a full disk, a newer version.
    #[error("{0}")]
    Trouble(String),
    /// It never opens again: damaged, or its key is gone or another one.
    #[error("{0}")]
    Lost(String),
}

/// The vault of this installation. All its functions block.
#[derive(Debug)]
pub(super) struct Vault {
    pub(super) path: PathBuf,
    pub(super) lock: PathBuf,
    pub(super) chosen: Result<Option<StoreKind>, String>,
    pub(super) place: KeyPlace,
    /// How long a keychain call may take, in seconds.
    pub(super) patience_s: AtomicU64,
    pub(super) machine: [u8; 4],
    pub(super) known: Mutex<Option<Known>>,
}

/// The key of an installation, once it was fetched.
pub(super) struct Known {
    installation: [u8; 16],
    store: StoreKind,
    key: Key,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// The vault as it was found: `None` where there is none.
struct Opened {
    contents: Contents,
    plain: Zeroizing<Vec<u8>>,
    header: Header,
}

impl Vault {
    /// Reads everything. No vault is an empty one, without asking for any key.
    pub(super) fn read(&self) -> Result<Contents, VaultError> {
        Ok(self.open()?.map(|opened| opened.contents).unwrap_or_default())
    }

    /// Changes the vault under its lock. Nothing is written where nothing changed; when this returns, the change is
    /// on the disk. On an error the old file still stands.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Contents) -> T) -> Result<T, VaultError> {
        let lock = FileLock::take_blocking(&self.lock, LOCK_LIMIT);
        let _lock =
            lock.map_err(|error| VaultError::Trouble(format!("the vault cannot be locked: {error}")))?;
        let opened = self.open()?;
        let (mut contents, before, header) = match opened {
            Some(opened) => (opened.contents, Some(opened.plain), Some(opened.header)),
            None => (Contents::default(), None, None),
        };
        let result = change(&mut contents);
        contents.schema = 1;
        let plain = serde_json::to_vec(&contents).map(Zeroizing::new);
        let plain = plain.map_err(|_| VaultError::Trouble("the vault cannot be written down".to_owned()))?;
        let nothing_yet = before.is_none() && is_empty(&contents);
        if nothing_yet || before.as_ref().is_some_and(|before| **before == *plain) {
            return Ok(result);
        }
        let (store, installation) = match header {
            Some(header) => (header.store, header.installation),
            None => self.found()?,
        };
        self.write(store, installation, plain)?;
        Ok(result)
    }

    /// Where the key lies; `None` while there is no vault.
    pub(super) fn store(&self) -> Result<Option<StoreKind>, VaultError> {
        let bytes = self.bytes()?;
        bytes
            .map(|bytes| self.header(&bytes).map(|header| header.store))
            .transpose()
    }

    /// 32 bytes that whoever has the vault's files alone does not have.
    pub(super) fn pepper(&self) -> Result<Key, VaultError> {
        let bytes = self
            .bytes()?
            .ok_or_else(|| VaultError::Trouble("there is no vault".to_owned()))?;
        let header = self.header(&bytes)?;
        let key = self.key(header.store, header.installation)?;
        derive(&key, &header.installation, self.machine, b"countersign pepper 1")
            .ok_or_else(|| self.trouble("its key is unusable"))
    }

    /// Moves a vault out of the way that never opens again; returns where to. Looked at anew under the lock: by now
    /// there may be another one.
    pub(super) fn set_aside(&self) -> Result<PathBuf, VaultError> {
        let lock = FileLock::take_blocking(&self.lock, LOCK_LIMIT);
        let _lock =
            lock.map_err(|error| VaultError::Trouble(format!("the vault cannot be locked: {error}")))?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match self.open() {
            Err(VaultError::Lost(_)) => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(self.trouble("it was replaced meanwhile: try again")),
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".unreadable-{}", wall_ms()));
        let target = PathBuf::from(name);
        std::fs::rename(&self.path, &target).map_err(|error| self.trouble(&error.to_string()))?;
        Ok(target)
    }

    /// Deletes the key from its place; returns where it lay, or `None` where there is no vault.
    pub(super) fn forget_key(&self) -> Result<Option<StoreKind>, VaultError> {
        let Some(bytes) = self.bytes()? else {
            return Ok(None);
        };
        let header = self.header(&bytes)?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.place
            .remove(header.store, &entry_name(&header.installation), self.patience())
            .map_err(VaultError::Trouble)?;
        Ok(Some(header.store))
    }

    fn trouble(&self, reason: &str) -> VaultError {
        VaultError::Trouble(self.words(reason))
    }

    fn lost(&self, reason: &str) -> VaultError {
        VaultError::Lost(self.words(reason))
    }

    fn words(&self, reason: &str) -> String {
        format!("the vault {} cannot be used: {reason}", self.path.display())
    }

    fn bytes(&self) -> Result<Option<Vec<u8>>, VaultError> {
        file::read_bounded(&self.path, MAX_VAULT).map_err(|error| match error.kind() {
            ErrorKind::InvalidData => self.lost(&error.to_string()),
            _ => self.trouble(&error.to_string()),
        })
    }

    fn header(&self, bytes: &[u8]) -> Result<Header, VaultError> {
        let header = Header::read(bytes).map_err(|error| match error {
            BadHeader::Newer => self.trouble(NEWER),
            BadHeader::Damaged(reason) => self.lost(reason),
        })?;
        if header.machine != self.machine {
            return Err(self.lost(
                "it was made on another machine; a vault is not copied: run `countersign logout`, then `countersign login`",
            ));
        }
        match &self.chosen {
            Err(reason) => Err(VaultError::Trouble(reason.clone())),
            Ok(Some(chosen)) if *chosen != header.store => Err(self.trouble(&format!(
                "its key lies in the {}, but COUNTERSIGN_STORE says {}: run `countersign logout` with the former first",
                header.store.as_str(),
                chosen.as_str()
            ))),
            Ok(_) => Ok(header),
        }
    }

    fn open(&self) -> Result<Option<Opened>, VaultError> {
        let Some(mut bytes) = self.bytes()? else {
            return Ok(None);
        };
        let header = self.header(&bytes)?;
        let key = self.key(header.store, header.installation)?;
        let aead = self.aead(&key, &header.installation)?;
        let nonce = Nonce::assume_unique_for_key(header.nonce);
        let mut sealed = Zeroizing::new(bytes.split_off(HEADER));
        let plain = aead.open_in_place(nonce, Aad::from(&bytes), &mut sealed).map_err(|_| {
            self.lost(
                "it is damaged, or its key is another one: restore it, or run `countersign logout` to set it aside",
            )
        })?;
        let plain = Zeroizing::new(plain.to_vec());
        let contents: Contents = serde_json::from_slice(&plain).map_err(|_| self.trouble(NEWER))?;
        if contents.schema != 1 {
            return Err(self.trouble(NEWER));
        }
        Ok(Some(Opened {
            contents,
            plain,
            header,
        }))
    }

    fn write(
        &self,
        store: StoreKind,
        installation: [u8; 16],
        mut plain: Zeroizing<Vec<u8>>,
    ) -> Result<(), VaultError> {
        let nonce = random().map_err(|error| VaultError::Trouble(error.to_string()))?;
        let header = Header {
            store,
            installation,
            machine: self.machine,
            nonce,
        }
        .write();
        let key = self.key(store, installation)?;
        let aead = self.aead(&key, &installation)?;
        let tag = aead
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(&header),
                &mut plain,
            )
            .map_err(|_| self.trouble("it cannot be encrypted"))?;
        let whole = [&header[..], &plain, tag.as_ref()].concat();
        file::write_atomic(&self.path, &whole).map_err(|error| {
            let outcome = if file::is_replaced(&error) {
                ""
            } else {
                "; the old one stands"
            };
            VaultError::Trouble(format!(
                "the vault {} cannot be saved: {error}{outcome}",
                self.path.display()
            ))
        })
    }

    fn aead(&self, key: &Key, installation: &[u8; 16]) -> Result<LessSafeKey, VaultError> {
        let derived = derive(key, installation, self.machine, b"countersign vault 1")
            .ok_or_else(|| self.trouble("its key is unusable"))?;
        let unbound = UnboundKey::new(&CHACHA20_POLY1305, &derived[..]);
        unbound
            .map(LessSafeKey::new)
            .map_err(|_| self.trouble("its key is unusable"))
    }

    /// The key, from memory or from its place.
    fn key(&self, store: StoreKind, installation: [u8; 16]) -> Result<Key, VaultError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known
            .as_ref()
            .filter(|known| known.installation == installation && known.store == store)
        {
            return Ok(known.key.clone());
        }
        drop(known);
        let found = self
            .place
            .load(store, &entry_name(&installation), self.patience())
            .map_err(|error| match error {
                NoKey::Trouble(reason) => VaultError::Trouble(reason),
                NoKey::Damaged => self.lost(
                    "its key is damaged: run `countersign logout` to set it aside, then `countersign login`",
                ),
            })?;
        let key = found.ok_or_else(|| {
            self.lost(&format!(
                "its key is not in the {} any more: run `countersign logout` to set it aside, then `countersign login`",
                store.as_str()
            ))
        })?;
        self.remember(store, installation, key.clone());
        Ok(key)
    }

    /// Makes a new installation with a new key, kept before the vault is written.
    fn found(&self) -> Result<(StoreKind, [u8; 16]), VaultError> {
        let store = self
            .chosen
            .clone()
            .map_err(VaultError::Trouble)?
            .unwrap_or(StoreKind::Keychain);
        let installation = random().map_err(|error| VaultError::Trouble(error.to_string()))?;
        let key: Key = Zeroizing::new(random().map_err(|error| VaultError::Trouble(error.to_string()))?);
        self.place
            .save(store, &entry_name(&installation), &key, self.patience())
            .map_err(VaultError::Trouble)?;
        self.remember(store, installation, key);
        Ok((store, installation))
    }

    fn remember(&self, store: StoreKind, installation: [u8; 16], key: Key) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Known {
            installation,
            store,
            key,
        });
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.patience_s.load(Ordering::Relaxed))
    }
}

fn is_empty(contents: &Contents) -> bool {
    contents.registrations.is_empty()
        && contents.grants.is_empty()
        && contents.bound.is_empty()
        && contents.registered.is_empty()
        && contents.tries.wrong == 0
}
