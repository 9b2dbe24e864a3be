//! Calls that are not held: reads and unknown methods on the read lane, and our own tools.

use super::{Relay, hold, local, lock, outcomes, signin, words};
use crate::gate::{self, call::Route, catalogue};
use crate::oauth::TokenError;
use crate::relay::lists::Pin;
use crate::upstream::{Answer, Era, Failure, Repeat};
use crate::wire::envelope::{self, Id, Message};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl Relay {
    /// A `tools/call`: ours, a read, or held.
    pub(super) fn tools_call(
        self: &Arc<Self>,
        id: &Id,
        message: &Message<'_>,
        progress: Option<Id>,
        cancel: CancellationToken,
    ) {
        let call = match envelope::tool_call(message.params.unwrap_or("null")) {
            Ok(call) => call,
            Err(error) => {
                return self.fail(
                    id,
                    words::invalid_params(),
                    &format!("NOT SENT. The call cannot be read: {error}"),
                );
            }
        };
        if local::is_ours(&call.name) {
            return self.own_tool(id, &call.name, call.arguments.unwrap_or("{}"), progress, cancel);
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
                id,
                envelope::response(id, &words::refused(refusal.code, &refusal.reason)),
            ),
            Ok(Route::Read) if let Some(why) = self.left_out(&call.name) => self.answer(
                id,
                envelope::response(
                    id,
                    &words::read_failed("definition_unsound", &words::left_out(&call.name, &why)),
                ),
            ),
            Ok(Route::Read) => self.relay_request(id, message, Some(call.name.into_owned()), cancel),
            Ok(Route::Held(held)) => {
                // A task or a further round would let a trade call live on outside its ticket (DESIGN fact 2).
                if let Some(other) = call.others.first() {
                    let reason = format!("A trade call may not carry \"{}\".", other.escape_debug());
                    return self.answer(
                        id,
                        envelope::response(id, &words::refused("extra_member", &reason)),
                    );
                }
                let (relay, id) = (Arc::clone(self), id.clone());
                self.tasks.spawn(async move {
                    let result = hold::trade_call(&relay, held, progress, &cancel).await;
                    relay.answer(&id, envelope::response(&id, &result));
                });
            }
        }
    }

    /// Relays a request on the read lane and writes its answer.
    pub(super) fn relay_request(
        self: &Arc<Self>,
        id: &Id,
        message: &Message<'_>,
        tool: Option<String>,
        cancel: CancellationToken,
    ) {
        lock(&self.in_flight).relayed(id);
        let (relay, id, text, method) = (
            Arc::clone(self),
            id.clone(),
            message.text.to_owned(),
            message.method.clone().into_owned(),
        );
        let set = message
            .params
            .filter(|_| sets_session(&method))
            .map(str::to_owned);
        self.tasks.spawn(async move {
            let work = relay.answer_of(&id, text, &method, tool.as_deref());
            let Some(answer) = cancel.run_until_cancelled(work).await else {
                return;
            };
            if let Some(params) = set {
                relay.read.remember(&method, &params);
            }
            if cancel.run_until_cancelled(relay.out.room()).await.is_some() {
                relay.answer(&id, answer.text);
            }
        });
    }

    async fn answer_of(self: &Arc<Self>, id: &Id, text: String, method: &str, tool: Option<&str>) -> Answer {
        match self.link.through(Era::Legacy, &text, id, Repeat::Harmless).await {
            Ok(answer) => {
                // Signed in by another process, and nothing listed yet: now it can be.
                if tool.is_some() && self.lists.is_empty() {
                    let relay = Arc::clone(self);
                    self.tasks.spawn(async move { relay.refresh().await });
                }
                without(id, method, answer)
            }
            Err(failure) => Answer::small(self.read_failure(id, method, tool, failure).await),
        }
    }

    /// The answer to a read that got none: a tool result that a model can act on, an error for other methods.
    async fn read_failure(
        self: &Arc<Self>,
        id: &Id,
        method: &str,
        tool: Option<&str>,
        failure: Failure,
    ) -> String {
        tracing::info!(%failure, tool, "a read got no answer");
        let text = match &failure {
            // Only a call asks the person: clients list resources and prompts without anybody wanting anything.
            Failure::Token(TokenError::NotSignedIn) if tool.is_some() => signin::in_background(self).await,
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
            return envelope::response(id, &text);
        }
        // Before the first sign-in there is nothing to list; what there is arrives with `list_changed` after it.
        if matches!(failure, Failure::Token(TokenError::NotSignedIn))
            && let Some(nothing) = nothing_of(method)
        {
            return envelope::response(id, nothing);
        }
        let data = words::data(words::WasSent::No, None);
        envelope::error(Some(id), words::OUR_ERROR, &failure.to_string(), Some(&data))
    }

    /// One of our own tools.
    fn own_tool(
        self: &Arc<Self>,
        id: &Id,
        name: &str,
        arguments: &str,
        progress: Option<Id>,
        cancel: CancellationToken,
    ) {
        let (relay, id, name, arguments) = (
            Arc::clone(self),
            id.clone(),
            name.to_owned(),
            arguments.to_owned(),
        );
        self.tasks.spawn(async move {
            let result = match name.as_str() {
                words::AWAIT => {
                    outcomes::await_ticket(
                        &relay,
                        &local::ticket_of(&arguments).unwrap_or_default(),
                        progress,
                        &cancel,
                    )
                    .await
                }
                words::WITHDRAW => {
                    outcomes::withdraw(&relay, &local::ticket_of(&arguments).unwrap_or_default()).await
                }
                words::SIGN_IN => signin::in_background(&relay).await,
                _ => outcomes::status(&relay).await,
            };
            relay.answer(&id, envelope::response(&id, &result));
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
pub(super) fn without(id: &Id, method: &str, answer: Answer) -> Answer {
    let Some(nothing) = nothing_of(method) else {
        return answer;
    };
    let Ok(envelope::Line::One(message)) = envelope::read(answer.text.as_bytes()) else {
        return answer;
    };
    let unknown = message.error.is_some_and(|error| {
        crate::wire::json::member(error, "code").is_ok_and(|code| code == Some("-32601"))
    });
    if unknown {
        Answer::small(envelope::response(id, nothing))
    } else {
        answer
    }
}

/// Whether a method sets something in the session that the next one must be told again.
pub(super) fn sets_session(method: &str) -> bool {
    matches!(
        method,
        "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe"
    )
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
