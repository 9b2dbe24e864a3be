//! What an older server wants before it does a call, for a client of 2026-07-28: an address that the person opens first
//! (`-32042`), and tools that run as a task only. The server is a script: it says exactly what 2025-11-25 says.

use super::*;
use crate::faults::server::{Answer, Begin, Play, Request, Server, Step};
use std::sync::Mutex;
use tokio::sync::watch;

pub(super) fn answer(request: &Request, result: &Value) -> Play {
    Play::Answer(Answer::json(
        &json!({ "jsonrpc": "2.0", "id": request.json()["id"], "result": result }),
    ))
}

pub(super) fn refuse(request: &Request, code: i64, data: &Value) -> Play {
    let error = json!({ "code": code, "message": "not so", "data": data });
    Play::Answer(Answer::json(
        &json!({ "jsonrpc": "2.0", "id": request.json()["id"], "error": error }),
    ))
}

/// What any server of the older era says; its calls are somebody else's.
pub(super) fn older(request: &Request, call: impl Fn(&Request) -> Play) -> Play {
    let message = request.json();
    match request.what().as_str() {
        "initialize" => {
            let said = json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": { "tools": {}, "tasks": { "cancel": {}, "requests": { "tools": { "call": {} } } } },
                "serverInfo": { "name": "script", "version": "1" },
            });
            match answer(request, &said) {
                Play::Answer(answer) => Play::Answer(answer.with("mcp-session-id", "s1")),
                other => other,
            }
        }
        "tools/list" => answer(
            request,
            &json!({ "tools": [
                { "name": "t", "inputSchema": { "type": "object" }, "execution": { "taskSupport": "required" } },
                { "name": "plain", "inputSchema": { "type": "object" } },
            ] }),
        ),
        "GET" => Play::Answer(Answer::new(405, "", "")),
        "DELETE" => Play::Answer(Answer::new(200, "", "")),
        what if what.starts_with("notifications/") => Play::Answer(Answer::new(202, "", "")),
        what if what.starts_with("tools/call") || what.starts_with("tasks/") => call(request),
        _ => refuse(request, -32601, &Value::Null),
    }
}

pub(super) fn calls(server: &Server) -> usize {
    server.count(|request| request.what() == "tools/call")
}

fn event(message: &Value) -> Step {
    Step::Send(format!("data: {message}\n\n").into_bytes())
}

fn stream(steps: Vec<Step>) -> Play {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    Play::Steps([vec![Step::Send(head.into())], steps].concat())
}

const DONE: &str = "done";

pub(super) fn done() -> Value {
    json!({ "content": [{ "type": "text", "text": DONE }] })
}

#[tokio::test]
async fn an_address_to_open_becomes_a_round() {
    // It wants the address opened before each first call.
    let opened = Mutex::new(false);
    let server = Server::start(Begin::Plain, move |request| {
        older(request, |request| {
            let mut opened = opened.lock().expect("whole");
            *opened = !*opened;
            if *opened {
                let wants = json!({ "elicitations": [{
                    "mode": "url", "elicitationId": "e1", "url": "https://a.example/go", "message": "Sign in there",
                }] });
                refuse(request, -32042, &wants)
            } else {
                answer(request, &done())
            }
        })
    })
    .await;
    let home = Home::new();
    let mut client = plain(&home, &server.url(), &[]);
    let call = json!({ "name": "t", "arguments": { "x": 1 } });
    let opens = json!({ "elicitation": { "url": {} } });
    let asked = client.request("tools/call", &able(&opens, call.clone())).await;
    let asked = &asked["result"];
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert_eq!(
        asked["inputRequests"]["q0"],
        json!({
            "method": "elicitation/create",
            "params": { "mode": "url", "url": "https://a.example/go", "message": "Sign in there" },
        }),
        "the newer era has no id of its own for it"
    );
    let round = |arguments: Value| {
        json!({
            "name": "t", "arguments": arguments, "requestState": asked["requestState"],
            "inputResponses": { "q0": { "action": "accept" } },
        })
    };
    // Another call does not go on with it, and the call itself goes on once.
    let other = client
        .request("tools/call", &able(&opens, round(json!({ "x": 2 }))))
        .await;
    assert_eq!(other["error"]["code"], -32602, "{other}");
    assert_eq!(calls(&server), 1);
    let next = client
        .request("tools/call", &able(&opens, round(json!({ "x": 1 }))))
        .await;
    assert_eq!(next["result"]["content"][0]["text"], DONE, "{next}");
    assert_eq!(next["result"]["resultType"], "complete", "{next}");
    let again = client
        .request("tools/call", &able(&opens, round(json!({ "x": 1 }))))
        .await;
    assert_eq!(again["error"]["code"], -32602, "{again}");
    assert_eq!(calls(&server), 2);
    // A client that opens no addresses is told what it lacks.
    let forms = json!({ "elicitation": { "form": {} } });
    let refused = client.request("tools/call", &able(&forms, call)).await;
    assert_eq!(refused["error"]["code"], -32021, "{refused}");
    assert_eq!(
        refused["error"]["data"]["requiredCapabilities"],
        json!({ "elicitation": { "url": {} } })
    );
    client.close().await;
}

