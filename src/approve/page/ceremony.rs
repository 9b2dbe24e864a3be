//! The passkey at the page's counter: the challenge that stands, and what the browser brings for it.
//!
//! A nonce lives in this process only. It belongs to one version of the card (a fact that changes ends it, a moving price
//! does not), and the first answer that is looked
//! at spends it, right or wrong. Neither challenge nor credential ids are told before the PIN has opened them.

use super::counter::{Counter, Outcome, State};
use super::{random, random_bytes};
use crate::approve::native;
use crate::approve::text::ascii;
use crate::approve::touch::{Brought, Progress, Step, Touched};
use crate::passkey::{Assertion, Created, Nonce, Subject, challenge};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The challenge that stands, and what it is for.
pub(super) struct Standing {
    core: u64,
    step: Step,
    nonce: Nonce,
    subject: Subject,
    told: TouchView,
}

/// What the page's script is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct TouchView {
    /// A new credential is wanted, not a signature.
    create: bool,
    challenge: String,
    /// Credentials that may sign, or that the authenticator of a new one must not hold.
    keys: Vec<String>,
    /// The user handle of a new credential: random, so that no other site of this RP ID can name and replace it.
    user: String,
}

/// What the page's script brings.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum TouchText {
    Signed(Assertion),
    Created(Created),
}

impl Counter {
    /// Puts the step that comes next on the view. A challenge stays as long as its version of the card does.
    pub(super) fn dress(&self, state: &mut State) {
        let Some(touch) = &self.touch else { return };
        let step = touch.step();
        if step == Step::Pin {
            state.standing = None;
            state.view.pin = true;
            state.view.touch = None;
            "Check the PIN".clone_into(&mut state.view.approve);
            state.view.pin_hint =
                "It opens the trading key in this program. After that each order takes your passkey alone.";
            return;
        }
        let core = state.view.core;
        // While an answer is looked at, nothing new is asked.
        if state.checking {
            return;
        }
        if !state
            .standing
            .as_ref()
            .is_some_and(|standing| standing.core == core && standing.step == step)
        {
            state.standing = Standing::new(core, step, touch.subject(state.card.as_ref()));
        }
        state.view.pin = false;
        state.view.pin_hint = "";
        state.view.touch = state.standing.as_ref().map(|standing| standing.told.clone());
        state.view.approve = match (&state.card, &state.view.touch) {
            (Some(card), _) => format!("{} with your passkey", ascii(&card.approve)),
            (None, Some(touch)) if touch.create => "Register a passkey".to_owned(),
            (None, _) => "Use my passkey".to_owned(),
        };
    }

    /// The PIN, where it only opens the way to the passkey: it approves nothing.
    pub(super) async fn unlocked(&self, pin: SecretString) -> Outcome {
        let Some(touch) = self.touch.as_ref().filter(|touch| touch.step() == Step::Pin) else {
            return Outcome::not_yet("This takes your passkey: press the button, then touch it.");
        };
        // On a task of its own: a browser that hangs up in between must not cut it in two.
        let checked = tokio::spawn(touch.unlock(pin)).await;
        let outcome = match checked {
            Ok(Ok(())) => Outcome::not_yet("The PIN is right. Nothing is approved yet: now your passkey."),
            Ok(Err(wrong)) => self.wrong(&wrong),
            Err(_) => Outcome::not_yet("The PIN could not be checked."),
        };
        let mut state = self.state();
        state.checking = false;
        self.dress(&mut state);
        outcome
    }

    /// Takes what a passkey did for the version `core` of the card.
    pub(super) async fn touched(&self, core: u64, brought: TouchText) -> Outcome {
        if let Err(outcome) = self.admit(core) {
            return outcome;
        }
        // Spent now, whatever comes of it.
        let standing = self.state().standing.take();
        let mut outcome = self.judged(core, standing, brought).await;
        let mut state = self.state();
        state.checking = false;
        if outcome.next {
            state.view.touch = None;
        }
        self.dress(&mut state);
        if outcome.next {
            outcome.touch = state.view.touch.clone().map(Box::new);
        }
        outcome
    }

    async fn judged(&self, core: u64, standing: Option<Standing>, brought: TouchText) -> Outcome {
        if let Some(why) = native::locked(&self.env).await {
            return Outcome::not_yet(&format!("Not approved: {why}."));
        }
        let (Some(touch), Some(standing)) = (&self.touch, standing.filter(|standing| standing.core == core))
        else {
            return Outcome::not_yet("That was asked for before. Press again.");
        };
        let brought = match (brought, &standing.step) {
            (TouchText::Signed(signed), Step::Sign(_)) => Brought::Signed(signed),
            (TouchText::Created(created), Step::Create(_)) => Brought::Created(created),
            _ => return Outcome::not_yet("That is not what was asked for. Press again."),
        };
        let touched = Touched {
            origin: self.origin.clone(),
            nonce: standing.nonce,
            subject: standing.subject,
            brought,
        };
        match tokio::spawn(touch.take(touched)).await {
            Ok(Ok(Progress::Done)) => self.approved(core, None),
            Ok(Ok(Progress::Code(code))) => self.approved(core, Some(code)),
            Ok(Ok(Progress::Next)) => Outcome::go_on(),
            Ok(Err(why)) => Outcome::not_yet(&format!("Not approved: {}.", ascii(&why))),
            Err(_) => Outcome::not_yet("The passkey could not be checked."),
        }
    }
}

impl Standing {
    fn new(core: u64, step: Step, subject: Subject) -> Option<Self> {
        let nonce = Nonce::new(&random_bytes().ok()?);
        let told = TouchView {
            create: matches!(step, Step::Create(_)),
            challenge: URL_SAFE_NO_PAD.encode(challenge(&nonce, &subject)?),
            keys: match &step {
                Step::Sign(keys) | Step::Create(keys) => keys.clone(),
                Step::Pin => Vec::new(),
            },
            user: random().ok()?,
        };
        Some(Self {
            core,
            step,
            nonce,
            subject,
            told,
        })
    }
}
