//! The words.

#![expect(clippy::doc_markdown, reason = "these texts are the help that people read")]

use clap::{CommandFactory, Parser, Subcommand};

/// Stands between your AI client and CrossTrade: no order leaves without your own approval.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Another address than CrossTrade's (the simulator)
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

impl Cli {
    /// The help, as clap prints it.
    pub(crate) fn help() -> clap::Error {
        let text = Self::command().render_help();
        clap::Error::raw(clap::error::ErrorKind::DisplayHelp, text).with_cmd(&Self::command())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Speak MCP on stdin and stdout (what AI clients start; the default without a terminal)
    Serve(Serve),
    /// Begin here: sign in, rules, how you approve, your AI clients, a practice order (goes on where it stopped)
    Setup(Box<super::setup::Flags>),
    /// Sign in to CrossTrade for reading, or with --trade for trading
    Login(Login),
    /// Revoke the sign-in and wipe it here
    Logout {
        /// Only the trade sign-in; reading stays
        #[arg(long)]
        trade: bool,
        /// Read the PIN from stdin, where the trade sign-in lies under one
        #[arg(long)]
        pin_stdin: bool,
    },
    /// Am I signed in, is trading on, what is waiting
    Status,
    /// Check this installation and say what to do about each fault
    Doctor,
    /// The rules for trade calls
    #[command(subcommand)]
    Policy(Policy),
    /// What it takes to approve
    #[command(subcommand)]
    Presence(Presence),
    /// Enter the PIN once, then approve with a click for a while (asks every running process to open its PIN page)
    Arm {
        /// Minutes, 1 to 60
        #[arg(default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=crate::relay::MAX_MINUTES))]
        minutes: u64,
    },
    /// List the trade calls that wait for you
    Pending,
    /// Show waiting trade calls in this terminal and decide on them here
    Watch,
    /// Deny a waiting trade call
    Deny {
        /// The ticket, such as 7QK4
        ticket: String,
    },
    /// Say that you have looked at an order whose outcome was unknown; without a ticket, list those
    Acknowledge {
        /// The ticket, such as 7QK4
        ticket: Option<String>,
    },
    /// Stop all AI trading on this computer at once
    Halt,
    /// Allow AI trading again, or end a pause of new orders
    Resume,
    /// The record of every ticket and decision
    #[command(subcommand)]
    Journal(Journal),
    /// Put Countersign into AI clients: shows what would be written, asks once, writes
    Install(Install),
    /// Take Countersign out of AI clients; files become what they were before
    Uninstall(Uninstall),
    /// List the AI clients of this computer, how our entry stands in each, and how long each waits
    Clients,
    /// List the tools that the AI client sees
    Tools,
    /// Call one tool the way an AI client would (trade calls are held)
    Call {
        /// The tool's name
        tool: String,
        /// Its arguments as a JSON object
        arguments: Option<String>,
    },
    /// Pack what helps to find a fault, without secrets and account numbers, after showing the list
    Diagnostics {
        /// The file to write
        file: Option<std::path::PathBuf>,
        /// Write it without asking
        #[arg(long)]
        yes: bool,
    },
    /// Print a script that completes words in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual pages
    Man {
        /// Write each page into this folder instead
        #[arg(long, value_name = "FOLDER")]
        to: Option<std::path::PathBuf>,
    },
    /// Print the version
    Version,
    /// What the installers call: enter this program on this account, or take it off again
    #[command(name = "self", subcommand)]
    Own(Own),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Own {
    /// Note what the installer put in place, and let terminals find it by its name
    Install {
        /// Leave PATH as it is
        #[arg(long)]
        no_modify_path: bool,
        /// The outermost folder that the installer had to make for the program
        #[arg(long, value_name = "FOLDER")]
        made: Option<std::path::PathBuf>,
    },
    /// Take the program off this account; your sign-in, rules and journal stay, unless --purge
    Uninstall {
        /// Also sign out, and delete rules, settings, logs and the journal
        #[arg(long)]
        purge: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Leave the program's file to the installer (a running program cannot be deleted on Windows)
        #[arg(long)]
        keep_program: bool,
    },
    /// Say whether terminals find this program by its name, or change that
    Path {
        /// show, add or remove
        #[arg(default_value = "show", value_parser = ["show", "add", "remove"])]
        what: String,
    },
}

#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each switch that people type"
)]
pub(crate) struct Install {
    /// The clients, such as claude-desktop, codex (also ChatGPT desktop), cursor, vscode, chatgpt-tunnel
    #[arg(value_name = "CLIENT")]
    pub(crate) clients: Vec<String>,
    /// All that are found on this computer
    #[arg(long, conflicts_with = "clients")]
    pub(crate) all: bool,
    /// Only the entries that are lost or were changed
    #[arg(long)]
    pub(crate) repair: bool,
    /// Show what would be written, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print what to paste by hand, and write nothing
    #[arg(long)]
    pub(crate) print: bool,
    /// Print a link that makes the client itself ask whether to add Countersign, and write nothing
    #[arg(long, conflicts_with = "print")]
    pub(crate) deeplink: bool,
    #[command(flatten)]
    pub(crate) file: ClientFile,
}

