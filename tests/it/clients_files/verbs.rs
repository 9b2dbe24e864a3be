//! `install`, `uninstall` and `clients` as people type them.

use super::*;
use crate::support::folder::Folder;
use crate::support::program::Home;
use serde_json::{Value, json};

/// A home folder, and an installation elsewhere.
struct Desk {
    keep: Folder,
    home: Home,
}

impl Desk {
    fn new(folders: &[&str]) -> Self {
        let keep = Folder::new();
        for folder in folders {
            fs::create_dir_all(keep.path().join(folder)).expect("folders");
        }
        Self {
            home: Home::new().with("HOME", &keep.path().display().to_string()),
            keep,
        }
    }

    async fn run(&self, words: &[&str]) -> (i32, String, String) {
        self.home.run(words).await
    }

    async fn json(&self, words: &[&str]) -> (i32, Value) {
        let (code, out, err) = self.run(&[words, &["--json"]].concat()).await;
        let value: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{words:?}: {out:?} {err}"));
        assert_eq!(value["schemaVersion"], 1);
        (code, value)
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.keep.path().join(file)).expect("a file")
    }
}

#[tokio::test]
async fn nothing_is_written_without_a_yes() {
    let desk = Desk::new(&[".cursor"]);
    let at_first = tree(desk.keep.path());
    for (words, code) in [
        (&["install"][..], 2),
        (&["install", "nobody"], 2),
        (&["install", "cursor"], 2),
        (&["install", "cursor", "--dry-run"], 0),
        (&["install", "cursor", "--print"], 0),
        (&["install", "cursor", "--deeplink"], 0),
        (&["install", "zed", "--deeplink"], 2),
        (&["install", "--all", "--dry-run"], 0),
        (&["install", "--repair", "--yes"], 0),
        (&["install", "goose", "--yes"], 0),
        (&["install", "chatgpt-tunnel", "--yes"], 0),
        (&["uninstall", "--all", "--yes"], 0),
        (&["uninstall", "cursor", "--yes"], 0),
        (&["clients"], 0),
    ] {
        let (ended, out, err) = desk.run(words).await;
        assert_eq!(ended, code, "{words:?}: {out}\n{err}");
        assert_eq!(tree(desk.keep.path()), at_first, "{words:?}");
        if code == 2 {
            assert!(
                err.contains("nothing was written") || err.contains("no such links"),
                "{err}"
            );
        }
    }
}

