//! The methods of the protocol, for all revisions.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::endpoint::text_of;
use super::envelope::{Envelope, RpcError, result_message};
use super::outlet::Outlet;
use super::{call, features};
use crate::look::at;
use crate::oauth::grants::Grant;
use crate::service::Service;

/// For whom a request runs.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) service: Arc<Service>,
    pub(crate) grant: Grant,
    /// `None` where there are no sessions.
    pub(crate) session: Option<String>,
    pub(crate) version: &'static str,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The response message.
    Message(String),
    /// It was cancelled.
    Nothing,
}

const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];

impl Context {
    fn ready(&self) -> bool {
        let Some(id) = &self.session else { return true };
        self.service
            .state()
            .sessions
            .get(id)
            .is_some_and(|s| s.initialized)
    }
}

/// Answers one request.
pub(crate) async fn run(context: &Context, envelope: &Envelope, outlet: &Outlet) -> Outcome {
    let id = envelope.id_text();
    let name = envelope.method.as_deref().unwrap_or_default();
    let early = matches!(name, "initialize" | "ping");
    if !early && !context.ready() {
        let error = RpcError::new(
            -32600,
            "Invalid Request: notifications/initialized has not been received",
        );
        return Outcome::Message(error.message(id));
    }
    if name == "tools/call" {
        return cancellable(context, envelope, outlet).await;
    }
    let answered = simple(context, name, &envelope.params());
    Outcome::Message(match answered {
        Ok(result) => result_message(id, &result.to_string()),
        Err(error) => error.message(id),
    })
}

async fn cancellable(context: &Context, envelope: &Envelope, outlet: &Outlet) -> Outcome {
    let token = CancellationToken::new();
    let id = envelope.id_text().to_owned();
    let running = |insert: bool| {
        let Some(session) = &context.session else { return };
        if let Some(session) = context.service.state().sessions.get(session) {
            if insert {
                session.running.insert(id.clone(), token.clone());
            } else {
                session.running.remove(&id);
            }
        }
    };
    running(true);
    let outcome = call::run(context, envelope, outlet, &token).await;
    running(false);
    outcome
}

/// Methods that are answered at once.
fn simple(context: &Context, name: &str, params: &Value) -> Result<Value, RpcError> {
    match name {
        "initialize" => Ok(features::initialize(context.version)),
        "ping" => Ok(json!({})),
        "logging/setLevel" => set_level(context, params),
        "resources/subscribe" => subscribe(context, params, true),
        "resources/unsubscribe" => subscribe(context, params, false),
        _ => features::answer(&context.service, &context.grant, name, params),
    }
}

fn set_level(context: &Context, params: &Value) -> Result<Value, RpcError> {
    let level = text_of(at(params, &["level"]));
    if !LEVELS.contains(&level) {
        return Err(RpcError::new(
            -32602,
            format!("Invalid params: unknown level {level:?}"),
        ));
    }
    if let Some(id) = &context.session
        && let Some(session) = context.service.state().sessions.get(id)
    {
        session.log_level = Some(level.to_owned());
    }
    Ok(json!({}))
}

fn subscribe(context: &Context, params: &Value, on: bool) -> Result<Value, RpcError> {
    let uri = text_of(at(params, &["uri"]));
    if !features::is_resource(uri) {
        return Err(RpcError {
            data: Some(json!({"uri": uri})),
            ..RpcError::new(-32002, "Resource not found")
        });
    }
    if let Some(id) = &context.session
        && let Some(session) = context.service.state().sessions.get(id)
    {
        if on {
            session.subscriptions.insert(uri.to_owned());
        } else {
            session.subscriptions.remove(uri);
        }
    }
    Ok(json!({}))
}

/// Whether a session with this level hears messages of `level`.
pub(crate) fn hears(session: Option<&str>, level: &str) -> bool {
    let rank = |l: &str| LEVELS.iter().position(|x| *x == l);
    session.is_some_and(|wanted| rank(level) >= rank(wanted))
}

#[derive(Debug, Deserialize)]
struct Cancelled {
    #[serde(rename = "requestId")]
    request_id: Box<RawValue>,
}

/// Takes a notification.
pub(crate) fn notified(context: &Context, envelope: &Envelope) {
    let Some(id) = &context.session else { return };
    let mut state = context.service.state();
    let Some(session) = state.sessions.get(id) else {
        return;
    };
    match envelope.method.as_deref() {
        Some("notifications/initialized") => session.initialized = true,
        Some("notifications/cancelled") => {
            let cancelled = envelope
                .params
                .as_ref()
                .and_then(|p| serde_json::from_str::<Cancelled>(p.get()).ok());
            if let Some(token) = cancelled.and_then(|c| session.running.get(c.request_id.get())) {
                token.cancel();
            }
        }
        _ => {}
    }
}

/// Takes the client's answer to a request of ours.
pub(crate) fn answered(context: &Context, envelope: &Envelope) {
    let Some(id) = &context.session else { return };
    let mut state = context.service.state();
    let waiting = state
        .sessions
        .get(id)
        .and_then(|s| s.waiting.remove(envelope.id_text()));
    if let (Some(waiting), Some(outcome)) = (waiting, envelope.outcome()) {
        // The call that asked may be gone.
        let _ = waiting.send(outcome);
    }
}
