//! `status`, `version`, `tools`, and the help of every verb. `doctor` has files of its own.

use super::*;

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
        &["tools"],
        &["call"],
        &["diagnostics"],
        &["completions"],
        &["man"],
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
