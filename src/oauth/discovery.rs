//! From a 401 to the endpoints of the authorization server: RFC 9728, then RFC 8414 or `OpenID` Connect Discovery.
//!
//! Owns: the candidates and their order, the checks of both documents. Refuses to know: registrations and tokens.

use super::endpoint::Endpoint;
use super::error::LoginError;
use super::fetch::{self, Answer, NoAnswer};
use crate::wire::headers::{Challenge, challenges};
use serde_json::{Map, Value};

/// How many authorization servers of a resource are looked at.
const MAX_SERVERS: usize = 8;
/// How many scopes of the metadata are asked for, where the challenge names none.
const MAX_SCOPES: usize = 64;

/// What a 401 said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) resource_metadata: Option<String>,
    pub(super) scope: Option<String>,
    /// The challenge asks for more scope than a token had (RFC 6750 section 3.1).
    pub(super) insufficient_scope: bool,
}

impl Hint {
    /// Reads the value of `WWW-Authenticate`, several challenges included.
    pub(super) fn read(header: &str) -> Self {
        let all = challenges(header);
        let bearers = || all.iter().filter(|challenge| challenge.scheme == "bearer");
        // A gateway may put a bare one before the server's own.
        let bearer: Option<&Challenge> = bearers()
            .find(|challenge| challenge.param("resource_metadata").is_some())
            .or_else(|| bearers().find(|challenge| challenge.param("scope").is_some()))
            .or_else(|| bearers().next());
        let param = |name: &str| {
            let value = bearer?.param(name)?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        Self {
            resource_metadata: param("resource_metadata"),
            scope: param("scope"),
            insufficient_scope: param("error").as_deref() == Some("insufficient_scope"),
        }
    }
}

/// Who is to be let in: what the authorization server must offer depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// A person, in the browser.
    Person,
    /// The client itself.
    Client,
}

/// Where and how to sign in.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// RFC 8707: the string to send as `resource`, as the metadata or the person wrote it.
    pub(super) resource: String,
    /// `scopes_supported` of the resource.
    pub(super) resource_scopes: Vec<String>,
    pub(super) server: Server,
}

/// The metadata of an authorization server, checked.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) registration_endpoint: Option<String>,
    pub(super) revocation_endpoint: Option<String>,
    pub(super) iss_required: bool,
    pub(super) takes_metadata_documents: bool,
    pub(super) auth_methods: Vec<String>,
    pub(super) scopes: Vec<String>,
}

/// Asks the endpoint without a token, so that it says with what to sign in: discovery begins with a 401 and with
/// nothing else.
pub(super) async fn provoke(http: &reqwest::Client, endpoint: &Endpoint) -> Result<String, LoginError> {
    let body = concat!(
        r#"{"jsonrpc":"2.0","id":"countersign-sign-in","method":"initialize","params":{"protocolVersion":"2025-11-25","#,
        r#""capabilities":{},"clientInfo":{"name":"countersign","version":""#,
        env!("CARGO_PKG_VERSION"),
        r#""}}}"#
    );
    let accept = "application/json, text/event-stream";
    let answer = fetch::post_json(http, endpoint, endpoint.url(), accept, body.to_owned())
        .await
        .map_err(|NoAnswer(reason)| LoginError::Network(reason))?;
    match answer.status {
        401 => Ok(joined(&answer)),
        200..=299 => Err(LoginError::NotNeeded),
        403 if answer.mentions(&["subscription"]) => Err(LoginError::WrongPlan),
        status @ (300..=399 | 403 | 404 | 405) => Err(LoginError::NotEnabled(format!("it answers {status}"))),
        status => Err(LoginError::Network(format!("it answers {status}"))),
    }
}

/// All `WWW-Authenticate` values as one (RFC 9110 section 5.3).
fn joined(answer: &Answer) -> String {
    let values = answer.headers.get_all("www-authenticate").iter();
    let texts: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    texts.join(", ")
}

/// Finds the authorization server. `known` is the issuer of an earlier registration: it is taken again where the
/// resource still names it. `legacy` allows the revision 2025-03-26, in which the endpoint's own origin is the server.
pub(super) async fn discover(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    hint: &Hint,
    known: Option<&str>,
    legacy: bool,
    who: For,
) -> Result<Found, LoginError> {
    let Some(resource) = resource_metadata(http, endpoint, hint).await? else {
        return if legacy {
            legacy_server(http, endpoint, who).await
        } else {
            Err(unusable("it publishes no protected-resource metadata"))
        };
    };
    let (identifier, issuers) = judge_resource(endpoint, &resource)?;
    let issuer = known.filter(|known| issuers.iter().any(|issuer| issuer == known));
    let issuer = issuer
        .or_else(|| issuers.first().map(String::as_str))
        .unwrap_or_default();
    let server = server_metadata(http, endpoint, issuer, who).await?;
    let server = server.ok_or_else(|| unusable("the authorization server publishes no metadata"))?;
    Ok(Found {
        resource: identifier,
        resource_scopes: texts(&resource, "scopes_supported", MAX_SCOPES),
        server,
    })
}

