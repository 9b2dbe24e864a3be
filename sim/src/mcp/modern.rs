//! The stateless revision 2026-07-28: no handshake, no sessions; each request says who asks and in which version,
//! and its headers must agree with its body.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::endpoint::{header_text, is_modern, json, rpc_error, text_of};
use super::envelope::{Envelope, RpcError, Shape, notification, result_message};
use super::method::{Context, Outcome};
use super::outlet::{self, Outlet};
use super::{LEGACY, MODERN, call, features};
use crate::look::at;
use crate::oauth::grants::Grant;
use crate::options::{Answers, Era};
use crate::secret;
use crate::service::Service;

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const INFO_KEY: &str = "io.modelcontextprotocol/clientInfo";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER_KEY: &str = "io.modelcontextprotocol/serverInfo";
const SUBSCRIPTION_KEY: &str = "io.modelcontextprotocol/subscriptionId";

const HEADER_MISMATCH: i32 = -32020;
const MISSING_CAPABILITY: i32 = -32021;
const UNSUPPORTED_VERSION: i32 = -32022;

/// Whether a request speaks the stateless revision.
pub(crate) fn is_meant(headers: &HeaderMap, envelope: &Envelope) -> bool {
    is_modern(header_text(headers, "mcp-protocol-version"))
        || !at(&envelope.params(), &["_meta", VERSION_KEY]).is_null()
}

/// The answer of a purely stateless server to a legacy request.
pub(crate) fn unsupported(envelope: &Envelope) -> Response {
    let asked = at(&envelope.params(), &["protocolVersion"]).clone();
    let error = RpcError {
        data: Some(json!({"supported": [MODERN], "requested": asked})),
        ..RpcError::new(UNSUPPORTED_VERSION, "Unsupported protocol version")
    };
    rpc_error(StatusCode::BAD_REQUEST, &error, envelope.id_text())
}

/// Takes one stateless POST.
pub(crate) async fn post(
    service: Arc<Service>,
    grant: Grant,
    headers: &HeaderMap,
    envelope: Envelope,
    shape: Shape,
) -> Response {
    match shape {
        Shape::Notification => return StatusCode::ACCEPTED.into_response(),
        Shape::Response => {
            let error = RpcError::new(-32600, "Invalid Request: a response has no place in this version");
            return rpc_error(StatusCode::BAD_REQUEST, &error, "null");
        }
        Shape::Request => {}
    }
    let params = envelope.params();
    if let Err(error) = check(&service, headers, &envelope, &params) {
        return rpc_error(StatusCode::BAD_REQUEST, &error, envelope.id_text());
    }
    let context = Context {
        service,
        grant,
        session: None,
        version: MODERN,
    };
    match envelope.method.as_deref().unwrap_or_default() {
        "server/discover" => json(
            StatusCode::OK,
            result_message(envelope.id_text(), &discover(&context.service).to_string()),
        ),
        "subscriptions/listen" => listen(&context, &envelope, &params),
        "tools/call" => called(context, envelope, &params).await,
        _ => simple(&context, &envelope, &params),
    }
}

/// Headers and body must say the same (26/http).
fn check(
    service: &Service,
    headers: &HeaderMap,
    envelope: &Envelope,
    params: &Value,
) -> Result<(), RpcError> {
    let meta = at(params, &["_meta"]);
    let Some(version) = at(meta, &[VERSION_KEY]).as_str() else {
        return Err(RpcError::new(
            -32602,
            format!("Invalid params: _meta lacks {VERSION_KEY}"),
        ));
    };
    if version != MODERN {
        let mut supported = vec![MODERN];
        if service.era() == Era::Both {
            supported.extend(LEGACY);
        }
        let data = Some(json!({"supported": supported, "requested": version}));
        return Err(RpcError {
            data,
            ..RpcError::new(UNSUPPORTED_VERSION, "Unsupported protocol version")
        });
    }
    for key in [INFO_KEY, CAPABILITIES_KEY] {
        if !at(meta, &[key]).is_object() {
            return Err(RpcError::new(
                -32602,
                format!("Invalid params: _meta lacks {key}"),
            ));
        }
    }
    let method = envelope.method.as_deref().unwrap_or_default();
    let name = match method {
        "tools/call" | "prompts/get" => Some(text_of(at(params, &["name"]))),
        "resources/read" => Some(text_of(at(params, &["uri"]))),
        _ => None,
    };
    let wanted = [
        ("mcp-protocol-version", Some(version)),
        ("mcp-method", Some(method)),
        ("mcp-name", name),
    ];
    for (header, value) in wanted {
        let Some(value) = value else { continue };
        if header_text(headers, header).and_then(decode).as_deref() != Some(value) {
            return Err(RpcError::new(
                HEADER_MISMATCH,
                format!("Header mismatch: {header} is not {value:?}"),
            ));
        }
    }
    if method == "tools/call" {
        mirrored(service, headers, params)?;
    }
    Ok(())
}

