//! Registering a key: a touch by one that is there already, the new credential, and at once a signature by it, through
//! the same check as every approval. Only a verb that was run by the person opens the page for it, for two minutes.

use super::verb::no_touch;
use super::{accept, ring_of};
use crate::approve::touch::{Brought, Progress, Step, Touch, Touched};
use crate::approve::{Answer, WrongPin};
use crate::gate::Card;
use crate::oauth::Unsealed;
use crate::passkey::{Key, KeyRing, Proof, Subject};
use crate::relay::{Relay, lock, outcomes};
use crate::system::wall_ms;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// What was registered.
#[derive(Debug, Clone)]
pub(crate) struct Enrolled {
    /// The new key.
    pub(crate) key: Key,
    /// All keys, with the new one.
    pub(crate) ring: KeyRing,
}

/// Registers a key under the seal.
///
/// # Errors
/// A sentence: nothing was registered.
pub(crate) async fn enrol(
    relay: &Arc<Relay>,
    unsealed: &Arc<Unsealed>,
    name: &str,
) -> Result<Enrolled, String> {
    let ring = ring_of(unsealed).await?;
    let (title, about) = if ring.is_empty() {
        (
            "Register your first passkey for approving orders",
            "Your browser asks for it twice: once to make it, once to see that it works.",
        )
    } else {
        (
            "Register one more passkey for approving orders",
            "First touch one that you have, then the new one twice: once to make it, once to see that it works.",
        )
    };
    let begin = if ring.is_empty() {
        Stage::Create
    } else {
        Stage::Known
    };
    let done = Arc::new(Mutex::new(None));
    let touch = EnrolTouch {
        relay: Arc::clone(relay),
        unsealed: Arc::clone(unsealed),
        name: name.to_owned(),
        known: ring,
        stage: Arc::new(Mutex::new(begin)),
        allowed: Arc::new(Mutex::new(None)),
        done: Arc::clone(&done),
    };
    let phrase = relay.settings().ok().and_then(|settings| settings.phrase);
    let answer = relay
        .desk
        .ask_touch(
            (title, about),
            phrase.as_deref(),
            Arc::new(touch),
            CancellationToken::new(),
        )
        .await;
    // The key may be there although the page heard of it too late.
    let enrolled = lock(&done).take();
    match (answer, enrolled) {
        (_, Some(enrolled)) => Ok(enrolled),
        (Answer::Approved { .. }, None) => Err("the new passkey could not be kept".to_owned()),
        (other, None) => Err(no_touch(&other)),
    }
}

/// How far it has come.
#[derive(Clone)]
enum Stage {
    /// A registered key has to sign first.
    Known,
    /// The new credential.
    Create,
    /// It has to sign.
    Prove(Key),
}

struct EnrolTouch {
    relay: Arc<Relay>,
    unsealed: Arc<Unsealed>,
    name: String,
    known: KeyRing,
    stage: Arc<Mutex<Stage>>,
    /// The signature of the key that let the new one in, for the journal.
    allowed: Arc<Mutex<Option<Proof>>>,
    done: Arc<Mutex<Option<Enrolled>>>,
}

impl Touch for EnrolTouch {
    fn step(&self) -> Step {
        match &*lock(&self.stage) {
            Stage::Known => Step::Sign(self.known.ids()),
            Stage::Create => Step::Create(self.known.ids()),
            Stage::Prove(key) => Step::Sign(vec![key.id.clone()]),
        }
    }

    fn subject(&self, _: Option<&Card>) -> Subject {
        let deed = match &*lock(&self.stage) {
            Stage::Known => Subject::ALLOW,
            Stage::Create => "make a key",
            Stage::Prove(_) => Subject::PROVE,
        };
        Subject::verb(deed, self.relay.endpoint.url())
    }

