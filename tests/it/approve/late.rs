//! A popup that comes onto the screen when nobody waits for it any more is taken down again.

use super::*;
use crate::approve::servers::SlowServer;

async fn slow(desktop: &Desktop) -> SlowServer {
    let env = desktop.env();
    let (_, address) = env
        .iter()
        .find(|(name, _)| name == "DBUS_SESSION_BUS_ADDRESS")
        .expect("a bus");
    SlowServer::start(address).await
}

/// It is halted, or decided elsewhere, between the call that shows the card and its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_stopped_on_its_way_to_the_screen_does_not_stay_there() {
    let desktop = Desktop::without_notifications();
    let mut server = slow(&desktop).await;
    let asking = Asking::click(&desktop.world());
    server.until("the card", |asked| asked.shows == 1).await;
    asking.stop.cancel();
    server.let_one();
    assert_eq!(asking.answer().await, Answer::Stopped);
    assert_eq!(
        server.asked().closed,
        Some(7),
        "the next card would have found it on the screen"
    );
}

/// The same where the question is dropped half-way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_dropped_on_its_way_to_the_screen_does_not_stay_there() {
    let desktop = Desktop::without_notifications();
    let mut server = slow(&desktop).await;
    let asking = Asking::click(&desktop.world());
    server.until("the card", |asked| asked.shows == 1).await;
    asking.answer.abort();
    server.let_one();
    server
        .until("the end of the card", |asked| asked.closed == Some(7))
        .await;
}

/// The server hangs for longer than we wait, and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_comes_too_late_does_not_stay_there() {
    let desktop = Desktop::without_notifications();
    let mut server = slow(&desktop).await;
    let asking = Asking::click(&desktop.world_with(&[("DISPLAY", "")]));
    server.until("the card", |asked| asked.shows == 1).await;
    let answer = asking.answer().await;
    assert!(
        matches!(&answer, Answer::Nobody(why) if why.contains("Notify: no answer within 2 s")),
        "{answer:?}"
    );
    // Longer than any call on the bus may take.
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.let_one();
    server
        .until("the end of the card", |asked| asked.closed == Some(7))
        .await;
}

/// A notice with a button, whose offer is over before it can be seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_that_nobody_waits_for_does_not_stay_there() {
    let desktop = Desktop::without_notifications();
    let mut server = slow(&desktop).await;
    let desk = Desk::new(&desktop.world());
    let offer = |desk: Desk, stop: CancellationToken| async move {
        let notice = Notice {
            title: "New orders are paused".to_owned(),
            lines: vec!["Three denials.".to_owned()],
            lasting: true,
        };
        desk.offer(notice, "End the pause", stop).await
    };
    let dropped = tokio::spawn(offer(desk.clone(), CancellationToken::new()));
    server.until("the offer", |asked| asked.shows == 1).await;
    dropped.abort();
    assert!(dropped.await.is_err());
    server.let_one();
    server
        .until("the end of the offer", |asked| asked.closed == Some(7))
        .await;
}

/// And one that is dropped while it can be seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_dropped_while_it_stands_is_taken_down() {
    let desktop = Desktop::start();
    let desk = Desk::new(&desktop.world());
    let offering = tokio::spawn(async move {
        let notice = Notice {
            title: "New orders are paused".to_owned(),
            lines: vec!["Three denials.".to_owned()],
            lasting: true,
        };
        desk.offer(notice, "End the pause", CancellationToken::new())
            .await
    });
    tokio::task::block_in_place(|| desktop.popup());
    offering.abort();
    tokio::task::block_in_place(|| desktop.no_popup());
}
