//! Several conversations on one pipe, as a tunnel brings them: none knows of the others, and none may touch another's requests.

use super::everything::Server;
use super::{modern, names, plain};
use crate::support::program::{Client, Home};
use serde_json::{Value, json};
use std::time::Duration;

async fn send(client: &mut Client, id: &Value, method: &str, params: &Value) {
    let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    client.line(&message.to_string()).await;
}

async fn answer(client: &mut Client, id: &Value) -> Value {
    let is_it = |line: &String| {
        let value: Value = serde_json::from_str(line).ok()?;
        (value.get("method").is_none() && value["id"] == *id).then_some(value)
    };
    client
        .find(is_it, Duration::from_secs(20))
        .await
        .unwrap_or_else(|| panic!("no answer to {id}"))
}

fn hello(name: &str, version: &str, capabilities: &Value) -> Value {
    json!({
        "protocolVersion": version,
        "capabilities": capabilities,
        "clientInfo": { "name": name, "version": "1" },
    })
}

fn echo(text: &str) -> Value {
    json!({ "name": "echo", "arguments": { "message": text } })
}

fn long(seconds: u32) -> Value {
    json!({ "name": "trigger-long-running-operation", "arguments": { "duration": seconds, "steps": 2 } })
}

/// `1` and `"1"` are two ids: each request gets its own answer, and a cancel means one of them.
#[tokio::test]
async fn ids_that_look_alike() {
    let (home, server) = (Home::new(), Server::start().await);
    let mut client = plain(&home, &server.url, &[]);
    client.hello_as("2025-11-25", &json!({})).await;
    let (number, text) = (json!(77), json!("77"));
    send(&mut client, &number, "tools/call", &long(2)).await;
    send(&mut client, &text, "tools/call", &echo("other")).await;
    let said = answer(&mut client, &text).await;
    assert_eq!(said["result"]["content"][0]["text"], "Echo: other", "{said}");
    // The same id again, which the first conversation's has not become.
    send(&mut client, &text, "tools/call", &long(3)).await;
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "77" } });
    client.line(&cancel.to_string()).await;
    let said = answer(&mut client, &number).await;
    assert!(said["result"].to_string().contains("completed"), "{said}");
    // Nothing is written for the cancelled one, and its id is free.
    send(&mut client, &text, "tools/call", &echo("after")).await;
    let said = answer(&mut client, &text).await;
    assert_eq!(said["result"]["content"][0]["text"], "Echo: after", "{said}");
}

/// A second conversation shakes hands in the middle of the first one's call, in another revision and with other abilities.
#[tokio::test]
async fn handshakes_between_calls() {
    let (home, server) = (Home::new(), Server::start().await);
    let mut client = plain(&home, &server.url, &[]);
    let first = json!({ "sampling": {} });
    send(
        &mut client,
        &json!("a0"),
        "initialize",
        &hello("a", "2025-11-25", &first),
    )
    .await;
    assert_eq!(
        answer(&mut client, &json!("a0")).await["result"]["protocolVersion"],
        "2025-11-25"
    );
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    client.line(&ready.to_string()).await;
    send(&mut client, &json!("a1"), "tools/call", &long(2)).await;
    send(
        &mut client,
        &json!("b0"),
        "initialize",
        &hello("b", "2025-06-18", &json!({})),
    )
    .await;
    send(&mut client, &json!("b1"), "tools/call", &echo("b")).await;
    assert_eq!(
        answer(&mut client, &json!("b0")).await["result"]["protocolVersion"],
        "2025-06-18"
    );
    let said = answer(&mut client, &json!("b1")).await;
    assert_eq!(said["result"]["content"][0]["text"], "Echo: b", "{said}");
    let said = answer(&mut client, &json!("a1")).await;
    assert!(said["result"].to_string().contains("completed"), "{said}");
    // The first one shakes hands once more: it gets what it got.
    send(
        &mut client,
        &json!("a2"),
        "initialize",
        &hello("a", "2025-11-25", &first),
    )
    .await;
    assert_eq!(
        answer(&mut client, &json!("a2")).await["result"]["protocolVersion"],
        "2025-11-25"
    );
}

