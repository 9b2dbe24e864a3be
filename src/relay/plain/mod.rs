//! Another MCP server than `CrossTrade`'s (`serve --url URL --profile plain`): one lane, no gate.
//!
//! Owns: the relay of everything in both directions, and the sign-in where the server asks for one. Refuses to know:
//! tools, orders, tickets, policies. It shares the connection (`Link`) with the relay that has a gate, and nothing of
//! that gate: there is no switch in one program path that could turn the other's off.

mod following;
mod greeting;
mod keys;
mod signing;

use super::bridge::From;
use super::era::{self, Said};
use super::input::Input;
use super::link::{self, Link, Peer};
use super::listen::Listens;
use super::output::Output;
use super::{LEAVE, lock, words};
use crate::oauth::{ClientChoice, Endpoint, Grants, TokenError};
use crate::system::World;
use crate::upstream::{
    Answer, Budget, Era, Failure, ReadLane, Repeat, UNSUPPORTED_VERSION, Word, refusal_code,
};
use crate::wire::envelope::{self, Id, Kind, Message};
use crate::wire::json;
use greeting::Greeting;
use keys::PlainKeys;
use reqwest::header::HeaderMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use tokio_util::sync::CancellationToken;

/// What the person said of the server beside its address.
#[derive(Debug, Default)]
pub struct Options {
    /// Who we are to its authorization server, and the scope to ask for.
    pub client: ClientChoice,
    /// Headers for every request to the server, and to no other.
    pub headers: HeaderMap,
}

/// One running plain relay.
struct Plain {
    link: Arc<Link>,
    grants: Grants,
    greeting: Greeting,
    listens: Listens,
    /// The stream that stands for a session's is looked after.
    listening: AtomicBool,
}

impl std::ops::Deref for Plain {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

/// Relays between this process's stdio and any MCP server until the client leaves.
pub async fn serve(world: World, endpoint: Endpoint, http: reqwest::Client, options: Options) {
    let input = Input::stdin();
    let plain = Plain::new(&world, endpoint, http, options, Output::stdout());
    link::run(plain, input).await;
}

impl Plain {
    fn new(
        world: &World,
        endpoint: Endpoint,
        http: reqwest::Client,
        options: Options,
        out: Output,
    ) -> Arc<Self> {
        let grants = Grants::open(world, endpoint.clone(), http.clone()).with_client(options.client);
        let ending = CancellationToken::new();
        let keys = PlainKeys::new(grants.clone(), world.env.clone(), options.headers, ending.clone());
        let greeting = Greeting::of(&world.paths, endpoint.url());
        Arc::new_cyclic(|this: &Weak<Self>| {
            let for_side = this.clone();
            let side = Box::new(move |message: &Message<'_>, with: Option<&Id>| {
                if let Some(plain) = for_side.upgrade() {
                    plain.unasked(message, with);
                }
            });
            // CrossTrade's budget is for CrossTrade.
            let budget = Budget::new(&world.paths, 0.0, 0.0);
            let read = ReadLane::new(http, endpoint, Box::new(keys), budget, None, side).with_two_addresses();
            Self {
                link: Link::new(out, read, ending),
                grants,
                greeting,
                listens: Listens::default(),
                listening: AtomicBool::new(false),
            }
        })
    }

    fn request(self: &Arc<Self>, id: &Id, message: &Message<'_>, in_batch: bool) {
        let meta = message
            .params
            .and_then(|params| json::member(params, "_meta").ok().flatten());
        let Some(cancel) = self.begin(id, meta.and_then(envelope::progress_token), message) else {
            return;
        };
        let said = match era::said(meta) {
            Ok(said) => said.map(Arc::new),
            Err(wrong) => return self.answer(id, wrong.line(id)),
        };
        let era = if said.is_some() { Era::Modern } else { Era::Legacy };
        if era == Era::Modern {
            lock(&self.client).modern = true;
        }
        match (&*message.method, era) {
            ("initialize", _) if in_batch => self.fail(
                id,
                words::invalid_request(),
                "initialize may not stand in a batch",
            ),
            ("initialize", Era::Legacy) => self.initialize(id, message.params.unwrap_or("{}"), cancel),
            ("ping", Era::Legacy) => self.answer(id, envelope::response(id, "{}")),
            ("server/discover", _) => self.discover(id, said.as_deref(), cancel),
            _ if self.out.is_full() => {
                self.fail(
                    id,
                    words::OUR_ERROR,
                    "NOT SENT. Too much is waiting for this client to read; read first, then ask again",
                );
            }
            ("resources/unsubscribe", Era::Legacy) if self.is_still_followed(message) => {
                self.answer(id, envelope::response(id, "{}"));
            }
            ("subscriptions/listen", Era::Modern) => self.listen_for(id, message, said, cancel),
            _ => self.relay(id, message, said, cancel),
        }
    }

