//! `tools` and `call`: what an AI client sees and does, from the command line.

use super::{Context, Exit, out};
use crate::relay::lists::Lists;
use crate::relay::one_call;
use serde_json::{Value, json};

pub(super) async fn tools(context: &Context) -> Exit {
    let lists = Lists::load(&context.world.paths, context.endpoint.url());
    if lists.is_empty() {
        context.out.error("nobody has signed in here yet", "run `countersign login`");
        return Exit::NotSignedIn;
    }
    let listed: Value = serde_json::from_str(&lists.tools(&[])).unwrap_or_default();
    let tools = listed.get("tools").and_then(Value::as_array).cloned().unwrap_or_default();
    let name = |tool: &Value| tool.get("name").and_then(Value::as_str).map(out::safe).unwrap_or_default();
    let held = |tool: &Value| !crate::gate::catalogue::is_known_read_tool(&name(tool));
    let lines: Vec<String> = tools.iter().map(|tool| format!("{}  {}", if held(tool) { "held" } else { "read" }, name(tool))).collect();
    context.out.data(&lines.join("\n"), &json!({ "tools": tools }));
    Exit::Fine
}

/// Calls one tool through the very same relay that `serve` runs.
pub(super) async fn call(context: &Context, tool: &str, arguments: Option<&str>) -> Exit {
    let arguments = arguments.unwrap_or("{}");
    let result = match one_call(context.world.clone(), context.endpoint.clone(), tool, arguments).await {
        Ok(result) => result,
        Err(why) => {
            context.out.error(&why, "");
            return Exit::Failure;
        }
    };
    let value: Value = serde_json::from_str(&result).unwrap_or_default();
    let text = value.get("content").and_then(|c| c.get(0)).and_then(|c| c.get("text")).and_then(Value::as_str);
    context.out.data(&text.map_or_else(|| result.clone(), |text| text.lines().map(out::safe).collect::<Vec<_>>().join("\n")), &json!({ "result": value }));
    exit_of(&value)
}

fn exit_of(result: &Value) -> Exit {
    let failed = result.get("isError").and_then(Value::as_bool) == Some(true);
    let ours = result.get("structuredContent").and_then(|inner| inner.get("status")).and_then(Value::as_str);
    match (failed, ours) {
        (false, _) => Exit::Fine,
        (true, Some("denied" | "tampered")) => Exit::Denied,
        (true, Some("expired")) => Exit::Expired,
        (true, Some("refused")) => Exit::Refused,
        (true, Some("sign_in_needed" | "trade_sign_in_needed")) => Exit::NotSignedIn,
        (true, _) => Exit::Failure,
    }
}
