//! Tier passkey against the running program: a real browser with a virtual authenticator, and everything that somebody
//! else might bring in its place. What was executed is what the simulator says.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod approving;
mod attacks;
mod keys;

use crate::support::browser::Browser;
use crate::support::program::{status, text};
use crate::support::verb::Verb;
use crate::trade::{Desk, bid, buy, until};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The person's PIN.
pub(crate) const PIN: &str = "otter lamp canyon seven drift";

/// A desk whose orders take a passkey, and the person's browser with an authenticator in it.
struct Keyed {
    desk: Desk,
    browser: Browser,
    authenticator: String,
}

impl Keyed {
    /// Registered by `presence set passkey`, on the page.
    async fn new() -> Self {
        let mut keyed = Self::without_key().await;
        let url = keyed.desk.sim.url.clone();
        let (code, stdout, stderr) = keyed
            .verb(
                &["presence", "set", "passkey", "--pin-stdin", "--url", &url],
                PIN,
                1,
            )
            .await;
        assert_eq!(code, 0, "{stdout}{stderr}");
        keyed
    }

    /// Signed in for trading, tier click, no key yet.
    async fn without_key() -> Self {
        let mut desk = Desk::new().await;
        let script = desk.desktop.folder().join("browser.sh");
        let link = desk.desktop.folder().join("link");
        let line = format!(
            "#!/bin/sh\nprintf %s \"$1\" > '{0}.new' && mv '{0}.new' '{0}'\n",
            link.display()
        );
        std::fs::write(&script, line).expect("a script");
        desk.home = desk.home.with("BROWSER", &format!("sh {}", script.display()));
        let mut browser = Browser::start();
        let authenticator = authenticator(&mut browser, true);
        Self {
            desk,
            browser,
            authenticator,
        }
    }

    /// Runs a verb that opens a page, and presses its button so often. Letters that the page shows are typed.
    async fn verb(&mut self, words: &[&str], input: &str, presses: usize) -> (i32, String, String) {
        let mut verb = Verb::start(&self.desk.home, words);
        verb.type_line(input).await;
        for _ in 0..presses {
            let address = take(&self.link_file()).await;
            self.browser.open(&address);
            self.browser.until("passkey");
            read_it().await;
            self.browser.screenshot("passkey-register");
            self.browser.click("#approve");
            if let Some(code) = letters(&mut self.browser).await {
                verb.type_line(&code).await;
            }
        }
        verb.end().await
    }

    fn link_file(&self) -> PathBuf {
        self.desk.desktop.folder().join("link")
    }

    /// Opens the page that the program has just asked the browser for; its origin.
    async fn open(&mut self) -> String {
        let address = take(&self.link_file()).await;
        self.browser.open(&address);
        self.browser.until("Deny");
        let shown = |ticket: &Value| ticket["state"] == "held" && ticket["shown_wall"].is_u64();
        until("a ticket on the page", async || {
            self.desk.tickets().iter().any(shown).then_some(())
        })
        .await;
        read_it().await;
        address.split("/#").next().expect("an origin").to_owned()
    }

    /// Types the PIN, which opens the way to the passkey.
    fn unlock(&mut self) {
        unlock(&mut self.browser);
    }

    /// Presses Approve and touches.
    async fn touch(&mut self) {
        touch(&mut self.browser).await;
    }

    /// The session of the tab, and what the page was told of the passkey.
    fn told(&mut self) -> (String, Value) {
        let session = self.browser.eval("sessionStorage.getItem('session')");
        let session = session.as_str().expect("a session").to_owned();
        let ask = format!(
            "fetch('/state', {{method: 'POST', headers: {{'Content-Type': 'application/json'}}, \
             body: JSON.stringify({{session: '{session}'}})}}).then((answer) => answer.json())"
        );
        (session, self.browser.eval(&ask)["view"].clone())
    }

    /// What a touch brings for this challenge, asked for by whatever page stands in the browser.
    fn sign(&mut self, challenge: &str, id: &str, verification: &str) -> Value {
        let script = SIGN
            .replace("CHALLENGE", challenge)
            .replace("CREDENTIAL", id)
            .replace("VERIFICATION", verification);
        let signed = self.browser.eval(&script);
        assert!(signed.is_object(), "{signed}");
        signed
    }

    /// Brings an answer to the page as a program of the same user could.
    async fn post(&self, origin: &str, body: &Value) -> (u16, Value) {
        self.post_as(origin, origin, body).await
    }

    async fn post_as(&self, page: &str, origin: &str, body: &Value) -> (u16, Value) {
        let request = self.desk.sim.http().post(format!("{page}/approve"));
        let answer = request
            .header("content-type", "application/json")
            .header("origin", origin)
            .body(body.to_string())
            .send()
            .await
            .expect("an answer");
        let status = answer.status().as_u16();
        let told = answer.text().await.expect("a text");
        (status, serde_json::from_str(&told).expect("JSON"))
    }