/// What is the same wherever a client's file is written.
#[derive(Debug, clap::Args)]
pub(crate) struct ClientFile {
    /// Write without asking
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// This file, instead of the one that would be found
    #[arg(long, value_name = "FILE")]
    pub(crate) config_path: Option<std::path::PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Uninstall {
    /// The clients
    #[arg(value_name = "CLIENT")]
    pub(crate) clients: Vec<String>,
    /// All in which our entry stands
    #[arg(long, conflicts_with = "clients")]
    pub(crate) all: bool,
    /// Show what would be removed, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) file: ClientFile,
}

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Serve {
    /// crosstrade: trade calls are held. plain: relay to any other MCP server, given with --url, and hold nothing
    #[arg(long, default_value = "crosstrade", value_parser = ["crosstrade", "plain"])]
    pub(crate) profile: String,
    /// Plain profile: a client id that was registered by hand (its secret in COUNTERSIGN_CLIENT_SECRET)
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Plain profile: no person signs in; the client id itself is the account (client credentials)
    #[arg(long, requires = "client_id")]
    pub(crate) client_credentials: bool,
    /// Plain profile: the same, and this private key (PEM, EC P-256 or RSA) proves who it is, instead of a secret
    #[arg(long, value_name = "FILE", requires = "client_id")]
    pub(crate) client_key_file: Option<std::path::PathBuf>,
    /// Plain profile: the https address of a published Client ID Metadata Document
    #[arg(long, value_name = "URL", conflicts_with = "client_id")]
    pub(crate) client_metadata_url: Option<String>,
    /// Plain profile: the scope to ask for, instead of what the server suggests
    #[arg(long)]
    pub(crate) scope: Option<String>,
    /// Plain profile: a header for every request to the server; may be repeated
    #[arg(long, value_name = "NAME:VALUE")]
    pub(crate) header: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    /// Sign in for trading
    #[arg(long)]
    pub(crate) trade: bool,
    /// Print the address instead of opening a browser, and take the pasted address of the page you end on
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// One grant for reading and trading, where the service withdraws one when it gives the other
    #[arg(long)]
    pub(crate) single_grant: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Write a starter with explanations; refuses to touch a file that is there
    Init,
    /// Read the rules and say what is wrong with them, and what may not mean what you think
    Check,
    /// Print the rules in force
    Show,
    /// Look at what changed in the rules, settings and tool descriptions since you approved them, and approve it
    Apply,
    /// Begin all counts anew (orders of today, questions, a pause), after you are asked: for counters that are broken or gone
    ResetCounters,
    /// Say what would come of a call, which line decides, and every limit that is looked at
    Explain {
        /// A file with the call as JSON: {"name": "PlaceOrder", "arguments": {…}}
        call: std::path::PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Presence {
    /// Change it
    Set {
        /// click: the button of the prompt. pin: your PIN for each order. passkey: your PIN once, then a passkey for each order
        #[arg(value_parser = ["click", "pin", "passkey"])]
        tier: String,
        /// Read the PIN from stdin, one per line: the present one first where there is one, then the new one
        #[arg(long)]
        pin_stdin: bool,
        /// What to call the first passkey
        #[arg(long, default_value = "passkey")]
        name: String,
    },
    /// List the registered passkeys
    Keys {
        /// Read the PIN from stdin
        #[arg(long)]
        pin_stdin: bool,
    },
    /// Register one more passkey, on a page of your browser
    AddKey {
        /// What to call it
        #[arg(long, default_value = "passkey")]
        name: String,
        /// Read the PIN from stdin
        #[arg(long)]
        pin_stdin: bool,
    },
    /// Take a passkey away
    RemoveKey {
        /// The beginning of its id (at least 4 letters), or its name
        // Ids are base64url: one in 64 begins with a hyphen.
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// Read the PIN from stdin
        #[arg(long)]
        pin_stdin: bool,
    },
    /// Print it
    Show,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    /// Print the last entries
    Show {
        /// How many
        #[arg(long, default_value_t = 20)]
        last: usize,
    },
    /// Check that nothing was changed, removed or inserted
    Verify,
    /// Print the whole journal as JSON lines
    Export,
}
