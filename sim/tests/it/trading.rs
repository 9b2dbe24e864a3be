//! The tools over the wire: each answers from the state as it is.

use crosstrade_sim::options::{Options, Reach, Vocabulary};
use rmcp::model::CallToolResult;
use serde_json::{Value, json};

use crate::support::{Desk, Mcp, buy_one, final_message, quiet};

async fn held(mcp: &Mcp<'_>, account: &str) -> i64 {
    let position = mcp
        .call("GetPosition", json!({"account":account,"instrument":"ES"}))
        .await;
    let quantity = position["quantity"].as_i64().unwrap();
    if position["market_position"] == "Short" {
        -quantity
    } else {
        quantity
    }
}

#[tokio::test]
async fn a_day_of_orders() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    let limit = json!({"account":"sim101","instrument":"ESZ26","side":"Buy","type":"Limit","quantity":2,"limit_price":6000.0,"tif":"Gtc"});
    let order = mcp.call("PlaceOrder", limit).await;
    assert_eq!(
        (&order["status"], &order["instrument"]),
        (&json!("Working"), &json!("ES 12-26"))
    );
    let id = order["order_id"].clone();
    let change = json!({"account":"Sim101","order_id":id,"limit_price":6001.0});
    assert_eq!(mcp.call("Change", change).await["limit_price"], 6001.0);
    desk.order("/quote", r#"{"instrument":"ES","last":6000.5}"#).await;
    assert_eq!(
        mcp.call("GetOrderStatus", json!({"order_id":id})).await["status"],
        "Filled"
    );
    assert_eq!(held(&mcp, "Sim101").await, 2);
    let bracket = json!({"account":"Sim101","instrument":"ES","action":"Buy","quantity":9,"take_profit":6010.0,"stop_loss":5995.0});
    let bracket = mcp.call("CancelAndBracket", bracket).await;
    assert_eq!(bracket["orders"][0]["side"], "Sell");
    assert_eq!(bracket["orders"][1]["quantity"], 2, "clamped to the position");
    desk.order("/quote", r#"{"instrument":"ES","last":6011}"#).await;
    assert_eq!(held(&mcp, "Sim101").await, 0);
    let trades = mcp.call("GetJournalTrades", json!({})).await;
    assert_eq!(trades["trades"][0]["quantity"], 2);
    let summary = mcp.call("GetAccountSummary", json!({"account":"Sim101"})).await;
    assert!(summary["realized_profit_loss"].as_f64().unwrap() > 900.0);
    assert_eq!(
        mcp.call("ClosePosition", json!({"account":"Sim101","instrument":"ES"}))
            .await["error"],
        "nothing_to_flatten"
    );
}

#[tokio::test]
async fn documented_errors() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    let order = |account: &str, quantity: i32| json!({"account":account,"instrument":"ES","side":"Buy","type":"Market","quantity":quantity});
    for (tool, arguments, error) in [
        ("GetAccount", json!({"account":"nobody"}), "account_not_found"),
        ("GetAccount", json!({"account":"Sim201"}), "account_not_found"),
        (
            "CancelOrder",
            json!({"account":"Sim101","order_id":"x"}),
            "order_not_found",
        ),
        ("PlaceOrder", order("PA-123456", 11), "Rejected: max contracts"),
        ("FlattenEverything", json!({}), "nothing_to_flatten"),
        (
            "DeployStrategy",
            json!({"strategy":"None","account":"Sim101","instrument":"ES"}),
            "compile_required",
        ),
        (
            "StopStrategy",
            json!({"deployment_id":"x"}),
            "deployment_not_found",
        ),
        (
            "EmitMcpAlert",
            json!({"title":"t","channels":["discord"]}),
            "channel_unconfigured",
        ),
        (
            "WriteNinjaScriptFile",
            json!({"name":"EmaCross","source":"class A {}"}),
            "file_exists",
        ),
        (
            "WriteNinjaScriptFile",
            json!({"path":"Strategies/../../x.cs","source":"class A {}"}),
            "invalid_request",
        ),
        ("GetMcpJob", json!({"job_id":"x"}), "job_not_found"),
        ("PlaceOrder", json!({"account":"Sim101"}), "invalid_request"),
    ] {
        let message = final_message(mcp.send_call(tool, arguments).await.unwrap()).await;
        assert_eq!(message["result"]["structuredContent"]["error"], error, "{tool}");
        assert_eq!(message["result"]["isError"], true);
    }
    desk.order(
        "/position",
        r#"{"account":"PA-123456","instrument":"ES","quantity":5}"#,
    )
    .await;
    desk.order("/quote", r#"{"instrument":"ES","last":5980}"#).await;
    assert_eq!(
        mcp.call("PlaceOrder", order("PA-123456", 1)).await["error"],
        "Rejected: daily loss lockout"
    );
    mcp.call("Disconnect", json!({"name":"Rithmic"})).await;
    let close = json!({"account":"PA-123456","instrument":"ES"});
    assert_eq!(
        mcp.call("ClosePosition", close).await["error"],
        "account_disconnected"
    );
}

#[tokio::test]
async fn bulk_tools_reach_as_far_as_documented() {
    for (bulk_reach, live) in [(Reach::Account, 1), (Reach::All, 0)] {
        let desk = Desk::new(Options {
            bulk_reach,
            ..quiet()
        })
        .await;
        let mcp = desk.session("mcp:trade").await;
        desk.order(
            "/position",
            r#"{"account":"PA-123456","instrument":"ES","quantity":1}"#,
        )
        .await;
        mcp.call("PlaceOrder", buy_one()).await;
        mcp.call("FlattenEverything", json!({"account":"Sim101"})).await;
        assert_eq!(
            (held(&mcp, "Sim101").await, held(&mcp, "PA-123456").await),
            (0, live)
        );
    }
}

#[tokio::test]
async fn reverse_replace_and_guards() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    assert_eq!(
        mcp.call("Reverse", json!({"account":"Sim101","instrument":"ES"}))
            .await["error"],
        "position_not_found"
    );
    mcp.call("PlaceOrder", buy_one()).await;
    mcp.call("Reverse", json!({"account":"Sim101","instrument":"ES"}))
        .await;
    assert_eq!(held(&mcp, "Sim101").await, -1);
    let mut guarded = buy_one();
    guarded["requireMarketPosition"] = json!("flat,long");
    assert_eq!(
        mcp.call("PlaceOrder", guarded).await["error"],
        "market_position_mismatch"
    );
    mcp.call("FlatPlace", buy_one()).await;
    assert_eq!(held(&mcp, "Sim101").await, 1);
    let mut stop = buy_one();
    (stop["type"], stop["stop_price"], stop["orderId"]) = (json!("Stop"), json!(6100), json!("mine-1"));
    assert_eq!(mcp.call("PlaceOrder", stop.clone()).await["order_id"], "mine-1");
    assert_eq!(
        mcp.call("PlaceOrder", stop.clone()).await["error"],
        "invalid_request",
        "the id is in use"
    );
    let mut other = buy_one();
    other["order_id"] = json!("mine-1");
    assert_eq!(
        mcp.call("CancelReplace", other).await["replaced_order_id"],
        "mine-1"
    );
    assert_eq!(held(&mcp, "Sim101").await, 2);
}

