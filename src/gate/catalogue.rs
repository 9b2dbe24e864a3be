//! The shipped catalogue: each documented tool with its class, the form of its card, and the arguments that we can read.
//!
//! Owns: names, classes, argument names of both vocabularies. Refuses to know: values and state. Names match byte for
//! byte; every other name is `unknown` and held.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::fmt;

/// What a call does, as far as its tool, its arguments and the state prove it (DESIGN section 5, classes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Changes nothing.
    Read,
    /// Places or changes orders, or moves positions.
    Order,
    /// A reduce-only stop no larger than the position, proven by the reads.
    Protect,
    /// Only closes, proven by the reads.
    Exit,
    /// Takes working orders away.
    Cancel,
    /// Starts, stops or changes a strategy that trades by itself.
    Strategy,
    /// Writes or compiles code inside `NinjaTrader`.
    Code,
    /// Computes: backtests, compiles in memory, journal sync.
    Job,
    /// Sends a message outward.
    Alert,
    /// Charts, drawings, workspaces.
    Workspace,
    /// Connects or disconnects a data or order connection.
    Connection,
    /// A name that is not in the catalogue, or a read that the service calls a write.
    Unknown,
}

impl Class {
    /// The word of policy files and journals.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Order => "order",
            Self::Protect => "protect",
            Self::Exit => "exit",
            Self::Cancel => "cancel",
            Self::Strategy => "strategy",
            Self::Code => "code",
            Self::Job => "job",
            Self::Alert => "alert",
            Self::Workspace => "workspace",
            Self::Connection => "connection",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// Which card a tool has (table (c) of the service's notes: every trade tool has its own).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the tool of the same name")]
pub enum Form {
    Read,
    PlaceOrder,
    FlatPlace,
    Reverse,
    ReversePosition,
    CancelReplace,
    Change,
    CancelAndBracket,
    CancelOne,
    CancelOrders,
    CancelAllOrders,
    ClosePosition,
    Flatten,
    FlattenEverything,
    DeployStrategy,
    StartStrategy,
    EnableStrategy,
    DisableStrategy,
    StopStrategy,
    CloseStrategy,
    WriteFile,
    Compile,
    DeleteSnippet,
    Backtest,
    CancelJob,
    Connect,
    Disconnect,
    Replay,
    Alert,
    Workspace,
    SyncJournal,
    DeepTest,
    Unknown,
}

/// What an argument means; its grammar follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the meaning that its name says")]
pub enum Field {
    Account,
    Instrument,
    Side,
    Kind,
    Quantity,
    Limit,
    Stop,
    Target,
    StopLoss,
    Tif,
    Oco,
    Template,
    OrderId,
    OrderIds,
    RequirePosition,
    MaxPositions,
    StrategyId,
    DeploymentId,
    Percent,
    MarketPosition,
    Delay,
    Class,
    Mode,
    PeriodType,
    Period,
    Parameters,
    JobId,
    Connection,
    Path,
    FileName,
    FileKind,
    Source,
    Flag,
    From,
    To,
    Free,
}

/// Whether an argument name belongs to one of the two documented vocabularies, which must not be mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vocabulary {
    /// `side`, `type`, `limit_price`, `tif`, `order_id`.
    Snake,
    /// `action`, `orderType`, `limitPrice`, `timeInForce`, `orderId`.
    Camel,
    /// In both.
    Both,
}

/// One argument of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// The exact key.
    pub name: &'static str,
    /// What it means.
    pub field: Field,
    /// Where it belongs.
    pub vocabulary: Vocabulary,
}

/// One tool of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolSpec {
    /// The exact name.
    pub name: &'static str,
    /// The class by name alone.
    pub class: Class,
    /// The card.
    pub form: Form,
    /// The arguments that we can read, in groups.
    pub params: &'static [&'static [Param]],
    /// What must be there.
    pub required: &'static [Field],
    /// The documents do not name all arguments: others are taken if the live schema knows them, and are shown whole
    /// as free text.
    pub open: bool,
}

impl ToolSpec {
    /// The argument of this exact name.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.params
            .iter()
            .flat_map(|group| group.iter())
            .find(|param| param.name == name)
    }
}

/// The tool of this exact name.
pub fn find(name: &str) -> Option<&'static ToolSpec> {
    TOOLS.iter().find(|spec| spec.name == name)
}

/// Whether this exact name is a documented tool that is not a read.
pub fn is_known_trade_tool(name: &str) -> bool {
    find(name).is_some_and(|spec| spec.class != Class::Read)
}

