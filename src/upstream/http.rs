//! The HTTP client and the headers that every request carries.

use crate::oauth::{Bearer, Endpoint};
use crate::upstream::Failure;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// The handshake revisions that we speak, newest first.
pub const PROTOCOL_VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// Time to reach the server at all: TCP and TLS.
const CONNECT: Duration = Duration::from_secs(10);
/// Time from the last byte of a request to the first of its answer's head. Reads that wait for `NinjaTrader` come
/// back within seconds; a server that keeps the head back this long is taken for dead.
pub(super) const HEAD: Duration = Duration::from_secs(60);
/// Idle connections are kept this long: below the usual 60 s of load balancers, so that we close first.
const KEEP: Duration = Duration::from_secs(50);

/// On a connection of HTTP/2 on which nothing came for this long a sign of life is asked for, and how long that may take.
/// After a change of the network a connection still seems to stand for minutes: everything would be sent into it, also an
/// order, whose outcome nobody knew then.
const ALIVE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(10));

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(super) const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// The version to offer or answer: the asked one where we speak it, else our newest.
pub fn newest_common(asked: &str) -> &'static str {
    PROTOCOL_VERSIONS
        .into_iter()
        .find(|version| *version == asked)
        .unwrap_or("2025-11-25")
}

/// Builds the HTTP client that lanes and sign-in share. Redirects are never followed, nothing is retried inside it,
/// bodies are not decompressed.
///
/// # Errors
/// Where TLS cannot be set up on this machine.
pub fn client(endpoint: &Endpoint) -> Result<reqwest::Client, String> {
    let failed = |error: &dyn std::fmt::Display| format!("TLS cannot be set up: {error}");
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(super::tls::config().map_err(|error| failed(&error))?)
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        .pool_idle_timeout(KEEP)
        .http2_keep_alive_interval(ALIVE.0)
        .http2_keep_alive_timeout(ALIVE.1)
        .http2_keep_alive_while_idle(true)
        .tcp_nodelay(true);
    let builder = if endpoint.is_loopback() {
        builder.no_proxy()
    } else {
        builder
    };
    builder.build().map_err(|error| failed(&error))
}

/// The headers of one request (MCP, Streamable HTTP, sending messages).
pub(super) fn headers(
    bearer: Option<&Bearer>,
    session: Option<&HeaderValue>,
    version: Option<&str>,
) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(5);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("application/json, text/event-stream"),
    );
    if let Some(bearer) = bearer {
        headers.insert(AUTHORIZATION, bearer.authorization_header());
    }
    headers.extend(self::session(session, version));
    headers
}

/// The headers of a session (legacy eras).
pub(super) fn session(session: Option<&HeaderValue>, version: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(2);
    if let Some(session) = session {
        headers.insert(SESSION, session.clone());
    }
    // Peers before 2025-06-18 do not know the header; the handshake itself carries none.
    if let Some(version) = version.filter(|version| *version >= "2025-06-18")
        && let Ok(value) = HeaderValue::from_str(version)
    {
        headers.insert(VERSION, value);
    }
    headers
}

/// All `WWW-Authenticate` values of an answer, joined as one list (RFC 9110 section 5.3).
pub(super) fn challenge(headers: &HeaderMap) -> String {
    let values = headers.get_all(reqwest::header::WWW_AUTHENTICATE);
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect::<Vec<_>>()
        .join(", ")
}

/// A string member of an object given as text; bounded and without control characters, as it is shown to people.
pub(super) fn text_member(object: &str, key: &str) -> Option<String> {
    let members = crate::wire::json::members(object).ok()?;
    let value = members.iter().find(|member| member.key == key)?.value;
    let text = crate::wire::json::string(value).ok()?;
    Some(text.chars().filter(|c| !c.is_control()).take(300).collect())
}

/// Follows the cursor of a list to its end and returns the texts of all items under `key`.
pub(super) async fn list_all<F>(
    pages: usize,
    key: &str,
    ask: impl Fn(String) -> F,
) -> Result<Vec<String>, Failure>
where
    F: Future<Output = Result<String, Failure>>,
{
    let mut all = Vec::new();
    let mut params = "{}".to_owned();
    for _ in 0..pages {
        let result = ask(params).await?;
        let bad = |_| Failure::BadAnswer(format!("its {key} are no list"));
        let members = crate::wire::json::members(&result).map_err(bad)?;
        let find = |key: &str| {
            members
                .iter()
                .find(|member| member.key == key)
                .map(|member| member.value)
        };
        let items = crate::wire::json::items(find(key).unwrap_or("[]")).map_err(bad)?;
        all.extend(
            items
                .into_iter()
                .map(|item| crate::wire::json::minify(item).into_owned()),
        );
        match find("nextCursor").filter(|cursor| *cursor != "null") {
            Some(cursor) => params = format!(r#"{{"cursor":{cursor}}}"#),
            None => return Ok(all),
        }
    }
    Err(Failure::BadAnswer(format!(
        "its list has more than {pages} pages"
    )))
}
