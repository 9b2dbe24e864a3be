//! Who is at the other end of a connection to the page, as far as the kernel tells.
//!
//! Loopback is open to every user of the machine. On Linux a connection is heard only if its socket belongs to our own
//! user in the kernel's table of this network namespace (`/proc/net/tcp`, and `tcp6` for IPv6 and for IPv4 spoken by a
//! dual-stack socket). Where that cannot be told, it is refused: a table that cannot be read or is longer than
//! [`TABLE_MAX`], no such line, a browser that comes through a forwarder of another user (a container's, WSL's). Then the
//! page does not open, and `countersign watch` is left. On other systems every local connection is heard.
//! No defence against programs of the same user (DESIGN §6), which the link's secret and the PIN are there for.

#[cfg(target_os = "linux")]
pub(super) use linux::is_ours;

/// Whether this connection comes from a program of our own user; not asked on this system.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub(super) async fn is_ours(_stream: &tokio::net::TcpStream) -> bool {
    true
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::Read;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use tokio::net::TcpStream;

    const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
    /// The longest table that is read, in bytes: some 25,000 sockets.
    const TABLE_MAX: u64 = 4 * 1024 * 1024;
    /// States in which a socket still belongs to a program: established, and closed for writing only.
    const OWNED: [&str; 3] = ["01", "04", "05"];

    /// Whether this connection comes from a program of our own user.
    pub(in super::super) async fn is_ours(stream: &TcpStream) -> bool {
        let (Ok(here), Ok(there)) = (stream.local_addr(), stream.peer_addr()) else {
            return false;
        };
        let user = rustix::process::geteuid().as_raw();
        let looked = tokio::task::spawn_blocking(move || {
            let mut tables = TABLES.iter().filter_map(|path| read(path));
            tables.find_map(|table| owner(&table, there, here)) == Some(user)
        });
        looked.await.unwrap_or(false)
    }

    fn read(path: &str) -> Option<String> {
        let mut table = String::new();
        let file = std::fs::File::open(path).ok()?;
        let length = file.take(TABLE_MAX).read_to_string(&mut table).ok()?;
        (u64::try_from(length).ok()? < TABLE_MAX).then_some(table)
    }

    /// The user whose socket has this address and this other end.
    fn owner(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
        table.lines().find_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let same = address(fields.next()?)? == plain(local) && address(fields.next()?)? == plain(remote);
            let owned = OWNED.contains(&fields.next()?);
            let user = fields.nth(3)?.parse().ok()?;
            (same && owned).then_some(user)
        })
    }

    fn plain(address: SocketAddr) -> (IpAddr, u16) {
        (address.ip().to_canonical(), address.port())
    }

    /// An address as the table writes it: 32-bit words in the machine's own byte order, a colon, the port.
    fn address(text: &str) -> Option<(IpAddr, u16)> {
        let (words, port) = text.split_once(':')?;
        let word = |at: usize| -> Option<[u8; 4]> {
            let word = words.get(at.checked_mul(8)?..at.checked_add(1)?.checked_mul(8)?)?;
            Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
        };
        let ip = match words.len() {
            8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
            32 => {
                let mut octets = [0u8; 16];
                for (at, four) in octets.chunks_exact_mut(4).enumerate() {
                    four.copy_from_slice(&word(at)?);
                }
                IpAddr::V6(Ipv6Addr::from(octets))
            }
            _ => return None,
        };
        Some((ip.to_canonical(), u16::from_str_radix(port, 16).ok()?))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn at(text: &str) -> SocketAddr {
            text.parse().unwrap()
        }

        fn row(local: SocketAddr, remote: SocketAddr, state: &str, user: u32) -> String {
            let word = |bytes: &[u8]| format!("{:08X}", u32::from_ne_bytes(bytes.try_into().unwrap()));
            let text = |address: SocketAddr| {
                let ip: String = match address.ip() {
                    IpAddr::V4(ip) => word(&ip.octets()),
                    IpAddr::V6(ip) => ip.octets().chunks(4).map(word).collect(),
                };
                format!("{ip}:{:04X}", address.port())
            };
            format!(
                "   7: {} {} {state} 00000000:00000000 02:000A7214 00000000 {user:>5}        0 35311 2 0 20 4 0 10 -1\n",
                text(local),
                text(remote)
            )
        }

        #[test]
        fn the_owner_is_found_by_both_ends() {
            let (browser, page) = (at("127.0.0.1:40000"), at("127.0.0.1:9000"));
            let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
            let whole = format!(
                "{head}{}{}{}",
                row(page, browser, "01", 0),
                row(at("127.0.0.1:40000"), at("127.0.0.1:9001"), "01", 7),
                row(browser, page, "01", 1000)
            );
            assert_eq!(owner(&whole, browser, page), Some(1000));
            assert_eq!(owner(&whole, at("127.0.0.1:40001"), page), None);
            assert_eq!(owner(head, browser, page), None);
        }

        #[test]
        fn both_families_are_read_and_mapped_ones_too() {
            let (browser, page) = (at("[::1]:40000"), at("[::1]:9000"));
            assert_eq!(owner(&row(browser, page, "01", 1000), browser, page), Some(1000));
            let mapped = row(
                at("[::ffff:127.0.0.1]:40000"),
                at("[::ffff:127.0.0.1]:9000"),
                "01",
                1000,
            );
            assert_eq!(
                owner(&mapped, at("127.0.0.1:40000"), at("127.0.0.1:9000")),
                Some(1000)
            );
        }

        #[test]
        fn a_socket_that_nobody_holds_and_a_broken_line_tell_nothing() {
            let (browser, page) = (at("127.0.0.1:40000"), at("127.0.0.1:9000"));
            assert_eq!(owner(&row(browser, page, "06", 0), browser, page), None);
            for broken in [
                "",
                "7:",
                "7: x y z",
                "7: 0100007F:9C40 0100007F:2328 01",
                "7: \u{e9}\u{e9}\u{e9}\u{e9}:1 : 01 0 0 0 0",
            ] {
                assert_eq!(owner(broken, browser, page), None, "{broken}");
            }
        }
    }
}