/// Whether this exact name is a documented read.
pub fn is_known_read_tool(name: &str) -> bool {
    find(name).is_some_and(|spec| spec.class == Class::Read)
}

/// All documented tools.
pub fn known() -> &'static [ToolSpec] {
    &TOOLS
}

const fn both(name: &'static str, field: Field) -> Param {
    Param {
        name,
        field,
        vocabulary: Vocabulary::Both,
    }
}

const fn snake(name: &'static str, field: Field) -> Param {
    Param {
        name,
        field,
        vocabulary: Vocabulary::Snake,
    }
}

const fn camel(name: &'static str, field: Field) -> Param {
    Param {
        name,
        field,
        vocabulary: Vocabulary::Camel,
    }
}

const ACCOUNT: &[Param] = &[both("account", Field::Account)];
const INSTRUMENT: &[Param] = &[both("instrument", Field::Instrument)];
const QUANTITY: &[Param] = &[both("quantity", Field::Quantity)];
const ORDER_ID: &[Param] = &[
    snake("order_id", Field::OrderId),
    camel("orderId", Field::OrderId),
];
const ORDER: &[Param] = &[
    snake("side", Field::Side),
    camel("action", Field::Side),
    snake("type", Field::Kind),
    camel("orderType", Field::Kind),
    snake("limit_price", Field::Limit),
    camel("limitPrice", Field::Limit),
    snake("stop_price", Field::Stop),
    camel("stopPrice", Field::Stop),
    snake("tif", Field::Tif),
    camel("timeInForce", Field::Tif),
    both("oco_id", Field::Oco),
    both("ocoId", Field::Oco),
    both("strategy", Field::Template),
];
/// `orderId` of `PlaceOrder` has no documented twin: the caller chooses it, in either vocabulary.
const PLACE_ONLY: &[Param] = &[
    both("order_id", Field::OrderId),
    both("orderId", Field::OrderId),
    both("require_market_position", Field::RequirePosition),
    both("requireMarketPosition", Field::RequirePosition),
    both("max_positions", Field::MaxPositions),
    both("maxPositions", Field::MaxPositions),
];
const CHANGE: &[Param] = &[
    snake("limit_price", Field::Limit),
    camel("limitPrice", Field::Limit),
    snake("stop_price", Field::Stop),
    camel("stopPrice", Field::Stop),
    both("strategy_id", Field::StrategyId),
    both("strategyId", Field::StrategyId),
];
/// The names of target, stop and delay are only partly documented; the live schema decides which of them exist.
const BRACKET: &[Param] = &[
    snake("side", Field::Side),
    both("action", Field::Side),
    snake("take_profit", Field::Target),
    camel("takeProfit", Field::Target),
    snake("target_price", Field::Target),
    camel("targetPrice", Field::Target),
    snake("limit_price", Field::Target),
    camel("limitPrice", Field::Target),
    snake("stop_loss", Field::StopLoss),
    camel("stopLoss", Field::StopLoss),
    snake("stop_price", Field::StopLoss),
    camel("stopPrice", Field::StopLoss),
    both("delay", Field::Delay),
    snake("delay_ms", Field::Delay),
    camel("delayMs", Field::Delay),
    snake("cancel_delay", Field::Delay),
    camel("cancelDelay", Field::Delay),
];
const ORDER_IDS: &[Param] = &[
    both("order_ids", Field::OrderIds),
    both("orderIds", Field::OrderIds),
];
const STRATEGY_ID: &[Param] = &[
    both("strategyId", Field::StrategyId),
    both("strategy_id", Field::StrategyId),
];
const DEPLOYMENT_ID: &[Param] = &[
    both("deployment_id", Field::DeploymentId),
    both("deploymentId", Field::DeploymentId),
];
const JOB_ID: &[Param] = &[both("job_id", Field::JobId), both("jobId", Field::JobId)];
const CONNECTION: &[Param] = &[
    both("name", Field::Connection),
    both("connection", Field::Connection),
];
const NO_PARAMS: &[&[Param]] = &[];
const ENTRY: &[Field] = &[
    Field::Account,
    Field::Instrument,
    Field::Side,
    Field::Kind,
    Field::Quantity,
];

const fn read(name: &'static str) -> ToolSpec {
    ToolSpec {
        name,
        class: Class::Read,
        form: Form::Read,
        params: NO_PARAMS,
        required: &[],
        open: true,
    }
}

const fn tool(
    name: &'static str,
    class: Class,
    form: Form,
    params: &'static [&'static [Param]],
    required: &'static [Field],
) -> ToolSpec {
    ToolSpec {
        name,
        class,
        form,
        params,
        required,
        open: false,
    }
}

