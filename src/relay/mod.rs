//! The loop between the client and the lanes.
//!
//! Owns: one stdio connection: what is in flight, the one answer to each request, our local tools, held calls.
//! Refuses to know: how a call is judged (`gate`), how a person is asked (`approve`), how bytes are cut (`wire`).
//! May call: every room but `cli`.

mod again;
mod arming;
mod ask;
mod batch;
mod bridge;
pub(crate) mod change;
mod era;
pub mod facts;
mod hold;
mod input;
mod judging;
mod line;
mod link;
mod listen;
pub mod lists;
mod local;
mod lookup;
mod modern;
mod outcomes;
mod output;
pub(crate) mod passkeys;
pub(crate) mod past;
mod pausing;
pub mod plain;
pub(crate) mod policy_file;
mod reads;
mod refusals;
pub(crate) mod running;
mod send;
mod service;
pub mod session;
pub mod settings;
pub mod signin;
pub mod tickets;
pub(crate) mod under_seal;
mod unwritten;
mod verbs;
pub mod words;

use crate::approve::Desk;
use crate::journal::Journal;
use crate::oauth::{Endpoint, GrantKind, Grants};
use crate::system::World;
use crate::upstream::{Era, Eras, GrantKeys, ReadLane, TradeLane, Word};
use crate::wire::envelope::{self, Id, Kind, Message};
use crate::wire::json;
use input::Input;
use link::{Link, Peer};
use listen::Listens;
use lists::Lists;
use output::Output;
use reads::Ask;
use settings::Settings;
use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tickets::Tickets;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the end may take without, and with, a sent call whose answer is still awaited.
const LEAVE: (Duration, Duration) = (Duration::from_millis(1800), Duration::from_secs(10));

pub(crate) use arming::{MAX_MINUTES, request as request_arming};
pub(crate) use hold::{WATCHING, decide_here};
pub(crate) use judging::{change_counters, counters_at};
pub(crate) use local::is_ours;
pub(crate) use outcomes::{end_held_in, tool_name};
pub(crate) use policy_file::load_policy_at;
pub(crate) use verbs::{NotResumed, one_call, one_call_as};

/// One running relay.
#[derive(Debug)]
pub struct Relay {
    pub(crate) world: World,
    pub(crate) endpoint: Endpoint,
    pub(crate) http: reqwest::Client,
    link: Arc<Link>,
    /// Sessions for clients without a handshake whose capabilities are not those of the first one.
    beside: modern::Beside,
    /// What such clients listen to.
    listens: Listens,
    /// Of which era the service is, for both lanes.
    pub(crate) eras: Eras,
    /// The stream that stands for a session's is looked after.
    listening: AtomicBool,
    pub(crate) lists: Lists,
    pub(crate) grants: Grants,
    pub(crate) trade: TradeLane,
    pub(crate) desk: Desk,
    pub(crate) tickets: Tickets,
    pub(crate) journal: Journal,
    /// What the journal says of the past, read on as it grows.
    pub(crate) past: past::Past,
    pub(crate) facts: facts::FactCache,
    counted: judging::Counted,
    /// Counts the calls of this process that were sent to their end: what waits may mean something else after each.
    pub(crate) deeds: tokio::sync::watch::Sender<u64>,
    /// New orders are looked at one at a time: a flood of them costs few reads.
    line: line::Line,
    /// Refusals that are not written down one by one.
    refusals: refusals::Refusals,
    pub(crate) unsealed: hold::Armed,
    /// In tier passkey: the grant that the PIN opened in this process.
    pub(crate) at_hand: passkeys::AtHand,
    /// Whether old tickets were cleared away already.
    pub(crate) swept: AtomicBool,
    /// Ends of tickets that the disk did not take.
    unwritten: unwritten::Unwritten,
    /// A stop that could not be written for the other processes.
    pub(crate) halted: AtomicBool,
    demoted: Mutex<HashSet<String>>,
    signing_in: tokio::sync::Mutex<signin::Background>,
    arming: arming::Arming,
    said: running::Said,
    refreshing: tokio::sync::Mutex<()>,
    /// A refresh waits for the one that runs.
    refresh_waits: AtomicBool,
    /// Sent to when the service says that its tools have changed.
    pub(crate) tools_told: tokio::sync::watch::Sender<()>,
    /// Cloned by each ticket that is asked or sent: the trade lane is closed when none is.
    pub(crate) asking: Arc<()>,
    /// Sent calls whose answer is awaited.
    pub(crate) sent: TaskTracker,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Relays between this process's stdio and the endpoint until the client leaves.
pub async fn serve(world: World, endpoint: Endpoint, http: reqwest::Client) {
    let input = Input::stdin();
    link::run(Relay::new(world, endpoint, http, Output::stdout()), input).await;
}

impl std::ops::Deref for Relay {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl Relay {
    /// A relay over this output. Nothing is read from the network, the keychain or the vault yet.
    fn new(world: World, endpoint: Endpoint, http: reqwest::Client, out: Output) -> Arc<Self> {
        let kept = Settings::load(&world.paths).unwrap_or_default();
        let budget = kept.budget(&world.paths);
        let grants = Grants::open(&world, endpoint.clone(), http.clone());
        let eras = Eras::of(&world.paths, endpoint.url());
        Arc::new_cyclic(|this: &Weak<Self>| {
            // Each lane by its number: 0 is the first one, those beside it follow.
            let lane = |number: usize| {
                let for_side = this.clone();
                let side = Box::new(move |message: &Message<'_>, with: Option<&Id>| {
                    if let Some(relay) = for_side.upgrade() {
                        relay.from_upstream(message, with, number);
                    }
                });
                let keys = Box::new(GrantKeys {
                    grants: grants.clone(),
                    kind: GrantKind::Read,
                });
                let (http, endpoint, eras) = (http.clone(), endpoint.clone(), Some(eras.clone()));
                ReadLane::new(http, endpoint, keys, budget.clone(), eras, side)
            };
            Self {
                beside: modern::Beside::new(lane),
                listens: Listens::default(),
                link: Link::new(out, lane(0), CancellationToken::new()),
                trade: TradeLane::new(http.clone(), endpoint.clone(), budget, eras.clone()),
                eras,
                listening: AtomicBool::new(false),
                lists: Lists::load(&world.paths, endpoint.url()),
                desk: Desk::new(&world),
                tickets: Tickets::of(&world.paths),
                journal: Journal::of(&world.paths),
                past: past::Past::of(&world.paths),
                facts: facts::FactCache::default(),
                counted: judging::Counted::default(),
                deeds: tokio::sync::watch::Sender::new(0),
                line: line::Line::default(),
                refusals: refusals::Refusals::default(),
                unsealed: hold::Armed::default(),
                at_hand: passkeys::AtHand::default(),
                swept: AtomicBool::new(false),
                unwritten: unwritten::Unwritten::default(),
                halted: AtomicBool::new(false),
                demoted: Mutex::default(),
                signing_in: tokio::sync::Mutex::default(),
                arming: arming::Arming::new(&world.paths),
                said: running::Said::default(),
                refreshing: tokio::sync::Mutex::default(),
                refresh_waits: AtomicBool::default(),
                tools_told: tokio::sync::watch::Sender::new(()),
                asking: Arc::default(),
                sent: TaskTracker::new(),
                world,
                endpoint,
                http,
                grants,
            }
        })
    }