#[tokio::test]
async fn strategies_trade_and_can_be_closed() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    let source = "public class Mine : Strategy { }";
    let compiled = mcp
        .call("CompileNinjaScript", json!({"source":source,"in_memory":true}))
        .await;
    let job = json!({"job_id": compiled["job_id"]});
    assert_eq!(mcp.call("GetMcpJob", job.clone()).await["status"], "running");
    tokio::time::sleep(std::time::Duration::from_millis(900)).await;
    assert_eq!(mcp.call("GetCompileResult", job).await["status"], "completed");
    let deploy = json!({"strategy":"Mine","account":"Sim101","instrument":"ES","quantity":2,"parameters":{"fastLength":5}});
    let id = mcp.call("DeployStrategy", deploy).await["deployment_id"].clone();
    assert_eq!(held(&mcp, "Sim101").await, 2);
    let named = json!({"account":"Sim101","strategyId":id});
    let paused = mcp.call("DisableStrategy", named.clone()).await;
    assert_eq!(
        (&paused["was_enabled"], &paused["remaining_position"]),
        (&json!(true), &json!(2))
    );
    mcp.call("EnableStrategy", named.clone()).await;
    mcp.call("CloseStrategy", named.clone()).await;
    assert_eq!(held(&mcp, "Sim101").await, 0);
    assert_eq!(
        mcp.call("EnableStrategy", named).await["error"],
        "strategy_terminated"
    );
    assert_eq!(desk.executed().await, 6);
}

/// Arguments that let a tool answer on a fresh service, by the type of each required one.
fn sample(tool: &Value) -> Value {
    let schema = &tool["inputSchema"];
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fill = |name: &str| match (name, &schema["properties"][name]["enum"][0]) {
        (_, Value::String(first)) => json!(first),
        ("account", _) => json!("Sim101"),
        ("instrument", _) => json!("ES"),
        ("quantity", _) => json!(1),
        ("order_ids", _) => json!(["x"]),
        _ => json!("x"),
    };
    required
        .iter()
        .filter_map(Value::as_str)
        .map(|n| (n.to_owned(), fill(n)))
        .collect()
}

#[tokio::test]
async fn every_tool_answers_in_both_spellings() {
    for vocabulary in [Vocabulary::Snake, Vocabulary::Camel] {
        let desk = Desk::new(Options {
            vocabulary,
            ..quiet()
        })
        .await;
        let mcp = desk.session("mcp:trade").await;
        for tool in mcp.tools().await {
            let name = tool["name"].as_str().unwrap();
            let message = final_message(mcp.send_call(name, sample(&tool)).await.unwrap()).await;
            let result = &message["result"];
            serde_json::from_value::<CallToolResult>(result.clone()).unwrap();
            let content = &result["structuredContent"];
            assert_ne!(content["error"], "unknown_tool", "{name}");
            let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
            assert_eq!(&text, content);
        }
        assert_eq!(desk.executed().await, 36);
        let order = match vocabulary {
            Vocabulary::Snake => buy_one(),
            Vocabulary::Camel => {
                json!({"account":"Sim101","instrument":"ES","action":"BUY","orderType":"MARKET","quantity":1,"timeInForce":"DAY"})
            }
        };
        let done = mcp.call("PlaceOrder", order).await;
        let key = if vocabulary == Vocabulary::Camel {
            "orderId"
        } else {
            "order_id"
        };
        assert!(done[key].is_string(), "{done}");
    }
}
