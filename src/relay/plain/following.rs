//! What an older server says unasked, for clients without a handshake (2026-07-28): the streams that they open, and the log
//! messages that they ask for with a request. And in which session such a client's requests run there.

use super::{Plain, lock};
use crate::relay::era::{self, Said};
use crate::relay::listen::{self, About, Listening, Listens};
use crate::system::clock::mono_ms;
use crate::upstream::{Era, Hello};
use crate::wire::envelope::{self, Id, Message};
use crate::wire::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How long (ms) after its answer a request's log messages may come: servers send them on their standing stream, beside it.
const AFTER: u64 = 1000;

/// The log messages that an older server sends for clients without a handshake.
#[derive(Debug, Default)]
pub(super) struct Logs {
    /// The level that was set there.
    set: Option<usize>,
    /// What the requests that run ask for.
    wanted: Vec<usize>,
    /// What the last request that was answered asked for, and when that was (monotonic ms).
    last: Option<(usize, u64)>,
}

/// A request that asks for log messages of this level.
pub(super) struct Wanting(Arc<Plain>, usize);

impl Drop for Wanting {
    fn drop(&mut self) {
        let mut logs = lock(&self.0.logs);
        if let Some(at) = logs.wanted.iter().position(|level| *level == self.1) {
            logs.wanted.swap_remove(at);
        }
        logs.last = Some((self.1, mono_ms()));
    }
}

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

    /// Sets the level of log messages that a request asks for, where the last one asked for another.
    pub(super) async fn set_level(&self, said: &Said) {
        let Some(level) = said.log else { return };
        let is_set = lock(&self.logs).set.replace(level) == Some(level);
        let name = era::level(level);
        if is_set || name.is_empty() || !lock(&self.client).version.is_empty() {
            return;
        }
        let params = format!(r#"{{"level":"{name}"}}"#);
        match self.read.own("logging/setLevel", &params).await {
            Ok(_) => self.read.remember("logging/setLevel", &params),
            Err(failure) => tracing::info!(%failure, "the level of log messages could not be set"),
        }
    }

    /// While this is held, and shortly after, the log messages that the request asks for are passed on: they come beside the
    /// answer, and may come behind it.
    pub(super) fn wanting_logs(self: &Arc<Self>, said: &Said) -> Option<Wanting> {
        let level = said.log?;
        lock(&self.logs).wanted.push(level);
        Some(Wanting(Arc::clone(self), level))
    }

    /// Whether somebody without a handshake wants a message that belongs to no request.
    fn wants_log(&self, level: &str) -> bool {
        let logs = lock(&self.logs);
        let late = logs.last.filter(|(_, at)| mono_ms().saturating_sub(*at) <= AFTER);
        let mut least = logs.wanted.iter().copied().chain(late.map(|(level, _)| level));
        least.any(|least| era::is_wanted(level, Some(least)))
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
                    None => self.wants_log(&level) || lock(&self.client).takes_untagged(),
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
