//! `tools/call`: admission by plan, scope and add-on, and the run of one call with progress, questions and record.

use std::time::Duration;

use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::endpoint::text_of;
use super::envelope::{Envelope, RpcError, notification, result_message};
use super::method::{Context, Outcome, hears};
use super::outlet::Outlet;
use crate::control::fault::Seen;
use crate::control::record::Execution;
use crate::look::at;
use crate::market::Refusal;
use crate::oauth::TRADE;
use crate::oauth::grants::Grant;
use crate::service::{Service, State};
use crate::tools::args::Args;
use crate::tools::catalogue::{self, Backing, NEW_TOOL, Scope, Tool};
use crate::tools::{self, Caller};
use crate::{clock, faulty};

/// How long a client may think about a question of ours.
const QUESTION_LIMIT: Duration = Duration::from_secs(120);
/// Between two progress messages.
const STEP: Duration = Duration::from_millis(100);
/// The argument that `PlaceOrder` has after a change of its schema.
pub(crate) const EXTRA_ARGUMENT: &str = "routing";

/// The tool of this name as the service is now.
pub(crate) fn tool(state: &State, name: &str) -> Option<&'static Tool> {
    let added = (state.switches.new_tool && name == NEW_TOOL.name).then_some(&NEW_TOOL);
    catalogue::find(name).or(added)
}

/// The additional argument of a tool, if its schema has changed.
pub(crate) fn extra(state: &State, name: &str) -> Option<&'static str> {
    (state.switches.changed_schema && name == "PlaceOrder").then_some(EXTRA_ARGUMENT)
}

