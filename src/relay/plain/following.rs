//! What an older server says unasked, for clients without a handshake (2026-07-28): to whom it goes. And in which session such
//! a client's requests run there.

use super::{Plain, lock};
use crate::relay::era::{self, Said};
use crate::relay::listen::{self, About, Listening, Listens};
use crate::upstream::{Era, Hello};
use crate::wire::envelope::{self, Id, Message};
use crate::wire::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl Listening for Plain {
    fn listens(&self) -> &Listens {
        &self.listens
    }

    // A server of the newer era has its own streams, and is asked for them (`listen_for`).
    fn has_stream(&self) -> bool {
        false
    }
}

impl Plain {
    /// A stream of what the client wants to be told: the server's own where it has such, else one of ours over its session.
    pub(super) fn listen_for(
        self: &Arc<Self>,
        id: &Id,
        message: &Message<'_>,
        said: Option<Arc<Said>>,
        cancel: CancellationToken,
    ) {
        let (plain, id, text) = (Arc::clone(self), id.clone(), message.text.to_owned());
        self.tasks.spawn(async move {
            let era = plain.greeting.era(&plain.read, Era::Modern);
            let Some(era) = cancel.run_until_cancelled(era).await else {
                return;
            };
            let (Ok(message), Some(said)) = (envelope::read_one(&text), &said) else {
                return;
            };
            if !matches!(era, Ok(Era::Legacy)) {
                return plain.relay(&id, &message, Some(Arc::clone(said)), cancel);
            }
            plain.greet_for(said);
            listen::listen(&plain, &id, &message, cancel.clone());
            // What the server says unasked comes in a session.
            if let Some(Err(failure)) = cancel.run_until_cancelled(plain.read.open()).await {
                tracing::info!(%failure, "the server's session could not be opened yet");
            }
        });
    }

    /// Notes what a client with a handshake follows, beside those that listen to streams.
    pub(super) fn follows_too(&self, method: &str, params: &str) {
        if let "resources/subscribe" | "resources/unsubscribe" = method {
            let on = method == "resources/subscribe";
            self.listens.older_follows(&text_of(params, "uri"), on);
        }
    }

    /// Whether others follow the resource that a client with a handshake no longer does: then the server is not told.
    pub(super) fn is_still_followed(&self, message: &Message<'_>) -> bool {
        let uri = message.params.map(|params| text_of(params, "uri"));
        uri.is_some_and(|uri| self.listens.older_follows(&uri, false))
    }

    /// Takes over what a client without a handshake says of itself, for a handshake of ours. Where another client on this
    /// pipe shook hands, the session is that one's: two clients must not take it from each other with each request. What
    /// this one cannot do it is not asked.
    pub(super) fn greet_for(&self, said: &Said) {
        if lock(&self.client).version.is_empty() {
            let hello: Hello = said.hello();
            self.read.greet(hello);
        }
    }

    /// A notification of the server: for those who asked for it, in their own way.
    pub(super) fn said_unasked(&self, message: &Message<'_>, with: Option<&Id>) {
        let params = message.params.unwrap_or("{}");
        let meta = era::member(params, "_meta").unwrap_or("{}");
        // On a stream that the server itself keeps for this client.
        if era::member(meta, era::META_SUBSCRIPTION).is_some() {
            return self.say(message.text);
        }
        let about = match &*message.method {
            "notifications/message" => {
                let level = text_of(params, "level");
                let wanted = match self.newer.said(with) {
                    Some(said) => era::is_wanted(&level, said.log),
                    // On the stream of a request that runs as it came, or in the session of a client that shook hands.
                    None if with.is_some() => true,
                    None => self.logs.wants(&self.read, &level) || lock(&self.client).takes_untagged(),
                };
                if wanted {
                    self.say(message.text);
                }
                return;
            }
            "notifications/tools/list_changed" => Some(About::Tools),
            "notifications/prompts/list_changed" => Some(About::Prompts),
            "notifications/resources/list_changed" => Some(About::Resources),
            _ => None,
        };
        let uri = text_of(params, "uri");
        let about = match &*message.method {
            "notifications/resources/updated" => Some(About::Resource(&uri)),
            _ => about,
        };
        if let Some(about) = about {
            self.listens.tell(&self.out, about, &message.method, params);
        }
        let is_for_older = !matches!(about, Some(About::Resource(_))) || self.listens.is_for_older(&uri);
        if is_for_older && lock(&self.client).takes_untagged() {
            self.say(message.text);
        }
    }
}

/// The text of a member, empty where there is none.
fn text_of(params: &str, key: &str) -> String {
    let raw = era::member(params, key);
    let text = raw.and_then(|raw| json::string(raw).ok());
    text.unwrap_or_default().into_owned()
}
