//! A server that names another authorization server than before: what was signed in at the old one is of no use.
//!
//! Owns: finding that out, and leaving the old one. Refuses to know: the sign-in at the new one (that is `login`), and
//! what a caller does until then.

use super::discovery::{self, Hint};
use super::grants::{GrantKind, Grants};
use std::time::Duration;

/// How long the look may take, all in all: a call waits for it.
const LIMIT: Duration = Duration::from_secs(8);

impl Grants {
    /// Looks whether the endpoint names other authorization servers only than the one that this grant came from; then
    /// the grant goes, and its tokens are given back behind the caller's back. `challenge` is the `WWW-Authenticate` of
    /// a 401 that was just met; without one the endpoint is asked for it. In doubt nothing changes.
    pub async fn leave_if_moved(&self, kind: GrantKind, challenge: Option<&str>) -> bool {
        tokio::time::timeout(LIMIT, self.leave(kind, challenge))
            .await
            .ok()
            .flatten()
            .is_some()
    }

    async fn leave(&self, kind: GrantKind, challenge: Option<&str>) -> Option<()> {
        let inner = &self.inner;
        let endpoint = inner.endpoint.url();
        let contents = self.contents().await.ok()?;
        let is_it = |endpoint: &str| endpoint == inner.endpoint.url();
        let mut grants = contents.grants.into_iter();
        let grant = grants.find(|grant| is_it(&grant.endpoint) && grant.kind == kind)?;
        let challenge = match challenge {
            Some(challenge) => challenge.to_owned(),
            None => discovery::provoke(&inner.http, &inner.endpoint).await.ok()?,
        };
        let named = discovery::issuers(&inner.http, &inner.endpoint, &Hint::read(&challenge)).await;
        let named = named.ok()?;
        let old = grant.registration.issuer.clone();
        if named.contains(&old) {
            return None;
        }
        let endpoint = endpoint.to_owned();
        self.update(move |contents| {
            contents.grants.retain(|grant| {
                grant.endpoint != endpoint || grant.kind != kind || grant.registration.issuer != old
            });
        })
        .await
        .ok()?;
        self.forget(&[kind]);
        tracing::warn!(
            kind = kind.as_str(),
            "the server names another authorization server: the sign-in at the old one is left"
        );
        let grants = self.clone();
        inner
            .tasks
            .spawn(async move { grants.revoke_tokens(&grant).await });
        Some(())
    }
}
