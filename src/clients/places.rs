//! Where AI clients keep their files on this computer, and what our entry in them has to say.
//!
//! Owns: the three models of folders (Linux, macOS, Windows), made from a home folder and an environment that are passed
//! in. Refuses to know: what is in those files.

use super::stable::stable;
use crate::system::{Env, World};
use std::path::{Path, PathBuf};

/// Whose folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// XDG folders.
    Linux,
    /// `~/Library`.
    MacOs,
    /// `%APPDATA%` and `%LOCALAPPDATA%`.
    Windows,
}

impl System {
    /// The system that this program was built for.
    pub const fn this() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }
}

/// The folders in which clients keep their files, and what our entry says. Nothing here is looked up again later, so that
/// tests can have any computer they like.
#[derive(Debug, Clone)]
pub struct Places {
    /// Whose folders these are.
    pub system: System,
    /// The person's home folder.
    pub home: PathBuf,
    /// `%APPDATA%` on Windows, `~/Library/Application Support` on macOS, `$XDG_CONFIG_HOME` on Linux.
    pub config: PathBuf,
    /// `%LOCALAPPDATA%` on Windows; elsewhere as `config`.
    pub local: PathBuf,
    /// The program that clients start: an absolute path; with a link in it only where a package manager keeps that over
    /// updates.
    pub program: String,
    /// What follows the program: `serve`, and the service's address where it is not `CrossTrade`'s.
    pub arguments: Vec<String>,
    /// `COUNTERSIGN_HOME`, where it is set now: the client's child has to find the same installation.
    pub countersign_home: Option<String>,
    /// Our own folder of receipts.
    pub receipts: PathBuf,
    /// Our lock: one process of ours at a time edits clients' files.
    pub lock: PathBuf,
    /// The environment, for the variables with which some clients move their files.
    pub env: Env,
}

impl Places {
    /// This computer.
    ///
    /// # Errors
    /// A plain sentence, where there is no home folder or the program's own path cannot be told.
    pub fn real(world: &World, url: Option<&str>) -> Result<Self, String> {
        let env = &world.env;
        let named = env.text(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
        let home = named
            .map(PathBuf::from)
            .or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned()))
            .ok_or("no home folder is known: set HOME")?;
        let program = std::env::current_exe()
            .and_then(|path| path.canonicalize())
            .map_err(|error| format!("the path of this program cannot be told: {error}"))?;
        let program = stable(&program, env);
        let program = program
            .to_str()
            .ok_or_else(|| {
                format!(
                    "{}: a path that is not UTF-8 cannot stand in a client's file",
                    program.display()
                )
            })?
            .to_owned();
        let mut places = Self::of(System::this(), &home, env, plain(&program));
        places.receipts = world.paths.state().join("clients");
        places.lock = world.paths.lock("clients.lock");
        if let Some(url) = url {
            places.arguments.extend(["--url".to_owned(), url.to_owned()]);
        }
        Ok(places)
    }

    /// Any computer: a system's model under this home folder. Receipts lie in `.countersign` there.
    pub fn of(system: System, home: &Path, env: &Env, program: &str) -> Self {
        let folder = |name: &str, otherwise: PathBuf| env.text(name).map_or(otherwise, PathBuf::from);
        let (config, local) = match system {
            System::Windows => (
                folder("APPDATA", home.join("AppData").join("Roaming")),
                folder("LOCALAPPDATA", home.join("AppData").join("Local")),
            ),
            System::MacOs => {
                let support = home.join("Library").join("Application Support");
                (support.clone(), support)
            }
            System::Linux => {
                let xdg = folder("XDG_CONFIG_HOME", home.join(".config"));
                (xdg.clone(), xdg)
            }
        };
        let state = home.join(".countersign").join("state");
        Self {
            system,
            home: home.to_owned(),
            config,
            local,
            program: program.to_owned(),
            arguments: vec!["serve".to_owned()],
            countersign_home: env.text("COUNTERSIGN_HOME").map(absolute),
            receipts: state.join("clients"),
            lock: state.join("locks").join("clients.lock"),
            env: env.clone(),
        }
    }

    /// The folders beneath which clients' files lie. A link that leads out of them is not followed.
    pub(super) fn roots(&self) -> Vec<PathBuf> {
        let moved = ["CODEX_HOME", "CLAUDE_CONFIG_DIR"]
            .into_iter()
            .filter_map(|name| self.env.text(name).map(PathBuf::from));
        let file = self.env.text("CLINE_MCP_SETTINGS_PATH").map(Path::new);
        [&self.home, &self.config, &self.local]
            .into_iter()
            .cloned()
            .chain(moved)
            .chain(file.and_then(Path::parent).map(Path::to_owned))
            .collect()
    }
}

/// `COUNTERSIGN_HOME` as the clients' children have to see it: they start in folders of their own.
fn absolute(home: &str) -> String {
    std::path::absolute(home)
        .ok()
        .and_then(|path| path.into_os_string().into_string().ok())
        .unwrap_or_else(|| home.to_owned())
}

/// A Windows path without the `\\?\` that canonical paths begin with there: not every host that starts programs takes it.
fn plain(path: &str) -> &str {
    path.strip_prefix(r"\\?\")
        .filter(|rest| rest.as_bytes().get(1) == Some(&b':'))
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_prefix_of_a_drive_is_cut() {
        assert_eq!(plain(r"\\?\C:\a\b.exe"), r"C:\a\b.exe");
        assert_eq!(plain(r"\\?\UNC\host\share"), r"\\?\UNC\host\share");
        assert_eq!(plain("/usr/bin/countersign"), "/usr/bin/countersign");
    }
}
