//! A client without a handshake (2026-07-28) on a server with one (2025-11-25 and before).
//!
//! What each request says goes into the handshake; what the server asks in the middle of a call becomes an answer that
//! asks for input. The call stays open at the server meanwhile (it is parked), and the client's next round goes on with it.

use super::older::{member, shown, without_protocol};
use crate::relay::link::Link;
use crate::relay::lock;
use crate::upstream::{Answer, Failure, Hello, META_CAPABILITIES, META_INFO, Repeat, Word};
use crate::wire::envelope::{self, Id, Message};
use crate::wire::json;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long a call waits at the server for the client's next round.
const PARKED: Duration = Duration::from_secs(600);
/// Calls that may wait so at once.
const MAX_PARKED: usize = 64;
/// Questions that one call may have open at once.
const MAX_QUESTIONS: usize = 16;
/// How long after a question others are waited for, so that one round brings them all.
const TOGETHER: Duration = Duration::from_millis(30);
/// Methods whose answer may ask for input (2026-07-28, multi-round requests).
const MAY_ASK: [&str; 3] = ["tools/call", "prompts/get", "resources/read"];
/// Methods whose results say how long they may be kept (2026-07-28, caching).
const CACHEABLE: [&str; 5] = [
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
];

/// The calls that are open at the server.
#[derive(Debug, Default)]
pub(in crate::relay) struct Calls {
    /// Where questions on a call's stream go, by the id under which it runs there.
    running: Mutex<HashMap<Id, mpsc::Sender<Event>>>,
    /// Calls that wait for the client's next round, by what the client brings back.
    parked: Mutex<HashMap<String, Parked>>,
}

/// What comes of a call that runs at the server.
#[derive(Debug)]
enum Event {
    /// The server asks something: the id to answer under, the request's method and params.
    Asked(Id, String),
    /// It has ended.
    Ended(Result<Answer, Failure>),
}

/// A call that waits at the server.
#[derive(Debug)]
struct Parked {
    /// What was asked for: the next round must be the same request.
    digest: String,
    /// The questions, by the key under which the client answers them.
    questions: Vec<(String, Id)>,
    events: mpsc::Receiver<Event>,
    /// Ends the call at the server when it is dropped.
    hold: Arc<Hold>,
}

/// Ends the call at the server when nobody waits for it any more.
#[derive(Debug)]
struct Hold(CancellationToken);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Calls {
    /// Takes a question that came on the stream of a parked call; false where it belongs to none.
    pub(in crate::relay) fn asked(&self, id: &Id, with: Option<&Id>, message: &Message<'_>) -> bool {
        let Some(to) = with.and_then(|with| lock(&self.running).get(with).cloned()) else {
            return false;
        };
        let params = message.params.unwrap_or("{}");
        let question = format!(
            r#"{{"method":{},"params":{params}}}"#,
            Value::from(&*message.method)
        );
        to.try_send(Event::Asked(id.clone(), question)).is_ok()
    }
}

impl Link {
    /// Takes over what a modern client says of itself, for questions of our own.
    pub(in crate::relay) fn modern_hello(&self, meta: &str) {
        let hello = Hello {
            capabilities: member(meta, META_CAPABILITIES)
                .map_or_else(|| "{}".to_owned(), |raw| json::minify(raw).into_owned()),
            client_info: member(meta, META_INFO).map_or_else(
                || Hello::default().client_info,
                |raw| json::minify(raw).into_owned(),
            ),
            ..Hello::default()
        };
        self.read.greet(hello);
    }

    /// A request of a newer client, on an older server.
    pub(in crate::relay) async fn bridged(
        self: &Arc<Self>,
        text: &str,
        id: &Id,
        repeat: Repeat,
    ) -> Result<Answer, Failure> {
        let Ok(message) = envelope::read_one(text) else {
            return Err(Failure::BadAnswer("the request cannot be read".to_owned()));
        };
        let params = message.params.unwrap_or("{}");
        self.modern_hello(member(params, "_meta").unwrap_or("{}"));
        let digest = digest(&message.method, params);
        let (mut events, hold) = if let Some(state) = member(params, "requestState") {
            self.go_on(state, params, &digest)?
        } else {
            self.start(&message, repeat)
        };
        let mut questions: Vec<(Id, String)> = Vec::new();
        loop {
            let next = if questions.is_empty() {
                events.recv().await
            } else {
                match tokio::time::timeout(TOGETHER, events.recv()).await {
                    Ok(next) => next,
                    Err(_) => return Ok(self.park(id, digest, questions, events, hold)),
                }
            };
            match next {
                Some(Event::Asked(of, question)) if questions.len() < MAX_QUESTIONS => {
                    questions.push((of, question));
                }
                Some(Event::Asked(of, _)) => self.refuse(&of, "too many questions at once"),
                Some(Event::Ended(outcome)) => {
                    return outcome.map(|answer| newer(id, &message.method, &answer));
                }
                None => return Err(Failure::Broken("the call was cut off".to_owned())),
            }
        }
    }

