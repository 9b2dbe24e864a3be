//! The token endpoint and the revocation endpoint: code exchange, refresh, revocation.
//!
//! Owns: the forms and the reading of their answers. Refuses to know: where tokens are kept, who asked.

use super::discovery::text;
use super::endpoint::Endpoint;
use super::error::plain_code;
use super::fetch::{self, Answer, ClientAuth, NoAnswer};
use super::registration::Registration;
use super::secret::{MAX_TOKEN, Token};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest scope text that is taken.
const MAX_SCOPE: usize = 4096;
/// The longest lifetime that is believed: a year, in seconds.
const MAX_LIFETIME: u64 = 366 * 86_400;
/// A token is renewed this early, or after half of a shorter life (a token of ten seconds must not be renewed on
/// every call).
const EARLY_MS: u64 = 30_000;

/// The tokens of a grant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Tokens {
    pub(super) access: Token,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh: Option<Token>,
    /// Wall clock; `None` where the server did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at_ms: Option<u64>,
    /// Wall clock.
    pub(super) obtained_at_ms: u64,
    /// How many of the tokens before this one were refused while they were fresh.
    #[serde(default)]
    pub(super) refused_fresh: u32,
}

impl Tokens {
    /// Whether the access token is good for a call that begins now.
    pub(super) fn usable(&self, now_ms: u64) -> bool {
        usable(self.expires_at_ms, self.obtained_at_ms, now_ms)
    }

    /// Whether the access token has not yet run out, however short its rest.
    pub(super) fn alive(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_none_or(|at| now_ms < at)
    }
}

/// Whether a token with this life is good for a call that begins now.
pub(super) fn usable(expires_at_ms: Option<u64>, obtained_at_ms: u64, now_ms: u64) -> bool {
    expires_at_ms.is_none_or(|at| {
        let early = (at.saturating_sub(obtained_at_ms) / 2).min(EARLY_MS);
        now_ms.saturating_add(early) < at
    })
}

/// What the token endpoint gave.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) tokens: Tokens,
    pub(super) scope: Option<String>,
}

/// Why it gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoToken {
    /// `invalid_grant`: the code or the refresh token is of no use (any more).
    InvalidGrant,
    /// The client id is not known (any more).
    InvalidClient,
    /// The plan does not include it.
    WrongPlan,
    /// Another refusal, by its code, or an answer that cannot be read. Ends nothing.
    Refused(String),
    /// No answer, or one of a broken server; whether it acted is unknown.
    Network(String),
}

/// Where a grant's tokens come from and go back to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Desk<'a> {
    pub(super) http: &'a reqwest::Client,
    pub(super) endpoint: &'a Endpoint,
    pub(super) url: &'a str,
    pub(super) client_id: &'a str,
    pub(super) auth: ClientAuth<'a>,
    pub(super) resource: &'a str,
}

impl<'a> Desk<'a> {
    pub(super) fn of(
        http: &'a reqwest::Client,
        endpoint: &'a Endpoint,
        url: &'a str,
        registration: &'a Registration,
        resource: &'a str,
    ) -> Self {
        Self {
            http,
            endpoint,
            url,
            client_id: &registration.client_id,
            auth: registration.auth(),
            resource,
        }
    }

    /// The same, for a client that proves by a signed statement who it is.
    pub(super) fn with_statement(self, statement: &'a Token) -> Self {
        Self {
            auth: ClientAuth::Statement(statement),
            ..self
        }
    }

    /// RFC 6749 section 4.4.2.
    pub(super) async fn by_credentials(&self, scope: Option<&str>) -> Result<Issued, NoToken> {
        let mut fields = vec![("grant_type", "client_credentials"), ("resource", self.resource)];
        fields.extend(scope.map(|scope| ("scope", scope)));
        self.ask(&fields).await
    }