/// What is refused on the level of HTTP: the plan, the scope, the add-on.
pub(crate) fn admit(service: &Service, grant: &Grant, params: &Value) -> Result<(), Box<Response>> {
    let state = service.state();
    if !state.switches.elite {
        return Err(Box::new(faulty::subscription()));
    }
    let Some(tool) = tool(&state, text_of(at(params, &["name"]))) else {
        return Ok(());
    };
    if tool.scope == Scope::Trade && grant.scope != TRADE {
        return Err(Box::new(faulty::insufficient_scope(service)));
    }
    if tool.backing == Backing::Addon && !state.switches.addon {
        return Err(Box::new(faulty::addon_disconnected()));
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Params {
    name: String,
    #[serde(default)]
    arguments: Option<Box<RawValue>>,
    #[serde(default, rename = "_meta")]
    meta: Value,
    /// What the client answered in an earlier round (2026-07-28).
    #[serde(default, rename = "inputResponses")]
    answered: Option<Value>,
}

/// Runs one call.
pub(crate) async fn run(
    context: &Context,
    envelope: &Envelope,
    outlet: &Outlet,
    token: &CancellationToken,
) -> Outcome {
    let id = envelope.id_text();
    let read = envelope
        .params
        .as_ref()
        .map(|p| serde_json::from_str::<Params>(p.get()));
    let Some(Ok(params)) = read else {
        return Outcome::Message(RpcError::new(-32602, "Invalid params: name is missing").message(id));
    };
    let found = tool(&context.service.state(), &params.name);
    let Some(tool) = found else {
        let text = format!("Unknown tool: {}", params.name);
        return Outcome::Message(RpcError::new(-32602, text).message(id));
    };
    if !work(context, &params, outlet, token).await {
        return Outcome::Nothing;
    }
    let said = match &params.answered {
        Some(answered) if context.session.is_none() => Some(answered.clone()),
        _ => ask(context, tool, outlet).await,
    };
    let result = execute(context, tool, &params, said);
    tell(context, tool, outlet).await;
    Outcome::Message(result_message(id, &result))
}

/// The work of a slow tool, where one was ordered; false when it was cancelled.
async fn work(context: &Context, params: &Params, outlet: &Outlet, token: &CancellationToken) -> bool {
    let seen = Seen {
        path: crate::ENDPOINT_PATH.to_owned(),
        http: "POST".to_owned(),
        method: "tools/call".to_owned(),
        tool: Some(params.name.clone()),
        scope: Some(context.grant.scope.clone()),
    };
    let Some(fault) = context.service.state().faults.take(&seen, true) else {
        return true;
    };
    let end = Instant::now() + fault.pause();
    let progress_token = at(&params.meta, &["progressToken"]);
    let mut steps = 0_u64;
    while Instant::now() < end {
        tokio::select! {
            () = token.cancelled() => return false,
            () = sleep(STEP) => {}
        }
        steps += 1;
        if !progress_token.is_null() {
            let params = json!({"progressToken": progress_token, "progress": steps, "message": "working"});
            outlet.send(notification("notifications/progress", &params)).await;
        }
    }
    true
}

/// Asks the client something before a read tool answers, where that was ordered.
async fn ask(context: &Context, tool: &Tool, outlet: &Outlet) -> Option<Value> {
    let session = context.session.as_ref()?;
    let asked = context.service.state().faults.take_question_of(tool)?;
    let (method, params) = question(&asked.kind);
    let (sender, receiver) = oneshot::channel();
    let id = {
        let mut state = context.service.state();
        let session = state.sessions.get(session)?;
        let id = session.request_id();
        session.waiting.insert(id.clone(), sender);
        id
    };
    outlet
        .send(format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#
        ))
        .await;
    let answer = timeout(QUESTION_LIMIT, receiver).await.ok()?.ok()?;
    serde_json::from_str(answer.get()).ok()
}

/// The request to the client for a question of this kind.
pub(crate) fn question(kind: &str) -> (&'static str, Value) {
    match kind {
        "sampling" => (
            "sampling/createMessage",
            json!({"messages": [{"role": "user", "content": {"type": "text", "text": "Say whether the market is calm."}}], "maxTokens": 50}),
        ),
        "roots" => ("roots/list", json!({})),
        _ => (
            "elicitation/create",
            json!({
                "message": "Which session do you mean?",
                "requestedSchema": {"type": "object", "properties": {"session": {"type": "string", "enum": ["RTH", "ETH"]}}, "required": ["session"]},
            }),
        ),
    }
}

/// Runs the tool and records it; the text of the result.
fn execute(context: &Context, tool: &'static Tool, params: &Params, said: Option<Value>) -> String {
    let service = &context.service;
    let mut state = service.state();
    let canned = state.faults.take_answer(tool.name);
    let arguments = params.arguments.as_ref().map_or("{}", |a| a.get());
    let caller = Caller {
        user: context.grant.user.clone(),
        scope: context.grant.scope.clone(),
        now: clock::now_ms(),
        vocabulary: service.options.vocabulary,
        reach: service.options.bulk_reach,
    };
    let value = serde_json::from_str(arguments).unwrap_or(Value::Null);
    let extra = extra(&state, tool.name);
    let args = match Args::read(tool, caller.vocabulary, extra, &value) {
        Ok(args) => args,
        // It never reached the tool, so it is not an execution.
        Err(refusal) => return shape(service, Err(refusal), said),
    };
    let changes = tool.scope == Scope::Trade
        || args.flag("sync_first") == Some(true)
        || args.flag("deep") == Some(true);
    let result = match &canned {
        Some(_) => Ok(Value::Null),
        None => tools::run(&mut state, &caller, tool.name, &args),
    };
    if changes {
        let outcome = result.as_ref().map_or_else(|refusal| refusal.code, |_| "ok");
        state
            .record
            .execution(execution(context, tool, arguments, outcome, caller.now));
    }
    drop(state);
    match canned {
        Some(raw) => raw.get().to_owned(),
        None => shape(service, result, said),
    }
}

fn execution(context: &Context, tool: &Tool, arguments: &str, outcome: &str, now: u64) -> Execution {
    let raw = RawValue::from_string(arguments.to_owned());
    Execution {
        tool: tool.name.to_owned(),
        arguments: raw.unwrap_or_else(|_| RawValue::NULL.to_owned()),
        grant: context.grant.scope.clone(),
        client_name: context.grant.client_name.clone(),
        user: context.grant.user.clone(),
        at: clock::rfc3339(now),
        outcome: outcome.to_owned(),
    }
}

/// A `CallToolResult`: the JSON as text and as structured content.
fn shape(service: &Service, result: Result<Value, Refusal>, said: Option<Value>) -> String {
    let failed = result.is_err();
    let value = match result {
        Ok(value) => tools::respell(value, service.options.vocabulary),
        Err(refusal) => json!({"success": false, "error": refusal.code, "detail": refusal.detail}),
    };
    let mut content = vec![json!({"type": "text", "text": value.to_string()})];
    if let Some(said) = said {
        content.push(json!({"type": "text", "text": json!({"client_answered": said}).to_string()}));
    }
    json!({
        "content": content,
        "structuredContent": value,
        "isError": failed && !service.options.plain_tool_errors,
    })
    .to_string()
}

/// After a change: a log message, and word to those who subscribed to what changed.
async fn tell(context: &Context, tool: &Tool, outlet: &Outlet) {
    if tool.scope != Scope::Trade {
        return;
    }
    let Some(id) = &context.session else { return };
    let log = {
        let mut state = context.service.state();
        for session in state.sessions.all().filter(|s| s.user == context.grant.user) {
            for uri in session.subscriptions.clone() {
                session.broadcast(&notification(
                    "notifications/resources/updated",
                    &json!({"uri": uri}),
                ));
            }
        }
        state
            .sessions
            .get(id)
            .is_some_and(|s| hears(s.log_level.as_deref(), "info"))
    };
    if log {
        let data = json!({"level": "info", "logger": "crosstrade", "data": format!("{} was run", tool.name)});
        outlet.send(notification("notifications/message", &data)).await;
    }
}