/// Both eras on one pipe: each request is answered in its own, and is asked back in its own.
#[tokio::test]
async fn both_eras() {
    let (home, server) = (Home::new(), Server::start().await);
    let mut client = plain(&home, &server.url, &[]);
    let able = json!({ "sampling": {} });
    send(
        &mut client,
        &json!(1),
        "initialize",
        &hello("a", "2025-11-25", &able),
    )
    .await;
    answer(&mut client, &json!(1)).await;
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    client.line(&ready.to_string()).await;
    send(&mut client, &json!("1"), "tools/list", &modern(json!({}))).await;
    send(&mut client, &json!(2), "tools/list", &json!({})).await;
    let newer = answer(&mut client, &json!("1")).await;
    assert_eq!(newer["result"]["resultType"], "complete", "{newer}");
    let older = answer(&mut client, &json!(2)).await;
    assert!(older["result"].get("resultType").is_none(), "{older}");
    assert_eq!(names(&older).len(), names(&newer).len());

    let ask = json!({ "name": "trigger-sampling-request", "arguments": { "prompt": "hi", "maxTokens": 5 } });
    let said =
        json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": "well sampled" } });
    // The one without a handshake says that it can sample; it is asked in rounds, the other with a request.
    let mut params = modern(ask.clone());
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = able;
    send(&mut client, &json!("2"), "tools/call", &params).await;
    let first = answer(&mut client, &json!("2")).await;
    assert_eq!(first["result"]["resultType"], "input_required", "{first}");
    send(&mut client, &json!(3), "tools/call", &ask).await;
    let asked = |line: &String| {
        let value: Value = serde_json::from_str(line).ok()?;
        (value["method"] == "sampling/createMessage").then_some(value)
    };
    let question = client
        .find(asked, Duration::from_secs(20))
        .await
        .expect("a question");
    let reply = json!({ "jsonrpc": "2.0", "id": question["id"], "result": said });
    client.line(&reply.to_string()).await;
    assert!(
        answer(&mut client, &json!(3))
            .await
            .to_string()
            .contains("well sampled")
    );
    let requests = first["result"]["inputRequests"].as_object().expect("questions");
    let name = requests.keys().next().expect("one").clone();
    params["inputResponses"] = json!({ name: said });
    params["requestState"] = first["result"]["requestState"].clone();
    send(&mut client, &json!("3"), "tools/call", &params).await;
    assert!(
        answer(&mut client, &json!("3"))
            .await
            .to_string()
            .contains("well sampled")
    );
    // One that has not said that it can is not asked, although another one on this pipe can.
    send(&mut client, &json!("4"), "tools/call", &modern(ask)).await;
    let refused = answer(&mut client, &json!("4")).await;
    assert_ne!(refused["result"]["resultType"], "input_required", "{refused}");
}

/// What a resource's followers are told: each in its own words, and nobody else.
#[tokio::test]
async fn two_follow_one_resource() {
    let (home, server) = (Home::new(), Server::start().await);
    let mut client = plain(&home, &server.url, &[]);
    send(
        &mut client,
        &json!(1),
        "initialize",
        &hello("a", "2025-11-25", &json!({})),
    )
    .await;
    answer(&mut client, &json!(1)).await;
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    client.line(&ready.to_string()).await;
    let uri = "demo://resource/dynamic/text/1";
    let wish = json!({ "notifications": { "resourceSubscriptions": [uri] } });
    send(&mut client, &json!("l"), "subscriptions/listen", &modern(wish)).await;
    let acknowledged = |line: &String| {
        let value: Value = serde_json::from_str(line).ok()?;
        (value["method"] == "notifications/subscriptions/acknowledged").then_some(value)
    };
    let told = client
        .find(acknowledged, Duration::from_secs(20))
        .await
        .expect("acknowledged");
    let subscription = "io.modelcontextprotocol/subscriptionId";
    assert_eq!(told["params"]["_meta"][subscription], "l", "{told}");
    assert_eq!(
        told["params"]["notifications"]["resourceSubscriptions"],
        json!([uri])
    );
    send(
        &mut client,
        &json!(2),
        "resources/subscribe",
        &json!({ "uri": uri }),
    )
    .await;
    assert_eq!(answer(&mut client, &json!(2)).await["result"], json!({}));
    // The server begins to tell of updates, some seconds apart.
    let toggle = json!({ "name": "toggle-subscriber-updates", "arguments": {} });
    send(&mut client, &json!(3), "tools/call", &toggle).await;
    answer(&mut client, &json!(3)).await;
    let updated = |tagged: bool| {
        move |line: &String| {
            let value: Value = serde_json::from_str(line).ok()?;
            let is_tagged = value["params"]["_meta"].get(subscription).is_some();
            (value["method"] == "notifications/resources/updated" && is_tagged == tagged).then_some(value)
        }
    };
    let newer = client
        .find(updated(true), Duration::from_secs(20))
        .await
        .expect("told");
    assert_eq!(newer["params"]["_meta"][subscription], "l", "{newer}");
    let older = client
        .find(updated(false), Duration::from_secs(20))
        .await
        .expect("told");
    assert_eq!(older["params"]["uri"], uri, "{older}");
}
