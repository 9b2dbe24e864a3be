//! The end of the program, whatever brings it: what is held is voided within two seconds, what was sent is awaited.

use super::*;
use crate::support::program::Client;
use crate::support::verb::Verb;
use crate::trade::{Desk, bid};
use std::time::{Duration, Instant};

/// The end within two seconds, and what a loaded machine needs beside.
const SOON: Duration = Duration::from_secs(5);
/// The same with an order that is on its way.
const LATER: Duration = Duration::from_secs(11);

fn signal(name: &str, pid: u32) {
    let done = std::process::Command::new("kill")
        .args([name, &pid.to_string()])
        .status();
    assert!(done.expect("kill").success());
}

async fn signalled_while_held(name: &str) {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    desk.hold(&mut client, "PlaceOrder", &bid(4000.0)).await;
    signal(name, client.id());
    let began = Instant::now();
    client.ended().await;
    assert!(began.elapsed() < SOON, "{name}: {:?}", began.elapsed());
    desk.desktop.no_popup();
    desk.check(&[], &["held", "voided"]).await;
}

#[tokio::test]
async fn sigterm_while_held() {
    signalled_while_held("-TERM").await;
}

#[tokio::test]
async fn sigint_while_held() {
    signalled_while_held("-INT").await;
}

#[tokio::test]
async fn sighup_while_held() {
    signalled_while_held("-HUP").await;
}

/// An order is on its way and its answer takes three seconds: it is awaited and written down, whatever ends the program.
#[tokio::test]
async fn what_was_sent_is_awaited() {
    let yard = Yard::new().await;
    let stall = json!({ "kind": "stall", "tool": "PlaceOrder", "scope": "mcp:trade", "seconds": 3, "when": "after", "times": 0 });
    yard.sim.post("fault", &stall).await;
    for (n, end) in (0..).zip(["-TERM", "-INT", "-HUP", "eof", "call"]) {
        let (price, home) = (4000.0 + f64::from(n), yard.home());
        if end == "call" {
            let arguments = bid(price).to_string();
            let verb = Verb::start(&home, &["call", "--url", &yard.sim.url, "PlaceOrder", &arguments]);
            on_its_way(&yard, price).await;
            signal("-INT", verb.id());
            let (code, _, said) = verb.end().await;
            assert_ne!(code, 0, "{said}");
            assert!(said.contains("countersign journal show"), "{said}");
        } else {
            let mut client: Client = home.serve(&yard.sim).await.hello().await;
            client.send_call("PlaceOrder", &bid(price)).await;
            on_its_way(&yard, price).await;
            let began = Instant::now();
            if end == "eof" {
                client.close().await;
            } else {
                signal(end, client.id());
                client.ended().await;
            }
            assert!(began.elapsed() < LATER, "{end}: {:?}", began.elapsed());
        }
        assert_eq!(kinds(&home), ["held", "approved", "accepted"], "{end}");
        assert_eq!(yard.executed(price).await, 1, "{end}");
        verified(&home).await;
    }
}

/// The answer comes just as the short time of the end runs out: it is written down all the same.
#[tokio::test]
async fn an_answer_at_the_very_end_is_written_down() {
    let yard = Yard::new().await;
    for n in 0..8_u32 {
        let seconds = 1.72 + 0.02 * f64::from(n);
        let (price, home) = (4000.0 + f64::from(n), yard.home());
        let stall = json!({ "kind": "stall", "tool": "PlaceOrder", "scope": "mcp:trade", "seconds": seconds, "when": "after", "times": 1 });
        yard.sim.post("fault", &stall).await;
        let mut client: Client = home.serve(&yard.sim).await.hello().await;
        client.send_call("PlaceOrder", &bid(price)).await;
        on_its_way(&yard, price).await;
        client.close().await;
        assert_eq!(kinds(&home), ["held", "approved", "accepted"], "{seconds} s");
    }
}

async fn on_its_way(yard: &Yard, price: f64) {
    until("the order on its way", async || {
        (yard.received(price).await == 1).then_some(())
    })
    .await;
}

/// The client's process dies, and something else still holds the program's stdin open: here the test does.
#[tokio::test]
async fn the_parent_dies_and_stdin_stays_open() {
    let desk = Desk::new().await;
    let pid_file = desk.home.folder().join("pid");
    let mut command = tokio::process::Command::from(desk.home.shell("sh"));
    let script = r#"exec 3<&0; "$0" serve --url "$1" <&3 & echo $! >"$2"; wait"#;
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_countersign"), &desk.sim.url])
        .arg(&pid_file)
        .kill_on_drop(true);
    let mut client = Home::start(command).hello().await;
    desk.hold(&mut client, "PlaceOrder", &bid(4000.0)).await;
    let pid = std::fs::read_to_string(&pid_file).expect("its process id");
    let alive = std::path::PathBuf::from(format!("/proc/{}", pid.trim()));
    assert!(alive.exists());
    signal("-KILL", client.id());
    let began = Instant::now();
    until("its end", async || (!alive.exists()).then_some(())).await;
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    desk.desktop.no_popup();
    desk.check(&[], &["held", "voided"]).await;
    drop(client);
}
