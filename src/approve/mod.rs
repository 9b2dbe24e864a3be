//! Asking the person.
//!
//! Owns: the desktop notification, the local page, the terminal prompt, the turn to show one card at a time, and what
//! counts as an answer. Refuses to know: MCP, tickets, tokens, policy. It is handed a finished [`Card`] and brings back
//! an [`Answer`]; whether that answer may move anything is decided by the gate.
//! May call: `gate::card` (the card's shape), `passkey`, `system`.
//!
//! Two rules hold for every channel: whatever is not a clear, late enough, untouched "approve" approves nothing, and
//! denying is always free.

mod desk;
#[cfg(any(test, windows, target_os = "macos"))]
mod dialog;
pub mod page;
pub mod terminal;
pub mod text;
pub mod touch;
mod turn;

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod native;
#[cfg(target_os = "macos")]
#[path = "macos/mod.rs"]
mod native;
#[cfg(windows)]
#[path = "windows/mod.rs"]
mod native;

pub use desk::Desk;

use crate::gate::Tier;
use crate::gate::card::Card;
use crate::gate::catalogue::Class;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

/// An approval sooner than this after the card appeared is a click that was meant for something else (DESIGN §6).
pub const DWELL_MS: u64 = 700;

/// What the person is to be asked.
#[derive(Clone)]
pub struct Ask {
    /// The facts.
    pub card: Card,
    /// What it takes to approve.
    pub tier: Tier,
    /// How long the card stands once it is on the screen.
    pub open_for: Duration,
    /// Checks the PIN, in tier `pin` while it is not armed. The unsealed grant stays with the owner of the closure.
    pub verify: Option<Verify>,
    /// Asks for a passkey, in tier `passkey`: then the page alone approves.
    pub touch: Option<Arc<dyn touch::Touch>>,
}

impl Ask {
    /// Exits and protective stops go ahead of everything else (DESIGN §5, "Exits come first").
    fn is_urgent(&self) -> bool {
        matches!(self.card.class, Class::Exit | Class::Protect)
    }

    /// Whether the notification's own button may approve: no PIN to type, no text that must be shown whole.
    fn by_click(&self) -> bool {
        self.tier == Tier::Click
            && self.verify.is_none()
            && self.touch.is_none()
            && self.card.free_text.is_none()
    }

    /// Why nobody can be asked this, wherever it would be shown: the tier wants a factor that nothing here could check.
    fn unaskable(&self) -> Option<&'static str> {
        match (self.tier, &self.verify) {
            (Tier::Passkey, _) if self.touch.is_some() => None,
            (Tier::Passkey, _) => Some(
                "this needs your passkey, and there is nothing here to check one against; `countersign presence \
                 add-key` registers one",
            ),
            (Tier::Pin, None) => Some(
                "this needs your PIN, and there is nothing here to check one against; `countersign login --trade` \
                 sets one up",
            ),
            (Tier::Pin, Some(_)) | (Tier::Click, _) => None,
        }
    }
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask")
            .field("ticket", &self.card.ticket)
            .field("tier", &self.tier)
            .field("open_for", &self.open_for)
            .field("verify", &self.verify.is_some())
            .field("touch", &self.touch.is_some())
            .finish()
    }
}

/// Checks a PIN. Runs on the page's or terminal's task, one at a time.
pub type Verify = Arc<dyn Fn(SecretString) -> BoxFuture<'static, Result<(), WrongPin>> + Send + Sync>;

/// The PIN was not right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongPin {
    /// A sentence for the person.
    pub message: String,
    /// How long the next try has to wait.
    pub wait_ms: u64,
}

/// How an ask ended. Only [`Answer::Approved`] lets anything go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The person approved what was shown last.
    Approved {
        /// `notification`, `page` or `terminal`.
        via: &'static str,
    },
    /// The person denied, or closed the prompt.
    Denied {
        /// `notification`, `page` or `terminal`.
        via: &'static str,
    },
    /// The person pressed "Stop AI trading".
    Halted {
        /// `notification`, `page` or `terminal`.
        via: &'static str,
    },
    /// Nobody decided in time.
    Expired,
    /// Another program touched the prompt; the reason is plain text for the journal and the person.
    Tampered(String),
    /// Nothing could be shown: nobody was asked. The text says why and what would give a channel.
    Nobody(String),
    /// The `stop` token fired.
    Stopped,
}

/// What a card would be shown on now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// A desktop notification decides.
    Notification {
        /// Name and version, as the server tells them.
        server: String,
    },
    /// The local page decides.
    Page {
        /// What opens it.
        browser: String,
        /// The server of the notification beside it, which can deny.
        notification: Option<String>,
        /// Why a notification does not decide, where it would otherwise.
        why: Option<String>,
    },
}

/// A system prompt that could be shown now.
struct Ready {
    /// Name and version, as the server tells them.
    server: String,
    /// Why it would carry no Approve.
    only_denies: Option<&'static str>,
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Notification { server } => write!(f, "desktop notification by {server}"),
            Self::Page {
                browser,
                notification,
                why,
            } => {
                write!(f, "local page through {browser}")?;
                if let Some(server) = notification {
                    write!(f, ", with a notification by {server} that can deny")?;
                }
                match why {
                    Some(why) => write!(f, " (no approval on a notification: {why})"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Something to tell the person; needs no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// One line.
    pub title: String,
    /// A few lines.
    pub lines: Vec<String>,
    /// Stays until the person closes it.
    pub lasting: bool,
}
