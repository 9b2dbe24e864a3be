//! The way to the server: nobody there, no such name, a certificate that is not to be trusted, a proxy, dead IPv6. Nothing of
//! a request has left where the way is not open, and the client is told so.

use super::certs::{Authority, self_signed};
use super::plain::{Bench, FINE, is_asked, usual, want};
use super::proxy::Proxy;
use super::server::{Answer, Begin, Play, Server};
use super::table::{Row, Table};
use crate::support::program::Home;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

mod proxies;
mod tls;

/// One row: a read and a call that end in these words without having been sent, and then one after `mended`.
async fn unsent(
    bench: &mut Bench,
    fault: &str,
    says: &str,
    within: u64,
    mended: impl AsyncFnOnce(&mut Server),
) {
    let before = bench.server.count(is_asked);
    let (read, read_took) = bench.ask("resources/read").await;
    let (call, call_took) = bench.ask("tools/call").await;
    let seen = bench.server.count(is_asked) - before;
    assert_eq!(read, call, "{fault}");
    assert!(
        call.contains("NOT SENT") && call.contains("sent `no`") && call.contains(says),
        "{fault}: {call}"
    );
    assert_eq!(seen, 0, "{fault}");
    let took = read_took.max(call_took);
    assert!(took < Duration::from_secs(within), "{fault}: {took:?}");
    mended(&mut bench.server).await;
    let (next, _) = bench.ask("tools/call").await;
    bench.table.add(Row {
        fault: fault.to_owned(),
        saw: call,
        took,
        seen: "0".to_owned(),
        next,
    });
}

fn next_is_fine(bench: &Bench, fault: &str) {
    assert_eq!(bench.table.last().next, FINE, "{fault}: the next one");
}

#[tokio::test]
async fn nobody_there() {
    let mut bench = Bench::new("reach-refused").await;
    bench.server.stop().await;
    unsent(
        &mut bench,
        "connection refused",
        "cannot be reached",
        30,
        async |server| server.again().await,
    )
    .await;
    next_is_fine(&bench, "refused");
    bench.server.cut();
    bench.server.next_connections(vec![Begin::Slam; 12]);
    let (saw, took) = bench.ask("tools/call").await;
    // Whether the request was in the socket by then is a race: it is either not sent or not known.
    assert!(
        saw.contains("sent `no`") || saw.contains("sent `unknown`"),
        "{saw}"
    );
    bench.server.heal();
    let (next, _) = bench.ask("tools/call").await;
    bench.table.add(Row {
        fault: "connection closed as soon as it is open".to_owned(),
        saw: "`-31000`, sent `no` (NOT SENT) or `unknown` (SENT, and whether it ran is not known): as the request was in the socket by then or not".to_owned(),
        took,
        seen: "0".to_owned(),
        next,
    });
    next_is_fine(&bench, "slammed");
    bench.done().await;
}

#[tokio::test]
async fn no_such_name() {
    let server = Server::start(Begin::Plain, usual).await;
    let mut bench = Bench::at("reach-name", server, "https://nobody.invalid/mcp", |home| home).await;
    unsent(
        &mut bench,
        "no such name (DNS)",
        "cannot be reached",
        30,
        async |_| (),
    )
    .await;
    assert!(
        bench.table.last().next.contains("NOT SENT"),
        "the same again, and the program lives"
    );
    bench.done().await;
}

/// A port whose queue of connections is full: what comes now is not answered at all.
async fn blackhole(address: SocketAddr) -> (TcpListener, Vec<TcpStream>) {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()
    } else {
        TcpSocket::new_v4()
    }
    .expect("a socket");
    socket.set_reuseaddr(true).expect("an option");
    socket.bind(address).expect("a port");
    let listener = socket.listen(0).expect("a queue");
    let address = listener.local_addr().expect("an address");
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(700), TcpStream::connect(address)).await
    {
        waiting.push(stream);
        assert!(waiting.len() < 50, "the queue is never full");
    }
    (listener, waiting)
}

#[tokio::test]
async fn no_way_through() {
    let (hole, waiting) = blackhole("127.0.0.1:0".parse().expect("an address")).await;
    let address = hole.local_addr().expect("an address");
    let server = Server::start(Begin::Plain, usual).await;
    let mut bench = Bench::at(
        "reach-blackhole",
        server,
        &format!("http://{address}/mcp"),
        |home| home,
    )
    .await;
    unsent(
        &mut bench,
        "no answer to the connection (packets dropped)",
        "cannot be reached",
        35,
        async |server| {
            drop((hole, waiting));
            *server = Server::on(&address.to_string(), Begin::Plain, None, usual).await;
        },
    )
    .await;
    next_is_fine(&bench, "packets dropped");
    bench.done().await;
}

#[tokio::test]
async fn ipv6() {
    let server = Server::on("[::1]:0", Begin::Plain, None, usual).await;
    let url = server.url();
    let mut bench = Bench::at("reach-ipv6", server, &url, |home| home).await;
    let (saw, took) = bench.ask("tools/call").await;
    assert_eq!(saw, FINE);
    bench.table.add(Row {
        fault: "IPv6 alone ([::1])".to_owned(),
        saw: saw.clone(),
        took,
        seen: "1".to_owned(),
        next: saw,
    });
    // A name with two addresses, of which the first leads nowhere.
    let server = Server::start(Begin::Plain, usual).await;
    let port = server.address.port();
    let _hole = blackhole(format!("[::1]:{port}").parse().expect("an address")).await;
    let table = std::mem::replace(&mut bench.table, Table::new("reach-ipv6"));
    // In a view of the files of its own, in which the name has both addresses.
    let home = Home::new();
    let hosts = home.folder().with_file_name("hosts");
    std::fs::write(&hosts, "::1 localhost\n127.0.0.1 localhost\n").expect("a file");
    let mut command: tokio::process::Command = home.shell("unshare").into();
    let script = format!(
        "mount --bind {} /etc/hosts && exec {} serve --profile plain --url http://localhost:{port}/mcp",
        hosts.display(),
        env!("CARGO_BIN_EXE_countersign"),
    );
    command.args(["-rm", "sh", "-c", &script]).kill_on_drop(true);
    let mut bench = Bench::with_command("reach-ipv6", server, home, command).await;
    bench.table = table;
    let (saw, took) = bench.ask("tools/call").await;
    assert_eq!(saw, FINE);
    assert!(took < Duration::from_secs(3), "{took:?}");
    let seen = bench.server.count(is_asked).to_string();
    bench.table.add(Row {
        fault: "name with two addresses, IPv6 leads nowhere".to_owned(),
        saw: saw.clone(),
        took,
        seen,
        next: saw,
    });
    bench.done().await;
}
