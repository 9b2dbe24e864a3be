//! `CrossTrade`'s own profile: a read after sign-in, with the simulator in the place of the service.
//!
//! Owns: the simulator, the installation that is signed in there, and what is asked. Refuses to know: how it is measured.
//!
//! The simulator writes down every request, so it is slower than the server of the other rows; it is so for everybody.

use super::Outcome;
use super::bridge::Peer;
use super::measure::{self, Plan, Row, Target};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

#[path = "../parts/programs.rs"]
#[expect(dead_code, reason = "the measurements that press buttons need more of it")]
mod programs;

use programs::{Home, Sim};

/// What its rows are called by.
pub(crate) const NAME: &str = "crosstrade";

/// A read of the service.
pub(crate) fn quote(id: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"GetQuote","arguments":{{"instrument":"MES 12-26"}}}}}}"#
    )
}

/// Direct HTTP with a token, and the program.
pub(crate) fn all(plan: &Plan, program: &Path) -> Outcome<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let (sim, home, token) = runtime.block_on(signed_in(folder.path(), false))?;
    let peer = peer(program, &sim.url, &home.folder, folder.path());
    let peers = BTreeMap::from([("countersign".to_owned(), peer)]);
    let plan = Plan {
        sizes: Vec::new(),
        lab: String::new(),
        call: quote,
        ..*plan
    };
    let target = Target {
        url: &sim.url,
        folder: folder.path(),
        token: Some(&token),
        transport: NAME,
        form: "GetQuote",
    };
    measure::field(&plan, &peers, &target)
}

/// The program in `CrossTrade`'s profile, with the installation in `home`.
pub(crate) fn peer(program: &Path, url: &str, home: &Path, folder: &Path) -> Peer {
    let words = [&program.display().to_string(), "serve", "--url", url];
    let variables = [
        ("COUNTERSIGN_HOME", home.display().to_string()),
        ("COUNTERSIGN_STORE", "file".to_owned()),
        ("XDG_RUNTIME_DIR", folder.display().to_string()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    Peer::new(words.map(str::to_owned).to_vec(), BTreeMap::from(variables))
}

/// The simulator, an installation that is signed in to read (and to trade), and the token for reading.
pub(crate) async fn signed_in(folder: &Path, trade: bool) -> Outcome<(Sim, Home, String)> {
    let sim = Sim::start().await?;
    // No order is placed, so nobody is asked: a session bus is not needed.
    let home = Home::new(folder, "unix:path=/nonexistent")?;
    home.login(&sim, &[]).await?;
    let secrets = sim.http.get(format!("{}/secrets", sim.control)).send().await?;
    let secrets: Vec<Value> = serde_json::from_str(&secrets.text().await?)?;
    let token = secrets
        .iter()
        .find(|one| one.get("kind").and_then(Value::as_str) == Some("access token"))
        .and_then(|one| one.get("secret").and_then(Value::as_str))
        .ok_or("the simulator gave no token")?
        .to_owned();
    if trade {
        home.login(&sim, &["--trade"]).await?;
    }
    Ok((sim, home, token))
}
