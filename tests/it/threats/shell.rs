//! An agent with a shell under the same user account: the programs in `tests/shell`, against a real installation.
//!
//! In the sealed tiers nothing that they do places an order, and the person's own factor still does, once. In tier click
//! the last tests show what gets through: that is what the right-hand column of the README's table means.

#![expect(
    clippy::print_stdout,
    reason = "the runner shows what the agent tried where a test fails"
)]

use super::page::{link, noting_browser};
use super::*;
use crate::support::browser::Browser;
use crate::support::tools;
use std::path::{Path, PathBuf};

const PIN: &str = "otter lamp canyon seven drift";

/// What it takes to approve, set up as the person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sealed {
    /// The PIN for each order.
    Pin,
}

/// A desk with an open keyring, and a browser that notes the page's link.
struct Place {
    desk: Desk,
    link: PathBuf,
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
        Self { desk, link }
    }

    async fn seal(&self, tier: Sealed) {
        match tier {
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
    async fn the_person_allows_again(&self) {
        self.the_person_confirms(&["resume"], "ALLOW AI TRADING AGAIN")
            .await;
    }

    /// The person runs a verb that asks for the PIN on a page, and types it there.
    async fn the_person_confirms(&self, verb: &[&str], headline: &str) {
        // Guesses keep the next PIN waiting for a while.
        tokio::time::sleep(Duration::from_secs(6)).await;
        let _ = std::fs::remove_file(&self.link);
        let words = [verb, &["--url", &self.desk.sim.url]].concat();
        let resumed = self.desk.home.run(&words);
        tokio::pin!(resumed);
        let mut browser = Browser::start();
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
            browser.click("#pin");
            browser.type_text(PIN);
            browser.click("#approve");
            println!("the page: {}", browser.text());
        }
    }

    /// The person looks at what is in doubt, and approves one order on the page with the factor of their tier, in a real
    /// browser: that one is executed, and nothing else.
    async fn the_person_approves_once(&self, tier: Sealed) {
        for ticket in self
            .desk
            .tickets()
            .iter()
            .filter(|ticket| ticket["state"] == "unknown")
        {
            let id = ticket["id"].as_str().expect("an id");
            self.the_person_confirms(&["acknowledge", id], "I HAVE LOOKED AT")
                .await;
        }
        // Guesses keep the next PIN waiting for a while.
        tokio::time::sleep(Duration::from_secs(6)).await;
        let mut client = self.desk.client().await;
        let mut browser = Browser::start();
        let id = self.waits(&mut client, 4100.0).await;
        browser.open(&link(&self.link).await);
        browser.until("Deny");
        tokio::time::sleep(Duration::from_secs(1)).await;
        match tier {
            Sealed::Pin => {
                browser.click("#pin");
                browser.type_text(PIN);
            }
        }
        browser.click("#approve");
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

/// Everything that the agent can think of while nothing waits; then the person, once.
async fn nothing_is_placed_by_an_agents_own_calls(tier: Sealed) {
    let place = Place::new().await;
    place.seal(tier).await;
    let client = place.desk.client().await;
    let stolen = place.agent("steal.py", &[]).await;
    assert!(
        tried(&stolen, "secret-tool lookup").ends_with("read"),
        "the keychain is open to it"
    );
    assert!(tried(&stolen, "open the vault").contains("2 grants"));
    assert!(tried(&stolen, "take the trade grant").ends_with("sealed"));
    assert!(tried(&stolen, "order with the read token").contains("insufficient_scope"));
    assert_eq!(place.desk.sim.executed().await, [""; 0]);

    let copies = place.agent("copies.sh", &[]).await;
    let links = tried(&copies, "links that its browser was given");
    assert!(links.ends_with("-> 1"), "its own copy asked its own browser");
    let copy = tried(&copies, "a copy of the state, its settings at click");
    assert!(
        copy.contains("sealed") || copy.contains("not approved the change"),
        "it was pressed, and opened nothing: {copy}"
    );
    place.nothing("copies").await;
    let verbs = place.agent("verbs.sh", &[]).await;
    assert!(
        tried(&verbs, "presence set click, a guess by stdin").contains("wrong PIN"),
        "{verbs}"
    );
    assert!(
        tried(&verbs, "resume in a terminal of its own").contains("PIN"),
        "{verbs}"
    );
    assert!(tried(&verbs, "approve 7QK4").contains("exit 2"));
    place.nothing("verbs").await;
    assert!(
        tried(&verbs, "call after that").contains("stopped"),
        "a stop outlasts its file: {verbs}"
    );
    place.the_person_allows_again().await;
    let files = place.agent("files.sh", &[]).await;
    assert!(
        ["sealed", "not approved the change"].iter().any(|word| tried(
            &files,
            "settings at click, and a click"
        )
        .contains(word)),
        "{files}"
    );
    assert!(tried(&files, "a journal line that says approved").contains("exits with 1"));
    place.nothing("files").await;
    client.close().await;

    place.the_person_approves_once(tier).await;
    // Nothing of the unsealed grant was left lying about.
    let stolen = place.agent("steal.py", &["--widen"]).await;
    assert!(tried(&stolen, "take the trade grant").ends_with("sealed"));
    assert!(
        stolen.contains("refresh the read grant with scope mcp:trade"),
        "{stolen}"
    );
    assert_eq!(place.desk.sim.executed().await, ["PlaceOrder"]);
}

/// What the agent does to an order that waits on the person's desk; then the person, once.
async fn nothing_is_placed_by_meddling_with_a_held_call(tier: Sealed) {
    let place = Place::new().await;
    place.seal(tier).await;
    let mut client = place.desk.client().await;
    let id = place.waits(&mut client, 4000.0).await;
    let page = place.agent("loopback.py", &["--steal"]).await;
    assert!(
        tried(&page, "read the link from the browser's words").contains("-> 1 found"),
        "{page}"
    );
    assert!(tried(&page, "open the link first").contains("200"), "{page}");
    assert!(
        tried(&page, "approve with a guessed PIN").contains("wrong PIN"),
        "{page}"
    );
    place.nothing("the page").await;
    place.desk.desktop.settle();
    place.desk.desktop.click(Button::Middle);
    place.nothing("a scripted click").await;
    place.agent("watch.sh", &[]).await;
    place.nothing("a terminal of its own").await;
    place.desk.desktop.settle();
    place.desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    place.desk.desktop.no_popup();
    for (way, price) in [("forge", 4001.0), ("rewrite", 4002.0), ("close", 4003.0)] {
        let id = place.waits(&mut client, price).await;
        place.desk.card().await;
        place.agent("bus.sh", &[way]).await;
        let told = client.result(id).await;
        assert_eq!(status(&told), "tampered", "{way}: {told}");
        place.nothing(way).await;
    }
    client.close().await;
    place.the_person_approves_once(tier).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_an_agents_own_calls_place_nothing_in_tier_pin() {
    nothing_is_placed_by_an_agents_own_calls(Sealed::Pin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_meddling_with_a_held_call_places_nothing_in_tier_pin() {
    nothing_is_placed_by_meddling_with_a_held_call(Sealed::Pin).await;
}

/// The settings say "a click" because the agent wrote that. The person's next sign-in for trading goes under the PIN all
/// the same: what lies under a seal says so itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e15_loosened_settings_do_not_take_the_seal_off_at_the_next_sign_in() {
    let place = Place::new().await;
    place.seal(Sealed::Pin).await;
    place.desk.sim.post("consent", &json!({})).await;
    place.desk.home.settings("tier = \"click\"\n");
    let (code, _, err) = place.desk.home.try_login(&place.desk.sim, &["--trade"]).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("under your PIN"), "{err}");
    let (code, _, err) = place
        .desk
        .home
        .try_login(&place.desk.sim, &["--single-grant"])
        .await;
    assert_eq!(code, 2, "{err}");
    let stolen = place.agent("steal.py", &[]).await;
    assert!(
        tried(&stolen, "take the trade grant").ends_with("sealed"),
        "{stolen}"
    );
    place.nothing("signing in again").await;
}

/// Guessing PINs is slowed from the third wrong one on, over all processes, and the next right PIN still opens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_guessed_pins_are_slowed_over_all_processes() {
    let place = Place::new().await;
    place.seal(Sealed::Pin).await;
    let words = [
        "presence",
        "set",
        "click",
        "--pin-stdin",
        "--url",
        &place.desk.sim.url,
    ];
    let mut waits = 0;
    for guess in 0..6 {
        let (code, _, err) = place
            .desk
            .home
            .run_with(&words, &format!("a guess number {guess}\n"))
            .await;
        assert_eq!(code, 5, "{err}");
        waits += u32::from(err.contains("too many wrong PINs"));
    }
    assert!(waits >= 2, "six guesses in a row were all looked at");
    place.nothing("guesses").await;
}

/// What a copy of the vault that was made before the PIN is good for: its renewal is spent, and the access token in it
/// lives for what the service gives it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e17_a_copy_of_the_vault_from_before_the_pin_cannot_be_renewed() {
    let place = Place::new().await;
    let before = place.desk.home.folder().join("before");
    std::fs::copy(place.desk.home.folder().join("state/vault"), &before).expect("a copy");
    place.seal(Sealed::Pin).await;
    place
        .desk
        .sim
        .post("expire", &json!({ "scope": "mcp:trade" }))
        .await;
    let stolen = place.agent("steal.py", &[&before.to_string_lossy()]).await;
    assert!(
        tried(&stolen, "order with the trade token").contains("HTTP 401"),
        "{stolen}"
    );
    place.nothing("an old copy").await;
}

/// The file store keeps nothing from a program of the same user; the seal lies on top of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e17_the_file_store_gives_the_vault_away_and_not_what_is_sealed() {
    let place = Place::with_store("file").await;
    place.seal(Sealed::Pin).await;
    let stolen = place.agent("steal.py", &[]).await;
    assert!(tried(&stolen, "read the key file").ends_with("read"), "{stolen}");
    assert!(
        tried(&stolen, "order with the read token").contains("insufficient_scope"),
        "{stolen}"
    );
    assert!(
        tried(&stolen, "take the trade grant").ends_with("sealed"),
        "{stolen}"
    );
    assert_eq!(place.desk.sim.executed().await, [""; 0]);
}

