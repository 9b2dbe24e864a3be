//! A request of a client without a handshake (2026-07-28) at a service with one (2025-11-25 and before).
//!
//! What the service asks in the middle of a call becomes an answer that asks for input. The call stays open at the service
//! meanwhile (it is parked), and the client's next round goes on with it.
//!
//! Owns: the calls that are open so. Refuses to know: what they do; a call that is held never comes here.

use super::{UNREADABLE, not_sent};
use crate::relay::era::{Said, member, newer, shown, without_protocol};
use crate::relay::{lock, words};
use crate::upstream::{Answer, Failure, ReadLane, Repeat, UNSUPPORTED_VERSION, Word, refusal_code};
use crate::wire::envelope::{self, Id, Message};
use crate::wire::json;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a call waits at the service for the client's next round.
const PARKED: Duration = Duration::from_secs(600);
/// Calls that may wait so at once.
const MAX_PARKED: usize = 64;
/// Questions that one call may have open at once.
const MAX_QUESTIONS: usize = 16;
/// The request needs something of the client that it did not declare.
const MISSING_CAPABILITY: i32 = -32_021;
/// How long after a question others are waited for, so that one round brings them all.
const TOGETHER: Duration = Duration::from_millis(30);
/// Methods whose answer may ask for input (2026-07-28, multi-round requests).
const MAY_ASK: [&str; 3] = ["tools/call", "prompts/get", "resources/read"];

/// The calls that are open at the service. All clones are the same.
#[derive(Debug, Clone)]
pub(in crate::relay) struct Parking(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The calls that run, by the id under which they run there.
    running: Mutex<HashMap<Id, Running>>,
    /// Calls that wait for the client's next round, by what the client brings back.
    parked: Mutex<HashMap<String, Parked>>,
    count: AtomicU64,
    tasks: TaskTracker,
    ending: CancellationToken,
}

/// One call that runs at the service.
#[derive(Debug)]
struct Running {
    /// Where questions on its stream go.
    to: mpsc::Sender<Event>,
    lane: ReadLane,
    may_ask: bool,
    said: Arc<Said>,
}

/// What one call needs to be asked with, as often as the service must be asked for it.
struct Call {
    to: mpsc::Sender<Event>,
    lane: ReadLane,
    said: Arc<Said>,
    method: String,
    params: String,
    now: Arc<Mutex<Now>>,
}

/// What runs of a call now.
#[derive(Debug, Default, Clone)]
struct Now {
    /// The id under which the service was asked last.
    id: Option<Id>,
    /// The task that it has become there: its id as JSON text.
    task: Option<String>,
}

/// Forgets a request when it has ended.
struct Forget<'p> {
    parking: &'p Parking,
    id: &'p Id,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        lock(&self.parking.0.running).remove(self.id);
    }
}

/// What comes of a call that runs at the service.
#[derive(Debug)]
enum Event {
    /// The service asks something: the id to answer under, the request's method and params.
    Asked(Id, String),
    /// It has ended.
    Ended(Result<Answer, Failure>),
}

/// A call that waits at the service.
#[derive(Debug)]
struct Parked {
    /// What was asked for: the next round must be the same request.
    digest: String,
    /// The questions, by the key under which the client answers them.
    questions: Vec<(String, Id)>,
    /// The call; `None` where the service has ended it, and wants to be asked anew.
    open: Option<Open>,
}

/// How the next round goes on.
#[derive(Debug)]
enum Next {
    /// With the call that waits at the service.
    Goes(Open),
    /// With the same request anew: the service has ended the first one.
    Anew,
}

/// A call that was begun, and what comes of it.
#[derive(Debug)]
struct Open {
    events: mpsc::Receiver<Event>,
    lane: ReadLane,
    /// Ends the call at the service when it is dropped.
    _hold: Hold,
}

