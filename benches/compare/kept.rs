//! How the program's cost grows with what it keeps on the disk: the tool list, and the journal.
//!
//! Owns: making such an installation. Refuses to know: what a curve is.

use super::Outcome;
use super::bridge::{Bridge, Place};
use super::growth::{Curve, number};
use super::trader;
use countersign::journal::{Journal, verify};
use countersign::system::Paths;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Each number is the median of so many.
const TURNS: usize = 7;

fn median(mut values: Vec<f64>) -> Outcome<f64> {
    values.sort_by(f64::total_cmp);
    Ok(values
        .get(values.len() / 2)
        .copied()
        .ok_or("nothing was measured")?)
}

/// From the start of a process to its first answer, and the time of `tools/list`, against the tools that are kept from the last
/// time. `CrossTrade` has some forty; the file of ten thousand is 20 MB.
pub(crate) fn catalogue(program: &Path) -> Outcome<[Curve; 2]> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let (sim, home, _) = runtime.block_on(trader::signed_in(folder.path(), true))?;
    let pins = pinned(&home.folder.join("state"))?;
    let before: BTreeMap<String, Value> = serde_json::from_str(&std::fs::read_to_string(&pins)?)?;
    let one = before.values().next().ok_or("no tool is pinned")?.clone();
    let peer = trader::peer(program, &sim.url, &home.folder, folder.path());
    let place = Place {
        url: &sim.url,
        folder: folder.path(),
        lab: "",
    };
    let (mut starts, mut lists) = (Vec::new(), Vec::new());
    for tools in [100, 1_000, 10_000] {
        let mut now = before.clone();
        for more in now.len()..tools {
            let name = format!("Tool{more}");
            let mut tool = one.clone();
            if let Some(slot) = tool.pointer_mut("/definition/name") {
                *slot = Value::from(name.as_str());
            }
            now.insert(name, tool);
        }
        std::fs::write(&pins, serde_json::to_string(&now)?)?;
        let (mut start, mut list) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let mut bridge = Bridge::start(&peer, &place)?;
            start.push(bridge.first_answer.as_secs_f64() * 1e3);
            let begun = Instant::now();
            bridge.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)?;
            let (length, _) = bridge.answer()?;
            list.push(begun.elapsed().as_secs_f64() * 1e3);
            if length < tools * 100 {
                return Err(format!("a list of {tools} tools came as {length} bytes").into());
            }
        }
        starts.push((number(tools)?, median(start)?));
        lists.push((number(tools)?, median(list)?));
    }
    let curve = |unit, points| Curve {
        against: "tools kept",
        unit,
        points,
    };
    Ok([
        curve("ms from start to first answer", starts),
        curve("ms for tools/list", lists),
    ])
}

/// The file with the pinned definitions.
fn pinned(state: &Path) -> Outcome<std::path::PathBuf> {
    for entry in std::fs::read_dir(state)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with("pins-") {
            return Ok(path);
        }
    }
    Err("nothing is pinned".into())
}

/// An append, a check of the whole, and the last lines shown, against the lines that are there.
pub(crate) fn journal(program: &Path) -> Outcome<[Curve; 3]> {
    let folder = tempfile::tempdir_in(if Path::new("/dev/shm").is_dir() {
        "/dev/shm"
    } else {
        "/tmp"
    })?;
    let paths = Paths::under(folder.path());
    let journal = Journal::of(&paths);
    let (mut appends, mut checks, mut shows, mut there) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for lines in [1_000, 10_000, 100_000, 1_000_000] {
        while there < lines {
            journal.append("held", line())?;
            there += 1;
        }
        let begun = Instant::now();
        for _ in 0..100 {
            journal.append("approved", line())?;
        }
        there += 100;
        appends.push((number(lines)?, begun.elapsed().as_secs_f64() * 1e4));
        let file = std::fs::File::open(paths.journal())?;
        let begun = Instant::now();
        let verdict = verify(std::io::BufReader::new(file))?;
        if !verdict.faults.is_empty() {
            return Err("the journal that was just written has faults".into());
        }
        checks.push((number(lines)?, begun.elapsed().as_secs_f64() * 1e3));
        let mut show = Vec::new();
        for _ in 0..TURNS {
            let begun = Instant::now();
            let shown = Command::new(program)
                .args(["journal", "show"])
                .env("COUNTERSIGN_HOME", folder.path())
                .stdin(Stdio::null())
                .output()?;
            show.push(begun.elapsed().as_secs_f64() * 1e3);
            if !shown.status.success() || shown.stdout.is_empty() {
                return Err(String::from_utf8_lossy(&shown.stderr).into());
            }
        }
        shows.push((number(lines)?, median(show)?));
    }
    let curve = |unit, points| Curve {
        against: "journal lines",
        unit,
        points,
    };
    Ok([
        curve("µs an append (in memory)", appends),
        curve("ms to verify all", checks),
        curve("ms to show the last, a process each", shows),
    ])
}

fn line() -> Map<String, Value> {
    let text = |text: &str| Value::from(text);
    Map::from_iter([
        ("ticket".to_owned(), text("7QX3")),
        ("tool".to_owned(), text("PlaceOrder")),
        ("digest".to_owned(), text(&"a".repeat(64))),
        ("via".to_owned(), text("notification")),
        ("tier".to_owned(), text("click")),
    ])
}
