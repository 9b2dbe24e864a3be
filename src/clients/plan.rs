//! What would be done to a client's files, to be shown before it is done.
//!
//! Owns: the decision what to write, and the words that show it. Writes nothing.

use super::edit::{self, Splice};
use super::entry::{self, NAME};
use super::place::{self, Met};
use super::receipt::{Receipt, Written, sha256};
use super::trouble::Trouble;
use super::{Client, Places, Way, around, bundle};
use crate::system::clock;
use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;

/// What the person asked for beside the client's name.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// This file, wherever it lies, instead of the ones that we would find.
    pub config_path: Option<PathBuf>,
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
                Deed::Add => "our entry is added, no other setting changes:",
                Deed::Change => "the entry \"countersign\" changes, no other setting:",
                Deed::Remove => "our entry is removed, no other setting changes:",
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
            // Not indented: it is to be copied as it stands.
            let _ = write!(text, "\n{by_hand}");
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
    if let Some(bundle) = bundle::look(client, places).running() {
        let twice = format!(
            "Countersign is in {} already, as an extension ({}); with an entry in the file as well, each order would be asked about by whichever of the two the model takes",
            client.name, bundle.id
        );
        if wish.config_path.is_none() {
            plan.notes = vec![format!(
                "nothing is written: {twice}. To use the entry instead, remove the extension in Claude Desktop (Settings, Extensions) first"
            )];
            return Ok(plan);
        }
        plan.notes.push(twice);
    }
    let spots = (client.spots)(places);
    if wish.config_path.is_none() && !spots.iter().any(|spot| spot.here) {
        plan.notes.push(format!(
            "{} was not found on this computer; the entry is written for when it comes",
            client.name
        ));
    }
    if places.program.contains("_npx") {
        plan.notes.push("this program lies in npx's cache, which is emptied now and then: install it properly first, or the entry will point to nothing".to_owned());
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
        let off = there.is_some_and(is_off).then(|| {
            format!(
                "the entry is there, but switched off: switch countersign on in {}",
                client.name
            )
        });
        return Ok((edit, off.or(note)));
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

/// Whether the person has switched an entry off.
pub(super) fn is_off(there: &Value) -> bool {
    there.get("disabled") == Some(&Value::Bool(true)) || there.get("enabled") == Some(&Value::Bool(false))
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
pub(super) fn shown(there: &Value) -> Vec<String> {
    let mut there = there.clone();
    for key in ["env", "headers", "http_headers"] {
        if let Some(values) = there.get_mut(key).and_then(Value::as_object_mut) {
            values.values_mut().for_each(|value| *value = "…".into());
        }
    }
    // There may be a secret among its arguments (`--header`, for one).
    let plain = |value: &Value| {
        let words: Vec<&str> = value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        matches!(words[..], ["serve"] | ["serve", "--url", _] | [])
    };
    if !(around::is_us(&there) && there.get("args").is_none_or(plain))
        && let Some(arguments) = there.get_mut("args")
    {
        *arguments = "…".into();
    }
    for key in ["url", "serverUrl", "httpUrl"] {
        let address = there.get(key).and_then(Value::as_str).unwrap_or_default();
        if let Some((start, _)) = address.split_once('?') {
            let start = format!("{start}?…");
            if let Some(url) = there.get_mut(key) {
                *url = start.into();
            }
        }
    }
    vec![format!("\"{NAME}\": {there}")]
}
