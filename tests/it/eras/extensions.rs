//! Extensions that the service offers beyond the core (N-14, U-32): told to clients at once, passed on the read lane, and of no
//! use to whoever wants an order to leave unheld.

use super::*;
use crate::faults::forward::Upstream;
use crate::faults::server::{Answer, Begin, Play, Request, Server, Step};
use crate::support::desktop::Button;
use crate::support::program::{status, text};
use crate::trade::{Desk, buy};

const TASKS: &str = "io.modelcontextprotocol/tasks";
const UI: &str = "io.modelcontextprotocol/ui";

/// A service in whose words something is changed on the way.
struct Front {
    home: Home,
    server: Server,
    sim: Sim,
}

impl Front {
    async fn of(era: &str, offers: Value) -> Self {
        let sim = Sim::start(&["--era", era]);
        let upstream = Upstream::of(&sim.url, "http", None);
        let path = sim.url.splitn(4, '/').nth(3).expect("a path").to_owned();
        let server = Server::on("127.0.0.1:0", Begin::Plain, Some(upstream), move |request| {
            offering(request, &offers).unwrap_or(Play::Forward)
        })
        .await;
        let url = format!("http://{}/{path}", server.address);
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let (home, sim) = (Home::new(), sim.behind(url, http));
        home.login(&sim, false).await;
        Self { home, server, sim }
    }

    async fn client(&self) -> Client {
        self.home.serve(&self.sim).await
    }
}

/// What the service says of itself, with these extensions in it.
fn offering(request: &Request, offers: &Value) -> Option<Play> {
    if !matches!(request.what().as_str(), "server/discover" | "initialize") {
        return None;
    }
    let offers = offers.clone();
    Some(Play::ran(move |mut answer| {
        let mut message = answer.message();
        if message["result"].is_object() {
            message["result"]["capabilities"]["extensions"] = offers.clone();
            let event = answer.body.starts_with(b"event") || answer.body.starts_with(b"data");
            assert!(!event, "a plain body");
            answer.body = message.to_string().into_bytes();
        }
        Play::Answer(answer)
    }))
}

/// A client that knows tasks.
fn knowing(params: Value) -> Value {
    by("Knowing", &json!({ "extensions": { TASKS: {} } }), params)
}

async fn found(client: &mut Client) -> Value {
    let found = client.request("server/discover", &modern(json!({}))).await;
    found["result"]["capabilities"]["extensions"].clone()
}

async fn greeted(client: &mut Client) -> Value {
    let hello = client.hello_as("2025-11-25", &json!({})).await;
    hello["result"]["capabilities"]["extensions"].clone()
}

/// Told at once, from what was kept: to clients of the service's own era as the service says it, to others without tasks, which
/// have other words in each era.
#[tokio::test]
async fn what_the_service_offers_is_told_without_asking_it() {
    let offers = json!({ TASKS: {}, UI: { "mimeTypes": ["text/html;profile=mcp-app"] }, "no prefix": {} });
    let ui = json!({ UI: offers[UI] });
    for era in ["modern", "legacy"] {
        let mut front = Front::of(era, offers.clone()).await;
        // A service of the older era says it in its handshake, which the first start brings.
        let mut client = front.client().await;
        client.hello_as("2025-11-25", &json!({})).await;
        crate::trade::until("what is offered", async || {
            let file = front.home.folder().join("state/cache/offers.json");
            let kept = std::fs::read_to_string(file).ok()?;
            kept.contains("mcp-app").then_some(())
        })
        .await;
        client.close().await;
        let before = front.server.count(|request| request.what() == "server/discover");
        front.server.stop().await;
        let mut client = front.client().await;
        let mut both = ui.clone();
        both[TASKS] = json!({});
        let (newer, older) = if era == "modern" {
            (&both, &ui)
        } else {
            (&ui, &both)
        };
        assert_eq!(&found(&mut client).await, newer, "{era}");
        assert_eq!(&greeted(&mut client).await, older, "{era}");
        client.close().await;
        let asked = front.server.count(|request| request.what() == "server/discover");
        assert_eq!(asked, before, "{era}: it was not reachable");
        front.sim.stop();
    }
}