/// The authorization servers that the resource names now.
pub(super) async fn issuers(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    hint: &Hint,
) -> Result<Vec<String>, LoginError> {
    let resource = resource_metadata(http, endpoint, hint).await?;
    let resource = resource.ok_or_else(|| unusable("it publishes no protected-resource metadata"))?;
    Ok(judge_resource(endpoint, &resource)?.1)
}

fn unusable(reason: &str) -> LoginError {
    LoginError::Discovery(reason.to_owned())
}

/// The first candidate that answers with a document. Any 4xx leads on to the next one (content networks answer 401
/// and 403 for what is not there), a document that is no JSON too; a 5xx or a dead connection ends it.
async fn first_document(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    candidates: &[String],
) -> Result<Option<Map<String, Value>>, LoginError> {
    for url in candidates {
        let answer = match fetch::get(http, endpoint, url).await {
            Ok(answer) => answer,
            Err(NoAnswer(reason)) => return Err(LoginError::Discovery(reason)),
        };
        match answer.status {
            200 => {
                if let Some(document) = answer.object() {
                    return Ok(Some(document));
                }
            }
            400..=499 => {}
            status => return Err(LoginError::Network(format!("its metadata answers {status}"))),
        }
    }
    Ok(None)
}

async fn resource_metadata(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    hint: &Hint,
) -> Result<Option<Map<String, Value>>, LoginError> {
    let mut candidates = Vec::new();
    if let Some(named) = &hint.resource_metadata {
        let judged = endpoint.judge(named);
        judged
            .map_err(|reason| LoginError::Discovery(format!("its challenge names an address: {reason}")))?;
        candidates.push(named.clone());
    }
    let base = format!("{}/.well-known/oauth-protected-resource", endpoint.origin());
    if !endpoint.path().is_empty() {
        candidates.push(format!("{base}{}", endpoint.path()));
    }
    candidates.push(base);
    candidates.dedup();
    first_document(http, endpoint, &candidates).await
}

/// RFC 9728 section 3.3: the document must be about this endpoint. Returns the identifier and the issuers.
fn judge_resource(
    endpoint: &Endpoint,
    document: &Map<String, Value>,
) -> Result<(String, Vec<String>), LoginError> {
    let identifier = text(document, "resource").unwrap_or_default();
    if !endpoint.is_covered_by(&identifier) {
        return Err(unusable("its metadata is about another address"));
    }
    if identifier != endpoint.url() {
        tracing::info!("the resource identifier is an ancestor of the endpoint");
    }
    let issuers = texts(document, "authorization_servers", MAX_SERVERS);
    for issuer in &issuers {
        let judged = endpoint.judge(issuer);
        judged
            .map_err(|reason| LoginError::Discovery(format!("it names an authorization server: {reason}")))?;
    }
    if issuers.is_empty() {
        return Err(unusable("its metadata names no authorization server"));
    }
    Ok((identifier, issuers))
}

/// RFC 8414 section 3.1 and `OpenID` Connect Discovery section 4, path inserted and path appended.
pub(super) fn server_candidates(issuer: &str) -> Vec<String> {
    let Ok(url) = url::Url::parse(issuer) else {
        return Vec::new();
    };
    let origin = url.origin().ascii_serialization();
    let path = url.path().trim_end_matches('/');
    if path.is_empty() {
        return vec![
            format!("{origin}/.well-known/oauth-authorization-server"),
            format!("{origin}/.well-known/openid-configuration"),
        ];
    }
    vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ]
}

async fn server_metadata(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    issuer: &str,
    who: For,
) -> Result<Option<Server>, LoginError> {
    let document = first_document(http, endpoint, &server_candidates(issuer)).await?;
    document
        .map(|document| judge_server(endpoint, issuer, &document, who))
        .transpose()
}

