//! The vault and its key.

use super::*;

#[tokio::test]
async fn nothing_is_asked_of_the_keychain_before_there_is_a_vault() {
    let desk = Desk::new().await;
    let grants = desk.grants();
    assert_eq!(
        grants.bearer(GrantKind::Read).await.unwrap_err(),
        TokenError::NotSignedIn
    );
    assert!(grants.overview().await.unwrap().is_empty());
    assert!(!grants.is_sealed().await.unwrap());
    assert_eq!(*desk.keychain.calls.lock().unwrap(), 0);
    assert!(!desk.vault().exists());
}

#[tokio::test]
async fn the_keychain_is_asked_once_per_process() {
    let desk = Desk::new().await;
    let _ = desk.signed_in(GrantKind::Read).await;
    let before = *desk.keychain.calls.lock().unwrap();
    let grants = desk.grants();
    for _ in 0..5 {
        grants.forget(&GrantKind::ALL);
        grants.bearer(GrantKind::Read).await.unwrap();
    }
    assert_eq!(*desk.keychain.calls.lock().unwrap(), before + 1);
}

#[tokio::test]
async fn a_keychain_that_fails_is_told_with_the_way_out() {
    let desk = Desk::new().await;
    *desk.keychain.failure.lock().unwrap() = Some("it is locked or refuses access".to_owned());
    let refused = desk
        .grants()
        .begin_login(request(GrantKind::Read))
        .await
        .unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, LoginError::Store(_)), "{text}");
    assert!(
        text.contains("locked") && text.contains("COUNTERSIGN_STORE=file"),
        "{text}"
    );
    assert_eq!(
        desk.fake.count("/oauth/register"),
        0,
        "nothing was registered that could not be kept"
    );
    assert!(
        !desk.world().paths.vault_key_file().exists(),
        "the file is never chosen silently"
    );
}

#[derive(Debug)]
struct HangingKeychain;

impl Keychain for HangingKeychain {
    fn load(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        std::thread::sleep(std::time::Duration::from_secs(30));
        Ok(None)
    }

    fn remove(&self, _: &str) -> Result<(), String> {
        std::thread::sleep(std::time::Duration::from_secs(30));
        Ok(())
    }

    fn save(&self, _: &str, _: &[u8]) -> Result<(), String> {
        std::thread::sleep(std::time::Duration::from_secs(30));
        Ok(())
    }
}

#[tokio::test]
async fn a_keychain_that_hangs_is_given_up() {
    let desk = Desk::new().await;
    let endpoint = Endpoint::parse(&desk.fake.mcp_url()).unwrap();
    let grants = Grants::with_keychain(&desk.world(), endpoint, http(), Arc::new(HangingKeychain));
    grants
        .inner
        .vault
        .patience_s
        .store(1, std::sync::atomic::Ordering::Relaxed);
    let refused = grants.begin_login(request(GrantKind::Read)).await.unwrap_err();
    assert!(refused.to_string().contains("no answer within 1 s"), "{refused}");
}

#[tokio::test]
async fn the_file_store_is_private_and_needs_no_keychain() {
    let mut desk = Desk::new().await;
    desk.env = Env::of([("COUNTERSIGN_STORE", "file")]);
    let grants = desk.signed_in(GrantKind::Read).await;
    assert_eq!(
        grants.overview().await.unwrap()[0].store,
        super::super::StoreKind::File
    );
    assert_eq!(*desk.keychain.calls.lock().unwrap(), 0);
    let key = desk.world().paths.vault_key_file();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for path in [&key, &desk.vault()] {
            assert_eq!(
                std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }
    // A client that passes no environment on: the choice was made when the vault was made.
    desk.env = Env::default();
    assert!(desk.grants().bearer(GrantKind::Read).await.is_ok());
    desk.env = Env::of([("COUNTERSIGN_STORE", "keychain")]);
    let told = desk.grants().bearer(GrantKind::Read).await.unwrap_err();
    assert!(matches!(told, TokenError::Store(_)), "{told}");
    desk.env = Env::of([("COUNTERSIGN_STORE", "cloud")]);
    let told = desk.grants().bearer(GrantKind::Read).await.unwrap_err();
    assert_eq!(told.to_string(), "COUNTERSIGN_STORE must be `keychain` or `file`");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        desk.env = Env::default();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let told = desk.grants().bearer(GrantKind::Read).await.unwrap_err();
        assert!(told.to_string().contains("chmod 600"), "{told}");
    }
}

