//! Which clients are found where, lost and doubled entries, and ways around us.

use super::*;

#[test]
fn nothing_is_found_in_an_empty_home() {
    for system in SYSTEMS {
        let yard = Yard::new(system);
        let found = clients::detected(&yard.places);
        assert!(found.is_empty(), "{found:?}");
    }
}

/// Each client by its own folder, and only it.
#[test]
fn a_client_is_found_by_its_own_folder() {
    let cases = [
        ("claude-desktop", System::Linux, ".config/Claude"),
        (
            "claude-desktop",
            System::MacOs,
            "Library/Application Support/Claude",
        ),
        ("claude-desktop", System::Windows, "AppData/Roaming/Claude"),
        ("claude-code", System::Windows, ".claude"),
        ("codex", System::MacOs, ".codex"),
        ("cursor", System::Linux, ".cursor"),
        ("vscode", System::Linux, ".config/Code"),
        ("vscode", System::MacOs, "Library/Application Support/Code"),
        ("vscode", System::Windows, "AppData/Roaming/Code"),
        (
            "vscode-insiders",
            System::Windows,
            "AppData/Roaming/Code - Insiders",
        ),
        ("windsurf", System::Linux, ".config/devin"),
        ("windsurf", System::Windows, "AppData/Roaming/devin"),
        ("windsurf", System::MacOs, ".codeium/windsurf"),
        ("cline", System::Linux, ".cline"),
        ("zed", System::Windows, "AppData/Roaming/Zed"),
        ("zed", System::MacOs, ".config/zed"),
        ("gemini", System::Linux, ".gemini"),
        ("lm-studio", System::MacOs, ".lmstudio"),
        ("lm-studio", System::MacOs, ".cache/lm-studio"),
        ("goose", System::Windows, "AppData/Roaming/Block/goose/config"),
        ("continue", System::Linux, ".continue"),
        ("junie", System::Linux, ".junie"),
    ];
    for (id, system, folder) in cases {
        let yard = Yard::new(system);
        fs::create_dir_all(yard.home().join(folder)).expect("a folder");
        let found: Vec<_> = clients::detected(&yard.places);
        let ids: Vec<&str> = found.iter().map(|found| found.client.id).collect();
        assert_eq!(ids, [id], "{folder} on {system:?}");
        assert!(found[0].here && !found[0].is_connected());
        if found[0].client.is_written() {
            yard.install(find(id)).expect("installed");
            assert!(clients::look(find(id), &yard.places).is_connected(), "{id}");
        }
    }
}

