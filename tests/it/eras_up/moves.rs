//! The service changes its era while the program runs.

use super::*;
use crate::support::desktop::Button;
use crate::support::program::{status, text};
use crate::trade::{Desk, buy};

#[tokio::test]
async fn reads_follow_a_service_that_moves_and_comes_back() {
    let bench = Bench::with(&["--era", "legacy"]).await;
    let mut client = bench.client().await;
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
    for (era, version, stream) in [
        ("modern", MODERN, "listeners"),
        ("legacy", "2025-11-25", "open_get_streams"),
        ("modern", MODERN, "listeners"),
    ] {
        moves_to(&bench.sim, era).await;
        bench.sim.post("reset", &Value::Null).await;
        let result = client.call("GetQuote", &quote()).await;
        assert_eq!(result["isError"], false, "{era}: {result}");
        let calls = bench.sim.calls().await;
        let last = calls
            .iter()
            .rfind(|call| call["tool"] == "GetQuote")
            .expect("the read");
        assert_eq!(last["protocol_version"], version, "{era}");
        bench
            .until("what the service says unasked is heard", async || {
                bench.status(stream).await == 1
            })
            .await;
        // Beside the read itself: the one that was refused, the question, the handshake's two, the stream.
        let all: u64 = bench.sim.calls().await.len() as u64;
        assert!(all <= 8, "{era}: {}", bench.sim.get("requests").await);
        assert_eq!(client.call("ListAccounts", &json!({})).await["isError"], false);
    }
}

/// Several reads meet the move at once: one of them finds it out, and all of them are answered.
#[tokio::test]
async fn all_reads_that_meet_a_move_are_answered() {
    for (before, after) in [("legacy", "modern"), ("modern", "legacy")] {
        let bench = Bench::with(&["--era", before]).await;
        let mut client = bench.client().await;
        assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
        moves_to(&bench.sim, after).await;
        let mut asked = Vec::new();
        for _ in 0..8 {
            asked.push(client.send_call("GetQuote", &quote()).await);
        }
        for id in asked {
            let result = client.result(id).await;
            assert_eq!(result["isError"], false, "{before} to {after}: {result}");
        }
        client.close().await;
    }
}

/// An installation that knows the older era finds a service that has moved while nothing ran, and the other way round.
#[tokio::test]
async fn a_start_finds_out_that_the_service_has_moved() {
    for (before, after) in [("legacy", "modern"), ("modern", "legacy")] {
        let bench = Bench::with(&["--era", before]).await;
        bench.client().await.close().await;
        moves_to(&bench.sim, after).await;
        let mut client = bench.client().await;
        assert_eq!(
            client.call("GetQuote", &quote()).await["isError"],
            false,
            "{after}"
        );
        client.close().await;
        let kept = std::fs::read_to_string(bench.home.folder().join("state/cache/eras.json")).expect("kept");
        assert!(kept.contains(after), "{kept}");
    }
}

/// What a client set in its session is not lost with it: the level of log messages and what it follows are said as the other era
/// says them, and told again when the service comes back.
#[tokio::test]
async fn what_was_set_in_a_session_outlives_it() {
    let bench = Bench::with(&["--era", "legacy"]).await;
    let mut client = bench.client().await;
    let uri = "crosstrade://accounts";
    for (method, params) in [
        ("logging/setLevel", json!({ "level": "warning" })),
        ("resources/subscribe", json!({ "uri": uri })),
        ("resources/subscribe", json!({ "uri": "crosstrade://no/such" })),
    ] {
        client.request(method, &params).await;
    }
    for era in ["modern", "legacy"] {
        moves_to(&bench.sim, era).await;
        bench.sim.post("reset", &Value::Null).await;
        assert_eq!(client.call("GetQuote", &quote()).await["isError"], false, "{era}");
        let heard = async |fits: &dyn Fn(&str) -> bool| {
            let raw = bench.sim.get("raw?n=400").await;
            let mut all = raw.as_array().expect("an array").iter();
            all.any(|entry| entry["text"].as_str().is_some_and(fits))
        };
        if era == "modern" {
            let level = r#""io.modelcontextprotocol/logLevel":"warning""#;
            let read = |text: &str| text.contains(r#""GetQuote""#) && text.contains(level);
            assert!(heard(&read).await, "the read says the level");
            let followed = format!(r#""resourceSubscriptions":["{uri}"]"#);
            let stream = |text: &str| text.contains("subscriptions/listen") && text.contains(&followed);
            bench
                .until("what is followed", async || heard(&stream).await)
                .await;
        } else {
            let level = |text: &str| text.contains("logging/setLevel") && text.contains("warning");
            let followed = |text: &str| text.contains("resources/subscribe") && text.contains(uri);
            bench.until("the level", async || heard(&level).await).await;
            bench
                .until("what is followed", async || heard(&followed).await)
                .await;
            assert_eq!(
                bench.count("resources/subscribe").await,
                1,
                "what was refused is not asked for"
            );
        }
    }
    client.close().await;
}

/// It moves while the card is up. The order goes as the reads have found that the service speaks by now.
#[tokio::test]
async fn an_order_is_executed_once_by_a_service_that_moves_under_its_card() {
    for (before, after) in [("legacy", "modern"), ("modern", "legacy")] {
        let desk = Desk::with(&["--era", before]).await;
        let mut client = desk.client().await;
        let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
        moves_to(&desk.sim, after).await;
        // The reads that keep the card up to date find it out.
        let kept = desk.home.folder().join("state/cache/eras.json");
        crate::trade::until("the move to be found", async || {
            let text = std::fs::read_to_string(&kept).expect("kept");
            text.contains(after).then_some(())
        })
        .await;
        // And reads go the new way: one that is in the middle of the change cannot tell the position, and then nothing is sent.
        let read = client.call("GetQuote", &quote()).await;
        assert_eq!(read["isError"], false, "{before} to {after}: {read}");
        desk.desktop.click(Button::Middle);
        let result = client.result(id).await;
        let executed = desk.sim.executed().await;
        assert_eq!(
            status(&result),
            "accepted",
            "{before} to {after}: {}",
            text(&result)
        );
        assert_eq!(executed, ["PlaceOrder"], "{before} to {after}");
        client.close().await;
    }
}

/// It gives up the newer era in the very moment of the approval, and refuses in words that prove nothing: that is told as
/// it is, and nothing is sent again.
#[tokio::test]
async fn a_refusal_that_proves_nothing_leaves_the_order_open() {
    let desk = Desk::with(&["--era", "modern"]).await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let refused = json!({ "kind": "400_session", "tool": "PlaceOrder", "scope": "mcp:trade" });
    desk.sim.post("fault", &refused).await;
    desk.desktop.click(Button::Middle);
    let result = client.result(id).await;
    assert_eq!(status(&result), "unknown", "{}", text(&result));
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    assert_eq!(desk.sim.executed().await, [""; 0]);
}
