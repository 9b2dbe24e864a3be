//! `setup --undo`.

use super::terminal::start;
use super::*;

const RUN: [&str; 9] = [
    "--trade",
    "--tier",
    "pin",
    "--pin-stdin",
    "--client",
    "cursor",
    "--yes",
    "--phrase",
    "blue heron",
];

#[tokio::test]
async fn undo_gives_back_the_same_bytes_and_keeps_the_journal() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let cursor = with_cursor(&person(&home));
    let (code, summary, err) = script(&home, &sim, &RUN, PIN, 2).await;
    assert_eq!(code, 0, "{summary} {err}");
    let order =
        r#"{"account":"Sim101","instrument":"MES","side":"Buy","type":"Market","quantity":1,"tif":"Day"}"#;
    home.run(&["call", "PlaceOrder", order, "--url", &sim.url]).await;
    let journal = std::fs::read(home.folder().join("state/journal.jsonl")).expect("a journal");
    let words = [
        "setup",
        "--undo",
        "--yes",
        "--pin-stdin",
        "--json",
        "--url",
        &sim.url,
    ];
    let (code, out, err) = home.run_with(&words, &format!("{PIN}\n")).await;
    assert_eq!(code, 0, "{out} {err}");
    let undone: Value = serde_json::from_str(out.trim()).expect("JSON");
    assert_eq!(
        (&undone["signedOut"], &undone["policyRemoved"]),
        (&true.into(), &true.into())
    );
    assert_eq!(undone["clients"][0], "cursor");
    assert_eq!(std::fs::read_to_string(&cursor).expect("a file"), CURSOR);
    assert!(!home.folder().join("config/policy.toml").exists());
    let after = std::fs::read(home.folder().join("state/journal.jsonl")).expect("a journal");
    assert!(after.starts_with(&journal), "the journal only grows");
    let (code, ..) = home.run(&["status", "--url", &sim.url]).await;
    assert_eq!(code, 3);
    assert!(sim.executed().await.is_empty());
}

#[tokio::test]
async fn rules_that_were_changed_since_stay_and_no_is_the_answer_of_a_bare_enter() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let cursor = with_cursor(&person(&home));
    let (code, summary, err) = script(&home, &sim, &RUN, PIN, 2).await;
    assert_eq!(code, 0, "{summary} {err}");
    let written = std::fs::read_to_string(&cursor).expect("a file");
    let terminal = start(&home, &sim, &["--undo"]);
    terminal.answer("Take them out? [no]", "").await;
    terminal.answer("Sign out? [no]", "").await;
    terminal.answer("Take them away? [no]", "").await;
    terminal.until("[exit 0]").await;
    assert_eq!(std::fs::read_to_string(&cursor).expect("a file"), written);
    let policy = home.folder().join("config/policy.toml");
    let mut mine = std::fs::read_to_string(&policy).expect("rules");
    mine.push_str("# mine now\n");
    home.meddle("config/policy.toml", &mine);
    let words = ["setup", "--undo", "--yes", "--pin-stdin", "--url", &sim.url];
    let (code, out, err) = home.run_with(&words, &format!("{PIN}\n")).await;
    assert_eq!(code, 0, "{out} {err}");
    assert!(out.contains("Your rules stay"), "{out}");
    assert_eq!(std::fs::read_to_string(&policy).expect("rules"), mine);
}
