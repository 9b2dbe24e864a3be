//! The counter behind the page: the card, who may see it, and the way for one answer. Refuses to know: HTTP.

use super::ceremony::{Standing, TouchView};
use super::view::View;
use super::{Asked, VIA, random};
use crate::approve::desk::Screen;
use crate::approve::touch::Touch;
use crate::approve::{Answer, DWELL_MS, Verify, WrongPin, native, text};
use crate::gate::card::Card;
use crate::system::{Env, mono_ms};
use secrecy::SecretString;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

/// What was approved is not what stands now.
const CHANGED: &str = "It changed while you answered. Read it again.";

/// Nothing is said of what was sent: it may have been approved elsewhere.
const TIME_OUT: &str = "Time ran out here. `countersign journal show` says what became of it.";

/// What the server's tasks share: the card, who may see it, and the way for one answer.
pub(super) struct Counter {
    pub(super) host: String,
    pub(super) origin: String,
    pub(super) nonce: String,
    screen: Arc<Screen>,
    verify: Option<Verify>,
    /// Asks for a passkey, in place of the PIN alone.
    pub(super) touch: Option<Arc<dyn Touch>>,
    pub(super) env: Env,
    decided: watch::Sender<Option<Answer>>,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) view: View,
    /// The card of the view; none where only the PIN is asked for.
    pub(super) card: Option<Card>,
    /// The challenge for a passkey.
    pub(super) standing: Option<Standing>,
    /// The card that this page began with.
    first: Option<Card>,
    /// When the card of the view came (monotonic).
    came_ms: u64,
    /// The secret of the link; gone once used.
    token: Option<String>,
    /// The secret of the one tab that used it.
    session: Option<String>,
    /// When that tab first fetched the deed that stands now (monotonic); none while it has not.
    seen_ms: Option<u64>,
    /// A tab has fetched the page, any version of it.
    fetched: bool,
    ended: Option<String>,
    /// A PIN or a passkey is being checked.
    pub(super) checking: bool,
    /// No PIN is looked at before (monotonic).
    not_before: u64,
}

/// What the page is told about where things stand.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    view: View,
    /// How long ago its facts came.
    age_ms: u64,
    left_ms: u64,
    total_ms: u64,
    ended: Option<String>,
}

/// What the page is told about an answer it brought.
#[derive(Debug, Default, Serialize)]
pub(super) struct Outcome {
    ended: Option<String>,
    error: Option<String>,
    /// The error is about the PIN.
    wrong_pin: bool,
    wait_ms: u64,
    /// Letters for the terminal: told once, to whoever brought the last step, and never with the state of the page.
    code: Option<String>,
    /// Another step of the passkey follows.
    #[serde(skip)]
    pub(super) next: bool,
    /// That step.
    #[serde(rename = "next")]
    pub(super) touch: Option<Box<TouchView>>,
}

impl Outcome {
    /// The passkey has to do one thing more.
    pub(super) fn go_on() -> Self {
        Self {
            next: true,
            ..Self::default()
        }
    }

    pub(super) fn not_yet(error: &str) -> Self {
        Self {
            error: Some(error.to_owned()),
            ..Self::default()
        }
    }
}

impl Counter {
    /// A counter for the page on this port; the answer goes to `decided`.
    pub(super) fn new(
        env: &Env,
        asked: Asked,
        screen: &Arc<Screen>,
        port: u16,
        decided: watch::Sender<Option<Answer>>,
    ) -> Result<Self, String> {
        let state = State {
            view: asked.view,
            first: asked.card.clone(),
            card: asked.card,
            standing: None,
            came_ms: mono_ms(),
            token: None,
            session: None,
            seen_ms: None,
            fetched: false,
            ended: None,
            checking: false,
            not_before: 0,
        };
        let counter = Self {
            host: format!("localhost:{port}"),
            origin: format!("http://localhost:{port}"),
            nonce: random()?,
            screen: screen.clone(),
            verify: asked.verify,
            touch: asked.touch,
            env: env.clone(),
            decided,
            state: Mutex::new(state),
        };
        counter.dress(&mut counter.state());
        Ok(counter)
    }

    /// Lets in whoever brings this secret next, once.
    pub(super) fn expect(&self, token: String) {
        self.state().token = Some(token);
    }

    /// Whether the card's time runs already.
    pub(super) fn is_on_screen(&self) -> bool {
        self.screen.is_marked()
    }

    /// Whether a tab has really fetched the page.
    pub(super) fn is_fetched(&self) -> bool {
        self.state().fetched
    }

