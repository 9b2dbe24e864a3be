//! Extensions of Claude Desktop: ours counts as the connection, beside an entry it is one too many, others can go around us.

use super::*;
use crate::support::folder::Folder;
use crate::support::program::{Home, text};
use crate::support::sim::Sim;

/// What Claude Desktop leaves on the disk when an extension is opened in it.
fn extension(app: &Path, id: &str, manifest: &serde_json::Value, on: Option<bool>) {
    Yard::put(
        &app.join("Claude Extensions").join(id).join("manifest.json"),
        manifest.to_string().as_bytes(),
    );
    if let Some(on) = on {
        Yard::put(
            &app.join("Claude Extensions Settings").join(format!("{id}.json")),
            serde_json::json!({ "isEnabled": on }).to_string().as_bytes(),
        );
    }
}

/// The file in which our entry stands.
fn first_file(yard: &Yard, client: &'static Client) -> PathBuf {
    clients::look(client, &yard.places).files[0].path.clone()
}

fn bundle() -> serde_json::Value {
    serde_json::json!({
        "manifest_version": "0.3", "name": "countersign", "display_name": "Countersign for CrossTrade", "version": "0.0.9",
        "server": { "type": "binary", "entry_point": "server/countersign",
            "mcp_config": { "command": "${__dirname}/server/countersign", "args": ["serve"] } },
    })
}

