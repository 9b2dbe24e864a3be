//! The tools that exist: names, scopes, arguments in both documented spellings, and the live schemas made of them.

use serde_json::{Map, Value, json};

use crate::options::Vocabulary;

/// What a tool needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Read,
    Trade,
}

/// Who answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backing {
    /// `NinjaTrader` through the add-on: 408 when it is not connected.
    Addon,
    /// `CrossTrade`'s cloud.
    Cloud,
}

/// One tool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) scope: Scope,
    pub(crate) backing: Backing,
    about: &'static str,
    /// Arguments: `snake/camel!:type=a|b~A|B`, separated by blanks. `!` is required, no `/` is one spelling for
    /// both, `<` at the start is snake only and `>` camel only, `~` parts the values of the two spellings.
    arguments: &'static str,
}

/// One argument in the spelling in use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    /// The name that the tools read it under.
    first: &'static str,
    pub(crate) required: bool,
    pub(crate) kind: &'static str,
    values: Option<&'static str>,
}

impl Argument {
    /// Reads one word of the table; `None` where it is not in this spelling.
    fn parse(word: &'static str, vocabulary: Vocabulary) -> Option<Self> {
        let word = match (word.strip_prefix('<'), word.strip_prefix('>'), vocabulary) {
            (Some(_), _, Vocabulary::Camel) | (_, Some(_), Vocabulary::Snake) => return None,
            (Some(rest), _, Vocabulary::Snake) | (_, Some(rest), Vocabulary::Camel) => rest,
            (None, None, _) => word,
        };
        let (head, values) = word.split_once('=').map_or((word, None), |(h, v)| (h, Some(v)));
        let (names, kind) = head.split_once(':').unwrap_or((head, "str"));
        let required = names.ends_with('!');
        let names = names.trim_end_matches('!');
        let (first, second) = names.split_once('/').unwrap_or((names, names));
        let values = values.map(|v| match (v.split_once('~'), vocabulary) {
            (Some((_, camel)), Vocabulary::Camel) => camel,
            (Some((snake, _)), Vocabulary::Snake) => snake,
            (None, _) => v,
        });
        let name = if vocabulary == Vocabulary::Camel {
            second
        } else {
            first
        };
        Some(Self {
            name,
            first,
            required,
            kind,
            values,
        })
    }

    /// The name inside the simulator: always `snake_case`.
    pub(crate) fn canonical(&self) -> String {
        snake(self.first)
    }

    pub(crate) fn allowed(&self) -> Option<Vec<&'static str>> {
        self.values.map(|v| v.split('|').collect())
    }

    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            "int" => json!({"type": "integer", "minimum": 0}),
            "num" => json!({"type": "number"}),
            "bool" => json!({"type": "boolean"}),
            "obj" => json!({"type": "object"}),
            "strs" => json!({"type": "array", "items": {"type": "string"}}),
            _ => json!({"type": "string"}),
        };
        if let (Some(values), Some(members)) = (self.allowed(), schema.as_object_mut()) {
            if self.kind == "strs" {
                members.insert("items".into(), json!({"type": "string", "enum": values}));
            } else {
                members.insert("enum".into(), json!(values));
            }
        }
        schema
    }
}

impl Tool {
    pub(crate) fn arguments(&self, vocabulary: Vocabulary) -> Vec<Argument> {
        self.arguments
            .split_whitespace()
            .filter_map(|word| Argument::parse(word, vocabulary))
            .collect()
    }

    /// The entry of `tools/list`. `extra` is an additional argument, as after a change of the service.
    pub(crate) fn definition(&self, vocabulary: Vocabulary, extra: Option<&str>) -> Value {
        let arguments = self.arguments(vocabulary);
        let mut properties: Map<String, Value> = arguments
            .iter()
            .map(|a| (a.name.to_owned(), a.schema()))
            .collect();
        if let Some(name) = extra {
            properties.insert(name.to_owned(), json!({"type": "string"}));
        }
        let required: Vec<&str> = arguments.iter().filter(|a| a.required).map(|a| a.name).collect();
        let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
        if let (false, Some(members)) = (required.is_empty(), schema.as_object_mut()) {
            members.insert("required".into(), json!(required));
        }
        let read = self.scope == Read;
        json!({
            "name": self.name,
            "title": title(self.name),
            "description": self.about,
            "inputSchema": schema,
            "annotations": {
                "title": title(self.name),
                "readOnlyHint": read,
                "destructiveHint": !read,
                "idempotentHint": read,
                "openWorldHint": false,
            },
        })
    }
}

