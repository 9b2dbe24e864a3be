//! The token endpoint (RFC 6749 section 3.2) and the revocation endpoint (RFC 7009).

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::error::OauthError;
use super::grants::{Exchange, Issued};
use crate::clock;
use crate::service::Service;

type Parameters = HashMap<String, String>;

/// `POST /v1/oauth/mcp/token`
pub(crate) async fn token(State(service): State<Arc<Service>>, Form(form): Form<Parameters>) -> Response {
    match issue(&service, &form) {
        Ok(issued) => answer(&service, &issued),
        Err(error) => error.into_response(),
    }
}

fn issue(service: &Service, form: &Parameters) -> Result<Issued, OauthError> {
    let (rules, now) = (service.rules(), clock::now_ms());
    let client_id = needed(form, "client_id")?;
    if service.state().grants.client(client_id).is_none() {
        let status = StatusCode::UNAUTHORIZED;
        return Err(OauthError {
            status,
            ..OauthError::bad("invalid_client", "the client is not registered")
        });
    }
    let resource = form.get("resource").map(String::as_str);
    if resource.is_some_and(|r| r != service.endpoint) {
        return Err(OauthError::bad(
            "invalid_target",
            "this server issues tokens for its own MCP endpoint only",
        ));
    }
    match needed(form, "grant_type")? {
        "authorization_code" => {
            let exchange = Exchange {
                code: needed(form, "code")?,
                client_id,
                redirect_uri: needed(form, "redirect_uri")?,
                verifier: needed(form, "code_verifier")?,
                resource,
            };
            service.state().grants.exchange(&exchange, rules, now)
        }
        "refresh_token" => {
            let token = needed(form, "refresh_token")?;
            let scope = form.get("scope").map(String::as_str);
            service
                .state()
                .grants
                .refresh(token, client_id, scope, rules, now)
        }
        _ => Err(OauthError::bad(
            "unsupported_grant_type",
            "authorization_code or refresh_token",
        )),
    }
}

fn needed<'a>(form: &'a Parameters, name: &str) -> Result<&'a str, OauthError> {
    form.get(name)
        .map(String::as_str)
        .ok_or_else(|| OauthError::bad("invalid_request", format!("{name} is missing")))
}

fn answer(service: &Service, issued: &Issued) -> Response {
    let mut body = json!({
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": service.options.access_seconds,
        "refresh_token": issued.refresh,
    });
    if !service.options.omit_scope
        && let Some(members) = body.as_object_mut()
    {
        members.insert("scope".to_owned(), json!(issued.scope));
    }
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// `POST /v1/oauth/mcp/revoke`
pub(crate) async fn revoke(State(service): State<Arc<Service>>, Form(form): Form<Parameters>) -> Response {
    let Some(token) = form.get("token") else {
        return OauthError::bad("invalid_request", "token is missing").into_response();
    };
    service
        .state()
        .grants
        .revoke_token(token, form.get("client_id").map(String::as_str));
    StatusCode::OK.into_response()
}
