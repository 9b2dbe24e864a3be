//! What comes back is no answer, a refusal, or a redirect.

use super::*;

#[tokio::test]
async fn answers_that_are_none() {
    let mut bench = Bench::new("plain-answers").await;
    let json = |text: &str| says(Answer::new(200, "application/json", text));
    bench
        .case(
            "202 without an answer",
            &want("accepted the request without an answer", 1, 1),
            says(Answer::new(202, "", "")),
        )
        .await;
    bench
        .case(
            "204",
            &want("without an answer", 1, 1),
            says(Answer::new(204, "", "")),
        )
        .await;
    bench.case("empty body", &want("empty", 1, 1), json("")).await;
    bench
        .case(
            "a page (HTML)",
            &want("text/html", 1, 1),
            says(Answer::new(200, "text/html", "<html></html>")),
        )
        .await;
    bench
        .case(
            "wrong content type",
            &want("application/octet-stream", 1, 1),
            says(Answer::new(200, "application/octet-stream", "{}")),
        )
        .await;
    bench
        .case(
            "no content type",
            &want("no content type", 1, 1),
            says(Answer::new(200, "", "{}")),
        )
        .await;
    bench
        .case(
            "JSON that is no answer",
            &want("no answer", 1, 1),
            json(r#"{"ok":true}"#),
        )
        .await;
    bench
        .case(
            "half of an answer, declared whole",
            &want("no JSON-RPC message", 1, 1),
            json(r#"{"jsonrpc":"2.0","id":1,"re"#),
        )
        .await;
    bench
        .case(
            "answer to another id",
            &want("another request", 1, 1),
            json(r#"{"jsonrpc":"2.0","id":"other","result":{}}"#),
        )
        .await;
    bench
        .case(
            "stream with an answer to another id",
            &want("without the answer", 2, 1),
            stream(|_| events("data: {\"jsonrpc\":\"2.0\",\"id\":\"other\",\"result\":{}}\n\n".into())),
        )
        .await;
    bench
        .case(
            "answered twice",
            &want(FINE, 1, 1),
            stream(|text| events(format!("data: {text}\n\ndata: {text}\n\n"))),
        )
        .await;
    bench
        .case(
            "lines that end in CR alone",
            &want(FINE, 1, 1),
            stream(|text| events(format!(": hi\revent: message\rdata: {text}\r\r"))),
        )
        .await;
    bench
        .case(
            "lines that end in CRLF",
            &want(FINE, 1, 1),
            stream(|text| events(format!(": hi\r\nevent: message\r\ndata: {text}\r\n\r\n"))),
        )
        .await;
    bench
        .case(
            "byte order mark before the stream",
            &want(FINE, 1, 1),
            stream(|text| events(format!("\u{feff}data: {text}\n\n"))),
        )
        .await;
    bench
        .case(
            "event in pieces of one byte",
            &want(FINE, 1, 1),
            stream(|text| {
                vec![
                    Step::Drip(
                        format!("data: {text}\r\n\r\n").into_bytes(),
                        Duration::from_millis(2),
                    ),
                    Step::End,
                ]
            }),
        )
        .await;
    bench
        .case("HTTP/1.0, body until the end", &want(FINE, 1, 1), |request, _| {
            let head = "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n";
            Some(Play::Steps(vec![
                Step::Send(format!("{head}{}", fine(request)).into_bytes()),
                Step::End,
            ]))
        })
        .await;
    bench.done().await;
}

#[tokio::test]
async fn statuses() {
    let mut bench = Bench::new("plain-statuses").await;
    let error = |status: u16| says(Answer::new(status, "application/json", r#"{"error":"x"}"#));
    for (status, text, read) in [
        (500, "500", 2),
        (502, "502", 2),
        (503, "503", 2),
        (504, "504", 2),
        (400, "400", 1),
        (405, "405", 1),
        (413, "413", 1),
        (431, "431", 1),
    ] {
        bench
            .case(&format!("{status}, always"), &want(text, read, 1), error(status))
            .await;
    }
    let one = |status: u16| {
        move |_: &Request, nth: usize| (nth == 0).then(|| Play::Answer(Answer::new(status, "", "")))
    };
    bench
        .case(
            "503 once",
            &Want {
                read: (FINE, 2),
                call: ("503", 1),
                within: 30,
            },
            one(503),
        )
        .await;
    bench.case("408, always", &want("408", 2, 1), error(408)).await;
    bench
        .case(
            "429 once, no Retry-After",
            &Want {
                read: (FINE, 2),
                call: ("slow down", 1),
                within: 30,
            },
            one(429),
        )
        .await;
    bench
        .case("429, always", &want("slow down", 2, 1), error(429))
        .await;
    let later = |after: &'static str| {
        move |_: &Request, nth: usize| {
            (nth == 0).then(|| Play::Answer(Answer::new(429, "", "").with("retry-after", after)))
        }
    };
    bench
        .case(
            "429 once, Retry-After: 2",
            &Want {
                read: (FINE, 2),
                call: ("again in 2 s", 1),
                within: 30,
            },
            later("2"),
        )
        .await;
    bench
        .case(
            "429 once, Retry-After: 3600",
            &want("again in 3600 s", 1, 1),
            later("3600"),
        )
        .await;
    bench
        .case(
            "429 once, Retry-After: a date in the past",
            &Want {
                read: (FINE, 2),
                call: ("slow down", 1),
                within: 30,
            },
            later("Wed, 21 Oct 2015 07:28:00 GMT"),
        )
        .await;
    bench
        .case("403, always", &want("forbids this (HTTP 403)", 1, 1), error(403))
        .await;
    bench
        .case(
            "401, always, and no way to sign in",
            &want("NOT SENT", 1, 1),
            error(401),
        )
        .await;
    bench.case("404, always", &want("404", 1, 1), error(404)).await;
    bench.done().await;
}

/// Some servers refuse with it for want of the session; it may as well be about a market's. No call is sent again for it.
#[tokio::test]
async fn a_400_that_speaks_of_a_session() {
    let server = Server::start(Begin::Plain, |request| match usual(request) {
        Play::Answer(answer) if request.what() == "initialize" => {
            Play::Answer(answer.with("mcp-session-id", "s"))
        }
        other => other,
    })
    .await;
    let url = server.url();
    let mut bench = Bench::at("plain-sessions", server, &url, |home| home).await;
    let refuse = |own: bool, times: usize, why: &'static str| {
        move |request: &Request, nth: usize| {
            let id = own.then(|| request.json()["id"].clone());
            let error = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32000, "message": why } });
            let body = error.to_string();
            (nth < times).then(|| Play::Answer(Answer::new(400, "application/json", body)))
        }
    };
    let closed = "order 1 placed; order 2 rejected: market session closed";
    bench
        .case(
            "400 with an answer that speaks of a session, always",
            &want(closed, 2, 1),
            refuse(true, usize::MAX, closed),
        )
        .await;
    let gone = "Bad Request: No valid session ID provided";
    bench
        .case(
            "400 without an id that speaks of a session, always",
            &want("sent `unknown`: SENT, and whether it ran is not known", 2, 1),
            refuse(false, usize::MAX, gone),
        )
        .await;
    for (fault, own, said) in [
        ("400 with an answer that speaks of a session, once", true, gone),
        (
            "400 without an id that speaks of a session, once",
            false,
            "SENT, and",
        ),
    ] {
        bench
            .case(
                fault,
                &Want {
                    read: (FINE, 2),
                    call: (said, 1),
                    within: 30,
                },
                refuse(own, 1, gone),
            )
            .await;
    }
    bench
        .case("404 to a session, once", &want(FINE, 2, 2), |_, nth| {
            (nth == 0).then(|| Play::Answer(Answer::new(404, "", "")))
        })
        .await;
    bench.done().await;
}

#[tokio::test]
async fn redirects() {
    let mut bench = Bench::new("plain-redirects").await;
    let other = Server::start(Begin::Plain, usual).await;
    let here = format!("{}2", bench.server.url());
    for status in [301, 302, 303, 307, 308] {
        for (to, whereto) in [(other.url(), "another origin"), (here.clone(), "the same origin")] {
            let fault = format!("{status} to {whereto}");
            bench
                .case(
                    &fault,
                    &want("redirect", 1, 1),
                    says(Answer::new(status, "", "").with("location", &to)),
                )
                .await;
        }
    }
    assert_eq!(other.connections(), 0, "nobody went there");
    assert_eq!(
        bench.server.count(|request| request.path != "/mcp"),
        0,
        "nor there"
    );
    bench.done().await;
}