/// `PlaceOrder` as `Place Order`.
fn title(name: &str) -> String {
    name.chars().enumerate().fold(String::new(), |mut out, (at, c)| {
        if at > 0 && c.is_uppercase() {
            out.push(' ');
        }
        out.push(c);
        out
    })
}

/// `ocoId` as `oco_id`.
pub(crate) fn snake(name: &str) -> String {
    name.chars().fold(String::new(), |mut out, c| {
        if c.is_uppercase() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
        out
    })
}

/// `oco_id` as `ocoId`.
pub(crate) fn camel(name: &str) -> String {
    let mut up = false;
    name.chars().fold(String::new(), |mut out, c| {
        if c == '_' {
            up = true;
        } else {
            out.push(if up { c.to_ascii_uppercase() } else { c });
            up = false;
        }
        out
    })
}

/// The tool of this exact name.
pub(crate) fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|t| t.name == name)
}

const fn addon(name: &'static str, scope: Scope, about: &'static str, arguments: &'static str) -> Tool {
    Tool {
        name,
        scope,
        backing: Backing::Addon,
        about,
        arguments,
    }
}

const fn cloud(name: &'static str, scope: Scope, about: &'static str, arguments: &'static str) -> Tool {
    Tool {
        name,
        scope,
        backing: Backing::Cloud,
        about,
        arguments,
    }
}

use Scope::{Read, Trade};

/// The tool that appears when the service changes: no catalogue knows it.
pub(crate) const NEW_TOOL: Tool = addon(
    "RebalancePortfolio",
    Trade,
    "Move positions towards target weights.",
    "account! weights:obj",
);

macro_rules! order_arguments {
    ($($more:literal)?) => {
        concat!(
            "account! instrument! side/action!=Buy|Sell~BUY|SELL ",
            "type/orderType!=Market|Limit|Stop|StopLimit~MARKET|LIMIT|STOPMARKET|STOPLIMIT quantity!:int ",
            "limit_price/limitPrice:num stop_price/stopPrice:num tif/timeInForce=Day|Gtc|Ioc|Fok~DAY|GTC ",
            "ocoId strategy ",
            $($more)?
        )
    };
}

const BACKTEST: &str =
    "strategy instrument from to bars_period:obj account parameters:obj commission slippage_ticks:int";

