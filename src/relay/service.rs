//! What goes to the service without an answer, and what comes from it without being asked.

use super::era;
use super::link::Link;
use super::listen::About;
use super::{Relay, lock, words};
use crate::approve::Notice;
use crate::gate::catalogue;
use crate::upstream::{Era, InUse, ReadLane, Word, one_line};
use crate::wire::envelope::{self, Id, Kind, Message};
use crate::wire::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Notifications that may be on their way to the service at once, and their bytes; as many replies and cancels beside
/// them, so that these never wait behind notifications.
const MAX_FORWARDING: (usize, usize) = (1024, 80 * 1024 * 1024);

/// How long after a refused subscription it is asked for again.
const LISTEN_AGAIN: Duration = Duration::from_secs(300);

/// What is on its way to the service and has no answer.
#[derive(Debug, Default)]
pub(super) struct Forwarding {
    notices: Load,
    replies: Load,
}

#[derive(Debug, Default)]
pub(super) struct Load {
    count: usize,
    bytes: usize,
}

impl Forwarding {
    fn of(&mut self, word: Word) -> &mut Load {
        match word {
            Word::Notice => &mut self.notices,
            Word::Reply => &mut self.replies,
        }
    }
}

impl Load {
    /// Takes one more, unless they are too many.
    fn begin(&mut self, bytes: usize) -> bool {
        let fits = self.count < MAX_FORWARDING.0 && self.bytes + bytes <= MAX_FORWARDING.1;
        if fits {
            self.count += 1;
            self.bytes += bytes;
        }
        fits
    }

    fn end(&mut self, bytes: usize) {
        self.count -= 1;
        self.bytes -= bytes;
    }
}

impl Link {
    /// Sends a notification or response of the client upstream, in the background.
    pub(super) fn forward(&self, text: &str, word: Word, session: Option<InUse>) {
        if !lock(&self.forwarding).of(word).begin(text.len()) {
            tracing::warn!(?word, "not passed on: too many are on their way");
            return;
        }
        let (text, length) = (text.to_owned(), text.len());
        let (read, ending, forwarding) = (
            self.read.clone(),
            self.ending.clone(),
            Arc::clone(&self.forwarding),
        );
        self.tasks.spawn(async move {
            let told = ending.run_until_cancelled(read.tell(text, word, session)).await;
            lock(&forwarding).of(word).end(length);
            if let Some(Err(failure)) = told {
                tracing::info!(%failure, "a notification could not be passed on");
            }
        });
    }

    /// A request of the service: the client's to answer, where it said that it can (2025-11-25, lifecycle, operation).
    pub(super) fn asked_by_service(&self, id: &Id, message: &Message<'_>) {
        let needed = match &*message.method {
            "ping" => return self.reply(id, &envelope::response(id, "{}")),
            "sampling/createMessage" => Some("sampling"),
            "elicitation/create" => Some("elicitation"),
            "roots/list" => Some("roots"),
            _ => None,
        };
        let able = {
            let client = lock(&self.client);
            // Without a handshake no request of a server may stand on this pipe (2026-07-28, stdio).
            client.takes_untagged() && needed.is_none_or(|needed| client.abilities.contains(needed))
        };
        if able && !self.out.is_full() {
            return self.out.line(one_line(message.text).into_owned());
        }
        let (code, reason) = if able {
            (words::OUR_ERROR, "the client does not read")
        } else {
            (
                words::method_not_found(),
                "the client has not said that it can do this",
            )
        };
        self.reply(id, &envelope::error(Some(id), code, reason, None));
    }

    /// Answers a request of the service, in the session that it came from.
    pub(super) fn reply(&self, id: &Id, text: &str) {
        let session = self.read.asked_in(id);
        self.forward(text, Word::Reply, session);
    }

    /// Writes a notification; while the client does not read they are dropped, not piled up.
    pub(crate) fn say(&self, text: &str) {
        if self.out.is_full() {
            tracing::warn!("a notification was dropped: the client does not read");
        } else {
            self.out.line(one_line(text).into_owned());
        }
    }