/// A read that becomes a task passes with all that belongs to it, and its stream tells of the client's own tasks alone.
#[tokio::test]
async fn a_read_may_become_a_task() {
    let front = Front::of("modern", json!({ TASKS: {} })).await;
    let mut client = front.client().await;
    assert_eq!(found(&mut client).await, json!({ TASKS: {} }));
    let task =
        json!({ "taskId": "t1", "status": "working", "createdAt": "x", "lastUpdatedAt": "x", "ttlMs": null });
    front.server.rule(move |request, _| {
        let message = request.json();
        let result = |mut result: Value, kind: &str| {
            result["resultType"] = kind.into();
            let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
            Some(Play::Answer(Answer::json(&answer)))
        };
        match request.what().as_str() {
            "tools/call" => result(task.clone(), "task"),
            "tasks/get" if request.header("mcp-name") == Some("t1") => result(task.clone(), "complete"),
            "subscriptions/listen" if message["params"]["notifications"]["taskIds"].is_array() => {
                let tag = json!({ "io.modelcontextprotocol/subscriptionId": message["id"] });
                let event = |method: &str, mut params: Value| {
                    params["_meta"] = tag.clone();
                    let said = json!({ "jsonrpc": "2.0", "method": method, "params": params });
                    Step::Send(format!("data: {said}\n\n").into_bytes())
                };
                let mut other = task.clone();
                other["taskId"] = "t2".into();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
                Some(Play::Steps(vec![
                    Step::Send(head.into()),
                    event(
                        "notifications/subscriptions/acknowledged",
                        json!({ "notifications": { "taskIds": ["t1"] } }),
                    ),
                    event("notifications/tasks", other),
                    event("notifications/tasks", task.clone()),
                    Step::Silence,
                ]))
            }
            _ => None,
        }
    });
    let read = knowing(json!({ "name": "GetQuote", "arguments": quote() }));
    let begun = client.request("tools/call", &read).await;
    assert_eq!(begun["result"]["resultType"], "task", "{begun}");
    let got = client
        .request("tasks/get", &knowing(json!({ "taskId": "t1" })))
        .await;
    assert_eq!(got["result"]["status"], "working", "{got}");
    // Without a word of tasks nobody is told of them (the extension, status notifications).
    let wish = json!({ "notifications": { "taskIds": ["t1", "t3"] } });
    let refused = client
        .request("subscriptions/listen", &modern(wish.clone()))
        .await;
    assert_eq!(refused["error"]["code"], -32021, "{refused}");
    assert!(refused["error"]["data"]["requiredCapabilities"]["extensions"][TASKS].is_object());
    let line =
        json!({ "jsonrpc": "2.0", "id": 71, "method": "subscriptions/listen", "params": knowing(wish) });
    client.line(&line.to_string()).await;
    let said = |line: &String| {
        let said: Value = serde_json::from_str(line).expect("JSON");
        let tag = &said["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
        (*tag == 71).then_some(said)
    };
    let first = client.find(said, PATIENCE).await.expect("an acknowledgement");
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(first["params"]["notifications"], json!({ "taskIds": ["t1"] }));
    let told = client.find(said, PATIENCE).await.expect("its task");
    assert_eq!(
        (
            &told["method"],
            &told["params"]["taskId"],
            &told["params"]["status"]
        ),
        (&json!("notifications/tasks"), &json!("t1"), &json!("working")),
        "{told}"
    );
    assert!(
        !client.aside().iter().any(|line| line.contains("t2")),
        "another's"
    );
    client.close().await;
}

/// The service tells of a task before it grants to tell of it, and the client takes its stream back. Another conversation on the
/// pipe may use the id next.
#[tokio::test]
async fn what_came_for_one_stream_is_not_told_on_the_next_of_its_id() {
    let front = Front::of("modern", json!({ TASKS: {} })).await;
    let mut client = front.client().await;
    found(&mut client).await;
    front.server.rule(|request, _| {
        let message = request.json();
        if !message["params"]["notifications"]["taskIds"].is_array() {
            return None;
        }
        let said = json!({ "jsonrpc": "2.0", "method": "notifications/tasks", "params": {
            "taskId": "t1", "status": "working",
            "_meta": { "io.modelcontextprotocol/subscriptionId": message["id"] },
        } });
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        Some(Play::Steps(vec![
            Step::Send(head.into()),
            Step::Send(format!("data: {said}\n\n").into_bytes()),
            Step::Silence,
        ]))
    });
    let listen = |wish: Value| {
        let params = knowing(json!({ "notifications": wish }));
        json!({ "jsonrpc": "2.0", "id": 71, "method": "subscriptions/listen", "params": params })
    };
    client
        .line(&listen(json!({ "taskIds": ["t1"] })).to_string())
        .await;
    let asked = || async {
        let is_asked = |request: &Request| request.json()["params"]["notifications"]["taskIds"].is_array();
        (front.server.count(is_asked) > 0).then_some(())
    };
    crate::trade::until("the stream of tasks", asked).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 71 } });
    // Both in one write: nothing else has a turn between them.
    let next = listen(json!({ "toolsListChanged": true }));
    client.line(&format!("{cancel}\n{next}")).await;
    let granted = client.said("notifications/subscriptions/acknowledged").await;
    assert_eq!(
        granted["params"]["notifications"],
        json!({ "toolsListChanged": true })
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.request("ping", &json!({})).await;
    let told = client.close().await;
    assert!(
        !told.iter().any(|line| line.contains("notifications/tasks")),
        "{told:?}"
    );
}

