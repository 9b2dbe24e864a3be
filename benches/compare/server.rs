//! The one server that everybody is measured against: a process of its own, so that its work is nobody else's.
//!
//! Owns: the answers (an echo, and a result of any size), over HTTP/1.1, TLS 1.3 and HTTP/2, as JSON or as one event.
//! Refuses to know: who asks, and what is measured.

use super::Outcome;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How the server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Plain HTTP/1.1.
    Http1,
    /// HTTP/1.1 over TLS 1.3.
    Tls,
    /// HTTP/2 over TLS 1.3.
    H2,
}

impl Transport {
    pub(crate) const ALL: [Self; 3] = [Self::Http1, Self::Tls, Self::H2];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Tls => "tls",
            Self::H2 => "h2",
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Tls => "HTTP/1.1, TLS 1.3",
            Self::H2 => "HTTP/2, TLS 1.3",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// A running server: its address, and the file with the certificate that vouches for it.
pub(crate) struct Server {
    pub(crate) url: String,
    child: std::process::Child,
}

impl Server {
    /// Starts this program once more, as the server.
    pub(crate) fn start(transport: Transport, events: bool, folder: &Path) -> Outcome<Self> {
        use std::io::BufRead as _;
        let mut child = std::process::Command::new(std::env::current_exe()?)
            .args(["--serve", transport.name(), if events { "sse" } else { "json" }])
            .arg(folder)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no pipe")?;
        std::io::BufReader::new(out).read_line(&mut line)?;
        Ok(Self {
            url: line.trim().to_owned(),
            child,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The file in which the server leaves the certificate that vouches for it.
pub(crate) fn authority(folder: &Path) -> std::path::PathBuf {
    folder.join("authority.pem")
}

/// What is answered, whatever the transport.
struct Answers {
    events: bool,
    /// The longest text that was asked for; shorter ones are parts of it, so that nothing is made while it is measured.
    filler: Bytes,
}

/// Serves until it is killed. Prints the address.
pub(crate) async fn serve(transport: Transport, events: bool, folder: &Path) -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let tls = match transport {
        Transport::Http1 => None,
        Transport::Tls => Some(acceptor(folder, b"http/1.1")?),
        Transport::H2 => Some(acceptor(folder, b"h2")?),
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    writeln!(std::io::stdout(), "{scheme}://localhost:{port}/mcp")?;
    let answers = Arc::new(Answers {
        events,
        filler: Bytes::from(vec![b'x'; super::HUGE]),
    });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (answers, tls) = (Arc::clone(&answers), tls.clone());
        tokio::spawn(async move {
            // Whoever hangs up in the middle is nobody's trouble here.
            let _ = connection(stream, tls, transport, answers).await;
        });
    }
}

fn acceptor(folder: &Path, protocol: &[u8]) -> Outcome<TlsAcceptor> {
    let mut authority = rcgen::CertificateParams::new(Vec::<String>::new())?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate()?;
    std::fs::write(
        self::authority(folder),
        authority.self_signed(&authority_key)?.pem(),
    )?;
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate()?;
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()])?;
    let certificate = params.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    transport: Transport,
    answers: Arc<Answers>,
) -> Outcome<()> {
    match tls {
        None => exchange(stream, transport, answers).await,
        Some(tls) => exchange(tls.accept(stream).await?, transport, answers).await,
    }
}

async fn exchange<S>(stream: S, transport: Transport, answers: Arc<Answers>) -> Outcome<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(move |request| {
        let answers = Arc::clone(&answers);
        async move { Ok::<_, Infallible>(answers.answer(request).await) }
    });
    let stream = TokioIo::new(stream);
    match transport {
        Transport::H2 => {
            let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // As much at a time as a loopback carries: the windows are not what is measured.
            server
                .initial_stream_window_size(1 << 20)
                .max_concurrent_streams(1024);
            server.serve_connection(stream, service).await?;
        }
        Transport::Http1 | Transport::Tls => {
            let server = hyper::server::conn::http1::Builder::new();
            server.serve_connection(stream, service).await?;
        }
    }
    Ok(())
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

fn parts(parts: Vec<Bytes>) -> Body {
    let frames = futures_util::stream::iter(parts.into_iter().map(|part| Ok(Frame::data(part))));
    StreamBody::new(frames).boxed_unsync()
}

impl Answers {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let plain = |status| {
            let mut response = Response::new(parts(Vec::new()));
            *response.status_mut() = status;
            response
        };
        if request.method() == Method::GET {
            // No stream of its own: it has nothing to say.
            return plain(StatusCode::METHOD_NOT_ALLOWED);
        }
        if request.method() == Method::DELETE {
            return plain(StatusCode::OK);
        }
        let Ok(body) = request.into_body().collect().await else {
            return plain(StatusCode::BAD_REQUEST);
        };
        let Ok(message) = serde_json::from_slice::<Value>(&body.to_bytes()) else {
            return plain(StatusCode::BAD_REQUEST);
        };
        let (Some(id), Some(method)) = (message.get("id"), message.get("method")) else {
            return plain(StatusCode::ACCEPTED);
        };
        let mut said = self.said(id, method.as_str().unwrap_or_default(), &message);
        if self.events {
            said.insert(0, Bytes::from_static(b"event: message\ndata: "));
            said.push(Bytes::from_static(b"\n\n"));
        }
        let length: usize = said.iter().map(Bytes::len).sum();
        let mut response = Response::new(parts(said));
        let kind = if self.events {
            "text/event-stream"
        } else {
            "application/json"
        };
        if let Ok(kind) = kind.parse() {
            response.headers_mut().insert("content-type", kind);
        }
        if !self.events {
            response.headers_mut().insert("content-length", length.into());
        }
        if method == "initialize"
            && let Ok(session) = "of-the-benchmark".parse()
        {
            response.headers_mut().insert("mcp-session-id", session);
        }
        response
    }

    fn said(&self, id: &Value, method: &str, message: &Value) -> Vec<Bytes> {
        let argument = |name: &str| message.pointer(&format!("/params/arguments/{name}"));
        let result = match method {
            "initialize" => json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
                "serverInfo": { "name": "bench-server", "version": "1" } }),
            "tools/list" => {
                let tool = |name| json!({ "name": name, "inputSchema": { "type": "object" } });
                json!({ "tools": [tool("echo"), tool("big")] })
            }
            "tools/call" => {
                if let Some(bytes) = argument("bytes").and_then(Value::as_u64) {
                    let bytes = usize::try_from(bytes).unwrap_or_default().min(self.filler.len());
                    return vec![
                        text(&format!(
                            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":""#
                        )),
                        self.filler.slice(..bytes),
                        Bytes::from_static(br#""}]}}"#),
                    ];
                }
                let said = argument("text").cloned().unwrap_or_default();
                json!({ "content": [{ "type": "text", "text": said }] })
            }
            _ => json!({}),
        };
        vec![text(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
        ))]
    }
}

fn text(text: &str) -> Bytes {
    let mut bytes = BytesMut::with_capacity(text.len());
    bytes.extend_from_slice(text.as_bytes());
    bytes.freeze()
}