    /// The settings as they are now: a verb may have changed them since the start.
    pub(crate) fn settings(&self) -> Result<Settings, String> {
        Settings::load(&self.world.paths)
    }

    /// How long a call is held before it is answered: well within the patience of the client of this name.
    fn hold_seconds(&self, client: &str) -> u64 {
        let set = self.settings().ok().and_then(|settings| settings.hold_seconds);
        set.unwrap_or_else(|| crate::clients::hold_for(client, &self.world.env))
    }

    /// Notices what verbs have done in this installation: a sign-in, a sign-out, a halt, a request to arm.
    fn follow_other_processes(self: &Arc<Self>) {
        self.sync_lists();
        arming::look(self);
    }

    /// A relay without a client, for verbs that decide on other processes' tickets.
    ///
    /// # Errors
    /// Where TLS cannot be set up on this machine.
    pub(crate) fn detached(world: World, endpoint: Endpoint) -> Result<Arc<Self>, String> {
        let http = crate::upstream::client(&endpoint)?;
        Ok(Self::new(world, endpoint, http, Output::start(std::io::sink())))
    }

    /// The tickets of this installation.
    pub(crate) fn tickets(&self) -> &Tickets {
        &self.tickets
    }

    fn request(self: &Arc<Self>, id: &Id, message: &Message<'_>, in_batch: bool) {
        let meta = message
            .params
            .and_then(|params| json::member(params, "_meta").ok().flatten());
        let progress = meta.and_then(envelope::progress_token);
        let Some(cancel) = self.begin(id, progress.clone(), message) else {
            return;
        };
        let asker = match self.asker(id, message, meta) {
            Ok(asker) => asker,
            Err(line) => return self.answer(id, line),
        };
        let modern = asker.said().is_some();
        let ask = Ask {
            id: id.clone(),
            method: message.method.clone().into_owned(),
            asker,
            progress,
            cancel,
        };
        match &*message.method {
            "initialize" if in_batch => self.fail(
                id,
                words::invalid_request(),
                "initialize may not stand in a batch",
            ),
            _ if in_batch && modern => {
                self.fail(
                    id,
                    words::invalid_request(),
                    "NOT SENT. This revision has no batches",
                );
            }
            "initialize" => self.initialize(id, message.params.unwrap_or("{}")),
            method if modern && era::is_gone(method) => {
                self.fail(
                    id,
                    words::method_not_found(),
                    "NOT SENT. This revision has no such method",
                );
            }
            "ping" => self.answer(id, envelope::response(id, "{}")),
            // Answered at once, whatever the network does: clients that probe wait for at most a second or so.
            "server/discover" => self.discover(id),
            _ if self.out.is_full() => {
                self.fail(
                    id,
                    words::OUR_ERROR,
                    "NOT SENT. Too much is waiting for this client to read; read first, then ask again",
                );
            }
            "tools/list" => {
                let result = self.lists.tools(&local::definitions(!self.lists.is_empty()));
                self.answer(id, ask.response(&result));
                if self.read.is_list_stale() {
                    let relay = Arc::clone(self);
                    self.tasks.spawn(async move { relay.refresh().await });
                }
            }
            "tools/call" => self.tools_call(ask, message),
            "subscriptions/listen" if modern => listen::listen(self, id, message, ask.cancel),
            "resources/unsubscribe" if self.still_followed(message) => {
                self.answer(id, envelope::response(id, "{}"));
            }
            _ => self.relay_request(ask, message, None),
        }
    }

