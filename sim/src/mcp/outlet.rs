//! Where the messages of one request go: a resumable stream of a session, a plain stream, or nowhere but the answer.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::mpsc;

use super::session::Event;
use crate::http::Cut;
use crate::service::Service;

/// Comments keep idle streams open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The way out.
#[derive(Debug, Clone)]
pub(crate) enum Outlet {
    /// A stream of a session, which can be resumed.
    Kept {
        service: Arc<Service>,
        session: String,
        stream: u64,
    },
    /// A stream that is gone when its connection is.
    Plain(mpsc::Sender<String>),
    /// Only the answer is wanted; notifications on the way are dropped.
    Silent,
}

impl Outlet {
    /// Sends a message on the way.
    pub(crate) async fn send(&self, text: String) {
        match self {
            Self::Kept {
                service,
                session,
                stream,
            } => {
                if let Some(session) = service.state().sessions.get(session) {
                    session.push(*stream, text);
                }
            }
            // The peer may have gone; the call goes on without it.
            Self::Plain(sender) => drop(sender.send(text).await),
            Self::Silent => {}
        }
    }

    /// Ends the stream.
    pub(crate) fn finish(&self) {
        if let Self::Kept {
            service,
            session,
            stream,
        } = self
            && let Some(session) = service.state().sessions.get(session)
        {
            session.finish(*stream);
        }
    }
}

/// One event as text. A line break inside the message parts it over several data lines.
fn event(id: Option<String>, text: &str) -> String {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    if text.is_empty() {
        return format!("{id}data: \n\n");
    }
    let data = text
        .split('\n')
        .fold(String::new(), |all, line| all + "data: " + line + "\n");
    format!("event: message\n{id}{data}\n")
}

fn event_stream(body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-cache"),
    );
    response
}

/// The events of a kept stream from `next` on, and what follows, until it is done or its session is gone.
pub(crate) fn kept(service: Arc<Service>, session: String, number: u64, next: u64) -> Response {
    let start = (service, session, next);
    let parts = stream::unfold(Some(start), move |left| async move {
        let (service, session, next) = left?;
        loop {
            let wake = Arc::clone(&service.state().sessions.get(&session)?.streams.get(&number)?.wake);
            // Enabled before the look, so that nothing slips in between.
            let mut woken = pin!(wake.notified());
            woken.as_mut().enable();
            let (events, done) = {
                let mut state = service.state();
                let stream = state.sessions.get(&session)?.streams.get(&number)?;
                (stream.since(next), stream.done)
            };
            if let Some(last) = events.last() {
                let after = last.number + 1;
                let named = |e: &Event| event(Some(format!("{number}-{}", e.number)), &e.text);
                let text: String = events.iter().map(named).collect();
                return Some((Ok::<_, Cut>(Bytes::from(text)), Some((service, session, after))));
            }
            if done {
                return None;
            }
            if tokio::time::timeout(KEEP_ALIVE, woken).await.is_err() {
                return Some((
                    Ok(Bytes::from_static(b": keep-alive\n\n")),
                    Some((service, session, next)),
                ));
            }
        }
    });
    event_stream(Body::from_stream(parts))
}

/// A stream without ids that ends with its sender.
pub(crate) fn plain(receiver: mpsc::Receiver<String>) -> Response {
    let parts = stream::unfold(receiver, |mut receiver| async move {
        match tokio::time::timeout(KEEP_ALIVE, receiver.recv()).await {
            Ok(Some(text)) => Some((Ok::<_, Cut>(Bytes::from(event(None, &text))), receiver)),
            Ok(None) => None,
            Err(_) => Some((Ok(Bytes::from_static(b": keep-alive\n\n")), receiver)),
        }
    });
    event_stream(Body::from_stream(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_line_breaks_is_one_event() {
        assert_eq!(
            event(Some("1-0".into()), "{\n}"),
            "event: message\nid: 1-0\ndata: {\ndata: }\n\n"
        );
        assert_eq!(event(Some("1-0".into()), ""), "id: 1-0\ndata: \n\n");
    }
}
