//! The flags of `setup`: everything that it would ask can be said beforehand.
//!
//! Owns: their names, and which one is missing where nobody can be asked. Refuses to know: what the answers do.

#![expect(clippy::doc_markdown, reason = "these texts are the help that people read")]

use clap::Args;
use std::path::PathBuf;

/// See `setup --help`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of a command line"
)]
pub(crate) struct Flags {
    /// Say yes to what it would ask; what it would do is the safe choice where there are several
    #[arg(long)]
    pub(super) yes: bool,
    /// Sign in for trading too: every trade call is then held until you approve it
    #[arg(long, conflicts_with = "no_trade")]
    pub(super) trade: bool,
    /// Reading only: nothing can be traded from here
    #[arg(long)]
    pub(super) no_trade: bool,
    /// What it takes to approve
    #[arg(long, value_parser = ["click", "pin", "passkey"])]
    pub(super) tier: Option<String>,
    /// Read the PIN from the first line of stdin
    #[arg(long)]
    pub(super) pin_stdin: bool,
    /// Words of your own that stand on every question
    #[arg(long)]
    pub(super) phrase: Option<String>,
    /// Copy this file as your rules (never over rules that are there)
    #[arg(long, value_name = "FILE", conflicts_with = "starter")]
    pub(super) policy: Option<PathBuf>,
    /// Answers for the starter rules: `account.NAME=live|funded|eval|sim|blocked`, "quantity=MES 2, MNQ 2", contracts=1, hours=09:35-15:45 (or any), zone=America/New_York, loss=300 (or none)
    #[arg(long, value_name = "KEY=VALUE", num_args = 1..)]
    pub(super) starter: Vec<String>,
    /// Write the entry of these AI clients (their names: countersign clients)
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "no_clients")]
    pub(super) client: Vec<String>,
    /// Write no AI client's file
    #[arg(long)]
    pub(super) no_clients: bool,
    /// Leave out the practice order
    #[arg(long)]
    pub(super) no_practice: bool,
    /// Print the sign-in address instead of opening a browser, and take the pasted address of the page you end on
    #[arg(long)]
    pub(super) no_browser: bool,
    /// Take back what setup did: the AI clients' entries, and, if you say so, the sign-in and the rules that it wrote
    #[arg(long)]
    pub(super) undo: bool,
}

/// What of this is there already, as far as it spares a question.
#[derive(Debug, Clone, Copy)]
pub(super) struct There {
    /// A sign-in for trading.
    pub(super) trade: bool,
    /// That sign-in lies under a PIN.
    pub(super) sealed: bool,
    /// A policy file.
    pub(super) policy: bool,
}

impl Flags {
    /// Whether the person wants to trade, where the flags say so.
    pub(super) fn wants_trade(&self) -> Option<bool> {
        match (self.trade, self.no_trade) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }

    /// The flag that is missing where nobody can be asked, and what it would say.
    pub(super) fn missing(&self, there: There) -> Option<&'static str> {
        if self.undo {
            return (!self.yes).then_some("--yes, which takes back everything that setup did");
        }
        let trade = self.wants_trade().or(there.trade.then_some(true));
        let Some(trade) = trade else {
            return Some("--trade or --no-trade: whether this computer may hold and send orders");
        };
        if trade && !there.policy && self.policy.is_none() && self.starter.is_empty() && !self.yes {
            return Some("--policy FILE, --starter KEY=VALUE or --yes: the rules for orders");
        }
        if trade && !there.sealed {
            match self.tier.as_deref() {
                None => return Some("--tier click, pin or passkey: what it takes to approve an order"),
                Some("click") => {}
                Some(_) if !self.pin_stdin => {
                    return Some("--pin-stdin: the PIN, on the first line of stdin");
                }
                Some(_) => {}
            }
        }
        if self.client.is_empty() && !self.no_clients && !self.yes {
            return Some("--client ID, --no-clients or --yes: which AI clients are to use Countersign");
        }
        None
    }
}
