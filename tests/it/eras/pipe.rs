//! One pipe, many conversations (F-14): repeated and interleaved handshakes, both eras, ids that look alike.

use super::*;
use crate::support::desktop::Button;
use crate::support::program::{status, text};
use crate::trade::{Desk, bid, buy};

fn request(id: &str, method: &str, params: &Value) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

fn hello(name: &str, version: &str) -> Value {
    json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": name, "version": "1" } })
}

/// N-01, N-04, N-07: every order of handshakes and discoveries is served, each in its own words.
#[tokio::test]
async fn both_eras_interleaved() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    for round in 0..3 {
        let found = client.request("server/discover", &modern(json!({}))).await;
        assert_eq!(
            found["result"]["supportedVersions"][0], "2026-07-28",
            "{round}: {found}"
        );
        let greeted = client.hello_as("2025-06-18", &json!({})).await;
        assert_eq!(
            greeted["result"]["protocolVersion"], "2025-06-18",
            "{round}: {greeted}"
        );
        assert!(greeted["result"].get("resultType").is_none(), "{greeted}");
        let newer = client.send("tools/call", &call("GetQuote", &quote())).await;
        let older = client.send_call("GetQuote", &quote()).await;
        let listed = client.request("tools/list", &modern(json!({}))).await;
        assert_eq!(listed["result"]["resultType"], "complete", "{listed}");
        let listed = client.request("tools/list", &json!({})).await;
        assert!(listed["result"].get("resultType").is_none(), "{listed}");
        let (older, newer) = (client.result(older).await, client.result(newer).await);
        assert_eq!(
            (&older["isError"], older.get("resultType")),
            (&json!(false), None),
            "{older}"
        );
        assert_eq!(
            (&newer["isError"], &newer["resultType"]),
            (&json!(false), &json!("complete")),
            "{newer}"
        );
        // A handshake that asks for the newer revision is answered in an older one.
        let odd = client.request("initialize", &hello("Odd", "2026-07-28")).await;
        assert_eq!(odd["result"]["protocolVersion"], "2025-11-25", "{odd}");
        assert_eq!(client.request("ping", &json!({})).await["result"], json!({}));
    }
}

