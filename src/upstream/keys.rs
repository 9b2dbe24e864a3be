//! What a lane shows the service, and what it does when that is not enough.

use super::Failure;
use crate::oauth::{Bearer, GrantKind, Grants};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

/// The service asked for another token.
#[derive(Debug, Clone)]
pub struct Challenged {
    /// 401, or 403 that asks for more scope.
    pub status: StatusCode,
    /// All of `WWW-Authenticate`.
    pub challenge: String,
    /// The token that was not enough.
    pub refused: Option<Bearer>,
    /// How often this request was challenged before.
    pub round: u32,
}

/// Where a lane's token comes from.
pub trait Keys: Send + Sync {
    /// The token to show; `None` where none is known and none may be needed.
    fn bearer(&self) -> BoxFuture<'_, Result<Option<Bearer>, Failure>>;

    /// Another token after a challenge; `None` leaves the refusal as it is.
    fn after(&self, challenged: Challenged) -> BoxFuture<'_, Result<Option<Bearer>, Failure>>;

    /// Headers that go with every request.
    fn headers(&self) -> Option<&HeaderMap> {
        None
    }
}

/// The token of a grant, renewed once for each request. More scope is never asked for (DESIGN section 2, fact 1).
#[derive(Debug)]
pub struct GrantKeys {
    /// The grants.
    pub grants: Grants,
    /// Which of them.
    pub kind: GrantKind,
}

impl Keys for GrantKeys {
    fn bearer(&self) -> BoxFuture<'_, Result<Option<Bearer>, Failure>> {
        async {
            let bearer = self.grants.bearer(self.kind).await;
            bearer.map(Some).map_err(Failure::Token)
        }
        .boxed()
    }

    fn after(&self, challenged: Challenged) -> BoxFuture<'_, Result<Option<Bearer>, Failure>> {
        async move {
            let Challenged {
                status: StatusCode::UNAUTHORIZED,
                refused: Some(refused),
                round: 0,
                ..
            } = challenged
            else {
                return Ok(None);
            };
            let renewed = self.grants.renew(self.kind, &refused).await;
            renewed.map(Some).map_err(Failure::Token)
        }
        .boxed()
    }
}
