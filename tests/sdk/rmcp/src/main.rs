//! The Rust SDK's client, through everything that it can do with a server. One line of JSON: for each feature what the SDK
//! handed to its application.
//!
//! usage: `MODE=legacy|auto|2026-07-28 countersign-sdk-rmcp URL` or `… -- COMMAND [ARG…]`

#![expect(
    deprecated,
    reason = "the newest revision keeps sampling, roots and log messages, and they are what is tried here"
)]

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientConfig, ClientRequest, CompleteRequestParams,
    CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult,
    GetPromptRequestParams, ListRootsResult, LoggingMessageNotificationParam, PaginatedRequestParams,
    ProgressNotificationParam, ProtocolVersion, ReadResourceRequestParams, ResourceUpdatedNotificationParam,
    ServerNotification, SubscriptionFilter,
};
use rmcp::service::{
    ClientLifecycleMode, NotificationContext, PeerRequestOptions, RequestContext, RunningService,
    ServiceError,
};
use rmcp::transport::{ConfigureCommandExt, StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ClientServiceExt, ErrorData, RoleClient};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(15);

/// What the server said beside its answers.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Said>>);

#[derive(Default)]
struct Said {
    updated: Vec<String>,
    changed: u32,
    logs: Vec<String>,
    progress: Vec<String>,
    decline: bool,
}

impl Heard {
    fn with<T>(&self, look: impl FnOnce(&mut Said) -> T) -> T {
        look(&mut self.0.lock().expect("no panic held it"))
    }
}

fn made<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the words of the protocol")
}

impl ClientHandler for Heard {
    fn get_info(&self) -> ClientConfig {
        let mode = std::env::var("MODE").unwrap_or_default();
        made(json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "sampling": {}, "elicitation": { "form": {} }, "roots": { "listChanged": true } },
            "clientInfo": { "name": format!("rmcp-{mode}"), "version": "1.0.0" },
        }))
    }

    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let asked = serde_json::to_value(params).expect("JSON");
        let content = &asked["messages"][0]["content"];
        let text = content["text"]
            .as_str()
            .or(content[0]["text"].as_str())
            .unwrap_or("?");
        let said = format!("{text}! ({})", asked["maxTokens"]);
        Ok(made(json!({
            "role": "assistant", "model": "a-model", "stopReason": "endTurn", "content": { "type": "text", "text": said }
        })))
    }

    async fn create_elicitation(
        &self,
        params: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let asked = serde_json::to_value(params).expect("JSON");
        Ok(if self.with(|said| said.decline) {
            made(json!({ "action": "decline" }))
        } else {
            made(json!({ "action": "accept", "content": { "name": asked["message"], "size": 3 } }))
        })
    }

    async fn list_roots(&self, _: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Ok(made(
            json!({ "roots": [{ "uri": "file:///tests", "name": "tests" }] }),
        ))
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let total = params.total.unwrap_or_default();
        let line = format!(
            "{}/{total} {}",
            params.progress,
            params.message.unwrap_or_default()
        );
        self.with(|said| said.progress.push(line));
    }

    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let said = serde_json::to_value(params).expect("JSON");
        let line = format!("{} {} {}", said["level"], said["logger"], said["data"]);
        self.with(|said| said.logs.push(line));
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.with(|said| said.updated.push(params.uri));
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.with(|said| said.changed += 1);
    }
}

type Running = RunningService<RoleClient, Heard>;

fn value(what: impl Serialize) -> Result<Value, ServiceError> {
    Ok(serde_json::to_value(what).expect("JSON"))
}

fn call_params(name: &str, arguments: Value) -> CallToolRequestParams {
    made(json!({ "name": name, "arguments": arguments }))
}

async fn call(client: &Running, name: &str, arguments: Value) -> Result<Value, ServiceError> {
    value(client.call_tool(call_params(name, arguments)).await?)
}

