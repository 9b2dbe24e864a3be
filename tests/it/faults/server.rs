//! A server that hurts: bytes on sockets, under TLS or HTTP/2 where that is asked for, by a script for each case. It counts
//! how often each request arrived.
//!
//! Refuses to know: what a request means, and what the program should make of the answer.

use super::forward::Upstream;
pub(crate) use super::script::{Answer, Begin, Play, Request, Step};
use super::{first, second};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

type Rule = Arc<dyn Fn(&Request, usize) -> Option<Play> + Send + Sync>;
type Usual = Arc<dyn Fn(&Request) -> Play + Send + Sync>;

#[derive(Default)]
struct State {
    /// What is done with the next connections, one each.
    begins: VecDeque<Begin>,
    rule: Option<Rule>,
    requests: Vec<Request>,
    connections: usize,
    hits: usize,
    running: Vec<AbortHandle>,
}

pub(super) struct Shared {
    state: Mutex<State>,
    begin: Begin,
    usual: Usual,
    pub(super) upstream: Option<Upstream>,
}

/// A running server; it ends with this value.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<AbortHandle>,
}

impl Server {
    /// Starts it on 127.0.0.1. `usual` answers what no rule hurts.
    pub(crate) async fn start(
        begin: Begin,
        usual: impl Fn(&Request) -> Play + Send + Sync + 'static,
    ) -> Self {
        Self::on("127.0.0.1:0", begin, None, usual).await
    }

    pub(crate) async fn on(
        address: &str,
        begin: Begin,
        upstream: Option<Upstream>,
        usual: impl Fn(&Request) -> Play + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            begin,
            usual: Arc::new(usual),
            upstream: upstream.map(|upstream| upstream.known_as(address)),
        });
        let mut server = Self {
            address,
            shared,
            listening: None,
        };
        server.listen(listener);
        server
    }

    fn listen(&mut self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                let _ = stream.set_nodelay(true);
                let (begin, number) = {
                    let mut state = shared.state();
                    let number = state.connections;
                    state.connections += 1;
                    (state.begins.pop_front().unwrap_or(shared.begin.clone()), number)
                };
                let for_task = Arc::clone(&shared);
                let task = tokio::spawn(async move { begun(for_task, stream, begin, number).await });
                shared.state().running.push(task.abort_handle());
            }
        });
        self.listening = Some(task.abort_handle());
    }

    /// Nobody listens any more, and every connection is cut.
    pub(crate) async fn stop(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
        }
        self.cut();
        // The listener is dropped when its task is.
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Listens again at the same address.
    pub(crate) async fn again(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the port again");
        self.listen(listener);
    }

    /// Cuts every connection there is.
    pub(crate) fn cut(&self) {
        for task in self.shared.state().running.drain(..) {
            task.abort();
        }
    }

    /// What the next connections meet, one each.
    pub(crate) fn next_connections(&self, begins: impl IntoIterator<Item = Begin>) {
        self.shared.state().begins.extend(begins);
    }

    /// From now on this decides first; it gets the request and how many it has hurt so far.
    pub(crate) fn rule(&self, rule: impl Fn(&Request, usize) -> Option<Play> + Send + Sync + 'static) {
        let mut state = self.shared.state();
        state.rule = Some(Arc::new(rule));
        state.hits = 0;
    }

    /// Nothing is hurt any more.
    pub(crate) fn heal(&self) {
        let mut state = self.shared.state();
        state.rule = None;
        state.begins.clear();
    }

    /// How many requests of this kind came.
    pub(crate) fn count(&self, fits: impl Fn(&Request) -> bool) -> usize {
        self.shared
            .state()
            .requests
            .iter()
            .filter(|request| fits(request))
            .count()
    }

    /// How many connections were opened.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
        self.cut();
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request, and says what is done with it.
    pub(super) fn play(&self, request: &Request) -> Play {
        let mut state = self.state();
        state.requests.push(request.clone());
        let rule = state.rule.clone();
        let hurt = rule.and_then(|rule| rule(request, state.hits));
        state.hits += usize::from(hurt.is_some());
        drop(state);
        hurt.unwrap_or_else(|| (self.usual)(request))
    }
}

async fn begun(shared: Arc<Shared>, mut stream: TcpStream, begin: Begin, number: usize) {
    match begin {
        Begin::Plain => first::serve(shared, stream, number).await,
        Begin::Slam => {
            let _ = stream.set_zero_linger();
        }
        Begin::Silence => {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        Begin::Bytes(bytes) => {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        Begin::Tls(config) => {
            let Ok(stream) = TlsAcceptor::from(config).accept(stream).await else {
                return;
            };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                second::serve(shared, stream, number).await;
            } else {
                first::serve(shared, stream, number).await;
            }
        }
    }
}