/// RFC 8414 section 3.3: the issuer must be the very string that the address was built from.
fn judge_server(
    endpoint: &Endpoint,
    issuer: &str,
    document: &Map<String, Value>,
    who: For,
) -> Result<Server, LoginError> {
    if text(document, "issuer").as_deref() != Some(issuer) {
        return Err(unusable(
            "the authorization server calls itself by another name than the service does",
        ));
    }
    let address = |name: &str| -> Result<Option<String>, LoginError> {
        let Some(url) = text(document, name) else {
            return Ok(None);
        };
        let judged = endpoint.judge(&url);
        judged.map_err(|reason| LoginError::Discovery(format!("its {name}: {reason}")))?;
        Ok(Some(url))
    };
    let needed =
        |name: &str| address(name)?.ok_or_else(|| LoginError::Discovery(format!("it names no {name}")));
    let offers = |name: &str, what: &str| texts(document, name, 32).iter().any(|one| one == what);
    let authorization_endpoint = match who {
        // It sends nobody to a browser, so nothing of it matters.
        For::Client => address("authorization_endpoint")?.unwrap_or_default(),
        For::Person => {
            if !offers("code_challenge_methods_supported", "S256") {
                return Err(LoginError::NoPkce);
            }
            let named = !texts(document, "response_types_supported", 32).is_empty();
            if named && !offers("response_types_supported", "code") {
                return Err(unusable("the authorization server does not offer the code flow"));
            }
            needed("authorization_endpoint")?
        }
    };
    Ok(Server {
        issuer: issuer.to_owned(),
        authorization_endpoint,
        token_endpoint: needed("token_endpoint")?,
        registration_endpoint: address("registration_endpoint")?,
        revocation_endpoint: address("revocation_endpoint")?,
        iss_required: flag(document, "authorization_response_iss_parameter_supported"),
        takes_metadata_documents: flag(document, "client_id_metadata_document_supported"),
        auth_methods: texts(document, "token_endpoint_auth_methods_supported", 16),
        scopes: texts(document, "scopes_supported", MAX_SCOPES),
    })
}

/// The revision 2025-03-26: no resource metadata; the origin is the issuer, and without a document the three
/// addresses are fixed.
async fn legacy_server(http: &reqwest::Client, endpoint: &Endpoint, who: For) -> Result<Found, LoginError> {
    let origin = endpoint.origin();
    let server = server_metadata(http, endpoint, &origin, who).await?;
    let server = server.unwrap_or_else(|| Server {
        authorization_endpoint: format!("{origin}/authorize"),
        token_endpoint: format!("{origin}/token"),
        registration_endpoint: Some(format!("{origin}/register")),
        revocation_endpoint: None,
        iss_required: false,
        takes_metadata_documents: false,
        auth_methods: Vec::new(),
        scopes: Vec::new(),
        issuer: origin,
    });
    Ok(Found {
        resource: endpoint.url().to_owned(),
        resource_scopes: Vec::new(),
        server,
    })
}

pub(super) fn text(document: &Map<String, Value>, name: &str) -> Option<String> {
    document
        .get(name)?
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn texts(document: &Map<String, Value>, name: &str, bound: usize) -> Vec<String> {
    let items = document.get(name).and_then(Value::as_array);
    let items = items.into_iter().flatten().filter_map(Value::as_str);
    items.take(bound).map(str::to_owned).collect()
}

fn flag(document: &Map<String, Value>, name: &str) -> bool {
    document.get(name).and_then(Value::as_bool).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_follow_the_issuer() {
        assert_eq!(
            server_candidates("https://h.example/p/q"),
            [
                "https://h.example/.well-known/oauth-authorization-server/p/q",
                "https://h.example/.well-known/openid-configuration/p/q",
                "https://h.example/p/q/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            server_candidates("https://h.example"),
            [
                "https://h.example/.well-known/oauth-authorization-server",
                "https://h.example/.well-known/openid-configuration",
            ]
        );
    }

    fn metadata(change: impl FnOnce(&mut Map<String, Value>)) -> Result<Server, LoginError> {
        let document = serde_json::json!({
            "issuer": "https://as.example",
            "authorization_endpoint": "https://as.example/authorize",
            "token_endpoint": "https://as.example/token",
            "code_challenge_methods_supported": ["S256"],
        });
        let Value::Object(mut document) = document else {
            panic!("an object")
        };
        change(&mut document);
        let endpoint = Endpoint::parse("https://mcp.example/mcp").unwrap();
        judge_server(&endpoint, "https://as.example", &document, For::Person)
    }

    #[test]
    fn sound_metadata_is_taken() {
        assert!(metadata(|_| {}).is_ok());
    }

    #[test]
    fn unsound_metadata_is_refused() {
        let set = |name: &'static str, value: Value| {
            metadata(move |document| {
                document.insert(name.to_owned(), value);
            })
        };
        assert!(
            set("issuer", "https://as.example/".into()).is_err(),
            "exact issuer"
        );
        assert!(
            set("token_endpoint", "http://as.example/token".into()).is_err(),
            "https"
        );
        assert!(
            set("authorization_endpoint", "javascript:alert(1)".into()).is_err(),
            "scheme"
        );
        assert!(
            set("registration_endpoint", "https://127.0.0.1/register".into()).is_err(),
            "forgery"
        );
        assert!(
            set("revocation_endpoint", "https://10.1.1.1/revoke".into()).is_err(),
            "forgery"
        );
        assert!(
            set("response_types_supported", serde_json::json!(["token"])).is_err(),
            "code flow"
        );
        for methods in [serde_json::json!(["plain"]), serde_json::json!([]), Value::Null] {
            assert_eq!(
                set("code_challenge_methods_supported", methods).unwrap_err(),
                LoginError::NoPkce
            );
        }
    }
}