    /// Passes progress on, where the client still waits for it.
    pub(super) fn progress(&self, message: &Message<'_>) {
        let token = message.params.and_then(envelope::progress_of);
        if token.is_some_and(|token| lock(&self.in_flight).knows_progress(&token)) {
            self.say(message.text);
        }
    }
}

impl Relay {
    /// What the service sends without being asked, in the session of the lane of this number, on the stream of this request
    /// where it came on one. The sessions beside the first one hear the same: what comes there counts only where it belongs
    /// to a request.
    pub(super) fn from_upstream(self: &Arc<Self>, message: &Message<'_>, with: Option<&Id>, number: usize) {
        let beside = self.beside.lane(number);
        let is_first = beside.is_none();
        if let Kind::Request(id) = &message.kind {
            // In the middle of a call of a client that cannot be asked so.
            if self.asked_newer(beside.unwrap_or(&self.read), id, with, message) {
                return;
            }
            return match beside {
                None => self.asked_by_service(id, message),
                Some(lane) => self.refuse_beside(lane, id, message),
            };
        }
        if is_first && self.listens.told_of_tasks(&self.out, with, message) {
            return;
        }
        let params = message.params.unwrap_or("{}");
        let about = match &*message.method {
            "notifications/progress" => return self.progress(message),
            // A client without a handshake is told what it asked for with the request, and on that request alone.
            "notifications/message" if let Some(said) = self.newer.said(with) => {
                if era::is_wanted(&text_of(params, "level"), said.log) {
                    self.say(message.text);
                }
                return;
            }
            // And a service of the newer era says it there alone.
            "notifications/message" if self.is_modern() => return self.lowered(message),
            // Or beside it, on the standing stream of its session.
            "notifications/message"
                if with.is_none()
                    && self
                        .logs
                        .wants(beside.unwrap_or(&self.read), &text_of(params, "level")) =>
            {
                return self.say(message.text);
            }
            _ if !is_first => return,
            "notifications/tools/list_changed" => {
                self.tools_told.send_replace(());
                let relay = Arc::clone(self);
                self.tasks.spawn(async move { relay.refresh().await });
                return;
            }
            "notifications/prompts/list_changed" => Some(About::Prompts),
            "notifications/resources/list_changed" => Some(About::Resources),
            "notifications/resources/updated" => {
                let uri = text_of(params, "uri");
                self.listens
                    .tell(&self.out, About::Resource(&uri), &message.method, params);
                if !self.listens.is_for_older(&uri) {
                    return;
                }
                None
            }
            _ => None,
        };
        if let Some(about) = about {
            self.listens.tell(&self.out, about, &message.method, params);
        }
        if !lock(&self.client).takes_untagged() {
            return;
        }
        if self.is_modern() {
            self.lowered(message);
        } else {
            self.say(message.text);
        }
    }

    /// A question in another session than the first that belongs to no request: whom it is for cannot be known.
    fn refuse_beside(&self, lane: &ReadLane, id: &Id, message: &Message<'_>) {
        let line = if message.method == "ping" {
            envelope::response(id, "{}")
        } else {
            envelope::error(
                Some(id),
                words::method_not_found(),
                "there is nobody to ask",
                None,
            )
        };
        let (lane, session, ending) = (lane.clone(), lane.asked_in(id), self.ending.clone());
        self.tasks.spawn(async move {
            let told = lane.tell(line, Word::Reply, session);
            let _ = ending.run_until_cancelled(told).await;
        });
    }

    /// Notes what a client of the older era follows.
    pub(super) fn older_set(&self, method: &str, params: &str) {
        if let "resources/subscribe" | "resources/unsubscribe" = method {
            self.listens
                .older_follows(&text_of(params, "uri"), method == "resources/subscribe");
        }
    }

    /// Whether a resource that a client of the older era no longer follows is followed by others in the same session: then
    /// the service is not told.
    pub(super) fn still_followed(&self, message: &Message<'_>) -> bool {
        let uri = message.params.map(|params| text_of(params, "uri"));
        uri.is_some_and(|uri| self.listens.older_follows(&uri, false))
    }

