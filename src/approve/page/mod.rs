//! The local page: the card in the person's browser, with a field for the PIN where the tier wants one.
//!
//! Owns: the short-lived server on loopback and what may be asked of it. Refuses to know: tickets, grants, the vault;
//! a PIN goes to the [`Verify`] of the ask and nowhere else. The page belongs to this process and ends with its ask.
//! In tier click it is no stronger than the notification: any program of the same user could open the link first, and
//! then the person's own tab says that the link was used (DESIGN §6).

mod listen;
mod serve;
mod view;

pub use listen::{listen, listen_on};

use super::desk::Screen;
use super::{Answer, Ask, DWELL_MS, Verify, native, text};
use crate::gate::card::Card;
use crate::system::{Env, browser, mono_ms};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use view::View;

/// How long a page that asks for the PIN alone stays open.
pub(super) const PIN_OPEN: Duration = Duration::from_secs(120);
/// A browser that has not shown the page by then will not.
const OPEN_LIMIT: Duration = Duration::from_secs(30);
const VIA: &str = "page";

/// Shows the card on a page, and again whenever `open` is notified.
pub(super) async fn ask(
    env: &Env,
    ask: &Ask,
    updates: watch::Receiver<Card>,
    screen: &Arc<Screen>,
    open: &Notify,
) -> Answer {
    let card = updates.borrow().clone();
    let view = View::card(&card, ask.verify.is_some(), 1);
    let asked = Asked {
        view,
        card: Some(card),
        verify: ask.verify.clone(),
    };
    run(env, asked, Some(updates), screen, open).await
}

/// Asks for the PIN and nothing else.
pub(super) async fn ask_pin(env: &Env, title: &str, verify: Verify, screen: &Arc<Screen>) -> Answer {
    let asked = Asked {
        view: View::pin(title),
        card: None,
        verify: Some(verify),
    };
    run(env, asked, None, screen, &Notify::new()).await
}

/// What a page is for.
struct Asked {
    view: View,
    card: Option<Card>,
    verify: Option<Verify>,
}

async fn run(
    env: &Env,
    asked: Asked,
    updates: Option<watch::Receiver<Card>>,
    screen: &Arc<Screen>,
    open: &Notify,
) -> Answer {
    if let Some(why) = native::locked(env).await {
        return Answer::Nobody(why.to_owned());
    }
    let page = match Page::start(env, asked, screen).await {
        Ok(page) => page,
        Err(why) => return Answer::Nobody(why),
    };
    if let Err(why) = page.open(env).await {
        return Answer::Nobody(why);
    }
    tokio::select! {
        biased;
        answer = page.decision() => answer,
        why = page.keep(env, updates, open) => Answer::Nobody(why),
    }
}

/// The running page. When dropped, it tells the browser that it is over, for a few seconds, and is gone.
struct Page {
    desk: Arc<Counter>,
    answers: watch::Receiver<Option<Answer>>,
    close: CancellationToken,
}

impl Page {
    async fn start(env: &Env, asked: Asked, screen: &Arc<Screen>) -> Result<Self, String> {
        let Asked { view, card, verify } = asked;
        let (four, six, port) = listen().await?;
        let (decided, answers) = watch::channel(None);
        let desk = Arc::new(Counter {
            host: format!("localhost:{port}"),
            origin: format!("http://localhost:{port}"),
            nonce: random()?,
            screen: screen.clone(),
            verify,
            env: env.clone(),
            decided,
            state: Mutex::new(State {
                view,
                card,
                token: None,
                session: None,
                seen_ms: None,
                ended: None,
                checking: false,
                not_before: 0,
            }),
        });
        let close = CancellationToken::new();
        tokio::spawn(serve::serve(four, six, desk.clone(), close.clone()));
        Ok(Self { desk, answers, close })
    }

    /// Opens the page in the browser by a link that works once; an older tab is cut off by it.
    async fn open(&self, env: &Env) -> Result<(), String> {
        let token = random()?;
        self.desk.state().token = Some(token.clone());
        browser::open(&format!("{}/#{token}", self.desk.origin), env).await
    }

    async fn decision(&self) -> Answer {
        let mut answers = self.answers.clone();
        match answers.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or(Answer::Expired),
            Err(_) => Answer::Expired,
        }
    }

    /// Brings updates to the page and opens it again on request; returns only when the browser never showed it.
    async fn keep(&self, env: &Env, mut updates: Option<watch::Receiver<Card>>, open: &Notify) -> String {
        let late = tokio::time::sleep(OPEN_LIMIT);
        tokio::pin!(late);
        let mut waiting = true;
        loop {
            tokio::select! {
                card = newer(updates.as_mut()) => self.desk.update(&card),
                () = open.notified() => {
                    let _ = self.open(env).await;
                }
                () = &mut late, if waiting => {
                    waiting = false;
                    // With a notification beside it the card is on the screen anyway, and can open the page again.
                    if !self.desk.screen.is_marked() {
                        return "the browser did not show the page within 30 s; use `countersign watch`".to_owned();
                    }
                }
            }
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let text = if self.desk.screen.left_ms() == 0 {
            "Time ran out. Nothing was sent."
        } else if self.desk.screen.makes_room() {
            "An exit is asked first. This comes back in a new tab; nothing was sent."
        } else {
            "Closed: it was answered elsewhere, or withdrawn. Nothing more can be decided here."
        };
        self.desk.end(text);
        self.close.cancel();
    }
}

