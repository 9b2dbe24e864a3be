//! Any server, in the plain profile: one clear answer in bounded time, and the next request works.
//!
//! Each fault is done to a tool call, which is never sent twice where it may have run, and to a read, which may be sent once
//! more.

use super::server::{Answer, Begin, Play, Request, Server, Step};
use super::table::{Row, Table};
use crate::support::program::{Client, Home};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

mod answers;
mod broken;
mod slow;

/// What the client is to see, and how often the server is to see the request; the read first.
pub(super) struct Want {
    pub(super) read: (&'static str, usize),
    pub(super) call: (&'static str, usize),
    pub(super) within: u64,
}

/// The same words for both, and this many requests.
pub(super) const fn want(says: &'static str, read: usize, call: usize) -> Want {
    Want {
        read: (says, read),
        call: (says, call),
        within: 30,
    }
}

/// Answered as if nothing had happened.
pub(super) const FINE: &str = "answered";

pub(super) struct Bench {
    pub(super) server: Server,
    pub(super) client: Client,
    _home: Home,
    pub(super) table: Table,
}

/// What a server without faults says.
pub(super) fn usual(request: &Request) -> Play {
    let message = request.json();
    let result = match request.what().as_str() {
        "initialize" => json!({
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": { "tools": {}, "resources": {} },
            "serverInfo": { "name": "hurting", "version": "1" },
        }),
        "tools/list" => json!({ "tools": [] }),
        "tools/call" => json!({ "content": [{ "type": "text", "text": "fine" }] }),
        "resources/read" => json!({ "contents": [{ "uri": "x:y", "text": "fine" }] }),
        "GET" => return Play::Answer(Answer::new(405, "", "")),
        "DELETE" => return Play::Answer(Answer::new(200, "", "")),
        what if what.starts_with("notifications/") => return Play::Answer(Answer::new(202, "", "")),
        _ => {
            let error = json!({ "code": -32601, "message": "unknown" });
            let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "error": error });
            return Play::Answer(Answer::json(&answer));
        }
    };
    Play::Answer(Answer::json(&answered(request, &result)))
}

/// The answer to a request.
pub(super) fn answered(request: &Request, result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": request.json()["id"], "result": result })
}

/// The usual answer's text.
fn fine(request: &Request) -> String {
    match usual(request) {
        Play::Answer(answer) => String::from_utf8(answer.body).expect("text"),
        _ => String::new(),
    }
}

/// The requests that are hurt.
pub(super) fn is_asked(request: &Request) -> bool {
    matches!(request.what().as_str(), "tools/call" | "resources/read")
}

/// What the client was told, in one line.
pub(super) fn told(answer: &Value) -> String {
    if answer.get("result").is_some() {
        return FINE.to_owned();
    }
    let error = &answer["error"];
    let sent = error["data"]["countersign"]["sent"].as_str().unwrap_or("-");
    format!(
        "`{}`, sent `{sent}`: {}",
        error["code"],
        error["message"].as_str().unwrap_or_default()
    )
}

impl Bench {
    pub(super) async fn new(family: &'static str) -> Self {
        let server = Server::start(Begin::Plain, usual).await;
        let url = server.url();
        Self::at(family, server, &url, |home| home).await
    }

    /// At this address, in an environment of its own.
    pub(super) async fn at(
        family: &'static str,
        server: Server,
        url: &str,
        with: impl FnOnce(Home) -> Home,
    ) -> Self {
        Self::started(
            family,
            server,
            &["serve", "--profile", "plain", "--url", url],
            with,
        )
        .await
    }

    /// Started with these words.
    pub(super) async fn started(
        family: &'static str,
        server: Server,
        words: &[&str],
        with: impl FnOnce(Home) -> Home,
    ) -> Self {
        let home = with(Home::new());
        let command = home.command(words);
        Self::with_command(family, server, home, command).await
    }

