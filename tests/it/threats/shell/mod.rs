//! An agent with a shell under the same user account: the programs in `tests/shell`, against a real installation.
//!
//! In the sealed tiers nothing that they do places an order, and the person's own factor still does, once (`sealed`, and
//! `passkey` for what concerns passkeys alone). What gets through is shown too (`open`): that is what the tables of the
//! README mean.

#![expect(
    clippy::print_stdout,
    reason = "the runner shows what the agent tried where a test fails"
)]

mod open;
mod passkey;
mod sealed;

use super::page::{link, noting_browser};
use super::*;
use crate::passkey::{self as person, PIN};
use crate::support::browser::Browser;
use crate::support::tools;
use crate::support::verb::Verb;
use std::path::{Path, PathBuf};

/// What it takes to approve, set up as the person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sealed {
    /// The PIN for each order.
    Pin,
    /// The PIN once in each process, and a touch for each order.
    Passkey,
}

/// A desk with an open keyring, and a browser that notes the page's link.
struct Place {
    desk: Desk,
    link: PathBuf,
    /// The person's own browser; in tier passkey with the authenticator that holds the registered key.
    browser: Option<Browser>,
}

impl Place {
    async fn new() -> Self {
        Self::with_store("keychain").await
    }

    async fn with_store(store: &str) -> Self {
        let mut desktop = Desktop::start();
        desktop.start_keyring();
        let screen = Screen::watch(&desktop);
        let (browser, link) = noting_browser(&desktop.folder().join("person"));
        let home = Home::on(desktop.folder(), desktop.env())
            .with("BROWSER", &browser)
            .with("COUNTERSIGN_STORE", store);
        let sim = Sim::start(&[]);
        home.login(&sim, false).await;
        home.login(&sim, true).await;
        let desk = Desk {
            desktop,
            home,
            sim,
            screen,
        };
        Self {
            desk,
            link,
            browser: None,
        }
    }

    async fn seal(&mut self, tier: Sealed) {
        match tier {
            Sealed::Passkey => self.register().await,
            Sealed::Pin => {
                let words = [
                    "presence",
                    "set",
                    "pin",
                    "--pin-stdin",
                    "--url",
                    &self.desk.sim.url,
                ];
                let (code, out, err) = self.desk.home.run_with(&words, &format!("{PIN}\n")).await;
                assert_eq!(code, 0, "{out}{err}");
            }
        }
        // From here on nobody consents at the service but the person, who is not there.
        self.desk.sim.post("consent", &json!({ "deny": true })).await;
    }

    /// Registers a key on the page, with the letters that it shows.
    async fn register(&mut self) {
        let words = [
            "presence",
            "set",
            "passkey",
            "--pin-stdin",
            "--url",
            &self.desk.sim.url,
        ];
        let mut verb = Verb::start(&self.desk.home, &words);
        verb.type_line(PIN).await;
        let mut browser = Browser::start();
        person::authenticator(&mut browser, true);
        browser.open(&link(&self.link).await);
        browser.until("passkey");
        tokio::time::sleep(Duration::from_secs(1)).await;
        browser.click("#approve");
        if let Some(code) = person::letters(&mut browser).await {
            verb.type_line(&code).await;
        }
        let (code, out, err) = verb.end().await;
        assert_eq!(code, 0, "{out}{err}");
        self.browser = Some(browser);
    }

