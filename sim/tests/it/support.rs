//! A desk with a running simulator, sign-in, and a plain MCP client.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crosstrade_sim::Simulator;
use crosstrade_sim::options::Options;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

pub(crate) const REDIRECT: &str = "http://127.0.0.1:33418/callback";
/// The verifier and its challenge (RFC 7636 appendix B).
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A simulator and an HTTP client.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) sim: Simulator,
    pub(crate) http: Client,
}

/// What the token endpoint gave.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) client_id: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) scope: String,
}

/// Options for tests: nobody at the browser, quotes stand still, no budget.
pub(crate) fn quiet() -> Options {
    Options {
        auto_consent: true,
        frozen: true,
        no_rate_limit: true,
        ..Options::default()
    }
}

impl Desk {
    pub(crate) async fn new(options: Options) -> Self {
        // The provider of the process can be set once; other tests may have done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sim = crosstrade_sim::start(options).await.unwrap();
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        Self { sim, http }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sim.addresses.issuer)
    }

    pub(crate) async fn ask(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.sim.addresses.control_url);
        body(self.http.get(url).send().await.unwrap()).await
    }

    pub(crate) async fn order(&self, path: &str, body_text: impl ToString) -> Value {
        let url = format!("{}{path}", self.sim.addresses.control_url);
        let response = self
            .http
            .post(url)
            .body(body_text.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{path}");
        body(response).await
    }

    pub(crate) async fn executed(&self) -> usize {
        self.ask("/executed").await.as_array().unwrap().len()
    }

    pub(crate) async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Response {
        let text = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.http
            .post(self.url(path))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(text)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn register(&self, name: &str) -> Response {
        let metadata = json!({
            "client_name": name,
            "redirect_uris": [REDIRECT, "http://127.0.0.1:33419/callback"],
            "application_type": "native",
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        });
        self.http
            .post(self.url("/v1/oauth/mcp/register"))
            .header("content-type", "application/json")
            .body(metadata.to_string())
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn client_id(&self, name: &str) -> String {
        let answer = body(self.register(name).await).await;
        answer["client_id"].as_str().unwrap().to_owned()
    }

    /// The authorization URL for a client.
    pub(crate) fn authorize_url(&self, client_id: &str, scope: &str) -> Url {
        let mut url = Url::parse(&self.url("/v1/oauth/mcp/authorize")).unwrap();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", REDIRECT),
            ("scope", scope),
            ("state", "a state"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", &self.sim.addresses.mcp_url),
        ]);
        url
    }

    pub(crate) async fn exchange(&self, client_id: &str, code: &str, verifier: &str) -> Response {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", client_id),
            ("redirect_uri", REDIRECT),
            ("code_verifier", verifier),
            ("resource", &self.sim.addresses.mcp_url),
        ];
        self.form("/v1/oauth/mcp/token", &pairs).await
    }

    pub(crate) async fn refresh(&self, tokens: &Tokens) -> Response {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens.refresh.as_str()),
            ("client_id", tokens.client_id.as_str()),
            ("resource", &self.sim.addresses.mcp_url),
        ];
        self.form("/v1/oauth/mcp/token", &pairs).await
    }

    /// Signs in without a person.
    pub(crate) async fn login(&self, scope: &str) -> Tokens {
        let client_id = self.client_id(&format!("Test {scope}")).await;
        let sent = self
            .http
            .get(self.authorize_url(&client_id, scope))
            .send()
            .await
            .unwrap();
        let back = redirected(&sent);
        let code = query(&back, "code").unwrap();
        let answer = body(self.exchange(&client_id, &code, VERIFIER).await).await;
        tokens(&client_id, &answer)
    }

    /// Signs in and opens a session.
    pub(crate) async fn session(&self, scope: &str) -> Mcp<'_> {
        let tokens = self.login(scope).await;
        Mcp::open(self, tokens, "2025-11-25").await
    }
}

pub(crate) fn tokens(client_id: &str, answer: &Value) -> Tokens {
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    Tokens {
        client_id: client_id.to_owned(),
        access: text("access_token"),
        refresh: text("refresh_token"),
        scope: text("scope"),
    }
}

pub(crate) async fn body(response: Response) -> Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

pub(crate) fn header(response: &Response, name: &str) -> String {
    response
        .headers()
        .get(name)
        .map_or_else(String::new, |v| v.to_str().unwrap().to_owned())
}

pub(crate) fn redirected(response: &Response) -> Url {
    assert_eq!(response.status(), StatusCode::FOUND);
    Url::parse(&header(response, "location")).unwrap()
}

