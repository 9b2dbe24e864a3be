//! The two listening sockets: `127.0.0.1` and `::1` on one port, or none.
//!
//! `localhost` means either of the two. With only one taken, another program could listen on the other and show its own
//! page to the person under our address.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use tokio::net::TcpListener;

/// How many random ports are tried when somebody has the other half of one.
const TRIES: u32 = 4;

/// Both sockets on a port of the system's choice.
///
/// # Errors
/// A sentence: where one of the two addresses cannot be had.
pub async fn listen() -> Result<(TcpListener, TcpListener, u16), String> {
    let mut last = String::new();
    for _ in 0..TRIES {
        match listen_on(0).await {
            Ok(pair) => return Ok(pair),
            Err(error) => last = error.to_string(),
        }
    }
    Err(format!(
        "the local page cannot be started: both 127.0.0.1 and ::1 are needed ({last})"
    ))
}

/// Both sockets on this port (0: any).
///
/// # Errors
/// Where either is taken or the address does not exist.
pub async fn listen_on(port: u16) -> io::Result<(TcpListener, TcpListener, u16)> {
    let four = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = four.local_addr()?.port();
    let six = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await?;
    Ok((four, six, port))
}
