//! A policy or settings file that cannot be trusted stops every trade call, with the place and the way out.

use super::*;
use std::os::unix::fs::PermissionsExt;

/// Refused with all of this in the reason; exits too.
async fn refused(place: &Place, client: &mut Client, wanted: &str, words: &[&str]) {
    let close = json!({ "account": "Sim101", "instrument": "MES 12-26" });
    for (tool, arguments) in [("PlaceOrder", buy()), ("ClosePosition", close)] {
        let result = client.call(tool, &arguments).await;
        assert_eq!(code(&result), wanted, "{result}");
        for word in words.iter().chain(&["NOT SENT", "flatten in NinjaTrader"]) {
            assert!(text(&result).contains(word), "{word}: {}", text(&result));
        }
    }
    assert_eq!(place.pages(), 0, "nobody is asked to approve what cannot be read");
    place.nothing_sent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_broken_linked_or_open_to_others_refuses_trade_calls() {
    let place = Place::with_policy(Some(PLAIN)).await;
    let path = place.home.folder().join("config/policy.toml");
    let mut client = place.client().await;
    let wrong = "version = 1\n\n[limits]\norders_per_dya = 20\n";
    place.home.meddle("config/policy.toml", wrong);
    refused(
        &place,
        &mut client,
        "policy",
        &["policy.toml", "line 4", "column 1", "orders_per_dya"],
    )
    .await;
    let (code, _, err) = place.run(&["policy", "apply"]).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("line 4"), "{err}");
    // The approved text, but through a link.
    let elsewhere = place.home.folder().join("elsewhere.toml");
    std::fs::write(&elsewhere, PLAIN).expect("a file");
    std::fs::remove_file(&path).expect("removed");
    std::os::unix::fs::symlink(&elsewhere, &path).expect("a link");
    refused(&place, &mut client, "policy", &["policy.toml", "symbolic link"]).await;
    // The approved text, where others may write.
    std::fs::remove_file(&path).expect("removed");
    place.home.meddle("config/policy.toml", PLAIN);
    for mode in [0o602, 0o620, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("opened");
        refused(&place, &mut client, "policy", &["policy.toml", "chmod go-w"]).await;
    }
    // As it was approved: it goes on.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("closed");
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.click(Button::Left).await;
    assert_eq!(status(&client.result(id).await), "denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_are_broken_linked_or_open_to_others_refuse_trade_calls() {
    let place = Place::with_policy(None).await;
    let path = place.home.folder().join("config/settings.toml");
    let good = std::fs::read_to_string(&path).expect("settings");
    let mut client = place.client().await;
    place.home.meddle("config/settings.toml", "tier = \"none\"\n");
    refused(&place, &mut client, "settings", &["settings.toml", "line 1"]).await;
    place.home.meddle("config/settings.toml", &good);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o622)).expect("opened");
    refused(&place, &mut client, "settings", &["settings.toml", "chmod go-w"]).await;
    let elsewhere = place.home.folder().join("elsewhere.toml");
    std::fs::rename(&path, &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, &path).expect("a link");
    refused(
        &place,
        &mut client,
        "settings",
        &["settings.toml", "symbolic link"],
    )
    .await;
}
