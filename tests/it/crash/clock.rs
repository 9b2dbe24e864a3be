//! The clock is set while a card is up or a brake is on; the program stands still and goes on.
//!
//! The wall clock is the program's own through libfaketime; the monotonic one stays the machine's, as it does when a person
//! or a time server sets the clock, and when the machine sleeps (the wall clock goes on, the monotonic one does not).

use super::*;
use crate::support::desktop::Button;
use crate::trade::{Desk, bid, buy};
use std::path::PathBuf;
use std::time::Duration;

/// A wall clock that the test sets, in seconds beside the machine's.
struct Clock(PathBuf);

impl Clock {
    fn of(home: Home) -> (Home, Self) {
        let file = home.folder().join("clock");
        std::fs::create_dir_all(home.folder()).expect("a folder");
        let clock = Self(file);
        clock.set(0);
        let library = std::fs::read_dir("/usr/lib")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
            .find(|path| path.is_file())
            .expect("libfaketime is not installed: apt-get install libfaketime");
        let home = home
            .with("LD_PRELOAD", &library.to_string_lossy())
            .with("FAKETIME_TIMESTAMP_FILE", &clock.0.to_string_lossy())
            .with("FAKETIME_NO_CACHE", "1")
            .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .with("DONT_FAKE_MONOTONIC", "1")
            .with("NO_FAKE_STAT", "1");
        (home, clock)
    }

    /// In one step: a half-written file would be another time.
    fn set(&self, seconds: i64) {
        let whole = self.0.with_extension("new");
        std::fs::write(&whole, format!("{seconds:+}")).expect("written");
        std::fs::rename(&whole, &self.0).expect("in place");
    }
}

async fn desk_with_a_clock() -> (Desk, Clock) {
    let mut desk = Desk::new().await;
    let home = std::mem::replace(&mut desk.home, Home::new());
    let (home, clock) = Clock::of(home);
    desk.home = home;
    (desk, clock)
}

async fn set_while_a_card_is_up(seconds: i64) {
    let (desk, clock) = desk_with_a_clock().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &bid(4000.0)).await;
    clock.set(seconds);
    let told = client.result(id).await;
    assert_eq!(status(&told), "voided", "{}", text(&told));
    assert!(text(&told).contains("its clock was set"), "{}", text(&told));
    desk.desktop.no_popup();
    client.close().await;
    desk.check(&[], &["held", "voided"]).await;
}

#[tokio::test]
async fn set_forward_while_a_card_is_up() {
    set_while_a_card_is_up(3600).await;
}

#[tokio::test]
async fn set_back_while_a_card_is_up() {
    set_while_a_card_is_up(-3600).await;
}

/// Three seconds are a jump; what a time server corrects in small steps is none.
#[tokio::test]
async fn a_second_is_no_jump_and_three_are_one() {
    let (desk, clock) = desk_with_a_clock().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &bid(4000.0)).await;
    clock.set(1);
    desk.desktop.settle();
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    let id = desk.hold(&mut client, "PlaceOrder", &bid(4001.0)).await;
    clock.set(-2);
    assert_eq!(status(&client.result(id).await), "voided");
    client.close().await;
    desk.check(
        &["PlaceOrder"],
        &["held", "approved", "accepted", "held", "voided"],
    )
    .await;
}

/// Setting the clock back frees no brake, and a pause does not last for longer than a pause by it.
#[tokio::test]
async fn brakes_are_not_freed_by_setting_the_clock_back() {
    let yard = Yard::new().await;
    let (home, clock) = Clock::of(yard.home());
    let policy = std::fs::read_to_string(home.folder().join("config/policy.toml")).expect("the policy");
    home.file(
        "config/policy.toml",
        &policy.replace("version = 1\n", "version = 1\n[limits]\norders_per_minute = 1\n"),
    );
    let mut client = home.serve(&yard.sim).await.hello().await;
    let told = client.call("PlaceOrder", &bid(4000.0)).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    for seconds in [-1, -30, -3600, -86_400 * 30] {
        clock.set(seconds);
        let told = client.call("PlaceOrder", &bid(4001.0)).await;
        assert_eq!(
            told["structuredContent"]["code"], "orders_per_minute",
            "{seconds}: {told}"
        );
    }
    clock.set(0);
    home.file("config/policy.toml", &policy);
    let counters = home.folder().join("state/counters.json");
    let mut kept: Value =
        serde_json::from_slice(&std::fs::read(&counters).expect("the counters")).expect("JSON");
    let until_ms = now_ms() + 300_000;
    kept["pause_until"] = json!(until_ms);
    std::fs::write(&counters, kept.to_string()).expect("written");
    for seconds in [-1, -3600] {
        clock.set(seconds);
        let told = client.call("PlaceOrder", &bid(4002.0)).await;
        assert_eq!(told["structuredContent"]["code"], "paused", "{seconds}: {told}");
    }
    let settled = async || {
        let kept: Value = serde_json::from_slice(&std::fs::read(&counters).ok()?).ok()?;
        (kept["pause_until"].as_u64()? < until_ms - 3_000_000).then_some(())
    };
    until("the pause to end five minutes from the new time", settled).await;
    assert_eq!(yard.received(4001.0).await + yard.received(4002.0).await, 0);
    client.close().await;
    // Its lines bear times that go back; their order is that of the chain.
    verified(&home).await;
}

/// Milliseconds since 1970 by the machine's clock.
fn now_ms() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    u64::try_from(since.as_millis()).expect("soon")
}

fn signal(name: &str, pid: u32) {
    let done = std::process::Command::new("kill")
        .args([name, &pid.to_string()])
        .status();
    assert!(done.expect("kill").success());
}

/// Stopped for five seconds and gone on: the card's time ran on, an approval within it counts.
#[tokio::test]
async fn stopped_and_continued_within_the_deadline() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &bid(4000.0)).await;
    signal("-STOP", client.id());
    tokio::time::sleep(Duration::from_secs(5)).await;
    signal("-CONT", client.id());
    desk.desktop.settle();
    desk.desktop.click(Button::Middle);
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}

/// Stopped until the deadline of a market order (here 8 s) is past; the click fell in between, and the program sees it only
/// afterwards: it does not count.
#[tokio::test]
async fn approved_while_stopped_and_continued_after_the_deadline() {
    let desk = Desk::new().await;
    desk.home.file(
        "config/policy.toml",
        "version = 1\n[limits]\nmarket_ticket_seconds = 8\n",
    );
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    signal("-STOP", client.id());
    desk.desktop.click(Button::Middle);
    tokio::time::sleep(Duration::from_secs(10)).await;
    signal("-CONT", client.id());
    let told = client.result(id).await;
    assert!(
        ["expired", "voided"].contains(&status(&told)),
        "{}: {}",
        status(&told),
        text(&told)
    );
    assert_eq!(desk.sent("PlaceOrder").await, 0);
    assert_eq!(desk.sim.executed().await, [""; 0]);
}