    /// Runs one of the agent's programs to its end; what it tried, and what came of it.
    async fn agent(&self, script: &str, words: &[&str]) -> String {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/shell")
            .join(script);
        let runner = if Path::new(script).extension().is_some_and(|end| end == "py") {
            tools::python()
        } else {
            PathBuf::from("bash")
        };
        let mut command = tokio::process::Command::from(self.desk.home.shell(&runner.to_string_lossy()));
        command
            .arg(path)
            .args(words)
            .env("COUNTERSIGN", env!("CARGO_BIN_EXE_countersign"))
            .env("COUNTERSIGN_URL", &self.desk.sim.url)
            .env("LANG", "C.UTF-8")
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let told = tokio::time::timeout(Duration::from_secs(200), command.output()).await;
        let told = told
            .unwrap_or_else(|_| panic!("{script} does not end"))
            .expect("it starts");
        let said = [told.stdout, told.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .concat();
        println!("--- {script} {words:?}\n{said}");
        assert!(told.status.success(), "{script}: {said}");
        said
    }

    /// Nothing was executed by now, and nothing but reads was tried with the trade grant.
    async fn nothing(&self, after: &str) {
        assert_eq!(self.desk.sim.executed().await, [""; 0], "{after}");
        assert_eq!(self.desk.sent("PlaceOrder").await, 0, "{after}");
    }

    /// Sends an order of the client's that then waits for the person; counters and old links are out of its way.
    async fn waits(&self, client: &mut Client, price: f64) -> u64 {
        let fresh = countersign::gate::Counters::parse(None).text();
        self.desk.home.file("state/counters.json", &fresh);
        let _ = std::fs::remove_file(&self.link);
        client.send_call("PlaceOrder", &bid(price)).await
    }

    /// The person allows AI trading again.
    async fn the_person_allows_again(&mut self) {
        self.the_person_confirms(&["resume"], "ALLOW AI TRADING AGAIN")
            .await;
    }

    /// The person runs a verb that asks for the factor on a page, and gives it there.
    async fn the_person_confirms(&mut self, verb: &[&str], headline: &str) {
        // Guesses keep the next PIN waiting for a while.
        tokio::time::sleep(Duration::from_secs(6)).await;
        let _ = std::fs::remove_file(&self.link);
        let words = [verb, &["--url", &self.desk.sim.url]].concat();
        let resumed = self.desk.home.run(&words);
        tokio::pin!(resumed);
        let browser = self.browser.get_or_insert_with(Browser::start);
        let address = tokio::select! {
            address = link(&self.link) => address,
            told = &mut resumed => panic!("nobody was asked: {told:?}"),
        };
        browser.open(&address);
        browser.until(headline);
        loop {
            let looked = tokio::time::timeout(Duration::from_secs(2), &mut resumed).await;
            if let Ok((code, out, err)) = looked {
                assert_eq!(code, 0, "{out}{err}");
                return;
            }
            if browser.text().contains("Your PIN") {
                browser.click("#pin");
                browser.type_text(PIN);
            }
            // In tier passkey the first press checks the PIN, and the next one touches.
            browser.click("#approve");
            println!("the page: {}", browser.text());
        }
    }

    /// The person looks at what is in doubt, and approves one order on the page with the factor of their tier, in a real
    /// browser: that one is executed, and nothing else.
    async fn the_person_approves_once(&mut self, tier: Sealed) {
        let mut tickets = self.desk.tickets();
        tickets.retain(|ticket| ticket["state"] == "unknown");
        for ticket in tickets {
            let id = ticket["id"].as_str().expect("an id");
            self.the_person_confirms(&["acknowledge", id], "I HAVE LOOKED AT")
                .await;
        }
        // Guesses keep the next PIN waiting for a while.
        tokio::time::sleep(Duration::from_secs(6)).await;
        let mut client = self.desk.client().await;
        let id = self.waits(&mut client, 4100.0).await;
        let browser = self.browser.get_or_insert_with(Browser::start);
        browser.open(&link(&self.link).await);
        browser.until("Deny");
        tokio::time::sleep(Duration::from_secs(1)).await;
        match tier {
            Sealed::Pin => {
                browser.click("#pin");
                browser.type_text(PIN);
                browser.click("#approve");
            }
            Sealed::Passkey => {
                person::unlock(browser);
                person::touch(browser).await;
            }
        }
        let told = client.result(id).await;
        assert_eq!(status(&told), "accepted", "{}", text(&told));
        assert_eq!(self.desk.sim.executed().await, ["PlaceOrder"]);
        client.close().await;
    }
}

fn tried<'t>(said: &'t str, what: &str) -> &'t str {
    let line = said
        .lines()
        .find(|line| line.starts_with(&format!("tried: {what}")));
    line.unwrap_or_else(|| panic!("{what} was not tried: {said}"))
}
