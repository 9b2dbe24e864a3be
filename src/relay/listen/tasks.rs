//! Streams on which a service of 2026-07-28 tells of its tasks (the extension of tasks, status notifications): a stream of the
//! client's that names tasks has one at the service beside it, in the client's own words, for as long as it is open.
//!
//! Owns: which stream there belongs to which stream here, and that the client hears of its own tasks alone. Refuses to know:
//! what a task does. An order is never one: it is sent in words that declare no extension.

use super::{ACCEPT, Listening, Listens, tagged, texts};
use crate::relay::era::member;
use crate::relay::lock;
use crate::relay::output::Output;
use crate::upstream::{Era, TASKS};
use crate::wire::envelope::{self, Id, Message};
use crate::wire::json;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Such streams that may be open on one pipe: each costs a request that does not end.
const STREAMS: usize = 8;
/// Tasks that one of them may name.
const NAMED: usize = 64;
/// Notifications that wait for the acknowledgement here; a task that is missed so is asked for by the client.
const EARLY: usize = 64;
/// Pauses between attempts to open one again, doubled up to the second.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The request needs something of the client that it did not declare.
const MISSING_CAPABILITY: i32 = -32_021;

/// One stream at the service.
#[derive(Debug)]
pub(super) struct OfTasks {
    /// The client's stream.
    to: Id,
    /// The tasks that were asked for; once it is acknowledged, those that the service grants.
    tasks: BTreeSet<String>,
    acknowledged: bool,
    /// Waits for the first acknowledgement.
    waiting: Option<oneshot::Sender<BTreeSet<String>>>,
    /// What came before the client's own stream was open.
    early: Vec<String>,
}

impl OfTasks {
    /// Whether it is for the client's stream of this id.
    pub(super) fn is_for(&self, id: &Id) -> bool {
        self.to == *id
    }

    /// What came too early, once.
    pub(super) fn early(&mut self) -> Vec<String> {
        std::mem::take(&mut self.early)
    }
}

impl Listens {
    /// Takes a notification that came on such a stream; false where it came on none.
    pub(in crate::relay) fn told_of_tasks(
        &self,
        out: &Output,
        with: Option<&Id>,
        message: &Message<'_>,
    ) -> bool {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let Some(of) = with.and_then(|with| state.of_tasks.get_mut(with)) else {
            return false;
        };
        let params = message.params.unwrap_or("{}");
        match &*message.method {
            "notifications/subscriptions/acknowledged" => {
                let said = member(params, "notifications").and_then(|said| texts(said, "taskIds"));
                let said = said.unwrap_or_default();
                of.tasks.retain(|task| said.contains(task));
                of.acknowledged = true;
                if let Some(waiting) = of.waiting.take() {
                    let _ = waiting.send(of.tasks.clone());
                }
            }
            "notifications/tasks" if of.knows(params) => {
                let line = envelope::notification(&message.method, Some(&tagged(params, &of.to)));
                if state.open.contains_key(&of.to) {
                    if out.is_full() {
                        tracing::warn!("a notification was dropped: the client does not read");
                    } else {
                        out.line(line);
                    }
                } else if of.early.len() < EARLY {
                    of.early.push(line);
                }
            }
            // Nothing else was asked for there.
            method => tracing::info!(method, "a notification on a stream of tasks was dropped"),
        }
        true
    }

    /// Notes a stream that is about to be asked for; false where there are too many.
    fn begin(&self, own: &Id, of: OfTasks) -> bool {
        let mut state = lock(&self.state);
        let fits = state.of_tasks.len() < STREAMS;
        if fits {
            state.of_tasks.insert(own.clone(), of);
        }
        fits
    }

    /// Forgets a stream; whether the service had acknowledged it.
    fn ended(&self, own: &Id) -> bool {
        let of = lock(&self.state).of_tasks.remove(own);
        of.is_some_and(|of| of.acknowledged)
    }
}

impl OfTasks {
    fn knows(&self, params: &str) -> bool {
        let task = member(params, "taskId").and_then(|raw| json::string(raw).ok());
        task.is_some_and(|task| self.tasks.contains(&*task))
    }
}

/// Asks the service to tell of these tasks as long as the client listens; those that it will tell of. It is asked again when its
/// stream ends before the client's.
pub(super) async fn follow<P: Listening>(
    peer: &Arc<P>,
    to: &Id,
    tasks: &BTreeSet<String>,
    meta: String,
    over: &CancellationToken,
) -> BTreeSet<String> {
    // Tasks of the older era are other ones, and it has no such streams.
    let era = tokio::time::timeout(ACCEPT, peer.read.era()).await;
    if !matches!(era, Ok(Ok(Era::Modern))) {
        return BTreeSet::new();
    }
    let tasks: BTreeSet<String> = tasks.iter().take(NAMED).cloned().collect();
    let (send, granted) = oneshot::channel();
    // What is not granted in time, or not at all, is not told of either.
    let over = over.child_token();
    let guard = over.clone().drop_guard();
    let (this, to) = (Arc::clone(peer), to.clone());
    peer.tasks.spawn(async move {
        let names = Value::from(tasks.iter().cloned().collect::<Vec<_>>());
        let params = format!(r#"{{"notifications":{{"taskIds":{names}}},"_meta":{meta}}}"#);
        let (mut waiting, mut pause) = (Some(send), PAUSE.0);
        loop {
            let own = this.own_id();
            let of = OfTasks {
                to: to.clone(),
                tasks: tasks.clone(),
                acknowledged: false,
                waiting: waiting.take(),
                early: Vec::new(),
            };
            if !this.listens().begin(&own, of) {
                return;
            }
            let text = envelope::request(&own, "subscriptions/listen", Some(&params));
            let ended = over
                .run_until_cancelled(this.read.listen_modern(text, &own))
                .await;
            let was_open = this.listens().ended(&own);
            if was_open {
                pause = PAUSE.0;
            }
            // Not offered, or never granted: it would be the same again.
            if ended.is_none() || (!was_open && !matches!(ended, Some(Err(_)))) {
                return;
            }
            if over
                .run_until_cancelled(tokio::time::sleep(pause))
                .await
                .is_none()
            {
                return;
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    });
    let granted = granted.await.unwrap_or_default();
    if !granted.is_empty() {
        guard.disarm();
    }
    granted
}

/// The answer to a client that names tasks without knowing what one is (the extension of tasks, status notifications).
pub(super) fn undeclared(id: &Id) -> String {
    let data = json!({
        "requiredCapabilities": { "extensions": { TASKS: {} } },
        "countersign": { "sent": "no" },
    });
    let why = "NOT SENT. To be told of tasks, a request must declare the extension of tasks";
    envelope::error(Some(id), MISSING_CAPABILITY, why, Some(&data.to_string()))
}
