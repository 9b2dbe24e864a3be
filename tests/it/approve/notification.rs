//! The desktop notification: clicks that count, and everything that must not.

use super::*;
use crate::approve::servers;
use std::process::{Command, Stdio};

const OBJECT: &str = "/org/freedesktop/Notifications";
const APPROVED: Answer = Answer::Approved { via: "notification" };
const DENIED: Answer = Answer::Denied { via: "notification" };
const HALTED: Answer = Answer::Halted { via: "notification" };

/// Shows a card, lets something happen to it, and tells the answer. The screen must be empty afterwards.
async fn check(desktop: &Desktop, picture: &str, happen: impl FnOnce(&Desktop)) -> Answer {
    let mut asking = Asking::click(&desktop.world());
    asking.shown().await;
    desktop.settle();
    desktop.screenshot(picture);
    happen(desktop);
    let answer = asking.answer().await;
    desktop.no_popup();
    answer
}

fn tampered(answer: &Answer, with: &str) {
    assert!(
        matches!(answer, Answer::Tampered(why) if why.contains(with)),
        "{answer:?}"
    );
}

fn is_nobody(answer: &Answer, with: &str) {
    assert!(
        matches!(answer, Answer::Nobody(why) if why.contains(with)),
        "{answer:?}"
    );
}

/// Another program of the same user calls the notification server.
fn call(desktop: &Desktop, method: &str, arguments: &[&str]) {
    let method = format!("org.freedesktop.Notifications.{method}");
    let mut all = vec![
        "call",
        "--session",
        "-d",
        "org.freedesktop.Notifications",
        "-o",
        OBJECT,
        "-m",
        &method,
    ];
    all.extend(arguments);
    desktop.gdbus(&all);
}

/// Another program of the same user says that this button was pressed.
fn forge(desktop: &Desktop, key: &str) {
    let signal = "org.freedesktop.Notifications.ActionInvoked";
    desktop.gdbus(&[
        "emit",
        "--session",
        "--object-path",
        OBJECT,
        "--signal",
        signal,
        "uint32 1",
        key,
    ]);
}