#[tokio::test]
async fn a_changed_vault_is_an_error_and_is_left_alone() {
    let desk = Desk::new().await;
    let _ = desk.signed_in(GrantKind::Read).await;
    let good = std::fs::read(desk.vault()).unwrap();
    let last = good.len() - 1;
    for place in [0, 8, 9, 12, 16, 31, 32, 36, 47, 48, 200, last] {
        let mut bad = good.clone();
        bad[place] ^= 1;
        std::fs::write(desk.vault(), &bad).unwrap();
        let told = desk.grants().bearer(GrantKind::Read).await.unwrap_err();
        assert!(matches!(told, TokenError::Store(_)), "byte {place}: {told}");
        let refused = desk
            .grants()
            .begin_login(request(GrantKind::Read))
            .await
            .unwrap_err();
        assert!(matches!(refused, LoginError::Store(_)), "byte {place}: {refused}");
        assert_eq!(
            std::fs::read(desk.vault()).unwrap(),
            bad,
            "byte {place}: not overwritten"
        );
    }
    for cut in [0, 1, 47, 48, 60, last] {
        std::fs::write(desk.vault(), &good[..cut]).unwrap();
        let told = desk.grants().bearer(GrantKind::Read).await.unwrap_err();
        assert!(matches!(told, TokenError::Store(_)), "cut at {cut}: {told}");
    }
    std::fs::write(desk.vault(), &good).unwrap();
    assert!(desk.grants().bearer(GrantKind::Read).await.is_ok());
}

#[tokio::test]
async fn a_vault_of_another_machine_does_not_open() {
    let mut desk = Desk::new().await;
    desk.env = Env::of([("COUNTERSIGN_STORE", "file")]);
    let _ = desk.signed_in(GrantKind::Read).await;
    let mut elsewhere = desk.grants();
    Arc::get_mut(&mut elsewhere.inner).unwrap().vault.machine = [9; 4];
    let told = elsewhere.bearer(GrantKind::Read).await.unwrap_err();
    assert!(told.to_string().contains("another machine"), "{told}");
}

#[tokio::test]
async fn the_vault_shows_nothing() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    let first = std::fs::read(desk.vault()).unwrap();
    let token = token_of(&grants.bearer(GrantKind::Read).await.unwrap());
    let all = everything_in(desk.home.path());
    for secret in [token.as_str(), "planted", "client-", "mcp:read"] {
        assert!(!all.contains(secret), "{secret}");
    }
    grants
        .renew(GrantKind::Read, &grants.bearer(GrantKind::Read).await.unwrap())
        .await
        .unwrap();
    let second = std::fs::read(desk.vault()).unwrap();
    assert_ne!(
        first[36..48],
        second[36..48],
        "a nonce of its own for every write"
    );
}

#[tokio::test]
async fn changes_of_many_processes_all_last() {
    let desk = Desk::new().await;
    let _ = desk.signed_in(GrantKind::Read).await;
    let all: Vec<Grants> = (0..8).map(|_| desk.grants()).collect();
    let changes = all.iter().enumerate().map(|(index, grants)| {
        grants.update(move |contents| contents.registered.push((format!("issuer {index}"), 1)))
    });
    for change in futures_util::future::join_all(changes).await {
        change.unwrap();
    }
    let contents = desk.grants().contents().await.unwrap();
    assert_eq!(
        contents
            .registered
            .iter()
            .filter(|(issuer, _)| issuer.starts_with("issuer "))
            .count(),
        8
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_cannot_be_written_keeps_the_old_vault() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    let before = std::fs::read(desk.vault()).unwrap();
    let folder = desk.vault().parent().unwrap().to_owned();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o500)).unwrap();
    let writable = std::fs::write(folder.join("probe"), b"").is_ok();
    let changed = grants
        .update(|contents| contents.registered.push(("x".to_owned(), 1)))
        .await;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    if writable {
        return; // The superuser writes everywhere.
    }
    let told = changed.unwrap_err();
    assert!(told.to_string().contains("the old one stands"), "{told}");
    assert_eq!(std::fs::read(desk.vault()).unwrap(), before);
}