/// Tier click, honestly: a program with a shell takes the trade token out of the vault and trades with it, past us.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_tier_click_a_stolen_token_trades_without_being_asked() {
    let place = Place::new().await;
    let stolen = place.agent("steal.py", &[]).await;
    assert!(tried(&stolen, "take the trade grant").ends_with("open"));
    assert_eq!(
        place.desk.sim.executed().await,
        ["PlaceOrder"],
        "this is what a PIN is for"
    );
}

/// Tier click, honestly: a program that controls the mouse presses the button.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_tier_click_a_scripted_mouse_approves() {
    let place = Place::new().await;
    let mut client = place.desk.client().await;
    let id = place.desk.hold(&mut client, "PlaceOrder", &buy()).await;
    place.agent("press.sh", &[]).await;
    assert_eq!(status(&client.result(id).await), "accepted");
    assert_eq!(
        place.desk.sim.executed().await,
        ["PlaceOrder"],
        "this is what a PIN is for"
    );
}

/// Tier click, honestly: a terminal that the agent opened is a terminal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_tier_click_a_terminal_of_the_agents_own_approves() {
    let place = Place::new().await;
    let mut client = place.desk.client().await;
    let id = place.desk.hold(&mut client, "PlaceOrder", &buy()).await;
    place.agent("watch.sh", &[]).await;
    assert_eq!(status(&client.result(id).await), "accepted");
    assert_eq!(
        place.desk.sim.executed().await,
        ["PlaceOrder"],
        "this is what a PIN is for"
    );
}

