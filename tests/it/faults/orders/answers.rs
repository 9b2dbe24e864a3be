//! What comes back is no answer, a refusal, or a redirect.

use super::*;

#[tokio::test]
async fn answers_that_are_none() {
    let mut bench = Bench::new("orders-answers").await;
    let says = |status: u16, kind: &'static str, body: &'static str| {
        ran(move |_| Play::Answer(Answer::new(status, kind, body)))
    };
    bench.case("202 without an answer", &RAN, says(202, "", "")).await;
    bench.case("204", &RAN, says(204, "", "")).await;
    bench
        .case("empty body", &RAN, says(200, "application/json", ""))
        .await;
    bench
        .case(
            "a page (HTML)",
            &RAN,
            says(200, "text/html", "<html>Welcome to the hotel</html>"),
        )
        .await;
    bench.case("no content type", &RAN, says(200, "", "{}")).await;
    bench
        .case(
            "JSON that is no answer",
            &RAN,
            says(200, "application/json", r#"{"ok":true}"#),
        )
        .await;
    bench
        .case(
            "compressed although nobody asked for it",
            &RAN,
            ran(|answer| {
                let body = gzip(&answer.body);
                Play::Answer(Answer::new(200, "application/json", body).with("content-encoding", "gzip"))
            }),
        )
        .await;
    bench
        .case(
            "answer to another id",
            &RAN,
            ran(|answer| {
                let mut message = answer.message();
                message["id"] = json!("somebody-else");
                json_answer(200, &message)
            }),
        )
        .await;
    bench
        .case(
            "answer to another id first, then the right one",
            &FINE,
            ran_raw(|message| {
                let mut other = message.clone();
                other["id"] = json!("somebody-else");
                other["result"] = json!({ "content": [] });
                events(format!("data: {other}\n\ndata: {message}\n\n"))
            }),
        )
        .await;
    bench
        .case(
            "answered twice, the second time otherwise",
            &FINE,
            ran_raw(|message| {
                let mut other = message.clone();
                other["result"] = json!({ "content": [], "isError": true });
                events(format!("data: {message}\n\ndata: {other}\n\n"))
            }),
        )
        .await;
    let no = |id: Value| {
        let error = json!({ "code": -32600, "message": "Invalid Request" });
        json!({ "jsonrpc": "2.0", "id": id, "error": error })
    };
    bench
        .case(
            "an error without an id first, then the right answer",
            &RAN,
            ran_raw(move |message| events(format!("data: {}\n\ndata: {message}\n\n", no(Value::Null)))),
        )
        .await;
    bench
        .case(
            "a batch of two answers, the first one an error",
            &RAN,
            ran(move |answer| {
                let message = answer.message();
                json_answer(200, &json!([no(message["id"].clone()), message]))
            }),
        )
        .await;
    bench
        .case(
            "an error that says that it was not taken, although it was run",
            &RAN,
            ran(move |answer| json_answer(200, &no(answer.message()["id"].clone()))),
        )
        .await;
    bench
        .case(
            "the same with status 500",
            &RAN,
            ran(move |answer| json_answer(500, &no(answer.message()["id"].clone()))),
        )
        .await;
    bench
        .case(
            "lines that end in CR alone",
            &FINE,
            ran_raw(|message| events(format!("event: message\rdata: {message}\r\r"))),
        )
        .await;
    bench
        .case(
            "lines that end in CRLF",
            &FINE,
            ran_raw(|message| events(format!("event: message\r\ndata: {message}\r\n\r\n"))),
        )
        .await;
    bench
        .case(
            "byte order mark before the stream",
            &FINE,
            ran_raw(|message| events(format!("\u{feff}data: {message}\n\n"))),
        )
        .await;
    bench
        .case(
            "HTTP/1.0, body until the end",
            &FINE,
            ran_raw(|message| {
                let head = "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n";
                vec![Step::Send(format!("{head}{message}").into_bytes()), Step::End]
            }),
        )
        .await;
    bench.done().await;
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

#[tokio::test]
async fn refusals() {
    let mut bench = Bench::new("orders-statuses").await;
    let says = |status: u16, value: Value| once(json_answer(status, &value));
    for status in [500, 502, 503, 504] {
        let fault = format!("{status}, although it was run");
        bench
            .case(
                &fault,
                &RAN,
                ran(move |_| json_answer(status, &json!({ "error": "server_error" }))),
            )
            .await;
    }
    bench
        .case(
            "408 after it was run",
            &RAN,
            ran(|_| json_answer(408, &json!({ "error": "addon_disconnected" }))),
        )
        .await;
    bench
        .case(
            "429 in words that nobody documented",
            &LOST,
            says(429, json!({ "error": "slow down" })),
        )
        .await;
    // The documented words prove that it was not run. An approval is not used a second time by itself: a person is asked,
    // and here is none.
    let limited = json!({ "error": "Rate limit exceeded" });
    let not_sent = expect(&["voided", "expired", "refused"], 1, 0);
    bench
        .case(
            "429 in the documented words",
            &not_sent,
            says(429, limited.clone()),
        )
        .await;
    let later = move |_| {
        Some(Play::Answer(
            Answer::new(429, "application/json", limited.to_string()).with("retry-after", "30"),
        ))
    };
    bench
        .case("429 in the documented words, Retry-After: 30", &not_sent, later)
        .await;
    bench
        .case("403 without a reason", &LOST, says(403, json!({ "error": "no" })))
        .await;
    bench
        .case(
            "403 about the plan",
            &expect(&["voided"], 1, 0),
            says(403, json!({ "error": "MCP requires an Elite subscription" })),
        )
        .await;
    bench
        .case("401", &not_sent, says(401, json!({ "error": "invalid_token" })))
        .await;
    let scope = Answer::new(403, "application/json", r#"{"error":"insufficient_scope"}"#).with(
        "www-authenticate",
        r#"Bearer error="insufficient_scope", scope="mcp:trade""#,
    );
    bench
        .case(
            "403 about the scope",
            &expect(&["voided"], 1, 0),
            once(Play::Answer(scope)),
        )
        .await;
    bench
        .case(
            "404: the session is gone",
            &not_sent,
            says(404, json!({ "error": "session" })),
        )
        .await;
    bench.done().await;
}

/// Words that prove that an order was not run, after it was run: by a service that lies, or by another machine behind the same
/// address. The order that was not there before is seen, and no second one is sent.
#[tokio::test]
async fn refusals_of_what_was_run() {
    let mut bench = Bench::new("orders-lies").await;
    let said = [
        (401, json!({ "error": "invalid_token" })),
        (403, json!({ "error": "MCP requires an Elite subscription" })),
        (404, json!({ "error": "session" })),
        (429, json!({ "error": "Rate limit exceeded" })),
    ];
    for (status, value) in said {
        let fault = format!("{status} in words that say no, although it was run");
        let lie = ran(move |_| json_answer(status, &value));
        bench.case(&fault, &RAN, lie).await;
    }
    bench.done().await;
}

#[tokio::test]
async fn redirects() {
    let mut bench = Bench::new("orders-redirects").await;
    let other = Server::start(Begin::Plain, |_| json_answer(200, &json!({}))).await;
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = other.url();
        let fault = format!("{status} to another origin");
        bench
            .case(
                &fault,
                &LOST,
                once(Play::Answer(
                    Answer::new(status, "", "").with("location", &elsewhere),
                )),
            )
            .await;
    }
    for status in [302, 307, 308] {
        let same = bench.url.clone();
        let fault = format!("{status} to the same address");
        bench
            .case(
                &fault,
                &LOST,
                once(Play::Answer(Answer::new(status, "", "").with("location", &same))),
            )
            .await;
    }
    assert_eq!(other.connections(), 0, "nobody went there");
    bench.done().await;
}
