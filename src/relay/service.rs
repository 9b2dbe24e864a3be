//! What goes to the service without an answer, and what comes from it without being asked.

use super::link::Link;
use super::{Relay, lock, words};
use crate::upstream::{Era, InUse, Word, one_line};
use crate::wire::envelope::{self, Id, Kind, Message};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Notifications that may be on their way to the service at once, and their bytes; as many replies and cancels beside
/// them, so that these never wait behind notifications.
const MAX_FORWARDING: (usize, usize) = (1024, 80 * 1024 * 1024);

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
        let able = needed.is_none_or(|needed| lock(&self.client).abilities.contains(needed));
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
    /// What the service sends without being asked.
    pub(super) fn from_upstream(self: &Arc<Self>, message: &Message<'_>, with: Option<&Id>) {
        if let Kind::Request(id) = &message.kind {
            // In the middle of a call of a client that cannot be asked so.
            if message.method != "ping" && self.newer.asked(id, with, message) {
                return;
            }
            return self.asked_by_service(id, message);
        }
        match &*message.method {
            "notifications/tools/list_changed" => {
                self.tools_told.send_replace(());
                let relay = Arc::clone(self);
                self.tasks.spawn(async move { relay.refresh().await });
            }
            "notifications/progress" => self.progress(message),
            _ if self.eras.known() == Some(Era::Modern) => self.lowered(message),
            _ => self.say(message.text),
        }
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
        loop {
            let now = *era.borrow_and_update();
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
            }
        }
    }

    /// Lists upstream's tools anew and tells the client where they changed.
    pub(crate) async fn refresh(self: &Arc<Self>) {
        // One that has not begun yet will see what we would see.
        if self.refresh_waits.swap(true, Ordering::Relaxed) {
            return;
        }
        let _one = self.refreshing.lock().await;
        self.refresh_waits.store(false, Ordering::Relaxed);
        let list = self.read.list("tools/list", "tools");
        match self.ending.run_until_cancelled(list).await {
            Some(Ok(tools)) if self.lists.absorb_read(&tools) => self.list_changed(),
            Some(Err(failure)) => {
                tracing::info!(%failure, "the tool list could not be refreshed; the last good one stands");
            }
            Some(Ok(_)) | None => {}
        }
    }

    /// Why the service's tool of this name is left out of both lists; `None` where it is not.
    pub(super) fn left_out(&self, tool: &str) -> Option<String> {
        self.read.left_out(tool).or_else(|| self.trade.left_out(tool))
    }

    /// Takes over what other processes listed and pinned, and tells the client where that changes its list.
    pub(super) fn sync_lists(&self) {
        if self.lists.sync() {
            self.list_changed();
        }
    }

    pub(crate) fn list_changed(&self) {
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
