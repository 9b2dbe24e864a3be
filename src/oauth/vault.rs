//! The vault: one encrypted file with all registrations and grants.
//!
//! Owns: the file format, its key, every read and every change of it. Refuses to know: what the tokens are good for.
//!
//! The file is `header ‖ ciphertext`. Header (48 bytes): magic `CSIGNVLT`, format 1, store (0 keychain, 1 file), 6 zero
//! bytes, installation (16 random bytes), machine (first 4 bytes of a digest), nonce (12, random for every write). The
//! whole header is the associated data of ChaCha20-Poly1305, so that none of it can be changed. The key is
//! HKDF-SHA256 of the stored key over installation and machine: a copied vault does not open elsewhere even when its
//! key file was copied with it. A change is: lock, read, change, write beside, sync, rename, sync the folder.

use super::grants::GrantKind;
use super::key::{Key, KeyPlace, StoreKind};
use super::registration::Registration;
use super::secret::random;
use super::token::Tokens;
use crate::system::{FileLock, file, wall_ms};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"CSIGNVLT";
const FORMAT: u8 = 1;
const HEADER: usize = 48;
/// The largest vault that is read: 4 MiB; real ones are a few KiB.
const MAX_VAULT: u64 = 4 * 1024 * 1024;
/// How long a change waits for another process's change (some of them wait for the keychain).
const LOCK_LIMIT: Duration = Duration::from_secs(20);

/// Everything in the vault.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Contents {
    pub(super) schema: u32,
    #[serde(default)]
    pub(super) registrations: Vec<Registration>,
    #[serde(default)]
    pub(super) grants: Vec<StoredGrant>,
    /// Wall clock times of registrations in the last hour, tried ones included, with their issuer.
    #[serde(default)]
    pub(super) registered: Vec<(String, u64)>,
    #[serde(default)]
    pub(super) tries: Tries,
}

/// Wrong PINs since the last right one. Kept through restarts, counted before the PIN is looked at.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Tries {
    pub(super) wrong: u32,
    /// Wall clock.
    pub(super) last_ms: u64,
}

/// A grant for one endpoint, from one issuer, of one kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredGrant {
    pub(super) endpoint: String,
    pub(super) kind: GrantKind,
    /// Serves both lanes (`--single-grant`).
    #[serde(default)]
    pub(super) single: bool,
    /// The string that is sent as `resource` (RFC 8707).
    pub(super) resource: String,
    pub(super) registration: Registration,
    pub(super) token_endpoint: String,
    #[serde(default)]
    pub(super) revocation_endpoint: Option<String>,
    #[serde(default)]
    pub(super) scope: Option<String>,
    pub(super) state: State,
}

/// What is left of a grant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Tokens, with the time at which spending the refresh token began, if it did not end.
    Open {
        tokens: Tokens,
        #[serde(default)]
        spending_since_ms: Option<u64>,
    },
    /// Under the PIN.
    Sealed(super::seal::Sealed),
    /// Ended by the service, with the reason: no browser opens by itself.
    Withdrawn(String),
}

impl Contents {
    /// The grant for this endpoint and kind; a single grant also serves reading.
    pub(super) fn grant(&self, endpoint: &str, kind: GrantKind) -> Option<&StoredGrant> {
        let exact = self
            .grants
            .iter()
            .find(|grant| grant.endpoint == endpoint && grant.kind == kind);
        exact.or_else(|| {
            let mut trade = self
                .grants
                .iter()
                .filter(|grant| grant.endpoint == endpoint && grant.single);
            trade.find(|_| kind == GrantKind::Read)
        })
    }

    pub(super) fn grant_mut(&mut self, endpoint: &str, kind: GrantKind) -> Option<&mut StoredGrant> {
        self.grants
            .iter_mut()
            .find(|grant| grant.endpoint == endpoint && grant.kind == kind)
    }
}

/// The vault could not be used; the words are for the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct VaultError(pub(super) String);

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

/// The part of the file that is not encrypted.
#[derive(Debug, Clone, Copy)]
struct Header {
    store: StoreKind,
    installation: [u8; 16],
    machine: [u8; 4],
    nonce: [u8; 12],
}

