//! No secret in any output: a whole life with the log at `trace`, and then a search for everything that was secret.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use crate::support::desktop::{Button, Desktop};
use crate::support::program::{Home, status, text};
use crate::support::sim::Sim;
use crate::support::tools;
use crate::support::verb::Verb;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const PIN: &str = "otter lamp seven brick canoe";
const WRONG: &str = "walnut seven otter brick kite";

fn order(quantity: u32) -> Value {
    json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": quantity, "tif": "Day" })
}

/// Everything that was printed or written down in one installation's life.
struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    async fn verb(&mut self, home: &Home, words: &[&str], input: &str) -> i32 {
        let (code, out, err) = home.run_with(words, input).await;
        self.0.push((format!("{words:?} stdout"), out.into_bytes()));
        self.0.push((format!("{words:?} stderr"), err.into_bytes()));
        code
    }

    fn folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.folder(&path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                self.0.push((path.display().to_string(), bytes));
            }
        }
    }

    /// Fails where one of these is found.
    fn search(&self, secrets: &[(String, String)]) {
        for (kind, secret) in secrets {
            for (place, bytes) in &self.0 {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "a {kind} stands in {place}");
            }
        }
    }
}

async fn secrets_of(sim: &Sim) -> Vec<(String, String)> {
    let told = sim.get("secrets").await;
    let text = |entry: &Value, key: &str| entry[key].as_str().expect("a text").to_owned();
    told.as_array().expect("an array").iter().map(|entry| (text(entry, "kind"), text(entry, "secret"))).collect()
}

/// A login on which the test plays the browser, so that nothing but the program handles the code.
async fn login(home: &Home, sim: &Sim, outputs: &mut Outputs, more: &[&str]) {
    let words = [&["login", "--no-browser", "--url", &sim.url], more].concat();
    let verb = Verb::start(home, &words);
    let url = verb.address().await;
    sim.http().get(url).send().await.expect("the person's browser");
    let (code, out, err) = verb.end().await;
    assert_eq!(code, 0, "{err}");
    outputs.0.push((format!("{words:?}"), format!("{out}\n{err}").into_bytes()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_life_leaves_no_secret_anywhere() {
    let desktop = Desktop::start();
    let person = desktop.folder().join("person");
    std::fs::create_dir_all(&person).expect("a folder");
    let home = Home::on(desktop.folder(), desktop.env())
        .with("COUNTERSIGN_STORE", "file")
        .with("COUNTERSIGN_LOG", "trace")
        .with("BROWSER", &tools::browser().display().to_string())
        .with("COUNTERSIGN_TEST_PIN", &format!("{WRONG}\n{PIN}"))
        .with("COUNTERSIGN_TEST_BROWSER_LOG", &person.join("page").display().to_string());
    let sim = Sim::start(&[]);
    let mut outputs = Outputs(Vec::new());
    login(&home, &sim, &mut outputs, &[]).await;
    login(&home, &sim, &mut outputs, &["--trade"]).await;
    let mut client = home.serve(&sim).await.hello().await;
    let accounts = client.call("ListAccounts", &json!({})).await;
    assert!(text(&accounts).contains("Sim101"), "{accounts}");
    sim.post("expire", &json!({})).await;
    client.call("GetQuote", &json!({ "instrument": "MES 12-26" })).await;
    // One order by a click, one by the PIN: first a wrong one.
    let id = client.send_call("PlaceOrder", &order(1)).await;
    tokio::task::block_in_place(|| {
        desktop.settle();
        desktop.click(Button::Middle);
    });
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{result}");
    let set = ["presence", "set", "pin", "--pin-stdin", "--url", &sim.url];
    assert_eq!(outputs.verb(&home, &set, &format!("{PIN}\n")).await, 0);
    let id = client.send_call("PlaceOrder", &order(2)).await;
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{result}");
    let page = std::fs::read_to_string(person.join("page")).expect("what the browser saw");
    assert!(page.contains(r#""event":"refused""#) && page.contains("wrong PIN"), "the wrong PIN was tried: {page}");
    let lines = client.close().await;
    outputs.0.push(("what the client got".to_owned(), lines.join("\n").into_bytes()));
    for words in [&["status"][..], &["status", "--json"], &["doctor", "--json"], &["journal", "export"], &["pending", "--json"], &["tools"]] {
        outputs.verb(&home, &[words, &["--url", &sim.url]].concat(), "").await;
    }
    let secrets = secrets_of(&sim).await;
    for kind in ["code", "access token", "refresh token", "verifier"] {
        assert!(secrets.iter().any(|(found, _)| found == kind), "no {kind} was issued");
    }
    let out = ["logout", "--pin-stdin", "--url", &sim.url];
    outputs.folder(home.folder());
    assert_eq!(outputs.verb(&home, &out, &format!("{PIN}\n")).await, 0);
    outputs.folder(home.folder());
    let pins = [PIN, WRONG].map(|pin| ("PIN".to_owned(), pin.to_owned()));
    outputs.search(&[secrets, pins.to_vec()].concat());
    assert_eq!(sim.executed().await, ["PlaceOrder", "PlaceOrder"]);
    let log: PathBuf = home.folder().join("logs");
    let logged = std::fs::read_dir(&log).map(|files| files.flatten().count()).unwrap_or_default();
    assert!(logged > 0, "there was a log to search in {}", log.display());
}
