//! Secrets as types that cannot be printed, and the random text they are made of.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::HeaderValue;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The longest token or code that is taken from a server: 16 KiB; large JWTs stay below 8 KiB, and more would not
/// fit the header limits of common servers.
pub(super) const MAX_TOKEN: usize = 16 * 1024;

/// A token at rest or in flight. Its only ways out are named for their use.
#[derive(Clone)]
pub(super) struct Token(SecretString);

impl Token {
    /// Takes a token as a server gave it: not empty, bounded, visible ASCII (RFC 6750 section 2.1), so that it can
    /// stand in a header and in a form.
    pub(super) fn read(text: String) -> Option<Self> {
        let good = !text.is_empty() && text.len() <= MAX_TOKEN && text.bytes().all(|b| b.is_ascii_graphic());
        let secret = SecretString::from(text);
        good.then_some(Self(secret))
    }

    /// The text, to be put into the form of a request to its own authorization server.
    pub(super) fn for_form(&self) -> &str {
        self.0.expose_secret()
    }

    /// Compares without telling by time where the difference lies.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        same(self.0.expose_secret(), other.0.expose_secret())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Only the vault and the seal serialise, into buffers that are wiped.
impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(String::deserialize(deserializer)?).ok_or_else(|| serde::de::Error::custom("not a token"))
    }
}

/// An access token, ready to be sent to the one endpoint it was issued for.
#[derive(Clone)]
pub struct Bearer(Arc<Token>);

impl Bearer {
    pub(super) fn of(token: &Token) -> Self {
        Self(Arc::new(token.clone()))
    }

    /// The value of the `Authorization` header, marked so that HTTP libraries neither print nor index it.
    pub fn authorization_header(&self) -> HeaderValue {
        let text = zeroize::Zeroizing::new(format!("Bearer {}", self.0.for_form()));
        // A token is visible ASCII by construction: this cannot fail, and an empty header would be refused upstream.
        let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    /// Whether both are the same token.
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.same_as(&other.0)
    }

    pub(super) fn is(&self, token: &Token) -> bool {
        self.0.same_as(token)
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

/// Compares two texts in a time that depends on their lengths only.
pub(super) fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// The system has no randomness to give: nothing secret can be made.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the system gives no random numbers")]
pub(super) struct NoRandom;

/// Random bytes from the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// 43 characters of base64url: 256 random bits, for `state` and the PKCE verifier (RFC 7636 section 4.1).
pub(super) fn random_text() -> Result<SecretString, NoRandom> {
    let bytes = zeroize::Zeroizing::new(random::<32>()?);
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(&bytes[..])))
}

/// The S256 challenge of a verifier (RFC 7636 section 4.2).
pub(super) fn challenge_of(verifier: &SecretString) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier.expose_secret().as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let verifier = SecretString::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(
            challenge_of(&verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn nothing_prints_a_token() {
        let token = Token::read("s3cr3t-token".to_owned()).unwrap();
        let bearer = Bearer::of(&token);
        let shown = format!("{token:?} {bearer:?} {:?}", bearer.authorization_header());
        assert!(!shown.contains("s3cr3t"), "{shown}");
        assert_eq!(bearer.authorization_header().as_bytes(), b"Bearer s3cr3t-token");
    }

    #[test]
    fn a_token_that_would_break_a_header_is_refused() {
        for bad in ["", "a b", "a\r\nX: y", "é", "a\u{7f}"] {
            assert!(Token::read(bad.to_owned()).is_none(), "{bad:?}");
        }
        assert!(Token::read("x".repeat(MAX_TOKEN + 1)).is_none());
    }

    #[test]
    fn random_texts_differ_and_are_long() {
        let (one, two) = (random_text().unwrap(), random_text().unwrap());
        assert_eq!(one.expose_secret().len(), 43);
        assert!(!same(one.expose_secret(), two.expose_secret()));
    }
}
