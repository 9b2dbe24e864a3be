//! The passkey at the page, apart from who holds the keys: what changes while it is used, and what the page never does.

use super::page::Machine;
use super::*;
use countersign::approve::WrongPin;
use countersign::approve::touch::{Brought, Progress, Step, Touch, Touched};
use countersign::passkey::Subject;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Takes any signature, after a while.
#[derive(Default)]
struct Slow {
    open: Arc<AtomicBool>,
    taken: Arc<AtomicU32>,
}

impl Touch for Slow {
    fn step(&self) -> Step {
        if self.open.load(Ordering::SeqCst) {
            Step::Sign(vec!["AAAA".to_owned()])
        } else {
            Step::Pin
        }
    }

    fn subject(&self, card: Option<&Card>) -> Subject {
        Subject {
            card: card.map(Card::text).unwrap_or_default(),
            ..Subject::verb("test", "")
        }
    }

    fn unlock(&self, _: SecretString) -> BoxFuture<'static, Result<(), WrongPin>> {
        self.open.store(true, Ordering::SeqCst);
        async { Ok(()) }.boxed()
    }

    fn take(&self, touched: Touched) -> BoxFuture<'static, Result<Progress, String>> {
        assert!(matches!(touched.brought, Brought::Signed(_)));
        self.taken.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(Progress::Done)
        }
        .boxed()
    }
}

fn asked(touch: Slow) -> Ask {
    Ask {
        tier: Tier::Passkey,
        touch: Some(Arc::new(touch)),
        ..ask(card(), 60)
    }
}

/// Brings something that looks like a signature for what stands on the page; gives back at once.
const BRING: &str = r"(async () => {
  const session = sessionStorage.getItem('session');
  const post = (path, body) => fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ session, ...body }) }).then((a) => a.json());
  const view = (await post('/state', {})).view;
  window.brought = null;
  post('/approve', { core: view.core, touch: { id: 'AAAA', clientDataJSON: 'AAAA', authenticatorData: 'AAAA', signature: 'AAAA' } }).then((told) => { window.brought = told; });
  return view.touch;
})()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_while_a_passkey_is_checked_is_asked_again() {
    let machine = Machine::new();
    let touch = Slow::default();
    let taken = touch.taken.clone();
    let mut browser = Browser::start();
    let mut asking = Asking::start(&machine.world, asked(touch));
    browser.open(&machine.link().await);
    browser.until("Day P/L");
    asking.shown().await;
    std::thread::sleep(Duration::from_millis(900));
    // Before the PIN there is no challenge, and a signature is not even looked at.
    assert!(browser.eval(BRING).is_null());
    browser.click("#pin");
    browser.type_text("any");
    browser.click("#approve");
    browser.until("The PIN is right");
    assert_eq!(taken.load(Ordering::SeqCst), 0);
    let first = browser.eval(BRING);
    assert!(first["challenge"].is_string(), "{first}");
    // It is being checked by now.
    for _ in 0..200 {
        if taken.load(Ordering::SeqCst) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let newer = Card {
        headline: "SELL 100 MES 12-26".to_owned(),
        ..card()
    };
    asking.updates.send_replace(newer);
    browser.until("SELL 100");
    for _ in 0..200 {
        if browser.eval("window.brought").is_object() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = browser.eval("window.brought.error");
    assert!(
        told.as_str()
            .unwrap_or_default()
            .contains("It changed while you answered"),
        "{told}"
    );
    assert_eq!(taken.load(Ordering::SeqCst), 1);
    // The new card has a challenge of its own.
    std::thread::sleep(Duration::from_millis(900));
    let second = browser.eval(BRING);
    assert_ne!(first["challenge"], second["challenge"]);
    assert_eq!(asking.answer().await, Answer::Approved { via: "page" });
}

/// The browser's dialog is up, and waits for a finger until it is told not to.
const WAITING: &str = r"navigator.credentials.get = (asked) => new Promise((_, no) => {
  window.waiting = true;
  asked.signal.addEventListener('abort', () => { window.waiting = false; no(new DOMException('over', 'AbortError')); });
})";

/// A challenge belongs to what stands on the page: a fact that changed ends it, and the dialog for it; a price does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_that_changed_is_not_signed_as_it_was() {
    let machine = Machine::new();
    let touch = Slow::default();
    touch.open.store(true, Ordering::SeqCst);
    let mut browser = Browser::start();
    let mut asking = Asking::start(&machine.world, asked(touch));
    let with = |position: &str, market: &str| Card {
        lines: vec![
            line("position", position, Mark::Plain),
            line("market", market, Mark::Plain),
        ],
        ..card()
    };
    asking.updates.send_replace(with("flat -> +1", "last 6012"));
    browser.open(&machine.link().await);
    browser.until("last 6012");
    asking.shown().await;
    std::thread::sleep(Duration::from_millis(900));
    browser.eval(WAITING);
    browser.click("#approve");
    browser.until("Now touch your passkey");
    asking.updates.send_replace(with("flat -> +1", "last 6013"));
    browser.until("last 6013");
    assert_eq!(browser.eval("window.waiting"), true);
    asking.updates.send_replace(with("+3 -> +4", "last 6013"));
    browser.until("It changed. Read it again, and press again.");
    assert_eq!(browser.eval("window.waiting"), false);
    // Pressed again, it is asked for again.
    browser.click("#approve");
    browser.until("Now touch your passkey");
    browser.click("#deny");
    assert_eq!(asking.answer().await, Answer::Denied { via: "page" });
}
