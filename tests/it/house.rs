//! The house's own rules, looked up in its sources.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The shipped sources below a folder.
fn shipped(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    sources(&root().join(folder), &mut files);
    files.retain(|path| {
        !path.components().any(|part| part.as_os_str() == "tests") && !path.ends_with("tests.rs")
    });
    files
}

/// The lines of a file that are code: no comments, and nothing from its tests on.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a source");
    let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
    shipped
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn gate_and_wire_reach_nothing_outside() {
    let forbidden = [
        "tokio",
        "reqwest",
        "hyper",
        "zbus",
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant",
        "crate::system",
        "crate::relay",
        "crate::upstream",
        "crate::oauth",
        "crate::approve",
        "crate::journal",
        "crate::cli",
    ];
    let rooms = ["src/gate", "src/wire", "src/passkey"];
    let files: Vec<PathBuf> = rooms.into_iter().flat_map(shipped).collect();
    assert!(files.len() > 45, "the rooms have moved: {}", files.len());
    for path in files {
        let code = code(&path);
        for word in forbidden {
            assert!(!code.contains(word), "{} reaches {word}", path.display());
        }
    }
}

/// `wire` calls nothing of ours, and knows no reader or writer.
#[test]
fn wire_knows_nothing_but_bytes() {
    let files = shipped("src/wire");
    assert!(files.len() > 10, "the room has moved: {}", files.len());
    for path in files {
        let code = code(&path);
        for word in ["std::io", "crate::"] {
            assert!(!code.contains(word), "{} reaches {word}", path.display());
        }
    }
}

/// The gate has one calendar, which is told the time and brings its own time zones; and each of its files makes a new
/// variant or an overflowing amount an error of the compiler.
#[test]
fn the_gate_asks_no_clock_and_forgets_no_variant() {
    let files = shipped("src/gate");
    assert!(files.len() > 35, "the room has moved: {}", files.len());
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a source");
        assert!(!text.contains("std::time"), "{} uses std::time", path.display());
        if path.ends_with("policy/zone.rs") {
            for word in ["now()", "system()", "TimeZone::get", "tz::db", "get_unknown"] {
                assert!(!text.contains(word), "{} uses {word}", path.display());
            }
        } else {
            assert!(!text.contains("jiff"), "{} uses jiff", path.display());
        }
        if !path.ends_with("mod.rs") {
            assert!(
                text.contains("clippy::wildcard_enum_match_arm"),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn only_the_trade_lane_takes_a_cleared_call() {
    let sending: Vec<String> = shipped("src")
        .iter()
        .filter(|path| code(path).contains("cleared.params()") || code(path).contains(": Cleared,"))
        .map(|path| path.strip_prefix(root()).expect("inside").display().to_string())
        .collect();
    for path in &sending {
        assert!(
            ["src/upstream/trade_lane.rs", "src/gate/ticket.rs"].contains(&path.as_str()),
            "{path} handles a Cleared"
        );
    }
    assert!(
        sending.iter().any(|path| path == "src/upstream/trade_lane.rs"),
        "{sending:?}"
    );
}

#[test]
fn the_rules_in_the_readme_are_rules() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let blocks: Vec<&str> = readme
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    let rules: Vec<&&str> = blocks
        .iter()
        .filter(|block| block.starts_with("version = 1"))
        .collect();
    assert_eq!(rules.len(), 1);
    for text in rules {
        let policy = countersign::gate::Policy::parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert!(policy.show().contains("PA-OLD") || policy.show().contains("pa-old"));
    }
}

/// Every test in the sources by its whole name, as the runner prints it: `module::module::name`.
fn tests_by_name() -> std::collections::BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["src", "tests/it", "sim/src"] {
        sources(&root().join(folder), &mut files);
    }
    let mut names = std::collections::BTreeSet::new();
    for path in files {
        let relative = path.strip_prefix(root()).expect("inside").with_extension("");
        let modules: Vec<String> = relative
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .filter(|part| !matches!(part.as_str(), "src" | "it" | "sim" | "mod" | "lib" | "main"))
            .skip(usize::from(relative.starts_with("tests")))
            .collect();
        let text = std::fs::read_to_string(&path).expect("a source");
        let (mut test, mut inner) = (false, "");
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("mod tests {") {
                inner = "tests::";
            }
            test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let name = line.trim_start_matches("async ").strip_prefix("fn ");
            if let Some(name) = name.and_then(|rest| rest.split_once('(')).filter(|_| test) {
                names.insert(format!("{}::{inner}{}", modules.join("::"), name.0));
                test = false;
            }
        }
    }
    names
}

#[test]
fn the_threat_table_names_tests_that_are_there() {
    let page = std::fs::read_to_string(root().join("docs/threats.md")).expect("the threat table");
    let there = tests_by_name();
    assert!(
        there.contains("house::the_threat_table_names_tests_that_are_there"),
        "{there:?}"
    );
    let rows = |letter: &str, count: usize| {
        for n in 1..=count {
            let start = format!("| {letter}{n} |");
            let row = page.lines().find(|line| line.starts_with(&start));
            let row = row.unwrap_or_else(|| panic!("{letter}{n} is missing"));
            let named: Vec<&str> = row
                .split('`')
                .skip(1)
                .step_by(2)
                .filter(|word| word.contains("::"))
                .collect();
            assert!(
                !named.is_empty() || row.contains("manual check: "),
                "{letter}{n} has neither a test nor a check"
            );
            for name in named {
                assert!(there.contains(name), "{letter}{n}: there is no test {name}");
            }
        }
    };
    rows("E", 30);
    rows("G", 20);
}
