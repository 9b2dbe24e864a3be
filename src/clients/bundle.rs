//! Extensions of Claude Desktop: ours, opened there from the bundle (`.mcpb`), and others that reach the service.
//!
//! Claude Desktop keeps them apart from its file: each unpacked in `Claude Extensions/ID`, with what the person has set,
//! and whether it is on, in `Claude Extensions Settings/ID.json`. An extension of ours beside an entry of ours in the file
//! makes two of us: each order would be asked about by whichever the model takes.
//!
//! Owns: reading those two folders. Nothing in them is ever written: an extension is installed and removed in the app alone.

use super::around::{self, Around};
use super::entry::NAME;
use super::{Client, Places, Spot, claude_desktop, place};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// How many extensions are looked at; people have some ten.
const MOST: usize = 500;
const UNPACKED: &str = "Claude Extensions";
const SETTINGS: &str = "Claude Extensions Settings";

/// Our own extension, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Its manifest.
    pub file: PathBuf,
    /// The name of its folder.
    pub id: String,
    /// Its version, if the manifest says one.
    pub version: Option<String>,
    /// Whether the person has left it on.
    pub on: bool,
}

impl Bundle {
    /// As something that stands there a second time.
    pub(super) fn twin(&self) -> Around {
        Around {
            file: self.file.clone(),
            name: self.id.clone(),
            twin: true,
            extension: true,
        }
    }
}

/// What the extensions of a client are to us.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    /// Ours. More than one where several copies of the app are here, or two builds of the bundle.
    pub(super) ours: Vec<Bundle>,
    /// Others that reach the service without us, and are on.
    pub(super) around: Vec<Around>,
}

impl Extensions {
    /// Ours that is on, if one is.
    pub(super) fn running(&self) -> Option<&Bundle> {
        self.ours.iter().find(|bundle| bundle.on)
    }
}

/// Whether this program lies in an unpacked bundle of ours: `server/countersign` beside our manifest, whatever AI client
/// unpacked it.
pub(super) fn holds(program: &Path) -> bool {
    let beside = program.parent().and_then(Path::parent);
    beside
        .and_then(|folder| json(&folder.join("manifest.json")))
        .is_some_and(|manifest| is_ours(&manifest))
}

/// Looks at the extensions of a client; only Claude Desktop has any.
pub(super) fn look(client: &Client, places: &Places) -> Extensions {
    let mut found = Extensions::default();
    if client.id == claude_desktop::CLIENT.id {
        for spot in (client.spots)(places) {
            look_beside(&spot, &mut found);
        }
    }
    found
}

/// In the folder of the client's file.
fn look_beside(spot: &Spot, found: &mut Extensions) {
    let Some(app) = spot.file.parent() else {
        return;
    };
    let Ok(folders) = std::fs::read_dir(app.join(UNPACKED)) else {
        return;
    };
    let mut folders: Vec<PathBuf> = folders.flatten().map(|entry| entry.path()).take(MOST).collect();
    folders.sort();
    for folder in folders {
        let file = folder.join("manifest.json");
        // A folder without a manifest is none that the app could start.
        let (Some(manifest), Some(id)) = (json(&file), folder.file_name().and_then(|id| id.to_str())) else {
            continue;
        };
        let settings = json(&app.join(SETTINGS).join(format!("{id}.json"))).unwrap_or_default();
        let on = settings.get("isEnabled") != Some(&Value::Bool(false));
        if is_ours(&manifest) {
            found.ours.push(Bundle {
                file,
                id: id.to_owned(),
                version: text(&manifest, "version"),
                on,
            });
        } else if on && speaks_of_it(&manifest, &settings) {
            found.around.push(Around {
                file,
                name: text(&manifest, "display_name").unwrap_or_else(|| id.to_owned()),
                twin: false,
                extension: true,
            });
        }
    }
}

fn is_ours(manifest: &Value) -> bool {
    let starts = manifest.pointer("/server/mcp_config");
    text(manifest, "name").is_some_and(|name| name == NAME) || starts.is_some_and(around::is_us)
}

/// By its name, by what it starts, or by what the person has typed into it (an address, for one). What it says about itself
/// does not count: a text about futures may name the service.
fn speaks_of_it(manifest: &Value, settings: &Value) -> bool {
    let parts = [
        manifest.get("name"),
        manifest.get("display_name"),
        manifest.pointer("/server/mcp_config"),
        Some(settings),
    ];
    parts.into_iter().flatten().any(around::speaks_of_anywhere)
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn json(file: &Path) -> Option<Value> {
    serde_json::from_slice(&place::read(file).ok()??).ok()
}
