//! Between the socket and the router: records each request and lets it go wrong where that was ordered.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use futures_util::stream;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};

use crate::clock;
use crate::control::fault::{Fault, Kind, Seen, When};
use crate::control::record::Call;
use crate::http::{Cut, Pace};
use crate::look::at;
use crate::mcp::LEGACY;
use crate::mcp::endpoint::rpc_error;
use crate::mcp::envelope::{Envelope, RpcError};
use crate::service::Service;

/// The largest body that is read.
const MAX_BODY: usize = 64 << 20;

/// One request on its way through.
struct Incoming {
    service: Arc<Service>,
    router: Router,
    parts: axum::http::request::Parts,
    body: Bytes,
}

/// Records, applies the fault that waits for this request, and answers.
pub(crate) async fn handle(
    service: Arc<Service>,
    router: Router,
    pace: Pace,
    request: Request<Body>,
) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| Cut)?;
    let seen = record(&service, &parts, &body);
    let fault = service.state().faults.take(&seen, false);
    let incoming = Incoming {
        service,
        router,
        parts,
        body,
    };
    match fault {
        None => incoming.run().await,
        Some(fault) => incoming.go_wrong(&fault, &pace).await,
    }
}

/// The token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn record(service: &Service, parts: &axum::http::request::Parts, body: &Bytes) -> Seen {
    let path = parts.uri.path().to_owned();
    let http = parts.method.as_str().to_owned();
    let mut state = service.state();
    state.record.raw(&path, body.clone());
    if path != crate::ENDPOINT_PATH {
        state.record.count(format!("{http} {path}"));
        return Seen {
            path,
            http,
            ..Seen::default()
        };
    }
    let now = clock::now_ms();
    let grant = bearer(&parts.headers).and_then(|token| state.grants.lookup(token, now));
    let message = serde_json::from_slice::<Value>(body).unwrap_or(Value::Null);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let method = match &message {
        Value::Array(_) => "(batch)".to_owned(),
        Value::Object(o) if o.contains_key("method") => text(at(&message, &["method"])),
        Value::Object(_) => "(response)".to_owned(),
        _ => String::new(),
    };
    let tool = (method == "tools/call").then(|| text(at(&message, &["params", "name"])));
    let from = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(ToOwned::to_owned)
    };
    let scope = grant.as_ref().map(|g| g.scope.clone());
    state.record.call(Call {
        http: http.clone(),
        method: method.clone(),
        tool: tool.clone(),
        grant: scope.clone(),
        client_name: grant.map(|g| g.client_name),
        session: from("mcp-session-id"),
        protocol_version: from("mcp-protocol-version"),
        mirrored: parts
            .headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("mcp-param-") || name.as_str() == "mcp-name")
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect(),
        at: clock::rfc3339(now),
        at_us: clock::now_us(),
    });
    Seen {
        path,
        http,
        method,
        tool,
        scope,
    }
}

impl Incoming {
    async fn run(self) -> Result<Response<Body>, Cut> {
        let request = Request::from_parts(self.parts, Body::from(self.body));
        TowerToHyperService::new(self.router)
            .call(request)
            .await
            .map_err(|_| Cut)
    }

    /// Runs it and reads the answer to its end: the head and the whole body.
    async fn run_whole(self) -> Result<(axum::http::response::Parts, Bytes), Cut> {
        let (parts, body) = self.run().await?.into_parts();
        Ok((parts, to_bytes(body, MAX_BODY).await.map_err(|_| Cut)?))
    }