    /// RFC 6749 section 4.1.3 with RFC 7636 and RFC 8707.
    pub(super) async fn exchange(
        &self,
        code: &str,
        redirect: &str,
        verifier: &str,
    ) -> Result<Issued, NoToken> {
        self.ask(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
            ("resource", self.resource),
        ])
        .await
    }

    /// RFC 6749 section 6. Where no new refresh token comes, the old one stays good.
    pub(super) async fn refresh(&self, refresh: &Token) -> Result<Issued, NoToken> {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.for_form()),
            ("resource", self.resource),
        ];
        let mut issued = self.ask(&fields).await?;
        issued.tokens.refresh.get_or_insert_with(|| refresh.clone());
        Ok(issued)
    }

    async fn ask(&self, fields: &[(&str, &str)]) -> Result<Issued, NoToken> {
        let answer = fetch::post_form(
            self.http,
            self.endpoint,
            self.url,
            self.client_id,
            self.auth,
            fields,
        )
        .await;
        let answer = answer.map_err(|NoAnswer(reason)| NoToken::Network(reason))?;
        read(&answer, crate::system::wall_ms())
    }

    /// RFC 7009. The answer in words; 200 also stands for a token that the server does not know.
    pub(super) async fn revoke(&self, token: &Token, hint: &'static str) -> Result<u16, NoAnswer> {
        let fields = [("token", token.for_form()), ("token_type_hint", hint)];
        fetch::post_form(
            self.http,
            self.endpoint,
            self.url,
            self.client_id,
            self.auth,
            &fields,
        )
        .await
        .map(|answer| answer.status)
    }
}

/// Reads an answer. What ends a grant is a word of the service in JSON (RFC 6749 section 5.2) and nothing else: pages
/// of a network in between, redirects, front doors without a service behind them all come and go.
fn read(answer: &Answer, now_ms: u64) -> Result<Issued, NoToken> {
    let code = answer.error_code();
    match (answer.status, code.as_deref()) {
        (200, None) => issued(answer, now_ms).map_err(|reason| NoToken::Refused(reason.to_owned())),
        (408 | 429 | 500..=599, _) | (_, Some("temporarily_unavailable" | "server_error" | "slow_down")) => {
            Err(NoToken::Network(format!("it answers {}", answer.status)))
        }
        (200 | 400..=499, Some("invalid_grant")) => Err(NoToken::InvalidGrant),
        (200 | 400..=499, Some("invalid_client" | "unauthorized_client")) => Err(NoToken::InvalidClient),
        (200 | 400..=499, Some("subscription_required")) => Err(NoToken::WrongPlan),
        (status, code) => {
            let code = code.map_or_else(|| status.to_string(), plain_code);
            Err(NoToken::Refused(code))
        }
    }
}

fn issued(answer: &Answer, now_ms: u64) -> Result<Issued, &'static str> {
    let document = answer.object().ok_or("no JSON in the answer")?;
    let kind = text(&document, "token_type").ok_or("no token type in the answer")?;
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err("another token type than Bearer");
    }
    let access = text(&document, "access_token")
        .and_then(Token::read)
        .ok_or("no usable access token")?;
    let refresh = match text(&document, "refresh_token") {
        Some(refresh) => Some(Token::read(refresh).ok_or("an unusable refresh token")?),
        None => None,
    };
    let scope = text(&document, "scope");
    if scope.as_ref().is_some_and(|scope| scope.len() > MAX_SCOPE) {
        return Err("a scope without end");
    }
    let expires_at_ms = document
        .get("expires_in")
        .and_then(lifetime)
        .filter(|seconds| *seconds > 0)
        .map(|seconds| now_ms.saturating_add(seconds.min(MAX_LIFETIME).saturating_mul(1000)));
    Ok(Issued {
        tokens: Tokens {
            access,
            refresh,
            expires_at_ms,
            obtained_at_ms: now_ms,
            refused_fresh: 0,
        },
        scope,
    })
}

/// `expires_in` is a number of seconds; some servers write it as a string or with a fraction.
fn lifetime(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            let whole = number.to_string();
            whole.split('.').next()?.parse().ok()
        }),
        Value::String(text) if text.len() < 20 => text.trim().parse().ok(),
        _ => None,
    }
}

/// The longest authorization code that is taken.
pub(super) const MAX_CODE: usize = MAX_TOKEN;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_early_but_not_on_every_call() {
        assert!(usable(None, 0, u64::MAX), "no expiry told: until a 401");
        assert!(usable(Some(3_600_000), 0, 3_569_999));
        assert!(!usable(Some(3_600_000), 0, 3_570_000));
        assert!(
            usable(Some(10_000), 0, 4_999),
            "a life of ten seconds: half of it"
        );
        assert!(!usable(Some(10_000), 0, 5_000));
    }

    #[test]
    fn lifetimes_of_all_kinds() {
        for (text, seconds) in [
            ("3600", Some(3600)),
            ("3600.7", Some(3600)),
            ("\"60\"", Some(60)),
            ("-1", None),
            ("null", None),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(lifetime(&value), seconds, "{text}");
        }
    }
}
