//! `status`, `doctor`, `version`, `tools`, and the help of every verb.

use super::*;

/// The state of a check of `doctor`, and its words.
async fn check(place: &Place, name: &str) -> (String, String, String) {
    let told = place.json(&["doctor"]).await;
    let checks = told["checks"].as_array().expect("checks");
    let check = checks
        .iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {told}"));
    let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("what"), text("todo"))
}

#[tokio::test]
async fn every_verb_has_a_help_that_fits_on_a_screen() {
    let home = Home::new();
    let verbs: &[&[&str]] = &[
        &[],
        &["serve"],
        &["login"],
        &["logout"],
        &["status"],
        &["doctor"],
        &["policy"],
        &["policy", "check"],
        &["policy", "show"],
        &["presence"],
        &["presence", "set"],
        &["presence", "show"],
        &["arm"],
        &["pending"],
        &["watch"],
        &["deny"],
        &["halt"],
        &["resume"],
        &["journal"],
        &["journal", "show"],
        &["journal", "verify"],
        &["journal", "export"],
        &["install"],
        &["uninstall"],
        &["clients"],
        &["tools"],
        &["call"],
        &["version"],
    ];
    for verb in verbs {
        let (code, out, err) = home.run(&[verb, &["--help"][..]].concat()).await;
        assert_eq!((code, err.as_str()), (0, ""), "{verb:?}");
        assert!(
            out.contains("Usage: countersign") && out.lines().count() < 60,
            "{verb:?}: {out}"
        );
        assert!(!out.contains('\u{1b}'), "{verb:?} prints no colours");
    }
}

#[tokio::test]
async fn wrong_words_end_with_2_and_say_what_is_meant() {
    let home = Home::new();
    for words in [
        &["logn"][..],
        &["login", "--trad"],
        &["arm", "0"],
        &["arm", "61"],
        &["presence", "set", "hope"],
        &["deny"],
        &["journal"],
    ] {
        let (code, out, err) = home.run(words).await;
        assert_eq!((code, out.as_str()), (2, ""), "{words:?}: {err}");
        assert!(!err.is_empty());
    }
    let (code, _, err) = home.run(&["status", "--url", "http://example.com/mcp"]).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("https"), "{err}");
}

#[tokio::test]
async fn the_version_is_told() {
    let home = Home::new();
    let (code, out, _) = home.run(&["version"]).await;
    assert_eq!(
        (code, out.trim()),
        (0, concat!("countersign ", env!("CARGO_PKG_VERSION")))
    );
    let (_, out, _) = home.run(&["version", "--json"]).await;
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap(),
        json!({ "schemaVersion": 1, "version": env!("CARGO_PKG_VERSION") })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_and_doctor_of_a_whole_installation() {
    let place = Place::with_desktop().await;
    let (code, out, _) = place.run(&["status"]).await;
    assert_eq!(code, 0);
    for part in [
        "reading   signed in as \"Countersign read",
        "trading   signed in as \"Countersign trade",
        "orders    every trade call is held until you approve it",
        "waiting   nothing",
    ] {
        assert!(out.contains(part), "{out}");
    }
    let told = place.json(&["status"]).await;
    assert_eq!(
        (&told["halted"], &told["tier"], &told["trouble"]),
        (&json!(false), &json!("click"), &Value::Null)
    );
    assert_eq!(told["grants"].as_array().map(Vec::len), Some(2));
    assert_eq!(told["grants"][0]["scope"], "mcp:read");
    let (code, out, _) = place.run(&["doctor"]).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("Everything is in order."), "{out}");
    assert!(
        check(&place, "prompt").await.1.contains("Xfce Notify Daemon"),
        "{out}"
    );
    // Stopping needs neither a keychain nor the service.
    let (code, _, err) = place
        .home
        .with("COUNTERSIGN_STORE", "keychain")
        .run(&["halt", "--url", "http://127.0.0.1:9/mcp"])
        .await;
    assert_eq!(code, 0, "{err}");
}

