//! What clients of 2026-07-28 are told unasked: the streams that they open with `subscriptions/listen`.
//!
//! Owns: who listens to what on this pipe, and that each gets what it asked for and nothing else, tagged with the id of
//! its own request. Refuses to know: what changed, and how it was learned of; what a task is (`listen/tasks.rs` has the streams
//! on which a service tells of those).

mod tasks;

use super::era::{META_SUBSCRIPTION, OWN_META, member, shown};
use super::link::Peer;
use super::output::Output;
use super::{lock, words};
use crate::upstream::{Failure, META_CAPABILITIES, Use};
use crate::wire::envelope::{self, Id, Message};
use crate::wire::json;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Resources that the streams of one pipe may follow at once, all together.
const MAX_FOLLOWED: usize = 64;
/// Resources of a client of the older era that are known to be followed; it asks for each itself.
const MAX_OLDER: usize = 256;
/// How many of them the service is asked for at once, by all streams of the pipe: exits and reads go beside them.
const AT_ONCE: usize = 4;
/// How long the service may take to accept that resources are followed, before the stream is acknowledged without them.
const ACCEPT: Duration = Duration::from_secs(10);

/// The open streams.
#[derive(Debug)]
pub(super) struct Listens {
    state: Mutex<State>,
    asking: Semaphore,
}

impl Default for Listens {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            asking: Semaphore::new(AT_ONCE),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<Id, Listen>,
    /// Resources that streams follow or are about to, with how many do.
    claimed: HashMap<String, usize>,
    /// Those of them that the service was asked for: only of these must it be told when nobody follows them any more.
    asked: HashSet<String>,
    /// Resources that a client of the older era follows in the same session.
    older: HashSet<String>,
    /// Streams of the service's own, by the id under which we asked for each.
    of_tasks: HashMap<Id, tasks::OfTasks>,
    count: u64,
}

#[derive(Debug)]
struct Listen {
    /// Tells it from a later one of the same id.
    serial: u64,
    wish: Wish,
}

/// What one stream is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wish {
    tools: bool,
    prompts: bool,
    resources: bool,
    uris: BTreeSet<String>,
    /// Tasks of the service's (the extension of tasks, 2026-07-28), by their ids.
    tasks: BTreeSet<String>,
}

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About<'a> {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The list of resources.
    Resources,
    /// One resource, by its address.
    Resource(&'a str),
}

impl Wish {
    /// Reads what a request asks for; `None` where it does not say.
    fn of(params: &str) -> Option<Self> {
        let notifications = member(params, "notifications").filter(|text| text.starts_with('{'))?;
        let wants = |key: &str| member(notifications, key) == Some("true");
        Some(Self {
            tools: wants("toolsListChanged"),
            prompts: wants("promptsListChanged"),
            resources: wants("resourcesListChanged"),
            uris: texts(notifications, "resourceSubscriptions")?,
            tasks: texts(notifications, "taskIds")?,
        })
    }

    fn covers(&self, about: About<'_>) -> bool {
        match about {
            About::Tools => self.tools,
            About::Prompts => self.prompts,
            About::Resources => self.resources,
            About::Resource(uri) => self.uris.iter().any(|followed| is_within(uri, followed)),
        }
    }