impl Header {
    fn write(&self) -> [u8; HEADER] {
        let store = match self.store {
            StoreKind::Keychain => 0,
            StoreKind::File => 1,
        };
        let parts: [&[u8]; 6] = [
            MAGIC,
            &[FORMAT, store],
            &[0; 6],
            &self.installation,
            &self.machine,
            &self.nonce,
        ];
        let mut bytes = [0; HEADER];
        for (to, from) in bytes.iter_mut().zip(parts.concat()) {
            *to = from;
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or("it is cut short")?;
        let (magic, rest) = header.split_first_chunk::<8>().ok_or("it is cut short")?;
        let ([format, store, zero @ ..], rest) = rest.split_first_chunk::<8>().ok_or("it is cut short")?;
        if magic != MAGIC || *zero != [0; 6] {
            return Err("it is no vault");
        }
        if *format != FORMAT {
            return Err("it was written by a newer version of Countersign");
        }
        let store = match store {
            0 => StoreKind::Keychain,
            1 => StoreKind::File,
            _ => return Err("it is damaged"),
        };
        let (installation, rest) = rest.split_first_chunk::<16>().ok_or("it is cut short")?;
        let (machine, rest) = rest.split_first_chunk::<4>().ok_or("it is cut short")?;
        let nonce = rest.first_chunk::<12>().ok_or("it is cut short")?;
        Ok(Self {
            store,
            installation: *installation,
            machine: *machine,
            nonce: *nonce,
        })
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
        let _lock = lock.map_err(|error| VaultError(format!("the vault cannot be locked: {error}")))?;
        let opened = self.open()?;
        let (mut contents, before, header) = match opened {
            Some(opened) => (opened.contents, Some(opened.plain), Some(opened.header)),
            None => (Contents::default(), None, None),
        };
        let result = change(&mut contents);
        contents.schema = 1;
        let plain = serde_json::to_vec(&contents).map(Zeroizing::new);
        let plain = plain.map_err(|_| VaultError("the vault cannot be written down".to_owned()))?;
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
            .ok_or_else(|| VaultError("there is no vault".to_owned()))?;
        let header = self.header(&bytes)?;
        let key = self.key(header.store, header.installation)?;
        derive(&key, &header.installation, self.machine, b"countersign pepper 1")
    }

    /// Moves a vault that cannot be opened out of the way; returns where to.
    pub(super) fn set_aside(&self) -> Result<PathBuf, VaultError> {
        let lock = FileLock::take_blocking(&self.lock, LOCK_LIMIT);
        let _lock = lock.map_err(|error| VaultError(format!("the vault cannot be locked: {error}")))?;
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".unreadable-{}", wall_ms()));
        let target = PathBuf::from(name);
        std::fs::rename(&self.path, &target).map_err(|error| self.trouble(&error.to_string()))?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(target)
    }

    fn trouble(&self, reason: &str) -> VaultError {
        VaultError(format!(
            "the vault {} cannot be used: {reason}",
            self.path.display()
        ))
    }

    fn bytes(&self) -> Result<Option<Vec<u8>>, VaultError> {
        file::read_bounded(&self.path, MAX_VAULT).map_err(|error| self.trouble(&error.to_string()))
    }

    fn header(&self, bytes: &[u8]) -> Result<Header, VaultError> {
        let header = Header::read(bytes).map_err(|reason| self.trouble(reason))?;
        if header.machine != self.machine {
            return Err(self.trouble(
                "it was made on another machine; a vault is not copied: run `countersign logout`, then `countersign login`",
            ));
        }
        match &self.chosen {
            Err(reason) => Err(VaultError(reason.clone())),
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
            self.trouble(
                "it is damaged, or its key is another one: restore it, or run `countersign logout` to set it aside",
            )
        })?;
        let plain = Zeroizing::new(plain.to_vec());
        let contents: Contents =
            serde_json::from_slice(&plain).map_err(|_| self.trouble("its content cannot be read"))?;
        if contents.schema != 1 {
            return Err(self.trouble("it was written by a newer version of Countersign"));
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
        let nonce = random().map_err(|error| VaultError(error.to_string()))?;
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
            VaultError(format!(
                "the vault {} cannot be saved: {error}; the old one stands",
                self.path.display()
            ))
        })
    }

    fn aead(&self, key: &Key, installation: &[u8; 16]) -> Result<LessSafeKey, VaultError> {
        let derived = derive(key, installation, self.machine, b"countersign vault 1")?;
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
            .map_err(VaultError)?;
        let key = found.ok_or_else(|| {
            self.trouble(&format!(
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
            .map_err(VaultError)?
            .unwrap_or(StoreKind::Keychain);
        let installation = random().map_err(|error| VaultError(error.to_string()))?;
        let key: Key = Zeroizing::new(random().map_err(|error| VaultError(error.to_string()))?);
        self.place
            .save(store, &entry_name(&installation), &key, self.patience())
            .map_err(VaultError)?;
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
        && contents.registered.is_empty()
        && contents.tries.wrong == 0
}

fn entry_name(installation: &[u8; 16]) -> String {
    use std::fmt::Write as _;
    installation.iter().fold("vault-".to_owned(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// HKDF-SHA256 (RFC 5869): salt is the installation, info names the use and the machine.
fn derive(key: &Key, installation: &[u8; 16], machine: [u8; 4], label: &[u8]) -> Result<Key, VaultError> {
    let pseudo = hkdf::Salt::new(hkdf::HKDF_SHA256, installation).extract(&key[..]);
    let info: [&[u8]; 2] = [label, &machine];
    let mut out: Key = Zeroizing::new([0; 32]);
    let expanded = pseudo.expand(&info, hkdf::HKDF_SHA256);
    expanded
        .and_then(|okm| okm.fill(&mut out[..]))
        .map_err(|_| VaultError("no key can be derived".to_owned()))?;
    Ok(out)
}

/// What tells this machine from others, where the system has such a thing (Linux; elsewhere the keychain binds).
pub(super) fn machine_mark() -> [u8; 4] {
    let id = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| file::read_text(Path::new(path), 256).ok().flatten())
        .unwrap_or_default();
    let digest = ring::digest::digest(
        &ring::digest::SHA256,
        format!("countersign {}", id.trim()).as_bytes(),
    );
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}