/// Ends the call at the service when nobody waits for it any more.
#[derive(Debug)]
struct Hold(CancellationToken);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Parking {
    /// None is open. The tasks are the connection's, which end with it.
    pub(in crate::relay) fn new(tasks: TaskTracker, ending: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            running: Mutex::default(),
            parked: Mutex::default(),
            count: AtomicU64::new(0),
            tasks,
            ending,
        }))
    }

    /// Takes a question that came in a session of this lane, on the stream of one of these calls where it came on one; false
    /// where it belongs to none. `may_be_older`: without a stream it may as well be for another client's request.
    pub(super) fn asked(
        &self,
        lane: &ReadLane,
        id: &Id,
        with: Option<&Id>,
        may_be_older: bool,
        message: &Message<'_>,
    ) -> bool {
        let running = lock(&self.0.running);
        let call = match with {
            Some(with) => running.get(with),
            None if may_be_older => None,
            None => the_only(&running, lane),
        };
        let Some(call) = call else {
            return false;
        };
        if message.method == "ping" {
            self.tell(&call.lane, id, envelope::response(id, "{}"));
        } else if !call.may_ask || !may_be_asked(&message.method, &call.said) {
            self.refuse(&call.lane, id, "the client has not said that it can do this");
        } else {
            let params = message.params.unwrap_or("{}");
            let question = format!(
                r#"{{"method":{},"params":{params}}}"#,
                Value::from(&*message.method)
            );
            if call.to.try_send(Event::Asked(id.clone(), question)).is_err() {
                self.refuse(&call.lane, id, "too many questions at once");
            }
        }
        true
    }

    /// What the request on whose stream this came says of its client; `None` where it is none of these calls.
    pub(in crate::relay) fn said(&self, with: Option<&Id>) -> Option<Arc<Said>> {
        let running = lock(&self.0.running);
        with.and_then(|with| running.get(with))
            .map(|call| Arc::clone(&call.said))
    }

    /// A request of a newer client, at an older service.
    ///
    /// # Errors
    /// As a request.
    pub(in crate::relay) async fn request(
        &self,
        lane: &ReadLane,
        text: &str,
        id: &Id,
        said: &Arc<Said>,
        repeat: Repeat,
    ) -> Result<Answer, Failure> {
        let Ok(message) = envelope::read_one(text) else {
            return Err(Failure::BadAnswer("the request cannot be read".to_owned()));
        };
        let params = message.params.unwrap_or("{}");
        if json::members(params).is_err() {
            return Ok(not_sent(id, UNREADABLE));
        }
        let digest = digest(&message.method, params);
        let further = member(params, "requestState").is_some() || member(params, "inputResponses").is_some();
        let mut open = if further && MAY_ASK.contains(&&*message.method) {
            match self.go_on(params, &digest) {
                Some(Next::Goes(open)) => open,
                Some(Next::Anew) => self.start(lane, &message, said, repeat),
                None => return Ok(no_such_round(id)),
            }
        } else {
            self.start(lane, &message, said, repeat)
        };
        let mut questions: Vec<(Id, String)> = Vec::new();
        loop {
            let next = if questions.is_empty() {
                open.events.recv().await
            } else {
                match tokio::time::timeout(TOGETHER, open.events.recv()).await {
                    Ok(next) => next,
                    Err(_) => return Ok(self.park(id, digest, questions, Some(open))),
                }
            };
            match next {
                Some(Event::Asked(of, question)) if questions.len() < MAX_QUESTIONS => {
                    questions.push((of, question));
                }
                Some(Event::Asked(of, _)) => self.refuse(&open.lane, &of, "too many questions at once"),
                Some(Event::Ended(outcome)) => {
                    let answer = outcome?;
                    let Some(addresses) = addresses(&answer.text) else {
                        return Ok(newer(id, &message.method, answer));
                    };
                    if !opens_addresses(said) || !MAY_ASK.contains(&&*message.method) {
                        return Ok(cannot_open(id));
                    }
                    let none = |question| (Id::ours(""), question);
                    let questions = addresses.into_iter().map(none).collect();
                    return Ok(self.park(id, digest, questions, None));
                }
                None => return Err(Failure::Broken("the call was cut off".to_owned())),
            }
        }
    }

    /// Begins the call at the service, under an id of ours: the client's ids change from round to round.
    fn start(&self, lane: &ReadLane, message: &Message<'_>, said: &Arc<Said>, repeat: Repeat) -> Open {
        let (send, events) = mpsc::channel(MAX_QUESTIONS + 1);
        let params = message
            .params
            .map(without_protocol)
            .map(|params| without_task(&params));
        let over = self.0.ending.child_token();
        let call = Call {
            to: send.clone(),
            lane: lane.clone(),
            said: Arc::clone(said),
            method: message.method.clone().into_owned(),
            params: params.unwrap_or_else(|| "{}".to_owned()),
            now: Arc::default(),
        };
        let (parking, stop, at, now) = (self.clone(), over.clone(), lane.clone(), Arc::clone(&call.now));
        self.0.tasks.spawn(async move {
            let mut asking = std::pin::pin!(parking.to_its_end(call, repeat));
            let outcome = stop.run_until_cancelled(&mut asking).await;
            if let Some(outcome) = outcome {
                let _ = send.send(Event::Ended(outcome)).await;
                return;
            }
            // Nobody waits for it any more: the service is told, in the session where it runs. Of a task it has words of its
            // own for that (2025-11-25, cancellation, tasks).
            let Now { id, task } = lock(&now).clone();
            let Some(session) = id.as_ref().and_then(|id| at.session_of(id)) else {
                return;
            };
            let told = match (task, id) {
                (Some(task), _) => {
                    let params = format!(r#"{{"taskId":{task}}}"#);
                    envelope::request(&parking.own_id(), "tasks/cancel", Some(&params))
                }
                (None, Some(id)) => {
                    let params = format!(r#"{{"requestId":{}}}"#, id.raw());
                    envelope::notification("notifications/cancelled", Some(&params))
                }
                (None, None) => return,
            };
            let telling = at.tell(told, Word::Reply, Some(session));
            let _ = parking.0.ending.run_until_cancelled(telling).await;
        });
        Open {
            events,
            lane: lane.clone(),
            _hold: Hold(over),
        }
    }

    fn own_id(&self) -> Id {
        Id::ours(&format!("cs-p{}", self.0.count.fetch_add(1, Ordering::Relaxed)))
    }

    /// A call, whatever the service needs to be asked for it. A tool that runs as a task only (2025-11-25, tasks) is run as one
    /// and waited for: the newer era has no such tasks.
    async fn to_its_end(&self, call: Call, repeat: Repeat) -> Result<Answer, Failure> {
        let answer = self.one(&call, &call.method, &call.params, repeat).await?;
        if !self.wants_a_task(&call, &answer).await {
            return Ok(answer);
        }
        // It has refused the call unrun, as one that must be a task.
        let Some(params) = with_task(&call.params) else {
            return Ok(answer);
        };
        let begun = self.one(&call, &call.method, &params, repeat).await?;
        let Some(task) = task_of(&begun.text) else {
            return Ok(begun);
        };
        let params = format!(r#"{{"taskId":{task}}}"#);
        lock(&call.now).task = Some(task);
        // The call runs: a refusal of this says nothing of it, and must not read as if it had not run.
        let cut =
            |why: &str| Failure::BadAnswer(format!("its task runs, but the result cannot be had: {why}"));
        match self.one(&call, "tasks/result", &params, Repeat::Harmless).await {
            Ok(answer) if refusal_code(&answer.text) == Some(UNSUPPORTED_VERSION) => {
                Err(cut("the service changed to another revision of the protocol"))
            }
            Ok(answer) => Ok(answer),
            Err(failure) => Err(cut(&failure.of_any_server())),
        }
    }

    /// One request of a call, under an id of its own.
    async fn one(&self, call: &Call, method: &str, params: &str, repeat: Repeat) -> Result<Answer, Failure> {
        let own = self.own_id();
        let running = Running {
            to: call.to.clone(),
            lane: call.lane.clone(),
            may_ask: MAY_ASK.contains(&&*call.method),
            said: Arc::clone(&call.said),
        };
        lock(&self.0.running).insert(own.clone(), running);
        lock(&call.now).id = Some(own.clone());
        let _forget = Forget {
            parking: self,
            id: &own,
        };
        let text = envelope::request(&own, method, Some(params));
        call.lane.request(text, &own, repeat).await
    }

    /// Whether the service refused a call because it wants it as a task: it says so of this tool as well. The code alone may come
    /// from something behind a tool that has run.
    async fn wants_a_task(&self, call: &Call, answer: &Answer) -> bool {
        if call.method != "tools/call"
            || refusal_code(&answer.text) != Some(i64::from(words::method_not_found()))
        {
            return false;
        }
        let said = call.lane.greeting().await.unwrap_or_default();
        let path = ["capabilities", "tasks", "requests", "tools", "call"];
        let found = path.iter().try_fold(said.as_str(), |at, key| member(at, key));
        if found.is_none() {
            return false;
        }
        let text = |object: &str, key: &str| {
            let text = member(object, key).and_then(|raw| json::string(raw).ok());
            text.map(std::borrow::Cow::into_owned)
        };
        let name = text(&call.params, "name");
        let listed = call.lane.list("tools/list", "tools").await.unwrap_or_default();
        let tool = listed.iter().find(|tool| text(tool, "name") == name);
        let support = tool.and_then(|tool| text(member(tool, "execution")?, "taskSupport"));
        support.as_deref() == Some("required")
    }

    /// Takes a parked call up again with the client's answers; `None` where none such waits.
    fn go_on(&self, params: &str, digest: &str) -> Option<Next> {
        let key = json::string(member(params, "requestState")?).ok()?;
        let parked = {
            let mut all = lock(&self.0.parked);
            if all.get(&*key)?.digest != digest {
                return None;
            }
            all.remove(&*key)?
        };
        let answers = member(params, "inputResponses").unwrap_or("{}");
        if let Some(open) = &parked.open {
            for (name, of) in &parked.questions {
                match member(answers, name) {
                    Some(answer) => self.tell(&open.lane, of, envelope::response(of, answer)),
                    None => self.refuse(&open.lane, of, "the client did not answer this"),
                }
            }
        }
        Some(parked.open.map_or(Next::Anew, Next::Goes))
    }

    /// Parks the call and asks the client.
    fn park(&self, id: &Id, digest: String, questions: Vec<(Id, String)>, open: Option<Open>) -> Answer {
        let full = |why: &str| {
            let data = words::data(words::WasSent::Unknown, None);
            Answer::small(envelope::error(Some(id), words::OUR_ERROR, why, Some(&data)))
        };
        // Random, as it comes back through the client: nobody else may go on with this call.
        let Some(state) = random_name() else {
            return full("no random numbers");
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
            open,
        };
        {
            let mut all = lock(&self.0.parked);
            if all.len() >= MAX_PARKED {
                return full("too many calls wait for their next round");
            }
            all.insert(state.clone(), parked);
        }
        let (parking, key) = (self.clone(), state.clone());
        self.0.tasks.spawn(async move {
            let gone = tokio::time::sleep(PARKED);
            let _ = parking.0.ending.run_until_cancelled(gone).await;
            lock(&parking.0.parked).remove(&key);
        });
        Answer::small(envelope::response(
            id,
            &format!(
                r#"{{"resultType":"input_required","inputRequests":{{{}}},"requestState":"{state}"}}"#,
                asks.join(",")
            ),
        ))
    }

    fn refuse(&self, lane: &ReadLane, of: &Id, why: &str) {
        let line = envelope::error(Some(of), words::method_not_found(), why, None);
        self.tell(lane, of, line);
    }

    /// Answers a question of the service, in the session that it came from.
    fn tell(&self, lane: &ReadLane, of: &Id, text: String) {
        let session = lane.asked_in(of);
        let (lane, ending) = (lane.clone(), self.0.ending.clone());
        self.0.tasks.spawn(async move {
            let told = ending.run_until_cancelled(lane.tell(text, Word::Reply, session));
            if let Some(Err(failure)) = told.await {
                tracing::info!(%failure, "an answer could not be passed on");
            }
        });
    }
}

/// Whether the client of a request said that it can be asked this (2026-07-28, multi-round requests).
fn may_be_asked(method: &str, said: &Said) -> bool {
    let needed = match method {
        "sampling/createMessage" => "sampling",
        "elicitation/create" => "elicitation",
        "roots/list" => "roots",
        _ => return false,
    };
    said.abilities.contains(needed)
}

/// The addresses that a service wants the person to open before it is asked anew (2025-11-25, elicitation), as the newer era
/// asks for them; `None` where it said something else.
fn addresses(answer: &str) -> Option<Vec<String>> {
    let error = member(answer, "error").filter(|error| member(error, "code") == Some("-32042"))?;
    let elicitations = member(member(error, "data")?, "elicitations")?;
    let all = json::items(elicitations).ok()?;
    let question = |elicitation: &&str| {
        let members = json::every_member(elicitation).unwrap_or_default();
        let kept = members.iter().filter(|member| member.key != "elicitationId");
        let kept: Vec<String> = kept.map(shown).collect();
        format!(
            r#"{{"method":"elicitation/create","params":{{{}}}}}"#,
            json::minify(&kept.join(","))
        )
    };
    let questions: Vec<String> = all.iter().take(MAX_QUESTIONS).map(question).collect();
    (!questions.is_empty()).then_some(questions)
}

/// Whether the client said that it opens addresses for the person.
fn opens_addresses(said: &Said) -> bool {
    member(&said.capabilities, "elicitation").is_some_and(|modes| member(modes, "url").is_some())
}

/// The answer where the client cannot do what the service wants (2026-07-28, base protocol, capabilities).
fn cannot_open(id: &Id) -> Answer {
    let data = r#"{"requiredCapabilities":{"elicitation":{"url":{}}},"countersign":{"sent":"yes"}}"#;
    let why = "the service wants the person to open an address first, which this client cannot do";
    Answer::small(envelope::error(Some(id), MISSING_CAPABILITY, why, Some(data)))
}

/// Parameters without the task of 2025-11-25: the newer era has no words for what would come of it.
fn without_task(params: &str) -> String {
    let Ok(members) = json::every_member(params) else {
        return params.to_owned();
    };
    let kept = members.iter().filter(|member| member.key != "task");
    format!("{{{}}}", kept.map(shown).collect::<Vec<_>>().join(","))
}

/// Parameters that ask for a task (2025-11-25, tasks), which lives as long as the service likes.
fn with_task(params: &str) -> Option<String> {
    let inner = params.trim().strip_prefix('{')?.trim_start();
    let comma = if inner.starts_with('}') { "" } else { "," };
    Some(format!(r#"{{"task":{{}}{comma}{inner}"#))
}

/// The id of the task that a call has become, as JSON text; `None` where it has become none.
fn task_of(answer: &str) -> Option<String> {
    let task = member(member(answer, "result")?, "task")?;
    let id = member(task, "taskId").filter(|id| id.starts_with('"'))?;
    Some(id.to_owned())
}

/// The answer to a round that goes on with nothing: it is not passed on, so nothing runs.
fn no_such_round(id: &Id) -> Answer {
    let why = "This `requestState` belongs to no call that waits: begin the call anew without it";
    not_sent(id, why)
}

/// 128 random bits as text.
fn random_name() -> Option<String> {
    let mut bytes = [0u8; 16];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// A question that belongs to no request, while one call alone can have led to it: servers ask so on their standing stream.
/// A call of another lane runs in another session, and cannot.
fn the_only<'r>(running: &'r HashMap<Id, Running>, lane: &ReadLane) -> Option<&'r Running> {
    let mut calls = running.values().filter(|call| call.may_ask && call.lane.is(lane));
    let first = calls.next();
    first.filter(|_| calls.next().is_none())
}

/// What makes two rounds the same request: the method and the params (which were read before) without what changes from
/// round to round.
fn digest(method: &str, params: &str) -> String {
    let members = json::every_member(params).unwrap_or_default();
    let mut parts: Vec<String> = members
        .iter()
        .filter(|member| !matches!(&*member.key, "_meta" | "inputResponses" | "requestState"))
        .map(|member| format!("{}:{}", Value::from(&*member.key), json::minify(member.value)))
        .collect();
    parts.sort_unstable();
    crate::journal::hash(&format!("{method}\n{}", parts.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_open_are_asked_for_in_the_newer_words() {
        let answer = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"m","data":{"elicitations":[
            {"mode":"url", "elicitationId":"e1","url":"https://a.example","message":"open"}]}}}"#;
        assert_eq!(
            addresses(answer).unwrap(),
            [
                r#"{"method":"elicitation/create","params":{"mode":"url","url":"https://a.example","message":"open"}}"#
            ]
        );
        for other in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"code":-32042}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"m","data":{"elicitations":[]}}}"#,
        ] {
            assert_eq!(addresses(other), None, "{other}");
        }
    }

    #[test]
    fn the_same_request_has_the_same_digest_in_each_round() {
        let first = digest("tools/call", r#"{"name":"a","arguments":{"x":1.50}}"#);
        let next = r#"{"arguments":{ "x" : 1.50 },"name":"a","_meta":{"y":1},"requestState":"s","inputResponses":{}}"#;
        assert_eq!(digest("tools/call", next), first);
        assert_ne!(
            digest("tools/call", r#"{"name":"a","arguments":{"x":1.5}}"#),
            first
        );
        assert_ne!(
            digest("prompts/get", r#"{"name":"a","arguments":{"x":1.50}}"#),
            first
        );
    }

    #[test]
    fn a_task_of_the_older_era_is_asked_for_where_we_want_one_alone() {
        assert_eq!(
            without_task(r#"{"name":"a","task":{"ttl":1}}"#),
            r#"{"name":"a"}"#
        );
        assert_eq!(
            with_task(r#"{"name":"a"}"#).as_deref(),
            Some(r#"{"task":{},"name":"a"}"#)
        );
        assert_eq!(with_task("{}").as_deref(), Some(r#"{"task":{}}"#));
        let created = r#"{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"t\u0031","status":"working"}}}"#;
        assert_eq!(task_of(created).as_deref(), Some(r#""t\u0031""#));
        for none in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":1}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"task":{"taskId":"t"}}}"#,
        ] {
            assert_eq!(task_of(none), None, "{none}");
        }
    }
}