    /// `server/discover`: a client that asks this speaks 2026-07-28. Where the server does not, what it says is translated,
    /// unless the client is known to go on with `initialize`.
    fn discover(self: &Arc<Self>, id: &Id, said: Option<&Said>, cancel: CancellationToken) {
        if let Some(said) = said {
            self.greet_for(said);
        }
        let name = said.map(|said| said.name.clone()).unwrap_or_default();
        let (plain, id) = (Arc::clone(self), id.clone());
        self.tasks.spawn(async move {
            let line = match plain.greeting.to_discover(&plain.read, &name).await {
                Some(said) => envelope::response(&id, &said),
                None => envelope::error(
                    Some(&id),
                    words::method_not_found(),
                    "the server behind this one speaks the revisions up to 2025-11-25",
                    None,
                ),
            };
            plain.answer_late(&id, &cancel, line);
        });
    }

    /// The handshake: as the server answered it the last time, else as it answers now, else what fits any server.
    fn initialize(self: &Arc<Self>, id: &Id, params: &str, cancel: CancellationToken) {
        let Some(version) = self.hello(id, params) else {
            return;
        };
        let (plain, id) = (Arc::clone(self), id.clone());
        self.tasks.spawn(async move {
            let result = plain.greeting.to_initialize(version, &plain.read).await;
            plain.answer_late(&id, &cancel, envelope::response(&id, &result));
        });
    }

    /// Relays a request and writes its answer.
    fn relay(
        self: &Arc<Self>,
        id: &Id,
        message: &Message<'_>,
        said: Option<Arc<Said>>,
        cancel: CancellationToken,
    ) {
        // The cancel of a modern request is the end of its stream.
        if said.is_none() {
            lock(&self.in_flight).relayed(id);
        }
        let (plain, id, text) = (Arc::clone(self), id.clone(), message.text.to_owned());
        let method = message.method.clone().into_owned();
        let set = message
            .params
            .filter(|_| super::bridge::sets_session(&method))
            .map(str::to_owned);
        self.tasks.spawn(async move {
            // Of some kilobytes, which would be moved with the task each time that this goes from hand to hand.
            let work = Box::pin(plain.answer_of(&id, text, &method, said.as_ref()));
            let Some(answer) = cancel.run_until_cancelled(work).await else {
                return;
            };
            if let Some(params) = set.filter(|_| super::bridge::is_taken(&method, &answer)) {
                plain.remember(&method, &params);
                plain.follows_too(&method, &params);
            }
            if cancel.run_until_cancelled(plain.out.room()).await.is_some() {
                plain.answer_late(&id, &cancel, answer.text);
            }
        });
    }

    async fn answer_of(
        self: &Arc<Self>,
        id: &Id,
        text: String,
        method: &str,
        said: Option<&Arc<Said>>,
    ) -> Answer {
        // What a tool does is not known here: a call is not sent again where it may have run.
        let repeat = if method == "tools/call" {
            Repeat::Never
        } else {
            Repeat::Harmless
        };
        let era = if said.is_some() { Era::Modern } else { Era::Legacy };
        let mut again = false;
        let outcome = loop {
            let service = match self.greeting.era(&self.read, era).await {
                Ok(service) => service,
                // It was not even asked.
                Err(failure) => return not_sent(id, method, &failure),
            };
            if let (Some(said), Era::Legacy) = (said, service) {
                self.greet_for(said);
            }
            let from = From {
                said,
                lane: &self.read,
            };
            let outcome = self.link.between(&from, service, &text, id, repeat).await;
            if again || !self.greeting.has_moved(&self.read, service, &outcome).await {
                break outcome;
            }
            self.keep_listening();
            if repeat == Repeat::Never && !is_refused_unrun(&outcome) {
                break outcome;
            }
            again = true;
        };
        match outcome {
            Ok(answer) if self.greeting.is_made_up() => {
                super::reads::without(method, answer, |nothing| envelope::response(id, nothing))
            }
            Ok(answer) => answer,
            Err(failure) => {
                tracing::info!(%failure, method, "a request got no answer");
                let (sent, reason) = told(&failure);
                let data = words::data(sent, None);
                Answer::small(envelope::error(Some(id), words::OUR_ERROR, &reason, Some(&data)))
            }
        }
    }

    fn notification(self: &Arc<Self>, message: &Message<'_>) {
        match &*message.method {
            "notifications/initialized" => {
                lock(&self.client).ready = true;
                // The server gets its own, in its own handshake.
                let plain = Arc::clone(self);
                self.tasks.spawn(async move {
                    match plain.ending.run_until_cancelled(plain.arrive()).await {
                        Some(Ok(Era::Modern)) => plain.keep_listening(),
                        Some(Err(failure)) => {
                            tracing::info!(%failure, "the server's session could not be opened yet");
                        }
                        Some(Ok(Era::Legacy)) | None => {}
                    }
                });
            }
            "notifications/cancelled" => {
                let Some(id) = message.params.and_then(envelope::cancelled_id) else {
                    return;
                };
                self.listens.close(&id);
                // The end of its stream is the cancel of the newer era.
                if self.cancelled(&id) == Some(true) && !self.is_bridged() {
                    let session = self.read.session_of(&id);
                    self.forward(message.text, Word::Reply, session);
                }
            }
            // The newer era has no notifications of clients (Streamable HTTP).
            _ if self.is_bridged() => {}
            _ => self.forward(message.text, Word::Notice, None),
        }
    }

