//! What would be done to a client's files, to be shown before it is done.
//!
//! Owns: the decision what to write, and the words that show it. Writes nothing.

use super::edit::{self, Splice};
use super::entry::{self, NAME};
use super::place::{self, Met};
use super::receipt::{Receipt, Written, sha256};
use super::{Client, Places, Way, around};
use crate::system::clock;
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What the person asked for beside the client's name.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// This file, wherever it lies, instead of the ones that we would find.
    pub config_path: Option<PathBuf>,
}

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

/// What is done to one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It is as it should be.
    Nothing,
    /// A new file with our entry.
    Create,
    /// Our entry comes in.
    Add,
    /// An entry of our name is changed.
    Change,
    /// Our entry goes out; the client has changed the file since we wrote it.
    Remove,
    /// The very bytes of before come back.
    Restore,
    /// A file that we made, and in which nothing else stands, goes.
    Delete,
    /// The entry is gone already; only our receipt goes.
    Forget,
}

/// One file of a plan.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The file, as the client names it.
    pub file: PathBuf,
    /// What is done to it.
    pub deed: Deed,
    /// Lines that go (`-`) and come (`+`): our entry, never another's.
    pub lines: Vec<String>,
    pub(super) real: PathBuf,
    pub(super) before: Option<Vec<u8>>,
    pub(super) after: Option<Vec<u8>>,
    pub(super) receipt: Option<Receipt>,
}

/// What would be done for one client.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The client.
    pub client: &'static Client,
    /// File by file.
    pub edits: Vec<Edit>,
    /// What the person does by hand, where we do not write.
    pub by_hand: Option<String>,
    /// What they should know.
    pub notes: Vec<String>,
    /// Whether our entry goes.
    pub removing: bool,
}

impl Plan {
    /// Whether there is anything to write.
    pub fn changes_anything(&self) -> bool {
        self.edits.iter().any(|edit| edit.deed != Deed::Nothing)
    }

    /// The plan as people read it.
    pub fn text(&self) -> String {
        let mut text = self.client.name.to_owned();
        for edit in &self.edits {
            let what = match edit.deed {
                Deed::Nothing => "nothing to do:",
                Deed::Create => "a new file:",
                Deed::Add => "our entry is added, nothing else changes:",
                Deed::Change => "the entry \"countersign\" changes, nothing else:",
                Deed::Remove => "our entry is removed, nothing else changes:",
                Deed::Restore => "the file becomes what it was before, to the byte:",
                Deed::Delete => "we made this file and nothing else stands in it, so it is deleted:",
                Deed::Forget => "our entry is not there any more; nothing to remove:",
            };
            let _ = write!(text, "\n  {what} {}", edit.file.display());
            for line in &edit.lines {
                let _ = write!(text, "\n    {line}");
            }
        }
        if let Some(by_hand) = &self.by_hand {
            for line in by_hand.lines() {
                let _ = write!(text, "\n  {line}");
            }
        }
        for note in &self.notes {
            let _ = write!(text, "\n  note: {note}");
        }
        text
    }
}

/// What installing would do.
///
/// # Errors
/// Where a file must not be touched; nothing is written by this function.
pub fn plan(client: &'static Client, places: &Places, wish: &Wish) -> Result<Plan, Trouble> {
    let mut plan = Plan {
        client,
        edits: Vec::new(),
        by_hand: None,
        notes: client.advice.map(str::to_owned).into_iter().collect(),
        removing: false,
    };
    if !client.is_written() {
        plan.by_hand = Some(client.snippet(places));
        return Ok(plan);
    }
    let spots = (client.spots)(places);
    if wish.config_path.is_none() && !spots.iter().any(|spot| spot.here) {
        plan.notes.push(format!(
            "{} was not found on this computer; the entry is written for when it comes",
            client.name
        ));
    }
    for file in targets(client, places, wish)? {
        let (edit, note) = install(
            client,
            places,
            &place::meet(&file, places, wish.config_path.is_some())?,
        )?;
        plan.edits.push(edit);
        plan.notes.extend(note);
    }
    Ok(plan)
}