/// The catalogue, in the order of the documentation.
pub(crate) const TOOLS: [Tool; 81] = [
    cloud(
        "GetMcpCapabilities",
        Read,
        "What this connection can do: versions, features, engine. Call it first.",
        "",
    ),
    addon(
        "McpSelfTest",
        Read,
        "Check the path to NinjaTrader. deep also runs a small backtest.",
        "deep:bool",
    ),
    addon("ListAccounts", Read, "The accounts of this NinjaTrader.", ""),
    addon(
        "GetAccount",
        Read,
        "One account with its limits and balances.",
        "account!",
    ),
    addon(
        "GetAccountSummary",
        Read,
        "Cash, net liquidation and profit of one account, or of all.",
        "account",
    ),
    cloud(
        "GetWatermarks",
        Read,
        "Highest and lowest balance of the session.",
        "account!",
    ),
    addon(
        "GetConnections",
        Read,
        "NinjaTrader's connections and whether they are up.",
        "",
    ),
    addon("Connect", Trade, "Switch a connection on.", "name"),
    addon(
        "Disconnect",
        Trade,
        "Switch a connection off; it does not come back by itself.",
        "name",
    ),
    addon(
        "EnsureReplayConnection",
        Trade,
        "Make sure that the replay connection is on.",
        "",
    ),
    addon(
        "ListPositions",
        Read,
        "Open positions of one account, or of all.",
        "account",
    ),
    addon("GetAllPositions", Read, "Open positions of all accounts.", ""),
    addon(
        "GetPosition",
        Read,
        "The position in one instrument.",
        "account! instrument!",
    ),
    addon(
        "ClosePosition",
        Trade,
        "Close a position at the market, whole or in part.",
        "account! instrument! quantity:int percent:num",
    ),
    addon(
        "Flatten",
        Trade,
        "Close positions and cancel orders of an account, or of one instrument in it.",
        "account instrument >marketPosition=long|short",
    ),
    addon(
        "FlattenEverything",
        Trade,
        "Close every position and cancel every order.",
        "account",
    ),
    addon(
        "Reverse",
        Trade,
        "Close a position and open the same size the other way.",
        "account! instrument!",
    ),
    addon(
        "ReversePosition",
        Trade,
        "Close a position, then place the given order.",
        order_arguments!(),
    ),
    addon(
        "ListOrders",
        Read,
        "Orders of one account, or of all. May lag a moment behind.",
        "account",
    ),
    addon("GetAllOrders", Read, "Orders of all accounts.", ""),
    addon("GetOrder", Read, "One order.", "order_id/orderId!"),
    addon(
        "GetOrderStatus",
        Read,
        "The status of one order.",
        "order_id/orderId!",
    ),
    addon(
        "ListExecutions",
        Read,
        "Fills of one account, or of all.",
        "account",
    ),
    addon("GetExecution", Read, "One fill.", "execution_id/executionId"),
    addon(
        "GetExecutionsByOrderId",
        Read,
        "The fills of one order.",
        "order_id/orderId!",
    ),
    addon(
        "PlaceOrder",
        Trade,
        "Place an order.",
        order_arguments!("orderId requireMarketPosition maxPositions:int"),
    ),
    addon(
        "FlatPlace",
        Trade,
        "Close the position and its orders, then place the given order.",
        order_arguments!(),
    ),
    addon(
        "Change",
        Trade,
        "Change an open order.",
        "account! order_id/orderId! quantity:int limit_price/limitPrice:num stop_price/stopPrice:num strategyId",
    ),
    addon(
        "CancelReplace",
        Trade,
        "Cancel an order and place another.",
        order_arguments!("order_id/orderId!"),
    ),
    addon("Cancel", Trade, "Cancel an order.", "account! order_id/orderId!"),
    addon(
        "CancelOrder",
        Trade,
        "Cancel an order.",
        "account! order_id/orderId!",
    ),
    addon(
        "CancelOrders",
        Trade,
        "Cancel several orders of an account.",
        "account! <order_ids!:strs >instrument",
    ),
    addon("CancelAllOrders", Trade, "Cancel every open order.", "account"),
    addon(
        "CancelAndBracket",
        Trade,
        "Cancel the orders of an instrument, then set a target and a stop as an OCO pair. action is the side that is protected.",
        "account! instrument! action!=Buy|Sell~BUY|SELL quantity:int take_profit/takeProfit:num stop_loss/stopLoss:num delay:int",
    ),
    addon("GetQuote", Read, "Bid, ask and last.", "instrument!"),
    addon(
        "GetBars",
        Read,
        "Bars of an instrument.",
        "instrument! period_type/periodType=Minute|Tick|Second|Day|Volume|Range period:int count:int",
    ),
    addon(
        "MarketInfo",
        Read,
        "The contract behind a name: tick, value, exchange, session.",
        "instrument!",
    ),
    addon("GetVolumeProfile", Read, "Volume by price.", "instrument!"),
    addon("GetOrderFlow", Read, "Volume at bid and ask.", "instrument!"),
    addon(
        "GetIndicatorValue",
        Read,
        "The value of an indicator.",
        "instrument! indicator period:int",
    ),
    cloud(
        "GetJournalTrades",
        Read,
        "Matched trades. sync_first copies the add-on's rows into the cloud first.",
        "sync_first:bool account instrument from to limit:int",
    ),
    cloud(
        "GetSignalHistory",
        Read,
        "Webhooks that came in, with their payloads.",
        "offset:int limit:int status=*|success|warning|failed search direction=desc|asc include_help:bool",
    ),
    addon(
        "GetActivityLog",
        Read,
        "The add-on's log.",
        "from to level=info|warning|error|debug account",
    ),
    addon(
        "GetNinjaScriptHelp",
        Read,
        "Help on the NinjaScript surface.",
        "topic",
    ),
    addon(
        "SearchNinjaScriptSymbols",
        Read,
        "Find NinjaScript symbols.",
        "query",
    ),
    addon(
        "LookupNinjaScriptSymbol",
        Read,
        "One NinjaScript symbol.",
        "name include_inherited:bool",
    ),
    addon(
        "ListNinjaScriptFiles",
        Read,
        "Source files in the user's folder.",
        "kind",
    ),
    addon("ReadNinjaScriptFile", Read, "One source file.", "path name"),
    addon(
        "ListCompiledSnippets",
        Read,
        "Snippets compiled in the sandbox.",
        "",
    ),
    addon(
        "CompileNinjaScript",
        Trade,
        "Compile source inside NinjaTrader. Unless in_memory is true the source is written to the user's folder.",
        "class_name source! in_memory:bool",
    ),
    addon(
        "WriteNinjaScriptFile",
        Trade,
        "Write a source file into the user's folder and compile.",
        "path name kind=strategy|indicator|addon source! overwrite:bool",
    ),
    addon(
        "DeleteCompiledSnippet",
        Trade,
        "Delete a compiled snippet.",
        "class_name",
    ),
    cloud("GetMcpJob", Read, "The state of a job.", "job_id!"),
    cloud(
        "ListMcpJobs",
        Read,
        "Jobs of the last half hour.",
        "status limit:int",
    ),
    cloud("GetCompileResult", Read, "The state of a compile job.", "job_id!"),
    cloud(
        "GetBacktestResult",
        Read,
        "The state of a backtest job.",
        "job_id",
    ),
    addon("CancelMcpJob", Trade, "Ask a job to stop.", "job_id!"),
    addon(
        "RunStrategyBacktest",
        Trade,
        "Run a strategy over past bars.",
        BACKTEST,
    ),
    addon("RunBacktest", Trade, "Run a backtest.", BACKTEST),
    addon(
        "ListAllStrategies",
        Read,
        "Strategy classes and running strategies.",
        "",
    ),
    addon(
        "ListStrategies",
        Read,
        "Running strategies of an account.",
        "account",
    ),
    addon("GetStrategy", Read, "One running strategy.", "strategyId"),
    addon(
        "GetStrategyState",
        Read,
        "The state of one running strategy.",
        "strategyId",
    ),
    addon("ListDeployedStrategies", Read, "Deployments.", ""),
    addon(
        "GetDeployedStrategyState",
        Read,
        "The state of one deployment.",
        "deployment_id",
    ),
    addon(
        "DeployStrategy",
        Trade,
        "Run a compiled strategy live.",
        "strategy account instrument parameters:obj quantity:int",
    ),
    addon(
        "StartStrategy",
        Trade,
        "Run a strategy class live.",
        "account! strategyClass! instrument! mode=account|headless|chart periodType=Minute|Tick|Second|Day|Volume|Range period:int parameters:obj",
    ),
    addon(
        "EnableStrategy",
        Trade,
        "Resume a strategy.",
        "account! strategyId!",
    ),
    addon(
        "DisableStrategy",
        Trade,
        "Pause a strategy; its position stays.",
        "account! strategyId!",
    ),
    addon(
        "StopStrategy",
        Trade,
        "Stop a deployment; its position stays.",
        "deployment_id",
    ),
    addon(
        "CloseStrategy",
        Trade,
        "Remove a strategy, close its position, cancel its orders.",
        "account! strategyId!",
    ),
    addon("ListWorkspaces", Read, "Saved workspaces.", ""),
    addon("ListDrawings", Read, "Drawings on charts.", "instrument"),
    cloud("ListAlerts", Read, "Price alerts.", ""),
    addon(
        "OpenChart",
        Trade,
        "Open a chart.",
        "instrument period_type/periodType period:int",
    ),
    addon("SaveWorkspace", Trade, "Save the workspace.", "name"),
    addon(
        "LoadWorkspace",
        Trade,
        "Load a workspace; open charts are closed.",
        "name",
    ),
    addon(
        "AddDrawing",
        Trade,
        "Draw on a chart.",
        "instrument kind price:num",
    ),
    addon(
        "RemoveDrawing",
        Trade,
        "Remove a drawing.",
        "drawing_id/drawingId",
    ),
    cloud(
        "EmitMcpAlert",
        Trade,
        "Send a message to the user.",
        "subtype title body channels:strs=in_app|email|discord|telegram",
    ),
    cloud(
        "CreateAlert",
        Trade,
        "Create a price alert.",
        "instrument condition price:num message",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eighty_one_tools_and_thirty_six_of_them_trade() {
        let mut names: Vec<_> = TOOLS.iter().map(|t| t.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 81);
        assert_eq!(TOOLS.iter().filter(|t| t.scope == Trade).count(), 36);
    }

    #[test]
    fn each_spelling_has_its_own_names() {
        let names = |v| {
            find("PlaceOrder")
                .unwrap()
                .arguments(v)
                .iter()
                .map(|a| a.name)
                .collect::<Vec<_>>()
        };
        assert!(names(Vocabulary::Snake).contains(&"limit_price"));
        assert!(!names(Vocabulary::Snake).contains(&"limitPrice"));
        assert!(names(Vocabulary::Camel).contains(&"orderType"));
        assert!(!names(Vocabulary::Camel).contains(&"type"));
    }

    #[test]
    fn names_go_both_ways() {
        for name in ["order_id", "take_profit", "account"] {
            assert_eq!(snake(&camel(name)), name);
        }
    }
}
