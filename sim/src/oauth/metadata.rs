//! The two metadata documents: the protected resource (RFC 9728) and the authorization server (RFC 8414).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{READ, TRADE};
use crate::service::Service;

/// `GET /.well-known/oauth-protected-resource`
pub(crate) async fn protected_resource(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({
        "resource": service.endpoint,
        "resource_name": "CrossTrade MCP (simulator)",
        "authorization_servers": [service.issuer],
        "bearer_methods_supported": ["header"],
        "scopes_supported": [READ, TRADE],
    }))
}

/// `GET /.well-known/oauth-authorization-server`
pub(crate) async fn authorization_server(State(service): State<Arc<Service>>) -> Json<Value> {
    let issuer = &service.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/v1/oauth/mcp/authorize"),
        "token_endpoint": format!("{issuer}/v1/oauth/mcp/token"),
        "registration_endpoint": format!("{issuer}/v1/oauth/mcp/register"),
        "revocation_endpoint": format!("{issuer}/v1/oauth/mcp/revoke"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": [READ, TRADE],
        "authorization_response_iss_parameter_supported": true,
    }))
}
