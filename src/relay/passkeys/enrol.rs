//! Registering a key: a touch by one that is there already, the new credential, and at once a signature by it, through
//! the same check as every approval. Only a verb that was run by the person opens the page for it, for two minutes.
//!
//! The link to the page is on the browser's command line, where any program of this user can read it and come first. So
//! the tab that made the key is shown six letters, and the key is kept only once they were typed where the verb runs:
//! whose tab came too late has none. No other place has them. Who is brought to type letters that another window shows is
//! not protected by it.

use super::verb::no_touch;
use super::{accept, ring_of};
use crate::approve::touch::{Brought, Progress, Step, Touch, Touched};
use crate::approve::{Answer, WrongPin};
use crate::gate::Card;
use crate::oauth::Unsealed;
use crate::passkey::{Key, KeyRing, Nonce, Proof, Subject};
use crate::relay::{Relay, lock};
use crate::system::wall_ms;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Timing is no way around the touch that one more key takes.
const NOT_FIRST: &str =
    "another passkey was registered meanwhile, and one more takes a touch by it. Run this again";

/// What was registered.
#[derive(Debug, Clone)]
pub(crate) struct Enrolled {
    /// The new key.
    pub(crate) key: Key,
    /// All keys, with the new one.
    pub(crate) ring: KeyRing,
}

/// A key that was made and has proved itself, and is not registered yet.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    key: Key,
    proof: Proof,
    /// The signature of the key that let it in; none for the first.
    allowed: Option<Proof>,
    code: String,
    /// No key was there when it began, and so none was touched.
    is_first: bool,
}

impl Made {
    /// Whether these are the letters that the page showed with it. Case, blanks and dashes do not count.
    pub(crate) fn is_code(&self, typed: &str) -> bool {
        let letters = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
        letters.collect::<String>().to_ascii_uppercase() == self.code
    }
}

/// Letters that are not taken for each other, or for a digit.
const LETTERS: &[u8; 20] = b"ACDEFGHJKMNPRTUVWXYZ";

/// Six letters of the key and of the nonce that it signed: the nonce was never told to anybody.
fn code_of(key: &Key, nonce: &Nonce) -> String {
    let text = json!([nonce, key.spki]).to_string();
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len());
    let letters = digest.as_ref().iter().take(6).filter_map(letter);
    letters.map(|letter| char::from(*letter)).collect()
}

/// Has a key made on the page. [`keep`] registers it.
///
/// # Errors
/// A sentence: there is none.
pub(crate) async fn enrol(relay: &Arc<Relay>, unsealed: &Arc<Unsealed>, name: &str) -> Result<Made, String> {
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
        endpoint: relay.endpoint.url().to_owned(),
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
    let made = lock(&done).take();
    match (answer, made) {
        (Answer::Approved { .. }, Some(made)) => Ok(made),
        (other, _) => Err(no_touch(&other)),
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
    endpoint: String,
    unsealed: Arc<Unsealed>,
    name: String,
    known: KeyRing,
    stage: Arc<Mutex<Stage>>,
    /// The signature of the key that let the new one in, for the journal.
    allowed: Arc<Mutex<Option<Proof>>>,
    done: Arc<Mutex<Option<Made>>>,
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
        Subject::verb(deed, &self.endpoint)
    }

    fn unlock(&self, _: SecretString) -> BoxFuture<'static, Result<(), WrongPin>> {
        // The PIN was given before the page was opened.
        let message = "no PIN is asked for here".to_owned();
        Box::pin(async move { Err(WrongPin { message, wait_ms: 0 }) })
    }

    fn take(&self, touched: Touched) -> BoxFuture<'static, Result<Progress, String>> {
        let (unsealed, is_first) = (Arc::clone(&self.unsealed), self.known.is_empty());
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
                    let code = code_of(&key, &proof.nonce);
                    *lock(&done) = Some(Made {
                        key,
                        proof,
                        allowed: lock(&allowed).clone(),
                        code: code.clone(),
                        is_first,
                    });
                    Ok(Progress::Code(code))
                }
                _ => Err("that is not what was asked for".to_owned()),
            }
        })
    }
}

/// Registers it, after its letters were typed: on record first, then under the seal.
///
/// # Errors
/// A sentence: nothing was registered.
pub(crate) async fn keep(relay: &Relay, unsealed: &Unsealed, made: Made) -> Result<Enrolled, String> {
    let Made {
        key,
        proof,
        allowed,
        is_first,
        ..
    } = made;
    // Looked at before it is on record: the journal's own check takes no second key that none let in.
    let now = unsealed.extras_now().await.map_err(|error| error.to_string())?;
    if is_first && !KeyRing::read(&now)?.is_empty() {
        return Err(NOT_FIRST.to_owned());
    }
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
            // Another one may have been registered since it began.
            if is_first && !ring.is_empty() {
                return Err(NOT_FIRST.to_owned());
            }
            ring.add(key.clone())?;
            ring.write(extras);
            Ok(ring)
        });
    });
    let kept = saved.await.map_err(|error| error.to_string()).and(added);
    match kept {
        Ok(ring) => Ok(Enrolled { key, ring }),
        Err(why) => match removed(relay, &key, &why) {
            Ok(()) => Err(why),
            Err(unwritten) => Err(format!("{why}; and {unwritten}")),
        },
    }
}

/// Takes a key away: from under the seal first, so that the record never says so of one that is still there. What the
/// record could not take is given back as a note.
///
/// # Errors
/// A sentence: the key is still there.
pub(crate) async fn take_away(
    relay: &Relay,
    unsealed: &Unsealed,
    key: &Key,
) -> Result<Option<String>, String> {
    let mut changed = Err("the passkeys could not be read".to_owned());
    let saved = unsealed.change_extras(|extras| {
        changed = KeyRing::read(extras).map(|mut ring| {
            ring.remove(&key.id);
            ring.write(extras);
        });
    });
    saved.await.map_err(|error| error.to_string()).and(changed)?;
    Ok(removed(relay, key, "the person removed it").err())
}

/// All keys went with the seal that held them, for the journal.
pub(crate) fn forgotten(relay: &Relay) {
    let fields = [("endpoint", relay.endpoint.url().into())];
    crate::relay::outcomes::note_now(relay, "passkeys_forgotten", &fields);
}

/// A key that is not there any more, for the journal.
///
/// # Errors
/// A sentence: the journal does not say so.
pub(crate) fn removed(relay: &Relay, key: &Key, why: &str) -> Result<(), String> {
    let mut fields = serde_json::Map::new();
    fields.insert("endpoint".to_owned(), relay.endpoint.url().into());
    fields.insert("reason".to_owned(), why.into());
    fields.insert("passkey".to_owned(), json!({ "key": key }));
    relay
        .journal
        .append("passkey_removed", fields)
        .map_err(|error| format!("the journal cannot be written, and does not say that it is gone: {error}"))
}
