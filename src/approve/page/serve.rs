//! The server of the page: which requests it hears at all, and what each may do. Loopback only, a few seconds or minutes.

use super::ceremony::TouchText;
use super::counter::{Counter, Outcome};
use super::peer;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// A browser needs two or three; a program that wants more is not one.
const CONNECTIONS_MAX: usize = 24;
/// The longest request body: a token and a PIN, or a passkey's answer with a long credential id and an RSA key.
const BODY_MAX: usize = 8192;
const READ_LIMIT: Duration = Duration::from_secs(5);
/// How long the page can still learn that it is over.
const LINGER: Duration = Duration::from_secs(3);

const HTML: &str = include_str!("page.html");
const CSS: &str = include_str!("page.css");
const PASSKEY_JS: &str = include_str!("passkey.js");
const JS: &str = include_str!("page.js");

type Answer = Response<Full<Bytes>>;

/// Serves both sockets until a little after `close`.
pub(super) async fn serve(
    four: TcpListener,
    six: TcpListener,
    counter: Arc<Counter>,
    close: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let over = async {
        close.cancelled().await;
        tokio::time::sleep(LINGER).await;
    };
    tokio::pin!(over);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut over => return,
            accepted = four.accept() => accepted,
            accepted = six.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
                connections.spawn(talk(stream, counter.clone()));
            }
            Ok(_) => {}
            // Out of file handles, most likely: not a reason to spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn talk(stream: TcpStream, counter: Arc<Counter>) {
    if !peer::is_ours(&stream).await {
        tracing::warn!(
            "a connection to the page was refused: it is not known to be from a program of this user"
        );
        return;
    }
    let service = service_fn(move |request| {
        let counter = counter.clone();
        async move { Ok::<_, Infallible>(harden(answer(request, &counter).await, &counter.nonce)) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(READ_LIMIT)
        .max_headers(64)
        .max_buf_size(16 * 1024);
    // A connection that breaks is the browser's affair; the page asks again.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, counter: &Arc<Counter>) -> Answer {
    if !is_ours(request.headers(), counter) {
        return refuse(StatusCode::FORBIDDEN, "This address belongs to Countersign.");
    }
    let path = request.uri().path().to_owned();
    match (request.method(), path.as_str()) {
        (&Method::GET, "/") => shell(&counter.nonce),
        (&Method::POST, "/open" | "/state" | "/approve" | "/deny" | "/halt") => {
            if !is_from_page(request.headers(), counter) {
                return refuse(StatusCode::FORBIDDEN, "Only the page itself may ask this.");
            }
            match read(request).await {
                Some(asked) => act(&path, asked, counter).await,
                None => refuse(StatusCode::BAD_REQUEST, "That request cannot be read."),
            }
        }
        _ => refuse(StatusCode::NOT_FOUND, "There is nothing here."),
    }
}

/// Exactly our host (a name that was bound to loopback by somebody else is not), and not led here by another site.
fn is_ours(headers: &HeaderMap, counter: &Counter) -> bool {
    one(headers, HOST) == Some(&counter.host)
        && matches!(fetch_site(headers), None | Some("none" | "same-origin"))
}

/// A script of our own page, sending JSON: no form and no other origin can.
fn is_from_page(headers: &HeaderMap, counter: &Counter) -> bool {
    one(headers, ORIGIN) == Some(&counter.origin)
        && one(headers, CONTENT_TYPE) == Some("application/json")
        && matches!(fetch_site(headers), None | Some("same-origin"))
}

fn fetch_site(headers: &HeaderMap) -> Option<&str> {
    headers
        .get("sec-fetch-site")
        .map(|value| value.to_str().unwrap_or("unreadable"))
}

/// A header that is there exactly once.
fn one(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Everything that the page may say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    token: Option<String>,
    session: Option<String>,
    core: Option<u64>,
    pin: Option<SecretText>,
    touch: Option<TouchText>,
}

/// A PIN on its way; never printed.
struct SecretText(SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(SecretString::from(text)))
    }
}

async fn read(request: Request<Incoming>) -> Option<Asked> {
    let body = Limited::new(request.into_body(), BODY_MAX).collect();
    let body = tokio::time::timeout(READ_LIMIT, body).await.ok()?.ok()?;
    let bytes = Zeroizing::new(body.to_bytes().to_vec());
    serde_json::from_slice(&bytes).ok()
}

async fn act(path: &str, asked: Asked, counter: &Arc<Counter>) -> Answer {
    if path == "/open" {
        return match asked.token.as_deref().and_then(|token| counter.open(token)) {
            Some(session) => json(StatusCode::OK, &serde_json::json!({ "session": session })),
            None => refuse(
                StatusCode::FORBIDDEN,
                "This link was used before, or is not from Countersign. If you did not use it, deny in the notification.",
            ),
        };
    }
    if !asked
        .session
        .as_deref()
        .is_some_and(|session| counter.knows(session))
    {
        return refuse(
            StatusCode::FORBIDDEN,
            "This page is over: it was opened again in another tab.",
        );
    }
    let outcome: Outcome = match path {
        "/state" => return json(StatusCode::OK, &counter.tell()),
        "/deny" => counter.deny(),
        "/halt" => counter.halt(),
        _ => {
            let core = asked.core.unwrap_or(0);
            let pin = asked.pin.map_or_else(SecretString::default, |pin| pin.0);
            let (counter, touch) = (Arc::clone(counter), asked.touch);
            // A task of its own: a browser that hangs up ends this connection's, and must not leave a check half done,
            // so that every later try would wait for its end.
            let looked_at = tokio::spawn(async move {
                match touch {
                    Some(touch) => counter.touched(core, touch).await,
                    None => counter.approve(core, pin).await,
                }
            });
            looked_at
                .await
                .unwrap_or_else(|_| Outcome::not_yet("It could not be checked. Nothing was approved."))
        }
    };
    json(StatusCode::OK, &outcome)
}

fn shell(nonce: &str) -> Answer {
    let page = HTML
        .replace("{nonce}", nonce)
        .replace("{style}", CSS)
        .replace("{script}", &format!("{PASSKEY_JS}{JS}"));
    let mut answer = Response::new(Full::new(Bytes::from(page)));
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(body).unwrap_or_default();
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn refuse(status: StatusCode, text: &str) -> Answer {
    json(status, &serde_json::json!({ "error": text }))
}

/// The same headers on every answer.
fn harden(mut answer: Answer, nonce: &str) -> Answer {
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    );
    let headers = answer.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert("content-security-policy", policy);
    }
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), microphone=(), geolocation=(), display-capture=(), publickey-credentials-get=(self), \
             publickey-credentials-create=(self)",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}
