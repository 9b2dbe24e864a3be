//! The vault's key in a real Secret Service (gnome-keyring on the test's own bus), and what is said where there is none.

use super::*;
use crate::support::desktop::Desktop;
use crate::support::program::text;
use serde_json::json;
use std::time::{Duration, Instant};

fn with_keyring() -> (Desktop, Home) {
    let mut desktop = Desktop::without_notifications();
    desktop.start_keyring();
    let home = Home::on(desktop.folder(), desktop.env());
    (desktop, home)
}

/// What `secret-tool` finds under our name.
fn entries(desktop: &Desktop) -> String {
    let told = desktop.run(
        "secret-tool",
        "libsecret-tools",
        &["search", "--all", "service", "countersign"],
    );
    format!(
        "{}{}",
        String::from_utf8_lossy(&told.stdout),
        String::from_utf8_lossy(&told.stderr)
    )
}

#[tokio::test]
async fn the_key_lies_in_the_keyring_and_serves_after_a_restart() {
    let (desktop, home) = with_keyring();
    let sim = Sim::start(&[]);
    home.login(&sim, false).await;
    let found = entries(&desktop);
    assert!(found.contains("countersign"), "{found}");
    assert!(
        !home.folder().join("state/vault.key").exists(),
        "no key in a file"
    );
    for _ in 0..2 {
        let mut client = home.serve(&sim).await.hello().await;
        assert!(text(&client.call("ListAccounts", &json!({})).await).contains("Sim101"));
        client.close().await;
    }
    let (code, out, _) = home.run(&["status", "--url", &sim.url]).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("keys      in the keychain of this system"), "{out}");
    // The entry is the vault's key, and the vault holds nothing in the clear.
    let vault = std::fs::read(home.folder().join("state/vault")).expect("a vault");
    let secrets = sim.get("secrets").await;
    for secret in secrets.as_array().expect("an array") {
        let secret = secret["secret"].as_str().expect("a text").as_bytes();
        assert!(!vault.windows(secret.len()).any(|window| window == secret));
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "measures how long the person waits")]
async fn without_a_keychain_login_says_so_soon_and_writes_nothing() {
    let desktop = Desktop::without_notifications();
    let home = Home::on(desktop.folder(), desktop.env());
    let sim = Sim::start(&[]);
    let began = Instant::now();
    let (code, _, err) = home.try_login(&sim, &[]).await;
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("the keychain cannot be used") && err.contains("COUNTERSIGN_STORE=file"),
        "{err}"
    );
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    for name in ["state/vault", "state/vault.key"] {
        assert!(!home.folder().join(name).exists(), "{name} was written");
    }
    assert!(
        grants(&sim).await.iter().all(|(_, _, revoked)| *revoked),
        "no grant is left behind"
    );
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "measures how long the client waits")]
async fn a_keychain_that_went_away_is_told_in_bounded_time() {
    let (mut desktop, home) = with_keyring();
    let sim = Sim::start(&[]);
    home.login(&sim, false).await;
    let vault = std::fs::read(home.folder().join("state/vault")).expect("a vault");
    desktop.stop_keyring();
    let mut client = home.serve(&sim).await.hello().await;
    let began = Instant::now();
    let answer = client.call("ListAccounts", &json!({})).await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert!(
        text(&answer).contains("NOT DONE.") && text(&answer).contains("eychain"),
        "{answer}"
    );
    client.close().await;
    let (code, out, _) = home.run(&["status", "--url", &sim.url]).await;
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("keychain cannot be used"), "{out}");
    let (code, out, _) = home.run(&["doctor", "--url", &sim.url]).await;
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("FAIL  vault") && out.contains("start your keychain"),
        "{out}"
    );
    assert_eq!(
        std::fs::read(home.folder().join("state/vault")).expect("a vault"),
        vault,
        "nothing was written"
    );
}

#[tokio::test]
async fn a_locked_keyring_is_told_and_nothing_is_written() {
    let (desktop, home) = with_keyring();
    let sim = Sim::start(&[]);
    home.login(&sim, false).await;
    desktop.lock_keyring();
    let (code, out, _) = home
        .with("COUNTERSIGN_LOG", "info")
        .run(&["status", "--url", &sim.url])
        .await;
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("keychain cannot be used"), "{out}");
}

#[tokio::test]
async fn the_file_store_is_said_loudly() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    home.login(&sim, false).await;
    let (code, out, _) = home.run(&["status", "--url", &sim.url]).await;
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("keys      in a FILE, not in a keychain: any program that runs as you can read it"),
        "{out}"
    );
    let (_, out, _) = home.run(&["status", "--json", "--url", &sim.url]).await;
    let status: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(status["grants"][0]["store"], "file");
    // Readable by others: refused until that is mended.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let key = home.folder().join("state/vault.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("opened up");
        let (code, out, _) = home.run(&["status", "--url", &sim.url]).await;
        assert_eq!(code, 1, "{out}");
        assert!(out.contains("can be read by others"), "{out}");
    }
}
