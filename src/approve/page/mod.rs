//! The local page: the card in the person's browser, with a field for the PIN where the tier wants one.
//!
//! Owns: the short-lived server on loopback and what may be asked of it. Refuses to know: tickets, grants, the vault;
//! a PIN goes to the [`Verify`] of the ask and nowhere else. The page belongs to this process and ends with its ask.
//! In tier click it is no stronger than the notification: any program of the same user could open the link first, and
//! then the person's own tab says that the link was used (DESIGN §6). It counts as shown once a tab has really fetched
//! it; a browser that only was started has shown nothing.

mod ceremony;
mod counter;
mod listen;
mod peer;
mod serve;
mod view;

pub use listen::{listen, listen_on};

use super::desk::Screen;
use super::touch::Touch;
use super::{Answer, Ask, Verify, native};
use crate::gate::card::Card;
use crate::system::Env;
use crate::system::browser::{self, Opening};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use counter::Counter;
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use view::View;

/// How long a page that asks for the PIN alone stays open.
pub(super) const PIN_OPEN: Duration = Duration::from_secs(120);
/// A page that no tab has fetched by then is given up.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
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
    let view = View::card(&card, &card, ask.verify.is_some(), 1);
    let asked = Asked {
        view,
        card: Some(card),
        verify: ask.verify.clone(),
        touch: ask.touch.clone(),
    };
    run(env, asked, Some(updates), screen, open).await
}

/// Asks for the PIN and nothing else; shows the person's phrase, by which they know whose page it is.
pub(super) async fn ask_pin(
    env: &Env,
    title: &str,
    phrase: Option<&str>,
    verify: Verify,
    screen: &Arc<Screen>,
) -> Answer {
    let asked = Asked {
        view: View::pin(title, phrase),
        card: None,
        verify: Some(verify),
        touch: None,
    };
    run(env, asked, None, screen, &Notify::new()).await
}

/// Asks for a passkey and nothing else, with a title and what it is for.
pub(super) async fn ask_touch(
    env: &Env,
    (title, about): (&str, &str),
    phrase: Option<&str>,
    touch: Arc<dyn Touch>,
    screen: &Arc<Screen>,
) -> Answer {
    let asked = Asked {
        view: View::touch(title, about, phrase),
        card: None,
        verify: None,
        touch: Some(touch),
    };
    run(env, asked, None, screen, &Notify::new()).await
}

/// What a page is for.
struct Asked {
    view: View,
    card: Option<Card>,
    verify: Option<Verify>,
    touch: Option<Arc<dyn Touch>>,
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
    let opening = match page.open(env).await {
        Ok(opening) => opening,
        Err(why) => return Answer::Nobody(why),
    };
    tokio::select! {
        biased;
        answer = page.decision() => answer,
        why = page.keep(env, updates, open, opening) => Answer::Nobody(why),
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
        let (four, six, port) = listen().await?;
        let (decided, answers) = watch::channel(None);
        let desk = Arc::new(Counter::new(env, asked, screen, port, decided)?);
        let close = CancellationToken::new();
        tokio::spawn(serve::serve(four, six, desk.clone(), close.clone()));
        Ok(Self { desk, answers, close })
    }

    /// Opens the page in the browser by a link that works once; an older tab is cut off by it.
    async fn open(&self, env: &Env) -> Result<Opening, String> {
        let token = random()?;
        let link = format!("{}/#{token}", self.desk.origin);
        self.desk.expect(token);
        browser::launch(&link, env).await
    }

    async fn decision(&self) -> Answer {
        let mut answers = self.answers.clone();
        match answers.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or(Answer::Expired),
            Err(_) => Answer::Expired,
        }
    }

    /// Brings updates to the page and opens it again on request; returns only when no browser showed it.
    async fn keep(
        &self,
        env: &Env,
        mut updates: Option<watch::Receiver<Card>>,
        open: &Notify,
        mut opening: Opening,
    ) -> String {
        let late = tokio::time::sleep(OPEN_LIMIT);
        tokio::pin!(late);
        let mut waiting = true;
        loop {
            tokio::select! {
                card = newer(updates.as_mut()) => self.desk.update(&card),
                () = open.notified() => {
                    if let Ok(again) = self.open(env).await {
                        opening = again;
                    }
                }
                why = opening.failed() => {
                    // A browser that ends after it showed the page is none of our business.
                    if !self.desk.is_fetched() {
                        return format!("the browser did not open the page ({why})");
                    }
                }
                () = &mut late, if waiting => {
                    waiting = false;
                    // With a notification beside it the card is on the screen anyway, and can open the page again.
                    if !self.desk.is_fetched() && !self.desk.is_on_screen() {
                        return format!("the browser did not open the page within {} s", OPEN_LIMIT.as_secs());
                    }
                }
            }
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.desk.close();
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

/// 256 random bits, as text for an address.
fn random() -> Result<String, String> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes()?))
}

fn random_bytes() -> Result<[u8; 32], String> {
    let mut bytes = [0u8; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(bytes)
}
