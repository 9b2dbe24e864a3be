//! Continue: it reads every file in a folder of servers, so ours is a file of its own and nobody else's is touched.

use super::{Client, Places, Spot, Way, entry};
use std::path::PathBuf;

pub(super) static CLIENT: Client = Client {
    id: "continue",
    name: "Continue",
    way: Way::Json("mcpServers"),
    spots,
    also,
    entry: entry::start,
    calls_itself: "continue-client",
    restart: "reload the editor's window",
    logs: |_| "in the editor: \"Continue: View Logs\"".to_owned(),
    gives_up: "taken as 60 s; not documented",
    advice: None,
    link: None,
};

fn spots(places: &Places) -> Vec<Spot> {
    let folder = places.home.join(".continue");
    let file = folder.join("mcpServers").join("countersign.json");
    vec![Spot::new(file, &folder)]
}

/// Everything else that it reads.
fn also(places: &Places) -> Vec<PathBuf> {
    let folder = places.home.join(".continue");
    let mut others: Vec<PathBuf> = std::fs::read_dir(folder.join("mcpServers"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let end = path.extension().and_then(|end| end.to_str());
            matches!(end, Some("json" | "yaml" | "yml")) && !path.ends_with("countersign.json")
        })
        .collect();
    others.sort();
    others.push(folder.join("config.yaml"));
    others
}
