//! A server that we did not write: the protocol project's own everything-server.

use super::{modern, names, plain};
use crate::support::program::{Client, Home};
use crate::support::tools;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// The server on a port of its own; it ends with this value.
pub(super) struct Server {
    _child: Child,
    pub(super) url: String,
}

impl Server {
    pub(super) async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a port")
            .port();
        let script =
            tools::node_folder().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
        let child = Command::new(tools::node())
            .arg(script)
            .arg("streamableHttp")
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node");
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self {
            _child: child,
            url: format!("http://127.0.0.1:{port}/mcp"),
        }
    }
}

async fn client(home: &Home, server: &Server) -> (Client, Value) {
    let mut client = plain(home, &server.url, &[]);
    let able = json!({ "sampling": {}, "elicitation": {}, "roots": { "listChanged": true } });
    let hello = client.hello_as("2025-11-25", &able).await;
    (client, hello)
}

#[tokio::test]
async fn its_own_words_its_tools_and_its_progress_come_through() {
    let (home, server) = (Home::new(), Server::start().await);
    let (mut client, hello) = client(&home, &server).await;
    assert!(
        hello["result"]["serverInfo"]["name"]
            .as_str()
            .expect("a name")
            .contains("everything"),
        "{hello}"
    );
    let tools = names(&client.request("tools/list", &json!({})).await);
    assert!(tools.contains(&"echo".to_owned()), "{tools:?}");
    let echo = client.call("echo", &json!({ "message": "1.50 \u{e9}" })).await;
    assert_eq!(echo["content"][0]["text"], "Echo: 1.50 \u{e9}", "{echo}");
    let work = json!({ "name": "trigger-long-running-operation", "arguments": { "duration": 1, "steps": 4 }, "_meta": { "progressToken": "p1" } });
    let id = client.send("tools/call", &work).await;
    let progress = |line: &String| line.contains("notifications/progress").then(|| line.clone());
    assert!(
        client
            .find(progress, Duration::from_secs(15))
            .await
            .expect("progress")
            .contains("\"p1\"")
    );
    assert!(client.answer(id).await.get("result").is_some());
}

/// The server asks the client in the middle of a call.
#[tokio::test]
async fn it_asks_the_client_back() {
    let (home, server) = (Home::new(), Server::start().await);
    let (mut client, _) = client(&home, &server).await;
    let ask = json!({ "prompt": "hi", "maxTokens": 5 });
    let call = client.send_call("trigger-sampling-request", &ask).await;
    let asked = |line: &String| {
        let value: Value = serde_json::from_str(line).ok()?;
        (value["method"] == "sampling/createMessage").then_some(value)
    };
    let question = client
        .find(asked, Duration::from_secs(15))
        .await
        .expect("a question");
    let said =
        json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": "well sampled" } });
    let answer = json!({ "jsonrpc": "2.0", "id": question["id"], "result": said });
    client.line(&answer.to_string()).await;
    assert!(client.answer(call).await.to_string().contains("well sampled"));
}

/// A second start answers from what is kept, while the server is away.
#[tokio::test]
async fn the_second_start_needs_no_server() {
    let (home, server) = (Home::new(), Server::start().await);
    let (first, told) = client(&home, &server).await;
    first.close().await;
    let url = server.url.clone();
    drop(server);
    let mut second = plain(&home, &url, &[]);
    let again = second.hello_as("2025-11-25", &json!({})).await;
    assert_eq!(again["result"], told["result"]);
}

/// A client of 2026-07-28 on this server, which has a handshake: what the server asks in the middle of a call comes as an
/// answer that asks for input, and the next round goes on with the call that waits at the server.
#[tokio::test]
async fn a_newer_client_is_asked_in_rounds() {
    let (home, server) = (Home::new(), Server::start().await);
    let mut client = plain(&home, &server.url, &[]);
    let able = |mut params: Value| {
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "sampling": {} });
        params
    };
    let listed = client.request("tools/list", &able(modern(json!({})))).await;
    assert_eq!(listed["result"]["resultType"], "complete", "{listed}");
    assert_eq!(listed["result"]["ttlMs"], 0, "{listed}");
    assert!(names(&listed).contains(&"trigger-sampling-request".to_owned()));
    let call = json!({ "name": "trigger-sampling-request", "arguments": { "prompt": "hi", "maxTokens": 5 } });
    let first = client.request("tools/call", &able(modern(call.clone()))).await;
    let result = &first["result"];
    assert_eq!(result["resultType"], "input_required", "{first}");
    let (name, question) = result["inputRequests"]
        .as_object()
        .and_then(|all| all.iter().next())
        .expect("a question");
    assert_eq!(question["method"], "sampling/createMessage", "{first}");
    let said =
        json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": "well sampled" } });
    let mut round = call.clone();
    round["inputResponses"] = json!({ name: said });
    round["requestState"] = result["requestState"].clone();
    // Another request cannot take the call that waits.
    let mut other = round.clone();
    other["arguments"]["prompt"] = "other".into();
    let refused = client.request("tools/call", &able(modern(other))).await;
    assert!(refused.get("error").is_some(), "{refused}");
    let second = client.request("tools/call", &able(modern(round.clone()))).await;
    assert_eq!(second["result"]["resultType"], "complete", "{second}");
    assert!(second.to_string().contains("well sampled"), "{second}");
    // A round is taken once.
    let again = client.request("tools/call", &able(modern(round))).await;
    assert!(again.get("error").is_some(), "{again}");
}
