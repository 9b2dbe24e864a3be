//! The touch for verbs: allowing trading again, another tier, taking a key away.

use super::{NO_KEY, accept, ring_of};
use crate::approve::touch::{Brought, Progress, Step, Touch, Touched};
use crate::approve::{Answer, Ask, Verify, WrongPin};
use crate::gate::{Card, Tier};
use crate::oauth::{SealedExtras, Unsealed};
use crate::passkey::{KeyRing, Proof, Subject, TIER, card_digest};
use crate::relay::verbs::Slot;
use crate::relay::{Relay, lock};
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Whether what lies under the seal wants a touch for anything that loosens: a tier that was raised to passkey, and keys
/// to touch. Without a key (a new sign-in after all were lost) the PIN has to do.
pub(crate) fn has_to_touch(extras: &SealedExtras) -> Result<bool, String> {
    let raised = extras.get(TIER).is_some_and(|tier| tier == "passkey");
    Ok(raised && !KeyRing::read(extras)?.is_empty())
}

/// Asks for a touch by a registered key, on a page of this process.
///
/// # Errors
/// A sentence: there was none.
pub(crate) async fn confirm(
    relay: &Relay,
    unsealed: &Arc<Unsealed>,
    deed: &str,
    title: &str,
) -> Result<(), String> {
    let slot = Slot::default();
    *lock(&slot) = Some(Arc::clone(unsealed));
    let touch = VerbTouch {
        slot,
        verify: None,
        subject: Subject::verb(deed, relay.endpoint.url()),
    };
    let phrase = relay.settings().ok().and_then(|settings| settings.phrase);
    let about = "Asked by a countersign command on this computer. You did not run one? Cancel.";
    let answer = relay
        .desk
        .ask_touch(
            (title, about),
            phrase.as_deref(),
            Arc::new(touch),
            CancellationToken::new(),
        )
        .await;
    match answer {
        Answer::Approved { .. } => Ok(()),
        other => Err(no_touch(&other)),
    }
}

pub(super) fn no_touch(answer: &Answer) -> String {
    match answer {
        Answer::Denied { .. } | Answer::Halted { .. } => "it was cancelled on the page".to_owned(),
        Answer::Nobody(why) => format!("the page for your passkey cannot be shown: {why}"),
        Answer::Tampered(why) => format!("another program interfered: {why}"),
        Answer::Approved { .. } | Answer::Expired | Answer::Stopped => {
            "no passkey was used within two minutes".to_owned()
        }
    }
}

/// A question of a verb, or of a changed policy, in tier passkey: the PIN and a touch over this card, on the page.
pub(in crate::relay) async fn ask_verb(
    relay: &Relay,
    card: Card,
    open_for: std::time::Duration,
    (verify, slot): (Verify, Slot),
    stop: CancellationToken,
) -> Answer {
    let (_keep, updates) = tokio::sync::watch::channel(card.clone());
    let (shown, _seen) = tokio::sync::oneshot::channel();
    let touch = VerbTouch {
        slot,
        verify: Some(verify),
        subject: Subject::verb(&card.headline, relay.endpoint.url()),
    };
    let ask = Ask {
        card,
        tier: Tier::Passkey,
        open_for,
        verify: None,
        touch: Some(Arc::new(touch)),
    };
    relay.desk.ask(ask, updates, stop, shown).await
}

/// A touch over the name of a verb.
struct VerbTouch {
    slot: Slot,
    /// Opens the seal, where that is not done yet.
    verify: Option<Verify>,
    subject: Subject,
}

impl VerbTouch {
    fn open(&self) -> Option<Arc<Unsealed>> {
        lock(&self.slot).clone()
    }
}

impl Touch for VerbTouch {
    fn step(&self) -> Step {
        match self.open().and_then(|open| KeyRing::read(&open.extras()).ok()) {
            Some(ring) if !ring.is_empty() => Step::Sign(ring.ids()),
            _ => Step::Pin,
        }
    }

    fn subject(&self, card: Option<&Card>) -> Subject {
        let card = card.map(|card| card_digest(&card.text())).unwrap_or_default();
        Subject {
            card,
            ..self.subject.clone()
        }
    }

    fn unlock(&self, pin: SecretString) -> BoxFuture<'static, Result<(), WrongPin>> {
        let (slot, verify) = (Arc::clone(&self.slot), self.verify.clone());
        Box::pin(async move {
            let refuse = |message: String| WrongPin { message, wait_ms: 0 };
            let verify = verify.ok_or_else(|| refuse(NO_KEY.to_owned()))?;
            verify(pin).await?;
            let open = lock(&slot).clone().ok_or_else(|| refuse(NO_KEY.to_owned()))?;
            match ring_of(&open).await {
                Ok(ring) if ring.is_empty() => Err(refuse(NO_KEY.to_owned())),
                Ok(_) => Ok(()),
                Err(why) => Err(refuse(why)),
            }
        })
    }

    fn take(&self, touched: Touched) -> BoxFuture<'static, Result<Progress, String>> {
        let open = self.open();
        Box::pin(async move {
            let (Some(open), Brought::Signed(assertion)) = (open, touched.brought) else {
                return Err("that is not a signature".to_owned());
            };
            let proof = Proof {
                origin: touched.origin,
                nonce: touched.nonce,
                subject: touched.subject,
                assertion,
            };
            accept(&open, &proof).await.map(|_| Progress::Done)
        })
    }
}
