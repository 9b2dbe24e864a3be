//! What the server offers besides calls: the lists of tools, resources and prompts, and completion.

use serde_json::{Value, json};

use super::call;
use super::endpoint::text_of;
use super::envelope::RpcError;
use crate::clock;
use crate::look::at;
use crate::market::instrument::{Contract, ROOTS};
use crate::oauth::TRADE;
use crate::oauth::grants::Grant;
use crate::service::{Service, State};
use crate::tools::args::Args;
use crate::tools::catalogue::{NEW_TOOL, Scope, TOOLS, Tool, find};
use crate::tools::{self, Caller};

/// Tools on one page of `tools/list`.
const PAGE: usize = 50;
const ACCOUNTS: &str = "crosstrade://accounts";
const GUIDE: &str = "crosstrade://guide/order-types";
/// Marks an argument that is wanted in a header as well.
pub(crate) const ANNOTATION: &str = "x-mcp-header";
const QUOTE: &str = "crosstrade://quote/";

/// Name and version of the server.
pub(crate) fn server_info() -> Value {
    json!({"name": "crosstrade", "title": "CrossTrade MCP (simulator)", "version": env!("CARGO_PKG_VERSION")})
}

/// What the server can do.
pub(crate) fn capabilities() -> Value {
    json!({
        "tools": {"listChanged": true},
        "resources": {"listChanged": true, "subscribe": true},
        "prompts": {"listChanged": true},
        "logging": {},
        "completions": {},
    })
}

/// Words for the model.
pub(crate) const INSTRUCTIONS: &str = "Read accounts, positions and orders before you trade. Name the account. Check the state after each change.";

/// The result of `initialize`.
pub(crate) fn initialize(version: &str) -> Value {
    json!({
        "protocolVersion": version,
        "capabilities": capabilities(),
        "serverInfo": server_info(),
        "instructions": INSTRUCTIONS,
    })
}

/// Answers a method of this file.
pub(crate) fn answer(
    service: &Service,
    grant: &Grant,
    name: &str,
    params: &Value,
) -> Result<Value, RpcError> {
    match name {
        "tools/list" => list_tools(service, grant, params),
        "resources/list" => Ok(json!({"resources": [
            {"uri": ACCOUNTS, "name": "accounts", "title": "Your accounts", "mimeType": "application/json"},
            {"uri": GUIDE, "name": "order-types", "title": "Order types", "mimeType": "text/markdown"},
        ]})),
        "resources/templates/list" => Ok(json!({"resourceTemplates": [
            {"uriTemplate": "crosstrade://quote/{instrument}", "name": "quote", "title": "A quote", "mimeType": "application/json"},
        ]})),
        "resources/read" => read(service, grant, text_of(at(params, &["uri"]))),
        "prompts/list" => Ok(prompts()),
        "prompts/get" => prompt(params),
        "completion/complete" => Ok(complete(params)),
        _ => Err(RpcError::new(-32601, format!("Method not found: {name}"))),
    }
}

fn list_tools(service: &Service, grant: &Grant, params: &Value) -> Result<Value, RpcError> {
    let start = match at(params, &["cursor"]).as_str() {
        None => 0,
        Some(text) => text
            .strip_prefix("tools-")
            .and_then(|n| n.parse::<usize>().ok())
            .ok_or_else(|| RpcError::new(-32602, "Invalid params: unknown cursor"))?,
    };
    let state = service.state();
    let added = state.switches.new_tool.then_some(&NEW_TOOL);
    let visible: Vec<Value> = TOOLS
        .iter()
        .chain(added)
        .filter(|t| t.scope == Scope::Read || grant.scope == TRADE)
        .map(|t| definition(service, &state, t))
        .collect();
    let page: Vec<Value> = visible.iter().skip(start).take(PAGE).cloned().collect();
    let next = start + page.len();
    if next < visible.len() && !page.is_empty() {
        return Ok(json!({"tools": page, "nextCursor": format!("tools-{next}")}));
    }
    Ok(json!({"tools": page}))
}

