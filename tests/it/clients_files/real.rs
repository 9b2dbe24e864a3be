//! Clients that we did not write read the entry that we wrote, start us by it, and say that we are connected. They are big:
//! `tests/clients/real.sh` installs them on demand, and where they are not, these tests end at once and prove nothing (the
//! stage `real_clients` of `tests/run.sh` says so loudly). Nothing here needs a network: they run in a network namespace
//! without one, where the kernel allows that.

use super::*;
use crate::support::folder::Folder;
use crate::support::program::Home;
use crate::support::tools;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// A home folder of somebody who uses one of these, and where they are installed.
struct Desk {
    keep: Folder,
    home: Home,
    packages: PathBuf,
}

impl Desk {
    /// `None` where the clients are not installed.
    #[expect(
        clippy::disallowed_methods,
        reason = "where the tests' own software is, as for the other clients"
    )]
    fn new() -> Option<Self> {
        let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/real");
        let folder = std::env::var_os("COUNTERSIGN_TEST_REAL_DIR").map_or(usual, PathBuf::from);
        let packages = folder.join("node_modules");
        if !packages.is_dir() {
            return None;
        }
        let keep = Folder::new();
        let home = Home::new().with("HOME", &keep.path().display().to_string());
        Some(Self { keep, home, packages })
    }

    fn install(&self, client: &str) {
        let mut command = self.home.shell(env!("CARGO_BIN_EXE_countersign"));
        let end = command
            .args(["install", client, "--yes"])
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        assert!(end.status.success(), "{}", String::from_utf8_lossy(&end.stderr));
        fs::remove_dir_all(self.home.folder().join("logs")).expect("its log");
    }

    /// The client, without a network where that can be had.
    fn command(&self, program: &Path) -> Command {
        let alone = Command::new("unshare").args(["-rn", "true"]).output();
        let mut command = if alone.is_ok_and(|end| end.status.success()) {
            let mut command = self.home.shell("unshare");
            command.arg("-rn").arg(program);
            command
        } else {
            self.home.shell(&program.display().to_string())
        };
        // The entry has to say where the installation is; the client's own environment does not.
        command
            .env_remove("COUNTERSIGN_HOME")
            .current_dir(self.keep.path());
        command
    }

    fn says(mut command: Command) -> String {
        let end = command.stdin(Stdio::null()).output().expect("the client runs");
        let said = String::from_utf8_lossy(&end.stdout).into_owned();
        let aside = String::from_utf8_lossy(&end.stderr);
        assert!(end.status.success(), "{said}\n{aside}");
        // Gemini CLI says all of it there.
        if said.is_empty() { aside.into_owned() } else { said }
    }

    /// A `serve` of this installation ran: `install` alone leaves no log behind, since it was taken away.
    fn was_started(&self) {
        assert!(
            self.home.folder().join("logs").is_dir(),
            "the client started another program"
        );
    }
}

fn platform() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x64"
    }
}

#[test]
fn claude_code_says_connected() {
    let Some(desk) = Desk::new() else { return };
    desk.install("claude-code");
    let program = desk
        .packages
        .join(format!("@anthropic-ai/claude-code-linux-{}/claude", platform()));
    let mut command = desk.command(&program);
    command.args(["mcp", "list"]);
    let said = Desk::says(command);
    assert!(
        said.contains("countersign: ") && said.contains("serve - ✔ Connected"),
        "{said}"
    );
    desk.was_started();
}

#[test]
fn gemini_cli_says_connected() {
    let Some(desk) = Desk::new() else { return };
    desk.install("gemini");
    // It starts no servers in folders that the person has not said to trust.
    let trusted = json!({ desk.keep.path().display().to_string(): "TRUST_FOLDER" });
    fs::write(
        desk.keep.path().join(".gemini/trustedFolders.json"),
        trusted.to_string(),
    )
    .expect("written");
    let mut command = desk.command(&tools::node());
    command
        .arg(desk.packages.join("@google/gemini-cli/bundle/gemini.js"))
        .args(["mcp", "list"]);
    let said = Desk::says(command);
    assert!(
        said.contains("✓ countersign: ") && said.contains("serve (stdio) - Connected"),
        "{said}"
    );
    desk.was_started();
}

#[test]
fn codex_lists_us_and_our_tools() {
    let Some(desk) = Desk::new() else { return };
    desk.install("codex");
    let triple = if cfg!(target_arch = "aarch64") {
        "aarch64"
    } else {
        "x86_64"
    };
    let vendor = format!(
        "@openai/codex-linux-{}/vendor/{triple}-unknown-linux-musl/bin/codex",
        platform()
    );
    let program = desk.packages.join(vendor);
    let mut command = desk.command(&program);
    command.args(["mcp", "list", "--json"]);
    let listed: Value = serde_json::from_str(&Desk::says(command)).expect("JSON");
    let entry = &listed[0];
    assert_eq!(
        (&entry["name"], &entry["enabled"]),
        (&json!("countersign"), &json!(true)),
        "{listed}"
    );
    assert_eq!(entry["tool_timeout_sec"], json!(330.0), "{listed}");
    assert_eq!(entry["startup_timeout_sec"], json!(30.0), "{listed}");
    // What the ChatGPT app shows in its settings comes by this question.
    let mut child = desk
        .command(&program)
        .arg("app-server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let out = BufReader::new(child.stdout.take().expect("a pipe"));
    let hello = json!({ "id": 1, "method": "initialize", "params": { "clientInfo": { "name": "test", "title": "test", "version": "1" } } });
    let ask = json!({ "id": 2, "method": "mcpServerStatus/list", "params": {} });
    writeln!(stdin, "{hello}\n{}\n{ask}", json!({ "method": "initialized" })).expect("it listens");
    let answer = out
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .find(|message| message["id"] == 2)
        .expect("an answer");
    let _ = child.kill();
    let _ = child.wait();
    let server = &answer["result"]["data"][0];
    assert_eq!(server["serverInfo"]["name"], "countersign", "{answer}");
    assert!(server["tools"]["countersign_sign_in"].is_object(), "{answer}");
    desk.was_started();
}
