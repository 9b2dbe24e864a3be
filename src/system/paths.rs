//! Where everything lies.

use super::env::Env;
use std::path::{Path, PathBuf};

/// The folders of this installation. `COUNTERSIGN_HOME` moves all of them together.
#[derive(Debug, Clone)]
pub struct Paths {
    config: PathBuf,
    state: PathBuf,
    logs: PathBuf,
}

impl Paths {
    /// Finds the folders: `COUNTERSIGN_HOME`; else on Windows `%USERPROFILE%\.countersign` (`AppData` is redirected
    /// inside packaged clients, so that each of them would see another installation); else the XDG folders on Linux
    /// and `~/Library/Application Support` on macOS, with the logs in `~/Library/Logs`.
    ///
    /// # Errors
    /// Where there is no home folder.
    pub fn find(env: &Env) -> Result<Self, String> {
        if let Some(home) = env.text("COUNTERSIGN_HOME") {
            let home = std::path::absolute(home).map_err(|e| format!("COUNTERSIGN_HOME: {e}"))?;
            return Ok(Self::under(&home));
        }
        if cfg!(windows) {
            // Some clients give their children few variables; Windows knows the profile without them.
            let home = env.text("USERPROFILE").map(PathBuf::from);
            let home = home.or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned()));
            let home = home.ok_or("no profile folder: set COUNTERSIGN_HOME")?;
            return Ok(Self::under(&home.join(".countersign")));
        }
        let dirs = directories::ProjectDirs::from("", "", "countersign")
            .ok_or("no home folder: set COUNTERSIGN_HOME")?;
        let state = dirs
            .state_dir()
            .unwrap_or_else(|| dirs.data_local_dir())
            .to_owned();
        let logs = match directories::BaseDirs::new() {
            Some(dirs) if cfg!(target_os = "macos") => dirs.home_dir().join("Library/Logs/countersign"),
            _ => state.join("logs"),
        };
        Ok(Self {
            config: dirs.config_dir().to_owned(),
            logs,
            state,
        })
    }

    /// All folders under one.
    pub fn under(home: &Path) -> Self {
        Self {
            config: home.join("config"),
            state: home.join("state"),
            logs: home.join("logs"),
        }
    }

    /// The folder of files that a person edits.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The folder that all processes share: vault, tickets, journal, locks, counters.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The folder of log files.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// The person's rules.
    pub fn policy(&self) -> PathBuf {
        self.config.join("policy.toml")
    }

    /// Settings that verbs write (tier, phrase).
    pub fn settings(&self) -> PathBuf {
        self.config.join("settings.toml")
    }

    /// The encrypted file of grants and registrations.
    pub fn vault(&self) -> PathBuf {
        self.state.join("vault")
    }

    /// The key of the vault, where the person chose the file store.
    pub fn vault_key_file(&self) -> PathBuf {
        self.state.join("vault.key")
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.state.join("journal.jsonl")
    }

    /// The folder of tickets.
    pub fn tickets(&self) -> PathBuf {
        self.state.join("tickets")
    }

    /// The installer's receipt; not there where a package manager brought the program.
    pub fn installed(&self) -> PathBuf {
        self.state.join("installed.json")
    }

    /// Exists while trading is halted.
    pub fn halt(&self) -> PathBuf {
        self.state.join("halt")
    }

    /// Orders per minute and day, pauses.
    pub fn counters(&self) -> PathBuf {
        self.state.join("counters.json")
    }

    /// The request budget that all processes share.
    pub fn budget(&self) -> PathBuf {
        self.state.join("budget.json")
    }

    /// What upstream last listed, per endpoint.
    pub fn cache(&self) -> PathBuf {
        self.state.join("cache")
    }

    /// A lock file of this name.
    pub fn lock(&self, name: &str) -> PathBuf {
        self.state.join("locks").join(name)
    }
}
