//! The Windows prompt: a task dialog of our own on top of the other windows, which does not take the keyboard (DESIGN §6).
//!
//! Owns: the dialog's life: look whether anybody can see one, show, listen, close. Refuses to know: tickets, PINs, the page.
//! A press approves only [`super::DWELL_MS`] after what it approves appeared, on a dialog whose buttons still carry our
//! words, in a session that is neither locked nor disconnected. Any program of the same user can press a button of
//! ours; that is what tier click does not stop.

mod notices;
mod raw;
mod session;
mod window;

use super::desk::{Screen, Shared};
use super::dialog::layout::{self, Face};
use super::dialog::press::{self, Event};
use super::{Answer, Ask, Ready, text};
use crate::gate::card::Card;
use crate::system::Env;
use raw::Spec;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};
use window::{Dialog, Panel, Stay};

pub(super) use notices::{leave, notice, offer};

const VIA: &str = "notification";

/// What this process has on the screen.
#[derive(Debug, Default)]
pub(super) struct Live {
    card: Mutex<Option<Arc<Panel>>>,
    notices: notices::Lasting,
}

/// Whether a dialog could be seen now.
///
/// # Errors
/// A sentence on why it could not.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub(super) async fn ready(_env: &Env) -> Result<Ready, String> {
    let seen = session::look();
    if let Some(why) = seen.nobody() {
        return Err(why.to_owned());
    }
    let hindrance = seen.hindrance().map(|what| format!(" ({what})"));
    Ok(Ready {
        server: format!("Windows, as a dialog on top{}", hindrance.unwrap_or_default()),
        only_denies: None,
    })
}

/// Shows the card and waits for the decision. With `page`, the dialog stands beside a page: it can deny and open the page
/// (by that [`Notify`]), never approve.
pub(super) async fn ask(
    shared: &Shared,
    ask: &Ask,
    mut updates: watch::Receiver<Card>,
    screen: &Screen,
    page: Option<&Notify>,
) -> Answer {
    if let Some(why) = session::look().nobody() {
        return Answer::Nobody(why.to_owned());
    }
    let decides = page.is_none() && ask.by_click();
    let card = updates.borrow_and_update().clone();
    let mut up = match Up::show(shared, card, decides, screen).await {
        Ok(up) => up,
        Err(why) => return Answer::Nobody(why),
    };
    loop {
        let event = tokio::select! {
            biased;
            event = up.dialog.next() => Some(event),
            () = newer(&mut updates) => None,
        };
        let card = updates.borrow_and_update().clone();
        let again = match event {
            None => !up.write(&card),
            Some(Event::Denied) => return Answer::Denied { via: VIA },
            Some(Event::Halted) => return Answer::Halted { via: VIA },
            Some(Event::Approved) => match session::look().nobody() {
                Some(why) => return Answer::Tampered(format!("an approval came while nobody could: {why}")),
                // A newer deed that came in between is asked for itself.
                None if text::same_deed(&up.card, &card) => return Answer::Approved { via: VIA },
                None => true,
            },
            Some(Event::Foreign(why) | Event::Failed(why)) => return Answer::Tampered(why),
            Some(Event::OpenPage) => {
                if let Some(page) = page {
                    page.notify_one();
                }
                false
            }
            Some(Event::Dismissed) if decides => return Answer::Denied { via: VIA },
            // Beside the page it is only in the way: the page goes on alone.
            Some(Event::Dismissed | Event::Closed) => return Answer::Expired,
            Some(Event::Shown) => false,
        };
        if again {
            up = match up.replace(shared, card, decides, screen).await {
                Ok(up) => up,
                Err(why) => {
                    return Answer::Tampered(format!("the dialog failed while the card was up: {why}"));
                }
            };
        }
    }
}

/// A card on the screen.
struct Up {
    card: Card,
    face: Face,
    decides: bool,
    dialog: Dialog,
}

impl Up {
    async fn show(shared: &Shared, card: Card, decides: bool, screen: &Screen) -> Result<Self, String> {
        let face = layout::face(&card, decides);
        let spec = Spec {
            headline: face.headline.clone(),
            facts: face.facts.clone(),
            footer: String::new(),
            buttons: press::buttons(&card, &face, decides),
            alarming: face.alarming,
            aside: false,
        };
        let mut dialog = Dialog::open(spec, Stay::Counting(screen.left_ms()))?;
        *shared.live.card.lock().unwrap_or_else(PoisonError::into_inner) = Some(dialog.panel());
        dialog.shown().await?;
        screen.mark();
        Ok(Self {
            card,
            face,
            decides,
            dialog,
        })
    }

    /// Brings the newer facts onto the same dialog; `false` where that takes another dialog: another deed, other buttons.
    fn write(&mut self, card: &Card) -> bool {
        let face = layout::face(card, self.decides);
        if !text::same_deed(&self.card, card) || face.whole != self.face.whole {
            return false;
        }
        let news = !text::same_news(&self.card, card);
        self.dialog.panel().write(face.facts.clone(), news);
        (self.card, self.face) = (card.clone(), face);
        true
    }

    async fn replace(
        self,
        shared: &Shared,
        card: Card,
        decides: bool,
        screen: &Screen,
    ) -> Result<Self, String> {
        let panel = self.dialog.panel();
        panel.close();
        panel.gone().await;
        Self::show(shared, card, decides, screen).await
    }
}

/// Returns when there is a newer version of the card; never, once nobody can send one any more.
async fn newer(updates: &mut watch::Receiver<Card>) {
    if updates.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Why nobody could see anything on the screen; `None` where somebody could.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub(super) async fn locked(_env: &Env) -> Option<&'static str> {
    session::look().nobody()
}

/// Closes the card that this process has on the screen.
pub(super) async fn sweep(shared: &Shared) {
    let card = shared
        .live
        .card
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(card) = card {
        card.close();
        card.gone().await;
    }
}
