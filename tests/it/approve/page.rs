//! The local page, filled in by a real browser; and everybody else who might come to that address.

use super::*;
use countersign::approve::{Verify, WrongPin, page};
use futures_util::FutureExt;
use secrecy::{ExposeSecret, SecretString};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) const APPROVED: Answer = Answer::Approved { via: "page" };
pub(super) const PIN: &str = "correct horse battery staple";

/// A machine without a desktop, whose `$BROWSER` writes down the address that it is given.
pub(super) struct Machine {
    folder: tempfile::TempDir,
    pub(super) world: World,
}

impl Machine {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let script = folder.path().join("browser.sh");
        let link = folder.path().join("link");
        let text = format!(
            "#!/bin/sh\nprintf %s \"$1\" > '{0}.new' && mv '{0}.new' '{0}'\n",
            link.display()
        );
        std::fs::write(&script, text).expect("a script");
        let world = World {
            env: countersign::system::Env::of([
                ("BROWSER", &format!("sh {}", script.display())),
                ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent"),
            ]),
            paths: countersign::system::Paths::under(folder.path()),
        };
        Self { folder, world }
    }

    fn link_file(&self) -> PathBuf {
        self.folder.path().join("link")
    }

    /// The address that the browser was given; each is given out once.
    pub(super) async fn link(&self) -> String {
        next_link(&self.link_file()).await
    }
}