#[tokio::test]
async fn written_listed_and_taken_back() {
    let desk = Desk::new(&[".cursor", ".codex", ".config/goose"]);
    fs::write(
        desk.keep.path().join(".codex/config.toml"),
        "model = \"x\" # mine\n",
    )
    .expect("written");
    let at_first = tree(desk.keep.path());
    let (code, out, err) = desk.run(&["install", "--all", "--yes"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("Cursor\n  a new file:") && out.contains("ChatGPT desktop and Codex"),
        "{out}"
    );
    assert!(err.contains("Next: in Cursor: Settings, MCP"), "{err}");
    let program = fs::canonicalize(env!("CARGO_BIN_EXE_countersign")).expect("the program");
    let cursor: Value = serde_json::from_str(&desk.text(".cursor/mcp.json")).expect("JSON");
    let entry = &cursor["mcpServers"]["countersign"];
    assert_eq!(entry["command"], json!(program));
    assert_eq!(entry["args"], json!(["serve"]));
    assert_eq!(entry["env"], json!({ "COUNTERSIGN_HOME": desk.home.folder() }));
    let codex: toml_edit::DocumentMut = desk.text(".codex/config.toml").parse().expect("TOML");
    let entry = &codex["mcp_servers"]["countersign"];
    assert_eq!(entry["required"].as_bool(), Some(true));
    assert_eq!(entry["tool_timeout_sec"].as_integer(), Some(330));
    assert_eq!(entry["startup_timeout_sec"].as_integer(), Some(30));
    assert_eq!(entry["env_vars"].as_array().map(toml_edit::Array::len), Some(4));
    let (code, out, _) = desk.run(&["clients"]).await;
    assert_eq!(code, 0);
    for part in [
        "Cursor (cursor)\n  entry     there",
        "an order is held up to 45 s",
        "Goose (goose)",
        "not found here: claude-desktop",
    ] {
        assert!(out.contains(part), "{out}");
    }
    let (_, told) = desk.json(&["clients"]).await;
    let cursor = told["clients"]
        .as_array()
        .expect("clients")
        .iter()
        .find(|client| client["id"] == "cursor");
    assert_eq!(cursor.expect("cursor")["files"][0]["standing"], "ours");
    assert_eq!(cursor.expect("cursor")["holdSeconds"], 45);
    // Lost, told, repaired; only what needs it.
    fs::write(desk.keep.path().join(".cursor/mcp.json"), "{}").expect("written");
    let (_, out, _) = desk.run(&["clients"]).await;
    assert!(
        out.contains("LOST: we wrote it and it is gone; countersign install cursor --repair"),
        "{out}"
    );
    let (code, told) = desk.json(&["install", "--repair", "--yes"]).await;
    assert_eq!(
        (code, told["clients"].as_array().map(Vec::len)),
        (0, Some(1)),
        "{told}"
    );
    assert_eq!(told["clients"][0]["edits"][0]["deed"], "add");
    fs::remove_file(desk.keep.path().join(".cursor/mcp.json")).expect("as at first");
    let (code, _, err) = desk.run(&["uninstall", "--all", "--yes"]).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(tree(desk.keep.path()), at_first);
    assert_eq!(desk.text(".codex/config.toml"), "model = \"x\" # mine\n");
}

#[tokio::test]
async fn one_bad_file_does_not_stop_the_others() {
    let desk = Desk::new(&[".cursor", ".gemini"]);
    fs::write(desk.keep.path().join(".cursor/mcp.json"), "{\"token\": \"s3cret").expect("written");
    let (code, out, err) = desk.run(&["install", "--all", "--yes"]).await;
    assert_eq!(code, 9, "{out}{err}");
    assert!(
        err.contains("Cursor: ") && err.contains("the file was left as it is") && err.contains("--print"),
        "{err}"
    );
    assert!(!err.contains("s3cret") && !out.contains("s3cret"));
    assert_eq!(desk.text(".cursor/mcp.json"), "{\"token\": \"s3cret");
    assert!(desk.text(".gemini/settings.json").contains("330000"));
    let (code, _, err) = desk.run(&["install", "cursor", "--yes"]).await;
    assert_eq!(code, 8, "{err}");
}

#[tokio::test]
async fn ways_around_are_named_after_installing() {
    let desk = Desk::new(&[".cursor"]);
    let direct = r#"{"mcpServers": {"ct": {"url": "https://app.crosstrade.io/v1/api/mcp"}}}"#;
    fs::write(desk.keep.path().join(".cursor/mcp.json"), direct).expect("written");
    let (code, _, err) = desk.run(&["install", "cursor", "--yes"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("WARNING   Cursor: \"ct\" reaches CrossTrade WITHOUT Countersign: orders through it are held by nobody"), "{err}");
    let (_, out, _) = desk.run(&["clients"]).await;
    assert!(out.contains("WITHOUT Countersign"), "{out}");
}

/// Another service than `CrossTrade`'s stays the service that the entry starts.
#[tokio::test]
async fn another_address_goes_into_the_entry() {
    let desk = Desk::new(&[]);
    let url = "http://127.0.0.1:9/mcp";
    let file = desk.keep.path().join("somewhere/else.json").display().to_string();
    let (code, _, err) = desk
        .run(&["install", "vscode", "--yes", "--config-path", &file, "--url", url])
        .await;
    assert_eq!(code, 0, "{err}");
    let told: Value = serde_json::from_str(&desk.text("somewhere/else.json")).expect("JSON");
    assert_eq!(
        told["servers"]["countersign"]["args"],
        json!(["serve", "--url", url])
    );
    assert_eq!(told["servers"]["countersign"]["type"], "stdio");
    let (code, _, err) = desk.run(&["uninstall", "vscode", "--yes"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(!desk.keep.path().join("somewhere").exists());
}

/// The command that `OpenAI`'s program gets starts us: a shell takes it apart as it was meant.
#[tokio::test]
async fn the_tunnels_command_names_this_program() {
    let desk = Desk::new(&[]);
    let (code, out, _) = desk.run(&["install", "chatgpt-tunnel", "--print"]).await;
    assert_eq!(code, 0);
    let fake = "tunnel-client() { for word; do printf '%s\\n' \"$word\"; done; }\nCONTROL_PLANE_TUNNEL_ID=tunnel_0\n";
    let script = format!("{fake}{out}\nprintf '%s\\n' \"$COUNTERSIGN_HOME\"");
    let end = std::process::Command::new("bash")
        .args(["-c", &script])
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&end.stdout).into_owned();
    let words: Vec<&str> = said.lines().collect();
    let program = fs::canonicalize(env!("CARGO_BIN_EXE_countersign")).expect("the program");
    let command = format!("{} serve", program.display());
    let init = [
        "init",
        "--sample",
        "sample_mcp_stdio_local",
        "--profile",
        "countersign",
        "--tunnel-id",
        "tunnel_0",
        "--mcp-command",
        &command,
    ];
    assert_eq!(words.get(..9), Some(&init[..]), "{said}");
    assert_eq!(words.last(), desk.home.folder().to_str().as_ref(), "{said}");
    assert!(!out.contains("sk-"), "{out}");
}
