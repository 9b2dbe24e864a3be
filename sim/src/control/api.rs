//! The HTTP side of the control interface. Every answer is JSON; what is not understood is a 400 with the reason.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::fault::{Fault, Kind, Question};
use crate::clock;
use crate::market::instrument::Contract;
use crate::oauth::USERS;
use crate::options::Era;
use crate::service::Service;

type Shared = State<Arc<Service>>;

/// All routes.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(
            "/executed",
            get(async |State(s): Shared| Json(json!(s.state().record.executed()))),
        )
        .route(
            "/requests",
            get(async |State(s): Shared| Json(json!(s.state().record.requests()))),
        )
        .route(
            "/calls",
            get(async |State(s): Shared| Json(json!(s.state().record.calls()))),
        )
        .route("/raw", get(raw))
        .route("/tokens", get(tokens))
        .route("/secrets", get(secrets))
        .route("/status", get(status))
        .route(
            "/fault",
            post(async |State(s): Shared, body: Bytes| with(&body, |f| Ok(fault(&s, f)))),
        )
        .route("/reset", post(reset))
        .route(
            "/quote",
            post(async |State(s): Shared, body: Bytes| with(&body, |q| quote(&s, &q))),
        )
        .route(
            "/position",
            post(async |State(s): Shared, body: Bytes| with(&body, |p| position(&s, &p))),
        )
        .route(
            "/revoke",
            post(async |State(s): Shared, body: Bytes| with(&body, |w| Ok(revoke(&s, &w)))),
        )
        .route(
            "/expire",
            post(async |State(s): Shared, body: Bytes| with(&body, |w| Ok(expire(&s, &w)))),
        )
        .route(
            "/consent",
            post(async |State(s): Shared, body: Bytes| with(&body, |c| consent(&s, c))),
        )
        .route(
            "/plan",
            post(async |State(s): Shared, body: Bytes| with(&body, |p| Ok(plan(&s, &p)))),
        )
        .route(
            "/era",
            post(async |State(s): Shared, body: Bytes| with(&body, |e| Ok(era(&s, &e)))),
        )
        .route(
            "/mirror",
            post(async |State(s): Shared, body: Bytes| with(&body, |m| Ok(mirror(&s, m)))),
        )
        .route("/notify", post(notify))
        .route(
            "/answer",
            post(async |State(s): Shared, body: Bytes| with(&body, |a| Ok(answer(&s, a)))),
        )
        .route(
            "/elicit",
            post(async |State(s): Shared, body: Bytes| with(&body, |q| elicit(&s, q))),
        )
        .with_state(service)
}

/// Reads the body, an empty one as `{}`, and does something with it.
fn with<T: DeserializeOwned>(body: &[u8], act: impl FnOnce(T) -> Result<Value, String>) -> Response {
    let body = if body.is_empty() { b"{}" } else { body };
    let done = serde_json::from_slice(body)
        .map_err(|e| e.to_string())
        .and_then(act);
    match done {
        Ok(value) => Json(value).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response(),
    }
}

#[derive(Debug, Deserialize)]
struct Last {
    n: Option<usize>,
}

async fn raw(State(service): Shared, Query(last): Query<Last>) -> Json<Value> {
    Json(service.state().record.last_raw(last.n.unwrap_or(100)))
}

async fn tokens(State(service): Shared) -> Json<Value> {
    let state = service.state();
    let grants: Vec<Value> = state
        .grants
        .all()
        .iter()
        .map(|g| {
            json!({
                "client_name": g.client_name, "user": g.user, "scope": g.scope, "resource": g.resource,
                "revoked": g.revoked, "created_at": clock::rfc3339(g.created_ms), "last_activity": clock::rfc3339(g.used_ms),
            })
        })
        .collect();
    let mut counts = json!(state.grants.counts);
    if let Some(members) = counts.as_object_mut() {
        members.insert("grants".into(), json!(grants));
    }
    Json(counts)
}

async fn secrets(State(service): Shared) -> Json<Value> {
    let all = service.state().grants.secrets();
    Json(
        all.iter()
            .map(|(kind, secret)| json!({"kind": kind, "secret": secret}))
            .collect(),
    )
}

async fn status(State(service): Shared) -> Json<Value> {
    let mut state = service.state();
    let streams: usize = state
        .sessions
        .all()
        .map(|s| s.streams.values().filter(|x| x.standalone && !x.done).count())
        .sum();
    let capabilities: Vec<Value> = state.sessions.all().map(|s| json!({"id": crate::secret::stub(&s.id), "version": s.version, "capabilities": s.capabilities, "log_level": s.log_level})).collect();
    Json(json!({
        "sessions": state.sessions.count(),
        "open_get_streams": streams,
        "listeners": state.listeners.iter().filter(|l| l.is_open()).count(),
        "session_list": capabilities,
        "connections": state.record.connections,
        "addon": state.switches.addon,
        "elite": state.switches.elite,
        "frozen": state.market.quotes.frozen,
    }))
}

async fn reset(State(service): Shared) -> Json<Value> {
    service.reset();
    Json(json!({"ok": true}))
}

