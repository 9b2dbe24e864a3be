//! What is written, to the byte: for each client on each system where there was no file, and for each kind of file that may
//! be there already.

use super::*;
use std::fmt::Write;

/// The snapshot of one client, named after it.
fn golden(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn every_client_from_every_kind_of_file() {
    for client in written() {
        let mut text = String::new();
        for system in SYSTEMS {
            let yard = Yard::new(system);
            let plan = yard.install(client).expect("installed");
            for edit in &plan.edits {
                assert_eq!(edit.deed, Deed::Create, "{}", client.id);
                let content = fs::read_to_string(&edit.file).expect("written");
                let path = yard.plain(&edit.file.display().to_string());
                let _ = write!(
                    text,
                    "==== {system:?}, no file before: {path}\n{}\n",
                    yard.plain(&content)
                );
            }
        }
        for (kind, before) in before(client) {
            let yard = Yard::new(System::Linux);
            let file = yard.file(client);
            Yard::put(&file, before.as_bytes());
            yard.install(client).expect("installed");
            let content = fs::read_to_string(&file).expect("written");
            let _ = write!(text, "==== {kind}\n{}\n", yard.plain(&content));
        }
        golden(client.id, &text);
    }
}

#[test]
fn what_is_done_by_hand() {
    let mut text = String::new();
    for client in clients::all().iter().filter(|client| !client.is_written()) {
        for system in [System::Linux, System::Windows] {
            let home = Env::of([("COUNTERSIGN_HOME", "/srv/counter sign")]);
            for env in [&Env::of([]), &home] {
                let yard = Yard::with(system, env);
                let plan = yard.plan(client).expect("a plan");
                assert!(plan.edits.is_empty() && !plan.changes_anything());
                let by_hand = plan.by_hand.expect("words");
                let _ = write!(
                    text,
                    "==== {} on {system:?}\n{}\n",
                    client.id,
                    yard.plain(&by_hand)
                );
                assert_eq!(tree(yard.home()), BTreeMap::new(), "nothing is written");
            }
        }
    }
    golden("by_hand", &text);
}

/// The tunnel's program splits the command once more, after the shell.
#[test]
fn blanks_in_the_programs_path_survive_both_splittings() {
    for (system, program, expected) in [
        (
            System::Linux,
            "/opt/my apps/countersign",
            r"--mcp-command ''\''/opt/my apps/countersign'\'' serve'",
        ),
        (
            System::Linux,
            "/opt/o'clock/countersign",
            r#"--mcp-command '"/opt/o'\''clock/countersign" serve'"#,
        ),
        (
            System::Windows,
            r"C:\Program Files\countersign.exe",
            "--mcp-command '''C:/Program Files/countersign.exe'' serve'",
        ),
    ] {
        let mut yard = Yard::new(system);
        program.clone_into(&mut yard.places.program);
        let text = find("chatgpt-tunnel").snippet(&yard.places);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn the_links_that_make_a_client_ask() {
    let mut text = String::new();
    for client in clients::all() {
        let yard = Yard::new(System::Windows);
        if let Some(link) = client.deep_link(&yard.places) {
            let _ = writeln!(text, "{}: {link}", client.id);
        }
    }
    golden("links", &text);
    assert_eq!(text.lines().count(), 5, "{text}");
}

/// The installation that is in use now is named, and nothing else of the environment.
#[test]
fn only_the_installation_is_named_in_the_environment() {
    let env = Env::of([
        ("COUNTERSIGN_HOME", "/srv/countersign"),
        ("COUNTERSIGN_STORE", "file"),
        ("CANARY_TOKEN", "canary-9f3a"),
    ]);
    for client in written() {
        let yard = Yard::with(System::Linux, &env);
        let plan = yard.install(client).expect("installed");
        let text = fs::read_to_string(&plan.edits[0].file).expect("written");
        assert!(
            text.contains("COUNTERSIGN_HOME") && text.contains("/srv/countersign"),
            "{text}"
        );
        assert!(
            !text.contains("canary") && !text.contains("COUNTERSIGN_STORE"),
            "{text}"
        );
    }
}

/// What each client is told about waiting, and that it leaves a person time.
#[test]
fn each_client_is_held_for_less_than_it_waits() {
    for client in clients::all() {
        let hold = client.hold();
        assert!((45..=100).contains(&hold), "{}: {hold}", client.id);
        assert!(!client.gives_up.is_empty() && !client.restart.is_empty());
        assert!(!(client.logs)(&Yard::new(System::MacOs).places).is_empty());
    }
}
