//! Registering keys, taking them away, and the way out when they are lost.

use super::*;

impl Keyed {
    fn words<'w>(&'w self, words: &[&'w str]) -> Vec<String> {
        let all = [words, &["--url", self.desk.sim.url.as_str()]].concat();
        all.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Adds a second key: the first one allows it, and is taken out before the browser makes the new one.
    async fn add_spare(&mut self) -> (i32, String, String) {
        let usb = json!({ "options": { "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true, "automaticPresenceSimulation": true } });
        self.browser.call("WebAuthn.addVirtualAuthenticator", &usb);
        let words = self.words(&["presence", "add-key", "--name", "spare", "--pin-stdin"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut verb = Verb::start(&self.desk.home, &words);
        verb.type_line(PIN).await;
        let link = self.link_file();
        let (browser, first) = (&mut self.browser, &self.authenticator);
        browser.open(&take(&link).await);
        browser.until("touch one that you have");
        read_it().await;
        browser.screenshot("passkey-add");
        browser.eval(
            "{ const create = navigator.credentials.create.bind(navigator.credentials); \
             navigator.credentials.create = async (asked) => { \
             await new Promise((done) => { window.taken_out = done; }); return create(asked); }; }",
        );
        browser.click("#approve");
        while browser.eval("typeof window.taken_out") != "function" {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
        let out = json!({ "authenticatorId": first, "enabled": false });
        browser.call("WebAuthn.setAutomaticPresenceSimulation", &out);
        browser.eval("window.taken_out()");
        let code = letters(browser).await.expect("letters");
        verb.type_line(&code).await;
        verb.end().await
    }

    async fn run(&mut self, words: &[&str], input: &str, presses: usize) -> (i32, String, String) {
        let words = self.words(words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.verb(&words, input, presses).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_key_takes_a_touch_of_the_first_and_the_last_one_stays() {
    let mut keyed = Keyed::new().await;
    let (code, stdout, _) = keyed
        .run(&["presence", "keys", "--pin-stdin", "--json"], PIN, 0)
        .await;
    assert_eq!(code, 0);
    let told: Value = serde_json::from_str(&stdout).expect("JSON");
    let first = told["keys"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(told["keys"].as_array().map(Vec::len), Some(1));
    // The only key is not taken away.
    let (code, _, stderr) = keyed
        .run(&["presence", "remove-key", &first, "--pin-stdin"], PIN, 0)
        .await;
    assert_eq!(code, 7, "{stderr}");
    assert!(stderr.contains("only passkey"), "{stderr}");
    let (code, stdout, stderr) = keyed.add_spare().await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("2 passkeys"), "{stdout}");
    let (code, stdout, stderr) = keyed
        .run(
            &[
                "presence",
                "remove-key",
                first.get(..6).expect("an id"),
                "--pin-stdin",
            ],
            PIN,
            1,
        )
        .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    // The one that was taken away approves nothing any more; the spare does.
    let mut client = keyed.desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    keyed.open().await;
    keyed.unlock();
    let (_, view) = keyed.told();
    assert_eq!(view["touch"]["keys"].as_array().map(Vec::len), Some(1));
    assert_ne!(view["touch"]["keys"][0], json!(first));
    keyed.touch().await;
    assert_eq!(status(&client.result(id).await), "accepted");
    let (code, stdout, _) = keyed.desk.home.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{stdout}");
    assert!(
        stdout.contains("PlaceOrder was approved with the passkey spare"),
        "{stdout}"
    );
}

/// The link is on the browser's command line: another program may open it first, and make a key of its own. It is shown
/// the letters, and the person has none to type.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_link_registers_no_key() {
    let mut keyed = Keyed::without_key().await;
    let words = keyed.words(&["presence", "set", "passkey", "--pin-stdin"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut thief = Browser::start();
    authenticator(&mut thief, true);
    for typed in ["", "AAAAAA"] {
        let mut verb = Verb::start(&keyed.desk.home, &words);
        verb.type_line(PIN).await;
        let link = take(&keyed.link_file()).await;
        thief.open(&link);
        thief.until("passkey");
        read_it().await;
        thief.click("#approve");
        let code = letters(&mut thief).await.expect("letters");
        // The person's own tab comes too late, and nothing else tells the letters.
        keyed.browser.open(&link);
        let late = "document.body.textContent";
        until("the end of the late tab", async || {
            let told = keyed.browser.eval(late);
            let told = told.as_str().unwrap_or_default();
            (told.contains("used before") || told.contains("no longer there")).then_some(())
        })
        .await;
        assert!(!keyed.browser.text().contains(&code));
        for place in ["state/journal.jsonl", "config/settings.toml"] {
            let text = std::fs::read_to_string(keyed.desk.home.folder().join(place)).unwrap_or_default();
            assert!(
                !text.contains(&code) && !text.contains("passkey_registered"),
                "{text}"
            );
        }
        let arguments = std::fs::read(format!("/proc/{}/cmdline", verb.id())).expect("it runs");
        assert!(!String::from_utf8_lossy(&arguments).contains(&code));
        assert_ne!(typed, code);
        verb.type_line(typed).await;
        let (code, stdout, stderr) = verb.end().await;
        assert_eq!(code, 5, "{stdout}{stderr}");
        assert!(stderr.contains("no passkey was registered"), "{stderr}");
    }
    let (_, stdout, _) = keyed
        .run(&["presence", "keys", "--pin-stdin", "--json"], PIN, 0)
        .await;
    let told: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(told["keys"].as_array().map(Vec::len), Some(0), "{told}");
    let registered = keyed.desk.home.journal();
    assert!(!registered.iter().any(|line| line["kind"] == "passkey_registered"));
}

/// Two first keys are begun at once: the second one to be finished was not allowed by a touch of the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timing_registers_no_second_key_without_a_touch_of_the_first() {
    let mut keyed = Keyed::without_key().await;
    let (code, stdout, stderr) = keyed
        .run(&["presence", "set", "pin", "--pin-stdin"], PIN, 0)
        .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let words = keyed.words(&["presence", "add-key", "--pin-stdin"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut late = Verb::start(&keyed.desk.home, &words);
    late.type_line(PIN).await;
    keyed.browser.open(&take(&keyed.link_file()).await);
    keyed.browser.until("Register your first passkey");
    read_it().await;
    keyed.browser.click("#approve");
    let letters_of_late = letters(&mut keyed.browser).await.expect("letters");
    // Another authenticator: this key is another one.
    let old = json!({ "authenticatorId": keyed.authenticator });
    keyed.browser.call("WebAuthn.removeVirtualAuthenticator", &old);
    keyed.authenticator = authenticator(&mut keyed.browser, true);
    let (code, stdout, stderr) = keyed.run(&["presence", "add-key", "--pin-stdin"], PIN, 1).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    late.type_line(&letters_of_late).await;
    let (code, _, stderr) = late.end().await;
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("registered meanwhile"), "{stderr}");
    let (_, stdout, _) = keyed
        .run(&["presence", "keys", "--pin-stdin", "--json"], PIN, 0)
        .await;
    let told: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(told["keys"].as_array().map(Vec::len), Some(1), "{told}");
    let (code, stdout, _) = keyed.desk.home.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{stdout}");
}

/// Without a touch by the first key there is no second one: the PIN alone registers nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pin_alone_registers_no_second_key() {
    let mut keyed = Keyed::new().await;
    // Another authenticator, that holds none of the keys.
    let old = json!({ "authenticatorId": keyed.authenticator });
    keyed.browser.call("WebAuthn.removeVirtualAuthenticator", &old);
    keyed.authenticator = authenticator(&mut keyed.browser, true);
    let words = keyed.words(&["presence", "add-key", "--pin-stdin"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (home, link) = (&keyed.desk.home, keyed.link_file());
    let browser = &mut keyed.browser;
    let input = format!("{PIN}\n");
    let pressing = async {
        browser.open(&take(&link).await);
        browser.until("touch one that you have");
        read_it().await;
        browser.click("#approve");
        browser.until("Nothing was approved");
        browser.click("#deny");
    };
    let (code, _, stderr) = tokio::join!(home.run_with(&words, &input), pressing).0;
    assert_eq!(code, 5, "{stderr}");
    let (_, stdout, _) = keyed
        .run(&["presence", "keys", "--pin-stdin", "--json"], PIN, 0)
        .await;
    let told: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(told["keys"].as_array().map(Vec::len), Some(1), "{told}");
}

/// Loosening takes the PIN and a touch; with a wrong PIN, or without the key, all stays as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tier_takes_pin_and_touch() {
    let mut keyed = Keyed::new().await;
    let (code, _, _) = keyed
        .run(
            &["presence", "set", "click", "--pin-stdin"],
            "not the pin at all",
            0,
        )
        .await;
    assert_eq!(code, 5);
    // An edited settings file spares nothing: what was approved has to stand there first.
    let place = keyed.desk.home.folder().join("config/settings.toml");
    let approved = std::fs::read_to_string(&place).expect("the settings");
    let edited = "requests_per_second = 0.0\ntier = \"pin\"\n";
    keyed.desk.home.meddle("config/settings.toml", edited);
    let (code, _, stderr) = keyed
        .run(&["presence", "set", "click", "--pin-stdin"], PIN, 0)
        .await;
    assert_eq!(code, 7, "{stderr}");
    // Neither are they put in force by raising the tier.
    let (code, _, stderr) = keyed
        .run(&["presence", "set", "passkey", "--pin-stdin"], PIN, 0)
        .await;
    assert_eq!(code, 7, "{stderr}");
    assert!(stderr.contains("not those that you approved"), "{stderr}");
    keyed.desk.home.meddle("config/settings.toml", &approved);
    let (code, stdout, stderr) = keyed
        .run(&["presence", "set", "click", "--pin-stdin"], PIN, 1)
        .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    keyed.desk.journaled("passkey_removed").await;
    let (code, stdout, _) = keyed.desk.home.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{stdout}");
}

/// All keys are lost: a new sign-in at the service, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_keys_cost_a_new_sign_in() {
    let mut keyed = Keyed::new().await;
    let (code, stdout, stderr) = keyed.run(&["logout", "--trade", "--pin-stdin"], PIN, 0).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    // In tier passkey the new sign-in lies under a PIN, which is asked for in a terminal; here it comes in tier click,
    // as an edited settings file would have it. It is a sign-in with nothing under it: no old key counts for it.
    keyed.desk.home.settings("requests_per_second = 0.0\n");
    keyed.desk.home.login(&keyed.desk.sim, true).await;
    let (code, stdout, stderr) = keyed
        .run(&["presence", "set", "passkey", "--pin-stdin"], PIN, 1)
        .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let mut client = keyed.desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    keyed.open().await;
    keyed.unlock();
    keyed.touch().await;
    assert_eq!(status(&client.result(id).await), "accepted");
}

/// A policy that asks for passkeys where there are none: refused at once, with the command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_takes_a_passkey_is_refused_while_there_is_none() {
    let mut keyed = Keyed::without_key().await;
    keyed.desk.home.file(
        "config/policy.toml",
        "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\ntier = \"passkey\"\n",
    );
    let (code, stdout, stderr) = keyed
        .run(&["presence", "set", "pin", "--pin-stdin"], PIN, 0)
        .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let mut client = keyed.desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    let told = client.result(id).await;
    assert!(
        text(&told).contains("countersign presence add-key"),
        "{}",
        text(&told)
    );
    assert_eq!(keyed.desk.tickets(), [] as [Value; 0], "nobody was asked");
    // With a key it is asked for.
    let (code, stdout, stderr) = keyed.run(&["presence", "add-key", "--pin-stdin"], PIN, 1).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let id = client.send_call("PlaceOrder", &bid(5000.0)).await;
    keyed.open().await;
    keyed.unlock();
    keyed.touch().await;
    assert_eq!(status(&client.result(id).await), "accepted");
}

/// Another PIN, and another tier, leave the keys under the seal; coming back takes a touch by one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_pin_keeps_the_keys() {
    let mut keyed = Keyed::new().await;
    let new = "maple river lantern eleven frost";
    let (code, stdout, stderr) = keyed
        .run(
            &["presence", "set", "pin", "--pin-stdin"],
            &format!("{PIN}\n{new}"),
            1,
        )
        .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (code, stdout, stderr) = keyed
        .run(&["presence", "keys", "--pin-stdin", "--json"], new, 0)
        .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let told: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(told["keys"].as_array().map(Vec::len), Some(1), "{told}");
    let (code, stdout, stderr) = keyed
        .run(&["presence", "set", "passkey", "--pin-stdin"], new, 1)
        .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (_, stdout, _) = keyed.desk.home.run(&["presence", "show"]).await;
    assert!(stdout.contains("tier passkey"), "{stdout}");
    // Armed clicks are no way around it.
    let (code, _, stderr) = keyed.run(&["arm"], "", 0).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("a click never approves"), "{stderr}");
}