/// What uninstalling would do: only to files of which we have a receipt, or in which the entry is exactly ours.
///
/// # Errors
/// As [`plan`].
pub fn remove(client: &'static Client, places: &Places, wish: &Wish) -> Result<Plan, Trouble> {
    let mut plan = Plan {
        client,
        edits: Vec::new(),
        by_hand: None,
        notes: Vec::new(),
        removing: true,
    };
    if !client.is_written() {
        plan.by_hand = Some(format!(
            "Countersign has written nothing for {}. Take out by hand what you pasted, or what you made with its own program.",
            client.name
        ));
        return Ok(plan);
    }
    let mut files: Vec<PathBuf> = if let Some(file) = &wish.config_path {
        vec![std::path::absolute(file).map_err(|error| Trouble::io(file, &error))?]
    } else {
        let receipts = Receipt::all_of(places, client.id).into_iter();
        let spots = (client.spots)(places).into_iter();
        receipts
            .map(|receipt| PathBuf::from(receipt.file))
            .chain(spots.filter(|spot| spot.here).map(|spot| spot.file))
            .collect()
    };
    files.sort();
    files.dedup();
    for file in files {
        let receipt = Receipt::of(places, &file);
        // Once written at the person's word, it is taken back from there as well.
        let told = wish.config_path.is_some() || receipt.is_some();
        match take_out(client, places, &place::meet(&file, places, told)?, receipt)? {
            Out::Edit(edit) => plan.edits.push(*edit),
            Out::Note(note) => plan.notes.push(note),
            Out::Nothing => {}
        }
    }
    if plan.edits.is_empty() && plan.notes.is_empty() {
        plan.notes.push("no entry of ours is there".to_owned());
    }
    Ok(plan)
}

/// The files that would be written.
fn targets(client: &'static Client, places: &Places, wish: &Wish) -> Result<Vec<PathBuf>, Trouble> {
    if let Some(file) = &wish.config_path {
        return Ok(vec![file.clone()]);
    }
    let spots = (client.spots)(places);
    let rivals: Vec<PathBuf> = spots
        .iter()
        .filter(|spot| spot.rival)
        .map(|spot| spot.file.clone())
        .collect();
    if rivals.len() > 1 {
        return Err(Trouble::Several {
            client: client.name,
            files: rivals,
        });
    }
    let here: Vec<PathBuf> = spots
        .iter()
        .filter(|spot| spot.here)
        .map(|spot| spot.file.clone())
        .collect();
    if here.is_empty() {
        Ok(spots.into_iter().take(1).map(|spot| spot.file).collect())
    } else {
        Ok(here)
    }
}

fn install(client: &Client, places: &Places, met: &Met) -> Result<(Edit, Option<String>), Trouble> {
    let ours = (client.entry)(places);
    let now = met.text()?;
    let wrong = |why| Trouble::broken(&met.named, why);
    let servers = edit::servers(client.way, now).map_err(wrong)?;
    let there = servers.get(NAME);
    let same = there.is_some_and(|there| differences(there, &entry::to_json(&ours)).is_empty());
    let mut edit = Edit {
        file: met.named.clone(),
        deed: Deed::Nothing,
        lines: Vec::new(),
        real: met.real.clone(),
        before: met.bytes.clone(),
        after: met.bytes.clone(),
        receipt: None,
    };
    let note = edit::is_lenient(client.way, now)
        .then(|| format!("{} has comments or trailing commas; they stay, but if {} reads strict JSON it ignores the whole file", met.named.display(), client.name))
        .filter(|_| matches!(client.way, Way::Json("mcpServers")));
    if same {
        return Ok((edit, note));
    }
    place::writable(met)?;
    let old = Receipt::of(places, &met.named);
    // What the file would be without us: exactly, or as well as it can be told.
    let undone = old.as_ref().and_then(|receipt| receipt.undo(now));
    let exact = undone.is_some();
    let base = match undone {
        Some(before) => before.text(),
        None if old.is_some() && there.is_some() => {
            let key_too = old.as_ref().is_some_and(|receipt| receipt.made_key);
            Some(edit::unset(client.way, now, key_too).map_err(wrong)?)
        }
        None => met.bytes.is_some().then(|| now.to_owned()),
    };
    let start = if exact {
        base.as_deref().unwrap_or_default()
    } else {
        now
    };
    let after = edit::set(client.way, start, &ours).map_err(wrong)?;
    let mut receipt = old.unwrap_or_else(|| Receipt {
        version: 1,
        client: client.id.to_owned(),
        file: met.named.to_string_lossy().into_owned(),
        at: String::new(),
        created: met.bytes.is_none(),
        made_key: !has_key(client.way, now),
        folders: place::missing_folders(&met.real)
            .iter()
            .map(|folder| folder.to_string_lossy().into_owned())
            .collect(),
        backups: Vec::new(),
        leaving: false,
        written: Vec::new(),
    });
    receipt.at = clock::rfc3339(clock::wall_ms());
    receipt.leaving = false;
    receipt.remember(Written {
        before: base.as_ref().map(|base| sha256(base.as_bytes())),
        after: sha256(after.as_bytes()),
        splice: Splice::between(base.as_deref().unwrap_or_default(), &after),
    });
    edit.deed = match (&met.bytes, there) {
        (None, _) => Deed::Create,
        (Some(_), None) => Deed::Add,
        (Some(_), Some(_)) => Deed::Change,
    };
    if let Some(there) = there {
        edit.lines
            .extend(shown(there).into_iter().map(|line| format!("- {line}")));
    }
    let come = servers_line(client.way, &ours);
    edit.lines
        .extend(come.into_iter().map(|line| format!("+ {line}")));
    edit.after = Some(after.into_bytes());
    edit.receipt = Some(receipt);
    Ok((edit, note))
}

