//! The files of AI clients: what we write into them, that nothing else changes, and that it can all be taken back. Every
//! home folder here is a temporary one; the three systems' folders are models, so that all of them are tried on any system.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use countersign::clients::{self, Client, Deed, Places, Plan, Standing, System, Trouble, Wish};
use countersign::system::Env;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

mod extensions;
mod found;
mod golden;
mod killed;
mod links;
mod real;
mod undo;
mod verbs;

const SYSTEMS: [System; 3] = [System::Linux, System::MacOs, System::Windows];

/// A home folder of one system.
struct Yard {
    keep: tempfile::TempDir,
    places: Places,
}

impl Yard {
    fn new(system: System) -> Self {
        Self::with(system, &Env::of([]))
    }

    fn with(system: System, env: &Env) -> Self {
        let keep = tempfile::tempdir().expect("a folder");
        let home = keep.path().join("trader");
        fs::create_dir(&home).expect("a home");
        let program = match system {
            System::Windows => r"C:\Users\trader\.countersign\bin\countersign.exe",
            System::Linux | System::MacOs => "/opt/countersign/bin/countersign",
        };
        let mut places = Places::of(system, &home, env, program);
        // Ours lies elsewhere, so that the home can be compared as a whole.
        places.receipts = keep.path().join("ours/clients");
        places.lock = keep.path().join("ours/clients.lock");
        Self { keep, places }
    }

    fn home(&self) -> &Path {
        &self.places.home
    }

    /// The one file that would be written for this client.
    fn file(&self, client: &'static Client) -> PathBuf {
        let plan = self.plan(client).expect("a plan");
        plan.edits.first().expect("a file").file.clone()
    }

    fn put(file: &Path, content: &[u8]) {
        fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        fs::write(file, content).expect("written");
    }

    fn plan(&self, client: &'static Client) -> Result<Plan, Trouble> {
        clients::plan(client, &self.places, &Wish::default())
    }

    fn install(&self, client: &'static Client) -> Result<Plan, Trouble> {
        let plan = self.plan(client)?;
        clients::apply(&plan, &self.places)?;
        Ok(plan)
    }

    fn uninstall(&self, client: &'static Client) -> Result<Plan, Trouble> {
        let plan = clients::remove(client, &self.places, &Wish::default())?;
        clients::apply(&plan, &self.places)?;
        Ok(plan)
    }

    fn standing(&self, client: &'static Client) -> Standing {
        let found = clients::look(client, &self.places);
        found
            .files
            .first()
            .map_or(Standing::NoFile, |file| file.standing.clone())
    }

    /// A text in which this computer's temporary folder does not show.
    fn plain(&self, text: &str) -> String {
        text.replace(&self.home().display().to_string(), "~")
            .replace('\r', "␍")
            .replace('\u{feff}', "<BOM>")
    }
}

fn find(id: &str) -> &'static Client {
    clients::find(id).expect("a client")
}

/// The clients whose files we write.
fn written() -> impl Iterator<Item = &'static Client> {
    clients::all()
        .iter()
        .copied()
        .filter(|client| client.is_written())
}

/// Every file and folder below one, with content and rights.
fn tree(folder: &Path) -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
            let rights = format!("{:?}", entry.metadata().expect("it is there").permissions());
            if kind.is_dir() {
                found.insert(path.clone(), rights);
                walk(&path, found);
            } else if kind.is_symlink() {
                found.insert(
                    path.clone(),
                    format!("-> {}", fs::read_link(&path).expect("a link").display()),
                );
            } else {
                found.insert(
                    path.clone(),
                    format!("{rights} {:?}", fs::read(&path).expect("content")),
                );
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, &mut found);
    found
}

/// What a client's file may look like before us: name and content. The second is for TOML.
const BEFORE: [(&str, &str, &str); 6] = [
    ("empty", "", ""),
    (
        "plain",
        "{\n  \"KEY\": {\n    \"files\": {\n      \"command\": \"npx\",\n      \"args\": [\"-y\", \"server-filesystem\"]\n    }\n  },\n  \"theme\": \"dark\"\n}\n",
        "model = \"x\"\n\n[KEY.files]\ncommand = \"npx\"\nargs = [\"-y\", \"server-filesystem\"]\n\n[tui]\ntheme = \"dark\"\n",
    ),
    (
        "commented",
        "// mine\n{\n\t/* not this one */\n\t\"KEY\": {\n\t\t\"files\": { \"command\": \"npx\" }, // why\n\t},\n}\n",
        "# mine\n[KEY.files] # not this one\ncommand = 'npx' # why\n\n# the end\n",
    ),
    (
        "crlf",
        "{\r\n    \"theme\": \"dark\"\r\n}\r\n",
        "model = \"x\"\r\n\r\n[tui]\r\ntheme = \"dark\"\r\n",
    ),
    (
        "bom",
        "\u{feff}{\r\n  \"theme\": \"dark\"\r\n}",
        "\u{feff}model = \"x\"\r\n",
    ),
    (
        "minified",
        "{\"theme\":\"dark\",\"KEY\":{\"files\":{\"command\":\"npx\"}}}",
        "KEY = { files = { command = \"npx\" } }",
    ),
];

/// The key under which a client lists servers.
fn key(client: &Client) -> &'static str {
    match client.id {
        "vscode" | "vscode-insiders" => "servers",
        "zed" => "context_servers",
        "codex" => "mcp_servers",
        _ => "mcpServers",
    }
}

/// The files of [`BEFORE`] as this client would have them.
fn before(client: &'static Client) -> Vec<(&'static str, String)> {
    let pick = |(name, json, toml): (&'static str, &str, &str)| {
        let text = if client.id == "codex" { toml } else { json };
        (name, text.replace("KEY", key(client)))
    };
    BEFORE.into_iter().map(pick).collect()
}
