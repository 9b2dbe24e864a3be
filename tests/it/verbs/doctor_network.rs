//! `doctor`, the way to the service: each check brought to fail.

use super::doctor::{check, found, is};
use super::*;
use crate::support::folder::Folder;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

async fn told(home: &Home, url: &str) -> Value {
    let (_, out, err) = home.run(&["doctor", "--json", "--url", url]).await;
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"))
}

/// A server that answers everything with this head.
fn answering(head: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(head.as_bytes());
            });
        }
    });
    format!("http://127.0.0.1:{port}/mcp")
}

#[tokio::test]
async fn the_service_that_is_down_and_ninjatrader_that_is() {
    let place = Place::bare();
    is(
        &check(&place, "service").await,
        "skipped",
        "nobody is signed in",
        "",
    );
    place.sign_in().await;
    let told_now = place.json(&["doctor"]).await;
    for id in ["network", "tls", "clock", "service"] {
        is(&found(&told_now, id), "ok", "", "");
    }
    place.sim.post("fault", &json!({ "kind": "addon_down" })).await;
    is(
        &check(&place, "service").await,
        "fail",
        "NinjaTrader or its CrossTrade add-on is not connected",
        "start NinjaTrader",
    );
    let (home, url) = (place.home, place.sim.url.clone());
    drop(place.sim);
    let (code, out, _) = home.run(&["doctor", "--url", &url]).await;
    assert_eq!(code, 1);
    assert!(
        out.contains("FAIL  network") && out.contains("cannot be reached: connection refused"),
        "{out}"
    );
    assert!(out.contains("-> check that this computer is online"), "{out}");
    let told_now = told(&home, &url).await;
    for id in ["tls", "clock", "service"] {
        is(
            &found(&told_now, id),
            "skipped",
            "the service cannot be reached",
            "",
        );
    }
}

#[tokio::test]
async fn a_name_that_nobody_knows() {
    let told = told(&Home::new(), "https://no-such-host.invalid/mcp").await;
    is(
        &found(&told, "network"),
        "fail",
        "no-such-host.invalid cannot be reached",
        "firewall or VPN",
    );
}

#[tokio::test]
async fn a_clock_that_is_wrong() {
    let home = Home::new();
    let old = answering(
        "HTTP/1.1 401 Unauthorized\r\ndate: Sun, 22 Nov 2020 10:00:00 GMT\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
    is(
        &found(&told(&home, &old).await, "clock"),
        "fail",
        "days ahead: sign-ins fail",
        "let the system set the clock by itself",
    );
    let none = answering("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    is(
        &found(&told(&home, &none).await, "clock"),
        "skipped",
        "does not tell its time",
        "",
    );
    let garbage = answering("SSH-2.0-OpenSSH\r\n");
    let told = told(&home, &garbage).await;
    is(
        &found(&told, "tls"),
        "fail",
        "the service cannot be reached",
        "check proxy, firewall and VPN",
    );
    is(&found(&told, "service"), "skipped", "does not answer", "");
}

/// A server with a certificate of its own making, as an antivirus or a company's network shows one.
struct Forged(Child);

impl Drop for Forged {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts() {
    let home = Home::new();
    let folder = Folder::new();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .status()
        .expect("`openssl` is not installed: apt-get install openssl");
    assert!(made.success());
    let free = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port");
    let server = Command::new("openssl")
        .args([
            "s_server", "-quiet", "-www", "-key", "key.pem", "-cert", "cert.pem",
        ])
        .args(["-accept", &free.to_string()])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl");
    let _forged = Forged(server);
    until("the server", async || std::net::TcpStream::connect(free).ok()).await;
    let told = told(&home, &format!("https://{free}/mcp")).await;
    is(
        &found(&told, "tls"),
        "fail",
        "the service's certificate is not trusted",
        "turn off HTTPS scanning for app.crosstrade.io",
    );
}

#[tokio::test]
async fn a_proxy_is_told_without_its_password() {
    let place = Place::bare();
    is(
        &check(&place, "proxy").await,
        "ok",
        "not used for an address on this computer",
        "",
    );
    let url = "https://no-such-host.invalid/mcp";
    let proxied = Home::new().with("HTTPS_PROXY", "http://trader:hunter2@127.0.0.1:9");
    let (_, out, _) = proxied.run(&["doctor", "--json", "--url", url]).await;
    assert!(!out.contains("hunter2") && !out.contains("trader:"), "{out}");
    let told: Value = serde_json::from_str(&out).unwrap();
    is(
        &found(&told, "proxy"),
        "warn",
        "requests go through 127.0.0.1:9 (HTTPS_PROXY)",
        "unset HTTPS_PROXY",
    );
    is(&found(&told, "network"), "skipped", "a proxy is used", "");
    is(
        &found(&told, "tls"),
        "fail",
        "the service cannot be reached",
        "proxy",
    );
    let broken = Home::new().with("https_proxy", "http://[nowhere");
    let (_, out, _) = broken.run(&["doctor", "--json", "--url", url]).await;
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"));
    is(
        &found(&told, "proxy"),
        "fail",
        "no address of a proxy",
        "unset https_proxy",
    );
}

#[tokio::test]
async fn a_time_zone_that_does_not_exist() {
    let url = "http://127.0.0.1:9/mcp";
    let lost = Home::new().with("TZ", "Atlantis/Nowhere");
    is(
        &found(&told(&lost, url).await, "time-zone"),
        "warn",
        "cannot be told",
        "the variable TZ",
    );
    let known = Home::new().with("TZ", "America/Chicago");
    is(
        &found(&told(&known, url).await, "time-zone"),
        "ok",
        "America/Chicago",
        "",
    );
}
