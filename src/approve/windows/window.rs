//! One dialog on the screen: its thread, what is written on it, and how it is told to go.
//!
//! Refuses to know: cards and answers. A dialog blocks the thread that shows it, so it has one of its own; everybody else
//! leaves word in its inbox, which the dialog reads five times a second.

use super::raw::{self, Part, Spec, Watcher, Window};
use crate::approve::dialog::layout;
use crate::approve::dialog::press::{Button, Event, Press, Presses};
use crate::system::mono_ms;
use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// A dialog that is not on the screen by then is given up.
const SHOW_LIMIT: Duration = Duration::from_secs(5);
/// How long anybody waits for a dialog that was told to go. Whoever leaves has less than two seconds, and has to write down
/// what became of the order; what is pressed on a dialog that goes counts for nothing anyway.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// What is to stand on the dialog, and whether it is to be there at all.
#[derive(Debug)]
struct Inbox {
    facts: String,
    /// How long it stays, in monotonic milliseconds.
    stay: Stay,
    /// What is written now is read anew: an approval waits for it again.
    news: bool,
    close: bool,
    window: Option<Window>,
}

/// A dialog, as everybody but its own thread knows it.
#[derive(Debug)]
pub(super) struct Panel {
    inbox: Mutex<Inbox>,
    first: i32,
    over: watch::Sender<bool>,
}

impl Panel {
    /// Tells the dialog to go.
    pub(super) fn close(&self) {
        let mut inbox = self.inbox();
        inbox.close = true;
        if let Some(window) = inbox.window {
            window.press(self.first);
        }
    }

    /// Returns when it is gone.
    pub(super) async fn gone(&self) {
        let mut over = self.over.subscribe();
        let _ = tokio::time::timeout(CLOSE_LIMIT, over.wait_for(|over| *over)).await;
    }

    /// Whether it is gone.
    pub(super) fn is_gone(&self) -> bool {
        *self.over.borrow()
    }

