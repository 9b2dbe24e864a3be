//! Whether terminals find the program by its name, and the change of that, on every system alike.
//!
//! Owns: what is told of it. Refuses to know: how a line stands in a file (`profile`) or a text in the registry.

use super::Context;
use super::receipt::Receipt;
use std::path::{Path, PathBuf};

/// How it stands after a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// Found already; nothing was changed.
    Found,
    /// Not found, and nothing was changed.
    NotFound,
    /// Terminals that are opened from now on find it; the files that were changed.
    Added(Vec<PathBuf>),
    /// It was taken out.
    Removed,
    /// Not all could be changed.
    Trouble(Vec<String>),
}

impl Told {
    /// For programs.
    pub(super) fn state(&self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not_found",
            Self::Added(_) => "added",
            Self::Removed => "removed",
            Self::Trouble(_) => "trouble",
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        !matches!(self, Self::Trouble(_))
    }

    /// For people.
    pub(super) fn words(&self, program: &Path) -> String {
        let program = program.display();
        match self {
            Self::Found => format!("{program}\nTerminals find it by its name, countersign."),
            Self::NotFound => format!(
                "{program}\nTerminals do not find it by its name. To change that, type once, with that folder in front: `countersign self path add`"
            ),
            Self::Added(files) if files.is_empty() => {
                format!("{program}\nA terminal that you open from now on finds it by its name, countersign.")
            }
            Self::Added(files) => {
                let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
                format!(
                    "{program}\nA terminal that you open from now on finds it by its name, countersign. One line was added to: {}",
                    files.join(", ")
                )
            }
            Self::Removed => {
                format!("{program}\nTerminals that you open from now on do not find it by its name.")
            }
            Self::Trouble(why) => format!(
                "{program}\nPATH could not be changed everywhere: {}",
                why.join("; ")
            ),
        }
    }
}

/// How it stands.
pub(super) fn look(context: &Context, folder: &str) -> Told {
    if is_found(context, folder) {
        Told::Found
    } else {
        Told::NotFound
    }
}

#[cfg(windows)]
fn is_found(_: &Context, folder: &str) -> bool {
    super::registry::is_on_path(folder)
}

#[cfg(not(windows))]
fn is_found(context: &Context, folder: &str) -> bool {
    super::profile::is_on(context.world.env.text("PATH"), folder)
}

/// Adds the folder where terminals look.
#[cfg(windows)]
pub(super) fn add(_: &Context, folder: &str, receipt: &mut Receipt) -> Told {
    match super::registry::add_to_path(folder) {
        Ok(true) => {
            receipt.search = Some(folder.to_owned());
            Told::Added(Vec::new())
        }
        Ok(false) => Told::Found,
        Err(why) => Told::Trouble(vec![why]),
    }
}

/// Adds the folder where terminals look.
#[cfg(not(windows))]
pub(super) fn add(context: &Context, folder: &str, receipt: &mut Receipt) -> Told {
    use super::{folders, profile};
    if is_found(context, folder) {
        return Told::Found;
    }
    if let Some(why) = profile::unfit(folder) {
        return Told::Trouble(vec![format!("{folder} cannot be on a PATH: {why}")]);
    }
    let env = &context.world.env;
    let Some(home) = env.text("HOME").map(Path::new) else {
        return Told::Trouble(vec!["HOME is not set".to_owned()]);
    };
    let (mut changed, mut trouble) = (Vec::new(), Vec::new());
    for wanted in profile::wanted(env, home, folder) {
        let made = wanted.file.parent().map(folders::missing).unwrap_or_default();
        match profile::add(&wanted) {
            Ok(Some(edit)) => {
                changed.push(edit.file.clone());
                receipt.edits.push(edit);
                receipt.made.extend(made);
            }
            Ok(None) => {}
            Err(error) => trouble.push(format!("{}: {error}", wanted.file.display())),
        }
    }
    if trouble.is_empty() {
        Told::Added(changed)
    } else {
        Told::Trouble(trouble)
    }
}

/// Takes out what was added.
#[cfg(windows)]
pub(super) fn remove(_: &Context, folder: &str, receipt: &mut Receipt) -> Told {
    let folder = receipt.search.take().unwrap_or_else(|| folder.to_owned());
    // Nothing was added.
    if folder.is_empty() {
        return Told::Removed;
    }
    match super::registry::remove_from_path(&folder) {
        Ok(_) => Told::Removed,
        Err(why) => {
            receipt.search = Some(folder);
            Told::Trouble(vec![why])
        }
    }
}

/// Takes out what was added, as the receipt tells.
#[cfg(not(windows))]
pub(super) fn remove(_: &Context, _: &str, receipt: &mut Receipt) -> Told {
    use super::profile;
    let mut trouble = Vec::new();
    receipt.edits.retain(|edit| match profile::remove(edit) {
        Ok(profile::Removed::Gone | profile::Removed::NotThere) => false,
        Err(error) => {
            trouble.push(format!("{}: {error}", edit.file.display()));
            true
        }
    });
    if trouble.is_empty() {
        Told::Removed
    } else {
        Told::Trouble(trouble)
    }
}