    pub(super) async fn with_command(
        family: &'static str,
        server: Server,
        home: Home,
        command: tokio::process::Command,
    ) -> Self {
        let mut client = Home::start(command);
        client.hello_as("2025-06-18", &json!({})).await;
        Self {
            server,
            client,
            _home: home,
            table: Table::new(family),
        }
    }

    pub(super) async fn ask(&mut self, method: &str) -> (String, Duration) {
        let params = match method {
            "tools/call" => json!({ "name": "some_tool", "arguments": {} }),
            _ => json!({ "uri": "x:y" }),
        };
        let began = Instant::now();
        let id = self.client.send(method, &params).await;
        let fits = |line: &String| {
            let value: Value = serde_json::from_str(line).expect("JSON");
            (value["id"] == json!(id) && value.get("method").is_none()).then_some(value)
        };
        let answer = self.client.find(fits, Duration::from_secs(200)).await;
        let answer = answer.unwrap_or_else(|| panic!("no answer to {method}"));
        (told(&answer), began.elapsed())
    }

    /// One row: a read and a call under the fault, and one of each without it.
    pub(super) async fn case(
        &mut self,
        fault: &str,
        want: &Want,
        hurt: impl Fn(&Request, usize) -> Option<Play> + Send + Sync + Clone + 'static,
    ) {
        let mut said = Vec::new();
        for (method, (says, times)) in [("resources/read", want.read), ("tools/call", want.call)] {
            let hurt = hurt.clone();
            let before = self.server.count(is_asked);
            self.server.rule(move |request, nth| {
                if is_asked(request) {
                    hurt(request, nth)
                } else {
                    None
                }
            });
            let (saw, took) = self.ask(method).await;
            let seen = self.server.count(is_asked) - before;
            self.server.heal();
            let (next, _) = self.ask(method).await;
            assert!(saw.contains(says), "{fault}: {method}: {saw}");
            assert_eq!(seen, times, "{fault}: {method}: {saw}");
            assert!(
                took < Duration::from_secs(want.within),
                "{fault}: {method}: {took:?}"
            );
            assert_eq!(next, FINE, "{fault}: {method}: the next one");
            said.push((saw, took, seen));
        }
        self.row(fault, &said);
    }

    fn row(&mut self, fault: &str, said: &[(String, Duration, usize)]) {
        let [(read, read_took, read_seen), (call, call_took, call_seen)] = said else {
            panic!("a read and a call");
        };
        let saw = if read == call {
            call.clone()
        } else {
            format!("{call}<br>read: {read}")
        };
        self.table.add(Row {
            fault: fault.to_owned(),
            saw,
            took: *read_took.max(call_took),
            seen: format!("call {call_seen}, read {read_seen}"),
            next: FINE.to_owned(),
        });
    }

    pub(super) async fn done(self) {
        assert_eq!(self.client.aside(), [""; 0], "nothing is said twice");
        self.client.close().await;
        self.table.done();
    }
}

fn raw(steps: Vec<Step>) -> impl Fn(&Request, usize) -> Option<Play> + Clone {
    move |_, _| Some(Play::Steps(steps.clone()))
}

fn says(answer: Answer) -> impl Fn(&Request, usize) -> Option<Play> + Clone {
    move |_, _| Some(Play::Answer(answer.clone()))
}

/// A head, then this of the text that would be the answer.
fn body(then: impl Fn(String) -> Vec<Step> + Clone) -> impl Fn(&Request, usize) -> Option<Play> + Clone {
    move |request, _| {
        let text = fine(request);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        Some(Play::Steps(
            [vec![Step::Send(head.into_bytes())], then(text)].concat(),
        ))
    }
}

fn stream(then: impl Fn(String) -> Vec<Step> + Clone) -> impl Fn(&Request, usize) -> Option<Play> + Clone {
    move |request, _| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        Some(Play::Steps(
            [vec![Step::Send(head.into())], then(fine(request))].concat(),
        ))
    }
}

fn events(text: String) -> Vec<Step> {
    vec![Step::Send(text.into_bytes()), Step::End]
}

const MINUTE: Want = Want {
    read: ("", 1),
    call: ("", 1),
    within: 70,
};
