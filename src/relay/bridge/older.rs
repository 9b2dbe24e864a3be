//! A client with a handshake (2025-11-25 and before) on a server without one (2026-07-28).
//!
//! What the client said once, each request says for it; what the server asks for in an answer, the client is asked with
//! requests; one stream of ours stands for what the client would have been told in its session. What the old era has no
//! words for is left out, and nothing else is touched.

use super::{UNREADABLE, not_sent};
use crate::relay::era::{NEWER, OWN_META, member, own_meta_out, shown, without_protocol};
use crate::relay::link::Link;
use crate::relay::lock;
use crate::upstream::{
    Answer, Failure, META_CAPABILITIES, META_INFO, META_VERSION, MODERN, Repeat, one_line, without_tasks,
};
use crate::wire::envelope::{self, Id, Message};
use crate::wire::json;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// How often one call may come back with questions. A server that always asks again is stopped here.
const ROUNDS: usize = 10;
/// Questions to the client that may be open at once.
const MAX_ASKED: usize = 256;
/// Resources that are followed.
const MAX_FOLLOWED: usize = 256;
/// Pauses between attempts to open the stream, doubled up to the second.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The `_meta` member with the level of log messages that a request wants.
const META_LOG: &str = "io.modelcontextprotocol/logLevel";

/// What stands for the session that the server does not have.
#[derive(Debug, Default)]
pub(in crate::relay) struct Session {
    level: Mutex<Option<String>>,
    followed: Mutex<BTreeSet<String>>,
    /// The stream is to be opened anew.
    changed: Notify,
    count: AtomicU64,
    /// Questions that wait for the client's answer.
    asked: Mutex<HashMap<Id, oneshot::Sender<String>>>,
}

impl Session {
    /// Takes an answer of the client to one of our questions; false where it belongs to another.
    pub(in crate::relay) fn answered(&self, id: &Id, text: &str) -> bool {
        match lock(&self.asked).remove(id) {
            Some(waiting) => {
                let _ = waiting.send(text.to_owned());
                true
            }
            None => false,
        }
    }
}

impl Link {
    /// A request of an older client, on a newer server.
    pub(in crate::relay) async fn lifted(
        &self,
        text: &str,
        id: &Id,
        repeat: Repeat,
    ) -> Result<Answer, Failure> {
        let Ok(message) = envelope::read_one(text) else {
            return Err(Failure::BadAnswer("the request cannot be read".to_owned()));
        };
        let params = message.params.unwrap_or("{}");
        if json::members(params).is_err() {
            return Ok(not_sent(id, UNREADABLE));
        }
        if super::sets_session(&message.method) {
            self.remember(&message.method, params);
            return Ok(Answer::small(envelope::response(id, "{}")));
        }
        let (mut asked, mut answers) = (id.clone(), None::<String>);
        for _ in 0..ROUNDS {
            let Some(text) = self.with_meta(&message, &asked, answers.as_deref()) else {
                return Ok(not_sent(id, UNREADABLE));
            };
            let answer = self.read.request_modern(text, &asked, repeat).await?;
            let Some(result) = member(&answer.text, "result") else {
                return Ok(under(id, answer));
            };
            match member(result, "resultType")
                .and_then(|raw| json::string(raw).ok())
                .as_deref()
            {
                None | Some("complete") => {
                    return Ok(Answer::small(envelope::response(id, &older_result(result))));
                }
                Some("input_required") => {}
                Some(_) => {
                    return Err(Failure::BadAnswer(
                        "it is of a kind that this client's revision has no words for".to_owned(),
                    ));
                }
            }
            answers = Some(self.ask_all(result).await?);
            asked = self.own_id();
        }
        Err(Failure::BadAnswer(format!(
            "it asked for more input {ROUNDS} times"
        )))
    }