    /// The part of the wish that is granted, as the acknowledgement says it.
    fn granted(&self) -> String {
        let mut parts: Vec<String> = [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ]
        .iter()
        .filter(|(_, granted)| *granted)
        .map(|(key, _)| format!(r#""{key}":true"#))
        .collect();
        for (key, names) in [("resourceSubscriptions", &self.uris), ("taskIds", &self.tasks)] {
            if !names.is_empty() {
                let names = Value::from(names.iter().cloned().collect::<Vec<_>>());
                parts.push(format!(r#""{key}":{names}"#));
            }
        }
        format!("{{{}}}", parts.join(","))
    }
}

/// The texts of a list; none where there is no such list, `None` where it is something else.
fn texts(object: &str, key: &str) -> Option<BTreeSet<String>> {
    let items = json::items(member(object, key).unwrap_or("[]")).ok()?;
    let texts = items.into_iter().filter_map(|raw| json::string(raw).ok());
    Some(texts.map(std::borrow::Cow::into_owned).collect())
}

/// Whether an update of `uri` is one of what is followed: of the resource itself, or of one below it (2026-07-28,
/// resources).
fn is_within(uri: &str, followed: &str) -> bool {
    uri.strip_prefix(followed)
        .is_some_and(|rest| rest.is_empty() || followed.ends_with('/') || rest.starts_with(['/', '#', '?']))
}

impl Listens {
    /// Acknowledges a stream and opens it; its serial number. The acknowledgement is the first that is written for it.
    fn open(&self, out: &Output, id: &Id, wish: Wish) -> u64 {
        let mut state = lock(&self.state);
        let params = format!(
            r#"{{"notifications":{},"_meta":{{"{META_SUBSCRIPTION}":{}}}}}"#,
            wish.granted(),
            id.raw()
        );
        let method = "notifications/subscriptions/acknowledged";
        out.line(envelope::notification(method, Some(&params)));
        state.count += 1;
        let serial = state.count;
        state.open.insert(id.clone(), Listen { serial, wish });
        // What came before there was a stream to tell it on.
        let early = state.of_tasks.values_mut().filter(|of| of.is_for(id));
        for line in early.flat_map(tasks::OfTasks::early) {
            out.line(line);
        }
        serial
    }

    /// Closes a stream: nothing more is written for it.
    pub(super) fn close(&self, id: &Id) {
        let mut state = lock(&self.state);
        state.open.remove(id);
        // What came too early for it is for no other stream of this id.
        state.of_tasks.retain(|_, of| !of.is_for(id));
    }

    fn close_this(&self, id: &Id, serial: u64) {
        let mut state = lock(&self.state);
        if state.open.get(id).is_some_and(|listen| listen.serial == serial) {
            state.open.remove(id);
        }
    }

    /// Tells those who asked for it; each under its own id.
    pub(super) fn tell(&self, out: &Output, about: About<'_>, method: &str, params: &str) {
        let state = lock(&self.state);
        for (id, _) in state.open.iter().filter(|(_, listen)| listen.wish.covers(about)) {
            if out.is_full() {
                tracing::warn!("a notification was dropped: the client does not read");
                return;
            }
            out.line(envelope::notification(method, Some(&tagged(params, id))));
        }
    }

    /// Whether any stream follows this resource.
    pub(super) fn follows(&self, uri: &str) -> bool {
        let state = lock(&self.state);
        state
            .open
            .values()
            .any(|listen| listen.wish.covers(About::Resource(uri)))
    }

    /// Notes that a client of the older era follows a resource, or no longer does; whether others still follow it.
    pub(super) fn older_follows(&self, uri: &str, on: bool) -> bool {
        let mut state = lock(&self.state);
        if !on {
            state.older.remove(uri);
        } else if state.older.len() < MAX_OLDER {
            state.older.insert(uri.to_owned());
        }
        state.open.values().any(|listen| listen.wish.uris.contains(uri))
    }

    /// Whether a client of the older era is told of this resource: it follows it, or nobody else does.
    pub(super) fn is_for_older(&self, uri: &str) -> bool {
        let followed = lock(&self.state)
            .older
            .iter()
            .any(|followed| is_within(uri, followed));
        followed || !self.follows(uri)
    }

    /// Takes a place for each of these resources, as far as there are places; those that got one.
    fn claim(&self, uris: &BTreeSet<String>) -> BTreeSet<String> {
        let mut state = lock(&self.state);
        let mut got = BTreeSet::new();
        for uri in uris {
            if state.claimed.contains_key(uri) || state.claimed.len() < MAX_FOLLOWED {
                *state.claimed.entry(uri.clone()).or_default() += 1;
                got.insert(uri.clone());
            }
        }
        got
    }

    /// Gives the places back.
    fn release<'u>(&self, uris: impl IntoIterator<Item = &'u String>) {
        let mut state = lock(&self.state);
        for uri in uris {
            let Some(count) = state.claimed.get_mut(uri) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                state.claimed.remove(uri);
            }
        }
    }

    /// The service is asked for this resource now.
    fn asks(&self, uri: &str) {
        lock(&self.state).asked.insert(uri.to_owned());
    }

    /// Whether the service was asked for this resource, once.
    fn was_asked(&self, uri: &str) -> bool {
        lock(&self.state).asked.remove(uri)
    }

    /// Whether an open stream follows exactly this resource.
    fn has(&self, uri: &str) -> bool {
        let state = lock(&self.state);
        state.open.values().any(|listen| listen.wish.uris.contains(uri))
    }

    /// Whether nobody follows this resource any more, nor is about to.
    fn is_free(&self, uri: &str) -> bool {
        let state = lock(&self.state);
        !state.older.contains(uri) && !state.claimed.contains_key(uri)
    }
}

/// Parameters with the id of the stream, and without what the service's own stream was called.
fn tagged(params: &str, id: &Id) -> String {
    let members = json::every_member(params).unwrap_or_default();
    let meta = members.iter().find(|member| member.key == "_meta");
    let meta = meta
        .and_then(|meta| json::every_member(meta.value).ok())
        .unwrap_or_default();
    let mut inner: Vec<String> = meta
        .iter()
        .filter(|member| !member.key.starts_with(OWN_META))
        .map(shown)
        .collect();
    inner.push(format!(r#""{META_SUBSCRIPTION}":{}"#, id.raw()));
    let mut parts: Vec<String> = members
        .iter()
        .filter(|member| member.key != "_meta")
        .map(shown)
        .collect();
    parts.push(format!(r#""_meta":{{{}}}"#, inner.join(",")));
    format!("{{{}}}", parts.join(","))
}

/// A connection on which clients listen.
pub(super) trait Listening: Peer + Send + Sync + 'static {
    /// Who listens to what on it.
    fn listens(&self) -> &Listens;
    /// Whether a stream of ours stands for a session at the service: it is opened anew with what is followed.
    fn has_stream(&self) -> bool;
}

/// Opens a stream of what the client wants to be told. It stays open until the client cancels it, or we end.
pub(super) fn listen<P: Listening>(peer: &Arc<P>, id: &Id, message: &Message<'_>, cancel: CancellationToken) {
    let Some(wish) = message.params.and_then(Wish::of) else {
        let why = "`notifications` must say what to listen to";
        return peer.fail(id, words::invalid_params(), why);
    };
    let meta = message
        .params
        .and_then(|params| member(params, "_meta"))
        .unwrap_or("{}");
    if !wish.tasks.is_empty() && !super::era::knows_tasks(member(meta, META_CAPABILITIES).unwrap_or("{}")) {
        return peer.answer(id, tasks::undeclared(id));
    }
    // From local state where it can be: an acknowledgement waits for nothing but what only the service can grant.
    let is_ours = wish.uris.is_empty() && wish.tasks.is_empty();
    let at_once = is_ours.then(|| peer.listens().open(&peer.out, id, wish.clone()));
    let claimed = peer.listens().claim(&wish.uris);
    let (peer, id, meta) = (Arc::clone(peer), id.clone(), meta.to_owned());
    peer.clone().tasks.spawn(async move {
        let (serial, uris) = match at_once {
            Some(serial) => (serial, BTreeSet::new()),
            None => match cancel
                .run_until_cancelled(granted(&peer, &id, &wish, &claimed, meta, &cancel))
                .await
            {
                Some((uris, tasks)) => {
                    peer.listens().release(claimed.difference(&uris));
                    let granted = Wish {
                        uris: uris.clone(),
                        tasks,
                        ..wish
                    };
                    // Cancelled in this moment: nothing is written for it any more, and the id may be another request's by now.
                    if cancel.is_cancelled() {
                        return let_go(&*peer, &uris).await;
                    }
                    (peer.listens().open(&peer.out, &id, granted), uris)
                }
                None => return let_go(&*peer, &claimed).await,
            },
        };
        cancel.cancelled().await;
        peer.listens().close_this(&id, serial);
        if peer.ending.is_cancelled() {
            let result = format!(
                r#"{{"resultType":"complete","_meta":{{"{META_SUBSCRIPTION}":{}}}}}"#,
                id.raw()
            );
            return peer.answer(&id, envelope::response(&id, &result));
        }
        let_go(&*peer, &uris).await;
    });
}

/// What of a wish only the service can grant: the resources and the tasks that it lets us follow.
async fn granted<P: Listening>(
    peer: &Arc<P>,
    id: &Id,
    wish: &Wish,
    claimed: &BTreeSet<String>,
    meta: String,
    cancel: &CancellationToken,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let until = Instant::now() + ACCEPT;
    let tasks = async {
        if wish.tasks.is_empty() {
            return BTreeSet::new();
        }
        let told = tasks::follow(peer, id, &wish.tasks, meta, cancel);
        let granted = tokio::time::timeout_at(until, told).await;
        granted.unwrap_or_default()
    };
    tokio::join!(accepted(&**peer, claimed), tasks)
}

/// Those of these resources that the service lets us follow.
async fn accepted<P: Listening>(peer: &P, uris: &BTreeSet<String>) -> BTreeSet<String> {
    let until = Instant::now() + ACCEPT;
    let ask = |uri: &String| {
        let (uri, params) = (uri.clone(), serde_json::json!({ "uri": uri }).to_string());
        async move {
            if peer.has_stream() {
                peer.remember("resources/subscribe", &params);
                peer.listens().asks(&uri);
                return Some(uri);
            }
            // The service was asked for another stream.
            if peer.listens().has(&uri) {
                return Some(uri);
            }
            let asked = asked(peer, "resources/subscribe", &params, || peer.listens().asks(&uri));
            match tokio::time::timeout_at(until, asked).await {
                Ok(Ok(_)) => {
                    peer.remember("resources/subscribe", &params);
                    // Another stream that asked for it too may have been refused meanwhile.
                    peer.listens().asks(&uri);
                    return Some(uri);
                }
                Ok(Err(failure)) => tracing::info!(%failure, "a resource cannot be followed"),
                Err(_) => {}
            }
            peer.listens().was_asked(&uri);
            None
        }
    };
    let all = futures_util::future::join_all(uris.iter().map(ask)).await;
    all.into_iter().flatten().collect()
}

/// Asks the service as the client would, in its part of the budget: exits and approved orders do not wait behind it.
async fn asked<P: Listening>(
    peer: &P,
    method: &str,
    params: &str,
    begins: impl FnOnce(),
) -> Result<String, Failure> {
    // Never closed, so there is always a permit in the end.
    let _permit = peer.listens().asking.acquire().await.ok();
    begins();
    peer.read.own_for(method, params, Use::Client).await
}

/// Gives up the places of these resources, and stops following those that nobody on this pipe follows any more.
async fn let_go<P: Listening>(peer: &P, uris: &BTreeSet<String>) {
    peer.listens().release(uris);
    for uri in uris {
        // Another stream may have come for it meanwhile.
        if !peer.listens().is_free(uri) {
            continue;
        }
        let params = serde_json::json!({ "uri": uri }).to_string();
        peer.remember("resources/unsubscribe", &params);
        if !peer.listens().was_asked(uri) || peer.has_stream() {
            continue;
        }
        let asked = asked(peer, "resources/unsubscribe", &params, || {});
        let _ = peer
            .ending
            .run_until_cancelled(tokio::time::timeout(ACCEPT, asked))
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_and_granted() {
        let wish = Wish::of(
            r#"{"notifications":{"toolsListChanged":true,"promptsListChanged":false,"odd":true,"resourceSubscriptions":["a:\/\/b"]}}"#,
        );
        let wish = wish.unwrap();
        assert_eq!(
            wish.granted(),
            r#"{"toolsListChanged":true,"resourceSubscriptions":["a://b"]}"#
        );
        assert!(wish.covers(About::Tools) && !wish.covers(About::Prompts) && !wish.covers(About::Resources));
        assert!(wish.covers(About::Resource("a://b")) && wish.covers(About::Resource("a://b/c")));
        assert!(!wish.covers(About::Resource("a://bc")) && !wish.covers(About::Resource("a:")));
        for none in [
            "{}",
            r#"{"notifications":true}"#,
            r#"{"notifications":{"resourceSubscriptions":1}}"#,
            r#"{"notifications":{"taskIds":{}}}"#,
        ] {
            assert_eq!(Wish::of(none), None, "{none}");
        }
        assert_eq!(Wish::of(r#"{"notifications":{}}"#).unwrap().granted(), "{}");
        let tasks = r#"{"taskIds":["a","b"]}"#;
        let wish = Wish::of(&format!(r#"{{"notifications":{tasks}}}"#)).unwrap();
        assert_eq!(wish.granted(), tasks);
    }

    #[test]
    fn the_streams_of_a_pipe_share_the_places() {
        let listens = Listens::default();
        let many =
            |from: usize, to: usize| (from..to).map(|n| format!("a://{n:03}")).collect::<BTreeSet<_>>();
        assert_eq!(listens.claim(&many(0, 60)), many(0, 60));
        // What another stream follows takes no place more.
        assert_eq!(listens.claim(&many(50, 100)), many(50, MAX_FOLLOWED));
        listens.release(&many(0, 60));
        assert!(listens.is_free("a://000") && !listens.is_free("a://050"));
        listens.release(&many(50, MAX_FOLLOWED));
        assert!(listens.is_free("a://050"));
        assert_eq!(listens.claim(&many(100, 200)), many(100, 100 + MAX_FOLLOWED));
    }

    #[test]
    fn each_stream_is_told_under_its_own_id() {
        let tag = format!(r#""{META_SUBSCRIPTION}":7"#);
        let id = Id::from_raw("7").unwrap();
        assert_eq!(tagged("{}", &id), format!(r#"{{"_meta":{{{tag}}}}}"#));
        assert_eq!(
            tagged(
                r#"{"uri":"a","_meta":{"a/b":1.0,"io.modelcontextprotocol/subscriptionId":"theirs"}}"#,
                &id
            ),
            format!(r#"{{"uri":"a","_meta":{{"a/b":1.0,{tag}}}}}"#)
        );
    }
}
