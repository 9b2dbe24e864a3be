//! An authorization server and a protected resource on loopback, with rotation, reuse detection and a log of all
//! requests. What it answers can be replaced path by path.

use super::super::secret::challenge_of;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use url::form_urlencoded;

pub(super) type Fields = BTreeMap<String, String>;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) fields: Fields,
    pub(super) body: String,
    pub(super) authorization: Option<String>,
}

/// A fixed answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Fixed {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Fixed {
    pub(super) fn json(status: u16, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self {
            status,
            headers,
            body: body.to_owned(),
        }
    }

    /// What stands in for the service now and then: a page of its network, a front door, a proxy.
    pub(super) fn page(status: u16, media: &str, body: &str) -> Self {
        let fixed = Self {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
        };
        fixed.header("content-type", media)
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a way in which servers differ"
)]
pub(super) struct State {
    pub(super) base: String,
    pub(super) seen: Vec<Seen>,
    /// Answers in the place of the usual ones, by path.
    pub(super) fixed: BTreeMap<String, Fixed>,
    /// Pieces of the authorization server's metadata that differ from the usual.
    pub(super) metadata: serde_json::Map<String, serde_json::Value>,
    pub(super) prm_resource: Option<String>,
    pub(super) clients: BTreeMap<String, serde_json::Value>,
    codes: BTreeMap<String, Fields>,
    refresh: BTreeMap<String, Fields>,
    spent: BTreeSet<String>,
    pub(super) access: BTreeSet<String>,
    pub(super) expires_in: u64,
    /// The scope that is granted, where it is another one than was asked for.
    pub(super) scope: Option<String>,
    pub(super) tell_scope: bool,
    pub(super) rotate: bool,
    pub(super) issue_refresh: bool,
    pub(super) with_iss: bool,
    /// How long the token endpoint takes.
    pub(super) delay: Duration,
    pub(super) reused: usize,
    pub(super) refreshed: usize,
    pub(super) revoked: Vec<String>,
    count: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Fake(pub(super) Arc<Mutex<State>>);

impl Fake {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self(Arc::new(Mutex::new(State {
            base,
            seen: Vec::new(),
            fixed: BTreeMap::new(),
            metadata: serde_json::Map::new(),
            prm_resource: None,
            clients: BTreeMap::new(),
            codes: BTreeMap::new(),
            refresh: BTreeMap::new(),
            spent: BTreeSet::new(),
            access: BTreeSet::new(),
            expires_in: 3600,
            scope: None,
            tell_scope: true,
            rotate: true,
            issue_refresh: true,
            with_iss: true,
            delay: Duration::ZERO,
            reused: 0,
            refreshed: 0,
            revoked: Vec::new(),
            count: 0,
        })));
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let fake = fake.clone();
                        async move { Ok::<_, Infallible>(fake.serve(request).await) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        fake
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    pub(super) fn get<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.lock().unwrap())
    }

    pub(super) fn base(&self) -> String {
        self.get(|state| state.base.clone())
    }

    pub(super) fn mcp_url(&self) -> String {
        format!("{}/v1/api/mcp", self.base())
    }

    pub(super) fn issuer(&self) -> String {
        format!("{}/oauth", self.base())
    }

    pub(super) fn fix(&self, path: &str, answer: Fixed) {
        self.set(|state| {
            state.fixed.insert(path.to_owned(), answer);
        });
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.get(|state| state.seen.iter().map(|seen| seen.path.clone()).collect())
    }

    pub(super) fn count(&self, path: &str) -> usize {
        self.paths().iter().filter(|seen| *seen == path).count()
    }

    pub(super) fn last(&self, path: &str) -> Seen {
        self.get(|state| {
            state
                .seen
                .iter()
                .rev()
                .find(|seen| seen.path == path)
                .cloned()
                .unwrap()
        })
    }

    async fn serve(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let header = |name: &str| {
            request
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let (authorization, content_type) = (header("authorization"), header("content-type"));
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let form = content_type.as_deref() == Some("application/x-www-form-urlencoded");
        let text = if form { &body } else { &query };
        let fields: Fields = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let seen = Seen {
            path: path.clone(),
            fields,
            body,
            authorization,
        };
        let delay = self.get(|state| state.delay);
        if path.ends_with("/token") && !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut state = self.0.lock().unwrap();
        state.seen.push(seen.clone());
        let answer = match state.fixed.get(&path) {
            Some(fixed) => fixed.clone(),
            None => state.answer(&seen),
        };
        let mut response = Response::builder().status(answer.status);
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        response.body(Full::new(Bytes::from(answer.body))).unwrap()
    }
}

impl State {
    fn answer(&mut self, seen: &Seen) -> Fixed {
        match seen.path.as_str() {
            "/v1/api/mcp" => self.mcp(seen),
            "/.well-known/oauth-protected-resource/v1/api/mcp" => self.resource(),
            "/.well-known/oauth-authorization-server/oauth" => self.server(),
            "/oauth/register" => self.register(seen),
            "/oauth/authorize" => self.authorize(seen),
            "/oauth/token" => self.token(seen),
            "/oauth/revoke" => self.revoke(seen),
            _ => Fixed {
                status: 404,
                ..Fixed::default()
            },
        }
    }