#[tokio::test]
async fn doctor_finds_each_fault() {
    let place = Place::bare();
    let said = check(&place, "reading").await;
    assert_eq!(
        (said.0.as_str(), said.2.as_str()),
        ("fail", "run `countersign login`")
    );
    assert_eq!(
        check(&place, "service").await.0,
        "note",
        "without a sign-in nothing is asked"
    );
    place.sign_in().await;
    assert_eq!(check(&place, "reading").await.0, "ok");
    assert_eq!(check(&place, "service").await.0, "ok");
    let prompt = check(&place, "prompt").await;
    assert!(
        prompt.0 == "fail" && prompt.2.contains("countersign watch"),
        "{prompt:?}"
    );

    place
        .home
        .file("config/policy.toml", "[account.\"Sim101\"]\nclas = 3\n");
    let policy = check(&place, "policy").await;
    assert!(
        policy.0 == "fail" && policy.1.contains("line 2") && policy.2.contains("every trade call is refused"),
        "{policy:?}"
    );
    std::fs::remove_file(place.home.folder().join("config/policy.toml")).unwrap();

    place.home.settings("tier = \"hope\"\n");
    let settings = check(&place, "settings").await;
    assert!(
        settings.0 == "fail" && settings.1.contains("settings.toml"),
        "{settings:?}"
    );
    place.home.settings("requests_per_second = 0.0\n");

    place.run(&["halt"]).await;
    assert_eq!(check(&place, "halt").await.0, "note");
    let journal = place.home.folder().join("state/journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replace("countersign halt", "countersign hall")).unwrap();
    let damaged = check(&place, "journal").await;
    assert!(
        damaged.0 == "fail" && damaged.1.contains("first at line 1"),
        "{damaged:?}"
    );

    place.sim.post("revoke", &json!({})).await;
    place.run(&["call", "ListAccounts"]).await;
    let ended = check(&place, "reading").await;
    assert!(
        ended.0 == "fail" && ended.1.contains("CrossTrade has ended it"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_changed_description_is_named_at_the_next_sign_in_and_by_doctor() {
    let place = Place::bare();
    place.sign_in().await;
    assert_eq!(check(&place, "tools").await.0, "ok");
    place.sim.post("fault", &json!({ "kind": "schema_change" })).await;
    let (code, said, err) = place.home.try_login(&place.sim, &["--trade"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(
        said.contains("CHANGED since you last signed in for trading") && said.contains("PlaceOrder"),
        "{said}"
    );
    assert_eq!(
        check(&place, "tools").await.0,
        "ok",
        "the person was told, and signed in"
    );
}

#[tokio::test]
async fn doctor_sees_that_the_service_is_down_and_that_ninjatrader_is() {
    let place = Place::bare();
    place.sign_in().await;
    place.sim.post("fault", &json!({ "kind": "addon_down" })).await;
    let away = check(&place, "service").await;
    assert!(
        away.0 == "fail"
            && away
                .1
                .contains("NinjaTrader or its CrossTrade add-on is not connected"),
        "{away:?}"
    );
    let (home, url) = (place.home, place.sim.url.clone());
    drop(place.sim);
    let (code, out, _) = home.run(&["doctor", "--url", &url]).await;
    assert_eq!(code, 1);
    assert!(
        out.contains("FAIL  service") && out.contains("cannot be reached"),
        "{out}"
    );
}

#[tokio::test]
async fn tools_are_listed_with_what_is_held() {
    let place = Place::bare();
    let (code, _, err) = place.run(&["tools"]).await;
    assert_eq!(code, 3, "{err}");
    place.sign_in().await;
    let (code, out, _) = place.run(&["tools"]).await;
    assert_eq!(code, 0);
    assert!(
        out.contains("read  ListAccounts\n") && out.contains("held  PlaceOrder\n"),
        "{out}"
    );
    assert!(
        place.json(&["tools"]).await["tools"]
            .as_array()
            .is_some_and(|tools| tools.len() > 50)
    );
}

#[tokio::test]
async fn without_a_terminal_nothing_is_asked() {
    let place = Place::bare();
    place.sign_in().await;
    let (code, _, err) = place.run(&["presence", "set", "pin"]).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("--pin-stdin"), "{err}");
    let (code, _, err) = place.run(&["watch"]).await;
    assert_eq!(code, 2, "{err}");
    place.run(&["halt"]).await;
    let (code, _, err) = place.run(&["resume"]).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("run `countersign resume` in a terminal"), "{err}");
    assert_eq!(place.json(&["status"]).await["halted"], true);
}
