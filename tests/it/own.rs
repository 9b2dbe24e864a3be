//! `self install`, `self path` and `self uninstall`: what changes on the account, and that it is given back.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use crate::support::desktop::Desktop;
use crate::support::program::Home;
use crate::support::sim::Sim;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// Everything below a folder: its name, and its content (folders and links by what they are).
fn tree(folder: &Path) -> Tree {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            let kind = entry.file_type().expect("a kind");
            let content = if kind.is_dir() {
                open.push(path.clone());
                b"a folder".to_vec()
            } else if kind.is_file() {
                std::fs::read(&path).expect("a file")
            } else {
                format!("{kind:?}").into_bytes()
            };
            found.insert(path, content);
        }
    }
    found
}

/// An account with a program that an installer has just put in place, in folders that it had to make.
struct Account {
    home: Home,
    root: PathBuf,
    program: PathBuf,
    before: Tree,
}

impl Account {
    fn new(home: Home) -> Self {
        let root = home.folder().parent().expect("a parent").to_owned();
        // Nothing of ours is there before the installer comes.
        std::fs::remove_dir_all(home.folder()).expect("the test's settings");
        std::fs::write(root.join(".profile"), "export A=b").expect("a file");
        std::fs::write(root.join(".bashrc"), "# mine\r\n").expect("a file");
        let before = tree(&root);
        let program = root.join(".local/bin/countersign");
        std::fs::create_dir_all(program.parent().expect("a parent")).expect("a folder");
        let built = env!("CARGO_BIN_EXE_countersign");
        if std::fs::hard_link(built, &program).is_err() {
            std::fs::copy(built, &program).expect("a copy");
        }
        Self {
            home,
            root,
            program,
            before,
        }
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = self.home.shell(&self.program.display().to_string());
        command.args(words).stdin(std::process::Stdio::null());
        command.output().expect("it starts")
    }

    fn install(&self) {
        let made = self.root.join(".local").display().to_string();
        let done = self.run(&["self", "install", "--made", &made]);
        assert!(done.status.success(), "{done:?}");
    }

    fn changed(&self) -> Vec<PathBuf> {
        let (before, now) = (&self.before, tree(&self.root));
        let gone = before.keys().filter(|path| !now.contains_key(*path));
        let other = now
            .iter()
            .filter(|(path, content)| before.get(*path) != Some(content));
        gone.chain(other.map(|(path, _)| path)).cloned().collect()
    }
}

