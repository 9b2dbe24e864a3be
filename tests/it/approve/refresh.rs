//! A card whose facts are read anew while a hand is at its buttons.

use super::*;
use crate::trade::Screen;

const APPROVED: Answer = Answer::Approved { via: "notification" };

fn mouse(desktop: &Desktop, words: &[&str]) {
    desktop.run("xdotool", "xdotool", words);
}

/// The same card with other prices.
fn moved(last: &str) -> Card {
    let mut moved = card();
    for line in &mut moved.lines {
        match line.label.as_str() {
            "market" => line.value = format!("last {last}  bid 6012  ask 6012.25"),
            "quote age" => "1 s".clone_into(&mut line.value),
            _ => {}
        }
    }
    moved
}

/// A card that can be read, with the mouse on its Approve.
async fn aimed(desktop: &Desktop) -> (Asking, Screen) {
    let screen = Screen::watch(desktop);
    let mut asking = Asking::click(&desktop.world());
    asking.shown().await;
    desktop.settle();
    let (x, y) = desktop.aim(Button::Middle);
    mouse(desktop, &["mousemove", &x, &y, "sleep", "0.2"]);
    (asking, screen)
}

/// The button is pressed, the price moves, the button is let go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_that_moves_takes_no_click_away() {
    let desktop = Desktop::start();
    let (asking, screen) = aimed(&desktop).await;
    mouse(&desktop, &["mousedown", "1"]);
    asking.updates.send(moved("6019.5")).expect("sent");
    tokio::time::sleep(Duration::from_millis(500)).await;
    mouse(&desktop, &["mouseup", "1"]);
    assert_eq!(asking.answer().await, APPROVED);
    assert!(!screen.text().contains("6019.5"));
    desktop.no_popup();
}

/// Prices are shown anew now and then: on the same buttons, in the same place, and a click right after it counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prices_are_shown_anew_without_asking_anew() {
    let desktop = Desktop::start();
    let (asking, screen) = aimed(&desktop).await;
    let before = (desktop.popups(), desktop.aim(Button::Middle));
    let mut sent = 0;
    while !screen.text().contains("6019.5") {
        assert!(sent < 150, "the price was never shown");
        asking.updates.send(moved("6019.5")).expect("sent");
        sent += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(before, (desktop.popups(), desktop.aim(Button::Middle)));
    mouse(&desktop, &["click", "1"]);
    assert_eq!(asking.answer().await, APPROVED);
}

/// What must be read is shown at once. A click that it meets half-way counts for nothing: it neither approves nor denies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_click_that_meets_news_does_not_deny() {
    let desktop = Desktop::start();
    let (asking, screen) = aimed(&desktop).await;
    mouse(&desktop, &["mousedown", "1"]);
    let mut news = card();
    news.lines[4] = line("position", "+2 -> 0", Mark::Changed);
    asking.updates.send(news).expect("sent");
    screen.until("CHANGED position").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    mouse(&desktop, &["mouseup", "1"]);
    desktop.settle();
    assert!(!asking.answer.is_finished(), "{:?}", asking.answer().await);
    desktop.click(Button::Middle);
    assert_eq!(asking.answer().await, APPROVED);
    desktop.no_popup();
}
