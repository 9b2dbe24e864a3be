//! Legacy sessions and their streams. A stream keeps its events, so that a client can resume it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// One event: its number in the stream and its JSON text; an empty text is the priming event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) number: u64,
    pub(crate) text: String,
}

/// One stream of events, live or kept for resumption.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    events: VecDeque<Event>,
    next: u64,
    pub(crate) done: bool,
    pub(crate) standalone: bool,
    pub(crate) wake: Arc<Notify>,
}

/// Events kept for each stream.
const MAX_EVENTS: usize = 1000;
/// Streams kept for each session.
const MAX_STREAMS: usize = 500;
/// Sessions kept.
const MAX_SESSIONS: usize = 2000;

impl Stream {
    fn push(&mut self, text: String) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event {
            number: self.next,
            text,
        });
        self.next += 1;
        self.wake.notify_waiters();
    }

    /// The events from `number` on.
    pub(crate) fn since(&self, number: u64) -> Vec<Event> {
        self.events
            .iter()
            .filter(|e| e.number >= number)
            .cloned()
            .collect()
    }
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) scope: String,
    pub(crate) version: &'static str,
    pub(crate) initialized: bool,
    pub(crate) log_level: Option<String>,
    pub(crate) capabilities: Value,
    pub(crate) subscriptions: HashSet<String>,
    pub(crate) streams: BTreeMap<u64, Stream>,
    next_stream: u64,
    /// Calls in flight by the text of their id.
    pub(crate) running: HashMap<String, CancellationToken>,
    /// Our own requests to the client that wait for an answer.
    pub(crate) waiting: HashMap<String, oneshot::Sender<Box<RawValue>>>,
    next_request: u64,
}

impl Session {
    /// Opens a stream. From 2025-11-25 on its first event is empty, so that the client can resume from the start.
    pub(crate) fn open_stream(&mut self, standalone: bool) -> u64 {
        while self.streams.len() >= MAX_STREAMS {
            let done = self.streams.iter().find(|(_, s)| s.done).map(|(n, _)| *n);
            let Some(oldest) = done.or_else(|| self.streams.keys().next().copied()) else {
                break;
            };
            self.streams.remove(&oldest);
        }
        let number = self.next_stream;
        self.next_stream += 1;
        let mut stream = Stream {
            standalone,
            ..Stream::default()
        };
        if self.version == super::LEGACY[0] {
            stream.push(String::new());
        }
        self.streams.insert(number, stream);
        number
    }

    pub(crate) fn push(&mut self, stream: u64, text: String) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.push(text);
        }
    }

    pub(crate) fn finish(&mut self, stream: u64) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.done = true;
            stream.wake.notify_waiters();
        }
    }

    /// Puts a message on the newest open GET stream; false where there is none.
    pub(crate) fn broadcast(&mut self, text: &str) -> bool {
        let open = self.streams.values_mut().rev().find(|s| s.standalone && !s.done);
        open.map(|s| s.push(text.to_owned())).is_some()
    }

    /// Ends every GET stream.
    pub(crate) fn close_standalone(&mut self) {
        for stream in self.streams.values_mut().filter(|s| s.standalone) {
            stream.done = true;
            stream.wake.notify_waiters();
        }
    }

    /// The id for a request of ours.
    pub(crate) fn request_id(&mut self) -> String {
        self.next_request += 1;
        format!("\"srv-{}\"", self.next_request)
    }

    fn end(&mut self) {
        for running in self.running.values() {
            running.cancel();
        }
        for stream in self.streams.values_mut() {
            stream.done = true;
            stream.wake.notify_waiters();
        }
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    map: HashMap<String, Session>,
    order: VecDeque<String>,
}

impl Sessions {
    pub(crate) fn open(
        &mut self,
        id: String,
        user: String,
        scope: String,
        version: &'static str,
        capabilities: Value,
    ) {
        while self.order.len() >= MAX_SESSIONS {
            if let Some(oldest) = self.order.pop_front() {
                self.remove(&oldest);
            }
        }
        self.order.push_back(id.clone());
        let session = Session {
            id: id.clone(),
            user,
            scope,
            version,
            initialized: false,
            log_level: None,
            capabilities,
            subscriptions: HashSet::new(),
            streams: BTreeMap::new(),
            next_stream: 1,
            running: HashMap::new(),
            waiting: HashMap::new(),
            next_request: 0,
        };
        self.map.insert(id, session);
    }

    pub(crate) fn get(&mut self, id: &str) -> Option<&mut Session> {
        self.map.get_mut(id)
    }

    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let removed = self.map.remove(id).map(|mut s| s.end()).is_some();
        self.order.retain(|o| o != id);
        removed
    }

    /// Forgets all of them, as after a restart of the service.
    pub(crate) fn forget(&mut self) -> usize {
        let count = self.map.len();
        self.map.values_mut().for_each(Session::end);
        self.map.clear();
        self.order.clear();
        count
    }

    pub(crate) fn count(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn all(&mut self) -> impl Iterator<Item = &mut Session> {
        self.map.values_mut()
    }

    /// Puts a message on one GET stream of each session; how many got it.
    pub(crate) fn broadcast(&mut self, text: &str) -> usize {
        self.map
            .values_mut()
            .filter_map(|s| s.broadcast(text).then_some(()))
            .count()
    }
}