/// Arguments that are wanted in headers must be there, and say the same.
fn mirrored(service: &Service, headers: &HeaderMap, params: &Value) -> Result<(), RpcError> {
    let state = service.state();
    let Some(tool) = call::tool(&state, text_of(at(params, &["name"]))).filter(|_| state.switches.mirrored)
    else {
        return Ok(());
    };
    let definition = features::definition(service, &state, tool);
    for (name, schema) in at(&definition, &["inputSchema", "properties"])
        .as_object()
        .into_iter()
        .flatten()
    {
        let Some(header) = at(schema, &[features::ANNOTATION]).as_str() else {
            continue;
        };
        let wanted = match at(params, &["arguments", name]) {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let header = format!("mcp-param-{}", header.to_ascii_lowercase());
        if header_text(headers, &header).and_then(decode) != wanted {
            let text = format!("Header mismatch: {header} does not repeat the argument {name}");
            return Err(RpcError::new(HEADER_MISMATCH, text));
        }
    }
    Ok(())
}

/// Undoes `=?base64?…?=`.
fn decode(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|v| v.strip_suffix("?=")) {
        None => Some(value.to_owned()),
        Some(inner) => String::from_utf8(STANDARD.decode(inner).ok()?).ok(),
    }
}

fn discover(service: &Service) -> Value {
    let mut versions = vec![MODERN];
    if service.era() == Era::Both {
        versions.extend(LEGACY);
    }
    json!({
        "resultType": "complete",
        "supportedVersions": versions,
        "capabilities": features::capabilities(),
        "instructions": features::INSTRUCTIONS,
        "ttlMs": 60_000,
        "cacheScope": "private",
        "_meta": {SERVER_KEY: features::server_info()},
    })
}

/// What every result has in this revision; lists and reads say how long they are good.
fn complete(mut result: Value, method: &str) -> Value {
    if let Some(members) = result.as_object_mut() {
        members.insert("resultType".into(), json!("complete"));
        if method.ends_with("/list") || method == "resources/read" {
            members.insert("ttlMs".into(), json!(5000));
            members.insert("cacheScope".into(), json!("private"));
        }
    }
    result
}

fn simple(context: &Context, envelope: &Envelope, params: &Value) -> Response {
    let name = envelope.method.as_deref().unwrap_or_default();
    match features::answer(&context.service, &context.grant, name, params) {
        Ok(result) => json(
            StatusCode::OK,
            result_message(envelope.id_text(), &complete(result, name).to_string()),
        ),
        Err(mut error) => {
            // Codes of the legacy range are not used in this revision.
            if error.code == -32002 {
                error.code = -32602;
            }
            let status = if error.code == -32601 {
                StatusCode::NOT_FOUND
            } else {
                StatusCode::OK
            };
            rpc_error(status, &error, envelope.id_text())
        }
    }
}

async fn called(context: Context, envelope: Envelope, params: &Value) -> Response {
    if let Err(refusal) = call::admit(&context.service, &context.grant, params) {
        return *refusal;
    }
    if let Some(response) = question(&context, &envelope, params) {
        return response;
    }
    let token = tokio_util::sync::CancellationToken::new();
    if context.service.options.answers == Answers::Json {
        return match call::run(&context, &envelope, &Outlet::Silent, &token).await {
            Outcome::Message(text) => json(StatusCode::OK, mark_complete(&text)),
            Outcome::Nothing => StatusCode::ACCEPTED.into_response(),
        };
    }
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let outlet = Outlet::Plain(sender.clone());
        // A closed stream is the cancellation of this revision.
        let outcome = tokio::select! {
            outcome = call::run(&context, &envelope, &outlet, &token) => outcome,
            () = sender.closed() => Outcome::Nothing,
        };
        if let Outcome::Message(text) = outcome {
            outlet.send(mark_complete(&text)).await;
        }
    });
    outlet::plain(receiver)
}

