//! The part of the vault's file that is not encrypted, and the keys that belong to it.
//!
//! Owns: the layout of the header, key derivation. Refuses to know: the content.
//!
//! Header (48 bytes): magic `CSIGNVLT`, format 1, store (0 keychain, 1 file), 6 zero bytes, installation (16 random
//! bytes), machine (first 4 bytes of a digest), nonce (12, random for every write).

use super::key::{Key, StoreKind};
use crate::system::machine;
use ring::hkdf;
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"CSIGNVLT";
const FORMAT: u8 = 1;
/// The length of the header in bytes.
pub(super) const HEADER: usize = 48;

/// The part of the file that is not encrypted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) store: StoreKind,
    pub(super) installation: [u8; 16],
    pub(super) machine: [u8; 4],
    pub(super) nonce: [u8; 12],
}

/// What is wrong with the head of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// Made by a version that we do not know.
    Newer,
    /// No vault, or no longer one.
    Damaged(&'static str),
}

impl Header {
    pub(super) fn write(&self) -> [u8; HEADER] {
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

    pub(super) fn read(bytes: &[u8]) -> Result<Self, BadHeader> {
        const CUT: BadHeader = BadHeader::Damaged("it is cut short");
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or(CUT)?;
        let (magic, rest) = header.split_first_chunk::<8>().ok_or(CUT)?;
        let ([format, store, zero @ ..], rest) = rest.split_first_chunk::<8>().ok_or(CUT)?;
        if magic != MAGIC || *zero != [0; 6] {
            return Err(BadHeader::Damaged("it is no vault"));
        }
        if *format != FORMAT {
            return Err(BadHeader::Newer);
        }
        let store = match store {
            0 => StoreKind::Keychain,
            1 => StoreKind::File,
            _ => return Err(BadHeader::Damaged("it is damaged")),
        };
        let (installation, rest) = rest.split_first_chunk::<16>().ok_or(CUT)?;
        let (machine, rest) = rest.split_first_chunk::<4>().ok_or(CUT)?;
        let nonce = rest.first_chunk::<12>().ok_or(CUT)?;
        Ok(Self {
            store,
            installation: *installation,
            machine: *machine,
            nonce: *nonce,
        })
    }
}

/// The name of the key in the keychain.
pub(super) fn entry_name(installation: &[u8; 16]) -> String {
    use std::fmt::Write as _;
    installation.iter().fold("vault-".to_owned(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// HKDF-SHA256 (RFC 5869): salt is the installation, info names the use and the machine.
pub(super) fn derive(key: &Key, installation: &[u8; 16], machine: [u8; 4], label: &[u8]) -> Option<Key> {
    let pseudo = hkdf::Salt::new(hkdf::HKDF_SHA256, installation).extract(&key[..]);
    let info: [&[u8]; 2] = [label, &machine];
    let mut out: Key = Zeroizing::new([0; 32]);
    let expanded = pseudo.expand(&info, hkdf::HKDF_SHA256);
    expanded.and_then(|okm| okm.fill(&mut out[..])).ok()?;
    Some(out)
}

/// What tells this machine from others, where the system has such a thing.
pub(super) fn machine_mark() -> [u8; 4] {
    let id = machine::id();
    let digest = ring::digest::digest(
        &ring::digest::SHA256,
        format!("countersign {}", id.trim()).as_bytes(),
    );
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}
