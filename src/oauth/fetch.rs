//! The HTTP of OAuth: small, bounded, without credentials in any header but where RFC 6749 wants them.
//!
//! Owns: bounds, deadlines, the redirect rule, the reading of JSON. Refuses to know: what the documents mean.
//! The client that is passed in must not follow redirects by itself.

use super::endpoint::Endpoint;
use super::secret::Token;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Url};
use serde_json::{Map, Value};
use std::time::Duration;
use zeroize::Zeroizing;

/// The largest answer that is read: 1 MiB. Real metadata is a few KiB.
const MAX_BODY: usize = 1024 * 1024;
/// The time for one request with its whole answer.
const LIMIT: Duration = Duration::from_secs(30);
/// How many redirects a metadata address may take, all on its own origin.
const MAX_REDIRECTS: usize = 3;

/// An answer, read whole. Its body can hold tokens, and so could any header: neither is ever printed.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// The body as a JSON object. `None` for anything else; repeated keys are refused, as two readers could differ.
    pub(super) fn object(&self) -> Option<Map<String, Value>> {
        let media = self
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        let media = crate::wire::headers::media_type(media);
        let json = media.is_empty() || media == "application/json" || media.ends_with("+json");
        if !json {
            return None;
        }
        crate::wire::json::members(std::str::from_utf8(&self.body).ok()?).ok()?;
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(map)) => Some(map),
            _ => None,
        }
    }

    /// The OAuth error code of the body (RFC 6749 section 5.2) as the server wrote it: to be compared, and shown
    /// through [`super::error::plain_code`] only.
    pub(super) fn error_code(&self) -> Option<String> {
        self.object()?.get("error")?.as_str().map(str::to_owned)
    }

    /// Whether the body mentions one of these words (in any letter case).
    pub(super) fn mentions(&self, words: &[&str]) -> bool {
        let text = String::from_utf8_lossy(&self.body).to_ascii_lowercase();
        words.iter().any(|word| text.contains(word))
    }

    /// `Retry-After` in seconds (RFC 9110 section 10.2.3, delay form only), at most a day.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get("retry-after")?.to_str().ok()?;
        let seconds: u64 = value.trim().parse().ok()?;
        Some(Duration::from_secs(seconds.min(86_400)))
    }
}

/// What stood in the way of an answer; never names an address or repeats what a server said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoAnswer(pub(super) String);

/// GET of a public document, following redirects on the same origin only.
pub(super) async fn get(http: &reqwest::Client, endpoint: &Endpoint, url: &str) -> Result<Answer, NoAnswer> {
    let mut url = judged(endpoint, url)?;
    for _ in 0..=MAX_REDIRECTS {
        let request = http
            .request(Method::GET, url.clone())
            .header(ACCEPT, "application/json");
        let answer = send(request).await?;
        if !(300..400).contains(&answer.status) {
            return Ok(answer);
        }
        let target = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let next = target.and_then(|target| url.join(target).ok());
        let next = next.ok_or_else(|| NoAnswer("a redirect without an address".to_owned()))?;
        if next.origin() != url.origin() {
            return Err(NoAnswer(
                "a redirect to another host, which is not followed".to_owned(),
            ));
        }
        url = judged(endpoint, next.as_str())?;
    }
    Err(NoAnswer("too many redirects".to_owned()))
}

/// GET as a browser would begin it, to see whether an authorization address is refused outright.
pub(super) async fn peek(http: &reqwest::Client, endpoint: &Endpoint, url: &str) -> Result<Answer, NoAnswer> {
    let url = judged(endpoint, url)?;
    send(
        http.request(Method::GET, url)
            .header(ACCEPT, "text/html, application/json;q=0.9"),
    )
    .await
}

/// POST of a JSON text, without credentials.
pub(super) async fn post_json(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    url: &str,
    accept: &'static str,
    body: String,
) -> Result<Answer, NoAnswer> {
    let url = judged(endpoint, url)?;
    let request = http
        .request(Method::POST, url)
        .header(ACCEPT, accept)
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    send(request).await
}

