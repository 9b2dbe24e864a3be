//! What the person is only told: a small dialog in the corner of the screen, and what outlives this process.
//!
//! Refuses to know: what is told, and what an offer sets off.

use super::window::{Dialog, Panel, Stay, aside};
use super::{Shared, session};
use crate::approve::dialog::press::{self, Event};
use crate::approve::{Notice, text};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// How long a notice stays that does not last, in milliseconds.
const STAY_MS: u64 = 10_000;

/// The notices that stay until the person closes them.
#[derive(Debug, Default)]
pub(super) struct Lasting(Mutex<Vec<Told>>);

#[derive(Debug)]
struct Told {
    panel: Arc<Panel>,
    title: String,
    lines: String,
}

impl Lasting {
    fn told(&self) -> MutexGuard<'_, Vec<Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the person something; whether it was shown.
pub(in crate::approve) async fn notice(shared: &Shared, notice: &Notice) -> bool {
    let (title, lines) = plain(notice);
    let stay = if notice.lasting {
        Stay::Lasting
    } else {
        Stay::For(STAY_MS)
    };
    let spec = aside(&title, &lines, press::plain(None), notice.lasting);
    let Some(mut dialog) = open(spec, stay).await else {
        return false;
    };
    let panel = dialog.panel();
    if notice.lasting {
        let mut told = shared.live.notices.told();
        told.retain(|told| !told.panel.is_gone());
        told.push(Told { panel, title, lines });
    }
    // It goes when it is closed or its time is over; nobody waits for that.
    crate::system::spawn(async move {
        while !matches!(
            dialog.next().await,
            Event::Closed | Event::Denied | Event::Dismissed | Event::Foreign(_)
        ) {}
    });
    true
}

/// Shows the notice until its button is pressed (true), the person closes it, or `stop`. However this ends, also dropped
/// half-way: the notice goes with it.
pub(in crate::approve) async fn offer(
    _shared: &Shared,
    notice: &Notice,
    button: &str,
    stop: CancellationToken,
) -> bool {
    let (title, lines) = plain(notice);
    let spec = aside(&title, &lines, press::plain(Some(button)), true);
    let Some(mut dialog) = open(spec, Stay::Lasting).await else {
        return false;
    };
    let pressed = tokio::select! {
        biased;
        () = stop.cancelled() => false,
        event = dialog.next() => event == Event::OpenPage,
    };
    let panel = dialog.panel();
    drop(dialog);
    panel.gone().await;
    pressed
}

/// Hands the notices that are still open to Windows: ours go with this process.
pub(in crate::approve) async fn leave(shared: &Shared) {
    for told in shared.live.notices.told().drain(..) {
        if !told.panel.is_gone() {
            session::leave_behind(&format!("Countersign: {}", told.title), &told.lines);
        }
    }
}

async fn open(spec: super::Spec, stay: Stay) -> Option<Dialog> {
    // A locked or disconnected screen shows it to whoever comes back.
    let seen = session::look();
    if seen.session == Some(0) || seen.has_screen == Some(false) {
        return None;
    }
    let mut dialog = Dialog::open(spec, stay).ok()?;
    dialog.shown().await.ok()?;
    Some(dialog)
}

/// Title and text of a notice, as plain ASCII.
fn plain(notice: &Notice) -> (String, String) {
    let lines: Vec<String> = notice.lines.iter().map(|line| text::ascii(line)).collect();
    (text::ascii(&notice.title), lines.join("\n"))
}
