//! A person at a terminal.

use super::terminal::start;
use super::*;
use crate::support::desktop::{Button, Desktop};
use crate::support::terminal::Terminal;
use crate::support::verb::Opened;

/// Answers what comes before the practice order, for a new person; the practice is asked about next.
async fn until_practice(terminal: &Terminal, sim: &Sim) {
    terminal.consent(sim, 0).await;
    terminal
        .answer("trade through your AI from this computer? [no]", "yes")
        .await;
    rules(terminal).await;
    terminal.answer("click, pin or passkey? [pin]", "").await;
    terminal.answer("Your phrase (Enter: none)", "blue heron").await;
    pin(terminal).await;
    terminal.consent(sim, 1).await;
    terminal.answer("Write this? [no]", "yes").await;
}

async fn rules(terminal: &Terminal) {
    terminal.answer("PA-123456 is [live]", "funded").await;
    terminal.answer("Most contracts in one order", "MES 2").await;
    terminal.answer("Most contracts in all", "").await;
    terminal.answer("From-to, or any", "any").await;
    terminal.answer("or none [300]", "500").await;
}

async fn pin(terminal: &Terminal) {
    terminal.answer("Your PIN for this sign-in", PIN).await;
    terminal.answer("The same again", PIN).await;
}

/// Over SSH: no desktop, no bus, no browser. The terminal itself asks.
#[tokio::test]
async fn a_new_person_denies_the_practice_order_and_then_approves_it() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let cursor = with_cursor(&person(&home));
    let terminal = start(&home, &sim, &["--no-browser"]);
    until_practice(&terminal, &sim).await;
    terminal.answer("Practise now? [yes]", "").await;
    terminal
        .answer("DENY this one: the question comes up right here", "")
        .await;
    terminal.answer("Type approve, deny or stop", "deny").await;
    terminal.until("Denied. NOTHING was sent to CrossTrade.").await;
    assert!(sim.executed().await.is_empty());
    terminal.answer("then APPROVE this one", "").await;
    terminal.until_times("Type approve, deny or stop", 2).await;
    terminal.type_line("approve").await;
    terminal.answer("PIN (not shown)", PIN).await;
    terminal.until("sent ONCE, at the moment of your approval").await;
    assert_eq!(sim.executed().await, ["PlaceOrder"]);
    terminal
        .answer("APPROVE the cancel: the question comes up", "")
        .await;
    terminal.until_times("Type approve, deny or stop", 3).await;
    terminal.type_line("approve").await;
    terminal.until_times("PIN (not shown)", 2).await;
    terminal.type_line(PIN).await;
    let screen = terminal.until("[exit 0]").await;
    assert_eq!(sim.executed().await, ["PlaceOrder", "CancelOrder"]);
    for said in [
        "countersign halt",
        "no question can be shown here now",
        "Your phrase: blue heron",
        "Paste this into it",
    ] {
        assert!(screen.contains(said), "{said}: {screen}");
    }
    assert!(
        std::fs::read_to_string(&cursor)
            .expect("a file")
            .contains("countersign")
    );
    for line in terminal.screen().lines().filter(|line| !line.contains("http")) {
        let told = line.chars().count() <= 80 || line.contains(home.folder().to_str().expect("text"));
        assert!(
            told || line.contains("target/"),
            "wider than 80 columns: {line:?}"
        );
    }
    // The second run has nothing to ask.
    let again = start(&home, &sim, &["--no-browser"]);
    let screen = again.until("[exit 0]").await;
    for already in [
        "reading already",
        "rules already",
        "approval already",
        "trading already",
        "clients already",
        "practice already",
    ] {
        assert!(screen.contains(already), "{already}: {screen}");
    }
    assert_eq!(sim.executed().await.len(), 2);
}