    /// Whether a notification is one of a client without a handshake.
    pub(super) fn is_of_newer_era(&self, message: &Message<'_>) -> bool {
        let meta = message.params.and_then(|params| era::member(params, "_meta"));
        !matches!(era::said(meta), Ok(None)) || !lock(&self.client).takes_untagged()
    }

    /// The client is ready: open the session and see what upstream lists now. Without a sign-in nothing happens here;
    /// no browser is opened by a handshake.
    pub(super) async fn arrive(self: Arc<Self>) {
        if !self.listening.swap(true, Ordering::Relaxed) {
            let relay = Arc::clone(&self);
            self.tasks.spawn(async move { relay.keep_listening().await });
        }
        self.refresh().await;
    }

    /// While the service is of the newer era, a stream of ours stands for the one that a session has.
    async fn keep_listening(&self) {
        let mut era = self.eras.watch();
        let mut was = None;
        loop {
            let now = *era.borrow_and_update();
            if was == Some(Era::Modern) && now == Some(Era::Legacy) {
                // What is followed is told to its session, whether anybody asks for something or not.
                if let Some(Err(failure)) = self.ending.run_until_cancelled(self.read.open()).await {
                    tracing::info!(%failure, "the service's session could not be opened yet");
                }
            }
            was = now;
            if now == Some(Era::Modern) {
                tokio::select! {
                    // Until it is not offered any more.
                    () = self.link.listen() => {}
                    Ok(()) = era.changed() => continue,
                }
            }
            tokio::select! {
                () = self.ending.cancelled() => return,
                Ok(()) = era.changed() => {}
                // A service that had moved away for a while and was not asked for anything meanwhile.
                () = tokio::time::sleep(LISTEN_AGAIN), if now == Some(Era::Modern) => {}
            }
        }
    }

    /// Lists upstream's tools anew and tells the client where they changed.
    pub(crate) async fn refresh(self: &Arc<Self>) {
        // One that has not begun yet will see what we would see.
        if self.refresh_waits.swap(true, Ordering::Relaxed) {
            return;
        }
        let one = self.refreshing.lock().await;
        self.refresh_waits.store(false, Ordering::Relaxed);
        let list = self.read.list("tools/list", "tools");
        match self.ending.run_until_cancelled(list).await {
            Some(Ok(tools)) => {
                if self.lists.absorb_read(&tools) {
                    self.list_changed();
                }
                self.note_left_out(&self.read.left_out(), &tools).await;
                // The next look does not wait for this.
                drop(one);
                let _ = self.ending.run_until_cancelled(self.note_offer()).await;
            }
            Some(Err(failure)) => {
                tracing::info!(%failure, "the tool list could not be refreshed; the last good one stands");
            }
            None => {}
        }
    }

    /// Takes over what a listing left out. That a tool which people know is gone is told to the person.
    pub(super) async fn note_left_out(&self, left_out: &[(String, String)], listed: &[String]) {
        for tool in self.lists.absorb_left_out(left_out, listed) {
            let known = catalogue::is_known_read_tool(&tool) || catalogue::is_known_trade_tool(&tool);
            if let Some(why) = self.lists.left_out(&tool).filter(|_| known) {
                let title = format!("{tool} CANNOT BE CALLED");
                let lines = vec![format!("{}.", words::left_out(&tool, &why))];
                self.desk
                    .notice(Notice {
                        title,
                        lines,
                        lasting: false,
                    })
                    .await;
            }
        }
    }

    /// Takes over what other processes listed and pinned, and tells the client where that changes its list.
    pub(super) fn sync_lists(&self) {
        if self.lists.sync() {
            self.list_changed();
        }
    }

    pub(crate) fn list_changed(&self) {
        let changed = "notifications/tools/list_changed";
        self.listens.tell(&self.out, About::Tools, changed, "{}");
        let ready = {
            let mut client = lock(&self.client);
            client.missed_change = !client.ready;
            client.ready
        };
        if ready {
            self.say(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
        }
    }
}

/// The text of a member, empty where there is none.
fn text_of(params: &str, key: &str) -> String {
    let raw = era::member(params, key);
    raw.and_then(|raw| json::string(raw).ok())
        .unwrap_or_default()
        .into_owned()
}
