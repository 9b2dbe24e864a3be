//! The socket side: accepting, faults that live below HTTP (cut, refuse, slow), and handing requests to the router.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use crate::faulty;
use crate::service::Service;

/// Why a connection ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cut on demand")]
pub(crate) struct Cut;

/// How slowly a connection writes: so many milliseconds before each of the next bytes, then full speed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace(Arc<Slow>);

#[derive(Debug, Default)]
struct Slow {
    ms_per_byte: AtomicU64,
    bytes_left: AtomicU64,
}

impl Pace {
    /// Spreads the next `bytes` bytes over `time`.
    pub(crate) fn spread(&self, bytes: u64, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.0
            .ms_per_byte
            .store((ms / bytes.max(1)).max(1), Ordering::Relaxed);
        self.0.bytes_left.store(bytes, Ordering::Relaxed);
    }

    fn pause(&self) -> Option<Duration> {
        let slow = self.0.bytes_left.load(Ordering::Relaxed) > 0;
        slow.then(|| Duration::from_millis(self.0.ms_per_byte.load(Ordering::Relaxed)))
    }

    /// One byte is out. A connection has one writer, so the two steps need no lock.
    fn written(&self) {
        let left = self.0.bytes_left.load(Ordering::Relaxed);
        self.0.bytes_left.store(left.saturating_sub(1), Ordering::Relaxed);
    }
}

/// A stream that obeys a [`Pace`].
#[derive(Debug)]
struct Paced {
    stream: TcpStream,
    pace: Pace,
    wait: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(pause) = self.pace.pause() else {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        };
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        let one = bytes.get(..1).unwrap_or(bytes);
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, one));
        self.pace.written();
        self.wait = Some(Box::pin(tokio::time::sleep(pause)));
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Serves the public side until `stop`.
pub(crate) async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    router: Router,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file handles, mostly: wait for some to come back instead of spinning.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if refused(&service) {
            drop(stream);
            continue;
        }
        let (service, router, stop) = (Arc::clone(&service), router.clone(), stop.clone());
        tokio::spawn(connection(stream, service, router, stop));
    }
}

fn refused(service: &Service) -> bool {
    let mut state = service.state();
    state.record.connections += 1;
    let refuse = state.faults.refuse > 0;
    state.faults.refuse = state.faults.refuse.saturating_sub(1);
    refuse
}

async fn connection(stream: TcpStream, service: Arc<Service>, router: Router, stop: CancellationToken) {
    // Only a hint to the kernel; without it answers are merely later.
    let _ = stream.set_nodelay(true);
    let pace = Pace::default();
    let io = TokioIo::new(Paced {
        stream,
        pace: pace.clone(),
        wait: None,
    });
    let handler = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (service, router, pace) = (Arc::clone(&service), router.clone(), pace.clone());
        async move { answer(service, router, pace, request.map(Body::new)).await }
    });
    let served = hyper::server::conn::http1::Builder::new().serve_connection(io, handler);
    // An error here is the peer that went away, or a cut that was ordered.
    tokio::select! {
        () = stop.cancelled() => {}
        _ = served => {}
    }
}

/// The handler goes on when the peer hangs up: a request that has arrived is run to its end.
async fn answer(
    service: Arc<Service>,
    router: Router,
    pace: Pace,
    request: Request<Body>,
) -> Result<Response<Body>, Cut> {
    tokio::spawn(faulty::handle(service, router, pace, request))
        .await
        .unwrap_or(Err(Cut))
}
