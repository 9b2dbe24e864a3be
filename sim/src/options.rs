//! How the simulator is started: one struct that is both the command line and the argument of [`crate::start`].

use clap::{Args, ValueEnum};
use serde::Deserialize;

/// Which protocol revisions the MCP endpoint speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// 2024-11-05 to 2025-11-25: handshake and sessions.
    Legacy,
    /// 2026-07-28: stateless requests and `server/discover`.
    Modern,
    /// Whatever the request is.
    Both,
}

/// Which of the two documented spellings of arguments the schemas use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Vocabulary {
    /// `side`, `type`, `limit_price`, `tif`, `order_id`.
    Snake,
    /// `action`, `orderType`, `limitPrice`, `timeInForce`, `orderId`.
    Camel,
}

/// In which form a request over Streamable HTTP is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Answers {
    /// One JSON body.
    Json,
    /// An event stream.
    Sse,
    /// `tools/call` as an event stream, everything else as JSON.
    Mixed,
}

/// What `FlattenEverything` and `CancelAllOrders` hit when an account is named; the documentation says both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reach {
    /// The named account (every account only where none is named).
    Account,
    /// Every account of the user, whatever is named.
    All,
}

/// All switches of `crosstrade-sim serve`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of a command line"
)]
pub struct Options {
    /// Port of the service on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Port of the control interface on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub control_port: u16,
    /// Protocol revisions served.
    #[arg(long, value_enum, default_value_t = Era::Legacy)]
    pub era: Era,
    /// Spelling of the arguments.
    #[arg(long, value_enum, default_value_t = Vocabulary::Snake)]
    pub vocabulary: Vocabulary,
    /// Form of the answers.
    #[arg(long, value_enum, default_value_t = Answers::Mixed)]
    pub answers: Answers,
    /// Reach of the bulk tools.
    #[arg(long, value_enum, default_value_t = Reach::Account)]
    pub bulk_reach: Reach,
    /// Consent without a person, as the user given by --user.
    #[arg(long)]
    pub auto_consent: bool,
    /// The user that is signed in in the browser: trader-a or trader-b.
    #[arg(long, default_value = "trader-a")]
    pub user: String,
    /// Life of an access token in seconds.
    #[arg(long, default_value_t = 3600)]
    pub access_seconds: u64,
    /// Keep the same refresh token for ever instead of rotating it.
    #[arg(long)]
    pub no_rotation: bool,
    /// Issuing a grant withdraws the user's other grants.
    #[arg(long)]
    pub exclusive_grants: bool,
    /// Client registrations allowed in an hour.
    #[arg(long, default_value_t = 10)]
    pub registration_limit: usize,
    /// No request budget (otherwise 3 requests a second, burst 20, for each user).
    #[arg(long)]
    pub no_rate_limit: bool,
    /// Leave `scope` out of token answers (RFC 6749 section 5.1 allows it when it is what was asked for).
    #[arg(long)]
    pub omit_scope: bool,
    /// Tool errors as results with success:false and without isError.
    #[arg(long)]
    pub plain_tool_errors: bool,
    /// Answer `initialize` without a session id.
    #[arg(long)]
    pub no_sessions: bool,
    /// Accounts, instruments and quantities of calls are wanted in headers as well (2026-07-28).
    #[arg(long)]
    pub mirrored: bool,
    /// Quotes stand still until the control interface moves them.
    #[arg(long)]
    pub frozen: bool,
    /// Seed of the moving quotes.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            control_port: 0,
            era: Era::Legacy,
            vocabulary: Vocabulary::Snake,
            answers: Answers::Mixed,
            bulk_reach: Reach::Account,
            auto_consent: false,
            user: "trader-a".to_owned(),
            access_seconds: 3600,
            no_rotation: false,
            exclusive_grants: false,
            registration_limit: 10,
            no_rate_limit: false,
            omit_scope: false,
            plain_tool_errors: false,
            no_sessions: false,
            mirrored: false,
            frozen: false,
            seed: 7,
        }
    }
}