fn rewrite(desktop: &Desktop) {
    let more = [
        "Countersign",
        "uint32 1",
        "",
        "SIM  Sim101  BUY 1 MES 12-26",
        "harmless",
    ];
    let buttons = ["['approve', 'Approve']", "{'urgency': <byte 2>}", "int32 0"];
    call(desktop, "Notify", &[&more[..], &buttons].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_three_buttons_say_what_they_do() {
    let desktop = Desktop::start();
    assert_eq!(
        check(&desktop, "notification-approve", |d| d.click(Button::Middle)).await,
        APPROVED
    );
    assert_eq!(
        check(&desktop, "notification-deny", |d| d.click(Button::Left)).await,
        DENIED
    );
    assert_eq!(
        check(&desktop, "notification-stop", |d| d.click(Button::Right)).await,
        HALTED
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_the_popup_denies() {
    let desktop = Desktop::start();
    assert_eq!(
        check(&desktop, "notification-close", Desktop::click_text).await,
        DENIED
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_click_in_the_first_moment_is_ignored_and_asked_again() {
    let desktop = Desktop::start();
    let world = desktop.world();
    for _ in 0..6 {
        let mut asking = Asking::click(&world);
        asking.shown().await;
        let since = Instant::now();
        desktop.click(Button::Middle);
        if since.elapsed() > Duration::from_millis(650) {
            // This machine was too slow for an early click: that says nothing, try again.
            asking.stop.cancel();
            asking.answer().await;
            desktop.no_popup();
            continue;
        }
        desktop.settle();
        assert!(!asking.answer.is_finished(), "the early click decided");
        desktop.click(Button::Middle);
        assert_eq!(asking.answer().await, APPROVED);
        return;
    }
    panic!("no click came within the first moment in six tries");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_click_is_tampering_even_with_the_right_key() {
    let desktop = Desktop::start();
    let mut spy = Command::new("dbus-monitor");
    spy.args([
        "--session",
        "interface=org.freedesktop.Notifications,member=Notify",
    ]);
    spy.env_clear()
        .envs(desktop.env())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let log = desktop.folder().join("spy.log");
    spy.stdout(std::fs::File::create(&log).expect("a log"));
    let mut spy = spy
        .spawn()
        .expect("`dbus-monitor` is not installed: apt-get install dbus-bin");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let answer = check(&desktop, "notification-forged", |d| {
        let seen = std::fs::read_to_string(&log).expect("what was seen");
        let strings: Vec<&str> = seen
            .lines()
            .filter_map(|l| l.trim().strip_prefix("string \""))
            .collect();
        let label = strings
            .iter()
            .position(|s| s.starts_with("Approve SELL"))
            .expect("the label was seen");
        forge(d, strings[label - 1].trim_end_matches('"'));
    })
    .await;
    let _ = spy.kill();
    let _ = spy.wait();
    tampered(&answer, "forged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewritten_popup_is_tampering() {
    let desktop = Desktop::start();
    let answer = check(&desktop, "notification-before-rewrite", |d| {
        rewrite(d);
        if !d.popups().is_empty() {
            d.click(Button::Middle);
        }
    })
    .await;
    tampered(&answer, "rewrote");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_popup_closed_by_another_program_is_tampering() {
    let desktop = Desktop::start();
    let answer = check(&desktop, "notification-before-close", |d| {
        call(d, "CloseNotification", &["1"]);
    })
    .await;
    tampered(&answer, "closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_or_is_replaced_is_tampering() {
    let mut desktop = Desktop::start();
    let mut asking = Asking::click(&desktop.world());
    asking.shown().await;
    desktop.kill_notifications();
    tampered(&asking.answer().await, "stopped or replaced");
}

/// Where nobody may watch the bus, the page decides and the popup beside it carries no Approve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_may_watch_the_popup_cannot_approve() {
    let desktop = Desktop::start_unwatched();
    let machine = page::Machine::new();
    let script = machine.world.env.text("BROWSER").expect("a browser").to_owned();
    let world = desktop.world_with(&[("BROWSER", &script)]);
    let channel = Desk::new(&world)
        .channel(Tier::Click, false)
        .await
        .expect("a channel");
    assert!(
        matches!(
            channel,
            Channel::Page {
                notification: Some(_),
                why: Some(_),
                ..
            }
        ),
        "{channel}"
    );
    assert!(channel.to_string().contains("does not let us watch"), "{channel}");
    let mut asking = Asking::click(&world);
    asking.shown().await;
    let first = machine.link().await;
    desktop.settle();
    desktop.screenshot("notification-unwatched");
    forge(&desktop, "approve");
    desktop.click(Button::Middle);
    assert_ne!(machine.link().await, first, "the middle button opens the page");
    assert!(!asking.answer.is_finished());
    desktop.settle();
    desktop.click(Button::Left);
    assert_eq!(asking.answer().await, DENIED);
    desktop.no_popup();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_may_watch_and_no_browser_is_there_nobody_is_asked() {
    let desktop = Desktop::start_unwatched();
    let world = desktop.world_with(&[("DISPLAY", "")]);
    let answer = Asking::click(&world).answer().await;
    is_nobody(&answer, "does not let us watch");
    is_nobody(&answer, "countersign watch");
    let told = Desk::new(&world)
        .channel(Tier::Click, false)
        .await
        .expect_err("no channel");
    assert!(told.contains("does not let us watch"), "{told}");
    assert!(desktop.popups().is_empty());
}

/// Plasma's own way to press a button from outside: the real server would say that it was pressed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn controls_of_a_server_are_tampering() {
    let desktop = Desktop::start();
    let answer = check(&desktop, "notification-before-controls", |d| {
        let to = [
            "call",
            "--session",
            "-d",
            "org.freedesktop.Notifications",
            "-o",
            OBJECT,
            "-m",
        ];
        d.gdbus(&[&to[..], &["org.freedesktop.Notifications.GetCapabilities"]].concat());
        d.gdbus(
            &[
                &to[..],
                &["org.kde.NotificationManager.InvokeAction", "uint32 1", "approve"],
            ]
            .concat(),
        );
    })
    .await;
    tampered(&answer, "InvokeAction");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_that_nothing_checks_asks_nobody() {
    let desktop = Desktop::start();
    let unchecked = Ask {
        tier: Tier::Pin,
        ..ask(card(), 20)
    };
    let answer = Asking::start(&desktop.world(), unchecked).answer().await;
    is_nobody(&answer, "needs your PIN");
    assert!(desktop.popups().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_nobody_is_asked_and_that_is_said_at_once() {
    let desktop = Desktop::without_notifications();
    let world = desktop.world_with(&[("DISPLAY", "")]);
    let since = Instant::now();
    let answer = Asking::click(&world).answer().await;
    is_nobody(&answer, "no notification server runs");
    is_nobody(&answer, "countersign watch");
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    let no_bus = desktop.world_with(&[
        ("DISPLAY", ""),
        ("DBUS_SESSION_BUS_ADDRESS", ""),
        ("XDG_RUNTIME_DIR", ""),
    ]);
    is_nobody(&Asking::click(&no_bus).answer().await, "no D-Bus session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_keeps_nobody_waiting() {
    let desktop = Desktop::start();
    let world = desktop.world_with(&[("DISPLAY", "")]);
    let mut before = Asking::start(&world, ask(card(), 2));
    before.shown().await;
    desktop.freeze_notifications();
    assert_eq!(before.answer().await, Answer::Expired);
    let since = Instant::now();
    is_nobody(&Asking::click(&world).answer().await, "no answer within 2 s");
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_cannot_ask_are_not_used() {
    let desktop = Desktop::without_notifications();
    let world = desktop.world_with(&[("DISPLAY", "")]);
    let env = desktop.env();
    let (_, address) = env
        .iter()
        .find(|(name, _)| name == "DBUS_SESSION_BUS_ADDRESS")
        .expect("a bus");
    let dumb = servers::notifications(address, &["body"], false).await;
    is_nobody(&Asking::click(&world).answer().await, "shows no buttons");
    drop(dumb);
    let paused = servers::notifications(address, &["body", "actions"], true).await;
    is_nobody(&Asking::click(&world).answer().await, "paused");
    drop(paused);
    let _good = servers::notifications(address, &["body", "actions"], false).await;
    let _lock = servers::locked_screen(address).await;
    is_nobody(&Asking::click(&world).answer().await, "screen saver");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_end_closes_the_popup() {
    let desktop = Desktop::start();
    let world = desktop.world();
    let mut expiring = Asking::start(&world, ask(card(), 2));
    expiring.shown().await;
    desktop.popup();
    assert_eq!(expiring.answer().await, Answer::Expired);
    desktop.no_popup();

    let mut stopped = Asking::click(&world);
    stopped.shown().await;
    desktop.popup();
    stopped.stop.cancel();
    assert_eq!(stopped.answer().await, Answer::Stopped);
    desktop.no_popup();

    let mut dropped = Asking::click(&world);
    dropped.shown().await;
    desktop.popup();
    dropped.answer.abort();
    desktop.no_popup();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_popup_of_a_dead_process_is_closed_by_the_next() {
    let desktop = Desktop::start();
    let world = desktop.world();
    let dying = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (left_world, (tell, shown)) = (world.clone(), oneshot::channel());
    dying.spawn(async move {
        let (_updates, cards) = watch::channel(card());
        Desk::new(&left_world)
            .ask(ask(card(), 20), cards, CancellationToken::new(), tell)
            .await
    });
    shown.await.expect("shown");
    dying.shutdown_background();
    desktop.popup();
    let mut asking = Asking::click(&world);
    asking.shown().await;
    desktop.settle();
    assert_eq!(desktop.popups().len(), 1, "the dead one's popup is still there");
    desktop.click(Button::Middle);
    assert_eq!(asking.answer().await, APPROVED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_card_at_a_time_and_exits_first() {
    let desktop = Desktop::start();
    let world = desktop.world();
    let mut entry = Asking::click(&world);
    entry.shown().await;
    let mut second = Asking::click(&world);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(second.shown.try_recv().is_err(), "two cards at once");
    let flatten = Card {
        headline: "FLATTEN MES".to_owned(),
        approve: "Approve FLATTEN MES".to_owned(),
        class: Class::Exit,
        ..card()
    };
    let since = Instant::now();
    let mut exit = Asking::start(&world, ask(flatten, 20));
    exit.shown().await;
    let waited = since.elapsed();
    assert!(waited < Duration::from_millis(1500), "the exit waited {waited:?}");
    desktop.settle();
    assert_eq!(desktop.popups().len(), 1);
    desktop.screenshot("notification-exit-first");
    desktop.click(Button::Middle);
    assert_eq!(exit.answer().await, APPROVED);
    entry.stop.cancel();
    assert_eq!(entry.answer().await, Answer::Stopped);
    second.shown().await;
    desktop.settle();
    desktop.click(Button::Left);
    assert_eq!(second.answer().await, DENIED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_card_replaces_the_text_and_its_changes_are_marked() {
    let desktop = Desktop::start();
    let mut asking = Asking::click(&desktop.world());
    asking.shown().await;
    let mut newer = card();
    newer.lines[4] = line("position", "+2 -> 0", Mark::Changed);
    newer.lines[5] = line("market", "last 6019.5  bid 6019.25  ask 6019.5", Mark::Changed);
    asking.updates.send(newer).expect("sent");
    desktop.settle();
    desktop.screenshot("notification-changed");
    assert_eq!(desktop.popups().len(), 1);
    desktop.click(Button::Middle);
    assert_eq!(asking.answer().await, APPROVED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_wrote_is_shown_as_plain_ascii() {
    let desktop = Desktop::start();
    let mut hostile = card();
    hostile.account = "PA<b>\u{202E}SIM</b>\nREAL".to_owned();
    hostile.client = "x\n\n<span foreground='white'>hidden</span>&amp;".to_owned();
    hostile.lines[0] = line("Type", "MARKET\u{200B}\u{1b}[2J", Mark::Plain);
    let mut asking = Asking::start(&desktop.world(), ask(hostile, 20));
    asking.shown().await;
    desktop.settle();
    desktop.screenshot("notification-injection");
    desktop.click(Button::Left);
    assert_eq!(asking.answer().await, DENIED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_are_shown() {
    let desktop = Desktop::start();
    let notice = Notice {
        title: "POSITION UNPROTECTED".to_owned(),
        lines: vec!["LIVE PA-123456 MES 12-26: the stop was not approved.".to_owned()],
        lasting: true,
    };
    assert!(Desk::new(&desktop.world()).notice(notice.clone()).await);
    desktop.settle();
    desktop.screenshot("notice-lasting");
    let nowhere = desktop.world_with(&[("DBUS_SESSION_BUS_ADDRESS", ""), ("XDG_RUNTIME_DIR", "")]);
    assert!(!Desk::new(&nowhere).notice(notice).await);
}
