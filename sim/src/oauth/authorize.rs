//! The authorization endpoint: checks the request, asks the person, sends them back (RFC 6749 section 4.1.1).

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use url::Url;

use super::grants::Asked;
use super::{READ, TRADE, USERS, page};
use crate::clock;
use crate::service::Service;

type Parameters = HashMap<String, String>;

/// `GET /v1/oauth/mcp/authorize`
pub(crate) async fn ask(State(service): State<Arc<Service>>, Query(query): Query<Parameters>) -> Response {
    let client_id = query.get("client_id").map_or("", String::as_str);
    let Some(client) = service.state().grants.client(client_id).cloned() else {
        return refuse_page("This program is not registered here. Its registration may have been deleted.");
    };
    let redirect_uri = query.get("redirect_uri").cloned().unwrap_or_default();
    if !client.redirect_uris.contains(&redirect_uri) {
        return refuse_page("The address to return to is not one that this program registered.");
    }
    let state = query.get("state").cloned();
    let asked = match check(&service, &query, client_id, redirect_uri.clone(), state.clone()) {
        Ok(asked) => asked,
        Err((code, text)) => {
            return send_back(
                &service,
                &redirect_uri,
                state.as_deref(),
                &[("error", code), ("error_description", text)],
            );
        }
    };
    if service.options.auto_consent {
        return consent_alone(&service, asked);
    }
    let user = service.state().consent.user.clone();
    let (scope, now) = (asked.scope.clone(), clock::now_ms());
    match service.state().grants.ask(asked, now) {
        Ok(name) => {
            secured(Html(page::consent(&client.name, &redirect_uri, &scope, &user, &name)).into_response())
        }
        Err(error) => error.into_response(),
    }
}

fn check(
    service: &Service,
    query: &Parameters,
    client_id: &str,
    redirect_uri: String,
    state: Option<String>,
) -> Result<Asked, (&'static str, &'static str)> {
    let value = |name: &str| query.get(name).map_or("", String::as_str);
    if value("response_type") != "code" {
        return Err(("unsupported_response_type", "the only response type is code"));
    }
    if value("code_challenge").is_empty() || value("code_challenge_method") != "S256" {
        return Err(("invalid_request", "PKCE with S256 is required"));
    }
    let scope = match value("scope") {
        "" | READ => READ,
        TRADE => TRADE,
        _ => return Err(("invalid_scope", "one of mcp:read and mcp:trade")),
    };
    let resource = query
        .get("resource")
        .cloned()
        .unwrap_or_else(|| service.endpoint.clone());
    if resource != service.endpoint {
        return Err((
            "invalid_target",
            "this server issues tokens for its own MCP endpoint only",
        ));
    }
    Ok(Asked {
        client_id: client_id.to_owned(),
        redirect_uri,
        state,
        scope: scope.to_owned(),
        challenge: value("code_challenge").to_owned(),
        resource,
        since_ms: clock::now_ms(),
    })
}

fn consent_alone(service: &Service, asked: Asked) -> Response {
    let consent = service.state().consent.clone();
    if consent.deny {
        return denied(service, &asked);
    }
    let scope = consent.scope.unwrap_or_else(|| asked.scope.clone());
    allowed(service, asked, &consent.user, &scope)
}

/// What the form of the consent page sends.
#[derive(Debug, Deserialize)]
pub(crate) struct Decision {
    request: String,
    user: String,
    scope: String,
    #[serde(rename = "decision")]
    answer: String,
}

/// `POST /v1/oauth/mcp/authorize`
pub(crate) async fn decide(State(service): State<Arc<Service>>, Form(form): Form<Decision>) -> Response {
    let Some(asked) = service.state().grants.decide(&form.request) else {
        return refuse_page(
            "This sign-in has been decided already, or it waited too long. Start it again from the program.",
        );
    };
    let known = USERS.contains(&form.user.as_str()) && matches!(form.scope.as_str(), READ | TRADE);
    if form.answer == "allow" && known {
        allowed(&service, asked, &form.user, &form.scope)
    } else {
        denied(&service, &asked)
    }
}

fn allowed(service: &Service, asked: Asked, user: &str, scope: &str) -> Response {
    let (redirect, state) = (asked.redirect_uri.clone(), asked.state.clone());
    let code = service.state().grants.code(asked, user, scope, clock::now_ms());
    match code {
        Ok(code) => send_back(service, &redirect, state.as_deref(), &[("code", &code)]),
        Err(error) => error.into_response(),
    }
}

fn denied(service: &Service, asked: &Asked) -> Response {
    let pairs = [
        ("error", "access_denied"),
        ("error_description", "The user denied access"),
    ];
    send_back(service, &asked.redirect_uri, asked.state.as_deref(), &pairs)
}

/// Back to the client with `state` and `iss` (RFC 9207), on errors too.
fn send_back(service: &Service, redirect: &str, state: Option<&str>, pairs: &[(&str, &str)]) -> Response {
    let Ok(mut url) = Url::parse(redirect) else {
        return refuse_page("The address to return to is no URL.");
    };
    url.query_pairs_mut()
        .extend_pairs(pairs)
        .extend_pairs(state.map(|s| ("state", s)))
        .append_pair("iss", &service.issuer);
    let mut response = StatusCode::FOUND.into_response();
    if let Ok(value) = url.as_str().parse() {
        response.headers_mut().insert(header::LOCATION, value);
    }
    secured(response)
}

fn refuse_page(text: &str) -> Response {
    secured(
        (
            StatusCode::BAD_REQUEST,
            Html(page::plain("Sign-in refused", text)),
        )
            .into_response(),
    )
}

fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    response
}