    /// Begins the call at the server, under an id of ours: the client's ids change from round to round.
    fn start(self: &Arc<Self>, message: &Message<'_>, repeat: Repeat) -> (mpsc::Receiver<Event>, Arc<Hold>) {
        let (send, events) = mpsc::channel(MAX_QUESTIONS + 1);
        let own = self.own_id();
        let params = message.params.map(without_protocol);
        let text = envelope::request(&own, &message.method, params.as_deref());
        let over = self.ending.child_token();
        if MAY_ASK.contains(&&*message.method) {
            lock(&self.newer.running).insert(own.clone(), send.clone());
        }
        let (link, stop) = (Arc::clone(self), over.clone());
        self.tasks.spawn(async move {
            let outcome = stop
                .run_until_cancelled(link.read.request(text, &own, repeat))
                .await;
            lock(&link.newer.running).remove(&own);
            if let Some(outcome) = outcome {
                let _ = send.send(Event::Ended(outcome)).await;
            } else {
                // Nobody waits for it any more: the server is told (2025-11-25, cancellation).
                let params = format!(r#"{{"requestId":{}}}"#, own.raw());
                let told = envelope::notification("notifications/cancelled", Some(&params));
                link.forward(&told, Word::Reply, None);
            }
        });
        (events, Arc::new(Hold(over)))
    }

    /// Takes a parked call up again with the client's answers.
    fn go_on(
        &self,
        state: &str,
        params: &str,
        digest: &str,
    ) -> Result<(mpsc::Receiver<Event>, Arc<Hold>), Failure> {
        let unknown =
            || Failure::Refused("this round belongs to no call that waits: begin the call anew".to_owned());
        let key = json::string(state).map_err(|_| unknown())?;
        let parked = {
            let mut all = lock(&self.newer.parked);
            if all.get(&*key).is_none_or(|parked| parked.digest != digest) {
                return Err(unknown());
            }
            all.remove(&*key).ok_or_else(unknown)?
        };
        let answers = member(params, "inputResponses").unwrap_or("{}");
        for (name, of) in &parked.questions {
            match member(answers, name) {
                Some(answer) => self.reply(of, &envelope::response(of, answer)),
                None => self.refuse(of, "the client did not answer this"),
            }
        }
        Ok((parked.events, parked.hold))
    }

    /// Parks the call and asks the client.
    fn park(
        self: &Arc<Self>,
        id: &Id,
        digest: String,
        questions: Vec<(Id, String)>,
        events: mpsc::Receiver<Event>,
        hold: Arc<Hold>,
    ) -> Answer {
        // Random, as it comes back through the client: nobody else may go on with this call.
        let Some(state) = random_name() else {
            return Answer::small(envelope::error(
                Some(id),
                crate::relay::words::OUR_ERROR,
                "no random numbers",
                None,
            ));
        };
        let named: Vec<(String, Id, String)> = questions
            .into_iter()
            .enumerate()
            .map(|(index, (of, question))| (format!("q{index}"), of, question))
            .collect();
        let asks: Vec<String> = named
            .iter()
            .map(|(name, _, question)| format!(r#""{name}":{question}"#))
            .collect();
        let parked = Parked {
            digest,
            questions: named.into_iter().map(|(name, of, _)| (name, of)).collect(),
            events,
            hold,
        };
        {
            let mut all = lock(&self.newer.parked);
            if all.len() >= MAX_PARKED {
                return Answer::small(envelope::error(
                    Some(id),
                    crate::relay::words::OUR_ERROR,
                    "too many calls wait for their next round",
                    None,
                ));
            }
            all.insert(state.clone(), parked);
        }
        let (link, key) = (Arc::clone(self), state.clone());
        self.tasks.spawn(async move {
            let gone = tokio::time::sleep(PARKED);
            if link.ending.run_until_cancelled(gone).await.is_some() {
                lock(&link.newer.parked).remove(&key);
            }
        });
        Answer::small(envelope::response(
            id,
            &format!(
                r#"{{"resultType":"input_required","inputRequests":{{{}}},"requestState":"{state}"}}"#,
                asks.join(",")
            ),
        ))
    }

    fn refuse(&self, of: &Id, why: &str) {
        self.reply(
            of,
            &envelope::error(Some(of), crate::relay::words::method_not_found(), why, None),
        );
    }
}

/// 128 random bits as text.
fn random_name() -> Option<String> {
    let mut bytes = [0u8; 16];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// What makes two rounds the same request: the method and the params without what changes from round to round.
fn digest(method: &str, params: &str) -> String {
    let members = json::members(params).unwrap_or_default();
    let mut parts: Vec<String> = members
        .iter()
        .filter(|member| !matches!(&*member.key, "_meta" | "inputResponses" | "requestState"))
        .map(|member| format!("{}:{}", Value::from(&*member.key), json::minify(member.value)))
        .collect();
    parts.sort_unstable();
    crate::journal::hash(&format!("{method}\n{}", parts.join(",")))
}

/// An answer of an older server, as the newer era knows it, under the client's id.
fn newer(id: &Id, method: &str, answer: &Answer) -> Answer {
    if let Some(error) = member(&answer.text, "error") {
        let error = json::minify(error);
        return Answer::small(format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#,
            id.raw()
        ));
    }
    let result = member(&answer.text, "result").unwrap_or("{}");
    let members = json::members(result).unwrap_or_default();
    let mut parts: Vec<String> = members
        .iter()
        .filter(|member| !matches!(&*member.key, "resultType" | "ttlMs" | "cacheScope"))
        .map(shown)
        .collect();
    parts.push(r#""resultType":"complete""#.to_owned());
    if CACHEABLE.contains(&method) {
        parts.push(r#""ttlMs":0,"cacheScope":"private""#.to_owned());
    }
    Answer::small(envelope::response(id, &format!("{{{}}}", parts.join(","))))
}
