//! What lies in the vault.
//!
//! Owns: the shape of the vault's content. Refuses to know: how it is encrypted, and what tokens are good for.

use super::grants::GrantKind;
use super::registration::Registration;
use super::seal::Sealed;
use super::token::Tokens;
use serde::{Deserialize, Serialize};

/// Everything in the vault.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Contents {
    pub(super) schema: u32,
    #[serde(default)]
    pub(super) registrations: Vec<Registration>,
    #[serde(default)]
    pub(super) grants: Vec<StoredGrant>,
    /// Wall clock times of registrations in the last hour, tried ones included, with their issuer.
    #[serde(default)]
    pub(super) registered: Vec<(String, u64)>,
    #[serde(default)]
    pub(super) tries: Tries,
    /// At which authorization server the person's own client ids were used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) bound: Vec<Bound>,
}

/// A client id that the person brought along belongs to the issuer at which it was first used for an endpoint: its secret
/// goes to no other one, whomever the endpoint names later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bound {
    pub(super) endpoint: String,
    pub(super) client_id: String,
    pub(super) issuer: String,
}

/// Wrong PINs since the last right one. Kept through restarts, counted before the PIN is looked at.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Tries {
    pub(super) wrong: u32,
    /// Wall clock.
    pub(super) last_ms: u64,
}

/// A grant for one endpoint, from one issuer, of one kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredGrant {
    pub(super) endpoint: String,
    pub(super) kind: GrantKind,
    /// Serves both lanes (`--single-grant`).
    #[serde(default)]
    pub(super) single: bool,
    /// The string that is sent as `resource` (RFC 8707).
    pub(super) resource: String,
    pub(super) registration: Registration,
    pub(super) token_endpoint: String,
    #[serde(default)]
    pub(super) revocation_endpoint: Option<String>,
    #[serde(default)]
    pub(super) scope: Option<String>,
    /// When the person gave it (wall clock, ms); `None` in a vault of the version before.
    #[serde(default)]
    pub(super) granted_at_ms: Option<u64>,
    pub(super) state: State,
}

/// What is left of a grant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Tokens, with the time at which spending the refresh token began, if it did not end.
    Open {
        tokens: Tokens,
        #[serde(default)]
        spending_since_ms: Option<u64>,
    },
    /// Under the PIN.
    Sealed(Sealed),
    /// Ended by the service, with the reason: no browser opens by itself.
    Withdrawn(String),
}

impl Contents {
    /// The grant for this endpoint and kind; a single grant also serves reading.
    pub(super) fn grant(&self, endpoint: &str, kind: GrantKind) -> Option<&StoredGrant> {
        let exact = self
            .grants
            .iter()
            .find(|grant| grant.endpoint == endpoint && grant.kind == kind);
        exact.or_else(|| {
            let mut trade = self
                .grants
                .iter()
                .filter(|grant| grant.endpoint == endpoint && grant.single);
            trade.find(|_| kind == GrantKind::Read)
        })
    }

    /// Binds a client id to this issuer, if it is not bound yet; whether it may be used there.
    pub(super) fn bind(&mut self, bound: Bound) -> bool {
        let known = self
            .bound
            .iter()
            .find(|known| known.endpoint == bound.endpoint && known.client_id == bound.client_id);
        if let Some(known) = known {
            return known.issuer == bound.issuer;
        }
        self.bound.push(bound);
        true
    }

    pub(super) fn grant_mut(&mut self, endpoint: &str, kind: GrantKind) -> Option<&mut StoredGrant> {
        self.grants
            .iter_mut()
            .find(|grant| grant.endpoint == endpoint && grant.kind == kind)
    }
}
