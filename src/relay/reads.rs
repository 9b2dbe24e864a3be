//! Calls that are not held: reads and unknown methods on the read lane, and our own tools.

use super::{Relay, hold, local, lock, signin, words};
use crate::gate::{self, call::Route};
use crate::oauth::TokenError;
use crate::relay::lists::Pin;
use crate::upstream::Failure;
use crate::wire::envelope::{self, Id, Message};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl Relay {
    /// A `tools/call`: ours, a read, or held.
    pub(super) fn tools_call(self: &Arc<Self>, id: &Id, message: &Message<'_>, progress: Option<Id>, cancel: CancellationToken) {
        let call = match envelope::tool_call(message.params.unwrap_or("null")) {
            Ok(call) => call,
            Err(error) => return self.fail(id, words::invalid_params(), &format!("NOT SENT. The call cannot be read: {error}")),
        };
        if local::is_ours(&call.name) {
            return self.own_tool(id, &call.name, call.arguments.unwrap_or("{}"), cancel);
        }
        let schema = match self.lists.pin(&call.name) {
            Pin::Holds(schema) => Some(schema),
            Pin::Changed | Pin::New | Pin::Unlisted => None,
        };
        let demoted = |tool: &str| lock(&self.demoted).contains(tool);
        match gate::call::route(call.name_raw, call.arguments, schema.as_deref(), &demoted) {
            Err(refusal) => self.answer(id, envelope::response(id, &words::refused(refusal.code, &refusal.reason))),
            Ok(Route::Read) => self.relay_request(id, message.text.to_owned(), Some(call.name.into_owned()), cancel),
            Ok(Route::Held(held)) => {
                // A task or a further round would let a trade call live on outside its ticket (DESIGN fact 2).
                if let Some(other) = call.others.first() {
                    let reason = format!("A trade call may not carry \"{}\".", other.escape_debug());
                    return self.answer(id, envelope::response(id, &words::refused("extra_member", &reason)));
                }
                let (relay, id) = (Arc::clone(self), id.clone());
                self.tasks.spawn(async move {
                    let result = hold::trade_call(&relay, held, &id, progress, &cancel).await;
                    relay.answer(&id, envelope::response(&id, &result));
                });
            }
        }
    }

    /// Relays a request on the read lane and writes its answer.
    pub(super) fn relay_request(self: &Arc<Self>, id: &Id, text: String, tool: Option<String>, cancel: CancellationToken) {
        let (relay, id) = (Arc::clone(self), id.clone());
        self.tasks.spawn(async move {
            let answer = tokio::select! {
                () = cancel.cancelled() => return,
                answer = relay.read.request(&text, &id) => answer,
            };
            let line = match answer {
                Ok(line) => line,
                Err(failure) => relay.read_failure(&id, tool.as_deref(), failure).await,
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                () = relay.out.room() => relay.answer(&id, line),
            }
        });
    }

    /// The answer to a read that got none: a tool result that a model can act on, an error for other methods.
    async fn read_failure(self: &Arc<Self>, id: &Id, tool: Option<&str>, failure: Failure) -> String {
        tracing::info!(%failure, tool, "a read got no answer");
        let text = match &failure {
            Failure::Token(TokenError::NotSignedIn) => {
                let url = if tool.is_some() { signin::in_background(self).await } else { None };
                words::sign_in(url.as_deref(), "Countersign is not signed in to CrossTrade")
            }
            Failure::Scope(_) => {
                if let Some(tool) = tool {
                    lock(&self.demoted).insert(tool.to_owned());
                }
                words::read_failed("The service says that this tool is not read-only; the next call to it will be held for the person")
            }
            other => words::read_failed(&capital(&other.to_string())),
        };
        if tool.is_some() {
            return envelope::response(id, &text);
        }
        let data = words::data(words::WasSent::No, None);
        envelope::error(Some(id), words::OUR_ERROR, &failure.to_string(), Some(&data))
    }

    /// One of our own tools.
    fn own_tool(self: &Arc<Self>, id: &Id, name: &str, arguments: &str, cancel: CancellationToken) {
        let (relay, id, name, arguments) = (Arc::clone(self), id.clone(), name.to_owned(), arguments.to_owned());
        self.tasks.spawn(async move {
            let result = match name.as_str() {
                words::AWAIT => hold::await_ticket(&relay, &local::ticket_of(&arguments).unwrap_or_default(), &cancel).await,
                words::WITHDRAW => hold::withdraw(&relay, &local::ticket_of(&arguments).unwrap_or_default()).await,
                words::SIGN_IN => {
                    let url = signin::in_background(&relay).await;
                    words::sign_in(url.as_deref(), "The person has to sign in to CrossTrade")
                }
                _ => hold::status(&relay).await,
            };
            relay.answer(&id, envelope::response(&id, &result));
        });
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
