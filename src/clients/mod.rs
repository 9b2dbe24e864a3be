//! The desktop AI clients whose files we can write: where they are, what our entry says there, how long they wait.
//!
//! Owns: one file per client, the editing that they share, receipts of what we wrote. Refuses to know: MCP, tickets, tokens.
//! May call: `system`. Nothing here asks anybody; verbs and `setup` show a [`Plan`] and then [`apply`] it:
//!
//! ```no_run
//! # use countersign::clients::{self, Places, Wish};
//! # fn with(places: &Places) -> Result<(), Box<dyn std::error::Error>> {
//! for found in clients::detected(places) {
//!     println!("{}: {:?}", found.client.name, found.files);
//! }
//! let client = clients::find("cursor").ok_or("no such client")?;
//! let plan = clients::plan(client, places, &Wish::default())?;
//! println!("{}", plan.text());
//! clients::apply(&plan, places)?;
//! # Ok(())
//! # }
//! ```

mod apply;
mod around;
mod bundle;
mod claude_code;
mod claude_desktop;
mod cline;
mod codex;
mod commands;
mod continue_dev;
mod cursor;
mod detect;
mod edit;
mod entry;
mod gemini;
mod goose;
mod junie;
mod link;
mod lm_studio;
mod place;
mod places;
mod plan;
mod receipt;
mod stable;
mod take_out;
mod trouble;
mod tunnel;
mod vscode;
mod waits;
mod windsurf;
mod zed;

pub use apply::{Applied, apply};
pub use around::Around;
pub use bundle::Bundle;
pub use commands::Commands;
pub use detect::{Found, FoundFile, Standing, detected, look};
pub use entry::NAME;
pub use places::{Places, System};
pub use plan::{Deed, Edit, Plan, Wish, plan};
pub use take_out::remove;
pub use trouble::Trouble;
pub use waits::{UNKNOWN, Wait, hold_for, wait_of};

use entry::Entry;
use std::path::PathBuf;

/// A desktop AI client.
#[derive(Debug)]
pub struct Client {
    /// What people type.
    pub id: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// How its file is written.
    way: Way,
    /// Where its file may lie, the best place first.
    spots: fn(&Places) -> Vec<Spot>,
    /// Files that it reads as well, where another `CrossTrade` entry could stand.
    also: fn(&Places) -> Vec<PathBuf>,
    /// What our entry says.
    entry: fn(&Places) -> Entry,
    /// What it calls itself in `initialize`.
    pub calls_itself: &'static str,
    /// How to make it read its file again.
    pub restart: &'static str,
    /// Where it writes what it thinks of us.
    pub logs: fn(&Places) -> String,
    /// After how long it gives up on one call, in words.
    pub gives_up: &'static str,
    /// What the person should know before writing, if anything.
    pub advice: Option<&'static str>,
    /// A link that opens the client's own "add this server?" question.
    link: Option<fn(&Places) -> String>,
}

/// How a client's file is written.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// JSON, with comments where the client takes them; our entry stands under this key.
    Json(&'static str),
    /// TOML; our entry is a table under this one.
    Toml(&'static str),
    /// Not by us: the person is shown what to paste or to run.
    ByHand(fn(&Places) -> String),
}

/// A place where a client's file may lie.
#[derive(Debug, Clone)]
struct Spot {
    file: PathBuf,
    /// Whether the client is here, by its own folder.
    here: bool,
    /// Whether this is one of several that cannot all be meant.
    rival: bool,
}

impl Spot {
    /// A file, and the folder that tells that the client is installed.
    fn new(file: PathBuf, sign: &std::path::Path) -> Self {
        Self {
            here: file.is_file() || sign.is_dir(),
            file,
            rival: false,
        }
    }
}

/// All clients that we know, in the order in which they are listed.
static ALL: [&Client; 15] = [
    &claude_desktop::CLIENT,
    &claude_code::CLIENT,
    &codex::CLIENT,
    &cursor::CLIENT,
    &vscode::CLIENT,
    &vscode::INSIDERS,
    &windsurf::CLIENT,
    &cline::CLIENT,
    &zed::CLIENT,
    &gemini::CLIENT,
    &lm_studio::CLIENT,
    &goose::CLIENT,
    &continue_dev::CLIENT,
    &junie::CLIENT,
    &tunnel::CLIENT,
];

/// Other words for the same clients.
const ALIASES: [(&str, &str); 14] = [
    ("claude", "claude-desktop"),
    ("chatgpt", "codex"),
    ("chatgpt-desktop", "codex"),
    ("code", "vscode"),
    ("vs-code", "vscode"),
    ("code-insiders", "vscode-insiders"),
    ("devin", "windsurf"),
    ("gemini-cli", "gemini"),
    ("lmstudio", "lm-studio"),
    ("jetbrains", "junie"),
    ("intellij", "junie"),
    ("continue-dev", "continue"),
    ("tunnel", "chatgpt-tunnel"),
    ("chatgpt-web", "chatgpt-tunnel"),
];

/// All clients.
pub fn all() -> &'static [&'static Client] {
    &ALL
}

/// The client of this id, or of another word for it.
pub fn find(id: &str) -> Option<&'static Client> {
    let id = id.to_ascii_lowercase();
    let id = ALIASES
        .iter()
        .find(|(alias, _)| *alias == id)
        .map_or(id.as_str(), |(_, id)| id);
    ALL.iter().copied().find(|client| client.id == id)
}

impl Client {
    /// How long a trade call of this client is held before it is answered, in seconds, as far as the client can be told
    /// before it has started us.
    pub fn hold(&self) -> u64 {
        hold_for(self.calls_itself, &crate::system::Env::default())
    }

    /// Whether we write its file, or the person is shown what to do.
    pub fn is_written(&self) -> bool {
        !matches!(self.way, Way::ByHand(_))
    }

    /// Whether a file or a folder on this computer tells that it is here.
    pub fn leaves_traces(&self) -> bool {
        self.id != tunnel::CLIENT.id
    }

    /// The text to paste (or the commands to run) for a person who does it by hand.
    pub fn snippet(&self, places: &Places) -> String {
        match self.way {
            Way::Json(key) => edit::json::snippet(key, &(self.entry)(places)),
            Way::Toml(key) => edit::toml::snippet(key, &(self.entry)(places)),
            Way::ByHand(text) => text(places),
        }
    }

    /// A link that makes the client ask "add this server?" itself, where it has such links.
    pub fn deep_link(&self, places: &Places) -> Option<String> {
        self.link.map(|link| link(places))
    }
}

/// No other files.
fn nothing(_: &Places) -> Vec<PathBuf> {
    Vec::new()
}