fn fault(service: &Service, fault: Fault) -> Value {
    let mut state = service.state();
    match fault.kind {
        Kind::SessionLost => return json!({"ok": true, "sessions": state.sessions.forget()}),
        Kind::AddonDown => state.switches.addon = false,
        Kind::AddonUp => state.switches.addon = true,
        Kind::LagOrders => {
            state.switches.orders_lag_ms = u64::try_from(fault.pause().as_millis()).unwrap_or(u64::MAX);
        }
        Kind::Refuse => state.faults.refuse = fault.times,
        Kind::CloseStreams => state
            .sessions
            .all()
            .for_each(super::super::mcp::session::Session::close_standalone),
        Kind::SchemaChange | Kind::NewTool => {
            if fault.kind == Kind::NewTool {
                state.switches.new_tool = true;
            } else {
                state.switches.changed_schema = true;
            }
            drop(state);
            return json!({"ok": true, "told": service.tools_changed()});
        }
        _ => state.faults.add(fault),
    }
    json!({"ok": true})
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quote {
    instrument: Option<String>,
    last: Option<f64>,
    #[serde(default)]
    spread_ticks: Option<i32>,
    freeze: Option<bool>,
}

fn quote(service: &Service, quote: &Quote) -> Result<Value, String> {
    let mut state = service.state();
    let now = clock::now_ms();
    if let Some(freeze) = quote.freeze {
        state.market.advance(now);
        state.market.quotes.frozen = freeze;
    }
    if let (Some(instrument), Some(last)) = (&quote.instrument, quote.last) {
        let contract = Contract::parse(instrument).ok_or("no such instrument")?;
        let ticks = contract.ticks(last).ok_or("last is not on the tick grid")?;
        state
            .market
            .quotes
            .set(contract, ticks, quote.spread_ticks.unwrap_or(1), now);
        state.market.match_all(now);
        state.market.advance(now);
    }
    Ok(json!({"ok": true, "frozen": state.market.quotes.frozen}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    account: String,
    instrument: String,
    /// Positive is long, 0 is flat.
    quantity: i32,
}

fn position(service: &Service, position: &Position) -> Result<Value, String> {
    let contract = Contract::parse(&position.instrument).ok_or("no such instrument")?;
    let set =
        service
            .state()
            .market
            .set_position(&position.account, contract, position.quantity, clock::now_ms());
    if set {
        Ok(json!({"ok": true}))
    } else {
        Err("no such account".into())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    scope: Option<String>,
    #[serde(default)]
    user: Option<String>,
    /// Forget the registrations too.
    #[serde(default)]
    clients: bool,
}

fn revoke(service: &Service, which: &Which) -> Value {
    let mut state = service.state();
    let same = |wanted: &Option<String>, real: &str| wanted.as_deref().is_none_or(|w| w == real);
    let count = state
        .grants
        .revoke_by_person(|g| same(&which.scope, &g.scope) && same(&which.user, &g.user));
    if which.clients {
        state.grants.forget_clients();
    }
    json!({"revoked": count})
}

fn expire(service: &Service, which: &Which) -> Value {
    let count = service
        .state()
        .grants
        .expire(which.scope.as_deref(), clock::now_ms());
    json!({"expired": count})
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewConsent {
    user: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    deny: bool,
}

fn consent(service: &Service, new: NewConsent) -> Result<Value, String> {
    let mut state = service.state();
    if let Some(user) = new.user {
        if !USERS.contains(&user.as_str()) {
            return Err(format!("the users are {}", USERS.join(" and ")));
        }
        state.consent.user = user;
    }
    state.consent.scope = new.scope;
    state.consent.deny = new.deny;
    Ok(json!({"ok": true}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    plan: String,
}

fn plan(service: &Service, plan: &Plan) -> Value {
    service.state().switches.elite = plan.plan == "elite";
    json!({"elite": plan.plan == "elite"})
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moved {
    era: Era,
}

fn era(service: &Service, moved: &Moved) -> Value {
    service.move_to(moved.era);
    json!({"ok": true})
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mirror {
    #[serde(default)]
    on: bool,
    #[serde(default)]
    unsound: Option<String>,
    /// Tell nobody.
    #[serde(default)]
    quietly: bool,
}

/// Changes the definitions, and tells of it unless that was not wanted.
fn mirror(service: &Service, mirror: Mirror) -> Value {
    let mut state = service.state();
    state.switches.mirrored = mirror.on;
    state.switches.unsound = mirror.unsound;
    drop(state);
    let told = if mirror.quietly {
        0
    } else {
        service.tools_changed()
    };
    json!({"ok": true, "told": told})
}

async fn notify(State(service): Shared, body: Bytes) -> Response {
    let Ok(text) = std::str::from_utf8(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let told = service.state().sessions.broadcast(text);
    Json(json!({"told": told})).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    tool: String,
    result: Box<RawValue>,
}

fn answer(service: &Service, answer: Answer) -> Value {
    service.state().faults.answer(answer.tool, answer.result);
    json!({"ok": true})
}

fn elicit(service: &Service, question: Question) -> Result<Value, String> {
    if !matches!(question.kind.as_str(), "elicitation" | "sampling" | "roots") {
        return Err("kind is elicitation, sampling or roots".into());
    }
    service.state().faults.ask(question);
    Ok(json!({"ok": true}))
}