/// A tool whose arguments no document names.
const fn open(name: &'static str, class: Class, form: Form) -> ToolSpec {
    ToolSpec {
        name,
        class,
        form,
        params: NO_PARAMS,
        required: &[],
        open: true,
    }
}

static TOOLS: [ToolSpec; 81] = [
    tool(
        "PlaceOrder",
        Class::Order,
        Form::PlaceOrder,
        &[ACCOUNT, INSTRUMENT, QUANTITY, ORDER, PLACE_ONLY],
        ENTRY,
    ),
    tool(
        "FlatPlace",
        Class::Order,
        Form::FlatPlace,
        &[ACCOUNT, INSTRUMENT, QUANTITY, ORDER],
        ENTRY,
    ),
    tool(
        "Reverse",
        Class::Order,
        Form::Reverse,
        &[ACCOUNT, INSTRUMENT],
        &[Field::Account, Field::Instrument],
    ),
    tool(
        "ReversePosition",
        Class::Order,
        Form::ReversePosition,
        &[ACCOUNT, INSTRUMENT, QUANTITY, ORDER],
        ENTRY,
    ),
    tool(
        "CancelReplace",
        Class::Order,
        Form::CancelReplace,
        &[ACCOUNT, INSTRUMENT, QUANTITY, ORDER_ID, ORDER],
        &[
            Field::OrderId,
            Field::Account,
            Field::Instrument,
            Field::Side,
            Field::Kind,
            Field::Quantity,
        ],
    ),
    tool(
        "Change",
        Class::Order,
        Form::Change,
        &[ACCOUNT, QUANTITY, ORDER_ID, CHANGE],
        &[Field::Account, Field::OrderId],
    ),
    tool(
        "CancelAndBracket",
        Class::Order,
        Form::CancelAndBracket,
        &[ACCOUNT, INSTRUMENT, QUANTITY, BRACKET],
        &[Field::Account, Field::Instrument, Field::Side, Field::Quantity],
    ),
    tool(
        "Cancel",
        Class::Cancel,
        Form::CancelOne,
        &[ACCOUNT, ORDER_ID],
        &[Field::Account, Field::OrderId],
    ),
    tool(
        "CancelOrder",
        Class::Cancel,
        Form::CancelOne,
        &[ACCOUNT, ORDER_ID],
        &[Field::Account, Field::OrderId],
    ),
    tool(
        "CancelOrders",
        Class::Cancel,
        Form::CancelOrders,
        &[ACCOUNT, INSTRUMENT, ORDER_IDS],
        &[],
    ),
    tool(
        "CancelAllOrders",
        Class::Cancel,
        Form::CancelAllOrders,
        &[ACCOUNT],
        &[],
    ),
    tool(
        "ClosePosition",
        Class::Order,
        Form::ClosePosition,
        &[ACCOUNT, INSTRUMENT, QUANTITY, &[both("percent", Field::Percent)]],
        &[Field::Account, Field::Instrument],
    ),
    tool(
        "Flatten",
        Class::Order,
        Form::Flatten,
        &[
            ACCOUNT,
            INSTRUMENT,
            &[
                both("marketPosition", Field::MarketPosition),
                both("market_position", Field::MarketPosition),
            ],
        ],
        &[],
    ),
    tool(
        "FlattenEverything",
        Class::Order,
        Form::FlattenEverything,
        &[ACCOUNT],
        &[],
    ),
    tool(
        "DeployStrategy",
        Class::Strategy,
        Form::DeployStrategy,
        &[
            ACCOUNT,
            INSTRUMENT,
            QUANTITY,
            &[
                both("strategy", Field::Class),
                both("parameters", Field::Parameters),
            ],
        ],
        &[Field::Class],
    ),
    tool(
        "StartStrategy",
        Class::Strategy,
        Form::StartStrategy,
        &[
            ACCOUNT,
            INSTRUMENT,
            &[
                both("strategyClass", Field::Class),
                both("strategy_class", Field::Class),
                both("mode", Field::Mode),
                both("periodType", Field::PeriodType),
                both("period_type", Field::PeriodType),
                both("period", Field::Period),
                both("parameters", Field::Parameters),
            ],
        ],
        &[Field::Account, Field::Class, Field::Instrument],
    ),
    tool(
        "EnableStrategy",
        Class::Strategy,
        Form::EnableStrategy,
        &[ACCOUNT, STRATEGY_ID],
        &[Field::Account, Field::StrategyId],
    ),
    tool(
        "DisableStrategy",
        Class::Strategy,
        Form::DisableStrategy,
        &[ACCOUNT, STRATEGY_ID],
        &[Field::Account, Field::StrategyId],
    ),
    tool(
        "StopStrategy",
        Class::Strategy,
        Form::StopStrategy,
        &[ACCOUNT, DEPLOYMENT_ID],
        &[Field::DeploymentId],
    ),
    tool(
        "CloseStrategy",
        Class::Strategy,
        Form::CloseStrategy,
        &[ACCOUNT, STRATEGY_ID],
        &[Field::Account, Field::StrategyId],
    ),
    tool(
        "WriteNinjaScriptFile",
        Class::Code,
        Form::WriteFile,
        &[&[
            both("path", Field::Path),
            both("name", Field::FileName),
            both("kind", Field::FileKind),
            both("source", Field::Source),
            both("overwrite", Field::Flag),
        ]],
        &[Field::Source],
    ),
    tool(
        "CompileNinjaScript",
        Class::Code,
        Form::Compile,
        &[&[
            both("class_name", Field::Class),
            both("className", Field::Class),
            both("source", Field::Source),
            both("in_memory", Field::Flag),
            both("inMemory", Field::Flag),
        ]],
        &[Field::Source],
    ),
    open("DeleteCompiledSnippet", Class::Code, Form::DeleteSnippet),
    tool(
        "RunStrategyBacktest",
        Class::Job,
        Form::Backtest,
        &[
            ACCOUNT,
            INSTRUMENT,
            &[
                both("strategy", Field::Class),
                both("from", Field::From),
                both("to", Field::To),
                both("bars_period", Field::Parameters),
                both("parameters", Field::Parameters),
                both("commission", Field::Mode),
                both("slippage_ticks", Field::Period),
            ],
        ],
        &[],
    ),
    open("RunBacktest", Class::Job, Form::Backtest),
    tool(
        "CancelMcpJob",
        Class::Job,
        Form::CancelJob,
        &[JOB_ID],
        &[Field::JobId],
    ),
    tool(
        "Connect",
        Class::Connection,
        Form::Connect,
        &[CONNECTION],
        &[Field::Connection],
    ),
    tool(
        "Disconnect",
        Class::Connection,
        Form::Disconnect,
        &[CONNECTION],
        &[Field::Connection],
    ),
    open("EnsureReplayConnection", Class::Connection, Form::Replay),
    tool(
        "EmitMcpAlert",
        Class::Alert,
        Form::Alert,
        &[&[
            both("subtype", Field::Free),
            both("title", Field::Free),
            both("body", Field::Free),
            both("channels", Field::Free),
        ]],
        &[],
    ),
    open("CreateAlert", Class::Alert, Form::Alert),
    open("OpenChart", Class::Workspace, Form::Workspace),
    open("SaveWorkspace", Class::Workspace, Form::Workspace),
    open("LoadWorkspace", Class::Workspace, Form::Workspace),
    open("AddDrawing", Class::Workspace, Form::Workspace),
    open("RemoveDrawing", Class::Workspace, Form::Workspace),
    read("GetMcpCapabilities"),
    read("McpSelfTest"),
    read("ListAccounts"),
    read("GetAccount"),
    read("GetAccountSummary"),
    read("GetWatermarks"),
    read("GetConnections"),
    read("ListPositions"),
    read("GetAllPositions"),
    read("GetPosition"),
    read("ListOrders"),
    read("GetAllOrders"),
    read("GetOrder"),
    read("GetOrderStatus"),
    read("ListExecutions"),
    read("GetExecution"),
    read("GetExecutionsByOrderId"),
    read("GetQuote"),
    read("GetBars"),
    read("MarketInfo"),
    read("GetVolumeProfile"),
    read("GetOrderFlow"),
    read("GetIndicatorValue"),
    read("GetJournalTrades"),
    read("GetSignalHistory"),
    read("GetActivityLog"),
    read("GetNinjaScriptHelp"),
    read("SearchNinjaScriptSymbols"),
    read("LookupNinjaScriptSymbol"),
    read("ListNinjaScriptFiles"),
    read("ReadNinjaScriptFile"),
    read("ListCompiledSnippets"),
    read("GetMcpJob"),
    read("ListMcpJobs"),
    read("GetCompileResult"),
    read("GetBacktestResult"),
    read("ListAllStrategies"),
    read("ListStrategies"),
    read("GetStrategy"),
    read("GetStrategyState"),
    read("ListDeployedStrategies"),
    read("GetDeployedStrategyState"),
    read("ListWorkspaces"),
    read("ListDrawings"),
    read("ListAlerts"),
];
