//! One stdio connection, whatever is behind it: the requests in flight and their one answer each, batches, what the client
//! said of itself, and the lane on which reads and everything else that is not held travel.
//!
//! Owns: the loop over the client's lines, and when it ends. Refuses to know: tickets, policies, what a call means; a
//! [`Peer`] knows those.

use super::batch::Batch;
use super::bridge::logs::Logs;
use super::bridge::newer::Parking;
use super::bridge::older;
use super::era::plain_name;
use super::input::Input;
use super::output::Output;
use super::service::Forwarding;
use super::session::{InFlight, Refused};
use super::{lock, words};
use crate::system::{memory, process};
use crate::upstream::{Hello, ReadLane, newest_common};
use crate::wire::envelope::{self, Id, Line, Malformed, Message, Recovered};
use crate::wire::frame::Frame;
use crate::wire::json;
use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often a peer looks after itself.
const TICK: Duration = Duration::from_secs(2);
/// How often it is looked whether the parent lives: something else may hold our stdin open when it is gone.
const PARENT: Duration = Duration::from_millis(250);

/// What answers the client over a [`Link`].
pub(super) trait Peer: Deref<Target = Link> {
    /// Takes one message. Never waits: work goes into tasks.
    fn message(self: &Arc<Self>, message: &Message<'_>, in_batch: bool);
    /// Looks after itself; called every 2 s.
    fn tick(self: &Arc<Self>);
    /// Ends everything; bounded in time.
    fn end(&self) -> impl Future<Output = ()>;
}

/// Serves the client until it leaves.
pub(super) async fn run<P: Peer>(peer: Arc<P>, mut input: Input) {
    let ending = process::ending();
    let parent = process::Parent::now();
    let mut ending = std::pin::pin!(async move {
        match ending {
            Ok(signal) => signal.await,
            Err(_) => std::future::pending().await,
        }
    });
    let mut alive = tokio::time::interval(PARENT);
    alive.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let why = loop {
        tokio::select! {
            frame = input.next() => match frame {
                Some(Frame::Line(line)) => take(&peer, &line),
                Some(Frame::TooLong(head)) => peer.too_long(&head),
                None => break "the client closed its end",
            },
            signal = &mut ending => break signal,
            _ = alive.tick() => {
                if parent.is_gone() {
                    break "the client's process is gone";
                }
            }
            _ = tick.tick() => {
                if peer.out.is_broken() {
                    break "the client stopped reading for good";
                }
                if peer.out.has_passed_large() {
                    memory::give_back();
                }
                peer.tick();
            }
        }
    };
    tracing::info!(why, "leaving");
    peer.end().await;
}

/// Takes one line of the client. Never waits.
pub(super) fn take<P: Peer>(peer: &Arc<P>, line: &[u8]) {
    match envelope::read(line) {
        Ok(Line::One(message)) => peer.message(&message, false),
        Ok(Line::Batch(messages)) => super::batch::take(peer, messages),
        Err(malformed) => peer.malformed(&malformed),
    }
}

/// The connection.
#[derive(Debug)]
pub struct Link {
    pub(crate) out: Output,
    pub(crate) read: ReadLane,
    pub(super) in_flight: Mutex<InFlight>,
    pub(super) batches: Mutex<HashMap<Id, Arc<Batch>>>,
    pub(super) forwarding: Arc<Mutex<Forwarding>>,
    pub(super) client: Mutex<Client>,
    /// What stands in the place of a session, for a client of the older era on a service of the newer.
    pub(super) older: older::Session,
    /// Calls that are open at the service, for a client of the newer era on a service of the older.
    pub(super) newer: Parking,
    /// The log messages that such clients ask for.
    pub(super) logs: Logs,
    /// Fires when the connection ends: everything that is held is voided.
    pub(crate) ending: CancellationToken,
    /// Tasks that the end waits for.
    pub(crate) tasks: TaskTracker,
}

/// What the client said of itself, last.
#[derive(Debug, Default, Clone)]
pub(super) struct Client {
    pub(super) name: String,
    pub(super) version: String,
    /// The keys of its capabilities.
    pub(super) abilities: HashSet<String>,
    pub(super) ready: bool,
    /// The list changed before the client was ready to be told.
    pub(super) missed_change: bool,
    /// A client has spoken here that shakes no hands (2026-07-28).
    pub(super) modern: bool,
}

impl Client {
    fn takes_errors_without_id(&self) -> bool {
        self.version.as_str() >= "2025-11-25" || (self.modern && self.version.is_empty())
    }

    /// Whether what is said unasked may be said untagged: somebody shook hands, or nobody was met who does not.
    pub(super) fn takes_untagged(&self) -> bool {
        !self.version.is_empty() || !self.modern
    }
}

impl Link {
    /// A connection that ends when `ending` fires.
    pub(super) fn new(out: Output, read: ReadLane, ending: CancellationToken) -> Arc<Self> {
        let tasks = TaskTracker::new();
        Arc::new(Self {
            newer: Parking::new(tasks.clone(), ending.clone()),
            out,
            read,
            in_flight: Mutex::default(),
            batches: Mutex::default(),
            forwarding: Arc::default(),
            client: Mutex::default(),
            older: older::Session::default(),
            logs: Logs::default(),
            ending,
            tasks,
        })
    }

