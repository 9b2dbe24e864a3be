//! The page without a mouse, and what presses nothing: keys held down, scripts, a first moment.

use super::page::{APPROVED, Machine, PIN, pin_ask, read_it};
use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const DENIED: Answer = Answer::Denied { via: "page" };

fn focused(browser: &mut Browser) -> String {
    let id = browser.eval("document.activeElement.id");
    id.as_str().unwrap_or_default().to_owned()
}

async fn shown(machine: &Machine, browser: &mut Browser, asked: Ask) -> Asking {
    let mut asking = Asking::start(&machine.world, asked);
    browser.open(&machine.link().await);
    browser.until("Nothing was sent yet");
    asking.shown().await;
    let opens = "(async () => { while (document.activeElement.id !== 'deny' || document.getElementById('approve').disabled) \
                 await new Promise(requestAnimationFrame); return true; })()";
    assert_eq!(browser.eval(opens), true);
    asking
}

/// Enter on the page as it comes up denies; so does Escape from anywhere, also from the field of the PIN.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enter_and_escape_deny() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let tries = Arc::new(AtomicU32::new(0));
    for pin in [true, false] {
        let asked = if pin {
            pin_ask(card(), &tries)
        } else {
            ask(code_card(), 60)
        };
        let asking = shown(&machine, &mut browser, asked).await;
        browser.key("Enter", 13);
        assert_eq!(asking.answer().await, DENIED);
        browser.until("Denied. Nothing was sent.");
    }
    let asking = shown(&machine, &mut browser, pin_ask(card(), &tries)).await;
    browser.key("Tab", 9);
    assert_eq!(focused(&mut browser), "pin");
    browser.type_text(PIN);
    browser.key("Escape", 27);
    assert_eq!(asking.answer().await, DENIED);
    assert_eq!(tries.load(Ordering::SeqCst), 0);
}

/// Deny, PIN, Approve, Stop: in the order in which they stand. A PIN and Enter approve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keyboard_reaches_all_in_order_and_approves() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let tries = Arc::new(AtomicU32::new(0));
    let asking = shown(&machine, &mut browser, pin_ask(card(), &tries)).await;
    for id in ["deny", "pin", "approve", "halt"] {
        if id != "deny" {
            browser.key("Tab", 9);
        }
        assert_eq!(focused(&mut browser), id);
        let outline = browser.eval("getComputedStyle(document.activeElement).outlineStyle");
        assert_eq!(outline, "solid", "the focus on {id} is not seen");
    }
    browser.eval("document.getElementById('deny').focus()");
    browser.key("Tab", 9);
    browser.type_text(PIN);
    browser.key("Enter", 13);
    assert_eq!(asking.answer().await, APPROVED);
    assert_eq!(tries.load(Ordering::SeqCst), 1);
}

/// Enter and the space bar held down on Approve, and a script's own click, approve nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_held_down_and_a_script_approve_nothing() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let asking = shown(&machine, &mut browser, ask(code_card(), 60)).await;
    // The key went down before the focus came to Approve: all that arrives there is its repetition.
    for (key, code, text) in [("Enter", 13, "\r"), (" ", 32, " ")] {
        browser.eval("document.getElementById('approve').focus()");
        let event = serde_json::json!({
            "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text, "autoRepeat": true
        });
        for _ in 0..20 {
            browser.call("Input.dispatchKeyEvent", &event);
        }
    }
    browser.eval("document.getElementById('approve').click()");
    browser
        .eval("document.getElementById('approve').dispatchEvent(new MouseEvent('click', { bubbles: true }))");
    // Whatever had been sent would have been decided by the time of the next two answers of the server.
    let polled = "(async () => { let n = 0; const was = fetch; window.fetch = (u, o) => { if (u === '/state') n += 1; return was(u, o); }; \
                  while (n < 3) await new Promise(requestAnimationFrame); window.fetch = was; return true; })()";
    assert_eq!(browser.eval(polled), true);
    assert!(!asking.answer.is_finished());
    browser.eval("document.getElementById('approve').focus()");
    browser.key("Enter", 13);
    assert_eq!(asking.answer().await, APPROVED, "a key that is meant does");
}

/// In the first moment, and whenever the window comes back before the person, Approve is shut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approve_is_shut_for_the_first_moment() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let tries = Arc::new(AtomicU32::new(0));
    let asking = shown(&machine, &mut browser, pin_ask(card(), &tries)).await;
    let shut = "window.dispatchEvent(new Event('focus')); document.getElementById('approve').disabled";
    assert_eq!(browser.eval(shut), true);
    let since = Instant::now();
    let opens = "(async () => { while (document.getElementById('approve').disabled) \
                 await new Promise(requestAnimationFrame); return true; })()";
    assert_eq!(browser.eval(opens), true);
    assert!(
        since.elapsed() > Duration::from_millis(600),
        "{:?}",
        since.elapsed()
    );
    // Enter in the field is held to the same.
    browser.click("#pin");
    browser.type_text(PIN);
    browser.eval("window.dispatchEvent(new Event('focus'))");
    browser.key("Enter", 13);
    browser.until("too quick to be meant");
    assert_eq!(tries.load(Ordering::SeqCst), 0);
    read_it();
    browser.key("Enter", 13);
    assert_eq!(asking.answer().await, APPROVED);
}

/// The stop is a press of its own: a key on its way elsewhere does not stop everything, one that is meant does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_by_keyboard() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let asking = shown(&machine, &mut browser, ask(code_card(), 60)).await;
    browser.eval("document.getElementById('halt').focus(); window.dispatchEvent(new Event('focus'))");
    browser.key("Enter", 13);
    browser.until("Press it again to stop");
    assert!(!asking.answer.is_finished());
    read_it();
    browser.key("Enter", 13);
    assert_eq!(asking.answer().await, Answer::Halted { via: "page" });
}

/// Fifty questions are not fifty tabs: one that was answered in it closes by itself, where the browser lets it and
/// nobody touches it any more. One that ended in another way stays, and says what happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answered_tab_closes_by_itself() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let tabs = browser.tabs();
    for (touched, left) in [(false, 0), (true, 1)] {
        let mut asking = Asking::start(&machine.world, ask(code_card(), 60));
        browser.open_tab(&machine.link().await);
        browser.until("Nothing was sent yet");
        asking.shown().await;
        assert_eq!(browser.tabs(), tabs + 1);
        browser.click("#deny");
        assert_eq!(asking.answer().await, DENIED);
        browser.until("Denied. Nothing was sent. This tab may close by itself");
        if touched {
            browser.key("Shift", 16);
        }
        let end = Instant::now() + Duration::from_secs(7);
        while browser.tabs() > tabs && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(browser.tabs(), tabs + left, "touched: {touched}");
    }
}
