//! Who we are to an authorization server: a registration of our own (RFC 7591), one that the person brought, or a
//! published metadata document.
//!
//! Owns: the request, its answer, the count of registrations. Refuses to know: the flow that uses the client id.

use super::discovery::{Server, text};
use super::endpoint::Endpoint;
use super::error::{LoginError, plain_code};
use super::fetch::{self, Answer, ClientAuth, NoAnswer};
use super::grants::{ClientChoice, GrantKind};
use super::secret::Token;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The limit at `crosstrade.io`: 10 registrations an hour and address. Counted here as well, so that we do not use up what the
/// person's other programs need.
const MAX_PER_HOUR: usize = 10;
const HOUR_MS: u64 = 3_600_000;
/// The ports of the sign-in page, all registered, so that a taken one does not need a new registration. Fixed,
/// because some servers compare ports exactly (RFC 8252 section 7.3 asks them not to).
const PORTS: [u16; 5] = [47_031, 47_032, 47_033, 47_034, 47_035];
/// The longest client id that is taken: 2,048 bytes (a metadata document's address is one).
const MAX_CLIENT_ID: usize = 2048;

/// A client id with everything that belongs to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Registration {
    pub(super) issuer: String,
    pub(super) kind: GrantKind,
    pub(super) client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_secret: Option<Token>,
    pub(super) auth_method: String,
    pub(super) client_name: String,
    pub(super) redirect_uris: Vec<String>,
    /// Wall clock.
    pub(super) registered_at_ms: u64,
    /// Wall clock; the secret is of no use after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret_expires_at_ms: Option<u64>,
    pub(super) origin: Origin,
}

/// Where a client id comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Origin {
    /// Registered by us: may be discarded and renewed.
    Registered,
    /// Given by the person, or a published document: never replaced by us.
    Given,
}

impl Registration {
    /// How to show the token endpoint who we are.
    pub(super) fn auth(&self) -> ClientAuth<'_> {
        match (&self.client_secret, self.auth_method.as_str()) {
            (Some(secret), "client_secret_post") => ClientAuth::Post(secret),
            (Some(secret), "client_secret_basic") => ClientAuth::Basic(secret),
            _ => ClientAuth::None,
        }
    }

    /// The ports on which the browser may come back.
    pub(super) fn ports(&self) -> Vec<u16> {
        let ports = self
            .redirect_uris
            .iter()
            .filter_map(|uri| url::Url::parse(uri).ok()?.port());
        ports.collect()
    }

    /// The redirect address with this port.
    pub(super) fn redirect_on(&self, port: u16) -> Option<&str> {
        let mut uris = self.redirect_uris.iter().map(String::as_str);
        uris.find(|uri| url::Url::parse(uri).is_ok_and(|url| url.port() == Some(port)))
    }

    /// Whether it can be used again for this issuer, grant and wish.
    pub(super) fn serves(&self, issuer: &str, kind: GrantKind, now_ms: u64) -> bool {
        self.issuer == issuer
            && self.kind == kind
            && self.origin == Origin::Registered
            && !self.redirect_uris.is_empty()
            && self.secret_expires_at_ms.is_none_or(|at| at > now_ms)
    }
}

/// The ports to try before the first registration.
pub(super) fn default_ports() -> &'static [u16] {
    &PORTS
}

fn redirects(ports: &[u16]) -> Vec<String> {
    ports
        .iter()
        .map(|port| format!("http://127.0.0.1:{port}/callback"))
        .collect()
}

/// The client that the person chose, where they did (A-10: a given id first, then a metadata document).
pub(super) fn given(
    choice: &ClientChoice,
    server: &Server,
    kind: GrantKind,
    now_ms: u64,
) -> Option<Registration> {
    let from = |client_id: &str, secret: Option<&Token>| Registration {
        issuer: server.issuer.clone(),
        kind,
        client_id: client_id.to_owned(),
        client_secret: secret.cloned(),
        auth_method: match secret {
            None => "none",
            Some(_)
                if server.auth_methods.iter().any(|m| m == "client_secret_post")
                    && !server.auth_methods.iter().any(|m| m == "client_secret_basic") =>
            {
                "client_secret_post"
            }
            Some(_) => "client_secret_basic",
        }
        .to_owned(),
        client_name: client_id.to_owned(),
        redirect_uris: redirects(&PORTS),
        registered_at_ms: now_ms,
        secret_expires_at_ms: None,
        origin: Origin::Given,
    };
    if let Some(client_id) = &choice.client_id {
        return Some(from(client_id, choice.client_secret.as_ref()));
    }
    let document = choice
        .metadata_url
        .as_ref()
        .filter(|_| server.takes_metadata_documents)?;
    Some(from(document, None))
}

/// How long until another registration may be tried; `None` for now.
pub(super) fn wait_for_turn(times_ms: &[u64], now_ms: u64) -> Option<Duration> {
    let mut recent: Vec<u64> = times_ms
        .iter()
        .copied()
        .filter(|at| now_ms.saturating_sub(*at) < HOUR_MS && *at <= now_ms)
        .collect();
    recent.sort_unstable();
    let oldest_of_ten = recent
        .len()
        .checked_sub(MAX_PER_HOUR)
        .and_then(|index| recent.get(index))?;
    Some(Duration::from_millis(
        oldest_of_ten.saturating_add(HOUR_MS).saturating_sub(now_ms),
    ))
}

/// Whether a counted registration still matters for the limit.
pub(super) fn still_counts(at_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(at_ms) < HOUR_MS
}

