//! Sessions, streams, revisions, lists.

use std::time::Duration;

use crosstrade_sim::options::{Answers, Era, Options, Vocabulary};
use futures_util::StreamExt as _;
use reqwest::Method;
use rmcp::model::{CallToolResult, InitializeResult, ListToolsResult};
use serde_json::{Value, json};

use crate::support::{Desk, Mcp, body, buy_one, events, final_message, header, quiet};

#[tokio::test]
async fn a_session_is_needed_known_and_ended() {
    let desk = Desk::new(quiet()).await;
    let mut mcp = desk.session("mcp:read").await;
    let id = std::mem::take(&mut mcp.id);
    let ping = json!({"jsonrpc":"2.0","id":1,"method":"ping"});
    assert_eq!(mcp.post(&ping).send().await.unwrap().status(), 400);
    mcp.id = "unknown".into();
    assert_eq!(mcp.post(&ping).send().await.unwrap().status(), 404);
    mcp.id = id;
    assert_eq!(mcp.request("ping", json!({})).await["result"], json!({}));
    assert_eq!(mcp.http(Method::DELETE).send().await.unwrap().status(), 200);
    assert_eq!(mcp.post(&ping).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn nothing_but_ping_before_initialized() {
    let desk = Desk::new(quiet()).await;
    let tokens = desk.login("mcp:read").await;
    let mut mcp = Mcp::open(&desk, tokens, "2025-06-18").await;
    mcp.id.clear();
    let init = json!({"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"1999-01-01","capabilities":{},"clientInfo":{"name":"x","version":"1"}}});
    let response = mcp.post(&init).send().await.unwrap();
    mcp.id = header(&response, "mcp-session-id");
    mcp.version = "2025-11-25";
    let answer = final_message(response).await;
    assert_eq!(
        (&answer["id"], &answer["result"]["protocolVersion"]),
        (&json!("i"), &json!("2025-11-25"))
    );
    serde_json::from_value::<InitializeResult>(answer["result"].clone()).unwrap();
    assert_eq!(
        mcp.request("tools/list", json!({})).await["error"]["code"],
        -32600
    );
    assert_eq!(mcp.request("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn the_list_depends_on_the_scope_and_the_call_is_refused() {
    for vocabulary in [Vocabulary::Snake, Vocabulary::Camel] {
        let desk = Desk::new(Options {
            vocabulary,
            ..quiet()
        })
        .await;
        let read = desk.session("mcp:read").await;
        let trade = desk.session("mcp:trade").await;
        let (seen, all) = (read.tools().await, trade.tools().await);
        assert_eq!((seen.len(), all.len()), (45, 81));
        assert!(!seen.iter().any(|t| t["name"] == "PlaceOrder"));
        let list = json!({"tools": all});
        let parsed: ListToolsResult = serde_json::from_value(list).unwrap();
        assert!(parsed.tools.iter().all(|t| t.annotations.is_some()));
        assert!(
            all.iter()
                .all(|t| t["inputSchema"]["additionalProperties"] == false)
        );
        let refused = read.send_call("PlaceOrder", buy_one()).await.unwrap();
        assert_eq!(refused.status(), 403);
        assert!(
            header(&refused, "www-authenticate")
                .contains("error=\"insufficient_scope\", scope=\"mcp:trade\"")
        );
        assert_eq!(desk.executed().await, 0);
    }
}

#[tokio::test]
async fn every_revision_is_spoken() {
    let desk = Desk::new(quiet()).await;
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let tokens = desk.login("mcp:read").await;
        let mcp = Mcp::open(&desk, tokens, version).await;
        assert_eq!(
            mcp.call("GetQuote", json!({"instrument":"ES"})).await["last"],
            6002.5
        );
        let batch = json!([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"},{"jsonrpc":"2.0","id":"b","method":"ping"}]);
        let response = mcp.post(&batch).send().await.unwrap();
        if version == "2025-03-26" {
            let answers = body(response).await;
            assert_eq!(answers.as_array().unwrap().len(), 2);
            assert_eq!(answers[1]["id"], "b");
        } else {
            assert_eq!(response.status(), 400);
        }
    }
}

#[tokio::test]
async fn answers_come_as_ordered() {
    for (answers, json_list, json_call) in [
        (Answers::Json, true, true),
        (Answers::Mixed, true, false),
        (Answers::Sse, false, false),
    ] {
        let desk = Desk::new(Options { answers, ..quiet() }).await;
        let mcp = desk.session("mcp:read").await;
        let list = mcp
            .post(&json!({"jsonrpc":"2.0","id":7,"method":"tools/list"}))
            .send()
            .await
            .unwrap();
        assert_eq!(header(&list, "content-type") == "application/json", json_list);
        let call = mcp.send_call("ListAccounts", json!({})).await.unwrap();
        assert_eq!(header(&call, "content-type") == "application/json", json_call);
        let result = final_message(call).await["result"].clone();
        serde_json::from_value::<CallToolResult>(result).unwrap();
    }
}

#[tokio::test]
async fn a_broken_stream_is_resumed() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    desk.order("/fault", r#"{"kind":"sse_cut_midevent","tool":"PlaceOrder"}"#)
        .await;
    let mut stream = mcp
        .send_call("PlaceOrder", buy_one())
        .await
        .unwrap()
        .bytes_stream();
    let mut text = String::new();
    let broken = loop {
        match stream.next().await {
            Some(Ok(bytes)) => text.push_str(std::str::from_utf8(&bytes).unwrap()),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken && events(&text).0.is_empty());
    // The id of the priming event is the last one that came whole.
    let last = text.lines().find_map(|l| l.strip_prefix("id: ")).unwrap();
    let resumed = mcp
        .http(Method::GET)
        .header("last-event-id", last)
        .send()
        .await
        .unwrap();
    let answer = final_message(resumed).await;
    assert_eq!(answer["result"]["structuredContent"]["status"], "Filled");
    assert_eq!(desk.executed().await, 1);
    let unknown = mcp
        .http(Method::GET)
        .header("last-event-id", "999-1")
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 400);
}

async fn next_message(
    stream: &mut (impl futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Unpin),
) -> Value {
    loop {
        let bytes = stream.next().await.unwrap().unwrap();
        if let Some(message) = events(std::str::from_utf8(&bytes).unwrap()).0.pop() {
            return message;
        }
    }
}

#[tokio::test]
async fn the_standalone_stream_tells_of_changes() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    let mut stream = mcp.http(Method::GET).send().await.unwrap().bytes_stream();
    assert_eq!(
        desk.order("/fault", r#"{"kind":"schema_change"}"#).await["told"],
        1
    );
    assert_eq!(
        next_message(&mut stream).await["method"],
        "notifications/tools/list_changed"
    );
    let tools = mcp.tools().await;
    let place = tools.iter().find(|t| t["name"] == "PlaceOrder").unwrap();
    assert!(place["inputSchema"]["properties"]["routing"].is_object());
    desk.order("/fault", r#"{"kind":"new_tool"}"#).await;
    next_message(&mut stream).await;
    assert_eq!(mcp.tools().await.len(), 82);
    let odd = r#"{"jsonrpc":"2.0","method":"notifications/odd","params":{"n":1.0e2,"n2":1}}"#;
    desk.order("/notify", odd).await;
    assert_eq!(next_message(&mut stream).await["method"], "notifications/odd");
}

#[tokio::test]
async fn a_slow_call_reports_and_can_be_cancelled() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    desk.order("/fault", r#"{"kind":"slow","seconds":0.35,"times":1}"#)
        .await;
    let mut message = mcp.call_message("GetQuote", &json!({"instrument":"ES"}));
    message["params"]["_meta"] = json!({"progressToken": "p"});
    let text = mcp.post(&message).send().await.unwrap().text().await.unwrap();
    let (messages, _) = events(&text);
    assert!(messages.len() >= 3 && messages[0]["params"]["progressToken"] == "p");
    desk.order("/fault", r#"{"kind":"slow","seconds":30,"tool":"PlaceOrder"}"#)
        .await;
    let call = mcp.call_message("PlaceOrder", &buy_one());
    let id = call["id"].clone();
    let response = mcp.post(&call).send().await.unwrap();
    let cancel = json!({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":id}});
    assert_eq!(mcp.post(&cancel).send().await.unwrap().status(), 202);
    let text = tokio::time::timeout(Duration::from_secs(2), response.text())
        .await
        .unwrap()
        .unwrap();
    assert!(events(&text).0.is_empty(), "a cancelled call is not answered");
    assert_eq!(desk.executed().await, 0);
}

#[tokio::test]
async fn the_server_can_ask_the_client() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:read").await;
    for (kind, method) in [
        ("elicitation", "elicitation/create"),
        ("sampling", "sampling/createMessage"),
        ("roots", "roots/list"),
    ] {
        desk.order("/elicit", json!({"kind": kind})).await;
        let mut stream = mcp
            .send_call("ListAccounts", json!({}))
            .await
            .unwrap()
            .bytes_stream();
        let question = next_message(&mut stream).await;
        assert_eq!(question["method"], method);
        let answer = json!({"jsonrpc":"2.0","id":question["id"],"result":{"said":kind}});
        assert_eq!(mcp.post(&answer).send().await.unwrap().status(), 202);
        let result = next_message(&mut stream).await;
        let said = result["result"]["content"][1]["text"].as_str().unwrap();
        assert!(said.contains(kind));
    }
}

#[tokio::test]
async fn an_answer_goes_out_byte_for_byte() {
    let desk = Desk::new(Options {
        answers: Answers::Json,
        ..quiet()
    })
    .await;
    let mcp = desk.session("mcp:read").await;
    let odd = r#"{"content":[],"n":1.10e+02,"big":123456789012345678901234567890,"b":1,"a":{"z":"\u00e9\ud83d\ude00"}}"#;
    desk.order("/answer", format!(r#"{{"tool":"GetQuote","result":{odd}}}"#))
        .await;
    let response = mcp
        .send_call("GetQuote", json!({"instrument":"ES"}))
        .await
        .unwrap();
    assert!(
        response
            .text()
            .await
            .unwrap()
            .contains(&format!("\"result\":{odd}}}"))
    );
}

#[tokio::test]
async fn resources_prompts_and_completion() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:read").await;
    let read = mcp
        .request("resources/read", json!({"uri":"crosstrade://quote/ES"}))
        .await;
    assert!(
        read["result"]["contents"][0]["text"]
            .as_str()
            .unwrap()
            .contains("6002.5")
    );
    let missing = mcp
        .request("resources/read", json!({"uri":"crosstrade://no"}))
        .await;
    assert_eq!(missing["error"]["code"], -32002);
    let prompt = json!({"name":"pre-trade-check","arguments":{"account":"Sim101","instrument":"ES"}});
    let prompt = mcp.request("prompts/get", prompt).await;
    assert!(
        prompt["result"]["messages"][0]["content"]["text"]
            .as_str()
            .unwrap()
            .contains("Sim101")
    );
    let complete = json!({"ref":{"type":"ref/prompt","name":"pre-trade-check"},"argument":{"name":"instrument","value":"m"}});
    let complete = mcp.request("completion/complete", complete).await;
    assert_eq!(
        complete["result"]["completion"]["values"],
        json!(["MES", "MNQ", "MYM"])
    );
    assert_eq!(
        mcp.request("nothing/there", json!({})).await["error"]["code"],
        -32601
    );
}

#[tokio::test]
async fn the_record_shows_who_carried_what() {
    let desk = Desk::new(quiet()).await;
    let read = desk.session("mcp:read").await;
    let trade = desk.session("mcp:trade").await;
    read.call("ListAccounts", json!({})).await;
    trade.call("PlaceOrder", buy_one()).await;
    let calls = desk.ask("/calls").await;
    let calls: Vec<(&str, &str)> = calls
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| Some((c["tool"].as_str()?, c["grant"].as_str()?)))
        .collect();
    assert_eq!(calls, [("ListAccounts", "mcp:read"), ("PlaceOrder", "mcp:trade")]);
    let executed = desk.ask("/executed").await;
    assert_eq!(
        (&executed[0]["tool"], &executed[0]["grant"]),
        (&json!("PlaceOrder"), &json!("mcp:trade"))
    );
    assert_eq!(executed[0]["arguments"], buy_one());
    assert_eq!(desk.ask("/requests").await["tools/call"], 2);
    let raw = desk.ask("/raw?n=1").await;
    assert!(raw[0]["text"].as_str().unwrap().contains("PlaceOrder"));
}

fn modern(method: &str, name: Option<&str>, params: &Value) -> (Value, Vec<(&'static str, String)>) {
    let mut params = params.clone();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut headers = vec![
        ("mcp-protocol-version", "2026-07-28".to_owned()),
        ("mcp-method", method.to_owned()),
    ];
    headers.extend(name.map(|n| ("mcp-name", n.to_owned())));
    (
        json!({"jsonrpc":"2.0","id":1,"method":method,"params":params}),
        headers,
    )
}

#[tokio::test]
async fn the_stateless_revision() {
    let desk = Desk::new(Options {
        era: Era::Both,
        ..quiet()
    })
    .await;
    let mut mcp = desk.session("mcp:trade").await;
    mcp.id.clear();
    let send = async |(message, headers): (Value, Vec<(&'static str, String)>)| {
        let request = headers
            .into_iter()
            .fold(mcp.post(&message), |r, (n, v)| r.header(n, v));
        request.send().await.unwrap()
    };
    let found = body(send(modern("server/discover", None, &json!({}))).await).await;
    assert_eq!(found["result"]["supportedVersions"][0], "2026-07-28");
    let call = json!({"name":"PlaceOrder","arguments":buy_one()});
    let done = final_message(send(modern("tools/call", Some("PlaceOrder"), &call)).await).await;
    assert_eq!(done["result"]["resultType"], "complete");
    assert_eq!(done["result"]["structuredContent"]["status"], "Filled");
    let lying = send(modern("tools/call", Some("GetQuote"), &call)).await;
    assert_eq!(lying.status(), 400);
    assert_eq!(body(lying).await["error"]["code"], -32020);
    assert_eq!(
        send(modern("logging/setLevel", None, &json!({}))).await.status(),
        404
    );
    assert_eq!(desk.executed().await, 1);
    let only = Desk::new(Options {
        era: Era::Modern,
        ..quiet()
    })
    .await;
    let tokens = only.login("mcp:read").await;
    let init =
        json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}});
    let response = only
        .http
        .post(&only.sim.addresses.mcp_url)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("authorization", format!("Bearer {}", tokens.access))
        .body(init.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(body(response).await["error"]["code"], -32022);
}