/// The armed time, honestly: while it lasts the popup has an Approve button, and a program that controls the mouse presses
/// it. A terminal of the agent's own, other rules and a stolen vault still come to nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_armed_time_only_a_scripted_mouse_approves() {
    let place = Place::new().await;
    // As the person set it, before the PIN: what is changed afterwards has to be approved first.
    let settings = "requests_per_second = 0.0\narmed = \"all\"\n";
    place.desk.home.settings(settings);
    place.seal(Sealed::Pin).await;
    let mut client = place.desk.client().await;
    client.call("ListAccounts", &json!({})).await;
    assert_eq!(
        place
            .desk
            .home
            .run(&["arm", "5", "--url", &place.desk.sim.url])
            .await
            .0,
        0
    );
    let mut browser = Browser::start();
    browser.open(&link(&place.link).await);
    browser.until("PIN");
    tokio::time::sleep(Duration::from_secs(1)).await;
    browser.click("#pin");
    browser.type_text(PIN);
    browser.click("#approve");
    place.desk.journaled("armed").await;
    place.desk.screen.until("Armed for").await;
    let notice = || {
        place.desk.desktop.click_text();
        place.desk.desktop.no_popup();
    };
    tokio::task::block_in_place(notice);

    let stolen = place.agent("steal.py", &[]).await;
    assert!(tried(&stolen, "take the trade grant").ends_with("sealed"));
    let id = place.waits(&mut client, 4000.0).await;
    place.desk.card().await;
    place.agent("watch.sh", &[]).await;
    place.nothing("a terminal of its own").await;
    let policy = "version = 1\n[limits]\norders_per_day = 1000\n";
    place.desk.home.meddle("config/policy.toml", policy);
    assert_eq!(status(&client.result(id).await), "voided", "the rules changed");
    let id = place.waits(&mut client, 4001.0).await;
    assert_eq!(
        status(&client.result(id).await),
        "refused",
        "other rules than the PIN was given for"
    );
    place.nothing("other rules").await;
    std::fs::remove_file(place.desk.home.folder().join("config/policy.toml")).expect("removed");

    tokio::task::block_in_place(|| {
        let desktop = &place.desk.desktop;
        desktop.until("an empty screen", || {
            if desktop.popups().is_empty() {
                return Some(());
            }
            desktop.click_text();
            None
        });
    });
    let id = place.waits(&mut client, 4002.0).await;
    place.desk.card().await;
    place.agent("press.sh", &[]).await;
    assert_eq!(status(&client.result(id).await), "accepted");
    assert_eq!(
        place.desk.sim.executed().await,
        ["PlaceOrder"],
        "this is what not arming is for"
    );
}
