//! The handshake and the tool list come from local state, whatever the network does.

use super::{Bench, PATIENCE, everything, quote};
use crate::support::program::{Client, Home, status};
use crate::support::sim::Sim;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;

const SIGN_IN: [&str; 1] = ["countersign_sign_in"];

async fn names(client: &mut Client) -> Vec<String> {
    let answer = client.request("tools/list", &json!({})).await;
    let tools = answer["result"]["tools"]
        .as_array()
        .unwrap_or_else(|| panic!("no list: {answer}"));
    let mut names: Vec<String> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    names.sort();
    names
}

/// From the start of the process to the last of these answers; the best of a few, as the machine may be busy.
async fn soon(home: &Home, url: &str) -> Vec<String> {
    let mut best = Duration::MAX;
    let mut list = Vec::new();
    for _ in 0..3 {
        let began = tokio::time::Instant::now();
        let mut client = home.serve_url(url);
        let hello = client.hello_as("2025-06-18", &everything()).await;
        list = names(&mut client).await;
        client.request("ping", &json!({})).await;
        let says = json!({ "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        } });
        let discover = client.request("server/discover", &says).await;
        best = best.min(began.elapsed());
        assert_eq!(hello["result"]["protocolVersion"], "2025-06-18");
        assert_eq!(discover["result"]["resultType"], "complete");
        client.close().await;
        if best < Duration::from_secs(1) {
            break;
        }
    }
    assert!(best < Duration::from_secs(1), "{best:?}");
    list
}

/// An address that takes connections and never answers.
fn stalled() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("its address"));
    (listener, url)
}

fn dead() -> String {
    let (listener, url) = stalled();
    drop(listener);
    url
}

#[tokio::test]
async fn a_first_start_answers_without_any_network() {
    let home = Home::new();
    assert_eq!(soon(&home, &dead()).await, SIGN_IN);
    let (_listener, url) = stalled();
    assert_eq!(soon(&home, &url).await, SIGN_IN);
}

#[tokio::test]
async fn a_later_start_answers_from_the_last_good_list() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    let list = names(&mut client).await;
    assert!(
        list.iter().any(|name| name == "GetQuote") && list.iter().any(|name| name == "countersign_status"),
        "{list:?}"
    );
    client.close().await;
    bench
        .fault(&json!({ "kind": "stall", "seconds": 600, "times": 0 }))
        .await;
    assert_eq!(soon(&bench.home, &bench.sim.url).await, list, "stalled");
    let Bench { home, sim } = bench;
    let url = sim.url.clone();
    drop(sim);
    assert_eq!(soon(&home, &url).await, list, "dead");
    let mut client = home.serve_url(&url);
    client.hello_as("2025-06-18", &everything()).await;
    let result = client.call("GetQuote", &quote()).await;
    assert_eq!(
        (status(&result), &result["isError"]),
        ("failed", &json!(true)),
        "{result}"
    );
    assert_eq!(names(&mut client).await, list, "after a failed read");
}

async fn told_of_change(client: &mut Client) -> bool {
    let told = |line: &String| line.contains("notifications/tools/list_changed").then_some(());
    client.find(told, PATIENCE).await.is_some()
}

#[tokio::test]
async fn signing_in_elsewhere_brings_the_real_list() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let mut client = home.serve(&sim).await;
    client.hello_as("2025-06-18", &everything()).await;
    assert_eq!(names(&mut client).await, SIGN_IN);
    home.login(&sim, false).await;
    assert!(told_of_change(&mut client).await);
    assert!(names(&mut client).await.iter().any(|name| name == "GetQuote"));
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
}

#[tokio::test]
async fn signing_in_by_the_tool_brings_the_real_list() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let mut client = home.serve(&sim).await;
    client.hello_as("2025-06-18", &everything()).await;
    // Before the sign-in nothing is asked of the service, and what our handshake offers is empty rather than broken.
    assert_eq!(
        client.request("resources/list", &json!({})).await["result"],
        json!({ "resources": [] })
    );
    assert_eq!(
        client.request("prompts/list", &json!({})).await["result"],
        json!({ "prompts": [] })
    );
    let result = client.call("countersign_sign_in", &json!({})).await;
    assert_eq!(status(&result), "sign_in_needed");
    let url = result["structuredContent"]["url"].as_str().expect("an address");
    sim.http().get(url).send().await.expect("the person consents");
    assert!(told_of_change(&mut client).await);
    assert!(names(&mut client).await.iter().any(|name| name == "GetQuote"));
}

#[tokio::test]
async fn a_changed_list_is_fetched_and_then_told() {
    let bench = Bench::new().await;
    let mut client = bench.listening("2025-06-18").await;
    let before = names(&mut client).await;
    let asked = bench.count("tools/list").await;
    // Nothing that this grant sees has changed, so the client is not troubled.
    bench
        .sim
        .post_text(
            "notify",
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
        )
        .await;
    bench
        .until("the list is asked", async || {
            bench.count("tools/list").await > asked
        })
        .await;
    assert!(
        !client
            .until_now()
            .await
            .iter()
            .any(|line| line.contains("list_changed"))
    );
    assert_eq!(names(&mut client).await, before);
}

#[tokio::test]
async fn each_revision_is_answered_with_itself_and_others_with_the_newest() {
    let bench = Bench::new().await;
    for (asked, answered) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("", "2025-11-25"),
    ] {
        bench.sim.post("reset", &Value::Null).await;
        let mut client = bench.home.serve(&bench.sim).await;
        let hello = client.hello_as(asked, &everything()).await;
        assert_eq!(
            hello["result"]["protocolVersion"], answered,
            "asked for {asked:?}"
        );
        assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
        let calls = bench.sim.calls().await;
        let call = calls
            .iter()
            .find(|call| call["tool"] == "GetQuote")
            .expect("the call");
        // Servers before 2025-06-18 do not know the header.
        let header = (answered >= "2025-06-18").then_some(answered);
        assert_eq!(call["protocol_version"].as_str(), header, "{answered}");
        client.close().await;
    }
}
