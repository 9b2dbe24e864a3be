//! Servers of 2024-11-05 with two addresses: one to read from, one to speak to.

use super::{modern, names, plain};
use crate::support::program::Home;
use countersign::system::clock::mono_ms;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// How this server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Sound,
    /// Names an address of another origin.
    Elsewhere,
    /// Never names its second address.
    Silent,
}

/// Such a server. It counts what it was told.
#[derive(Clone)]
struct Old(Arc<Inner>);

struct Inner {
    url: String,
    manner: Manner,
    told: Mutex<Vec<Value>>,
    streams: Mutex<HashMap<u64, mpsc::UnboundedSender<Option<String>>>>,
    opened: Mutex<u64>,
}

impl Old {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let old = Self(Arc::new(Inner {
            url: format!("http://127.0.0.1:{port}/sse"),
            manner,
            told: Mutex::default(),
            streams: Mutex::default(),
            opened: Mutex::default(),
        }));
        let server = old.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        old
    }

    fn url(&self) -> &str {
        &self.0.url
    }

    /// How many streams were opened.
    fn opened(&self) -> u64 {
        *self.0.opened.lock().expect("no panic")
    }

    /// The messages of this method (empty: answers) that arrived.
    fn told(&self, method: &str) -> Vec<Value> {
        let told = self.0.told.lock().expect("no panic");
        let is = |message: &&Value| message["method"].as_str().unwrap_or_default() == method;
        told.iter().filter(is).cloned().collect()
    }

    /// Says something on this stream; `None` ends it.
    fn say(&self, session: u64, message: Option<&Value>) {
        let event = message.map(|message| format!("event: message\ndata: {message}\n\n"));
        let mut streams = self.0.streams.lock().expect("no panic");
        if let Some(stream) = streams.get(&session) {
            let _ = stream.send(event);
        }
        if message.is_none() {
            streams.remove(&session);
        }
    }

    /// Begins an answer, and goes on with a byte now and then.
    fn drip(&self, session: u64, id: Value) {
        let Some(stream) = self.0.streams.lock().expect("no panic").get(&session).cloned() else {
            return;
        };
        tokio::spawn(async move {
            let begun = format!(
                r#"data: {{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":""#
            );
            let mut next = begun;
            while stream
                .send(Some(std::mem::replace(&mut next, "x".to_owned())))
                .is_ok()
            {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }

    fn newest(&self) -> u64 {
        let streams = self.0.streams.lock().expect("no panic");
        streams.keys().copied().max().unwrap_or_default()
    }

    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut first, mut length) = (String::new(), 0);
            if stream.read_line(&mut first).await.unwrap_or(0) == 0 {
                return;
            }
            loop {
                let mut line = String::new();
                let _ = stream.read_line(&mut line).await;
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            let _ = stream.read_exact(&mut body).await;
            let mut words = first.split(' ');
            let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            if method == "GET" && path == "/sse" {
                return self.stream(stream.into_inner()).await;
            }
            let session = path
                .strip_prefix("/messages?s=")
                .and_then(|s| s.parse::<u64>().ok());
            let status = match session {
                None => "405 Method Not Allowed",
                Some(session) if !self.0.streams.lock().expect("no panic").contains_key(&session) => {
                    "404 Not Found"
                }
                Some(session) => {
                    let message: Value = serde_json::from_slice(&body).expect("a message");
                    self.take(session, &message);
                    "202 Accepted"
                }
            };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            if stream.get_mut().write_all(head.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn stream(&self, mut stream: TcpStream) {
        let session = {
            let mut opened = self.0.opened.lock().expect("no panic");
            *opened += 1;
            *opened
        };
        let (send, mut events) = mpsc::unbounded_channel();
        self.0.streams.lock().expect("no panic").insert(session, send);
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n";
        let address = match self.0.manner {
            Manner::Sound => format!("event: endpoint\r\ndata: /messages?s={session}\r\n\r\n"),
            Manner::Elsewhere => "event: endpoint\ndata: http://127.0.0.1:9/messages\n\n".to_owned(),
            Manner::Silent => ": wait\n\n".to_owned(),
        };
        let _ = stream.write_all(format!("{head}{address}").as_bytes()).await;
        while let Some(Some(event)) = events.recv().await {
            if stream.write_all(event.as_bytes()).await.is_err() {
                break;
            }
        }
        self.0.streams.lock().expect("no panic").remove(&session);
    }

    fn take(&self, session: u64, message: &Value) {
        self.0.told.lock().expect("no panic").push(message.clone());
        let answer = |result: Value| json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
        let text = |text: &str| json!({ "content": [{ "type": "text", "text": text }] });
        match message["method"].as_str() {
            Some("initialize") => {
                let version = &message["params"]["protocolVersion"];
                let said = json!({
                    "protocolVersion": version,
                    "capabilities": { "tools": { "listChanged": true } },
                    "serverInfo": { "name": "old", "version": "1" },
                });
                self.say(session, Some(&answer(said)));
            }
            Some("tools/list") => {
                let tools = json!({ "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }] });
                self.say(session, Some(&answer(tools)));
            }
            Some("tools/call") => match message["params"]["name"].as_str() {
                Some("echo") => {
                    let told = answer(text(&message["params"]["arguments"]["text"].to_string()));
                    self.say(session, Some(&told));
                    self.say(session, Some(&told));
                }
                Some("cut") => self.say(session, None),
                Some("half") => self.drip(session, message["id"].clone()),
                Some("ask") => {
                    let params = json!({ "messages": [], "maxTokens": 1 });
                    let question = json!({ "jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": params });
                    self.say(session, Some(&question));
                }
                _ => {}
            },
            Some(_) => {}
            None => {
                let calls = self.told("tools/call");
                let asked = calls.iter().find(|call| call["params"]["name"] == "ask");
                let id = asked.map(|call| call["id"].clone());
                let said =
                    json!({ "jsonrpc": "2.0", "id": id, "result": text(&message["result"].to_string()) });
                self.say(session, Some(&said));
            }
        }
    }
}

async fn until(done: impl Fn() -> bool) {
    let began = mono_ms();
    while !done() {
        assert!(mono_ms() - began < 15_000, "it never came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_client_with_a_handshake() {
    let (home, old) = (Home::new(), Old::start(Manner::Sound).await);
    let mut client = plain(&home, old.url(), &[]);
    let hello = client.hello_as("2025-11-25", &json!({ "sampling": {} })).await;
    assert_eq!(hello["result"]["serverInfo"]["name"], "old", "{hello}");
    assert_eq!(names(&client.request("tools/list", &json!({})).await), ["echo"]);
    let said = client.call("echo", &json!({ "text": "1.50" })).await;
    assert_eq!(said["content"][0]["text"], "\"1.50\"", "{said}");
    // What it says unasked.
    let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
    old.say(old.newest(), Some(&changed));
    let is_it = |line: &String| line.contains("list_changed").then_some(());
    client.find(is_it, Duration::from_secs(15)).await.expect("told");
    // What it asks in the middle of a call.
    let call = client.send_call("ask", &json!({})).await;
    let asked = |line: &String| {
        let value: Value = serde_json::from_str(line).ok()?;
        (value["method"] == "sampling/createMessage").then_some(value)
    };
    let question = client.find(asked, Duration::from_secs(15)).await.expect("asked");
    assert_eq!(question["id"], "s1");
    let answer = json!({ "jsonrpc": "2.0", "id": "s1", "result": { "well": "said" } });
    client.line(&answer.to_string()).await;
    assert!(client.answer(call).await.to_string().contains("well"));
    // A cancel goes there too, and one stream carried all of it.
    let lost = client.send_call("never", &json!({})).await;
    until(|| old.told("tools/call").len() == 3).await;
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": lost } });
    client.line(&cancel.to_string()).await;
    until(|| !old.told("notifications/cancelled").is_empty()).await;
    assert_eq!(old.opened(), 1);
    assert_eq!(old.told("initialize").len(), 1);
    assert_eq!(old.told("notifications/initialized").len(), 1);
    // The stream ends with the program.
    client.close().await;
    let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
    until(|| {
        old.say(old.newest(), Some(&changed));
        old.0.streams.lock().expect("no panic").is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_client_without_a_handshake() {
    let (home, old) = (Home::new(), Old::start(Manner::Sound).await);
    let mut client = plain(&home, old.url(), &[]);
    let able = |mut params: Value| {
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "sampling": {} });
        params
    };
    let found = client.request("server/discover", &able(modern(json!({})))).await;
    assert_eq!(
        found["result"]["supportedVersions"],
        json!(["2026-07-28"]),
        "{found}"
    );
    let listed = client.request("tools/list", &able(modern(json!({})))).await;
    assert_eq!(listed["result"]["resultType"], "complete", "{listed}");
    let call = json!({ "name": "ask", "arguments": {} });
    let first = client.request("tools/call", &able(modern(call.clone()))).await;
    assert_eq!(first["result"]["resultType"], "input_required", "{first}");
    let requests = first["result"]["inputRequests"].as_object().expect("questions");
    let name = requests.keys().next().expect("one").clone();
    let mut round = call;
    round["inputResponses"] = json!({ name: { "well": "said" } });
    round["requestState"] = first["result"]["requestState"].clone();
    let second = client.request("tools/call", &able(modern(round))).await;
    assert!(second["result"].to_string().contains("well"), "{second}");
    assert_eq!(old.told("tools/call").len(), 1);
}

/// Two clients have a call open when the server asks without saying for whom: the one that shook hands is asked, and the
/// other one only when it can be nobody else's.
#[tokio::test]
async fn a_question_of_one_of_two_calls() {
    let (home, old) = (Home::new(), Old::start(Manner::Sound).await);
    let mut client = plain(&home, old.url(), &[]);
    let able = json!({ "sampling": {} });
    client.hello_as("2025-11-25", &able).await;
    let first = client.send_call("never", &json!({})).await;
    let mut params = modern(json!({ "name": "never", "arguments": {} }));
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = able;
    let second = client.send("tools/call", &params).await;
    until(|| old.told("tools/call").len() == 2).await;
    let ask = |id: &str| {
        let params = json!({ "messages": [], "maxTokens": 1 });
        let question =
            json!({ "jsonrpc": "2.0", "id": id, "method": "sampling/createMessage", "params": params });
        old.say(old.newest(), Some(&question));
    };
    ask("s1");
    let asked = |line: &String| {
        let value: Value = serde_json::from_str(line).ok()?;
        (value["method"] == "sampling/createMessage").then_some(value)
    };
    let question = client.find(asked, Duration::from_secs(15)).await.expect("asked");
    assert_eq!(question["id"], "s1");
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": first } });
    client.line(&cancel.to_string()).await;
    until(|| !old.told("notifications/cancelled").is_empty()).await;
    ask("s2");
    let round = client.result(second).await;
    let questions = round["inputRequests"].as_object().expect("questions");
    assert_eq!(questions.len(), 1, "{round}");
    assert!(client.aside().iter().all(|line| asked(line).is_none()));
}

/// Parameters that two readers could read differently are not translated: nothing runs, least of all with less than was said.
#[tokio::test]
async fn parameters_with_a_repeated_key() {
    let (home, old) = (Home::new(), Old::start(Manner::Sound).await);
    let mut client = plain(&home, old.url(), &[]);
    let params = modern(json!({ "name": "echo", "arguments": { "text": "x" } })).to_string();
    let odd = params.replacen('{', r#"{"more":1,"more":2,"#, 1);
    client
        .line(&format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{odd}}}"#
        ))
        .await;
    let answer = client.answer(7).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert_eq!(answer["error"]["data"]["countersign"]["sent"], "no", "{answer}");
    assert!(old.told("tools/call").is_empty());
}

/// A call that was sent is never sent again; the next one finds a new stream.
#[tokio::test]
async fn the_stream_is_cut_in_a_call() {
    let (home, old) = (Home::new(), Old::start(Manner::Sound).await);
    let mut client = plain(&home, old.url(), &[]);
    client.hello_as("2025-11-25", &json!({})).await;
    let lost = client
        .request("tools/call", &json!({ "name": "cut", "arguments": {} }))
        .await;
    assert_eq!(lost["error"]["data"]["countersign"]["sent"], "unknown", "{lost}");
    let said = client.call("echo", &json!({ "text": "x" })).await;
    assert_eq!(said["content"][0]["text"], "\"x\"", "{said}");
    assert_eq!(old.told("tools/call").len(), 2);
    assert_eq!(old.opened(), 2);
}

/// An answer that has begun comes on, on this stream as on any other: a byte a second is no answer.
#[tokio::test]
async fn an_event_of_one_byte_a_second() {
    let (home, old) = (Home::new(), Old::start(Manner::Sound).await);
    let mut client = plain(&home, old.url(), &[]);
    client.hello_as("2025-11-25", &json!({})).await;
    let began = mono_ms();
    let call = client.send_call("half", &json!({})).await;
    let is_it = |line: &String| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        (value["id"] == json!(call) && value.get("method").is_none()).then_some(value)
    };
    let lost = client
        .find(is_it, Duration::from_secs(90))
        .await
        .expect("an answer");
    assert_eq!(lost["error"]["data"]["countersign"]["sent"], "unknown", "{lost}");
    assert!(mono_ms() - began >= 55_000, "it had a minute");
    let said = client.call("echo", &json!({ "text": "x" })).await;
    assert_eq!(said["content"][0]["text"], "\"x\"", "{said}");
    assert_eq!(old.opened(), 2);
}

/// Without a request the stream is opened anew too: the server says nothing unasked without one.
#[tokio::test]
async fn the_stream_is_cut_between_calls() {
    let (home, old) = (Home::new(), Old::start(Manner::Sound).await);
    let mut client = plain(&home, old.url(), &[]);
    client.hello_as("2025-11-25", &json!({})).await;
    client.request("tools/list", &json!({})).await;
    old.say(old.newest(), None);
    until(|| old.opened() == 2 && old.told("notifications/initialized").len() == 2).await;
    let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
    old.say(old.newest(), Some(&changed));
    let is_it = |line: &String| line.contains("list_changed").then_some(());
    client.find(is_it, Duration::from_secs(15)).await.expect("told");
}

/// What a server names there would get every call, and the token.
#[tokio::test]
async fn an_address_of_another_origin_is_not_spoken_to() {
    let (home, old) = (Home::new(), Old::start(Manner::Elsewhere).await);
    let mut client = plain(&home, old.url(), &[]);
    client.hello_as("2025-11-25", &json!({})).await;
    let answer = client
        .request("tools/call", &json!({ "name": "echo", "arguments": {} }))
        .await;
    let error = &answer["error"];
    assert_eq!(error["data"]["countersign"]["sent"], "no", "{answer}");
    assert!(
        error["message"].as_str().expect("words").starts_with("NOT SENT"),
        "{answer}"
    );
    assert!(old.told("initialize").is_empty());
}

/// Nothing waits for ever for a server that never says where to speak to.
#[tokio::test]
async fn a_stream_that_names_no_address() {
    let (home, old) = (Home::new(), Old::start(Manner::Silent).await);
    let mut client = plain(&home, old.url(), &[]);
    client.hello_as("2025-11-25", &json!({})).await;
    let began = mono_ms();
    let answer = client.request("tools/list", &json!({})).await;
    assert_eq!(answer["error"]["data"]["countersign"]["sent"], "no", "{answer}");
    let took = mono_ms() - began;
    assert!(took < 25_000, "{took} ms");
}