/// Whatever question is left with Ctrl-C: what is finished stays and is not asked again, and the next run goes on.
#[tokio::test]
async fn ctrl_c_at_any_question_leaves_a_state_that_setup_goes_on_from() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let cursor = with_cursor(&person(&home));
    let start = || start(&home, &sim, &["--no-browser"]);
    start().leave_at("Paste the address here").await;
    let trade = "trade through your AI from this computer?";
    let terminal = start();
    terminal.consent(&sim, 0).await;
    terminal.leave_at(trade).await;
    let terminal = start();
    terminal.answer(trade, "yes").await;
    terminal.answer("PA-123456 is [live]", "eval").await;
    terminal.leave_at("Most contracts in one order").await;
    assert!(!home.folder().join("config/policy.toml").exists());
    let terminal = start();
    terminal.answer(trade, "yes").await;
    // The question about the account came before, and nothing of it was written.
    rules(&terminal).await;
    terminal.leave_at("click, pin or passkey?").await;
    let policy = std::fs::read(home.folder().join("config/policy.toml")).expect("rules");
    let terminal = start();
    terminal.answer(trade, "yes").await;
    terminal.answer("click, pin or passkey?", "pin").await;
    terminal.leave_at("Your phrase").await;
    let terminal = start();
    terminal.answer(trade, "yes").await;
    terminal.answer("Your phrase", "").await;
    // A weak one is asked for again at once, and does not show; after three, setup asks whether to go on.
    for time in 1..=3 {
        terminal.until_times("Your PIN for this sign-in", time).await;
        terminal.type_line("short").await;
    }
    let screen = terminal.until("Try it again?").await;
    assert!(!screen.contains("short"), "{screen}");
    terminal.leave_at("Try it again?").await;
    let terminal = start();
    terminal.answer(trade, "yes").await;
    pin(&terminal).await;
    terminal.leave_at("Paste the address here").await;
    let terminal = start();
    terminal.answer(trade, "yes").await;
    pin(&terminal).await;
    terminal.consent(&sim, 0).await;
    terminal.leave_at("Write this?").await;
    assert_eq!(std::fs::read_to_string(&cursor).expect("a file"), CURSOR);
    let terminal = start();
    terminal.answer("Write this?", "yes").await;
    let screen = terminal.screen();
    assert!(!screen.contains(trade), "{screen}");
    terminal.leave_at("Practise now?").await;
    let terminal = start();
    terminal.answer("Practise now?", "no").await;
    terminal.until("[exit 0]").await;
    assert!(sim.executed().await.is_empty());
    assert_eq!(
        std::fs::read(home.folder().join("config/policy.toml")).expect("rules"),
        policy
    );
    let (code, status, _) = home.run(&["status", "--json", "--url", &sim.url]).await;
    assert_eq!(code, 0, "{status}");
    assert!(status.contains(r#""tier":"pin""#), "{status}");
}

/// On a desktop, in tier click: a real notification, and a real mouse.
#[tokio::test]
async fn on_a_desktop_the_notification_is_denied_and_then_approved() {
    let (desktop, sim) = (Desktop::start(), Sim::start(&[]));
    let opened = Opened::in_folder(&desktop.folder().join("person"));
    let home = Home::on(desktop.folder(), desktop.env())
        .with("COUNTERSIGN_STORE", "file")
        .with("BROWSER", &opened.script.display().to_string());
    let terminal = start(&home, &sim, &["--no-clients"]);
    let consent = async |which: usize| {
        let address = opened.nth(which).await;
        sim.http()
            .get(address)
            .send()
            .await
            .expect("the person's browser");
    };
    consent(0).await;
    terminal.answer("trade through your AI", "yes").await;
    rules(&terminal).await;
    terminal.answer("click, pin or passkey? [pin]", "click").await;
    // Real money is there, so it is asked once more.
    terminal.answer("A click all the same? [no]", "yes").await;
    terminal.answer("Your phrase", "").await;
    consent(1).await;
    terminal.answer("Practise now? [yes]", "").await;
    terminal
        .answer("DENY this one: the question comes up on your screen", "")
        .await;
    desktop.settle();
    desktop.click(Button::Left);
    terminal.until("Denied. NOTHING was sent to CrossTrade.").await;
    assert!(sim.executed().await.is_empty());
    terminal.answer("then APPROVE this one", "").await;
    desktop.settle();
    desktop.click(Button::Middle);
    terminal.until("sent ONCE, at the moment of your approval").await;
    assert_eq!(sim.executed().await, ["PlaceOrder"]);
    // Left working, and said so.
    terminal.until("APPROVE the cancel").await;
    desktop.no_popup();
    terminal.type_line("").await;
    desktop.settle();
    desktop.click(Button::Left);
    terminal.answer("The order still works. Ask again?", "no").await;
    terminal.until("STILL WORKING on Sim101").await;
    terminal.until("[exit 0]").await;
    assert_eq!(sim.executed().await, ["PlaceOrder"]);
}
