//! How long a trade call may be held before its client is answered, by the client's own patience.
//!
//! Owns: one table, keyed on what clients call themselves in `initialize`. Refuses to know: tickets. The hold must end well
//! before the client gives up: a client that times out first tells its model of an error, and the model may try again.

use crate::system::Env;

/// The hold for a client that we do not know: the protocol's SDKs give up after 60 s unless told otherwise.
pub const UNKNOWN: u64 = 45;
/// The hold where a client waits five minutes or more by itself: long enough for a person who reads the card (most cards
/// live 30 to 120 s), short enough that the model is not left without a word for long.
const LONG: u64 = 100;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// What the client calls itself (`clientInfo.name`); followed by anything that is no letter or digit, too.
    pub name: &'static str,
    /// After how many seconds it gives up on a call by itself, without an entry of ours.
    pub gives_up: u64,
    /// How many seconds a call is held.
    pub hold: u64,
    /// Why.
    pub why: &'static str,
}

const fn wait(name: &'static str, gives_up: u64, hold: u64, why: &'static str) -> Wait {
    Wait {
        name,
        gives_up,
        hold,
        why,
    }
}

const SDK: &str = "no other limit is known than the 60 s of the protocol's SDK";

/// What is known. "seen" names were sent to us by that program; the others are what servers report of them.
const TABLE: &[Wait] = &[
    wait(
        "claude-ai",
        60,
        UNKNOWN,
        "240 s in a chat, but about 60 s in the Code tab and in Cowork, and both say the same name",
    ),
    wait(
        "local-agent-mode",
        60,
        UNKNOWN,
        "Claude Desktop's Cowork gives up after about 60 s",
    ),
    wait(
        "claude-code",
        60,
        UNKNOWN,
        "in Claude Desktop's Code tab about 60 s",
    ),
    wait(
        "codex-mcp-client",
        60,
        UNKNOWN,
        "300 s today, but 60 s in versions before June 2026 and in entries that say so",
    ),
    wait("cursor-vscode", 60, UNKNOWN, SDK),
    wait("Cursor", 60, UNKNOWN, SDK),
    wait(
        "Visual Studio Code",
        300,
        LONG,
        "no setting; calls were seen to be cancelled after five minutes",
    ),
    wait(
        "Visual-Studio-Code",
        300,
        LONG,
        "no setting; calls were seen to be cancelled after five minutes",
    ),
    wait("windsurf-client", 60, UNKNOWN, SDK),
    wait("Devin", 60, UNKNOWN, SDK),
    wait("Cline", 60, UNKNOWN, "60 s unless its entry says more"),
    wait(
        "Zed",
        60,
        UNKNOWN,
        "60 s unless its settings or the entry say more",
    ),
    wait(
        "gemini-cli-mcp-client",
        600,
        LONG,
        "ten minutes unless its entry says less",
    ),
    wait("lmstudio-mcp-bridge", 60, UNKNOWN, SDK),
    wait(
        "goose",
        300,
        UNKNOWN,
        "300 s in the entry that it makes by itself; hand-made ones may say less",
    ),
    wait("continue-client", 60, UNKNOWN, SDK),
    wait("JetBrains", 60, UNKNOWN, SDK),
    wait("junie", 60, UNKNOWN, SDK),
    wait(
        "openai-mcp",
        60,
        UNKNOWN,
        "ChatGPT through the tunnel: its patience is not documented",
    ),
];

/// A terminal's Claude Code: a call there ends only after hours.
const CLAUDE_CODE_CLI: Wait = wait(
    "claude-code",
    100_000,
    LONG,
    "in a terminal, calls end only after hours",
);

/// What is known of a client that calls itself this. The environment tells a terminal's Claude Code, which has all the time
/// in the world, from the one inside Claude Desktop.
pub fn wait_of(name: &str, env: &Env) -> Option<Wait> {
    let found = TABLE.iter().find(|wait| is_called(name, wait.name)).copied()?;
    if found.name == CLAUDE_CODE_CLI.name && env.text("CLAUDE_CODE_ENTRYPOINT") == Some("cli") {
        return Some(CLAUDE_CODE_CLI);
    }
    Some(found)
}

/// How many seconds a call of this client is held.
pub fn hold_for(name: &str, env: &Env) -> u64 {
    wait_of(name, env).map_or(UNKNOWN, |wait| wait.hold)
}

fn is_called(name: &str, known: &str) -> bool {
    let (Some(start), Some(rest)) = (name.get(..known.len()), name.get(known.len()..)) else {
        return false;
    };
    start.eq_ignore_ascii_case(known) && !rest.starts_with(|c: char| c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_gives_up_before_we_answer() {
        for wait in TABLE.iter().chain([&CLAUDE_CODE_CLI]) {
            assert!(
                wait.hold + 15 <= wait.gives_up,
                "{}: held {} s, gives up after {} s",
                wait.name,
                wait.hold,
                wait.gives_up
            );
            assert!((5..=240).contains(&wait.hold), "{}", wait.name);
        }
    }

    #[test]
    fn names_are_met_as_clients_send_them() {
        let env = Env::of([]);
        for (name, hold) in [
            ("claude-ai", 45),
            ("claude-ai (via mcp-remote 0.1.37)", 45),
            ("claude-code", 45),
            ("codex-mcp-client", 45),
            ("Visual Studio Code - Insiders", 100),
            ("gemini-cli-mcp-client", 100),
            ("gemini-cli-mcp-client-countersign", 100),
            ("gemini-cli-mcp-clientele", 45),
            ("Zedd", 45),
            ("", 45),
            ("ü", 45),
            ("a client that nobody knows", 45),
        ] {
            assert_eq!(hold_for(name, &env), hold, "{name}");
        }
        let terminal = Env::of([("CLAUDE_CODE_ENTRYPOINT", "cli")]);
        let desktop = Env::of([("CLAUDE_CODE_ENTRYPOINT", "claude-desktop")]);
        assert_eq!(hold_for("claude-code", &terminal), 100);
        assert_eq!(hold_for("claude-code", &desktop), 45);
        assert_eq!(hold_for("claude-ai", &terminal), 45);
    }
}
