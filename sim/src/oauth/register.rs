//! Dynamic client registration (RFC 7591).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use url::{Host, Url};

use super::error::OauthError;
use super::{READ, TRADE};
use crate::clock;
use crate::service::Service;

const MAX_REDIRECTS: usize = 20;
const MAX_NAME_CHARS: usize = 200;

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    client_name: Option<String>,
    redirect_uris: Vec<String>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
    #[serde(default)]
    grant_types: Option<Vec<String>>,
    #[serde(default)]
    response_types: Option<Vec<String>>,
    #[serde(default)]
    application_type: Option<String>,
    #[serde(default)]
    scope: Option<String>,
}

/// `POST /v1/oauth/mcp/register`
pub(crate) async fn register(State(service): State<Arc<Service>>, body: Bytes) -> Response {
    answer(&service, &body).unwrap_or_else(IntoResponse::into_response)
}

fn answer(service: &Service, body: &[u8]) -> Result<Response, OauthError> {
    let metadata: Metadata = serde_json::from_slice(body)
        .map_err(|e| OauthError::bad("invalid_client_metadata", format!("not client metadata: {e}")))?;
    check(&metadata)?;
    let name = metadata
        .client_name
        .unwrap_or_else(|| "unnamed client".to_owned());
    let rules = service.rules();
    let client = service
        .state()
        .grants
        .register(name, metadata.redirect_uris, rules, clock::now_ms())?;
    let answer = json!({
        "client_id": client.id,
        "client_id_issued_at": client.issued_ms / 1000,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "application_type": metadata.application_type.as_deref().unwrap_or("native"),
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": metadata.scope.unwrap_or_else(|| format!("{READ} {TRADE}")),
    });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

fn check(metadata: &Metadata) -> Result<(), OauthError> {
    let bad = |text: String| Err(OauthError::bad("invalid_client_metadata", text));
    if metadata
        .client_name
        .as_ref()
        .is_some_and(|n| n.chars().count() > MAX_NAME_CHARS)
    {
        return bad(format!("client_name is longer than {MAX_NAME_CHARS} characters"));
    }
    if metadata
        .token_endpoint_auth_method
        .as_deref()
        .is_some_and(|m| m != "none")
    {
        return bad("token_endpoint_auth_method must be none".to_owned());
    }
    if let Some(grants) = &metadata.grant_types
        && let Some(odd) = grants
            .iter()
            .find(|g| !matches!(g.as_str(), "authorization_code" | "refresh_token"))
    {
        return bad(format!("grant type {odd:?} is not supported"));
    }
    if metadata
        .response_types
        .as_ref()
        .is_some_and(|types| types.iter().any(|t| t != "code"))
    {
        return bad("the only response type is code".to_owned());
    }
    if metadata.redirect_uris.is_empty() || metadata.redirect_uris.len() > MAX_REDIRECTS {
        return Err(OauthError::bad(
            "invalid_redirect_uri",
            format!("1 to {MAX_REDIRECTS} redirect_uris are needed"),
        ));
    }
    let web = metadata.application_type.as_deref() == Some("web");
    metadata
        .redirect_uris
        .iter()
        .try_for_each(|uri| check_redirect(uri, web))
}

/// HTTPS anywhere, plain HTTP on the loopback only (RFC 8252 section 7.3), or a private scheme (section 7.1).
fn check_redirect(uri: &str, web: bool) -> Result<(), OauthError> {
    let refuse = |why: &str| Err(OauthError::bad("invalid_redirect_uri", format!("{uri:?}: {why}")));
    let Ok(url) = Url::parse(uri) else {
        return refuse("not a URL");
    };
    if url.fragment().is_some() {
        return refuse("a fragment is not allowed");
    }
    match url.scheme() {
        "http" if web => refuse("a web client needs https"),
        "http" if is_loopback(&url) => Ok(()),
        "http" => refuse("plain http is for the loopback only"),
        "javascript" | "data" | "file" | "about" | "vbscript" => refuse("this scheme is not allowed"),
        _ => Ok(()),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects() {
        for good in [
            "http://127.0.0.1:33418/callback",
            "http://localhost:1/",
            "http://[::1]:9/cb",
            "cursor://x/cb",
            "https://a.example/cb",
        ] {
            assert!(check_redirect(good, false).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example/cb",
            "javascript:alert(1)",
            "http://127.0.0.1/#x",
            "nothing",
        ] {
            assert!(check_redirect(bad, false).is_err(), "{bad}");
        }
        assert!(check_redirect("http://127.0.0.1:1/", true).is_err());
    }
}