    /// The request with what the handshake would have said, under this id; in later rounds with the answers. `None` where
    /// its parameters or their `_meta` cannot be read: without a part of them it would be another request.
    fn with_meta(&self, message: &Message<'_>, id: &Id, answers: Option<&str>) -> Option<String> {
        let (info, capabilities) = self.read.client_said();
        let params = message.params.unwrap_or("{}");
        let mut meta: Vec<String> = vec![
            format!(r#""{META_VERSION}":"{MODERN}""#),
            format!(r#""{META_INFO}":{info}"#),
            format!(r#""{META_CAPABILITIES}":{}"#, newer_capabilities(&capabilities)),
        ];
        if let Some(level) = &*lock(&self.older.level) {
            meta.push(format!(r#""{META_LOG}":{level}"#));
        }
        let members = json::members(params).ok()?;
        let given = members.iter().find(|member| member.key == "_meta");
        let given = given.map_or("{}", |meta| meta.value);
        let given = json::members(if given == "null" { "{}" } else { given }).ok()?;
        meta.extend(
            given
                .iter()
                .filter(|member| !member.key.starts_with(OWN_META))
                .map(shown),
        );
        let mut parts: Vec<String> = members
            .iter()
            .filter(|member| member.key != "_meta" && member.key != "task")
            .map(shown)
            .collect();
        parts.extend(answers.map(str::to_owned));
        parts.push(format!(r#""_meta":{{{}}}"#, meta.join(",")));
        let params = format!("{{{}}}", parts.join(","));
        Some(envelope::request(id, &message.method, Some(&params)))
    }

    /// Asks the client everything that a result asks for; the members that the next round carries.
    async fn ask_all(&self, result: &str) -> Result<String, Failure> {
        let unreadable = |_| Failure::BadAnswer("its questions cannot be read".to_owned());
        let read = |key: &str| json::member(result, key).map_err(unreadable);
        let (requests, state) = (read("inputRequests")?, read("requestState")?);
        let requests = json::members(requests.unwrap_or("{}")).map_err(unreadable)?;
        let mut answers = Vec::with_capacity(requests.len());
        for request in &requests {
            let answer = self.ask(request.value).await?;
            answers.push(format!("{}:{answer}", Value::from(&*request.key)));
        }
        let mut parts = Vec::new();
        if !answers.is_empty() {
            parts.push(format!(r#""inputResponses":{{{}}}"#, answers.join(",")));
        }
        if let Some(state) = state {
            parts.push(format!(r#""requestState":{state}"#));
        }
        if parts.is_empty() {
            return Err(Failure::BadAnswer(
                "it asks for input without saying which".to_owned(),
            ));
        }
        Ok(parts.join(","))
    }

    /// Asks the client one thing; the text of its result.
    async fn ask(&self, request: &str) -> Result<String, Failure> {
        if json::members(request).is_err() {
            return Err(Failure::BadAnswer("its question cannot be read".to_owned()));
        }
        let method = member(request, "method")
            .and_then(|raw| json::string(raw).ok())
            .unwrap_or_default();
        let needed = match &*method {
            "sampling/createMessage" => "sampling",
            "elicitation/create" => "elicitation",
            "roots/list" => "roots",
            _ => return Err(Failure::BadAnswer("it asks for something unknown".to_owned())),
        };
        if !lock(&self.client).abilities.contains(needed) {
            return Err(Failure::BadAnswer(format!(
                "it asks for {needed}, which this client cannot do"
            )));
        }
        let id = self.own_id();
        let (send, receive) = oneshot::channel();
        {
            let mut asked = lock(&self.older.asked);
            if asked.len() >= MAX_ASKED {
                return Err(Failure::BadAnswer("too many questions are open".to_owned()));
            }
            asked.insert(id.clone(), send);
        }
        // Forgotten where the client cancels its call meanwhile.
        let _forget = Forget {
            session: &self.older,
            id: &id,
        };
        let params = member(request, "params").map(|params| with_elicitation_id(params, &id));
        self.out
            .line(one_line(&envelope::request(&id, &method, params.as_deref())).into_owned());
        let lost = |_| Failure::BadAnswer("its question was not answered".to_owned());
        let answer = receive.await.map_err(lost)?;
        member(&answer, "result")
            .map(str::to_owned)
            .ok_or_else(|| Failure::BadAnswer("the client answered its question with an error".to_owned()))
    }

    pub(in crate::relay) fn own_id(&self) -> Id {
        Id::ours(&format!(
            "cs-q{}",
            self.older.count.fetch_add(1, Ordering::Relaxed)
        ))
    }

    /// Notes what a request of a client set in its session, for what follows: the next session is told again, and where the
    /// service has none (any more), each request says it.
    pub(in crate::relay) fn remember(&self, method: &str, params: &str) {
        self.read.remember(method, params);
        match method {
            "logging/setLevel" => *lock(&self.older.level) = member(params, "level").map(str::to_owned),
            "resources/subscribe" => self.follow(params, true),
            "resources/unsubscribe" => self.follow(params, false),
            _ => {}
        }
    }

    fn follow(&self, params: &str, on: bool) {
        let Some(uri) = member(params, "uri") else { return };
        let mut followed = lock(&self.older.followed);
        let changed = if on {
            followed.len() < MAX_FOLLOWED && followed.insert(uri.to_owned())
        } else {
            followed.remove(uri)
        };
        drop(followed);
        if changed {
            self.older.changed.notify_one();
        }
    }

    /// Keeps one stream open for what the client would be told unasked; opened anew when it follows other resources.
    pub(in crate::relay) async fn listen(&self) {
        let mut pause = PAUSE.0;
        loop {
            let uris: Vec<String> = lock(&self.older.followed).iter().cloned().collect();
            let wish = format!(
                r#"{{"notifications":{{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":[{}]}}}}"#,
                uris.join(",")
            );
            let id = self.own_id();
            let text = envelope::request(&id, "subscriptions/listen", Some(&wish));
            let Ok(message) = envelope::read_one(&text) else {
                return;
            };
            let Some(text) = self.with_meta(&message, &id, None) else {
                return;
            };
            let began = tokio::time::Instant::now();
            tokio::select! {
                // What changed before it was asked for is in it already.
                biased;
                () = self.ending.cancelled() => return,
                () = self.older.changed.notified() => {
                    pause = PAUSE.0;
                    continue;
                }
                ended = self.read.listen_modern(text, &id) => {
                    // Not offered: it would be the same again.
                    if matches!(ended, Ok(false)) {
                        return;
                    }
                }
            }
            if began.elapsed() > PAUSE.1 {
                pause = PAUSE.0;
            }
            tokio::select! {
                () = self.ending.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// A notification of a newer server, for an older client.
    pub(in crate::relay) fn lowered(&self, message: &Message<'_>) {
        if message.method == "notifications/subscriptions/acknowledged" {
            return;
        }
        let params = message.params.map(without_protocol);
        self.say(&envelope::notification(&message.method, params.as_deref()));
    }
}

struct Forget<'a> {
    session: &'a Session,
    id: &'a Id,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        lock(&self.session.asked).remove(self.id);
    }
}

/// An answer of one of our rounds, under the client's id.
fn under(id: &Id, answer: Answer) -> Answer {
    match member(&answer.text, "error") {
        Some(error) => Answer::small(format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{}}}"#,
            id.raw(),
            json::minify(error)
        )),
        None => answer,
    }
}

/// What the client can do, as the newer era says it: without what that era does not have, and without its tasks, for whose
/// results a client of the older era has no words.
fn newer_capabilities(capabilities: &str) -> String {
    let members = json::members(capabilities).unwrap_or_default();
    let parts: Vec<String> = members
        .iter()
        .filter(|member| member.key != "tasks")
        .filter_map(|member| match &*member.key {
            "roots" => Some(r#""roots":{}"#.to_owned()),
            "extensions" => without_tasks(member.value).map(|kept| format!(r#""extensions":{kept}"#)),
            _ => Some(shown(member)),
        })
        .collect();
    format!("{{{}}}", parts.join(","))
}

/// A result as the older era knows it.
fn older_result(result: &str) -> String {
    let Ok(members) = json::every_member(result) else {
        return result.to_owned();
    };
    let parts: Vec<String> = members
        .iter()
        .filter(|member| !NEWER.contains(&&*member.key))
        .filter_map(|member| match &*member.key {
            "_meta" => Some(format!(r#""_meta":{}"#, own_meta_out(member.value)))
                .filter(|text| text != r#""_meta":{}"#),
            // Its types allow objects only; the same stands in the text of the content.
            "structuredContent" if !member.value.starts_with('{') => None,
            _ => Some(shown(member)),
        })
        .collect();
    format!("{{{}}}", parts.join(","))
}

/// An elicitation by address has an id of its own in 2025-11-25.
fn with_elicitation_id(params: &str, id: &Id) -> String {
    let is_url = member(params, "mode") == Some(r#""url""#);
    match params.trim_end().strip_suffix('}') {
        Some(open) if is_url && member(params, "elicitationId").is_none() => {
            format!(r#"{open},"elicitationId":{}}}"#, id.raw())
        }
        _ => params.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_lose_what_the_older_era_does_not_have_and_nothing_else() {
        let result = r#"{"resultType":"complete","content":[{"type":"text","text":"1.0"}],"x":1.50,"ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{},"a/b":1},"structuredContent":[1]}"#;
        assert_eq!(
            older_result(result),
            r#"{"content":[{"type":"text","text":"1.0"}],"x":1.50,"_meta":{"a/b":1}}"#
        );
        assert_eq!(
            older_result(r#"{"_meta":{"io.modelcontextprotocol/serverInfo":{}}}"#),
            "{}"
        );
    }

    #[test]
    fn capabilities_are_said_in_the_newer_words() {
        assert_eq!(
            newer_capabilities(r#"{"roots":{"listChanged":true},"tasks":{},"elicitation":{"url":{}}}"#),
            r#"{"roots":{},"elicitation":{"url":{}}}"#
        );
        assert_eq!(
            newer_capabilities(
                r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"io.modelcontextprotocol/ui":{"a":1.0}}}"#
            ),
            r#"{"extensions":{"io.modelcontextprotocol/ui":{"a":1.0}}}"#
        );
        assert_eq!(
            newer_capabilities(r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#),
            "{}"
        );
    }

    #[test]
    fn an_elicitation_by_address_gets_an_id() {
        let id = Id::ours("cs-q1");
        assert_eq!(
            with_elicitation_id(r#"{"mode":"url","url":"https://a.example"}"#, &id),
            r#"{"mode":"url","url":"https://a.example","elicitationId":"cs-q1"}"#
        );
        assert_eq!(
            with_elicitation_id(r#"{"mode":"form"}"#, &id),
            r#"{"mode":"form"}"#
        );
    }
}
