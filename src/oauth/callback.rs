//! The loopback address to which the browser comes back (RFC 8252 section 7.3).
//!
//! Owns: the sockets, the check of each request, the answer page. Refuses to know: what the answer means.
//! `127.0.0.1`, and `[::1]` on the same port where possible; exact path, exact Host, GET only; a wrong `state` gets a 400
//! and the attempt goes on waiting; closed with the attempt.

use super::attempt::{Attempt, Verdict};
use super::error::LoginError;
use super::page::{Page, content_policy};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use secrecy::SecretString;
use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

/// How many connections are served at a time: a browser opens two or three.
const MAX_CONNECTIONS: usize = 16;
/// How long one connection may live: the exchange of the code, and a little.
const CONNECTION_LIMIT: Duration = Duration::from_secs(45);
/// How long the browser has to fetch the last page.
const LAST_PAGE_LIMIT: Duration = Duration::from_secs(2);
/// The largest head of a request: 64 KiB, above the longest code that is taken.
const MAX_HEAD: usize = 64 * 1024;

/// The one answer to the attempt, and the way to tell the browser how it ended.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) code: Result<SecretString, LoginError>,
    pub(super) page: oneshot::Sender<Page>,
}

/// The sockets on which the browser is awaited.
#[derive(Debug)]
pub(super) struct Doorway {
    listeners: Vec<TcpListener>,
    port: u16,
    connections: JoinSet<()>,
}

impl Doorway {
    /// Binds the first free one of these ports; `None` when all are taken.
    pub(super) async fn bind(ports: &[u16]) -> Option<Self> {
        for port in ports {
            let Ok(first) = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).await else {
                continue;
            };
            let Ok(address) = first.local_addr() else { continue };
            let mut listeners = vec![first];
            listeners.extend(
                TcpListener::bind((Ipv6Addr::LOCALHOST, address.port()))
                    .await
                    .ok(),
            );
            return Some(Self {
                listeners,
                port: address.port(),
                connections: JoinSet::new(),
            });
        }
        None
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Serves the browser until the answer to this attempt is there.
    pub(super) async fn first(&mut self, attempt: &Arc<Attempt>) -> Arrival {
        let (tell, mut told) = mpsc::channel(1);
        let guard = Arc::new(Guard {
            attempt: attempt.clone(),
            port: self.port,
            tell: Mutex::new(tell),
        });
        loop {
            tokio::select! {
                Some(arrival) = told.recv() => return arrival,
                Some(stream) = accept(&self.listeners) => {
                    while self.connections.try_join_next().is_some() {}
                    if self.connections.len() < MAX_CONNECTIONS {
                        self.connections.spawn(serve(stream, guard.clone()));
                    }
                }
            }
        }
    }

    /// Lets the browser fetch the last page.
    pub(super) async fn close(mut self) {
        self.listeners.clear();
        let _ = tokio::time::timeout(LAST_PAGE_LIMIT, async {
            while self.connections.join_next().await.is_some() {}
        })
        .await;
    }
}

async fn accept(listeners: &[TcpListener]) -> Option<TcpStream> {
    let both = listeners.iter().map(|listener| Box::pin(listener.accept()));
    let (accepted, ..) = futures_util::future::select_all(both).await;
    if let Ok((stream, peer)) = accepted {
        return peer.ip().is_loopback().then_some(stream);
    }
    // Out of descriptors, most likely: not a reason to spin.
    tokio::time::sleep(Duration::from_millis(50)).await;
    None
}

/// What a request is judged by.
struct Guard {
    attempt: Arc<Attempt>,
    port: u16,
    tell: Mutex<mpsc::Sender<Arrival>>,
}

async fn serve(stream: TcpStream, guard: Arc<Guard>) {
    let service = service_fn(move |request| {
        let guard = guard.clone();
        async move { Ok::<_, Infallible>(respond(&guard.answer(&request).await)) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(CONNECTION_LIMIT, connection).await;
}

impl Guard {
    async fn answer(&self, request: &Request<Incoming>) -> Page {
        if !self.is_for_us(request) {
            return Page::refused(403, "This address is for signing in to Countersign only");
        }
        if request.method() != Method::GET {
            return Page::refused(
                405,
                "Only a browser that comes back from signing in is answered here",
            );
        }
        let path = url::Url::parse(&self.attempt.redirect).map(|url| url.path().to_owned());
        if path.as_deref() != Ok(request.uri().path()) {
            return Page::refused(404, "There is nothing at this address");
        }
        match self.attempt.judge(request.uri().query().unwrap_or_default()) {
            Verdict::NotOurs(reason) => {
                tracing::warn!(reason, "a request to the sign-in page was refused");
                Page::refused(
                    400,
                    "This is not the answer to the sign-in that Countersign waits for",
                )
            }
            Verdict::Final(code) => self.hand_over(code).await,
        }
    }

    /// Against DNS rebinding: the browser must have been sent to this very machine by name or number.
    fn is_for_us(&self, request: &Request<Incoming>) -> bool {
        let mut hosts = request.headers().get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let port = self.port;
        [
            format!("127.0.0.1:{port}"),
            format!("[::1]:{port}"),
            format!("localhost:{port}"),
        ]
        .iter()
        .any(|ours| host.as_bytes().eq_ignore_ascii_case(ours.as_bytes()))
    }

    async fn hand_over(&self, code: Result<SecretString, LoginError>) -> Page {
        let (page, shown) = oneshot::channel();
        let sent = self.tell.lock().await.send(Arrival { code, page }).await;
        if sent.is_err() {
            return Page::over("Countersign is no longer waiting for this sign-in");
        }
        let gone = |_| Page::over("Countersign stopped before the sign-in was finished");
        shown.await.unwrap_or_else(gone)
    }
}

fn respond(page: &Page) -> Response<Full<Bytes>> {
    let response = Response::builder()
        .status(page.status)
        .header(CONTENT_TYPE, "text/html; charset=utf-8")
        .header(CACHE_CONTROL, "no-store")
        .header(REFERRER_POLICY, "no-referrer")
        .header(CONTENT_SECURITY_POLICY, content_policy())
        .header("x-content-type-options", "nosniff")
        .body(Full::new(Bytes::from(page.html())));
    response.unwrap_or_default()
}
