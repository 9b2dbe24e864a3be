//! `resume`: allowing AI trading again takes the factor of the installation, wherever its trade sign-in lies.

use super::*;
use crate::support::program::Home;
use crate::support::sim::Sim;

const PIN: &str = "otter lamp canyon seven drift";

#[tokio::test]
async fn a_pin_is_wanted_and_none_is_set() {
    let home = Home::new();
    home.settings("tier = \"pin\"\n");
    assert_eq!(home.run(&["halt"]).await.0, 0);
    let (code, stdout, stderr) = home.run(&["resume"]).await;
    assert_eq!(code, 5, "{stdout}{stderr}");
    assert!(stderr.contains("countersign login --trade"), "{stderr}");
    assert!(stderr.contains("AI trading stays stopped"), "{stderr}");
}

/// A settings file that somebody loosened, and an address without any sign-in: the sealed one still wants its PIN.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_sign_in_wants_its_pin_whatever_the_settings_and_the_address_say() {
    let (desktop, sim) = (Desktop::start(), Sim::start(&[]));
    let (script, link) = (desktop.folder().join("browser.sh"), desktop.folder().join("link"));
    let text = format!("#!/bin/sh\nprintf %s \"$1\" > '{0}.new' && mv '{0}.new' '{0}'\n", link.display());
    std::fs::write(&script, text).expect("a script");
    let home = Home::on(desktop.folder(), desktop.env()).with("COUNTERSIGN_STORE", "file");
    home.login(&sim, false).await;
    home.login(&sim, true).await;
    let seal = ["presence", "set", "pin", "--pin-stdin", "--url", &sim.url];
    let (code, stdout, stderr) = home.run_with(&seal, &format!("{PIN}\n{PIN}\n")).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    home.settings("tier = \"click\"\n");
    assert_eq!(home.run(&["halt"]).await.0, 0);
    let home = home.with("BROWSER", &format!("sh {}", script.display()));
    let resume = ["resume", "--url", "http://127.0.0.1:9/mcp"];
    let asked = async {
        let mut browser = Browser::start();
        browser.open(&page::next_link(&link).await);
        browser.until("ALLOW AI TRADING AGAIN");
        tokio::time::sleep(Duration::from_millis(900)).await;
        browser.click("#approve");
        browser.until("Type your PIN first");
        browser.type_text(PIN);
        browser.click("#approve");
        browser.until("Approved.");
    };
    let ((code, stdout, stderr), ()) = tokio::join!(home.run(&resume), asked);
    assert_eq!(code, 0, "{stdout}{stderr}");
}
