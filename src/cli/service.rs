//! `tools` and `call`: what an AI client sees and does, from the command line.

use super::{Context, Exit, out};
use crate::oauth::{GrantKind, TokenError};
use crate::relay::lists::Lists;
use crate::relay::{is_ours, one_call};
use serde_json::{Value, json};

pub(super) fn tools(context: &Context) -> Exit {
    let lists = Lists::load(&context.world.paths, context.endpoint.url());
    if lists.is_empty() {
        context
            .out
            .error("nobody has signed in here yet", "run `countersign setup`");
        return Exit::NotSignedIn;
    }
    let listed: Value = serde_json::from_str(&lists.tools(&[])).unwrap_or_default();
    let tools = listed
        .get("tools")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let name = |tool: &Value| {
        tool.get("name")
            .and_then(Value::as_str)
            .map(out::safe)
            .unwrap_or_default()
    };
    let held = |tool: &Value| !crate::gate::catalogue::is_known_read_tool(&name(tool));
    let lines: Vec<String> = tools
        .iter()
        .map(|tool| format!("{}  {}", if held(tool) { "held" } else { "read" }, name(tool)))
        .collect();
    context.out.data(&lines.join("\n"), &json!({ "tools": tools }));
    Exit::Fine
}

/// Calls one tool through the very same relay that `serve` runs.
pub(super) async fn call(context: &Context, tool: &str, arguments: Option<&str>) -> Exit {
    let arguments = arguments.unwrap_or("{}");
    if let Err(why) = serde_json::from_str::<serde_json::Map<String, Value>>(arguments) {
        context.out.error(
            &format!("the arguments are no JSON object: {why}"),
            "such as '{\"account\":\"Sim101\"}'; nothing was sent",
        );
        return Exit::Usage;
    }
    if !is_ours(tool)
        && let Err(exit) = signed_in(context).await
    {
        return exit;
    }
    let result = match one_call(context.world.clone(), context.endpoint.clone(), tool, arguments).await {
        Ok(result) => result,
        Err(why) => {
            context
                .out
                .error(&why, "nothing was sent; see what is wrong: countersign doctor");
            return Exit::Failure;
        }
    };
    let value: Value = serde_json::from_str(&result).unwrap_or_default();
    let text = value
        .get("content")
        .and_then(|c| c.get(0))
        .and_then(|c| c.get("text"))
        .and_then(Value::as_str);
    let shown = text.map_or_else(
        || result.clone(),
        |text| text.lines().map(out::safe).collect::<Vec<_>>().join("\n"),
    );
    let object = json!({ "result": value });
    // What the service answered may be copied; what we say ourselves is read.
    if shown.contains('{') {
        context.out.exact(&shown, &object);
    } else {
        context.out.data(&shown, &object);
    }
    exit_of(&value)
}

/// A verb that ends at once cannot wait for a sign-in in the browser: it is told before anything else.
async fn signed_in(context: &Context) -> Result<(), Exit> {
    let (error, exit) = match context.grants().bearer(GrantKind::Read).await {
        Ok(_) => return Ok(()),
        Err(error @ (TokenError::NotSignedIn | TokenError::Withdrawn(_))) => (error, Exit::NotSignedIn),
        Err(error @ TokenError::Network(_)) => (error, Exit::Unreachable),
        Err(error) => (error, Exit::Failure),
    };
    context.out.error(&error.to_string(), "nothing was sent");
    Err(exit)
}

fn exit_of(result: &Value) -> Exit {
    let failed = result.get("isError").and_then(Value::as_bool) == Some(true);
    let ours = result
        .get("structuredContent")
        .and_then(|inner| inner.get("status"))
        .and_then(Value::as_str);
    let code = result
        .get("structuredContent")
        .and_then(|inner| inner.get("code"))
        .and_then(Value::as_str);
    match (failed, ours) {
        (false, _) => Exit::Fine,
        // Something was sent and nobody knows what became of it.
        (true, Some("unknown")) => Exit::Partly,
        (true, _) if matches!(code, Some("unreachable" | "not_connected")) => Exit::Unreachable,
        (true, _) if code == Some("withdrawn") => Exit::NotSignedIn,
        (true, _) if matches!(code, Some("settings" | "policy")) => Exit::Config,
        (true, Some("denied" | "tampered")) => Exit::Denied,
        (true, Some("expired")) => Exit::Expired,
        (true, Some("refused")) => Exit::Refused,
        (true, Some("sign_in_needed" | "trade_sign_in_needed")) => Exit::NotSignedIn,
        (true, _) => Exit::Failure,
    }
}
