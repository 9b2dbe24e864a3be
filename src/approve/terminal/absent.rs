//! The place of the terminal prompt on systems where it is not built yet; says so.

use super::{Answer, Ask};
use crate::gate::card::Card;
use secrecy::SecretString;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

const NOT_BUILT: &str = "asking in a terminal is not built for this system yet; use the page";

/// Shows the card and reads the decision.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub async fn ask(
    _ask: Ask,
    _updates: watch::Receiver<Card>,
    _stop: CancellationToken,
    _shown: oneshot::Sender<()>,
) -> Answer {
    Answer::Nobody(NOT_BUILT.to_owned())
}

/// Reads a PIN without showing it.
///
/// # Errors
/// On this system: not built yet.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub async fn read_pin(_question: &str) -> Result<Option<SecretString>, String> {
    Err(NOT_BUILT.to_owned())
}

/// Reads an address that is pasted.
///
/// # Errors
/// On this system: not built yet.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub async fn read_address(_question: &str) -> Result<Option<String>, String> {
    Err(NOT_BUILT.to_owned())
}

/// Reads a word.
///
/// # Errors
/// On this system: not built yet.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub async fn read_word(_question: &str) -> Result<Option<String>, String> {
    Err(NOT_BUILT.to_owned())
}
