//! A public key as browsers hand it out (`SubjectPublicKeyInfo`, RFC 5280 section 4.1), brought into the form that ring
//! takes. Only the one encoding that DER allows is read; everything else is refused.

use ring::signature::{self, VerificationAlgorithm};
use serde::{Deserialize, Serialize};

/// SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 0 unused bits, uncompressed point } } up to the
/// point's tag (RFC 5480).
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// SEQUENCE { SEQUENCE { id-Ed25519 }, BIT STRING { 0 unused bits } } up to the key (RFC 8410).
const ED25519: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// SEQUENCE { rsaEncryption, NULL } (RFC 3279).
const RSA: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];

/// What a key signs with (COSE algorithm numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256: -7.
    Es256,
    /// Ed25519: -8.
    EdDsa,
    /// RSASSA-PKCS1-v1.5 with SHA-256, 2048 to 8192 bits: -257. Older Windows Hello keys.
    Rs256,
}

impl TryFrom<i32> for Algorithm {
    type Error = String;

    fn try_from(number: i32) -> Result<Self, String> {
        match number {
            -7 => Ok(Self::Es256),
            -8 => Ok(Self::EdDsa),
            -257 => Ok(Self::Rs256),
            other => Err(format!("algorithm {other} is not one of -7, -8, -257")),
        }
    }
}

impl From<Algorithm> for i32 {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Es256 => -7,
            Algorithm::EdDsa => -8,
            Algorithm::Rs256 => -257,
        }
    }
}

impl Algorithm {
    fn of_ring(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Es256 => &signature::ECDSA_P256_SHA256_ASN1,
            Self::EdDsa => &signature::ED25519,
            Self::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        }
    }

    /// The raw key within an SPKI, where that is one of this algorithm.
    pub(super) fn raw_key(self, spki: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Es256 => {
                let point = spki.strip_prefix(P256)?;
                (point.len() == 65 && point.first() == Some(&4)).then_some(point)
            }
            Self::EdDsa => spki.strip_prefix(ED25519).filter(|key| key.len() == 32),
            Self::Rs256 => {
                let whole = element(0x30, spki)?;
                let bits = element(0x03, whole.strip_prefix(RSA)?)?;
                // The key in it is a SEQUENCE of two integers, which ring reads as strictly.
                let key = bits.strip_prefix(&[0])?;
                element(0x30, key).map(|_| key)
            }
        }
    }

    /// Whether `signature` over `message` is by this key.
    pub(super) fn verifies(self, spki: &[u8], message: &[u8], signed: &[u8]) -> bool {
        self.raw_key(spki).is_some_and(|key| {
            signature::UnparsedPublicKey::new(self.of_ring(), key)
                .verify(message, signed)
                .is_ok()
        })
    }
}

/// The content of the one DER element that `bytes` is, in its shortest encoding.
fn element(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (first, rest) = bytes.strip_prefix(&[tag])?.split_first()?;
    let (length, content) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => {
            let (length, content) = rest.split_first()?;
            (
                usize::from(*length)
                    .checked_sub(0x80)
                    .map(|_| usize::from(*length))?,
                content,
            )
        }
        0x82 => {
            let (length, content) = rest.split_at_checked(2)?;
            let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
            ((length > 0xff).then_some(length)?, content)
        }
        _ => return None,
    };
    (content.len() == length).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_has_one_encoding() {
        assert_eq!(element(0x30, &[0x30, 1, 9]), Some(&[9][..]));
        assert_eq!(element(0x30, &[0x30, 1, 9, 9]), None, "trailing");
        assert_eq!(element(0x30, &[0x30, 2, 9]), None, "cut");
        assert_eq!(element(0x30, &[0x31, 1, 9]), None, "another tag");
        assert_eq!(element(0x30, &[0x30, 0x81, 1, 9]), None, "not the shortest");
        assert_eq!(element(0x30, &[0x30, 0x82, 0, 1, 9]), None, "not the shortest");
        assert_eq!(element(0x30, &[0x30, 0x80, 9, 0, 0]), None, "without a length");
        let long = [&[0x30, 0x81, 0x80][..], &[7; 0x80]].concat();
        assert_eq!(element(0x30, &long).map(<[u8]>::len), Some(0x80));
    }

    #[test]
    fn a_key_of_another_kind_is_none_of_this_one() {
        let point = [P256, &[4; 65]].concat();
        assert!(Algorithm::Es256.raw_key(&point).is_some());
        assert!(Algorithm::EdDsa.raw_key(&point).is_none());
        assert!(Algorithm::Rs256.raw_key(&point).is_none());
        let compressed = [P256, &[2; 65]].concat();
        assert!(Algorithm::Es256.raw_key(&compressed).is_none());
        assert!(Algorithm::Es256.raw_key(&[&point[..], &[0]].concat()).is_none());
        assert!(Algorithm::EdDsa.raw_key(&[ED25519, &[1; 32]].concat()).is_some());
        assert!(Algorithm::EdDsa.raw_key(&[ED25519, &[1; 31]].concat()).is_none());
    }
}
