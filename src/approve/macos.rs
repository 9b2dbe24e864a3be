//! The place of the macOS prompt (a dialog through `osascript`, Deny as default; DESIGN §6). Not built yet, and says so.

use super::desk::{Screen, Shared};
use super::{Answer, Ask, Notice, Ready};
use crate::gate::card::Card;
use crate::system::Env;
use tokio::sync::{Notify, watch};

/// Our prompt on the screen: there is none yet.
#[derive(Debug, Default)]
pub(super) struct Live(());

const NOT_BUILT: &str = "the macOS dialog is not built yet; use the page or `countersign watch`";

/// Whether this system can show a prompt of its own now, and through what.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub(super) async fn ready(_env: &Env) -> Result<Ready, String> {
    Err(NOT_BUILT.to_owned())
}

/// Shows the card and waits for the decision.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub(super) async fn ask(
    _shared: &Shared,
    _ask: &Ask,
    _updates: watch::Receiver<Card>,
    _screen: &Screen,
    _page: Option<&Notify>,
) -> Answer {
    Answer::Nobody(NOT_BUILT.to_owned())
}

/// Whether the screen is locked; not asked on this system yet.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub(super) async fn locked(_env: &Env) -> Option<&'static str> {
    None
}

/// Tells the person something.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub(super) async fn notice(_env: &Env, _notice: &Notice) -> bool {
    false
}

/// Tells the person something that has one button; whether they pressed it.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub(super) async fn offer(
    _env: &Env,
    _notice: &Notice,
    _button: &str,
    _stop: tokio_util::sync::CancellationToken,
) -> bool {
    false
}

/// Nothing of ours is ever left on this system's screen yet.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub(super) async fn sweep(shared: &Shared) {
    let Live(()) = shared.live;
}
