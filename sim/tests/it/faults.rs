//! What goes wrong on demand, and what was executed nonetheless.

use std::time::Duration;

use crosstrade_sim::options::Options;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{Desk, body, buy_one, final_message, header, quiet};

/// Orders a fault for `PlaceOrder`, calls it, and tells status (0 for a broken connection) and executions.
async fn check(fault: &str, status: u16, executed: usize) {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    let fault = format!(r#"{{"kind":"{fault}","tool":"PlaceOrder"}}"#);
    desk.order("/fault", &fault).await;
    // Reads pass: the fault waits for its tool.
    mcp.call("ListAccounts", json!({})).await;
    let got = match mcp.send_call("PlaceOrder", buy_one()).await {
        Ok(response) => response.status().as_u16(),
        Err(_) => 0,
    };
    assert_eq!((got, desk.executed().await), (status, executed), "{fault}");
    mcp.call("PlaceOrder", buy_one()).await;
    assert_eq!(desk.executed().await, executed + 1, "a fault happens once");
}

#[tokio::test]
async fn faults_do_what_they_say() {
    check("cut_before", 0, 0).await;
    check("cut_after", 0, 1).await;
    check("408", 408, 0).await;
    check("408_after", 408, 1).await;
    check("500", 500, 0).await;
    check("503", 503, 0).await;
    check("429", 429, 0).await;
    check("401_once", 401, 0).await;
    check("403_subscription", 403, 0).await;
    check("insufficient_scope", 403, 0).await;
    check("html", 200, 0).await;
    check("half_json", 200, 0).await;
    check("empty_body", 200, 0).await;
    check("202_for_request", 202, 0).await;
    check("redirect", 307, 0).await;
    check("wrong_id", 200, 1).await;
    check("duplicate_answer", 200, 1).await;
}

#[tokio::test]
async fn a_retry_after_is_sent_where_given() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:read").await;
    desk.order("/fault", r#"{"kind":"429","retry_after":7,"tool":"GetQuote"}"#)
        .await;
    let refused = mcp
        .send_call("GetQuote", json!({"instrument":"ES"}))
        .await
        .unwrap();
    assert_eq!(header(&refused, "retry-after"), "7");
    assert_eq!(body(refused).await, json!({"error": "Rate limit exceeded"}));
}

#[tokio::test]
async fn the_budget_is_kept_where_it_is_on() {
    let desk = Desk::new(Options {
        no_rate_limit: false,
        ..quiet()
    })
    .await;
    let mcp = desk.session("mcp:read").await;
    let mut refused = 0;
    for _ in 0..25 {
        let status = mcp
            .send_call("GetMcpCapabilities", json!({}))
            .await
            .unwrap()
            .status();
        refused += usize::from(status == 429);
    }
    assert!((3..=8).contains(&refused), "{refused}");
}

#[tokio::test]
async fn lost_sessions_and_refused_connections() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:read").await;
    desk.order("/fault", r#"{"kind":"session_lost"}"#).await;
    assert_eq!(
        mcp.send_call("ListAccounts", json!({})).await.unwrap().status(),
        404
    );
    desk.order("/fault", r#"{"kind":"refuse","times":1}"#).await;
    let fresh = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(fresh.get(desk.url("/ai-clients")).send().await.is_err());
    assert!(fresh.get(desk.url("/ai-clients")).send().await.is_ok());
}

#[tokio::test]
async fn the_add_on_and_the_plan() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    desk.order("/fault", r#"{"kind":"addon_down"}"#).await;
    let down = mcp.send_call("PlaceOrder", buy_one()).await.unwrap();
    assert_eq!(down.status(), 408);
    assert_eq!(body(down).await["error"], "addon_disconnected");
    assert_eq!(
        mcp.call("GetWatermarks", json!({"account":"Sim101"})).await["current_balance"],
        100_000.0
    );
    desk.order("/fault", r#"{"kind":"addon_up"}"#).await;
    desk.order("/plan", r#"{"plan":"basic"}"#).await;
    assert_eq!(mcp.tools().await.len(), 81, "the gate is on calls only");
    let gated = mcp.send_call("ListAccounts", json!({})).await.unwrap();
    assert_eq!(gated.status(), 403);
    assert_eq!(body(gated).await["error"], "MCP requires an Elite subscription");
    assert_eq!(desk.executed().await, 0);
}

#[tokio::test]
async fn slow_and_stalled_answers_arrive() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    for fault in [
        r#"{"kind":"slow_headers","seconds":0.3,"tool":"PlaceOrder"}"#,
        r#"{"kind":"stall","seconds":0.3,"tool":"PlaceOrder"}"#,
        r#"{"kind":"stall","seconds":0.3,"when":"after","tool":"PlaceOrder"}"#,
    ] {
        desk.order("/fault", fault).await;
        let start = Instant::now();
        let response = mcp.send_call("PlaceOrder", buy_one()).await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(250), "{fault}");
        assert_eq!(
            final_message(response).await["result"]["structuredContent"]["status"],
            "Filled"
        );
    }
    assert_eq!(desk.executed().await, 3);
}

#[tokio::test]
async fn a_request_is_run_although_its_caller_hung_up() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    desk.order("/fault", r#"{"kind":"stall","seconds":0.3,"tool":"PlaceOrder"}"#)
        .await;
    let hasty = mcp
        .post(&mcp.call_message("PlaceOrder", &buy_one()))
        .timeout(Duration::from_millis(100));
    assert!(hasty.send().await.unwrap_err().is_timeout());
    for _ in 0..50 {
        if desk.executed().await == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it was not run");
}

#[tokio::test]
async fn an_endless_body_does_not_end() {
    use futures_util::StreamExt as _;
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:read").await;
    desk.order("/fault", r#"{"kind":"endless_body","tool":"GetQuote"}"#)
        .await;
    let mut stream = mcp
        .send_call("GetQuote", json!({"instrument":"ES"}))
        .await
        .unwrap()
        .bytes_stream();
    let mut size = 0;
    while size < 4_000_000 {
        size += stream.next().await.unwrap().unwrap().len();
    }
    drop(stream);
    mcp.call("ListAccounts", json!({})).await;
}

#[tokio::test]
async fn faults_reach_the_token_endpoint() {
    let desk = Desk::new(quiet()).await;
    let tokens = desk.login("mcp:read").await;
    desk.order(
        "/fault",
        r#"{"kind":"503","path":"/v1/oauth/mcp/token","times":2}"#,
    )
    .await;
    for status in [503, 503, 200] {
        assert_eq!(desk.refresh(&tokens).await.status(), status);
    }
}

#[tokio::test]
async fn an_order_list_can_lag() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    desk.order("/fault", r#"{"kind":"lag_orders","seconds":60}"#)
        .await;
    mcp.call("PlaceOrder", buy_one()).await;
    assert_eq!(mcp.call("ListOrders", json!({})).await["orders"], json!([]));
    assert_eq!(
        mcp.call("GetOrder", json!({"order_id":"ord-000001"})).await["status"],
        "Filled"
    );
}