#[tokio::test]
async fn a_purge_signs_out_and_gives_the_account_back() {
    let account = Account::new(Home::new());
    account.install();
    account.install();
    let profile = std::fs::read_to_string(account.root.join(".profile")).expect("a file");
    assert_eq!(profile.matches("added by countersign").count(), 1, "{profile}");
    let sim = Sim::start(&[]);
    account.home.login(&sim, false).await;
    account.home.login(&sim, true).await;
    let (code, _, _) = account.home.run(&["policy", "init"]).await;
    assert_eq!(code, 0);

    // Without a person, and without the word for it, nothing is deleted.
    let now = tree(&account.root);
    let refused = account.run(&["self", "uninstall", "--purge", "--url", &sim.url]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let kept = |tree: &Tree| -> Vec<PathBuf> {
        tree.keys()
            .filter(|path| !path.starts_with(account.home.folder().join("logs")))
            .cloned()
            .collect()
    };
    assert_eq!(kept(&now), kept(&tree(&account.root)));

    let done = account.run(&["self", "uninstall", "--purge", "--yes", "--url", &sim.url]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{done:?}");
    assert!(
        said.contains("revoked at the service") && said.contains("No order was sent"),
        "{said}"
    );
    assert_eq!(account.changed(), Vec::<PathBuf>::new());
}

/// The vault goes as a whole: so the keys of every service in it are revoked, not only of the one that is named.
#[tokio::test]
async fn a_purge_signs_out_everywhere() {
    let account = Account::new(Home::new());
    account.install();
    let (first, second) = (Sim::start(&[]), Sim::start(&[]));
    account.home.login(&first, false).await;
    account.home.login(&second, false).await;
    account.home.login(&second, true).await;
    let done = account.run(&["self", "uninstall", "--purge", "--yes", "--url", &first.url]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{done:?}");
    assert_eq!(said.matches("revoked at the service").count(), 2, "{said}");
    for (sim, count) in [(&first, 1), (&second, 2)] {
        let tokens = sim.get("tokens").await;
        let grants = tokens.get("grants").and_then(serde_json::Value::as_array);
        let grants = grants.expect("a list");
        assert_eq!(grants.len(), count, "{tokens}");
        let revoked = |grant: &serde_json::Value| grant.get("revoked") == Some(&json!(true));
        assert!(grants.iter().all(revoked), "{tokens}");
    }
    assert_eq!(account.changed(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn without_purge_the_rules_and_the_record_stay() {
    let account = Account::new(Home::new());
    account.install();
    let (code, _, _) = account.home.run(&["policy", "init"]).await;
    assert_eq!(code, 0);
    let done = account.run(&["self", "uninstall"]);
    assert!(done.status.success(), "{done:?}");
    assert!(!account.program.exists() && !account.root.join(".local").exists());
    assert!(account.home.folder().join("config/policy.toml").exists());
    let changed = account.changed();
    assert!(
        changed.iter().all(|path| path.starts_with(account.home.folder())),
        "{changed:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_purged_while_an_order_waits() {
    let desktop = Desktop::start();
    let home = Home::on(desktop.folder(), desktop.env()).with("COUNTERSIGN_STORE", "file");
    let account = Account::new(home);
    account.install();
    let sim = Sim::start(&[]);
    account.home.login(&sim, false).await;
    account.home.login(&sim, true).await;
    let mut client = account.home.serve(&sim).await.hello().await;
    let order = json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": 1, "tif": "Day" });
    client.send_call("PlaceOrder", &order).await;
    // Until it is held, nothing keeps a purge back.
    let mut tries = 0;
    loop {
        let (_, out, _) = account.home.run(&["pending", "--json"]).await;
        if out.contains("MES 12-26") {
            break;
        }
        tries += 1;
        assert!(tries < 300, "it is never held: {out}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let refused = account.run(&["self", "uninstall", "--purge", "--yes", "--url", &sim.url]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("nothing was removed") && said.contains("countersign pending"),
        "{said}"
    );
    assert!(account.program.exists() && account.home.folder().join("state/journal.jsonl").exists());
    client.close().await;
    assert_eq!(sim.executed().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_came_as_a_package_is_not_removed() {
    let account = Account::new(Home::new());
    let refused = account.run(&["self", "uninstall"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("apt, dnf, brew"), "{said}");
    let done = account.run(&["self", "uninstall", "--purge", "--yes"]);
    assert!(done.status.success(), "{done:?}");
    assert!(account.program.exists());
}

#[tokio::test]
async fn a_damaged_receipt_removes_nothing() {
    let account = Account::new(Home::new());
    account.install();
    account.home.meddle("state/installed.json", "{\"schema\":1,");
    let now = tree(&account.root);
    let refused = account.run(&["self", "uninstall", "--purge", "--yes"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(tree(&account.root), now);
}

#[tokio::test]
async fn a_purge_takes_the_key_out_of_the_keyring() {
    let mut desktop = Desktop::without_notifications();
    desktop.start_keyring();
    let home = Home::on(desktop.folder(), desktop.env());
    let sim = Sim::start(&[]);
    home.login(&sim, false).await;
    let search = ["search", "--all", "service", "countersign"];
    let entries = || {
        let found = desktop.run("secret-tool", "libsecret-tools", &search);
        let text = [found.stdout, found.stderr].concat();
        String::from_utf8_lossy(&text)
            .matches("service = countersign")
            .count()
    };
    assert_eq!(entries(), 1);
    let (code, out, err) = home
        .run(&["self", "uninstall", "--purge", "--yes", "--url", &sim.url])
        .await;
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(entries(), 0);
    for folder in ["config", "state", "logs"] {
        assert!(!home.folder().join(folder).exists(), "{folder}");
    }
}

#[tokio::test]
async fn the_path_can_be_changed_alone() {
    let account = Account::new(Home::new());
    let state = |what: &str| {
        let done = account.run(&["self", "path", what, "--json"]);
        let told: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
        told.get("path")
            .and_then(serde_json::Value::as_str)
            .expect("a word")
            .to_owned()
    };
    assert_eq!(state("show"), "not_found");
    assert_eq!(state("add"), "added");
    let line = |name: &str| std::fs::read_to_string(account.root.join(name)).expect("a file");
    assert!(line(".profile").contains("added by countersign") && line(".bashrc").contains("added by"));
    assert_eq!(state("remove"), "removed");
    assert_eq!(
        (line(".profile").as_str(), line(".bashrc").as_str()),
        ("export A=b", "# mine\r\n")
    );
}
