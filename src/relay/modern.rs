//! The client's side of 2026-07-28: what is said without a handshake, at this pipe.
//!
//! Owns: `server/discover`, and which upstream session such a request runs in. Refuses to know: what a call means; a held
//! call takes the same way in both eras, and `_meta` is no part of it.

use super::bridge::From;
use super::era::{self, Asker, Said};
use super::reads::Ask;
use super::{Relay, lock, words};
use crate::upstream::{Answer, Era, Failure, Hello, ReadLane, Repeat};
use crate::wire::envelope::{self, Id, Message};
use futures_util::future::join_all;
use std::sync::{Arc, Mutex};

/// Sets of capabilities that have a session of their own beside the first one's. Each costs a handshake and a stream.
const BESIDE: usize = 4;

/// The lanes beside the first one, each for clients of one set of capabilities.
#[derive(Debug)]
pub(super) struct Beside {
    lanes: Vec<ReadLane>,
    /// The lanes with the capabilities that they were opened for; the one that was not used for longest comes first.
    order: Mutex<Vec<(ReadLane, Option<String>)>>,
}

impl Beside {
    /// Lanes made by their numbers, from 1 on. Nothing is opened yet.
    pub(super) fn new(lane: impl Fn(usize) -> ReadLane) -> Self {
        let lanes: Vec<ReadLane> = (1..=BESIDE).map(lane).collect();
        let order = lanes.iter().map(|lane| (lane.clone(), None)).collect();
        Self {
            lanes,
            order: Mutex::new(order),
        }
    }

    /// The lane of this number.
    pub(super) fn lane(&self, number: usize) -> Option<&ReadLane> {
        self.lanes.get(number.checked_sub(1)?)
    }

    /// The lane for clients of these capabilities; where there is none yet, the one that was not used for longest becomes it.
    fn lane_for(&self, hello: Hello) -> ReadLane {
        let mut order = lock(&self.order);
        let is_known = |(_, known): &(ReadLane, Option<String>)| known.as_ref() == Some(&hello.capabilities);
        let at = order.iter().position(is_known);
        let (lane, _) = order.remove(at.unwrap_or(0));
        order.push((lane.clone(), Some(hello.capabilities.clone())));
        if at.is_none() {
            lane.greet(hello);
        }
        lane
    }

    /// Ends all their sessions.
    pub(super) async fn close(&self) {
        join_all(self.lanes.iter().map(ReadLane::close)).await;
    }
}

impl Relay {
    /// Who asks, by the request itself.
    ///
    /// # Errors
    /// The answer, where its `_meta` is not enough.
    pub(super) fn asker(
        self: &Arc<Self>,
        id: &Id,
        message: &Message<'_>,
        meta: Option<&str>,
    ) -> Result<Asker, String> {
        // A handshake is one whatever else it carries: clients that probed with the newer era may go on so.
        if message.method == "initialize" {
            return Ok(Asker::Legacy(String::new()));
        }
        match era::said(meta).map_err(|wrong| wrong.line(id))? {
            Some(said) => Ok(Asker::Modern(self.met(said, &message.method))),
            None if self.wants_meta(&message.method) => Err(era::says_nothing().line(id)),
            None => Ok(Asker::Legacy(lock(&self.client).name.clone())),
        }
    }

    /// Whether a request that says nothing of its client is refused: nobody shook hands here, and what another request said
    /// does not count for this one.
    fn wants_meta(&self, method: &str) -> bool {
        let client = lock(&self.client);
        let shook_hands = !client.version.is_empty();
        method == "server/discover" || (client.modern && !shook_hands && method != "ping")
    }

    /// Takes note of a client that shakes no hands; the first one is what the service is told of.
    fn met(self: &Arc<Self>, said: Said, method: &str) -> Arc<Said> {
        let first = {
            let mut client = lock(&self.client);
            let first = !client.modern;
            client.modern = true;
            let alone = client.version.is_empty();
            if alone && client.name.is_empty() {
                client.name.clone_from(&said.name);
            }
            first && alone
        };
        if first {
            self.read.greet(said.hello());
        }
        // What stands for the end of a handshake: the list is looked at anew.
        if first || method == "server/discover" {
            let relay = Arc::clone(self);
            self.tasks.spawn(async move { relay.arrive().await });
        }
        Arc::new(said)
    }

    /// `server/discover`, from local state alone.
    pub(super) fn discover(self: &Arc<Self>, id: &Id) {
        let capabilities = era::capabilities(self.eras.offered_to(Era::Modern).as_deref());
        let result = era::discovery(&capabilities, words::INSTRUCTIONS);
        self.answer(id, envelope::response(id, &result));
    }

    /// Takes over which extensions the service offers, from its handshake; one of the newer era is asked at most once a day.
    pub(super) async fn note_offer(&self) {
        let said = match self.eras.known() {
            Some(Era::Legacy) => self.read.greeting().await.map(|said| (Era::Legacy, said)),
            Some(Era::Modern) if self.eras.is_offer_old() => {
                self.read.discover().await.map(|said| (Era::Modern, said))
            }
            Some(Era::Modern) | None => return,
        };
        match said {
            Ok((era, said)) => self.eras.note_offer(era, &said),
            Err(failure) => tracing::info!(%failure, "what the service offers could not be learned"),
        }
    }

    /// The lane for a request of such a client: a session knows one set of capabilities, and no request may be asked what
    /// its client cannot do. Each other set than the first one's gets a session of its own.
    fn lane_for(&self, said: &Said) -> ReadLane {
        let hello = said.hello();
        if self.read.client_said().1 == hello.capabilities {
            return self.read.clone();
        }
        self.beside.lane_for(hello)
    }

    /// Asks the service for a client of either era, and returns the answer in that era. What is held never comes here.
    ///
    /// # Errors
    /// Whatever keeps the answer from coming.
    pub(super) async fn ask_upstream(&self, ask: &Ask, text: &str) -> Result<Answer, Failure> {
        let said = ask.asker.said();
        let lane = said.map_or_else(|| self.read.clone(), |said| self.lane_for(said));
        let from = From { said, lane: &lane };
        self.link.through(&from, text, &ask.id, Repeat::Harmless).await
    }
}
