//! The verifier against the specification's own vectors, against another implementation's verdicts, against a mutation
//! of every field, and against ceremonies recorded from Chromium.

use super::assertion::check;
use super::*;
use serde::Deserialize;
use serde_json::Value;

mod mutations;

/// One recorded ceremony.
#[derive(Deserialize)]
struct Vector {
    name: String,
    alg: Algorithm,
    spki: String,
    id: String,
    challenge: String,
    data: String,
    client: String,
    signature: String,
    #[serde(default)]
    synced: u8,
    #[serde(default)]
    counter: u32,
    /// What the other implementation said.
    #[serde(default)]
    other: bool,
}

impl Vector {
    fn key(&self, rp_id: &str) -> Key {
        Key {
            id: self.id.clone(),
            alg: self.alg,
            spki: self.spki.clone(),
            rp_id: rp_id.to_owned(),
            counter: self.counter,
            synced: self.synced == 1,
            name: "a key".to_owned(),
            added_ms: 0,
        }
    }

    fn check(&self, origin: &str, rp_id: &str) -> Result<u32, Refusal> {
        let assertion = Assertion {
            id: self.id.clone(),
            client_data: self.client.clone(),
            authenticator_data: self.data.clone(),
            signature: self.signature.clone(),
        };
        let challenge = decoded(&self.challenge).unwrap().try_into().unwrap();
        check(&assertion, &self.key(rp_id), &challenge, origin, rp_id)
    }

    /// Whether the bare signature is right, whatever the flags say.
    fn is_signed(&self) -> bool {
        let client = decoded(&self.client).unwrap();
        let signed = [&decoded(&self.data).unwrap()[..], sha256(&client).as_ref()].concat();
        let (spki, signature) = (decoded(&self.spki).unwrap(), decoded(&self.signature).unwrap());
        self.alg.verifies(&spki, &signed, &signature)
    }
}

fn vectors(text: &str) -> Vec<Vector> {
    serde_json::from_str(text).unwrap()
}

/// `WebAuthn` Level 3, section 16. Many of its assertions are made without verifying the user: those are refused for that,
/// and their signatures are looked at by themselves.
#[test]
fn the_vectors_of_the_specification() {
    let spec = vectors(include_str!("spec.json"));
    let told: Vec<(String, Result<u32, Refusal>)> = spec
        .iter()
        .map(|vector| {
            assert!(vector.is_signed(), "{}", vector.name);
            (
                vector.name.clone(),
                vector.check("https://example.org", "example.org"),
            )
        })
        .collect();
    let expected = [
        ("none-es256", Err(Refusal::NoVerification)),
        ("packed-self-es256", Err(Refusal::NoVerification)),
        ("none-es256-crossOrigin", Err(Refusal::CrossOrigin)),
        ("none-es256-topOrigin", Err(Refusal::CrossOrigin)),
        ("none-es256-long-credential-id", Ok(0)),
        ("packed-es256", Ok(0)),
        ("packed-rs256", Err(Refusal::NoVerification)),
        ("packed-eddsa", Err(Refusal::NoVerification)),
        ("tpm-es256", Ok(0)),
        ("android-key-es256", Err(Refusal::NoVerification)),
        ("apple-es256", Err(Refusal::NoVerification)),
        ("fido-u2f-es256", Err(Refusal::NoVerification)),
    ]
    .map(|(name, verdict)| (name.to_owned(), verdict));
    assert_eq!(told, expected);
}

/// Whatever another implementation refuses is refused here; what it takes and we refuse is on this list, with the reason.
#[test]
fn never_more_lenient_than_another_implementation() {
    let stricter = [
        // A challenge has one encoding.
        ("a challenge with padding", Refusal::Challenge),
    ];
    let all = vectors(include_str!("ceremonies.json"));
    assert!(all.len() > 90, "{}", all.len());
    for vector in &all {
        let ours = vector.check("http://localhost:41999", "localhost");
        let of_us = stricter.iter().find(|(name, _)| *name == vector.name);
        match (vector.other, of_us) {
            (true, Some((_, why))) => assert_eq!(ours, Err(*why), "{}", vector.name),
            (other, _) => assert_eq!(ours.is_ok(), other, "{} {:?}: {ours:?}", vector.name, vector.alg),
        }
    }
    for alg in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256] {
        let taken = all.iter().filter(|vector| vector.other && vector.alg == alg);
        assert!(taken.count() >= 3, "{alg:?}");
    }
}

#[test]
fn an_origin_is_a_page_of_ours_or_it_is_not() {
    assert!(is_page_origin("http://localhost:1"));
    assert!(is_page_origin("http://localhost:65535"));
    for other in [
        "http://localhost",
        "http://localhost:",
        "http://localhost:0",
        "http://localhost:080",
        "http://localhost:+80",
        "http://localhost:65536",
        "http://localhost:80/",
        "http://localhost:80 ",
        "https://localhost:80",
        "http://127.0.0.1:80",
        "http://a.localhost:80",
        "http://localhost:80@evil:80",
        "HTTP://localhost:80",
        "",
    ] {
        assert!(!is_page_origin(other), "{other}");
    }
}

