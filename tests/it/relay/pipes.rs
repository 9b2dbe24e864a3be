//! What stdin and stdout may be: pipes (every other test), sockets as Node.js gives its children, files.

use crate::support::program::Home;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

/// An address at which nobody listens: none of this needs the service.
const NOWHERE: &str = "http://127.0.0.1:9/mcp";
/// More than a socket holds, in small answers.
const PINGS: u64 = 20_000;

fn hello() -> Value {
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } })
}

fn ping(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "ping" })
}

fn id_of(line: &str) -> Option<u64> {
    let message: Value = serde_json::from_str(line).expect("a whole line is a message");
    message["id"].as_u64()
}

#[tokio::test]
async fn a_file_is_read_to_its_end_and_answered_into_a_file() {
    let home = Home::new();
    let lines: Vec<String> = std::iter::once(hello())
        .chain((1..4).map(ping))
        .map(|message| message.to_string())
        .collect();
    // The last line without an end.
    home.meddle("asked", &lines.join("\n"));
    home.meddle("answered", "");
    let file = |name: &str| home.folder().join(name);
    let asked = std::fs::File::open(file("asked")).expect("a file");
    let answered = std::fs::File::create(file("answered")).expect("a file");
    let mut command = home.command(&["serve", "--url", NOWHERE]);
    command
        .stdin(Stdio::from(asked))
        .stdout(Stdio::from(answered))
        .stderr(Stdio::null());
    let ended = tokio::time::timeout(super::PATIENCE, command.status()).await;
    assert!(ended.expect("it ends").expect("it started").success());
    let answered = std::fs::read_to_string(file("answered")).expect("a file");
    let ids: Vec<u64> = answered.lines().filter_map(id_of).collect();
    assert_eq!(ids, [0, 1, 2, 3], "{answered}");
}

#[tokio::test]
async fn on_a_socket_nothing_is_lost_or_torn_when_the_client_reads_late() {
    reads_late(false).await;
}

/// Whoever has the same end of a pipe may make it non-blocking, at any time and for all who have it.
#[tokio::test]
async fn nothing_is_lost_on_a_pipe_that_somebody_made_non_blocking() {
    reads_late(true).await;
}

async fn reads_late(non_blocking: bool) {
    let home = Home::new();
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    theirs.set_nonblocking(non_blocking).expect("a socket");
    let both = theirs.try_clone().expect("a copy");
    let mut command = home.command(&["serve", "--url", NOWHERE]);
    command
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::from(OwnedFd::from(both)))
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    drop(command);
    let talk = tokio::task::spawn_blocking(move || {
        let mut writer = ours.try_clone().expect("a copy");
        let asks = std::thread::spawn(move || {
            writeln!(writer, "{}", hello()).expect("it reads");
            for id in 1..=PINGS {
                writeln!(writer, "{}", ping(id)).expect("it reads");
            }
            writer
        });
        // By now the socket is full of answers, and a thread of the program's waits for room.
        std::thread::sleep(Duration::from_millis(700));
        let mut reader = BufReader::new(ours);
        let mut next = 0;
        let mut line = String::new();
        while next <= PINGS {
            line.clear();
            assert_ne!(
                reader.read_line(&mut line).expect("a line"),
                0,
                "it ended at {next}"
            );
            if let Some(id) = id_of(&line) {
                assert_eq!(id, next, "in order, each once");
                next += 1;
            }
        }
        let writer = asks.join().expect("all was asked");
        writer.shutdown(Shutdown::Write).expect("an end");
        let mut rest = String::new();
        reader.read_to_string(&mut rest).expect("its end");
        assert!(rest.lines().all(|line| id_of(line).is_none()), "{rest}");
    });
    let talked = tokio::time::timeout(4 * super::PATIENCE, talk).await;
    talked.expect("in time").expect("no panic");
    let ended = tokio::time::timeout(super::PATIENCE, child.wait()).await;
    assert!(
        ended
            .expect("it ends with its stdin")
            .expect("a status")
            .success()
    );
}

#[tokio::test]
async fn a_terminal_that_somebody_made_non_blocking_is_not_at_its_end() {
    let home = Home::new();
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("a terminal");
    let name = ptsname(&ours, Vec::new()).expect("its name");
    let how = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK;
    let theirs = rustix::fs::open(name, how, Mode::empty()).expect("its other end");
    let mut command = home.command(&["serve", "--url", NOWHERE]);
    command
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    drop(command);
    let mut answers = BufReader::new(std::fs::File::from(
        child
            .stdout
            .take()
            .expect("a pipe")
            .into_owned_fd()
            .expect("a pipe"),
    ));
    // By now it has looked for a line and found none.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(
        child.try_wait().expect("a status"),
        None,
        "it waits for the first line"
    );
    let mut ours = std::fs::File::from(ours);
    writeln!(ours, "{}", ping(7)).expect("it reads");
    let reads = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        answers.read_line(&mut line).expect("a line");
        line
    });
    let line = tokio::time::timeout(super::PATIENCE, reads).await;
    assert_eq!(id_of(&line.expect("in time").expect("no panic")), Some(7));
}