/// Claude Desktop's own folder on each system; on Windows the packaged app's and the older one's.
fn apps() -> [(System, &'static str); 4] {
    [
        (System::Linux, ".config/Claude"),
        (System::MacOs, "Library/Application Support/Claude"),
        (System::Windows, "AppData/Roaming/Claude"),
        (
            System::Windows,
            "AppData/Local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude",
        ),
    ]
}

/// An extension of ours is the connection: no entry is written beside it, and a lost one is not missed.
#[test]
fn an_extension_of_ours_is_enough() {
    for (system, folder) in apps() {
        let yard = Yard::new(system);
        let client = find("claude-desktop");
        let app = yard.home().join(folder);
        fs::create_dir_all(&app).expect("a folder");
        extension(&app, "local.mcpb.the.countersign", &bundle(), Some(true));
        let before = tree(yard.home());
        let found = clients::look(client, &yard.places);
        assert!(found.is_connected() && found.around.is_empty(), "{found:?}");
        assert_eq!(found.bundles[0].version.as_deref(), Some("0.0.9"));
        let plan = yard.install(client).expect("a plan");
        assert!(
            !plan.changes_anything()
                && plan
                    .text()
                    .contains("nothing is written: Countersign is in Claude"),
            "{}",
            plan.text()
        );
        assert_eq!(tree(yard.home()), before);
    }
}

/// Whoever had the entry first and opened the bundle then has two; once the entry is gone, it is not put back.
#[test]
fn an_extension_beside_an_entry_is_told() {
    for (system, folder) in apps() {
        let yard = Yard::new(system);
        let client = find("claude-desktop");
        let app = yard.home().join(folder);
        fs::create_dir_all(&app).expect("a folder");
        yard.install(client).expect("installed");
        extension(&app, "local.mcpb.the.countersign", &bundle(), None);
        let found = clients::look(client, &yard.places);
        let around = &found.around[..];
        assert!(
            matches!(around, [one] if one.twin && one.extension && one.name == "local.mcpb.the.countersign"),
            "{around:?}"
        );
        fs::remove_file(first_file(&yard, client)).expect("the app has rewritten its file");
        let found = clients::look(client, &yard.places);
        assert_eq!(found.files[0].standing, Standing::Lost);
        assert!(!found.needs_repair() && found.around.is_empty(), "{found:?}");
        // Two of the extension alone are one too many as well.
        extension(&app, "local.mcpb.other.countersign", &bundle(), None);
        assert_eq!(clients::look(client, &yard.places).around.len(), 1);
    }
}

/// Switched off it starts nothing: the entry is wanted, and is no second one.
#[test]
fn an_extension_that_is_switched_off_does_not_count() {
    let yard = Yard::new(System::MacOs);
    let client = find("claude-desktop");
    let app = yard.home().join("Library/Application Support/Claude");
    extension(&app, "local.mcpb.the.countersign", &bundle(), Some(false));
    let found = clients::look(client, &yard.places);
    assert!(!found.is_connected() && !found.bundles[0].on, "{found:?}");
    yard.install(client).expect("installed");
    let found = clients::look(client, &yard.places);
    assert!(found.is_connected() && found.around.is_empty(), "{found:?}");
}

/// Another's extension that reaches the service is a way around us; one that only talks about it is none, and what cannot
/// be read is passed over.
#[test]
fn extensions_that_go_around_us_are_told() {
    let yard = Yard::new(System::Linux);
    let app = yard.home().join(".config/Claude");
    let start = |command: &str| serde_json::json!({ "type": "node", "mcp_config": { "command": command, "args": ["index.js"] } });
    let manifest = |name: &str, about: &str| serde_json::json!({ "name": name, "description": about, "server": start("node") });
    extension(&app, "a.direct", &manifest("crosstrade-direct", ""), Some(true));
    extension(&app, "b.off", &manifest("crosstrade-off", ""), Some(false));
    extension(
        &app,
        "c.talks",
        &manifest("notes", "notes about CrossTrade"),
        Some(true),
    );
    extension(&app, "d.typed", &manifest("remote", "any server"), None);
    Yard::put(
        &app.join("Claude Extensions Settings/d.typed.json"),
        br#"{"isEnabled": true, "userConfig": {"url": "https://app.crosstrade.io/v1/api/mcp"}}"#,
    );
    Yard::put(
        &app.join("Claude Extensions/e.broken/manifest.json"),
        b"{\"name\": \"crosstr",
    );
    fs::create_dir_all(app.join("Claude Extensions/f.empty")).expect("a folder");
    let found = clients::look(find("claude-desktop"), &yard.places);
    let around: Vec<(&str, bool)> = found
        .around
        .iter()
        .map(|around| (around.name.as_str(), around.twin))
        .collect();
    assert_eq!(around, [("a.direct", false), ("d.typed", false)]);
    assert!(found.bundles.is_empty() && !found.is_connected());
}

/// Somebody who opened the bundle and did nothing else: no terminal of theirs knows our name, so none of our commands is named
/// where they can do something else, and what they can do is.
#[tokio::test]
async fn who_has_the_extension_alone_is_sent_to_no_command() {
    let sim = Sim::start(&[]);
    let home = Home::new().with("PATH", "/nonexistent");
    let keep = Folder::new();
    let unpacked = keep.path().join("Claude Extensions/local.mcpb.the.countersign");
    Yard::put(&unpacked.join("manifest.json"), bundle().to_string().as_bytes());
    let program = unpacked.join("server/countersign");
    fs::create_dir_all(program.parent().expect("a folder")).expect("a folder");
    let built = Path::new(env!("CARGO_BIN_EXE_countersign"));
    if fs::hard_link(built, &program).is_err() {
        fs::copy(built, &program).expect("a copy");
    }
    let start = || {
        let mut command = tokio::process::Command::from(home.shell(&program.to_string_lossy()));
        command.args(["serve", "--url", &sim.url]).kill_on_drop(true);
        Home::start(command)
    };
    home.login(&sim, false).await;
    let mut client = start().hello().await;
    let order = serde_json::json!({
        "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": 1, "tif": "Day"
    });
    let refused = client.call("PlaceOrder", &order).await;
    let standing = client.call("countersign_status", &serde_json::json!({})).await;
    sim.post("revoke", &serde_json::json!({})).await;
    let ended = client.call("ListAccounts", &serde_json::json!({})).await;
    let ended_standing = client.call("countersign_status", &serde_json::json!({})).await;
    for (begins, answer) in [
        ("NOT SENT. Trading is not enabled on this computer", &refused),
        ("Signed in for reading. Trading is not enabled.", &standing),
        ("NOT DONE. Access was withdrawn", &ended),
        ("Not signed in. Access was withdrawn", &ended_standing),
    ] {
        let said = text(answer);
        assert!(said.starts_with(begins), "{said}");
        assert!(
            said.contains("install Countersign on this computer with its own installer")
                && !said.contains("`countersign"),
            "{said}"
        );
    }
    assert_eq!(ended_standing["structuredContent"]["signedIn"], false);
    client.close().await;
    assert!(sim.executed().await.is_empty());

    // Once an installer has been here, the same extension names the command.
    home.meddle("state/installed.json", "{}");
    let mut client = start().hello().await;
    let ended = client.call("ListAccounts", &serde_json::json!({})).await;
    assert!(text(&ended).contains("`countersign setup`"), "{ended}");
    client.close().await;
}
