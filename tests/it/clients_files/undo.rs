//! Installing twice, taking back, and what happens when the client has written the file in between.

use super::*;

#[test]
fn the_very_bytes_come_back_on_every_system() {
    for system in SYSTEMS {
        for client in written() {
            for (kind, before) in before(client) {
                let yard = Yard::new(system);
                let file = yard.file(client);
                Yard::put(&file, before.as_bytes());
                let at_first = tree(yard.home());
                yard.install(client).expect("installed");
                assert_eq!(yard.standing(client), Standing::Ours, "{} {kind}", client.id);
                let once = fs::read(&file).expect("written");
                let again = yard.install(client).expect("installed again");
                assert!(!again.changes_anything(), "{} {kind}", client.id);
                assert_eq!(fs::read(&file).expect("there"), once, "{} {kind}", client.id);
                let plan = yard.uninstall(client).expect("uninstalled");
                assert_eq!(plan.edits[0].deed, Deed::Restore, "{} {kind}", client.id);
                assert_eq!(tree(yard.home()), at_first, "{} {kind} on {system:?}", client.id);
                assert_eq!(fs::read_dir(&yard.places.receipts).expect("a folder").count(), 0);
            }
        }
    }
}

/// A file that we made goes, with the folders that we made; nothing else does.
#[test]
fn what_was_not_there_is_not_there_afterwards() {
    for system in SYSTEMS {
        for client in written() {
            let yard = Yard::new(system);
            Yard::put(&yard.home().join("unrelated"), b"x");
            let at_first = tree(yard.home());
            yard.install(client).expect("installed");
            assert_ne!(tree(yard.home()), at_first);
            let plan = yard.uninstall(client).expect("uninstalled");
            assert_eq!(plan.edits[0].deed, Deed::Delete, "{}", client.id);
            assert_eq!(tree(yard.home()), at_first, "{} on {system:?}", client.id);
        }
    }
}

/// Clients write their files, too: what they wrote stays, and only ours goes.
#[test]
fn what_the_client_wrote_in_between_stays() {
    for client in written().filter(|client| client.id != "codex") {
        for made_by_us in [true, false] {
            let yard = Yard::new(System::Linux);
            let file = yard.file(client);
            if !made_by_us {
                Yard::put(&file, b"{\n  \"theme\": \"dark\"\n}\n");
            }
            yard.install(client).expect("installed");
            let text = fs::read_to_string(&file).expect("written");
            let more = text.replacen('{', "{\n  \"added\": [1, 2], // by hand", 1);
            fs::write(&file, &more).expect("written");
            let plan = yard.uninstall(client).expect("uninstalled");
            assert_eq!(plan.edits[0].deed, Deed::Remove, "{}", client.id);
            let text = fs::read_to_string(&file).expect("it stays");
            assert!(
                text.contains("\"added\": [1, 2]") && text.contains(" // by hand"),
                "{text}"
            );
            assert!(
                !text.contains("countersign") && !text.contains(key(client)),
                "{text}"
            );
            assert_eq!(text.contains("dark"), !made_by_us, "{text}");
            // What was there just before is kept beside it.
            assert_eq!(
                backups(&file)
                    .last()
                    .map(|path| fs::read_to_string(path).expect("a backup")),
                Some(more)
            );
        }
    }
}

#[test]
fn a_file_that_we_made_goes_also_if_the_client_has_only_rewritten_it() {
    let yard = Yard::new(System::Linux);
    let client = find("cursor");
    let file = yard.file(client);
    yard.install(client).expect("installed");
    let value: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&file).expect("written")).expect("JSON");
    fs::write(&file, value.to_string()).expect("written");
    let plan = yard.uninstall(client).expect("uninstalled");
    assert_eq!(plan.edits[0].deed, Deed::Delete);
    assert!(!file.exists());
}

/// A second version of ours over the first: the way back leads to what was there before either.
#[test]
fn a_new_path_of_the_program_does_not_lengthen_the_way_back() {
    for client in written() {
        for (kind, before) in before(client) {
            let mut yard = Yard::new(System::Linux);
            let file = yard.file(client);
            Yard::put(&file, before.as_bytes());
            let at_first = tree(yard.home());
            yard.install(client).expect("installed");
            yard.places.program = "/elsewhere/countersign".to_owned();
            assert_eq!(
                yard.standing(client),
                Standing::Differs(vec!["command".to_owned()])
            );
            let plan = yard.install(client).expect("installed again");
            assert_eq!(plan.edits[0].deed, Deed::Change);
            assert!(
                plan.text().contains("- \"countersign\"") && plan.text().contains("/elsewhere/countersign")
            );
            yard.uninstall(client).expect("uninstalled");
            assert_eq!(tree(yard.home()), at_first, "{} {kind}", client.id);
        }
    }
}

