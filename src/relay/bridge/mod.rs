//! Between the eras: a client of one on a service of the other (2025-11-25 and before; 2026-07-28).
//!
//! Owns: the four pairings, and what stands in the place of what one side lacks. Refuses to know: what is asked for, and
//! whether it may be; whoever calls this has let it through.

pub(super) mod logs;
pub(super) mod newer;
pub(super) mod older;

use super::era::Said;
use super::link::Link;
use super::{lock, words};
use crate::upstream::{Answer, Era, Failure, ReadLane, Repeat};
use crate::wire::envelope::{self, Id, Message};
use std::sync::Arc;

/// Whom a request comes from.
#[derive(Debug)]
pub(super) struct From<'a> {
    /// What the request says of its client; `None` where the client shook hands.
    pub(super) said: Option<&'a Arc<Said>>,
    /// The lane whose session knows what this client can do, where the service has sessions.
    pub(super) lane: &'a ReadLane,
}

/// The answer to a request that could not be said in the other era: nothing of it was passed on.
fn not_sent(id: &Id, why: &str) -> Answer {
    let data = words::data(words::WasSent::No, None);
    Answer::small(envelope::error(
        Some(id),
        words::invalid_params(),
        &format!("NOT SENT. {why}"),
        Some(&data),
    ))
}

/// Whether a method sets something in the session that whatever comes after it must be told again.
pub(super) fn sets_session(method: &str) -> bool {
    matches!(
        method,
        "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe"
    )
}

/// Whether what such a request set counts by this answer. Nobody follows any longer what they do not want, whatever the service
/// says.
pub(super) fn is_taken(method: &str, answer: &Answer) -> bool {
    method == "resources/unsubscribe" || super::era::member(&answer.text, "result").is_some()
}

/// Why a request is not passed on whose parameters cannot be split into members without a doubt.
const UNREADABLE: &str = "The parameters cannot be read: they must be an object with each key once";

impl Link {
    /// Takes a question of the service for a call of a newer client; false where it belongs to none.
    pub(super) fn asked_newer(
        &self,
        lane: &ReadLane,
        id: &Id,
        with: Option<&Id>,
        message: &Message<'_>,
    ) -> bool {
        // On the standing stream it may as well be of a client's call that shook hands: that one's run in the first session.
        let may_be_older = lane.is(&self.read) && lock(&self.in_flight).has_relayed();
        self.newer.asked(lane, id, with, may_be_older, message)
    }

    /// Sends a request of a client of either era to a service of whatever era; the answer is in the client's.
    ///
    /// # Errors
    /// Whatever keeps the answer from coming.
    pub(super) async fn through(
        self: &Arc<Self>,
        from: &From<'_>,
        text: &str,
        id: &Id,
        repeat: Repeat,
    ) -> Result<Answer, Failure> {
        let mut again = false;
        loop {
            let service = self.read.era().await?;
            let outcome = self.between(from, service, text, id, repeat).await;
            if again || !self.read.has_moved(service, &outcome).await {
                return outcome;
            }
            again = true;
        }
    }

    /// The same where the service's era is known.
    pub(super) async fn between(
        self: &Arc<Self>,
        from: &From<'_>,
        service: Era,
        text: &str,
        id: &Id,
        repeat: Repeat,
    ) -> Result<Answer, Failure> {
        match (from.said, service) {
            (None, Era::Legacy) => self.read.request(text.to_owned(), id, repeat).await,
            (Some(_), Era::Modern) => self.read.request_modern(text.to_owned(), id, repeat).await,
            (None, Era::Modern) => self.lifted(text, id, repeat).await,
            (Some(said), Era::Legacy) => {
                let _wanting = self.wants_logs(from.lane, said).await;
                self.newer.request(from.lane, text, id, said, repeat).await
            }
        }
    }
}
