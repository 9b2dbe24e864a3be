//! TLS, and HTTP/2 over it.

use super::*;

#[tokio::test]
async fn certificates() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = authority.file(folder.path()).display().to_string();
    let good = Begin::Tls(authority.server("127.0.0.1", &["http/1.1"]));
    let server = Server::on("127.0.0.1:0", good.clone(), None, usual).await;
    let url = format!("https://{}/mcp", server.address);
    let mut bench = Bench::at("reach-tls", server, &url, |home| {
        home.with("SSL_CERT_FILE", &file)
    })
    .await;
    let (fine, took) = bench.ask("tools/call").await;
    assert_eq!(
        fine, FINE,
        "an authority of the person's own, named in SSL_CERT_FILE"
    );
    bench.table.add(Row {
        fault: "own authority, named in SSL_CERT_FILE".to_owned(),
        saw: fine.clone(),
        took,
        seen: "1".to_owned(),
        next: fine,
    });
    let plain = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec();
    for (fault, says, begin) in [
        (
            "certificate of another name",
            "another name",
            Begin::Tls(authority.server("elsewhere.example", &[])),
        ),
        (
            "certificate ran out",
            "has run out",
            Begin::Tls(authority.expired("127.0.0.1")),
        ),
        (
            "certificate signed by itself",
            "its certificate is",
            Begin::Tls(self_signed("127.0.0.1")),
        ),
        (
            "certificate of an authority that nobody knows",
            "signed by nobody",
            Begin::Tls(Authority::named("Somebody Else").server("127.0.0.1", &[])),
        ),
        (
            "no TLS where TLS is expected",
            "cannot be reached",
            Begin::Bytes(plain),
        ),
        (
            "connection cut in the TLS handshake",
            "cannot be reached",
            Begin::Slam,
        ),
    ] {
        bench.server.cut();
        bench.server.next_connections(vec![begin; 12]);
        unsent(&mut bench, fault, says, 30, async |server| server.heal()).await;
        next_is_fine(&bench, fault);
    }
    bench.done().await;
}

#[tokio::test]
async fn a_tls_handshake_that_never_ends() {
    let server = Server::start(Begin::Silence, usual).await;
    let url = format!("https://{}/mcp", server.address);
    let mut bench = Bench::at("reach-tls-silence", server, &url, |home| home).await;
    unsent(
        &mut bench,
        "TLS handshake that never ends",
        "cannot be reached",
        35,
        async |_| (),
    )
    .await;
    assert!(
        bench.table.last().next.contains("NOT SENT"),
        "the same again, and the program lives"
    );
    bench.done().await;
}

/// From https to http: neither the request nor the token goes over an open wire.
#[tokio::test]
async fn a_redirect_out_of_tls() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = authority.file(folder.path()).display().to_string();
    let begin = Begin::Tls(authority.server("127.0.0.1", &["http/1.1"]));
    let server = Server::on("127.0.0.1:0", begin, None, usual).await;
    let url = format!("https://{}/mcp", server.address);
    let open = Server::start(Begin::Plain, usual).await;
    let mut bench = Bench::at("plain-redirects-tls", server, &url, |home| {
        home.with("SSL_CERT_FILE", &file)
    })
    .await;
    for status in [302, 307, 308] {
        let answer = Answer::new(status, "", "").with("location", &open.url());
        let fault = format!("{status} from https to http");
        bench
            .case(&fault, &want("redirect", 1, 1), move |_, _| {
                Some(Play::Answer(answer.clone()))
            })
            .await;
    }
    assert_eq!(open.connections(), 0, "nobody went there");
    bench.done().await;
}

/// HTTP/2: streams and connections that are taken down by its own means.
#[tokio::test]
async fn http2() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = authority.file(folder.path()).display().to_string();
    let server = Server::on(
        "127.0.0.1:0",
        Begin::Tls(authority.server("127.0.0.1", &["h2"])),
        None,
        usual,
    )
    .await;
    let url = format!("https://{}/mcp", server.address);
    let mut bench = Bench::at("plain-http2", server, &url, |home| {
        home.with("SSL_CERT_FILE", &file)
    })
    .await;
    for reason in [
        h2::Reason::REFUSED_STREAM,
        h2::Reason::INTERNAL_ERROR,
        h2::Reason::CANCEL,
        h2::Reason::ENHANCE_YOUR_CALM,
    ] {
        let fault = format!("HTTP/2: RST_STREAM {reason:?}");
        bench
            .case(&fault, &want("broke", 2, 1), move |_, _| {
                Some(Play::ResetStream(reason))
            })
            .await;
    }
    for reason in [
        h2::Reason::NO_ERROR,
        h2::Reason::INTERNAL_ERROR,
        h2::Reason::ENHANCE_YOUR_CALM,
    ] {
        let fault = format!("HTTP/2: GOAWAY {reason:?} instead of an answer");
        bench
            .case(&fault, &want("broke", 2, 1), move |_, _| {
                Some(Play::GoAway(reason))
            })
            .await;
    }
    bench
        .case(
            "HTTP/2: GOAWAY, and the answer still comes",
            &want(FINE, 1, 1),
            |request, _| match usual(request) {
                Play::Answer(answer) => Some(Play::GoAwayGently(answer)),
                other => Some(other),
            },
        )
        .await;
    bench.done().await;
}
