//! Batches of 2025-03-26: each member goes its own way, through the same gate; the answers leave as one array.

use super::link::{Link, Peer, refusal};
use super::output::Output;
use super::session::Refused;
use super::{lock, words};
use crate::wire::envelope::{self, Id, Kind, Malformed, Message};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// A batch of 2025-03-26: answered as one array when its last request is.
#[derive(Debug)]
pub(super) struct Batch(Mutex<(usize, Vec<String>)>);

impl Batch {
    /// Adds the answer of one member, or that there will be none; writes the array after the last.
    pub(super) fn add(&self, out: &Output, line: Option<String>) {
        let mut state = lock(&self.0);
        state.0 = state.0.saturating_sub(1);
        state.1.extend(line);
        if state.0 == 0 && !state.1.is_empty() {
            out.line(format!("[{}]", state.1.join(",")));
        }
    }
}

/// Takes a batch (2025-03-26, base protocol, batching).
pub(super) fn take<P: Peer>(peer: &Arc<P>, messages: Vec<Result<Message<'_>, Malformed>>) {
    let ids: Vec<Id> = messages.iter().filter_map(answered_under).cloned().collect();
    let distinct: HashSet<&Id> = ids.iter().collect();
    let reason = if lock(&peer.client).version != "2025-03-26" {
        Some("batches exist in protocol 2025-03-26 only")
    } else if distinct.len() != ids.len() {
        Some("one id stands twice in the batch")
    } else {
        None
    };
    if let Some(reason) = reason {
        return refuse(peer, &distinct, reason);
    }
    let batch = Arc::new(Batch(Mutex::new((ids.len(), Vec::new()))));
    for message in messages {
        match message {
            Ok(message) => member(peer, &message, &batch),
            Err(malformed) => match malformed.id.as_ref().filter(|_| !malformed.response) {
                Some(id) => batch.add(&peer.out, Some(broken(id, &malformed))),
                None => peer.malformed(&malformed),
            },
        }
    }
}

fn member<P: Peer>(peer: &Arc<P>, message: &Message<'_>, batch: &Arc<Batch>) {
    if let Some(id) = request_id(message) {
        // An id that is still open outside this batch keeps its own way; this member is refused.
        if lock(&peer.in_flight).is_open(id) {
            return batch.add(&peer.out, Some(refusal(id, Refused::DuplicateId)));
        }
        lock(&peer.batches).insert(id.clone(), Arc::clone(batch));
    }
    peer.message(message, true);
}

fn refuse(link: &Link, ids: &HashSet<&Id>, reason: &str) {
    let refuse = |id: Option<Id>| {
        let code = words::invalid_request();
        link.malformed(&Malformed {
            code,
            reason: reason.to_owned(),
            id,
            response: false,
        });
    };
    if ids.is_empty() {
        refuse(None);
    }
    for id in ids {
        refuse(Some((*id).clone()));
    }
}

/// The id under which a member of a batch is answered, if it is.
fn answered_under<'a>(member: &'a Result<Message<'_>, Malformed>) -> Option<&'a Id> {
    match member {
        Ok(message) => request_id(message),
        Err(malformed) => malformed.id.as_ref().filter(|_| !malformed.response),
    }
}

/// The answer to a member of a batch that is no message.
fn broken(id: &Id, what: &Malformed) -> String {
    let data = words::data(words::WasSent::No, None);
    envelope::error(Some(id), what.code, &what.reason, Some(&data))
}

fn request_id<'a>(message: &'a Message<'_>) -> Option<&'a Id> {
    match &message.kind {
        Kind::Request(id) => Some(id),
        Kind::Notification | Kind::Response(_) => None,
    }
}
