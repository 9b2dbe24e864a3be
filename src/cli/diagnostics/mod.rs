//! `diagnostics`: a file that helps somebody else to find a fault. It shows what it would pack before it packs it.
//!
//! Owns: what goes in, and the file. What must not be in it is taken out by `blank`. Never in it: the vault and its key,
//! tickets, the approved policy, tool lists, the journal's details, anything of the keychain.

mod blank;
mod gather;

use super::{Context, Exit};
use crate::system::{clock, file};
use gather::Part;
use serde_json::{Value, json};
use std::io::{self, Cursor, IsTerminal, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub(super) async fn diagnostics(context: &Context, to: Option<PathBuf>, yes: bool) -> Exit {
    let parts = gather::parts(context).await;
    let path = to.unwrap_or_else(|| PathBuf::from(usual_name()));
    context.out.say(&listing(&parts, &path));
    if path.symlink_metadata().is_ok() {
        return refused(context, &format!("{} is there already", path.display()));
    }
    if !yes {
        match asked(context) {
            Ok(true) => {}
            Ok(false) => {
                context.out.say("Nothing was written.");
                return Exit::Denied;
            }
            Err(why) => return refused(context, why),
        }
    }
    if let Err(error) = write(&path, &parts) {
        return refused(context, &format!("{}: {error}", path.display()));
    }
    let size = std::fs::metadata(&path).map_or(0, |found| found.len());
    let objects: Vec<Value> = parts.iter().map(Part::object).collect();
    context.out.data(
        &format!(
            "Written: {} ({} KB). Look into it before you send it to anybody.",
            path.display(),
            size.div_ceil(1024)
        ),
        &json!({ "file": path.display().to_string(), "bytes": size, "parts": objects }),
    );
    Exit::Fine
}

fn refused(context: &Context, why: &str) -> Exit {
    let hint = "nothing was written; name another file, or give --yes: countersign diagnostics FILE --yes";
    context.out.error(why, hint);
    Exit::Usage
}

/// `countersign-diagnostics-20261122-1644.zip`, in the folder where the person is.
fn usual_name() -> String {
    let now = clock::rfc3339(clock::wall_ms());
    let digits: String = now.chars().filter(char::is_ascii_digit).take(12).collect();
    let (day, time) = digits.split_at_checked(8).unwrap_or((&digits, ""));
    format!("countersign-diagnostics-{day}-{time}.zip")
}

fn listing(parts: &[Part], path: &Path) -> String {
    let lines: Vec<String> = parts
        .iter()
        .map(|part| format!("  {:<22} {:>7}  {}", part.name, size(part.text.len()), part.what))
        .collect();
    format!(
        "This would go into {}:\n\n{}\n\nTaken out everywhere: keys, codes, PINs, your phrase, your home folder and computer's name; of account names the last three letters stay. Not packed at all: sign-ins, orders, cards, the keychain. Nothing is sent anywhere.\n",
        path.display(),
        lines.join("\n")
    )
}

fn size(bytes: usize) -> String {
    if bytes < 1024 {
        format!("{bytes} B")
    } else {
        format!("{} KB", bytes.div_ceil(1024))
    }
}

fn asked(context: &Context) -> Result<bool, &'static str> {
    if !context.out.can_ask() || !io::stdin().is_terminal() {
        return Err("nobody can be asked here");
    }
    context.out.say("Write it? Type yes:");
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .map_err(|_| "the answer could not be read")?;
    Ok(line.trim().eq_ignore_ascii_case("yes"))
}

fn write(path: &Path, parts: &[Part]) -> io::Result<()> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(0o600);
    for part in parts {
        zip.start_file(part.name.as_str(), options)
            .map_err(io::Error::other)?;
        zip.write_all(part.text.as_bytes())?;
    }
    let bytes = zip.finish().map_err(io::Error::other)?.into_inner();
    file::write_atomic(&std::path::absolute(path)?, &bytes)
}