    /// The handshake, from local state alone.
    fn initialize(self: &Arc<Self>, id: &Id, params: &str) {
        if let Some(version) = self.hello(id, params) {
            let capabilities = era::capabilities(self.eras.offered_to(Era::Legacy).as_deref());
            let result = era::handshake(version, &capabilities, words::INSTRUCTIONS);
            self.answer(id, envelope::response(id, &result));
        }
    }

    fn notification(self: &Arc<Self>, message: &Message<'_>) {
        match &*message.method {
            "notifications/initialized" => {
                let mut client = lock(&self.client);
                client.ready = true;
                let missed = std::mem::take(&mut client.missed_change);
                drop(client);
                if missed {
                    self.list_changed();
                }
                let relay = Arc::clone(self);
                self.tasks.spawn(async move { relay.arrive().await });
            }
            "notifications/cancelled" => {
                let Some(id) = message.params.and_then(envelope::cancelled_id) else {
                    return;
                };
                self.listens.close(&id);
                let cancelled = self.cancelled(&id);
                // A held call is withdrawn by its token; a relayed one must be told upstream under the same id. In the
                // newer era the end of its stream tells it.
                if cancelled == Some(true) && !self.is_modern() {
                    let session = self.read.session_of(&id);
                    self.forward(message.text, Word::Reply, session);
                }
            }
            // The newer era has no notifications of clients but the cancel (2026-07-28, Streamable HTTP), on either side. And
            // what asks for something has an id: a call without one would reach the service with nobody to hold it for.
            method
                if !method.starts_with("notifications/")
                    || self.is_modern()
                    || self.is_of_newer_era(message) =>
            {
                tracing::warn!(method, "a notification was not passed on");
            }
            _ => self.forward(message.text, Word::Notice, None),
        }
    }

    /// Whether the service is known to be of the newer era.
    fn is_modern(&self) -> bool {
        self.eras.known() == Some(Era::Modern)
    }

    /// Ends: what is held is voided, calls are cancelled, sessions deleted, a sent call's answer is awaited.
    pub(crate) async fn leave(&self) {
        self.ending.cancel();
        self.tasks.close();
        self.sent.close();
        let mut rest = std::pin::pin!(async {
            self.sent.wait().await;
            // A token that is being renewed is saved before the end: the service has already spent the old one.
            let settled = self.grants.settle(LEAVE.0);
            let (read, beside) = (self.read.close(), self.beside.close());
            tokio::join!(read, beside, self.trade.close(), self.tasks.wait(), settled);
        });
        // Whether a call is on its way is asked at the end of the short time: an approval may have come just before.
        let quick = tokio::time::timeout(LEAVE.0, &mut rest).await;
        if quick.is_err() && !self.sent.is_empty() {
            let _ = tokio::time::timeout(LEAVE.1.saturating_sub(LEAVE.0), rest).await;
        }
        self.write_late().await;
        self.desk.leave().await;
        self.out.finish(200).await;
    }
}

impl listen::Listening for Relay {
    fn listens(&self) -> &Listens {
        &self.listens
    }

    fn has_stream(&self) -> bool {
        self.is_modern()
    }
}

impl Peer for Relay {
    fn message(self: &Arc<Self>, message: &Message<'_>, in_batch: bool) {
        match &message.kind {
            Kind::Request(id) => self.request(id, message, in_batch),
            Kind::Notification => self.notification(message),
            Kind::Response(id) if self.older.answered(id, message.text) => {}
            Kind::Response(id) => self.reply(id, message.text),
        }
    }

    fn tick(self: &Arc<Self>) {
        running::say(self);
        self.recover();
        self.follow_other_processes();
    }

    async fn end(&self) {
        running::leave(self);
        self.leave().await;
    }
}
