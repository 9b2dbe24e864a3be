//! `diagnostics`: it shows what it would pack, asks, and packs no secret. Secrets are planted everywhere, and then
//! searched for in what was packed.

use super::*;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Name and text of each file in the archive.
fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let file = std::fs::File::open(path).expect("the archive");
    let mut zip = zip::ZipArchive::new(file).expect("a zip");
    (0..zip.len())
        .map(|n| {
            let mut part = zip.by_index(n).expect("a part");
            let mut text = String::new();
            part.read_to_string(&mut text).expect("text");
            (part.name().expect("a name").into_owned(), text)
        })
        .collect()
}

#[tokio::test]
async fn it_shows_the_list_and_writes_nothing_without_a_yes() {
    let place = Place::bare();
    let to = place.home.folder().join("pack.zip");
    let file = to.display().to_string();
    let (code, out, err) = place.run(&["diagnostics", &file]).await;
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    for part in [
        "doctor.json",
        "status.json",
        "journal.txt",
        "nobody can be asked here",
        "--yes",
    ] {
        assert!(err.contains(part), "{part}: {err}");
    }
    assert!(!to.exists());
    let (code, out, err) = place.run(&["diagnostics", &file, "--yes"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("Look into it before you send it to anybody."),
        "{out}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&to).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let parts = unpacked(&to);
    let doctor: Value = serde_json::from_str(&parts["doctor.json"]).unwrap();
    assert!(
        doctor["checks"]
            .as_array()
            .is_some_and(|checks| checks.len() >= 18)
    );
    assert!(parts["README.txt"].contains("Look through it"));
    // Nothing is ever written over.
    let before = std::fs::read(&to).unwrap();
    let (code, _, err) = place.run(&["diagnostics", &file, "--yes"]).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("is there already"), "{err}");
    assert_eq!(std::fs::read(&to).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_planted_secret_is_in_it() {
    let place = Place::with_desktop().await;
    let home = place.home.folder().to_owned();
    place
        .home
        .settings("requests_per_second = 0.0\nphrase = \"velvet thunder\"\n");
    place.home.file(
        "config/policy.toml",
        "# my broker login is broker_login_77\nversion = 1\n[account.\"Sim101\"]\nclass = \"sim\"\nmax_contracts = 3\n[account.\"APEX-884213-07\"]\nclass = \"eval\"\ncopies_to = [\"FollowerNine9\"]\n[[rule]]\naccount = \"PAYOUT-55012\"\nclass = \"code\"\ndo = \"deny\"\n",
    );
    // A life with an order, a denied one, and a PIN.
    let mut client = place.client().await;
    let id = client.send_call("PlaceOrder", &buy(1)).await;
    place.click(Button::Middle);
    assert_eq!(status(&client.result(id).await), "accepted");
    client.close().await;
    let (code, _, err) = place
        .run_with(
            &["presence", "set", "pin", "--pin-stdin"],
            &format!("{PIN}\n{OTHER}\n"),
        )
        .await;
    assert_eq!(code, 0, "{err}");
    // What no program of ours would write into a log, written there all the same.
    let planted = [
        "Bearer tok-Zq81xkPlanted",
        "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ0cmFkZXIifQ0.c2lnbmVkLWJ5LW5vYm9keQ1",
        "access_token=planted-access-9f8e",
        "http://127.0.0.1:7070/callback?code=PlantedCode42&state=PlantedState4711aaaaXYZ",
        "pin = otter lamp seven brick canoe",
        "the phrase Velvet Thunder",
        "order on sim101 and apex-884213-07 for FollowerNine9 and PAYOUT-55012, also UNKNOWN998877",
    ];
    let log = home.join("logs/countersign-2099-01-01-001.log");
    std::fs::write(&log, planted.join("\n")).unwrap();
    let to = home.join("pack.zip");
    let (code, out, err) = place
        .run(&["diagnostics", &to.display().to_string(), "--yes"])
        .await;
    assert_eq!(code, 0, "{out}{err}");
    let parts = unpacked(&to);
    assert!(
        parts.contains_key("logs/countersign-2099-01-01-001.log"),
        "{:?}",
        parts.keys()
    );
    let mut secrets: Vec<String> = place
        .sim
        .get("secrets")
        .await
        .as_array()
        .expect("an array")
        .iter()
        .map(|entry| entry["secret"].as_str().expect("a text").to_owned())
        .collect();
    assert!(secrets.len() > 6, "{secrets:?}");
    let key = std::fs::read_to_string(home.join("state/vault.key")).expect("the vault's key");
    secrets.extend([key.trim(), PIN, OTHER, "velvet thunder", "broker_login_77"].map(str::to_owned));
    secrets.extend(
        [
            "Zq81xk",
            "eyJhbGci",
            "c2lnbmVk",
            "planted-access",
            "PlantedCode",
            "PlantedState",
            "otter lamp",
            "Velvet",
            "Sim101",
            "sim101",
            "884213",
            "FollowerNine",
            "PAYOUT-55",
            "UNKNOWN998",
            "MES 12-26",
        ]
        .map(str::to_owned),
    );
    secrets.push(home.parent().unwrap().join("home").display().to_string());
    for secret in &secrets {
        for (name, text) in parts.iter().chain([(&"what was said".to_owned(), &err)]) {
            assert!(!text.contains(secret.as_str()), "{secret} is in {name}:\n{text}");
        }
    }
    // What is left still helps.
    let policy = &parts["config/policy.toml"];
    for kept in [
        "...101",
        "...-07",
        "...ne9",
        "max_contracts = 3",
        "class = \"eval\"",
        "do = \"deny\"",
    ] {
        assert!(policy.contains(kept), "{kept}: {policy}");
    }
    assert!(
        parts["journal.txt"].contains(" approved "),
        "{}",
        parts["journal.txt"]
    );
    assert!(parts["files.txt"].contains("vault"), "{}", parts["files.txt"]);
    for never in ["vault", "tickets", "approved.json"] {
        assert!(
            parts.keys().all(|name| !name.contains(never)),
            "{:?}",
            parts.keys()
        );
    }
}