#[test]
fn keys_keep_what_lies_beside_them_and_unreadable_ones_are_not_none() {
    use std::collections::BTreeMap;
    let mut extras = BTreeMap::from([("policy".to_owned(), "p".to_owned())]);
    let mut ring = KeyRing::read(&extras).unwrap();
    assert!(ring.is_empty());
    let key = vectors(include_str!("spec.json"))[0].key(RP_ID);
    ring.add(key.clone()).unwrap();
    assert!(ring.add(key.clone()).is_err(), "twice");
    ring.write(&mut extras);
    assert_eq!(extras["policy"], "p");
    let mut again = KeyRing::read(&extras).unwrap();
    assert_eq!(again, ring);
    again.counted(&key.id, 9);
    again.counted(&key.id, 3);
    assert_eq!(again.keys()[0].counter, 9, "a counter never goes back");
    assert_eq!(again.find(key.short_id()).unwrap().id, key.id);
    assert!(again.find("abc").is_err(), "too short");
    assert!(again.find("nothing").is_err());
    again.remove(&key.id);
    again.write(&mut extras);
    assert_eq!(extras.len(), 1);
    extras.insert("keys".to_owned(), "{}".to_owned());
    assert!(KeyRing::read(&extras).is_err());
}

/// What `getPublicKey` and friends bring is looked at before it is kept.
#[test]
fn a_new_key_must_be_one() {
    let vector = &vectors(include_str!("spec.json"))[4];
    let created = Created {
        id: vector.id.clone(),
        spki: vector.spki.clone(),
        alg: vector.alg.into(),
        authenticator_data: vector.data.clone(),
    };
    let key = created.key("  My \u{202e}key\n ", 5).unwrap();
    assert_eq!((key.name.as_str(), key.added_ms, key.synced), ("My key", 5, true));
    assert_eq!(created.key("", 5).unwrap().name, "passkey");
    for broken in [
        Created {
            id: String::new(),
            ..created.clone()
        },
        Created {
            id: "=".to_owned(),
            ..created.clone()
        },
        Created {
            alg: -8,
            ..created.clone()
        },
        Created {
            alg: -36,
            ..created.clone()
        },
        Created {
            spki: "AAAA".to_owned(),
            ..created.clone()
        },
        Created {
            authenticator_data: "AAAA".to_owned(),
            ..created
        },
    ] {
        assert!(broken.key("x", 5).is_err(), "{broken:?}");
    }
}

/// The words of the wire are fixed: a journal of today is read years later.
#[test]
fn a_proof_is_read_as_it_was_written() {
    let text = r#"{"origin":"http://localhost:4711","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","subject":{"deed":"order","ticket":"7QK4","endpoint":"https://x.example/mcp","tool":"PlaceOrder","digest":"d","card":"c"},"assertion":{"id":"i","clientDataJSON":"c","authenticatorData":"a","signature":"s"}}"#;
    let proof: Proof = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&proof).unwrap(), text);
    assert_eq!(
        proof.subject.text(),
        r#"[["deed","order"],["ticket","7QK4"],["endpoint","https://x.example/mcp"],["tool","PlaceOrder"],["digest","d"],["card","c"]]"#
    );
    let challenge = challenge(&proof.nonce, &proof.subject).unwrap();
    assert_eq!(encoded(&challenge), "6250Kbr9u5-sr2dLQ49520TIVpI6NgViBM4LZqJewUY");
    let mut value: Value = serde_json::from_str(text).unwrap();
    value["subject"]["more"] = "x".into();
    assert!(serde_json::from_value::<Proof>(value).is_err(), "unknown fields");
}

/// A registration and an approval as Chromium 156 made them, out of the journal of a run.
#[test]
fn ceremonies_of_a_browser() {
    let journal = include_str!("chromium.jsonl");
    let lines: Vec<Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str| lines.iter().find(|line| line["kind"] == kind).unwrap()["passkey"].clone();
    let registered = of("passkey_registered");
    let key: Key = serde_json::from_value(registered["key"].clone()).unwrap();
    let proved: Proof = serde_json::from_value(registered["proof"].clone()).unwrap();
    let approved: Proof = serde_json::from_value(of("approved")).unwrap();
    let fresh = Key {
        counter: 0,
        ..key.clone()
    };
    assert_eq!(proved.check(&fresh), Ok(key.counter));
    assert_eq!(proved.check(&key), Err(Refusal::Counter), "once");
    assert_eq!(approved.check(&key), Ok(key.counter + 1));
    assert_eq!(approved.subject.deed, Subject::ORDER);
    // The one is not the other.
    let mixed = Proof {
        assertion: proved.assertion,
        ..approved
    };
    assert_eq!(mixed.check(&key), Err(Refusal::Challenge));
}
