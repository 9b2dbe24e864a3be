//! The tools that Countersign itself offers to the client.

use super::words;
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

/// Whether a tool of this name is ours, and never asked upstream.
pub(crate) fn is_ours(name: &str) -> bool {
    matches!(
        name,
        words::AWAIT | words::WITHDRAW | words::STATUS | words::SIGN_IN
    )
}

/// The definitions of our tools as JSON texts: the one that signs in until that is done once, the others after.
pub(crate) fn definitions(signed_in_before: bool) -> Vec<String> {
    let ticket = json!({
        "type": "object",
        "properties": { "ticket": { "type": "string", "description": "The ticket's id, such as 7QK4" } },
        "required": ["ticket"],
        "additionalProperties": false
    });
    let none = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    if !signed_in_before {
        return vec![tool(
            words::SIGN_IN,
            "Countersign is not signed in to CrossTrade yet. This opens the sign-in page in the person's browser; the \
             trading tools appear after they have signed in.",
            &none,
            false,
        )];
    }
    vec![
        tool(
            words::AWAIT,
            "Waits, as long as this client allows, for the person's decision on a held trade call and tells its outcome. Call it again while \
             it says the call is still waiting. It places nothing itself.",
            &ticket,
            true,
        ),
        tool(
            words::WITHDRAW,
            "Takes back a held trade call that the person has not decided on yet. It places nothing.",
            &ticket,
            false,
        ),
        tool(
            words::STATUS,
            "Tells whether Countersign is signed in, whether trading is enabled or halted, and lists today's held, sent and \
             refused trade calls with their outcomes.",
            &none,
            true,
        ),
    ]
}

fn tool(name: &'static str, description: &'static str, schema: &Value, read_only: bool) -> String {
    let schema: Map<String, Value> = schema.as_object().cloned().unwrap_or_default();
    let mut tool = Tool::new(name, description, schema);
    tool.annotations = Some(ToolAnnotations::from_raw(
        None,
        Some(read_only),
        Some(false),
        Some(true),
        Some(false),
    ));
    serde_json::to_string(&tool).unwrap_or_default()
}

/// The `ticket` argument of our tools, in upper case.
pub(crate) fn ticket_of(arguments: &str) -> Option<String> {
    let value: Value = serde_json::from_str(arguments).ok()?;
    let ticket = value.get("ticket")?.as_str()?.trim().to_ascii_uppercase();
    (ticket.len() <= 8).then_some(ticket)
}
