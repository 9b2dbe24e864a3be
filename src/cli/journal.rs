//! `journal show|verify|export`.

use super::{Context, Exit, args, out};
use crate::gate::call::digest_of;
use crate::journal;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{self, BufRead};
use std::path::Path;

pub(super) fn journal(context: &Context, what: &args::Journal) -> Exit {
    let path = context.world.paths.journal();
    // No journal yet is an empty one.
    let source: Box<dyn BufRead> = match journal::open(&path) {
        Ok(Some(file)) => Box::new(file),
        Ok(None) => Box::new(io::empty()),
        Err(error) => return unreadable(context, &path, &error),
    };
    let done = match what {
        args::Journal::Show { last } => show(context, source, *last),
        args::Journal::Verify => verify(context, &path, source),
        args::Journal::Export => export(context, source),
    };
    done.unwrap_or_else(|error| unreadable(context, &path, &error))
}

fn unreadable(context: &Context, path: &Path, error: &io::Error) -> Exit {
    let hint = if error.kind() == io::ErrorKind::IsADirectory {
        "a folder stands where the journal belongs: move it away; until then nothing can be sent"
    } else {
        ""
    };
    context.out.error(&format!("{}: {error}", path.display()), hint);
    Exit::Failure
}

fn export(context: &Context, source: impl BufRead) -> io::Result<Exit> {
    for piece in journal::pieces(source) {
        context.out.raw(&String::from_utf8_lossy(&piece?.text));
    }
    Ok(Exit::Fine)
}

fn show(context: &Context, source: impl BufRead, last: usize) -> io::Result<Exit> {
    let mut shown = VecDeque::new();
    for entry in journal::entries(source) {
        shown.push_back(entry?);
        if shown.len() > last {
            shown.pop_front();
        }
    }
    let lines: Vec<String> = shown.iter().map(line).collect();
    let objects: Vec<Value> = shown.iter().map(|entry| entry.object.clone()).collect();
    let text = if lines.is_empty() {
        "The journal is empty.".to_owned()
    } else {
        lines.join("\n")
    };
    context.out.data(&text, &json!({ "entries": objects }));
    Ok(Exit::Fine)
}

/// One entry on one line.
fn line(entry: &journal::Entry) -> String {
    let text = |key: &str| {
        entry
            .object
            .get(key)
            .and_then(Value::as_str)
            .map(out::safe)
            .unwrap_or_default()
    };
    let detail = ["reason", "said", "found", "rule", "via"]
        .into_iter()
        .map(text)
        .find(|found| !found.is_empty());
    let detail: String = detail.unwrap_or_default().chars().take(100).collect();
    let at = entry.at.get(..19).unwrap_or(&entry.at).replace('T', " ");
    format!(
        "{at}  {:<10} {:<5} {:<18} {detail}",
        entry.kind,
        text("ticket"),
        text("tool")
    )
    .trim_end()
    .to_owned()
}

fn verify(context: &Context, path: &Path, source: impl BufRead) -> io::Result<Exit> {
    let mut verdict = journal::verify(source)?;
    let signed = match journal::open(path)? {
        Some(again) => signed(journal::entries(again))?,
        None => journal::Proofs::new(digest_of),
    };
    verdict.faults.extend(signed.faults.iter().cloned());
    let faults: Vec<Value> = verdict
        .faults
        .iter()
        .map(|fault| json!({ "line": fault.line, "what": fault.what }))
        .collect();
    let words = match verdict.faults.first() {
        None => format!(
            "The journal holds: {} lines, none changed, removed or inserted.{}\nhead {}{}{}",
            verdict.lines,
            scars(verdict.torn),
            verdict.head,
            by_key(&signed.approved),
            unsigned(&signed)
        ),
        Some(first) => format!(
            "The journal does NOT hold: {} of its places are wrong, the first is line {}: {}.",
            verdict.faults.len(),
            first.line,
            first.what
        ),
    };
    context.out.data(
        &words,
        &json!({ "lines": verdict.lines, "torn": verdict.torn, "head": verdict.head, "faults": faults, "approvals": approvals(&signed.approved), "unsigned": signed.unsigned, "firstKeys": signed.firsts }),
    );
    Ok(if verdict.faults.is_empty() {
        Exit::Fine
    } else {
        Exit::Failure
    })
}

/// What crashes left behind, where they did.
fn scars(torn: usize) -> String {
    match torn {
        0 => String::new(),
        1 => " One more line was torn by a crash; the line after it says so.".to_owned(),
        n => format!(" {n} more lines were torn by crashes; the lines after them say so."),
    }
}

/// Every signature on record, checked again.
fn signed(entries: impl Iterator<Item = io::Result<journal::Entry>>) -> io::Result<journal::Proofs> {
    let mut proofs = journal::Proofs::new(digest_of);
    for entry in entries {
        let entry = entry?;
        proofs.take(entry.line, &entry.object);
    }
    Ok(proofs)
}

/// What no signature says anything of.
fn unsigned(signed: &journal::Proofs) -> String {
    let approvals = match signed.unsigned {
        0 => String::new(),
        1 => "\n1 approval carries no signature: it was given by a click or a PIN.".to_owned(),
        n => format!("\n{n} approvals carry no signature: they were given by a click or a PIN."),
    };
    let keys = match signed.firsts {
        0 => String::new(),
        1 => "\n1 passkey was let in by no other: the first of its sign-in.".to_owned(),
        n => format!(
            "\n{n} passkeys were let in by no other, each the first of a sign-in: did you sign in for trading so often?"
        ),
    };
    approvals + &keys
}

/// Which key approved which order, one line each.
fn by_key(approved: &[journal::Approved]) -> String {
    let line = |order: &journal::Approved| {
        let id: String = order.key.chars().take(8).collect();
        format!(
            "\n{}  {} {} was approved with the passkey {} ({}), at {}",
            out::safe(order.at.get(..19).unwrap_or(&order.at)).replace('T', " "),
            out::safe(&order.ticket),
            out::safe(&order.tool),
            out::safe(&order.name),
            out::safe(&id),
            out::safe(&order.endpoint)
        )
    };
    approved.iter().map(line).collect()
}

fn approvals(approved: &[journal::Approved]) -> Vec<Value> {
    approved
        .iter()
        .map(|order| json!({ "line": order.line, "ticket": order.ticket, "tool": order.tool, "endpoint": order.endpoint, "at": order.at, "key": order.key, "name": order.name }))
        .collect()
}
