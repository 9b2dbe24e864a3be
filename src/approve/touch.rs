//! Asking for a passkey: what the page needs to know of it. Who holds the keys, and what a touch then moves, is the
//! business of whoever made the [`Touch`].

use super::WrongPin;
use crate::gate::card::Card;
use crate::passkey::{Assertion, Created, Nonce, Subject};
use futures_util::future::BoxFuture;
use secrecy::SecretString;

/// What the page asks for next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The PIN: the registered keys lie under it.
    Pin,
    /// A signature by one of these credentials.
    Sign(Vec<String>),
    /// A new credential, by an authenticator that holds none of these.
    Create(Vec<String>),
}

/// What the browser brought, with what the page knows of the question: none of that comes from the browser.
#[derive(Debug, Clone)]
pub struct Touched {
    /// The page's own origin.
    pub origin: String,
    /// Used once, and never again whatever comes of it.
    pub nonce: Nonce,
    /// What was asked for.
    pub subject: Subject,
    /// What came.
    pub brought: Brought,
}

/// A signature or a new credential.
#[derive(Debug, Clone)]
pub enum Brought {
    /// A signature.
    Signed(Assertion),
    /// A new credential.
    Created(Created),
}

/// What came of a touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// That was the last step on the page, which shows these letters to whoever made it, once; the terminal asks for them.
    Code(String),
    /// That was the last step: it counts as approved.
    Done,
    /// There is another step.
    Next,
}

/// Asks for a passkey step by step, and judges what comes. The page keeps the nonces, and the time.
pub trait Touch: Send + Sync {
    /// What is to be asked for now.
    fn step(&self) -> Step;

    /// What the next touch is for, while this card stands on the page.
    fn subject(&self, card: Option<&Card>) -> Subject;

    /// Checks the PIN. Runs on a task of its own, one at a time.
    fn unlock(&self, pin: SecretString) -> BoxFuture<'static, Result<(), WrongPin>>;

    /// Checks what the browser brought; the error is a sentence for the person, and nothing has come of it then. Runs on
    /// a task of its own, one at a time.
    fn take(&self, touched: Touched) -> BoxFuture<'static, Result<Progress, String>>;
}