    /// The authenticator's credentials.
    fn credentials(&mut self) -> Vec<Value> {
        let params = json!({ "authenticatorId": self.authenticator });
        let told = self.browser.call("WebAuthn.getCredentials", &params);
        told["credentials"].as_array().expect("a list").clone()
    }

    /// The same credentials in another authenticator, as the test wants it. Chromium's locks itself after failed tries.
    fn move_to(&mut self, verifies: bool, change: impl Fn(&mut Value)) {
        let credentials = self.credentials();
        let old = json!({ "authenticatorId": self.authenticator });
        self.browser.call("WebAuthn.removeVirtualAuthenticator", &old);
        self.authenticator = authenticator(&mut self.browser, verifies);
        for mut credential in credentials {
            change(&mut credential);
            let params = json!({ "authenticatorId": self.authenticator, "credential": credential });
            self.browser.call("WebAuthn.addCredential", &params);
        }
    }
}

/// Types the PIN on the page that stands in the browser, which opens the way to the passkey.
pub(crate) fn unlock(browser: &mut Browser) {
    // By the keyboard: what is above may grow by a line at any moment.
    browser.eval("document.getElementById('pin').focus()");
    browser.type_text(PIN);
    browser.key("Enter", 13);
    browser.until("The PIN is right");
    browser.until("with your passkey");
}

/// Presses Approve and touches. A card whose facts have just changed is read and pressed again, as a person does.
pub(crate) async fn touch(browser: &mut Browser) {
    for _ in 0..6 {
        browser.click("#approve");
        for _ in 0..30 {
            if browser.text().contains("Approved.") {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        read_it().await;
    }
    panic!("it was not approved: {}", browser.text());
}

/// Presence is simulated: what is tested here is what comes of a touch, not the finger.
pub(crate) fn authenticator(browser: &mut Browser, verifies: bool) -> String {
    browser.call("WebAuthn.enable", &json!({}));
    let options = json!({
        "protocol": "ctap2", "transport": "usb", "hasResidentKey": false,
        "hasUserVerification": verifies, "isUserVerified": verifies, "automaticPresenceSimulation": true,
    });
    let made = browser.call("WebAuthn.addVirtualAuthenticator", &json!({ "options": options }));
    made["authenticatorId"].as_str().expect("an id").to_owned()
}

/// Waits for the end of a page; the letters that it shows then, if it shows any.
pub(crate) async fn letters(browser: &mut Browser) -> Option<String> {
    // Both at one moment.
    const SHOWN: &str = "[(document.querySelector('#ending .code') || { textContent: '' }).textContent, \
         document.getElementById('ending').textContent.trim()]";
    for _ in 0..400 {
        let shown = browser.eval(SHOWN);
        let code = shown[0].as_str().unwrap_or_default().to_owned();
        let ended = shown[1].as_str().unwrap_or_default();
        if !code.is_empty() {
            assert_eq!(code.len(), 6, "{shown}");
            browser.screenshot("passkey-letters");
            return Some(code);
        }
        if !ended.is_empty() && !ended.contains("Almost done") {
            return None;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the page did not end: {}", browser.text());
}

async fn take(file: &std::path::Path) -> String {
    let link = until("the page", async || std::fs::read_to_string(file).ok()).await;
    std::fs::remove_file(file).expect("taken");
    link
}

/// Time for a person to read; approvals before are too quick.
async fn read_it() {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
}

/// Asks the browser for a signature, and brings it as our own page does.
const SIGN: &str = r"(async () => {
  const bytes = (t) => Uint8Array.from(atob(t.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  const text = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  const key = await navigator.credentials.get({ publicKey: { challenge: bytes('CHALLENGE'), rpId: 'localhost',
    allowCredentials: [{ type: 'public-key', id: bytes('CREDENTIAL') }], userVerification: 'VERIFICATION' } });
  return { id: text(key.rawId), clientDataJSON: text(key.response.clientDataJSON),
    authenticatorData: text(key.response.authenticatorData), signature: text(key.response.signature) };
})()";

/// The verifier is pure: what it says of a signature depends on nothing but the signature.
#[test]
fn the_verifier_reaches_nothing_outside() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/passkey");
    let mut looked_at = 0;
    for file in std::fs::read_dir(folder).expect("the room").flatten() {
        let Ok(text) = std::fs::read_to_string(file.path()) else {
            continue;
        };
        looked_at += 1;
        let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for forbidden in [
            "tokio",
            "std::fs",
            "std::net",
            "std::env",
            "SystemTime",
            "Instant",
            "crate::",
        ] {
            assert!(!shipped.contains(forbidden), "{:?} has {forbidden}", file.path());
        }
    }
    assert_eq!(looked_at, 5);
}
