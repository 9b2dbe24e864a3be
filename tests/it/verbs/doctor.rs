//! `doctor`: each check of the installation, brought to fail on the running program, with what it then says to do.
//! Network and desktop have files of their own.

use super::*;
use std::path::Path;

/// What a check found: its state, what it saw, what to do.
pub(super) type Found = (String, String, String);

pub(super) fn found(told: &Value, id: &str) -> Found {
    let checks = told["checks"].as_array().expect("checks");
    let check = checks
        .iter()
        .find(|check| check["id"] == id)
        .unwrap_or_else(|| panic!("no {id}: {told}"));
    let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("what"), text("todo"))
}

pub(super) async fn check(place: &Place, id: &str) -> Found {
    found(&place.json(&["doctor"]).await, id)
}

/// A check ended so, said this, and names this way out.
#[track_caller]
pub(super) fn is(found: &Found, state: &str, what: &str, todo: &str) {
    assert!(
        found.0 == state && found.1.contains(what) && found.2.contains(todo),
        "{found:?} is not {state}: {what} -> {todo}"
    );
}

/// The program started in another way, with its `--json`.
async fn told_by(mut command: tokio::process::Command) -> Value {
    let output = command.output().await.expect("the program runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

fn state(place: &Place, name: &str) -> std::path::PathBuf {
    place.home.folder().join("state").join(name)
}

#[cfg(unix)]
fn permit(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_installation_has_more_than_eighteen_checks_and_no_failure() {
    let place = Place::with_desktop().await;
    let (code, out, _) = place.run(&["doctor"]).await;
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("\n\nEverything works; ") && !out.contains("FAIL"),
        "{out}"
    );
    let told = place.json(&["doctor"]).await;
    let checks = told["checks"].as_array().expect("checks");
    assert!(checks.len() >= 18, "{}", checks.len());
    let mut ids: Vec<&str> = checks.iter().filter_map(|check| check["id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), checks.len(), "each has a name of its own");
    for check in checks {
        let wrong = ["warn", "fail"].contains(&check["state"].as_str().unwrap());
        assert_eq!(
            wrong,
            check["todo"].is_string(),
            "what is wrong has a way out: {check}"
        );
    }
    let counted = ["ok", "warned", "failed", "skipped"].map(|key| told[key].as_u64().unwrap());
    assert_eq!(
        usize::try_from(counted.iter().sum::<u64>()).unwrap(),
        checks.len()
    );
    assert!(found(&told, "prompt").1.contains("Xfce Notify Daemon"), "{told}");
    is(&found(&told, "notification"), "ok", "shows buttons", "");
    is(
        &found(&told, "service"),
        "ok",
        "the service and NinjaTrader answered",
        "",
    );
    is(&found(&told, "journal"), "ok", "the chain holds", "");
    is(&found(&told, "private"), "ok", "only you", "");
    is(&found(&told, "locks"), "ok", "file locks work", "");
}

#[tokio::test]
async fn the_rules_and_the_record() {
    let place = Place::bare();
    place.sign_in().await;
    is(&check(&place, "policy").await, "ok", "built in", "");
    is(
        &check(&place, "changes").await,
        "ok",
        "those that you approved",
        "",
    );
    place
        .home
        .file("config/policy.toml", "[account.\"Sim101\"]\nclas = 3\n");
    let seen = check(&place, "policy").await;
    is(&seen, "fail", "line 2", "countersign policy check");
    assert!(seen.2.contains("every trade call is refused"), "{seen:?}");
    let policy = place.home.folder().join("config/policy.toml");
    std::fs::remove_file(&policy).unwrap();
    // A link, and a file that others may write to.
    #[cfg(unix)]
    {
        let elsewhere = place.home.folder().join("config/elsewhere.toml");
        std::fs::write(&elsewhere, "version = 1\n").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &policy).unwrap();
        is(
            &check(&place, "policy").await,
            "fail",
            "it is a symbolic link",
            "correct the file",
        );
        std::fs::remove_file(&policy).unwrap();
        std::fs::rename(&elsewhere, &policy).unwrap();
        permit(&policy, 0o666);
        is(
            &check(&place, "policy").await,
            "fail",
            "others may write to it: run `chmod go-w`",
            "correct the file",
        );
        permit(&policy, 0o600);
    }
    is(
        &check(&place, "changes").await,
        "warn",
        "YOUR POLICY FILE CHANGED",
        "countersign policy apply",
    );
    std::fs::remove_file(&policy).unwrap();

    place.home.settings("tier = \"hope\"\n");
    is(
        &check(&place, "settings").await,
        "fail",
        "settings.toml",
        "correct the file",
    );
    place.home.settings("requests_per_second = 0.0\n");

    std::fs::write(state(&place, "counters.json"), "not counters").unwrap();
    is(
        &check(&place, "counters").await,
        "fail",
        "new orders are refused",
        "countersign policy reset-counters",
    );
    std::fs::remove_file(state(&place, "counters.json")).unwrap();

    is(&check(&place, "halt").await, "ok", "not stopped", "");
    place.run(&["halt"]).await;
    is(
        &check(&place, "halt").await,
        "warn",
        "stopped by you",
        "countersign resume",
    );
    let journal = state(&place, "journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replace("countersign halt", "countersign hall")).unwrap();
    let seen = check(&place, "journal").await;
    is(&seen, "fail", "damaged in", "countersign journal verify");
    assert!(seen.1.contains("first at line"), "{seen:?}");
    // One that cannot even be read.
    std::fs::remove_file(&journal).unwrap();
    std::fs::create_dir(&journal).unwrap();
    is(
        &check(&place, "journal").await,
        "fail",
        "no order can be sent",
        "move the journal file away",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_description_waits_and_is_named() {
    is(
        &check(&Place::bare(), "tools").await,
        "skipped",
        "before the first sign-in",
        "",
    );
    let place = Place::with_desktop().await;
    is(&check(&place, "tools").await, "ok", "none changed", "");
    place.sim.post("fault", &json!({ "kind": "schema_change" })).await;
    // The list for trading is read while a card is up.
    let mut client = place.client().await;
    let result = client.call("PlaceOrder", &buy(1)).await;
    assert!(matches!(status(&result), "refused" | "voided"), "{result}");
    is(
        &check(&place, "tools").await,
        "fail",
        "describes these differently, so they are off: ",
        "countersign policy apply",
    );
    assert_eq!(place.run(&["status"]).await.0, 9, "it waits for the person");
    client.close().await;
}

#[tokio::test]
async fn a_changed_description_is_named_at_the_next_sign_in() {
    let place = Place::bare();
    place.sign_in().await;
    place.sim.post("fault", &json!({ "kind": "schema_change" })).await;
    let (code, said, err) = place.home.try_login(&place.sim, &["--trade"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(
        said.contains("CHANGED since you last signed in for trading") && said.contains("PlaceOrder"),
        "{said}"
    );
    is(&check(&place, "tools").await, "ok", "none changed", "");
}

#[tokio::test]
async fn the_sign_ins() {
    let place = Place::bare();
    is(
        &check(&place, "reading").await,
        "fail",
        "not signed in",
        "run `countersign setup`",
    );
    is(&check(&place, "trading").await, "skipped", "not enabled", "");
    place.sign_in().await;
    let told = place.json(&["doctor"]).await;
    is(&found(&told, "reading"), "ok", "this sign-in cannot trade", "");
    is(&found(&told, "trading"), "ok", "signed in", "");
    is(
        &found(&told, "vault"),
        "warn",
        "in a FILE, not in a keychain",
        "countersign logout",
    );
    is(
        &found(&told, "keychain"),
        "skipped",
        "you chose the file store",
        "",
    );
    place.sim.post("revoke", &json!({})).await;
    place.run(&["call", "ListAccounts"]).await;
    is(
        &check(&place, "reading").await,
        "fail",
        "CrossTrade has ended it",
        "run `countersign login`",
    );

    let vault = state(&place, "vault");
    let good = std::fs::read(&vault).unwrap();
    #[cfg(unix)]
    {
        let key = state(&place, "vault.key");
        permit(&key, 0o644);
        is(
            &check(&place, "vault").await,
            "fail",
            "can be read by others",
            "chmod 600",
        );
        permit(&key, 0o600);
    }
    // The machine's mark is in the clear: a vault from elsewhere tells itself.
    let mut foreign = good.clone();
    for byte in &mut foreign[32..36] {
        *byte ^= 0xff;
    }
    std::fs::write(&vault, &foreign).unwrap();
    let told = place.json(&["doctor"]).await;
    is(
        &found(&told, "vault"),
        "fail",
        "it was made on another machine",
        "countersign logout, then countersign login",
    );
    is(
        &found(&told, "reading"),
        "skipped",
        "the vault cannot be read",
        "",
    );
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&vault, &damaged).unwrap();
    is(
        &check(&place, "vault").await,
        "fail",
        "it is damaged",
        "countersign logout sets it aside",
    );
    std::fs::write(&vault, &good).unwrap();
    // Signed in with the file store, started with the other word, or with none that is known.
    let url = place.sim.url.clone();
    let words = ["doctor", "--json", "--url", &url];
    let keychain = place.home.with("COUNTERSIGN_STORE", "keychain");
    let (_, out, _) = keychain.run(&words).await;
    let told: Value = serde_json::from_str(&out).unwrap();
    is(
        &found(&told, "vault"),
        "fail",
        "but COUNTERSIGN_STORE says keychain",
        "give COUNTERSIGN_STORE the value",
    );
    // And there is no keychain here.
    is(
        &found(&told, "keychain"),
        "fail",
        "the keychain cannot be used",
        "start or unlock your keychain",
    );
    let hope = keychain.with("COUNTERSIGN_STORE", "hope");
    let (_, out, _) = hope.run(&words).await;
    is(
        &found(&serde_json::from_str(&out).unwrap(), "keychain"),
        "fail",
        "COUNTERSIGN_STORE must be",
        "correct COUNTERSIGN_STORE",
    );
}

#[tokio::test]
async fn one_sign_in_for_both_is_warned_of() {
    let place = Place {
        desktop: None,
        home: Home::new(),
        sim: Sim::start(&["--exclusive-grants"]),
    };
    let (code, _, err) = place.home.try_login(&place.sim, &["--single-grant"]).await;
    assert_eq!(code, 0, "{err}");
    is(
        &check(&place, "reading").await,
        "warn",
        "one sign-in serves reading and trading",
        "countersign login --trade",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keychain_that_works_and_one_that_is_locked() {
    let mut desktop = Desktop::start();
    desktop.start_keyring();
    let home = Home::on(desktop.folder(), desktop.env());
    let sim = Sim::start(&[]);
    let words = ["doctor", "--json", "--url", &sim.url];
    let (_, out, _) = home.run(&words).await;
    let told: Value = serde_json::from_str(&out).unwrap();
    is(
        &found(&told, "keychain"),
        "ok",
        "keeps a secret and gives it back",
        "",
    );
    let left = desktop.gdbus(&[
        "call",
        "--session",
        "-d",
        "org.freedesktop.secrets",
        "-o",
        "/org/freedesktop/secrets",
        "-m",
        "org.freedesktop.Secret.Service.SearchItems",
        "{'service': 'countersign'}",
    ]);
    assert!(
        left.contains("(@ao [], @ao [])"),
        "it leaves nothing there: {left}"
    );
    desktop.lock_keyring();
    let (_, out, _) = home.run(&words).await;
    is(
        &found(&serde_json::from_str(&out).unwrap(), "keychain"),
        "fail",
        "the keychain cannot be used",
        "start or unlock your keychain",
    );
}

#[cfg(unix)]
#[tokio::test]
async fn the_folders() {
    let place = Place::bare();
    place.sign_in().await;
    let folder = place.home.folder().join("state");
    permit(&folder, 0o755);
    is(
        &check(&place, "private").await,
        "warn",
        "other users of this computer can list",
        "chmod go-rwx",
    );
    permit(&folder, 0o777);
    is(
        &check(&place, "private").await,
        "fail",
        "others may write into",
        "chmod go-w",
    );
    permit(&folder, 0o700);
    is(&check(&place, "private").await, "ok", "only you", "");
    // Somebody else's, as after a start with sudo. Only the superuser can give files away.
    if std::os::unix::fs::chown(&folder, Some(65_534), None).is_ok() {
        is(
            &check(&place, "private").await,
            "fail",
            "belongs to another user",
            "sudo chown -R",
        );
        std::os::unix::fs::chown(&folder, Some(rustix::process::geteuid().as_raw()), None).unwrap();
    }

    let logs = place.home.folder().join("logs");
    is(&check(&place, "logs").await, "ok", "KB in", "");
    let big = std::fs::File::create(logs.join("countersign-2020-01-01-001.log")).unwrap();
    big.set_len(12_000_000).unwrap();
    is(
        &check(&place, "logs").await,
        "warn",
        "12 MB of logs",
        "remove old files",
    );
    std::fs::remove_dir_all(&logs).unwrap();
    std::fs::write(&logs, "a file in its place").unwrap();
    is(
        &check(&place, "logs").await,
        "warn",
        "cannot be written",
        "a folder that you can write",
    );

    let locks = folder.join("locks");
    std::fs::remove_dir_all(&locks).unwrap();
    std::fs::write(&locks, "a file in its place").unwrap();
    is(
        &check(&place, "locks").await,
        "fail",
        "no file can be locked",
        "COUNTERSIGN_HOME",
    );
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "a file in its place").unwrap();
    is(
        &check(&place, "state-folder").await,
        "fail",
        "no order can be sent",
        "COUNTERSIGN_HOME",
    );
}

/// A disk with hardly any room: a small file system of its own.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn little_room_on_the_disk() {
    let home = Home::new();
    for (size, state, words) in [("4m", "fail", "not sent"), ("64m", "warn", "MB are free")] {
        let folder = home.folder().join(size);
        std::fs::create_dir_all(&folder).unwrap();
        let script = format!(
            "mount -t tmpfs -o size={size} tmpfs \"$COUNTERSIGN_HOME\" && exec {} doctor --json --url http://127.0.0.1:9/mcp",
            env!("CARGO_BIN_EXE_countersign")
        );
        let mut command = home.shell("unshare");
        command
            .args(["-rm", "sh", "-c", &script])
            .env("COUNTERSIGN_HOME", &folder);
        let told = told_by(command.into()).await;
        is(&found(&told, "space"), state, words, "make room on that disk");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_were_left_behind() {
    let place = Place::with_desktop().await;
    let told = place.json(&["doctor"]).await;
    is(&found(&told, "tickets"), "ok", "of the last week", "");
    is(&found(&told, "left-over"), "ok", "no order waits", "");
    is(
        &found(&told, "unknown"),
        "ok",
        "no order's outcome is unknown",
        "",
    );
    let mut client = place.client().await;
    client.send_call("PlaceOrder", &buy(1)).await;
    let ticket = until("the held call", async || {
        place.json(&["pending"]).await["pending"][0]["ticket"]
            .as_str()
            .map(str::to_owned)
    })
    .await;
    client.kill().await;
    let seen = check(&place, "left-over").await;
    is(
        &seen,
        "warn",
        "is gone; what was not sent is void",
        "start your AI client once",
    );
    assert!(seen.1.contains(&ticket), "{seen:?}");
    let (_, out, _) = place.run(&["status"]).await;
    assert!(out.contains("its AI client is gone: it is void"), "{out}");

    place.home.meddle("state/tickets/7QK4.json", "torn");
    let seen = check(&place, "tickets").await;
    is(
        &seen,
        "fail",
        "may have been sent: 7QK4",
        "countersign acknowledge 7QK4",
    );
    let (code, out, _) = place.run(&["status"]).await;
    assert!(code == 9 && out.contains("OUTCOME UNKNOWN of 7QK4"), "{out}");
    assert_eq!(place.run(&["acknowledge", "7QK4"]).await.0, 0);
    is(&check(&place, "tickets").await, "ok", "of the last week", "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_nobody_knows() {
    let place = Place::with_desktop().await;
    let mut client = place.client().await;
    place.sim.fault("cut_after", "PlaceOrder").await;
    let id = client.send_call("PlaceOrder", &buy(1)).await;
    place.click(Button::Middle);
    assert_eq!(status(&client.result(id).await), "unknown");
    let seen = check(&place, "unknown").await;
    is(
        &seen,
        "warn",
        "may or may not have been executed",
        "look at orders and positions in NinjaTrader",
    );
    assert!(seen.2.contains("countersign acknowledge "), "{seen:?}");
    let (code, out, _) = place.run(&["status"]).await;
    assert_eq!(code, 9, "{out}");
    assert!(
        out.contains("Next: look at orders and positions in NinjaTrader"),
        "{out}"
    );
    client.close().await;
}

/// Copies of the program at places where it does not stay, or where a terminal finds another one.
#[cfg(unix)]
#[tokio::test]
async fn the_program_and_its_doubles() {
    let home = Home::new();
    let folder = home.folder().parent().unwrap().to_owned();
    let program = Path::new(env!("CARGO_BIN_EXE_countersign"));
    let words = ["doctor", "--json", "--url", "http://127.0.0.1:9/mcp"];
    let copy = |into: &str| {
        let into = folder.join(into);
        std::fs::create_dir_all(&into).unwrap();
        let to = into.join("countersign");
        std::fs::copy(program, &to).unwrap();
        (into, to)
    };
    let cached = folder.join("home/.npm/_npx/8f2d/node_modules/countersign/bin");
    let (cached, in_cache) = copy(cached.to_str().unwrap());
    let mut command = home.shell(in_cache.to_str().unwrap());
    command.args(words);
    let told = told_by(command.into()).await;
    is(
        &found(&told, "program"),
        "warn",
        "a cache that npx clears",
        "move it to a folder that stays",
    );

    let (one, first) = copy("one");
    let path = |folders: &[&Path]| std::env::join_paths(folders).unwrap();
    let with_path = |value: std::ffi::OsString| {
        let mut command = home.shell(first.to_str().unwrap());
        command.args(words).env("PATH", value);
        command
    };
    let told = told_by(with_path(path(&[&one])).into()).await;
    is(&found(&told, "path"), "ok", "a terminal starts", "");
    let told = told_by(with_path(path(&[&cached])).into()).await;
    is(
        &found(&told, "path"),
        "warn",
        "a terminal starts another one than this",
        "remove the one",
    );
    let told = told_by(with_path(path(&[&cached, &one])).into()).await;
    is(
        &found(&told, "path"),
        "warn",
        "2 programs are named countersign",
        "a terminal starts the first",
    );
}

/// What stands in the AI clients' files.
#[tokio::test]
async fn entries_that_are_lost_and_entries_that_go_around_us() {
    let place = Place::bare();
    is(
        &check(&place, "clients").await,
        "warn",
        "no AI client was found",
        "countersign install CLIENT",
    );
    is(
        &check(&place, "around").await,
        "ok",
        "no entry reaches CrossTrade without",
        "",
    );
    let cursor = place.home.folder().parent().unwrap().join(".cursor");
    std::fs::create_dir_all(&cursor).unwrap();
    is(
        &check(&place, "clients").await,
        "warn",
        "Cursor is here, and does not know",
        "countersign install cursor",
    );
    let (code, out, err) = place.run(&["install", "cursor", "--yes"]).await;
    assert_eq!(code, 0, "{out}{err}");
    is(&check(&place, "clients").await, "ok", "set up in Cursor", "");
    let file = cursor.join("mcp.json");
    let good = std::fs::read_to_string(&file).unwrap();
    // Started from another path than this program's.
    std::fs::write(&file, good.replace("/countersign\"", "/countersign-old\"")).unwrap();
    is(
        &check(&place, "clients").await,
        "warn",
        "says something else (command",
        "countersign install --repair",
    );
    std::fs::write(
        &file,
        "{ \"mcpServers\": { \"other\": { \"url\": \"https://app.crosstrade.io/v1/api/mcp\" } } }",
    )
    .unwrap();
    let told = place.json(&["doctor"]).await;
    is(
        &found(&told, "clients"),
        "warn",
        "our entry is gone",
        "countersign install --repair",
    );
    is(
        &found(&told, "around"),
        "warn",
        "held by nobody",
        "remove it from that file",
    );
    let (_, out, _) = place.run(&["status"]).await;
    assert!(out.contains("LOST      Cursor: our entry is gone"), "{out}");
    assert!(
        out.contains("BYPASS    \"other\"") && out.contains("held by NOBODY"),
        "{out}"
    );
    std::fs::write(&file, "{ broken").unwrap();
    is(
        &check(&place, "clients").await,
        "warn",
        "cannot be read",
        "correct that file",
    );
}

/// An AI client that was not started again after the program was replaced.
#[tokio::test]
async fn a_client_that_still_runs_the_version_before() {
    let place = Place::bare();
    is(
        &check(&place, "running").await,
        "ok",
        "no AI client runs Countersign now",
        "",
    );
    place.home.meddle(
        "state/running/1.json",
        r#"{"pid":1,"client":"Claude","version":"0.0.9"}"#,
    );
    let lock = std::fs::File::create(state(&place, "running/1.lock")).unwrap();
    lock.lock().unwrap();
    is(
        &check(&place, "running").await,
        "warn",
        "Claude runs version 0.0.9",
        "quit that AI client whole",
    );
    drop(lock);
    is(&check(&place, "running").await, "ok", "no AI client runs", "");
}