    async fn go_wrong(self, fault: &Fault, pace: &Pace) -> Result<Response<Body>, Cut> {
        match fault.kind {
            Kind::CutBefore => Err(Cut),
            Kind::CutAfter => self.run_whole().await.and(Err(Cut)),
            Kind::Stall if fault.when == When::After => {
                let (parts, body) = self.run_whole().await?;
                tokio::time::sleep(fault.pause()).await;
                Ok(Response::from_parts(parts, Body::from(body)))
            }
            Kind::Stall => {
                tokio::time::sleep(fault.pause()).await;
                self.run().await
            }
            Kind::TimeoutAfter => self.run_whole().await.map(|_| timeout()),
            Kind::SlowHeaders => {
                let (parts, body) = self.run_whole().await?;
                // A head has about 150 bytes.
                pace.spread(150, fault.pause());
                Ok(Response::from_parts(parts, Body::from(body)))
            }
            Kind::WrongId => {
                let (parts, body) = self.run_whole().await?;
                Ok(rewrite(parts, &body, |mut message| {
                    if let Some(members) = message.as_object_mut() {
                        members.insert("id".into(), json!("an-id-nobody-sent"));
                    }
                    vec![message]
                }))
            }
            Kind::DuplicateAnswer => {
                let (parts, body) = self.run_whole().await?;
                Ok(rewrite(parts, &body, |message| vec![message.clone(), message]))
            }
            Kind::SseCutMidevent => self.cut_midevent().await,
            Kind::HeaderMismatch | Kind::UnsupportedVersion => {
                let error = if fault.kind == Kind::HeaderMismatch {
                    RpcError::new(-32020, "Header mismatch")
                } else {
                    RpcError {
                        data: Some(json!({"supported": LEGACY})),
                        ..RpcError::new(-32022, "Unsupported protocol version")
                    }
                };
                let refused = self.refused(&error);
                if fault.execute {
                    self.run_whole().await?;
                }
                Ok(refused)
            }
            _ => {
                let (service, parts) = (Arc::clone(&self.service), self.parts.clone());
                if fault.execute {
                    self.run_whole().await?;
                }
                Ok(refusal(&service, fault, &parts))
            }
        }
    }

    /// A JSON-RPC error with status 400.
    fn refused(&self, error: &RpcError) -> Response<Body> {
        let envelope = Envelope::parse(&self.body);
        let id = envelope.as_ref().map_or("null", Envelope::id_text);
        rpc_error(StatusCode::BAD_REQUEST, error, id)
    }

    /// Half of the last event, then the end of the connection.
    async fn cut_midevent(self) -> Result<Response<Body>, Cut> {
        let (mut parts, body) = self.run_whole().await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let whole = if is_sse(&parts.headers) {
            text
        } else {
            format!("event: message\ndata: {text}\n\n")
        };
        let at = whole.rfind("data:").unwrap_or(0);
        let half = at.saturating_add(whole.len().saturating_sub(at) / 2);
        let cut = (half..whole.len())
            .find(|i| whole.is_char_boundary(*i))
            .unwrap_or(0);
        let start = whole.get(..cut).unwrap_or_default().to_owned();
        set_sse(&mut parts.headers);
        Ok(Response::from_parts(parts, then_cut(start)))
    }
}

/// `text`, and then the connection breaks.
fn then_cut(text: String) -> Body {
    let parts = stream::unfold(Some(text), |left| async move {
        match left {
            Some(text) if !text.is_empty() => Some((Ok(Bytes::from(text)), Some(String::new()))),
            Some(_) => {
                // Lets the first part out before the end is noticed.
                tokio::time::sleep(Duration::from_millis(30)).await;
                Some((Err(Cut), None))
            }
            None => None,
        }
    });
    Body::from_stream(parts)
}

fn is_sse(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    value.is_some_and(|v| v.starts_with("text/event-stream"))
}

fn set_sse(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/event-stream"),
    );
}

/// Changes the answering message of a response; several become events of one stream.
fn rewrite(
    mut parts: axum::http::response::Parts,
    body: &[u8],
    change: impl FnOnce(Value) -> Vec<Value>,
) -> Response<Body> {
    let text = String::from_utf8_lossy(body);
    let sse = is_sse(&parts.headers);
    let found = if sse {
        text.lines().filter_map(|l| l.strip_prefix("data: ")).next_back()
    } else {
        Some(text.as_ref())
    };
    let message = found
        .and_then(|t| serde_json::from_str(t).ok())
        .unwrap_or(Value::Null);
    let messages = change(message);
    parts.headers.remove(header::CONTENT_LENGTH);
    if let ([only], false) = (messages.as_slice(), sse) {
        return Response::from_parts(parts, Body::from(only.to_string()));
    }
    set_sse(&mut parts.headers);
    let events = messages.iter().fold(String::new(), |all, message| {
        all + "event: message\ndata: " + &message.to_string() + "\n\n"
    });
    Response::from_parts(parts, Body::from(events))
}

fn timeout() -> Response<Body> {
    let body =
        json!({"success": false, "error": "addon_disconnected", "detail": "NinjaTrader did not answer"});
    (StatusCode::REQUEST_TIMEOUT, axum::Json(body)).into_response()
}

