//! Which grant carries what, many requests at once, and reads that turn out to be none.

use super::{Bench, everything, quote};
use crate::support::desktop::{Button, Desktop};
use crate::support::program::{Home, status, text};
use crate::support::sim::Sim;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SIZES: [usize; 4] = [10, 1_000, 70_000, 300_000];

#[tokio::test]
async fn sixty_four_reads_at_once_are_each_answered_with_their_own() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    let tools = ["GetQuote", "ListAccounts", "ListPositions", "ListOrders"];
    for index in 0..64usize {
        let size = SIZES[index % 4];
        let filler = format!("{index:02}").repeat(size / 2);
        bench
            .sim
            .post(
                "answer",
                &json!({ "tool": tools[index % 4], "result": { "content": [], "filler": filler } }),
            )
            .await;
    }
    // The answers wait in the order of their tool's calls; which of them a call gets is told by its length.
    let mut ids = Vec::new();
    for index in 0..64usize {
        let arguments = if index % 4 == 0 { quote() } else { json!({}) };
        ids.push(client.send_call(tools[index % 4], &arguments).await);
    }
    let mut fillers = BTreeSet::new();
    for (index, id) in ids.into_iter().enumerate() {
        let result = client.result(id).await;
        let filler = result["filler"]
            .as_str()
            .unwrap_or_else(|| panic!("{}: {result}", tools[index % 4]));
        assert_eq!(filler.len(), SIZES[index % 4], "another tool's answer");
        assert!(fillers.insert(filler.to_owned()), "the same answer twice");
    }
    assert_eq!(client.until_now().await, [""; 0]);
}

#[tokio::test]
async fn what_each_lane_carries_is_known_to_the_service() {
    let desktop = Desktop::start();
    let home = Home::on(desktop.folder(), desktop.env()).with("COUNTERSIGN_STORE", "file");
    let sim = Sim::start(&[]);
    home.login(&sim, false).await;
    home.login(&sim, true).await;
    sim.post("reset", &Value::Null).await;
    let mut client = home.serve(&sim).await;
    client.hello_as("2025-11-25", &everything()).await;
    let order = json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": 1, "tif": "Day" });
    let id = client.send_call("PlaceOrder", &order).await;
    for (method, params) in [
        ("resources/list", json!({})),
        ("prompts/list", json!({})),
        ("logging/setLevel", json!({ "level": "info" })),
        (
            "vendor/unknown",
            json!({ "name": "PlaceOrder", "arguments": order }),
        ),
        ("tools/call", json!({ "name": "GetQuote", "arguments": quote() })),
    ] {
        client.request(method, &params).await;
    }
    desktop.settle();
    desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    client.close().await;
    let calls = sim.calls().await;
    assert!(calls.iter().any(|call| call["tool"] == "PlaceOrder"));
    for call in &calls {
        let (method, tool) = (call["method"].as_str().unwrap_or_default(), call["tool"].as_str());
        let trades = call["grant"] == "mcp:trade";
        assert!(trades || call["grant"] == "mcp:read", "{call}");
        assert_eq!(
            tool == Some("PlaceOrder"),
            trades && method == "tools/call",
            "{call}"
        );
        if trades {
            let lifecycle = matches!(
                method,
                "initialize" | "notifications/initialized" | "tools/list" | "tools/call"
            );
            assert!(
                lifecycle || call["http"] == "DELETE",
                "the trade lane carries its own lifecycle alone: {call}"
            );
        }
    }
    // The trade lane says nothing of what the client can do, and has no stream.
    let hellos: Vec<String> = sim
        .get("raw?n=400")
        .await
        .as_array()
        .expect("bodies")
        .iter()
        .filter_map(|body| body["text"].as_str().map(str::to_owned))
        .filter(|body| body.contains("\"initialize\""))
        .collect();
    assert_eq!(
        hellos
            .iter()
            .filter(|hello| hello.contains(r#""capabilities":{}"#))
            .count(),
        1,
        "{hellos:?}"
    );
    assert!(
        calls
            .iter()
            .filter(|call| call["http"] == "GET")
            .all(|call| call["grant"] == "mcp:read")
    );
}

#[tokio::test]
async fn a_read_that_the_service_takes_for_more_is_held_from_then_on() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    bench
        .fault(&json!({ "kind": "insufficient_scope", "tool": "GetQuote" }))
        .await;
    let result = client.call("GetQuote", &quote()).await;
    assert_eq!(result["isError"], true);
    assert!(text(&result).contains("held"), "{}", text(&result));
    let asked = bench.count("tools/call").await;
    let result = client.call("GetQuote", &quote()).await;
    assert_eq!(result["isError"], true, "there is nobody here to approve it");
    assert!(text(&result).starts_with("NOT SENT"), "{}", text(&result));
    assert_eq!(bench.count("tools/call").await, asked, "it did not leave");
    assert_eq!(
        client.call("ListAccounts", &json!({})).await["isError"],
        false,
        "other reads go on"
    );
}
