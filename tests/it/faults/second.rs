//! HTTP/2: the same scripts on its streams, and the ways to end a stream or a connection that it alone has.

use super::script::{Answer, Play, Request};
use super::server::Shared;
use bytes::Bytes;
use h2::server::SendResponse;
use hyper::http;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;

/// What a stream wants of its connection.
enum Wish {
    Abrupt(h2::Reason),
    Gentle,
    Freeze,
}

/// Serves one connection to its end.
pub(super) async fn serve(shared: Arc<Shared>, stream: TlsStream<TcpStream>, connection: usize) {
    let Ok(mut speaking) = h2::server::handshake(stream).await else {
        return;
    };
    let (wish, mut wishes) = mpsc::unbounded_channel();
    let mut nth = 0;
    loop {
        tokio::select! {
            accepted = speaking.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                let (shared, wish) = (Arc::clone(&shared), wish.clone());
                tokio::spawn(async move { one(shared, request, respond, connection, nth, wish).await });
                nth += 1;
            }
            Some(wish) = wishes.recv() => match wish {
                Wish::Abrupt(reason) => speaking.abrupt_shutdown(reason),
                Wish::Gentle => speaking.graceful_shutdown(),
                Wish::Freeze => return std::future::pending().await,
            }
        }
    }
}

async fn one(
    shared: Arc<Shared>,
    request: http::Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    connection: usize,
    nth: usize,
    wish: mpsc::UnboundedSender<Wish>,
) {
    let (head, mut coming) = request.into_parts();
    let mut body = Vec::new();
    while let Some(Ok(part)) = coming.data().await {
        let _ = coming.flow_control().release_capacity(part.len());
        body.extend_from_slice(&part);
    }
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let request = Request {
        method: head.method.to_string(),
        path: head
            .uri
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body,
        connection,
        nth,
    };
    let mut play = shared.play(&request);
    loop {
        match play {
            Play::Answer(answer) => answer_on(&mut respond, answer),
            Play::ResetStream(reason) => respond.send_reset(reason),
            Play::GoAway(reason) => {
                let _ = wish.send(Wish::Abrupt(reason));
            }
            Play::Freeze => {
                let _ = wish.send(Wish::Freeze);
                // Held: its end would be told to the other side.
                return std::future::pending().await;
            }
            Play::GoAwayGently(answer) => {
                let _ = wish.send(Wish::Gentle);
                answer_on(&mut respond, answer);
            }
            // A standing stream is not offered here.
            Play::Forward if request.method == "GET" && request.path.ends_with("/mcp") => {
                answer_on(&mut respond, Answer::new(405, "", ""));
            }
            Play::Forward => {
                play = Play::ran(Play::Answer);
                continue;
            }
            Play::Ran(then) => {
                let upstream = shared.upstream.as_ref().expect("a service behind");
                play = then(upstream.run(&request).await.expect("an answer"));
                continue;
            }
            Play::Steps(_) => panic!("no raw bytes in HTTP/2"),
        }
        return;
    }
}

fn answer_on(respond: &mut SendResponse<Bytes>, answer: Answer) {
    let mut head = http::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        head = head.header(name, value);
    }
    let Ok(mut body) = respond.send_response(head.body(()).expect("a head"), answer.body.is_empty()) else {
        return;
    };
    if !answer.body.is_empty() {
        body.reserve_capacity(answer.body.len());
        let _ = body.send_data(answer.body.into(), true);
    }
}
