//! What can go wrong, in words for the person. No text of a server and no secret ever enters these; where a server
//! gave an error code, the code alone is named, cut down to plain letters.

use std::time::Duration;

/// Why there is no token to send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is no grant for this endpoint yet.
    #[error("not signed in: run `countersign login`")]
    NotSignedIn,
    /// The service has ended the grant. Never opens a browser by itself (DESIGN §4).
    #[error("access was withdrawn ({0}): run `countersign login` to sign in again")]
    Withdrawn(String),
    /// The trade grant lies under the PIN.
    #[error("the trade grant is sealed: it opens with the PIN when an order is approved")]
    Sealed,
    /// Another process holds what we need.
    #[error("{0}: try again in a moment")]
    Busy(String),
    /// The authorization server could not be reached or did not work; nothing was lost.
    #[error("the sign-in service cannot be used now ({0}): try again later; you stay signed in")]
    Network(String),
    /// The vault or its key could not be used.
    #[error("{0}")]
    Store(String),
    /// Fresh tokens are refused: refreshing again would only repeat it.
    #[error("{0}")]
    Refused(String),
}

/// Why a sign-in did not end in a grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The person (or the service for them) said no on the consent page.
    #[error(
        "access was denied on the consent page: nothing was granted; run `countersign login` to try again"
    )]
    Denied,
    /// The plan does not include MCP.
    #[error("this CrossTrade plan does not include MCP: it needs the Elite plan; nothing was granted")]
    WrongPlan,
    /// The service does not offer the scope that was asked for.
    #[error("the service does not offer the scope {0} to this account: nothing was granted")]
    InvalidScope(String),
    /// The endpoint's path answers, but not as MCP with sign-in.
    #[error(
        "no MCP service is enabled at this address ({0}): check the address, and whether MCP is enabled for the account"
    )]
    NotEnabled(String),
    /// The endpoint takes requests without a token.
    #[error("the service asked for no sign-in: it answered without a token")]
    NotNeeded,
    /// A usable grant is there already (background sign-in only).
    #[error("already signed in")]
    AlreadySignedIn,
    /// Access was withdrawn, so that only the person may start a new sign-in (background sign-in only).
    #[error("access was withdrawn: run `countersign login` to sign in again")]
    Withdrawn,
    /// Another process (or another call of this one) is signing in right now.
    #[error("a sign-in is under way already: finish it in the browser window that it opened")]
    Elsewhere,
    /// The service no longer knew our registration. It is discarded: beginning again registers anew.
    #[error(
        "the service no longer knew this registration, which is now discarded: run `countersign login` again"
    )]
    Again,
    /// The limit of registrations (at `crosstrade.io`: 10 an hour per address).
    #[error("too many registrations in the last hour: try again in {} min", .0.as_secs().div_ceil(60))]
    TooManyRegistrations(Duration),
    /// The service refused the registration.
    #[error("the service refused the registration ({0})")]
    Registration(String),
    /// The answer came in the name of another issuer (RFC 9207): its content is not shown.
    #[error("the answer came from another sign-in service than the one asked: nothing was accepted")]
    WrongIssuer,
    /// The server names another sign-in service than the one that the person's own client id was used with. Its secret
    /// is for that one.
    #[error(
        "this server now names another sign-in service than the one that this client id was used with: nothing was sent there"
    )]
    OtherIssuer,
    /// What was granted is not what was asked for; it was given back.
    #[error("{0}")]
    WrongScope(String),
    /// The metadata cannot be used.
    #[error("the sign-in service cannot be found: {0}")]
    Discovery(String),
    /// No PKCE with S256: a code could be stolen on its way.
    #[error(
        "the sign-in service does not offer PKCE with S256: signing in there is not safe, so it is refused"
    )]
    NoPkce,
    /// No connection, or the service is broken.
    #[error("the service cannot be used now ({0}): nothing was granted; try again later")]
    Network(String),
    /// The vault or its key could not be used.
    #[error("{0}")]
    Store(String),
    /// The caller stopped waiting.
    #[error("the sign-in was stopped: nothing was granted")]
    Stopped,
    /// Nobody answered on the consent page.
    #[error("nobody finished the sign-in within {} min: run `countersign login` to try again", .0.as_secs() / 60)]
    TimedOut(Duration),
    /// The pasted text is not the address that the browser was sent to.
    #[error(
        "this is not the address the browser ended at ({0}): copy the whole address from its address bar"
    )]
    BadPaste(String),
    /// The service answered the exchange with an error.
    #[error("the service did not complete the sign-in ({0}): nothing was granted")]
    Service(String),
}

