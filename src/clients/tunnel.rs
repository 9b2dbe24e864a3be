//! `ChatGPT` on the web, and `OpenAI`'s API: `OpenAI`'s own tunnel program runs here and starts us. It needs a tunnel id and a
//! key of the person's organisation; we never ask for them and never store them, so the commands are shown, not run.

use super::{Client, Places, System, Way, entry, nothing};

pub(super) static CLIENT: Client = Client {
    id: "chatgpt-tunnel",
    name: "ChatGPT on the web, and the API (tunnel)",
    way: Way::ByHand(commands),
    spots: |_| Vec::new(),
    also: nothing,
    entry: entry::start,
    calls_itself: "openai-mcp",
    restart: "stop tunnel-client and run it again",
    logs: |_| "what tunnel-client prints; it serves a page about itself, too".to_owned(),
    gives_up: "not documented; the tunnel ends a connection after ten minutes",
    advice: None,
    link: None,
};

fn commands(places: &Places) -> String {
    let windows = places.system == System::Windows;
    let program = std::iter::once(&places.program).chain(&places.arguments);
    let inner: Vec<String> = program.map(|word| inner_word(word)).collect();
    let command = outer_word(&inner.join(" "), windows);
    let (id, key, comment) = if windows {
        (
            "$env:CONTROL_PLANE_TUNNEL_ID",
            "$env:CONTROL_PLANE_API_KEY",
            "PowerShell",
        )
    } else {
        ("\"$CONTROL_PLANE_TUNNEL_ID\"", "$CONTROL_PLANE_API_KEY", "shell")
    };
    let home = places.countersign_home.as_ref().map_or_else(String::new, |home| {
        if windows {
            format!("$env:COUNTERSIGN_HOME = {}\n", outer_word(home, true))
        } else {
            format!("export COUNTERSIGN_HOME={}\n", outer_word(home, false))
        }
    });
    format!(
        "# In a {comment} where CONTROL_PLANE_TUNNEL_ID and {key} are set. Both come from your OpenAI organisation's\n# settings (Tunnels; Runtime API keys). Countersign never asks for them and never stores them.\n{home}tunnel-client init --sample sample_mcp_stdio_local --profile {name} --tunnel-id {id} --mcp-command {command}\ntunnel-client doctor --profile {name} --explain\ntunnel-client run --profile {name}",
        key = key.trim_start_matches("$env:").trim_start_matches('$'),
        name = entry::NAME,
    )
}

/// A word of the command that tunnel-client splits by itself. Windows takes forward slashes as well, and no splitter takes
/// them for an escape.
fn inner_word(word: &str) -> String {
    let word = word.replace('\\', "/");
    if word.contains(char::is_whitespace) {
        format!("\"{word}\"")
    } else {
        word
    }
}

/// A word as the shell has to be told it.
fn outer_word(word: &str, windows: bool) -> String {
    if windows {
        format!("'{}'", word.replace('\'', "''"))
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
