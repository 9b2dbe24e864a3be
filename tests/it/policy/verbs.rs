//! `policy init`, `check`, `show`, `explain`.

use super::*;

#[tokio::test]
async fn init_writes_a_starter_that_checks_and_is_not_overwritten() {
    let home = Home::new();
    let (code, out, err) = home.run(&["policy", "init"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("policy.toml") && out.contains("countersign policy check"),
        "{out}"
    );
    let path = home.folder().join("config/policy.toml");
    let written = std::fs::read_to_string(&path).expect("the starter");
    assert!(written.contains("Getting out is never limited"), "{written}");
    let (code, out, err) = home.run(&["policy", "check"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("The policy is fine"), "{out}");
    assert!(
        err.contains("note: line 29: sim101 has an entry of its own"),
        "{err}"
    );
    let (code, _, err) = home.run(&["policy", "init"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("is there already; nothing was changed"), "{err}");
    assert_eq!(std::fs::read_to_string(&path).expect("the starter"), written);
    #[cfg(unix)]
    {
        std::fs::remove_file(&path).expect("removed");
        std::os::unix::fs::symlink(home.folder().join("nowhere"), &path).expect("a link");
        assert_eq!(
            home.run(&["policy", "init"]).await.0,
            1,
            "a link is not written through"
        );
        assert!(!home.folder().join("nowhere").exists());
    }
}

#[tokio::test]
async fn explain_names_the_deciding_line_offline_and_with_facts() {
    let place = Place::new().await;
    place.write(
        "[account.\"Sim101\"]\nclass = \"sim\"\nmax_quantity = { MES = 2 }\nmax_position = { MES = 2 }\n",
    );
    let explain = async |home: &Home, quantity: u32| -> Value {
        let call = json!({ "name": "PlaceOrder", "arguments": market(quantity) });
        home.file("call.json", &call.to_string());
        let path = home.folder().join("call.json");
        let url = place.sim.url.clone();
        let words = [
            "policy",
            "explain",
            path.to_str().expect("a path"),
            "--json",
            "--url",
            &url,
        ];
        let (code, out, err) = home.run(&words).await;
        assert_eq!(code, 0, "{out}{err}");
        serde_json::from_str(&out).expect("JSON")
    };
    let refused = explain(&place.home, 3).await;
    assert_eq!(refused["schemaVersion"], 1);
    assert_eq!(refused["verdict"], "deny", "{refused}");
    assert_eq!(refused["rule"], "line 4: max_quantity (sim101)");
    assert_eq!(refused["factsRead"], true);
    let asked = explain(&place.home, 1).await;
    assert_eq!(asked["verdict"], "ask", "{asked}");
    assert_eq!(asked["limits"][1]["key"], "max_position");
    assert_eq!(asked["limits"][1]["came"], "ok", "{asked}");
    // Signed in nowhere: what needs a fact stays open.
    let stranger = Home::new();
    stranger.file(
        "config/policy.toml",
        "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\nmax_position = { MES = 2 }\n",
    );
    let offline = explain(&stranger, 1).await;
    assert_eq!(offline["factsRead"], false);
    assert_eq!(offline["limits"][0]["came"], "?", "{offline}");
    assert_eq!(place.sim.executed().await, [""; 0], "nothing is sent by asking");
    // Words instead of JSON, and files that hold no call.
    let path = stranger.folder().join("call.json");
    let path = path.to_str().expect("a path");
    let (code, out, _) = stranger.run(&["policy", "explain", path]).await;
    assert_eq!(code, 0);
    assert!(out.contains("verdict:") && out.contains("line 4"), "{out}");
    for (text, said) in [
        ("{", "call.json"),
        ("{\"arguments\":{}}", "a call has a \"name\""),
        ("{\"name\":\"ListOrders\"}", "reads pass"),
        (
            "{\"name\":\"PlaceOrder\",\"arguments\":{\"quantity\":1,\"quantity\":2}}",
            "call.json",
        ),
    ] {
        stranger.file("call.json", text);
        let (code, _, err) = stranger.run(&["policy", "explain", path]).await;
        assert_eq!(code, 2, "{text}: {err}");
        assert!(err.contains(said), "{text}: {err}");
    }
}

/// Counters that stand in the way are told with their file.
#[tokio::test]
async fn check_says_what_to_do_about_broken_counters() {
    let home = Home::new();
    home.file("state/counters.json", "{");
    let (code, _, err) = home.run(&["policy", "check"]).await;
    assert_eq!(code, 0);
    assert!(
        err.contains("counters.json") && err.contains("countersign policy reset-counters"),
        "{err}"
    );
}
