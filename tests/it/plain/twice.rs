//! A call that has run is not sent once more, whatever the server says then: what a tool does is not known here.

use super::rounds::{answer, calls, done, older, refuse};
use super::*;
use crate::faults::server::{Answer, Begin, Play, Request, Server};
use std::sync::atomic::{AtomicBool, Ordering};

fn is_newer(request: &Request) -> bool {
    request.json()["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"].is_string()
}

fn discovered(request: &Request) -> Play {
    let said = json!({
        "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} },
    });
    answer(request, &said)
}

/// The code is what a server says of a tool that must be a task, and what any tool may say of something behind it.
#[tokio::test]
async fn a_tool_that_need_not_be_a_task_is_called_once() {
    let server = Server::start(Begin::Plain, |request| {
        older(request, |request| refuse(request, -32601, &Value::Null))
    })
    .await;
    let home = Home::new();
    let mut client = plain(&home, &server.url(), &[]);
    let call = modern(json!({ "name": "plain", "arguments": {} }));
    let told = client.request("tools/call", &call).await;
    assert_eq!(told["error"]["code"], -32601, "{told}");
    assert_eq!(calls(&server), 1);
    client.close().await;
}

/// The task runs; then the server starts anew as one of the newer era, which has never heard of it.
#[tokio::test]
async fn a_server_that_moves_under_a_task_does_not_get_the_call_again() {
    let moved = AtomicBool::new(false);
    let server = Server::start(Begin::Plain, move |request| {
        if moved.load(Ordering::Relaxed) && !is_newer(request) {
            let error = json!({ "code": -32022, "message": "no", "data": { "supported": ["2026-07-28"] } });
            let said = json!({ "jsonrpc": "2.0", "id": request.json()["id"], "error": error });
            return Play::Answer(Answer::new(400, "application/json", said.to_string()));
        }
        if moved.load(Ordering::Relaxed) && request.what() == "server/discover" {
            return discovered(request);
        }
        older(request, |request| {
            match request.json()["params"]["task"].is_object() {
                true => {
                    moved.store(true, Ordering::Relaxed);
                    answer(
                        request,
                        &json!({ "task": { "taskId": "t1", "status": "working", "ttl": null } }),
                    )
                }
                false if moved.load(Ordering::Relaxed) => answer(request, &done()),
                false => refuse(request, -32601, &Value::Null),
            }
        })
    })
    .await;
    let home = Home::new();
    let mut client = plain(&home, &server.url(), &[]);
    let call = modern(json!({ "name": "t", "arguments": {} }));
    let told = client.request("tools/call", &call).await;
    assert_eq!(told["error"]["data"]["countersign"]["sent"], "unknown", "{told}");
    assert_eq!(calls(&server), 2, "as a call, which is refused, and as a task");
    client.close().await;
}

/// In the older era the code is free: a server of both eras may mean anything by it.
#[tokio::test]
async fn an_error_of_a_tool_is_no_word_about_the_revision() {
    let server = Server::start(Begin::Plain, |request| match request.what().as_str() {
        "server/discover" => discovered(request),
        _ => older(request, |request| refuse(request, -32022, &Value::Null)),
    })
    .await;
    let home = Home::new();
    let mut client = plain(&home, &server.url(), &[]);
    client.hello_as("2025-11-25", &json!({})).await;
    let told = client
        .request("tools/call", &json!({ "name": "plain", "arguments": {} }))
        .await;
    assert_eq!(told["error"]["code"], -32022, "{told}");
    assert_eq!(calls(&server), 1);
    client.close().await;
}
