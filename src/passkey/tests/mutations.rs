//! One good ceremony, signed by ring itself, and every way to spoil one of its parts.

use super::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

const ORIGIN: &str = "http://localhost:4711";
/// What stands before the point of a P-256 key (RFC 5480).
const P256_HEAD: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// One way to spoil a proof.
type Spoil = fn(&mut Proof);

/// An authenticator in a few lines.
struct Authenticator {
    pair: EcdsaKeyPair,
    key: Key,
}

impl Authenticator {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let spki = [P256_HEAD, pair.public_key().as_ref()].concat();
        let key = Key {
            id: encoded(b"credential"),
            alg: Algorithm::Es256,
            spki: encoded(&spki),
            rp_id: RP_ID.to_owned(),
            counter: 4,
            synced: false,
            name: "a key".to_owned(),
            added_ms: 0,
        };
        Self { pair, key }
    }

    fn signed(&self, client: &[u8], data: &[u8]) -> Assertion {
        let signed = [data, sha256(client).as_ref()].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        Assertion {
            id: self.key.id.clone(),
            client_data: encoded(client),
            authenticator_data: encoded(data),
            signature: encoded(signature.as_ref()),
        }
    }

    fn proof(&self, subject: &Subject, nonce: &Nonce) -> Proof {
        let client = client(&challenge(nonce, subject).unwrap(), ORIGIN, "");
        Proof {
            origin: ORIGIN.to_owned(),
            nonce: nonce.clone(),
            subject: subject.clone(),
            assertion: self.signed(client.as_bytes(), &data(RP_ID, 0x05, 5)),
        }
    }
}

fn client(challenge: &[u8], origin: &str, more: &str) -> String {
    format!(
        r#"{{"type":"webauthn.get","challenge":"{}","origin":"{origin}","crossOrigin":false{more}}}"#,
        encoded(challenge)
    )
}

fn data(rp_id: &str, flags: u8, counter: u32) -> Vec<u8> {
    [
        sha256(rp_id.as_bytes()).as_ref(),
        &[flags],
        &counter.to_be_bytes(),
    ]
    .concat()
}

fn subject() -> Subject {
    Subject {
        deed: Subject::ORDER.to_owned(),
        ticket: "7QK4".to_owned(),
        endpoint: "https://x.example/mcp".to_owned(),
        tool: "PlaceOrder".to_owned(),
        digest: "d1".to_owned(),
        card: card_digest("BUY 1 MES"),
    }
}

fn nonce(byte: u8) -> Nonce {
    Nonce::new(&[byte; 32])
}

#[test]
fn a_good_ceremony_counts_and_every_spoilt_part_is_named() {
    let person = Authenticator::new();
    let good = person.proof(&subject(), &nonce(1));
    assert_eq!(good.check(&person.key), Ok(5));

    // The order, the card and the moment.
    let cases: [(&str, Spoil, Refusal); 12] = [
        (
            "another deed",
            |p| p.subject.deed = "resume".into(),
            Refusal::Challenge,
        ),
        (
            "another ticket",
            |p| p.subject.ticket = "7QK5".into(),
            Refusal::Challenge,
        ),
        (
            "another service",
            |p| p.subject.endpoint.push('/'),
            Refusal::Challenge,
        ),
        ("another tool", |p| p.subject.tool.push('s'), Refusal::Challenge),
        (
            "other arguments",
            |p| p.subject.digest = "d2".into(),
            Refusal::Challenge,
        ),
        (
            "another card",
            |p| p.subject.card = card_digest("BUY 100 MES"),
            Refusal::Challenge,
        ),
        ("another nonce", |p| p.nonce = nonce(2), Refusal::Challenge),
        (
            "a short nonce",
            |p| p.nonce = serde_json::from_str("\"AAAA\"").unwrap(),
            Refusal::Encoding,
        ),
        (
            "another port",
            |p| p.origin = "http://localhost:4712".into(),
            Refusal::Origin,
        ),
        (
            "no page of ours",
            |p| p.origin = "https://example.org".into(),
            Refusal::Origin,
        ),
        (
            "another key's id",
            |p| p.assertion.id.push('A'),
            Refusal::UnknownKey,
        ),
        (
            "a broken signature",
            |p| p.assertion.signature.push('='),
            Refusal::Encoding,
        ),
    ];
    for (what, spoil, why) in cases {
        let mut proof = good.clone();
        spoil(&mut proof);
        assert_eq!(proof.check(&person.key), Err(why), "{what}");
    }

    // Each byte of what was signed, and of the signature.
    let parts: [fn(&mut Proof) -> &mut String; 3] = [
        |p| &mut p.assertion.client_data,
        |p| &mut p.assertion.authenticator_data,
        |p| &mut p.assertion.signature,
    ];
    for part in parts {
        let mut copy = good.clone();
        let whole = decoded(part(&mut copy)).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            *part(&mut copy) = encoded(&bytes);
            assert!(copy.check(&person.key).is_err(), "byte {at} of {}", whole.len());
        }
    }
}

