//! What uninstalling would do to a client's files. Writes nothing.

use super::edit;
use super::entry::{self, NAME};
use super::place::{self, Met};
use super::plan::{Deed, Edit, Plan, Wish, differences, shown};
use super::receipt::Receipt;
use super::trouble::Trouble;
use super::{Client, Places};
use std::path::PathBuf;

/// What uninstalling would do: only to files of which we have a receipt, or in which the entry is exactly ours.
///
/// # Errors
/// As [`super::plan()`].
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
