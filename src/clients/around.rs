//! Entries that reach `CrossTrade` without us: an order through one of those is held by nobody.
//!
//! Owns: how such an entry looks. It is looked for, told, and never touched. What is set up on an AI service's own site
//! (connectors) stands in no file and cannot be seen from here.

use super::entry::NAME;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// An entry that goes around us, or a second one of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Around {
    /// The file.
    pub file: PathBuf,
    /// Its name there, or its line.
    pub name: String,
    /// Whether it starts Countersign under another name: then each order would be asked about by whichever the model takes.
    pub twin: bool,
    /// Whether it is an extension of the app and no entry in a file: then it is removed in the app.
    pub extension: bool,
}

impl Around {
    /// How it is removed, in words that follow "remove it".
    pub fn how(&self) -> &'static str {
        if self.extension {
            "in Claude Desktop: Settings, Extensions"
        } else {
            "from that file"
        }
    }
}

/// The keys under which clients list servers.
const HOLDERS: [&str; 4] = ["mcpServers", "servers", "context_servers", "mcp_servers"];

/// All of a document's entries that matter, wherever it lists servers (Claude Code has lists for each project, too).
pub(super) fn in_document(file: &Path, document: &Value) -> Vec<Around> {
    let mut found = Vec::new();
    visit(file, document, 0, &mut found);
    found
}

fn visit(file: &Path, value: &Value, depth: u32, found: &mut Vec<Around>) {
    // Lists of servers lie near the top.
    if depth > 6 {
        return;
    }
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                if HOLDERS.contains(&key.as_str())
                    && let Some(servers) = member.as_object()
                {
                    let entries = servers
                        .iter()
                        .filter_map(|(name, entry)| judge(file, name, entry, depth > 0));
                    found.extend(entries);
                } else {
                    visit(file, member, depth + 1, found);
                }
            }
        }
        Value::Array(members) => members
            .iter()
            .for_each(|member| visit(file, member, depth + 1, found)),
        _ => {}
    }
}

fn judge(file: &Path, name: &str, entry: &Value, inner: bool) -> Option<Around> {
    let around = |twin| Around {
        file: file.to_owned(),
        name: name.to_owned(),
        twin,
        extension: false,
    };
    if is_us(entry) {
        return (name != NAME || inner).then(|| around(true));
    }
    (speaks_of(name) || speaks_of_anywhere(entry)).then(|| around(false))
}

/// Whether any text in this value names the service.
pub(super) fn speaks_of_anywhere(value: &Value) -> bool {
    let mut texts = Vec::new();
    collect(value, &mut texts);
    texts.iter().any(|text| speaks_of(text))
}

/// Whether an entry starts our program.
pub(super) fn is_us(entry: &Value) -> bool {
    let command = entry.get("command").or_else(|| entry.get("cmd"));
    command.and_then(Value::as_str).is_some_and(|command| {
        let name = command.rsplit(['/', '\\']).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        name.strip_suffix(".exe").unwrap_or(&name) == NAME
    })
}

fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(members) => members.iter().for_each(|member| collect(member, texts)),
        Value::Object(members) => members.values().for_each(|member| collect(member, texts)),
        _ => {}
    }
}

fn speaks_of(text: &str) -> bool {
    text.to_ascii_lowercase().contains("crosstrade")
}

/// The same in a file that is not read as values: lines that name the service and are no comments.
pub(super) fn in_lines(file: &Path, text: &str) -> Vec<Around> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim_start().starts_with('#') && speaks_of(line))
        // Our own description speaks of the service.
        .filter(|(_, line)| {
            !line.to_ascii_lowercase().contains(NAME) && !line.trim_start().starts_with("description:")
        })
        .map(|(number, _)| Around {
            file: file.to_owned(),
            name: format!("line {number}"),
            twin: false,
            extension: false,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ways_around_us_are_seen_and_we_are_not_taken_for_one() {
        let document = json!({
            "mcpServers": {
                "countersign": {"command": "/usr/bin/countersign", "args": ["serve"]},
                "ct": {"command": "npx", "args": ["-y", "mcp-remote", "https://app.crosstrade.io/v1/api/mcp"]},
                "direct": {"type": "http", "url": "https://app.crosstrade.io/v1/api/mcp"},
                "again": {"command": "C:\\Users\\trader\\Countersign.exe", "args": ["serve"]},
                "files": {"command": "npx", "args": ["server-filesystem", "/home/trader"]},
            },
            "projects": {"/home/trader/a": {"mcpServers": {"crosstrade": {"command": "npx", "args": ["x"]}}}},
        });
        let mut found: Vec<(String, bool)> = in_document(Path::new("f"), &document)
            .into_iter()
            .map(|around| (around.name, around.twin))
            .collect();
        found.sort();
        let expected = [
            ("again", true),
            ("crosstrade", false),
            ("ct", false),
            ("direct", false),
        ];
        assert_eq!(found, expected.map(|(name, twin)| (name.to_owned(), twin)));
        let yaml = "extensions:\n  ct:\n    uri: https://app.crosstrade.io/v1/api/mcp\n  # crosstrade\n";
        assert_eq!(in_lines(Path::new("f"), yaml).len(), 1);
    }
}