/// The server refuses the tool without a task; as a task it asks the person something, and is waited for.
#[tokio::test]
async fn a_tool_that_runs_as_a_task_only_is_run_as_one() {
    let (said, hears) = watch::channel(false);
    let server = Server::start(Begin::Plain, move |request| {
        let message = request.json();
        if message["id"] == "e1" && message["result"]["action"] == "accept" {
            said.send_replace(true);
            return Play::Answer(Answer::new(202, "", ""));
        }
        let hears = hears.clone();
        older(request, move |request| match request.what().as_str() {
            "tools/call" if message["params"]["task"].is_object() => answer(
                request,
                &json!({ "task": { "taskId": "t1", "status": "working", "ttl": null } }),
            ),
            "tasks/result" if message["params"]["taskId"] == "t1" => stream(vec![
                event(&json!({
                    "jsonrpc": "2.0", "id": "e1", "method": "elicitation/create",
                    "params": { "message": "Which?", "requestedSchema": { "type": "object", "properties": {} } },
                })),
                Step::Until(hears.clone()),
                event(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": done() })),
                Step::End,
            ]),
            // Also the call without a task.
            _ => refuse(request, -32601, &Value::Null),
        })
    })
    .await;
    let home = Home::new();
    let mut client = plain(&home, &server.url(), &[]);
    let forms = json!({ "elicitation": {} });
    let mut call = json!({ "name": "t", "arguments": {} });
    let asked = client.request("tools/call", &able(&forms, call.clone())).await;
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    call["requestState"] = asked["result"]["requestState"].clone();
    call["inputResponses"] = json!({ "q0": { "action": "accept", "content": {} } });
    let next = client.request("tools/call", &able(&forms, call)).await;
    assert_eq!(next["result"]["content"][0]["text"], DONE, "{next}");
    assert_eq!(next["result"]["resultType"], "complete", "{next}");
    assert_eq!(calls(&server), 2, "refused once, and run once");
    client.close().await;
}

/// The cancel of such a call is that of its task (2025-11-25, cancellation).
#[tokio::test]
async fn a_cancelled_call_that_is_a_task_there_is_cancelled_as_one() {
    let server = Server::start(Begin::Plain, move |request| {
        older(request, move |request| match request.what().as_str() {
            "tools/call" if request.json()["params"]["task"].is_object() => answer(
                request,
                &json!({ "task": { "taskId": "t1", "status": "working", "ttl": null } }),
            ),
            "tasks/result" => stream(vec![Step::Silence]),
            "tasks/cancel" => answer(request, &json!({ "taskId": "t1", "status": "cancelled" })),
            _ => refuse(request, -32601, &Value::Null),
        })
    })
    .await;
    let home = Home::new();
    let mut client = plain(&home, &server.url(), &[]);
    let call = modern(json!({ "name": "t", "arguments": {} }));
    let id = client.send("tools/call", &call).await;
    let asked = |what: &'static str| {
        let server = &server;
        async move || (server.count(|request| request.what() == what) > 0).then_some(())
    };
    crate::trade::until("the task to run", asked("tasks/result")).await;
    client
        .line(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        ))
        .await;
    crate::trade::until("its cancel", asked("tasks/cancel")).await;
    let cancels = server.count(|request| {
        request.what() == "notifications/cancelled"
            || (request.what() == "tasks/cancel" && request.json()["params"]["taskId"] != "t1")
    });
    assert_eq!(cancels, 0);
    client.close().await;
}

/// A method that the server really does not know stays one: nothing is asked twice for nothing.
#[tokio::test]
async fn a_refusal_of_a_server_without_tasks_is_its_answer() {
    let server = Server::start(Begin::Plain, |request| {
        let play = older(request, |request| refuse(request, -32601, &Value::Null));
        match play {
            Play::Answer(mut answer) if request.what() == "initialize" => {
                let text = String::from_utf8(answer.body).expect("text");
                answer.body = text.replace("\"tasks\"", "\"odd\"").into_bytes();
                Play::Answer(answer)
            }
            other => other,
        }
    })
    .await;
    let home = Home::new();
    let mut client = plain(&home, &server.url(), &[]);
    let called = client
        .request("tools/call", &modern(json!({ "name": "t", "arguments": {} })))
        .await;
    assert_eq!(called["error"]["code"], -32601, "{called}");
    assert_eq!(calls(&server), 1);
    client.close().await;
}