    /// Ends the page because its ask is over.
    pub(super) fn close(&self) {
        let text = if self.screen.left_ms() == 0 {
            TIME_OUT
        } else if self.screen.makes_room() {
            "An exit is asked first. This comes back in a new tab; nothing was sent."
        } else {
            "Closed. It was answered elsewhere, or withdrawn; nothing more can be decided here."
        };
        let mut state = self.state();
        if state.ended.is_none() {
            state.ended = Some(text.to_owned());
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Trades the link's secret for a session; works once.
    pub(super) fn open(&self, token: &str) -> Option<String> {
        let session = random().ok()?;
        let mut state = self.state();
        if !same(state.token.as_deref()?, token) {
            return None;
        }
        state.token = None;
        state.session = Some(session.clone());
        state.seen_ms = None;
        Some(session)
    }

    /// Whether this is the tab that opened the link.
    pub(super) fn knows(&self, session: &str) -> bool {
        self.state()
            .session
            .as_deref()
            .is_some_and(|known| same(known, session))
    }

    /// Where things stand. The first time that a tab asks, the card is on its screen.
    pub(super) fn tell(&self) -> Told {
        let mut state = self.state();
        if state.seen_ms.is_none() {
            state.seen_ms = Some(mono_ms());
            state.fetched = true;
            self.screen.mark();
        }
        Told {
            view: state.view.clone(),
            age_ms: mono_ms().saturating_sub(state.came_ms),
            left_ms: self.screen.left_ms(),
            total_ms: self.screen.total_ms(),
            ended: state.ended.clone(),
        }
    }

    /// Shows a newer card.
    pub(super) fn update(&self, card: &Card) {
        let mut state = self.state();
        let mut core = state.view.core;
        if !state
            .card
            .as_ref()
            .is_some_and(|shown| text::same_deed(shown, card))
        {
            core = core.saturating_add(1);
            state.seen_ms = None;
        }
        // What is signed, and goes on record as shown, is to be what was read: moved prices alone leave it as it is.
        if !state
            .card
            .as_ref()
            .is_some_and(|shown| text::same_facts(shown, card))
        {
            state.standing = None;
        }
        let first = state.first.get_or_insert_with(|| card.clone());
        state.view = View::card(card, first, self.verify.is_some(), core);
        state.card = Some(card.clone());
        self.dress(&mut state);
        state.came_ms = mono_ms();
    }

    /// Ends the page with an answer; the first one counts.
    fn decide(&self, answer: Answer, text: &str) -> Outcome {
        self.decide_in(&mut self.state(), answer, text)
    }

    fn decide_in(&self, state: &mut State, answer: Answer, text: &str) -> Outcome {
        if state.ended.is_none() {
            state.ended = Some(text.to_owned());
            self.decided.send_replace(Some(answer));
        }
        Outcome {
            ended: state.ended.clone(),
            ..Outcome::default()
        }
    }

    pub(super) fn deny(&self) -> Outcome {
        let text = if self.is_card() {
            "Denied. Nothing was sent."
        } else {
            "Cancelled. Nothing was unlocked."
        };
        self.decide(Answer::Denied { via: VIA }, text)
    }

    pub(super) fn halt(&self) -> Outcome {
        self.decide(
            Answer::Halted { via: VIA },
            "AI trading is stopped. Nothing was sent. `countersign resume` allows it again.",
        )
    }

    /// Whether the page is about a card, not about the PIN alone.
    fn is_card(&self) -> bool {
        self.state().card.is_some()
    }

    /// Takes an approval of the version `core` of the card.
    pub(super) async fn approve(&self, core: u64, pin: SecretString) -> Outcome {
        if let Err(outcome) = self.admit(core) {
            return outcome;
        }
        let outcome = if self.touch.is_some() {
            self.unlocked(pin).await
        } else {
            self.checked(core, pin).await
        };
        self.state().checking = false;
        outcome
    }

    /// Whether an approval may be looked at now. A PIN is then being checked.
    pub(super) fn admit(&self, core: u64) -> Result<(), Outcome> {
        let now = mono_ms();
        let mut state = self.state();
        if state.ended.is_some() {
            return Err(Outcome {
                ended: state.ended.clone(),
                ..Outcome::default()
            });
        }
        if core != state.view.core {
            return Err(Outcome::not_yet(CHANGED));
        }
        if state
            .seen_ms
            .is_none_or(|seen| now.saturating_sub(seen) < DWELL_MS)
        {
            return Err(Outcome::not_yet(
                "That was too quick to be meant. Read it, and press again.",
            ));
        }
        if state.checking || now < state.not_before {
            return Err(Outcome::not_yet(
                "One moment: the last try is still being checked.",
            ));
        }
        state.checking = true;
        Ok(())
    }

    async fn checked(&self, core: u64, pin: SecretString) -> Outcome {
        if let Some(why) = native::locked(&self.env).await {
            return Outcome::not_yet(&format!("Not approved: {why}."));
        }
        if let Some(verify) = &self.verify {
            // On a task of its own: a browser that hangs up in between must not cut it in two.
            let checked = tokio::spawn(verify(pin)).await;
            match checked {
                Ok(Ok(())) => {}
                Ok(Err(wrong)) => return self.wrong(&wrong),
                Err(_) => return Outcome::not_yet("The PIN could not be checked."),
            }
        }
        self.approved(core, None)
    }

    /// The factor was right: whether it still counts for what stands. The code is shown with it.
    pub(super) fn approved(&self, core: u64, code: Option<String>) -> Outcome {
        if self.screen.left_ms() == 0 {
            return self.decide(Answer::Expired, TIME_OUT);
        }
        // The seconds of the check are long enough for another deed to come up.
        let mut state = self.state();
        if state.ended.is_none() && core != state.view.core {
            return Outcome::not_yet(CHANGED);
        }
        let text = if code.is_some() {
            "Almost done. The terminal asks for the letters that the page showed."
        } else if self.touch.is_some() && state.card.is_none() {
            "Done. This tab can be closed; the terminal tells the rest."
        } else if state.card.is_some() {
            "Approved. What came of it is told in a notification; if anything is worse by now, you are asked again."
        } else {
            "Unlocked."
        };
        Outcome {
            code,
            ..self.decide_in(&mut state, Answer::Approved { via: VIA }, text)
        }
    }

    pub(super) fn wrong(&self, wrong: &WrongPin) -> Outcome {
        self.state().not_before = mono_ms().saturating_add(wrong.wait_ms);
        // The page counts the seconds itself.
        Outcome {
            error: Some(text::ascii(&wrong.message)),
            wrong_pin: true,
            wait_ms: wrong.wait_ms,
            ..Outcome::default()
        }
    }
}

fn same(known: &str, given: &str) -> bool {
    bool::from(known.as_bytes().ct_eq(given.as_bytes()))
}
