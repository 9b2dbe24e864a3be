//! (being written)
use super::Caller;
use super::args::Args;
use crate::market::Refusal;
use crate::service::State;
use serde_json::Value;
pub(crate) fn run(_: &mut State, _: &Caller, _: &str, _: &Args) -> Option<Result<Value, Refusal>> {
    None
}
