//! The page's server against everybody who is not the page: headers of every answer, names that lead to loopback, links
//! and tabs of yesterday.

use super::page::{Machine, Raw, request};
use super::*;

/// The status line and the headers that are ours, the nonce replaced.
fn head(answer: &str) -> String {
    let (head, _) = answer.split_once("\r\n\r\n").expect("a head");
    let mut lines: Vec<String> = head
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with("date:") && !line.starts_with("content-length:"))
        .map(|line| {
            let mut parts = line.split("'nonce-");
            let mut out = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let (nonce, rest) = part.split_once('\'').expect("an end");
                assert_eq!(nonce.len(), 43, "256 bits");
                out.push_str("'nonce-...'");
                out.push_str(rest);
            }
            out
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

const HARDENED: &str = "\
cache-control: no-store
content-security-policy: default-src 'none'; script-src 'nonce-...'; style-src 'nonce-...'; connect-src 'self'; \
frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'
CONTENT-TYPE
cross-origin-opener-policy: same-origin
cross-origin-resource-policy: same-origin
permissions-policy: camera=(), microphone=(), geolocation=(), display-capture=(), publickey-credentials-get=(self), publickey-credentials-create=(self)
referrer-policy: no-referrer
x-content-type-options: nosniff
x-frame-options: DENY";

fn check_head(answer: &str, status: &str, kind: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    let expected = HARDENED.replace("CONTENT-TYPE", &format!("content-type: {kind}"));
    let told: String = head(answer)
        .lines()
        .filter(|line| !line.starts_with("connection:"))
        .collect::<Vec<_>>()
        .join("\n");
    assert_eq!(told, expected, "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_the_same_strict_headers() {
    let machine = Machine::new();
    let asking = Asking::start(&machine.world, ask(code_card(), 60));
    let raw = Raw::open(&machine.link().await);
    let (port, json) = (raw.port, "application/json");
    let get = |path: &str, host: &str| request(port, &format!("GET {path} HTTP/1.1\r\nHost: {host}"), "");
    let own = format!("localhost:{port}");
    check_head(&get("/", &own), "200", "text/html; charset=utf-8");
    check_head(&get("/favicon.ico", &own), "404", json);
    check_head(&get("/", "evil.example"), "403", json);
    check_head(&raw.send("/state", "{"), "400", json);
    check_head(&raw.send("/state", "{}"), "403", json);
    check_head(&raw.post("/state", ""), "200", json);
    check_head(&raw.post("/approve", ",\"core\":9"), "200", json);
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
}

/// A name of somebody else's that was made to lead to loopback (DNS rebinding) is not our host, however close it comes;
/// a second Host header and a request line with another address do not help.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_our_own_name_is_heard() {
    let machine = Machine::new();
    let asking = Asking::start(&machine.world, ask(code_card(), 60));
    let raw = Raw::open(&machine.link().await);
    let port = raw.port;
    for host in [
        format!("evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("localhost.:{port}"),
        format!("LOCALHOST:{port}"),
        format!("a.localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
        format!("0.0.0.0:{port}"),
        format!("user@localhost:{port}"),
        format!("localhost:{}", port ^ 1),
        "localhost".to_owned(),
        String::new(),
        format!("localhost:{port}\r\nHost: evil.example"),
        format!("evil.example\r\nHost: localhost:{port}"),
    ] {
        let shell = request(port, &format!("GET / HTTP/1.1\r\nHost: {host}"), "");
        assert!(!shell.contains("<script"), "{host}: {shell}");
        let body = format!("{{\"session\":\"{}\"}}", raw.session);
        let more =
            format!("Host: {host}\r\nOrigin: http://localhost:{port}\r\nContent-Type: application/json");
        let state = request(port, &format!("POST /state HTTP/1.1\r\n{more}"), &body);
        assert!(!state.contains("PA-123456"), "{host}: {state}");
        let denied = request(port, &format!("POST /deny HTTP/1.1\r\n{more}"), &body);
        assert!(denied.starts_with("HTTP/1.1 40"), "{host}: {denied}");
    }
    let none = request(port, "GET / HTTP/1.0\r\nX: y", "");
    assert!(!none.contains("<script"), "{none}");
    assert!(!asking.answer.is_finished());
    assert!(raw.post("/state", "").contains("PA-123456"));
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
}

/// A link's secret works once, also for the same program; what it was traded for ends with the next link, and with the ask.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_of_yesterday_opens_nothing() {
    let machine = Machine::new();
    let mut asking = Asking::start(&machine.world, ask(code_card(), 60));
    let link = machine.link().await;
    let raw = Raw::open(&link);
    let token = link.split_once('#').expect("a secret").1;
    let again = raw.send("/open", &format!("{{\"token\":\"{token}\"}}"));
    assert!(again.contains("403") && again.contains("used before"), "{again}");
    assert!(
        raw.post("/state", "").contains("PA-123456"),
        "the first tab goes on"
    );
    asking.shown().await;
    // A session is no token and a token no session.
    let swapped = raw.send("/open", &format!("{{\"token\":\"{}\"}}", raw.session));
    assert!(swapped.contains("403"), "{swapped}");
    assert!(raw.post("/deny", "").contains("Denied"));
    assert_eq!(asking.answer().await, Answer::Denied { via: "page" });
    // The page of the next ask is another: port, link and session of the first are strangers there.
    let next = Asking::start(&machine.world, ask(code_card(), 60));
    let newer = Raw::open(&machine.link().await);
    let stale = Raw {
        port: newer.port,
        session: raw.session.clone(),
    };
    let told = stale.post("/approve", ",\"core\":1");
    assert!(told.contains("403") && !told.contains("Approved"), "{told}");
    assert!(!next.answer.is_finished());
    next.stop.cancel();
    assert_eq!(next.answer().await, Answer::Stopped);
}

/// In a frame of another page there is nothing to see and nothing to press.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_page_can_frame_it() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let asking = Asking::start(&machine.world, ask(code_card(), 60));
    let link = machine.link().await;
    let page = format!(
        "data:text/html,<p>bait</p><iframe id=f src=\"{}\"></iframe>",
        link.replace('#', "%23")
    );
    browser.open(&page);
    browser.until("bait");
    let loaded = "new Promise((done) => { const f = document.getElementById('f'); f.onload = () => done(true); f.src = f.src; })";
    assert_eq!(browser.eval(loaded), true);
    // Whatever stands in the frame has not used the link: our script did not run there.
    let raw = Raw::open(&link);
    assert!(raw.post("/state", "").contains("PA-123456"));
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
}
