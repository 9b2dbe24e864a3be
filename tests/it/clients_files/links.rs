//! Files that must not be touched, and links.

use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

/// Broken in ways that real files are: refused, untouched, and nothing of them quoted.
#[test]
fn a_file_that_does_not_parse_is_left_as_it_is() {
    for client in written() {
        let broken: &[&[u8]] = if client.id == "codex" {
            &[
                b"model = \"s3cret",
                b"[mcp_servers]\n[mcp_servers]\n",
                b"mcp_servers = 1\n",
                b"\xff\xfem\0",
            ]
        } else {
            &[
                b"{\"key\": \"s3cret",
                b"[]",
                b"{\"a\":1}}",
                b"\xff\xfe{\0}\0",
                b"{'a': 1}",
            ]
        };
        for content in broken {
            let yard = Yard::new(System::Linux);
            let file = yard.file(client);
            Yard::put(&file, content);
            let at_first = tree(yard.keep.path());
            let trouble = yard.plan(client).expect_err("refused");
            let said = trouble.to_string();
            assert!(matches!(trouble, Trouble::Broken { .. }), "{said}");
            assert!(
                said.contains("left as it is") && !said.contains("s3cret"),
                "{said}"
            );
            assert_eq!(tree(yard.keep.path()), at_first, "{}", client.id);
            let Standing::Unreadable(why) = yard.standing(client) else {
                panic!("{}: {:?}", client.id, yard.standing(client));
            };
            assert!(!why.contains("s3cret"), "{why}");
        }
    }
}

#[test]
fn a_link_inside_the_home_stays_a_link() {
    for client in written() {
        let yard = Yard::new(System::Linux);
        let file = yard.file(client);
        let (_, before) = before(client).remove(1);
        let target = yard.home().join("dotfiles/kept");
        Yard::put(&target, before.as_bytes());
        fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        symlink(&target, &file).expect("a link");
        let at_first = tree(yard.home());
        yard.install(client).expect("installed");
        assert_eq!(fs::read_link(&file).expect("still a link"), target);
        assert!(
            fs::read_to_string(&target)
                .expect("written")
                .contains("countersign")
        );
        yard.uninstall(client).expect("uninstalled");
        assert_eq!(tree(yard.home()), at_first, "{}", client.id);
    }
}

#[test]
fn a_link_out_of_the_home_is_refused_unless_it_is_named() {
    for client in written() {
        let yard = Yard::new(System::Linux);
        let file = yard.file(client);
        let outside = yard.keep.path().join("outside");
        let (_, before) = before(client).remove(1);
        Yard::put(&outside, before.as_bytes());
        fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        symlink(&outside, &file).expect("a link");
        let trouble = yard.plan(client).expect_err("refused");
        assert!(matches!(trouble, Trouble::LeadsAway { .. }), "{trouble}");
        assert_eq!(fs::read_to_string(&outside).expect("there"), before);
        let wish = Wish {
            config_path: Some(file.clone()),
        };
        let plan = clients::plan(client, &yard.places, &wish).expect("named");
        clients::apply(&plan, &yard.places).expect("written");
        assert!(
            fs::read_to_string(&outside)
                .expect("there")
                .contains("countersign")
        );
        yard.uninstall(client).expect("uninstalled");
        assert_eq!(fs::read_to_string(&outside).expect("there"), before);
    }
}

#[test]
fn a_folder_that_leads_away_is_refused_too() {
    let yard = Yard::new(System::Linux);
    let outside = yard.keep.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    symlink(&outside, yard.home().join(".cursor")).expect("a link");
    let trouble = yard.plan(find("cursor")).expect_err("refused");
    assert!(matches!(trouble, Trouble::LeadsAway { .. }), "{trouble}");
    // A link that leads nowhere is not made into a file.
    let nowhere = yard.home().join(".gemini");
    fs::create_dir(&nowhere).expect("a folder");
    symlink(yard.home().join("gone"), nowhere.join("settings.json")).expect("a link");
    let trouble = yard.plan(find("gemini")).expect_err("refused");
    assert!(trouble.to_string().contains("leads nowhere"), "{trouble}");
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 0);
}

