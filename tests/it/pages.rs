//! What the pages say is so: their rules are rules, the messages that they quote are ours, and their links lead somewhere.
//!
//! Owns: the pages as text. Refuses to know: whether a sentence is true that no program can check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder with this ending; build output is left out.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if !["target", "artefacts", "node_modules", ".git", "corpus"].contains(&&*name.to_string_lossy())
            {
                files(&path, ending, found);
            }
        } else if path.extension().is_some_and(|end| end == ending) {
            found.push(path);
        }
    }
}

/// The pages that a person reads: those at the top, and those of `docs/`.
fn pages() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root().join("docs"), "md", &mut found);
    for entry in std::fs::read_dir(root()).expect("the root").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
    assert!(found.len() > 20, "the pages have moved: {found:?}");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a page");
        (path, text)
    };
    found.into_iter().map(read).collect()
}

/// The blocks of a page in this language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let parts = text.split(fence.as_str()).skip(1);
    parts.filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn rules_and_settings_on_a_page_can_be_read() {
    let mut rules = 0;
    for (path, text) in pages() {
        for block in blocks(&text, "toml") {
            if block.starts_with("version = 1") {
                let read = countersign::gate::Policy::parse(block);
                assert!(read.is_ok(), "{}: {:?}\n{block}", path.display(), read.err());
                rules += 1;
            } else {
                let read = toml::from_str::<toml::Table>(block);
                assert!(read.is_ok(), "{}: {:?}\n{block}", path.display(), read.err());
            }
        }
        for block in blocks(&text, "json") {
            let read = serde_json::from_str::<serde_json::Value>(block);
            assert!(read.is_ok(), "{}: {:?}\n{block}", path.display(), read.err());
        }
    }
    assert!(rules >= 8, "where are the examples? {rules}");
}

/// The texts of the shipped sources, as a reader sees them: a text that is broken over lines in one piece.
fn said() -> Vec<String> {
    let mut found = Vec::new();
    files(&root().join("src"), "rs", &mut found);
    // The installers speak for themselves.
    files(&root().join("packaging/windows"), "nsi", &mut found);
    found.extend(["install.sh", "install.ps1"].map(|name| root().join(name)));
    found
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .map(|text| {
            let mut whole = String::with_capacity(text.len());
            let mut joined = false;
            for line in text.lines() {
                let line = if joined { line.trim_start() } else { line };
                joined = line.ends_with('\\');
                whole.push_str(line.strip_suffix('\\').unwrap_or(line));
                if !joined {
                    whole.push('\n');
                }
            }
            whole.replace("\\\"", "\"")
        })
        .collect()
}

/// Whether the pieces of a quoted message stand in one source, in this order and close to each other. `…` stands for what
/// differs from time to time.
fn is_said(message: &str, sources: &[String]) -> bool {
    let pieces: Vec<&str> = message
        .split('…')
        .filter(|piece| !piece.trim().is_empty())
        .collect();
    let Some((first, rest)) = pieces.split_first() else {
        return false;
    };
    sources.iter().any(|source| {
        source
            .match_indices(first)
            .filter_map(|(at, _)| source.get(at + first.len()..))
            .any(|behind| follow(behind, rest))
    })
}

fn follow(mut behind: &str, pieces: &[&str]) -> bool {
    for piece in pieces {
        match behind.split_once(piece) {
            Some((between, after)) if between.len() < 400 => behind = after,
            Some(_) | None => return false,
        }
    }
    true
}

/// The page is looked up by the exact text of a message, so a message that we do not say any more is a dead end.
#[test]
fn every_message_that_is_explained_is_one_of_ours() {
    let page = std::fs::read_to_string(root().join("docs/troubleshooting.md")).expect("the page");
    let sources = said();
    let mut messages = 0;
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let first = line
            .trim_start_matches('|')
            .split(" | ")
            .next()
            .unwrap_or_default();
        for message in first.split('`').skip(1).step_by(2) {
            assert!(is_said(message, &sources), "nothing says {message:?}");
            messages += 1;
        }
    }
    assert!(messages > 40, "only {messages} messages were found");
    assert!(!is_said("a sentence that … nobody ever wrote down", &sources));
}

/// The anchors of a page: its headings as the forge spells them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        inside ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if inside || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading.trim().chars().filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => c.to_lowercase().next(),
            _ => None,
        });
        found.insert(kept.collect());
    }
    found
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut links = 0;
    for (path, text) in pages() {
        let prose: String = text.split("```").step_by(2).collect();
        for part in prose.split("](").skip(1) {
            let target = part.split(')').next().unwrap_or_default();
            if target.starts_with("http") {
                continue;
            }
            links += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let there = if file.is_empty() {
                path.clone()
            } else {
                path.parent().expect("a folder").join(file)
            };
            assert!(there.exists(), "{}: {target} leads nowhere", path.display());
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&there).expect("a page");
                let known = anchors(&text);
                assert!(
                    known.contains(anchor),
                    "{}: {target}, not in {known:?}",
                    path.display()
                );
            }
        }
    }
    assert!(links > 60, "{links}");
}