    fn unlock(&self, _: SecretString) -> BoxFuture<'static, Result<(), WrongPin>> {
        // The PIN was given before the page was opened.
        let message = "no PIN is asked for here".to_owned();
        Box::pin(async move { Err(WrongPin { message, wait_ms: 0 }) })
    }

    fn take(&self, touched: Touched) -> BoxFuture<'static, Result<Progress, String>> {
        let (relay, unsealed) = (Arc::clone(&self.relay), Arc::clone(&self.unsealed));
        let (stage, done) = (Arc::clone(&self.stage), Arc::clone(&self.done));
        let allowed = Arc::clone(&self.allowed);
        let (name, now) = (self.name.clone(), lock(&self.stage).clone());
        Box::pin(async move {
            let proof_of = |assertion| Proof {
                origin: touched.origin.clone(),
                nonce: touched.nonce.clone(),
                subject: touched.subject.clone(),
                assertion,
            };
            match (now, touched.brought) {
                (Stage::Known, Brought::Signed(assertion)) => {
                    let proof = proof_of(assertion);
                    accept(&unsealed, &proof).await?;
                    *lock(&allowed) = Some(proof);
                    *lock(&stage) = Stage::Create;
                    Ok(Progress::Next)
                }
                (Stage::Create, Brought::Created(created)) => {
                    let key = created.key(&name, wall_ms())?;
                    ring_of(&unsealed).await?.add(key.clone())?;
                    *lock(&stage) = Stage::Prove(key);
                    Ok(Progress::Next)
                }
                (Stage::Prove(mut key), Brought::Signed(assertion)) => {
                    let proof = proof_of(assertion);
                    key.counter = proof.check(&key).map_err(|refusal| refusal.to_string())?;
                    let allowed = lock(&allowed).clone();
                    let enrolled = keep(&relay, &unsealed, key, (&proof, allowed)).await?;
                    *lock(&done) = Some(enrolled);
                    Ok(Progress::Done)
                }
                _ => Err("that is not what was asked for".to_owned()),
            }
        })
    }
}

/// On record first, then under the seal.
async fn keep(
    relay: &Relay,
    unsealed: &Unsealed,
    key: Key,
    (proof, allowed): (&Proof, Option<Proof>),
) -> Result<Enrolled, String> {
    let mut fields = serde_json::Map::new();
    fields.insert("endpoint".to_owned(), relay.endpoint.url().into());
    // As it was when it proved itself: the journal's own check counts on from there.
    let passkey = json!({ "key": key, "proof": proof, "allowed": allowed });
    fields.insert("passkey".to_owned(), passkey);
    relay
        .journal
        .append("passkey_registered", fields)
        .map_err(|error| format!("the journal cannot be written: {error}"))?;
    let mut added = Err("the new passkey could not be kept".to_owned());
    let saved = unsealed.change_extras(|extras| {
        added = KeyRing::read(extras).and_then(|mut ring| {
            ring.add(key.clone())?;
            ring.write(extras);
            Ok(ring)
        });
    });
    let kept = saved.await.map_err(|error| error.to_string()).and(added);
    match kept {
        Ok(ring) => Ok(Enrolled { key, ring }),
        Err(why) => {
            removed(relay, &key, &why);
            Err(why)
        }
    }
}

/// Takes a key away: on record first, then from under the seal.
///
/// # Errors
/// A sentence: the key is still there.
pub(crate) async fn take_away(relay: &Relay, unsealed: &Unsealed, key: &Key) -> Result<(), String> {
    removed(relay, key, "the person removed it");
    let mut changed = Err("the passkeys could not be read".to_owned());
    let saved = unsealed.change_extras(|extras| {
        changed = KeyRing::read(extras).map(|mut ring| {
            ring.remove(&key.id);
            ring.write(extras);
        });
    });
    saved.await.map_err(|error| error.to_string()).and(changed)
}

/// All keys went with the seal that held them, for the journal.
pub(crate) fn forgotten(relay: &Relay) {
    let fields = [("endpoint", relay.endpoint.url().into())];
    outcomes::note_now(relay, "passkeys_forgotten", &fields);
}

/// A key that is not there any more, for the journal.
pub(crate) fn removed(relay: &Relay, key: &Key, why: &str) {
    let fields = [
        ("endpoint", relay.endpoint.url().into()),
        ("reason", why.into()),
        ("passkey", json!({ "key": key })),
    ];
    outcomes::note_now(relay, "passkey_removed", &fields);
}
