//! The loop between the client and the lanes.
//!
//! Owns: one stdio connection: what is in flight, the one answer to each request, our local tools, held calls.
//! Refuses to know: how a call is judged (`gate`), how a person is asked (`approve`), how bytes are cut (`wire`).
//! May call: every room but `cli`.

mod arming;
mod ask;
mod batch;
pub(crate) mod change;
pub mod facts;
mod hold;
mod input;
mod judging;
mod line;
pub mod lists;
mod local;
mod lookup;
mod outcomes;
mod output;
pub(crate) mod passkeys;
pub(crate) mod past;
mod pausing;
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
use crate::upstream::{Hello, PROTOCOL_VERSIONS, ReadLane, TradeLane, Word, newest_common};
use crate::wire::envelope::{self, Id, Kind, Line, Malformed, Message, Recovered};
use crate::wire::frame::Frame;
use crate::wire::json;
use batch::Batch;
use lists::Lists;
use output::Output;
use session::{InFlight, Refused};
use settings::Settings;
use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tickets::Tickets;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the end may take without, and with, a sent call whose answer is still awaited.
const LEAVE: (Duration, Duration) = (Duration::from_millis(1800), Duration::from_secs(10));
/// How often dead owners' tickets are looked for.
const TICK: Duration = Duration::from_secs(2);
/// How often it is looked whether the parent lives: something else may hold our stdin open when it is gone.
const PARENT: Duration = Duration::from_millis(250);

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
    pub(crate) out: Output,
    pub(crate) lists: Lists,
    pub(crate) grants: Grants,
    pub(crate) read: ReadLane,
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
    in_flight: Mutex<InFlight>,
    batches: Mutex<HashMap<Id, Arc<Batch>>>,
    forwarding: Mutex<service::Forwarding>,
    client: Mutex<Client>,
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
    /// Fires when the connection ends: everything that is held is voided.
    pub(crate) ending: CancellationToken,
    /// Tasks that the end waits for.
    pub(crate) tasks: TaskTracker,
    /// Sent calls whose answer is awaited.
    pub(crate) sent: TaskTracker,
}

/// What the client said of itself, last.
#[derive(Debug, Default, Clone)]
struct Client {
    name: String,
    version: String,
    /// The keys of its capabilities.
    abilities: HashSet<String>,
    ready: bool,
    /// The list changed before the client was ready to be told.
    missed_change: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Relays between this process's stdio and the endpoint until the client leaves.
pub async fn serve(
    world: World,
    endpoint: Endpoint,
    http: reqwest::Client,
    source: impl Read + Send + 'static,
    sink: impl Write + Send + 'static,
) {
    let mut frames = input::start(source);
    let relay = Relay::new(world, endpoint, http, Output::start(sink));
    let ending = crate::system::process::ending();
    let parent = crate::system::process::parent_id();
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
            frame = frames.recv() => match frame {
                Some(Frame::Line(line)) => relay.line(&line),
                Some(Frame::TooLong(head)) => relay.too_long(&head),
                None => break "the client closed its end",
            },
            signal = &mut ending => break signal,
            _ = alive.tick() => {
                if crate::system::process::parent_id() != parent {
                    break "the client's process is gone";
                }
            }
            _ = tick.tick() => {
                if relay.out.is_broken() {
                    break "the client stopped reading for good";
                }
                running::say(&relay);
                relay.recover();
                relay.follow_other_processes();
            }
        }
    };
    tracing::info!(why, "leaving");
    running::leave(&relay);
    relay.leave().await;
}

