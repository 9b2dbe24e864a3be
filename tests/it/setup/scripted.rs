//! No terminal: everything is said by flags.

use super::*;
use serde_json::json;

const PIN_RUN: [&str; 8] = [
    "--trade",
    "--tier",
    "pin",
    "--pin-stdin",
    "--client",
    "cursor",
    "--starter",
    "account.PA-123456=funded",
];

#[tokio::test]
async fn the_missing_flag_is_named_and_nothing_changes() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let before = tree(home.folder());
    for (words, missing) in [
        (&[][..], "--trade or --no-trade"),
        (&["--trade"], "--policy FILE, --starter KEY=VALUE or --yes"),
        (&["--trade", "--yes"], "--tier click, pin or passkey"),
        (&["--trade", "--yes", "--tier", "pin"], "--pin-stdin"),
        (&["--no-trade"], "--client ID, --no-clients or --yes"),
        (&["--undo"], "--yes"),
    ] {
        let (code, out, err) = home.run(&[&["setup", "--url", &sim.url], words].concat()).await;
        assert_eq!((code, out.as_str()), (2, ""), "{words:?}: {err}");
        assert!(err.contains(missing), "{words:?}: {err}");
    }
    let weak = [
        "setup",
        "--trade",
        "--yes",
        "--tier",
        "pin",
        "--pin-stdin",
        "--url",
        &sim.url,
    ];
    let (code, _, err) = home.run_with(&weak, "1234\n").await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("not strong enough"), "{err}");
    let mut after = tree(home.folder());
    after.retain(|path| !path.ends_with("state/setup.json") && !path.ends_with("setup.lock"));
    assert_eq!(after, before);
    assert!(sim.calls().await.is_empty());
}

/// Two setups at once would ask the same things and write over each other.
#[tokio::test]
async fn a_second_setup_changes_nothing_while_one_is_open() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let words = [
        "setup",
        "--no-trade",
        "--no-clients",
        "--no-browser",
        "--url",
        &sim.url,
    ];
    let first = Verb::start(&home, &words);
    nth_address(&first, 0).await;
    let before = tree(home.folder());
    let (code, out, err) = home.run(&words).await;
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(
        err.contains("open in another terminal already") && err.contains("nothing was changed"),
        "{err}"
    );
    assert_eq!(tree(home.folder()), before);
}

#[tokio::test]
async fn reading_only_takes_one_sign_in() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let (code, summary, err) = script(&home, &sim, &["--no-trade", "--no-clients"], "", 1).await;
    assert_eq!(code, 0, "{summary} {err}");
    assert_eq!(summary["schemaVersion"], 1);
    assert_eq!(
        (came(&summary, "reading"), came(&summary, "trading")),
        ("done", "skipped")
    );
    assert_eq!(summary["trade"], false);
    assert!(!home.folder().join("config/policy.toml").exists());
}

#[tokio::test]
async fn a_script_sets_everything_up_under_a_pin_and_a_second_run_finds_it() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let cursor = with_cursor(&person(&home));
    let (code, summary, err) = script(&home, &sim, &PIN_RUN, PIN, 2).await;
    assert_eq!(code, 0, "{summary} {err}");
    for step in ["reading", "rules", "approval", "trading", "clients"] {
        assert_eq!(came(&summary, step), "done", "{step}: {summary}");
    }
    assert_eq!(came(&summary, "practice"), "skipped");
    assert!(
        !err.contains("otter") && !summary.to_string().contains("otter"),
        "{err}"
    );
    let policy = std::fs::read_to_string(home.folder().join("config/policy.toml")).expect("rules");
    assert!(
        policy.contains("[account.\"PA-123456\"]\nclass = \"funded\""),
        "{policy}"
    );
    assert!(
        policy.contains("[account.\"Sim101\"]\nclass = \"sim\""),
        "{policy}"
    );
    let (_, status, _) = home.run(&["status", "--json", "--url", &sim.url]).await;
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["tier"], "pin");
    // Nothing waits for an approval: the rules were there before the sign-in for trading.
    assert_eq!(status["changed"], json!([]), "{status}");
    let grants = status["grants"].as_array().expect("grants");
    assert!(grants.iter().any(|grant| grant["sealed"] == true), "{status}");
    assert!(
        std::fs::read_to_string(&cursor)
            .expect("a file")
            .contains("\"countersign\"")
    );
    // Again: the same flags, no address, no PIN.
    let (code, again, err) = script(&home, &sim, &PIN_RUN, "", 0).await;
    assert_eq!(code, 0, "{again} {err}");
    for step in ["reading", "rules", "approval", "trading", "clients"] {
        assert_eq!(came(&again, step), "already", "{step}: {again}");
    }
    assert!(sim.executed().await.is_empty());
}

