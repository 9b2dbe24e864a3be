//! Why a client's file is left alone, in words, and the one right next step.

use std::path::{Path, PathBuf};

/// Why a file is not touched. All of these come before anything is written, but for [`Trouble::Changed`] and
/// [`Trouble::Io`] of the second of two files.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It does not say what a client's file says.
    #[error("{file}: {why}; the file was left as it is", file = .file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A link out of the person's folders.
    #[error("{file} is a link to {target}, outside your home folder; nothing was written", file = .file.display(), target = .target.display())]
    LeadsAway {
        /// The link.
        file: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// Nobody may write to it.
    #[error("{file} is read-only; nothing was written", file = .0.display())]
    ReadOnly(PathBuf),
    /// Another user's.
    #[error("{file} belongs to another user; nothing was written", file = .0.display())]
    NotYours(PathBuf),
    /// Several files could be meant.
    #[error("several installations of {client} are here, and only you know which one you use; nothing was written:\n{list}", list = list(.files))]
    Several {
        /// The client.
        client: &'static str,
        /// Their files.
        files: Vec<PathBuf>,
    },
    /// Somebody wrote it in the meantime.
    #[error("{file} was changed by another program just now; it was left as it is", file = .0.display())]
    Changed(PathBuf),
    /// The file system refused.
    #[error("{file}: {why}; the file was left as it is", file = .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// In the system's words.
        why: String,
    },
}

fn list(files: &[PathBuf]) -> String {
    let lines: Vec<String> = files.iter().map(|file| format!("  {}", file.display())).collect();
    lines.join("\n")
}

impl Trouble {
    pub(super) fn broken(file: &Path, why: impl Into<String>) -> Self {
        Self::Broken {
            file: file.to_owned(),
            why: why.into(),
        }
    }

    pub(super) fn io(file: &Path, error: &std::io::Error) -> Self {
        Self::Io {
            file: file.to_owned(),
            why: error.to_string(),
        }
    }

    /// The one right next step.
    pub fn next(&self) -> &'static str {
        match self {
            Self::Broken { .. } => {
                "correct the file (the client cannot read it as it is either), then try again; or see what to paste: --print"
            }
            Self::LeadsAway { .. } => "if that file is meant, name it: --config-path FILE",
            Self::ReadOnly(_) => {
                "make it writable if you want it changed, then try again; or see what to paste: --print"
            }
            Self::NotYours(_) => "run this as the user who uses the client",
            Self::Several { .. } => "name the one that you use: --config-path FILE",
            Self::Changed(_) => "close the client, then try again",
            Self::Io { .. } => "see what to paste by hand: --print",
        }
    }
}