async fn newer(updates: Option<&mut watch::Receiver<Card>>) -> Card {
    let Some(updates) = updates else {
        return std::future::pending().await;
    };
    if updates.changed().await.is_err() {
        return std::future::pending().await;
    }
    updates.borrow_and_update().clone()
}

/// What the server's tasks share: the card, who may see it, and the way for one answer.
pub(super) struct Counter {
    pub(super) host: String,
    pub(super) origin: String,
    pub(super) nonce: String,
    screen: Arc<Screen>,
    verify: Option<Verify>,
    env: Env,
    decided: watch::Sender<Option<Answer>>,
    state: Mutex<State>,
}

struct State {
    view: View,
    /// The card of the view; none where only the PIN is asked for.
    card: Option<Card>,
    /// The secret of the link; gone once used.
    token: Option<String>,
    /// The secret of the one tab that used it.
    session: Option<String>,
    /// When that tab, or a new deed, was first on the screen (monotonic).
    seen_ms: Option<u64>,
    ended: Option<String>,
    /// A PIN is being checked.
    checking: bool,
    /// No PIN is looked at before (monotonic).
    not_before: u64,
}

/// What the page is told about where things stand.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    view: View,
    left_ms: u64,
    total_ms: u64,
    ended: Option<String>,
}

/// What the page is told about an answer it brought.
#[derive(Debug, Default, Serialize)]
pub(super) struct Outcome {
    ended: Option<String>,
    error: Option<String>,
    wait_ms: u64,
}

impl Outcome {
    fn not_yet(error: &str) -> Self {
        Self {
            error: Some(error.to_owned()),
            ..Self::default()
        }
    }
}

impl Counter {
    fn state(&self) -> MutexGuard<'_, State> {
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
            self.screen.mark();
        }
        Told {
            view: state.view.clone(),
            left_ms: self.screen.left_ms(),
            total_ms: self.screen.total_ms(),
            ended: state.ended.clone(),
        }
    }

    fn update(&self, card: &Card) {
        let mut state = self.state();
        let mut core = state.view.core;
        if !state
            .card
            .as_ref()
            .is_some_and(|shown| text::same_deed(shown, card))
        {
            core = core.saturating_add(1);
            state.seen_ms = state.seen_ms.map(|_| mono_ms());
        }
        state.view = View::card(card, self.verify.is_some(), core);
        state.card = Some(card.clone());
    }

    fn end(&self, text: &str) {
        let mut state = self.state();
        if state.ended.is_none() {
            state.ended = Some(text.to_owned());
        }
    }

    /// Ends the page with an answer; the first one counts.
    fn decide(&self, answer: Answer, text: &str) -> Outcome {
        let mut state = self.state();
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
        self.decide(Answer::Denied { via: VIA }, "Denied. Nothing was sent.")
    }

    pub(super) fn halt(&self) -> Outcome {
        self.decide(
            Answer::Halted { via: VIA },
            "AI trading is stopped. Nothing was sent. `countersign resume` allows it again.",
        )
    }

    /// Takes an approval of the version `core` of the card.
    pub(super) async fn approve(&self, core: u64, pin: SecretString) -> Outcome {
        if let Err(outcome) = self.admit(core) {
            return outcome;
        }
        let outcome = self.checked(pin).await;
        self.state().checking = false;
        outcome
    }

    /// Whether an approval may be looked at now. A PIN is then being checked.
    fn admit(&self, core: u64) -> Result<(), Outcome> {
        let now = mono_ms();
        let mut state = self.state();
        if state.ended.is_some() {
            return Err(Outcome {
                ended: state.ended.clone(),
                ..Outcome::default()
            });
        }
        if core != state.view.core {
            return Err(Outcome::not_yet("It changed while you answered. Read it again."));
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

    async fn checked(&self, pin: SecretString) -> Outcome {
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
        if self.screen.left_ms() == 0 {
            return self.decide(Answer::Expired, "Time ran out. Nothing was sent.");
        }
        self.decide(
            Answer::Approved { via: VIA },
            "Approved. You are told what came of it; this tab can be closed.",
        )
    }

    fn wrong(&self, wrong: &super::WrongPin) -> Outcome {
        self.state().not_before = mono_ms().saturating_add(wrong.wait_ms);
        let mut error = text::ascii(&wrong.message);
        if wrong.wait_ms >= 1000 {
            let seconds = wrong.wait_ms.div_ceil(1000);
            error = format!("{error} Next try in {seconds} s.");
        }
        Outcome {
            error: Some(error),
            wait_ms: wrong.wait_ms,
            ..Outcome::default()
        }
    }
}

fn same(known: &str, given: &str) -> bool {
    bool::from(known.as_bytes().ct_eq(given.as_bytes()))
}

/// 256 random bits, as text for an address.
fn random() -> Result<String, String> {
    let mut bytes = [0u8; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