/// The name on the consent screen and on the AI Clients page: recognisable, and revocable alone.
pub(super) fn client_name(kind: GrantKind, host_name: &str) -> String {
    let host: String = host_name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' '))
        .take(60)
        .collect();
    let host = if host.trim().is_empty() {
        "this computer"
    } else {
        host.trim()
    };
    match kind {
        GrantKind::Read => format!("Countersign read – {host}"),
        GrantKind::Trade => format!("Countersign trade – {host}"),
        GrantKind::Plain => format!("Countersign – {host}"),
    }
}

/// Registers (RFC 7591 section 3). Where the server does not know `application_type`, once more without it.
pub(super) async fn register(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    server: &Server,
    kind: GrantKind,
    name: &str,
    ports: &[u16],
    now_ms: u64,
) -> Result<Registration, LoginError> {
    let url = server.registration_endpoint.as_ref().ok_or_else(|| {
        LoginError::Registration("it takes no registrations: give a client id with --client-id".to_owned())
    })?;
    let mut wish = json!({
        "client_name": name,
        "redirect_uris": redirects(ports),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    });
    let mut answer = ask(http, endpoint, url, &wish).await?;
    if answer.status == 400 && answer.error_code().as_deref() == Some("invalid_client_metadata") {
        if let Some(wish) = wish.as_object_mut() {
            wish.remove("application_type");
        }
        answer = ask(http, endpoint, url, &wish).await?;
    }
    match answer.status {
        200 | 201 => read(&answer, server, kind, name, ports, now_ms),
        429 => {
            let wait = answer.retry_after().unwrap_or(Duration::from_millis(HOUR_MS));
            Err(LoginError::TooManyRegistrations(wait))
        }
        status @ 500..=599 => Err(LoginError::Network(format!("registration answers {status}"))),
        status => {
            let code = answer.error_code();
            let code = code.map_or_else(|| status.to_string(), |code| plain_code(&code));
            Err(LoginError::Registration(code))
        }
    }
}

async fn ask(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    url: &str,
    wish: &Value,
) -> Result<Answer, LoginError> {
    fetch::post_json(http, endpoint, url, "application/json", wish.to_string())
        .await
        .map_err(|NoAnswer(reason)| LoginError::Network(reason))
}

fn read(
    answer: &Answer,
    server: &Server,
    kind: GrantKind,
    name: &str,
    ports: &[u16],
    now_ms: u64,
) -> Result<Registration, LoginError> {
    let bad = |reason: &str| LoginError::Registration(reason.to_owned());
    let document = answer
        .object()
        .ok_or_else(|| bad("the answer is no JSON object"))?;
    let client_id = text(&document, "client_id").ok_or_else(|| bad("the answer holds no client id"))?;
    if client_id.len() > MAX_CLIENT_ID || client_id.chars().any(char::is_control) {
        return Err(bad("the client id is unusable"));
    }
    let client_secret = text(&document, "client_secret").and_then(Token::read);
    let default_method = if client_secret.is_some() {
        "client_secret_basic"
    } else {
        "none"
    };
    let auth_method =
        text(&document, "token_endpoint_auth_method").unwrap_or_else(|| default_method.to_owned());
    if !matches!(
        auth_method.as_str(),
        "none" | "client_secret_basic" | "client_secret_post"
    ) {
        return Err(LoginError::Registration(format!(
            "it wants {}",
            plain_code(&auth_method)
        )));
    }
    let secret_expires_at_ms = document
        .get("client_secret_expires_at")
        .and_then(Value::as_u64)
        .filter(|seconds| *seconds > 0 && client_secret.is_some())
        .map(|seconds| seconds.saturating_mul(1000));
    Ok(Registration {
        issuer: server.issuer.clone(),
        kind,
        client_id,
        client_secret,
        auth_method,
        client_name: name.to_owned(),
        redirect_uris: accepted_redirects(&document, redirects(ports))?,
        registered_at_ms: now_ms,
        secret_expires_at_ms,
        origin: Origin::Registered,
    })
}

/// Those of our addresses that the server took (it may leave some out, RFC 7591 section 3.2.1).
fn accepted_redirects(document: &Map<String, Value>, ours: Vec<String>) -> Result<Vec<String>, LoginError> {
    let Some(theirs) = document.get("redirect_uris").and_then(Value::as_array) else {
        return Ok(ours);
    };
    let kept: Vec<String> = ours
        .into_iter()
        .filter(|uri| theirs.iter().any(|their| their.as_str() == Some(uri)))
        .collect();
    if kept.is_empty() {
        return Err(LoginError::Registration(
            "it took none of the redirect addresses".to_owned(),
        ));
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_registration_of_an_hour_waits() {
        let now = 10 * HOUR_MS;
        let times: Vec<u64> = (0..10).map(|n| now - 1_000_000 + n).collect();
        assert_eq!(wait_for_turn(&times[1..], now), None);
        assert_eq!(
            wait_for_turn(&times, now),
            Some(Duration::from_millis(HOUR_MS - 1_000_000))
        );
        assert_eq!(wait_for_turn(&times, now + HOUR_MS), None);
    }

    #[test]
    fn names_are_recognisable_and_plain() {
        assert_eq!(
            client_name(GrantKind::Read, "desk-1"),
            "Countersign read – desk-1"
        );
        assert_eq!(
            client_name(GrantKind::Trade, "a<b>\n\"c"),
            "Countersign trade – abc"
        );
        assert_eq!(
            client_name(GrantKind::Read, "\u{202e}"),
            "Countersign read – this computer"
        );
    }
}
