//! Desktop notifications on Linux (`org.freedesktop.Notifications`), hardened (DESIGN §6).
//!
//! Owns: the popup's life: subscribe, show, listen, close. Refuses to know: tickets, PINs, the page.
//! A click approves only if it comes from the pinned server, with the random key of the text shown last, no sooner than
//! [`DWELL_MS`] after that text appeared, with no other program having touched the popup, on an unlocked screen.
//! Where the bus does not let us see whether another program touched it, the popup carries no Approve: the page decides,
//! and where there is no browser either, nobody is asked.

mod bus;
mod guard;
mod left;
mod offer;
mod popup;
mod put;
mod server;
mod session;

use super::desk::{Screen, Shared};
use super::{Answer, Ask, DWELL_MS, Notice, Ready, text};
use crate::gate::card::Card;
use crate::system::{Env, mono_ms};
use guard::Guard;
use popup::{Event, Popup};
use server::{Content, Server};
use session::Lock;
use std::time::Duration;
use tokio::sync::{Notify, watch};

pub(super) use left::Live;
pub(super) use offer::offer;

const VIA: &str = "notification";
/// How often a server may take our popup down by itself before we give up.
const SHOWS_MAX: u32 = 6;
/// A notice takes no longer than this.
const NOTICE_LIMIT: Duration = Duration::from_secs(3);

/// Which server would show a notification now, and why that one could only deny, where so.
///
/// # Errors
/// A sentence on what is missing.
pub(super) async fn ready(env: &Env) -> Result<Ready, String> {
    let server = Server::find(env).await?;
    server.can_ask().await?;
    let watched = Guard::start(env, &server.bus, &server.owner).await;
    Ok(Ready {
        server: server.title,
        only_denies: watched.err().map(|_| popup::UNWATCHED),
    })
}

/// Shows the card and waits for the decision. With `page`, the popup stands beside a page: it can deny and open the page
/// (by that [`Notify`]), never approve.
pub(super) async fn ask(
    shared: &Shared,
    ask: &Ask,
    mut updates: watch::Receiver<Card>,
    screen: &Screen,
    page: Option<&Notify>,
) -> Answer {
    let (server, lock) = match usable(shared).await {
        Ok(usable) => usable,
        Err(why) => return Answer::Nobody(why),
    };
    let decides = page.is_none() && ask.by_click();
    let mut card = updates.borrow_and_update().clone();
    let mut popup = match Popup::new(shared, server, decides).await {
        Ok(popup) => popup,
        Err(why) => return Answer::Nobody(why),
    };
    if let Err(why) = popup.show(&card, screen, false).await {
        return Answer::Nobody(why);
    }
    let mut shows = 1;
    loop {
        let event = tokio::select! {
            biased;
            event = popup.next() => event,
            newer = newer(&mut updates) => Event::Newer(Box::new(newer)),
        };
        let again = match event {
            Event::Denied => return Answer::Denied { via: VIA },
            Event::Halted => return Answer::Halted { via: VIA },
            Event::Approved => match cleared(&lock, &popup).await {
                // A newer deed that came in between is asked for itself.
                Ok(true) if text::same_deed(&card, &updates.borrow()) => {
                    return Answer::Approved { via: VIA };
                }
                Ok(_) => popup.show(&card, screen, false).await,
                Err(why) => return Answer::Tampered(why),
            },
            Event::Foreign(why) => return Answer::Tampered(why),
            Event::OpenPage => {
                if let Some(page) = page {
                    page.notify_one();
                }
                popup.show(&card, screen, false).await
            }
            Event::Dismissed if decides => return Answer::Denied { via: VIA },
            Event::Dismissed => Ok(()),
            Event::Gone if shows < SHOWS_MAX => {
                shows += 1;
                popup.show(&card, screen, false).await
            }
            Event::Gone => return Answer::Expired,
            Event::Newer(newer) => {
                let in_place = !popup.is_gone();
                card = *newer;
                if in_place {
                    popup.show(&card, screen, true).await
                } else {
                    Ok(())
                }
            }
        };
        if let Err(why) = again {
            return Answer::Tampered(format!(
                "the notification server failed while the card was up: {why}"
            ));
        }
    }
}

/// The server, if a card may be shown on it now. Closes what a dead process left there.
async fn usable(shared: &Shared) -> Result<(Server, Lock), String> {
    let server = Server::find(&shared.world.env).await?;
    server.can_ask().await?;
    left::close_orphan(shared, &server).await;
    let lock = Lock::open(&server.bus, &shared.world.env).await;
    match lock.locked().await {
        Some(why) => Err(why.to_owned()),
        None => Ok((server, lock)),
    }
}

/// Whether a pressed Approve counts: `false` when it came too soon.
async fn cleared(lock: &Lock, popup: &Popup<'_>) -> Result<bool, String> {
    if mono_ms().saturating_sub(popup.shown_at()) < DWELL_MS {
        return Ok(false);
    }
    match lock.locked().await {
        Some(why) => Err(format!("an approval came while {why}")),
        None => Ok(true),
    }
}

/// The next version of the card; never, once nobody can send one any more.
async fn newer(updates: &mut watch::Receiver<Card>) -> Card {
    if updates.changed().await.is_err() {
        return std::future::pending().await;
    }
    updates.borrow_and_update().clone()
}

/// Who says that the screen is locked; `None` where nobody says so.
pub(super) async fn locked(env: &Env) -> Option<&'static str> {
    Lock::open(&bus::session(env).await.ok()?, env)
        .await
        .locked()
        .await
}

/// Tells the person something; whether it was shown.
pub(super) async fn notice(shared: &Shared, notice: &Notice) -> bool {
    let shown = async {
        let server = Server::find(&shared.world.env).await?;
        let (summary, body) = plain(notice);
        let content = Content {
            summary: &summary,
            body: &body,
            actions: &[],
            stays: notice.lasting,
        };
        server.shown(&server.message(&content, 0)?).await
    };
    matches!(tokio::time::timeout(NOTICE_LIMIT, shown).await, Ok(Ok(_)))
}

/// Title and text of a notice, as plain ASCII.
fn plain(notice: &Notice) -> (String, String) {
    let lines: Vec<String> = notice.lines.iter().map(|line| text::ascii(line)).collect();
    (text::ascii(&notice.title), lines.join("\n"))
}

/// Closes what this process has on the screen.
pub(super) async fn sweep(shared: &Shared) {
    left::sweep(shared).await;
}

/// Nothing to do: the notification server keeps what it shows.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub(super) async fn leave(_shared: &Shared) {}