    /// Replaces the facts. With `news`, what now stands there has to be read before it can be approved.
    pub(super) fn write(&self, facts: String, news: bool) {
        let mut inbox = self.inbox();
        inbox.news |= news;
        inbox.facts = facts;
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a dialog stays.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stay {
    /// Until the person closes it.
    Lasting,
    /// Closes by itself after these milliseconds.
    For(u64),
    /// Counts these milliseconds down; somebody else closes it.
    Counting(u64),
}

impl Stay {
    /// The same with the time of its end, instead of the time that it takes.
    fn from(self, now: u64) -> Self {
        match self {
            Self::Lasting => Self::Lasting,
            Self::For(ms) => Self::For(now.saturating_add(ms)),
            Self::Counting(ms) => Self::Counting(now.saturating_add(ms)),
        }
    }
}

/// A dialog, as the one who opened it knows it. Dropped, it closes.
#[derive(Debug)]
pub(super) struct Dialog {
    panel: Arc<Panel>,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Dialog {
    /// Starts to show a dialog, which everybody who is handed the panel can close from then on.
    ///
    /// # Errors
    /// A sentence: there is no thread for it.
    pub(super) fn open(mut spec: Spec, stay: Stay) -> Result<Self, String> {
        let now = mono_ms();
        let inbox = Inbox {
            facts: spec.facts.clone(),
            stay: stay.from(now),
            news: false,
            close: false,
            window: None,
        };
        spec.footer = footer(&inbox, now);
        let panel = Arc::new(Panel {
            inbox: Mutex::new(inbox),
            first: spec.buttons.first().map_or(0, |button| button.id),
            over: watch::Sender::new(false),
        });
        let (tell, events) = mpsc::unbounded_channel();
        let theirs = Arc::clone(&panel);
        std::thread::Builder::new()
            .name("dialog".to_owned())
            .spawn(move || live(&spec, theirs, tell))
            .map_err(|error| format!("there is no thread for a dialog: {error}"))?;
        Ok(Self { panel, events })
    }

    /// For whoever may have to close it.
    pub(super) fn panel(&self) -> Arc<Panel> {
        Arc::clone(&self.panel)
    }

    /// Returns when it is on the screen.
    ///
    /// # Errors
    /// A sentence: it is not, and never will be.
    pub(super) async fn shown(&mut self) -> Result<(), String> {
        match tokio::time::timeout(SHOW_LIMIT, self.next()).await {
            Ok(Event::Shown) => Ok(()),
            Ok(Event::Failed(why)) => Err(why),
            Ok(other) => Err(format!("the dialog went before it was shown ({other:?})")),
            Err(_) => Err(format!(
                "Windows showed no dialog within {} s",
                SHOW_LIMIT.as_secs()
            )),
        }
    }

    /// The next thing that happens to it.
    pub(super) async fn next(&mut self) -> Event {
        self.events.recv().await.unwrap_or(Event::Closed)
    }
}

impl Drop for Dialog {
    fn drop(&mut self) {
        self.panel.close();
    }
}

/// The dialog's thread.
fn live(spec: &Spec, panel: Arc<Panel>, tell: mpsc::UnboundedSender<Event>) {
    let hand = Hand {
        presses: RefCell::new(Presses::new(spec.buttons.clone())),
        facts: RefCell::new(spec.facts.clone()),
        footer: RefCell::new(spec.footer.clone()),
        ticked: Cell::new(false),
        panel,
        tell,
    };
    let gone = raw::run(spec, &hand);
    hand.panel.inbox().window = None;
    let end = hand.presses.borrow_mut().end(gone);
    let _ = hand.tell.send(end);
    hand.panel.over.send_replace(true);
}

/// What hears the dialog, on its thread.
struct Hand {
    panel: Arc<Panel>,
    presses: RefCell<Presses>,
    tell: mpsc::UnboundedSender<Event>,
    /// What stands on the screen.
    facts: RefCell<String>,
    footer: RefCell<String>,
    ticked: Cell<bool>,
}

impl Watcher for Hand {
    fn shown(&self, window: Window) {
        self.panel.inbox().window = Some(window);
        let first = self.presses.borrow_mut().shown(mono_ms());
        if let Some(event) = first {
            let _ = self.tell.send(event);
        }
    }

    fn pressed(&self, window: Window, id: i32) -> bool {
        let (captions, closing) = (window.captions(), self.panel.inbox().close);
        let mut presses = self.presses.borrow_mut();
        if closing {
            presses.close();
        }
        match presses.pressed(id, mono_ms(), &captions) {
            Press::Ignored => {
                // The click took the focus along: the next press of Enter must not be an approval.
                if let Some(first) = captions.iter().position(|caption| presses.is_first(caption)) {
                    window.focus(first);
                }
                false
            }
            Press::Told(event) => {
                let _ = self.tell.send(event);
                false
            }
            Press::Closes => true,
        }
    }

    fn tick(&self, window: Window) {
        let now = mono_ms();
        let (facts, footer, news, close) = {
            let mut inbox = self.panel.inbox();
            inbox.close |= matches!(inbox.stay, Stay::For(until) if now >= until);
            let news = std::mem::take(&mut inbox.news);
            (inbox.facts.clone(), footer(&inbox, now), news, inbox.close)
        };
        if close {
            window.press(self.panel.first);
            return;
        }
        let before = self.facts.replace(facts.clone());
        let other_rows = before.lines().count() != facts.lines().count();
        if before != facts {
            window.write(Part::Facts, &facts, other_rows);
        }
        if self.footer.replace(footer.clone()) != footer {
            window.write(Part::Footer, &footer, false);
        }
        // The first tick is the first moment at which it certainly can be seen.
        if news || other_rows || !self.ticked.replace(true) {
            self.presses.borrow_mut().shown(now);
        }
    }
}

fn footer(inbox: &Inbox, now: u64) -> String {
    match inbox.stay {
        Stay::Counting(until) => layout::footer(until.saturating_sub(now)),
        Stay::Lasting | Stay::For(_) => String::new(),
    }
}

/// A dialog that only tells something, in the corner. Its first button closes it; a second one would be an offer.
pub(super) fn aside(title: &str, lines: &str, buttons: Vec<Button>, alarming: bool) -> Spec {
    Spec {
        headline: title.to_owned(),
        facts: lines.to_owned(),
        footer: String::new(),
        buttons,
        alarming,
        aside: true,
    }
}
