//! Software that we did not write, as `tests/run.sh` installs it: where it is, and what to do when it is not there.
//!
//! Refuses to know: what the tests do with it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A client from `tests/clients`, about to start `program` as its stdio server. Arguments for the program may follow;
/// the environment (`CLIENT_READ`, `CLIENT_TRADE`, the program's own) is the caller's to set.
pub(crate) fn typescript_client(program: &Path) -> Command {
    let mut command = Command::new(node());
    command
        .arg(script("tests/clients/ts_client.mjs"))
        .arg(program)
        .env("COUNTERSIGN_TEST_NODE_DIR", node_folder());
    command
}

/// The official TypeScript SDK 2.x without a handshake (2026-07-28); `CLIENT_MODE` is `auto` or `pin`.
pub(crate) fn typescript_modern_client(program: &Path) -> Command {
    let mut command = Command::new(node());
    command
        .arg(script("tests/clients/ts_modern.mjs"))
        .arg(program)
        .env("COUNTERSIGN_TEST_NODE_DIR", node_folder());
    command
}

/// The same conversation by the official Python SDK.
pub(crate) fn python_client(program: &Path) -> Command {
    let mut command = Command::new(python());
    command.arg(script("tests/clients/py_client.py")).arg(program);
    command
}

/// The MCP inspector's command line; `method` is `["list"]` or `["call", TOOL, JSON]`.
pub(crate) fn inspector(method: &[&str], program: &Path) -> Command {
    let folder = node_folder();
    present(&folder.join("node_modules/.bin/mcp-inspector"));
    let mut command = Command::new(script("tests/clients/inspector.sh"));
    command
        .args(method)
        .arg("--")
        .arg(program)
        .env("COUNTERSIGN_TEST_NODE_DIR", folder);
    command
}

/// What `$BROWSER` is to name so that a person in a real Chromium decides; `tests/browser/README.md` has the variables.
pub(crate) fn browser() -> PathBuf {
    let _ = chromium();
    present(&node_folder().join("node_modules/playwright-core"));
    let path = script("tests/browser/browser");
    // A `$BROWSER` is split at blanks, without quoting.
    assert!(
        !path.to_string_lossy().contains(' '),
        "the project's path has a blank in it: {}",
        path.display()
    );
    path
}

/// The simulator's binary, which cargo puts beside the program but does not build for our tests.
pub(crate) fn simulator() -> PathBuf {
    present(&Path::new(env!("CARGO_BIN_EXE_countersign")).with_file_name("crosstrade-sim"))
}

/// Node.js: the one that `COUNTERSIGN_TEST_NODE` names, else the machine's.
pub(crate) fn node() -> PathBuf {
    variable("COUNTERSIGN_TEST_NODE").map_or_else(|| on_path("node"), PathBuf::from)
}

/// The interpreter that has the official SDK.
pub(crate) fn python() -> PathBuf {
    let installed = root().join("target/clients/python/bin/python");
    present(&variable("COUNTERSIGN_TEST_PYTHON").map_or(installed, PathBuf::from))
}

fn chromium() -> PathBuf {
    present(
        &variable("COUNTERSIGN_TEST_CHROMIUM")
            .map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from),
    )
}

pub(crate) fn node_folder() -> PathBuf {
    let installed = root().join("target/clients/node");
    present(&variable("COUNTERSIGN_TEST_NODE_DIR").map_or(installed, PathBuf::from))
}

fn script(relative: &str) -> PathBuf {
    present(&root().join(relative))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn on_path(name: &str) -> PathBuf {
    let path = variable("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    assert!(
        found.is_some(),
        "{name} is not on PATH: install it, then run tests/run.sh --only install"
    );
    found.unwrap_or_default()
}

fn present(path: &Path) -> PathBuf {
    assert!(
        path.exists(),
        "{} is not there: run tests/run.sh --only install, then --only build",
        path.display()
    );
    path.to_path_buf()
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests learn from their runner's environment where things are"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
