//! A proxy for HTTPS: it opens a way to the one server that there is, whatever name it is asked for, and keeps what it heard.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

#[derive(Default)]
struct State {
    heard: Vec<String>,
    answer: Option<&'static str>,
}

pub(super) struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    running: AbortHandle,
}

impl Proxy {
    pub(super) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::default()));
        let for_task = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(one(stream, server, Arc::clone(&for_task)));
            }
        });
        Self {
            address,
            state,
            running: task.abort_handle(),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests so far.
    pub(super) fn heard(&self) -> Vec<String> {
        self.state.lock().expect("whole").heard.clone()
    }

    /// What it answers instead of opening a way.
    pub(super) fn answer(&self, answer: Option<&'static str>) {
        self.state.lock().expect("whole").answer = answer;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn one(mut stream: TcpStream, server: SocketAddr, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let answer = {
        let mut state = state.lock().expect("whole");
        state.heard.push(String::from_utf8_lossy(&head).into_owned());
        state.answer
    };
    if let Some(answer) = answer {
        return stream.write_all(answer.as_bytes()).await;
    }
    let mut there = TcpStream::connect(server).await?;
    stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await?;
    copy_bidirectional(&mut stream, &mut there).await.map(drop)
}
