//! The guided first run: in a terminal as a new user, and from a script. What was executed is what the simulator says.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use crate::support::program::Home;
use crate::support::sim::Sim;
use crate::support::verb::Verb;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod guided;
mod scripted;
mod terminal;
mod undone;

/// A strong PIN.
const PIN: &str = "otter lamp seven brick canoe";

/// A client's file as a person keeps it.
const CURSOR: &str = "{\r\n  // my servers\r\n  \"mcpServers\": {\r\n    \"files\": { \"command\": \"files\" },\r\n  }\r\n}\r\n";

/// The home folder of the person of this installation.
fn person(home: &Home) -> PathBuf {
    home.folder().parent().expect("a folder").to_owned()
}

/// Gives the person Cursor, with a server of their own.
fn with_cursor(folder: &Path) -> PathBuf {
    let file = folder.join(".cursor/mcp.json");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    std::fs::write(&file, CURSOR).expect("a file");
    file
}

/// The files of an installation that a person or a service would miss.
fn tree(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                all.push(path.display().to_string());
            }
        }
    }
    all.retain(|path| !path.contains("/logs/"));
    all.sort();
    all
}

/// Runs `setup` from a script, and plays the person in the browser for each address that it prints.
async fn script(
    home: &Home,
    sim: &Sim,
    words: &[&str],
    stdin: &str,
    sign_ins: usize,
) -> (i32, Value, String) {
    let all = [&["setup", "--no-browser", "--json", "--url", &sim.url], words].concat();
    let mut verb = Verb::start(home, &all);
    if !stdin.is_empty() {
        verb.type_line(stdin).await;
    }
    for which in 0..sign_ins {
        let address = nth_address(&verb, which).await;
        let came = sim.http().get(address).send().await;
        came.expect("the person's browser");
    }
    let (code, out, err) = verb.end().await;
    let summary = serde_json::from_str(out.trim()).unwrap_or_else(|_| panic!("{code}: {out}\n{err}"));
    (code, summary, err)
}

async fn nth_address(verb: &Verb, which: usize) -> String {
    for _ in 0..1500 {
        let said = verb.until("").await;
        if let Some(line) = said
            .lines()
            .filter(|line| line.contains("response_type=code"))
            .nth(which)
        {
            return line.trim().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no address: {}", verb.until("").await);
}

/// What came of a step.
fn came<'a>(summary: &'a Value, step: &str) -> &'a str {
    let steps = summary["steps"].as_array().expect("steps");
    steps
        .iter()
        .find(|one| one["step"] == step)
        .and_then(|one| one["came"].as_str())
        .unwrap_or("not reached")
}
