//! `policy` and `presence`.

use super::*;

#[tokio::test]
async fn a_wrong_policy_is_told_with_line_and_column() {
    let place = Place::bare();
    let (code, out, _) = place.run(&["policy", "check"]).await;
    assert_eq!(code, 0, "{out}");
    for (text, parts) in [
        ("[account.\"Sim101\"]\nclass = \"play\"\n", &["policy.toml", "line 2", "column 9", "play"][..]),
        ("[account.Sim101\n", &["line 1"]),
        ("unheard_of = 1\n", &["line 1", "unheard_of"]),
    ] {
        place.home.file("config/policy.toml", text);
        for verb in ["check", "show"] {
            let (code, out, err) = place.run(&["policy", verb]).await;
            assert_eq!((code, out.as_str()), (8, ""), "{err}");
            assert!(err.contains("every trade call is refused"), "{err}");
            for part in parts {
                assert!(err.contains(part), "{text:?} {verb}: no {part:?} in {err}");
            }
        }
    }
    let (_, out, _) = place.run(&["status"]).await;
    assert!(out.contains("policy    WRONG, trade calls are refused"), "{out}");
}

#[tokio::test]
async fn a_policy_is_shown_and_a_foreign_one_refused() {
    let place = Place::bare();
    place.home.file("config/policy.toml", "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\n");
    let (code, out, err) = place.run(&["policy", "show"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("account sim101: sim"), "{out}");
    assert_eq!(place.json(&["policy", "check"]).await["exists"], true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = place.home.folder().join("config/policy.toml");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        let (code, _, err) = place.run(&["policy", "check"]).await;
        assert_eq!(code, 8);
        assert!(err.contains("chmod go-w"), "{err}");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        let (code, _, err) = place.run(&["policy", "check"]).await;
        assert_eq!(code, 8);
        assert!(err.contains("symbolic link"), "{err}");
    }
}

#[tokio::test]
async fn the_pin_is_set_changed_and_taken_off() {
    let place = Place::bare();
    let set = ["presence", "set", "pin", "--pin-stdin"];
    let pins = |lines: &[&str]| format!("{}\n", lines.join("\n"));
    let (code, _, err) = place.run_with(&set, &pins(&[PIN])).await;
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("countersign login --trade"), "{err}");
    place.sign_in().await;
    for weak in ["1234", "aaaaaaaaaaaaaa", "password12345", "abcdefghijklm"] {
        let (code, _, err) = place.run_with(&set, &pins(&[weak])).await;
        assert_eq!(code, 2, "{weak}: {err}");
        assert!(err.contains("not strong enough") && !err.contains(weak), "{err}");
    }
    assert_eq!(place.json(&["presence", "show"]).await["tier"], "click");
    let (code, out, err) = place.run_with(&set, &pins(&[PIN])).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("takes your PIN for each order"), "{out}");
    assert_eq!(place.json(&["presence", "show"]).await["tier"], "pin");
    assert!(place.run(&["status"]).await.1.contains("sealed under your PIN"));
    // Another PIN needs the present one; a wrong one changes nothing.
    let (code, _, err) = place.run_with(&set, &pins(&[OTHER, PIN])).await;
    assert_eq!(code, 5, "{err}");
    assert!(err.contains("wrong PIN") && err.contains("nothing was changed"), "{err}");
    assert_eq!(place.run_with(&set, &pins(&[PIN, "1234"])).await.0, 2, "weak, and the old one stands");
    assert_eq!(place.run_with(&set, &pins(&[PIN, OTHER])).await.0, 0);
    // Back to a click needs it too.
    let click = ["presence", "set", "click", "--pin-stdin"];
    assert_eq!(place.run_with(&click, "").await.0, 2);
    assert_eq!(place.run_with(&click, &pins(&[PIN])).await.0, 5);
    assert_eq!(place.json(&["presence", "show"]).await["tier"], "pin");
    let (code, out, err) = place.run_with(&click, &pins(&[OTHER])).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("controls the mouse or a shell"), "{out}");
    assert!(!place.run(&["status"]).await.1.contains("sealed"));
}

#[tokio::test]
async fn logout_revokes_what_lies_under_the_pin_where_the_pin_is_given() {
    let place = Place::bare();
    place.sign_in().await;
    place.seal().await;
    let logout = ["logout", "--trade", "--pin-stdin"];
    let (code, _, err) = place.run_with(&logout, &format!("{OTHER}\n")).await;
    assert_eq!(code, 5, "{err}");
    assert!(err.contains("nothing was signed out"), "{err}");
    let (code, out, err) = place.run_with(&logout, &format!("{PIN}\n")).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("trade  refresh  revoked") && !out.contains("To be sure"), "{out}");
    let tokens = place.sim.get("tokens").await;
    let open: Vec<&Value> = tokens["grants"].as_array().unwrap().iter().filter(|grant| grant["revoked"] == false).collect();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["scope"], "mcp:read");
    // Without the PIN it is wiped here, and the person is told where to end it.
    place.home.login(&place.sim, false).await;
    let (code, _, err) = place.run(&["login", "--trade"]).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("asked for in a terminal"), "{err}");
}

#[tokio::test]
async fn a_sealed_sign_in_that_is_wiped_without_the_pin_is_told() {
    let place = Place::bare();
    place.sign_in().await;
    place.seal().await;
    let (code, out, _) = place.run(&["logout"]).await;
    assert_eq!(code, 9, "{out}");
    assert!(out.contains("NOT revoked: it lies under your PIN") && out.contains("To be sure, revoke the clients"), "{out}");
}
