//! Signing out: revocation (RFC 7009), then wiping whatever the service says.
//!
//! Owns: the order refresh token, access token, local copies; the report. Refuses to know: how it is shown.

use super::contents::{State, StoredGrant};
use super::grants::{GrantKind, Grants};
use super::token::{Desk, Tokens};
use super::vault::VaultError;
use std::path::PathBuf;
use std::time::Duration;

/// How long to wait for a renewal of another process before wiping all the same.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// What to sign out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All grants of the endpoint.
    All,
    /// The trade grant; reading goes on.
    TradeOnly,
}

impl Which {
    fn kinds(self) -> &'static [GrantKind] {
        match self {
            Self::All => &GrantKind::ALL,
            Self::TradeOnly => &[GrantKind::Trade],
        }
    }

    fn covers(self, grant: &StoredGrant, endpoint: &str) -> bool {
        grant.endpoint == endpoint && (self == Self::All || grant.kind == GrantKind::Trade)
    }
}

/// What the service said to the revocation of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokeAnswer {
    /// The service took it (also for a token that it no longer knew).
    Revoked,
    /// The service refused or failed, with its status.
    Refused(u16),
    /// The service could not be reached, with the reason.
    Offline(String),
    /// The service offers no revocation.
    NotOffered,
    /// The tokens lie under the PIN, which was not given.
    Sealed,
}

impl RevokeAnswer {
    /// Whether the token is of no use to anyone any more, as far as the service told.
    pub fn is_revoked(&self) -> bool {
        *self == Self::Revoked
    }
}

/// What became of one token at the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenReport {
    /// The grant that it belonged to.
    pub kind: GrantKind,
    /// `refresh` or `access`.
    pub token: &'static str,
    /// What the service said.
    pub answer: RevokeAnswer,
}

/// What signing out did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogoutReport {
    /// One line per token, in the order in which they were revoked.
    pub tokens: Vec<TokenReport>,
    /// Whether the service could not be reached for some token.
    pub offline: bool,
    /// Why nothing could be wiped here; `None` where all was.
    pub not_wiped: Option<String>,
    /// Where a vault that could not be opened was moved to.
    pub set_aside: Option<PathBuf>,
    /// What is left for the person to do at the service, if anything.
    pub advice: Option<String>,
}

impl Grants {
    /// Revokes and wipes. Local copies go whatever the service says. A sealed grant is wiped without revocation (its
    /// tokens cannot be read); unseal it and use [`super::Unsealed::revoke`] first to revoke it too.
    pub async fn logout(&self, which: Which) -> LogoutReport {
        let mut report = LogoutReport::default();
        let _locks = self.all_refresh_locks(which).await;
        match self.blocking(|inner| Ok(inner.vault.read())).await {
            Ok(Ok(contents)) => {
                let endpoint = self.inner.endpoint.url();
                for grant in contents
                    .grants
                    .iter()
                    .filter(|grant| which.covers(grant, endpoint))
                {
                    report.tokens.extend(self.revoke_tokens(grant).await);
                }
                self.wipe(which, &mut report).await;
            }
            Ok(Err(VaultError::Lost(_))) if which == Which::All => self.put_aside(&mut report).await,
            Ok(Err(error)) => report.not_wiped = Some(error.to_string()),
            Err(error) => report.not_wiped = Some(error.to_string()),
        }
        self.forget(which.kinds());
        report.offline = report
            .tokens
            .iter()
            .any(|report| matches!(report.answer, RevokeAnswer::Offline(_)));
        report.advice = self.advice(&report);
        report
    }

    /// Best effort: a process that is renewing right now must not put tokens back behind us. (If it does not let go
    /// in time, its save finds no grant to save into.)
    async fn all_refresh_locks(&self, which: Which) -> Vec<crate::system::FileLock> {
        let mut locks = Vec::new();
        for kind in which.kinds() {
            locks.extend(self.refresh_lock(*kind, LOCK_LIMIT).await.ok());
        }
        locks
    }

    async fn wipe(&self, which: Which, report: &mut LogoutReport) {
        let endpoint = self.inner.endpoint.url().to_owned();
        let wiped = self
            .update(move |contents| {
                contents.grants.retain(|grant| !which.covers(grant, &endpoint));
                if which == Which::All {
                    contents.bound.retain(|bound| bound.endpoint != endpoint);
                }
            })
            .await;
        report.not_wiped = wiped.err().map(|error| error.to_string());
    }

    /// A vault that never opens again is moved away, not deleted: nothing else would let the person sign in again.
    /// One that may open again (a locked keychain, another `COUNTERSIGN_STORE`) is left alone, and so is one of which
    /// only the trade grant was to go: it may hold other grants.
    async fn put_aside(&self, report: &mut LogoutReport) {
        match self.blocking(|inner| inner.vault.set_aside()).await {
            Ok(path) => report.set_aside = Some(path),
            Err(error) => report.not_wiped = Some(error.to_string()),
        }
    }

    fn advice(&self, report: &LogoutReport) -> Option<String> {
        let unread = report.set_aside.is_some() || report.not_wiped.is_some();
        let open = unread || report.tokens.iter().any(|report| !report.answer.is_revoked());
        let page = if self.inner.endpoint.is_crosstrade() {
            "on the AI Clients page at https://app.crosstrade.io".to_owned()
        } else {
            format!(
                "on the service's page of AI clients ({})",
                self.inner.endpoint.host()
            )
        };
        open.then(|| format!("To be sure, revoke the clients whose names begin with \"Countersign\" {page}."))
    }

    /// Revokes the tokens of a grant: the refresh token first, as a server then takes the access token with it.
    pub(super) async fn revoke_tokens(&self, grant: &StoredGrant) -> Vec<TokenReport> {
        let report = |token, answer| TokenReport {
            kind: grant.kind,
            token,
            answer,
        };
        match &grant.state {
            State::Open { tokens, .. } => self.revoke_both(grant, tokens).await,
            State::Sealed(_) => vec![report("refresh", RevokeAnswer::Sealed)],
            State::Withdrawn(_) => Vec::new(),
        }
    }

    pub(super) async fn revoke_both(&self, grant: &StoredGrant, tokens: &Tokens) -> Vec<TokenReport> {
        let all = [
            (tokens.refresh.as_ref(), "refresh", "refresh_token"),
            (Some(&tokens.access), "access", "access_token"),
        ];
        let mut reports = Vec::new();
        for (token, name, hint) in all {
            let Some(token) = token else { continue };
            let answer = match &grant.revocation_endpoint {
                None => RevokeAnswer::NotOffered,
                Some(url) => {
                    let inner = &self.inner;
                    let desk = Desk::of(
                        &inner.http,
                        &inner.endpoint,
                        url,
                        &grant.registration,
                        &grant.resource,
                    );
                    match desk.revoke(token, hint).await {
                        Ok(200..=299) => RevokeAnswer::Revoked,
                        Ok(status) => RevokeAnswer::Refused(status),
                        Err(error) => RevokeAnswer::Offline(error.to_string()),
                    }
                }
            };
            reports.push(TokenReport {
                kind: grant.kind,
                token: name,
                answer,
            });
        }
        reports
    }
}
