//! Claude Desktop.
//!
//! On Windows it is a packaged app: it reads its file from its own container, and a file at `%APPDATA%\Claude` is not read
//! at all unless an older installation without a container is there. Its settings are rewritten from its own store now and
//! then, and what others wrote is lost: the bundle (`.mcpb`) does not suffer from that.

use super::{Client, Places, Spot, System, Way, entry, nothing};
use std::path::{Path, PathBuf};

const FILE: &str = "claude_desktop_config.json";

pub(super) static CLIENT: Client = Client {
    id: "claude-desktop",
    name: "Claude Desktop",
    way: Way::Json("mcpServers"),
    spots,
    also: nothing,
    entry: entry::start,
    calls_itself: "claude-ai",
    restart: "quit Claude completely (in its tray or menu-bar icon: Quit), then start it again",
    logs,
    gives_up: "240 s in a chat, about 60 s in the Code tab and in Cowork",
    advice: Some(
        "Claude Desktop rewrites this file by itself now and then and can lose the entry. The bundle (countersign-win32.mcpb, -darwin or -linux, opened with a double click) does not get lost; prefer it, and use only one of the two. If the entry is lost: countersign install claude-desktop --repair",
    ),
    link: None,
};

fn spots(places: &Places) -> Vec<Spot> {
    if places.system != System::Windows {
        let folder = places.config.join("Claude");
        return vec![Spot::new(folder.join(FILE), &folder)];
    }
    let classic = places.config.join("Claude");
    let mut spots: Vec<Spot> = containers(&places.local.join("Packages"))
        .into_iter()
        .map(|folder| Spot::new(folder.join(FILE), &folder))
        .collect();
    let several = spots.len() > 1;
    for spot in &mut spots {
        spot.here = true;
        spot.rival = several;
    }
    // The older installer put the program here; its configuration is not redirected.
    let older = places.local.join("AnthropicClaude").is_dir();
    if spots.is_empty() || older {
        spots.push(Spot {
            here: older || classic.is_dir(),
            file: classic.join(FILE),
            rival: false,
        });
    }
    spots
}

/// The configuration folders of the packages whose name begins with `Claude_`, in the order of their names.
fn containers(packages: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(packages)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("Claude_"))
        .map(|entry| entry.path().join("LocalCache").join("Roaming").join("Claude"))
        .filter(|folder| folder.parent().and_then(Path::parent).is_some_and(Path::is_dir))
        .collect();
    found.sort();
    found
}

fn logs(places: &Places) -> String {
    match places.system {
        System::MacOs => places
            .home
            .join("Library")
            .join("Logs")
            .join("Claude")
            .join("mcp*.log"),
        System::Windows => places
            .config
            .join("Claude")
            .join("logs")
            .join("mcp-server-countersign.log"),
        System::Linux => places.config.join("Claude").join("logs").join("mcp*.log"),
    }
    .display()
    .to_string()
}
