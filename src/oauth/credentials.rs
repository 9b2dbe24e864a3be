//! Access without a person: the client's own id is the account (RFC 6749 section 4.4; MCP's extension
//! `oauth-client-credentials`), for the plain profile.
//!
//! Owns: the way from a 401 to such a token. Refuses to know: vaults and renewals. A token is kept in memory alone, as
//! another one is got the same way.

use super::discovery::{self, For, Hint};
use super::error::LoginError;
use super::grants::{GrantKind, Grants};
use super::secret::Bearer;
use super::token::{Desk, Issued, NoToken};
use crate::system::wall_ms;

impl Grants {
    /// Whether the client signs in by itself, so that no browser is ever opened.
    pub fn is_without_person(&self) -> bool {
        self.inner.choice.without_person
    }

    /// The token that was got this way in this process, if it is still good.
    pub fn credentials_token(&self) -> Option<Bearer> {
        self.remembered(GrantKind::Plain, None)
    }

    /// Gets a token after a 401, or after a 403 that asks for more scope, with this `WWW-Authenticate`.
    ///
    /// # Errors
    /// As [`LoginError`] says; [`LoginError::Network`] passes.
    pub async fn by_credentials(&self, challenge: &str) -> Result<Bearer, LoginError> {
        let inner = &self.inner;
        let hint = Hint::read(challenge);
        let found = discovery::discover(&inner.http, &inner.endpoint, &hint, None, true, For::Client).await?;
        let registration = self.given(&found, GrantKind::Plain).await?;
        let registration = registration.ok_or_else(no_client)?;
        let statement = match &inner.choice.key {
            None => None,
            Some(key) => {
                let statement = key.statement(&registration.client_id, &registration.issuer, wall_ms());
                Some(statement.map_err(LoginError::Service)?)
            }
        };
        let mut desk = Desk::of(
            &inner.http,
            &inner.endpoint,
            &found.server.token_endpoint,
            &registration,
            &found.resource,
        );
        if let Some(statement) = &statement {
            desk = desk.with_statement(statement);
        }
        // No refresh token belongs to such access (RFC 6749 section 4.4.3).
        let scope = self.wanted_scope(GrantKind::Plain, &hint, &found, None);
        let scope = scope.map(|scope| {
            let words = scope.split(' ').filter(|one| *one != "offline_access");
            words.collect::<Vec<_>>().join(" ")
        });
        match desk.by_credentials(scope.as_deref()).await {
            Ok(Issued { tokens, .. }) => Ok(self.remember(GrantKind::Plain, &tokens)),
            Err(NoToken::InvalidClient) => Err(LoginError::Service(
                "it does not accept this client id with this secret or key".to_owned(),
            )),
            Err(NoToken::InvalidGrant) => Err(LoginError::Service("invalid_grant".to_owned())),
            Err(NoToken::WrongPlan) => Err(LoginError::WrongPlan),
            Err(NoToken::Refused(code)) if code == "invalid_scope" => {
                Err(LoginError::InvalidScope(scope.unwrap_or_default()))
            }
            Err(NoToken::Refused(code)) => Err(LoginError::Service(code)),
            Err(NoToken::Network(reason)) => Err(LoginError::Network(reason)),
        }
    }
}

fn no_client() -> LoginError {
    LoginError::Registration("without a person it takes a client id: give one with --client-id".to_owned())
}
