//! What a service with sessions asks in the middle of a read: an answer that asks for input, and a next round (U-27 to
//! U-29, section 2.4).

use super::*;
use crate::support::sim::{client_answered, questions};

fn read() -> Value {
    json!({ "name": "GetQuote", "arguments": quote() })
}

async fn ask(bench: &Bench, kind: &str) {
    bench
        .sim
        .post("elicit", &json!({ "kind": kind, "tool": "GetQuote" }))
        .await;
}

fn accept() -> Value {
    json!({ "action": "accept", "content": { "session": "RTH" } })
}

#[tokio::test]
async fn a_question_becomes_a_round() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    let able = json!({ "elicitation": {}, "sampling": {}, "roots": {} });
    for (kind, method, answer) in questions() {
        ask(&bench, kind).await;
        let asked = client.request("tools/call", &by("Able", &able, read())).await;
        let asked = &asked["result"];
        assert_eq!(asked["resultType"], "input_required", "{kind}: {asked}");
        let questions = asked["inputRequests"].as_object().expect("questions");
        let (key, question) = questions.iter().next().expect("one");
        assert_eq!(question["method"], method, "{asked}");
        let mut next = read();
        next["requestState"] = asked["requestState"].clone();
        next["inputResponses"] = json!({ key: answer });
        let done = client
            .request("tools/call", &by("Able", &able, next.clone()))
            .await;
        let done = &done["result"];
        assert_eq!(done["resultType"], "complete", "{kind}: {done}");
        assert_eq!(client_answered(done), answer, "{kind}");
        // A round is gone through once.
        let again = client.request("tools/call", &by("Able", &able, next)).await;
        assert_eq!(again["error"]["code"], -32602, "{kind}: {again}");
    }
    // F-15: no request of a server was ever written here.
    assert!(
        client.aside().iter().all(|line| !line.contains("\"id\":\"cs-")),
        "{:?}",
        client.aside()
    );
    assert_eq!(bench.count("initialize").await, 1);
}

/// U-28: a round goes on with its own call alone, whatever the client brings.
#[tokio::test]
async fn a_round_belongs_to_its_own_request() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    let able = json!({ "elicitation": {} });
    ask(&bench, "elicitation").await;
    let asked = client.request("tools/call", &by("Able", &able, read())).await;
    let state = asked["result"]["requestState"].clone();
    assert!(state.is_string(), "{asked}");
    for (what, params) in [
        (
            "another state",
            json!({ "name": "GetQuote", "arguments": quote(), "requestState": "guessed", "inputResponses": {} }),
        ),
        (
            "no state",
            json!({ "name": "GetQuote", "arguments": quote(), "inputResponses": { "q0": accept() } }),
        ),
        (
            "no text",
            json!({ "name": "GetQuote", "arguments": quote(), "requestState": 1, "inputResponses": {} }),
        ),
        (
            "other arguments",
            json!({ "name": "GetQuote", "arguments": { "instrument": "ES 12-26" }, "requestState": state, "inputResponses": { "q0": accept() } }),
        ),
        (
            "another tool",
            json!({ "name": "ListAccounts", "arguments": {}, "requestState": state, "inputResponses": { "q0": accept() } }),
        ),
    ] {
        let refused = client.request("tools/call", &by("Able", &able, params)).await;
        assert_eq!(refused["error"]["code"], -32602, "{what}: {refused}");
    }
    assert_eq!(bench.count("tools/call").await, 1, "none of them was passed on");
    // And the call itself still waits for its own.
    let mut next = read();
    next["requestState"] = state;
    next["inputResponses"] = json!({ "q0": accept() });
    let done = client.request("tools/call", &by("Able", &able, next)).await;
    assert_eq!(done["result"]["resultType"], "complete", "{done}");
}

/// U-29: a client is not asked what it did not say it can do.
#[tokio::test]
async fn a_client_that_cannot_is_not_asked() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    for kind in ["elicitation", "sampling", "roots"] {
        ask(&bench, kind).await;
        let done = client.request("tools/call", &modern(read())).await;
        let done = &done["result"];
        assert_eq!(done["resultType"], "complete", "{kind}: {done}");
        assert_eq!(client_answered(done)["code"], -32601, "{kind}: {done}");
    }
}

/// C-01: the cancel of a read that runs reaches the service in its own words, and nothing more is written for it.
#[tokio::test]
async fn a_cancel_reaches_the_service() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    bench
        .sim
        .post(
            "fault",
            &json!({ "kind": "slow", "tool": "GetQuote", "seconds": 30 }),
        )
        .await;
    let mut params = call("GetQuote", &quote());
    params["_meta"]["progressToken"] = json!(77);
    let id = client.send("tools/call", &params).await;
    let progress = |line: &String| line.contains(r#""progressToken":77"#).then_some(());
    assert!(
        client.find(progress, PATIENCE).await.is_some(),
        "progress passes while it runs"
    );
    client
        .line(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        ))
        .await;
    bench
        .until("the cancel", async || {
            bench.count("notifications/cancelled").await == 1
        })
        .await;
    let before = client.aside().len();
    let rest = until_now(&mut client).await;
    assert!(
        rest.iter().all(|line| !line.contains(&format!(r#""id":{id},"#))),
        "{rest:?}"
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    let rest = until_now(&mut client).await;
    assert!(
        rest.iter().all(|line| !line.contains("progress")),
        "{before} {rest:?}"
    );
}