#[tokio::test]
async fn rules_that_are_there_are_never_touched() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let mine = "version = 1\n# mine\n";
    home.meddle("config/policy.toml", mine);
    let words = [
        "--trade",
        "--tier",
        "click",
        "--yes",
        "--no-clients",
        "--starter",
        "loss=100",
    ];
    let (code, summary, err) = script(&home, &sim, &words, "", 2).await;
    assert_eq!(code, 0, "{summary} {err}");
    assert_eq!(came(&summary, "rules"), "already");
    let now = std::fs::read_to_string(home.folder().join("config/policy.toml")).expect("rules");
    assert_eq!(now, mine);
    home.meddle("config/policy.toml", "version = 1\nsize = 3\n");
    let (code, summary, err) = script(&home, &sim, &words, "", 0).await;
    assert_eq!((code, came(&summary, "rules")), (9, "left"), "{summary}");
    assert!(err.contains("every order is refused"), "{err}");
}

#[tokio::test]
async fn answers_that_cannot_be_read_write_no_rules() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    home.login(&sim, false).await;
    let wrong = home.folder().join("wrong.toml");
    std::fs::write(&wrong, "version = 1\nsize = 3\n").expect("a file");
    let wrong = wrong.display().to_string();
    for words in [
        ["--starter", "quantity=MES"],
        ["--starter", "zone=Mars/Olympus"],
        ["--policy", wrong.as_str()],
    ] {
        let all = [&["--trade", "--tier", "click", "--no-clients"], &words[..]].concat();
        let (code, summary, err) = script(&home, &sim, &all, "", 0).await;
        assert_eq!(code, 2, "{words:?}: {summary} {err}");
        assert!(err.contains("no rules were written"), "{err}");
        assert!(!home.folder().join("config/policy.toml").exists(), "{words:?}");
    }
}

#[tokio::test]
async fn without_the_plan_the_reason_is_told_and_reading_stays_signed_in() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    sim.post("plan", &json!({ "plan": "basic" })).await;
    let words = ["--trade", "--tier", "click", "--yes", "--no-clients"];
    let (code, summary, err) = script(&home, &sim, &words, "", 2).await;
    assert_eq!(code, 9, "{summary} {err}");
    assert_eq!(
        (came(&summary, "reading"), came(&summary, "trading")),
        ("done", "left")
    );
    assert!(err.contains("Elite plan"), "{err}");
    // Accounts that could not be listed are all as if they were live.
    let policy = std::fs::read_to_string(home.folder().join("config/policy.toml")).expect("rules");
    assert!(!policy.contains("class = \"sim\""), "{policy}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told_before_anything_else() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    // A file where the folder should be: root could write into one that is read-only.
    std::fs::write(home.folder().join("state"), "").expect("a file");
    let words = [
        "setup",
        "--no-trade",
        "--no-clients",
        "--no-browser",
        "--url",
        &sim.url,
    ];
    let (code, _, err) = home.run(&words).await;
    assert_eq!(code, 8, "{err}");
    assert!(err.contains("COUNTERSIGN_HOME"), "{err}");
    assert!(sim.calls().await.is_empty());
}

#[tokio::test]
async fn entries_that_go_around_us_are_told() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let cursor = with_cursor(&person(&home));
    let other = r#"{ "mcpServers": { "ct": { "command": "npx", "args": ["-y", "mcp-remote", "https://app.crosstrade.io/v1/api/mcp"] } } }"#;
    std::fs::write(&cursor, other).expect("a file");
    let (code, _, err) = script(&home, &sim, &["--no-trade", "--client", "cursor"], "", 1).await;
    assert_eq!(code, 0, "{err}");
    let flat = err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("held by NOBODY") && flat.contains("\"ct\""),
        "{err}"
    );
    let now = std::fs::read_to_string(&cursor).expect("a file");
    assert!(now.contains("mcp-remote"), "told, and not touched: {now}");
}
