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

/// A client that gives up after a minute, or may.
const fn minute(name: &'static str, why: &'static str) -> Wait {
    wait(name, 60, UNKNOWN, why)
}

/// One of which nothing else is known.
const fn sdk(name: &'static str) -> Wait {
    minute(
        name,
        "no other limit is known than the 60 s of the protocol's SDK",
    )
}

/// It writes its name in two ways.
const fn vs_code(name: &'static str) -> Wait {
    let why = "no setting; calls were seen to be cancelled after five minutes";
    wait(name, 300, LONG, why)
}

/// What is known. Names that were sent to us by the real program: `claude-code` (2.1.330, revision 2025-11-25),
/// `codex-mcp-client` (0.169.0, revision 2025-06-18); Gemini CLI 0.61.0 has its name in its bundle, with ten minutes for a
/// call, and says `mcp-test-client` in `gemini mcp list`. The others are what servers report of them.
const TABLE: &[Wait] = &[
    minute(
        "claude-ai",
        "240 s in a chat, but about 60 s in the Code tab and in Cowork, and both say the same name",
    ),
    minute(
        "local-agent-mode",
        "Claude Desktop's Cowork gives up after about 60 s",
    ),
    minute("claude-code", "in Claude Desktop's Code tab about 60 s"),
    minute(
        "codex-mcp-client",
        "300 s today, but 60 s in versions before June 2026 and in entries that say so",
    ),
    sdk("cursor-vscode"),
    sdk("Cursor"),
    vs_code("Visual Studio Code"),
    vs_code("Visual-Studio-Code"),
    sdk("windsurf-client"),
    sdk("Devin"),
    minute("Cline", "60 s unless its entry says more"),
    minute("Zed", "60 s unless its settings or the entry say more"),
    wait(
        "gemini-cli-mcp-client",
        600,
        LONG,
        "ten minutes unless its entry says less",
    ),
    sdk("lmstudio-mcp-bridge"),
    wait(
        "goose",
        300,
        UNKNOWN,
        "300 s in the entry that it makes by itself; hand-made ones may say less",
    ),
    sdk("continue-client"),
    sdk("JetBrains"),
    sdk("junie"),
    minute(
        "openai-mcp",
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