impl LoginError {
    /// The same in words that fit any server: what did not happen, without a next step. `countersign login` is for
    /// `CrossTrade`'s two sign-ins.
    pub fn of_any_server(&self) -> String {
        let fixed = match self {
            Self::Denied => "access was denied on the consent page: nothing was granted",
            Self::WrongPlan => "the server wants a subscription for this: nothing was granted",
            Self::AlreadySignedIn => "already signed in",
            Self::Withdrawn => "the server has ended the access that was there before",
            Self::Again => {
                "the server no longer knew this program's registration, which is now discarded: nothing was granted"
            }
            Self::TimedOut(limit) => {
                return format!(
                    "nobody finished the sign-in within {} min: nothing was granted",
                    limit.as_secs() / 60
                );
            }
            Self::InvalidScope(scope) if scope.is_empty() => {
                "the server does not offer the scope that was asked for: nothing was granted"
            }
            Self::NotEnabled(_)
            | Self::InvalidScope(_)
            | Self::NotNeeded
            | Self::Elsewhere
            | Self::TooManyRegistrations(_)
            | Self::Registration(_)
            | Self::WrongIssuer
            | Self::OtherIssuer
            | Self::WrongScope(_)
            | Self::Discovery(_)
            | Self::NoPkce
            | Self::Network(_)
            | Self::Store(_)
            | Self::Stopped
            | Self::BadPaste(_)
            | Self::Service(_) => return self.to_string(),
        };
        fixed.to_owned()
    }
}

/// Why the trade grant was not sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The PIN is too easily guessed.
    #[error("this PIN is not strong enough: {0}")]
    WeakPin(String),
    /// There is no trade grant.
    #[error("there is no trade grant to seal: run `countersign login --trade` first")]
    NoGrant,
    /// It is sealed already.
    #[error("the trade grant is sealed already")]
    AlreadySealed,
    /// Vault, lock or keychain.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// Why the trade grant was not unsealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// The PIN does not open it.
    #[error("wrong PIN (tries since it last opened: {tries}){}", after(*wait))]
    WrongPin {
        /// Wrong tries since the last right one.
        tries: u32,
        /// How long no try is taken now.
        wait: Duration,
    },
    /// Too early after wrong tries; the PIN was not looked at.
    #[error("too many wrong PINs{}", after(*.0))]
    Wait(Duration),
    /// It is not sealed.
    #[error("the trade grant is not sealed")]
    NotSealed,
    /// Vault, lock, keychain or network.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// Why the trade grant did not go from one PIN to another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResealError {
    /// The new PIN is too easily guessed; the old one was not looked at.
    #[error("this PIN is not strong enough: {0}")]
    WeakPin(String),
    /// The old PIN, the vault, the lock, the keychain, or a grant that the service has ended.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
}

fn after(wait: Duration) -> String {
    if wait.is_zero() {
        String::new()
    } else {
        format!(": the next try is taken in {} s", wait.as_secs().max(1))
    }
}

/// An error code of a server as it may be shown: letters, digits, `_`, `-` and `.`, at most 48 of them.
pub(super) fn plain_code(code: &str) -> String {
    let plain: String = code
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .take(48)
        .collect();
    if plain.is_empty() {
        "an error without a name".to_owned()
    } else {
        plain
    }
}