    /// The name by which the client goes on cards: what it said of itself, as plain ASCII of at most 40 characters.
    pub(crate) fn client_name(&self) -> String {
        card_name(&lock(&self.client).name)
    }

    /// Starts a task that the end waits for.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.tasks.spawn(task)
    }

    /// Takes over what a client says of itself in `initialize`, and returns the revision to answer with; `None` where
    /// it was answered with an error already.
    pub(super) fn hello(&self, id: &Id, params: &str) -> Option<&'static str> {
        let Ok(members) = json::members(params) else {
            self.fail(
                id,
                words::invalid_params(),
                "initialize needs an object of parameters",
            );
            return None;
        };
        let find = |key: &str| {
            members
                .iter()
                .find(|member| member.key == key)
                .map(|member| member.value)
        };
        let asked = find("protocolVersion")
            .and_then(|raw| json::string(raw).ok())
            .unwrap_or_default();
        let version = newest_common(&asked);
        let capabilities = find("capabilities").unwrap_or("{}");
        let info = find("clientInfo").unwrap_or(r#"{"name":"unknown","version":"0"}"#);
        let mut client = lock(&self.client);
        *client = Client {
            modern: client.modern,
            name: plain_name(info),
            version: version.to_owned(),
            abilities: json::members(capabilities)
                .unwrap_or_default()
                .into_iter()
                .map(|member| member.key.into_owned())
                .collect(),
            ..Client::default()
        };
        drop(client);
        self.read.greet(Hello {
            version: version.to_owned(),
            capabilities: json::minify(capabilities).into_owned(),
            client_info: json::minify(info).into_owned(),
        });
        Some(version)
    }

    fn too_long(&self, head: &[u8]) {
        let Recovered { id, response } = envelope::recover(head);
        self.malformed(&Malformed {
            code: words::invalid_request(),
            reason: "the message is longer than 64 MiB".to_owned(),
            id,
            response,
        });
    }

    pub(super) fn malformed(&self, what: &Malformed) {
        if what.response {
            tracing::warn!(reason = %what.reason, "a broken answer of the client was dropped");
            return;
        }
        tracing::warn!(code = what.code, reason = %what.reason, "a message of the client cannot be read");
        // Without an id there is nobody to answer to before 2025-11-25, whose schema first allows an error without one.
        let may = what.id.is_some() || lock(&self.client).takes_errors_without_id();
        if may {
            let data = words::data(words::WasSent::No, None);
            self.out.line(envelope::error(
                what.id.as_ref(),
                what.code,
                &what.reason,
                Some(&data),
            ));
        }
    }

    /// Takes a request in; `None` where it was refused, and answered so.
    pub(super) fn begin(
        &self,
        id: &Id,
        progress: Option<Id>,
        message: &Message<'_>,
    ) -> Option<CancellationToken> {
        let begun = lock(&self.in_flight).begin(id, progress, message.text.len(), &self.ending);
        match begun {
            Ok(cancel) => Some(cancel),
            Err(refused) => {
                self.put(id, Some(refusal(id, refused)));
                None
            }
        }
    }

    /// Ends a request that the client has cancelled, without an answer. Whether it was relayed upstream; `None` where
    /// nothing of that id waits.
    pub(super) fn cancelled(&self, id: &Id) -> Option<bool> {
        let cancelled = lock(&self.in_flight).cancel(id);
        if cancelled.is_some() {
            self.put(id, None);
        }
        cancelled
    }

    /// Writes the one answer to a request that is still open.
    pub(crate) fn answer(&self, id: &Id, line: String) {
        if lock(&self.in_flight).end(id) {
            self.put(id, Some(line));
        }
    }

    /// The same for work that took time. Where its request was taken back meanwhile, nothing is written: the id may be another
    /// request's by now.
    pub(super) fn answer_late(&self, id: &Id, cancel: &CancellationToken, line: String) {
        // At the end all of them are cancelled, and what is known is still told.
        if !cancel.is_cancelled() || self.ending.is_cancelled() {
            self.answer(id, line);
        }
    }

    /// Writes an answer, or notes that there will be none; members of a batch wait for each other.
    fn put(&self, id: &Id, line: Option<String>) {
        let Some(batch) = lock(&self.batches).remove(id) else {
            if let Some(line) = line {
                self.out.line(line);
            }
            return;
        };
        batch.add(&self.out, line);
    }

    /// Answers with an error of our own; nothing was sent.
    pub(crate) fn fail(&self, id: &Id, code: i32, reason: &str) {
        let data = words::data(words::WasSent::No, None);
        self.answer(id, envelope::error(Some(id), code, reason, Some(&data)));
    }
}

/// What a client of this name is called on cards.
pub(super) fn card_name(name: &str) -> String {
    let name = if name.is_empty() { "an MCP client" } else { name };
    name.to_owned()
}

/// The answer to a request that is not taken in.
pub(super) fn refusal(id: &Id, refused: Refused) -> String {
    let reason = match refused {
        Refused::DuplicateId => "NOT SENT. A request of this id is still open; give each request its own",
        Refused::TooMany => {
            "NOT SENT. Too many requests are open already; wait for their answers, then ask again"
        }
    };
    let data = words::data(words::WasSent::No, None);
    envelope::error(Some(id), words::invalid_request(), reason, Some(&data))
}