pub(super) async fn next_link(file: &Path) -> String {
    for _ in 0..400 {
        if let Ok(link) = std::fs::read_to_string(file) {
            std::fs::remove_file(file).expect("taken");
            return link;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the browser was not opened");
}

/// Content with [`PIN`]; counts the tries.
pub(super) fn verify(tries: &Arc<AtomicU32>) -> Verify {
    let tries = tries.clone();
    Arc::new(move |pin: SecretString| {
        tries.fetch_add(1, Ordering::SeqCst);
        async move {
            if pin.expose_secret() == PIN {
                return Ok(());
            }
            Err(WrongPin {
                message: "That PIN is wrong.".to_owned(),
                wait_ms: 1200,
            })
        }
        .boxed()
    })
}

/// Content with [`PIN`] after a while; every other one makes the next wait for a minute.
pub(super) fn slow_verify() -> Verify {
    Arc::new(|pin: SecretString| {
        async move {
            if pin.expose_secret() == PIN {
                tokio::time::sleep(Duration::from_secs(3)).await;
                return Ok(());
            }
            Err(WrongPin {
                message: "That PIN is wrong.".to_owned(),
                wait_ms: 60_000,
            })
        }
        .boxed()
    })
}

pub(super) fn pin_ask(card: Card, tries: &Arc<AtomicU32>) -> Ask {
    Ask {
        card,
        tier: Tier::Pin,
        open_for: Duration::from_secs(60),
        verify: Some(verify(tries)),
        touch: None,
    }
}

/// Time for a person to read; approvals before are too quick.
pub(super) fn read_it() {
    std::thread::sleep(Duration::from_millis(900));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_pin_approves_and_a_wrong_one_does_not() {
    let machine = Machine::new();
    let tries = Arc::new(AtomicU32::new(0));
    let mut browser = Browser::start();
    let mut asking = Asking::start(&machine.world, pin_ask(card(), &tries));
    browser.open(&machine.link().await);
    browser.until("NO STOP ATTACHED");
    asking.shown().await;
    assert_eq!(
        browser.eval("document.activeElement.id"),
        "deny",
        "Deny has the focus"
    );
    assert_eq!(
        browser.eval("location.hash"),
        "",
        "the link's secret stays in the address bar"
    );
    read_it();
    for (name, width, height, dark) in [
        ("light", 1000, 900, false),
        ("dark", 1000, 900, true),
        ("narrow", 360, 900, false),
        ("narrow-dark", 360, 900, true),
    ] {
        browser.size(width, height);
        browser.dark(dark);
        std::thread::sleep(Duration::from_millis(150));
        browser.screenshot(&format!("page-pin-{name}"));
        let overflow = browser.eval("document.documentElement.scrollWidth - innerWidth");
        assert!(overflow.as_i64() <= Some(0), "{name}: {overflow} px too wide");
    }
    browser.click("#approve");
    browser.until("Type your PIN first");
    assert_eq!(tries.load(Ordering::SeqCst), 0);
    browser.type_text("wrong");
    browser.click("#approve");
    browser.until("That PIN is wrong. Next try in 2 s.");
    browser.screenshot("page-pin-wrong");
    assert_eq!(tries.load(Ordering::SeqCst), 1);
    assert_eq!(
        browser.eval("document.getElementById('approve').disabled"),
        true,
        "the next try waits"
    );
    std::thread::sleep(Duration::from_millis(1400));
    browser.click("#pin");
    browser.type_text(PIN);
    browser.key("Enter", 13);
    assert_eq!(asking.answer().await, APPROVED);
    browser.until("Approved.");
    browser.screenshot("page-approved");
    assert_eq!(tries.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denying_and_stopping_need_no_pin() {
    let machine = Machine::new();
    let tries = Arc::new(AtomicU32::new(0));
    let mut browser = Browser::start();
    for (press, answer, said) in [
        (
            "#deny",
            Answer::Denied { via: "page" },
            "Denied. Nothing was sent.",
        ),
        ("#halt", Answer::Halted { via: "page" }, "AI trading is stopped"),
    ] {
        let mut asking = Asking::start(&machine.world, pin_ask(card(), &tries));
        browser.open(&machine.link().await);
        browser.until("Day P/L");
        asking.shown().await;
        browser.click(press);
        assert_eq!(asking.answer().await, answer);
        browser.until(said);
    }
    let asking = Asking::start(&machine.world, pin_ask(card(), &tries));
    browser.open(&machine.link().await);
    browser.until("Day P/L");
    read_it();
    browser.key("Escape", 27);
    assert_eq!(asking.answer().await, Answer::Denied { via: "page" });
    assert_eq!(tries.load(Ordering::SeqCst), 0);
}

/// Neither the time after a wrong PIN nor a check that runs keeps a denial waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denying_and_stopping_never_wait_for_a_pin() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    for (pin, said, press, answer) in [
        (
            "wrong",
            "Next try in 60 s",
            "#deny",
            Answer::Denied { via: "page" },
        ),
        (
            "wrong",
            "Next try in 60 s",
            "#halt",
            Answer::Halted { via: "page" },
        ),
        (PIN, "Checking the PIN", "#deny", Answer::Denied { via: "page" }),
        (PIN, "Checking the PIN", "#halt", Answer::Halted { via: "page" }),
    ] {
        let asked = Ask {
            verify: Some(slow_verify()),
            ..pin_ask(card(), &Arc::default())
        };
        let mut asking = Asking::start(&machine.world, asked);
        browser.open(&machine.link().await);
        browser.until("Day P/L");
        asking.shown().await;
        read_it();
        browser.click("#pin");
        browser.type_text(pin);
        browser.click("#approve");
        browser.until(said);
        let since = Instant::now();
        browser.click(press);
        assert_eq!(asking.answer().await, answer, "{said}");
        assert!(
            since.elapsed() < Duration::from_secs(2),
            "{said}: {:?}",
            since.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_while_the_pin_is_checked_is_asked_again() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let asked = Ask {
        verify: Some(slow_verify()),
        ..pin_ask(card(), &Arc::default())
    };
    let mut asking = Asking::start(&machine.world, asked);
    browser.open(&machine.link().await);
    browser.until("Day P/L");
    asking.shown().await;
    read_it();
    browser.click("#pin");
    browser.type_text(PIN);
    browser.click("#approve");
    browser.until("Checking the PIN");
    let newer = Card {
        headline: "SELL 3 MES 12-26".to_owned(),
        ..card()
    };
    asking.updates.send(newer).expect("sent");
    browser.until("It changed while you answered");
    browser.until("SELL 3 MES 12-26");
    assert!(!asking.answer.is_finished());
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
}

/// Space on the focused Deny, typed for another window while the tab came up, is no answer. The mouse is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_in_the_first_moment_denies_nothing_and_the_mouse_does() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let mut asking = Asking::start(&machine.world, ask(code_card(), 60));
    browser.open(&machine.link().await);
    browser.until("Day P/L");
    asking.shown().await;
    // The window comes before the person again: from here the first moment runs, and one command follows the other.
    let early = "window.dispatchEvent(new Event('focus')); document.getElementById('deny').focus();";
    browser.eval(early);
    browser.key("Enter", 13);
    browser.key("Escape", 27);
    browser.until("too quickly to be meant");
    assert!(!asking.answer.is_finished());
    read_it();
    browser.key("Enter", 13);
    assert_eq!(asking.answer().await, Answer::Denied { via: "page" });
    let mut asking = Asking::start(&machine.world, ask(code_card(), 60));
    browser.open(&machine.link().await);
    browser.until("Day P/L");
    asking.shown().await;
    browser.eval(early);
    browser.click("#deny");
    assert_eq!(asking.answer().await, Answer::Denied { via: "page" });
}

/// A new deed counts as seen once the tab has fetched it, not once it was there to be fetched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_moment_of_a_new_deed_begins_when_the_tab_has_it() {
    let machine = Machine::new();
    let asking = Asking::start(&machine.world, ask(code_card(), 60));
    let raw = Raw::open(&machine.link().await);
    assert!(raw.post("/state", "").contains("PA-123456"));
    read_it();
    let newer = Card {
        headline: "WRITE CODE Other.cs".to_owned(),
        ..code_card()
    };
    asking.updates.send(newer).expect("sent");
    read_it();
    // The number of the new version can be guessed; without having fetched it, it approves nothing.
    assert!(raw.post("/approve", ",\"core\":2").contains("too quick"));
    assert!(raw.post("/state", "").contains("Other.cs"));
    assert!(raw.post("/approve", ",\"core\":2").contains("too quick"));
    assert!(raw.post("/approve", ",\"core\":1").contains("It changed"));
    read_it();
    assert!(raw.post("/approve", ",\"core\":2").contains("Approved"));
    assert_eq!(asking.answer().await, APPROVED);
}

/// A tab that is reloaded while its try is checked: the check goes to its end, and the next try is looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tab_that_hangs_up_during_the_check_can_try_again() {
    let machine = Machine::new();
    let began = Arc::new(AtomicU32::new(0));
    let go_on = Arc::new(tokio::sync::Notify::new());
    let (counted, held) = (began.clone(), go_on.clone());
    let verify: Verify = Arc::new(move |pin: SecretString| {
        counted.fetch_add(1, Ordering::SeqCst);
        let held = held.clone();
        async move {
            if pin.expose_secret() == PIN {
                return Ok(());
            }
            held.notified().await;
            Err(WrongPin {
                message: "That PIN is wrong.".to_owned(),
                wait_ms: 0,
            })
        }
        .boxed()
    });
    let asked = Ask {
        verify: Some(verify),
        ..pin_ask(card(), &Arc::default())
    };
    let mut asking = Asking::start(&machine.world, asked);
    let raw = Raw::open(&machine.link().await);
    assert!(raw.post("/state", "").contains("day P/L"));
    asking.shown().await;
    read_it();
    let body = format!(r#"{{"session":"{}","core":1,"pin":"wrong"}}"#, raw.session);
    let host = format!("localhost:{}", raw.port);
    let length = body.len();
    let text = format!(
        "POST /approve HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    let mut tab = TcpStream::connect(("127.0.0.1", raw.port)).expect("connected");
    tab.write_all(text.as_bytes()).expect("sent");
    while began.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(tab);
    let again = format!(r#","core":1,"pin":"{PIN}""#);
    assert!(raw.post("/approve", &again).contains("One moment"));
    // Time to see that the other end is gone.
    std::thread::sleep(Duration::from_millis(300));
    go_on.notify_one();
    let end = Instant::now() + Duration::from_secs(15);
    let mut told = raw.post("/approve", &again);
    while told.contains("One moment") && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
        told = raw.post("/approve", &again);
    }
    assert!(told.contains("Approved"), "{told}");
    assert_eq!(asking.answer().await, APPROVED);
}

/// The page's script played by hand: a program of our own user.
pub(super) struct Raw {
    pub(super) port: u16,
    pub(super) session: String,
}

impl Raw {
    pub(super) fn open(link: &str) -> Self {
        let (address, token) = link.split_once("/#").expect("a link with a secret");
        let port = address
            .rsplit_once(':')
            .expect("a port")
            .1
            .parse()
            .expect("a number");
        let mut raw = Self {
            port,
            session: String::new(),
        };
        let opened = raw.send("/open", &format!("{{\"token\":\"{token}\"}}"));
        let session = opened
            .split("\"session\":\"")
            .nth(1)
            .and_then(|t| t.split('"').next());
        session.expect("a session").clone_into(&mut raw.session);
        raw
    }

    pub(super) fn send(&self, path: &str, body: &str) -> String {
        let host = format!("localhost:{}", self.port);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Type: application/json"
        );
        request(self.port, &head, body)
    }

    pub(super) fn post(&self, path: &str, more: &str) -> String {
        self.send(path, &format!("{{\"session\":\"{}\"{more}}}", self.session))
    }
}

/// A browser that was only started has shown nothing: no deadline runs, and it is given up soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_no_tab_fetched_was_not_shown() {
    let machine = Machine::new();
    let since = Instant::now();
    // The card would stand for 1 s only, once shown.
    let mut asking = Asking::start(&machine.world, ask(code_card(), 1));
    machine.link().await;
    let never = tokio::time::timeout(Duration::from_secs(3), &mut asking.shown).await;
    assert!(never.is_err(), "shown without a tab");
    let answer = asking.answer().await;
    assert!(
        matches!(&answer, Answer::Nobody(why) if why.contains("did not open the page") && why.contains("countersign watch")),
        "{answer:?}"
    );
    assert!(since.elapsed() < Duration::from_secs(14), "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_fails_at_once_is_told_at_once() {
    let machine = Machine::new();
    std::fs::write(machine.folder.path().join("browser.sh"), "exit 3").expect("a script");
    let since = Instant::now();
    let answer = Asking::start(&machine.world, ask(code_card(), 60)).answer().await;
    assert!(
        matches!(&answer, Answer::Nobody(why) if why.contains("did not open the page") && why.contains("exit status: 3")),
        "{answer:?}"
    );
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
}

/// Loopback is open to every user of the machine; the page is not.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_of_the_machine_is_not_heard() {
    use std::os::unix::process::CommandExt;
    let machine = Machine::new();
    let asking = Asking::start(&machine.world, ask(code_card(), 60));
    let link = machine.link().await;
    let (address, _) = link.split_once("/#").expect("a link with a secret");
    let port = address.rsplit_once(':').expect("a port").1;
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
        let mut fetch = std::process::Command::new("curl");
        fetch.args([
            "-sS",
            "-g",
            "-m",
            "5",
            "-H",
            &format!("Host: localhost:{port}"),
            &format!("http://{host}:{port}/"),
        ]);
        let own = fetch
            .output()
            .expect("`curl` is not installed: apt-get install curl");
        assert!(
            String::from_utf8_lossy(&own.stdout).contains("Countersign"),
            "{host}: {own:?}"
        );
        // Only the superuser can start a program of another user.
        if rustix::process::geteuid().is_root() {
            let other = fetch.uid(65534).gid(65534).output().expect("curl");
            assert!(
                other.stdout.is_empty() && !other.status.success(),
                "{host}: {other:?}"
            );
        }
    }
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_is_shown_whole_and_escaped() {
    let machine = Machine::new();
    let mut code = code_card();
    let free = code.free_text.as_mut().expect("code");
    free.text = (0..400).fold(free.text.clone(), |text, n| {
        text + &format!("line {n} <b>&amp;</b>\n")
    });
    free.bytes = free.text.len();
    let whole = free.text.clone();
    // Tier click: still the page, and no PIN.
    let mut browser = Browser::start();
    let mut asking = Asking::start(&machine.world, ask(code, 60));
    browser.open(&machine.link().await);
    browser.until("whole");
    asking.shown().await;
    assert_eq!(
        browser.eval("document.getElementById('free-text').textContent"),
        whole
    );
    assert_eq!(
        browser.eval("document.querySelectorAll('#free-text *').length"),
        0,
        "markup in the code came alive"
    );
    assert!(browser.text().contains(&"ab".repeat(32)));
    browser.screenshot("page-code");
    read_it();
    browser.click("#approve");
    assert_eq!(asking.answer().await, APPROVED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_are_marked_and_a_changed_deed_must_be_read_again() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let mut asking = Asking::start(&machine.world, ask(code_card(), 60));
    browser.open(&machine.link().await);
    browser.until("Day P/L");
    asking.shown().await;
    read_it();
    let mut newer = code_card();
    newer.lines[4] = line("position", "+3 -> +1", Mark::Changed);
    asking.updates.send(newer.clone()).expect("sent");
    browser.until("Position (changed)");
    browser.screenshot("page-changed");
    // Another deed, and a press before the page could show it: refused.
    browser.eval("window.fetchWas = fetch; window.fetch = (u, o) => u === '/state' ? new Promise(() => {}) : fetchWas(u, o)");
    std::thread::sleep(Duration::from_millis(900));
    newer.headline = "WRITE CODE Other.cs".to_owned();
    asking.updates.send(newer).expect("sent");
    std::thread::sleep(Duration::from_millis(900));
    browser.click("#approve");
    browser.until("It changed while you answered");
    assert!(!asking.answer.is_finished());
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_says_when_its_time_is_over_and_what_is_too_quick() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let mut asking = Asking::start(&machine.world, ask(code_card(), 3));
    browser.open(&machine.link().await);
    browser.until("Day P/L");
    asking.shown().await;
    assert_eq!(asking.answer().await, Answer::Expired);
    browser.until("Time ran out here. `countersign journal show` says what became of it.");
    browser.screenshot("page-expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_works_once() {
    let machine = Machine::new();
    let (mut first, mut second) = (Browser::start(), Browser::start());
    let mut asking = Asking::start(&machine.world, ask(code_card(), 60));
    let link = machine.link().await;
    first.open(&link);
    first.until("Day P/L");
    asking.shown().await;
    second.open(&link);
    second.until("This link was used before");
    // A reload of the tab that used it goes on.
    first.call("Page.reload", &serde_json::json!({}));
    first.until("Day P/L");
    first.click("#deny");
    assert_eq!(asking.answer().await, Answer::Denied { via: "page" });
}

/// One request by a program that is no browser.
pub(super) fn request(port: u16, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the page listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a time limit");
    let length = body.len();
    write!(
        stream,
        "{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .expect("sent");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_page_itself_is_heard() {
    let machine = Machine::new();
    let asking = Asking::start(&machine.world, ask(code_card(), 60));
    let link = machine.link().await;
    let (address, token) = link.split_once("/#").expect("a link with a secret");
    let port: u16 = address
        .rsplit_once(':')
        .expect("a port")
        .1
        .parse()
        .expect("a number");
    let host = format!("localhost:{port}");
    let open = format!("{{\"token\":\"{token}\"}}");
    let post = |host: &str, origin: &str, kind: &str, more: &str, path: &str, body: &str| {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nContent-Type: {kind}{more}");
        request(port, &head, body)
    };
    let (json, origin) = ("application/json", format!("http://{host}"));
    for (host, origin, kind, more) in [
        ("evil.example", origin.as_str(), json, ""),
        (&format!("127.0.0.1:{port}"), &origin, json, ""),
        ("localhost", &origin, json, ""),
        (&host, "http://evil.example", json, ""),
        (&host, "null", json, ""),
        (&host, &format!("http://127.0.0.1:{port}"), json, ""),
        (&host, &origin, "text/plain", ""),
        (&host, &origin, "application/x-www-form-urlencoded", ""),
        (&host, &origin, json, "\r\nSec-Fetch-Site: cross-site"),
        (&host, &origin, json, "\r\nSec-Fetch-Site: same-site"),
        (&host, &origin, json, "\r\nOrigin: http://evil.example"),
    ] {
        let answer = post(host, origin, kind, more, "/open", &open);
        assert!(
            answer.starts_with("HTTP/1.1 403"),
            "{host} {origin} {kind} {more}: {answer}"
        );
    }
    for (path, body) in [
        ("/open", "{\"token\":\"AAAA\"}".to_owned()),
        ("/state", "{\"session\":\"AAAA\"}".to_owned()),
        ("/approve", "{\"core\":1}".to_owned()),
        ("/deny", format!("{{\"session\":\"{token}\"}}")),
    ] {
        let answer = post(&host, &origin, json, "", path, &body);
        assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
    }
    for body in [
        "",
        "{",
        "[]",
        "{\"token\":\"a\",\"more\":1}",
        &format!("{{\"token\":\"{}\"}}", "a".repeat(9000)),
    ] {
        let answer = post(&host, &origin, json, "", "/open", body);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let shell = request(port, &format!("GET / HTTP/1.1\r\nHost: {host}"), "");
    assert!(
        shell.starts_with("HTTP/1.1 200") && !shell.contains("PA-123456"),
        "the page without its link shows the card"
    );
    for header in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "no-store",
        "nosniff",
        "no-referrer",
    ] {
        assert!(shell.contains(header), "{header}");
    }
    assert!(
        request(
            port,
            &format!("GET / HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: cross-site"),
            ""
        )
        .contains(" 403 ")
    );
    assert!(request(port, &format!("GET /state HTTP/1.1\r\nHost: {host}"), "").contains(" 404 "));
    // After all of that the right one still gets in, and too quick an approval is none.
    let opened = post(&host, &origin, json, "", "/open", &open);
    let session = opened
        .split("\"session\":\"")
        .nth(1)
        .and_then(|t| t.split('"').next())
        .expect("a session");
    let seen = post(
        &host,
        &origin,
        json,
        "",
        "/state",
        &format!("{{\"session\":\"{session}\"}}"),
    );
    assert!(seen.contains("PA-123456"), "{seen}");
    let quick = post(
        &host,
        &origin,
        json,
        "",
        "/approve",
        &format!("{{\"session\":\"{session}\",\"core\":1}}"),
    );
    assert!(quick.contains("too quick"), "{quick}");
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
}

#[tokio::test]
async fn a_port_that_is_half_taken_is_not_used() {
    let taken = std::net::TcpListener::bind("[::1]:0").expect("::1");
    let port = taken.local_addr().expect("an address").port();
    assert!(page::listen_on(port).await.is_err());
    drop(taken);
    let wild = std::net::TcpListener::bind("[::]:0").expect("::");
    let port = wild.local_addr().expect("an address").port();
    assert!(page::listen_on(port).await.is_err());
    assert!(page::listen().await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arming_asks_for_the_pin_alone() {
    let machine = Machine::new();
    let tries = Arc::new(AtomicU32::new(0));
    let (desk, check, stop) = (
        Desk::new(&machine.world),
        verify(&tries),
        CancellationToken::new(),
    );
    let mut browser = Browser::start();
    let asking = tokio::spawn(async move {
        desk.ask_pin("Arm exits for 30 minutes", Some("blue heron"), check, stop)
            .await
    });
    browser.open(&machine.link().await);
    browser.until("Arm exits for 30 minutes");
    browser.until("Your phrase is blue heron");
    read_it();
    browser.screenshot("page-arm");
    browser.click("#pin");
    browser.type_text(PIN);
    browser.click("#approve");
    assert_eq!(asking.await.expect("no panic"), APPROVED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_the_page_stands_a_notification_that_denies_and_opens_it_again() {
    let desktop = Desktop::start();
    let machine = Machine::new();
    let browser_script = machine.world.env.text("BROWSER").expect("a browser").to_owned();
    let world = desktop.world_with(&[("BROWSER", &browser_script)]);
    let tries = Arc::new(AtomicU32::new(0));
    let channel = Desk::new(&world)
        .channel(Tier::Pin, false)
        .await
        .expect("a channel");
    assert!(
        matches!(
            channel,
            Channel::Page {
                notification: Some(_),
                ..
            }
        ),
        "{channel}"
    );
    let mut asking = Asking::start(&world, pin_ask(card(), &tries));
    asking.shown().await;
    let first = machine.link().await;
    desktop.settle();
    desktop.screenshot("notification-beside-page");
    desktop.click(Button::Middle);
    let again = machine.link().await;
    assert_ne!(first, again, "a link is given out twice");
    assert!(!asking.answer.is_finished());
    desktop.settle();
    desktop.click(Button::Left);
    assert_eq!(asking.answer().await, Answer::Denied { via: "notification" });
    desktop.no_popup();
}