/// A call that wants an answer of the client first is answered with the question; the client brings its answer in the next
/// round of the same call (multi-round requests).
fn question(context: &Context, envelope: &Envelope, params: &Value) -> Option<Response> {
    let id = envelope.id_text();
    let bad = |error: &RpcError| Some(rpc_error(StatusCode::BAD_REQUEST, error, id));
    let mut state = context.service.state();
    let tool = call::tool(&state, text_of(at(params, &["name"])))?;
    let round = at(params, &["requestState"]);
    if !round.is_null() {
        let known = state.faults.rounds.remove(text_of(round)).as_deref() == Some(tool.name);
        return if known {
            None
        } else {
            bad(&RpcError::new(-32602, "Invalid params: unknown requestState"))
        };
    }
    let kind = state.faults.take_question_of(tool)?.kind;
    let able = at(params, &["_meta", CAPABILITIES_KEY, &kind]);
    if !able.is_object() {
        let error = RpcError::new(MISSING_CAPABILITY, "Missing required client capability");
        let data = Some(json!({"requiredCapabilities": {kind: {}}}));
        return bad(&RpcError { data, ..error });
    }
    let (method, asked) = call::question(&kind);
    let round = secret::random("round-").ok()?;
    state.faults.rounds.insert(round.clone(), tool.name.to_owned());
    let result = json!({
        "resultType": "input_required",
        "inputRequests": {"session": {"method": method, "params": asked}},
        "requestState": round,
    });
    Some(json(StatusCode::OK, result_message(id, &result.to_string())))
}

/// Adds `resultType` to a response message without touching the rest of its bytes, unless it has one.
fn mark_complete(message: &str) -> String {
    if message.contains(r#""result":{"resultType""#) {
        return message.to_owned();
    }
    message.replacen(r#""result":{"#, r#""result":{"resultType":"complete","#, 1)
}

/// A subscription: acknowledged first, then the changes that were asked for, each with the id of the request.
fn listen(context: &Context, envelope: &Envelope, params: &Value) -> Response {
    let (sender, receiver) = mpsc::channel(64);
    let id: Value = serde_json::from_str(envelope.id_text()).unwrap_or(Value::Null);
    let wanted = at(params, &["notifications"]).clone();
    let tag = json!({SUBSCRIPTION_KEY: id});
    let acknowledged = notification(
        "notifications/subscriptions/acknowledged",
        &json!({"notifications": wanted, "_meta": tag}),
    );
    let mut state = context.service.state();
    state.listeners.retain(|l| !l.sender.is_closed());
    // The channel is new and has room.
    let _ = sender.try_send(acknowledged);
    state.listeners.push(Listener { sender, wanted, tag });
    drop(state);
    outlet::plain(receiver)
}

/// An open `subscriptions/listen`.
#[derive(Debug)]
pub(crate) struct Listener {
    sender: mpsc::Sender<String>,
    wanted: Value,
    tag: Value,
}

impl Listener {
    pub(crate) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Tells of a changed list, if that was asked for.
    pub(crate) fn tools_changed(&self) -> bool {
        at(&self.wanted, &["toolsListChanged"]).as_bool() == Some(true)
            && self
                .sender
                .try_send(notification(
                    "notifications/tools/list_changed",
                    &json!({"_meta": self.tag}),
                ))
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_ascii_are_wrapped() {
        assert_eq!(decode("GetQuote").as_deref(), Some("GetQuote"));
        assert_eq!(decode("=?base64?w6k=?=").as_deref(), Some("é"));
        assert_eq!(decode("=?base64?!?="), None);
    }

    #[test]
    fn a_result_is_marked_once() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"a":{"result":{}}}}"#;
        assert_eq!(
            mark_complete(text),
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","a":{"result":{}}}}"#
        );
    }
}