    /// Opens the session, where the server has sessions.
    async fn arrive(&self) -> Result<Era, Failure> {
        let era = self.greeting.era(&self.read, Era::Legacy).await?;
        if era == Era::Modern {
            return Ok(era);
        }
        let opened = self.read.open().await.map(|()| Answer::small(String::new()));
        if self.greeting.has_moved(&self.read, era, &opened).await {
            return Ok(Era::Modern);
        }
        opened.map(|_| era)
    }

    /// Where the client speaks the older era and the server the newer, a stream of ours stands for the one of a session.
    fn keep_listening(self: &Arc<Self>) {
        if !self.is_bridged() || self.listening.swap(true, Ordering::Relaxed) {
            return;
        }
        let plain = Arc::clone(self);
        self.tasks.spawn(async move {
            plain.listen().await;
            plain.listening.store(false, Ordering::Relaxed);
        });
    }

    /// Whether the client speaks the older era and the server the newer.
    fn is_bridged(&self) -> bool {
        lock(&self.client).ready && self.greeting.known(Era::Legacy) == Some(Era::Modern)
    }

    /// What the server sends without being asked.
    fn unasked(&self, message: &Message<'_>, with: Option<&Id>) {
        match &message.kind {
            // In the middle of a call of a client that cannot be asked so.
            Kind::Request(id) if self.asked_newer(&self.read, id, with, message) => {}
            Kind::Request(id) => self.asked_by_service(id, message),
            Kind::Notification if message.method == "notifications/progress" => self.progress(message),
            Kind::Notification if self.is_bridged() => self.lowered(message),
            Kind::Notification => self.said_unasked(message, with),
            Kind::Response(_) => {}
        }
    }
}

impl Peer for Plain {
    fn message(self: &Arc<Self>, message: &Message<'_>, in_batch: bool) {
        match &message.kind {
            Kind::Request(id) => self.request(id, message, in_batch),
            Kind::Notification => self.notification(message),
            Kind::Response(id) if self.older.answered(id, message.text) => {}
            Kind::Response(id) => self.reply(id, message.text),
        }
    }

    fn tick(self: &Arc<Self>) {}

    async fn end(&self) {
        self.ending.cancel();
        self.tasks.close();
        let rest = async {
            let settled = self.grants.settle(LEAVE.0);
            tokio::join!(self.read.close(), self.tasks.wait(), settled);
        };
        let _ = tokio::time::timeout(LEAVE.0, rest).await;
        self.out.finish(200).await;
    }
}

/// Whether the server refused this in words that prove that nothing of it ran: it does not speak its revision, or refused the
/// handshake before it.
fn is_refused_unrun(outcome: &Result<Answer, Failure>) -> bool {
    match outcome {
        Ok(answer) => refusal_code(&answer.text) == Some(UNSUPPORTED_VERSION),
        Err(failure) => matches!(failure, Failure::Revision(_) | Failure::Refused(_)),
    }
}

/// The answer to a request that did not go out, because it could not be found out how to ask the server.
fn not_sent(id: &Id, method: &str, failure: &Failure) -> Answer {
    tracing::info!(%failure, method, "a request was not sent");
    let (sent, reason) = told(failure);
    let reason = match sent {
        words::WasSent::No => reason,
        _ => format!("NOT SENT: {}", failure.of_any_server()),
    };
    let data = words::data(words::WasSent::No, None);
    Answer::small(envelope::error(Some(id), words::OUR_ERROR, &reason, Some(&data)))
}

/// What the client is told of a failure, and whether the request may have run.
fn told(failure: &Failure) -> (words::WasSent, String) {
    use words::WasSent::{No, Unknown};
    match failure {
        // `login` is for CrossTrade's two sign-ins.
        Failure::Token(TokenError::Withdrawn(why)) => (
            No,
            format!(
                "NOT SENT: access was withdrawn ({why}). To sign in again run `countersign logout --url` with this \
                 server's address, then restart the server in your AI client"
            ),
        ),
        Failure::Token(_) | Failure::Unauthorized | Failure::SignIn(_) => {
            (No, format!("NOT SENT: {failure}"))
        }
        Failure::Connect(_) => (No, format!("NOT SENT: {}", failure.of_any_server())),
        Failure::SessionLost
        | Failure::Revision(_)
        | Failure::Scope(_)
        | Failure::Plan
        | Failure::Forbidden(_) => (No, format!("NOT RUN: {}", failure.of_any_server())),
        Failure::NotConnected
        | Failure::SessionDoubted(_)
        | Failure::RateLimited(_)
        | Failure::Throttled(_)
        | Failure::Status(_)
        | Failure::Broken(_)
        | Failure::BadAnswer(_)
        | Failure::Refused(_) => (
            Unknown,
            format!(
                "SENT, and whether it ran is not known: {}",
                failure.of_any_server()
            ),
        ),
    }
}