/// An entry of our name that somebody else made is changed only in our keys, and comes back.
#[test]
fn somebody_elses_entry_of_our_name_comes_back() {
    let yard = Yard::new(System::Linux);
    let client = find("cursor");
    let file = yard.file(client);
    let theirs = "{\"mcpServers\": {\"countersign\": {\"command\": \"npx\", \"args\": [\"--token\", \"s3cret\"], \"env\": {\"K\": \"s3cret\"}, \"headers\": {\"A\": \"s3cret\"}, \"url\": \"https://x/y?t=s3cret\"}}}";
    Yard::put(&file, theirs.as_bytes());
    let plan = yard.install(client).expect("installed");
    assert_eq!(plan.edits[0].deed, Deed::Change);
    assert!(!plan.text().contains("s3cret"), "{}", plan.text());
    assert!(
        fs::read_to_string(&file)
            .expect("written")
            .contains("\"K\": \"s3cret\"")
    );
    yard.uninstall(client).expect("uninstalled");
    assert_eq!(fs::read_to_string(&file).expect("there"), theirs);
}

#[test]
fn an_entry_that_we_did_not_write_is_not_removed() {
    let yard = Yard::new(System::Linux);
    let client = find("cursor");
    let file = yard.file(client);
    let theirs = "{\"mcpServers\": {\"countersign\": {\"command\": \"npx\"}}}";
    Yard::put(&file, theirs.as_bytes());
    let plan = yard.uninstall(client).expect("a plan");
    assert!(
        !plan.changes_anything() && plan.text().contains("left alone"),
        "{}",
        plan.text()
    );
    assert_eq!(fs::read_to_string(&file).expect("there"), theirs);
    // One that says just what we would have written was pasted by hand: it goes.
    let pasted = client.snippet(&yard.places);
    fs::write(&file, pasted).expect("written");
    let plan = yard.uninstall(client).expect("a plan");
    assert_eq!(plan.edits[0].deed, Deed::Remove);
    assert!(!fs::read_to_string(&file).expect("there").contains("countersign"));
}

#[test]
fn five_backups_stay() {
    let mut yard = Yard::new(System::Linux);
    let client = find("claude-desktop");
    let file = yard.file(client);
    Yard::put(&file, b"{}");
    let theirs = file.with_file_name("claude_desktop_config.json.bak");
    Yard::put(&theirs, b"theirs");
    for n in 0..8 {
        yard.places.program = format!("/opt/{n}/countersign");
        yard.install(client).expect("installed");
    }
    assert_eq!(backups(&file).len(), 5);
    assert!(theirs.exists());
    yard.uninstall(client).expect("uninstalled");
    assert_eq!(fs::read(&file).expect("there"), b"{}");
    assert_eq!(backups(&file), Vec::<PathBuf>::new());
    assert!(theirs.exists());
}

/// Our own backups beside a file, the oldest first.
fn backups(file: &Path) -> Vec<PathBuf> {
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    let mut found: Vec<PathBuf> = fs::read_dir(file.parent().expect("a folder"))
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains(&format!("{name}.countersign-")))
        .collect();
    found.sort();
    found
}

/// A restored backup of an earlier write of ours can be taken back as well.
#[test]
fn an_earlier_version_of_ours_that_came_back_is_known() {
    let mut yard = Yard::new(System::Linux);
    let client = find("codex");
    let file = yard.file(client);
    Yard::put(&file, b"model = \"x\"\n");
    yard.install(client).expect("installed");
    let first = fs::read(&file).expect("written");
    yard.places.program = "/elsewhere/countersign".to_owned();
    yard.install(client).expect("installed again");
    fs::write(&file, first).expect("written");
    let plan = yard.uninstall(client).expect("uninstalled");
    assert_eq!(plan.edits[0].deed, Deed::Restore);
    assert_eq!(fs::read(&file).expect("there"), b"model = \"x\"\n");
}