/// F-05: `"1"` and `1` are two requests; the same one twice at a time is refused, and each is answered under what it wrote.
#[tokio::test]
async fn ids_that_look_alike() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    bench
        .sim
        .post(
            "fault",
            &json!({ "kind": "stall", "tool": "GetQuote", "seconds": 5 }),
        )
        .await;
    let read = call("GetQuote", &quote());
    client.line(&request("1", "tools/call", &read)).await;
    client
        .line(&request(r#""1""#, "tools/list", &modern(json!({}))))
        .await;
    let text_id = client.raw_answer(r#""1""#).await;
    assert!(text_id.contains(r#""tools":["#), "{text_id}");
    client.line(&request("1", "tools/list", &modern(json!({})))).await;
    let refused = client.raw_answer("1").await;
    assert!(
        refused.contains("-32600") && refused.contains("still open"),
        "{refused}"
    );
    let answer = client.raw_answer("1").await;
    assert!(answer.contains(r#""isError":false"#), "{answer}");
    // Now it is free again, for either era.
    client.line(&request("1", "tools/list", &modern(json!({})))).await;
    assert!(client.raw_answer("1").await.contains("resultType"));
}

/// One conversation's cancel, its end and its new handshake leave the order of another alone.
#[tokio::test]
async fn a_cancel_touches_its_own_request_alone() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let order = by(
        "Second",
        &json!({}),
        json!({ "name": "PlaceOrder", "arguments": buy() }),
    );
    client.line(&request(r#""7""#, "tools/call", &order)).await;
    desk.card().await;
    // The first one calls and cancels under an id that looks the same, and shakes hands anew.
    for id in ["7", "8"] {
        client
            .line(&request(
                id,
                "tools/call",
                &json!({ "name": "PlaceOrder", "arguments": bid(5000.0) }),
            ))
            .await;
        client
            .line(&format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
            ))
            .await;
    }
    client.hello_as("2025-11-25", &json!({})).await;
    client
        .request(
            "server/discover",
            &by("Third", &json!({ "roots": {} }), json!({})),
        )
        .await;
    let held = || {
        desk.tickets()
            .into_iter()
            .find(|ticket| ticket["client"] == "Second")
    };
    assert_eq!(held().expect("the order")["state"], "held");
    crate::trade::until("the others to end", async || {
        let others = desk
            .tickets()
            .into_iter()
            .filter(|ticket| ticket["client"] != "Second");
        others
            .into_iter()
            .all(|ticket| ticket["state"] == "withdrawn")
            .then_some(())
    })
    .await;
    desk.desktop.settle();
    desk.desktop.click(Button::Middle);
    let answer = client.raw_answer(r#""7""#).await;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(
        status(&answer["result"]),
        "accepted",
        "{}",
        text(&answer["result"])
    );
    client.close().await;
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"]);
    assert_eq!(desk.sent("PlaceOrder").await, 1);
}

/// Clients of different abilities: each request runs in a session that knows what its own client can do, and neither
/// takes the other's away.
#[tokio::test]
async fn sessions_know_what_their_own_client_can_do() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client.hello_as("2025-11-25", &json!({ "roots": {} })).await;
    let able = json!({ "elicitation": {} });
    let read = json!({ "name": "GetQuote", "arguments": quote() });
    for _ in 0..3 {
        let newer = client
            .request("tools/call", &by("Able", &able, read.clone()))
            .await;
        assert_eq!(newer["result"]["isError"], false, "{newer}");
        assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    }
    let sessions = bench.sim.get("status").await["session_list"].clone();
    let known: Vec<&Value> = sessions
        .as_array()
        .expect("a list")
        .iter()
        .map(|session| &session["capabilities"])
        .collect();
    assert_eq!(known.len(), 2, "{known:?}");
    assert!(
        known.contains(&&json!({ "roots": {} })) && known.contains(&&able),
        "{known:?}"
    );
    assert_eq!(
        bench.count("initialize").await,
        2,
        "none is opened again and again"
    );
}

/// A question on a session's standing stream is for a client of that session: another session's call does not take it.
#[tokio::test]
async fn questions_without_a_request_stay_in_their_session() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client
        .hello_as("2025-11-25", &json!({ "elicitation": {}, "roots": {} }))
        .await;
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    bench
        .sim
        .post(
            "fault",
            &json!({ "kind": "stall", "tool": "GetQuote", "seconds": 15 }),
        )
        .await;
    let read = json!({ "name": "GetQuote", "arguments": quote() });
    let newer = client
        .send("tools/call", &by("Able", &json!({ "elicitation": {} }), read))
        .await;
    bench
        .until("two sessions", async || {
            bench.sim.get("status").await["open_get_streams"] == 2 && bench.count("tools/call").await == 2
        })
        .await;
    let told = bench
        .sim
        .post(
            "notify",
            &json!({
                "jsonrpc": "2.0", "id": 901, "method": "elicitation/create",
                "params": { "message": "Which?", "requestedSchema": { "type": "object", "properties": {} } },
            }),
        )
        .await;
    assert_eq!(told["told"], 2, "{told}");
    let question = client.said("elicitation/create").await;
    assert_eq!(question["id"], 901, "{question}");
    let rounds = client.result(newer).await;
    assert_eq!(rounds["resultType"], "input_required", "{rounds}");
    assert_eq!(
        rounds["inputRequests"].as_object().expect("questions").len(),
        1,
        "{rounds}"
    );
}

/// Clients of several abilities that take turns: each has a session, and none is opened anew for each request.
#[tokio::test]
async fn several_clients_of_other_abilities_take_turns() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client.hello_as("2025-11-25", &json!({ "roots": {} })).await;
    let read = json!({ "name": "GetQuote", "arguments": quote() });
    for _ in 0..3 {
        for able in [json!({ "elicitation": {} }), json!({ "sampling": {} }), json!({})] {
            let newer = client
                .request("tools/call", &by("Able", &able, read.clone()))
                .await;
            assert_eq!(newer["result"]["isError"], false, "{newer}");
        }
    }
    assert_eq!(bench.count("initialize").await, 4);
    // More of them than there is room for: the one that was longest away gives its place.
    for able in [
        json!({ "sampling": {}, "roots": {} }),
        json!({ "elicitation": {}, "roots": {} }),
        json!({ "sampling": {} }),
        json!({ "elicitation": {} }),
    ] {
        let newer = client
            .request("tools/call", &by("Able", &able, read.clone()))
            .await;
        assert_eq!(newer["result"]["isError"], false, "{newer}");
    }
    assert_eq!(bench.count("initialize").await, 7);
    client.close().await;
    let left = bench.sim.get("status").await["session_list"].clone();
    assert_eq!(left, json!([]), "all are ended");
}

/// A result with a repeated key is passed on whole: an empty success would be read as "no positions".
#[tokio::test]
async fn a_result_with_a_repeated_key_is_not_emptied() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    let odd = r#"{"content":[{"type":"text","text":"LONG 5 MES"}],"isError":false,"note":1,"note":2}"#;
    for era in ["newer", "older"] {
        bench
            .sim
            .post_text("answer", &format!(r#"{{"tool":"ListPositions","result":{odd}}}"#))
            .await;
        let read = json!({ "name": "ListPositions", "arguments": {} });
        let id = if era == "newer" {
            client.send("tools/call", &modern(read)).await
        } else {
            client.hello_as("2025-11-25", &json!({})).await;
            client.send("tools/call", &read).await
        };
        let line = client.raw_answer(&id.to_string()).await;
        let is_whole = line.contains("LONG 5 MES") && line.contains(r#""note":1,"note":2"#);
        assert!(is_whole, "{era}: {line}");
    }
}
