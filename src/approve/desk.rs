//! The desk: one ask from the turn to the answer. Picks the channel, keeps the time, leaves a clean screen.

use super::turn::Turn;
use super::{Answer, Ask, Channel, Notice, native, page, text, turn};
use crate::gate::Tier;
use crate::gate::card::Card;
use crate::system::{Paths, World, browser, mono_ms};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Asks the person. Cheap to clone; all clones share what is on the screen.
#[derive(Debug, Clone)]
pub struct Desk(Arc<Shared>);

/// What the channels share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) world: World,
    /// Our popup on the screen.
    pub(super) live: native::Live,
}

impl Desk {
    /// A desk in this world. Touches nothing yet.
    pub fn new(world: &World) -> Self {
        Self(Arc::new(Shared {
            world: world.clone(),
            live: native::Live::default(),
        }))
    }

    /// What a card of this tier would be decided on now.
    ///
    /// # Errors
    /// A sentence on what is missing, and the command that gives a channel.
    pub async fn channel(&self, tier: Tier, free_text: bool) -> Result<Channel, String> {
        let native = native::ready(&self.0.world.env).await;
        let by_click = tier == Tier::Click && !free_text;
        let (notification, why) = match native {
            Ok(ready) if by_click && ready.only_denies.is_none() => {
                return Ok(Channel::Notification { server: ready.server });
            }
            Ok(ready) => (Some(ready.server), ready.only_denies.map(str::to_owned)),
            Err(why) => (None, Some(why)),
        };
        let why = why.filter(|_| by_click);
        match browser::available(&self.0.world.env) {
            Ok(browser) => Ok(Channel::Page {
                browser,
                notification,
                why,
            }),
            Err(no_browser) => Err(no_channel(why.as_deref(), &no_browser)),
        }
    }

    /// Asks, and waits for the end of it: a decision, the deadline, `stop`, or tampering. `shown` fires when the card is
    /// really on the screen; the deadline runs from there. A newer card from `updates` replaces the one shown.
    ///
    /// Nothing of this ask is left on the screen when it returns, nor when the future is dropped.
    pub async fn ask(
        &self,
        ask: Ask,
        updates: watch::Receiver<Card>,
        stop: CancellationToken,
        shown: oneshot::Sender<()>,
    ) -> Answer {
        let screen = Arc::new(Screen::new(ask.open_for, shown));
        let place = Place {
            desk: self.clone(),
            turn: Mutex::new(None),
        };
        let answer = tokio::select! {
            biased;
            () = stop.cancelled() => Answer::Stopped,
            () = screen.expired() => Answer::Expired,
            answer = self.in_turn(&ask, &updates, &screen, &place) => answer,
        };
        // An approved order does not wait for the screen to be tidied.
        if !matches!(answer, Answer::Approved { .. }) {
            place.clear().await;
        }
        answer
    }

    async fn in_turn(
        &self,
        ask: &Ask,
        updates: &watch::Receiver<Card>,
        screen: &Arc<Screen>,
        place: &Place,
    ) -> Answer {
        if let Some(why) = ask.unaskable() {
            return Answer::Nobody(why.to_owned());
        }
        loop {
            match turn::take(&self.0.world.paths, ask.is_urgent()).await {
                Ok(turn) => place.hold(turn),
                Err(why) => return Answer::Nobody(why),
            }
            tokio::select! {
                biased;
                answer = self.show(ask, updates.clone(), screen) => return answer,
                () = step_aside(&self.0.world.paths, screen), if !ask.is_urgent() => {}
            }
            place.clear().await;
        }
    }

    /// The notification decides where it may and can; else the page.
    async fn show(&self, ask: &Ask, updates: watch::Receiver<Card>, screen: &Arc<Screen>) -> Answer {
        let fits = text::popup(&ask.card, "00:00:00", None).whole;
        let mut why_not = None;
        if ask.by_click() && fits {
            match native::ask(&self.0, ask, updates.clone(), screen, None).await {
                Answer::Nobody(why) => why_not = Some(why),
                answer => return answer,
            }
        }
        if let Err(no_browser) = browser::available(&self.0.world.env) {
            return Answer::Nobody(no_channel(why_not.as_deref(), &no_browser));
        }
        match self.show_page(ask, updates, screen).await {
            Answer::Nobody(no_page) => Answer::Nobody(no_channel(why_not.as_deref(), &no_page)),
            answer => answer,
        }
    }

    /// The page, with a notification beside it that can deny and open the page again.
    async fn show_page(&self, ask: &Ask, updates: watch::Receiver<Card>, screen: &Arc<Screen>) -> Answer {
        let open = Notify::new();
        let beside = async {
            match native::ask(&self.0, ask, updates.clone(), screen, Some(&open)).await {
                // No notification: the page stands alone.
                Answer::Nobody(_) | Answer::Expired => std::future::pending().await,
                answer => answer,
            }
        };
        tokio::select! {
            biased;
            answer = beside => answer,
            answer = page::ask(&self.0.world.env, ask, updates.clone(), screen, &open) => answer,
        }
    }

    /// Asks for the PIN alone, on a page of this process (`arm`): `Approved` once `verify` is content. The page shows the
    /// person's `phrase`, as every card does.
    pub async fn ask_pin(
        &self,
        title: &str,
        phrase: Option<&str>,
        verify: super::Verify,
        stop: CancellationToken,
    ) -> Answer {
        let (shown, _) = oneshot::channel();
        let screen = Arc::new(Screen::new(page::PIN_OPEN, shown));
        if let Err(no_browser) = browser::available(&self.0.world.env) {
            return Answer::Nobody(no_channel(None, &no_browser));
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => Answer::Stopped,
            () = screen.expired() => Answer::Expired,
            answer = page::ask_pin(&self.0.world.env, title, phrase, verify, &screen) => answer,
        }
    }