async fn until(done: impl Fn() -> bool) {
    for _ in 0..(PATIENCE.as_millis() / 50) {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

struct Seen(Map<String, Value>);

impl Seen {
    async fn note(&mut self, name: &str, work: impl Future<Output = Result<Value, ServiceError>>) {
        let found = match tokio::time::timeout(PATIENCE + Duration::from_secs(5), work).await {
            Ok(Ok(found)) => found,
            Ok(Err(ServiceError::McpError(error))) => {
                json!({ "error": { "code": error.code, "message": error.message } })
            }
            Ok(Err(error)) => json!({ "error": { "code": null, "message": error.to_string() } }),
            Err(_) => json!({ "error": { "code": null, "message": "no end in time" } }),
        };
        self.0.insert(name.to_owned(), found);
    }
}

async fn cancel(client: &Running) -> Result<Value, ServiceError> {
    let key = json!({ "key": format!("rmcp-{}", std::process::id()) });
    let count = async || -> Result<Value, ServiceError> {
        let said = call(client, "cancelled", key.clone()).await?;
        Ok(serde_json::from_str(said["content"][0]["text"].as_str().unwrap_or("{}")).unwrap_or_default())
    };
    let wait_for = async |what: &str| -> Result<(), ServiceError> {
        for _ in 0..100 {
            if count().await?[what].as_u64() > Some(0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    };
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(call_params("wait", key.clone())));
    let handle = client
        .send_cancellable_request(request, PeerRequestOptions::no_options())
        .await?;
    wait_for("begun").await?;
    handle.cancel(Some("no longer wanted".to_owned())).await?;
    wait_for("cancelled").await?;
    count().await
}

/// The resource that this client follows. Its own: servers tell all clients of what one of them touches.
fn followed() -> String {
    format!("test://item/{}", std::process::id())
}

fn named(uris: &[String]) -> Value {
    let name = |uri: &String| {
        if *uri == followed() {
            "the followed one"
        } else {
            "another"
        }
    };
    uris.iter().map(name).collect()
}

async fn follow_modern(client: &Running, seen: &mut Seen) {
    let filter: SubscriptionFilter =
        made(json!({ "toolsListChanged": true, "resourceSubscriptions": [followed()] }));
    let mut stream = match client.listen(filter).await {
        Ok(stream) => stream,
        Err(error) => {
            let why = error.to_string();
            return seen
                .note("updated", async {
                    Ok(json!({ "error": { "code": null, "message": why } }))
                })
                .await;
        }
    };
    seen.note("updated", async {
        call(client, "touch", json!({ "uri": "test://blob" })).await?;
        call(client, "touch", json!({ "uri": followed() })).await?;
        loop {
            match stream.next().await? {
                Some(ServerNotification::ResourceUpdatedNotification(updated)) => {
                    return Ok(named(&[updated.params.uri]));
                }
                Some(_) => {}
                None => return Ok(json!("the stream ended")),
            }
        }
    })
    .await;
    seen.note("list changed", async {
        call(client, "grow", json!({})).await?;
        loop {
            match stream.next().await? {
                Some(ServerNotification::ToolListChangedNotification(_)) => return Ok(json!(true)),
                Some(_) => {}
                None => return Ok(json!("the stream ended")),
            }
        }
    })
    .await;
    seen.note("unsubscribe", async {
        stream.cancel().await?;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        call(client, "touch", json!({ "uri": followed() })).await?;
        call(client, "echo", json!({ "text": "after" })).await?;
        Ok(json!(0))
    })
    .await;
}

async fn follow(client: &Running, heard: &Heard, seen: &mut Seen) {
    seen.note("updated", async {
        client.subscribe(made(json!({ "uri": followed() }))).await?;
        call(client, "touch", json!({ "uri": "test://blob" })).await?;
        call(client, "touch", json!({ "uri": followed() })).await?;
        until(|| heard.with(|said| !said.updated.is_empty())).await;
        Ok(named(&heard.with(|said| said.updated.clone())))
    })
    .await;
    seen.note("list changed", async {
        call(client, "grow", json!({})).await?;
        until(|| heard.with(|said| said.changed > 0)).await;
        Ok(json!(heard.with(|said| said.changed > 0)))
    })
    .await;
    seen.note("unsubscribe", async {
        let before = heard.with(|said| said.updated.len());
        client.unsubscribe(made(json!({ "uri": followed() }))).await?;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        call(client, "touch", json!({ "uri": followed() })).await?;
        call(client, "echo", json!({ "text": "after" })).await?;
        Ok(json!(heard.with(|said| said.updated.len()) - before))
    })
    .await;
}

async fn play(client: Running, heard: &Heard, seen: &mut Seen) -> (Value, bool) {
    let info = client.peer_info();
    let said = serde_json::to_value(&info).unwrap_or_default();
    let version = said["protocolVersion"].clone();
    let modern = version.as_str() >= Some("2026");
    let hello = json!({ "server": said["serverInfo"], "capabilities": said["capabilities"], "instructions": said["instructions"] });
    seen.note("connect", async { Ok(hello) }).await;
    seen.note("tools", async { value(client.list_tools(None).await?.tools) })
        .await;
    seen.note("pages", async {
        let (mut pages, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let params: Option<PaginatedRequestParams> =
                cursor.take().map(|cursor| made(json!({ "cursor": cursor })));
            let page = client.list_resources(params).await?;
            pages.push(page.resources);
            cursor = page.next_cursor;
            if cursor.is_none() || pages.len() > 5 {
                return value(pages);
            }
        }
    })
    .await;
    seen.note("templates", async {
        value(client.list_resource_templates(None).await?.resource_templates)
    })
    .await;
    seen.note("prompts", async {
        value(client.list_prompts(None).await?.prompts)
    })
    .await;
    let about: GetPromptRequestParams = made(json!({ "name": "about", "arguments": { "symbol": "ES" } }));
    seen.note("prompt", async { value(client.get_prompt(about).await?) })
        .await;
    let completing: CompleteRequestParams = made(json!({
        "ref": { "type": "ref/prompt", "name": "about" }, "argument": { "name": "symbol", "value": "M" }
    }));
    seen.note("completion", async {
        value(client.complete(completing).await?.completion)
    })
    .await;
    for (name, uri) in [
        ("text", "text"),
        ("blob", "blob"),
        ("template", "item/7"),
        ("missing", "nothing"),
    ] {
        let params: ReadResourceRequestParams = made(json!({ "uri": format!("test://{uri}") }));
        seen.note(&format!("read {name}"), async {
            value(client.read_resource(params).await?)
        })
        .await;
    }
    let odd = json!({ "text": "1.50 \u{e9} \u{2028} \u{1f4c8} \"\\" });
    seen.note("call", call(&client, "echo", odd)).await;
    for (name, tool) in [
        ("structured", "structured"),
        ("picture", "picture"),
        ("tool error", "fail"),
        ("unknown tool", "nothing"),
    ] {
        seen.note(name, call(&client, tool, json!({}))).await;
    }
    seen.note("progress", async {
        let answer = call(&client, "steps", json!({ "count": 3 })).await?;
        until(|| heard.with(|said| said.progress.len() >= 3)).await;
        Ok(json!({ "told": heard.with(|said| said.progress.clone()), "answer": answer }))
    })
    .await;
    seen.note("cancel", cancel(&client)).await;
    seen.note("log", async {
        let mut params = json!({ "name": "log", "arguments": {} });
        if modern {
            params["_meta"] = json!({ "io.modelcontextprotocol/logLevel": "info" });
        } else {
            client.set_level(made(json!({ "level": "info" }))).await?;
        }
        client.call_tool(made(params)).await?;
        let warnings = || {
            heard.with(|said| {
                said.logs
                    .iter()
                    .filter(|line| line.contains("warning"))
                    .cloned()
                    .collect::<Vec<_>>()
            })
        };
        until(|| !warnings().is_empty()).await;
        Ok(json!(warnings()))
    })
    .await;
    seen.note("sampling", call(&client, "sample", json!({ "prompt": "hi" })))
        .await;
    seen.note(
        "elicit accept",
        call(&client, "ask", json!({ "question": "who" })),
    )
    .await;
    heard.with(|said| said.decline = true);
    seen.note(
        "elicit decline",
        call(&client, "ask", json!({ "question": "who" })),
    )
    .await;
    seen.note("roots", call(&client, "roots", json!({}))).await;
    if modern {
        follow_modern(&client, seen).await;
    } else {
        follow(&client, heard, seen).await;
    }
    seen.note("close", async { Ok(json!(client.cancel().await.is_ok())) })
        .await;
    (version, modern)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mode = std::env::var("MODE").unwrap_or_default();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let newest: ProtocolVersion = made(json!("2026-07-28"));
    let lifecycle = match mode.as_str() {
        "legacy" => ClientLifecycleMode::Initialize,
        "auto" => ClientLifecycleMode::Auto {
            preferred_versions: vec![newest],
            legacy_version: None,
        },
        _ => ClientLifecycleMode::Discover {
            preferred_versions: vec![newest],
        },
    };
    let (heard, mut seen) = (Heard::default(), Seen(Map::new()));
    let connected = match words.as_slice() {
        [dashes, program, rest @ ..] if dashes == "--" => {
            let mut command = tokio::process::Command::new(program).configure(|command| {
                command.args(rest);
            });
            command.stderr(std::process::Stdio::null());
            let transport = TokioChildProcess::new(command).expect("the program starts");
            heard.clone().serve_with_lifecycle(transport, lifecycle).await
        }
        [url, ..] => {
            let transport = StreamableHttpClientTransport::from_uri(url.as_str());
            heard.clone().serve_with_lifecycle(transport, lifecycle).await
        }
        [] => panic!("usage: countersign-sdk-rmcp URL | -- COMMAND [ARG…]"),
    };
    let mut report = match connected {
        Ok(client) => {
            match tokio::time::timeout(Duration::from_secs(60), play(client, &heard, &mut seen)).await {
                Ok((version, modern)) => {
                    json!({ "version": version, "era": if modern { "modern" } else { "legacy" } })
                }
                Err(_) => json!({ "error": "the whole run took too long" }),
            }
        }
        Err(error) => json!({ "error": error.to_string() }),
    };
    report["mode"] = json!(mode);
    report["features"] = Value::Object(seen.0);
    println!("{report}");
}