/// A folder that the system itself names may lie anywhere: redirected profiles do.
#[test]
fn folders_that_the_environment_names_are_the_persons() {
    let keep = tempfile::tempdir().expect("a folder");
    let named = keep.path().join("elsewhere").display().to_string();
    let env = Env::of([
        ("CODEX_HOME", &named),
        ("XDG_CONFIG_HOME", &named),
        ("CLAUDE_CONFIG_DIR", &named),
    ]);
    for (id, file) in [
        ("codex", "config.toml"),
        ("zed", "zed/settings.json"),
        ("claude-code", ".claude.json"),
    ] {
        let yard = Yard::with(System::Linux, &env);
        let plan = yard.install(find(id)).expect("installed");
        assert_eq!(plan.edits[0].file, Path::new(&named).join(file));
        assert!(plan.edits[0].file.is_file());
    }
}

#[test]
fn a_read_only_file_is_left_alone_and_rights_are_kept() {
    for client in written() {
        for (mode, good) in [(0o444, false), (0o600, true), (0o640, true), (0o664, true)] {
            let yard = Yard::new(System::Linux);
            let file = yard.file(client);
            let (_, before) = before(client).remove(1);
            Yard::put(&file, before.as_bytes());
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("rights");
            let at_first = tree(yard.home());
            let done = yard.install(client);
            assert_eq!(done.is_ok(), good, "{} {mode:o}: {done:?}", client.id);
            let found = fs::metadata(&file).expect("there");
            assert_eq!(found.mode() & 0o7777, mode);
            if let Err(trouble) = done {
                assert!(matches!(trouble, Trouble::ReadOnly(_)), "{trouble}");
                assert_eq!(tree(yard.home()), at_first);
            } else {
                // Backups hold what the file held: nobody else may read them either.
                for path in tree(yard.home())
                    .keys()
                    .filter(|path| path.to_string_lossy().ends_with(".bak"))
                {
                    assert_eq!(fs::metadata(path).expect("there").mode() & 0o7777, mode);
                }
                yard.uninstall(client).expect("uninstalled");
                assert_eq!(tree(yard.home()), at_first);
            }
        }
    }
}

/// Only the superuser can see to this: the owner stays the owner.
#[test]
fn the_owner_stays_the_owner() {
    let yard = Yard::new(System::Linux);
    let client = find("cursor");
    let file = yard.file(client);
    Yard::put(&file, b"{}");
    if std::os::unix::fs::chown(&file, Some(12_345), Some(54_321)).is_err() {
        return;
    }
    yard.install(client).expect("installed");
    let found = fs::metadata(&file).expect("there");
    assert_eq!((found.uid(), found.gid()), (12_345, 54_321));
    yard.uninstall(client).expect("uninstalled");
    let found = fs::metadata(&file).expect("there");
    assert_eq!((found.uid(), found.gid()), (12_345, 54_321));
}

#[test]
fn what_is_no_file_is_refused() {
    let yard = Yard::new(System::Linux);
    let file = yard.file(find("cursor"));
    fs::create_dir_all(&file).expect("a folder in its place");
    assert!(yard.plan(find("cursor")).is_err());
    let file = yard.file(find("gemini"));
    fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
    rustix::fs::mkfifoat(rustix::fs::CWD, &file, rustix::fs::Mode::from_raw_mode(0o600)).expect("a pipe");
    // Reading a pipe would wait for ever.
    assert!(yard.plan(find("gemini")).is_err());
}

/// Written between the plan that was shown and the yes.
#[test]
fn a_file_that_changed_since_the_plan_is_left_as_it_is() {
    for client in written() {
        let (_, before) = before(client).remove(1);
        for there in [true, false] {
            let yard = Yard::new(System::Linux);
            let file = yard.file(client);
            if there {
                Yard::put(&file, before.as_bytes());
            }
            let plan = yard.plan(client).expect("a plan");
            let new = format!("{before}\n");
            Yard::put(&file, new.as_bytes());
            let at_first = tree(yard.home());
            let trouble = clients::apply(&plan, &yard.places).expect_err("refused");
            assert!(matches!(trouble, Trouble::Changed(_)), "{trouble}");
            assert_eq!(tree(yard.home()), at_first, "{}", client.id);
            assert_eq!(yard.standing(client), Standing::Absent);
        }
    }
}