    /// Asks for a passkey alone, on a page of this process that stays open for two minutes: `Approved` once `touch` is
    /// content. `what` is the page's title and what it is for.
    pub async fn ask_touch(
        &self,
        what: (&str, &str),
        phrase: Option<&str>,
        touch: Arc<dyn super::touch::Touch>,
        stop: CancellationToken,
    ) -> Answer {
        let (shown, _) = oneshot::channel();
        let screen = Arc::new(Screen::new(page::PIN_OPEN, shown));
        if let Err(no_browser) = browser::available(&self.0.world.env) {
            return Answer::Nobody(no_browser);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => Answer::Stopped,
            () = screen.expired() => Answer::Expired,
            answer = page::ask_touch(&self.0.world.env, what, phrase, touch, &screen) => answer,
        }
    }

    /// Whether the screen is known to be locked: then nobody is at the desk.
    pub async fn is_locked(&self) -> bool {
        self.away().await.is_some()
    }

    /// Why nobody can be at the desk, where the system says so.
    pub async fn away(&self) -> Option<&'static str> {
        native::locked(&self.0.world.env).await
    }

    /// Tells the person something; whether it was shown. Never takes longer than a few seconds.
    pub async fn notice(&self, notice: Notice) -> bool {
        native::notice(&self.0, &notice).await
    }

    /// Tells the person something that has one button; whether they pressed it before `stop`. It goes with `stop`, and
    /// decides on nothing that is held.
    pub async fn offer(&self, notice: Notice, button: &str, stop: CancellationToken) -> bool {
        native::offer(&self.0, &notice, button, stop).await
    }

    /// This process ends: what the person still has to read is given to somebody who stays.
    pub async fn leave(&self) {
        native::leave(&self.0).await;
    }

    /// Closes what this process has on the screen.
    pub async fn dismiss_all(&self) {
        native::sweep(&self.0).await;
    }
}

/// Returns when an exit wants the screen; what is shown then knows why it goes.
async fn step_aside(paths: &Paths, screen: &Screen) {
    turn::wanted_by_exit(paths).await;
    screen.aside.store(true, Ordering::Release);
}

fn no_channel(native: Option<&str>, browser: &str) -> String {
    let native = native.map(|why| format!("{why}; ")).unwrap_or_default();
    format!("{native}{browser}. Run `countersign watch` in a terminal on that machine")
}

/// Our turn and what we have on the screen: always cleared in this order, so that the next one finds a clean screen; also
/// when an ask is dropped half-way.
struct Place {
    desk: Desk,
    turn: Mutex<Option<Turn>>,
}

impl Place {
    fn hold(&self, turn: Turn) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
    }

    fn take(&self) -> Option<Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn clear(&self) {
        // Without the turn nothing of this ask is up: what is there is the card of another order of this process.
        if !self.has_turn() {
            return;
        }
        self.desk.dismiss_all().await;
        drop(self.take());
    }

    fn has_turn(&self) -> bool {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (turn, desk) = (self.take(), self.desk.clone());
        if turn.is_some()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                desk.dismiss_all().await;
                drop(turn);
            });
        }
    }
}

/// The time a card has, from the moment it is on the screen.
#[derive(Debug)]
pub(super) struct Screen {
    open_for: Duration,
    shown: Mutex<Option<oneshot::Sender<()>>>,
    /// Monotonic milliseconds of the deadline.
    until: watch::Sender<Option<u64>>,
    /// The card makes room for an exit, and comes back.
    aside: AtomicBool,
}

impl Screen {
    pub(super) fn new(open_for: Duration, shown: oneshot::Sender<()>) -> Self {
        Self {
            open_for,
            shown: Mutex::new(Some(shown)),
            until: watch::Sender::new(None),
            aside: AtomicBool::new(false),
        }
    }

    fn open_ms(&self) -> u64 {
        u64::try_from(self.open_for.as_millis()).unwrap_or(u64::MAX)
    }

    /// The card is on the screen. Only the first time counts.
    pub(super) fn mark(&self) {
        let until = mono_ms().saturating_add(self.open_ms());
        self.until
            .send_if_modified(|known| known.is_none() && known.replace(until).is_none());
        if let Some(shown) = self.shown.lock().ok().and_then(|mut shown| shown.take()) {
            let _ = shown.send(());
        }
    }

    /// Whether the card goes only to make room for an exit. Tells it once.
    pub(super) fn makes_room(&self) -> bool {
        self.aside.swap(false, Ordering::AcqRel)
    }

    /// Whether the clock runs.
    pub(super) fn is_marked(&self) -> bool {
        self.until.borrow().is_some()
    }

    /// Milliseconds that are left.
    pub(super) fn left_ms(&self) -> u64 {
        self.until
            .borrow()
            .map_or(self.open_ms(), |until| until.saturating_sub(mono_ms()))
    }

    /// All the milliseconds there were.
    pub(super) fn total_ms(&self) -> u64 {
        self.open_ms()
    }

    /// The local time of the deadline.
    pub(super) fn until_text(&self) -> String {
        crate::system::clock::local_time(crate::system::wall_ms().saturating_add(self.left_ms()))
    }

    /// Returns when the time is over.
    pub(super) async fn expired(&self) {
        let mut until = self.until.subscribe();
        // The sender lives as long as we do.
        if until.wait_for(Option::is_some).await.is_err() {
            return std::future::pending().await;
        }
        while self.left_ms() > 0 {
            tokio::time::sleep(Duration::from_millis(self.left_ms().clamp(1, 1000))).await;
        }
    }
}