enum Out {
    Edit(Box<Edit>),
    Note(String),
    Nothing,
}

fn take_out(client: &Client, places: &Places, met: &Met, receipt: Option<Receipt>) -> Result<Out, Trouble> {
    let now = met.text()?;
    let mut edit = Edit {
        file: met.named.clone(),
        deed: Deed::Forget,
        lines: Vec::new(),
        real: met.real.clone(),
        before: met.bytes.clone(),
        after: met.bytes.clone(),
        receipt: None,
    };
    if let Some(receipt) = &receipt
        && let Some(before) = receipt.undo(now)
    {
        place::writable(met)?;
        let before = before.text();
        edit.deed = if before.is_some() {
            Deed::Restore
        } else {
            Deed::Delete
        };
        edit.after = before.map(String::into_bytes);
        edit.receipt = Some(receipt.clone());
        return Ok(Out::Edit(Box::new(edit)));
    }
    let wrong = |why| Trouble::broken(&met.named, why);
    let servers = edit::servers(client.way, now).map_err(wrong)?;
    let Some(there) = servers.get(NAME) else {
        edit.receipt.clone_from(&receipt);
        return Ok(if receipt.is_some() {
            Out::Edit(Box::new(edit))
        } else {
            Out::Nothing
        });
    };
    let exactly = differences(there, &entry::to_json(&(client.entry)(places))).is_empty();
    if receipt.is_none() && !exactly {
        return Ok(Out::Note(format!(
            "{}: an entry \"{NAME}\" is there that Countersign did not write; it was left alone",
            met.named.display()
        )));
    }
    place::writable(met)?;
    let (created, key_too) = receipt
        .as_ref()
        .map_or((false, false), |receipt| (receipt.created, receipt.made_key));
    let after = edit::unset(client.way, now, key_too).map_err(wrong)?;
    edit.lines = shown(there).into_iter().map(|line| format!("- {line}")).collect();
    if created && edit::is_bare(client.way, &after) {
        edit.deed = Deed::Delete;
        edit.after = None;
    } else {
        edit.deed = Deed::Remove;
        edit.after = Some(after.into_bytes());
    }
    edit.receipt = receipt;
    Ok(Out::Edit(Box::new(edit)))
}

fn has_key(way: Way, text: &str) -> bool {
    let (Way::Json(key) | Way::Toml(key)) = way else {
        return false;
    };
    edit::document(way, text).is_ok_and(|whole| whole.get(key).is_some())
}

/// The keys in which an entry is not ours. What the person added to it is theirs.
pub(super) fn differences(there: &Value, ours: &Value) -> Vec<String> {
    let Some(ours) = ours.as_object() else {
        return Vec::new();
    };
    ours.iter()
        .filter(|(key, value)| there.get(key.as_str()) != Some(value))
        .map(|(key, _)| key.clone())
        .collect()
}

/// Our entry as it will stand there.
fn servers_line(way: Way, entry: &entry::Entry) -> Vec<String> {
    let text = match way {
        Way::Json(key) => edit::json::snippet(key, entry),
        Way::Toml(key) => edit::toml::snippet(key, entry),
        Way::ByHand(_) => String::new(),
    };
    text.lines().map(str::to_owned).collect()
}

/// An entry that is there, in a line. The values of its variables and headers can be secrets: they are not shown.
fn shown(there: &Value) -> Vec<String> {
    let mut there = there.clone();
    for key in ["env", "headers", "http_headers"] {
        if let Some(values) = there.get_mut(key).and_then(Value::as_object_mut) {
            values.values_mut().for_each(|value| *value = "…".into());
        }
    }
    // What starts something else than us may have a secret among its arguments.
    if !around::is_us(&there)
        && let Some(arguments) = there.get_mut("args")
    {
        *arguments = "…".into();
    }
    vec![format!("\"{NAME}\": {there}")]
}
