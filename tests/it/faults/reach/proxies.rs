//! Proxies of the environment.

use super::*;

/// A proxy of the environment: the request goes through it as bytes of TLS, which it cannot read, and it sees no token.
#[tokio::test]
async fn proxies() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = authority.file(folder.path()).display().to_string();
    let server = Server::on(
        "127.0.0.1:0",
        Begin::Tls(authority.server("mcp.example", &["http/1.1"])),
        None,
        usual,
    )
    .await;
    let proxy = Proxy::start(server.address).await;
    let by_proxy = |home: Home| {
        home.with("SSL_CERT_FILE", &file)
            .with("HTTPS_PROXY", &proxy.url())
    };
    let words = [
        "serve",
        "--profile",
        "plain",
        "--url",
        "https://mcp.example/mcp",
        "--header",
        "Authorization: Bearer marker-token",
    ];
    let mut bench = Bench::started("reach-proxy", server, &words, by_proxy).await;
    let (saw, took) = bench.ask("tools/call").await;
    assert_eq!(saw, FINE);
    assert!(
        !proxy.heard().is_empty()
            && proxy
                .heard()
                .iter()
                .all(|head| head.starts_with("CONNECT mcp.example:443 ")),
        "{:?}",
        proxy.heard()
    );
    assert!(
        !proxy.heard().concat().contains("marker"),
        "the proxy sees no token: {:?}",
        proxy.heard()
    );
    bench.table.add(Row {
        fault: "HTTPS_PROXY is set".to_owned(),
        saw: format!("{saw}, through the proxy (CONNECT)"),
        took,
        seen: "1".to_owned(),
        next: saw,
    });
    for (fault, answer) in [
        (
            "the proxy refuses (403)",
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "the proxy wants a password (407)",
            "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "the proxy cannot reach the server (502)",
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
        ),
    ] {
        bench.server.cut();
        proxy.answer(Some(answer));
        unsent(
            &mut bench,
            fault,
            "the proxy did not open the way",
            30,
            async |_| proxy.answer(None),
        )
        .await;
        next_is_fine(&bench, fault);
    }
    bench.done().await;
}

/// No proxy stands between the program and this computer, and none where `NO_PROXY` names the host.
#[tokio::test]
async fn no_proxies() {
    let server = Server::start(Begin::Plain, usual).await;
    let (url, proxy) = (server.url(), Proxy::start(server.address).await);
    let all = |home: Home| {
        [
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "http_proxy",
            "https_proxy",
            "all_proxy",
        ]
        .iter()
        .fold(home, |home, name| home.with(name, &proxy.url()))
    };
    let mut bench = Bench::at("reach-no-proxy", server, &url, all).await;
    let (saw, took) = bench.ask("tools/call").await;
    assert_eq!(saw, FINE);
    assert_eq!(
        proxy.heard(),
        [""; 0],
        "nothing for this computer goes through a proxy"
    );
    bench.table.add(Row {
        fault: "every proxy variable is set, the server is on this computer".to_owned(),
        saw: format!("{saw}, past the proxy"),
        took,
        seen: "1".to_owned(),
        next: saw,
    });
    let server = Server::start(Begin::Plain, usual).await;
    let table = std::mem::replace(&mut bench.table, Table::new("reach-no-proxy"));
    let named = |home: Home| all(home).with("NO_PROXY", "other.example,nobody.invalid");
    let mut bench = Bench::at("reach-no-proxy", server, "https://nobody.invalid/mcp", named).await;
    bench.table = table;
    unsent(
        &mut bench,
        "NO_PROXY names the server (which does not exist)",
        "cannot be reached",
        30,
        async |_| (),
    )
    .await;
    assert_eq!(proxy.heard(), [""; 0]);
    bench.done().await;
}

/// A proxy that is not there: the request does not go past it by itself.
#[tokio::test]
async fn a_proxy_that_is_not_there() {
    let server = Server::start(Begin::Plain, usual).await;
    let dead = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port")
        .local_addr()
        .expect("an address");
    for (fault, address) in [
        ("the proxy is not there", format!("http://{dead}")),
        (
            "a proxy of a kind that is not spoken (SOCKS)",
            format!("socks5://{dead}"),
        ),
    ] {
        let name = server.address.port();
        let url = format!("https://localhost.localdomain:{name}/mcp");
        let other = Server::start(Begin::Plain, usual).await;
        let mut bench = Bench::at(
            if fault.contains("SOCKS") {
                "reach-proxy-socks"
            } else {
                "reach-proxy-dead"
            },
            other,
            &url,
            |home| home.with("HTTPS_PROXY", &address),
        )
        .await;
        unsent(&mut bench, fault, "cannot be reached", 30, async |_| ()).await;
        assert_eq!(server.connections(), 0, "{fault}: nothing goes past it");
        bench.done().await;
    }
}
