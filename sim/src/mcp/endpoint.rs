//! The one HTTP endpoint: who may come in, in which era, to which session, and in which form the answer goes out.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::mpsc;
use url::Url;

use super::envelope::{Envelope, RpcError, Shape};
use super::method::{self, Context, Outcome};
use super::outlet::{self, Outlet};
use super::{LEGACY, MODERN, call, modern};
use crate::look::at;
use crate::oauth::grants::Grant;
use crate::options::{Answers, Era};
use crate::service::Service;
use crate::{clock, faulty, secret};

/// The largest body that is read.
const MAX_BODY: usize = 64 << 20;

/// Everything that comes to the endpoint.
pub(crate) async fn handle(State(service): State<Arc<Service>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if !origin_is_ours(&parts.headers) {
        return plain_error(StatusCode::FORBIDDEN, "Forbidden: origin");
    }
    let grant = match authorize(&service, &parts.headers) {
        Ok(grant) => grant,
        Err(refusal) => return *refusal,
    };
    if parts.method == Method::POST {
        post(service, grant, &parts.headers, &body).await
    } else if parts.method == Method::GET {
        get(service, &grant, &parts.headers)
    } else if parts.method == Method::DELETE {
        delete(&service, &grant, &parts.headers)
    } else {
        StatusCode::METHOD_NOT_ALLOWED.into_response()
    }
}

/// A browser page of another origin has no business here (DNS rebinding, MCP transports).
fn origin_is_ours(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let url = origin.to_str().ok().and_then(|o| Url::parse(o).ok());
    url.and_then(|u| {
        u.host_str()
            .map(|h| matches!(h, "127.0.0.1" | "localhost" | "[::1]"))
    })
    .unwrap_or(false)
}

fn authorize(service: &Service, headers: &HeaderMap) -> Result<Grant, Box<Response>> {
    let token = faulty::bearer(headers);
    let now = clock::now_ms();
    let mut state = service.state();
    let grant = token.and_then(|t| state.grants.lookup(t, now));
    let Some(grant) = grant else {
        return Err(Box::new(faulty::unauthorized(service, token.is_some())));
    };
    if !service.options.no_rate_limit && !state.budget.take(&grant.user, now) {
        return Err(Box::new(faulty::rate_limited(None)));
    }
    Ok(grant)
}

pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

fn plain_error(status: StatusCode, text: &str) -> Response {
    rpc_error(status, &RpcError::new(-32000, text), "null")
}

/// A JSON-RPC error as the body of an HTTP error.
pub(crate) fn rpc_error(status: StatusCode, error: &RpcError, id: &str) -> Response {
    json(status, error.message(id))
}

/// JSON text as it is.
pub(crate) fn json(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

async fn post(service: Arc<Service>, grant: Grant, headers: &HeaderMap, body: &Bytes) -> Response {
    let content = header_text(headers, "content-type").unwrap_or_default();
    if !content.to_ascii_lowercase().starts_with("application/json") {
        return plain_error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Content-Type must be application/json",
        );
    }
    let accept = header_text(headers, "accept").unwrap_or_default();
    if !(accept.contains("application/json") && accept.contains("text/event-stream")
        || accept.contains("*/*"))
    {
        return plain_error(
            StatusCode::NOT_ACCEPTABLE,
            "Accept must list application/json and text/event-stream",
        );
    }
    if body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[') {
        return batch(service, grant, headers, body).await;
    }
    let envelope = match Envelope::parse(body) {
        Ok(envelope) => envelope,
        Err(error) => return rpc_error(StatusCode::BAD_REQUEST, &error, "null"),
    };
    let shape = match envelope.shape() {
        Ok(shape) => shape,
        Err(error) => return rpc_error(StatusCode::BAD_REQUEST, &error, envelope.id_text()),
    };
    if modern::is_meant(headers, &envelope) {
        if service.era() != Era::Legacy {
            return modern::post(service, grant, headers, envelope, shape).await;
        }
    } else if service.era() == Era::Modern {
        return modern::unsupported(&envelope);
    }
    if shape == Shape::Request && envelope.method.as_deref() == Some("initialize") {
        return initialize(service, grant, &envelope).await;
    }
    match context(&service, grant, headers) {
        Ok(context) => answer(context, envelope, shape).await,
        Err(refusal) => *refusal,
    }
}

