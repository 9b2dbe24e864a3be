//! Calls that are not held: reads and unknown methods on the read lane, and our own tools.

use super::era::Asker;
use super::{Relay, hold, local, lock, outcomes, signin, words};
use crate::clients::Commands;
use crate::gate::{self, call::Route, catalogue};
use crate::oauth::TokenError;
use crate::relay::lists::Pin;
use crate::upstream::{Answer, Failure};
use crate::wire::envelope::{self, Id, Message};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A request that was taken in.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) id: Id,
    pub(super) method: String,
    /// Who asks: the answer is in its era, and its name is on the card.
    pub(super) asker: Asker,
    /// The token under which it wants progress.
    pub(super) progress: Option<Id>,
    /// Fires when it is cancelled, and when we end.
    pub(super) cancel: CancellationToken,
}

impl Ask {
    /// The answer with a result of our own.
    pub(super) fn response(&self, result: &str) -> String {
        self.asker.response(&self.id, &self.method, result)
    }
}

impl Relay {
    /// A `tools/call`: ours, a read, or held. Nothing of it hangs on the era but the shape of the answer.
    pub(super) fn tools_call(self: &Arc<Self>, ask: Ask, message: &Message<'_>) {
        let call = match envelope::tool_call(message.params.unwrap_or("null")) {
            Ok(call) => call,
            Err(error) => {
                return self.fail(
                    &ask.id,
                    words::invalid_params(),
                    &format!("NOT SENT. The call cannot be read: {error}"),
                );
            }
        };
        if local::is_ours(&call.name) {
            return self.own_tool(ask, &call.name, call.arguments.unwrap_or("{}"));
        }
        let schema = if catalogue::is_known_read_tool(&call.name) {
            None
        } else {
            // What another process signed in for since the last look counts for this call.
            self.sync_lists();
            match self.lists.pin(&call.name) {
                Pin::Holds(schema) => Some(schema),
                Pin::Changed | Pin::New | Pin::Unlisted => None,
            }
        };
        let demoted = |tool: &str| lock(&self.demoted).contains(tool);
        match gate::call::route(call.name_raw, call.arguments, schema.as_deref(), &demoted) {
            Err(refusal) => self.answer(
                &ask.id,
                ask.response(&words::refused(refusal.code, &refusal.reason)),
            ),
            Ok(Route::Read) if let Some(why) = self.lists.left_out(&call.name) => {
                let why = words::left_out(&call.name, &why);
                self.answer(
                    &ask.id,
                    ask.response(&words::read_failed("definition_unsound", &why)),
                );
            }
            Ok(Route::Read) => self.relay_request(ask, message, Some(call.name.into_owned())),
            Ok(Route::Held(held)) => {
                // A task or a further round would let a trade call live on outside its ticket (DESIGN fact 2).
                if let Some(other) = call.others.first() {
                    let reason = format!("A trade call may not carry \"{}\".", other.escape_debug());
                    return self.answer(&ask.id, ask.response(&words::refused("extra_member", &reason)));
                }
                let relay = Arc::clone(self);
                self.tasks.spawn(async move {
                    let result = hold::trade_call(&relay, held, &ask).await;
                    relay.answer_late(&ask.id, &ask.cancel, ask.response(&result));
                });
            }
        }
    }

    /// Relays a request on the read lane and writes its answer.
    pub(super) fn relay_request(self: &Arc<Self>, ask: Ask, message: &Message<'_>, tool: Option<String>) {
        // Under its own id, so that a cancel follows it under that: not so a request without a session.
        if ask.asker.said().is_none() {
            lock(&self.in_flight).relayed(&ask.id);
        }
        let (relay, text) = (Arc::clone(self), message.text.to_owned());
        let set = message
            .params
            .filter(|_| super::bridge::sets_session(&ask.method))
            .map(str::to_owned);
        self.tasks.spawn(async move {
            // Of some kilobytes, which would be moved with the task each time that this goes from hand to hand.
            let work = Box::pin(relay.answer_of(&ask, text, tool.as_deref()));
            let Some(answer) = ask.cancel.run_until_cancelled(work).await else {
                return;
            };
            if let Some(params) = set.filter(|_| super::bridge::is_taken(&ask.method, &answer)) {
                relay.remember(&ask.method, &params);
                relay.older_set(&ask.method, &params);
            }
            if ask.cancel.run_until_cancelled(relay.out.room()).await.is_some() {
                relay.answer_late(&ask.id, &ask.cancel, answer.text);
            }
        });
    }

