//! `journal show|verify|export`.

use super::{Context, Exit, args, out};
use crate::gate::call::digest_of;
use crate::journal;
use serde_json::{Value, json};

/// The largest journal that is read whole.
const BOUND: u64 = 4 * 1024 * 1024 * 1024;

pub(super) fn journal(context: &Context, what: &args::Journal) -> Exit {
    let path = context.world.paths.journal();
    let text = match crate::system::file::read_text(&path, BOUND) {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => {
            context.out.error(&format!("{}: {error}", path.display()), "");
            return Exit::Failure;
        }
    };
    match what {
        args::Journal::Show { last } => show(context, &text, *last),
        args::Journal::Verify => verify(context, &text),
        args::Journal::Export => {
            text.lines().for_each(|line| context.out.raw(line));
            Exit::Fine
        }
    }
}

fn show(context: &Context, text: &str, last: usize) -> Exit {
    let entries = journal::entries(text);
    let from = entries.len().saturating_sub(last);
    let shown: Vec<&journal::Entry> = entries.iter().skip(from).collect();
    let lines: Vec<String> = shown.iter().map(|entry| line(entry)).collect();
    let objects: Vec<Value> = shown.iter().map(|entry| entry.object.clone()).collect();
    let text = if lines.is_empty() {
        "The journal is empty.".to_owned()
    } else {
        lines.join("\n")
    };
    context.out.data(&text, &json!({ "entries": objects }));
    Exit::Fine
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

fn verify(context: &Context, text: &str) -> Exit {
    let mut verdict = journal::verify(text);
    let signed = signed(journal::entries(text));
    verdict.faults.extend(signed.faults.iter().cloned());
    let faults: Vec<Value> = verdict
        .faults
        .iter()
        .map(|fault| json!({ "line": fault.line, "what": fault.what }))
        .collect();
    let words = match verdict.faults.first() {
        None => format!(
            "The journal holds: {} lines, none changed, removed or inserted.\nhead {}{}",
            verdict.lines,
            verdict.head,
            by_key(&signed.approved)
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
        &json!({ "lines": verdict.lines, "head": verdict.head, "faults": faults, "approvals": approvals(&signed.approved) }),
    );
    if verdict.faults.is_empty() {
        Exit::Fine
    } else {
        Exit::Failure
    }
}

/// Every signature on record, checked again.
fn signed(entries: impl IntoIterator<Item = journal::Entry>) -> journal::Proofs {
    let mut proofs = journal::Proofs::new(digest_of);
    for entry in entries {
        proofs.take(entry.line, &entry.object);
    }
    proofs
}

/// Which key approved which order, one line each.
fn by_key(approved: &[journal::Approved]) -> String {
    let line = |order: &journal::Approved| {
        let id: String = order.key.chars().take(8).collect();
        format!(
            "\n{}  {} {} was approved with the passkey {} ({})",
            out::safe(order.at.get(..19).unwrap_or(&order.at)).replace('T', " "),
            out::safe(&order.ticket),
            out::safe(&order.tool),
            out::safe(&order.name),
            out::safe(&id)
        )
    };
    approved.iter().map(line).collect()
}

fn approvals(approved: &[journal::Approved]) -> Vec<Value> {
    approved
        .iter()
        .map(|order| json!({ "line": order.line, "ticket": order.ticket, "tool": order.tool, "at": order.at, "key": order.key, "name": order.name }))
        .collect()
}