/// The session and version of a request after `initialize`.
fn context(service: &Arc<Service>, grant: Grant, headers: &HeaderMap) -> Result<Context, Box<Response>> {
    let refuse = |status, text: &str| Err(Box::new(plain_error(status, text)));
    let asked = header_text(headers, "mcp-protocol-version");
    let known = asked.map(|v| LEGACY.iter().find(|l| **l == v));
    if known == Some(None) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Bad Request: unsupported MCP-Protocol-Version",
        );
    }
    let mut version = known.flatten().copied().unwrap_or("2025-03-26");
    let id = header_text(headers, "mcp-session-id");
    if service.options.no_sessions {
        return Ok(Context {
            service: Arc::clone(service),
            grant,
            session: None,
            version,
        });
    }
    let Some(id) = id else {
        return refuse(StatusCode::BAD_REQUEST, "Bad Request: Mcp-Session-Id is missing");
    };
    let mut state = service.state();
    // A session belongs to one user: to another it does not exist.
    let session = state
        .sessions
        .get(id)
        .filter(|s| s.user == grant.user && s.scope == grant.scope);
    let Some(session) = session else {
        return refuse(StatusCode::NOT_FOUND, "Session not found");
    };
    let needs_header = matches!(session.version, "2025-06-18" | "2025-11-25");
    if needs_header && asked.is_some_and(|v| v != session.version) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Bad Request: another protocol version was negotiated",
        );
    }
    version = session.version;
    Ok(Context {
        service: Arc::clone(service),
        grant,
        session: Some(id.to_owned()),
        version,
    })
}

async fn initialize(service: Arc<Service>, grant: Grant, envelope: &Envelope) -> Response {
    let params = envelope.params();
    let asked = at(&params, &["protocolVersion"]).as_str().unwrap_or_default();
    let version = LEGACY.iter().find(|v| **v == asked).copied().unwrap_or(LEGACY[0]);
    let mut session = None;
    if !service.options.no_sessions {
        let Ok(id) = secret::random("") else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let capabilities = at(&params, &["capabilities"]).clone();
        let (user, scope) = (grant.user.clone(), grant.scope.clone());
        service
            .state()
            .sessions
            .open(id.clone(), user, scope, version, capabilities);
        session = Some(id);
    }
    let context = Context {
        service,
        grant,
        session: session.clone(),
        version,
    };
    let mut response = request(context, envelope.clone()).await;
    if let Some(value) = session.and_then(|id| id.parse().ok()) {
        response.headers_mut().insert("mcp-session-id", value);
    }
    response
}

async fn answer(context: Context, envelope: Envelope, shape: Shape) -> Response {
    match shape {
        Shape::Request => request(context, envelope).await,
        Shape::Notification => {
            method::notified(&context, &envelope);
            StatusCode::ACCEPTED.into_response()
        }
        Shape::Response => {
            method::answered(&context, &envelope);
            StatusCode::ACCEPTED.into_response()
        }
    }
}

async fn request(context: Context, envelope: Envelope) -> Response {
    let name = envelope.method.clone().unwrap_or_default();
    let params = envelope.params();
    if name == "tools/call"
        && let Err(refusal) = call::admit(&context.service, &context.grant, &params)
    {
        return *refusal;
    }
    let tool = at(&params, &["name"]).as_str().unwrap_or_default();
    let asks = name == "tools/call" && context.service.state().faults.has_question(tool);
    let sse = match context.service.options.answers {
        Answers::Json => asks,
        Answers::Sse => true,
        Answers::Mixed => name == "tools/call",
    };
    if sse {
        streamed(context, envelope)
    } else {
        whole(&context, &envelope).await
    }
}

async fn whole(context: &Context, envelope: &Envelope) -> Response {
    match method::run(context, envelope, &Outlet::Silent).await {
        Outcome::Message(text) => json(StatusCode::OK, text),
        Outcome::Nothing => StatusCode::ACCEPTED.into_response(),
    }
}

fn streamed(context: Context, envelope: Envelope) -> Response {
    let (outlet, response) = open(&context);
    tokio::spawn(async move {
        if let Outcome::Message(text) = method::run(&context, &envelope, &outlet).await {
            outlet.send(text).await;
        }
        outlet.finish();
    });
    response
}

/// A new stream and the response that carries it.
fn open(context: &Context) -> (Outlet, Response) {
    let service = Arc::clone(&context.service);
    let kept = context.session.as_ref().and_then(|id| {
        let number = service.state().sessions.get(id)?.open_stream(false);
        Some((id.clone(), number))
    });
    if let Some((session, stream)) = kept {
        let outlet = Outlet::Kept {
            service: Arc::clone(&service),
            session: session.clone(),
            stream,
        };
        return (outlet, outlet::kept(service, session, stream, 0));
    }
    let (sender, receiver) = mpsc::channel(64);
    (Outlet::Plain(sender), outlet::plain(receiver))
}

