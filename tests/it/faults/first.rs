//! HTTP/1.1: requests read from the bytes of a connection, and the steps of a script done on it.

use super::script::{Play, Request, Step};
use super::server::Shared;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a connection over which bytes go can do beside that.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for tokio_rustls::server::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// HTTP/1.1: one request after the other.
pub(super) async fn serve(shared: Arc<Shared>, mut wire: impl Wire, connection: usize) {
    let mut left = Vec::new();
    let mut nth = 0;
    while let Some(mut request) = read(&mut wire, &mut left).await {
        (request.connection, request.nth) = (connection, nth);
        nth += 1;
        let mut play = shared.play(&request);
        loop {
            match play {
                Play::Answer(answer) => {
                    if wire.write_all(&answer.bytes()).await.is_err() {
                        return;
                    }
                }
                Play::Steps(steps) => {
                    if !steps_on(&mut wire, steps).await {
                        return;
                    }
                }
                Play::Forward => {
                    let upstream = shared.upstream.as_ref().expect("a service behind");
                    if upstream.pass(&request, &mut wire).await.is_err() {
                        return;
                    }
                }
                Play::Ran(then) => {
                    let upstream = shared.upstream.as_ref().expect("a service behind");
                    play = then(upstream.run(&request).await.expect("an answer"));
                    continue;
                }
                Play::ResetStream(_) | Play::GoAway(_) | Play::GoAwayGently(_) | Play::Freeze => {
                    panic!("not in HTTP/1.1")
                }
            }
            break;
        }
    }
}

/// Whether the connection goes on.
async fn steps_on(wire: &mut impl Wire, steps: Vec<Step>) -> bool {
    for step in steps {
        let done = match step {
            Step::Send(bytes) => wire.write_all(&bytes).await,
            Step::Wait(time) => {
                let _ = wire.flush().await;
                tokio::time::sleep(time).await;
                Ok(())
            }
            Step::Until(mut opens) => {
                let _ = wire.flush().await;
                let _ = opens.wait_for(|open| *open).await;
                Ok(())
            }
            Step::Drip(bytes, pause) => drip(wire, &bytes, pause).await,
            Step::Repeat(bytes, times) => repeat(wire, &bytes, times).await,
            Step::End => {
                let _ = wire.shutdown().await;
                // Read to the end, so that what comes late is no reset.
                let mut rest = Vec::new();
                let rest = wire.read_to_end(&mut rest);
                let _ = tokio::time::timeout(Duration::from_secs(120), rest).await;
                return false;
            }
            Step::Reset => {
                let _ = wire.flush().await;
                // What was written is on its way before the reset overtakes it.
                tokio::time::sleep(Duration::from_millis(30)).await;
                let _ = wire.tcp().set_zero_linger();
                return false;
            }
            Step::Silence => {
                let _ = wire.flush().await;
                let _ = wire.read_to_end(&mut Vec::new()).await;
                return false;
            }
        };
        if done.is_err() {
            return false;
        }
    }
    wire.flush().await.is_ok()
}

async fn drip(wire: &mut impl Wire, bytes: &[u8], pause: Duration) -> std::io::Result<()> {
    for byte in bytes {
        wire.write_all(&[*byte]).await?;
        wire.flush().await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

async fn repeat(wire: &mut impl Wire, bytes: &[u8], times: usize) -> std::io::Result<()> {
    for _ in 0..times {
        wire.write_all(bytes).await?;
    }
    Ok(())
}

/// Reads one request; `None` at the end of the connection.
async fn read(wire: &mut impl Wire, left: &mut Vec<u8>) -> Option<Request> {
    let head_end = loop {
        if let Some(at) = left.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if wire.read_buf(left).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&left[..head_end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let mut request = Request {
        method: first.next()?.to_owned(),
        path: first.next()?.to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        ..Request::default()
    };
    let length = request
        .header("content-length")
        .and_then(|text| text.parse::<usize>().ok());
    let end = head_end + length.unwrap_or(0);
    while left.len() < end {
        if wire.read_buf(left).await.ok()? == 0 {
            return None;
        }
    }
    request.body = left[head_end..end].to_vec();
    left.drain(..end);
    Some(request)
}
