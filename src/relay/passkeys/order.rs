//! The touch for one held order.

use super::{NO_KEY, accept, ring_of};
use crate::approve::WrongPin;
use crate::approve::touch::{Brought, Progress, Step, Touch, Touched};
use crate::gate::{Call, Card};
use crate::passkey::{KeyRing, Proof, Subject, card_digest};
use crate::relay::verbs::{Slot, verify_into};
use crate::relay::{Relay, lock};
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A touch that was checked, with the card that it was given for.
#[derive(Debug, Clone)]
pub(in crate::relay) struct Signed {
    proof: Proof,
    /// The text of the card, whose digest is in the proof.
    shown: String,
    key: String,
}

impl Signed {
    /// Whether it was given for this order and no other.
    pub(in crate::relay) fn is_for(&self, ticket: &str, endpoint: &str, call: &Call) -> bool {
        let subject = &self.proof.subject;
        subject.deed == Subject::ORDER
            && subject.ticket == ticket
            && subject.endpoint == endpoint
            && subject.tool == call.tool()
            && subject.digest == call.digest()
    }

    /// What the journal keeps: everything that it takes to check the signature again.
    pub(in crate::relay) fn for_journal(&self) -> [(&'static str, Value); 3] {
        [
            ("key", self.key.clone().into()),
            ("shown", self.shown.clone().into()),
            ("passkey", json!(self.proof)),
        ]
    }
}

/// Asks for the PIN where this process has no grant at hand, and for a touch over the order.
pub(in crate::relay) struct OrderTouch {
    relay: Arc<Relay>,
    subject: Subject,
    unsealed: Slot,
    signed: Arc<Mutex<Option<Signed>>>,
    /// The card of the latest challenge.
    shown: Mutex<String>,
}

impl OrderTouch {
    /// What it unseals goes into `unsealed`, the checked touch into `signed`.
    pub(in crate::relay) fn new(
        relay: &Arc<Relay>,
        ticket: &str,
        call: &Call,
        unsealed: &Slot,
        signed: &Arc<Mutex<Option<Signed>>>,
    ) -> Self {
        Self {
            relay: Arc::clone(relay),
            subject: Subject {
                deed: Subject::ORDER.to_owned(),
                ticket: ticket.to_owned(),
                endpoint: relay.endpoint.url().to_owned(),
                tool: call.tool().to_owned(),
                digest: call.digest().to_owned(),
                card: String::new(),
            },
            unsealed: Arc::clone(unsealed),
            signed: Arc::clone(signed),
            shown: Mutex::default(),
        }
    }
}

impl Touch for OrderTouch {
    fn step(&self) -> Step {
        let at_hand = self.relay.at_hand.grant();
        let ring = at_hand.and_then(|unsealed| KeyRing::read(&unsealed.extras()).ok());
        match ring {
            Some(ring) if !ring.is_empty() => Step::Sign(ring.ids()),
            _ => Step::Pin,
        }
    }

    fn subject(&self, card: Option<&Card>) -> Subject {
        let text = card.map(Card::text).unwrap_or_default();
        let subject = Subject {
            card: card_digest(&text),
            ..self.subject.clone()
        };
        *lock(&self.shown) = text;
        subject
    }

    fn unlock(&self, pin: SecretString) -> BoxFuture<'static, Result<(), WrongPin>> {
        let (relay, slot) = (Arc::clone(&self.relay), Slot::default());
        let verify = verify_into(&relay, &slot);
        Box::pin(async move {
            verify(pin).await?;
            let refuse = |message: String| WrongPin { message, wait_ms: 0 };
            let unsealed = lock(&slot).take().ok_or_else(|| refuse(NO_KEY.to_owned()))?;
            match ring_of(&unsealed).await {
                Ok(ring) if ring.is_empty() => Err(refuse(NO_KEY.to_owned())),
                Ok(_) => {
                    relay.at_hand.keep(unsealed);
                    Ok(())
                }
                Err(why) => Err(refuse(why)),
            }
        })
    }

    fn take(&self, touched: Touched) -> BoxFuture<'static, Result<Progress, String>> {
        let (relay, unsealed, signed) = (
            Arc::clone(&self.relay),
            Arc::clone(&self.unsealed),
            Arc::clone(&self.signed),
        );
        let shown = lock(&self.shown).clone();
        Box::pin(async move {
            let Brought::Signed(assertion) = touched.brought else {
                return Err("that is not a signature".to_owned());
            };
            // The end of what was at hand (a lock, a sleep, a stop) ends what was asked with it.
            let Some(open) = relay.at_hand.grant() else {
                return Err("this takes your PIN again".to_owned());
            };
            let proof = Proof {
                origin: touched.origin,
                nonce: touched.nonce,
                subject: touched.subject,
                assertion,
            };
            if proof.subject.card != card_digest(&shown) {
                return Err("the card changed while you answered".to_owned());
            }
            let key = match accept(&open, &proof).await {
                Ok(key) => key,
                Err(why) => {
                    if !open.is_current().await {
                        relay.at_hand.drop_it();
                    }
                    refused(&relay, &proof, &why);
                    return Err(why);
                }
            };
            *lock(&unsealed) = Some(open);
            *lock(&signed) = Some(Signed {
                proof,
                shown,
                key: key.name,
            });
            Ok(Progress::Done)
        })
    }
}

fn refused(relay: &Relay, proof: &Proof, why: &str) {
    let fields = [
        ("ticket", Value::from(proof.subject.ticket.clone())),
        ("reason", why.into()),
        (
            "credential",
            proof.assertion.id.chars().take(32).collect::<String>().into(),
        ),
    ];
    crate::relay::outcomes::note_now(relay, "passkey_refused", &fields);
}