/// The packaged Claude Desktop reads its own container and nothing else.
#[test]
fn the_packaged_claude_is_written_in_its_container() {
    let yard = Yard::new(System::Windows);
    let client = find("claude-desktop");
    let container = |name: &str| {
        yard.home()
            .join("AppData/Local/Packages")
            .join(name)
            .join("LocalCache/Roaming")
    };
    fs::create_dir_all(container("Claude_pzs8sxrjxfjjc")).expect("folders");
    fs::create_dir_all(container("Other_abc")).expect("folders");
    // An old folder that the package does not read any more.
    fs::create_dir_all(yard.home().join("AppData/Roaming/Claude")).expect("folders");
    let expected = container("Claude_pzs8sxrjxfjjc").join("Claude/claude_desktop_config.json");
    let files = |plan: &Plan| {
        plan.edits
            .iter()
            .map(|edit| edit.file.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        files(&yard.plan(client).expect("a plan")),
        std::slice::from_ref(&expected)
    );
    // The older installer's program is here as well: both are written.
    fs::create_dir_all(yard.home().join("AppData/Local/AnthropicClaude")).expect("folders");
    let classic = yard
        .home()
        .join("AppData/Roaming/Claude/claude_desktop_config.json");
    let at_first = tree(yard.home());
    let plan = yard.install(client).expect("installed");
    assert_eq!(files(&plan), [expected.clone(), classic]);
    assert!(
        plan.text().contains("countersign-win32.mcpb"),
        "the bundle is recommended"
    );
    assert!(clients::look(client, &yard.places).is_connected());
    yard.uninstall(client).expect("uninstalled");
    assert_eq!(tree(yard.home()), at_first);
    // Two packages: only the person knows.
    fs::create_dir_all(container("Claude_another")).expect("folders");
    let trouble = yard.plan(client).expect_err("refused");
    let Trouble::Several { files, .. } = &trouble else {
        panic!("{trouble}");
    };
    assert_eq!(files.len(), 2);
    assert!(trouble.to_string().contains("Claude_another"), "{trouble}");
    assert!(clients::look(client, &yard.places).several);
    let wish = Wish {
        config_path: Some(expected.clone()),
    };
    let plan = clients::plan(client, &yard.places, &wish).expect("named");
    clients::apply(&plan, &yard.places).expect("written");
    assert!(expected.is_file());
}

#[test]
fn both_homes_of_windsurf_and_all_of_clines_are_written() {
    let yard = Yard::new(System::Linux);
    for folder in [".config/devin", ".codeium/windsurf", ".cline"] {
        fs::create_dir_all(yard.home().join(folder)).expect("folders");
    }
    for editor in ["Code", "Cursor"] {
        let folder = format!(".config/{editor}/User/globalStorage/saoudrizwan.claude-dev");
        fs::create_dir_all(yard.home().join(folder)).expect("folders");
    }
    assert_eq!(yard.install(find("windsurf")).expect("installed").edits.len(), 2);
    assert_eq!(yard.install(find("cline")).expect("installed").edits.len(), 3);
    let moved = yard.home().join("moved/cline.json").display().to_string();
    let yard = Yard::with(System::Linux, &Env::of([("CLINE_MCP_SETTINGS_PATH", &moved)]));
    let plan = yard.install(find("cline")).expect("installed");
    assert_eq!(plan.edits.len(), 1);
    assert_eq!(plan.edits[0].file, Path::new(&moved));
}

/// Claude Desktop rewrites its file from its own store: the entry that was there is missed.
#[test]
fn a_lost_entry_is_told_and_comes_back() {
    let yard = Yard::new(System::MacOs);
    let client = find("claude-desktop");
    let file = yard.file(client);
    Yard::put(&file, b"{\"theme\": 1}");
    yard.install(client).expect("installed");
    fs::write(&file, b"{\"theme\": 2}").expect("rewritten");
    assert_eq!(yard.standing(client), Standing::Lost);
    assert!(clients::look(client, &yard.places).needs_repair());
    yard.install(client).expect("repaired");
    assert_eq!(yard.standing(client), Standing::Ours);
    yard.uninstall(client).expect("uninstalled");
    assert_eq!(fs::read(&file).expect("there"), b"{\"theme\": 2}");
    assert_eq!(yard.standing(client), Standing::Absent);
    // The whole file gone is a lost entry as well; taking out then leaves nothing behind.
    yard.install(client).expect("installed");
    fs::remove_file(&file).expect("gone");
    assert_eq!(yard.standing(client), Standing::Lost);
    let plan = yard.uninstall(client).expect("uninstalled");
    assert_eq!(plan.edits[0].deed, Deed::Forget);
    assert_ne!(yard.standing(client), Standing::Lost);
}

#[test]
fn an_entry_that_was_switched_off_or_changed_is_told() {
    let yard = Yard::new(System::Linux);
    for (id, off) in [("cline", "\"disabled\": true,"), ("codex", "enabled = false\n")] {
        let client = find(id);
        let file = yard.file(client);
        yard.install(client).expect("installed");
        let text = fs::read_to_string(&file).expect("written");
        let changed = text.replacen("\"command\"", &format!("{off}\"command\""), 1);
        let changed = changed.replacen("command =", &format!("{off}command ="), 1);
        fs::write(&file, &changed).expect("written");
        assert_eq!(yard.standing(client), Standing::Off, "{changed}");
        let plan = yard.install(client).expect("a plan");
        assert!(
            !plan.changes_anything() && plan.text().contains("switched off"),
            "{}",
            plan.text()
        );
        fs::write(&file, changed.replace("\"serve\"", "\"tools\"")).expect("written");
        assert_eq!(yard.standing(client), Standing::Differs(vec!["args".to_owned()]));
    }
}

/// An order through one of these is held by nobody.
#[test]
fn ways_around_us_are_told() {
    let yard = Yard::new(System::Linux);
    let remote =
        r#"{"command": "npx", "args": ["-y", "mcp-remote", "https://app.crosstrade.io/v1/api/mcp"]}"#;
    Yard::put(
        &yard.home().join(".cursor/mcp.json"),
        format!("{{\"mcpServers\": {{\"ct\": {remote}}}}}").as_bytes(),
    );
    Yard::put(
        &yard.home().join(".codex/config.toml"),
        b"[mcp_servers.direct]\nurl = \"https://app.crosstrade.io/v1/api/mcp\"\n",
    );
    Yard::put(
        &yard.home().join(".claude.json"),
        format!("{{\"projects\": {{\"/p\": {{\"mcpServers\": {{\"ct\": {remote}}}}}}}}}").as_bytes(),
    );
    Yard::put(
        &yard.home().join(".continue/mcpServers/x.json"),
        format!("{{\"mcpServers\": {{\"ct\": {remote}}}}}").as_bytes(),
    );
    Yard::put(
        &yard.home().join(".config/goose/config.yaml"),
        b"extensions:\n  ct:\n    uri: https://app.crosstrade.io/v1/api/mcp\n",
    );
    Yard::put(
        &yard.home().join(".copilot/mcp-config.json"),
        format!("{{\"mcpServers\": {{\"ct\": {remote}}}}}").as_bytes(),
    );
    fs::create_dir_all(yard.home().join(".config/Code")).expect("a folder");
    let found = clients::detected(&yard.places);
    let around: Vec<(&str, String)> = found
        .iter()
        .flat_map(|found| {
            found
                .around
                .iter()
                .map(|around| (found.client.id, around.name.clone()))
        })
        .collect();
    let expected = [
        ("claude-code", "ct"),
        ("codex", "direct"),
        ("cursor", "ct"),
        ("vscode", "ct"),
        ("goose", "line 3"),
        ("continue", "ct"),
    ];
    assert_eq!(around, expected.map(|(id, name)| (id, name.to_owned())));
    // Ours beside them is none of them, under another name it is a second one.
    let cursor = find("cursor");
    yard.install(cursor).expect("installed");
    assert_eq!(clients::look(cursor, &yard.places).around.len(), 1);
    let file = yard.file(cursor);
    let text = fs::read_to_string(&file)
        .expect("written")
        .replace("\"ct\"", "\"a\"");
    let twin = text.replace(
        "\"countersign\":",
        "\"other\": {\"command\": \"/opt/x/countersign\"},\n\"countersign\":",
    );
    fs::write(&file, twin).expect("written");
    let around = clients::look(cursor, &yard.places).around;
    assert!(
        around.iter().any(|around| around.name == "other" && around.twin),
        "{around:?}"
    );
}

#[test]
fn names_and_other_words_for_them() {
    for (word, id) in [
        ("chatgpt", "codex"),
        ("Claude", "claude-desktop"),
        ("devin", "windsurf"),
        ("jetbrains", "junie"),
        ("tunnel", "chatgpt-tunnel"),
    ] {
        assert_eq!(find(word).id, id);
    }
    assert!(clients::find("nobody").is_none());
    let mut ids: Vec<&str> = clients::all().iter().map(|client| client.id).collect();
    assert!(ids.len() >= 15);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), clients::all().len());
}
