//! Clients that never stop writing: nothing else waits for them, and they do not fill the memory.

use super::peak_mib;
use crate::support::program::Home;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

/// An address at which nobody listens: none of this needs the service.
const NOWHERE: &str = "http://127.0.0.1:9/mcp";
/// Requests that are begun and taken back.
const MANY: usize = 100_000;
/// What they may leave in memory (MiB): a few dozen are under way at once.
const ROOM: u64 = 16;

/// A client that never stops writing keeps nothing else from happening: here, the end that it is told to come to.
#[tokio::test]
async fn a_flood_of_lines_holds_nothing_up() {
    let home = Home::new();
    let mut command = home.command(&["serve", "--url", NOWHERE]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let stdin = child.stdin.take().expect("a pipe");
    let stdin = stdin.into_owned_fd().expect("a pipe");
    let many = format!("{}\n", json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).repeat(1000);
    let floods = std::thread::spawn(move || {
        let mut stdin = std::fs::File::from(stdin);
        while stdin.write_all(many.as_bytes()).is_ok() {}
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    let pid = pid.and_then(Pid::from_raw).expect("it runs");
    kill_process(pid, Signal::TERM).expect("it runs");
    let ended = tokio::time::timeout(super::PATIENCE, child.wait()).await;
    child.kill().await.expect("it is ours");
    floods.join().expect("nobody reads any more");
    assert!(
        ended
            .expect("it ends when it is told to")
            .expect("a status")
            .success()
    );
}

/// Begins and cancels `MANY` requests as fast as the program takes them.
async fn takes_back(request: impl Fn(usize) -> Value + Send + 'static) {
    let home = Home::new();
    let mut command = home.command(&["serve", "--url", NOWHERE]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let process = child.id().expect("it runs");
    let stdin = child.stdin.take().and_then(|stdin| stdin.into_owned_fd().ok());
    let stdout = child.stdout.take().and_then(|stdout| stdout.into_owned_fd().ok());
    let mut stdin = std::fs::File::from(stdin.expect("a pipe"));
    let mut stdout = std::fs::File::from(stdout.expect("a pipe"));
    let talk = tokio::task::spawn_blocking(move || {
        let hello = json!({ "jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } });
        writeln!(stdin, "{hello}").expect("it reads");
        let mut some = [0; 64];
        assert_ne!(stdout.read(&mut some).expect("an answer"), 0);
        let before = peak_mib(process);
        let reads = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        for first in (0..MANY).step_by(100) {
            let lines: Vec<String> = (first..first + 100)
                .map(|id| {
                    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
                    format!("{}\n{cancel}\n", request(id))
                })
                .collect();
            stdin.write_all(lines.concat().as_bytes()).expect("it reads");
        }
        std::thread::sleep(Duration::from_secs(1));
        let after = peak_mib(process);
        drop(stdin);
        reads.join().expect("no panic").expect("its end");
        assert!(after < before + ROOM, "{before} MiB, then {after} MiB");
    });
    let talked = tokio::time::timeout(4 * super::PATIENCE, talk).await;
    child.kill().await.expect("it is ours");
    talked.expect("in time").expect("no panic");
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_leave_nothing() {
    takes_back(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "resources/list", "params": {} })).await;
}

#[tokio::test]
async fn streams_that_are_taken_back_at_once_leave_nothing() {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    takes_back(move |id| {
        let follows = json!({ "resourceSubscriptions": [format!("a://{id}")] });
        let params = json!({ "notifications": follows, "_meta": meta });
        json!({ "jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params })
    })
    .await;
}
