//! A client that proves by a key of its own who it is: a signed statement in the place of a secret (RFC 7523 section 2.2,
//! `private_key_jwt`).
//!
//! Owns: the reading of the key, the statement and its signature. Refuses to know: where the key lies, what is asked for
//! with it.

use super::secret::{Token, random_text};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use secrecy::ExposeSecret;
use serde_json::json;
use std::fmt;
use zeroize::Zeroizing;

/// How long a statement is good for, in seconds: it is used at once, and clocks differ.
const LIFE_S: u64 = 60;
/// The longest key file that is read: 64 KiB; an RSA key of 8192 bits has 7 KiB.
pub const MAX_KEY_FILE: u64 = 64 * 1024;

/// The private key of a client.
pub(super) enum ClientKey {
    /// P-256: ES256.
    Ec(Box<EcdsaKeyPair>),
    /// 2048 bits and more: RS256.
    Rsa(Box<RsaKeyPair>),
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKey(…)")
    }
}

impl ClientKey {
    /// Reads a PEM file (RFC 7468) with one private key: PKCS #8, or PKCS #1 for RSA.
    ///
    /// # Errors
    /// With the reason; nothing of the file is ever in it.
    pub(super) fn read(pem: &str) -> Result<Self, String> {
        const MAKE: &str = "`openssl pkcs8 -topk8 -nocrypt` makes one that is";
        let block = |label: &str| -> Option<Zeroizing<Vec<u8>>> {
            let (begin, end) = (
                format!("-----BEGIN {label}-----"),
                format!("-----END {label}-----"),
            );
            let (_, rest) = pem.split_once(&begin)?;
            let (text, _) = rest.split_once(&end)?;
            let text: Zeroizing<String> = Zeroizing::new(text.split_ascii_whitespace().collect());
            STANDARD.decode(text.as_bytes()).ok().map(Zeroizing::new)
        };
        if pem.contains("BEGIN ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(format!("it is locked with a password: {MAKE} not"));
        }
        if let Some(der) = block("PRIVATE KEY") {
            let random = SystemRandom::new();
            if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random) {
                return Ok(Self::Ec(Box::new(key)));
            }
            let key = RsaKeyPair::from_pkcs8(&der).map_err(|_| unusable())?;
            return Ok(Self::Rsa(Box::new(key)));
        }
        if let Some(der) = block("RSA PRIVATE KEY") {
            let key = RsaKeyPair::from_der(&der).map_err(|_| unusable())?;
            return Ok(Self::Rsa(Box::new(key)));
        }
        if pem.contains("BEGIN EC PRIVATE KEY") {
            return Err(format!("it is not in the form PKCS #8: {MAKE}"));
        }
        Err("it holds no private key in PEM form".to_owned())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ec(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    /// The signed statement that this client stands before that issuer now.
    ///
    /// # Errors
    /// With the reason, where the system gives no random numbers.
    pub(super) fn statement(&self, client_id: &str, issuer: &str, now_ms: u64) -> Result<Token, String> {
        let now = now_ms / 1000;
        let id = random_text().map_err(|error| error.to_string())?;
        let head = json!({ "alg": self.algorithm(), "typ": "JWT" });
        // For the issuer alone: whoever gets it cannot show it to another one.
        let claims = json!({
            "iss": client_id, "sub": client_id, "aud": issuer, "jti": id.expose_secret(),
            "iat": now, "exp": now.saturating_add(LIFE_S),
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&head), part(&claims));
        let signature = self.sign(text.as_bytes())?;
        Token::read(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
            .ok_or_else(|| "the statement would be too long".to_owned())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        let random = SystemRandom::new();
        let failed = |_| "the key does not sign".to_owned();
        match self {
            Self::Ec(key) => {
                let signature = key.sign(&random, text).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

fn unusable() -> String {
    "it must be EC P-256 (ES256) or RSA of 2048 to 4096 bits (RS256)".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair as _, UnparsedPublicKey};

    fn pem(label: &str, der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        let lines: Vec<String> = text
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8(line.to_vec()).unwrap())
            .collect();
        format!(
            "# a comment\r\n-----BEGIN {label}-----\r\n{}\r\n-----END {label}-----\r\n",
            lines.join("\r\n")
        )
    }

    #[test]
    fn a_statement_names_the_client_and_the_issuer_and_is_signed() {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let key = ClientKey::read(&pem("PRIVATE KEY", pkcs8.as_ref())).unwrap();
        let ClientKey::Ec(pair) = &key else {
            panic!("{key:?}")
        };
        let one = key.statement("me", "https://as.example/t", 5_000_999).unwrap();
        let (signed, signature) = one.for_form().rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())
            .verify(signed.as_bytes(), &signature)
            .unwrap();
        let read = |text: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
        };
        let (head, claims) = signed.split_once('.').unwrap();
        assert_eq!(read(head), json!({ "alg": "ES256", "typ": "JWT" }));
        let claims = read(claims);
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("me"), &json!("me")));
        assert_eq!(claims["aud"], "https://as.example/t");
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(5000), &json!(5060)));
        let two = key.statement("me", "https://as.example/t", 5_000_999).unwrap();
        assert!(!one.same_as(&two), "each is used once");
    }

    #[test]
    fn what_cannot_be_used_is_told_without_repeating_it() {
        for (text, word) in [
            ("", "no private key"),
            (
                "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----",
                "EC P-256",
            ),
            ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0", "no private key"),
            (
                "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----",
                "PKCS #8",
            ),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VjcmV0", "password"),
            (
                "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----",
                "no private key",
            ),
        ] {
            let why = ClientKey::read(text).unwrap_err();
            assert!(why.contains(word) && !why.contains("c2VjcmV0"), "{text}: {why}");
        }
    }
}