impl Relay {
    /// A relay over this output. Nothing is read from the network, the keychain or the vault yet.
    fn new(world: World, endpoint: Endpoint, http: reqwest::Client, out: Output) -> Arc<Self> {
        let kept = Settings::load(&world.paths).unwrap_or_default();
        let budget = kept.budget(&world.paths);
        let grants = Grants::open(&world, endpoint.clone(), http.clone());
        Arc::new_cyclic(|this: &Weak<Self>| {
            let for_side = this.clone();
            let side = Box::new(move |message: &Message<'_>| {
                if let Some(relay) = for_side.upgrade() {
                    relay.from_upstream(message);
                }
            });
            Self {
                read: ReadLane::new(
                    http.clone(),
                    endpoint.clone(),
                    grants.clone(),
                    GrantKind::Read,
                    budget.clone(),
                    side,
                ),
                trade: TradeLane::new(http.clone(), endpoint.clone(), budget),
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
                in_flight: Mutex::default(),
                batches: Mutex::default(),
                forwarding: Mutex::default(),
                client: Mutex::default(),
                demoted: Mutex::default(),
                signing_in: tokio::sync::Mutex::default(),
                arming: arming::Arming::new(&world.paths),
                said: running::Said::default(),
                refreshing: tokio::sync::Mutex::default(),
                refresh_waits: AtomicBool::default(),
                tools_told: tokio::sync::watch::Sender::new(()),
                asking: Arc::default(),
                ending: CancellationToken::new(),
                tasks: TaskTracker::new(),
                sent: TaskTracker::new(),
                world,
                endpoint,
                http,
                out,
                grants,
            }
        })
    }

    /// The settings as they are now: a verb may have changed them since the start.
    pub(crate) fn settings(&self) -> Result<Settings, String> {
        Settings::load(&self.world.paths)
    }

    /// How long a call is held before it is answered: well within the client's own patience.
    fn hold_seconds(&self) -> u64 {
        let set = self.settings().ok().and_then(|settings| settings.hold_seconds);
        set.unwrap_or_else(|| crate::clients::hold_for(&lock(&self.client).name, &self.world.env))
    }

    /// Notices what verbs have done in this installation: a sign-in, a sign-out, a halt, a request to arm.
    fn follow_other_processes(self: &Arc<Self>) {
        self.sync_lists();
        arming::look(self);
    }

    /// The name by which the client goes on cards: what it said of itself, as plain ASCII of at most 40 characters.
    pub(crate) fn client_name(&self) -> String {
        let name = lock(&self.client).name.clone();
        if name.is_empty() {
            "an MCP client".to_owned()
        } else {
            name
        }
    }

    /// A relay without a client, for verbs that decide on other processes' tickets.
    ///
    /// # Errors
    /// Where TLS cannot be set up on this machine.
    pub(crate) fn detached(world: World, endpoint: Endpoint) -> Result<Arc<Self>, String> {
        let http = crate::upstream::client(&endpoint)?;
        Ok(Self::new(world, endpoint, http, Output::start(std::io::sink())))
    }

    /// Starts a task that [`Self::leave`] waits for.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.tasks.spawn(task)
    }

    /// The tickets of this installation.
    pub(crate) fn tickets(&self) -> &Tickets {
        &self.tickets
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

    /// Takes one line of the client. Never waits: work goes into tasks.
    fn line(self: &Arc<Self>, line: &[u8]) {
        match envelope::read(line) {
            Ok(Line::One(message)) => self.message(&message, false),
            Ok(Line::Batch(messages)) => self.batch(messages),
            Err(malformed) => self.malformed(&malformed),
        }
    }

    fn malformed(&self, what: &Malformed) {
        if what.response {
            tracing::warn!(reason = %what.reason, "a broken answer of the client was dropped");
            return;
        }
        tracing::warn!(code = what.code, reason = %what.reason, "a message of the client cannot be read");
        // Without an id there is nobody to answer to before 2025-11-25, whose schema first allows an error without one.
        let may = what.id.is_some() || lock(&self.client).version.as_str() >= "2025-11-25";
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

    /// Writes the one answer to a request that is still open.
    pub(crate) fn answer(&self, id: &Id, line: String) {
        if lock(&self.in_flight).end(id) {
            self.put(id, Some(line));
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

    fn message(self: &Arc<Self>, message: &Message<'_>, in_batch: bool) {
        match &message.kind {
            Kind::Request(id) => self.request(id, message, in_batch),
            Kind::Notification => self.notification(message),
            Kind::Response(id) => self.reply(id, message.text),
        }
    }

    fn request(self: &Arc<Self>, id: &Id, message: &Message<'_>, in_batch: bool) {
        let meta = message
            .params
            .and_then(|params| json::member(params, "_meta").ok().flatten());
        let progress = meta.and_then(envelope::progress_token);
        let begun = lock(&self.in_flight).begin(id, progress.clone(), message.text.len(), &self.ending);
        let cancel = match begun {
            Ok(cancel) => cancel,
            Err(refused) => return self.put(id, Some(Self::refusal(id, refused))),
        };
        match &*message.method {
            "initialize" if in_batch => self.fail(
                id,
                words::invalid_request(),
                "initialize may not stand in a batch",
            ),
            "initialize" => self.initialize(id, message.params.unwrap_or("{}")),
            "ping" => self.answer(id, envelope::response(id, "{}")),
            // Answered at once, whatever the network does: clients that probe wait for at most a second or so.
            "server/discover" => self.fail(
                id,
                words::method_not_found(),
                "this server speaks the revisions up to 2025-11-25",
            ),
            _ if self.out.is_full() => {
                self.fail(
                    id,
                    words::OUR_ERROR,
                    "NOT SENT. Too much is waiting for this client to read; read first, then ask again",
                );
            }
            "tools/list" => {
                let result = self.lists.tools(&local::definitions(!self.lists.is_empty()));
                self.answer(id, envelope::response(id, &result));
            }
            "tools/call" => self.tools_call(id, message, progress, cancel),
            _ => self.relay_request(id, message, None, cancel),
        }
    }

    /// The answer to a request that is not taken in.
    fn refusal(id: &Id, refused: Refused) -> String {
        let reason = match refused {
            Refused::DuplicateId => "a request of this id is still open",
            Refused::TooMany => "too many requests are open",
        };
        let data = words::data(words::WasSent::No, None);
        envelope::error(Some(id), words::invalid_request(), reason, Some(&data))
    }

    /// Answers with an error of our own; nothing was sent.
    pub(crate) fn fail(&self, id: &Id, code: i32, reason: &str) {
        let data = words::data(words::WasSent::No, None);
        self.answer(id, envelope::error(Some(id), code, reason, Some(&data)));
    }

    /// The handshake, from local state alone.
    fn initialize(self: &Arc<Self>, id: &Id, params: &str) {
        let Ok(members) = json::members(params) else {
            return self.fail(
                id,
                words::invalid_params(),
                "initialize needs an object of parameters",
            );
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
        *lock(&self.client) = Client {
            name: plain_name(info),
            version: version.to_owned(),
            abilities: json::members(capabilities)
                .unwrap_or_default()
                .into_iter()
                .map(|member| member.key.into_owned())
                .collect(),
            ..Client::default()
        };
        self.read.greet(Hello {
            version: version.to_owned(),
            capabilities: json::minify(capabilities).into_owned(),
            client_info: json::minify(info).into_owned(),
        });
        self.answer(id, envelope::response(id, &handshake(version)));
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
                let cancelled = lock(&self.in_flight).cancel(&id);
                if cancelled.is_some() {
                    self.put(&id, None);
                }
                // A held call is withdrawn by its token; a relayed one must be told upstream under the same id.
                if cancelled == Some(true) {
                    let session = self.read.session_of(&id);
                    self.forward(message.text, Word::Reply, session);
                }
            }
            _ => self.forward(message.text, Word::Notice, None),
        }
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
            tokio::join!(self.read.close(), self.trade.close(), self.tasks.wait(), settled);
        });
        // Whether a call is on its way is asked at the end of the short time: an approval may have come just before.
        let quick = tokio::time::timeout(LEAVE.0, &mut rest).await;
        if quick.is_err() && !self.sent.is_empty() {
            let _ = tokio::time::timeout(LEAVE.1.saturating_sub(LEAVE.0), rest).await;
        }
        self.write_late().await;
        self.out.finish(200).await;
    }
}

/// The client's name from its `clientInfo`, plain ASCII: it stands on cards.
fn plain_name(info: &str) -> String {
    let members = json::members(info).unwrap_or_default();
    let raw = members
        .iter()
        .find(|member| member.key == "name")
        .map(|member| member.value)
        .unwrap_or_default();
    let name = json::string(raw).unwrap_or_default();
    name.chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(40)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// The result of `initialize`. Every list may change: what upstream really has arrives later.
fn handshake(version: &str) -> String {
    debug_assert!(PROTOCOL_VERSIONS.contains(&version));
    let result = serde_json::json!({
        "protocolVersion": version,
        "capabilities": {
            "tools": { "listChanged": true },
            "resources": { "listChanged": true, "subscribe": true },
            "prompts": { "listChanged": true },
            "logging": {},
            "completions": {}
        },
        "serverInfo": { "name": "countersign", "title": "CrossTrade through Countersign", "version": env!("CARGO_PKG_VERSION") },
        "instructions": words::INSTRUCTIONS
    });
    result.to_string()
}