/// The definition of a tool as it is now.
pub(crate) fn definition(service: &Service, state: &State, tool: &Tool) -> Value {
    let mut definition = tool.definition(service.options.vocabulary, call::extra(state, tool.name));
    let properties = definition.pointer_mut("/inputSchema/properties");
    let properties = properties.and_then(Value::as_object_mut);
    let unsound = state.switches.unsound.as_deref() == Some(tool.name);
    for (name, schema) in properties.into_iter().flatten() {
        let header = match name.as_str() {
            _ if unsound => "no header name",
            "account" => "Account",
            "instrument" => "Instrument",
            "quantity" => "Quantity",
            _ => continue,
        };
        let plain = matches!(
            at(schema, &["type"]).as_str(),
            Some("string" | "integer" | "boolean")
        );
        if let (true, Some(members)) = (
            (state.switches.mirrored && plain) || unsound,
            schema.as_object_mut(),
        ) {
            members.insert(ANNOTATION.into(), json!(header));
        }
    }
    definition
}

/// Whether a URI names something that can be read.
pub(crate) fn is_resource(uri: &str) -> bool {
    uri == ACCOUNTS || uri == GUIDE || uri.strip_prefix(QUOTE).and_then(Contract::parse).is_some()
}

fn read(service: &Service, grant: &Grant, uri: &str) -> Result<Value, RpcError> {
    let content =
        |kind: &str, text: String| Ok(json!({"contents": [{"uri": uri, "mimeType": kind, "text": text}]}));
    if uri == GUIDE {
        return content(
            "text/markdown",
            "# Order types\n\nMarket, limit, stop and stop-limit. A stop-limit can be jumped over.\n".into(),
        );
    }
    let (tool, arguments) = match uri.strip_prefix(QUOTE) {
        Some(instrument) => ("GetQuote", json!({"instrument": instrument})),
        None if uri == ACCOUNTS => ("ListAccounts", json!({})),
        None => return Err(not_found(uri)),
    };
    let caller = Caller {
        user: grant.user.clone(),
        scope: grant.scope.clone(),
        now: clock::now_ms(),
        vocabulary: service.options.vocabulary,
        reach: service.options.bulk_reach,
    };
    let definition = find(tool).ok_or_else(|| not_found(uri))?;
    let args = Args::read(definition, caller.vocabulary, None, &arguments).map_err(|_| not_found(uri))?;
    let value = tools::run(&mut service.state(), &caller, tool, &args).map_err(|_| not_found(uri))?;
    content(
        "application/json",
        tools::respell(value, caller.vocabulary).to_string(),
    )
}

fn not_found(uri: &str) -> RpcError {
    RpcError {
        data: Some(json!({"uri": uri})),
        ..RpcError::new(-32002, "Resource not found")
    }
}

fn prompts() -> Value {
    json!({"prompts": [
        {
            "name": "pre-trade-check",
            "title": "Check before a trade",
            "description": "Read accounts, positions, orders and watermarks, then say what stands against the trade.",
            "arguments": [
                {"name": "account", "description": "Account name", "required": true},
                {"name": "instrument", "description": "Instrument", "required": true},
            ],
        },
        {"name": "end-of-day-review", "title": "Review of the day", "description": "Go through the trades of the day."},
    ]})
}

fn prompt(params: &Value) -> Result<Value, RpcError> {
    let argument = |name: &str| {
        let text = at(params, &["arguments", name]).as_str();
        text.ok_or_else(|| RpcError::new(-32602, format!("Invalid params: {name} is missing")))
    };
    let text = match text_of(at(params, &["name"])) {
        "pre-trade-check" => format!(
            "Check account {} before a trade in {}: positions, working orders, room to the loss limit.",
            argument("account")?,
            argument("instrument")?
        ),
        "end-of-day-review" => {
            "List the trades of today with their profit, and what they have in common.".to_owned()
        }
        other => {
            return Err(RpcError::new(
                -32602,
                format!("Invalid params: no prompt {other:?}"),
            ));
        }
    };
    Ok(json!({"messages": [{"role": "user", "content": {"type": "text", "text": text}}]}))
}

fn complete(params: &Value) -> Value {
    let argument = at(params, &["argument"]);
    let typed = text_of(at(argument, &["value"])).to_ascii_uppercase();
    let values: Vec<&str> = if text_of(at(argument, &["name"])) == "instrument" {
        ROOTS
            .iter()
            .map(|r| r.symbol)
            .filter(|s| s.starts_with(&typed))
            .collect()
    } else {
        Vec::new()
    };
    json!({"completion": {"values": values, "total": values.len(), "hasMore": false}})
}