/// Answers that need nothing of the request.
fn refusal(service: &Service, fault: &Fault, parts: &axum::http::request::Parts) -> Response<Body> {
    let error = |status: StatusCode, body: Value| (status, axum::Json(body)).into_response();
    match fault.kind {
        Kind::Timeout => timeout(),
        Kind::Unavailable => error(
            StatusCode::SERVICE_UNAVAILABLE,
            json!({"error": "temporarily_unavailable"}),
        ),
        Kind::RateLimited => rate_limited(fault.retry_after),
        Kind::Unauthorized => unauthorized(service, true),
        Kind::Subscription => subscription(),
        Kind::InsufficientScope => insufficient_scope(service),
        Kind::BadSession => error(
            StatusCode::BAD_REQUEST,
            json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "Bad Request: No valid session ID provided"}}),
        ),
        Kind::Html => {
            let page = "<!doctype html><html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>";
            axum::response::Html(page).into_response()
        }
        Kind::HalfJson => json_text(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"te"#),
        Kind::EmptyBody => json_text(""),
        Kind::AcceptedForRequest => StatusCode::ACCEPTED.into_response(),
        Kind::EndlessBody => endless(),
        Kind::Redirect => redirect(fault.location.as_deref(), parts),
        _ => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({"error": "server_error"}),
        ),
    }
}

fn json_text(text: &'static str) -> Response<Body> {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// The documented body of the request budget.
pub(crate) fn rate_limited(retry_after: Option<u64>) -> Response<Body> {
    let body = axum::Json(json!({"error": "Rate limit exceeded"}));
    let mut response = (StatusCode::TOO_MANY_REQUESTS, body).into_response();
    if let Some(value) = retry_after.and_then(|s| s.to_string().parse().ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

/// 401 as documented; `error` only where a token was sent (RFC 6750 section 3.1).
pub(crate) fn unauthorized(service: &Service, with_token: bool) -> Response<Body> {
    let mut challenge = format!(
        "Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource\"",
        service.issuer
    );
    if with_token {
        challenge.push_str(
            ", error=\"invalid_token\", error_description=\"The token is expired, revoked or unknown\"",
        );
    }
    challenged(
        StatusCode::UNAUTHORIZED,
        &challenge,
        json!({"error": "invalid_token"}),
    )
}

/// 403 for a trade tool with a read token.
pub(crate) fn insufficient_scope(service: &Service) -> Response<Body> {
    let challenge = format!(
        "Bearer error=\"insufficient_scope\", scope=\"mcp:trade\", resource_metadata=\"{}/.well-known/oauth-protected-resource\"",
        service.issuer
    );
    challenged(
        StatusCode::FORBIDDEN,
        &challenge,
        json!({"error": "insufficient_scope"}),
    )
}

/// 403 of the plan gate.
pub(crate) fn subscription() -> Response<Body> {
    (
        StatusCode::FORBIDDEN,
        axum::Json(json!({"error": "MCP requires an Elite subscription"})),
    )
        .into_response()
}

/// 408 of a tool that needs `NinjaTrader`.
pub(crate) fn addon_disconnected() -> Response<Body> {
    let body = json!({"success": false, "error": "addon_disconnected", "detail": "The CrossTrade Add-On is not connected"});
    (StatusCode::REQUEST_TIMEOUT, axum::Json(body)).into_response()
}

fn challenged(status: StatusCode, challenge: &str, body: Value) -> Response<Body> {
    let mut response = (status, axum::Json(body)).into_response();
    if let Ok(value) = challenge.parse() {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

fn endless() -> Response<Body> {
    let start =
        Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":""#);
    let more = Bytes::from(vec![b'x'; 16 << 10]);
    let parts = stream::unfold((start, more), |(now, more)| async move {
        tokio::task::yield_now().await;
        Some((Ok::<_, Cut>(now), (more.clone(), more)))
    });
    let mut response = Body::from_stream(parts).into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

fn redirect(location: Option<&str>, parts: &axum::http::request::Parts) -> Response<Body> {
    let target = location.unwrap_or("http://127.0.0.1:9/elsewhere");
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    let value = target.parse().or_else(|_| parts.uri.path().parse());
    if let Ok(value) = value {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}