pub(crate) fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(n, _)| n == name)
        .map(|(_, v)| v.into_owned())
}

/// The messages of an event stream, with the id of the last event.
pub(crate) fn events(text: &str) -> (Vec<Value>, Option<String>) {
    let id = text
        .lines()
        .filter_map(|l| l.strip_prefix("id: "))
        .next_back()
        .map(ToOwned::to_owned);
    let messages = text
        .lines()
        .filter_map(|l| l.strip_prefix("data: "))
        .filter_map(|d| serde_json::from_str(d).ok());
    (messages.collect(), id)
}

/// One MCP session.
#[derive(Debug)]
pub(crate) struct Mcp<'a> {
    pub(crate) desk: &'a Desk,
    pub(crate) tokens: Tokens,
    pub(crate) id: String,
    pub(crate) version: &'static str,
    next: AtomicU64,
}

impl<'a> Mcp<'a> {
    pub(crate) async fn open(desk: &'a Desk, tokens: Tokens, version: &'static str) -> Self {
        let mut mcp = Self {
            desk,
            tokens,
            id: String::new(),
            version,
            next: AtomicU64::new(1),
        };
        let params = json!({
            "protocolVersion": version,
            "capabilities": {"elicitation": {}, "sampling": {}, "roots": {}},
            "clientInfo": {"name": "test", "version": "1"},
        });
        let response = mcp
            .post(&json!({"jsonrpc":"2.0","id":0,"method":"initialize","params":params}))
            .send()
            .await
            .unwrap();
        mcp.id = header(&response, "mcp-session-id");
        let answer = final_message(response).await;
        assert_eq!(answer["result"]["protocolVersion"], version);
        let ready = mcp
            .post(&json!({"jsonrpc":"2.0","method":"notifications/initialized"}))
            .send()
            .await
            .unwrap();
        assert_eq!(ready.status(), 202);
        mcp
    }

    pub(crate) fn http(&self, method: Method) -> RequestBuilder {
        let request = self
            .desk
            .http
            .request(method, &self.desk.sim.addresses.mcp_url)
            .header("accept", "application/json, text/event-stream")
            .header("authorization", format!("Bearer {}", self.tokens.access));
        if self.id.is_empty() {
            return request;
        }
        request
            .header("mcp-session-id", &self.id)
            .header("mcp-protocol-version", self.version)
    }

    pub(crate) fn post(&self, message: &Value) -> RequestBuilder {
        self.http(Method::POST)
            .header("content-type", "application/json")
            .body(message.to_string())
    }

    pub(crate) fn call_message(&self, tool: &str, arguments: &Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        json!({"jsonrpc":"2.0","id":id,"method":"tools/call","params":{"name":tool,"arguments":arguments}})
    }

    pub(crate) async fn send_call(&self, tool: &str, arguments: Value) -> reqwest::Result<Response> {
        self.post(&self.call_message(tool, &arguments)).send().await
    }

    /// The structured content of a call.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let response = self.send_call(tool, arguments).await.unwrap();
        assert_eq!(response.status(), 200, "{tool}");
        let message = final_message(response).await;
        message["result"]["structuredContent"].clone()
    }

    pub(crate) async fn request(&self, method: &str, params: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let message = json!({"jsonrpc":"2.0","id":id,"method":method,"params":params});
        let response = self.post(&message).send().await.unwrap();
        assert_eq!(response.status(), 200, "{method}");
        final_message(response).await
    }

    /// All tools, over all pages.
    pub(crate) async fn tools(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut params = json!({});
        loop {
            let page = self.request("tools/list", params).await["result"].clone();
            all.extend(page["tools"].as_array().unwrap().clone());
            match page["nextCursor"].as_str() {
                Some(cursor) => params = json!({"cursor": cursor}),
                None => return all,
            }
        }
    }
}

/// The answering message, from JSON or from a stream.
pub(crate) async fn final_message(response: Response) -> Value {
    let sse = header(&response, "content-type").starts_with("text/event-stream");
    if !sse {
        return body(response).await;
    }
    let text = response.text().await.unwrap();
    events(&text)
        .0
        .pop()
        .unwrap_or_else(|| panic!("no message in {text:?}"))
}

/// Arguments of a market order for one contract.
pub(crate) fn buy_one() -> Value {
    json!({"account":"Sim101","instrument":"ES 12-26","side":"Buy","type":"Market","quantity":1})
}