/// Whatever a client knows and the service offers: an order is held, sent once in words that declare nothing, and a task in it is
/// refused.
#[tokio::test]
async fn an_order_is_no_task() {
    let desk = Desk::with(&["--era", "modern"]).await;
    let mut client = desk.home.serve(&desk.sim).await;
    let order = json!({ "name": "PlaceOrder", "arguments": buy() });
    for (member, value) in [
        ("task", json!({ "ttl": 1000 })),
        ("requestState", json!("s")),
        ("inputResponses", json!({})),
    ] {
        let mut as_task = order.clone();
        as_task[member] = value;
        let refused = client.request("tools/call", &knowing(as_task)).await;
        let refused = &refused["result"];
        assert_eq!(status(refused), "refused", "{member}: {refused}");
        assert!(text(refused).contains(member), "{refused}");
    }
    // No task that somebody names is one of an order.
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let params =
            json!({ "taskId": "PlaceOrder", "inputResponses": {}, "name": "PlaceOrder", "arguments": buy() });
        let answer = client.request(method, &knowing(params)).await;
        assert!(answer["error"].is_object(), "{method}: {answer}");
    }
    assert_eq!(desk.sent("PlaceOrder").await, 0);
    let id = client.send("tools/call", &knowing(order)).await;
    desk.card().await;
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(
        (status(&result), &result["resultType"]),
        ("accepted", &json!("complete")),
        "{}",
        text(&result)
    );
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"]);
    let raw = desk.sim.get("raw?n=400").await;
    let raw = raw.as_array().expect("an array").iter();
    let mut sent = raw.filter_map(|entry| {
        entry["text"]
            .as_str()
            .filter(|text| text.contains("\"PlaceOrder\""))
    });
    let sent = sent
        .find(|text| text.contains("\"tools/call\""))
        .expect("the order as it was sent");
    assert!(
        sent.contains(r#""io.modelcontextprotocol/clientCapabilities":{}"#),
        "{sent}"
    );
}