/// What a page says to type: in code, from the program's name on, up to what is no word of it any more.
fn typed(text: &str) -> Vec<Vec<String>> {
    let mut code: Vec<&str> = Vec::new();
    for (at, part) in text.split("```").enumerate() {
        if at % 2 == 1 {
            code.extend(part.lines());
            continue;
        }
        code.extend(part.lines().filter_map(|line| line.strip_prefix("    ")));
        code.extend(part.lines().flat_map(|line| line.split('`').skip(1).step_by(2)));
    }
    let words = |rest: &str| {
        rest.split_whitespace()
            .map(|word| word.trim_end_matches([',', ';', ':', '.', ')']).to_owned())
            .take_while(|word| !word.is_empty() && !word.starts_with('#'))
            .collect::<Vec<String>>()
    };
    let mut found = Vec::new();
    for line in code {
        for (at, name) in line.match_indices("countersign ") {
            let behind = line.get(at + name.len()..).unwrap_or_default();
            let words = words(behind);
            if line.get(..at).is_some_and(is_a_start) && words.first().is_some_and(|word| is_word(word)) {
                found.push(words);
            }
        }
    }
    found
}

/// Whether a command can begin behind this: at the start, behind a prompt, a variable, a path or another command.
fn is_a_start(before: &str) -> bool {
    let last = before.split_whitespace().next_back().unwrap_or_default();
    before.is_empty()
        || before.ends_with('/')
        || ["$", "then", "&&"].contains(&last)
        || (before.ends_with(' ') && last.contains('='))
}

fn is_word(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        && !word.starts_with('-')
}

/// The help of these verbs.
fn help(verbs: &[String]) -> Option<String> {
    let told = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(verbs)
        .arg("--help")
        .env_clear()
        .output()
        .expect("the program");
    told.status
        .success()
        .then(|| String::from_utf8_lossy(&told.stdout).into_owned())
}

/// A page that says to type what the program does not know leaves its reader alone.
#[test]
fn every_command_on_a_page_is_one_that_the_program_has() {
    let top = help(&[]).expect("the help");
    let mut known: BTreeMap<Vec<String>, Option<String>> = BTreeMap::new();
    let mut commands = 0;
    for (path, text) in pages() {
        for words in typed(&text) {
            let mut verbs: Vec<String> = Vec::new();
            let mut told = top.clone();
            for word in &words {
                let lists =
                    |line: &str| line.split_whitespace().next() == Some(word) && line.starts_with("  ");
                if !is_word(word) || !told.lines().any(lists) {
                    break;
                }
                verbs.push(word.clone());
                let found = known.entry(verbs.clone()).or_insert_with(|| help(&verbs));
                told = found.clone().unwrap_or_default();
            }
            let page = path.display();
            assert!(!verbs.is_empty(), "{page}: countersign {}", words.join(" "));
            assert!(
                !told.contains("<COMMAND>"),
                "{page}: countersign {} is half a command",
                words.join(" ")
            );
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                let name = flag.split('=').next().unwrap_or_default();
                let there = told.split([' ', ',', '=', '\n']).any(|word| word == name);
                assert!(there, "{page}: countersign {}: no {name}", words.join(" "));
            }
            commands += 1;
        }
    }
    assert!(commands > 100, "{commands}");
}

/// The ids in the column of this number (from 0) of the tables of a section, by row.
fn ids(text: &str, heading: &str, column: usize) -> Vec<Vec<String>> {
    let (_, section) = text.split_once(heading).expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| {
        let cell = row.split('|').nth(column + 1).expect("the column");
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    })
    .collect()
}

/// A page that sends somebody to a check which doctor does not make leaves them alone with their question.
#[tokio::test]
async fn every_check_on_a_page_is_one_that_doctor_makes() {
    let home = crate::support::program::Home::new();
    let (_, out, err) = home
        .run(&["doctor", "--json", "--url", "http://127.0.0.1:9/mcp"])
        .await;
    let told: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let checks = told["checks"].as_array().expect("checks");
    let made: BTreeSet<String> = checks
        .iter()
        .filter_map(|check| check["id"].as_str().map(str::to_owned))
        .collect();
    let page = |name: &str| std::fs::read_to_string(root().join("docs").join(name)).expect("the page");

    let machine = ids(
        &page("windows-and-macos.md"),
        "## What only a real machine can prove",
        1,
    );
    assert!(machine.len() > 10, "where is the table? {machine:?}");
    let named: BTreeSet<String> = machine.into_iter().flatten().collect();
    let unknown: Vec<&String> = named.difference(&made).collect();
    assert!(unknown.is_empty(), "doctor has no {unknown:?}");
    for id in [
        "landing", "private", "space", "session", "screen", "terminal", "sleep", "mark",
    ] {
        assert!(named.contains(id), "the page does not tell of {id}");
    }

    let listed: BTreeSet<String> = ids(&page("json.md"), "## `countersign doctor --json`", 1)
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(listed, made, "the list of all checks");
}