    fn mcp(&self, seen: &Seen) -> Fixed {
        let token = seen
            .authorization
            .as_deref()
            .and_then(|value| value.strip_prefix("Bearer "));
        if token.is_some_and(|token| self.access.contains(token)) {
            return Fixed::json(200, "{}");
        }
        let value = format!(
            "Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource/v1/api/mcp\"",
            self.base
        );
        Fixed::json(401, "").header("www-authenticate", &value)
    }

    fn resource(&self) -> Fixed {
        let resource = self
            .prm_resource
            .clone()
            .unwrap_or_else(|| format!("{}/v1/api/mcp", self.base));
        let issuer = format!("{}/oauth", self.base);
        let document = serde_json::json!({
            "resource": resource, "authorization_servers": [issuer], "scopes_supported": ["mcp:read", "mcp:trade"],
        });
        Fixed::json(200, &document.to_string())
    }

    fn server(&self) -> Fixed {
        let issuer = format!("{}/oauth", self.base);
        let document = serde_json::json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "registration_endpoint": format!("{issuer}/register"),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "code_challenge_methods_supported": ["S256"],
            "response_types_supported": ["code"],
            "authorization_response_iss_parameter_supported": true,
        });
        let serde_json::Value::Object(mut document) = document else {
            panic!("an object")
        };
        for (key, value) in &self.metadata {
            if value.is_null() {
                document.remove(key);
            } else {
                document.insert(key.clone(), value.clone());
            }
        }
        Fixed::json(200, &serde_json::Value::Object(document).to_string())
    }

    fn next(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}-{}-planted-secret", self.count)
    }

    fn register(&mut self, seen: &Seen) -> Fixed {
        self.count += 1;
        let id = format!("client-{}", self.count);
        let mut wish: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
        wish["client_id"] = id.clone().into();
        self.clients.insert(id, wish.clone());
        Fixed::json(201, &wish.to_string())
    }

    fn authorize(&mut self, seen: &Seen) -> Fixed {
        let fields = &seen.fields;
        let Some(client) = self.clients.get(&fields["client_id"]) else {
            return Fixed::json(400, r#"{"error":"invalid_client"}"#);
        };
        let redirect = &fields["redirect_uri"];
        if !client["redirect_uris"]
            .as_array()
            .unwrap()
            .iter()
            .any(|uri| uri.as_str() == Some(redirect))
        {
            return Fixed::json(400, "invalid redirect_uri");
        }
        let code = self.next("code");
        self.codes.insert(code.clone(), fields.clone());
        let mut back = form_urlencoded::Serializer::new(String::new());
        back.append_pair("code", &code)
            .append_pair("state", &fields["state"]);
        if self.with_iss {
            back.append_pair("iss", &format!("{}/oauth", self.base));
        }
        let status = Fixed {
            status: 302,
            ..Fixed::default()
        };
        status.header("location", &format!("{redirect}?{}", back.finish()))
    }

    fn token(&mut self, seen: &Seen) -> Fixed {
        let fields = &seen.fields;
        let refused = |code: &str| Fixed::json(400, &format!(r#"{{"error":"{code}"}}"#));
        if !self.clients.contains_key(&fields["client_id"]) {
            return Fixed::json(401, r#"{"error":"invalid_client"}"#);
        }
        match fields["grant_type"].as_str() {
            "authorization_code" => {
                let Some(asked) = self.codes.remove(&fields["code"]) else {
                    return refused("invalid_grant");
                };
                let verifier = SecretString::from(fields["code_verifier"].as_str());
                let same = |name: &str| asked.get(name) == fields.get(name);
                let good = challenge_of(&verifier) == asked["code_challenge"]
                    && same("redirect_uri")
                    && same("client_id")
                    && same("resource");
                if good {
                    self.issue(asked)
                } else {
                    refused("invalid_grant")
                }
            }
            "refresh_token" => {
                let token = fields["refresh_token"].clone();
                if self.spent.contains(&token) {
                    self.reused += 1;
                    self.refresh.clear();
                    return refused("invalid_grant");
                }
                let Some(asked) = self.refresh.get(&token).cloned() else {
                    return refused("invalid_grant");
                };
                self.refreshed += 1;
                if self.rotate {
                    self.refresh.remove(&token);
                    self.spent.insert(token);
                }
                self.issue(asked)
            }
            _ => refused("unsupported_grant_type"),
        }
    }

    fn issue(&mut self, asked: Fields) -> Fixed {
        let access = self.next("access");
        self.access.insert(access.clone());
        let scope = self.scope.clone().or_else(|| asked.get("scope").cloned());
        let mut document = serde_json::json!({
            "access_token": access, "token_type": "Bearer", "expires_in": self.expires_in,
        });
        if self.tell_scope {
            document["scope"] = scope.into();
        }
        if self.issue_refresh && (self.rotate || self.refresh.is_empty()) {
            let refresh = self.next("refresh");
            self.refresh.insert(refresh.clone(), asked);
            document["refresh_token"] = refresh.into();
        }
        Fixed::json(200, &document.to_string())
    }

    fn revoke(&mut self, seen: &Seen) -> Fixed {
        let token = &seen.fields["token"];
        self.refresh.remove(token);
        self.access.remove(token);
        self.revoked.push(token.clone());
        Fixed {
            status: 200,
            ..Fixed::default()
        }
    }
}