/// How the client shows the token endpoint who it is (RFC 6749 section 2.3).
#[derive(Debug, Clone, Copy)]
pub(super) enum ClientAuth<'a> {
    /// A public client: its id stands in the form.
    None,
    /// HTTP Basic.
    Basic(&'a Token),
    /// The secret stands in the form.
    Post(&'a Token),
    /// A statement that the client signed stands in the form (RFC 7523 section 2.2).
    Statement(&'a Token),
}

/// POST of a form to an endpoint of the authorization server.
pub(super) async fn post_form(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    url: &str,
    client_id: &str,
    auth: ClientAuth<'_>,
    fields: &[(&str, &str)],
) -> Result<Answer, NoAnswer> {
    let url = judged(endpoint, url)?;
    let mut request = http
        .request(Method::POST, url)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let ClientAuth::Basic(secret) = auth {
        request = request.header(AUTHORIZATION, basic(client_id, secret)?);
    }
    send(request.body(form(client_id, auth, fields))).await
}

fn form(client_id: &str, auth: ClientAuth<'_>, fields: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    match auth {
        ClientAuth::None => {
            form.append_pair("client_id", client_id);
        }
        ClientAuth::Post(secret) => {
            form.append_pair("client_id", client_id);
            form.append_pair("client_secret", secret.for_form());
        }
        ClientAuth::Statement(statement) => {
            form.append_pair("client_id", client_id);
            form.append_pair(
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            );
            form.append_pair("client_assertion", statement.for_form());
        }
        ClientAuth::Basic(_) => {}
    }
    form.finish()
}

/// RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
fn basic(client_id: &str, secret: &Token) -> Result<HeaderValue, NoAnswer> {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!("{}:{}", encode(client_id), encode(secret.for_form())));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value =
        HeaderValue::from_str(&text).map_err(|_| NoAnswer("the client secret is unusable".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn judged(endpoint: &Endpoint, url: &str) -> Result<Url, NoAnswer> {
    endpoint
        .judge(url)
        .map_err(|reason| NoAnswer(format!("an address that is not used: {reason}")))
}

async fn send(request: reqwest::RequestBuilder) -> Result<Answer, NoAnswer> {
    match tokio::time::timeout(LIMIT, send_unbounded(request)).await {
        Ok(answer) => answer,
        Err(_) => Err(NoAnswer(format!("no whole answer within {} s", LIMIT.as_secs()))),
    }
}

async fn send_unbounded(request: reqwest::RequestBuilder) -> Result<Answer, NoAnswer> {
    let mut response = request.send().await.map_err(|error| describe(&error))?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
        if body.len().saturating_add(chunk.len()) > MAX_BODY {
            return Err(NoAnswer(format!("an answer longer than {MAX_BODY} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// In our own words: the error's text can hold the address with its query.
fn describe(error: &reqwest::Error) -> NoAnswer {
    let words = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "the request failed"
    };
    NoAnswer(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6749 section 2.3.1, with what breaks those that join the raw parts.
    #[test]
    fn each_way_of_showing_who_we_are() {
        let secret = Token::read("s:%+/&=s".to_owned()).unwrap();
        let header = basic("a b:ü", &secret).unwrap();
        let text = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        assert_eq!(
            STANDARD.decode(text).unwrap(),
            b"a+b%3A%C3%BC:s%3A%25%2B%2F%26%3Ds"
        );
        assert!(header.is_sensitive());
        let fields = [("grant_type", "x")];
        let form = |auth| form("a b", auth, &fields);
        assert_eq!(form(ClientAuth::None), "grant_type=x&client_id=a+b");
        assert_eq!(form(ClientAuth::Basic(&secret)), "grant_type=x");
        assert_eq!(
            form(ClientAuth::Post(&secret)),
            "grant_type=x&client_id=a+b&client_secret=s%3A%25%2B%2F%26%3Ds"
        );
        assert_eq!(
            form(ClientAuth::Statement(&secret)),
            "grant_type=x&client_id=a+b&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion=s%3A%25%2B%2F%26%3Ds"
        );
    }

    #[test]
    fn an_answer_does_not_print_its_body() {
        let text = r#"{"access_token":"planted"}"#;
        let mut headers = HeaderMap::new();
        headers.insert("x-token", HeaderValue::from_static("planted"));
        let answer = Answer {
            status: 200,
            headers,
            body: Zeroizing::new(text.as_bytes().to_vec()),
        };
        let shown = format!("{answer:?}");
        let as_numbers = format!("{:?}", text.as_bytes());
        assert!(shown.contains("200"), "{shown}");
        assert!(
            !shown.contains("planted") && !shown.contains(as_numbers.trim_matches(['[', ']'])),
            "{shown}"
        );
    }
}