/// Batches exist in 2025-03-26 only.
async fn batch(service: Arc<Service>, grant: Grant, headers: &HeaderMap, body: &[u8]) -> Response {
    let context = match context(&service, grant, headers) {
        Ok(context) => context,
        Err(refusal) => return *refusal,
    };
    if context.version != "2025-03-26" {
        let error = RpcError::new(
            -32600,
            "Invalid Request: batches are not part of this protocol version",
        );
        return rpc_error(StatusCode::BAD_REQUEST, &error, "null");
    }
    let Ok(messages) = serde_json::from_slice::<Vec<Envelope>>(body) else {
        return rpc_error(
            StatusCode::BAD_REQUEST,
            &RpcError::new(-32700, "Parse error"),
            "null",
        );
    };
    if messages.is_empty() {
        return rpc_error(
            StatusCode::BAD_REQUEST,
            &RpcError::new(-32600, "Invalid Request: empty batch"),
            "null",
        );
    }
    let mut answers = Vec::new();
    for envelope in messages {
        match envelope.shape() {
            Err(error) => answers.push(error.message(envelope.id_text())),
            Ok(Shape::Notification) => method::notified(&context, &envelope),
            Ok(Shape::Response) => method::answered(&context, &envelope),
            Ok(Shape::Request) => {
                if let Some(text) = batched(&context, &envelope).await {
                    answers.push(text);
                }
            }
        }
    }
    if answers.is_empty() {
        return StatusCode::ACCEPTED.into_response();
    }
    json(StatusCode::OK, format!("[{}]", answers.join(",")))
}

/// One request of a batch. HTTP refusals cannot be told apart there, so they become JSON-RPC errors.
async fn batched(context: &Context, envelope: &Envelope) -> Option<String> {
    if envelope.method.as_deref() == Some("tools/call")
        && let Err(refusal) = call::admit(&context.service, &context.grant, &envelope.params())
    {
        let error = RpcError::new(-32000, format!("HTTP {}", refusal.status().as_u16()));
        return Some(error.message(envelope.id_text()));
    }
    match method::run(context, envelope, &Outlet::Silent).await {
        Outcome::Message(text) => Some(text),
        Outcome::Nothing => None,
    }
}

/// The standalone stream, or the rest of one that broke.
fn get(service: Arc<Service>, grant: &Grant, headers: &HeaderMap) -> Response {
    if service.era() == Era::Modern || service.options.no_sessions {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if !header_text(headers, "accept")
        .unwrap_or_default()
        .contains("text/event-stream")
    {
        return plain_error(StatusCode::NOT_ACCEPTABLE, "Accept must list text/event-stream");
    }
    let context = match context(&service, grant.clone(), headers) {
        Ok(context) => context,
        Err(refusal) => return *refusal,
    };
    let Some(id) = context.session else {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    };
    let resumed = header_text(headers, "last-event-id").map(parse_event_id);
    let mut state = service.state();
    let Some(session) = state.sessions.get(&id) else {
        return plain_error(StatusCode::NOT_FOUND, "Session not found");
    };
    let (stream, next) = match resumed {
        None => {
            session.close_standalone();
            (session.open_stream(true), 0)
        }
        Some(Some((stream, number))) if session.streams.contains_key(&stream) => (stream, number + 1),
        Some(_) => return plain_error(StatusCode::BAD_REQUEST, "Bad Request: unknown Last-Event-ID"),
    };
    drop(state);
    outlet::kept(service, id, stream, next)
}

/// `STREAM-NUMBER`.
fn parse_event_id(text: &str) -> Option<(u64, u64)> {
    let (stream, number) = text.split_once('-')?;
    Some((stream.parse().ok()?, number.parse().ok()?))
}

fn delete(service: &Arc<Service>, grant: &Grant, headers: &HeaderMap) -> Response {
    if service.options.no_sessions || service.era() == Era::Modern {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    match context(service, grant.clone(), headers) {
        Ok(Context {
            session: Some(id), ..
        }) => {
            service.state().sessions.remove(&id);
            Body::empty().into_response()
        }
        Ok(_) => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        Err(refusal) => *refusal,
    }
}

/// Whether this is the version that only the stateless era knows.
pub(crate) fn is_modern(version: Option<&str>) -> bool {
    version == Some(MODERN)
}

/// The text of a JSON value that is a string.
pub(crate) fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
