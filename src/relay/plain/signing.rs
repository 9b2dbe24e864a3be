//! When a person may be asked to sign in, and what is said where they may not. A client that repeats its requests, or a
//! server that is never content, must not open window after window in front of them.
//!
//! Refuses to know: how one signs in.

use crate::oauth::{Bearer, LoginError, TokenError};
use crate::upstream::Failure;
use std::collections::BTreeSet;

/// A token that is refused so soon after its sign-in was given in vain.
const SOON_MS: u64 = 600_000;
/// How often that may happen: a server may have moved, or lost what it knew, once.
const IN_VAIN: u32 = 2;
/// A token that was got without a person is not replaced before it is so old.
const JUST_MS: u64 = 5_000;
/// How many different scopes are asked for, one after the other, in one run: the person sees each of them.
const SCOPES: usize = 16;

/// Why there is no token.
pub(super) enum NotSignedIn {
    /// The person was asked, and it did not end in a grant.
    Ended(String),
    /// The server did not know the registration any more, which was found out too late. The next one is new.
    Unknown(String),
    /// It may go better the next time, or is not over yet.
    Passing(Failure),
}

impl NotSignedIn {
    /// Nobody was asked yet.
    pub(super) fn before_the_browser(error: &LoginError) -> Self {
        match error {
            // Nothing of it is better the next time, and only the person can change it.
            LoginError::OtherIssuer => Self::Ended(format!(
                "{}. If that is right, run `countersign logout --url` with this server's address",
                error.of_any_server()
            )),
            error => Self::Passing(Failure::SignIn(error.of_any_server())),
        }
    }

    /// The browser was open.
    pub(super) fn after_the_browser(error: &LoginError) -> Self {
        match error {
            LoginError::Again => Self::Unknown(error.of_any_server()),
            error => Self::Ended(error.of_any_server()),
        }
    }
}

/// What came of the sign-ins of this process.
#[derive(Default)]
pub(super) struct Turn {
    /// Why no other one is begun by itself.
    over: Option<String>,
    /// When the last one ended in a token (monotonic ms).
    last_ms: Option<u64>,
    /// How many of them gave a token that was refused soon.
    in_vain: u32,
    /// The scopes that were asked for after a refusal. Whoever said no to one is not asked again.
    scopes: BTreeSet<String>,
    /// Whether a registration was found to be unknown in the middle of a sign-in.
    was_unknown: bool,
}

impl Turn {
    /// Why there is no sign-in any more, in words for the client.
    pub(super) fn ended(&self) -> Option<String> {
        self.over.as_deref().map(again)
    }

    pub(super) fn end(&mut self, failure: &Failure) {
        if let Failure::SignIn(why) = failure {
            self.over = Some(why.clone());
        }
    }

    /// Whether more scope may be asked for: each once.
    pub(super) fn may_ask_for(&mut self, scope: &str) -> bool {
        self.scopes.len() < SCOPES && self.scopes.insert(scope.to_owned())
    }

    /// Told of a live token that the server refuses; whether that was now too often.
    pub(super) fn refuses_what_it_gave(&mut self, now_ms: u64) -> bool {
        let soon = self
            .last_ms
            .is_some_and(|last| now_ms.saturating_sub(last) < SOON_MS);
        self.in_vain = if soon { self.in_vain.saturating_add(1) } else { 0 };
        self.in_vain >= IN_VAIN
    }

    /// Whether a token is so new that another one will hardly be liked better.
    pub(super) fn was_just_given(&self, now_ms: u64) -> bool {
        self.last_ms
            .is_some_and(|last| now_ms.saturating_sub(last) < JUST_MS)
    }

    /// Notes how a sign-in ended.
    pub(super) fn note(&mut self, result: &Result<Bearer, NotSignedIn>, now_ms: u64) {
        match result {
            Ok(_) => self.last_ms = Some(now_ms),
            Err(NotSignedIn::Ended(why)) => self.over = Some(why.clone()),
            Err(NotSignedIn::Unknown(why)) => {
                if std::mem::replace(&mut self.was_unknown, true) {
                    self.over = Some(why.clone());
                }
            }
            Err(NotSignedIn::Passing(_)) => {}
        }
    }
}

/// With the next step.
pub(super) fn again(why: &str) -> String {
    const NEXT: &str = "restart this server in your AI client";
    if why.contains(NEXT) {
        return why.to_owned();
    }
    let joint = if why.ends_with("address") {
        ", then"
    } else {
        ". To be asked again,"
    };
    format!("{why}{joint} {NEXT}")
}

/// In words that fit any server: `countersign login` is for `CrossTrade`'s two sign-ins.
pub(super) fn told(error: TokenError) -> Failure {
    match error {
        TokenError::Refused(_) => Failure::SignIn(
            "the server refuses even access that it has just renewed. To sign in again run `countersign logout --url` \
             with this server's address, then restart this server in your AI client"
                .to_owned(),
        ),
        error => Failure::Token(error),
    }
}
