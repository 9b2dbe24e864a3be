//! The remote MCP endpoint over Streamable HTTP.
//!
//! Owns: requests, answers, streams, sessions, and what each failure proves about whether a call ran.
//! Refuses to know: who asked, what a call means, whether it may be sent (that is what [`crate::gate::Cleared`] says).
//! May call: `oauth` for tokens, `wire`, `system`.
//!
//! Two lanes: [`ReadLane`] carries everything with the read grant; [`TradeLane`] carries cleared trade calls and its
//! own lifecycle, nothing else. Only the trade lane ever holds the trade grant's token.

mod answer;
mod budget;
mod era;
mod failure;
mod http;
mod keys;
mod modern;
mod offers;
mod read_lane;
mod read_session;
mod sse_legacy;
mod tls;
mod trade_lane;

pub use answer::{Answer, answer_to, one_line};
pub use budget::{Budget, Use};
pub use era::{Era, Eras, UNSUPPORTED_VERSION, refusal_code};
pub use failure::{Failure, is_certificate_trouble};
pub use http::{PROTOCOL_VERSIONS, client, newest_common};
pub use keys::{Challenged, GrantKeys, Keys};
pub use modern::{META_CAPABILITIES, META_INFO, META_VERSION, MODERN};
pub use offers::{TASKS, without_tasks};
pub use read_lane::{ReadLane, Repeat, SideEvent, Word};
pub use read_session::{Hello, InUse};
pub use trade_lane::{GivenBack, NotSent, Sent, TradeLane};