#[test]
fn what_is_signed_must_say_what_we_asked() {
    let person = Authenticator::new();
    let (challenge, ok) = ([7; 32], data(RP_ID, 0x05, 5));
    let said = |client: &str, data: &[u8]| {
        check(
            &person.signed(client.as_bytes(), data),
            &person.key,
            &challenge,
            ORIGIN,
            RP_ID,
        )
    };
    let good = client(&challenge, ORIGIN, "");
    assert_eq!(said(&good, &ok), Ok(5));
    assert_eq!(
        said(&client(&challenge, ORIGIN, r#","new":[1]"#), &ok),
        Ok(5),
        "fields of tomorrow"
    );
    let get = r#""type":"webauthn.get""#;
    for (client, why) in [
        (good.replace("webauthn.get", "webauthn.create"), Refusal::Type),
        (good.replace(get, r#""type":"payment.get""#), Refusal::Type),
        (good.replace(get, r#""kind":"webauthn.get""#), Refusal::Encoding),
        (good.replace(get, &format!("{get},{get}")), Refusal::Encoding),
        (format!("{good}{good}"), Refusal::Encoding),
        (client(&[8; 32], ORIGIN, ""), Refusal::Challenge),
        (client(&challenge[..31], ORIGIN, ""), Refusal::Challenge),
        (client(&challenge, "http://localhost:4711/", ""), Refusal::Origin),
        (client(&challenge, "http://Localhost:4711", ""), Refusal::Origin),
        (client(&challenge, "http://localhost:47110", ""), Refusal::Origin),
        (good.replace("false", "true"), Refusal::CrossOrigin),
        (
            client(&challenge, ORIGIN, r#","topOrigin":"http://localhost:4711""#),
            Refusal::CrossOrigin,
        ),
    ] {
        assert_eq!(said(&client, &ok), Err(why), "{client}");
    }
    for (data, why) in [
        (data("localhost.", 0x05, 5), Refusal::RpId),
        (data(RP_ID, 0x04, 5), Refusal::NoPresence),
        (data(RP_ID, 0x01, 5), Refusal::NoVerification),
        (data(RP_ID, 0x15, 5), Refusal::Backup),
        (data(RP_ID, 0x0d, 5), Refusal::Backup),
        (data(RP_ID, 0x45, 5), Refusal::Encoding),
        (data(RP_ID, 0x85, 5), Refusal::Encoding),
        ([data(RP_ID, 0x05, 5), vec![0xa0]].concat(), Refusal::Encoding),
        (ok[..36].to_vec(), Refusal::Encoding),
        (data(RP_ID, 0x05, 4), Refusal::Counter),
        (data(RP_ID, 0x05, 0), Refusal::Counter),
    ] {
        assert_eq!(said(&good, &data), Err(why), "{data:02x?}");
    }
}

#[test]
fn a_key_that_never_counts_passes_and_one_that_stops_counting_does_not() {
    let person = Authenticator::new();
    let (challenge, client_data) = ([7; 32], client(&[7; 32], ORIGIN, ""));
    for (kept, says, result) in [
        (0, 0, Ok(0)),
        (0, 1, Ok(1)),
        (1, 2, Ok(2)),
        (1, 1, Err(Refusal::Counter)),
        (1, 0, Err(Refusal::Counter)),
        (u32::MAX, 0, Err(Refusal::Counter)),
    ] {
        let key = Key {
            counter: kept,
            ..person.key.clone()
        };
        let assertion = person.signed(client_data.as_bytes(), &data(RP_ID, 0x05, says));
        assert_eq!(
            check(&assertion, &key, &challenge, ORIGIN, RP_ID),
            result,
            "{kept} {says}"
        );
    }
    let assertion = person.signed(client_data.as_bytes(), &data(RP_ID, 0x0d, 5));
    let synced = Key {
        synced: true,
        ..person.key.clone()
    };
    assert_eq!(check(&assertion, &synced, &challenge, ORIGIN, RP_ID), Ok(5));
    let elsewhere = Key {
        rp_id: "example.org".to_owned(),
        ..person.key
    };
    assert_eq!(
        check(&assertion, &elsewhere, &challenge, ORIGIN, RP_ID),
        Err(Refusal::RpId)
    );
}

/// The same order again has another challenge: what was signed for the first does not fit.
#[test]
fn the_same_order_twice_is_two_challenges() {
    let person = Authenticator::new();
    let first = person.proof(&subject(), &nonce(1));
    let again = Proof {
        nonce: nonce(2),
        ..first
    };
    assert_eq!(again.check(&person.key), Err(Refusal::Challenge));
}