    async fn answer_of(self: &Arc<Self>, ask: &Ask, text: String, tool: Option<&str>) -> Answer {
        match self.ask_upstream(ask, &text).await {
            Ok(answer) => {
                // Signed in by another process, and nothing listed yet: now it can be.
                if tool.is_some() && self.lists.is_empty() {
                    let relay = Arc::clone(self);
                    self.tasks.spawn(async move { relay.refresh().await });
                }
                without(&ask.method, answer, |nothing| ask.response(nothing))
            }
            Err(failure) => Answer::small(self.read_failure(ask, tool, failure).await),
        }
    }

    /// The answer to a read that got none: a tool result that a model can act on, an error for other methods.
    async fn read_failure(self: &Arc<Self>, ask: &Ask, tool: Option<&str>, failure: Failure) -> String {
        tracing::info!(%failure, tool, "a read got no answer");
        let text = match &failure {
            // Only a call asks the person: clients list resources and prompts without anybody wanting anything.
            Failure::Token(TokenError::NotSignedIn) if tool.is_some() => signin::in_background(self).await,
            Failure::Token(TokenError::Withdrawn(why)) => words::read_failed(
                code_of(&failure),
                &words::withdrawn(why, Commands::of(&self.world)),
            ),
            Failure::Scope(_) => {
                if let Some(tool) = tool {
                    lock(&self.demoted).insert(tool.to_owned());
                }
                words::read_failed(
                    "failed",
                    "The service says that this tool is not read-only; the next call to it will be held for the person",
                )
            }
            other => words::read_failed(code_of(other), &capital(&other.to_string())),
        };
        if tool.is_some() {
            return ask.response(&text);
        }
        // Before the first sign-in there is nothing to list; what there is arrives with `list_changed` after it.
        if matches!(failure, Failure::Token(TokenError::NotSignedIn))
            && let Some(nothing) = nothing_of(&ask.method)
        {
            return ask.response(nothing);
        }
        let data = words::data(words::WasSent::No, None);
        envelope::error(Some(&ask.id), words::OUR_ERROR, &failure.to_string(), Some(&data))
    }

    /// One of our own tools.
    fn own_tool(self: &Arc<Self>, ask: Ask, name: &str, arguments: &str) {
        let (relay, name, arguments) = (Arc::clone(self), name.to_owned(), arguments.to_owned());
        self.tasks.spawn(async move {
            let result = match name.as_str() {
                words::AWAIT => {
                    let ticket = local::ticket_of(&arguments).unwrap_or_default();
                    outcomes::await_ticket(&relay, &ticket, &ask).await
                }
                words::WITHDRAW => {
                    outcomes::withdraw(&relay, &local::ticket_of(&arguments).unwrap_or_default()).await
                }
                words::SIGN_IN => signin::in_background(&relay).await,
                _ => outcomes::status(&relay).await,
            };
            relay.answer_late(&ask.id, &ask.cancel, ask.response(&result));
        });
    }
}

/// What a client gets from a method that our handshake offers, where there is nothing behind it.
fn nothing_of(method: &str) -> Option<&'static str> {
    Some(match method {
        "resources/list" => r#"{"resources":[]}"#,
        "resources/templates/list" => r#"{"resourceTemplates":[]}"#,
        "prompts/list" => r#"{"prompts":[]}"#,
        "logging/setLevel" => "{}",
        _ => return None,
    })
}

/// Our handshake is answered before upstream's is known, so it offers more than upstream may have: a method that
/// upstream does not know is answered with nothing instead of an error.
pub(super) fn without(method: &str, answer: Answer, response: impl FnOnce(&str) -> String) -> Answer {
    match nothing_of(method) {
        Some(nothing) if is_unknown_method(&answer) => Answer::small(response(nothing)),
        Some(_) | None => answer,
    }
}

fn is_unknown_method(answer: &Answer) -> bool {
    let Ok(envelope::Line::One(message)) = envelope::read(answer.text.as_bytes()) else {
        return false;
    };
    message.error.is_some_and(|error| {
        crate::wire::json::member(error, "code").is_ok_and(|code| code == Some("-32601"))
    })
}

/// A failure as a word for programs.
fn code_of(failure: &Failure) -> &'static str {
    match failure {
        Failure::Connect(_) | Failure::Broken(_) | Failure::Token(TokenError::Network(_)) => "unreachable",
        Failure::Token(TokenError::Withdrawn(_)) | Failure::Unauthorized => "withdrawn",
        _ => "failed",
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
